"""Known questions are answered rightly.

Expectations come from issue 4 ("what reverses lenvatinib resistance through EGFR (gefitinib, with its
trial), what lowers sorafenib-induced ferroptosis, sorafenib's transporters, what failed as a
combination; contested claims (METTL3, autophagy, CTNNB1, FGF19, HIF-2α, aetiology) show both sides; the
retracted row is refused") and from the sources named beside them.
"""

from __future__ import annotations

import time

import polars as pl
import pytest
from evidence_cases import base_of, rows

from hccresist.errors import ConfigError
from hccresist.explain.evidence_tables import Findings
from hccresist.explain.knowledge import read_base
from hccresist.explain.names import UnknownNameError
from hccresist.explain.query import Answer, query_evidence

BASE = read_base()


def ask(**filters: str) -> Answer:
    """Ask the base of the package."""
    return query_evidence(BASE, **filters)


def test_what_reverses_lenvatinib_resistance_through_egfr() -> None:
    # Jin et al., Nature 2021 (PMID 34290403) and the trial NCT04642547 (PMID 39653700).
    answer = ask(drug="Lenvima", gene="EGFR")
    claim = answer.claims.filter(mechanism_id="SIG-RTK", entity="EGFR", drug="lenvatinib").row(0, named=True)
    assert "gefitinib" in claim["reversed_by"]
    assert {"PMID:34290403", "PMID:39653700"} <= set(claim["sources"])
    assert claim["for_sources"] >= 3
    assert claim["best_level"] == "clinical_trial"
    assert any("NCT04642547" in summary for summary in answer.findings["summary"])
    assert "NCT04642547" in answer.strategies["trial_id"].to_list()


def test_what_lowers_ferroptosis_that_sorafenib_induces() -> None:
    # MT-1G (PMC4956496); YAP/TAZ, ATF4 and SLC7A11 (10.15252/emmm.202114351); loss of KEAP1
    # (10.18632/oncotarget.27361) and of GSTZ1 (PMID 33931597).
    sides = list_sides(ask(drug="sorafenib", mechanism="ferroptosis", effect="resistance"), "sorafenib")
    wanted = {"MT1G": "adverse", "YAP1": "adverse", "ATF4": "adverse", "KEAP1": "favourable"}
    assert wanted.items() <= sides.items()
    assert sides["GSTZ1"] == "favourable"
    # ACSL4 (10.1038/s41401-020-0439-x) lets ferroptosis happen: more of it goes with response.
    assert list_sides(ask(drug="sorafenib", gene="ACSL4"), "sorafenib")["ACSL4"] == "favourable"


def list_sides(answer: Answer, drug: str) -> dict[str, str]:
    """Entity to the leading side of its claims that at least one source supports."""
    claims = answer.claims.filter(pl.col("for_sources") > 0, drug=drug, kind="response", aspect="amount")
    return dict(zip(claims["entity"], claims["side"], strict=True))


def test_the_transporters_of_sorafenib() -> None:
    # ABCG2 (PMID 24391798) and MRP3 (PMC4872779) carry it out; OCT1 (PMID 26872727, 28178663) brings it in.
    sides = list_sides(ask(drug="sorafenib", mechanism="ABC transporters"), "sorafenib")
    assert {"ABCG2": "adverse", "ABCC3": "adverse", "SLC22A1": "favourable"}.items() <= sides.items()


def test_what_failed_as_a_combination() -> None:
    # CALGB 80802 (PMC6735405), COSMIC-312 (PMID 35798016), TACE with sorafenib (PMC5601759).
    answer = ask(mechanism="combination", effect="failed")
    by_drug = {row["drug"]: row for row in answer.findings.to_dicts()}
    assert {"sorafenib + doxorubicin", "atezolizumab + cabozantinib", "sorafenib + TACE"} <= set(by_drug)
    claim = answer.claims.filter(drug="sorafenib + doxorubicin").row(0, named=True)
    assert claim["for_sources"] == 0
    assert claim["against_sources"] >= 1
    # LEAP-002 was read in a table of a review only: shown, not counted.
    leap = answer.claims.filter(drug="lenvatinib + pembrolizumab", mechanism_id="CMB-ICI-TKI")
    assert leap["uncounted_against"].sum() >= 1


@pytest.mark.parametrize(
    ("filters", "one", "other"),
    [
        ({"gene": "METTL3"}, "HDR0035", "HDR0101"),  # up, lenvatinib; down, sorafenib: resistance
        ({"gene": "autophagy"}, "HDR0052", "HDR0022"),  # protects; its inhibition protects
        ({"gene": "CTNNB1"}, "HDR0094", "HDR0216"),  # mutation: shorter, longer PFS on checkpoint inhibitors
        ({"gene": "FGF19"}, "HDR0043", "HDR0281"),  # resistance to sorafenib; response to fisogatinib
        ({"gene": "HIF-2α"}, "HDR0308", "HDR0047"),  # blocked: response; high: longer survival
        ({"mechanism": "aetiology"}, "HDR0074", "HDR0132"),  # no gain without virus; gain without virus
    ],
)
def test_contested_claims_show_both_sides(filters: dict[str, str], one: str, other: str) -> None:
    answer = ask(**filters)
    assert {one, other} <= set(answer.findings["record_id"])
    sides = dict(zip(answer.findings["record_id"], answer.findings["side"], strict=True))
    assert {sides[one], sides[other]} == {"adverse", "favourable"}
    for record, opponent in ((one, other), (other, one)):
        claim = answer.claims.filter(pl.col("records").list.contains(record)).row(0, named=True)
        assert claim["contested"] != "no"
        against = [*claim["against_records"], *claim["contested_by"]]
        assert opponent in against or record in claim["against_records"]


