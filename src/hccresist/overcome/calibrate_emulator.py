"""A linear emulator of all runs of a calibration, and the posterior that follows from it.

Why beside ensemble Kalman inversion: with few patients an arm, an inversion on common patients also fits
the chance of these patients, which all its members share. A regression of all runs, those on common patients
with a level of their own, averages chance out; near the ensemble that the inversion has found, trials are
nearly linear in the (log) parameters. The posterior of a linear Gaussian model is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    rest
        Standard deviation of what is left of a run, mostly the chance of its patients; shape = (targets,).
    doubt
        Standard deviation of the emulator itself at the ensemble it is for; shape = (targets,).
    """

    centre: Array
    spread: Array
    base: Array
    slope: Array
    rest: Array
    doubt: Array

    def give(self, members: Array) -> Array:
        """Give outputs of parameter sets; shape = (members, targets)."""
        return self.base + (members - self.centre) / self.spread @ self.slope


def fit_emulator(
    members: Array, outputs: Array, *, centre: Array, spread: Array, near: Array, common: Array
) -> Emulator:
    """Fit an emulator to all runs by ridge regression; runs near an ensemble weigh most.

    Parameters
    ----------
    members, outputs
        Parameters and outputs of all runs; shapes = (runs, parameters), (runs, targets).
    centre, spread
        Prior of the parameters.
    near
        The ensemble that it is for; shape = (members, parameters).
    common
        Whether a run was on the common patients (1) or on patients of its own (0); shape = (runs,).
    """
    scaled = (members - centre) / spread
    about = (near.mean(axis=0) - centre) / spread
    weight = 1.0 / np.sqrt(1.0 + ((scaled - about) ** 2).mean(axis=1))
    level = common[:, None] if 0.0 < common.mean() < 1.0 else np.zeros((len(scaled), 0))
    design = np.concatenate([np.ones((len(scaled), 1)), level, scaled], axis=1)
    free = 1 + level.shape[1]
    x, y = design * weight[:, None], outputs * weight[:, None]
    here = np.concatenate([np.ones(1), np.zeros(level.shape[1]), about])
    best: tuple[float, Array, Array, float] | None = None
    for ridge in RIDGES:
        penalty = ridge * np.eye(x.shape[1])
        penalty[:free, :free] = 1e-9 * np.eye(free)
        inverse = np.linalg.inv(x.T @ x + penalty)
        leverage = np.einsum("ij,jk,ik->i", x, inverse, x)
        found = inverse @ x.T @ y
        left = (y - x @ found) / np.maximum(1.0 - leverage, 1e-3)[:, None]
        rest = np.sqrt((left**2).sum(axis=0) / (weight**2).sum())
        doubt = float(np.sqrt(here @ inverse @ (x.T @ x) @ inverse @ here))
        if best is None or float((rest**2).sum()) < best[0]:
            best = (float((rest**2).sum()), found, rest, doubt)
    assert best is not None
    _, found, rest, doubt = best
    return Emulator(centre, spread, found[0], found[free:], rest, rest * doubt)


def find_posterior(
    emulator: Emulator,
    data: Array,
    error: Array,
    *,
    used: Sequence[int] | None = None,
    members: int,
    seed: int = 0,
) -> Array:
    """Draw from the posterior of a linear Gaussian model; mean and spread of the draws are made exact.

    Parameters
    ----------
    data, error
        Published numbers and the standard deviation of what is left of them; shape = (targets,).
    used
        Places of the numbers that are used; all where not given.
    members
        Draws.

    Returns
    -------
    ndarray
        Parameters on the scale of the fit; shape = (members, parameters).
    """
    places = list(range(len(data))) if used is None else list(used)
    precision = 1.0 / (error[places] ** 2 + emulator.doubt[places] ** 2)
    slope = emulator.slope[:, places]
    inverse = np.linalg.inv(np.eye(len(emulator.centre)) + (slope * precision) @ slope.T)
    inverse = (inverse + inverse.T) / 2.0
    mean = inverse @ (slope * precision) @ (data[places] - emulator.base[places])
    z = np.random.default_rng([seed, 77]).standard_normal((members, len(mean)))
    z -= z.mean(axis=0)
    if members > len(mean) + 1:
        z = z @ np.linalg.inv(np.linalg.cholesky(np.cov(z, rowvar=False))).T
    return emulator.centre + emulator.spread * (mean + z @ np.linalg.cholesky(inverse).T)
