"""The nine checkpoint-inhibitor cohorts: the page says what the result file says, and the file holds."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest
from scipy import stats

REPOSITORY = Path(__file__).resolve().parents[2]


def load_script() -> ModuleType:
    """Import benchmarks/ici_cohorts.py."""
    spec = importlib.util.spec_from_file_location("ici_cohorts", REPOSITORY / "benchmarks" / "ici_cohorts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = load_script()
RESULT = json.loads(SCRIPT.RESULT.read_text(encoding="utf-8"))


def test_the_page_shows_the_result_file():
    page = SCRIPT.PAGE.read_text(encoding="utf-8")
    assert SCRIPT.with_tables(page, RESULT) == page, "run benchmarks/ici_cohorts.py --write"


def test_there_are_nine_cohorts_and_the_counts_are_those_of_their_rows():
    assert [c["cohort"] for c in RESULT["cohorts"]] == list(SCRIPT.CANCERS)
    assert SCRIPT.count_signs(RESULT["cohorts"]) == RESULT["signs"]
    for cohort in RESULT["cohorts"]:
        for row in cohort["rows"]:
            if row["auc"] is None:
                assert row["why"]
                continue
            assert row["n"] == cohort["responders"] + cohort["others"]
            small = min(cohort["responders"], cohort["others"]) < 10
            assert (row["p"] is None) == small
            assert ("too few to say" in row["caveat"]) == small
            assert "prognostic or unknown: no control arm" in row["caveat"]


def test_numbers_of_responders_are_those_of_the_readme(shared_data):
    """README of the data: gbm 9 R and 6 NR; rcc 4 R and 7 NR; samples of the seven others."""
    counts = {c["cohort"]: (c["responders"], c["others"]) for c in RESULT["cohorts"]}
    assert counts["gbm_enlight"] == (9, 6)
    assert counts["rcc_enlight"] == (4, 7)
    samples = {c["cohort"]: c["samples"] for c in RESULT["cohorts"]}
    told = {"riaz": 23, "hugo": 27, "van_allen": 42, "nathanson": 24, "liu": 74, "miao": 33, "padron": 45}
    assert {name: samples[name] for name in told} == told


@pytest.mark.parametrize(("cohort", "method"), [("liu", "asymptotic"), ("miao", "exact")])
def test_cyt_is_that_of_plain_arithmetic(shared_data, cohort, method):
    """CYT from the file as it lies, with SciPy's test: no reader, no matrix, no association.

    In liu some patients have neither gene, and are tied.
    """
    folder = shared_data / "ici_predictior_small" / cohort
    table = pl.read_parquet(folder / "expression.parquet")
    (name,) = [column for column, kind in table.schema.items() if kind == pl.String]
    chosen = table.filter(pl.col(name).is_in(["GZMA", "PRF1"])).drop(name)
    clinical = pl.read_csv(folder / "clinical.tsv", separator="\t", infer_schema_length=0)
    cyt = {c: float(np.log2(2 ** chosen[c].to_numpy() - 0.001 + 1).mean().round(5)) for c in chosen.columns}
    label = dict(clinical.select("sample", "response").iter_rows())
    sides = [np.array([cyt[c] for c in cyt if label[c] == word]) for word in ("R", "NR")]
    row = next(r for c in RESULT["cohorts"] if c["cohort"] == cohort for r in c["rows"] if r["set"] == "CYT")
    test = stats.mannwhitneyu(*sides, method=method)
    assert row["auc"] == pytest.approx(test.statistic / (len(sides[0]) * len(sides[1])), abs=1e-4)
    assert row["p"] == pytest.approx(test.pvalue, abs=1e-4)
