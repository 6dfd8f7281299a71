"""What the findings say of a strategy: for and against, by what the drug hits, and what counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hccresist.explain.knowledge import read_base
from hccresist.overcome.strategy_evidence import gather_support, overlap_drugs, read_targets
from hccresist.overcome.strategy_table import Target, read_strategies

BASE = read_base()
STRATEGIES = {s.strategy_id: s for s in read_strategies()}


def support(strategy):
    return gather_support([strategy], BASE)[strategy.strategy_id]


def records(heard) -> set[str]:
    return {found.record_id for found in heard}


def test_findings_on_the_target_are_for_the_strategy_that_takes_it_away() -> None:
    """HDR0002 (PMID 34290403): EGFR brings resistance to lenvatinib, gefitinib restores response."""
    found = support(STRATEGIES["S01"])
    assert "HDR0002" in records(found.pro)
    assert {h.source for h in found.pro if h.record_id == "HDR0002"} == {"PMID:34290403"}
    assert found.contra == ()


def test_findings_of_its_own_source_are_shown_and_make_no_points() -> None:
    """HDR0001 is of the source of S01 (PMID 39653700)."""
    own = [found for found in support(STRATEGIES["S01"]).pro if found.own]
    assert [found.record_id for found in own] == ["HDR0001"]
    assert STRATEGIES["S01"].source == "PMID:39653700"


def test_the_own_source_of_a_preclinical_strategy_counts() -> None:
    found = support(STRATEGIES["S18"])
    assert any(h.source == STRATEGIES["S18"].source and not h.own for h in found.pro)


def test_a_regimen_of_exactly_its_drugs_speaks_and_one_of_more_drugs_does_not() -> None:
    """HDR0125: cabozantinib with atezolizumab, no gain seen; HDR0185: lenvatinib, pembrolizumab and TACE."""
    assert "HDR0125" in records(support(STRATEGIES["S09"]).contra)
    pair = support(STRATEGIES["S08"])
    assert "HDR0185" not in records(pair.pro) | records(pair.contra)
    assert "HDR0185" in records(support(STRATEGIES["S12"]).pro)


def test_a_drug_added_in_the_entity_belongs_to_the_regimen() -> None:
    """HDR0138: TACE added to lenvatinib; it is no finding on lenvatinib alone."""
    alone = replace(STRATEGIES["S43"], drugs=("lenvatinib",), targets=())
    assert "HDR0138" not in records(support(alone).pro)
    assert "HDR0138" in records(support(STRATEGIES["S10"]).pro)


def test_more_of_what_the_drug_hits_is_for_it_where_it_goes_with_response() -> None:
    """HDR0160: a tumour with MET amplification responded to cabozantinib, which hits MET."""
    assert "MET" in read_targets("cabozantinib", BASE)
    assert "HDR0160" in records(support(STRATEGIES["S60"]).pro)


def test_a_target_that_is_lost_turns_the_side_round() -> None:
    """HDR0037 of the base: loss of DUSP4 brings resistance to lenvatinib."""
    found = STRATEGIES["S18"]
    assert "HDR0037" in records(support(found).pro)
    turned = replace(found, targets=(Target("DUSP4"),), drugs=("lenvatinib",))
    assert "HDR0037" in records(support(turned).contra)


def test_what_does_not_count_is_neither_for_nor_against() -> None:
    counted = set(BASE.marks.filter("counted")["record_id"])
    for found in gather_support(STRATEGIES.values(), BASE).values():
        assert records(found.pro) | records(found.contra) <= counted


@pytest.mark.parametrize(
    ("one", "two", "shared"),
    [
        (("sorafenib",), ("sorafenib",), {"sorafenib"}),
        (("nivolumab",), ("anti-PD-1 (class)",), {"nivolumab"}),
        (("ICI (class)",), ("nivolumab",), {"ICI (class)"}),
        (("sorafenib",), ("systemic therapy (class)",), set()),
        (("sorafenib",), ("nivolumab",), set()),
    ],
)
def test_drugs_overlap_by_name_or_class_but_not_by_labels_that_cover_all(one, two, shared) -> None:
    assert overlap_drugs(one, two, BASE.names.classes) == shared


def test_ranges_of_targets_are_spread() -> None:
    assert {"FGFR1", "FGFR2", "FGFR3", "FGFR4"} <= read_targets("lenvatinib", BASE)
    assert read_targets("no such drug", BASE) == frozenset()
