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
from numpy.typing import NDArray

from hccresist.assess import hyperprogression, pattern_durable, pattern_sites, pseudoprogression
from hccresist.assess.growth_results import (
    PatternCombinations,
    PatternOverlap,
    PatternRates,
    Patterns,
    Sizes,
)
from hccresist.assess.hyperprogression import judge_hyperprogression
from hccresist.assess.order import opens_group, sort_rows
from hccresist.assess.pattern_durable import judge_durable
from hccresist.assess.pattern_facts import gather_facts, lesion_organs, series_of
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
_READ: Final = (*KEYS, "criterion", "day", "overall", "nontarget", "new_lesion")
"""Columns of `timepoints` that definitions look at."""


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
    timepoints, organs = timepoints.select(_READ), lesion_organs(study)
    given = {"timepoints": timepoints, "best_response": best_response}
    facts = gather_facts(study, series, **given, sizes=sizes, organs=organs)
    parts = [
        *judge_hyperprogression(facts, study.config.policies),
        judge_rebound(study, facts),
        *judge_pseudoprogression(study, series, timepoints=timepoints),
        *judge_sites(study, series, timepoints=timepoints, baselines=baselines, organs=organs),
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
    return pl.concat(ordered, rechunk=True)[row.ravel()]


def derive_pattern_rates(patterns: pl.DataFrame) -> pl.DataFrame:
    """Return how many patients meet each definition, by reader and denominator.

    *treated*: every patient of the reader; *evaluable*: those for whom the definition can be judged;
    for pseudoprogression also *pd*: those with progression, and *after_pd*: those with an evaluable
    assessment after it.
    """
    met = pl.col("met").fill_null(value=False)
    told = pl.col("reached").is_not_null()
    after = pl.col("reached") == "after_pd"
    groups = {
        "treated": pl.lit(value=True),
        "evaluable": pl.col("evaluable"),
        "pd": pl.col("reached").is_in(["pd", "after_pd"]),
        "after_pd": after,
    }
    counts = patterns.group_by("reader", "definition").agg(
        told.any().alias("told"),
        pl.len().cast(pl.Int64).alias("n_treated"),
        met.sum().cast(pl.Int64).alias("met_treated"),
        *(c.sum().cast(pl.Int64).alias(f"n_{name}") for name, c in groups.items() if name != "treated"),
        *(
            (c & met).sum().cast(pl.Int64).alias(f"met_{name}")
            for name, c in groups.items()
            if name != "treated"
        ),
    )
    parts = [
        counts.filter(pl.col("told") | (name in ("treated", "evaluable"))).select(
            "reader",
            "definition",
            pl.lit(name).alias("denominator"),
            pl.col(f"met_{name}").alias("met"),
            pl.col(f"n_{name}").alias("n"),
        )
        for name in groups
    ]
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
    parts: list[pl.DataFrame] = [PatternOverlap.create_empty()]
    for (reader,), mine in patterns.group_by("reader"):
        evaluable, met = _matrices(mine, names)
        n, a, both = evaluable.T @ evaluable, met.T @ evaluable, met.T @ met
        either = a + a.T - both
        first, second = np.triu_indices(len(names), 1)
        at = first, second
        share = np.divide(both[at], either[at], out=np.full(len(first), np.nan), where=either[at] > 0)
        counts = {"evaluable": n[at], "met_a": a[at], "met_b": a.T[at], "met_both": both[at]}
        parts.append(
            pl.DataFrame(
                {
                    "reader": [reader] * len(first),
                    "definition_a": [names[i] for i in first],
                    "definition_b": [names[i] for i in second],
                    **{name: values.astype(np.int64) for name, values in counts.items()},
                    "jaccard": pl.Series(share, dtype=pl.Float64, nan_to_null=True),
                },
                schema_overrides={"reader": pl.String, "definition_a": pl.String, "definition_b": pl.String},
            )
        )
    return PatternOverlap.validate(pl.concat(parts).sort("reader", "definition_a", "definition_b"))


def _matrices(patterns: pl.DataFrame, names: Sequence[str]) -> tuple[NDArray[np.float64], ...]:
    """Return who is evaluable for each definition, and who meets it: patients × definitions, 0 or 1."""
    rows = patterns.filter(pl.col("definition").is_in(names), "evaluable").select(*KEYS, "definition", "met")
    rows = sort_rows(rows, KEYS)
    patient = rows.select(opens_group(KEYS).cum_sum().cast(pl.Int64) - 1).to_series().to_numpy()
    kind = rows["definition"].cast(pl.Enum(names)).to_physical().to_numpy()
    evaluable = np.zeros((int(patient.max(initial=-1)) + 1, len(names)))
    met = np.zeros_like(evaluable)
    evaluable[patient, kind] = 1.0
    met[patient, kind] = rows["met"].fill_null(value=False).to_numpy()
    return evaluable, met


def _chosen(definitions: Sequence[str] | None) -> list[str]:
    if definitions is None:
        return [n for n, item in DEFINITIONS.items() if item.family == "hyperprogression" and item.computable]
    unknown = [name for name in definitions if name not in DEFINITIONS]
    if unknown:
        told = [f"There is no definition '{n}'. {nearest(n, list(DEFINITIONS))}".strip() for n in unknown]
        raise ConfigError("\n".join(told))
    return sorted(set(definitions))


def derive_combinations(patterns: pl.DataFrame, *, family: str = "hyperprogression") -> pl.DataFrame:
    """Return which definitions of a family are met together, and by how many patients.

    Returns
    -------
    pl.DataFrame
        Columns of `PatternCombinations`, the most frequent combination first within a reader.
    """
    names = [n for n, item in DEFINITIONS.items() if item.family == family and item.computable]
    rows = sort_rows(patterns.filter(pl.col("definition").is_in(names)), [*KEYS, "definition"])
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
