"""Read a tidy study folder: ``study.toml`` and one CSV, TSV or Parquet file for each table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from hccresist.study.check import check_tables, index_dates
from hccresist.study.columns import Reading, known_columns, match_headers, type_table
from hccresist.study.config import CONFIG_FILE, read_settings
from hccresist.study.dates import INDEX_DATE, date_columns
from hccresist.study.issues import IssueLog, nearest
from hccresist.study.maf import alteration_format, join_alterations, read_alterations
from hccresist.study.policies import Policies
from hccresist.study.rows import Place
from hccresist.study.study import ROW, RawTable, Source, Study
from hccresist.study.tables import SCHEMAS
from hccresist.study.text import open_text, read_blocks

TEXT_ENDINGS: Final = (".csv", ".tsv", ".txt")
PARQUET_ENDINGS: Final = (".parquet", ".pq")
IGNORED_ENDINGS: Final = (".md", ".rst", ".html", ".pdf")
IGNORED_NAMES: Final = ("readme", "license", "licence", "changelog", "notes", "sources")
HOPELESS: Final = 1_000
"""Problems in a file beyond which it is given up, when they are more than half of its rows."""
_NO_INDEX_DATES: Final = pl.DataFrame(schema={"patient_id": pl.String, INDEX_DATE: pl.Date})


@dataclass(frozen=True, slots=True)
class _Read:
    """A table as it was read, and the file that it came from."""

    table: RawTable
    source: Source


def read_tidy(folder: Path, *, policies: Policies | None = None, further: Sequence[RawTable] = ()) -> Study:
    r"""Read and check a tidy study folder; nothing in it is changed.

    Every table is a file ``NAME.csv``, ``.tsv`` or ``.txt`` (comma, semicolon or tab; UTF-8 with or
    without BOM, or Latin-1) or ``NAME.parquet``, where NAME is a key of
    `hccresist.study.tables.SCHEMAS`. Times are days from start of the index line, or ISO 8601 dates
    in columns called ``date`` (``start_date``, ``end_date``, ``entry_date``, ``last_alive_date``,
    ``os_date``) together with ``index_date`` in `patients`. Dates are turned into days while the
    files are read: neither they nor ``index_date`` come out of the study, so that what is made of it
    can be shared. A covariate that holds dates is kept as it is, with a warning.

    The table `alterations` may also be a MAF (``NAME.maf``, ``data_mutations.txt``) and a matrix of
    discrete copy number (``data_cna.txt``), as `hccresist.study.maf` reads them.

    Empty cells and NA, N/A, NaN, null and ``.`` are missing values. Codes and true/false are matched
    without regard to case, as are the names of declared columns. Other columns are kept as text
    exactly as they stand (Parquet: in their own type).

    Parameters
    ----------
    folder
        The study folder.
    policies
        Policies in force, instead of those of ``study.toml``; to change single ones use
        ``Policies.parse(values, base=read_config(folder, log).policies)``.
    further
        Tables that are checked with those of the folder and come from elsewhere, such as reports.

    Returns
    -------
    Study
        Checked tables, what was noticed, and the files with their SHA-256.

    Raises
    ------
    InputError
        With every problem found in any file.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "patients.csv").write_text("patient_id\nP1\n")
    >>> _ = (folder / "sums.csv").write_text("patient_id;measure;day;sum\nP1;longest;-3;42\n")
    >>> study = read_tidy(folder)
    >>> study.table("sums")["sum"].to_list(), [w.code for w in study.warnings]
    ([42.0], ['missing-config'])
    """
    log = IssueLog()
    config, options = read_settings(folder, log)
    config = replace(config, policies=policies or config.policies)
    files = table_files(folder, log)
    imputation = config.policies.date_imputation
    reading = Reading(options=options, date_imputation=imputation, index_dates=_NO_INDEX_DATES)
    found: list[_Read] = []
    for name in (name for name in SCHEMAS if name in files and _is_own_table(files[name])):
        read = _read_table(files[name], name, reading, log=log)
        if read is None:
            continue
        found.append(read)
        if name == "patients":
            reading = replace(reading, index_dates=index_dates([read.table]))
    found = _with_alterations(folder, found, log=log)
    sources = [*config_source(folder), *(read.source for read in found)]
    raw = [*_joined([read.table for read in found]), *further]
    return check_tables(raw, config, log=log, sources=sources)


def _with_alterations(folder: Path, found: list[_Read], *, log: IssueLog) -> list[_Read]:
    """Return what was read, and behind it the files of mutations and copy number of the folder."""
    kinds = {path: alteration_format(path) for path in sorted(folder.iterdir()) if path.is_file()}
    files = {path: kind for path, kind in kinds.items() if kind is not None}
    read = [
        read_alterations(path, kind, place=Place(file=path.name, log=log)) for path, kind in files.items()
    ]
    return [*found, *(_Read(*pair) for pair in read if pair is not None)]


def _joined(tables: Sequence[RawTable]) -> list[RawTable]:
    """Return the tables, those of alterations as one."""
    others = [table for table in tables if table.name != "alterations"]
    alterations = join_alterations([table for table in tables if table.name == "alterations"])
    return others if alterations is None else [*others, alterations]


def read_patients(folder: Path, *, policies: Policies | None = None) -> pl.DataFrame | None:
    """Return table `patients` as it stands, not yet checked, with ``index_date``; ``None`` without one.

    For readers that count days themselves; `read_tidy` tells the problems.
    """
    log = IssueLog()
    config, options = read_settings(folder, log)
    imputation = (policies or config.policies).date_imputation
    reading = Reading(options=options, date_imputation=imputation, index_dates=_NO_INDEX_DATES)
    path = table_files(folder, log).get("patients")
    read = None if path is None else _read_table(path, "patients", reading, log=log)
    return None if read is None else read.table.frame


def is_table_file(path: Path) -> bool:
    """Return whether a file is, by its name, a table of a tidy study folder."""
    return alteration_format(path) is not None or _is_own_table(path)


def _is_own_table(path: Path) -> bool:
    return path.stem.lower() in SCHEMAS and path.suffix.lower() in (*TEXT_ENDINGS, *PARQUET_ENDINGS)


def table_files(folder: Path, log: IssueLog) -> dict[str, Path]:
    """Return the file of each table; tell tables that are there twice and files that are none.

    Where alterations lie in a MAF or a copy-number matrix alone, the first of them stands for the table.
    """
    files: dict[str, Path] = {}
    elsewhere: list[Path] = []
    for path in sorted(folder.iterdir()):
        name = path.stem.lower()
        if path.is_file() and alteration_format(path) is not None:
            elsewhere.append(path)
        elif not path.is_file() or not _is_own_table(path):
            _tell_unknown_file(path, log)
        elif name in files:
            hint = f"Keep one of {files[name].name} and {path.name}."
            place = Place(file=path.name, log=log)
            place.error("table-twice", f"the table {name} is there in two files", found=path.name, hint=hint)
        else:
            files[name] = path
    return {"alterations": elsewhere[0], **files} if elsewhere else files


def _tell_unknown_file(path: Path, log: IssueLog) -> None:
    name, ending = path.stem.lower(), path.suffix.lower()
    if path.name.startswith((".", "~")) or path.name == CONFIG_FILE or name.startswith(IGNORED_NAMES):
        return
    if ending in IGNORED_ENDINGS or (path.is_dir() and name not in SCHEMAS):
        return
    hint = f"The tables are {', '.join(SCHEMAS)}, as .csv, .tsv, .txt or .parquet."
    if name in SCHEMAS or Path(name).stem in SCHEMAS:
        hint = f"Save the table as {Path(name).stem}.csv or {Path(name).stem}.parquet."
    elif path.name.lower() == CONFIG_FILE or ending == ".toml":
        hint = f"The configuration is called {CONFIG_FILE}."
    elif close := nearest(name, list(SCHEMAS)):
        hint = close
    place = Place(file=path.name, log=log)
    place.warning("unknown-file", "the file is no table of a study and was not read", hint=hint)


def config_source(folder: Path) -> list[Source]:
    """Return ``study.toml`` as a source, if there is one."""
    path = folder / CONFIG_FILE
    if not path.is_file():
        return []
    return [Source(file=CONFIG_FILE, sha256=hash_file(path), rows=0, table="study")]


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_table(path: Path, name: str, reading: Reading, *, log: IssueLog) -> _Read | None:
    place = Place(file=path.name, log=log)
    read = _read_parquet if path.suffix.lower() in PARQUET_ENDINGS else _read_text
    try:
        return read(path, name, reading, place=place)
    except OSError as error:
        reason = error.strerror or "the system refused it"
        hint = "Check that the file is there and that you may read it."
        place.error("unreadable-file", f"the file cannot be read: {reason}", hint=hint)
        return None


def _read_text(path: Path, name: str, reading: Reading, *, place: Place) -> _Read | None:
    """Read a text table block by block; give up where most of it is nonsense."""
    text = open_text(path, known_columns(name), place=place, delimiter=reading.options.delimiter)
    if text is None:
        return None
    names = match_headers([header for header in text.headers if header.strip()], name, place)
    if names is None:
        return None
    place = replace(place, headers=_headers(names, name))
    blank = pl.DataFrame(schema=dict.fromkeys(names, pl.String) | {ROW: pl.Int64})
    frames = [type_table(blank.rename(names), name, place=place, reading=reading)]
    rows = 0
    for block in read_blocks(text, place):
        if block is None or _is_hopeless(rows, place):
            return None
        rows += block.height
        frames.append(type_table(block.rename(names), name, place=place, reading=reading))
    table = RawTable(name=name, frame=pl.concat(frames), file=path.name, headers=place.headers)
    return _Read(table, Source(file=path.name, sha256=text.sha256, rows=rows, table=name))


def _headers(names: Mapping[str, str], table: str) -> dict[str, str]:
    """Return, for each column of the table, its header in the file where the two differ."""
    days = {date: day for day, date in date_columns(table).items()}
    columns = {days.get(column, column): header for header, column in names.items()}
    return {column: header for column, header in columns.items() if column != header}


def _is_hopeless(rows: int, place: Place) -> bool:
    problems = sum(issue.count for issue in place.log.errors if issue.file == place.file)
    if problems <= max(HOPELESS, rows // 2):
        return False
    hint = "Mend the kinds of problem listed; what follows was not read."
    place.error(
        "too-many-problems", "most rows so far have a problem", found=f"{problems} problems", hint=hint
    )
    return True


def _read_parquet(path: Path, name: str, reading: Reading, *, place: Place) -> _Read | None:
    """Read a typed table; a line is then the number of its row, from 1."""
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).partition("\n")[0]
        hint = "Write the file again; it may be truncated, or no Parquet file at all."
        place.error("unreadable-file", f"the file is not readable Parquet: {reason}", hint=hint)
        return None
    rows = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW)
    table = type_parquet(frame.with_columns(rows), path, name, reading=reading, place=place)
    if table is None:
        return None
    return _Read(table, Source(file=path.name, sha256=hash_file(path), rows=frame.height, table=name))


def type_parquet(
    frame: pl.DataFrame, path: Path, name: str, *, reading: Reading, place: Place
) -> RawTable | None:
    """Return rows of a Parquet file with `ROW` as a table, or ``None`` where no column name is known."""
    names = match_headers([column for column in frame.columns if column != ROW], name, place)
    if names is None:
        return None
    if not set(names.values()) & set(known_columns(name)):
        hint = "Name the columns as in the data dictionary that 'hccresist init' writes."
        found = ", ".join(frame.columns[:6])
        place.error("unknown-header", "no column name is known", found=found, hint=hint)
        return None
    place = replace(place, headers=_headers(names, name))
    typed = type_table(frame.rename(names), name, place=place, reading=reading)
    return RawTable(name=name, frame=typed, file=path.name, headers=place.headers)
