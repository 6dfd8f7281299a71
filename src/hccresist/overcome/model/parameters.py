"""The tables of the model (parameters, drug effects, quantities, handles), and text held against tables."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hccresist.errors import ConfigError
from hccresist.overcome.model.text import BUILT_IN, FOLDER, Module, read_text


@dataclass(frozen=True)
class Parameter:
    """One parameter: a value, where it comes from, and how it differs between patients.

    Attributes
    ----------
    scope
        ``patient``: one value for all lesions; ``lesion``: one for each.
    distribution
        Between patients: ``fixed``; ``lognormal`` (median `value`, logarithm's standard deviation `spread`);
        ``uniform`` or ``loguniform`` from `low` to `high`; ``handle`` (zero is absent, up to `high`).
    status
        ``sourced`` (the number stands in the source), ``derived`` (computed), ``assumption`` or ``handle``.
    mechanism_id
        Mechanism of the taxonomy, for handles.
    """

    name: str
    meaning: str
    value: float
    unit: str
    scope: str
    distribution: str
    spread: float | None
    low: float | None
    high: float | None
    status: str
    source: str
    mechanism_id: str


@dataclass(frozen=True)
class Exposure:
    """One thing that drugs do to the patient at a moment.

    Attributes
    ----------
    course
        ``daily`` where tablets have a part in it, so that it goes up and down within a day; else ``slow``.
    """

    name: str
    course: str
    meaning: str
    unit: str


@dataclass(frozen=True)
class Quantity:
    """One state or output of the model."""

    name: str
    kind: str
    scope: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Handle:
    """One resistance mechanism as the model has it.

    Attributes
    ----------
    typical
        Value of the parameter when the mechanism is on.
    drugs
        Drugs or classes whose effect it is known to lower.
    reversed_by
        Strategy of the evidence base (``S..``) that reverses it, or empty.
    strategy_effect, strategy_status
        How that strategy acts in the model, and whether the size is sourced or an assumption.
    source
        Record of the evidence base (``HDR....``), a publication, or ``assumption``.
    """

    handle: str
    family_id: str
    mechanism_id: str
    parameters: tuple[str, ...]
    equation: str
    typical: float
    drugs: tuple[str, ...]
    reversed_by: str
    strategy_effect: str
    strategy_status: str
    source: str


@dataclass(frozen=True)
class Regulator:
    """A non-coding RNA and the handle that it moves."""

    ncrna: str
    handle: str
    resistance_when: str
    record_id: str
    note: str


@dataclass(frozen=True)
class Model:
    """The whole model: two texts and their tables, checked against each other."""

    lesion: Module
    patient: Module
    parameters: tuple[Parameter, ...]
    exposures: tuple[Exposure, ...]
    quantities: tuple[Quantity, ...]

    def names(self, scope: str) -> tuple[str, ...]:
        """Names of the parameters of a scope, in the order in which the kernel takes them."""
        return tuple(parameter.name for parameter in self.parameters if parameter.scope == scope)

    def events(self) -> tuple[str, ...]:
        """Rules of a lesion that the engine asks for at once-only events."""
        return tuple(q.name for q in self.quantities if q.kind == "event")

    def daily(self, module: Module, *, beside: Sequence[str] = ()) -> frozenset[str]:
        """Rules of a module that change within a day, with what makes them: drug effects, names `beside`."""
        found = {exposure.name for exposure in self.exposures if exposure.course == "daily"} | {*beside}
        for name, formula in module.rules.items():
            if found.intersection(formula.names):
                found.add(name)
        return frozenset(found)

    def outputs(self, scope: str) -> tuple[str, ...]:
        """Names of the outputs of a scope, in the order in which the kernel gives them."""
        return tuple(q.name for q in self.quantities if q.kind == "output" and q.scope == scope)


def _rows(name: str) -> list[dict[str, str]]:
    """Rows of one table of this folder."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _number(text: str) -> float | None:
    """Read a number, or None where the cell is empty."""
    return float(text) if text else None


def read_parameters() -> tuple[Parameter, ...]:
    """Parameters in the order of the table."""
    return tuple(
        Parameter(
            name=row["name"],
            meaning=row["meaning"],
            value=float(row["value"]),
            unit=row["unit"],
            scope=row["scope"],
            distribution=row["distribution"],
            spread=_number(row["spread"]),
            low=_number(row["low"]),
            high=_number(row["high"]),
            status=row["status"],
            source=row["source"],
            mechanism_id=row["mechanism_id"],
        )
        for row in _rows("parameters.csv")
    )


def read_handles() -> tuple[Handle, ...]:
    """Resistance handles in the order of the table.

    Examples
    --------
    >>> next(handle.parameters for handle in read_handles() if handle.handle == "abc")
    ('h_abc',)
    """
    return tuple(
        Handle(
            handle=row["handle"],
            family_id=row["family_id"],
            mechanism_id=row["mechanism_id"],
            parameters=tuple(row["parameters"].split(";")),
            equation=row["equation"],
            typical=float(row["typical"]),
            drugs=tuple(row["drugs"].split(";")),
            reversed_by=row["reversed_by"],
            strategy_effect=row["strategy_effect"],
            strategy_status=row["strategy_status"],
            source=row["source"],
        )
        for row in _rows("handles.csv")
    )


def read_regulators() -> tuple[Regulator, ...]:
    """Non-coding RNAs of the evidence base and the handles that they move."""
    return tuple(Regulator(**row) for row in _rows("ncrna.csv"))


@lru_cache(maxsize=1)
def read_model() -> Model:
    """Read the model with its tables.

    Raises
    ------
    ConfigError
        Where text and tables do not fit; every problem is named.
    """
    lesion, patient = read_text()
    exposures = tuple(Exposure(**row) for row in _rows("exposures.csv"))
    quantities = tuple(Quantity(**row) for row in _rows("quantities.csv"))
    model = Model(lesion, patient, read_parameters(), exposures, quantities)
    problems = sorted(set(find_problems(model)))
    if problems:
        raise ConfigError("\n".join(problems))
    return model


def find_problems(model: Model) -> Iterator[str]:
    """Find what does not fit between text and tables, one sentence each."""
    yield from _undefined(model)
    yield from _unused(model)
    yield from _tables(model)
    yield from _quantities(model)


def _undefined(model: Model) -> Iterator[str]:
    """Names used but not defined, and functions not known."""
    shared = set(model.names("patient")) | {exposure.name for exposure in model.exposures}
    local = set(model.names("lesion"))
    for module, known in (
        (model.lesion, shared | local | set(model.patient.states)),
        (model.patient, shared),
    ):
        for name in sorted(module.needed() - known):
            yield f"{module.name}.ant: {name} is not defined"
        functions = set(model.lesion.functions) | BUILT_IN
        for name, formula in module.formulas:
            for call in sorted(set(formula.calls) - functions):
                yield f"{module.name}.ant, {name}: no function {call}"
    for target in sorted(set(model.patient.sums.values()) - set(model.lesion.rules)):
        yield f"patient.ant: the lesions have no {target} to add"


def _unused(model: Model) -> Iterator[str]:
    """Parameters, drug effects and rules that nothing uses."""
    formulas = [*model.lesion.formulas, *model.patient.formulas]
    used = {name for _, formula in formulas for name in formula.names}
    used |= set(model.patient.sums.values())
    shown = {quantity.name for quantity in model.quantities}
    for parameter in model.parameters:
        if parameter.name not in used:
            yield f"parameters.csv: {parameter.name} is not used"
    for exposure in model.exposures:
        if exposure.name not in used:
            yield f"exposures.csv: {exposure.name} is not used"
    for module in (model.lesion, model.patient):
        for name in (*module.rules, *module.sums):
            if name not in used | shown:
                yield f"{module.name}.ant: {name} is computed and not used"


def _tables(model: Model) -> Iterator[str]:
    """Rows of the parameter table that are not whole, and names given twice."""
    names = [parameter.name for parameter in model.parameters] + [e.name for e in model.exposures]
    names += [*model.lesion.rules, *model.lesion.rates, *model.patient.rules, *model.patient.rates]
    names += list(model.patient.sums)
    yield from (f"{name} is defined twice" for name in sorted(_twice(names)))
    for parameter in model.parameters:
        if not (parameter.unit and parameter.meaning and parameter.source):
            yield f"parameters.csv: {parameter.name} lacks unit, meaning or source"
        if parameter.scope not in {"patient", "lesion"}:
            yield f"parameters.csv: {parameter.name} has no scope {parameter.scope!r}"
        if parameter.distribution == "lognormal" and not parameter.spread:
            yield f"parameters.csv: {parameter.name} is lognormal without a spread"
        ranged = parameter.distribution in {"uniform", "loguniform", "handle"}
        if ranged and (parameter.low is None or parameter.high is None):
            yield f"parameters.csv: {parameter.name} is {parameter.distribution} without low and high"


def _quantities(model: Model) -> Iterator[str]:
    """States and outputs: the table and the text name the same, in the same order."""
    for module in (model.lesion, model.patient):
        listed = tuple(q.name for q in model.quantities if q.kind == "state" and q.scope == module.name)
        if listed != module.states:
            yield f"quantities.csv: the states of {module.name}.ant are {', '.join(module.states)}"
        known = set(module.rules) | set(module.sums)
        for name in model.outputs(module.name):
            if name not in known:
                yield f"quantities.csv: {module.name}.ant has no {name}"


def _twice(names: Sequence[str]) -> set[str]:
    """Names that occur more than once."""
    return {name for name in names if names.count(name) > 1}
