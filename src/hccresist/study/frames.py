"""Build a study from tables in memory: pandas, Polars or Arrow, through Narwhals.

The tables are read as files are: column names and codes whatever their case, whole numbers where
decimals are wanted, NaN and ``NA`` as missing, dates beside an ``index_date`` as days. Every value
that does not fit is told with its row; nothing is dropped.
"""

from __future__ import annotations

from typing import Any, Final, cast

import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from hccresist.study.check import check_tables
from hccresist.study.columns import Reading, match_headers, type_table
from hccresist.study.issues import IssueLog, nearest
from hccresist.study.rows import Place
from hccresist.study.study import ROW, RawTable, Study, StudyConfig
from hccresist.study.tables import SCHEMAS

_MIXED: Final = (pl.exceptions.PolarsError, TypeError, ValueError, NotImplementedError)


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
    log = IssueLog()
    used = config or StudyConfig()
    raw = [_raw_table(table, name, used, Place(file=f"<{name}>", log=log)) for name, table in tables.items()]
    return check_tables([table for table in raw if table is not None], used, log=log)


def _raw_table(table: object, name: str, config: StudyConfig, place: Place) -> RawTable | None:
    """Return a table with its row numbers and the schema's column names; ``None`` where it is refused."""
    if name not in SCHEMAS:
        hint = nearest(name, list(SCHEMAS)) or f"The tables are {', '.join(SCHEMAS)}."
        place.error("unknown-table", f"there is no study table '{name}'", hint=hint)
        return None
    given = _narwhals_frame(table, name, place)
    if given is None:
        return None
    columns = [_to_series(given, at) for at in range(len(given.columns))]
    names = match_headers([column.name for column in columns], name, place)
    if names is None:
        return None
    frame = pl.DataFrame([column.alias(names[column.name]) for column in columns])
    frame = frame.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW))
    headers = {column: header for header, column in names.items() if header != column}
    place = Place(file=place.file, log=place.log, headers=headers)
    if name == "patients":
        reading = Reading(date_imputation=config.policies.date_imputation)
        frame = type_table(frame, name, place=place, reading=reading)
    return RawTable(name=name, frame=frame, file=place.file, headers=headers)


def _narwhals_frame(table: object, name: str, place: Place) -> nw.DataFrame[Any] | None:
    try:
        frame: nw.DataFrame[Any] | nw.LazyFrame[Any] = nw.from_native(cast("Any", table))
        return frame.collect("polars") if isinstance(frame, nw.LazyFrame) else frame
    except TypeError:
        found, hint = type(table).__name__, "Give a pandas, Polars or Arrow table."
        place.error("not-a-table", f"'{name}' is not a table", found=found, hint=hint)
    except (nw.exceptions.NarwhalsError, ValueError, pl.exceptions.PolarsError) as error:
        hint = f"Every column needs a name of its own ({' '.join(str(error).split())[:120]})."
        place.error("unreadable-table", f"'{name}' cannot be read as a table", hint=hint)
    return None


def _to_series(frame: nw.DataFrame[Any], at: int) -> pl.Series:
    """Return one column; values of mixed kinds, which no column type holds, become text."""
    column = frame[:, at]
    try:
        series = column.to_polars()
    except _MIXED:
        values = [None if _is_missing(value) else str(value) for value in column.to_list()]
        series = pl.Series(values=values, dtype=pl.String)
    return series.alias(str(column.name))


def _is_missing(value: object) -> bool:
    return value is None or value != value or type(value).__name__ in ("NAType", "NaTType")  # noqa: PLR0124
