"""Drugs of HCC by name, and the class that decides which rules hold for them.

`src/hccresist/data/drugs.csv` was collected for hccresist (Apache-2.0); `drug_class` is curated.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from importlib.resources import files
from io import BytesIO

import polars as pl


class DrugKind(StrEnum):
    """What a drug is, as far as rules of response and resistance ask."""

    CHECKPOINT = "checkpoint inhibitor"
    KINASE = "kinase inhibitor"
    ANTIANGIOGENIC = "anti-angiogenic antibody"
    OTHER = "other"


@cache
def drug_table() -> pl.DataFrame:
    """Return the drugs: drug, drug_type, drug_class, main_targets, hcc_role, chembl_id, id_note."""
    return pl.read_csv(BytesIO((files("hccresist") / "data" / "drugs.csv").read_bytes()))


def drug_kinds(names: pl.Series) -> pl.Series:
    """Return the kind of each drug, by generic name without regard to case; unknown names are `OTHER`.

    Examples
    --------
    >>> drug_kinds(pl.Series(["Sorafenib", "nivolumab", "aspirin"])).to_list()
    ['kinase inhibitor', 'checkpoint inhibitor', 'other']
    """
    table = drug_table()
    kinds = {
        name.lower(): _kind(kind)
        for name, kind in zip(table["drug"].to_list(), table["drug_class"].to_list(), strict=True)
    }
    plain = names.cast(pl.String).str.to_lowercase().str.strip_chars()
    return plain.replace_strict(kinds, default=DrugKind.OTHER.value, return_dtype=pl.String)


def _kind(drug_class: str) -> str:
    if "checkpoint" in drug_class:
        return DrugKind.CHECKPOINT.value
    if "VEGF antibody" in drug_class or "angiogenic antibody" in drug_class:
        return DrugKind.ANTIANGIOGENIC.value
    if "kinase inhibitor" in drug_class:
        return DrugKind.KINASE.value
    return DrugKind.OTHER.value
