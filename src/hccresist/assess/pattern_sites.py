"""Lesion by lesion, organ by organ: dissociated (mixed) response, oligo- and systemic progression.

A lesion is compared with itself: longest diameter, short axis for nodes. Scans belong to the RECIST
1.1 visit whose day follows within `visit_window_days` (a visit's day is its last scan). What was not
measured is left out of the comparison and never counted as unchanged.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.assess.order import opens_group, sort_rows
from hccresist.assess.pattern_facts import CRITERION, LESION, lesion_organs
from hccresist.assess.pattern_records import KEYS, Clause, Definition, Rule, judge, number, text
from hccresist.study.codes import HEPATIC_ORGANS, NODE_ORGANS
from hccresist.study.policies import Policies
from hccresist.study.study import Study

TABLE: Final = "the review doi:10.1177/17588359221096877 (PMC9083034), table 1"
OLIGO_LESIONS: Final = 5

BY_LESION: Final = Definition(
    name="dissociated_bernard_tessier_2020",
    family="dissociated",
    title="Dissociated response by lesion (Bernard-Tessier 2020)",
    needs=("two lesions measured at baseline and at one assessment",),
    rule=(
        "at one assessment some lesions have shrunk by more than 30 % and others grown by more than 20 %, "
        "and these together by ≥ 5 mm"
    ),
    source=f"Bernard-Tessier 2020, as cited in {TABLE}",
    verification="verified",
    seen="the definition in that table; that both changes count from baseline is our reading",
    unit="points between the extremes",
)
BY_ORGAN: Final = Definition(
    name="dissociated_sato_2021",
    family="dissociated",
    title="Dissociated response by organ (Sato 2021)",
    needs=("targets measured at the first assessment", "new lesions, non-targets"),
    rule=(
        "at the first assessment CR or PR of the targets in one organ and PD in another, or CR or PR in all "
        "with a new lesion or unequivocal progression of non-targets"
    ),
    source=f"Sato 2021, Invest New Drugs, doi:10.1007/s10637-021-01077-7, and {TABLE}",
    verification="verified",
    seen="abstract (organs by RECIST at the first evaluation) and the definition in that table",
    unit="organs with targets",
)
LIVER: Final = Definition(
    name="dissociated_liver_rest",
    family="dissociated",
    title="Liver against the rest (HCC, checkpoint inhibitors)",
    needs=("targets in and outside the liver at the first assessment",),
    rule="progression of the targets in the liver with control outside, or the other way round",
    source=(
        "Differential Organ-Specific Tumor Response to Immune Checkpoint Inhibitors in Hepatocellular "
        "Carcinoma, supplement: karger.figshare.com 9272579"
    ),
    verification="partly_verified",
    seen=(
        "abstract: 12 of 39 had control outside and PD in the liver, 4 the other way round; that the first "
        "assessment decides is our choice"
    ),
)
LOOSE: Final = Definition(
    name="dissociated_tozuka_2020",
    family="dissociated",
    title="Some lesions shrink, others grow or emerge (Tozuka 2020)",
    needs=("lesions measured twice",),
    rule="not known in full",
    source=f"Tozuka 2020, as cited in {TABLE}",
    verification="not_verified",
    seen="shrinking beside growing or new lesions, without thresholds",
    computable=False,
)
OLIGO: Final = Definition(
    name="oligoprogression",
    family="extent",
    title="Oligoprogression (Song 2025, HCC)",
    needs=("the lesions at the first RECIST 1.1 progression",),
    rule=(
        f"at the first progression 1 to {OLIGO_LESIONS} lesions progress and at least one other does not; a "
        "lesion progresses when it is new, in unequivocal progression, or ≥ 20 % and ≥ 5 mm above its own "
        "smallest size"
    ),
    source="Song 2025, J Hepatocell Carcinoma 12:1097, doi:10.2147/JHC.S519770",
    verification="partly_verified",
    seen="abstract: up to 5 progressive lesions, others stable; what makes one lesion progress is ours",
    unit="progressing lesions",
)
SYSTEMIC: Final = Definition(
    name="systemic_progression",
    family="extent",
    title="Systemic progression (ours: the complement of oligoprogression)",
    needs=OLIGO.needs,
    rule=f"at the first progression more than {OLIGO_LESIONS} lesions progress, or every lesion does",
    source="ours",
    verification="ours",
    seen="no rule was seen",
    unit="progressing lesions",
)
DEFINITIONS: Final = (BY_LESION, BY_ORGAN, LIVER, LOOSE, OLIGO, SYSTEMIC)


def judge_sites(
    study: Study,
    series: pl.DataFrame,
    *,
    timepoints: pl.DataFrame,
    baselines: pl.DataFrame,
    organs: pl.DataFrame | None = None,
) -> list[pl.DataFrame]:
    """Return the rows of `patterns` for dissociated response and the extent of progression.

    One frame a definition, one row for each row of `series`. `organs` is what `lesion_organs` returns,
    where it is known already.
    """
    seen = sort_rows(timepoints.filter(pl.col("criterion") == CRITERION), [*KEYS, "day"])
    base = baselines.filter(pl.col("criterion") == CRITERION, pl.col("day").is_not_null())
    sizes = lesion_sizes(study, seen, base, organs=organs)
    return [
        _judge_lesions(series, sizes),
        *_judge_organs(series, sizes, seen),
        judge(series, LOOSE, None),
        *_judge_extent(series, sizes, seen),
    ]


def lesion_sizes(
    study: Study, seen: pl.DataFrame, base: pl.DataFrame, *, organs: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return each lesion at each RECIST 1.1 visit, beside its size at baseline.

    Returns
    -------
    pl.DataFrame
        patient_id, reader, lesion_id, visit_day, um (size in whole micrometres, empty where it was
        not evaluable), um_base (at baseline, empty for new lesions), um_low (smallest before this
        visit), organ, hepatic, target, new, progressing (recorded as unequivocal progression).
    """
    table = study.table("lesions")
    named = lesion_organs(study) if organs is None else organs
    if table is None or named is None:
        return _no_sizes()
    lesions = _roles(named, base)
    visits = _visit_sizes(table, lesions, seen, base, study.config.policies)
    at = visits["__lesion"]
    base_day = lesions["base_day"].gather(at)
    first = visits.filter(visits["visit_day"] == base_day).select("__lesion", pl.col("um").alias("um_base"))
    low = pl.col("um").cum_min().shift(1).forward_fill().over("__lesion").alias("um_low")
    after = visits.with_columns(low).filter(visits["visit_day"] > base_day)
    after = after.join(first, on="__lesion", how="left", maintain_order="left")
    return after.hstack(lesions[after["__lesion"]]).select(list(_no_sizes().columns))


