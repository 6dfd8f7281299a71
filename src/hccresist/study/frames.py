"""Build a study from tables in memory: pandas, Polars or Arrow, through Narwhals.

The columns are those of the study tables (`hccresist.study.tables`). Values are cast to the type
that the schema names where nothing is lost by it: integers serve as decimal numbers, whole
decimals as integers, categoricals and text as codes whatever their case, 0 and 1 as false and
true, NaN as missing. Every value that does not fit is told with its row; nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import dataframely as dy
import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from hccresist.study.check import check_tables
from hccresist.study.issues import LIMIT_PER_CODE, Issue, IssueLog, nearest
from hccresist.study.study import ROW, RawTable, Study, StudyConfig
from hccresist.study.tables import SCHEMAS

_TRUE: Final = ("true", "t", "yes", "y", "1")
_FALSE: Final = ("false", "f", "no", "n", "0")
_UNREADABLE: Final = (pl.exceptions.PolarsError, TypeError, ValueError, NotImplementedError)


def study_from_frames(*, config: StudyConfig | None = None, **tables: IntoFrame) -> Study:
    """Build a checked study from tables in memory.

    Parameters
    ----------
    config
        What ``study.toml`` would say; the defaults if not given.
    **tables
        Tables by name, a key of `hccresist.study.tables.SCHEMAS`: a pandas, Polars or Arrow table
        (or anything else that Narwhals reads). Days are days from start of the index line.
        Columns that no schema names are kept as covariates.

    Returns
    -------
    Study
        The checked study. In messages a table is called ``<name>`` and its rows count from 1.

    Raises
    ------
    InputError
        With every problem found in any table.

    Examples
    --------
    >>> import polars as pl
    >>> study = study_from_frames(
    ...     patients=pl.DataFrame({"patient_id": ["P1"], "sex": ["Male"]}),
    ...     sums=pl.DataFrame({"patient_id": ["P1"], "measure": ["LONGEST"], "day": [-3], "sum": [42]}),
    ... )
    >>> study.patients["sex"].to_list()
    ['male']
    """
    issues = IssueLog()
    raw: list[RawTable] = []
    for name, table in tables.items():
        frame = _to_polars(table, name, issues=issues)
        if frame is not None:
            raw.append(RawTable(name=name, frame=_cast_table(frame, name, issues=issues), file=f"<{name}>"))
    return check_tables(raw, config or StudyConfig(), log=issues)


def _to_polars(table: object, name: str, *, issues: IssueLog) -> pl.DataFrame | None:
    """Return the table with its row numbers, or ``None`` and an issue where it cannot be one."""
    if name not in SCHEMAS:
        hint = nearest(name, list(SCHEMAS)) or f"The tables are {', '.join(SCHEMAS)}."
        issues.error("unknown-table", f"there is no study table '{name}'", file=f"<{name}>", hint=hint)
        return None
    frame = _narwhals_frame(table, name, issues=issues)
    if frame is None:
        return None
    columns = [_to_series(frame, at) for at in range(len(frame.columns))]
    names = [column.name for column in columns]
    twice = sorted({column for column in names if names.count(column) > 1 or column == ROW})
    for column in twice:
        problem = f"column '{column}' is there twice" if column != ROW else f"column name '{ROW}' is reserved"
        issues.error(
            "duplicate-column", problem, file=f"<{name}>", column=column, hint="Rename or remove it."
        )
    if twice:
        return None
    return pl.DataFrame(columns).with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW))


def _narwhals_frame(table: object, name: str, *, issues: IssueLog) -> nw.DataFrame[Any] | None:
    try:
        frame: nw.DataFrame[Any] | nw.LazyFrame[Any] = nw.from_native(cast("Any", table))
        return frame.collect("polars") if isinstance(frame, nw.LazyFrame) else frame
    except TypeError:
        hint = "Give a pandas, Polars or Arrow table."
        issues.error(
            "not-a-table",
            f"'{name}' is not a table",
            file=f"<{name}>",
            found=type(table).__name__,
            hint=hint,
        )
    except (nw.exceptions.NarwhalsError, ValueError, pl.exceptions.PolarsError) as error:
        problem = f"'{name}' cannot be read as a table: {str(error).splitlines()[0].rstrip('.')}"
        issues.error("unreadable-table", problem, file=f"<{name}>", hint="Give every column its own name.")
    return None


def _to_series(frame: nw.DataFrame[Any], at: int) -> pl.Series:
    """Return one column; values of mixed kinds, which no column type holds, become text."""
    column = frame[:, at]
    name = str(column.name)
    try:
        series = column.to_polars()
    except _UNREADABLE:
        values = column.to_list()
        series = pl.Series(values=[None if _is_missing(v) else str(v) for v in values], dtype=pl.String)
    if isinstance(series.dtype, (pl.Categorical, pl.Enum, pl.Null)):
        series = series.cast(pl.String)
    if series.dtype.is_float():
        series = series.fill_nan(None)
    return series.alias(name)


def _is_missing(value: object) -> bool:
    return value is None or value != value or type(value).__name__ in ("NAType", "NaTType")  # noqa: PLR0124


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a column is, so that a value that does not fit can be told."""

    table: str
    column: str
    patients: pl.Series | None
    issues: IssueLog

    def tell(self, series: pl.Series, bad: pl.Series, expected: str) -> None:
        """Add an issue for each row marked in `bad`; beyond the log's limit they are counted."""
        rows = bad.arg_true()
        for row in rows.head(LIMIT_PER_CODE).to_list():
            self._add(row, str(series[row]), expected)
        more = len(rows) - LIMIT_PER_CODE
        if more > 0:
            self.issues.add(Issue(code="wrong-value", problem="more", file=f"<{self.table}>", count=more))

    def _add(self, row: int, found: str, expected: str) -> None:
        allowed = expected.removeprefix("one of ").split(", ") if expected.startswith("one of ") else []
        patient = self.patients[row] if self.patients is not None else None
        self.issues.error(
            "wrong-value",
            "the value does not fit the column",
            file=f"<{self.table}>",
            line=row + 1,
            column=self.column,
            patient=None if patient is None else str(patient),
            found=found,
            expected=expected,
            hint=nearest(found, allowed),
        )

    def refuse(self, series: pl.Series, expected: str) -> None:
        """Add one issue for a column whose type cannot serve at all."""
        self.issues.error(
            "wrong-type",
            "the column has a type that does not fit",
            file=f"<{self.table}>",
            column=self.column,
            found=str(series.dtype),
            expected=expected,
            hint="Convert the column first; days are counted from start of the index line.",
        )


