"""The kernel is what the text says."""

from __future__ import annotations

import ast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccresist.overcome.model import kernel_generated as kernel
from hccresist.overcome.model.generate import COMPILED, KERNEL, write_all, write_kernel, write_stamp
from hccresist.overcome.model.integrate import SATURATING
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.model.patients import make_effects, make_parameters
from hccresist.overcome.pk import PHASE_COUNT, PHASES

PATIENT, LESION = kernel.PATIENT_SIZE, kernel.LESION_SIZE
CAPACITY = kernel.LESION_STATES.index("capacity")


def test_the_committed_kernel_is_that_of_the_text() -> None:
    assert KERNEL.read_text(encoding="utf-8") == write_kernel(read_model()), (
        "run: python -m hccresist.overcome.model.generate"
    )


@pytest.mark.parametrize("file", COMPILED, ids=lambda file: file.stem)
def test_compiled_modules_carry_the_digest_of_what_is_compiled_into_them(file) -> None:
    """Else Numba's cache would go on with an old kernel."""
    text = file.read_text(encoding="utf-8")
    assert write_all(KERNEL.read_text(encoding="utf-8"))[file] == text, (
        "run: python -m hccresist.overcome.model.generate"
    )
    assert write_stamp(text, "another kernel") != text


def test_a_change_of_the_kernel_changes_every_digest() -> None:
    now, then = (write_all(text) for text in (KERNEL.read_text(encoding="utf-8"), "another kernel"))
    assert all(now[file] != then[file] for file in COMPILED)


