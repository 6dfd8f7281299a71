"""Compiled kinetics against the readable form of the same, and against integration by SciPy (LSODA, 1e-9)."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from ensemble_cases import make_patients, run
from hypothesis import given, settings
from hypothesis import strategies as st
from kinetics_oracle import integrated

from hccresist.overcome.dosing import (
    find_kinetics,
    hold_doses,
    make_doses,
    read_drugs,
    read_regimens,
    reduce_doses,
)
from hccresist.overcome.model import levels
from hccresist.overcome.pk import PHASES, SPLITS, TERMS, Course, Doses, Kinetics, find_course, find_inflows
from hccresist.overcome.plan import Given, make_plan

DRUGS = sorted(read_drugs())
STANDARD = {r.drug: r for r in read_regimens().values() if r.standard}
UNTIL = 120.0


def numbers(kinetics: Kinetics) -> np.ndarray:
    """Kinetics as the kernel takes them."""
    return np.array([getattr(kinetics, name) for name in levels.KINETICS])


def amounts_of(own):
    """Amounts in the three compartments."""
    return np.array([levels.amount(own, compartment) for compartment in range(3)])


def course_of(kinetics: Kinetics, doses: Doses, *, until: float, fast: bool) -> Course:
    """What `find_course` gives, from the compiled functions."""
    kin, own, x, inflow = numbers(kinetics), np.zeros(levels.SLOTS), np.zeros(3), 0.0
    flowing, split = fast and kinetics.absorption > 0, SPLITS["fast" if fast else "exact"]
    table = find_inflows(doses, until=until) if flowing else doses
    given = table.days < until
    days = [*table.days[given], until]
    starts, terms, ripples = list[float](), list[np.ndarray](), list[np.ndarray]()
    for day, end, amount in zip(days[:-1], days[1:], table.amounts[given], strict=True):
        if flowing:
            x = x + np.array(levels.turn_inflow(kin, own.copy(), amount - inflow, doses.every_days))
            inflow = amount
        else:
            x[2 if kinetics.absorption else 0] += amount
        at = day
        while at < end - 1e-9:
            length = (end - at) / levels.count_pieces(kin, at - days[0], end - at, split)
            levels.begin(kin, own, at - days[0], length, *x, inflow)
            term, ripple = np.full((TERMS, 2), np.nan), np.full(PHASES.moments.size, np.nan)
            levels.set_ripples(kin, own, doses.every_days, PHASES.moments, ripple)
            levels.write_terms(kin, own, term)
            starts.append(at)
            terms.append(term)
            ripples.append(ripple)
            levels.go_on(own, length)
            x, at = amounts_of(own), at + length
    return Course(np.array(starts), np.array(terms), np.array(ripples), doses.every_days)


def agree(kinetics: Kinetics, doses: Doses, *, fast: bool, until: float = UNTIL) -> None:
    """Pieces, levels and phases are those of the readable form."""
    ours = course_of(kinetics, doses, until=until, fast=fast)
    theirs = find_course(kinetics, doses, until=until, fast=fast)
    assert ours.starts == pytest.approx(theirs.starts, abs=1e-9)
    days = np.linspace(0.001, until, 1000)
    most = theirs.level(days).max()
    assert ours.level(days) == pytest.approx(theirs.level(days), rel=1e-9, abs=1e-9 * most)
    assert ours.ripples == pytest.approx(theirs.ripples, abs=1e-9 * most)


@pytest.mark.parametrize("fast", [False, True], ids=["exact", "fast"])
@pytest.mark.parametrize("name", DRUGS)
def test_every_drug_is_as_in_the_readable_form(name: str, fast: bool) -> None:
    """With a hold and a reduction, and in a patient whose kinetics are not typical."""
    drug = read_drugs()[name]
    doses = make_doses(STANDARD[name], until=UNTIL)
    doses = reduce_doses(hold_doses(doses, first=30.0, last=50.0), first=70.0, factor=0.5)
    agree(drug.kinetics, doses, fast=fast)
    agree(find_kinetics(drug, dict.fromkeys(drug.spreads, 1.0)), doses, fast=fast)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.floats(0.05, 200), st.floats(1, 700), st.floats(0, 800), st.floats(1, 700)),
    st.one_of(st.just(0.0), st.floats(0.1, 40)),
    st.tuples(st.floats(-0.5, 0.5), st.floats(10, 200), st.floats(1, 4)),
    st.tuples(st.sampled_from([0.0, 0.5, 20.0]), st.floats(0.01, 10)),
    st.booleans(),
)
def test_any_kinetics_are_as_in_the_readable_form(linear, absorption, change, saturable, fast) -> None:
    """Rates that are nearly equal make large terms that cancel, so that less than 1e-9 is left of them."""
    kinetics = Kinetics(*linear, absorption, *change, *saturable)
    ours = course_of(
        kinetics, Doses(np.array([0.0, 7.0]), np.array([100.0, 50.0]), 7.0), until=30.0, fast=fast
    )
    theirs = find_course(
        kinetics, Doses(np.array([0.0, 7.0]), np.array([100.0, 50.0]), 7.0), until=30.0, fast=fast
    )
    days = np.linspace(0.01, 30, 200)
    largest = max(np.abs(theirs.terms[:, :, 0]).max(), 100.0 / kinetics.volume)
    assert ours.level(days) == pytest.approx(theirs.level(days), abs=1e-7 * largest)


def test_the_kernel_takes_every_kinetic_parameter() -> None:
    assert len(levels.KINETICS) == len(astuple(Kinetics(1.0, 1.0)))


@pytest.mark.parametrize("name", DRUGS)
def test_amounts_in_the_ensemble_are_those_of_the_readable_form(name: str) -> None:
    """Doses, a hold and a reduction as the plan has them; typical patients. Scans lie between doses."""
    drug = read_drugs()[name]
    visits = np.array([0.3, 9.3, 20.3, 35.3, 55.3, 90.3, UNTIL - 0.1])
    holds, reductions = ((30.0, 50.0),), ((70.0, 0.5),)
    for mode in ("fast", "exact"):
        doses = make_doses(STANDARD[name], until=UNTIL, weight_kg=80.0)
        doses = reduce_doses(hold_doses(doses, first=30.0, last=50.0), first=70.0, factor=0.5)
        levels_there = find_course(drug.kinetics, doses, until=UNTIL, fast=mode == "fast").level(visits)
        plan = make_plan(
            [Given(name, holds=holds, reductions=reductions)],
            patients=np.arange(1),
            weight_kg=np.array([80.0]),
            visits=visits,
            until=UNTIL,
            mode=mode,
        )
        plan = plan._replace(kinetics=numbers(drug.kinetics)[None, None, :])
        seen = run(plan, make_patients(1, end=UNTIL, drugs=1))
        found = seen.amounts[0, :, 0, 0] / drug.kinetics.volume
        assert found == pytest.approx(levels_there, rel=1e-9, abs=1e-9 * levels_there.max())


CHANGING = [name for name in DRUGS if read_drugs()[name].kinetics.change or read_drugs()[name].kinetics.vmax]


@pytest.mark.parametrize("name", CHANGING)
@pytest.mark.parametrize("deviate", [0.0, 2.0])
def test_clearance_that_changes_or_saturates_is_within_half_a_percent(name: str, deviate: float) -> None:
    """The levels of the ensemble over a year against LSODA, from 1 % of the peak upwards."""
    drug = read_drugs()[name]
    kinetics = find_kinetics(drug, dict.fromkeys(drug.spreads, deviate))
    visits = np.linspace(0.05, 419.95, 300)
    doses = make_doses(STANDARD[name], until=364.0, weight_kg=75.0)
    plan = make_plan(
        [Given(name, until=364.0)],
        patients=np.arange(1),
        weight_kg=np.array([75.0]),
        visits=visits,
        until=420.0,
    )
    plan = plan._replace(kinetics=numbers(kinetics)[None, None, :])
    seen = run(plan, make_patients(1, end=420.0, drugs=1))
    ours, theirs = seen.amounts[0, :, 0, 0] / kinetics.volume, integrated(kinetics, doses, visits)
    counted = theirs > 0.01 * theirs.max()
    assert counted.sum() > 30
    assert np.abs(ours[counted] / theirs[counted] - 1).max() < 0.005


@pytest.mark.parametrize("name", DRUGS)
def test_a_restart_from_amounts_goes_on_as_if_there_was_none(name: str) -> None:
    kinetics = read_drugs()[name].kinetics
    kin, whole = numbers(kinetics), np.zeros(levels.SLOTS)
    levels.begin(kin, whole, 0.0, 10.0, 100.0, 5.0, 50.0 if kinetics.absorption else 0.0, 2.0)
    levels.go_on(whole, 4.0)
    parted = np.zeros(levels.SLOTS)
    clearance = whole[-1]
    levels.begin(np.array([clearance, *kin[1:5], 0, 1, 1, 0, 1]), parted, 4.0, 6.0, *amounts_of(whole), 2.0)
    levels.go_on(whole, 6.0)
    levels.go_on(parted, 6.0)
    assert amounts_of(parted) == pytest.approx(amounts_of(whole), rel=1e-9)


def test_what_flows_in_is_eliminated_or_there() -> None:
    """A dose in the gut: area under the curve = dose over clearance."""
    kinetics = Kinetics(10.0, 20.0, 5.0, 30.0, 3.0)
    own, term = np.zeros(levels.SLOTS), np.zeros((TERMS, 2))
    levels.begin(numbers(kinetics), own, 0.0, 1.0, 0.0, 0.0, 120.0, 0.0)
    levels.write_terms(numbers(kinetics), own, term)
    assert (term[1:, 0] / term[1:, 1]).sum() == pytest.approx(120.0 / 10.0, rel=1e-12)
    assert amounts_of(own) == pytest.approx([0.0, 0.0, 120.0], abs=1e-9)
