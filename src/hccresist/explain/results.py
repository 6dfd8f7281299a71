"""Result tables of *explain*: a contract, typed, with units and meaning. Rows are sorted by key."""

from __future__ import annotations

from typing import Final

import dataframely as dy

from hccresist.study.tables import PATIENT

SAMPLE: Final = "identifier of the sample"
MECHANISM: Final = "mechanism of resistance, a key of the taxonomy (`hccresist evidence --mechanisms`)"

METHODS: Final = ("rank", "reference_z", "cohort_z", "ssgsea", "gsva", "ulm", "mlm", "mcp_counter")
"""How a score was made."""

CALLS: Final = ("altered", "not_altered", "uncertain", "not_measured")
"""What an alteration rule says of a gene in a sample."""

STANCES: Final = ("for", "against")
"""Whether a finding speaks for the mechanism acting in this tumour against this drug."""


class MechanismScores(dy.Schema):
    """One row a sample, gene set and method: how far a mechanism is switched on."""

    sample_id = dy.String(primary_key=True, description=SAMPLE)
    patient_id = dy.String(description=PATIENT)
    mechanism_id = dy.String(primary_key=True, description=MECHANISM)
    set = dy.String(primary_key=True, description="gene set, a name of the signature registry")
    method = dy.Enum(METHODS, primary_key=True, description="how the score was made")
    score = dy.Float64(nullable=True, description="score of the method; empty where it was refused")
    percentile = dy.Float64(
        nullable=True,
        min=0,
        max=100,
        metadata={"unit": "%"},
        description="share of the reference tumours with a lower score; empty without a reference of at least 100",
    )
    z = dy.Float64(
        nullable=True,
        metadata={"unit": "SD"},
        description="standard deviations from the mean of the reference; of cohort_z, from the mean of the cohort",
    )
    coverage = dy.Float64(
        min=0, max=1, description="share of the genes of the set that were measured in this sample"
    )
    flag = dy.String(
        nullable=True, description="what makes the score doubtful: low coverage accepted, small cohort"
    )
    reason = dy.String(nullable=True, description="why a score, z or percentile is empty")


class Coverage(dy.Schema):
    """One row a gene set: how many of its genes are there, and whether it was scored."""

    set = dy.String(primary_key=True, description="gene set, a name of the signature registry")
    mechanism_id = dy.String(primary_key=True, description=MECHANISM)
    genes = dy.Int64(min=0, description="genes of the set")
    found = dy.Int64(min=0, description="genes of the set that the expression table holds")
    coverage = dy.Float64(min=0, max=1, description="found as a share of genes")
    scored = dy.Bool(description="the set was scored")
    missing = dy.String(description="genes of the set that are not there, up to twenty, separated by ;")
    reason = dy.String(nullable=True, description="why it was not scored, or what was accepted")


class AlterationCalls(dy.Schema):
    """One row a sample, mechanism, gene and change: what an alteration rule says."""

    sample_id = dy.String(primary_key=True, description=SAMPLE)
    patient_id = dy.String(description=PATIENT)
    mechanism_id = dy.String(primary_key=True, description=MECHANISM)
    gene = dy.String(primary_key=True, description="gene symbol, or locus such as 11q13")
    change = dy.String(primary_key=True, description="change as recorded; empty where none was found")
    call = dy.Enum(CALLS, description="verdict of the rule")
    rule = dy.String(description="rule that decided, with its numbers")
    source = dy.String(description="DOI or PMID of the rule; 'ours' where there is none")


class Classes(dy.Schema):
    """One row a sample and classification: the nearest template, or unclassified."""

    sample_id = dy.String(primary_key=True, description=SAMPLE)
    patient_id = dy.String(description=PATIENT)
    classification = dy.String(primary_key=True, description="set of templates, for example hoshida_2009")
    label = dy.String(description="class, or 'unclassified'")
    distance = dy.Float64(nullable=True, description="distance from the nearest template")
    p = dy.Float64(nullable=True, min=0, max=1, description="permutation p of that distance")
    q = dy.Float64(nullable=True, min=0, max=1, description="Benjamini–Hochberg over the samples")
    coverage = dy.Float64(min=0, max=1, description="share of the template's genes that were measured")
    reason = dy.String(nullable=True, description="why there is no class")


