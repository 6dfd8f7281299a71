"""The bundled study: simulated and marked so, made by its script, whole, and shaped like a trial."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest

from hccresist.cli import main
from hccresist.demo import copy_demo, open_demo_folder, read_demo
from hccresist.errors import ConfigError
from hccresist.study.study import Study

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "make_demo.py"


OMICS = {"samples", "expression", "alterations"}


@pytest.fixture(scope="module")
def demo() -> Study:
    """The bundled study."""
    return read_demo()


def test_it_is_read_without_a_warning_and_says_that_it_is_simulated(demo) -> None:
    assert demo.warnings == ()
    assert demo.config.simulated
    assert "simulated" in demo.config.title.lower()


def test_it_has_sixty_patients_in_two_arms_and_every_clinical_table(demo) -> None:
    assert demo.patients["arm"].value_counts().sort("arm").rows() == [
        ("atezolizumab-bevacizumab", 30),
        ("sorafenib", 30),
    ]
    wanted = {"patients", "treatments", "procedures", "visits", "lesions", "labs", "observations", "survival"}
    assert set(demo.tables) == wanted | OMICS


def test_its_tumour_samples_belong_to_its_patients_and_say_when_they_were_taken(demo) -> None:
    samples = demo.tables["samples"]
    assert set(samples["patient_id"]) <= set(demo.patients["patient_id"])
    assert samples["day"].null_count() == 0
    assert (samples["day"] > 0).any()  # late entry is shown
    assert set(demo.tables["expression"].columns) == {"gene", *samples["sample_id"]}
    assert set(demo.tables["alterations"]["sample_id"]) <= set(samples["sample_id"])


def test_it_holds_what_makes_response_hard(demo) -> None:
    lesions = demo.tables["lesions"]
    assert {"target", "nontarget", "new_target", "new_nontarget"} <= set(lesions["role"].drop_nulls())
    assert {"absent", "not_evaluable", "unequivocal_progression"} <= set(lesions["state"].drop_nulls())
    assert lesions.filter(pl.col("viable_mm") == 0).height > 0
    assert lesions["short_axis_mm"].count() > 0
    visits = demo.tables["visits"]
    assert visits.filter(~pl.col("arterial_phase")).height > 0
    counts = visits.filter(pl.col("day") > 0).group_by("patient_id").len()
    assert counts["len"].n_unique() > 5


def test_no_event_lies_after_the_end_of_follow_up(demo) -> None:
    follow_up = demo.tables["survival"].select("patient_id", "os_days")
    for name, column in (
        ("visits", "day"),
        ("labs", "day"),
        ("treatments", "start_day"),
        ("procedures", "day"),
    ):
        late = demo.tables[name].join(follow_up, on="patient_id").filter(pl.col(column) > pl.col("os_days"))
        assert late.is_empty(), name


def test_the_tutorial_says_what_the_demo_says(tmp_path, capsys) -> None:
    assert main(["demo", "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out.splitlines()
    tutorial = (SCRIPT.parents[1] / "docs" / "tutorial.md").read_text(encoding="utf-8")
    shown = [line for line in tutorial.splitlines() if "/60  " in line]
    assert len(shown) == 3
    assert set(shown) <= set(printed)
    points = pl.read_parquet(tmp_path / "out" / "timepoints.parquet").filter(pl.col("patient_id") == "D11")
    swelling = points.filter(pl.col("criterion") == "irecist")
    assert "**D11**" in tutorial
    assert swelling["overall"][0] == "iUPD"
    assert swelling["sum_mm"][2] < swelling["baseline_mm"][2]
    assert "iPR" in swelling["overall"].to_list()
    assert points.filter(pl.col("criterion") == "recist11")["overall"][0] == "PD"


def test_the_script_writes_the_files_that_are_bundled(tmp_path) -> None:
    spec = importlib.util.spec_from_file_location("make_demo", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_demo"] = module
    spec.loader.exec_module(module)
    module.FOLDER = tmp_path / "demo"
    module.main()
    with open_demo_folder() as bundled:
        names = {path.name for path in bundled.iterdir() if path.suffix in {".csv", ".toml"}}
        names -= {f"{table}.csv" for table in OMICS}  # those are made by benchmarks/make_demo_omics.py
        assert names == {path.name for path in (tmp_path / "demo").iterdir()}
        for name in names:
            assert (bundled / name).read_bytes() == (tmp_path / "demo" / name).read_bytes(), name


def test_a_copy_can_be_made_but_not_over_something(tmp_path) -> None:
    folder = copy_demo(tmp_path / "mine")
    assert (folder / "study.toml").is_file()
    assert (folder / "lesions.csv").is_file()
    with pytest.raises(ConfigError, match="not an empty folder"):
        copy_demo(folder)


def test_the_built_package_carries_the_demo(tmp_path) -> None:
    root = SCRIPT.parents[1]
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    wanted = {"demo/study.toml", "demo/lesions.csv", "references.toml"}
    assert {f"hccresist/data/{name}" for name in wanted} <= names
    assert "hccresist/py.typed" in names
