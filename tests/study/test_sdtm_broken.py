"""Whatever is done to SDTM files, the answer is a study or a list of issues, never a traceback."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sdtm_case import CASE, write_csv, write_xpt

from hccresist.errors import InputError
from hccresist.study.sdtm import read_sdtm
from hccresist.study.study import Study

JUNK = (
    "",
    "NA",
    "x",
    "-1",
    "0",
    "1e9",
    "2010",
    "2010-03",
    "2010-13-45",
    "--03-01",
    "TARGET",
    "Y",
    "é",
    '"',
    "<5",
)


def answer(folder: Path) -> Study | InputError:
    """Return the study, or the error, each issue of which can be told."""
    try:
        return read_sdtm(folder)
    except InputError as error:
        found = error
    assert found.issues
    assert all(issue.sentence().endswith((".", "?")) for issue in found.issues)
    return found


def table(name: str) -> list[list[str]]:
    return [
        line.split(",") for line in CASE[name].replace('"LYMPH NODE, PORTA HEPATIS"', "NODE").splitlines()
    ]


def text(rows: list[list[str]]) -> str:
    return "\n".join(",".join(row) for row in rows) + "\n"


@pytest.mark.parametrize(("name", "at"), [(name, at) for name in CASE for at in range(len(table(name)[0]))])
def test_any_variable_may_be_missing(name, at, tmp_path):
    rows = [[cell for n, cell in enumerate(row) if n != at] for row in table(name)]
    answer(write_csv(tmp_path, {**CASE, name: text(rows)}))


@pytest.mark.parametrize("name", CASE)
def test_any_domain_may_be_missing_or_empty(name, tmp_path):
    (tmp_path / "a").mkdir()
    answer(write_csv(tmp_path / "a", {key: value for key, value in CASE.items() if key != name}))
    (tmp_path / "b").mkdir()
    answer(write_csv(tmp_path / "b", {**CASE, name: CASE[name].splitlines()[0] + "\n"}))
    (tmp_path / "c").mkdir()
    answer(write_csv(tmp_path / "c", {name: CASE[name]}))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_cell_may_be_nonsense(data):
    name = data.draw(st.sampled_from(sorted(CASE)))
    rows = table(name)
    for _ in range(data.draw(st.integers(1, 4))):
        row = data.draw(st.integers(1, len(rows) - 1))
        column = data.draw(st.integers(0, len(rows[0]) - 1))
        rows[row][column] = data.draw(
            st.sampled_from(JUNK) | st.text(st.characters(codec="utf-8"), max_size=8)
        )
    with tempfile.TemporaryDirectory() as folder:
        answer(write_csv(Path(folder), {**CASE, name: text(rows)}))


@settings(max_examples=25, deadline=None)
@given(data=st.data(), version=st.sampled_from([5, 8]))
def test_a_transport_file_may_be_cut_or_changed_anywhere(data, version):
    with tempfile.TemporaryDirectory() as folder:
        path = write_xpt(Path(folder), {"dm": CASE["dm"], "rs": CASE["rs"]}, version=version) / "rs.xpt"
        content = bytearray(path.read_bytes())
        if data.draw(st.booleans()):
            content = content[: data.draw(st.integers(0, len(content)))]
        else:
            at = data.draw(st.integers(0, len(content) - 1))
            content[at] = data.draw(st.integers(0, 255))
        path.write_bytes(bytes(content))
        answer(Path(folder))
