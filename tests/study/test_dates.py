"""Dates become days; partial ones are completed by policy and told."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest

from hccresist.study.dates import date_columns, days_from_dates, read_dates, read_index_dates
from hccresist.study.issues import Issue, IssueLog
from hccresist.study.rows import Place
from hccresist.study.study import ROW
from hccresist.study.values import Cells


def cells_of(values: pl.Series, log: IssueLog, patients: list[str] | None = None) -> Cells:
    rows = pl.DataFrame({ROW: range(2, len(values) + 2)}, schema={ROW: pl.Int64})
    if patients is not None:
        rows = rows.with_columns(patient_id=pl.Series(patients))
    place = Place(file="labs.csv", log=log, headers={"day": "date"})
    return Cells(values=values, column="day", rows=rows, place=place)


def dates_of(words: list[str | None], imputation: str = "first") -> tuple[list[date | None], list[Issue]]:
    log = IssueLog()
    dates = read_dates(cells_of(pl.Series(words, dtype=pl.String), log), imputation=imputation)
    return dates.to_list(), list(log)


def test_whole_dates_are_read_and_a_time_of_day_is_left_out() -> None:
    words = ["2014-02-03", " 2014-02-03 ", "2014-02-03T23:59", "2014-02-03 07:30:01.5Z", "NA", "", None]

    assert dates_of(words) == ([date(2014, 2, 3)] * 4 + [None] * 3, [])


@pytest.mark.parametrize(
    ("imputation", "expected"),
    [
        ("first", [date(2016, 2, 1), date(2015, 2, 1), date(2014, 1, 1)]),
        ("last", [date(2016, 2, 29), date(2015, 2, 28), date(2014, 12, 31)]),
        ("mid", [date(2016, 2, 15), date(2015, 2, 15), date(2014, 6, 30)]),
    ],
)
def test_partial_dates_are_completed_by_policy_each_with_a_warning(
    imputation: str, expected: list[date]
) -> None:
    """The first, last and middle day of February in and out of a leap year, and of a year."""
    dates, issues = dates_of(["2016-02", "2015-02", "2014"], imputation)

    assert dates == expected
    told = [(issue.code, issue.severity, issue.line, issue.column, issue.found) for issue in issues]
    assert told == [
        ("partial-date", "warning", 2, "date", "2016-02"),
        ("partial-date", "warning", 3, "date", "2015-02"),
        ("partial-date", "warning", 4, "date", "2014"),
    ]


@pytest.mark.parametrize("imputation", ["first", "last", "mid"])
def test_whole_dates_do_not_depend_on_the_policy(imputation: str) -> None:
    assert dates_of(["2014-02-03", "2014"], imputation)[0][0] == date(2014, 2, 3)


@pytest.mark.parametrize(
    "word", ["2014-02-30", "2014-13", "0000", "3.2.2014", "02/03/2014", "20140203", "2014-2-3", "soon", "14"]
)
def test_what_is_no_date_is_told(word: str) -> None:
    dates, issues = dates_of(["2014-02-03", word])

    assert dates == [date(2014, 2, 3), None]
    assert [(issue.code, issue.line, issue.found) for issue in issues] == [("not-a-date", 3, word)]


def test_typed_dates_and_times_are_taken_as_they_are() -> None:
    log = IssueLog()
    days = pl.Series([date(2014, 2, 3)])
    times = pl.Series([datetime(2014, 2, 3, 23, 59)])

    assert read_dates(cells_of(days, log), imputation="first").to_list() == [date(2014, 2, 3)]
    assert read_dates(cells_of(times, log), imputation="first").to_list() == [date(2014, 2, 3)]
    assert read_dates(cells_of(pl.Series([None]), log), imputation="first").to_list() == [None]
    assert len(log) == 0
    read_dates(cells_of(pl.Series([20140203]), log), imputation="first")
    assert [issue.code for issue in log] == ["wrong-type"]


def test_day_zero_is_never_completed() -> None:
    log = IssueLog()
    dates = read_index_dates(cells_of(pl.Series(["2014-02", "2014", "2014-02-03"]), log))

    assert dates.to_list() == [None, None, date(2014, 2, 3)]
    assert [(issue.code, issue.severity) for issue in log] == [("not-a-date", "error")] * 2


def test_days_are_counted_from_each_patients_index_date() -> None:
    """2016 is a leap year: 28 February to 1 March is two days."""
    log = IssueLog()
    index = pl.DataFrame(
        {"patient_id": ["P1", "P2", "P3"], "index_date": [date(2016, 2, 28), date(2015, 2, 28), None]}
    )
    words = pl.Series(["2016-03-01", "2015-03-01", "2016-02-20", "2016-01-01", "", "2016-01-01"])
    cells = cells_of(words, log, ["P1", "P2", "P1", "P3", "P3", "stranger"])

    days = days_from_dates(cells, index, imputation="first")

    assert days.to_list() == [2.0, 1.0, -8.0, None, None, None]
    assert [(issue.code, issue.line, issue.patient) for issue in log] == [("no-index-date", 5, "P3")]


def test_dates_without_any_index_date_are_told_once_a_file() -> None:
    log = IssueLog()
    cells = cells_of(pl.Series(["2016-03-01"] * 3), log, ["P1"] * 3)

    for _ in range(2):
        assert days_from_dates(cells, None, imputation="first").to_list() == [None] * 3

    assert [(issue.code, issue.column) for issue in log] == [("no-index-date", "date")]


def test_every_column_of_days_can_be_given_as_dates() -> None:
    assert date_columns("lesions") == {"day": "date"}
    assert date_columns("treatments") == {"start_day": "start_date", "end_day": "end_date"}
    assert date_columns("patients") == {}
