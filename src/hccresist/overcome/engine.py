"""The ensemble engine: chunks of virtual patients, on the threads of this machine or elsewhere.

A chunk is a job and a range of patient numbers; its result depends on nothing else, so chunks can be run in
any order, anywhere, and again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hccresist.errors import ConfigError
from hccresist.overcome.dosing import split_values
from hccresist.overcome.model.arrays import Patients, Plan, Seen, make_room
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.model.patients import make_effects
from hccresist.overcome.plan import Given, Procedure, make_plan
from hccresist.overcome.population import (
    SETTLE_TOLERANCES,
    SLOTS,
    Population,
    draw_population,
)
from hccresist.overcome.rng import Purpose, draw_uniform, index_of

Array = NDArray[np.float64]

CHUNK: Final = 2_000
"""Patients of a chunk."""
_PIECE: Final = 25
"""Patients that a thread takes at a time."""
_BASELINE: Final = np.array([index_of("baseline")])
"""Place of the day of a patient's baseline among the numbers for visits."""


@dataclass(frozen=True)
class Job:
    """What is simulated: everything that a chunk needs beside its range of patients.

    Attributes
    ----------
    given
        Drugs.
    visits
        Days on which results are kept, increasing; negative ones come before treatment. A day ``-inf``
        stands for each patient's earlier scan.
    until
        Last day that is followed.
    procedures
        Procedures on lesions.
    handles, values, mixed
        See `population.draw_population`; a value whose name has a dot is a factor on a drug's effect (see
        `dosing.split_values`).
    mode
        ``fast`` or ``exact``.
    seed
        Seed.
    baseline_days
        The baseline is within so many days before day zero, drawn evenly for each patient: this is the visit
        of day zero. With none it is on day zero.
    """

    given: tuple[Given, ...]
    visits: tuple[float, ...]
    until: float
    procedures: tuple[Procedure, ...] = ()
    handles: Mapping[str, float] = field(default_factory=dict[str, float])
    values: Mapping[str, float] = field(default_factory=dict[str, float])
    mixed: bool = False
    mode: str = "fast"
    seed: int = 0
    baseline_days: float = 0.0


@dataclass(frozen=True)
class Result:
    """What came of a set of patients; arrays have a row a patient.

    Attributes
    ----------
    population
        The patients before treatment.
    days
        Days on which results were kept; shape = (n, n_visits).
    shown, path
        Outputs and states on these days, not a number where a patient was not followed to; see
        `model.ensemble.Seen`.
    amounts
        Drug amounts (mg) on these days; shape = (n, n_visits, n_drugs, 3).
    lesions
        Lesions on these days.
    events
        Days of death, of dropout, and on which each slot's lesion came.
    ended
        Last day followed.
    status
        `model.integrate.Status` or `model.ensemble.FULL`.
    growth
        Growth rates of lesion volumes before treatment (1/day); shape = (n, SLOTS).
    """

    population: Population
    days: Array
    shown: Array
    path: Array
    amounts: Array
    lesions: NDArray[np.int64]
    events: Array
    ended: Array
    status: NDArray[np.int64]
    growth: Array

    def output(self, name: str, *, slot: int | None = None) -> Array:
        """One output on all days, of one slot (from 0) if it is of lesions; shape = (n, n_visits)."""
        model = read_model()
        if slot is None:
            return self.shown[:, :, model.outputs("patient").index(name)]
        names = model.outputs("lesion")
        return self.shown[:, :, len(model.outputs("patient")) + slot * len(names) + names.index(name)]

    def state(self, name: str, *, slot: int | None = None) -> Array:
        """One state on all days, as `output`."""
        model = read_model()
        if slot is None:
            return self.path[:, :, model.patient.states.index(name)]
        size = len(model.lesion.states)
        at = len(model.patient.states) + slot * size + model.lesion.states.index(name)
        return self.path[:, :, at]


