"""Read one SDTM file, whatever its format, as text with line numbers.

CSV (also gzipped), SAS transport files (XPT version 5 and 8) and CDISC Dataset-JSON v1.1 (JSON,
NDJSON and its compressed form) all become the same frame: one text column a variable, in upper
case, empty where there is no value, and `ROW`: the line of a text file, the record (from 1) of the
others.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import polars as pl

from hccresist.study.rows import Place
from hccresist.study.study import ROW
from hccresist.study.text import open_text, read_blocks
from hccresist.study.values import MISSING

SUFFIXES: Final = (".csv", ".csv.gz", ".xpt", ".json", ".ndjson", ".dsjc")
"""File name endings that are read, in lower case."""

_KNOWN: Final = ("USUBJID", "STUDYID", "DOMAIN", "RDOMAIN")
_RECORD: Final = 80
_XPT_HEAD_BYTES: Final = 8_000_000
_XPT_HINT: Final = "Export the data set again and compare the size of the two files."
_JSON_HINT: Final = "Write it as CDISC Dataset-JSON v1.1, or give the domain as CSV or XPT."


def suffix_of(path: Path) -> str:
    """Return the ending of a file name that says its format, in lower case, or an empty string."""
    name = path.name.lower()
    return next((end for end in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(end)), "")


def read_records(path: Path, place: Place) -> tuple[pl.DataFrame, str] | None:
    """Read one file.

    Parameters
    ----------
    path
        File with one of the endings in `SUFFIXES`.
    place
        Hears of everything that keeps the file from being read.

    Returns
    -------
    tuple[pl.DataFrame, str] or None
        The records as text, and the SHA-256 of the file. ``None`` where it cannot be read.
    """
    suffix = suffix_of(path)
    try:
        if suffix in (".csv", ".csv.gz"):
            return _read_csv(path, place, zipped=suffix == ".csv.gz")
        frame = _read_xpt(path, place) if suffix == ".xpt" else _read_json(path, place, suffix)
        return None if frame is None else (_tidy(frame), _sha256(path))
    except OSError as error:
        reason = error.strerror or str(error)
        place.error("unreadable-file", f"the file cannot be read: {reason}", hint="Check the file.")
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tidy(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with upper-case names, trimmed text, and null where there is no value."""
    texts = {name.strip().upper(): pl.col(name).str.strip_chars() for name in frame.columns if name != ROW}
    tidy = [
        pl.when(~text.str.to_lowercase().is_in(MISSING)).then(text).alias(name)
        for name, text in texts.items()
    ]
    return frame.select(ROW, *tidy)


def _tell_twice(names: Sequence[str], place: Place) -> bool:
    upper = [name.strip().upper() for name in names]
    twice = sorted({name for name in upper if upper.count(name) > 1 or name == ROW.upper()})
    for name in twice:
        place.error("duplicate-column", f"variable {name} is there twice", column=name, hint="Remove one.")
    return bool(twice)


# CSV


def _read_csv(path: Path, place: Place, *, zipped: bool) -> tuple[pl.DataFrame, str] | None:
    if not zipped:
        return _read_text(path, place)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.csv"
        try:
            with gzip.open(path, "rb") as source, plain.open("wb") as target:
                shutil.copyfileobj(source, target)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            hint = "Compress the file again; it may have been cut off."
            place.error("broken-gzip", "the compressed file is damaged or cut off", hint=hint)
            return None
        read = _read_text(plain, place)
    return None if read is None else (read[0], _sha256(path))


def _read_text(path: Path, place: Place) -> tuple[pl.DataFrame, str] | None:
    text = open_text(path, _KNOWN, place=place)
    if text is None or _tell_twice([name for name in text.headers if name.strip()], place):
        return None
    blocks = list(read_blocks(text, place))
    frames = [block for block in blocks if block is not None]
    if len(frames) < len(blocks):
        return None
    if not frames:
        schema = {name: pl.String for name in text.headers if name.strip()}
        frames = [pl.DataFrame(schema={**schema, ROW: pl.Int64})]
    return _tidy(pl.concat(frames)), text.sha256


# SAS transport


