"""Nearest templates and marker means: against plain loops, published classes, and what must be refused."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import false_discovery_control

from hccresist.errors import ConfigError
from hccresist.explain.classes import (
    CLASSIFICATIONS,
    DRAWS,
    MAX_Q,
    MIN_CLASS_COHORT,
    UNCLASSIFIED,
    classify_tumours,
    count_cells,
)
from hccresist.explain.classes_core import adjust_fdr, draw_orders, find_nearest
from hccresist.explain.matrix import Matrix, Prepared, prepare_frame
from hccresist.explain.reference import build_reference
from hccresist.explain.results import Classes, MechanismScores
from hccresist.explain.signatures import Signature, read_signatures

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY.parent / "shared" / "data"
PAGE = REPOSITORY / "docs" / "explanation" / "classes.md"
SETS = {signature.name: signature for signature in read_signatures()}
HOSHIDA = [SETS[f"HOSHIDA_LIVER_CANCER_SUBCLASS_S{n}"] for n in (1, 2, 3)]


def make_matrix(values: np.ndarray, genes: list[str], *, scale: str = "log2") -> Matrix:
    samples = tuple(f"s{n:03d}" for n in range(values.shape[1]))
    return Matrix(genes=tuple(genes), samples=samples, values=values, scale=scale)


def own_patients(matrix: Matrix) -> dict[str, str]:
    return {name: f"p-{name}" for name in matrix.samples}


def simulate(*, samples: int = 45, others: int = 900, lift: float = 1.5, seed: int = 1) -> Matrix:
    """A cohort in which sample n is of class n % 3, its template's genes raised by `lift`."""
    rng = np.random.default_rng(seed)
    genes = sorted({gene for signature in HOSHIDA for gene in signature.up})
    genes += [f"OTHER{n}" for n in range(others)]
    values = rng.normal(6.0, 1.0, (len(genes), samples))
    for number in range(samples):
        high = set(HOSHIDA[number % 3].up)
        values[[gene in high for gene in genes], number] += lift
    return make_matrix(values, genes)


def read_shared(name: str) -> tuple[Prepared, dict[str, str]]:
    """A public cohort as a matrix, and its published classes."""
    folder = DATA / name
    if not folder.exists():
        pytest.skip(f"{folder} is not here")
    frame = pl.read_parquet(folder / "expression.parquet")
    names = [column for column, kind in frame.schema.items() if kind == pl.String]
    frame = frame.rename({names[0]: "gene"})
    samples = [column for column in frame.columns if column != "gene"]
    classes = pl.read_csv(folder / "classes.tsv", separator="\t")
    published = dict(zip(*(classes[column].to_list() for column in classes.columns), strict=True))
    return prepare_frame(frame, patients={name: name for name in samples}), published


def naive_nearest(z: np.ndarray, templates: list[np.ndarray], orders: np.ndarray, *, signed: bool):
    """Place, distance and p of each sample, one gene after the other."""

    def nearest(column: np.ndarray, lists: list[list[int]]) -> tuple[int, float]:
        everything = [row for rows in lists for row in rows]
        found = []
        for own in range(len(lists)):
            template = {row: 1.0 if row in lists[own] else (-1.0 if signed else 0.0) for row in everything}
            dot = sum(template[row] * column[row] for row in everything)
            a = math.sqrt(sum(column[row] ** 2 for row in everything))
            b = math.sqrt(sum(weight**2 for weight in template.values()))
            found.append(1.0 - dot / (a * b))
        return int(np.argmin(found)), min(found)

    made = []
    for column in z.T:
        lists = [[int(row) for row in rows if np.isfinite(column[row])] for rows in templates]
        place, distance = nearest(column, lists)
        wanted = sum(map(len, lists))
        near = 0
        for order in orders:
            drawn = [int(row) for row in order if np.isfinite(column[row])][:wanted]
            parts, start = [], 0
            for rows in lists:
                parts.append(drawn[start : start + len(rows)])
                start += len(rows)
            near += nearest(column, parts)[1] <= distance + 1e-12
        made.append((place, distance, (1 + near) / (1 + len(orders))))
    return made


