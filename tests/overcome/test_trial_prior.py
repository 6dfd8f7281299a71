"""Patients of later lines: enrolled where the earlier line failed, with what it left, no memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hccresist.errors import ConfigError
from hccresist.overcome.dosing import find_weights, read_drugs, scale_drug, split_values
from hccresist.overcome.engine import Job, run_population, settle
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.plan import Given
from hccresist.overcome.population import (
    SLOTS,
    draw_population,
    read_correlations,
    read_traits,
    scale_population,
)
from hccresist.overcome.rng import TWIN, Purpose, draw_uniform
from hccresist.overcome.trial_file import find_spec, parse_spec
from hccresist.overcome.trial_members import make_pool, run_members
from hccresist.overcome.trial_prior import SCANS, end_line, find_progression, run_line
from hccresist.overcome.trial_run import run_replicate

SORAFENIB = (("sorafenib_bid",), 0.0)


@pytest.fixture(scope="module")
def line():
    people = draw_population(np.arange(120), mixed=True, seed=3)
    start = settle(people, threads=1)
    return run_line(people, start, regimens=["sorafenib_bid"], factors={}, threads=1, seed=3)


def test_progression_is_that_of_recist(line) -> None:
    """A plain reading of RECIST 1.1, patient by patient, against the arrays."""
    at, failed = find_progression(line)
    own = line.population.lesions
    for i in range(len(own)):
        sums, first = [], None
        for k in range(len(SCANS)):
            if not np.isfinite(line.shown[i, k, 0]):
                break
            sizes = [np.nan_to_num(line.output("whole_mm", slot=s)[i, k]) for s in range(SLOTS)]
            sums.append(sum(sizes[: own[i]]))
            grown = sums[-1] >= 1.2 * min(sums) and sums[-1] - min(sums) >= 5.0
            if k and (grown or max([*sizes[own[i] :], 0.0]) >= 10.0):
                first = k
                break
        assert (first is not None) == failed[i]
        assert first is None or first == at[i]


def test_who_is_enrolled_is_as_the_earlier_line_left_them(line) -> None:
    later, (state, _, _), fit = end_line(line, seed=3)
    at, failed = find_progression(line)
    assert 0.1 < fit.mean() < 0.95
    assert not (fit & ~failed).any()
    rows = np.flatnonzero(fit)
    whole = np.stack([line.output("whole_mm", slot=s)[rows, at[rows]] for s in range(SLOTS)], axis=1)
    np.testing.assert_array_equal(later.diameters[rows], np.nan_to_num(whole))
    assert (later.lesions[rows] == (later.diameters[rows] > 0).sum(axis=1)).all()
    assert (line.ended[rows] >= np.array(SCANS)[at[rows]]).all()
    liver = read_model().patient.states.index("liver")
    assert (state[rows, liver] >= 0.5).all()


def test_hazards_have_no_memory(line) -> None:
    """Who was not reached by day t has threshold less hazard left; the next new lesion is the next one."""
    later, (state, _, _), fit = end_line(line, seed=3)
    at, _ = find_progression(line)
    states = read_model().patient.states
    before = line.population.thresholds
    for i in np.flatnonzero(fit):
        death = line.path[i, at[i], states.index("hazard_death")]
        assert later.thresholds[i, 0] == pytest.approx(before[i, 0] - death)
        assert later.thresholds[i, 0] > 0
        new = later.lesions[i] - line.population.lesions[i]
        hazard = line.path[i, at[i], states.index("hazard_new")]
        if 2 + new < before.shape[1]:
            assert later.thresholds[i, 2] == pytest.approx(before[i, 2 + new] - hazard)
    for name in ("hazard_death", "hazard_dropout", "hazard_new"):
        assert (state[:, states.index(name)] == 0).all()


def test_clones_that_tolerate_the_drug_are_more_after_it(line) -> None:
    """What an earlier kinase inhibitor is known for: it selects what tolerates it."""
    later, start, fit = end_line(line, seed=3)
    names = read_model().lesion.states
    offset = len(read_model().patient.states)

    def share(states):
        sensitive = states[:, offset + names.index("sensitive")]
        tolerant = states[:, offset + names.index("tolerant")]
        return np.median((tolerant / (tolerant + sensitive))[fit])

    assert share(start[0]) > 1.5 * share(line.path[:, 0])
    assert later.lesions.max() <= SLOTS


def test_intolerant_patients_leave_early(line) -> None:
    _, _, failed = end_line(line, seed=3)
    _, _, more = end_line(line, intolerant=0.5, seed=3)
    assert more.sum() > failed.sum()


def test_a_trial_of_a_later_line_runs_and_reads_as_any_other() -> None:
    text = """
