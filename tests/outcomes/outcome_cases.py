"""Small studies and assessments for the tests of *outcomes*, and published survival data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from hccresist.outcomes.counts import Counts
from hccresist.outcomes.results import Events
from hccresist.study import tables
from hccresist.study.policies import Policies
from hccresist.study.study import Study, StudyConfig

GRID = (56.0, 112.0, 168.0, 224.0, 280.0, 336.0)

Visits = Mapping[float, str]
"""Day to overall response."""


def make_study(
    patients: Sequence[str] | Mapping[str, str | None],
    *,
    survival: Sequence[Mapping[str, object]] | None = None,
    treatments: Sequence[tuple[str, int, float]] = (),
    procedures: Sequence[tuple[str, float, str]] = (),
    planned: Sequence[float] = (),
    index_line: int = 1,
    **policies: object,
) -> Study:
    """A study; `patients` are names, or names with their arm; policies by name."""
    arms = patients if isinstance(patients, Mapping) else dict.fromkeys(patients)
    found = {"patients": frame("patients", [{"patient_id": p, "arm": arm} for p, arm in arms.items()])}
    if survival is not None:
        found["survival"] = frame("survival", survival)
    if treatments:
        names = ("patient_id", "line", "start_day")
        found["treatments"] = frame("treatments", [dict(zip(names, row, strict=True)) for row in treatments])
    if procedures:
        names = ("patient_id", "day", "kind")
        found["procedures"] = frame("procedures", [dict(zip(names, row, strict=True)) for row in procedures])
    config = StudyConfig(
        planned_visit_days=tuple(planned), index_line=index_line, policies=Policies.parse(policies)
    )
    return Study(config=config, tables=found)


def frame(table: str, rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    """A study table with every declared column and the extra ones that the rows bring."""
    schema = dict(tables.SCHEMAS[table].create_empty().schema)
    extra = [name for row in rows for name in row if name not in schema]
    full = [{**dict.fromkeys(schema), **row} for row in rows]
    types = {name: pl.String if isinstance(kind, pl.Enum) else kind for name, kind in schema.items()}
    made = pl.DataFrame(full, schema={**types, **dict.fromkeys(extra)}, infer_schema_length=None)
    return made.cast({name: kind for name, kind in schema.items() if isinstance(kind, pl.Enum)})


def timepoints(
    courses: Mapping[str, Visits], *, reader: str = "", criterion: str = "recist11"
) -> pl.DataFrame:
    """Table `timepoints` with what outcomes read of it."""
    rows = [
        {"patient_id": patient, "reader": reader, "criterion": criterion, "day": float(day), "overall": word}
        for patient, visits in sorted(courses.items())
        for day, word in sorted(visits.items())
    ]
    text = dict.fromkeys(("patient_id", "reader", "criterion"), pl.String)
    return pl.DataFrame(rows, schema={**text, "day": pl.Float64, "overall": pl.String})


def best_response(
    rows: Mapping[str, Mapping[str, object]], *, reader: str = "", criterion: str = "recist11"
) -> pl.DataFrame:
    """Table `best_response`; each row gives best, confirmed (as best if not given), response, progression."""
    made = [
        {
            "patient_id": patient,
            "reader": reader,
            "criterion": criterion,
            "best": row.get("best", "NE"),
            "best_confirmed": row.get("confirmed", row.get("best", "NE")),
            "best_day": None,
            "first_response_day": row.get("response"),
            "progression_day": row.get("progression"),
        }
        for patient, row in sorted(rows.items())
    ]
    text = ("patient_id", "reader", "criterion", "best", "best_confirmed")
    days = ("best_day", "first_response_day", "progression_day")
    return pl.DataFrame(made, schema={**dict.fromkeys(text, pl.String), **dict.fromkeys(days, pl.Float64)})


def assessed(
    courses: Mapping[str, Visits], *, reader: str = "", criterion: str = "recist11"
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Timepoints, and the best response read off them: first PD and first CR or PR before it."""
    rows: dict[str, dict[str, object]] = {}
    for patient, visits in courses.items():
        progression = min((day for day, word in visits.items() if word == "PD"), default=None)
        before = {d: w for d, w in visits.items() if progression is None or d < progression}
        response = min((day for day, word in before.items() if word in {"CR", "PR"}), default=None)
        best = next((w for w in ("CR", "PR", "SD", "PD") if w in visits.values()), "NE")
        rows[patient] = {"best": best, "response": response, "progression": progression}
    key = {"reader": reader, "criterion": criterion}
    return timepoints(courses, **key), best_response(rows, **key)


def events_of(
    days: Sequence[float],
    happened: Sequence[bool],
    *,
    endpoint: str = "OS",
    causes: Sequence[str | None] = (),
) -> pl.DataFrame:
    """Table `events` of one endpoint for patients p0, p1, …"""
    criterion = "" if endpoint == "OS" else "recist11"
    causes = list(causes) or [("death" if event else None) for event in happened]
    rows = [
        (f"p{i}", "", criterion, endpoint, float(day), bool(event), "test", cause)
        for i, (day, event, cause) in enumerate(zip(days, happened, causes, strict=True))
    ]
    return pl.DataFrame(rows, schema=Events.create_empty().schema, orient="row")


def arms_study(arms: Sequence[str | None], entry: Sequence[float | None] | None = None) -> Study:
    """A study of patients p0, p1, … with their arms and days of entry."""
    names = [f"p{i}" for i in range(len(arms))]
    late = (
        None
        if entry is None
        else [{"patient_id": p, "entry_day": e} for p, e in zip(names, entry, strict=True)]
    )
    return make_study(dict(zip(names, arms, strict=True)), survival=late)


def counts_of(
    days: Sequence[float], happened: Sequence[bool], entry: Sequence[float] | None = None
) -> Counts:
    """Counts made without the package: by looking at every day and every patient."""
    exits = np.unique(np.asarray(days, dtype=float))
    time, event = np.asarray(days, dtype=float), np.asarray(happened, dtype=bool)
    late = np.zeros(len(time)) if entry is None else np.asarray(entry, dtype=float)
    entries = np.unique(late[late > 0])
    return Counts(
        days=exits,
        events=np.array([int(((time == day) & event).sum()) for day in exits], dtype=np.int64),
        censored=np.array([int(((time == day) & ~event).sum()) for day in exits], dtype=np.int64),
        entry_days=entries,
        entries=np.array([int((late == day).sum()) for day in entries], dtype=np.int64),
    )


# Freireich EJ et al. Blood 1963;21:699–716: weeks of remission of 42 children with leukaemia, as
# printed in Gehan 1965 and Cox 1972. A plus sign is a censored time.
MERCAPTOPURINE = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
PLACEBO = "1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23"

# Miller RG. Survival Analysis. Wiley 1981: acute myelogenous leukaemia, `aml` of R's survival.
AML_MAINTAINED = "9 13 13+ 18 23 28+ 31 34 45+ 48 161+"
AML_NONMAINTAINED = "5 5 8 8 12 16+ 23 27 30 33 43 45"


def parse(text: str) -> tuple[list[float], list[bool]]:
    """Times and events of a printed list."""
    words = text.split()
    return [float(word.rstrip("+")) for word in words], [not word.endswith("+") for word in words]
