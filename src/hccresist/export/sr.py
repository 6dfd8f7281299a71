"""DICOM structured reports of measurements (TID 1500), read as rows of table `lesions`.

====================================  ================================================================
tracking identifier (else its UID)    ``lesion_id``
long axis, length or diameter         ``longest_mm``
short axis                            ``short_axis_mm`` of a node or where no site is given, else
                                      ``perpendicular_mm``
finding site                          ``organ``, ``node``; as recorded in ``organ_recorded``
person observers (else the device)    ``reader``
StudyDate                             ``day``, from the index date of the patient
PatientID                             ``patient_id``, or the pseudonym given for it
====================================  ================================================================

Roles are not read: a report seldom says them, and *assess* then chooses targets by rule. Other
measurements (volumes, densities) are counted and told. highdicom reads the files: extra ``dicom``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import polars as pl

from hccresist.errors import ConfigError
from hccresist.study.codes import NODE_ORGANS
from hccresist.study.issues import Issue, IssueLog
from hccresist.study.sdtm_map import organ_of

MILLIMETRES: Final = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001}
"""Millimetres in each unit of length (UCUM) that is read."""
SCHEMA: Final[dict[str, type[pl.DataType]]] = {
    "patient_id": pl.String,
    "reader": pl.String,
    "lesion_id": pl.String,
    "day": pl.Float64,
    "organ": pl.String,
    "node": pl.Boolean,
    "longest_mm": pl.Float64,
    "short_axis_mm": pl.Float64,
    "perpendicular_mm": pl.Float64,
    "organ_recorded": pl.String,
    "tracking_uid": pl.String,
}
"""Columns of the lesions; the last two are covariates."""
KEY: Final = ("patient_id", "reader", "lesion_id", "day")

_KINDS: Final = {
    "LongAxis": "longest_mm",
    "Length": "longest_mm",
    "Diameter": "longest_mm",
    "ShortAxis": "short_axis_mm",
}
"""SNOMED CT concepts by their names in pydicom, and what they measure."""

Row = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class SrReading:
    """What was read.

    Attributes
    ----------
    lesions
        Rows for table `lesions`, one a patient, reader, lesion and day; columns of `SCHEMA`.
    warnings
        What was noticed and left out.
    """

    lesions: pl.DataFrame
    warnings: tuple[Issue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """One file: who, when, by whom, and where to tell problems."""

    patient: str
    day: float
    reader: str
    file: str
    issues: IssueLog

    def tell(self, code: str, problem: str, **where: str) -> None:
        self.issues.error(code, problem, file=self.file, patient=self.patient, **where)


def lesions_from_sr(
    files: Iterable[Path],
    *,
    index_dates: Mapping[str, date],
    pseudonyms: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """Return the lesions of `read_sr`, without its warnings.

    Parameters
    ----------
    files, index_dates, pseudonyms
        As for `read_sr`.
    """
    return read_sr(files, index_dates=index_dates, pseudonyms=pseudonyms).lesions


def read_sr(
    files: Iterable[Path],
    *,
    index_dates: Mapping[str, date],
    pseudonyms: Mapping[str, str] | None = None,
) -> SrReading:
    """Read measurement reports (TID 1500) as lesions; nothing in the files is changed.

    Parameters
    ----------
    files
        DICOM files: Enhanced SR, Comprehensive SR or Comprehensive 3D SR.
    index_dates
        Start of the index line of treatment (day 0) by PatientID.
    pseudonyms
        ``patient_id`` by PatientID; PatientID itself where not given.

    Returns
    -------
    SrReading
        Lesions sorted by key, and warnings.

    Raises
    ------
    ConfigError
        When the extra ``dicom`` is not installed.
    InputError
        With every problem found in any file.
    """
    parts = _load()
    issues = IssueLog()
    rows: list[Row] = []
    left_out: dict[str, int] = {}
    for path in sorted(files):
        read = _open(path, parts, issues)
        report = None if read is None else _describe(read, path, index_dates, pseudonyms or {}, issues=issues)
        if read is not None and report is not None:
            rows += _rows(read.content, report, parts, left_out=left_out)
    merged = _merge(rows, issues)
    _tell_several_uids(rows, issues)
    for name, count in sorted(left_out.items()):
        issues.warning(
            "unread-measurement", f"{count} measurements of '{name}' are no diameters and were left out"
        )
    issues.raise_if_errors()
    frame = pl.DataFrame(merged, schema=SCHEMA).sort(KEY)
    return SrReading(lesions=frame, warnings=issues.warnings)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is used of highdicom and pydicom."""

    sr: Any
    codes: Any
    broken: tuple[type[Exception], ...]


