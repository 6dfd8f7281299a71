"""The command line as a user meets it: exit codes, messages, streams, nothing half written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from hccresist import cli
from hccresist.cli import main
from hccresist.cli_run import ALL_STAGES, list_wanted
from hccresist.demo import copy_demo
from hccresist.errors import ComputationError
from hccresist.options import MOST_TWINS, TwinOptions
from hccresist.stages import STAGES

ENVIRONMENT = {**os.environ, "NO_COLOR": "1", "COLUMNS": "100", "PYTHONWARNINGS": "error"}


def call(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "hccresist", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, cwd=cwd, check=False)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """The demo's study folder."""
    return copy_demo(tmp_path_factory.mktemp("study") / "demo")


@pytest.fixture
def broken(tmp_path) -> Path:
    """A study folder with two problems in two files."""
    folder = copy_demo(tmp_path / "broken")
    patients = (folder / "patients.csv").read_text(encoding="utf-8").replace(",male,", ",mael,", 1)
    (folder / "patients.csv").write_text(patients, encoding="utf-8")
    lesions = (folder / "lesions.csv").read_text(encoding="utf-8").splitlines()
    lesions[1] = lesions[1].replace(",target,", ",tagret,")
    (folder / "lesions.csv").write_text("\n".join(lesions) + "\n", encoding="utf-8")
    return folder


# As a process


def test_help_lists_every_command_and_says_what_it_is_not(tmp_path) -> None:
    result = call("--help")
    assert result.returncode == 0
    assert "not a medical device" in result.stdout
    for name in ("demo", "init", "check", "run", "assess", "convert", "policies", "cite", "doctor"):
        assert name in result.stdout


def test_without_a_command_the_help_is_shown() -> None:
    result = call()
    assert result.returncode == 0
    assert "Usage: hccresist COMMAND" in result.stdout


def test_the_version() -> None:
    assert call("--version").stdout.strip() == "0.1.0"


def test_a_run_ends_with_a_report_and_tells_where_it_is(study, tmp_path) -> None:
    result = call("run", study, "--out", tmp_path / "out", "--no-twin")
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "out" / "report.html").is_file()
    assert f"report: {tmp_path / 'out' / 'report.html'}" in result.stdout
    assert "objective response" in result.stdout


def test_problems_of_the_input_are_told_all_at_once_and_nothing_is_written(broken, tmp_path) -> None:
    result = call("run", broken, "--out", tmp_path / "out")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "2 problems" in result.stderr
    assert "Did you mean 'male'?" in result.stderr
    assert "lesions.csv line 2, role" in result.stderr
    assert "Did you mean 'target'?" in result.stderr
    assert not (tmp_path / "out").exists()