@pytest.mark.parametrize("signed", [False, True])
def test_nearest_templates_equal_a_plain_loop_with_missing_values(signed: bool) -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(size=(120, 9))
    z[:8, ::2] += 1.0
    z[rng.random(z.shape) < 0.1] = np.nan
    z[:, :3] = np.nan_to_num(z[:, :3], nan=0.3)
    templates = [np.arange(8), np.arange(20, 31), np.arange(40, 46)][: 2 if signed else 3]
    orders = draw_orders(120, draws=60, seed=5)
    ours = find_nearest(z, templates, orders, signed=signed)
    naive = naive_nearest(z, templates, orders, signed=signed)
    assert ours.place.tolist() == [place for place, _, _ in naive]
    assert ours.distance == pytest.approx([distance for _, distance, _ in naive], abs=1e-12)
    assert ours.p == pytest.approx([p for _, _, p in naive], abs=1e-12)
    assert len({round(p, 6) for p in ours.p}) > 3


def test_a_draw_takes_genes_without_return() -> None:
    orders = draw_orders(50, draws=20, seed=1)
    assert all(sorted(order) == list(range(50)) for order in orders.tolist())
    assert len({tuple(order) for order in orders.tolist()}) == 20


def test_p_is_even_where_there_is_no_class() -> None:
    """500 samples of noise: the share of p below 0.05 is within four standard errors of 0.05."""
    z = np.random.default_rng(11).normal(size=(2_000, 500))
    templates = [np.arange(40), np.arange(40, 100), np.arange(100, 160)]
    p = find_nearest(z, templates, draw_orders(2_000, draws=400, seed=2), signed=False).p
    assert abs(float(np.mean(p <= 0.05)) - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 500)
    assert 0.4 < float(np.mean(p)) < 0.6


def test_q_equals_scipy_and_passes_over_what_was_not_tested() -> None:
    p = np.array([0.001, 0.2, 0.03, 0.03, 0.9, np.nan])
    assert adjust_fdr(p)[:5] == pytest.approx(false_discovery_control(p[:5]))
    assert np.isnan(adjust_fdr(p)[5])


def test_raised_templates_are_found_and_noise_is_not_classified() -> None:
    matrix = simulate()
    rows = classify_tumours(matrix, HOSHIDA, patients=own_patients(matrix))
    Classes.validate(rows)
    assert rows["label"].to_list() == [f"S{n % 3 + 1}" for n in range(45)]
    assert rows["patient_id"].to_list() == [f"p-s{n:03d}" for n in range(45)]
    assert rows["reason"].null_count() == 45
    noise = simulate(lift=0.0)
    rows = classify_tumours(noise, HOSHIDA, patients=own_patients(noise))
    assert (rows["label"] == UNCLASSIFIED).sum() >= 43
    told = rows.filter(pl.col("label") == UNCLASSIFIED)["reason"]
    assert told.str.contains(rf"^nearest is S[123], but q [\d.]+ is above {MAX_Q}$").all()
    assert rows["distance"].null_count() == 0


def test_neither_the_order_of_samples_nor_of_genes_nor_of_sets_matters() -> None:
    matrix = simulate(lift=0.25)
    rng = np.random.default_rng(4)
    order = rng.permutation(len(matrix.samples))
    shuffled = Matrix(
        genes=matrix.genes,
        samples=tuple(matrix.samples[n] for n in order),
        values=matrix.values[:, order],
        scale="log2",
    )
    first = classify_tumours(matrix, HOSHIDA, patients=own_patients(matrix))
    again = classify_tumours(shuffled, HOSHIDA[::-1], patients=own_patients(matrix))
    assert first.drop("distance").equals(again.drop("distance"))
    assert first["distance"].to_numpy() == pytest.approx(again["distance"].to_numpy(), abs=1e-12)
    assert 0 < (first["label"] == UNCLASSIFIED).sum() < 45