def _load() -> _Parts:
    """Return highdicom and pydicom, or say how to get them."""
    try:
        sr = import_module("highdicom.sr")
        codes = import_module("pydicom.sr.codedict").codes
        invalid = import_module("pydicom.errors").InvalidDicomError
    except ImportError as error:
        msg = "DICOM reports need highdicom. Install the extra: pip install 'hccresist[dicom]'."
        raise ConfigError(msg) from error
    return _Parts(sr, codes, (invalid, RuntimeError, ValueError, TypeError, AttributeError, KeyError))


def _open(path: Path, parts: _Parts, issues: IssueLog) -> Any | None:  # noqa: ANN401  (highdicom is optional)
    """Return a report, or ``None`` where the file is none, which is told."""
    hint = "Give DICOM structured reports that follow TID 1500, Measurement Report."
    try:
        report = parts.sr.srread(str(path))
    except OSError as error:
        issues.error("unreadable-file", f"the file cannot be read: {error.strerror or error}", file=path.name)
        return None
    except parts.broken as error:
        reason = " ".join(str(error).split())[:120]
        issues.error("no-sr", f"this is no structured report ({reason})", file=path.name, hint=hint)
        return None
    if not isinstance(report.content, parts.sr.MeasurementReport):
        issues.error(
            "no-measurement-report", "the report does not follow TID 1500", file=path.name, hint=hint
        )
        return None
    return report


def _describe(
    report: Any,  # noqa: ANN401  (highdicom is optional)
    path: Path,
    index_dates: Mapping[str, date],
    pseudonyms: Mapping[str, str],
    *,
    issues: IssueLog,
) -> _Report | None:
    """Return who was read, when and by whom; ``None`` where that is not known, which is told."""
    identifier = str(report.get("PatientID") or "").strip()
    text = str(report.get("StudyDate") or "").strip()
    if not identifier:
        issues.error("no-patient", "the report names no patient", file=path.name, column="PatientID")
        return None
    start = index_dates.get(identifier)
    patient = pseudonyms.get(identifier, identifier)
    where = {"file": path.name, "patient": patient}
    if start is None:
        hint = "Give the start of its index line of treatment: index_date in patients, or index_dates."
        issues.error(
            "no-index-date", "the patient has no index date, so the scan has no day", hint=hint, **where
        )
        return None
    try:
        scanned = datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        issues.error(
            "no-study-date",
            "there is no date of the scan",
            column="StudyDate",
            found=text,
            expected="YYYYMMDD",
            **where,
        )
        return None
    day = float((scanned - start).days)
    return _Report(patient=patient, day=day, reader=_reader(report.content), file=path.name, issues=issues)


def _reader(content: Any) -> str:  # noqa: ANN401  (highdicom is optional)
    """Return the observers of a report: persons, else devices; several are joined in order of name."""
    persons: set[str] = set()
    devices: set[str] = set()
    for context in content.get_observer_contexts():
        who = context.observer_identifying_attributes
        person = getattr(who, "name", None) if hasattr(who, "login_name") else None
        if person:
            persons.add(str(person))
        elif getattr(who, "name", None):
            devices.add(str(who.name))
    return "; ".join(sorted(persons or devices))


def _groups(content: Any) -> list[Any]:  # noqa: ANN401  (highdicom is optional)
    """Return the measurement groups of a report, of regions, volumes and images."""
    return [
        *content.get_planar_roi_measurement_groups(),
        *content.get_volumetric_roi_measurement_groups(),
        *content.get_image_measurement_groups(),
    ]


def _rows(content: Any, report: _Report, parts: _Parts, *, left_out: dict[str, int]) -> list[Row]:  # noqa: ANN401
    """Return the rows of a report; one that breaks the rules of TID 1500 inside is told."""
    try:
        return [row for group in _groups(content) for row in _row(group, report, parts, left_out=left_out)]
    except parts.broken as error:
        reason = " ".join(str(error).split())[:120]
        report.tell("broken-report", f"the measurement groups cannot be read ({reason})")
        return []


