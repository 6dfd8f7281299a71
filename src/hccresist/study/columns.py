"""From the columns of a file to the columns of a study table: names first, then types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Final

import dataframely as dy
import polars as pl

from hccresist.study.config import ReadOptions
from hccresist.study.dates import INDEX_DATE, date_columns, days_from_dates, read_index_dates
from hccresist.study.rows import Place
from hccresist.study.study import ROW
from hccresist.study.tables import SCHEMAS
from hccresist.study.values import Cells, read_cells, read_covariate

_SAMPLE: Final = dy.Float64(nullable=True)
_DAYS: Final = dy.Float64(nullable=True)
_EVENT: Final = dy.Bool(nullable=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is needed beside a file to read its values.

    Attributes
    ----------
    options
        How text files are written.
    date_imputation
        Policy of that name.
    index_dates
        ``patient_id`` and ``index_date``; ``None`` where patients have no index date.
    """

    options: ReadOptions = field(default_factory=ReadOptions)
    date_imputation: str = "first"
    index_dates: pl.DataFrame | None = None


@cache
def declared_columns(table: str) -> Mapping[str, dy.Column]:
    """Return the columns that a table's schema declares."""
    return MappingProxyType(SCHEMAS[table].columns())


def known_columns(table: str) -> tuple[str, ...]:
    """Return every column name that the reader of a table knows, columns of dates included."""
    dates = tuple(date_columns(table).values())
    index = (INDEX_DATE,) if table == "patients" else ()
    return (*declared_columns(table), *dates, *index)


def match_headers(headers: Sequence[str], table: str, place: Place) -> dict[str, str] | None:
    """Return the column of the study table for each header of a file.

    Known names are matched without regard to case and surrounding spaces; any other header names a
    covariate and stays as it is.

    Parameters
    ----------
    headers
        Headers as they stand in the file; one may be empty.
    table
        Name of the study table.
    place
        The file and the log, which hears of headers that are there twice or reserved, and of a day
        that is given as a date too.

    Returns
    -------
    dict[str, str] or None
        ``None`` where the headers cannot be used.
    """
    known = {name.lower(): name for name in known_columns(table)}
    names = {header: known.get(header.strip().lower(), header) for header in headers}
    usable = _tell_twice([names[header] for header in headers if header.strip()], place)
    for header in names:
        if header.startswith("__"):
            hint = "Names that begin with two underscores are used inside: rename it."
            place.error("reserved-column", f"column name '{header}' is reserved", column=header, hint=hint)
            usable = False
    found = set(names.values())
    for day, date in date_columns(table).items():
        if day in found and date in found:
            hint = f"Keep one of {day} and {date}."
            place.error(
                "day-and-date", "the same time is given as a day and as a date", column=date, hint=hint
            )
            usable = False
    return names if usable else None


def _tell_twice(names: Sequence[str], place: Place) -> bool:
    twice = sorted({name for name in names if names.count(name) > 1})
    for name in twice:
        hint = "Rename or remove one of them; upper and lower case are not told apart."
        place.error("duplicate-column", f"column '{name}' is there twice", column=name, hint=hint)
    return not twice


def declared_column(table: str, column: str, columns: Sequence[str]) -> dy.Column | None:
    """Return the type of a column, ``None`` for a covariate.

    Samples of `expression` are numbers. Own endpoints of `survival` are a pair of columns,
    ``NAME_days`` (a number) and ``NAME_event`` (true or false).
    """
    schema = declared_columns(table)
    if column in schema:
        return schema[column]
    if table == "expression":
        return _SAMPLE
    if table == "survival":
        own = own_endpoints(columns)
        if column.endswith("_days") and column.removesuffix("_days") in own:
            return _DAYS
        if column.endswith("_event") and column.removesuffix("_event") in own:
            return _EVENT
    return None


def own_endpoints(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the names of a study's own endpoints, in order of their columns.

    Examples
    --------
    >>> own_endpoints(["patient_id", "ttup_days", "ttup_event", "followup_days"])
    ('ttup',)
    """
    names = [column.removesuffix("_days") for column in columns if column.endswith("_days")]
    return tuple(name for name in names if name and name != "os" and f"{name}_event" in columns)


def type_table(frame: pl.DataFrame, table: str, *, place: Place, reading: Reading) -> pl.DataFrame:
    """Return a table with its columns in the types of the schema and dates as days.

    Rows are independent of each other, so a file may be read in blocks.

    Parameters
    ----------
    frame
        Columns by their name in the study table (see `match_headers`), and `ROW`.
    table
        Name of the study table.
    place, reading
        The file with its log, and what else is needed to read it.

    Returns
    -------
    pl.DataFrame
        The same rows. What cannot be read is null and told. In `patients`, ``index_date`` is kept
        as a date for the reader to take out.
    """
    rows = frame.select(ROW)
    comma = reading.options.decimal == ","
    names = [name for name in frame.columns if name != ROW]
    days = {date: day for day, date in date_columns(table).items()}
    units = {name: (c.metadata or {}).get("unit", "") for name, c in declared_columns(table).items()}
    if "patient_id" in names:
        cells = Cells(values=frame["patient_id"], column="patient_id", rows=rows, place=place)
        rows = rows.with_columns(read_cells(cells, declared_columns("patients")["patient_id"]))
    columns: list[pl.Series] = [frame[ROW]]
    for name in names:
        cells = Cells(
            values=frame[name],
            column=days.get(name, name),
            rows=rows,
            place=place,
            unit=units.get(name, ""),
            decimal_comma=comma,
        )
        columns.append(_read_column(cells, table, name, names, reading))
    return pl.DataFrame(columns)


def _read_column(cells: Cells, table: str, name: str, names: Sequence[str], reading: Reading) -> pl.Series:
    if name == "patient_id":
        return cells.rows["patient_id"]
    if name == INDEX_DATE and table == "patients":
        return read_index_dates(cells).alias(name)
    if name != cells.column:
        days = days_from_dates(cells, reading.index_dates, imputation=reading.date_imputation)
        return days.alias(cells.column)
    declared = declared_column(table, name, names)
    if declared is None:
        return read_covariate(cells).alias(name)
    series = read_cells(cells, declared)
    return _from_day_one(series, cells) if cells.unit == "day" and reading.options.first_day else series


def _from_day_one(days: pl.Series, cells: Cells) -> pl.Series:
    """Return days counted from 0 for days counted from 1 without a day 0."""
    between = ((days >= 0) & (days < 1)).fill_null(value=False)
    hint = "study.toml says first_day = 1: there is no day 0, the day before day 1 is day -1."
    cells.tell(between, "day-zero", "there is no day {found}", expected="-1 or less, or 1 or more", hint=hint)
    shifted = (days - 1).zip_with(days >= 1, days)
    return shifted.set(between, None).alias(cells.column)


def covariates(columns: Sequence[str], table: str) -> list[str]:
    """Return the columns that no schema names, in their order."""
    schema = declared_columns(table)
    return [name for name in columns if name != ROW and name not in schema]


def missing_headers(columns: Sequence[str], table: str) -> Mapping[str, bool]:
    """Return the declared columns that are not there, and for each whether it may be left out."""
    schema = declared_columns(table)
    return {name: column.nullable for name, column in schema.items() if name not in columns}
