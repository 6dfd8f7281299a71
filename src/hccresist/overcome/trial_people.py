"""Who is enrolled in a virtual trial: numbers of patients, screening, shares of traits.

Each arm of each replicate has a range of patient numbers of its own, and enrols the first that are eligible.
Patients are drawn independently of each other, so that this is the same as randomising them (without
strata). No patient is in two arms or two replicates: replicates are independent draws of the trial, which
is what a prediction interval needs. (Drawing replicates anew from a pool of m patients would be cheaper,
but all of them would share the pool's own deviation from the population: with n patients an arm, intervals
would lack the share n / m of the variance.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hccresist.errors import ComputationError
from hccresist.overcome.dosing import split_values
from hccresist.overcome.engine import Job, Result, run_population, settle
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.population import (
    AETIOLOGIES,
    Population,
    draw_population,
    find_handle_values,
    read_traits,
)
from hccresist.overcome.prevalence_weights import MEAN, Weighting, is_found, read_weighting
from hccresist.overcome.rng import Purpose, draw_uniform, index_of
from hccresist.overcome.trial_prior import can_live, end_line, run_line
from hccresist.overcome.trial_spec import LABS, YES_OR_NO, Arm, Eligibility, Spec

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Start = tuple[Array, Array, NDArray[np.int64]]

STRIDE: Final = 2**21
"""Patient numbers that an arm of a replicate has."""
SCREENED_MOST: Final = 200_000
"""Patients that are screened for an arm at most."""
FEWEST: Final = 16
"""Patients of a batch of screening beyond those that are expected to be needed."""
_BEFORE: Final = -1e6


@dataclass(frozen=True)
class Enrolled:
    """Patients of one arm before treatment.

    Attributes
    ----------
    people
        The patients.
    start
        States, growth rates and status, as `engine.settle` gives them.
    screened
        Patients who were looked at.
    """

    people: Population
    start: Start
    screened: int


def take_people(people: Population, chosen: NDArray[Any]) -> Population:
    """Take some patients of a population, by index or by flag."""
    taken: dict[str, Any] = {}
    for part in fields(people):
        value = getattr(people, part.name)
        if isinstance(value, np.ndarray):
            taken[part.name] = value[chosen]
        elif isinstance(value, Mapping):
            taken[part.name] = {name: each[chosen] for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return replace(people, **taken)


def take_start(start: Start, chosen: NDArray[Any]) -> Start:
    """Take the start of some patients, by index or by flag."""
    state, growth, status = start
    return state[chosen], growth[chosen], status[chosen]


def join_people(parts: list[Population]) -> Population:
    """Put populations together."""
    joined: dict[str, Any] = {}
    for part in fields(parts[0]):
        values = [getattr(people, part.name) for people in parts]
        if isinstance(values[0], np.ndarray):
            joined[part.name] = np.concatenate(values)
        elif isinstance(values[0], Mapping):
            joined[part.name] = {name: np.concatenate([each[name] for each in values]) for name in values[0]}  # pyright: ignore[reportUnknownVariableType]
    return replace(parts[0], **joined)


def enrol(
    spec: Spec,
    arm: Arm,
    *,
    replicate: int,
    place: int,
    values: Mapping[str, float],
    threads: int | None = None,
    seed: int,
) -> Enrolled:
    """Screen patients of an arm until enough are enrolled.

    Parameters
    ----------
    place
        Place of the arm among the arms by id.
    values
        Typical values of parameters that differ from the table, and factors on drug effects.

    Raises
    ------
    ComputationError
        Where too few of those screened are eligible.
    """
    first = (replicate * len(spec.arms) + place) * STRIDE
    screened = enrolled = 0
    people, starts = list[Population](), list[Start]()
    weighting = read_weighting(values)
    share = find_mix_share(spec.mix) * (1.0 if weighting is None else MEAN)
    while enrolled < arm.n:
        left = arm.n - enrolled
        count = min(int(left / share * 1.1) + FEWEST, SCREENED_MOST - screened)
        if count <= 0:
            message = (
                f"arm {arm.arm_id}: of {screened:,} virtual patients screened, {enrolled:,} are eligible; "
                f"{arm.n:,} are wanted"
            )
            raise ComputationError(message)
        numbers = np.arange(first + screened, first + screened + count)
        tried = _draw_fitting(spec, arm, numbers, values=values, weighting=weighting, seed=seed)
        some, start = _screen(spec, arm, tried, values=values, threads=threads, seed=seed)
        chosen = np.arange(len(some.numbers))[:left]
        people.append(take_people(some, chosen))
        starts.append(take_start(start, chosen))
        enrolled += len(chosen)
        full = len(chosen) == left
        screened += int(some.numbers[chosen[-1]] - numbers[0]) + 1 if full else count
        share = min(share, max(enrolled, 1) / screened)
    states, growth, status = (np.concatenate(parts) for parts in zip(*starts, strict=True))
    return Enrolled(join_people(people), (states, growth, status), screened)


def _draw_fitting(
    spec: Spec,
    arm: Arm,
    numbers: NDArray[np.int64],
    *,
    values: Mapping[str, float],
    weighting: Weighting | None,
    seed: int,
) -> Population:
    """Draw patients, and keep those whom a trial's clinic finds and whose traits fit."""
    own = split_values(values)[0]
    people = draw_population(numbers, handles=spec.handles, values=own, mixed=spec.mixed, seed=seed)
    kept = fits_mix(people, spec.mix, seed=seed) & is_found(people, weighting, values=own, seed=seed)
    for rules in (spec.eligibility, arm.eligibility):
        kept &= fits_traits(people, rules)
    return take_people(people, kept)


