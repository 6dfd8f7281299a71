"""Growth rates against printed worked examples; undefined cases; depth, nadir and the table."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from growth_cases import DATA, best_response, make_study, sizes_of
from hypothesis import given
from hypothesis import strategies as st

from hccresist.assess.growth_rates import (
    growth_ratio,
    specific_growth_rate,
    tumour_growth_kinetics,
    tumour_growth_rate,
    volume_doubling_time,
    why_undefined,
)
from hccresist.assess.growth_results import Kinetics
from hccresist.assess.kinetics import derive_kinetics, sizes_from_sums
from hccresist.study.policies import Policies

MM = st.floats(1.0, 500.0)
DAYS = st.floats(1.0, 400.0)


# onlycalculators.com/health/pulmonary/lung-nodule-growth-rate-calculator: 6 to 8 mm (113.1 to
# 268.1 mm³) in 90 days: VDT 72 days, specific growth rate 0.959 %/day. Seen 2026-11.
def test_printed_example_of_a_nodule_from_6_to_8_mm() -> None:
    assert volume_doubling_time(6.0, 8.0, 90.0) == pytest.approx(72.0, abs=0.5)
    assert specific_growth_rate(6.0, 8.0, 90.0) == pytest.approx(0.959, abs=0.0005)


# costcalculator.calculator.city/?p=47168: 200 to 450 mm³ in 30 days: ln 450 − ln 200 = 0.811,
# specific growth rate 0.027 per day, doubling time about 25.6 days. Sizes here are cube roots.
def test_printed_example_of_a_nodule_from_200_to_450_cubic_millimetres() -> None:
    first, last = 200.0 ** (1 / 3), 450.0 ** (1 / 3)
    assert specific_growth_rate(first, last, 30.0) == pytest.approx(2.7, abs=0.05)
    assert volume_doubling_time(first, last, 30.0) == pytest.approx(25.6, abs=0.05)


# Tu 2024, World J Hepatol 16:800, 175 HCC untreated: median doubling time 163.4 days, daily growth
# 0.42 %; Rich 2020, Hepatology: median 229 days, 0.3 % per day. Medians map onto each other.
@pytest.mark.parametrize(("vdt", "sgr"), [(163.4, 0.42), (229.0, 0.3)])
def test_published_medians_of_doubling_time_and_specific_growth_rate_agree(vdt: float, sgr: float) -> None:
    last = 50.0 * 2.0 ** (1 / 3)  # volume doubled
    assert volume_doubling_time(50.0, last, vdt) == pytest.approx(vdt)
    assert specific_growth_rate(50.0, last, vdt) == pytest.approx(sgr, abs=0.005)


# Ferté's public R code: period = days*12/365.25; TGR = 100*(exp(3*log(Dt/D0)/period) - 1).
@given(first=MM, last=MM, days=DAYS)
def test_tgr_is_the_formula_of_its_author(first: float, last: float, days: float) -> None:
    period = days * 12 / 365.25
    expected = 100 * (np.exp(min(3 * np.log(last / first) / period, 700.0)) - 1)
    found = float(tumour_growth_rate(first, last, days))
    if expected < 1e250:
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_ten_percent_in_a_month_is_a_third_more_volume() -> None:
    assert tumour_growth_rate(100.0, 110.0, 30.4375) == pytest.approx(33.1)  # 1.1³ = 1.331
    assert tumour_growth_kinetics(100.0, 110.0, 60.875) == pytest.approx(5.0)
    assert tumour_growth_rate(100.0, 110.0, 30.0, month_days=30.0) == pytest.approx(33.1)


@given(first=MM, last=MM, days=DAYS, factor=st.floats(0.1, 10.0))
def test_scaling_sizes_scales_tgk_and_leaves_the_rates_of_volume(
    first: float, last: float, days: float, factor: float
) -> None:
    a, b = first * factor, last * factor
    assert specific_growth_rate(a, b, days) == pytest.approx(
        specific_growth_rate(first, last, days), rel=1e-6, abs=1e-9
    )
    assert tumour_growth_kinetics(a, b, days) == pytest.approx(
        factor * tumour_growth_kinetics(first, last, days), rel=1e-6, abs=1e-9
    )


@pytest.mark.parametrize(
    ("first", "last", "days", "why"),
    [
        (0.0, 10.0, 30.0, "the size at the first scan is 0"),
        (10.0, 0.0, 30.0, "the size at the second scan is 0"),
        (10.0, 12.0, 0.0, "the scans are 0 days apart"),
        (10.0, 12.0, -5.0, "the scans are -5 days apart"),
        (np.nan, 12.0, 30.0, "one of the two scans is missing"),
        (10.0, 12.0, 30.0, None),
    ],
)
def test_undefined_rates_are_nan_with_a_reason(
    first: float, last: float, days: float, why: str | None
) -> None:
    assert why_undefined(first, last, days) == [why]
    assert np.isnan(tumour_growth_rate(first, last, days)) == (why is not None)
    assert np.isnan(specific_growth_rate(first, last, days)) == (why is not None)


def test_zero_is_no_obstacle_for_tgk() -> None:
    assert tumour_growth_kinetics(10.0, 0.0, 30.4375) == pytest.approx(-10.0)
    assert why_undefined(10.0, 0.0, 30.0, zero_matters=False) == [None]


def test_nothing_doubles_without_growth_and_ratios_need_growth_before() -> None:
    assert np.isnan(volume_doubling_time(10.0, 10.0, 30.0))
    assert np.isnan(volume_doubling_time(10.0, 8.0, 30.0))
    assert growth_ratio([2.0, 0.0, -3.0], [5.0, 5.0, 5.0]) == pytest.approx(
        [2.5, np.nan, np.nan], nan_ok=True
    )


def kinetics(*series: tuple[str, list[tuple[float, float | None]]], **more: object) -> pl.DataFrame:
    policies = more.pop("policies", None)
    study = make_study(patients=[{"patient_id": name} for name, _ in series], policies=policies)  # pyright: ignore
    return derive_kinetics(study, sizes_of(*series), **more)  # pyright: ignore


def value(table: pl.DataFrame, quantity: str, patient: str = "P", model: str = "") -> dict[str, object]:
    rows = table.filter(
        pl.col("patient_id") == patient, pl.col("quantity") == quantity, pl.col("model") == model
    )
    assert len(rows) == 1
    return rows.row(0, named=True)


def test_table_uses_the_last_scan_before_and_the_first_after() -> None:
    table = kinetics(("P", [(-80, 30.0), (-33, 40.0), (-3, 44.0), (57, 50.0), (100, 90.0)]), fits=False)
    Kinetics.validate(table)
    assert value(table, "tgk_before")["value"] == pytest.approx(4.0 / 30 * 30.4375)
    assert value(table, "tgk_after")["value"] == pytest.approx(6.0 / 60 * 30.4375)
    assert value(table, "tgk_ratio")["value"] == pytest.approx(0.75)
    before = 100 * (1.1 ** (3 * 30.4375 / 30) - 1)
    after = 100 * ((50 / 44) ** (3 * 30.4375 / 60) - 1)
    assert value(table, "tgr_before")["value"] == pytest.approx(before)
    assert value(table, "delta_tgr")["value"] == pytest.approx(after - before)
    assert value(table, "tgr_ratio")["value"] == pytest.approx(after / before)
    assert value(table, "tgr_before")["unit"] == "% volume/month"


def test_an_old_scan_before_is_not_a_reference_until_the_window_says_so() -> None:
    visits = [(-120.0, 30.0), (-3.0, 44.0), (57.0, 50.0)]
    row = value(kinetics(("P", visits), fits=False), "tgr_before")
    assert row["value"] is None
    assert row["reason"] == "no scan lies in the 84 days before the baseline, only older ones"
    wide = Policies(hpd_reference_scan_window=120.0)
    assert value(kinetics(("P", visits), fits=False, policies=wide), "tgr_before")["value"] is not None


def test_each_missing_rate_has_its_reason() -> None:
    table = kinetics(
        ("grown", [(-2, 40.0), (40, 60.0)]),
        ("shrunk before", [(-60, 50.0), (-2, 40.0), (40, 60.0)]),
        ("vanished", [(-2, 40.0), (40, 0.0)]),
        fits=False,
    )
    told = {
        (p, q): value(table, q, p)["reason"]
        for p in ("grown", "shrunk before", "vanished")
        for q in ("tgr_before", "tgr_ratio", "tgr_after", "tgk_after", "vdt_before", "tgk_ratio")
    }
    assert told["grown", "tgr_before"] == "there is no scan before the baseline"
    assert told["shrunk before", "tgr_ratio"] == (
        "the sum did not grow before treatment, so that a ratio has no meaning"
    )
    assert told["shrunk before", "vdt_before"] == "the sum did not grow, so that nothing doubles"
    assert told["vanished", "tgr_after"] == "the sum at the first evaluation is 0"
    assert told["vanished", "tgk_after"] is None
    assert table.filter(pl.col("value").is_null())["reason"].null_count() == 0


def test_depth_and_nadir_stop_before_progression() -> None:
    series = ("P", [(-2.0, 50.0), (40.0, 40.0), (80.0, 60.0), (120.0, 20.0)])
    late = ("Q", [(-2.0, 50.0), (40.0, 65.0), (80.0, 45.0)])
    rows = [
        {"patient_id": "P", "progression_day": 80.0},
        {"patient_id": "Q", "progression_day": 40.0},
    ]
    given_rows = [{**row, "criterion": "recist11", "best": "SD", "best_confirmed": "SD"} for row in rows]
    table = kinetics(series, late, fits=False, best_response=best_response(given_rows))
    assert value(table, "depth_of_response")["value"] == pytest.approx(-20.0)
    assert value(table, "depth_all_visits")["value"] == pytest.approx(-60.0)
    assert value(table, "time_to_nadir")["value"] == 40.0
    # Q progresses at the first visit: that visit is its depth, and no sum before was below baseline.
    assert value(table, "depth_of_response", "Q")["value"] == pytest.approx(30.0)
    assert value(table, "time_to_nadir", "Q")["reason"] == "the sum was never below baseline"


def test_fits_stand_in_the_table_with_errors_units_and_reasons() -> None:
    series = ("P", [(0, 60.0), (42, 41.0), (84, 33.0), (126, 30.5), (168, 31.0), (210, 35.0), (300, 50.0)])
    table = kinetics(series)
    row = value(table, "g", model="gd")
    chosen = table.filter(
        "selected", pl.col("quantity") == "aic", pl.col("model").is_in(["gd", "gdphi", "dx", "gx"])
    )
    assert len(chosen) == 1
    assert row["low"] < row["value"] < row["high"]
    assert row["unit"] == "1/day"
    g, d = row["value"], value(table, "d", model="gd")["value"]
    turn = value(table, "time_to_growth", model="gd")["value"]
    assert d * np.exp(-d * (turn + 1)) == pytest.approx(g * np.exp(g * (turn + 1)))  # the slope is zero there
    assert value(table, "fit", model="regression_growth")["value"] == 7
    kg, ks = (value(table, q, model="stein_fojo")["value"] for q in ("kg", "ks"))
    assert value(table, "week8_ratio", model="stein_fojo")["value"] == pytest.approx(
        np.exp(56 * kg) + np.exp(-56 * ks) - 1
    )


def test_rows_in_any_order_give_the_same_table() -> None:
    series = [(f"P{i}", [(-40.0, 30.0 + i), (-2.0, 40.0), (40.0, 50.0 - i), (90.0, 44.0)]) for i in range(5)]
    study = make_study(patients=[{"patient_id": name} for name, _ in series])
    sizes = sizes_of(*series)
    shuffled = sizes.sample(fraction=1.0, shuffle=True, seed=1)
    assert derive_kinetics(study, sizes).equals(derive_kinetics(study, shuffled))


def test_builder_finds_the_baseline_among_recorded_sums() -> None:
    days = [(-60.0, 40.0), (-20.0, 43.0), (-3.0, 44.0), (1.5, 45.0), (50.0, 70.0)]
    sums = [{"patient_id": "P", "measure": "longest", "day": d, "sum": s} for d, s in days]
    sums += [{"patient_id": "Q", "measure": "longest", "day": d, "sum": 9.0} for d in (-70.0, 40.0)]
    sums += [{"patient_id": "P", "measure": "viable", "day": 50.0, "sum": 1.0}]
    sizes = sizes_from_sums(make_study(sums=sums))
    assert sizes["phase"].to_list() == ["before", "before", "baseline", "after", "after", "before", "after"]
    assert sizes_from_sums(make_study(patients=[{"patient_id": "P"}])).is_empty()


@pytest.mark.skipif(not (DATA / "oak_joint_subset").exists(), reason="oak_joint_subset is not there")
def test_oak_subset_every_patient_gets_every_quantity_or_a_reason() -> None:
    rows = pl.read_csv(DATA / "oak_joint_subset" / "tumor.csv")
    sums = rows.select(
        pl.col("id").cast(pl.String).alias("patient_id"),
        pl.lit("longest").alias("measure"),
        (pl.col("year") * 365.25).round().alias("day"),
        pl.col("sld").alias("sum"),
    ).unique(["patient_id", "day"], keep="first", maintain_order=True)
    study = make_study(sums=sums.to_dicts())
    table = derive_kinetics(study, sizes_from_sums(study))
    assert table["patient_id"].n_unique() == 203
    assert table.filter(pl.col("value").is_null())["reason"].null_count() == 0
    rates = table.filter(pl.col("quantity") == "tgr_after")
    assert rates["value"].is_not_null().sum() > 150
    fitted = table.filter(pl.col("quantity") == "fit", pl.col("model") == "regression_growth")
    assert 60 < fitted["selected"].sum() <= 203


@pytest.mark.skipif(
    not (DATA / "hcc_sysucc_timeseries").exists(), reason="hcc_sysucc_timeseries is not there"
)
def test_sysucc_one_diameter_a_visit_gives_kinetics_or_reasons() -> None:
    rows = pl.read_csv(DATA / "hcc_sysucc_timeseries" / "timeseries.csv")
    kept = rows["patient_id"].unique().sort().head(300)
    sums = rows.filter(pl.col("patient_id").is_in(kept.implode())).select(
        "patient_id",
        pl.lit("longest").alias("measure"),
        pl.col("day").cast(pl.Float64),
        pl.col("largest_diameter_mm").alias("sum"),
    )
    study = make_study(sums=sums.unique(["patient_id", "day"], keep="first", maintain_order=True).to_dicts())
    table = derive_kinetics(study, sizes_from_sums(study))
    assert table["patient_id"].n_unique() == 300
    assert table.filter(pl.col("value").is_null())["reason"].null_count() == 0
    # After resection the size is often 0: no rate of volume, told as such.
    gone = table.filter(pl.col("quantity") == "tgr_after", pl.col("reason").str.contains("is 0"))
    assert len(gone) > 10
