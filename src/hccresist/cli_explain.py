"""Command ``explain``: which mechanisms are on, what is known of them, what goes with the outcome."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from hccresist.cli_run import (
    GeneSets,
    Line,
    Out,
    Quiet,
    Request,
    Settings,
    Share,
    StudyPath,
    Words,
    run_request,
    split_words,
)
from hccresist.options import OmicsOptions

Landmark = Annotated[float | None, Parameter(show_default=False)]


def explain(
    study: StudyPath,
    /,
    *,
    out: Out,
    reference: Words = None,
    gmt: GeneSets = None,
    min_coverage: Share = None,
    covariates: Words = None,
    scale: Words = None,
    platform: Words = None,
    criteria: Words = None,
    policy: Settings = None,
    line: Line = None,
    formats: str = "parquet,csv",
    landmark: Landmark = None,
    quiet: Quiet = False,
) -> int:
    """Say which mechanisms of resistance are on in each tumour, and what goes with the outcome.

    Response and survival are derived first where the study has them; without them the tumours are
    explained all the same.

    Parameters
    ----------
    study
        Study folder, cBioPortal folder, GEO series matrix or h5ad file.
    out
        Folder for the results; earlier results of hccresist there are replaced.
    reference
        Name of a reference made with 'hccresist reference build'; the cohort itself if not given.
    gmt
        File with gene sets of your own, repeatable.
    min_coverage
        Share of the genes of a set from which it is scored, instead of 0.25; every such score is flagged.
    covariates
        Columns of patients or samples, separated by commas, that adjusted models take in.
    scale
        Scale of the expression where its values do not tell: log, linear or counts.
    platform
        Platform of the samples; a reference of another platform gives no percentile.
    criteria
        Criteria separated by commas; the first decides on response.
    policy
        NAME=VALUE, repeatable; see 'hccresist policies'.
    line
        Line of treatment to look at, with its own start as day 0; the index line if not given.
    formats
        File formats of the tables: parquet, csv or both.
    landmark
        Day from which what is known only after the start is compared; the first scan if not given.
    quiet
        Print errors only.
    """
    omics = OmicsOptions(
        reference=reference,
        gene_sets=tuple(gmt or ()),
        min_coverage=min_coverage,
        covariates=() if covariates is None else split_words(covariates),
        scale=scale,
        platform=platform or "",
    )
    request = Request(
        stages=("assess", "outcomes", "explain", "report"),
        criteria=criteria,
        policy=policy,
        line=line,
        formats=formats,
        landmark_days=landmark,
        omics=omics,
    )
    return run_request(study, out, request, quiet=quiet)
