"""Command export, and DICOM reports read by the command line: files, messages, exit codes."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from importlib import import_module
from pathlib import Path

import polars as pl
import pytest

from hccresist.cli import main
from hccresist.demo import copy_demo

ALL = ("parquet", "csv", "xpt", "json")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """The demo's study folder."""
    return copy_demo(tmp_path_factory.mktemp("study") / "demo")


@pytest.fixture(scope="module")
def results(study, tmp_path_factory) -> Path:
    """Results of the demo under a policy that is not the default, as CSV."""
    out = tmp_path_factory.mktemp("results") / "out"
    options = ["--formats", "csv", "--no-closer", "--quiet", "--policy", "confirm_days=42"]
    assert main(["assess", str(study), "--out", str(out), *options]) == 0
    return out


def call(capsys, *arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    code = main([str(word) for word in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_a_study_becomes_three_data_sets_in_every_format(study, tmp_path, capsys) -> None:
    code, said, _ = call(capsys, "export", study, "--out", tmp_path / "adam")
    assert code == 0
    assert names_in(tmp_path / "adam") == {f"{d}.{k}" for d in ("adrs", "adtte", "adtr") for k in ALL}
    rows = pl.read_parquet(tmp_path / "adam" / "adrs.parquet")
    assert rows.height == len(json.loads((tmp_path / "adam" / "adrs.json").read_text())["rows"])
    assert "12 files" in said
    patients = pl.read_csv(study / "patients.csv")["patient_id"].to_list()
    assert set(rows["USUBJID"]) <= set(patients)


def test_formats_are_chosen_and_dataset_json_ends_in_json(study, tmp_path, capsys) -> None:
    code, _, _ = call(capsys, "export", study, "--out", tmp_path / "a", "--formats", "dataset-json, xpt")
    assert code == 0
    assert {name.partition(".")[2] for name in names_in(tmp_path / "a")} == {"json", "xpt"}


def test_results_give_the_bytes_that_the_study_gives_under_the_policies_of_the_run(
    study, results, tmp_path, capsys
) -> None:
    direct = ("export", study, "--out", tmp_path / "a", "--policy", "confirm_days=42")
    again = ("export", results, "--study", study, "--out", tmp_path / "b")
    assert call(capsys, *direct)[0] == 0
    assert call(capsys, *again)[0] == 0
    first = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    assert len(first) == 12


def test_a_run_without_outcomes_leaves_adtte_out_and_says_so(study, results, tmp_path, capsys) -> None:
    less = shutil.copytree(results, tmp_path / "less")
    manifest = json.loads((less / "manifest.json").read_text())
    manifest["files"] = [entry for entry in manifest["files"] if entry["file"] != "events.csv"]
    (less / "manifest.json").write_text(json.dumps(manifest))
    code, said, _ = call(capsys, "export", less, "--study", study, "--out", tmp_path / "a")
    assert code == 0
    assert "ADTTE  not written: there is no result table events" in said
    assert not any(name.startswith("adtte") for name in names_in(tmp_path / "a"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--formats", "xtp"), "There is no format 'xtp'. Choose from parquet, csv, xpt, dataset-json."),
        (("--formats", ","), "No format was named."),
        (("--policy", "confirm_days"), "write NAME=VALUE"),
        (("--criteria", "recist12"), "recist12"),
        (("--line", "7"), "No patient has a start of line 7"),
    ],
)
def test_a_wrong_option_is_wrong_usage_and_nothing_is_written(
    study, tmp_path, capsys, options, message
) -> None:
    code, _, errors = call(capsys, "export", study, "--out", tmp_path / "a", *options)
    assert (code, message in errors) == (2, True), errors
    assert not (tmp_path / "a").exists()


def test_an_output_folder_with_something_in_it_is_refused(study, tmp_path, capsys) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    code, _, errors = call(capsys, "export", study, "--out", tmp_path)
    assert (code, names_in(tmp_path)) == (2, {"notes.txt"})
    assert "not an empty folder" in errors


def test_results_without_their_study_are_wrong_usage(results, tmp_path, capsys) -> None:
    code, _, errors = call(capsys, "export", results, "--out", tmp_path / "a")
    assert (code, "Add --study FOLDER" in errors) == (2, True)


def test_results_leave_no_choice(study, results, tmp_path, capsys) -> None:
    words = ("export", results, "--study", study, "--out", tmp_path / "a", "--criteria", "recist11")
    code, _, errors = call(capsys, *words)
    assert (code, "Give the study instead" in errors) == (2, True)


def test_a_study_beside_a_study_is_wrong_usage(study, tmp_path, capsys) -> None:
    code, _, errors = call(capsys, "export", study, "--study", study, "--out", tmp_path / "a")
    assert (code, "holds no results of hccresist" in errors) == (2, True)


def test_results_of_another_study_are_refused(study, results, tmp_path, capsys) -> None:
    other = shutil.copytree(study, tmp_path / "other")
    text = (other / "survival.csv").read_text().splitlines()
    (other / "survival.csv").write_text("\n".join(text[:-1]) + "\n")
    code, _, errors = call(capsys, "export", results, "--study", other, "--out", tmp_path / "a")
    assert (code, "table survival differ" in errors) == (1, True), errors
    assert not (tmp_path / "a").exists()


def test_a_result_table_that_was_changed_is_refused(study, results, tmp_path, capsys) -> None:
    changed = shutil.copytree(results, tmp_path / "changed")
    (changed / "events.csv").write_text("patient_id\n")
    code, _, errors = call(capsys, "export", changed, "--study", study, "--out", tmp_path / "a")
    assert (code, "was changed since the run" in errors) == (1, True), errors


def test_a_study_without_anything_to_export_is_told_and_nothing_is_written(tmp_path, capsys) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "patients.csv").write_text("patient_id\nP1\n")
    (folder / "samples.csv").write_text("sample_id,patient_id\nS1,P1\n")
    (folder / "alterations.csv").write_text("sample_id,gene,change,kind\nS1,TP53,R249S,mutation\n")
    code, _, errors = call(capsys, "export", folder, "--out", tmp_path / "a")
    assert (code, "Nothing can be exported" in errors) == (1, True), errors
    assert names_in(tmp_path) == {"study"}


# DICOM reports


def make_report(path: Path, *, patient: str, day: str, sizes: dict[str, float]) -> None:
    """Write a measurement report (TID 1500) with a long axis for each lesion."""
    sr, pydicom = import_module("highdicom.sr"), import_module("pydicom")
    codes = import_module("pydicom.sr.codedict").codes
    generate_uid = pydicom.uid.generate_uid
    scan = pydicom.Dataset()
    scan.file_meta = pydicom.dataset.FileMetaDataset()
    scan.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    scan.PatientID, scan.PatientName, scan.StudyDate, scan.StudyTime = patient, "A^B", day, "120000"
    scan.PatientBirthDate = scan.PatientSex = scan.AccessionNumber = scan.ReferringPhysicianName = ""
    scan.SOPClassUID, scan.Modality, scan.StudyID = "1.2.840.10008.5.1.4.1.1.2", "CT", "1"
    scan.Rows = scan.Columns = 512
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(scan, name, generate_uid())
    person = sr.PersonObserverIdentifyingAttributes(name="READER^ONE")
    observer = sr.ObserverContext(observer_type=codes.DCM.Person, observer_identifying_attributes=person)
    groups = [
        sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(identifier=name, uid=generate_uid()),
            measurements=[sr.Measurement(name=codes.SCT.LongAxis, value=mm, unit=codes.UCUM.Millimeter)],
        )
        for name, mm in sizes.items()
    ]
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_person_context=observer),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=groups,
    )
    document = sr.Comprehensive3DSR(
        evidence=[scan],
        content=content,
        series_number=1,
        series_instance_uid=generate_uid(),
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="test",
    )
    document.save_as(path)


