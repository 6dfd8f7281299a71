"""What must hold for the audit of any study: random patients, made to hit ties, zeros and every state."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccresist.assess import assess_study
from hccresist.assess.audit import derive_audit, derive_audit_tables
from hccresist.study.study import Study, StudyConfig
from hccresist.study.tables import Responses

CRITERIA = ("recist11", "mrecist", "irecist")
AGREEMENT = (
    "target-against-lesions",
    "target-incomplete",
    "target-not-judged",
    "target-after-response",
    "target-without-targets",
    "overall-against-components",
    "progression-without-cause",
    "new-lesion-without-progression",
    "new-lesion-not-recorded",
    "response-without-scan",
)
"""Checks that cannot find anything where the recorded responses are the engine's own."""


def load_random_studies():
    """The generator of `tests/reference`, which is no package."""
    path = Path(__file__).parents[1] / "reference" / "random_studies.py"
    spec = importlib.util.spec_from_file_location("random_studies_for_audit", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


RANDOM = load_random_studies()


def random_study(seed, patients=40):
    """A study without sums and overrides: what is recorded is lesions and visits alone."""
    frames = RANDOM.study_frames(RANDOM.random_rows(patients, seed=seed))
    frames.pop("sums", None)
    if "visits" in frames:
        override = frames["visits"]["target_override"]
        frames["visits"] = frames["visits"].with_columns(target_override=pl.lit(None, dtype=override.dtype))
    return Study(config=StudyConfig(), tables=frames)


def record(study, *, criteria=CRITERIA):
    """The same study with the engine's responses as those of the clinic."""
    rows = assess_study(study, criteria=criteria).tables["timepoints"]
    words = ("overall", "target", "nontarget", "new_lesion")
    responses = Responses.cast(rows.select("patient_id", "reader", "criterion", "day", *words))
    return Study(config=study.config, tables={**study.tables, "responses": responses})


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_1_responses_of_the_engine_are_never_contradicted(seed):
    tables = derive_audit_tables(record(random_study(seed)))
    found = tables["audit"].filter(pl.col("check").is_in(AGREEMENT))
    assert found.rows(named=True) == []
    looked_at = tables["audit_checks"].filter(pl.col("check").is_in(AGREEMENT))
    assert looked_at["skipped"].null_count() == len(AGREEMENT)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), word=st.sampled_from(["CR", "PR", "SD", "PD"]))
def test_2_a_response_that_was_changed_is_found_and_no_other(seed, word):
    """Every target response that the engine had judged, and whose word was changed, is told by some check."""
    study = record(random_study(seed), criteria=("recist11",))
    responses = study.tables["responses"]
    judged = responses.with_row_index("row").filter(
        pl.col("target").is_in(["CR", "PR", "SD", "PD"]), pl.col("target") != word
    )
    if judged.is_empty():
        return
    picked = judged.row(0, named=True)
    changed = responses.with_row_index("row").with_columns(
        target=pl.when(pl.col("row") == picked["row"])
        .then(pl.lit(word))
        .otherwise(pl.col("target").cast(pl.String))
        .cast(responses["target"].dtype)
    )
    tables = {**study.tables, "responses": changed.drop("row")}
    audit = derive_audit(Study(config=study.config, tables=tables))
    told = audit.filter(
        pl.col("check").is_in(["target-against-lesions", "target-after-response", "target-after-zero"])
    )
    before = derive_audit(study).filter(check="target-after-zero")
    new = told.join(before, on=["patient_id", "reader", "day", "found"], how="anti")
    key = (picked["patient_id"], picked["reader"], picked["day"], word)
    rows = new.select("patient_id", "reader", "day", "found").rows()
    assert rows == [key] or (rows == [] and from_zero(study, key))


def from_zero(study, key):
    """Whether the sum of the visit grew from a nadir of 0: there PD is as good a word as the engine's."""
    rows = assess_study(study, criteria=["recist11"]).tables["timepoints"]
    row = rows.row(
        by_predicate=(pl.col("patient_id") == key[0])
        & (pl.col("reader") == key[1])
        & (pl.col("day") == key[2]),
        named=True,
    )
    return row["nadir_mm"] == 0 and key[3] in {"PD", "CR"} | ({"PR", "SD"} if row["sum_mm"] < 5 else set())


@pytest.mark.parametrize("seed", [1, 2])
def test_3_row_order_changes_nothing(seed):
    study = record(random_study(seed))
    shuffled = {
        name: frame.sample(fraction=1.0, shuffle=True, seed=seed).sort(
            [key for key in ("patient_id", "reader", "lesion_id", "criterion", "day") if key in frame.columns]
        )
        for name, frame in study.tables.items()
    }
    again = Study(config=study.config, tables=shuffled)
    assert derive_audit(again).equals(derive_audit(study))
