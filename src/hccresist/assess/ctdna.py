"""Circulating tumour DNA: detected or not, cleared or not, and the change of its allele frequency."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.assess.marker_definitions import OURS, Definition, Reading
from hccresist.assess.marker_results import MarkerIssues
from hccresist.assess.marker_rows import NOT_EVALUABLE, no_rows, shown, shown_change, to_rows
from hccresist.study.policies import Policies

_CLEARANCE: Final = "cancertherapyadvisor.com, ASCO 2020 (GO30140)"
_VAF: Final = "doi:10.1186/s13046-021-02016-3"
_DECIMALS: Final = 9

DEFINITIONS: Final[tuple[Definition, ...]] = (
    Definition(
        marker="ctdna_detected",
        kind="ctdna",
        title="ctDNA detected",
        needs=("ctdna_detected or ctdna_vaf",),
        rule="as recorded; where only a frequency is, detected means above 0",
        source=OURS,
        verification="ours",
        seen="a measurement; that a frequency of 0 is 'not detected' is our reading",
    ),
    Definition(
        marker="ctdna_clearance",
        kind="ctdna",
        title="ctDNA clearance",
        needs=("ctdna_detected or ctdna_vaf in the baseline window", "the same after it"),
        rule=(
            "detected at baseline: cleared when not detected later, else persistent; "
            "not detected at baseline: appeared when detected later, else undetected"
        ),
        source=_CLEARANCE,
        verification="partly_verified",
        seen=(
            "a report of a meeting abstract: ctDNA that became undetectable after treatment; that one "
            "sample is enough, and the two verdicts without ctDNA at baseline, are our choice"
        ),
        readings=(
            Reading(
                grade="cleared",
                text="atezolizumab–bevacizumab, n = 48: median PFS not reached; 6.5 months with ctDNA left",
                source=_CLEARANCE,
            ),
        ),
    ),
    Definition(
        marker="ctdna_vaf",
        kind="ctdna",
        title="ctDNA variant allele frequency",
        unit="%",
        needs=("ctdna_vaf",),
        rule="as recorded, in per cent",
        source=OURS,
        verification="ours",
        seen="a measurement; which variants it is the mean or maximum of is the study's own choice",
    ),
    Definition(
        marker="ctdna_vaf_change",
        kind="ctdna",
        title="ctDNA variant allele frequency, change from baseline",
        unit="%",
        needs=("ctdna_vaf in the baseline window", "ctdna_vaf after it"),
        rule="100 × (frequency − baseline) / baseline; below 0: fall, above: rise",
        source=_VAF,
        verification="partly_verified",
        seen="abstract: reduction of the mean frequency after 4 weeks; here every later sample",
        readings=(
            Reading(
                grade="fall",
                text="lenvatinib, n = 24: longer PFS; partial response: sensitivity 1.0, specificity 0.67",
                source=_VAF,
            ),
        ),
    ),
)


def ctdna_rows(observed: pl.DataFrame, *, policies: Policies) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of `markers` for ctDNA, and samples that contradict themselves.

    Parameters
    ----------
    observed
        As `hccresist.assess.marker_observations.read_observations` returns them.
    policies
        Baseline window.
    """
    samples = _samples(observed)
    if samples.is_empty():
        return no_rows(), MarkerIssues.create_empty()
    clash = (pl.col("recorded") == 0) & (pl.col("vaf") > 0)
    wrong = samples.filter(clash.fill_null(value=False))
    samples = samples.join(wrong, on=["patient_id", "day"], how="anti").sort("patient_id", "day")
    samples = _with_baseline(samples, policies)
    parts = [_detected_rows(samples), _clearance_rows(samples), _vaf_rows(samples), _vaf_change_rows(samples)]
    return pl.concat([to_rows(part) for part in parts]), _clash_issues(wrong)


def _samples(observed: pl.DataFrame) -> pl.DataFrame:
    both = observed.filter(pl.col("name").is_in(["ctdna_detected", "ctdna_vaf"]))
    value = pl.col("value")
    samples = both.group_by("patient_id", "day").agg(
        value.filter(pl.col("name") == "ctdna_detected").first().alias("recorded"),
        value.filter(pl.col("name") == "ctdna_vaf").first().alias("vaf"),
    )
    found = (
        pl.when(pl.col("recorded").is_not_null()).then(pl.col("recorded") > 0).otherwise(pl.col("vaf") > 0)
    )
    return samples.with_columns(found.alias("detected"))


