"""The integrator: order, tolerance, balances, positivity, extinction, stops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccresist.errors import ComputationError, ConfigError
from hccresist.overcome.dosing import find_kinetics, find_regimen, make_doses, make_treatment, read_drugs
from hccresist.overcome.model import kernel_generated as kernel
from hccresist.overcome.model.integrate import HAZARDS, WORK, cross, find_effects, find_rates, take_step
from hccresist.overcome.model.parameters import read_model, read_parameters
from hccresist.overcome.model.patients import (
    Drugs,
    make_drugs,
    make_effects,
    make_parameters,
    run_patient,
    start_state,
)
from hccresist.overcome.pk import PHASES, find_course

TREATMENT = {"block_pd1": 0.9, "block_vegf": 0.8, "inhibit_vegfr": 2.0, "dose_kill": 1.2, "toxicity": 1.0}
P, S = kernel.PATIENT_SIZE, kernel.LESION_SIZE
HAZARD_NAMES = ("hazard_death", "hazard_dropout", "hazard_new")


def treatment(*, many):
    """A steady treatment, or one with the same mean level and phases of the day."""
    drugs = make_drugs(TREATMENT)
    ripples = drugs.ripples[0].copy()
    if many:
        decay = np.exp(-2.0 * PHASES.moments)
        ripples[0] = decay - PHASES.shares @ decay[:-1]
    return drugs.terms[0], ripples, many, drugs.weights


def rooms(n, *, many):
    """Working arrays."""
    return np.empty((WORK, n)), make_effects(1.0 if many else 0.0)


def march(state, params, days, steps, *, many):
    """Fixed steps of the pair under treatment."""
    drug = treatment(many=many)
    work, effects = rooms(state.size, many=many)
    y, size = state.copy(), days / steps
    for i in range(steps):
        find_rates(i * size, y, params, *drug, effects, work[0])
        take_step(i * size, size, y, params, *drug, work, effects)
        y = work[7].copy()
    return y


@pytest.mark.parametrize("many", [False, True])
def test_halving_the_step_shows_fifth_order(plain, many) -> None:
    params, state = plain
    best = march(state, params, 32.0, 2048, many=many)
    errors = [np.abs(march(state, params, 32.0, n, many=many) - best).max() for n in (16, 32, 64)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (orders > 4.5).all(), orders


def test_the_error_estimate_is_of_lower_order_and_not_nothing(plain) -> None:
    params, state = plain
    found, drug = [], treatment(many=False)
    for size in (1.0, 0.5):
        work, effects = rooms(state.size, many=False)
        find_rates(0.0, state, params, *drug, effects, work[0])
        take_step(0.0, size, state, params, *drug, work, effects)
        found.append(np.abs(work[8]).max())
    assert found[1] > 0
    assert 4.0 < np.log2(found[0] / found[1]) < 6.5


def halt(state, params, thresholds, *, days=728.0, many=False):
    """Run under treatment until a threshold is crossed; state and what `cross` returns."""
    y = state.copy()
    work, effects = rooms(y.size, many=many)
    return y, cross(days, 1.0, y, params, *treatment(many=many), (1e-9, 1e-12), thresholds, work, effects)


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_run_halts_where_a_hazard_crosses_its_threshold(plain, which, many) -> None:
    """The hazard there is the threshold; going to that day without a threshold gives the same state."""
    params, state = plain
    never = [np.inf] * 3
    whole, (status, _, gone, first) = halt(state, params, tuple(never), many=many)
    assert (status, gone, first) == (0, 728.0, -1)
    place = HAZARDS[which]
    assert kernel.PATIENT_STATES[place] == HAZARD_NAMES[which]
    for share in (0.003, 0.3, 0.9):
        never[which] = share * whole[place]
        y, (status, _, gone, first) = halt(state, params, tuple(never), many=many)
        assert (status, first) == (0, which)
        assert y[place] == pytest.approx(never[which], rel=1e-6)
        straight, _ = halt(state, params, (np.inf,) * 3, days=gone, many=many)
        assert y == pytest.approx(straight, rel=1e-6, abs=1e-9)


def test_of_two_hazards_the_first_to_cross_halts_the_run(plain) -> None:
    params, state = plain
    whole, _ = halt(state, params, (np.inf,) * 3)
    half = [0.5 * whole[place] for place in HAZARDS]
    days = [
        halt(state, params, tuple(half[h] if h == k else np.inf for h in range(3)))[1][2] for k in range(3)
    ]
    _, (_, _, gone, first) = halt(state, params, tuple(half))
    assert first == int(np.argmin(days))
    assert gone == pytest.approx(min(days), abs=1e-3)


def test_a_threshold_already_passed_halts_at_once_and_a_run_of_no_days_does_nothing(plain) -> None:
    params, state = plain
    passed = state.copy()
    passed[HAZARDS[0]] = 2.0
    _, (status, _, gone, first) = halt(passed, params, (1.0, np.inf, np.inf))
    assert (status, first) == (0, 0)
    assert gone < 1e-6
    same, (status, _, gone, first) = halt(state, params, (np.inf,) * 3, days=0.0)
    assert (status, gone, first) == (0, 0.0, -1)
    assert (same == state).all()


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


def in_range(draw):
    """Parameters and state of a patient with two lesions, every parameter anywhere in its range."""
    values = {}
    for parameter in read_parameters():
        if parameter.distribution == "lognormal":
            values[parameter.name] = parameter.value * np.exp((parameter.spread or 0) * draw.uniform(-3, 3))
        elif parameter.distribution != "fixed":
            values[parameter.name] = draw.uniform(parameter.low or 0, parameter.high or 0)
    params = make_parameters(2, values=values)
    shares = {"tolerant": draw.uniform(0, 0.5), "escaped": draw.uniform(0, 0.5)}
    return params, start_state(params, draw.uniform(10, 150, 2), **shares)


def hold_to_sense(run):
    """No NaN, nothing negative, what enhances lies within the whole."""
    assert np.isfinite(run.path).all()
    assert (run.path >= 0).all()
    assert np.isfinite(run.shown).all()
    for lesion in range(2):
        whole, viable = run.output("whole_mm", lesion=lesion), run.output("viable_mm", lesion=lesion)
        assert (viable <= whole * (1 + 1e-9)).all()
        assert (np.abs(run.output("tumour_share", lesion=lesion)) <= 1).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_parameter_set_in_range_gives_negative_states_or_no_answer(seed: int) -> None:
    """Any steady effects for two years."""
    draw = np.random.default_rng(seed)
    params, state = in_range(draw)
    names = [exposure.name for exposure in read_model().exposures]
    effects = {
        name: draw.uniform(0, 0.99) * (1 if name.startswith(("block", "deplete")) else 5) for name in names
    }
    times = np.arange(0, 729, 56.0)
    hold_to_sense(run_patient(state, params, times, drugs=make_drugs(effects, intervals=times.size - 1)))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_nor_do_any_three_drugs_in_the_fast_mode(seed: int) -> None:
    """Kinetics three standard deviations either way, as phases of the day, at the loose tolerance."""
    draw = np.random.default_rng(seed)
    params, state = in_range(draw)
    courses = {}
    for name in draw.choice(sorted(read_drugs()), 3, replace=False):
        drug = read_drugs()[name]
        kinetics = find_kinetics(drug, {key: draw.uniform(-3, 3) for key in drug.spreads})
        doses = make_doses(find_regimen(name), until=728.0, start=draw.uniform(0, 100))
        courses[name] = find_course(kinetics, doses, until=728.0, fast=True)
    given = make_treatment(courses, np.arange(0, 729, 56.0))
    hold_to_sense(run_patient(state, params, given.times, drugs=given.drugs, tolerances=(1e-3, 1e-7)))


def test_a_clone_below_one_cell_goes_extinct_and_does_not_come_back() -> None:
    params = make_parameters(1, values={"apoptosis_max": 2.0})
    state = start_state(params, [40.0])
    times = np.arange(0, 700, 20.0)
    drugs = make_drugs({"dose_kill": 20.0}, intervals=times.size - 1)
    run = run_patient(state, params, times, drugs=drugs)
    assert run.state("sensitive", lesion=0)[-1] == 0
    after = run_patient(run.path[-1], params, times)
    assert (after.state("sensitive", lesion=0) == 0).all()
    assert after.output("whole_mm", lesion=0)[-1] < 1


def test_one_cell_of_a_growing_clone_stays() -> None:
    params = make_parameters(1)
    state = start_state(params, [40.0])
    state[P + 1] = 1.0e-9
    run = run_patient(state, params, [0.0, 100.0])
    assert run.state("tolerant", lesion=0)[-1] > 1e-9


def test_what_cannot_be_solved_is_told_and_not_dropped(plain) -> None:
    params, state = plain
    broken = state.copy()
    broken[P + 2] = np.nan
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
    ripples = np.zeros((2, PHASES.moments.size))
    ripples[1] = np.linspace(0.5, -0.5, PHASES.moments.size)
    for many in (False, True):
        effects = make_effects(1.0)
        find_effects(5.0, terms, ripples, many, weights, effects)
        columns = effects.reshape(kernel.COLUMNS, kernel.LANES)
        levels = 3.0 * (1.0 + ripples[1])
        for k in range(PHASES.moments.size) if many else (0, PHASES.moments.size - 1):
            second = levels[k] if many or k else 3.0
            assert columns[kill, k] == pytest.approx(1.0 + second)
            assert columns[efflux, k] == pytest.approx((0.9 + 0.1 * second) / (1.0 + second))


def test_the_mean_over_the_phases_of_a_linear_effect_is_that_of_the_mean_level(plain) -> None:
    """Toxicity acts on dropout in proportion: with or without phases, the cumulative hazard is the same."""
    params, state = plain
    drugs = make_drugs({"toxicity": 2.0})
    decay = np.exp(-3.0 * PHASES.moments)
    ripples = np.tile(decay - PHASES.shares @ decay[:-1], (1, 1, 1))
    rippled = Drugs(drugs.terms, ripples, drugs.weights, 1.0)
    runs = [run_patient(state, params, [0.0, 100.0], drugs=given) for given in (drugs, rippled)]
    first, second = (run.state("hazard_dropout")[-1] for run in runs)
    assert second == pytest.approx(first, rel=1e-9)


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
