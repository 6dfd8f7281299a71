"""Scores of single cells: against scipy's ranks, in every shape of AnnData, and when cut short."""

from __future__ import annotations

import json
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_matrix, csr_array, csr_matrix
from scipy.stats import rankdata

from hccresist.cli import main
from hccresist.errors import ConfigError, InputError
from hccresist.explain import cells_source
from hccresist.explain.cells import CHUNK, score_cells
from hccresist.explain.cells_core import Universe, score_dense, score_sparse
from hccresist.explain.genes import read_genes
from hccresist.explain.matrix import Matrix
from hccresist.explain.scoring import score_rank
from hccresist.explain.scoring_core import find_members
from hccresist.explain.signatures import Signature, read_signatures, select_signatures

anndata = pytest.importorskip("anndata", reason="needs the extra omics")
h5py = pytest.importorskip("h5py")
pd = pytest.importorskip("pandas")

SETS = tuple(s for s in select_signatures(read_signatures()) if s.name.startswith(("HALLMARK", "T_INFL")))[
    :12
]
BALANCED = Signature(
    name="BALANCE", mechanism_id="BIO-GEP", up=SETS[0].up[:9], down=SETS[1].up[:7], kind="own"
)
WANTED = (*SETS, BALANCED)


def name_genes(size: int = 2_500) -> list[str]:
    used = sorted({gene for signature in WANTED for gene in signature.genes})
    others = sorted(read_genes().symbols() - set(used))[: size - len(used)]
    return np.random.default_rng(0).permutation([*used, *others]).tolist()


GENES = name_genes()


def simulate(cells: int = 60, *, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    level = rng.gamma(0.4, 0.5, len(GENES))
    return rng.poisson(level * rng.lognormal(0, 0.6, (cells, 1))).astype(np.float32)


def make_data(values, *, genes: list[str] | None = None):
    rows = values.shape[0]
    obs, var = pd.DataFrame(index=[f"c{n}" for n in range(rows)]), pd.DataFrame(index=genes or GENES)
    return anndata.AnnData(values, obs=obs, var=var)


def naive_score(column: np.ndarray, genes: list[str], signature: Signature) -> float:
    """Rank score of one cell by scipy's average ranks of the dense row."""
    held = np.isfinite(column)
    names = [gene for gene, there in zip(genes, held, strict=True) if there]
    ranks = dict(zip(names, rankdata(column[held]), strict=True))
    halves = []
    for half in (signature.up, signature.down):
        found = [ranks[gene] for gene in half if gene in ranks]
        middle = (len(names) + 1) / 2
        halves.append((sum(found) / len(found) - middle) / (len(names) - len(found)) if found else 0.0)
    return (halves[0] - halves[1]) / (2.0 if signature.up and signature.down else 1.0)


def read_scores(made) -> np.ndarray:
    return made.scores.select(made.sets).to_numpy()


def test_scores_of_sparse_cells_equal_scipy_ranks_of_the_dense_rows() -> None:
    values = simulate(25)
    made = score_cells(make_data(csr_matrix(values)), WANTED)
    kept = {signature.name: signature for signature in WANTED}
    assert set(made.sets) == set(kept)
    for number in range(25):
        naive = [naive_score(values[number], GENES, kept[name]) for name in made.sets]
        assert read_scores(made)[number] == pytest.approx(naive, abs=1e-6)
    assert made.scores["genes"].to_list() == (values > 0).sum(axis=1).tolist()
    assert made.scores["cell_id"].to_list() == [f"c{n}" for n in range(25)]


def test_cells_score_as_tumours_do() -> None:
    """The rank score of `hccresist.explain.scoring`, which has its own naive implementation as a test."""
    values = simulate(10)
    order = np.argsort(GENES)
    matrix = Matrix(
        genes=tuple(sorted(GENES)),
        samples=tuple(f"c{n}" for n in range(10)),
        values=values[:, order].T.astype(float),
        scale="log2",
    )
    tumours = score_rank(matrix, WANTED).pivot("set", index="sample_id", values="score")
    made = score_cells(make_data(csr_matrix(values)), WANTED)
    for name in made.sets:
        assert made.scores[name].to_numpy() == pytest.approx(tumours[name].to_numpy(), abs=1e-6)


SMALL = tuple(
    Signature(
        name=f"S{n}", mechanism_id="BIO-GEP", up=tuple(GENES[n : n + 3]), down=tuple(GENES[9 : 9 + 2 * n])
    )
    for n in range(3)
)


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(
        st.lists(st.sampled_from([0.0, 0.0, 0.0, 1.0, 1.0, 2.5, -1.0, 7.0]), min_size=20, max_size=20),
        min_size=1,
        max_size=5,
    ),
    ranked=st.integers(15, 20),
)
def test_sparse_and_dense_rows_agree_whatever_is_in_them(rows: list[list[float]], ranked: int) -> None:
    values = np.array(rows)
    genes = GENES[:ranked]
    order = np.argsort(genes)
    place, member = np.full(20, -1), np.full(20, -1, dtype=np.int32)
    place[order] = np.arange(ranked)
    members = find_members(sorted(genes), SMALL)
    member[order[members.rows]] = np.arange(members.rows.size)
    universe = Universe(tuple(sorted(genes)), order, place, member, ranked == 20, members)
    sparse, dense = score_sparse(csr_array(values), universe), score_dense(values, universe)
    assert sparse.scores == pytest.approx(dense.scores, abs=1e-9, nan_ok=True)
    assert sparse.detected.tolist() == dense.detected.tolist()
    assert sparse.negative.tolist() == dense.negative.tolist()
    explicit = csr_array((values.ravel(), np.tile(np.arange(20), len(rows)), np.arange(len(rows) + 1) * 20))
    again = score_sparse(explicit, universe)
    assert again.scores == pytest.approx(sparse.scores, abs=1e-12, nan_ok=True)


