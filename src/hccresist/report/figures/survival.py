"""Figures of survival: Kaplan–Meier with numbers at risk, and cumulative incidence."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.report import words
from hccresist.report.facts import Facts, label_group
from hccresist.report.figures.figure import Figure, draw, month_axis, thin

MAX_GROUPS: Final = 4
"""Arms up to which cumulative incidences are drawn by arm, and intervals as bands."""

MAX_STEPS: Final = 1200
"""Steps of one curve that are drawn and saved; more cannot be told apart on a screen."""


def compute_at_risk(curves: pl.DataFrame, days: list[float]) -> pl.DataFrame:
    """Return the numbers at risk just before each day, one row a group and day.

    A curve's own rows say how many were at risk just before their time; between two rows the
    number of the later one holds, and after the last row nobody is at risk.

    Returns
    -------
    polars.DataFrame
        group, days, at_risk.
    """
    found: list[dict[str, object]] = []
    for (group,), part in curves.sort("group", "days").group_by("group", maintain_order=True):
        for day in days:
            later = part.filter(pl.col("days") >= day)
            found.append(
                {"group": group, "days": day, "at_risk": 0 if later.is_empty() else later["at_risk"][0]}
            )
    return pl.DataFrame(found, schema={"group": pl.String, "days": pl.Float64, "at_risk": pl.Int64})


def plot_survival(facts: Facts, curves: pl.DataFrame, *, endpoint: str, key: str, where: str) -> Figure:
    """Return the Kaplan–Meier figure of one endpoint, one curve a group.

    Parameters
    ----------
    facts
        What the report is made from.
    curves
        Rows of ``survival_curves`` of one endpoint, criterion and reader.
    endpoint
        Endpoint as in the table.
    key
        Stable name of the figure.
    where
        Criterion and reader in words; empty where the endpoint knows none.
    """
    from hccresist.report.figures.charts import survival  # noqa: PLC0415  (Altair loads slowly)

    drawn = _choose_groups(facts, curves)
    kept = _thin_curves(drawn)
    ticks, label = month_axis(_longest(drawn["days"]))
    groups = [group for group in facts.groups if group in set(drawn["group"].to_list())]
    groups += sorted(set(drawn["group"].to_list()) - set(groups))
    risk = compute_at_risk(drawn, ticks)
    time = survival.TimeAxis(_longest(kept["days"]), ticks, label)
    chart = survival.chart_survival(groups, time, bands=len(groups) <= MAX_GROUPS)
    title = words.label_endpoint(endpoint) + (f", {where}" if where else "")
    return Figure(
        key=key,
        title=title,
        heading=where,
        caption=_caption_survival(groups) + _note_thinned(kept, drawn),
        alt=f"Kaplan–Meier curve of {title}. " + _describe_ends(drawn, groups),
        data=kept,
        svg=draw(
            chart, key=key, rows={"curves": _anchor(kept, groups), "marks": _name(kept), "risk": _name(risk)}
        ),
    )


def plot_incidence(facts: Facts, rows: pl.DataFrame, *, endpoint: str, key: str, where: str) -> Figure:
    """Return cumulative incidences of one endpoint, one curve a cause and group.

    With more than `MAX_GROUPS` arms the picture is of all patients.
    """
    from hccresist.report.figures.charts import survival  # noqa: PLC0415  (Altair loads slowly)

    drawn = _choose_groups(facts, rows, limit=MAX_GROUPS)
    kept = _thin_curves(drawn, by=("group", "cause"))
    ticks, label = month_axis(_longest(drawn["days"]))
    causes = sorted(set(drawn["cause"].to_list()))
    groups = sorted(set(drawn["group"].to_list()))
    title = f"Cumulative incidence, {words.label_endpoint(endpoint)}" + (f", {where}" if where else "")
    time = survival.TimeAxis(_longest(kept["days"]), ticks, label)
    chart = survival.chart_incidence(causes, groups, time)
    ends = [
        f"{cause} in {label_group(group)} {words.number(100 * float(part['incidence'][-1]))} %"
        for (group, cause), part in drawn.sort("group", "cause", "days").group_by(
            "group", "cause", maintain_order=True
        )
    ]
    return Figure(
        key=key,
        title=title,
        heading="Cumulative incidence",
        caption=_caption_incidence(facts, groups) + _note_thinned(kept, drawn),
        alt=f"{title}. At the end: " + "; ".join(ends) + ".",
        data=kept,
        svg=draw(chart, key=key, rows={"rows": _anchor_incidence(kept)}),
    )


def _choose_groups(facts: Facts, rows: pl.DataFrame, *, limit: int | None = None) -> pl.DataFrame:
    arms = rows.filter(pl.col("group").is_in(list(facts.arms)))
    many = limit is not None and len(facts.arms) > limit
    return rows.filter(pl.col("group") == "all") if arms.is_empty() or many else arms


def _thin_curves(rows: pl.DataFrame, by: tuple[str, ...] = ("group",)) -> pl.DataFrame:
    parts = rows.sort(*by, "days").partition_by(*by, maintain_order=True)
    return pl.concat([thin(part, MAX_STEPS) for part in parts])


def _longest(days: pl.Series) -> float:
    return max(float(days.max() or 0.0), 1.0)  # pyright: ignore[reportArgumentType]


def _name(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(
        name=pl.col("group").map_elements(label_group, return_dtype=pl.String),
    )


def _anchor(rows: pl.DataFrame, groups: list[str]) -> pl.DataFrame:
    """Begin every curve at day 0 with everybody."""
    start = pl.DataFrame(
        {"group": groups, "days": [0.0] * len(groups), "survival": [1.0] * len(groups)},
    ).with_columns(low=pl.lit(1.0), high=pl.lit(1.0))
    drawn = pl.concat([start, rows.select("group", "days", "survival", "low", "high")])
    drawn = drawn.with_columns(
        low=pl.when(pl.col("survival") == 1).then(1.0).otherwise(pl.col("low")),
        high=pl.when(pl.col("survival") == 1).then(1.0).otherwise(pl.col("high")),
    )
    return _name(drawn.sort("group", "days", maintain_order=True))


def _anchor_incidence(rows: pl.DataFrame) -> pl.DataFrame:
    start = rows.select("group", "cause").unique(maintain_order=True)
    start = start.with_columns(days=pl.lit(0.0), incidence=pl.lit(0.0))
    drawn = pl.concat([start, rows.select("group", "cause", "days", "incidence")])
    return _name(drawn.sort("group", "cause", "days", maintain_order=True))


def _describe_ends(curves: pl.DataFrame, groups: list[str]) -> str:
    parts: list[str] = []
    for group in groups:
        part = curves.filter(pl.col("group") == group).sort("days")
        start, end = int(part["at_risk"][0]), float(part["survival"][-1])
        months = words.months(float(part["days"][-1]), 0)
        parts.append(
            f"{label_group(group)}: {start} at risk at the start, {words.number(100 * end, 0)} % without the "
            f"event at the end, after {months} months"
        )
    return "; ".join(parts) + "."


def _caption_survival(groups: list[str]) -> str:
    if len(groups) > MAX_GROUPS:
        return "Kaplan–Meier estimate; small strokes: censored. The 95 % intervals (log–log) are in the data."
    return "Kaplan–Meier estimate with 95 % interval (log–log); small strokes: censored."


def _caption_incidence(facts: Facts, groups: list[str]) -> str:
    text = "Aalen–Johansen estimate: each cause competes with the others. Limits are in the data."
    if facts.arms and groups == ["all"]:
        text += " All arms together; by arm they are in the table ‘cumulative_incidence’."
    return text


def _note_thinned(kept: pl.DataFrame, drawn: pl.DataFrame) -> str:
    if kept.height == drawn.height:
        return ""
    return f" {words.count(kept.height)} of {words.count(drawn.height)} steps are drawn, evenly spaced."
