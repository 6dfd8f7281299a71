"""From the arrays of the engine to result tables."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from hccresist.assess import words as w
from hccresist.assess.best import Course, best_response
from hccresist.assess.criteria import Criterion, NewLesions
from hccresist.assess.measure import Measures
from hccresist.assess.response import Responses
from hccresist.assess.rules import Rule
from hccresist.assess.steps import Steps
from hccresist.assess.visits import Bools, Floats, Ints, Scans
from hccresist.study.policies import Policies


def timepoints_frame(
    criterion: Criterion, scans: Scans, *, measures: Measures, responses: Responses, visits: Ints
) -> pl.DataFrame:
    """Return the response of each follow-up visit, with the numbers that its reason needs."""
    series = scans.visit_series[visits]
    known = (measures.n_evaluated[visits] > 0) & (measures.n_targets[series] > 0)
    full = known & (measures.n_evaluated[visits] == measures.n_targets[series])
    total = measures.sum[visits]
    has_base = (measures.baseline[series] >= 0) & (measures.n_targets[series] > 0)
    base = np.where(has_base, measures.sum[measures.baseline[series]], -1)
    nadir = responses.nadir[visits]
    compared = full | (responses.target[visits] == w.PD)
    new_sum = measures.new_sum[visits]
    measures_new = criterion.new_lesions is not NewLesions.PROGRESSION
    if criterion.new_lesions is NewLesions.ADDED:
        total = total + np.maximum(new_sum, 0)
    frame = pl.DataFrame(
        {
            "day": scans.visit_last[visits],
            "target": w.spell(responses.target[visits], criterion.words),
            "nontarget": w.spell(responses.nontarget[visits], criterion.words),
            "new_lesion": responses.new_lesion[visits],
            "overall": w.spell(responses.overall[visits], criterion.words),
            "sum_mm": _mm(total, known, criterion),
            "new_target_sum_mm": _mm(new_sum, (new_sum >= 0) & measures_new, criterion),
            "baseline_mm": _mm(base, base >= 0, criterion),
            "nadir_mm": _mm(nadir, nadir >= 0, criterion),
            "change_from_baseline_percent": _change(total, base, compared & known),
            "change_from_nadir_percent": _change(total, nadir, compared & known),
            "rule_code": responses.rule[visits],
            "n_targets": measures.n_targets[series].astype(np.int16),
            "n_evaluated": measures.n_evaluated[visits].astype(np.int16),
            "n_nontargets": measures.n_nontargets[series].astype(np.int16),
            "pending_day": responses.pending_day[visits],
            "late": responses.late[visits],
        },
        nan_to_null=True,
    )
    return named(frame, criterion, series=scans.series, rows=series)


def progressions_frame(
    criterion: Criterion, scans: Scans, *, measures: Measures, responses: Responses, visits: Ints
) -> pl.DataFrame:
    """Return what progressed at each visit with progression: sites of growth and of new lesions.

    Targets in the liver (or elsewhere) have grown when their part of the sum lies above what it was at
    the visit of the nadir. Components after Llovet & Lencioni 2020, doi:10.1016/j.jhep.2019.09.026.
    """
    at = visits[np.isin(responses.overall[visits], (w.PD, w.UPD, w.CPD))]
    series = scans.visit_series[at]
    start = responses.nadir_visit[at]
    known = (responses.target[at] == w.PD) & (start >= 0)
    liver = measures.hepatic_sum[at] - measures.hepatic_sum[start]
    elsewhere = measures.sum[at] - measures.sum[start] - liver
    back = responses.rule[at] == Rule.PD_RETURN
    nontarget, new = measures.nt_sites[at], measures.new_sites[at]
    parts = {
        "intrahepatic_growth": (known & (liver > 0))
        | nontarget[:, 0]
        | (back & (measures.hepatic_sum[at] > 0)),
        "new_intrahepatic": new[:, 0],
        "extrahepatic_growth": (known & (elsewhere > 0)) | nontarget[:, 2],
        "new_extrahepatic": new[:, 2],
        "vascular_invasion": nontarget[:, 1] | new[:, 1],
    }
    site_unknown = ~np.logical_or.reduce(list(parts.values()))
    frame = pl.DataFrame({"day": scans.visit_last[at], **parts, "site_unknown": site_unknown})
    return named(frame, criterion, series=scans.series, rows=series)


def named(frame: pl.DataFrame, criterion: Criterion, *, series: pl.DataFrame, rows: Ints) -> pl.DataFrame:
    """Return a frame with patient, reader and criterion put before its columns."""
    return series[rows].with_columns(pl.lit(criterion.name).alias("criterion")).hstack(frame)


def _mm(units: Ints, known: Bools, criterion: Criterion) -> Floats:
    """Return the engine's units as mm or mm², NaN where not known."""
    return np.where(known, units / criterion.measure.per_mm, np.nan)


def _change(value: Ints, start: Ints, compared: Bools) -> Floats:
    """Return the change in per cent, NaN where the start is 0 or unknown or the sum is incomplete.

    From whole units, so that a verdict at exactly +20 % stands beside exactly 20.0.
    """
    known = compared & (start > 0)
    return np.where(known, 100 * (value - start) / np.where(known, start, 1), np.nan)


