"""Cox regression of a feature: alone, with covariates, with an interaction, and over time.

Efron's ties and delayed entry (`association_cox`). Proportional hazards are checked by the scaled
Schoenfeld residuals of the feature against the rank of time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from hccresist.explain.association_cox import CoxFit, Episodes, check_hazards, fit_model
from hccresist.explain.association_tests import Bools, Fit, Floats
from hccresist.outcomes.groups import Z

PH_LEVEL: Final = 0.05
"""Below this p of the check, a note says that the hazard ratio may change over time."""

_CHECKED: Final = 10
"""Events from which on proportional hazards are checked."""

_ENDLESS: Final = "the likelihood has no finite maximum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When each patient comes under observation, when it ends, and how; shape = (n,).

    Attributes
    ----------
    entry
        Day from which the patient is observed, 0 for the start.
    days
        Day of the event or of censoring.
    event
        The event happened.
    """

    entry: Floats
    days: Floats
    event: Bools

    def select(self, rows: Bools) -> Times:
        """Return the chosen patients."""
        return Times(entry=self.entry[rows], days=self.days[rows], event=self.event[rows])

    @property
    def observed(self) -> Bools:
        """Who is observed at all: whose time ends after the entry, or who is there from the start."""
        return (self.days > self.entry) | (self.entry <= 0)


def fit_cox(times: Times, terms: Mapping[str, Floats], *, term: str, check: bool = True) -> Fit:
    """Return the hazard ratio of one term of a Cox model, with Wald limits and p.

    Parameters
    ----------
    times
        Observation of each patient; those who are not observed at all must be left out beforehand.
    terms
        Name to value of each patient, none missing.
    term
        The term whose hazard ratio is wanted.
    check
        Check proportional hazards where there are 10 events, and note where they are doubtful.
    """
    fit = Fit(n=len(times.days), events=int(times.event.sum()))
    problem = _problem(times, terms[term], terms)
    if problem:
        return fit.noting(f"not estimable: {problem}")
    episodes = Episodes(start=_start(times), stop=times.days, event=times.event)
    model = fit_model(episodes, np.column_stack(list(terms.values())))
    if model is None:
        return fit.noting(f"not estimable: {_ENDLESS}")
    at = list(terms).index(term)
    fit = _ratio(fit, model, at)
    if not check or fit.events < _CHECKED:
        return fit
    p = check_hazards(episodes, model, term=at)
    return fit.noting(f"hazards may not be proportional (p {p:.2g})" if p < PH_LEVEL else "")


def _start(times: Times) -> Floats:
    """Return when each patient is at risk from; who is there from day 0 is at risk on day 0 itself."""
    return np.where(times.entry > 0, times.entry, -np.inf)


def fit_over_time(times: Times, since: Floats) -> Fit:
    """Return the hazard ratio of an exposure that begins during follow-up, by time-dependent Cox.

    A patient counts as unexposed until the day on which the exposure was known, and as exposed
    afterwards. An event on that very day counts as one of the unexposed.

    Parameters
    ----------
    times
        Observation of each patient.
    since
        Day from which the exposure was known, infinite for those never exposed; shape = (n,).
    """
    fit = Fit(n=len(times.days), events=int(times.event.sum()))
    episodes, exposed = _split(times, since)
    for side, level in (("with", 1.0), ("without", 0.0)):
        if not episodes.event[exposed == level].any():
            return fit.noting(f"not estimable: no event in patients {side} it")
    model = fit_model(episodes, exposed[:, None])
    return fit.noting(f"not estimable: {_ENDLESS}") if model is None else _ratio(fit, model, 0)


def _split(times: Times, since: Floats) -> tuple[Episodes, Floats]:
    """Return each patient's time before and after the exposure, and whether a row is exposed."""
    start = _start(times)
    before, after = since > start, since < times.days
    stop = np.where(after, since, times.days)
    episodes = Episodes(
        start=np.concatenate([start[before], np.maximum(since, start)[after]]),
        stop=np.concatenate([stop[before], times.days[after]]),
        event=np.concatenate([(times.event & ~after)[before], times.event[after]]),
    )
    return episodes, np.repeat([0.0, 1.0], [int(before.sum()), int(after.sum())])


def _problem(times: Times, feature: Floats, terms: Mapping[str, Floats]) -> str:
    """Say why no finite hazard ratio exists, if that can be seen beforehand."""
    if not times.event.any():
        return "no event"
    if np.ptp(feature) == 0:
        return "the value is the same in every patient"
    levels = np.unique(feature)
    if len(levels) == 2 and len(terms) == 1:
        empty = [level for level in levels if not times.event[feature == level].any()]
        if empty:
            return f"no event in patients {'with' if empty[0] == levels[1] else 'without'} it"
    design = np.column_stack([np.ones(len(feature)), *terms.values()])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return "the terms of the model are collinear"
    return ""


def _ratio(fit: Fit, model: CoxFit, at: int) -> Fit:
    from scipy.special import chdtrc  # noqa: PLC0415  (the command line starts without SciPy)

    value, error = float(model.beta[at]), float(np.sqrt(model.covariance[at, at]))
    effect, low, high = (float(np.exp(value + side * Z * error)) for side in (0, -1, 1))
    p = float(chdtrc(1, (value / error) ** 2))
    return replace(fit, measure="hazard ratio", effect=effect, low=low, high=high, p=p)


def score_statistics(times: Times, rows: Floats) -> Floats:
    """Return the standardised score statistic of Cox's model at no effect, one a row of values.

    It is the log-rank statistic for a value of any kind: the sum over events of the value less its
    mean among those at risk, over the square root of the summed variances. Many rows cost little
    more than one, so that random gene sets can be compared with the set itself.

    Parameters
    ----------
    times
        Observation of each patient.
    rows
        Values, none missing; shape = (n_rows, n).

    Returns
    -------
    NDArray
        Shape = (n_rows,); 0 where the value never varies among those at risk.
    """
    at = np.flatnonzero(times.event)
    entry = _start(times)
    risk = (times.days[None, :] >= times.days[at, None]) & (entry[None, :] < times.days[at, None])
    weight = risk / risk.sum(axis=1, keepdims=True)
    mean, square = rows @ weight.T, rows**2 @ weight.T
    variance = (square - mean**2).sum(axis=1)
    gap = (rows[:, at] - mean).sum(axis=1)
    return np.where(variance > 1e-12, gap / np.sqrt(np.maximum(variance, 1e-12)), 0.0)
