"""Small ensembles for tests: patients as arrays, arrays that a run writes into, and a run."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from hccresist.overcome.model import arrays, ensemble
from hccresist.overcome.model import kernel_generated as kernel
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.model.patients import make_effects, make_parameters, start_state
from hccresist.overcome.population import SLOTS as MOST

SLOTS = 5
"""Slots for lesions: three at baseline, room for two new ones."""
BASELINE = (60.0, 30.0, 20.0)
STATES = kernel.PATIENT_SIZE + SLOTS * kernel.LESION_SIZE
SHOWN = kernel.PATIENT_SHOWN + SLOTS * kernel.LESION_SHOWN
THREE = kernel.PATIENT_PARAMS + len(BASELINE) * kernel.LESION_PARAMS


@lru_cache(maxsize=64)
def _one(number: int, values: tuple[tuple[str, float], ...]):
    """Parameters (all slots) and state (lesions of baseline) of one patient; the first is typical."""
    draw = np.random.default_rng(number)
    chosen = dict(values)
    for parameter in read_model().parameters:
        if parameter.distribution == "lognormal" and parameter.name not in chosen and number:
            chosen[parameter.name] = parameter.value * np.exp(0.5 * (parameter.spread or 0) * draw.normal())
    params = make_parameters(SLOTS, values=chosen)
    return params, start_state(params[:THREE], BASELINE, tolerant=0.01, escaped=0.02)


def make_patients(count, *, end, drugs=0, begin=0.0, numbers=None, thresholds=None, **values):
    """Patients with three lesions, each a little different; without thresholds nothing random happens."""
    params, state = (
        np.empty((count, kernel.PATIENT_PARAMS + SLOTS * kernel.LESION_PARAMS)),
        np.zeros((count, STATES)),
    )
    for i, number in enumerate(numbers if numbers is not None else range(count)):
        params[i], start = _one(int(number), tuple(sorted(values.items())))
        state[i, : start.size] = start
    lesions = np.full(count, len(BASELINE))
    return arrays.Patients(
        params=params,
        state=state,
        amounts=np.zeros((count, drugs, 3)),
        lesions=lesions,
        baseline=lesions.copy(),
        begin=np.full(count, float(begin)),
        end=np.full(count, float(end)),
        thresholds=np.full((count, 2 + SLOTS), np.inf) if thresholds is None else thresholds,
    )


def widen(patients):
    """The same patients with as many slots as populations have."""
    count, more = patients.begin.size, MOST - SLOTS
    local = patients.params[:, -kernel.LESION_PARAMS :]
    return patients._replace(
        params=np.hstack([patients.params, *[local] * more]),
        state=np.hstack([patients.state, np.zeros((count, more * kernel.LESION_SIZE))]),
        thresholds=np.hstack([patients.thresholds, np.full((count, more), np.inf)]),
    )


def make_seen(count, *, visits, drugs):
    """Arrays that a run writes into: not a number where nothing is written."""
    return arrays.Seen(
        shown=np.full((count, visits, SHOWN), np.nan),
        path=np.full((count, visits, STATES), np.nan),
        amounts=np.full((count, visits, drugs, 3), np.nan),
        lesions=np.zeros((count, visits), dtype=np.int64),
        events=np.full((count, 2 + SLOTS), np.nan),
        ended=np.full(count, np.nan),
        status=np.full(count, -1),
    )


def make_room(plan, *, threads=1):
    """Working arrays for a plan."""
    longest = float(np.max(plan.every_days * plan.inflow, initial=0.0))
    return arrays.make_room(
        threads, states=STATES, drugs=plan.weights.shape[0], effects=make_effects(longest)
    )


def run(plan, patients, *, order=None):
    """Run patients one after another, in the order asked for."""
    count = patients.begin.size
    seen = make_seen(count, visits=plan.visits.shape[1], drugs=plan.weights.shape[0])
    room = make_room(plan)
    for i in order if order is not None else range(count):
        ensemble.run_range(plan, patients, i, i + 1, seen, room, 0)
    return seen


def output(seen, name, slot=None):
    """One output at all visits; shape = (n, visits)."""
    if slot is None:
        return seen.shown[:, :, kernel.PATIENT_OUTPUTS.index(name)]
    return seen.shown[
        :, :, kernel.PATIENT_SHOWN + slot * kernel.LESION_SHOWN + kernel.LESION_OUTPUTS.index(name)
    ]


def state(path, name, slot=None):
    """One state of an array whose last axis is states."""
    if slot is None:
        return path[..., kernel.PATIENT_STATES.index(name)]
    return path[..., kernel.PATIENT_SIZE + slot * kernel.LESION_SIZE + kernel.LESION_STATES.index(name)]
