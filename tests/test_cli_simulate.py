"""The command `hccresist simulate`: a study folder, errors in words, exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hccresist.cli import main
from hccresist.cli_simulate import read_drug, read_procedure
from hccresist.overcome import ensemble_file
from hccresist.overcome.ensemble_file import Ensemble, digest_model, find_centre
from hccresist.overcome.simulate import Cohort


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command."""
    code = main(["simulate", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_cohort_is_written_and_can_be_checked(capsys, tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    options = ["--n", "8", "--days", "112", "--trajectories", "2", "--seed", "3", "--out", str(out)]
    options += ["--parameters", "table"]
    code, said, told = run(capsys, "--drug", "nivolumab", "sorafenib@28", "--handle", "abc=1", *options)
    assert code == 0, told
    assert "8 virtual patients on nivolumab+sorafenib" in said
    assert "not calibrated" in said
    assert (out / "simulation" / "simulated-sizes.svg").exists()
    assert "sorafenib,28.0" in (out / "treatments.csv").read_text()
    assert main(["check", str(out)]) == 0


def test_the_middle_of_the_ensemble_is_simulated_where_it_is_shipped(capsys, tmp_path, monkeypatch) -> None:
    sets = ({"growth_rate": 0.01}, {"growth_rate": 0.04})
    ensemble = Ensemble(sets, find_centre(sets), {"at_prior": [], "model": digest_model()})
    monkeypatch.setattr(ensemble_file, "find_ensemble", lambda: ensemble)
    seen: list[Cohort] = []
    monkeypatch.setattr("hccresist.overcome.simulate.simulate", lambda cohort, *_, **__: seen.append(cohort))
    monkeypatch.setattr("hccresist.cli_simulate._draw", lambda _: None)
    assert run(capsys, "--n", "2", "--quiet", "--out", str(tmp_path / "c"))[0] == 0
    assert dict(seen[0].job.values) == pytest.approx({"growth_rate": 0.02})  # geometric middle of two
    assert run(capsys, "--n", "2", "--quiet", "--parameters", "table", "--out", str(tmp_path / "c"))[0] == 0
    assert not seen[1].job.values


def test_quiet_says_nothing(capsys, tmp_path: Path) -> None:
    out = str(tmp_path / "c")
    code, said, told = run(capsys, "--n", "2", "--days", "56", "--trajectories", "0", "--quiet", "--out", out)
    assert (code, said, told) == (0, "", "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--drug", "sorafinib"], ["sorafinib", "sorafenib"]),
        (["--drug", "sorafenib@x"], ["sorafenib@28"]),
        (["--drug", "sorafenib@50-20"], ["after"]),
        (["--handle", "efflux=1"], ["efflux", "abc"]),
        (["--handle", "abc=much"], ["abc=1"]),
        (["--procedure", "tace"], ["tace@7"]),
        (["--n", "0", "--days", "0", "--missed", "2"], ["--n", "--days", "--missed"]),
        (["--engine", "tpu"], ["cpu, cuda or dask"]),
    ],
)
def test_wrong_options_are_told_in_words(capsys, tmp_path: Path, options, words) -> None:
    code, _, told = run(capsys, *options, "--out", str(tmp_path / "c"))
    assert code == 2
    for word in words:
        assert word in told
    assert "Traceback" not in told
    assert not (tmp_path / "c").exists()


def test_what_is_typed_is_what_is_given() -> None:
    assert read_drug("lenvatinib").regimen == "lenvatinib_12"
    assert read_drug("nivolumab_q4w@14-100").until == 100
    assert read_procedure("ablation@3.5:largest").day == 3.5
