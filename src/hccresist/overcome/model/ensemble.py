"""Patients one after another, compiled: doses, visits, procedures and random events of each.

A patient's course depends on nothing but the patient's own rows, so that results are equal bit by bit
whatever the number of threads or the cut into chunks. `run_one` allocates nothing and is the same function
on a GPU (`hccresist.overcome.cuda`).

This module imports Numba; import it only where patients are run.
"""

# pyright: basic
from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from hccresist.overcome.model.integrate import (
    CLONES,
    HAZARDS,
    cross,
    find_effects,
    find_mean,
    find_moment,
    show,
)
from hccresist.overcome.model.kernel_generated import (
    LESION_PARAMETERS,
    LESION_PARAMS,
    LESION_SHOWN,
    LESION_SIZE,
    LESION_STATES,
    PATIENT_PARAMETERS,
    PATIENT_PARAMS,
    PATIENT_SHOWN,
    PATIENT_SIZE,
    lesion_events,
)
from hccresist.overcome.model.levels import (
    INFLOW,
    PIECE_END,
    amount,
    begin,
    count_pieces,
    go_on,
    set_ripples,
    turn_inflow,
    write_terms,
)

STAMP: Final = "8ae913c0235222c8"
"""Digest of the modules that are compiled into this one, written by `generate`; see `integrate.STAMP`."""
DEATH, DROPOUT, NEW = 0, 1, 2
TACE, ABLATION, RESECTION = 0, 1, 2
ALL_LESIONS, LARGEST_LESION = -1, -2
FULL: Final = 3
"""Status of a patient who had more new lesions than there are slots (the run is fine otherwise)."""
_SAME: Final = 1e-9
_DEBRIS, _OEDEMA = LESION_STATES.index("debris"), LESION_STATES.index("oedema")
_CAPACITY, _CELL_STATES = LESION_STATES.index("capacity"), LESION_STATES.index("autophagy")
_TREG, _MYELOID = LESION_STATES.index("treg"), LESION_STATES.index("myeloid")
_P: Final = {name: i for i, name in enumerate(PATIENT_PARAMETERS)}
_EFFECTOR = LESION_STATES.index("effector")
_CELL_VOLUME, _ONE_CELL = _P["cell_volume"], _P["one_cell"]
_TREG_RATIO, _MYELOID_RATIO = _P["treg_ratio"], _P["myeloid_ratio"]
_CAPACITY_RATIO = LESION_PARAMETERS.index("capacity_ratio")


@njit(cache=True, error_model="numpy")
def _next_dose(plan, i, d, pointer, own):
    """Day of a drug's next dose or change of inflow; infinite where there is none."""
    until = plan.until[i, d]
    if pointer < plan.offsets[d + 1]:
        day = plan.start[i, d] + plan.days[pointer]
        if day < until - _SAME:
            return day
    if plan.inflow[d] > 0.0 and own[INFLOW] > 0.0:
        return until
    return np.inf


@njit(cache=True, error_model="numpy")
def _dose(plan, i, d, pointer, own):
    """Amount given now (mg, or mg/day) with what a patient takes of it."""
    size = plan.amounts[pointer] * plan.intensity[i, d] * plan.taken[i % plan.taken.shape[0], pointer]
    if plan.per_kg[d] > 0.0:
        size *= plan.weight_kg[i]
    return size


@njit(cache=True, error_model="numpy")
def _begin_piece(plan, patients, i, d, t, x, inflow, room, thread):
    """Begin a drug's next piece from the amounts `x` at day `t`."""
    own = room.drugs[thread, d]
    kin = plan.kinetics[i, d]
    pointer = room.pointers[thread, d]
    own[INFLOW] = inflow
    stop = min(_next_dose(plan, i, d, pointer, own), patients.end[i])
    days = max(stop - t, _SAME)
    since = t - plan.start[i, d]
    days /= count_pieces(kin, since, days, plan.split)
    begin(kin, own, since, days, x[0], x[1], x[2], inflow)
    own[PIECE_END] = t + days if stop > t + days + _SAME else stop
    set_ripples(kin, own, plan.every_days[d], plan.moments, room.ripples[thread, d])


