"""Charts of response: stacked bars, waterfall, spider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import polars as pl

from hccresist.report import theme, words
from hccresist.report.figures.figure import WIDTH, legend_columns, month_axis

FEW: Final = 120
"""Lines up to which a spider plot is drawn boldly and marks new lesions."""


def chart_best_responses(views: Sequence[str], shown: tuple[str, ...]) -> Any:  # noqa: ANN401
    """Return stacked bars from rows ``view``, ``percent``, ``middle``, ``label``, ``order`` and ``best``."""
    y = alt.Y("view:N", title=None, sort=None, scale=_bands(views)).axis(
        labelLimit=220, ticks=False, domain=False, labelColor=theme.light("ink"), minExtent=150
    )
    x = alt.X("percent:Q", title="Patients (%)", stack="zero", scale=alt.Scale(domain=[0, 100]))
    base = alt.Chart(alt.NamedData("rows")).encode(y=y)
    bars = base.mark_bar(stroke=theme.light("halo"), strokeWidth=0.7).encode(
        x=x, order=alt.Order("order:Q"), color=_response_colour(shown, title=None)
    )
    labels = base.mark_text(fontSize=12).encode(
        x=alt.X("middle:Q"), text="label:N", color=_label_colour(shown)
    )
    return (
        alt.layer(bars, labels)
        .resolve_scale(color="independent")
        .properties(width=WIDTH - 160, height=30 * len(views))
    )


def chart_waterfall(rows: pl.DataFrame, *, guides: Sequence[float], arms: Sequence[str]) -> Any:  # noqa: ANN401
    """Return bars from rows ``rank``, ``drawn``, ``best`` and ``arm``; arms as a strip below."""
    shown = words.sort_responses(rows["best"].to_list())
    dense = rows.height > 150
    x = alt.X("rank:O", axis=None, scale=alt.Scale(paddingInner=0 if dense else 0.18, paddingOuter=0))
    low, high = _limits(rows["drawn"])
    y = alt.Y("drawn:Q", title="Best change from baseline (%)", scale=alt.Scale(domain=[low, high]))
    base = alt.Chart(alt.NamedData("rows"), width=WIDTH - 60)
    bars = base.mark_bar(width={"band": 1.4 if dense else 1}).encode(
        x=x, y=y, color=_response_colour(shown, title="Best response")
    )
    layers = [bars, *_guides(guides, low, high)]
    if not 1 < len(arms) <= len(theme.ARMS):
        return alt.layer(*layers).properties(height=270)
    scale = alt.Scale(domain=list(arms), range=[theme.arm_colour(i) for i in range(len(arms))])
    legend = alt.Legend(title="Arm (strip below)", columns=legend_columns(arms))
    strip = base.mark_rect().encode(
        x=x,
        y=alt.value(277),
        y2=alt.value(287),
        color=alt.Color("arm:N", scale=scale, legend=legend),
    )
    return alt.layer(*layers, strip).properties(height=270).resolve_scale(color="independent")


def chart_spider(rows: pl.DataFrame, *, guides: Sequence[float], n: int) -> Any:  # noqa: ANN401
    """Return one line a patient from rows ``patient_id``, ``day``, ``drawn``, ``best`` and ``new_lesion``."""
    shown = words.sort_responses(rows["best"].to_list())
    low, high = _limits(rows["drawn"])
    first, last = float(rows["day"].min() or 0), float(rows["day"].max() or 1)  # pyright: ignore[reportArgumentType]
    ticks, label = month_axis(last)
    x = alt.X(
        "day:Q", title="Months since start of treatment", scale=alt.Scale(domain=[first, last], nice=False)
    )
    x = x.axis(values=ticks, labelExpr=label, grid=False)
    y = alt.Y("drawn:Q", title="Change from baseline (%)", scale=alt.Scale(domain=[low, high]))
    base = alt.Chart(alt.NamedData("rows"), width=WIDTH - 60, height=320).encode(x=x, y=y)
    width, opacity = (1.5, 0.8) if n <= FEW else (0.8, 0.35)
    lines = base.mark_line(strokeWidth=width, opacity=opacity, strokeJoin="round").encode(
        detail="patient_id:N", color=_response_colour(shown, title="Best response", lines=True)
    )
    layers = [lines]
    if n <= FEW:
        new = base.transform_filter("datum.new_lesion")
        layers.append(
            new.mark_point(shape="triangle-up", size=45, filled=True, opacity=1, color=theme.light("ink"))
        )
    return alt.layer(*layers, *_guides(guides, low, high))


def _limits(drawn: pl.Series) -> tuple[float, float]:
    low = min(float(drawn.min() or 0.0), -35.0)  # pyright: ignore[reportArgumentType]
    high = max(float(drawn.max() or 0.0), 25.0)  # pyright: ignore[reportArgumentType]
    return max(-100.0, 10 * (low // 10)), 10 * -(-high // 10)


def _guides(guides: Sequence[float], low: float, high: float) -> list[Any]:
    marks = [at for at in guides if low <= at <= high]
    lines = [
        alt.Chart(alt.InlineData([{"at": at}]))
        .mark_rule(strokeDash=[4, 4], color=theme.light("muted"), strokeWidth=1)
        .encode(y="at:Q")
        for at in marks
    ]
    zero = alt.Chart(alt.InlineData([{"at": 0}])).mark_rule(color=theme.light("muted"), strokeWidth=1)
    return [*lines, zero.encode(y="at:Q")]


def _bands(views: Sequence[str]) -> alt.Scale:
    return alt.Scale(domain=list(views), paddingInner=0.3, paddingOuter=0.15)


def _response_colour(shown: tuple[str, ...], *, title: str | None, lines: bool = False) -> alt.Color:
    legend = alt.Legend(title=title, symbolOpacity=1)
    if lines:
        legend = alt.Legend(title=title, symbolOpacity=1, symbolType="stroke", symbolStrokeWidth=3)

    scale = alt.Scale(domain=list(shown), range=[theme.response_colour(word) for word in shown])
    return alt.Color("best:N", scale=scale, sort=None, legend=legend)


def _label_colour(shown: tuple[str, ...]) -> Any:  # noqa: ANN401  (Altair's own condition type)
    tones = [theme.label_tone(words.response_tone(word)) for word in shown]
    scale = alt.Scale(domain=list(shown), range=[theme.light(name) for name in tones])
    return alt.Color("best:N", scale=scale, legend=None)