def test_problems_leave_earlier_results_alone(study, broken, tmp_path) -> None:
    out = tmp_path / "out"
    assert main(["assess", str(study), "--out", str(out), "--quiet"]) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert call("run", broken, "--out", out).returncode == 1
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_ctrl_c_ends_with_130_and_leaves_nothing(study, tmp_path) -> None:
    code = (
        "import sys, time\n"
        "from hccresist import steps\n"
        "def slow(*_):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
        "steps.assess = slow\n"
        "from hccresist.cli import main\n"
        f"sys.exit(main(['run', {str(study)!r}, '--out', {str(tmp_path / 'out')!r}]))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_and_nothing_is_left(study, tmp_path) -> None:
    code = (
        "import sys\n"
        "from hccresist.outputs import TableFile\n"
        "def full(*_):\n"
        "    raise OSError(28, 'No space left on device', 'timepoints.csv')\n"
        "TableFile.write = full\n"
        "from hccresist.cli import main\n"
        f"sys.exit(main(['run', {str(study)!r}, '--out', {str(tmp_path / 'out')!r}]))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 3
    assert "timepoints.csv: No space left on device" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m hccresist policies | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert result.returncode == 0
    assert result.stderr == ""


def test_the_demo_needs_no_network_and_is_quick(tmp_path) -> None:
    """Processor seconds, not those of the clock: a busy machine is not the demo's fault."""
    before = os.times()
    result = call("demo", "--quiet", cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert (tmp_path / "hccresist-demo" / "report.html").is_file()
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert used < 240


# In this process: quicker, the same code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "study"),
        (["run", "x"], "--out"),
        (["nonsense"], "nonsense"),
        (["run", "x", "--out", "y", "--nope"], "--nope"),
        (["run", "x", "--out", "y", "--policy", "confirm_day=42"], "Did you mean 'confirm_days'?"),
        (["run", "x", "--out", "y", "--policy", "confirm_days"], "write NAME=VALUE"),
        (["run", "x", "--out", "y", "--policy", "confirm_days=soon"], "is not a number"),
        (["run", "x", "--out", "y", "--criteria", "recist12"], "There is no criterion 'recist12'"),
        (["run", "x", "--out", "y", "--criteria", ","], "No criterion was named"),
        (["run", "x", "--out", "y", "--formats", "xlsx"], "There is no format 'xlsx'"),
        (["convert", "x", "--to", "sdtm", "--out", "y"], "sdtm"),
        (["cite", "x"], "holds no results of hccresist"),
    ],
)
def test_wrong_usage_is_exit_code_2_with_a_message(arguments, message, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert message in " ".join((captured.err + captured.out).split())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_somebody_else_is_wrong_usage(study, tmp_path, capsys) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    assert main(["run", str(study), "--out", str(tmp_path)]) == 2
    assert "did not write" in capsys.readouterr().err
    assert main(["convert", str(study), "--out", str(tmp_path)]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_a_study_that_is_not_there_is_a_problem_of_the_input(tmp_path, capsys) -> None:
    assert main(["check", str(tmp_path / "nowhere")]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_check_says_fine_with_what_it_found(study, capsys) -> None:
    assert main(["check", str(study)]) == 0
    text = capsys.readouterr().out
    assert text.splitlines()[0].startswith("demo: Simulated example")
    assert "60 rows" in text
    assert "report: can be done" in text
    assert text.splitlines()[-1] == "fine"


def test_check_as_json_is_json_in_both_cases(study, broken, capsys) -> None:
    assert main(["check", str(study), "--json"]) == 0
    fine = json.loads(capsys.readouterr().out)
    assert fine["fine"] is True
    assert fine["tables"]["patients"] == 60
    assert fine["stages"] == dict.fromkeys(STAGES, "")
    assert main(["check", str(broken), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["fine"] is False
    assert {issue["file"] for issue in found["issues"]} == {"patients.csv", "lesions.csv"}
    assert {"code", "line", "column", "patient", "found", "expected", "hint"} <= found["issues"][0].keys()


def test_policies_of_the_command_line_win_over_the_study(study, tmp_path, capsys) -> None:
    folder = copy_demo(tmp_path / "mine")
    with (folder / "study.toml").open("a", encoding="utf-8") as handle:
        handle.write("\n[policies]\nconfirm_days = 35\nmax_ne = 2\n")
    command = ["assess", str(folder), "--out", str(tmp_path / "out"), "--quiet"]
    assert main([*command, "--policy", "confirm_days=42", "--policy", "accept_one_sd=yes"]) == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    changed = {name: entry["value"] for name, entry in manifest["policies_changed"].items()}
    assert changed == {"confirm_days": 42.0, "max_ne": 2, "accept_one_sd": True}


def test_criteria_can_be_chosen(study, tmp_path) -> None:
    command = ["assess", str(study), "--out", str(tmp_path / "out"), "--criteria", "recist11, mRECIST"]
    assert main([*command, "--formats", "csv", "--quiet"]) == 0
    text = (tmp_path / "out" / "best_response.csv").read_text(encoding="utf-8")
    assert {line.split(",")[2] for line in text.splitlines()[1:]} == {"recist11", "mrecist"}
    assert not list((tmp_path / "out").glob("*.parquet"))


def test_another_line_of_treatment_can_be_looked_at(study, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert main(["assess", str(study), "--out", str(out), "--line", "2"]) == 0
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["study"]["index_line"] == 2
    assert "line-moved" in {warning["code"] for warning in manifest["warnings"]}
    assert main(["assess", str(study), "--out", str(out), "--line", "7"]) == 2
    assert "No patient has a start of line 7" in capsys.readouterr().err


def test_init_writes_a_folder_once(tmp_path, capsys) -> None:
    assert main(["init", str(tmp_path / "mine")]) == 0
    assert (tmp_path / "mine" / "study.toml").is_file()
    assert main(["init", str(tmp_path / "mine")]) == 2
    assert "Nothing was written" in capsys.readouterr().err


def test_convert_writes_a_folder_that_reads_as_the_same_study(study, tmp_path, capsys) -> None:
    out = tmp_path / "deep" / "tidy"
    assert main(["convert", str(study), "--to", "tidy", "--out", str(out)]) == 0
    for folder in (study, out):
        assert main(["assess", str(folder), "--out", str(tmp_path / folder.name), "--quiet"]) == 0
    for path in (tmp_path / study.name).glob("*.csv"):
        assert path.read_bytes() == (tmp_path / "tidy" / path.name).read_bytes()


def test_cite_prints_methods_and_bibtex_of_the_run(study, tmp_path, capsys) -> None:
    assert main(["assess", str(study), "--out", str(tmp_path), "--criteria", "mrecist", "--quiet"]) == 0
    assert main(["cite", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "The data are simulated." in text
    assert "@article{mrecist," in text
    assert "@article{irecist," not in text


def test_policies_are_listed_with_meaning_and_source(capsys) -> None:
    assert main(["policies"]) == 0
    assert "confirm_days = 28.0" in capsys.readouterr().out
    assert main(["policies", "--json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert listed["confirm_days"]["default"] == 28.0
    assert all(entry["meaning"] and entry["source"] for entry in listed.values())


def test_doctor_finds_every_part_here(capsys) -> None:
    assert main(["doctor"]) == 0
    assert "polars" in capsys.readouterr().out
    assert main(["doctor", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)
    assert {check["status"] for check in checks} <= {"ok", "note"}


def test_doctor_tells_a_part_that_is_missing(monkeypatch, capsys) -> None:
    monkeypatch.setattr("hccresist.doctor.REQUIRED", {"no-such-part": "no_such_part"})
    assert main(["doctor"]) == 3
    assert "pip install -c constraints.txt no-such-part" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ComputationError("did not converge"), 3, "did not converge"),
        (PermissionError(13, "Permission denied", "/out"), 1, "/out: Permission denied"),
        (MemoryError(), 3, "not enough memory"),
    ],
)
def test_errors_are_told_without_a_traceback(monkeypatch, capsys, error, code, message) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli, "read_request", fail)
    assert main(["check", "anything"]) == code
    text = capsys.readouterr().err
    assert message in text
    assert "Traceback" not in text


def test_an_unexpected_error_names_a_log_with_the_traceback(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(cli, "read_request", lambda *_: 1 / 0)
    assert main(["check", "anything"]) == 3
    text = capsys.readouterr().err
    (log,) = tmp_path.glob("hccresist-error-*.log")
    assert log.name in text.replace("\n", "")
    assert "ZeroDivisionError" in text
    assert "Traceback" not in text
    assert "Traceback" in log.read_text(encoding="utf-8")


def test_a_failed_stage_is_exit_code_3_and_the_rest_is_written(study, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("hccresist.steps.render", lambda *_: 1 / 0)
    assert main(["run", str(study), "--out", str(tmp_path / "out"), "--no-twin"]) == 3
    captured = capsys.readouterr()
    assert "stage report failed: ZeroDivisionError" in captured.err
    assert (tmp_path / "out" / "events.csv").is_file()
    assert not (tmp_path / "out" / "report.html").exists()


def test_skipped_stages_are_named_on_the_screen(tmp_path, capsys) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "patients.csv").write_text("patient_id\nA\n", encoding="utf-8")
    (folder / "sums.csv").write_text(
        "patient_id,measure,day,sum\nA,longest,-3,50\nA,longest,60,30\n", encoding="utf-8"
    )
    assert main(["run", str(folder), "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "skipped mrecist:" in text
    assert "viable" in text
    assert "not reached" in text


def test_the_screen_says_how_much_was_explained_and_groups_what_was_not(tmp_path, capsys) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "patients.csv").write_text("patient_id\nP1\n", encoding="utf-8")
    (folder / "samples.csv").write_text("sample_id,patient_id\nS1,P1\n", encoding="utf-8")
    rows = "sample_id,gene,change,kind\nS1,CTNNB1,p.S45P,Missense_Mutation\n"
    (folder / "alterations.csv").write_text(rows, encoding="utf-8")
    assert main(["explain", str(folder), "--out", str(tmp_path / "out")]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "alterations 1 call in 1 gene " in told
    assert (
        "skipped sample_report, gene_report, coverage, mechanism_scores, classes: the study has no expression"
        in told
    )


def test_overcome_ranks_strategies_by_what_is_on_and_names_the_first(tmp_path, capsys) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "patients.csv").write_text("patient_id\nP1\n", encoding="utf-8")
    (folder / "samples.csv").write_text("sample_id,patient_id\nS1,P1\n", encoding="utf-8")
    rows = "sample_id,gene,change,kind\nS1,CTNNB1,p.S45P,Missense_Mutation\n"
    (folder / "alterations.csv").write_text(rows, encoding="utf-8")
    assert main(["overcome", str(folder), "--out", str(tmp_path / "out")]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "research only, no advice on care" in told
    assert "on in 1 of 1" in told
    written = pl.read_csv(tmp_path / "out" / "strategies.csv", infer_schema=False)
    own = written.filter(pl.col("patient_id") == "P1", pl.col("rank") == "1")
    assert own["mechanism_id"].to_list() == ["GEN-CTNNB1"]
    assert "What might overcome it" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_study_without_omics_has_no_strategies_and_says_why(tmp_path, capsys) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "patients.csv").write_text("patient_id\nP1\n", encoding="utf-8")
    rows = "patient_id,measure,day,sum\nP1,longest,-3,40\nP1,longest,56,30\n"
    (folder / "sums.csv").write_text(rows, encoding="utf-8")
    assert main(["overcome", str(folder), "--out", str(tmp_path / "out")]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "skipped overcome, " in told
    assert ": the study has no expression or alterations" in told
    assert not (tmp_path / "out" / "strategies.csv").exists()


def test_a_whole_run_has_every_stage_of_the_flow() -> None:
    assert ALL_STAGES == STAGES
    assert list_wanted() == list_wanted(twin=True) == STAGES
    assert list_wanted(twin=False) == tuple(stage for stage in STAGES if stage != "twin")


def test_too_few_virtual_patients_are_wrong_usage(study, tmp_path, capsys) -> None:
    for command in ("run", "overcome"):
        assert main([command, str(study), "--out", str(tmp_path / "out"), "--particles", "3"]) == 2
        assert "particles is 3; it must be from 20" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_large_cohorts_have_twins_only_where_they_are_asked_for() -> None:
    assert TwinOptions().explain_skip(MOST_TWINS) == ""
    assert "if asked for (--twin)" in TwinOptions().explain_skip(MOST_TWINS + 1)
    assert TwinOptions(most=None).explain_skip(10_000) == ""
