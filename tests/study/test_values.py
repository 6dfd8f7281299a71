"""Cells of a file in the type of the schema."""

from __future__ import annotations

from typing import Any

import dataframely as dy
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccresist.study.issues import Issue, IssueLog
from hccresist.study.rows import Place
from hccresist.study.study import ROW
from hccresist.study.values import MISSING, Cells, read_cells, read_covariate

FLOAT, INT, BOOL, TEXT = (kind(nullable=True) for kind in (dy.Float64, dy.Int64, dy.Bool, dy.String))
CODE = dy.Enum(("CR", "NON-CR/NON-PD", "too_small"), nullable=True)


def cells_of(values: pl.Series, log: IssueLog, *, comma: bool = False) -> Cells:
    rows = pl.DataFrame({ROW: range(2, len(values) + 2)}, schema={ROW: pl.Int64})
    place = Place(file="lesions.csv", log=log)
    return Cells(values=values, column="x_mm", unit="mm", rows=rows, place=place, decimal_comma=comma)


def read(
    values: list[Any] | pl.Series, declared: dy.Column, *, comma: bool = False
) -> tuple[list[Any], list[Issue]]:
    series = values if isinstance(values, pl.Series) else pl.Series(values, dtype=pl.String)
    log = IssueLog()
    result = read_cells(cells_of(series, log, comma=comma), declared)
    assert result.dtype == declared.dtype
    assert result.name == "x_mm"
    return result.to_list(), list(log)


@pytest.mark.parametrize("declared", [FLOAT, INT, BOOL, TEXT, CODE])
def test_words_for_a_missing_value_are_null_in_every_type(declared: dy.Column) -> None:
    words = [form for word in MISSING for form in (word, word.upper(), f"  {word}\t")]

    assert read(words, declared) == ([None] * len(words), [])


@pytest.mark.parametrize(
    ("word", "number"),
    [("5", 5.0), (" -2.50 ", -2.5), ("+3", 3.0), ("1e2", 100.0), (".5", 0.5), ("7.", 7.0), ("\u00a04", 4.0)],
)
def test_numbers_are_read(word: str, number: float) -> None:
    assert read([word], FLOAT) == ([number], [])


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_a_number_that_python_writes_is_read_as_the_same_number(numbers: list[float]) -> None:
    assert read([repr(number) for number in numbers], FLOAT) == (numbers, [])


@pytest.mark.parametrize(
    ("word", "code", "hint"),
    [
        ("2,3", "decimal-comma", "point"),
        ("1,234.5", "not-a-number", "number"),
        ("1_000", "not-a-number", "number"),
        ("23 mm", "not-a-number", "(mm)"),
        ("<10", "not-a-number", "comparator"),
        ("−5", "not-a-number", "minus"),
        ("2020-01-31", "not-a-number", "date"),
        ("31.01.2020", "not-a-number", "date"),
        ("Inf", "not-a-number", "empty"),
        ("0x1F", "not-a-number", "number"),
    ],
)
def test_what_is_no_number_is_told_with_what_to_do(word: str, code: str, hint: str) -> None:
    values, issues = read(["1", word], FLOAT)

    assert values == [1.0, None]
    assert [(issue.code, issue.line, issue.column, issue.found) for issue in issues] == [
        (code, 3, "x_mm", word)
    ]
    assert hint in issues[0].hint


def test_decimal_commas_are_read_where_the_study_says_so_and_points_then_refused() -> None:
    values, issues = read(["2,3", "4", "NA", ".", "2.3", "1,2,3"], FLOAT, comma=True)

    assert values == [2.3, 4.0, None, None, None, None]
    assert [(issue.code, issue.found) for issue in issues] == [
        ("decimal-point", "2.3"),
        ("not-a-number", "1,2,3"),
    ]


def test_whole_numbers_may_be_written_with_a_point() -> None:
    values, issues = read(["5.0", "6", "5.5", "9007199254740993"], INT)

    assert values == [5, 6, None, None]
    assert [(issue.code, issue.line) for issue in issues] == [("not-whole", 4), ("not-whole", 5)]


