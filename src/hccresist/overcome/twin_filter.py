"""Tempered sequential Monte Carlo: from a standard normal prior to what fits the data, patient by patient.

The likelihood is raised from power zero to one in steps; each step halves the effective number, draws anew,
and moves what was drawn so that copies part (Metropolis steps that leave the prior alone; the step's size
follows the share accepted). Sound for any number of particles in the sense of SMC samplers (Del Moral 2006,
doi:10.1111/j.1467-9868.2006.00553.x); with few the error is larger, and the effective number says how large.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]
Kept = dict[str, NDArray[Any]]
Weigh = Callable[[Array, Numbers, Numbers], tuple[Array, Kept]]
"""Latent numbers, number and patient of each row to the log likelihood and what is kept of each."""
Chance = Callable[[Array, Numbers], Array]
"""Latent numbers and number of each row to the logarithm of the chance that it is found; at most 0."""

STAGES: Final = 8
"""Steps at most from the prior to the posterior."""
HALF: Final = 0.5
"""Share of the particles to which a step lowers the effective number."""
LAST_MOVES: Final = 2
"""Moves after the last step; one after each other."""
_WANTED: Final = 0.25
_STEP: Final = 0.5
_STEPS: Final = (0.05, 1.0)
_BISECTIONS: Final = 40


@dataclass(frozen=True)
class Cloud:
    """Particles of patients.

    Attributes
    ----------
    z, number, loglik
        Latent numbers, number and logarithm of the likelihood of each; shape = (patients, particles, ...).
    weights
        They sum to one for each patient.
    lineage
        Equal where two particles of a patient are copies.
    kept
        What was kept of each.
    """

    z: Array
    number: Numbers
    loglik: Array
    weights: Array
    lineage: Numbers
    kept: Kept

    @property
    def effective(self) -> Array:
        """Effective number of each patient: copies count as one."""
        return np.array([count_effective(w, own) for w, own in zip(self.weights, self.lineage, strict=True)])


@dataclass(frozen=True)
class Found:
    """Prior and posterior particles of patients.

    Attributes
    ----------
    power
        Power of the likelihood that was reached by steps; the rest is in the weights.
    direct
        Effective number had the prior only been weighted.
    """

    prior: Cloud
    posterior: Cloud
    power: Array
    direct: Array


def make_weights(loglik: Array) -> Array:
    """Make weights that sum to one; where no particle is possible all weigh the same.

    Examples
    --------
    >>> make_weights(np.log(np.array([1.0, 3.0])))
    array([0.25, 0.75])
    """
    top = loglik.max(axis=-1, keepdims=True)
    raw = np.where(np.isfinite(top), np.exp(loglik - np.where(np.isfinite(top), top, 0.0)), 1.0)
    return raw / raw.sum(axis=-1, keepdims=True)


def count_effective(weights: Array, lineage: Numbers | None = None) -> float:
    """Count the effective number: one over the sum of squares of weights, copies taken together.

    Examples
    --------
    >>> count_effective(np.array([0.5, 0.5])), count_effective(np.array([1.0, 0.0]))
    (2.0, 1.0)
    >>> count_effective(np.array([0.5, 0.5]), np.array([3, 3]))
    1.0
    """
    if lineage is not None:
        _, inverse = np.unique(lineage, return_inverse=True)
        return float(1.0 / np.square(np.bincount(inverse, weights)).sum())
    return float(1.0 / np.square(weights).sum())


def find_power(loglik: Array, power: float, *, wanted: float) -> float:
    """Find the next power: the largest up to one at which the effective number is still `wanted`."""

    def effective(new: float) -> float:
        return count_effective(make_weights(np.where(np.isfinite(loglik), (new - power) * loglik, -np.inf)))

    if effective(1.0) >= wanted:
        return 1.0
    low, high = power, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if effective(middle) >= wanted else (low, middle)
    return high


def draw_again(weights: Array, count: int, start: float) -> Numbers:
    """Draw indices by weight, evenly spaced from a random start between 0 and 1 (systematic resampling)."""
    edges = np.cumsum(weights)
    return np.minimum(
        np.searchsorted(edges / edges[-1], (np.arange(count) + start) / count, side="right"), len(weights) - 1
    ).astype(np.int64)


def make_generator(name: str, *, seed: int) -> np.random.Generator:
    """Make the random numbers of a patient: they hang on the seed and the name alone."""
    digest = sha256(name.encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest, dtype=np.uint32).tolist()])


def sample(
    names: Sequence[str],
    weigh: Weigh,
    *,
    size: int,
    particles: int,
    chance: Chance | None = None,
    tell: Callable[[], None] | None = None,
    seed: int,
) -> Found:
    """Find what fits the data of each patient.

    Parameters
    ----------
    names
        Patients; random numbers hang on the name.
    weigh
        Gives the likelihood.
    size
        Latent numbers of a particle.
    particles
        Particles of each patient.
    chance
        The prior is the standard normal times this; none: it is the standard normal.
    tell
        Called after each step of all patients.
    """
    rngs = [make_generator(name, seed=seed) for name in names]
    drawn = [draw_prior(rng, chance, shape=(particles, size)) for rng in rngs]
    work = _Work(weigh, chance, rngs, np.stack([z for z, _ in drawn]), np.stack([n for _, n in drawn]))
    prior = work.cloud()
    direct = np.array([count_effective(make_weights(row)) for row in work.loglik])
    for _ in range(STAGES):
        if not work.step():
            break
        if tell:
            tell()
    return Found(prior, work.cloud(), work.power, direct)


def draw_prior(
    rng: np.random.Generator, chance: Chance | None, *, shape: tuple[int, int]
) -> tuple[Array, Numbers]:
    """Draw latent numbers, shape = (particles, numbers), and the number of each particle from the prior."""
    parts, numbers, left = list[Array](), list[Numbers](), shape[0]
    while left > 0:
        z, number = rng.standard_normal(shape), rng.integers(2**40, size=shape[0])
        kept = np.ones(shape[0], dtype=bool)
        if chance is not None:
            kept = np.log(rng.random(shape[0])) < chance(z, number)
        parts.append(z[kept][:left])
        numbers.append(number[kept][:left])
        left -= len(parts[-1])
    return np.concatenate(parts), np.concatenate(numbers)


class _Work:
    """Particles while they are moved."""

    def __init__(
        self,
        weigh: Weigh,
        chance: Chance | None,
        rngs: Sequence[np.random.Generator],
        z: Array,
        number: Numbers,
    ) -> None:
        self.weigh, self.chance, self.rngs = weigh, chance, rngs
        self.z, self.number = z, number
        cases, self.count = number.shape
        self.loglik, self.kept = self._weigh(np.arange(cases), z, number)
        self.lineage = np.tile(np.arange(self.count), (cases, 1))
        self.power, self.scale = np.zeros(cases), np.full(cases, _STEP)

    def _find_chance(self, z: Array, number: Numbers) -> Array:
        """Logarithm of the chance of particles."""
        if self.chance is None:
            return np.zeros(number.shape)
        return self.chance(z.reshape(-1, z.shape[-1]), number.reshape(-1)).reshape(number.shape)

    def _weigh(self, cases: Numbers, z: Array, number: Numbers) -> tuple[Array, Kept]:
        """Weigh the particles of some patients."""
        shape = (len(cases), self.count)
        flat = z.reshape(-1, z.shape[-1])
        loglik, kept = self.weigh(flat, number.reshape(-1), np.repeat(cases, self.count))
        return loglik.reshape(shape), {n: v.reshape(*shape, *v.shape[1:]) for n, v in kept.items()}

    def cloud(self) -> Cloud:
        """Copy the particles, with what is left of the likelihood as weights."""
        rest = (1.0 - self.power)[:, None]
        left = np.where(np.isfinite(self.loglik), rest * self.loglik, -np.inf)
        left = left if np.any(self.power) else np.zeros_like(left)
        return Cloud(
            self.z.copy(),
            self.number.copy(),
            self.loglik.copy(),
            make_weights(left),
            self.lineage.copy(),
            {name: value.copy() for name, value in self.kept.items()},
        )

    def step(self) -> bool:
        """Take the next step of every patient that is not there; whether there was one."""
        left = np.flatnonzero(self.power < 1.0)
        for c in left:
            self._draw_again(int(c))
        if left.size:
            self._move(left)
        for _ in range(LAST_MOVES - 1):
            last = left[self.power[left] >= 1.0]
            if last.size:
                self._move(last)
        return bool(left.size)

    def _draw_again(self, c: int) -> None:
        """Raise the power of a patient and draw the particles anew."""
        power = find_power(self.loglik[c], float(self.power[c]), wanted=HALF * self.count)
        gained = np.where(np.isfinite(self.loglik[c]), (power - self.power[c]) * self.loglik[c], -np.inf)
        chosen = draw_again(make_weights(gained), self.count, float(self.rngs[c].random()))
        self.power[c] = power
        for values in (self.z, self.number, self.loglik, self.lineage, *self.kept.values()):
            values[c] = values[c][chosen]

    def _move(self, cases: Numbers) -> None:
        """Propose a step to every particle of some patients and take or leave it."""
        z, number = self.z[cases].copy(), self.number[cases].copy()
        drawn = np.empty(number.shape)
        for row, c in enumerate(cases):
            rng, b = self.rngs[c], self.scale[c]
            z[row] = np.sqrt(1.0 - b**2) * z[row] + b * rng.standard_normal(z[row].shape)
            fresh = rng.integers(2**40, size=self.count)
            number[row] = np.where(rng.random(self.count) < b, fresh, number[row])
            drawn[row] = rng.random(self.count)
        loglik, kept = self._weigh(cases, z, number)
        with np.errstate(invalid="ignore"):
            gain = self.power[cases][:, None] * (loglik - self.loglik[cases])
        gain += self._find_chance(z, number) - self._find_chance(self.z[cases], self.number[cases])
        taken = np.isfinite(loglik) & (~np.isfinite(self.loglik[cases]) | (np.log(drawn) < gain))
        self._take(cases, taken, {"z": z, "number": number, "loglik": loglik}, kept)
        share = taken.mean(axis=1)
        self.scale[cases] = np.clip(self.scale[cases] * np.exp(share - _WANTED), *_STEPS)

    def _take(
        self, cases: Numbers, taken: NDArray[np.bool_], own: Mapping[str, NDArray[Any]], kept: Kept
    ) -> None:
        """Put accepted proposals in place."""
        rows, columns = np.nonzero(taken)
        where = (cases[rows], columns)
        for name, values in own.items():
            getattr(self, name)[where] = values[rows, columns]
        for name, values in kept.items():
            self.kept[name][where] = values[rows, columns]
        self.lineage[where] = self.lineage.max() + 1 + np.arange(rows.size)
