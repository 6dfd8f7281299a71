"""What a figure is, and how an Altair chart becomes one.

A figure is drawn from a table of rows; the same rows are its CSV. The SVG is made lean (no hidden
elements, numbers rounded to hundredths of a pixel) and stays byte-identical for the same rows.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import polars as pl
from markupsafe import Markup

from hccresist.report import theme, words

WIDTH: Final = 700
"""Width of the plotting area and its axes in pixels; the page scales the figure to its column."""

_NUMBER: Final = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")
_TAG: Final = re.compile(r"<[^>]+>")
_HIDDEN: Final = re.compile(
    r'<path class="(?:fore|back)ground"[^>]*?'
    r'(?:display="none"|pointer-events="none"|aria-hidden="true" d="[^"]*")/>'
)
_EMPTY_GROUP: Final = re.compile(r"<g[^>]*/>|<g[^>]*(?<!/)></g>")
_NAMED: Final = re.compile(r'(id="|url\(#)((?:clip|gradient_)\d+)')
_SIZE: Final = re.compile(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"[^>]*>')


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture with its data and its words.

    Attributes
    ----------
    key
        Stable name: identifier on the page and file name of what is saved.
    title
        What is shown, complete in itself.
    heading
        The title where the page already says criterion and reader; may be empty.
    caption
        How to read it, what was left out and by which rule.
    alt
        What can be seen, in words and numbers.
    data
        The rows behind the picture.
    svg
        A complete SVG document in the light theme.
    """

    key: str
    title: str
    heading: str
    caption: str
    alt: str
    data: pl.DataFrame
    svg: str

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the SVG in pixels."""
        found = _SIZE.match(self.svg)
        return (float(found[1]), float(found[2])) if found else (float(WIDTH), float(WIDTH))

    @property
    def inline(self) -> Markup:
        """The SVG as part of the page: it takes the width of its column, and names itself."""
        width, height = self.size
        head = (
            f'<svg role="img" aria-label="{escape(self.alt)}" viewBox="0 0 {width:g} {height:g}" '
            f'style="--natural:{width:g}px">'
        )
        return Markup(_SIZE.sub(lambda _: head, self.svg, count=1))

    @property
    def csv_uri(self) -> str:
        """The rows as a CSV file in a ``data:`` address."""
        return "data:text/csv;charset=utf-8;base64," + _encode(self.data.write_csv())

    @property
    def svg_uri(self) -> str:
        """The picture as an SVG file in a ``data:`` address."""
        return "data:image/svg+xml;base64," + _encode(self.svg)


def draw(chart: Any, *, key: str, rows: Mapping[str, pl.DataFrame]) -> str:  # noqa: ANN401
    """Return a chart as a lean SVG document.

    Parameters
    ----------
    chart
        Altair chart whose marks take their data by name.
    key
        Name of the figure, by which its inner identifiers become unique on the page.
    rows
        Name of a data set to its `polars.DataFrame`.
    """
    import altair as alt  # noqa: PLC0415  (loads slowly)
    import vl_convert  # noqa: PLC0415

    spec = chart.to_dict(validate=False)  # a test validates; it takes longer than drawing
    spec["config"] = _config()
    spec["datasets"] = spec.get("datasets", {}) | {name: frame.to_dicts() for name, frame in rows.items()}
    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    svg = vl_convert.vegalite_to_svg(spec, vl_version=version, show_warnings=False)
    return _make_lean(svg, key)


def thin(frame: pl.DataFrame, limit: int) -> pl.DataFrame:
    """Return at most `limit` rows, evenly spaced, the first and the last among them.

    Examples
    --------
    >>> thin(pl.DataFrame({"x": range(9)}), 3)["x"].to_list()
    [0, 4, 8]
    """
    if frame.height <= limit:
        return frame
    step = (frame.height - 1) / max(limit - 1, 1)
    return frame[[round(i * step) for i in range(limit)]]


def month_axis(longest_days: float) -> tuple[list[float], str]:
    """Return tick positions in days that fall on whole months, and the Vega expression of their labels."""
    whole = longest_days / words.DAYS_PER_MONTH
    step = next((s for s in (1, 2, 3, 6, 12, 24, 60) if whole / s <= 9), 120)
    ticks = [i * step * words.DAYS_PER_MONTH for i in range(int(whole // step) + 1)]
    return ticks, f"format(datum.value / {words.DAYS_PER_MONTH}, 'd')"


def legend_columns(names: Sequence[str], *, width: float = WIDTH) -> int:
    """Return how many names of a legend go into one row."""
    longest = max((len(name) for name in names), default=1)
    return max(1, min(len(names), int(width // (7 * longest + 40))))


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _make_lean(svg: str, key: str) -> str:
    svg = _TAG.sub(lambda tag: _NUMBER.sub(_round, tag[0]), svg)  # words keep their decimals
    svg = _HIDDEN.sub("", svg)
    for _ in range(3):
        svg = _EMPTY_GROUP.sub("", svg)
    return _NAMED.sub(lambda found: f"{found[1]}{key}-{found[2]}", svg)


def _round(found: re.Match[str]) -> str:
    text = f"{float(found[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def _config() -> dict[str, Any]:
    ink, muted, rule, grid = (theme.light(name) for name in ("ink", "muted", "rule", "grid"))
    axis = {
        "labelColor": muted,
        "titleColor": muted,
        "domainColor": rule,
        "tickColor": rule,
        "gridColor": grid,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "labelPadding": 4,
        "tickSize": 4,
        "labelFlush": False,
    }
    legend = {
        "labelColor": ink,
        "titleColor": muted,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "orient": "top",
        "symbolType": "square",
        "symbolSize": 90,
        "columnPadding": 14,
        "offset": 8,
        "labelLimit": 240,
        "layout": {"top": {"direction": "vertical", "anchor": "start", "margin": 6}},
    }
    return {
        "font": "Helvetica, Arial, sans-serif",
        "aria": False,
        "background": None,
        "padding": {"left": 8, "right": 14, "top": 4, "bottom": 4},
        "view": {"stroke": None},
        "axis": axis,
        "legend": legend,
        "text": {"color": ink, "fontSize": 12},
    }
