"""Recorded responses beside what the criterion's own engine derives from recorded measurements.

A response belongs to the visit that holds its day, else to the nearest visit within
``visit_window_days``. Where a reader recorded two responses within one visit, the clinic itself told
two assessments apart: the scans of that patient and reader are then grouped by half the time between them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import polars as pl

from hccresist.assess.audit_frames import Tables, scan_visits
from hccresist.assess.engine import READ, assess_study
from hccresist.assess.visits import KEYS
from hccresist.study.policies import Policies
from hccresist.study.study import Study

ENGINE: Final = {
    "target": "engine_target",
    "new_lesion": "engine_new",
    "sum_mm": "sum_mm",
    "baseline_mm": "baseline_mm",
    "nadir_mm": "nadir_mm",
    "rule": "engine_rule",
}
"""What is taken from the engine's timepoints, and how it is called here."""


def compare_responses(
    study: Study, responses: pl.DataFrame, *, tables: Tables, timepoints: pl.DataFrame | None
) -> pl.DataFrame:
    """Return recorded responses with the visit they belong to and the engine's verdict on it.

    Parameters
    ----------
    study
        Where policies and criteria are taken from.
    responses
        Recorded responses after baseline, sorted by key.
    tables
        Tables from which the engine shall derive; recorded responses and overrides are left out.
    timepoints
        What it derives from them under the study's policies, where that is known.

    Returns
    -------
    polars.DataFrame
        The rows of `responses` with ``scan_day`` (last scan of the visit; null without one) and the
        columns of `ENGINE`, null where the engine has nothing to say.
    """
    policies = study.config.policies
    whole = policies.visit_window_days
    matched = match_visits(responses, scan_visits(tables, whole, policies), policies)
    narrow = _narrower(matched)
    parts = [_with_verdicts(_of(matched, narrow, how="anti"), study, tables, whole, timepoints)]
    for window in sorted(narrow["window"].unique().to_list()):
        own = narrow.filter(pl.col("window") == window)
        rows, reduced = _of(responses, own, how="semi"), _tables_of(tables, own)
        again = match_visits(rows, scan_visits(reduced, window, policies), policies)
        parts.append(_with_verdicts(again, study, reduced, window, None))
    return pl.concat(parts, how="vertical_relaxed").sort(*KEYS, "criterion", "day")


def match_visits(responses: pl.DataFrame, scans: pl.DataFrame, policies: Policies) -> pl.DataFrame:
    """Return responses with ``visit`` and ``scan_day`` of the visit after baseline that they belong to."""
    follow_up = scans.filter(pl.col("first") > policies.baseline_window_end)
    visits = follow_up.select(*KEYS, "visit", "first", "last").unique().sort("first")
    rows = responses.sort("day")
    before = rows.join_asof(
        visits, left_on="day", right_on="first", by=KEYS, strategy="backward", check_sortedness=False
    )
    after = rows.join_asof(
        visits, left_on="day", right_on="first", by=KEYS, strategy="forward", check_sortedness=False
    )
    both = before.with_columns(after.select(pl.col("visit", "first", "last").name.suffix("_after")))
    late = (pl.col("day") - pl.col("last")).clip(lower_bound=0.0)
    early = pl.col("first_after") - pl.col("day")
    use_next = pl.col("visit_after").is_not_null() & (late.is_null() | (early < late))
    gap = pl.when(use_next).then(early).otherwise(late)
    near = gap <= policies.visit_window_days
    picked = {
        name: pl.when(near & use_next).then(f"{source}_after").when(near).then(source)
        for name, source in (("visit", "visit"), ("scan_day", "last"))
    }
    return both.with_columns(**picked).select(*responses.columns, "visit", "scan_day").sort(*KEYS, "day")


def _narrower(matched: pl.DataFrame) -> pl.DataFrame:
    """Return patients and readers with several responses in one visit, and half the least time between."""
    rows = matched.drop_nulls("visit").sort(*KEYS, "criterion", "day")
    same = (pl.col("visit") == pl.col("visit").shift()) & (pl.col("criterion") == pl.col("criterion").shift())
    gaps = rows.filter(same.fill_null(value=False) | same.shift(-1).fill_null(value=False))
    gaps = gaps.with_columns(gap=pl.col("day").diff().over(*KEYS, "criterion", "visit"))
    gaps = gaps.filter(pl.col("gap") > 0)
    return gaps.group_by(KEYS).agg((pl.col("gap").min() / 2).alias("window"))


def _of(rows: pl.DataFrame, series: pl.DataFrame, *, how: str) -> pl.DataFrame:
    return rows.join(series, on=KEYS, how="semi" if how == "semi" else "anti", maintain_order="left")


def _tables_of(tables: Tables, series: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return the tables of some patients and readers."""
    patients = series.select("patient_id").unique()
    keys = {name: KEYS if name in READ else ["patient_id"] for name in tables}
    few = {name: series if name in READ else patients for name in tables}
    return {
        name: frame.join(few[name], on=keys[name], how="semi", maintain_order="left")
        for name, frame in tables.items()
        if name in (*READ, "patients", "procedures")
    }


def _with_verdicts(
    rows: pl.DataFrame, study: Study, tables: Tables, window: float, timepoints: pl.DataFrame | None
) -> pl.DataFrame:
    found = timepoints if timepoints is not None else _derive(rows, study, tables, window)
    verdicts = found.select(
        *KEYS, "criterion", pl.col("day").alias("scan_day"), *(pl.col(a).alias(b) for a, b in ENGINE.items())
    )
    return rows.drop("visit").join(verdicts, on=[*KEYS, "criterion", "scan_day"], how="left")


def _derive(rows: pl.DataFrame, study: Study, tables: Tables, window: float) -> pl.DataFrame:
    """Return the engine's timepoints for the patients and criteria of some responses."""
    kept = _tables_of(
        {name: frame for name, frame in tables.items() if name != "responses"}, rows.select(KEYS).unique()
    )
    if "visits" in kept:
        kept["visits"] = kept["visits"].with_columns(
            target_override=pl.lit(None, dtype=kept["visits"]["target_override"].dtype)
        )
    policies = replace(
        study.config.policies, responses="measured", primary_reader="", visit_window_days=window
    )
    reduced = replace(study, tables=kept).with_policies(policies)
    names = rows["criterion"].unique().sort().to_list()
    if not names:
        names = list(study.config.criteria)
    return assess_study(reduced, criteria=names).tables["timepoints"]
