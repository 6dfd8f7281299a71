"""Dissociated response by lesion and organ; oligo- and systemic progression."""

from __future__ import annotations

from typing import Any

import pytest
from growth_cases import Row, baselines, make_study, timepoints

from hccresist.assess.pattern_facts import series_of
from hccresist.assess.pattern_sites import judge_sites

Sizes = dict[str, tuple[str, str, list[float | None]]]
"""Lesion → role, organ, sizes on the days −3, 45, 90."""
DAYS = (-3.0, 45.0, 90.0)


def rows_of(lesions: Sizes, **states: str) -> list[Row]:
    return [
        {
            "patient_id": "P",
            "lesion_id": name,
            "day": day,
            "role": role,
            "organ": organ,
            "longest_mm": mm,
            "short_axis_mm": mm if organ == "lymph_node" else None,
            "state": states.get(name) if day > 0 else None,
        }
        for name, (role, organ, sizes) in lesions.items()
        for day, mm in zip(DAYS, sizes, strict=False)
        if mm is not None or name in states
    ]


def judged(lesions: Sizes, words: tuple[str, str] = ("SD", "SD"), **more: Any) -> dict[str, dict[str, Any]]:
    flags = {key: more.pop(key) for key in ("new_lesion", "nontarget") if key in more}
    study = make_study(lesions=rows_of(lesions, **more))
    seen = timepoints(
        [
            {
                "patient_id": "P",
                "criterion": "recist11",
                "day": day,
                "overall": word,
                "rule": "TEST",
                "reason": "given",
                "new_lesion": flags.get("new_lesion", False),
                "nontarget": flags.get("nontarget"),
            }
            for day, word in zip(DAYS[1:], words, strict=True)
        ]
    )
    base = baselines(
        [
            {
                "patient_id": "P",
                "criterion": "recist11",
                "day": -3.0,
                "n_targets": 2,
                "n_nontargets": 0,
                "measurable": True,
                "evaluable": True,
            }
        ]
    )
    frames = judge_sites(study, series_of(study, seen, base), timepoints=seen, baselines=base)
    return {row["definition"]: row for frame in frames for row in frame.iter_rows(named=True)}


def two(a: list[float | None], b: list[float | None], organ: str = "liver") -> Sizes:
    return {"A": ("target", "liver", a), "B": ("target", organ, b)}


@pytest.mark.parametrize(
    ("a", "b", "met"),
    [
        ([40, 27.9, 27.9], [30, 37, 37], True),  # −30.25 % and +23 % by 7 mm
        ([40, 28, 28], [30, 37, 37], False),  # −30 % is not more
        ([40, 20, 20], [30, 36, 36], False),  # +20 % is not more
        ([40, 20, 20], [20, 24.9, 24.9], False),  # +24.5 %, but not 5 mm
        ([40, 20, 20], [20, 25, 25], True),
        ([40, 30, 20], [30, 30, 40], True),  # at the second assessment
        ([40, 20, 40], [30, 30, 40], False),  # never at the same one
    ],
)
def test_some_lesions_shrink_while_others_grow(
    a: list[float | None], b: list[float | None], met: bool
) -> None:
    row = judged(two(a, b))["dissociated_bernard_tessier_2020"]
    assert row["evaluable"]
    assert row["met"] is met


def test_one_measured_lesion_is_not_enough() -> None:
    row = judged(two([40, 20, 20], [30, None, None]))["dissociated_bernard_tessier_2020"]
    assert not row["evaluable"]
    assert "two lesions" in row["reason"]


@pytest.mark.parametrize(
    ("a", "b", "more", "met"),
    [
        ([40, 28], [30, 36], {}, True),  # PR in the liver, PD in the lung (+20 %, 6 mm)
        ([40, 28.1], [30, 36], {}, False),
        ([40, 28], [30, 21], {}, False),  # PR in both
        ([40, 28], [30, 21], {"new_lesion": True}, True),  # PR in both, with a new lesion
        ([40, 28], [30, 21], {"nontarget": "PD"}, True),
        ([40, 28], [30, 30], {"new_lesion": True}, False),
        ([40, 28], [30, None], {}, None),  # the lung was not measured
    ],
)
def test_organs_respond_apart(
    a: list[float | None], b: list[float | None], more: dict[str, Any], met: bool | None
) -> None:
    lesions = two([*a, a[-1]], [*b, b[-1]], organ="lung")
    states = {"B": "not_evaluable"} if b[-1] is None else {}
    row = judged(lesions, **more, **states)["dissociated_sato_2021"]
    assert row["met"] is met


