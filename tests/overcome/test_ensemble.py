"""Compiled ensembles: against runs of single patients, dense output and sums done by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ensemble_cases import (
    BASELINE,
    SLOTS,
    STATES,
    THREE,
    make_patients,
    make_room,
    make_seen,
    output,
    run,
    state,
    widen,
)

from hccresist.overcome.dosing import (
    Treatment,
    find_regimen,
    hold_doses,
    make_doses,
    make_treatment,
    read_drugs,
    reduce_doses,
)
from hccresist.overcome.engine import run_plan
from hccresist.overcome.model import arrays, ensemble
from hccresist.overcome.model import kernel_generated as kernel
from hccresist.overcome.model.integrate import Status
from hccresist.overcome.model.levels import KINETICS
from hccresist.overcome.model.patients import run_patient
from hccresist.overcome.pk import Doses, Kinetics, find_course
from hccresist.overcome.plan import Given, Procedure, make_plan

DAYS = 168.0
VISITS = np.arange(0.0, DAYS + 1, 42.0)
TIGHT = (1e-9, 1e-12)
NEVER = np.inf
LESIONS = len(BASELINE)
THREE_STATES = kernel.PATIENT_SIZE + LESIONS * kernel.LESION_SIZE
CLONES = ("sensitive", "tolerant", "escaped", "both")


def plan_of(given, *, count=1, visits=VISITS, until=DAYS, weight=80.0, **rest):
    """A plan at a tight tolerance, so that two ways to the same end can be told apart."""
    plan = make_plan(
        [Given(one) if isinstance(one, str) else one for one in given],
        patients=np.arange(count),
        weight_kg=np.full(count, weight),
        visits=visits,
        until=until,
        **rest,
    )
    return plan._replace(tolerances=TIGHT)


def kinetics_of(plan, patient, drug):
    """Kinetics of a patient as the plan has them."""
    return Kinetics(**dict(zip(KINETICS, plan.kinetics[patient, drug].tolist(), strict=True)))


def treatment_of(plan, tables, *, mode, patient=0, visits=VISITS, until=DAYS) -> Treatment:
    """The same treatment by the readable code, from doses by drug."""
    courses = {
        name: find_course(kinetics_of(plan, patient, d), doses, until=until, fast=mode == "fast")
        for d, (name, doses) in enumerate(tables.items())
    }
    return make_treatment(courses, visits)


def single(patients, treatment, *, patient=0):
    """Path at the visits of one patient, run by itself; shape = (visits, states)."""
    start, params = patients.state[patient, :THREE_STATES], patients.params[patient, :THREE]
    alone = run_patient(start, params, treatment.times, drugs=treatment.drugs, tolerances=TIGHT)
    return alone.path[list(treatment.asked)]


def doses_of(names, *, until=DAYS, weight=80.0):
    """Doses of standard regimens."""
    return {name: make_doses(find_regimen(name), until=until, weight_kg=weight) for name in names}


@pytest.mark.parametrize("mode", ["fast", "exact"])
@pytest.mark.parametrize(
    "names",
    [
        (),
        ("nivolumab", "lenvatinib"),
        ("atezolizumab", "bevacizumab"),
        ("durvalumab", "regorafenib", "ramucirumab"),
    ],
    ids="+".join,
)
def test_patients_run_as_each_does_alone(names, mode) -> None:
    """Diameters within 1e-6 of the baseline, and all states, for drugs of every kind; also on days of doses.

    Vessels swing with the tablets of the day, so that the enhancing diameter is compared between doses only.
    """
    visits = np.array([0.0, 42.0, 85.5, 127.5, DAYS])
    plan, patients = (
        plan_of(names, count=3, mode=mode, visits=visits),
        make_patients(3, end=DAYS, drugs=len(names)),
    )
    seen = run(plan, patients)
    assert seen.status.tolist() == [0, 0, 0]
    assert seen.ended.tolist() == [DAYS] * 3
    assert np.isnan(seen.events).all()
    assert (seen.lesions == LESIONS).all()
    for i in range(3):
        treatment = treatment_of(plan, doses_of(names), mode=mode, patient=i, visits=visits)
        start, params = patients.state[i, :THREE_STATES], patients.params[i, :THREE]
        alone = run_patient(start, params, treatment.times, drugs=treatment.drugs, tolerances=TIGHT)
        asked = list(treatment.asked)
        assert seen.path[i, :, :THREE_STATES] == pytest.approx(alone.path[asked], rel=2e-6, abs=1e-8)
        for slot in range(LESIONS):
            for name, when in (("whole_mm", slice(None)), ("viable_mm", slice(2, 4))):
                mine, theirs = output(seen, name, slot)[i], alone.output(name, lesion=slot)[asked]
                assert np.abs(mine - theirs)[when].max() < 1e-6 * BASELINE[slot]


def changed(doses: Doses, *, days, factor=1.0) -> Doses:
    """Doses on other days, times a factor."""
    return replace(doses, days=doses.days[days], amounts=factor * doses.amounts[days])


WINDOWS = {
    "start": (Given("lenvatinib", start=20.0), lambda doses: replace(doses, days=doses.days + 20.0)),
    "until": (Given("lenvatinib", until=60.0), lambda doses: changed(doses, days=doses.days < 60.0)),
    "half": (
        Given("lenvatinib", intensity=0.5),
        lambda doses: changed(doses, days=doses.days >= 0, factor=0.5),
    ),
    "hold": (
        Given("lenvatinib", holds=((30.0, 44.0),)),
        lambda doses: hold_doses(doses, first=30.0, last=44.0),
    ),
    "reduced": (
        Given("lenvatinib", reductions=((50.0, 0.7),)),
        lambda doses: reduce_doses(doses, first=50.0, factor=0.7),
    ),
    "antibody": (
        Given("ramucirumab", start=10.0, until=66.0),
        lambda doses: changed(replace(doses, days=doses.days + 10.0), days=doses.days < 56.0),
    ),
}


@pytest.mark.parametrize("mode", ["fast", "exact"])
@pytest.mark.parametrize("which", WINDOWS)
def test_start_stop_hold_and_reduction_are_as_with_doses_made_by_hand(which, mode) -> None:
    given, change = WINDOWS[which]
    plan, patients = plan_of([given], mode=mode), make_patients(1, end=DAYS, drugs=1)
    doses = {given.regimen: change(doses_of([given.regimen])[given.regimen])}
    alone = single(patients, treatment_of(plan, doses, mode=mode))
    assert run(plan, patients).path[0, :, :THREE_STATES] == pytest.approx(alone, rel=2e-6, abs=1e-8)


def test_missed_doses_are_not_taken() -> None:
    """As with the doses that the plan has as taken; all missed: no drug."""
    given = [Given("lenvatinib", missed=1 / 3), Given("bevacizumab", missed=0.5)]
    plan, patients = plan_of(given, count=2, mode="exact"), make_patients(2, end=DAYS, drugs=2)
    taken = plan.taken.astype(bool)
    assert 0.2 < 1 - taken[:, : plan.offsets[1]].mean() < 0.45
    assert (taken[0] != taken[1]).any()
    seen = run(plan, patients)
    for i in range(2):
        tables = {
            name: changed(doses, days=taken[i, plan.offsets[d] : plan.offsets[d + 1]])
            for d, (name, doses) in enumerate(doses_of(("lenvatinib", "bevacizumab")).items())
        }
        alone = single(patients, treatment_of(plan, tables, mode="exact", patient=i), patient=i)
        assert seen.path[i, :, :THREE_STATES] == pytest.approx(alone, rel=2e-6, abs=1e-8)
    none = run(plan_of([Given("lenvatinib", missed=1.0)]), make_patients(1, end=DAYS, drugs=1))
    nothing = run(plan_of([]), make_patients(1, end=DAYS))
    assert none.path[0] == pytest.approx(nothing.path[0], rel=1e-6, abs=1e-9, nan_ok=True)


def final_hazards(plan, patients):
    """Cumulative hazards at the end where nothing happens: death, dropout, new lesions."""
    path = run(plan, patients).path[0, -1]
    return [state(path, name) for name in ("hazard_death", "hazard_dropout", "hazard_new")]


def crossing(patients, treatment, name, threshold):
    """Day on which a hazard crosses its threshold, from a run that is shown every tenth of a day."""
    start, params = patients.state[0, :THREE_STATES], patients.params[0, :THREE]
    alone = run_patient(start, params, treatment.times, drugs=treatment.drugs, tolerances=TIGHT)
    return float(np.interp(threshold, alone.state(name), treatment.times))


@pytest.mark.parametrize("tolerances", [TIGHT, (1e-3, 1e-7)], ids=["tight", "fast"])
@pytest.mark.parametrize("names", [(), ("nivolumab", "lenvatinib")], ids=["untreated", "treated"])
def test_events_come_on_the_day_of_the_dense_run(names, tolerances) -> None:
    """Death, dropout and the first new lesion are within 0.1 day of the dense run's."""
    plan = plan_of(names, until=728.0, visits=np.array([0.0, 728.0]))
    patients = make_patients(1, end=728.0, drugs=len(names))
    ends = final_hazards(plan, patients)
    loose = plan._replace(tolerances=tolerances)
    dense = np.arange(0, 7281) / 10
    treatment = treatment_of(plan, doses_of(names, until=728.0), mode="fast", visits=dense, until=728.0)
    for share in (0.01, 0.2, 0.8):
        for which, name in enumerate(("hazard_death", "hazard_dropout", "hazard_new")):
            thresholds = np.full((1, 2 + SLOTS), np.inf)
            thresholds[0, which] = share * ends[which]
            seen = run(loose, patients._replace(thresholds=thresholds))
            day = crossing(patients, treatment, name, thresholds[0, which])
            place = which if which < 2 else 2 + LESIONS
            assert seen.events[0, place] == pytest.approx(day, abs=0.1)
            assert np.isfinite(seen.events[0]).sum() == 1
            assert seen.ended[0] == (728.0 if which == 2 else seen.events[0, place])
            if which < 2:
                assert np.isnan(seen.shown[0, 1]).all()


