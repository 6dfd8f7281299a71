"""Heatmap of mechanism scores, with what is known of each tumour above it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import polars as pl

from hccresist.report import theme, words
from hccresist.report.facts import Facts
from hccresist.report.figures.figure import WIDTH, Figure, draw
from hccresist.report.mechanism_names import (
    LOW_COVERAGE,
    count_samples,
    explain_mark,
    find_accepted,
    name_mechanism,
    sort_mechanisms,
)

MOST_ROWS: Final = 70
"""Gene sets that are drawn."""
MOST_GENES: Final = 4
"""Genes that have a track: those altered most often."""
MAIN_CLASSES: Final = "hoshida_2009"
"""Classification that has a track."""

_METHODS: Final = {"reference_z": "z", "cohort_z": "z"}
"""Method of `mechanism_scores` to the column that is drawn, the preferred first."""
_STEPS: Final = (0.25, 0.5, 0.75)
_SHADES: Final = (1.0, 0.32, 0.62, 1.0)
_RESISTANCE: Final = {
    "primary": ("primary resistance", "pd"),
    "acquired": ("acquired resistance", "upd"),
    "after_stop": ("progression after stop", "sd"),
    "intolerance": ("intolerance", "ned"),
    "no_resistance": ("no resistance", "pr"),
    "not_evaluable": ("not evaluable", "ne"),
}
_CALLS: Final = {
    "altered": ("altered", "ink"),
    "uncertain": ("uncertain", "sd"),
    "not_altered": ("not altered", "grid"),
}
NAMES: Final = 236
"""Pixels for the names of tracks and mechanisms."""
_RUN: Final = re.compile(r'(?:<path d="[^"]+" fill="[^"]+" fill-opacity="[^"]+"/>){2,}')
_PATH: Final = re.compile(r'<path d="([^"]+)" (fill="[^"]+" fill-opacity="[^"]+")/>')


@dataclass(frozen=True, slots=True)
class Track:
    """One annotation: sample to word, and word to its words in the legend and its tone, in order."""

    title: str
    words: Mapping[str, str]
    tones: Mapping[str, tuple[str, str]]


def choose_scores(facts: Facts) -> tuple[pl.DataFrame, str]:
    """Return the scores that are drawn, one set a mechanism, and their method (empty: none can be).

    Of the sets of a mechanism the one is drawn that was checked best, then the one of which most genes
    were measured. Sets of the user's own are all drawn.

    Returns
    -------
    polars.DataFrame
        sample_id, patient_id, mechanism_id, set, label, value; rows without a value left out.
    str
        Method.
    """
    scores = facts.table("mechanism_scores")
    if scores is None:
        return pl.DataFrame(), ""
    for method, column in _METHODS.items():
        rows = scores.filter(pl.col("method").cast(pl.String) == method, pl.col(column).is_not_null())
        if not rows.is_empty():
            sets = rows.select("mechanism_id", "set").unique()
            drawn = rows.join(_choose_sets(facts, sets), on=["mechanism_id", "set"])
            columns = ("sample_id", "patient_id", "mechanism_id", "set", "label")
            return drawn.select(*columns, value=column).sort("sample_id", "mechanism_id", "set"), method
    return pl.DataFrame(), ""


def _choose_sets(facts: Facts, sets: pl.DataFrame) -> pl.DataFrame:
    """Return the sets that are drawn, with the words of their row."""
    from hccresist.explain.signatures import STATUSES, read_signatures  # noqa: PLC0415

    checked = {item.name: STATUSES.index(item.status) for item in read_signatures()}
    coverage = facts.table("coverage")
    found = {} if coverage is None else dict(coverage.select("set", "found").iter_rows())
    shown: list[tuple[str, str, str]] = []
    for mechanism, own in groupby(sorted(sets.iter_rows()), key=lambda pair: pair[0]):
        names = [name for _, name in own]
        known = sorted((checked[name], -found.get(name, 0), name) for name in names if name in checked)
        shown += [(mechanism, name, name_mechanism(mechanism)) for *_, name in known[:1]]
        shown += [(mechanism, name, name) for name in names if name not in checked]
    schema = {"mechanism_id": pl.String, "set": pl.String, "label": pl.String}
    return pl.DataFrame(shown, schema=schema, orient="row")


def plot_heatmap(facts: Facts) -> Figure | None:
    """Return the heatmap, or ``None`` where no two tumours can be compared."""
    from hccresist.report.figures.charts import mechanisms  # noqa: PLC0415  (Altair loads slowly)

    scores, method = choose_scores(facts)
    if not method or scores["sample_id"].n_unique() < 2:
        return None
    accepted = find_accepted(facts.table("mechanism_scores")) & set(scores["set"].to_list())
    mark = pl.when(pl.col("set").is_in(list(accepted))).then(pl.lit(f" {LOW_COVERAGE}")).otherwise(pl.lit(""))
    scores = scores.with_columns(row=pl.col("label") + mark)
    names = _order_rows(scores)
    left = scores["row"].n_unique() - len(names)
    tracks = collect_tracks(facts, scores.select("sample_id", "patient_id").unique().sort("sample_id"))
    order = _order_samples(scores, tracks)
    limit = _find_limit(scores["value"])
    legend, lines = _lay_legend(tracks, limit)
    rows = {
        "legend": legend,
        "tracks": _track_cells(tracks, order),
        "cells": _score_cells(scores.filter(pl.col("row").is_in(names)), order, limit),
    }
    chart = mechanisms.chart_heatmap([t.title for t in tracks], names, samples=len(order), lines=lines)
    return Figure(
        key="mechanism-heatmap",
        title="Scores of mechanisms, tumour by tumour",
        heading="Scores, tumour by tumour",
        caption=_caption(method, tracks, left) + explain_mark(accepted),
        alt=_describe(scores, names, tracks, len(order)),
        data=_wide(scores, names, order, tracks),
        svg=merge_paths(draw(chart, key="mechanism-heatmap", rows=rows)),
    )


def merge_paths(svg: str) -> str:
    """Return a drawing in which neighbouring shapes of one colour are one path."""
    return _RUN.sub(_merge, svg)


def _merge(found: re.Match[str]) -> str:
    paths = groupby(_PATH.findall(found[0]), key=lambda path: path[1])
    return "".join(f'<path d="{"".join(d for d, _ in own)}" {look}/>' for look, own in paths)


# Tracks ----------------------------------------------------------------------------------------


def collect_tracks(facts: Facts, samples: pl.DataFrame) -> list[Track]:
    """Return what is known of each sample: best response, resistance, class, genes altered most often."""
    found = [*_response_track(facts, samples), *_resistance_track(facts, samples), *_class_track(facts)]
    return [track for track in (*found, *_gene_tracks(facts, samples)) if track.words]


def _response_track(facts: Facts, samples: pl.DataFrame) -> list[Track]:
    best = facts.table("best_response")
    views = [view for view in facts.views if view.reader == facts.lead_reader]
    if best is None or not views:
        return []
    rows = samples.join(facts.of_view("best_response", views[0]), on="patient_id")
    tones = {word: (word, words.response_tone(word)) for word in words.sort_responses(rows["best"].to_list())}
    label = words.label_criterion(views[0].criterion)
    return [
        Track(
            f"Best response, {label}", dict(rows.select("sample_id", "best").drop_nulls().iter_rows()), tones
        )
    ]


def _resistance_track(facts: Facts, samples: pl.DataFrame) -> list[Track]:
    frame = facts.table("resistance")
    if frame is None:
        return []
    first = frame.filter(pl.col("line") == facts.study.config.index_line).sort(
        "patient_id", "criterion", "reader"
    )
    one = first.unique("patient_id", keep="first", maintain_order=True)
    rows = samples.join(one, on="patient_id").select("sample_id", pl.col("class").cast(pl.String))
    return [Track("Class of resistance", dict(rows.iter_rows()), _RESISTANCE)]


def _class_track(facts: Facts) -> list[Track]:
    frame = facts.table("classes")
    if frame is None:
        return []
    rows = frame.filter(
        pl.col("classification") == MAIN_CLASSES,
        ~((pl.col("label") == "unclassified") & pl.col("p").is_null()),
    )
    labels = sorted(set(rows["label"].to_list()) - {"unclassified"})
    if not labels:
        return []
    tones = {label: (label, theme.ARMS[at % len(theme.ARMS)]) for at, label in enumerate(labels)}
    return [
        Track(
            "HCC class, Hoshida 2009",
            dict(rows.select("sample_id", "label").iter_rows()),
            tones | {"unclassified": ("unclassified", "rule")},
        )
    ]


def _gene_tracks(facts: Facts, samples: pl.DataFrame) -> list[Track]:
    calls = facts.table("alteration_calls")
    if calls is None:
        return []
    own = count_samples(calls).join(samples, on="sample_id").unique(["sample_id", "gene"], keep="first")
    often = (
        own.filter(pl.col("call") == "altered")
        .group_by("gene")
        .len()
        .sort("len", "gene", descending=[True, False])
    )
    tracks: list[Track] = []
    for gene in often["gene"].head(MOST_GENES):
        rows = own.filter(pl.col("gene") == gene, pl.col("call") != "not_measured").sort("sample_id")
        tracks.append(Track(gene, dict(rows.select("sample_id", "call").iter_rows()), _CALLS))
    return tracks


# Rows, order and cells -----------------------------------------------------------------------------


def _order_rows(scores: pl.DataFrame) -> list[str]:
    order = {mechanism: at for at, mechanism in enumerate(sort_mechanisms(scores["mechanism_id"].to_list()))}
    rows = scores.select("mechanism_id", "set", "row").unique()
    named = sorted((order[m], name, row) for m, name, row in rows.iter_rows())
    return list(dict.fromkeys(row for *_, row in named))[:MOST_ROWS]


def _order_samples(scores: pl.DataFrame, tracks: Sequence[Track]) -> list[str]:
    """Return the samples by response and resistance, else by class, then by the score that varies most."""
    clinical = [track for track in tracks if track.title.startswith(("Best", "Class"))]
    keys = clinical or [track for track in tracks if track.title.startswith("HCC")]
    spread = scores.group_by("set").agg(sd=pl.col("value").std()).sort("sd", "set", descending=[True, False])
    values = dict(scores.filter(pl.col("set") == spread["set"][0]).select("sample_id", "value").iter_rows())

    def rank(sample: str) -> tuple[object, ...]:
        place = (list(t.tones).index(t.words[sample]) if t.words.get(sample) in t.tones else 99 for t in keys)
        return (*place, -values.get(sample, 0.0), sample)

    return sorted(scores["sample_id"].unique().to_list(), key=rank)


def _find_limit(values: pl.Series) -> float:
    """Return the score from which the colour is full, so that it leaves out about the outermost tenth."""
    at = values.abs().quantile(0.95) or 0.0
    return next((step for step in (0.25, 0.5, 1.0, 1.5, 2.0, 3.0) if at <= step), 4.0)


def _score_cells(scores: pl.DataFrame, order: Sequence[str], limit: float) -> pl.DataFrame:
    share = (pl.col("value") / limit).abs()
    level = sum(((share >= step).cast(pl.Int8) for step in _STEPS), pl.lit(0, dtype=pl.Int8))
    side = pl.when(pl.col("value") > 0).then(pl.lit("arm-2")).otherwise(pl.lit("arm-1"))
    tone = pl.when(level == 0).then(pl.lit("grid")).otherwise(side)
    place = {sample: at for at, sample in enumerate(order)}
    cells = scores.select(
        "row",
        at=pl.col("sample_id").replace_strict(place, return_dtype=pl.Int64),
        tone=tone,
        opacity=level.replace_strict(dict(enumerate(_SHADES)), return_dtype=pl.Float64),
    )
    return _join_runs(cells)


def _track_cells(tracks: Sequence[Track], order: Sequence[str]) -> pl.DataFrame:
    rows = [
        (track.title, at, track.tones[track.words[sample]][1], 1.0)
        for track in tracks
        for at, sample in enumerate(order)
        if track.words.get(sample) in track.tones
    ]
    schema = {"row": pl.String, "at": pl.Int64, "tone": pl.String, "opacity": pl.Float64}
    return _join_runs(pl.DataFrame(rows, schema=schema, orient="row"))


def _join_runs(cells: pl.DataFrame) -> pl.DataFrame:
    """Return neighbours of one colour as one cell, sorted by colour so that they can become one path."""
    look = ("row", "tone", "opacity")
    ranked = cells.sort("row", "at").with_columns(
        run=pl.col("at") - pl.int_range(pl.len()).over(look, order_by="at")
    )
    runs = ranked.group_by(*look, "run").agg(
        pl.col("at").min().alias("from"), (pl.col("at").max() + 1).alias("to")
    )
    colours = {tone.name: tone.light for tone in theme.FIGURE}
    return (
        runs.with_columns(colour=pl.col("tone").replace_strict(colours, return_dtype=pl.String))
        .select("row", "from", "to", "colour", "opacity")
        .sort("colour", "opacity", "row", "from")
    )


# Words -----------------------------------------------------------------------------------------------


def _lay_legend(tracks: Sequence[Track], limit: float) -> tuple[pl.DataFrame, int]:
    """Return the legend as placed marks and words, and how many lines it takes."""
    groups = [("Score", _scale_words(limit))]
    for track in tracks:
        used = set(track.words.values())
        items = [(label, tone, 1.0) for word, (label, tone) in track.tones.items() if word in used]
        title = "Genes" if track.tones is _CALLS else track.title
        if title != "Genes" or all(name != "Genes" for name, _ in groups):
            groups.append((title, items))
    rows: list[tuple[float, float, str, str, float]] = []
    line = 0
    for title, items in groups:
        x = 6.0 - NAMES
        rows.append((x - 8, line + 0.5, title, "", 0.0))
        x += 6.6 * len(title) + 16
        for label, tone, opacity in items:
            wide = 6.6 * len(label) + 26
            if x + wide > WIDTH - NAMES - 10:
                line, x = line + 1, 24.0 - NAMES
            rows.append((x, line + 0.5, label, theme.light(tone), opacity))
            x += wide
        line += 1
    schema = {
        "x": pl.Float64,
        "y": pl.Float64,
        "label": pl.String,
        "colour": pl.String,
        "opacity": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row"), line


def _scale_words(limit: float) -> list[tuple[str, str, float]]:
    edges = [words.plain(limit * step) for step in _STEPS]
    low = [(f"≤ −{edge}", "arm-1", shade) for edge, shade in zip(edges, _SHADES[1:], strict=True)]
    high = [(f"≥ {edge}", "arm-2", shade) for edge, shade in zip(edges, _SHADES[1:], strict=True)]
    return [*reversed(low), ("between", "grid", 1.0), *high]


def _caption(method: str, tracks: Sequence[Track], left: int) -> str:
    what = (
        "Standard deviations from the mean of the reference."
        if method == "reference_z"
        else "Score of the set in standard deviations of this cohort: it says how these tumours compare with "
        "each other, not whether a mechanism is on."
    )
    first = [
        track.title.partition(",")[0].lower() for track in tracks if track.title.startswith(("Best", "Class"))
    ]
    order = words.listing([*first, "the score that varies most"])
    return (
        f"{what} One column a tumour, ordered by {order}; one row a mechanism, by the gene set that was "
        "checked best, then the one of which most genes were measured (its name is in the data). Empty: not "
        "scored." + (f" {words.plural(left, 'further row')} in table ‘mechanism_scores’." if left else "")
    )


def _describe(scores: pl.DataFrame, names: Sequence[str], tracks: Sequence[Track], samples: int) -> str:
    spread = scores.group_by("row").agg(low=pl.col("value").min(), high=pl.col("value").max())
    widest = spread.with_columns(wide=pl.col("high") - pl.col("low")).sort(
        "wide", "row", descending=[True, False]
    )
    said = [
        f"{row['row']} {words.number(row['low'])} to {words.number(row['high'])}"
        for row in widest.head(3).iter_rows(named=True)
    ]
    above = f" Tracks above: {words.listing(track.title for track in tracks)}." if tracks else ""
    return (
        f"Heatmap of {words.plural(len(names), 'mechanism')} in {words.plural(samples, 'tumour')}.{above} "
        f"Scores that differ most between tumours: {'; '.join(said)}."
    )


def _wide(
    scores: pl.DataFrame, names: Sequence[str], order: Sequence[str], tracks: Sequence[Track]
) -> pl.DataFrame:
    """Return one row a mechanism, one column a tumour, tracks first; as text."""
    frame = scores.with_columns(value=pl.col("value").round(3).cast(pl.String))
    pivoted = frame.pivot("sample_id", index=("row", "set"), values="value")
    place = {name: at for at, name in enumerate(names)}
    body = pivoted.filter(pl.col("row").is_in(list(names))).sort(
        pl.col("row").replace_strict(place, default=None, return_dtype=pl.Int64), "set"
    )
    body = body.select("row", "set", *order)
    head = [[t.title, "", *(t.words.get(sample) for sample in order)] for t in tracks]
    return pl.concat([pl.DataFrame(head, schema=body.schema, orient="row"), body]) if head else body
