"""Two groups compared: rank test with AUC and interval, and the exact test of a 2 × 2 table.

References
----------
DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837–845, doi:10.2307/2531595 (variance of
the AUC, right under ties). Newcombe RG. Stat Med 2006;25:559–573, doi:10.1002/sim.2324 (method 5,
where DeLong's variance is 0 or unknown).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from hccresist.outcomes.groups import LEVEL, Z

Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.int64]

FEW_PATIENTS: Final = 10
"""Patients that each class of a two-class outcome needs before a p is given."""

FEW_EVENTS_PER_TERM: Final = 10
"""Events (of the smaller class) that each term of a regression needs before a p is given."""

FEW_CARRIERS: Final = 5
"""Patients with, and without, an alteration that a regression needs before a p is given: our choice."""

TOO_FEW: Final = "too few to say"

_EXACT: Final = 50
"""Patients of the larger class up to which the rank test is exact, where there are no ties."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What one test found.

    Attributes
    ----------
    n
        Patients analysed.
    events
        Events, or patients of the smaller class.
    measure
        What `effect` is.
    effect, low, high
        Estimate and 95 % limits; ``None`` where they are not finite.
    p
        Two-sided p; ``None`` where it is withheld.
    notes
        What must be known before it is believed.
    """

    n: int
    events: int
    measure: str = ""
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    notes: tuple[str, ...] = ()

    def noting(self, *notes: str) -> Fit:
        """Return the same with further notes."""
        return replace(self, notes=(*self.notes, *(note for note in notes if note)))

    def withheld(self, why: str) -> Fit:
        """Return the same without p, and with the reason."""
        return replace(self, p=None).noting(f"{TOO_FEW} ({why})")


def auc_interval(positive: Floats, negative: Floats) -> tuple[float, float, float]:
    """Return the AUC with 95 % limits.

    The AUC is the share of pairs in which the positive has the higher value; a tie counts one half.
    Limits are those of DeLong's variance on the logit scale. Where that variance is 0 (complete
    separation) or unknown (one patient in a class), they are Newcombe's, method 5.

    Parameters
    ----------
    positive, negative
        Values of the two classes, at least one each; shape = (n_positive,) and (n_negative,).

    Examples
    --------
    >>> [round(x, 3) for x in auc_interval(np.array([3.0, 4.0, 5.0, 5.0]), np.array([1.0, 2.0, 3.0, 4.0]))]
    [0.875, 0.427, 0.985]
    """
    auc, variance = _delong(positive, negative)
    if not np.isfinite(variance) or variance <= 0 or auc in {0.0, 1.0}:
        return auc, *_newcombe(auc, len(positive), len(negative))
    logit, error = np.log(auc / (1 - auc)), np.sqrt(variance) / (auc * (1 - auc))
    low, high = (float(1 / (1 + np.exp(-(logit + side * Z * error)))) for side in (-1, 1))
    return auc, low, high


def _delong(positive: Floats, negative: Floats) -> tuple[float, float]:
    """Return the AUC and its variance from the placements of each patient among the other class."""
    from scipy.stats import rankdata  # noqa: PLC0415  (the command line starts without SciPy)

    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    over = (ranks[:m] - rankdata(positive)) / n
    under = 1 - (ranks[m:] - rankdata(negative)) / m
    auc = float(np.clip(over.mean(), 0.0, 1.0))
    if min(m, n) < 2:
        return auc, float("nan")
    return auc, float(over.var(ddof=1) / m + under.var(ddof=1) / n)


def _newcombe(auc: float, m: int, n: int) -> tuple[float, float]:
    """Return the limits at which (AUC − θ)² = z² × variance(θ), Newcombe's method 5."""
    if auc == 0:
        low, high = _newcombe(1.0, n, m)
        return 1 - high, 1 - low
    h = (m + n) / 2 - 1

    def spread(theta: float) -> float:
        return Z**2 * theta * (1 + h * ((1 - theta) / (2 - theta) + theta / (1 + theta))) / (m * n)

    if auc == 1:  # the equation divided by 1 − θ, of which θ = 1 is no answer
        return _root(lambda theta: 1 - theta - spread(theta), 0.0, 1.0), 1.0
    low, high = (
        _root(lambda theta: (auc - theta) ** 2 - (1 - theta) * spread(theta), *ends)
        for ends in ((0.0, auc), (auc, 1 - 1e-12))
    )
    return low, high


