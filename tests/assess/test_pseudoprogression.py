"""Pseudoprogression: families, denominators, early or late, new therapy, and markers."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from growth_cases import Row, make_study, timepoints, timepoints_of

from hccresist.assess.pattern_facts import series_of
from hccresist.assess.pseudoprogression import CONTROL, REVERSALS, find_reversals, judge_pseudoprogression
from hccresist.study.policies import Policies

Seen = list[tuple[float, str]]


def judged(seen: Seen, *, criterion: str = "recist11", **tables: Any) -> dict[str, dict[str, Any]]:
    study = make_study(**{"patients": [{"patient_id": "P"}], **tables})
    rows = timepoints(timepoints_of("P", seen, criterion=criterion))
    parts = judge_pseudoprogression(study, series_of(study, rows), timepoints=rows)
    return {row["definition"]: row for row in pl.concat(parts).iter_rows(named=True)}


@pytest.mark.parametrize(
    ("seen", "response", "control"),
    [
        ([(50, "PD"), (100, "PR")], True, True),
        ([(50, "PD"), (100, "SD")], False, True),
        ([(50, "PD"), (100, "PD"), (150, "CR")], True, True),
        ([(50, "PR"), (100, "PD"), (150, "SD"), (200, "PR")], True, True),
        ([(50, "PD"), (100, "PD")], False, False),
        ([(50, "SD"), (100, "PR")], False, False),
        ([(50, "PD"), (100, "NE")], None, None),
        ([(50, "PD")], None, None),
        ([(50, "NE")], None, None),
    ],
)
def test_the_two_families_of_recist11(seen: Seen, response: bool | None, control: bool | None) -> None:
    found = judged(seen)
    assert found["pseudo_recist11_response"]["met"] is response
    assert found["pseudo_recist11_control"]["met"] is control
    assert found["pseudo_recist11_control"]["evaluable"] == (control is not None)


def test_the_row_tells_days_and_words() -> None:
    row = judged([(50, "PD"), (99, "SD"), (140, "PR")])["pseudo_recist11_response"]
    assert (row["day"], row["value"]) == (50.0, 90.0)
    assert row["reason"] == "met: progression on day 50, PR on day 140"
    assert judged([(50, "PD")])["pseudo_recist11_control"]["reason"] == (
        "progression on day 50, and no evaluable assessment after it"
    )


@pytest.mark.parametrize(("day", "word"), [(42.0, "early"), (84.0, "early"), (84.5, "late"), (200.0, "late")])
def test_early_until_week_twelve(day: float, word: str) -> None:
    assert judged([(day, "PD"), (day + 50, "SD")])["pseudo_recist11_control"]["detail"] == word


@pytest.mark.parametrize(
    ("seen", "reached"),
    [
        ([(50, "SD")], "treated"),
        ([(50, "PD")], "pd"),
        ([(50, "PD"), (90, "NE")], "pd"),
        ([(50, "PD"), (90, "PD")], "after_pd"),
    ],
)
def test_the_furthest_denominator(seen: Seen, reached: str) -> None:
    assert judged(seen)["pseudo_recist11_control"]["reached"] == reached


def test_irecist_and_irrc_have_their_own_words_and_tables() -> None:
    assert judged([(50, "iUPD"), (100, "iSD")], criterion="irecist")["pseudo_irecist_control"]["met"]
    assert (
        judged([(50, "iUPD"), (100, "iCPD")], criterion="irecist")["pseudo_irecist_control"]["met"] is False
    )
    assert judged([(50, "PD"), (100, "PR")], criterion="irrc")["pseudo_irrc_control"]["met"]
    closed = judged([(50, "PD"), (100, "PR")])["pseudo_recist10_control"]
    assert not closed["evaluable"]
    assert closed["reason"] == "criterion recist10 was not derived"


LATER: list[Row] = [
    {"patient_id": "P", "line": 1, "drug": "nivolumab", "start_day": 0.0, "end_day": 52.0},
    {"patient_id": "P", "line": 2, "drug": "cabozantinib", "start_day": 60.0},
]


def test_shrinkage_under_the_next_line_or_after_tace_takes_nothing_back() -> None:
    seen: Seen = [(50, "PD"), (100, "PR")]
    assert not judged(seen, treatments=LATER)["pseudo_recist11_response"]["evaluable"]
    local: list[Row] = [{"patient_id": "P", "day": 55.0, "kind": "tace"}]
    assert not judged(seen, procedures=local)["pseudo_recist11_response"]["evaluable"]
    ignore = Policies(new_therapy="ignore")
    assert judged(seen, treatments=LATER, policies=ignore)["pseudo_recist11_response"]["met"]
    before: list[Row] = [{"patient_id": "P", "day": -55.0, "kind": "tace"}]
    assert judged(seen, procedures=before)["pseudo_recist11_response"]["met"]


def labs(
    base: float,
    then: float,
    *,
    units: tuple[str, str] = ("ng/mL", "ng/ml"),
    limits: tuple[str, str] = ("", ""),
) -> list[Row]:
    return [
        {"patient_id": "P", "day": -20.0, "test": "AFP", "value": 9999.0, "unit": "ng/mL"},
        {
            "patient_id": "P",
            "day": -2.0,
            "test": "afp",
            "value": base,
            "unit": units[0],
            "comparator": limits[0] or None,
        },
        {
            "patient_id": "P",
            "day": 55.0,
            "test": "afp",
            "value": then,
            "unit": units[1],
            "comparator": limits[1] or None,
        },
        {"patient_id": "P", "day": 90.0, "test": "afp", "value": 1.0, "unit": "ng/mL"},
    ]


def marker(rows: list[Row]) -> dict[str, Any]:
    return judged([(50, "PD"), (100, "SD")], labs=rows)["afp_fell_at_progression"]


def test_marker_direction_uses_the_last_value_before_and_the_nearest_to_progression() -> None:
    row = marker(labs(400.0, 180.0))
    assert row["met"]
    assert row["value"] == pytest.approx(-55.0)
    assert row["reason"] == "met: 400 before treatment, 180 ng/ml at PD"
    assert marker(labs(400.0, 600.0))["met"] is False


@pytest.mark.parametrize(
    ("base", "then", "limits", "met"),
    [
        (1000.0, 400.0, (">", ""), True),
        (1000.0, 1000.0, (">", ">"), None),
        (20.0, 400.0, ("<", ""), False),
        (20.0, 10.0, ("<", ""), None),
        (400.0, 20.0, ("", "<"), True),
        (400.0, 1000.0, ("", ">"), False),
        (2000.0, 1000.0, ("", ">"), None),
    ],
)
def test_values_beyond_the_assay_tell_a_direction_only_where_they_can(
    base: float, then: float, limits: tuple[str, str], met: bool | None
) -> None:
    row = marker(labs(base, then, limits=limits))
    assert row["met"] is met
    assert row["value"] is None  # a percentage of a limit is no percentage


def test_marker_gaps_are_told() -> None:
    assert (
        marker(labs(400.0, 180.0, units=("ng/mL", "IU/mL")))["reason"] == "the units differ: ng/ml and iu/ml"
    )
    assert marker([])["reason"] == "there is no value in the baseline window"
    assert marker(labs(400.0, 180.0)[:2])["reason"] == (
        "there is no value within 21 days of the progression scan"
    )
    assert judged([(50, "SD")], labs=labs(400.0, 180.0))["afp_fell_at_progression"]["reason"] == (
        "no RECIST 1.1 progression"
    )


def test_readers_are_judged_apart() -> None:
    rows = timepoints(
        [
            {**row, "reader": reader}
            for reader, seen in (("A", [(50, "PD"), (90, "PR")]), ("B", [(50, "SD"), (90, "PR")]))
            for row in timepoints_of("P", seen)
        ]
    )
    found = find_reversals(rows, CONTROL).sort("reader")
    assert found["pd_day"].to_list() == [50.0, None]
    assert found["back_day"].to_list() == [90.0, None]


def test_four_published_families_and_two_of_ours() -> None:
    published = [item for item in REVERSALS if item.definition.verification == "verified"]
    assert [item.criterion for item in published] == ["recist11", "recist11", "recist10", "irrc"]
    assert {item.criterion for item in REVERSALS if item.definition.verification == "ours"} == {
        "irecist",
        "mrecist",
    }
