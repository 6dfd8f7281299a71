"""Read text tables: comma, semicolon or tab between values, with the true line of every row.

A file is looked at first (its first megabyte: is it text, what divides the values, is the header
known), then passed once for hash and encoding, then read in blocks, so that a gigabyte of nonsense
is refused at once and a gigabyte of data needs little memory. Quoted values may hold delimiters,
doubled quotes and line breaks (RFC 4180); a line number is always that of the file.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.study.issues import Severity, nearest
from hccresist.study.rows import Place
from hccresist.study.study import ROW
from hccresist.study.values import is_missing

SNIFF_BYTES: Final = 1_000_000
BLOCK_BYTES: Final = 16_000_000
RECORD_BYTES: Final = 30_000_000
DELIMITERS: Final = (",", ";", "\t")
_BINARY: Final = bytes(c for c in range(32) if c not in (9, 10, 12, 13))
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FIELD_END: Final = 31
_SAVE_HINT: Final = "Save the table as CSV in UTF-8, or as Parquet."


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile:
    """A text table whose header has been read.

    Attributes
    ----------
    path
        The file.
    delimiter
        Character between values.
    headers
        Header as it stands in the file; empty for a column without one.
    encoding
        ``utf-8``, or ``cp1252`` (Latin-1 as Windows writes it).
    start, first_line
        Byte offset and line number of what follows the header.
    carriage_return
        Lines end in a carriage return alone.
    sha256
        Hash of the whole file.
    """

    path: Path
    delimiter: str
    headers: tuple[str, ...]
    encoding: str
    start: int
    first_line: int
    carriage_return: bool
    sha256: str


def open_text(
    path: Path, known: Sequence[str], *, place: Place, delimiter: str | None = None
) -> TextFile | None:
    """Look at a text table: encoding, delimiter, header and hash.

    Parameters
    ----------
    path
        The file.
    known
        Column names of which at least one must stand in the header.
    place
        Hears why the file cannot be read, and a warning where the text is Latin-1.
    delimiter
        Character between values; recognised if not given.

    Returns
    -------
    TextFile or None
        ``None`` where the file was refused; at most its first megabyte was then looked at, or what
        comes before the first byte that is not text.
    """
    with path.open("rb") as file:
        head = file.read(SNIFF_BYTES)
    if not _is_text(head, place):
        return None
    bom = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    carriage_return = b"\n" not in head and b"\r" in head
    line, start, number = _header_line(head, bom, b"\r" if carriage_return else b"\n")
    headers, mark = _split_header(line, known, delimiter)
    if not headers:
        _tell_header(line, known, place)
        return None
    if start > len(head) == SNIFF_BYTES:
        hint = "Tables of many thousand columns are read from Parquet."
        place.error("long-header", "the first line is longer than a million bytes", line=1, hint=hint)
        return None
    scanned = _scan(path, place)
    if scanned is None:
        return None
    sha256, encoding = scanned
    return TextFile(
        path=path,
        delimiter=mark,
        headers=tuple(headers),
        encoding=encoding,
        start=start,
        first_line=number + 1,
        carriage_return=carriage_return,
        sha256=sha256,
    )


def _is_text(head: bytes, place: Place) -> bool:
    if not head.strip():
        hint = "Write the header and one row for each record, or remove the file."
        place.error("empty-file", "the file is empty", hint=hint)
        return False
    if head.startswith(_UTF16):
        place.error("encoding", "the text is UTF-16", expected="UTF-8", hint=_SAVE_HINT)
        return False
    rest = head.translate(None, delete=_BINARY)
    if len(rest) < len(head):
        at = next(i for i, byte in enumerate(head) if byte in _BINARY)
        _tell_binary(head.count(b"\n", 0, at) + 1, place)
        return False
    return True


def _tell_binary(line: int, place: Place) -> None:
    problem = "this is not text: it holds bytes that no text file has"
    place.error("binary-file", problem, line=line, expected="a text table", hint=_SAVE_HINT)


def _header_line(head: bytes, start: int, end: bytes) -> tuple[str, int, int]:
    """Return the first line that is not blank, the offset behind it, and its number."""
    number = 1
    while True:
        stop = head.find(end, start)
        line = head[start : len(head) if stop < 0 else stop]
        if line.strip() or stop < 0:
            break
        start, number = stop + 1, number + 1
    text = line.decode("utf-8", errors="replace")
    if "\ufffd" in text:
        text = line.decode("cp1252", errors="replace")
    return text.strip("\r"), len(head) + 1 if stop < 0 else stop + 1, number


def _split_header(line: str, known: Sequence[str], delimiter: str | None) -> tuple[list[str], str]:
    """Return the headers under the delimiter by which most of them are known; none if none is."""
    best: tuple[int, int, list[str], str] = (0, 0, [], ",")
    lower = {name.lower() for name in known}
    for mark in DELIMITERS if delimiter is None else (delimiter,):
        try:
            names = next(csv.reader([line], delimiter=mark, strict=True), [])
        except csv.Error:
            continue
        hits = sum(name.strip().lower() in lower for name in names)
        if (hits, len(names)) > best[:2] and hits:
            best = (hits, len(names), names, mark)
    return best[2], best[3]


def _tell_header(line: str, known: Sequence[str], place: Place) -> None:
    found = line if len(line) <= 80 else f"{line[:80]} …"
    words = [word.strip().strip('"') for word in line.replace(";", ",").replace("\t", ",").split(",")[:50]]
    hints = [hint for word in words if len(word) < 50 and (hint := nearest(word, list(known)))]
    fallback = "The first line names the columns, divided by comma, semicolon or tab."
    place.error(
        "unknown-header",
        "no column name is known, so this cannot be read as a table of the study",
        line=1,
        found=found,
        expected=", ".join(known[:6]) + " …",
        hint=hints[0] if hints else fallback,
    )


def _scan(path: Path, place: Place) -> tuple[str, str] | None:
    """Pass the file once: hash, bytes that are not text, encoding."""
    digest = hashlib.sha256()
    utf8 = _Decodes(codecs.getincrementaldecoder("utf-8")())
    windows = _Decodes(codecs.getincrementaldecoder("cp1252")())
    line = 1
    with path.open("rb") as file:
        while chunk := file.read(SNIFF_BYTES):
            digest.update(chunk)
            if strange := [at for at in (chunk.find(0), chunk.find(_FIELD_END)) if at >= 0]:
                _tell_binary(line + chunk.count(b"\n", 0, min(strange)), place)
                return None
            utf8.feed(chunk, line)
            windows.feed(chunk, line)
            line += chunk.count(b"\n")
    utf8.feed(b"", line, last=True)
    if utf8.failed is None:
        return digest.hexdigest(), "utf-8"
    if windows.failed is not None:
        problem = "the text is neither UTF-8 nor Latin-1"
        place.error("encoding", problem, line=windows.failed, expected="UTF-8", hint=_SAVE_HINT)
        return None
    hint = "It was read as Latin-1 (Windows-1252): look at names with accents, and save it as UTF-8."
    place.warning("latin-1", "the text is not UTF-8", line=utf8.failed, expected="UTF-8", hint=hint)
    return digest.hexdigest(), "cp1252"


@dataclass(slots=True)
class _Decodes:
    """Whether bytes are text in an encoding: the line of the first that are not, once there is one."""

    decoder: codecs.IncrementalDecoder
    failed: int | None = None

    def feed(self, chunk: bytes, line: int, *, last: bool = False) -> None:
        if self.failed is not None or (chunk.isascii() and not last and not self.decoder.getstate()[0]):
            return
        try:
            self.decoder.decode(chunk, final=last)
        except UnicodeDecodeError as error:
            self.failed = line + error.object.count(b"\n", 0, error.start)


def read_blocks(text: TextFile, place: Place) -> Iterator[pl.DataFrame | None]:
    """Yield the rows of a text table in blocks, all values as text.

    Parameters
    ----------
    text
        What `open_text` returned; its headers differ from each other.
    place
        Hears of rows with too many or too few values, of values without a header, of rows without
        any value, and of quotes that are not closed.

    Yields
    ------
    pl.DataFrame or None
        One column a header, and `ROW`, the line on which a row begins. ``None`` comes last where a
        quote is not closed: what follows cannot be told apart.
    """
    line, carry, size = text.first_line, b"", SNIFF_BYTES
    with text.path.open("rb") as file:
        file.seek(text.start)
        while True:
            chunk = file.read(size)
            data = carry + _normalise(chunk, text)
            cut = _record_end(data) if chunk else len(data)
            carry, size = data[cut:], BLOCK_BYTES
            if cut:
                block = _cut(data[:cut], line, text)
                line += block.lines
                yield _frame(block, text, place)
            if len(carry) > RECORD_BYTES:
                _tell_endless(line, carry, place)
                yield None
                return
            if not chunk:
                return


def _normalise(chunk: bytes, text: TextFile) -> bytes:
    if text.encoding != "utf-8":
        chunk = chunk.decode(text.encoding).encode()
    return chunk.replace(b"\r", b"\n") if text.carriage_return else chunk


def _record_end(data: bytes) -> int:
    """Return the offset behind the last line end that stands outside quotes."""
    if b'"' not in data:
        return data.rfind(b"\n") + 1
    buffer = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero((buffer == ord("\n")) & ~_inside_quotes(buffer))
    return int(ends[-1]) + 1 if len(ends) else 0


def _inside_quotes(buffer: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which bytes stand inside quotes; a doubled quote closes and opens again."""
    return (np.cumsum(buffer == ord('"'), dtype=np.uint8) & 1).astype(np.bool_)


