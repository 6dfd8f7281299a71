"""Tables against their schemas."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hccresist.errors import InputError
from hccresist.study.check import check_table, check_tables
from hccresist.study.issues import LIMIT_PER_CODE, Issue, IssueLog
from hccresist.study.study import ROW, RawTable, Source, Study, StudyConfig

PATIENTS = {"patient_id": ["P1", "P2"]}
SUMS = {"patient_id": ["P2", "P1"], "measure": ["longest"] * 2, "day": [0.0, -3.0], "sum": [30.0, 20.0]}


def raw(name: str, columns: dict[str, list[Any]], file: str | None = None) -> RawTable:
    frame = pl.DataFrame(columns).with_columns(pl.int_range(2, pl.len() + 2, dtype=pl.Int64).alias(ROW))
    return RawTable(name=name, frame=frame, file=file or f"{name}.csv")


def check(**tables: dict[str, list[Any]]) -> Study:
    return check_tables([raw(name, table) for name, table in tables.items()], StudyConfig(), log=IssueLog())


def issues_of(**tables: dict[str, list[Any]]) -> list[Issue]:
    with pytest.raises(InputError) as caught:
        check(**tables)
    return list(caught.value.issues)


def test_tables_come_out_complete_sorted_and_without_their_lines() -> None:
    study = check(sums=SUMS | {"note": ["b", "a"]}, patients=PATIENTS)

    sums = study.table("sums")
    assert list(study.tables) == ["patients", "sums"]
    assert sums is not None
    assert sums.columns == ["patient_id", "reader", "measure", "day", "sum", "note"]
    assert sums.drop("measure").rows() == [("P1", "", -3.0, 20.0, "a"), ("P2", "", 0.0, 30.0, "b")]
    assert study.patients["arm"].to_list() == [None, None]


def test_covariates_keep_their_types() -> None:
    own = pl.DataFrame(
        {"patient_id": ["P1", "P2"], "n": [1, 2], "b": [True, None], "x": [0.1, None], "c": ["A", "B"]},
        schema_overrides={"n": pl.Int16, "c": pl.Categorical},
    )
    study = check_tables(
        [
            RawTable(name="patients", frame=own.with_row_index(ROW).cast({ROW: pl.Int64}), file="p"),
            raw("sums", SUMS),
        ],
        StudyConfig(),
        log=IssueLog(),
    )

    assert_frame_equal(study.patients.select("n", "b", "x", "c"), own.drop("patient_id"))


def test_an_index_date_does_not_reach_the_study_and_dates_become_days() -> None:
    patients = PATIENTS | {"index_date": [date(2020, 1, 10), date(2020, 1, 1)]}
    sums = {name: values for name, values in SUMS.items() if name != "day"}
    study = check(patients=patients, sums=sums | {"date": [date(2020, 1, 11), date(2020, 1, 3)]})

    assert "index_date" not in study.patients.columns
    assert study.table("sums").select("patient_id", "day").rows() == [("P1", -7.0), ("P2", 10.0)]


def test_sources_and_warnings_are_handed_on() -> None:
    told = IssueLog()
    told.warning("noticed", "something was noticed", hint="Look.")
    source = Source(file="sums.csv", sha256="0", rows=2, table="sums")

    study = check_tables(
        [raw("patients", PATIENTS), raw("sums", SUMS)], StudyConfig(), log=told, sources=[source]
    )

    assert study.sources == (source,)
    assert [issue.code for issue in study.warnings] == ["noticed"]


def test_errors_of_the_reader_are_raised_with_those_of_the_check() -> None:
    told = IssueLog()
    told.error("unreadable", "something is wrong", file="labs.csv", hint="Mend it.")
    tables = [raw("patients", PATIENTS), raw("sums", SUMS | {"sum": [-1.0, 5.0]})]

    with pytest.raises(InputError) as caught:
        check_tables(tables, StudyConfig(), log=told)

    assert [issue.code for issue in caught.value.issues] == ["unreadable", "out-of-range"]


def test_a_row_is_not_judged_by_a_cell_that_could_not_be_read() -> None:
    """Without the diameter that could not be read the row would seem to hold nothing."""
    lesions = {"patient_id": ["P1"] * 2, "lesion_id": ["L1", "L2"], "day": [0.0] * 2}
    issues = issues_of(patients=PATIENTS, lesions=lesions | {"longest_mm": ["2,3", None]})

    assert [(issue.code, issue.line) for issue in issues] == [("decimal-comma", 2), ("nothing-recorded", 3)]
    assert [issue.found for issue in issues] == ["2,3", None]


def test_a_duplicate_key_names_both_lines_and_the_key() -> None:
    (issue,) = issues_of(patients=PATIENTS, sums={name: values * 2 for name, values in SUMS.items()})[:1]

    assert (issue.code, issue.line, issue.patient, issue.found) == (
        "duplicate-key", 4, "P2", "longest, 0",
    )  # fmt: skip
    assert issue.problem == "the same patient_id, reader, measure, day stands in line 2 already"


def test_a_key_is_a_duplicate_only_where_all_of_it_is_the_same() -> None:
    sums = {"patient_id": ["P1"] * 3, "reader": ["A", "B", "A"], "measure": ["longest"] * 2 + ["viable"]}

    assert (
        check(patients=PATIENTS, sums=sums | {"day": [0.0] * 3, "sum": [1.0] * 3}).tables["sums"].height == 3
    )


def test_cells_that_the_reader_has_told_are_not_told_again() -> None:
    told = IssueLog()
    told.error("not-a-number", "no number", file="labs.csv", line=2, column="Wert", hint="Mend.")
    labs = {"patient_id": ["P1"] * 2, "day": [0.0, 1.0], "test": ["afp"] * 2, "value": [None, None]}
    table = RawTable(name="labs", frame=raw("labs", labs).frame, file="labs.csv", headers={"value": "Wert"})

    check_table(table, log=told)

    found = [(issue.code, issue.line, issue.column) for issue in told]
    assert found == [("not-a-number", 2, "Wert"), ("missing-value", 3, "Wert")]


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [("age_years", 121.0, "0 to 120 years"), ("age_years", -1.0, "0 to 120 years"), ("ecog", 6, "0 to 5")],
)
def test_values_out_of_range_are_told_with_the_range(column: str, value: float, expected: str) -> None:
    (issue,) = issues_of(patients=PATIENTS | {column: [None, value]}, sums=SUMS)

    assert (issue.code, issue.line, issue.column, issue.patient) == ("out-of-range", 3, column, "P2")
    assert (issue.found, issue.expected) == (f"{value:g}", expected)


def test_a_slice_of_no_thickness_is_out_of_range() -> None:
    visits = {"patient_id": ["P1"], "day": [0.0], "slice_mm": [0.0]}

    (issue,) = issues_of(patients=PATIENTS, sums=SUMS, visits=visits)

    assert (issue.code, issue.expected) == ("out-of-range", "above 0 to 50 mm")


@pytest.mark.parametrize("day", [20_001.0, -20_001.0, 20140201.0])
def test_days_that_are_dates_in_disguise_are_told(day: float) -> None:
    (issue,) = issues_of(patients=PATIENTS, sums=SUMS | {"day": [day, 0.0]})

    assert (issue.code, issue.line, issue.column) == ("implausible-day", 2, "day")


def test_text_that_is_left_in_a_table_is_read_as_a_file_is() -> None:
    sums = {"patient_id": ["P1"], "measure": ["LONGEST"], "day": ["-3"], "sum": ["4,2"]}

    (issue,) = issues_of(patients=PATIENTS, sums=sums)

    assert (issue.code, issue.line, issue.found) == ("decimal-comma", 2, "4,2")


def test_columns_that_look_mistyped_are_kept_with_a_warning() -> None:
    study = check(patients=PATIENTS | {"age_year": [60, 61], "weight": [70, 80]}, sums=SUMS)

    assert study.patients["age_year"].to_list() == [60, 61]
    assert [(issue.code, issue.column, issue.hint) for issue in study.warnings] == [
        ("unknown-column", "age_year", "If it is 'age_years', rename it.")
    ]


def test_half_an_endpoint_is_a_covariate_with_a_warning() -> None:
    survival = {
        "patient_id": ["P1", "P2"],
        "os_days": [5.0, 6.0],
        "died": [True, False],
        "ttup_days": [1, 2],
        "os_event": [1, 0],
    }
    study = check(patients=PATIENTS, sums=SUMS | {"day": [0.0, 0.0]}, survival=survival)

    assert [(issue.code, issue.column) for issue in study.warnings] == [
        ("half-endpoint", "ttup_days"),
        ("half-endpoint", "os_event"),
    ]


def test_own_endpoints_are_typed() -> None:
    survival = {"patient_id": ["P1"], "os_days": [5.0], "died": [True], "x_days": ["7"], "x_event": ["yes"]}

    table = check(patients=PATIENTS, sums=SUMS, survival=survival).tables["survival"]

    assert table.select("x_days", "x_event").rows() == [(7.0, True)]


def test_the_nearest_known_patient_is_named_in_its_own_spelling() -> None:
    sums = SUMS | {"patient_id": ["HCC-011", "HCC-001"]}
    issues = issues_of(patients={"patient_id": ["HCC-001", "HCC-002"]}, sums=sums)

    assert [(issue.code, issue.patient, issue.hint) for issue in issues] == [
        ("unknown-patient", "HCC-011", "Did you mean 'HCC-001'?")
    ]


def test_each_unknown_patient_is_told_once_a_table() -> None:
    days = [float(day) for day in range(50)]
    sums = {"patient_id": ["X"] * 50, "measure": ["longest"] * 50, "day": days, "sum": days}

    assert [(issue.code, issue.line) for issue in issues_of(patients=PATIENTS, sums=sums)] == [
        ("unknown-patient", 2)
    ]


@pytest.mark.parametrize(("name", "code"), [("lesion", "unknown-table"), ("sums", "table-twice")])
def test_tables_that_are_unknown_or_there_twice_are_told(name: str, code: str) -> None:
    tables = [raw("patients", PATIENTS), raw("sums", SUMS), raw(name, SUMS, "other.csv")]
    with pytest.raises(InputError) as caught:
        check_tables(tables, StudyConfig(), log=IssueLog())

    assert [issue.code for issue in caught.value.issues] == [code]


def test_a_million_problems_are_counted() -> None:
    days = [float(day) for day in range(500)]
    sums = {"patient_id": ["P1"] * 500, "measure": ["longest"] * 500, "day": days, "sum": [-1.0] * 500}

    issues = issues_of(patients=PATIENTS, sums=sums)

    assert len(issues) == LIMIT_PER_CODE + 1
    assert [issue.line for issue in issues[:3]] == [2, 3, 4]
    assert sum(issue.count for issue in issues) == 500


def test_a_table_can_be_checked_in_chunks_of_patients() -> None:
    """Chunks of whole patients, checked apart and put together, are the whole table checked."""
    whole = raw("sums", {name: values * 1 for name, values in SUMS.items()})
    log = IssueLog()
    known = pl.Series(["P1", "P2"])

    parts = [
        check_table(
            RawTable(name="sums", frame=whole.frame.filter(pl.col("patient_id") == patient), file="sums.csv"),
            log=log,
            patients=known,
        )
        for patient in ("P1", "P2")
    ]
    together = check_table(whole, log=log, patients=known)

    assert together is not None
    assert_frame_equal(pl.concat(part.frame for part in parts if part is not None), together.frame)
    assert len(log) == 0
