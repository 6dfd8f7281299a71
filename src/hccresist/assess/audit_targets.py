"""Checks of recorded target responses against recorded measurements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

from hccresist.assess.audit_case import AuditCase
from hccresist.assess.audit_check import OURS, RECIST, Check, Finding, find, plain, say
from hccresist.assess.criteria import Criterion, progression_floor
from hccresist.assess.targets import NORMAL_NODE_UM
from hccresist.assess.visits import KEYS

_RECORDED, _DERIVED = pl.col("recorded"), pl.col("derived")
_SAME: Final = [*KEYS, "criterion", "day"]


def _compared(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with a recorded target response, both words in the vocabulary of RECIST."""
    rows = frame.filter(pl.col("target").is_not_null())
    return rows.with_columns(recorded=plain("target"), derived=plain("engine_target"))


def _judged() -> pl.Expr:
    """Whether the measurements of the visit give a target response at all."""
    return _DERIVED.is_not_null() & (_DERIVED != "NE")


def _of_criterion(case: AuditCase, choice: Callable[[Criterion], float]) -> pl.Expr:
    """Return a choice of each row's criterion."""
    values = {name: float(choice(criterion)) for name, criterion in case.criteria.items()}
    return pl.col("criterion").replace_strict(values, default=None, return_dtype=pl.Float64)


def _continues(case: AuditCase) -> pl.Expr:
    """Whether PR was derived only because it stands until progression, not by the sum of the visit."""
    limit = _of_criterion(case, lambda c: c.response_percent if c.continuing_pr else 0)
    above = (100 * pl.col("sum_mm")).round(6) > (limit * pl.col("baseline_mm")).round(6)
    return (_DERIVED == "PR") & (limit > 0) & above


_FROM_ZERO: Final = (pl.col("nadir_mm") == 0) & (pl.col("sum_mm") > 0) & (_DERIVED != "PD")
"""All targets had vanished and are back, and the rule on lesions that return does not make that PD."""


def _contradicted(case: AuditCase) -> pl.Expr:
    sure = _judged() & (_RECORDED != "NE") & (_RECORDED != _DERIVED)
    return sure & ~(_continues(case) & (_RECORDED == "SD")) & ~_FROM_ZERO


def _numbers(case: AuditCase, of_what: str) -> pl.Expr:
    """Return the numbers that decided, in one sentence."""
    areas = [name for name, criterion in case.criteria.items() if criterion.measure.is_area]
    unit = pl.when(pl.col("criterion").is_in(areas)).then(pl.lit("mm²")).otherwise(pl.lit("mm"))
    grown = _DERIVED == "PD"
    from_what = pl.when(grown).then(pl.col("nadir_mm")).otherwise("baseline_mm")
    name = pl.when(grown).then(pl.lit("nadir")).otherwise(pl.lit("baseline"))
    percent = (100 * (pl.col("sum_mm") - from_what) / from_what).round(1)
    sign = pl.when(percent > 0).then(pl.lit("+")).otherwise(pl.lit(""))
    change = pl.concat_str(sign, percent.cast(pl.String).str.replace("-", "−", literal=True))
    compared = pl.when(from_what > 0).then(pl.format("{} % from the ", change)).otherwise(pl.lit("after a "))
    return pl.format(
        f"{of_what} is {{}} {{}}, {{}}{{}} of {{}} {{}}: {{}}, recorded {{}}.",
        say("sum_mm"),
        unit,
        compared,
        name,
        say(from_what),
        unit,
        _DERIVED,
        pl.col("target").cast(pl.String),
    )


def against_lesions(case: AuditCase) -> Finding:
    """Return recorded target responses that the lesion rows contradict."""
    rows = _compared(case.by_lesions).filter(_judged())
    return find(
        rows,
        _contradicted(case),
        found=pl.col("target").cast(pl.String),
        expected=pl.col("engine_target"),
        reason=_numbers(case, "The sum of the recorded targets"),
    )


def against_sums(case: AuditCase) -> Finding:
    """Return recorded target responses that the recorded sums contradict.

    A recorded CR is not contradicted by a sum above 0 where what is left can be nodes below 10 mm: where
    the lesion rows say CR, or, without them, where the sum is below that of as many nodes as can be targets.
    """
    rows = _compared(case.by_sums).filter(_judged())
    measured = case.by_lesions.select(*_SAME, by_lesions=plain("engine_target"))
    rows = rows.join(measured, on=_SAME, how="left", maintain_order="left")
    most = NORMAL_NODE_UM / 1000 * case.policies.max_targets_per_organ
    unknown = pl.col("by_lesions").is_null() | (pl.col("by_lesions") == "NE")
    nodes = (pl.col("by_lesions") == "CR") | (unknown & (pl.col("sum_mm") < most))
    small = (_RECORDED == "CR") & nodes.fill_null(value=False)
    return find(
        rows,
        _contradicted(case) & ~small,
        found=pl.col("target").cast(pl.String),
        expected=pl.col("engine_target"),
        reason=_numbers(case, "The recorded sum"),
    )


