"""What the definitions of hyperprogression ask about a patient: one row a patient and reader.

Sizes and rates come from `sizes` (see `hccresist.assess.kinetics`), progression from `timepoints`
and `best_response` under RECIST 1.1, treatment, death, performance status and new lesions from the
study. What is not recorded is null, never assumed.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.assess.kinetics import add_rates, pair_scans
from hccresist.assess.order import opens_group, sort_rows
from hccresist.assess.pattern_records import KEYS, text
from hccresist.study.codes import NODE_ORGANS
from hccresist.study.policies import Policies
from hccresist.study.study import Study

CRITERION: Final = "recist11"
LESION: Final = [*KEYS, "lesion_id"]
NOT_A_FAILURE: Final = ("completed", "ongoing")
"""Reasons for stopping that are no treatment failure (our choice)."""
_NOT_SEEN: Final = ("absent", "not_evaluable", "merged")


def series_of(study: Study, *tables: pl.DataFrame) -> pl.DataFrame:
    """Return every patient and reader of the tables; patients in none of them have reader ''."""
    given = [table.select(pl.col(KEYS).cast(pl.String)).filter(opens_group(KEYS)) for table in tables]
    named = pl.concat(given).unique()
    rest = study.patients.select(pl.col("patient_id").cast(pl.String)).join(
        named, on="patient_id", how="anti"
    )
    return pl.concat([named, rest.with_columns(pl.lit("").alias("reader"))]).sort(KEYS)


def before_new_therapy(study: Study, timepoints: pl.DataFrame) -> pl.DataFrame:
    """Return the timepoints up to the start of a later line or the first local procedure on treatment."""
    if study.config.policies.new_therapy != "censor":
        return timepoints
    starts: list[pl.DataFrame] = []
    treatments, procedures = study.table("treatments"), study.table("procedures")
    if treatments is not None:
        later = treatments.filter(pl.col("line") > study.config.index_line)
        starts.append(later.select("patient_id", pl.col("start_day").alias("new_day")))
    if procedures is not None:
        local = procedures.filter(pl.col("day") > study.config.policies.baseline_window_end)
        starts.append(local.select("patient_id", pl.col("day").alias("new_day")))
    if not starts:
        return timepoints
    first = pl.concat(starts).group_by("patient_id").agg(pl.col("new_day").min())
    kept = timepoints.join(first, on="patient_id", how="left", maintain_order="left")
    inside = (pl.col("day") <= pl.col("new_day")).fill_null(value=True)
    return kept.filter(inside).drop("new_day")


def gather_facts(
    study: Study,
    series: pl.DataFrame,
    *,
    timepoints: pl.DataFrame,
    best_response: pl.DataFrame,
    sizes: pl.DataFrame,
    organs: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return the facts that the definitions of hyperprogression read, one row for each row of `series`.

    `organs` is what `lesion_organs` returns, where it is known already.

    Returns
    -------
    pl.DataFrame
        The columns of `hccresist.assess.kinetics.add_rates`, and

        * day_evaluated, pd_first, why_first: first RECIST 1.1 assessment other than NE, whether it
          is PD, and why there is no sum at it;
        * um_before, um_baseline, um_first: sums in whole micrometres; span_before, span_after: days
          of the two periods;
        * ttf_day, ttf_short, why_ttf: time to treatment failure, whether it is below two months;
        * new_same_organ, new_organ, why_new: new lesions at the first assessment;
        * ecog_worse, why_ecog: performance status worsened to 2 or more within two months.
    """
    policies = study.config.policies
    seen = timepoints.filter(pl.col("criterion") == CRITERION)
    best = best_response.filter(pl.col("criterion") == CRITERION)
    facts = series
    rated = add_rates(pair_scans(sizes, policies=policies), policies=policies)
    parts = (
        rated.with_columns(pl.col(KEYS).cast(pl.String)),
        _first_assessment(seen),
        best.select(*KEYS, "progression_day"),
        _last_seen(study, timepoints),
    )
    for part in parts:
        on = [key for key in KEYS if key in part.columns]
        facts = facts.join(part, on=on, how="left", maintain_order="left")
    facts = _fill_gaps(facts)
    facts = _judge_failure(facts, study, policies)
    lesions = lesion_organs(study) if organs is None else organs
    for part in (_new_lesions(lesions, facts), _new_flags(study, facts)):
        facts = facts.join(part, on=KEYS, how="left", maintain_order="left")
    facts = facts.join(_ecog(study, policies), on="patient_id", how="left", maintain_order="left")
    return _judge_rest(facts)


