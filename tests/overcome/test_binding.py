"""Full binding: its equilibrium is that of mass action, and its speed hardly moves diameters.

Many patients and regimens are compared in `benchmarks/bench_binding.py`.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from hccresist.overcome.dosing import read_drugs
from hccresist.overcome.model.parameters import read_model

pytest.importorskip("antimony", reason="extra 'model' is not installed")
pytest.importorskip("roadrunner", reason="extra 'model' is not installed")
oracle = pytest.importorskip("roadrunner_oracle")
binding = pytest.importorskip("binding_oracle")
cases = pytest.importorskip("binding_cases")


@pytest.mark.parametrize("step", binding.STEPS)
def test_full_binding_makes_less_than_2_percent(step) -> None:
    """Issue 5, done when 1c: whole diameters within 2 % of baseline where only the balance is given up."""
    balance, full = cases.run_apart()
    with_binding, _ = full[step]
    assert np.abs(with_binding - balance).max() < 0.02 * balance[0, 0]
    assert np.abs(balance - balance[0]).max() > 0.1 * balance[0, 0]  # something happened


def test_amounts_settle_where_mass_action_says() -> None:
    """With published amounts: free PD-1, PD-L1 and PD-L2 and their complexes obey the law of mass action."""
    r = cases.run_apart()[1]["all"][1]
    pd1, base, ratio = r["pd1_total"], r["pdl1_base"], r["pdl2_ratio"]
    shown = base * r["shown_pdl1_1"]
    covered = 1 / (1 + r["u_block_pdl1"])
    kd1, kd2 = r["off_pdl1"] / r["on_pdl1"], r["off_pdl2"] / r["on_pdl2"]

    def left_over(free: float) -> float:
        """PD-1 not accounted for at so much free PD-1."""
        bound1 = shown * free / (free + kd1 / covered)
        bound2 = base * ratio * free / (free + kd2)
        return pd1 - free - bound1 - bound2

    free = brentq(left_over, 0.0, pd1)
    assert r["free_pd1_1"] == pytest.approx(free, rel=1e-3)
    assert r["held_pdl1_1"] == pytest.approx(shown * free / (free + kd1 / covered), rel=1e-2)
    assert r["held_pdl2_1"] == pytest.approx(base * ratio * free / (free + kd2), rel=1e-3)


def test_only_binding_is_replaced() -> None:
    text = binding.binding_text(2, cases.DRUGS)
    rules = set(read_model().lesion.rules) - {"ligand", "vegf_signal"}
    base = oracle.oracle_text(2, [read_drugs()[name] for name in cases.DRUGS])
    for name in rules:
        line = next(line for line in base.splitlines() if line.startswith(f"  {name}_2 := "))
        assert line in text
    assert "_i " not in text
    assert text.count("ligand_2 := ") == 1
