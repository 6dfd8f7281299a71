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
Words = NDArray[np.uint64]

_MULTIPLIERS: Final = (np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157))
_WEYL: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B))
_LOW: Final = np.uint64(0xFFFFFFFF)
_HALF: Final = np.uint64(32)
_ROUNDS: Final = 10
_TO_UNIT: Final = 2.0**-53


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


def _high(a: Words, b: np.uint64) -> Words:
    """Upper half of the 128-bit products."""
    a0, a1 = a & _LOW, a >> _HALF
    b0, b1 = b & _LOW, b >> _HALF
    middle = a1 * b0 + ((a0 * b0) >> _HALF)
    cross = a0 * b1 + (middle & _LOW)
    return a1 * b1 + (middle >> _HALF) + (cross >> _HALF)


def philox(key: int, counter: tuple[Words, Words, Words, Words]) -> tuple[Words, Words, Words, Words]:
    """Random words of counters under a key.

    Parameters
    ----------
    key
        First word of the key (the second is zero).
    counter
        Four arrays of the same shape.

    Returns
    -------
    tuple
        Four arrays of random 64-bit words.
    """
    c0, c1, c2, c3 = (np.asarray(word, dtype=np.uint64) for word in counter)
    with np.errstate(over="ignore"):
        k0, k1 = np.uint64(key), np.uint64(0)
        for _ in range(_ROUNDS):
            low0, low1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
            high0, high1 = _high(c0, _MULTIPLIERS[0]), _high(c2, _MULTIPLIERS[1])
            c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
            k0, k1 = k0 + _WEYL[0], k1 + _WEYL[1]
    return c0, c1, c2, c3


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
        Indices of the numbers of each patient, shape = (count,); or a count: the first so many.
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
    who = np.asarray(patients, dtype=np.uint64)[:, None] % np.uint64(TWIN)
    wanted = np.arange(which) if isinstance(which, int) else which
    index = np.asarray(wanted, dtype=np.uint64)[None, :]
    zeros = np.zeros(np.broadcast_shapes(who.shape, index.shape), dtype=np.uint64)
    counter = (zeros + index, zeros + np.uint64(int(purpose)), zeros + who, zeros)
    word = philox(seed, counter)[0]
    return ((word >> np.uint64(11)).astype(np.float64) + 0.5) * _TO_UNIT


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
