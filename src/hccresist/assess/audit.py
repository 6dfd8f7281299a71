"""The audit: recorded responses against recorded measurements, and measurements against the rules.

Each check is a record and one small function (`CHECKS`); it says what it looked at, what it found, and
why. Nothing is corrected, and no result of *assess* depends on the audit. `docs/explanation/audit.md`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.assess import audit_baseline, audit_days, audit_overall, audit_sizes, audit_targets
from hccresist.assess.audit_case import AuditCase
from hccresist.assess.audit_check import COLUMNS, Check, Finding
from hccresist.assess.audit_results import Audit, AuditChecks
from hccresist.study.study import Study

CHECKS: Final[tuple[Check, ...]] = (
    *audit_targets.CHECKS,
    *audit_overall.CHECKS,
    *audit_sizes.CHECKS,
    *audit_baseline.CHECKS,
    *audit_days.CHECKS,
)
"""Every check, in the order in which they are told."""


def derive_audit(study: Study, *, timepoints: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return what the checks found.

    Parameters
    ----------
    study
        Checked study.
    timepoints
        Result of *assess* on the same study, where it is at hand; else, and where it rests on recorded
        sums, overrides or recorded responses, it is derived anew.

    Returns
    -------
    polars.DataFrame
        Table `audit`, one row a finding; sorted by patient, reader, day, check, criterion, lesion.

    Examples
    --------
    >>> import polars as pl
    >>> from hccresist.study.frames import study_from_frames
    >>> study = study_from_frames(
    ...     patients=pl.DataFrame({"patient_id": ["P1"]}),
    ...     lesions=pl.DataFrame(
    ...         {
    ...             "patient_id": ["P1", "P1"],
    ...             "lesion_id": ["T1", "T1"],
    ...             "role": ["target", "target"],
    ...             "day": [-3, 56],
    ...             "longest_mm": [40.0, 30.0],
    ...         }
    ...     ),
    ...     responses=pl.DataFrame(
    ...         {"patient_id": ["P1"], "criterion": ["recist11"], "day": [56], "target": ["PR"]}
    ...     ),
    ... )
    >>> derive_audit(study).select("check", "found", "expected").rows()
    [('target-against-lesions', 'PR', 'SD')]
    """
    return derive_audit_tables(study, timepoints=timepoints)["audit"]


def derive_audit_tables(study: Study, *, timepoints: pl.DataFrame | None = None) -> dict[str, pl.DataFrame]:
    """Return what the checks found, and what each of them looked at.

    Parameters
    ----------
    study, timepoints
        As for `derive_audit`.

    Returns
    -------
    dict
        Tables ``audit`` and ``audit_checks``.
    """
    case = AuditCase(study, timepoints)
    frames: list[pl.DataFrame] = [Audit.create_empty()]
    records: list[dict[str, object]] = []
    for check in CHECKS:
        lacking = case.missing(check.needs)
        finding = None if lacking else check.run(case)
        if finding is not None:
            frames.append(_rows(check, finding))
        records.append(_record(check, finding, _why_not(case, check, lacking)))
    audit = pl.concat(frames).sort(
        "patient_id", "reader", "day", "check", "criterion", "lesion_id", "found", "reason"
    )
    checks = AuditChecks.cast(pl.DataFrame(records, infer_schema_length=None))
    return {"audit": audit, "audit_checks": checks.sort("check")}


def _rows(check: Check, finding: Finding) -> pl.DataFrame:
    """Return the findings of a check as rows of `audit`."""
    rows = finding.rows.with_columns(
        check=pl.lit(check.name),
        rule=pl.lit(f"{check.rule} ({check.source})"),
        severity=pl.lit(check.severity),
    )
    return Audit.cast(rows.select(COLUMNS))


def _why_not(case: AuditCase, check: Check, lacking: list[str]) -> str | None:
    """Return why a check was skipped, or which responses it did not look at."""
    strange = ", ".join(case.unknown_criteria)
    if lacking:
        because = f" (recorded are {strange}, which are not known)" if strange and not case.criteria else ""
        return f"the study has no {', no '.join(lacking)}{because}"
    if strange and "responses by a known criterion" in check.needs:
        return f"responses by {strange} were not looked at: no such criterion is known"
    return None


def _record(check: Check, finding: Finding | None, why: str | None) -> dict[str, object]:
    return {
        "check": check.name,
        "what": check.what,
        "rule": check.rule,
        "source": check.source,
        "severity": check.severity,
        "examined": None if finding is None else finding.examined,
        "found": None if finding is None else finding.rows.height,
        "skipped": why,
    }
