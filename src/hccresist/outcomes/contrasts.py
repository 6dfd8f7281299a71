"""One arm against another: log-rank test and hazard ratio, both also stratified.

SciPy's and lifelines' log-rank tests know neither strata nor delayed entry. The Cox model of
lifelines knows both, but takes 30 s for one fit to a million patients, and 10 s for 100,000 with
delayed entry. With one arm against another the covariate is 0 or 1, and Efron's partial likelihood
then depends on the patients only through the counts of events and of patients at risk, so that it
is maximised here exactly and in milliseconds. The tests hold the result against lifelines on real
data and against published R output.

References
----------
Cox DR. J R Stat Soc B 1972;34:187–220. Efron B. J Am Stat Assoc 1977;72:557–565,
doi:10.1080/01621459.1977.10480613.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hccresist.outcomes.counts import Counts
from hccresist.outcomes.groups import Z
from hccresist.outcomes.kaplan_meier import Estimate
from hccresist.outcomes.visits import Floats, Ints

Strata = Sequence[Mapping[str, Counts]]
"""For each stratum, the counts of its arms."""

FEW_EVENTS: Final = 10
"""Below this number of events a hazard ratio carries a caveat."""

_RANK: Final = 1e-10
"""Share of the largest variance below which a direction has none: one is always 0 but for rounding."""

_STEPS: Final = 100


@dataclass(frozen=True, slots=True)
class LogRank:
    """Chi-square statistic, degrees of freedom and p-value; null where it is not estimable."""

    chi_square: float | None
    degrees: int
    p_value: float | None
    note: str


def log_rank(strata: Strata, arms: Sequence[str]) -> LogRank:
    """Return the log-rank test of the arms, stratified where there is more than one stratum.

    On each event day, the expected events of an arm are all events times its share of the patients
    at risk. Observed minus expected and their hypergeometric variance are summed over days and
    strata; the quadratic form is compared with the chi-square distribution. An arm that is never
    at risk on an event day does not count.
    """
    from scipy.special import chdtrc  # noqa: PLC0415  (the command line starts without SciPy)

    difference, variance = np.zeros(len(arms)), np.zeros((len(arms), len(arms)))
    for stratum in strata:
        _, events, at_risk = _event_days([stratum[arm] for arm in arms])
        gap, covariance = _log_rank_terms(events, at_risk)
        difference, variance = difference + gap, variance + covariance
    spread, axes = np.linalg.eigh(variance)
    free = spread > _RANK * max(spread.max(initial=0.0), np.finfo(float).tiny)
    degrees = int(free.sum())
    if degrees == 0:
        return LogRank(None, 0, None, "not estimable: no event while more than one arm was at risk")
    chi_square = float(np.sum((axes[:, free].T @ difference) ** 2 / spread[free]))
    note = f"chi-square {chi_square:.2f} on {degrees} degree{'s' if degrees > 1 else ''} of freedom"
    return LogRank(chi_square, degrees, float(chdtrc(degrees, chi_square)), note)


def hazard_ratio(strata: Strata, arm: str, reference: str) -> Estimate:
    """Return the hazard ratio of an arm against the reference, by Cox regression with Efron's ties.

    Each event day with d events, of which some in the arm, contributes ``log`` of
    ``exp(β·x) / Π (a·exp(β) + b)`` over d draws; in draw l, a and b are the patients at risk in arm
    and reference, less l/d of those who have the event that day. Newton's method maximises the sum
    over days and strata; limits are Wald's.

    The ratio is refused, with a reason, where no finite maximum exists: no event in an arm, or
    events of the arms that never compete for the same risk set.
    """
    totals = {name: sum(stratum[name].n_events for stratum in strata) for name in (arm, reference)}
    problem = _separation(strata, totals, arm, reference)
    if problem:
        return Estimate(note=f"not estimable: {problem}")
    draws = [_draws(stratum[arm], stratum[reference]) for stratum in strata]
    a, b = (np.concatenate([sides[side] for sides in draws]) for side in (0, 1))
    beta, error = _maximise(a, b, totals[arm])
    note = f"only {sum(totals.values())} events: uncertain" if sum(totals.values()) < FEW_EVENTS else None
    value, low, high = (float(np.exp(beta + shift)) for shift in (0.0, -Z * error, Z * error))
    return Estimate(value, low, high, note)


def _event_days(groups: Sequence[Counts]) -> tuple[Floats, Ints, Ints]:
    """Return the event days of all groups, and events and patients at risk; shape = (groups, days)."""
    days = np.unique(np.concatenate([group.days[group.events > 0] for group in groups]))
    events = np.array([group.events_on(days) for group in groups])
    at_risk = np.array([group.at_risk(days) for group in groups])
    return days, events, at_risk


def _log_rank_terms(events: Ints, at_risk: Ints) -> tuple[Floats, Floats]:
    d, n = events.sum(axis=0), at_risk.sum(axis=0)
    share = at_risk / n
    gap = (events - d * share).sum(axis=1)
    weight = d * (n - d) / np.maximum(n - 1, 1)
    spread = np.diag((weight * share).sum(axis=1)) - (weight * share) @ share.T
    return gap, spread


def _draws(arm: Counts, reference: Counts) -> tuple[Floats, Floats]:
    """Return patients at risk in arm and reference for each draw of Efron's likelihood."""
    _, (d1, d0), (n1, n0) = _event_days([arm, reference])
    ties = d1 + d0
    place = np.repeat(np.arange(len(ties)), ties)
    first = np.repeat(np.cumsum(ties) - ties, ties)
    taken = (np.arange(len(place)) - first) / ties[place]
    return n1[place] - taken * d1[place], n0[place] - taken * d0[place]


def _separation(strata: Strata, totals: Mapping[str, int], arm: str, reference: str) -> str | None:
    """Say why no finite maximum exists, if so; see `hazard_ratio`."""
    empty = [name for name, events in totals.items() if events == 0]
    if empty:
        return " and ".join(f"no event in {name}" for name in empty)
    up = down = 0
    for stratum in strata:
        _, (d1, d0), (n1, n0) = _event_days([stratum[arm], stratum[reference]])
        up, down = up + int(d1[n0 > 0].sum()), down + int(d0[n1 > 0].sum())
    if up and down:
        return None
    late = reference if up else arm
    return f"the arms do not overlap (no event in {late} while the other arm was at risk)"


def _maximise(a: Floats, b: Floats, events: int) -> tuple[float, float]:
    """Return the maximum of ``events·β − Σ log(a·exp(β) + b)`` and its standard error."""
    beta = 0.0
    for _ in range(_STEPS):
        share = a / (a + b * np.exp(-beta))
        slope, curvature = events - share.sum(), (share * (1 - share)).sum()
        step = float(np.clip(slope / curvature, -1.0, 1.0))
        beta += step
        if abs(step) < 1e-12:
            break
    share = a / (a + b * np.exp(-beta))
    return beta, float((share * (1 - share)).sum() ** -0.5)
