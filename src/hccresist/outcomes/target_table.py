"""The table of targets: its columns, and what every row of it needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import dataframely as dy

from hccresist.outcomes.limits import LIMITS, Interval

USES: Final = ("fit", "check", "excluded")
FAMILIES: Final = ("response", "progression", "survival")
TABLES: Final = ("endpoints_long", "response_patterns", "biomarkers")

Row = Mapping[str, Any]


class Targets(dy.Schema):
    """One row a verified published number: its use, why, whose patients they are, and its limits."""

    key = dy.String(primary_key=True, description="stable name of the row")
    table = dy.Enum(TABLES, description="file of published trials that holds it")
    use = dy.Enum(USES, description="what it is used for")
    reason = dy.String(description="why")
    programme_id = dy.String(description="trial with its cohorts and subgroups; left out together")
    group_id = dy.String(description="patients: all numbers of a group together count as one observation")
    study = dy.String(description="trial, or study outside of trials")
    arm_id = dy.String(nullable=True, description="arm, a key of arms.csv")
    comparator_arm = dy.String(nullable=True, description="arm that a ratio is held against")
    line = dy.String(nullable=True, description="line of treatment")
    drugs = dy.String(description="drugs, joined by +")
    endpoint = dy.String(
        description="endpoint as in endpoints_long.csv, response pattern, or marker and outcome"
    )
    family = dy.Enum(FAMILIES, description="kind of endpoint")
    criterion = dy.String(nullable=True, description="response criterion; empty for survival")
    assessor = dy.String(nullable=True, description="who assessed")
    unit = dy.Enum(("percent", "months", "ratio"), nullable=True, description="unit of value and limits")
    value = dy.Float64(nullable=True, description="number; empty where not reached or in words only")
    not_reached = dy.Bool(description="the median was not reached")
    n = dy.Int64(nullable=True, description="patients as printed, or size of the arm")
    low = dy.Float64(nullable=True, description="lower limit")
    high = dy.Float64(nullable=True, description="upper limit; empty where open or unknown")
    ci_level = dy.Float64(nullable=True, metadata={"unit": "%"}, description="level of the limits")
    limits = dy.Enum(LIMITS, nullable=True, description="printed, or what they were made from")
    limits_n = dy.Int64(nullable=True, description="patients that limits were made from")
    low90 = dy.Float64(nullable=True, description="lower limit at 90 %")
    high90 = dy.Float64(nullable=True, description="upper limit at 90 %")
    spread = dy.Float64(nullable=True, description="standard error of the logit (percent) or logarithm")
    source_url = dy.String(nullable=True, description="address of the text that was read")


def split_regimen(text: str) -> tuple[str, ...]:
    """Return the drugs of a cell; a biosimilar is its drug.

    Examples
    --------
    >>> split_regimen("TACE+bevacizumab biosimilar"), split_regimen("BSC/placebo")
    (('TACE', 'bevacizumab'), ('placebo',))
    """
    parts = (part.strip().removesuffix(" biosimilar") for part in re.split(r"[+|]", text))
    return tuple("placebo" if part == "BSC/placebo" else part for part in parts)


def interval_columns(found: Interval, limits_n: int | None) -> dict[str, object]:
    """Return the columns of a target that hold its limits."""
    return {
        "low": found.low,
        "high": found.high,
        "ci_level": found.level,
        "limits": found.method,
        "limits_n": limits_n,
        "low90": found.low90,
        "high90": found.high90,
        "spread": found.spread,
    }
