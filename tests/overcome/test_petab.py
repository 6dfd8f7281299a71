"""The PEtab problem: accepted by the petab package, and its simulated data come back from its own SBML."""

from __future__ import annotations

import csv
import math
import warnings
from pathlib import Path

import numpy as np
import pytest

from hccresist.errors import ConfigError
from hccresist.overcome.dosing import read_drugs
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.model.patients import make_parameters, start_state
from hccresist.overcome.model.petab import (
    PAIRS,
    find_average_effects,
    list_conditions,
    list_estimates,
    simulate_measurements,
    write_petab,
)

pytest.importorskip("antimony", reason="extra 'model' is not installed")


@pytest.fixture(scope="module")
def two():
    params = make_parameters(2, values={"h_abc": 2.0}, each=[{}, {"growth_rate": 0.015}])
    return params, start_state(params, [60.0, 25.0])


@pytest.fixture(scope="module")
def folder(two, tmp_path_factory) -> Path:
    found = tmp_path_factory.mktemp("petab")
    write_petab(found, *two)
    return found


def read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def lint(folder: Path) -> bool:
    """Whether the petab package finds errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # petab and what it loads
        v1 = pytest.importorskip("petab.v1", reason="petab is not installed")
        checks = pytest.importorskip("petab.v1.lint")
        return checks.lint_problem(v1.Problem.from_yaml(str(folder / "problem.yaml")))


def test_petab_finds_no_error(folder) -> None:
    assert lint(folder) is False


def test_petab_finds_an_error_where_there_is_one(folder, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    text = (tmp_path / "observables.tsv").read_text(encoding="utf-8")
    (tmp_path / "observables.tsv").write_text(text.replace("\twhole_mm_1\t", "\tno_such\t"), encoding="utf-8")
    assert lint(tmp_path) is True


def test_the_measurements_come_back_from_the_sbml(folder) -> None:
    """libRoadRunner on model.xml under the condition's effects gives the measurements to 1e-4 of baseline."""
    roadrunner = pytest.importorskip("roadrunner", reason="extra 'model' is not installed")
    condition = "camrelizumab_apatinib"
    loaded = roadrunner.RoadRunner(str(folder / "model.xml"))
    loaded.integrator.relative_tolerance = 1e-9
    loaded.integrator.absolute_tolerance = 1e-12
    row = next(r for r in read(folder / "conditions.tsv") if r["conditionId"] == condition)
    for exposure in read_model().exposures:
        loaded[exposure.name] = float(row[exposure.name])
    found = [r for r in read(folder / "measurements.tsv") if r["simulationConditionId"] == condition]
    days = sorted({float(r["time"]) for r in found})
    names = ["whole_mm_1", "viable_mm_2", "afp"]
    theirs = loaded.simulate(times=days, selections=["time", *names])
    for column, name in enumerate(names, start=1):
        own = [float(r["measurement"]) for r in found if r["observableId"] == f"obs_{name}"]
        assert np.abs(theirs[:, column] - own).max() < 1e-4 * own[0]


def test_average_effects_follow_from_dose_interval_and_clearance() -> None:
    """240 mg every 14 days at 0.2592 L/day; half effect as in drugs.csv."""
    level = 240 / 14 / 0.2592
    half = read_drugs()["nivolumab"].half_effects["block_pd1"]
    assert find_average_effects(["nivolumab_q2w"])["block_pd1"] == pytest.approx(level / (level + half))
    alone = find_average_effects(["regorafenib_21_28"])["toxicity"]
    assert alone == pytest.approx(0.75 * read_drugs()["regorafenib"].effects["toxicity"])
    both = find_average_effects(["atezolizumab", "bevacizumab"])
    assert both["block_pdl1"] == find_average_effects(["atezolizumab_q3w"])["block_pdl1"]
    assert both["block_vegf"] == find_average_effects(["bevacizumab_q3w"])["block_vegf"]


def test_conditions_are_named_once_and_have_every_effect() -> None:
    names = [row["conditionId"] for row in list_conditions()]
    assert len(names) == len(set(names))
    assert {"untreated", *PAIRS} <= set(names)
    for row in list_conditions():
        assert {e.name for e in read_model().exposures} <= set(row)


def test_bounds_hold_the_value_and_priors_are_those_of_the_table(two) -> None:
    rows = {str(row["parameterId"]): row for row in list_estimates(two[0], 2)}
    for row in rows.values():
        assert row["lowerBound"] <= row["nominalValue"] <= row["upperBound"]
    assert rows["growth_rate_2"]["nominalValue"] == 0.015
    assert rows["growth_rate_2"]["objectivePriorParameters"] == f"{math.log(0.012)!r};0.35"
    assert rows["h_abc"]["estimate"] == 0
    assert rows["growth_rate_1"]["estimate"] == 1


def test_own_measurements_are_taken_and_an_unknown_condition_is_refused(two, tmp_path) -> None:
    row = {
        "observableId": "obs_afp",
        "simulationConditionId": "untreated",
        "measurement": 12.5,
        "time": 0.0,
    }
    write_petab(tmp_path, *two, measurements=[row])
    assert read(tmp_path / "measurements.tsv") == [{k: str(v) for k, v in row.items()}]
    with pytest.raises(ConfigError, match="no condition 'surgery'"):
        simulate_measurements(two[0], two[1], condition="surgery")
