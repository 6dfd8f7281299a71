"""Adaptive integration of one patient: Tsitouras' 5(4) pair, exact stops, extinction, no allocation.

This module imports Numba; import it only where patients are run.

Between two stops a drug's concentration is a sum of up to `TERMS` exponentials (a constant has rate zero),
which is exact for linear kinetics. Tablets may be given as a few phases of the day: rates are then the mean
over the phases, so that it is the effect that is averaged and not the concentration. A stop is needed where a
coefficient changes: doses, holds, procedures.

References
----------
Tsitouras C. Runge–Kutta pairs of order 5(4) satisfying only the first column simplifying assumption.
Comput Math Appl 2011;62:770-775. doi:10.1016/j.camwa.2011.06.002
"""

# pyright: basic
from __future__ import annotations

from enum import IntEnum
from math import exp, isfinite
from typing import Final

import numpy as np
from numba import njit

from hccresist.overcome.model.kernel_generated import (
    EXPOSURES,
    LESION_SIZE,
    PATIENT_SIZE,
    outputs,
    rhs,
)
from hccresist.overcome.pk import TERMS

CLONES: Final = 4
"""The first states of a lesion are its clones; these go extinct."""
SATURATING: Final = 5
"""The first drug effects are shares of a target: u / (1 + u) with u = concentration over half-effect."""
_KILL: Final = EXPOSURES.index("dose_kill")
_EFFLUX: Final = EXPOSURES.index("efflux_affinity")
_EFFECTS: Final = len(EXPOSURES)
STAMP: Final = "4f7350a4075f4f4a"
"""Digest of the kernel, written by `generate`: Numba's cache of this file looks at no other file."""
WORK: Final = 10
"""Rows of the working array that a run needs."""
_MAX_STEPS: Final = 200_000
_SMALLEST: Final = 1e-9
_NOTHING: Final = 1e-12  # mg/L: less is not worth an exponential


class Status(IntEnum):
    """How a run ended."""

    FINE = 0
    TOO_MANY_STEPS = 1
    STEP_TOO_SMALL = 2


@njit(cache=True, error_model="numpy")
def find_effects(day, terms, weights, effects):
    """Find what the drugs do `day` days after the last stop, into `effects`.

    `terms` is drugs × TERMS × (amplitude, rate per day); `weights` is drugs × effects: one over the
    half-effect level; for efflux: affinity over the EC50 of killing, so that a mixture has the mean affinity.
    """
    effects[:] = 0.0
    for drug in range(weights.shape[0]):
        level = 0.0
        for term in range(TERMS):
            size, rate = terms[drug, term, 0], terms[drug, term, 1]
            if rate == 0.0:
                level += size
            elif abs(size) > _NOTHING:
                level += size * exp(-rate * day)
        level = max(level, 0.0)
        for j in range(_EFFECTS):
            effects[j] += level * weights[drug, j]
    for j in range(SATURATING):
        effects[j] = effects[j] / (1.0 + effects[j])
    if effects[_KILL] > 0.0:
        effects[_EFFLUX] = effects[_EFFLUX] / effects[_KILL]
    else:
        effects[_EFFLUX] = 0.0


@njit(cache=True, error_model="numpy")
def find_rates(day, state, params, terms, shares, weights, effects, out, spare):
    """Find the rates of all states, as the mean over the phases of the day, into `out`.

    `terms` is phases × drugs × TERMS × 2; `shares` are the weights of the phases (one phase: no averaging).
    """
    find_effects(day, terms[0], weights, effects)
    rhs(state, params, effects, out)
    if shares.size > 1:
        for j in range(state.size):
            out[j] *= shares[0]
        for phase in range(1, shares.size):
            find_effects(day, terms[phase], weights, effects)
            rhs(state, params, effects, spare)
            for j in range(state.size):
                out[j] += shares[phase] * spare[j]


@njit(cache=True, error_model="numpy")
def _show(day, state, params, terms, shares, weights, effects, out, spare):
    """Find the outputs, as the mean over the phases of the day, into `out`."""
    out[:] = 0.0
    for phase in range(shares.size):
        find_effects(day, terms[phase], weights, effects)
        outputs(state, params, effects, spare[: out.size])
        for j in range(out.size):
            out[j] += shares[phase] * spare[j]


