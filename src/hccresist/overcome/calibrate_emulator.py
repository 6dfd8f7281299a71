"""A linear emulator of all runs of a calibration.

What for: a regression of all runs averages the chance of their patients out, so that how predictions differ
by parameters alone can be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RIDGES: Final = (0.3, 1.0, 3.0, 10.0, 30.0)
"""Penalties on slopes that are tried; the one with the least error of leaving one run out is taken."""


@dataclass(frozen=True)
class Emulator:
    """Outputs as a linear function of parameters.

    Attributes
    ----------
    centre, spread
        Mean and standard deviation of the prior of parameters.
    base, slope
        Outputs at the prior's mean, and change with each parameter (per standard deviation of its prior).
    """

    centre: Array
    spread: Array
    base: Array
    slope: Array

    def give(self, members: Array) -> Array:
        """Give outputs of parameter sets; shape = (members, targets)."""
        return self.base + (members - self.centre) / self.spread @ self.slope


def fit_emulator(members: Array, outputs: Array, *, centre: Array, spread: Array, near: Array) -> Emulator:
    """Fit an emulator to all runs by ridge regression; runs near an ensemble weigh most.

    Parameters
    ----------
    members, outputs
        Parameters and outputs of all runs; shapes = (runs, parameters), (runs, targets).
    centre, spread
        Prior of the parameters.
    near
        The ensemble that it is for; shape = (members, parameters).
    """
    scaled = (members - centre) / spread
    about = (near.mean(axis=0) - centre) / spread
    weight = 1.0 / np.sqrt(1.0 + ((scaled - about) ** 2).mean(axis=1))
    design = np.concatenate([np.ones((len(scaled), 1)), scaled], axis=1)
    x, y = design * weight[:, None], outputs * weight[:, None]
    least, best = np.inf, np.zeros((x.shape[1], y.shape[1]))
    for ridge in RIDGES:
        penalty = ridge * np.eye(x.shape[1])
        penalty[0, 0] = 1e-9
        inverse = np.linalg.inv(x.T @ x + penalty)
        leverage = np.einsum("ij,jk,ik->i", x, inverse, x)
        found = inverse @ x.T @ y
        left = (y - x @ found) / np.maximum(1.0 - leverage, 1e-3)[:, None]
        loss = float((left**2).sum())
        if loss < least:
            least, best = loss, found
    return Emulator(centre, spread, best[0], best[1:])
