"""One patient for the kernel: parameters and states as arrays, a start at given diameters, one run.

Numba is loaded only when a patient is run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hccresist.errors import ComputationError, ConfigError
from hccresist.overcome.model.parameters import Model, read_model
from hccresist.overcome.pk import PHASES, TERMS

Array = NDArray[np.float64]

TOLERANCES: Final = (1e-6, 1e-10)
"""Relative and absolute error of a step that runs are made with."""
_ROUND_DAYS: Final = 60.0
_ROUNDS: Final = 12


@dataclass(frozen=True)
class Drugs:
    """What the drugs of a run do, as the kernel takes it.

    Attributes
    ----------
    terms
        shape = (n_intervals, n_drugs, TERMS, 2): amplitude (mg/L) and rate (1/day) after a stop.
    ripples
        shape = (n_intervals, n_drugs, n_phases + 1): what each phase of the day, and last the moment before
        a dose, adds to the level (mg/L).
    weights
        shape = (n_drugs, n_effects): effect per concentration.
    every_days
        Longest dosing interval of tablets given as phases of the day; zero where there are none.
    """

    terms: Array
    ripples: Array
    weights: Array
    every_days: float = 0.0


@dataclass(frozen=True)
class Run:
    """A run of one patient.

    Attributes
    ----------
    times
        Days of the stops; shape = (n_times,).
    path
        States at the stops; shape = (n_times, n_states).
    shown
        Outputs at the stops; shape = (n_times, n_outputs).
    lesions
        Number of lesions.
    """

    times: Array
    path: Array
    shown: Array
    lesions: int

    def state(self, name: str, *, lesion: int | None = None) -> Array:
        """One state over time; of one lesion (from 0) where it is a state of lesions."""
        model = read_model()
        if lesion is None:
            return self.path[:, model.patient.states.index(name)]
        size = len(model.patient.states)
        return self.path[:, size + lesion * len(model.lesion.states) + model.lesion.states.index(name)]

    def output(self, name: str, *, lesion: int | None = None) -> Array:
        """One output over time; of one lesion (from 0) where it is an output of lesions."""
        model = read_model()
        if lesion is None:
            return self.shown[:, model.outputs("patient").index(name)]
        names = model.outputs("lesion")
        return self.shown[:, len(model.outputs("patient")) + lesion * len(names) + names.index(name)]


def make_parameters(
    lesions: int = 1,
    *,
    values: Mapping[str, float] | None = None,
    each: Sequence[Mapping[str, float]] = (),
) -> Array:
    """Parameters of one patient as the kernel takes them.

    Parameters
    ----------
    lesions
        Number of lesions.
    values
        Values that differ from the table; those of lesions hold for all lesions.
    each
        Values of single lesions, one mapping a lesion.

    Raises
    ------
    ConfigError
        Where a name is no parameter, or no parameter of lesions.

    Examples
    --------
    >>> make_parameters(2).size - make_parameters(1).size
    8
    """
    model = read_model()
    given = dict(values or {})
    known = {parameter.name: parameter.value for parameter in model.parameters}
    wrong = sorted(set(given) - set(known))
    local = model.names("lesion")
    wrong += sorted({name for one in each for name in one} - set(local))
    if wrong:
        message = f"no parameter of the model (or not one of lesions): {', '.join(wrong)}"
        raise ConfigError(message)
    whole = known | given
    own = [dict(one) for one in each] or [{} for _ in range(lesions)]
    if len(own) != lesions:
        message = f"values for {len(own)} lesions, but {lesions} lesions"
        raise ConfigError(message)
    rows = [whole[name] for name in model.names("patient")]
    rows += [(whole | one)[name] for one in own for name in local]
    return np.array(rows, dtype=np.float64)


def make_drugs(effects: Mapping[str, float] | None = None, *, intervals: int = 1) -> Drugs:
    """Drugs whose effects stay as they are (for tests, and for no drug at all).

    Raises
    ------
    ConfigError
        Where a name is no drug effect, or a share of a target is not below one.
    """
    from hccresist.overcome.model.integrate import SATURATING  # noqa: PLC0415  (loads Numba)

    names = [exposure.name for exposure in read_model().exposures]
    given = dict(effects or {})
    wrong = sorted(set(given) - set(names))
    if wrong:
        message = f"no drug effect: {', '.join(wrong)}"
        raise ConfigError(message)
    weights = np.zeros((1, len(names)))
    for name, value in given.items():
        index = names.index(name)
        if index < SATURATING and not 0 <= value < 1:
            message = f"{name} is a share of a target: from 0 to below 1, not {value}"
            raise ConfigError(message)
        weights[0, index] = value / (1 - value) if index < SATURATING else value
    efflux, kill = names.index("efflux_affinity"), names.index("dose_kill")
    weights[0, efflux] *= weights[0, kill]
    terms = np.zeros((intervals, 1, TERMS, 2))
    terms[:, 0, 0, 0] = 1.0
    return Drugs(terms, np.zeros((intervals, 1, PHASES.moments.size)), weights)


def make_effects(every_days: float) -> Array:
    """Make the kernel's array of drug effects, with weights and swing of phases of so many days."""
    from hccresist.overcome.model import kernel_generated as kernel  # noqa: PLC0415  (loads Numba)

    found = np.zeros((kernel.COLUMNS, kernel.LANES))
    found[kernel.SHARES, : PHASES.shares.size] = PHASES.shares
    found[kernel.SPREAD :, : PHASES.moments.size] = PHASES.swing * every_days
    return found.ravel()


