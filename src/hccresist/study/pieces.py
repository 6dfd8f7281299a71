"""Read a large study of Parquet files piece by piece, so that it never stands in memory whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from hccresist.errors import InputError
from hccresist.study.check import check_tables
from hccresist.study.columns import Reading
from hccresist.study.config import read_settings
from hccresist.study.design import check_design
from hccresist.study.issues import IssueLog
from hccresist.study.policies import Policies
from hccresist.study.read import read_study
from hccresist.study.rows import Place
from hccresist.study.study import ROW, RawTable, Source, Study, StudyConfig
from hccresist.study.tables import SCHEMAS
from hccresist.study.tidy import (
    PARQUET_ENDINGS,
    config_source,
    hash_file,
    table_files,
    type_parquet,
)

LARGE: Final = 200_000
"""Patients above which a study of Parquet files is read in pieces."""
PIECE: Final = 50_000
"""Patients in a piece."""


def read_pieces(
    path: Path, *, policies: Policies | None = None, large: int = LARGE, size: int = PIECE
) -> Iterator[Study]:
    """Yield a study: whole, or, where it is large and all Parquet, in pieces of consecutive patients.

    A study comes in pieces when every table is a Parquet file with a column ``patient_id`` and
    `patients` has more than `large` rows. The patients of the pieces ascend, and every row of every table
    is in exactly one piece, those of unknown patients included, so that nothing goes unchecked. Files
    that are sorted by patient are read faster.

    Parameters
    ----------
    path
        A study folder, as for `hccresist.study.read.read_study`.
    policies
        Policies in force, instead of those of ``study.toml``.
    large
        Patients above which the study comes in pieces.
    size
        Patients in a piece.

    Raises
    ------
    InputError
        With every problem found in any piece, after the last of them was read.
    """
    files = _large_files(path, large)
    if files is None:
        yield read_study(path, policies=policies)
        return
    log = IssueLog()
    config, options = read_settings(path, log)
    if policies is not None:
        config = replace(config, policies=policies)
    table_files(path, log)  # tells of files that are no table
    of_piece = replace(config, reference_arm="", strata=())  # a piece need not hold every arm
    reading = Reading(
        options=options,
        date_imputation=config.policies.date_imputation,
        index_dates=pl.DataFrame(schema={"patient_id": pl.String, "index_date": pl.Date}),
    )
    sources = [*config_source(path), *(_source(file, name) for name, file in files.items())]
    _check_design(files["patients"], config, log)
    problems = IssueLog()  # counts what goes beyond the first few of a kind, over all pieces
    for number, inside in enumerate(_ranges(files["patients"], size)):
        piece_log = log if number == 0 else IssueLog()
        try:
            raw = _read_range(files, inside, reading=reading, log=piece_log)
            study = check_tables(raw, of_piece, log=piece_log, sources=sources if number == 0 else [])
        except InputError as error:
            for issue in error.issues:
                problems.add(issue)
            continue
        if not problems:
            yield replace(study, config=config)
    problems.raise_if_errors()


def _check_design(patients: Path, config: StudyConfig, log: IssueLog) -> None:
    """Check reference arm and strata against all patients, not those of a piece."""
    rows = pl.scan_parquet(patients)
    names = rows.collect_schema().names()
    arms: list[str] = []
    if "arm" in names:
        arms = rows.select(pl.col("arm").cast(pl.String).drop_nulls().unique()).collect()["arm"].to_list()
    check_design(arms, [*SCHEMAS["patients"].column_names(), *names], config, log=log)


def _large_files(path: Path, large: int) -> dict[str, Path] | None:
    """Return the tables of a study that is to be read in pieces, or ``None``."""
    if not path.is_dir():
        return None
    files = table_files(path, IssueLog())
    by_patient = {name: file for name, file in files.items() if "patient_id" in SCHEMAS[name].column_names()}
    if "patients" not in files or by_patient.keys() != files.keys():
        return None
    if any(file.suffix.lower() not in PARQUET_ENDINGS for file in files.values()):
        return None
    try:
        schemas = [pl.read_parquet_schema(file) for file in files.values()]
        rows = pl.scan_parquet(files["patients"]).select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, OSError):
        return None  # the reader of whole studies tells what is wrong
    dated = any(name.endswith("_date") or name == "date" for schema in schemas for name in schema)
    if dated or any(schema.get("patient_id") != pl.String for schema in schemas) or rows <= large:
        return None
    return {name: files[name] for name in SCHEMAS if name in files}


def _source(file: Path, name: str) -> Source:
    rows = pl.scan_parquet(file).select(pl.len()).collect().item()
    return Source(file=file.name, sha256=hash_file(file), rows=rows, table=name)


def _ranges(patients: Path, size: int) -> Iterator[pl.Expr]:
    """Yield conditions on patient_id that part all rows: so many patients each, the ends open."""
    names = pl.scan_parquet(patients).select("patient_id").drop_nulls().unique().sort("patient_id").collect()
    ids = names["patient_id"]
    starts = ids.gather_every(size)
    column = pl.col("patient_id")
    for number, start in enumerate(starts):
        inside = pl.lit(value=True) if number == 0 else column >= pl.lit(start)
        if number + 1 < len(starts):
            inside &= column < pl.lit(starts[number + 1])
        yield inside.fill_null(value=False) | column.is_null() if number == 0 else inside


def _read_range(
    files: dict[str, Path], inside: pl.Expr, *, reading: Reading, log: IssueLog
) -> list[RawTable]:
    raw: list[RawTable] = []
    for name, file in files.items():
        rows = pl.scan_parquet(file, row_index_name=ROW).with_columns(pl.col(ROW).cast(pl.Int64) + 1)
        frame = rows.filter(inside).collect(engine="streaming")
        table = type_parquet(frame, file, name, reading=reading, place=Place(file=file.name, log=log))
        if table is not None:
            raw.append(table)
    return raw
