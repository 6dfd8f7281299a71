"""Checks of recorded overall responses: against their components, against what came before, and scans."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from hccresist.assess import words as w
from hccresist.assess.audit_case import AuditCase
from hccresist.assess.audit_check import OURS, RECIST, Check, Finding, find, plain, say
from hccresist.assess.criteria import NewLesions
from hccresist.assess.response import Situation, overall_response
from hccresist.assess.visits import KEYS
from hccresist.assess.words import Codes

IRECIST: Final = "iRECIST, doi:10.1016/S1470-2045(17)30074-8"
_SERIES: Final = [*KEYS, "criterion"]
_OVERALL: Final = pl.col("overall").cast(pl.String)


def _of_kinds(case: AuditCase, kinds: tuple[NewLesions, ...]) -> list[str]:
    """Return the criteria for which a new lesion means one of the kinds."""
    return [name for name, criterion in case.criteria.items() if criterion.new_lesions in kinds]


def _responses(case: AuditCase, kinds: tuple[NewLesions, ...]) -> pl.DataFrame:
    """Return recorded responses by criteria of these kinds, components in the vocabulary of RECIST."""
    rows = case.responses.filter(pl.col("criterion").is_in(_of_kinds(case, kinds)))
    parts = {f"plain_{name}": plain(name) for name in ("overall", "target", "nontarget")}
    return rows.with_columns(**parts)


_TABLED: Final = (NewLesions.PROGRESSION, NewLesions.UNCONFIRMED)
_KNOWN: Final = pl.col("plain_overall").is_not_null()
_NEW: Final = pl.col("new_lesion").fill_null(value=False)
_PART_PD: Final = pl.any_horizontal(
    (pl.col(f"plain_{name}") == "PD").fill_null(value=False) for name in ("target", "nontarget")
)


def against_components(case: AuditCase) -> Finding:
    """Return overall responses that do not follow from the recorded target and non-target responses.

    Where the non-target response is not recorded, there may have been none, or any but progression: both
    are tried. Recorded new lesions, and progression without a recorded cause, have checks of their own.
    """
    rows = _responses(case, _TABLED).filter(_KNOWN, ~_NEW, pl.col("target").is_not_null() | _PART_PD)
    rows = rows.join(_markers(case), on=[*KEYS, "day"], how="left", maintain_order="left")
    rows = rows.with_columns(_table(rows, "NONE").alias("one"), _table(rows, "NON-CR/NON-PD").alias("other"))
    abnormal = pl.col("abnormal").fill_null(value=False) & (pl.col("one") == "CR")
    fits = _fits("one") | _fits("other") | (abnormal & (pl.col("plain_overall") == "PR"))
    uncaused = (pl.col("plain_overall") == "PD") & ~_PART_PD
    several = pl.when(pl.col("one") == pl.col("other")).then("one")
    return find(
        rows,
        ~fits & ~uncaused,
        found=_OVERALL,
        expected=several.fill_null(pl.format("{} or {}", "one", "other")),
        reason=pl.format(
            "Target {}, non-target {}, new lesion {}.",
            _word("target"),
            _word("nontarget"),
            _word("new_lesion"),
        ),
    )


def _word(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String).fill_null("not recorded")


def _fits(column: str) -> pl.Expr:
    return pl.col("plain_overall") == pl.col(column)


def _markers(case: AuditCase) -> pl.DataFrame:
    """Return the scans at which tumour markers are known not to be normal: they forbid CR."""
    visits = case.study.table("visits")
    schema = {**dict.fromkeys(KEYS, pl.String), "day": pl.Float64, "abnormal": pl.Boolean}
    if visits is None:
        return pl.DataFrame(schema=schema)
    return visits.filter(~pl.col("markers_normal")).select(*KEYS, "day", abnormal=pl.lit(value=True))


def _table(rows: pl.DataFrame, nontarget: str) -> pl.Series:
    """Return the overall response by the table of RECIST 1.1, with a word for non-targets not recorded."""
    target = _codes(rows["plain_target"], w.NONE)
    other = _codes(rows["plain_nontarget"], w.NONE if nontarget == "NONE" else w.parse_word(nontarget))
    no = np.zeros(rows.height, dtype=np.bool_)
    overall, _ = overall_response(
        target, other, new=no, at=Situation(known=~no, diseased=no, markers_abnormal=no)
    )
    return w.spell(overall, w.RECIST_WORDS)


def _codes(words: pl.Series, missing: int) -> Codes:
    return np.where(words.is_null().to_numpy(), missing, w.parse(words)).astype(np.int8)


def progression_without_cause(case: AuditCase) -> Finding:
    """Return recorded progression that no recorded component explains."""
    rows = _responses(case, (NewLesions.PROGRESSION,)).filter(
        pl.col("plain_overall") == "PD", pl.col("target").is_not_null()
    )
    return find(
        rows,
        ~_PART_PD & ~_NEW,
        found=_OVERALL,
        expected=pl.lit("target PD, non-target PD or a new lesion"),
        reason=pl.format(
            "Target {}, non-target {}, new lesion {}: none of them is progression.",
            _word("target"),
            _word("nontarget"),
            _word("new_lesion"),
        ),
    )


def new_lesion_without_progression(case: AuditCase) -> Finding:
    """Return new lesions recorded with an overall response other than progression.

    For iRECIST only the first visit at which one is recorded counts: later the bar may be reset.
    """
    rows = _responses(case, _TABLED).filter(_KNOWN)
    immune = _of_kinds(case, (NewLesions.UNCONFIRMED,))
    first = pl.col("day") == pl.col("day").filter(_NEW).min().over(_SERIES)
    counts = _NEW & (~pl.col("criterion").is_in(immune) | first)
    return find(
        rows.filter(counts),
        pl.col("plain_overall") != "PD",
        found=_OVERALL,
        expected=pl.when(pl.col("criterion").is_in(immune)).then(pl.lit("iUPD")).otherwise(pl.lit("PD")),
        reason=pl.lit("A new lesion is recorded in the same row."),
    )


def new_lesion_not_recorded(case: AuditCase) -> Finding:
    """Return visits at which the lesion rows show a new lesion, and the response says there is none."""
    rows = case.by_lesions.drop_nulls(["new_lesion", "engine_new"])
    return find(
        rows,
        pl.col("engine_new") & ~pl.col("new_lesion"),
        found=pl.lit("no new lesion"),
        expected=pl.lit("a new lesion"),
        reason=pl.format(
            "Lesions or visits of the scan of day {} show a new lesion that counts.", say("scan_day")
        ),
    )


def response_after_progression(case: AuditCase) -> Finding:
    """Return responses other than progression after a recorded progression."""
    rows = _responses(case, (NewLesions.PROGRESSION,)).filter(_KNOWN)
    progressed = pl.col("day").filter(pl.col("plain_overall") == "PD").min().over(_SERIES)
    rows = rows.with_columns(progressed=progressed).filter(pl.col("day") > pl.col("progressed"))
    return find(
        rows,
        ~pl.col("plain_overall").is_in(["PD", "NE"]),
        found=_OVERALL,
        expected=pl.lit("PD, or no response"),
        reason=pl.format("Progression was recorded on day {}.", say("progressed")),
    )


def response_without_scan(case: AuditCase) -> Finding:
    """Return responses without a scan of the same reader within the visit window."""
    return find(
        case.by_scans,
        pl.col("scan_day").is_null() & (pl.col("overall").is_null() | (_OVERALL != "NE")),
        found=pl.coalesce(_OVERALL, pl.lit("a response")),
        expected=pl.lit("a scan of the same reader"),
        reason=pl.lit(f"No scan lies within {case.policies.visit_window_days:g} days of the response."),
    )


def response_after_new_therapy(case: AuditCase) -> Finding:
    """Return responses recorded after a later line of treatment had started."""
    treatments = case.study.tables["treatments"]
    later = treatments.filter(pl.col("line") > case.study.config.index_line).drop_nulls("start_day")
    start = later.group_by("patient_id").agg(pl.col("start_day").min())
    rows = case.responses.join(start, on="patient_id", how="inner", maintain_order="left")
    return find(
        rows,
        pl.col("day") > pl.col("start_day"),
        found=pl.coalesce(_OVERALL, pl.lit("a response")),
        expected=pl.lit("no response of the index line"),
        reason=pl.format("A later line of treatment started on day {}.", say("start_day")),
    )


_NEEDS: Final = ("responses by a known criterion",)

CHECKS: Final = (
    Check(
        name="overall-against-components",
        what="an overall response that does not follow from the recorded components",
        rule="the table of target, non-target and new lesions (criteria that add new lesions have another)",
        source=f"{RECIST}, table of timepoint responses; {IRECIST}",
        severity="error",
        needs=_NEEDS,
        run=against_components,
    ),
    Check(
        name="progression-without-cause",
        what="progression recorded although no recorded component progressed",
        rule="PD needs target PD, non-target PD or a new lesion",
        source=RECIST,
        severity="warning",
        needs=_NEEDS,
        run=progression_without_cause,
    ),
    Check(
        name="new-lesion-without-progression",
        what="a recorded new lesion with an overall response other than progression",
        rule="a new lesion is PD (iRECIST: iUPD when first seen)",
        source=f"{RECIST}; {IRECIST}",
        severity="error",
        needs=_NEEDS,
        run=new_lesion_without_progression,
    ),
    Check(
        name="new-lesion-not-recorded",
        what="a new lesion among the lesions of a scan whose response says that there is none",
        rule="a lesion that the criterion counts as new is recorded as new",
        source=RECIST,
        severity="warning",
        needs=(*_NEEDS, "lesions"),
        run=new_lesion_not_recorded,
    ),
    Check(
        name="response-after-progression",
        what="a response other than PD after recorded PD",
        rule="after PD no response counts, unless the criterion asks for confirmation",
        source=RECIST,
        severity="warning",
        needs=_NEEDS,
        run=response_after_progression,
    ),
    Check(
        name="response-without-scan",
        what="a recorded response without a scan of the same reader",
        rule="a response other than NE rests on a scan within visit_window_days",
        source=OURS,
        severity="warning",
        needs=(*_NEEDS, "scans"),
        run=response_without_scan,
    ),
    Check(
        name="response-after-new-therapy",
        what="a recorded response after the start of a later line of treatment",
        rule="responses of the index line end where a later line begins; policy new_therapy",
        source="FDA guidance: Clinical Trial Endpoints for the Approval of Cancer Drugs and Biologics (2018)",
        severity="note",
        needs=(*_NEEDS, "treatments"),
        run=response_after_new_therapy,
    ),
)