name = "second"
[[arms]]
name = "placebo"
n = 25
prior = ["sorafenib"]
prior_intolerant = 0.2
"""
    spec = parse_spec(text)
    assert spec.arms[0].prior == ("sorafenib_bid",)
    found = run_replicate(spec, 0, keep=True, threads=1)
    assert found.tables is not None
    first = found.tables["lesions"].filter(found.tables["lesions"]["day"] <= 0)
    assert set(first["role"].unique()) <= {"target", "nontarget"}
    assert first.filter(first["role"] == "target")["longest_mm"].min() > 9.0
    with pytest.raises(Exception, match="sorafenibb"):
        parse_spec(text.replace('"sorafenib"', '"sorafenibb"'))


def test_members_with_equal_parameters_give_equal_numbers() -> None:
    """Twins: the same patients under other numbers."""
    spec = replace(find_spec("REFLECT"), arms=tuple(replace(a, n=25) for a in find_spec("REFLECT").arms))
    pools = [
        make_pool(values, [((), 0.0)], size=250, threads=1)
        for values in ({}, {"growth_rate": 0.012}, {"growth_rate": 0.02})
    ]
    wanted = [
        ("REFLECT_lenvatinib", None, "ORR", "RECIST 1.1"),
        ("REFLECT_lenvatinib", None, "mPFS", "mRECIST"),
        ("REFLECT_lenvatinib", None, "OS_12mo", None),
        ("REFLECT_lenvatinib", "REFLECT_sorafenib", "HR_OS", None),
    ]
    rows = run_members(spec, pools, wanted, threads=1)
    values = [rows.filter(rows["member"] == k)["value"].to_list() for k in range(3)]
    assert values[0] == values[1] != values[2]
    assert rows["n"].drop_nulls().min() >= 20


def test_a_pool_knows_no_eligibility() -> None:
    with pytest.raises(ConfigError, match="eligibility"):
        run_members(find_spec("REACH-2"), [], [])


def test_twins_draw_the_same() -> None:
    one, two = (draw_uniform(np.array([7 + k * TWIN]), Purpose.DEATH, 3, seed=1) for k in (0, 5))
    np.testing.assert_array_equal(one, two)


def test_scaled_patients_are_those_drawn_with_the_values() -> None:
    values = {"growth_rate": 0.02, "death_rate": 0.001, "exhaustion_rate": 0.03}
    numbers = np.arange(40)
    drawn = draw_population(numbers, values=values, mixed=True, seed=2)
    scaled = scale_population(draw_population(numbers, mixed=True, seed=2), values)
    np.testing.assert_allclose(scaled.params, drawn.params, rtol=1e-12)
    with pytest.raises(ConfigError, match="h_abc"):
        scale_population(drawn, {"h_abc": 1.0})


def test_what_is_correlated_is_so_and_keeps_its_own_distribution() -> None:
    """The correlations of the table come out, within four standard errors; shares and spreads stay."""
    n = 20_000
    people = draw_population(np.arange(n), seed=9)
    model = read_model()
    patient, lesion = model.names("patient"), model.names("lesion")
    spreads = {parameter.name: parameter.spread for parameter in model.parameters}

    def deviates(name):
        if name in people.traits:
            return None
        at = patient.index(name) if name in patient else len(patient) + lesion.index(name)
        logs = np.log(people.params[:, at])
        return (logs - np.median(logs)) / spreads[name]

    assert read_correlations()
    for link in read_correlations().values():
        first, second = deviates(link.first), deviates(link.second)
        if second is None:
            has = people.traits[link.second]
            gap = first[has].mean() - first[~has].mean()
            assert gap * link.correlation > 0
            continue
        assert second.std() == pytest.approx(1.0, abs=0.03)
        assert np.corrcoef(first, second)[0, 1] == pytest.approx(link.correlation, abs=0.03)
    for name in ("ecog1", "mvi", "ehs"):
        assert people.traits[name].mean() == pytest.approx(read_traits()[name].number, abs=0.015)


def test_a_factor_makes_a_drug_more_potent() -> None:
    """Twice the effect of sorafenib on vessels is twice `inhibit_vegfr` at the same level."""
    drug = read_drugs()["sorafenib"]
    names = [exposure.name for exposure in read_model().exposures]
    plain, twice = find_weights(drug), find_weights(scale_drug(drug, {"sorafenib.inhibit_vegfr": 2.0}))
    at = names.index("inhibit_vegfr")
    assert twice[at] == pytest.approx(2 * plain[at])
    assert np.delete(twice, at).tolist() == np.delete(plain, at).tolist()
    antibody = read_drugs()["bevacizumab"]
    more = find_weights(scale_drug(antibody, {"bevacizumab.block_vegf": 2.0, "sorafenib.dose_kill": 9.0}))
    assert more == pytest.approx(2 * find_weights(antibody))
    with pytest.raises(ConfigError, match="no effect of a drug"):
        split_values({"sorafenib.growth": 1.0})
    with pytest.raises(ConfigError, match="factor of"):
        split_values({"sorafenib.dose_kill": 0.0})


def test_a_factor_reaches_the_patients() -> None:
    people = draw_population(np.arange(6), seed=1)
    start = settle(people, threads=1)

    def size(values):
        job = Job((Given("lenvatinib"),), (0.0, 112.0), until=112.0, values=values, seed=1)
        return run_population(job, people, start=start, threads=1).output("whole_mm", slot=0)[:, 1]

    plain, weak = size({}), size({"lenvatinib.inhibit_vegfr": 0.05, "lenvatinib.dose_kill": 0.05})
    kept = np.isfinite(plain) & np.isfinite(weak)
    assert kept.any()
    assert (weak[kept] > plain[kept]).all()
