"""The command `hccresist trials`: numbers with sources, forms, names, exit codes."""

from __future__ import annotations

import csv
import io
import json

import pytest

from hccresist.cli import main
from hccresist.outcomes.published import read_trials


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    code = main(["trials", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_without_options_the_trials_are_listed(capsys) -> None:
    code, out, _ = run(capsys)
    arms = read_trials("arms")
    assert code == 0
    assert f"{arms['trial'].n_unique()} trials, {arms.height} arms" in " ".join(out.split())
    assert "held out" in out
    assert len(json.loads(run(capsys, "--json")[1])) == arms.height


def test_a_trade_name_finds_the_arms_and_every_row_has_a_source(capsys) -> None:
    code, out, _ = run(capsys, "--drug", "Lenvima", "--endpoint", "ORR")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "REFLECT" in out
    assert "18.8 % (15.4 to" in out
    assert "no comparison of" in out
    rows = json.loads(run(capsys, "--drug", "Lenvima", "--endpoint", "ORR", "--json")[1])
    assert all(row["source_url"] for row in rows if row["verified"])
    assert all("lenvatinib" in row["drugs"] for row in rows)


def test_a_class_stands_for_its_drugs(capsys) -> None:
    rows = json.loads(run(capsys, "--drug", "anti-PD-1+lenvatinib", "--json")[1])
    assert {row["arm_id"] for row in rows} == {"LEAP002_lenpem"}


def test_several_drugs_widen_and_lines_narrow(capsys) -> None:
    rows = json.loads(run(capsys, "--drug", "regorafenib,placebo", "--line", "2l", "--json")[1])
    assert {"RESORCE_regorafenib", "CELESTIAL_placebo"} <= {row["arm_id"] for row in rows}
    assert "SHARP_placebo" not in {row["arm_id"] for row in rows}


def test_rows_from_memory_are_shown_as_unverified(capsys) -> None:
    _, out, _ = run(capsys, "--trial", "CheckMate 459", "--endpoint", "mPFS")
    assert "unverified" in out
    assert "sources" in out


def test_a_median_not_reached_and_other_levels_are_told(capsys) -> None:
    _, out, _ = run(capsys, "--trial", "ORIENT-32", "--endpoint", "mOS")
    assert "not reached" in out
    assert all(word in out for word in ("(8.5 to", "open)"))
    level = " ".join(run(capsys, "--trial", "GO30140", "--endpoint", "HR_PFS")[1].split())
    assert "80 %" in level


def test_held_out_arms_are_named_without_numbers(capsys) -> None:
    code, out, _ = run(capsys, "--trial", "CARES-310")
    assert code == 0
    assert "held out; no numbers here on purpose" in " ".join(out.split())
    assert json.loads(run(capsys, "--trial", "CARES-310", "--json")[1]) == []


def test_csv_holds_the_rows(capsys) -> None:
    _, out, _ = run(capsys, "--trial", "SHARP", "--criterion", "recist1.0", "--csv")
    found = list(csv.DictReader(io.StringIO(out)))
    assert {row["criterion"] for row in found} == {"RECIST 1.0"}
    assert {"source_url", "limits", "line"} <= set(found[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--drug", "sorafenip"), "Did you mean sorafenib"),
        (("--trial", "RESORSE"), "Did you mean RESORCE"),
        (("--endpoint", "OOR"), "Did you mean ORR"),
        (("--line", "3L"), "Choose from 1L, 2L, TACE"),
        (("--criterion", "WHO"), "Choose from RECIST 1.0"),
        (("--drug", ""), "--drug is empty"),
        (("--json", "--csv"), "Choose --json or --csv"),
    ],
)
def test_wrong_usage_is_exit_code_2(capsys, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
