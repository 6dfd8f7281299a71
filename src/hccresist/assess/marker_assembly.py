"""Scores from laboratory values of about the same time.

A score stands on the day on which it is complete: each component is its latest value of that day or of
the `window_days` before (our choice, seven days), and at least one of them was measured that day. So no
score looks into the future, and none is made of values that lie further apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.assess.marker_panel import SCORES, Score
from hccresist.assess.marker_rows import no_rows, shown, to_rows
from hccresist.assess.marker_scores import Floats
from hccresist.assess.marker_units import BY_NAME
from hccresist.study.policies import Policies

_BEYOND: Final = 1e-6
"""A value beyond the limit of its assay is tried this share beyond it, and at the far end."""
_FAR: Final = 1e12
_WORDS: Final = {
    "afp": "AFP",
    "crp": "CRP",
    "inr": "INR",
    "ascites_points": "ascites",
    "encephalopathy_points": "encephalopathy",
}


def score_rows(
    labs: pl.DataFrame, *, policies: Policies, window_days: float, scores: Sequence[Score] = SCORES
) -> pl.DataFrame:
    """Return the rows of `markers` for every score.

    A patient with some component of a score, but never all of them in time, has one row that says what
    is missing.

    Parameters
    ----------
    labs
        Values as `hccresist.assess.marker_labs.normalise_labs` returns them, with
        ``ascites_points`` and ``encephalopathy_points``.
    policies
        `child_pugh_albumin_cut`.
    window_days
        Days that a component may be older than the score.
    scores
        Scores wanted.
    """
    present = set(labs["test"].unique())
    wanted = [score for score in scores if present.intersection(score.definition.needs)]
    tests = sorted({test for score in wanted for test in score.definition.needs})
    wide = gather_components(labs.filter(pl.col("test").is_in(tests)), tests, window_days=window_days)
    parts = [_score_rows(wide, score, policies, window_days) for score in wanted]
    return pl.concat([no_rows(), *(to_rows(part) for part in parts)])


def gather_components(labs: pl.DataFrame, tests: Sequence[str], *, window_days: float) -> pl.DataFrame:
    """Return one row a patient and day with any value: each test's latest value within the window.

    Returns
    -------
    pl.DataFrame
        patient_id, day, and for each test: its value under its name, ``sign_TEST`` (comparator) and
        ``day_TEST``.
    """
    wide = labs.select("patient_id", "day").unique().sort("patient_id", "day")
    group = pl.col("patient_id").rank("dense").cast(pl.Int64)
    wide = wide.with_columns(group.alias("__who"))
    who = wide.select("patient_id", "__who").unique()
    for test in tests:
        one = labs.filter(pl.col("test") == test).join(who, on="patient_id", how="inner")
        one = one.select(
            "__who", "day", pl.col("value").alias(test), pl.col("comparator").alias(f"sign_{test}")
        ).with_columns(pl.col("day").alias(f"day_{test}"))
        wide = wide.join_asof(
            one.sort("__who", "day"),
            on="day",
            by="__who",
            strategy="backward",
            tolerance=window_days,
            check_sortedness=False,
        )
    return wide.drop("__who")


def _score_rows(wide: pl.DataFrame, score: Score, policies: Policies, window_days: float) -> pl.DataFrame:
    needs = score.definition.needs
    fresh = pl.any_horizontal(
        (pl.col(f"day_{test}") == pl.col("day")).fill_null(value=False) for test in needs
    )
    rows = wide.filter(fresh)
    rows = rows.with_columns(_computed(rows, score, policies).alias("value"))
    rows = rows.with_columns(
        pl.all_horizontal(pl.col(test).is_not_null() for test in needs).alias("__complete")
    )
    kept = rows.filter(pl.col("__complete") | pl.col("value").is_not_null())
    never = rows.join(kept.select("patient_id"), on="patient_id", how="anti")
    lacking = never.sort("patient_id", "day").unique("patient_id", keep="first", maintain_order=True)
    lacking = lacking.join(_measured(rows, needs), on="patient_id", how="left")
    grade = score.grading.expression(pl.col("value")) if score.grading else pl.lit(None, dtype=pl.String)
    common = {
        "marker": pl.lit(score.definition.marker),
        "unit": pl.lit(score.definition.unit),
        "source": pl.lit(score.definition.source),
    }
    found = kept.select("patient_id", "day", "value", grade=grade, reason=_said(needs), **common)
    missed = lacking.select("patient_id", "day", reason=_why_lacking(needs, window_days), **common)
    return pl.concat([found, missed], how="diagonal")


def _computed(rows: pl.DataFrame, score: Score, policies: Policies) -> pl.Series:
    """Return the score; unknown where a component beyond its assay limit leaves it open."""
    needs = score.definition.needs
    values = {test: rows[test].cast(pl.Float64).fill_null(float("nan")).to_numpy() for test in needs}
    result = score.compute(values, policies).copy()
    signs = {test: rows[f"sign_{test}"].fill_null("").to_numpy() for test in needs}
    beyond = np.any([sign != "" for sign in signs.values()], axis=0)
    if beyond.any():
        part = {test: value[beyond] for test, value in values.items()}
        ends = {test: _ends(part[test], signs[test][beyond]) for test in needs}
        result[beyond] = _certain(score, ends, policies) if score.steps else np.nan
    return pl.Series(result, dtype=pl.Float64).fill_nan(None)


def _ends(values: Floats, signs: NDArray[np.object_]) -> tuple[Floats, Floats]:
    """Return the two ends of each value: itself twice; beyond a limit, just beyond it and the far end."""
    near = np.where(
        signs == "<", values * (1 - _BEYOND), np.where(signs == ">", values * (1 + _BEYOND), values)
    )
    far = np.where(signs == "<", 0.0, np.where(signs == ">", _FAR, values))
    return near, far


def _certain(score: Score, ends: Mapping[str, tuple[Floats, Floats]], policies: Policies) -> Floats:
    """Return a point score that is the same whichever ends the values are at; NaN where it is not."""
    tried = [
        score.compute(dict(zip(ends, chosen, strict=True)), policies) for chosen in product(*ends.values())
    ]
    low, high = np.minimum.reduce(tried), np.maximum.reduce(tried)
    return np.where(low == high, low, np.nan)


def _said(needs: Sequence[str]) -> pl.Expr:
    """Return the components with their values, and how much older than the score the oldest is."""
    parts = [_said_component(test) for test in needs]
    oldest = pl.min_horizontal(f"day_{test}" for test in needs)
    age = pl.col("day") - oldest
    older = pl.when(age > 0).then(pl.format("; oldest {} days before", shown(age))).otherwise(pl.lit(""))
    beyond = pl.any_horizontal(pl.col(f"sign_{test}").is_not_null() for test in needs)
    missing = pl.any_horizontal(pl.col(test).is_null() for test in needs)
    why = (
        pl.when(pl.col("value").is_null() & beyond)
        .then(pl.lit("a component is beyond the limit of its assay: "))
        .when(pl.col("value").is_null() & ~missing)
        .then(pl.lit("a component is 0: "))
        .otherwise(pl.lit(""))
    )
    return why + pl.concat_str(parts, separator=", ", ignore_nulls=True) + older


def _said_component(test: str) -> pl.Expr:
    unit = BY_NAME[test].unit
    sign = pl.col(f"sign_{test}").fill_null("")
    text = (
        pl.lit(f"{_WORDS.get(test, test)} ") + sign + shown(pl.col(test)) + pl.lit(f" {unit}" if unit else "")
    )
    return pl.when(pl.col(test).is_not_null()).then(text)


def _measured(rows: pl.DataFrame, needs: Sequence[str]) -> pl.DataFrame:
    """Return for each patient whether each test was ever measured."""
    return rows.group_by("patient_id").agg(
        pl.col(f"day_{test}").is_not_null().any().alias(f"ever_{test}") for test in needs
    )


def _why_lacking(needs: Sequence[str], window_days: float) -> pl.Expr:
    never = [pl.when(~pl.col(f"ever_{test}")).then(pl.lit(_WORDS.get(test, test))) for test in needs]
    names = pl.concat_str(never, separator=", ", ignore_nulls=True)
    listed = ", ".join(_WORDS.get(test, test) for test in needs)
    apart = f"{listed} were never all measured within {window_days:g} days"
    return pl.when(names != "").then("no usable value of " + names).otherwise(pl.lit(apart))
