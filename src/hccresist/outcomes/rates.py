"""Response rates with exact intervals and a stated denominator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from hccresist.outcomes.groups import ALL, CONTROLLED, KEYS, LEVEL, RESPONSES, arm_of_patients
from hccresist.outcomes.results import Rates
from hccresist.outcomes.visits import last_visit_day
from hccresist.study.study import Study

_GROUP: Final = ("reader", "criterion", "group")
_PAIR: Final = ("reader", "criterion")
_MEASURES: Final = ("ORR", "DCR", "CBR")


def compute_rates(
    study: Study,
    *,
    best_response: pl.DataFrame,
    baselines: pl.DataFrame,
    timepoints: pl.DataFrame,
) -> pl.DataFrame:
    """Return ORR, DCR and CBR for all patients and each arm, with and without confirmation.

    1. ORR: the best response is CR or PR (iCR or iPR).
    2. DCR: the best response is CR, PR, SD or NON-CR/NON-PD, or the word of iRECIST. *Assess* has
       made sure that SD counts only from `sd_min_days`.
    3. CBR: CR or PR; or disease control at a visit on or after day `cbr_min_days`, before any
       progression. The visit must have shown it: a response other than NE, NED, PD, iUPD and iCPD.
       This is the rule of `admiralonco::derive_param_clinbenefit`.
    4. Where `confirmed` is true, the best response is the one for which CR and PR had to be
       confirmed; an unconfirmed response then counts as the SD that it became.
    5. The denominator is that of policy `denominator`: every patient of the study, those with a
       measurable baseline, or those with a visit other than NE. Patients without a response
       (NE, or not assessed by this reader) stay in the denominator and are not responders.
    6. Limits are exact (Clopper–Pearson, 95 %); percent and limits are null when nobody counts.

    Parameters
    ----------
    study
        The checked study: its patients, arms and policies.
    best_response, baselines, timepoints
        Result tables of *assess*.

    Returns
    -------
    pl.DataFrame
        Table `rates`, sorted by key.

    References
    ----------
    Clopper CJ, Pearson ES. Biometrika 1934;26:404–413, doi:10.1093/biomet/26.4.404.
    """
    courses = _courses(study, best_response, baselines)
    limits = courses.select(*KEYS, before="progression_day", until=None)
    lasting = last_visit_day(_controlled_visits(timepoints), limits) >= study.config.policies.cbr_min_days
    courses = courses.with_columns(benefit=lasting.fill_null(value=False))
    sums = pl.concat(_sums(courses, confirmed=confirmed) for confirmed in (False, True))
    patients = _patients_by_group(study)
    sums = (
        sums.select(*_PAIR, "confirmed")
        .unique()
        .join(patients.select("group"), how="cross")
        .join(sums, on=[*_GROUP, "confirmed"], how="left")
    )
    if study.config.policies.denominator == "all":
        sums = sums.drop("n").join(patients, on="group")
    rates = sums.unpivot(
        _MEASURES, index=[*_GROUP, "confirmed", "n"], variable_name="measure", value_name="events"
    )
    return _finished(rates, study.config.policies.denominator)


def clopper_pearson(
    events: npt.ArrayLike, n: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the exact 95 % limits of proportions.

    Parameters
    ----------
    events, n
        Patients with the outcome, and patients counted; n from 1.

    Returns
    -------
    tuple of arrays
        Lower and upper limits as shares from 0 to 1.

    Examples
    --------
    >>> low, high = clopper_pearson([1], [29])  # Newcombe 1998, Stat Med 17:857–872, table I
    >>> round(float(low[0]), 4), round(float(high[0]), 4)
    (0.0009, 0.1776)
    """
    from scipy.special import betaincinv  # noqa: PLC0415  (the command line starts without SciPy)

    x, size = np.asarray(events, dtype=float), np.asarray(n, dtype=float)
    tail = (1 - LEVEL) / 2
    none, everyone = x <= 0, x >= size
    low = np.where(none, 0.0, betaincinv(np.where(none, 1.0, x), size - x + 1, tail))
    high = np.where(everyone, 1.0, betaincinv(x + 1, np.where(everyone, 1.0, size - x), 1 - tail))
    return low, high


def _courses(study: Study, best_response: pl.DataFrame, baselines: pl.DataFrame) -> pl.DataFrame:
    """Return `best_response` with the arm as `group`, and whether the course is counted."""
    arms = arm_of_patients(study).rename({"arm": "group"})
    courses = best_response.join(arms, on="patient_id", how="left", maintain_order="left")
    denominator = study.config.policies.denominator
    if denominator == "all":
        return courses.with_columns(counted=pl.lit(value=True))
    flags = baselines.select(*KEYS, counted=denominator)
    courses = courses.join(flags, on=KEYS, how="left", maintain_order="left")
    return courses.with_columns(pl.col("counted").fill_null(value=False))


def _controlled_visits(timepoints: pl.DataFrame) -> pl.DataFrame:
    controlled = pl.col("overall").is_in(CONTROLLED)
    return timepoints.select(*KEYS, day=pl.when(controlled).then("day"))


def _sums(courses: pl.DataFrame, *, confirmed: bool) -> pl.DataFrame:
    """Return how many patients of each reader, criterion and group are counted and had each outcome."""
    best, counted = pl.col("best_confirmed" if confirmed else "best"), pl.col("counted")
    response = best.is_in(RESPONSES)
    outcome = {"ORR": response, "DCR": best.is_in(CONTROLLED), "CBR": response | pl.col("benefit")}
    sums = courses.group_by(_GROUP).agg(
        counted.sum().cast(pl.Int64).alias("n"),
        *((counted & happened).sum().cast(pl.Int64).alias(name) for name, happened in outcome.items()),
    )
    return _with_all(sums, _PAIR).with_columns(confirmed=pl.lit(value=confirmed))


def _patients_by_group(study: Study) -> pl.DataFrame:
    """Return `group` and `n`, the patients of the study, whether assessed or not."""
    arms = arm_of_patients(study).rename({"arm": "group"})
    return _with_all(arms.group_by("group").agg(n=pl.len().cast(pl.Int64)), ())


def _with_all(sums: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Return sums by arm, without the row of patients who have none, and those of all patients."""
    counts = pl.exclude(*keys, "group").sum()
    everyone = sums.group_by(keys).agg(counts) if keys else sums.select(counts)
    arms = sums.filter(pl.col("group").is_not_null())
    return pl.concat([arms, everyone.with_columns(group=pl.lit(ALL)).select(sums.columns)])


def _finished(rates: pl.DataFrame, denominator: str) -> pl.DataFrame:
    rates = rates.with_columns(pl.col("n", "events").fill_null(0))
    low, high = clopper_pearson(rates["events"].to_numpy(), np.maximum(rates["n"].to_numpy(), 1))
    known = pl.col("n") > 0
    finished = rates.with_columns(
        denominator=pl.lit(denominator),
        percent=pl.when(known).then(100 * pl.col("events") / pl.col("n")),
        low=pl.Series(100 * low),
        high=pl.Series(100 * high),
    ).with_columns(low=pl.when(known).then("low"), high=pl.when(known).then("high"))
    return Rates.cast(finished.select(Rates.column_names())).sort(Rates.primary_key())
