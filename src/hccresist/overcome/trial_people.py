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
from hccresist.overcome.engine import Job, run_population, settle
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.population import (
    AETIOLOGIES,
    Population,
    draw_population,
    find_handle_values,
    read_traits,
)
from hccresist.overcome.rng import Purpose, draw_uniform, index_of
from hccresist.overcome.trial_spec import LABS, Arm, Eligibility, Spec

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

STRIDE: Final = 2**21
"""Patient numbers that an arm of a replicate has."""
SCREENED_MOST: Final = 200_000
"""Patients that are screened for an arm at most."""
FEWEST: Final = 16
"""Patients of a further batch of screening at least."""
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
    start: tuple[Array, Array, NDArray[np.int64]]
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
        Typical values of parameters that differ from the table.

    Raises
    ------
    ComputationError
        Where too few of those screened are eligible.
    """
    first = (replicate * len(spec.arms) + place) * STRIDE
    screened = enrolled = 0
    people, starts = list[Population](), list[tuple[Array, Array, NDArray[np.int64]]]()
    while enrolled < arm.n:
        if screened >= SCREENED_MOST:
            message = (
                f"arm {arm.arm_id}: of {screened:,} virtual patients screened, {enrolled:,} are eligible; "
                f"{arm.n:,} are wanted"
            )
            raise ComputationError(message)
        share = max(enrolled, 1) / screened if screened else 1.0
        count = int(
            min(max(np.ceil((arm.n - enrolled) / share), FEWEST if screened else 1), SCREENED_MOST - screened)
        )
        numbers = np.arange(first + screened, first + screened + count)
        some, start = _screen(spec, arm, numbers, values, threads=threads, seed=seed)
        left = arm.n - enrolled
        if len(some.numbers) > left:
            screened += int(some.numbers[left - 1] - numbers[0]) + 1
            some, start = take_people(some, np.arange(left)), _cut(start, np.arange(left))
        else:
            screened += count
        people.append(some)
        starts.append(start)
        enrolled += len(some.numbers)
    states, growth, status = (np.concatenate(parts) for parts in zip(*starts, strict=True))
    return Enrolled(join_people(people), (states, growth, status), screened)


def _cut(
    start: tuple[Array, Array, NDArray[np.int64]], chosen: NDArray[Any]
) -> tuple[Array, Array, NDArray[np.int64]]:
    return start[0][chosen], start[1][chosen], start[2][chosen]


def _screen(
    spec: Spec,
    arm: Arm,
    numbers: NDArray[np.int64],
    values: Mapping[str, float],
    *,
    threads: int | None,
    seed: int,
) -> tuple[Population, tuple[Array, Array, NDArray[np.int64]]]:
    """Draw patients, keep those who are eligible, and grow their tumours; labs are looked at last."""
    people = draw_population(numbers, handles=spec.handles, values=values, mixed=spec.mixed, seed=seed)
    kept = _fits_mix(people, spec.mix, seed=seed)
    for rules in (spec.eligibility, arm.eligibility):
        kept &= fits_traits(people, rules)
    people = take_people(people, kept)
    start = settle(people, threads=threads)
    fine = start[2] == 0
    wanted = [rules for rules in (spec.eligibility, arm.eligibility) if set(rules.ranges) & set(LABS)]
    if wanted and len(people.numbers):
        labs = find_labs(people, start, threads=threads)
        for rules in wanted:
            fine &= _within({name: labs[name] for name in LABS}, rules)
    return take_people(people, fine), _cut(start, fine)


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


def find_labs(
    people: Population, start: tuple[Array, Array, NDArray[np.int64]], *, threads: int | None = None
) -> dict[str, Array]:
    """Labs at screening, the day of the scan before treatment."""
    job = Job((), (float("-inf"),), until=_BEFORE)
    seen = run_population(job, people, start=start, threads=threads)
    states = read_model().patient.states
    return {name: (seen.state(name) if name in states else seen.output(name))[:, 0] for name in LABS}


def _fits_mix(people: Population, mix: Mapping[str, float], *, seed: int) -> Flags:
    """Enrol with a chance that brings the shares of traits to those wanted.

    The chance is the product over traits of (share wanted) / (share in the population) for what the patient
    is, divided by its largest possible value: traits are drawn independently of each other.
    """
    chance = np.ones(len(people.numbers))
    for name in ("male", "ecog1", "mvi", "ehs"):
        if name in mix:
            chance *= _weigh(
                [people.traits[name], ~people.traits[name]], [mix[name], 1.0 - mix[name]], [name]
            )
    chance *= _weigh_aetiology(people, mix)
    drawn = draw_uniform(people.numbers, Purpose.ARM, np.array([index_of("mix")]), seed=seed)[:, 0]
    return drawn < chance


def _weigh(groups: list[Flags], wanted: list[float], names: list[str]) -> Array:
    """Chance of each group; the population's shares are those of the named traits, then the rest."""
    own = [read_traits()[name].number for name in names]
    own = [*own, 1.0 - sum(own)]
    ratios = [want / have if have > 0 else 0.0 for want, have in zip(wanted, own, strict=True)]
    largest = max(ratios) or 1.0
    chance = np.zeros(len(groups[0]))
    for group, ratio in zip(groups, ratios, strict=True):
        chance[group] = ratio / largest
    return chance


def _weigh_aetiology(people: Population, mix: Mapping[str, float]) -> Array:
    """Chance by aetiology; the two shares that are not set keep their proportion."""
    names = [name for name in ("hbv", "hcv") if name in mix]
    if not names:
        return np.ones(len(people.numbers))
    shares = {name: read_traits()[name].number for name in ("hbv", "hcv")}
    shares["non_viral"] = 1.0 - sum(shares.values())
    rest = 1.0 - sum(mix[name] for name in names)
    others = sum(share for name, share in shares.items() if name not in names)
    wanted = [mix[name] if name in names else rest * shares[name] / others for name in AETIOLOGIES]
    groups = [people.aetiology == k for k in range(len(AETIOLOGIES))]
    return _weigh(groups, wanted, ["hbv", "hcv"])
