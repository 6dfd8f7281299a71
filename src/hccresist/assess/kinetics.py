"""Growth kinetics of each patient: rates between scans, depth of response, fitted growth models.

**Input frame** `sizes` (schema `hccresist.assess.growth_results.Sizes`), one row a visit:

=============  ============================================================================
patient_id     patient
reader         reader, empty where the study names none
day            day of the visit (its last scan), from start of the index line
sum_mm         sum of diameters over the lesions that are targets at baseline; empty when one
               of them was not evaluated at that visit. New lesions are not part of it.
phase          before (scans before the baseline), baseline, after (follow-up); at most one
               baseline a patient and reader
=============  ============================================================================

**Periods.** The *reference* period runs from the last scan before the baseline, at most
`hpd_reference_scan_window` days before it (our choice), to the baseline; the *experimental* period
from the baseline to the first follow-up visit with a sum (Ferté 2014). `docs/explanation/growth.md`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from hccresist.assess.growth_fits import GrowthFits, Interval, Rule, fit_growth
from hccresist.assess.growth_rates import (
    growth_ratio,
    specific_growth_rate,
    tumour_growth_kinetics,
    tumour_growth_rate,
    volume_doubling_time,
)
from hccresist.assess.growth_results import PHASES, Kinetics, Sizes
from hccresist.study.policies import Policies
from hccresist.study.study import Study

KEYS: Final = ["patient_id", "reader"]
WEEK_8_DAYS: Final = 56.0

UNITS: Final[dict[str, str]] = {
    "tgr_before": "% volume/month",
    "tgr_after": "% volume/month",
    "delta_tgr": "points/month",
    "tgr_ratio": "ratio",
    "tgk_before": "mm/month",
    "tgk_after": "mm/month",
    "delta_tgk": "mm/month",
    "tgk_ratio": "ratio",
    "sgr_before": "%/day",
    "sgr_after": "%/day",
    "vdt_before": "day",
    "vdt_after": "day",
    "depth_of_response": "%",
    "depth_all_visits": "%",
    "time_to_nadir": "day",
}
"""Quantities without a model, with their units."""


def sizes_from_sums(study: Study, *, measure: str = "longest") -> pl.DataFrame:
    """Return `sizes` from the table `sums` of a study: each row is taken as a visit.

    The baseline is the last sum in the baseline window (policies `baseline_window_start`,
    `baseline_window_end`); sums before it are *before*, sums after the window are *after*. Where
    there is none in the window, sums before its end are *before*.

    Parameters
    ----------
    study
        A study; without a table `sums` the result is empty.
    measure
        Which sum: longest or viable, in mm.
    """
    sums, policies = study.table("sums"), study.config.policies
    if sums is None:
        return Sizes.create_empty()
    rows = sums.filter(pl.col("measure").cast(pl.String) == measure)
    inside = (
        pl.col("day").is_between(policies.baseline_window_start, policies.baseline_window_end)
        & pl.col("sum").is_not_null()
    )
    base = pl.col("day").filter(inside).max().over(KEYS)
    phase = (
        pl.when(pl.col("day") == base)
        .then(pl.lit("baseline"))
        .when(pl.col("day") > policies.baseline_window_end)
        .then(pl.lit("after"))
        .when(pl.col("day") < base)
        .then(pl.lit("before"))
        .when(base.is_null())
        .then(pl.lit("before"))
    )
    kept = rows.select(*KEYS, "day", pl.col("sum").alias("sum_mm"), phase.alias("phase"))
    kept = kept.filter(pl.col("phase").is_not_null()).with_columns(pl.col("phase").cast(pl.Enum(PHASES)))
    return Sizes.validate(kept.sort(*KEYS, "day"))


def pair_scans(sizes: pl.DataFrame, *, policies: Policies) -> pl.DataFrame:
    """Return reference scan, baseline and first evaluation of each patient and reader, side by side.

    Returns
    -------
    pl.DataFrame
        patient_id, reader; day and mm of each scan: day_before, mm_before, day_baseline,
        mm_baseline, day_first, mm_first (empty where there is none); scans_before, the number of
        scans before the baseline whatever their age.
    """
    rows = sizes.filter(pl.col("sum_mm").is_not_null()).sort(*KEYS, "day")
    phase = pl.col("phase").cast(pl.String)
    base = _scan(rows.filter(phase == "baseline"), "baseline", keep="first")
    before = rows.filter(phase == "before").join(base, on=KEYS, how="left")
    recent = before.filter(
        pl.col("day_baseline") - pl.col("day") <= policies.hpd_reference_scan_window,
        pl.col("day") < pl.col("day_baseline"),
    )
    counts = before.group_by(KEYS).agg(pl.len().cast(pl.Int64).alias("scans_before"))
    paired = sizes.select(KEYS).unique().sort(KEYS)
    for part in (
        _scan(recent.sort(*KEYS, "day"), "before", keep="last"),
        base,
        _scan(rows.filter(phase == "after"), "first", keep="first"),
        counts,
    ):
        paired = paired.join(part, on=KEYS, how="left", maintain_order="left")
    return paired.with_columns(pl.col("scans_before").fill_null(0))


def _scan(rows: pl.DataFrame, name: str, *, keep: str) -> pl.DataFrame:
    day, mm = pl.col("day"), pl.col("sum_mm")
    first = keep == "first"
    return rows.group_by(KEYS, maintain_order=True).agg(
        (day.first() if first else day.last()).alias(f"day_{name}"),
        (mm.first() if first else mm.last()).alias(f"mm_{name}"),
    )


def add_rates(paired: pl.DataFrame, *, policies: Policies) -> pl.DataFrame:
    """Add TGR, TGK, SGR and VDT of both periods, differences and ratios, to the frame of `pair_scans`.

    Undefined rates are null; `why_before` and `why_after` say why a rate of volume is undefined,
    `why_ratio` why a ratio is.
    """
    month = policies.hpd_month_length
    scan = {
        name: paired[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        for name in ("day_before", "mm_before", "day_baseline", "mm_baseline", "day_first", "mm_first")
    }
    before = (scan["mm_before"], scan["mm_baseline"], scan["day_baseline"] - scan["day_before"])
    after = (scan["mm_baseline"], scan["mm_first"], scan["day_first"] - scan["day_baseline"])
    values: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {}
    for name, period in (("before", before), ("after", after)):
        values[f"tgr_{name}"] = tumour_growth_rate(*period, month_days=month)
        values[f"tgk_{name}"] = tumour_growth_kinetics(*period, month_days=month)
        values[f"sgr_{name}"] = specific_growth_rate(*period)
        values[f"vdt_{name}"] = volume_doubling_time(*period)
    for rate in ("tgr", "tgk"):
        values[f"delta_{rate}"] = values[f"{rate}_after"] - values[f"{rate}_before"]
        values[f"{rate}_ratio"] = growth_ratio(values[f"{rate}_before"], values[f"{rate}_after"])
    columns = [pl.Series(name, rows).fill_nan(None) for name, rows in values.items()]
    return paired.with_columns(columns).with_columns(
        _why_before(policies).alias("why_before"), _why_after().alias("why_after")
    )


def _why_before(policies: Policies) -> pl.Expr:
    window = policies.hpd_reference_scan_window
    return (
        pl.when(pl.col("day_baseline").is_null())
        .then(pl.lit("there is no sum at baseline"))
        .when(pl.col("day_before").is_null() & (pl.col("scans_before") > 0))
        .then(pl.lit(f"no scan lies in the {window:g} days before the baseline, only older ones"))
        .when(pl.col("day_before").is_null())
        .then(pl.lit("there is no scan before the baseline"))
        .when(pl.col("mm_before") == 0)
        .then(pl.lit("the sum before the baseline is 0"))
        .when(pl.col("mm_baseline") == 0)
        .then(pl.lit("the sum at baseline is 0"))
    )


def _why_after() -> pl.Expr:
    return (
        pl.when(pl.col("day_baseline").is_null())
        .then(pl.lit("there is no sum at baseline"))
        .when(pl.col("day_first").is_null())
        .then(pl.lit("there is no sum after the baseline"))
        .when(pl.col("mm_baseline") == 0)
        .then(pl.lit("the sum at baseline is 0"))
        .when(pl.col("mm_first") == 0)
        .then(pl.lit("the sum at the first evaluation is 0"))
    )


def measure_depth(sizes: pl.DataFrame, *, progression: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return depth of response and time to nadir of each patient and reader.

    1. *depth_all_visits*: the lowest (sum − baseline)/baseline over all visits after baseline, in %.
    2. *depth_of_response*: the same over visits before progression or, where there are none, at the
       first visit (our choice). Without `progression` it is empty.
    3. *time_to_nadir*: day of the first visit with the smallest sum, among the visits of step 2
       (of step 1 without `progression`); empty when no sum is below baseline.

    Parameters
    ----------
    sizes
        Frame `sizes`.
    progression
        patient_id, reader, progression_day (empty: none), one row a patient and reader.
    """
    base = sizes.filter(pl.col("phase").cast(pl.String) == "baseline", pl.col("sum_mm").is_not_null())
    base = base.select(*KEYS, pl.col("sum_mm").alias("mm_baseline"))
    rows = sizes.filter(pl.col("phase").cast(pl.String) == "after", pl.col("sum_mm").is_not_null())
    rows = rows.sort(*KEYS, "day").join(base, on=KEYS, how="inner", maintain_order="left")
    limit = pl.lit(None, dtype=pl.Float64)
    if progression is not None:
        days = progression.select(*KEYS, "progression_day")
        rows, limit = rows.join(days, on=KEYS, how="left", maintain_order="left"), pl.col("progression_day")
    early = (pl.col("day") < limit).fill_null(value=True)
    counted = early | ~early.any().over(KEYS) & (pl.col("day") == pl.col("day").min().over(KEYS))
    change = 100.0 * (pl.col("sum_mm") - pl.col("mm_baseline")) / pl.col("mm_baseline")
    rows = rows.with_columns(counted.alias("counted"), change.alias("change"))
    lowest = pl.col("change").filter("counted").min()
    shrunk = pl.col("counted") & (pl.col("sum_mm") < pl.col("mm_baseline"))
    nadir = pl.col("sum_mm").filter(shrunk).min()
    told = rows.filter(pl.col("mm_baseline") > 0).group_by(KEYS)
    deep = told.agg(
        pl.col("change").min().alias("depth_all_visits"),
        (lowest if progression is not None else pl.lit(None, dtype=pl.Float64)).alias("depth_of_response"),
        pl.col("day").filter(shrunk & (pl.col("sum_mm") == nadir)).min().alias("time_to_nadir"),
    )
    everyone = sizes.select(KEYS).unique().sort(KEYS).join(base, on=KEYS, how="left", maintain_order="left")
    seen = rows.group_by(KEYS).agg(pl.len().alias("visits"))
    return everyone.join(seen, on=KEYS, how="left", maintain_order="left").join(
        deep, on=KEYS, how="left", maintain_order="left"
    )


