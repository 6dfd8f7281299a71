"""`hccresist evidence --text` and `--tag`."""

from __future__ import annotations

import json

import pytest

from hccresist.cli import main

SENTENCE = "METTL3 loss makes HCC cells resistant to Nexavar through autophagy"


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    code = main(["evidence", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_sentence_is_asked_for_and_what_was_read_is_told(capsys) -> None:
    code, out, _ = run(capsys, "--text", SENTENCE)
    assert code == 0
    told = " ".join(out.split())
    assert "text: read" in told
    assert "METTL3" in told
    assert "sorafenib" in told


def test_the_json_keeps_its_shape(capsys) -> None:
    code, out, _ = run(capsys, "--text", SENTENCE, "--json")
    answer = json.loads(out)
    assert code == 0
    assert list(answer) == ["query", "counts", "findings", "claims"]
    assert answer["query"]["text"]["genes"] == ["METTL3"]
    assert answer["query"]["text"]["drugs"] == ["sorafenib"]
    assert answer["query"]["text"]["effect"] == "resistance"


def test_a_text_from_a_file_is_read_alike(capsys, tmp_path) -> None:
    (tmp_path / "abstract.txt").write_text(SENTENCE, encoding="utf-8")
    typed = json.loads(run(capsys, "--text", SENTENCE, "--json")[1])
    filed = json.loads(run(capsys, "--text", f"@{tmp_path / 'abstract.txt'}", "--json")[1])
    assert filed == typed


def test_a_filter_narrows_what_a_text_asks_for(capsys) -> None:
    whole = json.loads(run(capsys, "--text", SENTENCE, "--json")[1])
    narrow = json.loads(run(capsys, "--text", SENTENCE, "--level", "in_vivo", "--json")[1])
    assert 0 < narrow["counts"]["findings"] < whole["counts"]["findings"]
    assert {finding["evidence_level"] for finding in narrow["findings"]} == {"in_vivo"}


def test_tags_are_printed_with_the_words_that_decided(capsys) -> None:
    code, out, _ = run(capsys, "--tag", SENTENCE)
    told = " ".join(out.split())
    assert code == 0
    assert "sorafenib: Nexavar" in told
    assert "effect resistance" in told
    assert "AUT-PRO" in told


def test_tags_as_json_lie_in_the_text(capsys) -> None:
    tags = json.loads(run(capsys, "--tag", SENTENCE, "--json")[1])
    assert list(tags) == ["mechanisms", "families", "genes", "drugs", "effect", "matches"]
    assert all(SENTENCE[match["start"] : match["end"]] == match["term"] for match in tags["matches"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--text", "The weather was fine."), "no mechanism, gene or drug was read"),
        (("--text", " "), "--text is empty"),
        (("--text", "@/nowhere/abstract.txt"), "cannot be read"),
        (("--tag", ""), "--tag is empty"),
        (("--tag", "x", "--drug", "sorafenib"), "stand alone"),
    ],
)
def test_wrong_usage_is_exit_code_2(capsys, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
