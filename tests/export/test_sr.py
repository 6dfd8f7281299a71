"""DICOM measurement reports (TID 1500), made in memory by highdicom, read as lesions."""

from __future__ import annotations

import sys
from datetime import date

import numpy as np
import pytest

from hccresist.errors import ConfigError, InputError
from hccresist.export.sr import SCHEMA, lesions_from_sr, read_sr
from hccresist.study.frames import study_from_frames

INDEX = {"PAT1": date(2020, 1, 10), "PAT2": date(2020, 2, 1)}


def test_01_without_the_extra_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom.sr", None)
    with pytest.raises(ConfigError, match=r"pip install 'hccresist\[dicom\]'"):
        lesions_from_sr([], index_dates={})


@pytest.fixture(scope="module")
def sr():
    return pytest.importorskip("highdicom.sr")


@pytest.fixture(scope="module")
def pydicom():
    return pytest.importorskip("pydicom")


@pytest.fixture(scope="module")
def codes():
    return pytest.importorskip("pydicom.sr.codedict").codes


@pytest.fixture
def write(sr, pydicom, codes, tmp_path):
    """Writes a report of measurement groups and returns its file."""
    generate_uid = pydicom.uid.generate_uid

    def image(patient, day):
        scan = pydicom.Dataset()
        scan.file_meta = pydicom.dataset.FileMetaDataset()
        scan.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        scan.PatientID, scan.PatientName, scan.StudyDate, scan.StudyTime = patient, "A^B", day, "120000"
        scan.PatientBirthDate = scan.PatientSex = scan.AccessionNumber = scan.ReferringPhysicianName = ""
        scan.SOPClassUID, scan.Modality, scan.StudyID = "1.2.840.10008.5.1.4.1.1.2", "CT", "1"
        scan.Rows = scan.Columns = 512
        for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            setattr(scan, name, generate_uid())
        return scan

    def write_report(name, groups, *, patient="PAT1", day="20200310", reader="READER^ONE"):
        person = sr.PersonObserverIdentifyingAttributes(name=reader)
        observer = sr.ObserverContext(observer_type=codes.DCM.Person, observer_identifying_attributes=person)
        scan = image(patient, day)
        report = sr.MeasurementReport(
            observation_context=sr.ObservationContext(observer_person_context=observer),
            procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
            imaging_measurements=[group(scan) for group in groups],
        )
        document = sr.Comprehensive3DSR(
            evidence=[scan],
            content=report,
            series_number=1,
            series_instance_uid=generate_uid(),
            sop_instance_uid=generate_uid(),
            instance_number=1,
            manufacturer="test",
        )
        document.save_as(tmp_path / name)
        return tmp_path / name

    return write_report


@pytest.fixture
def lesion(sr, pydicom, codes):
    """Makes a measurement group: sizes by concept, a unit, a site."""

    def make(name, sizes, *, site="Liver", unit="Millimeter", region=False):
        measured = [
            sr.Measurement(getattr(codes.SCT, concept), value, getattr(codes.UCUM, unit))
            for concept, value in sizes.items()
        ]
        common = {
            "tracking_identifier": sr.TrackingIdentifier(uid=pydicom.uid.generate_uid(), identifier=name),
            "finding_type": codes.SCT.Nodule,
            "finding_sites": [sr.FindingSite(getattr(codes.SCT, site))] if site else None,
            "measurements": measured,
        }
        if not region:
            return lambda _: sr.MeasurementsAndQualitativeEvaluations(**common)

        def with_region(scan):
            outline = sr.ImageRegion(
                graphic_type=sr.GraphicTypeValues.CIRCLE,
                graphic_data=np.array([[10.0, 10.0], [20.0, 10.0]]),
                source_image=sr.SourceImageForRegion.from_source_image(scan),
            )
            return sr.PlanarROIMeasurementsAndQualitativeEvaluations(referenced_region=outline, **common)

        return with_region

    return make


def test_02_a_report_becomes_rows_of_lesions(write, lesion):
    path = write(
        "one.dcm",
        [
            lesion("T1", {"LongAxis": 34.5, "ShortAxis": 20.0}),
            lesion("N1", {"LongAxis": 25.0, "ShortAxis": 16.0}, site="LymphNode"),
        ],
    )
    table = lesions_from_sr([path], index_dates=INDEX)
    assert dict(table.schema) == SCHEMA
    columns = ("patient_id", "reader", "lesion_id", "day", "organ", "node")
    sizes = ("longest_mm", "short_axis_mm", "perpendicular_mm", "organ_recorded")
    assert table.select(columns).rows() == [
        ("PAT1", "READER^ONE", "N1", 60.0, "lymph_node", True),
        ("PAT1", "READER^ONE", "T1", 60.0, "liver", False),
    ]
    assert table.select(sizes).rows() == [(25.0, 16.0, None, "Lymph Node"), (34.5, None, 20.0, "Liver")]


def test_03_the_rows_make_a_study(write, lesion):
    files = [
        write("a.dcm", [lesion("T1", {"LongAxis": 50.0})], day="20200107"),
        write("b.dcm", [lesion("T1", {"LongAxis": 30.0})], day="20200306"),
    ]
    table = lesions_from_sr(files, index_dates=INDEX)
    study = study_from_frames(patients=table.select("patient_id").unique(), lesions=table)
    assert study.tables["lesions"].select("day", "longest_mm").rows() == [(-3.0, 50.0), (56.0, 30.0)]