def _read_xpt(path: Path, place: Place) -> pl.DataFrame | None:
    import pyreadstat  # noqa: PLC0415  (slow to import)

    count = _check_xpt(path, place)
    if count is None:
        return None
    for encoding in (None, "WINDOWS-1252"):
        try:
            data, _ = pyreadstat.read_xport(
                str(path), output_format="dict", disable_datetime_conversion=True, encoding=encoding
            )
        except UnicodeDecodeError:
            continue
        except (pyreadstat.ReadstatError, ValueError, OverflowError) as error:
            problem = f"this is not a SAS transport file that can be read ({error})"
            place.error("xpt-unreadable", problem, hint=_XPT_HINT)
            return None
        if encoding:
            hint = "It was read as Latin-1 (Windows-1252): look at names with accents."
            place.warning("latin-1", "the text is not UTF-8", expected="UTF-8", hint=hint)
        return _xpt_frame(cast("dict[str, list[object]]", data), count, place)
    hint = "Write the file in UTF-8 or Latin-1."
    place.error("encoding", "the text is neither UTF-8 nor Latin-1", expected="UTF-8", hint=hint)
    return None


def _xpt_frame(data: dict[str, list[object]], count: int, place: Place) -> pl.DataFrame | None:
    if _tell_twice(list(data), place):
        return None
    frame = pl.DataFrame([_text_column(name, list(values)) for name, values in data.items()])
    if count >= 0 and frame.height != count:
        found, expected = f"{frame.height} records", f"{count} records"
        problem = "the file is cut off: it holds fewer records than its header says"
        place.error("truncated-file", problem, found=found, expected=expected, hint=_XPT_HINT)
        return None
    return frame.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW))


