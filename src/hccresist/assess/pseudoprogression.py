"""Pseudoprogression: progression that a later assessment takes back, under each family of definitions.

Park 2020 (Radiology 297:87) found four families: PD followed by PR or CR under RECIST 1.1; PD
followed by SD, PR or CR under RECIST 1.1; the same under RECIST 1.0; the same under irRC. Each is a
record here and reads the result table `timepoints` of its criterion. A patient without PD has none;
a patient with PD and no evaluable assessment after it cannot be judged. `reached` gives the furthest
denominator: treated, pd, after_pd. Early is PD up to week 12, late after it (Hodi). Shrinkage
after a later line or a local procedure takes nothing back: with the policy `new_therapy` = censor
assessments after its start are left out (our choice).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from hccresist.assess.order import sort_rows
from hccresist.assess.pattern_facts import before_new_therapy
from hccresist.assess.pattern_records import KEYS, Clause, Definition, Rule, Verification, judge, number, text
from hccresist.study.study import Study

EARLY_DAYS: Final = 84.0
"""Week 12: early at week 12, delayed after it (Hodi, Evaluation of Immune-Related Response Criteria and
RECIST v1.1 in Patients With Advanced Melanoma Treated With Pembrolizumab, J Clin Oncol; abstract)."""
MARKER_DAYS: Final = 21.0
"""A marker counts for a scan when it was taken at most this many days from it (our choice)."""
PROGRESSION: Final = ("PD", "iUPD", "iCPD")
RESPONSE: Final = ("CR", "PR", "iCR", "iPR")
CONTROL: Final = (*RESPONSE, "SD", "iSD", "NON-CR/NON-PD", "NON-iCR/NON-iUPD")
PARK: Final = "Park 2020, Radiology 297:87 (PMC7526949), family {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """A definition with the criterion it reads and the responses that take PD back."""

    definition: Definition
    criterion: str
    later: tuple[str, ...]


def _reversal(
    name: str,
    criterion: str,
    later: tuple[str, ...],
    *,
    title: str,
    source: str,
    seen: str,
    verification: Verification = "verified",
) -> Reversal:
    words = "CR or PR" if later == RESPONSE else "SD, PR or CR"
    definition = Definition(
        name=name,
        family="pseudoprogression",
        title=title,
        needs=(f"timepoints under {criterion}", "an evaluable assessment after PD"),
        rule=f"progression under {criterion}, then {words} at a later assessment",
        source=source,
        verification=verification,
        seen=seen,
        unit="days from PD",
    )
    return Reversal(definition=definition, criterion=criterion, later=later)


_FAMILY_SEEN: Final = "the four families in the article, as noted in response-criteria.md section 13"

REVERSALS: Final = (
    _reversal(
        "pseudo_recist11_response",
        "recist11",
        RESPONSE,
        title="RECIST 1.1: PD, then PR or CR",
        source=PARK.format(1),
        seen=_FAMILY_SEEN,
    ),
    _reversal(
        "pseudo_recist11_control",
        "recist11",
        CONTROL,
        title="RECIST 1.1: PD, then SD, PR or CR",
        source=PARK.format(2),
        seen=_FAMILY_SEEN,
    ),
    _reversal(
        "pseudo_recist10_control",
        "recist10",
        CONTROL,
        title="RECIST 1.0: PD, then SD, PR or CR",
        source=PARK.format(3),
        seen=f"{_FAMILY_SEEN}; judged only where recorded responses under recist10 are taken as given",
    ),
    _reversal(
        "pseudo_irrc_control",
        "irrc",
        CONTROL,
        title="irRC: irPD, then irSD, irPR or irCR",
        source=PARK.format(4),
        seen=_FAMILY_SEEN,
    ),
    _reversal(
        "pseudo_irecist_control",
        "irecist",
        CONTROL,
        title="iRECIST: iUPD, then iSD, iPR or iCR (bar reset)",
        source="ours, after Seymour 2017, doi:10.1016/S1470-2045(17)30074-8",
        seen="the bar reset of iRECIST, read as the fifth family",
        verification="ours",
    ),
    _reversal(
        "pseudo_mrecist_control",
        "mrecist",
        CONTROL,
        title="mRECIST: PD, then SD, PR or CR",
        source="ours: family 2 with mRECIST for HCC",
        seen="no source uses mRECIST for it",
        verification="ours",
    ),
)
"""Every family, in the order of the page."""


def _marker(test: str, name: str) -> Definition:
    return Definition(
        name=f"{test}_fell_at_progression",
        family="pseudoprogression",
        title=f"{name} lower at the first PD than before treatment",
        needs=("RECIST 1.1 PD", f"{name} before treatment and within {MARKER_DAYS:g} days of the PD scan"),
        rule=f"{name} at the first RECIST 1.1 progression is below the last value in the baseline window",
        source="ours; HCC case with AFP halving while the size rose: doi:10.7759/cureus.86905",
        verification="ours",
        seen="no published rule was seen; the direction stands beside the definitions of pseudoprogression",
        unit="%",
    )


MARKERS: Final[dict[str, Definition]] = {"afp": _marker("afp", "AFP"), "dcp": _marker("dcp", "DCP")}
DEFINITIONS: Final = (*(item.definition for item in REVERSALS), *MARKERS.values())


def judge_pseudoprogression(
    study: Study, series: pl.DataFrame, *, timepoints: pl.DataFrame
) -> list[pl.DataFrame]:
    """Return the rows of `patterns` for every family and for the direction of AFP and DCP.

    `day` is the day of the first PD, `value` the days from it to the first assessment that took it
    back, `detail` early or late. One frame a definition, one row for each row of `series`.
    """
    timepoints = before_new_therapy(study, timepoints)
    rows = [_judge_reversal(item, series, timepoints) for item in REVERSALS]
    return rows + [_judge_marker(study, series, timepoints, test=test) for test in MARKERS]


def _judge_reversal(item: Reversal, series: pl.DataFrame, timepoints: pl.DataFrame) -> pl.DataFrame:
    rows = timepoints.filter(pl.col("criterion") == item.criterion)
    derived = not rows.is_empty()
    facts = series.join(find_reversals(rows, item.later), on=KEYS, how="left", maintain_order="left")
    first, back, after = pl.col("pd_day"), pl.col("back_day"), pl.col("after")
    seen = pl.col("assessed").fill_null(value=False)
    gate = (
        pl.when(pl.lit(not derived))
        .then(pl.lit(f"criterion {item.criterion} was not derived"))
        .when(~seen)
        .then(pl.lit("there is no evaluable assessment after baseline and before new therapy"))
    )
    test = (
        pl.when(first.is_null())
        .then(pl.lit(value=False))
        .when(back.is_not_null())
        .then(pl.lit(value=True))
        .when(after)
        .then(pl.lit(value=False))
    )
    day = number(first, 1)
    told = (
        pl.when(first.is_null())
        .then(pl.lit("no progression"))
        .when(back.is_not_null())
        .then(text("progression on day ", day, ", ", pl.col("back_word"), " on day ", number(back, 1)))
        .otherwise(text("progression on day ", day, " was never taken back"))
    )
    why = text("progression on day ", day, ", and no evaluable assessment after it")
    rule = Rule(clause=Clause(test=test, told=told, why=why), gate=gate, value=back - first, day=first)
    late = pl.when(first <= EARLY_DAYS).then(pl.lit("early")).when(first > EARLY_DAYS).then(pl.lit("late"))
    reached = (
        pl.when(~seen | first.is_null())
        .then(pl.lit("treated"))
        .when(after.fill_null(value=False))
        .then(pl.lit("after_pd"))
        .otherwise(pl.lit("pd"))
    )
    extra = facts.select(reached.alias("reached"), late.alias("detail"))
    return judge(facts, item.definition, rule).with_columns(extra)


def find_reversals(rows: pl.DataFrame, later: tuple[str, ...]) -> pl.DataFrame:
    """Return the first progression and the first later assessment that took it back.

    Parameters
    ----------
    rows
        Timepoints of one criterion.
    later
        Responses that take progression back.

    Returns
    -------
    pl.DataFrame
        patient_id, reader, assessed, pd_day, after (an evaluable assessment follows it), back_day,
        back_word.
    """
    kept = sort_rows(rows.filter(pl.col("overall") != "NE"), [*KEYS, "day"])
    overall, day = pl.col("overall"), pl.col("day")
    worse, better = overall.is_in(PROGRESSION), overall.is_in(later)
    told = kept.group_by(KEYS, maintain_order=True).agg(
        pl.lit(value=True).alias("assessed"),
        day.filter(worse).first().alias("pd_day"),
        day.last().alias("last_day"),
    )
    marked = kept.join(told, on=KEYS, how="left", maintain_order="left")
    back = (
        marked.filter((day > pl.col("pd_day")) & better)
        .group_by(KEYS, maintain_order=True)
        .agg(day.first().alias("back_day"), overall.first().alias("back_word"))
    )
    return told.join(back, on=KEYS, how="left", maintain_order="left").select(
        *KEYS,
        "assessed",
        "pd_day",
        (pl.col("last_day") > pl.col("pd_day")).alias("after"),
        "back_day",
        "back_word",
    )


def _judge_marker(study: Study, series: pl.DataFrame, timepoints: pl.DataFrame, *, test: str) -> pl.DataFrame:
    """Compare a marker at the first RECIST 1.1 progression with the one before treatment."""
    rows = timepoints.filter(pl.col("criterion") == "recist11")
    facts = series.join(find_reversals(rows, CONTROL), on=KEYS, how="left", maintain_order="left")
    facts = _add_marker(facts, study, test)
    base, then = pl.col("base_value"), pl.col("pd_value")
    low, high = pl.col("base_limit"), pl.col("pd_limit")
    exact = low.is_null() & high.is_null()
    fell = (
        pl.when(exact)
        .then(then < base)
        .when((low != "<").fill_null(value=True) & (high != ">").fill_null(value=True) & (then < base))
        .then(pl.lit(value=True))
        .when((low != ">").fill_null(value=True) & (high != "<").fill_null(value=True) & (then > base))
        .then(pl.lit(value=False))
    )
    same = pl.col("base_unit").eq_missing(pl.col("pd_unit"))
    gate = (
        pl.when(pl.col("pd_day").is_null())
        .then(pl.lit("no RECIST 1.1 progression"))
        .when(base.is_null())
        .then(pl.lit("there is no value in the baseline window"))
        .when(then.is_null())
        .then(pl.lit(f"there is no value within {MARKER_DAYS:g} days of the progression scan"))
        .when(~same)
        .then(
            text(
                "the units differ: ",
                pl.col("base_unit").fill_null("none"),
                " and ",
                pl.col("pd_unit").fill_null("none"),
            )
        )
        .when(base <= 0)
        .then(pl.lit("the value before treatment is 0"))
    )
    unit = pl.col("base_unit").fill_null("")
    told = text(
        pl.col("base_limit"),
        number(base),
        " before treatment, ",
        pl.col("pd_limit"),
        number(then),
        " ",
        unit,
        " at PD",
    )
    why = pl.lit("values beyond the limit of the assay cannot be compared")
    change = pl.when(exact).then(100.0 * (then - base) / base)
    return judge(
        facts,
        MARKERS[test],
        Rule(clause=Clause(test=fell, told=told, why=why), gate=gate, value=change, day=pl.col("pd_day")),
    )


def _add_marker(facts: pl.DataFrame, study: Study, test: str) -> pl.DataFrame:
    """Add the last value in the baseline window and the one nearest to the progression scan."""
    policies = study.config.policies
    labs = study.table("labs")
    named = ("value", "unit", "limit")
    if labs is None:
        kinds = {"value": pl.Float64, "unit": pl.String, "limit": pl.String}
        return facts.with_columns(
            pl.lit(None, dtype=kinds[name]).alias(f"{when}_{name}")
            for when in ("base", "pd")
            for name in named
        )
    rows = labs.filter(pl.col("test").str.to_lowercase() == test, pl.col("value").is_not_null()).select(
        "patient_id",
        "day",
        "value",
        pl.col("unit").str.strip_chars().str.to_lowercase().str.replace("µ|μ", "u"),
        pl.col("comparator").cast(pl.String).alias("limit"),
    )
    inside = pl.col("day").is_between(policies.baseline_window_start, policies.baseline_window_end)
    base = (
        rows.filter(inside)
        .sort("patient_id", "day")
        .group_by("patient_id", maintain_order=True)
        .agg(pl.col(name).last().alias(f"base_{name}") for name in named)
    )
    near = facts.select(*KEYS, "pd_day").join(rows, on="patient_id", how="inner")
    away = (pl.col("day") - pl.col("pd_day")).abs()
    near = near.with_columns(away.alias("away")).filter(pl.col("away") <= MARKER_DAYS)
    then = (
        near.sort(*KEYS, "away", "day")
        .group_by(KEYS, maintain_order=True)
        .agg(pl.col(name).first().alias(f"pd_{name}") for name in named)
    )
    told = facts.join(base, on="patient_id", how="left", maintain_order="left")
    return told.join(then, on=KEYS, how="left", maintain_order="left")
