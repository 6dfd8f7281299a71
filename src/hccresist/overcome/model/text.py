"""Reading the model text: the small part of Antimony that `lesion.ant` and `patient.ant` are written in.

What is understood, and nothing else: comments (``//``), ``function NAME(a, b) EXPRESSION; end``, one
``model NAME() … end`` a file, assignment rules ``NAME := EXPRESSION;``, rate rules ``NAME' = EXPRESSION;``
and, in the patient, the comment lines ``//@ sum NAME = SYMBOL`` that add a symbol of the lesions.
Expressions have ``+ - * / ^``, numbers, names, calls of functions of the text, ``sqrt``, ``exp`` and ``abs``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

from hccresist.errors import ConfigError

BUILT_IN: Final = frozenset({"sqrt", "exp", "abs"})
"""Functions that need no definition; each is there in Antimony, in Python and on a GPU."""
FOLDER: Final = Path(__file__).parent

_SUM: Final = re.compile(r"^//@ sum (\w+) = (\w+)\s*$")
_RIPPLE: Final = re.compile(r"^\s*//@ ripple (\w+)\b")
_FUNCTION: Final = re.compile(r"^function (\w+)\(([\w, ]+)\)\s+(.+?);\s*end$", re.DOTALL)
_END: Final = re.compile(r"(?<=\bend)\s*\n")
_MODEL: Final = re.compile(r"^model (\w+)\(\)$")
_RULE: Final = re.compile(r"^(\w+)\s*:=\s*(.+)$", re.DOTALL)
_RATE: Final = re.compile(r"^(\w+)'\s*=\s*(.+)$", re.DOTALL)
_NODES: Final = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.USub,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.Pow,
    ast.Call,
    ast.Name,
    ast.Load,
    ast.Constant,
)


@dataclass(frozen=True)
class Formula:
    """One expression: its text in Antimony, its text in Python, the names and functions it needs."""

    antimony: str
    python: str
    names: tuple[str, ...]
    calls: tuple[str, ...]


@dataclass(frozen=True)
class Function:
    """A function defined in the text."""

    name: str
    arguments: tuple[str, ...]
    body: Formula


@dataclass(frozen=True)
class Module:
    """One model text.

    Attributes
    ----------
    name
        Name of the model (lesion or patient).
    functions
        Functions defined before the model, by name.
    rules
        Assignment rules, in an order in which each can be computed.
    rates
        Rate rules, in the order of the text: this is the order of the states.
    sums
        Name in the patient to the symbol of the lesion that is added.
    text
        The text as written.
    ripple
        State whose swing within the day counts when effects of tablets are averaged over the day, or empty.
    """

    name: str
    functions: Mapping[str, Function]
    rules: Mapping[str, Formula]
    rates: Mapping[str, Formula]
    sums: Mapping[str, str] = field(default_factory=dict[str, str])
    text: str = ""
    ripple: str = ""

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states, in the order of their rate rules."""
        return tuple(self.rates)

    @property
    def formulas(self) -> Iterator[tuple[str, Formula]]:
        """Every rule and rate with its name."""
        yield from self.rules.items()
        yield from ((f"{name}'", formula) for name, formula in self.rates.items())

    def needed(self) -> frozenset[str]:
        """Names used that the module defines neither by a rule, a rate nor a sum."""
        used = {name for _, formula in self.formulas for name in formula.names}
        return frozenset(used - set(self.rules) - set(self.rates) - set(self.sums))


def read_formula(text: str) -> Formula:
    """Read one Antimony expression.

    Raises
    ------
    ConfigError
        Where it is no expression of the subset.

    Examples
    --------
    >>> read_formula("x^2/(x + half)").python
    'x ** 2 / (x + half)'
    """
    clean = " ".join(text.split())
    try:
        tree = ast.parse(clean.replace("^", "**"), mode="eval")
    except SyntaxError as error:
        message = f"model text: {clean!r} is no expression"
        raise ConfigError(message) from error
    for node in ast.walk(tree):
        if not isinstance(node, _NODES) or "**" in clean:
            message = f"model text: {clean!r} uses what this subset of Antimony does not have"
            raise ConfigError(message)
    calls = [node.func.id for node in ast.walk(tree) if _is_call(node)]  # type: ignore[attr-defined]
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id not in calls]
    return Formula(clean, ast.unparse(tree.body), _once(names), _once(calls))


