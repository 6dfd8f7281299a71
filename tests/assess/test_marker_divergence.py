"""A marker and the sum of targets that go opposite ways."""

from __future__ import annotations

import polars as pl
import pytest
from growth_cases import table
from marker_cases import course, pick, study_of

from hccresist.assess.markers import derive_markers
from hccresist.assess.results import Timepoints


def visit(
    day: float, change: float | None, *, reader: str = "", criterion: str = "recist11"
) -> dict[str, object]:
    """Return a timepoint of P1 with a change of its sum from baseline."""
    return {
        "patient_id": "P1",
        "reader": reader,
        "criterion": criterion,
        "day": day,
        "overall": "SD",
        "change_from_baseline_percent": change,
        "rule": "SD",
        "reason": "",
    }


def divergence(afp: list[tuple[float, float]], *visits: dict[str, object]) -> pl.DataFrame:
    """Return the divergence rows of P1."""
    study = study_of(course("P1", "afp", "ng/mL", afp))
    markers = derive_markers(study, timepoints=table(Timepoints, visits))
    return markers.filter(pl.col("marker").str.starts_with("afp_divergence"))


# The limits are ours: marker −50 % or less with the sum at +20 % or more, or +50 % with −20 %.
@pytest.mark.parametrize(
    ("later", "size", "response"),
    [
        (50.0, 20.0, "marker_falls_size_rises"),
        (50.1, 20.0, "no_divergence"),
        (50.0, 19.9, "no_divergence"),
        (150.0, -20.0, "marker_rises_size_falls"),
        (149.9, -20.0, "no_divergence"),
        (150.0, -19.9, "no_divergence"),
        (10.0, -60.0, "no_divergence"),
        (10.0, None, "not_evaluable"),
    ],
)
def test_the_limits(later: float, size: float | None, response: str) -> None:
    assert divergence([(0, 100), (60, later)], visit(56.0, size))["response"].to_list() == [response]


def test_the_marker_belongs_to_a_visit_within_two_weeks() -> None:
    found = divergence([(0, 100), (40, 10), (71, 100)], visit(56.0, 40.0), visit(100.0, 40.0))
    assert found["day"].to_list() == []
    found = divergence([(0, 100), (42, 10), (70, 100)], visit(56.0, 40.0))
    assert found.select("day", "value").rows() == [(56.0, -90.0)]


# doi:10.1007/s12672-025-02972-8 looks at patients with a baseline AFP ≥ 20 ng/mL.
def test_a_low_baseline_is_not_judged() -> None:
    assert divergence([(0, 19.9), (60, 1)], visit(56.0, 40.0))["response"].to_list() == ["not_evaluable"]


def test_each_reader_and_criterion_has_its_own_row() -> None:
    found = divergence(
        [(0, 100), (60, 10)],
        visit(56.0, 40.0, reader="A"),
        visit(56.0, 0.0, reader="B"),
        visit(56.0, 25.0, reader="A", criterion="mrecist"),
        visit(56.0, 25.0, reader="A", criterion="irecist"),
    )
    assert found.select("reader", "marker", "response").rows() == [
        ("A", "afp_divergence_mrecist", "marker_falls_size_rises"),
        ("A", "afp_divergence_recist11", "marker_falls_size_rises"),
        ("B", "afp_divergence_recist11", "no_divergence"),
    ]


def test_without_timepoints_there_is_nothing_to_compare() -> None:
    markers = derive_markers(study_of(course("P1", "afp", "ng/mL", [(0, 100), (60, 10)])))
    assert pick(markers, "afp_divergence_recist11") == []
