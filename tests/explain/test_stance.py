"""How a single finding is read; expectations follow from the columns that the evidence README describes."""

from __future__ import annotations

import pytest

from hccresist.explain.stance import find_kind, find_side, find_status, read_alteration


@pytest.mark.parametrize(
    ("alteration", "aspect", "direction", "done"),
    [
        ("up", "amount", "more", False),
        ("activation", "amount", "more", False),
        ("over-expressed", "amount", "more", False),
        ("copy number gain", "amount", "more", False),
        ("amplification (ctDNA)", "amount", "more", False),
        ("high at baseline", "amount", "more", False),
        ("present before treatment", "amount", "more", False),
        ("stabilised", "amount", "more", False),
        ("down", "amount", "less", False),
        ("loss", "amount", "less", False),
        ("inactivation", "amount", "less", False),
        ("low expression", "amount", "less", False),
        ("loss-of-function mutation", "amount", "less", False),
        ("absent", "amount", "less", False),
        ("inhibited", "amount", "less", True),
        ("blocked", "amount", "less", True),
        ("knockdown", "amount", "less", True),
        ("restored", "amount", "more", True),
        ("added", "amount", "more", True),
        ("second line", "amount", "more", True),
        ("rise on treatment", "change", "more", False),
        ("fall over 20 percent", "change", "less", False),
        ("increased", "amount", "more", False),
        ("mutation", "form: mutation", "", False),
        ("mutation (p.G245S)", "form: mutation", "", False),
        ("gatekeeper or hinge mutation", "form: mutation", "", False),
        ("GG genotype", "form: gg genotype", "", False),
        ("mislocalised", "form: mislocalised", "", False),
        ("low at baseline", "amount", "less", False),
        ("reduced expression", "amount", "less", False),
        ("TT against TC/CC", "form: tt against tc/cc", "", False),
        ("hypoxia low, immune high", "state: hypoxia low, immune high", "", False),
        ("compared", "state: compared", "", False),
        ("unspecified", "state: unspecified", "", False),
    ],
)
def test_an_alteration_is_read(alteration: str, aspect: str, direction: str, done: bool) -> None:
    state = read_alteration(alteration, "gene")
    assert (state.aspect, state.direction, state.done) == (aspect, direction, done)


def test_an_intervention_is_something_done_whatever_the_word() -> None:
    assert read_alteration("compared", "intervention").done


@pytest.mark.parametrize(
    ("effect", "alteration", "level", "kind", "side"),
    [
        ("resistance", "up", "in_vitro", "response", "adverse"),
        ("resistance", "down", "in_vitro", "response", "favourable"),
        ("sensitivity", "up", "patient_cohort", "response", "favourable"),
        ("sensitivity", "inhibited", "in_vivo", "response", "adverse"),
        ("sensitivity", "inhibited", "clinical_trial", "regimen", "favourable"),
        ("reverses_resistance", "inhibited", "in_vivo", "response", "adverse"),
        ("reverses_resistance", "up", "in_vivo", "response", "adverse"),
        ("reverses_resistance", "down", "in_vivo", "response", "favourable"),
        ("reverses_resistance", "restored", "in_vivo", "response", "favourable"),
        ("improves_outcome", "inhibition", "clinical_trial", "regimen", "favourable"),
        ("no_effect", "added", "clinical_trial", "regimen", "none"),
        ("no_effect", "up", "in_vitro", "response", "none"),
        ("resistance", "mutation", "patient_cohort", "response", "adverse"),
        ("response_pattern", "present", "case_report", "other", ""),
        ("unclear", "mutation", "in_silico", "other", ""),
    ],
)
def test_a_finding_has_a_kind_and_a_side(
    effect: str, alteration: str, level: str, kind: str, side: str
) -> None:
    state = read_alteration(alteration, "gene")
    assert find_kind(effect, state, level) == kind
    assert find_side(effect, kind, state) == side


@pytest.mark.parametrize(
    ("alteration", "direction", "side"),
    [
        ("up", "worse", "adverse"),
        ("up", "better", "favourable"),
        ("down", "worse", "favourable"),
        ("up", None, ""),
    ],
)
def test_a_prognosis_has_a_side_only_where_its_direction_is_given(
    alteration: str, direction: str | None, side: str
) -> None:
    state = read_alteration(alteration, "gene")
    assert find_side("prognosis", "prognosis", state, prognosis=direction) == side


@pytest.mark.parametrize(
    ("verified", "basis", "publication", "refused", "status"),
    [
        (True, "abstract_or_page", None, False, "verified"),
        (True, "abstract_or_page", "corrected", False, "verified"),
        (False, "abstract_or_page", None, False, "unverified"),
        (False, "secondary_source", None, False, "unverified"),
        (False, "title_only", None, False, "title_only"),
        (True, "abstract_or_page", "retracted", False, "retracted"),
        (True, "abstract_or_page", "expression_of_concern", False, "retracted"),
        (True, "abstract_or_page", None, True, "retracted"),
    ],
)
def test_the_status_of_a_finding(
    verified: bool, basis: str, publication: str | None, refused: bool, status: str
) -> None:
    row = {"verified": verified, "basis": basis, "publication_status": publication}
    assert find_status(row, refused=refused) == status
