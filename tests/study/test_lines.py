"""Another line of treatment with its own time zero."""

from __future__ import annotations

import polars as pl
import pytest

from hccresist.assess import assess_study
from hccresist.errors import ConfigError, InputError
from hccresist.study.frames import study_from_frames
from hccresist.study.lines import DAY_COLUMNS, move_to_line
from hccresist.study.study import Study
from hccresist.study.tables import SCHEMAS


def two_lines(os_days: float = 400.0, **survival: object) -> Study:
    """P1 takes line 2 from day 100; its new lesion of line 1 is disease at the second baseline."""
    return study_from_frames(
        patients=pl.DataFrame({"patient_id": ["P1", "P2"]}),
        treatments=pl.DataFrame(
            {
                "patient_id": ["P1", "P1", "P1", "P2"],
                "line": [1, 2, 2, 1],
                "drug": ["sorafenib", "ramucirumab", "placebo", "sorafenib"],
                "start_day": [0.0, 105.0, 100.0, 0.0],
                "end_day": [90.0, None, None, 60.0],
            }
        ),
        lesions=pl.DataFrame(
            {
                "patient_id": ["P1"] * 5,
                "lesion_id": ["T1", "T1", "X1", "T1", "X1"],
                "day": [-5.0, 95.0, 95.0, 160.0, 160.0],
                "role": ["target", "target", "new_target", "target", "new_target"],
                "organ": ["liver"] * 5,
                "longest_mm": [40.0, 60.0, 20.0, 36.0, 12.0],
            }
        ),
        survival=pl.DataFrame(
            {"patient_id": ["P1", "P2"], "os_days": [os_days, 80.0], "died": [True, True], **survival}
        ),
    )


def test_days_are_counted_from_the_first_drug_of_the_line_and_others_are_left_out() -> None:
    moved = move_to_line(two_lines(), 2)
    assert moved.config.index_line == 2
    assert moved.patients["patient_id"].to_list() == ["P1"]
    assert moved.tables["lesions"]["day"].to_list() == [-105.0, -5.0, 60.0, -5.0, 60.0]
    assert moved.tables["survival"]["os_days"].to_list() == [300.0]
    assert [issue.code for issue in moved.warnings][-2:] == ["line-moved", "line-not-given"]
    assert "1 patients have no start of line 2" in moved.warnings[-1].problem


def test_a_new_lesion_of_the_line_before_is_disease_at_the_new_baseline() -> None:
    # Sums 60 + 20 at the baseline of line 2, 36 + 12 later: −40 %, by hand.
    points = assess_study(move_to_line(two_lines(), 2), criteria=["recist11"]).tables["timepoints"]
    assert points["overall"].to_list() == ["PR"]
    assert points["change_from_baseline_percent"].to_list() == [-40.0]


def test_the_index_line_itself_is_the_study_as_it_is() -> None:
    study = two_lines()
    assert move_to_line(study, 1) is study


def test_entry_before_the_new_day_0_is_no_delayed_entry() -> None:
    for entry, expected in ((50.0, None), (130.0, 30.0)):
        moved = move_to_line(two_lines(entry_day=[entry, None]), 2)
        assert moved.tables["survival"]["entry_day"].to_list() == [expected]


def test_own_endpoints_belong_to_the_old_line() -> None:
    study = two_lines(rfs_days=[50.0, 60.0], rfs_event=[True, False])
    moved = move_to_line(study, 2)
    assert {"rfs_days", "rfs_event"}.isdisjoint(moved.tables["survival"].columns)
    assert any("rfs_days, rfs_event" in issue.problem for issue in moved.warnings)


def test_a_line_that_nobody_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="No patient has a start of line 3"):
        move_to_line(two_lines(), 3)


def test_follow_up_that_ends_before_the_line_is_told_with_the_patient() -> None:
    with pytest.raises(InputError, match="patient P1: follow-up ends 10 days before line 2 begins"):
        move_to_line(two_lines(os_days=90.0), 2)


def test_every_column_that_counts_days_is_moved() -> None:
    days = {
        (table, name)
        for table, schema in SCHEMAS.items()
        for name, column in schema.columns().items()
        if (column.metadata or {}).get("unit") in {"day", "days"}
    }
    assert days == {(table, name) for table, names in DAY_COLUMNS.items() for name in names}