@dataclass(frozen=True, slots=True)
class _Block:
    """Whole records of a text table: fields, their number in each record, its line; lines in all."""

    fields: pl.Series
    counts: NDArray[np.int64]
    at: NDArray[np.int64]
    lines: int


def _cut(data: bytes, line: int, text: TextFile) -> _Block:
    data = data.replace(b"\r\n", b"\n") if b"\r" in data else data
    data = data if data.endswith(b"\n") else data + b"\n"
    buffer = np.frombuffer(data, dtype=np.uint8).copy()
    newline, mark = buffer == ord("\n"), buffer == ord(text.delimiter)
    outer = newline
    if b'"' in data:
        inside = _inside_quotes(buffer)
        inside[-1] = False
        outer, mark = newline & ~inside, mark & ~inside
    ends = np.flatnonzero(outer)
    starts = np.concatenate(([0], ends[:-1] + 1))
    counts = np.diff(np.searchsorted(np.flatnonzero(mark), ends), prepend=0) + 1
    at = line + np.searchsorted(np.flatnonzero(newline), starts)
    buffer[outer | mark] = _FIELD_END
    joined = buffer[:-1].tobytes().decode()
    fields = pl.Series([joined], dtype=pl.String).str.split(chr(_FIELD_END)).explode()
    return _Block(fields, counts, at, int(newline.sum()))


