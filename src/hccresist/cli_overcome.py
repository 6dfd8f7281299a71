"""Command ``overcome``: which strategies of the evidence base address what is on in each tumour."""

from __future__ import annotations

from hccresist.cli_run import (
    GeneSets,
    Line,
    Out,
    Particles,
    Quiet,
    Request,
    Settings,
    Share,
    StudyPath,
    Twin,
    Words,
    list_wanted,
    run_request,
)
from hccresist.options import OmicsOptions


def overcome(
    study: StudyPath,
    /,
    *,
    out: Out,
    reference: Words = None,
    gmt: GeneSets = None,
    min_coverage: Share = None,
    scale: Words = None,
    platform: Words = None,
    criteria: Words = None,
    policy: Settings = None,
    line: Line = None,
    formats: str = "parquet,csv",
    twin: Twin = None,
    particles: Particles = None,
    quiet: Quiet = False,
) -> int:
    """Rank published strategies by what is on in each tumour: reasons, sources, and what speaks against.

    Research only, no advice on the care of a patient. Response, survival and mechanisms are derived first;
    tumours without expression and without alterations have no strategies.

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
    twin
        Look ahead with virtual patients like each patient (research only; seconds each). Done unasked for
        up to 200 patients.
    particles
        Virtual patients of each patient, instead of 100.
    quiet
        Print errors only.
    """
    omics = OmicsOptions(
        reference=reference,
        gene_sets=tuple(gmt or ()),
        min_coverage=min_coverage,
        scale=scale,
        platform=platform or "",
    )
    request = Request(
        stages=list_wanted(twin=twin),
        criteria=criteria,
        policy=policy,
        line=line,
        formats=formats,
        omics=omics,
        twin=twin,
        particles=particles,
    )
    return run_request(study, out, request, quiet=quiet)
