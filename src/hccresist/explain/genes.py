"""Names of genes: from whatever a table holds to the approved symbol.

The rules, in this order; nothing is guessed, and what is not clear stays unresolved:

1. An approved symbol is itself, whatever else it may be an alias of.
2. An Ensembl gene (``ENSG…``, a version suffix is dropped) and an Entrez number (bare, as ``LOC…`` or
   behind a bar as in ``TP53|7157``) give the symbol of that gene.
3. A day made of a symbol by a spreadsheet (``3-Sep``, ``Mar-03``, ``2006-09-03``) is read back as the
   formerly approved symbol that it was; ``1-Mar`` may have been either of two genes and is ambiguous.
4. A previous symbol or an alias gives the symbol if it belongs to one approved gene; if it belongs to
   several it is ambiguous. A withdrawn symbol counts as a previous symbol of its successor.
5. Upper and lower case may differ where that leaves one gene, unless the names as a whole are written
   as mouse genes are (``Trp53``).

The table is `src/hccresist/data/genes.parquet`; where it came from is told beside it, in `genes.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Final

import polars as pl

HOW: Final = ("approved", "previous", "alias", "ensembl", "entrez", "ambiguous", "unknown")
"""What `GeneTable.resolve` says of a name."""

MOUSE_SHARE: Final = 0.5
"""Share of the names written like ``Trp53`` above which they are taken for mouse genes."""

_SPACES: Final = ("symbol", "ensembl", "entrez", "day", "case", "name")
_ENSEMBL: Final = r"^(ENSG\d{11})(?:\.\d+)?(?:_PAR_Y)?$"
_ENTREZ: Final = r"^(?:.*\|)?(?:LOC)?(\d{1,9})$"
_OTHER_ENSEMBL: Final = r"^ENS(?:MUS|RNO)?[EGPT]\d{11}"
_MOUSE: Final = r"^[A-Z][a-z][a-z0-9]*\d*$"
_MONTHS: Final = {
    "jan": ("JAN",), "feb": ("FEB",), "mar": ("MARCH", "MARC", "MAR"), "apr": ("APR",), "may": ("MAY",),
    "jun": ("JUN",), "jul": ("JUL",), "aug": ("AUG",), "sep": ("SEPT", "SEP"), "oct": ("OCT",),
    "nov": ("NOV",), "dec": ("DEC",),
}  # fmt: skip
_DAY_MONTH: Final = r"^(\d{1,2})-([A-Za-z]{3})(?:-\d{2,4})?$"
_MONTH_DAY: Final = r"^([A-Za-z]{3})-(\d{1,2})$"
_ISO_DAY: Final = r"^\d{4}-(\d{2})-(\d{2})(?:[ T]00:00(?::00)?)?$"


@dataclass(frozen=True, slots=True)
class GeneTable:
    """Approved genes and every name that leads to them.

    Attributes
    ----------
    genes
        One row an approved gene: symbol, locus (kind of locus), ensembl, entrez, previous, alias.
    keys
        One row a kind of key (`space`) and key: symbol (null where ambiguous), how, note.
    """

    genes: pl.DataFrame
    keys: pl.DataFrame

    def resolve(self, names: Sequence[str]) -> pl.DataFrame:
        """Say for each name which approved gene it is.

        Parameters
        ----------
        names
            Symbols, Ensembl genes or Entrez numbers, mixed if need be.

        Returns
        -------
        pl.DataFrame
            One row a name, in the order given: given, symbol (null where ambiguous or unknown), how
            (one of `HOW`) and note (null where there is nothing to tell).

        Examples
        --------
        >>> table = read_genes().resolve(["TP53", "CTGF", "ENSG00000141510.18", "MLL2", "3-Sep"])
        >>> table["symbol"].to_list()
        ['TP53', 'CCN2', 'TP53', None, 'SEPTIN3']
        >>> table["how"].to_list()
        ['approved', 'previous', 'ensembl', 'ambiguous', 'previous']
        """
        given = pl.DataFrame({"given": pl.Series(names, dtype=pl.String)})
        names_once = given.unique(maintain_order=True)
        mouse = _look_like_mouse(names_once["given"])
        tried = _add_keys(names_once, mouse=mouse)
        found = tried.select("given").with_columns(
            pl.lit(None, pl.String).alias("symbol"),
            pl.lit(None, pl.String).alias("how"),
            pl.lit(None, pl.String).alias("note"),
        )
        for space in _SPACES:
            found = _fill(found, tried, self.keys.filter(space=space))
        return given.join(_finish(found, mouse=mouse), on="given", how="left", maintain_order="left")

    def symbols(self) -> frozenset[str]:
        """Return every approved symbol."""
        return frozenset(self.genes["symbol"].to_list())


@cache
def read_genes() -> GeneTable:
    """Return the table of genes that comes with the package (HGNC)."""
    raw = (files("hccresist") / "data" / "genes.parquet").read_bytes()
    entries = pl.read_parquet(BytesIO(raw))
    approved = entries.filter(status="approved").sort("symbol")
    keys = pl.concat(
        [
            _key(approved, "symbol", pl.col("symbol"), how="approved"),
            _key(approved.drop_nulls("ensembl"), "ensembl", pl.col("ensembl"), how="ensembl"),
            _key(approved.drop_nulls("entrez"), "entrez", pl.col("entrez").cast(pl.String), how="entrez"),
            *_list_names(approved, entries),
        ]
    )
    genes = approved.select("symbol", "locus", "ensembl", "entrez", "previous", "alias")
    return GeneTable(genes, pl.concat([keys, _list_case_traps(approved), _list_days(approved, keys)]))


def _key(genes: pl.DataFrame, space: str, key: pl.Expr, *, how: str) -> pl.DataFrame:
    return genes.select(
        pl.lit(space).alias("space"),
        key.alias("key"),
        pl.col("symbol"),
        pl.lit(how).alias("how"),
        pl.lit(None, pl.String).alias("note"),
    )


def _list_names(approved: pl.DataFrame, entries: pl.DataFrame) -> list[pl.DataFrame]:
    """Return one row a name in capitals: where it leads, or that it leads to several genes."""
    own = approved.select(
        pl.col("symbol").str.to_uppercase().alias("key"), "symbol", pl.lit("approved").alias("how")
    )
    other = pl.concat(
        [
            approved.select(pl.col(kind).alias("name"), "symbol", pl.lit(kind).alias("how"))
            .explode("name")
            .drop_nulls("name")
            for kind in ("previous", "alias")
        ]
        + [_list_renamed(entries)]
    ).with_columns(pl.col("name").str.to_uppercase().alias("key"))
    other = other.join(own.select("key"), on="key", how="anti").select("key", "symbol", "how")
    withdrawn = entries.filter(status="withdrawn").select(pl.col("symbol").str.to_uppercase().alias("key"))
    dead = (
        withdrawn.unique()
        .join(pl.concat([own, other]), on="key", how="anti")
        .select(
            pl.lit("name").alias("space"),
            "key",
            pl.lit(None, pl.String).alias("symbol"),
            pl.lit("unknown").alias("how"),
            pl.lit("withdrawn by HGNC, without a successor").alias("note"),
        )
    )
    return [_key(own, "name", pl.col("key"), how="approved"), _settle(other, "name"), dead.sort("key")]


def _list_renamed(entries: pl.DataFrame) -> pl.DataFrame:
    """Return withdrawn symbols as previous symbols of the genes that they went into."""
    renamed = entries.filter(status="renamed").select(pl.col("symbol").alias("name"), "successors")
    links = renamed.explode("successors").rename({"successors": "hgnc"})
    targets = entries.select("hgnc", "symbol", "status", "successors")
    step = links.join(targets, on="hgnc")
    again = (
        step.filter(status="renamed")
        .select("name", pl.col("successors").alias("hgnc"))
        .explode("hgnc")
        .join(targets, on="hgnc")
    )
    ends = pl.concat([step.select("name", "symbol", "status"), again.select("name", "symbol", "status")])
    return ends.filter(status="approved").select("name", "symbol", pl.lit("previous").alias("how"))


def _settle(names: pl.DataFrame, space: str) -> pl.DataFrame:
    """Return one row a key: its gene where there is one, all of them in the note where there are several."""
    ways = (
        names.with_columns(
            pl.col("how").replace_strict({"approved": 0, "previous": 1, "alias": 2}).alias("r")
        )
        .sort("key", "r", "symbol")
        .unique(["key", "symbol"], keep="first", maintain_order=True)
        .with_columns(
            pl.when(how="alias")
            .then(pl.lit("alias of "))
            .when(how="previous")
            .then(pl.lit("previous symbol of "))
            .otherwise(pl.lit(""))
            .add(pl.col("symbol"))
            .alias("way")
        )
        .group_by("key", maintain_order=True)
        .agg(pl.col("symbol").first(), pl.col("how").first(), pl.col("way"))
    )
    several = pl.col("way").list.len() > 1
    return ways.select(
        pl.lit(space).alias("space"),
        "key",
        pl.when(~several).then("symbol").alias("symbol"),
        pl.when(several).then(pl.lit("ambiguous")).otherwise("how").alias("how"),
        pl.when(several).then(pl.col("way").list.join(", ")).alias("note"),
    )


def _list_case_traps(approved: pl.DataFrame) -> pl.DataFrame:
    """Return aliases that differ only by case from the symbol of another gene (``Fli1`` is also FLII)."""
    alias = approved.select(pl.col("alias").alias("name"), pl.col("symbol").alias("other")).explode("name")
    own = approved.select("symbol", pl.col("symbol").str.to_uppercase().alias("upper"))
    traps = (
        alias.drop_nulls("name")
        .with_columns(pl.col("name").str.to_uppercase().alias("upper"))
        .join(own, on="upper")
        .filter((pl.col("symbol") != pl.col("other")) & (pl.col("name") != pl.col("symbol")))
    )
    return (
        traps.sort("name", "other")
        .unique("name", keep="first", maintain_order=True)
        .select(
            pl.lit("case").alias("space"),
            pl.col("name").alias("key"),
            pl.lit(None, pl.String).alias("symbol"),
            pl.lit("ambiguous").alias("how"),
            pl.format("{} in another case, or alias of {}", "symbol", "other").alias("note"),
        )
    )


def _list_days(approved: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """Return one row a day of the year (``9-3``): the gene whose name a spreadsheet takes for that day.

    A spreadsheet met the symbols that were approved in its time, so only previous symbols count.
    """
    days = pl.DataFrame(
        [
            {"name": f"{word}{day}", "key": f"{month}-{day}"}
            for month, words in enumerate(_MONTHS.values(), start=1)
            for word in words
            for day in range(1, 32)
        ]
    )
    former = approved.select(pl.col("previous").alias("name")).explode("name").unique()
    names = keys.filter(space="name").rename({"key": "name"}).join(former, on="name", how="semi")
    read = (
        days.join(names, on="name")
        .sort("key", "name")
        .with_columns(pl.coalesce("note", pl.lit("previous symbol of ") + pl.col("symbol")))
        .group_by("key", maintain_order=True)
        .agg(
            pl.col("symbol").first(),
            pl.col("name"),
            pl.format("{} ({})", "name", "note").alias("ways"),
            several=(pl.col("symbol").n_unique() > 1) | pl.col("symbol").is_null().any(),
        )
    )
    several = pl.col("several")
    return read.select(
        pl.lit("day").alias("space"),
        "key",
        pl.when(~several).then("symbol").alias("symbol"),
        pl.when(several).then(pl.lit("ambiguous")).otherwise(pl.lit("previous")).alias("how"),
        pl.when(several)
        .then(pl.lit("a day made by a spreadsheet; it may have been ") + pl.col("ways").list.join(" or "))
        .otherwise(pl.lit("a day made by a spreadsheet, read as ") + pl.col("name").list.join(", "))
        .alias("note"),
    )


def _add_keys(names: pl.DataFrame, *, mouse: bool) -> pl.DataFrame:
    """Add what each name is looked up by: one column a space."""
    text = pl.col("given").str.strip_chars()
    bare = text.str.replace(r"\|\d+$", "")
    months = {word: str(number) for number, word in enumerate(_MONTHS, start=1)}

    def month(pattern: str, group: int) -> pl.Expr:
        word = text.str.extract(pattern, group).str.to_lowercase()
        return word.replace_strict(months, default=None, return_dtype=pl.String)

    def number(pattern: str, group: int) -> pl.Expr:
        return text.str.extract(pattern, group).cast(pl.Int32).cast(pl.String)

    day = pl.coalesce(
        pl.concat_str(month(_DAY_MONTH, 2), number(_DAY_MONTH, 1), separator="-"),
        pl.concat_str(month(_MONTH_DAY, 1), number(_MONTH_DAY, 2), separator="-"),
        pl.concat_str(number(_ISO_DAY, 1), number(_ISO_DAY, 2), separator="-"),
    )
    return names.with_columns(
        bare.alias("symbol"),
        bare.str.to_uppercase().str.extract(_ENSEMBL, 1).alias("ensembl"),
        text.str.extract(_ENTREZ, 1).str.strip_chars_start("0").alias("entrez"),
        day.alias("day"),
        bare.alias("case"),
        pl.when(~(bare.str.contains(_MOUSE) & pl.lit(mouse))).then(bare.str.to_uppercase()).alias("name"),
    )


def _fill(found: pl.DataFrame, tried: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """Give what is not yet decided the answer of one kind of key."""
    space = keys["space"].first()
    answer = tried.select("given", key=pl.col(str(space))).join(
        keys.select("key", s="symbol", h="how", n="note"), on="key"
    )
    still = pl.col("how").is_null()
    return (
        found.join(answer.drop("key"), on="given", how="left", maintain_order="left")
        .with_columns(
            symbol=pl.when(still).then("s").otherwise("symbol"),
            note=pl.when(still).then("n").otherwise("note"),
            how=pl.when(still).then("h").otherwise("how"),
        )
        .drop("s", "h", "n")
    )


def _finish(found: pl.DataFrame, *, mouse: bool) -> pl.DataFrame:
    """Say what is unknown, and why where the name itself tells."""
    unknown = pl.col("how").is_null()
    text = pl.col("given").str.strip_chars()
    day = pl.any_horizontal(text.str.contains(p) for p in (_DAY_MONTH, _MONTH_DAY, _ISO_DAY))
    why = (
        pl.when(text.str.contains("///"))
        .then(pl.lit("several genes in one row"))
        .when(text.str.contains(_OTHER_ENSEMBL))
        .then(
            pl.lit("a retired Ensembl gene, or not a human gene but a transcript, protein or other species")
        )
        .when(text.str.contains(_MOUSE) & pl.lit(mouse))
        .then(pl.lit("most names are written as mouse genes are"))
        .when(day)
        .then(pl.lit("a day made by a spreadsheet; no formerly approved symbol reads so"))
    )
    bare = text.str.replace(r"\|\d+$", "")
    changed = pl.col("how").eq("approved") & (pl.col("symbol") != bare)
    return found.with_columns(
        how=pl.when(unknown & text.str.contains("///"))
        .then(pl.lit("ambiguous"))
        .otherwise(pl.col("how").fill_null("unknown")),
        note=pl.when(unknown)
        .then(why)
        .otherwise(pl.coalesce("note", pl.when(changed).then(pl.lit("upper and lower case were put right")))),
    )


def _look_like_mouse(names: pl.Series) -> bool:
    words = names.filter(names.str.contains("[A-Za-z]") & ~names.str.contains("^ENS"))
    return bool(words.len() >= 20 and words.str.contains(_MOUSE).mean() > MOUSE_SHARE)  # type: ignore[operator]
