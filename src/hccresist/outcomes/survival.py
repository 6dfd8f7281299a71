"""Survival summaries and curves of every endpoint, for all patients and each arm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from hccresist.errors import ConfigError
from hccresist.outcomes.contrasts import Strata, hazard_ratio, log_rank
from hccresist.outcomes.counts import FROM_RESPONSE, Counts, EndpointCounts, observation_times, tally
from hccresist.outcomes.groups import ALL, arm_names
from hccresist.outcomes.kaplan_meier import (
    Curve,
    Estimate,
    follow_up,
    kaplan_meier,
    median,
    restricted_mean,
    survival_on,
)
from hccresist.outcomes.results import AtRisk, SurvivalSummary
from hccresist.study.issues import nearest
from hccresist.study.study import Study

MONTH: Final = 30.4375
"""Days in a month, 365.25/12."""

LANDMARKS: Final = tuple(MONTH * months for months in (6, 12, 18, 24))
"""Days on which the share without the event is given: 6, 12, 18 and 24 months."""

RESPONDERS_ONLY: Final = (*FROM_RESPONSE, "TTR")
"""Endpoints that exist for responders only."""

_CAVEAT: Final = "responders only, who are not a randomised group"

Row = dict[str, object]


def summarise_survival(
    study: Study,
    events: pl.DataFrame,
    *,
    strata: Sequence[str] = (),
    reference_arm: str | None = None,
    landmarks: Sequence[float] = LANDMARKS,
) -> pl.DataFrame:
    """Return medians, landmark rates, restricted means, follow-up, tests and hazard ratios.

    For all patients and each arm: ``median`` (days, log–log limits), ``rate`` (percent without the
    event on a landmark day, log–log limits), ``rmst`` (days, up to the smallest of the arms'
    longest follow-up) and ``followup`` (median days, reverse Kaplan–Meier). For each arm against
    the reference arm, as group ``A vs B``: ``logrank_chi2``, ``logrank_p``, ``hazard_ratio`` and
    ``rmst_difference``; with strata also ``logrank_p_stratified`` and
    ``hazard_ratio_stratified``; with more than two arms the log-rank test of all of them, too.

    A value is null where there is none, and `note` tells which of the two it is: *not reached* (the
    curve never comes down to one half) or *not estimable* (and why).

    Parameters
    ----------
    study
        The checked study: arms, delayed entry.
    events
        Table `events`.
    strata
        Columns of table `patients` for the stratified test and hazard ratio.
    reference_arm
        Arm that the others are compared with; the first in alphabetical order if not given.
    landmarks
        Days on which `rate` is given.

    Returns
    -------
    pl.DataFrame
        Table `survival_summary`, sorted by key.

    Raises
    ------
    ConfigError
        When the reference arm or a column of the strata does not exist.
    """
    arms = _ordered_arms(arm_names(study), reference_arm)
    plan = _Plan(arms=arms, landmarks=tuple(landmarks), stratified=bool(strata))
    rows = [
        row
        for counts in tally(observation_times(study, events, strata=strata), arms)
        for row in plan.rows(counts)
    ]
    table = pl.DataFrame(rows, schema=SurvivalSummary.create_empty().schema)
    return table.sort(SurvivalSummary.primary_key())


def compute_curves(study: Study, events: pl.DataFrame) -> pl.DataFrame:
    """Return the Kaplan–Meier curve of each endpoint and group, with numbers at risk.

    One row on each day with an event or a censoring, and one on day 0. Limits are log–log; they are
    null where the curve is at 1 or 0.

    Parameters
    ----------
    study
        The checked study: arms, delayed entry.
    events
        Table `events`.

    Returns
    -------
    pl.DataFrame
        Table `survival_curves`, sorted by key.
    """
    parts = [
        _curve_rows(counts, group, kaplan_meier(of_group))
        for counts in tally(observation_times(study, events), arm_names(study))
        for group, of_group in counts.groups.items()
        if of_group.n
    ]
    table = AtRisk.cast(pl.concat(parts)) if parts else AtRisk.create_empty()
    return table.sort(AtRisk.primary_key())


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be summarised: arms (reference first), landmarks, and whether strata were asked for."""

    arms: tuple[str, ...]
    landmarks: tuple[float, ...]
    stratified: bool

    @property
    def contrasts(self) -> tuple[tuple[str, ...], ...]:
        """Each arm with the reference and, where there are more than two, all arms together."""
        pairs = [(arm, self.arms[0]) for arm in self.arms[1:]]
        return (*pairs, tuple(reversed(self.arms))) if len(pairs) > 1 else tuple(pairs)

    def rows(self, counts: EndpointCounts) -> Iterator[Row]:
        """Yield the rows of one endpoint."""
        key = {"reader": counts.reader, "criterion": counts.criterion, "endpoint": counts.endpoint}
        curves = {group: kaplan_meier(of_group) for group, of_group in counts.groups.items()}
        horizon = _horizon(curves)
        for group, curve in curves.items():
            for statistic, at_days, estimate in self._of_group(curve, horizon):
                row = _row(group, statistic, estimate, at_days=at_days)
                yield {**key, **row, **_size([curve.counts]), "note": _note(estimate.note, curve.counts)}
        caveat = _CAVEAT if counts.endpoint in RESPONDERS_ONLY else None
        for group, statistic, at_days, estimate, members in self._of_arms(counts, curves, horizon):
            row = _row(group, statistic, estimate, at_days=at_days)
            note = "; ".join(part for part in (estimate.note, caveat) if part) or None
            yield {**key, **row, **_size(members), "note": note}

    def _of_group(self, curve: Curve, horizon: float) -> Iterator[tuple[str, float, Estimate]]:
        yield "median", 0.0, median(curve)
        for day in self.landmarks:
            yield "rate", day, survival_on(curve, day).scaled(100)
        yield "rmst", horizon, _restricted(curve, horizon)
        yield "followup", 0.0, follow_up(curve.counts)

    def _of_arms(
        self, counts: EndpointCounts, curves: Mapping[str, Curve], horizon: float
    ) -> Iterator[tuple[str, str, float, Estimate, list[Counts]]]:
        whole: Strata = [counts.groups]
        for arms in self.contrasts:
            group, members = " vs ".join(arms), [counts.groups[arm] for arm in arms]
            for statistic, estimate in _log_rank_estimates(whole, arms, suffix=""):
                yield group, statistic, 0.0, estimate, members
            if self.stratified:
                for statistic, estimate in _log_rank_estimates(counts.strata, arms, suffix="_stratified"):
                    yield group, statistic, 0.0, estimate, _pooled(counts.strata, arms)
        for arm in self.arms[1:]:
            pair = (arm, self.arms[0])
            group, members = " vs ".join(pair), [counts.groups[name] for name in pair]
            yield group, "hazard_ratio", 0.0, hazard_ratio(whole, *pair), members
            if self.stratified:
                ratio = hazard_ratio(counts.strata, *pair)
                yield group, "hazard_ratio_stratified", 0.0, ratio, _pooled(counts.strata, pair)
            difference = _difference(*(_restricted(curves[name], horizon) for name in pair))
            yield group, "rmst_difference", horizon, difference, members


