"""The twins of a cohort: one chance of each patient, with its interval and that of the prior."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.report import words
from hccresist.report.figures.figure import Figure, draw
from hccresist.report.outlooks import NAMES, name_horizon

MOST_DRAWN: Final = 40
"""Patients drawn: the first by identifier."""
_LIMITS: Final = ("value", "low", "high", "prior_low", "prior_high")


def plot_twins(rows: pl.DataFrame, *, quantity: str, horizon: float, few: float) -> Figure | None:
    """Return one chance of each patient who goes on as now; ``None`` where there are none.

    Parameters
    ----------
    rows
        Rows of table ``outlook``.
    quantity
        response, progression or death.
    horizon
        Days ahead.
    few
        Effective number of virtual patients below which a twin is drawn hollow.
    """
    from hccresist.report.figures.charts import outlook  # noqa: PLC0415  (Altair loads slowly)

    kept = rows.filter(
        pl.col("role").cast(pl.String) == "present",
        pl.col("quantity").cast(pl.String) == quantity,
        pl.col("horizon_days") == horizon,
        pl.col("value").is_not_null(),
    ).sort("patient_id")
    if kept.is_empty():
        return None
    shown = kept.head(MOST_DRAWN)
    drawn = shown.select(
        pl.col("patient_id").alias("patient"),
        *((pl.col(name) * 100.0) for name in _LIMITS),
        firm=pl.col("particles") >= few,
        said=pl.struct("value", "low", "high").map_elements(
            lambda row: say_chance(row["value"], row["low"], row["high"]), return_dtype=pl.String
        ),
    )
    name, ahead = NAMES[quantity], name_horizon(horizon)
    left = kept.height - shown.height
    title = f"{name} within {ahead}, going on as now"
    chart = outlook.chart_twins(drawn["patient"].to_list(), title="Chance in percent")
    return Figure(
        key=f"twins-{quantity}-{horizon:g}",
        title=title,
        heading=f"{name} within {ahead}",
        caption="Square: chance that virtual patients like this one have; line: its 90 % interval. Grey: the "
        "interval of virtual patients that share nothing but the baseline. Hollow: rests on fewer than "
        f"{few:g} virtual patients in effect."
        + (f" {words.plural(left, 'further patient')} in table ‘outlook’." if left else ""),
        alt=_describe(title, kept),
        data=kept,
        svg=draw(chart, key=f"twins-{quantity}-{horizon:g}", rows={"rows": drawn}),
    )


def say_chance(value: float | None, low: float | None, high: float | None) -> str:
    """Return a chance with its interval in percent.

    Examples
    --------
    >>> say_chance(0.5, 0.25, 0.752)
    '50 % (25 to 75)'
    """
    if value is None:
        return words.EMPTY
    limits = (None if limit is None else 100 * limit for limit in (low, high))
    return f"{words.number(100 * value, 0)} % ({words.interval(*limits, digits=0)})"


def _describe(title: str, rows: pl.DataFrame) -> str:
    width = (rows["high"] - rows["low"]).median()
    middle = rows["value"].median()
    told = f"median chance {words.number(100 * float(middle), 0)} %" if isinstance(middle, float) else ""
    wide = (
        f", median width of the interval {words.number(100 * float(width), 0)} points"
        if isinstance(width, float)
        else ""
    )
    return f"{title}: {words.plural(rows.height, 'patient')}, {told}{wide}."
