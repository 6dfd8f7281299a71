"""Drugs and procedures so far, and the courses that may follow."""

from __future__ import annotations

import polars as pl
import pytest

from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.twin_treatments import (
    MOST_CANDIDATES,
    MOST_SPANS,
    Course,
    Dose,
    Given,
    find_courses,
    make_course,
    read_given,
)

INF = float("inf")


def treat(*rows: tuple[int, str, float | None, float | None]) -> pl.DataFrame:
    schema = {"line": pl.Int64, "drug": pl.String, "start_day": pl.Float64, "end_day": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def read(*rows: tuple[int, str, float | None, float | None], day: float = 100.0) -> Given | str:
    return read_given(treat(*rows), None, day=day, since=-28.0)


def test_a_drug_without_end_or_given_to_the_last_day_is_present() -> None:
    for end in (None, 100.0, 99.0, 300.0):
        made = read((1, "sorafenib", 0.0, end))
        assert isinstance(made, Given)
        assert made.present == ("sorafenib",)
        assert made.doses == (Dose("sorafenib", 0.0, INF),)


def test_a_drug_that_was_stopped_is_past() -> None:
    made = read((1, "sorafenib", 0.0, 60.0), (2, "lenvatinib", 61.0, None))
    assert isinstance(made, Given)
    assert made.present == ("lenvatinib",)
    assert Dose("sorafenib", 0.0, 61.0) in made.doses


def test_what_comes_after_the_last_day_is_not_known() -> None:
    made = read((1, "sorafenib", 0.0, 200.0), (2, "lenvatinib", 150.0, None))
    assert isinstance(made, Given)
    assert made.present == ("sorafenib",)
    assert len(made.doses) == 1


def test_names_are_read_as_the_base_has_them_and_combinations_taken_apart() -> None:
    made = read((1, "Nexavar", 0.0, None))
    assert isinstance(made, Given)
    assert made.present == ("sorafenib",)
    made = read((1, "atezolizumab + bevacizumab", 0.0, None))
    assert isinstance(made, Given)
    assert made.present == ("atezolizumab", "bevacizumab")


def test_spans_that_overlap_are_one() -> None:
    made = read((1, "sorafenib", 0.0, 50.0), (2, "sorafenib", 40.0, None))
    assert isinstance(made, Given)
    assert made.doses == (Dose("sorafenib", 0.0, INF),)


def test_an_earlier_line_is_left_out_and_said() -> None:
    made = read((0, "capecitabine", -400.0, -300.0), (1, "sorafenib", 0.0, None))
    assert isinstance(made, Given)
    assert "earlier treatment is not followed (capecitabine)" in made.notes


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([(1, "capecitabine", 0.0, None)], "the model does not have capecitabine"),
        ([(1, "sorafenib", None, None)], "no first day of sorafenib"),
        (
            [(1, "sorafenib", 10.0 * n, 10.0 * n + 3) for n in range(MOST_SPANS + 1)],
            f"more than {MOST_SPANS} spans of drugs",
        ),
    ],
)
def test_what_the_model_cannot_follow_is_said(rows: list[tuple], reason: str) -> None:
    assert read(*rows) == reason


def test_procedures_of_the_model_are_followed_and_others_are_not() -> None:
    rows = pl.DataFrame({"day": [-300.0, 5.0, 300.0], "kind": ["transplant", "tace", "transplant"]})
    made = read_given(None, rows, day=100.0, since=-28.0)
    assert isinstance(made, Given)
    assert made.procedures == (("tace", 5.0, "all"),)
    assert read_given(None, rows, day=400.0, since=-28.0) == "the model does not have transplant"


def strategies(*rows: tuple[int, str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["rank", "strategy_id", "drugs"], orient="row")


def test_candidates_are_the_first_in_rank_that_can_be_simulated() -> None:
    rows = strategies(
        (0, "nothing_supported", ""),
        (1, "S15", "doxorubicin"),
        (2, "S08", "pembrolizumab;lenvatinib"),
        (3, "S111", "lenvatinib"),
        (4, "S104", "tislelizumab;lenvatinib"),
        (5, "S43", "lenvatinib"),
        (6, "S60", "cabozantinib"),
        (7, "S102", "ramucirumab"),
    )
    made, left = find_courses(rows, Given(present=("sorafenib",)))
    assert [course.name for course in made] == [
        "lenvatinib + pembrolizumab",
        "lenvatinib",
        "lenvatinib + tislelizumab",
    ]
    assert len(made) == MOST_CANDIDATES
    assert "S15" in left[0]


def test_what_is_given_now_is_no_candidate() -> None:
    made, _ = find_courses(strategies((1, "S111", "lenvatinib")), Given(present=("lenvatinib",)))
    assert made == []
    assert find_courses(None, Given()) == ([], ("no strategies were ranked",))


def test_what_else_a_strategy_does_is_its_handle_and_said_to_be_assumed() -> None:
    made = make_course("S29", ("anti-PD-L1 (class)", "CSF1R inhibitor"))
    assert isinstance(made, Course)
    assert made.drugs == ("atezolizumab",)
    assert made.factors == (("h_tam", 0.03),)
    assert any("stands for anti-PD-L1 (class)" in note for note in made.notes)
    assert any("assumption" in note for note in made.notes)
    assert {name for name, _ in made.factors} <= {each.name for each in read_model().parameters}


def test_a_strategy_that_the_model_has_no_means_for_is_refused() -> None:
    assert make_course("S01", ("lenvatinib", "gefitinib")) == "the model does not have gefitinib"
