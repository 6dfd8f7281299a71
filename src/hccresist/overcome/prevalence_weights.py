"""One weighting of virtual patients for all trials: who of the population is found at a trial's clinic.

Virtual patients differ by their parameters more, or otherwise, than the patients of trials do. A prevalence
weighting gives each virtual patient a chance to be enrolled that depends on the patient alone, the same for
all trials, drugs and lines. It is ``exp(level + sum of log odds × deviate)``, at most one; deviates are those
of the patient's own log-normal parameters in standard deviations. Its mean is `MEAN`: as no chance is above
one, the effective share of the population, (sum of chances)² / (n × sum of their squares), is never below.

Weights of virtual patients: Schmidt BJ et al. Alternate virtual populations elucidate the type I interferon
signature predictive of the response to rituximab in rheumatoid arthritis. BMC Bioinformatics 2013;14:221.
doi:10.1186/1471-2105-14-221
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hccresist.errors import ConfigError
from hccresist.overcome.dosing import ENROLLED
from hccresist.overcome.model.parameters import Parameter, read_model
from hccresist.overcome.population import Population
from hccresist.overcome.rng import Purpose, draw_uniform, index_of

Array = NDArray[np.float64]

LEVEL: Final = "level"
"""``enrolled.level`` are the odds at no deviation; ``enrolled.NAME`` change them, a standard deviation."""
MARKERS: Final = ("afp_rate", "dcp_rate")
"""Parameters of blood markers, on which nothing else of the model depends."""
MEAN: Final = 1.0 / 3.0
"""Mean chance of the population to be enrolled, and least effective share."""


@dataclass(frozen=True)
class Weighting:
    """A prevalence weighting.

    Attributes
    ----------
    names
        Parameters of the patient whose deviates count.
    log_odds
        Change of the log chance a standard deviation; shape = (names,).
    level
        Log chance at no deviation.
    """

    names: tuple[str, ...]
    log_odds: Array
    level: float

    def find_chances(self, deviates: Array) -> Array:
        """Chances to be enrolled; deviates of `names`, shape = (n, names)."""
        return np.exp(np.minimum(self.level + deviates @ self.log_odds, 0.0))

    def as_values(self) -> dict[str, float]:
        """Write it as values of a parameter set."""
        odds = zip(self.names, self.log_odds, strict=True)
        return {f"{ENROLLED}{name}": float(np.exp(one)) for name, one in odds} | {
            f"{ENROLLED}{LEVEL}": float(np.exp(self.level))
        }


@lru_cache(maxsize=1)
def find_features() -> tuple[Parameter, ...]:
    """Find the parameters whose deviates a weighting can use: log-normal ones of the patient, no markers."""
    own = [p for p in read_model().parameters if p.scope == "patient" and p.distribution == "lognormal"]
    return tuple(p for p in own if p.name not in MARKERS)


def find_deviates(people: Population, values: Mapping[str, float] | None = None) -> Array:
    """Deviates of patients in standard deviations; shape = (n, features).

    Parameters
    ----------
    values
        Typical values that the patients were drawn with, where they differ from the table.
    """
    names, given = read_model().names("patient"), values or {}
    columns = [names.index(one.name) for one in find_features()]
    typical = np.array([given.get(one.name, one.value) for one in find_features()])
    spread = np.array([one.spread for one in find_features()])
    return np.log(people.params[:, columns] / typical) / spread


def read_weighting(values: Mapping[str, float]) -> Weighting | None:
    """Read the weighting among the values of a parameter set; None where there is none.

    Raises
    ------
    ConfigError
        Where odds are of no parameter that differs between patients by a log-normal distribution, no number
        above zero, or have no level.
    """
    odds = {name.removeprefix(ENROLLED): value for name, value in values.items() if name.startswith(ENROLLED)}
    if not odds:
        return None
    known = {one.name for one in find_features()}
    wrong = sorted(set(odds) - known - {LEVEL})
    problems = [f"{ENROLLED}{name}: no log-normal parameter of the patient" for name in wrong]
    problems += [
        f"{ENROLLED}{name}: odds of {value:g} (a number above zero is wanted)"
        for name, value in odds.items()
        if not 0.0 < value < np.inf
    ]
    if LEVEL not in odds:
        problems.append(f"odds of enrolment without {ENROLLED}{LEVEL}")
    if problems:
        raise ConfigError("\n".join(problems))
    names = tuple(one.name for one in find_features())
    log_odds = np.log(np.array([odds.get(name, 1.0) for name in names]))
    return Weighting(names, log_odds, float(np.log(odds[LEVEL])))


def is_found(
    people: Population, weighting: Weighting | None, *, values: Mapping[str, float] | None = None, seed: int
) -> NDArray[np.bool_]:
    """Which patients are found at a trial's clinic; all where there is no weighting.

    Parameters
    ----------
    values
        Typical values that the patients were drawn with, where they differ from the table.
    """
    if weighting is None:
        return np.ones(len(people.numbers), dtype=bool)
    drawn = draw_uniform(people.numbers, Purpose.ARM, np.array([index_of("found")]), seed=seed)[:, 0]
    return drawn < weighting.find_chances(find_deviates(people, values))


def find_level(scores: Array, *, mean: float = MEAN) -> float:
    """Find the level at which the mean chance is as wanted.

    Parameters
    ----------
    scores
        Sums of log odds times deviates of a population; shape = (n,).
    """
    low, high = -float(scores.max()) - 5.0, -float(scores.min())
    for _ in range(60):
        middle = (low + high) / 2.0
        if np.exp(np.minimum(middle + scores, 0.0)).mean() < mean:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def effective_share(chances: Array) -> float:
    """Effective share of a population under chances to be enrolled: (sum)² / (n × sum of squares).

    Examples
    --------
    >>> effective_share(np.ones(5)), effective_share(np.array([1.0, 0.0, 0.0, 1.0]))
    (1.0, 0.5)
    """
    return float(chances.sum() ** 2 / (len(chances) * (chances**2).sum()))
