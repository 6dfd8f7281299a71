"""Kaplan–Meier against printed tables, lifelines and SciPy, and its general properties.

Sources of the printed numbers
- R survival, tests/doaml.Rout.save in github.com/therneau/survival (R 2.11.1): aml by maintenance.
- R survival, tests/quantile.Rout.save, same repository (R 4.3.2): medians on a flat stretch.
- Stata `sts list, by(group)` for the remission data, log–log limits: G. Rodríguez,
  data.princeton.edu/eco572/KaplanMeier.html (control group, weeks 1 and 2).
- Remission under 6-MP, log–log limits, median and RMST: README of the public repository
  "survival-analysis-toolkit" (survkit), which checks itself against R survival.
- Test data 2 of T. Therneau's vignette "Validation" of R survival: numbers at risk with delayed entry.
"""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.exceptions import StatError
from lifelines.utils import median_survival_times, restricted_mean_survival_time
from outcome_cases import AML_MAINTAINED, AML_NONMAINTAINED, MERCAPTOPURINE, PLACEBO, counts_of, parse
from scipy.stats import CensoredData, ecdf

from hccresist.outcomes.kaplan_meier import follow_up, kaplan_meier, median, restricted_mean, survival_on


def curve_of(text):
    return kaplan_meier(counts_of(*parse(text)))


def at(curve, day):
    place = curve.days.tolist().index(day)
    error = float(curve.survival[place] * np.sqrt(curve.hazard_variance[place]))
    return int(curve.at_risk[place]), float(curve.survival[place]), error


@pytest.mark.parametrize(
    ("day", "at_risk", "survival", "error"),
    [
        (9, 11, 0.909, 0.0867),
        (13, 10, 0.818, 0.1163),
        (18, 8, 0.716, 0.1397),
        (23, 7, 0.614, 0.1526),
        (31, 5, 0.491, 0.1642),
        (34, 4, 0.368, 0.1627),
        (48, 2, 0.184, 0.1535),
    ],
)
def test_aml_maintained_as_r_prints_it(day, at_risk, survival, error):
    found = at(curve_of(AML_MAINTAINED), day)
    assert found[0] == at_risk
    assert found[1:] == pytest.approx((survival, error), abs=5e-4)


@pytest.mark.parametrize(
    ("day", "at_risk", "survival", "error"),
    [
        (5, 12, 0.8333, 0.1076),
        (8, 10, 0.6667, 0.1361),
        (12, 8, 0.5833, 0.1423),
        (23, 6, 0.4861, 0.1481),
        (27, 5, 0.3889, 0.1470),
        (30, 4, 0.2917, 0.1387),
        (33, 3, 0.1944, 0.1219),
        (43, 2, 0.0972, 0.0919),
    ],
)
def test_aml_nonmaintained_as_r_prints_it(day, at_risk, survival, error):
    found = at(curve_of(AML_NONMAINTAINED), day)
    assert found[0] == at_risk
    assert found[1:] == pytest.approx((survival, error), abs=5e-5)


def test_aml_medians_as_r_prints_them():
    assert median(curve_of(AML_MAINTAINED)).value == 31
    assert median(curve_of(AML_NONMAINTAINED)).value == 23


@pytest.mark.parametrize(
    ("text", "day", "printed"),
    [
        (PLACEBO, 1, (0.9048, 0.0641, 0.6700, 0.9753)),
        (PLACEBO, 2, (0.8095, 0.0857, 0.5689, 0.9239)),
        (MERCAPTOPURINE, 6, (0.8571, 0.0764, 0.6197, 0.9516)),
        (MERCAPTOPURINE, 7, (0.8067, 0.0869, 0.5631, 0.9228)),
    ],
)
def test_log_log_limits_as_printed(text, day, printed):
    curve = curve_of(text)
    estimate = survival_on(curve, day)
    found = (estimate.value, at(curve, day)[2], estimate.low, estimate.high)
    assert found == pytest.approx(printed, abs=5e-5)


def test_remission_under_mercaptopurine_as_printed():
    curve = curve_of(MERCAPTOPURINE)
    middle, mean = median(curve), restricted_mean(curve, 23)
    assert (middle.value, middle.low, middle.high) == (23, 13, None)
    assert middle.note == "upper limit not reached"
    assert mean.value == pytest.approx(17.91, abs=0.005)
    assert (mean.high - mean.value) / 1.959964 == pytest.approx(1.55, abs=0.005)


