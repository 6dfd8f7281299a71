"""Observations from words; what could mean two things is refused."""

from __future__ import annotations

import pytest
from growth_cases import make_study
from hypothesis import given, settings
from hypothesis import strategies as st

from hccresist.assess.marker_observations import READINGS, read_observations


def read(name: str, value: str) -> tuple[object, object]:
    """Return (name, number) of one observation, or the code of its issue."""
    study = make_study(observations=[{"patient_id": "P1", "day": 0.0, "name": name, "value": value}])
    observed, issues = read_observations(study.table("observations"))
    if issues.height:
        return None, issues["code"][0]
    return tuple(observed.select("name", "value").row(0)) if observed.height else (None, None)


# Child-Pugh points: ccjm.org table (none, mild, moderate; none, grade 1–2, grade 3–4); PMC3017746 words
# (easily controlled, poorly controlled; minimal, advanced).
@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ascites", "none", ("ascites_points", 1.0)),
        ("ascites", "Absent", ("ascites_points", 1.0)),
        ("ascites", "0", ("ascites_points", 1.0)),
        ("ascites", "mild", ("ascites_points", 2.0)),
        ("Ascites", "Easily controlled", ("ascites_points", 2.0)),
        ("ascites", "moderate", ("ascites_points", 3.0)),
        ("ascites", "poorly controlled", ("ascites_points", 3.0)),
        ("encephalopathy", "none", ("encephalopathy_points", 1.0)),
        ("encephalopathy", "minimal", ("encephalopathy_points", 2.0)),
        ("encephalopathy", "grade 1", ("encephalopathy_points", 2.0)),
        ("encephalopathy", "Grade II", ("encephalopathy_points", 2.0)),
        ("encephalopathy", "grade 3", ("encephalopathy_points", 3.0)),
        ("encephalopathy", "advanced", ("encephalopathy_points", 3.0)),
        ("ascites_points", "3", ("ascites_points", 3.0)),
        ("encephalopathy points", "1.0", ("encephalopathy_points", 1.0)),
        ("ecog", "2", ("ecog", 2.0)),
        ("ecog_ps", "0", ("ecog", 0.0)),
        ("ctdna_detected", "TRUE", ("ctdna_detected", 1.0)),
        ("ctdna_detected", "not detected", ("ctdna_detected", 0.0)),
        ("ctdna_vaf", "1.8%", ("ctdna_vaf", 1.8)),
        ("ctdna_vaf", "1.8 %", ("ctdna_vaf", 1.8)),
        ("ctdna_vaf", "0", ("ctdna_vaf", 0.0)),
        ("ctdna_vaf_percent", "1.8", ("ctdna_vaf", 1.8)),
        ("ctdna_vaf_fraction", "0.018", ("ctdna_vaf", pytest.approx(1.8))),
        ("vitamin_k_antagonist", "yes", ("vitamin_k_antagonist", 1.0)),
        ("VKA", "no", ("vitamin_k_antagonist", 0.0)),
    ],
)
def test_a_clear_word_is_read(name: str, value: str, expected: tuple[str, float]) -> None:
    assert read(name, value) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ascites", "1"),  # none where points are kept (hcc_uci_survival), grade 1 where grades are
        ("ascites", "yes"),
        ("ascites", "2+"),
        ("encephalopathy", "2"),
        ("encephalopathy", "present"),
        ("ascites_points", "0"),
        ("ascites_points", "1.5"),
        ("ecog", "6"),
        ("ecog", "one"),
        ("ctdna_detected", "maybe"),
        ("ctdna_vaf", "0.5"),  # 0.5 % or 50 %
        ("ctdna_vaf", "120%"),
        ("ctdna_vaf_fraction", "1.8"),
        ("ctdna_vaf_percent", "nan"),
        ("vitamin_k_antagonist", "warfarin?"),
    ],
)
def test_a_word_that_could_mean_two_things_is_refused(name: str, value: str) -> None:
    assert read(name, value) == (None, "unclear-observation")


def test_other_observations_are_left_alone() -> None:
    assert read("clinical_stability", "true") == (None, None)


def test_an_issue_says_what_to_write() -> None:
    study = make_study(observations=[{"patient_id": "P3", "day": -2.0, "name": "ascites", "value": "1"}])
    _, issues = read_observations(study.table("observations"))
    row = issues.row(0, named=True)
    assert (row["patient_id"], row["day"], row["table"], row["test"]) == (
        "P3",
        -2.0,
        "observations",
        "ascites",
    )
    assert "none, mild, or moderate" in row["hint"]
    assert row["refused"]


def test_two_names_that_contradict_each_other_are_refused() -> None:
    rows = [
        {"patient_id": "P1", "day": 0.0, "name": "ascites", "value": "none"},
        {"patient_id": "P1", "day": 0.0, "name": "ascites_points", "value": "2"},
        {"patient_id": "P2", "day": 0.0, "name": "ascites", "value": "mild"},
        {"patient_id": "P2", "day": 0.0, "name": "ascites_points", "value": "2"},
    ]
    observed, issues = read_observations(make_study(observations=rows).table("observations"))
    assert observed.rows() == [("P2", 0.0, "ascites_points", 2.0)]
    assert issues["code"].to_list() == ["two-values", "two-values"]


@settings(deadline=None)
@given(
    name=st.sampled_from([reading.name for reading in READINGS]),
    value=st.text(alphabet="0123456789.%-nodetcrabi gls", max_size=8),
)
def test_whatever_is_written_is_read_or_refused_and_never_breaks(name: str, value: str) -> None:
    found, number = read(name, value)
    if found is None:
        assert number == "unclear-observation"
    else:
        assert isinstance(number, float)
        assert 0.0 <= number <= 100.0


def test_a_study_without_observations_is_fine() -> None:
    observed, issues = read_observations(None)
    assert observed.is_empty()
    assert issues.is_empty()