@pytest.mark.parametrize(
    ("liver", "lung", "met"),
    [
        ([40, 48, 48], [30, 20, 20], True),
        ([40, 30, 30], [30, 36, 36], True),
        ([40, 48, 48], [30, 36, 36], False),
    ],
)
def test_liver_against_the_rest(liver: list[float | None], lung: list[float | None], met: bool) -> None:
    row = judged(two(liver, lung, organ="lung"))["dissociated_liver_rest"]
    assert row["met"] is met
    assert not judged(two(liver, lung))["dissociated_liver_rest"]["evaluable"]


def test_a_definition_without_thresholds_is_never_judged() -> None:
    assert not judged(two([40, 20, 20], [30, 60, 60]))["dissociated_tozuka_2020"]["evaluable"]


def new(count: int) -> Sizes:
    return {f"N{i}": ("new_nontarget", "lung", [None, 8.0, 9.0]) for i in range(count)}


def test_oligoprogression_counts_lesions_that_progress_and_those_that_do_not() -> None:
    found = judged({**two([40, 50, 50], [30, 30, 30]), **new(2)}, ("PD", "PD"), new_lesion=True)
    assert found["oligoprogression"]["met"]
    assert found["oligoprogression"]["value"] == 3.0
    assert found["systemic_progression"]["met"] is False
    assert found["oligoprogression"]["reason"] == "met: 3 lesions progress and 1 do not on day 45"


@pytest.mark.parametrize(("count", "met"), [(4, True), (5, False)])
def test_more_than_five_are_systemic(count: int, met: bool) -> None:
    found = judged({**two([40, 50, 50], [30, 30, 30]), **new(count)}, ("PD", "PD"), new_lesion=True)
    assert found["oligoprogression"]["met"] is met
    assert found["systemic_progression"]["met"] is not met


def test_when_every_lesion_progresses_it_is_systemic() -> None:
    found = judged(two([40, 50, 50], [30, 40, 40]), ("PD", "PD"))
    assert found["systemic_progression"]["met"]
    assert found["oligoprogression"]["met"] is False


def test_growth_counts_from_the_smallest_size_of_the_lesion() -> None:
    found = judged(two([40, 20, 30], [30, 30, 30]), ("PR", "PD"))
    assert found["oligoprogression"]["value"] == 1.0
    assert found["oligoprogression"]["day"] == 90.0


def test_what_cannot_be_counted_is_not_judged() -> None:
    lesions = two([40, 40, 40], [30, 30, 30])
    stable = judged(lesions)["oligoprogression"]
    assert stable["reason"] == "no RECIST 1.1 progression"
    flagged = judged(lesions, ("PD", "PD"), new_lesion=True)["oligoprogression"]
    assert flagged["reason"].startswith("a new lesion was recorded but is not listed")
    summed = judged(two([20, 23.9, 23.9], [20, 24.9, 24.9]), ("PD", "PD"))["oligoprogression"]
    assert summed["reason"] == "no lesion progressed by itself, only their sum or what is not listed"


def test_scans_of_a_visit_belong_to_its_last_day() -> None:
    rows = rows_of(two([40, 20, 20], [30, 40, 40]))
    shifted = [
        {**row, "day": 38.0} if row["day"] == 45.0 and row["lesion_id"] == "A" else row for row in rows
    ]
    study = make_study(lesions=shifted)
    seen = timepoints(
        [
            {
                "patient_id": "P",
                "criterion": "recist11",
                "day": 45.0,
                "overall": "PD",
                "rule": "T",
                "reason": "given",
            }
        ]
    )
    base = baselines(
        [
            {
                "patient_id": "P",
                "criterion": "recist11",
                "day": -3.0,
                "n_targets": 2,
                "n_nontargets": 0,
                "measurable": True,
                "evaluable": True,
            }
        ]
    )
    frame = judge_sites(study, series_of(study, seen, base), timepoints=seen, baselines=base)[0]
    assert frame["met"].to_list() == [True]
