"""Latent numbers give the population of the model: its tables, its drawing, and the patient's baseline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import ks_2samp, norm

from hccresist.overcome.model.parameters import read_handles, read_model
from hccresist.overcome.population import (
    draw_population,
    read_correlations,
    read_prevalence,
    read_traits,
)
from hccresist.overcome.prevalence_weights import find_deviates, read_weighting
from hccresist.overcome.twin_data import Baseline, Case, Reading
from hccresist.overcome.twin_latent import Space, find_columns
from hccresist.overcome.twin_signs import read_setting

COUNT = 4000
CASE = Case(patient_id="A", day=0.0, baseline=Baseline((40.0, 20.0), 2, 60.0))


@pytest.fixture(scope="module")
def space() -> Space:
    return Space([{}])


@pytest.fixture(scope="module")
def z(space: Space) -> np.ndarray:
    return np.random.default_rng(5).standard_normal((COUNT, space.size))


def build(space: Space, z: np.ndarray, *cases: Case, owner: np.ndarray | None = None):
    zeros = np.zeros(len(z), dtype=np.int64)
    return space.build(z, cases, owner=zeros if owner is None else owner, member=zeros, number=zeros)


def test_every_parameter_is_distributed_as_the_model_draws_it(space: Space, z: np.ndarray) -> None:
    """Two-sample Kolmogorov-Smirnov against `draw_population`, one column of each parameter that varies."""
    made, drawn = build(space, z, CASE), draw_population(np.arange(2000), mixed=True, seed=1)
    for block in space.blocks:
        column = block.columns[0]
        assert ks_2samp(made.params[:, column], drawn.params[:, column]).pvalue > 1e-4, block.parameter.name
    assert ks_2samp(made.clones[:, 0], drawn.clones[:, 0]).pvalue > 1e-4
    assert ks_2samp(made.weight_kg, drawn.weight_kg).pvalue > 1e-4


def test_what_is_fixed_stays_as_in_the_table(space: Space, z: np.ndarray) -> None:
    made, names = build(space, z[:50], CASE), read_model().names("patient")
    for parameter in read_model().parameters:
        if parameter.distribution == "fixed" and parameter.scope == "patient":
            assert set(made.params[:, names.index(parameter.name)]) == {parameter.value}, parameter.name


def test_handles_are_on_as_often_as_the_table_says(space: Space, z: np.ndarray) -> None:
    shares = space.find_on(z).mean(axis=0)
    for name, share in zip(space.handles, shares, strict=True):
        assert share == pytest.approx(read_prevalence()[name], abs=4 * np.sqrt(0.25 / COUNT)), name


def test_a_handle_that_is_on_has_about_its_typical_size(space: Space, z: np.ndarray) -> None:
    made, names = build(space, z, CASE), read_model().names("patient")
    for handle in read_handles():
        if handle.handle not in space.handles:
            continue
        name = handle.parameters[0]
        column = names.index(name) if name in names else int(find_columns(name)[0])
        values, on = made.params[:, column], space.find_on(z)[:, space.handles.index(handle.handle)]
        assert np.all(values[~on] == 0)
        assert np.exp(np.log(values[on]).mean()) == pytest.approx(handle.typical, rel=0.1)


def test_parameters_that_go_together_do(space: Space, z: np.ndarray) -> None:
    known = {block.parameter.name for block in space.blocks}
    links = [link for link in read_correlations().values() if link.second in known]
    followed = space.follow(z)
    for link in links:
        first, second = followed[:, space.find(link.first)][:, 0], followed[:, space.find(link.second)][:, 0]
        assert np.corrcoef(first, second)[0, 1] == pytest.approx(link.correlation, abs=0.06)
        assert second.std() == pytest.approx(1.0, abs=0.05)


def test_baseline_is_the_patients_with_the_error_of_a_reading(space: Space, z: np.ndarray) -> None:
    made = build(space, z, CASE)
    assert set(made.lesions) == {2}
    errors = np.log(made.diameters[:, :2] / np.array([40.0, 20.0]))
    assert errors.std(axis=0) == pytest.approx([read_setting("whole_noise")] * 2, rel=0.05)
    assert errors.mean(axis=0) == pytest.approx([0.0, 0.0], abs=0.004)
    assert np.all(made.diameters[:, 2:] == 0)


def test_a_sum_alone_is_shared_out(space: Space, z: np.ndarray) -> None:
    made = build(space, z, Case(patient_id="A", day=0.0, baseline=Baseline((), 3, 90.0)))
    assert set(made.lesions) == {3}
    assert np.exp(np.log(made.diameters.sum(axis=1)).mean()) == pytest.approx(90.0, rel=0.01)
    drawn = build(space, z, Case(patient_id="A", day=0.0, baseline=Baseline((), 0, 90.0)))
    assert set(drawn.lesions) == {1, 2, 3, 4, 5}


def test_what_is_known_of_the_patient_is_kept(space: Space, z: np.ndarray) -> None:
    case = replace(CASE, aetiology=2, weight_kg=80.0)
    made = build(space, z, case, replace(case, aetiology=0), owner=np.arange(COUNT) % 2)
    at = read_model().names("patient").index("h_aetiology")
    assert set(made.aetiology[::2]) == {2}
    assert set(made.params[::2, at]) == {read_traits()["nonviral_priming"].number}
    assert set(made.params[1::2, at]) == {0.0}
    assert set(made.weight_kg) == {80.0}


def test_first_albi_sets_the_liver(space: Space, z: np.ndarray) -> None:
    """A worse first ALBI means less reserve; none leaves the table's value."""
    names = read_model().names("patient")
    at = names.index("liver_best")
    worse, better = (
        build(space, z[:5], replace(CASE, readings=(Reading(0.0, "albi", value),))).params[:, at]
        for value in (-1.8, -2.6)
    )
    table = next(each.value for each in read_model().parameters if each.name == "liver_best")
    assert np.all(worse < better)
    assert set(build(space, z[:5], CASE).params[:, at]) == {table}


