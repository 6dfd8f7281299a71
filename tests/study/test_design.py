"""Reference arm and strata of study.toml against the patients."""

from __future__ import annotations

import pytest

from hccresist.study.design import check_design
from hccresist.study.issues import Issue, IssueLog
from hccresist.study.study import StudyConfig

COLUMNS = ("patient_id", "arm", "bclc", "centre", "__row")


def problems(arms: tuple[str, ...] = ("drug", "placebo"), **design: object) -> list[Issue]:
    log = IssueLog()
    check_design(arms, COLUMNS, StudyConfig(**design), log=log)
    return list(log)


def test_what_is_there_is_fine() -> None:
    assert problems(reference_arm="placebo", strata=("bclc", "centre")) == []
    assert problems(arms=()) == []


def test_an_arm_of_nobody_is_told_with_the_nearest() -> None:
    (issue,) = problems(reference_arm="placbo")
    assert (issue.code, issue.file, issue.column) == ("unknown-arm", "study.toml", "reference_arm")
    assert "placebo" in issue.hint


@pytest.mark.parametrize(
    ("arms", "hint"), [((), "No patient has an arm."), (("x", "y"), "The arms are x, y.")]
)
def test_without_a_similar_arm_those_that_there_are_stand_in_the_hint(arms, hint) -> None:
    (issue,) = problems(arms=arms, reference_arm="placebo")
    assert issue.hint == hint


@pytest.mark.parametrize("name", ["arm", "patient_id", "blcc", "__row"])
def test_a_stratum_is_a_column_other_than_patient_and_arm(name) -> None:
    (issue,) = problems(strata=("centre", name))
    assert (issue.code, issue.column, issue.found) == ("unknown-stratum", "strata", name)


def test_all_problems_are_told_at_once() -> None:
    assert len(problems(reference_arm="no", strata=("a", "b"))) == 3
