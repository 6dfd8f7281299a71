"""The audit of confounders: purity, PC1 and batch against response, in all patients and by arm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from association_cases import best_of, look, make_study, nothing
from scipy import stats

from hccresist.errors import ConfigError
from hccresist.explain.association_covariates import collect_covariates, covariate_names
from hccresist.explain.confounders import audit_confounders, first_component
from hccresist.explain.results import Confounders


@dataclass(frozen=True)
class Genes:
    """What the audit reads of a matrix."""

    samples: tuple[str, ...]
    values: np.ndarray


def cohort(n=60, *, seed=1, **columns):
    rng = np.random.default_rng(seed)
    words = ["PR" if i % 2 else "PD" for i in range(n)]
    signal = np.array([word == "PR" for word in words], dtype=float)
    return make_study(n, **columns), signal, {"best_response": best_of(words), **nothing()}, rng


def test_pc1_that_splits_responders_in_both_arms_is_not_about_one_treatment():
    arms = [("A", "B")[i // 2 % 2] for i in range(60)]
    study, signal, tables, rng = cohort(arms=arms)
    values = 3 * signal + rng.normal(size=(80, 60))
    values[3, 7] = np.nan
    matrix = Genes(tuple(f"P{i:03d}" for i in range(60)), values)
    found = audit_confounders(study, tables=tables, matrix=matrix)
    assert Confounders.is_valid(found)
    assert found["group"].to_list() == ["", "A", "B"]
    whole = look(found, group="")
    assert whole["auc"] == 1.0
    assert whole["p"] < 0.001
    assert whole["note"] == "splits responders by itself; in every arm, so that it is not about one treatment"


def test_pc1_that_splits_responders_in_one_arm():
    arms = [("A", "B")[i // 2 % 2] for i in range(120)]
    study, signal, tables, rng = cohort(120, arms=arms)
    treated = np.array([arm == "B" for arm in arms])
    values = 2 * np.where(treated, signal, rng.random(120) < 0.5) + rng.normal(size=(80, 120))
    matrix = Genes(tuple(f"P{i:03d}" for i in range(120)), values)
    found = audit_confounders(study, tables=tables, matrix=matrix)
    assert str(look(found, group="")["note"]).endswith("within arms: B")
    assert look(found, group="A")["note"] == "not seen to split responders"


def test_numbers_have_an_auc_and_words_a_test_of_the_table():
    batch = ["k" if i % 3 else "l" for i in range(60)]
    study, signal, tables, rng = cohort(purity=[0.5] * 60, batch=batch)
    purity = (signal + rng.normal(size=60)).tolist()
    study, *_ = cohort(purity=purity, batch=batch)
    found = audit_confounders(study, tables=tables)
    assert found["confounder"].to_list() == ["batch", "purity"]
    test = stats.mannwhitneyu(np.array(purity)[signal == 1], np.array(purity)[signal == 0], method="exact")
    row = look(found, confounder="purity")
    assert row["auc"] == pytest.approx(test.statistic / 900)
    assert row["p"] == pytest.approx(test.pvalue)
    counts = [
        [sum(b == w and s == r for b, s in zip(batch, signal, strict=True)) for w in "kl"] for r in (1, 0)
    ]
    words = look(found, confounder="batch")
    assert words["auc"] is None
    assert words["p"] == pytest.approx(stats.chi2_contingency(counts, correction=False).pvalue)


def test_small_batches_are_tested_by_random_tables():
    """With two batches and two classes of one size, that is Fisher's exact test."""
    batch = ["k"] * 56 + ["l"] * 4
    study, signal, tables, _ = cohort(batch=batch)
    found = audit_confounders(study, tables=tables, seed=3)
    counts = [
        [sum(b == w and s == r for b, s in zip(batch, signal, strict=True)) for w in "kl"] for r in (1, 0)
    ]
    expected = stats.fisher_exact(counts).pvalue
    assert look(found)["p"] == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 9999))


