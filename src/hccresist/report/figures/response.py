"""Figures of response: best responses as bars, waterfall and spider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from hccresist.report import theme, words
from hccresist.report.facts import Facts, View
from hccresist.report.figures.figure import Figure, draw, thin

CEILING: Final = 120.0
"""Percent at which bars and lines are cut, so that one large growth does not flatten the rest."""

MAX_BARS: Final = 1500
MAX_LINES: Final = 800


@dataclass(frozen=True, slots=True)
class _Kept:
    """Rows that are drawn, and how many there were."""

    frame: pl.DataFrame
    total: int


def compute_changes(facts: Facts, view: View) -> pl.DataFrame:
    """Return every measured change from baseline, up to and including progression.

    Visits whose target response is NE are left out, since their sum lacks a target.

    Returns
    -------
    polars.DataFrame
        patient_id, day, change_from_baseline_percent, overall, new_lesion, sorted by patient and day.
    """
    last = facts.of_view("best_response", view)
    visits = facts.of_view("timepoints", view)
    if visits.is_empty():
        return visits
    if not last.is_empty():
        visits = visits.join(last.select("patient_id", "progression_day"), on="patient_id", how="left")
        visits = visits.filter(pl.col("day") <= pl.col("progression_day").fill_null(float("inf")))
    return (
        visits.filter(
            pl.col("change_from_baseline_percent").is_not_null(), pl.col("target").fill_null("") != "NE"
        )
        .select("patient_id", "day", "change_from_baseline_percent", "overall", "new_lesion")
        .sort("patient_id", "day")
    )


def compute_best_changes(facts: Facts, view: View) -> pl.DataFrame:
    """Return each patient's smallest change from baseline with best response and arm, largest growth first.

    Returns
    -------
    polars.DataFrame
        patient_id, best_change_percent, best, arm.
    """
    changes = compute_changes(facts, view)
    if changes.is_empty():
        return pl.DataFrame()
    best = facts.of_view("best_response", view)
    return (
        changes.group_by("patient_id")
        .agg(pl.col("change_from_baseline_percent").min().alias("best_change_percent"))
        .join(best.select("patient_id", "best"), on="patient_id", how="left")
        .with_columns(pl.col("best").fill_null("NE"))
        .join(facts.arm_of, on="patient_id", how="left")
        .sort(["best_change_percent", "patient_id"], descending=[True, False])
    )


def plot_best_responses(facts: Facts) -> Figure:
    """Return one bar a criterion and reader, divided by best response."""
    from hccresist.report.figures.charts import response  # noqa: PLC0415  (Altair loads slowly)

    data = _count_best(facts)
    shown = words.sort_responses(data["best"].to_list())
    rank = {word: i for i, word in enumerate(shown)}
    rows = data.with_columns(order=pl.col("best").replace_strict(rank, return_dtype=pl.Int64)).sort(
        "view", "order"
    )
    rows = rows.with_columns(
        middle=pl.col("percent").cum_sum().over("view") - pl.col("percent") / 2,
        label=pl.when(pl.col("percent") >= 5).then(pl.col("n").cast(pl.String)).otherwise(pl.lit("")),
    )
    views = [view.label for view in facts.views]
    chart = response.chart_best_responses(views, shown)
    return Figure(
        key="best-response",
        title="Best response",
        heading="Best response by criterion",
        caption=_caption_best(facts, data),
        alt=_describe_best(data),
        data=data.select("criterion", "reader", "best", "n", "percent"),
        svg=draw(chart, key="best-response", rows={"rows": rows}),
    )


def plot_waterfall(facts: Facts, view: View) -> Figure | None:
    """Return the waterfall of one criterion and reader, or ``None`` where no change was measured."""
    from hccresist.report.figures.charts import response  # noqa: PLC0415  (Altair loads slowly)

    changes = compute_best_changes(facts, view)
    if changes.is_empty():
        return None
    key = f"waterfall-{view.key}"
    kept = _Kept(thin(changes, MAX_BARS), changes.height)
    rows = kept.frame.with_row_index("rank").with_columns(
        drawn=pl.col("best_change_percent").clip(upper_bound=CEILING)
    )
    chart = response.chart_waterfall(rows, guides=facts.guides(view.criterion), arms=facts.arms)
    return Figure(
        key=key,
        title=f"Best change of the sum, {view.label}",
        heading="Best change of the sum",
        caption=_caption_waterfall(facts, kept),
        alt=_describe_waterfall(view, changes),
        data=kept.frame,
        svg=draw(chart, key=key, rows={"rows": rows}),
    )


def plot_spider(facts: Facts, view: View) -> Figure | None:
    """Return change over time, one line a patient, or ``None`` where no change was measured."""
    from hccresist.report.figures.charts import response  # noqa: PLC0415  (Altair loads slowly)

    changes = compute_changes(facts, view)
    if changes.is_empty():
        return None
    key = f"spider-{view.key}"
    order = compute_best_changes(facts, view).select("patient_id", "best", "arm")
    picked = thin(order, MAX_LINES)
    start = facts.of_view("baselines", view)
    data = _with_baseline(changes, start).join(picked, on="patient_id", how="inner")
    data = data.sort("patient_id", "day")
    rows = data.with_columns(drawn=pl.col("change_from_baseline_percent").clip(upper_bound=CEILING))
    chart = response.chart_spider(rows, guides=facts.guides(view.criterion), n=picked.height)
    return Figure(
        key=key,
        title=f"Change of the sum over time, {view.label}",
        heading="Change of the sum over time",
        caption=_caption_spider(picked.height, order.height, changes),
        alt=f"Spider plot of {words.plural(picked.height, 'patient')}: change of the sum from baseline "
        f"against months since start of treatment, coloured by best response, {view.label}.",
        data=data,
        svg=draw(chart, key=key, rows={"rows": rows}),
    )


def _caption_best(facts: Facts, data: pl.DataFrame) -> str:
    text = "Confirmation not required. Numbers in the bars are patients; shares below 5 % carry none."
    fewest = data.group_by("criterion", "reader").agg(pl.col("n").sum())["n"].min()
    if fewest == facts.study.patients.height:
        return text
    return f"{text} A bar that ends before 100 % leaves patients whom that reader did not assess."


def _count_best(facts: Facts) -> pl.DataFrame:
    best = facts.tables["best_response"]
    labels = {(view.criterion, view.reader): view.label for view in facts.views}
    counted = best.group_by("criterion", "reader", "best").agg(pl.len().cast(pl.Int64).alias("n"))
    counted = counted.with_columns(
        percent=100 * pl.col("n") / facts.study.patients.height,
        view=pl.struct("criterion", "reader").map_elements(
            lambda row: labels[(row["criterion"], row["reader"])], return_dtype=pl.String
        ),
    )
    return counted.sort("criterion", "reader", "best")


def _describe_best(data: pl.DataFrame) -> str:
    parts = [
        f"{view}: " + ", ".join(f"{row['best']} {row['n']}" for row in part.iter_rows(named=True))
        for (view,), part in data.group_by("view", maintain_order=True)
    ]
    return "Best response, patients. " + "; ".join(parts) + "."


def _with_baseline(changes: pl.DataFrame, baselines: pl.DataFrame) -> pl.DataFrame:
    if baselines.is_empty():
        return changes
    start = baselines.filter(pl.col("day").is_not_null(), pl.col("baseline_mm").is_not_null()).select(
        "patient_id",
        "day",
        pl.lit(0.0).alias("change_from_baseline_percent"),
        pl.lit("baseline").alias("overall"),
        pl.lit(None, dtype=pl.Boolean).alias("new_lesion"),
    )
    return pl.concat([start.join(changes, on="patient_id", how="semi"), changes])


def _caption_waterfall(facts: Facts, kept: _Kept) -> str:
    parts = ["One bar a patient: the smallest change of the sum from baseline up to progression."]
    parts.append("Visits with a target that was not evaluable are left out.")
    missing = facts.study.patients.height - kept.total
    if missing:
        parts.append(f"{words.plural(missing, 'patient')} without a measured change not drawn.")
    if kept.frame.height < kept.total:
        parts.append(
            f"{words.count(kept.frame.height)} of {words.count(kept.total)} patients drawn, "
            "evenly spaced by rank."
        )
    if len(facts.arms) > len(theme.ARMS):
        parts.append("There are too many arms for a strip of colours; the data name them.")
    parts.append(_caption_cut(kept.frame["best_change_percent"], "bar"))
    return " ".join(part for part in parts if part)


def _caption_spider(n: int, total: int, changes: pl.DataFrame) -> str:
    parts = ["One line a patient, up to progression, coloured by best response."]
    if n <= 120:
        parts.append("Triangles: a new lesion counts at this visit.")
    if n < total:
        parts.append(
            f"{words.count(n)} of {words.count(total)} patients drawn, evenly spaced by rank of best change."
        )
    parts.append(_caption_cut(changes["change_from_baseline_percent"], "value"))
    return " ".join(part for part in parts if part)


def _caption_cut(values: pl.Series, noun: str) -> str:
    cut = int((values > CEILING).sum())
    return (
        f"{words.plural(cut, noun)} above +{CEILING:.0f} % cut there; the data keep the number."
        if cut
        else ""
    )


def _describe_waterfall(view: View, changes: pl.DataFrame) -> str:
    values = changes["best_change_percent"]
    low, middle, high = (float(v) for v in (values.min(), values.median(), values.max()))  # pyright: ignore[reportArgumentType]
    shrunk = int((values <= -30).sum())
    return (
        f"Waterfall of {words.plural(changes.height, 'patient')}, {view.label}: best change from "
        f"{words.number(high)} to {words.number(low)} %, median {words.number(middle)} %; "
        f"{words.count(shrunk)} shrank by 30 % or more."
    )
