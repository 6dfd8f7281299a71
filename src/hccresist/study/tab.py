"""Read the tab-separated tables of genomics: comments above the header, no quoting, perhaps gzipped.

Tables of the study itself are read by `hccresist.study.text`; what is read here is written by
programs (MAF, cBioPortal, GEO), where a quote is a character like any other.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.study.rows import Place
from hccresist.study.study import ROW

MAX_BYTES: Final = 3_000_000_000
"""Largest text, unpacked, that is read whole."""
PART_BYTES: Final = 32_000_000
"""Text of a table that is taken apart at once."""
_CHUNK: Final = 16_000_000
_GZIP: Final = b"\x1f\x8b"
_LFS: Final = b"version https://git-lfs"
_HINT: Final = "Unpack it and look at it in a text editor; it should be a tab-separated table in UTF-8."


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A whole text file in UTF-8 with plain line ends, and the hash of the file as it lies."""

    data: bytes
    sha256: str


def load_text(path: Path, place: Place) -> Text | None:
    """Return the text of a file, unpacked where it is gzipped; ``None`` and told where it is none.

    Parameters
    ----------
    path
        The file; whether it is gzipped is told by its first bytes.
    place
        Hears why it cannot be read.
    """
    try:
        data, sha256 = _load(path)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        problem = "the file is gzipped, and damaged or cut short"
        place.error("unreadable-file", problem, hint="Fetch it again.")
        return None
    except OSError as error:
        hint = "Check that the file is there and that you may read it."
        reason = error.strerror or "the system refused it"
        place.error("unreadable-file", f"the file cannot be read: {reason}", hint=hint)
        return None
    if len(data) > MAX_BYTES:
        hint = "Leave out what is not needed, or write the study as Parquet tables."
        place.error("too-large", f"the text is larger than {MAX_BYTES:,} bytes", hint=hint)
        return None
    if not data.strip():
        place.error("empty-file", "the file is empty", hint="Fetch it again, or remove it.")
        return None
    if data.startswith(_LFS):
        hint = "Fetch the file itself: 'git lfs pull' in the repository that it comes from."
        place.error("lfs-pointer", "this is a pointer of Git LFS and not the file", line=1, hint=hint)
        return None
    plain = _as_utf8(data, place)
    return None if plain is None else Text(data=plain, sha256=sha256)


def _load(path: Path) -> tuple[bytes, str]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        packed = file.read(2) == _GZIP
        file.seek(0)
        if not packed:
            return file.read(MAX_BYTES + 1), sha256
        parts, size = list[bytes](), 0
        with gzip.open(file, "rb") as unpacked:
            while size <= MAX_BYTES and (chunk := unpacked.read(_CHUNK)):
                parts.append(chunk)
                size += len(chunk)
        return b"".join(parts), sha256


def _as_utf8(data: bytes, place: Place) -> bytes | None:
    data = data.removeprefix(b"\xef\xbb\xbf")
    if (at := data.find(0)) >= 0:
        line = data.count(b"\n", 0, at) + 1
        place.error(
            "binary-file", "this is not text", line=line, expected="a tab-separated table", hint=_HINT
        )
        return None
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        hint = "It was read as Latin-1 (Windows-1252): look at names with accents."
        place.warning("latin-1", "the text is not UTF-8", line=line, expected="UTF-8", hint=hint)
        data = data.decode("cp1252", errors="replace").encode()
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """A tab-separated table whose header has been read.

    Attributes
    ----------
    headers
        Names of the columns.
    body
        What follows the header.
    first_line
        Number of the first line of `body` in the file, from 1.
    notes
        Comment lines above the header, without their mark.
    quoted
        Values stand in quotes.
    """

    headers: tuple[str, ...]
    body: bytes
    first_line: int
    notes: tuple[str, ...] = ()
    quoted: bool = False


def open_tab(data: bytes, place: Place, *, first_line: int = 1) -> Tab | None:
    """Read comments and header of a tab-separated table.

    Parameters
    ----------
    data
        The text; lines that begin with ``#`` are comments.
    place
        Hears of a header that cannot be used.
    first_line
        Number of the first line of `data` in its file.
    """
    notes, start, line = list[str](), 0, first_line
    while start < len(data):
        stop = data.find(b"\n", start)
        stop = len(data) if stop < 0 else stop
        text = data[start:stop].decode()
        start, line = stop + 1, line + 1
        if text.startswith("#"):
            notes.append(text.lstrip("#"))
        elif text.strip():
            return _open(text, data[start:], place, line=line, notes=notes)
    place.error("no-header", "there is no line that names the columns", hint=_HINT)
    return None