def test_chance_of_a_trait_averages_to_its_share(space: Space) -> None:
    """Law of total probability: over the parameter that it follows, the trait's share (quadrature)."""
    links = [link for link in read_correlations().values() if link.second in ("ecog1", "mvi", "ehs")]
    for link in links:

        def chance(value: float, link=link) -> float:
            z = np.zeros((1, space.size))
            z[:, space.find(link.first)] = value
            return float(np.exp(space.weigh_traits(z, {link.second: True})[0]))

        total, _ = quad(lambda value, chance=chance: chance(value) * norm.pdf(value), -8, 8, epsabs=1e-6)
        assert total == pytest.approx(read_traits()[link.second].number, abs=1e-4)
        both = chance(1.0) + float(
            np.exp(space.weigh_traits(_at(space, link.first, 1.0), {link.second: False})[0])
        )
        assert both == pytest.approx(1.0)


def _at(space: Space, name: str, value: float) -> np.ndarray:
    z = np.zeros((1, space.size))
    z[:, space.find(name)] = value
    return z


def test_odds_of_tissue_count_where_the_handle_is_on(space: Space, z: np.ndarray) -> None:
    """Bayes by hand: odds of the prevalence times ten."""
    share = space.find_on(z)[:, space.handles.index("exclusion")].mean()
    weights = np.exp(space.weigh_handles(z, {"exclusion": np.log(10.0)}))
    after = weights @ space.find_on(z)[:, space.handles.index("exclusion")] / weights.sum()
    assert after / (1 - after) == pytest.approx(10 * share / (1 - share))


def test_members_of_an_ensemble_set_typical_values(z: np.ndarray) -> None:
    """A value moves its log-normal parameter by its ratio to the table's."""
    two = Space([{}, {"hypoxic_death_max": 0.038, "sorafenib.dose_kill": 1.5}])
    assert two.factors == ({}, {"sorafenib.dose_kill": 1.5})
    column = read_model().names("patient").index("hypoxic_death_max")
    table = next(each.value for each in read_model().parameters if each.name == "hypoxic_death_max")
    zeros = np.zeros(10, dtype=np.int64)
    first, second = (
        two.build(z[:10], [CASE], owner=zeros, member=zeros + m, number=zeros).params[:, column]
        for m in (0, 1)
    )
    assert second / first == pytest.approx(0.038 / table)


def test_the_chance_to_be_found_is_that_of_the_weighting_on_the_patients_made(z: np.ndarray) -> None:
    """What `prevalence_weights` says of the population, set by set; all are found where there is none."""
    weighted = {"growth_rate": 0.01, "traffic": 0.05, "enrolled.traffic": 3.0, "enrolled.prime_rate": 0.5}
    weighted["enrolled.level"] = 0.8
    both = Space([weighted, {}])
    some, member = z[:200], np.arange(200) % 2
    made = both.build(some, [CASE], owner=np.zeros(200, dtype=np.int64), member=member, number=member)
    weighting = read_weighting(weighted)
    assert weighting is not None
    chances = weighting.find_chances(find_deviates(made, both.values[0]))
    found = both.find_chance(some, member)
    assert np.exp(found[::2]) == pytest.approx(chances[::2], rel=1e-9)
    assert (found[1::2] == 0).all()
    assert chances[::2].std() > 0.1
