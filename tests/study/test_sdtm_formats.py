"""SDTM files: CSV, XPT version 5 and 8, Dataset-JSON, NDJSON and its compressed form."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal
from sdtm_case import CASE, RS, write_csv, write_json, write_xpt

from hccresist.errors import InputError
from hccresist.study.issues import Issue
from hccresist.study.sdtm import read_sdtm
from hccresist.study.study import Study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return read_sdtm(write_csv(tmp_path_factory.mktemp("csv")))


def write_gz(folder: Path) -> Path:
    for name, text in CASE.items():
        (folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
    return folder


def write_dsjc(folder: Path) -> Path:
    for path in sorted(write_json(folder, ndjson=True).glob("*.ndjson")):
        path.with_suffix(".dsjc").write_bytes(zlib.compress(path.read_bytes()))
        path.unlink()
    return folder


WRITERS = {
    "gz": write_gz,
    "xpt5": lambda folder: write_xpt(folder, version=5),
    "xpt8": lambda folder: write_xpt(folder, version=8),
    "json": write_json,
    "ndjson": lambda folder: write_json(folder, ndjson=True),
    "dsjc": write_dsjc,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_gives_the_same_study(kind, study, tmp_path):
    other = read_sdtm(WRITERS[kind](tmp_path))
    assert set(other.tables) == set(study.tables)
    for name, frame in study.tables.items():
        assert_frame_equal(other.tables[name], frame)
    assert [issue.code for issue in other.warnings] == [issue.code for issue in study.warnings]


def test_names_and_hashes_of_the_files_are_kept(study):
    tables = {source.file: source.table for source in study.sources}
    assert tables["tr.csv"] == tables["supptr.csv"] == "lesions"
    assert tables["dm.csv"] == "patients"
    assert all(len(source.sha256) == 64 for source in study.sources)


def refused(folder: Path) -> tuple[Issue, ...]:
    with pytest.raises(InputError) as caught:
        read_sdtm(folder)
    return caught.value.issues


def one(issues: tuple[Issue, ...], code: str) -> Issue:
    found = [issue for issue in issues if issue.code == code]
    assert found, [issue.code for issue in issues]
    return found[0]


@pytest.mark.parametrize("version", [5, 8])
@pytest.mark.parametrize("lost", [1, 79, 80, 333, 800])
def test_a_transport_file_that_was_cut_off_is_refused(version, lost, tmp_path):
    path = write_xpt(tmp_path, {"tr": CASE["tr"], "dm": CASE["dm"]}, version=version) / "tr.xpt"
    path.write_bytes(path.read_bytes()[:-lost])
    issue = one(refused(tmp_path), "truncated-file")
    assert issue.file == "tr.xpt"
    assert "Export the data set again" in issue.hint


def test_a_transport_file_of_the_header_alone_is_refused(tmp_path):
    path = write_xpt(tmp_path, {"tr": CASE["tr"]}, version=5) / "tr.xpt"
    path.write_bytes(path.read_bytes()[:400])
    assert one(refused(tmp_path), "truncated-file").found == "400 bytes"


def test_version_8_that_lacks_whole_records_is_refused(tmp_path):
    """Version 8 says in its header how many records there are."""
    path = write_xpt(tmp_path, {"rs": RS}, version=8) / "rs.xpt"
    data = path.read_bytes()
    at = data.index(b"HEADER RECORD*******OBSV8") + 48
    path.write_bytes(data[:at] + b"             99" + data[at + 15 :])
    issue = one(refused(tmp_path), "truncated-file")
    assert (issue.found, issue.expected) == ("11 records", "99 records")


def test_something_else_called_xpt_is_refused(tmp_path):
    (tmp_path / "tr.xpt").write_bytes(b"**COMPRESSED** CPORT" * 40)
    issue = one(refused(tmp_path), "xpt-unreadable")
    assert "sas7bdat" in issue.hint


def test_a_transport_file_of_two_data_sets_is_refused(tmp_path):
    path = write_xpt(tmp_path, {"tr": CASE["tr"]}, version=5) / "tr.xpt"
    data = path.read_bytes()
    path.write_bytes(data + data[240:])
    assert one(refused(tmp_path), "xpt-members").hint == "Write each domain into a file of its own."


def test_a_damaged_gzip_file_is_refused(tmp_path):
    path = write_gz(tmp_path) / "tr.csv.gz"
    path.write_bytes(path.read_bytes()[:-40])
    assert one(refused(tmp_path), "broken-gzip").file == "tr.csv.gz"


def change_json(folder: Path, **changes: object) -> Path:
    path = write_json(folder, {"rs": RS}) / "RS.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return folder


@pytest.mark.parametrize(
    ("changes", "code", "found"),
    [
        ({"datasetJSONVersion": "1.0.0"}, "json-version", "1.0.0"),
        ({"datasetJSONVersion": None}, "json-version", "nothing"),
        ({"columns": []}, "json-columns", None),
        ({"columns": [{"label": "no name"}]}, "json-columns", None),
        ({"records": 12}, "truncated-file", "11 rows"),
        ({"rows": "none"}, "json-row", None),
    ],
)
def test_json_that_is_not_dataset_json_is_refused(changes, code, found, tmp_path):
    issue = one(refused(change_json(tmp_path, **changes)), code)
    assert (issue.file, issue.found) == ("RS.json", found)


def test_a_row_of_another_length_is_told_with_its_number(tmp_path):
    path = write_json(tmp_path, {"rs": RS}) / "RS.json"
    content = json.loads(path.read_text())
    content["rows"][4] = ["too", "short"]
    content["rows"][7] = [{"nested": 1}, *content["rows"][7][1:]]
    path.write_text(json.dumps(content))
    issues = [issue for issue in refused(tmp_path) if issue.code == "json-row"]
    assert [issue.line for issue in issues] == [5, 8]
    assert "15 values" in issues[0].problem


def test_json_that_was_cut_off_is_refused_with_its_line(tmp_path):
    path = write_json(tmp_path, {"rs": RS}) / "RS.json"
    path.write_text(path.read_text()[:-30])
    assert one(refused(tmp_path), "json-syntax").line == 1


def test_ndjson_that_was_cut_off_is_refused_with_its_line(tmp_path):
    path = write_json(tmp_path, {"rs": RS}, ndjson=True) / "rs.ndjson"
    path.write_text(path.read_text()[:-30])
    assert one(refused(tmp_path), "json-syntax").line == 12


@pytest.mark.parametrize("text", ["", "[1, 2]", '"text"', "not json", "{}"])
@pytest.mark.parametrize("name", ["rs.json", "rs.ndjson"])
def test_nonsense_called_json_is_refused(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    codes = {issue.code for issue in refused(tmp_path)}
    assert codes <= {"json-syntax", "json-version", "json-columns"}
    assert codes


def test_nonsense_called_dsjc_is_refused(tmp_path):
    (tmp_path / "rs.dsjc").write_bytes(b"no zlib")
    assert one(refused(tmp_path), "broken-zlib").file == "rs.dsjc"


def test_latin_1_in_a_transport_file_is_read_and_told(tmp_path):
    text = CASE["dm"].replace("Placebo", "Plécebo")
    path = write_xpt(tmp_path, {**CASE, "dm": text}, version=5) / "dm.xpt"
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xe9 "))
    study = read_sdtm(tmp_path)
    assert study.patients["arm"].to_list() == ["Plé cebo", "Active"]
    assert "latin-1" in [issue.code for issue in study.warnings]


def test_lines_of_csv_are_those_of_the_file(tmp_path):
    """A value that holds a line break moves the records behind it."""
    text = RS.replace("ABC,RS,44444,1,TRGRESP,RECIST 1.1,PR", 'ABC,RS,44444,1,TRGRESP,RECIST 1.1,"P\nR"')
    study = read_sdtm(write_csv(tmp_path, {**CASE, "rs": text}))
    told = next(issue for issue in study.warnings if issue.code == "unknown-response")
    assert (told.file, told.line, told.patient, told.found) == ("rs.csv", 10, "55555", "CHECK")