def _first_assessment(seen: pl.DataFrame) -> pl.DataFrame:
    rows = sort_rows(seen.filter(pl.col("overall") != "NE"), [*KEYS, "day"])
    return rows.group_by(KEYS, maintain_order=True).agg(
        pl.col("day").first().alias("day_evaluated"),
        (pl.col("overall").first() == "PD").alias("pd_first"),
        pl.col("new_lesion").first().alias("new_first"),
    )


def _fill_gaps(facts: pl.DataFrame) -> pl.DataFrame:
    none = "there is no sum at baseline"
    day, sized = pl.col("day_evaluated"), pl.col("day_first")
    later = text("the sum at the first assessment (day ", day.round(1).cast(pl.String), ") is not complete")
    return facts.with_columns(
        pl.when(pl.col("day_baseline").is_null())
        .then(pl.lit(none))
        .otherwise("why_before")
        .alias("why_before"),
        pl.when(sized.is_null())
        .then(pl.coalesce("why_after", pl.lit(none)))
        .when(day < sized)
        .then(later)
        .alias("why_first"),
        *(
            (pl.col(f"mm_{name}") * 1000).round().cast(pl.Int64).alias(f"um_{name}")
            for name in ("before", "baseline", "first")
        ),
        (pl.col("day_baseline") - pl.col("day_before")).alias("span_before"),
        (pl.col("day_first") - pl.col("day_baseline")).alias("span_after"),
    )


def _last_seen(study: Study, timepoints: pl.DataFrame) -> pl.DataFrame:
    """Return stop of the index line, death and last contact of each patient."""
    people = study.patients.select(pl.col("patient_id").cast(pl.String))
    for part in (_line_end(study), _death(study)):
        people = people.join(part, on="patient_id", how="left", maintain_order="left")
    last = timepoints.group_by("patient_id").agg(pl.col("day").max().alias("last_scan"))
    return people.join(last, on="patient_id", how="left", maintain_order="left")


def _line_end(study: Study) -> pl.DataFrame:
    treatments = study.table("treatments")
    if treatments is None:
        return _none("patient_id", stop_day=pl.Float64, treated=pl.Boolean)
    rows = treatments.filter(pl.col("line") == study.config.index_line)
    failed = pl.col("end_day").is_not_null() & ~pl.col("end_reason").cast(pl.String).is_in(
        NOT_A_FAILURE
    ).fill_null(value=False)
    return rows.group_by("patient_id").agg(
        pl.when(failed.all()).then(pl.col("end_day").max()).alias("stop_day"),
        pl.lit(value=True).alias("treated"),
    )


def _death(study: Study) -> pl.DataFrame:
    survival = study.table("survival")
    if survival is None:
        return _none("patient_id", death_day=pl.Float64, last_contact=pl.Float64)
    return survival.select(
        "patient_id",
        pl.when(pl.col("died")).then("os_days").alias("death_day"),
        pl.max_horizontal("os_days", "last_alive_day").alias("last_contact"),
    )


