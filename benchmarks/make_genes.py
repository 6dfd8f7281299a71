"""Make ``genes.parquet`` and ``gene_names.parquet`` in ``src/hccresist/data`` from a table of HGNC entries.

Run: ``python benchmarks/make_genes.py hgnc_entries.tsv``. The table is the download of the HUGO Gene
Nomenclature Committee with approved, withdrawn and previous symbols; see
``src/hccresist/data/genes.md`` for where ours came from.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import polars as pl

from hccresist.explain.names import fold_name

TARGET = Path(__file__).parents[1] / "src" / "hccresist" / "data" / "genes.parquet"
STATUS = {"Approved": "approved", "Symbol Withdrawn": "renamed", "Entry Withdrawn": "withdrawn"}
SUCCESSOR = r"HGNC:\s*(\d+)\]"
NAMES = TARGET.with_name("gene_names.parquet")
NAMED = ("gene with protein product", "RNA, long non-coding")
SHORTEST = 8
"""Letters and digits that a full name must have."""
NO_NAME = frozenset({
    "albumin", "asparaginase", "catalase", "elastin", "glucagon", "insulin", "inversin", "lactase",
    "latexin", "lysozyme", "maestro", "nebulette", "proteinc", "prolactin", "renin", "secretin",
    "tankyrase", "titin", "vinculin"
})  # fmt: skip
"""Full names of one word that are drugs, everyday words or controls of a blot."""
SPOKEN = (
    (r"^C-X-C motif chemokine ligand (\d+)$", r"chemokine (C-X-C motif) ligand \1"),
    (r"^C-C motif chemokine ligand (\d+)$", r"chemokine (C-C motif) ligand \1"),
    (r"^C-X-C motif chemokine receptor (\d+)$", r"C-X-C chemokine receptor type \1"),
    (r"^C-C motif chemokine receptor (\d+)$", r"C-C chemokine receptor type \1"),
    (r"^forkhead box (\w+)$", r"forkhead box protein \1"),
    (r"^SRY-box transcription factor (\d+)$", r"SRY-box \1"),
    (r"^matrix metallopeptidase (\d+)$", r"matrix metalloproteinase \1"),
    (r"^TIMP metallopeptidase inhibitor (\d+)$", r"tissue inhibitor of metalloproteinase \1"),
    (r"^methyltransferase (\d+), .*$", r"methyltransferase-like \1"),
    (r"^(.*) like (\d+)$", r"\1-like protein \2"),
    (r"^cadherin 1$", "epithelial cadherin"),
    (r"^(.*) proto-oncogene, .*$", r"\1 proto-oncogene"),
    (r"^tumor (.*)$", r"tumour \1"),
    (r"^(.*) \(gene/pseudogene\)$", r"\1"),
)
"""Ways in which papers write full names otherwise than HGNC does."""


def read_entries(path: Path) -> pl.DataFrame:
    """Return every entry with the columns that the package keeps."""
    raw = pl.read_csv(path, separator="\t", quote_char=None, infer_schema=False)
    successors = (
        pl.col("Approved name")
        .str.extract_all(SUCCESSOR)
        .list.eval(pl.element().str.extract(SUCCESSOR).cast(pl.Int32))
    )
    return raw.select(
        pl.col("HGNC ID").str.strip_prefix("HGNC:").cast(pl.Int32).alias("hgnc"),
        pl.col("Approved symbol").alias("symbol"),
        pl.col("Status").replace_strict(STATUS, return_dtype=pl.Enum(list(STATUS.values()))).alias("status"),
        pl.col("Locus type").alias("locus"),
        pl.col("Previous symbols").str.split(", ").alias("previous"),
        pl.col("Alias symbols").str.split(", ").alias("alias"),
        pl.col("Ensembl gene ID").alias("ensembl"),
        pl.col("NCBI Gene ID(supplied by NCBI)").cast(pl.Int32).alias("entrez"),
        pl.when(pl.col("Status") == "Symbol Withdrawn").then(successors).alias("successors"),
    ).sort("hgnc")


def read_full_names(path: Path) -> pl.DataFrame:
    """Return full names, folded, that belong to one gene that is made into a protein or a long RNA."""
    raw = pl.read_csv(path, separator="\t", quote_char=None, infer_schema=False)
    rows = raw.filter(pl.col("Status") == "Approved", pl.col("Locus type").is_in(NAMED))
    found: dict[str, set[str]] = {}
    for symbol, name in rows.select("Approved symbol", "Approved name").iter_rows():
        if name in NO_NAME or name.endswith(" S"):  # cathepsins
            continue
        spoken = [re.sub(pattern, instead, name) for pattern, instead in SPOKEN]
        for one in {name, *spoken}:
            found.setdefault(fold_name(one), set()).add(symbol)
    keys = sorted(
        (key, min(to))
        for key, to in found.items()
        if len(to) == 1 and len(key) >= SHORTEST and key not in NO_NAME
    )
    return pl.DataFrame(keys, schema={"key": pl.String, "symbol": pl.String}, orient="row")


def main() -> None:
    """Write the tables."""
    entries = read_entries(Path(sys.argv[1]))
    entries.write_parquet(TARGET, compression="zstd", compression_level=19, statistics=False)
    names = read_full_names(Path(sys.argv[1]))
    names.write_parquet(NAMES, compression="zstd", compression_level=19, statistics=False)
    sys.stdout.write(f"{entries.height} entries, {TARGET.stat().st_size / 1e6:.2f} MB\n")
    sys.stdout.write(f"{names.height} full names, {NAMES.stat().st_size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    main()
