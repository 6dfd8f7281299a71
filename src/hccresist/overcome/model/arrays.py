"""The arrays that the compiled ensemble takes and writes, with their names.

No Numba here: importing this is quick.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Plan(NamedTuple):
    """What happens to patients, as arrays (n patients, D drugs, M doses, V visits, R procedures, K phases).

    A row of an array with ``n|1`` rows holds for all patients where there is one row only.

    Attributes
    ----------
    kinetics : (n, D, 10)
        See `levels.KINETICS`.
    weights : (D, effects)
        Effects per mg/L.
    offsets : (D + 1,)
        Where each drug's doses start and end in `days` and `amounts`.
    days, amounts : (M,)
        Days since the drug's start; mg, mg/kg, or for an inflow mg/day from then on.
    every_days, per_kg, inflow : (D,)
        Dosing interval; whether amounts are per kg; whether the drug flows in evenly (1.0 or 0.0).
    start, until, intensity : (n, D)
        Day of the first dose, day from which none is given, factor on doses.
    weight_kg : (n,)
        Body weight.
    taken : (n|1, M)
        Whether each dose is taken (1) or missed (0).
    visits : (n|1, V)
        Days of the scans, increasing.
    procedure_days, procedure_kinds, procedure_slots : (n|1, R)
        Increasing days (infinite: none); TACE, ABLATION or RESECTION; a slot, ALL_LESIONS or LARGEST_LESION.
    moments : (K + 1,)
        Moments of the dosing interval, the last its end.
    many
        Whether the day has phases (tablets in the fast mode).
    tolerances
        Relative and absolute error of a step.
    split
        How finely an interval is cut where clearance changes; see `pk.Split`.
    """

    kinetics: Any
    weights: Any
    offsets: Any
    days: Any
    amounts: Any
    every_days: Any
    per_kg: Any
    inflow: Any
    start: Any
    until: Any
    intensity: Any
    weight_kg: Any
    taken: Any
    visits: Any
    procedure_days: Any
    procedure_kinds: Any
    procedure_slots: Any
    moments: Any
    many: Any
    tolerances: Any
    split: Any


class Patients(NamedTuple):
    """Patients at the start of a run, as arrays (S slots for lesions).

    Attributes
    ----------
    params : (n, PATIENT_PARAMS + S * LESION_PARAMS)
        Parameters.
    state : (n, PATIENT_SIZE + S * LESION_SIZE)
        States at `begin`.
    amounts : (n, D, 3)
        Drug (mg) in blood, tissue and gut at `begin`.
    lesions, baseline : (n,)
        Lesions now, and at day zero: slots in use.
    begin, end : (n,)
        First and last day; hazards count from day zero, or from `begin` where that is later.
    thresholds : (n, 2 + S)
        Cumulative hazards at which death, dropout and each new lesion come.
    """

    params: Any
    state: Any
    amounts: Any
    lesions: Any
    baseline: Any
    begin: Any
    end: Any
    thresholds: Any


class Seen(NamedTuple):
    """What is kept of a run; what was not reached stays as it was.

    Attributes
    ----------
    shown : (n, V, outputs)
        Outputs at the visits: patient, then slots.
    path : (n, V, states)
        States at the visits.
    amounts : (n, V, D, 3)
        Drug (mg) at the visits, before a dose of that day.
    lesions : (n, V)
        Slots in use at the visits.
    events : (n, 2 + S)
        Days of death, of dropout, and on which each slot's lesion came (those of baseline: not a number).
    ended : (n,)
        Day on which the run ended.
    status : (n,)
        `integrate.Status`, or FULL.
    """

    shown: Any
    path: Any
    amounts: Any
    lesions: Any
    events: Any
    ended: Any
    status: Any


class Room(NamedTuple):
    """Working arrays, one of each for a thread."""

    work: Any
    state: Any
    effects: Any
    drugs: Any
    terms: Any
    ripples: Any
    pointers: Any


def make_room(threads: int, *, states: int, drugs: int, effects: NDArray[np.float64]) -> Room:
    """Make working arrays for so many threads; `effects` as `dosing.make_effects` gives them."""
    from hccresist.overcome.model.integrate import WORK  # noqa: PLC0415
    from hccresist.overcome.model.levels import SLOTS  # noqa: PLC0415
    from hccresist.overcome.pk import PHASE_COUNT, TERMS  # noqa: PLC0415

    return Room(
        np.zeros((threads, WORK, states)),
        np.zeros((threads, states)),
        np.tile(effects, (threads, 1)),
        np.zeros((threads, drugs, SLOTS)),
        np.zeros((threads, drugs, TERMS, 2)),
        np.zeros((threads, drugs, PHASE_COUNT + 1)),
        np.zeros((threads, drugs), dtype=np.int64),
    )
