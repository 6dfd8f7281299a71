"""How well predictions hold published numbers: intervals, their score, and the naive baseline.

All on the scale of the fit (logits, logarithms). A prediction of a trial's number is the spread of the
ensemble, the sampling of so many patients as the trial had, and `DISCREPANCY`: what one population without
terms of trials cannot give.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.overcome.calibrate import sampling_of
from hccresist.overcome.calibrate_data import DISCREPANCY, HALF_WIDTH, Target

Array = NDArray[np.float64]

LEVEL: Final = 0.90
CLASSES: Final = {
    "sorafenib": "TKI",
    "lenvatinib": "TKI",
    "regorafenib": "TKI",
    "cabozantinib": "TKI",
    "donafenib": "TKI",
    "apatinib": "TKI",
    "rivoceranib": "TKI",
    "nivolumab": "PD-1/PD-L1",
    "pembrolizumab": "PD-1/PD-L1",
    "camrelizumab": "PD-1/PD-L1",
    "sintilimab": "PD-1/PD-L1",
    "tislelizumab": "PD-1/PD-L1",
    "atezolizumab": "PD-1/PD-L1",
    "durvalumab": "PD-1/PD-L1",
    "ipilimumab": "CTLA-4",
    "tremelimumab": "CTLA-4",
    "bevacizumab": "VEGF antibody",
    "bevacizumab biosimilar": "VEGF antibody",
    "ramucirumab": "VEGF antibody",
    "TACE": "TACE",
    "placebo": "placebo",
}
"""Class of each drug of a trial's arm."""


def name_class(drugs: str) -> str:
    """Name the class of an arm by those of its drugs.

    Examples
    --------
    >>> name_class("atezolizumab+bevacizumab"), name_class("placebo")
    ('PD-1/PD-L1 + VEGF antibody', 'placebo')
    """
    parts = {CLASSES[part.strip()] for part in drugs.replace("|", "+").split("+")}
    if len(parts) > 1:
        parts.discard("placebo")
    return " + ".join(sorted(parts))


def name_later(line: str) -> str:
    """Say whether a line is the first, a later one, or one of patients for chemoembolisation."""
    return "first" if line.startswith("1L") else "later" if line.startswith("2L") else "embolisation"


