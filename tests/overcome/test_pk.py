"""Kinetics against integration by SciPy (LSODA, 1e-9), and against published concentrations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kinetics_oracle import integrated

from hccresist.overcome.dosing import (
    find_regimen,
    hold_doses,
    make_doses,
    read_drugs,
    read_regimens,
    reduce_doses,
)
from hccresist.overcome.pk import (
    PHASE_COUNT,
    PHASES,
    Doses,
    Kinetics,
    find_course,
    find_inflows,
    find_projectors,
    find_rates,
)

ANTIBODIES = [r for r in read_regimens().values() if not read_drugs()[r.drug].kinetics.absorption]
TABLETS = [r for r in read_regimens().values() if read_drugs()[r.drug].kinetics.absorption]


@pytest.mark.parametrize("regimen", ANTIBODIES, ids=lambda r: r.regimen)
def test_antibodies_over_a_year_are_within_the_error_of_their_mode(regimen) -> None:
    """With clearance that changes over time or saturates; from 1 % of the peak upwards."""
    kinetics = read_drugs()[regimen.drug].kinetics
    doses = make_doses(regimen, until=364.0)
    days = np.linspace(0.01, 420, 700)
    theirs = integrated(kinetics, doses, days)
    counted = theirs > 0.01 * theirs.max()
    for fast, most in ((True, 0.005), (False, 0.0001)):
        ours = find_course(kinetics, doses, until=420.0, fast=fast).level(days)
        assert np.abs(ours[counted] / theirs[counted] - 1).max() < most


@pytest.mark.parametrize("regimen", TABLETS, ids=lambda r: r.regimen)
def test_tablets_in_exact_mode_are_the_integral(regimen) -> None:
    kinetics = read_drugs()[regimen.drug].kinetics
    doses = make_doses(regimen, until=30.0)
    days = np.linspace(0.1, 36, 300)
    ours = find_course(kinetics, doses, until=36.0).level(days)
    assert ours == pytest.approx(integrated(kinetics, doses, days), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("regimen", TABLETS, ids=lambda r: r.regimen)
def test_the_fast_mode_has_the_average_of_the_exact_mode(regimen) -> None:
    """Day by day: apart by a sixth of an interval's rise while levels rise, and 0.5 % of the last day."""
    kinetics = read_drugs()[regimen.drug].kinetics
    doses = make_doses(regimen, until=20.0)
    days = np.arange(0, 20, 1 / 96) + 1 / 192
    exact = find_course(kinetics, doses, until=20.0).level(days).reshape(20, 96).mean(axis=1)
    fast = find_course(kinetics, doses, until=20.0, fast=True).level(days).reshape(20, 96).mean(axis=1)
    rising = np.abs(np.diff(exact, prepend=0.0))
    assert (np.abs(exact - fast) <= 1 / 6 * doses.every_days * rising + 0.005 * fast[-1]).all()
    assert fast.max() <= doses.amounts[0] / doses.every_days / kinetics.clearance * (1 + 1e-9)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.05, 200),
    st.floats(1, 700),
    st.floats(0, 800),
    st.floats(1, 700),
    st.floats(0, 40),
    st.booleans(),
)
def test_projectors_are_projectors(clearance, volume, flow, peripheral, absorption, oral) -> None:  # noqa: PLR0917
    """They sum to one and rebuild the matrix: the solution is exact for every linear drug."""
    kinetics = Kinetics(clearance, volume, flow, peripheral, absorption if oral else 0.0)
    matrix, rates = find_rates(kinetics, clearance)
    gaps = [abs(a - b) for i, a in enumerate(rates) for b in rates[:i]]
    if min(gaps) < 1e-4 * rates.max():
        return
    parts = find_projectors(matrix, rates)
    assert parts.sum(axis=0) == pytest.approx(np.eye(rates.size), abs=1e-6)
    rebuilt = -(rates[:, None, None] * parts).sum(axis=0)
    assert rebuilt == pytest.approx(matrix, abs=1e-6 * rates.max())
    assert (rates >= 0).all()


def test_gut_and_elimination_of_the_same_rate_are_no_trouble() -> None:
    kinetics = Kinetics(10.0, 10.0, absorption=1.0)
    course = find_course(kinetics, Doses(np.zeros(1), np.array([100.0]), 1.0), until=10.0)
    days = np.array([0.5, 1.0, 5.0])
    assert course.level(days) == pytest.approx(10 * days * np.exp(-days), rel=1e-4)


def test_what_is_given_is_what_is_eliminated() -> None:
    """Area under the curve = dose over clearance."""
    kinetics = read_drugs()["pembrolizumab"].kinetics
    course = find_course(kinetics, Doses(np.array([0.0]), np.array([200.0]), 21.0), until=1.0)
    amplitude, rate = course.terms[-1, :, 0], course.terms[-1, :, 1]
    area = (amplitude[rate > 0] / rate[rate > 0]).sum()
    assert area == pytest.approx(200 / kinetics.clearance, rel=1e-9)


