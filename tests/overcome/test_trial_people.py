"""Who is enrolled: tumours that grow untreated, and patients who can be expected to live twelve weeks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccresist.overcome.engine import Job, run_population, settle
from hccresist.overcome.population import SLOTS, draw_population
from hccresist.overcome.trial_file import parse_spec
from hccresist.overcome.trial_people import enrol, find_hazard, has_grown, screen
from hccresist.overcome.trial_prior import can_live, chance_to_live

LIMIT = -np.log(0.8) / 84.0
"""Hazard (1/day) at which four fifths live twelve weeks."""


def grow(lesions: list[int], growth: np.ndarray) -> list[bool]:
    """Ask of patients with so many lesions and these growth rates."""
    people = draw_population(np.arange(len(lesions)), seed=1)
    count = len(lesions)
    start = (np.zeros((count, 1)), growth, np.zeros(count, dtype=np.int64))
    return has_grown(replace(people, lesions=np.array(lesions)), start).tolist()


@pytest.mark.parametrize("slot", range(3))
def test_one_lesion_that_shrinks_refuses_a_patient(slot: int) -> None:
    growth = np.full((3, SLOTS), 0.01)
    growth[1, slot] = -1e-6
    growth[2, slot] = 0.0
    assert grow([3, 3, 3], growth) == [True, False, False]


def test_places_without_a_lesion_do_not_count() -> None:
    growth = np.zeros((4, SLOTS))
    growth[:, :2] = 0.01
    growth[3, 2:] = -1.0
    assert grow([1, 2, 3, 2], growth) == [True, True, False, True]


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_who_has_grown_is_who_has_no_lesion_that_did_not(cases: list[tuple[int, int]]) -> None:
    """A plain reading, lesion by lesion."""
    growth = np.array([[0.02 if bits >> slot & 1 else -0.02 for slot in range(SLOTS)] for _, bits in cases])
    expected = [all(bits >> slot & 1 for slot in range(count)) for count, bits in cases]
    assert grow([count for count, _ in cases], growth) == expected


def test_four_fifths_must_live_twelve_weeks() -> None:
    hazards = np.array([0.0, LIMIT, LIMIT * (1 + 1e-9), LIMIT * (1 - 1e-9), 1.0, np.nan])
    assert can_live(hazards).tolist() == [True, True, False, True, False, False]
    assert chance_to_live(hazards)[:2].tolist() == pytest.approx([1.0, 0.8], rel=1e-15)
    assert chance_to_live(np.array([1 / 84, np.nan])).tolist() == pytest.approx([np.exp(-1), 0.0])


def test_nobody_enrolled_has_a_tumour_that_shrinks_before_treatment() -> None:
    """Whole diameters on the earlier scan and on day 0, untreated; of all who were looked at, some shrink."""
    spec = parse_spec('name = "small"\nseed = 2\n[[arms]]\nname = "placebo"\nn = 60\n')
    found = enrol(spec, spec.arms[0], replicate=0, place=0, values={}, threads=1, seed=2)
    assert len(found.people.numbers) == 60
    everybody = draw_population(np.arange(found.screened), mixed=True, seed=2)

    def shrinks(people, start) -> np.ndarray:
        job = Job((), (float("-inf"), 0.0), until=0.0, seed=2)
        seen = run_population(job, people, start=start, threads=1)
        sizes = np.stack([seen.output("whole_mm", slot=slot) for slot in range(SLOTS)], axis=2)
        there = np.arange(SLOTS) < people.lesions[:, None]
        return (there & (sizes[:, 1] < sizes[:, 0])).any(axis=1)

    start = settle(everybody, threads=1)
    refused = ~np.isin(everybody.numbers, found.people.numbers)
    dropped = shrinks(everybody, start)
    assert not shrinks(found.people, found.start).any()
    assert dropped[refused].any()
    assert (~dropped).sum() >= 60
    hazard = find_hazard(screen(everybody, start, threads=1))
    assert (hazard[~refused] <= LIMIT * (1 + 1e-12)).all()
    fine = (start[2] == 0) & ~(hazard > LIMIT) & has_grown(everybody, start)
    np.testing.assert_array_equal(everybody.numbers[fine], found.people.numbers)
