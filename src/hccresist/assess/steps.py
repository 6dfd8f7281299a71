"""Walking through the visits of all patients together, one visit at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hccresist.assess.visits import Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The visits of every series, in the order in which the engine walks them.

    Attributes
    ----------
    order
        Series with visits, those with most visits first.
    first
        First visit of each series of `order`.
    active
        At each step, how many series of `order` still have a visit.
    """

    order: Ints
    first: Ints
    active: Ints

    def __iter__(self) -> Iterator[tuple[Ints, Ints]]:
        """Yield, for each step, the series and their visits."""
        for step, n in enumerate(self.active):
            yield self.order[:n], self.first[:n] + step


def walk(visits: Ints, series: Ints) -> Steps:
    """Return visits as steps.

    Parameters
    ----------
    visits
        Indices of the visits to walk through, ascending; those of a series stand together.
    series
        Series of each of them.
    """
    names, first, count = np.unique(series, return_index=True, return_counts=True)
    by_length = np.argsort(-count, kind="stable")
    longest = int(count.max(initial=0))
    active = np.searchsorted(-count[by_length], -np.arange(1, longest + 1), side="right")
    return Steps(order=names[by_length], first=visits[first[by_length]], active=active)