@njit(cache=True, error_model="numpy")
def _start_drugs(plan, patients, i, room, thread):
    """Put all drugs where they stand at the start of the run."""
    t = patients.begin[i]
    for d in range(plan.weights.shape[0]):
        own = room.drugs[thread, d]
        for j in range(own.size):
            own[j] = 0.0
        pointer, inflow = plan.offsets[d], 0.0
        while pointer < plan.offsets[d + 1] and plan.start[i, d] + plan.days[pointer] < t - _SAME:
            inflow = _dose(plan, i, d, pointer, own) if plan.inflow[d] > 0.0 else 0.0
            pointer += 1
        if t > plan.until[i, d] + _SAME:
            inflow = 0.0
        room.pointers[thread, d] = pointer
        x = (patients.amounts[i, d, 0], patients.amounts[i, d, 1], patients.amounts[i, d, 2])
        _begin_piece(plan, patients, i, d, t, x, inflow, room, thread)


@njit(cache=True, error_model="numpy")
def _flow_in(plan, i, d, inflow, change, x, own):
    """Mean amounts after a change of inflow."""
    more = turn_inflow(plan.kinetics[i, d], own, change, plan.every_days[d])
    return x[0] + more[0], x[1] + more[1], x[2] + more[2]


@njit(cache=True, error_model="numpy")
def _give(plan, patients, i, d, t, room, thread):
    """Give what a drug's plan has for day `t`, or go on to its next piece."""
    own = room.drugs[thread, d]
    pointer = room.pointers[thread, d]
    if _next_dose(plan, i, d, pointer, own) > t + _SAME:
        if own[PIECE_END] <= t + _SAME:
            x = (amount(own, 0), amount(own, 1), amount(own, 2))
            _begin_piece(plan, patients, i, d, t, x, own[INFLOW], room, thread)
        return
    x0, x1, x2 = amount(own, 0), amount(own, 1), amount(own, 2)
    inflow = own[INFLOW]
    given = pointer < plan.offsets[d + 1] and plan.start[i, d] + plan.days[pointer] <= t + _SAME
    given = given and t < plan.until[i, d] - _SAME
    size = _dose(plan, i, d, pointer, own) if given else 0.0
    if plan.inflow[d] > 0.0:
        x0, x1, x2 = _flow_in(plan, i, d, inflow, size - inflow, (x0, x1, x2), own)
        inflow = size
    elif plan.kinetics[i, d, 4] > 0.0:
        x2 += size
    else:
        x0 += size
    if given:
        room.pointers[thread, d] = pointer + 1
    _begin_piece(plan, patients, i, d, t, (x0, x1, x2), inflow, room, thread)


@njit(cache=True, error_model="numpy")
def _next_stop(plan, patients, i, t, visit, procedure, room, thread):
    """Day of the next stop: visit, dose, piece of kinetics, procedure, day zero, end."""
    stop = patients.end[i]
    if t < -_SAME:
        stop = min(stop, 0.0)
    if visit < plan.visits.shape[1]:
        stop = min(stop, plan.visits[i % plan.visits.shape[0], visit])
    if procedure < plan.procedure_days.shape[1]:
        stop = min(stop, plan.procedure_days[i % plan.procedure_days.shape[0], procedure])
    for d in range(plan.weights.shape[0]):
        own = room.drugs[thread, d]
        stop = min(stop, _next_dose(plan, i, d, room.pointers[thread, d], own))
        stop = min(stop, own[PIECE_END]) if own[PIECE_END] > t + _SAME else stop
    return max(stop, t)


@njit(cache=True, error_model="numpy")
def _keep(plan, patients, i, visit, lesions, seen, room, thread):
    """Keep outputs, states and drug amounts of a visit."""
    size = PATIENT_SIZE + lesions * LESION_SIZE
    state = room.state[thread]
    for j in range(size):
        seen.path[i, visit, j] = state[j]
    for d in range(plan.weights.shape[0]):
        for c in range(3):
            seen.amounts[i, visit, d, c] = amount(room.drugs[thread, d], c)
    seen.lesions[i, visit] = lesions
    terms, ripples, effects = room.terms[thread], room.ripples[thread], room.effects[thread]
    shown = seen.shown[i, visit, : PATIENT_SHOWN + lesions * LESION_SHOWN]
    show(0.0, state[:size], patients.params[i], terms, ripples, plan.many, plan.weights, effects, shown)


@njit(cache=True, error_model="numpy")
def _cells(state, base):
    """Tumour cells of one lesion (G)."""
    total = 0.0
    for j in range(CLONES):
        total += state[base + j]
    return total


