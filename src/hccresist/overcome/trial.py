"""Run a virtual trial: replicates, endpoints with prediction intervals, and a study folder as a clinic's.

While a run is not finished, its folder holds ``.parts`` with the endpoints of each finished replicate; the
same command goes on from there and ends in the same bytes.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

import polars as pl

from hccresist.errors import ComputationError, ConfigError
from hccresist.overcome.engine import count_threads
from hccresist.overcome.trial_endpoints import LEVEL, summarise_replicates
from hccresist.overcome.trial_run import Replicate, make_study, run_replicate
from hccresist.overcome.trial_spec import STATEMENT, Spec
from hccresist.study.write import write_tidy

PARTS: Final = ".parts"
CLUSTER: Final = "dask://"
FILES: Final = ("trial_endpoints.csv", "replicates.csv", "trial.json")
Report = Callable[[int, int], None]
"""Told how many replicates are done, and of how many."""
Values = Sequence[Mapping[str, float]]
Origin = tuple[bool, str]
NO_ORIGIN: Final[Origin] = (False, "")
"""Values of somebody's own, of which nothing is known."""
Run = Callable[[int], Replicate]
Runner = Callable[[Run, Sequence[int]], Iterator[Replicate]]


@dataclass(frozen=True)
class TrialRun:
    """What a finished virtual trial left behind.

    Attributes
    ----------
    folder, files
        The folder and its files.
    endpoints
        Table ``trial_endpoints``; see `trial_endpoints.summarise_replicates`.
    replicates
        Endpoints of each replicate.
    counts
        Patients screened, enrolled, unsolved (left out), full; over all replicates.
    resumed
        Replicates that an earlier, interrupted run had done.
    """

    folder: Path
    files: tuple[Path, ...]
    endpoints: pl.DataFrame
    replicates: pl.DataFrame
    counts: Mapping[str, int]
    resumed: int


def run_trial(
    spec: Spec,
    out: Path,
    *,
    values: Values = (),
    origin: Origin = NO_ORIGIN,
    keep: int = 1,
    engine: str = "cpu",
    threads: int | None = None,
    report: Report | None = None,
) -> TrialRun:
    """Run a virtual trial into a folder.

    Parameters
    ----------
    out
        Folder; it must not exist, be empty, or hold an interrupted run of the same trial.
    values
        Sets of typical parameters (an ensemble): replicate r takes set r modulo their number, so that
        intervals hold the uncertainty of parameters too. Without: sampling alone.
    origin
        Whether these sets are calibrated to trials, and what they are in words; written beside the results.
    keep
        Replicates whose study is written, the first ones.
    engine
        ``cpu``, ``cuda`` or ``dask://ADDRESS``.
    threads
        Threads; as many as there are processors if not given.
    report
        Told of progress after each replicate.

    Raises
    ------
    ConfigError
        Where the engine is not known, or the folder holds something else.
    ComputationError
        Where too few patients are eligible, or the disk is full; what was finished stays.
    """
    runner = find_runner(engine, threads=threads)
    parts = _prepare(out, describe_run(spec, values, keep, origin=origin))
    left = [r for r in range(spec.replicates) if not _done(parts, r).exists()]
    done = resumed = spec.replicates - len(left)
    if report:
        report(done, spec.replicates)
    try:
        for found in runner(make_run(spec, values, keep=keep, engine=engine), left):
            _write_part(spec, found, parts)
            done += 1
            if report:
                report(done, spec.replicates)
        return _finish(spec, out, parts, keep=min(keep, spec.replicates), resumed=resumed)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        message = (
            f"the disk is full: {done} of {spec.replicates} replicates are done and kept in {parts}. "
            "Make room and give the same command again: it goes on from there"
        )
        raise ComputationError(message) from error


def simulate_replicates(
    spec: Spec, *, values: Values = (), engine: str = "cpu", threads: int | None = None
) -> pl.DataFrame:
    """Run all replicates in memory.

    Returns
    -------
    DataFrame
        As `trial_endpoints.find_endpoints`, with column ``replicate``.
    """
    runner = find_runner(engine, threads=threads)
    found = runner(make_run(spec, values, keep=0, engine=engine), range(spec.replicates))
    return _stack({each.number: each.endpoints for each in found})


def make_run(spec: Spec, values: Values, *, keep: int, engine: str = "cpu") -> Run:
    """Make what runs one replicate by its number: a function of nothing else."""
    return partial(_run_one, spec, tuple(values), keep, engine)


def _run_one(spec: Spec, values: Values, keep: int, engine: str, number: int) -> Replicate:
    chosen = values[number % len(values)] if values else None
    run = None
    if engine == "cuda":
        from hccresist.overcome.cuda import run_plan as run  # noqa: PLC0415
    return run_replicate(spec, number, values=chosen, keep=number < keep, threads=None if run else 1, run=run)


