"""Simulate a cohort into a study folder: chunks to disk, an interrupted run goes on where it stopped.

While a run is not finished, its folder holds ``.parts`` with a file for each finished chunk and table. The
end puts them together, one table after another, without holding a table in memory.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from hccresist.errors import ComputationError, ConfigError
from hccresist.overcome.engine import CHUNK, Job, Result, iterate_chunks
from hccresist.overcome.engines import Runner, find_engine
from hccresist.overcome.scans import make_tables, make_trajectories
from hccresist.study.study import StudyConfig
from hccresist.study.write import write_config

PARTS: Final = ".parts"
BESIDE: Final = "simulation"
"""Folder for what no clinic has: trajectories, figures, what was simulated."""
CSV_MOST: Final = 5_000
"""Patients up to which tables are written as CSV; more are written as Parquet."""
Report = Callable[[int, int], None]
"""Told how many patients are done, and of how many."""


@dataclass(frozen=True)
class Cohort:
    """A cohort to simulate.

    Attributes
    ----------
    job
        What happens to the patients.
    count, first
        Patients, and the number of the first.
    scans
        Days of ``job.visits`` that are scans.
    arm
        Name of the arm.
    error
        Whether diameters are read with measurement error.
    trajectories
        Patients whose trajectories are written.
    chunk
        Patients of a chunk.
    """

    job: Job
    count: int
    scans: tuple[float, ...]
    arm: str = ""
    error: bool = True
    trajectories: int = 20
    first: int = 0
    chunk: int = CHUNK


@dataclass(frozen=True)
class Simulated:
    """What a finished simulation left behind.

    Attributes
    ----------
    folder
        The study folder.
    files
        Its files.
    count, unsolved, full
        Patients; those whose equations could not be solved; those who had more new lesions than there are
        slots.
    resumed
        Patients that an earlier, interrupted run had done.
    """

    folder: Path
    files: tuple[Path, ...]
    count: int
    unsolved: int
    full: int
    resumed: int


def simulate(
    cohort: Cohort,
    out: Path,
    *,
    run: Runner | None = None,
    report: Report | None = None,
) -> Simulated:
    """Simulate a cohort into a study folder.

    Parameters
    ----------
    cohort
        What is simulated.
    out
        Folder; it must not exist, be empty, or hold an interrupted run of the same cohort.
    run
        What runs ranges of patients and gives their results in any order; by default this machine, one
        after another.
    report
        Told of progress after each chunk.

    Raises
    ------
    ConfigError
        Where the folder holds something else, or an interrupted run of another cohort.
    ComputationError
        Where the disk is full; what was finished stays, and the same command goes on.
    """
    parts = _prepare(cohort, out)
    ranges = list(iterate_chunks(cohort.count, first=cohort.first, size=cohort.chunk))
    left = [(first, last) for first, last in ranges if not (parts / f"{first:010d}.done").exists()]
    done = cohort.count - sum(last - first for first, last in left)
    resumed = done
    if report:
        report(done, cohort.count)
    try:
        for first, last, result in (run or find_engine("cpu", cohort.job))(left):
            _write_part(cohort, result, parts, first)
            done += last - first
            if report:
                report(done, cohort.count)
        files = _finish(cohort, out, parts, ranges)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        message = (
            f"the disk is full: {done} of {cohort.count} patients are done and kept in {parts}. "
            "Make room and give the same command again: it goes on from there"
        )
        raise ComputationError(message) from error
    counts = [json.loads((parts / f"{first:010d}.done").read_text()) for first, _ in ranges]
    shutil.rmtree(parts)
    return Simulated(
        out,
        tuple(files),
        cohort.count,
        sum(each["unsolved"] for each in counts),
        sum(each["full"] for each in counts),
        resumed,
    )


def describe(cohort: Cohort) -> str:
    """Write a cohort as text: equal where results are."""
    return json.dumps(asdict(cohort), sort_keys=True, default=_plain, indent=1)


def _plain(value: object) -> object:
    """Arrays as lists."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    message = f"cannot write {type(value).__name__}"
    raise TypeError(message)


def _prepare(cohort: Cohort, out: Path) -> Path:
    """Make the folder, or find the interrupted run in it."""
    parts = out / PARTS
    if out.exists() and not out.is_dir():
        message = f"{out} is a file. Give a new folder with --out"
        raise ConfigError(message)
    job = parts / "job.json"
    if job.exists():
        if job.read_text(encoding="utf-8") != describe(cohort):
            message = (
                f"{out} holds an interrupted simulation with other options: give those, or another folder"
            )
            raise ConfigError(message)
        return parts
    if out.exists() and any(out.iterdir()):
        message = f"{out} is not empty. Give a new folder with --out"
        raise ConfigError(message)
    parts.mkdir(parents=True, exist_ok=True)
    _write_text(job, describe(cohort))
    return parts


def _write_text(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    half = file.with_suffix(".half")
    half.write_text(text, encoding="utf-8")
    half.replace(file)


def _write_part(cohort: Cohort, result: Result, parts: Path, first: int) -> None:
    """Write the tables of one chunk, and last that it is done."""
    from hccresist.overcome.model.ensemble import FULL  # noqa: PLC0415  (loads Numba)

    tables = make_tables(result, cohort.job, scans=cohort.scans, arm=cohort.arm, error=cohort.error)
    wanted = min(cohort.trajectories - (first - cohort.first), len(result.ended))
    if wanted > 0:
        tables["trajectories"] = make_trajectories(take_patients(result, wanted))
    for name, table in tables.items():
        table.write_parquet(parts / f"{first:010d}.{name}.parquet")
    full = int((result.status == FULL).sum())
    unsolved = int((result.status != 0).sum()) - full
    _write_text(parts / f"{first:010d}.done", json.dumps({"unsolved": unsolved, "full": full}))


def take_patients(result: Result, count: int) -> Result:
    """Take the first patients of a result."""
    people = result.population
    return replace(
        result,
        population=replace(people, numbers=people.numbers[:count]),
        days=result.days[:count],
        shown=result.shown[:count],
        path=result.path[:count],
    )


def _finish(cohort: Cohort, out: Path, parts: Path, ranges: Sequence[tuple[int, int]]) -> list[Path]:
    """Put the chunks of each table together, and write ``study.toml`` and ``simulation.json``."""
    beside = out / BESIDE
    beside.mkdir(exist_ok=True)
    files = [out / "study.toml", beside / "simulation.json"]
    config = StudyConfig(
        name=cohort.arm or "simulated",
        title="Simulated patients: research only, no prediction for anybody",
        planned_visit_days=tuple(day for day in cohort.scans if day > 0),
        simulated=True,
    )
    write_config(config, files[0])
    _write_text(files[1], describe(cohort))
    names = sorted({path.name.split(".")[1] for path in parts.glob("*.parquet")})
    for name in names:
        pieces = [parts / f"{first:010d}.{name}.parquet" for first, _ in ranges]
        rows = pl.scan_parquet([piece for piece in pieces if piece.exists()])
        if name == "trajectories":
            files.append(beside / "trajectories.parquet")
            rows.sink_parquet(files[-1])
        elif cohort.count <= CSV_MOST:
            files.append(out / f"{name}.csv")
            rows.sink_csv(files[-1])
        else:
            files.append(out / f"{name}.parquet")
            rows.sink_parquet(files[-1])
    return files
