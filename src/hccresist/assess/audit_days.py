"""Checks of days: partial dates, scans after death, the age of the baseline."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.assess.audit_case import AuditCase
from hccresist.assess.audit_check import OURS, RECIST, Check, Finding, find, say
from hccresist.assess.visits import KEYS
from hccresist.study.issues import Issue

OLDEST_DAYS: Final = 28.0
"""Days before day 0 that a baseline scan may be old."""
PARTIAL: Final = "partial-date"
"""Code of the warnings of the readers about dates without day or month."""


def partial_dates(case: AuditCase) -> Finding:
    """Return the partial dates that the readers told; their days were imputed, see the warning."""
    told = [issue for issue in case.study.warnings if issue.code == PARTIAL]
    names = ("patient_id", "reader", "found", "expected", "reason")
    schema: dict[str, type[pl.DataType]] = dict.fromkeys(names, pl.String)
    frame = pl.DataFrame([_row(issue) for issue in told], schema=schema)
    frame = frame.with_columns(day=pl.lit(None, dtype=pl.Float64))
    texts = {name: pl.col(name) for name in ("found", "expected", "reason")}
    return find(frame, pl.lit(value=True), **texts)


def _row(issue: Issue) -> dict[str, str]:
    return {
        "patient_id": issue.patient or "",
        "reader": "",
        "found": issue.found or f"{issue.count} more",
        "expected": issue.expected or "a whole date",
        "reason": f"{issue.place()}: {issue.problem}.",
    }


def after_death(case: AuditCase) -> Finding:
    """Return scans and recorded responses after the day of death."""
    survival = case.study.tables["survival"].filter("died").drop_nulls("os_days")
    scans = case.scans.select(*KEYS, "day", what=pl.lit("scan"))
    recorded = case.study.table("responses")
    if recorded is not None:
        said = recorded.select(*KEYS, "day", what=pl.lit("response")).unique()
        scans = pl.concat([scans, said.join(scans, on=[*KEYS, "day"], how="anti")])
    rows = scans.join(survival.select("patient_id", "os_days"), on="patient_id", how="inner")
    return find(
        rows,
        pl.col("day") > pl.col("os_days"),
        found=pl.format("a {} on day {}", "what", say("day")),
        expected=pl.format("day {} or before", say("os_days")),
        reason=pl.format("Death is recorded on day {}.", say("os_days")),
    )


def old_baselines(case: AuditCase) -> Finding:
    """Return patients and readers whose last scan before treatment is too old, or who have none."""
    end = case.policies.baseline_window_end
    rows = case.scans.group_by(KEYS, maintain_order=True).agg(
        first=pl.col("day").min(), day=pl.col("day").filter(pl.col("day") <= end).max()
    )
    none = pl.col("day").is_null()
    return find(
        rows,
        none | (pl.col("day") < -OLDEST_DAYS),
        found=pl.when(none).then(pl.lit("no scan")).otherwise(pl.format("day {}", say("day"))),
        expected=pl.lit(f"a scan on days −{OLDEST_DAYS:g} to {end:g}"),
        reason=pl.when(none)
        .then(pl.format("The first scan is that of day {}.", say("first")))
        .otherwise(pl.format("The last scan before treatment is {} days old.", say(-pl.col("day")))),
    )


CHECKS: Final = (
    Check(
        name="partial-date",
        what="a date without day or month, whose day was imputed",
        rule="whole dates; policy date_imputation says how others are read",
        source=OURS,
        severity="note",
        needs=(),
        run=partial_dates,
    ),
    Check(
        name="scan-after-death",
        what="a scan or a response after the recorded day of death",
        rule="nothing is read after death",
        source=OURS,
        severity="error",
        needs=("survival",),
        run=after_death,
    ),
    Check(
        name="old-baseline",
        what="a last scan before treatment that is older than four weeks, or none",
        rule="baseline as close as possible to, and at most 4 weeks before, the start of treatment",
        source=f"{RECIST}, section 4.1 (not seen in the text; a trial's own page allows 5 weeks)",
        severity="warning",
        needs=("scans",),
        run=old_baselines,
    ),
)