def test_scale_and_other_cells_do_not_matter() -> None:
    values = simulate(30)
    plain = read_scores(score_cells(make_data(csr_matrix(values)), WANTED))
    depth = values.sum(axis=1, keepdims=True)
    logs = np.log1p(values / depth * 1e4).astype(np.float32)
    assert np.array_equal(read_scores(score_cells(make_data(csr_matrix(logs)), WANTED)), plain)
    counts = csr_matrix(values.astype(np.int64))
    assert np.array_equal(read_scores(score_cells(make_data(counts), WANTED)), plain)
    assert np.array_equal(read_scores(score_cells(make_data(csr_matrix(values[7:8])), WANTED)), plain[7:8])


def test_every_shape_of_anndata_gives_the_same(tmp_path: Path) -> None:
    values = simulate(40)
    values[3] = 0
    expected = score_cells(make_data(csr_matrix(values)), WANTED).scores
    dense = score_cells(make_data(values), WANTED).scores
    assert dense["genes"].equals(expected["genes"])
    for shape, held in (("csr", csr_matrix(values)), ("csc", csc_matrix(values)), ("dense", values)):
        data = make_data(held)
        path = tmp_path / f"{shape}.h5ad"
        data.write_h5ad(path)
        right = dense if shape == "dense" else expected
        for source in (data, path, anndata.read_h5ad(path, backed="r")):
            assert score_cells(source, WANTED).scores.equals(right)
            assert score_cells(source, WANTED, chunk=7).scores.equals(right)
        out = tmp_path / f"{shape}.parquet"
        made = score_cells(path, WANTED, out=out, chunk=16)
        assert made.scores is None
        assert pl.read_parquet(out).equals(right)
    difference = dense.drop("cell_id").to_numpy() - expected.drop("cell_id").to_numpy()
    assert float(np.nanmax(np.abs(difference))) < 1e-6


def test_an_empty_cell_has_no_score_and_missing_values_stay_with_their_cell() -> None:
    values = simulate(12)
    plain = read_scores(score_cells(make_data(csr_matrix(values)), WANTED))
    values[2] = 0
    values[5, :40] = np.nan
    values[6, 3] = -1
    for held in (csr_matrix(values), values):
        made = score_cells(make_data(held), WANTED)
        scores = read_scores(made)
        assert made.scores.select(made.sets)[2].null_count().sum_horizontal()[0] == len(made.sets)
        naive = [naive_score(values[5], GENES, s) for s in sorted(WANTED, key=lambda s: s.name)]
        assert scores[5] == pytest.approx(naive, abs=1e-6)
        rest = [n for n in range(12) if n not in (2, 5, 6)]
        assert scores[rest] == pytest.approx(plain[rest], abs=1e-7)
        assert len(made.notices) == 3
        assert "1 cell without a score" in made.notices[0]
        assert "values below 0" in made.notices[1]
        assert "not finite" in made.notices[2]