def _visit_sizes(
    table: pl.DataFrame,
    lesions: pl.DataFrame,
    seen: pl.DataFrame,
    base: pl.DataFrame,
    policies: Policies,
) -> pl.DataFrame:
    """Return number of lesion, day of the visit, size and whether it progresses, in this order.

    Rows belong to the visit that ends on their day or soonest after it, at most a visit window later.
    """
    numbered = lesions.select(*KEYS, "__series").unique()
    days = pl.concat([base.select(*KEYS, "day"), seen.select(*KEYS, "day")])
    days = days.join(numbered, on=KEYS, how="inner").select("__series", "day").unique()
    rows = sort_rows(table, [*LESION, "day"]).select(
        (opens_group(LESION).cum_sum() - 1).alias("__lesion"),
        "day",
        _size(policies.tstm_value).alias("um"),
        _progressing().alias("progressing"),
    )
    rows = rows.with_columns(lesions["__series"].gather(rows["__lesion"])).sort("day", maintain_order=True)
    rows = rows.join_asof(
        days.with_columns(pl.col("day").alias("visit_day")).sort("day"),
        on="day",
        by="__series",
        strategy="forward",
        tolerance=policies.visit_window_days,
        check_sortedness=False,
    ).filter(pl.col("visit_day").is_not_null())
    rows = rows.sort("__lesion", "day")
    cell = opens_group(["__lesion", "visit_day"]).cum_sum().alias("__cell")
    return (
        rows.with_columns(cell)
        .group_by("__cell", maintain_order=True)
        .agg(
            pl.col("__lesion", "visit_day").first(),
            pl.col("um").drop_nulls().last(),
            pl.col("progressing").any(),
        )
        .drop("__cell")
    )


