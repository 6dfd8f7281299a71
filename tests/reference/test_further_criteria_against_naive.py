"""The engine against an independent, naive implementation of the nine further criteria.

`naive_more.py` was written from step 11 of ``docs/explanation/response-engine.md`` and the reference
rules, not from the engine. Every column of ``timepoints`` and ``best_response`` has to agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import naive_more
import polars as pl
import pytest
from compare import BEST, KEY, SUMS, TIMEPOINTS, equal_frames, frame, one_patient, percent, row_differences
from naive_more import CHOICES, SCALE, assess_more
from random_more import random_more_rows
from random_studies import study_frames

from hccresist.assess import assess_study
from hccresist.study.policies import Policies
from hccresist.study.study import Study, StudyConfig

CRITERIA = tuple(CHOICES)
FLOATS = pl.Schema(TIMEPOINTS | dict.fromkeys(SUMS, pl.Float64))
Tables = Mapping[str, list[dict[str, Any]]]


def naive_tables(rows: Tables, policies: Policies, criteria: list[str]) -> dict[str, pl.DataFrame]:
    """Results of the naive implementation as the contract lays them out."""
    timepoints, best = assess_more(rows, criteria=criteria, policy=policies.values())
    for tp in timepoints:
        whole = tp["sum"] if tp["complete"] or tp["target"] == "PD" else None
        units = SCALE[tp["criterion"]]
        tp["change_from_baseline_percent"] = percent(whole, tp["baseline"])
        tp["change_from_nadir_percent"] = percent(whole, tp["nadir"])
        tp |= {column: None if tp[name] is None else tp[name] / units for column, name in SUMS.items()}
    return {"timepoints": frame(timepoints, FLOATS), "best_response": frame(best, BEST)}


def differences(rows: Tables, policies: Policies, criteria: tuple[str, ...] = CRITERIA) -> list[str]:
    """One line a cell that differs between the engine and the naive implementation."""
    study = Study(config=StudyConfig(policies=policies), tables=study_frames(rows))
    assessed = assess_study(study, criteria=list(criteria))
    naive = naive_tables(rows, policies, [name for name in criteria if name not in assessed.skipped])
    lines: list[str] = []
    for table, mine in naive.items():
        key = [column for column in KEY if column in mine.columns]
        other = assessed.tables[table].select(mine.columns).sort(key)
        if equal_frames(mine.sort(key), other):
            continue
        both = mine.with_columns(here=True).join(
            other.with_columns(there=True), on=key, how="full", suffix="_engine", coalesce=True
        )
        for row in both.sort(key).iter_rows(named=True):
            lines += row_differences(table, row, mine.columns)
    return lines


def of_criterion(lines: list[str], criterion: str) -> list[str]:
    """The lines of one criterion."""
    return [line for line in lines if f"'{criterion}'" in line]


def complain(rows: Tables, lines: list[str]) -> str:
    """How much differs, and the rows of the first patient."""
    if not lines:
        return ""
    patient = lines[0].split("'")[1]
    told = [line for line in lines if f"'{patient}'" in line]
    for table, own in one_patient(rows, patient).items():
        said = [{name: value for name, value in row.items() if value is not None} for row in own]
        told += [f"  {table}: {row}" for row in said if row["patient_id"] == patient]
    return "\n".join([f"{len(lines)} cells differ; for example", *told])


@pytest.fixture(scope="module")
def compared() -> tuple[Tables, dict[str, list[str]]]:
    """Ten thousand patients, each under the nine criteria: what differs, by criterion."""
    found: dict[str, list[str]] = defaultdict(list)
    rows = random_more_rows(10_000, seed=20260301)
    lines = differences(rows, Policies())
    for criterion in CRITERIA:
        found[criterion] = of_criterion(lines, criterion)
    return rows, found


@pytest.mark.slow
@pytest.mark.parametrize("criterion", CRITERIA)
def test_ten_thousand_random_patients_agree_in_every_column(
    criterion: str, compared: tuple[Tables, dict[str, list[str]]]
) -> None:
    rows, found = compared
    assert not found[criterion], complain(rows, found[criterion])


def test_a_difference_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison itself can fail: enhancement that never returns in the naive side shows."""
    monkeypatch.setattr(naive_more, "reappears", lambda case, k, earlier: False)
    rows = random_more_rows(200, seed=5)
    lines = of_criterion(differences(rows, Policies(), ("easl",)), "easl")
    assert "engine 'PD'" in complain(rows, lines)


def test_random_patients_hit_what_they_are_made_for() -> None:
    """Exact thresholds of size and area, zeros, gaps and new lesions in the sum are really there."""
    rows = random_more_rows(1_500, seed=3)
    tables = naive_tables(rows, Policies(), ["who", "easl", "easl_estimated", "irrc", "choi"])
    timepoints = tables["timepoints"].drop_nulls("sum_mm")
    for criterion in ("who", "easl", "easl_estimated", "irrc"):
        own = timepoints.filter(criterion=criterion)
        total, baseline, nadir = (own[name] for name in ("sum_mm", "baseline_mm", "nadir_mm"))
        assert ((total - 0.5 * baseline).abs() < 1e-9).sum() > 20
        assert ((total - 1.25 * nadir).abs() < 1e-9).sum() > 20
        assert (nadir == 0).sum() > 20
    own = timepoints.filter(criterion="choi")
    assert ((own["sum_mm"] - 0.9 * own["baseline_mm"]).abs() < 1e-9).sum() > 20
    assert ((own["sum_mm"] - 1.1 * own["nadir_mm"]).abs() < 1e-9).sum() > 20
    assert timepoints.filter(criterion="irrc")["new_target_sum_mm"].is_not_null().sum() > 50
    assert any(row["arterial_phase"] is False for row in rows["visits"])
    measures = {row["measure"] for row in rows["sums"]}
    assert measures == {"longest", "viable", "product", "viable_product"}