def derive_kinetics(
    study: Study,
    sizes: pl.DataFrame,
    *,
    best_response: pl.DataFrame | None = None,
    fits: bool = True,
    rule: Rule = "significance",
    interval: Interval = "wald",
) -> pl.DataFrame:
    """Derive the table `kinetics`: every quantity of every patient and reader, or why it is missing.

    Parameters
    ----------
    study
        The study; its policies give month length, reference window and baseline window.
    sizes
        Frame `sizes`, see the top of this module.
    best_response
        Result table `best_response`; its RECIST 1.1 progression ends the depth of response.
    fits
        Fit growth models as well.
    rule, interval
        How a model is selected and how uncertainty is given, see
        `hccresist.assess.growth_fits.fit_growth`.

    Returns
    -------
    pl.DataFrame
        Table `kinetics`, sorted by patient, reader, model, quantity.
    """
    sizes = Sizes.validate(sizes, cast=True)
    policies = study.config.policies
    progression = None
    if best_response is not None:
        progression = best_response.filter(pl.col("criterion") == "recist11")
    rated = add_rates(pair_scans(sizes, policies=policies), policies=policies)
    deep = measure_depth(sizes, progression=progression)
    parts = [*_rate_rows(rated), *_depth_rows(deep, known=progression is not None)]
    if fits:
        parts += _fit_rows(fit_growth(sizes, rule=rule, interval=interval))
    columns = list(Kinetics.columns())
    table = pl.concat([part.select(columns) for part in parts]).sort(*KEYS, "model", "quantity")
    return Kinetics.validate(table)