def _ordered_arms(arms: tuple[str, ...], reference: str | None) -> tuple[str, ...]:
    if reference is None:
        return arms
    if reference not in arms:
        msg = f"There is no arm '{reference}'. {nearest(reference, arms)}".strip()
        raise ConfigError(msg)
    return (reference, *(arm for arm in arms if arm != reference))


def _horizon(curves: Mapping[str, Curve]) -> float:
    """Return the smallest of the arms' longest follow-up; of all patients where there is no arm."""
    arms = [curve for group, curve in curves.items() if group != ALL and curve.counts.n]
    return min((float(curve.days[-1]) for curve in arms or [curves[ALL]] if curve.counts.n), default=0.0)


def _restricted(curve: Curve, horizon: float) -> Estimate:
    if curve.counts.n and horizon <= 0:
        return Estimate(note="not estimable: no follow-up after day 0")
    return restricted_mean(curve, horizon)


def _difference(arm: Estimate, reference: Estimate) -> Estimate:
    """Return the difference of two restricted means with normal limits."""
    if arm.value is None or reference.value is None:
        return Estimate(note=arm.note if arm.value is None else reference.note)
    value = arm.value - reference.value
    if arm.low is None or reference.low is None:
        return Estimate(value, note="no event in an arm: limits not estimable")
    half = ((arm.value - arm.low) ** 2 + (reference.value - reference.low) ** 2) ** 0.5
    return Estimate(value, value - half, value + half)


def _log_rank_estimates(
    strata: Strata, arms: Sequence[str], *, suffix: str
) -> Iterator[tuple[str, Estimate]]:
    test = log_rank(strata, arms)
    note = f"{test.note}, {len(strata)} strata" if suffix else test.note
    yield f"logrank_chi2{suffix}", Estimate(test.chi_square, note=note)
    yield f"logrank_p{suffix}", Estimate(test.p_value, note=note)


def _pooled(strata: Strata, arms: Sequence[str]) -> list[Counts]:
    return [stratum[arm] for stratum in strata for arm in arms]


def _size(members: Sequence[Counts]) -> Row:
    return {"n": sum(counts.n for counts in members), "events": sum(counts.n_events for counts in members)}


def _row(group: str, statistic: str, estimate: Estimate, *, at_days: float) -> Row:
    return {
        "group": group,
        "statistic": statistic,
        "at_days": at_days,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
    }


def _note(note: str | None, counts: Counts) -> str | None:
    """Add to a note what delayed entry did."""
    late = int(counts.entries.sum())
    parts = [note] if note else []
    if late:
        parts.append(f"delayed entry: {late} of {counts.n} patients entered after day 0")
    if counts.idle:
        parts.append(f"{counts.idle} more left before they entered and are not counted")
    return "; ".join(parts) or None


def _curve_rows(counts: EndpointCounts, group: str, curve: Curve) -> pl.DataFrame:
    start = np.array([0.0]) if curve.days[0] > 0 else np.array([])
    nothing, unknown = np.zeros(len(start), dtype=np.int64), np.full(len(start), np.nan)
    columns = {
        "days": (start, curve.days),
        "survival": (start + 1, curve.survival),
        "low": (unknown, curve.low),
        "high": (unknown, curve.high),
        "at_risk": (curve.counts.at_risk(start), curve.at_risk),
        "events": (nothing, curve.counts.events),
        "censored": (nothing, curve.counts.censored),
    }
    rows = pl.DataFrame({name: np.concatenate(parts) for name, parts in columns.items()})
    return rows.select(
        reader=pl.lit(counts.reader),
        criterion=pl.lit(counts.criterion),
        endpoint=pl.lit(counts.endpoint),
        group=pl.lit(group),
        days="days",
        survival="survival",
        low=pl.col("low").fill_nan(None),
        high=pl.col("high").fill_nan(None),
        at_risk="at_risk",
        events="events",
        censored="censored",
    )
