"""The tables of the model, and text against tables."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

import hccresist
from hccresist.overcome.model.parameters import (
    Exposure,
    find_problems,
    read_handles,
    read_model,
    read_parameters,
    read_regulators,
)
from hccresist.overcome.model.text import read_module

DATA = Path(hccresist.__file__).parent / "data" / "evidence"
FAMILIES = {"TME", "IMM", "HYP", "MET", "GEN", "SIG", "FER", "AUT", "APO", "ERS", "ABC", "CSC"}
"""Families for which issue 5 asks for a handle; ncRNA moves named handles."""


def column(table: str, name: str) -> set[str]:
    """Values of one column of a table of the evidence base."""
    with (DATA / table).open(encoding="utf-8", newline="") as lines:
        return {row[name] for row in csv.DictReader(lines)}


def test_text_and_tables_fit() -> None:
    assert list(find_problems(read_model())) == []


def test_an_unused_parameter_is_found() -> None:
    model = read_model()
    extra = replace(model.parameters[0], name="nothing")
    assert list(find_problems(replace(model, parameters=(*model.parameters, extra)))) == [
        "parameters.csv: nothing is not used"
    ]


def test_an_undefined_symbol_is_found() -> None:
    model = read_model()
    kept = tuple(p for p in model.parameters if p.name != "tolerant_cost")
    assert "lesion.ant: tolerant_cost is not defined" in list(find_problems(replace(model, parameters=kept)))


def test_a_parameter_of_lesions_cannot_be_used_by_the_patient() -> None:
    model = read_model()
    moved = tuple(replace(p, scope="lesion") if p.name == "nlr_unit" else p for p in model.parameters)
    assert list(find_problems(replace(model, parameters=moved))) == ["patient.ant: nlr_unit is not defined"]


def test_rows_that_are_not_whole_are_found() -> None:
    model = read_model()
    first, *rest = model.parameters
    bad = replace(first, unit="", distribution="lognormal", spread=None)
    found = list(find_problems(replace(model, parameters=(bad, *rest))))
    assert found == [
        "parameters.csv: one_cell lacks unit, meaning or source",
        "parameters.csv: one_cell is lognormal without a spread",
    ]


def test_a_function_that_is_not_there_and_a_name_given_twice_are_found() -> None:
    model = read_model()
    text = model.patient.text.replace("liver^2 + death_floor", "tanh(liver) + death_floor")
    again = Exposure("liver", "slow", "again", "1")
    wrong = replace(model, patient=read_module(text), exposures=(*model.exposures, again))
    found = list(find_problems(wrong))
    assert "patient.ant, death_hazard: no function tanh" in found
    assert "liver is defined twice" in found


def test_what_changes_within_a_day_follows_from_the_drug_effects() -> None:
    """By hand from the text: kinase inhibitors reach the vessels by VEGF; PD-1 does not move within a day."""
    model = read_model()
    daily = model.daily(model.lesion)
    assert {"inside", "drug", "apoptosis", "vegf_signal", "capacity_net", "birth", "debris_net"} <= daily
    assert daily.isdisjoint({"tumour", "hypoxia", "brake", "whole_volume", "nk_kill"})
    assert "hypoxia" in model.daily(model.lesion, beside=("capacity",))


def test_every_family_of_the_issue_has_a_handle_and_no_two_share_a_parameter() -> None:
    handles = read_handles()
    assert {handle.family_id for handle in handles} >= FAMILIES
    used = [name for handle in handles for name in handle.parameters]
    assert len(used) == len(set(used))


def test_handles_name_mechanisms_strategies_and_records_that_exist() -> None:
    mechanisms, families = column("taxonomy.csv", "mechanism_id"), column("taxonomy.csv", "family_id")
    strategies, records = column("strategies.csv", "strategy_id"), column("evidence.csv", "record_id")
    for handle in read_handles():
        assert handle.mechanism_id in mechanisms
        assert handle.family_id in families
        assert handle.reversed_by in strategies | {""}
        assert not handle.source.startswith("HDR") or handle.source in records
    known = {handle.handle for handle in read_handles()}
    for regulator in read_regulators():
        assert regulator.record_id in records
        assert regulator.handle in known


def test_handles_are_absent_by_default_and_theirs_are_all_parameters_named_so() -> None:
    parameters = {p.name: p for p in read_parameters()}
    used = {name for handle in read_handles() for name in handle.parameters}
    assert used == {name for name in parameters if name.startswith("h_")}
    for handle in read_handles():
        for name in handle.parameters:
            assert parameters[name].value == 0
            assert parameters[name].mechanism_id == handle.mechanism_id
            assert 0 < handle.typical <= (parameters[name].high or 0)


@pytest.mark.parametrize("parameter", read_parameters(), ids=lambda p: p.name)
def test_a_sourced_parameter_names_its_source(parameter) -> None:
    assert parameter.status in {"sourced", "derived", "assumption", "handle"}
    if parameter.status == "sourced":
        assert any(word in parameter.source for word in ("PMID", "SPQSP", "doi", "J Surg Oncol"))
