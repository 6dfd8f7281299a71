"""Rules between rows and columns of lesions: each broken, and just kept."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from hccresist.errors import InputError
from hccresist.study.check import check_tables
from hccresist.study.issues import Issue, IssueLog
from hccresist.study.policies import Policies
from hccresist.study.study import ROW, RawTable, StudyConfig

Row = dict[str, Any]


def told(*rows: Row, policies: Policies | None = None) -> list[Issue]:
    """Return what is told of some rows of one patient and reader."""
    filled = [{"patient_id": "P1", "lesion_id": "L1", "day": -3.0} | row for row in rows]
    lesions = pl.DataFrame(filled, infer_schema_length=None)
    patients = pl.DataFrame({"patient_id": lesions["patient_id"].unique()})
    raw = [
        RawTable(
            name=name,
            frame=frame.with_columns(pl.int_range(2, pl.len() + 2, dtype=pl.Int64).alias(ROW)),
            file=f"{name}.csv",
        )
        for name, frame in (("patients", patients), ("lesions", lesions))
    ]
    config = StudyConfig(policies=policies or Policies())
    try:
        return list(check_tables(raw, config, log=IssueLog()).warnings)
    except InputError as error:
        return list(error.issues)


def codes(*rows: Row, policies: Policies | None = None) -> list[tuple[str, str, int | None]]:
    return [(issue.code, str(issue.severity), issue.line) for issue in told(*rows, policies=policies)]


NODE = {"organ": "lymph_node"}


@pytest.mark.parametrize(
    ("row", "code", "severity"),
    [
        ({"state": "absent", "longest_mm": 12.0}, "absent-with-size", "error"),
        ({"state": "absent", "longest_mm": 0.0, "viable_mm": 1.0}, "absent-with-size", "error"),
        ({"state": "absent", "short_axis_mm": 10.0} | NODE, "absent-with-size", "error"),
        ({"state": "absent", "longest_mm": 12.0, "node": True}, "absent-with-size", "error"),
        ({"state": "merged", "longest_mm": 12.0, "merged_into": "L1"}, "merged-with-size", "error"),
        ({"state": "merged"}, "merged-without-target", "error"),
        ({"split_from": "L1", "longest_mm": 9.0}, "link-to-itself", "error"),
        ({"state": "not_evaluable", "longest_mm": 12.0}, "not-evaluable-with-size", "warning"),
        ({"state": "present", "longest_mm": 0.0}, "present-with-zero", "warning"),
        ({"state": "present", "short_axis_mm": 0.0} | NODE, "present-with-zero", "warning"),
        ({"longest_mm": None}, "nothing-recorded", "warning"),
        ({"longest_mm": 20.0} | NODE, "node-without-short-axis", "warning"),
        ({"short_axis_mm": 20.0, "organ": "liver"}, "lesion-without-longest", "warning"),
        ({"longest_mm": 300.5}, "implausible-size", "warning"),
        ({"longest_mm": 20.0, "perpendicular_mm": 20.1}, "perpendicular-above-longest", "warning"),
        ({"longest_mm": 20.0, "short_axis_mm": 20.1} | NODE, "short-axis-above-longest", "warning"),
        ({"longest_mm": 20.0, "viable_mm": 20.1}, "viable-above-longest", "warning"),
        (
            {"longest_mm": 20.0, "viable_mm": 10.0, "viable_perpendicular_mm": 10.1},
            "viable-perpendicular-above-viable",
            "warning",
        ),
    ],
)
def test_a_row_that_contradicts_itself_is_told(row: Row, code: str, severity: str) -> None:
    found = codes(row)

    assert (code, severity, 2) in found
    assert any(of == "error" for _, of, _ in found) == (severity == "error")


@pytest.mark.parametrize(
    "row",
    [
        {"state": "absent", "longest_mm": 0.0},
        {"state": "absent"},
        {"state": "absent", "longest_mm": 14.0, "short_axis_mm": 9.9} | NODE,
        {"state": "not_evaluable"},
        {"state": "too_small", "longest_mm": 3.0},
        {"state": "present", "longest_mm": 20.0, "viable_mm": 0.0},
        {"longest_mm": 0.0},
        {
            "longest_mm": 300.0,
            "perpendicular_mm": 300.0,
            "viable_mm": 300.0,
            "viable_perpendicular_mm": 300.0,
        },
        {"longest_mm": 20.0, "node": False} | NODE,
        {"viable_mm": 20.0},
        {"state": "unequivocal_progression"},
    ],
)
def test_a_row_that_is_consistent_is_not(row: Row) -> None:
    assert codes(row) == []


def test_growth_by_ten_looks_like_centimetres() -> None:
    before, after = {"longest_mm": 4.5}, {"longest_mm": 45.0, "day": 60.0}

    assert codes(before, after) == [("unit-slip", "warning", 3)]
    assert codes(before, after | {"longest_mm": 44.9}) == []
    assert codes(before, after | {"lesion_id": "L2"}) == []
    assert codes(before | {"longest_mm": 0.0, "state": "absent"}, after) == []
    between = {"state": "not_evaluable", "day": 30.0}
    assert codes(before, between, after) == [("unit-slip", "warning", 4)]


def row(role: str | None, **other: object) -> Row:
    return {"role": role, "longest_mm": 20.0} | other


def test_a_target_needs_a_row_at_baseline() -> None:
    late = row("target", day=56.0)

    (issue,) = told(row("target"), late | {"lesion_id": "L2"})
    assert (issue.code, issue.line, issue.found, issue.patient) == ("target-without-baseline", 3, "56", "P1")
    assert codes(row("target"), late | {"lesion_id": "L2", "split_from": "L1"}) == []
    assert codes(row("target", longest_mm=None, state="not_evaluable"), late) == []
    assert codes(row("target", day=1.0)) == []
    assert codes(row("target", day=1.5)) == [("target-without-baseline", "error", 2)]
    assert codes(row("target", day=1.5), policies=Policies(baseline_window_end=2.0)) == []
    assert codes(row("target", day=-400.0), late) == []
    assert codes(row(None, day=-3.0), late) == []
    readers = [row("target", reader="A"), row("target", reader="B", day=56.0)]
    assert codes(*readers) == [("target-without-baseline", "error", 3)]


def test_a_lesion_keeps_its_role() -> None:
    for one, other in (("target", "nontarget"), ("nontarget", "target"), ("nontarget", "new_nontarget")):
        assert ("role-changed", "error", 3) in codes(row(one), row(other, day=56.0))
    new = [row("new_nontarget", day=56.0), row("new_target", day=112.0)]
    assert codes(*new) == [("role-changed", "warning", 3)]
    assert codes(row("target"), row(None, day=56.0), row("target", day=112.0)) == []
    (issue,) = told(row("target", day=5.0), row("nontarget", day=-5.0))
    assert issue.problem == "lesion L1 is target here and nontarget in line 3"


def test_a_new_lesion_was_not_there_at_baseline() -> None:
    assert codes(row("new_target", day=1.0)) == [("new-at-baseline", "error", 2)]
    assert codes(row("new_target", day=1.5)) == []


def test_a_lesion_without_a_role_beside_others_is_told() -> None:
    other = row(None, lesion_id="L2")

    assert codes(row("target"), other) == [("role-missing", "warning", 3)]
    assert codes(row(None), other) == []
    assert codes(row("target"), other | {"patient_id": "P2"}) == []


def merged(lesion: str, into: str | None, day: float = 56.0) -> Row:
    return {"lesion_id": lesion, "day": day, "state": "merged", "merged_into": into}


def test_links_lead_to_lesions_of_the_same_patient_and_reader() -> None:
    there = [row(None), row(None, lesion_id="L2")]

    assert codes(*there, merged("L2", "L1")) == []
    assert codes(*there, merged("L2", "L9")) == [("unknown-lesion", "error", 4)]
    strangers = [row(None, patient_id="P2", lesion_id="L7"), row(None, reader="A", lesion_id="L8")]
    assert ("unknown-lesion", "error", 6) in codes(*there, *strangers, merged("L2", "L7"))
    assert ("unknown-lesion", "error", 6) in codes(*there, *strangers, merged("L2", "L8"))
    split = row(None, lesion_id="L3", split_from="L4")
    assert codes(*there, split) == [("unknown-lesion", "error", 4)]


def test_a_link_without_a_merger_is_told() -> None:
    there = [row(None), row(None, lesion_id="L2", merged_into="L1")]

    assert codes(*there) == [("link-without-merger", "warning", 3)]
    assert codes(*there, merged("L2", "L1")) == []


def test_lesions_do_not_merge_in_a_circle() -> None:
    chain = [row(None), row(None, lesion_id="L2"), row(None, lesion_id="L3"), row(None, lesion_id="L4")]

    assert codes(*chain, merged("L4", "L3"), merged("L3", "L2"), merged("L2", "L1")) == []
    pair = codes(*chain, merged("L1", "L2"), merged("L2", "L1"))
    assert pair == [("merged-in-a-circle", "error", 6), ("merged-in-a-circle", "error", 7)]
    three = codes(*chain, merged("L2", "L3"), merged("L3", "L4"), merged("L4", "L2"), merged("L1", "L2"))
    assert [line for code, _, line in three if code == "merged-in-a-circle"] == [6, 7, 8]
