"""Check the tables of a study: each against its schema, then all against each other.

`check_table` looks at one table and `check_rules` (in `hccresist.study.rules`) at several; both are
pure, so a caller may check a huge study in chunks of whole patients. Line numbers are kept beside
the rows, since the schemas by themselves forget them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Final

import dataframely as dy
import polars as pl

from hccresist.study.columns import (
    Reading,
    covariates,
    declared_column,
    declared_columns,
    missing_headers,
    type_table,
)
from hccresist.study.dates import INDEX_DATE, date_columns
from hccresist.study.issues import LIMIT_PER_CODE, IssueLog, nearest
from hccresist.study.rows import Place
from hccresist.study.rules import check_rules
from hccresist.study.study import ROW, RawTable, Source, Study, StudyConfig
from hccresist.study.tables import DEFAULTS, SCHEMAS

LATEST_DAY: Final = 20_000.0
"""A day beyond this (55 years) is a date in disguise: a spreadsheet's serial number, or 20140201."""
SUGGEST_UP_TO: Final = 5_000
"""Patients up to which a similar identifier is looked for."""
CONTENT: Final[dict[str, tuple[str, ...]]] = {
    "lesions": ("longest_mm", "short_axis_mm", "viable_mm", "state"),
    "sums": ("sum",),
    "responses": ("overall", "target", "nontarget", "new_lesion"),
    "observations": ("value",),
}
"""Columns of which a table needs at least one, beside its key."""


def check_tables(
    raw: Sequence[RawTable], config: StudyConfig, *, log: IssueLog, sources: Sequence[Source] = ()
) -> Study:
    """Check tables against their schemas and each other, and make a study of them.

    1. Columns: those a table needs are there; the declared ones that are absent are filled with
       null, an absent or empty ``reader`` with the empty text; columns that no schema names are
       kept behind them as they are.
    2. Values: in range, and there where they are needed; days are plausible.
    3. Rows: every key stands once, every patient is in `patients`.
    4. Tables: the rules of `hccresist.study.rules`.
    5. Rows are sorted by key, so their order in the input does not matter. ``index_date`` of
       `patients` is taken out: a study knows only days.

    Parameters
    ----------
    raw
        Tables as a reader hands them over, in any order.
    config
        What ``study.toml`` says.
    log
        What the reader has noticed so far. A cell that it has told already is not told again.
    sources
        Files that were read.

    Returns
    -------
    Study
        With the log's warnings.

    Raises
    ------
    InputError
        With every issue in the log, when at least one of them is an error.
    """
    checked: dict[str, RawTable] = {}
    reading = Reading(date_imputation=config.policies.date_imputation, index_dates=index_dates(raw))
    ordered = sorted(raw, key=lambda table: (_position(table.name), table.file))
    for table in ordered:
        if not _is_wanted(table, checked, log):
            continue
        patients = checked["patients"].frame["patient_id"] if "patients" in checked else None
        patients = None if patients is None or patients.is_empty() else patients
        result = check_table(table, log=log, patients=patients, reading=reading)
        if result is not None:
            checked[table.name] = result
    check_rules(checked, config, log=log)
    log.raise_if_errors()
    tables = {name: table.frame.drop(ROW) for name, table in checked.items()}
    return Study(config=config, tables=tables, warnings=log.warnings, sources=tuple(sources))


def assemble_study(tables: Mapping[str, pl.DataFrame], config: StudyConfig) -> Study:
    """Make a study of tables that our own code made, in the shape that `check_tables` gives, unchecked.

    For simulated studies, which are many and are thrown away: checking takes as long as judging them. What
    is written for somebody to read goes through `check_tables`.
    """
    made = dict[str, pl.DataFrame]()
    for name in (name for name in SCHEMAS if name in tables and not tables[name].is_empty()):
        frame = tables[name]
        known = {column: declared_column(name, column, frame.columns) for column in frame.columns}
        frame = frame.cast({column: found.dtype for column, found in known.items() if found is not None})
        made[name] = _complete(frame, name).sort(SCHEMAS[name].primary_key())
    return Study(config=config, tables=made, warnings=(), sources=())


def _position(name: str) -> int:
    return list(SCHEMAS).index(name) if name in SCHEMAS else len(SCHEMAS)


