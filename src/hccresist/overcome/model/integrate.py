"""Adaptive integration of one patient: Tsitouras' 5(4) pair, exact stops, extinction, no allocation.

This module imports Numba; import it only where patients are run.

Between two stops a drug's concentration is a sum of up to `TERMS` exponentials (a constant has rate zero),
which is exact for linear kinetics. Tablets may be given as a few phases of the day, each with a ripple
above or below that sum: rates are then the mean over the phases, so that it is the effect that is averaged
and not the concentration. A stop is needed where a coefficient changes: doses, holds, procedures. Between
stops a run halts where a cumulative hazard crosses its threshold.

References
----------
Tsitouras C. Runge–Kutta pairs of order 5(4) satisfying only the first column simplifying assumption.
Comput Math Appl 2011;62:770-775. doi:10.1016/j.camwa.2011.06.002
"""

# pyright: basic
from __future__ import annotations

from enum import IntEnum
from math import ceil, exp, isfinite
from typing import Final

import numpy as np
from numba import njit

from hccresist.overcome.model.kernel_generated import (
    EXPOSURES,
    FAST,
    LANES,
    LESION_PARAMS,
    LESION_SIZE,
    LESION_STATES,
    PATIENT_PARAMS,
    PATIENT_SIZE,
    PATIENT_STATES,
    lesion_swing,
    outputs,
)
from hccresist.overcome.model.kernel_generated import day as rates_of_day
from hccresist.overcome.model.kernel_generated import steady as steady_rates
from hccresist.overcome.pk import PHASE_COUNT, TERMS

CLONES: Final = 4
"""The first states of a lesion are its clones; these go extinct."""
SATURATING: Final = 5
"""The first drug effects are shares of a target: u / (1 + u) with u = concentration over half-effect."""
_KILL: Final = EXPOSURES.index("dose_kill")
_EFFLUX: Final = EXPOSURES.index("efflux_affinity")
_EFFECTS: Final = len(EXPOSURES)
HAZARDS: Final = tuple(
    PATIENT_STATES.index(name) for name in ("hazard_death", "hazard_dropout", "hazard_new")
)
"""Cumulative hazards among the states, in the order of their thresholds."""
_CAPACITY: Final = LESION_STATES.index("capacity")
_NEAR: Final = 1e-9  # of a step: where a hazard's crossing is as good as at the end
STAMP: Final = "1e00ac022fac9c05"
"""Digest of the kernel, written by `generate`: Numba's cache of this file looks at no other file."""
WORK: Final = 9
"""Rows of the working array that a run needs."""
_MAX_STEPS: Final = 100_000
_SMALLEST: Final = 1e-9
_GROWTH: Final = 5.0  # most that a step may grow by
_GROWTH_AFTER: Final = 1.2  # the same, up to the next stop, once a step was refused
_NOTHING: Final = 1e-12  # mg/L: less is not worth an exponential


class Status(IntEnum):
    """How a run ended."""

    FINE = 0
    TOO_MANY_STEPS = 1
    STEP_TOO_SMALL = 2


@njit(cache=True, error_model="numpy")
def _find_level(day, terms):
    """Level of one drug without its ripple."""
    level = 0.0
    for term in range(TERMS):
        size, rate = terms[term, 0], terms[term, 1]
        if rate == 0.0:
            level += size
        elif abs(size) > _NOTHING:
            level += size * exp(-rate * day)
    return level


@njit(cache=True, error_model="numpy", fastmath=FAST)
def _add_effect(effects, j, weight, level, ripples, many):
    """Add one effect of one drug."""
    first = LANES * j
    if many and j >= SATURATING:
        for k in range(PHASE_COUNT + 1):
            effects[first + k] += weight * max(level + ripples[k], 0.0)
    else:
        effects[first] += weight * max(level, 0.0)
        effects[first + PHASE_COUNT] += weight * max(level + ripples[PHASE_COUNT], 0.0)


