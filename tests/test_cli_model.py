"""The command `hccresist model`: summary, lists, map, exports, exit codes."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from hccresist.cli import main
from hccresist.overcome.model.text import FOLDER


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command."""
    code = main(["model", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def rows(name: str) -> list[dict[str, str]]:
    """Rows of one table of the model, read by another reader than the package's own."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_summary_names_every_state_and_counts_assumptions(capsys) -> None:
    code, out, _ = run(capsys)
    assert code == 0
    for row in rows("quantities.csv"):
        assert row["kind"] != "state" or row["name"] in out
    assumed = sum(row["status"] == "assumption" for row in rows("parameters.csv"))
    assert f"{assumed} assumption" in out
    assert "not calibrated" in out
    assert max(map(len, out.splitlines())) <= 80


def test_the_summary_as_json(capsys) -> None:
    _, out, _ = run(capsys, "--json")
    about = json.loads(out)
    counts = dict.fromkeys(about["parameters"], 0)
    for row in rows("parameters.csv"):
        counts[row["status"]] += 1
    assert about["parameters"] == counts
    assert about["calibrated"] is False
    assert set(about["drugs"]) == {row["drug"] for row in rows("drugs.csv")}


def test_handles_have_family_parameters_equation_and_source(capsys) -> None:
    code, out, _ = run(capsys, "--handles", "--json")
    found = json.loads(out)
    table = {row["handle"]: row for row in rows("handles.csv")}
    assert code == 0
    assert len(found) == len(table)
    for record in found:
        assert list(record)[:4] == ["family_id", "parameters", "equation", "source"]
        row = table[record["handle"]]
        assert record["family_id"] == row["family_id"]
        assert record["parameters"] == row["parameters"].split(";")
        assert record["equation"] == row["equation"]
        assert record["source"] == row["source"]
    ncrnas = {r["ncrna"] for r in rows("ncrna.csv")}
    assert {name for record in found for name in record["ncrnas"]} == ncrnas


def test_every_parameter_is_listed_with_its_source(capsys) -> None:
    _, out, _ = run(capsys, "--parameters", "--json")
    found = {record["name"]: record for record in json.loads(out)}
    for row in rows("parameters.csv"):
        assert found[row["name"]]["source"] == row["source"]
        assert found[row["name"]]["value"] == float(row["value"])
    _, text, _ = run(capsys, "--parameters")
    assert all(f"{name} = " in text for name in found)
    assert max(map(len, text.splitlines())) <= 80


def test_handles_and_equations_are_printed_for_people(capsys) -> None:
    _, out, _ = run(capsys, "--handles")
    assert "h_ferroptosis" in out
    _, out, _ = run(capsys, "--equations")
    lesion = (FOLDER / "lesion.ant").read_text(encoding="utf-8")
    assert lesion.rstrip() in out
    _, out, _ = run(capsys, "--equations", "--json")
    found = {(e["module"], e["kind"], e["name"]): e["equation"] for e in json.loads(out)}
    assert found["lesion", "rule", "tumour"] == "sensitive + tolerant + escaped + both"
    assert found["patient", "sum", "burden"] == "whole_volume"
    assert ("lesion", "function", "hill2(x, half)") in found
    assert ("patient", "rate", "liver") in found


def test_the_map_is_a_figure_or_text(capsys, tmp_path: Path) -> None:
    file = tmp_path / "new" / "map.svg"
    code, _, _ = run(capsys, "--map", str(file))
    root = ET.parse(file).getroot()
    assert code == 0
    assert root.tag.endswith("svg")
    words = {"".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")}
    for row in rows("quantities.csv"):
        if row["kind"] == "state":
            assert any(word.endswith(row["name"]) for word in words)
    assert [path.name for path in file.parent.iterdir()] == ["map.svg"]
    _, out, _ = run(capsys, "--map", "-")
    run(capsys, "--map", str(tmp_path / "map.txt"))
    assert (tmp_path / "map.txt").read_text(encoding="utf-8") == out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--parameters", "--handles"), "Choose one of"),
        (("--export", "sbml"), "go together"),
        (("--out", "x.xml"), "go together"),
        (("--map", "map.png"), "must end in .svg or .txt"),
        (("--map", "map.svg", "--json"), "--json goes with"),
        (("--export", "sbml", "--out", "x.xml", "--diameters", "a"), "--diameters"),
        (("--export", "sbml", "--out", "x.xml", "--diameters", "50,-1"), "--diameters"),
        (("--export", "matlab", "--out", "x.m"), "matlab"),
    ],
)
def test_wrong_usage_is_exit_code_2(capsys, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert message in out + err


def test_an_export_never_overwrites(capsys, tmp_path: Path) -> None:
    file = tmp_path / "mine.xml"
    file.write_text("mine", encoding="utf-8")
    code, _, err = run(capsys, "--export", "sbml", "--out", str(file))
    assert code == 2
    assert "is there already" in err
    assert file.read_text(encoding="utf-8") == "mine"


def test_exports_are_written_for_the_lesions_asked_for(capsys, tmp_path: Path) -> None:
    pytest.importorskip("antimony", reason="extra 'model' is not installed")
    sizes = ("--diameters", "60,25")
    for kind, name in (("sbml", "m.xml"), ("antimony", "m.ant"), ("petab", "m")):
        code, _, err = run(capsys, "--export", kind, "--out", str(tmp_path / name), *sizes)
        assert code == 0, err
    sbml = ET.parse(tmp_path / "m.xml").getroot()
    assert sbml.get("level") == "3"
    assert "sensitive_2" in (tmp_path / "m.ant").read_text(encoding="utf-8")
    assert (tmp_path / "m" / "problem.yaml").is_file()