def _is_wanted(table: RawTable, checked: dict[str, RawTable], log: IssueLog) -> bool:
    place = Place(file=table.file, log=log)
    if table.name not in SCHEMAS:
        hint = nearest(table.name, list(SCHEMAS)) or f"The tables are {', '.join(SCHEMAS)}."
        place.error("unknown-table", f"there is no study table '{table.name}'", hint=hint)
        return False
    if table.name in checked:
        first = checked[table.name].file
        place.error("table-twice", f"the table is already read from {first}", hint="Keep one of them.")
        return False
    if table.frame.is_empty() and table.name != "patients":
        hint = "Add rows, or remove the file."
        place.warning("no-rows", "the table has no rows and was left out", hint=hint)
        return False
    return True


def index_dates(raw: Sequence[RawTable]) -> pl.DataFrame | None:
    """Return ``patient_id`` and ``index_date`` of the patients, ``None`` where there are no such dates."""
    for table in raw:
        columns = table.frame.columns
        if table.name == "patients" and INDEX_DATE in columns and "patient_id" in columns:
            dates = table.frame.select("patient_id", INDEX_DATE).drop_nulls("patient_id")
            if dates[INDEX_DATE].dtype == pl.Date:
                return dates.unique("patient_id", keep="first", maintain_order=True)
    return None


def check_table(
    raw: RawTable,
    *,
    log: IssueLog,
    patients: pl.Series | None = None,
    reading: Reading | None = None,
) -> RawTable | None:
    """Check one table against its schema; rows come back sorted by key.

    Parameters
    ----------
    raw
        The table. Columns that are not yet of the declared type are read as a file's would be.
    log
        Hears every problem.
    patients
        Identifiers of the known patients; not looked at if not given.
    reading
        How text and dates are read, where the table still holds such.

    Returns
    -------
    RawTable or None
        All declared columns, covariates and `ROW`; ``None`` where a column that the table needs is
        missing.
    """
    dates = {day: date for day, date in date_columns(raw.name).items() if date in raw.frame.columns}
    place = Place(file=raw.file, log=log, headers={**dates, **raw.headers})
    frame = raw.frame.drop(INDEX_DATE, strict=False) if raw.name == "patients" else raw.frame
    if dates or not _is_typed(frame, raw.name):
        frame = type_table(frame, raw.name, place=place, reading=reading or Reading())
    if raw.name == "patients" and frame.is_empty():
        place.error("no-rows", "there are no patients", hint="Add one row for each patient.")
    if not _has_columns(frame, raw.name, place):
        return None
    _tell_covariates(frame, raw.name, place)
    frame = _complete(frame, raw.name)
    known = _known_rows(frame, raw.name, patients, place)
    _validate(frame, known, raw.name, place)
    frame = _without_far_days(frame, raw.name, place)
    key = SCHEMAS[raw.name].primary_key()
    return RawTable(name=raw.name, frame=frame.sort(key), file=raw.file, headers=place.headers)


def _is_typed(frame: pl.DataFrame, table: str) -> bool:
    types = frame.schema
    wanted = {name: declared_column(table, name, frame.columns) for name in frame.columns if name != ROW}
    return all(column is None or types[name] == column.dtype for name, column in wanted.items())


def _has_columns(frame: pl.DataFrame, table: str, place: Place) -> bool:
    missing = missing_headers(frame.columns, table)
    defaults = DEFAULTS.get(table, {})
    own = covariates(frame.columns, table)
    needed = [name for name, optional in missing.items() if not optional and name not in defaults]
    dates = date_columns(table)
    for name in needed:
        close = get_close_matches(name, [column.lower() for column in own], n=1, cutoff=0.5)
        rename = f"Is it '{close[0]}'? Then rename that to {name}." if close else f"Add {name}."
        also = f" Dates may be given as {dates[name]}." if name in dates else ""
        place.error(
            "missing-column", f"column '{name}' is missing", column=name, expected=name, hint=rename + also
        )
    content = CONTENT.get(table, ())
    if content and not any(name in frame.columns for name in content):
        close = [h for name in own if (h := nearest(name, content))]
        hint = close[0] if close else f"Add {content[0]}."
        expected = f"at least one of {', '.join(content)}"
        place.error(
            "missing-column", "the table has no values", column=content[0], expected=expected, hint=hint
        )
        return False
    return not needed


