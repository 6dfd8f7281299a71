"""Small cohorts for the tests of association, made in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from hccresist.assess.results import BestResponse, Resistance, Timepoints
from hccresist.explain.association_features import FEATURES
from hccresist.outcomes.results import Events
from hccresist.study import tables
from hccresist.study.study import Study, StudyConfig


def names_of(n: int) -> list[str]:
    """Patients P000, P001 …"""
    return [f"P{i:03d}" for i in range(n)]


def make_study(
    n: int,
    *,
    arms: Sequence[str | None] | None = None,
    entry: Sequence[float | None] | None = None,
    planned: Sequence[float] = (),
    samples: Sequence[Mapping[str, object]] = (),
    **columns: Sequence[object],
) -> Study:
    """A study of n patients; further columns go to table patients."""
    names = names_of(n)
    rows: list[dict[str, object]] = [{"patient_id": name} for name in names]
    for key, values in {"arm": arms or [None] * n, **columns}.items():
        for row, value in zip(rows, values, strict=True):
            row[key] = value
    found = {"patients": _frame("patients", rows)}
    if entry is not None:
        late = [{"patient_id": p, "entry_day": e} for p, e in zip(names, entry, strict=True)]
        found["survival"] = _frame("survival", late)
    if samples:
        found["samples"] = _frame("samples", samples)
    return Study(config=StudyConfig(planned_visit_days=tuple(planned)), tables=found)


def _frame(table: str, rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    schema = dict(tables.SCHEMAS[table].create_empty().schema)
    extra = list(dict.fromkeys(name for row in rows for name in row if name not in schema))
    full = [{**dict.fromkeys(schema), **row} for row in rows]
    types = {name: pl.String if isinstance(kind, pl.Enum) else kind for name, kind in schema.items()}
    made = pl.DataFrame(full, schema={**types, **dict.fromkeys(extra)}, infer_schema_length=None)
    return made.cast({name: kind for name, kind in schema.items() if isinstance(kind, pl.Enum)})


def features_of(
    values: Mapping[str, Sequence[float | None]],
    *,
    kind: str = "score",
    known: Sequence[float | None] | None = None,
) -> pl.DataFrame:
    """Features of P000, P001 … by name; samples are named S000, S001 …"""
    rows = [
        (f"P{i:03d}", f"S{i:03d}", name, kind, value, None if known is None else known[i])
        for name, column in values.items()
        for i, value in enumerate(column)
    ]
    return pl.DataFrame(rows, schema=FEATURES, orient="row")


def best_of(words: Sequence[str], *, response_days: Sequence[float | None] | None = None) -> pl.DataFrame:
    """Table best_response of one criterion."""
    days = response_days or [None] * len(words)
    rows = [
        (f"P{i:03d}", "", "recist11", word, word, None, day, None)
        for i, (word, day) in enumerate(zip(words, days, strict=True))
    ]
    return pl.DataFrame(rows, schema=BestResponse.create_empty().schema, orient="row")


def events_of(days: Sequence[float], happened: Sequence[bool], *, endpoint: str = "OS") -> pl.DataFrame:
    """Table events of one endpoint."""
    criterion = "" if endpoint == "OS" else "recist11"
    rows = [
        (f"P{i:03d}", "", criterion, endpoint, float(day), bool(event), "test", "death" if event else None)
        for i, (day, event) in enumerate(zip(days, happened, strict=True))
    ]
    return pl.DataFrame(rows, schema=Events.create_empty().schema, orient="row")


def resistance_of(classes: Sequence[str]) -> pl.DataFrame:
    """Table resistance."""
    rows = [
        (f"P{i:03d}", 1, "", word, None, "test", "test", "", "recist11") for i, word in enumerate(classes)
    ]
    return pl.DataFrame(rows, schema=Resistance.create_empty().schema, orient="row")


def scans_of(first: Sequence[float | None]) -> pl.DataFrame:
    """Table timepoints with the first scan of each patient."""
    rows = [
        {"patient_id": f"P{i:03d}", "reader": "", "criterion": "recist11", "day": day, "overall": "SD"}
        for i, day in enumerate(first)
        if day is not None
    ]
    return pl.concat([Timepoints.create_empty(), pl.DataFrame(rows)], how="diagonal")


def nothing() -> dict[str, pl.DataFrame]:
    """Tables of a study in which nothing happened yet."""
    return {"events": Events.create_empty()}


def look(table: pl.DataFrame, **key: str) -> dict[str, object]:
    """The one row with this key."""
    rows = table.filter(*(pl.col(name) == value for name, value in key.items()))
    assert rows.height == 1, (key, rows)
    return rows.row(0, named=True)


def random_classes(n: int, rng: np.random.Generator, share: float = 0.4) -> list[str]:
    """PR or PD at random."""
    return ["PR" if hit else "PD" for hit in rng.random(n) < share]
