"""The ensemble smoother, against posteriors that are known exactly and truths that are known."""

import numpy as np
import pytest

from hccresist.overcome.smoother import contraction, draw, draw_prior, learn, shrink


def simulate(points, slope, *, chance, seed):
    """Numbers of a linear simulator with chance."""
    noise = np.random.default_rng(seed).normal(size=(len(points), slope.shape[1]))
    return points @ slope + chance * noise


def test_a_linear_model_gives_the_exact_posterior() -> None:
    """Conjugate normal model; posterior from the textbook formula, not from the code under test."""
    rng = np.random.default_rng(3)
    slope = rng.normal(size=(3, 6))
    spread, error, chance = np.array([1.0, 2.0, 0.5]), np.full(6, 0.5), np.full(6, 0.3)
    data = np.array([0.7, -1.5, 0.2]) @ slope + 0.5 * rng.normal(size=6)
    noise = 0.5**2 + 0.3**2
    precision = np.diag(1 / spread**2) + slope @ slope.T / noise
    expected = np.linalg.solve(precision, slope @ data / noise)
    members = draw_prior(np.zeros(3), spread, members=4000, seed=1)
    found = learn(members, simulate(members, slope, chance=chance, seed=2), data, error=error, chance=chance)
    deviation = np.sqrt(np.diag(np.linalg.inv(precision)))
    np.testing.assert_allclose(found.mean, expected, atol=0.15 * deviation.max())
    np.testing.assert_allclose(found.deviations, deviation, rtol=0.1)
    np.testing.assert_allclose(found.covariance, np.linalg.inv(precision), atol=0.05)


@pytest.mark.parametrize("sets", [40, 150])
def test_few_sets_do_not_make_it_sure_of_what_the_numbers_do_not_tell(sets) -> None:
    """Thirty parameters, of which numbers follow two, and few sets: chance must not be taken for knowledge.

    Truths are new: 90 % intervals hold nine of ten of them, parameters without influence among them.
    """
    rng = np.random.default_rng(0)
    slope = np.zeros((30, 60))
    slope[:2] = rng.normal(size=(2, 60)) * 0.5
    error, chance = np.full(60, 0.3), np.full(60, 0.4)
    members = draw_prior(np.zeros(30), np.ones(30), members=sets, seed=4)
    outputs = simulate(members, slope, chance=chance, seed=5)
    inside, errors = list[np.ndarray](), list[np.ndarray]()
    for k in range(30):
        truth = rng.normal(size=30)
        data = truth @ slope + error * rng.normal(size=60)
        found = learn(members, outputs, data, error=error, chance=chance)
        inside.append(np.abs(truth - found.mean) <= 1.645 * found.deviations)
        errors.append(np.abs(truth - found.mean))
        if k == 0:
            told = 1 - found.deviations**2
            assert (told[:2] > 0.5).all()
            assert told[2:].mean() < 0.15
    assert 0.85 <= np.mean(inside) <= 0.96
    assert np.mean(errors, axis=0)[:2].mean() < 0.5
    assert np.mean(errors, axis=0)[2:].mean() < 1.1 * np.sqrt(2 / np.pi)


def test_errors_are_those_of_regressions_that_have_not_seen_the_set() -> None:
    """Leaving a set out by hand, at the penalty chosen for all, moves its error by next to nothing."""
    rng = np.random.default_rng(8)
    slope, error, chance = rng.normal(size=(1, 5)), np.full(5, 0.1), np.full(5, 1.0)
    members = draw_prior(np.zeros(1), np.ones(1), members=60, seed=1)
    outputs = simulate(members, slope, chance=chance, seed=2)
    whole = learn(members, outputs, np.zeros(5), error=error, chance=chance)
    for k in (3, 17):
        rest = np.arange(60) != k
        left = learn(members[rest], outputs[rest], outputs[k], error=error, chance=chance)
        assert members[k, 0] - left.mean[0] == pytest.approx(whole.errors[k, 0], abs=0.12)


