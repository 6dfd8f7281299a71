"""How readings differ from the model: error of reading, what readings share, and a drift of the model.

The logarithm of a reading is the model's plus a normal error. Its covariance on days s and t is

    noise² [s = t] + offset² + drift² min(s, t) / 84,

so that the model's error starts at zero with the baseline and walks away from it: many readings do not make
a wrong model sure, and the present error is carried on into what comes (Kennedy and O'Hagan 2001,
doi:10.1111/1467-9868.00294). The sizes stand in `data/overcome/twin.csv`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hccresist.overcome.twin_signs import read_setting

Array = NDArray[np.float64]

PACE_DAYS: Final = 84.0
"""Days of the drift in `twin.csv`."""


@dataclass(frozen=True)
class Error:
    """Sizes of the error of one quantity: standard deviations."""

    noise: float
    offset: float
    drift: float

    @property
    def pace(self) -> float:
        """Variance of the drift gained in a day."""
        return self.drift**2 / PACE_DAYS

    def covariance(self, days: Array) -> Array:
        """Covariance of readings on days.

        Examples
        --------
        >>> Error(noise=1.0, offset=0.0, drift=2.0).covariance(np.array([84.0, 168.0])).tolist()
        [[5.0, 4.0], [4.0, 9.0]]
        """
        since = np.maximum(days, 0.0)
        walk = self.pace * np.minimum(since[:, None], since)
        return walk + self.offset**2 + self.noise**2 * np.eye(len(days))

    def weigh(self, days: Array, residuals: Array) -> Array:
        """Logarithm of the density of residuals, without its constant; shape of residuals = (n, days)."""
        scaled = np.linalg.solve(np.linalg.cholesky(self.covariance(days)), residuals.T)
        return -0.5 * np.square(scaled).sum(axis=0)

    def carry_on(self, days: Array, residuals: Array) -> tuple[Array, float]:
        """Find the drift at the last of `days` or later: its mean for each row and its variance at that day.

        Examples
        --------
        >>> mean, variance = Error(noise=1.0, offset=0.0, drift=1.0).carry_on(
        ...     np.array([84.0]), np.array([[1.0]]))
        >>> mean.tolist(), variance
        ([0.5], 0.5)
        """
        if not days.size:
            return np.zeros(len(residuals)), 0.0
        since = np.maximum(days, 0.0)
        shared = self.pace * since
        gain = np.linalg.solve(self.covariance(days), shared)
        return residuals @ gain, max(float(self.pace * since[-1] - shared @ gain), 0.0)


def find_error(quantity: str, *, sizes: tuple[float, ...] = ()) -> Error:
    """Find the error of a quantity; the noise of a sum falls with the lesions that it is of.

    Parameters
    ----------
    sizes
        Diameters of the targets at baseline, for a whole sum.
    """
    own = np.array(sizes)
    share = float(np.sqrt(np.square(own).sum()) / own.sum()) if own.size and quantity == "whole" else 1.0
    noise, offset, drift = (read_setting(f"{quantity}_{part}") for part in ("noise", "offset", "drift"))
    return Error(noise * share, offset, drift)