def _root(gap: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq  # noqa: PLC0415

    found: Any = brentq(gap, low, high, xtol=1e-10)
    return float(found)


def rank_test(values: Floats, positive: Bools) -> Fit:
    """Return the Mann–Whitney test of two classes, with the AUC as its effect.

    The p is exact up to 50 patients in the larger class where no two values are equal, else
    from the normal approximation with corrections for ties and continuity (SciPy).

    Parameters
    ----------
    values
        Value of each patient, none missing; shape = (n,).
    positive
        Class of each patient; shape = (n,).
    """
    from scipy.stats import mannwhitneyu  # noqa: PLC0415

    yes, no = values[positive], values[~positive]
    fit = Fit(n=len(values), events=min(len(yes), len(no)))
    if fit.events == 0:
        return fit.noting("not estimable: one class is empty")
    if np.ptp(values) == 0:
        return fit.noting("not estimable: the value is the same in every patient")
    auc, low, high = auc_interval(yes, no)
    exact = len(np.unique(values)) == len(values) and max(len(yes), len(no)) <= _EXACT
    p = mannwhitneyu(yes, no, method="exact" if exact else "asymptotic").pvalue
    fit = replace(fit, measure="AUC", effect=auc, low=low, high=high, p=float(min(p, 1.0)))
    return _judge_classes(fit, len(yes), len(no))


def exact_test(present: Bools, positive: Bools) -> Fit:
    """Return Fisher's exact test, with the conditional odds ratio and its exact limits (SciPy).

    Parameters
    ----------
    present
        Who has it; shape = (n,).
    positive
        Class of each patient; shape = (n,).
    """
    from scipy.stats import fisher_exact  # noqa: PLC0415
    from scipy.stats.contingency import odds_ratio  # noqa: PLC0415

    counts = [[int((present & of).sum()), int((~present & of).sum())] for of in (positive, ~positive)]
    sizes = [sum(row) for row in counts]
    fit = Fit(n=len(present), events=min(sizes))
    if fit.events == 0:
        return fit.noting("not estimable: one class is empty")
    if not present.any() or present.all():
        return fit.noting("not estimable: it is the same in every patient")
    ratio = odds_ratio(counts)
    limits = ratio.confidence_interval(LEVEL)
    found = {"effect": ratio.statistic, "low": limits.low, "high": limits.high}
    finite = {name: float(value) if np.isfinite(value) else None for name, value in found.items()}
    test: Any = fisher_exact(counts)
    p = float(min(test.pvalue, 1.0))
    fit = replace(fit, measure="odds ratio", **finite, p=p)
    endless = [] if finite["high"] is not None else ["no upper limit: a cell of the table is empty"]
    return _judge_classes(fit.noting(*endless), *sizes)


def _judge_classes(fit: Fit, yes: int, no: int) -> Fit:
    if min(yes, no) >= FEW_PATIENTS:
        return fit
    return fit.withheld(f"{yes} against {no} patients, {FEW_PATIENTS} in each class are needed")


def judge_terms(fit: Fit, terms: int, *, carriers: int | None = None) -> Fit:
    """Withhold p where a regression has too few events for its terms, or too few carriers.

    Parameters
    ----------
    fit
        What the regression found.
    terms
        Terms of the model without its intercept.
    carriers
        The smaller of the patients with and without a two-valued feature; ``None`` for others.
    """
    if fit.effect is None:
        return fit
    if fit.events < FEW_EVENTS_PER_TERM * terms:
        said = f"{fit.events} events for {terms} term{'s' if terms > 1 else ''}"
        return fit.withheld(f"{said}, {FEW_EVENTS_PER_TERM} for each are needed")
    if carriers is not None and carriers < FEW_CARRIERS:
        return fit.withheld(f"only {carriers} patients differ from the others")
    return fit
