"""What the evidence base says of what was measured in a tumour: table `evidence_matches`.

1. *States.* A gene whose expression lies at least `STANDS_OUT` standard deviations above or below the
   mean (of the reference, else of the cohort) is in the state *more* or *less*; so is a mechanism by
   the median z of its gene sets; an altered gene is in the state *more* (gain, activating hotspot),
   *less* (loss) or simply *mutated*.
2. *Findings.* Those about response to a drug, of the same gene in the tumour (not in blood, and no
   change on treatment), or of the same mechanism where the
   finding is about a process, a pathway or a kind of cell. What a treatment did for patients
   (regimens), prognosis and patterns say nothing about this tumour and are left out.
3. *Stance.* A finding is *for* when, in this state, it speaks for resistance; *against* when it speaks
   for response, or found no effect. Scarcity of something that brings resistance is no finding: rows
   against are kept only where the state is *more* or mutated, or where others speak for it.
4. What is not verified is shown and not counted.

The threshold of one standard deviation is ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.explain.alteration_rules import read_rules
from hccresist.explain.knowledge import EvidenceBase
from hccresist.explain.results import EvidenceMatches
from hccresist.explain.signatures import Signature
from hccresist.study.study import Study

STANDS_OUT: Final = 1.0
"""Standard deviations from the mean from which a gene or a mechanism counts as high or low (ours)."""

STATES: Final = {
    "sample_id": pl.String,
    "mechanism_id": pl.String,
    "entity": pl.String,
    "feature": pl.String,
    "state": pl.String,
    "words": pl.String,
}
"""Columns of a table of states; mechanism_id is empty for genes, entity for mechanisms."""

_WHOLE: Final = ("process", "pathway", "cell_type", "gene_signature", "protein_state")
"""Types of entities that a mechanism's gene sets stand for."""

_IN_TUMOUR: Final = (
    "gene",
    "gene_family",
    "ligand_receptor",
    "protein_state",
    "lncRNA",
    "circRNA",
    "miRNA",
    "variant",
)
"""Types of entities whose genes are held against expression and alterations; blood and imaging are not."""

_LOSSES: Final = frozenset({"truncating", "deep_deletion"})
_GAINS: Final = frozenset({"amplification", "gain", "locus"})
_FLUID: Final = r"(?i)\b(?:serum|plasma|blood|circulating|ctDNA|urine)\b"
"""Words for what was measured outside the tumour."""
_EXCLUDED: Final = r"(?i)exclu|cold|desert|barrier"
"""Words for the lack of T cells: the opposite of what the sets of `IMM-EXC` measure."""


def gene_states(
    samples: Sequence[str], genes: Sequence[str], z: NDArray[np.float64], *, against: str
) -> pl.DataFrame:
    """Return the genes that stand out in each sample.

    Parameters
    ----------
    samples, genes
        Names of columns and rows.
    z
        Standard deviations from the mean, genes × samples; NaN where not measured.
    against
        What the mean is of, in words: ``the reference NAME`` or ``this cohort``.

    Returns
    -------
    pl.DataFrame
        Columns of `STATES`.
    """
    row, column = np.nonzero(np.abs(np.nan_to_num(z)) >= STANDS_OUT)
    frame = pl.DataFrame(
        {
            "sample_id": np.asarray(samples, dtype=object)[column].astype(str),
            "entity": np.asarray(genes, dtype=object)[row].astype(str),
            "z": z[row, column],
        },
        schema={"sample_id": pl.String, "entity": pl.String, "z": pl.Float64},
    )
    words = pl.format("expression {} SD from the mean of {}", _signed("z"), pl.lit(against))
    return _states(frame, feature=pl.format("expression {}", "entity"), words=words)


