"""Hold results of the engine against those of the naive implementation; make small what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from naive import assess_rows
from polars.testing import assert_frame_equal
from random_studies import study_frames

from hccresist.assess import assess_study
from hccresist.study.policies import Policies
from hccresist.study.study import Study, StudyConfig
from hccresist.study.tables import SCHEMAS

Rows = list[dict[str, Any]]
CRITERIA = ("recist11", "mrecist", "irecist")
KEY = ("patient_id", "reader", "criterion", "day")
SUMS = {
    "sum_mm": "sum",
    "new_target_sum_mm": "new_target_sum",
    "baseline_mm": "baseline",
    "nadir_mm": "nadir",
}
TIMEPOINTS = pl.Schema(
    dict.fromkeys(("patient_id", "reader", "criterion"), pl.String)
    | {"day": pl.Float64, "target": pl.String, "nontarget": pl.String}
    | {"new_lesion": pl.Boolean, "overall": pl.String}
    | dict.fromkeys(SUMS, pl.Int64)
    | dict.fromkeys(("change_from_baseline_percent", "change_from_nadir_percent"), pl.Float64)
)
BEST = pl.Schema(
    dict.fromkeys(("patient_id", "reader", "criterion", "best", "best_confirmed"), pl.String)
    | dict.fromkeys(("best_day", "first_response_day", "progression_day"), pl.Float64)
)


def percent(now: int | None, then: int | None) -> float | None:
    """Change in percent; empty for an empty or zero reference."""
    return None if now is None or not then else 100 * (now - then) / then


def frame(rows: Rows, schema: pl.Schema) -> pl.DataFrame:
    """Rows as a frame with the columns of a schema."""
    return pl.DataFrame({column: [row[column] for row in rows] for column in schema}, schema=schema)


def naive_tables(
    rows: Mapping[str, Rows], policies: Policies, *, criteria: Sequence[str] = CRITERIA
) -> dict[str, pl.DataFrame]:
    """Run the naive implementation and lay its results out as the contract does (sums in micrometres)."""
    timepoints, best = assess_rows(rows, criteria=criteria, policy=policies.values())
    for tp in timepoints:
        whole = tp["sum"] if tp["complete"] or tp["target"] in {"PD", "iUPD"} else None
        tp |= {column: tp[name] for column, name in SUMS.items()}
        tp["change_from_baseline_percent"] = percent(whole, tp["baseline"])
        tp["change_from_nadir_percent"] = percent(whole, tp["nadir"])
    return {"timepoints": frame(timepoints, TIMEPOINTS), "best_response": frame(best, BEST)}


def engine_tables(rows: Mapping[str, Rows], policies: Policies) -> dict[str, pl.DataFrame]:
    """Run the engine and bring its results into the same shape; a criterion that it skips has no rows."""
    study = Study(config=StudyConfig(policies=policies), tables=study_frames(rows))
    tables = assess_study(study, criteria=CRITERIA).tables
    whole = [(pl.col(column) * 1000).round().cast(pl.Int64) for column in SUMS]
    return {
        "timepoints": tables["timepoints"].with_columns(*whole).select(TIMEPOINTS.names()),
        "best_response": tables["best_response"].select(BEST.names()),
    }


def differences(rows: Mapping[str, Rows], policies: Policies) -> list[str]:
    """One line a cell that differs between the engine and the naive implementation."""
    engine = engine_tables(rows, policies)
    there = [c for c in CRITERIA if c in engine["best_response"]["criterion"].to_list()]
    naive = naive_tables(rows, policies, criteria=there)
    lines: list[str] = []
    for table, mine in naive.items():
        key = [column for column in KEY if column in mine.columns]
        other = engine[table].sort(key)
        if equal_frames(mine.sort(key), other):
            continue
        both = mine.with_columns(here=True).join(
            other.with_columns(there=True), on=key, how="full", suffix="_engine", coalesce=True
        )
        for row in both.sort(key).iter_rows(named=True):
            lines += row_differences(table, row, mine.columns)
    return lines


def row_differences(table: str, row: Mapping[str, Any], columns: list[str]) -> list[str]:
    """The cells of one joined row that differ."""
    where = f"{table} {[row[column] for column in KEY if column in columns]}"
    if not (row["here"] and row["there"]):
        return [f"{where}: row only from {'naive' if row['here'] else 'engine'}"]
    return [
        f"{where} {column}: naive {row[column]!r}, engine {row[f'{column}_engine']!r}"
        for column in columns
        if column not in KEY and not equal_cells(row[column], row[f"{column}_engine"])
    ]


def equal_cells(mine: object, other: object) -> bool:
    """Equal; percentages up to the last digits of floating point."""
    if isinstance(mine, float) and isinstance(other, float):
        return abs(mine - other) <= 1e-9 * max(1.0, abs(mine))
    return mine == other


def equal_frames(mine: pl.DataFrame, other: pl.DataFrame) -> bool:
    """Whether two sorted tables are equal cell by cell."""
    try:
        assert_frame_equal(mine, other, rel_tol=1e-9, abs_tol=1e-9)
    except AssertionError:
        return False
    return True


ANCHOR = {"patient_id": "anchor", "reader": "", "lesion_id": "T1", "day": 0.0, "role": "target"}
"""A patient with both diameters, so that no criterion is skipped while others are made small."""


def one_patient(rows: Mapping[str, Rows], patient: str) -> dict[str, Rows]:
    """The rows of one patient."""
    mine = {
        table: [row for row in table_rows if row["patient_id"] == patient]
        for table, table_rows in rows.items()
    }
    columns = dict.fromkeys(SCHEMAS["lesions"].column_names())
    mine["lesions"].append(columns | ANCHOR | {"longest_mm": 20.0, "viable_mm": 20.0})
    mine["patients"].append({"patient_id": "anchor"})
    return mine


def smallest(rows: Mapping[str, Rows], policies: Policies) -> dict[str, Rows]:
    """Take rows and entries away as long as the two implementations still differ."""
    small = {table: list(table_rows) for table, table_rows in rows.items()}
    for table in ("treatments", "procedures", "visits", "sums", "lesions"):
        for row in [row for row in small[table] if row["patient_id"] != "anchor"]:
            fewer = small | {table: [other for other in small[table] if other is not row]}
            if differences(fewer, policies):
                small = fewer
    return small


def story(rows: Mapping[str, Rows], policies: Policies) -> str:
    """A patient as text: rows without their empty entries, and what differs."""
    lines: list[str] = []
    for table, table_rows in rows.items():
        for row in [row for row in table_rows if row["patient_id"] != "anchor"]:
            said = {name: value for name, value in row.items() if value is not None and name != "patient_id"}
            lines.append(f"  {table}: {said}")
    return "\n".join([*lines, *(f"  -> {line}" for line in differences(rows, policies))])