def baselines_frame(
    criterion: Criterion, scans: Scans, *, measures: Measures, responses: Responses, visits: Ints
) -> pl.DataFrame:
    """Return the baseline of each series."""
    has = measures.baseline >= 0
    at = measures.baseline
    evaluable = np.zeros(scans.series.height, dtype=np.bool_)
    evaluable[scans.visit_series[visits[responses.overall[visits] != w.NE]]] = True
    targets = measures.n_targets > 0
    why = np.select(
        [~has, ~targets & measures.diseased, ~has | ~targets, measures.n_left_out > 0],
        [1, 2, 3, 4],
        0,
    )
    texts = pl.Series(
        [
            None,
            "no adequate scan in the baseline window",
            "disease at baseline, but no target that this criterion can measure",
            "no disease recorded at baseline",
            "a recorded target was not measured at baseline and is left out",
        ],
        dtype=pl.String,
    )
    frame = pl.DataFrame(
        {
            "day": np.where(has, scans.visit_last[at] if scans.n_visits else np.nan, np.nan),
            "n_targets": measures.n_targets,
            "n_nontargets": measures.n_nontargets,
            "baseline_mm": _mm(measures.sum[at], has & targets, criterion)
            if scans.n_visits
            else np.full(len(has), np.nan),
            "measurable": targets,
            "evaluable": evaluable,
            "reason": texts.gather(pl.Series(why, dtype=pl.UInt32)),
        },
        nan_to_null=True,
    )
    return named(frame, criterion, series=scans.series, rows=np.arange(scans.series.height))


def measured_best(
    criterion: Criterion,
    scans: Scans,
    *,
    measures: Measures,
    responses: Responses,
    steps: Steps,
    last_day: Floats,
    policies: Policies,
) -> pl.DataFrame:
    """Return best responses and dates of measured responses."""
    by_sum = scans.visit_last if policies.pd_date == "last" else scans.visit_first
    base_day = np.zeros(scans.series.height)
    if policies.sd_min_reference == "baseline":
        has = measures.baseline >= 0
        base_day[has] = scans.visit_last[measures.baseline[has]]
    path = Course(
        n_series=scans.series.height,
        day=scans.visit_last,
        progression_date=np.where(responses.by_sum, by_sum, measures.new_day),
        overall=responses.overall,
        steps=steps,
        reference_day=base_day,
        last_day=last_day,
        plain=criterion.new_lesions is NewLesions.ADDED,
    )
    return best_frame(criterion, scans.series, path=path, policies=policies)


def best_frame(
    criterion: Criterion, series: pl.DataFrame, *, path: Course, policies: Policies
) -> pl.DataFrame:
    """Return best responses and dates of any course of responses."""
    best = best_response(path, policies=policies)
    frame = pl.DataFrame(
        {
            "best": w.spell(best.best, criterion.words),
            "best_confirmed": w.spell(best.best_confirmed, criterion.words),
            "best_day": best.best_day,
            "first_response_day": best.first_response_day,
            "progression_day": best.progression_day,
        },
        nan_to_null=True,
    )
    return named(frame, criterion, series=series, rows=np.arange(series.height))


def empty(name: str) -> pl.DataFrame:
    """Return an empty table with the columns that a chunk yields."""
    return pl.DataFrame(schema=SCHEMAS[name])


KEY: Final = {"patient_id": pl.String, "reader": pl.String, "criterion": pl.String}
SCHEMAS: Final[dict[str, dict[str, pl.DataType | type[pl.DataType]]]] = {
    "timepoints": {
        **KEY,
        "day": pl.Float64,
        "target": w.WORDS,
        "nontarget": w.WORDS,
        "new_lesion": pl.Boolean,
        "overall": w.WORDS,
        "sum_mm": pl.Float64,
        "new_target_sum_mm": pl.Float64,
        "baseline_mm": pl.Float64,
        "nadir_mm": pl.Float64,
        "change_from_baseline_percent": pl.Float64,
        "change_from_nadir_percent": pl.Float64,
        "rule_code": pl.Int8,
        "n_targets": pl.Int16,
        "n_evaluated": pl.Int16,
        "n_nontargets": pl.Int16,
        "pending_day": pl.Float64,
        "late": pl.Boolean,
    },
    "progressions": {
        **KEY,
        "day": pl.Float64,
        "intrahepatic_growth": pl.Boolean,
        "new_intrahepatic": pl.Boolean,
        "extrahepatic_growth": pl.Boolean,
        "new_extrahepatic": pl.Boolean,
        "vascular_invasion": pl.Boolean,
        "site_unknown": pl.Boolean,
    },
    "best_response": {
        **KEY,
        "best": w.WORDS,
        "best_confirmed": w.WORDS,
        "best_day": pl.Float64,
        "first_response_day": pl.Float64,
        "progression_day": pl.Float64,
    },
    "baselines": {
        **KEY,
        "day": pl.Float64,
        "n_targets": pl.Int64,
        "n_nontargets": pl.Int64,
        "baseline_mm": pl.Float64,
        "measurable": pl.Boolean,
        "evaluable": pl.Boolean,
        "reason": pl.String,
    },
}
