"""Endpoints of a virtual trial, named and coded as those of published ones.

Of one replicate from the tables of *outcomes*; then over replicates, with prediction intervals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from hccresist.outcomes.endpoints import derive_events
from hccresist.outcomes.published import name_kind
from hccresist.outcomes.rates import compute_rates
from hccresist.outcomes.survival import MONTH, summarise_survival
from hccresist.overcome.trial_spec import CRITERIA, Spec
from hccresist.study.study import Study

OS_MONTHS: Final = (6, 9, 12, 18, 24, 36, 48, 60)
PFS_MONTHS: Final = (6, 12, 18, 24, 36)
RESPONSE: Final[Mapping[str, tuple[str, ...]]] = {
    "CR": ("CR",),
    "PR": ("PR",),
    "SD": ("SD", "NON-CR/NON-PD"),
    "PD": ("PD",),
}
"""Best responses that are counted one by one, and the words of *assess* for them."""
MEDIANS: Final = {"mOS": "OS", "mPFS": "PFS", "mTTP": "TTP", "mDoR": "DOR"}
RATIOS: Final = {"HR_OS": "OS", "HR_PFS": "PFS", "HR_TTP": "TTP"}
ENDPOINTS: Final = (
    *("ORR", "DCR", *RESPONSE, *MEDIANS, *RATIOS),
    *(f"OS_{months}mo" for months in OS_MONTHS),
    *(f"PFS_{months}mo" for months in PFS_MONTHS),
)
"""Names of endpoints, as in ``endpoints_long.csv``."""
UNITS: Final = {"m": "months", "H": "ratio", "p": "ratio"}
COLUMNS: Final = ("arm_id", "comparator_arm", "endpoint", "criterion", "value", "not_reached", "n")
LEVEL: Final = 0.90
"""Level of prediction intervals."""
NOT_REACHED: Final = "NR"
NOT_ESTIMABLE: Final = "NE"
_SCHEMA: Final = {
    "arm_id": pl.String,
    "comparator_arm": pl.String,
    "endpoint": pl.String,
    "criterion": pl.String,
    "value": pl.Float64,
    "not_reached": pl.Boolean,
    "n": pl.Int64,
}
_KEY: Final = ("arm_id", "comparator_arm", "endpoint", "criterion")
Row = dict[str, Any]


def name_unit(endpoint: str) -> str:
    """Return the unit of an endpoint: percent, months or ratio.

    Examples
    --------
    >>> [name_unit(name) for name in ("ORR", "mOS", "HR_PFS", "OS_12mo")]
    ['percent', 'months', 'ratio', 'percent']
    """
    return UNITS.get(endpoint[0], "percent")


def name_event(endpoint: str) -> str:
    """Return what *outcomes* calls the event of a median, hazard ratio or landmark.

    Examples
    --------
    >>> [name_event(name) for name in ("mDoR", "HR_PFS", "OS_12mo")]
    ['DOR', 'PFS', 'OS']
    """
    return name_kind(endpoint).upper()


def find_landmark(endpoint: str) -> float:
    """Return the day of a landmark.

    Examples
    --------
    >>> find_landmark("PFS_6mo") == 6 * MONTH
    True
    """
    return float(endpoint.rpartition("_")[2].removesuffix("mo")) * MONTH


def find_endpoints(study: Study, tables: Mapping[str, pl.DataFrame], spec: Spec) -> pl.DataFrame:
    """Find all endpoints of one replicate, with *outcomes*.

    Parameters
    ----------
    study
        The virtual study.
    tables
        Tables of *assess*: timepoints, best_response, baselines.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`; ``p_OS`` and the like are p-values of the log-rank test. A median that was not
        reached has no value and ``not_reached``; what cannot be estimated has no value.
    """
    best, timepoints = tables["best_response"], tables["timepoints"]
    events = derive_events(study, timepoints=timepoints, best_response=best, confirmed=spec.confirmed)
    rates = compute_rates(study, best_response=best, baselines=tables["baselines"], timepoints=timepoints)
    last = spec.follow_up.longest
    months = sorted({m for m in (*OS_MONTHS, *PFS_MONTHS) if m * MONTH <= last})
    summary = summarise_survival(
        study,
        events.filter(pl.col("endpoint").is_in(["OS", "PFS", "TTP", "DOR"])),
        reference_arm=spec.control,
        landmarks=[m * MONTH for m in months],
    )
    rows = [*_rates(rates, spec), *_responses(study, best, spec), *_survival(summary, spec)]
    table = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    return table.sort(_KEY, nulls_last=False)


def _rates(rates: pl.DataFrame, spec: Spec) -> Iterator[Row]:
    arms = {arm.arm_id for arm in spec.arms}
    wanted = rates.filter(pl.col("confirmed") == spec.confirmed)
    for row in wanted.iter_rows(named=True):
        if row["group"] in arms and row["measure"] in {"ORR", "DCR"}:
            yield _row(row["group"], row["measure"], row["criterion"], value=row["percent"], n=row["n"])


def _responses(study: Study, best: pl.DataFrame, spec: Spec) -> Iterator[Row]:
    """Shares of patients by best response; everybody counts."""
    column = "best_confirmed" if spec.confirmed else "best"
    counted = best.join(study.patients.select("patient_id", "arm"), on="patient_id", how="left")
    counts = {
        (arm, criterion, word): size
        for arm, criterion, word, size in counted.group_by("arm", "criterion", column).len().iter_rows()
    }
    sizes = dict(study.patients.group_by("arm").len().iter_rows())
    for arm, n in sizes.items():
        for criterion in spec.criteria:
            for name, words in RESPONSE.items():
                found = sum(counts.get((arm, criterion, word), 0) for word in words)
                yield _row(arm, name, criterion, value=100.0 * found / n, n=n)


def _survival(summary: pl.DataFrame, spec: Spec) -> Iterator[Row]:
    arms = {arm.arm_id for arm in spec.arms}
    by_endpoint = {kind: name for name, kind in MEDIANS.items()}
    for row in summary.iter_rows(named=True):
        kind, criterion, statistic = row["endpoint"], row["criterion"], row["statistic"]
        if row["group"] in arms:
            if statistic == "median":
                reached = row["value"] is not None
                open_end = not reached and (row["note"] or "").startswith("not reached")
                value = row["value"] / MONTH if reached else None
                yield _row(
                    row["group"], by_endpoint[kind], criterion, value=value, n=row["n"], open_end=open_end
                )
            elif statistic == "rate" and kind in {"OS", "PFS"}:
                name = f"{kind}_{round(row['at_days'] / MONTH)}mo"
                if name in ENDPOINTS:
                    yield _row(row["group"], name, criterion, value=row["value"], n=row["n"])
        elif spec.control and statistic in {"hazard_ratio", "logrank_p"} and kind in RATIOS.values():
            arm, _, other = row["group"].partition(" vs ")
            if arm in arms and other in arms:
                name = f"{'HR' if statistic == 'hazard_ratio' else 'p'}_{kind}"
                yield {**_row(arm, name, criterion, value=row["value"], n=row["n"]), "comparator_arm": other}


def _row(
    arm: str, endpoint: str, criterion: str, *, value: float | None, n: int, open_end: bool = False
) -> Row:
    return {
        "arm_id": arm,
        "comparator_arm": None,
        "endpoint": endpoint,
        "criterion": CRITERIA.get(criterion),
        "value": value,
        "not_reached": open_end,
        "n": n,
    }


def predict(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, and the limits between which the next value falls with a chance of `LEVEL` or more.

    The limits are order statistics: the k-th smallest and the k-th largest of R values hold the next one
    with the chance (R + 1 - 2k) / (R + 1), whatever the distribution. Fewer than 19 values cannot give 90 %;
    then they are the smallest and the largest. Infinite values (not reached) are as good as others.

    Examples
    --------
    >>> predict([float(k) for k in range(1, 200)])
    (100.0, 10.0, 190.0)
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    size = len(ordered)
    k = max(int((1.0 - LEVEL) / 2.0 * (size + 1) + 1e-9), 1)
    upper, lower = float(ordered[size // 2]), float(ordered[(size - 1) // 2])
    middle = lower if lower == upper else (lower + upper) / 2.0
    return middle, float(ordered[k - 1]), float(ordered[size - k])


def summarise_replicates(replicates: pl.DataFrame, spec: Spec) -> pl.DataFrame:
    """Make the table ``trial_endpoints``: the median over replicates, with 90 % prediction intervals.

    Parameters
    ----------
    replicates
        Tables of `find_endpoints`, one under the other, with column ``replicate``.

    Returns
    -------
    DataFrame
        Columns trial, arm_id, arm, comparator_arm, endpoint, criterion, assessor, value, low, high, unit, n.
        Values are text: numbers, ``NR`` where a median is not reached, ``NE`` where half of the replicates
        or more give no estimate.
    """
    names = {arm.arm_id: arm.name for arm in spec.arms}
    wanted = spec.endpoints or ENDPOINTS
    total = replicates["replicate"].n_unique()
    kept = replicates.filter(pl.col("endpoint").is_in(list(wanted))).with_columns(
        pl.when("not_reached").then(float("inf")).otherwise("value").alias("value")
    )
    rows = list[Row]()
    for key, group in kept.group_by(_KEY, maintain_order=True):
        arm, comparator, endpoint, criterion = (None if part is None else str(part) for part in key)
        found = group["value"].drop_nulls().to_list()
        shown = [NOT_ESTIMABLE] * 3 if 2 * len(found) <= total else [_show(v) for v in predict(found)]
        rows.append(
            {
                "trial": spec.name,
                "arm_id": arm,
                "arm": names[arm or ""],
                "comparator_arm": comparator,
                "endpoint": endpoint,
                "criterion": criterion,
                "assessor": spec.assessor if criterion else None,
                **dict(zip(("value", "low", "high"), shown, strict=True)),
                "unit": name_unit(endpoint or ""),
                "n": int(np.median(group["n"].to_numpy())),
            }
        )
    order = {name: k for k, name in enumerate(ENDPOINTS)}
    rows.sort(
        key=lambda r: (r["arm_id"], order[r["endpoint"]], r["criterion"] or "", r["comparator_arm"] or "")
    )
    return pl.DataFrame(rows, schema={name: pl.Int64 if name == "n" else pl.String for name in TABLE})


TABLE: Final = (
    *("trial", "arm_id", "arm", "comparator_arm", "endpoint", "criterion", "assessor"),
    *("value", "low", "high", "unit", "n"),
)
"""Columns of ``trial_endpoints``."""


def _show(value: float) -> str:
    return NOT_REACHED if np.isinf(value) else f"{value:.4g}"