@njit(cache=True, error_model="numpy")
def take_step(day, size, state, params, terms, shares, weights, work, effects):
    """Go a step of `size` days from `state` (rates in ``work[0]``) into ``work[7]``, error into ``work[8]``.

    The rates at the new state stand in ``work[6]`` afterwards (first same as last).
    """
    n = state.size
    k, y = work, work[7]
    for j in range(n):
        y[j] = state[j] + size * 0.161 * k[0, j]
    find_rates(day + 0.161 * size, y, params, terms, shares, weights, effects, k[1], k[9])
    for j in range(n):
        y[j] = state[j] + size * (-0.008480655492356989 * k[0, j] + 0.335480655492357 * k[1, j])
    find_rates(day + 0.327 * size, y, params, terms, shares, weights, effects, k[2], k[9])
    for j in range(n):
        y[j] = state[j] + size * (
            2.8971530571054935 * k[0, j] - 6.359448489975075 * k[1, j] + 4.3622954328695815 * k[2, j]
        )
    find_rates(day + 0.9 * size, y, params, terms, shares, weights, effects, k[3], k[9])
    for j in range(n):
        early = 5.325864828439257 * k[0, j] - 11.748883564062828 * k[1, j]
        late = 7.4955393428898365 * k[2, j] - 0.09249506636175525 * k[3, j]
        y[j] = state[j] + size * (early + late)
    find_rates(day + 0.9800255409045097 * size, y, params, terms, shares, weights, effects, k[4], k[9])
    for j in range(n):
        early = 5.86145544294642 * k[0, j] - 12.92096931784711 * k[1, j] + 8.159367898576159 * k[2, j]
        y[j] = state[j] + size * (early - 0.071584973281401 * k[3, j] - 0.028269050394068383 * k[4, j])
    find_rates(day + size, y, params, terms, shares, weights, effects, k[5], k[9])
    for j in range(n):
        early = 0.09646076681806523 * k[0, j] + 0.01 * k[1, j] + 0.4798896504144996 * k[2, j]
        late = 1.379008574103742 * k[3, j] - 3.290069515436081 * k[4, j] + 2.324710524099774 * k[5, j]
        y[j] = state[j] + size * (early + late)
    find_rates(day + size, y, params, terms, shares, weights, effects, k[6], k[9])
    for j in range(n):
        early = -0.00178001105222577714 * k[0, j] - 0.0008164344596567469 * k[1, j]
        middle = 0.007880878010261995 * k[2, j] - 0.1447110071732629 * k[3, j]
        late = 0.5823571654525552 * k[4, j] - 0.45808210592918697 * k[5, j] + k[6, j] / 66.0
        work[8, j] = size * (early + middle + late)


@njit(cache=True, error_model="numpy")
def _measure(state, work, relative, absolute):
    """Largest error over its tolerance; infinite where a state is negative or no number."""
    worst = 0.0
    for j in range(state.size):
        new = work[7, j]
        if not isfinite(new) or new < -absolute:
            return np.inf
        scale = absolute + relative * max(abs(state[j]), abs(new))
        worst = max(worst, abs(work[8, j]) / scale)
    return worst if isfinite(worst) else np.inf


@njit(cache=True, error_model="numpy")
def _accept(state, params, work):
    """Take the new state; say whether a clone went extinct (fewer than one cell, and falling)."""
    for j in range(state.size):
        state[j] = max(work[7, j], 0.0)
        work[0, j] = work[6, j]
    lost = False
    for base in range(PATIENT_SIZE, state.size, LESION_SIZE):
        for j in range(base, base + CLONES):
            if 0.0 < state[j] < params[0] and work[0, j] < 0.0:
                state[j] = 0.0
                lost = True
    return lost


@njit(cache=True, error_model="numpy")
def _cross(length, first, state, params, terms, shares, weights, tolerances, work, effects):
    """Go from one stop to the next, `length` days on; the status and the last free step size."""
    relative, absolute = tolerances
    day, size = 0.0, first
    find_rates(0.0, state, params, terms, shares, weights, effects, work[0], work[9])
    for _ in range(_MAX_STEPS):
        left = length - day
        if left <= 0.0:
            return 0, size
        step = left if size > 0.999 * left else size
        take_step(day, step, state, params, terms, shares, weights, work, effects)
        error = _measure(state, work, relative, absolute)
        if error <= 1.0:
            day = length if step == left else day + step
            if _accept(state, params, work):
                find_rates(day, state, params, terms, shares, weights, effects, work[0], work[9])
        factor = 5.0 if error < 1e-4 else max(0.2, min(5.0, 0.9 * error**-0.2))
        # A step cut short by a stop says nothing against the size that was free.
        size = step * factor if error > 1.0 or step == size else max(size, step * factor)
        if size < _SMALLEST:
            return 2, size
    return 1, size


@njit(cache=True, error_model="numpy")
def integrate(state, params, times, terms, shares, weights, tolerances, path, shown, work):
    """Run one patient from ``times[0]`` to ``times[-1]``, stopping at every time.

    Parameters
    ----------
    state
        States at the start (patient, then lesions); at the end on return.
    params
        Parameters (patient, then lesions), as the kernel takes them.
    times
        Days of the stops, increasing; shape = (n_times,).
    terms
        Amplitude and rate after each stop but the last; shape = (n_times - 1, n_phases, n_drugs, TERMS, 2).
    shares
        Weights of the phases of the day, with sum one; shape = (n_phases,).
    weights
        Effects per concentration; shape = (n_drugs, n_effects).
    tolerances
        Relative and absolute tolerance of a step.
    path
        States at the stops are written here; shape = (n_times, n_states).
    shown
        Outputs at the stops are written here; shape = (n_times, n_outputs).
    work
        Working array; shape = (WORK, n_states + n_effects).

    Returns
    -------
    int
        A `Status`. Where it is not FINE, stops that were not reached keep what `path` and `shown` held.
    """
    n = state.size
    rows, effects = work[:, :n], work[0, n:]
    size = 1.0
    for k in range(times.size):
        here = min(k, terms.shape[0] - 1)
        since = 0.0 if k == here else times[k] - times[here]
        path[k] = state
        _show(since, state, params, terms[here], shares, weights, effects, shown[k], rows[9])
        if k == times.size - 1:
            break
        length = times[k + 1] - times[k]
        status, size = _cross(
            length, size, state, params, terms[k], shares, weights, tolerances, rows, effects
        )
        if status != 0:
            return status
    return 0
