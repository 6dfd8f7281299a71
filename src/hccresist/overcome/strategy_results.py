"""Result table of the strategies: a contract, typed, with units and meaning."""

from __future__ import annotations

from typing import Final

import dataframely as dy

from hccresist.explain.evidence_tables import STRATEGY_OUTCOMES

NOTHING: Final = "nothing_supported"
"""`strategy_id` of the row that says that no strategy of the base is supported here."""

ADDRESSES: Final = ("found", "elsewhere", "nothing")
"""Whether a strategy addresses what is on: found here; its mechanism is not on here; it aims at nothing in a tumour."""

_POINTS: Final = {"unit": "points"}


class Strategies(dy.Schema):
    """One row a patient (or the cohort) and strategy, the first in rank first. Research only: no advice on care."""

    patient_id = dy.String(nullable=True, description="pseudonym of the patient; empty: the whole cohort")
    rank = dy.Int64(
        min=0,
        description="place within the patient, from 1: what addresses something that is on, the rest, what failed; each by "
        "score; 0 for the row that nothing is supported",
    )
    strategy_id = dy.String(description=f"strategy of the evidence base, or `{NOTHING}`")
    strategy = dy.String(description="its name")
    drugs = dy.String(description="drugs, separated by ;")
    mechanism_id = dy.String(
        description="mechanism that it addresses; empty in the row that nothing is supported"
    )
    targets = dy.String(description="genes that it aims at, separated by ;; empty where it aims at none")
    addresses = dy.Enum(
        ADDRESSES,
        nullable=True,
        description="found: a mechanism or target of it is on here; elsewhere: none is; nothing: it has none",
    )
    score = dy.Float64(
        nullable=True,
        metadata=_POINTS,
        description="sum of the six parts; no probability, no size of benefit",
    )
    clinical = dy.Float64(nullable=True, metadata=_POINTS, description="clinical evidence that applies here")
    match = dy.Float64(
        nullable=True,
        metadata=_POINTS,
        description="how strongly what it addresses is on; negative: what is on resists it",
    )
    preclinical = dy.Float64(nullable=True, metadata=_POINTS, description="findings for it")
    contradiction = dy.Float64(
        nullable=True, metadata=_POINTS, description="findings against it; a trial that failed"
    )
    simulated = dy.Float64(
        nullable=True, metadata=_POINTS, description="simulated gain; 0 where it was not simulated"
    )
    cap = dy.Float64(
        nullable=True,
        metadata=_POINTS,
        description="taken off so that no failed trial stands above one that succeeded",
    )
    patients_found = dy.Int64(
        nullable=True, min=0, description="of the cohort: patients in whom a mechanism or target of it is on"
    )
    patients_looked = dy.Int64(
        nullable=True, min=0, description="of the cohort: patients in whom anything was measured"
    )
    stage = dy.String(description="highest stage")
    outcome = dy.Enum(STRATEGY_OUTCOMES, nullable=True, description="what became of its primary aim")
    line = dy.String(description="line in which it was tried: 1L, 2L or any")
    trial_id = dy.String(nullable=True, description="trial")
    result = dy.String(description="result, in the words of the base")
    source = dy.String(description="source of the result")
    counted = dy.Bool(nullable=True, description="the result was verified in its source")
    evidence_for = dy.String(description="findings for it that count, with sources, separated by ;")
    evidence_against = dy.String(description="findings against it that count, with sources, separated by ;")
    simulated_gain = dy.Float64(
        nullable=True, description="simulated gain over going on as before; empty: not simulated"
    )
    simulated_gain_low = dy.Float64(nullable=True, description="lower limit of its interval")
    simulated_gain_high = dy.Float64(nullable=True, description="upper limit of its interval")
    simulated_measure = dy.String(nullable=True, description="what the gain is of, with its unit")
    why = dy.String(description="why it ranks here, in words")
    against = dy.String(description="what speaks against it, in words; empty where nothing is known")
    contraindications = dy.String(
        description="contraindications of the base held against the patient; what is unknown"
    )
    handle = dy.String(
        nullable=True, description="handle of the virtual patient for its mechanism; empty: there is none"
    )
    notes = dy.String(description="what else must be known; that it is research only")


RESULTS: Final[dict[str, type[dy.Schema]]] = {"strategies": Strategies}
"""Table name to schema."""
