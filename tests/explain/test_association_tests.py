"""Rank test, AUC and exact test against naive counting, published methods and exact small cases."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from hccresist.explain.association_logistic import fit_logistic, is_separated
from hccresist.explain.association_tests import (
    FEW_PATIENTS,
    TOO_FEW,
    Fit,
    auc_interval,
    exact_test,
    judge_terms,
    rank_test,
)

Z = 1.959963984540054
TIED = st.lists(st.integers(0, 6).map(float), min_size=2, max_size=14)


def pairs_won(positive, negative) -> float:
    """AUC by looking at every pair."""
    won = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in itertools.product(positive, negative)]
    return sum(won) / len(won)


def naive_delong(positive, negative) -> float:
    """DeLong's variance from the placement of every patient, as in their paper."""
    over = [pairs_won([a], negative) for a in positive]
    under = [pairs_won(positive, [b]) for b in negative]
    return np.var(over, ddof=1) / len(over) + np.var(under, ddof=1) / len(under)


@given(TIED, TIED)
def test_the_auc_is_the_share_of_pairs_won(positive, negative):
    auc, low, high = auc_interval(np.array(positive), np.array(negative))
    assert auc == pytest.approx(pairs_won(positive, negative))
    assert 0 <= low <= auc + 1e-9
    assert auc - 1e-9 <= high <= 1


@given(TIED, TIED)
def test_the_limits_are_delongs_on_the_logit_scale(positive, negative):
    auc, low, high = auc_interval(np.array(positive), np.array(negative))
    variance = naive_delong(positive, negative)
    if variance < 1e-12 or auc in {0.0, 1.0}:
        return
    logit = np.log(np.array([low, high]) / (1 - np.array([low, high])))
    assert logit.mean() == pytest.approx(np.log(auc / (1 - auc)), abs=1e-6)
    assert np.ptp(logit) / (2 * Z) * auc * (1 - auc) == pytest.approx(np.sqrt(variance), rel=1e-6)


@given(TIED, TIED)
def test_turning_the_values_round_turns_the_auc_round(positive, negative):
    a, b = np.array(positive), np.array(negative)
    auc, low, high = auc_interval(a, b)
    assert auc_interval(-a, -b) == pytest.approx((1 - auc, 1 - high, 1 - low), abs=1e-6)


@pytest.mark.parametrize(("m", "n"), [(3, 4), (10, 10), (5, 30)])
def test_complete_separation_has_newcombes_limits(m, n):
    """Newcombe 2006, method 5: the limit solves (AUC − θ)² = z² θ(1−θ)[1 + h(1−θ)/(2−θ) + hθ/(1+θ)]/(mn)."""
    auc, low, high = auc_interval(np.arange(m) + 100.0, np.arange(n) + 0.0)
    assert (auc, high) == (1.0, 1.0)
    h = (m + n) / 2 - 1
    variance = low * (1 - low) * (1 + h * (1 - low) / (2 - low) + h * low / (1 + low)) / (m * n)
    assert (1 - low) ** 2 == pytest.approx(Z**2 * variance, rel=1e-6)
    assert 0 < low < 1


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_the_interval_holds_the_true_auc_95_times_in_100(shift):
    """Two normals a shift apart have AUC Φ(shift/√2)."""
    rng, truth, runs = np.random.default_rng(7), stats.norm.cdf(shift / np.sqrt(2)), 800
    inside = 0
    for _ in range(runs):
        _, low, high = auc_interval(rng.normal(shift, 1, 20), rng.normal(0, 1, 30))
        inside += low <= truth <= high
    assert abs(inside / runs - 0.95) < 3 * np.sqrt(0.95 * 0.05 / runs)


@given(TIED, TIED)
def test_p_is_that_of_scipys_mann_whitney_test(positive, negative):
    values = np.array(positive + negative)
    labels = np.array([True] * len(positive) + [False] * len(negative))
    fit = rank_test(values, labels)
    if np.ptp(values) == 0:
        assert fit.effect is None
        return
    found = stats.mannwhitneyu(positive, negative)
    assert fit.effect == pytest.approx(found.statistic / (len(positive) * len(negative)))
    if min(len(positive), len(negative)) < FEW_PATIENTS:
        assert fit.p is None
        assert TOO_FEW in fit.notes[-1]
    elif len(np.unique(values)) < len(values):
        assert fit.p == pytest.approx(found.pvalue)