def _screen(
    spec: Spec,
    arm: Arm,
    people: Population,
    *,
    values: Mapping[str, float],
    threads: int | None,
    seed: int,
) -> tuple[Population, Start]:
    """Grow the tumours of patients, give the earlier line, and look at life expectancy and labs.

    Returns
    -------
    tuple
        Those who are eligible, and their start.
    """
    start, fine = grow(people, threads=threads)
    people, start = take_people(people, fine), take_start(start, fine)
    if arm.prior and fine.any():
        factors = split_values(values)[1]
        seen = run_line(people, start, regimens=arm.prior, factors=factors, threads=threads, seed=seed)
        people, start, failed = end_line(seen, intolerant=arm.prior_intolerant, seed=seed)
        people, start = take_people(people, failed), take_start(start, failed)
    seen = screen(people, start, threads=threads)
    fine = np.ones(len(people.numbers), dtype=bool) if arm.prior else can_live(find_hazard(seen))
    labs = find_labs(seen)
    for rules in (spec.eligibility, arm.eligibility):
        fine &= _within(labs, rules)
    return take_people(people, fine), take_start(start, fine)


def grow(people: Population, *, threads: int | None = None) -> tuple[Start, Flags]:
    """Grow the tumours of patients untreated: their start, and who is solved with lesions that all grow."""
    start = settle(people, growing=True, threads=threads)
    return start, (start[2] == 0) & has_grown(people, start)


def has_grown(people: Population, start: Start) -> Flags:
    """Whether all lesions of patients grow untreated: else they could not have come to their size.

    Spontaneous regression of hepatocellular carcinoma is a matter of case reports (75 patients in the English
    literature: Huz 2012, PMC3406346), so that nobody whose tumour shrinks by itself is found at a clinic.
    """
    there = np.arange(start[1].shape[1]) < people.lesions[:, None]
    return ((start[1] > 0) | ~there).all(axis=1)


def fits_traits(people: Population, rules: Eligibility) -> Flags:
    """Whether patients fit what is known of them before their tumours are grown."""
    found = np.ones(len(people.numbers), dtype=bool)
    for name, wanted in rules.traits.items():
        found &= people.traits[name] == wanted
    if rules.aetiology:
        found &= np.isin(people.aetiology, [AETIOLOGIES.index(name) for name in rules.aetiology])
    for names, on in ((rules.handles_on, True), (rules.handles_off, False)):
        for name in names:
            found &= find_handle(people, name) == on
    return found & _within(_measure(people), rules)


