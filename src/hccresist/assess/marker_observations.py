"""Clinical observations that markers need, read from words; a word that could mean two things is refused.

========================  ======================================================================
ascites                   none · mild, slight, grade 1 · moderate, severe, grade 2, grade 3
encephalopathy            none · grade 1, grade 2, minimal · grade 3, grade 4, advanced
ascites_points,           1, 2, 3: Child-Pugh points (also as a laboratory test)
encephalopathy_points
ecog                      0 to 5
ctdna_detected            true, false, detected, not detected, positive, negative
ctdna_vaf                 ``1.8%``; a bare number could be a share or per cent and is refused
ctdna_vaf_percent,        a number in per cent; a number from 0 to 1
ctdna_vaf_fraction
vitamin_k_antagonist      true or false
========================  ======================================================================

A bare number for ascites or encephalopathy is refused (beside 0): 1 is *none* where points are kept and
*grade 1* where grades are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from hccresist.assess.marker_results import MarkerIssues

OBSERVED: Final = {
    "patient_id": pl.String,
    "day": pl.Float64,
    "name": pl.String,
    "value": pl.Float64,
}
"""Columns of observations read as numbers."""

_NONE: Final = ("none", "no", "absent", "false", "0", "0.0", "nil", "grade 0")
_YES: Final = ("true", "yes", "1", "1.0", "detected", "positive", "present")
_NO: Final = ("false", "no", "0", "0.0", "notdetected", "undetected", "negative", "absent", "cleared")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """How an observation is read: the number that each word stands for, or a range of numbers."""

    name: str
    words: Mapping[str, float]
    hint: str
    low: float | None = None
    high: float = 0.0
    scale: float = 1.0
    percent_sign: bool = False
    whole: bool = False


def _words(*groups: tuple[float, tuple[str, ...]]) -> dict[str, float]:
    return {_plain(word): points for points, words in groups for word in words}


def _plain(text: str) -> str:
    return "".join(text.lower().replace("_", "").replace("-", "").split())


_ASCITES: Final = _words(
    (1.0, _NONE),
    (2.0, ("mild", "slight", "small", "minimal", "controlled", "easily controlled", "grade 1", "grade i")),
    (
        3.0,
        ("moderate", "severe", "large", "tense", "refractory", "poorly controlled", "uncontrolled"),
    ),
    (3.0, ("moderate to severe", "grade 2", "grade 3", "grade ii", "grade iii")),
)
_ENCEPHALOPATHY: Final = _words(
    (1.0, _NONE),
    (2.0, ("minimal", "mild", "grade 1", "grade 2", "grade 1-2", "grade i", "grade ii", "grade i-ii")),
    (3.0, ("severe", "advanced", "coma", "grade 3", "grade 4", "grade 3-4")),
    (3.0, ("grade iii", "grade iv", "grade iii-iv")),
)
_BOOLEAN: Final = _words((1.0, _YES), (0.0, _NO))
_POINTS_HINT: Final = "Write 1, 2 or 3."

READINGS: Final[tuple[_Reading, ...]] = (
    _Reading(
        name="ascites",
        words=_ASCITES,
        hint="Write none, mild, or moderate; or keep Child-Pugh points as ascites_points.",
    ),
    _Reading(
        name="encephalopathy",
        words=_ENCEPHALOPATHY,
        hint="Write none, grade 1 to grade 4; or keep Child-Pugh points as encephalopathy_points.",
    ),
    _Reading(name="ascites_points", words={}, hint=_POINTS_HINT, low=1.0, high=3.0, whole=True),
    _Reading(name="encephalopathy_points", words={}, hint=_POINTS_HINT, low=1.0, high=3.0, whole=True),
    _Reading(name="ecog", words={}, hint="Write 0 to 5.", low=0.0, high=5.0, whole=True),
    _Reading(name="ctdna_detected", words=_BOOLEAN, hint="Write true or false."),
    _Reading(
        name="ctdna_vaf",
        words={"0": 0.0, "0.0": 0.0},
        hint="Write 1.8%, or name the observation ctdna_vaf_percent or ctdna_vaf_fraction.",
        percent_sign=True,
        high=100.0,
    ),
    _Reading(
        name="ctdna_vaf_percent",
        words={},
        hint="Write a number from 0 to 100.",
        low=0.0,
        high=100.0,
        percent_sign=True,
    ),
    _Reading(
        name="ctdna_vaf_fraction",
        words={},
        hint="Write a number from 0 to 1.",
        low=0.0,
        high=1.0,
        scale=100.0,
    ),
    _Reading(name="vitamin_k_antagonist", words=_BOOLEAN, hint="Write true or false."),
)
"""Every observation that is read. Adding one touches this list only."""

_BY_NAME: Final = {reading.name: reading for reading in READINGS}
_ALIASES: Final = {"vka": "vitamin_k_antagonist", "ecog_ps": "ecog"}
_TARGETS: Final = {
    "ascites": "ascites_points",
    "encephalopathy": "encephalopathy_points",
    "ctdna_vaf_percent": "ctdna_vaf",
    "ctdna_vaf_fraction": "ctdna_vaf",
}


def read_observations(observations: pl.DataFrame | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the observations that markers need, as numbers, and the issues.

    Parameters
    ----------
    observations
        Study table `observations`.

    Returns
    -------
    observed
        Columns of `OBSERVED`: ascites_points, encephalopathy_points (1 to 3), ecog, ctdna_detected,
        vitamin_k_antagonist (0 or 1), ctdna_vaf (per cent). One row a patient, day and name.
    issues
        As `MarkerIssues`.

    Examples
    --------
    >>> rows = pl.DataFrame({"patient_id": ["P1"], "day": [0.0], "name": ["ascites"], "value": ["mild"]})
    >>> read_observations(rows)[0].rows()
    [('P1', 0.0, 'ascites_points', 2.0)]
    """
    if observations is None or observations.is_empty():
        return pl.DataFrame(schema=OBSERVED), MarkerIssues.create_empty()
    rows = observations.select("patient_id", "day", "name", "value").filter(pl.col("value").is_not_null())
    rows = rows.join(_read_pairs(rows), on=["name", "value"], how="inner")
    rows = _check_repeats(rows)
    fine = rows.filter(pl.col("code").is_null()).sort("patient_id", "day", "target")
    fine = fine.unique(["patient_id", "day", "target"], keep="first", maintain_order=True)
    return fine.select("patient_id", "day", name="target", value="number"), _issues(rows)