def _cast_table(frame: pl.DataFrame, name: str, *, issues: IssueLog) -> pl.DataFrame:
    schema = SCHEMAS[name].columns()
    patients = frame["patient_id"] if "patient_id" in frame.columns else None
    columns: list[pl.Series] = []
    for series in frame.get_columns():
        place = _Place(name, series.name, patients, issues)
        declared = schema.get(series.name)
        if series.name == ROW:
            columns.append(series)
        elif declared is None:
            columns.append(_cast_covariate(series, place))
        else:
            columns.append(_cast_column(series, declared, place).alias(series.name))
    return pl.DataFrame(columns)


def _is_opaque(series: pl.Series) -> bool:
    return series.dtype.is_nested() or isinstance(series.dtype, (pl.Object, pl.Binary))


def _cast_covariate(series: pl.Series, place: _Place) -> pl.Series:
    if _is_opaque(series):
        place.refuse(series, "text, numbers, true/false or dates")
        return pl.Series(series.name, [None] * len(series), dtype=pl.String)
    return series


def _cast_column(series: pl.Series, declared: dy.Column, place: _Place) -> pl.Series:
    casts: dict[type[dy.Column], Callable[[pl.Series, _Place], pl.Series]] = {
        dy.Float64: _cast_float,
        dy.Int64: _cast_int,
        dy.Bool: _cast_bool,
        dy.String: _cast_text,
    }
    if _is_opaque(series):
        place.refuse(series, str(declared.dtype))
        return pl.Series(values=[None] * len(series), dtype=declared.dtype)
    if isinstance(declared, dy.Enum):
        return _cast_code(series, declared, place)
    return casts[type(declared)](series, place)


def _as_text(series: pl.Series) -> pl.Series:
    """Return any column as trimmed text, whole decimals without their point; empty text is missing."""
    if series.dtype.is_float():
        whole = series.is_finite() & (series == series.round()) & (series.abs() < 2**53)
        digits = series.cast(pl.Int64, strict=False).cast(pl.String)
        text = digits.zip_with(whole.fill_null(value=False), series.cast(pl.String))
    elif isinstance(series.dtype, pl.Datetime):
        text = series.dt.to_string("iso:strict")
    else:
        text = series.cast(pl.String)
    text = text.str.strip_chars()
    return text.set(text == "", None)


def _cast_text(series: pl.Series, _: _Place) -> pl.Series:
    return _as_text(series)


def _cast_float(series: pl.Series, place: _Place) -> pl.Series:
    expected = "a finite number"
    if series.dtype.is_temporal() or series.dtype == pl.Boolean:
        place.refuse(series, expected)
        return pl.Series(values=[None] * len(series), dtype=pl.Float64)
    source = _as_text(series) if series.dtype == pl.String else series
    number = source.cast(pl.Float64, strict=False)
    finite = number.is_finite().fill_null(value=False)
    place.tell(series, source.is_not_null() & ~finite, expected)
    return number.set(~finite, None)


def _cast_int(series: pl.Series, place: _Place) -> pl.Series:
    if series.dtype.is_integer():
        whole = series.cast(pl.Int64, strict=False)
        place.tell(series, series.is_not_null() & whole.is_null(), "a whole number")
        return whole
    number = _cast_float(series, place)
    fits = ((number == number.round()) & (number.abs() < 2**53)).fill_null(value=False)
    place.tell(series, number.is_not_null() & ~fits, "a whole number")
    return number.set(~fits, None).cast(pl.Int64)


def _cast_bool(series: pl.Series, place: _Place) -> pl.Series:
    if series.dtype == pl.Boolean:
        return series
    text = _as_text(series).str.to_lowercase()
    words = dict.fromkeys(_TRUE, True) | dict.fromkeys(_FALSE, False)
    result = text.replace_strict(words, default=None, return_dtype=pl.Boolean)
    place.tell(series, text.is_not_null() & result.is_null(), "true or false")
    return result


def _cast_code(series: pl.Series, declared: dy.Enum, place: _Place) -> pl.Series:
    codes = [str(code) for code in declared.categories]
    text = _as_text(series).str.to_lowercase()
    words = {code.lower(): code for code in codes}
    result = text.replace_strict(words, default=None, return_dtype=declared.dtype)
    place.tell(series, text.is_not_null() & result.is_null(), f"one of {', '.join(codes)}")
    return result
