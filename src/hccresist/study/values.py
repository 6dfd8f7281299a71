"""Read the values of a column: text or typed cells in, the type of the schema out, problems told.

Everything is vectorised; Python looks only at cells that cannot be read. A cell that cannot be read
becomes null and an issue, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import dataframely as dy
import polars as pl

from hccresist.study.issues import nearest
from hccresist.study.rows import Place, Words

MISSING: Final = ("", "na", "n/a", "nan", "null", ".")
"""Words that mean a missing value, whatever their case."""
TRUE: Final[tuple[str, ...]] = ("true", "yes", "y", "1")
FALSE: Final[tuple[str, ...]] = ("false", "no", "n", "0")
MAX_WHOLE: Final = 2**53
"""Whole numbers below this are exact in a Float64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """One column as it stands in a file, with what is needed to tell a problem in it.

    Attributes
    ----------
    values
        The cells: text, or what a typed file held.
    column
        Column of the study table.
    unit
        Unit of the column, empty where it has none.
    rows
        `ROW` and, where known, ``patient_id`` of every cell.
    place
        The file and the log.
    decimal_comma
        Numbers are written with a decimal comma.
    """

    values: pl.Series
    column: str
    rows: pl.DataFrame
    place: Place
    unit: str = ""
    decimal_comma: bool = False

    def tell(self, bad: pl.Series, code: str, problem: Words, *, expected: str, hint: Words) -> None:
        """Add an issue for each cell marked in `bad`; its text is called ``found``."""
        if bad.any():
            rows = self.rows.with_columns(found=_text_of(self.values)).filter(bad)
            self.place.tell(
                rows, code, problem, column=self.column, found="found", expected=expected, hint=hint
            )

    def refuse(self, expected: str) -> None:
        """Add one issue for a column whose type cannot serve at all."""
        self.place.error(
            "wrong-type",
            "the column has a type that cannot be read as this",
            column=self.place.header(self.column),
            found=str(self.values.dtype),
            expected=expected,
            hint="Convert the column before the file is written.",
        )

    def empty(self, dtype: pl.DataType) -> pl.Series:
        """Return a column of nulls of the same length."""
        return pl.Series(self.column, [None], dtype=dtype).new_from_index(0, len(self.values))


def is_textual(dtype: pl.DataType) -> bool:
    """Return whether a column of this type holds words."""
    return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)


def _is_opaque(dtype: pl.DataType) -> bool:
    return dtype.is_nested() or isinstance(dtype, pl.Object | pl.Binary)


def is_missing(values: pl.Series) -> pl.Series:
    """Return which cells of a text column mean a missing value.

    Examples
    --------
    >>> is_missing(pl.Series(["NA", " . ", "0", None])).to_list()
    [True, True, False, True]
    """
    return values.str.strip_chars().str.to_lowercase().is_in(MISSING).fill_null(value=True)


def read_cells(cells: Cells, declared: dy.Column) -> pl.Series:
    """Return the cells in the type that a schema declares; what cannot be read is told and null.

    Parameters
    ----------
    cells
        The column as it stands in the file.
    declared
        Column of the schema: a number, whole number, true/false, code or text.

    Returns
    -------
    pl.Series
        As long as the cells, of the declared type, named after the column.
    """
    if _is_opaque(cells.values.dtype):
        cells.refuse(_EXPECTED[type(declared)])
        return cells.empty(declared.dtype)
    if isinstance(declared, dy.Enum):
        return _read_code(cells, declared).alias(cells.column)
    return _READERS[type(declared)](cells).alias(cells.column)


def read_covariate(cells: Cells) -> pl.Series:
    """Return a column that no schema names as it is, with words for a missing value as null."""
    values = cells.values
    if _is_opaque(values.dtype):
        cells.refuse("text, numbers, true/false or dates")
        return cells.empty(pl.String())
    if isinstance(values.dtype, pl.Categorical | pl.Enum | pl.Null):
        values = values.cast(pl.String)
    if values.dtype == pl.String:
        return values.set(is_missing(values), None)
    return values.fill_nan(None) if values.dtype.is_float() else values


def _text_of(values: pl.Series) -> pl.Series:
    """Return any column as text, whole decimals without their point."""
    if values.dtype == pl.String:
        return values
    if values.dtype.is_float():
        whole = (values == values.round()) & (values.abs() < MAX_WHOLE)
        digits = values.cast(pl.Int64, strict=False).cast(pl.String)
        return digits.zip_with(whole.fill_null(value=False), values.cast(pl.String))
    return values.cast(pl.String, strict=False)


def _read_text(cells: Cells) -> pl.Series:
    text = _text_of(cells.values).str.strip_chars()
    return text.set(is_missing(text), None)


def _read_float(cells: Cells) -> pl.Series:
    values = cells.values
    if values.dtype == pl.Null:
        return cells.empty(pl.Float64())
    if is_textual(values.dtype):
        return _float_of_text(cells, values.cast(pl.String).str.strip_chars())
    if not values.dtype.is_numeric():
        cells.refuse(_EXPECTED[dy.Float64])
        return cells.empty(pl.Float64())
    return _finite(cells, values.cast(pl.Float64))


