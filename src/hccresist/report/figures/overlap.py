"""Figures of how definitions of a pattern overlap: an UpSet plot, and the Jaccard index of each pair."""

from __future__ import annotations

import re
from typing import Final

import polars as pl

from hccresist.assess.patterns import DEFINITIONS
from hccresist.report import words
from hccresist.report.facts import Facts
from hccresist.report.figures.figure import Figure, draw

FAMILY: Final = "hyperprogression"
MOST_COMBINATIONS: Final = 18
"""Combinations that are drawn, the most frequent; the table below the figure has the others."""

TITLES: Final = {name: re.sub(r" \([^)]*\)", "", item.title) for name, item in DEFINITIONS.items()}
"""Titles of definitions without what stands in brackets, so that they fit beside a figure."""


def count_sets(facts: Facts, reader: str) -> pl.DataFrame:
    """Return the definitions of hyperprogression that anybody meets, the most frequent first.

    Returns
    -------
    polars.DataFrame
        definition, title (short), met (patients who meet it), evaluable (patients it can judge).
    """
    rates = facts.table("pattern_rates")
    if rates is None:
        return pl.DataFrame()
    names = [name for name, item in DEFINITIONS.items() if item.family == FAMILY]
    rows = rates.filter(
        pl.col("definition").is_in(names),
        pl.col("denominator").cast(pl.String) == "evaluable",
        pl.col("reader") == reader,
        pl.col("met") > 0,
    )
    return rows.select(
        "definition", pl.col("definition").replace(TITLES).alias("title"), "met", evaluable="n"
    ).sort("met", "definition", descending=[True, False])


def count_combinations(facts: Facts, reader: str) -> pl.DataFrame:
    """Return the combinations of definitions that are met, most frequent first; nobody's are left out.

    Returns
    -------
    polars.DataFrame
        rank (from 0), combination (names joined by `` + ``), patients.
    """
    frame = facts.table("pattern_combinations")
    if frame is None:
        return pl.DataFrame()
    rows = frame.filter(
        pl.col("family") == FAMILY, pl.col("reader") == reader, pl.col("combination") != ""
    ).sort("patients", "combination", descending=[True, False])
    return rows.select("combination", "patients").with_row_index("rank")


def plot_overlap(facts: Facts, reader: str) -> Figure | None:
    """Return the UpSet plot of one reader, or ``None`` where fewer than two definitions are met."""
    from hccresist.report.figures.charts import overlap  # noqa: PLC0415  (Altair loads slowly)

    sets, every = count_sets(facts, reader), count_combinations(facts, reader)
    if sets.height < 2 or every.is_empty():
        return None
    shown = every.head(MOST_COMBINATIONS)
    cells = _cells(sets, shown)
    key = _key("overlap-hyperprogression", reader)
    chart = overlap.chart_overlap(sets["title"].to_list(), shown.height)
    held = cells.filter("met")
    lines = held.join(sets.with_row_index("row").select("title", "row"), on="title").sort("rank", "row")
    spans = lines.group_by("rank", maintain_order=True).agg(top=pl.first("title"), bottom=pl.last("title"))
    rows = {"bars": shown, "cells": cells.filter(~pl.col("met")), "held": held, "spans": spans, "sets": sets}
    return Figure(
        key=key,
        title="Definitions of hyperprogression that are met together" + _by(reader),
        heading="Hyperprogression: which definitions are met together" + _by(reader),
        caption=_caption(sets, shown, every),
        alt=_describe(sets, shown, every),
        data=shown.select("combination", "patients"),
        svg=draw(chart, key=key, rows=rows),
    )


def plot_jaccard(facts: Facts, reader: str) -> Figure | None:
    """Return the Jaccard index of each pair as a matrix, or ``None`` where fewer than two are met."""
    from hccresist.report.figures.charts import overlap  # noqa: PLC0415  (Altair loads slowly)

    sets, frame = count_sets(facts, reader), facts.table("pattern_overlap")
    if sets.height < 2 or frame is None:
        return None
    names = sets["definition"].to_list()
    pairs = frame.filter(
        pl.col("reader") == reader, pl.col("definition_a").is_in(names), pl.col("definition_b").is_in(names)
    )
    pairs = pairs.drop("reader").sort("definition_a", "definition_b")
    key = _key("jaccard-hyperprogression", reader)
    return Figure(
        key=key,
        title="Jaccard index of definitions of hyperprogression" + _by(reader),
        heading="Hyperprogression: how far definitions agree" + _by(reader),
        caption="Jaccard index: patients who meet both definitions among those who meet either, of patients "
        "whom both can judge (1: the same patients; 0: no patient in common). A dash: nobody whom both can "
        "judge meets either. Definitions that nobody meets are left out.",
        alt=_describe_pairs(pairs),
        data=pairs,
        svg=draw(overlap.chart_jaccard(sets["title"].to_list()), key=key, rows={"rows": _both_ways(pairs)}),
    )


