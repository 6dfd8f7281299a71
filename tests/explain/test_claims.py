"""Claims for and against: the rules of issue 4, on rows made for the purpose."""

from __future__ import annotations

import polars as pl
from evidence_cases import base_of, row, rows
from hypothesis import given, settings
from hypothesis import strategies as st

from hccresist.explain.claims import Claims
from hccresist.explain.knowledge import EvidenceBase

COUNTS = ("for_sources", "against_sources", "mixed_sources", "neutral_sources")


def only(base: EvidenceBase, **wanted: str) -> dict[str, object]:
    """The one claim that has these values."""
    found = base.claims.filter(**wanted)
    assert found.height == 1, found
    return found.row(0, named=True)


def counts(claim: dict[str, object]) -> tuple[object, ...]:
    """Counts of a claim: for, against, mixed, neutral."""
    return tuple(claim[name] for name in COUNTS)


def test_two_sources_that_agree_are_two_for() -> None:
    claim = only(base_of(rows({}, {})))
    assert counts(claim) == (2, 0, 0, 0)
    assert claim["statement"] == "more EGFR → resistance to sorafenib"
    assert (claim["contested"], claim["scope"]) == ("no", None)


def test_one_source_counts_once_however_many_rows_and_identifiers_it_has() -> None:
    found = rows(
        {"pmid": "7", "doi": "10.1000/x"},
        {"pmid": "", "doi": "10.1000/X", "pmcid": "PMC1234"},
        {"pmid": "", "doi": "", "pmcid": "PMC1234"},
    )
    base = base_of(found)
    assert base.sources["source_id"].to_list() == ["PMID:7"]
    claim = only(base)
    assert counts(claim) == (1, 0, 0, 0)
    assert claim["findings"] == 3


def test_less_of_it_with_sensitivity_agrees_with_more_of_it_with_resistance() -> None:
    claim = only(base_of(rows({}, {"alteration": "inhibited", "effect": "sensitivity"})))
    assert counts(claim) == (2, 0, 0, 0)


def test_less_and_more_that_both_bring_resistance_contradict_each_other() -> None:
    claim = only(base_of(rows({}, {}, {"alteration": "down"})))
    assert counts(claim) == (2, 1, 0, 0)
    assert (claim["contested"], claim["scope"]) == ("yes", "claim")


def test_no_effect_is_against_and_a_claim_of_nothing_else_has_nothing_for_it() -> None:
    claim = only(base_of(rows({}, {"effect": "no_effect"})))
    assert counts(claim) == (1, 1, 0, 0)
    assert (claim["contested"], claim["scope"]) == ("yes", "claim")
    alone = only(base_of(rows({"effect": "no_effect"})))
    assert counts(alone) == (0, 1, 0, 0)
    assert (alone["side"], alone["contested"]) == ("none", "no")


def test_a_source_that_speaks_both_ways_counts_on_neither_side() -> None:
    found = rows({}, {"pmid": "50"}, {"pmid": "50", "effect": "sensitivity"})
    assert counts(only(base_of(found))) == (1, 0, 1, 0)


def test_unverified_and_title_only_rows_are_shown_and_never_counted() -> None:
    unread = {"verified": "false", "basis": "title_only"}
    claim = only(base_of(rows({}, unread, {"verified": "false", "effect": "sensitivity"})))
    assert counts(claim) == (1, 0, 0, 0)
    assert (claim["uncounted_for"], claim["uncounted_against"]) == (1, 1)
    assert (claim["contested"], claim["scope"]) == ("unverified", "claim")
    assert claim["findings"] == 3


def test_a_retracted_source_is_refused_whichever_row_says_so() -> None:
    found = rows({"pmid": "9", "publication_status": "retracted"}, {"pmid": "9"}, {})
    base = base_of(found)
    claim = only(base)
    assert counts(claim) == (1, 0, 0, 0)
    assert claim["retracted_sources"] == 1
    assert base.marks["status"].to_list() == ["retracted", "retracted", "verified"]


def test_a_claim_of_retracted_sources_alone_says_so() -> None:
    claim = only(base_of(rows({"publication_status": "retracted", "verified": "false"})))
    assert counts(claim) == (0, 0, 0, 0)
    assert claim["statement"] == "EGFR: retracted, refused as support (sorafenib)"