@pytest.fixture
def reports(tmp_path) -> Path:
    """A folder of two reports of one patient below it, and its table of patients."""
    pytest.importorskip("highdicom")
    folder = tmp_path / "sr"
    (folder / "series").mkdir(parents=True)
    make_report(folder / "series" / "1.dcm", patient="H-77", day="20200106", sizes={"A": 50.0, "B": 20.0})
    make_report(folder / "series" / "2", patient="H-77", day="20200306", sizes={"A": 30.0, "B": 10.0})
    (folder / "patients.csv").write_text("patient_id,index_date,dicom_id,arm\nP1,2020-01-10,H-77,x\n")
    return folder


def test_dicom_reports_become_a_tidy_study(reports, tmp_path, capsys) -> None:
    code, _, errors = call(capsys, "convert", reports, "--out", tmp_path / "tidy")
    assert code == 0, errors
    lesions = pl.read_csv(tmp_path / "tidy" / "lesions.csv")
    found = lesions.select("patient_id", "lesion_id", "day", "longest_mm").rows()
    # 6 January is four days before 10 January 2020; 6 March is 56 days after it
    assert found == [("P1", "A", -4, 50), ("P1", "A", 56, 30), ("P1", "B", -4, 20), ("P1", "B", 56, 10)]
    everything = "".join(path.read_text() for path in (tmp_path / "tidy").iterdir())
    assert not any(text in everything for text in ("H-77", "2020-01-10", "20200106"))
    assert main(["check", str(tmp_path / "tidy")]) == 0


