"""How the figures of these pages look, and how they are written: one set of colours, light and dark."""

from __future__ import annotations

from pathlib import Path

IMAGES = Path(__file__).parent / "images"
PAPER = {
    "light": {"ink": "#333333", "grid": "#e4e4e4"},
    "dark": {"ink": "#dddddd", "grid": "#4a4f5a"},
}
"""Colours of text and lines on light and dark pages."""


def save_chart(name: str, chart: object, theme: str) -> None:
    """Write a chart as an SVG with a transparent ground."""
    import altair as alt  # noqa: PLC0415
    import vl_convert  # noqa: PLC0415

    assert isinstance(chart, alt.TopLevelMixin)
    ink, grid = PAPER[theme]["ink"], PAPER[theme]["grid"]
    styled = (
        chart.configure(background="transparent", font="sans-serif")  # pyright: ignore
        .configure_view(stroke=None)
        .configure_axis(labelColor=ink, titleColor=ink, gridColor=grid, domainColor=grid, tickColor=grid)
        .configure_legend(labelColor=ink, titleColor=ink)
        .configure_header(labelColor=ink)
        .configure_title(color=ink, fontSize=11, anchor="start")
    )
    (IMAGES / f"{name}.svg").write_text(vl_convert.vegalite_to_svg(styled.to_dict()), encoding="utf-8")
