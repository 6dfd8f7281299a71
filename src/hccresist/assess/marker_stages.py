"""Rows of `markers` for tumour burden and stage at baseline."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.assess.marker_rows import NOT_EVALUABLE, no_rows, shown, to_rows
from hccresist.assess.staging import BEYOND, WITHIN, bclc_2022, burden_mm, milan, ucsf, up_to_seven
from hccresist.study import codes
from hccresist.study.policies import Policies
from hccresist.study.study import Study

_KEYS: Final = ["patient_id", "reader"]
_BCLC_SOURCE: Final = "doi:10.1016/j.jhep.2021.11.018"
_TRANSPLANT: Final = "PMC6558441"


def stage_rows(study: Study, *, baselines: pl.DataFrame | None, ward: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of `markers` for stages, one a patient and reader with lesions at baseline.

    Parameters
    ----------
    study
        Tables lesions and patients.
    baselines
        As `assess_study` makes them: the day of the baseline scan. Without, the last day with lesions
        in the baseline window is taken.
    ward
        patient_id, `child_pugh_class` (A, B, C or empty) and `observed_ecog` at baseline.
    """
    burden = tumour_burden(study, baselines=baselines)
    if burden.is_empty():
        return no_rows()
    facts = burden.join(_patient_facts(study), on="patient_id", how="left", maintain_order="left")
    facts = facts.join(ward, on="patient_id", how="left", maintain_order="left").with_columns(
        pl.coalesce("child_pugh_class", "recorded_class").alias("child_pugh_class"),
        pl.coalesce("ecog", "observed_ecog").alias("ecog"),
        _either(pl.col("vascular_invasion"), pl.col("vessel_lesion")).alias("vascular_invasion"),
        _either(pl.col("extrahepatic_spread"), pl.col("distant_lesion")).alias("extrahepatic_spread"),
    )
    verdicts = {
        "up_to_seven": up_to_seven(),
        "milan": milan(),
        "ucsf": ucsf(),
    }
    parts = [_limit_rows(facts, marker, within) for marker, within in verdicts.items()]
    return pl.concat([to_rows(part) for part in (*parts, _bclc_rows(facts))])


def tumour_burden(study: Study, *, baselines: pl.DataFrame | None) -> pl.DataFrame:
    """Return the nodules in the liver at baseline: how many, how large.

    Returns
    -------
    pl.DataFrame
        patient_id, reader, day; nodules, unmeasured (how many have no size), largest_mm, sum_mm (of those
        measured); vessel_lesion, distant_lesion: a lesion was recorded in a vessel or duct, or outside
        the liver.
    """
    lesions = study.table("lesions")
    if lesions is None:
        return pl.DataFrame(schema=_BURDEN)
    policies = study.config.policies
    rows = lesions.join(_baseline_days(lesions, baselines, policies), on=_KEYS, how="inner")
    inside = (pl.col("day") <= pl.col("base_day")) & (
        pl.col("day") >= pl.col("base_day") - policies.visit_window_days
    )
    state = pl.col("state").cast(pl.String).fill_null("present")
    rows = rows.filter(inside).sort(*_KEYS, "lesion_id", "day")
    rows = rows.unique([*_KEYS, "lesion_id"], keep="last", maintain_order=True)
    rows = rows.filter(~state.is_in(["absent", "merged"]), pl.col("split_from").is_null())
    organ = pl.col("organ").cast(pl.String).fill_null("liver")
    node = pl.col("node").fill_null(value=False) | organ.is_in(codes.NODE_ORGANS)
    hilar = organ == "porta_hepatis_node"
    limit = pl.when(hilar).then(policies.mrecist_hilar_node_mm).otherwise(policies.new_node_mm)
    node_counts = pl.col("short_axis_mm").fill_null(float("inf")) >= limit
    nodule = (organ == "liver") & ~node & ~(pl.col("longest_mm").fill_null(1.0) == 0)
    vessel = organ.is_in(codes.VASCULAR_ORGANS)
    fluid = organ.is_in(codes.FLUID_ORGANS)
    distant = (~node & ~vessel & ~fluid & (organ != "liver")) | (node & node_counts)
    size = pl.col("longest_mm").filter(nodule)
    found = rows.group_by(_KEYS).agg(
        pl.col("base_day").first().alias("day"),
        nodule.sum().cast(pl.Int64).alias("nodules"),
        size.null_count().cast(pl.Int64).alias("unmeasured"),
        size.max().alias("largest_mm"),
        size.sum().round(6).alias("sum_mm"),
        (vessel & ~node).any().alias("vessel_lesion"),
        distant.any().alias("distant_lesion"),
    )
    return found.sort(_KEYS)


_BURDEN: Final = {
    "patient_id": pl.String,
    "reader": pl.String,
    "day": pl.Float64,
    "nodules": pl.Int64,
    "unmeasured": pl.Int64,
    "largest_mm": pl.Float64,
    "sum_mm": pl.Float64,
    "vessel_lesion": pl.Boolean,
    "distant_lesion": pl.Boolean,
}