def test_median_on_a_flat_stretch_is_its_middle():
    # tests/quantile.R: times 1 1+ 6 6 8+ 9 10+; S = 6/7, 18/35, 9/35. Two groups of it have S = 3/4, 3/8
    # and 2/3, 0. R takes the middle where a curve equals the quantile exactly; here S = 1/2 from 2 to 5.
    assert median(kaplan_meier(counts_of([1, 2, 5, 7], [True] * 4))).value == 3.5
    assert median(curve_of("1 1+ 6 6 8+ 9 10+")).value == 9
    assert median(curve_of("1 2 5+ 7+")).value == 2  # the curve never leaves 1/2


def test_delayed_entry_as_in_therneaus_validation():
    entry, exits = [1, 2, 5, 2, 1, 7, 3, 4, 8, 8], [2, 3, 6, 7, 8, 9, 9, 9, 14, 17]
    curve = kaplan_meier(counts_of(exits, [True] * 7 + [False] * 3, entry))
    events = curve.counts.events > 0
    assert curve.days[events].tolist() == [2, 3, 6, 7, 8, 9]
    assert curve.at_risk[events].tolist() == [2, 3, 5, 4, 4, 5]  # column "Number at Risk" of table 2
    by_hand = 1 / 2 * 2 / 3 * 4 / 5 * 3 / 4 * 3 / 4 * 3 / 5
    assert curve.survival[-1] == pytest.approx(by_hand)


def test_a_restricted_mean_by_hand():
    # S is 1 to day 2, 3/4 to day 4, 1/2 from then on: 2 + 1.5 + 1 = 4.5 up to day 6.
    # Variance: remaining areas 2.5 and 1 with terms 1/(4·3) and 1/(3·2): 2.5²/12 + 1²/6.
    mean = restricted_mean(curve_of("2 4 6+ 6+"), 6)
    assert mean.value == pytest.approx(4.5)
    assert mean.high - mean.value == pytest.approx(1.959964 * (2.5**2 / 12 + 1 / 6) ** 0.5, rel=1e-6)


def test_follow_up_by_hand():
    # Censoring is the event. At risk 5, 4, 3, 2, 1; censored on days 2, 4 and 6: S = 3/4, 3/8, 0.
    counts = counts_of(*parse("1 2+ 3 4+ 6+"))
    assert kaplan_meier(counts.reversed()).survival.tolist() == pytest.approx([1, 3 / 4, 3 / 4, 3 / 8, 0])
    assert follow_up(counts).value == 4


TIMES = st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=40)


def split(cases):
    return [float(day) for day, _ in cases], [event for _, event in cases]


@settings(deadline=None)
@given(TIMES)
def test_a_curve_never_rises_and_stays_between_its_limits(cases):
    curve = kaplan_meier(counts_of(*split(cases)))
    assert np.all(np.diff(curve.survival) <= 0)
    assert np.all((curve.survival >= 0) & (curve.survival <= 1))
    known = ~np.isnan(curve.low)
    assert np.all((curve.low[known] >= 0) & (curve.low[known] <= curve.survival[known]))
    assert np.all((curve.high[known] <= 1) & (curve.high[known] >= curve.survival[known]))


@settings(deadline=None)
@given(TIMES, st.sampled_from([0.5, 2.0, 30.0]))
def test_scaling_time_scales_medians_and_means(cases, factor):
    days, happened = split(cases)
    curve = kaplan_meier(counts_of(days, happened))
    scaled = kaplan_meier(counts_of([factor * day for day in days], happened))
    for original, other in (
        (median(curve), median(scaled)),
        (restricted_mean(curve, max(days)), restricted_mean(scaled, factor * max(days))),
        (follow_up(curve.counts), follow_up(scaled.counts)),
    ):
        for part in ("value", "low", "high"):
            one, two = getattr(original, part), getattr(other, part)
            assert (one is None) == (two is None)
            if one is not None:
                assert two == pytest.approx(factor * one)


