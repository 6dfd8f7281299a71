"""Philox 4x64 with ten rounds, compiled: 256 random bits of a key and a counter.

This module imports Numba; import it only where numbers are drawn.

References
----------
Salmon JK, Moraes MA, Dror RO, Shaw DE. Parallel random numbers: as easy as 1, 2, 3. SC11, 2011.
doi:10.1145/2063384.2063405
"""

# pyright: basic
from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

_MULTIPLIERS: Final = (np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157))
_WEYL: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B))
_LOW: Final = np.uint64(0xFFFFFFFF)
_HALF: Final = np.uint64(32)
_ZERO: Final = np.uint64(0)
_SPARE: Final = np.uint64(11)
_ROUNDS: Final = 10
_TO_UNIT: Final = 2.0**-53


@njit(cache=True)
def _high(a, b):
    """Upper half of a 128-bit product."""
    a0, a1 = a & _LOW, a >> _HALF
    b0, b1 = b & _LOW, b >> _HALF
    middle = a1 * b0 + ((a0 * b0) >> _HALF)
    cross = a0 * b1 + (middle & _LOW)
    return a1 * b1 + (middle >> _HALF) + (cross >> _HALF)


@njit(cache=True)
def philox(key, c0, c1, c2, c3):
    """Four random words of a counter of four, under a key (its second word is zero); all unsigned 64-bit."""
    k0, k1 = key, _ZERO
    for _ in range(_ROUNDS):
        high0, low0 = _high(c0, _MULTIPLIERS[0]), c0 * _MULTIPLIERS[0]
        high1, low1 = _high(c2, _MULTIPLIERS[1]), c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = k0 + _WEYL[0], k1 + _WEYL[1]
    return c0, c1, c2, c3


@njit(cache=True, nogil=True)
def fill_uniform(key, patients, purpose, which, drawn):
    """Write numbers between 0 and 1, never 0 nor 1: of patients (rows) and their indices (columns).

    `which` has a row for each patient, or one for all.
    """
    for i in range(drawn.shape[0]):
        for j in range(drawn.shape[1]):
            word = philox(key, which[i % which.shape[0], j], purpose, patients[i], _ZERO)[0]
            drawn[i, j] = (float(word >> _SPARE) + 0.5) * _TO_UNIT
