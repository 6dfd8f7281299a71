"""Log-rank test and hazard ratio against printed R output, worked likelihoods and lifelines.

Sources of the printed numbers
- R survival, tests/doaml.Rout.save and tests/Examples/survival-Ex.Rout.save in
  github.com/therneau/survival: aml (survdiff, coxph) and lung (stratified survdiff).
- "Validation", vignette of R survival by T. Therneau, test data 1 and 2: likelihoods written out.
- Remission data: README of the public repository "survival-analysis-toolkit" (survkit), which
  checks itself against R survival.
- lung by sex: survdiff output as printed in the Machine Learning with R Cookbook, 2nd ed. (Packt).
"""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter
from lifelines.datasets import load_lung
from lifelines.statistics import multivariate_logrank_test
from outcome_cases import AML_MAINTAINED, AML_NONMAINTAINED, MERCAPTOPURINE, PLACEBO, counts_of, parse
from scipy.optimize import minimize_scalar
from scipy.stats import CensoredData, logrank

from hccresist.outcomes.contrasts import hazard_ratio, log_rank

AML = [
    {"Nonmaintained": counts_of(*parse(AML_NONMAINTAINED)), "Maintained": counts_of(*parse(AML_MAINTAINED))}
]
REMISSION = [{"placebo": counts_of(*parse(PLACEBO)), "6-MP": counts_of(*parse(MERCAPTOPURINE))}]


def coefficient(ratio):
    """Log hazard ratio and its standard error, from the limits."""
    return np.log(ratio.value), np.log(ratio.high / ratio.low) / (2 * 1.959964)


def test_aml_log_rank_as_r_prints_it():
    test = log_rank(AML, ["Nonmaintained", "Maintained"])
    assert test.chi_square == pytest.approx(3.40, abs=0.005)
    assert test.p_value == pytest.approx(0.0653, abs=5e-5)
    assert (test.degrees, test.note) == (1, "chi-square 3.40 on 1 degree of freedom")


def test_aml_hazard_ratio_as_r_prints_it():
    ratio = hazard_ratio(AML, "Nonmaintained", "Maintained")
    assert coefficient(ratio) == pytest.approx((0.916, 0.512), abs=5e-4)
    assert ratio.value == pytest.approx(2.5, abs=0.005)


def test_a_group_censored_before_the_first_event_changes_nothing():
    # tests/difftest.Rout.save: aml with seven early censorings as a third group, chi-square 3.4 on 1
    dummy = counts_of([1, 2, 2, 3, 3, 3, 4], [False] * 7)
    test = log_rank([{**AML[0], "Dummy": dummy}], ["Nonmaintained", "Maintained", "Dummy"])
    assert (test.degrees, round(test.chi_square, 1)) == (1, 3.4)


def test_remission_as_printed():
    test = log_rank(REMISSION, ["placebo", "6-MP"])
    assert test.chi_square == pytest.approx(16.7929, abs=5e-5)
    assert test.p_value == pytest.approx(4.169e-05, abs=5e-9)
    ratio = hazard_ratio(REMISSION, "placebo", "6-MP")
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((4.8169, 2.1465, 10.8093), abs=5e-5)
    assert coefficient(ratio) == pytest.approx((1.5721, 0.4124), abs=5e-5)


def test_efrons_likelihood_of_test_data_1():
    # time 1 1+ 6 | 6 8+ 9 with x = 1 | 0; the vignette solves the cubic: r = 5.348721, β = 1.676857.
    # The information is taken from its formula, which gives 83/144 at β = 0 as printed; the value printed
    # at the solution, 0.652077, is not that of the formula.
    strata = [{"x": counts_of(*parse("1 1+ 6")), "o": counts_of(*parse("6 8+ 9"))}]
    beta, error = coefficient(hazard_ratio(strata, "x", "o"))
    assert beta == pytest.approx(1.676857, abs=5e-7)
    r = 5.348721
    shares = np.array([r / (r + 1), r / (r + 3), r / (r + 5)])
    assert error**-2 == pytest.approx(np.sum(shares - shares**2), abs=5e-7)


