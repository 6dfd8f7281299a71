"""Resistance itself: primary, acquired, after stopping; intolerance is never resistance.

The rules are those of the SITC immunotherapy resistance taskforce for single checkpoint inhibitors
(Kluger 2020, doi:10.1136/jitc-2019-000398, PMID 32238470, Table 1, seen). For kinase inhibitors the
same rules are used as an analogue of our own (a published model is Jackman's for EGFR inhibitors).
For a checkpoint inhibitor with an antiangiogenic or kinase inhibitor the taskforce has definitions of
its own (Atkins 2023, doi:10.1136/jitc-2022-005923) whose numbers could not be seen; the 2020 ones are
used, and each row says so. `docs/reference/verification.md` tells what was seen where.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import polars as pl

from hccresist.study.drugs import DrugKind, drug_kinds
from hccresist.study.policies import Policies
from hccresist.study.study import Study

PROGRESSIONS: Final = ("PD", "iUPD", "iCPD")
RESPONSES: Final = ("CR", "PR", "iCR", "iPR")
STABLE: Final = ("SD", "NON-CR/NON-PD", "iSD", "NON-iCR/NON-iUPD", "NED")
TOXICITY: Final = ("toxicity", "liver_decompensation")

RULE_SETS: Final = {
    "SITC-2020": "SITC 2020 for a single checkpoint inhibitor",
    "SITC-2020-COMBINATION": "SITC 2020; the taskforce's own numbers for this combination were not seen",
    "KINASE-ANALOGUE": "analogue of SITC 2020 for kinase inhibitors (ours)",
    "OTHER-ANALOGUE": "analogue of SITC 2020 for other drugs (ours)",
}


def derive_resistance(
    study: Study, *, timepoints: pl.DataFrame, best_response: pl.DataFrame, baselines: pl.DataFrame
) -> pl.DataFrame:
    """Return the resistance class of every patient in the index line.

    In this order:

    1. No progression, and stopped for toxicity or liver decompensation: *intolerance*.
    2. No progression: without a visit that counts for the best response, or stopped for progression that no
       scan shows → *not_evaluable*; else *no_resistance*.
    3. Progression more than ``resistance_after_stop_days`` after the last dose: *after_stop*.
    4. Exposure (to progression or last dose) below ``resistance_min_days``: stopped for toxicity →
       *intolerance*, else *not_evaluable*.
    5. Confirmation (``resistance_confirmation``) asked for and missing, or a later scan took
       progression back: *no_resistance* or *not_evaluable*.
    6. Best response CR or PR: *acquired* (``resistance_short_response`` for those lost early); SD: *acquired*
       when progression came later than ``resistance_acquired_days``, else *primary*; PD: *primary*.

    Parameters
    ----------
    study
        Checked study; table `treatments` gives drugs, doses and reasons to stop.
    timepoints, best_response, baselines
        Results of *assess*.

    Returns
    -------
    polars.DataFrame
        patient_id, line, drug, class, day, rule, reason, reader, criterion; one row a patient.
    """
    policies = study.config.policies
    criterion = _criterion(best_response, policies)
    reader = _reader(best_response, policies)
    picked = (pl.col("criterion") == criterion) & (pl.col("reader").is_in(reader.implode()))
    best = best_response.filter(picked)
    facts = (
        best.join(baselines.select("patient_id", "reader", "criterion", "evaluable"), on=_KEY, how="left")
        .join(_regimens(study), on="patient_id", how="left")
        .with_columns(pl.col("line").fill_null(study.config.index_line), pl.col("drug").fill_null(""))
        .join(_later_scans(timepoints, best, policies), on=_KEY, how="left")
        .sort("patient_id", "reader")
        .unique("patient_id", keep="first", maintain_order=True)
    )
    return _classify(facts, policies).sort("patient_id", "line", "drug")


_KEY: Final = ["patient_id", "reader", "criterion"]


def _criterion(best: pl.DataFrame, policies: Policies) -> str:
    names = sorted(best["criterion"].unique().to_list())
    if policies.resistance_criterion in names or not names:
        return policies.resistance_criterion
    return names[0]


def _reader(best: pl.DataFrame, policies: Policies) -> pl.Series:
    """Return the readers to look at: the primary one, or all (the first by name is then taken)."""
    names = best["reader"].unique().sort()
    primary = names.filter(names == policies.primary_reader)
    return primary if len(primary) else names


def _regimens(study: Study) -> pl.DataFrame:
    """Return, per patient, the drugs of the index line, their exposure, and why they were stopped."""
    schema = {
        "patient_id": pl.String,
        "line": pl.Int64,
        "drug": pl.String,
        "rule_set": pl.String,
        "last_dose": pl.Float64,
        "start": pl.Float64,
        "end_reason": pl.String,
    }
    treatments = study.table("treatments")
    if treatments is None:
        return pl.DataFrame(schema=schema)
    index = treatments.filter(pl.col("line") == study.config.index_line)
    kind = drug_kinds(index["drug"]).alias("kind")
    last = pl.col("end_day").arg_max()
    frame = (
        index.with_columns(kind)
        .sort("patient_id", "drug")
        .group_by("patient_id", "line", maintain_order=True)
        .agg(
            pl.col("drug").str.join(" + "),
            _rule_set().alias("rule_set"),
            # The line goes on while one of its drugs has no last dose.
            pl.when(pl.col("end_day").null_count() > 0)
            .then(None)
            .otherwise(pl.col("end_day").max())
            .alias("last_dose"),
            pl.col("start_day").min().alias("start"),
            pl.when(pl.col("end_day").null_count() > 0)
            .then(None)
            .otherwise(pl.col("end_reason").cast(pl.String).get(last, null_on_oob=True))
            .alias("end_reason"),
        )
    )
    return frame.select([pl.col(name).cast(dtype) for name, dtype in schema.items()])


def _rule_set() -> pl.Expr:
    kind = pl.col("kind")
    checkpoint = (kind == DrugKind.CHECKPOINT.value).any()
    alone = (kind == DrugKind.CHECKPOINT.value).all() & (pl.len() == 1)
    kinase = (kind == DrugKind.KINASE.value).any()
    return (
        pl.when(alone)
        .then(pl.lit("SITC-2020"))
        .when(checkpoint)
        .then(pl.lit("SITC-2020-COMBINATION"))
        .when(kinase)
        .then(pl.lit("KINASE-ANALOGUE"))
        .otherwise(pl.lit("OTHER-ANALOGUE"))
    )


def _later_scans(timepoints: pl.DataFrame, best: pl.DataFrame, policies: Policies) -> pl.DataFrame:
    """Return whether progression was seen again, or taken back, at least ``confirm_days`` later."""
    later = (
        timepoints.select(*_KEY, "day", "overall")
        .join(best.select(*_KEY, "progression_day"), on=_KEY, how="inner")
        .filter(pl.col("day") >= pl.col("progression_day") + policies.confirm_days, pl.col("overall") != "NE")
    )
    again = pl.col("overall").is_in(PROGRESSIONS)
    return later.group_by(_KEY).agg(again.any().alias("confirmed"), (~again).any().alias("taken_back"))


@dataclass(frozen=True, slots=True)
class _Case:
    """When it holds, what the class is, by which rule, and how the reason reads."""

    holds: pl.Expr
    name: str
    rule: str
    reason: str


_DAY: Final = pl.col("progression_day")
_EXPOSURE: Final = pl.min_horizontal("progression_day", "last_dose") - pl.col("start").fill_null(0.0)
_SINCE_STOP: Final = _DAY - pl.col("last_dose")


def _classify(facts: pl.DataFrame, policies: Policies) -> pl.DataFrame:
    cases = [*_cases_without_progression(), *_cases_of_exposure(policies), *_cases_of_resistance(policies)]
    last = _Case(
        pl.lit(value=True), "primary", "PRIMARY-PROGRESSION", "progression on day {day} as best response"
    )
    rules = pl.col("rule_set").replace_strict(RULE_SETS, default="drugs not recorded", return_dtype=pl.String)

    def first(word: Callable[[_Case], pl.Expr]) -> pl.Expr:
        return pl.coalesce(pl.when(case.holds).then(word(case)) for case in (*cases, last))

    said = first(lambda case: _text(case.reason, policies))
    return facts.rechunk().select(
        "patient_id",
        "line",
        "drug",
        first(lambda case: pl.lit(case.name)).alias("class"),
        _DAY.alias("day"),
        first(lambda case: pl.lit(case.rule)).alias("rule"),
        pl.format("{}{} ({}).", said.str.slice(0, 1).str.to_uppercase(), said.str.slice(1), rules).alias(
            "reason"
        ),
        "reader",
        "criterion",
    )


def _toxic() -> pl.Expr:
    return pl.col("end_reason").is_in(TOXICITY).fill_null(value=False)


def _cases_without_progression() -> list[_Case]:
    none = _DAY.is_null()
    unread = ~pl.col("evaluable").fill_null(value=False) | (pl.col("best") == "NE")
    unseen = (pl.col("end_reason") == "progression").fill_null(value=False)
    return [
        _Case(
            none & _toxic(), "intolerance", "STOPPED-TOXICITY", "stopped for {end_reason} without progression"
        ),
        _Case(
            none & unread,
            "not_evaluable",
            "NO-ASSESSMENT",
            "no visit after baseline that counts for the best response",
        ),
        _Case(
            none & unseen,
            "not_evaluable",
            "PROGRESSION-NOT-SEEN",
            "stopped for progression that no scan shows",
        ),
        _Case(none, "no_resistance", "NO-PROGRESSION", "best response {best}, no progression"),
    ]


def _cases_of_exposure(policies: Policies) -> list[_Case]:
    short = policies.resistance_min_days > _EXPOSURE
    return [
        _Case(
            policies.resistance_after_stop_days < _SINCE_STOP,
            "after_stop",
            "AFTER-STOP",
            "progression on day {day}, {since_stop} days after the last dose",
        ),
        _Case(
            short & _toxic(),
            "intolerance",
            "SHORT-EXPOSURE-TOXICITY",
            "stopped for {end_reason} after {exposure} days; progression of day {day} is not resistance",
        ),
        _Case(
            short,
            "not_evaluable",
            "SHORT-EXPOSURE",
            "exposure of {exposure} days is too short to call progression resistance",
        ),
    ]


def _cases_of_resistance(policies: Policies) -> list[_Case]:
    confirmed = pl.col("confirmed").fill_null(value=False)
    taken_back = pl.col("taken_back").fill_null(value=False) & ~confirmed
    mode = policies.resistance_confirmation
    responded, stable = pl.col("best").is_in(RESPONSES), pl.col("best").is_in(STABLE)
    late = policies.resistance_acquired_days < _DAY - pl.col("start").fill_null(0.0)
    lasting = late | pl.lit(policies.resistance_short_response == "acquired")
    return [
        _Case(
            taken_back & pl.lit(mode != "waived"),
            "no_resistance",
            "NOT-CONFIRMED",
            "progression on day {day} was not seen again later",
        ),
        _Case(
            ~confirmed & pl.lit(mode == "required"),
            "not_evaluable",
            "UNCONFIRMED",
            "progression on day {day} has no later scan that confirms it",
        ),
        _Case(
            responded & lasting,
            "acquired",
            "ACQUIRED-AFTER-RESPONSE",
            "{best}, then progression on day {day}",
        ),
        _Case(responded, "primary", "PRIMARY-SHORT-RESPONSE", "{best}, lost by day {day}"),
        _Case(
            stable & late,
            "acquired",
            "ACQUIRED-AFTER-STABLE",
            "{best} for more than {limit} days, then progression on day {day}",
        ),
        _Case(
            stable, "primary", "PRIMARY-STABLE", "{best}, then progression on day {day}, within {limit} days"
        ),
    ]


def _text(template: str, policies: Policies) -> pl.Expr:
    def number(expression: pl.Expr) -> pl.Expr:
        return expression.round(1).cast(pl.String).str.strip_suffix(".0").fill_null("unknown")

    values = {
        "best": pl.col("best"),
        "end_reason": pl.col("end_reason").str.replace_all("_", " ").fill_null("unknown"),
        "day": number(_DAY),
        "since_stop": number(_SINCE_STOP),
        "exposure": number(_EXPOSURE),
        "limit": pl.lit(f"{policies.resistance_acquired_days:.0f}"),
    }
    pieces = template.replace("}", "{").split("{")
    return (
        pl.format("{}".join(pieces[::2]), *(values[name] for name in pieces[1::2]))
        if len(pieces) > 1
        else pl.lit(template)
    )
