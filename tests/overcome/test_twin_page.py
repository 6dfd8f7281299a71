"""The page of the twin holds what the benchmark found (`benchmarks/bench_twin.py`)."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from hccresist.overcome.twin import AHEAD, PARTICLES
from hccresist.overcome.twin_signs import read_alike, read_setting

REPOSITORY = Path(__file__).parents[2]
SERIES = REPOSITORY.parent / "shared" / "data" / "hcc_sysucc_timeseries" / "timeseries.csv"


@pytest.fixture(scope="module")
def page() -> str:
    return (REPOSITORY / "docs" / "explanation" / "twin.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def known() -> dict:
    text = (REPOSITORY / "benchmarks" / "results" / "twin.json").read_text(encoding="utf-8")
    return json.loads(text)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """Import benchmarks/bench_twin.py."""
    spec = importlib.util.spec_from_file_location("bench_twin", REPOSITORY / "benchmarks" / "bench_twin.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_are_those_of_the_results(page: str, known: dict, script: ModuleType) -> None:
    shown = page.partition(script.START)[2].partition(script.END)[0]
    assert shown.strip() == script.tell_tables(known).strip(), "run benchmarks/bench_twin.py"


def test_what_the_page_says_of_real_series_is_what_was_found(page: str, known: dict) -> None:
    """The sentences in prose: who is nearer, and whether intervals hold."""
    assert "in the first the last value alone is nearer to the next size than the twin" in page
    assert known["sysucc"]["last value"]["mae_log"] < known["sysucc"]["twin"]["mae_log"]
    assert "of 58 patients with one follow-up each, the two are alike" in page
    assert known["tace"]["n"] == 58
    assert known["tace"]["twin"]["mae_log"] == pytest.approx(known["tace"]["last value"]["mae_log"], rel=0.1)
    assert known["tace"]["twin"]["interval_score"] == pytest.approx(
        known["tace"]["last value"]["interval_score"], rel=0.1
    )
    assert "is nearer than both growth fits" in page.replace("\n", " ")
    for name in ("log-linear growth", "regression-growth fit"):
        assert known["sysucc"]["twin"]["mae_log"] < known["sysucc"][name]["mae_log"]
    assert known["sysucc"]["twin"]["coverage"] < 0.85


def test_the_method_holds_its_level_on_the_models_own_patients(known: dict) -> None:
    """90 % within four standard errors of a share of that many patients, drift off."""
    for scores in known["simulated"]["sum_without_drift"].values():
        slack = 4 * (0.9 * 0.1 / scores["n"]) ** 0.5
        assert scores["twin"]["coverage"] == pytest.approx(0.9, abs=slack)
        assert scores["twin"]["coverage"] < 0.9, "the page says: somewhat below"
        assert scores["twin"]["mae_log"] < scores["prior"]["mae_log"]
        assert scores["twin"]["interval_score"] < scores["prior"]["interval_score"]


def test_virtual_patients_are_as_many_as_the_page_says(page: str, known: dict) -> None:
    assert f"{PARTICLES} virtual patients, of whom {AHEAD} go ahead" in page
    assert {part["particles"] for part in known.values()} == {PARTICLES}


def test_numbers_in_prose_are_those_of_the_settings(page: str) -> None:
    assert f"reading error ({read_setting('whole_noise')} for one lesion" in page
    assert f"{read_setting('whole_drift')} in 84 days" in page
    told = re.search(
        r"is on: ([\d.]+) for each .* \((\w+) at most\),\s+([\d.]+) where .* ([\d.]+) where its genes", page
    )
    assert told is not None
    names = ("score_odds", "altered_odds", "intact_odds")
    assert [float(told[k]) for k in (1, 3, 4)] == [read_setting(name) for name in names]
    assert told[2] == {3.0: "three"}[read_setting("score_limit")]


def test_groups_that_look_alike_are_named(page: str) -> None:
    for group in read_alike():
        assert all(f"`{name}`" in page for name in group)


def test_real_cases_are_read_as_the_readme_has_them(script: ModuleType) -> None:
    """Sizes and days of a case are those of the file; the drift's half is left out."""
    if not SERIES.exists():
        pytest.skip("shared data set hcc_sysucc_timeseries is not here")
    cases = script.read_sysucc(10, seed=1)
    with SERIES.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    for case, day, size in cases:
        own = {float(row["day"]): row for row in rows if row["patient_id"] == case.patient_id}
        assert float(own[day]["largest_diameter_mm"]) == size
        assert case.day < day <= case.day + 200
        assert all(
            float(own[each.day]["largest_diameter_mm"]) == each.value
            for each in case.readings
            if each.quantity == "whole"
        )
        assert max(each.day for each in case.readings) <= case.day
        assert not any(float(row["targeted_therapy"]) for at, row in own.items() if at <= case.day)


def test_interval_score_by_hand(script: ModuleType) -> None:
    """Gneiting and Raftery: width plus 2 / 0.1 times what lies beyond."""
    assert script.score_interval(0.5, 0.0, 1.0) == pytest.approx(1.0)
    assert script.score_interval(1.1, 0.0, 1.0) == pytest.approx(1.0 + 20 * 0.1)
    assert script.score_interval(-0.2, 0.0, 1.0) == pytest.approx(1.0 + 20 * 0.2)