@dataclass(frozen=True)
class Checkpoint:
    """Where patients stand on a day from which they are run on.

    Attributes
    ----------
    day
        That day, of each patient; not before day zero. Shape = (n,).
    state, lesions
        States, hazards so far among them, and slots in use on it, before its doses and procedures.
    amounts
        Drug amounts (mg); shape = (n, n_drugs, 3), drugs as in the job that goes on.
    """

    day: Array
    state: Array
    lesions: NDArray[np.int64]
    amounts: Array

    def take(self, chosen: NDArray[np.int64], drugs: NDArray[np.bool_]) -> Checkpoint:
        """Take some patients, and some of the drugs."""
        amounts = np.ascontiguousarray(self.amounts[chosen][:, drugs])
        return Checkpoint(self.day[chosen], self.state[chosen], self.lesions[chosen], amounts)


def count_threads(threads: int | None = None) -> int:
    """Threads to run on: those asked for, or as many as this process may use."""
    if threads:
        return max(1, threads)
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _share_out(count: int, threads: int, work: Callable[[int, int, int], None]) -> None:
    """Run ``work(first, last, thread)`` over ranges of patients, on so many threads."""
    starts = iter(range(0, count, _PIECE))

    def take(thread: int) -> None:
        for first in starts:
            work(first, min(first + _PIECE, count), thread)

    if threads == 1:
        take(0)
        return
    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(take, thread) for thread in range(threads)]:
            future.result()


