"""What the patients of a virtual trial's arm are given: as planned, and after progression.

Who is given a later drug must be fit for it on the day on which treatment stops: by liver reserve, and by
being expected to live twelve weeks (performance status, which the model has as the hazard of death). The
share of a plan is one of all who stop, as trials report it, so that it is made up from those who are fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hccresist.overcome.plan import Given, Procedure
from hccresist.overcome.population import Population
from hccresist.overcome.rng import Purpose, draw_uniform, index_of
from hccresist.overcome.trial_prior import chance_to_live
from hccresist.overcome.trial_spec import Arm, DrugPlan

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
DAY: Final = 1.0
ONE_DOSE: Final = 0.5
"""Days after its start at which a repeated drug has had its one dose."""


@dataclass(frozen=True)
class Course:
    """What patients of an arm got: who gets which plan, drugs and procedures, and when it stopped."""

    gets: tuple[Flags, ...]
    given: tuple[Given, ...]
    lines: tuple[int, ...]
    procedures: tuple[Procedure, ...]
    stop: Array


@dataclass(frozen=True)
class Stopped:
    """Patients on the day on which treatment stops.

    Attributes
    ----------
    day
        That day; infinite where it does not stop. Shape = (n,).
    liver, hazard
        Liver reserve (0 to 1) and hazard of death (1/day) on it; shape = (n,).
    """

    day: Array
    liver: Array
    hazard: Array

    def is_fit(self, plan: DrugPlan) -> Flags:
        """Who is fit for a later drug."""
        lives = chance_to_live(self.hazard) >= plan.lives_min
        return np.isfinite(self.day) & (self.liver >= plan.liver_min) & lives


def nobody_stopped(count: int) -> Stopped:
    """Before anybody has progressed."""
    return Stopped(np.full(count, np.inf), np.zeros(count), np.zeros(count))


def plan_course(arm: Arm, people: Population, stopped: Stopped, *, longest: float, seed: int) -> Course:
    """Give each patient the arm's drugs and procedures; what was planned ends on the day of the stop.

    Parameters
    ----------
    longest
        Last day of follow-up.
    """
    numbers, weight_kg = people.numbers, people.weight_kg
    never, stop = longest + DAY, stopped.day
    given, lines, chosen = list[Given](), list[int](), list[Flags]()
    for plan, has in zip(arm.drugs, choose(arm.drugs, numbers, stopped, seed=seed), strict=True):
        start, until = np.full(len(numbers), plan.start), np.minimum(plan.until, stop)
        if plan.after_progression:
            start = np.where(has, stop + plan.start, never)
            until = np.where(has, stop + plan.until, np.inf)
        intensity = plan.intensity * np.where(weight_kg < plan.light_kg, plan.light_factor, 1.0)
        for k in range(plan.times):
            begin = np.where(has, np.minimum(start + k * plan.every, never), never)
            end = until if plan.times == 1 else np.minimum(until, begin + ONE_DOSE)
            for regimen in plan.regimens:
                given.append(Given(regimen, start=begin, until=end, intensity=intensity, missed=plan.missed))
                lines.append(2 if plan.after_progression else 1)
                chosen.append(has)
    procedures = tuple(
        Procedure(each.kind, np.where(day < stop, day, np.inf), each.lesion)
        for each in arm.procedures
        for day in each.days
    )
    return Course(tuple(chosen), tuple(given), tuple(lines), procedures, stop)


def choose(
    plans: Sequence[DrugPlan], numbers: NDArray[np.int64], stopped: Stopped, *, seed: int
) -> list[Flags]:
    """Who gets each plan: alternatives share the patients out, by one number a patient and phase."""
    found, edge = list[Flags](), {False: 0.0, True: 0.0}
    shares = _find_shares(plans, stopped)
    for plan, share in zip(plans, shares, strict=True):
        fit = stopped.is_fit(plan) if plan.after_progression else np.ones(len(numbers), dtype=bool)
        if plan.share >= 1.0:
            found.append(fit)
            continue
        name = "choice.after" if plan.after_progression else "choice"
        drawn = draw_uniform(numbers, Purpose.TREATMENT, np.array([index_of(name)]), seed=seed)[:, 0]
        low = edge[plan.after_progression]
        edge[plan.after_progression] = low + share
        found.append(fit & (drawn >= low) & (drawn < low + share))
    return found


def _find_shares(plans: Sequence[DrugPlan], stopped: Stopped) -> list[float]:
    """Share of each plan among those who are fit; alternatives keep their proportions where few are."""
    count = float(np.isfinite(stopped.day).sum())

    def among_fit(plan: DrugPlan) -> float:
        fit = float(stopped.is_fit(plan).sum())
        return plan.share * count / fit if fit else 0.0

    shares = [among_fit(plan) if plan.after_progression else plan.share for plan in plans]
    later = [plan.after_progression and plan.share < 1.0 for plan in plans]
    total = sum(share for share, one in zip(shares, later, strict=True) if one)
    return [share / max(total, 1.0) if one else share for share, one in zip(shares, later, strict=True)]