def _size(too_small_mm: float) -> pl.Expr:
    """Return what a row measures in whole micrometres, as the response engine does for RECIST 1.1."""
    state = pl.col("state").cast(pl.String)
    node = pl.col("node").fill_null(pl.col("organ").cast(pl.String).is_in(NODE_ORGANS)).fill_null(value=False)
    mm = pl.when(node).then("short_axis_mm").otherwise("longest_mm")
    value = (
        pl.when(state.is_in(["absent", "merged"]))
        .then(0.0)
        .when(state == "not_evaluable")
        .then(None)
        .when(state == "too_small")
        .then(pl.coalesce(mm, pl.lit(too_small_mm)))
        .otherwise(mm)
    )
    return (value * 1000).round().cast(pl.Int64)


def _progressing() -> pl.Expr:
    return (pl.col("state").cast(pl.String) == "unequivocal_progression").fill_null(value=False)


def _roles(named: pl.DataFrame, base: pl.DataFrame) -> pl.DataFrame:
    """Return each lesion with its number, its series, its baseline, and what it is."""
    started = base.select(*KEYS, pl.col("day").alias("base_day"))
    lesions = named.with_columns(opens_group(KEYS).cum_sum().alias("__series"))
    lesions = lesions.join(started, on=KEYS, how="left", maintain_order="left")
    any_role = (~pl.col("roleless")).any().over("__series")
    late = pl.col("roleless") & (pl.col("first_seen") > pl.col("base_day"))
    return lesions.with_columns(
        pl.col("organ").is_in(HEPATIC_ORGANS).alias("hepatic"),
        (pl.col("target") | ~any_role).alias("target"),
        (pl.col("new_role") | late).alias("new"),
    )


def _no_sizes() -> pl.DataFrame:
    texts = dict.fromkeys((*KEYS, "lesion_id"), pl.String)
    wholes = dict.fromkeys(("um", "um_base", "um_low"), pl.Int64)
    flags = dict.fromkeys(("hepatic", "target", "new", "progressing"), pl.Boolean)
    return pl.DataFrame(schema={**texts, "visit_day": pl.Float64, **wholes, "organ": pl.String, **flags})


def _judge_lesions(series: pl.DataFrame, sizes: pl.DataFrame) -> pl.DataFrame:
    measured = sizes.filter(pl.col("um").is_not_null(), pl.col("um_base") > 0)
    now, base = pl.col("um"), pl.col("um_base")
    shrunk, grown = now * 10 < base * 7, now * 10 > base * 12
    change = 100.0 * (now - base) / base
    visits = measured.group_by(*KEYS, "visit_day").agg(
        pl.len().alias("lesions"),
        shrunk.any().alias("shrunk"),
        ((now - base).filter(grown).sum() >= 5000).alias("grown"),
        change.min().alias("least"),
        change.max().alias("most"),
    )
    visits = visits.filter(pl.col("lesions") >= 2).with_columns(
        (pl.col("shrunk") & pl.col("grown")).alias("met")
    )
    decided = (
        visits.sort(*KEYS, pl.col("met").not_(), "visit_day").group_by(KEYS, maintain_order=True).first()
    )
    facts = series.join(decided, on=KEYS, how="left", maintain_order="left")
    span = text(
        "changes from ", number(pl.col("least"), 1), " to ", number(pl.col("most"), 1), " % of baseline"
    )
    told = text(span, " on day ", number(pl.col("visit_day"), 1))
    gate = pl.when(pl.col("lesions").is_null()).then(
        pl.lit("no assessment has two lesions that were measured at baseline and again")
    )
    clause = Clause(test=pl.col("met"), told=told, why=gate)
    rule = Rule(clause=clause, gate=gate, value=pl.col("most") - pl.col("least"), day=pl.col("visit_day"))
    return judge(facts, BY_LESION, rule)