@njit(cache=True, error_model="numpy")
def _find_largest(state, lesions, cell_volume):
    """Slot of the largest lesion."""
    largest, best = 0, -1.0
    for slot in range(lesions):
        base = PATIENT_SIZE + slot * LESION_SIZE
        volume = cell_volume * _cells(state, base) + state[base + _DEBRIS] + state[base + _OEDEMA]
        if volume > best:
            largest, best = slot, volume
    return largest


@njit(cache=True, error_model="numpy")
def treat_lesion(state, base, kind, kept, cell_volume):
    """Apply a procedure to one lesion.

    `kept` are the shares left: by chemoembolisation of cells and of vessels, by ablation and by resection
    of cells. Chemoembolisation and ablation leave dead tissue; resection takes it away.
    """
    cells = kept[0] if kind == TACE else kept[2] if kind == ABLATION else kept[3]
    vessels = kept[1] if kind == TACE else cells
    if kind != RESECTION:
        state[base + _DEBRIS] += cell_volume * _cells(state, base) * (1.0 - cells)
    else:
        state[base + _DEBRIS] *= cells
        state[base + _OEDEMA] *= cells
    for j in range(_CELL_STATES):
        if j < CLONES or j >= _EFFECTOR:
            state[base + j] *= cells
    state[base + _CAPACITY] *= vessels


@njit(cache=True, error_model="numpy")
def _apply(plan, patients, i, procedure, lesions, state):
    """Apply one procedure to the lesions that it is meant for."""
    row = i % plan.procedure_days.shape[0]
    kind, slot = plan.procedure_kinds[row, procedure], plan.procedure_slots[row, procedure]
    params = patients.params[i]
    if slot == LARGEST_LESION:
        slot = _find_largest(state, lesions, params[_CELL_VOLUME])
    for each in range(lesions):
        if slot in (ALL_LESIONS, each):
            base, own = PATIENT_SIZE + each * LESION_SIZE, PATIENT_PARAMS + each * LESION_PARAMS
            kept = lesion_events(params, own)[1:]
            treat_lesion(state, base, kind, kept, params[_CELL_VOLUME])


@njit(cache=True, error_model="numpy")
def open_lesion(state, params, lesions):
    """Put a new lesion into the next slot: with the patient's clones, well supplied, not infiltrated."""
    base, own = PATIENT_SIZE + lesions * LESION_SIZE, PATIENT_PARAMS + lesions * LESION_PARAMS
    cells = lesion_events(params, own)[0]
    for j in range(LESION_SIZE):
        state[base + j] = 0.0
    total = 0.0
    for slot in range(lesions):
        total += _cells(state, PATIENT_SIZE + slot * LESION_SIZE)
    for j in range(CLONES):
        clone = 0.0
        for slot in range(lesions):
            clone += state[PATIENT_SIZE + slot * LESION_SIZE + j]
        share = clone / total if total > 0.0 else (1.0 if j == 0 else 0.0)
        state[base + j] = share * cells if share * cells >= params[_ONE_CELL] else 0.0
    state[base + _CAPACITY] = params[own + _CAPACITY_RATIO] * cells
    state[base + _TREG] = params[_TREG_RATIO] * cells
    state[base + _MYELOID] = params[_MYELOID_RATIO] * cells


@njit(cache=True, error_model="numpy")
def _clear_hazards(state):
    """Hazards count from here."""
    for h in range(len(HAZARDS)):
        state[HAZARDS[h]] = 0.0


@njit(cache=True, error_model="numpy")
def _thresholds(patients, i, t, lesions):
    """Thresholds of death, dropout and the next new lesion; none before day zero."""
    if t < -_SAME:
        return np.inf, np.inf, np.inf
    rows = patients.thresholds[i]
    slots = rows.size - 2
    found = lesions - patients.baseline[i]
    following = rows[2 + found] if found < slots and lesions < slots else np.inf
    return rows[DEATH], rows[DROPOUT], following


@njit(cache=True, error_model="numpy")
def _pass(plan, i, days, room, thread):
    """Bring all drugs `days` forward and write their terms."""
    for d in range(plan.weights.shape[0]):
        own = room.drugs[thread, d]
        if days > 0.0:
            go_on(own, days)
        write_terms(plan.kinetics[i, d], own, room.terms[thread, d])