def test_a_cell_that_misses_a_set_has_no_score_of_it() -> None:
    values = simulate(6)
    gone = [gene in set(SETS[2].up) for gene in GENES]
    values[4, gone] = np.nan
    made = score_cells(make_data(csr_matrix(values)), WANTED)
    assert made.scores[SETS[2].name].is_null().to_list() == [n == 4 for n in range(6)]


def test_names_are_resolved_and_duplicates_told() -> None:
    values = simulate(8)
    genes = list(GENES)
    spare = [number for number, gene in enumerate(GENES) if gene not in {g for s in WANTED for g in s.genes}]
    genes[spare[0]] = "not_a_gene"
    first = next(number for number, gene in enumerate(GENES) if gene == SETS[0].up[0])
    genes[spare[1]] = genes[first]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anndata warns of names that are not unique
        data = make_data(csr_matrix(values), genes=genes)
    made = score_cells(data, WANTED)
    assert made.genes == len(GENES) - 2
    report = {row["given"]: row for row in made.gene_report.iter_rows(named=True)}
    assert report["not_a_gene"]["how"] == "unknown"
    assert report[genes[first]]["how"] == "duplicate"
    keep = [n for n in range(len(GENES)) if n not in (spare[0], max(first, spare[1]))]
    plain = score_cells(make_data(csr_matrix(values[:, keep]), genes=[genes[n] for n in keep]), WANTED)
    assert made.scores.drop("genes").equals(plain.scores.drop("genes"))
    assert "1 of 2,500 columns are no known gene and were not ranked" in made.notices


def test_layers_raw_and_a_gene_column_can_be_named(tmp_path: Path) -> None:
    values = simulate(9)
    data = make_data(csr_matrix(np.zeros_like(values)))
    data.layers["counts"] = csr_matrix(values)
    data.raw = make_data(csr_matrix(values[:, :2_000]), genes=GENES[:2_000])
    data.var["symbol"] = GENES
    data.var_names = [f"row{n}" for n in range(len(GENES))]
    path = tmp_path / "a.h5ad"
    data.write_h5ad(path)
    plain = score_cells(make_data(csr_matrix(values)), WANTED).scores
    raw = score_cells(make_data(csr_matrix(values[:, :2_000]), genes=GENES[:2_000]), WANTED).scores
    for source in (data, path):
        assert score_cells(source, WANTED, layer="counts", gene_column="symbol").scores.equals(plain)
        assert score_cells(source, WANTED, layer="raw").scores.equals(raw)
        with pytest.raises(InputError, match=r"genes that are known.*There are: symbol"):
            score_cells(source, WANTED, layer="counts")
        with pytest.raises(InputError, match=r"var has no such column.*It has: symbol"):
            score_cells(source, WANTED, gene_column="symbols")
    with pytest.raises(InputError, match=r"no layers/nix.*layer counts, raw"):
        score_cells(path, WANTED, layer="nix")
    with pytest.raises(ConfigError, match="no layer 'nix'; it has: counts"):
        score_cells(data, WANTED, layer="nix")


def test_sets_with_too_few_genes_are_refused_and_told() -> None:
    genes = GENES[:300]
    data = make_data(csr_matrix(simulate(5)[:, :300]), genes=genes)
    some = Signature(name="MINE", mechanism_id="BIO-GEP", up=tuple(genes[:6]), kind="own")
    made = score_cells(data, (*WANTED, some))
    table = {row["set"]: row for row in made.coverage.iter_rows(named=True)}
    for signature in (*WANTED, some):
        found = len(set(signature.genes) & set(genes))
        enough = found >= 5 and found / len(signature.genes) >= 0.25
        assert (signature.name in made.sets) == enough == table[signature.name]["scored"]
    with pytest.raises(InputError, match="none of the 1 sets has enough genes among the 300 of the file"):
        score_cells(data, [Signature(name="NONE", mechanism_id="BIO-GEP", up=tuple(GENES[400:410]))])
    few = Signature(name="FEW", mechanism_id="BIO-GEP", up=(*genes[:2], *GENES[400:410]), kind="own")
    assert score_cells(data, [few], min_coverage=0.1).sets == ("FEW",)