def _tell_covariates(frame: pl.DataFrame, table: str, place: Place) -> None:
    """Warn of covariates that look like a mistyped column, half an endpoint, or calendar dates."""
    if table == "expression":
        return
    own = covariates(frame.columns, table)
    missing = list(missing_headers(frame.columns, table))
    for name in own:
        endpoint = table == "survival" and declared_column(table, name, frame.columns) is not None
        close = get_close_matches(name.lower(), missing, n=1, cutoff=0.75)
        if close and not endpoint:
            place.warning(
                "unknown-column",
                f"column '{name}' is not known and is kept as a covariate",
                column=name,
                hint=f"If it is '{close[0]}', rename it.",
            )
        if _holds_dates(frame[name]):
            place.warning(
                "calendar-dates",
                f"covariate '{name}' holds calendar dates, which are kept and come back out",
                column=name,
                hint="Replace them by days from start of the index line before results are shared.",
            )
    if table == "survival":
        _tell_half_endpoints(own, frame, place)


def _holds_dates(values: pl.Series) -> bool:
    if values.dtype.is_temporal():
        return isinstance(values.dtype, pl.Date | pl.Datetime)
    return values.dtype == pl.String and bool(values.str.contains(r"^\s*\d{4}-\d{2}-\d{2}").any())


def _tell_half_endpoints(own: Sequence[str], frame: pl.DataFrame, place: Place) -> None:
    for name in own:
        stem, _, kind = name.rpartition("_")
        if kind not in ("days", "event") or not stem:
            continue
        other = f"{stem}_event" if kind == "days" else f"{stem}_days"
        if name == "os_event" or other not in frame.columns:
            hint = "Rename it to died." if name == "os_event" else f"An own endpoint also needs {other}."
            problem = f"column '{name}' by itself is no endpoint and is kept as a covariate"
            place.warning("half-endpoint", problem, column=name, hint=hint)