def set_states(scores: pl.DataFrame, signatures: Sequence[Signature], *, against: str) -> pl.DataFrame:
    """Return the mechanisms whose gene sets stand out in each sample, by the median z of its sets.

    Parameters
    ----------
    scores
        Table `mechanism_scores`, of one method with z.
    signatures
        Gene sets; only those of kind mechanism or own are read.
    against
        As in `gene_states`.
    """
    names = [item.name for item in signatures if item.kind in ("mechanism", "own")]
    frame = (
        scores.filter(pl.col("set").is_in(names), pl.col("z").is_not_null())
        .group_by("sample_id", "mechanism_id")
        .agg(pl.col("z").median(), n=pl.len())
        .filter(pl.col("z").abs() >= STANDS_OUT)
    )
    words = pl.format("gene sets ({}) {} SD from the mean of {}", "n", _signed("z"), pl.lit(against))
    return _states(frame.rechunk(), feature=pl.format("sets {}", "mechanism_id"), words=words)


def alteration_states(calls: pl.DataFrame) -> pl.DataFrame:
    """Return the altered genes of each sample: more (gain), less (loss) or mutated.

    Parameters
    ----------
    calls
        Table `alteration_calls`.
    """
    kinds: dict[str, str] = {}
    for rule in read_rules():
        sort = "less" if rule.counts in _LOSSES else "more" if rule.counts in _GAINS else "mutation"
        before = kinds.setdefault(rule.gene, sort)
        kinds[rule.gene] = before if before == sort else "mutation"
    frame = calls.filter(pl.col("call") == "altered").with_columns(entity="gene")
    state = pl.col("gene").replace_strict(kinds, default="mutation", return_dtype=pl.String)
    words = pl.concat_str(pl.lit("altered: "), pl.col("change"))
    shown = frame.with_columns(z=pl.lit(None, dtype=pl.Float64))
    out = _states(shown.rechunk(), feature=pl.format("alteration {}", "gene"), words=words, state=state)
    return out.unique(["sample_id", "entity", "feature"], keep="first", maintain_order=True)


def _signed(name: str) -> pl.Expr:
    rounded = pl.col(name).round(1)
    return pl.when(rounded < 0).then(pl.format("−{}", -rounded)).otherwise(pl.format("+{}", rounded))


def _states(
    frame: pl.DataFrame, *, feature: pl.Expr, words: pl.Expr, state: pl.Expr | None = None
) -> pl.DataFrame:
    empty = pl.lit("", dtype=pl.String)
    by_sign = pl.when(pl.col("z") > 0).then(pl.lit("more")).otherwise(pl.lit("less"))
    made = frame.with_columns(
        feature.alias("feature"), words.alias("words"), (by_sign if state is None else state).alias("state")
    )
    other = "mechanism_id" if "entity" in frame.columns else "entity"
    return made.with_columns(empty.alias(other)).select(
        pl.col(name).cast(kind) for name, kind in STATES.items()
    )


def match_evidence(
    study: Study, base: EvidenceBase, states: pl.DataFrame, *, patients: Mapping[str, str]
) -> pl.DataFrame:
    """Match what was measured with the findings of the evidence base.

    Parameters
    ----------
    study
        The drugs of the index line are read from table `treatments`.
    base
        Evidence base.
    states
        Rows of `gene_states`, `set_states` and `alteration_states`.
    patients
        Patient of each sample.

    Returns
    -------
    pl.DataFrame
        Table `evidence_matches`, sorted by key.
    """
    found = _findings(base)
    by_gene = states.filter(pl.col("entity") != "").drop("mechanism_id")
    genes = by_gene.join(found.explode("genes"), left_on="entity", right_on="genes", how="inner")
    whole = found.filter(pl.col("entity_type").is_in(_WHOLE)).drop("genes")
    sets = states.filter(pl.col("entity") == "").drop("entity").join(whole, on="mechanism_id", how="inner")
    columns = [name for name in genes.columns if name != "entity"]
    rows = pl.concat([genes.select(columns), sets.select(columns)])
    rows = rows.filter(pl.col("aspect").str.starts_with("form").not_() | (pl.col("state") == "mutation"))
    rows = rows.with_columns(stance=_stance()).drop_nulls("stance")
    return _finish(study, base, _keep(rows), patients)