def test_dicom_reports_are_exported_straight(reports, tmp_path, capsys) -> None:
    code, _, errors = call(capsys, "export", reports, "--out", tmp_path / "adam", "--formats", "csv")
    assert code == 0, errors
    best = pl.read_csv(tmp_path / "adam" / "adrs.csv").filter(pl.col("PARAMCD") == "BORR1")
    assert best["AVALC"].to_list() == ["PR"]  # 40 of 70 mm: a fall by 43 %


def test_dicom_reports_are_run_straight(reports, tmp_path, capsys) -> None:
    code, _, errors = call(capsys, "run", reports, "--out", tmp_path / "out", "--quiet")
    assert code == 0, errors
    best = pl.read_parquet(tmp_path / "out" / "best_response.parquet")
    assert best.filter(pl.col("criterion") == "recist11")["best"].to_list() == ["PR"]


def test_problems_of_tables_and_reports_are_told_together(reports, tmp_path, capsys) -> None:
    (reports / "patients.csv").write_text("patient_id,index_date,sex\nP1,2020-01-10,mael\n")
    code, _, errors = call(capsys, "convert", reports, "--out", tmp_path / "tidy")
    assert code == 1
    assert "Did you mean 'male'?" in errors
    assert "no index date" in errors
    assert not (tmp_path / "tidy").exists()


def test_dicom_reports_without_patients_are_told(reports, tmp_path, capsys) -> None:
    (reports / "patients.csv").unlink()
    shutil.copy(reports / "series" / "2", reports / "2")
    code, _, errors = call(capsys, "convert", reports, "--out", tmp_path / "tidy")
    assert (code, "table patients with index_date" in errors) == (1, True), errors


def test_without_the_extra_the_message_says_how_to_get_it(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "highdicom.sr", None)
    if importlib.util.find_spec("highdicom") is None:
        monkeypatch.setitem(sys.modules, "highdicom", None)
    (tmp_path / "sr").mkdir()
    (tmp_path / "sr" / "1.dcm").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "sr" / "patients.csv").write_text("patient_id,index_date\nP1,2020-01-10\n")
    code, _, errors = call(capsys, "convert", tmp_path / "sr", "--out", tmp_path / "tidy")
    assert (code, "pip install 'hccresist[dicom]'" in errors) == (1, True), errors