def test_of_death_and_dropout_the_first_ends_the_run() -> None:
    plan, patients = plan_of([], until=728.0, visits=np.array([0.0])), make_patients(1, end=728.0)
    death, dropout, _ = final_hazards(plan._replace(visits=np.array([[728.0]])), patients)
    thresholds = np.full((1, 2 + SLOTS), np.inf)
    thresholds[0, :2] = 0.9 * death, 0.2 * dropout
    seen = run(plan, patients._replace(thresholds=thresholds))
    assert np.isnan(seen.events[0, 0])
    assert seen.ended[0] == seen.events[0, 1]


def test_a_new_lesion_has_the_size_and_clones_that_the_text_says_and_then_grows() -> None:
    """Its cells fill `new_mm`; clones as in the whole patient; vessels as at balance."""
    plan, patients = plan_of([], until=365.0, visits=np.array([365.0])), make_patients(1, end=365.0)
    new = final_hazards(plan, patients)[2]
    thresholds = np.full((1, 2 + SLOTS), np.inf)
    thresholds[0, 2] = 0.5 * new
    first = run(plan, patients._replace(thresholds=thresholds))
    day = first.events[0, 2 + LESIONS]
    again = plan_of([], until=365.0, visits=np.array([day - 1e-6, day + 1e-6, 365.0]))
    seen = run(again, patients._replace(thresholds=thresholds))
    assert seen.lesions[0].tolist() == [3, 4, 4]
    params = dict(zip(kernel.PATIENT_PARAMETERS, patients.params[0], strict=False))
    local = dict(zip(kernel.LESION_PARAMETERS, patients.params[0, THREE:], strict=False))
    cells = np.pi / 6 * (params["new_mm"] / 10) ** 3 / params["cell_volume"]
    clones = np.array([[state(seen.path[0, 0], name, slot) for name in CLONES] for slot in range(LESIONS)])
    wanted = cells * clones.sum(axis=0) / clones.sum()
    path = seen.path[0, 1]
    assert [state(path, name, 3) for name in CLONES] == pytest.approx(wanted, rel=1e-5)
    assert state(path, "capacity", 3) == pytest.approx(local["capacity_ratio"] * cells, rel=1e-5)
    assert output(seen, "whole_mm", 3)[0, 1] == pytest.approx(params["new_mm"], rel=0.2)
    assert output(seen, "whole_mm", 3)[0, 2] > output(seen, "whole_mm", 3)[0, 1]
    before = seen.path[0, 0, :THREE_STATES]
    assert path[:THREE_STATES] == pytest.approx(before, rel=1e-5, abs=1e-9)
    assert np.isnan(seen.shown[0, 0, kernel.PATIENT_SHOWN + LESIONS * kernel.LESION_SHOWN :]).all()


