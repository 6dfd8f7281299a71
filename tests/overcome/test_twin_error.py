"""The error between readings and the model, against SciPy and joint normal distributions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from hccresist.overcome.twin_error import Error, find_error
from hccresist.overcome.twin_signs import read_setting

DAYS = np.array([0.0, 42.0, 100.0, 180.0])
ERROR = Error(noise=0.1, offset=0.2, drift=0.15)


def test_density_is_that_of_scipy() -> None:
    residuals = np.array([[0.1, -0.2, 0.3, 0.0], [0.0, 0.0, 0.0, 0.0]])
    other = multivariate_normal(np.zeros(4), ERROR.covariance(DAYS)).logpdf(residuals)
    mine = ERROR.weigh(DAYS, residuals)
    assert mine[0] - mine[1] == pytest.approx(other[0] - other[1])


def test_covariance_by_hand() -> None:
    """Day 42: 0.15² x 42 / 84 + 0.2² + 0.1²; between days 42 and 100 the walk to day 42 and the offset."""
    made = ERROR.covariance(DAYS)
    assert made[1, 1] == pytest.approx(0.0225 * 0.5 + 0.04 + 0.01)
    assert made[1, 2] == pytest.approx(0.0225 * 0.5 + 0.04)
    assert made[0, 3] == pytest.approx(0.04)


def test_what_is_carried_on_is_the_conditional_normal() -> None:
    """Drawn jointly by its definition (walk, offset, noise), then regressed by least squares."""
    error, days = Error(noise=0.1, offset=0.0, drift=0.3), np.array([42.0, 84.0])
    rng = np.random.default_rng(3)
    steps = rng.standard_normal((200_000, 2)) * np.sqrt(error.pace * np.array([42.0, 42.0]))
    walk = np.cumsum(steps, axis=1)
    residuals = walk + 0.1 * rng.standard_normal(walk.shape)
    slopes, *_ = np.linalg.lstsq(residuals, walk[:, 1], rcond=None)
    mean, variance = error.carry_on(days, np.eye(2))
    assert mean == pytest.approx(slopes, abs=0.01)
    assert variance == pytest.approx(np.var(walk[:, 1] - residuals @ slopes), rel=0.02)


def test_without_readings_nothing_is_carried_on() -> None:
    mean, variance = ERROR.carry_on(np.zeros(0), np.zeros((3, 0)))
    assert mean.tolist() == [0.0] * 3
    assert variance == 0.0


def test_a_sum_of_many_lesions_is_read_better() -> None:
    """Four equal lesions with independent errors: half the error of one."""
    one, four = find_error("whole", sizes=(40.0,)), find_error("whole", sizes=(40.0,) * 4)
    assert four.noise == pytest.approx(one.noise / 2)
    assert one.noise == read_setting("whole_noise")
    assert find_error("afp", sizes=(40.0,) * 4).noise == read_setting("afp_noise")
