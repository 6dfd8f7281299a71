"""Limits of published numbers: exact, of medians and ratios, and moved to 90 %."""

from __future__ import annotations

from itertools import pairwise
from math import exp, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hccresist.outcomes.limits import (
    exact_limits,
    keep_printed,
    median_spread,
    normal_limits,
    ratio_spread,
    rebuild,
)
from hccresist.outcomes.rates import clopper_pearson


@pytest.mark.parametrize(
    ("events", "n", "low", "high"),
    [
        (81, 263, 25.27, 36.76),  # Newcombe 1998, Stat Med 17:857-872, table I, method 5 (Clopper-Pearson)
        (15, 148, 5.78, 16.17),  # the same
        (0, 20, 0.0, 16.84),  # the same
        (1, 29, 0.09, 17.76),  # the same
    ],
)
def test_exact_limits_are_those_of_newcombe(events: int, n: int, low: float, high: float) -> None:
    assert exact_limits(events, n) == pytest.approx((low, high), abs=0.005)


@given(n=st.integers(1, 2000), share=st.floats(0, 1))
def test_exact_limits_are_those_of_the_rates(n: int, share: float) -> None:
    events = round(share * n)
    low, high = clopper_pearson([events], [n])
    assert exact_limits(events, n) == pytest.approx((100 * float(low[0]), 100 * float(high[0])), abs=1e-9)


@given(n=st.integers(1, 500), share=st.floats(0, 1))
def test_limits_at_90_lie_inside_those_at_95_and_hold_the_share(n: int, share: float) -> None:
    found = rebuild(100 * round(share * n) / n, unit="percent", n=n)
    inside = (found.low, found.low90, 100 * round(share * n) / n, found.high90, found.high)
    assert all(a <= b + 1e-9 for a, b in pairwise(inside))


def test_the_spread_of_a_median_is_that_of_the_textbook() -> None:
    # Binomial variance of S at its median over the squared density of an exponential (Brookmeyer 1982).
    n, median = 120, 8.0
    density = 0.5 * log(2) / median
    assert median_spread(n) * median == pytest.approx(sqrt(0.25 / n) / density)


def test_a_ratio_without_limits_takes_half_of_each_arm_as_events() -> None:
    found = rebuild(0.8, unit="ratio", n=200, others=100)
    assert found.method == "events"
    assert found.spread == pytest.approx(ratio_spread(100, 50))
    assert (found.low, found.high) == pytest.approx(normal_limits(0.8, sqrt(1 / 100 + 1 / 50)))


@pytest.mark.parametrize("unit", ["percent", "months", "ratio"])
def test_without_patients_or_number_there_are_no_limits(unit: str) -> None:
    assert rebuild(10, unit=unit, n=None).method is None
    assert rebuild(None, unit=unit, n=100).method is None
    assert rebuild(0.9, unit="ratio", n=100).method is None


@given(
    value=st.floats(0.1, 50),
    spread=st.floats(0.01, 1),
    level=st.sampled_from([80.0, 90.0, 95.0, 95.67, 99.0]),
)
def test_printed_limits_give_their_standard_error_back_at_any_level(
    value: float, spread: float, level: float
) -> None:
    low, high = normal_limits(value, spread, level=level)
    found = keep_printed(value, (low, high), unit="months", level=level)
    assert found.spread == pytest.approx(spread)
    assert (found.low90, found.high90) == pytest.approx(normal_limits(value, spread, level=90))


def test_an_open_upper_limit_stays_open_and_the_other_gives_the_standard_error() -> None:
    found = keep_printed(10, (10 / exp(0.196), None), unit="months", level=None)
    assert found.high is None
    assert found.high90 is None
    assert found.spread == pytest.approx(0.1, abs=1e-4)


def test_a_median_not_reached_keeps_its_limits_only() -> None:
    found = keep_printed(None, (12.0, None), unit="months", level=95)
    assert (found.low, found.low90, found.spread) == (12.0, None, None)


def test_printed_limits_of_none_and_all_do_not_break() -> None:
    assert keep_printed(0, (0, 4.0), unit="percent", level=None).spread is None
    assert keep_printed(2, (0, 9.0), unit="percent", level=None).low90 == 0
