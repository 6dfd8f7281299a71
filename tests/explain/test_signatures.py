"""The registry of gene sets, and own sets from GMT files."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path

import pytest

from hccresist.explain.genes import read_genes
from hccresist.explain.signatures import (
    KINDS,
    OWN_MECHANISM,
    STATUSES,
    Signature,
    gather_signatures,
    read_gmt,
    read_missing,
    read_not_measurable,
    read_signatures,
    select_signatures,
)
from hccresist.study.issues import IssueLog

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def taxonomy() -> set[str]:
    text = (files("hccresist") / "data" / "evidence" / "taxonomy.csv").read_text(encoding="utf-8")
    return {row["mechanism_id"] for row in csv.DictReader(text.splitlines())}


def by_name() -> dict[str, Signature]:
    return {signature.name: signature for signature in read_signatures()}


def test_names_are_unique_and_sorted_and_words_are_of_their_lists() -> None:
    names = [signature.name for signature in read_signatures()]
    assert names == sorted(set(names))
    assert {signature.status for signature in read_signatures()} <= set(STATUSES)
    assert {signature.kind for signature in read_signatures()} <= set(KINDS)


def test_every_symbol_is_approved_today() -> None:
    genes = [gene for signature in read_signatures() for gene in signature.genes]
    assert set(genes) <= read_genes().symbols()


def test_no_gene_is_there_twice_and_no_set_is_too_small_to_score() -> None:
    for signature in read_signatures():
        assert len(set(signature.genes)) == len(signature.genes), signature.name
        if signature.kind != "cells":
            assert len(signature.genes) >= 5, signature.name


def test_every_set_says_where_it_is_from() -> None:
    for signature in read_signatures():
        assert signature.source, signature.name
        assert signature.licence, signature.name


def test_every_mechanism_has_a_set_or_says_why_not() -> None:
    scored = {signature.mechanism_id for signature in read_signatures()}
    not_scored = set(read_not_measurable()["mechanism_id"])
    assert not scored & not_scored
    assert scored | not_scored == taxonomy()
    assert (read_not_measurable()["reason"].str.len_chars() > 20).all()


def test_missing_lists_name_a_mechanism_and_a_command() -> None:
    missing = read_missing()
    assert set(missing["mechanism_id"]) <= taxonomy()
    assert {"FerrDb V2 drivers", "Sia immune class", "Haber 2023 IFNAP"} <= set(missing["list"])
    assert missing["command"].str.contains("--gmt FILE").all()


def test_lists_that_a_gpl_package_derived_are_not_shipped() -> None:
    folder = files("hccresist") / "data" / "signatures"
    text = "\n".join(path.read_text() for path in folder.iterdir() if path.name.endswith(".gmt"))
    for name in ("CHIANG_CTNNB1", "CHIANG_PROLIF\t", "CHIANG_INFLAM", "BOYAULT_UP_IN", "LEE_UP_IN"):
        assert name not in text


def test_known_lists() -> None:
    # Ayers 2017: the T-cell-inflamed profile has 18 genes, CD3D is not one of them (it is in the
    # expanded immune list that one package gives under this name).
    gep = by_name()["T_INFLAMED_GEP18"].up
    assert len(gep) == 18
    assert "CD3D" not in gep
    assert {"CCL5", "CXCL9", "PSMB10", "TIGIT"} <= set(gep)
    # Retired symbols were brought up to date.
    assert {"CCN1", "CCN2"} <= set(by_name()["YAP_TAZ_TARGETS_22"].up)
    balance = by_name()["BCL2_FAMILY_BALANCE"]
    assert "MCL1" in balance.up
    assert "BAX" in balance.down


def test_shipped_sets_are_those_of_the_source_but_for_symbols() -> None:
    source = SHARED / "signatures" / "hallmark_v7.0.gmt"
    if not source.exists():
        pytest.skip("shared signatures are not at hand")
    rows = [line.split("\t") for line in source.read_text().splitlines()]
    theirs = {row[0]: row[2:] for row in rows}
    ours = [s for s in read_signatures() if s.name.startswith("HALLMARK_")]
    assert len(ours) > 20
    for signature in ours:
        given = theirs[signature.name]
        approved = set(read_genes().resolve(given)["symbol"].drop_nulls())
        assert set(signature.up) == approved
        assert len(approved) >= 0.97 * len(given)


def test_selection_by_kind() -> None:
    kinds = {signature.kind for signature in select_signatures(read_signatures(), kinds=["cells"])}
    assert kinds == {"cells"}


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.gmt"
    path.write_text(text, encoding="utf-8")
    return path


def test_own_sets_with_halves_and_a_mechanism(tmp_path: Path) -> None:
    text = "A_UP\tFER-SLC|mine\tGPX4\tCTGF\tSLC7A11\nA_DN\tFER-SLC\tACSL4\nB\thttp://somewhere\tTP53\tTP53\n"
    log = IssueLog()
    a, b = read_gmt(write(tmp_path, text), log=log)
    assert (a.name, a.mechanism_id, a.up, a.down) == ("A", "FER-SLC", ("CCN2", "GPX4", "SLC7A11"), ("ACSL4",))
    assert (b.name, b.mechanism_id, b.up, b.kind) == ("B", OWN_MECHANISM, ("TP53",), "own")
    assert not log.errors


def test_a_single_half_keeps_its_name(tmp_path: Path) -> None:
    (only,) = read_gmt(write(tmp_path, "X_DN\t\tTP53\tMYC\n"), log=IssueLog())
    assert (only.name, only.up, only.down) == ("X_DN", (), ("MYC", "TP53"))


def test_all_problems_are_told_with_their_lines(tmp_path: Path) -> None:
    text = "\n".join(
        [
            "ok\t\tTP53\tMLL2\tnonsense",
            "\t\tTP53",
            "empty\tabout",
            "ok\t\tMYC",
            "lost\t\tnonsense\tMLL2",
            "wrong\tFER-SLX\tTP53",
            "C_UP\t\tTP53\tMYC",
            "C_DOWN\t\tMYC\tKRAS",
        ]
    )
    log = IssueLog()
    found = read_gmt(write(tmp_path, text), log=log)
    told = {(issue.code, issue.line) for issue in log}
    assert told == {
        ("unknown-gene", 1),
        ("no-name", 2),
        ("no-genes", 3),
        ("repeated-set", 4),
        ("unknown-gene", 5),
        ("no-genes", 5),
        ("unknown-mechanism", 6),
        ("gene-in-both", 8),
    }
    c = next(signature for signature in found if signature.name == "C")
    assert (c.up, c.down) == (("TP53",), ("KRAS",))


@pytest.mark.parametrize("content", [b"", b"# only a remark\n", b"\xff\xfe\x00bad"])
def test_a_file_without_sets_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.gmt"
    path.write_bytes(content)
    log = IssueLog()
    assert read_gmt(path, log=log) == ()
    assert len(log.errors) == 1


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    log = IssueLog()
    assert read_gmt(tmp_path / "none.gmt", log=log) == ()
    assert log.errors[0].code == "missing-file"


def test_a_name_is_there_once_over_all_files(tmp_path: Path) -> None:
    one, two = tmp_path / "one.gmt", tmp_path / "two.gmt"
    one.write_text("mine\t\tTP53\nHALLMARK_HYPOXIA\t\tVEGFA\n", encoding="utf-8")
    two.write_text("other\t\tMYC\nmine_UP\t\tMYC\nmine_DN\t\tAFP\n", encoding="utf-8")
    log = IssueLog()
    found = gather_signatures([one, two], log=log)
    assert [(issue.file, issue.line, issue.found) for issue in log.errors] == [
        ("one.gmt", 2, "HALLMARK_HYPOXIA"),
        ("two.gmt", 3, "mine"),
    ]
    assert [signature.name for signature in found if signature.kind == "own"] == ["mine", "other"]
    assert len(found) == len(read_signatures()) + 2