@njit(cache=True, error_model="numpy", fastmath=FAST)
def find_effects(day, terms, ripples, many, weights, effects):
    """Find what the drugs do `day` days after the last stop, phase by phase, into `effects`.

    `terms` is drugs × TERMS × (amplitude, rate per day); `ripples` is drugs × (phases + 1): what a phase of
    the day adds to the level, the last the moment before a dose; `weights` is drugs × effects: one over the
    half-effect level; for efflux: affinity over the EC50 of killing, so that a mixture has the mean
    affinity. `many` says whether the day has phases; without, the first and last stand for all. `effects`
    is as the kernel takes it.
    """
    for j in range(_EFFECTS * LANES):
        effects[j] = 0.0
    for drug in range(weights.shape[0]):
        level = _find_level(day, terms[drug])
        for j in range(_EFFECTS):
            if weights[drug, j] > 0.0:
                _add_effect(effects, j, weights[drug, j], level, ripples[drug], many)
    for j in range(SATURATING):
        effects[LANES * j] /= 1.0 + effects[LANES * j]
    for k in range(PHASE_COUNT + 1):
        kill = effects[LANES * _KILL + k]
        if kill > 0.0:
            effects[LANES * _EFFLUX + k] /= kill


@njit(cache=True, error_model="numpy")
def find_rates(day, state, params, terms, ripples, many, weights, effects, out):
    """Find the rates of all states, as the mean over the phases of the day, into `out`.

    The arguments are those of `find_effects`; `effects` holds weights and spread of the phases too.
    """
    find_effects(day, terms, ripples, many, weights, effects)
    if many:
        rates_of_day(state, params, effects, out)
    else:
        steady_rates(state, params, effects, out)


@njit(cache=True, error_model="numpy")
def show(day, state, params, terms, ripples, many, weights, effects, out):
    """Find the outputs at the moment before a dose, into `out`."""
    find_effects(day, terms, ripples, many, weights, effects)
    outputs(state, params, effects, many, out)


