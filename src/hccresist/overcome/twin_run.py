"""Runs of virtual patients, each on the course of its own patient, from the start or from where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hccresist.overcome.engine import Result, run_plan
from hccresist.overcome.model.arrays import Patients
from hccresist.overcome.plan import Given, Procedure, make_plan
from hccresist.overcome.population import SLOTS, Population
from hccresist.overcome.scans import GONE_MM, NOT_ENHANCING_MM, SEEN_MM
from hccresist.overcome.trial_people import grow, take_people
from hccresist.overcome.twin_treatments import MOST_SPANS, Dose

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

CHUNK: Final = 1_500
"""Virtual patients of a run."""
MOST_DRUGS: Final = MOST_SPANS + 4
"""Spans of drugs of a track: those so far and those of a course."""
SEEN: Final = ("whole", "viable", "afp", "nlr", "albi", "death", "new")
"""What is kept on a visit: sums of the targets (mm), markers, cumulative hazards of death and new lesions."""


@dataclass(frozen=True)
class Track:
    """What a patient gets, and when it is looked at.

    Attributes
    ----------
    doses, procedures
        See `twin_treatments.Given`.
    begin, days
        First day, and days of visits, increasing; the last is the end.
    """

    doses: tuple[Dose, ...]
    procedures: tuple[tuple[str, float, str], ...]
    begin: float
    days: tuple[float, ...]

    @property
    def key(self) -> tuple[object, ...]:
        """Equal where virtual patients can run together."""
        return tuple(each.drug for each in self.doses), tuple((kind, at) for kind, _, at in self.procedures)


@dataclass(frozen=True)
class Standing:
    """Where virtual patients stand: states, lesions, drug amounts, whether they could be solved."""

    state: Array
    lesions: Numbers
    amounts: Array
    solved: NDArray[np.bool_]

    def take(self, rows: NDArray[Any]) -> Standing:
        """Take some rows."""
        return Standing(self.state[rows], self.lesions[rows], self.amounts[rows], self.solved[rows])


def start_standing(people: Population, *, threads: int | None = None) -> Standing:
    """Find the untreated start of virtual patients; those whose tumours would shrink count as not solved."""
    start, fine = grow(people, threads=threads)
    return Standing(start[0], people.lesions, np.zeros((len(fine), MOST_DRUGS, 3)), fine)


def run_tracks(
    people: Population,
    standing: Standing,
    tracks: Sequence[Track],
    *,
    owner: Numbers,
    targets: Numbers,
    groups: Numbers,
    factors: Sequence[Mapping[str, float]],
    threads: int | None = None,
    seed: int,
) -> tuple[Array, Standing]:
    """Run virtual patients, each on the track of its patient.

    Parameters
    ----------
    people, standing
        Virtual patients and where they stand.
    tracks
        Track of each patient.
    owner, targets
        Patient of each virtual patient; lesions that its sums are of.
    groups, factors
        Set of factors on drug effects of each virtual patient; the sets.

    Returns
    -------
    tuple
        What was seen, shape = (n, visits, SEEN), not a number beyond a track's end; where they stand then.
    """
    most = max(len(track.days) for track in tracks)
    seen = np.full((len(owner), most, len(SEEN)), np.nan)
    end = Standing(
        np.zeros_like(standing.state),
        np.zeros_like(standing.lesions),
        np.zeros_like(standing.amounts),
        np.zeros_like(standing.solved),
    )
    keys = [track.key for track in tracks]
    place = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    kind = np.array([place[key] for key in keys])[owner] * len(factors) + groups
    for each in np.unique(kind):
        rows = np.flatnonzero(kind == each)
        for first in range(0, rows.size, CHUNK):
            some = rows[first : first + CHUNK]
            looked, stands = _run_alike(
                take_people(people, some),
                standing.take(some),
                [tracks[c] for c in owner[some]],
                targets=targets[some],
                factors=factors[int(groups[some[0]])],
                threads=threads,
                seed=seed,
            )
            seen[some, : looked.shape[1]] = looked
            for name in ("state", "lesions", "amounts", "solved"):
                getattr(end, name)[some] = getattr(stands, name)
    return seen, end


def _run_alike(
    people: Population,
    standing: Standing,
    tracks: Sequence[Track],
    *,
    targets: Numbers,
    factors: Mapping[str, float],
    threads: int | None,
    seed: int,
) -> tuple[Array, Standing]:
    """Run virtual patients whose tracks have the same drugs and procedures."""
    count = len(tracks)
    last = np.array([track.days[-1] for track in tracks])
    visits, at = _find_visits(tracks)
    given, procedures = _give(tracks)
    start = min((float(np.min(each.start)) for each in given), default=0.0)
    plan = make_plan(
        given,
        patients=people.numbers,
        weight_kg=people.weight_kg,
        visits=visits,
        until=float(last.max()) - min(start, 0.0),
        procedures=procedures,
        factors=factors,
        seed=seed,
    )
    patients = Patients(
        params=people.params,
        state=standing.state,
        amounts=np.ascontiguousarray(standing.amounts[:, : len(given)]),
        lesions=standing.lesions,
        baseline=people.lesions,
        begin=np.array([track.begin for track in tracks]),
        end=last,
        thresholds=people.thresholds,
    )
    run = run_plan(plan, patients, threads=threads)
    result = Result(
        people,
        visits,
        run.shown,
        run.path,
        run.amounts,
        run.lesions,
        run.events,
        run.ended,
        run.status,
        run.ended,
    )
    rows = np.arange(count)
    amounts = np.zeros((count, MOST_DRUGS, 3))
    amounts[:, : len(given)] = np.nan_to_num(run.amounts[rows, at])
    reached = np.isfinite(run.path[rows, at, 0])
    ends = Standing(
        np.nan_to_num(run.path[rows, at]),
        run.lesions[rows, at],
        amounts,
        standing.solved & _is_solved(run.status) & reached,
    )
    looked = _look(result, targets)
    looked[np.arange(visits.shape[1]) > at[:, None]] = np.nan
    return looked, ends


def _give(tracks: Sequence[Track]) -> tuple[tuple[Given, ...], tuple[Procedure, ...]]:
    """Give tracks with the same drugs and procedures these, each on its own days."""
    given = tuple(
        Given(
            dose.drug,
            np.array([track.doses[d].start for track in tracks]),
            np.array([track.doses[d].until for track in tracks]),
        )
        for d, dose in enumerate(tracks[0].doses)
    )
    procedures = tuple(
        Procedure(kind, np.array([track.procedures[p][1] for track in tracks]), place)
        for p, (kind, _, place) in enumerate(tracks[0].procedures)
    )
    return given, procedures


def _is_solved(status: Numbers) -> NDArray[np.bool_]:
    """Whether equations were solved to the end."""
    from hccresist.overcome.model.ensemble import FULL  # noqa: PLC0415  (loads Numba)

    return (status == 0) | (status == FULL)


def _find_visits(tracks: Sequence[Track]) -> tuple[Array, Numbers]:
    """Days of visits, rows filled up with days that are never reached; index of the last."""
    most = max(len(track.days) for track in tracks)
    found = np.empty((len(tracks), most))
    for row, track in zip(found, tracks, strict=True):
        row[: len(track.days)] = track.days
        row[len(track.days) :] = track.days[-1] + 1.0 + np.arange(most - len(track.days))
    return found, np.array([len(track.days) - 1 for track in tracks])


def _look(result: Result, targets: Numbers) -> Array:
    """Find what is kept of each visit."""
    shape = result.days.shape
    whole, viable = np.zeros(shape), np.zeros(shape)
    for slot in range(SLOTS):
        own = (slot < targets)[:, None]
        size = np.nan_to_num(result.output("whole_mm", slot=slot))
        size = np.where(size < GONE_MM, 0.0, np.maximum(size, SEEN_MM))
        living = np.nan_to_num(result.output("viable_mm", slot=slot))
        living = np.where((living < NOT_ENHANCING_MM) | (size == 0), 0.0, np.minimum(living, size))
        whole += np.where(own, size, 0.0)
        viable += np.where(own, living, 0.0)
    patient = [result.state("afp"), result.output("nlr"), result.output("albi")]
    hazards = [result.state("hazard_death"), result.state("hazard_new")]
    return np.stack([whole, viable, *patient, *hazards], axis=2)


def open_lesions(people: Population, standing: Standing, count: Numbers) -> Standing:
    """Put new lesions into each virtual patient as the model has them come, as far as there is room."""
    from hccresist.overcome.model.ensemble import open_lesion  # noqa: PLC0415  (loads Numba)

    state, lesions = standing.state.copy(), standing.lesions.copy()
    for row in np.flatnonzero(count > 0):
        for _ in range(int(min(count[row], SLOTS - lesions[row]))):
            open_lesion(state[row], people.params[row], lesions[row])
            lesions[row] += 1
    return Standing(state, lesions, standing.amounts, standing.solved)


def arm_thresholds(standing: Standing, baseline: Numbers, draws: Array) -> Array:
    """Thresholds from here on: nobody dies or drops out, new lesions come at drawn steps of their hazard.

    Parameters
    ----------
    baseline
        Lesions at day zero.
    draws
        Standard exponential deviates; shape = (n, SLOTS).
    """
    from hccresist.overcome.model.parameters import read_model  # noqa: PLC0415

    hazard = standing.state[:, read_model().patient.states.index("hazard_new")]
    found = np.full((len(hazard), 2 + SLOTS), np.inf)
    steps = np.cumsum(draws, axis=1)
    for row, begun in enumerate(standing.lesions - baseline):
        left = SLOTS - int(begun)
        found[row, 2 + int(begun) :] = hazard[row] + steps[row, :left]
    return found
