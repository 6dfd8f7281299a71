"""What the twin says in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from hccresist.overcome.twin_data import Case
from hccresist.overcome.twin_signs import read_alike
from hccresist.overcome.twin_treatments import Course

RESEARCH: Final = "research only: a model's virtual patients, no forecast for this patient's care"
MEASURE: Final = "share alive after 12 months, difference to going on as now (model, research only)"
FEW: Final = 10.0
"""Effective number below which the twin says that it rests on few virtual patients."""
MOVED: Final = 0.15
"""Change of the share in whom a handle is on from which it is told."""
LITTLE: Final = 0.1
"""Narrowing below which the data are said to have told little."""


def tell_indistinct() -> str:
    """Name the handles that scans cannot tell apart."""
    return ";; ".join(", ".join(group) for group in read_alike())


def tell_row(course: Course, columns: Mapping[str, object], *, told: bool) -> str:
    """Write the notes of a row of `outlook`."""
    parts = list(course.notes)
    narrowing = columns["narrowing"]
    if not told:
        parts.append("cannot be said: the sum is below 10 mm")
    elif isinstance(narrowing, float) and narrowing < LITTLE:
        parts.append("the data so far told little about this")
    return "; ".join([*parts, RESEARCH])


def tell_fit(
    case: Case,
    *,
    effective: float,
    power: float,
    shares: tuple[Mapping[str, float], Mapping[str, float]],
    left: Sequence[str],
) -> str:
    """Write the notes of a row of `outlook_fit`."""
    parts = list(case.notes)
    if power < 1.0:
        parts.append(f"no virtual patient fits well: steps went to power {power:.2f} of the likelihood")
    if effective < FEW:
        parts.append(f"rests on few virtual patients (effective number {effective:.0f})")
    moved = [
        f"{name} {100 * before:.0f} to {100 * shares[1][name]:.0f} %"
        for name, before in shares[0].items()
        if abs(shares[1][name] - before) >= MOVED
    ]
    if moved:
        told = f"handles whose share among the virtual patients moved: {', '.join(moved)}"
        mixed = [group for group in read_alike() if any(text.split()[0] in group for text in moved)]
        parts.append(told + (" (scans alone cannot tell those of one group apart)" if mixed else ""))
    if case.new_lesions:
        parts.append("new lesions seen so far enter at 5 mm on the last day")
    return "; ".join([*parts, *left, RESEARCH])
