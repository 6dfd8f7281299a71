"""Small pieces from which rows of `markers` are made."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.assess.marker_results import Markers

COLUMNS: Final[dict[str, pl.DataType]] = {name: column.dtype for name, column in Markers.columns().items()}
NOT_EVALUABLE: Final = "not_evaluable"


def no_rows() -> pl.DataFrame:
    """Return no rows of `markers`."""
    return pl.DataFrame(schema=COLUMNS)


def to_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with the columns of `markers`, in order; those it lacks are empty."""
    blank: dict[str, object] = {"reader": "", "unit": ""}
    columns = [
        (pl.col(name) if name in frame.columns else pl.lit(blank.get(name))).cast(kind).alias(name)
        for name, kind in COLUMNS.items()
    ]
    return frame.select(columns)


def shown(value: pl.Expr, *, digits: int = 2) -> pl.Expr:
    """Return a number as text, with a true minus and no needless ``.0``; missing reads "unknown"."""
    text = value.round(digits).cast(pl.String).str.strip_suffix(".0")
    return text.str.replace("-", "−", literal=True).fill_null("unknown")


def shown_change(percent: pl.Expr) -> pl.Expr:
    """Return a change as text with its sign: ``+20 %``, ``−50 %``."""
    plain = shown(percent)
    signed = pl.when(percent > 0).then(pl.lit("+") + plain).otherwise(plain)
    return pl.when(percent.is_null()).then(pl.lit("unknown")).otherwise(signed + " %")


def nearest_rows(frame: pl.DataFrame, *, by: list[str], target: pl.Expr) -> pl.DataFrame:
    """Return for each group the row whose day is nearest to `target`; of two equally near, the earlier.

    Parameters
    ----------
    frame
        Rows with `day` and the columns of `by`.
    by
        Columns of the group.
    target
        Day aimed at.
    """
    near = frame.with_columns((pl.col("day") - target).abs().alias("__away"))
    return near.sort(*by, "__away", "day").unique(by, keep="first", maintain_order=True).drop("__away")
