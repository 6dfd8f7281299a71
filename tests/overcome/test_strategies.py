"""Strategies of patients and cohort: textbook cases through explain, rules for every row, the words."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

sys.path.insert(0, str(Path(__file__).parent))

from strategy_cases import CASE, OTHERS, explain, genes_of, make_study, rank, rank_all

from hccresist.overcome.strategies import explain_skip, rank_strategies
from hccresist.overcome.strategy_results import NOTHING, Strategies
from hccresist.overcome.strategy_score import Parts
from hccresist.overcome.strategy_table import read_strategies
from hccresist.overcome.strategy_words import RESEARCH

S45P = [("CTNNB1", "p.S45P", "Missense_Mutation")]
BY_KEY = {s.strategy_id: s for s in read_strategies()}


@pytest.fixture(scope="module")
def everybody() -> pl.DataFrame:
    """Many things on: EGFR and T cells high, PTEN low, CTNNB1 and TP53 mutated, after lenvatinib."""
    study = make_study(
        high=["EGFR", *genes_of("IMM-EXC", "TME-ANG")],
        low=["PTEN"],
        mutated=[*S45P, ("TP53", "p.R249S", "Missense_Mutation")],
        had="lenvatinib",
    )
    return rank_all(study)


def first(rows: pl.DataFrame) -> dict[str, object]:
    return rows.filter(pl.col("rank") == 1).row(0, named=True)


def pick(rows: pl.DataFrame, key: str) -> dict[str, object]:
    return rows.filter(pl.col("strategy_id") == key).row(0, named=True)


# Textbook cases (issue 6, done when 4)


def test_egfr_high_after_lenvatinib_leads_to_gefitinib_beside_lenvatinib() -> None:
    """Shi 2024 (PMID 39653700): 30 EGFR-high patients after lenvatinib, response 30 %."""
    rows = rank(make_study(high=["EGFR"], had="lenvatinib"))
    top = first(rows)
    assert set(top["drugs"].split(";")) == {"gefitinib", "lenvatinib"}
    assert top["source"] == "PMID:39653700"
    assert top["trial_id"] == "NCT04642547"
    assert "Addresses what is on: expression of EGFR +" in top["why"]
    assert "HDR0002 (PMID:34290403)" in top["evidence_for"]
    assert "lenvatinib (multi-kinase inhibitor)" in top["contraindications"]


def test_without_high_egfr_that_trial_does_not_apply() -> None:
    rows = rank(make_study(high=["MET"], had="lenvatinib"))
    assert "S01" not in rows["strategy_id"].to_list()


def test_egfr_high_before_any_drug_is_another_line_and_says_so() -> None:
    row = pick(rank(make_study(high=["EGFR"])), "S01")
    assert "tried in another line, tried after another drug" in row["why"]
    assert row["clinical"] == pytest.approx(200 * 0.4 * 0.4)


def test_ctnnb1_mutant_before_a_checkpoint_inhibitor() -> None:
    """HDR0094: resistance in patients (doi:10.3389/fimmu.2021.759565); HDR0005: in mice (PMID 31186238)."""
    rows = rank(make_study(mutated=S45P))
    top = first(rows)
    assert top["mechanism_id"] == "GEN-CTNNB1"
    assert "CTNNB1 altered: p.S45P" in top["why"]
    alone = pick(rows, "S112")  # an antibody against PD-1 alone, first line
    assert alone["match"] < 0
    assert "alteration CTNNB1" in alone["against"]
    assert "HDR0094 (DOI:10.3389/fimmu.2021.759565); so do HDR0005" in alone["against"]
    assert "Contested by" in alone["against"]
    assert "HDR0216" in alone["against"]
    kinase = pick(rows, "S42")  # a kinase inhibitor, first line, of the same strength of evidence
    assert (kinase["clinical"], kinase["match"]) == (alone["clinical"], 0)
    assert kinase["rank"] < alone["rank"]
    pair = pick(rows, "S62")  # with an antibody against VEGF: one of two drugs is concerned
    assert alone["match"] < pair["match"] < 0


def test_the_finding_that_contradicts_is_heard() -> None:
    """A contested finding of patients weighs half: 20 points times 1 times 0.5."""
    assert pick(rank(make_study(mutated=S45P)), "S112")["match"] == pytest.approx(-10)


def test_hypoxia_driven_by_vegf_leads_to_vegf_blocked_beside_a_checkpoint() -> None:
    """First line: IMbrave150 (S02), ORIENT-32 (S03) and HEPATORCH (S62) block VEGF, which is high."""
    rows = rank(make_study(high=["VEGFA", *genes_of("TME-ANG", "HYP-HIF1", "HYP-OTH")]))
    lead = rows.filter(pl.col("rank").is_between(1, 5))
    assert set(lead["addresses"].cast(pl.String)) == {"found"}
    top = first(rows)
    assert "VEGFA" in top["targets"].split(";")
    assert {"bevacizumab", "bevacizumab biosimilar"} & set(top["drugs"].split(";"))
    assert top["outcome"] == "succeeded"
    assert {"S02", "S03", "S62"} <= set(rows.filter(addresses="found")["strategy_id"])
    imbrave = pick(rows, "S02")
    assert imbrave["trial_id"].startswith("IMbrave150")
    assert "expression of VEGFA +" in imbrave["why"]
    assert "risk of bleeding" in imbrave["contraindications"]


def test_met_high_after_sorafenib_leads_to_cabozantinib_and_tells_that_tivantinib_failed() -> None:
    """CELESTIAL (PMID 29972759) succeeded after sorafenib; METIV-HCC and JET-HCC, MET-high, failed."""
    rows = rank(make_study(high=["MET"], had="sorafenib"))
    top = first(rows)
    assert (top["drugs"], top["source"]) == ("cabozantinib", "PMID:29972759")
    assert "expression of MET +" in top["why"]
    for key in ("S56", "S57"):
        failed = pick(rows, key)
        assert failed["drugs"] == "tivantinib"
        assert failed["rank"] > top["rank"]
        assert "missed its primary aim" in failed["against"]
        assert failed["score"] < top["score"]


def test_neutrophils_and_cxcr2_in_masld() -> None:
    """Leslie 2022 (PMID 35477863): CXCR2 block with anti-PD-1 in NASH-HCC, in mice only; CUBIC is open."""
    genes = ["CXCR2", *genes_of("TME-NEU")]
    rows = rank(make_study(high=genes, aetiology="masld", had="atezolizumab"))
    top = first(rows)
    assert (top["strategy_id"], top["source"]) == ("S28", "PMID:35477863")
    assert "no patient was treated so" in top["why"]
    assert "The evidence is of MASLD, as in this patient." in top["why"]
    cubic = pick(rows, "S67")
    assert (cubic["trial_id"], cubic["outcome"]) == ("CUBIC", "ongoing")
    assert "without a result" in cubic["notes"]


def test_the_same_neutrophils_in_viral_disease_count_half_and_say_why() -> None:
    genes = ["CXCR2", *genes_of("TME-NEU")]
    same, other = (pick(rank(make_study(high=genes, aetiology=a)), "S28") for a in ("masld", "hbv"))
    assert other["match"] == pytest.approx(same["match"] / 2, abs=0.1)
    assert "another liver disease" in other["why"]


# What holds for every row


def test_the_table_fits_its_contract_and_the_cohort_comes_first(everybody) -> None:
    Strategies.validate(everybody)
    patients = everybody["patient_id"].to_list()
    assert patients[0] is None
    assert everybody.filter(pl.col("patient_id").is_null()).height > 10
    known = [name for name in dict.fromkeys(patients) if name is not None]
    assert known == sorted(known)
    for _, part in everybody.group_by("patient_id", maintain_order=True):
        ranks = [rank for rank in part["rank"].to_list() if rank]
        assert ranks == list(range(1, len(ranks) + 1))


def test_the_parts_add_up_to_the_score(everybody) -> None:
    rows = everybody.filter(pl.col("rank") > 0)
    total = rows.select(pl.sum_horizontal(list(Parts().record())))["clinical"]
    assert (total - rows["score"]).abs().max() < 1e-6


def test_every_row_says_that_it_is_research_only_and_why_it_is_there(everybody) -> None:
    assert everybody["notes"].str.ends_with(RESEARCH).all()
    rows = everybody.filter(pl.col("rank") > 0)
    assert (rows["why"] != "").all()
    assert (rows["source"] != "").all()
    assert (rows["contraindications"] != "").all()
    assert rows["notes"].str.contains("Not simulated.", literal=True).all()


def test_no_failed_trial_stands_above_a_success_for_the_same_mechanism_and_line(everybody) -> None:
    for _, part in everybody.filter(pl.col("rank") > 0).group_by("patient_id"):
        rows = part.sort("rank").to_dicts()
        for at, above in enumerate(rows):
            if above["outcome"] != "failed":
                continue
            assert "missed its primary aim" in above["against"]
            for below in rows[at + 1 :]:
                one, other = BY_KEY[above["strategy_id"]], BY_KEY[below["strategy_id"]]
                same_line = one.line == other.line or "any" in {one.line, other.line}
                assert not (other.outcome == "succeeded" and same_line and one.mechanisms & other.mechanisms)


def test_the_cohort_counts_the_patients_in_whom_something_is_on(everybody) -> None:
    own = everybody.filter(pl.col("patient_id").is_not_null(), pl.col("addresses") == "found")
    counted = dict(own.group_by("strategy_id").agg(pl.col("patient_id").n_unique()).iter_rows())
    for row in everybody.filter(pl.col("patient_id").is_null(), pl.col("rank") > 0).to_dicts():
        assert row["patients_found"] == counted.get(row["strategy_id"], 0)
        assert row["patients_looked"] == OTHERS + 1


def test_what_was_measured_by_dna_alone_is_not_taken_for_expression() -> None:
    rows = rank(make_study(mutated=S45P))
    told = rows.filter(pl.col("strategy_id") == "S62")["why"][0]
    assert "not looked at" in told


def test_nothing_supported_is_told() -> None:
    rows = rank(make_study(high=["OR4F5"], had="sorafenib"))
    row = rows.row(0, named=True)
    assert (row["strategy_id"], row["rank"], row["score"]) == (NOTHING, 0, None)
    assert row["notes"].startswith("Nothing supported:")
    assert "Drugs so far: sorafenib." in row["notes"]
    assert "found" not in rows["addresses"].cast(pl.String).to_list()


def test_a_patient_in_whom_nothing_was_measured_gets_one_row_that_says_so() -> None:
    study = make_study(mutated=S45P)
    tables = explain(study)
    made = rank_strategies(study, tables)
    measured = set(tables["alteration_calls"]["patient_id"])
    for patient in set(study.patients["patient_id"]) - measured:
        rows = made.filter(pl.col("patient_id") == patient)
        assert rows["strategy_id"].to_list() == [NOTHING]
        assert rows["notes"][0].startswith("Nothing was measured")


def test_all_drugs_given_before_has_no_clinical_points() -> None:
    rows = rank(make_study(high=["MET", "KDR"], had="cabozantinib"))
    row = pick(rows, "S60")
    assert row["clinical"] == 0
    assert "All of its drugs were given before." in row["against"]


def test_liver_reserve_is_held_against_the_contraindications_of_the_base() -> None:
    rows = rank(make_study(high=["MET"], had="sorafenib", child_pugh=8))
    assert (
        "Present: Child-Pugh B or worse (here B, 8 points at the start)" in first(rows)["contraindications"]
    )
    unknown = first(rank(make_study(high=["MET"], had="sorafenib")))["contraindications"]
    assert "Not known: Child-Pugh B or worse" in unknown


def test_a_simulated_gain_is_shown_with_its_interval_and_makes_points() -> None:
    study = make_study(high=["EGFR"], had="lenvatinib")
    gains = pl.DataFrame(
        {
            "patient_id": [CASE, None],
            "strategy_id": ["S01", "S01"],
            "gain": [2.5, 1.0],
            "low": [0.5, -1.0],
            "high": [4.5, 3.0],
            "measure": ["months of PFS"] * 2,
        }
    )
    made = rank_all(study, simulated=gains)
    row = pick(made.filter(pl.col("patient_id") == CASE), "S01")
    shown = [row[f"simulated_gain{end}"] for end in ("", "_low", "_high")]
    assert shown == [2.5, 0.5, 4.5]
    assert (row["simulated_measure"], row["simulated"]) == ("months of PFS", 2.0)
    assert "Not simulated." not in row["notes"]
    cohort = pick(made.filter(pl.col("patient_id").is_null()), "S01")
    assert cohort["simulated_gain"] == 1.0


def test_rows_do_not_depend_on_the_order_of_the_tables() -> None:
    study = make_study(high=["EGFR", *genes_of("TME-NEU")], mutated=S45P, had="lenvatinib")
    tables = explain(study)
    turned = {name: frame.reverse() for name, frame in tables.items()}
    assert_frame_equal(rank_strategies(study, tables), rank_strategies(study, turned))


def test_without_what_explain_makes_there_is_a_reason() -> None:
    assert explain_skip({}).startswith("explain gave no scores")
    empty = explain(make_study(mutated=S45P))["alteration_calls"].clear()
    assert explain_skip({"alteration_calls": empty}).startswith("explain gave no scores")
    assert explain_skip(explain(make_study(mutated=S45P))) == ""


def test_a_handle_of_the_virtual_patient_is_named_where_there_is_one() -> None:
    """handles.csv: `bypass` is the handle of SIG-RTK."""
    assert "bypass" in first(rank(make_study(high=["EGFR"], had="lenvatinib")))["handle"].split(";")
