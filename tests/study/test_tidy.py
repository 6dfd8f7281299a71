"""The tidy folder: what is read, and that nothing is lost or changed on the way."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from hccresist.errors import InputError
from hccresist.study.policies import Policies
from hccresist.study.study import Study
from hccresist.study.tables import SCHEMAS
from hccresist.study.tidy import read_tidy


def write(folder: Path, **tables: str) -> Path:
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
    (folder / "study.toml").write_text("")
    return folder


def assert_same(one: Study, other: Study) -> None:
    assert list(one.tables) == list(other.tables)
    for name, frame in one.tables.items():
        assert_frame_equal(frame, other.tables[name])


def test_declared_columns_come_first_in_their_order_and_types_and_covariates_follow(
    study_folder: Path,
) -> None:
    study = read_tidy(study_folder)

    for name, frame in study.tables.items():
        schema = SCHEMAS[name].columns()
        assert frame.columns[: len(schema)] == list(schema)
        assert all(frame.schema[column] == declared.dtype for column, declared in schema.items())
    assert study.patients["centre"].to_list() == ["North", "South", "North", "South"]
    assert study.table("lesions")["reader"].to_list() == [""] * 11
    assert study.config.planned_visit_days == (56.0, 112.0, 168.0)


def test_every_file_is_named_with_its_hash_and_rows(study_folder: Path) -> None:
    study = read_tidy(study_folder)

    assert {source.file for source in study.sources} == {path.name for path in study_folder.iterdir()}
    for source in study.sources:
        content = (study_folder / source.file).read_bytes()
        assert source.sha256 == hashlib.sha256(content).hexdigest()
        if source.table != "study":
            assert source.rows == study.tables[source.table].height


def test_policies_of_the_caller_are_in_force_instead_of_those_of_the_study(study_folder: Path) -> None:
    given = Policies(confirm_days=99.0)

    assert read_tidy(study_folder, policies=given).config.policies == given
    assert read_tidy(study_folder).config.policies == Policies(confirm_days=28.0)


@pytest.mark.parametrize("mark", [";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_same_study_in_another_dress_is_the_same_study(
    study_folder: Path, tmp_path: Path, mark: str, encoding: str
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in study_folder.iterdir():
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            text = text.replace(",", mark).replace("\n", "\r\n")
        (other / path.name.upper().replace("STUDY.TOML", "study.toml")).write_text(
            text, encoding=encoding, newline=""
        )

    assert_same(read_tidy(study_folder), read_tidy(other))


def test_parquet_of_text_and_of_typed_columns_is_the_same_study(study_folder: Path, tmp_path: Path) -> None:
    text, typed = tmp_path / "text", tmp_path / "typed"
    study = read_tidy(study_folder)
    for folder in (text, typed):
        folder.mkdir()
        (folder / "study.toml").write_bytes((study_folder / "study.toml").read_bytes())
    for name, frame in study.tables.items():
        pl.read_csv(study_folder / f"{name}.csv", infer_schema=False).write_parquet(text / f"{name}.parquet")
        frame.write_parquet(typed / f"{name}.parquet")

    assert_same(study, read_tidy(text))
    assert_same(study, read_tidy(typed))
    assert read_tidy(typed).warnings == ()


def test_in_parquet_a_line_is_the_number_of_the_row(tmp_path: Path) -> None:
    write(tmp_path, patients="patient_id\nP1\n")
    sums = {"patient_id": ["P1", "P1"], "measure": ["longest"] * 2, "day": [0.0, 56.0], "sum": [30.0, -1.0]}
    pl.DataFrame(sums).write_parquet(tmp_path / "sums.parquet")

    with pytest.raises(InputError) as caught:
        read_tidy(tmp_path)

    told = [(issue.code, issue.file, issue.line, issue.patient) for issue in caught.value.issues]
    assert told == [("out-of-range", "sums.parquet", 2, "P1")]


def test_a_parquet_file_that_makes_its_reader_panic_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polars raises no Exception but a panic for some files with a wrong row count in the footer."""

    def panic(path: Path) -> pl.DataFrame:
        raise pl.exceptions.PanicException("assertion failed")

    write(tmp_path, patients="patient_id\nP1\n")
    (tmp_path / "sums.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr(pl, "read_parquet", panic)
    with pytest.raises(InputError) as caught:
        read_tidy(tmp_path)

    assert [(issue.code, issue.file) for issue in caught.value.issues] == [
        ("unreadable-file", "sums.parquet")
    ]


def test_latin_1_is_read_with_a_warning(tmp_path: Path) -> None:
    write(tmp_path, sums="patient_id,measure,day,sum\nP1,longest,0,30\n")
    (tmp_path / "patients.csv").write_bytes("patient_id,centre\nP1,Köln\n".encode("latin-1"))

    study = read_tidy(tmp_path)

    assert study.patients["centre"].to_list() == ["Köln"]
    assert [(issue.code, issue.file, issue.line) for issue in study.warnings] == [
        ("latin-1", "patients.csv", 2)
    ]


def test_options_say_how_the_files_are_written(tmp_path: Path) -> None:
    write(
        tmp_path,
        patients="patient_id;age_years\nP1;61,5\n",
        sums="patient_id;measure;day;sum\nP1;longest;-3;30,25\nP1;longest;57;20\n",
    )
    (tmp_path / "study.toml").write_text('[options]\ndecimal = ","\nfirst_day = 1\ndelimiter = "semicolon"\n')

    study = read_tidy(tmp_path)

    assert study.patients["age_years"].to_list() == [61.5]
    assert study.table("sums").select("day", "sum").rows() == [(-3.0, 30.25), (56.0, 20.0)]


DATED = {
    "patients": "patient_id,index_date,arm\nP1,2014-02-10,A\nP2,2014-03-01,A\n",
    "treatments": "patient_id,line,drug,start_date,end_date\nP1,1,x,2014-02-10,2014-04\nP2,1,x,2014-03-01,\n",
    "lesions": "patient_id,lesion_id,date,role,longest_mm\n"
    "P1,L1,2014-02-03,target,30\nP1,L1,2014-04-07T10:30,target,20\nP2,L1,2014-02-28,target,25\n",
    "survival": "patient_id,os_date,died,last_alive_date,entry_date\nP1,2015-02-10,true,,2014-02-12\n"
    "P2,,false,2014-05-01,\n",
    "labs": "patient_id,Date,test,value\nP1,2014-02,afp,4\n",
}


def test_dates_become_days_and_do_not_come_out(tmp_path: Path) -> None:
    """Days by the calendar: 2014 has 28 days in February, 31 in March, 30 in April."""
    study = read_tidy(write(tmp_path, **DATED))

    assert study.table("lesions")["day"].to_list() == [-7.0, 56.0, -1.0]
    assert study.table("treatments").select("start_day", "end_day").rows() == [(0.0, 50.0), (0.0, None)]
    survival = study.table("survival").select("os_days", "last_alive_day", "entry_day")
    assert survival.rows() == [(365.0, None, 2.0), (None, 61.0, None)]
    assert [(issue.code, issue.file, issue.line, issue.column) for issue in study.warnings] == [
        ("partial-date", "treatments.csv", 2, "end_date"),
        ("partial-date", "labs.csv", 2, "Date"),
    ]
    for frame in study.tables.values():
        assert not any("date" in name.lower() for name in frame.columns)
        assert not any(dtype.is_temporal() for dtype in frame.dtypes)


def test_partial_dates_follow_the_policy_of_study_toml(tmp_path: Path) -> None:
    write(tmp_path, **DATED)
    (tmp_path / "study.toml").write_text('[policies]\ndate_imputation = "last"\n')

    assert read_tidy(tmp_path).table("treatments")["end_day"].to_list() == [79.0, None]


def test_a_patient_who_is_not_known_is_told_once_and_not_as_a_missing_day(tmp_path: Path) -> None:
    tables = DATED | {"labs": "patient_id,date,test,value\nP9,2014-02-01,afp,4\nP9,2014-02-02,afp,4\n"}
    with pytest.raises(InputError) as caught:
        read_tidy(write(tmp_path, **tables))

    errors = [issue for issue in caught.value.issues if issue.severity == "error"]
    assert [(issue.code, issue.line, issue.patient) for issue in errors] == [("unknown-patient", 2, "P9")]


def test_refused_patients_are_the_only_thing_told(tmp_path: Path) -> None:
    """Without index dates the other tables have no days, which is not their fault."""
    with pytest.raises(InputError) as caught:
        read_tidy(write(tmp_path, **(DATED | {"patients": 'patient_id,index_date\nP1,"2014\n'})))

    errors = [issue.code for issue in caught.value.issues if issue.severity == "error"]
    assert errors == ["unbalanced-quote"]


def test_a_covariate_that_holds_dates_is_kept_with_a_warning(tmp_path: Path) -> None:
    write(
        tmp_path,
        patients="patient_id,consent\nP1,2014-02-03\n",
        sums="patient_id,measure,day,sum\nP1,longest,0,30\n",
    )
    study = read_tidy(tmp_path)

    assert study.patients["consent"].to_list() == ["2014-02-03"]
    assert [(issue.code, issue.column) for issue in study.warnings] == [("calendar-dates", "consent")]


def test_files_that_are_no_tables_are_told_and_notes_are_not(study_folder: Path) -> None:
    for name in ("lesion.csv", "lesions.xlsx", "survival.csv.gz", "config.toml", "Photo.PNG"):
        (study_folder / name).write_bytes(b"x")
    for name in ("README.md", "readme.txt", "LICENSE", ".DS_Store", "~$lesions.xlsx", "report.html"):
        (study_folder / name).write_bytes(b"x")
    (study_folder / "results").mkdir()

    warnings = read_tidy(study_folder).warnings

    assert {issue.file: issue.hint for issue in warnings if issue.file != "Photo.PNG"} == {
        "config.toml": "The configuration is called study.toml.",
        "lesion.csv": "Did you mean 'lesions'?",
        "lesions.xlsx": "Save the table as lesions.csv or lesions.parquet.",
        "survival.csv.gz": "Save the table as survival.csv or survival.parquet.",
    }
    assert {issue.code for issue in warnings} == {"unknown-file"}
    assert len(warnings) == 5


def test_a_table_with_a_header_only_is_left_out_with_a_warning(study_folder: Path) -> None:
    (study_folder / "sums.csv").write_text("patient_id,measure,day,sum\n")

    study = read_tidy(study_folder)

    assert study.table("sums") is None
    assert [(issue.code, issue.file) for issue in study.warnings] == [("no-rows", "sums.csv")]


def test_expression_is_genes_by_samples(tmp_path: Path) -> None:
    write(
        tmp_path,
        patients="patient_id\nP1\n",
        samples="sample_id,patient_id\nS1,P1\nS2,P1\n",
        expression="gene\tS1\tS2\nTP53\t1.5\tNA\nAFP\t-2\t0\n",
    )

    study = read_tidy(tmp_path)

    expected = pl.DataFrame({"gene": ["AFP", "TP53"], "S1": [-2.0, 1.5], "S2": [0.0, None]})
    assert_frame_equal(study.table("expression"), expected)
    assert study.warnings == ()


# Nothing is lost

WORDS = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]) | st.just("\n"), max_size=8)
SIZES = st.integers(0, 3000).map(lambda tenths: tenths / 10)


