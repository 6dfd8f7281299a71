"""Aalen–Johansen against a published worked example, closed forms and lifelines."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import AalenJohansenFitter
from outcome_cases import arms_study, assessed, counts_of, events_of, make_study

from hccresist.outcomes.competing import Incidence, aalen_johansen, compute_cumulative_incidence
from hccresist.outcomes.endpoints import derive_events
from hccresist.outcomes.kaplan_meier import kaplan_meier
from hccresist.outcomes.results import CumulativeIncidence

CAUSE = st.sampled_from(["a", "b", None])
CASES = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 9), CAUSE), min_size=1, max_size=30)


def by_cause(days, causes, names, entry=None):
    return {name: counts_of(days, [cause == name for cause in causes], entry) for name in names}


def spread(cases):
    entry, span, causes = zip(*cases, strict=True)
    return [float(e) for e in entry], [float(e + d) for e, d in zip(entry, span, strict=True)], causes


def test_the_worked_example_of_satagopan():
    """Satagopan JM et al. Br J Cancer 2004;91:1229–1235, table 2: 305 patients with breast cancer.

    The nine patients listed, and 296 who are followed for longer. Each of the four deaths from cancer
    is printed as an incidence of 0.3 %; the printed running total adds the rounded numbers (1.2 %).
    """
    days = [7, 10, 14, 16, 18, 23, 24, 26, 27] + [40] * 296
    causes = [None, "cancer", None, "cancer", "other", "cancer", None, "other", "cancer"] + [None] * 296
    found = aalen_johansen(by_cause(days, causes, ["cancer", "other"]))
    steps = 100 * np.diff(found["cancer"].share, prepend=0)
    assert np.round(steps[steps > 0], 1).tolist() == [0.3, 0.3, 0.3, 0.3]
    overall = 100 * (1 - found["cancer"].share - found["other"].share)
    left = dict(zip(found["cancer"].days, np.round(overall, 1), strict=True))
    assert [left[day] for day in (10, 16, 18, 23, 26, 27)] == [99.7, 99.3, 99.0, 98.7, 98.3, 98.0]


def test_by_hand_with_ties_and_censoring():
    # 6 at risk: day 1 one a, one b; day 2 one censored; day 3 one a of 3; day 4 one b of 2; day 5 censored
    found = aalen_johansen(by_cause([1, 1, 2, 3, 4, 5], ["a", "b", None, "a", "b", None], ["a", "b"]))
    a, b = 1 / 6 + (4 / 6) / 3, 1 / 6 + (4 / 9) / 2
    assert found["a"].share.tolist() == pytest.approx([1 / 6, 1 / 6, a, a, a])
    assert found["b"].share.tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 6, b, b])


@settings(deadline=None)
@given(CASES)
def test_causes_add_up_to_one_minus_the_kaplan_meier_curve(cases):
    entry, days, causes = spread(cases)
    found = aalen_johansen(by_cause(days, causes, ["a", "b"], entry))
    curve = kaplan_meier(counts_of(days, [cause is not None for cause in causes], entry))
    assert found["a"].share + found["b"].share == pytest.approx(1 - curve.survival)
    for incidence in found.values():
        assert np.all(np.diff(incidence.share) >= 0)
        assert np.all((incidence.share >= 0) & (incidence.share <= 1 + 1e-12))
        low, high = incidence.limits()
        known = ~np.isnan(low)
        assert np.all((low[known] >= 0) & (low[known] <= incidence.share[known] + 1e-12))
        assert np.all((high[known] <= 1) & (high[known] >= incidence.share[known] - 1e-12))


@settings(deadline=None)
@given(CASES)
def test_with_one_cause_the_variance_is_greenwoods(cases):
    _, days, causes = spread(cases)
    counts = counts_of(days, [cause is not None for cause in causes])
    curve, only = kaplan_meier(counts), aalen_johansen({"any": counts})["any"]
    inner = curve.survival > 0
    greenwood = curve.survival[inner] ** 2 * curve.hazard_variance[inner]
    assert only.variance[inner] == pytest.approx(greenwood, abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from([0, 1, 2]), min_size=3, max_size=25))
def test_estimate_and_variance_equal_lifelines_without_ties(codes):
    days, names = np.arange(1.0, len(codes) + 1), {1: "a", 2: "b"}
    found = aalen_johansen(by_cause(days, [names.get(code) for code in codes], ["a", "b"]))
    for code, name in names.items():
        if code not in codes:
            assert not found[name].share.any()
            continue
        fitted = AalenJohansenFitter(calculate_variance=True).fit(days, codes, event_of_interest=code)
        assert found[name].share == pytest.approx(fitted.cumulative_density_.to_numpy()[1:, 0])
        if codes[-1] == 0:  # lifelines divides by zero where the last patient has the event
            assert found[name].variance == pytest.approx(fitted.variance_.to_numpy()[1:], abs=1e-9)


def test_limits_on_the_log_log_scale_by_hand():
    # F = 1/2, variance 1/16: exponent exp(±1.959964·0.25/(0.5·log 0.5)) of 1/2
    low, high = Incidence(np.array([1.0]), np.array([0.5]), np.array([1 / 16])).limits()
    width = 1.959964 * 0.25 / (0.5 * np.log(0.5))
    assert (low[0], high[0]) == pytest.approx((0.5 ** np.exp(-width), 0.5 ** np.exp(width)), rel=1e-6)
    assert low[0] < 0.5 < high[0]


def last(table, **key):
    rows = table.filter(pl.col(name) == value for name, value in key.items()).sort("days")
    return rows["days"][-1], rows["incidence"][-1]


def test_progression_against_death_in_a_study():
    ends = {"p0": (300.0, True), "p1": (100.0, True), "p2": (400.0, False), "p3": (400.0, False)}
    survival = [{"patient_id": p, "os_days": day, "died": died} for p, (day, died) in ends.items()]
    study = make_study({"p0": "A", "p1": "A", "p2": "B", "p3": "B"}, survival=survival)
    courses = {"p0": {56: "PD"}, "p1": {56: "SD"}, "p2": {56: "SD", 112: "PD"}, "p3": {56: "SD"}}
    visits, best = assessed(courses)
    table = compute_cumulative_incidence(study, derive_events(study, timepoints=visits, best_response=best))
    CumulativeIncidence.validate(table)
    assert table["endpoint"].unique().to_list() == ["PFS"]
    # day 56: one of 4 progresses, one is censored; day 100: one of 2 dies; day 112: the last progresses
    assert last(table, group="all", cause="progression") == (112.0, pytest.approx(1 / 4 + 3 / 8))
    assert last(table, group="all", cause="death") == (112.0, pytest.approx(3 / 8))
    assert last(table, group="A", cause="progression") == (100.0, pytest.approx(1 / 2))
    assert table.filter(pl.col("days") == 0)["incidence"].unique().to_list() == [0]


def test_deaths_by_cause_only_where_the_study_knows_some():
    rows = {"p0": ("tumour", True), "p1": ("liver", True), "p2": (None, True), "p3": ("tumour", False)}
    survival = [
        {"patient_id": p, "os_days": 100.0 * (i + 1), "died": died, "death_cause": cause}
        for i, (p, (cause, died)) in enumerate(rows.items())
    ]
    study = make_study(list(rows), survival=survival)
    visits, best = assessed({})
    events = derive_events(study, timepoints=visits, best_response=best)
    table = compute_cumulative_incidence(study, events)
    CumulativeIncidence.validate(table)
    found = {cause: last(table, cause=cause) for cause in table["cause"].unique()}
    assert found == {cause: (400.0, pytest.approx(0.25)) for cause in ("tumour", "liver", "unknown")}
    silent = study.tables["survival"].with_columns(death_cause=pl.lit(None, dtype=pl.String))
    study = type(study)(config=study.config, tables={**study.tables, "survival": silent})
    assert compute_cumulative_incidence(study, events).is_empty()


def test_a_procedure_competes_where_the_policy_counts_it():
    study = make_study(["p"], procedures=[("p", 70.0, "transplant")], curative_procedure="event")
    visits, best = assessed({"p": {56: "SD"}})
    table = compute_cumulative_incidence(study, derive_events(study, timepoints=visits, best_response=best))
    assert table["cause"].unique().to_list() == ["procedure"]


def test_two_runs_and_any_order_give_the_same_table():
    rng = np.random.default_rng(2)
    days, codes = rng.integers(1, 20, 80), rng.integers(0, 3, 80)
    causes = [(None, "progression", "death")[code] for code in codes]
    events = events_of(days, codes > 0, endpoint="PFS", causes=causes)
    study = arms_study(rng.choice(["A", "B"], 80))
    table = compute_cumulative_incidence(study, events)
    assert table.equals(table.sort(CumulativeIncidence.primary_key()))
    assert compute_cumulative_incidence(study, events[rng.permutation(80)]).equals(table)


def test_nobody():
    empty = compute_cumulative_incidence(arms_study([]), events_of([], []))
    assert empty.is_empty()
    CumulativeIncidence.validate(empty)
