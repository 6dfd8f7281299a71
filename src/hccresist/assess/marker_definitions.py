"""What a marker is: its record of needs, rule, source and published readings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

from hccresist.assess.marker_results import MarkerDefinitions, MarkerReadings

OURS: Final = "ours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a publication says of a grade or verdict."""

    grade: str
    text: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A marker: what it needs, its rule, where it comes from, how far that was seen.

    Attributes
    ----------
    marker
        Name in results.
    kind
        One of `hccresist.assess.marker_results.KINDS`.
    title
        Name in words.
    unit
        Unit of the value; empty where there is none.
    needs
        What must be known.
    rule
        Formula or rule in one sentence.
    source
        DOI, PMID or page; `OURS` where there is none.
    verification
        One of `hccresist.assess.marker_results.VERIFICATION`.
    seen
        What was read and where, what was not, and what is our choice.
    readings
        Published readings of its grades.
    """

    marker: str
    kind: str
    title: str
    unit: str = ""
    needs: tuple[str, ...]
    rule: str
    source: str
    verification: str
    seen: str
    readings: tuple[Reading, ...] = ()


def definitions_table(definitions: Iterable[Definition]) -> pl.DataFrame:
    """Return table `marker_definitions`."""
    rows = [
        {
            "marker": one.marker,
            "kind": one.kind,
            "title": one.title,
            "unit": one.unit,
            "needs": ", ".join(one.needs),
            "rule": one.rule,
            "source": one.source,
            "verification": one.verification,
            "seen": one.seen,
        }
        for one in sorted(definitions, key=lambda one: one.marker)
    ]
    return MarkerDefinitions.validate(pl.DataFrame(rows), cast=True)


def readings_table(definitions: Iterable[Definition]) -> pl.DataFrame:
    """Return table `marker_readings`."""
    rows = [
        {"marker": one.marker, "grade": reading.grade, "source": reading.source, "reading": reading.text}
        for one in definitions
        for reading in one.readings
    ]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(("marker", "grade", "source", "reading"), pl.String))
    return MarkerReadings.validate(frame.sort("marker", "grade", "source"))
