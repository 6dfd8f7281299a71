"""Cox regression in milliseconds: Efron's ties, delayed entry, exposures that begin during follow-up.

A cohort has a hundred features, a few outcomes and arms, so a thousand models; lifelines takes 40 to
100 ms for each, most of it around the fit. Here sums over the patients at risk come from cumulative
sums, and one fit takes about a millisecond. The tests hold it against lifelines, against published
numbers and against the likelihood written out.

References
----------
Cox DR. J R Stat Soc B 1972;34:187–220. Efron B. J Am Stat Assoc 1977;72:557–565,
doi:10.1080/01621459.1977.10480613. Grambsch PM, Therneau TM. Biometrika 1994;81:515–526,
doi:10.1093/biomet/81.3.515 (proportional hazards).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hccresist.explain.association_tests import Bools, Floats, Ints

_STEPS: Final = 50
_SMALL: Final = 1e-9
_LONGEST: Final = 3.0
"""Longest step of one coefficient, in log hazard."""

_WIDEST: Final = 10.0
"""Standard error of a log hazard ratio beyond which the maximum is called endless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Episodes:
    """Time under observation, one row a patient or a part of a patient's time; shape = (n,).

    Attributes
    ----------
    start, stop
        A row is at risk at day t when start < t ≤ stop; a start of minus infinity is from the beginning.
    event
        The event happened on `stop`.
    """

    start: Floats
    stop: Floats
    event: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class CoxFit:
    """A fitted model: coefficients, their covariance, and residuals of the events.

    Attributes
    ----------
    beta, covariance
        Log hazard ratios, shape = (k,), and their covariance, shape = (k, k).
    residuals
        Schoenfeld residuals, one row an event in the order of the rows; shape = (n_events, k).
    """

    beta: Floats
    covariance: Floats
    residuals: Floats


@dataclass(frozen=True, slots=True)
class _Draws:
    """Where the sums of each draw of Efron's likelihood come from.

    For each event, in order of day: rows that left before its day, rows that had not entered yet, the
    day's place among the days with events, and the share of the day's events already drawn.
    """

    leaving: Ints
    entering: Ints
    left: Ints
    waiting: Ints
    day: Ints
    share: Floats
    events: Ints
    starts: Ints


def fit_model(episodes: Episodes, columns: Floats) -> CoxFit | None:
    """Maximise the partial likelihood by Newton's method.

    Parameters
    ----------
    episodes
        Time under observation.
    columns
        Value of each term for each row; shape = (n, k).

    Returns
    -------
    CoxFit | None
        ``None`` where the likelihood has no finite maximum.
    """
    draws = _draws(episodes)
    centred = columns - columns.mean(axis=0)
    beta = np.zeros(columns.shape[1])
    value, slope, information, means = _sums(draws, centred, beta)
    for _ in range(_STEPS):
        try:
            step: Floats = np.linalg.solve(information, slope).astype(np.float64)
        except np.linalg.LinAlgError:
            return None
        step *= min(1.0, _LONGEST / max(float(np.abs(step).max()), _SMALL))
        beta, moved = _halved(draws, centred, beta, step, value)
        value, slope, information, means = _sums(draws, centred, beta)
        if moved < _SMALL:
            break
    else:
        return None
    return _finished(draws, centred, beta, information, means)


def _finished(
    draws: _Draws, columns: Floats, beta: Floats, information: Floats, means: Floats
) -> CoxFit | None:
    try:
        covariance: Floats = np.linalg.inv(information).astype(np.float64)
    except np.linalg.LinAlgError:
        return None
    errors = np.diag(covariance)
    if not np.isfinite(errors).all() or errors.min() <= 0 or errors.max() >= _WIDEST**2:
        return None
    order = np.argsort(draws.events, kind="stable")
    ties = np.bincount(draws.day)[:, None]
    of_day = np.add.reduceat(means, draws.starts, axis=0) / ties
    residuals = (columns[draws.events] - of_day[draws.day])[order]
    return CoxFit(beta=beta, covariance=covariance, residuals=residuals)


def _halved(draws: _Draws, columns: Floats, beta: Floats, step: Floats, value: float) -> tuple[Floats, float]:
    """Return the coefficients after a step that does not lower the likelihood, and its length."""
    for _ in range(30):
        if _sums(draws, columns, beta + step)[0] >= value - 1e-10 * max(1.0, abs(value)):
            return beta + step, float(np.abs(step).max())
        step = step / 2
    return beta, 0.0


def _draws(episodes: Episodes) -> _Draws:
    leaving, entering = np.argsort(episodes.stop, kind="stable"), np.argsort(episodes.start, kind="stable")
    events = np.flatnonzero(episodes.event)
    events = events[np.argsort(episodes.stop[events], kind="stable")]
    days, first, ties = np.unique(episodes.stop[events], return_index=True, return_counts=True)
    place = np.repeat(np.arange(len(days)), ties)
    at = days[place]
    return _Draws(
        leaving=leaving,
        entering=entering,
        left=np.searchsorted(episodes.stop[leaving], at, side="left"),
        waiting=np.searchsorted(episodes.start[entering], at, side="left"),
        day=place,
        share=(np.arange(len(events)) - first[place]) / ties[place],
        events=events,
        starts=first,
    )


def _sums(draws: _Draws, columns: Floats, beta: Floats) -> tuple[float, Floats, Floats, Floats]:
    """Return log-likelihood, its slope, the information, and the mean of the terms at each event."""
    line = columns @ beta
    weight = np.exp(np.clip(line - line.max(), -700, 0))
    k = columns.shape[1]
    products = (columns[:, :, None] * columns[:, None, :]).reshape(len(columns), k * k)
    parts = weight[:, None] * np.column_stack([np.ones(len(columns)), columns, products])
    total = _tails(parts[draws.leaving])[draws.left] - _tails(parts[draws.entering])[draws.waiting]
    tied = np.add.reduceat(parts[draws.events], draws.starts, axis=0)[draws.day]
    sums = total - draws.share[:, None] * tied
    base = np.maximum(sums[:, 0], 1e-300)
    mean = sums[:, 1 : k + 1] / base[:, None]
    value = float((line[draws.events] - line.max() - np.log(base)).sum())
    slope = (columns[draws.events] - mean).sum(axis=0)
    spread = (sums[:, k + 1 :] / base[:, None]).reshape(-1, k, k) - mean[:, :, None] * mean[:, None, :]
    return value, slope, spread.sum(axis=0), mean


def _tails(rows: Floats) -> Floats:
    """Return the sum of each row and all after it, and a last row of zeros."""
    sums = np.zeros((len(rows) + 1, rows.shape[1]))
    sums[:-1] = np.cumsum(rows[::-1], axis=0)[::-1]
    return sums


def check_hazards(episodes: Episodes, fit: CoxFit, *, term: int) -> float:
    """Return the p of proportional hazards for one term.

    Scaled Schoenfeld residuals are set against the rank of the day of the event, as lifelines does by
    default; of tied days the mean rank.

    Parameters
    ----------
    episodes
        Time under observation, one row a patient.
    fit
        The fitted model.
    term
        Column of the term.
    """
    from scipy.special import chdtrc  # noqa: PLC0415  (the command line starts without SciPy)
    from scipy.stats import rankdata  # noqa: PLC0415

    time = rankdata(episodes.stop[episodes.event])
    time = time - time.mean()
    deaths = len(time)
    scaled = deaths * fit.residuals @ fit.covariance[:, term]
    spread = deaths * fit.covariance[term, term] * float(time @ time)
    return float(chdtrc(1, float(time @ scaled) ** 2 / spread)) if spread > 0 else 1.0
