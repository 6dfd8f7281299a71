"""Drugs, regimens, doses, and treatments as the integrator takes them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import hccresist
from hccresist.errors import ConfigError
from hccresist.overcome.dosing import (
    find_kinetics,
    find_regimen,
    find_weights,
    make_doses,
    make_treatment,
    read_drugs,
    read_regimens,
)
from hccresist.overcome.model.integrate import find_effects
from hccresist.overcome.model.kernel_generated import COLUMNS, LANES
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.model.patients import make_effects, run_patient
from hccresist.overcome.model.text import FOLDER
from hccresist.overcome.pk import PHASES, find_course

ISSUE = {
    *("sorafenib", "lenvatinib", "regorafenib", "cabozantinib", "donafenib", "apatinib"),
    *(
        "nivolumab",
        "pembrolizumab",
        "camrelizumab",
        "sintilimab",
        "tislelizumab",
        "atezolizumab",
        "durvalumab",
    ),
    *("ipilimumab", "tremelimumab", "bevacizumab", "ramucirumab"),
}
"""The drugs that issue 5 names."""
EFFECTS = [exposure.name for exposure in read_model().exposures]


def test_every_drug_of_the_issue_is_there_with_kinetics_effects_and_a_standard_regimen() -> None:
    drugs = read_drugs()
    assert set(drugs) == ISSUE
    for name, drug in drugs.items():
        assert find_regimen(name).drug == name
        assert drug.kinetics.clearance > 0
        assert drug.half_effects or drug.effects
        assert {*drug.half_effects, *drug.effects} <= set(EFFECTS)


def test_names_are_those_of_the_drug_table() -> None:
    table = Path(hccresist.__file__).parent / "data" / "drugs.csv"
    with table.open(encoding="utf-8", newline="") as lines:
        known = {row["drug"] for row in csv.DictReader(lines)}
    assert set(read_drugs()) <= known


def test_each_number_has_a_unit_a_status_and_a_source() -> None:
    with (FOLDER / "drugs.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["status"] for row in rows} == {"sourced", "derived", "assumption"}
    assert all(row["unit"] and row["source"] for row in rows)
    assert all(regimen.source for regimen in read_regimens().values())
    assert len({(row["drug"], row["name"]) for row in rows}) == len(rows)


def test_doses_of_a_regimen() -> None:
    assert make_doses(find_regimen("nivolumab_q2w"), until=42.0).days.tolist() == [0, 14, 28]
    assert make_doses(find_regimen("ipilimumab"), until=365.0, weight_kg=60.0).amounts.tolist() == [180.0] * 4
    assert make_doses(find_regimen("tremelimumab"), until=365.0, start=7.0).days.tolist() == [7.0]
    regorafenib = make_doses(find_regimen("regorafenib"), until=56.0).days
    assert set(range(56)) - {int(day) for day in regorafenib} == {*range(21, 28), *range(49, 56)}


def test_a_drug_or_regimen_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigError, match=r"no drug or regimen 'nothing'\. Known: nivolumab"):
        find_regimen("nothing")
    with pytest.raises(ConfigError, match="no drug of the model: nothing"):
        make_treatment(
            {
                "nothing": find_course(
                    read_drugs()["sorafenib"].kinetics,
                    make_doses(find_regimen("sorafenib"), until=1.0),
                    until=1.0,
                )
            },
            [0.0, 1.0],
        )


def test_deviates_move_kinetics_by_their_spread() -> None:
    drug = read_drugs()["nivolumab"]
    moved = find_kinetics(drug, {"clearance": 1.0, "flow": 1.0})
    assert moved.clearance == pytest.approx(0.2592 * np.exp(np.sqrt(0.157)), rel=1e-3)
    assert moved.flow == drug.kinetics.flow


def test_effects_at_the_average_level_are_those_of_the_table() -> None:
    drug = read_drugs()["lenvatinib"]
    average = 12.0 / drug.kinetics.clearance
    terms = np.zeros((1, 4, 2))
    terms[0, 0, 0] = average
    found = make_effects(0.0)
    find_effects(0.0, terms, np.zeros((1, PHASES.moments.size)), False, find_weights(drug)[None, :], found)
    first = found.reshape(COLUMNS, LANES)[:, 0]
    assert {name: first[EFFECTS.index(name)] for name in drug.effects} == pytest.approx(dict(drug.effects))


def test_a_treatment_has_the_levels_of_its_courses_at_every_stop() -> None:
    names = ["atezolizumab", "bevacizumab", "sorafenib"]
    courses = {
        name: find_course(
            read_drugs()[name].kinetics, make_doses(find_regimen(name), until=100.0), until=120.0, fast=True
        )
        for name in names
    }
    asked = [0.0, 42.0, 84.0, 120.0]
    treatment = make_treatment(courses, asked)
    assert treatment.times[list(treatment.asked)].tolist() == asked
    assert (np.diff(treatment.times) > 0).all()
    for i, course in enumerate(courses.values()):
        for k in range(treatment.times.size - 1):
            middle = (treatment.times[k] + treatment.times[k + 1]) / 2
            term = treatment.drugs.terms[k, i]
            level = (term[:, 0] * np.exp(-term[:, 1] * (middle - treatment.times[k]))).sum()
            assert level == pytest.approx(course.level([middle])[0], rel=1e-9, abs=1e-12)


def test_nothing_is_done_before_the_first_dose_and_no_drug_is_no_treatment(plain) -> None:
    params, state = plain
    course = find_course(
        read_drugs()["sorafenib"].kinetics,
        make_doses(find_regimen("sorafenib"), until=80.0, start=40.0),
        until=80.0,
        fast=True,
    )
    late = make_treatment({"sorafenib": course}, [0.0, 40.0, 80.0])
    none = make_treatment({}, [0.0, 40.0, 80.0])
    on = run_patient(state, params, late.times, drugs=late.drugs)
    off = run_patient(state, params, none.times, drugs=none.drugs)
    size_on, size_off = (run.output("whole_mm", lesion=0) for run in (on, off))
    assert size_on[late.asked[1]] == pytest.approx(size_off[1], rel=1e-6)
    assert size_on[late.asked[2]] < size_off[2]


@pytest.mark.parametrize(
    "name",
    [r.drug for r in read_regimens().values() if r.standard and read_drugs()[r.drug].kinetics.absorption],
)
def test_the_fast_mode_is_near_the_exact_mode_in_the_diameter(plain, name) -> None:
    """Phases of the day against dose by dose over a year: below 0.1 % of the baseline diameter (issue 5)."""
    params, state = plain
    drug = read_drugs()[name]
    doses = make_doses(find_regimen(name), until=365.0)
    sizes = []
    for fast in (True, False):
        course = find_course(drug.kinetics, doses, until=365.0, fast=fast)
        treatment = make_treatment({name: course}, np.arange(0.0, 365.0, 56.0))
        run = run_patient(state, params, treatment.times, drugs=treatment.drugs)
        shown = [run.output(size, lesion=0)[list(treatment.asked)] for size in ("whole_mm", "viable_mm")]
        sizes.append(np.concatenate(shown))
    assert np.abs(sizes[0] - sizes[1]).max() < 0.001 * sizes[0][0]


@pytest.mark.parametrize("name", ["lenvatinib", "sorafenib", "apatinib"])
def test_phases_of_the_day_are_the_levels_of_the_day(name) -> None:
    """On the plateau each phase has the level that the exact mode has at that time of the interval."""
    kinetics = read_drugs()[name].kinetics
    doses = make_doses(find_regimen(name), until=61.0)
    fast = find_course(kinetics, doses, until=61.0, fast=True)
    exact = find_course(kinetics, doses, until=61.0)
    when = 60 + PHASES.moments * (1 - 1e-12) * doses.every_days
    assert fast.level([60.0])[0] + fast.ripples[0] == pytest.approx(exact.level(when), rel=1e-6)
    assert PHASES.shares @ fast.ripples[0, :-1] == pytest.approx(0, abs=1e-4 * fast.level([60.0])[0])