def _open(text: str, body: bytes, place: Place, *, line: int, notes: Sequence[str]) -> Tab | None:
    quoted = text.startswith('"')
    split = next(csv.reader([text], delimiter="\t")) if quoted else text.split("\t")
    headers = tuple(name.strip() for name in split)
    twice = sorted({name for name in headers if headers.count(name) > 1}) if _repeats(headers) else []
    for name in twice:
        hint = "Rename or remove one of them."
        place.error(
            "duplicate-column", f"column '{name}' is there twice", line=line - 1, column=name, hint=hint
        )
    if twice:
        return None
    return Tab(headers=headers, body=body, first_line=line, notes=tuple(notes), quoted=quoted)


def _repeats(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)


def read_tab(tab: Tab, place: Place, *, columns: Iterable[str] | None = None) -> pl.DataFrame | None:
    """Return the rows of a table, every value as text, with `ROW`.

    Parameters
    ----------
    tab
        As `open_tab` returned it.
    place
        Hears of rows with too many or too few values.
    columns
        Columns wanted; all, if not given.

    Returns
    -------
    pl.DataFrame or None
        Rows that have as many values as the header; blank lines and comments are left out. ``None``
        where the table cannot be read.
    """
    parts = list(read_parts(tab, place, columns=columns))
    whole = [part for part in parts if part is not None]
    return pl.concat(whole) if len(whole) == len(parts) else None


def read_parts(
    tab: Tab, place: Place, *, columns: Iterable[str] | None = None
) -> Iterator[pl.DataFrame | None]:
    """Yield the rows of a table part by part, so that a wide matrix never stands in memory as text.

    Parameters
    ----------
    tab, place, columns
        As in `read_tab`.

    Yields
    ------
    pl.DataFrame or None
        At least one part, perhaps without rows; ``None`` comes last where the table cannot be read.
    """
    kept = None if columns is None else set(columns)
    wanted = [name for name in tab.headers if kept is None or name in kept]
    start, line = 0, tab.first_line
    while True:
        stop = _part_end(tab.body, start)
        part = _read_part(tab.body[start:stop], tab, place, wanted=wanted, line=line)
        yield part
        if part is None or stop >= len(tab.body):
            return
        start, line = stop, line + tab.body.count(b"\n", start, stop)


def _part_end(body: bytes, start: int) -> int:
    """Return the end of the part that begins here: whole lines."""
    if start + PART_BYTES >= len(body):
        return len(body)
    stop = body.rfind(b"\n", start, start + PART_BYTES) + 1
    if stop <= start:
        stop = body.find(b"\n", start + PART_BYTES) + 1
    return stop if stop > start else len(body)


def _read_part(
    body: bytes, tab: Tab, place: Place, *, wanted: Sequence[str], line: int
) -> pl.DataFrame | None:
    body, lines = _whole_lines(body, place, columns=len(tab.headers), line=line)
    if not lines.size:
        return pl.DataFrame(schema=dict.fromkeys(wanted, pl.String) | {ROW: pl.Int64})
    at = {name: n for n, name in enumerate(tab.headers)}
    try:
        frame = pl.read_csv(
            BytesIO(body),
            separator="\t",
            has_header=False,
            columns=[at[name] for name in wanted],
            quote_char='"' if tab.quoted else None,
            infer_schema=False,
        )
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0]
        place.error("unreadable-file", f"the table cannot be read: {reason}", hint=_HINT)
        return None
    if frame.height != lines.size:
        problem = "a value in quotes runs over the end of its line"
        place.error("unbalanced-quote", problem, line=int(lines[0]), hint=_HINT)
        return None
    frame.columns = list(wanted)
    return frame.with_columns(pl.Series(ROW, lines, dtype=pl.Int64))


def _whole_lines(body: bytes, place: Place, *, columns: int, line: int) -> tuple[bytes, NDArray[np.int64]]:
    """Return the lines that have as many values as the header, and their numbers; tell the others."""
    body = body if body.endswith(b"\n") or not body else body + b"\n"
    buffer = np.frombuffer(body, dtype=np.uint8)
    ends = np.flatnonzero(buffer == ord("\n"))
    starts = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
    counts = np.diff(np.searchsorted(np.flatnonzero(buffer == ord("\t")), ends), prepend=0) + 1
    lines = line + np.arange(len(ends))
    skip = (ends == starts) | (buffer[np.minimum(starts, max(len(buffer) - 1, 0))] == ord("#"))
    ragged = (counts != columns) & ~skip
    if ragged.any():
        place.tell(
            pl.DataFrame({ROW: lines[ragged], "found": counts[ragged]}),
            "ragged-row",
            "the row does not have as many values as the header",
            found="found",
            expected=f"{columns} values",
            hint="The file may be cut short, or was edited by hand: fetch it again.",
        )
    good = ~(skip | ragged)
    if not good.all():
        body = b"".join(body[a : b + 1] for a, b in zip(starts[good], ends[good], strict=True))
    return body, lines[good].astype(np.int64)
