"""Which genes were looked at in which sample, and to which patient a sample belongs.

A gene that was not looked at is *not measured*, never *not altered*. What a study says in covariates
of the table `samples` comes first:

- ``sequenced``: ``genome``, ``exome``, ``panel`` or ``none``;
- ``copy_number``: ``genome``, ``panel`` or ``none``;
- ``panel_genes``: the genes of the panel, separated by ``;``;
- ``sequenced_mb``: megabases of coding sequence, for the tumour mutational burden.

A sample with ``panel_genes`` alone counts as sequenced by panel. Where nothing is said, a sample with
mutation rows counts as sequenced over the whole exome, and copy number as measured in the genes of
which the sample has a copy-number row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from hccresist.errors import InputError
from hccresist.study.issues import Issue
from hccresist.study.study import Study

SEQUENCED: Final = {
    "genome": "genome",
    "wgs": "genome",
    "exome": "exome",
    "wes": "exome",
    "true": "exome",
    "yes": "exome",
    "panel": "panel",
    "targeted": "panel",
    "none": "none",
    "no": "none",
    "false": "none",
}
"""Words of ``sequenced`` and ``copy_number`` and what they mean."""
_EXPECTED: Final = {
    "sequenced": "genome, exome, panel or none",
    "copy_number": "genome, panel or none",
    "sequenced_mb": "a number of megabases",
}
STATED: Final = ("sequenced", "copy_number", "panel_genes", "sequenced_mb")


def covariate(frame: pl.DataFrame, names: Sequence[str]) -> str | None:
    """Return the first column that has one of these names, whatever its case."""
    columns = {column.lower(): column for column in frame.columns}
    return next((columns[name] for name in names if name in columns), None)


def read_samples(study: Study, alterations: pl.DataFrame) -> pl.DataFrame:
    """Return one row a sample that was looked at, with what is said or known of its assays.

    Parameters
    ----------
    study
        The study. Without a table `samples` a sample must bear the name of its patient.
    alterations
        Its table `alterations`, with a column ``effect``.

    Returns
    -------
    pl.DataFrame
        sample_id, patient_id, sequenced (genome, exome, panel, assumed or none), copy_number
        (genome, panel, rows or none), panel_genes (list), sequenced_mb; sorted by sample. Samples
        without any alteration of which nothing is said are not there.

    Raises
    ------
    InputError
        When a sample belongs to no patient, or what is said of an assay cannot be read.
    """
    known = _known_samples(study, alterations)
    is_copy = pl.col("effect") == "copy_number"
    rows = alterations.group_by("sample_id").agg(has_mutations=(~is_copy).any(), has_copies=is_copy.any())
    frame = known.join(rows, on="sample_id", how="left").with_columns(
        pl.col("has_mutations", "has_copies").fill_null(value=False)
    )
    frame = frame.with_columns(
        sequenced=pl.coalesce(
            "sequenced",
            pl.when(pl.col("panel_genes").list.len() > 0).then(pl.lit("panel")),
            pl.when("has_mutations").then(pl.lit("assumed")).otherwise(pl.lit("none")),
        ),
        copy_number=pl.coalesce(
            "copy_number", pl.when("has_copies").then(pl.lit("rows")).otherwise(pl.lit("none"))
        ),
    )
    looked_at = (pl.col("sequenced") != "none") | (pl.col("copy_number") != "none")
    order = ("sample_id", "patient_id", *STATED)
    return (
        frame.filter(looked_at | pl.col("has_mutations") | pl.col("has_copies"))
        .select(order)
        .sort("sample_id")
    )


def _known_samples(study: Study, alterations: pl.DataFrame) -> pl.DataFrame:
    samples = study.table("samples")
    if samples is not None:
        return _stated(samples)
    ids = alterations["sample_id"].unique().sort()
    patients = study.patients["patient_id"]
    strangers = ids.filter(~ids.is_in(patients.implode()))
    if len(strangers):
        raise InputError([_no_patient(strangers)])
    frame = pl.DataFrame({"sample_id": ids, "patient_id": ids})
    return _stated(frame)


def _no_patient(strangers: pl.Series) -> Issue:
    return Issue(
        code="no-samples",
        problem=f"{len(strangers)} samples of the table alterations belong to no patient",
        hint="Add samples.csv with sample_id and patient_id; which sample is whose is never guessed.",
        file="samples.csv",
        found=", ".join(strangers.head(5)),
        expected="samples.csv, or samples called as their patient",
    )


def _stated(samples: pl.DataFrame) -> pl.DataFrame:
    """Return the covariates by which a study says what was measured; null where it says nothing."""
    columns = {name: covariate(samples, (name,)) for name in STATED}
    texts = [
        pl.lit(None, dtype=pl.String).alias(name)
        if column is None
        else pl.col(column).cast(pl.String).str.strip_chars().alias(name)
        for name, column in columns.items()
    ]
    frame = samples.select("sample_id", "patient_id", *texts)
    typed = frame.with_columns(
        *(
            pl.col(name).str.to_lowercase().replace_strict(SEQUENCED, default=None, return_dtype=pl.String)
            for name in ("sequenced", "copy_number")
        ),
        pl.col("panel_genes").str.to_uppercase().str.extract_all(r"[^;,\s]+"),
        pl.col("sequenced_mb").cast(pl.Float64, strict=False),
    )
    issues = [
        issue
        for name, expected in _EXPECTED.items()
        if (issue := _unreadable(frame[name], typed[name], name, expected)) is not None
    ]
    if issues:
        raise InputError(issues)
    return typed


def _unreadable(given: pl.Series, typed: pl.Series, name: str, expected: str) -> Issue | None:
    """Return what to tell where a covariate says something that is not known."""
    odd = given.filter(given.is_not_null() & typed.is_null()).unique().sort()
    if odd.is_empty():
        return None
    return Issue(
        code="unknown-assay",
        problem=f"column {name} says what is not known",
        hint="What was measured decides what can be called not altered, so it is not guessed.",
        file="samples",
        column=name,
        found=", ".join(odd.head(3)),
        expected=expected,
    )


def find_measured(samples: pl.DataFrame, alterations: pl.DataFrame, genes: Sequence[str]) -> pl.DataFrame:
    """Return for each sample and gene whether mutations, copy number and the promoter were looked at.

    Parameters
    ----------
    samples
        As `read_samples` returns them.
    alterations
        Table `alterations` with ``effect``.
    genes
        Approved symbols.

    Returns
    -------
    pl.DataFrame
        sample_id, gene, mutation, copy_number, promoter (booleans).
    """
    rows = (
        alterations.filter(pl.col("gene").is_in(list(genes)))
        .group_by("sample_id", "gene")
        .agg(
            mutated=(pl.col("effect") != "copy_number").any(),
            copied=(pl.col("effect") == "copy_number").any(),
        )
    )
    frame = samples.join(pl.DataFrame({"gene": list(genes)}, schema={"gene": pl.String}), how="cross")
    frame = frame.join(rows, on=["sample_id", "gene"], how="left")
    on_panel = pl.col("panel_genes").list.contains(pl.col("gene")).fill_null(value=False)
    mutated, copied = (pl.col(name).fill_null(value=False) for name in ("mutated", "copied"))
    whole = {"mutation": ("genome", "exome", "assumed"), "copy_number": ("genome",), "promoter": ("genome",)}
    scope = {"mutation": "sequenced", "copy_number": "copy_number", "promoter": "sequenced"}
    here: Mapping[str, pl.Expr] = {
        "mutation": mutated,
        "copy_number": copied,
        "promoter": pl.lit(value=False),
    }
    return frame.select(
        "sample_id",
        "gene",
        *(
            (
                pl.col(scope[name]).is_in(list(whole[name]))
                | (
                    (pl.col(scope[name]) == "panel")
                    & (_promoter_on_panel() if name == "promoter" else on_panel)
                )
                | here[name]
            ).alias(name)
            for name in whole
        ),
    )


def _promoter_on_panel() -> pl.Expr:
    """Return whether the panel says that it covers the promoter of the gene, as ``TERT_PROMOTER``."""
    name = pl.concat_str(pl.col("gene"), pl.lit("_PROMOTER"))
    return pl.col("panel_genes").list.contains(name).fill_null(value=False)