def test_efrons_likelihood_of_test_data_2_with_delayed_entry():
    # (start, stop] data; the logarithm of the likelihood is printed event by event in the vignette
    x = counts_of([2, 7, 9, 9, 9], [True, True, True, True, False], [1, 2, 7, 3, 4])
    o = counts_of([3, 6, 8, 14, 17], [True, True, True, False, False], [2, 5, 1, 8, 8])

    def minus_log_likelihood(beta):
        r = np.exp(beta)
        denominators = [r + 1, r + 2, 3 * r + 2, 3 * r + 1, 3 * r + 1, 3 * r + 2, 2 * r + 2]
        return np.sum(np.log(denominators)) - 4 * beta

    expected = minimize_scalar(
        minus_log_likelihood, bounds=(-3, 3), method="bounded", options={"xatol": 1e-10}
    )
    assert coefficient(hazard_ratio([{"x": x, "o": o}], "x", "o"))[0] == pytest.approx(expected.x, abs=1e-6)


def lung():
    """The lung cancer data of R survival (NCCTG), as lifelines ships them."""
    return pl.from_pandas(load_lung()).with_columns(pl.col("status") == 1)


def by(table, column, values):
    parts = [table.filter(pl.col(column) == value) for value in values]
    return {v: counts_of(part["time"], part["status"]) for v, part in zip(values, parts, strict=True)}


def test_lung_by_sex_as_printed():
    test = log_rank([by(lung(), "sex", [1, 2])], [1, 2])
    assert test.chi_square == pytest.approx(10.3267, abs=5e-5)
    assert test.p_value == pytest.approx(0.00131116, abs=5e-9)


def test_lung_stratified_by_institution_as_r_prints_it():
    # survdiff(Surv(time, status) ~ pat.karno + strata(inst)): chi-square 21.4 on 7 degrees, p = 0.003
    table = lung().drop_nulls(["pat.karno", "inst"])
    assert table.height == 224
    scores = sorted(table["pat.karno"].unique())
    strata = [by(part, "pat.karno", scores) for part in table.partition_by("inst")]
    test = log_rank(strata, scores)
    assert (test.degrees, round(test.chi_square, 1), round(test.p_value, 3)) == (7, 21.4, 0.003)


@pytest.mark.parametrize(
    ("one", "two", "note"),
    [
        ("5+ 9+", "3 7", "not estimable: no event in one"),
        ("5+ 9+", "3+ 7+", "not estimable: no event in one and no event in two"),
        ("", "3 7", "not estimable: no event in one"),
        # every event of two came when nobody of one was left
        (
            "1 2",
            "3 4",
            "not estimable: the arms do not overlap (no event in two while the other arm was at risk)",
        ),
        (
            "3 4",
            "1 2",
            "not estimable: the arms do not overlap (no event in one while the other arm was at risk)",
        ),
    ],
)
def test_a_hazard_ratio_without_a_maximum_is_refused(one, two, note):
    ratio = hazard_ratio([{"one": counts_of(*parse(one)), "two": counts_of(*parse(two))}], "one", "two")
    assert (ratio.value, ratio.low, ratio.high, ratio.note) == (None, None, None, note)


def test_few_events_carry_a_caveat():
    ratio = hazard_ratio([{"a": counts_of(*parse("1 4")), "b": counts_of(*parse("2 5+"))}], "a", "b")
    assert ratio.value > 1
    assert ratio.note == "only 3 events: uncertain"


def test_a_log_rank_test_without_a_shared_risk_set_is_refused():
    for strata in ([], [{"a": counts_of([], []), "b": counts_of([3.0], [True])}]):
        test = log_rank(strata, ["a", "b"])
        assert (test.chi_square, test.p_value, test.degrees) == (None, None, 0)
        assert test.note.startswith("not estimable")


CASES = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, 8), st.booleans(), st.booleans(), st.integers(0, 1)),
    min_size=8,
    max_size=40,
)


def grouped(cases, *, entry, strata):
    table = pl.DataFrame(cases, schema=["entry", "span", "event", "arm", "stratum"], orient="row")
    table = table.with_columns(
        entry=pl.col("entry") if entry else pl.lit(0), stratum=pl.col("stratum") if strata else pl.lit(0)
    ).with_columns(days=pl.col("entry") + pl.col("span"))
    made = []
    for part in table.partition_by("stratum"):
        arms = {arm: part.filter(pl.col("arm") == arm) for arm in (True, False)}
        made.append({a: counts_of(rows["days"], rows["event"], rows["entry"]) for a, rows in arms.items()})
    return table, made


