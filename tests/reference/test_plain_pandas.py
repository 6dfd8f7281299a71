"""The pandas peer of the benchmark equals the naive implementation on clean patients."""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pandas as pd
import polars as pl
from compare import naive_tables
from polars.testing import assert_frame_equal
from random_studies import random_rows

from hccresist.study.policies import Policies

PEER = Path(__file__).parents[2] / "benchmarks" / "peers" / "plain_pandas.py"
PATIENTS = 200


def load_peer() -> ModuleType:
    """The peer lies outside of any package."""
    spec = importlib.util.spec_from_file_location("plain_pandas", PEER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_clean(rows: list[dict]) -> bool:
    """One scan a visit, a target or non-target at baseline, every lesion with a role, no split or merge."""
    days = sorted({row["day"] for row in rows})
    start = max((day for day in days if -28 <= day <= 1), default=None)
    gaps = [later - day for day, later in pairwise(days)]
    roles = defaultdict(set)
    for row in rows:
        roles[row["lesion_id"]].add(row["role"])
    there = [
        row["role"] == "nontarget"
        or (row["role"] == "target" and (row["longest_mm"] or row["short_axis_mm"]))
        for row in rows
        if row["day"] == start
    ]
    return (
        any(there)
        and all(gap > 14 for gap in gaps)
        and all(role - {None} for role in roles.values())
        and not any(row["split_from"] or row["state"] == "merged" for row in rows)
    )


def clean_lesions() -> list[dict]:
    """Lesion rows of clean patients among random ones; other tables are left out."""
    rows = random_rows(2_000, seed=11)
    odd = {row["patient_id"] for table in ("visits", "sums") for row in rows[table]}
    patients: dict[str, list[dict]] = defaultdict(list)
    for row in rows["lesions"]:
        if row["reader"] == "" and row["patient_id"] not in odd:
            patients[row["patient_id"]].append(row)
    clean = [own for own in patients.values() if is_clean(own)][:PATIENTS]
    assert len(clean) == PATIENTS
    return [row for own in clean for row in own]


def test_plain_pandas_equals_the_naive_implementation() -> None:
    lesions = clean_lesions()
    patients = [{"patient_id": name} for name in {row["patient_id"] for row in lesions}]
    naive = naive_tables({"patients": patients, "lesions": lesions}, Policies(), criteria=["recist11"])
    timepoints, best = load_peer().recist11_pandas(pd.DataFrame(lesions))
    assert set(timepoints["overall"]) >= {"CR", "PR", "SD", "PD", "NE", "NON-CR/NON-PD"}
    assert set(best["best_confirmed"]) >= {"CR", "PR", "SD", "PD", "NE"}
    expected = naive["timepoints"].select(
        "patient_id", "day", "target", "nontarget", "new_lesion", "overall",
        sum_um="sum_mm", baseline_um="baseline_mm", nadir_um="nadir_mm",
    )  # fmt: skip
    for ours, theirs, key in (
        (timepoints, expected, ["patient_id", "day"]),
        (best, naive["best_response"].drop("reader", "criterion"), ["patient_id"]),
    ):
        records = ours.astype(object).where(ours.notna(), None).to_dict("records")
        table = pl.DataFrame(records, schema=theirs.schema, strict=False).sort(key)
        assert_frame_equal(table, theirs.sort(key))
