"""Tumour markers over time: baseline, change, nadir, doubling time.

A value beyond the limit of its assay is an interval: ``< 2`` lies from 0 to 2, ``> 60500`` has no upper
end. A change then is an interval too. What is certain is told as a bound with a comparator (from 5000
to ``< 2``: below −99.96 %); where both values lie beyond the same limit nothing is known.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.assess.marker_definitions import OURS, Definition
from hccresist.assess.marker_rows import shown, shown_change, to_rows
from hccresist.assess.marker_units import BY_NAME
from hccresist.study.policies import Policies

TUMOUR_MARKERS: Final = ("afp", "dcp")
"""Tumour markers that have a trajectory and rules."""

_BASELINE: Final = "last value in the baseline window (policies baseline_window_start, baseline_window_end)"
_DOUBLING: Final = "project reference page, section 14"
_KEYS: Final = ["patient_id", "test"]
_DECIMALS: Final = 9


def _define(test: str, title: str) -> tuple[Definition, ...]:
    """Return the definitions of the trajectory of one marker."""
    label, unit = test.upper(), BY_NAME[test].unit
    baseline = f"{test} in the baseline window"
    return (
        _define_value(test, title),
        Definition(
            marker=f"{test}_change",
            kind="trajectory",
            title=f"{label}, change from baseline",
            unit="%",
            needs=(test, baseline),
            rule=f"100 × (value − baseline) / baseline; baseline: {_BASELINE}",
            source=OURS,
            verification="ours",
            seen="the baseline window is our choice",
        ),
        Definition(
            marker=f"{test}_nadir",
            kind="trajectory",
            title=f"{label}, lowest value after baseline",
            unit=unit,
            needs=(test, baseline, f"{test} after it"),
            rule="smallest value after the baseline; of equal ones the first",
            source=OURS,
            verification="ours",
            seen="our choice: the baseline itself is not a nadir",
        ),
        Definition(
            marker=f"{test}_doubling_time",
            kind="trajectory",
            title=f"{label}, doubling time between neighbouring values",
            unit="day",
            needs=(f"two values of {test}",),
            rule="t·ln 2 / ln(A2/A1); negative: a halving time",
            source=_DOUBLING,
            verification="partly_verified",
            seen="the formula as on the reference page; which two values it takes is our choice",
        ),
    )


def _define_value(test: str, title: str) -> Definition:
    return Definition(
        marker=test,
        kind="value",
        title=title,
        unit=BY_NAME[test].unit,
        needs=(test,),
        rule=f"the value, in {BY_NAME[test].unit}",
        source=OURS,
        verification="ours",
        seen="a measurement, not a rule; units in docs/explanation/markers.md",
    )


DEFINITIONS: Final = (
    *_define("afp", "alpha-fetoprotein"),
    *_define("dcp", "des-gamma-carboxy prothrombin (PIVKA-II)"),
    _define_value("afp_l3", "lens culinaris agglutinin-reactive share of AFP"),
)


def add_changes(labs: pl.DataFrame, *, policies: Policies) -> pl.DataFrame:
    """Return the tumour markers with baseline, change and bounds beside each value.

    Parameters
    ----------
    labs
        Values as `hccresist.assess.marker_labs.normalise_labs` returns them.
    policies
        Baseline window.

    Returns
    -------
    pl.DataFrame
        patient_id, day, test, value, comparator; base_day, base_value, base_comparator (empty without
        a baseline); after: the value is later than the baseline and the window; low, high: bounds of
        the change in per cent, equal where it is exact (empty: nothing known; high may be infinite);
        open: the bounds themselves are not reached.
    """
    rows = labs.filter(pl.col("test").is_in(TUMOUR_MARKERS)).sort("patient_id", "test", "day")
    inside = pl.col("day").is_between(policies.baseline_window_start, policies.baseline_window_end)
    base = rows.filter(inside).group_by(_KEYS, maintain_order=True).last()
    base = base.rename({"day": "base_day", "value": "base_value", "comparator": "base_comparator"})
    rows = rows.join(base, on=_KEYS, how="left", maintain_order="left")
    end = policies.baseline_window_end
    later = (pl.col("day") > pl.col("base_day")) & (pl.col("day") > end)
    return rows.with_columns(later.fill_null(value=False).alias("after")).pipe(_bound_changes)


def _bound_changes(rows: pl.DataFrame) -> pl.DataFrame:
    value_low, value_high = _interval(pl.col("value"), pl.col("comparator"))
    base_low, base_high = _interval(pl.col("base_value"), pl.col("base_comparator"))
    low = _percent(value_low, base_high)
    high = _percent(value_high, base_low)
    exact = pl.col("comparator").is_null() & pl.col("base_comparator").is_null()
    blind = (low <= -100) & high.is_infinite() & ~exact
    over_zero = exact & (pl.col("base_value") == 0)
    known = pl.col("base_value").is_not_null() & ~blind & ~over_zero
    return rows.with_columns(
        pl.when(known).then(low).alias("low"),
        pl.when(known).then(high).alias("high"),
        (~exact).alias("open"),
    )


def _interval(value: pl.Expr, comparator: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    below, above = (comparator == "<").fill_null(value=False), (comparator == ">").fill_null(value=False)
    return pl.when(below).then(0.0).otherwise(value), pl.when(above).then(float("inf")).otherwise(value)


def _percent(value: pl.Expr, base: pl.Expr) -> pl.Expr:
    """Return a change in per cent, rounded so that ties are exact; ∞ over 0, −100 against ∞."""
    ratio = (100.0 * (value - base) / base).round(_DECIMALS)
    return (
        pl.when(base.is_infinite())
        .then(-100.0)
        .when(value.is_infinite() | ((base == 0) & (value > 0)))
        .then(float("inf"))
        .when(base == 0)
        .then(None)
        .otherwise(ratio)
    )


def trajectory_rows(changes: pl.DataFrame, labs: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of `markers` that show values, changes, nadirs and doubling times."""
    l3 = labs.filter(pl.col("test") == "afp_l3")
    parts = [
        _value_rows(changes.select("patient_id", "day", "test", "value", "comparator")),
        _value_rows(l3.select("patient_id", "day", "test", "value", "comparator")),
        _change_rows(changes),
        _nadir_rows(changes),
        _doubling_rows(changes),
    ]
    return pl.concat([to_rows(part) for part in parts])