def run_patient(
    state: Array,
    params: Array,
    times: Sequence[float] | Array,
    *,
    drugs: Drugs | None = None,
    tolerances: tuple[float, float] = TOLERANCES,
) -> Run:
    """Run one patient.

    Raises
    ------
    ComputationError
        Where the equations could not be solved to the tolerance.
    """
    from hccresist.overcome.model.integrate import WORK, Status, integrate  # noqa: PLC0415  (loads Numba)

    model = read_model()
    days = np.ascontiguousarray(times, dtype=np.float64)
    given = drugs or make_drugs(intervals=max(days.size - 1, 1))
    lesions = (state.size - len(model.patient.states)) // len(model.lesion.states)
    shape = len(model.outputs("patient")) + lesions * len(model.outputs("lesion"))
    path = np.full((days.size, state.size), np.nan)
    shown = np.full((days.size, shape), np.nan)
    work = np.empty((WORK, state.size))
    start = np.array(state, dtype=np.float64)
    effects = make_effects(given.every_days)
    drug = (given.terms, given.ripples, given.every_days > 0, given.weights)
    ended = integrate(start, params, days, *drug, tolerances, path, shown, work, effects)
    if ended != Status.FINE:
        reached = int(np.isfinite(path[:, 0]).sum())
        message = f"stopped after day {days[reached - 1]:g}: {Status(ended).name.lower().replace('_', ' ')}"
        raise ComputationError(message)
    return Run(days, path, shown, lesions)


def start_state(
    params: Array,
    diameters_mm: Sequence[float],
    *,
    tolerant: float = 0.0,
    escaped: float = 0.0,
) -> Array:
    """Find the states of an untreated patient whose lesions have the given whole diameters.

    The make-up of a growing lesion (vessels, infiltrate, dead tissue) is found by growing it untreated
    and scaling it back to its size, until it no longer changes. Memory lasts too long for that: it is taken
    to where it leads at this size. Cumulative hazards start at zero.

    Parameters
    ----------
    params
        Parameters of the patient, for as many lesions as there are diameters.
    diameters_mm
        Whole diameters of the lesions.
    tolerant, escaped
        Share of tumour cells that are tolerant to kinase inhibitors, and that lack antigen presentation, at
        the start (taken as independent of each other).
    """
    model = read_model()
    volumes = np.pi / 6 * (np.asarray(diameters_mm, dtype=np.float64) / 10) ** 3
    state = _guess(model, params, volumes)
    size, step = len(model.patient.states), len(model.lesion.states)
    quiet = _without_change(model, params)
    known = dict(zip(model.names("patient"), params, strict=False))
    memory = model.patient.states.index("stem_memory")
    for _ in range(_ROUNDS):
        run = run_patient(state, quiet, [0.0, _ROUND_DAYS])
        state = run.path[-1].copy()
        for i, volume in enumerate(volumes):
            now = float(run.output("whole_volume", lesion=i)[-1])
            extensive = slice(size + i * step, size + i * step + model.lesion.states.index("autophagy"))
            state[extensive] *= volume / now
        state[memory] += _still_gained(state, quiet, memory, known["memory_death"])
    for i in range(len(volumes)):
        cells = state[size + i * step]
        shares = np.array([(1 - tolerant) * (1 - escaped), tolerant * (1 - escaped)])
        others = np.array([(1 - tolerant) * escaped, tolerant * escaped])
        state[size + i * step : size + i * step + 4] = cells * np.concatenate([shares, others])
    for name in ("hazard_new", "hazard_death", "hazard_dropout"):
        state[model.patient.states.index(name)] = 0.0
    return state


def _still_gained(state: Array, params: Array, place: int, loss: float) -> float:
    """Find what a state lost at one rate (1/day) gains until gain and loss are equal, from its first day."""
    day = run_patient(state, params, [0.0, 1.0]).path[:, place]
    return float(day[1] - day[0]) / -math.expm1(-loss)


def _without_change(model: Model, params: Array) -> Array:
    """Parameters with clone changes off, so that the start has the shares that are asked for."""
    quiet = params.copy()
    for name in ("h_mutation", "h_tolerance", "h_presentation"):
        quiet[model.names("patient").index(name)] = 0.0
    return quiet


def _guess(model: Model, params: Array, volumes: Array) -> Array:
    """Guess a first state: cells fill the lesion, the rest in proportion to them."""
    known = dict(zip(model.names("patient"), params, strict=False))
    cells = volumes / known["cell_volume"] * 0.7
    size, step = len(model.patient.states), len(model.lesion.states)
    state = np.zeros(size + step * len(volumes))
    first = {"blood_effector": 0.3, "stem_memory": 0.2, "myeloid_tone": known["tone_base"], "liver": 0.9}
    first["afp"] = known["afp_rate"] * float(cells.sum()) / known["afp_loss"]
    for name, value in first.items():
        state[model.patient.states.index(name)] = value
    shares = {"sensitive": 1.0, "capacity": 2.0, "effector": 0.02, "exhausted": 0.05}
    shares |= {"treg": known["treg_ratio"], "myeloid": known["myeloid_ratio"], "debris": 0.3}
    for i, count in enumerate(cells):
        for name, share in shares.items():
            state[size + i * step + model.lesion.states.index(name)] = share * count
    return state