@njit(cache=True, error_model="numpy")
def _turns(plan, i, t, room, thread):
    """Whether tablets change at day `t`, and with them the swing of vessels within the day."""
    for d in range(plan.weights.shape[0]):
        own = room.drugs[thread, d]
        now = _next_dose(plan, i, d, room.pointers[thread, d], own) <= t + _SAME
        if plan.inflow[d] > 0.0 and (now or (own[INFLOW] > 0.0 and own[PIECE_END] <= t + _SAME)):
            return True
    return False


@njit(cache=True, error_model="numpy")
def _find_effects(plan, room, thread):
    """Find what the drugs do now."""
    terms, ripples, effects = room.terms[thread], room.ripples[thread], room.effects[thread]
    find_effects(0.0, terms, ripples, plan.many, plan.weights, effects)
    return effects


@njit(cache=True, error_model="numpy")
def _own(room, lesions, thread):
    """States of the patient and of the lesions that are there."""
    return room.state[thread, : PATIENT_SIZE + lesions * LESION_SIZE]


@njit(cache=True, error_model="numpy")
def _stop(plan, patients, i, t, visit, procedure, lesions, seen, room, thread):
    """Do what there is at day `t`: scan, procedures, doses; the next visit and procedure."""
    row = i % plan.visits.shape[0]
    while visit < plan.visits.shape[1] and plan.visits[row, visit] <= t + _SAME:
        if plan.visits[row, visit] > t - _SAME:
            _keep(plan, patients, i, visit, lesions, seen, room, thread)
        visit += 1
    row = i % plan.procedure_days.shape[0]
    while procedure < plan.procedure_days.shape[1] and plan.procedure_days[row, procedure] <= t + _SAME:
        if plan.procedure_days[row, procedure] > t - _SAME:
            _apply(plan, patients, i, procedure, lesions, room.state[thread])
        procedure += 1
    turns = plan.many and _turns(plan, i, t, room, thread)
    if turns:
        find_moment(_own(room, lesions, thread), patients.params[i], _find_effects(plan, room, thread))
    for d in range(plan.weights.shape[0]):
        _give(plan, patients, i, d, t, room, thread)
    _pass(plan, i, 0.0, room, thread)
    if turns:
        find_mean(_own(room, lesions, thread), patients.params[i], _find_effects(plan, room, thread))
    return visit, procedure


@njit(cache=True, error_model="numpy")
def run_one(plan, patients, i, seen, room, thread):
    """Run patient `i` from begin to end, death or dropout, in the working arrays of a thread."""
    state, lesions = room.state[thread], patients.lesions[i]
    for j in range(state.size):
        state[j] = patients.state[i, j]
    t, size, status, last = patients.begin[i], 1.0, 0, -1
    visit = procedure = 0
    _start_drugs(plan, patients, i, room, thread)
    _pass(plan, i, 0.0, room, thread)
    while True:
        if abs(t) <= _SAME and patients.begin[i] < -_SAME and last < 0:
            _clear_hazards(state)
        if last < 0:
            visit, procedure = _stop(plan, patients, i, t, visit, procedure, lesions, seen, room, thread)
        if t >= patients.end[i] - _SAME or status != 0:
            break
        stop = _next_stop(plan, patients, i, t, visit, procedure, room, thread)
        status, size, gone, last = cross(
            stop - t,
            size,
            state[: PATIENT_SIZE + lesions * LESION_SIZE],
            patients.params[i],
            room.terms[thread],
            room.ripples[thread],
            plan.many,
            plan.weights,
            plan.tolerances,
            _thresholds(patients, i, t, lesions),
            room.work[thread],
            room.effects[thread],
        )
        _pass(plan, i, gone, room, thread)
        t = stop if last < 0 and status == 0 else t + gone
        if last in (DEATH, DROPOUT):
            seen.events[i, last] = t
            break
        if last == NEW:
            open_lesion(state, patients.params[i], lesions)
            seen.events[i, 2 + lesions] = t
            lesions += 1
    full = lesions == patients.thresholds.shape[1] - 2 and lesions > patients.baseline[i]
    seen.status[i] = status if status != 0 else FULL if full else 0
    seen.ended[i] = t


@njit(cache=True, error_model="numpy", nogil=True)
def run_range(plan, patients, first, last, seen, room, thread):
    """Run the patients from `first` to before `last` in the working arrays of one thread."""
    for i in range(first, last):
        run_one(plan, patients, i, seen, room, thread)
