"""From the model text to the source of the kernel (`kernel_generated.py`).

``python -m hccresist.overcome.model.generate`` writes it anew; a test holds the committed file to the text.
The kernel's functions allocate nothing; what tablets change within a day is computed phase by phase. Arrays
are one-dimensional: patient first, then lesion after lesion.
"""

from __future__ import annotations

import ast
import hashlib
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hccresist.overcome.model.parameters import Model, read_model
from hccresist.overcome.model.text import FOLDER, Formula, Module
from hccresist.overcome.pk import PHASE_COUNT

KERNEL: Final = FOLDER / "kernel_generated.py"
COMPILED: Final = tuple(
    FOLDER / f"{name}.py" for name in ("levels", "integrate", "ensemble", "settle", "cuda_kernel")
)
"""Modules that Numba compiles, each with the ones before it in it."""
KINETICS: Final = FOLDER.parent / "pk.py"
"""Its constants are compiled into the modules."""
_WIDTH: Final = 104
LANES: Final = PHASE_COUNT + 4 - PHASE_COUNT % 4
"""Length of a column of `exposures`: phases, the moment before a dose, and room up to a multiple of four."""
_ELEMENT: Final = re.compile(r"\b[epy]\[[^\]]*\]")
_JIT: Final = "@njit(cache=True, error_model='numpy', fastmath=FAST)"