def test_slots_that_run_out_are_told_and_the_run_goes_on() -> None:
    plan, patients = plan_of([], until=365.0, visits=np.array([365.0])), make_patients(1, end=365.0)
    new = final_hazards(plan, patients)[2]
    thresholds = np.full((1, 2 + SLOTS), np.inf)
    thresholds[0, 2:] = new * np.linspace(0.1, 0.5, SLOTS)
    seen = run(plan, patients._replace(thresholds=thresholds))
    assert seen.status[0] == ensemble.FULL
    assert seen.ended[0] == 365.0
    assert seen.lesions[0, 0] == SLOTS
    days = seen.events[0, 2 + LESIONS :]
    assert (np.diff(days) > 0).all()
    assert np.isfinite(seen.shown).all()
    one = thresholds.copy()
    one[0, 3:] = np.inf
    assert run(plan, patients._replace(thresholds=one)).status[0] == 0


def around(day):
    """Days just before and just after, and later."""
    return np.array([day, day + 1e-6, day + 50.0])


@pytest.mark.parametrize("kind", ["tace", "ablation", "resection"])
@pytest.mark.parametrize("lesion", ["all", "largest", 1])
def test_procedures_turn_cells_into_debris_or_take_them_away(kind, lesion) -> None:
    """Cells and debris before and after, by hand from the parameters; other lesions are left alone."""
    plan = plan_of([], visits=around(40.0), procedures=[Procedure(kind, 40.0, lesion)])
    patients = make_patients(
        1, end=DAYS, tace_kill=0.7, tace_embolised=0.8, ablation_left=0.05, resection_left=1e-4
    )
    seen = run(plan, patients)
    touched = {"all": range(LESIONS), "largest": [0], 1: [1]}[lesion]
    cells = {"tace": 0.3, "ablation": 0.05, "resection": 1e-4}[kind]
    volume = patients.params[0, kernel.PATIENT_PARAMETERS.index("cell_volume")]
    for slot in range(LESIONS):
        before, after = ({n: state(seen.path[0, v], n, slot) for n in kernel.LESION_STATES} for v in (0, 1))
        kept = cells if slot in touched else 1.0
        vessels = (0.2 if kind == "tace" else cells) if slot in touched else 1.0
        for name in (*CLONES, "effector", "exhausted", "treg", "myeloid"):
            assert after[name] == pytest.approx(kept * before[name], rel=1e-4)
        assert after["capacity"] == pytest.approx(vessels * before["capacity"], rel=1e-4)
        tissue = [volume * sum(when[name] for name in CLONES) + when["debris"] for when in (before, after)]
        assert tissue[1] == pytest.approx(tissue[0] * (kept if kind == "resection" else 1.0), rel=1e-5)
        assert after["autophagy"] == pytest.approx(before["autophagy"], abs=1e-6)
    assert seen.status[0] == 0