def settle(
    population: Population, *, growing: bool = False, threads: int | None = None
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Find the untreated states at the scan before treatment.

    Parameters
    ----------
    growing
        Only patients whose lesions all grow are wanted: of the others, whose growth rate is negative, the
        state is not found to the end.

    Returns
    -------
    tuple
        States, shape = (n, n_states); growth rates of the volumes (1/day), shape = (n, SLOTS); status of
        each patient.
    """
    from hccresist.overcome.model import kernel_generated as kernel  # noqa: PLC0415  (loads Numba)
    from hccresist.overcome.model.integrate import WORK  # noqa: PLC0415
    from hccresist.overcome.model.settle import settle_range  # noqa: PLC0415
    from hccresist.overcome.pk import PHASES, TERMS  # noqa: PLC0415

    count, workers = len(population.numbers), count_threads(threads)
    states = kernel.PATIENT_SIZE + SLOTS * kernel.LESION_SIZE
    shown = kernel.PATIENT_SHOWN + SLOTS * kernel.LESION_SHOWN
    state, growth = np.zeros((count, states)), np.zeros((count, SLOTS))
    status = np.zeros(count, dtype=np.int64)
    effects = make_effects(0.0)
    rooms = [(np.zeros((WORK, states)), np.zeros(shown), effects.copy()) for _ in range(workers)]
    none = (
        np.zeros((0, TERMS, 2)),
        np.zeros((0, PHASES.moments.size)),
        np.zeros((0, len(kernel.EXPOSURES))),
    )
    given = (
        population.params,
        population.diameters,
        population.lesions,
        population.clones,
        population.before,
    )

    def work(first: int, last: int, thread: int) -> None:
        found = (growth, state, status)
        settle_range(*given, SETTLE_TOLERANCES, growing, *found, first, last, rooms[thread], none)

    _share_out(count, workers, work)
    return state, growth, status


def make_seen(count: int, *, visits: int, drugs: int) -> Seen:
    """Make the arrays that a run writes into; not a number where nothing was written."""
    from hccresist.overcome.model import kernel_generated as kernel  # noqa: PLC0415  (loads Numba)

    states = kernel.PATIENT_SIZE + SLOTS * kernel.LESION_SIZE
    shown = kernel.PATIENT_SHOWN + SLOTS * kernel.LESION_SHOWN
    return Seen(
        shown=np.full((count, visits, shown), np.nan),
        path=np.full((count, visits, states), np.nan),
        amounts=np.full((count, visits, drugs, 3), np.nan),
        lesions=np.zeros((count, visits), dtype=np.int64),
        events=np.full((count, 2 + SLOTS), np.nan),
        ended=np.full(count, np.nan),
        status=np.zeros(count, dtype=np.int64),
    )


def run_plan(plan: Plan, patients: Patients, *, threads: int | None = None) -> Seen:
    """Run patients on a plan, on the threads of this machine."""
    from hccresist.overcome.model.ensemble import run_range  # noqa: PLC0415  (loads Numba)

    count, workers = len(patients.begin), count_threads(threads)
    seen = make_seen(count, visits=plan.visits.shape[1], drugs=plan.weights.shape[0])
    longest = float(np.max(plan.every_days * plan.inflow, initial=0.0))
    room = make_room(
        workers,
        states=patients.state.shape[1],
        drugs=plan.weights.shape[0],
        effects=make_effects(longest),
    )
    _share_out(
        count,
        workers,
        lambda first, last, thread: run_range(plan, patients, first, last, seen, room, thread),
    )
    return seen


def run_chunk(job: Job, first: int, last: int, *, threads: int | None = None) -> Result:
    """Run the patients numbered from `first` to before `last`."""
    population = draw_population(
        np.arange(first, last),
        handles=job.handles,
        values=split_values(job.values)[0],
        mixed=job.mixed,
        seed=job.seed,
    )
    return run_population(job, population, threads=threads)


def run_population(
    job: Job,
    population: Population,
    *,
    start: tuple[Array, Array, NDArray[np.int64]] | None = None,
    onward: Checkpoint | None = None,
    threads: int | None = None,
    run: Callable[[Plan, Patients], Seen] | None = None,
) -> Result:
    """Run given patients.

    Parameters
    ----------
    start
        What `settle` gave for them, where it is at hand.
    onward
        Where they stand, if they are run on from a later day: nothing is kept of the days before it.
    run
        What runs a plan: by default the threads of this machine.
    """
    state, growth, settled = start or settle(population, threads=threads)
    days = find_days(job, population)
    count = len(population.numbers)
    plan = make_plan(
        job.given,
        patients=population.numbers,
        weight_kg=population.weight_kg,
        visits=days,
        until=job.until,
        procedures=job.procedures,
        factors=split_values(job.values)[1],
        mode=job.mode,
        seed=job.seed,
    )
    here = onward or Checkpoint(
        -population.before, state, population.lesions, np.zeros((count, len(job.given), 3))
    )
    patients = Patients(
        params=population.params,
        state=here.state,
        amounts=here.amounts,
        lesions=here.lesions,
        baseline=population.lesions,
        begin=here.day,
        end=np.full(count, job.until),
        thresholds=population.thresholds,
    )
    seen = run(plan, patients) if run else run_plan(plan, patients, threads=threads)
    return Result(
        population=population,
        days=days,
        shown=seen.shown,
        path=seen.path,
        amounts=seen.amounts,
        lesions=seen.lesions,
        events=seen.events,
        ended=seen.ended,
        status=np.where(settled != 0, settled, seen.status),
        growth=growth,
    )


def find_days(job: Job, population: Population) -> Array:
    """Days on which results are kept; shape = (n, n_visits).

    ``-inf`` becomes each patient's earlier scan, and day zero the whole day of each patient's baseline. The
    earlier scan counts from day zero too, so that it may lie close to a baseline of four weeks before.
    """
    wanted = np.asarray(job.visits, dtype=np.float64)
    if not wanted.size or np.any(np.diff(wanted) <= 0):
        message = "the days on which results are kept must increase, and there must be one"
        raise ConfigError(message)
    days = np.tile(wanted, (len(population.numbers), 1))
    if np.isneginf(wanted[0]):
        days[:, 0] = -population.before
    if job.baseline_days and 0.0 in job.visits:
        drawn = draw_uniform(population.numbers, Purpose.VISIT, _BASELINE, seed=job.seed)[:, 0]
        days[:, job.visits.index(0.0)] = 0.0 - np.floor(job.baseline_days * drawn)
    return days


def iterate_chunks(count: int, *, first: int = 0, size: int = CHUNK) -> Iterator[tuple[int, int]]:
    """Ranges of patient numbers, one a chunk."""
    for start in range(first, first + count, size):
        yield start, min(start + size, first + count)