def _judge_failure(facts: pl.DataFrame, study: Study, policies: Policies) -> pl.DataFrame:
    """Add time to treatment failure: the earliest of stop, progression and death.

    It is *not* short when none of them happened within two months, the treatment is recorded and
    the patient was followed for two months.
    """
    limit = 2.0 * policies.hpd_month_length
    day = pl.min_horizontal("stop_day", "progression_day", "death_day")
    followed = pl.max_horizontal("last_contact", "last_scan", "stop_day", "progression_day")
    short = (
        pl.when(day < limit)
        .then(pl.lit(value=True))
        .when(pl.col("treated").fill_null(value=False) & (followed >= limit))
        .then(pl.lit(value=False))
    )
    why = (
        pl.when(~pl.col("treated").fill_null(value=False))
        .then(pl.lit("when the index line was stopped is not recorded"))
        .otherwise(pl.lit("follow-up is shorter than two months"))
    )
    return facts.with_columns(
        day.alias("ttf_day"), short.alias("ttf_short"), pl.when(short.is_null()).then(why).alias("why_ttf")
    )


def lesion_organs(study: Study) -> pl.DataFrame | None:
    """Return each lesion with its organ, whether it is new, and the first day it was seen, sorted by key.

    `target`: its first role is target. `new_role`: it has a new role; `roleless`: it has none at any
    scan, so that the day it was first seen decides. Nodes are one organ; a lesion without organ is in the
    liver, as in the response engine.
    """
    lesions = study.table("lesions")
    if lesions is None:
        return None
    role, state = pl.col("role").cast(pl.String), pl.col("state").cast(pl.String)
    size = pl.coalesce("short_axis_mm", "longest_mm", "viable_mm")
    seen = ~state.is_in(_NOT_SEEN).fill_null(value=False) & (state.is_not_null() | (size > 0))
    organ = pl.col("organ").cast(pl.String).drop_nulls().first().fill_null("liver")
    node = organ.is_in(NODE_ORGANS) | pl.col("node").any().fill_null(value=False)
    return (
        sort_rows(lesions, [*LESION, "day"])
        .with_columns(opens_group(LESION).cum_sum().alias("__lesion"))
        .group_by("__lesion", maintain_order=True)
        .agg(
            *(pl.col(key).first() for key in LESION),
            pl.when(node).then(pl.lit("lymph_node")).otherwise(organ).alias("organ"),
            role.str.starts_with("new_").any().fill_null(value=False).alias("new_role"),
            role.is_null().all().alias("roleless"),
            pl.col("day").filter(seen.fill_null(value=False)).min().alias("first_seen"),
            (role.drop_nulls().first() == "target").fill_null(value=False).alias("target"),
        )
        .drop("__lesion")
    )


def _new_lesions(lesions: pl.DataFrame | None, facts: pl.DataFrame) -> pl.DataFrame:
    """Return how many new lesions lie in involved organs, and whether one lies elsewhere."""
    if lesions is None:
        return _none(*KEYS, listed=pl.Boolean, same=pl.Int64, elsewhere=pl.Boolean)
    days = facts.select(*KEYS, "day_baseline", "day_evaluated")
    rows = lesions.join(days, on=KEYS, how="inner")
    after = (pl.col("first_seen") > pl.col("day_baseline")).fill_null(value=False)
    new = pl.col("new_role") | (pl.col("roleless") & after)
    rows = rows.with_columns(
        (new & (pl.col("first_seen") <= pl.col("day_evaluated"))).fill_null(value=False).alias("new"),
        (~new & pl.col("first_seen").is_not_null()).alias("old"),
    )
    involved = (
        rows.filter("old").select(*KEYS, "organ").unique().with_columns(pl.lit(value=True).alias("known"))
    )
    rows = rows.join(involved, on=[*KEYS, "organ"], how="left")
    known = pl.col("known").fill_null(value=False)
    return rows.group_by(KEYS).agg(
        pl.lit(value=True).alias("listed"),
        (pl.col("new") & known).sum().cast(pl.Int64).alias("same"),
        (pl.col("new") & ~known).any().alias("elsewhere"),
    )