def test_procedures_of_one_day_and_of_each_patient_are_all_done() -> None:
    """Ablation of one and resection of another lesion on the same day; the second patient has neither."""
    procedures = [
        Procedure("resection", np.array([40.0, np.inf]), 1),
        Procedure("ablation", np.array([40.0, np.inf]), 2),
        Procedure("tace", np.array([60.0, 10.0]), 0),
    ]
    visits = np.array([0.0, 40.0, 40.0 + 1e-6, 60.0, 60.0 + 1e-6])
    seen = run(plan_of([], count=2, visits=visits, procedures=procedures), make_patients(2, end=DAYS))
    cells = np.sum([state(seen.path, name, slot) for name in CLONES for slot in (1, 2)], axis=0)
    first = np.sum([state(seen.path, name, 0) for name in CLONES], axis=0)
    assert cells[0, 2] < 0.2 * cells[0, 1]
    assert first[0, 4] < 0.9 * first[0, 3]
    assert cells[1, 2] == pytest.approx(cells[1, 1], rel=1e-4)
    assert first[1, 4] == pytest.approx(first[1, 3], rel=1e-4)


def test_a_clone_that_dies_out_stays_out_when_the_drug_is_gone() -> None:
    visits = np.array([0.0, 150.0, 365.0])
    plan = plan_of([Given("sorafenib", until=150.0, intensity=30.0)], visits=visits, until=365.0)
    seen = run(plan, make_patients(1, end=365.0, drugs=1, apoptosis_max=2.0, tolerance=1.0))
    sensitive, tolerant = (state(seen.path[0], name, 0) for name in ("sensitive", "tolerant"))
    assert sensitive[0] > 0
    assert sensitive[1:].tolist() == [0.0, 0.0]
    assert tolerant[2] > 0
    assert seen.status[0] == 0


RESTARTED = [
    ("nivolumab", "lenvatinib"),
    ("atezolizumab", "bevacizumab"),
    ("regorafenib",),
    ("camrelizumab", "apatinib"),
]


