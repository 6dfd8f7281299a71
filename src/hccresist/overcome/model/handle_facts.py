"""What the literature says of each resistance handle, and what reverses it: tables, read.

`handle_facts.csv` has a row for each published direction, magnitude or time course that the model can be
asked, with its source, and rows of kind ``none`` where none was seen. `handle_measures` asks the model.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from hccresist.overcome.model.text import FOLDER

FACTOR: Final = 1.5
"""A printed number without an interval is met within this factor."""
KINDS: Final = ("direction", "magnitude", "time", "none")
NOT_ASKED: Final = "not_asked"
_CHANGE_WORDS: Final = 3


@dataclass(frozen=True)
class Fact:
    """One published fact about a handle.

    Attributes
    ----------
    kind
        ``direction``, ``magnitude``, ``time``, or ``none`` where nothing was seen (the statement says what
        was looked up).
    statement
        What is said, in our words.
    quantity, unit
        What the model is asked for.
    value, low, high
        Published number and interval; None where not printed or open.
    system, drug
        In whom or what it was seen, and under which drug or class.
    source, record_id
        Identifier as seen; record of the evidence base, where it has one.
    status
        ``verified``: read in the source or its abstract; else ``unverified``.
    measure
        Name of the measure that asks the model; ``not_asked`` where it cannot be asked.
    why_not
        Why it is not asked.
    group
        What the group without the handle is brought to, by its growth rate, before it is asked: ``median``
        and published months without progression or death, or ``responses`` and published per cent; empty
        where the group is that of the parameter table.
    """

    handle: str
    kind: str
    statement: str
    quantity: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    system: str
    drug: str
    source: str
    record_id: str
    status: str
    measure: str
    why_not: str
    group: str = ""

    @property
    def asked(self) -> bool:
        """Whether the model is asked."""
        return self.kind != "none" and self.measure != NOT_ASKED

    @property
    def interval(self) -> tuple[float, float]:
        """Bounds that the model has to meet: the published ones, else the printed number within `FACTOR`."""
        if self.low is None and self.high is None and self.value is not None:
            return self.value / FACTOR, self.value * FACTOR
        low = float("-inf") if self.low is None else self.low
        return low, float("inf") if self.high is None else self.high

    def holds(self, number: float) -> bool:
        """Whether a number of the model meets the fact; a direction is met by a number above zero."""
        if self.kind == "direction":
            return number > 0
        low, high = self.interval
        return low <= number <= high


@dataclass(frozen=True)
class Reversal:
    """How a strategy of the evidence base acts in the model.

    Attributes
    ----------
    strategy_id
        Strategy (``S..``).
    factors
        Parameter to what it is multiplied with.
    added
        Drug effect to how much of it is added (free drug over its IC50).
    instead
        Drugs that are given in place of the drug; empty where the drug stays.
    status
        ``assumption``, or ``sourced`` with the reason.
    """

    strategy_id: str
    factors: Mapping[str, float]
    added: Mapping[str, float]
    instead: tuple[str, ...]
    status: str


def _number(text: str) -> float | None:
    """Read a number, or None where the cell is empty."""
    return float(text) if text else None


def _rows(name: str) -> list[dict[str, str]]:
    """Rows of one table of the model's folder."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@lru_cache(maxsize=1)
def read_facts() -> tuple[Fact, ...]:
    """Facts in the order of the table.

    Examples
    --------
    >>> sorted({fact.kind for fact in read_facts()})
    ['direction', 'magnitude', 'none', 'time']
    """
    found: list[Fact] = []
    for row in _rows("handle_facts.csv"):
        measure, _, why = row.pop("how_tested").partition(": ")
        value, low, high = (_number(row.pop(name)) for name in ("value", "low", "high"))
        found.append(Fact(**row, value=value, low=low, high=high, measure=measure, why_not=why))
    return tuple(found)


@lru_cache(maxsize=1)
def read_reversals() -> dict[str, Reversal]:
    """Reversal of each handle that has one, by handle.

    Examples
    --------
    >>> read_reversals()["abc"].factors
    {'h_abc': 0.03}
    """
    found: dict[str, Reversal] = {}
    for row in _rows("handles.csv"):
        changes: dict[str, dict[str, float]] = {"x": {}, "+": {}}
        instead: list[str] = []
        for part in filter(None, row["strategy_effect"].split(";")):
            words = part.split()
            if len(words) == _CHANGE_WORDS:
                changes[words[1]][words[0]] = float(words[2])
            else:
                instead.append(words[1])
        factors, added = changes["x"], changes["+"]
        if factors or added or instead:
            status = row["strategy_status"]
            found[row["handle"]] = Reversal(row["reversed_by"], factors, added, tuple(instead), status)
    return found