def incomplete(case: AuditCase) -> Finding:
    """Return target responses recorded although not every target was evaluated."""
    rows = _compared(case.by_lesions)
    return find(
        rows,
        (_DERIVED == "NE") & _RECORDED.is_in(["CR", "PR", "SD"]),
        found=pl.col("target").cast(pl.String),
        expected=pl.lit("NE"),
        reason=pl.format(
            "Not every target of the visit was evaluated, and those that were do not show progression ({} mm"
            " in all).",
            say("sum_mm"),
        ),
    )


def not_judged(case: AuditCase) -> Finding:
    """Return target responses recorded as NE although every target was evaluated."""
    rows = _compared(case.by_lesions).filter(_RECORDED == "NE")
    return find(
        rows,
        _judged(),
        found=pl.lit("NE"),
        expected=pl.col("engine_target"),
        reason=_numbers(case, "The sum of the recorded targets"),
    )


def continuing(case: AuditCase) -> Finding:
    """Return SD recorded after PR without progression in between."""
    rows = _compared(case.by_lesions).filter(_RECORDED == "SD")
    return find(
        rows,
        _continues(case) & ~_FROM_ZERO,
        found=pl.lit("SD"),
        expected=pl.col("engine_target"),
        reason=_numbers(
            case, "PR was reached before and no progression since; the sum of the recorded targets"
        ),
    )


def after_zero(case: AuditCase) -> Finding:
    """Return responses other than PD after a nadir of 0, where the engine has no percentage to judge by."""
    frames = [case.by_lesions] if not case.missing(("lesions",)) else []
    frames += [case.by_sums] if not case.missing(("recorded sums",)) else []
    rows = _compared(pl.concat(frames)).filter(_judged(), _FROM_ZERO)
    floor = _of_criterion(case, lambda c: progression_floor(c, case.policies) / c.measure.per_mm)
    return find(
        rows.unique(_SAME, keep="first", maintain_order=True),
        ~_RECORDED.is_in(["PD", "NE"]) & (pl.col("sum_mm") >= floor),
        found=pl.col("target").cast(pl.String),
        expected=pl.lit("PD"),
        reason=pl.format(
            "All targets had vanished (sum 0) and add up to {} mm now: growth from 0 has no percentage, and"
            " disease that returns can hardly be less than progression.",
            say("sum_mm"),
        ),
    )


def without_targets(case: AuditCase) -> Finding:
    """Return target responses recorded for patients without a target measured at baseline."""
    rows = _compared(case.by_lesions)
    none = pl.col("engine_rule").is_not_null() & pl.col("engine_target").is_null()
    return find(
        rows,
        none & (_RECORDED != "NE"),
        found=pl.col("target").cast(pl.String),
        expected=pl.lit("no target response"),
        reason=pl.lit("No target was measured in the baseline window, so no sum can be compared."),
    )


_NEEDS: Final = ("responses by a known criterion", "lesions")

CHECKS: Final = (
    Check(
        name="target-against-sums",
        what="a recorded target response that the recorded sums contradict",
        rule="the criterion's own thresholds: response from baseline, progression from nadir",
        source=f"the criterion's own ({RECIST} where it is RECIST 1.1)",
        severity="error",
        needs=("responses by a known criterion", "recorded sums"),
        run=against_sums,
    ),
    Check(
        name="target-against-lesions",
        what="a recorded target response that the recorded lesions contradict",
        rule="the criterion's own thresholds: response from baseline, progression from nadir",
        source=f"the criterion's own ({RECIST} where it is RECIST 1.1)",
        severity="error",
        needs=_NEEDS,
        run=against_lesions,
    ),
    Check(
        name="target-incomplete",
        what="CR, PR or SD of targets recorded although not every target was evaluated",
        rule="without every target the target response is NE, unless those evaluated show progression",
        source=f"{RECIST}; PD on part of the sum as in pharmaversesdtm::rs_onco_recist",
        severity="warning",
        needs=_NEEDS,
        run=incomplete,
    ),
    Check(
        name="target-not-judged",
        what="a target response recorded as NE although every target was evaluated",
        rule="with every target evaluated there is a target response",
        source=RECIST,
        severity="warning",
        needs=_NEEDS,
        run=not_judged,
    ),
    Check(
        name="target-after-response",
        what="SD of targets recorded after PR, without progression in between",
        rule="after PR later visits stay PR until progression or CR",
        source="RECIST working group, recist.eortc.org FAQ on managing PR; policy continuing_pr",
        severity="note",
        needs=_NEEDS,
        run=continuing,
    ),
    Check(
        name="target-after-zero",
        what="a target response other than PD after all targets had vanished and returned",
        rule="from a nadir of 0 growth above the floor reads as PD; the engine makes it PD only after CR",
        source=f"{OURS}; {RECIST} gives no percentage of 0",
        severity="warning",
        needs=("responses by a known criterion", "scans"),
        run=after_zero,
    ),
    Check(
        name="target-without-targets",
        what="a target response recorded although no target was measured at baseline",
        rule="a target response needs targets measured at baseline",
        source=RECIST,
        severity="warning",
        needs=_NEEDS,
        run=without_targets,
    ),
)