@pytest.mark.parametrize("mode", ["fast", "exact"])
@pytest.mark.parametrize("names", RESTARTED, ids="+".join)
def test_a_restart_at_a_scan_is_the_run_that_was_not_interrupted(names, mode) -> None:
    """On a day of doses and between doses, with a hold, a procedure on that day, and a new lesion before it.

    Clearance that changes is cut into other pieces: nivolumab and atezolizumab are as near as pieces are.
    """
    visits = np.array([0.0, 63.0, 87.4, DAYS])
    given = [Given(name, holds=((30.0, 40.0),)) for name in names]
    plan = plan_of(given, mode=mode, visits=visits, procedures=[Procedure("tace", 63.0, "largest")])
    patients = make_patients(1, end=DAYS, drugs=len(names))
    thresholds = np.full((1, 2 + SLOTS), np.inf)
    thresholds[0, 2:] = final_hazards(plan, patients)[2] * np.array([0.1, 0.9, 9.0, 9.0, 9.0])
    patients = patients._replace(thresholds=thresholds)
    whole = run(plan, patients)
    assert np.isfinite(whole.events[0, 2 + LESIONS :]).all()
    changing = any(read_drugs()[name].kinetics.change for name in names)
    for visit in (1, 2):
        at = patients._replace(
            state=np.nan_to_num(whole.path[:, visit]),
            amounts=whole.amounts[:, visit].copy(),
            lesions=whole.lesions[:, visit].copy(),
            begin=visits[visit : visit + 1].copy(),
        )
        rest = run(plan, at)
        assert rest.lesions[0, -1] == whole.lesions[0, -1]
        precise = {"rel": 2e-4 if changing else 1e-6, "abs": 1e-6 if changing else 1e-8}
        assert rest.path[0, -1] == pytest.approx(whole.path[0, -1], nan_ok=True, **precise)
        assert rest.amounts[0, -1] == pytest.approx(
            whole.amounts[0, -1], rel=2e-3 if changing else 1e-9, abs=1e-9
        )
        assert rest.events[0, -1] == pytest.approx(whole.events[0, -1], abs=1e-2)


@pytest.mark.parametrize("mode", ["fast", "exact"])
@pytest.mark.parametrize("names", RESTARTED, ids="+".join)
def test_a_stop_decided_at_a_scan_is_the_stop_that_was_planned(names, mode) -> None:
    """On from the scan, with the drugs ending on it and another to come: as if that had been known before."""
    visits, stop = np.array([0.0, 63.0, DAYS]), 63.0
    going = plan_of(
        [*(Given(name) for name in names), Given("cabozantinib", 400.0)], mode=mode, visits=visits
    )
    given = [*(Given(name, until=stop) for name in names), Given("cabozantinib", stop + 14.0)]
    planned = plan_of(given, mode=mode, visits=visits)
    patients = make_patients(1, end=DAYS, drugs=len(given))
    first, whole = run(going, patients), run(planned, patients)
    at = patients._replace(
        state=np.nan_to_num(first.path[:, 1]),
        amounts=first.amounts[:, 1].copy(),
        lesions=first.lesions[:, 1].copy(),
        begin=np.array([stop]),
    )
    rest = run(planned, at)
    assert np.isnan(rest.path[0, 0]).all()
    changing = any(read_drugs()[name].kinetics.change for name in names)
    precise = {"rel": 2e-4 if changing else 1e-6, "abs": 1e-6 if changing else 1e-8}
    assert rest.path[0, -1] == pytest.approx(whole.path[0, -1], nan_ok=True, **precise)
    sizes = [output(seen, "whole_mm", 0)[0, -1] for seen in (first, whole)]
    assert sizes[0] != pytest.approx(sizes[1], rel=5e-3)


def rows(array, first, last):
    """Rows of patients of an array that has one for each, or the one that holds for all."""
    return array[first:last] if isinstance(array, np.ndarray) and len(array) > 1 else array


def same(one, other) -> bool:
    """Whether two results are equal bit by bit."""
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def dozen():
    """Twelve patients on two drugs with events, at the tolerance of the fast mode; and their result."""
    draw = np.random.default_rng(4)
    given = [Given("sorafenib", missed=0.1), Given("durvalumab", start=draw.uniform(0, 20, 12))]
    plan = plan_of(given, count=12)._replace(tolerances=(1e-3, 1e-7))
    thresholds = draw.exponential(size=(12, 2 + SLOTS))
    thresholds[:, 2:] = np.cumsum(thresholds[:, 2:], axis=1)
    patients = make_patients(12, end=DAYS, drugs=2, thresholds=thresholds)
    return plan, patients, run(plan, patients)


