"""Charts of overlapping definitions: UpSet plot, and matrix of Jaccard indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt

from hccresist.report import theme
from hccresist.report.figures.figure import WIDTH

NAMES: Final = 180
"""Pixels for the names of definitions."""
ROW: Final = 24
"""Height of a definition in pixels."""
_SETS: Final = 110
_BARS: Final = 130


def chart_overlap(titles: Sequence[str], combinations: int) -> Any:  # noqa: ANN401
    """Return bars of combinations above a matrix of definitions, with bars of definitions beside it.

    Data: ``bars`` (rank, patients), ``cells`` and ``held`` (rank, title), ``spans`` (rank, top, bottom),
    ``sets`` (title, met, evaluable).
    """
    wide = min(WIDTH - NAMES - _SETS - 70, max(26 * combinations, 80))
    matrix = alt.hconcat(_matrix(titles, wide), _sizes(titles), spacing=14)
    return alt.vconcat(_bars(wide), matrix, spacing=6).resolve_scale(x="independent", y="independent")


def chart_jaccard(titles: Sequence[str]) -> Any:  # noqa: ANN401
    """Return the matrix from rows ``row``, ``column``, ``shade`` and ``label``."""
    size = min(46, (WIDTH - NAMES - 70) // len(titles))
    x = alt.X("column:N", sort=list(titles), scale=_bands(titles)).axis(
        title=None, orient="top", labelAngle=-45, labelLimit=180, domain=False, ticks=False
    )
    base = alt.Chart(alt.NamedData("rows")).encode(x=x, y=_definitions("row", titles))
    shade = alt.Opacity("shade:Q", scale=alt.Scale(domain=[0, 1], range=[0.04, 0.5]), legend=None)
    cells = base.mark_rect(color=theme.light("accent")).encode(opacity=shade)
    numbers = base.mark_text(fontSize=12, color=theme.light("ink")).encode(text="label:N")
    return alt.layer(cells, numbers).properties(width=size * len(titles), height=26 * len(titles))


def _definitions(column: str, titles: Sequence[str]) -> alt.Y:
    return alt.Y(f"{column}:N", sort=list(titles), scale=_bands(titles)).axis(
        title=None,
        labelLimit=NAMES,
        minExtent=NAMES,
        maxExtent=NAMES,
        ticks=False,
        domain=False,
        labelColor=theme.light("ink"),
    )


def _bands(titles: Sequence[str]) -> alt.Scale:
    return alt.Scale(domain=list(titles), padding=0)


def _ranks() -> alt.X:
    return alt.X("rank:O", axis=None, scale=alt.Scale(paddingInner=0.3, paddingOuter=0.15))


def _bars(wide: int) -> Any:  # noqa: ANN401
    y = alt.Y("patients:Q", title="Patients").axis(
        minExtent=NAMES, maxExtent=NAMES, tickMinStep=1, tickCount=4, titlePadding=8, titleX=-44
    )
    base = alt.Chart(alt.NamedData("bars")).encode(x=_ranks(), y=y)
    bars = base.mark_bar(color=theme.light("accent"))
    counts = base.mark_text(dy=-8, fontSize=12, color=theme.light("ink")).encode(text="patients:Q")
    return alt.layer(bars, counts).properties(width=wide, height=_BARS)


def _matrix(titles: Sequence[str], wide: int) -> Any:  # noqa: ANN401
    x, y = _ranks(), _definitions("title", titles)
    free = alt.Chart(alt.NamedData("cells")).mark_circle(size=70, color=theme.light("rule"), opacity=1)
    held = alt.Chart(alt.NamedData("held")).mark_circle(size=90, color=theme.light("accent"), opacity=1)
    lines = (
        alt.Chart(alt.NamedData("spans"))
        .mark_rule(strokeWidth=2.5, color=theme.light("accent"))
        .encode(x=_ranks(), y=alt.Y("top:N", sort=list(titles), scale=_bands(titles)), y2="bottom:N")
    )
    return alt.layer(free.encode(x=x, y=y), lines, held.encode(x=x, y=y)).properties(
        width=wide, height=ROW * len(titles)
    )


def _sizes(titles: Sequence[str]) -> Any:  # noqa: ANN401
    y = alt.Y("title:N", sort=list(titles), scale=alt.Scale(domain=list(titles), padding=0.25), axis=None)
    x = alt.X("met:Q", title="Patients, of evaluable").axis(tickMinStep=1, tickCount=3, grid=False)
    base = alt.Chart(alt.NamedData("sets")).encode(x=x, y=y)
    bars = base.mark_bar(color=theme.light("muted"))
    said = "datum.met + ' of ' + datum.evaluable"
    counts = base.transform_calculate(said=said).mark_text(
        align="left", dx=4, fontSize=12, color=theme.light("ink")
    )
    return alt.layer(bars, counts.encode(text="said:N")).properties(
        width=_SETS - 50, height=ROW * len(titles)
    )
