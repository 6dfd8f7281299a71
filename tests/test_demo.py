"""The bundled study: simulated and marked so, made by its script, whole, and shaped like a trial."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest

from hccresist.assess.patterns import DEFINITIONS
from hccresist.cli import main
from hccresist.demo import copy_demo, open_demo_folder, read_demo
from hccresist.errors import ConfigError
from hccresist.explain.look import Inquiry
from hccresist.study.study import Study

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "make_demo.py"
DATA = Path(__file__).resolve().parents[1] / "src" / "hccresist" / "data"


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
        ("lenvatinib", 30),
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


def test_two_readers_read_the_same_scans_and_do_not_agree_to_the_millimetre(demo) -> None:
    lesions = demo.tables["lesions"]
    assert sorted(lesions["reader"].unique()) == ["central", "investigator"]
    key = ["patient_id", "lesion_id", "day"]
    one, other = (lesions.filter(reader=name).sort(key) for name in ("central", "investigator"))
    assert one.select(key).equals(other.select(key))
    both = one.join(other, on=key).filter(pl.col("longest_mm") > 0, pl.col("longest_mm_right") > 0)
    change = both["longest_mm"] / both["longest_mm_right"] - 1
    # Oxnard 2011 (PMID 21730273): half of repeated readings within 4.3 %, 84 % within 10 %.
    assert change.abs().median() == pytest.approx(0.043, rel=0.1)
    assert (change.abs() <= 0.1).mean() == pytest.approx(0.84, abs=0.02)


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


@pytest.fixture(scope="module")
def assessed(tmp_path_factory) -> tuple[dict[str, pl.DataFrame], list[str]]:
    """Tables of the demo's assessment, and what the screen said."""
    out, screen = tmp_path_factory.mktemp("demo") / "out", io.StringIO()
    with open_demo_folder() as folder, contextlib.redirect_stdout(screen):
        assert main(["assess", str(folder), "--out", str(out)]) == 0
    return {
        path.stem: pl.read_parquet(path) for path in out.glob("*.parquet")
    }, screen.getvalue().splitlines()


def test_the_tutorial_says_what_the_demo_says(assessed) -> None:
    tables, printed = assessed
    tutorial = (SCRIPT.parents[1] / "docs" / "tutorial.md").read_text(encoding="utf-8")
    shown = [line for line in tutorial.splitlines() if "/60  " in line]
    assert len(shown) == 6
    assert set(shown) <= set(printed)
    points = tables["timepoints"]

    def seen(patient: str, reader: str, criterion: str) -> dict[float, dict]:
        rows = points.filter(patient_id=patient, reader=reader, criterion=criterion)
        return {row["day"]: row for row in rows.iter_rows(named=True)}

    story = re.search(
        r"\*\*(HCC-\d{4})\*\*, on .* On day (\d+) both readers see a new lesion"
        r".*again on day (\d+)\)\. By day (\d+) the targets have shrunk from ([\d.]+) to ([\d.]+) mm",
        tutorial,
        re.DOTALL,
    )
    assert story is not None
    named, *days = story[1], *(float(story[k]) for k in (2, 3, 4))
    for reader in ("central", "investigator"):
        strict, waiting = seen(named, reader, "recist11"), seen(named, reader, "irecist")
        assert strict[days[0]]["new_lesion"]
        assert [strict[day]["overall"] for day in days[:2]] == ["PD", "PD"]
        assert [waiting[day]["overall"] for day in days] == ["iUPD", "iUPD", "iPR"]
    central = seen(named, "central", "recist11")[days[2]]
    assert (central["baseline_mm"], central["sum_mm"]) == (float(story[5]), float(story[6]))
    best = tables["best_response"].filter(patient_id=named, criterion="recist11")
    assert best["best"].to_list() == ["PD", "PD"]

    other = re.search(
        r"\*\*(HCC-\d{4})\*\* shows .* on day (\d+) both readers measure ([\d.]+) mm,"
        r" but the central reader had read the baseline as ([\d.]+) mm \(PD\),"
        r" the investigator as ([\d.]+) mm \(SD; PD on day (\d+)\)",
        tutorial,
    )
    assert other is not None
    for baseline, reader, verdict in ((4, "central", "PD"), (5, "investigator", "SD")):
        rows = seen(other[1], reader, "recist11")
        first = rows[float(other[2])]
        assert (first["overall"], rows[float(other[6])]["overall"]) == (verdict, "PD")
        assert (first["sum_mm"], first["baseline_mm"]) == (float(other[3]), float(other[baseline]))


