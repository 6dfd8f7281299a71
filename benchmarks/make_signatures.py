"""Make the files of gene sets in ``src/hccresist/data/signatures`` from their sources.

Run: ``python benchmarks/make_signatures.py FOLDER``, where FOLDER holds the GMT files that
``src/hccresist/data/signatures/README.md`` names. ``registry.csv`` says which sets are taken; symbols
are brought to those approved today, and ``symbols.csv`` tells each one that changed or was lost.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import polars as pl

from hccresist.explain.genes import read_genes

TARGET = Path(__file__).parents[1] / "src" / "hccresist" / "data" / "signatures"
SOURCES = {
    "hallmark.gmt": "hallmark_v7.0.gmt",
    "go_bp.gmt": "go_bp_2021_selected.gmt",
    "msigdb_cgp.gmt": "hcc_classes_msliverk.gmt",
    "mcpcounter.gmt": "mcpcounter.gmt",
    "published.gmt": "immune_published_iobr.gmt",
    "project.gmt": "small_lists.gmt",
}
SLIPS = {"LMP2": "PSMB9", "LMP7": "PSMB8"}
"""Names in the sources that mean a gene which the alias table leaves open, and that gene."""


def read_lines(path: Path) -> dict[str, list[str]]:
    """Return set name to genes, as they stand in a GMT file."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {row[0]: [gene.strip() for gene in row[2:] if gene.strip()] for row in rows}


def read_own() -> dict[str, list[str]]:
    """Return the lists typed for this project."""
    rows = [line.split("\t") for line in (TARGET / "own_lists.tsv").read_text().splitlines()]
    return {row[0]: row[1].split() for row in rows}


def wanted() -> dict[str, list[str]]:
    """Return file to the names of the sets that the registry takes from it."""
    taken: dict[str, list[str]] = {}
    for row in csv.DictReader((TARGET / "registry.csv").open(encoding="utf-8")):
        names = taken.setdefault(row["file"], [])
        names.extend(name for name in (row["up"], row["down"]) if name and name not in names)
    return taken


def resolve(sets: dict[str, list[str]]) -> tuple[dict[str, list[str]], pl.DataFrame]:
    """Return sets of approved symbols, and what was changed or lost on the way."""
    long = pl.DataFrame(
        [{"set": name, "given": gene} for name, genes in sets.items() for gene in dict.fromkeys(genes)]
    ).with_columns(look=pl.col("given").replace(SLIPS))
    found = read_genes().resolve(long["look"].to_list())
    long = long.with_columns(found["symbol"], found["how"], found["note"])
    kept = long.drop_nulls("symbol").unique(["set", "symbol"], keep="first", maintain_order=True)
    symbols = {name: part["symbol"].to_list() for (name,), part in kept.group_by("set", maintain_order=True)}
    told = long.filter((pl.col("how") != "approved") | (pl.col("given") != pl.col("symbol")))
    return symbols, told.select("set", "given", "symbol", "how", "note")


def main() -> None:
    """Write one GMT file a source, and what became of the symbols."""
    folder = Path(sys.argv[1])
    told = []
    for target, names in sorted(wanted().items()):
        held = read_lines(folder / SOURCES[target])
        if target == "project.gmt":
            held |= read_own()
        symbols, changes = resolve({name: held[name] for name in sorted(names)})
        lines = ["\t".join([name, target.removesuffix(".gmt"), *genes]) for name, genes in symbols.items()]
        (TARGET / target).write_text("\n".join(lines) + "\n", encoding="utf-8")
        told.append(changes)
    changed = pl.concat(told).sort("set", "given")
    changed.write_csv(TARGET / "symbols.csv")
    lost = changed.filter(pl.col("symbol").is_null())
    sys.stdout.write(f"{changed.height} symbols changed, {lost.height} of them lost\n{lost}\n")


if __name__ == "__main__":
    main()
