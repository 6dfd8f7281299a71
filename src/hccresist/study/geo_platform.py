"""The table of an array platform (GPL): which gene a probe measures."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from hccresist.study.omics import Gathered
from hccresist.study.rows import Place
from hccresist.study.tab import load_text, open_tab, read_tab

SYMBOL_COLUMNS: Final = (
    "gene symbol",
    "gene_symbol",
    "genesymbol",
    "symbol",
    "ilmn_gene",
    "gene_assignment",
    "entrez_gene_id",
    "entrez gene",
    "gene id",
    "gene_id",
    "ensembl",
    "ensembl_id",
)
"""Columns of a platform table that name the gene, the one that is taken first."""
PROBES: Final = (
    r"(?i)^(\d+|\d+(_[a-z]+)*_at|AFFX.*|ILMN_\d+|A_\d+_P\d+|TC\d+.*"
    r"|\(\+\)E.*|merck-.*|GE\d+|Hs[\d.]+|IMAGE:.*)$"
)
"""How probes of Affymetrix, Illumina, Agilent and other arrays are called."""
_BEGIN: Final = b"!platform_table_begin"
_END: Final = b"!platform_table_end"
_ENDINGS: Final = (".txt", ".annot", ".soft", ".tsv")


def looks_like_probes(names: pl.Series) -> bool:
    """Return whether most row names are those of probes, or plain numbers.

    Examples
    --------
    >>> looks_like_probes(pl.Series(["1007_s_at", "AFFX-BioB-5_at"])), looks_like_probes(pl.Series(["TP53"]))
    (True, False)
    """
    found = names.drop_nulls()
    return not len(found) or bool(found.str.contains(PROBES).sum() * 2 >= len(found))


def find_platform(folder: Path, platform: str, gathered: Gathered) -> pl.DataFrame | None:
    """Return probe and gene of the platform's table beside a series matrix; ``None`` where it is not there.

    Parameters
    ----------
    folder
        Folder of the series matrix.
    platform
        Accessions of the platform, separated by commas; a table is called after one of them.
    gathered
        Hears every problem, and of the file.
    """
    wanted = tuple(name.strip().upper() for name in platform.split(",") if name.strip())
    for path in sorted(folder.iterdir()):
        name = path.name.upper().removesuffix(".GZ")
        stem = name.partition(".")[0].partition("-")[0].partition("_")[0]
        if path.is_file() and stem in wanted and name.lower().endswith(_ENDINGS):
            return _read_platform(path, gathered)
    return None


def _read_platform(path: Path, gathered: Gathered) -> pl.DataFrame | None:
    place = Place(file=path.name, log=gathered.log)
    text = load_text(path, place)
    if text is None:
        return _nothing()
    data, line = text.data, 1
    if (begin := data.find(_BEGIN)) >= 0:
        start = data.find(b"\n", begin) + 1
        line = data.count(b"\n", 0, start) + 1
        end = data.find(_END, start)
        data = data[start:end] if end >= 0 else data[start:]
    tab = open_tab(data, place, first_line=line)
    if tab is None:
        return _nothing()
    lower = {header.lower(): header for header in tab.headers}
    column = next((lower[name] for name in SYMBOL_COLUMNS if name in lower), None)
    if column is None or "id" not in lower:
        hint = "The full table of a platform has the columns ID and Gene Symbol (or one that stands for it)."
        found = ", ".join(tab.headers[:8])
        place.error("unknown-header", "the table names no gene", line=line, found=found, hint=hint)
        return _nothing()
    frame = read_tab(tab, place, columns=(lower["id"], column))
    if frame is None:
        return _nothing()
    gathered.add_file(path.name, sha256=text.sha256, rows=frame.height, table="expression")
    return _one_gene(frame.select(probe=pl.col(lower["id"]).str.strip_chars(), names=column), column)


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(schema={"probe": pl.String, "symbol": pl.String, "several": pl.Boolean})


def _one_gene(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the gene of each probe, and whether it names several."""
    parts = pl.col("names").str.split("///")
    if column.lower() == "gene_assignment":
        parts = parts.list.eval(pl.element().str.split("//").list.get(1, null_on_oob=True))
    parts = parts.list.eval(pl.element().str.strip_chars())
    genes = (
        parts.list.eval(pl.element().filter(~pl.element().is_in(["", "---", "NA"]))).list.unique().list.sort()
    )
    frame = frame.with_columns(genes=genes)
    single = pl.col("genes").list.len() == 1
    return (
        frame.drop_nulls("probe")
        .unique("probe", keep="first", maintain_order=True)
        .select(
            "probe",
            symbol=pl.when(single).then(pl.col("genes").list.first()),
            several=pl.col("genes").list.len().fill_null(0) > 1,
        )
    )


def name_genes(frame: pl.DataFrame, names: pl.DataFrame, place: Place) -> pl.DataFrame:
    """Return the matrix with genes for probes; tell probes without a gene of their own.

    Parameters
    ----------
    frame
        As `hccresist.study.omics.read_matrix` returns it, ``gene`` holding probes.
    names
        As `find_platform` returns it.
    place
        Hears how many rows have no single gene.
    """
    joined = frame.select(probe="gene").join(names, on="probe", how="left", maintain_order="left")
    unknown = frame.select(probe="gene").join(names, on="probe", how="anti").height
    several = int(joined["several"].fill_null(value=False).sum())
    if unknown:
        problem = f"{unknown:,} rows are not in the table of the platform and were left out"
        place.warning("unknown-probe", problem, hint="Is it the table of this platform?")
    if several:
        problem = f"{several:,} rows stand for several genes and were left out"
        place.warning("several-genes", problem, hint="A probe of several genes measures none of them.")
    if not joined["symbol"].drop_nulls().len() and len(names):
        hint = "Take the table of the platform that the series names (Series_platform_id)."
        place.error("wrong-platform", "no row has a gene in the table of the platform", hint=hint)
    return frame.with_columns(gene=joined["symbol"])
