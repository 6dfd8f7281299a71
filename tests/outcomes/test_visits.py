"""Which visit was the last one, against a search patient by patient."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccresist.outcomes.visits import attended_visit, last_visit_day, visits_due

KEYS = ("patient_id", "reader", "criterion")
PATIENTS = st.sampled_from(["a", "b", "c"])
READERS = st.sampled_from(["", "1"])
CRITERIA = st.sampled_from(["mrecist", "recist11"])
DAYS = st.one_of(st.none(), st.integers(0, 6).map(float))
COURSE = st.tuples(PATIENTS, READERS, CRITERIA)


def frame(rows: list[tuple[object, ...]], *names: str) -> pl.DataFrame:
    text, number = dict.fromkeys(KEYS, pl.String), dict.fromkeys(names, pl.Float64)
    return pl.DataFrame(rows, schema={**text, **number}, orient="row")


@settings(deadline=None)
@given(
    visits=st.lists(st.tuples(COURSE, DAYS), max_size=12),
    limits=st.dictionaries(COURSE, st.tuples(DAYS, DAYS), max_size=8),
)
def test_the_last_visit_equals_a_search_by_hand(visits, limits):
    found = last_visit_day(
        frame([(*key, day) for key, day in visits], "day"),
        frame([(*key, *days) for key, days in limits.items()], "before", "until"),
    )
    expected = []
    for key, (before, until) in limits.items():
        own = [day for course, day in visits if course == key and day is not None]
        own = [day for day in own if before is None or day < before]
        expected.append(max((day for day in own if until is None or day <= until), default=None))
    assert found.to_list() == expected


@pytest.mark.parametrize(
    ("day", "visit"),
    [(0.0, 0), (27.9, 0), (28.0, 1), (56.0, 1), (83.0, 1), (84.0, 2), (140.0, 3), (999.0, 3), (None, 0)],
)
def test_a_day_belongs_to_the_nearest_planned_visit(day, visit):
    assert attended_visit(pl.Series([day], dtype=pl.Float64), (56.0, 112.0, 168.0)).tolist() == [visit]


def test_a_visit_is_due_after_its_planned_day():
    assert visits_due(pl.Series([55.0, 56.0, 56.5]), (56.0,)).tolist() == [0, 0, 1]
