"""Patients: what the page draws is what the tables hold, and a limit is said."""

from __future__ import annotations

import json
import math

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from hccresist.report import words
from hccresist.report.facts import Facts
from hccresist.report.patient import choose_patients, make_payload
from hccresist.report.sections.patients import escape_json


def near(shown: float | None, value: float | None) -> bool:
    if shown is None or value is None:
        return shown is value
    return math.isclose(shown, value, abs_tol=5.1e-5)


def test_every_visit_stands_in_the_page_with_its_numbers_and_reason(case, page) -> None:
    data = page.payload()
    expected = case.tables["timepoints"]
    shown = {}
    for patient in data["patients"]:
        for visit in patient["visits"]:
            criterion, reader, *_ = data["views"][visit[0]]
            shown[(patient["id"], reader, criterion, float(visit[1]))] = visit
    assert len(shown) == expected.height
    for row in expected.iter_rows(named=True):
        visit = shown[(row["patient_id"], row["reader"], row["criterion"], row["day"])]
        for place, name in ((2, "overall"), (3, "target"), (4, "nontarget"), (10, "rule")):
            assert (None if visit[place] is None else data["words"][visit[place]]) == row[name]
        assert visit[5] == int(row["new_lesion"])
        assert visit[11] == row["reason"]
        for place, name in (
            (6, "sum_mm"),
            (7, "new_target_sum_mm"),
            (8, "change_from_baseline_percent"),
            (9, "change_from_nadir_percent"),
        ):
            assert near(visit[place], row[name]), (row["patient_id"], name)


def test_best_responses_baselines_drugs_and_ends_are_those_of_the_tables(case, page) -> None:
    data = page.payload()
    best = {
        (r["patient_id"], r["reader"], r["criterion"]): r for r in case.tables["best_response"].to_dicts()
    }
    base = {(r["patient_id"], r["reader"], r["criterion"]): r for r in case.tables["baselines"].to_dicts()}
    ends = {r["patient_id"]: r for r in case.study.tables["survival"].to_dicts()}
    drugs = case.study.tables["treatments"]
    for patient in data["patients"]:
        assert len(patient["best"]) == len(patient["base"]) == len(data["views"])
        for view, word, confirmed, day, response, progression in patient["best"]:
            criterion, reader, *_ = data["views"][view]
            row = best[(patient["id"], reader, criterion)]
            assert data["words"][word] == row["best"]
            assert data["words"][confirmed] == row["best_confirmed"]
            assert (day, response, progression) == (
                row["best_day"],
                row["first_response_day"],
                row["progression_day"],
            )
        for view, day, total, reason in patient["base"]:
            criterion, reader, *_ = data["views"][view]
            row = base[(patient["id"], reader, criterion)]
            assert (day, total, reason) == (row["day"], row["baseline_mm"], row["reason"])
        assert patient["end"] == [ends[patient["id"]]["os_days"], ends[patient["id"]]["died"]]
        assert len(patient["drugs"]) == drugs.filter(pl.col("patient_id") == patient["id"]).height


def test_the_list_shows_each_patient_with_arm_and_verdicts(case, page) -> None:
    entries = page.all("details", class_="patient")
    assert [e.attributes["id"] for e in entries] == [f"patient-HCC-{i:04d}" for i in range(1, 61)]
    best = case.tables["best_response"]
    shown = {
        (v.parents[-2].parents[-1].attributes["id"], v.attributes["data-of"], v.attributes["data-reader"]): v
        for v in page.all("span")
        if "data-word" in v.attributes
    }
    assert len(shown) == best.height
    for row in best.iter_rows(named=True):
        verdict = shown[(f"patient-{row['patient_id']}", row["criterion"], row["reader"])]
        assert verdict.attributes["data-word"] == row["best"]
        assert verdict.text == words.label_criterion(row["criterion"]) + row["best"]


def test_covariates_come_along(case, page) -> None:
    first = page.payload()["patients"][0]
    row = case.study.patients.row(0, named=True)
    assert ["Age", f"{row['age_years']:.0f} years"] in first["facts"]
    assert ["Site", row["site"]] in first["facts"]


def test_patients_beyond_the_limit_are_left_out_by_a_rule_that_is_said(facts) -> None:
    everyone = choose_patients(facts)
    assert len(everyone.ids) == 60
    assert everyone.rule == ""
    few = choose_patients(facts, max_patients=10)
    assert few.ids == everyone.ids[:10]
    assert "The first 10 of 60 patients by identifier are shown" in few.rule
    visits = dict(facts.tables["timepoints"].group_by("patient_id").len().iter_rows())
    some = choose_patients(facts, max_rows=200)
    assert sum(visits.get(i, 0) for i in some.ids) <= 200
    assert sum(visits.get(i, 0) for i in everyone.ids[: len(some.ids) + 1]) > 200
    assert some.rule


def test_a_patient_without_any_row_is_still_there(tiny) -> None:
    others = pl.col("patient_id") != "HCC-0001"
    tables = {
        name: frame.filter(others) for name, frame in tiny.tables.items() if "patient_id" in frame.columns
    }
    payload = make_payload(Facts(tiny.study, tables, {}), ("HCC-0001",))
    (patient,) = payload["patients"]
    assert (patient["id"], patient["visits"], patient["best"], patient["base"]) == ("HCC-0001", [], [], [])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    )
)
def test_json_survives_inside_a_script_element(value) -> None:
    text = str(escape_json(value))
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)
