"""Growth models: agreement with tumgr and SciPy, exact data, invariances, intervals, exclusions."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from growth_cases import DATA, sizes_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import OptimizeWarning, curve_fit, minimize_scalar
from scipy.stats import t as student

from hccresist.assess.growth_fits import EXCLUSIONS, fit_growth
from hccresist.assess.growth_models import MODELS, GrowthModel
from hccresist.assess.growth_solver import Problem, fit_model, invert_normal
from hccresist.errors import ConfigError

SAMPLE = DATA / "tumor_growth_rate_sample"
DAYS = np.array([0.0, 42.0, 84.0, 126.0, 168.0, 210.0, 300.0])


def tumgr_sizes() -> pl.DataFrame:
    rows = pl.read_csv(SAMPLE / "tumor_size.csv").sort("name", "date")
    series = []
    for (name,), group in rows.group_by("name", maintain_order=True):
        days = group["date"] - group["date"][0]
        series.append((str(name), list(zip(days.to_list(), group["size"].to_list(), strict=True))))
    return sizes_of(*series)


def values(fits: pl.DataFrame, model: str, patient: str = "P") -> dict[str, float]:
    rows = fits.filter(pl.col("model") == model, pl.col("patient_id") == patient)
    return dict(zip(rows["parameter"], rows["value"], strict=True))


def curve(model: GrowthModel, parameters: tuple[float, ...], t: np.ndarray) -> np.ndarray:
    fitted, _ = model.evaluate(np.array(parameters)[:, None], t[:, None])
    return fitted[:, 0]


# gdrate(sampleData, 0.10, FALSE), tumgr commit 9012b78, R 4.2.2: gdrate_results.csv.
@pytest.mark.skipif(not SAMPLE.exists(), reason="tumor_growth_rate_sample is not there")
def test_selection_and_rates_agree_with_tumgr_to_four_digits() -> None:
    expected = pl.read_csv(
        SAMPLE / "gdrate_results.csv",
        schema_overrides={"name": pl.String, "g": pl.Float64, "phi": pl.Float64},
    )
    words = {
        "only 1 eval": "one_visit",
        "2 evals not 20% diff": "two_within_20_percent",
        "not fit": "not_fit",
    }
    fits = fit_growth(tumgr_sizes(), models=["gd", "dx", "gx", "gdphi"])
    found = {row["patient_id"]: row for row in fits.series.iter_rows(named=True)}
    chosen = fits.parameters.filter("selected")
    assert len(expected) == 46
    for row in expected.iter_rows(named=True):
        ours = found[row["name"]]
        assert (ours["selected"] or ours["code"]) == words.get(row["selectedFit"], row["selectedFit"])
        assert (ours["selected"] is not None) == (row["type"] == "included")
        assert ours["n_visits"] == row["N"]
        numbers = values(chosen, row["selectedFit"], row["name"])
        if row["selectedFit"] == "gdphi":  # tumgr prints g·sqrt(1 − φ) for this model
            numbers["g"] *= np.sqrt(1.0 - numbers["phi"])
        for name in ("g", "d", "phi"):
            if row[name] is None:
                assert name not in numbers
            else:
                assert numbers[name] == pytest.approx(row[name], rel=5e-5)


@pytest.mark.skipif(not SAMPLE.exists(), reason="tumor_growth_rate_sample is not there")
def test_estimates_and_errors_agree_with_scipy_curve_fit() -> None:
    sizes = tumgr_sizes()
    fits = fit_growth(sizes)
    checked = 0
    for name in ("gd", "stein_fojo"):
        model = MODELS[name]
        rows = fits.parameters.filter("selected", pl.col("model") == name)
        for (patient,), group in rows.group_by("patient_id", maintain_order=True):
            own = sizes.filter(pl.col("patient_id") == patient)
            y = own["sum_mm"].to_numpy()
            t = own["day"].to_numpy() + (1.0 if name == "gd" else 0.0)
            scale = y[0] if name == "gd" else 1.0
            ours = dict(zip(group["parameter"], group["value"], strict=True))
            errors = dict(zip(group["parameter"], group["se"], strict=True))
            start = [ours[p] * 1.05 for p in model.parameters]
            try:
                best, cov = curve_fit(lambda t, *x: curve(model, x, t), t, y / scale, p0=start)  # noqa: B023
            except (OptimizeWarning, RuntimeError):
                continue
            assert [ours[p] for p in model.parameters] == pytest.approx(best, rel=1e-4)
            assert [errors[p] for p in model.parameters] == pytest.approx(np.sqrt(np.diag(cov)), rel=1e-3)
            checked += 1
    assert checked > 25


EXACT = {
    "gd": st.tuples(st.floats(0.0015, 0.02), st.floats(0.004, 0.05)),
    "dx": st.tuples(st.floats(0.001, 0.05)),
    "gx": st.tuples(st.floats(0.0005, 0.02)),
    "gdphi": st.tuples(st.floats(0.3, 0.95), st.floats(0.001, 0.015), st.floats(0.01, 0.05)),
}


@pytest.mark.parametrize("name", list(EXACT))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_exact_data_give_back_their_parameters(name: str, data: st.DataObject) -> None:
    parameters = data.draw(EXACT[name])
    model = MODELS[name]
    t = (DAYS + 1.0)[:, None]
    problem = Problem(t=t, f=curve(model, parameters, DAYS + 1.0)[:, None], w=np.ones_like(t))
    found = fit_model(model, problem)
    assert found.converged.all()
    assert found.x[:, 0] == pytest.approx(parameters, rel=1e-5)
    assert invert_normal(model.evaluate, problem, found.x)[1].all()


@settings(max_examples=25, deadline=None)
@given(y0=st.floats(10.0, 200.0), kg=st.floats(0.001, 0.01), ks=st.floats(0.003, 0.03), before=st.booleans())
def test_stein_fojo_recovers_exact_parameters_with_scans_before(
    y0: float, kg: float, ks: float, before: bool
) -> None:
    days = np.concatenate(([-80.0, -40.0], DAYS)) if before else DAYS
    sizes = y0 * curve(MODELS["stein_fojo"], (1.0, kg, ks), days)
    fits = fit_growth(sizes_of(("P", list(zip(days, sizes, strict=True)))), models=["stein_fojo"])
    found = values(fits.parameters, "stein_fojo")
    assert [found["y0"], found["kg"], found["ks"]] == pytest.approx([y0, kg, ks], rel=1e-4)
    assert fits.series["selected"].to_list() == ["stein_fojo"]


@settings(max_examples=15, deadline=None)
@given(kl=st.floats(0.002, 0.008), kde=st.floats(0.015, 0.05), lam=st.floats(0.01, 0.04))
def test_claret_recovers_exact_parameters(kl: float, kde: float, lam: float) -> None:
    days = np.concatenate(([-60.0, -30.0], DAYS, [360.0, 420.0]))
    sizes = 60.0 * curve(MODELS["claret"], (1.0, kl, kde, lam), days)
    fits = fit_growth(sizes_of(("P", list(zip(days, sizes, strict=True)))), models=["claret"])
    found = values(fits.parameters, "claret")
    assert [found["kl"], found["kde"], found["lam"]] == pytest.approx([kl, kde, lam], rel=1e-3)


@pytest.mark.parametrize("name", list(MODELS))
def test_jacobians_are_the_derivatives_of_the_models(name: str) -> None:
    model = MODELS[name]
    rng = np.random.default_rng(7)
    x = np.stack([rng.uniform(0.001, 0.03, 20) for _ in model.parameters])
    t = np.linspace(-90.0, 150.0, 15)[:, None] * np.ones(20)
    _, jacobian = model.evaluate(x, t)
    for k in range(model.size):
        h = 1e-6 * x[k]
        up, down = x.copy(), x.copy()
        up[k] += h
        down[k] -= h
        numeric = (model.evaluate(up, t)[0] - model.evaluate(down, t)[0]) / (2.0 * h)
        assert jacobian[k] == pytest.approx(numeric, rel=1e-5, abs=1e-6 * np.abs(jacobian[k]).max())


def noisy(seed: int, patients: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    series = []
    for i in range(patients):
        n = int(rng.integers(1, 9))
        days = np.concatenate(([-2.0], np.sort(rng.choice(np.arange(20, 500), n, replace=False))))
        shape = np.exp(-rng.uniform(0, 0.02) * days) + np.exp(rng.uniform(0, 0.006) * days) - 1
        mm = np.round(60.0 * shape * rng.lognormal(0, 0.08, n + 1), 1)
        series.append((f"P{i:03d}", list(zip(days.tolist(), mm.tolist(), strict=True))))
    return sizes_of(*series)


def test_row_order_and_other_patients_do_not_change_a_bit() -> None:
    sizes = noisy(1, 60)
    whole = fit_growth(sizes)
    shuffled = fit_growth(sizes.sample(fraction=1.0, shuffle=True, seed=3))
    assert whole.parameters.equals(shuffled.parameters)
    assert whole.series.equals(shuffled.series)
    some = ["P003", "P017", "P040", "P041"]
    alone = fit_growth(sizes.filter(pl.col("patient_id").is_in(some)))
    assert alone.parameters.equals(whole.parameters.filter(pl.col("patient_id").is_in(some)))


@pytest.mark.parametrize("factor", [0.1, 2.0, 8.0])
def test_scaling_all_sizes_leaves_rates_and_scales_only_y0(factor: float) -> None:
    sizes = noisy(2, 40)
    scaled = fit_growth(sizes.with_columns(pl.col("sum_mm") * factor))
    plain = fit_growth(sizes)
    assert scaled.series.equals(plain.series)
    expected = plain.parameters.with_columns(
        pl.when(pl.col("parameter") == "y0").then(pl.col("value") * factor).otherwise("value")
    )
    sure = plain.models.filter(pl.col("status") == "ok").select("patient_id", "model")
    a = scaled.parameters.join(sure, on=["patient_id", "model"])["value"].to_numpy()
    b = expected.join(sure, on=["patient_id", "model"])["value"].to_numpy()
    assert a == pytest.approx(b, rel=1e-5)


def test_every_exclusion_is_told() -> None:
    sizes = sizes_of(
        ("constant", [(0, 30.0), (40, 30.0), (80, 30.0)]),
        ("first_size_zero", [(0, 0.0), (40, 12.0), (80, 14.0)]),
        ("no_baseline", [(40, 12.0), (80, 14.0)]),
        ("one_visit", [(0, 30.0), (40, None)]),
        ("two_within_20_percent", [(0, 30.0), (40, 34.0)]),
    )
    told = fit_growth(sizes, models=["gd", "dx", "gx", "gdphi"]).series
    assert told["code"].to_list() == told["patient_id"].to_list() == sorted(EXCLUSIONS)
    assert not told["analysed"].any()
    assert told["reason"].null_count() == 0


def test_two_visits_suffice_for_one_rate_and_not_for_two() -> None:
    fits = fit_growth(sizes_of(("P", [(0, 30.0), (60, 60.0)])), models=["gd", "dx", "gx", "gdphi"])
    assert sorted(fits.models["model"]) == ["dx", "gx"]
    assert fits.series["selected"].to_list() == ["gx"]


def test_a_later_size_of_zero_is_a_datum() -> None:
    sizes = sizes_of(("P", [(0, 40.0), (40, 16.0), (80, 6.0), (120, 0.0), (160, 0.0)]))
    found = fit_growth(sizes, models=["dx", "gx"])
    assert found.series["selected"].to_list() == ["dx"]
    t, f = np.array([1.0, 41.0, 81.0, 121.0, 161.0]), np.array([1.0, 0.4, 0.15, 0.0, 0.0])
    best = minimize_scalar(lambda d: ((np.exp(-d * t) - f) ** 2).sum(), bounds=(0.001, 0.1), method="bounded")
    assert values(found.parameters, "dx")["d"] == pytest.approx(best.x, rel=1e-3)


def test_rule_aic_drops_the_significance_test() -> None:
    sizes = sizes_of(("P", [(0, 50.0), (42, 52.0), (84, 47.0), (126, 53.0), (168, 49.0)]))
    family = ["gd", "dx", "gx", "gdphi"]
    assert fit_growth(sizes, models=family).series["selected"].to_list() == [None]
    chosen = fit_growth(sizes, models=family, rule="aic")
    usable = chosen.models.filter(pl.col("status") == "ok")
    assert chosen.series["selected"].to_list() == [usable.sort("aic")["model"][0]]


def test_profile_interval_ends_where_the_profile_meets_its_target() -> None:
    days, mm = DAYS, np.array([60.0, 41.0, 33.0, 30.5, 31.0, 35.0, 50.0])
    fits = fit_growth(sizes_of(("P", list(zip(days, mm, strict=True)))), models=["gd"], interval="profile")
    rows = {row["parameter"]: row for row in fits.parameters.iter_rows(named=True)}
    f, t = mm / mm[0], days + 1.0
    best = fits.models["sse"][0]
    target = best * (1.0 + student.ppf(0.975, 5) ** 2 / 5)

    def profile(name: str, value: float) -> float:
        def sse(other: float) -> float:
            g, d = (value, other) if name == "g" else (other, value)
            return float(((np.exp(-d * t) + np.exp(g * t) - 1.0 - f) ** 2).sum())

        return float(minimize_scalar(sse, bounds=(0.0, 0.2), method="bounded", options={"xatol": 1e-12}).fun)

    for name in ("g", "d"):
        assert rows[name]["low"] < rows[name]["value"] < rows[name]["high"]
        for side in ("low", "high"):
            assert profile(name, rows[name][side]) == pytest.approx(target, rel=2e-3)


def test_profile_interval_stops_at_a_bound_and_collapses_on_exact_data() -> None:
    flat = sizes_of(("P", [(0, 50.0), (42, 52.0), (84, 47.0), (126, 53.0)]))
    rows = fit_growth(flat, models=["dx"], interval="profile").parameters
    assert rows["low"][0] == 0.0
    assert rows["high"][0] > 0.0
    y = 50.0 * curve(MODELS["dx"], (0.01,), DAYS)
    exact = sizes_of(("P", list(zip(DAYS - DAYS[0], y, strict=True))))
    row = fit_growth(exact, models=["stein_fojo"], interval="profile").parameters.filter(
        pl.col("parameter") == "ks"
    )
    assert row["low"][0] == row["high"][0] == row["value"][0] == pytest.approx(0.01, rel=1e-6)


def test_wald_interval_is_the_estimate_plus_minus_t_times_its_error() -> None:
    sizes = sizes_of(("P", list(zip(DAYS, [60.0, 41.0, 33.0, 30.5, 31.0, 35.0, 50.0], strict=True))))
    for row in fit_growth(sizes, models=["gd"]).parameters.iter_rows(named=True):
        assert row["high"] - row["value"] == pytest.approx(student.ppf(0.975, 5) * row["se"])
        assert row["p_value"] == pytest.approx(2 * student.sf(row["value"] / row["se"], 5), rel=1e-6)


def test_unknown_models_and_levels_are_told() -> None:
    with pytest.raises(ConfigError, match="There is no growth model 'gdx'"):
        fit_growth(noisy(3, 1), models=["gdx"])
    with pytest.raises(ConfigError, match="alpha is 2"):
        fit_growth(noisy(3, 1), alpha=2.0)


def test_no_patients_give_empty_tables() -> None:
    fits = fit_growth(sizes_of())
    assert fits.series.is_empty()
    assert fits.models.is_empty()
    assert fits.parameters.is_empty()
