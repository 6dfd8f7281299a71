"""Make ``src/hccresist/data/genes.parquet`` from a table of HGNC entries.

Run: ``python benchmarks/make_genes.py hgnc_entries.tsv``. The table is the download of the HUGO Gene
Nomenclature Committee with approved, withdrawn and previous symbols; see
``src/hccresist/data/genes.md`` for where ours came from.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

TARGET = Path(__file__).parents[1] / "src" / "hccresist" / "data" / "genes.parquet"
STATUS = {"Approved": "approved", "Symbol Withdrawn": "renamed", "Entry Withdrawn": "withdrawn"}
SUCCESSOR = r"HGNC:\s*(\d+)\]"


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


def main() -> None:
    """Write the table."""
    entries = read_entries(Path(sys.argv[1]))
    entries.write_parquet(TARGET, compression="zstd", compression_level=19, statistics=False)
    sys.stdout.write(f"{entries.height} entries, {TARGET.stat().st_size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    main()