def _first_assessment(seen: pl.DataFrame) -> pl.DataFrame:
    rows = sort_rows(seen.filter(pl.col("overall") != "NE"), [*KEYS, "day"])
    return rows.group_by(KEYS, maintain_order=True).agg(
        pl.col("day").first().alias("visit_day"),
        pl.col("new_lesion").first().alias("new_lesion"),
        (pl.col("nontarget").first() == "PD").alias("nontarget_pd"),
    )


def _organ_response(grouped: str) -> list[pl.Expr]:
    """Return response of the targets of one organ: complete, better (CR or PR), worse (PD)."""
    complete = pl.col("um").is_not_null().all()
    now, base = pl.col("um").sum(), pl.col("um_base").sum()
    return [
        complete.alias("complete"),
        (complete & (now * 10 <= base * 7)).alias("better"),
        ((now * 10 >= base * 12) & (now - base >= 5000) & complete).alias("worse"),
        pl.len().alias(grouped),
    ]


def _judge_organs(series: pl.DataFrame, sizes: pl.DataFrame, seen: pl.DataFrame) -> list[pl.DataFrame]:
    first = _first_assessment(seen)
    targets = sizes.filter("target", pl.col("um_base") > 0).join(first, on=[*KEYS, "visit_day"], how="inner")
    organs = (
        targets.group_by(*KEYS, "organ")
        .agg(_organ_response("targets"))
        .group_by(KEYS)
        .agg(
            pl.len().alias("organs"),
            pl.col("complete").all(),
            pl.col("better").any().alias("any_better"),
            pl.col("better").all().alias("all_better"),
            pl.col("worse").any().alias("any_worse"),
        )
    )
    sides = targets.group_by(*KEYS, "hepatic").agg(_organ_response("targets"))
    facts = series.join(first, on=KEYS, how="left", maintain_order="left")
    return [_judge_sato(facts, organs), _judge_liver(facts, sides)]


def _judge_sato(facts: pl.DataFrame, organs: pl.DataFrame) -> pl.DataFrame:
    facts = facts.join(organs, on=KEYS, how="left", maintain_order="left")
    mixed = pl.col("any_better") & pl.col("any_worse")
    nontarget = pl.col("nontarget_pd").fill_null(value=False)
    other = pl.when(nontarget).then(pl.lit(value=True)).otherwise("new_lesion")
    spread = pl.col("all_better") & other
    test = pl.when(mixed).then(pl.lit(value=True)).when("complete").then(mixed | spread)
    word = (
        pl.when(mixed)
        .then(pl.lit("response in one organ and progression in another"))
        .when(spread)
        .then(pl.lit("response in every organ with new lesions or growing non-targets"))
        .otherwise(pl.lit("no mix of response and progression"))
    )
    day = pl.col("visit_day")
    gate = (
        pl.when(day.is_null())
        .then(pl.lit("there is no RECIST 1.1 assessment after baseline"))
        .when(pl.col("organs").is_null())
        .then(pl.lit("no target was measured at baseline and listed at the first assessment"))
    )
    told = text(
        word, " on day ", number(day, 1), ", ", pl.col("organs").cast(pl.String), " organs with targets"
    )
    why = pl.lit("not every target was measured at the first assessment")
    clause = Clause(test=test, told=told, why=why)
    return judge(facts, BY_ORGAN, Rule(clause=clause, gate=gate, value=pl.col("organs"), day=day))


