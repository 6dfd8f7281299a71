"""Order of rows is told as Python's own sort tells it."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from hccresist.assess.order import in_order, opens_group, sort_rows

KEYS = ["name", "day"]
ROWS = st.lists(st.tuples(st.sampled_from(["", "P1", "P10", "P2", "é"]), st.sampled_from([-7.5, 0.0, 56.0])))


def frame_of(rows):
    return pl.DataFrame(rows, schema={"name": pl.String, "day": pl.Float64}, orient="row")


@given(rows=ROWS)
def test_rows_are_in_order_when_a_sort_would_not_move_them(rows):
    assert in_order(frame_of(rows), KEYS) == (sorted(rows) == rows)


@given(rows=ROWS)
def test_rows_are_sorted_as_python_sorts_them(rows):
    assert_frame_equal(sort_rows(frame_of(rows), KEYS), frame_of(sorted(rows)))


def test_a_missing_key_is_not_in_order():
    assert not in_order(frame_of([("P1", 1.0), (None, 2.0)]), KEYS)


@given(rows=ROWS)
def test_a_row_opens_a_group_when_its_keys_differ_from_those_above(rows):
    opens = frame_of(rows).select(opens_group(KEYS)).to_series().to_list()
    assert opens == [i == 0 or rows[i] != rows[i - 1] for i in range(len(rows))]