def _unit(test: pl.Expr) -> pl.Expr:
    units = {name: test.unit for name, test in BY_NAME.items()}
    return test.replace_strict(units, default="", return_dtype=pl.String)


def _value_rows(values: pl.DataFrame) -> pl.DataFrame:
    return values.with_columns(
        marker=pl.col("test"),
        unit=_unit(pl.col("test")),
        source=pl.lit(OURS),
        reason=pl.when(pl.col("comparator").is_not_null()).then(pl.lit("beyond the limit of the assay")),
    )


def with_bound(rows: pl.DataFrame) -> pl.DataFrame:
    """Add `change` and `change_comparator`: the change, or the bound of it that is certain."""
    one_sided = (pl.col("high").is_infinite() | (pl.col("low") <= -100)) & pl.col("open")
    bound = pl.when(pl.col("high").is_infinite()).then(pl.col("low")).otherwise(pl.col("high"))
    sign = pl.when(pl.col("high").is_infinite()).then(pl.lit(">")).otherwise(pl.lit("<"))
    exact = pl.when(~pl.col("open") & pl.col("low").is_finite()).then(pl.col("low"))
    return rows.with_columns(
        pl.when(one_sided).then(bound).otherwise(exact).alias("change"),
        pl.when(one_sided & bound.is_not_null()).then(sign).alias("change_comparator"),
    )


def why_unknown() -> pl.Expr:
    """Return why a change is unknown; empty where it is known."""
    both = pl.col("comparator").is_not_null() & pl.col("base_comparator").is_not_null()
    return (
        pl.when(pl.col("base_value").is_null())
        .then(pl.lit("there is no value in the baseline window"))
        .when(both)
        .then(pl.lit("both values are beyond the limit of the assay"))
        .when(pl.col("base_value") == 0)
        .then(pl.lit("the baseline is 0"))
        .when(pl.col("low").is_null())
        .then(pl.lit("a value is beyond the limit of the assay"))
    )


