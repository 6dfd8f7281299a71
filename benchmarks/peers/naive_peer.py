"""The per-patient loop as a peer: the naive implementation of the tests, on the rows of a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import polars as pl
from naive import assess_rows

from hccresist.assess import assess_study
from hccresist.study.policies import Policies
from hccresist.study.study import Study

CRITERIA = ("recist11", "mrecist", "irecist")
POLICY: Mapping[str, Any] = Policies().values()


def rows_of(study: Study) -> dict[str, list[dict[str, Any]]]:
    """Return the tables of a study as rows, which the loop is not timed for making."""
    return {name: frame.to_dicts() for name, frame in study.tables.items()}


def run(tables: Mapping[str, list[dict[str, Any]]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return timepoints and best responses under three criteria, patient by patient."""
    return assess_rows(tables, criteria=CRITERIA, policy=POLICY)


def check_loop(study: Study) -> None:
    """Fail unless the loop and hccresist agree on every overall and best response."""
    visits, best = run(rows_of(study))
    ours = assess_study(study, criteria=CRITERIA, reasons=False).tables
    key = ["patient_id", "reader", "criterion"]
    words = {(*(row[k] for k in key), row["day"]): row["overall"] for row in visits}
    mine = ours["timepoints"].with_columns(pl.col("overall").cast(pl.String))
    assert {tuple(row[:4]): row[4] for row in mine.select(*key, "day", "overall").iter_rows()} == words
    bests = {tuple(row[k] for k in key): (row["best"], row["best_confirmed"]) for row in best}
    rows = ours["best_response"].select(*key, "best", "best_confirmed").iter_rows()
    assert {tuple(row[:3]): tuple(row[3:]) for row in rows} == bests


def check_pandas(ours: Mapping[str, pl.DataFrame], theirs: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """Fail unless the pandas analysis and hccresist agree on every overall and best response."""
    visits, best = theirs
    mine = ours["timepoints"].with_columns(pl.col("overall").cast(pl.String))
    words = dict(zip(zip(visits["patient_id"], visits["day"], strict=True), visits["overall"], strict=True))
    assert {row[:2]: row[2] for row in mine.select("patient_id", "day", "overall").iter_rows()} == words
    bests = dict(zip(best["patient_id"], best["best_confirmed"], strict=True))
    assert dict(ours["best_response"].select("patient_id", "best_confirmed").iter_rows()) == bests