def predict_targets(
    targets: Sequence[Target],
    centre: Array,
    members: Array,
    *,
    weights: Array | None = None,
    discrepancy: bool = True,
    seed: int = 0,
) -> Array:
    """Predict published numbers.

    Parameters
    ----------
    centre
        Best estimate of what the population gives on average; shape = (targets,).
    members
        What each parameter set gives, on common patients; shape = (members, targets). Only its deviations
        from their mean are used.
    weights
        Weights of the parameter sets; equal where not given.
    discrepancy
        Whether what the population cannot give is part of the prediction.

    Returns
    -------
    ndarray
        Median and 90 % limits on the scale of the fit; shape = (3, targets).
    """
    rng = np.random.default_rng(seed)
    count, size = 4000, len(members)
    share = np.full(size, 1.0 / size) if weights is None else weights / weights.sum()
    chosen = rng.choice(size, size=count, p=share)
    away = members - np.nanmean(members, axis=0)
    away = np.where(np.isfinite(away), away, 0.0)
    sampling = np.array([sampling_of((target,), max(target.n, 1))[0] for target in targets])
    extra = np.array([DISCREPANCY[target.family] if discrepancy else 0.0 for target in targets])
    noise = rng.standard_normal((count, len(targets))) * np.sqrt(sampling**2 + extra**2)
    draws = centre + away[chosen] + noise
    return np.quantile(draws, [0.5, (1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)


def predict_by_class(targets: Sequence[Target], *, leave: str = "arm") -> Array:
    """Predict each number as the mean of the other arms of its class and line: the naive baseline.

    Parameters
    ----------
    leave
        ``arm`` or ``programme``: whose numbers are left out.

    Returns
    -------
    ndarray
        Median and 90 % limits on the scale of the fit; shape = (3, targets).
    """
    found = np.full((3, len(targets)), np.nan)
    values = np.array([target.centre for target in targets])
    for j, target in enumerate(targets):
        others = _others(targets, target, leave)
        mean = values[others].mean()
        sampling = sampling_of((target,), max(target.n, 1))[0]
        spread = np.sqrt(values[others].var(ddof=1) * (1 + 1 / len(others)) + sampling**2)
        found[:, j] = mean + HALF_WIDTH * spread * np.array([0.0, -1.0, 1.0])
    return found


def _others(targets: Sequence[Target], target: Target, leave: str) -> list[int]:
    """Numbers of other arms: of the same class and line, else of the class, else all of the family."""

    def same(other: Target) -> bool:
        own = (
            other.programme == target.programme
            if leave == "programme"
            else other.wanted[0] == target.wanted[0]
        )
        kind = other.unit == target.unit and other.family == target.family
        return kind and not own

    kept = [j for j, other in enumerate(targets) if same(other)]
    wanted = (name_class(target.drugs), name_later(target.line))
    both = [j for j in kept if (name_class(targets[j].drugs), name_later(targets[j].line)) == wanted]
    one = [j for j in kept if name_class(targets[j].drugs) == wanted[0]]
    return next(group for group in (both, one, kept, list(range(len(targets)))) if len(group) >= 2)


def interval_score(observed: Array, low: Array, high: Array) -> Array:
    """Score intervals: their width, and a penalty for what lies outside.

    Gneiting T, Raftery AE. Strictly proper scoring rules, prediction, and estimation. J Am Stat Assoc
    2007;102:359. doi:10.1198/016214506000001437

    Examples
    --------
    >>> interval_score(np.array([0.0]), np.array([-1.0]), np.array([1.0])).tolist()
    [2.0]
    """
    alpha = 1.0 - LEVEL
    below, above = np.maximum(low - observed, 0.0), np.maximum(observed - high, 0.0)
    return (high - low) + 2.0 / alpha * (below + above)


def make_fit_table(targets: Sequence[Target], found: Array, naive: Array) -> pl.DataFrame:
    """Make the table of all targets: published and simulated with 90 % intervals.

    Parameters
    ----------
    found, naive
        Median and limits of the prediction and of the class average, on the scale of the fit.

    Returns
    -------
    DataFrame
        Columns key, trial, arm_id, comparator_arm, endpoint, criterion, family, programme, drug_class, line,
        n, unit, observed, observed_low, observed_high, simulated, simulated_low, simulated_high, inside,
        width_ratio (simulated to published interval on the scale of the fit), score, naive_score.
    """
    observed = np.array([target.centre for target in targets])
    scores = interval_score(observed, found[1], found[2])
    naive_scores = interval_score(observed, naive[1], naive[2])
    rows = list[dict[str, object]]()
    for j, target in enumerate(targets):
        arm, other, endpoint, criterion = target.wanted
        value, low, high = (from_scale(target, float(part)) for part in found[:, j])
        rows.append(
            {
                "key": target.key,
                "trial": target.trial,
                "arm_id": arm,
                "comparator_arm": other,
                "endpoint": endpoint,
                "criterion": criterion,
                "family": target.family,
                "programme": target.programme,
                "drug_class": name_class(target.drugs),
                "line": name_later(target.line),
                "n": target.n,
                "unit": target.unit,
                "observed": target.value,
                "observed_low": target.low,
                "observed_high": target.high,
                "simulated": value,
                "simulated_low": low,
                "simulated_high": high,
                "inside": bool(found[1, j] <= observed[j] <= found[2, j]),
                "width_ratio": float((found[2, j] - found[1, j]) / (2 * HALF_WIDTH * target.error)),
                "score": float(scores[j]),
                "naive_score": float(naive_scores[j]),
            }
        )
    table = pl.DataFrame(rows, infer_schema_length=None)
    return table.with_columns(pl.col("comparator_arm", "criterion").cast(pl.String))


def from_scale(target: Target, value: float) -> float:
    """Bring a value back from the scale of the fit: percent, months or ratio."""
    if target.unit != "percent":
        return float(np.exp(value))
    share = 1.0 / (1.0 + np.exp(-value))
    return float(np.clip(100.0 * (share * (target.n + 1.0) - 0.5) / target.n, 0.0, 100.0))


def summarise_fit(table: pl.DataFrame, by: str) -> pl.DataFrame:
    """Summarise a table of `make_fit_table` by a column; each arm weighs one.

    Returns
    -------
    DataFrame
        The column, targets, arms, coverage, width_ratio (median), score and naive_score (means).
    """
    arms = table.group_by(by, "arm_id").agg(
        pl.len().alias("targets"),
        pl.col("inside").mean(),
        pl.col("width_ratio").median(),
        pl.col("score").mean(),
        pl.col("naive_score").mean(),
    )
    return (
        arms.group_by(by)
        .agg(
            pl.col("targets").sum(),
            pl.len().alias("arms"),
            pl.col("inside").mean().alias("coverage"),
            pl.col("width_ratio").median(),
            pl.col("score").mean(),
            pl.col("naive_score").mean(),
        )
        .sort(by)
    )
