"""AFP and DCP response under every registered rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from hccresist.assess.marker_changes import (
    said_change,
    shown_value,
    why_unknown,
    with_bound,
)
from hccresist.assess.marker_rows import NOT_EVALUABLE, nearest_rows, no_rows, shown, shown_change, to_rows
from hccresist.assess.marker_rules import (
    EACH,
    EVALUATION_DAYS,
    FIFTY_TEN,
    FIRST_EVALUATION,
    NON_RESPONDER,
    RESPONDER,
    RULES,
    WEEK_4,
    WEEK_12,
    ChangeRule,
    Cut,
    Window,
)

_BASE: Final = ["base_day", "base_value", "base_comparator"]
_VALUE: Final = ["day", "value", "comparator", "low", "high", "open"]


def response_rows(
    changes: pl.DataFrame, *, first_evaluation: pl.DataFrame, rules: Sequence[ChangeRule] = RULES
) -> pl.DataFrame:
    """Return the rows of `markers` for every rule.

    Each patient with any value of a rule's test has at least one row, if only to say why the rule
    cannot be judged.

    Parameters
    ----------
    changes
        As `hccresist.assess.marker_changes.add_changes` returns them.
    first_evaluation
        patient_id and `evaluation_day`, the first visit after baseline.
    rules
        Rules to judge.
    """
    present = set(changes["test"].unique())
    parts = [_rule_rows(changes, rule, first_evaluation) for rule in rules if rule.test in present]
    if "afp" in present:
        parts.append(fifty_ten_rows(changes))
    return pl.concat([no_rows(), *(to_rows(part) for part in parts)])


def _rule_rows(changes: pl.DataFrame, rule: ChangeRule, first_evaluation: pl.DataFrame) -> pl.DataFrame:
    values = changes.filter(pl.col("test") == rule.test)
    everyone = _patients(values)
    chosen, missing = _choose(values, everyone, rule, first_evaluation)
    judged = everyone.join(chosen.select("patient_id", *_VALUE), on="patient_id", how="left")
    judged = with_bound(judged.join(missing, on="patient_id", how="left"))
    verdict = judge(rule.cuts, rule.otherwise)
    why = _why_not(rule)
    return judged.select(
        "patient_id",
        pl.coalesce("day", "missing_day", "base_day", "first_day").alias("day"),
        pl.lit(rule.definition.marker).alias("marker"),
        value=pl.col("change"),
        unit=pl.lit("%"),
        comparator=pl.col("change_comparator"),
        response=pl.when(why.is_null()).then(verdict).fill_null(NOT_EVALUABLE),
        reason=pl.coalesce(why, pl.when(verdict.is_null()).then(_undecided()), said_change()),
        source=pl.lit(rule.definition.source),
    )


def _patients(values: pl.DataFrame) -> pl.DataFrame:
    """Return one row a patient with a value: its baseline and first day."""
    return (
        values.sort("patient_id", "day")
        .group_by("patient_id", maintain_order=True)
        .agg(pl.col("test", *_BASE).first(), pl.col("day").first().alias("first_day"))
    )


def _choose(
    values: pl.DataFrame, everyone: pl.DataFrame, rule: ChangeRule, first_evaluation: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the values that a rule looks at; and for each patient what is missing where there is none."""
    after = values.filter(pl.col("after"))
    ids = everyone.select("patient_id")
    if rule.when == EACH:
        return after, _missing(ids, pl.lit("there is no value after the baseline"))
    if rule.when == FIRST_EVALUATION:
        return _choose_at_evaluation(after, ids, first_evaluation)
    window = rule.window or Window(aim=0.0, low=0.0, high=0.0)
    inside = after.filter(pl.col("day").is_between(window.low, window.high))
    text = f"there is no value between day {window.low:g} and {window.high:g}"
    missing = _missing(ids, pl.lit(text), day=pl.lit(window.aim))
    return nearest_rows(inside, by=["patient_id"], target=pl.lit(window.aim)), missing