def _float_of_text(cells: Cells, text: pl.Series) -> pl.Series:
    source = text
    if cells.decimal_comma:
        point = text.str.contains(".", literal=True) & (text != ".")
        hint = 'study.toml says decimal = ",": write every number so, or leave that option out.'
        cells.tell(
            point, "decimal-point", "the number has a decimal point", expected="a decimal comma", hint=hint
        )
        source = text.set(point, None).str.replace(",", ".", literal=True)
    number = source.cast(pl.Float64, strict=False)
    failed = number.is_null() & source.is_not_null()
    if failed.any():
        failed = failed & ~is_missing(text)
        comma = failed & text.str.contains(r"^[+-]?\d+,\d+$")
        cells.tell(
            comma,
            "decimal-comma",
            "the value is not a number: it has a decimal comma",
            expected="a decimal point",
            hint="Use a point as the decimal mark, and no mark between thousands"
            ' (or set decimal = "," in [options] of study.toml).',
        )
        cells.tell(
            failed & ~comma,
            "not-a-number",
            "the value is not a number",
            expected="a number",
            hint=lambda row: _number_hint(row["found"], cells),
        )
    return _finite(cells, number)


def _number_hint(found: str, cells: Cells) -> str:
    text = found.strip()
    if re.match(r"\d{4}-\d{2}", text) or re.match(r"\d{1,2}[./]\d{1,2}[./]\d{2,4}$", text):
        name = re.sub(r"days?$", "date", cells.column)
        return (
            f"For dates name the column {name} and write them as YYYY-MM-DD."
            if name != cells.column
            else ("Give a number, not a date.")
        )
    if text[:1] in "<>≤≥":
        return "Give the number alone; the table labs has a column comparator for < and >."
    if text[:1] in "−–":
        return "Use the plain minus sign (-)."
    if re.match(r"[+-]?[\d.]+\s*\D+$", text):
        unit = f" ({cells.unit})" if cells.unit else ""
        return f"Give the number alone: the unit is fixed by the column{unit}."
    return "Give a number, or leave the cell empty."


def _finite(cells: Cells, number: pl.Series) -> pl.Series:
    number = number.fill_nan(None)
    infinite = number.is_infinite().fill_null(value=False)
    if infinite.any():
        hint = "Leave the cell empty where there is no value."
        cells.tell(
            infinite,
            "not-a-number",
            "the value is not a finite number",
            expected="a finite number",
            hint=hint,
        )
        number = number.set(infinite, None)
    return number


def _read_int(cells: Cells) -> pl.Series:
    values = cells.values
    if values.dtype == pl.Int64:
        return values
    number = _read_float(cells)
    broken = ((number != number.round()) | (number.abs() >= MAX_WHOLE)).fill_null(value=False)
    hint = "Give a whole number, or leave the cell empty."
    cells.tell(broken, "not-whole", "the value is not a whole number", expected="a whole number", hint=hint)
    return number.set(broken, None).cast(pl.Int64)


def _read_bool(cells: Cells) -> pl.Series:
    if cells.values.dtype == pl.Boolean:
        return cells.values
    words = {word: word in TRUE for word in (*TRUE, *FALSE)}
    hint = "Write true or false (yes/no, y/n and 1/0 are read too), or leave the cell empty."
    return _translate(
        cells,
        words,
        pl.Boolean(),
        code="not-true-or-false",
        problem="the value is neither true nor false",
        expected="true or false",
        hint=hint,
    )


def _read_code(cells: Cells, declared: dy.Enum) -> pl.Series:
    if cells.values.dtype == declared.dtype:
        return cells.values
    codes = [str(code) for code in declared.categories]

    def hint(row: Mapping[str, Any]) -> str:
        word = re.sub(r"[\s-]+", "_", str(row["found"]).strip())
        return nearest(word, codes) or f"Use one of {', '.join(codes)}, or leave the cell empty."

    words = {code.lower(): code for code in codes}
    problem = "the value is not a code of this column"
    expected = f"one of {', '.join(codes)}"
    return _translate(
        cells, words, declared.dtype, code="unknown-code", problem=problem, expected=expected, hint=hint
    )


def _translate(
    cells: Cells,
    words: Mapping[str, object],
    dtype: pl.DataType,
    *,
    code: str,
    problem: str,
    expected: str,
    hint: Words,
) -> pl.Series:
    """Return words as values, whatever their case; only the distinct words are looked at."""
    text = _text_of(cells.values)
    distinct = text.unique().drop_nulls()
    plain = distinct.str.strip_chars().str.to_lowercase()
    found = [words.get(word) for word in plain.to_list()]
    result = text.replace_strict(distinct, pl.Series(found, dtype=dtype), default=None, return_dtype=dtype)
    unknown = [w for w, p, v in zip(distinct, plain, found, strict=True) if v is None and p not in MISSING]
    if unknown:
        cells.tell(text.is_in(unknown), code, problem, expected=expected, hint=hint)
    return result


_READERS: Final[dict[type[dy.Column], Callable[[Cells], pl.Series]]] = {
    dy.Float64: _read_float,
    dy.Int64: _read_int,
    dy.Bool: _read_bool,
    dy.String: _read_text,
}
_EXPECTED: Final[dict[type[dy.Column], str]] = {
    dy.Float64: "a number",
    dy.Int64: "a whole number",
    dy.Bool: "true or false",
    dy.String: "text",
    dy.Enum: "a code",
}
