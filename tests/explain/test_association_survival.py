"""Cox regression against published numbers and a likelihood written out here; the score statistic."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, CoxTimeVaryingFitter
from lifelines.datasets import load_rossi, load_stanford_heart_transplants
from lifelines.statistics import proportional_hazard_test
from scipy import optimize, stats

from hccresist.explain.association_cox import Episodes, check_hazards, fit_model
from hccresist.explain.association_survival import Times, fit_cox, fit_over_time, score_statistics

# Fox J, Weisberg S. Cox proportional-hazards regression for survival data in R (appendix to An R
# Companion to Applied Regression): coxph() on Rossi's recidivism data, exp(coef) and p as printed.
ROSSI = {
    "fin": (0.6843, 0.0475),
    "age": (0.9442, 0.0090),
    "race": (1.3688, 0.3081),
    "wexp": (0.8609, 0.4803),
    "mar": (0.6481, 0.2561),
    "paro": (0.9186, 0.6646),
    "prio": (1.0958, 0.0014),
}


def partial_likelihood(beta, times: Times, columns) -> float:
    """Minus Cox's log partial likelihood without ties, event by event, with delayed entry."""
    line, total = columns @ np.atleast_1d(beta), 0.0
    for i in np.flatnonzero(times.event):
        risk = (times.days >= times.days[i]) & ((times.entry < times.days[i]) | (times.entry <= 0))
        total += line[i] - np.log(np.exp(line[risk]).sum())
    return -total


