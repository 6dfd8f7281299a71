"""The summary and the curves as tables: what stands in which row, and what is said where nothing can."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outcome_cases import (
    AML_MAINTAINED,
    AML_NONMAINTAINED,
    MERCAPTOPURINE,
    PLACEBO,
    arms_study,
    events_of,
    parse,
)

from hccresist.errors import ConfigError
from hccresist.outcomes.results import AtRisk, SurvivalSummary
from hccresist.outcomes.survival import LANDMARKS, compute_curves, summarise_survival

DAY = 7.0


def trial(one, two, names):
    """Two printed arms in weeks as a study and its OS in days."""
    (times, events), (more, others) = parse(one), parse(two)
    study = arms_study([names[0]] * len(times) + [names[1]] * len(more))
    return study, events_of([DAY * t for t in times + more], events + others)


def look(table, **key):
    rows = table.filter(pl.col(name) == value for name, value in key.items())
    assert rows.height == 1
    return rows.row(0, named=True)


def test_the_remission_trial_as_printed():
    """Numbers of `test_kaplan_meier` and `test_contrasts`, now in the table, in days."""
    study, events = trial(MERCAPTOPURINE, PLACEBO, ["6-MP", "placebo"])
    table = summarise_survival(study, events, reference_arm="6-MP", landmarks=(DAY * 6, DAY * 40))
    SurvivalSummary.validate(table)
    middle = look(table, group="6-MP", statistic="median")
    assert (middle["value"], middle["low"], middle["high"]) == (DAY * 23, DAY * 13, None)
    assert (middle["n"], middle["events"], middle["note"]) == (21, 9, "upper limit not reached")
    assert look(table, group="placebo", statistic="median")["value"] == DAY * 8
    six = look(table, group="6-MP", statistic="rate", at_days=DAY * 6)
    assert (six["value"], six["low"], six["high"]) == pytest.approx((85.71, 61.97, 95.16), abs=0.005)
    late = look(table, group="6-MP", statistic="rate", at_days=DAY * 40)
    assert (late["value"], late["note"]) == (None, f"not estimable: follow-up ends on day {DAY * 35:g}")
    mean = look(table, group="6-MP", statistic="rmst")
    assert mean["at_days"] == DAY * 23  # the smaller of the longest follow-up of 35 and 23 weeks
    assert mean["value"] == pytest.approx(DAY * 17.91, abs=DAY * 0.005)
    ratio = look(table, group="placebo vs 6-MP", statistic="hazard_ratio")
    assert (ratio["value"], ratio["low"], ratio["high"]) == pytest.approx((4.8169, 2.1465, 10.8093), abs=5e-5)
    assert (ratio["n"], ratio["events"]) == (42, 30)
    assert look(table, group="placebo vs 6-MP", statistic="logrank_chi2")["value"] == pytest.approx(
        16.7929, abs=5e-5
    )
    assert look(table, group="placebo vs 6-MP", statistic="logrank_p")["value"] == pytest.approx(
        4.169e-5, abs=5e-9
    )


def test_the_first_arm_is_the_reference_by_default():
    study, events = trial(AML_MAINTAINED, AML_NONMAINTAINED, ["Maintained", "Nonmaintained"])
    ratio = look(summarise_survival(study, events), statistic="hazard_ratio")
    assert ratio["group"] == "Nonmaintained vs Maintained"
    assert ratio["value"] == pytest.approx(2.5, abs=0.005)


def test_the_difference_of_restricted_means():
    # one: 4.5 of 6 days (see test_kaplan_meier), variance 2.5²/12 + 1/6; two: 6 of 6 days, no event
    study, events = trial("2 4 6+ 6+", "6+ 6+", ["one", "two"])
    found = look(summarise_survival(study, events), statistic="rmst_difference")
    assert (found["group"], found["value"], found["low"]) == ("two vs one", DAY * 1.5, None)
    study, events = trial("2 4 6+ 6+", "2 4 6+ 6+", ["one", "two"])
    found = look(summarise_survival(study, events), statistic="rmst_difference")
    half = DAY * 1.959964 * (2 * (2.5**2 / 12 + 1 / 6)) ** 0.5
    assert (found["value"], found["low"], found["high"]) == pytest.approx((0, -half, half), rel=1e-6)


def test_three_arms_are_compared_with_the_first_and_all_together():
    study = arms_study(["A", "A", "B", "B", "C", "C"])
    table = summarise_survival(study, events_of([1, 5, 2, 6, 3, 7], [True] * 6))
    tests = table.filter(pl.col("statistic") == "logrank_p")
    assert tests["group"].to_list() == ["B vs A", "C vs A", "C vs B vs A"]
    assert tests["note"].str.ends_with("degrees of freedom").to_list() == [False, False, True]
    assert table.filter(pl.col("statistic") == "hazard_ratio")["group"].to_list() == ["B vs A", "C vs A"]


def test_stratified_rows_only_with_strata():
    study, events = trial(AML_MAINTAINED, AML_NONMAINTAINED, ["Maintained", "Nonmaintained"])
    plain = summarise_survival(study, events)
    assert not plain["statistic"].str.ends_with("_stratified").any()
    one_stratum = study.patients.with_columns(site=pl.lit("x"))
    study = type(study)(config=study.config, tables={"patients": one_stratum})
    table = summarise_survival(study, events, strata=["site"])
    SurvivalSummary.validate(table)
    for statistic in ("hazard_ratio", "logrank_p", "logrank_chi2"):
        assert (
            look(table, statistic=f"{statistic}_stratified")["value"]
            == look(table, statistic=statistic)["value"]
        )
    nobody = type(study)(
        config=study.config, tables={"patients": one_stratum.with_columns(site=pl.lit(None, dtype=pl.String))}
    )
    refused = look(summarise_survival(nobody, events, strata=["site"]), statistic="hazard_ratio_stratified")
    assert (refused["value"], refused["n"]) == (None, 0)
    assert refused["note"].startswith("not estimable")


def test_not_reached_and_not_estimable_are_told_apart():
    study = arms_study(["A", "A", "B"])
    events = events_of([100, 200], [False, False])
    table = summarise_survival(study, events)
    reached = look(table, group="A", statistic="median")
    assert (reached["value"], reached["note"]) == (None, "not reached: the curve ends at 100.0 % on day 200")
    nobody = look(table, group="B", statistic="median")
    assert (nobody["value"], nobody["n"], nobody["note"]) == (None, 0, "not estimable: no patients")
    refused = look(table, group="B vs A", statistic="hazard_ratio")
    assert (refused["value"], refused["note"]) == (None, "not estimable: no event in B and no event in A")
    assert look(table, group="A", statistic="rmst")["value"] == 200
    assert (
        look(table, group="A", statistic="followup")["value"] == 150
    )  # S of censoring is 1/2 from 100 to 200


def test_responders_only_are_marked():
    study = arms_study(["A", "B", "A", "B"])
    events = events_of([5, 9, 12, 14], [True] * 4, endpoint="DOR")
    ratio = look(summarise_survival(study, events), statistic="hazard_ratio")
    assert ratio["note"] == "only 4 events: uncertain; responders only, who are not a randomised group"


def test_delayed_entry_is_told():
    study = arms_study([None] * 4, entry=[None, 10.0, None, 50.0])
    middle = look(summarise_survival(study, events_of([15, 30, 40, 20], [True] * 4)), statistic="median")
    assert middle["note"].split("; ") == [
        "upper limit not reached",
        "delayed entry: 1 of 3 patients entered after day 0",
        "1 more left before they entered and are not counted",
    ]


def test_a_curve_that_runs_out_of_patients_is_not_trusted():
    study = arms_study([None] * 3, entry=[None, 10.0, 10.0])
    table = summarise_survival(study, events_of([5, 30, 40], [True] * 3))
    assert look(table, statistic="median")["value"] is None
    assert look(table, statistic="median")["note"].startswith(
        "not estimable: with delayed entry, nobody was left at risk on day 5"
    )


def test_a_study_without_events_has_an_empty_summary():
    empty = events_of([], [])
    assert summarise_survival(arms_study([]), empty).is_empty()
    assert compute_curves(arms_study([]), empty).is_empty()
    SurvivalSummary.validate(summarise_survival(arms_study([]), empty))
    AtRisk.validate(compute_curves(arms_study([]), empty))


def test_a_patient_censored_on_day_0():
    table = summarise_survival(arms_study([None]), events_of([0], [False]))
    assert look(table, statistic="rmst")["note"] == "not estimable: no follow-up after day 0"
    assert compute_curves(arms_study([None]), events_of([0], [False])).select("days", "at_risk").rows() == [
        (0, 1)
    ]


def test_an_unknown_reference_arm_is_told_with_the_nearest():
    with pytest.raises(ConfigError, match=r"There is no arm 'placbo'. Did you mean 'placebo'\?"):
        summarise_survival(
            arms_study(["placebo", "drug"]), events_of([5, 9], [True, True]), reference_arm="placbo"
        )


def test_the_landmarks_are_months():
    table = summarise_survival(arms_study([None]), events_of([800], [True]))
    assert (
        tuple(table.filter(pl.col("statistic") == "rate")["at_days"])
        == LANDMARKS
        == (182.625, 365.25, 547.875, 730.5)
    )


def test_the_curve_as_a_table():
    study, events = trial("1 2 2+ 4", "3+", ["one", "two"])
    curve = compute_curves(study, events)
    AtRisk.validate(curve)
    rows = (
        curve.filter(pl.col("group") == "one")
        .select("days", "survival", "at_risk", "events", "censored")
        .rows()
    )
    assert rows == [
        (0.0, 1.0, 4, 0, 0),
        (7.0, 0.75, 4, 1, 0),
        (14.0, pytest.approx(0.5), 3, 1, 1),
        (28.0, 0.0, 1, 1, 0),
    ]
    assert curve.filter(pl.col("survival").is_in([0.0, 1.0])).select("low", "high").drop_nulls().is_empty()


CASES = st.lists(
    st.tuples(st.integers(0, 900), st.booleans(), st.sampled_from(["A", "B", None])), min_size=1, max_size=25
)


@settings(deadline=None, max_examples=40)
@given(CASES, st.randoms(use_true_random=False))
def test_permuting_patients_changes_nothing(cases, random):
    days, happened, arms = zip(*cases, strict=True)
    study, events = arms_study(arms), events_of(days, happened)
    shuffled = events[random.sample(range(len(cases)), len(cases))]
    table, curves = summarise_survival(study, events), compute_curves(study, events)
    SurvivalSummary.validate(table)
    AtRisk.validate(curves)
    assert table.equals(table.sort(SurvivalSummary.primary_key()))
    assert summarise_survival(study, shuffled).equals(table)
    assert compute_curves(study, shuffled).equals(curves)


@settings(deadline=None, max_examples=40)
@given(CASES)
def test_the_curves_hold_every_patient(cases):
    days, happened, arms = zip(*cases, strict=True)
    curves = compute_curves(arms_study(arms), events_of(days, happened))
    everyone = curves.filter(pl.col("group") == "all")
    assert everyone["events"].sum() == sum(happened)
    assert everyone["events"].sum() + everyone["censored"].sum() == len(cases)
    assert everyone["at_risk"][0] == len(cases)
    assert np.all(np.diff(everyone["survival"].to_numpy()) <= 0)


def test_values_that_are_empty_have_a_note():
    rng = np.random.default_rng(5)
    study = arms_study(rng.choice(["A", "B"], 12))
    for size in (1, 2, 12):
        table = summarise_survival(study, events_of(rng.integers(1, 500, size), rng.random(size) < 0.4))
        assert table.filter(pl.col("value").is_null() & pl.col("note").is_null()).is_empty()


@pytest.mark.parametrize("column", ["bclc", "child_pugh_class"])
def test_real_survival_after_tace_equals_lifelines(shared_data, column):
    """68 patients of HCC-TACE-Seg (doi 10.7937/TCIA.5FNA-0924): curve, median and RMST by group."""
    from lifelines import KaplanMeierFitter  # noqa: PLC0415
    from lifelines.utils import median_survival_times, restricted_mean_survival_time  # noqa: PLC0415

    clinical = pl.read_csv(shared_data / "hcc_tace_seg" / "clinical.csv").drop_nulls(
        ["os_weeks", "death", column]
    )
    days, died = clinical["os_weeks"].cast(pl.Float64) * 7, clinical["death"] == 1
    study, events = arms_study(clinical[column]), events_of(days, died)
    table, curves = summarise_survival(study, events), compute_curves(study, events)
    horizon = table.filter(pl.col("statistic") == "rmst")["at_days"].unique().item()
    compared: set[str] = set()
    for arm in clinical[column].unique():
        mine = (clinical[column] == arm).to_numpy()
        fitted = KaplanMeierFitter().fit(days.to_numpy()[mine], died.to_numpy()[mine])
        curve = curves.filter(pl.col("group") == arm)
        expected = fitted.survival_function_at_times(curve["days"].to_numpy() + 1e-5).to_numpy()
        assert curve["survival"].to_numpy() == pytest.approx(expected)
        middle = look(table, group=arm, statistic="median")
        limits = median_survival_times(fitted.confidence_interval_).to_numpy()[0]
        if not np.isclose(curve["survival"].to_numpy(), 0.5).any():  # there lifelines takes the first day
            assert middle["value"] == pytest.approx(fitted.median_survival_time_, abs=1e-4)
        for name, value in zip(("low", "high"), limits, strict=True):
            if middle[name] is not None:  # at 0 % lifelines gives limits of 0, R and we none
                assert middle[name] == pytest.approx(value, abs=1e-4)
                compared.add(name)
        mean = restricted_mean_survival_time(fitted, t=horizon)
        assert look(table, group=arm, statistic="rmst")["value"] == pytest.approx(mean, rel=1e-6)
    assert compared == {"low", "high"}
