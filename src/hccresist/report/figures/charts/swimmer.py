"""Chart of the swimmer plot."""

from __future__ import annotations

from typing import Any, Final

import altair as alt
import polars as pl

from hccresist.report import theme, words
from hccresist.report.figures.figure import WIDTH, month_axis

SHAPES: Final = {
    "first response": "triangle-up",
    "progression": "cross",
    "death": "diamond",
    "still on treatment": "triangle-right",
}
"""Mark and its shape."""


def chart_swimmer(lanes: pl.DataFrame, marks: pl.DataFrame) -> Any:  # noqa: ANN401
    """Return lanes with bars from `lanes` and marks from rows ``patient_id``, ``day`` and ``mark``."""
    longest = float(lanes["last_day"].max() or 1.0)  # pyright: ignore[reportArgumentType]
    ticks, label = month_axis(longest)
    order = lanes["patient_id"].to_list()
    height = 13 if lanes.height <= 40 else 11
    y = alt.Y("patient_id:N", sort=None, title=None, scale=alt.Scale(domain=order)).axis(
        labelFontSize=min(11, height - 2), labelLimit=90, ticks=False, domain=False, labelOverlap=False
    )
    axis = alt.Axis(values=ticks, labelExpr=label, title="Months since start of treatment")
    first = min(0.0, float(lanes["treatment_start_day"].min() or 0.0))  # pyright: ignore[reportArgumentType]
    scale = alt.Scale(domain=[first, longest * 1.01], nice=False)

    def x(name: str) -> alt.X:
        return alt.X(f"{name}:Q", scale=scale, axis=axis)

    lane = alt.Chart(alt.NamedData("lanes"), width=WIDTH - 110, height={"step": height}).encode(y=y)
    follow = lane.mark_rule(color=theme.light("muted"), strokeWidth=1).encode(x=x("origin"), x2="last_day:Q")
    bar = lane.transform_filter("isValid(datum.treatment_start_day) && isValid(datum.treatment_end_day)")
    bars = bar.mark_bar(size=height - 4).encode(
        x=x("treatment_start_day"), x2="treatment_end_day:Q", color=_bar_colour(lanes)
    )
    points = alt.Chart(alt.NamedData("marks")).mark_point(
        size=75, filled=True, opacity=1, color=theme.light("ink"), stroke=theme.light("halo"), strokeWidth=1
    )
    points = points.encode(y=y, x=x("day"), shape=_shapes(marks))
    return alt.layer(follow, bars, points)


def _bar_colour(lanes: pl.DataFrame) -> alt.Color:
    shown = words.sort_responses(lanes["best"].to_list())
    scale = alt.Scale(domain=list(shown), range=[theme.response_colour(word) for word in shown])
    return alt.Color("best:N", title="Best response", scale=scale)


def _shapes(marks: pl.DataFrame) -> alt.Shape:
    shown = [name for name in SHAPES if name in set(marks["mark"].to_list())]
    scale = alt.Scale(domain=shown, range=[SHAPES[name] for name in shown])
    return alt.Shape("mark:N", title=None, scale=scale, legend=alt.Legend(symbolFillColor=theme.light("ink")))