def _frame(block: _Block, text: TextFile, place: Place) -> pl.DataFrame | None:
    fields, broken = _unquote(block.fields)
    if broken is not None:
        record = int(np.searchsorted(np.cumsum(block.counts), broken, side="right"))
        _tell_open_quote(int(block.at[record]), place)
        return None
    n = len(text.headers)
    blank = (block.counts == 1) & _is_blank_start(fields, block.counts)
    ragged = (block.counts != n) & ~blank
    good = ~(ragged | blank)
    _tell_ragged(block, ragged, n, place)
    if not good.all():
        fields = fields.filter(pl.Series(np.repeat(good, block.counts)))
    columns = [fields.gather_every(n, at) for at in range(n)]
    _tell_unnamed(columns, text.headers, place)
    frame = pl.DataFrame({name: c for name, c in zip(text.headers, columns, strict=True) if name.strip()})
    frame = frame.with_columns(pl.Series(ROW, block.at[good], dtype=pl.Int64))
    return _without_empty_rows(frame, place)


def _unquote(fields: pl.Series) -> tuple[pl.Series, int | None]:
    """Return the fields without their quotes, and which is the first whose quotes are not in order."""
    if not fields.str.contains('"', literal=True).any():
        return fields, None
    raw = pl.col("raw")
    trimmed = raw.str.strip_chars()
    inner = trimmed.str.slice(1).str.strip_suffix('"')
    quoted = trimmed.str.starts_with('"') & trimmed.str.ends_with('"') & (trimmed.str.len_bytes() > 1)
    closed = quoted & ~inner.str.replace_all('""', "", literal=True).str.contains('"', literal=True)
    value = pl.when(quoted).then(inner.str.replace_all('""', '"', literal=True)).otherwise(raw)
    broken = raw.str.contains('"', literal=True) & ~closed
    frame = pl.DataFrame({"raw": fields}).select(value=value, broken=broken)
    at = frame["broken"].arg_true()
    return frame["value"], int(at[0]) if len(at) else None


