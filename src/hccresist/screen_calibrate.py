"""What `hccresist calibrate` prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from hccresist import screen

if TYPE_CHECKING:
    from rich.console import Console

    from hccresist.overcome.calibrate import Calibration
    from hccresist.overcome.calibrate_report import Fit

PARTS: Final = ("family", "drug_class")
"""By what the fit is summarised."""


def print_calibration(done: Calibration, fit: Fit | None, *, out: Path, left_out: str | None) -> None:
    """Print where a calibration stands, and of a finished one how well it fits."""
    console = screen.out()
    size = f"{len(done.targets)} published numbers, {len(done.members)} sets"
    if not done.finished:
        text = (
            f"time is over in round {done.steps} ({size}); give the same command again: it goes on from there"
        )
        console.print(text, markup=False)
        return
    console.print(f"all data are taken in after {done.steps} rounds: {size}", markup=False)
    if left_out is not None:
        console.print(f"  fitted without {left_out}; nothing of it is shipped", markup=False)
    if fit is not None:
        _print_fit(console, fit)
        console.print(f"  ensemble and fit report in {out / 'shipped'}", markup=False)
    console.print("  Research only: a fit to published trials, no prediction for anybody.", markup=False)


def _print_fit(console: Console, fit: Fit) -> None:
    """Print coverage, width and score by family and drug class, in sample and out of sample."""
    from hccresist.overcome.calibrate_scores import summarise_fit  # noqa: PLC0415

    for title, table in (("in sample", fit.table), ("each programme left out", fit.out_of_sample)):
        console.print(
            f"{title}: coverage of 90 % intervals, median width over published, mean score (class average's)",
            markup=False,
        )
        for part in PARTS:
            for row in summarise_fit(table, part).iter_rows(named=True):
                console.print(f"  {_tell_row(row[part], row)}", markup=False)
    left = fit.parameters.filter(pl.col("label") != "fitted")["name"].to_list()
    if left:
        console.print(
            f"  {len(left)} of {fit.parameters.height} parameters stay at their prior: {', '.join(left)}",
            markup=False,
        )


def _tell_row(name: str, row: dict[str, float]) -> str:
    numbers = f"{100 * row['coverage']:.0f} %, {row['width_ratio']:.2f}, {row['score']:.2f}"
    return f"{name:<28} {row['arms']:>3} arms   {numbers} ({row['naive_score']:.2f})"
