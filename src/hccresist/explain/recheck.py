"""The blind re-check of the evidence base: a tenth of the rows, drawn at random, read again.

The second reader saw source, entity and drug of a row, and nothing else; alteration, effect and level were
written down from the abstract. `recheck.csv` holds both readings as they were before anything was mended.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from io import StringIO
from typing import Final

from hccresist.explain.stance import find_kind, find_side, read_alteration

OPPOSITE: Final = frozenset({("adverse", "favourable"), ("favourable", "adverse")})
"""Sides that contradict each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck:
    """How far two readings of the same abstracts agree.

    Attributes
    ----------
    drawn, found
        Rows drawn, and those whose abstract could be read again.
    reversed
        Rows found whose direction is the opposite: more of the entity brings resistance in one
        reading, response in the other.
    effect, level
        Rows found whose effect, or level of evidence, has another name in the second reading.
    """

    drawn: int
    found: int
    reversed: int
    effect: int
    level: int


def read_recheck() -> list[dict[str, str]]:
    """Return the rows of `recheck.csv`."""
    path = files("hccresist") / "data" / "evidence" / "recheck.csv"
    return list(csv.DictReader(StringIO(path.read_text(encoding="utf-8"))))


def count_recheck(part: str = "") -> Recheck:
    """Count how far the second reading agrees with the first.

    Parameters
    ----------
    part
        ``old`` (rows carried over), ``new`` (rows added since) or both if empty.
    """
    rows = [row for row in read_recheck() if part in ("", row["part"])]
    found = [row for row in rows if row["found"] == "true"]
    return Recheck(
        drawn=len(rows),
        found=len(found),
        reversed=sum(_is_reversed(row) for row in found),
        effect=sum(row["effect"] != row["blind_effect"] for row in found),
        level=sum(row["evidence_level"] != row["blind_level"] for row in found),
    )


def _is_reversed(row: Mapping[str, str]) -> bool:
    states = [read_alteration(row[name], row["entity_type"]) for name in ("alteration", "blind_alteration")]
    if states[0] == states[1] and row["effect"] == row["blind_effect"]:
        return False
    first = _side(row, row["alteration"], row["effect"], row["evidence_level"])
    # The second reader wrote down the state that goes with the effect: what restores response is that state.
    effect = "sensitivity" if row["blind_effect"] == "reverses_resistance" else row["blind_effect"]
    second = _side(row, row["blind_alteration"], effect, row["blind_level"])
    return (first, second) in OPPOSITE


def _side(row: Mapping[str, str], alteration: str, effect: str, level: str) -> str:
    state = read_alteration(alteration, row["entity_type"])
    return find_side(effect, find_kind(effect, state, level), state)
