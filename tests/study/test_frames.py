"""Studies from pandas, Polars and Arrow tables."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from hccresist.errors import InputError
from hccresist.study.frames import study_from_frames
from hccresist.study.issues import Issue
from hccresist.study.study import StudyConfig

PATIENTS = {
    "patient_id": ["P1", "P2"],
    "sex": ["Male", "FEMALE"],
    "age_years": [60, 71],
    "centre": ["a", "b"],
}
LESIONS = {
    "patient_id": ["P1", "P1", "P2"],
    "lesion_id": ["T1", "T1", "T1"],
    "day": [-3, 56, 0],
    "role": ["target", "target", "TARGET"],
    "longest_mm": [22.0, 14.0, 31.5],
}


def refused(**tables: object) -> list[Issue]:
    with pytest.raises(InputError) as caught:
        study_from_frames(**tables)
    return list(caught.value.issues)


MAKERS = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "lazy": pl.LazyFrame,
    "arrow": pa.table,
    "pandas-arrow": lambda data: pd.DataFrame(data).convert_dtypes(dtype_backend="pyarrow"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_library_gives_the_same_study(kind):
    make = MAKERS[kind]
    study = study_from_frames(patients=make(PATIENTS), lesions=make(LESIONS))
    other = study_from_frames(patients=pl.DataFrame(PATIENTS), lesions=pl.DataFrame(LESIONS))
    for name, frame in other.tables.items():
        assert_frame_equal(study.tables[name], frame)
    assert study.patients["sex"].to_list() == ["male", "female"]
    assert study.patients["age_years"].to_list() == [60.0, 71.0]
    assert study.patients["centre"].to_list() == ["a", "b"]


def test_types_of_pandas_are_read():
    frame = pd.DataFrame(
        {
            "patient_id": [1, 2, 3],
            "sex": pd.Categorical(["male", "female", None]),
            "ecog": [0, 1, np.nan],
            "child_pugh_score": pd.array([5, None, 6], dtype="Int64"),
            "vascular_invasion": np.array([True, False, True]),
            "extrahepatic_spread": [True, None, "no"],
            "bclc": [0, None, "c"],
            "age_years": ["61", 58.5, np.nan],
        }
    )
    sums = pd.DataFrame({"patient_id": [1], "measure": ["longest"], "day": [0], "sum": [42]})
    found = study_from_frames(patients=frame, sums=sums).patients
    assert found["patient_id"].to_list() == ["1", "2", "3"]
    assert found["sex"].to_list() == ["male", "female", None]
    assert found["ecog"].to_list() == [0, 1, None]
    assert found["child_pugh_score"].to_list() == [5, None, 6]
    assert found["vascular_invasion"].to_list() == [True, False, True]
    assert found["extrahepatic_spread"].to_list() == [True, None, False]
    assert found["bclc"].to_list() == ["0", None, "C"]
    assert found["age_years"].to_list() == [61.0, 58.5, None]


def test_dates_count_from_the_index_date():
    patients = pl.DataFrame({"patient_id": ["P1"], "index_date": [dt.date(2024, 2, 1)]})
    sums = pd.DataFrame(
        {"patient_id": ["P1"], "measure": ["longest"], "date": pd.to_datetime(["2024-03-01"]), "sum": [42]}
    )
    study = study_from_frames(patients=patients, sums=sums)
    assert study.tables["sums"]["day"].to_list() == [29.0]
    assert "index_date" not in study.patients.columns


def test_the_configuration_is_taken():
    study = study_from_frames(
        config=StudyConfig(name="mine", index_line=2),
        patients=pl.DataFrame(PATIENTS),
        lesions=pl.DataFrame(LESIONS),
    )
    assert (study.config.name, study.config.index_line) == ("mine", 2)


def test_every_value_that_does_not_fit_is_told_with_its_row():
    patients = pd.DataFrame({"patient_id": ["P1", "P2"], "sex": ["mal", "x"], "ecog": [1.5, 2]})
    issues = refused(patients=patients, lesions=pl.DataFrame({**LESIONS, "longest_mm": ["22", "2,3", "?"]}))
    told = {(issue.file, issue.line, issue.column, issue.patient, issue.found) for issue in issues}
    assert told >= {
        ("<patients>", 1, "sex", "P1", "mal"),
        ("<patients>", 2, "sex", "P2", "x"),
        ("<patients>", 1, "ecog", "P1", "1.5"),
        ("<lesions>", 2, "longest_mm", "P1", "2,3"),
        ("<lesions>", 3, "longest_mm", "P2", "?"),
    }


@pytest.mark.parametrize(
    ("tables", "code", "file"),
    [
        ({"patient": pl.DataFrame(PATIENTS)}, "unknown-table", "<patient>"),
        ({"patients": 3}, "not-a-table", "<patients>"),
        ({"patients": {"patient_id": ["P1"]}}, "not-a-table", "<patients>"),
        (
            {"patients": pd.DataFrame([["P1", "P2"]], columns=["patient_id"] * 2)},
            "unreadable-table",
            "<patients>",
        ),
        (
            {"patients": pl.DataFrame({"patient_id": ["P1"], "Patient_ID": ["P1"]})},
            "duplicate-column",
            "<patients>",
        ),
        ({"patients": pl.DataFrame({"patient_id": ["P1"], "__row": [1]})}, "reserved-column", "<patients>"),
        ({"patients": pl.DataFrame({"patient_id": ["P1"], "age_years": [[1]]})}, "wrong-type", "<patients>"),
        ({"patients": pl.DataFrame({"patient_id": ["P1"], "age_years": [True]})}, "wrong-type", "<patients>"),
    ],
)
def test_what_is_no_table_of_a_study_is_refused(tables, code, file):
    issues = [issue for issue in refused(**tables) if issue.code == code]
    assert issues
    assert issues[0].file == file


def test_a_mistyped_table_is_named():
    issue = next(i for i in refused(patient=pl.DataFrame(PATIENTS)) if i.code == "unknown-table")
    assert issue.hint == "Did you mean 'patients'?"


def test_no_row_and_no_column_is_lost():
    frame = pl.DataFrame({**LESIONS, "note": ["x", None, "y"], "weight": [1, 2, 3]})
    found = study_from_frames(patients=pl.DataFrame(PATIENTS), lesions=frame).tables["lesions"]
    assert found.height == 3
    assert found["note"].to_list() == ["x", None, "y"]
    assert found["weight"].to_list() == [1, 2, 3]
