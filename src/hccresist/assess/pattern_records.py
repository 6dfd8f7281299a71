"""Definitions of unconventional patterns as records, and the small logic they are built from.

A definition is a `Definition` (name, needs, rule, source, how far it was verified) with one function
that returns its `Rule`. A rule is made of clauses with three values: true, false, unknown. Clauses
are joined as in Kleene's logic: *all of* is false as soon as one is false, whatever is unknown; a
patient is evaluable when the whole is known and the gate is open. The gate says what has to be
there in any case, for example a scan before treatment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from hccresist.assess.growth_results import PatternDefinitions, Patterns

KEYS: Final = ["patient_id", "reader"]
TIE: Final = 1e-9
"""Rates that differ by less than this share of each other are equal: they come from logarithms."""

Family = Literal["hyperprogression", "rebound", "pseudoprogression", "dissociated", "extent", "durable"]
Verification = Literal["verified", "partly_verified", "not_verified", "ours"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a definition is; see the schema `PatternDefinitions` for the columns."""

    name: str
    family: Family
    title: str
    needs: tuple[str, ...]
    rule: str
    source: str
    verification: Verification
    seen: str
    unit: str = ""
    computable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One condition: its test (null: unknown), its numbers as text, and why it is unknown."""

    test: pl.Expr
    told: pl.Expr
    why: pl.Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How a definition is judged on a frame of facts.

    Attributes
    ----------
    clause
        The condition.
    gate
        Why the definition cannot be judged whatever the clause says; null where it can.
    value
        The number that decides.
    day
        Day of the scan that decides.
    """

    clause: Clause
    gate: pl.Expr
    value: pl.Expr
    day: pl.Expr


RuleOf = Callable[[], Rule]
Registry = dict[str, tuple[Definition, RuleOf | None]]


def number(value: pl.Expr, digits: int = 2) -> pl.Expr:
    """Return a number as text, without trailing zeros."""
    text = value.round(digits).cast(pl.String)
    return text.str.replace(r"\.0$", "").str.replace(r"(\.\d*?[1-9])0+$", "${1}")


def text(*parts: pl.Expr | str) -> pl.Expr:
    """Return text joined from pieces; a piece that is null counts as empty."""
    return pl.concat_str([pl.lit(p) if isinstance(p, str) else p for p in parts], ignore_nulls=True)


def all_of(*clauses: Clause) -> Clause:
    """Return the clause that is true when all are, false when one is false, else unknown."""
    test = clauses[0].test
    for clause in clauses[1:]:
        test = test & clause.test
    return Clause(test=test, told=_listed(clauses), why=_unknown(clauses))


def any_of(*clauses: Clause) -> Clause:
    """Return the clause that is true when one is, false when all are false, else unknown."""
    test = clauses[0].test
    for clause in clauses[1:]:
        test = test | clause.test
    return Clause(test=test, told=_listed(clauses), why=_unknown(clauses))


def at_least(count: int, *clauses: Clause) -> Clause:
    """Return the clause that is true when `count` are, false when so many no longer can be."""
    true = pl.sum_horizontal(clause.test.fill_null(value=False).cast(pl.Int64) for clause in clauses)
    possible = pl.sum_horizontal(clause.test.fill_null(value=True).cast(pl.Int64) for clause in clauses)
    known = pl.when(true >= count).then(pl.lit(value=True)).when(possible < count).then(pl.lit(value=False))
    told = text(true.cast(pl.String), f" of {len(clauses)} hold (needs {count}): ", _listed(clauses))
    return Clause(test=known, told=told, why=_unknown(clauses))


def _listed(clauses: Iterable[Clause]) -> pl.Expr:
    told = [
        pl.when(c.test.is_null()).then(text(pl.lit("unknown, "), c.why)).otherwise(c.told) for c in clauses
    ]
    return pl.concat_str(told, separator="; ", ignore_nulls=True)


def _unknown(clauses: Iterable[Clause]) -> pl.Expr:
    return pl.coalesce(pl.when(c.test.is_null()).then(c.why) for c in clauses)


def judge(facts: pl.DataFrame, definition: Definition, rule: Rule | None) -> pl.DataFrame:
    """Return the rows of `patterns` for one definition.

    Parameters
    ----------
    facts
        One row a patient and reader, with the columns that the rule reads.
    definition, rule
        The definition; without a rule it is registered but not computable, and nobody is evaluable.
    """
    if rule is None:
        closed = pl.lit(f"not computable: {definition.seen}")
        nothing = pl.lit(None, dtype=pl.Float64)
        empty = Clause(test=pl.lit(None, dtype=pl.Boolean), told=pl.lit(""), why=closed)
        rule = Rule(clause=empty, gate=closed, value=nothing, day=nothing)
    known = rule.gate.is_null() & rule.clause.test.is_not_null()
    met = pl.when(known).then(rule.clause.test)
    reason = (
        pl.when(~known)
        .then(pl.coalesce(rule.gate, rule.clause.why, pl.lit("what it needs is not known")))
        .otherwise(text(pl.when(met).then(pl.lit("met: ")).otherwise(pl.lit("not met: ")), rule.clause.told))
    )
    return facts.select(
        *KEYS,
        pl.lit(definition.name).alias("definition"),
        pl.lit(definition.family).alias("family"),
        known.alias("evaluable"),
        met.alias("met"),
        pl.when(known).then(rule.value).cast(pl.Float64).alias("value"),
        pl.lit(definition.unit).alias("unit"),
        pl.when(known).then(rule.day).cast(pl.Float64).alias("day"),
        pl.lit(None, dtype=pl.String).alias("reached"),
        pl.lit(None, dtype=pl.String).alias("detail"),
        reason.alias("reason"),
    ).select(list(Patterns.columns()))


def tabulate_definitions(definitions: Iterable[Definition]) -> pl.DataFrame:
    """Return the table `pattern_definitions`, sorted by name."""
    rows = [
        {
            "definition": item.name,
            "family": item.family,
            "title": item.title,
            "needs": ", ".join(item.needs),
            "rule": item.rule,
            "source": item.source,
            "verification": item.verification,
            "seen": item.seen,
            "computable": item.computable,
        }
        for item in definitions
    ]
    return PatternDefinitions.validate(pl.DataFrame(rows).sort("definition"))
