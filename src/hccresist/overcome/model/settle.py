"""Untreated patients at given lesion sizes, compiled: the make-up of a growing lesion before day zero.

The make-up (vessels, infiltrate, dead tissue) is found by growing the lesions untreated and scaling them back
to their sizes until it no longer changes; what is slower than that (memory, liver reserve, dead tissue) is
taken to its balance at these sizes.

This module imports Numba; import it only where patients are run.
"""

# pyright: basic
from __future__ import annotations

from math import exp, expm1, log
from typing import Final

import numpy as np
from numba import njit

from hccresist.overcome.model.integrate import CLONES, HAZARDS, cross, find_rates, show
from hccresist.overcome.model.kernel_generated import (
    LESION_OUTPUTS,
    LESION_PARAMETERS,
    LESION_SHOWN,
    LESION_SIZE,
    LESION_STATES,
    PATIENT_PARAMETERS,
    PATIENT_SHOWN,
    PATIENT_SIZE,
    PATIENT_STATES,
)

STAMP: Final = "9ee429e81afc751e"
"""Digest of the modules that are compiled into this one, written by `generate`; see `integrate.STAMP`."""
ROUND_DAYS: Final = 60.0
"""Days that lesions grow before they are scaled back."""
ROUNDS: Final = 12
"""Most rounds; fewer where growth, memory and T cells of the blood no longer change."""
HISTORY_DAYS: Final = 720.0
"""Days over which micrometastases were seeded before the start (assumption)."""
MOST_SEEDED: Final = 0.1
"""Largest share of the tumour's cells that micrometastases have at the start (assumption)."""
SHRINKS: Final = ((2, -3e-3), (4, -1e-3))
"""Rounds, and growth rate of a volume (1/day) after them below which a lesion is taken to shrink untreated.
Of 16,000 virtual patients 9,887 had lesions that all grew in the end, and 5 of these were ever below; of the
others four fifths were."""
_LEAST_ROUNDS: Final = 4
_SETTLED: Final = 3e-3
_ONE_PHASE: Final = False
_CELL_STATES: Final = LESION_STATES.index("autophagy")
_VOLUME: Final = LESION_OUTPUTS.index("whole_volume")
_P: Final = {name: i for i, name in enumerate(PATIENT_PARAMETERS)}
_S: Final = {name: i for i, name in enumerate(PATIENT_STATES)}
_L: Final = {name: i for i, name in enumerate(LESION_STATES)}
_CELL_VOLUME, _TREG_RATIO, _MYELOID_RATIO = _P["cell_volume"], _P["treg_ratio"], _P["myeloid_ratio"]
_TONE_BASE, _LIVER_BEST, _LIVER_REPAIR = _P["tone_base"], _P["liver_best"], _P["liver_repair"]
_MEMORY_DEATH, _DEBRIS_CLEAR = _P["memory_death"], _P["debris_clear"]
_AFP_RATE, _AFP_LOSS = _P["afp_rate"], _P["afp_loss"]
_SEED, _EMT, _MET_GROWTH, _MET_KILL = _P["seed_rate"], _P["h_emt"], _P["micromet_growth"], _P["micromet_kill"]
_CAPACITY_RATIO: Final = LESION_PARAMETERS.index("capacity_ratio")
_MUTATION, _TOLERANCE, _PRESENTATION = _P["h_mutation"], _P["h_tolerance"], _P["h_presentation"]
_BLOOD, _MEMORY, _TONE, _LIVER = _S["blood_effector"], _S["stem_memory"], _S["myeloid_tone"], _S["liver"]
_AFP, _MICROMETS = _S["afp"], _S["micromets"]
_CAPACITY, _DEBRIS, _EFFECTOR = _L["capacity"], _L["debris"], _L["effector"]
_EXHAUSTED, _TREG, _MYELOID = _L["exhausted"], _L["treg"], _L["myeloid"]