def test_a_parameter_of_one_drug_listens_to_its_own_arms() -> None:
    """Its own two numbers among 200: with them named the error is smaller than without."""
    rng = np.random.default_rng(6)
    members = draw_prior(np.zeros(2), np.ones(2), members=100, seed=3)
    slope = np.zeros((2, 200))
    slope[0, :2], slope[1] = 1.0, rng.normal(size=200)
    error, chance = np.full(200, 0.3), np.full(200, 0.5)
    outputs = simulate(members, slope, chance=chance, seed=4)
    own = np.ones((2, 200), dtype=bool)
    own[0, 2:] = False
    named, unnamed = (
        learn(members, outputs, np.zeros(200), error=error, chance=chance, own=mine) for mine in (own, None)
    )
    assert named.deviations[0] < 0.85 * unnamed.deviations[0]
    assert named.deviations[1] == pytest.approx(unnamed.deviations[1])


def test_members_that_cannot_be_simulated_are_left_out() -> None:
    members = draw_prior(np.zeros(1), np.ones(1), members=50, seed=3)
    outputs = members.copy()
    kept = members[:, 0] < 1.0
    outputs[~kept] = np.nan
    found = learn(members, outputs, np.array([0.3]), error=np.array([0.1]), chance=np.array([0.01]))
    same = learn(
        members[kept], outputs[kept], np.array([0.3]), error=np.array([0.1]), chance=np.array([0.01])
    )
    np.testing.assert_array_equal(found.mean, same.mean)
    assert found.mean[0] == pytest.approx(0.3, abs=0.02)
    with pytest.raises(ValueError, match="fewer than three"):
        learn(members[:2], outputs[:2], np.zeros(1), error=np.ones(1), chance=np.ones(1))


def test_shrinking_draws_correlations_of_chance_to_zero_and_leaves_true_ones() -> None:
    """Against the plain covariance, which many samples make right."""
    rng = np.random.default_rng(1)
    few = rng.normal(size=(30, 20))
    off = ~np.eye(20, dtype=bool)
    plain = few.T @ few / len(few)
    assert np.abs(shrink(few)[off]).mean() < 0.3 * np.abs(plain[off]).mean()
    np.testing.assert_allclose(np.diag(shrink(few)), np.diag(plain))
    many = rng.normal(size=(5000, 3)) @ rng.normal(size=(3, 3))
    plain = many.T @ many / len(many)
    np.testing.assert_allclose(shrink(many), plain, rtol=0.02, atol=0.02)


def test_draws_have_the_mean_and_covariance_that_were_learnt() -> None:
    rng = np.random.default_rng(2)
    members = draw_prior(np.zeros(4), np.ones(4), members=200, seed=1)
    slope, error = rng.normal(size=(4, 9)), np.full(9, 0.5)
    outputs = simulate(members, slope, chance=0.5, seed=2)
    found = learn(members, outputs, np.ones(9), error=error, chance=error)
    drawn = draw(found, members=50, number=1, seed=3)
    np.testing.assert_allclose(drawn.mean(axis=0), found.mean, atol=1e-9)
    np.testing.assert_allclose(np.cov(drawn.T), found.covariance, atol=1e-9)
    np.testing.assert_array_equal(drawn, draw(found, members=50, number=1, seed=3))
    assert not np.array_equal(drawn, draw(found, members=50, number=1, seed=4))
    assert not np.array_equal(drawn, draw(found, members=50, number=2, seed=3))


def test_what_the_data_do_not_touch_keeps_its_prior() -> None:
    members = draw_prior(np.zeros(2), np.ones(2), members=300, seed=1)
    outputs = simulate(members, np.array([[1.0], [0.0]]), chance=0.05, seed=2)
    found = learn(members, outputs, np.array([1.0]), error=np.array([0.05]), chance=np.array([0.05]))
    told = contraction(np.ones(2), draw(found, members=500, number=1, seed=1))
    assert told[0] > 0.9
    assert abs(told[1]) < 0.1
    assert found.mean[0] == pytest.approx(1.0, abs=0.1)