def _baseline_days(lesions: pl.DataFrame, baselines: pl.DataFrame | None, policies: Policies) -> pl.DataFrame:
    inside = pl.col("day").is_between(policies.baseline_window_start, policies.baseline_window_end)
    days = lesions.filter(inside).group_by(_KEYS).agg(pl.col("day").max().alias("base_day"))
    if baselines is None or baselines.is_empty():
        return days
    wanted = baselines.filter(pl.col("day").is_not_null())
    first = (pl.col("criterion") != "recist11").alias("__later")
    known = wanted.sort(*_KEYS, first, "criterion").unique(_KEYS, keep="first", maintain_order=True)
    known = known.select(*_KEYS, pl.col("day").alias("scan_day"))
    joined = days.join(known, on=_KEYS, how="full", coalesce=True)
    return joined.select(*_KEYS, pl.coalesce("scan_day", "base_day").alias("base_day"))


def _patient_facts(study: Study) -> pl.DataFrame:
    score = pl.col("child_pugh_score")
    recorded = (
        pl.when(score <= 6)
        .then(pl.lit("A"))
        .when(score <= 9)
        .then(pl.lit("B"))
        .when(score <= 15)
        .then(pl.lit("C"))
    )
    return study.patients.select(
        "patient_id",
        "vascular_invasion",
        "extrahepatic_spread",
        pl.col("ecog").cast(pl.Float64),
        pl.col("bclc").cast(pl.String).alias("recorded_bclc"),
        recorded.alias("recorded_class"),
    )


def _either(stated: pl.Expr, seen: pl.Expr) -> pl.Expr:
    """Return whether a finding is there: stated, or seen as a lesion; unknown when neither is known.

    Lesions of vessels and metastases need not be recorded, so their absence proves nothing.
    """
    return pl.when(seen.fill_null(value=False)).then(pl.lit(value=True)).otherwise(stated)


def _limit_rows(facts: pl.DataFrame, marker: str, within: pl.Expr) -> pl.DataFrame:
    counted = marker == "up_to_seven"
    number = (burden_mm() / 10.0).round(6) if counted else pl.lit(None, dtype=pl.Float64)
    measured = (pl.col("nodules") > 0) & (pl.col("unmeasured") == 0)
    verdict = pl.when(within).then(pl.lit(WITHIN)).when(~within).then(pl.lit(BEYOND))
    missing = _missing(invasion=not counted)
    return facts.select(
        *_KEYS,
        "day",
        marker=pl.lit(marker),
        value=pl.when(measured).then(number),
        grade=verdict,
        response=verdict.fill_null(NOT_EVALUABLE),
        reason=pl.when(within.is_null())
        .then("unknown: " + missing)
        .otherwise(_said_burden(invasion=not counted)),
        source=pl.lit(_TRANSPLANT),
    )


def _bclc_rows(facts: pl.DataFrame) -> pl.DataFrame:
    stage = bclc_2022()
    differs = stage.is_not_null() & (stage != pl.col("recorded_bclc"))
    ward = pl.format(
        "{}; ECOG {}, Child-Pugh {}",
        _said_burden(invasion=True),
        shown(pl.col("ecog")),
        pl.col("child_pugh_class").fill_null("unknown"),
    )
    recorded = pl.when(pl.col("recorded_bclc").is_not_null()).then(
        pl.format("; recorded {}", pl.col("recorded_bclc"))
    )
    reason = pl.when(stage.is_null()).then("unknown: " + _missing(invasion=True, ward=True)).otherwise(ward)
    return facts.select(
        *_KEYS,
        "day",
        marker=pl.lit("bclc_2022"),
        grade=stage,
        response=pl.when(stage.is_null()).then(pl.lit(NOT_EVALUABLE)),
        flag=pl.when(differs).then(pl.format("differs_from_recorded ({})", pl.col("recorded_bclc"))),
        reason=reason + recorded.fill_null(""),
        source=pl.lit(_BCLC_SOURCE),
    )


def _missing(*, invasion: bool, ward: bool = False) -> pl.Expr:
    """Return the names of what is not known, separated by commas."""
    gaps = [
        pl.when(pl.col("nodules") == 0).then(pl.lit("there is no nodule in the liver")),
        pl.when(pl.col("unmeasured") > 0).then(
            pl.format("size of {} of {} nodules", pl.col("unmeasured"), pl.col("nodules"))
        ),
    ]
    if invasion:
        gaps += [
            pl.when(pl.col("vascular_invasion").is_null()).then(pl.lit("vascular invasion")),
            pl.when(pl.col("extrahepatic_spread").is_null()).then(pl.lit("extrahepatic spread")),
        ]
    if ward:
        gaps += [
            pl.when(pl.col("ecog").is_null()).then(pl.lit("ECOG")),
            pl.when(pl.col("child_pugh_class").is_null()).then(pl.lit("Child-Pugh class")),
        ]
    return pl.concat_str(gaps, separator=", ", ignore_nulls=True)


def _said_burden(*, invasion: bool) -> pl.Expr:
    text = pl.format("{} nodules, largest {} mm", pl.col("nodules"), shown(pl.col("largest_mm")))
    text = (
        pl.when(pl.col("nodules") > 1)
        .then(text + pl.format(", sum {} mm", shown(pl.col("sum_mm"))))
        .otherwise(text)
    )
    if not invasion:
        return text
    return pl.format(
        "{}; vascular invasion {}, extrahepatic spread {}",
        text,
        _yes_no("vascular_invasion"),
        _yes_no("extrahepatic_spread"),
    )


def _yes_no(name: str) -> pl.Expr:
    return (
        pl.when(pl.col(name))
        .then(pl.lit("yes"))
        .when(~pl.col(name))
        .then(pl.lit("no"))
        .otherwise(pl.lit("unknown"))
    )
