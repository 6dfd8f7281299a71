"""Tidy folders that are written come back as the same study."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from sdtm_case import write_csv

from hccresist.errors import ConfigError, InputError
from hccresist.study.frames import study_from_frames
from hccresist.study.policies import Policies
from hccresist.study.sdtm import read_sdtm
from hccresist.study.study import Study, StudyConfig
from hccresist.study.tables import SCHEMAS
from hccresist.study.tidy import read_tidy
from hccresist.study.write import write_tidy


def small(config: StudyConfig | None = None, **covariates: list[object]) -> Study:
    patients = pl.DataFrame({"patient_id": ["P1", "P2"], "sex": ["male", None], **covariates})
    sums = pl.DataFrame(
        {"patient_id": ["P1"], "reader": [""], "measure": ["longest"], "day": [-3.5], "sum": [42.0]}
    )
    return study_from_frames(config=config, patients=patients, sums=sums)


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Return covariates as a CSV file holds them; the expectation is written out here by hand."""

    def text(value: object) -> str | None:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        return None if value is None else str(value)

    return pl.DataFrame({c: pl.Series([text(v) for v in frame[c]], dtype=pl.String) for c in frame.columns})


def assert_same(back: Study, study: Study) -> None:
    assert back.config == study.config
    assert list(back.tables) == list(study.tables)
    for name, frame in study.tables.items():
        own = [column for column in frame.columns if column not in SCHEMAS[name].columns()]
        assert_frame_equal(back.tables[name].drop(own), frame.drop(own))
        assert_frame_equal(back.tables[name].select(own), as_text(frame.select(own)))


def test_a_study_of_every_table_comes_back(tmp_path):
    study = read_sdtm(write_csv(tmp_path))
    out = tmp_path / "tidy"
    files = write_tidy(study, out)
    assert [path.name for path in files] == ["study.toml", *(f"{name}.csv" for name in study.tables)]
    assert sorted(out.iterdir()) == sorted(files)
    assert_same(read_tidy(out), study)


def test_the_configuration_comes_back(tmp_path):
    policies = Policies.parse({"confirm_days": 42, "responses": "given", "continuing_pr": False, "max_ne": 2})
    config = StudyConfig(
        name='A "quoted" \\ näme',
        title="Tab\tand line\nbreak",
        index_line=2,
        planned_visit_days=(42.0, 84.5),
        criteria=("recist11",),
        reference_arm="A",
        strata=("sex", "bclc"),
        simulated=True,
        policies=policies,
    )
    write_tidy(small(config, arm=["A", "B"]), tmp_path / "out")
    assert read_tidy(tmp_path / "out").config == config
    text = (tmp_path / "out" / "study.toml").read_text(encoding="utf-8")
    assert "planned_visit_days = [42, 84.5]" in text
    assert "sd_min_days" not in text


def test_criteria_of_the_study_itself_come_back(tmp_path):
    read = tmp_path / "read"
    read.mkdir()
    (read / "patients.csv").write_text("patient_id\nP1\n", encoding="utf-8")
    (read / "sums.csv").write_text("patient_id,measure,day,sum\nP1,longest,-3,42\n", encoding="utf-8")
    (read / "study.toml").write_text(
        "[study]\ncriteria = ['recist11', 'strict']\n"
        "[criteria.strict]\nbase = 'mrecist'\nfloor_mm = 5.5\nabove = true\nresponse_percent = 50\n"
        '[criteria."wide, new"]\nbase = "recist11"\nodd = [1, {a = "b"}, 2026-01-31]\n',
        encoding="utf-8",
    )
    study = read_tidy(read)
    write_tidy(study, tmp_path / "out")
    variants = read_tidy(tmp_path / "out").config.variants
    assert variants == study.config.variants
    assert dict(variants["strict"]) == {
        "base": "mrecist",
        "floor_mm": 5.5,
        "above": True,
        "response_percent": 50,
    }
    assert dict(variants["wide, new"])["odd"] == [1, {"a": "b"}, date(2026, 1, 31)]


def test_numbers_are_written_without_noise(tmp_path):
    write_tidy(small(score=[0.1 + 0.2, 3.0], flag=[True, None]), tmp_path / "out")
    assert (
        tmp_path / "out" / "sums.csv"
    ).read_text() == 'patient_id,reader,measure,day,sum\nP1,"",longest,-3.5,42\n'
    lines = (tmp_path / "out" / "patients.csv").read_text().splitlines()
    assert lines[1].endswith(",0.30000000000000004,true")
    assert lines[2].endswith(",3,")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1),
            st.floats(-1e4, 1e4, allow_nan=False),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda row: row[0].strip(),
    )
)
def test_any_text_and_number_comes_back_or_is_refused(rows):
    """Whatever a study may hold is either written so that it comes back, or refused."""
    text, numbers = [row[0] for row in rows], [row[1] for row in rows]
    patients = pl.DataFrame({"patient_id": [f"P{n}" for n in range(len(rows))], "note": text})
    sums = pl.DataFrame(
        {
            "patient_id": patients["patient_id"],
            "measure": ["longest"] * len(rows),
            "day": numbers,
            "sum": [1.0] * len(rows),
        }
    )
    study = study_from_frames(patients=patients, sums=sums)
    with tempfile.TemporaryDirectory() as folder:
        write_tidy(study, Path(folder) / "out")
        assert_same(read_tidy(Path(folder) / "out"), replace(study, warnings=()))


@pytest.mark.parametrize("word", ["NA", " ", "null", ".", "a\x01b"])
def test_text_that_would_not_come_back_is_refused(word, tmp_path):
    study = small()
    patients = study.patients.with_columns(note=pl.lit(word))
    with pytest.raises(InputError) as caught:
        write_tidy(replace(study, tables={**study.tables, "patients": patients}), tmp_path / "out")
    issue = caught.value.issues[0]
    assert (issue.code, issue.file, issue.column, issue.found) == (
        "unwritable-value",
        "patients.csv",
        "note",
        word,
    )
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_not_written_to(tmp_path):
    (tmp_path / "keep.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        write_tidy(small(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["keep.txt"]
    write_tidy(small(), tmp_path, force=True)
    assert (tmp_path / "keep.txt").read_text() == "mine"
    assert read_tidy(tmp_path).patients.height == 2


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ConfigError, match="is a file"):
        write_tidy(small(), tmp_path / "out", force=True)


def test_a_table_that_would_be_read_with_the_study_is_refused_even_by_force(tmp_path):
    (tmp_path / "labs.csv").write_text("patient_id,day,test,value\nP9,0,afp,3\n")
    with pytest.raises(ConfigError, match=r"labs\.csv"):
        write_tidy(small(), tmp_path, force=True)
    assert not (tmp_path / "patients.csv").exists()
