"""The data dictionary of a study folder, and the templates that ``hccresist init`` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import dataframely as dy

from hccresist.errors import ConfigError
from hccresist.study.config import CONFIG_FILE
from hccresist.study.dates import INDEX_DATE, date_columns
from hccresist.study.tables import DEFAULTS, ONE_OF, SCHEMAS
from hccresist.study.values import FALSE, TRUE

DICTIONARY_FILE: Final = "DATA_DICTIONARY.md"

CONFIG_TEMPLATE: Final = """\
# Configuration of this study. Lines that begin with # are comments.

[study]
name = "my study"             # short name, shown on every page
title = ""                    # one line for the report
index_line = 1                # line of systemic treatment whose start is day 0
simulated = false             # true: the data are simulated, and every page says so
criteria = ["recist11", "mrecist", "irecist"]

# Comparisons of survival: the arm that the others are compared with (the first by name if left out), and
# columns of patients by which they are stratified.
# reference_arm = "sorafenib"
# strata = ["aetiology"]

# Planned scans, in days after day 0: a list, or evenly spaced. Needed for missed visits.
# planned_visit_days = [42, 84, 126, 182]
# visit_every_days = 56
# visit_until_days = 730

[policies]
# Choices on which published rules leave room; 'hccresist policies' lists them all.
# confirm_days = 28
# sd_min_days = 42

# A criterion of the study's own: an existing one with some choices changed; name it in criteria above.
# [criteria.strict]
# base = "mrecist"
# floor_mm = 5

[options]
# How the text files are written, where that cannot be seen in them.
# delimiter = "semicolon"     # comma, semicolon or tab; recognised if left out
# decimal = ","               # decimal commas; a point if left out
# first_day = 1               # the first day of treatment is day 1, and there is no day 0
"""

_TYPES: Final[dict[type[dy.Column], str]] = {
    dy.String: "text",
    dy.Float64: "number",
    dy.Int64: "whole number",
    dy.Bool: "true/false",
    dy.Enum: "code",
}

_HEAD: Final = f"""\
# Data dictionary

One file for each table, called `NAME.csv` (or `.tsv`, `.txt`, `.parquet`). `patients` is needed, and at
least one of {", ".join(f"`{name}`" for name in ONE_OF)}.
Delete the files that you do not need: a stage that lacks its input is reported as skipped.

- **Text files**: the first line names the columns; comma, semicolon or tab between values; a point as
  the decimal mark; UTF-8.
- **Missing values**: an empty cell, NA, N/A, NaN, null or `.`
- **Codes** are matched without regard to case. **true/false**: {", ".join(TRUE)} and {", ".join(FALSE)}.
- **Days** are counted from the start of the index line of treatment (day 0), negative before. Dates
  (YYYY-MM-DD) may be given instead, in the column named under *or as date*, together with
  `{INDEX_DATE}` (the date of day 0) in `patients`. Dates are turned into days while the files are read
  and do not come out again.
- **Key**: the columns that together may stand only once. The other columns may be empty or left out,
  unless marked *needed*.
- **Covariates**: columns that are not named here are kept as they are and come back out.
"""

_NOTES: Final[dict[str, str]] = {
    "patients": f"`{INDEX_DATE}` may be added: the date of day 0, needed where other tables hold dates.",
    "survival": "Own endpoints are pairs of columns, `NAME_days` (number) and `NAME_event` (true/false).",
    "expression": "Every further column is a sample (a `sample_id` of `samples`) and holds numbers.",
}


def data_dictionary() -> str:
    """Return the data dictionary as Markdown: every table and column with type, unit, codes and meaning.

    It is made from the schemas in `hccresist.study.tables`, so it cannot differ from what is read.

    Examples
    --------
    >>> "| longest_mm | number | mm |" in data_dictionary()
    True
    """
    return "\n".join([_HEAD, *(_table_section(name) for name in SCHEMAS)])


def _table_section(table: str) -> str:
    schema = SCHEMAS[table]
    summary = (schema.__doc__ or "").strip().splitlines()[0]
    key = ", ".join(f"`{name}`" for name in schema.primary_key())
    rows = [_row(table, name, column) for name, column in schema.columns().items()]
    head = [
        "| column | type | unit | or as date | codes and limits | meaning |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    note = [_NOTES[table], ""] if table in _NOTES else []
    return "\n".join([f"## {table}", "", summary, "", f"Key: {key}.", "", *note, *head, *rows, ""])


def _row(table: str, name: str, column: dy.Column) -> str:
    marks: list[str] = []
    if name in DEFAULTS.get(table, {}):
        marks.append("key, may be left out")
    elif column.primary_key:
        marks.append("key")
    elif not column.nullable:
        marks.append("needed")
    limits = "; ".join([*marks, *_limits(column)])
    unit = (column.metadata or {}).get("unit", "")
    date = date_columns(table).get(name, "")
    return f"| {name} | {_TYPES[type(column)]} | {unit} | {date} | {limits} | {column.description} |"


def _limits(column: dy.Column) -> list[str]:
    if isinstance(column, dy.Enum):
        return [", ".join(column.categories)]
    low, above, high = (getattr(column, name, None) for name in ("min", "min_exclusive", "max"))
    if low is not None and high is not None:
        return [f"{low:g} to {high:g}"]
    if above is not None:
        return [f"above {above:g}" + (f", at most {high:g}" if high is not None else "")]
    return [f"{low:g} or more"] if low is not None else []


def write_templates(folder: Path, *, force: bool = False) -> list[Path]:
    """Write the templates of a study folder: ``study.toml``, a header for each table, the dictionary.

    Parameters
    ----------
    folder
        Where to write; made if it does not exist.
    force
        Overwrite files of the same names.

    Returns
    -------
    list[Path]
        The files written, in the order of the tables.

    Raises
    ------
    ConfigError
        When a file is there already and `force` is not set, or when the folder cannot be written;
        nothing is then written over.
    """
    contents = {CONFIG_FILE: CONFIG_TEMPLATE}
    contents |= {f"{name}.csv": ",".join(schema.column_names()) + "\n" for name, schema in SCHEMAS.items()}
    contents[DICTIONARY_FILE] = data_dictionary()
    if folder.exists() and not folder.is_dir():
        msg = f"{folder} is a file. Give the name of a folder."
        raise ConfigError(msg)
    there = [name for name in contents if (folder / name).exists()]
    if there and not force:
        msg = f"In {folder} there is already: {', '.join(there)}. Nothing was written; name another folder."
        raise ConfigError(msg)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        msg = f"{folder} cannot be written: {error.strerror}. Check the permissions or name another folder."
        raise ConfigError(msg) from error
    return [folder / name for name in contents]
