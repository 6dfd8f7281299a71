"""Charts of survival: Kaplan–Meier curves over their numbers at risk, and cumulative incidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import altair as alt

from hccresist.report import theme
from hccresist.report.facts import label_group
from hccresist.report.figures.figure import WIDTH, legend_columns

_DASHES: Final = ([1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [5, 2])
"""One fewer than the colours of arms, so that a colour that comes again has another dash."""


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Longest time in days, ticks in days, and the Vega expression of their labels."""

    longest: float
    ticks: list[float]
    label: str

    def x(self, *, title: str | None, visible: bool = True) -> alt.X:
        """Return the axis; an invisible one keeps the scale."""
        scale = alt.Scale(domain=[0, self.longest * 1.01], nice=False)
        if not visible:
            return alt.X("days:Q", scale=scale, axis=None)
        axis = alt.Axis(values=self.ticks, labelExpr=self.label, grid=False, title=title)
        return alt.X("days:Q", scale=scale, axis=axis)


def chart_survival(groups: list[str], time: TimeAxis, *, bands: bool) -> Any:  # noqa: ANN401
    """Return curves with bands from rows ``curves``, censoring from ``marks``, numbers from ``risk``."""
    names = [label_group(group) for group in groups]
    colour = _group_colour(names)
    room = float(min(170, max(64, 28 + 7 * max(map(len, names)))))
    x = time.x(title="Months")
    y = alt.Y("survival:Q", title="Without the event", scale=alt.Scale(domain=[0, 1])).axis(
        format="%", tickCount=5
    )
    base = alt.Chart(alt.NamedData("curves")).encode(x=x, color=colour)
    band = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_area(
        interpolate="step-after", opacity=0.14, line=False
    )
    band = band.encode(y=alt.Y("low:Q", title="Without the event"), y2="high:Q")
    line = base.mark_line(interpolate="step-after", strokeWidth=2).encode(y=y, strokeDash=_dash(names))
    marks = alt.Chart(alt.NamedData("marks")).transform_filter("datum.censored > 0")
    censor = marks.mark_point(shape="stroke", angle=90, size=60, strokeWidth=1.2, opacity=0.9)
    censor = censor.encode(x=x, y=y, color=colour)
    curves = alt.layer(*([band] if bands else []), line, censor).properties(
        width=WIDTH - room - 8, height=300
    )
    return alt.vconcat(curves, _chart_risk(names, time, room), spacing=58, bounds="flush").resolve_scale(
        color="shared"
    )


def _chart_risk(names: list[str], time: TimeAxis, room: float) -> Any:  # noqa: ANN401
    chart = alt.Chart(
        alt.NamedData("risk"),
        width=WIDTH - room - 8,
        height=18 * len(names),
        title=alt.TitleParams(
            "Number at risk",
            anchor="start",
            fontSize=12,
            fontWeight="normal",
            color=theme.light("muted"),
            offset=4,
        ),
    )
    y = alt.Y("name:N", title=None, sort=None, scale=alt.Scale(domain=names)).axis(
        domain=False, ticks=False, labelPadding=20, labelLimit=room - 24
    )
    return chart.mark_text(fontSize=12).encode(
        x=time.x(title=None, visible=False), y=y, text="at_risk:Q", color=_group_colour(names)
    )


def _group_colour(names: list[str]) -> alt.Color:
    scale = alt.Scale(domain=names, range=[theme.arm_colour(i) for i in range(len(names))])
    legend = _line_legend(None, names) if len(names) > 1 else None
    return alt.Color("name:N", scale=scale, legend=legend)


def _line_legend(title: str | None, names: list[str]) -> alt.Legend:
    return alt.Legend(
        title=title,
        symbolType="stroke",
        symbolStrokeWidth=2.5,
        symbolOpacity=1,
        symbolSize=260,
        columns=legend_columns(names, width=WIDTH - 60),
    )


def _dash(names: list[str], *, title: str | None = None) -> alt.StrokeDash:
    scale = alt.Scale(domain=names, range=[_DASHES[i % len(_DASHES)] for i in range(len(names))])
    legend = _line_legend(title, names) if len(names) > 1 else None
    return alt.StrokeDash("name:N", scale=scale, legend=legend)


def chart_incidence(causes: list[str], groups: list[str], time: TimeAxis) -> Any:  # noqa: ANN401
    """Return one curve a cause and group from rows ``name``, ``cause``, ``days`` and ``incidence``."""
    names = [label_group(group) for group in groups]
    scale = alt.Scale(domain=causes, range=[theme.arm_colour(i) for i in range(len(causes))])
    colour = alt.Color("cause:N", scale=scale, legend=_line_legend("Cause", causes))
    x = time.x(title="Months")
    y = alt.Y("incidence:Q", title="Cumulative incidence", scale=alt.Scale(domain=[0, 1])).axis(
        format="%", tickCount=5
    )
    chart = alt.Chart(alt.NamedData("rows"), width=WIDTH - 90, height=260)
    return chart.mark_line(interpolate="step-after", strokeWidth=2).encode(
        x=x, y=y, color=colour, strokeDash=_dash(names, title="Group")
    )