@pytest.mark.parametrize("file", [KERNEL, *COMPILED], ids=lambda file: file.stem)
def test_compiled_functions_allocate_nothing(file) -> None:
    """No list, no array, no text: the same functions run on a GPU."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.decorator_list]
    inside = [node for function in functions for node in ast.walk(function)]
    made = [n for n in inside if isinstance(n, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.JoinedStr)]
    made += [
        n for n in inside if isinstance(n, ast.Attribute) and n.attr in {"zeros", "empty", "full", "copy"}
    ]
    assert functions
    assert made == []


def evaluate(state, params, effects, lesions):
    """All that the text gives, by plain evaluation name by name: an independent reading of the arrays.

    `effects` is one number for each drug effect. Returns rates, and all names with their values, of the
    patient and of each lesion.
    """
    model = read_model()
    known: dict[str, object] = {"sqrt": np.sqrt, "exp": np.exp, "abs": abs}
    for function in model.lesion.functions.values():
        source = f"lambda {', '.join(function.arguments)}: {function.body.python}"
        known[function.name] = eval(source)
    shared, local = model.names("patient"), model.names("lesion")
    known |= dict(zip(shared, params, strict=False))
    known |= dict(zip([e.name for e in model.exposures], effects, strict=True))
    known |= dict(zip(model.patient.states, state, strict=False))
    rates, each, sums = [], [], dict.fromkeys(model.patient.sums, 0.0)
    for i in range(lesions):
        own = dict(known)
        own |= dict(zip(local, params[len(shared) + i * len(local) :], strict=False))
        own |= dict(zip(model.lesion.states, state[PATIENT + i * LESION :], strict=False))
        for name, formula in model.lesion.rules.items():
            own[name] = eval(formula.python, {}, own)
        rates += [eval(formula.python, {}, own) for formula in model.lesion.rates.values()]
        for name, target in model.patient.sums.items():
            sums[name] += own[target]
        each.append(own)
    known |= sums
    for name, formula in model.patient.rules.items():
        known[name] = eval(formula.python, {}, known)
    first = [eval(formula.python, {}, known) for formula in model.patient.rates.values()]
    return np.array(first + rates), known, each


def phase(effects, k):
    """Drug effects of one phase of the day: what does not change within the day stands in the first."""
    columns = effects.reshape(kernel.COLUMNS, kernel.LANES)
    return [
        columns[i, k if exposure.course == "daily" else 0]
        for i, exposure in enumerate(read_model().exposures)
    ]


def swung(state, params, effects, lesions, every_days):
    """States in each phase and before a dose: the capacity moved by its rates at its mean level."""
    places = [PATIENT + i * LESION + CAPACITY for i in range(lesions)]
    rates = [evaluate(state, params, phase(effects, k), lesions)[0][places] for k in range(PHASE_COUNT)]
    found = np.tile(state, (PHASE_COUNT + 1, 1))
    found[:, places] = np.maximum(state[places] + every_days * PHASES.swing.T @ np.array(rates), 0.0)
    return found


def averaged(state, params, effects, lesions, every_days):
    """Rates as means over the phases of the day, the vessels swinging."""
    moved = swung(state, params, effects, lesions, every_days)
    rates = [evaluate(moved[k], params, phase(effects, k), lesions)[0] for k in range(PHASE_COUNT)]
    return PHASES.shares @ np.array(rates)


def listed(known, each):
    """Outputs in the order of the kernel."""
    model = read_model()
    names = model.outputs("lesion")
    return [known[name] for name in model.outputs("patient")] + [own[name] for own in each for name in names]


def drawn(seed):
    """A patient with two lesions, all mechanisms on, effects random in each phase."""
    draw = np.random.default_rng(seed)
    params = make_parameters(2)
    params = np.where(
        params == 0, draw.uniform(0, 1, params.size), params * draw.uniform(0.5, 2, params.size)
    )
    state = draw.uniform(0.01, 20, PATIENT + 2 * LESION)
    every_days = draw.uniform(0.5, 2)
    effects = make_effects(every_days)
    columns = effects.reshape(kernel.COLUMNS, kernel.LANES)
    columns[: len(kernel.EXPOSURES), : PHASE_COUNT + 1] = draw.uniform(
        0, 0.9, (len(kernel.EXPOSURES), PHASE_COUNT + 1)
    )
    return params, state, effects, every_days


def test_shares_of_a_target_do_not_change_within_a_day_and_all_else_may() -> None:
    """The compiled code takes the first effects as slow; the table must say the same."""
    courses = [exposure.course for exposure in read_model().exposures]
    assert courses == ["slow"] * SATURATING + ["daily"] * (len(courses) - SATURATING)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_kernel_gives_the_rates_that_the_text_gives(seed: int) -> None:
    params, state, effects, _ = drawn(seed)
    out = np.full_like(state, np.nan)
    kernel.steady(state, params, effects, out)
    assert np.allclose(out, evaluate(state, params, phase(effects, 0), 2)[0], rtol=1e-9, atol=1e-11)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_kernel_gives_the_means_over_the_day_that_the_text_gives(seed: int) -> None:
    params, state, effects, every_days = drawn(seed)
    out = np.full_like(state, np.nan)
    kernel.day(state, params, effects, out)
    assert np.allclose(out, averaged(state, params, effects, 2, every_days), rtol=1e-9, atol=1e-11)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_kernel_gives_the_outputs_before_a_dose_that_the_text_gives(seed: int, many: bool) -> None:
    params, state, effects, every_days = drawn(seed)
    out = np.full(kernel.PATIENT_SHOWN + 2 * kernel.LESION_SHOWN, np.nan)
    kernel.outputs(state, params, effects, many, out)
    moment = swung(state, params, effects, 2, every_days)[-1] if many else state
    _, known, each = evaluate(moment, params, phase(effects, PHASE_COUNT), 2)
    assert np.allclose(out, listed(known, each), rtol=1e-9, atol=1e-11)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_day_that_is_the_same_all_day_is_a_steady_day(seed: int) -> None:
    """With the same effects in every phase nothing swings, so that means are what a steady day gives."""
    params, state, effects, _ = drawn(seed)
    columns = effects.reshape(kernel.COLUMNS, kernel.LANES)
    columns[: len(kernel.EXPOSURES)] = columns[: len(kernel.EXPOSURES), :1]
    steady, day = np.empty_like(state), np.empty_like(state)
    kernel.steady(state, params, effects, steady)
    kernel.day(state, params, effects, day)
    assert np.allclose(day, steady, rtol=1e-9, atol=1e-9)


def test_what_happens_at_once_is_that_of_the_text() -> None:
    params, state, effects, _ = drawn(5)
    _, _, each = evaluate(state, params, phase(effects, 0), 2)
    for i, own in enumerate(each):
        first = kernel.PATIENT_PARAMS + i * kernel.LESION_PARAMS
        found = kernel.lesion_events(params, first)
        assert found == pytest.approx([own[name] for name in read_model().events()], rel=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_tumour_tissue_is_neither_made_nor_lost_but_by_birth_and_clearance(seed: int, many: bool) -> None:
    """Cells × volume + debris: what goes in is birth, what goes out is clearance; clones only exchange."""
    draw = np.random.default_rng(seed)
    params = make_parameters(1)
    params = np.where(
        params == 0, draw.uniform(0, 0.5, params.size), params * draw.uniform(0.5, 1, params.size)
    )
    state = draw.uniform(0.01, 20, PATIENT + LESION)
    state[-3:] = draw.uniform(0, 1, 3)  # autophagy, upr, bypass
    effects = make_effects(1.0)
    effects[: len(kernel.EXPOSURES) * kernel.LANES] = draw.uniform(
        0, 0.9, len(kernel.EXPOSURES) * kernel.LANES
    )
    out = np.empty_like(state)
    (kernel.day if many else kernel.steady)(state, params, effects, out)
    model = read_model()
    p = dict(zip(model.names("patient"), params, strict=False))
    rates = dict(zip(model.lesion.states, out[PATIENT:], strict=True))
    own = dict(zip(model.lesion.states, state[PATIENT:], strict=True))
    clones = ("sensitive", "tolerant", "escaped", "both")
    tissue = p["cell_volume"] * sum(rates[name] for name in clones) + rates["debris"]
    births = tissue + p["debris_clear"] * own["debris"]
    cells = sum(own[name] for name in clones)
    growth = params[kernel.PATIENT_PARAMS + kernel.LESION_PARAMETERS.index("growth_rate")]
    most = growth * (1 + p["h_hyper_growth"] * effects[0]) * (1 + 2 * p["h_stem"])
    assert -1e-12 <= births <= p["cell_volume"] * most * cells * (1 + 1e-9)


@pytest.mark.parametrize("many", [False, True])
def test_an_empty_slot_stays_empty_and_finite(many: bool) -> None:
    params, state = make_parameters(2), np.zeros(PATIENT + 2 * LESION)
    state[:PATIENT] = 1.0
    effects = make_effects(1.0)
    out = np.full_like(state, np.nan)
    (kernel.day if many else kernel.steady)(state, params, effects, out)
    assert np.isfinite(out).all()
    assert (out[PATIENT:] == 0).all()
    shown = np.full(kernel.PATIENT_SHOWN + 2 * kernel.LESION_SHOWN, np.nan)
    kernel.outputs(state, params, effects, many, shown)
    assert np.isfinite(shown).all()