def shown_value(value: str, comparator: str) -> pl.Expr:
    """Return a value with its comparator as text."""
    sign = pl.col(comparator).fill_null("")
    return pl.when(sign == "").then(pl.lit("")).otherwise(sign + " ") + shown(pl.col(value))


def said_change() -> pl.Expr:
    """Return the change in words: from, to, by how much, and since when."""
    label, unit = pl.col("test").str.to_uppercase(), _unit(pl.col("test"))
    sign = pl.col("change_comparator").replace_strict(
        {"<": "below ", ">": "above "}, default="", return_dtype=pl.String
    )
    return pl.format(
        "{} {} {} on day {}, {}{} from {} on day {}",
        label,
        shown_value("value", "comparator"),
        unit,
        shown(pl.col("day")),
        sign.fill_null(""),
        shown_change(pl.col("change")),
        shown_value("base_value", "base_comparator"),
        shown(pl.col("base_day")),
    )


def _change_rows(changes: pl.DataFrame) -> pl.DataFrame:
    rows = with_bound(changes.filter(pl.col("after")))
    return rows.select(
        "patient_id",
        "day",
        marker=pl.col("test") + "_change",
        value=pl.col("change"),
        unit=pl.lit("%"),
        comparator=pl.col("change_comparator"),
        source=pl.lit(OURS),
        reason=pl.when(pl.col("change").is_null()).then(why_unknown()).otherwise(said_change()),
    )


def _nadir_rows(changes: pl.DataFrame) -> pl.DataFrame:
    below = (pl.col("comparator") == "<").fill_null(value=False)
    rows = with_bound(changes.filter(pl.col("after"))).with_columns((~below).alias("__exact"))
    above = (pl.col("comparator") == ">").fill_null(value=False)
    rows = rows.with_columns(above.alias("__above"))
    lowest = rows.sort("patient_id", "test", "value", "__exact", "__above", "day")
    lowest = lowest.unique(_KEYS, keep="first", maintain_order=True)
    return lowest.select(
        "patient_id",
        "day",
        "value",
        "comparator",
        marker=pl.col("test") + "_nadir",
        unit=_unit(pl.col("test")),
        source=pl.lit(OURS),
        reason=pl.when(pl.col("change").is_null()).then(why_unknown()).otherwise(said_change()),
    )


def _doubling_rows(changes: pl.DataFrame) -> pl.DataFrame:
    rows = changes.select("patient_id", "day", "test", "value", "comparator").with_columns(
        pl.col("day", "value", "comparator").shift().over(_KEYS).name.prefix("before_")
    )
    rows = rows.filter(pl.col("before_day").is_not_null())
    exact = pl.col("comparator").is_null() & pl.col("before_comparator").is_null()
    positive = (pl.col("value") > 0) & (pl.col("before_value") > 0)
    moved = pl.col("value") != pl.col("before_value")
    time = pl.col("day") - pl.col("before_day")
    doubling = doubling_time(pl.col("before_value"), pl.col("value"), time)
    why = (
        pl.when(~exact)
        .then(pl.lit("a value is beyond the limit of the assay"))
        .when(~positive)
        .then(pl.lit("a value is 0"))
        .when(~moved)
        .then(pl.lit("the value did not change"))
        .otherwise(pl.format("since day {}", shown(pl.col("before_day"))))
    )
    return rows.select(
        "patient_id",
        "day",
        marker=pl.col("test") + "_doubling_time",
        value=pl.when(exact & positive & moved).then(doubling),
        unit=pl.lit("day"),
        source=pl.lit(_DOUBLING),
        reason=why,
    )


def doubling_time(first: pl.Expr, last: pl.Expr, days: pl.Expr) -> pl.Expr:
    """Return the doubling time of a marker in days, ``t·ln 2 / ln(last/first)``; negative: halving.

    Examples
    --------
    >>> frame = pl.DataFrame({"a1": [100.0, 400.0], "a2": [400.0, 100.0], "days": [60.0, 60.0]})
    >>> frame.select(doubling_time(pl.col("a1"), pl.col("a2"), pl.col("days")).round(6)).rows()
    [(30.0,), (-30.0,)]
    """
    return days * pl.lit(2.0).log() / (last / first).log()
