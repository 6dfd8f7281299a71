"""Hyperprogression: every published definition side by side, each a record with one function.

Definitions disagree by design (Kas 2020 found different incidences and different patients), so none
is preferred: each has its own evaluable denominator, and `hccresist.assess.patterns.derive_overlap`
shows how far they agree. What was read of each source, and what was not, stands in its record;
`docs/explanation/hyperprogression.md` tells it at length.

A definition that needs a scan before treatment is never judged without one. A ratio to standstill
or shrinkage has no meaning: such a patient is judged only where another condition already fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

from hccresist.assess.pattern_records import (
    TIE,
    Clause,
    Definition,
    Registry,
    Rule,
    RuleOf,
    Verification,
    all_of,
    any_of,
    at_least,
    judge,
    number,
    text,
)
from hccresist.study.policies import Policies

ADASHEK: Final = (
    "Adashek 2020, Oncologist 25:94, doi:10.1634/theoncologist.2019-0636, PMID 32043794 (PMC7011624), table 1"
)
JITC_TABLE: Final = "jitc.bmj.com/highwire/markup/34591, table 2"
_SCAN: Final = "a scan at most hpd_reference_scan_window days before the baseline"
_FIRST: Final = "a complete sum at the first assessment"
_PD: Final = "RECIST 1.1 at the first assessment"
_TTF: Final = "treatment stop, progression or death, with two months of follow-up"
_NEW: Final = "new lesions by organ"
_ECOG: Final = "performance status before and within two months"

REGISTRY: Final[Registry] = {}


def _register(
    name: str,
    *,
    title: str,
    needs: tuple[str, ...],
    rule: str,
    source: str,
    seen: str,
    verification: Verification = "verified",
    unit: str = "ratio",
) -> Callable[[RuleOf], RuleOf]:
    """Return a decorator that puts a definition and its function into `REGISTRY`."""

    def keep(function: RuleOf) -> RuleOf:
        REGISTRY[name] = (
            Definition(
                name=name,
                family="hyperprogression",
                title=title,
                needs=needs,
                rule=rule,
                source=source,
                verification=verification,
                seen=seen,
                unit=unit,
            ),
            function,
        )
        return function

    return keep


def _register_closed(name: str, *, title: str, needs: tuple[str, ...], source: str, seen: str) -> None:
    """Register a definition whose numbers were not seen: known, and not computable."""
    definition = Definition(
        name=name,
        family="hyperprogression",
        title=title,
        needs=needs,
        rule="not known in full",
        source=source,
        verification="not_verified",
        seen=seen,
        computable=False,
    )
    REGISTRY[name] = (definition, None)


def _progressed() -> Clause:
    day = number(pl.col("day_evaluated"), 1)
    return Clause(
        test=pl.col("pd_first"),
        told=text(
            pl.when(pl.col("pd_first")).then(pl.lit("PD")).otherwise(pl.lit("no PD")),
            " at the first assessment on day ",
            day,
        ),
        why=pl.lit("there is no RECIST 1.1 assessment after baseline"),
    )


_NO_GROWTH: Final = "the sum did not grow before treatment, so that a ratio has no meaning"


def _tgr_ratio(least: float) -> Clause:
    ratio = pl.col("tgr_ratio")
    return Clause(
        test=ratio >= least * (1.0 - TIE),
        told=text("TGR ratio ", number(ratio), f" (needs ≥ {least:g})"),
        why=pl.coalesce("why_before", "why_after", pl.lit(_NO_GROWTH)),
    )


def _tgk_ratio(least: float, *, above: bool = False) -> Clause:
    """Compare growth in whole micrometres crosswise, so that ties are exact."""
    before = (pl.col("um_baseline") - pl.col("um_before")) * pl.col("span_after")
    after = (pl.col("um_first") - pl.col("um_baseline")) * pl.col("span_before")
    enough = after > least * before if above else after >= least * before
    told = text("TGK ratio ", number(pl.col("tgk_ratio")), f" (needs {'>' if above else '≥'} {least:g})")
    return Clause(
        test=pl.when(before > 0).then(enough),
        told=told,
        why=pl.coalesce(_linear("why_before"), _linear("why_after"), pl.lit(_NO_GROWTH)),
    )


def _linear(name: str) -> pl.Expr:
    """Return a reason only where it also stands in the way of TGK, for which 0 is a size."""
    return pl.when(~pl.col(name).str.ends_with("is 0")).then(name)


def _delta_tgr(limit: float, *, above: bool) -> Clause:
    delta = pl.col("delta_tgr")
    return Clause(
        test=delta > limit + TIE if above else delta >= limit - TIE,
        told=text("TGR rose by ", number(delta, 1), f" points (needs {'>' if above else '≥'} {limit:g})"),
        why=pl.coalesce("why_before", "why_after"),
    )


def _burden(percent: int, *, above: bool) -> Clause:
    """Compare the sum with the baseline in whole micrometres."""
    rise = (pl.col("um_first") - pl.col("um_baseline")) * 100
    limit = pl.col("um_baseline") * percent
    change = 100.0 * (pl.col("mm_first") - pl.col("mm_baseline")) / pl.col("mm_baseline")
    fine = (pl.col("um_baseline") > 0) & pl.col("why_first").is_null()
    return Clause(
        test=pl.when(fine).then(rise > limit if above else rise >= limit),
        told=text("sum changed by ", number(change, 1), f" % (needs {'>' if above else '≥'} {percent} %)"),
        why=pl.coalesce("why_first", pl.lit("the sum at baseline is 0")),
    )


def _rise(least_mm: float) -> Clause:
    rise = pl.col("um_first") - pl.col("um_baseline")
    return Clause(
        test=pl.when(pl.col("why_first").is_null()).then(rise >= round(1000 * least_mm)),
        told=text("by ", number(rise / 1000, 1), f" mm (needs ≥ {least_mm:g} mm)"),
        why=pl.coalesce("why_first", pl.lit("there is no sum at baseline")),
    )


def _short_ttf() -> Clause:
    day = pl.col("ttf_day")
    told = (
        pl.when(day.is_null())
        .then(pl.lit("no treatment failure"))
        .otherwise(text("treatment failure on day ", number(day, 1)))
    )
    return Clause(test=pl.col("ttf_short"), told=text(told, " (needs < 2 months)"), why=pl.col("why_ttf"))


def _new_in_involved() -> Clause:
    count = pl.col("new_same_organ")
    return Clause(
        test=count >= 2,
        told=text(count.cast(pl.String), " new lesions in an involved organ (needs ≥ 2)"),
        why=pl.col("why_new"),
    )


def _new_organ() -> Clause:
    spread = pl.col("new_organ")
    told = pl.when(spread).then(pl.lit("spread to a new organ")).otherwise(pl.lit("no spread to a new organ"))
    return Clause(test=spread, told=told, why=pl.col("why_new"))


def _ecog() -> Clause:
    worst = number(pl.col("ecog_worst"), 0)
    return Clause(
        test=pl.col("ecog_worse"),
        told=text("worst ECOG within two months ", worst, " (needs worsening to ≥ 2)"),
        why=pl.col("why_ecog"),
    )


_RATE_NEEDS: Final = (_SCAN, _FIRST)


def _growth_gate() -> pl.Expr:
    """Return why growth before and after cannot both be known."""
    return pl.coalesce(pl.when(pl.col("day_before").is_null()).then("why_before"), "why_first")


def _growth_rule(clause: Clause, value: str) -> Rule:
    return Rule(clause=clause, gate=_growth_gate(), value=pl.col(value), day=pl.col("day_first"))


@_register(
    "champiat_2017",
    title="Champiat 2017",
    needs=(*_RATE_NEEDS, _PD),
    rule="RECIST PD at the first evaluation and TGR after / TGR before ≥ 2",
    source="Champiat 2017, Clin Cancer Res 23:1920",
    seen=f"rule in {ADASHEK}; the paper was not seen",
)
def champiat_2017() -> Rule:
    """Progression at first evaluation with at least twice the growth rate of volume."""
    return _growth_rule(all_of(_progressed(), _tgr_ratio(2.0)), "tgr_ratio")


@_register(
    "saada_bouzid_2017",
    title="Saâda-Bouzid 2017",
    needs=_RATE_NEEDS,
    rule="TGK after / TGK before ≥ 2",
    source="Saâda-Bouzid 2017, Ann Oncol 28:1605",
    seen=f"rule in {ADASHEK}; the paper was not seen",
)
def saada_bouzid_2017() -> Rule:
    """At least twice the growth of the sum in mm."""
    return _growth_rule(_tgk_ratio(2.0), "tgk_ratio")


@_register(
    "kato_2017",
    title="Kato 2017",
    needs=(*_RATE_NEEDS, _TTF),
    rule="time to treatment failure < 2 months, tumour burden +> 50 % and pace of progression > 2-fold",
    source="Kato 2017, Clin Cancer Res 23:4242",
    seen=f"rule in {ADASHEK}; that the pace is the TGK ratio, and what ends treatment, is our reading",
)
def kato_2017() -> Rule:
    """Early treatment failure with half as much tumour again, at more than twice the pace."""
    clause = all_of(_short_ttf(), _burden(50, above=True), _tgk_ratio(2.0, above=True))
    return _growth_rule(clause, "tgk_ratio")


@_register(
    "ferrara_2018",
    title="Ferrara 2018",
    needs=(*_RATE_NEEDS, _PD),
    rule="PD at the first evaluation and ΔTGR > 50 percentage points a month",
    source="Ferrara 2018, JAMA Oncol 4:1543",
    seen=f"rule in {ADASHEK}; the paper was not seen",
    unit="points/month",
)
def ferrara_2018() -> Rule:
    """Progression at first evaluation with TGR up by more than 50 points."""
    return _growth_rule(all_of(_progressed(), _delta_tgr(50.0, above=True)), "delta_tgr")


@_register(
    "kanjanapan_2019",
    title="Kanjanapan 2019",
    needs=(*_RATE_NEEDS, _PD),
    rule="RECIST 1.1 PD at the first on-treatment scan and TGR ratio ≥ 2",
    source="Kanjanapan 2019, as cited in Adashek 2020",
    seen=f"rule in {ADASHEK}; the paper was not seen",
)
def kanjanapan_2019() -> Rule:
    """Ask what Champiat 2017 asks; from phase 1 trials."""
    return _growth_rule(all_of(_progressed(), _tgr_ratio(2.0)), "tgr_ratio")


@_register(
    "lo_russo_2019",
    title="Lo Russo 2019",
    needs=(_FIRST, _TTF, _NEW, _ECOG),
    rule=(
        "at least 3 of 5: time to treatment failure < 2 months; sum of targets +≥ 50 %; ≥ 2 new lesions in "
        "an organ already involved; spread to a new organ; ECOG worsening to ≥ 2 in the first two months"
    ),
    source="Lo Russo 2019, Clin Cancer Res 25:989",
    seen=f"rule in {ADASHEK}; sums and new lesions are read at the first assessment",
    unit="criteria met",
)
def lo_russo_2019() -> Rule:
    """Three of five clinical and radiological signs; no scan before treatment is needed."""
    clauses = (_short_ttf(), _burden(50, above=False), _new_in_involved(), _new_organ(), _ecog())
    count = pl.sum_horizontal(c.test.fill_null(value=False).cast(pl.Int64) for c in clauses)
    return Rule(
        clause=at_least(3, *clauses),
        gate=pl.when(pl.col("day_evaluated").is_null()).then(
            pl.lit("there is no RECIST 1.1 assessment after baseline")
        ),
        value=count,
        day=pl.col("day_evaluated"),
    )


@_register(
    "matos_2020",
    title="Matos 2020",
    needs=(_FIRST, _NEW),
    rule=(
        "at the first assessment, at most two months from the start: sum +> 40 % and ≥ 10 mm, or sum "
        "+≥ 20 % with ≥ 2 new lesions in an involved organ or spread to a new organ"
    ),
    source="Matos 2020, Clin Cancer Res 26:1846, doi:10.1158/1078-0432.CCR-19-2226, PMID 31757877",
    verification="partly_verified",
    seen=(
        f"abstract, and +> 40 %, new lesions and two months in {JITC_TABLE}; the 10 mm, the 20 % and how the "
        "parts combine are from memory"
    ),
    unit="%",
)
def matos_2020() -> Rule:
    """Early rise of the tumour burden by RECIST measures; no scan before treatment is needed."""
    grown = all_of(_burden(40, above=True), _rise(10.0))
    spread = all_of(_burden(20, above=False), any_of(_new_in_involved(), _new_organ()))
    limit = pl.col("two_months")
    late = text(
        "the first assessment is on day ", number(pl.col("day_evaluated"), 1), ", after more than two months"
    )
    gate = pl.coalesce(
        pl.when(pl.col("day_evaluated").is_null()).then(
            pl.lit("there is no RECIST 1.1 assessment after baseline")
        ),
        pl.when(pl.col("day_evaluated") > limit).then(late),
    )
    change = 100.0 * (pl.col("mm_first") - pl.col("mm_baseline")) / pl.col("mm_baseline")
    return Rule(clause=any_of(grown, spread), gate=gate, value=change, day=pl.col("day_evaluated"))


@_register(
    "kas_2020",
    title="Kas 2020",
    needs=_RATE_NEEDS,
    rule="ΔTGR > 100 percentage points a month",
    source="Kas 2020, JAMA Oncol 6:1039, doi:10.1001/jamaoncol.2020.1634, PMID 32525513",
    seen="abstract in PMC7290708; whether PD is needed besides was not seen, it is not asked for",
    unit="points/month",
)
def kas_2020() -> Rule:
    """TGR up by more than 100 points."""
    return _growth_rule(_delta_tgr(100.0, above=True), "delta_tgr")


@_register(
    "kim_2021_hcc",
    title="Kim CG 2021 (HCC, nivolumab)",
    needs=_RATE_NEEDS,
    rule="TGK ratio ≥ 4, TGR ratio ≥ 4 and TGR up by ≥ 40 percentage points",
    source="Kim CG 2021, J Hepatol 74:350, doi:10.1016/j.jhep.2020.08.010",
    seen="abstract: all three cut-offs, 24 of 189 patients; that 40 % means percentage points is our reading",
)
def kim_2021_hcc() -> Rule:
    """Fourfold TGK and TGR and 40 points more TGR, in hepatocellular carcinoma."""
    clause = all_of(_tgk_ratio(4.0), _tgr_ratio(4.0), _delta_tgr(40.0, above=False))
    return _growth_rule(clause, "tgr_ratio")


def _either_ratio(least: float) -> Rule:
    larger = pl.max_horizontal("tgr_ratio", "tgk_ratio")
    rule = _growth_rule(any_of(_tgr_ratio(least), _tgk_ratio(least)), "tgr_ratio")
    return Rule(clause=rule.clause, gate=rule.gate, value=larger, day=rule.day)


_YUMITA: Final = "Yumita 2023, BMC Gastroenterol, doi:10.1186/s12876-023-02731-5"


@_register(
    "yumita_2023_twofold",
    title="Yumita 2023 (HCC, atezolizumab-bevacizumab), twofold",
    needs=_RATE_NEEDS,
    rule="TGR ratio ≥ 2 or TGK ratio ≥ 2",
    source=_YUMITA,
    seen="abstract (more than two- or fourfold; 8 of 85): read as ≥, PD is not asked for besides",
)
def yumita_2023_twofold() -> Rule:
    """Twice the growth by either measure."""
    return _either_ratio(2.0)


@_register(
    "yumita_2023_fourfold",
    title="Yumita 2023 (HCC, atezolizumab-bevacizumab), fourfold",
    needs=_RATE_NEEDS,
    rule="TGR ratio ≥ 4 or TGK ratio ≥ 4",
    source=_YUMITA,
    seen="abstract (more than two- or fourfold; 5 of 85): read as ≥, PD is not asked for besides",
)
def yumita_2023_fourfold() -> Rule:
    """Four times the growth by either measure."""
    return _either_ratio(4.0)


@_register(
    "maesaka_2022",
    title="Maesaka 2022 (HCC, atezolizumab-bevacizumab)",
    needs=(*_RATE_NEEDS, _PD),
    rule="PD with TGK ratio ≥ 2 and TGR ratio ≥ 2",
    source="Maesaka 2022, Hepatol Res 52:298, doi:10.1111/hepr.13741, PMID 34918428",
    seen="abstract: PD with both at least twofold, 9 of 88 patients; PD is read at the first assessment",
)
def maesaka_2022() -> Rule:
    """Progression with twice the growth by both measures."""
    return _growth_rule(all_of(_progressed(), _tgk_ratio(2.0), _tgr_ratio(2.0)), "tgr_ratio")


@_register(
    "wong_2019",
    title="Wong 2019 (HCC case series)",
    needs=_RATE_NEEDS,
    rule="TGR ratio ≥ 2",
    source="Wong 2019, Immunotherapy 11:167, doi:10.2217/imt-2018-0126, PMID 30730278",
    seen="abstract: six patients, TGR ratio ≥ 2",
)
def wong_2019() -> Rule:
    """At least twice the growth rate of volume, in hepatocellular carcinoma."""
    return _growth_rule(_tgr_ratio(2.0), "tgr_ratio")


_register_closed(
    "kim_2019_nsclc",
    title="Kim CG 2019 (NSCLC)",
    needs=(*_RATE_NEEDS, _TTF),
    source="Kim CG 2019, Ann Oncol 30:1104",
    seen=(
        "the abstract and the method section (medscape.com/viewarticle/916574_2) name TGK, TGR and time to "
        "treatment failure over 12 weeks before and after, 263 patients; the cut-offs were not seen"
    ),
)
_register_closed(
    "zhang_2021_hcc",
    title="Zhang L 2021 (HCC, anti-PD-1)",
    needs=(*_RATE_NEEDS, _TTF),
    source="Zhang L 2021, EClinicalMedicine 31:100673",
    seen=(
        "the abstract says that time to treatment failure, TGR and TGR ratio decide, 10 of 69 patients; "
        "the cut-offs were not seen"
    ),
)


def judge_hyperprogression(facts: pl.DataFrame, policies: Policies) -> list[pl.DataFrame]:
    """Return the rows of `patterns` for every definition of hyperprogression, one frame each.

    Parameters
    ----------
    facts
        Frame of `hccresist.assess.pattern_facts.gather_facts`.
    policies
        Policies in force; two months are twice `hpd_month_length`.
    """
    facts = facts.with_columns(pl.lit(2.0 * policies.hpd_month_length).alias("two_months"))
    return [
        judge(facts, definition, None if function is None else function())
        for definition, function in REGISTRY.values()
    ]
