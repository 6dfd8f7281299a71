"""Growth between two scans: pure functions over arrays.

Sizes are sums of diameters in mm, times days. Where a rate is undefined the result is NaN, and
`why_undefined` says why; nothing is substituted. A month is ``365.25 / 12 = 30.4375`` days unless
said otherwise (policy `hpd_month_length`).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

MONTH_DAYS: Final = 30.4375
"""365.25 / 12. Ferté 2014 uses days · 12 / 365.25; doi:10.1016/j.ejca.2011.06.012."""


def log_volume_rate(first_mm: ArrayLike, last_mm: ArrayLike, days: ArrayLike) -> Floats:
    """Return the growth rate of log volume, ``3·ln(last/first)/days``, per day.

    Volume is taken as proportional to the cube of the diameter. NaN where a size is missing or 0,
    or where the time is not positive.

    Examples
    --------
    >>> round(float(log_volume_rate(6.0, 8.0, 90.0)), 5)
    0.00959
    """
    first, last, time = _arrays(first_mm, last_mm, days)
    fine = (first > 0) & (last > 0) & (time > 0)
    ratio = np.divide(last, first, out=np.ones_like(last), where=fine)
    rate = 3.0 * np.log(ratio) / np.where(fine, time, 1.0)
    return np.where(fine, rate, np.nan)


def tumour_growth_rate(
    first_mm: ArrayLike, last_mm: ArrayLike, days: ArrayLike, *, month_days: float = MONTH_DAYS
) -> Floats:
    """Return TGR, the growth of volume in % a month: ``100·(exp(TG) − 1)``, ``TG = 3·ln(last/first)/months``.

    Parameters
    ----------
    first_mm, last_mm
        Sums of diameters in mm.
    days
        Days between the scans.
    month_days
        Days in a month.

    Returns
    -------
    Floats
        % a month; NaN where undefined.

    References
    ----------
    Gomez-Roca 2011, doi:10.1016/j.ejca.2011.06.012; Ferté 2014, Clin Cancer Res 20:246, PMID 24240109.

    Examples
    --------
    >>> float(tumour_growth_rate(100.0, 110.0, 30.4375).round(1))
    33.1
    """
    return 100.0 * np.expm1(log_volume_rate(first_mm, last_mm, days) * month_days)


def tumour_growth_kinetics(
    first_mm: ArrayLike, last_mm: ArrayLike, days: ArrayLike, *, month_days: float = MONTH_DAYS
) -> Floats:
    """Return TGK, the growth of the sum in mm a month: ``(last − first)/months``.

    A size of 0 is no obstacle. NaN where a size is missing or the time is not positive.

    References
    ----------
    Saâda-Bouzid 2017, Ann Oncol 28:1605.

    Examples
    --------
    >>> float(tumour_growth_kinetics(40.0, 46.0, 60.875))
    3.0
    """
    first, last, time = _arrays(first_mm, last_mm, days)
    months = np.where(time > 0, time, np.nan) / month_days
    return (last - first) / months


def specific_growth_rate(first_mm: ArrayLike, last_mm: ArrayLike, days: ArrayLike) -> Floats:
    """Return SGR, the growth of log volume in % a day: ``100·3·ln(last/first)/days = 100·ln2/VDT``.

    Defined for growth, shrinkage and standstill alike, unlike the doubling time.

    References
    ----------
    Mehrara 2007, Cancer Res 67:3970, doi:10.1158/0008-5472.CAN-06-3822.
    """
    return 100.0 * log_volume_rate(first_mm, last_mm, days)


def volume_doubling_time(first_mm: ArrayLike, last_mm: ArrayLike, days: ArrayLike) -> Floats:
    """Return VDT in days: ``days·ln2/(3·ln(last/first))``.

    NaN where a size is missing or 0, and where the tumour did not grow: nothing doubles then.

    Examples
    --------
    >>> float(volume_doubling_time(6.0, 8.0, 90.0).round())
    72.0
    """
    rate = log_volume_rate(first_mm, last_mm, days)
    return np.divide(np.log(2.0), rate, out=np.full_like(rate, np.nan), where=rate > 0)


def growth_ratio(before: ArrayLike, after: ArrayLike) -> Floats:
    """Return ``after / before`` of a rate; NaN unless the tumour grew before treatment.

    A ratio to standstill or shrinkage has no meaning: report the difference instead.
    """
    old, new = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    return np.divide(new, old, out=np.full(np.broadcast(old, new).shape, np.nan), where=old > 0)


def why_undefined(
    first_mm: ArrayLike, last_mm: ArrayLike, days: ArrayLike, *, zero_matters: bool = True
) -> list[str | None]:
    """Return for each pair of scans why its rate is undefined, ``None`` where it is defined.

    Parameters
    ----------
    first_mm, last_mm, days
        As for the rates; NaN where a scan is missing.
    zero_matters
        A size of 0 makes the rate undefined (TGR, SGR, VDT; not TGK).
    """
    told: list[str | None] = []
    for first, last, time in zip(*(a.ravel() for a in _arrays(first_mm, last_mm, days)), strict=True):
        told.append(_why(float(first), float(last), float(time), zero_matters=zero_matters))
    return told


def _why(first: float, last: float, days: float, *, zero_matters: bool) -> str | None:
    if np.isnan(first) or np.isnan(last) or np.isnan(days):
        return "one of the two scans is missing"
    if days <= 0:
        return f"the scans are {days:g} days apart"
    if zero_matters and first == 0:
        return "the size at the first scan is 0"
    if zero_matters and last == 0:
        return "the size at the second scan is 0"
    return None


def _arrays(*values: ArrayLike) -> tuple[Floats, ...]:
    return tuple(np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in values)))
