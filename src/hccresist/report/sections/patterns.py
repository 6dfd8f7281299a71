"""Patterns of progression and response: how often each definition is met, and how definitions overlap."""

from __future__ import annotations

from typing import Any, Final

import polars as pl
from markupsafe import Markup

from hccresist.assess.patterns import DEFINITIONS
from hccresist.report import words
from hccresist.report.facts import Facts
from hccresist.report.figures.overlap import explain_no_overlap, plot_jaccard, plot_overlap
from hccresist.report.render import Table, soften
from hccresist.report.sections.resistance import (
    MOST_FOLDED,
    explain_absence,
    make_figure,
    make_fold,
    make_notice,
    make_table,
)

MOST_REASONS: Final = 12

_FAMILIES: Final = {
    "hyperprogression": "Hyperprogression",
    "pseudoprogression": "Pseudoprogression",
    "rebound": "Rebound",
    "dissociated": "Dissociated response",
    "extent": "Extent of progression",
    "durable": "Durable response",
}
_OPEN_FAMILIES: Final = ("hyperprogression", "pseudoprogression")
_DENOMINATORS: Final = {
    "evaluable": "Of evaluable",
    "treated": "Of treated",
    "pd": "Of those with PD",
    "after_pd": "Of those seen after PD",
}


def build(facts: Facts) -> list[Markup]:
    """Return how often each definition is met, why not all could be judged, and how they overlap."""
    made = [*_rates(facts)]
    patterns = facts.table("patterns")
    if patterns is None:
        made.append(make_notice(explain_absence(facts, "patterns")))
    else:
        made += [make_table(table) for table in _reasons(patterns)]
    return [*made, *_overlap(facts), *_combinations(facts)]


def _rates(facts: Facts) -> list[Markup]:
    frame = facts.table("pattern_rates")
    if frame is None:
        return [make_notice(explain_absence(facts, "pattern_rates", "patterns"))]
    readers = sorted(frame["reader"].unique().to_list())
    held = {reader: frame.filter(pl.col("reader") == reader) for reader in readers}
    tables = {
        family: [
            table
            for reader, rows in held.items()
            if (table := _family(rows, family, reader if len(readers) > 1 else "")) is not None
        ]
        for family in _FAMILIES
    }
    shown = [make_table(table) for family in _OPEN_FAMILIES for table in tables[family]]
    rest = [table for family in _FAMILIES if family not in _OPEN_FAMILIES for table in tables[family]]
    if rest:
        shown.append(make_fold("Rebound, dissociated response, extent and durability", *rest))
    return shown


def _family(rows: pl.DataFrame, family: str, reader: str) -> Table | None:
    cells = {(row["definition"], row["denominator"]): row for row in rows.iter_rows(named=True)}
    names = sorted({name for name, _ in cells if name in DEFINITIONS and DEFINITIONS[name].family == family})
    if not names:
        return None
    denominators = [key for key in _DENOMINATORS if any((name, key) in cells for name in names)]
    head = ("Definition", *(_DENOMINATORS[key] for key in denominators))
    return Table(
        caption=_FAMILIES[family] + (f", {words.label_reader(reader)}" if reader else ""),
        head=head,
        rows=tuple(
            (
                Markup("{}<br>{}").format(DEFINITIONS[name].title, soften(name)),
                *(_met(cells.get((name, key)), of=cells.get((name, "evaluable"))) for key in denominators),
            )
            for name in names
        ),
        note="Patients who meet the definition / patients counted, percent.",
    )


def _met(row: dict[str, Any] | None, *, of: dict[str, Any] | None) -> Markup | str:
    """Return met / counted and percent; no percent where nobody was evaluable (`of`)."""
    if row is None:
        return words.EMPTY
    if of is not None and not of["n"]:
        share = "none evaluable"
    else:
        share = words.percent(row["percent"]) if row["n"] else "nobody"
    return Markup("{}/{} {}").format(words.count(row["met"]), words.count(row["n"]), soften(f"({share})"))


def _reasons(patterns: pl.DataFrame) -> list[Table]:
    missing = patterns.filter(~pl.col("evaluable")).with_columns(
        why=pl.col("reason").str.replace_all(r"day [-−]?\d+(\.\d+)?", "day …")
    )
    if missing.is_empty():
        return []
    counted = (
        missing.group_by("why")
        .agg(
            n=pl.len(), definitions=pl.col("definition").n_unique(), patients=pl.col("patient_id").n_unique()
        )
        .sort("n", "why", descending=[True, False])
    )
    shown = counted.head(MOST_REASONS)
    return [
        Table(
            caption="Why definitions could not be judged",
            head=("Reason", "Definitions", "Patients", "Judgements"),
            rows=tuple(
                (
                    row["why"],
                    words.count(row["definitions"]),
                    words.count(row["patients"]),
                    words.count(row["n"]),
                )
                for row in shown.iter_rows(named=True)
            ),
            note=f"{words.count(shown.height)} of {words.plural(counted.height, 'reason')}, most frequent "
            f"first; {words.count(missing.height)} of {words.plural(patterns.height, 'judgement')} could not "
            "be made. Reasons that differ only in a day are counted together.",
        )
    ]


def _combinations(facts: Facts) -> list[Markup]:
    frame = facts.table("pattern_combinations")
    if frame is None:
        return [make_notice(explain_absence(facts, "pattern_combinations", "patterns"))]
    readers = frame["reader"].n_unique()
    rows = frame.sort("family", "reader", "patients", "combination", descending=[False, False, True, False])
    shown = rows.head(MOST_FOLDED)
    more = rows.height - shown.height
    table = Table(
        caption="Definitions that are met together",
        head=("Pattern", "Definitions met", "How many", "Patients", "Evaluable for all"),
        rows=tuple(
            (
                _FAMILIES.get(row["family"], str(row["family"]))
                + (f", {words.label_reader(row['reader'])}" if readers > 1 else ""),
                row["combination"] or "none",
                words.count(len(row["combination"].split(" + ")) if row["combination"] else 0),
                words.count(row["patients"]),
                words.count(row["evaluable_for_all"]),
            )
            for row in shown.iter_rows(named=True)
        ),
        text_columns=(0, 1),
        note="Patients with exactly this combination. ‘None’ includes patients in whom some definitions "
        "could not be judged; the last column counts those in whom all could."
        + (f" {words.plural(more, 'further row')} in table ‘pattern_combinations’." if more else ""),
    )
    return [make_fold("Every combination, with who could be judged by all definitions", table)]


def _overlap(facts: Facts) -> list[Markup]:
    """Return the figures of overlap of hyperprogression, one of each a reader."""
    frame = facts.table("pattern_combinations")
    if frame is None:
        return []
    made: list[Markup] = []
    for reader in sorted(frame["reader"].unique().to_list()):
        found = plot_overlap(facts, reader), plot_jaccard(facts, reader)
        made += [make_figure(figure) for figure in found if figure is not None]
        if found[0] is None:
            made.append(make_notice(explain_no_overlap(facts, reader), "plain"))
    return made