def test_results_do_not_depend_on_order_or_threads(dozen) -> None:
    plan, patients, found = dozen
    assert np.isfinite(found.events).any()
    assert same(run(plan, patients, order=[7, 3, 11, 0, 1, 2, 10, 4, 5, 9, 8, 6]), found)
    seen, room = make_seen(12, visits=VISITS.size, drugs=2), make_room(plan, threads=3)
    for thread in (2, 0, 1):
        ensemble.run_range(plan, patients, 4 * thread, 4 * thread + 4, seen, room, thread)
    assert same(seen, found)


def test_results_do_not_depend_on_the_cut_into_chunks(dozen) -> None:
    """A chunk's own plan, made for its patients alone."""
    plan, patients, found = dozen
    for first, last in ((0, 5), (5, 12)):
        fields = ("kinetics", "start", "until", "intensity", "weight_kg", "taken")
        part = plan._replace(**{name: rows(getattr(plan, name), first, last) for name in fields})
        own = make_plan(
            [Given("sorafenib", missed=0.1), Given("durvalumab", start=plan.start[first:last, 1])],
            patients=np.arange(first, last),
            weight_kg=np.full(last - first, 80.0),
            visits=VISITS,
            until=DAYS,
        )
        assert all(np.array_equal(getattr(part, name), getattr(own, name)) for name in fields)
        chunk = run(part, arrays.Patients(*(each[first:last] for each in patients)))
        assert same(chunk, [each[first:last] for each in found])


def test_one_row_for_all_and_a_row_for_each_are_the_same(dozen) -> None:
    plan, patients, found = dozen
    assert same(run(plan._replace(visits=np.tile(plan.visits, (12, 1))), patients), found)


def test_before_day_zero_nothing_is_given_and_nothing_random_happens() -> None:
    """A scan six weeks before; cumulative hazards count from day zero; thresholds next to nothing."""
    visits = np.array([-60.0, -42.0, -10.0, 0.0, 28.0])
    plan = plan_of(["nivolumab", "lenvatinib"], visits=visits, mode="fast")
    patients = make_patients(1, end=28.0, drugs=2, begin=-42.0)
    seen = run(plan, patients)
    assert np.isnan(seen.path[0, 0]).all()
    assert np.array_equal(seen.path[0, 1, :THREE_STATES], patients.state[0, :THREE_STATES])
    assert (seen.amounts[0, 1:4] == 0).all()
    assert (seen.amounts[0, 4, :, 0] > 0).all()
    assert state(seen.path[0, 2], "hazard_death") > 0
    assert [state(seen.path[0, 3], f"hazard_{name}") for name in ("death", "dropout", "new")] == [0.0] * 3
    assert (np.diff(output(seen, "whole_mm", 0)[0, 1:4]) > 0).all()
    soon = run(plan, patients._replace(thresholds=np.full((1, 2 + SLOTS), 1e-9)))
    assert np.nanmin(soon.events) > 0
    assert np.nanmin(soon.events) < 0.1


def test_a_patient_who_cannot_be_solved_is_told_and_the_others_are_unharmed(dozen) -> None:
    plan, patients, found = dozen
    state_, params = patients.state.copy(), patients.params.copy()
    state_[3, kernel.PATIENT_SIZE] = np.nan
    params[8, kernel.PATIENT_PARAMETERS.index("cd8_kill_max")] = np.nan
    seen = run(plan, patients._replace(state=state_, params=params))
    assert seen.status[[3, 8]].tolist() == [Status.STEP_TOO_SMALL] * 2
    assert np.isnan(seen.path[3, 1:]).all()
    assert np.isnan(seen.shown[8, 1:]).all()
    assert seen.ended[[3, 8]].tolist() == [0.0, 0.0]
    others = [i for i in range(12) if i not in {3, 8}]
    assert same([each[others] for each in seen], [each[others] for each in found])


def test_the_engine_runs_the_same_on_any_number_of_threads() -> None:
    """Through `engine.run_plan`, which wants as many slots as populations have."""
    plan, few = plan_of(["sorafenib"], count=30), make_patients(30, end=DAYS, drugs=1, numbers=[0, 1, 2] * 10)
    patients = widen(few)
    one, three = (run_plan(plan, patients, threads=threads) for threads in (1, 3))
    assert same(one, three)
    assert np.array_equal(one.path[:, :, :STATES], run(plan, few).path, equal_nan=True)
