"""The Kaplan–Meier curve and what is read from it.

SciPy's `ecdf` knows no delayed entry, and lifelines gives other medians than R and SAS where the
curve runs along 50 % (they take the middle of that stretch). The curve itself is a cumulative
product of counts, so it is computed here; the tests hold it against both libraries, and against
published R and Stata output.

References
----------
Kaplan EL, Meier P. J Am Stat Assoc 1958;53:457–481, doi:10.1080/01621459.1958.10501452.
Brookmeyer R, Crowley J. Biometrics 1982;38:29–41, doi:10.2307/2530286.
Schemper M, Smith TL. Control Clin Trials 1996;17:343–346, doi:10.1016/0197-2456(96)00075-X.
Royston P, Parmar MKB. BMC Med Res Methodol 2013;13:152, doi:10.1186/1471-2288-13-152.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hccresist.outcomes.counts import Counts
from hccresist.outcomes.groups import Z
from hccresist.outcomes.visits import Floats, Ints

TOLERANCE: Final = float(np.finfo(float).eps ** 0.5)
"""Shares closer than this are taken as equal, as in R's `survfit`."""

NO_PATIENTS: Final = "not estimable: no patients"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % limits; null where it has none, and why, in `note`."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    note: str | None = None

    def scaled(self, factor: float) -> Estimate:
        """Return the estimate in another unit."""
        low, value, high = (None if x is None else factor * x for x in (self.low, self.value, self.high))
        return Estimate(value, low, high, self.note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A Kaplan–Meier curve on the days of its counts.

    Attributes
    ----------
    counts
        What the curve was made from.
    days, at_risk
        Days with an event or a censoring, and patients at risk just before; shape = (n_days,).
    survival
        Estimated share without the event from each day on.
    hazard_variance
        Greenwood's sum, the variance of log survival.
    low, high
        Log–log limits; NaN where survival is 1 or 0.
    """

    counts: Counts
    days: Floats
    at_risk: Ints
    survival: Floats
    hazard_variance: Floats
    low: Floats
    high: Floats

    @property
    def emptied_day(self) -> float | None:
        """Day on which everyone at risk had the event although others came later (delayed entry)."""
        empty = np.flatnonzero(self.survival[:-1] <= 0)
        return float(self.days[empty[0]]) if len(empty) else None


def kaplan_meier(counts: Counts) -> Curve:
    """Return the Kaplan–Meier curve with log–log limits.

    ``S(t) = Π (1 − d/n)`` over event days up to t, with d events among n at risk just before; a
    patient who enters late is at risk after the day of entry. Limits: ``S^exp(±z·s/log S)`` with
    Greenwood's ``s² = Σ d/(n(n − d))``.
    """
    at_risk = counts.at_risk(counts.days)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        survival: Floats = np.cumprod(1 - counts.events / at_risk, dtype=np.float64)
        variance = np.cumsum(counts.events / (at_risk * (at_risk - counts.events)))
        width = Z * np.sqrt(variance) / np.log(survival)
        low, high = survival ** np.exp(-width), survival ** np.exp(width)
    inner = (survival > 0) & (survival < 1)
    return Curve(
        counts=counts,
        days=counts.days,
        at_risk=at_risk,
        survival=survival,
        hazard_variance=variance,
        low=np.where(inner, low, np.nan),
        high=np.where(inner, high, np.nan),
    )


def median(curve: Curve) -> Estimate:
    """Return the median time, with the days on which the log–log limits cross 50 %.

    The median is the first day on which at most half are left. Where the curve runs exactly along
    50 %, it is the middle of that stretch, as in R's `survfit` and in SAS.
    """
    refused = _refused(curve)
    if refused:
        return refused
    value, low, high = (_crossing(curve.days, y) for y in (curve.survival, curve.low, curve.high))
    if value is None:
        share, day = 100 * curve.survival[-1], curve.days[-1]
        return Estimate(None, low, None, f"not reached: the curve ends at {share:.1f} % on day {day:g}")
    return Estimate(value, low, high, None if high is not None else "upper limit not reached")


def survival_on(curve: Curve, day: float) -> Estimate:
    """Return the share still without the event on a day; null after the end of follow-up."""
    refused = _refused(curve)
    if refused:
        return refused
    if day > curve.days[-1] and curve.survival[-1] > 0:
        return Estimate(note=f"not estimable: follow-up ends on day {curve.days[-1]:g}")
    place = int(np.searchsorted(curve.days, day, side="right")) - 1
    value = float(curve.survival[place]) if place >= 0 else 1.0
    if place < 0 or value >= 1:
        return Estimate(value, note="no event by then: limits not estimable")
    if value <= 0:
        return Estimate(value, note="everyone had the event by then: limits not estimable")
    return Estimate(value, float(curve.low[place]), float(curve.high[place]))


def restricted_mean(curve: Curve, horizon: float) -> Estimate:
    """Return the mean time without the event up to a horizon (RMST), with normal limits.

    The area under the curve from day 0 to the horizon; its variance is ``Σ A² d/(n(n − d))``, where
    A is the area that remains from the day of the event to the horizon.
    """
    refused = _refused(curve)
    if refused:
        return refused
    inside = curve.days < horizon
    days = np.concatenate([[0.0], curve.days[inside], [horizon]])
    areas = np.diff(days) * np.concatenate([[1.0], curve.survival[inside]])
    value, variance = float(areas.sum()), _area_variance(curve, inside, areas)
    if not curve.counts.events[inside].any():
        return Estimate(value, note="no event by then: limits not estimable")
    return Estimate(value, value - Z * variance**0.5, value + Z * variance**0.5)


def follow_up(counts: Counts) -> Estimate:
    """Return the median follow-up by the reverse Kaplan–Meier: censoring is the event, events censor it."""
    estimate = median(kaplan_meier(counts.reversed()))
    if estimate.value is None and counts.n:
        return Estimate(None, estimate.low, None, "not reached: too few patients were censored")
    return estimate


def _refused(curve: Curve) -> Estimate | None:
    if not curve.counts.n:
        return Estimate(note=NO_PATIENTS)
    day = curve.emptied_day
    if day is not None:
        return Estimate(note=f"not estimable: with delayed entry, nobody was left at risk on day {day:g}")
    return None


def _crossing(days: Floats, shares: Floats) -> float | None:
    """Return the first day on which the share is at most one half; the middle of a stretch at one half."""
    below = np.flatnonzero(shares < 0.5 + TOLERANCE)
    if not len(below):
        return None
    first = below[0]
    lower = below[shares[below] < shares[first]]
    if abs(shares[first] - 0.5) < TOLERANCE and len(lower):
        return float((days[first] + days[lower[0]]) / 2)
    return float(days[first])


def _area_variance(curve: Curve, inside: np.ndarray[tuple[int], np.dtype[np.bool_]], areas: Floats) -> float:
    remaining = np.cumsum(areas[::-1])[::-1][1:]
    events, at_risk = curve.counts.events[inside], curve.at_risk[inside]
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = remaining**2 * events / (at_risk * (at_risk - events))
    return float(terms[np.isfinite(terms)].sum())
