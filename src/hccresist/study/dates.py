"""Calendar dates in, days from start of the index line out. Dates never reach a `Study`."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.study.issues import Severity
from hccresist.study.tables import SCHEMAS
from hccresist.study.values import Cells, is_missing, is_textual

INDEX_DATE: Final = "index_date"
"""Column of `patients`: date on which the index line of treatment started, which is day 0."""

_FULL: Final = r"^[1-9]\d{3}-\d{2}-\d{2}([T ]\d{2}(:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?$"
_MONTH: Final = r"^[1-9]\d{3}-\d{2}$"
_YEAR: Final = r"^[1-9]\d{3}$"
_DATE_HINT: Final = "Write dates as YYYY-MM-DD."


def date_columns(table: str) -> dict[str, str]:
    """Return, for each column of a table that holds days, the column that may hold dates instead.

    Examples
    --------
    >>> date_columns("survival")
    {'os_days': 'os_date', 'entry_day': 'entry_date', 'last_alive_day': 'last_alive_date'}
    """
    days = [
        n for n, c in SCHEMAS[table].columns().items() if (c.metadata or {}).get("unit") in ("day", "days")
    ]
    return {name: name.removesuffix("s").removesuffix("day") + "date" for name in days}


def read_dates(cells: Cells, *, imputation: str) -> pl.Series:
    """Return dates; partial ones are completed and told as warnings.

    Parameters
    ----------
    cells
        ISO 8601 dates as text (``2014-02-03``, ``2014-02``, ``2014``; a time of day is left out), or
        a column of dates or times.
    imputation
        Policy ``date_imputation``: ``first``, ``last`` or ``mid`` of what a partial date leaves
        open; ``mid`` is the 15th of the month and the 30th of June.

    Returns
    -------
    pl.Series
        Dates; null where there is none or where it cannot be read, which is told.
    """
    values = cells.values
    if values.dtype == pl.Date:
        return values
    if values.dtype == pl.Datetime:
        return values.cast(pl.Date)
    if values.dtype == pl.Null:
        return cells.empty(pl.Date())
    if not is_textual(values.dtype):
        cells.refuse("dates")
        return cells.empty(pl.Date())
    text = values.cast(pl.String).str.strip_chars()
    month, year = text.str.contains(_MONTH), text.str.contains(_YEAR)
    whole = text.set(~text.str.contains(_FULL), None).str.slice(0, 10)
    if (month | year).any():
        whole = whole.zip_with(~(month | year).fill_null(value=False), _complete(text, imputation))
    dates = whole.str.to_date("%Y-%m-%d", strict=False)
    if imputation == "last" and month.any():
        dates = dates.dt.month_end().zip_with(month.fill_null(value=False), dates)
    failed = dates.is_null() & ~is_missing(text)
    cells.tell(failed, "not-a-date", "the value is not a date", expected="YYYY-MM-DD", hint=_DATE_HINT)
    _tell_partial(cells, (month | year) & dates.is_not_null(), imputation)
    return dates


def _complete(text: pl.Series, imputation: str) -> pl.Series:
    month = {"first": "-01", "mid": "-15", "last": "-01"}[imputation]
    year = {"first": "-01-01", "mid": "-06-30", "last": "-12-31"}[imputation]
    is_year = text.str.contains(_YEAR).fill_null(value=False)
    return (text + year).zip_with(is_year, text + month)


def _tell_partial(cells: Cells, partial: pl.Series, imputation: str) -> None:
    partial = partial.fill_null(value=False)
    if not partial.any():
        return
    cells.place.tell(
        cells.rows.with_columns(found=cells.values.cast(pl.String)).filter(partial),
        "partial-date",
        f"the date is partial and was read as the {imputation} day of what it leaves open",
        column=cells.column,
        found="found",
        expected="YYYY-MM-DD",
        hint="Give the whole date, or choose the policy date_imputation.",
        severity=Severity.WARNING,
    )


def read_index_dates(cells: Cells) -> pl.Series:
    """Return the dates of day 0; a partial one is an error, since every day would rest on it."""
    values = cells.values
    if values.dtype == pl.String:
        partial = values.str.strip_chars().str.contains(r"^\d{4}(-\d{2})?$").fill_null(value=False)
        hint = "Day 0 is never completed by rule: give the whole date, or give days instead of dates."
        cells.tell(partial, "not-a-date", "day 0 is a partial date", expected="YYYY-MM-DD", hint=hint)
        cells = Cells(
            values=values.set(partial, None), column=cells.column, rows=cells.rows, place=cells.place
        )
    return read_dates(cells, imputation="first")


def days_from_dates(cells: Cells, index_dates: pl.DataFrame | None, *, imputation: str) -> pl.Series:
    """Return days from start of the index line for a column of dates.

    Parameters
    ----------
    cells
        The dates; ``rows`` has ``patient_id``.
    index_dates
        ``patient_id`` and ``index_date``, one row a patient; ``None`` where `patients` has no such
        column.
    imputation
        As in `read_dates`.

    Returns
    -------
    pl.Series
        Days as Float64. A date of a patient whose index date is not known is told; a patient who
        is not in `patients` is left to the check of the tables.
    """
    if "patient_id" not in cells.rows.columns:
        return cells.empty(pl.Float64())
    if index_dates is None:
        _tell_no_index(cells, "there are dates, but column 'index_date' is missing in patients")
        return cells.empty(pl.Float64())
    dates = read_dates(cells, imputation=imputation)
    start = cells.rows.select("patient_id").join(
        index_dates.with_columns(known=pl.lit(value=True)), on="patient_id", how="left", maintain_order="left"
    )
    lacking = dates.is_not_null() & start["known"].fill_null(value=False) & start[INDEX_DATE].is_null()
    cells.tell(
        lacking,
        "no-index-date",
        "the patient has no index_date in patients, so the date has no day",
        expected="an index_date for the patient",
        hint="Fill in index_date (start of the index line) in patients.",
    )
    return (dates - start[INDEX_DATE]).dt.total_days().cast(pl.Float64)


def _tell_no_index(cells: Cells, problem: str) -> None:
    if cells.place.has_told("no-index-date"):
        return
    cells.place.error(
        "no-index-date",
        problem,
        column=cells.place.header(cells.column),
        expected="index_date in patients",
        hint="Add index_date (start of the index line) to patients, or give days instead of dates.",
    )
