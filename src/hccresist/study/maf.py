"""Mutations (MAF) and discrete copy number (cBioPortal) as rows of the table `alterations`.

Copy number is a matrix of genes by samples with values from -2 to 2. Of it is kept: every value of
the genes that a rule of ``data/alterations/rules.csv`` asks about, and -2 and 2 of all others.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import polars as pl

from hccresist.study.issues import nearest
from hccresist.study.rows import Place
from hccresist.study.study import ROW, RawTable, Source
from hccresist.study.tab import Tab, Text, load_text, open_tab, read_parts, read_tab
from hccresist.study.values import is_missing

GENE_COLUMNS: Final = ("Hugo_Symbol", "Entrez_Gene_Id")
"""Columns of a cBioPortal matrix that name the gene; every other column is a sample."""
PROTEIN_COLUMNS: Final = ("HGVSp_Short", "HGVSp", "Protein_Change", "Amino_Acid_Change")
SOMATIC: Final = ("somatic", "unknown", "")
"""Words of ``Mutation_Status`` whose rows are read; the others are germline, LOH or wild type."""
COPY_NUMBER: Final = "copy_number"
DISCRETE: Final = (-2.0, -1.5, -1.0, 0.0, 1.0, 2.0)
_NEEDED: Final = ("Hugo_Symbol", "Tumor_Sample_Barcode", "Variant_Classification")
_PLACE: Final = ("Chromosome", "Start_Position", "Reference_Allele", "Tumor_Seq_Allele2")
_DEPTHS: Final = ("t_alt_count", "t_ref_count", "t_depth")
_EXTRA: Final = ("HGVSc", "Mutation_Status", "NCBI_Build")


def alteration_format(path: Path) -> str | None:
    """Return ``mutation`` or ``copy_number`` for a file that is called as such files are, else ``None``.

    Examples
    --------
    >>> [alteration_format(Path(p)) for p in ("tumours.maf.gz", "data_CNA.txt", "alterations.csv")]
    ['mutation', 'copy_number', None]
    """
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".maf") or name in ("data_mutations.txt", "data_mutations_extended.txt"):
        return "mutation"
    return COPY_NUMBER if name == "data_cna.txt" else None


def read_alterations(path: Path, kind: str, *, place: Place) -> tuple[RawTable, Source] | None:
    """Read a MAF or a matrix of discrete copy number.

    Parameters
    ----------
    path
        The file, perhaps gzipped.
    kind
        ``mutation`` or ``copy_number``.
    place
        Hears every problem, and what of the file is not read.

    Returns
    -------
    tuple or None
        Rows of `alterations` and the file; ``None`` where it cannot be read.
    """
    text = load_text(path, place)
    if text is None:
        return None
    frame = read_maf(text, place) if kind == "mutation" else read_copy_number(text, place)
    if frame is None:
        return None
    source = Source(file=place.file, sha256=text.sha256, rows=frame.height, table="alterations")
    headers = {"sample_id": "Tumor_Sample_Barcode", "gene": "Hugo_Symbol"} if kind == "mutation" else {}
    return RawTable(name="alterations", frame=frame, file=place.file, headers=headers), source


def read_maf(text: Text, place: Place) -> pl.DataFrame | None:
    """Return the rows of a MAF.

    1. ``change`` is the protein change (`PROTEIN_COLUMNS`); where there is none the place on the
       genome as ``chromosome:position reference>variant``, else the change of the transcript.
    2. ``kind`` is Variant_Classification; silent and intronic rows are kept, for they show that the
       sample was sequenced.
    3. Rows whose Mutation_Status says germline, LOH or wild type are left out, and counted.
    4. A change that stands twice in a sample (two changes of DNA, one of protein) is one row.

    Returns
    -------
    pl.DataFrame or None
        sample_id, gene, change, kind, place, vaf and `ROW`.
    """
    tab = open_tab(text.data, place)
    if tab is None:
        return None
    names = _match(tab.headers, (*_NEEDED, *PROTEIN_COLUMNS, *_PLACE, *_DEPTHS, *_EXTRA))
    for name in (name for name in _NEEDED if name not in names):
        hint = (
            nearest(name, list(tab.headers))
            or "A MAF has one row a mutation and names its columns in the first line."
        )
        place.error("missing-column", f"column '{name}' is missing", column=name, expected=name, hint=hint)
    changes = [name for name in (*PROTEIN_COLUMNS, "HGVSc", "Start_Position") if name in names]
    if not changes:
        problem, expected = "no column says what changed", ", ".join((*PROTEIN_COLUMNS, "Start_Position"))
        place.error("missing-column", problem, expected=expected, hint="Annotate the mutations first.")
    if not changes or any(name not in names for name in _NEEDED):
        return None
    frame = read_tab(tab, place, columns=names.values())
    if frame is None:
        return None
    frame = _clean(frame.rename({header: name for name, header in names.items()}))
    return _merge(_to_rows(_somatic(frame, place), place), place)


def _match(headers: Sequence[str], wanted: Sequence[str]) -> dict[str, str]:
    """Return the header of each wanted column, whatever its case."""
    found = {header.lower(): header for header in headers}
    return {name: found[name.lower()] for name in wanted if name.lower() in found}


def _clean(frame: pl.DataFrame) -> pl.DataFrame:
    columns = [frame[name].str.strip_chars() for name in frame.columns if name != ROW]
    return frame.with_columns(column.set(is_missing(column), None) for column in columns)


def _somatic(frame: pl.DataFrame, place: Place) -> pl.DataFrame:
    if "Mutation_Status" not in frame.columns:
        return frame
    status = pl.col("Mutation_Status").str.to_lowercase().fill_null("")
    left = frame.filter(~status.is_in(SOMATIC))
    if not left.is_empty():
        words = ", ".join(left["Mutation_Status"].unique().sort())
        problem = f"{left.height} rows are no somatic mutations and were left out"
        hint = "Only somatic mutations count as alterations of the tumour."
        place.warning("not-somatic", problem, column="Mutation_Status", found=words, hint=hint)
    return frame.filter(status.is_in(SOMATIC))


def _to_rows(frame: pl.DataFrame, place: Place) -> pl.DataFrame:
    frame = _without_gene(frame, place)
    where = _where(frame)
    protein = [pl.col(name) for name in PROTEIN_COLUMNS if name in frame.columns]
    transcript = [pl.col("HGVSc")] if "HGVSc" in frame.columns else []
    change = pl.coalesce(*protein, where, *transcript, "Variant_Classification")
    return frame.select(
        sample_id="Tumor_Sample_Barcode",
        gene="Hugo_Symbol",
        change=change,
        kind="Variant_Classification",
        place=where,
        vaf=_fraction(frame),
        **{ROW: ROW},
    )


def _without_gene(frame: pl.DataFrame, place: Place) -> pl.DataFrame:
    nowhere = pl.col("Hugo_Symbol").is_null() | (pl.col("Hugo_Symbol").str.to_lowercase() == "unknown")
    if n := frame.filter(nowhere).height:
        problem = f"{n} rows lie in no gene and were left out"
        place.warning("no-gene", problem, column="Hugo_Symbol", hint="Nothing is to be done.")
    return frame.filter(~nowhere)


def _where(frame: pl.DataFrame) -> pl.Expr:
    """Return the place on the genome; null where the file does not say it."""
    if not {"Chromosome", "Start_Position"} <= set(frame.columns):
        return pl.lit(None, dtype=pl.String)
    base = pl.format("{}:{}", "Chromosome", "Start_Position")
    if not set(_PLACE) <= set(frame.columns):
        return base
    return pl.coalesce(pl.format("{} {}>{}", base, "Reference_Allele", "Tumor_Seq_Allele2"), base)


def _fraction(frame: pl.DataFrame) -> pl.Expr:
    """Return the share of reads with the variant; null where the file does not count them."""
    counts = {name: pl.col(name).cast(pl.Float64, strict=False) for name in _DEPTHS if name in frame.columns}
    if "t_alt_count" not in counts:
        return pl.lit(None, dtype=pl.Float64)
    depth = counts.get("t_depth", pl.lit(None, dtype=pl.Float64))
    if "t_ref_count" in counts:
        depth = pl.coalesce(depth, counts["t_alt_count"] + counts["t_ref_count"])
    return pl.when(depth > 0).then(counts["t_alt_count"] / depth)


def _merge(frame: pl.DataFrame, place: Place) -> pl.DataFrame:
    """Return one row a sample, gene and change: the first of those that say the same."""
    key = ["sample_id", "gene", "change"]
    whole = frame.filter(pl.all_horizontal(pl.col(key).is_not_null()))
    single = whole.unique(key, keep="first", maintain_order=True)
    if n := whole.height - single.height:
        place.warning(
            "duplicate-mutation",
            f"{n} rows name a change that the sample has already, and were merged with it",
            hint="Different changes of DNA can give the same change of protein.",
        )
    return pl.concat([single, frame.filter(pl.any_horizontal(pl.col(key).is_null()))])


@cache
def copy_number_genes() -> frozenset[str]:
    """Return the genes of whose copy number a rule of alterations asks."""
    text = (files("hccresist") / "data" / "alterations" / "rules.csv").read_text(encoding="utf-8")
    asked = ("amplification", "gain", "deep_deletion", "locus")
    rows = [row for row in csv.DictReader(text.splitlines()) if row["counts"] in asked]
    return frozenset(gene for row in rows for gene in (row["members"].split() or [row["gene"]]))


def read_copy_number(text: Text, place: Place) -> pl.DataFrame | None:
    """Return the rows of a matrix of discrete copy number.

    Returns
    -------
    pl.DataFrame or None
        sample_id, gene, change (-2, -1.5, -1, 0, 1, 2), kind (``copy_number``) and `ROW`. Empty cells
        were not measured and have no row.
    """
    tab = open_tab(text.data, place)
    if tab is None:
        return None
    names = _match(tab.headers, GENE_COLUMNS)
    if "Hugo_Symbol" not in names:
        hint = "The first column of a copy-number matrix is Hugo_Symbol."
        found = ", ".join(tab.headers[:4])
        place.error("missing-column", "column 'Hugo_Symbol' is missing", line=1, found=found, hint=hint)
        return None
    samples = [header for header in tab.headers if header not in names.values() and header]
    if taken := sorted({"gene", ROW} & set(samples)):
        hint = "Rename the sample: the name is used inside."
        place.error("reserved-column", f"no sample can be called '{taken[0]}'", column=taken[0], hint=hint)
        return None
    return _read_discrete(tab, names["Hugo_Symbol"], samples, place=place)


def _read_discrete(tab: Tab, gene: str, samples: Sequence[str], *, place: Place) -> pl.DataFrame | None:
    """Read a matrix part by part; the first row of a gene is kept."""
    seen: set[str] = set()
    rows: list[pl.DataFrame] = []
    twice = 0
    for part in read_parts(tab, place, columns=(gene, *samples)):
        if part is None:
            return None
        named = part.rename({gene: "gene"}).with_columns(pl.col("gene").str.strip_chars()).drop_nulls("gene")
        single = named.filter(~pl.col("gene").is_in(list(seen))).unique(
            "gene", keep="first", maintain_order=True
        )
        twice += named.height - single.height
        seen.update(single["gene"].to_list())
        values, bad = _discrete(single, samples)
        if bad:
            _tell_values(single, bad, place)
            return None
        rows.append(_melt(single.select("gene", ROW).hstack(values), samples))
    _tell_parts(len(seen - {g for g in seen if g.upper() in copy_number_genes()}), twice, place)
    return pl.concat(rows)


def _tell_parts(others: int, twice: int, place: Place) -> None:
    if twice:
        problem = f"{twice:,} rows name a gene that stands in the file already, and were left out"
        place.warning("duplicate-gene", problem, column="gene", hint="The first row of a gene is kept.")
    if others:
        place.warning(
            "copy-number-in-part",
            f"of {others:,} genes that no rule asks about only -2 and 2 were read",
            hint="Gains, losses and unchanged genes are kept for the genes of the alteration rules.",
        )


def _discrete(frame: pl.DataFrame, samples: Sequence[str]) -> tuple[pl.DataFrame, list[str]]:
    """Return the values as numbers, and the samples with a value that is not discrete."""
    columns: list[pl.Series] = []
    bad: list[str] = []
    for name in samples:
        number = frame[name].cast(pl.Float64, strict=False)
        if _undiscrete(frame[name], number).any():
            bad.append(name)
        columns.append(number)
    return pl.DataFrame(columns), bad


def _undiscrete(text: pl.Series, number: pl.Series) -> pl.Series:
    wrong = ~number.is_in(DISCRETE).fill_null(value=False) & text.is_not_null()
    return wrong & ~is_missing(text) if wrong.any() else wrong


def _tell_values(frame: pl.DataFrame, bad: Sequence[str], place: Place) -> None:
    name = bad[0]
    wrong = _undiscrete(frame[name], frame[name].cast(pl.Float64, strict=False))
    place.tell(
        frame.filter(wrong).head(1),
        "not-discrete",
        f"the value is no discrete copy number (so in {len(bad)} of the samples)",
        column=name,
        found=name,
        expected="-2, -1.5, -1, 0, 1 or 2, or an empty cell",
        hint="Give the discrete calls (GISTIC thresholded), not log ratios or copies.",
    )


def _melt(frame: pl.DataFrame, samples: Sequence[str]) -> pl.DataFrame:
    """Return a row for each value that is kept."""
    asked = pl.col("gene").str.to_uppercase().is_in(list(copy_number_genes()))
    far = pl.any_horizontal(pl.col(name).abs() >= 2 for name in samples) if samples else pl.lit(value=False)
    rows = frame.filter(asked | far).unpivot(
        on=list(samples), index=["gene", ROW], variable_name="sample_id", value_name="value"
    )
    rows = rows.filter(pl.col("value").is_not_null() & (asked | (pl.col("value").abs() >= 2)))
    change = pl.col("value").cast(pl.String).str.strip_suffix(".0")
    return rows.select("sample_id", "gene", change=change, kind=pl.lit(COPY_NUMBER), **{ROW: ROW})


def join_alterations(tables: Sequence[RawTable]) -> RawTable | None:
    """Return several tables of alterations as one; ``None`` where there is none.

    A key that stands in two of them stays twice, and is told by the check.
    """
    if len(tables) < 2:
        return tables[0] if tables else None
    frame = pl.concat([table.frame for table in tables], how="diagonal_relaxed")
    return RawTable(name="alterations", frame=frame, file=", ".join(table.file for table in tables))
