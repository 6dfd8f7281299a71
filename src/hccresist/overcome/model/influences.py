"""What moves what in the model: influences read off the text, with their sign and share.

A source (state, drug effect or resistance handle) influences a state where its name is reached from the
state's rate through the rules. Sign and share are found by evaluating the text for one lesion at random
states, doses and handles over wide ranges: they describe the equations, not a patient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import CodeType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hccresist.overcome.model.parameters import Model, read_handles, read_model
from hccresist.overcome.model.text import Module

Array = NDArray[np.float64]
Rates = Callable[[Mapping[str, Array]], dict[str, Array]]

PROBES: Final = 96
"""Random points at which the text is evaluated."""
SEED: Final = 5
_STEP: Final = 1e-4
_BOTH: Final = 0.05
"""Share of the weight of the other sign above which an influence goes both ways."""
_RANGES: Final = {"G": (-2.5, 1.0), "mL": (-1.0, 1.5), "1": (-1.5, 0.0)}
"""Powers of ten between which states of a unit are drawn; the capacity and the clones have their own."""
_CELLS: Final = (-0.5, 1.3)
_OTHERS: Final = (0.0, 2.0)


@dataclass(frozen=True)
class Influence:
    """One influence on a state.

    Attributes
    ----------
    source, kind
        What influences, and what it is: ``state``, ``drug effect`` or ``handle``.
    target, scope
        State that is influenced, and whose it is: ``lesion`` or ``patient``.
    sign
        ``+`` more of the source raises the rate of the state, ``-`` lowers it, ``±`` depends.
    share
        Part of all that moves the state (its own level apart) that this source has, from 0 to 1.
    """

    source: str
    kind: str
    target: str
    scope: str
    sign: str
    share: float


@dataclass(frozen=True)
class _Text:
    """The model text, compiled for evaluation with arrays."""

    functions: Mapping[str, Any]
    lesion: Mapping[str, CodeType]
    patient: Mapping[str, CodeType]
    rates: Mapping[str, CodeType]
    sums: Mapping[str, str]

    def rates_at(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Rates of all states, where states, drug effects and parameters are given."""
        known: dict[str, Any] = dict(values)
        for name, code in self.lesion.items():
            known[name] = eval(code, dict(self.functions), known)  # the package's own text
        for name, target in self.sums.items():
            known[name] = known[target]
        for name, code in self.patient.items():
            known[name] = eval(code, dict(self.functions), known)  # the package's own text
        return {name: eval(code, dict(self.functions), known) for name, code in self.rates.items()}


def _compile(model: Model) -> _Text:
    """Compile the text of a patient with one lesion."""
    functions: dict[str, Any] = {"sqrt": np.sqrt, "exp": np.exp, "abs": np.abs, "__builtins__": {}}
    for function in model.lesion.functions.values():
        text = f"lambda {', '.join(function.arguments)}: {function.body.python}"
        functions[function.name] = eval(text, functions)  # the package's own text

    def compiled(formulas: Mapping[str, Any]) -> dict[str, CodeType]:
        return {name: compile(f.python, "model", "eval") for name, f in formulas.items()}

    rates = {**model.lesion.rates, **model.patient.rates}
    return _Text(
        functions,
        compiled(model.lesion.rules),
        compiled(model.patient.rules),
        compiled(rates),
        model.patient.sums,
    )


def _reached(model: Model, module: Module) -> dict[str, frozenset[str]]:
    """Names that each rate of a module reaches through rules and sums."""
    rules = {**model.lesion.rules, **model.patient.rules}

    @cache
    def names_of(name: str) -> frozenset[str]:
        inner = rules[name].names if name in rules else ()
        if name in model.patient.sums:
            inner = (model.patient.sums[name],)
        return frozenset({name}).union(*(names_of(one) for one in inner))

    return {
        state: frozenset[str]().union(*(names_of(name) for name in formula.names))
        for state, formula in module.rates.items()
    }


def _draw_states(model: Model, draw: np.random.Generator) -> dict[str, Array]:
    """States at random, log-uniform by their unit."""
    found: dict[str, Array] = {}
    first = set(model.lesion.states[:5])  # the clones and the vessels
    for quantity in model.quantities:
        if quantity.kind != "state":
            continue
        low, high = _CELLS if quantity.name in first else _RANGES.get(quantity.unit, _OTHERS)
        found[quantity.name] = 10 ** draw.uniform(low, high, PROBES)
    return found


def _draw(model: Model) -> dict[str, Array]:
    """States, drug effects and handles at random; other parameters as in the table."""
    draw = np.random.default_rng(SEED)
    values = {p.name: np.full(PROBES, p.value) for p in model.parameters}
    typical = {name: h.typical for h in read_handles() for name in h.parameters}
    for name, size in typical.items():
        values[name] = draw.uniform(0.1, 1.5, PROBES) * size
    for exposure in model.exposures:
        share = exposure.name.startswith(("block_", "deplete_", "efflux_"))
        values[exposure.name] = draw.uniform(0.05, 0.9 if share else 3.0, PROBES)
    return values | _draw_states(model, draw)


def _sources(model: Model) -> dict[str, str]:
    """Everything that can influence, with its kind."""
    found = dict.fromkeys((*model.lesion.states, *model.patient.states), "state")
    found |= {exposure.name: "drug effect" for exposure in model.exposures}
    return found | {name: "handle" for handle in read_handles() for name in handle.parameters}


def _slopes(rates_at: Rates, name: str, values: Mapping[str, Array]) -> dict[str, Array]:
    """Change of every rate per change of the logarithm of one source, at all probes."""
    up = rates_at({**values, name: values[name] * math.exp(_STEP)})
    down = rates_at({**values, name: values[name] * math.exp(-_STEP)})
    return {state: (up[state] - down[state]) / (2 * _STEP) for state in up}


def _sign(slopes: Array) -> str:
    """Sign of an influence: that of nearly all of its weight, or both."""
    plus, minus = float(slopes[slopes > 0].sum()), float(-slopes[slopes < 0].sum())
    if min(plus, minus) > _BOTH * (plus + minus):
        return "±"
    return "+" if plus > minus else "-"


@lru_cache(maxsize=1)
def find_influences() -> tuple[Influence, ...]:
    """Find every influence on every state, the strongest first for each state.

    Examples
    --------
    >>> found = {(one.source, one.target): one.sign for one in find_influences()}
    >>> found["capacity", "effector"]
    '+'
    """
    model = read_model()
    text, values, sources = _compile(model), _draw(model), _sources(model)
    with np.errstate(invalid="ignore"):  # outputs at impossible states; no rate reads them
        slopes = {name: _slopes(text.rates_at, name, values) for name in sources}
    found: list[Influence] = []
    for module in (model.lesion, model.patient):
        for state, names in _reached(model, module).items():
            own = [name for name in sources if name in names and name != state]
            sizes = np.array([np.abs(slopes[name][state]) for name in own])
            shares = sizes / np.maximum(sizes.sum(axis=0), 1e-300) if own else sizes
            rows = [
                Influence(name, sources[name], state, module.name, _sign(scaled), float(share.mean()))
                for name, share in zip(own, shares, strict=True)
                if (scaled := slopes[name][state] / np.maximum(sizes.sum(axis=0), 1e-300)).any()
            ]
            found += sorted(rows, key=lambda one: (-round(one.share, 9), one.source))
    return tuple(found)
