"""The GPU's kernel in Numba's simulator, against the CPU; and on a GPU where there is one."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cuda_cases import CASES, make_case

from hccresist.errors import ConfigError
from hccresist.overcome import cuda, engine

HERE = Path(__file__).parent


def test_a_machine_without_the_package_is_told_so(monkeypatch) -> None:
    monkeypatch.setattr(cuda, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"numba-cuda is not installed \(pip install 'hccresist\[cuda\]'\)"):
        cuda.check_cuda()


def test_a_machine_without_a_gpu_is_told_so() -> None:
    pytest.importorskip("numba_cuda", reason="extra 'cuda' is not installed")
    from numba import cuda as target  # noqa: PLC0415

    if target.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ConfigError, match=r"no NVIDIA GPU was found, or no driver for it\. Use --engine cpu"):
        cuda.run_plan(*make_case("fast"))


def test_a_plan_is_cut_by_patients() -> None:
    plan, _ = make_case("fast")
    second = cuda.cut_plan(plan, 1, 2)
    assert np.array_equal(second.kinetics, plan.kinetics[1:])
    assert np.array_equal(second.taken, plan.taken[1:])
    assert np.array_equal(second.visits, plan.visits)
    assert np.array_equal(second.procedure_days, plan.procedure_days[1:])


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """What the kernel gives in the simulator: plain Python, in a process of its own."""
    if importlib.util.find_spec("numba_cuda") is None:
        pytest.skip("extra 'cuda' is not installed")
    file = tmp_path_factory.mktemp("cuda") / "seen.npz"
    more = {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, HERE / "cuda_cases.py", file],
        env=os.environ | more,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with np.load(file) as found:
        return dict(found)


@pytest.mark.parametrize("case", CASES)
def test_the_simulated_gpu_gives_what_the_cpu_gives(simulated, case) -> None:
    """1e-9, events and the new lesion included."""
    theirs = engine.run_plan(*make_case(case), threads=1)
    assert np.isfinite(theirs.events).any()
    for name, array in theirs._asdict().items():
        assert simulated[f"{case}.{name}"] == pytest.approx(array, rel=1e-9, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("case", CASES)
def test_a_gpu_gives_what_the_cpu_gives(case) -> None:
    """Within 1e-6, where there is a GPU."""
    pytest.importorskip("numba_cuda", reason="extra 'cuda' is not installed")
    from numba import cuda as target  # noqa: PLC0415

    if not target.is_available():
        pytest.skip("no GPU here")
    theirs, ours = engine.run_plan(*make_case(case)), cuda.run_plan(*make_case(case))
    for mine, other in zip(ours, theirs, strict=True):
        assert mine == pytest.approx(other, rel=1e-6, abs=1e-9, nan_ok=True)