def test_the_leading_side_has_most_sources_then_the_better_level() -> None:
    cells, trial = (
        {"evidence_level": "in_vitro"},
        {"evidence_level": "clinical_trial", "effect": "sensitivity"},
    )
    assert only(base_of(rows(cells, cells, trial)))["side"] == "adverse"
    claim = only(base_of(rows(cells, trial)))
    assert (claim["side"], claim["best_level"], claim["civic_level"]) == ("favourable", "clinical_trial", "B")


def test_the_same_subject_under_another_mechanism_and_the_same_drug_contests() -> None:
    found = rows({}, {"mechanism_id": "SIG-MAPK", "effect": "no_effect"})
    claim = only(base_of(found), mechanism_id="SIG-RTK")
    assert counts(claim) == (1, 0, 0, 0)
    assert (claim["contested"], claim["scope"], claim["contested_by"]) == ("yes", "drug", ["HDR0002"])
    quiet = only(base_of(found), mechanism_id="SIG-MAPK")
    assert (quiet["contested"], quiet["scope"], quiet["contested_by"]) == ("yes", "drug", ["HDR0001"])


def test_another_drug_contests_by_the_other_side_and_not_by_no_effect() -> None:
    other = {"drug": "lenvatinib", "effect": "sensitivity"}
    claim = only(base_of(rows({}, other)), drug="sorafenib")
    assert (claim["contested"], claim["scope"]) == ("yes", "entity")
    quiet = only(base_of(rows({}, {**other, "effect": "no_effect"})), drug="sorafenib")
    assert quiet["contested"] == "no"


def test_a_class_label_overlaps_with_its_members_and_with_no_other_drug() -> None:
    found = rows({"drug": "ICI (class)"}, {"drug": "nivolumab", "effect": "no_effect"})
    assert only(base_of(found), drug="ICI (class)")["scope"] == "drug"
    apart = rows({"drug": "anti-PD-L1 (class)"}, {"drug": "nivolumab", "effect": "no_effect"})
    assert only(base_of(apart), drug="anti-PD-L1 (class)")["contested"] == "no"


def test_mutation_and_amount_are_not_held_against_each_other() -> None:
    found = rows({"alteration": "mutation"}, {"effect": "sensitivity"})
    assert set(base_of(found).claims["contested"].cast(pl.String)) == {"no"}


def test_the_same_form_is_held_against_itself_in_tissue_and_in_blood() -> None:
    found = rows({"alteration": "mutation"}, {"alteration": "mutation (ctDNA)", "effect": "sensitivity"})
    assert only(base_of(found))["contested"] == "yes"


def test_a_marker_in_blood_is_not_the_gene_in_the_tumour() -> None:
    blood = {"entity": "EGFR (serum)", "entity_type": "circulating_marker", "effect": "sensitivity"}
    assert set(base_of(rows({}, blood)).claims["contested"].cast(pl.String)) == {"no"}


def test_a_prognosis_on_the_other_side_contests_and_is_told_as_one() -> None:
    good = {"drug": "none (prognosis)", "effect": "prognosis", "prognosis_direction": "better"}
    claim = only(base_of(rows({}, good)), drug="sorafenib")
    assert (claim["contested"], claim["scope"]) == ("yes", "prognosis")
    blank = {**good, "prognosis_direction": ""}
    assert only(base_of(rows({}, blank)), drug="sorafenib")["contested"] == "no"


def test_a_trial_of_a_regimen_says_nothing_about_the_entity_in_resistance() -> None:
    trial = {"alteration": "inhibition", "effect": "improves_outcome", "evidence_level": "clinical_trial"}
    found = rows({"effect": "sensitivity"}, trial)
    base = base_of(found)
    assert set(base.claims["kind"].cast(pl.String)) == {"response", "regimen"}
    assert set(base.claims["contested"].cast(pl.String)) == {"no"}


def test_two_trials_of_one_regimen_can_contradict_each_other() -> None:
    trial = {"alteration": "added", "entity_type": "drug", "evidence_level": "clinical_trial"}
    found = rows({**trial, "effect": "improves_outcome"}, {**trial, "effect": "no_effect"})
    claim = only(base_of(found))
    assert counts(claim) == (1, 1, 0, 0)
    assert claim["contested"] == "yes"


