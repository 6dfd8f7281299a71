"""Runs with full binding, made in a process of their own.

libRoadRunner has brought down workers that had loaded many other compiled libraries before; a process of
its own keeps that from other tests.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import lru_cache

import binding_oracle
import numpy as np
import roadrunner_oracle

from hccresist.overcome.dosing import find_regimen, make_doses, read_drugs
from hccresist.overcome.model.patients import make_parameters, start_state

VISITS = np.arange(0.0, 337.0, 56.0)
DRUGS = ("atezolizumab", "bevacizumab")
SETTLED = (
    *("pd1_total", "pdl1_base", "pdl2_ratio", "shown_pdl1_1", "u_block_pdl1", "off_pdl1", "on_pdl1"),
    *("off_pdl2", "on_pdl2", "free_pd1_1", "held_pdl1_1", "held_pdl2_1"),
)


@lru_cache(maxsize=1)
def run_apart() -> tuple[np.ndarray, dict[str, tuple[np.ndarray, dict[str, float]]]]:
    """Whole diameters with the balance; and for each step with full binding, with amounts at the end."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        balance = pool.submit(run_balance)
        full = {step: pool.submit(run_full, step) for step in binding_oracle.STEPS}
        return balance.result(timeout=300), {step: each.result(timeout=300) for step, each in full.items()}


def make_patient():
    """One lesion of 50 mm, a hundredth of its cells without antigen presentation."""
    params = make_parameters(1)
    return params, start_state(params, [50.0], escaped=0.01)


def dosed(oracle):
    found = {}
    for name in DRUGS:
        doses = make_doses(find_regimen(name), until=float(VISITS[-1]))
        found[name] = oracle.Dosed(asdict(read_drugs()[name].kinetics), doses.days, doses.amounts)
    return found


def run_full(step: str) -> tuple[np.ndarray, dict[str, float]]:
    """Whole diameters with full binding, and amounts at the end."""
    full = binding_oracle.BindingOracle(1, DRUGS)
    full.choose(step)
    found = full.run(*make_patient(), dosed=dosed(roadrunner_oracle), visits=VISITS)
    return found.whole, {name: float(full.runner[name]) for name in SETTLED}


def run_balance() -> np.ndarray:
    """Whole diameters with the model's balance."""
    model = roadrunner_oracle.Oracle(1, DRUGS)
    return model.run(*make_patient(), dosed=dosed(roadrunner_oracle), visits=VISITS).whole
