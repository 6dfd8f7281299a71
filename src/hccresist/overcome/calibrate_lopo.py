"""Out of sample: each programme predicted by an ensemble that has not seen its trials.

First by weights: members are weighted by one over the likelihood of the programme's numbers, smoothed by
Pareto (PSIS). Where the weights are too uneven to be trusted (Pareto k of 0.7 or more), by a refit: of a
linear emulator of all runs of the calibration (posterior of a linear Gaussian model, exact), or by a full
calibration without the programme (`calibrate(leave_out=...)`), where one was made.

References
----------
Vehtari A, Simpson D, Gelman A, Yao Y, Gabry J. Pareto smoothed importance sampling. J Mach Learn Res
2024;25:1. arXiv:1507.02646 Zhang J, Stephens MA. A new and efficient estimation method for the generalized
Pareto distribution. Technometrics 2009;51:316. doi:10.1198/tech.2009.08017
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST_K: Final = 0.7
"""Pareto k from which weights are not trusted."""
_PRIOR_DRAWS: Final = 30
_LEAST_TAIL: Final = 5


def smooth_weights(log_weights: Array) -> tuple[Array, float]:
    """Smooth importance weights by a generalised Pareto distribution of their tail.

    Parameters
    ----------
    log_weights
        Logarithms of raw weights; shape = (n,).

    Returns
    -------
    tuple
        Weights that sum to one; Pareto k, infinite where the tail is too short to tell.
    """
    raw = log_weights - log_weights.max()
    size = len(raw)
    tail = int(np.ceil(min(0.2 * size, 3.0 * np.sqrt(size))))
    order = np.argsort(raw, kind="stable")
    cut = raw[order[-tail - 1]]
    found, k = raw.copy(), np.inf
    if tail >= _LEAST_TAIL:
        above = np.exp(raw[order[-tail:]]) - np.exp(cut)
        if above[0] > 0:
            k, sigma = fit_pareto(above)
            share = (np.arange(tail) + 0.5) / tail
            quantiles = _quantile(share, k, sigma) + np.exp(cut)
            found[order[-tail:]] = np.minimum(np.log(quantiles), 0.0)
        elif above[-1] == 0:
            k = -np.inf  # all weights of the tail are equal
    weights = np.exp(found - found.max())
    return weights / weights.sum(), float(k)


def fit_pareto(values: Array) -> tuple[float, float]:
    """Fit a generalised Pareto distribution to ascending positive values: k and sigma.

    By the posterior mean of Zhang and Stephens 2009, with k drawn towards 0.5 by ten values as in PSIS.
    """
    size = len(values)
    draws = _PRIOR_DRAWS + int(np.sqrt(size))
    at = np.arange(1, draws + 1, dtype=np.float64)
    quarter = values[max(int(size / 4 + 0.5) - 1, 0)]
    theta = (1.0 - np.sqrt(draws / (at - 0.5))) / 3.0 / quarter + 1.0 / values[-1]
    shape = np.log1p(-theta[:, None] * values).mean(axis=1)
    likelihood = size * (np.log(-theta / shape) - shape - 1.0)
    weight = np.exp(likelihood - likelihood.max())
    weight /= weight.sum()
    best = float((theta * weight).sum())
    k = float(np.log1p(-best * values).mean())
    sigma = -k / best
    return (size * k + 10 * 0.5) / (size + 10), sigma


def _quantile(share: Array, k: float, sigma: float) -> Array:
    """Quantiles of the generalised Pareto distribution."""
    if abs(k) < 1e-9:
        return -sigma * np.log1p(-share)
    return sigma * np.expm1(-k * np.log1p(-share)) / k


def leave_out_weights(outputs: Array, data: Array, error: Array, left: Sequence[int]) -> tuple[Array, float]:
    """Weigh members as if some numbers had not been fitted.

    Parameters
    ----------
    outputs
        What the members give; shape = (members, targets).
    data, error
        Published numbers and the standard deviations with which they were fitted.
    left
        Places of the numbers that are left out.

    Returns
    -------
    tuple
        Weights that sum to one, and Pareto k.
    """
    places = list(left)
    misfit = (outputs[:, places] - data[places]) / error[places]
    return smooth_weights(0.5 * (misfit**2).sum(axis=1))


@dataclass(frozen=True)
class Emulator:
    """Outputs as a linear function of parameters, with what it leaves unexplained.

    Attributes
    ----------
    centre, spread
        Mean and standard deviation of the prior of parameters.
    base, slope
        Outputs at the prior's mean; change with each parameter (per standard deviation of its prior).
    rest
        Standard deviation of what is left, by leave-one-out of the fitting points.
    """

    centre: Array
    spread: Array
    base: Array
    slope: Array
    rest: Array


def fit_emulator(members: Array, outputs: Array, centre: Array, spread: Array, *, near: Array) -> Emulator:
    """Fit an emulator to all runs, by ridge regression; those near the present ensemble weigh most.

    Parameters
    ----------
    members, outputs
        Parameters and outputs of all runs; shapes = (runs, parameters), (runs, targets).
    centre, spread
        Prior of the parameters.
    near
        Present ensemble; shape = (members, parameters).
    """
    scaled = (members - centre) / spread
    about = (near.mean(axis=0) - centre) / spread
    away = ((scaled - about) ** 2).mean(axis=1)
    weight = np.sqrt(1.0 / (1.0 + away))
    design = np.concatenate([np.ones((len(scaled), 1)), scaled], axis=1) * weight[:, None]
    wanted = outputs * weight[:, None]
    best: tuple[float, Array, Array] | None = None
    for ridge in (0.3, 1.0, 3.0, 10.0, 30.0):
        penalty = ridge * np.eye(design.shape[1])
        penalty[0, 0] = 0.0
        inverse = np.linalg.inv(design.T @ design + penalty)
        leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
        coefficients = inverse @ design.T @ wanted
        left = (wanted - design @ coefficients) / (1.0 - leverage)[:, None] / weight[:, None]
        rest = np.sqrt((weight[:, None] ** 2 * left**2).sum(axis=0) / (weight**2).sum())
        if best is None or float((rest**2).sum()) < best[0]:
            best = (float((rest**2).sum()), coefficients, rest)
    assert best is not None
    _, coefficients, rest = best
    return Emulator(centre, spread, coefficients[0], coefficients[1:], rest)


def refit(
    emulator: Emulator, data: Array, error: Array, used: Sequence[int], *, members: int, seed: int = 0
) -> tuple[Array, Array]:
    """Find the posterior of a linear Gaussian model from some of the numbers.

    Returns
    -------
    tuple
        Draws of parameters and what the emulator gives for them; shapes = (members, parameters),
        (members, targets).
    """
    places = list(used)
    precision = 1.0 / (error[places] ** 2 + emulator.rest[places] ** 2)
    slope = emulator.slope[:, places]
    inverse = np.linalg.inv(np.eye(len(emulator.centre)) + (slope * precision) @ slope.T)
    mean = inverse @ (slope * precision) @ (data[places] - emulator.base[places])
    rng = np.random.default_rng([seed, 77])
    root = np.linalg.cholesky((inverse + inverse.T) / 2.0)
    scaled = mean + rng.standard_normal((members, len(mean))) @ root.T
    return emulator.centre + emulator.spread * scaled, emulator.base + scaled @ emulator.slope