def test_it_shows_what_it_is_there_to_show(assessed) -> None:
    tables, _ = assessed
    met = tables["pattern_rates"].filter(pl.col("met") > 0)["definition"]
    family = {name: item.family for name, item in DEFINITIONS.items()}
    assert {"hyperprogression", "pseudoprogression"} <= {family[name] for name in met}
    best = tables["best_response"].pivot("criterion", index=["patient_id", "reader"], values="best")
    responds = {name: pl.col(name).is_in(["CR", "PR"]) for name in ("recist11", "mrecist")}
    assert best.filter(responds["mrecist"] & ~responds["recist11"]).height > 0
    assert (tables["timepoints"]["rule"] == "PD-NEW-LESION").any()


def test_explain_finds_the_handles_that_are_on_better_than_chance(demo) -> None:
    """The truth is the model's; that expression follows it is the script's assumption, and so is its size."""
    low = pl.read_csv(DATA / "overcome" / "mechanism_signs.csv").filter(on="low")["mechanism_id"]
    scores = Inquiry(study=demo, tables={}).scores.filter(method="cohort_z")
    z = scores.group_by("patient_id", "mechanism_id").agg(pl.col("z").median()).drop_nulls()
    z = z.with_columns(z=pl.when(pl.col("mechanism_id").is_in(low)).then(-pl.col("z")).otherwise("z"))
    truth = pl.read_csv(DATA / "demo_truth.csv").with_columns(on=True)
    right = pairs = 0.0
    variance = 0.0
    for (_, mechanism), on in truth.group_by("handle", "mechanism_id", maintain_order=True):
        both = z.filter(mechanism_id=mechanism).join(on, on="patient_id", how="left")
        n, m = both["on"].count(), both["on"].null_count()
        if n and m:
            ranks = both["z"].rank()
            u = float(ranks.filter(both["on"].is_not_null()).sum()) - n * (n + 1) / 2
            right, pairs, variance = right + u, pairs + n * m, variance + n * m * (n + m + 1) / 12
    area, error = right / pairs, variance**0.5 / pairs  # error: of Mann-Whitney's U where nothing is found
    assert area - 3 * error > 0.5
    assert area > 0.7  # each programme is moved by 1.5 standard deviations: alone, 0.86


def test_mutations_go_with_the_handles_that_stand_for_them(demo) -> None:
    truth = pl.read_csv(DATA / "demo_truth.csv")
    samples = demo.tables["samples"].select("sample_id", "patient_id")
    altered = demo.tables["alterations"].join(samples, on="sample_id")
    for handle, found in (
        ("exclusion", altered.filter(gene="CTNNB1")),
        ("hyper_growth", altered.filter(pl.col("gene").is_in(["CCND1", "MDM2"]), change="2")),
    ):
        on = set(truth.filter(handle=handle)["patient_id"]) & set(samples["patient_id"])
        have = set(found["patient_id"])
        assert len(on & have) > len(on) / 2, handle
        assert len(have - on) < len(samples) / 8, handle


def test_the_script_writes_the_files_that_are_bundled(tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(SCRIPT.parent)
    module = importlib.import_module("make_demo")
    monkeypatch.setattr(module, "FOLDER", tmp_path / "demo")
    monkeypatch.setattr(module, "TRUTH", tmp_path / "demo_truth.csv")
    assert module.main() == 0
    assert (tmp_path / "demo_truth.csv").read_bytes() == (DATA / "demo_truth.csv").read_bytes()
    with open_demo_folder() as bundled:
        names = {path.name for path in bundled.iterdir()}
        assert names == {path.name for path in (tmp_path / "demo").iterdir()}
        for name in sorted(names - {"expression.parquet"}):
            assert (bundled / name).read_bytes() == (tmp_path / "demo" / name).read_bytes(), name
        one, other = (
            pl.read_parquet(folder / "expression.parquet") for folder in (bundled, tmp_path / "demo")
        )
        assert one.equals(other)


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