def test_the_retracted_row_is_shown_and_refused() -> None:
    # 10.2147/OTT.S262089: the journal retracted it (README of the evidence).
    answer = ask(drug="sorafenib", gene="IL6/STAT3")
    assert answer.findings["status"].to_list() == ["retracted"]
    assert answer.findings["counted"].to_list() == [False]
    assert (answer.counts["for"], answer.counts["retracted"]) == (0, 1)
    claim = answer.claims.row(0, named=True)
    assert (claim["for_sources"], claim["retracted_sources"], claim["sources"]) == (0, 1, [])


def test_findings_have_the_columns_of_the_file_first() -> None:
    found = ask(gene="EGFR").findings
    assert found.columns[: len(Findings.columns())] == list(Findings.columns())
    assert found["record_id"].to_list() == sorted(found["record_id"])


def test_a_filter_on_the_effect_does_not_hide_what_speaks_against() -> None:
    base = base_of(rows({}, {"effect": "no_effect"}))
    answer = query_evidence(base, effect="resistance")
    assert answer.findings["record_id"].to_list() == ["HDR0001"]
    assert (answer.counts["for"], answer.counts["against"]) == (1, 1)
    assert answer.claims["against_records"].to_list() == [["HDR0002"]]


def test_ways_in_which_a_drug_matches_are_kept_apart() -> None:
    drugs = (
        "nivolumab",
        "nivolumab + ipilimumab",
        "ICI (class)",
        "anti-PD-1 (class)",
        "sorafenib",
        "none (x)",
    )
    base = base_of(rows(*({"drug": name} for name in drugs)))
    one = query_evidence(base, drug="Opdivo")
    assert dict(zip(one.findings["drug"], one.findings["match"], strict=True)) == {
        "nivolumab": "exact",
        "nivolumab + ipilimumab": "combination",
        "ICI (class)": "class",
        "anti-PD-1 (class)": "class",
    }
    assert one.counts["for"] == 2
    assert one.counts["class"] == {"for": 2, "against": 0}
    assert one.counts["by_match"] == {"exact": 1, "combination": 1, "member": 0, "class": 2}
    whole = query_evidence(base, drug="ICI")
    assert dict(zip(whole.findings["drug"], whole.findings["match"], strict=True)) == {
        "nivolumab": "member",
        "nivolumab + ipilimumab": "member",
        "ICI (class)": "exact",
        "anti-PD-1 (class)": "member",
    }
    pair = query_evidence(base, drug="ipilimumab + nivolumab")
    assert pair.findings.filter(match="exact")["drug"].to_list() == ["nivolumab + ipilimumab"]


def test_filters_narrow_and_values_widen() -> None:
    base = base_of(rows({}, {"entity": "MET"}, {"entity": "AXL", "drug": "lenvatinib"}))
    assert query_evidence(base, gene="EGFR,MET").findings.height == 2
    assert query_evidence(base, gene=["EGFR", "AXL"], drug="sorafenib").findings.height == 1
    assert query_evidence(base).findings.height == 3


def test_a_gene_that_is_one_of_several_matches_in_part() -> None:
    base = base_of(rows({"entity": "CDK4; CDK6"}, {"entity": "CDK6"}))
    found = query_evidence(base, gene="CDK6").findings
    assert dict(zip(found["entity"], found["entity_match"], strict=True)) == {
        "CDK4; CDK6": "part",
        "CDK6": "exact",
    }


def test_a_known_gene_without_a_finding_gives_an_empty_answer() -> None:
    answer = query_evidence(base_of(rows({})), gene="ALB", drug="sorafenib")
    assert answer.findings.height == 0
    assert answer.claims.height == 0
    assert answer.counts["for"] == 0
    assert answer.query["gene"] == [{"given": "ALB", "resolved": ["ALB"], "how": "HGNC approved"}]


def test_levels_can_be_asked_in_the_terms_of_civic_and_a_is_never_given() -> None:
    base = base_of(rows({"evidence_level": "case_report"}, {"evidence_level": "in_vivo"}))
    assert query_evidence(base, level="C").findings["civic_level"].to_list() == ["C"]
    with pytest.raises(ConfigError, match="never given"):
        query_evidence(base, level="A")


@pytest.mark.parametrize("filters", [{"drug": "sorafenip"}, {"gene": "METLL3"}, {"mechanism": "feroptosis"}])
def test_an_unknown_name_is_refused_with_the_nearest(filters: dict[str, str]) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean"):
        ask(**filters)


def test_an_empty_filter_is_refused() -> None:
    with pytest.raises(ConfigError, match="--drug is empty"):
        ask(drug=" , ")


def test_the_record_holds_exactly_query_counts_findings_and_claims() -> None:
    record = ask(gene="METTL3").record()
    assert list(record) == ["query", "counts", "findings", "claims"]


def test_a_query_takes_less_than_50_ms() -> None:
    # Issue 4: "base queries under 50 ms in process". The best of five: the machine may be busy.
    taken: list[float] = []
    for _ in range(5):
        start = time.perf_counter()
        ask(drug="sorafenib", mechanism="ferroptosis")
        taken.append(time.perf_counter() - start)
    assert min(taken) < 0.05
