"""What features are associated with: response, class of resistance, PFS and OS, one row a patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from hccresist.assess.results import RESULTS
from hccresist.explain.association_features import first_criterion, of_reader
from hccresist.explain.association_survival import Times
from hccresist.explain.association_tests import Floats
from hccresist.outcomes.groups import RESPONSES
from hccresist.outcomes.recorded import RECORDED
from hccresist.study.study import Study

NO_RESPONSE: Final = ("SD", "PD", "NON-CR/NON-PD", "iSD", "iUPD", "iCPD", "NON-iCR/NON-iUPD")
"""Best responses that count as no objective response; NE and NED are left out."""

NOT_PRIMARY: Final = ("acquired", "after_stop", "no_resistance")
"""Classes of resistance that are not primary; intolerance and not_evaluable are left out."""

_ONE_CAUSE: Final = "cause-specific: primary resistance and death without progression are censored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One outcome of every patient, in the order of the patients asked for.

    Attributes
    ----------
    name
        response (criterion), primary_resistance, acquired_resistance, PFS, iPFS or OS.
    classes
        1, 0, or NaN where the patient is left out; ``None`` for a time to event.
    times
        Observation; days are NaN where the patient has none. ``None`` for two classes.
    notes
        Who was left out and why.
    """

    name: str
    classes: Floats | None = None
    times: Times | None = None
    notes: tuple[str, ...] = ()


def collect_outcomes(
    study: Study,
    *,
    tables: Mapping[str, pl.DataFrame],
    patients: Sequence[str],
    criterion: str | None = None,
) -> list[Outcome]:
    """Return every outcome for which there is something to read.

    1. *response*: best response CR or PR against SD or PD (confirmation not required) by the criterion
       wanted, else the study's first; not evaluable patients are left out, and told.
    2. *primary_resistance*: primary against acquired, after stopping or none.
    3. *PFS* (iPFS for iRECIST) of that criterion, else as the study recorded it; *OS*.
    4. *acquired_resistance*: time to progression of that class, every other end censored.

    Parameters
    ----------
    study
        Survival (delayed entry), criteria, primary reader. Its own responses and survival are read
        where `tables` has no `best_response` or `events`.
    tables
        Result tables by name: best_response, timepoints, resistance, events.
    patients
        Patients in the order wanted.
    criterion
        Criterion of response and PFS.

    Raises
    ------
    ConfigError
        When the criterion has no results.
    """
    made = _completed(study, tables)
    best, events = made.get("best_response"), made["events"]
    name = (criterion or "") if best is None else first_criterion(study, best, criterion)
    found: list[Outcome] = []
    if best is not None and best.height:
        found.append(_response(study, best, patients, name))
    progression = _progression(study, events, patients, name)
    resistance = made.get("resistance")
    if resistance is not None and resistance.height:
        found.append(_primary(resistance, patients))
        if progression is not None and progression.times is not None:
            found.append(_acquired(resistance, patients, progression, progression.times))
    survival = _timed(study, events.filter(pl.col("endpoint") == "OS"), patients, "OS")
    return [*found, *(item for item in (progression, survival) if item is not None)]


def _completed(study: Study, tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Return the tables, with what is missing made from the study itself."""
    made = dict(tables)
    if "best_response" not in made and study.table("responses") is not None:
        from hccresist.assess import assess_study  # noqa: PLC0415  (only where nothing was assessed)

        made |= assess_study(study).tables
    if "events" not in made:
        from hccresist.outcomes.endpoints import derive_events  # noqa: PLC0415

        timepoints, best = (
            made.get(name, RESULTS[name].create_empty()) for name in ("timepoints", "best_response")
        )
        made["events"] = derive_events(study, timepoints=timepoints, best_response=best)
    return made


def _aligned(rows: pl.DataFrame, patients: Sequence[str], *columns: str) -> pl.DataFrame:
    """Return one row a patient in the order of `patients`, empty where there is none."""
    wanted = rows.select("patient_id", *columns).unique("patient_id", keep="first", maintain_order=True)
    return pl.DataFrame({"patient_id": patients}, schema={"patient_id": pl.String}).join(
        wanted, on="patient_id", how="left", maintain_order="left"
    )


def _floats(column: pl.Series) -> Floats:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _split(rows: pl.DataFrame, column: str, yes: Sequence[str], no: Sequence[str]) -> Floats:
    word = pl.col(column).cast(pl.String)
    split = pl.when(word.is_in(yes)).then(1.0).when(word.is_in(no)).then(0.0)
    return _floats(rows.select(split.alias("class"))["class"])


def _told(classes: Floats, what: str) -> tuple[str, ...]:
    left = int(np.isnan(classes).sum())
    return (f"{left} of {len(classes)} patients left out: {what}",) if left else ()


def _response(study: Study, best: pl.DataFrame, patients: Sequence[str], criterion: str) -> Outcome:
    rows = of_reader(study, best.filter(pl.col("criterion") == criterion))
    classes = _split(_aligned(rows, patients, "best"), "best", RESPONSES, NO_RESPONSE)
    notes = _told(classes, "best response not evaluable")
    return Outcome(name=f"response ({criterion})", classes=classes, notes=notes)


def _primary(resistance: pl.DataFrame, patients: Sequence[str]) -> Outcome:
    classes = _split(_aligned(resistance, patients, "class"), "class", ("primary",), NOT_PRIMARY)
    notes = _told(classes, "intolerance, or resistance not evaluable")
    return Outcome(name="primary_resistance", classes=classes, notes=notes)


def _acquired(
    resistance: pl.DataFrame, patients: Sequence[str], progression: Outcome, times: Times
) -> Outcome:
    rows = _aligned(resistance, patients, "class")["class"].cast(pl.String)
    acquired = (rows == "acquired").fill_null(value=False).to_numpy()
    days = np.where(rows.is_null().to_numpy(), np.nan, times.days)
    own = Times(entry=times.entry, days=days, event=times.event & acquired)
    return Outcome(name="acquired_resistance", times=own, notes=(*progression.notes, _ONE_CAUSE))


def _progression(
    study: Study, events: pl.DataFrame, patients: Sequence[str], criterion: str
) -> Outcome | None:
    endpoint = pl.col("endpoint").is_in(["PFS", "iPFS"])
    there = sorted(set(events.filter(endpoint)["criterion"]) - {RECORDED})
    others = () if criterion else (*study.config.criteria, *there)
    for name in (criterion, *others, RECORDED):
        rows = events.filter(endpoint, pl.col("criterion") == name)
        if rows.height:
            return _timed(study, of_reader(study, rows), patients, str(rows["endpoint"][0]))
    return None


def _timed(study: Study, rows: pl.DataFrame, patients: Sequence[str], name: str) -> Outcome | None:
    if rows.is_empty():
        return None
    found = _aligned(rows, patients, "days", "event")
    survival = study.table("survival")
    entry = np.zeros(len(patients))
    if survival is not None:
        late = _floats(_aligned(survival, patients, "entry_day")["entry_day"])
        entry = np.maximum(np.nan_to_num(late, nan=0.0), 0.0)
    event = found["event"].cast(pl.Boolean).fill_null(value=False).to_numpy()
    times = Times(entry=entry, days=_floats(found["days"]), event=event)
    return Outcome(name=name, times=times)