def _is_call(node: ast.AST) -> bool:
    """Whether a node calls a function by its plain name."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def _once(names: Sequence[str]) -> tuple[str, ...]:
    """Names without repetition, sorted."""
    return tuple(sorted(set(names)))


def read_module(text: str) -> Module:
    """Read one model text.

    Raises
    ------
    ConfigError
        Where a statement is not of the subset, a name is defined twice, or rules go in a circle.
    """
    sums: dict[str, str] = {m.group(1): m.group(2) for line in text.splitlines() if (m := _SUM.match(line))}
    plain = "\n".join(line.partition("//")[0].rstrip() for line in text.splitlines())
    head, name, body = _split(plain)
    rules: dict[str, Formula] = {}
    rates: dict[str, Formula] = {}
    for statement in filter(None, (part.strip() for part in body.split(";"))):
        _read_statement(statement, rules, rates)
    twice = sorted((set(rules) & set(rates)) | (set(sums) & (set(rules) | set(rates))))
    if twice:
        message = f"model text: {', '.join(twice)} defined twice"
        raise ConfigError(message)
    functions = {function.name: function for function in _read_functions(head)}
    ripples = [m.group(1) for line in text.splitlines() if (m := _RIPPLE.match(line))]
    wrong = [state for state in ripples if state not in rates]
    if wrong or len(ripples) > 1:
        message = f"model text: one state may ripple within the day, not {', '.join(wrong or ripples)}"
        raise ConfigError(message)
    return Module(name, functions, _in_order(rules), rates, sums, text, ripples[0] if ripples else "")


def _split(plain: str) -> tuple[str, str, str]:
    """Split into what stands before the model, the name of the model, and its body."""
    lines = plain.splitlines()
    starts = [index for index, line in enumerate(lines) if _MODEL.match(line.strip())]
    ends = [index for index, line in enumerate(lines) if line.strip() == "end"]
    if len(starts) != 1 or not ends or ends[-1] < starts[0]:
        message = "model text: there must be exactly one 'model NAME()' closed by 'end'"
        raise ConfigError(message)
    start = starts[0]
    found = _MODEL.match(lines[start].strip())
    name = found.group(1) if found else ""
    return "\n".join(lines[:start]), name, "\n".join(lines[start + 1 : ends[-1]])


def _read_functions(head: str) -> Iterator[Function]:
    """Functions defined before the model."""
    for part in filter(None, (block.strip() for block in _END.split(head + "\n"))):
        found = _FUNCTION.match(part)
        if found is None:
            message = f"model text: cannot read the function {part!r}"
            raise ConfigError(message)
        arguments = tuple(argument.strip() for argument in found.group(2).split(","))
        yield Function(found.group(1), arguments, read_formula(found.group(3)))


def _read_statement(statement: str, rules: dict[str, Formula], rates: dict[str, Formula]) -> None:
    """Put one rule or rate where it belongs."""
    for pattern, target in ((_RULE, rules), (_RATE, rates)):
        found = pattern.match(statement)
        if found is None:
            continue
        if found.group(1) in target:
            message = f"model text: {found.group(1)} defined twice"
            raise ConfigError(message)
        target[found.group(1)] = read_formula(found.group(2))
        return
    message = f"model text: cannot read the statement {statement!r}"
    raise ConfigError(message)


def _in_order(rules: Mapping[str, Formula]) -> dict[str, Formula]:
    """Rules in an order in which each needs only those before it; the order of the text among equals."""
    graph = {name: [used for used in formula.names if used in rules] for name, formula in rules.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        message = f"model text: rules go in a circle: {' → '.join(error.args[1])}"
        raise ConfigError(message) from error
    return {name: rules[name] for name in order}


def read_text() -> tuple[Module, Module]:
    """Read the lesion module and the patient module of the package."""
    lesion = read_module((FOLDER / "lesion.ant").read_text(encoding="utf-8"))
    patient = read_module((FOLDER / "patient.ant").read_text(encoding="utf-8"))
    return lesion, patient
