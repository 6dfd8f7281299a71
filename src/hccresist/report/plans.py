"""The strategies of each patient, as compact JSON rows; what patients share is kept once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import polars as pl

from hccresist.report.facts import Facts
from hccresist.report.lexicon import Lexicon
from hccresist.report.mechanism_names import name_mechanism

TABLE: Final = "strategies"
PARTS: Final = {
    "clinical": "clinical evidence",
    "match": "match",
    "preclinical": "findings for",
    "contradiction": "against",
    "simulated": "simulated gain",
    "cap": "put below a success",
}
"""Parts of the score, by column, in words."""

GROUPS: Final = ("found", "other", "failed")
"""What addresses something that is on; evidence in patients in general; what failed."""

MOST: Final = {"found": 6, "other": 3, "failed": 3}
"""Strategies of a group that a patient's card shows; the table holds all."""


def name_group(row: Mapping[str, Any]) -> str:
    """Return the group of a row of `strategies`."""
    if str(row["outcome"]) == "failed":
        return "failed"
    return "found" if str(row["addresses"]) == "found" else "other"


def make_plans(facts: Facts, ids: tuple[str, ...]) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return what the strategies of all patients share, and those of each patient, ready for JSON.

    Returns
    -------
    dict or None
        ``None`` where there are no strategies. strategies [key, name, drugs, mechanism, stage, outcome, line,
        trial, result, source, counted, findings for, findings against]; texts; parts (of the score).
    dict
        Patient to ``rows`` [strategy, group, rank, score, parts, why, against, contraindications, notes, gain
        (simulated: points, low, high, measure; or none)],
        ``more`` (rows of each group left out) and ``nothing`` (why nothing is supported, or none).
    """
    frame = facts.table(TABLE)
    if frame is None:
        return None, {}
    strategies, texts = Lexicon[tuple[Any, ...]](), Lexicon[str]()
    own = frame.filter(pl.col("patient_id").is_in(list(ids)))
    plans: dict[str, Any] = {}
    for (patient,), part in own.group_by("patient_id", maintain_order=True):
        plans[str(patient)] = _plan(part.iter_rows(named=True), strategies, texts)
    shared = {
        "strategies": [list(strategy) for strategy in strategies.places],
        "texts": list(texts.places),
        "parts": list(PARTS.values()),
    }
    return shared, plans


def _plan(
    rows: Iterable[Mapping[str, Any]], strategies: Lexicon[tuple[Any, ...]], texts: Lexicon[str]
) -> dict[str, Any]:
    shown: list[list[Any]] = []
    counts: dict[str, int] = dict.fromkeys(GROUPS, 0)
    nothing = None
    for row in rows:
        if not row["rank"]:
            nothing = row["notes"]
            continue
        group = name_group(row)
        counts[group] += 1
        if counts[group] <= MOST[group]:
            shown.append(_row(row, group, strategies, texts))
    more = [max(0, counts[group] - MOST[group]) for group in GROUPS]
    return {"rows": shown, "more": more, "nothing": nothing}


def _row(
    row: Mapping[str, Any], group: str, strategies: Lexicon[tuple[Any, ...]], texts: Lexicon[str]
) -> list[Any]:
    strategy = (
        row["strategy_id"],
        row["strategy"],
        row["drugs"].replace(";", " + "),
        "; ".join(filter(None, (name_mechanism(row["mechanism_id"]), row["targets"].replace(";", ", ")))),
        row["stage"],
        str(row["outcome"] or "no outcome recorded"),
        row["line"],
        row["trial_id"] or "",
        row["result"],
        row["source"],
        int(row["counted"]),
        row["evidence_for"],
        row["evidence_against"],
    )
    words = [texts(row[name]) for name in ("why", "against", "contraindications", "notes")]
    return [
        strategies(strategy),
        GROUPS.index(group),
        row["rank"],
        row["score"],
        [row[part] for part in PARTS],
        *words,
        _gain(row),
    ]


def _gain(row: Mapping[str, Any]) -> list[Any] | None:
    """Return the simulated gain in points, with its interval and what it measures; none if not simulated."""
    if row["simulated_gain"] is None:
        return None
    points = (100 * row[name] for name in ("simulated_gain", "simulated_gain_low", "simulated_gain_high"))
    return [*(round(value, 1) for value in points), row["simulated_measure"]]
