"""Each handle against the literature: direction, magnitude or time course, what it spares, and its reversal.

Expected numbers are the published ones of `handle_facts.csv`, with their sources.
"""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hccresist
from hccresist.overcome.model.handle_facts import (
    FACTOR,
    KINDS,
    NOT_ASKED,
    Fact,
    read_facts,
    read_reversals,
)
from hccresist.overcome.model.handle_groups import (
    GROUP_MEASURES,
    Group,
    find_pace,
    follow_group,
    measure,
)
from hccresist.overcome.model.handle_measures import (
    MEASURES,
    SPARED,
    change_cells,
    lose_response,
    restore,
)
from hccresist.overcome.model.handle_runs import name_drugs
from hccresist.overcome.model.parameters import read_handles, read_model, read_regulators

EVIDENCE = Path(hccresist.__file__).parent / "data" / "evidence" / "evidence.csv"
RESTORED = 0.8
"""Share of the lost shrinkage that a strategy has to give back."""
IMMUNE = {"IMM", "MET"}
TUMOUR_CELL = {"GEN", "SIG", "FER", "AUT", "APO", "ABC", "CSC", "EPI"}
"""Families that act on T cells and their suppressors, and inside the tumour cell.

Vessels and hypoxia, and the ER stress that hypoxia feeds, act on everything: they spare no drug.
"""


def name(fact: Fact) -> str:
    """Identifier of a test."""
    return f"{fact.handle}-{fact.measure}-{fact.drug or 'no drug'}"


ASKED = [fact for fact in read_facts() if fact.asked]


# ---- the table ----------------------------------------------------------------------------------------


def test_every_handle_has_a_direction_and_a_magnitude_or_time_or_says_what_was_looked_up() -> None:
    kinds: dict[str, set[str]] = {}
    for fact in read_facts():
        kinds.setdefault(fact.handle, set()).add(fact.kind)
    assert set(kinds) == {handle.handle for handle in read_handles()}
    for found in kinds.values():
        assert "direction" in found
        assert found & {"magnitude", "time", "none"}


@pytest.mark.parametrize("fact", read_facts(), ids=lambda fact: f"{fact.handle}-{fact.kind}-{fact.measure}")
def test_a_fact_is_whole(fact) -> None:
    assert fact.kind in KINDS
    assert fact.status in {"verified", "unverified"}
    if fact.kind == "none":
        assert "look-ups" in fact.statement
        return
    assert fact.system
    assert re.search(
        r"PMID:|PMC|doi|HDR|Blood 2007|Mol Cancer Ther 2010|Cancers 2020|Cancer Immunol", fact.source
    )
    assert fact.measure in {*MEASURES, *GROUP_MEASURES, NOT_ASKED}
    assert fact.asked or fact.why_not
    if fact.kind != "direction":
        assert any(number is not None for number in (fact.value, fact.low, fact.high))
        low, high = fact.interval
        assert low <= high
        assert fact.value is None or fact.status == "unverified" or low <= fact.value <= high


def test_every_measure_is_used_by_a_fact() -> None:
    assert {fact.measure for fact in read_facts() if fact.asked} == {*MEASURES, *GROUP_MEASURES}


def test_records_that_facts_and_regulators_name_are_verified_findings() -> None:
    with EVIDENCE.open(encoding="utf-8", newline="") as lines:
        verified = {row["record_id"]: row["verified"] for row in csv.DictReader(lines)}
    for record in (*(fact.record_id for fact in read_facts()), *(r.record_id for r in read_regulators())):
        assert not record or verified[record] == "true", record


def test_twenty_non_coding_rnas_move_handles_up_or_down() -> None:
    regulators = read_regulators()
    assert len({regulator.ncrna for regulator in regulators}) >= 20
    assert {regulator.resistance_when for regulator in regulators} == {"up", "down"}


def test_a_printed_number_without_an_interval_is_met_within_a_factor() -> None:
    fact = Fact("h", "magnitude", "", "", 2.0, None, None, "", "", "", "", "", "verified", "m", "")
    assert fact.interval == (2.0 / FACTOR, 2.0 * FACTOR)
    assert fact.holds(2.0)
    assert not fact.holds(2.0 * FACTOR + 0.01)