def _findings(base: EvidenceBase) -> pl.DataFrame:
    """Return findings about response to drugs, with the genes that each is about."""
    kept = (
        "record_id",
        "mechanism_id",
        "entity",
        "entity_type",
        "alteration",
        "effect",
        "evidence_level",
        "drug",
    )
    told = (pl.col("kind") == "response") & (pl.col("aspect") != "change")
    frame = base.marks.filter(told).select(
        "record_id",
        "subject",
        "members",
        "drugs",
        "aspect",
        "direction",
        "side",
        "counted",
        "status",
        "source_id",
    )
    joined = frame.join(base.findings.select(kept), on="record_id", how="left", maintain_order="left")
    flipped = (pl.col("mechanism_id") == "IMM-EXC") & pl.col("entity").str.contains(_EXCLUDED)
    side = pl.col("side").cast(pl.String)
    opposite = side.replace({"adverse": "favourable", "favourable": "adverse"})
    inside = pl.col("entity_type").is_in(_IN_TUMOUR) & ~pl.col("entity").str.contains(_FLUID)
    genes = (
        pl.when(inside)
        .then(pl.concat_list(pl.concat_list("subject"), "members").list.unique(maintain_order=True))
        .otherwise(pl.lit([], dtype=pl.List(pl.String)))
    )
    return joined.with_columns(
        about=pl.format("{} ({})", "entity", "alteration"),
        side=pl.when(flipped).then(opposite).otherwise(side),
        genes=genes,
    ).drop("entity")


def _stance() -> pl.Expr:
    """Return for or against resistance in this state; null where the finding says nothing of it."""
    state, side = pl.col("state"), pl.col("side")
    less = state == "less"
    resists = pl.when(less).then(side == "favourable").otherwise(side == "adverse")
    responds = pl.when(less).then(side == "adverse").otherwise(side == "favourable")
    return (
        pl.when(resists)
        .then(pl.lit("for"))
        .when(responds | (side == "none"))
        .then(pl.lit("against"))
        .otherwise(pl.lit(None, dtype=pl.String))
    )


def _keep(rows: pl.DataFrame) -> pl.DataFrame:
    """Leave out what a low state says against, where nothing speaks for it."""
    spoken = (pl.col("stance") == "for").any().over("sample_id", "feature")
    return rows.filter((pl.col("state") != "less") | spoken)


def _finish(
    study: Study, base: EvidenceBase, rows: pl.DataFrame, patients: Mapping[str, str]
) -> pl.DataFrame:
    owner = pl.col("sample_id").replace_strict(dict(patients), default=None, return_dtype=pl.String)
    rows = rows.with_columns(patient_id=owner).drop_nulls("patient_id")
    rows = rows.join(_drugs_had(study, base), on="patient_id", how="left")
    same = pl.col("drugs").list.set_intersection("had").list.len() > 0
    finding = pl.concat_str(
        pl.col("about"),
        pl.lit(" goes with "),
        pl.col("effect").cast(pl.String).str.replace_all("_", " "),
        pl.lit(" ("),
        pl.col("status").cast(pl.String).str.replace_all("_", " "),
        pl.lit(")"),
    )
    made = rows.with_columns(
        same_drug=same.fill_null(value=False), level="evidence_level", source="source_id"
    ).with_columns(reason="words", finding=finding)
    table = made.select(EvidenceMatches.column_names()).unique(EvidenceMatches.primary_key(), keep="first")
    return EvidenceMatches.validate(table, cast=True).sort(EvidenceMatches.primary_key())


def _drugs_had(study: Study, base: EvidenceBase) -> pl.DataFrame:
    """Return the drugs of the index line of each patient and their classes, by the names of the base."""
    schema = {"patient_id": pl.String, "had": pl.List(pl.String)}
    treatments = study.table("treatments")
    if treatments is None:
        return pl.DataFrame(schema=schema)
    index = treatments.filter(pl.col("line") == study.config.index_line).select("patient_id", "drug")
    names: dict[str, list[str]] = {}
    for word in index["drug"].unique().sort():
        drugs = set(base.names.split_drugs(word))
        names[word] = sorted(drugs.union(*(base.names.classes.get(drug, frozenset()) for drug in drugs)))
    listed = pl.DataFrame(
        {"drug": list(names), "had": list(names.values())},
        schema={"drug": pl.String, "had": pl.List(pl.String)},
    )
    joined = index.join(listed, on="drug", how="left").explode("had").drop_nulls("had")
    return joined.group_by("patient_id").agg(pl.col("had").unique().sort())
