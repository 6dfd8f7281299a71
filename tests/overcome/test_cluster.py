"""Chunks on a cluster of two processes of this machine; one of them is killed."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from cluster_cases import end_worker, refuse, square

from hccresist.errors import ComputationError, ConfigError
from hccresist.overcome import cluster
from hccresist.overcome.engine import Job, run_chunk
from hccresist.overcome.plan import Given


def test_a_machine_without_dask_is_told_so(monkeypatch) -> None:
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"not installed \(pip install 'hccresist\[cluster\]'\)"):
        cluster.connect("127.0.0.1:1")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nothing://here"])
def test_an_address_that_does_not_answer_is_told(monkeypatch, address) -> None:
    pytest.importorskip("distributed", reason="extra 'cluster' is not installed")
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1.0)
    with pytest.raises(ConfigError, match=f"no scheduler answers at '{address}'"):
        list(cluster.run_chunks(square, [(1, 0.0)], address))


@pytest.fixture(scope="module")
def local():
    """A scheduler and two workers, each a process with one thread."""
    distributed = pytest.importorskip("distributed", reason="extra 'cluster' is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1"
    ) as started:
        yield started


def test_results_come_in_the_order_of_the_chunks(local) -> None:
    """Later chunks are quicker; more chunks than are sent at a time."""
    chunks = [(number, 0.05 * (number % 3 == 0)) for number in range(12)]
    found = list(cluster.run_chunks(square, chunks, local.scheduler_address))
    assert [number for number, _ in found] == [number**2 for number in range(12)]
    assert os.getpid() not in {process for _, process in found}
    assert list(cluster.run_chunks(square, [], local.scheduler_address)) == []


def test_a_killed_worker_loses_nothing(local) -> None:
    """Killed while it works, with chunks that it has finished and that nobody has fetched yet."""
    chunks = [(number, 0.3) for number in range(10)]
    found, killed = [], None
    for number, process in cluster.run_chunks(square, chunks, local.scheduler_address):
        found.append(number)
        if len(found) == 3:
            killed = process
            os.kill(killed, signal.SIGKILL)
    assert killed is not None
    assert found == [number**2 for number in range(10)]


def test_a_chunk_that_ends_every_worker_is_told(local) -> None:
    with pytest.raises(ComputationError, match="the chunk 3 ended one worker after another"):
        list(cluster.run_chunks(end_worker, [3], local.scheduler_address))


def test_an_error_of_a_chunk_is_that_error(local) -> None:
    found = cluster.run_chunks(refuse, [7], local.scheduler_address)
    with pytest.raises(ValueError, match="chunk 7 is refused"):
        list(found)


def test_workers_with_another_kernel_are_refused(local, monkeypatch) -> None:
    monkeypatch.setattr(cluster, "KERNEL", cluster.KERNEL.with_name("text.py"))
    with pytest.raises(ConfigError, match="these workers have another version of hccresist: tcp://"):
        cluster.connect(local.scheduler_address)


@pytest.mark.slow
def test_a_simulation_on_a_cluster_is_that_of_this_machine(local) -> None:
    """Bit by bit between cuts into chunks on fresh workers; within rounding of this process.

    A process that has run single patients before has other machine code loaded for the same functions, which
    rounds the last bit in another way.
    """
    job = Job(given=(Given("nivolumab"), Given("lenvatinib")), visits=(0.0, 42.0), until=42.0, seed=3)
    run = cluster.find_cluster_runner(job, local.scheduler_address)
    parts, (whole,) = list(run([(0, 4), (4, 6)])), list(run([(0, 6)]))
    assert [(first, last) for first, last, _ in parts] == [(0, 4), (4, 6)]
    ours = run_chunk(job, 0, 6, threads=1)
    for name in ("shown", "path", "amounts", "events", "ended", "status"):
        theirs = getattr(whole[2], name)
        joined = np.concatenate([getattr(part, name) for _, _, part in parts])
        np.testing.assert_array_equal(joined, theirs, err_msg=name)
        np.testing.assert_allclose(theirs, getattr(ours, name), rtol=1e-11, atol=1e-14, err_msg=name)


@pytest.mark.slow
def test_a_cluster_that_loses_all_workers_is_given_up_with_advice() -> None:
    distributed = pytest.importorskip("distributed", reason="extra 'cluster' is not installed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1"
    ) as started:
        found = cluster.run_chunks(square, [(1, 0.0), (2, 5.0)], started.scheduler_address, patience=0.5)
        assert next(found)[0] == 1
        started.scale(0)
        with pytest.raises(ComputationError, match=r"was lost\. Start it anew and give the same command"):
            list(found)