def _complete(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """Return every declared column in order, then the covariates, then `ROW` where it is there."""
    schema = declared_columns(table)
    absent = [pl.lit(None, dtype=c.dtype).alias(n) for n, c in schema.items() if n not in frame.columns]
    filled = [pl.col(name).fill_null(value) for name, value in DEFAULTS.get(table, {}).items()]
    own = covariates(frame.columns, table)
    row = (ROW,) if ROW in frame.columns else ()
    return frame.with_columns(absent).with_columns(filled).select(*schema, *own, *row)


def _known_rows(frame: pl.DataFrame, table: str, patients: pl.Series | None, place: Place) -> pl.DataFrame:
    """Tell patients that `patients` does not name; return the rows in which an empty cell is to be told.

    Those are the rows of known patients: without a patient's index date, dates have no day.
    """
    if table == "patients" or "patient_id" not in frame.columns:
        return frame
    if patients is None:
        dates = date_columns(table)
        return frame.clear() if any(place.header(n).strip().lower() == d for n, d in dates.items()) else frame
    ids = frame["patient_id"].unique().drop_nulls()
    strangers = ids.filter(~ids.is_in(patients.implode()))
    if strangers.is_empty():
        return frame
    strange = pl.col("patient_id").is_in(strangers.implode())
    known = patients.drop_nulls().to_list() if len(patients) <= SUGGEST_UP_TO else []

    def hint(row: dict[str, object]) -> str:
        close = get_close_matches(str(row["patient_id"]), known, n=1, cutoff=0.6)
        return f"Did you mean '{close[0]}'?" if close else "Add the patient there, or correct the identifier."

    place.tell(
        frame.filter(strange).sort(ROW).unique("patient_id", keep="first"),
        "unknown-patient",
        "the patient is not in the table patients",
        column="patient_id",
        found="patient_id",
        expected="a patient_id of patients",
        hint=hint,  # pyright: ignore[reportArgumentType]
    )
    return frame.filter(~strange.fill_null(value=False))


@cache
def _schema_with_rows(table: str) -> type[dy.Schema]:
    """Return the schema of a table that also knows the line of a row."""
    return type(f"{SCHEMAS[table].__name__}WithRows", (SCHEMAS[table],), {"row_": dy.Int64(alias=ROW)})


def _validate(frame: pl.DataFrame, known: pl.DataFrame, table: str, place: Place) -> None:
    schema = _schema_with_rows(table)
    declared = frame.select(schema.column_names())
    if not schema.is_valid(declared):
        _, failure = schema.filter(declared)
        _tell_failures(failure, known, table, place)


def _tell_failures(failure: dy.FailureInfo, known: pl.DataFrame, table: str, place: Place) -> None:
    details = failure.details()
    for rule in failure.counts():
        rows = details.filter(pl.col(rule) == "invalid")
        column, _, kind = rule.partition("|")
        if rule == "primary_key":
            _tell_duplicates(rows, table, place)
        elif kind == "nullability":
            _tell_missing(rows, column, known, place)
        else:
            _tell_range(rows, column, table, place)


def _tell_duplicates(rows: pl.DataFrame, table: str, place: Place) -> None:
    """Tell each row whose key has stood before, with the line where it first stood."""
    key = SCHEMAS[table].primary_key()
    shown = [name for name in key if name != "patient_id"] or key
    first = pl.col(ROW).min().over(key)
    rows = rows.drop_nulls(key).sort(ROW).with_columns(first=first)
    rows = rows.filter(pl.col(ROW) > pl.col("first")).with_columns(
        found=pl.concat_str([_shown(name) for name in shown], separator=", ", ignore_nulls=True)
    )
    names = ", ".join(place.header(name) for name in key)
    place.tell(
        rows,
        "duplicate-key",
        f"the same {names} stands in line {{first}} already",
        column=shown[-1],
        found="found",
        expected="one row for each key",
        hint="Remove one of the two rows, or correct what should differ.",
    )


def _shown(column: str) -> pl.Expr:
    """Return a key column as text, without the point of whole numbers; empty text is not shown."""
    text = pl.col(column).cast(pl.String).str.strip_suffix(".0")
    return pl.when(text != "").then(text)


def _tell_missing(rows: pl.DataFrame, column: str, known: pl.DataFrame, place: Place) -> None:
    """Tell empty cells where a value is needed, save those that the reader has told already."""
    told, flooded = _told(place, place.header(column))
    if flooded:
        return
    rows = rows.filter(pl.col(ROW).is_in(known[ROW].implode()) & ~pl.col(ROW).is_in(told))
    place.tell(
        rows,
        "missing-value",
        "the cell is empty, and this column needs a value",
        column=column,
        expected="a value",
        hint="Fill it in, or remove the row.",
    )


def _told(place: Place, header: str) -> tuple[list[int], bool]:
    """Return the lines of a column that have been told, and whether the log no longer lists all."""
    errors = [issue for issue in place.log.errors if issue.file == place.file]
    lines = [issue.line for issue in errors if issue.column == header and issue.line is not None]
    whole = any(issue.column == header and issue.line is None for issue in errors)
    often = Counter(issue.code for issue in errors)
    return lines, whole or any(count >= LIMIT_PER_CODE for count in often.values())


def _tell_range(rows: pl.DataFrame, column: str, table: str, place: Place) -> None:
    declared = declared_columns(table)[column]
    low = getattr(declared, "min", None)
    above = getattr(declared, "min_exclusive", None)
    high = getattr(declared, "max", None)
    unit = (declared.metadata or {}).get("unit", "")
    lowest = f"above {above:g}" if above is not None else f"{low:g}" if low is not None else "any"
    expected = (
        f"{lowest} to {high:g} {unit}".strip() if high is not None else f"{lowest} or more {unit}".strip()
    )
    negative = low == 0 or above == 0
    slip = (
        "Check the unit: centimetres and micrometres are no millimetres."
        if unit == "mm"
        else "Check the value."
    )
    place.tell(
        rows,
        "out-of-range",
        "the value is out of range",
        column=column,
        found=column,
        expected=expected,
        hint=lambda row: (
            "It cannot be negative: correct it." if negative and (row[column] or 0) < 0 else slip
        ),
    )


def _without_far_days(frame: pl.DataFrame, table: str, place: Place) -> pl.DataFrame:
    """Tell days that cannot be; they are errors, and null for the rules that follow."""
    for name, date in date_columns(table).items():
        far = pl.col(name).abs() > LATEST_DAY
        rows = frame.filter(far)
        if rows.is_empty():
            continue
        frame = frame.with_columns(pl.when(~far).then(pl.col(name)))
        place.tell(
            rows,
            "implausible-day",
            "the day is more than 50 years away",
            column=name,
            found=name,
            expected="days from start of the index line",
            hint=f"For calendar dates name the column {date} and write them as YYYY-MM-DD.",
        )
    return frame
