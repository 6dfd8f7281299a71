"""Limits of published numbers: those printed, or made anew from what was printed, and at 90 %.

What a publication leaves out is made from the number of patients, and said to be so:

1. ``binomial``: a share of ``n`` patients; exact (Clopper–Pearson). A survival rate at a landmark is
   treated so too: without censoring before it, the Kaplan–Meier estimate is that share.
2. ``n``: a median. At the median of a Kaplan–Meier curve without earlier censoring the variance of the
   survival function is ``0.25/n``; divided by the squared density of an exponential with that median
   (``0.5·ln 2/median``) the standard error of the logarithm of the median is ``1/(ln 2·√n)``.
3. ``events``: a hazard ratio from events ``e₁`` and ``e₂``: the logarithm has standard error
   ``√(1/e₁ + 1/e₂)``. Where only the arms are printed, half of each had the event (a median was reached).

Percentages are moved on the logit scale, times and ratios on the logarithm.

References
----------
Clopper CJ, Pearson ES. Biometrika 1934;26:404–413, doi:10.1093/biomet/26.4.404.
Brookmeyer R, Crowley J. Biometrics 1982;38:29–41, doi:10.2307/2530286.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, log, sqrt
from statistics import NormalDist
from typing import Final

import polars as pl

LIMITS: Final = ("published", "binomial", "events", "n")
"""Where limits come from."""

PRINTED_LEVEL: Final = 95.0
"""Level of limits that say none, and of limits made anew."""

SHOWN_LEVEL: Final = 90.0
"""Level at which observed and simulated limits stand side by side."""

Pair = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its limits.

    Attributes
    ----------
    low, high
        Limits at `level`; none where open or unknown.
    level
        Level in percent; none without limits.
    method
        One of `LIMITS`; none without limits.
    low90, high90
        The same at 90 %.
    spread
        Standard error on the logit (percent) or logarithmic scale; none where it cannot be said.
    """

    low: float | None = None
    high: float | None = None
    level: float | None = None
    method: str | None = None
    low90: float | None = None
    high90: float | None = None
    spread: float | None = None


def exact_limits(events: float, n: float, *, level: float = PRINTED_LEVEL) -> tuple[float, float]:
    """Return the exact (Clopper–Pearson) limits of a share.

    Parameters
    ----------
    events, n
        Patients with the outcome, and patients counted; n above 0.
    level
        Level in percent.

    Returns
    -------
    tuple of float
        Lower and upper limit, percent.

    Examples
    --------
    >>> [round(limit, 2) for limit in exact_limits(1, 29)]  # Newcombe 1998, Stat Med 17:857–872, table I
    [0.09, 17.76]
    """
    from scipy.special import betaincinv  # noqa: PLC0415  (the command line starts without SciPy)

    tail = (1 - level / 100) / 2
    low = 0.0 if events <= 0 else float(betaincinv(events, n - events + 1, tail))
    high = 1.0 if events >= n else float(betaincinv(events + 1, n - events, 1 - tail))
    return 100 * low, 100 * high


def normal_limits(value: float, spread: float, *, level: float = PRINTED_LEVEL) -> tuple[float, float]:
    """Return the limits of a time or ratio from the standard error of its logarithm.

    Examples
    --------
    >>> [round(limit, 2) for limit in normal_limits(1, log(2) / 1.959964)]
    [0.5, 2.0]
    """
    reach = exp(_quantile(level) * spread)
    return value / reach, value * reach


def median_spread(n: float) -> float:
    """Return the standard error of the logarithm of a median from the number of patients (rule 2)."""
    return 1 / (log(2) * sqrt(n))


def ratio_spread(events: float, others: float) -> float:
    """Return the standard error of the logarithm of a hazard ratio from the events of both arms (rule 3)."""
    return sqrt(1 / events + 1 / others)