def _with_baseline(samples: pl.DataFrame, policies: Policies) -> pl.DataFrame:
    """Add the last sample of the baseline window, for detection and for frequency, and what comes after."""
    inside = pl.col("day").is_between(policies.baseline_window_start, policies.baseline_window_end)
    window = samples.filter(inside)
    base = window.group_by("patient_id", maintain_order=True).last()
    base = base.select("patient_id", base_day="day", base_detected="detected")
    vaf = window.filter(pl.col("vaf").is_not_null()).group_by("patient_id", maintain_order=True).last()
    vaf = vaf.select("patient_id", vaf_day="day", base_vaf="vaf")
    samples = samples.join(base, on="patient_id", how="left", maintain_order="left")
    samples = samples.join(vaf, on="patient_id", how="left", maintain_order="left")
    return samples.with_columns((pl.col("day") > policies.baseline_window_end).alias("after"))


def _detected_rows(samples: pl.DataFrame) -> pl.DataFrame:
    return samples.select(
        "patient_id",
        "day",
        marker=pl.lit("ctdna_detected"),
        grade=pl.when(pl.col("detected")).then(pl.lit("detected")).otherwise(pl.lit("not_detected")),
        reason=pl.when(pl.col("recorded").is_null()).then(pl.lit("from the allele frequency")),
        source=pl.lit(OURS),
    )


def _clearance_rows(samples: pl.DataFrame) -> pl.DataFrame:
    had, has = pl.col("base_detected"), pl.col("detected")
    verdict = (
        pl.when(had.is_null())
        .then(pl.lit(NOT_EVALUABLE))
        .when(had & ~has)
        .then(pl.lit("cleared"))
        .when(had)
        .then(pl.lit("persistent"))
        .when(has)
        .then(pl.lit("appeared"))
        .otherwise(pl.lit("undetected"))
    )
    known = pl.format(
        "{} on day {}, {} on day {}",
        _found(had),
        shown(pl.col("base_day")),
        _found(has),
        shown(pl.col("day")),
    )
    return samples.filter("after").select(
        "patient_id",
        "day",
        marker=pl.lit("ctdna_clearance"),
        response=verdict,
        reason=pl.when(had.is_null())
        .then(pl.lit("there is no sample in the baseline window"))
        .otherwise(known),
        source=pl.lit(_CLEARANCE),
    )


def _found(detected: pl.Expr) -> pl.Expr:
    return pl.when(detected).then(pl.lit("detected")).otherwise(pl.lit("not detected"))


def _vaf_rows(samples: pl.DataFrame) -> pl.DataFrame:
    return samples.filter(pl.col("vaf").is_not_null()).select(
        "patient_id",
        "day",
        marker=pl.lit("ctdna_vaf"),
        value=pl.col("vaf"),
        unit=pl.lit("%"),
        source=pl.lit(OURS),
    )


def _vaf_change_rows(samples: pl.DataFrame) -> pl.DataFrame:
    base, vaf = pl.col("base_vaf"), pl.col("vaf")
    change = pl.when(base > 0).then((100.0 * (vaf - base) / base).round(_DECIMALS))
    verdict = (
        pl.when(change < 0)
        .then(pl.lit("fall"))
        .when(change > 0)
        .then(pl.lit("rise"))
        .when(change == 0)
        .then(pl.lit("unchanged"))
        .otherwise(pl.lit(NOT_EVALUABLE))
    )
    known = pl.format(
        "{} % on day {}, {} from {} % on day {}",
        shown(vaf, digits=4),
        shown(pl.col("day")),
        shown_change(change),
        shown(base, digits=4),
        shown(pl.col("vaf_day")),
    )
    why = (
        pl.when(base.is_null())
        .then(pl.lit("there is no frequency in the baseline window"))
        .when(base == 0)
        .then(pl.lit("the baseline is 0"))
        .otherwise(known)
    )
    return samples.filter(pl.col("after") & vaf.is_not_null()).select(
        "patient_id",
        "day",
        marker=pl.lit("ctdna_vaf_change"),
        value=change,
        unit=pl.lit("%"),
        response=verdict,
        reason=why,
        source=pl.lit(_VAF),
    )


def _clash_issues(wrong: pl.DataFrame) -> pl.DataFrame:
    frame = wrong.select(
        "patient_id",
        "day",
        pl.lit("observations").alias("table"),
        pl.lit("ctdna_detected").alias("test"),
        pl.format("not detected, frequency {} %", pl.col("vaf")).alias("found"),
        pl.lit(None, dtype=pl.String).alias("unit"),
        pl.lit("contradiction").alias("code"),
        pl.lit("ctDNA is recorded as not detected, and with a frequency above 0").alias("problem"),
        pl.lit("Correct one of the two; the sample was not used.").alias("hint"),
        pl.lit(value=True).alias("refused"),
    )
    return MarkerIssues.validate(frame.sort("patient_id", "day"))
