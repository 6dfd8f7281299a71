"""Where chunks are run: this machine's processor, its GPU, or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from hccresist.errors import ConfigError
from hccresist.overcome.engine import Job, Result, run_chunk

Ranges = Sequence[tuple[int, int]]
Runner = Callable[[Ranges], Iterator[tuple[int, int, Result]]]
CLUSTER: Final = "dask://"


def find_engine(name: str, job: Job) -> Runner:
    """Find what runs ranges of patients of a job.

    Parameters
    ----------
    name
        ``cpu``, ``cuda`` or ``dask://ADDRESS``.

    Raises
    ------
    ConfigError
        Where the engine is not known, not installed or not there.
    """
    if name == "cpu":
        return lambda ranges: _run_here(job, ranges)
    if name == "cuda":
        from hccresist.overcome.cuda import find_gpu_runner  # noqa: PLC0415

        return find_gpu_runner(job)
    if name.startswith(CLUSTER):
        from hccresist.overcome.cluster import find_cluster_runner  # noqa: PLC0415

        return find_cluster_runner(job, name.removeprefix(CLUSTER))
    message = f"--engine {name}: write cpu, cuda or dask://ADDRESS"
    raise ConfigError(message)


def _run_here(job: Job, ranges: Ranges) -> Iterator[tuple[int, int, Result]]:
    """Run ranges on the threads of this machine."""
    for first, last in ranges:
        yield first, last, run_chunk(job, first, last)