@njit(cache=True, error_model="numpy")
def find_moment(state, params, effects):
    """Take the vessels of all lesions from their mean of the day to the moment of a dose.

    `effects` are those of the treatment that has been so far (`find_effects`).
    """
    for slot in range((state.size - PATIENT_SIZE) // LESION_SIZE):
        base, own = PATIENT_SIZE + slot * LESION_SIZE, PATIENT_PARAMS + slot * LESION_PARAMS
        swing = lesion_swing(state, base, params, own, effects)
        state[base + _CAPACITY] = max(state[base + _CAPACITY] + swing, 0.0)


@njit(cache=True, error_model="numpy")
def find_mean(state, params, effects):
    """Take the vessels of all lesions from the moment of a dose to their mean of the day.

    `effects` are those of the treatment that begins. The swing is that about the mean: found in two rounds.
    """
    for slot in range((state.size - PATIENT_SIZE) // LESION_SIZE):
        base, own = PATIENT_SIZE + slot * LESION_SIZE, PATIENT_PARAMS + slot * LESION_PARAMS
        moment = state[base + _CAPACITY]
        for _ in range(2):
            swing = lesion_swing(state, base, params, own, effects)
            state[base + _CAPACITY] = max(moment - swing, 0.0)


@njit(cache=True, error_model="numpy", fastmath=FAST)
def take_step(day, size, state, params, terms, ripples, many, weights, work, effects):
    """Go a step of `size` days from `state` (rates in ``work[0]``) into ``work[7]``, error into ``work[8]``.

    The rates at the new state stand in ``work[6]`` afterwards (first same as last).
    """
    n = state.size
    k, y = work, work[7, :n]
    for j in range(n):
        y[j] = state[j] + size * 0.161 * k[0, j]
    find_rates(day + 0.161 * size, y, params, terms, ripples, many, weights, effects, k[1])
    for j in range(n):
        y[j] = state[j] + size * (-0.008480655492356989 * k[0, j] + 0.335480655492357 * k[1, j])
    find_rates(day + 0.327 * size, y, params, terms, ripples, many, weights, effects, k[2])
    for j in range(n):
        y[j] = state[j] + size * (
            2.8971530571054935 * k[0, j] - 6.359448489975075 * k[1, j] + 4.3622954328695815 * k[2, j]
        )
    find_rates(day + 0.9 * size, y, params, terms, ripples, many, weights, effects, k[3])
    for j in range(n):
        early = 5.325864828439257 * k[0, j] - 11.748883564062828 * k[1, j]
        late = 7.4955393428898365 * k[2, j] - 0.09249506636175525 * k[3, j]
        y[j] = state[j] + size * (early + late)
    find_rates(day + 0.9800255409045097 * size, y, params, terms, ripples, many, weights, effects, k[4])
    for j in range(n):
        early = 5.86145544294642 * k[0, j] - 12.92096931784711 * k[1, j] + 8.159367898576159 * k[2, j]
        y[j] = state[j] + size * (early - 0.071584973281401 * k[3, j] - 0.028269050394068383 * k[4, j])
    find_rates(day + size, y, params, terms, ripples, many, weights, effects, k[5])
    for j in range(n):
        early = 0.09646076681806523 * k[0, j] + 0.01 * k[1, j] + 0.4798896504144996 * k[2, j]
        late = 1.379008574103742 * k[3, j] - 3.290069515436081 * k[4, j] + 2.324710524099774 * k[5, j]
        y[j] = state[j] + size * (early + late)
    find_rates(day + size, y, params, terms, ripples, many, weights, effects, k[6])
    for j in range(n):
        early = -0.00178001105222577714 * k[0, j] - 0.0008164344596567469 * k[1, j]
        middle = 0.007880878010261995 * k[2, j] - 0.1447110071732629 * k[3, j]
        late = 0.5823571654525552 * k[4, j] - 0.45808210592918697 * k[5, j] + k[6, j] / 66.0
        work[8, j] = size * (early + middle + late)


@njit(cache=True, error_model="numpy")
def measure(state, work, relative, absolute):
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
def accept(state, params, work):
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
def _hermite(share, low, slope_low, high, slope_high):
    """Cubic between two values with slopes (per whole interval) at a share of the interval."""
    rest = 1.0 - share
    ends = (1.0 + 2.0 * share) * rest * rest * low + (3.0 - 2.0 * share) * share * share * high
    return ends + share * rest * (rest * slope_low - share * slope_high)


@njit(cache=True, error_model="numpy")
def find_crossing(size, state, work, thresholds):
    """Find the first hazard that crosses its threshold within a step.

    Returns
    -------
    tuple
        Index of the hazard (-1: none) and the share of the step at which it crosses: root of the cubic
        through both ends and their rates, by bisection.
    """
    first, share = -1, 2.0
    for h in range(len(HAZARDS)):
        j = HAZARDS[h]
        if work[7, j] < thresholds[h]:
            continue
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = 0.5 * (low + high)
            value = _hermite(middle, state[j], size * work[0, j], work[7, j], size * work[6, j])
            if value < thresholds[h]:
                low = middle
            else:
                high = middle
        if high < share:
            first, share = h, high
    return first, share


@njit(cache=True, error_model="numpy")
def cross(length, first, state, params, terms, ripples, many, weights, tolerances, thresholds, work, effects):
    """Go on for `length` days, or until a hazard crosses its threshold.

    Returns
    -------
    tuple
        A `Status`, the last free step size, the days gone, and the hazard that crossed (-1: none).
    """
    relative, absolute = tolerances
    day, size, growth = 0.0, first, _GROWTH
    find_rates(0.0, state, params, terms, ripples, many, weights, effects, work[0])
    for _ in range(_MAX_STEPS):
        left = length - day
        if left <= 0.0:
            return 0, size, length, -1
        # Equal steps to the stop: a long one and a short rest would cost as much and be less exact.
        step = left / ceil(0.999 * left / size)
        take_step(day, step, state, params, terms, ripples, many, weights, work, effects)
        error = measure(state, work, relative, absolute)
        happened = -1
        if error <= 1.0:
            happened, share = find_crossing(step, state, work, thresholds)
            if happened >= 0 and share < 1.0 - _NEAR:
                step *= share
                take_step(day, step, state, params, terms, ripples, many, weights, work, effects)
            day = length if step == left else day + step
            if accept(state, params, work):
                find_rates(day, state, params, terms, ripples, many, weights, effects, work[0])
        if happened >= 0:
            return 0, size, day, happened
        factor = _GROWTH if error < 1e-4 else max(0.2, min(_GROWTH, 0.9 * error**-0.2))
        if error > 1.0:
            size, growth = step * factor, _GROWTH_AFTER
        else:
            # A step cut short by a stop says nothing against the size that was free.
            grown = step * min(factor, growth)
            size = grown if step >= size else max(size, grown)
        if size < _SMALLEST:
            return 2, size, day, -1
    return 1, size, day, -1


@njit(cache=True, error_model="numpy")
def _changes(ripples, k):
    """Whether what the phases of the day add to the levels changes at stop `k`."""
    for drug in range(ripples.shape[1]):
        for phase in range(ripples.shape[2]):
            if ripples[k, drug, phase] != (ripples[k - 1, drug, phase] if k > 0 else 0.0):
                return True
    return False


@njit(cache=True, error_model="numpy")
def integrate(state, params, times, terms, ripples, many, weights, tolerances, path, shown, work, effects):
    """Run one patient from ``times[0]`` to ``times[-1]``, stopping at every time; hazards only add up.

    Parameters
    ----------
    state
        States at the start (patient, then lesions); at the end on return.
    params
        Parameters (patient, then lesions), as the kernel takes them.
    times
        Days of the stops, increasing; shape = (n_times,).
    terms
        Amplitude and rate after each stop but the last; shape = (n_times - 1, n_drugs, TERMS, 2).
    ripples
        What each phase of the day, and last the moment before a dose, adds to the level;
        shape = (n_times - 1, n_drugs, n_phases + 1).
    many
        Whether the day has phases.
    weights
        Effects per concentration; shape = (n_drugs, n_effects).
    tolerances
        Relative and absolute tolerance of a step.
    path
        States at the stops are written here; shape = (n_times, n_states).
    shown
        Outputs at the stops are written here; shape = (n_times, n_outputs).
    work
        Working array; shape = (WORK, n_states).
    effects
        Working array; shape = (COLUMNS * LANES,).

    Returns
    -------
    int
        A `Status`. Where it is not FINE, stops that were not reached keep what `path` and `shown` held.
    """
    size = 1.0
    for k in range(times.size):
        here = min(k, terms.shape[0] - 1)
        since = 0.0 if k == here else times[k] - times[here]
        path[k] = state
        if many and k == here and _changes(ripples, k):
            if k > 0:
                before = times[k] - times[k - 1]
                find_effects(before, terms[k - 1], ripples[k - 1], many, weights, effects)
                find_moment(state, params, effects)
            find_effects(0.0, terms[k], ripples[k], many, weights, effects)
            find_mean(state, params, effects)
        show(since, state, params, terms[here], ripples[here], many, weights, effects, shown[k])
        if k == times.size - 1:
            break
        status, size, _, _ = cross(
            times[k + 1] - times[k],
            size,
            state,
            params,
            terms[k],
            ripples[k],
            many,
            weights,
            tolerances,
            (np.inf, np.inf, np.inf),
            work,
            effects,
        )
        if status != 0:
            return status
    return 0