def _row(
    name: str,
    value: pl.Expr,
    reason: pl.Expr,
    *,
    model: str | pl.Expr = "",
    unit: str | None = None,
    selected: pl.Expr | None = None,
) -> list[pl.Expr]:
    """Return the columns of one quantity that has no uncertainty."""
    nothing = pl.lit(None, dtype=pl.Float64)
    return [
        *(pl.col(key) for key in KEYS),
        (pl.lit(model) if isinstance(model, str) else model).alias("model"),
        pl.lit(name).alias("quantity"),
        value.cast(pl.Float64).alias("value"),
        nothing.alias("se"),
        nothing.alias("low"),
        nothing.alias("high"),
        pl.lit(UNITS[name] if unit is None else unit).alias("unit"),
        (pl.lit(None, dtype=pl.Boolean) if selected is None else selected).alias("selected"),
        pl.when(value.is_null()).then(reason).cast(pl.String).alias("reason"),
    ]


def _rate_rows(rated: pl.DataFrame) -> list[pl.DataFrame]:
    before, after = pl.col("why_before"), pl.col("why_after")
    either = pl.coalesce(before, after)
    zero = r"sum .* is 0$"
    linear_before = pl.when(~before.str.contains(zero)).then(before)
    linear_after = pl.when(~after.str.contains(zero)).then(after)
    linear = pl.coalesce(linear_before, linear_after)
    no_growth = pl.lit("the sum did not grow before treatment, so that a ratio has no meaning")
    still = pl.lit("the sum did not grow, so that nothing doubles")
    rows = {
        "tgr_before": before,
        "tgr_after": after,
        "delta_tgr": either,
        "tgr_ratio": pl.coalesce(either, no_growth),
        "tgk_before": linear_before,
        "tgk_after": linear_after,
        "delta_tgk": linear,
        "tgk_ratio": pl.coalesce(linear, no_growth),
        "sgr_before": before,
        "sgr_after": after,
        "vdt_before": pl.coalesce(before, still),
        "vdt_after": pl.coalesce(after, still),
    }
    return [rated.select(_row(name, pl.col(name), reason)) for name, reason in rows.items()]