def keep_printed(value: float | None, printed: Pair, *, unit: str, level: float | None) -> Interval:
    """Return printed limits, with their standard error and moved to 90 %.

    One limit alone is enough for the standard error. Limits of 0 or 100 % have none on the logit scale;
    the share is then moved to 90 % only as far as the other side allows.

    Parameters
    ----------
    value
        The number; none where a median was not reached.
    printed
        Lower and upper limit; none where open.
    unit
        ``percent``, ``months`` or ``ratio``.
    level
        Level in percent; 95 where none is printed.
    """
    at = PRINTED_LEVEL if level is None else level
    low, high = printed
    forth, back = _scales(unit)
    if value is None or not _is_inside(value, unit):
        return Interval(low, high, at, "published")
    middle, quantile = forth(value), _quantile(at)
    reaches = [
        abs(forth(limit) - middle) for limit in printed if limit is not None and _is_inside(limit, unit)
    ]
    shrink = _quantile(SHOWN_LEVEL) / quantile
    moved = [
        back(middle + shrink * (forth(limit) - middle))
        if limit is not None and _is_inside(limit, unit)
        else limit
        for limit in printed
    ]
    spread = sum(reaches) / len(reaches) / quantile if reaches else None
    return Interval(low, high, at, "published", moved[0], moved[1], spread)


def rebuild(value: float | None, *, unit: str, n: float | None, others: float | None = None) -> Interval:
    """Return the limits of a number that was printed without them; an empty interval where none can be made.

    Parameters
    ----------
    value
        The number; none where a median was not reached.
    unit
        ``percent`` (rule 1), ``months`` (rule 2) or ``ratio`` (rule 3, half of each arm had the event).
    n
        Patients behind the number; of a ratio those of its own arm.
    others
        Patients of the arm that a ratio is held against.
    """
    if value is None or not n:
        return Interval()
    if unit == "percent":
        return _rebuild_share(value, n)
    if unit == "months":
        return _rebuild_normal(value, median_spread(n), "n")
    return _rebuild_normal(value, ratio_spread(n / 2, others / 2), "events") if others else Interval()


def measure_widths(endpoints: pl.DataFrame, arms: pl.DataFrame) -> pl.DataFrame:
    """Hold limits made by the rules against printed ones, on every verified row that prints 95 % limits.

    Parameters
    ----------
    endpoints, arms
        Published trials as `published.read_trials` gives them.

    Returns
    -------
    pl.DataFrame
        Columns `kind` (share, landmark, or the endpoint) and `ratio`, the width of the made limits over
        that of the printed ones: percentage points for shares, logarithms for times and ratios. Median
        durations of response are left out.
    """
    sizes = dict(arms.select("arm_id", "n").iter_rows())
    rows = endpoints.filter(
        "verified", pl.col("low").is_not_null(), pl.col("high").is_not_null(), ci_level=95.0
    )
    found: list[dict[str, object]] = []
    for row in rows.filter(pl.col("endpoint") != "mDoR").iter_rows(named=True):
        made = rebuild(row["value"], unit=row["unit"], n=row["n"], others=sizes.get(row["comparator_arm"]))
        if made.low is not None and made.high is not None:
            ratio = _width(made.low, made.high, row["unit"]) / _width(row["low"], row["high"], row["unit"])
            found.append({"kind": _name_kind(row["endpoint"], row["unit"]), "ratio": ratio})
    return pl.DataFrame(found, schema={"kind": pl.String, "ratio": pl.Float64})


def _width(low: float, high: float, unit: str) -> float:
    return high - low if unit == "percent" else log(high / low)


def _name_kind(endpoint: str, unit: str) -> str:
    if unit == "ratio":
        return "hazard ratio"
    return endpoint if unit == "months" else "landmark" if "_" in endpoint else "share"


def _rebuild_share(value: float, n: float) -> Interval:
    events = float(round(value * n / 100))
    low, high = exact_limits(events, n)
    share = (events + 0.5) / (n + 1)
    spread = 1 / sqrt(n * share * (1 - share))
    return Interval(low, high, PRINTED_LEVEL, "binomial", *exact_limits(events, n, level=SHOWN_LEVEL), spread)


def _rebuild_normal(value: float, spread: float, method: str) -> Interval:
    low, high = normal_limits(value, spread)
    return Interval(
        low, high, PRINTED_LEVEL, method, *normal_limits(value, spread, level=SHOWN_LEVEL), spread
    )


def _quantile(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 200)


def _is_inside(value: float, unit: str) -> bool:
    return 0 < value < (100 if unit == "percent" else inf)


def _scales(unit: str) -> tuple[Callable[[float], float], Callable[[float], float]]:
    return (_logit, _percent) if unit == "percent" else (log, exp)


def _logit(percent: float) -> float:
    return log(percent / (100 - percent))


def _percent(logit: float) -> float:
    return 100 / (1 + exp(-logit))
