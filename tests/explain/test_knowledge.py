"""Reading the base: strict on form, all problems at once, open to more rows."""

from __future__ import annotations

import dataclasses

import polars as pl
import pytest
from evidence_cases import base_of, row, rows, text_of, write_folder

from hccresist.errors import InputError
from hccresist.explain.claims import Claims
from hccresist.explain.evidence_sources import Sources
from hccresist.explain.evidence_tables import LATER_COLUMNS, Findings
from hccresist.explain.knowledge import COUNTED_PER_SOURCE, FILES, Marks, count_base, read_base
from hccresist.study.issues import IssueLog


def test_the_base_of_the_package_keeps_to_its_schemas() -> None:
    base = read_base()
    Findings.validate(base.findings)
    Marks.validate(base.marks)
    Claims.validate(base.claims)
    Sources.validate(base.sources)
    for name, schema in FILES.items():
        if name != "evidence.csv":
            table = {"taxonomy.csv": "mechanisms"}.get(name, name.removesuffix(".csv"))
            schema.validate(getattr(base, table))


def test_the_base_of_the_package_holds_at_least_what_it_started_from() -> None:
    # README of the evidence: 309 findings, 216 of them verified, one retracted on purpose.
    counts = count_base(read_base())
    assert counts["findings"] >= 309
    assert counts["verified"] >= 216
    assert counts["retracted"] >= 1
    assert counts["mechanisms"] == 83


def test_the_base_is_frozen_and_read_once() -> None:
    assert read_base() is read_base()
    with pytest.raises(dataclasses.FrozenInstanceError):
        read_base().findings = pl.DataFrame()  # type: ignore[misc]


def test_a_table_without_the_columns_of_curation_is_read_and_they_are_unknown(tmp_path) -> None:
    columns = [name for name in Findings.columns() if name not in LATER_COLUMNS]
    (tmp_path / "evidence.csv").write_bytes(text_of(rows({}, {}), columns))
    base = read_base(tmp_path)
    assert base.findings.height == 2
    assert base.findings["curated_by"].is_null().all()


def test_every_problem_of_a_file_is_told_at_once(tmp_path) -> None:
    found = rows(
        {"effect": "resistence"},
        {"year": "MMXX"},
        {"verified": "yes"},
        {"summary": ""},
        {"checked_on": "1.3.2026"},
        {"record_id": "HDR0001"},
    )
    with pytest.raises(InputError) as error:
        read_base(write_folder(tmp_path, [*found, row(record_id="HDR0001")]))
    issues = error.value.issues
    assert [issue.column for issue in issues] == [
        "effect", "year", "verified", "summary", "checked_on", "record_id",
    ]  # fmt: skip
    assert issues[0].hint == "Did you mean 'resistance'?"
    assert [issue.line for issue in issues[:5]] == [2, 3, 4, 5, 6]
    assert {issue.file for issue in issues} == {"evidence.csv"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: text.replace(b"effect,", b"", 1), "missing-column"),
        (lambda text: text.replace(b"effect,", b"effct,", 1), "unknown-column"),
        (lambda text: text + b"HDR0009,SIG\n", "ragged-row"),
        (lambda text: text + b'HDR0009,"SIG\n', "unbalanced-quote"),
        (lambda text: text.replace(b"sentence", b"\xff"), "encoding"),
        (lambda text: text.replace(b",note", b",effect", 1), "duplicate-column"),
    ],
)
def test_a_file_out_of_form_is_refused(tmp_path, change, code) -> None:
    (tmp_path / "evidence.csv").write_bytes(change(text_of(rows({}))))
    with pytest.raises(InputError) as error:
        read_base(tmp_path)
    assert code in {issue.code for issue in error.value.issues}


def test_a_folder_without_findings_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"evidence\.csv"):
        read_base(tmp_path)


def test_with_a_log_rows_with_a_problem_are_left_out_and_told(tmp_path) -> None:
    log = IssueLog()
    base = read_base(write_folder(tmp_path, rows({}, {"effect": "none"})), log=log)
    assert base.findings["record_id"].to_list() == ["HDR0001"]
    assert [issue.code for issue in log] == ["bad-value"]


def test_lines_are_those_of_the_file_also_behind_a_broken_line(tmp_path) -> None:
    found = rows({"summary": "Two\nlines."}, {"effect": "none"})
    with pytest.raises(InputError) as error:
        read_base(write_folder(tmp_path, found))
    assert error.value.issues[0].line == 4


def test_sources_without_identifier_are_told_apart_by_their_address() -> None:
    page = {"pmid": "", "identifier_seen": "false", "verified": "false"}
    found = rows(
        {**page, "source_url": "https://example.org/a"},
        {**page, "source_url": "http://example.org/a/#top"},
        {**page, "source_url": "https://example.org/b"},
    )
    assert base_of(found).sources["source_id"].to_list() == ["example.org/a", "example.org/b"]


def test_at_most_two_verified_findings_of_a_source_and_mechanism_count_towards_the_size() -> None:
    # Issue 4: "at most two per source and mechanism count towards that".
    same = [{"pmid": "5", "entity": name} for name in ("EGFR", "MET", "AXL", "KIT")]
    counts = count_base(base_of(rows(*same, {"pmid": "5", "mechanism_id": "SIG-MAPK"}, {})))
    assert COUNTED_PER_SOURCE == 2
    assert (counts["verified"], counts["verified_counted"]) == (6, 4)


def test_who_checked_must_be_somebody_else_to_count_as_checked() -> None:
    found = rows(
        {"curated_by": "a", "checked_by": "b"}, {"curated_by": "a", "checked_by": "a"}, {"curated_by": "a"}
    )
    assert count_base(base_of(found))["checked"] == 1
