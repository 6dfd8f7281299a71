"""Charts of associations: forest of estimates, and volcano of p against effect."""

from __future__ import annotations

from typing import Any, Final

import altair as alt

from hccresist.report import theme
from hccresist.report.figures.figure import WIDTH

NAMES: Final = 226
"""Pixels for the names of features."""
SAID: Final = 210
"""Pixels for the estimate in words."""
_ROW: Final = 19


def chart_forest(features: list[str], *, measure: str, domain: tuple[float, float], middle: float) -> Any:  # noqa: ANN401
    """Return estimates with their intervals.

    Data: ``rows`` (row, effect, from, to, told, colour, said) and ``middle`` (at: the effect of no
    association). Rows that are not ``told`` (too few to say) are drawn hollow. Ratios stand on a
    logarithmic axis.
    """
    wide = WIDTH - NAMES - SAID - 20
    x, start, at = (_effect(name, measure, domain, middle) for name in ("effect:Q", "from:Q", "at:Q"))
    y = alt.Y("row:N", sort=features, scale=alt.Scale(domain=features, padding=0.2)).axis(
        title=None,
        labelLimit=NAMES - 8,
        minExtent=NAMES,
        maxExtent=NAMES,
        ticks=False,
        domain=False,
        labelColor=theme.light("ink"),
        labelFontSize=11,
    )
    base = alt.Chart(alt.NamedData("rows"))
    rule = base.mark_rule(strokeWidth=1.6).encode(x=start, x2=alt.X2("to:Q"), y=y, color=_colour())
    told = base.transform_filter("datum.told").mark_square(size=52, opacity=1, color=theme.light("accent"))
    open_ = base.transform_filter("!datum.told").mark_point(
        size=40, shape="square", opacity=1, fill=theme.light("halo"), stroke=theme.light("ne")
    )
    line = _line(at)
    words = base.mark_text(align="left", fontSize=11, color=theme.light("ink")).encode(
        x=alt.value(wide + 10), y=y, text=alt.Text("said:N")
    )
    layers = (line, rule, told.encode(x=x, y=y), open_.encode(x=x, y=y), words)
    return alt.layer(*layers).properties(width=wide, height=_ROW * len(features))


def chart_volcano(*, measure: str, domain: tuple[float, float], middle: float) -> Any:  # noqa: ANN401
    """Return points of −log10 p against effect.

    Data: ``rows`` (effect, height, colour), ``named`` (effect, height, label, left) and ``middle`` (at).
    """
    x, at = (_effect(name, measure, domain, middle) for name in ("effect:Q", "at:Q"))
    y = alt.Y("height:Q", title="−log10 p", scale=alt.Scale(zero=True)).axis(tickCount=5)
    points = (
        alt.Chart(alt.NamedData("rows")).mark_circle(size=46, opacity=0.85).encode(x=x, y=y, color=_colour())
    )
    named = alt.Chart(alt.NamedData("named")).encode(x=x, y=y, text=alt.Text("label:N"))
    left = named.transform_filter("datum.left").mark_text(
        align="right", dx=-7, fontSize=11, color=theme.light("ink")
    )
    right = named.transform_filter("!datum.left").mark_text(
        align="left", dx=7, fontSize=11, color=theme.light("ink")
    )
    line = _line(at)
    return alt.layer(line, points, left, right).properties(width=WIDTH - 120, height=240)


def _effect(field: str, measure: str, domain: tuple[float, float], middle: float) -> alt.X:
    kind = "log" if middle == 1 else "linear"
    ticks = _ticks(*domain) if kind == "log" else [0.0, 0.25, 0.5, 0.75, 1.0]
    scale = alt.Scale(type=kind, domain=list(domain), nice=False, clamp=True)
    return alt.X(field, title=measure, scale=scale).axis(values=ticks, labelExpr="format(datum.value, '~g')")


def _colour() -> alt.Color:
    return alt.Color("colour:N", scale=None)


def _line(at: alt.X) -> Any:  # noqa: ANN401
    base = alt.Chart(alt.NamedData("middle"))
    return base.mark_rule(color=theme.light("muted"), strokeDash=[3, 3]).encode(x=at)


def _ticks(low: float, high: float) -> list[float]:
    """Return ticks of a logarithmic axis: powers of ten, with halves and doubles where there is room."""
    steps = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
    inside = [step for step in steps if low <= step <= high]
    return inside if len(inside) <= 7 else [step for step in inside if step in {0.01, 0.1, 1, 10, 100}]
