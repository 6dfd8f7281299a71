"""Ensemble Kalman inversion, against posteriors that are known exactly."""

import numpy as np
import pytest

from hccresist.overcome.inversion import contraction, draw_prior, find_step, update


def _invert(function, data, error, mean, spread, *, members=400, seed=1):
    step = draw_prior(mean, spread, members=members, seed=seed)
    while step.time < 1:
        step = update(step, function(step.members), data=data, error=error, seed=seed)
        assert step.number < 60
    return step.members


def test_linear_model_gives_the_exact_posterior() -> None:
    """Conjugate normal model; posterior from the textbook formula, not from the code under test."""
    rng = np.random.default_rng(3)
    design = rng.normal(size=(6, 3))
    mean, spread, error = np.zeros(3), np.array([1.0, 2.0, 0.5]), np.full(6, 0.3)
    truth = np.array([0.7, -1.5, 0.2])
    data = design @ truth + 0.3 * rng.normal(size=6)
    precision = np.diag(1 / spread**2) + design.T @ design / 0.3**2
    expected = np.linalg.solve(precision, design.T @ data / 0.3**2)
    deviation = np.sqrt(np.diag(np.linalg.inv(precision)))
    members = _invert(lambda x: x @ design.T, data, error, mean, spread, members=4000)
    np.testing.assert_allclose(members.mean(axis=0), expected, atol=0.2 * deviation.max())
    np.testing.assert_allclose(members.std(axis=0), deviation, rtol=0.1)


def test_what_the_data_do_not_touch_keeps_its_prior() -> None:
    members = _invert(lambda x: x[:, :1] ** 3, np.array([1.0]), np.array([0.05]), np.zeros(2), np.ones(2))
    told = contraction(np.ones(2), members)
    assert told[0] > 0.9
    assert abs(told[1]) < 0.2
    assert members[:, 0].mean() == pytest.approx(1.0, abs=0.1)


def test_members_that_cannot_be_simulated_are_set_anew() -> None:
    def broken(x):
        found = x.copy()
        found[x[:, 0] > 1.5] = np.nan
        return found

    members = _invert(broken, np.array([0.5]), np.array([0.1]), np.zeros(1), np.ones(1))
    assert np.isfinite(members).all()
    assert members.mean() == pytest.approx(0.5 / 1.01, abs=0.05)


def test_steps_never_take_in_more_than_all_data() -> None:
    outputs = np.random.default_rng(0).normal(size=(50, 4))
    assert 0 < find_step(outputs, np.zeros(4), np.ones(4), time=0.9) <= 0.1 + 1e-12
    assert find_step(outputs * 0 + 1e-9, np.zeros(4), np.ones(4), time=0.0) == 1.0
    assert find_step(outputs + 100, np.zeros(4), np.ones(4), time=0.0) < 0.01


def test_equal_for_equal_seeds() -> None:
    run = [
        _invert(lambda x: x, np.array([1.0]), np.array([0.2]), np.zeros(1), np.ones(1), seed=seed)
        for seed in (5, 5, 6)
    ]
    np.testing.assert_array_equal(run[0], run[1])
    assert not np.array_equal(run[0], run[2])
