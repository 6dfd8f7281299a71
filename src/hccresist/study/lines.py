"""Look at another line of treatment: the same patients, with that line's start as day 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import polars as pl

from hccresist.errors import ConfigError, InputError
from hccresist.study.issues import Issue, Severity
from hccresist.study.study import Study
from hccresist.study.tables import SCHEMAS

DAY_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "treatments": ("start_day", "end_day"),
    "procedures": ("day",),
    "visits": ("day",),
    "lesions": ("day",),
    "sums": ("day",),
    "responses": ("day",),
    "labs": ("day",),
    "observations": ("day",),
    "survival": ("os_days", "entry_day", "last_alive_day"),
    "samples": ("day",),
}
"""Columns that hold days counted from day 0, by table."""

READ_AGAINST_BASELINE: Final[Mapping[str, tuple[str, ...]]] = {
    "lesions": ("role",),
    "visits": ("nontarget", "new_lesion", "target_override"),
}
"""Columns that a reader filled in against the baseline of the index line."""


def move_to_line(study: Study, line: int) -> Study:
    """Return the study with the start of another line of treatment as day 0.

    1. Day 0 of a patient is the first `start_day` among the drugs of the line. Patients without one
       are left out; how many stands in the warnings.
    2. Every day is counted from there. A patient who entered observation before the new day 0 is
       observed from it on.
    3. What was read against the old baseline (roles of lesions; recorded non-target response, new
       lesion and target response of a visit) no longer holds and is emptied: targets are chosen by
       rule, and what is first seen after the new baseline is new.
    4. Endpoints that the study brings (``NAME_days``, ``NAME_event``) belong to the old day 0 and are
       left out.

    Parameters
    ----------
    study
        A checked study.
    line
        Line of treatment, as in table `treatments`.

    Returns
    -------
    Study
        The same study where `line` is its index line already.

    Raises
    ------
    ConfigError
        When no patient has a start of that line.
    InputError
        When follow-up of a patient ends before the line begins.
    """
    if line == study.config.index_line:
        return study
    starts = _find_starts(study, line)
    kept = {name: _move(name, frame, starts) for name, frame in study.tables.items()}
    if "alterations" in kept and "samples" in kept:
        kept["alterations"] = kept["alterations"].join(kept["samples"], on="sample_id", how="semi")
    _refuse_early_ends(kept, line)
    return replace(
        study,
        config=replace(study.config, index_line=line),
        tables={name: frame for name, frame in kept.items() if frame.height},
        warnings=(*study.warnings, *_describe(study, starts, line)),
    )


def _find_starts(study: Study, line: int) -> pl.DataFrame:
    treatments = study.table("treatments")
    if treatments is not None:
        rows = treatments.filter(pl.col("line") == line, pl.col("start_day").is_not_null())
        starts = (
            rows.group_by("patient_id").agg(pl.col("start_day").min().alias("__start")).sort("patient_id")
        )
        if starts.height:
            return starts
    msg = f"No patient has a start of line {line} in table treatments, so nothing can be counted from it."
    raise ConfigError(msg)


def _move(name: str, frame: pl.DataFrame, starts: pl.DataFrame) -> pl.DataFrame:
    if "patient_id" not in frame.columns:
        return frame
    joined = frame.join(starts, on="patient_id", how="inner", maintain_order="left")
    moved = joined.with_columns(pl.col(day) - pl.col("__start") for day in DAY_COLUMNS.get(name, ()))
    moved = moved.with_columns(
        pl.lit(None, dtype=frame.schema[column]).alias(column)
        for column in READ_AGAINST_BASELINE.get(name, ())
    )
    if name == "survival":
        entered = pl.when(pl.col("entry_day") > 0).then(pl.col("entry_day"))
        moved = moved.with_columns(entered.alias("entry_day")).drop(_own_endpoints(frame))
    return moved.drop("__start")


def _own_endpoints(survival: pl.DataFrame) -> list[str]:
    """Return the columns of endpoints that the study brings: NAME_days with NAME_event."""
    declared = SCHEMAS["survival"].column_names()
    names = [name.removesuffix("_event") for name in survival.columns if name.endswith("_event")]
    pairs = [name for name in names if f"{name}_days" in survival.columns]
    return [c for name in pairs for c in (f"{name}_days", f"{name}_event") if c not in declared]


def _refuse_early_ends(tables: Mapping[str, pl.DataFrame], line: int) -> None:
    survival = tables.get("survival")
    if survival is None:
        return
    early = survival.filter(pl.col("os_days") < 0)
    issues = [
        Issue(
            code="line-after-end",
            problem=f"follow-up ends {-days:g} days before line {line} begins",
            hint="Correct os_days, or start_day in treatments.",
            file="survival",
            column="os_days",
            patient=patient,
        )
        for patient, days in early.select("patient_id", "os_days").iter_rows()
    ]
    if issues:
        raise InputError(issues)


def _describe(study: Study, starts: pl.DataFrame, line: int) -> list[Issue]:
    lost = study.patients.height - starts.height
    texts = {
        "line-moved": f"days are counted from the start of line {line} instead of {study.config.index_line}; "
        "recorded roles, new lesions and non-target responses belong to the old baseline and are not used",
    }
    if lost:
        texts["line-not-given"] = f"{lost} patients have no start of line {line} and are left out"
    survival = study.table("survival")
    endpoints = _own_endpoints(survival) if survival is not None else []
    if endpoints:
        texts["line-endpoints"] = f"{', '.join(endpoints)} belong to line {study.config.index_line}; left out"
    return [
        Issue(
            code=code,
            problem=text,
            hint=f"Leave out --line to look at line {study.config.index_line}.",
            severity=Severity.WARNING,
        )
        for code, text in texts.items()
    ]
