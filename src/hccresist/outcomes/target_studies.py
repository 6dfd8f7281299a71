"""Targets from response patterns and biomarker studies: never fitted, see `targets`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from hccresist.outcomes.limits import Interval, keep_printed, rebuild
from hccresist.outcomes.target_cohorts import find_cohort, slug
from hccresist.outcomes.target_table import Row, interval_columns, split_regimen

_FIRST_PATTERNS: Final = ("CR", "PR", "SD", "PD")


def pattern_row(row: Row, known: Collection[str], programmes: Mapping[str, str]) -> dict[str, object]:
    """Return the target of a response pattern: a share of patients with exact limits, never fitted."""
    cohort = find_cohort(row["study"], row["drug"], programmes)
    events, n = row["events"], row["denominator"]
    found = rebuild(100 * events / n, unit="percent", n=n) if n else Interval()
    use, reason = _judge_pattern(row, known)
    first = row["pattern"].removeprefix("first-imaging ") in _FIRST_PATTERNS
    parts = (row["study"], row["drug"], row["pattern"], row["definition"] if row["pattern"] == "HPD" else "")
    return {
        "key": ":".join(("patterns", *(slug(part) for part in parts if part))),
        "table": "response_patterns",
        "use": use,
        "reason": reason,
        "programme_id": cohort.programme_id,
        "group_id": cohort.group_id,
        "study": row["study"],
        "arm_id": cohort.arm_id,
        "comparator_arm": None,
        "line": None,
        "drugs": "+".join(split_regimen(row["drug"])),
        "endpoint": row["pattern"],
        "family": "response" if first else "progression",
        "criterion": row["definition"],
        "assessor": None,
        "unit": "percent",
        "value": row["rate_pct"],
        "not_reached": False,
        "n": n,
        **interval_columns(found, n if found.method else None),
        "source_url": row["source_url"],
    }


def _judge_pattern(row: Row, known: Collection[str]) -> tuple[str, str]:
    note, pattern = row["note"] or "", str(row["pattern"])
    unknown = [drug for drug in split_regimen(row["drug"]) if drug not in known]
    rules = (
        (bool(unknown), f"drug not in the model: {', '.join(unknown)}"),
        (pattern == "treated beyond progression", "set by the simulated trial (trial_context.csv)"),
        ("cut-offs (chosen as pattern exclusive" in row["definition"], "zero by choice of the cut-off"),
        (row["denominator"] is not None and "treated beyond" in row["population"], "selected patients"),
        ("selected" in note, "selected patients"),
    )
    reason = next((reason for holds, reason in rules if holds), "")
    if reason:
        return "excluded", reason
    if "CheckMate" in row["study"]:
        return "check", "part of an arm that is fitted by its endpoints"
    return "check", "routine care: patients and scans are not those of a protocol"


def marker_row(row: Row, known: Collection[str], programmes: Mapping[str, str]) -> dict[str, object]:
    """Return the target of a biomarker study: an effect with its limits, never fitted."""
    cohort = find_cohort(row["study"], row["drug"], programmes)
    unit, value = _read_effect(row)
    low, high = row["low"], row["high"]
    printed = low is not None or high is not None
    found = keep_printed(value, (low, high), unit=unit, level=None) if printed and unit else Interval()
    use, reason = _judge_marker(row, known)
    outcome = str(row["outcome"])
    return {
        "key": ":".join(
            ("biomarkers", *(slug(row[part]) for part in ("study", "biomarker", "outcome", "effect_measure")))
        ),
        "table": "biomarkers",
        "use": use,
        "reason": reason,
        "programme_id": cohort.programme_id,
        "group_id": cohort.group_id,
        "study": row["study"],
        "arm_id": cohort.arm_id,
        "comparator_arm": None,
        "line": row["setting"],
        "drugs": row["drug"],
        "endpoint": f"{row['biomarker']}: {outcome}, {row['effect_measure']}",
        "family": _name_outcome(outcome),
        "criterion": "RECIST 1.1" if "RECIST 1.1" in outcome else None,
        "assessor": "IRF" if "IRF" in outcome else None,
        "unit": unit,
        "value": value,
        "not_reached": False,
        "n": row["n"],
        **interval_columns(found, None),
        "source_url": row["source_url"],
    }


def _name_outcome(outcome: str) -> str:
    """Return the family of an outcome, by its first word: OS; PFS, PD and HPD; anything else is response."""
    word = outcome.partition(" ")[0]
    return "survival" if "OS" in word else "progression" if "P" in word else "response"


def _read_effect(row: Row) -> tuple[str | None, float | None]:
    """Return unit and number of a biomarker's effect; none where it is in words."""
    if row["effect"] is None:
        return None, None
    if row["effect_measure"] in {"sensitivity", "specificity"}:
        return "percent", 100 * row["effect"]
    return "ratio", row["effect"]


def _judge_marker(row: Row, known: Collection[str]) -> tuple[str, str]:
    measure = str(row["effect_measure"])
    unknown = [drug for drug in split_regimen(row["drug"]) if drug not in known]
    rules = (
        ("subgroup" in row["study"], "subgroup of its trial"),
        ("covariate analysis" in row["study"], "adjusted again: the same patients as its hazard ratio"),
        (measure == "direction only", "a direction without a number"),
        (bool(unknown), f"no regimen of the model: {row['drug']}"),
        (
            row["effect"] is None,
            "numbers of several groups in words; patients of routine care or parts of arms",
        ),
        ("multivariable" in measure, "effect of a marker adjusted for others, no endpoint of an arm"),
        (row["biomarker_group"] != "AFP kinetics", "the model does not have this marker"),
    )
    reason = next((reason for holds, reason in rules if holds), "")
    return ("excluded", reason) if reason else ("check", "a marker that the model gives; never fitted")
