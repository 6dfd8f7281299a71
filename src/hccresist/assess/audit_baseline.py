"""Checks of the choice of targets at baseline."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.assess.audit_case import AuditCase
from hccresist.assess.audit_check import RECIST, Check, Finding, find, say
from hccresist.assess.audit_frames import LESION
from hccresist.assess.targets import THICK_SLICE_UM
from hccresist.assess.visits import KEYS
from hccresist.study.codes import FLUID_ORGANS, VASCULAR_ORGANS

UNMEASURABLE: Final = (*VASCULAR_ORGANS, *FLUID_ORGANS, "bone")
"""Sites whose lesions cannot be targets."""
_NODE: Final = pl.col("node")


def too_many(case: AuditCase) -> Finding:
    """Return patients with more targets than the criterion allows."""
    rows = case.targets.group_by(KEYS, maintain_order=True).agg(
        pl.col("baseline_day").first().alias("day"), n=pl.len(), names=pl.col("lesion_id").str.join(", ")
    )
    limit = case.policies.max_targets
    return find(
        rows,
        pl.col("n") > limit,
        found=pl.format("{} targets", "n"),
        expected=pl.lit(f"{limit} at most"),
        reason=pl.format("Targets at baseline: {}.", "names"),
    )


def too_many_in_an_organ(case: AuditCase) -> Finding:
    """Return organs with more targets than the criterion allows; all nodes are one organ."""
    place = pl.when(_NODE).then(pl.lit("lymph nodes")).otherwise(pl.col("organ").str.replace_all("_", " "))
    rows = (
        case.targets.with_columns(place=place)
        .drop_nulls("place")
        .group_by(*KEYS, "place", maintain_order=True)
        .agg(
            pl.col("baseline_day").first().alias("day"), n=pl.len(), names=pl.col("lesion_id").str.join(", ")
        )
    )
    limit = case.policies.max_targets_per_organ
    return find(
        rows,
        pl.col("n") > limit,
        found=pl.format("{} targets, {}", "n", "place"),
        expected=pl.lit(f"{limit} at most in one organ"),
        reason=pl.format("Targets at baseline, {}: {}.", "place", "names"),
    )


def too_small(case: AuditCase) -> Finding:
    """Return targets below the smallest measurable diameter; thick slices ask for twice their thickness."""
    rows = case.targets.filter(~_NODE).drop_nulls("size_mm")
    rows = _with_slices(rows, case)
    thick = pl.col("slice_mm") > THICK_SLICE_UM / 1000
    plain = pl.lit(float(case.policies.min_target_mm))
    least = pl.when(thick).then(pl.max_horizontal(2 * pl.col("slice_mm"), plain)).otherwise(plain)
    slices = pl.when(thick).then(pl.format(" on slices of {} mm", say("slice_mm"))).otherwise(pl.lit(""))
    return find(
        rows.rechunk().with_columns(least=least, slices=slices),
        (pl.col("size_mm") < pl.col("least")) & (pl.col("size_mm") > 0),
        found=pl.format("{} mm", say("size_mm")),
        expected=pl.format("{} mm or more", say("least")),
        reason=pl.format("Longest diameter at baseline{}.", "slices"),
    )


def _with_slices(rows: pl.DataFrame, case: AuditCase) -> pl.DataFrame:
    visits = case.study.table("visits")
    if visits is None:
        return rows.with_columns(slice_mm=pl.lit(None, dtype=pl.Float64))
    slices = visits.select(*KEYS, "day", "slice_mm")
    return rows.join(slices, on=[*KEYS, "day"], how="left", maintain_order="left")


def small_nodes(case: AuditCase) -> Finding:
    """Return lymph nodes taken as targets below the smallest measurable short axis."""
    rows = case.targets.filter(_NODE).drop_nulls("size_mm")
    return find(
        rows,
        pl.col("size_mm") < case.policies.min_node_mm,
        found=pl.format("{} mm", say("size_mm")),
        expected=pl.lit(f"a short axis of {case.policies.min_node_mm:g} mm or more"),
        reason=pl.lit("Short axis of a target lymph node at baseline."),
    )


def unmeasurable_sites(case: AuditCase) -> Finding:
    """Return targets in vessels, bile ducts, bone or fluid."""
    rows = case.targets.drop_nulls("organ")
    return find(
        rows,
        pl.col("organ").is_in(UNMEASURABLE),
        found=pl.col("organ").str.replace_all("_", " "),
        expected=pl.lit("a non-target lesion"),
        reason=pl.when(pl.col("organ") == "bone")
        .then(pl.lit("Bone is not measurable, unless it has a part of soft tissue that was measured."))
        .when(pl.col("organ").is_in(VASCULAR_ORGANS))
        .then(pl.lit("Tumour in vessels or bile ducts is not measurable (mRECIST)."))
        .otherwise(pl.lit("Effusion and ascites are not measurable.")),
    )


def treated_targets(case: AuditCase) -> Finding:
    """Return targets with a local procedure of their own up to the day of baseline."""
    procedures = case.study.tables["procedures"].drop_nulls("lesion_id")
    treated = procedures.select("patient_id", "lesion_id", "kind", procedure_day="day")
    rows = case.targets.join(treated, on=["patient_id", "lesion_id"], how="inner", maintain_order="left")
    rows = rows.filter(pl.col("procedure_day") <= pl.col("baseline_day")).sort(*LESION, "procedure_day")
    last = rows.unique(LESION, keep="last", maintain_order=True)
    return find(
        last,
        pl.lit(value=True),
        found=pl.format("{} on day {}", pl.col("kind").cast(pl.String), say("procedure_day")),
        expected=pl.lit("a lesion without local treatment, or with proven growth since"),
        reason=pl.lit("A treated or irradiated lesion is not measurable unless it has progressed since."),
    )


_NEEDS: Final = ("recorded targets",)

CHECKS: Final = (
    Check(
        name="too-many-targets",
        what="more targets at baseline than allowed",
        rule="at most 5 targets; policy max_targets",
        source=RECIST,
        severity="warning",
        needs=_NEEDS,
        run=too_many,
    ),
    Check(
        name="too-many-targets-in-organ",
        what="more targets in one organ at baseline than allowed",
        rule="at most 2 targets in one organ, all lymph nodes being one; policy max_targets_per_organ",
        source=RECIST,
        severity="warning",
        needs=_NEEDS,
        run=too_many_in_an_organ,
    ),
    Check(
        name="target-too-small",
        what="a target below the smallest measurable diameter",
        rule="10 mm or more, or twice a slice thicker than 5 mm; policy min_target_mm",
        source=RECIST,
        severity="warning",
        needs=_NEEDS,
        run=too_small,
    ),
    Check(
        name="node-too-small",
        what="a lymph node as target whose short axis is too small",
        rule="a short axis of 15 mm or more; policy min_node_mm",
        source=RECIST,
        severity="warning",
        needs=_NEEDS,
        run=small_nodes,
    ),
    Check(
        name="target-site",
        what="tumour in vessels, bile ducts, bone or fluid as target",
        rule="what cannot be measured is a non-target lesion",
        source=f"{RECIST}; vessels: mRECIST, doi:10.1055/s-0030-1247132 (not seen in the text)",
        severity="warning",
        needs=_NEEDS,
        run=unmeasurable_sites,
    ),
    Check(
        name="treated-target",
        what="a lesion treated locally before baseline as target",
        rule="irradiated or locally treated lesions are not measurable unless they have progressed since",
        source=RECIST,
        severity="warning",
        needs=(*_NEEDS, "procedures"),
        run=treated_targets,
    ),
)
