"""How well virtual patients fit what was seen of a patient: the likelihood of the twin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hccresist.overcome.population import Population
from hccresist.overcome.scans import SEEN_MM
from hccresist.overcome.twin_data import BEFORE, Case, Reading
from hccresist.overcome.twin_error import Error, find_error
from hccresist.overcome.twin_filter import Found, Kept, sample
from hccresist.overcome.twin_latent import Space
from hccresist.overcome.twin_run import SEEN, Standing, Track, run_tracks, start_standing

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

_TINY: Final = 1e-300
_PLACE: Final = {name: i for i, name in enumerate(SEEN)}


@dataclass(frozen=True)
class Fitter:
    """Weighs virtual patients against the data of cases.

    Attributes
    ----------
    cases
        The patients.
    space
        Latent numbers.
    threads, seed
        Threads of the engine; seed of the kinetics.
    """

    cases: Sequence[Case]
    space: Space
    threads: int | None
    seed: int

    def find_members(self, number: Numbers) -> Numbers:
        """Find the set of typical values of each row: it hangs on the number."""
        return number % len(self.space.values)

    def build(self, z: Array, number: Numbers, owner: Numbers) -> Population:
        """Make the virtual patients."""
        member = self.find_members(number)
        return self.space.build(z, self.cases, owner=owner, member=member, number=number)

    def find_chance(self, z: Array, number: Numbers) -> Array:
        """Logarithm of the chance to be found at a clinic; see `prevalence_weights`."""
        return self.space.find_chance(z, self.find_members(number))

    def track(self, c: int) -> Track:
        """Make what a patient got until the last data."""
        case = self.cases[c]
        days = sorted({*(each.day for each in case.readings), case.day})
        return Track(case.given.doses, case.given.procedures, -BEFORE, tuple(days))

    def weigh(self, z: Array, number: Numbers, owner: Numbers) -> tuple[Array, Kept]:
        """Weigh latent numbers; see `twin_filter.Weigh`."""
        member = self.find_members(number)
        people = self.build(z, number, owner)
        targets = np.array([case.baseline.targets for case in self.cases])[owner]
        targets = np.where(targets > 0, targets, people.lesions)
        seen, stands = run_tracks(
            people,
            start_standing(people, threads=self.threads),
            [self.track(c) for c in range(len(self.cases))],
            owner=owner,
            targets=targets,
            groups=member,
            factors=self.space.factors,
            threads=self.threads,
            seed=self.seed,
        )
        found, shift, variance = np.full(len(owner), -np.inf), np.zeros(len(owner)), np.zeros(len(owner))
        for c in np.unique(owner):
            rows = np.flatnonzero(owner == c)
            found[rows], shift[rows], variance[rows] = weigh_case(
                self.cases[c], self.track(int(c)), seen[rows]
            )
            found[rows] += self.space.weigh_traits(z[rows], self.cases[c].traits)
            found[rows] += self.space.weigh_handles(z[rows], self.cases[c].signs.log_odds)
        found[~stands.solved | np.isnan(found)] = -np.inf
        kept: Kept = {
            "state": stands.state,
            "lesions": stands.lesions,
            "amounts": stands.amounts,
            "solved": stands.solved,
            "shift": shift,
            "variance": variance,
            "targets": targets,
        }
        return found, kept


def weigh_case(case: Case, track: Track, seen: Array) -> tuple[Array, Array, float]:
    """Weigh virtual patients by what was seen of one patient.

    Parameters
    ----------
    case, track
        The patient; what was given, with the days of visits.
    seen
        What `twin_run` saw of the virtual patients; shape = (n, visits, SEEN).

    Returns
    -------
    tuple
        Logarithm of the likelihood; how far the logarithm of the patient's sum has drifted from each
        virtual patient's, and the variance of that on the last day.
    """
    place = {day: v for v, day in enumerate(track.days)}
    found, shift, variance = np.zeros(len(seen)), np.zeros(len(seen)), 0.0
    for quantity in dict.fromkeys(each.quantity for each in case.readings):
        own = [each for each in case.readings if each.quantity == quantity]
        values = seen[:, [place[each.day] for each in own], _PLACE[quantity]]
        days, residuals = find_residuals(quantity, own, values)
        if not days.size:
            continue
        error = find_case_error(case, quantity)
        found += error.weigh(days, residuals)
        if quantity == "whole":
            shift, variance = error.carry_on(days, residuals)
            variance += error.pace * (case.day - days[-1])
    found -= seen[:, place[case.day], _PLACE["death"]]
    if case.new_lesions is not None and case.day > 0:
        hazard = seen[:, place[case.day], _PLACE["new"]]
        none = case.new_lesions == 0
        found += -hazard if none else np.log(np.maximum(-np.expm1(-hazard), _TINY))
    return found, shift, variance


def find_case_error(case: Case, quantity: str) -> Error:
    """Find the error of a quantity of a patient."""
    return find_error(quantity, sizes=case.baseline.diameters[: case.baseline.targets])


def find_residuals(quantity: str, readings: Sequence[Reading], values: Array) -> tuple[Array, Array]:
    """Find what readings differ by from the model, and their days.

    Sums and NLR by the logarithm; AFP by the logarithm of the ratio to the first; ALBI by the change since
    the first. Sums below 5 mm count as 5 mm.
    """
    days = np.array([each.day for each in readings])
    read = np.array([each.value for each in readings])
    if quantity == "albi":
        return days[1:], (read - read[0] - (values - values[:, :1]))[:, 1:]
    least = SEEN_MM if quantity in {"whole", "viable"} else _TINY
    gap = np.log(np.maximum(read, least)) - np.log(np.maximum(values, least))
    if quantity == "afp":
        return days[1:], (gap - gap[:, :1])[:, 1:]
    return days, gap


def fit_cases(fitter: Fitter, *, particles: int, tell: Callable[[], None] | None = None, seed: int) -> Found:
    """Find virtual patients that fit each case."""
    return sample(
        [case.patient_id for case in fitter.cases],
        fitter.weigh,
        size=fitter.space.size,
        particles=particles,
        chance=fitter.find_chance,
        tell=tell,
        seed=seed,
    )


def follow_on(
    fitter: Fitter,
    z: Array,
    number: Numbers,
    *,
    owner: Numbers,
    standing: Standing,
    tracks: Sequence[Track],
    kept: Kept,
    factors: Sequence[Mapping[str, float]],
    draws: Array,
) -> Array:
    """Run virtual patients on from where they stand.

    Parameters
    ----------
    tracks
        What each patient gets from the last data on.
    factors
        Parameters of each patient's virtual patients that are multiplied.
    draws
        Standard exponential deviates that new lesions come by; shape = (n, SLOTS).

    Returns
    -------
    ndarray
        What was seen; shape = (n, visits, SEEN).
    """
    from hccresist.overcome.twin_run import arm_thresholds  # noqa: PLC0415

    people = fitter.build(z, number, owner)
    people = replace(people, params=_multiply(people.params, owner, factors))
    people = replace(people, thresholds=arm_thresholds(standing, people.lesions, draws))
    seen, _ = run_tracks(
        people,
        standing,
        tracks,
        owner=owner,
        targets=kept["targets"],
        groups=fitter.find_members(number),
        factors=fitter.space.factors,
        threads=fitter.threads,
        seed=fitter.seed,
    )
    return seen


def _multiply(params: Array, owner: Numbers, factors: Sequence[Mapping[str, float]]) -> Array:
    """Parameters with factors on them."""
    from hccresist.overcome.model.parameters import read_model  # noqa: PLC0415
    from hccresist.overcome.twin_latent import find_columns  # noqa: PLC0415

    patient, made = read_model().names("patient"), params.copy()
    for c, own in enumerate(factors):
        rows = np.flatnonzero(owner == c)
        for name, factor in own.items():
            columns = np.array([patient.index(name)]) if name in patient else find_columns(name)
            made[np.ix_(rows, columns)] *= factor
    return made
