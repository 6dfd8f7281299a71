"""Patients for the GPU's kernel; run as a program (in Numba's simulator) it writes what came out.

Usage: ``python cuda_cases.py FILE.npz``
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ensemble_cases import SLOTS, make_patients, widen

from hccresist.overcome.plan import Given, Procedure, make_plan

CASES = ("fast", "exact")


def make_case(mode):
    """Two patients for three weeks: an antibody, a tablet, a procedure; a new lesion, and a death."""
    days = 21.0 if mode == "fast" else 6.0
    given = [Given("nivolumab"), Given("lenvatinib", missed=0.2)]
    plan = make_plan(
        given,
        patients=np.arange(2),
        weight_kg=np.array([60.0, 80.0]),
        visits=np.array([0.0, days / 2, days]),
        until=days,
        procedures=[Procedure("tace", days / 3, "largest")],
        mode=mode,
    )
    if mode == "exact":
        plan = plan._replace(tolerances=(1e-4, 1e-8))
    thresholds = np.full((2, 2 + SLOTS), np.inf)
    thresholds[0, 2], thresholds[1, 0] = 1e-3, 2e-3
    patients = make_patients(2, end=days, drugs=2, begin=-1.0, thresholds=thresholds)
    return plan, widen(patients)


if __name__ == "__main__":
    from hccresist.overcome.cuda import run_plan

    found = {}
    for case in CASES:
        seen = run_plan(*make_case(case), batch=1 if case == "exact" else 2, block=2)
        found |= {f"{case}.{name}": array for name, array in seen._asdict().items()}
    np.savez(Path(sys.argv[1]), **found)