@pytest.mark.parametrize("concept", ["Length", "Diameter", "LongAxis"])
@pytest.mark.parametrize(("unit", "factor"), [("Millimeter", 1), ("Centimeter", 10)])
def test_04_lengths_in_any_unit(write, lesion, concept, unit, factor):
    path = write("one.dcm", [lesion("T1", {concept: 2.75}, unit=unit)])
    assert lesions_from_sr([path], index_dates=INDEX)["longest_mm"].to_list() == [2.75 * factor]


def test_05_measurements_of_a_region_are_read_once(write, lesion):
    path = write("one.dcm", [lesion("T1", {"LongAxis": 34.5}, region=True)])
    assert lesions_from_sr([path], index_dates=INDEX)["longest_mm"].to_list() == [34.5]


def test_06_without_a_site_the_short_axis_stays_one(write, lesion):
    path = write("one.dcm", [lesion("T1", {"ShortAxis": 12.0}, site=None)])
    row = lesions_from_sr([path], index_dates=INDEX).row(0, named=True)
    assert (row["organ"], row["node"], row["short_axis_mm"]) == (None, None, 12.0)


def test_07_patients_are_renamed_and_readers_kept_apart(write, lesion):
    files = [
        write("a.dcm", [lesion("T1", {"LongAxis": 50.0})], reader="READER^ONE"),
        write("b.dcm", [lesion("T1", {"LongAxis": 48.0})], reader="READER^TWO"),
    ]
    table = lesions_from_sr(files, index_dates=INDEX, pseudonyms={"PAT1": "P001"})
    assert table.select("patient_id", "reader", "longest_mm").rows() == [
        ("P001", "READER^ONE", 50.0),
        ("P001", "READER^TWO", 48.0),
    ]


def test_08_two_reports_of_one_day_are_joined(write, lesion):
    files = [
        write("a.dcm", [lesion("T1", {"LongAxis": 50.0})]),
        write("b.dcm", [lesion("T1", {"ShortAxis": 30.0}), lesion("T2", {"LongAxis": 12.0})]),
    ]
    reading = read_sr(files, index_dates=INDEX)
    assert reading.lesions.select("lesion_id", "longest_mm", "perpendicular_mm").rows() == [
        ("T1", 50.0, 30.0),
        ("T2", 12.0, None),
    ]
    assert [issue.problem for issue in reading.warnings] == [
        "lesion T1 has 2 tracking UIDs and was read as one lesion"
    ]


def test_09_what_is_no_diameter_is_counted_and_told(write, lesion):
    path = write("one.dcm", [lesion("T1", {"LongAxis": 50.0, "Volume": 900.0}, unit="Millimeter")])
    reading = read_sr([path], index_dates=INDEX)
    assert [issue.sentence() for issue in reading.warnings] == [
        "1 measurements of 'Volume' are no diameters and were left out."
    ]


def test_10_every_problem_of_every_file_is_told_at_once(write, lesion, pydicom, tmp_path):
    (tmp_path / "text.dcm").write_text("this is no DICOM file")
    undated = write("undated.dcm", [lesion("T1", {"LongAxis": 50.0})])
    data = pydicom.dcmread(undated)
    data.StudyDate = ""
    data.save_as(undated)
    files = [
        tmp_path / "text.dcm",
        tmp_path / "absent.dcm",
        undated,
        write("stranger.dcm", [lesion("T1", {"LongAxis": 50.0})], patient="PAT9"),
        write("unit.dcm", [lesion("T1", {"LongAxis": 50.0}, unit="HounsfieldUnit")]),
        write("a.dcm", [lesion("T1", {"LongAxis": 50.0})], patient="PAT2"),
        write("b.dcm", [lesion("T1", {"LongAxis": 49.0})], patient="PAT2"),
        write("c.dcm", [lesion("T1", {"LongAxis": 50.0, "Length": 51.0})], patient="PAT2", day="20200501"),
    ]
    with pytest.raises(InputError) as told:
        read_sr(files, index_dates=INDEX)
    found = {(issue.code, issue.file) for issue in told.value.issues if issue.severity == "error"}
    assert found == {
        ("no-sr", "text.dcm"),
        ("unreadable-file", "absent.dcm"),
        ("no-study-date", "undated.dcm"),
        ("no-index-date", "stranger.dcm"),
        ("unknown-unit", "unit.dcm"),
        ("two-values", "b.dcm"),
        ("two-sizes", "c.dcm"),
    }


def test_11_an_image_is_no_report(write, lesion, pydicom):
    path = write("one.dcm", [lesion("T1", {"LongAxis": 50.0})])
    data = pydicom.dcmread(path)
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    data.save_as(path)
    with pytest.raises(InputError, match="this is no structured report"):
        read_sr([path], index_dates=INDEX)


def test_12_no_files_are_no_lesions(sr):
    reading = read_sr([], index_dates={})
    assert reading.lesions.height == 0
    assert reading.warnings == ()
