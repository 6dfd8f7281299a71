"""Read a GEO series matrix as a study: characteristics of the samples and the expression table.

Rows of most series are probes. Their genes stand in the platform's table (GPL), which must lie beside
the series matrix.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from hccresist.study.geo_platform import find_platform, looks_like_probes, name_genes
from hccresist.study.issues import IssueLog
from hccresist.study.omics import (
    Gathered,
    constant_columns,
    first_values,
    fit_columns,
    one_row_a_gene,
    read_matrix,
    read_own_config,
)
from hccresist.study.policies import Policies
from hccresist.study.rows import Place
from hccresist.study.study import ROW, Study
from hccresist.study.tab import Text, load_text, open_tab

PATIENT_KEYS: Final = ("patient_id", "patient", "patient_no", "subject_id", "subject", "individual", "donor")
"""Characteristics that name the patient of a sample."""
_BEGIN: Final = b"!series_matrix_table_begin"
_END: Final = b"!series_matrix_table_end"
_FIRST: Final = b"!Series_"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """The lines above the expression table: each key with its values, and the table."""

    values: Mapping[str, Sequence[Sequence[str]]]
    table: bytes
    first_line: int

    def first(self, key: str) -> Sequence[str]:
        """Return the values of the first line of a key."""
        return next(iter(self.values.get(key, [[]])))


def is_series_matrix(path: Path) -> bool:
    """Return whether a file begins as GEO series matrices do, gzipped or not."""
    if path.suffix.lower() not in (".txt", ".gz"):
        return False
    try:
        with path.open("rb") as file:
            head = file.read(2)
            file.seek(0)
            if head != b"\x1f\x8b":
                return file.read(len(_FIRST)) == _FIRST
            with gzip.open(file, "rb") as unpacked:
                return unpacked.read(len(_FIRST)) == _FIRST
    except (OSError, EOFError, zlib.error):
        return False


def read_geo(path: Path, *, policies: Policies | None = None) -> Study:
    """Read and check a GEO series matrix; nothing in it is changed.

    1. Each sample (GSM) is a row of `samples`. A characteristic that names the patient
       (`PATIENT_KEYS`) says whose it is; without one every sample is a patient of its own, and a
       warning says so.
    2. Characteristics are covariates: of `patients` where they say one thing of each patient, else of
       `samples`. Nothing is read from them beyond that: follow-up and response of a series have no
       common form, and belong into the tables `survival` and `responses` by hand.
    3. Rows are genes by the table of the platform, a file ``GPL….txt`` or ``GPL….annot`` beside the
       matrix, perhaps gzipped. Rows of several genes, or of none, are left out; of several rows of a
       gene the one with the highest mean is kept. Without such a file rows that bear the names of
       genes are taken as they are, and probes are refused.

    Parameters
    ----------
    path
        The series matrix, perhaps gzipped. A ``study.toml`` beside it is read, where there is one.
    policies
        Policies in force, instead of those of the configuration.

    Returns
    -------
    Study
        The checked study.

    Raises
    ------
    InputError
        With every problem found in the file.
    """
    gathered = Gathered(log=IssueLog())
    place = Place(file=path.name, log=gathered.log)
    text = load_text(path, place)
    series = None if text is None else _read_series(text, place)
    name, title = path.name.partition("_series_matrix")[0], ""
    if text is not None and series is not None:
        name = next(iter(series.first("series_geo_accession")), name)
        title = next(iter(series.first("series_title")), "")
        _add_samples(series, gathered, place)
        rows = _add_expression(series, path.parent, gathered, place=place)
        gathered.add_file(path.name, sha256=text.sha256, rows=rows, table="expression")
    config = read_own_config(path.parent, gathered.log, name=name, title=title, policies=policies)
    gathered.log.raise_if_errors()
    return gathered.finish(config)


def _read_series(text: Text, place: Place) -> _Series | None:
    begin = text.data.find(_BEGIN)
    if begin < 0:
        hint = "Fetch the file that ends in _series_matrix.txt.gz."
        place.error("no-table", "there is no expression table", expected=_BEGIN.decode(), hint=hint)
        return None
    start = text.data.find(b"\n", begin) + 1
    end = text.data.find(_END, start)
    if end < 0 or start == 0:
        place.error(
            "cut-short", "the expression table does not end", expected=_END.decode(), hint="Fetch it again."
        )
        return None
    values: dict[str, list[list[str]]] = {}
    for line in text.data[:begin].decode().splitlines():
        if line.startswith("!"):
            key, *rest = next(csv.reader([line[1:]], delimiter="\t"), [""])
            values.setdefault(key.strip().lower(), []).append([value.strip() for value in rest])
    if not values.get("sample_geo_accession"):
        place.error(
            "no-samples",
            "no line names the samples",
            expected="!Sample_geo_accession",
            hint="Fetch it again.",
        )
        return None
    first_line = text.data.count(b"\n", 0, start) + 1
    return _Series(values=values, table=text.data[start:end], first_line=first_line)


def _add_samples(series: _Series, gathered: Gathered, place: Place) -> None:
    ids = list(series.first("sample_geo_accession"))
    columns = _characteristics(series, len(ids))
    patient = next((key for key in PATIENT_KEYS if key in columns and all(columns[key])), None)
    if patient is None:
        hint = "Where a patient gave several samples, write samples.csv of the converted study anew."
        problem = "no characteristic names the patient, so each sample counts as a patient of its own"
        place.warning("sample-is-patient", problem, expected=", ".join(PATIENT_KEYS), hint=hint)
    owners = ids if patient is None else [str(value) for value in columns.pop(patient)]
    columns = {
        name: values for name, values in columns.items() if name not in ("sample_id", "patient_id", ROW)
    }
    frame = pl.DataFrame(
        {"sample_id": ids, "patient_id": owners, **columns, ROW: [1] * len(ids)},
        schema_overrides=dict.fromkeys(columns, pl.String),
    )
    own = [name for name in columns if name != "tissue"]
    constant = constant_columns(frame, "patient_id", own) if own else []
    patients = fit_columns(first_values(frame, "patient_id", constant), "patients", place)
    gathered.add("patients", patients, file=place.file)
    rest = [name for name in columns if name not in constant]
    described = {
        name: list(series.first(f"sample_{key}"))
        for name, key in (("title", "title"), ("source_name", "source_name_ch1"))
        if len(series.first(f"sample_{key}")) == len(ids) and name not in rest
    }
    samples = frame.select("sample_id", "patient_id", *rest, ROW)
    samples = samples.with_columns(
        pl.Series(name, values, dtype=pl.String) for name, values in described.items()
    )
    gathered.add("samples", fit_columns(samples, "samples", place), file=place.file)


def _characteristics(series: _Series, n: int) -> dict[str, list[str | None]]:
    """Return each characteristic with its value for every sample; lines need not be in step."""
    columns: dict[str, list[str | None]] = {}
    lines = [
        *series.values.get("sample_characteristics_ch1", ()),
        *series.values.get("sample_characteristics_ch2", ()),
    ]
    for number, line in enumerate(lines, start=1):
        for at, cell in enumerate(line[:n]):
            key, colon, value = cell.partition(":")
            name = _plain(key) if colon else f"characteristic_{number}"
            value = (value if colon else cell).strip()
            if not name or not value:
                continue
            column = columns.setdefault(name, [None] * n)
            column[at] = value if column[at] is None else f"{column[at]}; {value}"
    return columns


def _plain(key: str) -> str:
    return re.sub(r"\W+", "_", key.strip().lower()).strip("_")


def _add_expression(series: _Series, folder: Path, gathered: Gathered, *, place: Place) -> int:
    """Add the table of values by gene; return how many rows the file has."""
    tab = open_tab(series.table, place, first_line=series.first_line)
    if tab is None:
        return 0
    frame = read_matrix(tab, place, names=tab.headers[:1], wanted=[name for name in tab.headers[1:] if name])
    if frame is None:
        return 0
    platform = ", ".join(series.first("series_platform_id")) or ", ".join(
        sorted(set(series.first("sample_platform_id")))
    )
    if frame.is_empty():
        hint = "Series of sequencing keep their values in supplementary files: bring them as expression.csv."
        place.error("no-values", "the expression table has no rows", line=series.first_line, hint=hint)
        return 0
    names = find_platform(folder, platform, gathered)
    if names is not None:
        frame = name_genes(frame, names, place)
    elif looks_like_probes(frame["gene"]):
        _tell_probes(frame, platform, place, line=series.first_line)
        return frame.height
    else:
        hint = "Put the table of the platform beside the file where the rows are probes."
        place.warning("rows-as-genes", "the rows were taken as genes by their names", hint=hint)
    gathered.add("expression", one_row_a_gene(frame, place), file=place.file)
    return frame.height


def _tell_probes(frame: pl.DataFrame, platform: str, place: Place, *, line: int) -> None:
    name = platform.partition(",")[0] or "GPL…"
    place.error(
        "probes-without-platform",
        "the rows are probes of an array, and the table that names their genes is not there",
        line=line + 1,
        found=", ".join(frame["gene"].drop_nulls().head(3)),
        expected=f"{name}.txt, {name}.annot or {name}.annot.gz beside the series matrix",
        hint=f"Fetch the full table of platform {name} from GEO and put it into the same folder.",
    )
