"""Write one data set as Parquet, CSV, SAS transport (XPT version 5) and CDISC Dataset-JSON v1.1."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, cast

import polars as pl

from hccresist.export.datasets import Dataset, Kind

FORMATS: Final = ("parquet", "csv", "xpt", "json")
"""Formats that can be written, which are the endings of the files."""
NOT_DATED: Final = datetime(1970, 1, 1)
"""Time of creation that is stated where none was given."""
XPT_TEXT_BYTES: Final = 200
"""Room for a text in a transport file of version 5."""
SOFTWARE: Final = "hccresist"

_STAMP: Final = re.compile(rb"\d{2}[A-Z]{3}\d{2}:\d{2}:\d{2}:\d{2}")
_NAMES: Final = b"HEADER RECORD*******NAMESTR"
_JSON_TYPES: Final = {Kind.TEXT: "string", Kind.INTEGER: "integer", Kind.NUMBER: "double"}


def write_dataset(
    dataset: Dataset, frame: pl.DataFrame, places: Mapping[str, Path], *, study_name: str, created: datetime
) -> dict[str, int]:
    """Write one data set in the wanted formats.

    Parameters
    ----------
    dataset
        Its variables.
    frame
        Its rows, as `Dataset.finish` returns them.
    places
        Format to file.
    study_name
        Identifier of the study in Dataset-JSON.
    created
        Time of creation that transport files and Dataset-JSON state.

    Returns
    -------
    dict
        Variables whose texts a transport file holds only in part, and how many texts: see `cut_texts`.
    """
    shortened: dict[str, int] = {}
    writers: dict[str, Callable[[Path], None]] = {
        "parquet": frame.write_parquet,
        "csv": frame.write_csv,
        "json": lambda path: write_json(dataset, frame, path, study_name=study_name, created=created),
    }
    for kind, path in places.items():
        if kind == "xpt":
            shortened |= write_xpt(dataset, frame, path, created=created)
        else:
            writers[kind](path)
    return shortened


# SAS transport


def write_xpt(dataset: Dataset, frame: pl.DataFrame, path: Path, *, created: datetime) -> dict[str, int]:
    """Write a SAS transport file of version 5; missing text is blank there, missing numbers are ``.``.

    Returns
    -------
    dict
        Shortened texts, see `cut_texts`.
    """
    import pyreadstat  # noqa: PLC0415  (slow to import)

    cut, shortened = cut_texts(dataset, frame)
    numbers = [v.name for v in dataset.variables if v.kind is not Kind.TEXT]
    plain = cut.with_columns(pl.col(numbers).cast(pl.Float64), pl.col(pl.String).fill_null(""))
    pyreadstat.write_xport(
        cast("Any", plain),
        str(path),
        file_label=dataset.label,
        column_labels=[variable.label for variable in dataset.variables],
        table_name=dataset.name,
        file_format_version=5,
    )
    _stamp(path, created)
    return shortened


def cut_texts(dataset: Dataset, frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return a frame whose texts fit into 200 bytes of UTF-8, and how many were cut, by variable.

    A text that is cut ends in ``...``.
    """
    texts = [v.name for v in dataset.variables if v.kind is Kind.TEXT]
    long = {name: int((frame[name].str.len_bytes() > XPT_TEXT_BYTES).sum()) for name in texts}
    columns = [
        frame[name].map_elements(_cut, return_dtype=pl.String).alias(name) for name, n in long.items() if n
    ]
    return frame.with_columns(columns), {f"{dataset.name}.{name}": n for name, n in long.items() if n}


def _cut(text: str) -> str:
    data = text.encode()
    if len(data) <= XPT_TEXT_BYTES:
        return text
    return data[: XPT_TEXT_BYTES - 3].decode(errors="ignore") + "..."


def _stamp(path: Path, created: datetime) -> None:
    """Write the time of creation over that of the clock in the header of a transport file."""
    data = path.read_bytes()
    head = data[: data.index(_NAMES)]
    stamp = created.strftime("%d%b%y:%H:%M:%S").upper().encode("ascii")
    path.write_bytes(_STAMP.sub(stamp, head) + data[len(head) :])


# Dataset-JSON


def write_json(
    dataset: Dataset, frame: pl.DataFrame, path: Path, *, study_name: str, created: datetime
) -> None:
    """Write CDISC Dataset-JSON v1.1: one object with metadata, columns and rows, UTF-8."""
    columns = [_json_column(dataset, frame, position) for position in range(len(dataset.variables))]
    content = {
        "datasetJSONCreationDateTime": created.isoformat(timespec="seconds"),
        "datasetJSONVersion": "1.1.0",
        "fileOID": f"{study_name}.{dataset.name}",
        "originator": SOFTWARE,
        "sourceSystem": {"name": SOFTWARE, "version": _version()},
        "studyOID": study_name,
        "metaDataVersionOID": f"MDV.{study_name}",
        "itemGroupOID": f"IG.{dataset.name}",
        "records": frame.height,
        "name": dataset.name,
        "label": dataset.label,
        "columns": columns,
        "rows": frame.rows(),
    }
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    path.write_bytes(f"{text}\n".encode())


def _json_column(dataset: Dataset, frame: pl.DataFrame, position: int) -> dict[str, object]:
    variable = dataset.variables[position]
    column: dict[str, object] = {
        "itemOID": f"IT.{dataset.name}.{variable.name}",
        "name": variable.name,
        "label": variable.label,
        "dataType": _JSON_TYPES[variable.kind],
    }
    if variable.kind is Kind.TEXT:
        longest = frame[variable.name].str.len_chars().max()
        column["length"] = longest if isinstance(longest, int) and longest else 1
    if variable.name in dataset.order:
        column["keySequence"] = dataset.order.index(variable.name) + 1
    return column


def _version() -> str:
    try:
        return version(SOFTWARE)
    except PackageNotFoundError:
        return "unknown"