def test_the_seed_moves_p_by_the_error_of_drawing_only() -> None:
    matrix = simulate(lift=0.2)
    a, b, c = (
        classify_tumours(matrix, HOSHIDA, patients=own_patients(matrix), seed=seed) for seed in (0, 0, 1)
    )
    assert a.equals(b)
    assert not a["p"].equals(c["p"])
    assert float((a["p"] - c["p"]).abs().max()) < 5 * math.sqrt(0.5 / DRAWS)
    assert a["distance"].equals(c["distance"])


def test_a_small_cohort_is_refused_and_a_reference_takes_its_place() -> None:
    cohort = simulate()
    few = make_matrix(cohort.values[:, :3], list(cohort.genes))
    rows = classify_tumours(few, HOSHIDA, patients=own_patients(few))
    assert rows["label"].to_list() == [UNCLASSIFIED] * 3
    assert (
        rows["reason"].to_list()
        == [f"3 samples: genes are standardised over {MIN_CLASS_COHORT}, or by a reference"] * 3
    )
    assert rows["coverage"].to_list() == [1.0] * 3
    reference = build_reference(cohort, HOSHIDA, name="cohort")
    held = classify_tumours(few, HOSHIDA, patients=own_patients(few), reference=reference)
    whole = classify_tumours(cohort, HOSHIDA, patients=own_patients(cohort))
    assert held["label"].to_list() == ["S1", "S2", "S3"]
    assert held["distance"].to_numpy() == pytest.approx(whole["distance"][:3].to_numpy())
    other = make_matrix(few.values, list(few.genes), scale="log2(x + 1)")
    told = classify_tumours(other, HOSHIDA, patients=own_patients(other), reference=reference)["reason"]
    assert told.to_list() == ["values are log2(x + 1), those of the reference log2"] * 3


def test_a_template_with_too_few_genes_is_refused_by_sample() -> None:
    matrix = simulate()
    values = matrix.values.copy()
    low = [gene in set(HOSHIDA[1].up) for gene in matrix.genes]
    gone = np.flatnonzero(low)[:100]
    values[gone, 0] = np.nan
    rows = classify_tumours(make_matrix(values, list(matrix.genes)), HOSHIDA, patients=own_patients(matrix))
    size = len(HOSHIDA[1].up)
    assert rows["label"][0] == UNCLASSIFIED
    assert rows["coverage"][0] == pytest.approx((size - 100) / size)
    assert rows["reason"][0] == f"template S2: {size - 100} of {size} genes measured, 5 and 25% are needed"
    assert rows["distance"].null_count() == 1
    assert UNCLASSIFIED not in rows["label"][1:]


def test_a_sample_without_a_patient_is_an_error_and_no_template_gives_no_rows() -> None:
    matrix = simulate(samples=20)
    with pytest.raises(ConfigError, match="no patient is given for 20 samples: s000"):
        classify_tumours(matrix, HOSHIDA, patients={})
    assert classify_tumours(matrix, HOSHIDA[:2], patients=own_patients(matrix)).is_empty()
    empty = Matrix(genes=(), samples=(), values=np.empty((0, 0)), scale="")
    assert classify_tumours(empty, read_signatures(), patients={}).is_empty()


def test_every_classification_has_its_lists_and_two_classes_or_more() -> None:
    for of in CLASSIFICATIONS:
        lists = [set(getattr(SETS[name], half)) for _, name, half in of.classes]
        assert len(lists) >= 2
        assert min(map(len, lists)) >= 5
        assert not set.intersection(*lists)


def test_a_gene_in_the_lists_of_two_classes_is_in_no_template() -> None:
    matrix = simulate()
    shared = HOSHIDA[0].up[0]
    wide = [HOSHIDA[0], *(HOSHIDA[n] for n in (1, 2))]
    wide[1] = Signature(
        name=HOSHIDA[1].name, mechanism_id="BIO-GEP", up=(*HOSHIDA[1].up, shared), kind="class"
    )
    without = [
        Signature(
            name=item.name,
            mechanism_id="BIO-GEP",
            up=tuple(g for g in item.up if g != shared),
            kind="class",
        )
        for item in HOSHIDA
    ]
    one = classify_tumours(matrix, wide, patients=own_patients(matrix))
    other = classify_tumours(matrix, without, patients=own_patients(matrix))
    assert one.equals(other)


