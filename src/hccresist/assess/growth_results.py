"""Result tables of growth kinetics and unconventional patterns: a contract, typed, with units.

Rows are sorted by key. `reader` is empty where the study names none.
"""

from __future__ import annotations

from typing import Final

import dataframely as dy
import polars as pl

from hccresist.assess.results import DAY, MM, PATIENT, READER

PHASES: Final = ("before", "baseline", "after")


class Sizes(dy.Schema):
    """What kinetics is computed from: one sum a visit, over the lesions that are targets at baseline."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    reader = dy.String(primary_key=True, description=READER)
    day = dy.Float64(primary_key=True, metadata=DAY, description="day of the visit: its last scan")
    sum_mm = dy.Float64(
        nullable=True,
        min=0,
        metadata=MM,
        description="sum of diameters over all targets; empty when one of them was not evaluated",
    )
    phase = dy.Enum(
        PHASES,
        description="before: scans before the baseline; baseline; after: follow-up",
    )

    @dy.rule()
    def one_baseline(cls) -> pl.Expr:  # noqa: N805  (dataframely rules are class methods)
        """Return whether the series has at most one baseline."""
        return (pl.col("phase") == "baseline").sum().over("patient_id", "reader") <= 1


class Kinetics(dy.Schema):
    """One row a patient, reader, model and quantity; `model` is empty for rates between two scans."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    reader = dy.String(primary_key=True, description=READER)
    model = dy.String(
        primary_key=True,
        description="growth model, or its family for the quantity 'fit'; empty for rates between scans",
    )
    quantity = dy.String(primary_key=True, description="what the value is; `docs/explanation/growth.md`")
    value = dy.Float64(nullable=True, description="value in `unit`; empty when undefined, see reason")
    se = dy.Float64(nullable=True, description="standard error of a fitted parameter")
    low = dy.Float64(nullable=True, description="lower limit of the interval of a fitted parameter")
    high = dy.Float64(nullable=True, description="upper limit of the interval of a fitted parameter")
    unit = dy.String(description="unit of the value")
    selected = dy.Bool(nullable=True, description="the model was selected; empty where there is no model")
    reason = dy.String(nullable=True, description="why the value is missing or the model is not usable")


class Patterns(dy.Schema):
    """One row a patient, reader and definition."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    reader = dy.String(primary_key=True, description=READER)
    definition = dy.String(primary_key=True, description="name of the definition, see `pattern_definitions`")
    family = dy.String(
        description="hyperprogression, rebound, pseudoprogression, dissociated, extent, durable"
    )
    evaluable = dy.Bool(description="what the definition needs is known for this patient")
    met = dy.Bool(nullable=True, description="the definition is met; empty when not evaluable")
    value = dy.Float64(nullable=True, description="the number that decides, in `unit`")
    unit = dy.String(description="unit of the value; empty where there is none")
    day = dy.Float64(nullable=True, metadata=DAY, description="day of the scan that decides")
    reached = dy.String(
        nullable=True,
        description="pseudoprogression: treated, pd, after_pd (the furthest denominator the patient is in)",
    )
    detail = dy.String(nullable=True, description="early or late, and other words to group by")
    reason = dy.String(description="what decided with its numbers, or why it cannot be judged")


class PatternDefinitions(dy.Schema):
    """One row a registered definition: what it needs, its rule, where it comes from."""

    definition = dy.String(primary_key=True, description="name of the definition")
    family = dy.String(description="kind of pattern")
    title = dy.String(description="authors and year, or what is ours")
    needs = dy.String(description="what must be known, separated by commas")
    rule = dy.String(description="the rule in one sentence")
    source = dy.String(description="citation with DOI or PMID where known")
    verification = dy.String(description="verified, partly_verified, not_verified, ours")
    seen = dy.String(description="what was read, where, and what was not")
    computable = dy.Bool(description="every number of the rule is known")


class PatternOverlap(dy.Schema):
    """Overlap of two definitions among patients evaluable for both."""

    reader = dy.String(primary_key=True, description=READER)
    definition_a = dy.String(primary_key=True, description="first definition")
    definition_b = dy.String(primary_key=True, description="second definition")
    evaluable = dy.Int64(description="patients evaluable for both")
    met_a = dy.Int64(description="of those, patients who meet the first")
    met_b = dy.Int64(description="of those, patients who meet the second")
    met_both = dy.Int64(description="of those, patients who meet both")
    jaccard = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        description="both / either, among patients evaluable for both; empty when nobody meets either",
    )


class PatternRates(dy.Schema):
    """How many patients are evaluable for a definition and meet it, for each denominator."""

    reader = dy.String(primary_key=True, description=READER)
    definition = dy.String(primary_key=True, description="name of the definition")
    denominator = dy.String(
        primary_key=True,
        description="treated, evaluable; for pseudoprogression also pd and after_pd",
    )
    met = dy.Int64(description="patients who meet the definition")
    n = dy.Int64(description="patients counted")
    percent = dy.Float64(nullable=True, metadata={"unit": "%"}, description="share; empty when n is 0")


class PatternCombinations(dy.Schema):
    """Which definitions are met together: the rows of an UpSet figure."""

    reader = dy.String(primary_key=True, description=READER)
    family = dy.String(primary_key=True, description="kind of pattern")
    combination = dy.String(primary_key=True, description="definitions met, joined by ' + '; empty for none")
    patients = dy.Int64(description="patients with exactly this combination")
    evaluable_for_all = dy.Int64(description="of those, patients evaluable for every computable definition")


RESULTS: Final[dict[str, type[dy.Schema]]] = {
    "kinetics": Kinetics,
    "patterns": Patterns,
    "pattern_definitions": PatternDefinitions,
    "pattern_overlap": PatternOverlap,
    "pattern_rates": PatternRates,
    "pattern_combinations": PatternCombinations,
}