@njit(cache=True, error_model="numpy")
def _guess(params, diameters, lesions, state):
    """First state: cells fill the lesion, the rest in proportion to them."""
    for j in range(state.size):
        state[j] = 0.0
    total = 0.0
    for slot in range(lesions):
        base = PATIENT_SIZE + slot * LESION_SIZE
        cells = 0.7 * np.pi / 6.0 * (diameters[slot] / 10.0) ** 3 / params[_CELL_VOLUME]
        state[base] = cells
        state[base + _CAPACITY], state[base + _DEBRIS] = 2.0 * cells, 0.3 * cells
        state[base + _EFFECTOR], state[base + _EXHAUSTED] = 0.02 * cells, 0.05 * cells
        state[base + _TREG] = params[_TREG_RATIO] * cells
        state[base + _MYELOID] = params[_MYELOID_RATIO] * cells
        total += cells
    state[_BLOOD], state[_MEMORY] = 0.3, 0.2
    state[_TONE], state[_LIVER] = params[_TONE_BASE], 0.95 * params[_LIVER_BEST]
    state[_AFP] = params[_AFP_RATE] * total / params[_AFP_LOSS]


@njit(cache=True, error_model="numpy")
def _scale(state, slot, factor):
    """Scale all that has a size in one lesion."""
    base = PATIENT_SIZE + slot * LESION_SIZE
    for j in range(_CELL_STATES):
        state[base + j] *= factor


@njit(cache=True, error_model="numpy")
def _seeded(params, state, growth, cells):
    """Micrometastatic cells seeded in HISTORY_DAYS by a tumour that grew at its present rate (1/day)."""
    rate = params[_MET_GROWTH] - params[_MET_KILL] * state[_BLOOD] - max(growth, 0.0)
    seeded = params[_SEED] * (1.0 + params[_EMT]) * cells
    if abs(rate) * HISTORY_DAYS < 1e-6:
        return seeded * HISTORY_DAYS
    return min(seeded * expm1(rate * HISTORY_DAYS) / rate, MOST_SEEDED * cells)


@njit(cache=True, error_model="numpy")
def _split(state, slot, tolerant, escaped):
    """Part the cells of a lesion among the clones, tolerance and escape independent of each other."""
    base = PATIENT_SIZE + slot * LESION_SIZE
    cells = 0.0
    for j in range(CLONES):
        cells += state[base + j]
    state[base] = cells * (1.0 - tolerant) * (1.0 - escaped)
    state[base + 1] = cells * tolerant * (1.0 - escaped)
    state[base + 2] = cells * (1.0 - tolerant) * escaped
    state[base + 3] = cells * tolerant * escaped


@njit(cache=True, error_model="numpy")
def _balance(params, state, rates):
    """Take memory and liver reserve to where they lead: each is gained at one rate and lost in proportion."""
    state[_MEMORY] += rates[_MEMORY] / params[_MEMORY_DEATH]
    repair, liver = params[_LIVER_REPAIR], state[_LIVER]
    worn = repair * (params[_LIVER_BEST] - liver) - rates[_LIVER]
    state[_LIVER] = repair * params[_LIVER_BEST] / (repair + worn / liver)


@njit(cache=True, error_model="numpy")
def _balance_debris(params, state, rates, slot, growth):
    """Take dead tissue of a lesion to where it grows as the lesion does; how much volume that adds (mL)."""
    at = PATIENT_SIZE + slot * LESION_SIZE + _DEBRIS
    before = state[at]
    pace = params[_DEBRIS_CLEAR] + growth
    if pace > 0.0:
        state[at] += (rates[at] - growth * before) / pace
    return state[at] - before