def tabulate(name: str, classification: str) -> tuple[pl.DataFrame, int, int, int]:
    """Confusion matrix of a public cohort, and how many there are, are called and agree."""
    prepared, published = read_shared(name)
    rows = classify_tumours(prepared.matrix, read_signatures(), patients=prepared.patients)
    rows = rows.filter(pl.col("classification") == classification).with_columns(
        published=pl.col("sample_id").replace_strict(published).str.replace("subgroup ", "")
    )
    called = rows.filter(pl.col("label") != UNCLASSIFIED)
    table = rows.group_by("published", "label").len().sort("published", "label")
    return table, rows.height, called.height, int((called["label"] == called["published"]).sum())


SMOKE = [("hoshida2009_hcc80", "hoshida_2009", 80), ("lee2004_hcc91", "lee_2004", 91)]


@pytest.mark.parametrize(("name", "classification", "size"), SMOKE)
def test_published_classes_come_back_where_template_and_data_share_an_origin(
    name: str, classification: str, size: int
) -> None:
    """A smoke test. Classes: Hoshida 2009 and Lee 2004, as MS.liverK holds them."""
    _, rows, called, agree = tabulate(name, classification)
    assert rows == size
    assert called / rows > 0.8
    assert agree / called > 0.95


@pytest.mark.parametrize(("name", "classification", "size"), SMOKE)
def test_the_page_shows_the_confusion_matrix_that_is_found(name: str, classification: str, size: int) -> None:
    table, _, _, _ = tabulate(name, classification)
    text = PAGE.read_text(encoding="utf-8")
    part = text.split(f"<!-- {classification} -->")[1].split("<!-- end -->")[0]
    lines = [re.split(r"\s*\|\s*", line.strip().strip("|").strip()) for line in part.strip().splitlines()]
    labels = lines[0][1:]
    shown = {
        (line[0], label): int(cell)
        for line in lines[2:]
        for label, cell in zip(labels, line[1:], strict=True)
        if int(cell)
    }
    assert shown == {(row["published"], row["label"]): row["len"] for row in table.iter_rows(named=True)}
    assert sum(shown.values()) == size


def test_the_gene_subset_of_tcga_is_refused_with_its_coverage() -> None:
    """3,130 genes chosen by their author hold too little of any template; README of tcga_lihc."""
    path = DATA / "tcga_lihc" / "counts_3130_genes.parquet"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    frame = pl.read_parquet(path)
    samples = [name for name in frame.columns if name[13:15] == "01"][:40]
    frame = frame.select(pl.col("ensembl").alias("gene"), *samples)
    prepared = prepare_frame(frame, patients={name: name[:12] for name in samples})
    rows = classify_tumours(prepared.matrix, read_signatures(), patients=prepared.patients)
    assert rows["classification"].n_unique() == len(CLASSIFICATIONS)
    assert (rows["label"] == UNCLASSIFIED).all()
    assert rows["reason"].str.contains(r"^template .+: \d+ of \d+ genes measured").all()
    assert float(rows["coverage"].max()) < 0.25


MARKERS = [signature for signature in read_signatures() if signature.kind == "cells"]


def make_markers(samples: int, *, seed: int = 2) -> Matrix:
    rng = np.random.default_rng(seed)
    genes = sorted({gene for signature in MARKERS for gene in signature.up})
    return make_matrix(np.log2(rng.gamma(2.0, 50.0, (len(genes), samples))), genes)


