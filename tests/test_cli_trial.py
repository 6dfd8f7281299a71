"""The command `hccresist trial`: a file or a name, what is written, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from hccresist.cli import main

SPEC = """\
name = "tiny"
replicates = 2
[follow_up]
days = 200
[[arms]]
name = "placebo"
n = 4
control = true
[[arms]]
name = "sorafenib"
n = 4
[[arms.drugs]]
regimen = "sorafenib"
"""


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    code = main(["trial", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def test_a_trial_is_run_and_says_what_it_is_not(capsys, spec: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, said, _ = run(capsys, spec, "--out", out, "--n", 6, "--seed", 3, "--keep", 2)
    assert code == 0
    words = " ".join(said.split())
    assert "Research only" in words
    assert "not calibrated" in words
    assert "2 replicates, 12 virtual patients" in words
    assert "fewer than 19 replicates" in words
    assert {path.name for path in out.iterdir()} == {
        "trial_endpoints.csv",
        "replicates.csv",
        "trial.json",
        "study",
        "study_2",
    }
    table = pl.read_csv(out / "trial_endpoints.csv")
    assert set(table["arm_id"]) == {"tiny_placebo", "tiny_sorafenib"}
    assert set(table["n"]) <= {0, 1, 2, 3, 6}
    content = json.loads((out / "trial.json").read_text())
    assert content["calibrated"] is False
    assert "Research only" in content["statement"]
    assert content["trial"]["seed"] == 3
    for study in ("study", "study_2"):
        assert "Research only" in (out / study / "study.toml").read_text()
    code, _, err = run(capsys, spec, "--out", out)
    assert code == 1
    assert "not empty" in err


def test_a_written_study_goes_through_run(capsys, spec: Path, tmp_path: Path) -> None:
    assert run(capsys, spec, "--out", tmp_path / "out", "--replicates", 1, "--quiet")[0] == 0
    assert main(["assess", str(tmp_path / "out" / "study"), "--out", str(tmp_path / "r"), "--quiet"]) == 0
    assert (tmp_path / "r" / "best_response.csv").exists()


def test_problems_of_the_options_are_told_at_once(capsys) -> None:
    code, _, err = run(capsys, "--n", 1, "--replicates", 0, "--power", 2)
    assert code == 2
    for words in ("Give a TOML file", "--n is 1", "--replicates is 0", "--power is 2"):
        assert words in err


def test_a_wrong_file_is_told_with_its_lines(capsys, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(SPEC.replace("days = 200", "days = true") + "dose = 3\n", encoding="utf-8")
    code, _, err = run(capsys, path, "--out", tmp_path / "x")
    assert code == 1
    assert "line 4" in err
    assert "follow_up.days" in err
    assert "dose" in err
    assert not (tmp_path / "x").exists()


def test_an_unknown_trial_is_answered_with_the_nearest(capsys, tmp_path: Path) -> None:
    code, _, err = run(capsys, "celestal", "--out", tmp_path / "x")
    assert code == 2
    assert "CELESTIAL" in err


def test_shipped_trials_are_listed(capsys) -> None:
    code, said, _ = run(capsys, "--list")
    assert code == 0
    assert "REFLECT" in said
    assert "Research only" in " ".join(said.split())
    assert max(map(len, said.splitlines())) <= 80
    rows = json.loads(run(capsys, "--list", "--json")[1])
    assert {"SHARP", "CheckMate 9DW"} <= {row["name"] for row in rows}


def test_power_is_printed_with_its_limits(capsys, spec: Path) -> None:
    code, said, _ = run(capsys, spec, "--power", 0.05)
    assert code == 0
    assert "95 % limits" in " ".join(said.split())
    found = json.loads(run(capsys, spec, "--power", 0.05, "--json")[1])
    assert found["n"] == 8
    assert 0 <= found["low"] <= found["share"] <= found["high"] <= 1
    assert "Research only" in found["statement"]
