"""Courses of an arm: alternatives exclude each other, shares are of all who stop, who is unfit gets none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccresist.overcome.population import draw_population
from hccresist.overcome.trial_course import Stopped, choose, nobody_stopped, plan_course
from hccresist.overcome.trial_spec import Arm, DrugPlan, ProcedurePlan

MANY = 6000
FIT = {"liver_min": 0.5, "lives_min": 0.8}
LIVES = -np.log(0.8) / 84.0
"""Hazard (1/day) at which four fifths live twelve weeks."""


def later(name: str, share: float = 1.0, **other: float) -> DrugPlan:
    return DrugPlan(regimens=(name,), after_progression=True, share=share, **other)


def stop_some(count: int, *, fit: float, seed: int) -> tuple[Stopped, np.ndarray]:
    """Four fifths stop; of these a share is fit, the others fail by liver, by hazard, or by both."""
    rng = np.random.default_rng(seed)
    day = np.where(rng.random(count) < 0.8, 56.0 * rng.integers(1, 9, count), np.inf)
    well = rng.random(count) < fit
    why = rng.integers(0, 3, count)
    liver = np.where(well | (why == 0), rng.uniform(0.5, 1.0, count), rng.uniform(0.0, 0.499, count))
    hazard = np.where(
        well | (why == 1), LIVES * rng.uniform(0, 0.99, count), LIVES * rng.uniform(1.01, 9, count)
    )
    return Stopped(day, liver, hazard), well & np.isfinite(day)


@given(
    st.lists(st.tuples(st.floats(0.01, 0.99), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5),
    st.floats(0, 1),
    st.integers(0, 99),
)
@settings(max_examples=50, deadline=None)
def test_alternatives_never_overlap_and_nobody_unfit_gets_one(asked, fit, seed) -> None:
    stopped, _ = stop_some(80, fit=fit, seed=seed)
    plans = [
        DrugPlan(
            regimens=("lenvatinib",), after_progression=True, share=share, liver_min=liver, lives_min=lives
        )
        for share, liver, lives in asked
    ]
    found = np.array(choose(plans, np.arange(80), stopped, seed=seed))
    assert found.sum(axis=0).max() <= 1
    for plan, gets in zip(plans, found, strict=True):
        assert np.isfinite(stopped.day[gets]).all()
        assert (stopped.liver[gets] >= plan.liver_min).all()
        assert (np.exp(-84.0 * stopped.hazard[gets]) >= plan.lives_min - 1e-12).all()


def test_a_share_is_one_of_all_who_stop_made_up_from_those_who_are_fit() -> None:
    """Each fit patient draws: within 4 standard errors of a binomial share."""
    stopped, fit = stop_some(MANY, fit=0.6, seed=1)
    shares = (0.25, 0.1, 0.05)
    found = choose([later("lenvatinib", share, **FIT) for share in shares], np.arange(MANY), stopped, seed=1)
    n = np.isfinite(stopped.day).sum()
    for gets, share in zip(found, shares, strict=True):
        assert not gets[~fit].any()
        chance = share * n / fit.sum()
        assert abs(gets.sum() - share * n) < 4 * np.sqrt(fit.sum() * chance * (1 - chance))


@pytest.mark.parametrize("shares", [(0.5,), (0.2, 0.3), (0.35, 0.35, 0.2)])
def test_everybody_who_is_fit_gets_one_where_fewer_are_fit_than_asked(shares: tuple[float, ...]) -> None:
    stopped, fit = stop_some(MANY, fit=0.3, seed=2)
    found = choose([later("lenvatinib", share, **FIT) for share in shares], np.arange(MANY), stopped, seed=2)
    np.testing.assert_array_equal(np.sum(found, axis=0), fit.astype(int))


def test_alternatives_keep_their_proportions_where_fewer_are_fit_than_asked() -> None:
    stopped, fit = stop_some(MANY, fit=0.3, seed=2)
    found = choose([later("lenvatinib", 0.2, **FIT) for _ in range(3)], np.arange(MANY), stopped, seed=2)
    expected, error = fit.sum() / 3, np.sqrt(fit.sum() * 2 / 9)
    for gets in found:
        assert abs(gets.sum() - expected) < 4 * error


@pytest.mark.parametrize(
    ("liver", "hazard", "day", "gets"),
    [
        (0.5, LIVES * 0.999, 56.0, True),
        (0.499, 0.0, 56.0, False),
        (1.0, LIVES * 1.001, 56.0, False),
        (1.0, np.nan, 56.0, False),
        (1.0, 0.0, np.inf, False),
    ],
)
def test_who_is_fit_has_liver_and_life_enough_and_has_stopped(liver, hazard, day, gets) -> None:
    stopped = Stopped(np.array([day]), np.array([liver]), np.array([hazard]))
    assert choose([later("lenvatinib", **FIT)], np.array([3]), stopped, seed=0)[0].tolist() == [gets]


def test_what_is_planned_by_day_asks_for_no_fitness() -> None:
    numbers = np.arange(MANY)
    plans = [
        DrugPlan(regimens=("sorafenib",), share=share, liver_min=0.9, lives_min=0.9) for share in (0.7, 0.3)
    ]
    dying = Stopped(np.full(MANY, 56.0), np.zeros(MANY), np.full(MANY, 1.0))
    first = choose(plans, numbers, nobody_stopped(MANY), seed=3)
    np.testing.assert_array_equal(np.sum(first, axis=0), 1)
    assert abs(first[0].mean() - 0.7) < 4 * np.sqrt(0.7 * 0.3 / MANY)
    for one, other in zip(first, choose(plans, numbers, dying, seed=3), strict=True):
        np.testing.assert_array_equal(one, other)
    whole = choose([DrugPlan(regimens=("sorafenib",), liver_min=0.9)], numbers, dying, seed=3)
    assert whole[0].all()


def test_choices_before_and_after_progression_are_drawn_apart() -> None:
    """Who got the rarer of two first drugs is not by that the one who gets the later drug."""
    stopped = Stopped(np.full(MANY, 56.0), np.ones(MANY), np.zeros(MANY))
    plans = [DrugPlan(regimens=("sorafenib",), share=0.5), later("lenvatinib", 0.5, **FIT)]
    first, second = choose(plans, np.arange(MANY), stopped, seed=4)
    assert abs((first & second).mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / MANY)


def test_drugs_of_the_arm_end_on_the_stop_and_later_ones_begin_after_the_delay() -> None:
    people = draw_population(np.arange(4), seed=1)
    arm = Arm(
        name="combination",
        arm_id="C",
        n=4,
        drugs=(
            DrugPlan(regimens=("sorafenib_bid",)),
            DrugPlan(regimens=("lenvatinib_12",), start=10.0, until=100.0),
            DrugPlan(regimens=("tremelimumab_once",), every=28.0, times=3),
            later("regorafenib_21_28", start=14.0, until=200.0, **FIT),
        ),
        procedures=(ProcedurePlan(kind="tace", every=56.0, times=3),),
    )
    stopped = Stopped(
        np.array([56.0, 300.0, np.inf, 140.0]),
        np.array([0.9, 0.9, 0.9, 0.4]),
        np.array([1e-4, 1e-4, 0.0, 0.0]),
    )
    course = plan_course(arm, people, stopped, longest=700.0, seed=1)
    assert course.stop.tolist() == stopped.day.tolist()
    assert course.lines == (1, 1, 1, 1, 1, 2)
    assert [each.regimen for each in course.given[2:5]] == ["tremelimumab_once"] * 3
    sorafenib, lenvatinib, *once, regorafenib = course.given
    assert sorafenib.start.tolist() == [0.0] * 4
    assert sorafenib.until.tolist() == [56.0, 300.0, np.inf, 140.0]
    assert lenvatinib.start.tolist() == [10.0] * 4
    assert lenvatinib.until.tolist() == [56.0, 100.0, 100.0, 100.0]
    for k, each in enumerate(once):
        assert each.start.tolist() == [28.0 * k] * 4
        assert (each.until <= stopped.day).all()
        assert (each.until <= 28.0 * k + 1.0).all()
        assert ((each.until > each.start) == (28.0 * k < stopped.day)).all()
    assert [gets.tolist() for gets in course.gets] == [[True] * 4] * 5 + [[True, True, False, False]]
    assert regorafenib.start[:2].tolist() == [70.0, 314.0]
    assert regorafenib.until[:2].tolist() == [256.0, 500.0]
    assert (regorafenib.start[2:] > 700.0).all()
    days = np.array([each.day for each in course.procedures])
    assert days.tolist() == [[0.0] * 4, [np.inf, 56.0, 56.0, 56.0], [np.inf, 112.0, 112.0, 112.0]]


def test_before_anybody_has_stopped_nothing_later_is_given() -> None:
    people = draw_population(np.arange(5), seed=1)
    plans = (DrugPlan(regimens=("sorafenib_bid",)), later("lenvatinib_12", 0.4), later("regorafenib_21_28"))
    arm = Arm(name="a", arm_id="a", n=5, drugs=plans)
    course = plan_course(arm, people, nobody_stopped(5), longest=365.0, seed=1)
    assert [gets.any() for gets in course.gets] == [True, False, False]
    assert all((np.asarray(each.start) > 365.0).all() for each in course.given[1:])


def test_light_patients_get_less_and_intensity_is_of_all_doses() -> None:
    people = draw_population(np.arange(60), seed=1)
    plan = DrugPlan(regimens=("lenvatinib_12",), intensity=0.9, light_kg=60.0, light_factor=0.5)
    arm = Arm(name="a", arm_id="a", n=60, drugs=(plan,))
    given = plan_course(arm, people, nobody_stopped(60), longest=365.0, seed=1).given[0]
    light = people.weight_kg < 60.0
    assert 0 < light.sum() < 60
    assert given.intensity[light].tolist() == pytest.approx([0.45] * light.sum())
    assert given.intensity[~light].tolist() == pytest.approx([0.9] * (~light).sum())
