"""Patients of later lines: they have had an earlier drug until it failed, in the same model.

What the earlier line leaves is what a trial of a later line finds: clones that tolerate the drug, new
lesions, a worn liver, and only those who lived to be enrolled. No parameter differs between lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hccresist.overcome.engine import Job, Result, run_population
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.plan import Given
from hccresist.overcome.population import SLOTS, Population
from hccresist.overcome.rng import Purpose, draw_uniform, index_of
from hccresist.overcome.scans import MEASURABLE_MM

Array = NDArray[np.float64]
Start = tuple[Array, Array, NDArray[np.int64]]

SCANS: Final = (*(56.0 * k for k in range(7)), *(336.0 + 84.0 * k for k in range(1, 9)))
"""Days of the scans of the earlier line; who has not progressed by the last is not enrolled (assumption)."""
INTOLERANT_AT: Final = 2
"""Number of the scan on which those who do not tolerate the earlier line leave it (assumption: day 112)."""
LIVER_MIN: Final = 0.5
"""Liver reserve from which on a patient is enrolled in a later line (assumption; as for later drugs)."""
LIFE_EXPECTANCY: Final = 84.0
LIVES: Final = 0.8
"""Days that patients must be expected to live (protocols ask for twelve weeks, of any line), and with what
chance by their hazard of the day (assumption)."""
PROGRESSION, LEAST_MM, NEW_MM = 1.2, 5.0, 10.0
"""Growth of the sum of diameters over the smallest (factor, and mm), and size of a new lesion, that are
progression (RECIST 1.1, doi:10.1016/j.ejca.2008.10.026); read without error here."""


def run_line(
    people: Population,
    start: Start,
    *,
    regimens: Sequence[str],
    factors: Mapping[str, float],
    threads: int | None = None,
    seed: int,
) -> Result:
    """Give an earlier line, through all its scans.

    Parameters
    ----------
    start
        States, growth rates and status, as `engine.settle` gives them.
    regimens
        Drugs of the earlier line.
    factors
        Factors on drug effects; see `dosing.scale_drug`.
    """
    job = Job(tuple(Given(name) for name in regimens), SCANS, until=SCANS[-1], values=factors, seed=seed)
    return run_population(job, people, start=start, threads=threads)


def end_line(
    seen: Result, *, intolerant: float = 0.0, seed: int
) -> tuple[Population, Start, NDArray[np.bool_]]:
    """End an earlier line where it failed or was not tolerated.

    Parameters
    ----------
    seen
        What `run_line` gave.
    intolerant
        Share of patients who leave the earlier line on a scan that does not show progression.

    Returns
    -------
    tuple
        The patients with lesions as they were at its end; their states on that day, taken as those of
        the scan before the next treatment; and who can be enrolled. Rows of those who cannot hold nothing
        of use.
    """
    people = seen.population
    at, failed = find_progression(seen)
    rows = np.arange(len(at))
    which = np.array([index_of("intolerant")])
    leaves = draw_uniform(people.numbers, Purpose.TREATMENT, which, seed=seed)[:, 0] < intolerant
    leaves &= ~failed | (at > INTOLERANT_AT)
    leaves &= np.isfinite(seen.shown[:, INTOLERANT_AT, 0])
    at, failed = np.where(leaves, INTOLERANT_AT, at), failed | leaves
    liver = seen.state("liver")[rows, at]
    fit = (
        failed
        & can_live(seen.output("death_hazard")[rows, at])
        & (seen.status == 0)
        & (np.nan_to_num(liver) >= LIVER_MIN)
    )
    whole = _diameters(seen)
    fit &= whole[rows, at].max(axis=1) >= MEASURABLE_MM
    now, last = whole[rows, at], whole[rows, np.maximum(at - 1, 0)]
    growth = np.where(
        (now > 0) & (last > 0), 3.0 * np.log(_safe(now) / _safe(last)) / _between(at)[:, None], 0.0
    )
    state = seen.path[rows, at].copy()
    later = replace(
        people,
        lesions=np.where(fit, seen.lesions[rows, at], people.lesions),
        diameters=np.where(fit[:, None], now, people.diameters),
        thresholds=_go_on(people.thresholds, state, seen.lesions[rows, at] - people.lesions),
    )
    state[:, _find_hazards()] = 0.0
    return later, (state, growth, seen.status), fit


def chance_to_live(hazard: Array) -> Array:
    """Chance to live twelve weeks, by the hazard of death of the day (1/day)."""
    return np.exp(-LIFE_EXPECTANCY * np.where(np.isnan(hazard), np.inf, hazard))


def can_live(hazard: Array) -> NDArray[np.bool_]:
    """Whether patients can be expected to live twelve weeks, as protocols ask."""
    return chance_to_live(hazard) >= LIVES


def find_progression(seen: Result) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Find the scan on which each patient progressed, and who did (else the scan is the first)."""
    whole = _diameters(seen)
    own = np.arange(SLOTS) < seen.population.lesions[:, None]
    total = np.where(own[:, None], whole, 0.0).sum(axis=2)
    smallest = np.minimum.accumulate(total, axis=1)
    grown = (total >= PROGRESSION * smallest) & (total >= smallest + LEAST_MM)
    new = (np.where(own[:, None], 0.0, whole) >= NEW_MM).any(axis=2)
    there = np.isfinite(seen.shown[:, :, 0])
    failed = (grown | new) & there
    failed[:, 0] = False
    return np.argmax(failed, axis=1), failed.any(axis=1)


def _diameters(seen: Result) -> Array:
    """Whole diameters, zero where there is none; shape = (n, n_scans, SLOTS)."""
    whole = np.stack([seen.output("whole_mm", slot=slot) for slot in range(SLOTS)], axis=2)
    return np.nan_to_num(whole)


def _between(at: NDArray[np.int64]) -> Array:
    """Days from the scan before to each scan."""
    days = np.array(SCANS)
    return days[np.maximum(at, 1)] - days[np.maximum(at, 1) - 1]


def _safe(values: Array) -> Array:
    return np.where(values > 0, values, 1.0)


def _go_on(thresholds: Array, state: Array, new: NDArray[np.int64]) -> Array:
    """Thresholds of those who were not reached, counted from now: hazards have no memory."""
    death, dropout, lesion = state[:, _find_hazards()].T
    left = np.full_like(thresholds, np.inf)
    left[:, 0], left[:, 1] = thresholds[:, 0] - death, thresholds[:, 1] - dropout
    place = np.arange(SLOTS) + np.maximum(new, 0)[:, None]
    shifted = np.take_along_axis(thresholds[:, 2:], np.minimum(place, SLOTS - 1), axis=1)
    left[:, 2:] = np.where(place < SLOTS, shifted - lesion[:, None], np.inf)
    return left


def _find_hazards() -> list[int]:
    """Find the states that add up the hazards of death, dropout and new lesions."""
    states = read_model().patient.states
    return [states.index(name) for name in ("hazard_death", "hazard_dropout", "hazard_new")]