@st.composite
def lesion_rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows of any order with unique keys, of lesions without roles, and two covariates of any text."""
    key = st.tuples(
        st.sampled_from(["P1", "P2", "P3"]), st.sampled_from(["", "A"]), st.sampled_from(["L1", "L2"]),
        st.integers(-30, 200),
    )  # fmt: skip
    keys = draw(st.lists(key, min_size=1, max_size=20, unique=True))
    return [
        {
            "patient_id": patient,
            "reader": reader,
            "lesion_id": lesion,
            "day": float(day),
            "longest_mm": draw(SIZES | st.none()),
            "Free text": draw(WORDS),
            "code_of_centre": draw(st.sampled_from(["007", "1e5", " x ", "TRUE", "Ä;,\"'"])),
        }
        for patient, reader, lesion, day in keys
    ]


def quote(value: object) -> str:
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"'


def study_of(rows: Sequence[dict[str, Any]]) -> Study:
    lines = [",".join(map(quote, row.values())) for row in rows]
    lesions = "\n".join([",".join(rows[0]), *lines]) + "\n"
    with TemporaryDirectory() as folder:
        return read_tidy(write(Path(folder), patients="patient_id\nP3\nP1\nP2\n", lesions=lesions))


def missing(text: str) -> bool:
    return text.strip().lower() in ("", "na", "n/a", "nan", "null", ".")


@settings(deadline=None, max_examples=60)
@given(rows=lesion_rows())
def test_no_row_and_no_undeclared_column_is_lost_or_changed(rows: list[dict[str, Any]]) -> None:
    lesions = study_of(rows).table("lesions")

    key = ("patient_id", "reader", "lesion_id", "day")
    expected = sorted(rows, key=lambda row: tuple(row[name] for name in key))
    assert lesions is not None
    assert lesions.columns[-2:] == ["Free text", "code_of_centre"]
    for found, row in zip(lesions.iter_rows(named=True), expected, strict=True):
        note = None if missing(row["Free text"]) else row["Free text"]
        assert {name: found[name] for name in row} == row | {"Free text": note}


@settings(deadline=None, max_examples=30)
@given(rows=lesion_rows(), seed=st.integers(0, 1000))
def test_the_order_of_rows_does_not_matter(rows: list[dict[str, Any]], seed: int) -> None:
    shuffled = random.Random(seed).sample(rows, len(rows))

    assert_same(study_of(rows), study_of(shuffled))
