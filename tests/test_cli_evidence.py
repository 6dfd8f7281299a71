"""The command `hccresist evidence`: answers, forms, checks, exit codes."""

from __future__ import annotations

import csv
import io
import json

import pytest

from hccresist.cli import main
from hccresist.explain.evidence_tables import Findings


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    code = main(["evidence", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_an_answer_fits_80_columns_and_tells_for_against_and_sources(capsys) -> None:
    code, out, _ = run(capsys, "--drug", "Lenvima", "--gene", "EGFR")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "lenvatinib (asked: Lenvima" in out
    assert "for, " in out
    assert "39653700" in out
    assert "NCT04642547" in out
    assert "gefitinib" in out


def test_a_contested_answer_shows_both_sides(capsys) -> None:
    _, out, _ = run(capsys, "--gene", "METTL3")
    assert "contradictions" in out
    assert "HDR0035" in out
    assert "HDR0101" in out


def test_classes_stand_apart_and_are_said_not_to_be_counted(capsys) -> None:
    _, out, _ = run(capsys, "--drug", "nivolumab", "--gene", "CTNNB1")
    assert "this drug" in out
    assert "a class that covers it (not counted above)" in out


def test_json_is_query_counts_findings_and_claims(capsys) -> None:
    code, out, _ = run(capsys, "--gene", "PD-L1", "--json")
    answer = json.loads(out)
    assert code == 0
    assert list(answer) == ["query", "counts", "findings", "claims"]
    assert answer["query"]["gene"][0]["resolved"] == ["CD274"]
    assert list(Findings.columns()) == list(answer["findings"][0])[: len(Findings.columns())]
    assert answer["counts"]["findings"] == len(answer["findings"])


def test_csv_holds_the_findings(capsys) -> None:
    _, out, _ = run(capsys, "--gene", "METTL3", "--csv")
    found = list(csv.DictReader(io.StringIO(out)))
    assert {row["entity"].partition(" (")[0] for row in found} == {"METTL3"}


def test_a_known_gene_without_evidence_says_so(capsys) -> None:
    code, out, _ = run(capsys, "--gene", "ALB", "--drug", "fisogatinib")
    assert code == 0
    assert "no evidence of absence" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--drug", "sorafenip"), "Did you mean sorafenib"),
        (("--gene", "METLL3"), "Did you mean METTL3"),
        (("--level", "A"), "never given"),
        (("--drug", ""), "--drug is empty"),
        ((), "Ask for something"),
        (("--drug", "sorafenib", "--mechanisms"), "stand alone"),
        (("--drug", "sorafenib", "--json", "--csv"), "Choose --json or --csv"),
    ],
)
def test_wrong_usage_is_exit_code_2(capsys, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())


def test_the_mechanisms_are_listed(capsys) -> None:
    code, out, _ = run(capsys, "--mechanisms")
    assert code == 0
    assert "FER-SLC" in out
    listed = json.loads(run(capsys, "--mechanisms", "--json")[1])
    assert len(listed) == 83


def test_the_check_of_our_base_ends_with_0(capsys) -> None:
    code, out, _ = run(capsys, "--validate")
    assert code == 0
    assert "0 problems" in out


def test_the_check_of_a_broken_base_tells_every_problem_and_ends_with_1(capsys, tmp_path) -> None:
    columns = list(Findings.columns())
    good = {
        "record_id": "HDR0001", "family_id": "SIG", "mechanism_id": "SIG-RTK", "entity": "EGFR",
        "entity_type": "gene", "alteration": "up", "drug": "sorafenip", "effect": "resistance",
        "evidence_level": "in_vitro", "summary": "A sentence.", "pmid": "x1",
        "source_url": "https://example.org", "read_via": "publisher_or_index",
        "basis": "abstract_or_page", "identifier_seen": "true", "verified": "true",
    }  # fmt: skip
    with (tmp_path / "evidence.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows([good, {**good, "record_id": "HDR0002", "effect": "wrong"}])
    code, out, _ = run(capsys, "--validate", "--base", str(tmp_path))
    assert code == 1
    assert all(word in out for word in ("bad-value", "unknown-drug", "identifier-form"))
    listed = json.loads(run(capsys, "--validate", "--base", str(tmp_path), "--json")[1])
    assert listed["fine"] is False


def test_the_base_is_exported_whole_to_a_new_folder_only(capsys, tmp_path) -> None:
    out = tmp_path / "base"
    code, said, _ = run(capsys, "--export", str(out))
    assert code == 0
    assert "15 files" in said
    assert (out / "civic_like.json").is_file()
    assert run(capsys, "--export", str(out))[0] == 2
