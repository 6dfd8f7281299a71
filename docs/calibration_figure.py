"""The figure of the fit report: published against predicted numbers, for light and dark pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from chart import PAPER, save_chart

COLOURS: Mapping[str, Sequence[str]] = {
    "light": ("#0b6e4f", "#c8553d", "#2c6fb5"),
    "dark": ("#5fd0a5", "#ff8f73", "#7fb4ee"),
}
"""Colours for light and dark pages; they differ in lightness too."""
FAMILIES = ("response", "progression", "survival")


def draw_fit(fit: pl.DataFrame, theme: str) -> None:
    """Draw published against predicted numbers, one panel a family."""
    import altair as alt  # noqa: PLC0415

    panels = list[alt.LayerChart]()
    for family, colour in zip(FAMILIES, COLOURS[theme], strict=True):
        rows = [
            {
                name: row[name]
                for name in ("observed", "simulated", "simulated_low", "simulated_high", "arm_id")
            }
            for row in fit.filter(
                (pl.col("family") == family)
                & (pl.col("unit") == ("percent" if family == "response" else "months"))
            ).iter_rows(named=True)
        ]
        most = max(max(row["observed"], row["simulated_high"]) for row in rows)
        unit = "%" if family == "response" else "months"
        scale = alt.Scale(domain=[0, most], nice=True)
        base = alt.Chart(alt.Data(values=rows)).encode(
            x=alt.X("observed:Q", title=f"published, {unit}", scale=scale)
        )
        whisker = base.mark_rule(opacity=0.45, color=colour).encode(
            y=alt.Y("simulated_low:Q", title=f"predicted, {unit}", scale=scale), y2="simulated_high:Q"
        )
        point = base.mark_point(filled=True, size=26, color=colour).encode(
            y=alt.Y("simulated:Q", scale=scale)
        )
        line = (
            alt.Chart(alt.Data(values=[{"x": 0, "y": 0}, {"x": most, "y": most}]))
            .mark_line(strokeDash=[3, 3], color=PAPER[theme]["ink"], strokeWidth=1)
            .encode(x=alt.X("x:Q", scale=scale), y=alt.Y("y:Q", scale=scale))
        )
        panels.append(alt.layer(line, whisker, point).properties(width=200, height=200, title=family))
    save_chart(f"calibration-fit-{theme}", alt.hconcat(*panels), theme)
