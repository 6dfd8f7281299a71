"""Which visit was the last before something, and how many planned visits were missed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from hccresist.outcomes.groups import KEYS

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]


def last_visit_day(visits: pl.DataFrame, limits: pl.DataFrame) -> pl.Series:
    """Return, for each row of `limits`, the last day of its visits within the limits.

    Visits of one patient, reader and criterion stand together in every table that *assess* writes,
    so that neighbouring rows are compared and only one row a course is looked up.

    Parameters
    ----------
    visits
        Columns patient_id, reader, criterion and day (null for a visit that does not count); in
        any order, fastest when sorted.
    limits
        Columns patient_id, reader, criterion (one row each), `before` (the day must be earlier)
        and `until` (the day must not be later); null means no limit.

    Returns
    -------
    pl.Series
        Days, null where no visit lies within the limits; shape = (rows of `limits`,).
    """
    found = np.full(limits.height, np.nan)
    courses, heads = _courses(visits)
    if heads.height:
        bounds = heads.with_row_index("course").join(limits.with_row_index("row"), on=KEYS, how="inner")
        latest = _latest(courses, bounds, heads.height)[bounds["course"].to_numpy()]
        found[bounds["row"].to_numpy()] = np.where(np.isfinite(latest), latest, np.nan)
    return pl.Series("last_day", found).fill_nan(None)


def _latest(courses: pl.DataFrame, bounds: pl.DataFrame, n_courses: int) -> Floats:
    """Return the last day of each course within its bounds, minus infinity where there is none."""
    before, until = np.full(n_courses, -np.inf), np.full(n_courses, -np.inf)
    place = bounds["course"].to_numpy()
    before[place] = bounds["before"].cast(pl.Float64).fill_null(np.inf).to_numpy()
    until[place] = bounds["until"].cast(pl.Float64).fill_null(np.inf).to_numpy()
    starts = np.flatnonzero(courses["start"].to_numpy())
    visits = np.diff(starts, append=courses.height)
    days = courses["day"].to_numpy()
    within = (days < np.repeat(before, visits)) & (days <= np.repeat(until, visits))
    return np.maximum.reduceat(np.where(within, days, -np.inf), starts)


def _courses(visits: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return `day` and `start` of a course for each visit, and the key of each course."""
    days = pl.col("day").cast(pl.Float64).fill_null(-np.inf)
    rows = visits.select(*KEYS, days).with_columns(start=_starts())
    heads = rows.filter("start").select(KEYS)
    if not heads.select(_ascending().all()).item():
        return _courses(rows.sort(*KEYS, "day"))
    return rows.select("day", "start"), heads


def _starts() -> pl.Expr:
    """Tell whether a row begins another course than the row above."""
    return pl.any_horizontal(pl.col(key).ne_missing(pl.col(key).shift()) for key in KEYS)


def _ascending() -> pl.Expr:
    """Tell whether a row's key comes after the key of the row above; true for the first row."""
    patient, reader, criterion = (pl.col(key) > pl.col(key).shift() for key in KEYS)
    same_patient, same_reader = (pl.col(key) == pl.col(key).shift() for key in KEYS[:2])
    later = patient | (same_patient & (reader | (same_reader & criterion)))
    return later.fill_null(value=True)


def attended_visit(days: pl.Series, planned: Sequence[float]) -> Ints:
    """Return the number of the planned visit that each day belongs to.

    A day belongs to the planned visit nearest to it, to the later one when two are equally near.
    Day 0 (baseline, and null) is visit 0; what comes after the grid belongs to its last visit.

    Examples
    --------
    >>> attended_visit(pl.Series([None, 50.0, 90.0, 400.0]), (56.0, 112.0, 168.0)).tolist()
    [0, 1, 2, 3]
    """
    grid = np.array([0.0, *planned])
    return np.searchsorted((grid[1:] + grid[:-1]) / 2, days.fill_null(0.0).to_numpy(), side="right")


def visits_due(days: pl.Series, planned: Sequence[float]) -> Ints:
    """Return how many planned visits lie before each day.

    Examples
    --------
    >>> visits_due(pl.Series([30.0, 56.0, 57.0, 400.0]), (56.0, 112.0, 168.0)).tolist()
    [0, 0, 1, 3]
    """
    return np.searchsorted(np.array(planned), days.fill_null(0.0).to_numpy(), side="left")
