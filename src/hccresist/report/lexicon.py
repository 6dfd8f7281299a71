"""Things once each, referred to by position."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Thing = TypeVar("Thing", bound=Hashable)


@dataclass(slots=True)
class Lexicon(Generic[Thing]):
    """Things once each, in the order in which they came.

    Attributes
    ----------
    places
        Thing to its position.

    Examples
    --------
    >>> lexicon = Lexicon[str]()
    >>> [lexicon(word) for word in ("a", "b", "a")]
    [0, 1, 0]
    """

    places: dict[Thing, int] = field(default_factory=dict)

    def __call__(self, thing: Thing) -> int:
        """Return the position of a thing, which is kept."""
        return self.places.setdefault(thing, len(self.places))