def test_ramucirumab_troughs_are_near_those_of_the_label() -> None:
    """44.1 and 60.2 ug/mL before doses 4 and 7 at 8 mg/kg q2w (Swiss label); 68 kg as in the source."""
    kinetics = read_drugs()["ramucirumab"].kinetics
    doses = make_doses(find_regimen("ramucirumab"), until=200.0, weight_kg=68.0)
    troughs = find_course(kinetics, doses, until=200.0).level([41.999, 83.999])
    assert troughs == pytest.approx([44.1, 60.2], rel=0.25)


def test_tremelimumab_trough_is_near_that_predicted_for_stride() -> None:
    """12.9 ug/mL before the second cycle of STRIDE (doi:10.1158/1078-0432.CCR-22-1983)."""
    kinetics = read_drugs()["tremelimumab"].kinetics
    doses = make_doses(find_regimen("tremelimumab"), until=60.0)
    assert find_course(kinetics, doses, until=60.0).level([28.0])[0] == pytest.approx(12.9, rel=0.25)


def test_a_hold_lets_the_level_fall_and_a_reduction_halves_it() -> None:
    kinetics = read_drugs()["sorafenib"].kinetics
    doses = make_doses(find_regimen("sorafenib"), until=100.0)
    held = find_course(kinetics, hold_doses(doses, first=40.0, last=60.0), until=100.0, fast=True)
    half = find_course(kinetics, reduce_doses(doses, first=40.0, factor=0.5), until=100.0, fast=True)
    full = find_course(kinetics, doses, until=100.0, fast=True).level([39.0, 59.0, 99.0])
    assert held.level([39.0, 59.0, 99.0]) == pytest.approx([full[0], 0.0, full[2]], abs=1e-6)
    assert half.level([59.0])[0] == pytest.approx(full[1] / 2, rel=1e-6)


def test_three_weeks_on_and_one_off_is_seen_in_the_level() -> None:
    kinetics = read_drugs()["regorafenib"].kinetics
    doses = make_doses(find_regimen("regorafenib"), until=84.0)
    level = find_course(kinetics, doses, until=84.0, fast=True).level([20.5, 27.9, 48.5])
    assert level[1] < 0.05 * level[0]
    assert level[2] == pytest.approx(level[0], rel=0.01)


@pytest.mark.parametrize("rate", [0.3, 1.0, 4.0, 12.0])
def test_phases_average_what_falls_within_an_interval(rate: float) -> None:
    """Mean of exp(-rate t) over the interval, by the integral; and its square, as an effect might be."""
    assert PHASES.shares.sum() == pytest.approx(1.0, abs=1e-12)
    for power in (1, 2):
        level = np.exp(-power * rate * PHASES.moments[:-1])
        assert PHASES.shares @ level == pytest.approx(-np.expm1(-power * rate) / (power * rate), rel=1e-5)
    assert (np.diff(PHASES.moments) > 0).all()
    assert PHASES.moments[-1] == 1.0


@pytest.mark.parametrize("rate", [0.3, 1.0, 4.0, 12.0])
def test_the_swing_is_the_integral_of_a_rate_less_its_mean(rate: float) -> None:
    """Rate exp(-a t) with mean m, by hand: D(t) = (1 - e^-at)/a - m t, less the mean of D."""
    t = PHASES.moments
    mean = -np.expm1(-rate) / rate
    away = -np.expm1(-rate * t) / rate - mean * t
    average = (1 - mean) / rate - mean / 2
    assert np.exp(-rate * t[:-1]) @ PHASES.swing == pytest.approx(away - average, abs=5e-5)
    assert np.ones(PHASE_COUNT) @ PHASES.swing == pytest.approx(0.0, abs=1e-8)


def test_the_inflow_that_doses_stand_for() -> None:
    """Twice daily 2 mg for four days, held on the third: 4 mg a day, nothing, 4 mg a day, nothing."""
    doses = Doses(np.array([0, 0.5, 1, 1.5, 3, 3.5]), np.full(6, 2.0), 0.5)
    found = find_inflows(doses, until=10.0)
    assert found.days.tolist() == [0.0, 2.0, 3.0, 4.0]
    assert found.amounts.tolist() == [4.0, 0.0, 4.0, 0.0]


def test_no_doses_are_no_level() -> None:
    none = Doses(np.zeros(0), np.zeros(0), 1.0)
    assert find_course(read_drugs()["sorafenib"].kinetics, none, until=10.0).level([0.0, 5.0]).max() == 0