def _new_flags(study: Study, facts: pl.DataFrame) -> pl.DataFrame:
    """Return whether the scans of the first assessment say explicitly that no lesion is new."""
    visits = study.table("visits")
    if visits is None:
        return _none(*KEYS, denied=pl.Boolean)
    days = facts.select(*KEYS, "day_baseline", "day_evaluated")
    rows = visits.select(*KEYS, "day", "new_lesion").join(days, on=KEYS, how="inner")
    rows = rows.filter(pl.col("day") > pl.col("day_baseline"), pl.col("day") <= pl.col("day_evaluated"))
    denied = (~pl.col("new_lesion")).all() & pl.col("new_lesion").is_not_null().any()
    return rows.group_by(KEYS).agg(denied.alias("denied"))


def _ecog(study: Study, policies: Policies) -> pl.DataFrame:
    """Return performance status before treatment and the worst within two months."""
    people = study.patients
    base = people["ecog"] if "ecog" in people.columns else pl.Series("ecog", [None] * len(people))
    told = people.select("patient_id").with_columns(base.cast(pl.Float64).alias("ecog_base"))
    observations = study.table("observations")
    if observations is None:
        return told.with_columns(pl.lit(None, dtype=pl.Float64).alias("ecog_worst"))
    rows = observations.filter(pl.col("name").str.to_lowercase() == "ecog").select(
        "patient_id", "day", pl.col("value").cast(pl.Float64, strict=False).alias("grade")
    )
    rows = rows.filter(pl.col("grade").is_not_null()).sort("patient_id", "day")
    before = pl.col("day") <= policies.baseline_window_end
    within = ~before & (pl.col("day") <= 2.0 * policies.hpd_month_length)
    seen = rows.group_by("patient_id").agg(
        pl.col("grade").filter(before).last().alias("ecog_before"),
        pl.col("grade").filter(within).max().alias("ecog_worst"),
    )
    return told.join(seen, on="patient_id", how="left").select(
        "patient_id", pl.coalesce("ecog_before", "ecog_base").alias("ecog_base"), "ecog_worst"
    )


def _judge_rest(facts: pl.DataFrame) -> pl.DataFrame:
    """Add what is known of new lesions and performance status."""
    flagged, listed = pl.col("new_first"), pl.col("listed").fill_null(value=False)
    shown = (pl.col("same") > 0) | pl.col("elsewhere")
    placed = listed & (shown | ~flagged.fill_null(value=False))
    nothing = ~listed & pl.col("denied").fill_null(value=False)
    worst, base = pl.col("ecog_worst"), pl.col("ecog_base")
    assessed = pl.col("day_evaluated").is_not_null()
    return facts.with_columns(
        pl.when(assessed & placed).then("same").when(assessed & nothing).then(0).alias("new_same_organ"),
        pl.when(assessed & placed)
        .then("elsewhere")
        .when(assessed & nothing)
        .then(pl.lit(value=False))
        .alias("new_organ"),
        pl.when(~assessed)
        .then(pl.lit("there is no assessment after baseline"))
        .when(~(placed | nothing))
        .then(pl.lit("whether and in which organ a lesion is new is not recorded"))
        .alias("why_new"),
        pl.when(worst < 2)
        .then(pl.lit(value=False))
        .when(base.is_not_null())
        .then(worst > base)
        .alias("ecog_worse"),
        pl.when(worst.is_null())
        .then(pl.lit("no performance status within two months is recorded"))
        .when((worst >= 2) & base.is_null())
        .then(pl.lit("performance status before treatment is not recorded"))
        .alias("why_ecog"),
    )


def _none(*keys: str, **columns: type[pl.DataType]) -> pl.DataFrame:
    schema: dict[str, type[pl.DataType]] = {**dict.fromkeys(keys, pl.String), **columns}
    return pl.DataFrame(schema=schema)
