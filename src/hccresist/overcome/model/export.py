"""The model for others: one patient with its lesions as Antimony text or SBML Level 3.

The two model texts are written out flat: shared names as they are, names of lesion i with ``_i`` behind.
Drugs are held at constant effects; dosing over time is data, not part of the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from hccresist.errors import ComputationError, ConfigError
from hccresist.overcome.model.parameters import Model, read_model
from hccresist.overcome.model.patients import Array


def write_antimony(
    params: Array,
    state: Array,
    *,
    effects: Mapping[str, float] | None = None,
) -> str:
    """One patient as Antimony text.

    Parameters
    ----------
    params, state
        Parameters and states at the start, as `make_parameters` and `start_state` give them.
    effects
        Drug effects by name; what is not named is zero.

    Returns
    -------
    str
        Antimony text of one flat model, ``hccresist``, with rate and assignment rules; time in days.

    Raises
    ------
    ConfigError
        Where a drug effect is not known, or parameters and states are not of the same number of lesions.
    """
    model = read_model()
    lesions = _count(model, params, state)
    wrong = sorted(set(effects or {}) - {exposure.name for exposure in model.exposures})
    if wrong:
        message = f"no drug effect: {', '.join(wrong)}"
        raise ConfigError(message)
    return "\n".join(_lines(model, params, state, lesions=lesions, effects=effects or {})) + "\n"


def write_sbml(
    params: Array,
    state: Array,
    *,
    effects: Mapping[str, float] | None = None,
) -> str:
    """One patient as SBML Level 3; the arguments are those of `write_antimony`.

    Raises
    ------
    ConfigError
        Where the antimony package (extra ``model``) is not installed.
    ComputationError
        Where antimony refuses the text.
    """
    try:
        import antimony  # noqa: PLC0415  (an extra)
    except ImportError as error:
        message = "SBML needs the antimony package. Install it: pip install 'hccresist[model]'"
        raise ConfigError(message) from error
    text = write_antimony(params, state, effects=effects)
    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString(text) < 0:
        message = f"antimony refuses the model: {antimony.getLastError()}"
        raise ComputationError(message)
    return str(antimony.getSBMLString("hccresist"))


def _count(model: Model, params: Array, state: Array) -> int:
    """Count the lesions of a patient."""
    more = params.size - len(model.names("patient"))
    lesions, rest = divmod(more, len(model.names("lesion")))
    expected = len(model.patient.states) + lesions * len(model.lesion.states)
    if rest or lesions < 1 or state.size != expected:
        message = f"{params.size} parameters and {state.size} states are not of one patient"
        raise ConfigError(message)
    return lesions


def _lines(
    model: Model, params: Array, state: Array, *, lesions: int, effects: Mapping[str, float]
) -> Iterator[str]:
    """Lines of the flat model."""
    units = {p.name: p.unit for p in model.parameters} | {q.name: q.unit for q in model.quantities}
    for function in model.lesion.functions.values():
        yield f"function {function.name}({', '.join(function.arguments)})"
        yield f"  {function.body.antimony};"
        yield "end"
    yield "model hccresist()"
    shared, local = model.names("patient"), model.names("lesion")
    for name, value in zip(shared, params, strict=False):
        yield f"  {name} = {float(value)!r};  // {units[name]}"
    for exposure in model.exposures:
        yield f"  {exposure.name} = {float(effects.get(exposure.name, 0.0))!r};  // drug effect"
    for i in range(lesions):
        own = params[len(shared) + i * len(local) :]
        for name, value in zip(local, own, strict=False):
            yield f"  {name}_{i + 1} = {float(value)!r};  // {units[name]}"
    yield from _module(model, 0, state)
    for i in range(lesions):
        yield from _module(model, i + 1, state)
    for name, target in model.patient.sums.items():
        yield f"  {name} := {' + '.join(f'{target}_{i + 1}' for i in range(lesions))};"
    yield "end"


def _module(model: Model, lesion: int, state: Array) -> Iterator[str]:
    """Rules, rates and starts of the patient (0) or of one lesion (from 1)."""
    module = model.lesion if lesion else model.patient
    size, step = len(model.patient.states), len(model.lesion.states)
    first = size + (lesion - 1) * step if lesion else 0
    own = {*module.rules, *module.rates, *model.names("lesion")} if lesion else set[str]()
    behind = f"_{lesion}" if lesion else ""
    for name, formula in module.rules.items():
        yield f"  {name}{behind} := {_renamed(formula.antimony, own, behind)};"
    for i, (name, formula) in enumerate(module.rates.items()):
        yield f"  {name}{behind} = {float(state[first + i])!r};"
        yield f"  {name}{behind}' = {_renamed(formula.antimony, own, behind)};"


def _renamed(text: str, own: set[str], behind: str) -> str:
    """Put a suffix behind the names of one lesion in an expression."""
    return re.sub(r"[A-Za-z_]\w*", lambda m: m.group() + (behind if m.group() in own else ""), text)
