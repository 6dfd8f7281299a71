"""From the model text to the source of the kernel (`kernel_generated.py`).

``python -m hccresist.overcome.model.generate`` writes it anew; a test holds the committed file to the text.
The kernel's functions allocate nothing. Arrays are one-dimensional: patient first, then lesion after lesion.
"""

from __future__ import annotations

import ast
import hashlib
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from hccresist.overcome.model.parameters import Model, read_model
from hccresist.overcome.model.text import FOLDER, Formula, Module

KERNEL: Final = FOLDER / "kernel_generated.py"
INTEGRATOR: Final = FOLDER / "integrate.py"
_WIDTH: Final = 108

_HEAD: Final = '''"""Kernel of the virtual patient: written by `generate` from the model text; do not edit.

Arrays (`state`, `params`, `exposures`, `out`) are float64, one-dimensional; patient first, then each lesion.
"""

# ruff: noqa
# fmt: off
# pyright: basic
from math import exp, sqrt

from numba import njit
'''


class _Place(ast.NodeTransformer):
    """Puts an array element in place of a name."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self.places = places

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """One name."""
        place = self.places.get(node.id)
        return ast.parse(place, mode="eval").body if place else node


def _placed(formula: Formula, places: Mapping[str, str]) -> str:
    """Python text of a formula with array elements in place of shared names."""
    tree = ast.parse(formula.python, mode="eval")
    return ast.unparse(_Place(places).visit(tree).body)


def _wanted(module: Module, goals: Iterable[str]) -> list[str]:
    """Rules that the goals (rules or states) need, in an order in which they can be computed."""
    open_names = [*goals]
    found: set[str] = set()
    while open_names:
        name = open_names.pop()
        if name in module.rules and name not in found:
            found.add(name)
            open_names += module.rules[name].names
    return [name for name in module.rules if name in found]


def _packed(statements: Sequence[str]) -> Iterator[str]:
    """Statements, several to a line."""
    line = ""
    for statement in statements:
        if line and len(line) + len(statement) + 2 > _WIDTH:
            yield f"    {line}"
            line = ""
        line = f"{line}; {statement}" if line else statement
    if line:
        yield f"    {line}"


def _places(model: Model) -> tuple[dict[str, str], dict[str, str]]:
    """Where shared names and names of one lesion stand in the arrays."""
    shared = {name: f"p[{i}]" for i, name in enumerate(model.names("patient"))}
    shared |= {exposure.name: f"e[{i}]" for i, exposure in enumerate(model.exposures)}
    local = {name: f"p[q + {i}]" for i, name in enumerate(model.names("lesion"))}
    return shared, local


def _lesion(model: Model, *, goals: Sequence[str], writes: Mapping[str, Formula | str]) -> list[str]:
    """Body of a function on one lesion: states, rules, what is written, and the sums it hands back."""
    module, patient = model.lesion, model.patient
    shared, local = _places(model)
    places = shared | local | {name: f"y[{i}]" for i, name in enumerate(patient.states)}
    rules = _wanted(module, [*goals, *patient.sums.values()])
    used = {name for rule in rules for name in module.rules[rule].names} | set(goals)
    body = [f"{name} = y[b + {i}]" for i, name in enumerate(module.states) if name in used]
    body += [f"{name} = {_placed(module.rules[name], places)}" for name in rules]
    for i, value in enumerate(writes.values()):
        text = value if isinstance(value, str) else _placed(value, places)
        body.append(f"out[o + {i}] = {text}")
    return [*_packed(body), f"    return {', '.join(patient.sums.values())}"]


def _patient(model: Model, *, goals: Sequence[str], writes: Mapping[str, Formula | str]) -> list[str]:
    """Body of a function on the patient, given the sums over lesions."""
    module = model.patient
    shared, _ = _places(model)
    rules = _wanted(module, goals)
    used = {name for rule in rules for name in module.rules[rule].names} | set(goals)
    body = [f"{name} = y[{i}]" for i, name in enumerate(module.states) if name in used]
    body += [f"{name} = {_placed(module.rules[name], shared)}" for name in rules]
    for i, value in enumerate(writes.values()):
        text = value if isinstance(value, str) else _placed(value, shared)
        body.append(f"out[{i}] = {text}")
    return list(_packed(body))


def _loop(model: Model, *, name: str, sizes: tuple[str, str], what: str) -> list[str]:
    """Write the function that goes over the lesions and then does the patient."""
    sums = list(model.patient.sums)
    first, step = sizes
    return [
        "@njit(cache=True, error_model='numpy')",
        f"def {name}(state, params, exposures, out):",
        f'    """{what}"""',
        f"    {' = '.join(sums)} = 0.0",
        "    for i in range((state.size - PATIENT_SIZE) // LESION_SIZE):",
        "        b = PATIENT_SIZE + i * LESION_SIZE",
        "        q = PATIENT_PARAMS + i * LESION_PARAMS",
        f"        add = lesion_{name}(state, b, params, q, exposures, out, {first} + i * {step})",
        *(f"        {total} += add[{i}]" for i, total in enumerate(sums)),
        f"    patient_{name}(state, params, exposures, {', '.join(sums)}, out)",
    ]


def _functions(model: Model) -> Iterator[str]:
    """Functions defined in the text."""
    for function in model.lesion.functions.values():
        yield "@njit(cache=True, error_model='numpy')"
        yield f"def {function.name}({', '.join(function.arguments)}):"
        yield f"    return {function.body.python}"
        yield ""


def _sizes(model: Model) -> Iterator[str]:
    """Names and sizes of the arrays."""
    lists = {
        "PATIENT_STATES": model.patient.states,
        "LESION_STATES": model.lesion.states,
        "PATIENT_PARAMETERS": model.names("patient"),
        "LESION_PARAMETERS": model.names("lesion"),
        "EXPOSURES": tuple(exposure.name for exposure in model.exposures),
        "PATIENT_OUTPUTS": model.outputs("patient"),
        "LESION_OUTPUTS": model.outputs("lesion"),
    }
    for name, names in lists.items():
        yield f"{name} = ("
        yield from textwrap.wrap(
            ", ".join(f"'{each}'" for each in names), _WIDTH, initial_indent="    ", subsequent_indent="    "
        )
        yield ")"
    yield f"PATIENT_SIZE, LESION_SIZE = {len(model.patient.states)}, {len(model.lesion.states)}"
    yield f"PATIENT_PARAMS, LESION_PARAMS = {len(model.names('patient'))}, {len(model.names('lesion'))}"
    yield f"PATIENT_SHOWN, LESION_SHOWN = {len(model.outputs('patient'))}, {len(model.outputs('lesion'))}"


def write_kernel(model: Model) -> str:
    """Source of the kernel.

    Returns
    -------
    str
        Python source with ``rhs(state, params, exposures, out)``, which writes the rates of all states into
        `out`, and ``outputs(state, params, exposures, out)``, which writes the outputs.
    """
    lesion, patient = model.lesion, model.patient
    lesion_goals = sorted({n for f in lesion.rates.values() for n in f.names})
    patient_goals = sorted({n for f in patient.rates.values() for n in f.names})
    shown_lesion, shown_patient = model.outputs("lesion"), model.outputs("patient")
    sums = ", ".join(patient.sums)
    jit = "@njit(cache=True, error_model='numpy')"
    lines = [_HEAD, *_sizes(model), "", *_functions(model)]
    lines += [jit, "def lesion_rhs(y, b, p, q, e, out, o):"]
    lines += _lesion(model, goals=lesion_goals, writes=lesion.rates)
    lines += ["", jit, f"def patient_rhs(y, p, e, {sums}, out):"]
    lines += _patient(model, goals=patient_goals, writes=patient.rates)
    lines += ["", jit, "def lesion_outputs(y, b, p, q, e, out, o):"]
    lines += _lesion(model, goals=shown_lesion, writes={name: name for name in shown_lesion})
    lines += ["", jit, f"def patient_outputs(y, p, e, {sums}, out):"]
    lines += _patient(model, goals=shown_patient, writes={name: name for name in shown_patient})
    what = "Rates of all states at one moment, into `out` (as long as `state`)."
    lines += ["", *_loop(model, name="rhs", sizes=("PATIENT_SIZE", "LESION_SIZE"), what=what)]
    what = "Outputs at one moment, into `out` (PATIENT_SHOWN + lesions * LESION_SHOWN)."
    lines += ["", *_loop(model, name="outputs", sizes=("PATIENT_SHOWN", "LESION_SHOWN"), what=what)]
    return "\n".join(lines) + "\n"


def write_stamp(kernel: str, integrator: str) -> str:
    """Source of the integrator with the digest of a kernel in it.

    Numba caches the integrator by its own file alone, so that file must change when the kernel does.
    """
    digest = hashlib.sha256(kernel.encode()).hexdigest()[:16]
    return re.sub(r'^STAMP: Final = "\w*"$', f'STAMP: Final = "{digest}"', integrator, flags=re.MULTILINE)


if __name__ == "__main__":
    source = write_kernel(read_model())
    KERNEL.write_text(source, encoding="utf-8")
    INTEGRATOR.write_text(write_stamp(source, INTEGRATOR.read_text(encoding="utf-8")), encoding="utf-8")
