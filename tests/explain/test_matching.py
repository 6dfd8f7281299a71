"""Findings that match what was measured. The findings named are rows of the base, by their sources."""

import numpy as np
import polars as pl
import pytest

from hccresist.explain.knowledge import read_base
from hccresist.explain.matching import alteration_states, gene_states, match_evidence, set_states
from hccresist.explain.results import AlterationCalls, EvidenceMatches
from hccresist.explain.signatures import read_signatures
from hccresist.study.frames import study_from_frames

BASE = read_base()
PATIENTS = {"S1": "P1", "S2": "P2"}


@pytest.fixture(scope="module")
def study():
    return study_from_frames(
        patients=pl.DataFrame({"patient_id": ["P1", "P2"]}),
        samples=pl.DataFrame({"sample_id": ["S1", "S2"], "patient_id": ["P1", "P2"]}),
        treatments=pl.DataFrame(
            {"patient_id": ["P1", "P2"], "line": [1, 1], "drug": ["nivolumab", "Lenvima"]}
        ),
        alterations=pl.DataFrame(
            {"sample_id": ["S1"], "gene": ["CTNNB1"], "change": ["p.S45P"], "kind": ["Missense_Mutation"]}
        ),
    )


def altered(gene, change="p.S45P"):
    return pl.DataFrame(
        [
            {
                "sample_id": "S1",
                "patient_id": "P1",
                "mechanism_id": "GEN-CTNNB1",
                "gene": gene,
                "change": change,
                "call": "altered",
                "rule": "x",
                "source": "ours",
            }
        ]
    ).cast({"call": AlterationCalls.call.dtype})


def matches(study, states):
    return match_evidence(study, BASE, states, patients=PATIENTS)


def test_active_egfr_matches_lenvatinib_resistance_and_the_drug_had(study):
    """Jin 2021, doi 10.1038/s41586-021-03741-7: EGFR activity limits lenvatinib in HCC."""
    states = gene_states(["S1", "S2"], ["EGFR"], np.array([[0.99, 1.0]]), against="this cohort")
    assert states["sample_id"].to_list() == ["S2"]
    found = matches(study, states)
    source = BASE.findings.filter(pl.col("doi") == "10.1038/s41586-021-03741-7")["record_id"].to_list()
    row = found.filter(pl.col("record_id").is_in(source), pl.col("feature") == "expression EGFR").row(
        0, named=True
    )
    assert (row["stance"], row["same_drug"], row["counted"]) == ("for", True, True)
    assert row["reason"] == "expression +1.0 SD from the mean of this cohort"
    assert row["finding"].startswith("EGFR (")
    assert " goes with " in row["finding"]


def test_a_contested_alteration_shows_both_sides(study):
    """CTNNB1 and checkpoint inhibitors: issue 4 names it as contested."""
    found = matches(study, alteration_states(altered("CTNNB1"))).filter(
        pl.col("counted"), pl.col("same_drug")
    )
    assert set(found["stance"].cast(pl.String)) == {"for", "against"}


def test_contradicting_directions_turn_round_with_the_state(study):
    more = matches(study, gene_states(["S1"], ["METTL3"], np.array([[2.0]]), against="x"))
    less = matches(study, gene_states(["S1"], ["METTL3"], np.array([[-2.0]]), against="x"))
    sides = more.select("record_id", "stance").join(less.select("record_id", other="stance"), on="record_id")
    assert sides.height > 1
    turned = sides.filter(pl.col("stance").cast(pl.String) != pl.col("other").cast(pl.String))
    assert turned.height == sides.height


def test_too_little_of_what_brings_resistance_is_no_finding(study):
    """Genes of which every finding says that more of them brings resistance: less of them says nothing."""
    genes = BASE.marks.join(BASE.findings.select("record_id", "entity_type"), on="record_id")
    genes = genes.filter(pl.col("kind") == "response", pl.col("entity_type") == "gene")
    only = genes.group_by("subject").agg(
        (pl.col("side").cast(pl.String) == "adverse").all() & (pl.col("aspect") == "amount").all()
    )
    named = only.filter(pl.col("side"))["subject"].sort().to_list()
    members = set(BASE.marks["members"].explode().drop_nulls())
    one_sided = [gene for gene in named if gene not in members]
    assert len(one_sided) > 20
    column = np.full((len(one_sided), 1), 3.0)
    high = matches(study, gene_states(["S1"], one_sided, column, against="x"))
    assert set(high["stance"].cast(pl.String)) == {"for"}
    assert matches(study, gene_states(["S1"], one_sided, -column, against="x")).height == 0


def test_mechanism_scores_match_processes_of_that_mechanism_only(study):
    names = [
        item.name for item in read_signatures() if item.mechanism_id == "AUT-PRO" and item.kind == "mechanism"
    ]
    scores = pl.DataFrame(
        {
            "sample_id": ["S2"] * len(names),
            "mechanism_id": ["AUT-PRO"] * len(names),
            "set": names,
            "z": [1.4] * len(names),
        }
    )
    found = matches(study, set_states(scores, read_signatures(), against="the reference R"))
    assert found.height > 0
    assert set(found["mechanism_id"]) == {"AUT-PRO"}
    types = BASE.findings.filter(pl.col("record_id").is_in(found["record_id"].implode()))["entity_type"]
    assert "gene" not in set(types.cast(pl.String))


def test_regimens_and_prognosis_never_match(study):
    genes = BASE.marks["subject"].unique().to_list()
    found = matches(study, gene_states(["S1"], genes, np.full((len(genes), 1), 2.0), against="x"))
    kinds = BASE.marks.filter(pl.col("record_id").is_in(found["record_id"].implode()))["kind"]
    assert set(kinds.cast(pl.String)) == {"response"}
    counted = found.filter(pl.col("counted"))["record_id"]
    status = BASE.marks.filter(pl.col("record_id").is_in(counted.implode()))["status"]
    assert set(status.cast(pl.String)) == {"verified"}


def test_nothing_measured_gives_an_empty_table(study):
    empty = gene_states([], [], np.empty((0, 0)), against="x")
    assert EvidenceMatches.is_valid(matches(study, empty))


def test_markers_of_blood_and_changes_on_treatment_are_not_held_against_the_tumour(study):
    """IL-10 and TNF in serum that rise on treatment say nothing of TNF in the tumour."""
    genes = [*BASE.marks["subject"].unique().to_list(), "TNF", "IL10", "IL6"]
    found = matches(study, gene_states(["S1"], genes, np.full((len(genes), 1), 2.0), against="x"))
    rows = BASE.findings.join(BASE.marks.select("record_id", "aspect"), on="record_id")
    rows = rows.filter(pl.col("record_id").is_in(found["record_id"].implode()))
    assert rows.height > 100
    assert not rows["entity"].str.contains(r"\((serum|plasma|blood)").any()
    assert "change" not in set(rows["aspect"])
    assert "circulating_marker" not in set(rows["entity_type"].cast(pl.String))
