"""Fit one prevalence weighting to all trials, by weighing the patients of one run of the calibrated centre.

All trials are run once with the middle of the calibrated sets, and what each patient contributes to each
published number is kept: response or not, day and event. Under other chances to be enrolled the numbers
follow at once (weighted shares, weighted Kaplan–Meier curves): a weighting is fitted without running again.
It starts from what the calibrated ensemble gives and is drawn to no weighting at all by its prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.outcomes.groups import CONTROLLED, RESPONSES
from hccresist.outcomes.survival import MONTH
from hccresist.overcome.calibrate_data import Target, cut_spec, to_scale
from hccresist.overcome.calibrate_run import POOL_EACH, Work, find_lines
from hccresist.overcome.prevalence_weights import (
    MEAN,
    Weighting,
    effective_share,
    find_deviates,
    find_features,
    find_level,
)
from hccresist.overcome.rng import TWIN
from hccresist.overcome.trial_endpoints import MEDIANS, RATIOS, find_landmark, name_event
from hccresist.overcome.trial_members import SEPARATOR, Wanted, assess_members, make_members_study, make_pool
from hccresist.overcome.trial_spec import BY_WORD

Array = NDArray[np.float64]

SPREAD: Final = 0.25
"""Standard deviation of the prior of a log odds (a standard deviation of the parameter); assumption."""
PATIENTS: Final = 300
"""Patients an arm of the run that is weighed."""


@dataclass(frozen=True)
class Contribution:
    """What patients contribute to one published number.

    Attributes
    ----------
    patients
        Places of the patients among the deviates.
    days, event
        Days of observation and whether they end with the event; of a share: no days, and whether it is met.
    """

    patients: NDArray[np.int64]
    days: Array | None
    event: NDArray[np.bool_]

    def find_value(self, target: Target, chances: Array) -> float:
        """Find the number under chances to be enrolled, on the scale of the fit; not a number where none."""
        weights = chances[self.patients]
        endpoint = target.wanted[2]
        if self.days is None:
            return _scale(target, 100.0 * float(weights @ self.event / weights.sum()))
        days, survival = weigh_survival(self.days, self.event, weights)
        if endpoint in MEDIANS:
            if survival[-1] > 0.5:
                return float("nan")
            return float(np.log(np.interp(0.5, survival[::-1], days[::-1]) / MONTH))
        return _scale(target, 100.0 * float(np.interp(find_landmark(endpoint), days, survival)))


def _scale(target: Target, percent: float) -> float:
    return float(to_scale(target.wanted[2], np.array([percent]), n=target.n)[0])


def weigh_survival(days: Array, event: NDArray[np.bool_], weights: Array) -> tuple[Array, Array]:
    """Weighted Kaplan–Meier curve: days of events, from day 0 on, and survival on them.

    Examples
    --------
    >>> days, survival = weigh_survival(
    ...     np.array([1.0, 2.0, 3.0]), np.array([True, False, True]), np.array([1.0, 1.0, 2.0])
    ... )
    >>> days.tolist(), survival.tolist()
    ([0.0, 1.0, 3.0], [1.0, 0.75, 0.0])
    """
    order = np.argsort(days, kind="stable")
    own, hit, weight = days[order], event[order], weights[order]
    at, first = np.unique(own, return_index=True)
    risk = weight[::-1].cumsum()[::-1][first]
    lost = np.add.reduceat(weight * hit, first)
    survival = np.cumprod(1.0 - lost / risk)
    kept = lost > 0
    return np.concatenate([[0.0], at[kept]]), np.concatenate([[1.0], survival[kept]])


@dataclass(frozen=True)
class Weighed:
    """One run of all trials, patient by patient.

    Attributes
    ----------
    deviates
        Deviates of the patients of the pool; shape = (patients, features).
    parts
        Contribution to each target, None where it is no share, median or share at a time.
    """

    deviates: Array
    parts: tuple[Contribution | None, ...]

    def find_values(self, targets: Sequence[Target], chances: Array) -> Array:
        """Give all numbers under chances to be enrolled, on the scale of the fit; shape = (targets,)."""
        pairs = zip(targets, self.parts, strict=True)
        return np.array([np.nan if part is None else part.find_value(t, chances) for t, part in pairs])


def run_weighed(
    targets: Sequence[Target],
    values: dict[str, float],
    file: Path,
    *,
    patients: int = PATIENTS,
    threads: int | None = None,
    seed: int = 0,
) -> Weighed:
    """Run all trials with one parameter set, patient by patient; kept in a file, and read from it again.

    Parameters
    ----------
    values
        The set, without a weighting.
    file
        Where the rows are kept (Parquet); deviates lie beside it.
    """
    beside = file.with_suffix(".deviates.parquet")
    if not file.exists() or not beside.exists():
        work = Work(tuple(targets), patients, seed=seed)
        lines = find_lines(work.trials, patients)
        pool = make_pool(values, lines, size=POOL_EACH * patients, threads=threads, seed=seed)
        rows = list[pl.DataFrame]()
        for trial in work.trials:
            own = {j: t.wanted for j, t in enumerate(targets) if t.trial == trial}
            spec = cut_spec(trial, patients=patients)
            study = make_members_study(spec, [pool], list(own.values()), threads=threads)
            if study is not None:
                tables, events = assess_members(study, spec, list(own.values()))
                people = study.patients.select("patient_id", "arm")
                best = tables["best_response"]
                best = best.with_columns(word=pl.col("best_confirmed" if spec.confirmed else "best"))
                rows += [_take(j, key, people, best, events) for j, key in own.items()]
        people = pool.lines[((), 0.0)][0]
        deviates = pl.DataFrame(find_deviates(people, pool.values), schema=[p.name for p in find_features()])
        deviates.insert_column(0, pl.Series("patient", people.numbers)).write_parquet(beside)
        pl.concat(rows).write_parquet(file)
    return _read(file, beside, len(targets))


def _take(
    j: int, key: Wanted, people: pl.DataFrame, best: pl.DataFrame, events: pl.DataFrame
) -> pl.DataFrame:
    """Rows of one target: target, patient, days (null of a share), event."""
    arm, _, endpoint, criterion = key
    own = people.filter(pl.col("arm") == f"{arm}{SEPARATOR}0").select("patient_id")
    schema = {"target": pl.Int64, "patient": pl.Int64, "days": pl.Float64, "event": pl.Boolean}
    if endpoint in RATIOS:
        return pl.DataFrame(schema=schema)
    if endpoint in {"ORR", "DCR"}:
        met = pl.col("word").is_in(RESPONSES if endpoint == "ORR" else CONTROLLED)
        rows = best.filter(pl.col("criterion") == BY_WORD[criterion or ""])
        rows = own.join(rows, on="patient_id", how="left")
        rows = rows.with_columns(days=pl.lit(None, pl.Float64), event=met.fill_null(value=False))
    else:
        kind = name_event(endpoint)
        rows = events.filter(pl.col("endpoint") == kind)
        if kind != "OS":
            rows = rows.filter(pl.col("criterion") == BY_WORD[criterion or ""])
        rows = own.join(rows, on="patient_id", how="inner").filter(pl.col("days").is_not_null())
    number = pl.col("patient_id").str.slice(1).cast(pl.Int64) % TWIN
    return rows.select(
        pl.lit(j, pl.Int64).alias("target"), number.alias("patient"), pl.col("days").cast(pl.Float64), "event"
    )


def _read(file: Path, beside: Path, count: int) -> Weighed:
    people = pl.read_parquet(beside)
    numbers = people["patient"].to_numpy()
    rows = pl.read_parquet(file).partition_by("target", as_dict=True)
    parts = list[Contribution | None]()
    for j in range(count):
        own = rows.get((j,))
        if own is None or own.height == 0:
            parts.append(None)
            continue
        places = np.searchsorted(numbers, own["patient"].to_numpy())
        days = None if own["days"].null_count() else own["days"].to_numpy()
        parts.append(Contribution(places, days, own["event"].to_numpy()))
    return Weighed(people.drop("patient").to_numpy(), tuple(parts))


def fit_weighting(
    seen: Weighed,
    targets: Sequence[Target],
    *,
    centre: Array,
    data: Array,
    error: Array,
    used: Sequence[int] | None = None,
    near: Weighting | None = None,
) -> tuple[Weighting, Array]:
    """Fit a weighting: least squares of all numbers, and the prior of the log odds.

    Parameters
    ----------
    centre
        What the calibrated ensemble gives without a weighting, on the scale of the fit; shape = (targets,).
    data, error
        Published numbers and the standard deviations with which they are fitted.
    used
        Places of the numbers that are used; all where not given.
    near
        Where the search begins; at no weighting where not given.

    Returns
    -------
    tuple
        The weighting, and by how much it changes each number; shape = (targets,).
    """
    from scipy.optimize import least_squares  # noqa: PLC0415

    deviates = seen.deviates
    plain = seen.find_values(targets, np.ones(len(deviates)))
    places = np.arange(len(targets)) if used is None else np.array(list(used))

    def make(log_odds: Array) -> Weighting:
        level = find_level(deviates @ log_odds)
        return Weighting(tuple(one.name for one in find_features()), log_odds, level)

    def change(log_odds: Array) -> Array:
        found = seen.find_values(targets, make(log_odds).find_chances(deviates)) - plain
        return np.where(np.isfinite(found), found, 0.0)

    def misfit(log_odds: Array) -> Array:
        left = (centre + change(log_odds) - data) / error
        return np.concatenate([left[places], log_odds / SPREAD])

    start = np.zeros(deviates.shape[1]) if near is None else near.log_odds
    found = least_squares(misfit, start, diff_step=0.05, x_scale=SPREAD, max_nfev=30)
    weighting = make(found.x)
    assert effective_share(weighting.find_chances(deviates)) >= MEAN - 1e-6
    return weighting, change(found.x)