def cohort(n=60, *, seed=5, late=False) -> tuple[Times, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    days = rng.exponential(300 * np.exp(-0.4 * x))
    entry = np.where(rng.random(n) < 0.5, rng.uniform(0, 0.8, n) * days, 0.0) if late else np.zeros(n)
    return Times(entry=entry, days=days, event=rng.random(n) < 0.7), x


def test_rossi_as_printed_by_fox_and_weisberg():
    data = load_rossi()
    times = Times(
        entry=np.zeros(len(data)), days=data["week"].to_numpy(float), event=data["arrest"].to_numpy() == 1
    )
    terms = {name: data[name].to_numpy(float) for name in ROSSI}
    for name, (ratio, p) in ROSSI.items():
        fit = fit_cox(times, terms, term=name, check=False)
        assert (fit.n, fit.events) == (432, 114)
        assert fit.effect == pytest.approx(ratio, abs=6e-5)
        assert fit.p == pytest.approx(p, abs=2e-4)


def test_non_proportional_hazards_are_told():
    """Fox and Weisberg find age's effect to change over time, and fin's not to."""
    data = load_rossi()
    times = Times(
        entry=np.zeros(len(data)), days=data["week"].to_numpy(float), event=data["arrest"].to_numpy() == 1
    )
    terms = {name: data[name].to_numpy(float) for name in ("fin", "age", "prio")}
    assert any("not be proportional" in note for note in fit_cox(times, terms, term="age").notes)
    assert fit_cox(times, terms, term="fin").notes == ()


def lifelines_frame(times: Times, terms) -> pd.DataFrame:
    entry = np.where(times.entry > 0, times.entry, -1.0)
    return pd.DataFrame({**terms, "days": times.days, "event": times.event, "entry": entry})


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_a_model_with_covariates_is_that_of_lifelines(late, tied):
    """lifelines 0.30.3: Efron's ties, delayed entry, three terms."""
    times, x = cohort(n=120, seed=31, late=late)
    days = np.ceil(times.days / 30) if tied else times.days
    entry = np.floor(times.entry / 30) if tied else times.entry
    times = Times(entry=entry, days=days, event=times.event).select(days > entry)
    x = x[days > entry]
    rng = np.random.default_rng(8)
    terms = {"x": x, "there": (rng.random(len(x)) < 0.3).astype(float), "age": rng.normal(60, 9, len(x))}
    model = CoxPHFitter().fit(lifelines_frame(times, terms), "days", "event", entry_col="entry").summary
    for name in terms:
        fit = fit_cox(times, terms, term=name)
        row = model.loc[name]
        found = (fit.effect, fit.low, fit.high, fit.p)
        columns = ["exp(coef)", "exp(coef) lower 95%", "exp(coef) upper 95%", "p"]
        assert found == pytest.approx(tuple(row[columns]), rel=1e-4)


@pytest.mark.parametrize("tied", [False, True])
def test_the_check_of_proportional_hazards_is_that_of_lifelines(tied):
    """Without ties the same p; among ties lifelines ranks by the order of the rows, we by the mean."""
    data = load_rossi()
    noise = np.random.default_rng(1).uniform(0, 0.9, len(data))
    data["week"] = data["week"] + (0.0 if tied else noise)
    names = ["fin", "age", "prio", "mar"]
    model = CoxPHFitter().fit(data[[*names, "week", "arrest"]], "week", "arrest")
    expected = proportional_hazard_test(
        model, data[[*names, "week", "arrest"]], time_transform="rank"
    ).summary
    episodes = Episodes(
        start=np.full(len(data), -np.inf),
        stop=data["week"].to_numpy(float),
        event=data["arrest"].to_numpy() == 1,
    )
    fit = fit_model(episodes, data[names].to_numpy(float))
    assert fit is not None
    for at, name in enumerate(names):
        p = check_hazards(episodes, fit, term=at)
        assert p == pytest.approx(expected.loc[name, "p"], rel=0.1 if tied else 1e-4, abs=0.01 if tied else 0)


def test_a_switching_exposure_is_that_of_lifelines_time_varying_model():
    """lifelines' CoxTimeVaryingFitter on its Stanford heart transplant data, transplant alone."""
    data = load_stanford_heart_transplants()
    columns = {"id_col": "id", "event_col": "event", "start_col": "start", "stop_col": "stop"}
    model = CoxTimeVaryingFitter().fit(data[[*columns.values(), "transplant"]], **columns)
    last = data.groupby("id").last()
    switched = data[data["transplant"] == 1].groupby("id")["start"].min()
    since = switched.reindex(last.index).fillna(np.inf).to_numpy(float)
    times = Times(
        entry=np.zeros(len(last)), days=last["stop"].to_numpy(float), event=last["event"].to_numpy() == 1
    )
    fit = fit_over_time(times, since)
    row = model.summary.loc["transplant"]
    assert (fit.n, fit.events) == (103, 75)
    assert fit.effect == pytest.approx(row["exp(coef)"], rel=1e-5)
    assert fit.p == pytest.approx(row["p"], rel=1e-4)


@pytest.mark.parametrize("late", [False, True])
def test_the_hazard_ratio_is_at_the_maximum_of_the_partial_likelihood(late):
    times, x = cohort(late=late)
    best = optimize.minimize_scalar(partial_likelihood, (-2, 2), args=(times, x[:, None]))
    fit = fit_cox(times, {"x": x}, term="x")
    assert np.log(fit.effect) == pytest.approx(best.x, abs=1e-5)
    step = 1e-3
    around = [partial_likelihood(best.x + shift, times, x[:, None]) for shift in (-step, 0, step)]
    error = ((around[0] - 2 * around[1] + around[2]) / step**2) ** -0.5
    width = np.log(fit.high) - np.log(fit.low)
    assert width == pytest.approx(2 * stats.norm.ppf(0.975) * error, rel=1e-3)


def test_a_switching_exposure_has_the_likelihood_of_what_was_so_at_each_event():
    times, _ = cohort(seed=9)
    rng = np.random.default_rng(2)
    since = np.where(rng.random(60) < 0.6, rng.uniform(0, 250, 60), np.inf)

    def minus(beta):
        total = 0.0
        for i in np.flatnonzero(times.event):
            now = (since < times.days[i]).astype(float)
            risk = times.days >= times.days[i]
            total += beta * now[i] - np.log(np.exp(beta * now[risk]).sum())
        return -total

    best = optimize.minimize_scalar(minus, (-2, 2))
    fit = fit_over_time(times, since)
    assert np.log(fit.effect) == pytest.approx(best.x, abs=1e-5)


def test_an_event_on_the_day_of_the_exposure_is_not_one_of_the_exposed():
    times = Times(entry=np.zeros(4), days=np.array([10.0, 20, 30, 40]), event=np.ones(4, dtype=bool))
    fit = fit_over_time(times, np.array([10.0, 20, 30, 40]))
    assert fit.effect is None
    assert fit.notes == ("not estimable: no event in patients with it",)


@pytest.mark.parametrize(
    ("event", "x", "why"),
    [
        ([False] * 6, [0, 1, 0, 1, 0, 1], "no event"),
        ([True] * 6, [1.0] * 6, "the same in every patient"),
        ([True, False] * 3, [0, 1, 0, 1, 0, 1], "no event in patients with it"),
    ],
)
def test_what_has_no_finite_ratio_is_told(event, x, why):
    times = Times(entry=np.zeros(6), days=np.arange(1.0, 7), event=np.array(event))
    fit = fit_cox(times, {"x": np.array(x, dtype=float)}, term="x")
    assert (fit.effect, fit.p) == (None, None)
    assert why in fit.notes[0]


def test_a_value_in_the_order_of_death_has_no_finite_ratio():
    times = Times(entry=np.zeros(8), days=np.arange(1.0, 9), event=np.ones(8, dtype=bool))
    fit = fit_cox(times, {"x": np.arange(8.0)}, term="x")
    assert fit.effect is None
    assert "no finite maximum" in fit.notes[0]
    both = fit_cox(times, {"x": np.arange(8.0) % 3, "y": 2 * (np.arange(8.0) % 3)}, term="x")
    assert "collinear" in both.notes[0]


def test_the_score_statistic_of_two_groups_is_the_log_rank_test():
    """Without ties they are the same; SciPy's logrank gives z."""
    times, x = cohort(seed=21)
    group = x > 0
    sides = [stats.CensoredData.right_censored(times.days[of], ~times.event[of]) for of in (group, ~group)]
    z = stats.logrank(*sides).statistic
    found = score_statistics(times, np.array([group.astype(float), -group.astype(float), np.ones(60)]))
    assert found == pytest.approx([z, -z, 0.0], abs=1e-9)


def test_the_score_statistic_is_near_the_wald_test_under_delayed_entry():
    times, x = cohort(n=300, seed=4, late=True)
    fit = fit_cox(times, {"x": x * 0.2 + np.random.default_rng(1).normal(size=300)}, term="x", check=False)
    value = x * 0.2 + np.random.default_rng(1).normal(size=300)
    z = score_statistics(times, value[None, :])[0]
    assert fit.p == pytest.approx(2 * stats.norm.sf(abs(z)), rel=0.25)
