"""Checks of the base: nothing is wrong in ours, and every kind of problem is found."""

from __future__ import annotations

import datetime as dt

import pytest
from evidence_cases import base_of, row, rows, text_of, write_folder

from hccresist.explain.knowledge import read_base
from hccresist.explain.validate import check_folder, validate_base
from hccresist.study.issues import Severity

TODAY = dt.date(2026, 11, 21)
CHECKED = {
    "curated_by": "a",
    "checked_by": "b",
    "checked_on": "2026-11-20",
    "retraction_checked_on": "2026-11-20",
}


def test_the_base_of_the_package_has_no_error() -> None:
    errors = [issue.sentence() for issue in validate_base(read_base()) if issue.severity is Severity.ERROR]
    assert errors == []


def test_a_clean_row_has_no_problem_at_all() -> None:
    assert validate_base(base_of([row(**CHECKED)]), today=TODAY) == []


@pytest.mark.parametrize(
    ("changes", "code", "severity"),
    [
        ({"pmid": "PMID100"}, "identifier-form", "error"),
        ({"pmcid": "1234567"}, "identifier-form", "error"),
        ({"doi": "https://doi.org/10.1000/x"}, "identifier-form", "error"),
        ({"source_url": "example"}, "identifier-form", "error"),
        ({"record_id": "R1"}, "record-id", "error"),
        ({"pmid": ""}, "identifier-not-seen", "error"),
        ({"basis": "title_only"}, "verified-basis", "error"),
        ({"identifier_seen": "false", "pmid": ""}, "verified-basis", "error"),
        ({"publication_status": "retracted"}, "verified-retracted", "error"),
        ({"publication_status": "expression_of_concern"}, "verified-retracted", "error"),
        ({"year": "1079"}, "year-range", "error"),
        ({"year": "2027"}, "year-range", "error"),
        ({"mechanism_id": "SIG-RTX"}, "family-mechanism", "error"),
        ({"family_id": "MET"}, "family-mechanism", "error"),
        ({"drug": "sorafenip"}, "unknown-drug", "error"),
        ({"drug": "sorafenib + sorafenip"}, "unknown-drug", "error"),
        ({"entity": "PD-1"}, "retired-gene", "error"),
        ({"entity": "CTGF"}, "retired-gene", "error"),
        ({"entity": "EGFRX9"}, "unknown-gene", "warning"),
        ({"entity": "CDK4; CDK6X9"}, "unknown-gene", "warning"),
        ({"prognosis_direction": "better"}, "prognosis-direction", "error"),
        ({"alteration": "somehow other"}, "unread-alteration", "warning"),
        ({"checked_by": "a"}, "self-checked", "error"),
        ({"checked_by": "", "checked_on": ""}, "unchecked", "warning"),
        ({"checked_on": ""}, "check-without-day", "warning"),
        ({"checked_on": "2026-11-22"}, "future-day", "error"),
        ({"retraction_checked_on": ""}, "retraction-unchecked", "warning"),
    ],
)
def test_a_problem_is_found(changes: dict[str, str], code: str, severity: str) -> None:
    issues = validate_base(base_of([row(**{**CHECKED, **changes})]), today=TODAY)
    assert (code, severity) in {(issue.code, issue.severity.value) for issue in issues}


@pytest.mark.parametrize(
    ("one", "two", "code"),
    [
        ({}, {"pmid": "1"}, "duplicate-finding"),
        ({"doi": "10.1000/x"}, {"doi": "10.1000/x"}, "source-mix"),
        ({"pmid": "5", "year": "2019"}, {"pmid": "5"}, "year-differs"),
        ({"pmid": "5", "publication_status": "retracted"}, {"pmid": "5"}, "retraction-differs"),
    ],
)
def test_rows_that_do_not_fit_each_other_are_found(one: dict, two: dict, code: str) -> None:
    issues = validate_base(base_of(rows({**CHECKED, **one}, {**CHECKED, **two})), today=TODAY)
    assert code in {issue.code for issue in issues}


def test_more_than_two_verified_findings_of_a_source_and_mechanism_are_told() -> None:
    found = rows(*({**CHECKED, "pmid": "5", "entity": name} for name in ("EGFR", "MET", "AXL")))
    issues = validate_base(base_of(found), today=TODAY)
    assert [issue.code for issue in issues] == ["crowded-source"]


def test_a_folder_tells_problems_of_form_and_of_sense_together(tmp_path) -> None:
    write_folder(tmp_path, rows({"effect": "resistence"}, {"drug": "sorafenip"}))
    codes = [issue.code for issue in check_folder(tmp_path)]
    assert "bad-value" in codes
    assert "unknown-drug" in codes


def test_other_files_of_a_folder_are_checked_too(tmp_path) -> None:
    write_folder(tmp_path, rows(CHECKED))
    head = "strategy_id,strategy,drugs,mechanism_id,rationale,highest_stage,trial_id,outcome_class,result,"
    line = "S01,x,sorafenip,SIG-RTX,x,phase 3,,x,x,none seen,https://example.org,true\n"
    (tmp_path / "strategies.csv").write_text(f"{head}source_id,source_url,verified\n{line}", encoding="utf-8")
    (tmp_path / "synonyms.csv").write_text(
        "kind,name,synonym,relation,source,note\n"
        "gene,EGFR,HER,same,ours,\ngene,ERBB2,her,same,ours,\nfamily,XYZ,x,same,ours,\n",
        encoding="utf-8",
    )
    found = {(issue.file, issue.code) for issue in check_folder(tmp_path)}
    assert found >= {
        ("strategies.csv", "unknown-drug"),
        ("strategies.csv", "family-mechanism"),
        ("strategies.csv", "verified-basis"),
        ("synonyms.csv", "ambiguous-name"),
        ("synonyms.csv", "synonym-target"),
    }


def test_a_drug_name_with_two_meanings_and_a_class_that_is_not_there_are_told(tmp_path) -> None:
    write_folder(tmp_path, rows(CHECKED))
    head = "drug,drug_type,drug_class,main_targets,hcc_role,chembl_id,id_note,synonyms,same_as,member_of\n"
    body = "sorafenib,x,x,,,,,N1,,\nlenvatinib,x,x,,,,,n-1,,no such class\n"
    (tmp_path / "drugs.csv").write_text(head + body, encoding="utf-8")
    found = {(issue.file, issue.code) for issue in check_folder(tmp_path)}
    assert {("drugs.csv", "ambiguous-name"), ("drugs.csv", "synonym-target")} <= found


def test_problems_carry_file_line_and_what_to_do(tmp_path) -> None:
    (tmp_path / "evidence.csv").write_bytes(text_of(rows({}, {"drug": "sorafenip"})))
    issue = next(issue for issue in check_folder(tmp_path) if issue.code == "unknown-drug")
    assert (issue.file, issue.line, issue.found) == ("evidence.csv", 3, "sorafenip")
    assert issue.hint == "Did you mean 'sorafenib'?"