def test_an_open_interval_has_one_bound_and_a_direction_none() -> None:
    least = Fact("h", "magnitude", "", "", None, 100.0, None, "", "", "", "", "", "verified", "m", "")
    assert least.holds(float("inf"))
    assert not least.holds(99.0)
    way = Fact("h", "direction", "", "", None, None, None, "", "", "", "", "", "verified", "m", "")
    assert way.holds(0.1)
    assert not way.holds(0.0)


def test_a_strategy_acts_on_parameters_that_exist_or_gives_drugs_instead() -> None:
    names = {parameter.name for parameter in read_model().parameters}
    by_handle = {handle.handle: handle for handle in read_handles()}
    for handle, reversal in read_reversals().items():
        assert reversal.strategy_id == by_handle[handle].reversed_by
        assert reversal.strategy_id
        assert set(reversal.factors) <= names
        assert reversal.factors or reversal.added or reversal.instead
        assert set(reversal.added) <= {exposure.name for exposure in read_model().exposures}
        assert all(size > 0 for size in reversal.added.values())
        assert all(0 <= factor < 1 for factor in reversal.factors.values())
        assert reversal.status.startswith(("assumption", "sourced"))
    assert {h.handle for h in read_handles() if h.reversed_by} == set(read_reversals())


# ---- the model against the literature -----------------------------------------------------------------


@pytest.mark.parametrize("fact", ASKED, ids=name)
def test_the_model_meets_the_published_fact(fact) -> None:
    number = measure(fact)
    assert fact.holds(number), f"{fact.quantity}: {number:.4g}, published {fact.interval} ({fact.source})"


def spared_pairs() -> list[tuple[str, str]]:
    """Handles and drugs that they have nothing to do with."""
    pairs: list[tuple[str, str]] = []
    for handle in read_handles():
        others: tuple[str, ...] = ()
        if handle.family_id in IMMUNE:
            others = ("sorafenib", "lenvatinib", "cabozantinib", "bevacizumab")
        if handle.family_id in TUMOUR_CELL:
            others = ("pembrolizumab", "atezolizumab", "bevacizumab")
        pairs += [(handle.handle, drug) for drug in others]
    return [
        *pairs,
        ("ferroptosis", "lenvatinib"),
        ("hyper_treg", "atezolizumab"),
        ("hyper_growth", "sorafenib"),
    ]


@pytest.mark.parametrize(("handle", "drug"), spared_pairs())
def test_a_handle_leaves_other_drugs_within_a_twentieth_of_their_effect(handle, drug) -> None:
    effect = abs(change_cells({}, (drug,)) - change_cells({}, ()))
    assert abs(lose_response(handle, (drug,))) < SPARED * effect


def test_pumps_take_most_from_the_drug_that_they_carry_best() -> None:
    """ABCG2 carries sorafenib; the affinities of the others are smaller (drugs.csv)."""
    lost = [lose_response("abc", (drug,)) for drug in ("sorafenib", "lenvatinib", "cabozantinib")]
    assert lost[0] > lost[1] > lost[2] > 0


REVERSED = [
    (handle.handle, drug)
    for handle in read_handles()
    if handle.handle in read_reversals()
    for drug in handle.drugs
]


@pytest.mark.parametrize(("handle", "drug"), REVERSED)
def test_the_strategy_gives_back_what_the_handle_took(handle, drug) -> None:
    """Four fifths of the lost shrinkage or more; how strongly a strategy acts is an assumption."""
    assert restore(handle, name_drugs(drug)) >= RESTORED


@pytest.mark.parametrize(
    ("level", "wanted"), [("median 7.4", 7.4), ("responses 15.3", 15.3)], ids=["median", "responses"]
)
def test_a_group_is_brought_to_the_published_level(level, wanted) -> None:
    """Months without progression or death, and per cent with response, as the facts name them."""
    group = Group(drugs=("nivolumab",))
    seen = follow_group(replace(group, pace=find_pace(level, group)))
    months, share = np.median(seen.free) / 30.44, 100 * seen.responses.mean()
    assert (months if level.startswith("median") else share) == pytest.approx(wanted, rel=0.15)


def test_a_group_without_a_level_keeps_the_growth_rates_of_the_table() -> None:
    assert find_pace("", Group(drugs=("nivolumab",))) == 1.0
