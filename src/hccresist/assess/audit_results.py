"""Result tables of the audit and of nodule grades: a contract, typed, with units and meaning.

Rows of `audit` are sorted by patient, reader, day, check, criterion, lesion and what was found; rows of
the other tables by key. `reader` is empty where the study names none.
"""

from __future__ import annotations

from typing import Final

import dataframely as dy

from hccresist.assess.results import DAY, MM, PATIENT, PERCENT, READER

SEVERITIES: Final = ("error", "warning", "note")
"""A contradiction; what is seldom right; what should be known."""
GRADES: Final = ("TE1", "TE2", "TE3", "TE4")
"""Treatment effect on a nodule, RECICL; from growth to complete necrosis."""
CATEGORIES: Final = ("viable", "equivocal", "nonviable", "not_evaluable")
"""LI-RADS treatment response; not_evaluable: the scan cannot be judged, or what is needed is not recorded."""
VERIFICATION: Final = ("verified", "verified_secondary", "partly_verified", "not_seen", "ours")
"""How far a rule was seen in a text; `docs/reference/verification.md`."""


class Audit(dy.Schema):
    """One row a finding: what was recorded, what was expected, and by which rule."""

    patient_id = dy.String(
        description="pseudonym of the patient; empty where a finding concerns the study as a whole"
    )
    reader = dy.String(description=READER)
    day = dy.Float64(
        nullable=True, metadata=DAY, description="day of the response, scan or measurement; empty if unknown"
    )
    check = dy.String(description="name of the check, see `audit_checks`")
    criterion = dy.String(description="criterion of the response; empty where it is none")
    lesion_id = dy.String(description="lesion; empty where the finding is not about one")
    found = dy.String(description="what was recorded")
    expected = dy.String(description="what the rule asks for, or what the recorded measurements give")
    rule = dy.String(description="the rule and its source")
    severity = dy.Enum(
        SEVERITIES, description="error: a contradiction; warning: seldom right; note: should be known"
    )
    reason = dy.String(description="the numbers that decided, in one sentence")


class AuditChecks(dy.Schema):
    """One row a check: what it looks at, and how much it looked at and found in this study."""

    check = dy.String(primary_key=True, description="name of the check")
    what = dy.String(description="what it looks for")
    rule = dy.String(description="the rule")
    source = dy.String(description="source of the rule; 'ours' where there is none")
    severity = dy.Enum(SEVERITIES, description="severity of its findings")
    examined = dy.Int64(nullable=True, description="records looked at; empty where the check was skipped")
    found = dy.Int64(nullable=True, description="findings; empty where the check was skipped")
    skipped = dy.String(nullable=True, description="why it was skipped, or which records were not looked at")


class Nodules(dy.Schema):
    """One row a lesion and scan after baseline: treatment effect (RECICL) and LI-RADS treatment response."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    reader = dy.String(primary_key=True, description=READER)
    lesion_id = dy.String(primary_key=True, description="lesion")
    day = dy.Float64(primary_key=True, metadata=DAY, description="day of the scan")
    baseline_day = dy.Float64(
        nullable=True, metadata=DAY, description="scan with which it is compared; empty where there is none"
    )
    treatment_effect = dy.Enum(
        GRADES, nullable=True, description="RECICL grade; empty where it cannot be told, see reason"
    )
    effect_percent = dy.Float64(
        nullable=True,
        metadata=PERCENT,
        description="the larger of necrosis and reduction of the area; negative: the area grew",
    )
    basis = dy.String(
        nullable=True, description="what decided: absent, necrosis, reduction, enlargement, neither"
    )
    treatment_effect_reason = dy.String(description="the numbers that decided, or why there is no grade")
    treatment_effect_status = dy.Enum(VERIFICATION, description="how far the rule was seen in a text")
    lirads = dy.Enum(
        CATEGORIES,
        nullable=True,
        description="LI-RADS treatment response v2018; empty for lesions without a local procedure",
    )
    viable_size_mm = dy.Float64(
        nullable=True, metadata=MM, description="longest viable diameter, of viable and equivocal lesions"
    )
    procedure_day = dy.Float64(
        nullable=True, metadata=DAY, description="last local procedure on this lesion before the scan"
    )
    lirads_reason = dy.String(description="what decided, or why there is no category")
    lirads_status = dy.Enum(VERIFICATION, description="how far the rule was seen in a text")


RESULTS: Final[dict[str, type[dy.Schema]]] = {
    "audit": Audit,
    "audit_checks": AuditChecks,
    "nodules": Nodules,
}