def _check_xpt(path: Path, place: Place) -> int | None:
    """Return how many records the header promises (-1: it does not say), ``None`` where it is broken.

    A transport file consists of blocks of 80 bytes. Version 5 does not say how many records it
    holds, so a file that was cut between two records at the end of a block cannot be told.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_XPT_HEAD_BYTES)
    if not head.startswith(b"HEADER RECORD*******LIB"):
        hint = "Give XPT version 5 or 8; files of PROC CPORT and sas7bdat are other formats."
        place.error("xpt-unreadable", "this is not a SAS transport file", hint=hint)
        return None
    if head.count(b"HEADER RECORD*******MEMBER  ") + head.count(b"HEADER RECORD*******MEMBV8  ") > 1:
        hint = "Write each domain into a file of its own."
        place.error("xpt-members", "the file holds more than one data set", hint=hint)
        return None
    start = max(head.find(b"HEADER RECORD*******OBS  "), head.find(b"HEADER RECORD*******OBSV8"))
    if start < 0 or size % _RECORD or _cuts_a_record(path, head, start + _RECORD):
        found = f"{size} bytes"
        problem = "the file is cut off: it ends within a record"
        place.error("truncated-file", problem, found=found, hint=_XPT_HINT)
        return None
    count = head[start + 48 : start + 63].strip()
    says = head[start : start + 25].endswith(b"V8") and count.isdigit()
    return int(count) if says and int(count) else -1


def _cuts_a_record(path: Path, head: bytes, start: int) -> bool:
    """Return whether anything but blanks stands behind the last whole record."""
    names = max(head.find(b"HEADER RECORD*******NAMESTR"), head.find(b"HEADER RECORD*******NAMSTV8"))
    digits = head[names + 54 : names + 58].strip()
    if names < 0 or not digits.isdigit():
        return True
    at = names + _RECORD + 4
    sizes = [int.from_bytes(head[at + 140 * n : at + 140 * n + 2], "big") for n in range(int(digits))]
    left = (path.stat().st_size - start) % max(1, sum(sizes))
    if not left:
        return False
    with path.open("rb") as file:
        file.seek(-left, 2)
        return bool(file.read().strip())


# Dataset-JSON


def _read_json(path: Path, place: Place, suffix: str) -> pl.DataFrame | None:
    parsed = _load_json(path, place, suffix)
    if parsed is None:
        return None
    meta, rows, first = parsed
    version = meta.get("datasetJSONVersion")
    if not isinstance(version, str) or version.split(".")[:2] != ["1", "1"]:
        found = "nothing" if version is None else str(version)
        problem = "this is not CDISC Dataset-JSON v1.1"
        place.error(
            "json-version", problem, column="datasetJSONVersion", found=found, expected="1.1", hint=_JSON_HINT
        )
        return None
    names = _json_names(meta, place)
    if names is None or _tell_twice(names, place) or not _check_rows(meta, rows, names, place, first):
        return None
    columns = [_text_column(name, [row[at] for row in rows]) for at, name in enumerate(names)]
    records = pl.int_range(first, first + len(rows), dtype=pl.Int64, eager=True).alias(ROW)
    return pl.DataFrame([*columns, records])


def _load_json(path: Path, place: Place, suffix: str) -> tuple[dict[str, Any], list[list[Any]], int] | None:
    """Return metadata, rows, and the line (NDJSON) or record number of the first row."""
    try:
        data = path.read_bytes()
        text = (zlib.decompress(data) if suffix == ".dsjc" else data).decode("utf-8-sig")
        if suffix == ".json":
            content, first = json.loads(text), 1
        else:
            lines = text.splitlines()
            content = json.loads(lines[0]) if lines else None
            rows = _load_lines(lines, place)
            if rows is None:
                return None
            content, first = {**cast("dict[str, Any]", content), "rows": rows}, 2
    except zlib.error:
        place.error("broken-zlib", "the compressed file is damaged or cut off", hint="Compress it again.")
        return None
    except UnicodeDecodeError:
        place.error("encoding", "the text is not UTF-8", expected="UTF-8", hint="Save it as UTF-8.")
        return None
    except (json.JSONDecodeError, TypeError, RecursionError) as error:
        _tell_json(error, place)
        return None
    if not isinstance(content, dict):
        place.error("json-version", "this is not CDISC Dataset-JSON v1.1", hint=_JSON_HINT)
        return None
    meta = cast("dict[str, Any]", content)
    return meta, meta.get("rows") or [], first


def _load_lines(lines: Sequence[str], place: Place) -> list[Any] | None:
    """Return the rows of NDJSON, one a line from the second on; blank lines are passed over."""
    rows: list[Any] = []
    for number, line in enumerate(lines[1:], start=2):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                hint = "The file may be cut off: write it again."
                place.error("json-syntax", f"this is not valid JSON: {error.msg}", line=number, hint=hint)
                return None
    return rows


def _tell_json(error: Exception, place: Place) -> None:
    line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
    reason = error.msg if isinstance(error, json.JSONDecodeError) else "it is not a JSON object"
    hint = "The file may be cut off: write it again."
    place.error("json-syntax", f"this is not valid JSON: {reason}", line=line, hint=hint)


def _json_names(meta: dict[str, Any], place: Place) -> list[str] | None:
    columns: object = meta.get("columns")
    items = cast("list[object]", columns) if isinstance(columns, list) else []
    names = [
        cast("dict[str, object]", item).get("name") if isinstance(item, dict) else None for item in items
    ]
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        hint = 'Every entry of "columns" has a "name".'
        place.error("json-columns", "the columns are not described", column="columns", hint=hint)
        return None
    return cast("list[str]", names)


def _check_rows(meta: dict[str, Any], rows: object, names: list[str], place: Place, first: int) -> bool:
    """Return whether every row has a plain value for every column, and all promised rows are there."""
    good = isinstance(rows, list)
    items = cast("list[object]", rows) if isinstance(rows, list) else []
    broken = [
        at
        for at, row in enumerate(items)
        if not isinstance(row, list)
        or len(cast("list[object]", row)) != len(names)
        or any(isinstance(value, list | dict) for value in cast("list[object]", row))
    ]
    found = pl.DataFrame({ROW: [first + at for at in broken]}, schema={ROW: pl.Int64})
    hint = "Each row is a list with one value a column, in the order of the columns."
    place.tell(found, "json-row", f"the row is not a list of {len(names)} values", hint=hint)
    records = meta.get("records")
    if good and isinstance(records, int) and records != len(items):
        place.error(
            "truncated-file",
            "the number of rows is not what the file says",
            column="records",
            found=f"{len(items)} rows",
            expected=f"{records} rows",
            hint="The file may be cut off: write it again.",
        )
        return False
    if not good:
        place.error("json-row", "the rows are not a list", column="rows", hint=hint)
    return good and not broken


def _text_column(name: str, values: Sequence[object]) -> pl.Series:
    """Return plain values as text: whole numbers without a point, others with all their digits."""
    return pl.Series(name, [_text(value) for value in values], dtype=pl.String)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, float):
        if value != value:  # noqa: PLR0124  (NaN)
            return None
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return str(value)