class EvidenceMatches(dy.Schema):
    """One row a sample, mechanism and finding: what the base says of what was measured here."""

    sample_id = dy.String(primary_key=True, description=SAMPLE)
    patient_id = dy.String(description=PATIENT)
    mechanism_id = dy.String(primary_key=True, description=MECHANISM)
    record_id = dy.String(primary_key=True, description="finding of the evidence base")
    feature = dy.String(primary_key=True, description="score or alteration that it was matched to")
    drug = dy.String(description="drug of the finding")
    stance = dy.Enum(STANCES, description="for or against the mechanism acting here")
    effect = dy.String(description="effect, as in the evidence base")
    level = dy.String(description="level of evidence, as in the evidence base")
    counted = dy.Bool(description="verified and not retracted, so that it counts as support")
    same_drug = dy.Bool(description="the finding is about a drug that this patient had")
    source = dy.String(description="PMID, PMCID or DOI")
    reason = dy.String(description="why it matches: what was measured in this tumour, in words")
    finding = dy.String(description="what the finding says, in words, with its status")


class Associations(dy.Schema):
    """One row a feature, outcome, test and group: what goes with response, resistance or survival."""

    feature = dy.String(primary_key=True, description="mechanism score, alteration, marker or pattern")
    outcome = dy.String(primary_key=True, description="response, resistance class, PFS, OS …")
    test = dy.String(primary_key=True, description="rank test, logistic, Cox, interaction …")
    group = dy.String(primary_key=True, description="arm, 'B vs A' for an interaction; empty: all patients")
    n = dy.Int64(min=0, description="patients")
    events = dy.Int64(nullable=True, min=0, description="events, or patients of the smaller class")
    effect = dy.Float64(nullable=True, description="AUC, odds ratio or hazard ratio, see `measure`")
    measure = dy.String(description="what `effect` is")
    low = dy.Float64(nullable=True, description="lower limit of the 95 % interval")
    high = dy.Float64(nullable=True, description="upper limit of the 95 % interval")
    p = dy.Float64(nullable=True, min=0, max=1, description="two-sided p; empty where there is too little")
    q = dy.Float64(nullable=True, min=0, max=1, description="Benjamini–Hochberg over the family tested")
    null_p = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        description="share of random sets of the same size and expression that do as well; where p is at most 0.1",
    )
    caveat = dy.String(description="what must be known before it is believed; empty where nothing")


class GeneReport(dy.Schema):
    """One row a gene of the expression table that was not taken as it stood."""

    given = dy.String(primary_key=True, description="name in the expression table")
    symbol = dy.String(nullable=True, description="approved symbol; empty where there is none")
    how = dy.String(description="previous, alias, ensembl, entrez, ambiguous, unknown or duplicate")
    note = dy.String(description="what was done with it")


class SampleReport(dy.Schema):
    """One row a sample: what was found of its scale and values, and what was done."""

    sample_id = dy.String(primary_key=True, description=SAMPLE)
    patient_id = dy.String(description=PATIENT)
    genes = dy.Int64(min=0, description="genes with a value")
    missing = dy.Int64(min=0, description="genes without a value")
    scale = dy.String(description="scale found: log, linear or counts")
    used = dy.Bool(description="the sample was scored")
    note = dy.String(nullable=True, description="what was converted or why it was left out")


class Confounders(dy.Schema):
    """One row a possible confounder and group: whether it splits responders by itself."""

    confounder = dy.String(primary_key=True, description="purity, pc1, batch or a covariate")
    group = dy.String(primary_key=True, description="arm; empty: all patients")
    n = dy.Int64(min=0, description="patients")
    auc = dy.Float64(nullable=True, min=0, max=1, description="AUC for response")
    p = dy.Float64(nullable=True, min=0, max=1, description="two-sided p; empty where there is too little")
    note = dy.String(description="what it means, in words")


RESULTS: Final[dict[str, type[dy.Schema]]] = {
    "mechanism_scores": MechanismScores,
    "coverage": Coverage,
    "alteration_calls": AlterationCalls,
    "classes": Classes,
    "evidence_matches": EvidenceMatches,
    "associations": Associations,
    "confounders": Confounders,
    "gene_report": GeneReport,
    "sample_report": SampleReport,
}
"""Table name to schema."""