def test_true_and_false_have_many_words() -> None:
    words = ["true", "YES", "y", "1", "False", "no", "N", "0", "2", "maybe"]
    values, issues = read(words, BOOL)

    assert values == [True] * 4 + [False] * 4 + [None] * 2
    assert [(issue.code, issue.found) for issue in issues] == [
        ("not-true-or-false", "2"),
        ("not-true-or-false", "maybe"),
    ]


def test_codes_are_matched_without_regard_to_case_and_the_nearest_is_named() -> None:
    values, issues = read(["cr", "Non-cr/Non-pd", " TOO_SMALL ", "too small", "???"], CODE)

    assert values == ["CR", "NON-CR/NON-PD", "too_small", None, None]
    assert [issue.hint for issue in issues] == [
        "Did you mean 'too_small'?",
        "Use one of CR, NON-CR/NON-PD, too_small, or leave the cell empty.",
    ]


def test_text_is_trimmed() -> None:
    assert read([" P1 ", "P 2"], TEXT) == (["P1", "P 2"], [])


@pytest.mark.parametrize(
    ("series", "declared", "expected"),
    [
        (pl.Series([1, 2], dtype=pl.Int8), FLOAT, [1.0, 2.0]),
        (pl.Series([1.5, float("nan"), None]), FLOAT, [1.5, None, None]),
        (pl.Series([1, 2], dtype=pl.UInt32), INT, [1, 2]),
        (pl.Series([1.0, float("nan")]), INT, [1, None]),
        (pl.Series(["1.50"]).cast(pl.Decimal(10, 2)), FLOAT, [1.5]),
        (pl.Series([1, 0, None]), BOOL, [True, False, None]),
        (pl.Series([1.0, 0.0]), BOOL, [True, False]),
        (pl.Series([True, None]), BOOL, [True, None]),
        (pl.Series([7, 8]), TEXT, ["7", "8"]),
        (pl.Series([7.0, 7.5]), TEXT, ["7", "7.5"]),
        (pl.Series(["cr", None], dtype=pl.Categorical), CODE, ["CR", None]),
        (pl.Series([None, None]), FLOAT, [None, None]),
        (pl.Series([None, None]), CODE, [None, None]),
        (pl.Series([None, None]), BOOL, [None, None]),
    ],
)
def test_typed_columns_are_cast_where_nothing_is_lost(
    series: pl.Series, declared: dy.Column, expected: list[Any]
) -> None:
    assert read(series, declared) == (expected, [])


@pytest.mark.parametrize(
    ("series", "declared", "code"),
    [
        (pl.Series([[1.0]]), FLOAT, "wrong-type"),
        (pl.Series([b"1"]), TEXT, "wrong-type"),
        (pl.Series([True]), FLOAT, "wrong-type"),
        (pl.Series(["2020-01-01"]).str.to_date(), INT, "wrong-type"),
        (pl.Series([1.5]), INT, "not-whole"),
        (pl.Series([float("inf")]), FLOAT, "not-a-number"),
        (pl.Series([2]), BOOL, "not-true-or-false"),
        (pl.Series([3]), CODE, "unknown-code"),
    ],
)
def test_typed_columns_that_do_not_fit_are_told(series: pl.Series, declared: dy.Column, code: str) -> None:
    values, issues = read(series, declared)

    assert values == [None]
    assert [issue.code for issue in issues] == [code]


def test_covariates_are_kept_as_they_stand() -> None:
    log = IssueLog()
    text = read_covariate(cells_of(pl.Series([" 007 ", "1,5", "NA", "", None]), log))
    typed = pl.Series("x_mm", [1, 2], dtype=pl.Int16)

    assert text.to_list() == [" 007 ", "1,5", None, None, None]
    assert read_covariate(cells_of(typed, log)).equals(typed)
    assert len(log) == 0
    assert read_covariate(cells_of(pl.Series([[1]]), log)).to_list() == [None]
    assert [issue.code for issue in log] == ["wrong-type"]
