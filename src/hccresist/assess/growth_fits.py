"""Growth models fitted to each patient, with uncertainty, and the choice between them.

Input is the frame `sizes` (see `hccresist.assess.kinetics`). The regression-growth family (gd, dx,
gx, gdphi) uses the baseline and what follows, as the R package tumgr does; the tumour growth
inhibition family (stein_fojo, claret) also uses scans before treatment and fits the size at day 0.

Which series are not analysed, as in tumgr: one visit; a size of 0 at the start; all sizes equal
(three visits or more); two visits that differ by less than 20 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.assess.growth_models import MODELS, Family, Floats, GrowthModel
from hccresist.assess.growth_profile import profile_intervals
from hccresist.assess.growth_solver import EXACT, Problem, fit_model, invert_normal
from hccresist.errors import ConfigError
from hccresist.study.issues import nearest

Rule = Literal["significance", "aic"]
Interval = Literal["wald", "profile"]
KEYS: Final = ["patient_id", "reader"]
CHUNK: Final = 2048
"""Patients fitted together: many enough to amortise, few enough for a few dozen megabytes."""

EXCLUSIONS: Final[dict[str, str]] = {
    "no_baseline": "there is no size at baseline",
    "first_size_zero": "the size at the start is 0, so that no relative size exists",
    "one_visit": "there is only one visit with a size",
    "constant": "all sizes are equal, so that no rate can be told from none",
    "two_within_20_percent": "there are two visits whose sizes differ by less than 20 %",
}
"""Why a series is not analysed; `tumgr` calls them No measurement data, only 1 eval, error data and
2 evals not 20% diff."""

STATUS: Final = ("ok", "too_few_visits", "not_converged", "not_identifiable", "not_significant")
"""What became of a model: usable, or why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthFits:
    """What was fitted.

    Attributes
    ----------
    series
        One row a patient, reader and family: n_visits, analysed, selected (model, empty where
        none), code and reason where none is selected.
    models
        One row a model fitted: n_visits, sse (sum of squares relative to the size at the start,
        squared), aic, status (see `STATUS`), selected.
    parameters
        One row a parameter: value, se, p_value, low, high, unit, selected.
    """

    series: pl.DataFrame
    models: pl.DataFrame
    parameters: pl.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """One model fitted to a chunk: parameters (k, B) and what belongs to them."""

    model: GrowthModel
    index: NDArray[np.int64]
    n: NDArray[np.int64]
    x: Floats
    se: Floats
    p: Floats
    low: Floats
    high: Floats
    sse: Floats
    aic: Floats
    status: NDArray[np.int64]


def fit_growth(
    sizes: pl.DataFrame,
    *,
    models: Sequence[str] | None = None,
    rule: Rule = "significance",
    alpha: float = 0.10,
    interval: Interval = "wald",
    level: float = 0.95,
) -> GrowthFits:
    """Fit growth models to each patient and reader by nonlinear least squares.

    1. Sizes are divided by the size at the start; for gd, dx, gx and gdphi the first visit is day 1.
    2. Each model with fewer parameters than visits is fitted (bounded Levenberg-Marquardt from
       the best points of a grid and from tumgr's start).
    3. Standard errors come from the normal matrix with σ² = SSE/(n − k); p values from Student's t
       with n − k degrees of freedom.
    4. Selection within each family. *significance* (tumgr): of the models whose parameters all
       have p < `alpha`, the one with the smallest AIC. *aic*: of all models that converged and are
       identifiable, the one with the smallest AIC. AIC = n·(ln 2π + 1 + ln(SSE/n)) + 2k.

    Parameters
    ----------
    sizes
        Frame `sizes` (see `hccresist.assess.kinetics`).
    models
        Names of models, keys of `hccresist.assess.growth_models.MODELS`; all of them if not given.
    rule, alpha
        How a model is selected, and the significance level of *significance*.
    interval, level
        Wald (cut at the parameter's bounds) or profile-likelihood intervals, and their level.

    Returns
    -------
    GrowthFits
        Sorted by patient, reader, model.

    Raises
    ------
    ConfigError
        For an unknown model, or a level outside 0 … 1.
    """
    chosen = _choose(models)
    _check_share("alpha", alpha)
    _check_share("level", level)
    rows = sizes.filter(pl.col("sum_mm").is_not_null()).sort(*KEYS, "day")
    parts: list[GrowthFits] = []
    for family in ("regression_growth", "tgi"):
        members = [model for model in chosen if model.family == family]
        if members:
            series, data = _gather(rows, sizes, family)
            fits = [
                fit for model in members for fit in _fit_chunks(model, data, interval=interval, level=level)
            ]
            parts.append(_tabulate(series, fits, family=family, rule=rule, alpha=alpha))
    return GrowthFits(
        series=pl.concat([part.series for part in parts]).sort(*KEYS, "family"),
        models=pl.concat([part.models for part in parts]),
        parameters=pl.concat([part.parameters for part in parts]),
    )


