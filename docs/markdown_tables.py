"""Rows of tables and numbers of the fit report, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping


def head(*cells: str) -> Iterator[str]:
    """Give the two lines that a table begins with."""
    yield row_of(*cells)
    yield "|" + "|".join("---" for _ in cells) + "|"


def row_of(*cells: object) -> str:
    """Give one row."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def percent(share: float) -> str:
    """Show a share in whole per cent."""
    return f"{100 * share:.0f} %"


def show_value(value: float | None, unit: str) -> str:
    """Show a number in its unit."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.0f} %" if unit == "percent" else f"{value:.2f}" if unit == "ratio" else f"{value:.1f}"


def show_interval(row: Mapping[str, object], name: str) -> str:
    """Show a value with its limits."""
    value, low, high = (row[f"{name}{part}"] for part in ("", "_low", "_high"))
    unit = str(row["unit"])
    ends = " to ".join(show_value(end, unit) for end in (low, high))  # pyright: ignore[reportArgumentType]
    return f"{show_value(value, unit)} ({ends})"  # pyright: ignore[reportArgumentType]
