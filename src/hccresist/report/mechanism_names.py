"""Mechanisms, their families and their gene sets in the report's words and order."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

import polars as pl

from hccresist.report import words

FAMILIES: Final = (
    "TME",
    "IMM",
    "HYP",
    "MET",
    "GEN",
    "FER",
    "AUT",
    "APO",
    "ERS",
    "ABC",
    "NCR",
    "SIG",
    "EPI",
    "CSC",
    "OCD",
    "DDR",
    "BIO",
    "RSP",
    "CMB",
)
"""Families in the order of the report; others follow by name."""

_ACCEPTED: Final = "accepted"
"""Word of a flag of `mechanism_scores` by which a low coverage was accepted."""

LOW_COVERAGE: Final = "†"
"""Mark of a gene set whose low coverage was accepted."""


def name_mechanism(mechanism: str) -> str:
    """Return the name of a mechanism; one that the taxonomy does not hold keeps its key."""
    return _taxonomy().get(mechanism, (mechanism, ""))[0]


def name_family(mechanism: str) -> str:
    """Return the name of the family of a mechanism."""
    return _taxonomy().get(mechanism, ("", ""))[1] or "Other mechanisms"


def sort_mechanisms(mechanisms: Iterable[str]) -> tuple[str, ...]:
    """Return distinct mechanisms by family, in the order of the report, then by key."""
    place = {family: at for at, family in enumerate(FAMILIES)}

    def rank(mechanism: str) -> tuple[int, str]:
        return place.get(mechanism.split("-", maxsplit=1)[0], len(place)), mechanism

    return tuple(sorted(set(mechanisms), key=rank))


def find_accepted(scores: pl.DataFrame | None) -> frozenset[str]:
    """Return the gene sets that were scored although few of their genes were measured."""
    if scores is None:
        return frozenset()
    found = scores.filter(pl.col("flag").str.contains(_ACCEPTED, literal=True))
    return frozenset(found["set"].unique().to_list())


def explain_mark(sets: Iterable[str]) -> str:
    """Return what the mark of low coverage means, where one of these sets bears it."""
    found = sorted(sets)
    if not found:
        return ""
    return f" {LOW_COVERAGE} Low coverage accepted: {words.listing(found)}."


def count_samples(calls: pl.DataFrame) -> pl.DataFrame:
    """Return one row a sample, mechanism and gene: the strongest call of its changes.

    A gene is altered where any change is, else uncertain where any change is, else not altered where
    it was looked at, else not measured.

    Returns
    -------
    pl.DataFrame
        sample_id, mechanism_id, gene, call, change (those of that call, joined), rule, source.
    """
    order = {"altered": 0, "uncertain": 1, "not_altered": 2, "not_measured": 3}
    ranked = calls.with_columns(
        rank=pl.col("call").cast(pl.String).replace_strict(order, return_dtype=pl.Int8),
        call=pl.col("call").cast(pl.String),
    )
    key = ("sample_id", "mechanism_id", "gene")
    best = ranked.filter(pl.col("rank") == pl.col("rank").min().over(key)).sort(*key, "change")
    return best.group_by(key, maintain_order=True).agg(
        pl.first("call"),
        pl.col("change").filter(pl.col("change") != "").str.join(", "),
        pl.col("rule").unique(maintain_order=True).str.join("; "),
        pl.col("source").unique(maintain_order=True).str.join("; "),
    )


@cache
def _taxonomy() -> dict[str, tuple[str, str]]:
    from hccresist.explain.knowledge import read_base  # noqa: PLC0415  (reads the evidence base)

    rows = read_base().mechanisms.select("mechanism_id", "name", "family").iter_rows()
    return {mechanism: (name, family) for mechanism, name, family in rows}
