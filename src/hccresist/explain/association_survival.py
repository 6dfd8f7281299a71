"""Cox regression of a feature: alone, with covariates, with an interaction, and over time.

The models are those of lifelines (Efron's ties, delayed entry). Proportional hazards are checked by
the scaled Schoenfeld residuals of the feature against the rank of time.

References
----------
Cox DR. J R Stat Soc B 1972;34:187–220. Efron B. J Am Stat Assoc 1977;72:557–565,
doi:10.1080/01621459.1977.10480613. Grambsch PM, Therneau TM. Biometrika 1994;81:515–526,
doi:10.1093/biomet/81.3.515 (proportional hazards).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from hccresist.explain.association_tests import Bools, Fit, Floats
from hccresist.outcomes.groups import Z

if TYPE_CHECKING:
    import pandas as pd

PH_LEVEL: Final = 0.05
"""Below this p of the check, a note says that the hazard ratio may change over time."""

_NEVER: Final = -1.0
"""Entry of those observed from day 0, so that an event on day 0 itself counts."""


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
        Check proportional hazards, and note where they are doubtful. It needs 10 events, and
        everybody observed from day 0: lifelines does not check under delayed entry.
    """
    import pandas as pd  # noqa: PLC0415  (the command line starts without pandas and lifelines)
    from lifelines import CoxPHFitter  # noqa: PLC0415

    fit = Fit(n=len(times.days), events=int(times.event.sum()))
    problem = _problem(times, terms[term], terms)
    if problem:
        return fit.noting(f"not estimable: {problem}")
    frame = pd.DataFrame({**terms, "__days": times.days, "__event": times.event})
    late = bool((times.entry > 0).any())
    columns = {"duration_col": "__days", "event_col": "__event"}
    if late:
        frame["__entry"] = np.where(times.entry > 0, times.entry, _NEVER)
        columns["entry_col"] = "__entry"
    model = CoxPHFitter()
    failed = _attempt(partial(model.fit, frame, **columns))
    if failed:
        return fit.noting(f"not estimable: {failed}")
    fit = _ratio(fit, model, term)
    if not check or fit.events < 10:
        return fit
    return fit.noting(_LATE if late else _check_hazards(model, frame, term))


_LATE: Final = "proportional hazards not checked: delayed entry"


def fit_over_time(times: Times, since: Floats, *, term: str = "exposed") -> Fit:
    """Return the hazard ratio of an exposure that begins during follow-up, by time-dependent Cox.

    A patient counts as unexposed until the day on which the exposure was known, and as exposed
    afterwards. An event on that very day counts as one of the unexposed.

    Parameters
    ----------
    times
        Observation of each patient.
    since
        Day from which the exposure was known, infinite for those never exposed; shape = (n,).
    term
        Name of the exposure in messages.
    """
    import pandas as pd  # noqa: PLC0415
    from lifelines import CoxTimeVaryingFitter  # noqa: PLC0415

    fit = Fit(n=len(times.days), events=int(times.event.sum()))
    rows = _episodes(times, since, term=term)
    for side, level in (("with", 1.0), ("without", 0.0)):
        if not rows["event"][rows[term] == level].any():
            return fit.noting(f"not estimable: no event in patients {side} it")
    columns = {"id_col": "id", "event_col": "event", "start_col": "start", "stop_col": "stop"}
    model = CoxTimeVaryingFitter()
    failed = _attempt(partial(model.fit, pd.DataFrame(rows), **columns))
    return fit.noting(f"not estimable: {failed}") if failed else _ratio(fit, model, term)


def _episodes(times: Times, since: Floats, *, term: str) -> dict[str, npt.NDArray[Any]]:
    """Return each patient's time before and after the exposure, as rows from start to stop."""
    start = np.where(times.entry > 0, times.entry, _NEVER)
    who = np.arange(len(start))
    before = since > start
    after = since < times.days
    stop = np.where(after, since, times.days)
    parts: dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]] = {
        "id": (who[before], who[after]),
        "start": (start[before], np.maximum(since, start)[after]),
        "stop": (stop[before], times.days[after]),
        "event": ((times.event & ~after)[before], times.event[after]),
        term: (np.zeros(int(before.sum())), np.ones(int(after.sum()))),
    }
    return {name: np.concatenate(pair) for name, pair in parts.items()}


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


def _attempt(work: Callable[[], object]) -> str:
    """Run a fit of lifelines; return what went wrong in a few words, empty where nothing did.

    Of the warnings only those of the Newton steps count: lifelines also warns, before it fits, of
    what might go wrong, for example where every exposed patient has the event.
    """
    from lifelines.exceptions import ConvergenceError  # noqa: PLC0415

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            work()
        except (ConvergenceError, np.linalg.LinAlgError):
            return _ENDLESS
    told = [str(item.message) for item in seen]
    return _ENDLESS if any(sign in text for text in told for sign in _FAILURES) else ""


_ENDLESS: Final = "the likelihood has no finite maximum"
_FAILURES: Final = ("failed to converge", "delta) is still high", "suspiciously close to 0")

_WIDEST: Final = 10.0
"""Standard error of a log hazard ratio beyond which the maximum is called endless."""


def _ratio(fit: Fit, model: Any, term: str) -> Fit:  # noqa: ANN401
    from scipy.special import chdtrc  # noqa: PLC0415

    value, error = float(model.params_[term]), float(model.standard_errors_[term])
    if not np.isfinite(value + error) or not 0 < error < _WIDEST:
        return fit.noting(f"not estimable: {_ENDLESS}")
    effect, low, high = (float(np.exp(value + side * Z * error)) for side in (0, -1, 1))
    p = float(chdtrc(1, (value / error) ** 2))
    return replace(fit, measure="hazard ratio", effect=effect, low=low, high=high, p=p)


def _check_hazards(model: Any, frame: pd.DataFrame, term: str) -> str:  # noqa: ANN401
    from lifelines.statistics import proportional_hazard_test  # noqa: PLC0415

    found = proportional_hazard_test(model, frame, time_transform="rank").summary
    p = float(found.loc[term, "p"])
    return f"hazards may not be proportional (p {p:.2g})" if p < PH_LEVEL else ""


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
    entry = np.where(times.entry > 0, times.entry, _NEVER)
    risk = (times.days[None, :] >= times.days[at, None]) & (entry[None, :] < times.days[at, None])
    weight = risk / risk.sum(axis=1, keepdims=True)
    mean, square = rows @ weight.T, rows**2 @ weight.T
    variance = (square - mean**2).sum(axis=1)
    gap = (rows[:, at] - mean).sum(axis=1)
    return np.where(variance > 1e-12, gap / np.sqrt(np.maximum(variance, 1e-12)), 0.0)


def dummies(groups: Sequence[str], *, reference: str) -> dict[str, Floats]:
    """Return one column of 0 and 1 for each group but the reference, in alphabetical order."""
    names = sorted(set(groups) - {reference})
    return {name: np.array([float(group == name) for group in groups]) for name in names}
