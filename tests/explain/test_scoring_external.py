"""Scores by gseapy and decoupler: against R's GSVA on real tumours, and against plain least squares."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hccresist.errors import ConfigError
from hccresist.explain.matrix import Matrix
from hccresist.explain.scoring_external import score_external
from hccresist.explain.signatures import Signature

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
GENES = tuple(f"G{number:03}" for number in range(120))


def random_matrix(samples: int = 6) -> Matrix:
    values = np.random.default_rng(0).normal(5, 2, size=(120, samples))
    return Matrix(genes=GENES, samples=tuple(f"S{n}" for n in range(samples)), values=values, scale="log2")


def make_set(name: str, up: tuple[str, ...], down: tuple[str, ...] = ()) -> Signature:
    return Signature(name=name, mechanism_id="BIO-GEP", up=up, down=down)


@pytest.mark.parametrize("method", ["ssgsea", "gsva"])
def test_scores_agree_with_those_of_r(method: str) -> None:
    # hcc_tpm_demo10/reference_scores: R 4.2.2, r-bioc-gsva 1.46.0, ssgsea with ssgsea.norm=FALSE.
    pytest.importorskip("gseapy", reason="the extra omics is not installed")
    folder = SHARED / "hcc_tpm_demo10"
    if not folder.exists():
        pytest.skip("shared data hcc_tpm_demo10 are not at hand")
    table = pl.read_parquet(folder / "tpm.parquet")
    samples = sorted(name for name in table.columns if name != "gene")
    values = table.select(samples).to_numpy().astype(float)
    # The symbols as they stand, as R saw them.
    matrix = Matrix(genes=tuple(table["gene"]), samples=tuple(samples), values=values, scale="log2")
    lines = (SHARED / "signatures" / "hallmark_v7.0.gmt").read_text().splitlines()
    sets = [make_set(line.split("\t")[0], tuple(line.split("\t")[2:])) for line in lines]
    theirs = pl.read_csv(folder / "reference_scores" / f"R_GSVA_1.46.0_{method}.tsv", separator="\t")
    long = theirs.rename({theirs.columns[0]: "set"}).unpivot(
        index="set", variable_name="sample_id", value_name="r"
    )
    ours = score_external(matrix, sets, method=method)
    both = ours.join(long, on=["set", "sample_id"])
    assert both.height == 500
    assert np.corrcoef(both["score"].to_numpy(), both["r"].to_numpy())[0, 1] >= 0.999


def test_ulm_is_the_t_of_a_simple_regression() -> None:
    pytest.importorskip("decoupler", reason="the extra omics is not installed")
    matrix = random_matrix()
    sets = [make_set("a", GENES[:20]), make_set("b", GENES[10:25], GENES[40:50])]
    ours = score_external(matrix, sets, method="ulm")
    for signature in sets:
        weight = np.array([(g in signature.up) * 1.0 - (g in signature.down) for g in GENES])
        for number, sample in enumerate(matrix.samples):
            r = np.corrcoef(weight, matrix.values[:, number])[0, 1]
            t = r * np.sqrt((len(GENES) - 2) / (1 - r * r))
            row = ours.row(
                by_predicate=(pl.col("set") == signature.name) & (pl.col("sample_id") == sample), named=True
            )
            assert row["score"] == pytest.approx(t, rel=1e-4)
            assert row["method"] == "ulm"


def test_halves_are_joined_and_small_sets_refused() -> None:
    pytest.importorskip("gseapy", reason="the extra omics is not installed")
    matrix = random_matrix()
    sets = [
        make_set("both", GENES[:10], GENES[20:30]),
        make_set("up", GENES[:10]),
        make_set("down", (), GENES[20:30]),
        make_set("few", GENES[:4]),
    ]
    found = score_external(matrix, sets, method="ssgsea")
    score = {name: part.sort("sample_id")["score"] for (name,), part in found.group_by("set")}
    expected = (score["up"] + score["down"]) / 2
    assert score["both"].to_list() == pytest.approx(expected.to_list(), abs=1e-6)
    assert score["few"].null_count() == 6
    assert found.filter(set="few")["reason"][0] == "fewer than 5 genes of the set measured"


def test_genes_that_a_sample_lacks_are_left_out() -> None:
    pytest.importorskip("gseapy", reason="the extra omics is not installed")
    matrix = random_matrix()
    matrix.values[0, 3] = np.nan
    found = score_external(matrix, [make_set("a", GENES[:10])], method="ssgsea")
    assert found["coverage"].to_list() == [0.9] * 6
    assert found["score"].null_count() == 0


def test_a_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for package, method in (("gseapy", "ssgsea"), ("decoupler", "ulm")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ConfigError, match=rf"{method} needs the package {package}.*hccresist\[omics\]"):
            score_external(random_matrix(), [make_set("a", GENES[:10])], method=method)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ConfigError, match="ssgsea, gsva, ulm, mlm"):
        score_external(random_matrix(), [], method="plage")
