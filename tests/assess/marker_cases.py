"""Small studies for the tests of markers, built from plain rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl
from growth_cases import Row, make_study

from hccresist.study.policies import Policies
from hccresist.study.study import Study

Lab = tuple[str, float, str, float, str | None]


def lab_rows(*labs: Lab | tuple[str, float, str, float, str | None, str]) -> list[Row]:
    """Return rows of `labs` from (patient, day, test, value, unit[, comparator])."""
    names = ("patient_id", "day", "test", "value", "unit", "comparator")
    return [dict(zip(names, lab, strict=False)) for lab in labs]


def lab_frame(labs: Iterable[Lab]) -> pl.DataFrame:
    """Return `labs` as a frame."""
    study = make_study(labs=lab_rows(*labs))
    found = study.table("labs")
    assert found is not None
    return found


def course(
    patient: str, test: str, unit: str, values: Sequence[tuple[float, float] | tuple[float, float, str]]
) -> list[Row]:
    """Return rows of one test over time from (day, value[, comparator])."""
    return lab_rows(*((patient, value[0], test, value[1], unit, *value[2:]) for value in values))


def study_of(
    labs: Sequence[Row], *, policies: Policies | None = None, **tables: Sequence[Row] | pl.DataFrame
) -> Study:
    """Return a study with laboratory values."""
    return make_study(policies=policies, labs=labs, **tables)


def pick(markers: pl.DataFrame, marker: str, column: str = "response") -> list[object]:
    """Return a column of the rows of one marker, in order of patient and day."""
    return markers.filter(pl.col("marker") == marker).sort("patient_id", "reader", "day")[column].to_list()