@settings(deadline=None)
@given(TIMES)
def test_the_curve_equals_scipys_and_lifelines(cases):

    days, happened = split(cases)
    curve = kaplan_meier(counts_of(days, happened))
    data = CensoredData.right_censored(days, ~np.array(happened))
    assert ecdf(data).sf.evaluate(curve.days) == pytest.approx(curve.survival)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = KaplanMeierFitter().fit(days, happened)
        limits = fitted.confidence_interval_.loc[curve.days].to_numpy()
    known = ~np.isnan(curve.low)
    assert limits[known, 0] == pytest.approx(curve.low[known])
    assert limits[known, 1] == pytest.approx(curve.high[known])


ENTRIES = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 8), st.booleans()), min_size=1, max_size=30)


@settings(deadline=None)
@given(ENTRIES)
def test_numbers_at_risk_equal_a_count_by_hand(cases):
    entry, days = [float(e) for e, _, _ in cases], [float(e + d) for e, d, _ in cases]
    counts = counts_of(days, [event for _, _, event in cases], entry)
    moments = np.arange(0.5, 15, 0.5)
    expected = [sum((e < t or e == 0) and t <= d for e, d in zip(entry, days, strict=True)) for t in moments]
    assert counts.at_risk(moments).tolist() == expected


@settings(deadline=None, max_examples=50)
@given(ENTRIES)
def test_delayed_entry_equals_lifelines(cases):

    entry, days = [float(e) for e, _, _ in cases], [float(e + d) for e, d, _ in cases]
    happened = [event for _, _, event in cases]
    curve = kaplan_meier(counts_of(days, happened, entry))
    if curve.emptied_day is not None:
        assert median(curve).note.startswith("not estimable: with delayed entry")
        return
    try:
        fitted = KaplanMeierFitter().fit(days, happened, entry=entry)
    except StatError:
        reject()  # lifelines refuses where nobody is at risk for a while
    expected = fitted.survival_function_at_times(curve.days).to_numpy()
    assert expected == pytest.approx(curve.survival)


def test_nobody_one_patient_and_nobody_with_the_event():
    nobody = kaplan_meier(counts_of([], []))
    for estimate in (
        median(nobody),
        survival_on(nobody, 10),
        restricted_mean(nobody, 10),
        follow_up(nobody.counts),
    ):
        assert (estimate.value, estimate.note) == (None, "not estimable: no patients")
    alone = curve_of("30")
    assert median(alone).value == 30
    assert survival_on(alone, 29).value == 1
    assert (survival_on(alone, 30).value, survival_on(alone, 99).value) == (0, 0)
    assert restricted_mean(alone, 30).value == 30
    free = curve_of("30+ 60+")
    assert (median(free).value, median(free).note) == (
        None,
        "not reached: the curve ends at 100.0 % on day 60",
    )
    assert survival_on(free, 60).value == 1
    assert survival_on(free, 61).note == "not estimable: follow-up ends on day 60"
    assert restricted_mean(free, 60).value == 60
    assert follow_up(curve_of("30 60").counts).note == "not reached: too few patients were censored"


def test_real_recurrence_times_equal_lifelines(shared_data):
    """227 resected patients, `hcc_asaur_cxcl17` (Li 2014, PLoS One 9:e110064): medians and RMST."""

    table = pl.read_csv(shared_data / "hcc_asaur_cxcl17" / "hepatoCellular.csv", infer_schema_length=None)
    for days, event in (("OS", "Death"), ("RFS", "Recurrence")):
        time, happened = table[days].cast(pl.Float64).to_numpy(), table[event].to_numpy() == 1
        curve = kaplan_meier(counts_of(time, happened))
        fitted = KaplanMeierFitter().fit(time, happened)
        assert fitted.survival_function_at_times(curve.days).to_numpy() == pytest.approx(curve.survival)
        limits = median_survival_times(fitted.confidence_interval_).to_numpy()[0]
        found = median(curve)
        expected = [fitted.median_survival_time_, *limits]
        for one, two in zip((found.value, found.low, found.high), expected, strict=True):
            assert (np.inf if one is None else one) == pytest.approx(two)
        mean = restricted_mean_survival_time(fitted, t=60)
        assert restricted_mean(curve, 60).value == pytest.approx(mean)