def _choose(names: Sequence[str] | None) -> list[GrowthModel]:
    wanted = list(MODELS) if names is None else list(names)
    unknown = [name for name in wanted if name not in MODELS]
    if unknown or not wanted:
        told = [f"There is no growth model '{n}'. {nearest(n, list(MODELS))}".strip() for n in unknown]
        msg = "\n".join([*told, f"Growth models are {', '.join(MODELS)}."])
        raise ConfigError(msg)
    return [model for name, model in MODELS.items() if name in wanted]


def _check_share(name: str, value: float) -> None:
    if not 0.0 < value < 1.0:
        msg = f"{name} is {value:g}; it must lie between 0 and 1."
        raise ConfigError(msg)


def _gather(rows: pl.DataFrame, sizes: pl.DataFrame, family: Family) -> tuple[pl.DataFrame, _Data]:
    """Return every series with why it is not analysed, and the data of those that are."""
    if family == "regression_growth":
        rows = rows.filter(pl.col("phase") != "before")
    base = rows.filter(pl.col("phase") == "baseline").select(*KEYS, pl.col("sum_mm").alias("scale"))
    rows = rows.join(base, on=KEYS, how="left", maintain_order="left")
    told = rows.group_by(KEYS).agg(
        pl.len().alias("n_visits"),
        pl.col("scale").first(),
        pl.col("sum_mm").n_unique().alias("distinct"),
        (pl.col("sum_mm").last() / pl.col("sum_mm").first()).alias("ratio"),
    )
    series = sizes.select(KEYS).unique().join(told, on=KEYS, how="left").sort(KEYS)
    series = series.with_columns(pl.col("n_visits").fill_null(0), _exclusion().alias("code"))
    rows = rows.join(
        series.filter(pl.col("code").is_null()).select(KEYS).with_row_index("series"),
        on=KEYS,
        how="inner",
        maintain_order="left",
    )
    return series, _data(rows, family)


