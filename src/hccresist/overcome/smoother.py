"""Fit parameters of a simulator with chance to data with errors: an ensemble smoother that checks itself.

Parameter sets are drawn from the prior and run, each on chance of its own. Each parameter is regressed on the
numbers that the sets give, disturbed as the data are; the regression at the data is the mean of the posterior
(the best linear estimate), and what is left of each set, when the regression has not seen it, is its
covariance. So every set was a known truth that had to be found again, and an interval is as wide as these
errors are: a parameter of which the numbers tell nothing keeps its prior, whatever chance makes of few sets.
A simulator that is not linear is taken in parts: half of the data (errors times the root of two), new sets
drawn from what that gives and run, the other half.

How strongly a regression is drawn to nothing, and how much a parameter of one drug listens to arms without
this drug (localisation), is chosen for each parameter by the error of sets that were left out.

References
----------
Emerick AA, Reynolds AC. Ensemble smoother with multiple data assimilation. Comput Geosci 2013;55:3.
doi:10.1016/j.cageo.2012.03.011 Beaumont MA, Zhang W, Balding DJ. Approximate Bayesian computation in
population genetics. Genetics 2002;162:2025. doi:10.1093/genetics/162.4.2025 (regression of parameters on
simulated numbers) Schäfer J, Strimmer K. A shrinkage approach to large-scale covariance matrix estimation.
Stat Appl Genet Mol Biol 2005;4:32. doi:10.2202/1544-6115.1175
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

PENALTIES: Final = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Ridge penalties a set that are tried."""
AWAY: Final = (1.0, 0.3, 0.1, 0.0)
"""Weights that are tried of numbers that are not a parameter's own."""


@dataclass(frozen=True)
class Learnt:
    """What numbers tell of parameters.

    Attributes
    ----------
    mean, covariance
        Mean and covariance at the data; shapes = (parameters,), (parameters, parameters).
    errors
        Of each set as the truth: the parameter less what the regression that has not seen it gives; shape =
        (sets, parameters).
    """

    mean: Array
    covariance: Array
    errors: Array

    @property
    def deviations(self) -> Array:
        """Standard deviation with which each parameter is known; shape = (parameters,)."""
        return np.sqrt(np.diag(self.covariance))


def draw_prior(mean: Array, spread: Array, *, members: int, seed: int) -> Array:
    """Draw an ensemble from independent normal priors; its mean and spread are made exact."""
    rng = np.random.default_rng([seed, 0])
    z = rng.standard_normal((members, len(mean)))
    z = (z - z.mean(axis=0)) / z.std(axis=0, ddof=1)
    return mean + spread * z


def learn(
    members: Array, outputs: Array, data: Array, *, error: Array, chance: Array, own: Flags | None = None
) -> Learnt:
    """Learn of parameters from data.

    Parameters
    ----------
    members, outputs
        Sets and what they give; shapes = (sets, parameters), (sets, numbers). Sets whose outputs are no
        numbers are left out.
    data, error
        Data and their standard deviations; shape = (numbers,).
    chance
        Standard deviation of outputs of one set by chance; shape = (numbers,).
    own
        Whether a number is a parameter's own; shape = (parameters, numbers). All where not given.

    Raises
    ------
    ValueError
        Where fewer than three sets could be simulated.
    """
    good = np.isfinite(outputs).all(axis=1)
    if good.sum() < 3:
        message = "fewer than three members of the ensemble could be simulated"
        raise ValueError(message)
    middle, spread = members[good].mean(axis=0), members[good].std(axis=0, ddof=1)
    z = (members[good] - middle) / spread
    scale = np.sqrt(error**2 + chance**2)
    centre, noise = outputs[good].mean(axis=0), error / scale
    y = (outputs[good] - centre) / scale
    count = z.shape[1]
    slopes, errors = np.zeros((y.shape[1], count)), np.empty_like(z)
    solved: dict[bytes, tuple[Array, Array]] = {}
    for j in range(count):
        mine = np.ones(y.shape[1], dtype=bool) if own is None else own[j]
        slopes[:, j], errors[:, j] = _regress(z[:, j], y, noise, mine, solved)
    covariance = shrink(errors) + slopes.T @ (noise[:, None] ** 2 * slopes)
    found = slopes.T @ ((data - centre) / scale)
    return Learnt(
        mean=middle + spread * found,
        covariance=spread[:, None] * covariance * spread,
        errors=spread * errors,
    )


def _regress(
    z: Array, y: Array, noise: Array, mine: Flags, solved: dict[bytes, tuple[Array, Array]]
) -> tuple[Array, Array]:
    """Regress one parameter on the numbers; slopes, and errors of sets that were left out.

    Disturbed numbers add the noise of the data times the slopes to each error; that is taken in exactly.
    """
    size = len(z)
    left = z - z.mean()
    slope, best = np.zeros(y.shape[1]), left * size / (size - 1)
    least = float((best**2).mean())
    for away in AWAY if not mine.all() else AWAY[:1]:
        weight = np.where(mine, 1.0, away)
        if weight.tobytes() not in solved:
            solved[weight.tobytes()] = np.linalg.eigh((y * weight) @ (y * weight).T)
        values, vectors = solved[weight.tobytes()]
        turned = vectors.T @ left
        for penalty in PENALTIES:
            damp = 1.0 / (np.maximum(values, 0.0) + penalty * size)
            own = weight**2 * (y.T @ (vectors @ (damp * turned)))
            leverage = (vectors**2) @ (np.maximum(values, 0.0) * damp) + 1.0 / size
            error = (vectors @ (penalty * size * damp * turned)) / (1.0 - leverage)
            loss = float((error**2).mean() + (noise**2) @ (own**2))
            if loss < least:
                least, slope, best = loss, own, error
    return slope, best


def shrink(errors: Array) -> Array:
    """Covariance of errors about zero, correlations drawn to zero by what their own chance asks for."""
    size = len(errors)
    spread = np.sqrt((errors**2).mean(axis=0))
    scaled = errors / spread
    found = scaled.T @ scaled / size
    chance = ((scaled**2).T @ (scaled**2) / size - found**2) / (size - 1)
    off = ~np.eye(len(spread), dtype=bool)
    total = float((found[off] ** 2).sum())
    part = min(float(chance[off].sum()) / total, 1.0) if total > 0 else 1.0
    return spread[:, None] * np.where(off, (1.0 - part) * found, 1.0) * spread


def draw(learnt: Learnt, *, members: int, number: int, seed: int) -> Array:
    """Draw the sets of round `number` from what was learnt.

    Their mean, and with enough sets their covariance, are made exact.
    """
    count = len(learnt.mean)
    z = np.random.default_rng([seed, 77, number]).standard_normal((members, count))
    z -= z.mean(axis=0)
    if members > count + 1:
        z = z @ np.linalg.inv(np.linalg.cholesky(np.cov(z, rowvar=False).reshape(count, count))).T
    return learnt.mean + z @ np.linalg.cholesky(learnt.covariance).T


def contraction(prior_spread: Array, members: Array) -> Array:
    """Find how much the data told of each parameter: one less the ratio of posterior to prior variance."""
    return 1.0 - members.var(axis=0, ddof=1) / prior_spread**2
