"""Chart of own numbers beside published ones: one row a number, in blocks by endpoint."""

from __future__ import annotations

from typing import Any, Final

import altair as alt

from hccresist.report import theme
from hccresist.report.figures.figure import WIDTH

NAMES: Final = 258
"""Pixels for the names of rows."""
SAID: Final = 190
"""Pixels for the numbers in words."""
_ROW: Final = 18


def chart_beside(rows: list[str], *, unit: str, domain: tuple[float, float]) -> Any:  # noqa: ANN401
    """Return numbers with their intervals; those of the study are filled, published ones hollow.

    Data: ``rows`` (row: block and name, separated by a line feed, an empty name is a heading; value, from,
    to, own, said). The order of `rows` is that of the page.
    """
    wide = WIDTH - NAMES - SAID - 20
    name = "split(datum.label, '\\n')"
    y = alt.Y("row:N", sort=rows, scale=alt.Scale(domain=rows, padding=0.2)).axis(
        title=None,
        labelExpr=f"{name}[1] === '' ? {name}[0] : {name}[1]",
        labelFontWeight=alt.condition(
            "split(datum.value, '\\n')[1] === ''", alt.value("bold"), alt.value("normal")
        ),
        labelLimit=NAMES - 8,
        minExtent=NAMES,
        maxExtent=NAMES,
        ticks=False,
        domain=False,
        labelColor=theme.light("ink"),
        labelFontSize=11,
    )
    scale = alt.Scale(domain=list(domain), nice=False, clamp=True)
    x, start = (alt.X(f"{field}:Q", title=unit, scale=scale) for field in ("value", "from"))
    base = alt.Chart(alt.NamedData("rows"))
    numbers = base.transform_filter("datum.value !== null")
    ranges = base.transform_filter("datum.from !== null")
    colour = alt.condition("datum.own", alt.value(theme.light("accent")), alt.value(theme.light("ne")))
    rule = ranges.mark_rule(strokeWidth=1.6).encode(x=start, x2=alt.X2("to:Q"), y=y, color=colour)
    own = numbers.transform_filter("datum.own").mark_square(size=56, opacity=1, color=theme.light("accent"))
    published = numbers.transform_filter("!datum.own").mark_point(
        size=40, shape="circle", opacity=1, fill=theme.light("halo"), stroke=theme.light("ne")
    )
    said = base.mark_text(align="left", fontSize=11, color=theme.light("ink")).encode(
        x=alt.value(wide + 10), y=y, text=alt.Text("said:N")
    )
    layers = (rule, own.encode(x=x, y=y), published.encode(x=x, y=y), said)
    return alt.layer(*layers).properties(width=wide, height=_ROW * len(rows))