def test_a_hazard_ratio_of_many_patients_equals_lifelines():
    rng = np.random.default_rng(11)
    for entry, strata in ((False, False), (True, False), (False, True), (True, True)):
        arm, stratum = rng.integers(0, 2, 400), rng.integers(0, 3, 400)
        start = rng.integers(0, 60, 400)
        span = np.ceil(rng.exponential(60 * np.exp(-0.5 * arm + 0.3 * stratum)))
        event = rng.random(400) < 0.7
        cases = list(
            zip(
                start.tolist(),
                span.tolist(),
                event.tolist(),
                (arm == 1).tolist(),
                stratum.tolist(),
                strict=True,
            )
        )
        table, made = grouped(cases, entry=entry, strata=strata)
        data = table.with_columns(pl.col("arm").cast(pl.Float64)).drop("span").to_pandas()
        data["entry"] = data["entry"].astype(float)
        fitted = CoxPHFitter().fit(data, "days", "event", entry_col="entry", strata=["stratum"])
        beta, error = coefficient(hazard_ratio(made, True, False))
        assert beta == pytest.approx(fitted.params_["arm"], abs=1e-6)
        assert error == pytest.approx(fitted.standard_errors_["arm"], abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(CASES)
def test_the_log_rank_test_equals_lifelines_and_scipy(cases):
    table, made = grouped(cases, entry=False, strata=False)
    arms = [table.filter(pl.col("arm") == arm) for arm in (True, False)]
    test = log_rank(made, [True, False])
    if test.chi_square is None or any(rows.is_empty() for rows in arms):
        reject()
    expected = multivariate_logrank_test(
        table["days"].to_numpy(), table["arm"].to_numpy(), table["event"].to_numpy()
    )
    assert test.chi_square == pytest.approx(expected.test_statistic, abs=1e-9)
    samples = [CensoredData.right_censored(rows["days"], ~rows["event"].to_numpy()) for rows in arms]
    assert test.p_value == pytest.approx(logrank(*samples).pvalue, abs=1e-9)


def test_two_arms_always_have_one_degree_of_freedom():
    """Rounding once made two of the one: many small data sets, p-values against SciPy's."""
    rng = np.random.default_rng(0)
    compared = 0
    for _ in range(400):
        n = rng.integers(8, 41)
        days, event, arm = rng.integers(1, 9, n).astype(float), rng.random(n) < 0.5, rng.random(n) < 0.5
        arms = [counts_of(days[arm == one], event[arm == one]) for one in (True, False)]
        test = log_rank([dict(enumerate(arms))], [0, 1])
        assert test.degrees == (test.chi_square is not None)
        if test.chi_square is not None and 0 < arm.sum() < n:
            samples = [
                CensoredData.right_censored(days[arm == one], ~event[arm == one]) for one in (True, False)
            ]
            assert test.p_value == pytest.approx(logrank(*samples).pvalue, abs=1e-9)
            compared += 1
    assert compared > 300


@settings(deadline=None)
@given(CASES)
def test_exchanging_the_arms_inverts_the_hazard_ratio(cases):
    _, made = grouped(cases, entry=True, strata=True)
    ratio, other = hazard_ratio(made, True, False), hazard_ratio(made, False, True)
    assert (ratio.value is None) == (other.value is None)
    if ratio.value is not None:
        assert (ratio.value, ratio.low, ratio.high) == pytest.approx(
            (1 / other.value, 1 / other.high, 1 / other.low)
        )
        assert ratio.low < ratio.value < ratio.high


def test_real_hazard_ratios_equal_lifelines(shared_data):
    """227 resected patients of `hcc_asaur_cxcl17` (Li 2014, PLoS One 9:e110064)."""
    table = pl.read_csv(shared_data / "hcc_asaur_cxcl17" / "hepatoCellular.csv", infer_schema_length=None)
    for days, event in (("OS", "Death"), ("RFS", "Recurrence")):
        used = table.select(
            days=pl.col(days).cast(pl.Float64),
            event=pl.col(event) == 1,
            arm=pl.col("Vascularinvasion"),
            stratum="TNM",
        ).drop_nulls()
        made = []
        for part in used.partition_by("stratum"):
            arms = {arm: part.filter(pl.col("arm") == arm) for arm in (0, 1)}
            made.append({arm: counts_of(rows["days"], rows["event"]) for arm, rows in arms.items()})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = CoxPHFitter().fit(used.to_pandas(), "days", "event", strata=["stratum"])
        assert coefficient(hazard_ratio(made, 1, 0)) == pytest.approx(
            (fitted.params_["arm"], fitted.standard_errors_["arm"]), abs=1e-5
        )
