"""What virtual patients do next, as chances and changes with 90 % intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hccresist.overcome.scans import SEEN_MM
from hccresist.overcome.twin_error import Error
from hccresist.overcome.twin_run import SEEN

Array = NDArray[np.float64]

HORIZONS: Final = (84.0, 168.0, 365.0)
"""Days ahead that rows are made for."""
LOOKS: Final = (0.0, 56.0, 84.0, 112.0, 168.0, 224.0, 280.0, 336.0, 365.0)
"""Days ahead on which virtual patients are scanned."""
LIMITS: Final = (0.05, 0.95)
"""Shares below and above the interval."""
LEAST_MM: Final = 10.0
"""Sum below which no response can be told (RECIST 1.1: a measurable lesion has 10 mm)."""
_RESPONSE: Final = 0.7
_GROWTH: Final = 1.2
_GROWTH_MM: Final = 5.0
_PLACE: Final = {name: i for i, name in enumerate(SEEN)}


@dataclass(frozen=True)
class Chances:
    """What each virtual patient does next; shape = (n, HORIZONS).

    Attributes
    ----------
    response, progression, death
        Chances.
    change
        Change of the sum in percent, as it would be read.
    """

    response: Array
    progression: Array
    death: Array
    change: Array


@dataclass(frozen=True)
class Drift:
    """How the logarithm of a patient's sum differs from each virtual patient's on the last day of data.

    Attributes
    ----------
    shift
        Mean, of each virtual patient; shape = (n,).
    variance
        Variance of it.
    error
        Error of the sum as read.
    """

    shift: Array
    variance: float
    error: Error


def find_chances(seen: Array, base: Array, drift: Drift, *, noise: Array) -> Chances:
    """Find what each virtual patient does next.

    Parameters
    ----------
    seen
        What was seen on `LOOKS`; shape = (n, LOOKS, SEEN).
    base
        Sum on the last day of data: as read, or each virtual patient's own; shape = (n,).
    drift
        How the patient's sum differs from the virtual patient's.
    noise
        Standard normal deviates of the readings; shape = (n, HORIZONS).
    """
    from scipy.special import ndtr  # noqa: PLC0415

    total = np.maximum(seen[:, :, _PLACE["whole"]], SEEN_MM) * np.exp(drift.shift)[:, None]
    alive = np.exp(-(seen[:, :, _PLACE["death"]] - seen[:, :1, _PLACE["death"]]))
    none_new = np.exp(-(seen[:, :, _PLACE["new"]] - seen[:, :1, _PLACE["new"]]))
    start = np.maximum(base, SEEN_MM)[:, None]
    days, noise_variance = np.array(LOOKS), drift.error.noise**2
    spread = np.sqrt(drift.variance + drift.error.pace * days + noise_variance)
    lowest = _find_lowest(np.concatenate([start, total[:, 1:]], axis=1))
    nadir = np.where(lowest == 0, start, np.take_along_axis(total, lowest, axis=1))
    since = np.sqrt(drift.error.pace * (days - days[lowest]) + 2.0 * noise_variance)
    excess = np.log(total / nadir) - np.log(np.maximum(_GROWTH, 1.0 + _GROWTH_MM / nadir))
    excess[:, 0] = -np.inf
    grown = np.maximum.accumulate(excess / np.where(lowest == 0, spread, since), axis=1)
    shrunk = np.log(_RESPONSE) - np.log(total / start)
    shrunk[:, 0] = -np.inf
    shrunk = np.where(grown > 0, -np.inf, shrunk / spread)
    at = [LOOKS.index(day) for day in HORIZONS]
    return Chances(
        response=np.maximum.accumulate(ndtr(shrunk) * alive * none_new, axis=1)[:, at],
        progression=1.0 - (ndtr(-grown) * none_new * alive)[:, at],
        death=1.0 - alive[:, at],
        change=100.0 * np.expm1(np.log(total[:, at] / start) + spread[at] * noise),
    )


def _find_lowest(values: Array) -> NDArray[np.int64]:
    """Find where the smallest value so far lies; shape as that of the values."""
    low = np.minimum.accumulate(values, axis=1)
    fresh = np.where(values <= low, np.arange(values.shape[1]), 0)
    return np.maximum.accumulate(fresh, axis=1)


def find_quantile(values: Array, weights: Array, share: float) -> float:
    """Find a weighted quantile: halfway steps between the values, each in the middle of its weight.

    Examples
    --------
    >>> find_quantile(np.array([3.0, 1.0, 2.0]), np.ones(3) / 3, 0.5)
    2.0
    """
    order = np.argsort(values, kind="stable")
    edges = np.cumsum(weights[order])
    middle = (edges - weights[order] / 2.0) / edges[-1]
    return float(np.interp(share, middle, values[order]))


@dataclass(frozen=True)
class Told:
    """A value with its 90 % interval."""

    value: float
    low: float
    high: float


def tell_chance(chance: Array, weights: Array) -> Told:
    """Tell a chance: the mean, and between which chances 90 % of the virtual patients lie."""
    low, high = (find_quantile(chance, weights, share) for share in LIMITS)
    return Told(float(chance @ weights), low, high)


def tell_change(change: Array, weights: Array, alive: Array) -> Told:
    """Tell a change: the median and 90 % interval of those who are alive then."""
    own = weights * alive
    low, middle, high = (
        find_quantile(change, own / own.sum(), share) for share in (LIMITS[0], 0.5, LIMITS[1])
    )
    return Told(middle, low, high)


def tell_all(chances: Chances, weights: Array, *, measurable: bool) -> dict[tuple[float, str], Told | None]:
    """Tell every quantity at every horizon; none where it cannot be said."""
    found: dict[tuple[float, str], Told | None] = {}
    for h, days in enumerate(HORIZONS):
        found[days, "response"] = tell_chance(chances.response[:, h], weights) if measurable else None
        found[days, "progression"] = tell_chance(chances.progression[:, h], weights)
        found[days, "death"] = tell_chance(chances.death[:, h], weights)
        alive = 1.0 - chances.death[:, h]
        found[days, "sum_change_percent"] = (
            tell_change(chances.change[:, h], weights, alive)
            if measurable and (weights * alive).sum() > 0
            else None
        )
    return found
