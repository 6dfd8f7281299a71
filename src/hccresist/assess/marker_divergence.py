"""Where a tumour marker and the size of the targets go opposite ways.

That AFP can fall while the disease progresses is published (doi:10.1007/s12672-025-02972-8, n = 139,
baseline AFP ≥ 20 ng/mL); the limits here are ours: the marker falls by half or more while the sum of
targets is 20 % or more above baseline, or the marker rises by half or more while the sum is 20 % or more
below baseline.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.assess.marker_changes import said_change, why_unknown, with_bound
from hccresist.assess.marker_definitions import OURS, Definition, Reading
from hccresist.assess.marker_response import judge
from hccresist.assess.marker_rows import NOT_EVALUABLE, nearest_rows, no_rows, shown, shown_change, to_rows
from hccresist.assess.marker_rules import Cut

CRITERIA: Final = ("recist11", "mrecist")
"""Criteria whose sums are compared with markers."""

WITHIN_DAYS: Final = 14.0
"""Days to either side of a visit in which a marker belongs to it: our choice."""

SIZE_PERCENT: Final = 20.0
MARKER_CUTS: Final = (
    Cut(verdict="falls", operator="<=", percent=-50.0),
    Cut(verdict="rises", operator=">=", percent=50.0),
)
BASELINE_MIN: Final = {"afp": 20.0, "dcp": 40.0}
"""Baselines below these say too little: AFP as in the source, DCP ours (40 mAU/mL: doi:10.1159/000111707)."""

_SOURCE: Final = "doi:10.1007/s12672-025-02972-8"
_KEYS: Final = ["patient_id", "reader", "day"]
_READING: Final = Reading(
    grade="marker_falls_size_rises",
    text="falling AFP in spite of progression, n = 139: median OS 14.0 against 32.0 months",
    source=_SOURCE,
)

DEFINITIONS: Final = tuple(
    Definition(
        marker=f"{test}_divergence_{criterion}",
        kind="divergence",
        title=f"{test.upper()} against the sum of targets ({criterion})",
        unit="%",
        needs=(
            f"{test} in the baseline window, at least {BASELINE_MIN[test]:g}",
            f"{test} within {WITHIN_DAYS:g} days of a visit",
            "sum of targets at baseline and at the visit",
        ),
        rule=(
            "marker ≤ −50 % with sum ≥ +20 %: marker_falls_size_rises; marker ≥ +50 % with sum ≤ −20 %: "
            "marker_rises_size_falls; else no_divergence; all from baseline"
        ),
        source=OURS,
        verification="ours",
        seen=f"the phenomenon in the abstract of {_SOURCE}; its limits were not seen, these are ours",
        readings=(_READING,) if test == "afp" else (),
    )
    for test in ("afp", "dcp")
    for criterion in CRITERIA
)


def divergence_rows(changes: pl.DataFrame, *, timepoints: pl.DataFrame | None) -> pl.DataFrame:
    """Return the rows of `markers` that compare a marker with the sum of targets at each visit.

    A visit without a marker within `WITHIN_DAYS` has no row.

    Parameters
    ----------
    changes
        As `hccresist.assess.marker_changes.add_changes` returns them.
    timepoints
        As `assess_study` makes them.
    """
    if timepoints is None:
        return no_rows()
    present = set(changes["test"].unique())
    parts = [
        to_rows(_test_rows(changes.filter(pl.col("test") == test), timepoints, test, criterion))
        for test in BASELINE_MIN
        for criterion in CRITERIA
        if test in present
    ]
    return pl.concat([no_rows(), *parts])


def _test_rows(values: pl.DataFrame, timepoints: pl.DataFrame, test: str, criterion: str) -> pl.DataFrame:
    visits = timepoints.filter(pl.col("criterion") == criterion).select(
        *_KEYS, pl.col("change_from_baseline_percent").alias("size_change")
    )
    near = visits.rename({"day": "visit_day"}).join(values.filter("after"), on="patient_id", how="inner")
    near = near.filter((pl.col("day") - pl.col("visit_day")).abs() <= WITHIN_DAYS)
    rows = nearest_rows(near, by=["patient_id", "reader", "visit_day"], target=pl.col("visit_day"))
    rows = with_bound(rows)
    why = _why_not(test)
    said = pl.format("{}; sum of targets {}", said_change(), shown_change(pl.col("size_change")))
    return rows.select(
        "patient_id",
        "reader",
        pl.col("visit_day").alias("day"),
        marker=pl.lit(f"{test}_divergence_{criterion}"),
        value=pl.col("change"),
        unit=pl.lit("%"),
        comparator=pl.col("change_comparator"),
        response=pl.when(why.is_null()).then(_verdict()).fill_null(NOT_EVALUABLE),
        reason=pl.coalesce(why, said),
        source=pl.lit(OURS),
    )


def _verdict() -> pl.Expr:
    marker, size = judge(MARKER_CUTS, "stays"), pl.col("size_change").round(9)
    return (
        pl.when((marker == "falls") & (size >= SIZE_PERCENT))
        .then(pl.lit("marker_falls_size_rises"))
        .when((marker == "rises") & (size <= -SIZE_PERCENT))
        .then(pl.lit("marker_rises_size_falls"))
        .when(marker.is_not_null() | (size.abs() < SIZE_PERCENT))
        .then(pl.lit("no_divergence"))
    )


def _why_not(test: str) -> pl.Expr:
    low = (pl.col("base_value") < BASELINE_MIN[test]) | (pl.col("base_comparator") == "<").fill_null(
        value=False
    )
    return (
        pl.when(pl.col("size_change").is_null())
        .then(pl.lit("the sum of targets, or its baseline, is unknown"))
        .when(low)
        .then(
            pl.format(
                "the baseline of {} is not known to be at least {}",
                shown(pl.col("base_value")),
                pl.lit(f"{BASELINE_MIN[test]:g}"),
            )
        )
        .otherwise(why_unknown())
    )