def test_fewer_than_ten_in_a_class_have_no_p():
    study = make_study(15, age=list(range(15)), batch=["k", "l", "m"] * 5)
    tables = {"best_response": best_of(["PR"] * 5 + ["PD"] * 10), **nothing()}
    found = audit_confounders(study, tables=tables, covariates=("age",))
    assert found["confounder"].to_list() == ["age", "batch"]
    assert found["p"].to_list() == [None, None]
    assert found["auc"].to_list() == [0.0, None]
    assert found["note"].str.contains("too few to say").all()


def test_without_responses_there_is_nothing_to_split():
    study = make_study(15, purity=[0.1 * i for i in range(15)])
    assert audit_confounders(study, tables=nothing()).is_empty()


def test_the_first_component_is_that_of_the_covariance():
    """Against NumPy's SVD of the centred matrix, up to sign; most genes go up with it."""
    rng = np.random.default_rng(4)
    values = rng.normal(size=(40, 12)) + 2 * rng.normal(size=12)
    axis = first_component(values)
    centred = values - values.mean(axis=1, keepdims=True)
    _, size, right = np.linalg.svd(centred, full_matrices=False)
    expected = right[0] * size[0]
    assert np.abs(axis) == pytest.approx(np.abs(expected), abs=1e-8)
    assert (centred @ axis).sum() > 0
    assert np.isnan(first_component(np.ones((5, 4)))).all()


def test_covariates_come_from_patients_and_from_the_sample_used():
    samples = [
        {"sample_id": "S0", "patient_id": "P000", "day": -9.0, "purity": 0.2},
        {"sample_id": "S0b", "patient_id": "P000", "day": -2.0, "purity": 0.7},
        {"sample_id": "S1", "patient_id": "P001", "day": 3.0, "purity": 0.4},
    ]
    study = make_study(3, samples=samples, stage=["b", "a", "b"], score=["1", "2.5", None])
    assert covariate_names(study) == ("purity", "score", "stage")
    names = ["P002", "P001", "P000"]
    purity, stage, score = collect_covariates(study, ["purity", "stage", "score"], patients=names)
    assert purity.numbers is not None
    assert purity.numbers.tolist()[1:] == [0.4, 0.7]
    assert stage.words == ("b", "a", "b")
    assert {k: v.tolist() for k, v in stage.columns(np.array([True] * 3)).items()} == {"stage: a": [0, 1, 0]}
    assert score.known.tolist() == [False, True, True]
    assert stage.columns(np.array([True, False, True])) == {}


def test_covariates_that_cannot_be_used_are_told_together():
    study = make_study(3, stage=["b", "a", "b"], empty=[None] * 3)
    with pytest.raises(ConfigError) as caught:
        collect_covariates(study, ["stages", "empty"], patients=["P000"])
    assert "There is no covariate 'stages' in tables patients and samples. Did you mean 'stage'?" in str(
        caught.value
    )
    assert "Covariate 'empty' has no value in any patient." in str(caught.value)


def test_the_sample_of_the_patient_that_has_expression_is_used():
    samples = [
        {"sample_id": "S0", "patient_id": "P000", "day": -9.0},
        {"sample_id": "S0b", "patient_id": "P000", "day": -2.0},
        *({"sample_id": f"S{i}", "patient_id": f"P{i:03d}", "day": -2.0} for i in range(1, 24)),
    ]
    study = make_study(24, samples=samples)
    order = np.array([i * 5 % 24 for i in range(24)], dtype=float)
    matrix = Genes(tuple(f"S{i}" for i in range(24)), np.vstack([order, order, -0.1 * order]))
    tables = {"best_response": best_of(["PR" if value > 11 else "PD" for value in order]), **nothing()}
    found = audit_confounders(study, tables=tables, matrix=matrix)
    assert look(found)["n"] == 24
    assert look(found)["auc"] == 1.0
    assert pl.Series(matrix.samples).n_unique() == 24
