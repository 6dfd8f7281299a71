"""The integrator: order, tolerance, balances, positivity, extinction, stops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccresist.errors import ComputationError, ConfigError
from hccresist.overcome.model import kernel_generated as kernel
from hccresist.overcome.model.integrate import WORK, find_effects, find_rates, take_step
from hccresist.overcome.model.parameters import read_model, read_parameters
from hccresist.overcome.model.patients import make_drugs, make_parameters, run_patient, start_state

TREATMENT = {"block_pd1": 0.9, "block_vegf": 0.8, "inhibit_vegfr": 2.0, "dose_kill": 1.2, "toxicity": 1.0}


def march(state, params, days, steps):
    """Fixed steps of the pair under treatment."""
    drugs = make_drugs(TREATMENT)
    n = state.size
    work, effects = np.empty((WORK, n)), np.empty(len(kernel.EXPOSURES))
    y, size = state.copy(), days / steps
    for i in range(steps):
        find_rates(
            i * size, y, params, drugs.terms[0], drugs.shares, drugs.weights, effects, work[0], work[9]
        )
        take_step(i * size, size, y, params, drugs.terms[0], drugs.shares, drugs.weights, work, effects)
        y = work[7].copy()
    return y


def test_halving_the_step_shows_fifth_order(plain) -> None:
    params, state = plain
    best = march(state, params, 32.0, 2048)
    errors = [np.abs(march(state, params, 32.0, n) - best).max() for n in (16, 32, 64)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (orders > 4.5).all(), orders


def test_the_error_estimate_is_of_lower_order_and_not_nothing(plain) -> None:
    params, state = plain
    drugs, n = make_drugs(TREATMENT), state.size
    found = []
    for size in (1.0, 0.5):
        work, effects = np.empty((WORK, n)), np.empty(len(kernel.EXPOSURES))
        find_rates(0.0, state, params, drugs.terms[0], drugs.shares, drugs.weights, effects, work[0], work[9])
        take_step(0.0, size, state, params, drugs.terms[0], drugs.shares, drugs.weights, work, effects)
        found.append(np.abs(work[8]).max())
    assert found[1] > 0
    assert 4.0 < np.log2(found[0] / found[1]) < 6.5


def test_a_tighter_tolerance_changes_diameters_by_less_than_a_millionth(patient) -> None:
    params, state = patient
    times = np.arange(0, 729, 56.0)
    drugs = make_drugs(TREATMENT, intervals=times.size - 1)
    loose = run_patient(state, params, times, drugs=drugs)
    tight = run_patient(state, params, times, drugs=drugs, tolerances=(1e-10, 1e-13))
    for lesion in range(3):
        size = tight.output("whole_mm", lesion=lesion)
        assert np.abs(loose.output("whole_mm", lesion=lesion) - size).max() < 1e-5 * size[0]


def test_stops_do_not_change_the_result(patient) -> None:
    params, state = patient
    few = run_patient(state, params, [0.0, 365.0])
    many = run_patient(state, params, np.linspace(0, 365, 74))
    assert np.allclose(few.path[-1], many.path[-1], rtol=1e-5, atol=1e-9)


def test_the_same_run_is_the_same_to_the_last_bit(patient) -> None:
    params, state = patient
    times = np.arange(0, 200, 42.0)
    assert (run_patient(state, params, times).path == run_patient(state, params, times).path).all()


def test_tissue_balance_over_two_years(plain) -> None:
    """Cells and debris at the end = at the start + births − clearance, by quadrature of the outputs."""
    params, state = plain
    times = np.linspace(0, 365, 3651)
    run = run_patient(state, params, times, drugs=make_drugs(TREATMENT, intervals=3650))
    p = dict(zip(read_model().names("patient"), params, strict=False))
    debris = run.state("debris", lesion=0)
    tissue = run.output("cells_ml", lesion=0) + debris
    rate = run.output("tumour_growth", lesion=0)
    names = read_model().lesion.states
    dead = np.gradient(debris, times) + p["debris_clear"] * debris
    births = np.trapezoid(rate + dead, times)
    cleared = np.trapezoid(p["debris_clear"] * debris, times)
    assert names.index("debris") == 5
    assert tissue[-1] - tissue[0] == pytest.approx(births - cleared, rel=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_parameter_set_in_range_gives_negative_states_or_no_answer(seed: int) -> None:
    draw = np.random.default_rng(seed)
    values = {}
    for parameter in read_parameters():
        if parameter.distribution == "lognormal":
            values[parameter.name] = parameter.value * np.exp((parameter.spread or 0) * draw.uniform(-3, 3))
        elif parameter.distribution != "fixed":
            values[parameter.name] = draw.uniform(parameter.low or 0, parameter.high or 0)
    params = make_parameters(2, values=values)
    state = start_state(
        params, draw.uniform(10, 150, 2), tolerant=draw.uniform(0, 0.5), escaped=draw.uniform(0, 0.5)
    )
    names = [exposure.name for exposure in read_model().exposures]
    effects = {
        name: draw.uniform(0, 0.99) * (1 if name.startswith(("block", "deplete")) else 5) for name in names
    }
    times = np.arange(0, 729, 56.0)
    run = run_patient(state, params, times, drugs=make_drugs(effects, intervals=times.size - 1))
    assert np.isfinite(run.path).all()
    assert (run.path >= 0).all()
    assert np.isfinite(run.shown).all()
    for lesion in range(2):
        whole, viable = run.output("whole_mm", lesion=lesion), run.output("viable_mm", lesion=lesion)
        assert (viable <= whole * (1 + 1e-9)).all()
        assert (np.abs(run.output("tumour_share", lesion=lesion)) <= 1).all()


def test_a_clone_below_one_cell_goes_extinct_and_does_not_come_back() -> None:
    params = make_parameters(1, values={"apoptosis_max": 2.0})
    state = start_state(params, [40.0])
    times = np.arange(0, 400, 20.0)
    drugs = make_drugs({"dose_kill": 20.0}, intervals=times.size - 1)
    run = run_patient(state, params, times, drugs=drugs)
    assert run.state("sensitive", lesion=0)[-1] == 0
    after = run_patient(run.path[-1], params, times)
    assert (after.state("sensitive", lesion=0) == 0).all()
    assert after.output("whole_mm", lesion=0)[-1] < 1


def test_one_cell_of_a_growing_clone_stays() -> None:
    params = make_parameters(1)
    state = start_state(params, [40.0])
    state[11] = 1.0e-9
    run = run_patient(state, params, [0.0, 100.0])
    assert run.state("tolerant", lesion=0)[-1] > 1e-9


def test_what_cannot_be_solved_is_told_and_not_dropped(plain) -> None:
    params, state = plain
    broken = state.copy()
    broken[12] = np.nan
    with pytest.raises(ComputationError, match="stopped after day 0: step too small"):
        run_patient(broken, params, [0.0, 10.0])


def test_names_and_shares_that_are_wrong_are_refused() -> None:
    with pytest.raises(ConfigError, match="h_nothing"):
        make_parameters(1, values={"h_nothing": 1.0})
    with pytest.raises(ConfigError, match="traffic"):
        make_parameters(1, each=[{"traffic": 1.0}])
    with pytest.raises(ConfigError, match="values for 1 lesions, but 2 lesions"):
        make_parameters(2, each=[{}])
    with pytest.raises(ConfigError, match="no drug effect: x"):
        make_drugs({"x": 1.0})
    with pytest.raises(ConfigError, match="to below 1"):
        make_drugs({"block_pd1": 1.0})


def test_a_mixture_has_the_mean_affinity_for_efflux() -> None:
    weights = np.zeros((2, len(kernel.EXPOSURES)))
    kill, efflux = kernel.EXPOSURES.index("dose_kill"), kernel.EXPOSURES.index("efflux_affinity")
    weights[:, kill] = [1.0, 3.0]
    weights[:, efflux] = [1.0 * 0.9, 3.0 * 0.1]
    terms = np.zeros((2, 4, 2))
    terms[:, 0, 0] = 1.0
    effects = np.empty(len(kernel.EXPOSURES))
    find_effects(5.0, terms, weights, effects)
    assert effects[kill] == 4.0
    assert effects[efflux] == pytest.approx((1 * 0.9 + 3 * 0.1) / 4)


def test_the_start_has_the_diameters_that_were_asked_for_and_grows_on(patient) -> None:
    params, state = patient
    run = run_patient(state, params, [0.0, 28.0])
    for lesion, size in enumerate((60.0, 30.0, 20.0)):
        assert run.output("whole_mm", lesion=lesion)[0] == pytest.approx(size, rel=1e-9)
        assert run.output("whole_mm", lesion=lesion)[1] > size
        cells = np.array(
            [run.state(name, lesion=lesion)[0] for name in ("sensitive", "tolerant", "escaped", "both")]
        )
        assert cells / cells.sum() == pytest.approx([0.9702, 0.0098, 0.0198, 0.0002])
    assert run.state("hazard_death")[0] == 0


def test_untreated_volume_doubles_as_published(plain) -> None:
    """86 days (PMC4612289) to 163 days (World J Hepatol 2024 16:800): the default patient lies between."""
    params, state = plain
    run = run_patient(state, params, [0.0, 42.0])
    first, last = run.output("whole_volume", lesion=0)
    assert 86 <= 42 * np.log(2) / np.log(last / first) <= 163
