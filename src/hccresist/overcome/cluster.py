"""The engine on a cluster through Dask distributed: chunks of patients, run again where a worker is lost.

A worker with several threads runs as many chunks side by side, each on one thread.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from hccresist.errors import ComputationError, ConfigError
from hccresist.overcome.engine import Job, Result, run_chunk
from hccresist.overcome.model.generate import KERNEL

if TYPE_CHECKING:
    from distributed import Client, Future

Ranges = Sequence[tuple[int, int]]
Runner = Callable[[Ranges], Iterator[tuple[int, int, Result]]]
Chunk = TypeVar("Chunk")
Found = TypeVar("Found")

CONNECT_SECONDS: Final = 10.0
"""How long to wait for the scheduler to answer, and for a first worker."""
PATIENCE_SECONDS: Final = 120.0
"""How long to wait for a new worker when all are lost."""
AHEAD: Final = 2
"""Chunks sent for each thread of the cluster, so that none waits; more would only fill memory."""
_LOOK_SECONDS: Final = 2.0


def run_chunks(
    function: Callable[[Chunk], Found],
    chunks: Sequence[Chunk],
    address: str,
    *,
    patience: float = PATIENCE_SECONDS,
) -> Iterator[Found]:
    """Run a function on every chunk on a cluster; results in the order of the chunks.

    Parameters
    ----------
    function
        Function of one chunk that gives the same result wherever and however often it is run.
    chunks
        Chunks.
    address
        Address of the scheduler: ``HOST:PORT`` or ``tcp://HOST:PORT``.
    patience
        Seconds to wait for a worker when all are lost.

    Raises
    ------
    ConfigError
        Where Dask distributed is not installed, the address does not answer, there are no workers, or they
        have another version of this package.
    ComputationError
        Where a chunk ends worker after worker, or the cluster is lost; what came before has been given out.
    """
    client = connect(address)
    try:
        threads: Any = client.nthreads()
        window = AHEAD * max(1, sum(threads.values()))
        source = iter(chunks)
        waiting = deque((chunk, _send(client, function, chunk)) for chunk in islice(source, window))
        while waiting:
            chunk, future = waiting.popleft()
            yield _fetch(client, future, chunk, address=address, patience=patience)
            waiting.extend((one, _send(client, function, one)) for one in islice(source, 1))
    finally:
        client.close()


def find_cluster_runner(job: Job, address: str) -> Runner:
    """Find what runs ranges of patients of a job on a cluster; see `engines.find_engine`.

    Raises
    ------
    ConfigError
        As `run_chunks`.
    """
    connect(address).close()

    def run(ranges: Ranges) -> Iterator[tuple[int, int, Result]]:
        results = run_chunks(partial(_run_range, job), ranges, address)
        for (first, last), result in zip(ranges, results, strict=True):
            yield first, last, result

    return run


def _run_range(job: Job, chunk: tuple[int, int]) -> Result:
    """Run one range of patients on one thread of a worker."""
    return run_chunk(job, *chunk, threads=1)


def find_digest() -> str:
    """Find the digest of the kernel's source, by which two installations are told apart."""
    return hashlib.sha256(KERNEL.read_bytes()).hexdigest()[:16]


def connect(address: str) -> Client:
    """Connect to a scheduler that has workers with this version of the package.

    Raises
    ------
    ConfigError
        See `run_chunks`.
    """
    if find_spec("distributed") is None:
        message = "engine dask: Dask distributed is not installed (pip install 'hccresist[cluster]')"
        raise ConfigError(message)
    from distributed import Client  # noqa: PLC0415  (slow to load)

    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        message = f"engine dask: no scheduler answers at {address!r} (start one with: dask scheduler)"
        raise ConfigError(message) from error
    try:
        _check_workers(client, address)
    except ConfigError:
        client.close()
        raise
    return client


def _check_workers(client: Client, address: str) -> None:
    """Make sure that there are workers and that they have the same kernel."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError as error:
        message = f"engine dask: the scheduler at {address} has no workers (start some with: dask worker)"
        raise ConfigError(message) from error
    try:
        found: Any = client.run(find_digest)
    except (ImportError, AttributeError) as error:
        message = f"engine dask: workers of {address} do not have this version of hccresist: {error}"
        raise ConfigError(message) from error
    wrong = sorted(name for name, digest in found.items() if digest != find_digest())
    if wrong:
        message = f"engine dask: these workers have another version of hccresist: {', '.join(wrong)}"
        raise ConfigError(message)


def _send(client: Client, function: Callable[[Any], Any], chunk: object) -> Future[Any]:
    """Send a chunk; the scheduler runs it again where its worker is lost, also after it was done."""
    return client.submit(function, chunk, pure=False)


def _fetch(client: Client, future: Future[Any], chunk: object, *, address: str, patience: float) -> Any:  # noqa: ANN401
    """Wait for a result, as long as there is somebody who could still find it."""
    from concurrent.futures import CancelledError  # noqa: PLC0415

    from distributed import KilledWorker  # noqa: PLC0415

    alone = None
    while True:
        try:
            return future.result(timeout=_LOOK_SECONDS)
        except KilledWorker as error:
            message = f"engine dask: the chunk {chunk} ended one worker after another (too little memory?)"
            raise ComputationError(message) from error
        except CancelledError as error:
            raise ComputationError(_lost(address)) from error
        except TimeoutError as error:
            if client.status != "running":
                raise ComputationError(_lost(address)) from error
            now = time.monotonic()
            alone = None if client.nthreads() else alone or now
            if alone is not None and now - alone > patience:
                raise ComputationError(_lost(address)) from error


def _lost(address: str) -> str:
    """Say what to do when the cluster is lost."""
    return f"engine dask: the cluster at {address} was lost. Start it anew and give the same command again"
