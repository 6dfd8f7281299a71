"""Unconventional patterns of response, every definition side by side on the same patients.

`derive_patterns` judges each registered definition for each patient and reader: whether it can be
judged at all, whether it is met, the number that decides, and a sentence that says why.
`derive_pattern_rates` gives the share of patients for each denominator, `derive_overlap` how far
definitions agree (Jaccard), `derive_combinations` the rows of an UpSet figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from hccresist.assess import hyperprogression, pattern_durable, pattern_sites, pseudoprogression
from hccresist.assess.growth_results import (
    PatternCombinations,
    PatternOverlap,
    PatternRates,
    Patterns,
    Sizes,
)
from hccresist.assess.hyperprogression import judge_hyperprogression
from hccresist.assess.pattern_durable import judge_durable
from hccresist.assess.pattern_facts import gather_facts, series_of
from hccresist.assess.pattern_rebound import REBOUND, judge_rebound
from hccresist.assess.pattern_records import KEYS, Definition, tabulate_definitions
from hccresist.assess.pattern_sites import judge_sites
from hccresist.assess.pseudoprogression import judge_pseudoprogression
from hccresist.errors import ConfigError
from hccresist.study.issues import nearest
from hccresist.study.study import Study

DEFINITIONS: Final[dict[str, Definition]] = {
    item.name: item
    for item in sorted(
        (
            *(definition for definition, _ in hyperprogression.REGISTRY.values()),
            REBOUND,
            *pseudoprogression.DEFINITIONS,
            *pattern_sites.DEFINITIONS,
            *pattern_durable.DEFINITIONS,
        ),
        key=lambda definition: definition.name,
    )
}
"""Every registered definition by name."""


def describe_definitions() -> pl.DataFrame:
    """Return the table `pattern_definitions`: needs, rule, source and verification of each."""
    return tabulate_definitions(DEFINITIONS.values())


def derive_patterns(
    study: Study,
    *,
    timepoints: pl.DataFrame,
    best_response: pl.DataFrame,
    baselines: pl.DataFrame,
    sizes: pl.DataFrame,
    events: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Derive the table `patterns`: one row a patient, reader and definition.

    Parameters
    ----------
    study
        The study: treatments, lesions, labs, observations and survival are read where there are.
    timepoints, best_response, baselines
        Result tables of `hccresist.assess.assess_study`.
    sizes
        Frame `sizes` (see `hccresist.assess.kinetics`), with scans before the baseline.
    events
        Result table `events` of *outcomes*, for durable response by PFS.

    Returns
    -------
    pl.DataFrame
        Table `patterns`, sorted by patient, reader, definition. A definition that is not computable
        has its rows too, none of them evaluable.
    """
    sizes = Sizes.validate(sizes, cast=True)
    series = series_of(study, sizes, timepoints, best_response, baselines)
    given = {"timepoints": timepoints, "best_response": best_response}
    facts = gather_facts(study, series, **given, sizes=sizes)
    parts = [
        *judge_hyperprogression(facts, study.config.policies),
        judge_rebound(study, facts),
        *judge_pseudoprogression(study, series, timepoints=timepoints),
        *judge_sites(study, series, timepoints=timepoints, baselines=baselines),
        *judge_durable(study, series, **given, events=events),
    ]
    return Patterns.validate(_interleave(parts, len(series)))


def _interleave(parts: list[pl.DataFrame], count: int) -> pl.DataFrame:
    """Return the rows of all definitions, patient after patient.

    Every part has one row for each patient and reader, in the same order, so that no sort is needed.
    """
    if count == 0:
        return parts[0].clear()
    ordered = sorted(parts, key=lambda part: part["definition"][0])
    row = np.arange(count)[:, None] + count * np.arange(len(ordered))
    return pl.concat(ordered)[row.ravel()]


def derive_pattern_rates(patterns: pl.DataFrame) -> pl.DataFrame:
    """Return how many patients meet each definition, by reader and denominator.

    *treated*: every patient of the reader; *evaluable*: those for whom the definition can be judged;
    for pseudoprogression also *pd*: those with progression, and *after_pd*: those with an evaluable
    assessment after it.
    """
    progressed, assessed = pl.col("reached").is_in(["pd", "after_pd"]), pl.col("reached") == "after_pd"
    told = pl.col("reached").is_not_null()
    groups = {
        "treated": pl.lit(value=True),
        "evaluable": pl.col("evaluable"),
        "pd": progressed,
        "after_pd": assessed,
    }
    parts: list[pl.DataFrame] = []
    for name, counted in groups.items():
        rows = patterns.filter(told) if name in ("pd", "after_pd") else patterns
        parts.append(
            rows.group_by("reader", "definition").agg(
                pl.lit(name).alias("denominator"),
                (counted & pl.col("met").fill_null(value=False)).sum().cast(pl.Int64).alias("met"),
                counted.fill_null(value=False).sum().cast(pl.Int64).alias("n")
                if name != "treated"
                else pl.len().cast(pl.Int64).alias("n"),
            )
        )
    share = pl.when(pl.col("n") > 0).then(100.0 * pl.col("met") / pl.col("n")).alias("percent")
    table = pl.concat(parts).with_columns(share)
    return PatternRates.validate(table.sort("reader", "definition", "denominator"))


