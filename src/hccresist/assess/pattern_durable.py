"""Durable response, under two published definitions."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.assess.pattern_facts import before_new_therapy
from hccresist.assess.pattern_records import KEYS, Clause, Definition, Rule, judge, number, text
from hccresist.study.study import Study

ONSET_MONTHS: Final = 12.0
LASTING_MONTHS: Final = 6.0
TIMES_MEDIAN: Final = 3.0


def _lasting(criterion: str, title: str) -> Definition:
    return Definition(
        name=f"durable_response_{criterion}",
        family="durable",
        title=f"Durable response rate, {title}",
        needs=(f"response under {criterion}", "follow-up of six months from the response, or its end"),
        rule="CR or PR that begins within 12 months of the start and lasts at least 6 months",
        source="durable response rate, J Immunother Cancer 2017, 5:72",
        verification="verified",
        seen="abstract (jitc.bmj.com/content/5/1/72), continuous response; that PD or death ends it is ours",
        unit="days",
    )


LASTING: Final[dict[str, Definition]] = {
    "recist11": _lasting("recist11", "RECIST 1.1"),
    "mrecist": _lasting("mrecist", "mRECIST"),
}
LONG_PFS: Final = Definition(
    name="durable_pons_tostivint_2019",
    family="durable",
    title="Durable response as PFS beyond three medians (Pons-Tostivint 2019)",
    needs=("PFS under RECIST 1.1", "the median PFS of the arm"),
    rule="PFS longer than three times the median PFS of all patients treated with the same drugs",
    source="Pons-Tostivint 2019, JCO Precis Oncol 2019;3",
    verification="verified",
    seen="discussion (medscape.com/viewarticle/910044_4); 'the same drugs' is read as the arm",
    unit="medians",
)
DEFINITIONS: Final = (*LASTING.values(), LONG_PFS)


def judge_durable(
    study: Study,
    series: pl.DataFrame,
    *,
    timepoints: pl.DataFrame,
    best_response: pl.DataFrame,
    events: pl.DataFrame | None = None,
) -> list[pl.DataFrame]:
    """Return the rows of `patterns` for durable response: one frame a definition.

    Parameters
    ----------
    study, timepoints, best_response
        The study and its result tables.
    series
        The patients and readers to judge, one row each.
    events
        Result table `events` of *outcomes*; without it PFS is not known.
    """
    parts = [
        _judge_lasting(study, series, timepoints, best_response=best_response, criterion=name)
        for name in LASTING
    ]
    return [*parts, _judge_pfs(study, series, events)]


def _judge_lasting(
    study: Study,
    series: pl.DataFrame,
    timepoints: pl.DataFrame,
    *,
    best_response: pl.DataFrame,
    criterion: str,
) -> pl.DataFrame:
    month = study.config.policies.hpd_month_length
    rows = before_new_therapy(study, timepoints)
    rows = rows.filter(pl.col("criterion") == criterion, pl.col("overall") != "NE")
    last = rows.group_by(KEYS).agg(pl.col("day").max().alias("last_day"))
    best = best_response.filter(pl.col("criterion") == criterion)
    best = best.select(*KEYS, pl.col("first_response_day").alias("begin"), "progression_day")
    facts = series.join(best, on=KEYS, how="left", maintain_order="left")
    facts = facts.join(last, on=KEYS, how="left", maintain_order="left")
    facts = facts.join(_deaths(study), on="patient_id", how="left", maintain_order="left")
    begin, last_day = pl.col("begin"), pl.col("last_day")
    end = pl.min_horizontal("progression_day", "death_day")
    lasted = pl.when(end.is_not_null()).then(end - begin).otherwise(last_day - begin)
    long = lasted >= LASTING_MONTHS * month
    test = (
        pl.when(begin.is_null() | (begin > ONSET_MONTHS * month))
        .then(pl.lit(value=False))
        .when(long)
        .then(pl.lit(value=True))
        .when(end.is_not_null())
        .then(pl.lit(value=False))
    )
    told = (
        pl.when(begin.is_null())
        .then(pl.lit("no response"))
        .otherwise(text("response from day ", number(begin, 1), ", seen for ", number(lasted, 1), " days"))
    )
    gate = pl.when(last_day.is_null()).then(
        pl.lit(f"there is no evaluable assessment under {criterion} after baseline")
    )
    why = text("the response was seen for ", number(lasted, 1), " days and goes on")
    rule = Rule(clause=Clause(test=test, told=told, why=why), gate=gate, value=lasted, day=begin)
    return judge(facts, LASTING[criterion], rule)


def _deaths(study: Study) -> pl.DataFrame:
    survival = study.table("survival")
    if survival is None:
        return pl.DataFrame(schema={"patient_id": pl.String, "death_day": pl.Float64})
    return survival.select("patient_id", pl.when(pl.col("died")).then("os_days").alias("death_day"))


def _judge_pfs(study: Study, series: pl.DataFrame, events: pl.DataFrame | None) -> pl.DataFrame:
    nothing = {"patient_id": pl.String, "reader": pl.String, "days": pl.Float64, "event": pl.Boolean}
    rows = pl.DataFrame(schema=nothing)
    if events is not None:
        chosen = (pl.col("endpoint") == "PFS") & (pl.col("criterion") == "recist11")
        rows = events.filter(chosen).select(list(nothing))
    people = study.patients.select("patient_id", pl.col("arm").cast(pl.String).fill_null(""))
    facts = series.join(people, on="patient_id", how="left", maintain_order="left")
    facts = facts.join(rows, on=KEYS, how="left", maintain_order="left")
    medians = [
        {
            "reader": key[0],
            "arm": key[1],
            "median": median_survival(group["days"].to_numpy(), group["event"].to_numpy()),
        }
        for key, group in facts.filter(pl.col("days").is_not_null()).group_by(
            "reader", "arm", maintain_order=True
        )
    ]
    table = pl.DataFrame(medians, schema={"reader": pl.String, "arm": pl.String, "median": pl.Float64})
    facts = facts.join(table, on=["reader", "arm"], how="left", maintain_order="left")
    days, median, event = pl.col("days"), pl.col("median"), pl.col("event")
    beyond = days > TIMES_MEDIAN * median
    test = pl.when(beyond).then(pl.lit(value=True)).when(event).then(pl.lit(value=False))
    gate = (
        pl.when(pl.lit(events is None))
        .then(pl.lit("progression-free survival was not derived"))
        .when(days.is_null())
        .then(pl.lit("there is no progression-free survival under RECIST 1.1"))
        .when(median.is_null())
        .then(pl.lit("the median progression-free survival of the arm is not reached"))
    )
    told = text("PFS ", number(days, 1), " days, median ", number(median, 1), " days (needs > 3 medians)")
    why = text("censored on day ", number(days, 1), ", before three medians of ", number(median, 1), " days")
    clause = Clause(test=test, told=told, why=why)
    rule = Rule(clause=clause, gate=gate, value=days / median, day=pl.lit(None, dtype=pl.Float64))
    return judge(facts, LONG_PFS, rule)


def median_survival(days: NDArray[np.float64], event: NDArray[np.bool_]) -> float | None:
    """Return the Kaplan-Meier median: the first time at which at most half remain, else ``None``.

    Examples
    --------
    >>> median_survival(np.array([10.0, 20.0, 30.0, 40.0]), np.array([True, True, True, False]))
    20.0
    """
    distinct, place = np.unique(days, return_inverse=True)
    deaths = np.bincount(place, weights=event.astype(np.float64), minlength=len(distinct))
    leaving = np.bincount(place, minlength=len(distinct))
    at_risk = len(days) - np.cumsum(leaving) + leaving
    share = np.cumprod(1.0 - deaths / at_risk)
    below = np.flatnonzero(share <= 0.5 + 1e-12)
    return float(distinct[below[0]]) if len(below) else None
