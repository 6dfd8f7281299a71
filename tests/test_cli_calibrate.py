"""The command `hccresist calibrate`: what it asks for, what it prints, what it refuses."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from hccresist.cli import main
from hccresist.overcome import calibrate as work
from hccresist.overcome import calibrate_report
from hccresist.overcome.calibrate import Calibration


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command."""
    code = main(["calibrate", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def make_table(coverage: tuple[bool, bool]) -> pl.DataFrame:
    """Two arms of one family, one number each; made up."""
    return pl.DataFrame(
        {
            "family": ["response", "response"],
            "drug_class": ["TKI", "placebo"],
            "arm_id": ["a", "b"],
            "inside": list(coverage),
            "width_ratio": [1.0, 1.5],
            "score": [2.0, 4.0],
            "naive_score": [3.0, 5.0],
        }
    )


@pytest.fixture
def asked(monkeypatch) -> dict[str, object]:
    """What `calibrate` was asked for; it says that nothing was left to do."""
    seen: dict[str, object] = {"finished": True, "outputs": np.zeros((8, 2)), "reported": 0}

    def calibrate(out: Path, **options: object) -> Calibration:
        seen.update(options, out=out)
        return Calibration(
            finished=bool(seen["finished"]),
            members=np.zeros((8, 3)),
            outputs=seen["outputs"],
            targets=(None, None),
            steps=4,
        )

    def finish(out: Path, done: Calibration, **options: object) -> SimpleNamespace:
        seen["reported"] = options["patients"]
        parameters = pl.DataFrame({"name": ["x", "y"], "label": ["fitted", "stays at its prior"]})
        return SimpleNamespace(
            table=make_table((True, True)), out_of_sample=make_table((True, False)), parameters=parameters
        )

    monkeypatch.setattr(work, "calibrate", calibrate)
    monkeypatch.setattr(calibrate_report, "finish", finish)
    return seen


def test_options_reach_the_calibration_and_the_fit_is_summarised(capsys, asked, tmp_path) -> None:
    options = (
        "--members",
        16,
        "--patients",
        20,
        "--design",
        30,
        "--minutes",
        50,
        "--seed",
        5,
        "--threads",
        1,
    )
    code, said, _ = run(capsys, "--out", tmp_path / "c", *options)
    assert code == 0
    wanted = {"members": 16, "patients": 20, "design": 30, "minutes": 50.0, "seed": 5, "threads": 1}
    assert {name: asked[name] for name in wanted} == wanted
    assert asked["leave_out"] is None
    assert asked["reported"] == 20
    words = " ".join(said.split())
    assert "all data are taken in after 4 rounds: 2 published numbers, 8 sets" in words
    # two arms: both inside in sample, one of them out of sample
    assert "response 2 arms 100 %, 1.25, 3.00 (4.00)" in words
    assert "response 2 arms 50 %, 1.25, 3.00 (4.00)" in words
    assert "placebo 1 arms 0 %, 1.50, 4.00 (5.00)" in words
    assert "1 of 2 parameters stay at their prior: y" in words
    assert "Research only" in words


def test_without_options_those_of_the_calibration_are_taken(capsys, asked, tmp_path) -> None:
    assert run(capsys, "--out", tmp_path / "c", "--quiet") == (0, "", "")
    sizes = {"members": work.MEMBERS, "patients": work.PATIENTS, "design": work.DESIGN}
    assert {name: asked[name] for name in sizes} == sizes
    assert asked["report"] is None


def test_an_interrupted_one_says_how_to_go_on(capsys, asked, tmp_path) -> None:
    asked |= {"finished": False, "outputs": np.zeros((0, 2))}
    code, said, _ = run(capsys, "--out", tmp_path / "c", "--minutes", 0.1)
    assert code == 0
    assert "give the same command again" in said
    assert asked["reported"] == 0


def test_a_fit_without_a_programme_ships_nothing(capsys, asked, tmp_path) -> None:
    programme = work.choose_targets()[0].programme
    code, said, _ = run(capsys, "--out", tmp_path / "c", "--leave-out", programme)
    assert code == 0
    assert asked["leave_out"] == programme
    assert asked["reported"] == 0
    assert "nothing of it is shipped" in said


def test_problems_of_the_options_are_told_at_once(capsys, asked, tmp_path) -> None:
    options = (
        "--members",
        2,
        "--patients",
        0,
        "--design",
        0,
        "--minutes",
        0,
        "--seed",
        -1,
        "--threads",
        0,
    )
    code, _, err = run(capsys, "--out", tmp_path / "c", *options)
    assert code == 2
    for words in (
        "--members is 2",
        "--patients is 0",
        "--design is 0",
        "--minutes",
        "--seed",
        "--threads",
    ):
        assert words in err
    assert "out" not in asked


def test_an_unknown_programme_is_wrong_usage(capsys, asked, tmp_path) -> None:
    code, _, err = run(capsys, "--out", tmp_path / "c", "--leave-out", "NoSuchTrial")
    assert code == 2
    assert "NoSuchTrial" in err
