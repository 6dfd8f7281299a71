"""Small studies for the tests of growth and patterns, built from plain rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import dataframely as dy
import polars as pl

from hccresist.assess.growth_results import Sizes
from hccresist.assess.results import Baselines, BestResponse, Timepoints
from hccresist.study.policies import Policies
from hccresist.study.study import Study, StudyConfig
from hccresist.study.tables import SCHEMAS

DATA = Path(__file__).parents[2].parent / "shared" / "data"
Row = Mapping[str, object]


def table(schema: type[dy.Schema], rows: Sequence[Row]) -> pl.DataFrame:
    """Return rows as a validated table; columns not given are empty, `reader` is ''."""
    columns = schema.columns()
    filled = [{"reader": "", **row} if "reader" in columns else dict(row) for row in rows]
    data = {name: [row.get(name) for row in filled] for name in columns}
    kinds = {
        name: column.dtype if not isinstance(column, dy.Enum) else pl.String
        for name, column in columns.items()
    }
    return schema.validate(pl.DataFrame(data, schema=kinds), cast=True).lazy().collect()


def make_study(*, policies: Policies | None = None, **tables: Sequence[Row] | pl.DataFrame) -> Study:
    """Return a study; patients are made from the other tables where they are not given."""
    frames = {
        name: rows if isinstance(rows, pl.DataFrame) else table(SCHEMAS[name], rows)
        for name, rows in tables.items()
    }
    if "patients" not in frames:
        named = [frame.select("patient_id") for frame in frames.values() if "patient_id" in frame.columns]
        ids = sorted(pl.concat(named)["patient_id"].unique().to_list())
        frames["patients"] = table(SCHEMAS["patients"], [{"patient_id": name} for name in ids])
    return Study(config=StudyConfig(policies=policies or Policies()), tables=frames)


def sizes_of(*series: tuple[str, Sequence[tuple[float, float | None]]]) -> pl.DataFrame:
    """Return `sizes` of (patient, [(day, mm), …]); the last visit by day 1 is the baseline."""
    rows: list[Row] = []
    for patient, visits in series:
        days = [day for day, _ in visits if day <= 1]
        base = max(days) if days else None
        for day, mm in visits:
            phase = "after" if base is None or day > base else "baseline" if day == base else "before"
            rows.append({"patient_id": patient, "day": float(day), "sum_mm": mm, "phase": phase})
    return table(Sizes, rows)


def timepoints_of(
    patient: str, visits: Sequence[tuple[float, str]], *, criterion: str = "recist11"
) -> list[Row]:
    """Return rows of `timepoints` that give only the overall response."""
    return [
        {
            "patient_id": patient,
            "criterion": criterion,
            "day": float(day),
            "overall": word,
            "rule": "TEST",
            "reason": "given",
        }
        for day, word in visits
    ]


def timepoints(rows: Sequence[Row]) -> pl.DataFrame:
    """Return `timepoints` from rows."""
    return table(Timepoints, rows)


def best_response(rows: Sequence[Row]) -> pl.DataFrame:
    """Return `best_response` from rows."""
    return table(BestResponse, rows)


def baselines(rows: Sequence[Row]) -> pl.DataFrame:
    """Return `baselines` from rows."""
    return table(Baselines, rows)
