"""Supplemental qualifiers (SUPPTR, SUPPTU): from one row a qualifier to one column a qualifier.

A qualifier belongs to the records that ``IDVAR`` and ``IDVARVAL`` name (a sequence number, a lesion,
a visit; without IDVAR: every record of the subject).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import polars as pl

from hccresist.study.issues import Severity
from hccresist.study.sdtm_files import FILE, Domain
from hccresist.study.study import ROW

PREFIX: Final = "q:"
"""What stands before the name of a qualifier's column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Qualified:
    """A domain with its qualifiers as columns.

    Attributes
    ----------
    domain
        The domain; each qualifier is a text column, `PREFIX` and its QNAM.
    labels
        QLABEL of each QNAM.
    """

    domain: Domain
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def names(self) -> tuple[str, ...]:
        """QNAM of every qualifier, in alphabetical order."""
        return tuple(sorted(self.labels))


def attach(domain: Domain, supp: Domain | None) -> Qualified:
    """Return a domain with its supplemental qualifiers.

    Parameters
    ----------
    domain
        TR or TU.
    supp
        SUPPTR or SUPPTU; hears of qualifiers that name no record or contradict each other.

    Returns
    -------
    Qualified
        The same records in the same order.
    """
    if supp is None or supp.records.is_empty():
        return Qualified(domain=domain)
    rows = supp.records.drop_nulls("QNAM").with_columns(pl.col("QNAM").str.to_uppercase())
    labels = {name: name for name in rows["QNAM"].unique().to_list()}
    if "QLABEL" in rows.columns:
        known = rows.drop_nulls("QLABEL").sort("QNAM", "QLABEL").unique("QNAM", keep="first")
        labels |= dict(zip(known["QNAM"].to_list(), known["QLABEL"].to_list(), strict=True))
    keyed = domain.records.with_row_index("__record")
    links = list(_links(keyed, rows, supp))
    if not links:
        return Qualified(domain=domain)
    linked = pl.concat(links)
    _tell_unlinked(rows, linked, supp)
    _tell_conflicts(linked, supp)
    wide = (
        linked.sort(FILE, ROW)
        .unique(["__record", "QNAM"], keep="first")
        .pivot("QNAM", index="__record", values="QVAL")
    )
    wide = wide.rename({name: PREFIX + name for name in wide.columns if name != "__record"})
    records = keyed.join(wide, on="__record", how="left", maintain_order="left").drop("__record")
    found = {name: label for name, label in labels.items() if PREFIX + name in records.columns}
    return Qualified(domain=domain.with_records(records), labels=found)


def _links(keyed: pl.DataFrame, rows: pl.DataFrame, supp: Domain) -> Iterator[pl.DataFrame]:
    """Yield record and qualifier for each way in which qualifiers name their records."""
    columns = ["QNAM", "QVAL", "USUBJID", ROW, FILE]
    for (idvar,), part in rows.partition_by("IDVAR", as_dict=True, maintain_order=True).items():
        if idvar is None:
            yield part.join(keyed.select("USUBJID", "__record"), on="USUBJID").select("__record", *columns)
        elif str(idvar).upper() in keyed.columns:
            name = str(idvar).upper()
            left = part.with_columns(_same_number(pl.col("IDVARVAL")).alias("__value"))
            right = keyed.select("USUBJID", "__record", _same_number(pl.col(name)).alias("__value"))
            yield left.join(right, on=["USUBJID", "__value"]).select("__record", *columns)
        else:
            hint = f"IDVAR names a variable of {supp.name.removeprefix('SUPP')}."
            supp.place.warning(
                "unknown-idvar",
                f"{part.height} qualifiers name their records by {idvar}, which is not there: left out",
                column="IDVAR",
                found=str(idvar),
                hint=hint,
            )


def _same_number(text: pl.Expr) -> pl.Expr:
    """Return numbers in one spelling, so that 1, 1.0 and 01 are the same; other text as it is."""
    number = text.cast(pl.Float64, strict=False)
    return pl.when(number.is_not_null()).then(number.cast(pl.String)).otherwise(text)


def _tell_unlinked(rows: pl.DataFrame, linked: pl.DataFrame, supp: Domain) -> None:
    lost = rows.filter(pl.col("IDVAR").is_not_null()).join(linked, on=[ROW, FILE], how="anti")
    if lost.is_empty():
        return
    first = lost.sort(FILE, ROW).row(0, named=True)
    supp.place.warning(
        "qualifier-without-record",
        f"{lost.height} qualifiers belong to no record that is there; they were left out",
        line=first[ROW],
        patient=first["USUBJID"],
        found=f"{first['IDVAR']} {first['IDVARVAL']}",
        hint="The parent record may be missing, or IDVARVAL may be wrong.",
    )


def _tell_conflicts(linked: pl.DataFrame, supp: Domain) -> None:
    key = ["__record", "QNAM"]
    twice = linked.filter(pl.col("QVAL").n_unique().over(key) > 1)
    supp.tell(
        twice.sort(FILE, ROW).unique([ROW, FILE], keep="first", maintain_order=True),
        "qualifier-conflict",
        "the qualifier has several values for one record; the first was used",
        column="QVAL",
        found="QVAL",
        expected="one value",
        hint="Keep one of the rows.",
        severity=Severity.WARNING,
    )


def covariate_names(qualified: Qualified, used: Sequence[str], declared: Sequence[str]) -> dict[str, str]:
    """Return the covariate name of each qualifier that has no column of its own.

    The name is the QNAM in lower case, with ``supp_`` before it where a column is called so already.
    """
    names = [name for name in qualified.names if name not in used]
    return {name: f"supp_{name.lower()}" if name.lower() in declared else name.lower() for name in names}