def _depth_rows(deep: pl.DataFrame, *, known: bool) -> list[pl.DataFrame]:
    why = (
        pl.when(pl.col("mm_baseline").is_null())
        .then(pl.lit("there is no sum at baseline"))
        .when(pl.col("mm_baseline") == 0)
        .then(pl.lit("the sum at baseline is 0"))
        .when(pl.col("visits").is_null())
        .then(pl.lit("there is no sum after the baseline"))
    )
    unknown = pl.lit(None if known else "progression under RECIST 1.1 was not derived")
    rows = {
        "depth_all_visits": why,
        "depth_of_response": pl.coalesce(why, unknown),
        "time_to_nadir": pl.coalesce(why, pl.lit("the sum was never below baseline")),
    }
    return [deep.select(_row(name, pl.col(name), reason)) for name, reason in rows.items()]


_STATUS_WORDS: Final = {
    "too_few_visits": "there are not more visits than parameters",
    "not_converged": "the fit did not converge",
    "not_identifiable": "the data do not tell the parameters apart",
    "not_significant": "a parameter is not significant (p ≥ 0.10), so that the model is not selected",
}


def _fit_rows(fitted: GrowthFits) -> list[pl.DataFrame]:
    """Return fitted parameters, AIC, what follows from them, and whether there is a model at all."""
    status = fitted.models.select(*KEYS, "model", "status")
    parameters = fitted.parameters.join(status, on=[*KEYS, "model"], how="left", maintain_order="left")
    reason = pl.col("status").replace_strict(_STATUS_WORDS, default=None, return_dtype=pl.String)
    told = parameters.with_columns(pl.col("parameter").alias("quantity"), reason.alias("reason"))
    model, chosen = pl.col("model"), pl.col("selected")
    scores = fitted.models.select(
        _row("aic", pl.col("aic"), pl.lit(None), model=model, unit="", selected=chosen)
    )
    family, found = pl.col("family"), pl.col("selected").is_not_null()
    whole = fitted.series.select(
        *_row("fit", pl.col("n_visits"), pl.lit(None), model=family, unit="visits", selected=found)[:-1],
        pl.col("reason"),
    )
    return [told, scores, whole, *_consequences(parameters)]


def _consequences(parameters: pl.DataFrame) -> list[pl.DataFrame]:
    """Return time to growth and week-8 ratio of the models that have them.

    Days count from the baseline scan for gd, whose first visit is day 1, and from the start of
    treatment for the others.
    """
    wide = parameters.filter(pl.col("status").is_in(["ok", "not_significant"])).pivot(
        "parameter", index=[*KEYS, "model", "selected"], values="value", aggregate_function="first"
    )
    names = {"g", "d", "y0", "kg", "ks", "kl", "kde", "lam"} - set(wide.columns)
    wide = wide.with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in sorted(names))
    g, d, kg, ks = pl.col("g"), pl.col("d"), pl.col("kg"), pl.col("ks")
    kl, kde, lam = pl.col("kl"), pl.col("kde"), pl.col("lam")
    faded = pl.when(lam > 0).then((1 - (-lam * WEEK_8_DAYS).exp()) / lam).otherwise(WEEK_8_DAYS)
    formulas = {
        ("gd", "time_to_growth"): _turn(d, g, g + d) - 1,
        ("stein_fojo", "time_to_growth"): _turn(ks, kg, ks + kg),
        ("claret", "time_to_growth"): _turn(kde, kl, lam),
        ("stein_fojo", "week8_ratio"): (kg * WEEK_8_DAYS).exp() + (-ks * WEEK_8_DAYS).exp() - 1,
        ("claret", "week8_ratio"): (kl * WEEK_8_DAYS - kde * faded).exp(),
    }
    rows: list[pl.DataFrame] = []
    for (model, name), value in formulas.items():
        unit = "day" if name == "time_to_growth" else "ratio"
        never = pl.lit("the fitted curve never turns from shrinkage to growth after the start")
        columns = _row(name, value, never, model=model, unit=unit, selected=pl.col("selected"))
        rows.append(wide.filter(pl.col("model") == model).select(columns))
    return rows


def _turn(down: pl.Expr, up: pl.Expr, speed: pl.Expr) -> pl.Expr:
    """Return ln(down/up)/speed, the day on which growth overtakes, where that lies ahead."""
    return pl.when((up > 0) & (down > up) & (speed > 0)).then((down / up).log() / speed)