def _read_pairs(rows: pl.DataFrame) -> pl.DataFrame:
    pairs = rows.select("name", "value").unique().sort("name", "value")
    read = [_read_pair(name, value) for name, value in pairs.iter_rows()]
    schema = {"target": pl.String, "number": pl.Float64, "code": pl.String, "hint": pl.String}
    return pairs.hstack(pl.DataFrame(read, schema=schema, orient="row")).filter(
        pl.col("target").is_not_null()
    )


def _read_pair(name: str, value: str) -> tuple[str | None, float | None, str | None, str | None]:
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    reading = _BY_NAME.get(_ALIASES.get(plain, plain))
    if reading is None:
        return None, None, None, None
    target = _TARGETS.get(reading.name, reading.name)
    number = _read_value(value, reading)
    if number is None:
        return target, None, "unclear-observation", reading.hint
    return target, number, None, None


def _read_value(value: str, reading: _Reading) -> float | None:
    text = _plain(value)
    if text in reading.words:
        return reading.words[text]
    signed = reading.percent_sign and text.endswith("%")
    if reading.low is None and not signed:
        return None
    try:
        number = float(text.removesuffix("%") if signed else text)
    except ValueError:
        return None
    inside = (reading.low or 0.0) <= number <= reading.high
    whole = not reading.whole or number.is_integer()
    return number * reading.scale if inside and whole else None


def _check_repeats(rows: pl.DataFrame) -> pl.DataFrame:
    """Refuse observations of one thing and day, kept under two names, that differ."""
    keys = ["patient_id", "day", "target"]
    number = pl.when(pl.col("code").is_null()).then(pl.col("number"))
    differs = (number.max().over(keys) - number.min().over(keys)).abs() > 0
    hint = pl.lit("Keep the one that counts.")
    return rows.with_columns(
        pl.when(differs & pl.col("code").is_null())
        .then(pl.lit("two-values"))
        .otherwise(pl.col("code"))
        .alias("code"),
        pl.when(differs & pl.col("code").is_null()).then(hint).otherwise(pl.col("hint")).alias("hint"),
    )


def _issues(rows: pl.DataFrame) -> pl.DataFrame:
    told = rows.filter(pl.col("code").is_not_null())
    problem = (
        pl.when(pl.col("code") == "two-values")
        .then(pl.format("{} has different values on one day", pl.col("target")))
        .otherwise(pl.format("'{}' could mean more than one thing, or is not known", pl.col("value")))
    )
    frame = told.select(
        "patient_id",
        "day",
        pl.lit("observations").alias("table"),
        test="name",
        found="value",
        unit=pl.lit(None, dtype=pl.String),
        code="code",
        problem=problem,
        hint="hint",
        refused=pl.lit(value=True),
    )
    return MarkerIssues.validate(frame.sort("patient_id", "day", "test"))