def _row(group: Any, report: _Report, parts: _Parts, *, left_out: dict[str, int]) -> list[Row]:  # noqa: ANN401
    """Return the row of one measurement group; none where it holds no diameter."""
    name = str(group.tracking_identifier or group.tracking_uid or "").strip()
    sites = sorted({str(site.value.meaning) for site in group.finding_sites})
    organ = organ_of(sites[0]) if len(sites) == 1 else None
    node = None if organ is None else organ in NODE_ORGANS
    sizes: dict[str, float] = {}
    for measurement in group.get_measurements():
        column = _column(measurement.name, parts)
        if column is None:
            meaning = str(measurement.name.meaning)
            left_out[meaning] = left_out.get(meaning, 0) + 1
            continue
        column = "perpendicular_mm" if column == "short_axis_mm" and node is False else column
        size = _millimetres(measurement, report, name)
        if size is not None and sizes.setdefault(column, size) != size:
            report.tell(
                "two-sizes",
                f"lesion {name} has two values of {column}",
                found=f"{size:g}",
                expected=f"{sizes[column]:g}",
            )
    if not sizes:
        return []
    if not name:
        report.tell(
            "no-tracking", "measurements have no tracking identifier", hint="Name the lesion in the report."
        )
        return []
    recorded = {"organ": organ, "node": node, "organ_recorded": "; ".join(sites) or None}
    key = {"patient_id": report.patient, "reader": report.reader, "lesion_id": name, "day": report.day}
    uid = {"tracking_uid": str(group.tracking_uid) if group.tracking_uid else None}
    return [{**key, **recorded, **sizes, **uid, "__file": report.file}]


def _column(concept: Any, parts: _Parts) -> str | None:  # noqa: ANN401  (highdicom is optional)
    """Return the column that a measured concept belongs to; pydicom knows its older codes too."""
    return next(
        (column for name, column in _KINDS.items() if concept == getattr(parts.codes.SCT, name)), None
    )


def _millimetres(measurement: Any, report: _Report, name: str) -> float | None:  # noqa: ANN401
    """Return a length in mm; a unit that is none of length, and a value that is no size, are told."""
    unit, value = str(measurement.unit.value), float(measurement.value)
    if unit not in MILLIMETRES:
        known = ", ".join(MILLIMETRES)
        report.tell(
            "unknown-unit", f"lesion {name} is measured in an unknown unit", found=unit, expected=known
        )
        return None
    if not math.isfinite(value) or value < 0:
        report.tell(
            "no-size", f"lesion {name} has a size that is none", found=f"{value:g}", expected="0 or more"
        )
        return None
    return round(value * MILLIMETRES[unit], 3)


def _merge(rows: Sequence[Row], issues: IssueLog) -> list[Row]:
    """Return one row a lesion and day; values that contradict each other are told."""
    merged: dict[tuple[object, ...], Row] = {}
    for row in rows:
        kept = merged.setdefault(tuple(row[name] for name in KEY), {})
        for name, value in row.items():
            if name == "__file" or value is None:
                continue
            if kept.setdefault(name, value) != value and name != "tracking_uid":
                issues.error(
                    "two-values",
                    f"lesion {row['lesion_id']} has another {name} in a report of the same day and reader",
                    file=str(row["__file"]),
                    patient=str(row["patient_id"]),
                    found=str(value),
                    expected=str(kept[name]),
                    hint="Keep one of the reports, or give lesions names of their own.",
                )
    return list(merged.values())


def _tell_several_uids(rows: Sequence[Row], issues: IssueLog) -> None:
    """Tell lesions of one name with several tracking UIDs: the name may stand for different lesions."""
    found: dict[tuple[str, str, str], set[str]] = {}
    for row in rows:
        if row["tracking_uid"] is not None:
            key = (str(row["patient_id"]), str(row["reader"]), str(row["lesion_id"]))
            found.setdefault(key, set()).add(str(row["tracking_uid"]))
    for (patient, _, lesion), uids in sorted(found.items()):
        if len(uids) > 1:
            issues.warning(
                "several-tracking-uids",
                f"lesion {lesion} has {len(uids)} tracking UIDs and was read as one lesion",
                patient=patient,
                hint="Check that the name means the same lesion in every report.",
            )
