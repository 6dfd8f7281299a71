"""Run all trials of a calibration with many sets of parameters: in chunks, on processes, kept on disk."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.outcomes.survival import MONTH
from hccresist.overcome.calibrate_data import Target, cut_spec, to_scale
from hccresist.overcome.engine import count_threads
from hccresist.overcome.trial_members import Pool, find_line, make_pool, run_members

Array = NDArray[np.float64]

CHUNK: Final = 8
"""Sets of parameters that are run together."""
POOL_EACH: Final = 15
"""Patients of a pool for each patient of an arm."""
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Work:
    """What every set of parameters is put through.

    Attributes
    ----------
    targets
        What is measured.
    patients
        Patients an arm; as published where none is given.
    pool
        Patients of a pool; `POOL_EACH` times `patients` where none is given.
    seed
        Seed of the patients.
    """

    targets: tuple[Target, ...]
    patients: int
    pool: int | None = None
    seed: int = 0

    @property
    def trials(self) -> tuple[str, ...]:
        """Trials that the targets are of."""
        return tuple(dict.fromkeys(target.trial for target in self.targets))


def run_chunk(work: Work, members: Sequence[Mapping[str, float]], replicates: Sequence[int]) -> pl.DataFrame:
    """Run all trials with some sets of parameters.

    Parameters
    ----------
    replicates
        Number of the pool of each set: sets with the same number run on the same patients.

    Returns
    -------
    DataFrame
        Columns trial and those of `trial_members.COLUMNS`.
    """
    pools = [
        make_pool(
            values,
            find_lines(work.trials, work.patients),
            size=work.pool or POOL_EACH * work.patients,
            replicate=replicate,
            threads=1,
            seed=work.seed,
        )
        for values, replicate in zip(members, replicates, strict=True)
    ]
    return pl.concat(_run_trials(work, pools))


def _run_trials(work: Work, pools: Sequence[Pool]) -> Iterator[pl.DataFrame]:
    for trial in work.trials:
        wanted = [target.wanted for target in work.targets if target.trial == trial]
        spec = cut_spec(trial, patients=work.patients)
        rows = run_members(spec, pools, wanted, threads=1)
        yield rows.select(pl.lit(trial).alias("trial"), pl.all())


@lru_cache(maxsize=4)
def find_lines(trials: tuple[str, ...], patients: int) -> tuple[tuple[tuple[str, ...], float], ...]:
    """Earlier lines that the arms of trials ask for."""
    arms = [arm for trial in trials for arm in cut_spec(trial, patients=patients).arms]
    return tuple(dict.fromkeys([((), 0.0), *(find_line(arm) for arm in arms)]))


def run_all(
    work: Work,
    members: Sequence[Mapping[str, float]],
    folder: Path,
    *,
    replicates: Sequence[int] | None = None,
    until: Callable[[], bool] | None = None,
    threads: int | None = None,
    report: Report | None = None,
) -> pl.DataFrame | None:
    """Run all sets of parameters; chunks that are in the folder are not run again.

    Parameters
    ----------
    replicates
        See `run_chunk`; all on the same patients where not given.
    until
        Asked before each new chunk whether time is over.
    report
        Told how many sets are done, and of how many.

    Returns
    -------
    DataFrame or None
        Rows of all sets, column ``member`` counted over all; None where time was over before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pools = list(replicates) if replicates is not None else [0] * len(members)
    starts = list(range(0, len(members), CHUNK))
    left = [first for first in starts if not _file(folder, first).exists()]
    done = len(members) - sum(min(CHUNK, len(members) - first) for first in left)
    if report:
        report(done, len(members))
    for first, rows in _spread(work, members, pools, left, until=until, threads=threads):
        half = _file(folder, first).with_suffix(".half")
        rows.with_columns(member=pl.col("member") + first).write_parquet(half)
        half.replace(_file(folder, first))
        done += min(CHUNK, len(members) - first)
        if report:
            report(done, len(members))
    if done < len(members):
        return None
    return pl.concat(pl.read_parquet(_file(folder, first)) for first in starts)


def _file(folder: Path, first: int) -> Path:
    return folder / f"{first:05d}.parquet"


def _spread(
    work: Work,
    members: Sequence[Mapping[str, float]],
    pools: Sequence[int],
    left: Sequence[int],
    *,
    until: Callable[[], bool] | None,
    threads: int | None,
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Run chunks on processes; those begun when time is over are finished."""
    waiting: dict[Future[pl.DataFrame], int] = {}
    queue = list(reversed(left))
    workers = min(count_threads(threads), max(len(left), 1))
    if not left:
        return
    before = os.environ.get("POLARS_MAX_THREADS")
    os.environ["POLARS_MAX_THREADS"] = "1"
    try:
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            while queue or waiting:
                while queue and len(waiting) < workers and not (until and until()):
                    first = queue.pop()
                    own = slice(first, first + CHUNK)
                    waiting[pool.submit(run_chunk, work, members[own], pools[own])] = first
                if not waiting:
                    return
                finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield waiting.pop(future), future.result()
    finally:
        if before is None:
            os.environ.pop("POLARS_MAX_THREADS", None)
        else:
            os.environ["POLARS_MAX_THREADS"] = before


def make_outputs(work: Work, rows: pl.DataFrame, members: int) -> Array:
    """Bring rows to the scale of the fit; shape = (members, targets).

    A median that is not reached stands as the trial's longest follow-up. What could not be measured is not a
    number.
    """
    found = np.full((members, len(work.targets)), np.nan)
    values = {
        (row["member"], (row["arm_id"], row["comparator_arm"], row["endpoint"], row["criterion"])): row
        for row in rows.iter_rows(named=True)
    }
    for j, target in enumerate(work.targets):
        longest = cut_spec(target.trial, patients=work.patients).follow_up.longest / MONTH
        for k in range(members):
            row = values.get((k, target.wanted))
            if row is not None and row["n"] and not np.isnan(row["value"]):
                value = longest if np.isinf(row["value"]) else row["value"]
                found[k, j] = to_scale(target.wanted[2], np.array([value]), n=row["n"])[0]
    return found
