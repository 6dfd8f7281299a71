"""Headers of a file and columns of a study table."""

from __future__ import annotations

import polars as pl
import pytest

from hccresist.study.columns import Reading, declared_column, match_headers, own_endpoints, type_table
from hccresist.study.config import ReadOptions
from hccresist.study.issues import IssueLog
from hccresist.study.rows import Place
from hccresist.study.study import ROW
from hccresist.study.tables import SCHEMAS


def test_known_names_are_matched_without_regard_to_case_and_others_kept() -> None:
    names = match_headers(["Patient_ID", " DAY ", "AFP Baseline"], "lesions", Place(file="x", log=IssueLog()))

    assert names == {"Patient_ID": "patient_id", " DAY ": "day", "AFP Baseline": "AFP Baseline"}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (["patient_id", "day", "Day"], "duplicate-column"),
        (["patient_id", "note", "note"], "duplicate-column"),
        (["patient_id", "day", "date"], "day-and-date"),
        (["patient_id", "__row"], "reserved-column"),
    ],
)
def test_headers_that_cannot_be_used_are_told(headers: list[str], code: str) -> None:
    log = IssueLog()

    assert match_headers(headers, "lesions", Place(file="x", log=log)) is None
    assert [issue.code for issue in log] == [code]


def test_every_declared_column_has_a_reader() -> None:
    """A type that no reader knows would fail only on a user's file."""
    for table, schema in SCHEMAS.items():
        for name, column in schema.columns().items():
            frame = pl.DataFrame({name: ["NA"], ROW: [2]}, schema={name: pl.String, ROW: pl.Int64})
            typed = type_table(frame, table, place=Place(file="x", log=IssueLog()), reading=Reading())
            assert typed.schema[name] == column.dtype


def test_own_endpoints_are_pairs() -> None:
    columns = ["patient_id", "ttup_days", "ttup_event", "x_days", "y_event", "os_days", "os_event", "_days"]

    assert own_endpoints(columns) == ("ttup",)
    assert declared_column("survival", "ttup_days", columns) is not None
    assert declared_column("survival", "x_days", columns) is None
    assert declared_column("patients", "ttup_days", columns) is None


def test_days_counted_from_one_are_counted_from_zero() -> None:
    """CDISC study days have no day 0: day 1 is day 0 inside, and day -1 stays."""
    log = IssueLog()
    frame = pl.DataFrame(
        {
            "patient_id": ["P1"] * 5,
            "day": ["-28", "-1", "1", "57", "0"],
            "longest_mm": ["1"] * 5,
            ROW: range(5),
        }
    )
    reading = Reading(options=ReadOptions(first_day=1))

    typed = type_table(frame, "lesions", place=Place(file="x", log=log), reading=reading)

    assert typed["day"].to_list() == [-28.0, -1.0, 0.0, 56.0, None]
    assert typed["longest_mm"].to_list() == [1.0] * 5
    assert [(issue.code, issue.found) for issue in log] == [("day-zero", "0")]
