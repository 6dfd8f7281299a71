"""Chances and changes of virtual patients, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from hccresist.overcome.twin_ahead import (
    HORIZONS,
    LOOKS,
    Drift,
    find_chances,
    find_quantile,
    tell_all,
    tell_chance,
)
from hccresist.overcome.twin_error import Error
from hccresist.overcome.twin_run import SEEN

NOTHING = Drift(np.zeros(1), 0.0, Error(noise=0.05, offset=0.0, drift=0.0))
QUIET = np.zeros((1, len(HORIZONS)))


def make_seen(sums: float | list[float], *, death: float = 0.0, new: float = 0.0) -> np.ndarray:
    """One virtual patient with these sums on `LOOKS` and constant hazards a day."""
    seen = np.zeros((1, len(LOOKS), len(SEEN)))
    seen[0, :, SEEN.index("whole")] = sums
    seen[0, :, SEEN.index("death")] = death * np.array(LOOKS) + 3.0
    seen[0, :, SEEN.index("new")] = new * np.array(LOOKS) + 1.0
    return seen


def test_horizons_are_looks_in_order() -> None:
    assert set(HORIZONS) <= set(LOOKS)
    assert list(LOOKS) == sorted(LOOKS)
    assert LOOKS[0] == 0.0


def test_a_constant_hazard_gives_the_exponential() -> None:
    made = find_chances(make_seen(50.0, death=0.001), np.array([50.0]), NOTHING, noise=QUIET)
    assert made.death[0] == pytest.approx(1 - np.exp(-0.001 * np.array(HORIZONS)))


def test_a_sum_that_stands_still_neither_responds_nor_progresses() -> None:
    made = find_chances(make_seen(50.0), np.array([50.0]), NOTHING, noise=QUIET)
    assert made.response[0].max() < 1e-6
    assert made.progression[0].max() < 0.01
    assert made.change[0] == pytest.approx([0.0] * len(HORIZONS))


def test_growth_by_a_fifth_is_progression_in_half_of_the_readings() -> None:
    made = find_chances(make_seen([50.0] + [60.0] * (len(LOOKS) - 1)), np.array([50.0]), NOTHING, noise=QUIET)
    assert made.progression[0] == pytest.approx([0.5] * len(HORIZONS))
    small = find_chances(
        make_seen([10.0] + [13.0] * (len(LOOKS) - 1)), np.array([10.0]), NOTHING, noise=QUIET
    )
    assert small.progression[0].max() < 0.01  # 30 % but 3 mm: five are asked for


def test_shrinkage_to_seven_tenths_is_response_in_half_of_the_readings() -> None:
    made = find_chances(make_seen([50.0] + [35.0] * (len(LOOKS) - 1)), np.array([50.0]), NOTHING, noise=QUIET)
    assert made.response[0] == pytest.approx([0.5] * len(HORIZONS))


def test_new_lesions_and_death_are_progression() -> None:
    made = find_chances(make_seen(50.0, death=0.001, new=0.002), np.array([50.0]), NOTHING, noise=QUIET)
    assert made.progression[0] == pytest.approx(1 - np.exp(-0.003 * np.array(HORIZONS)), abs=0.01)


def test_what_shrinks_after_progression_is_no_response() -> None:
    sums = [50.0, 80.0, 80.0] + [10.0] * (len(LOOKS) - 3)
    made = find_chances(make_seen(sums), np.array([50.0]), NOTHING, noise=QUIET)
    assert made.response[0].max() < 1e-6


def test_drift_widens_with_time() -> None:
    """Standard deviation of the logarithm: root of noise², variance now and drift² days / 84."""
    drift = Drift(np.zeros(1), 0.01, Error(noise=0.05, offset=0.0, drift=0.2))
    made = find_chances(make_seen(50.0), np.array([50.0]), drift, noise=np.ones((1, len(HORIZONS))))
    wanted = np.sqrt(0.05**2 + 0.01 + 0.04 * np.array(HORIZONS) / 84.0)
    assert np.log1p(made.change[0] / 100) == pytest.approx(wanted)


def test_a_shift_moves_the_sums() -> None:
    drift = Drift(np.array([np.log(0.5)]), 0.0, NOTHING.error)
    made = find_chances(make_seen(100.0), np.array([50.0]), drift, noise=QUIET)
    assert made.change[0] == pytest.approx([0.0] * len(HORIZONS), abs=1e-9)


@settings(deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20), st.floats(0.01, 0.99))
def test_a_quantile_lies_within_and_does_not_depend_on_order(values: list[float], share: float) -> None:
    own, fair = np.array(values), np.full(len(values), 1 / len(values))
    found = find_quantile(own, fair, share)
    assert own.min() <= found <= own.max()
    assert find_quantile(own[::-1], fair, share) == pytest.approx(found)


def test_quantiles_of_many_normal_values() -> None:
    drawn = norm.ppf((np.arange(10_000) + 0.5) / 10_000)
    assert find_quantile(drawn, np.full(10_000, 1e-4), 0.95) == pytest.approx(norm.ppf(0.95), abs=1e-3)


def test_a_chance_is_a_mean() -> None:
    told = tell_chance(np.array([0.0, 1.0]), np.array([0.25, 0.75]))
    assert told.value == 0.75
    assert told.low <= told.value <= told.high


def test_what_cannot_be_measured_is_not_told() -> None:
    made = find_chances(make_seen(6.0), np.array([6.0]), NOTHING, noise=QUIET)
    told = tell_all(made, np.ones(1), measurable=False)
    assert told[84.0, "response"] is None
    assert told[84.0, "sum_change_percent"] is None
    assert told[84.0, "death"] is not None


def test_growth_is_counted_from_the_smallest_sum() -> None:
    """50, 30, then 36 mm: a fifth and 6 mm above the smallest in half of the readings, after a response."""
    sums = [50.0, 30.0] + [36.0] * (len(LOOKS) - 2)
    made = find_chances(make_seen(sums), np.array([50.0]), NOTHING, noise=QUIET)
    assert made.progression[0] == pytest.approx([0.5] * len(HORIZONS))
    assert made.response[0] == pytest.approx([1.0] * len(HORIZONS), abs=0.01)