def _tell_open_quote(line: int, place: Place) -> None:
    hint = 'Close the quote; a quote inside a value is written twice (""). What follows was not read.'
    place.error("unbalanced-quote", "a quote is not closed, or stands inside a value", line=line, hint=hint)


def _tell_endless(line: int, carry: bytes, place: Place) -> None:
    if b'"' in carry:
        _tell_open_quote(line, place)
        return
    hint = "A row ends with its line. What follows was not read."
    place.error("long-line", "the line is longer than thirty million bytes", line=line, hint=hint)


def _is_blank_start(fields: pl.Series, counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether the first field of each record is blank."""
    first = fields.gather(pl.Series(np.cumsum(counts) - counts))
    return (first.str.strip_chars() == "").to_numpy()


def _tell_ragged(block: _Block, ragged: NDArray[np.bool_], n: int, place: Place) -> None:
    if not ragged.any():
        return
    rows = pl.DataFrame({ROW: block.at[ragged], "found": block.counts[ragged]})
    more = "A value that holds the delimiter stands in quotes; the decimal mark is a point."
    fewer = "An empty cell keeps its delimiter; a value that holds a line break stands in quotes."
    place.tell(
        rows,
        "ragged-row",
        "the row does not have as many values as the header",
        found="found",
        expected=f"{n} values",
        hint=lambda row: more if row["found"] > n else fewer,
    )


def _tell_unnamed(columns: Sequence[pl.Series], headers: Sequence[str], place: Place) -> None:
    for at, (name, values) in enumerate(zip(headers, columns, strict=True), start=1):
        if not name.strip() and not is_missing(values).all():
            found = values.filter(~is_missing(values))[0]
            hint = "Name it in the first line, or leave it out (R: row.names = FALSE; pandas: index=False)."
            place.error(
                "unnamed-column", f"column {at} has values but no name", line=1, found=found, hint=hint
            )


def _without_empty_rows(frame: pl.DataFrame, place: Place) -> pl.DataFrame:
    """Leave out rows without any value, as spreadsheets write them at the end, and say so."""
    first, *others = (name for name in frame.columns if name != ROW)
    blank = frame[first].str.strip_chars() == ""
    if not blank.any():
        return frame
    for name in others:
        blank = blank & (frame[name].str.strip_chars() == "")
    rows = frame.select(ROW).filter(blank)
    problem, hint = "the row has no value at all and was left out", "Remove it."
    place.tell(rows, "empty-row", problem, hint=hint, severity=Severity.WARNING)
    return frame.filter(~blank)