def _choose_at_evaluation(
    after: pl.DataFrame, ids: pl.DataFrame, first_evaluation: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    dated = after.join(first_evaluation, on="patient_id", how="inner")
    close = dated.filter((pl.col("day") - pl.col("evaluation_day")).abs() <= EVALUATION_DAYS)
    known = ids.join(first_evaluation, on="patient_id", how="left")
    text = (
        pl.when(pl.col("evaluation_day").is_null())
        .then(pl.lit("no visit after baseline was assessed"))
        .otherwise(
            pl.format(
                "there is no value within {} days of the first evaluation on day {}",
                pl.lit(f"{EVALUATION_DAYS:g}"),
                shown(pl.col("evaluation_day")),
            )
        )
    )
    missing = _missing(known, text, day=pl.col("evaluation_day"))
    return nearest_rows(close, by=["patient_id"], target=pl.col("evaluation_day")), missing


def _missing(ids: pl.DataFrame, text: pl.Expr, *, day: pl.Expr | None = None) -> pl.DataFrame:
    shown_day = pl.lit(None, dtype=pl.Float64) if day is None else day.cast(pl.Float64)
    return ids.select("patient_id", missing=text, missing_day=shown_day)


def _why_not(rule: ChangeRule) -> pl.Expr:
    """Return why a rule cannot be judged; empty where it can."""
    reasons = pl.when(pl.col("base_value").is_null()).then(pl.lit("there is no value in the baseline window"))
    if rule.baseline_min is not None:
        reasons = reasons.when(~_reaches(rule.baseline_min)).then(
            pl.format(
                "the baseline of {} is not known to be at least {}",
                shown_value("base_value", "base_comparator"),
                pl.lit(f"{rule.baseline_min:g}"),
            )
        )
    return reasons.when(pl.col("day").is_null()).then(pl.col("missing")).otherwise(why_unknown())


def _reaches(minimum: float) -> pl.Expr:
    below = (pl.col("base_comparator") == "<").fill_null(value=False)
    return (pl.col("base_value") >= minimum) & ~below


def _undecided() -> pl.Expr:
    return pl.format(
        "a value is beyond the limit of the assay, which leaves the verdict open: {}", said_change()
    )


def judge(cuts: Sequence[Cut], otherwise: str) -> pl.Expr:
    """Return the verdict on a change that lies from `low` to `high`; empty where it is open.

    A cut counts as met, or as missed, only when every change within the bounds does so; `open` says
    that the bounds themselves are not reached.

    Parameters
    ----------
    cuts
        Tried in order.
    otherwise
        Verdict when all are missed.
    """
    verdict: pl.Expr = pl.lit(otherwise)
    for cut in reversed(cuts):
        met, missed = _met(cut), _missed(cut)
        verdict = pl.when(met).then(pl.lit(cut.verdict)).when(missed).then(verdict)
    return verdict


def _met(cut: Cut) -> pl.Expr:
    low, high, limit = pl.col("low"), pl.col("high"), cut.percent
    if cut.operator == ">=":
        return low >= limit
    return (high <= limit) if cut.operator == "<=" else (high < limit) | (pl.col("open") & (high <= limit))


def _missed(cut: Cut) -> pl.Expr:
    low, high, limit = pl.col("low"), pl.col("high"), cut.percent
    if cut.operator == ">=":
        return (high < limit) | (pl.col("open") & (high <= limit))
    return (low >= limit) if cut.operator == "<" else (low > limit) | (pl.col("open") & (low >= limit))


def fifty_ten_rows(changes: pl.DataFrame) -> pl.DataFrame:
    """Return the AFP 50–10 class of each patient with AFP (nivolumab, PMID 34094688).

    1. Week 4: fall ≥ 50 % is class I, rise ≥ 50 % class IV.
    2. Between, at week 12: fall ≥ 10 % is class II, else class III.
    3. Classes I and II are responders.
    """
    values = changes.filter(pl.col("test") == "afp")
    everyone = _patients(values)
    early, late = (_at(values, window, name) for window, name in ((WEEK_4, "4"), (WEEK_12, "12")))
    rows = everyone.join(early, on="patient_id", how="left").join(late, on="patient_id", how="left")
    grade = (
        pl.when(pl.col("class_4") != "between")
        .then(pl.col("class_4"))
        .when(pl.col("class_4") == "between")
        .then(pl.col("class_12"))
    )
    late_decides = (pl.col("class_4") == "between").fill_null(value=False)
    decides = {
        name: pl.when(late_decides).then(pl.col(f"{name}_12")).otherwise(pl.col(f"{name}_4"))
        for name in ("day", "change", "change_comparator")
    }
    said = pl.format("week 4: {}; week 12: {}", _said_week("4"), _said_week("12"))
    return rows.select(
        "patient_id",
        pl.coalesce(decides["day"], "day_4", "base_day", "first_day").alias("day"),
        pl.lit(FIFTY_TEN.marker).alias("marker"),
        value=decides["change"],
        unit=pl.lit("%"),
        comparator=decides["change_comparator"],
        grade=grade,
        response=pl.when(grade.is_in(["I", "II"]))
        .then(pl.lit(RESPONDER))
        .when(grade.is_not_null())
        .then(pl.lit(NON_RESPONDER))
        .otherwise(pl.lit(NOT_EVALUABLE)),
        reason=pl.when(pl.col("base_value").is_null())
        .then(pl.lit("there is no value in the baseline window"))
        .otherwise(said),
        source=pl.lit(FIFTY_TEN.source),
    )


_EARLY: Final = (
    Cut(verdict="I", operator="<=", percent=-50.0),
    Cut(verdict="IV", operator=">=", percent=50.0),
)
_LATE: Final = (Cut(verdict="II", operator="<=", percent=-10.0),)


def _at(values: pl.DataFrame, window: Window, week: str) -> pl.DataFrame:
    inside = values.filter(pl.col("after") & pl.col("day").is_between(window.low, window.high))
    rows = with_bound(nearest_rows(inside, by=["patient_id"], target=pl.lit(window.aim)))
    verdict = judge(_EARLY, "between") if week == "4" else judge(_LATE, "III")
    return rows.select(
        "patient_id",
        verdict.alias(f"class_{week}"),
        pl.col("day").alias(f"day_{week}"),
        pl.col("change").alias(f"change_{week}"),
        pl.col("change_comparator").alias(f"change_comparator_{week}"),
    )


def _said_week(week: str) -> pl.Expr:
    sign = pl.col(f"change_comparator_{week}").replace_strict(
        {"<": "below ", ">": "above "}, default="", return_dtype=pl.String
    )
    known = sign.fill_null("") + shown_change(pl.col(f"change_{week}"))
    return (
        pl.when(pl.col(f"day_{week}").is_null())
        .then(pl.lit("no AFP"))
        .otherwise(known + pl.format(" on day {}", shown(pl.col(f"day_{week}"))))
    )