def _exclusion() -> pl.Expr:
    n, ratio = pl.col("n_visits"), pl.col("ratio")
    return (
        pl.when(pl.col("scale").is_null())
        .then(pl.lit("no_baseline"))
        .when(pl.col("scale") == 0)
        .then(pl.lit("first_size_zero"))
        .when(n == 1)
        .then(pl.lit("one_visit"))
        .when((pl.col("distinct") == 1) & (n > 2))
        .then(pl.lit("constant"))
        .when((n == 2) & (ratio > 0.8) & (ratio < 1.2))
        .then(pl.lit("two_within_20_percent"))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Data:
    """Visits of the analysed series, flat, series after series.

    `t` and `f` hold day and relative size of each visit, `scale` and `n` the size at the start in
    mm and the number of visits of each series.
    """

    t: Floats
    f: Floats
    scale: Floats
    n: NDArray[np.int64]

    def chunks(self) -> Iterator[tuple[NDArray[np.int64], Problem]]:
        """Yield series of similar length as padded problems."""
        order = np.argsort(self.n, kind="stable")
        first = np.concatenate(([0], np.cumsum(self.n)[:-1])) if len(self.n) else self.n
        for at in range(0, len(order), CHUNK):
            index = order[at : at + CHUNK]
            n = self.n[index]
            place = np.arange(n.max())[:, None]
            there = place < n
            row = np.where(there, first[index] + place, 0)
            yield (
                index,
                Problem(
                    t=np.where(there, self.t[row], 0.0),
                    f=np.where(there, self.f[row], 0.0),
                    w=there.astype(np.float64),
                ),
            )


def _data(rows: pl.DataFrame, family: Family) -> _Data:
    series = rows["series"].to_numpy().astype(np.int64)
    n = np.bincount(series) if len(series) else np.zeros(0, dtype=np.int64)
    first = np.concatenate(([0], np.cumsum(n)[:-1])).astype(np.int64) if len(n) else n
    day, scale = rows["day"].to_numpy(), rows["scale"].to_numpy()
    t = day - day[first][series] + 1.0 if family == "regression_growth" and len(n) else day
    return _Data(
        t=t,
        f=rows["sum_mm"].to_numpy() / scale,
        scale=scale[first] if len(n) else scale,
        n=n,
    )


def _fit_chunks(model: GrowthModel, data: _Data, *, interval: Interval, level: float) -> Iterator[_Fit]:
    for index, problem in data.chunks():
        enough = np.flatnonzero(problem.n > model.size)
        if len(enough):
            scale, part = data.scale[index[enough]], problem.take(enough)
            fit = _fit_chunk(model, part, scale, interval=interval, level=level)
            yield replace(fit, index=index[enough])


def _fit_chunk(
    model: GrowthModel, problem: Problem, start_mm: Floats, *, interval: Interval, level: float
) -> _Fit:
    from scipy.special import stdtr, stdtrit  # noqa: PLC0415  (slow import)

    found = fit_model(model, problem)
    n = problem.n
    sse = np.maximum(found.sse, EXACT * n)
    free = n - model.size
    inverse, identified = invert_normal(model.evaluate, problem, found.x)
    se = np.sqrt(sse / free * inverse)
    ratio = np.abs(np.divide(found.x, se, out=np.full_like(se, np.nan), where=se > 0.0))
    quantile = stdtrit(free, 0.5 + level / 2.0)
    usable = np.flatnonzero(found.converged & identified)
    bounds = [np.asarray(b)[:, None] for b in (model.lower, model.upper)]
    low = np.clip(found.x - quantile * se, *bounds)
    high = np.clip(found.x + quantile * se, *bounds)
    if interval == "profile":
        low[:, usable], high[:, usable] = profile_intervals(
            model,
            problem.take(usable),
            found.x[:, usable],
            sse=found.sse[usable],
            se=se[:, usable],
            quantile=quantile[usable],
        )
    scale = np.ones((model.size, len(n)))
    if "y0" in model.parameters:
        scale[model.parameters.index("y0")] = start_mm
    status = np.where(~found.converged, 2, np.where(identified, 0, 3))
    aic = n * (np.log(2.0 * np.pi) + 1.0 + np.log(sse / n)) + 2.0 * model.size
    return _Fit(
        model=model,
        index=np.arange(len(n)),
        n=n.astype(np.int64),
        x=found.x * scale,
        se=se * scale,
        p=2.0 * stdtr(free, -ratio),
        low=np.where(np.isnan(se), np.nan, low) * scale,
        high=np.where(np.isnan(se), np.nan, high) * scale,
        sse=found.sse,
        aic=aic,
        status=status,
    )


def _tabulate(
    series: pl.DataFrame, fits: Sequence[_Fit], *, family: Family, rule: Rule, alpha: float
) -> GrowthFits:
    """Return the tables of one family."""
    names = series.filter(pl.col("code").is_null()).select(KEYS)
    models, parameters = _flatten(names, fits, family)
    weak = parameters.group_by(*KEYS, "model").agg((pl.col("p_value") >= alpha).any().alias("weak"))
    models = models.join(weak, on=[*KEYS, "model"], how="left", maintain_order="left")
    if rule == "significance":
        failed = (pl.col("status") == "ok") & pl.col("weak").fill_null(value=True)
        status = pl.when(failed).then(pl.lit("not_significant")).otherwise("status")
        models = models.with_columns(status.alias("status"))
    picked = (
        models.filter(pl.col("status") == "ok")
        .sort(*KEYS, pl.col("aic").round(9), "rank")
        .group_by(KEYS, maintain_order=True)
        .agg(pl.col("model").first().alias("selected"))
    )
    models = _mark(models, picked)
    return GrowthFits(
        series=_conclude(series, picked, family=family, rule=rule, alpha=alpha),
        models=models.select(*KEYS, "family", "model", "n_visits", "sse", "aic", "status", "selected").sort(
            *KEYS, "model"
        ),
        parameters=_mark(parameters, picked)
        .select(
            *KEYS, "family", "model", "parameter", "value", "se", "p_value", "low", "high", "unit", "selected"
        )
        .sort(*KEYS, "model", "parameter"),
    )


def _mark(frame: pl.DataFrame, picked: pl.DataFrame) -> pl.DataFrame:
    joined = frame.drop("selected", strict=False).join(picked, on=KEYS, how="left", maintain_order="left")
    return joined.with_columns(pl.col("selected").eq_missing(pl.col("model")))


def _flatten(names: pl.DataFrame, fits: Sequence[_Fit], family: Family) -> tuple[pl.DataFrame, pl.DataFrame]:
    model_rows, parameter_rows = [_empty_models(names)], [_empty_parameters(names)]
    rank = {name: i for i, name in enumerate(MODELS)}
    for fit in fits:
        who = names[fit.index].with_columns(
            pl.lit(family).alias("family"), pl.lit(fit.model.name).alias("model")
        )
        model_rows.append(
            who.with_columns(
                pl.Series("n_visits", fit.n),
                pl.Series("sse", fit.sse),
                pl.Series("aic", fit.aic),
                pl.Series("status", [STATUS[i] for i in fit.status], dtype=pl.String),
                pl.lit(rank[fit.model.name]).cast(pl.Int64).alias("rank"),
            )
        )
        for i, name in enumerate(fit.model.parameters):
            values = {"value": fit.x, "se": fit.se, "p_value": fit.p, "low": fit.low, "high": fit.high}
            parameter_rows.append(
                who.with_columns(
                    pl.lit(name).alias("parameter"),
                    *(pl.Series(column, rows[i]).fill_nan(None) for column, rows in values.items()),
                    pl.lit(fit.model.units[i]).alias("unit"),
                )
            )
    return pl.concat(model_rows), pl.concat(parameter_rows)


def _empty(names: pl.DataFrame, columns: dict[str, Any]) -> pl.DataFrame:
    return names.clear().with_columns(pl.lit(None, dtype=t).alias(c) for c, t in columns.items())


def _empty_models(names: pl.DataFrame) -> pl.DataFrame:
    text, real, whole = pl.String, pl.Float64, pl.Int64
    kinds = {"family": text, "model": text, "n_visits": whole, "sse": real, "aic": real, "status": text}
    return _empty(names, kinds | {"rank": whole})


def _empty_parameters(names: pl.DataFrame) -> pl.DataFrame:
    reals = dict.fromkeys(("value", "se", "p_value", "low", "high"), pl.Float64)
    texts = dict.fromkeys(("family", "model", "parameter"), pl.String)
    return _empty(names, {**texts, **reals, "unit": pl.String})


def _conclude(
    series: pl.DataFrame, picked: pl.DataFrame, *, family: Family, rule: Rule, alpha: float
) -> pl.DataFrame:
    """Return one row a series with its model, or why it has none."""
    fewest = min(model.size for model in MODELS.values() if model.family == family) + 1
    analysed = pl.col("code").is_null()
    none = analysed & pl.col("selected").is_null()
    unfit = (
        f"no model has all its parameters significant (p < {alpha:g})"
        if rule == "significance"
        else "no model converged to parameters that the data tell apart"
    )
    few = f"a model of this family needs at least {fewest} visits"
    reasons = pl.col("code").replace_strict(EXCLUSIONS, default=None, return_dtype=pl.String)
    return series.join(picked, on=KEYS, how="left", maintain_order="left").select(
        *KEYS,
        pl.lit(family).alias("family"),
        pl.col("n_visits").cast(pl.Int64),
        analysed.alias("analysed"),
        "selected",
        pl.when(none & (pl.col("n_visits") < fewest))
        .then(pl.lit("too_few_visits"))
        .when(none)
        .then(pl.lit("not_fit"))
        .otherwise("code")
        .alias("code"),
        pl.when(none & (pl.col("n_visits") < fewest))
        .then(pl.lit(few))
        .when(none)
        .then(pl.lit(unfit))
        .otherwise(reasons)
        .alias("reason"),
    )
