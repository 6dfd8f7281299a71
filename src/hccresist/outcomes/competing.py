"""Cumulative incidence where events compete: the Aalen–Johansen estimate.

lifelines' estimate moves tied days apart at random, so that two runs differ; this one is the exact
product over days, ties and delayed entry included.

References
----------
Aalen OO, Johansen S. Scand J Stat 1978;5:141–150. Marubini E, Valsecchi MG. Analysing Survival Data
from Clinical Trials and Observational Studies. Wiley 1995 (variance). Choudhury JB. Stat Med
2002;21:1129–1144, doi:10.1002/sim.1070 (limits). A worked example: Satagopan JM et al. Br J Cancer
2004;91:1229–1235, doi:10.1038/sj.bjc.6602102.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from hccresist.outcomes.counts import Counts, EndpointCounts, observation_times, tally
from hccresist.outcomes.groups import Z, arm_names
from hccresist.outcomes.results import CumulativeIncidence
from hccresist.outcomes.visits import Floats
from hccresist.study.codes import DEATH_CAUSE
from hccresist.study.study import Study

PROGRESSION_CAUSES: Final = ("progression", "death", "procedure")
"""What can end PFS: progression, death without it, and a procedure where the policy counts it."""

_ROUNDING: Final = 1e-12

UNKNOWN: Final = "unknown"
"""Cause of a death whose cause is not recorded."""


@dataclass(frozen=True, slots=True)
class Incidence:
    """Cumulative incidence of one cause with its variance, on the days of the counts."""

    days: Floats
    share: Floats
    variance: Floats

    def limits(self) -> tuple[Floats, Floats]:
        """Return 95 % limits on the scale of log(−log F); NaN where F is 0 or 1 but for rounding."""
        inner = (self.share > _ROUNDING) & (self.share < 1 - _ROUNDING)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            width = Z * np.sqrt(self.variance) / (self.share * np.log(self.share))
            low, high = self.share ** np.exp(-width), self.share ** np.exp(width)
        return np.where(inner, low, np.nan), np.where(inner, high, np.nan)


def compute_cumulative_incidence(study: Study, events: pl.DataFrame) -> pl.DataFrame:
    """Return the cumulative incidence of each cause, for all patients and each arm.

    1. PFS and iPFS: progression against death without progression (and against transplant or
       resection where policy `curative_procedure` is ``event``). A cause that never ends PFS of
       any patient has no rows.
    2. OS: tumour, liver, other and unknown, where the study records the cause of at least one
       death. A death without a recorded cause is ``unknown``; it is not left out.

    One row on day 0, on each day with an event of any cause, and on the last day of follow-up.

    Parameters
    ----------
    study
        The checked study: arms, delayed entry, death causes.
    events
        Table `events`.

    Returns
    -------
    pl.DataFrame
        Table `cumulative_incidence`, sorted by key.
    """
    arms, parts = arm_names(study), list[pl.DataFrame]()
    for rows, causes in (
        (
            events.filter(pl.col("endpoint").is_in(["PFS", "iPFS"]) & (pl.col("criterion") != "recorded")),
            PROGRESSION_CAUSES,
        ),
        (_deaths_by_cause(study, events), DEATH_CAUSE),
    ):
        times = observation_times(study, rows, keep=["cause"])
        happened = set(times["cause"].drop_nulls().unique())
        parts += _tables(times, [cause for cause in causes if cause in happened], arms)
    table = CumulativeIncidence.cast(pl.concat(parts)) if parts else CumulativeIncidence.create_empty()
    return table.sort(CumulativeIncidence.primary_key())


def aalen_johansen(causes: Mapping[str, Counts]) -> dict[str, Incidence]:
    """Return the cumulative incidence of each cause.

    With d events of any cause, of which e of this one, among n at risk on a day, and S the share
    without any event before it: ``F(t) = Σ S·e/n``. Variance (Marubini and Valsecchi):
    ``Σ (F(t) − F)²·d/(n(n − d)) + Σ S²·e(n − e)/n³ − 2·Σ (F(t) − F)·S·e/n²``.

    Parameters
    ----------
    causes
        For each cause, counts on the same days in which its events are the events and all other
        exits are censorings.

    Returns
    -------
    dict
        For each cause, its incidence on these days.
    """
    first = next(iter(causes.values()))
    at_risk = first.at_risk(first.days).astype(float)
    total = np.sum([counts.events for counts in causes.values()], axis=0)
    before = np.concatenate([[1.0], np.cumprod(1 - total / at_risk)])[:-1]
    with np.errstate(divide="ignore"):
        spread = total / (at_risk * (at_risk - total))
    spread = np.where(np.isfinite(spread), spread, 0.0)  # nobody is left: F stays, so the term is 0
    incidences = dict[str, Incidence]()
    for cause, counts in causes.items():
        share = np.cumsum(before * counts.events / at_risk)
        own = np.cumsum(before**2 * counts.events * (at_risk - counts.events) / at_risk**3)
        cross = before * counts.events / at_risk**2
        variance = _squares(share, spread) + own - 2 * _products(share, cross)
        incidences[cause] = Incidence(first.days, share, np.maximum(variance, 0.0))
    return incidences


def _squares(share: Floats, weight: Floats) -> Floats:
    """Return ``Σ (F(t) − F)²·w`` up to each day t."""
    whole, once, twice = (np.cumsum(weight * share**power) for power in (0, 1, 2))
    return share**2 * whole - 2 * share * once + twice


def _products(share: Floats, weight: Floats) -> Floats:
    """Return ``Σ (F(t) − F)·w`` up to each day t."""
    return share * np.cumsum(weight) - np.cumsum(weight * share)


def _deaths_by_cause(study: Study, events: pl.DataFrame) -> pl.DataFrame:
    """Return the OS rows with the recorded cause of death; none where no cause is recorded."""
    survival, deaths = study.table("survival"), events.filter(pl.col("endpoint") == "OS")
    if survival is None or survival["death_cause"].drop_nulls().is_empty():
        return deaths.clear()
    causes = survival.select("patient_id", pl.col("death_cause").cast(pl.String))
    deaths = deaths.join(causes, on="patient_id", how="left")
    return deaths.with_columns(cause=pl.when("event").then(pl.col("death_cause").fill_null(UNKNOWN)))


def _tables(times: pl.DataFrame, causes: Sequence[str], arms: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Yield the rows of each endpoint and group."""
    tallies = [
        tally(times.with_columns(event=(pl.col("cause") == cause).fill_null(value=False)), arms)
        for cause in causes
    ]
    for of_causes in zip(*tallies, strict=True):
        for group in of_causes[0].groups:
            counts = {
                cause: of_cause.groups[group] for cause, of_cause in zip(causes, of_causes, strict=True)
            }
            if of_causes[0].groups[group].n:
                yield from _rows(of_causes[0], group, aalen_johansen(counts), counts)


def _rows(
    endpoint: EndpointCounts, group: str, incidences: Mapping[str, Incidence], counts: Mapping[str, Counts]
) -> Iterator[pl.DataFrame]:
    shown = np.sum([of_cause.events for of_cause in counts.values()], axis=0) > 0
    shown[-1] = True
    for cause, incidence in incidences.items():
        low, high = incidence.limits()
        start = np.zeros(int(incidence.days[shown][0] > 0))
        columns = {"days": incidence.days, "incidence": incidence.share, "low": low, "high": high}
        first = {"days": start, "incidence": start, "low": start * np.nan, "high": start * np.nan}
        rows = {name: np.concatenate([first[name], values[shown]]) for name, values in columns.items()}
        yield pl.DataFrame(rows).select(
            reader=pl.lit(endpoint.reader),
            criterion=pl.lit(endpoint.criterion),
            endpoint=pl.lit(endpoint.endpoint),
            group=pl.lit(group),
            cause=pl.lit(cause),
            days="days",
            incidence="incidence",
            low=pl.col("low").fill_nan(None),
            high=pl.col("high").fill_nan(None),
        )
