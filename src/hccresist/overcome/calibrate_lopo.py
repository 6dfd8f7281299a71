"""Weights of members that leave a programme's trials out, smoothed by Pareto (PSIS).

Members are weighted by one over the likelihood of the programme's numbers; Pareto k says whether the weights
are too uneven to be trusted.

References
----------
Vehtari A, Simpson D, Gelman A, Yao Y, Gabry J. Pareto smoothed importance sampling. J Mach Learn Res
2024;25:1. arXiv:1507.02646 Zhang J, Stephens MA. A new and efficient estimation method for the generalized
Pareto distribution. Technometrics 2009;51:316. doi:10.1198/tech.2009.08017
"""

from __future__ import annotations

from collections.abc import Sequence
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


def leave_out_weights(
    outputs: Array, data: Array, error: Array, *, left: Sequence[int]
) -> tuple[Array, float]:
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