def test_options_that_make_no_sense_are_refused() -> None:
    data = make_data(csr_matrix(simulate(3)))
    with pytest.raises(ConfigError, match="chunk is 0"):
        score_cells(data, WANTED, chunk=0)
    with pytest.raises(ConfigError, match="method is 'aucell'"):
        score_cells(data, WANTED, method="aucell")
    twin = Signature(name=SETS[0].name, mechanism_id="BIO-GEP", up=SETS[1].up, kind="own")
    with pytest.raises(ConfigError, match=f"name of its own.*{SETS[0].name}"):
        score_cells(data, (*WANTED, twin))


def test_blocks_keep_to_cells_and_to_stored_values(monkeypatch) -> None:
    data = make_data(csr_matrix(simulate(50)))
    stored = np.asarray(data.X.indptr)
    monkeypatch.setattr(cells_source, "MAX_STORED", int(stored[12]))
    with cells_source.open_cells(data) as cells:
        bounds = cells.plan(CHUNK)
    assert [first for first, _ in bounds] == [0, *(last for _, last in bounds[:-1])]
    assert bounds[-1][1] == 50
    assert max(int(stored[last] - stored[first]) for first, last in bounds) <= int(stored[12])
    assert len(bounds) > 3
    monkeypatch.setattr(cells_source, "MAX_STORED", 1)
    with cells_source.open_cells(data) as cells:
        assert cells.plan(CHUNK) == [(n, n + 1) for n in range(50)]
    monkeypatch.setattr(cells_source, "MAX_DENSE", 3 * len(GENES))
    with cells_source.open_cells(make_data(simulate(7))) as cells:
        assert cells.plan(CHUNK) == [(0, 3), (3, 6), (6, 7)]


