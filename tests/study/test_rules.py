"""Rules between tables: each on a table that breaks it and, beside it, on one that just keeps it."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from hccresist.errors import InputError
from hccresist.study.check import check_tables
from hccresist.study.issues import Issue, IssueLog
from hccresist.study.study import ROW, RawTable, StudyConfig

Columns = dict[str, list[Any]]
BASE: dict[str, Columns] = {
    "patients": {"patient_id": ["P1", "P2"]},
    "sums": {"patient_id": ["P1", "P2"], "measure": ["longest"] * 2, "day": [-3.0, 0.0], "sum": [9.0, 8.0]},
}


def told(config: StudyConfig | None = None, /, **tables: Columns) -> list[Issue]:
    """Return what is told of a small study with some tables put in."""
    raw = [
        RawTable(
            name=name,
            frame=pl.DataFrame(columns).with_columns(
                pl.int_range(2, pl.len() + 2, dtype=pl.Int64).alias(ROW)
            ),
            file=f"{name}.csv",
        )
        for name, columns in (BASE | tables).items()
    ]
    try:
        return list(check_tables(raw, config or StudyConfig(), log=IssueLog()).warnings)
    except InputError as error:
        return list(error.issues)


def codes(config: StudyConfig | None = None, /, **tables: Columns) -> list[tuple[str, str, int | None]]:
    return [(issue.code, str(issue.severity), issue.line) for issue in told(config, **tables)]


def survival(**columns: object) -> Columns:
    return {"patient_id": ["P1"]} | {name: [value] for name, value in columns.items()}


def test_the_base_is_silent() -> None:
    assert codes() == []


@pytest.mark.parametrize(
    ("columns", "code", "severity"),
    [
        ({"os_days": None, "died": True}, "death-without-day", "error"),
        ({"os_days": 10.0, "died": True, "last_alive_day": 11.0}, "alive-after-death", "error"),
        ({"os_days": 10.0, "died": True, "entry_day": 11.0}, "entry-after-end", "error"),
        ({"died": False, "last_alive_day": 10.0, "entry_day": 11.0}, "entry-after-end", "error"),
        ({"os_days": 10.0, "died": False, "last_alive_day": 11.0}, "follow-up-conflict", "warning"),
        ({"os_days": 10.0, "died": None}, "status-missing", "warning"),
        ({"os_days": None, "died": False}, "no-follow-up", "warning"),
        ({"os_days": None, "died": None}, "no-follow-up", "warning"),
        ({"os_days": 9.0, "died": False, "death_cause": "liver"}, "cause-without-death", "warning"),
        ({"os_days": 9.0, "died": True, "x_days": None, "x_event": True}, "event-without-day", "error"),
        ({"os_days": 9.0, "died": True, "x_days": -1.0, "x_event": True}, "out-of-range", "error"),
    ],
)
def test_survival_that_contradicts_itself_is_told(columns: Columns, code: str, severity: str) -> None:
    assert codes(survival=survival(**columns)) == [(code, severity, 2)]


@pytest.mark.parametrize(
    "columns",
    [
        {"os_days": 10.0, "died": True, "last_alive_day": 10.0, "entry_day": 10.0, "death_cause": "tumour"},
        {"os_days": None, "died": False, "last_alive_day": 0.0},
        {"os_days": None, "died": None, "last_alive_day": 5.0},
        {"os_days": 10.0, "died": False, "last_alive_day": 10.0},
        {"os_days": 9.0, "died": True, "x_days": None, "x_event": False},
        {"os_days": 9.0, "died": True, "x_days": 0.0, "x_event": True},
    ],
)
def test_survival_that_is_consistent_is_not(columns: Columns) -> None:
    assert codes(survival=survival(**columns)) == []


def test_follow_up_before_day_zero_is_told() -> None:
    late = survival(died=False, last_alive_day=-3.0)

    assert codes(survival=late) == [("follow-up-before-start", "error", 2)]


@pytest.mark.parametrize(
    ("died", "code"),
    [(True, "scan-after-death"), (False, "follow-up-too-short"), (None, "follow-up-too-short")],
)
def test_a_scan_after_the_end_of_follow_up_is_told(died: bool | None, code: str) -> None:
    """From every table that says a scan was made; on the same day it is right."""
    end = survival(os_days=50.0, died=True if died is None else died)
    end = survival(died=None, last_alive_day=50.0) if died is None else end
    scans: dict[str, Columns] = {
        "visits": {"patient_id": ["P1"], "day": [50.5]},
        "lesions": {"patient_id": ["P1"], "lesion_id": ["L"], "day": [50.5], "longest_mm": [9.0]},
        "sums": {"patient_id": ["P1"], "measure": ["viable"], "day": [50.5], "sum": [9.0]},
        "responses": {"patient_id": ["P1"], "criterion": ["recist11"], "day": [50.5], "overall": ["SD"]},
    }
    for name, table in scans.items():
        assert codes(survival=end, **{name: table}) == [(code, "warning", 2)]
        assert codes(survival=end, **{name: table | {"day": [50.0]}}) == []


def test_a_treatment_after_death_is_told() -> None:
    treated = {"patient_id": ["P1"] * 2, "line": [1, 2], "drug": ["a", "b"], "start_day": [0.0, 51.0]}
    dead = survival(os_days=50.0, died=True)

    assert codes(treatments=treated, survival=dead) == [("treatment-after-death", "warning", 3)]
    assert codes(treatments=treated, survival=survival(os_days=50.0, died=False)) == []


def test_a_treatment_that_ends_before_it_starts_is_told() -> None:
    treated = {"patient_id": ["P1"], "line": [1], "drug": ["a"], "start_day": [0.0], "end_day": [-0.5]}

    assert codes(treatments=treated) == [("dates-out-of-order", "error", 2)]
    assert codes(treatments=treated | {"end_day": [0.0]}) == []


def test_the_index_line_starts_on_day_zero_and_later_lines_later() -> None:
    treated = {"patient_id": ["P1"] * 3, "line": [1, 1, 2], "drug": ["a", "b", "c"]}
    days = treated | {"start_day": [9.0, 20.0, 30.0]}

    assert codes(treatments=days) == [("day-zero", "warning", 2)]
    assert codes(treatments=treated | {"start_day": [3.0, 20.0, 30.0]}) == []
    assert codes(treatments=treated | {"start_day": [0.0, 20.0, -1.0]}) == [
        ("lines-out-of-order", "warning", 4)
    ]
    assert codes(StudyConfig(index_line=2), treatments=treated | {"start_day": [-90.0, -80.0, 0.0]}) == []
    assert codes(StudyConfig(index_line=3), treatments=days) == [("no-index-line", "warning", None)]


def test_arms() -> None:
    def arms(*names: str | None) -> list[tuple[str, str, int | None]]:
        return codes(patients={"patient_id": ["P1", "P2"], "arm": list(names)})

    assert arms("A", "B") == []
    assert arms("A", "All") == [("reserved-arm", "error", 3)]
    assert arms(None, "A") == [("arm-missing", "warning", 2)]
    assert arms("Atezo-Bev", "atezo bev") == [("arm-spelling", "warning", 3)]
    assert arms(None, None) == []


def test_readers_left_out_in_part_are_told() -> None:
    sums = BASE["sums"] | {"reader": ["A", None]}

    assert codes(sums=sums) == [("reader-missing", "warning", 3)]
    assert codes(sums=sums | {"reader": ["A", "B"]}) == []


def test_visits_of_a_reader_without_lesions_are_told_once() -> None:
    visits = {"patient_id": ["P1", "P1"], "day": [0.0, 1.0], "reader": ["R1", "R1"]}

    assert codes(visits=visits) == [("reader-without-lesions", "warning", 2)]
    assert codes(visits=visits, sums=BASE["sums"] | {"reader": ["R1", "R2"]}) == []


def test_sums_beside_lesions_of_the_same_scan_are_told() -> None:
    lesions = {"patient_id": ["P1"], "lesion_id": ["L"], "day": [-3.0], "longest_mm": [9.0]}

    assert codes(lesions=lesions) == [("sums-and-lesions", "warning", 2)]
    assert codes(lesions=lesions | {"day": [-4.0]}) == []
    assert codes(lesions=lesions | {"reader": ["A"]}) == []


def test_procedures_name_lesions_that_are_there() -> None:
    lesions = {"patient_id": ["P1"], "lesion_id": ["L"], "day": [-4.0], "longest_mm": [9.0]}
    procedures = {"patient_id": ["P1", "P1", "P2"], "day": [1.0, 2.0, 3.0], "kind": ["tace"] * 3}

    def named(*lesion_ids: str | None) -> list[tuple[str, str, int | None]]:
        return codes(lesions=lesions, procedures=procedures | {"lesion_id": list(lesion_ids)})

    assert named("L", None, None) == []
    assert named("L", "M", "L") == [("unknown-lesion", "warning", 3), ("unknown-lesion", "warning", 4)]


def test_samples() -> None:
    samples = {"sample_id": ["S1"], "patient_id": ["P1"]}
    calls = {"sample_id": ["S1", "S2", "S2"], "gene": ["TP53", "TP53", "ALB"], "change": ["R249S"] * 3}
    matrix = {"gene": ["AFP"], "S1": [1.0], "S3": [2.0]}

    assert codes(alterations=calls) == [("no-samples", "warning", None)]
    assert codes(samples=samples, alterations=calls) == [("unknown-sample", "error", 3)]
    assert [issue.column for issue in told(samples=samples, expression=matrix)] == ["S3"]
    assert codes(samples=samples, expression={"gene": ["AFP"], "S1": [1.0]}) == []
    assert codes(samples=samples | {"patient_id": ["P9"]}) == [("unknown-patient", "error", 2)]


def test_responses() -> None:
    rows = {"patient_id": ["P1"], "criterion": ["recist11"], "day": [1.0], "overall": ["SD"]}

    assert codes(responses=rows) == []
    assert codes(responses=rows | {"overall": [None]}) == [("empty-response", "warning", 2)]
    assert codes(responses=rows | {"criterion": ["RECIST 1.1"]}) == [("criterion-spelling", "warning", 2)]
    assert codes(responses=rows | {"criterion": ["our own"]}) == []
