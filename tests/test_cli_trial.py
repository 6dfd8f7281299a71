"""The command `hccresist trial`: a file or a name, what is written, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from hccresist.cli import main
from hccresist.overcome import ensemble_file
from hccresist.overcome.ensemble_file import Ensemble, digest_model, find_centre
from hccresist.parameter_sets import choose_parameters

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
    options = ("--n", 6, "--seed", 3, "--keep", 2, "--parameters", "table")
    code, said, _ = run(capsys, spec, "--out", out, *options)
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
    assert content["parameters"] == "parameters of the table, not calibrated to trials"
    assert "Research only" in content["statement"]
    assert content["trial"]["seed"] == 3
    for study in ("study", "study_2"):
        assert "Research only" in (out / study / "study.toml").read_text()
    code, _, err = run(capsys, spec, "--out", out)
    assert code == 1
    assert "not empty" in err


SETS = (
    {"growth_rate": 0.004, "sorafenib.dose_kill": 1.2},
    {"growth_rate": 0.005, "sorafenib.dose_kill": 0.9},
)
FACTS = {"at_prior": ["death_rate", "x"], "model": digest_model()}


@pytest.fixture
def shipped(monkeypatch) -> None:
    """An ensemble of two sets, made up."""
    ensemble = Ensemble(SETS, find_centre(SETS), FACTS)
    monkeypatch.setattr(ensemble_file, "find_ensemble", lambda: ensemble)


def test_calibrated_sets_are_the_default_where_they_are_shipped(capsys, spec, tmp_path, shipped) -> None:
    out = tmp_path / "out"
    code, said, _ = run(capsys, spec, "--out", out)
    assert code == 0
    words = " ".join(said.split())
    assert "Parameters calibrated to published trials (2 sets); trials told little of death_rate, x" in words
    assert "not calibrated" not in words
    content = json.loads((out / "trial.json").read_text())
    assert content["calibrated"] is True
    assert content["uncertainty"] == "sampling and parameters"
    assert content["values"] == [dict(each) for each in SETS]
    assert "calibrated to published trials (2 sets)" in content["parameters"]


def test_an_ensemble_of_another_model_is_told(monkeypatch) -> None:
    ensemble = Ensemble(SETS, find_centre(SETS), {**FACTS, "model": "of another day"})
    monkeypatch.setattr(ensemble_file, "find_ensemble", lambda: ensemble)
    assert "the model has changed since" in choose_parameters().words
    assert choose_parameters("table").members == ()


def test_calibrated_sets_that_are_not_there_are_wrong_usage(capsys, spec, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(ensemble_file, "find_ensemble", lambda: None)
    code, _, err = run(capsys, spec, "--out", tmp_path / "x", "--parameters", "calibrated")
    assert code == 2
    assert "no calibrated ensemble is shipped" in err
    assert choose_parameters().twins == ({},)


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
