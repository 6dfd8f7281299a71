"""Broken study folders: each a valid one with one change, each told with its place and its mend."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest
from broken_kinds import CASES, Broken, add, edit

from hccresist.errors import InputError
from hccresist.study.issues import Issue
from hccresist.study.read import read_study


def test_the_folder_they_are_made_from_is_valid(study_folder: Path) -> None:
    study = read_study(study_folder)

    assert study.warnings == ()
    assert study.patients["patient_id"].to_list() == ["P1", "P2", "P3", "P4"]


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def read_broken(folder: Path) -> tuple[Issue, ...]:
    """Return the issues of a folder that cannot be read, and make sure that nothing was written into it."""
    before = snapshot(folder)
    with pytest.raises(InputError) as caught:
        read_study(folder)
    assert snapshot(folder) == before
    assert all(issue.hint for issue in caught.value.issues)
    assert all(issue.problem and not issue.problem.endswith(".") for issue in caught.value.issues)
    return caught.value.issues


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_broken_study_is_told_with_place_and_mend(case: Broken, study_folder: Path) -> None:
    case.change(study_folder)

    errors = [issue for issue in read_broken(study_folder) if issue.severity == "error"]

    assert [issue.code for issue in errors] == [case.code]
    issue = errors[0]
    place = [issue.file, str(issue.line or ""), issue.column or "", issue.patient or ""]
    assert " | ".join(map(str, place)).rstrip(" |") == case.place
    assert case.found is None or issue.found == case.found
    assert case.hint in issue.hint


def test_there_are_at_least_thirty_kinds() -> None:
    assert len({case.code for case in CASES}) >= 30


def test_everything_is_told_at_once(study_folder: Path) -> None:
    edit("lesions.csv", "21.0", "2;3")(study_folder)
    edit("survival.csv", "P1,400", "P1,")(study_folder)
    edit("study.toml", "confirm_days", "confirm_day")(study_folder)
    edit("patients.csv", "58.5", "585")(study_folder)

    told = {(issue.file, issue.code) for issue in read_broken(study_folder)}

    assert told == {
        ("study.toml", "policy"),
        ("patients.csv", "out-of-range"),
        ("lesions.csv", "not-a-number"),
        ("survival.csv", "death-without-day"),
    }


def test_a_thousand_problems_of_a_kind_are_counted_not_listed(study_folder: Path) -> None:
    rows = "".join(f"P1,{day},afp,lots,ng/mL,\n" for day in range(1000))
    add("labs.csv", rows)(study_folder)

    issues = [issue for issue in read_broken(study_folder) if issue.severity == "error"]

    assert len(issues) == 21
    assert sum(issue.count for issue in issues) == 1000


def test_folders_that_are_no_study(tmp_path: Path) -> None:
    empty, other = tmp_path / "empty", tmp_path / "other"
    empty.mkdir()
    other.mkdir()
    (other / "lesion.csv").write_text("a\n")
    found: dict[str, str] = {}
    for path in (tmp_path / "emtpy", other / "lesion.csv", empty, other):
        with pytest.raises(InputError) as caught:
            read_study(path)
        (issue,) = caught.value.issues
        found[issue.code] = issue.hint

    assert found == {
        "no-folder": "Did you mean 'empty'?",
        "not-a-folder": f"Give the folder that holds it: {other}.",
        "empty-folder": "'hccresist init' writes templates into it.",
        "no-study": "Did you mean 'lesions'?",
    }


def test_a_file_that_may_not_be_read(study_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_file = Path.open

    def refuse(path: Path, *args: str, **options: str) -> object:
        if path.name == "labs.csv":
            raise PermissionError(13, "Permission denied")
        return open_file(path, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError) as caught:
        read_study(study_folder)

    told = [(issue.code, issue.file, issue.problem) for issue in caught.value.issues]
    assert told == [("unreadable-file", "labs.csv", "the file cannot be read: Permission denied")]


GIGABYTE = 1 << 30
HEADER = b"patient_id,lesion_id,day,longest_mm\n"
GOOD_ROWS = b"P1,L1,-5,30\n" * 100_000
NONSENSE = {
    "zeros": (b"", GIGABYTE, "binary-file", 1),
    "a header and then zeros": (HEADER, GIGABYTE, "binary-file", 2),
    "good rows and then zeros": (HEADER + GOOD_ROWS, GIGABYTE, "binary-file", 100_002),
    "words": (b"lorem ipsum dolor sit amet\n" * 2_500_000, 0, "unknown-header", 1),
    "one line": (b"lorem" * 12_000_000, 0, "unknown-header", 1),
    "a header and then one line": (HEADER + b"lorem" * 12_000_000, 0, "long-line", 2),
    "a header and then words": (HEADER + b"lorem ipsum dolor\n" * 3_500_000, 0, "too-many-problems", None),
    "a quote that never closes": (HEADER + b'"lorem' + b"\nipsum" * 10_000_000, 0, "unbalanced-quote", 2),
    "numbers that are none": (HEADER + b"P1,L1,x,y\n" * 6_000_000, 0, "too-many-problems", None),
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_a_gigabyte_of_nonsense_is_refused_quickly(kind: str, study_folder: Path) -> None:
    start, size, code, line = NONSENSE[kind]
    with (study_folder / "lesions.csv").open("wb") as file:
        file.write(start)
        if size:
            file.truncate(size)

    began = time.monotonic()
    with pytest.raises(InputError) as caught:
        read_study(study_folder)
    seconds = time.monotonic() - began

    told = [(issue.code, issue.line) for issue in caught.value.issues if issue.file == "lesions.csv"]
    assert (code, line) in told
    assert seconds < 10


def test_a_gigabyte_of_nonsense_is_not_held_in_memory(study_folder: Path) -> None:
    with (study_folder / "lesions.csv").open("wb") as file:
        file.write(HEADER + GOOD_ROWS)
        file.truncate(GIGABYTE)

    tracemalloc.start()
    with pytest.raises(InputError, match="not text"):
        read_study(study_folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 50_000_000
