"""Readings of diameters against what was published of reading the same lesion twice."""

from __future__ import annotations

import numpy as np
import pytest

from hccresist.overcome.reading import READING_LIMIT, draw_readings, shape_readings


@pytest.fixture(scope="module")
def change() -> np.ndarray:
    """Relative change between two readings of lesions that do not change."""
    first, second = draw_readings(np.arange(50_000), np.arange(4), seed=3).reshape(-1, 2).T
    return second / first - 1


def test_limits_of_agreement_are_those_of_a_meta_analysis(change) -> None:
    low, high = np.quantile(change, [0.025, 0.975])  # Yoon 2016: -17.8 to +16.1 %
    assert -0.178 <= low <= -0.13
    assert 0.14 <= high <= 0.19


def test_two_scans_within_fifteen_minutes_differ_as_published(change) -> None:
    # Oxnard 2011, 30 patients, three readers: PMID 21730273.
    assert np.median(change[change > 0]) == pytest.approx(0.043, abs=0.003)
    assert np.median(change[change < 0]) == pytest.approx(-0.042, abs=0.003)
    assert (np.abs(change) <= 0.1).mean() == pytest.approx(0.84, abs=0.01)
    grown = (change >= 0.2).mean()  # published 3 % of about 90
    assert 0.012 <= grown <= 0.03


def test_the_largest_of_ninety_changes_are_as_published(change) -> None:
    largest = change[: change.size // 90 * 90].reshape(-1, 90)
    low, high = np.quantile(largest.min(axis=1), [0.1, 0.9])
    assert low <= -0.23 <= high
    low, high = np.quantile(largest.max(axis=1), [0.1, 0.9])
    assert low <= 0.31 <= high


def test_no_reading_is_off_by_more_than_the_limit() -> None:
    factor = shape_readings(np.array([1e-12, 0.5, 1 - 1e-12]))
    assert factor.tolist() == pytest.approx([np.exp(-READING_LIMIT), 1.0, np.exp(READING_LIMIT)])


def test_without_error_a_reading_is_the_lesion() -> None:
    assert (shape_readings(np.linspace(0.01, 0.99, 9), sd=0.0) == 1).all()