_HEAD: Final = '''"""Kernel of the virtual patient: written by `generate` from the model text; do not edit.

Arrays (`state`, `params`, `out`) are float64, one-dimensional; patient first, then each lesion.
`exposures` has COLUMNS columns of LANES numbers, one after another: a number for each phase of the day,
and one for the moment before a dose; columns are the drug effects; rate and value of the state that swings
within the day; sums over lesions; rates of the states; from SHARES the weights of the phases; from SPREAD, a
column for each phase, the swing that a rate brings about.
"""

# ruff: noqa
# fmt: off
# pyright: basic
from math import exp, sqrt

from numba import njit

FAST = {'reassoc', 'contract', 'nsz', 'arcp'}
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
    for i, exposure in enumerate(model.exposures):
        shared[exposure.name] = f"e[{LANES * i} + k]" if exposure.course == "daily" else f"e[{LANES * i}]"
    local = {name: f"p[q + {i}]" for i, name in enumerate(model.names("lesion"))}
    return shared, local


def _column(model: Model, number: int) -> str:
    """Place of a column of the phases behind the drug effects: see `_columns`."""
    return f"e[{LANES * (len(model.exposures) + number)} + k]"


def _columns(model: Model) -> dict[str, int]:
    """Where the columns behind the drug effects start, and where they end."""
    sums = 2
    rates = sums + len(model.patient.sums)
    shares = rates + max(len(model.lesion.states), len(model.patient.states))
    spread = shares + 1
    return {
        "swing": 0,
        "swung": 1,
        "sums": sums,
        "rates": rates,
        "shares": shares,
        "spread": spread,
        "end": spread + PHASE_COUNT,
    }


@dataclass(frozen=True)
class _Body:
    """What a function on one module computes.

    Attributes
    ----------
    places
        Array elements of the names that are not local; `k` is the phase of the day.
    states
        Array elements of the states.
    writes
        Formula, or name of a rule, of each element written.
    sums
        Names that are added up over the lesions.
    first
        Where `out` starts.
    """

    model: Model
    module: Module
    places: Mapping[str, str]
    states: Mapping[str, str]
    writes: Sequence[Formula | str]
    sums: Sequence[str] = ()
    first: str = ""

    def steady(self) -> Iterator[str]:
        """Lines for a day of one phase."""
        rules = self._rules()
        yield "    k = 0"
        yield from _packed([*self._loads(rules), *self._sets(rules), *self._add()])
        yield from self._results(set())

    def day(self) -> Iterator[str]:
        """Lines that find means over the phases of the day; what is the same all day is computed once.

        Loops over phases have a fixed length and touch no array but `e`, so that the compiler makes them
        vectors.
        """
        daily, rules = self._daily(), self._rules()
        yield from _packed([*self._loads(rules), *self._sets([r for r in rules if r not in daily])])
        if self.module.ripple:
            yield from self._swing(daily)
            yield from self._spread()
        at = _columns(self.model)
        moving = [(i, write) for i, write in enumerate(self.writes) if _moves(write, daily)]
        inner = [f"{self.module.ripple} = {_column(self.model, 1)}"] if self.module.ripple else []
        inner += self._sets([rule for rule in rules if rule in daily])
        share = _column(self.model, at["shares"])
        inner += [
            f"{_column(self.model, at['rates'] + i)} = {share} * ({self._text(write)})" for i, write in moving
        ]
        yield from _hoisted([*inner, *self._add()])
        yield f"    {' = '.join(f'r{i}' for i, _ in moving)} = 0.0"
        yield f"    for k in range({PHASE_COUNT}):"
        adds = [f"r{i} += {_column(self.model, at['rates'] + i)}" for i, _ in moving]
        yield from (f"    {line}" for line in _packed(adds))
        yield from self._results({f"r{i}" for i, _ in moving})

    def moment(self) -> Iterator[str]:
        """Lines that find the writes at the moment before a dose, which is the last phase of the arrays."""
        rules = self._rules()
        yield from _packed(self._loads(rules))
        if self.module.ripple:
            daily = self._daily()
            yield "    if many:"
            early = self._sets([rule for rule in self._rate_rules() if rule not in daily])
            yield from (f"    {line}" for line in _packed(early))
            yield from (f"    {line}" for line in self._swing(daily))
            yield from (f"    {line}" for line in self._add_swing(self.module.ripple))
            yield f"        {self.module.ripple} = max({self.module.ripple}, 0.0)"
        yield f"    k = {PHASE_COUNT}"
        yield from _packed([*self._sets(rules), *self._add()])
        yield from self._results(set())

    def swing(self) -> Iterator[str]:
        """Lines that find how far the swinging state is from its mean at the moment before a dose."""
        daily = self._daily()
        yield from _packed(self._loads([]))
        yield from _packed(self._sets([rule for rule in self._rate_rules() if rule not in daily]))
        yield from self._swing(daily)
        yield "    moved = 0.0"
        yield from self._add_swing("moved")
        yield "    return moved"

    def _swing(self, daily: frozenset[str]) -> Iterator[str]:
        """Lines that find the rate of the swinging state in each phase."""
        state, calm = self.module.ripple, self.model.daily(self.module)
        rules = self._rate_rules()
        yield from _packed(self._sets([rule for rule in rules if rule in daily and rule not in calm]))
        rate = f"{_column(self.model, 0)} = {_placed(self.module.rates[state], self.places)}"
        each = [*self._sets([rule for rule in rules if rule in calm]), rate]
        # Names of their own: a name that lives on after the loop would keep it from becoming vectors.
        own = re.compile(rf"\b({'|'.join(rule for rule in rules if rule in calm)})\b")
        yield from _hoisted([own.sub(r"\1_k", line) for line in each])

    def _add_swing(self, name: str) -> Iterator[str]:
        """Lines that add to a name how far the swinging state moves by the moment before a dose."""
        swing, spread = self._swing_places()
        yield f"    for j in range({PHASE_COUNT}):"
        yield f"        {name} += e[{spread} + {LANES} * j + {PHASE_COUNT}] * e[{swing} + j]"

    def _spread(self) -> Iterator[str]:
        """Lines that find the swinging state in each phase."""
        swing, spread = self._swing_places()
        yield f"    for k in range({PHASE_COUNT}):"
        yield f"        {_column(self.model, 1)} = {self.module.ripple}"
        yield f"    for j in range({PHASE_COUNT}):"
        yield f"        moved = e[{swing} + j]"
        yield f"        for k in range({PHASE_COUNT}):"
        yield f"            {_column(self.model, 1)} += e[{spread} + {LANES} * j + k] * moved"
        yield f"    for k in range({PHASE_COUNT}):"
        yield f"        {_column(self.model, 1)} = max({_column(self.model, 1)}, 0.0)"

    def _swing_places(self) -> tuple[int, int]:
        """Where rates of the swinging state and the spread of phases begin."""
        effects = len(self.model.exposures)
        return LANES * effects, LANES * (effects + _columns(self.model)["spread"])

    def _add(self) -> list[str]:
        """Statements that add to the sums of a phase."""
        return [f"{_column(self.model, 2 + i)} += {name}" for i, name in enumerate(self.sums)]

    def _daily(self) -> frozenset[str]:
        """Rules that change within the day: by drugs, by the swinging state, by sums over lesions."""
        return self.model.daily(self.module, beside=(self.module.ripple, *self.module.sums))

    def _goals(self) -> list[str]:
        """Names that are wanted."""
        goals = [*self.sums]
        for write in self.writes:
            goals += [write] if isinstance(write, str) else write.names
        return goals

    def _rules(self) -> list[str]:
        """Rules that are needed, in order."""
        return _wanted(self.module, self._goals())

    def _rate_rules(self) -> list[str]:
        """Rules that the rate of the swinging state needs."""
        return _wanted(self.module, self.module.rates[self.module.ripple].names)

    def _loads(self, rules: Sequence[str]) -> list[str]:
        """Statements that read the states that are used."""
        more = self._rate_rules() if self.module.ripple else []
        used = {name for rule in (*rules, *more) for name in self.module.rules[rule].names} | set(
            self._goals()
        )
        return [
            f"{name} = {place}"
            for name, place in self.states.items()
            if name in used or name == self.module.ripple
        ]

    def _sets(self, rules: Sequence[str]) -> list[str]:
        """Statements that compute rules."""
        return [f"{rule} = {_placed(self.module.rules[rule], self.places)}" for rule in rules]

    def _text(self, write: Formula | str) -> str:
        """Python text of what is written."""
        return self.places.get(write, write) if isinstance(write, str) else _placed(write, self.places)

    def _results(self, moved: set[str]) -> Iterator[str]:
        """Lines that write the results."""
        yield from _packed(
            [
                f"out[{self.first}{i}] = {f'r{i}' if f'r{i}' in moved else self._text(write)}"
                for i, write in enumerate(self.writes)
            ]
        )


def _hoisted(statements: Sequence[str]) -> Iterator[str]:
    """Lines of a loop over the phases, with elements that are the same in all phases read before it."""
    names: dict[str, str] = {}

    def read(found: re.Match[str]) -> str:
        place = found.group()
        return place if place.endswith("k]") else names.setdefault(place, f"c{len(names)}")

    inner = [_ELEMENT.sub(read, statement) for statement in statements]
    yield from _packed([f"{name} = {place}" for place, name in names.items()])
    yield f"    for k in range({PHASE_COUNT}):"
    yield from (f"    {line}" for line in _packed(inner))


def _moves(write: Formula | str, daily: frozenset[str]) -> bool:
    """Whether what is written changes within the day."""
    return bool(daily.intersection([write] if isinstance(write, str) else write.names))


def _lesion(model: Model, writes: Sequence[Formula | str]) -> _Body:
    """Say what a function on one lesion computes, and what it adds to the sums."""
    shared, local = _places(model)
    states = {name: f"y[b + {i}]" for i, name in enumerate(model.lesion.states)}
    places = shared | local | {name: f"y[{i}]" for i, name in enumerate(model.patient.states)}
    sums = list(model.patient.sums.values())
    return _Body(model, model.lesion, places, states, writes, sums, "o + ")


def _patient(model: Model, writes: Sequence[Formula | str]) -> _Body:
    """Say what a function on the patient computes, given the sums over lesions."""
    states = {name: f"y[{i}]" for i, name in enumerate(model.patient.states)}
    sums = {name: _column(model, 2 + i) for i, name in enumerate(model.patient.sums)}
    return _Body(model, model.patient, _places(model)[0] | sums, states, writes)


def _events(model: Model) -> Iterator[str]:
    """Body of the function that gives what happens at once, in the order of the table."""
    shared, local = _places(model)
    for name in model.events():
        yield f"    {name} = {_placed(model.lesion.rules[name], shared | local)}"
    yield f"    return {', '.join(model.events())}"


def _loop(model: Model, *, name: str, sizes: tuple[str, str], more: str, what: str) -> list[str]:
    """Write the function that goes over the lesions and then does the patient."""
    first, step = sizes
    sums = LANES * (len(model.exposures) + 2)
    return [
        _JIT,
        f"def {name}(state, params, exposures, {more}out):",
        f'    """{what}"""',
        f"    for j in range({sums}, {sums + LANES * len(model.patient.sums)}):",
        "        exposures[j] = 0.0",
        "    for i in range((state.size - PATIENT_SIZE) // LESION_SIZE):",
        "        b = PATIENT_SIZE + i * LESION_SIZE",
        "        q = PATIENT_PARAMS + i * LESION_PARAMS",
        f"        lesion_{name}(state, b, params, q, exposures, {more}out, {first} + i * {step})",
        f"    patient_{name}(state, params, exposures, out)",
    ]


def _functions(model: Model) -> Iterator[str]:
    """Functions defined in the text."""
    for function in model.lesion.functions.values():
        yield _JIT
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
    at, effects = _columns(model), len(model.exposures)
    yield f"LANES, COLUMNS = {LANES}, {effects + at['end']}"
    yield f"SHARES, SPREAD = {effects + at['shares']}, {effects + at['spread']}"


def write_kernel(model: Model) -> str:
    """Source of the kernel.

    Returns
    -------
    str
        Python source with ``steady(state, params, exposures, out)``, which writes the rates of all
        states into `out`; ``day``, of the same arguments, which writes their means over the phases of the
        day (only what tablets change within the day is computed for each phase); ``outputs``, which
        writes the outputs at the moment before a dose; and ``lesion_swing``, how far the state that swings
        within the day is from its mean at that moment.
    """
    lesion, patient = model.lesion, model.patient
    lines = [_HEAD, *_sizes(model), "", *_functions(model)]
    rates = _lesion(model, list(lesion.rates.values())), _patient(model, list(patient.rates.values()))
    shown = _lesion(model, model.outputs("lesion")), _patient(model, model.outputs("patient"))
    for name, parts in (
        ("steady", (rates[0].steady(), rates[1].steady())),
        ("day", (rates[0].day(), rates[1].day())),
        ("outputs", (shown[0].moment(), shown[1].moment())),
    ):
        more = "many, " if name == "outputs" else ""
        lines += [_JIT, f"def lesion_{name}(y, b, p, q, e, {more}out, o):", *parts[0], ""]
        lines += [_JIT, f"def patient_{name}(y, p, e, out):", *parts[1], ""]
    lines += [_JIT, "def lesion_swing(y, b, p, q, e):", *_lesion(model, []).swing(), ""]
    lines += [_JIT, "def lesion_events(p, q):", *_events(model)]
    size = ("PATIENT_SIZE", "LESION_SIZE")
    what = "Rates of all states on a day of one phase, into `out` (as long as `state`)."
    lines += ["", *_loop(model, name="steady", sizes=size, more="", what=what)]
    what = "Rates of all states as means over the day, into `out` (as long as `state`)."
    lines += ["", *_loop(model, name="day", sizes=size, more="", what=what)]
    what = (
        "Outputs before a dose into `out` (PATIENT_SHOWN + lesions * LESION_SHOWN); `many`: a day of phases."
    )
    size = ("PATIENT_SHOWN", "LESION_SHOWN")
    lines += ["", *_loop(model, name="outputs", sizes=size, more="many, ", what=what)]
    return "\n".join(lines) + "\n"


def write_stamp(source: str, before: str) -> str:
    """Source of a compiled module with the digest of the sources that are compiled into it.

    Numba caches a module by its own file alone, so that file must change when one of the others does.
    """
    digest = hashlib.sha256(before.encode()).hexdigest()[:16]
    return re.sub(r'^STAMP: Final = "\w*"$', f'STAMP: Final = "{digest}"', source, flags=re.MULTILINE)


def write_all(kernel: str) -> dict[Path, str]:
    """Write the kernel and the stamps of the modules that have it in them; sources by file."""
    found = {KERNEL: kernel}
    before = kernel + KINETICS.read_text(encoding="utf-8")
    for file in COMPILED:
        found[file] = write_stamp(file.read_text(encoding="utf-8"), before)
        before += found[file]
    return found


if __name__ == "__main__":
    for path, source in write_all(write_kernel(read_model())).items():
        path.write_text(source, encoding="utf-8")
