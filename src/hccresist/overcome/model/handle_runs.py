"""Runs of one patient and of a small group, with a handle on or off, for `handle_measures`.

Numba is loaded only when a patient is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hccresist.overcome.dosing import Treatment, find_regimen, make_doses, make_treatment, read_drugs
from hccresist.overcome.model.parameters import Parameter, read_model, read_parameters
from hccresist.overcome.model.patients import Run, make_drugs, make_parameters, run_patient, start_state
from hccresist.overcome.pk import find_course

Array = NDArray[np.float64]
Values = Mapping[str, float]

CLASSES: Final[Mapping[str, str]] = {
    "anti-PD-1/PD-L1": "pembrolizumab",
    "anti-PD-1": "pembrolizumab",
    "anti-PD-L1": "atezolizumab",
}
"""Classes of the tables and the drug that stands for each."""
RESPONDER: Final = {"expansion_rate": 0.05}
"""A patient whose T cells divide fast enough to respond to checkpoint inhibitors."""
DIAMETER_MM: Final = 50.0
PATIENTS: Final = 160
DAYS: Final = 728.0
STEP: Final = 14.0
_SEED: Final = 11


def name_drugs(text: str) -> tuple[str, ...]:
    """Drugs of a cell of a table, classes replaced.

    Examples
    --------
    >>> name_drugs("anti-PD-1;bevacizumab")
    ('pembrolizumab', 'bevacizumab')
    """
    return tuple(CLASSES.get(name, name) for name in text.split(";") if name)


@lru_cache(maxsize=64)
def treat(drugs: tuple[str, ...], days: tuple[float, ...]) -> Treatment:
    """Give standard regimens from day 0 to the last of `days`, asked at `days`."""
    courses = {
        name: find_course(
            read_drugs()[name].kinetics,
            make_doses(find_regimen(name), until=days[-1]),
            until=days[-1],
            fast=True,
        )
        for name in drugs
    }
    return make_treatment(courses, list(days))


@dataclass(frozen=True)
class Followed:
    """One lesion of one patient at the asked days."""

    run: Run
    asked: tuple[int, ...]

    @property
    def days(self) -> Array:
        """Asked days."""
        return self.run.times[list(self.asked)]

    def output(self, name: str) -> Array:
        """One output of the lesion at the asked days."""
        return self.run.output(name, lesion=0)[list(self.asked)]

    def state(self, name: str) -> Array:
        """One state of the lesion at the asked days."""
        return self.run.state(name, lesion=0)[list(self.asked)]

    def shared(self, name: str) -> Array:
        """One state of the patient at the asked days."""
        return self.run.state(name)[list(self.asked)]

    def end(self) -> Array:
        """All states on the last day."""
        return self.run.path[-1]


def follow(
    values: Values,
    drugs: tuple[str, ...] = (),
    days: Sequence[float] = (0.0, 84.0, 168.0),
    *,
    tolerant: float = 0.0,
    escaped: float = 0.0,
    state: Array | None = None,
) -> Followed:
    """Run one patient with one lesion under standard regimens, from a grown lesion or from `state`."""
    params = make_parameters(1, values=values)
    treatment = treat(drugs, tuple(float(day) for day in days))
    if state is None:
        state = start_state(params, [DIAMETER_MM], tolerant=tolerant, escaped=escaped)
    run = run_patient(state, params, treatment.times, drugs=treatment.drugs)
    return Followed(run, tuple(int(i) for i in treatment.asked))


def hold(values: Values, effects: Values, days: Sequence[float] | Array, *, tolerant: float = 0.0) -> Run:
    """Run one patient whose drug effects stay as they are."""
    params = make_parameters(1, values=values)
    state = start_state(params, [DIAMETER_MM], tolerant=tolerant)
    drugs = make_drugs(effects, intervals=max(len(days) - 1, 1))
    return run_patient(state, params, np.asarray(days, dtype=np.float64), drugs=drugs)


@lru_cache(maxsize=1)
def _compiled() -> tuple[dict[str, Any], dict[str, Any]]:
    """Functions and rules of the lesion, compiled."""
    lesion = read_model().lesion
    functions: dict[str, Any] = {"sqrt": np.sqrt, "exp": np.exp, "abs": abs, "__builtins__": {}}
    for function in lesion.functions.values():
        text = f"lambda {', '.join(function.arguments)}: {function.body.python}"
        functions[function.name] = eval(text, functions)  # the package's own text
    rules = {name: compile(formula.python, "model", "eval") for name, formula in lesion.rules.items()}
    return functions, rules


def find_rules(values: Values, effects: Values, state: Array) -> dict[str, float]:
    """Rules of the lesion at one state of a patient with one lesion, as the text has them."""
    model = read_model()
    known: dict[str, float] = {p.name: p.value for p in model.parameters} | dict(values)
    known |= {exposure.name: 0.0 for exposure in model.exposures} | dict(effects)
    known |= dict(zip((*model.patient.states, *model.lesion.states), map(float, state), strict=True))
    functions, rules = _compiled()
    for name, code in rules.items():
        known[name] = eval(code, dict(functions), known)  # the package's own text
    return known


def find_effects(drug: str) -> dict[str, float]:
    """Effects of a tablet at the average level of its standard regimen."""
    return dict(read_drugs()[drug].effects)


def _draw(parameter: Parameter, draw: np.random.Generator, count: int) -> Array | None:
    """Values between patients, or None where all have the same."""
    low, high = parameter.low or 0.0, parameter.high or 0.0
    if parameter.distribution == "lognormal":
        return parameter.value * np.exp(draw.normal(0.0, parameter.spread or 0.0, count))
    if parameter.distribution == "uniform":
        return draw.uniform(low, high, count)
    if parameter.distribution == "loguniform":
        return np.exp(draw.uniform(np.log(low), np.log(high), count))
    return None


@lru_cache(maxsize=1)
def draw_patients() -> tuple[Values, ...]:
    """Parameters of a group of patients, drawn once from the table; handles absent.

    Each parameter has its own generator, so that a new row of the table leaves the others as they were.
    """
    columns = {
        p.name: _draw(p, np.random.default_rng([_SEED, *p.name.encode()]), PATIENTS)
        for p in read_parameters()
    }
    kept = {name: column for name, column in columns.items() if column is not None}
    return tuple({name: float(column[i]) for name, column in kept.items()} for i in range(PATIENTS))


@cache
def follow_group(
    drugs: tuple[str, ...],
    on: tuple[tuple[str, float], ...] = (),
    *,
    tolerant: float = 0.0,
    escaped: float = 0.0,
) -> tuple[Followed, ...]:
    """Follow the group for two years, a scan every two weeks; `on`: parameters that differ."""
    days = tuple(np.arange(0.0, DAYS + 1, STEP))
    return tuple(
        follow({**one, **dict(on)}, drugs, days, tolerant=tolerant, escaped=escaped)
        for one in draw_patients()
    )


def find_progression(course: Followed) -> float:
    """Day on which the whole diameter is a fifth and 5 mm above its lowest; infinite where never."""
    size = course.output("whole_mm")
    lowest = np.minimum.accumulate(size)
    grown = (size >= 1.2 * lowest) & (size - lowest >= 5.0)
    return float(course.days[np.argmax(grown)]) if grown.any() else float("inf")


def is_response(course: Followed, name: str = "whole_mm", *, until: float = DAYS) -> bool:
    """Whether a diameter falls by 30 percent before progression and `until`."""
    size = course.output(name)
    early = (course.days <= until) & (course.days < find_progression(course))
    return bool((size[early] <= 0.7 * size[0]).any())