def derive_overlap(patterns: pl.DataFrame, *, definitions: Sequence[str] | None = None) -> pl.DataFrame:
    """Return for each pair of definitions how many patients meet both, and their Jaccard index.

    Only patients evaluable for both count, so that a definition with fewer evaluable patients is not
    punished for it.

    Parameters
    ----------
    patterns
        Table `patterns`.
    definitions
        Names; by default every computable definition of hyperprogression.

    Returns
    -------
    pl.DataFrame
        Columns of `PatternOverlap`: each pair once, names in alphabetical order.

    Raises
    ------
    ConfigError
        For a name that is not registered.
    """
    names = _chosen(definitions)
    rows = patterns.filter(pl.col("definition").is_in(names), "evaluable")
    rows = rows.select(*KEYS, "definition", "met")
    pairs = rows.join(rows, on=KEYS, how="inner", suffix="_b").filter(
        pl.col("definition") < pl.col("definition_b")
    )
    both, either = pl.col("met") & pl.col("met_b"), pl.col("met") | pl.col("met_b")
    found = pairs.group_by("reader", pl.col("definition").alias("definition_a"), "definition_b").agg(
        pl.len().cast(pl.Int64).alias("evaluable"),
        pl.col("met").sum().cast(pl.Int64).alias("met_a"),
        pl.col("met_b").sum().cast(pl.Int64),
        both.sum().cast(pl.Int64).alias("met_both"),
        pl.when(either.sum() > 0).then(both.sum() / either.sum()).alias("jaccard"),
    )
    every = _pairs(patterns, names)
    counts = ["evaluable", "met_a", "met_b", "met_both"]
    table = every.join(found, on=["reader", "definition_a", "definition_b"], how="left")
    table = table.with_columns(pl.col(counts).fill_null(0)).select(list(PatternOverlap.columns()))
    return PatternOverlap.validate(table.sort("reader", "definition_a", "definition_b"))


def _pairs(patterns: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    pairs = [(a, b) for a in names for b in names if a < b]
    frame = pl.DataFrame(pairs, schema={"definition_a": pl.String, "definition_b": pl.String}, orient="row")
    return patterns.select(pl.col("reader").unique()).join(frame, how="cross")


def _chosen(definitions: Sequence[str] | None) -> list[str]:
    if definitions is None:
        return [n for n, item in DEFINITIONS.items() if item.family == "hyperprogression" and item.computable]
    unknown = [name for name in definitions if name not in DEFINITIONS]
    if unknown:
        told = [f"There is no definition '{n}'. {nearest(n, list(DEFINITIONS))}".strip() for n in unknown]
        raise ConfigError("\n".join(told))
    return sorted(definitions)


def derive_combinations(patterns: pl.DataFrame, *, family: str = "hyperprogression") -> pl.DataFrame:
    """Return which definitions of a family are met together, and by how many patients.

    Returns
    -------
    pl.DataFrame
        Columns of `PatternCombinations`, the most frequent combination first within a reader.
    """
    names = [n for n, item in DEFINITIONS.items() if item.family == family and item.computable]
    rows = patterns.filter(pl.col("definition").is_in(names)).sort(*KEYS, "definition")
    people = rows.group_by(KEYS, maintain_order=True).agg(
        pl.col("definition")
        .filter(pl.col("met").fill_null(value=False))
        .str.join(" + ")
        .alias("combination"),
        pl.col("evaluable").all(),
    )
    counts = people.group_by("reader", "combination").agg(
        pl.lit(family).alias("family"),
        pl.len().cast(pl.Int64).alias("patients"),
        pl.col("evaluable").sum().cast(pl.Int64).alias("evaluable_for_all"),
    )
    order = counts.sort("reader", "patients", "combination", descending=[False, True, False])
    return PatternCombinations.validate(order.select(list(PatternCombinations.columns())))
