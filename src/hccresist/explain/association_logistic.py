"""Logistic regression for a two-class outcome, also where the classes are separated.

Maximum likelihood has no finite answer where a combination of the terms separates the classes. That is
found out beforehand, by linear programming; Firth's penalised likelihood is then maximised instead.
SciPy has no logistic regression, and statsmodels would be one more dependency for this alone.

References
----------
Konis K. Linear programming algorithms for detecting separated data in binary logistic regression models.
Thesis, University of Oxford, 2007. Firth D. Biometrika 1993;80:27–38, doi:10.1093/biomet/80.1.27.
Heinze G, Schemper M. Stat Med 2002;21:2409–2419, doi:10.1002/sim.1047 (profile limits and test).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from hccresist.explain.association_tests import Bools, Floats
from hccresist.outcomes.groups import LEVEL, Z

PENALISED: Final = "the classes are separated: Firth's penalised likelihood"

_STEPS: Final = 100
_SMALL: Final = 1e-9
_WIDEST: Final = 60.0
"""Log odds beyond which a limit is called endless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One coefficient: log odds ratio, 95 % limits (``None``: endless) and two-sided p."""

    value: float
    low: float | None
    high: float | None
    p: float
    penalised: bool


def fit_logistic(design: Floats, positive: Bools, *, term: int) -> Term | None:
    """Return one coefficient of a logistic regression.

    Limits and p are Wald's; where the classes are separated, the estimate is Firth's, the limits are
    those of the profile of the penalised likelihood, and p is that of its ratio test.

    Parameters
    ----------
    design
        One column a term, without an intercept, which is added; shape = (n, n_terms).
    positive
        Class of each patient; shape = (n,).
    term
        Column whose coefficient is wanted.

    Returns
    -------
    Term | None
        ``None`` where the columns are collinear, so that the coefficient cannot be told.
    """
    full = np.column_stack([np.ones(len(design)), design])
    if np.linalg.matrix_rank(full) < full.shape[1]:
        return None
    outcome = positive.astype(float)
    if is_separated(full, positive):
        return _fit_penalised(full, outcome, term + 1)
    beta = _maximise(full, outcome, free=np.arange(full.shape[1]), start=np.zeros(full.shape[1]), firth=False)
    error = float(np.sqrt(np.linalg.inv(_information(full, beta))[term + 1, term + 1]))
    value = float(beta[term + 1])
    return Term(
        value=value,
        low=value - Z * error,
        high=value + Z * error,
        p=_two_sided((value / error) ** 2),
        penalised=False,
    )


def is_separated(design: Floats, positive: Bools) -> bool:
    """Tell whether some combination of the columns separates the classes, completely or quasi so.

    Parameters
    ----------
    design
        Columns, the intercept among them; shape = (n, n_columns).
    positive
        Class of each patient; shape = (n,).
    """
    from scipy.optimize import linprog  # noqa: PLC0415  (the command line starts without SciPy)

    scale = np.maximum(np.abs(design).max(axis=0), _SMALL)
    signed = np.where(positive, 1.0, -1.0)[:, None] * design / scale
    found = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1, 1))
    return bool(-found.fun > 1e-6)


def _two_sided(square: float) -> float:
    from scipy.special import chdtrc  # noqa: PLC0415

    return float(chdtrc(1, max(square, 0.0)))


def _chances(design: Floats, beta: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(design @ beta, -500, 500)))


def _information(design: Floats, beta: Floats) -> Floats:
    chance = _chances(design, beta)
    return (design * (chance * (1 - chance))[:, None]).T @ design


def _likelihood(design: Floats, outcome: Floats, beta: Floats, *, firth: bool) -> float:
    line = design @ beta
    value = float(outcome @ line - np.logaddexp(0, line).sum())
    if not firth:
        return value
    sign, size = np.linalg.slogdet(_information(design, beta))
    return value + 0.5 * float(size) if sign > 0 else -np.inf


def _slope(design: Floats, outcome: Floats, beta: Floats, *, firth: bool) -> Floats:
    chance = _chances(design, beta)
    rest = outcome - chance
    if firth:
        weight = chance * (1 - chance)
        inverse = np.linalg.pinv((design * weight[:, None]).T @ design)
        rest = rest + weight * np.einsum("ij,jk,ik->i", design, inverse, design) * (0.5 - chance)
    return design.T @ rest


def _maximise(design: Floats, outcome: Floats, *, free: np.ndarray, start: Floats, firth: bool) -> Floats:
    """Return the coefficients at the maximum over the free ones, by Newton's method with halved steps."""
    beta = start.copy()
    now = _likelihood(design, outcome, beta, firth=firth)
    for _ in range(_STEPS):
        slope = _slope(design, outcome, beta, firth=firth)[free]
        information = _information(design, beta)[np.ix_(free, free)]
        step = np.linalg.pinv(information) @ slope
        step *= min(1.0, 5.0 / max(float(np.abs(step).max(initial=0.0)), _SMALL))
        share = 1.0
        trial, then = _moved(beta, free, step), -np.inf
        while share > 1e-9:
            trial = _moved(beta, free, share * step)
            then = _likelihood(design, outcome, trial, firth=firth)
            if then >= now - 1e-12:
                break
            share /= 2
        beta, now = trial, max(now, then)
        if np.abs(step).max(initial=0.0) < _SMALL:
            break
    return beta


def _moved(beta: Floats, free: np.ndarray, step: Floats) -> Floats:
    trial = beta.copy()
    trial[free] += step
    return trial


def _fit_penalised(design: Floats, outcome: Floats, at: int) -> Term:
    """Return Firth's coefficient with limits and p from the profile of the penalised likelihood."""
    from scipy.special import chdtri  # noqa: PLC0415

    every = np.arange(design.shape[1])
    best = _maximise(design, outcome, free=every, start=np.zeros(len(every)), firth=True)
    top = _likelihood(design, outcome, best, firth=True)

    def lost(value: float) -> float:
        start = best.copy()
        start[at] = value
        held = _maximise(design, outcome, free=every[every != at], start=start, firth=True)
        return 2 * (top - _likelihood(design, outcome, held, firth=True))

    limit = float(chdtri(1, 1 - LEVEL))
    centre = float(best[at])
    low, high = (_profile_limit(lost, centre, side, limit) for side in (-1.0, 1.0))
    return Term(value=centre, low=low, high=high, p=_two_sided(lost(0.0)), penalised=True)


def _profile_limit(lost: Callable[[float], float], centre: float, side: float, limit: float) -> float | None:
    """Return where the profile has fallen to the limit, ``None`` where it never does."""
    from scipy.optimize import brentq  # noqa: PLC0415

    width = 1.0
    while lost(centre + side * width) < limit:
        width *= 2
        if width > _WIDEST:
            return None

    def over(value: float) -> float:
        return lost(value) - limit

    found: Any = brentq(over, centre, centre + side * width, xtol=1e-8)
    return float(found)
