"""Runs of one patient with a handle on or off, for `handle_measures`.

Numba is loaded only when a patient is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hccresist.overcome.dosing import Treatment, find_regimen, make_doses, make_treatment, read_drugs
from hccresist.overcome.model.parameters import read_model
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
NOTHING: Final[Mapping[str, float]] = {}


def name_drugs(text: str) -> tuple[str, ...]:
    """Drugs of a cell of a table, classes replaced.

    Examples
    --------
    >>> name_drugs("anti-PD-1;bevacizumab")
    ('pembrolizumab', 'bevacizumab')
    """
    return tuple(CLASSES.get(name, name) for name in text.split(";") if name)


@lru_cache(maxsize=64)
def treat(
    drugs: tuple[str, ...], days: tuple[float, ...], added: tuple[tuple[str, float], ...] = ()
) -> Treatment:
    """Give standard regimens to the last of `days`, asked at `days`; `added`: effects that stay."""
    courses = {
        name: find_course(
            read_drugs()[name].kinetics,
            make_doses(find_regimen(name), until=days[-1]),
            until=days[-1],
            fast=True,
        )
        for name in drugs
    }
    given = make_treatment(courses, list(days))
    if not added:
        return given
    first, second = given.drugs, make_drugs(dict(added), intervals=len(given.drugs.terms))
    both = replace(
        first,
        terms=np.concatenate([first.terms, second.terms], axis=1),
        ripples=np.concatenate([first.ripples, second.ripples], axis=1),
        weights=np.concatenate([first.weights, second.weights]),
    )
    return replace(given, drugs=both)


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
    added: Values = NOTHING,
    tolerant: float = 0.0,
    escaped: float = 0.0,
    state: Array | None = None,
) -> Followed:
    """Run one patient with one lesion under standard regimens, from a grown lesion or from `state`."""
    params = make_parameters(1, values=values)
    if state is None:
        state = start_state(params, [DIAMETER_MM], tolerant=tolerant, escaped=escaped)
    return follow_on(state, params, drugs, days=days, added=added)


def follow_on(
    state: Array,
    params: Array,
    drugs: tuple[str, ...],
    *,
    days: Sequence[float] | Array,
    added: Values = NOTHING,
) -> Followed:
    """Run one patient on from a state, drugs from day 0; `added`: drug effects that stay as they are."""
    treatment = treat(drugs, tuple(float(day) for day in days), tuple(added.items()))
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
