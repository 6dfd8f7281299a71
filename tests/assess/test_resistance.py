"""Resistance classes against the rows of SITC 2020, Table 1 (Kluger 2020, doi:10.1136/jitc-2019-000398)."""

import polars as pl
import pytest

from hccresist.assess import assess_study
from hccresist.assess.resistance import derive_resistance
from hccresist.assess.results import FURTHER_RESULTS
from hccresist.study.frames import study_from_frames
from hccresist.study.policies import Policies
from hccresist.study.study import StudyConfig

START = 100.0


def classify(sums, *, drugs=("nivolumab",), end_day=None, end_reason=None, **policies):
    """Return the one row of a patient whose sums are given as (day, mm); 100 mm at day −3."""
    days, sizes = zip((-3.0, START), *sums, strict=True)
    study = study_from_frames(
        config=StudyConfig(policies=Policies.parse(policies)),
        patients=pl.DataFrame({"patient_id": ["P1"]}),
        sums=pl.DataFrame({"patient_id": "P1", "measure": "longest", "day": days, "sum": sizes}),
        treatments=pl.DataFrame(
            {
                "patient_id": "P1",
                "line": 1,
                "drug": drugs,
                "start_day": 0.0,
                "end_day": end_day,
                "end_reason": end_reason,
            },
            schema_overrides={"end_day": pl.Float64, "end_reason": pl.String},
        ),
    )
    tables = assess_study(study, criteria=["recist11"]).tables
    table = derive_resistance(
        study,
        timepoints=tables["timepoints"],
        best_response=tables["best_response"],
        baselines=tables["baselines"],
    )
    FURTHER_RESULTS["resistance"].validate(table, cast=True)
    return table.row(0, named=True)


# Table 1, "primary": exposure ≥ 6 weeks; best response PD, or SD for less than 6 months.
# Table 1, "secondary": CR, PR, or SD for more than 6 months, then PD.
@pytest.mark.parametrize(
    ("sums", "expected", "rule"),
    [
        ([(56, 130)], "primary", "PRIMARY-PROGRESSION"),
        ([(56, 100), (112, 130)], "primary", "PRIMARY-STABLE"),
        ([(56, 100), (182, 130)], "primary", "PRIMARY-STABLE"),
        ([(56, 100), (112, 100), (183, 130)], "acquired", "ACQUIRED-AFTER-STABLE"),
        ([(56, 60), (112, 60), (224, 90)], "acquired", "ACQUIRED-AFTER-RESPONSE"),
        ([(56, 60), (112, 60)], "no_resistance", "NO-PROGRESSION"),
        ([(30, 130)], "not_evaluable", "SHORT-EXPOSURE"),
        ([], "not_evaluable", "NO-ASSESSMENT"),
        ([(20, 100)], "not_evaluable", "NO-ASSESSMENT"),  # SD before day 42 is no best response
    ],
)
def test_sitc_table_1(sums, expected, rule):
    row = classify(sums)
    assert (row["class"], row["rule"]) == (expected, rule)


def test_a_short_response_is_a_policy():
    sums = [(56, 60), (112, 90)]
    assert classify(sums)["class"] == "acquired"
    assert classify(sums, resistance_short_response="primary")["class"] == "primary"


@pytest.mark.parametrize("reason", ["toxicity", "liver_decompensation"])
@pytest.mark.parametrize("sums", [[], [(56, 100)], [(56, 130)]])
def test_intolerance_is_never_resistance(sums, reason):
    row = classify(sums, end_day=20.0, end_reason=reason)
    assert row["class"] == "intolerance"


def test_progression_within_twelve_weeks_of_the_last_dose_counts_as_under_treatment():
    sums = [(56, 100), (84, 130)]
    assert classify(sums, end_day=50.0, end_reason="completed")["class"] == "primary"
    late = [(56, 100), (140, 130)]
    assert classify(late, end_day=50.0, end_reason="completed")["class"] == "after_stop"


def test_confirmation_is_a_policy():
    once = [(56, 130)]
    back = [(56, 130), (112, 60)]
    again = [(56, 130), (112, 140)]
    assert classify(once)["class"] == "primary"
    assert classify(once, resistance_confirmation="required")["class"] == "not_evaluable"
    assert classify(back)["class"] == "no_resistance"
    assert classify(back, resistance_confirmation="waived")["class"] == "primary"
    assert classify(again, resistance_confirmation="required")["class"] == "primary"


def test_stopping_for_progression_that_no_scan_shows_is_not_evaluable():
    assert classify([(56, 100)], end_day=80.0, end_reason="progression")["class"] == "not_evaluable"


@pytest.mark.parametrize(
    ("drugs", "words"),
    [
        (("nivolumab",), "SITC 2020 for a single checkpoint inhibitor"),
        (("atezolizumab", "bevacizumab"), "were not seen"),
        (("sorafenib",), "kinase inhibitors (ours)"),
        (("aspirin",), "other drugs (ours)"),
    ],
)
def test_the_reason_says_whose_rule_it_is(drugs, words):
    row = classify([(56, 130)], drugs=drugs)
    assert words in row["reason"]
    assert row["drug"] == " + ".join(drugs)
