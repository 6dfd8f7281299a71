"""Figures of simulated patients: what the modeller sees and no clinic does."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.report import words
from hccresist.report.figures.figure import Figure, draw

PANELS: Final = (
    ("whole_mm", "Whole diameter (RECIST)"),
    ("viable_mm", "Viable diameter (mRECIST)"),
)
HIGHEST: Final = 150.0
"""Change in percent above which lines are cut off."""


def compute_change(trajectories: pl.DataFrame) -> pl.DataFrame:
    """Sum of the diameters of the lesions of baseline, as change from day zero in percent.

    Returns
    -------
    DataFrame
        Columns patient_id, day, panel, change; patients without a size on day zero are left out.
    """
    titles = dict(PANELS)
    sizes = trajectories.filter(pl.col("quantity").is_in(list(titles)))
    first = sizes.filter(pl.col("day") == 0).select("patient_id", "lesion_id", "quantity")
    sums = (
        sizes.join(first, on=["patient_id", "lesion_id", "quantity"], how="semi")
        .group_by("patient_id", "quantity", "day")
        .agg(pl.col("value").sum())
    )
    start = sums.filter((pl.col("day") == 0) & (pl.col("value") > 0))
    start = start.select("patient_id", "quantity", start="value")
    return (
        sums.join(start, on=["patient_id", "quantity"])
        .select(
            "patient_id",
            "day",
            panel=pl.col("quantity").replace_strict(titles),
            change=100 * (pl.col("value") / pl.col("start") - 1),
        )
        .sort("panel", "patient_id", "day")
    )


def plot_trajectories(trajectories: pl.DataFrame) -> Figure | None:
    """Draw the change of size over time, or return ``None`` where there is nothing to draw."""
    from hccresist.report.figures.charts import simulated  # noqa: PLC0415  (Altair loads slowly)

    data = compute_change(trajectories)
    if data.is_empty():
        return None
    rows = data.with_columns(change=pl.col("change").clip(upper_bound=HIGHEST))
    count = data["patient_id"].n_unique()
    return Figure(
        key="simulated-sizes",
        title=f"Change of size of {words.plural(count, 'simulated patient')}",
        heading="",
        caption="Without measurement error. Lines end with the patient's follow-up "
        f"and are cut at {HIGHEST:g} %. "
        "Simulated: research only.",
        alt=f"Lines of {words.plural(count, 'simulated patient')}: sum of diameters, whole and viable.",
        data=data,
        svg=draw(
            simulated.chart_sizes([title for _, title in PANELS], longest=float(data["day"].max() or 0.0)),  # type: ignore[arg-type]
            key="simulated-sizes",
            rows={"rows": rows},
        ),
    )
