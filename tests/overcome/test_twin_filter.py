"""The sampler of the twin, against posteriors that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hccresist.overcome.twin_filter import (
    Found,
    count_effective,
    draw_again,
    find_power,
    make_generator,
    make_weights,
    sample,
)

Array = NDArray[np.float64]


def weigh_normal(values: Array, sd: float) -> object:
    """Likelihood of one reading of the first latent number of each patient, normal."""

    def weigh(z: Array, number: Array, owner: Array) -> tuple[Array, dict[str, Array]]:
        loglik = -0.5 * ((values[owner] - z[:, 0]) / sd) ** 2
        return loglik, {"first": z[:, 0].copy(), "owner": owner.astype(float)}

    return weigh


def run(values: list[float], *, sd: float = 0.5, particles: int = 4000, seed: int = 1) -> Found:
    names = [f"P{i}" for i in range(len(values))]
    return sample(names, weigh_normal(np.array(values), sd), size=3, particles=particles, seed=seed)


def test_the_chance_to_be_found_belongs_to_the_prior() -> None:
    """Prior and posterior against quadrature of normal density, chance and likelihood."""

    def chance(z: Array, number: Array) -> Array:
        return np.minimum(1.5 * z[:, 0] - 0.5, 0.0)

    made = sample(["P"], weigh_normal(np.array([-1.0]), 0.7), size=3, particles=6000, chance=chance, seed=5)
    x = np.linspace(-6, 6, 4001)
    for cloud, likelihood in ((made.prior, 1.0), (made.posterior, np.exp(-0.5 * ((-1.0 - x) / 0.7) ** 2))):
        density = np.exp(-0.5 * x**2 + np.minimum(1.5 * x - 0.5, 0.0)) * likelihood
        density /= density.sum()
        mean = float(density @ x)
        sd = float(np.sqrt(density @ (x - mean) ** 2))
        seen = cloud.z[0, :, 0]
        assert cloud.weights[0] @ seen == pytest.approx(mean, abs=0.06)
        assert np.sqrt(cloud.weights[0] @ (seen - mean) ** 2) == pytest.approx(sd, rel=0.06)


def test_two_virtual_patients_weigh_as_bayes_has_it() -> None:
    """By hand: likelihoods 0.2 and 0.6 under equal priors give 1/4 and 3/4."""
    weights = make_weights(np.log(np.array([0.2, 0.6])))
    assert weights == pytest.approx([0.25, 0.75])
    assert count_effective(weights) == pytest.approx(1 / (0.25**2 + 0.75**2))


@settings(deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30), st.floats(-1e3, 1e3))
def test_weights_sum_to_one_and_a_constant_changes_nothing(logs: list[float], constant: float) -> None:
    weights = make_weights(np.array(logs))
    assert weights.sum() == pytest.approx(1.0)
    assert 1.0 - 1e-9 <= count_effective(weights) <= len(logs) + 1e-6
    assert make_weights(np.array(logs) + constant) == pytest.approx(weights, abs=1e-9)


def test_impossible_virtual_patients_weigh_nothing_unless_all_are() -> None:
    assert make_weights(np.array([-np.inf, 0.0])).tolist() == [0.0, 1.0]
    assert make_weights(np.array([-np.inf, -np.inf])).tolist() == [0.5, 0.5]


@settings(deadline=None)
@given(st.permutations(range(6)))
def test_weights_go_with_their_virtual_patients(order: list[int]) -> None:
    logs = np.array([0.0, -1.0, -2.0, 0.5, -0.3, -9.0])
    assert make_weights(logs[order]) == pytest.approx(make_weights(logs)[order])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-50, 0), min_size=4, max_size=20), st.floats(0.0, 0.9))
def test_the_next_power_keeps_the_effective_number(logs: list[float], power: float) -> None:
    loglik, wanted = np.array(logs), 0.5 * len(logs)
    new = find_power(loglik, power, wanted=wanted)
    assert power <= new <= 1.0
    effective = count_effective(make_weights((new - power) * loglik))
    assert effective >= wanted * 0.999 if new == 1.0 else effective == pytest.approx(wanted, rel=1e-3)


def test_drawing_again_is_even() -> None:
    """Systematic resampling: each comes as often as its weight says, up to one."""
    weights = np.array([0.5, 0.3, 0.2])
    counts = np.bincount(draw_again(weights, 10, 0.37), minlength=3)
    assert np.all(np.abs(counts - 10 * weights) < 1.0)


def test_posterior_is_the_conjugate_one() -> None:
    """Normal prior and likelihood: mean y / (1 + sd²), variance sd² / (1 + sd²) (any textbook)."""
    found = run([1.5, -2.5])
    for c, value in enumerate((1.5, -2.5)):
        z, weights = found.posterior.z[c, :, 0], found.posterior.weights[c]
        mean = float(weights @ z)
        assert mean == pytest.approx(value / 1.25, abs=0.05)
        assert float(weights @ (z - mean) ** 2) == pytest.approx(0.25 / 1.25, rel=0.12)
        other = found.posterior.z[c, :, 1]
        assert float(weights @ other) == pytest.approx(0.0, abs=0.08)
        assert other.std() == pytest.approx(1.0, abs=0.08)


def test_what_is_kept_goes_with_its_virtual_patient() -> None:
    found = run([1.5, -2.5], particles=300)
    for cloud in (found.prior, found.posterior):
        assert np.array_equal(cloud.kept["first"], cloud.z[:, :, 0])
        assert np.array_equal(cloud.kept["owner"], np.repeat([[0.0], [1.0]], 300, axis=1))
        assert cloud.weights.sum(axis=1) == pytest.approx([1.0, 1.0])


def test_a_surprising_reading_leaves_fewer_and_a_sharper_one_narrows() -> None:
    far, near = run([4.0], particles=500), run([0.0], particles=500)
    assert far.direct[0] < near.direct[0]
    wide, narrow = run([0.5], sd=1.0, particles=2000), run([0.5], sd=0.2, particles=2000)
    assert narrow.posterior.z[0, :, 0].std() < wide.posterior.z[0, :, 0].std() < 1.0


def test_same_seed_same_result_and_others_change_nothing() -> None:
    both, again = run([1.0, -1.0], particles=200), run([1.0, -1.0], particles=200)
    assert np.array_equal(both.posterior.z, again.posterior.z)
    alone = sample(["P1"], weigh_normal(np.array([-1.0]), 0.5), size=3, particles=200, seed=1)
    assert np.array_equal(alone.posterior.z[0], both.posterior.z[1])
    assert not np.array_equal(run([1.0, -1.0], particles=200, seed=2).posterior.z, both.posterior.z)


def test_random_numbers_hang_on_the_name() -> None:
    first = make_generator("A", seed=0).random(3)
    assert np.array_equal(first, make_generator("A", seed=0).random(3))
    assert not np.array_equal(first, make_generator("B", seed=0).random(3))


def test_copies_count_as_one() -> None:
    assert count_effective(np.full(4, 0.25), np.array([1, 1, 2, 2])) == pytest.approx(2.0)
