"""The twin's outlook of each patient, as compact JSON rows; what patients share is kept once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from hccresist.overcome.twin_results import QUANTITIES
from hccresist.report import words
from hccresist.report.facts import Facts
from hccresist.report.lexicon import Lexicon
from hccresist.report.sections.resistance import CLASSES

TABLE: Final = "outlook"
FIT: Final = "outlook_fit"

NAMES: Final = {
    "response": "Response",
    "progression": "Progression",
    "death": "Death",
    "sum_change_percent": "Change of the sum",
}
"""Quantity to its name."""

_NUMBERS: Final = ("value", "low", "high", "prior_value", "prior_low", "prior_high", "narrowing")


def name_horizon(days: float) -> str:
    """Return a time ahead in words.

    Examples
    --------
    >>> name_horizon(168.0), name_horizon(365.0), name_horizon(100.0)
    ('24 weeks', '12 months', '100 days')
    """
    if days >= 360 and abs(days / words.DAYS_PER_MONTH - round(days / words.DAYS_PER_MONTH)) < 0.05:
        return f"{round(days / words.DAYS_PER_MONTH)} months"
    return f"{days / 7:.0f} weeks" if days % 7 == 0 else f"{words.plain(days)} days"


def drop_refrain(notes: str) -> str:
    """Return notes of the twin without the sentence that each of them ends with; the page says it once."""
    from hccresist.overcome.twin_words import RESEARCH  # noqa: PLC0415  (loads the model)

    return notes.removesuffix(RESEARCH).rstrip("; ")


def split_groups(indistinct: str) -> list[str]:
    """Return the groups of handles that scans cannot tell apart."""
    return [group.strip() for group in indistinct.split(";;") if group.strip()]


def name_course(row: Mapping[str, Any]) -> str:
    """Return what is given on a course, in words."""
    if str(row["role"]) == "present":
        return "Going on as now: no drug" if row["drugs"] == "none" else f"Going on as now: {row['drugs']}"
    return str(row["drugs"])


def make_outlooks(facts: Facts, ids: tuple[str, ...]) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return what the outlooks of all patients share, and that of each patient, ready for JSON.

    Returns
    -------
    dict or None
        ``None`` where there are none. horizons [days, words]; quantities; courses [name, 1 for present,
        strategy]; texts; groups (of handles that scans cannot tell apart); few (effective number below which
        a twin rests on few virtual patients).
    dict
        Patient to ``day``, ``data``, ``seen`` (numbers used), ``effective``, ``groups``, ``notes`` and
        ``rows`` [course, horizon, quantity, value, low, high, prior value, prior low, prior high, narrowing,
        notes]; or to ``why`` there is none.
    """
    fits = facts.table(FIT)
    if fits is None:
        return None, {}
    from hccresist.overcome.twin_words import FEW  # noqa: PLC0415  (loads the model)

    courses, texts, groups, horizons = (
        Lexicon[tuple[Any, ...]](),
        Lexicon[str](),
        Lexicon[str](),
        Lexicon[float](),
    )
    names = _name_strategies(facts)
    frame = facts.table(TABLE)
    kept = None if frame is None else frame.filter(pl.col("patient_id").is_in(list(ids)))
    rows = (
        {}
        if kept is None
        else _by_patient(kept.sort("patient_id", "role", "horizon_days", maintain_order=True))
    )
    outlooks: dict[str, Any] = {}
    for fit in fits.filter(pl.col("patient_id").is_in(list(ids))).iter_rows(named=True):
        patient, own = fit["patient_id"], rows.get(fit["patient_id"], [])
        if fit["effective"] is None or not own:
            outlooks[patient] = {"why": drop_refrain(fit["notes"]) or "no twin was made"}
            continue
        outlooks[patient] = {
            "day": _round(own[0]["day"]),
            "data": fit["data"],
            "seen": fit["observations"],
            "effective": _round(fit["effective"], 1),
            "groups": [groups(group) for group in split_groups(fit["indistinct"])],
            "notes": drop_refrain(fit["notes"]),
            "rows": [
                [
                    courses(
                        (
                            name_course(row),
                            int(str(row["role"]) == "present"),
                            names.get(row["strategy_id"], ""),
                        )
                    ),
                    horizons(row["horizon_days"]),
                    QUANTITIES.index(str(row["quantity"])),
                    *(_round(row[name], 4) for name in _NUMBERS),
                    texts(drop_refrain(row["notes"])),
                ]
                for row in own
            ],
        }
    shared = {
        "horizons": [[_round(days), name_horizon(days)] for days in horizons.places],
        "quantities": [NAMES[name] for name in QUANTITIES],
        "courses": [list(course) for course in courses.places],
        "texts": list(texts.places),
        "groups": list(groups.places),
        "few": FEW,
    }
    return shared, outlooks


def list_resistance(facts: Facts, ids: tuple[str, ...]) -> dict[str, list[list[Any]]]:
    """Return the class of resistance of each patient: class, drugs, day, criterion, reason."""
    frame = facts.table("resistance")
    if frame is None:
        return {}
    found: dict[str, list[list[Any]]] = {}
    for row in (
        frame.filter(pl.col("patient_id").is_in(list(ids))).sort("patient_id", "line", "drug").to_dicts()
    ):
        label = CLASSES[str(row["class"])]
        told = [
            label,
            row["drug"],
            _round(row["day"]),
            words.label_criterion(row["criterion"]),
            row["reason"],
        ]
        found.setdefault(row["patient_id"], []).append(told)
    return found


def _by_patient(rows: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows.iter_rows(named=True):
        found.setdefault(row["patient_id"], []).append(row)
    return found


def _name_strategies(facts: Facts) -> dict[str | None, str]:
    """Return strategy to its identifier and name."""
    frame = facts.table("strategies")
    if frame is None:
        return {}
    rows = frame.select("strategy_id", "strategy").unique().iter_rows()
    return {key: f"{key} {name}" for key, name in rows}


def _round(value: float | None, digits: int = 0) -> float | int | None:
    if value is None or value != value:  # noqa: PLR0124  (NaN)
        return None
    rounded = round(value, digits)
    return int(rounded) if rounded == int(rounded) else rounded