@njit(cache=True, error_model="numpy")
def _round(params, diameters, lesions, tolerances, growth, state, work, shown, effects, empty):
    """Grow for a round, scale back, balance what is slow; the status and the largest change of the round."""
    terms, ripples, weights = empty
    size = PATIENT_SIZE + lesions * LESION_SIZE
    never = (np.inf, np.inf, np.inf)
    memory, blood = state[_MEMORY], state[_BLOOD]
    rates = work[0, :size]
    status, _, _, _ = cross(
        ROUND_DAYS,
        1.0,
        state[:size],
        params,
        terms,
        ripples,
        _ONE_PHASE,
        weights,
        tolerances,
        never,
        work,
        effects,
    )
    show(0.0, state[:size], params, terms, ripples, _ONE_PHASE, weights, effects, shown)
    find_rates(0.0, state[:size], params, terms, ripples, _ONE_PHASE, weights, effects, rates)
    change = 0.0
    for slot in range(lesions):
        now = shown[PATIENT_SHOWN + slot * LESION_SHOWN + _VOLUME]
        wanted = np.pi / 6.0 * (diameters[slot] / 10.0) ** 3
        rate = log(now / wanted) / ROUND_DAYS
        change = max(change, abs(rate - growth[slot]) * ROUND_DAYS)
        growth[slot] = rate
        now += _balance_debris(params, state, rates, slot, rate)
        _scale(state, slot, wanted / now)
    find_rates(0.0, state[:size], params, terms, ripples, _ONE_PHASE, weights, effects, rates)
    _balance(params, state, rates)
    change = max(change, abs(state[_MEMORY] - memory) / (memory + 1e-9))
    return status, max(change, abs(state[_BLOOD] - blood) / (blood + 1e-9))


@njit(cache=True, error_model="numpy")
def _shrinks(growth, rounds):
    """Whether a lesion will not be found to grow, after so many rounds."""
    (early, fast), (late, slow) = SHRINKS
    lowest = growth.min()
    return (rounds >= early and lowest < fast) or (rounds >= late and lowest < slow)


@njit(cache=True, error_model="numpy")
def settle_one(
    params,
    diameters,
    lesions,
    clones,
    before,
    tolerances,
    growing,
    growth,
    state,
    work,
    shown,
    effects,
    empty,
):
    """Find the untreated state `before` days ahead of the day on which lesions have their diameters.

    Parameters
    ----------
    params
        Parameters (changed while this runs, and put back).
    diameters, growth
        Whole diameters (mm); growth rates of the volumes are written here (1/day); shape = (slots,).
    clones
        Shares of tumour cells tolerant to kinase inhibitors, and without antigen presentation.
    growing
        Whether a patient is not wanted where a lesion shrinks: the rounds then end early; see `SHRINKS`.
    state
        The state is written here.
    work, shown, effects, empty
        Working arrays.

    Returns
    -------
    int
        Status.
    """
    kept = (params[_MUTATION], params[_TOLERANCE], params[_PRESENTATION])
    params[_MUTATION] = params[_TOLERANCE] = params[_PRESENTATION] = 0.0
    _guess(params, diameters, lesions, state)
    status = 0
    for turn in range(ROUNDS):
        status, change = _round(
            params, diameters, lesions, tolerances, growth, state, work, shown, effects, empty
        )
        if status != 0:
            break
        if turn + 1 >= _LEAST_ROUNDS and change < _SETTLED:
            break
        if growing and _shrinks(growth[:lesions], turn + 1):
            break
    params[_MUTATION], params[_TOLERANCE], params[_PRESENTATION] = kept
    total, cells_growth = 0.0, 0.0
    for slot in range(lesions):
        base = PATIENT_SIZE + slot * LESION_SIZE
        _scale(state, slot, exp(-growth[slot] * before))
        for j in range(CLONES):
            total += state[base + j]
            cells_growth += growth[slot] * state[base + j]
        _split(state, slot, clones[0], clones[1])
    state[_MICROMETS] = _seeded(params, state, cells_growth / total if total > 0.0 else 0.0, total)
    for h in range(len(HAZARDS)):
        state[HAZARDS[h]] = 0.0
    return status


@njit(cache=True, error_model="numpy", nogil=True)
def settle_range(
    params,
    diameters,
    lesions,
    clones,
    before,
    tolerances,
    growing,
    growth,
    state,
    status,
    first,
    last,
    rooms,
    empty,
):
    """Settle the patients from `first` to before `last`; rows of the arrays are patients.

    `rooms` are the working arrays of one thread.
    """
    work, shown, effects = rooms
    for i in range(first, last):
        status[i] = settle_one(
            params[i],
            diameters[i],
            lesions[i],
            clones[i],
            before[i],
            tolerances,
            growing,
            growth[i],
            state[i],
            work,
            shown,
            effects,
            empty,
        )
