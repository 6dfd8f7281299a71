"""How alike the handles' effects on scans are.

The sensitivity of a handle is the change of the logarithms of whole and viable diameters, at every visit
under every treatment, by a small share of its typical value. Two handles whose sensitivities point the same
way (cosine above `SAME`) cannot be told apart from scans, however precise, as long as effects are small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from hccresist.overcome.model.handle_measures import switch_on
from hccresist.overcome.model.handle_runs import RESPONDER, Array, Values, follow
from hccresist.overcome.model.parameters import read_handles

SAME: Final = 0.95
"""Cosine above which two handles are called not distinguishable from scans."""
SHARE: Final = 0.1
"""Share of the typical value by which a handle is moved."""
VISITS: Final = tuple(56.0 * visit for visit in range(7))
"""Days of the scans."""
TREATMENTS: Final = (
    (),
    ("sorafenib",),
    ("lenvatinib",),
    ("cabozantinib",),
    ("bevacizumab",),
    ("pembrolizumab",),
    ("atezolizumab",),
    ("atezolizumab", "bevacizumab"),
)
"""Treatments that the handles are looked at under."""
MIXED: Final = 0.05
"""Share of tolerant cells, and of cells without antigen presentation, at the start."""
_NOTHING: Final = 1e-6


@dataclass(frozen=True, order=True)
class Alike:
    """Two handles and how alike their effects on scans are.

    Attributes
    ----------
    cosine
        From -1 (opposite) to 1 (the same); None where one of them has no effect on diameters.
    """

    first: str
    second: str
    cosine: float | None

    @property
    def same(self) -> bool:
        """Whether the two are not distinguishable from scans."""
        return self.cosine is not None and self.cosine > SAME


def log_diameters(values: Values, treatments: Sequence[tuple[str, ...]] = TREATMENTS) -> Array:
    """Logarithms of the diameters of one patient at the visits under each treatment.

    Parameters
    ----------
    values
        Parameters that differ from the table.
    treatments
        Drugs of each treatment.

    Returns
    -------
    ndarray, shape = (n_treatments, 2, n_visits)
        Whole, then viable diameter, log mm.
    """
    found: list[list[Array]] = []
    for drugs in treatments:
        course = follow(RESPONDER | dict(values), drugs, VISITS, tolerant=MIXED, escaped=MIXED)
        found.append([np.log(course.output(name)) for name in ("whole_mm", "viable_mm")])
    return np.array(found)


def find_sensitivities(treatments: Sequence[tuple[str, ...]] = TREATMENTS) -> dict[str, Array]:
    """Sensitivity of the logarithms of diameters to each handle, per typical value.

    Returns
    -------
    dict
        Handle to an array of shape (n_treatments, 2, n_visits).
    """
    off = log_diameters({}, treatments)
    names = [handle.handle for handle in read_handles()]
    return {name: (log_diameters(switch_on(name, SHARE), treatments) - off) / SHARE for name in names}


def find_cosine(first: Array, second: Array) -> float | None:
    """Cosine of two sensitivities; None where one is nothing.

    Examples
    --------
    >>> find_cosine(np.array([1.0, 0.0]), np.array([1.0, 0.0]))
    1.0
    >>> find_cosine(np.array([1.0, 0.0]), np.array([0.0, 2.0]))
    0.0
    >>> find_cosine(np.array([1.0, 0.0]), np.zeros(2)) is None
    True
    """
    lengths = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    if min(lengths) < _NOTHING:
        return None
    return float(np.clip((first * second).sum() / (lengths[0] * lengths[1]), -1.0, 1.0))


def compare_handles(sensitivities: Mapping[str, Array]) -> tuple[Alike, ...]:
    """Compare every pair of handles, by name."""
    return tuple(
        Alike(first, second, find_cosine(sensitivities[first], sensitivities[second]))
        for first, second in combinations(sorted(sensitivities), 2)
    )


def group_alike(pairs: Sequence[Alike]) -> tuple[tuple[str, ...], ...]:
    """Group handles that scans cannot tell apart: each is the same as one of its group; single ones left out.

    Examples
    --------
    >>> group_alike([Alike("a", "b", 0.99), Alike("a", "c", 0.1), Alike("b", "c", 0.97)])
    (('a', 'b', 'c'),)
    """
    groups: list[set[str]] = []
    for pair in pairs:
        if pair.same:
            near = [group for group in groups if group & {pair.first, pair.second}]
            groups = [group for group in groups if group not in near]
            groups.append({pair.first, pair.second}.union(*near))
    return tuple(sorted(tuple(sorted(group)) for group in groups))