def _measure(people: Population) -> dict[str, Array]:
    """Traits that ranges can bound, without labs."""
    return {
        "age_years": people.age_years,
        "weight_kg": people.weight_kg,
        "lesions": people.lesions.astype(np.float64),
        "largest_mm": people.diameters.max(axis=1),
        "sum_mm": people.diameters.sum(axis=1),
    }


def _within(measured: Mapping[str, Array], rules: Eligibility) -> Flags:
    count = len(next(iter(measured.values())))
    found = np.ones(count, dtype=bool)
    for name, (low, high) in rules.ranges.items():
        if name in measured:
            found &= (measured[name] >= low) & (measured[name] <= high)
    return found


def find_handle(people: Population, name: str) -> Flags:
    """Whether a resistance handle is on in each patient."""
    model = read_model()
    patient, lesion = model.names("patient"), model.names("lesion")
    found = np.zeros(len(people.numbers), dtype=bool)
    for parameter in find_handle_values({name: 1.0}):
        at = patient.index(parameter) if parameter in patient else len(patient) + lesion.index(parameter)
        found |= people.params[:, at] > 0
    return found


def screen(people: Population, start: Start, *, threads: int | None = None) -> Result:
    """Look at patients on the day of the scan before treatment."""
    job = Job((), (float("-inf"),), until=_BEFORE)
    return run_population(job, people, start=start, threads=threads)


def find_labs(seen: Result) -> dict[str, Array]:
    """Labs at screening."""
    states = read_model().patient.states
    return {name: (seen.state(name) if name in states else seen.output(name))[:, 0] for name in LABS}


def find_hazard(seen: Result) -> Array:
    """Hazard of death (1/day) at screening."""
    return seen.output("death_hazard")[:, 0]


def fits_mix(people: Population, mix: Mapping[str, float], *, seed: int) -> Flags:
    """Enrol with a chance that brings the shares of traits to those wanted.

    The chance is the product over traits of (share wanted) / (share in the population) for what the patient
    is, divided by its largest possible value: traits are drawn independently of each other.
    """
    chance = np.ones(len(people.numbers))
    for name in YES_OR_NO:
        if name in mix:
            chance *= _weigh(mix, name)[np.where(people.traits[name], 0, 1)]
    chance *= _weigh_aetiology(mix)[people.aetiology]
    drawn = draw_uniform(people.numbers, Purpose.ARM, np.array([index_of("mix")]), seed=seed)[:, 0]
    return drawn < chance


def find_mix_share(mix: Mapping[str, float]) -> float:
    """Find the share of the population that is enrolled to reach a mix of traits."""
    share = 1.0
    for name in YES_OR_NO:
        if name in mix:
            own = read_traits()[name].number
            share *= float(_weigh(mix, name) @ np.array([own, 1.0 - own]))
    return max(share * float(_weigh_aetiology(mix) @ _aetiologies()), 1e-3)


def _chances(wanted: Array, own: Array) -> Array:
    """Chance of each group to be enrolled; the largest is 1."""
    ratios = np.divide(wanted, own, out=np.zeros_like(wanted), where=own > 0)
    return ratios / (ratios.max() or 1.0)


def _weigh(mix: Mapping[str, float], name: str) -> Array:
    """Chance of patients with a trait, and of those without."""
    own = read_traits()[name].number
    return _chances(np.array([mix[name], 1.0 - mix[name]]), np.array([own, 1.0 - own]))


def _aetiologies() -> Array:
    """Shares of the aetiologies in the population."""
    first = [read_traits()[name].number for name in ("hbv", "hcv")]
    return np.array([*first, 1.0 - sum(first)])


def _weigh_aetiology(mix: Mapping[str, float]) -> Array:
    """Chance by aetiology; those whose share is not set keep their proportion."""
    own = _aetiologies()
    free = np.array([name not in mix for name in AETIOLOGIES])
    if free.all():
        return np.ones(len(AETIOLOGIES))
    wanted = np.array([mix.get(name, 0.0) for name in AETIOLOGIES])
    wanted[free] = (1.0 - wanted.sum()) * own[free] / own[free].sum()
    return _chances(wanted, own)
