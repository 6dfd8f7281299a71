"""What the model is, as records: its size, parameters, equations and handles."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator

from hccresist.overcome.model.parameters import (
    Model,
    read_handles,
    read_model,
    read_regulators,
)
from hccresist.overcome.model.text import Module

STATUSES = ("sourced", "derived", "assumption", "handle")
"""Where the value of a parameter comes from, in the order in which it is told."""


def count_parameters(model: Model | None = None) -> dict[str, int]:
    """Count the parameters by the status of their value.

    Examples
    --------
    >>> sum(count_parameters().values()) == len(read_model().parameters)
    True
    """
    counts = Counter(parameter.status for parameter in (model or read_model()).parameters)
    return {status: counts[status] for status in STATUSES}


def describe_model() -> dict[str, object]:
    """Describe the model: states, outputs, parameters by status, drug effects, drugs and handles."""
    from hccresist.overcome.dosing import read_drugs  # noqa: PLC0415  (needs arrays)

    model = read_model()
    handles = read_handles()
    states = {
        module.name: [
            {"name": q.name, "unit": q.unit, "meaning": q.meaning}
            for q in model.quantities
            if q.kind == "state" and q.scope == module.name
        ]
        for module in (model.lesion, model.patient)
    }
    return {
        "states": states,
        "outputs": {scope: list(model.outputs(scope)) for scope in ("lesion", "patient")},
        "rules": {module.name: len(module.rules) for module in (model.lesion, model.patient)},
        "parameters": count_parameters(model),
        "drug_effects": [exposure.name for exposure in model.exposures],
        "drugs": list(read_drugs()),
        "handles": len(handles),
        "families": list(dict.fromkeys(handle.family_id for handle in handles)),
        "ncrnas": len(read_regulators()),
        "calibrated": False,
    }


def list_parameters() -> list[dict[str, object]]:
    """List every parameter with value, unit, spread, status and source."""
    return [dataclasses.asdict(parameter) for parameter in read_model().parameters]


def list_handles() -> list[dict[str, object]]:
    """List every resistance handle: family, parameters, equation, source, and what else is known of it."""
    first = ("family_id", "parameters", "equation", "source")
    found: list[dict[str, object]] = []
    for handle in read_handles():
        record: dict[str, object] = dataclasses.asdict(handle)
        ncrnas = [r.ncrna for r in read_regulators() if r.handle == handle.handle]
        found.append({name: record[name] for name in first} | record | {"ncrnas": ncrnas})
    return found


def list_equations() -> list[dict[str, object]]:
    """List every equation: module, name, kind (function, rule, rate or sum) and its Antimony text."""
    model = read_model()
    return [*_equations(model.lesion), *_equations(model.patient)]


def _equations(module: Module) -> Iterator[dict[str, object]]:
    """Equations of one module."""
    for name, function in module.functions.items():
        called = f"{name}({', '.join(function.arguments)})"
        yield {
            "module": module.name,
            "name": called,
            "kind": "function",
            "equation": function.body.antimony,
        }
    for name, target in module.sums.items():
        yield {"module": module.name, "name": name, "kind": "sum", "equation": target}
    for kind, formulas in (("rule", module.rules), ("rate", module.rates)):
        for name, formula in formulas.items():
            yield {"module": module.name, "name": name, "kind": kind, "equation": formula.antimony}
