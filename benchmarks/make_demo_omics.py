"""Tumour samples of the bundled demo study, from each virtual patient's own handles.

Called by ``make_demo.py``. A mechanism has one programme, in standard deviations between tumours, which moves
all genes of its shipped gene sets by `LOADING` a standard deviation:

- background: a standard normal number a tumour, whatever is on in it;
- a handle that is on moves the programme of its mechanism by `SHIFT` standard deviations times its size, down
  where the sets measure what the mechanism lacks (`mechanism_signs.csv`). The size of this shift is an
  assumption: no handle's effect on expression was measured;
- the programme of T cells in the tumour is not shifted but follows the model: the density of effector and
  exhausted CD8 T cells in the largest lesion before treatment, which exclusion lowers;
- efflux moves ABCG2 itself. Handles about what only a drug brings out (hyperprogression by Treg, oedema) and
  those whose cause is no gene (aetiology) move nothing.

Exclusion goes with a CTNNB1 mutation in exon 3 and hyperprogression by growth with a gain at 11q13 or of
MDM2, as the sources of their prevalence say (`prevalence.csv`), nine times in ten; without the handle the
same changes are rare. Some tumours that lost antigen presentation have lost B2M. Everything else is
background with the frequencies below. So what *explain* can find here was put there with the sets that it
looks with: the demo shows how the programme works, not how well sets do in patients.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl

from hccresist.explain.genes import read_genes
from hccresist.explain.knowledge import read_base
from hccresist.explain.signatures import read_signatures

LOADING = 0.45
"""log2(TPM + 1) by which a gene moves for one standard deviation of its programme."""
SHIFT = 1.5
"""Standard deviations by which a handle of typical size moves its programme (assumption)."""
NOISE = 0.6
"""Standard deviation of a gene's own noise."""
MARKERS = {"abc": "ABCG2"}
"""Handles of a single gene."""
SILENT = ("hyper_treg", "hyper_growth", "oedema", "aetiology", "mutation")
"""Handles that do not move expression."""
BY_MODEL = "IMM-EXC"
"""Mechanism whose programme is the model's density of T cells."""
WITHOUT_SAMPLE = 5
LATE = 2

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
LINKED = 0.9
"""Share of tumours with the alteration that goes with a handle, where the handle is on (assumption)."""
BY_CHANCE = 0.03
"""Share of tumours with the same alteration where it is off (assumption)."""
LOST_B2M = 0.2
"""Share of tumours without antigen presentation that have lost B2M (assumption)."""
LOCUS = ("FGF3", "FGF4", "FGF19", "CCND1")
OTHERS = ("VEGFA", "MET", "MDM2", "MDM4")


def write_omics(tables: Mapping[str, pl.DataFrame], folder: Path, rng: np.random.Generator) -> None:
    """Write samples.csv, alterations.csv and expression.parquet into the demo.

    Parameters
    ----------
    tables
        The stored simulation under the demo's names: patients, handles, states.
    """
    patients = tables["patients"]["patient_id"].sort().to_list()
    skipped = set(rng.choice(len(patients), WITHOUT_SAMPLE, replace=False).tolist())
    kept = [name for number, name in enumerate(patients) if number not in skipped]
    names = [f"{name}-T" for name in kept]
    late = set(rng.choice(len(kept), LATE, replace=False).tolist())
    days = [rng.integers(150, 260) if n in late else -rng.integers(10, 60) for n in range(len(kept))]
    samples = pl.DataFrame(
        {
            "sample_id": names,
            "patient_id": kept,
            "day": [float(day) for day in days],
            "tissue": ["tumour"] * len(kept),
            "purity": rng.beta(8, 4, len(kept)).round(2),
            "sequenced": ["exome"] * len(kept),
        }
    )
    samples.write_csv(folder / "samples.csv")
    sizes = find_sizes(tables["handles"], kept)
    mutated = draw_linked(sizes.get("exclusion", np.zeros(len(kept))), rng)
    draw_alterations(names, sizes, mutated, rng).write_csv(folder / "alterations.csv")
    cells = tables["states"].sort("patient_id").filter(pl.col("patient_id").is_in(kept))
    programmes = draw_programmes(sizes, mutated, cells, rng)
    frame = draw_expression(names, programmes, sizes, rng)
    frame.write_parquet(
        folder / "expression.parquet", compression="zstd", compression_level=19, statistics=False
    )


def find_sizes(handles: pl.DataFrame, patients: list[str]) -> dict[str, np.ndarray]:
    """Size of each handle in each patient; zero where it is off."""
    found = dict[str, np.ndarray]()
    for name in sorted(handles["handle"].unique()):
        own = dict(handles.filter(handle=name).select("patient_id", "size").iter_rows())
        found[name] = np.array([own.get(patient, 0.0) for patient in patients])
    return found


