"""Response rates: exact limits against print, denominators and clinical benefit by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outcome_cases import assessed, best_response, make_study, timepoints
from scipy.stats import binomtest

from hccresist.errors import InputError
from hccresist.outcomes.rates import clopper_pearson, compute_rates
from hccresist.outcomes.results import Rates


@pytest.mark.parametrize(
    ("events", "n", "low", "high"),
    [
        # Newcombe RG. Stat Med 1998;17:857–872, table I, method 5 (Clopper–Pearson)
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0, 0.1684),
        (1, 29, 0.0009, 0.1776),
    ],
)
def test_exact_limits_as_printed_by_newcombe(events, n, low, high):
    found = [float(limit[0]) for limit in clopper_pearson([events], [n])]
    assert found == pytest.approx([low, high], abs=5e-5)


def test_nobody_and_everybody():
    # Closed form: with none of n the upper limit p solves (1 − p)^n = 0.025; with all of n, p^n = 0.025.
    low, high = clopper_pearson([0, 7], [7, 7])
    assert low.tolist() == pytest.approx([0.0, 0.025 ** (1 / 7)])
    assert high.tolist() == pytest.approx([1 - 0.025 ** (1 / 7), 1.0])


@settings(deadline=None)
@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_exact_limits_equal_those_of_scipys_binomial_test(case):
    events, n = case
    expected = binomtest(events, n).proportion_ci(0.95, "exact")
    low, high = clopper_pearson([events], [n])
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), abs=1e-10)
    assert low[0] <= events / n <= high[0]


def baselines(patients, *, measurable=(), evaluable=(), reader="", criterion="recist11"):
    return pl.DataFrame(
        {
            "patient_id": list(patients),
            "reader": reader,
            "criterion": criterion,
            "measurable": [p in measurable for p in patients],
            "evaluable": [p in evaluable for p in patients],
        }
    )


def counts(rates, group="all", *, confirmed=False):
    """Measure to (events, n)."""
    rows = rates.filter((pl.col("group") == group) & (pl.col("confirmed") == confirmed))
    return {row["measure"]: (row["events"], row["n"]) for row in rows.to_dicts()}


COHORT = {
    "a": {56: "PR", 112: "PR", 168: "PR"},  # response
    "b": {56: "SD", 112: "SD", 168: "SD"},  # stable for 24 weeks
    "c": {56: "SD", 112: "SD", 168: "PD"},  # progression on the day itself
    "d": {56: "PD"},
    "e": {56: "NE"},
    "f": {},  # never assessed
}


def cohort(**policies):
    arms = {"a": "A", "b": "A", "c": "A", "d": "B", "e": "B", "f": "B"}
    study = make_study(arms, **policies)
    visits, best = assessed(COHORT)
    flags = baselines("abcdef", measurable="abcd", evaluable="abcd")
    rates = compute_rates(study, best_response=best, baselines=flags, timepoints=visits)
    Rates.validate(rates)
    assert rates.equals(rates.sort(Rates.primary_key()))
    return rates


def test_every_patient_counts_by_default():
    rates = cohort()
    assert counts(rates) == {"ORR": (1, 6), "DCR": (3, 6), "CBR": (2, 6)}
    assert counts(rates, "A") == {"ORR": (1, 3), "DCR": (3, 3), "CBR": (2, 3)}
    assert counts(rates, "B") == {"ORR": (0, 3), "DCR": (0, 3), "CBR": (0, 3)}
    assert set(rates["denominator"]) == {"all"}
    orr = rates.filter((pl.col("group") == "all") & (pl.col("measure") == "ORR"))
    assert orr["percent"].to_list() == pytest.approx([100 / 6] * 2)


@pytest.mark.parametrize("denominator", ["measurable", "evaluable"])
def test_other_denominators(denominator):
    rates = cohort(denominator=denominator)
    assert counts(rates) == {"ORR": (1, 4), "DCR": (3, 4), "CBR": (2, 4)}
    assert counts(rates, "B") == {"ORR": (0, 1), "DCR": (0, 1), "CBR": (0, 1)}
    assert set(rates["denominator"]) == {denominator}


def test_a_response_of_a_patient_who_is_not_counted_is_not_counted():
    study = make_study(["a", "b"], denominator="measurable")
    visits, best = assessed({"a": {56: "CR", 168: "CR"}, "b": {56: "PR", 168: "PR"}})
    flags = baselines("ab", measurable="b", evaluable="ab")
    rates = compute_rates(study, best_response=best, baselines=flags, timepoints=visits)
    assert counts(rates) == {"ORR": (1, 1), "DCR": (1, 1), "CBR": (1, 1)}


def test_a_rate_of_nobody_is_empty():
    study = make_study({"a": "A", "b": "B"}, denominator="evaluable")
    visits, best = assessed({"a": {56: "PR"}, "b": {}})
    flags = baselines("ab", evaluable="a")
    rates = compute_rates(study, best_response=best, baselines=flags, timepoints=visits)
    nobody = rates.filter(pl.col("group") == "B")
    assert nobody["n"].to_list() == nobody["events"].to_list() == [0] * 6
    assert nobody.select("percent", "low", "high").null_count().row(0) == (6, 6, 6)


def test_an_unconfirmed_response_is_what_it_became():
    study = make_study(["a"])
    best = best_response({"a": {"best": "PR", "confirmed": "SD", "response": 56.0}})
    visits = timepoints({"a": {56: "PR", 70: "SD"}})
    rates = compute_rates(study, best_response=best, baselines=baselines("a"), timepoints=visits)
    assert counts(rates) == {"ORR": (1, 1), "DCR": (1, 1), "CBR": (1, 1)}
    assert counts(rates, confirmed=True) == {"ORR": (0, 1), "DCR": (1, 1), "CBR": (0, 1)}


def test_patients_whom_a_reader_did_not_assess_stay_in_the_denominator():
    study = make_study({"a": "A", "b": "B"})
    visits, best = assessed({"a": {56: "PR"}}, reader="2")
    rates = compute_rates(study, best_response=best, baselines=baselines("a", reader="2"), timepoints=visits)
    assert counts(rates)["ORR"] == (1, 2)
    assert counts(rates, "B")["ORR"] == (0, 1)


def test_words_of_irecist():
    study = make_study(["a", "b", "c", "d"])
    rows = {"a": {"best": "iPR", "response": 56.0}, "b": {"best": "iSD"}, "c": {"best": "iUPD"}}
    best = best_response({**rows, "d": {"best": "NON-iCR/NON-iUPD"}}, criterion="irecist")
    visits = timepoints(
        {"b": {56: "iSD", 112: "iUPD", 168: "iSD"}, "d": {56: "iSD", 168: "iUPD"}}, criterion="irecist"
    )
    flags = baselines("abcd", criterion="irecist")
    rates = compute_rates(study, best_response=best, baselines=flags, timepoints=visits)
    assert counts(rates) == {"ORR": (1, 4), "DCR": (3, 4), "CBR": (2, 4)}


def test_clinical_benefit_as_admiralonco_defines_it():
    """The example of `derive_param_clinbenefit` (admiralonco, R/derive_param_clinbenefit.R), 28 days.

    Its rule, there: an evaluable assessment other than PD at least 28 days after the reference date
    and before PD. 01: SD on day 60; 02: PR on day 51 before PD on day 80; 03: SD on day 21, too
    early; 04: only NE. Days are those between its dates.
    """
    study = make_study(["01", "02", "03", "04"], cbr_min_days=28)
    visits = timepoints(
        {
            "01": {60: "SD", 455: "PR"},
            "02": {51: "PR", 80: "PD", 124: "CR"},
            "03": {21: "SD"},
            "04": {30: "NE"},
        }
    )
    best = best_response(
        {
            "01": {"best": "SD"},
            "02": {"best": "SD", "progression": 80.0},
            "03": {"best": "SD"},
            "04": {"best": "NE"},
        }
    )
    rates = compute_rates(study, best_response=best, baselines=baselines(["01"]), timepoints=visits)
    assert counts(rates)["CBR"] == (2, 4)


def test_a_control_seen_after_progression_is_no_benefit():
    study = make_study(["a"])
    visits, best = assessed({"a": {56: "SD", 112: "PD", 168: "SD"}})
    rates = compute_rates(study, best_response=best, baselines=baselines("a"), timepoints=visits)
    assert counts(rates)["CBR"] == (0, 1)


def test_no_assessment_no_rates():
    visits, best = assessed({})
    rates = compute_rates(make_study(["a"]), best_response=best, baselines=baselines(""), timepoints=visits)
    assert rates.is_empty()
    Rates.validate(rates)


def test_an_arm_called_all_is_refused():
    visits, best = assessed({"a": {}})
    with pytest.raises(InputError, match="an arm is called 'all'"):
        compute_rates(
            make_study({"a": "all"}), best_response=best, baselines=baselines("a"), timepoints=visits
        )


def test_arms_add_up_to_all():
    rng = np.random.default_rng(3)
    words = np.array(["CR", "PR", "SD", "PD", "NE"])
    names = [f"p{i:03d}" for i in range(200)]
    arms = {name: rng.choice(["A", "B", "C"]) for name in names}
    visits, best = assessed({name: {56.0 * k: rng.choice(words) for k in range(1, 5)} for name in names})
    rates = compute_rates(make_study(arms), best_response=best, baselines=baselines(names), timepoints=visits)
    sums = (
        rates.filter(pl.col("group") != "all")
        .group_by("measure", "confirmed")
        .agg(pl.col("events", "n").sum())
    )
    both = sums.join(rates.filter(pl.col("group") == "all"), on=["measure", "confirmed"])
    assert both["events"].to_list() == both["events_right"].to_list()
    assert both["n"].to_list() == [200] * 6