def test_the_score_is_the_logarithm_of_the_geometric_mean_of_the_markers() -> None:
    matrix = make_markers(12)
    rows = count_cells(matrix, read_signatures())
    assert rows.height == 12 * 10
    MechanismScores.validate(rows.with_columns(patient_id=pl.lit("p")).select(MechanismScores.column_names()))
    linear = {gene: 2.0 ** matrix.values[row] for row, gene in enumerate(matrix.genes)}
    for row in rows.iter_rows(named=True):
        number = matrix.samples.index(row["sample_id"])
        markers = [float(linear[gene][number]) for gene in SETS[row["set"]].up]
        assert row["score"] == pytest.approx(math.log2(math.prod(markers) ** (1 / len(markers))))
        assert row["mechanism_id"] == SETS[row["set"]].mechanism_id
    assert set(rows["method"].to_list()) == {"mcp_counter"}
    assert rows["percentile"].null_count() == rows.height
    assert set(rows["reason"].to_list()) == {"no reference"}
    spread = rows.group_by("set").agg(pl.col("z").mean().alias("mean"), pl.col("z").std().alias("sd"))
    assert spread["mean"].to_numpy() == pytest.approx(0.0, abs=1e-9)
    assert spread["sd"].to_numpy() == pytest.approx(1.0)


def test_a_small_cohort_has_no_z_and_a_single_marker_is_flagged() -> None:
    rows = count_cells(make_markers(9), MARKERS)
    assert rows["z"].null_count() == rows.height
    assert set(rows["reason"].to_list()) == {"no reference; z needs 10 samples"}
    flags = dict(zip(rows["set"].to_list(), rows["flag"].to_list(), strict=True))
    assert flags["MCP_CD8_T_cells"] == "one marker gene"
    assert flags["MCP_T_cells"] is None
    flags = count_cells(make_markers(12), MARKERS).unique("set")
    flags = dict(zip(flags["set"].to_list(), flags["flag"].to_list(), strict=True))
    assert flags["MCP_CD8_T_cells"] == "one marker gene; small cohort (12 samples)"
    assert flags["MCP_T_cells"] == "small cohort (12 samples)"
    assert set(count_cells(make_markers(30), MARKERS)["flag"].to_list()) == {None, "one marker gene"}


def test_too_few_markers_are_refused_and_the_limit_can_be_lowered() -> None:
    matrix = make_markers(12)
    markers = SETS["MCP_T_cells"].up
    keep = [gene not in markers[3:] and gene != "CD8B" for gene in matrix.genes]
    values = matrix.values[keep]
    less = make_matrix(values, [gene for gene, kept in zip(matrix.genes, keep, strict=True) if kept])
    rows = count_cells(less, MARKERS).filter(pl.col("set").is_in(["MCP_T_cells", "MCP_CD8_T_cells"]))
    assert rows["score"].null_count() == rows.height
    assert set(rows["reason"].to_list()) == {"too few markers of these cells measured"}
    assert rows.filter(pl.col("set") == "MCP_T_cells")["coverage"][0] == pytest.approx(3 / 15)
    rows = count_cells(less, MARKERS, min_coverage=0.2).filter(pl.col("set") == "MCP_T_cells")
    assert rows["score"].null_count() == 0
    assert rows["flag"].str.contains("accepted down to 20%").all()
    rows = count_cells(less, MARKERS, min_coverage=0.2).filter(pl.col("set") == "MCP_CD8_T_cells")
    assert rows["score"].null_count() == rows.height


def test_a_missing_marker_is_left_out_of_the_mean_of_its_sample_only() -> None:
    matrix = make_markers(12)
    values = matrix.values.copy()
    row = matrix.genes.index("CD3D")
    values[row, 4] = np.nan
    rows = count_cells(make_matrix(values, list(matrix.genes)), [SETS["MCP_T_cells"]])
    whole = count_cells(matrix, [SETS["MCP_T_cells"]])
    rest = [matrix.genes.index(gene) for gene in SETS["MCP_T_cells"].up if gene != "CD3D"]
    assert rows["score"][4] == pytest.approx(float(values[rest, 4].mean()))
    assert rows["coverage"][4] == pytest.approx(14 / 15)
    assert np.delete(rows["score"].to_numpy(), 4) == pytest.approx(np.delete(whole["score"].to_numpy(), 4))


def test_signatures_without_markers_give_no_rows() -> None:
    assert count_cells(make_markers(12), HOSHIDA).is_empty()
