"""Ensemble Kalman inversion: fit parameters of a simulator to data with their errors, without derivatives.

The prior is tempered into the posterior in steps whose size follows the misfit (data misfit controller), so
that no step is tuned by hand. Parameters are taken as normal in the space given (logarithms, logits); what
the data do not tell about a parameter stays at its prior spread, which `contraction` shows.

References
----------
Iglesias MA, Law KJH, Stuart AM. Ensemble Kalman methods for inverse problems. Inverse Problems
2013;29:045001. doi:10.1088/0266-5611/29/4/045001 Iglesias M, Yang Y. Adaptive regularisation for ensemble
Kalman inversion. Inverse Problems 2021;37:025008. doi:10.1088/1361-6420/abd29b
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """Where an inversion stands.

    Attributes
    ----------
    members
        Parameters; shape = (n_members, n_parameters).
    time
        How much of the data has been taken in: 0 is the prior, 1 the posterior.
    number
        Steps made.
    """

    members: Array
    time: float
    number: int


def draw_prior(mean: Array, spread: Array, *, members: int, seed: int) -> Step:
    """Draw an ensemble from independent normal priors; its mean and spread are made exact."""
    rng = np.random.default_rng([seed, 0])
    z = rng.standard_normal((members, len(mean)))
    z = (z - z.mean(axis=0)) / z.std(axis=0, ddof=1)
    return Step(mean + spread * z, 0.0, 0)


def find_step(outputs: Array, data: Array, error: Array, *, time: float, least: float = 0.0) -> float:
    """Find how much of the data to take in next (data misfit controller); at most what is left of one.

    Parameters
    ----------
    outputs
        What the members give; shape = (n_members, n_data).
    data, error
        Data and their standard deviations; shape = (n_data,).
    least
        Share of the data that is taken in at least.
    """
    misfit = 0.5 * (((outputs - data) / error) ** 2).sum(axis=1)
    count = len(data)
    mean, variance = float(misfit.mean()), float(misfit.var())
    wanted = max(count / (2 * mean), np.sqrt(count / (2 * variance))) if mean > 0 and variance > 0 else 1.0
    part, left = max(wanted, least), 1.0 - time
    return float(left if left - part < least / 2.0 else part)


def update(step: Step, outputs: Array, *, data: Array, error: Array, least: float = 0.0, seed: int) -> Step:
    """Take in part of the data.

    Members whose outputs are no numbers are set anew from the others' mean and covariance after the update.

    Parameters
    ----------
    step
        Where the inversion stands.
    outputs
        What its members give; shape = (n_members, n_data).
    data, error
        Data and their standard deviations; shape = (n_data,).
    least
        Share of the data that is taken in at least, so that steps do not become too many.
    seed
        Seed of the perturbed data.
    """
    rng = np.random.default_rng([seed, step.number + 1])
    good = np.isfinite(outputs).all(axis=1)
    members, given = step.members[good], outputs[good]
    if len(members) < 3:
        message = "fewer than three members of the ensemble could be simulated"
        raise ValueError(message)
    part = find_step(given, data, error, time=step.time, least=least)
    away, spread = members - members.mean(axis=0), given - given.mean(axis=0)
    between = away.T @ spread / (len(members) - 1)
    within = spread.T @ spread / (len(members) - 1)
    noise = np.diag(error**2) / part
    perturbed = data + rng.standard_normal(given.shape) * error / np.sqrt(part)
    gain = np.linalg.solve(within + noise, between.T).T
    moved = members + (perturbed - given) @ gain.T
    found = np.empty_like(step.members)
    found[good] = moved
    if not good.all():
        covariance = np.cov(moved, rowvar=False).reshape(moved.shape[1], moved.shape[1])
        found[~good] = rng.multivariate_normal(moved.mean(axis=0), covariance, size=int((~good).sum()))
    return Step(found, min(step.time + part, 1.0), step.number + 1)


def contraction(prior_spread: Array, members: Array) -> Array:
    """Find how much the data told of each parameter: one less the ratio of posterior to prior variance."""
    return 1.0 - members.var(axis=0, ddof=1) / prior_spread**2