def _stack(tables: Mapping[int, pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(
        tables[number].select(pl.lit(number, dtype=pl.Int64).alias("replicate"), pl.all())
        for number in sorted(tables)
    )


def find_runner(engine: str, *, threads: int | None = None) -> Runner:
    """Find what runs replicates: this machine's threads, its GPU, or a Dask cluster.

    Raises
    ------
    ConfigError
        Where the engine is not known, not installed or not there.
    """
    if engine == "cpu":
        return partial(_run_here, count_threads(threads))
    if engine == "cuda":
        from hccresist.overcome.cuda import check_cuda  # noqa: PLC0415

        check_cuda()
        return partial(_run_here, 1)
    if engine.startswith(CLUSTER):
        return partial(_run_there, engine.removeprefix(CLUSTER))
    message = f"--engine {engine}: write cpu, cuda or dask://ADDRESS"
    raise ConfigError(message)


def _run_here(threads: int, run: Run, numbers: Sequence[int]) -> Iterator[Replicate]:
    """Run replicates side by side, one a thread; given in their order."""
    if threads == 1 or len(numbers) < 2:
        yield from map(run, numbers)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[Future[Replicate]] = []
        try:
            for number in numbers:
                waiting.append(pool.submit(run, number))
                if len(waiting) > threads:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            pool.shutdown(cancel_futures=True)


def _run_there(address: str, run: Run, numbers: Sequence[int]) -> Iterator[Replicate]:
    """Run replicates on a Dask cluster."""
    from hccresist.overcome.cluster import run_chunks  # noqa: PLC0415

    yield from run_chunks(run, numbers, address)


def describe_run(spec: Spec, values: Values, keep: int, *, origin: Origin = NO_ORIGIN) -> str:
    """Write a run as text: equal where results are."""
    content = {
        "statement": STATEMENT,
        "calibrated": origin[0],
        "parameters": origin[1],
        "level": LEVEL,
        "uncertainty": "sampling and parameters" if values else "sampling alone",
        "keep": keep,
        "trial": asdict(spec),
        "values": [dict(each) for each in values],
    }
    return json.dumps(_finite(content), sort_keys=True, indent=1, allow_nan=False) + "\n"


def _finite(value: object) -> object:
    """Content for JSON: infinite numbers as text."""
    if isinstance(value, dict):
        return {str(key): _finite(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    return str(value) if value in (float("inf"), float("-inf")) else value


def _prepare(out: Path, text: str) -> Path:
    """Make the folder, or find the interrupted run in it."""
    parts = out / PARTS
    if out.exists() and not out.is_dir():
        message = f"{out} is a file. Give a new folder with --out"
        raise ConfigError(message)
    begun = parts / "trial.json"
    if begun.exists():
        if begun.read_text(encoding="utf-8") != text:
            message = f"{out} holds an interrupted run of another trial: give that one, or another folder"
            raise ConfigError(message)
        return parts
    if out.exists() and any(out.iterdir()):
        message = f"{out} is not empty. Give a new folder with --out"
        raise ConfigError(message)
    parts.mkdir(parents=True, exist_ok=True)
    _write_text(begun, text)
    return parts


def _done(parts: Path, number: int) -> Path:
    return parts / f"{number:06d}.json"


def _write_text(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    half = file.with_suffix(".half")
    half.write_text(text, encoding="utf-8")
    half.replace(file)


def _write_part(spec: Spec, found: Replicate, parts: Path) -> None:
    """Write one replicate, and last that it is done."""
    found.endpoints.write_parquet(parts / f"{found.number:06d}.parquet")
    if found.tables is not None:
        folder = parts / f"study_{found.number:06d}"
        shutil.rmtree(folder, ignore_errors=True)
        write_tidy(make_study(spec, found.tables), folder)
    _write_text(_done(parts, found.number), json.dumps(dict(found.counts), sort_keys=True))


def _finish(spec: Spec, out: Path, parts: Path, *, keep: int, resumed: int) -> TrialRun:
    """Put the replicates together and clear up."""
    numbers = range(spec.replicates)
    replicates = _stack({r: pl.read_parquet(parts / f"{r:06d}.parquet") for r in numbers})
    counts = [json.loads(_done(parts, r).read_text(encoding="utf-8")) for r in numbers]
    endpoints = summarise_replicates(replicates, spec)
    files = [out / name for name in FILES]
    endpoints.write_csv(files[0])
    replicates.write_csv(files[1])
    total = {name: sum(each[name] for each in counts) for name in counts[0]}
    content = {**json.loads((parts / "trial.json").read_text(encoding="utf-8")), "patients": total}
    _write_text(files[2], json.dumps(content, sort_keys=True, indent=1) + "\n")
    for number in range(keep):
        place = out / ("study" if number == 0 else f"study_{number + 1}")
        shutil.rmtree(place, ignore_errors=True)
        (parts / f"study_{number:06d}").replace(place)
        files += sorted(place.iterdir())
    shutil.rmtree(parts)
    return TrialRun(out, tuple(files), endpoints, replicates, total, resumed)
