"""A folder of DICOM measurement reports with a list of patients, read as a study.

Reports lie in the folder or below it. Beside them lies table `patients` with ``index_date``, from which
the days of the scans are counted; its column ``dicom_id`` says under which PatientID the reports name a
patient, where that is not ``patient_id``. Neither comes out of the study. Other tables of a study may lie
there too, `lesions` excepted: it is what the reports become.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from hccresist.errors import InputError
from hccresist.export.sr import SCHEMA, SrReading, read_sr
from hccresist.study.dates import INDEX_DATE
from hccresist.study.issues import Issue
from hccresist.study.policies import Policies
from hccresist.study.study import ROW, RawTable, Source, Study
from hccresist.study.tidy import hash_file, is_table_file, read_patients, read_tidy

DICOM_ID: Final = "dicom_id"
"""Column of `patients` with the PatientID of the reports."""
_MAGIC: Final = b"DICM"
_PREAMBLE: Final = 128


def find_reports(folder: Path) -> list[Path]:
    """Return the DICOM files in a folder and below, by what they begin with; empty where there is none."""
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and _is_dicom(path)]


def is_sr_folder(folder: Path) -> bool:
    """Return whether a folder is to be read as DICOM reports.

    It has no table `lesions`, and reports lie in it, or below it with table `patients` in it.
    """
    files = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    names = {path.stem.lower() for path in files if is_table_file(path)}
    if "lesions" in names:
        return False
    return any(_is_dicom(path) for path in files) or ("patients" in names and bool(find_reports(folder)))


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(_PREAMBLE + len(_MAGIC))[_PREAMBLE:] == _MAGIC
    except OSError:
        return False


def read_sr_folder(folder: Path, *, policies: Policies | None = None) -> Study:
    """Read DICOM measurement reports with the tables beside them as a study.

    Parameters
    ----------
    folder
        Folder that holds the reports and table `patients`.
    policies
        Policies in force, instead of those of ``study.toml``.

    Returns
    -------
    Study
        The checked study; its table `lesions` comes from the reports.

    Raises
    ------
    ConfigError
        When the extra ``dicom`` is not installed.
    InputError
        With every problem found in the tables or in the reports.
    """
    reports = find_reports(folder)
    reading, problems = _read_reports(folder, reports, policies)
    try:
        study = read_tidy(folder, policies=policies, further=[_raw(reading)])
    except InputError as error:
        raise InputError([*problems, *error.issues]) from error
    if problems:
        raise InputError(problems)
    named = {path.name for path in reports}
    noticed = [w for w in study.warnings if not (w.code == "unknown-file" and w.file in named)]
    people = study.patients.drop(DICOM_ID, strict=False)
    return replace(
        study,
        tables={**study.tables, "patients": people},
        warnings=(*noticed, *reading.warnings),
        sources=(*study.sources, *(_source(path, folder) for path in reports)),
    )


def _read_reports(
    folder: Path, reports: list[Path], policies: Policies | None
) -> tuple[SrReading, list[Issue]]:
    """Return the lesions of the reports, none where there are problems, and the problems."""
    nothing = SrReading(lesions=pl.DataFrame(schema=SCHEMA), warnings=())
    dates, identifiers = _read_people(folder, policies)
    if not dates:
        return nothing, [_no_dates()]
    try:
        return read_sr(reports, index_dates=dates, pseudonyms=identifiers), []
    except InputError as error:
        return nothing, list(error.issues)


def _raw(reading: SrReading) -> RawTable:
    rows = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW)
    return RawTable(name="lesions", frame=reading.lesions.with_columns(rows), file="DICOM reports")


def _read_people(folder: Path, policies: Policies | None) -> tuple[dict[str, date], dict[str, str]]:
    """Return the index date and the ``patient_id`` of each PatientID."""
    patients = read_patients(folder, policies=policies)
    if patients is None or not {"patient_id", INDEX_DATE} <= set(patients.columns):
        return {}, {}
    if patients[INDEX_DATE].dtype != pl.Date:
        return {}, {}
    own = pl.col(DICOM_ID).cast(pl.String) if DICOM_ID in patients.columns else pl.lit(None, dtype=pl.String)
    rows = patients.select("patient_id", INDEX_DATE, pl.coalesce(own, "patient_id").alias(DICOM_ID))
    rows = rows.drop_nulls()
    dates = dict(zip(rows[DICOM_ID].to_list(), rows[INDEX_DATE].to_list(), strict=True))
    return dates, dict(zip(rows[DICOM_ID].to_list(), rows["patient_id"].to_list(), strict=True))


def _no_dates() -> Issue:
    return Issue(
        code="no-index-date",
        problem="DICOM reports need a table patients with index_date beside them",
        hint=f"Write patients.csv with patient_id, index_date and, where reports name patients otherwise, "
        f"{DICOM_ID}.",
        file="patients.csv",
        column=INDEX_DATE,
    )


def _source(path: Path, folder: Path) -> Source:
    name = path.relative_to(folder).as_posix()
    return Source(file=name, sha256=hash_file(path), rows=1, table="lesions")