def explain_no_overlap(facts: Facts, reader: str) -> str:
    """Return why there is no figure of one reader: nobody, or only one definition, is met."""
    sets = count_sets(facts, reader)
    if sets.is_empty():
        return f"Nobody meets a definition of hyperprogression{_by(reader)}, so there is no overlap to show."
    title, met = sets.row(0)[1:3]
    return (
        f"{title} is the only definition of hyperprogression that anybody meets{_by(reader)} "
        f"({words.plural(met, 'patient')}), so there is no overlap to show."
    )


def _key(name: str, reader: str) -> str:
    return f"{name}-{words.slug(reader)}" if reader else name


def _by(reader: str) -> str:
    return f", {words.label_reader(reader)}" if reader else ""


def _cells(sets: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:
    """Return one row a combination and definition: whether it belongs to it."""
    cross = shown.select("rank", pl.col("combination").str.split(" + ").alias("names")).join(
        sets.select("definition", "title"), how="cross"
    )
    member = pl.col("names").list.contains(pl.col("definition"))
    return cross.select("rank", "title", member.alias("met"))


def _both_ways(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return each pair twice, once each way, with the text and the shade of its cell."""
    hundredths = (100 * pl.col("jaccard")).round().cast(pl.Int64)
    parts = hundredths // 100, (hundredths % 100).cast(pl.String).str.zfill(2)
    said = pl.format("{}.{}", *parts).fill_null("–")
    rows = pl.concat(
        [
            pairs.select(row="definition_a", column="definition_b", jaccard="jaccard"),
            pairs.select(row="definition_b", column="definition_a", jaccard="jaccard"),
        ]
    )
    return rows.select(
        pl.col("row", "column").replace(TITLES), shade=pl.col("jaccard").fill_null(0.0), label=said
    )


def _caption(sets: pl.DataFrame, shown: pl.DataFrame, every: pl.DataFrame) -> str:
    left = every.height - shown.height
    more = f" The {shown.height} most frequent of {every.height} combinations." if left else ""
    return (
        "Each column is a combination: its bar counts the patients who meet exactly the definitions marked "
        "below it. Bars to the right count all patients who meet a definition, of those it can judge. A "
        "definition that is not marked may also not have been evaluable. "
        f"{words.plural(int(every['patients'].sum()), 'patient')} meet at least one of "
        f"{words.plural(sets.height, 'definition')}.{more}"
    )


def _describe(sets: pl.DataFrame, shown: pl.DataFrame, every: pl.DataFrame) -> str:
    first = [
        f"{words.listing([TITLES[n] for n in row['combination'].split(' + ')])}: {row['patients']}"
        for row in shown.head(5).iter_rows(named=True)
    ]
    of_sets = [f"{row['title']} {row['met']} of {row['evaluable']}" for row in sets.iter_rows(named=True)]
    return (
        f"UpSet plot. {int(every['patients'].sum())} patients meet at least one definition of "
        f"hyperprogression, in {every.height} combinations. Most frequent: {'; '.join(first)}. "
        f"By definition: {'; '.join(of_sets)}."
    )


def _describe_pairs(pairs: pl.DataFrame) -> str:
    known = pairs.drop_nulls("jaccard").sort(
        "jaccard", "definition_a", "definition_b", descending=[True, False, False]
    )
    said = [
        f"{TITLES[row['definition_a']]} and {TITLES[row['definition_b']]} {row['jaccard']:.2f}"
        for row in known.iter_rows(named=True)
    ]
    empty = pairs.height - known.height
    none = f" For {words.plural(empty, 'pair')} there is none." if empty else ""
    return f"Matrix of Jaccard indices. {'; '.join(said)}.{none}"