def test_p_without_ties_is_that_of_every_order():
    """Exact: the share of the orders of 10 and 10 with a sum of ranks as far from the middle."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=20)
    labels = np.array([True, False] * 10)
    ranks = stats.rankdata(values)
    middle = 10 * 21 / 2
    far = abs(ranks[labels].sum() - middle)
    sums = np.array([sum(chosen) for chosen in itertools.combinations(range(1, 21), 10)])
    assert rank_test(values, labels).p == pytest.approx((np.abs(sums - middle) >= far - 1e-9).mean())


@pytest.mark.parametrize("labels", [[True] * 5, [False] * 5])
def test_one_class_alone_is_not_estimable(labels):
    fit = rank_test(np.arange(5.0), np.array(labels))
    assert (fit.effect, fit.p, fit.events) == (None, None, 0)
    assert "one class is empty" in fit.notes[0]


def test_the_tea_tasting_lady():
    """Fisher 1935: 3 of 4 cups right. R's fisher.test prints an odds ratio of 6.408309.

    Its upper limit in R is rough (tolerance of uniroot), so that the limits are held against their
    definition: the odds at which 3 or more, and 3 or fewer, right cups have a chance of 0.025.
    """
    present = np.array([True] * 3 + [False] + [True] + [False] * 3)
    positive = np.array([True] * 4 + [False] * 4)
    fit = exact_test(present, positive)
    assert fit.effect == pytest.approx(6.408309, rel=1e-5)
    for odds, cups in ((fit.low, range(3, 5)), (fit.high, range(4))):
        weights = [math.comb(4, k) ** 2 * odds**k for k in range(5)]
        assert sum(weights[k] for k in cups) / sum(weights) == pytest.approx(0.025, rel=1e-6)
    assert fit.p is None
    ten = exact_test(np.tile(present, 5), np.tile(positive, 5))
    assert ten.p == pytest.approx(stats.fisher_exact([[15, 5], [5, 15]]).pvalue)


def test_an_empty_cell_has_no_upper_limit():
    fit = exact_test(np.array([True] * 4 + [False] * 16), np.array([True] * 10 + [False] * 10))
    assert (fit.effect, fit.high) == (None, None)
    assert fit.low is not None
    assert fit.low > 0
    assert any("no upper limit" in note for note in fit.notes)


def test_too_few_events_or_carriers_have_no_p():
    fit = Fit(n=50, events=25, effect=1.2, low=0.9, high=1.5, p=0.01)
    assert judge_terms(fit, 2).p == 0.01
    short = judge_terms(fit, 3)
    assert (short.p, short.effect, short.low) == (None, 1.2, 0.9)
    assert short.notes == ("too few to say (25 events for 3 terms, 10 for each are needed)",)
    assert judge_terms(fit, 1, carriers=4).p is None
    assert judge_terms(fit, 1, carriers=5).p == 0.01


def likelihood(beta, design, outcome) -> float:
    """Minus the log-likelihood of a logistic regression, term by term."""
    line = design @ beta
    return -sum(y * v - np.log1p(np.exp(v)) for y, v in zip(outcome, line, strict=True))


def test_logistic_regression_is_at_the_maximum_of_the_likelihood():
    rng = np.random.default_rng(11)
    design = rng.normal(size=(90, 3))
    outcome = rng.random(90) < 1 / (1 + np.exp(-(0.3 + design @ [0.8, -0.5, 0.0])))
    full = np.column_stack([np.ones(90), design])
    best = optimize.minimize(likelihood, np.zeros(4), (full, outcome.astype(float)), tol=1e-12)
    chance = 1 / (1 + np.exp(-full @ best.x))
    error = np.sqrt(np.linalg.inv((full * (chance * (1 - chance))[:, None]).T @ full)[1, 1])
    term = fit_logistic(design, outcome, term=0)
    assert term is not None
    assert term.value == pytest.approx(best.x[1], abs=1e-4)
    assert term.low == pytest.approx(best.x[1] - Z * error, abs=1e-3)
    assert term.p == pytest.approx(2 * stats.norm.sf(abs(best.x[1]) / error), rel=1e-2)
    assert not term.penalised


@pytest.mark.parametrize(("a", "b", "c", "d"), [(7, 0, 9, 12), (12, 5, 0, 9), (6, 6, 8, 0)])
def test_firths_estimate_of_a_two_by_two_table_adds_one_half_to_each_cell(a, b, c, d):
    """Firth 1993: in the saturated model Jeffreys' prior is the addition of one half."""
    design = np.repeat([1.0, 1.0, 0.0, 0.0], [a, b, c, d])[:, None]
    outcome = np.repeat([True, False, True, False], [a, b, c, d])
    assert is_separated(np.column_stack([np.ones(len(design)), design]), outcome)
    term = fit_logistic(design, outcome, term=0)
    assert term is not None
    assert term.penalised
    expected = np.log((a + 0.5) * (d + 0.5) / ((b + 0.5) * (c + 0.5)))
    assert term.value == pytest.approx(expected, abs=1e-6)
    assert (term.low or -np.inf) < expected < (term.high or np.inf)


def test_firths_limits_are_where_the_penalised_likelihood_has_fallen_by_half_the_chi_square():
    """Heinze and Schemper 2002, with the profile maximised here over a grid-free other optimiser."""
    x = np.repeat([1.0, 0.0], [8, 20])
    outcome = np.repeat([True, False, True, False], [8, 0, 6, 14])
    full = np.column_stack([np.ones(28), x])

    def penalised(beta):
        chance = 1 / (1 + np.exp(-full @ beta))
        information = (full * (chance * (1 - chance))[:, None]).T @ full
        return -likelihood(beta, full, outcome.astype(float)) + 0.5 * np.log(np.linalg.det(information))

    def profile(value):
        return optimize.minimize_scalar(lambda a: -penalised(np.array([a, value])), (-3, 3)).fun

    term = fit_logistic(x[:, None], outcome, term=0)
    assert term is not None
    top = profile(term.value)
    assert term.low is not None
    assert 2 * (profile(term.low) - top) == pytest.approx(stats.chi2.ppf(0.95, 1), abs=1e-4)
    assert term.p == pytest.approx(stats.chi2.sf(2 * (profile(0.0) - top), 1), rel=1e-3)


def test_overlapping_classes_are_not_separated_and_collinear_terms_are_told():
    x = np.array([0.0, 1, 2, 3, 4, 5])
    full = np.column_stack([np.ones(6), x])
    assert not is_separated(full, np.array([True, False, True, False, True, False]))
    assert is_separated(full, x > 2)
    assert fit_logistic(np.column_stack([x, 2 * x]), np.array([True, False] * 3), term=0) is None
