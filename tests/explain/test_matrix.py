"""Expression as a matrix: scales, names, duplicates, samples; on made tables and on the shared data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hccresist.errors import ConfigError
from hccresist.explain.genes import read_genes
from hccresist.explain.matrix import Prepared, prepare_expression, prepare_frame
from hccresist.explain.results import GeneReport, SampleReport
from hccresist.explain.scale import convert_scale, judge_scale
from hccresist.study.frames import study_from_frames

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def some_genes(n: int) -> list[str]:
    return (
        read_genes().genes.filter(pl.col("locus") == "gene with protein product")["symbol"].head(n).to_list()
    )


def prepare(genes: list[str], values: np.ndarray, *, scale: str | None = None) -> Prepared:
    names = [f"S{number}" for number in range(values.shape[1])]
    frame = pl.DataFrame({"gene": genes} | dict(zip(names, values.T.tolist(), strict=True)))
    return prepare_frame(frame, patients={name: f"P{name}" for name in names}, scale=scale)


def counts(genes: int, samples: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).negative_binomial(1, 0.005, size=(genes, samples)).astype(float)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0, 1, 7, 250, 3000], "counts"),
        ([0, 0, 12.3, 250.5, 3000.1], "linear"),
        ([0, 0.5, 3.3, 11.2, 16.9], "log"),
        ([-9.97, 0.5, 3.3, 11.2, 16.9], "log"),
        ([-3.1, -0.2, 0.1, 0.4, 2.9], "log"),
        ([5.7, 6.1, 20.4, 40.2, 87.9], "linear"),
        ([0, 12.37, 3, 250, 3000], "counts"),  # estimated counts: most are whole
        ([0, 1, 2, 3, 4], ""),
        ([0.0, 0.2, 0.4, 0.9, 1.0], ""),
        ([0.5, 3.3, 11.2, 16.9, 33.3], ""),
        ([-300.0, 3.3, 11.2, 16.9, 12_000.5], ""),
    ],
)
def test_scale_of_a_table(values: list[float], scale: str) -> None:
    table = np.array([values, values[::-1]], dtype=float).T
    assert judge_scale(table).scale == scale


def test_centred_values_are_recognised_and_told() -> None:
    values = np.random.default_rng(0).normal(5, 2, size=(200, 12))
    values -= values.mean(axis=1, keepdims=True)
    prepared = prepare(some_genes(200), values)
    assert prepared.matrix.scale == "centred"
    assert any("centred gene by gene" in notice for notice in prepared.notices)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0, 1, 2, 3, 4], "small counts or rounded logarithms"),
        ([0.0, 0.2, 0.4, 0.9, 1.0], "methylation"),
        ([-300.0, 3.3, 11.2, 16.9, 12_000.5], "too far out for a logarithm"),
        ([0.5, 3.3, 11.2, 16.9, 33.3], "too high for logarithms and too low for linear"),
    ],
)
def test_an_ambiguous_table_is_refused_and_can_be_named(values: list[float], words: str) -> None:
    table = np.array([values] * 2, dtype=float).T
    prepared = prepare(some_genes(5), table)
    assert prepared.matrix.samples == ()
    assert not prepared.sample_report["used"].any()
    assert words in prepared.notices[0]
    assert "Name its scale" in prepared.notices[0]
    assert prepare(some_genes(5), table, scale="log").matrix.samples == ("S0", "S1")


def test_an_unknown_scale_is_refused() -> None:
    with pytest.raises(ConfigError, match="counts, linear, log, centred"):
        prepare(some_genes(2), np.ones((2, 2)), scale="log10")


def test_whole_counts_become_log2_counts_per_million() -> None:
    table = counts(9_000)
    prepared = prepare(some_genes(9_000), table)
    expected = np.log2(table / table.sum(axis=0) * 1e6 + 1)
    order = np.argsort(some_genes(9_000))
    assert np.allclose(prepared.matrix.values, expected[order])
    assert "counts per million" in prepared.matrix.scale


def test_counts_of_few_genes_are_scaled_by_their_upper_quartile_and_told() -> None:
    table = counts(300)
    prepared = prepare(sorted(some_genes(300)), table)
    for number in range(table.shape[1]):
        column = table[:, number]
        quartile = np.quantile(column[column > 0], 0.75)
        assert np.allclose(prepared.matrix.values[:, number], np.log2(column / quartile * 100 + 1))
    assert any("library size is unknown" in notice for notice in prepared.notices)


def test_a_pseudocount_below_one_is_brought_to_one() -> None:
    tpm = np.array([[0.0, 1.0], [7.0, 100.0], [1000.0, 0.5]])
    prepared = prepare(sorted(some_genes(3)), np.log2(tpm + 0.001))
    assert np.allclose(prepared.matrix.values, np.log2(tpm + 1), atol=1e-6)
    assert any("log2(x + 0.001)" in notice for notice in prepared.notices)


def test_a_sample_on_another_scale_is_left_out_and_told() -> None:
    table = np.random.default_rng(1).uniform(0.1, 15, size=(1_200, 5))
    table[:, 2] = np.exp2(table[:, 2])
    prepared = prepare(some_genes(1_200), table)
    assert prepared.matrix.samples == ("S0", "S1", "S3", "S4")
    row = prepared.sample_report.row(2, named=True)
    assert (row["used"], row["scale"]) == (False, "linear")
    assert row["note"] == "on another scale (linear) than the other samples (log)"


def test_samples_half_on_one_scale_and_half_on_another_are_refused() -> None:
    table = np.random.default_rng(1).uniform(0.1, 15, size=(1_200, 4))
    table[:, 2:] = np.exp2(table[:, 2:])
    prepared = prepare(some_genes(1_200), table)
    assert prepared.matrix.samples == ()
    assert "different scales (2 linear, 2 log)" in prepared.notices[0]


def test_a_low_sample_of_a_small_linear_panel_stays() -> None:
    table = np.random.default_rng(1).uniform(0.1, 400, size=(60, 5))
    table[:, 2] /= 40
    prepared = prepare(some_genes(60), table)
    assert set(prepared.sample_report["scale"]) == {"linear"}
    assert prepared.sample_report["used"].all()


def test_samples_without_values_or_patient_are_left_out_and_told() -> None:
    table = np.random.default_rng(1).uniform(0.1, 15, size=(50, 4))
    table[:, 1] = np.nan
    table[:, 2] = 4.0
    frame = pl.DataFrame({"gene": some_genes(50)} | {f"S{n}": table[:, n] for n in range(4)})
    prepared = prepare_frame(frame, patients={"S0": "A", "S1": "A", "S2": "B"})
    assert prepared.matrix.samples == ("S0",)
    assert prepared.patients == {"S0": "A"}
    notes = prepared.sample_report["note"].to_list()
    assert notes[1:3] == ["no value", "all values are the same"]
    assert "belongs to no patient" in notes[3]


def test_missing_and_infinite_values_stay_with_their_sample() -> None:
    table = np.random.default_rng(1).uniform(0.1, 15, size=(50, 3))
    genes = sorted(some_genes(50))
    holed = table.copy()
    holed[3, 1], holed[4, 2] = np.nan, np.inf
    values = prepare(genes, holed).matrix.values
    assert np.argwhere(np.isnan(values)).tolist() == [[3, 1], [4, 2]]
    assert np.array_equal(values[:, 0], table[:, 0])


def test_names_are_resolved_and_what_was_lost_is_told() -> None:
    genes = ["CTGF", "ENSG00000141510.18", "7422", "MLL2", "nonsense", "AFP"]
    table = np.random.default_rng(1).uniform(0.1, 15, size=(6, 2))
    prepared = prepare(genes, table)
    assert prepared.matrix.genes == ("AFP", "CCN2", "TP53", "VEGFA")
    assert np.array_equal(prepared.matrix.values, table[[5, 0, 1, 2]])
    report = {row["given"]: row for row in prepared.gene_report.iter_rows(named=True)}
    assert report["CTGF"]["how"] == "previous"
    assert report["MLL2"]["note"].startswith("left out")
    assert "AFP" not in report
    assert any("2 of 6 rows were lost: 1 names unknown, 1 ambiguous" in notice for notice in prepared.notices)


def test_the_approved_name_comes_first_and_equals_give_their_highest_value() -> None:
    genes = ["CTGF", "CCN2", "ENSG00000141510.1", "ENSG00000141510.2", "AFP"]
    table = np.array([[9.0, 9.0], [1.0, 2.0], [3.0, 8.0], [5.0, np.nan], [4.0, 4.5]])
    prepared = prepare(genes, table, scale="log")
    assert prepared.matrix.genes == ("AFP", "CCN2", "TP53")
    assert prepared.matrix.values.tolist() == [[4.0, 4.5], [1.0, 2.0], [5.0, 8.0]]
    report = {row["given"]: row for row in prepared.gene_report.iter_rows(named=True)}
    assert report["CTGF"]["note"].startswith("left out: another row")
    assert {report[name]["how"] for name in genes[:4]} == {"duplicate"}


def test_reports_fit_the_contract() -> None:
    prepared = prepare(["CTGF", "CCN2", "nonsense"], np.random.default_rng(1).uniform(0.1, 15, size=(3, 2)))
    assert GeneReport.is_valid(prepared.gene_report)
    assert SampleReport.is_valid(prepared.sample_report)


def test_a_sample_does_not_depend_on_the_others() -> None:
    table = counts(300, 8)
    genes = some_genes(300)
    alone = prepare(genes, table[:, :1]).matrix.values[:, 0]
    assert np.array_equal(alone, prepare(genes, table).matrix.values[:, 0])


def test_converting_keeps_the_order_of_values_within_a_sample() -> None:
    for scale in ("counts", "linear", "log", "centred"):
        table = counts(60) + 1
        after = convert_scale(table, scale).values
        assert np.array_equal(
            np.argsort(after, axis=0, kind="stable"), np.argsort(table, axis=0, kind="stable")
        )


def test_a_study_gives_patients_by_its_samples_table_or_by_name() -> None:
    table = np.random.default_rng(1).uniform(0.1, 15, size=(20, 2))
    expression = pl.DataFrame({"gene": some_genes(20), "A": table[:, 0], "B": table[:, 1]})
    patients = pl.DataFrame({"patient_id": ["A", "P2"]})
    named = study_from_frames(patients=patients, expression=expression)
    assert prepare_expression(named).patients == {"A": "A"}
    samples = pl.DataFrame({"sample_id": ["A", "B"], "patient_id": ["P2", "A"]})
    known = study_from_frames(patients=patients, expression=expression, samples=samples)
    assert prepare_expression(known).patients == {"A": "P2", "B": "A"}


def test_a_study_without_expression_is_refused() -> None:
    survival = pl.DataFrame({"patient_id": ["A"], "os_days": [3.0], "died": [True]})
    responses = pl.DataFrame(
        {"patient_id": ["A"], "criterion": ["recist11"], "day": [50.0], "overall": ["PR"]}
    )
    study = study_from_frames(
        patients=pl.DataFrame({"patient_id": ["A"]}), survival=survival, responses=responses
    )
    with pytest.raises(ConfigError, match="no table expression"):
        prepare_expression(study)


@pytest.mark.parametrize(
    ("path", "scale", "notice"),
    [
        # What each table is: the README of its folder.
        ("hcc_tpm_demo10/tpm.parquet", "log", ""),
        ("hoshida2009_hcc80/expression.parquet", "linear", "brought to log2(x + 1)"),
        ("ici_gbm_enlight/expression.parquet", "counts", "counts per million"),
        ("ici_rcc_enlight/expression.parquet", "linear", "may have been transformed before"),
        ("ici_predictior_small/riaz/expression.parquet", "log", "log2(x + 0.001)"),
        ("ici_predictior_small/padron/expression.parquet", "log", "log2(x + 0.001)"),
        ("lee2004_hcc91/expression.parquet", "log", "ratios to another sample"),
    ],
)
def test_shared_tables_are_read_for_what_they_are(path: str, scale: str, notice: str) -> None:
    file = SHARED / path
    if not file.exists():
        pytest.skip(f"shared data {path} are not at hand")
    frame = pl.read_parquet(file)
    prepared = prepare_frame(frame, patients={name: name for name in frame.columns})
    assert set(prepared.sample_report["scale"]) == {scale}
    assert prepared.sample_report["used"].all()
    assert any(notice in told for told in prepared.notices) or not notice
    assert len(prepared.matrix.genes) > 0.9 * frame.height
