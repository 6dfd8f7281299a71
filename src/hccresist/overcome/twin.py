"""The twin of a patient: virtual patients that fit the data so far, and what happens to them next.

Research only: nothing here is a forecast for anybody's care. What is done and assumed stands in
`docs/explanation/twin.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import dataframely as dy
import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.overcome.population import SLOTS
from hccresist.overcome.strategies import SIMULATED
from hccresist.overcome.twin_ahead import (
    HORIZONS,
    LEAST_MM,
    LIMITS,
    LOOKS,
    Chances,
    Drift,
    Told,
    find_chances,
    find_quantile,
    tell_all,
)
from hccresist.overcome.twin_data import Case, Skipped, read_cases
from hccresist.overcome.twin_filter import Cloud, Found, make_generator
from hccresist.overcome.twin_fit import Fitter, find_case_error, fit_cases, follow_on
from hccresist.overcome.twin_latent import Space
from hccresist.overcome.twin_results import Outlook, OutlookFit
from hccresist.overcome.twin_run import MOST_DRUGS, Standing, Track, open_lesions
from hccresist.overcome.twin_treatments import Course, Dose, find_courses
from hccresist.overcome.twin_words import MEASURE, tell_fit, tell_indistinct, tell_row
from hccresist.study.study import Study

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]
Report = Callable[[int, int], None]
"""Told how many steps are done, and of how many."""

PARTICLES: Final = 80
"""Virtual patients of each patient."""
MOST_MEMBERS: Final = 8
"""Sets of typical values that are used of an ensemble, evenly spaced: each makes runs of its own."""
AHEAD: Final = 40
"""Virtual patients of each patient that are followed ahead on each course, drawn by weight."""
LATE_DAYS: Final = 14.0
"""Days before the last data within which a reading stands for the sum on that day."""
_STEPS: Final = 10
Rows = list[dict[str, object]]


@dataclass(frozen=True)
class TwinOutlook:
    """What the twins of a study say.

    Attributes
    ----------
    outlook, outlook_fit
        Tables of `twin_results`.
    gains
        Difference in the share alive after 12 months between each candidate and going on as now, with the
        columns `strategies.SIMULATED`: `strategies.rank_strategies` takes it as ``simulated``.
    """

    outlook: pl.DataFrame
    outlook_fit: pl.DataFrame
    gains: pl.DataFrame


def make_outlook(
    study: Study,
    *,
    tables: Mapping[str, pl.DataFrame],
    members: Sequence[Mapping[str, float]] = ({},),
    particles: int = PARTICLES,
    until: float | None = None,
    threads: int | None = None,
    progress: Report | None = None,
    seed: int = 0,
) -> TwinOutlook:
    """Make the twin of each patient of a study and look ahead.

    Parameters
    ----------
    study
        Checked study.
    tables
        Tables of *assess* (timepoints, baselines, markers), *explain* (mechanism_scores, alteration_calls)
        and *overcome* (strategies); what is not there is not used.
    members
        Sets of typical values of parameters: the ensemble of the calibration.
    particles
        Virtual patients of each patient.
    until
        Day after which data are not used; none: all are.
    threads
        Threads of the engine; none: as many as this process may use.
    progress
        Told of progress.
    seed
        Seed.
    """
    read = read_cases(study, tables, until=until)
    cases = [each for each in read if isinstance(each, Case)]
    skipped = [each for each in read if isinstance(each, Skipped)]
    fits: Rows = [_row_of_skipped(each) for each in skipped]
    rows, gains = Rows(), Rows()
    if cases:
        chosen = choose_members(members)
        courses = _list_courses(cases, tables.get("strategies"))
        fitter = Fitter(cases, Space(chosen), threads, seed)
        made = _Twins(fitter, courses, particles=particles, tell=_count(progress))
        rows, gains = made.look_ahead()
        fits += made.tell_fits()
    if progress:
        progress(_STEPS, _STEPS)
    return TwinOutlook(
        _table(Outlook, rows),
        _table(OutlookFit, fits),
        pl.DataFrame(gains, schema=_GAINS, orient="row").sort("patient_id", "strategy_id"),
    )


_GAINS: Final[dict[str, type[pl.DataType]]] = {
    name: pl.String if name in {"patient_id", "strategy_id", "measure"} else pl.Float64 for name in SIMULATED
}


def _table(schema: type[dy.Schema], rows: Rows) -> pl.DataFrame:
    """Rows as a checked table, sorted by key."""
    columns = {name: column.dtype for name, column in schema.columns().items()}
    made = pl.DataFrame(rows, schema=columns, orient="row")
    return schema.validate(made, cast=True).sort(schema.primary_key())


def choose_members(members: Sequence[Mapping[str, float]]) -> tuple[Mapping[str, float], ...]:
    """Choose at most `MOST_MEMBERS` sets of an ensemble, evenly spaced.

    Examples
    --------
    >>> len(choose_members([{}] * 100))
    8
    """
    count = min(len(members), MOST_MEMBERS)
    return tuple(members[i * len(members) // count] for i in range(count)) or ({},)


def _count(progress: Report | None) -> Callable[[], None]:
    """Count steps and tell of them."""
    done = [0]

    def tell() -> None:
        done[0] = min(done[0] + 1, _STEPS - 1)
        if progress:
            progress(done[0], _STEPS)

    return tell


@dataclass(frozen=True)
class _Plans:
    """Courses of a patient, the present one first, and what was left out."""

    courses: tuple[Course, ...]
    left: tuple[str, ...]


def _list_courses(cases: Sequence[Case], strategies: pl.DataFrame | None) -> list[_Plans]:
    """Present and candidate courses of each patient."""
    found = list[_Plans]()
    for case in cases:
        own = None if strategies is None else strategies.filter(pl.col("patient_id") == case.patient_id)
        courses, left = find_courses(own, case.given)
        found.append(_Plans((Course(None, case.given.present), *courses), left))
    return found


class _Twins:
    """Twins of patients: fitted, then followed ahead."""

    def __init__(
        self,
        fitter: Fitter,
        plans: list[_Plans],
        *,
        particles: int,
        tell: Callable[[], None],
    ) -> None:
        self.fitter, self.cases, self.seed = fitter, fitter.cases, fitter.seed
        self.plans, self.tell = plans, tell
        self.found: Found = fit_cases(fitter, particles=particles, tell=tell, seed=fitter.seed)
        self.ahead = min(AHEAD, particles)
        fits = self.found.posterior.loglik
        self.effective: Final = self.found.posterior.effective
        self.solved: Final = [c for c in range(len(self.cases)) if np.isfinite(fits[c]).any()]

    def look_ahead(self) -> tuple[Rows, Rows]:
        """Rows of `outlook`, and of gains."""
        rows, gains = Rows(), Rows()
        sides = [self._choose(self.found.prior, "prior"), self._choose(self.found.posterior, "posterior")]
        present: list[dict[int, Chances]] = []
        for turn in range(max(len(plan.courses) for plan in self.plans)):
            who = [c for c in self.solved if turn < len(self.plans[c].courses)]
            if not who:
                break
            prior, post = (self._follow(side, who, turn) for side in sides)
            present.append(post)
            self.tell()
            for c in who:
                rows += self._rows(c, turn, prior[c], post[c])
                if turn:
                    gains.append(self._gain(c, turn, present[0][c], post[c]))
        return rows, gains

    def _choose(self, cloud: Cloud, side: str) -> _Side:
        """Draw the virtual patients that are followed ahead; they weigh the same."""
        parts = list[NDArray[np.int64]]()
        for c, case in enumerate(self.cases):
            rng = make_generator(f"{case.patient_id} {side}", seed=self.seed)
            weights = cloud.weights[c] * cloud.kept["solved"][c]
            fair = weights / weights.sum() if weights.sum() > 0 else np.full(len(weights), 1.0 / len(weights))
            edges = np.cumsum(fair)
            points = (np.arange(self.ahead) + rng.random()) / self.ahead
            parts.append(np.minimum(np.searchsorted(edges, points * edges[-1], side="right"), len(fair) - 1))
        rows = np.repeat(np.arange(len(self.cases)), self.ahead)
        columns = np.concatenate(parts)
        kept = {name: values[rows, columns] for name, values in cloud.kept.items()}
        standing = Standing(kept["state"], kept["lesions"], kept["amounts"], kept["solved"])
        people = self.fitter.build(cloud.z[rows, columns], cloud.number[rows, columns], rows)
        count = np.array([case.new_lesions or 0 for case in self.cases])[rows]
        standing = open_lesions(people, standing, count)
        draws = [make_generator(f"{case.patient_id} ahead", seed=self.seed) for case in self.cases]
        return _Side(
            cloud.z[rows, columns],
            cloud.number[rows, columns],
            rows,
            standing,
            kept,
            np.concatenate([rng.standard_exponential((self.ahead, SLOTS)) for rng in draws]),
            np.concatenate([rng.standard_normal((self.ahead, len(HORIZONS))) for rng in draws]),
            side == "posterior",
        )

    def _follow(self, side: _Side, who: Sequence[int], turn: int) -> dict[int, Chances]:
        """Follow the virtual patients of some patients on one of their courses."""
        rows = np.flatnonzero(np.isin(side.owner, who))
        courses = [plan.courses[min(turn, len(plan.courses) - 1)] for plan in self.plans]
        seen = follow_on(
            self.fitter,
            side.z[rows],
            side.number[rows],
            owner=side.owner[rows],
            standing=side.standing.take(rows),
            tracks=[make_track(case, course) for case, course in zip(self.cases, courses, strict=True)],
            kept={name: values[rows] for name, values in side.kept.items()},
            factors=[dict(course.factors) for course in courses],
            draws=side.draws[rows],
        )
        found = dict[int, Chances]()
        for c in who:
            own = side.owner[rows] == c
            drift, base = self._find_drift(side, c, seen[own])
            found[c] = find_chances(seen[own], base, drift, noise=side.noise[rows][own])
        return found

    def _find_drift(self, side: _Side, c: int, seen: Array) -> tuple[Drift, Array]:
        """How the patient's sum differs from the virtual patients', and the sum that changes are of.

        That is the last reading where it is fresh, else each virtual patient's own. Before the data nothing
        is known of either.
        """
        case, own = self.cases[c], side.owner == c
        error = find_case_error(case, "whole")
        if not side.after:
            return Drift(np.zeros(len(seen)), 0.0, error), seen[:, 0, 0]
        shift, variance = side.kept["shift"][own], float(side.kept["variance"][own][0])
        last = case.last_sum
        if last is not None and case.day - last.day <= LATE_DAYS:
            return Drift(shift, variance, error), np.full(len(seen), last.value)
        return Drift(np.zeros(len(seen)), 0.0, error), seen[:, 0, 0]

    def _measurable(self, c: int) -> bool:
        """Whether there is enough left to see a change."""
        case = self.cases[c]
        last = case.last_sum
        return (case.baseline.total_mm if last is None else last.value) >= LEAST_MM

    def _rows(self, c: int, turn: int, prior: Chances, post: Chances) -> Rows:
        """Rows of one patient on one course."""
        case, course = self.cases[c], self.plans[c].courses[turn]
        fair = np.full(self.ahead, 1.0 / self.ahead)
        measurable = self._measurable(c)
        before = tell_all(prior, fair, measurable=measurable)
        after = tell_all(post, fair, measurable=measurable)
        shared = {
            "patient_id": case.patient_id,
            "role": "candidate" if turn else "present",
            "drugs": course.name,
            "strategy_id": course.strategy_id,
            "day": case.day,
            "particles": float(min(self.effective[c], self.ahead)),
        }
        found = Rows()
        for (days, quantity), told in after.items():
            columns = _columns(told, before[days, quantity])
            notes = tell_row(course, columns, told=told is not None)
            found.append({**shared, "horizon_days": days, "quantity": quantity, **columns, "notes": notes})
        return found

    def _gain(self, c: int, turn: int, present: Chances, candidate: Chances) -> dict[str, object]:
        """Difference in the share alive after 12 months, virtual patient by virtual patient."""
        difference = present.death[:, -1] - candidate.death[:, -1]
        fair = np.full(len(difference), 1.0 / len(difference))
        low, high = (find_quantile(difference, fair, share) for share in LIMITS)
        row = (
            self.cases[c].patient_id,
            self.plans[c].courses[turn].strategy_id,
            float(difference.mean()),
            low,
            high,
        )
        return dict(zip(SIMULATED, (*row, MEASURE), strict=True))

    def tell_fits(self) -> Rows:
        """Rows of `outlook_fit` of those who have a twin."""
        found, rows = self.found, Rows()
        for c, case in enumerate(self.cases):
            if c not in self.solved:
                rows.append(
                    _row_of_skipped(
                        Skipped(case.patient_id, "no virtual patient of this kind could be solved")
                    )
                )
                continue
            shares = [
                dict(zip(self.fitter.space.handles, weights @ self.fitter.space.find_on(z), strict=True))
                for z, weights in (
                    (found.prior.z[c], found.prior.weights[c]),
                    (found.posterior.z[c], found.posterior.weights[c]),
                )
            ]
            rows.append(
                {
                    "patient_id": case.patient_id,
                    "data": case.describe(),
                    "observations": len([each for each in case.readings if each.day > 0])
                    + (case.new_lesions is not None),
                    "effective": float(self.effective[c]),
                    "prior_effective": float(found.direct[c]),
                    "indistinct": tell_indistinct(),
                    "notes": tell_fit(
                        case,
                        effective=float(self.effective[c]),
                        power=float(found.power[c]),
                        shares=(shares[0], shares[1]),
                        left=self.plans[c].left,
                    ),
                }
            )
        return rows


@dataclass(frozen=True)
class _Side:
    """Virtual patients that are followed ahead: before or after the data."""

    z: Array
    number: Numbers
    owner: Numbers
    standing: Standing
    kept: dict[str, NDArray[Any]]
    draws: Array
    noise: Array
    after: bool


def make_track(case: Case, course: Course) -> Track:
    """Make what a patient gets from the last data on: present drugs that the course lacks stop."""
    past = [
        each
        if each.until < case.day or each.drug in course.drugs
        else replace(each, until=min(each.until, case.day))
        for each in case.given.doses
    ]
    more = [Dose(drug, case.day, float("inf")) for drug in course.drugs if drug not in case.given.present]
    return Track(tuple([*past, *more][:MOST_DRUGS]), (), case.day, tuple(case.day + day for day in LOOKS))


def _columns(told: Told | None, prior: Told | None) -> dict[str, float | None]:
    """Values of a row of `outlook`."""
    if told is None or prior is None:
        names = ("value", "low", "high", "prior_value", "prior_low", "prior_high", "narrowing")
        return dict.fromkeys(names, None)
    width = prior.high - prior.low
    return {
        "value": told.value,
        "low": told.low,
        "high": told.high,
        "prior_value": prior.value,
        "prior_low": prior.low,
        "prior_high": prior.high,
        "narrowing": 1.0 - (told.high - told.low) / width if width > _NO_WIDTH else None,
    }


_NO_WIDTH: Final = 1e-6


def _row_of_skipped(one: Skipped) -> dict[str, object]:
    """Row of `outlook_fit` of a patient without a twin."""
    return {
        "patient_id": one.patient_id,
        "data": "",
        "observations": 0,
        "effective": None,
        "prior_effective": None,
        "indistinct": "",
        "notes": f"no twin: {one.reason}",
    }