def _judge_liver(facts: pl.DataFrame, sides: pl.DataFrame) -> pl.DataFrame:
    for name, chosen in (("liver", pl.col("hepatic")), ("rest", ~pl.col("hepatic"))):
        part = sides.filter(chosen).select(
            *KEYS, pl.when("complete").then("worse").alias(name), pl.lit(value=True).alias(f"has_{name}")
        )
        facts = facts.join(part, on=KEYS, how="left", maintain_order="left")
    both = (pl.col("has_liver") & pl.col("has_rest")).fill_null(value=False)
    liver, rest, day = pl.col("liver"), pl.col("rest"), pl.col("visit_day")
    gate = (
        pl.when(day.is_null())
        .then(pl.lit("there is no RECIST 1.1 assessment after baseline"))
        .when(~both)
        .then(pl.lit("there are not targets both in and outside the liver"))
    )
    words = {True: "progress", False: "are controlled"}
    told = text(
        "targets in the liver ",
        liver.replace_strict(words, default="are unknown", return_dtype=pl.String),
        ", outside ",
        rest.replace_strict(words, default="are unknown", return_dtype=pl.String),
        " on day ",
        number(day, 1),
    )
    why = pl.lit("not every target was measured at the first assessment")
    nothing = pl.lit(None, dtype=pl.Float64)
    return judge(
        facts,
        LIVER,
        Rule(clause=Clause(test=liver != rest, told=told, why=why), gate=gate, value=nothing, day=day),
    )


def _judge_extent(series: pl.DataFrame, sizes: pl.DataFrame, seen: pl.DataFrame) -> list[pl.DataFrame]:
    worse = (
        seen.filter(pl.col("overall") == "PD")
        .group_by(KEYS, maintain_order=True)
        .agg(pl.col("day").first().alias("visit_day"), pl.col("new_lesion").first().alias("flag"))
    )
    grown = (pl.col("um") * 10 >= pl.col("um_low") * 12) & (pl.col("um") - pl.col("um_low") >= 5000)
    new = pl.col("new") & (pl.col("um").fill_null(1) > 0)
    progressing = pl.col("progressing") | new | (pl.col("target") & grown.fill_null(value=False))
    at = sizes.join(worse.select(*KEYS, "visit_day"), on=[*KEYS, "visit_day"], how="inner")
    counts = at.group_by(KEYS).agg(
        progressing.sum().cast(pl.Int64).alias("count"),
        (~progressing & (pl.col("um").is_not_null() | ~pl.col("target")))
        .sum()
        .cast(pl.Int64)
        .alias("others"),
        new.any().alias("new_listed"),
    )
    facts = series.join(worse, on=KEYS, how="left", maintain_order="left")
    facts = facts.join(counts, on=KEYS, how="left", maintain_order="left")
    count, others, day = pl.col("count"), pl.col("others"), pl.col("visit_day")
    gate = (
        pl.when(day.is_null())
        .then(pl.lit("no RECIST 1.1 progression"))
        .when(count.is_null())
        .then(pl.lit("no lesion is listed at the progression"))
        .when(pl.col("flag") & ~pl.col("new_listed"))
        .then(pl.lit("a new lesion was recorded but is not listed, so that lesions cannot be counted"))
        .when(count == 0)
        .then(pl.lit("no lesion progressed by itself, only their sum or what is not listed"))
        .when(count + others < 2)
        .then(pl.lit("one lesion is listed, so that few and all cannot be told apart"))
    )
    told = text(
        count.cast(pl.String),
        " lesions progress and ",
        others.cast(pl.String),
        " do not on day ",
        number(day, 1),
    )
    oligo = (count <= OLIGO_LESIONS) & (others >= 1)
    rules = {
        OLIGO: Clause(test=oligo, told=told, why=gate),
        SYSTEMIC: Clause(test=~oligo, told=told, why=gate),
    }
    return [judge(facts, item, Rule(clause=c, gate=gate, value=count, day=day)) for item, c in rules.items()]
