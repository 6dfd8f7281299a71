"""Text tables: encodings, delimiters, quotes, and the true line of every row."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccresist.study import text as text_module
from hccresist.study.issues import Issue, IssueLog
from hccresist.study.rows import Place
from hccresist.study.study import ROW
from hccresist.study.text import open_text, read_blocks

KNOWN = ("patient_id", "day", "value")


def read(path: Path, content: bytes, delimiter: str | None = None) -> tuple[pl.DataFrame | None, list[Issue]]:
    path.write_bytes(content)
    log = IssueLog()
    place = Place(file=path.name, log=log)
    text = open_text(path, KNOWN, place=place, delimiter=delimiter)
    if text is None:
        return None, list(log)
    assert text.sha256 == hashlib.sha256(content).hexdigest()
    blocks = [block for block in read_blocks(text, place) if block is not None]
    return (pl.concat(blocks) if blocks else None), list(log)


def rows(frame: pl.DataFrame | None) -> list[tuple[object, ...]]:
    assert frame is not None
    return frame.rows()


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False], ids=["ends with a line end", "ends without"])
def test_delimiters_and_line_ends_are_recognised(tmp_path: Path, mark: str, end: str, last: bool) -> None:
    lines = ["patient_id,value,note", "P1,1,a", "P2,2,b c"]
    content = end.join(lines).replace(",", mark) + (end if last else "")

    frame, issues = read(tmp_path / "x.csv", content.encode())

    assert rows(frame) == [("P1", "1", "a", 2), ("P2", "2", "b c", 3)]
    assert issues == []


def test_the_delimiter_is_the_one_by_which_the_header_is_known(tmp_path: Path) -> None:
    frame, issues = read(tmp_path / "x.csv", b"patient_id;value;a,b,c,d\nP1;1;x,y,z,w\n")

    assert rows(frame) == [("P1", "1", "x,y,z,w", 2)]
    assert issues == []


def test_a_delimiter_can_be_given(tmp_path: Path) -> None:
    frame, _ = read(tmp_path / "x.csv", b"patient_id,a;value\nP1,2;3\n", delimiter=";")

    assert frame is not None
    assert frame.columns == ["patient_id,a", "value", ROW]


def test_one_column_needs_no_delimiter_and_blank_lines_are_no_rows(tmp_path: Path) -> None:
    frame, issues = read(tmp_path / "x.csv", b"\n\npatient_id\nP1\n\n  \nP2")

    assert rows(frame) == [("P1", 4), ("P2", 7)]
    assert issues == []


@pytest.mark.parametrize(
    ("content", "warned"),
    [
        ("patient_id,value\nMüller,1\n".encode(), []),
        (b"\xef\xbb\xbf" + "patient_id,value\nMüller,1\n".encode(), []),
        ("patient_id,value\nMüller,1\n".encode("latin-1"), [("latin-1", 2)]),
    ],
    ids=["UTF-8", "UTF-8 with a byte order mark", "Latin-1"],
)
def test_encodings_are_recognised(tmp_path: Path, content: bytes, warned: list[tuple[str, int]]) -> None:
    frame, issues = read(tmp_path / "x.csv", content)

    assert rows(frame) == [("Müller", "1", 2)]
    assert [(issue.code, issue.line) for issue in issues] == warned
    assert all(issue.severity == "warning" for issue in issues)


def test_windows_quotation_marks_are_read_as_windows_writes_them(tmp_path: Path) -> None:
    frame, _ = read(tmp_path / "x.csv", b"patient_id,value\n\x84P1\x93,1\n")

    assert rows(frame) == [("„P1“", "1", 2)]


def test_a_late_byte_that_is_not_utf8_changes_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_module, "SNIFF_BYTES", 32)
    content = "patient_id,value\n" + "P1,a\n" * 30 + "P2,ü\n"

    frame, issues = read(tmp_path / "x.csv", content.encode("latin-1"))

    assert rows(frame)[-1] == ("P2", "ü", 32)
    assert [(issue.code, issue.line) for issue in issues] == [("latin-1", 32)]


def test_a_letter_that_two_chunks_share_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "SNIFF_BYTES", 32)
    monkeypatch.setattr(text_module, "BLOCK_BYTES", 33)
    content = "patient_id,value\n" + "P1,äöü\n" * 30

    frame, issues = read(tmp_path / "x.csv", content.encode())

    assert rows(frame) == [("P1", "äöü", line) for line in range(2, 32)]
    assert issues == []


def test_quoted_values_hold_delimiters_quotes_and_line_breaks(tmp_path: Path) -> None:
    content = b'patient_id,value,note\n"P1","1","a, ""b""\nc\n\nd"\n "P2" ,2,\nP3,3,"  kept "\n'

    frame, issues = read(tmp_path / "x.csv", content)

    assert rows(frame) == [
        ("P1", "1", 'a, "b"\nc\n\nd', 2),
        ("P2", "2", "", 6),
        ("P3", "3", "  kept ", 7),
    ]
    assert issues == []


def test_ragged_rows_are_told_each_with_its_line_and_the_others_read(tmp_path: Path) -> None:
    frame, issues = read(tmp_path / "x.csv", b"patient_id,value\nP1\nP2,2\nP3,3,3\n")

    assert rows(frame) == [("P2", "2", 3)]
    told = [(issue.code, issue.line, issue.found, issue.expected) for issue in issues]
    assert told == [("ragged-row", 2, "1", "2 values"), ("ragged-row", 4, "3", "2 values")]
    assert issues[0].hint != issues[1].hint


def test_rows_without_any_value_are_left_out_and_counted(tmp_path: Path) -> None:
    frame, issues = read(tmp_path / "x.csv", b"patient_id,value\nP1,1\n,\n , \n")

    assert rows(frame) == [("P1", "1", 2)]
    assert [(issue.code, issue.line, issue.severity) for issue in issues] == [
        ("empty-row", 3, "warning"),
        ("empty-row", 4, "warning"),
    ]


def test_columns_without_name_and_value_are_no_columns(tmp_path: Path) -> None:
    frame, issues = read(tmp_path / "x.csv", b"patient_id,value,,\nP1,1,,\n")

    assert rows(frame) == [("P1", "1", 2)]
    assert issues == []


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'patient_id,value\nP1,5" long\nP2,x\n', 2),
        (b'patient_id,value\nP1,1\nP2,"x\nP3,y\n', 3),
        (b'patient_id,value\n"P1","1"\n"P2,"2"\n"P3","3"\n', 3),
        (b'patient_id,value\nP1,"a"b\n', 2),
        (b'patient_id,value\nP1,a""\n', 2),
    ],
)
def test_quotes_that_are_not_in_order_end_the_reading(tmp_path: Path, content: bytes, line: int) -> None:
    _, issues = read(tmp_path / "x.csv", content)

    assert [(issue.code, issue.line) for issue in issues] == [("unbalanced-quote", line)]


@pytest.mark.parametrize("byte", [b"\0", b"\x1f", b"\x02"])
def test_bytes_that_no_text_has_are_refused_wherever_they_stand(tmp_path: Path, byte: bytes) -> None:
    frame, issues = read(tmp_path / "x.csv", b"patient_id,value\nP1," + byte + b"\n")

    assert frame is None
    assert [(issue.code, issue.line) for issue in issues] == [("binary-file", 2)]


def test_a_separator_byte_far_into_the_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_module, "SNIFF_BYTES", 32)
    content = b"patient_id,value\n" + b"P1,1\n" * 30 + b"P2,\x1f\n"

    frame, issues = read(tmp_path / "x.csv", content)

    assert frame is None
    assert [(issue.code, issue.line) for issue in issues] == [("binary-file", 32)]


def test_a_header_that_is_almost_known_is_named(tmp_path: Path) -> None:
    frame, issues = read(tmp_path / "x.csv", b"patient;vallue\nP1;1\n")

    assert frame is None
    assert issues[0].code == "unknown-header"
    assert issues[0].hint == "Did you mean 'patient_id'?"


def test_a_header_of_a_million_bytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "SNIFF_BYTES", 64)
    content = ",".join(["patient_id", *(f"G{n}" for n in range(100))]).encode()

    _, issues = read(tmp_path / "x.csv", content)

    assert [(issue.code, issue.line) for issue in issues] == [("long-header", 1)]


VALUES = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]) | st.just("\n"), max_size=9)


@settings(deadline=None)
@given(
    cells=st.lists(st.tuples(VALUES, VALUES), max_size=12),
    mark=st.sampled_from([",", ";", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    block=st.integers(8, 60),
)
def test_what_the_csv_module_writes_is_read_with_the_lines_it_stands_on(
    cells: list[tuple[str, str]], mark: str, end: str, quoting: int, block: int
) -> None:
    """The csv module of Python is the reference; blocks of any size give the same rows."""
    records = [(f"P{n}", a, b) for n, (a, b) in enumerate(cells)]
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=mark, lineterminator="\n", quoting=quoting)
    expected: list[tuple[str, ...]] = []
    writer.writerow(["patient_id", "value", "note"])
    for record in records:
        line = buffer.getvalue().count("\n") + 1
        writer.writerow(record)
        expected.append((*record, line))
    content = buffer.getvalue().replace("\n", end).encode()

    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "x.csv"
        whole, issues = read(path, content)
        patch.setattr(text_module, "SNIFF_BYTES", max(block, 40))
        patch.setattr(text_module, "BLOCK_BYTES", block)
        in_blocks, _ = read(path, content)

    assert issues == []
    if records:
        assert rows(whole) == expected
        assert rows(in_blocks) == expected