def draw_linked(sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whether a tumour has the alteration that goes with a handle."""
    return rng.random(len(sizes)) < np.where(sizes > 0, LINKED, BY_CHANCE)


def draw_programmes(
    sizes: Mapping[str, np.ndarray], mutated: np.ndarray, cells: pl.DataFrame, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Programme of each mechanism with gene sets, in standard deviations."""
    from hccresist.overcome.model.parameters import read_handles  # noqa: PLC0415

    signs = read_signs()
    mechanisms = sorted({item.mechanism_id for item in read_signatures()})
    found = {name: rng.normal(size=len(mutated)) for name in mechanisms if signs.get(name) != "unclear"}
    for handle in read_handles():
        size = sizes.get(handle.handle)
        if size is None or handle.handle in (*SILENT, *MARKERS) or handle.mechanism_id == BY_MODEL:
            continue
        sign = -1.0 if signs.get(handle.mechanism_id) == "low" else 1.0
        found[handle.mechanism_id] += sign * SHIFT * size
    density = np.log((cells["effector"] + cells["exhausted"]) / cells["whole_volume"]).to_numpy()
    found[BY_MODEL] = (density - density.mean()) / density.std()
    found["GEN-CTNNB1"] = found["GEN-CTNNB1"] / 2 + 2 * SHIFT * mutated
    return found


def read_signs() -> dict[str, str]:
    """Which way the sets of a mechanism point; high where nothing stands."""
    text = files("hccresist").joinpath("data", "overcome", "mechanism_signs.csv").read_text(encoding="utf-8")
    return {row["mechanism_id"]: row["on"] for row in csv.DictReader(text.splitlines())}


def draw_expression(
    names: list[str],
    programmes: Mapping[str, np.ndarray],
    sizes: Mapping[str, np.ndarray],
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Return log2(TPM + 1) of the genes that sets and findings name."""
    signatures, base = read_signatures(), read_base()
    wanted = {gene for item in signatures for gene in item.genes} | set(base.marks["subject"])
    found = read_genes().resolve(sorted(wanted)).filter(pl.col("how") == "approved")
    genes = sorted(set(found["symbol"]))
    level = rng.gamma(3.0, 1.6, len(genes))
    values = level[:, None] + rng.normal(0, NOISE, (len(genes), len(names)))
    place = {gene: number for number, gene in enumerate(genes)}
    for mechanism, programme in programmes.items():
        sets = [item for item in signatures if item.mechanism_id == mechanism]
        up = {gene for item in sets for gene in item.up}
        down = {gene for item in sets for gene in item.down} - up
        for own, sign in ((up, 1.0), (down, -1.0)):
            rows = [place[gene] for gene in sorted(own) if gene in place]
            values[rows] += sign * LOADING * programme[None, :]
    for handle, gene in MARKERS.items():
        if handle in sizes and gene in place:
            values[place[gene]] += SHIFT * NOISE * sizes[handle]
    return pl.DataFrame(
        {"gene": genes}
        | {name: values[:, n].clip(0).round(2).astype(np.float32) for n, name in enumerate(names)}
    )


def draw_alterations(
    names: list[str], sizes: Mapping[str, np.ndarray], mutated: np.ndarray, rng: np.random.Generator
) -> pl.DataFrame:
    """Return mutations and copy numbers of each sample."""
    none = np.zeros(len(names))
    gained = draw_linked(sizes.get("hyper_growth", none), rng)
    lost = (sizes.get("presentation", none) > 0) & (rng.random(len(names)) < LOST_B2M)
    rows: list[tuple[str, str, str, str]] = []
    for number, name in enumerate(names):
        if mutated[number]:
            rows.append((name, "CTNNB1", str(rng.choice(EXON3)), "Missense_Mutation"))
        if lost[number]:
            rows.append((name, "B2M", "p.L15Ffs*41", "Frame_Shift_Del"))
        for gene, changes in MUTATIONS.items():
            if rng.random() < SHARES[gene] and not (gene == "AXIN1" and mutated[number]):
                change, kind = changes[int(rng.integers(len(changes)))]
                rows.append((name, gene, change, kind))
        amplified = () if not gained[number] else ("MDM2",) if rng.random() < 0.3 else LOCUS
        rows += [(name, gene, "2" if gene in amplified else "0", "copy_number") for gene in (*LOCUS, *OTHERS)]
        rows.append((name, "MUC16", f"p.G{int(rng.integers(100, 9000))}S", "Missense_Mutation"))
    schema = ["sample_id", "gene", "change", "kind"]
    return pl.DataFrame(rows, schema=schema, orient="row").sort(schema)
