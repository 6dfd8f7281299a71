"""How far trials of the same drug differ beyond sampling: what no population without terms of trials gives.

`DISCREPANCY` stands for it in the fit; here it is measured on arms that had the same drug in the same line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.overcome.calibrate_data import DISCREPANCY, Target
from hccresist.overcome.calibrate_scores import name_later

Array = NDArray[np.float64]
Key = tuple[str, str, str, str, str]

LEAST_ARMS: Final = 4
"""Arms of one drug, line, endpoint and criterion of which a spread is told."""


def spread_between(values: Array, errors: Array) -> float:
    """Find the standard deviation of the truth of studies around their mean, by the method of moments.

    Parameters
    ----------
    values, errors
        What each study found, and its standard error; shape = (n_studies,).

    Returns
    -------
    float
        Zero where the studies differ no more than by sampling.

    References
    ----------
    DerSimonian R, Laird N. Meta-analysis in clinical trials. Control Clin Trials 1986;7:177-188.
    doi:10.1016/0197-2456(86)90046-2

    Examples
    --------
    >>> spread_between(np.array([1.0, 1.0, 1.0]), np.array([0.1, 0.2, 0.3]))
    0.0
    """
    weights = errors**-2.0
    mean = (weights * values).sum() / weights.sum()
    excess = (weights * (values - mean) ** 2).sum() - (len(values) - 1)
    return float(np.sqrt(max(0.0, excess / (weights.sum() - (weights**2).sum() / weights.sum()))))


def compare_arms(targets: Sequence[Target]) -> pl.DataFrame:
    """Compare arms that had the same drug in the same line.

    Returns
    -------
    DataFrame
        family, drugs, line, endpoint, criterion, arms, lowest, highest, unit, spread (on the scale of the
        fit), discrepancy (as assumed), width (median over arms of the interval of a prediction that knows
        the mean of all trials exactly, to that of the published number).
    """
    groups = dict[Key, list[Target]]()
    for target in targets:
        if not target.wanted[1] and np.isfinite(target.error):
            _, _, endpoint, criterion = target.wanted
            key = (target.family, target.drugs, name_later(target.line), endpoint, criterion or "")
            groups.setdefault(key, []).append(target)
    rows = [_compare(key, own) for key, own in sorted(groups.items()) if len(own) >= LEAST_ARMS]
    return pl.DataFrame(rows)


def _compare(key: Key, own: Sequence[Target]) -> dict[str, object]:
    family, drugs, line, endpoint, criterion = key
    errors = np.array([target.error for target in own])
    spread = spread_between(np.array([target.centre for target in own]), errors)
    return {
        "family": family,
        "drugs": drugs,
        "line": line,
        "endpoint": endpoint,
        "criterion": criterion,
        "arms": len(own),
        "lowest": min(target.value for target in own),
        "highest": max(target.value for target in own),
        "unit": own[0].unit,
        "spread": spread,
        "discrepancy": DISCREPANCY[family],
        "width": float(np.median(np.sqrt(1 + (spread / errors) ** 2))),
    }
