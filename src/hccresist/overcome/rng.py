"""Random numbers by counter: the same for a patient and purpose whatever runs beside it, in whatever order.

Philox 4x64 with ten rounds turns (key, counter) into 256 random bits. The key is the seed; the counter holds
patient, purpose and index, so that any number can be had without those before it.

References
----------
Salmon JK, Moraes MA, Dror RO, Shaw DE. Parallel random numbers: as easy as 1, 2, 3. SC11, 2011.
doi:10.1145/2063384.2063405
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Purpose(IntEnum):
    """What a random number is for; never renumbered, or old seeds give other patients."""

    PARAMETER = 1
    LESION_PARAMETER = 2
    KINETICS = 3
    BASELINE = 4
    DEATH = 5
    DROPOUT = 6
    NEW_LESION = 7
    MISSED_DOSE = 8
    MEASUREMENT = 9
    VISIT = 10
    ARM = 11
    TREATMENT = 12
    REPLICATE = 13


TWIN: Final = 2**40
"""Patients whose numbers differ by a multiple of this are twins: all that is random is equal in them.

Trials of many sets of parameters are run on twins, so that sets differ by their parameters alone.
"""


def draw_uniform(
    patients: NDArray[np.integer], purpose: Purpose, which: int | NDArray[np.integer], *, seed: int
) -> Array:
    """Draw numbers between 0 and 1, never 0 nor 1.

    Parameters
    ----------
    patients
        Numbers of the patients; shape = (n_patients,).
    purpose
        What the numbers are for.
    which
        Indices of the numbers, shape = (count,), or of each patient, shape = (n_patients, count); or a
        count: the first so many.
    seed
        Seed of the run (0 to 2^64 - 1).

    Returns
    -------
    ndarray
        shape = (n_patients, count); a number depends on seed, patient, purpose and its index alone.

    Examples
    --------
    >>> few = draw_uniform(np.array([7]), Purpose.DEATH, 1, seed=1)
    >>> many = draw_uniform(np.array([5, 7]), Purpose.DEATH, 9, seed=1)
    >>> bool(few[0, 0] == many[1, 0])
    True
    """
    from hccresist.overcome.model.philox import fill_uniform  # noqa: PLC0415  (loads Numba)

    who = np.asarray(patients, dtype=np.uint64) % np.uint64(TWIN)
    wanted = np.arange(which) if isinstance(which, int) else which
    index = np.atleast_2d(np.asarray(wanted, dtype=np.uint64))
    drawn = np.empty((who.size, index.shape[1]))
    fill_uniform(np.uint64(seed), who, np.uint64(int(purpose)), index, drawn)
    return drawn


def draw_normal(
    patients: NDArray[np.integer], purpose: Purpose, which: int | NDArray[np.integer], *, seed: int
) -> Array:
    """Draw standard normal deviates; arguments and shape as `draw_uniform`."""
    from scipy.special import ndtri  # noqa: PLC0415

    return ndtri(draw_uniform(patients, purpose, which, seed=seed))


def draw_exponential(
    patients: NDArray[np.integer], purpose: Purpose, which: int | NDArray[np.integer], *, seed: int
) -> Array:
    """Draw standard exponential deviates: thresholds of cumulative hazards; as `draw_uniform`."""
    return -np.log(draw_uniform(patients, purpose, which, seed=seed))


def index_of(name: str) -> int:
    """Index of a named number (CRC-32 of the name), so that adding names moves no other.

    Examples
    --------
    >>> index_of("growth_rate") == index_of("growth_rate")
    True
    """
    return crc32(name.encode())
