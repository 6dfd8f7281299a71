"""The kernel is what the text says."""

from __future__ import annotations

import ast

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hccresist.overcome.model import kernel_generated as kernel
from hccresist.overcome.model.generate import INTEGRATOR, KERNEL, write_kernel, write_stamp
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.model.patients import make_parameters


def test_the_committed_kernel_is_that_of_the_text() -> None:
    assert KERNEL.read_text(encoding="utf-8") == write_kernel(read_model()), (
        "run: python -m hccresist.overcome.model.generate"
    )


def test_the_integrator_carries_the_digest_of_the_kernel() -> None:
    text = INTEGRATOR.read_text(encoding="utf-8")
    assert write_stamp(KERNEL.read_text(encoding="utf-8"), text) == text
    assert write_stamp("another kernel", text) != text


def test_the_kernel_allocates_nothing() -> None:
    tree = ast.parse(KERNEL.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    made = [n for f in functions for n in ast.walk(f) if isinstance(n, ast.List | ast.Dict | ast.ListComp)]
    called = {
        n.func.id
        for f in functions
        for n in ast.walk(f)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }
    assert made == []
    assert called <= {f.name for f in functions} | {"sqrt", "exp", "abs", "range", "njit"}


def evaluate(state, params, effects, lesions):
    """Rates by plain evaluation of the text, name by name: an independent reading of the arrays."""
    model = read_model()
    known: dict[str, object] = {"sqrt": np.sqrt, "exp": np.exp, "abs": abs}
    for function in model.lesion.functions.values():
        source = f"lambda {', '.join(function.arguments)}: {function.body.python}"
        known[function.name] = eval(source)
    known |= dict(zip(model.names("patient"), params, strict=False))
    known |= dict(zip([e.name for e in model.exposures], effects, strict=True))
    known |= dict(zip(model.patient.states, state, strict=False))
    rates, sums = [], dict.fromkeys(model.patient.sums, 0.0)
    for i in range(lesions):
        own = dict(known)
        own |= dict(
            zip(
                model.names("lesion"),
                params[len(model.names("patient")) + i * len(model.names("lesion")) :],
                strict=False,
            )
        )
        own |= dict(zip(model.lesion.states, state[10 + i * 14 :], strict=False))
        for name, formula in model.lesion.rules.items():
            own[name] = eval(formula.python, {}, own)
        rates += [eval(formula.python, {}, own) for formula in model.lesion.rates.values()]
        for name, target in model.patient.sums.items():
            sums[name] += own[target]
    known |= sums
    for name, formula in model.patient.rules.items():
        known[name] = eval(formula.python, {}, known)
    first = [eval(formula.python, {}, known) for formula in model.patient.rates.values()]
    return np.array(first + rates)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_kernel_gives_the_rates_that_the_text_gives(seed: int) -> None:
    draw = np.random.default_rng(seed)
    params = make_parameters(2)
    params = np.where(
        params == 0, draw.uniform(0, 1, params.size), params * draw.uniform(0.5, 2, params.size)
    )
    state = draw.uniform(0.01, 20, 10 + 28)
    effects = draw.uniform(0, 0.9, len(kernel.EXPOSURES))
    out = np.empty_like(state)
    kernel.rhs(state, params, effects, out)
    assert np.allclose(out, evaluate(state, params, effects, 2), rtol=1e-9, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_tumour_tissue_is_neither_made_nor_lost_but_by_birth_and_clearance(seed: int) -> None:
    """Cells × volume + debris: what goes in is birth, what goes out is clearance; clones only exchange."""
    draw = np.random.default_rng(seed)
    params = make_parameters(1)
    params = np.where(
        params == 0, draw.uniform(0, 0.5, params.size), params * draw.uniform(0.5, 1, params.size)
    )
    state = draw.uniform(0.01, 20, 24)
    state[-3:] = draw.uniform(0, 1, 3)  # autophagy, upr, bypass
    effects = draw.uniform(0, 0.9, len(kernel.EXPOSURES))
    out = np.empty_like(state)
    kernel.rhs(state, params, effects, out)
    model = read_model()
    p = dict(zip(model.names("patient"), params, strict=False))
    tissue = p["cell_volume"] * out[10:14].sum() + out[10 + model.lesion.states.index("debris")]
    own = dict(zip(model.lesion.states, state[10:], strict=True))
    births = tissue + p["debris_clear"] * own["debris"]
    cells = state[10:14].sum()
    growth = params[-7:][0] * (1 + p["h_hyper_growth"] * effects[0]) * (1 + 2 * p["h_stem"])
    assert 0 <= births <= p["cell_volume"] * growth * cells * (1 + 1e-9)


def test_an_empty_slot_stays_empty_and_finite() -> None:
    params, state = make_parameters(2), np.zeros(10 + 28)
    state[:10] = 1.0
    out = np.full_like(state, np.nan)
    kernel.rhs(state, params, np.zeros(len(kernel.EXPOSURES)), out)
    assert np.isfinite(out).all()
    assert (out[10:] == 0).all()
    shown = np.full(kernel.PATIENT_SHOWN + 2 * kernel.LESION_SHOWN, np.nan)
    kernel.outputs(state, params, np.zeros(len(kernel.EXPOSURES)), shown)
    assert np.isfinite(shown).all()