def test_a_large_matrix_by_columns_is_refused_with_the_way_out(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "c.h5ad"
    make_data(csc_matrix(simulate(5))).write_h5ad(path)
    monkeypatch.setattr(cells_source, "SMALL_COLUMNS", 100)
    with pytest.raises(ConfigError, match=r"lies by columns .*tocsr\(\)"):
        score_cells(path, WANTED)


def test_a_damaged_file_is_told_without_a_traceback(tmp_path: Path) -> None:
    text, cut, gone = tmp_path / "a.h5ad", tmp_path / "b.h5ad", tmp_path / "c.h5ad"
    text.write_text("not a file of cells")
    make_data(csr_matrix(simulate(5))).write_h5ad(cut)
    cut.write_bytes(cut.read_bytes()[:4_000])
    for path, words in ((text, "no HDF5 file"), (cut, "cannot be read"), (gone, "cannot be read")):
        with pytest.raises(InputError, match=words):
            score_cells(path, WANTED)


def test_a_file_without_cells_or_without_part_of_its_matrix_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.h5ad"
    make_data(csr_matrix(simulate(3))[:0]).write_h5ad(path)
    with pytest.raises(InputError, match="no cells"):
        score_cells(path, WANTED)
    make_data(csr_matrix(simulate(3))).write_h5ad(path)
    with h5py.File(path, "a") as file:
        del file["X/indices"]
    with pytest.raises(InputError, match="X lacks indices"):
        score_cells(path, WANTED)


def test_cells_of_one_name_are_told() -> None:
    data = make_data(csr_matrix(simulate(4)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anndata warns of names that are not unique
        data.obs_names = ["a", "b", "a", "a"]
        made = score_cells(data, WANTED)
    assert made.notices[0].startswith("2 cells bear the name of another cell")
    assert made.scores["cell_id"].to_list() == ["a", "b", "a", "a"]


@pytest.mark.parametrize("kind", ["bool", "uint16", "int32", "float16", "float64"])
def test_every_kind_of_number_is_read(tmp_path: Path, kind: str) -> None:
    values, path = np.minimum(simulate(5), 1.0), tmp_path / "a.h5ad"
    make_data(csr_matrix(values)).write_h5ad(path)
    with h5py.File(path, "a") as file:
        held = file["X/data"][:].astype(kind)
        del file["X/data"]
        file["X/data"] = held
    naive = [naive_score(values[4], GENES, s) for s in sorted(WANTED, key=lambda s: s.name)]
    for source in (path, make_data(values.astype(kind))):
        assert read_scores(score_cells(source, WANTED))[4] == pytest.approx(naive, abs=1e-6)


def test_what_is_cut_short_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    path, out = tmp_path / "a.h5ad", tmp_path / "scores.parquet"
    make_data(csr_matrix(simulate(30))).write_h5ad(path)

    def stop(done: int, total: int) -> None:
        assert total == 30
        assert not out.exists()
        if done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_cells(path, WANTED, out=out, chunk=10, progress=stop)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.h5ad"]


def test_the_command_writes_a_folder_and_is_repeatable(tmp_path: Path, capsys) -> None:
    path = tmp_path / "a.h5ad"
    values = simulate(30)
    values[0] = 0
    make_data(csr_matrix(values)).write_h5ad(path)
    gmt = tmp_path / "own.gmt"
    gmt.write_text("MINE\tFER-SLC\t" + "\t".join(SETS[0].up[:8]) + "\n", encoding="utf-8")
    options = ["cells", str(path), "--gmt", str(gmt), "--chunk", "8", "--out"]
    assert main([*options, str(tmp_path / "one")]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("30 cells, 2,500 genes, ")
    assert "1 cell without a score" in said.err
    assert main([*options, str(tmp_path / "two"), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    names = {entry.name for entry in (tmp_path / "one").iterdir()}
    assert names == {"cell_scores.parquet", "coverage.csv", "gene_report.csv", "cells.json"}
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    record = json.loads((tmp_path / "one" / "cells.json").read_text())
    rows = pl.read_parquet(tmp_path / "one" / "cell_scores.parquet")
    assert rows.columns == ["cell_id", "genes", *record["sets"]]
    assert "MINE" in record["sets"]
    own = Signature(name="MINE", mechanism_id="FER-SLC", up=SETS[0].up[:8], kind="own")
    assert rows["MINE"].to_numpy()[1:] == pytest.approx(
        [naive_score(column, GENES, own) for column in values[1:]], abs=1e-6
    )


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--min-coverage", "1.5"), 2, "--min-coverage is 1.5"),
        (("--chunk", "0"), 2, "--chunk is 0"),
        (("--layer", "nix"), 1, "no layers/nix"),
        (("--gene-column", "nix"), 1, "no such column"),
    ],
)
def test_a_wrong_option_is_told_and_nothing_is_written(
    tmp_path: Path, capsys, options: tuple[str, ...], code: int, words: str
) -> None:
    path = tmp_path / "a.h5ad"
    make_data(csr_matrix(simulate(3))).write_h5ad(path)
    assert main(["cells", str(path), "--out", str(tmp_path / "out"), *options]) == code
    assert words in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.h5ad"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path, capsys) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["cells", "any.h5ad", "--out", str(tmp_path)]) == 2
    assert "not an empty folder" in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]


def test_memory_does_not_grow_with_the_number_of_cells(tmp_path: Path) -> None:
    """Peak of what Python and numpy hold; the million of `benchmarks/bench_cells.py` measures the process."""
    peaks, stored = [], 0
    for times in (1, 8):
        path = tmp_path / f"{times}.h5ad"
        rows = csr_matrix(np.tile(simulate(1_000), (times, 1)))
        make_data(rows).write_h5ad(path)
        stored = rows.data.nbytes + rows.indices.nbytes
        del rows
        tracemalloc.start()
        try:
            score_cells(path, WANTED, out=tmp_path / f"{times}.parquet", chunk=250)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert stored > 20e6
    assert peaks[1] - peaks[0] < stored / 8
