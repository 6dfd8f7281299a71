"""Make the tumour samples of the bundled example: expression and alterations, every number invented.

::

    python benchmarks/make_demo_omics.py     write samples.csv, alterations.csv and expression.parquet

Each programme (a hidden number for each tumour) moves the genes of one gene set. Two of them lean on the
course that the example's patients take: T-cell inflamed tumours respond more often to
atezolizumab–bevacizumab, NRF2-driven ones less often to sorafenib; mutations of CTNNB1 turn the WNT targets
on and T cells down. The rest is noise.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl

from hccresist.assess import assess_study
from hccresist.demo import read_demo
from hccresist.explain.genes import read_genes
from hccresist.explain.knowledge import read_base
from hccresist.explain.signatures import read_signatures

SEED = 20261121
WITHOUT_SAMPLE = 5
LATE = 2
PROGRAMMES = {
    "T_INFLAMED_GEP18": "inflamed",
    "HALLMARK_INTERFERON_GAMMA_RESPONSE": "inflamed",
    "WNT_BCAT_LIVER_TARGETS": "wnt",
    "HALLMARK_E2F_TARGETS": "proliferation",
    "HALLMARK_G2M_CHECKPOINT": "proliferation",
    "HALLMARK_HYPOXIA": "hypoxia",
    "HALLMARK_ANGIOGENESIS": "hypoxia",
    "HALLMARK_EPITHELIAL_MESENCHYMAL_TRANSITION": "stroma",
    "PAN_F_TBRS": "stroma",
}
"""Gene set to the hidden programme that moves it; those of FER-NRF2 follow `nrf2`."""

MUTATIONS = {
    "TP53": (
        ("p.R249S", "Missense_Mutation"),
        ("p.R273H", "Missense_Mutation"),
        ("p.Q192*", "Nonsense_Mutation"),
    ),
    "AXIN1": (("p.R395*", "Nonsense_Mutation"),),
    "ARID1A": (("p.Q1519*", "Nonsense_Mutation"),),
    "TERT": (("g.1295228C>T", "5'Flank"),),
}
"""Gene to changes that may be drawn; shares are those of `SHARES`."""
SHARES = {"TP53": 0.3, "AXIN1": 0.07, "ARID1A": 0.08, "TERT": 0.5}
EXON3 = ("p.S45P", "p.S37F", "p.D32G", "p.T41A", "p.S33C")


def main() -> None:
    """Write the three files into the bundled example."""
    rng = np.random.default_rng(SEED)
    study = read_demo()
    best = assess_study(study, criteria=("recist11",), reasons=False).tables["best_response"]
    patients = study.patients.join(best.select("patient_id", "best"), on="patient_id", how="left").sort(
        "patient_id"
    )
    hidden = draw_hidden(patients, rng)
    skipped = set(rng.choice(patients.height, WITHOUT_SAMPLE, replace=False).tolist())
    kept = [number for number in range(patients.height) if number not in skipped]
    names = [f"{patients['patient_id'][number]}-T" for number in kept]
    late = set(rng.choice(len(kept), LATE, replace=False).tolist())
    days = [
        float(rng.integers(150, 260)) if n in late else float(-rng.integers(10, 60)) for n in range(len(kept))
    ]
    samples = pl.DataFrame(
        {
            "sample_id": names,
            "patient_id": [patients["patient_id"][number] for number in kept],
            "day": days,
            "tissue": ["tumour"] * len(kept),
            "purity": rng.beta(8, 4, len(kept)).round(2),
            "sequenced": ["exome"] * len(kept),
        }
    )
    folder = Path(str(files("hccresist").joinpath("data", "demo")))
    samples.write_csv(folder / "samples.csv")
    draw_alterations(names, hidden["mutated"][kept], rng).write_csv(folder / "alterations.csv")
    frame = draw_expression(names, {key: value[kept] for key, value in hidden.items()}, rng)
    frame.write_parquet(
        folder / "expression.parquet", compression="zstd", compression_level=19, statistics=False
    )


def draw_hidden(patients: pl.DataFrame, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the hidden programmes of each patient, in standard deviations."""
    n = patients.height
    responds = patients["best"].is_in(["CR", "PR"]).fill_null(value=False).to_numpy()
    immune = (patients["arm"] == "atezolizumab-bevacizumab").to_numpy()
    mutated = rng.random(n) < np.where(immune & responds, 0.12, 0.3)
    return {
        "mutated": mutated,
        "wnt": 2.2 * mutated + rng.normal(0, 0.5, n),
        "inflamed": np.where(immune & responds, 1.1, -0.2) - 0.8 * mutated + rng.normal(0, 0.8, n),
        "nrf2": np.where(~immune & ~responds, 0.6, -0.4) + rng.normal(0, 0.8, n),
        "proliferation": rng.normal(0, 1, n),
        "hypoxia": rng.normal(0, 1, n),
        "stroma": rng.normal(0, 1, n),
    }


def draw_expression(
    names: list[str], hidden: dict[str, np.ndarray], rng: np.random.Generator
) -> pl.DataFrame:
    """Return log2(TPM + 1) of the genes that sets and findings name."""
    table = read_genes()
    base = read_base()
    wanted = {gene for item in read_signatures() for gene in item.genes} | set(base.marks["subject"])
    found = table.resolve(sorted(wanted)).filter(pl.col("how") == "approved")
    genes = sorted(set(found["symbol"]))
    level = rng.gamma(3.0, 1.6, len(genes))
    values = level[:, None] + rng.normal(0, 0.6, (len(genes), len(names)))
    place = {gene: number for number, gene in enumerate(genes)}
    for item in read_signatures():
        programme = "nrf2" if item.mechanism_id == "FER-NRF2" else PROGRAMMES.get(item.name)
        if programme is None:
            continue
        rows = [place[gene] for gene in item.up if gene in place]
        values[rows] += 0.45 * hidden[programme][None, :]
    return pl.DataFrame(
        {"gene": genes}
        | {name: values[:, n].clip(0).round(2).astype(np.float32) for n, name in enumerate(names)}
    )


def draw_alterations(names: list[str], mutated: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    """Return mutations of each sample, and two amplifications of 11q13."""
    rows: list[tuple[str, str, str, str]] = []
    for name, wnt in zip(names, mutated, strict=True):
        if wnt:
            rows.append((name, "CTNNB1", str(rng.choice(EXON3)), "Missense_Mutation"))
        for gene, changes in MUTATIONS.items():
            if rng.random() < SHARES[gene] and not (gene == "AXIN1" and wnt):
                change, kind = changes[int(rng.integers(len(changes)))]
                rows.append((name, gene, change, kind))
    amplified = set(rng.choice(names, 2, replace=False).tolist())
    for name in names:
        state = "2" if name in amplified else "0"
        rows += [(name, gene, state, "copy_number") for gene in ("FGF3", "FGF4", "FGF19", "CCND1")]
        rows += [(name, gene, "0", "copy_number") for gene in ("VEGFA", "MET", "MDM2", "MDM4")]
    rows += [(name, "MUC16", f"p.G{int(rng.integers(100, 9000))}S", "Missense_Mutation") for name in names]
    schema = ["sample_id", "gene", "change", "kind"]
    return pl.DataFrame(rows, schema=schema, orient="row").sort(schema)


if __name__ == "__main__":
    main()