def test_the_opposite_of_an_entity_speaks_for_the_same_claim_in_reverse() -> None:
    etiology = {"entity_type": "clinical_phenotype", "alteration": "present", "mechanism_id": "IMM-ETIO"}
    non_viral = {**etiology, "entity": "non-viral aetiology", "drug": "nivolumab"}
    viral = {**etiology, "entity": "HBV aetiology", "drug": "nivolumab"}
    agree = base_of(rows(non_viral, {**viral, "effect": "sensitivity"}))
    assert set(agree.claims["contested"].cast(pl.String)) == {"no"}
    disagree = base_of(rows(non_viral, {**viral, "effect": "resistance"}))
    assert set(disagree.claims["contested"].cast(pl.String)) == {"yes"}
    assert "HBV aetiology → resistance to nivolumab" in disagree.claims["statement"].to_list()


def test_what_undoes_resistance_is_told_only_from_findings_that_count() -> None:
    found = rows({"strategy": "gefitinib"}, {"strategy": "hope", "verified": "false"})
    assert only(base_of(found))["reversed_by"] == ["gefitinib"]


FINDING = st.fixed_dictionaries(
    {
        "entity": st.sampled_from(["EGFR", "MET"]),
        "alteration": st.sampled_from(["up", "down", "mutation", "inhibited", "compared"]),
        "drug": st.sampled_from(["sorafenib", "lenvatinib", "sorafenib + lenvatinib", "none (prognosis)"]),
        "effect": st.sampled_from(
            ["resistance", "sensitivity", "no_effect", "prognosis", "improves_outcome", "unclear"]
        ),
        "mechanism_id": st.sampled_from(["SIG-RTK", "SIG-MAPK"]),
        "evidence_level": st.sampled_from(["clinical_trial", "in_vitro"]),
        "verified": st.sampled_from(["true", "false"]),
        "publication_status": st.sampled_from(["", "", "", "retracted"]),
        "pmid": st.sampled_from(["11", "12", "13", "14"]),
    }
)


def make(found: list[dict[str, str]]) -> list[dict[str, str]]:
    """Rows with records in order."""
    return [row(record_id=f"HDR{at:04d}", **one) for at, one in enumerate(found, start=1)]


@settings(max_examples=60, deadline=None)
@given(st.lists(FINDING, min_size=1, max_size=8), st.randoms())
def test_the_order_of_the_rows_changes_nothing(found, random) -> None:
    ordered = make(found)
    shuffled = ordered.copy()
    random.shuffle(shuffled)
    one, two = base_of(ordered), base_of(shuffled)
    for name in ("findings", "marks", "claims", "sources"):
        assert getattr(one, name).equals(getattr(two, name))


@settings(max_examples=60, deadline=None)
@given(st.lists(FINDING, min_size=1, max_size=6), st.data())
def test_a_second_row_of_a_source_that_says_the_same_changes_no_count(found, data) -> None:
    again = data.draw(st.sampled_from(found))
    before, after = base_of(make(found)), base_of(make([*found, again]))
    columns = [*COUNTS, "uncounted_for", "uncounted_against", "side", "contested", "scope"]
    assert before.claims.select("statement", *columns).equals(after.claims.select("statement", *columns))


@settings(max_examples=60, deadline=None)
@given(st.lists(FINDING, min_size=1, max_size=8))
def test_every_source_that_counts_stands_in_a_claim_once_and_no_other_is_counted(found) -> None:
    base = base_of(make(found))
    source = dict(zip(base.marks["record_id"], base.marks["source_id"], strict=True))
    counted = dict(zip(base.marks["record_id"], base.marks["counted"], strict=True))
    for claim in base.claims.iter_rows(named=True):
        own = {source[record] for record in claim["records"] if counted[record]}
        assert sum(claim[name] for name in COUNTS) == len(own)
    in_claims = sorted(record for records in base.claims["records"] for record in records)
    assert in_claims == sorted(source)


@settings(max_examples=40, deadline=None)
@given(st.lists(FINDING, min_size=1, max_size=8))
def test_claims_keep_to_their_schema_and_contests_are_mutual(found) -> None:
    base = base_of(make(found))
    Claims.validate(base.claims)
    claims = base.claims.to_dicts()
    own = [set(c["against_records"] if c["side"] == "none" else c["for_records"]) for c in claims]
    opposed = {
        (one, two)
        for one, claim in enumerate(claims)
        for two, records in enumerate(own)
        if set(claim["contested_by"]) & records
    }
    assert all((two, one) in opposed for one, two in opposed)
