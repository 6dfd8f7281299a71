"""Chart of mechanism scores: a legend, annotation tracks, and the heatmap below them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt

from hccresist.report import theme
from hccresist.report.figures.figure import WIDTH
from hccresist.report.figures.mechanisms import NAMES

WIDE: Final = WIDTH - NAMES - 24
"""Width of the samples in pixels."""
LEGEND_ROW: Final = 20
_TRACK: Final = 15
_ROW: Final = 14


def chart_heatmap(tracks: Sequence[str], rows: Sequence[str], *, samples: int, lines: int) -> Any:  # noqa: ANN401
    """Return the chart.

    Data: ``legend`` (x, y, label, colour, opacity), ``tracks`` and ``cells`` (row, from, to, colour,
    opacity). Colours are drawn as they stand in the data.
    """
    parts = [_legend(lines)]
    if tracks:
        parts.append(_cells("tracks", tracks, samples, _TRACK))
    parts.append(_cells("cells", rows, samples, _ROW))
    return alt.vconcat(*parts, spacing=8).resolve_scale(x="independent", y="independent")


def _legend(lines: int) -> Any:  # noqa: ANN401
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, WIDE], nice=False), axis=None)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[lines, 0], nice=False), axis=None)
    base = alt.Chart(alt.NamedData("legend"))
    words = base.mark_text(align="left", dx=8, fontSize=12, color=theme.light("ink"))
    marks = base.transform_filter("datum.colour").mark_square(size=90, opacity=1)
    fill = alt.Fill("colour:N", scale=None)
    opacity = alt.FillOpacity("opacity:Q", scale=None)
    return alt.layer(
        words.encode(x=x, y=y, text=alt.Text("label:N")),
        marks.encode(x=x, y=y, fill=fill, fillOpacity=opacity),
    ).properties(width=WIDE, height=LEGEND_ROW * lines)


def _cells(name: str, rows: Sequence[str], samples: int, height: int) -> Any:  # noqa: ANN401
    scale = alt.Scale(domain=[0, samples], nice=False)
    y = alt.Y("row:N", sort=list(rows), scale=alt.Scale(domain=list(rows), paddingInner=0.12)).axis(
        title=None,
        labelLimit=NAMES - 8,
        minExtent=NAMES,
        maxExtent=NAMES,
        ticks=False,
        domain=False,
        labelColor=theme.light("ink"),
        labelFontSize=11,
    )
    return (
        alt.Chart(alt.NamedData(name))
        .mark_rect()
        .encode(
            x=alt.X("from:Q", scale=scale, axis=None),
            x2=alt.X2("to:Q"),
            y=y,
            fill=alt.Fill("colour:N", scale=None),
            fillOpacity=alt.FillOpacity("opacity:Q", scale=None),
        )
        .properties(width=WIDE, height=height * len(rows))
    )
