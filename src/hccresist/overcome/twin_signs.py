"""What tissue says of handles: scores and alterations as odds that a handle is on (sizes are assumed)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from math import log

import polars as pl

from hccresist.overcome.model.parameters import read_handles
from hccresist.overcome.strategy_table import read_rows


@dataclass(frozen=True)
class Signs:
    """What tissue of a patient says of handles.

    Attributes
    ----------
    log_odds
        Handle to the logarithm of the factor on the odds that it is on.
    words
        What was used, in words.
    """

    log_odds: Mapping[str, float] = field(default_factory=dict[str, float])
    words: tuple[str, ...] = ()


@cache
def read_setting(name: str) -> float:
    """Read a number of `data/overcome/twin.csv`."""
    return {row["name"]: float(row["value"]) for row in read_rows("twin.csv")}[name]


@cache
def read_alike() -> tuple[tuple[str, ...], ...]:
    """Read the groups of handles that scans cannot tell apart."""
    return tuple(tuple(row["handles"].split(";")) for row in read_rows("twin_alike.csv"))


@cache
def _handles_of() -> dict[str, tuple[str, ...]]:
    """Mechanism to its handles."""
    found: dict[str, tuple[str, ...]] = {}
    for handle in read_handles():
        found[handle.mechanism_id] = (*found.get(handle.mechanism_id, ()), handle.handle)
    for row in read_rows("twin_mechanisms.csv"):
        found[row["mechanism_id"]] = (*found.get(row["mechanism_id"], ()), row["handle"])
    return found


def read_signs(tables: Mapping[str, pl.DataFrame]) -> dict[str, Signs]:
    """Read what tissue says of the handles of each patient, by patient.

    Of several samples of a patient the mean score counts, and an alteration in any.

    Parameters
    ----------
    tables
        Tables mechanism_scores and alteration_calls of *explain*; those that are there.
    """
    scores = _read_scores(tables.get("mechanism_scores"))
    calls = _read_calls(tables.get("alteration_calls"))
    found: dict[str, Signs] = {}
    for patient in sorted({*scores, *calls}):
        odds, words = dict[str, float](), list[str]()
        for mechanism, z in sorted(scores.get(patient, {}).items()):
            limit = read_setting("score_limit")
            _add(odds, mechanism, log(read_setting("score_odds")) * max(-limit, min(limit, z)))
        if scores.get(patient):
            words.append(f"scores of {len(scores[patient])} mechanisms")
        for mechanism, altered in sorted(calls.get(patient, {}).items()):
            _add(odds, mechanism, log(read_setting("altered_odds" if altered else "intact_odds")))
            words += [f"{mechanism} altered"] * altered
        if calls.get(patient) and not any(calls[patient].values()):
            words.append("no alteration of a handle")
        found[patient] = Signs(odds, tuple(words))
    return found


def _add(odds: dict[str, float], mechanism: str, size: float) -> None:
    for handle in _handles_of()[mechanism]:
        odds[handle] = odds.get(handle, 0.0) + size


def _read_scores(table: pl.DataFrame | None) -> dict[str, dict[str, float]]:
    """Patient to mechanism to the median z of its gene sets, positive where it speaks for resistance."""
    if table is None:
        return {}
    method = pl.col("method").cast(pl.String)
    best = "reference_z" if table.filter(method == "reference_z").height else "cohort_z"
    known = pl.col("mechanism_id").is_in(list(_handles_of()))
    rows = table.filter((method == best) & known).drop_nulls("z")
    rows = rows.group_by("patient_id", "sample_id", "mechanism_id").agg(pl.col("z").median())
    rows = (
        rows.group_by("patient_id", "mechanism_id").agg(pl.col("z").mean()).sort("patient_id", "mechanism_id")
    )
    side = {
        row["mechanism_id"]: {"low": -1.0, "unclear": 0.0}.get(row["on"], 1.0)
        for row in read_rows("mechanism_signs.csv")
    }
    found: dict[str, dict[str, float]] = {}
    for patient, mechanism, z in rows.iter_rows():
        if side.get(mechanism, 1.0):
            found.setdefault(patient, {})[mechanism] = side.get(mechanism, 1.0) * z
    return found


def _read_calls(table: pl.DataFrame | None) -> dict[str, dict[str, bool]]:
    """Patient to mechanism to whether a gene of it is altered; what was not measured is left out."""
    if table is None:
        return {}
    call = pl.col("call").cast(pl.String)
    known = pl.col("mechanism_id").is_in(list(_handles_of()))
    rows = table.filter(known & call.is_in(["altered", "not_altered"]))
    rows = rows.group_by("patient_id", "mechanism_id").agg(altered=(call == "altered").any())
    found: dict[str, dict[str, bool]] = {}
    for patient, mechanism, altered in rows.sort("patient_id", "mechanism_id").iter_rows():
        found.setdefault(patient, {})[mechanism] = altered
    return found
