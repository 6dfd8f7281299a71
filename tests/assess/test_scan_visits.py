"""Scans and visits: worked by hand, and what always holds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hccresist.assess.steps import walk
from hccresist.assess.visits import group_scans


def visits(days, window=14.0, border=1.0):
    series = np.zeros(len(days), dtype=np.int64)
    return group_scans(series, np.array(days, dtype=float), window=window, border=border).tolist()


def test_a_visit_lasts_the_window_from_its_first_scan():
    assert visits([50, 55, 64, 65, 80]) == [0, 0, 0, 1, 2]


def test_the_window_does_not_slide():
    # every gap is 10 days, but day 70 is 20 days after the visit's first scan
    assert visits([50, 60, 70, 80, 90]) == [0, 0, 1, 1, 2]


def test_no_visit_holds_scans_from_before_and_after_the_start():
    assert visits([-3, 1, 2, 8]) == [0, 0, 1, 1]


def test_a_window_of_zero_makes_every_day_a_visit():
    assert visits([50, 50.5, 51], window=0.0) == [0, 1, 2]


def test_series_do_not_share_a_visit():
    series = np.array([0, 0, 1, 1])
    found = group_scans(series, np.array([50.0, 52.0, 51.0, 53.0]), window=14.0, border=1.0)
    assert found.tolist() == [0, 0, 1, 1]


@given(
    st.lists(st.integers(-60, 400), min_size=1, max_size=40, unique=True).map(sorted),
    st.integers(0, 40),
)
def test_visits_are_those_of_a_plain_loop(days, window):
    expected, first = [], None
    for day in days:
        if first is None or day - first > window or (day > 1 and first <= 1):
            first = day
            expected.append((expected[-1] + 1) if expected else 0)
        else:
            expected.append(expected[-1])
    assert visits(days, window=float(window)) == expected


@given(st.lists(st.integers(0, 9), max_size=60).map(sorted))
def test_every_visit_is_walked_once_and_in_order(series):
    owner = np.array(series, dtype=np.int64)
    index = np.arange(len(owner)) + 3
    seen = []
    for names, at in walk(index, owner):
        assert (owner[at - 3] == names).all()
        seen.append(at)
    walked = np.concatenate(seen) if seen else np.empty(0, int)
    assert sorted(walked.tolist()) == index.tolist()
    for name in set(series):
        mine = [int(v) for v in walked if owner[v - 3] == name]
        assert mine == sorted(mine)
