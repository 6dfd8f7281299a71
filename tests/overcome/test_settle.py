"""Untreated starts: the diameters that were asked for, a make-up that lasts, nothing left behind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hccresist.overcome.engine import settle
from hccresist.overcome.model import kernel_generated as kernel
from hccresist.overcome.model.patients import run_patient, start_state
from hccresist.overcome.population import draw_population

COUNT = 12


@pytest.fixture(scope="module")
def settled():
    """Patients with the states, growth rates and statuses that were found for them."""
    people = draw_population(np.arange(COUNT), seed=2)
    return people, *settle(people, threads=1)


def own(people, i):
    """Parameters of the lesions that a patient has, and how many numbers their states are."""
    lesions = int(people.lesions[i])
    params = people.params[i, : kernel.PATIENT_PARAMS + lesions * kernel.LESION_PARAMS]
    return params, kernel.PATIENT_SIZE + lesions * kernel.LESION_SIZE


def test_grown_untreated_to_day_zero_lesions_have_about_the_sizes_drawn(settled) -> None:
    """The earlier size is by the present growth rate, which changes little in eight weeks: within 3 %."""
    people, state, _, status = settled
    assert (status == 0).all()
    assert {*people.lesions} > {1, 2}
    for i in range(COUNT):
        params, size = own(people, i)
        run = run_patient(state[i, :size], params, [-people.before[i], 0.0])
        for slot in range(people.lesions[i]):
            grown = run.output("whole_mm", lesion=slot)
            assert grown[-1] == pytest.approx(people.diameters[i, slot], rel=0.03)


def test_the_growth_rate_is_that_of_the_run(settled) -> None:
    """Mean over the next four weeks; 15 % of the rate or 0.0005 a day."""
    people, state, growth, _ = settled
    for i in range(COUNT):
        params, size = own(people, i)
        run = run_patient(state[i, :size], params, [0.0, 28.0])
        for slot in range(people.lesions[i]):
            volume = run.output("whole_volume", lesion=slot)
            assert np.log(volume[1] / volume[0]) / 28 == pytest.approx(growth[i, slot], rel=0.15, abs=5e-4)


def test_the_make_up_is_that_of_a_single_patients_start(settled) -> None:
    """Found by the readable code, patient by patient; the compiled one stops when little changes.

    Of those whose lesions all grow: the others are of no clinic, and some do not come to rest.
    """
    people = replace(settled[0], before=np.zeros(COUNT))
    state, growth, _ = settle(people, threads=1)
    grown = [i for i in range(COUNT) if (growth[i, : people.lesions[i]] > 0).all()]
    assert len(grown) >= 5
    for i in grown:
        params, size = own(people, i)
        diameters = people.diameters[i, : people.lesions[i]]
        tolerant, escaped = people.clones[i]
        alone = start_state(params, diameters, tolerant=tolerant, escaped=escaped)
        lesions = slice(kernel.PATIENT_SIZE, size)
        assert state[i, lesions] == pytest.approx(alone[lesions], rel=0.04, abs=1e-4)
        for name in ("blood_effector", "stem_memory", "myeloid_tone", "afp"):
            place = kernel.PATIENT_STATES.index(name)
            assert state[i, place] == pytest.approx(alone[place], rel=0.03)


def test_clones_have_the_shares_that_were_drawn_and_hazards_are_none(settled) -> None:
    people, state, _, _ = settled
    for i in range(COUNT):
        tolerant, escaped = people.clones[i]
        for slot in range(people.lesions[i]):
            cells = state[i, kernel.PATIENT_SIZE + slot * kernel.LESION_SIZE :][:4]
            assert cells[1] + cells[3] == pytest.approx(tolerant * cells.sum(), rel=1e-9)
            assert cells[2] + cells[3] == pytest.approx(escaped * cells.sum(), rel=1e-9)
        unused = kernel.PATIENT_SIZE + people.lesions[i] * kernel.LESION_SIZE
        assert (state[i, unused:] == 0).all()
    hazards = [kernel.PATIENT_STATES.index(f"hazard_{name}") for name in ("new", "death", "dropout")]
    assert (state[:, hazards] == 0).all()


def test_micrometastases_are_those_seeded_in_two_years_by_a_tumour_that_grew_as_now(settled) -> None:
    """By quadrature over 720 days: seeded as cells are, grown or killed since; at most a tenth of them."""
    people, state, growth, _ = settled
    names = kernel.PATIENT_PARAMETERS
    for i in range(COUNT):
        p = dict(zip(names, people.params[i], strict=False))
        lesions = state[i, kernel.PATIENT_SIZE :].reshape(-1, kernel.LESION_SIZE)[: people.lesions[i]]
        cells = lesions[:, :4].sum(axis=1)
        rate = float(growth[i, : people.lesions[i]] @ cells / cells.sum())
        past = np.linspace(0, 720, 20_001)
        since = p["micromet_growth"] - p["micromet_kill"] * state[i, 0]
        seeded = p["seed_rate"] * (1 + p["h_emt"]) * cells.sum() * np.exp((since - max(rate, 0)) * past)
        found = state[i, kernel.PATIENT_STATES.index("micromets")]
        assert found == pytest.approx(min(np.trapezoid(seeded, past), 0.1 * cells.sum()), rel=1e-3)


def test_patients_are_settled_alike_alone_and_in_company_and_parameters_are_put_back(settled) -> None:
    people, state, growth, _ = settled
    before = people.params.copy()
    order = np.array([5, 0, 11])
    few = draw_population(order, seed=2)
    alone, rates, _ = settle(few, threads=2)
    assert np.array_equal(alone, state[order])
    assert np.array_equal(rates, growth[order])
    assert np.array_equal(people.params, before)
    assert np.array_equal(few.params, people.params[order])


def test_a_patient_who_cannot_be_settled_has_a_status(settled) -> None:
    people, state, _, _ = settled
    params = people.params.copy()
    params[4, kernel.PATIENT_PARAMETERS.index("traffic")] = np.nan
    found, _, status = settle(replace(people, params=params), threads=1)
    assert (status != 0).tolist() == [i == 4 for i in range(COUNT)]
    others = [i for i in range(COUNT) if i != 4]
    assert np.array_equal(found[others], state[others])


def test_who_shrinks_is_given_up_early_and_who_grows_is_settled_as_before() -> None:
    """The same patients are found to grow, with the same states bit by bit; less is done for the others."""
    people = draw_population(np.arange(300), seed=4)
    state, growth, _ = settle(people)
    found, rates, status = settle(people, growing=True)
    there = np.arange(growth.shape[1]) < people.lesions[:, None]
    grows, finds = (((each > 0) | ~there).all(axis=1) for each in (growth, rates))
    assert (status == 0).all()
    assert np.array_equal(finds, grows)
    assert 0.2 < grows.mean() < 0.8
    assert np.array_equal(found[grows], state[grows])
    assert np.array_equal(rates[grows], growth[grows])
    assert (rates[~grows] != growth[~grows]).any(axis=1).mean() > 0.5
