"""The evidence base as files for others: Parquet, CSV, and items in the shape of CIViC.

The items follow the model of CIViC (Evidence Item: molecular profile, therapies, disease, type, level,
direction, significance, source; https://docs.civicdb.org). They were not taken from CIViC and not
submitted to it: levels and significance are derived by us, which the file says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import polars as pl

from hccresist.explain.evidence_tables import CIVIC_LEVELS
from hccresist.explain.knowledge import EvidenceBase, count_base

ITEMS_FILE: Final = "civic_like.json"

_NOTE: Final = (
    "In the shape of CIViC evidence items, made by hccresist. Not taken from CIViC and not submitted to "
    "it. Levels are derived from ours by the table in derived_levels; A is never given. Significance and "
    "direction are derived from effect. Only items with counts_as_support true are support. Curators and "
    "checkers are language-model readers unless curated_by or checked_by says otherwise; empty: unknown."
)
_SIGNIFICANCE: Final[Mapping[str, tuple[str, str | None, str]]] = {
    "resistance": ("Predictive", "Supports", "Resistance"),
    "sensitivity": ("Predictive", "Supports", "Sensitivity/Response"),
    "reverses_resistance": ("Predictive", "Supports", "Sensitivity/Response"),
    "improves_outcome": ("Predictive", "Supports", "Sensitivity/Response"),
    "no_effect": ("Predictive", "Does Not Support", "N/A"),
    "response_pattern": ("Predictive", None, "N/A"),
    "unclear": ("Predictive", None, "N/A"),
    "prognosis": ("Prognostic", "Supports", "N/A"),
}
_OUTCOMES: Final = {"better": "Better Outcome", "worse": "Poor Outcome"}


def export_base(base: EvidenceBase, out: Path) -> list[Path]:
    """Write a base into a folder that exists: each table as Parquet and CSV, and the items as JSON.

    In CSV, values of a list are joined by `; `.

    Parameters
    ----------
    base
        Evidence base.
    out
        Folder.

    Returns
    -------
    list of Path
        Files written: findings (with what is computed of them), claims, sources, mechanisms, drugs,
        strategies and synonyms, and `civic_like.json`.
    """
    tables = {
        "findings": base.findings.join(base.marks, on="record_id", how="left", suffix="_counted"),
        "claims": base.claims,
        "sources": base.sources,
        "mechanisms": base.mechanisms,
        "drugs": base.drugs,
        "strategies": base.strategies,
        "synonyms": base.synonyms,
    }
    written: list[Path] = []
    for name, frame in tables.items():
        frame.write_parquet(out / f"{name}.parquet")
        join_lists(frame).write_csv(out / f"{name}.csv")
        written += [out / f"{name}.parquet", out / f"{name}.csv"]
    items = out / ITEMS_FILE
    text = json.dumps(list_items(base), indent=2, ensure_ascii=False, allow_nan=False)
    items.write_bytes(f"{text}\n".encode())
    return [*written, items]


def join_lists(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table with its lists as text, joined by ``; ``."""
    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    return frame.with_columns(pl.col(name).list.join("; ") for name in lists)


def list_items(base: EvidenceBase) -> dict[str, object]:
    """Return the base as items in the shape of CIViC, with a head that says what they are."""
    rows = base.findings.join(base.marks, on="record_id", how="left", suffix="_counted")
    sources = {row["source_id"]: row for row in base.sources.iter_rows(named=True)}
    names = dict(zip(base.mechanisms["mechanism_id"], base.mechanisms["name"], strict=True))
    return {
        "note": _NOTE,
        "derived_levels": dict(CIVIC_LEVELS),
        "counts": count_base(base),
        "evidence_items": [
            _make_item(row, sources[row["source_id"]], names) for row in rows.iter_rows(named=True)
        ],
    }


def _make_item(
    row: Mapping[str, object], source: Mapping[str, object], names: Mapping[str, str]
) -> dict[str, object]:
    kind, direction, significance = _SIGNIFICANCE[str(row["effect"])]
    drugs = row["drugs"] if isinstance(row["drugs"], list) else []
    if kind == "Prognostic":
        significance = _OUTCOMES.get(str(row["prognosis_direction"]), significance)
    return {
        "id": row["record_id"],
        "molecular_profile": {"name": f"{row['entity']} {row['alteration']}", "type": row["entity_type"]},
        "therapies": [{"name": name} for name in drugs],
        "therapy_interaction_type": "Combination" if len(drugs) > 1 else None,
        "disease": {"name": "Hepatocellular Carcinoma"},
        "evidence_type": kind,
        "evidence_level": row["civic_level"],
        "evidence_level_ours": row["evidence_level"],
        "evidence_direction": direction,
        "significance": significance,
        "effect_ours": row["effect"],
        "mechanism": {"id": row["mechanism_id"], "name": names.get(str(row["mechanism_id"]))},
        "description": row["summary"],
        "source": {
            "id": source["source_id"],
            "pmid": source["pmid"],
            "pmcid": source["pmcid"],
            "doi": source["doi"],
            "url": row["source_url"],
            "publication_year": source["year"],
            "publication_status": source["publication_status"],
        },
        "status": row["status"],
        "counts_as_support": row["counted"],
        "curated_by": row["curated_by"],
        "checked_by": row["checked_by"],
    }
