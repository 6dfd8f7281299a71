"""Scans: TR → `visits`, and `sums` of readers who measured no lesion.

Their modality is TRMETHOD; an arterial phase comes from the qualifiers in `sdtm_map.ARTERIAL`. A
recorded sum of diameters stays beside the scan (``recorded_sum_mm``) for the audit where the
reader's lesions are there; where they are not, it is all there is and goes to `sums`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.study import sdtm_map as words
from hccresist.study.issues import Severity
from hccresist.study.sdtm_files import FILE, Domain
from hccresist.study.sdtm_results import KIND, VALUE, tell_repeats
from hccresist.study.sdtm_supp import PREFIX, Qualified
from hccresist.study.sdtm_time import DAY
from hccresist.study.study import ROW, RawTable

HEADERS: Final = {"patient_id": "USUBJID", "reader": "TREVALID", "day": "TRDTC"}

_SCAN: Final = ["USUBJID", "reader", DAY]
_PHASE: Final = "__phase"


def of_record(domain: Domain) -> list[pl.Expr]:
    """Return the covariates that come from the records of a scan: visit, its number, accepted."""
    columns = [
        domain.column("VISIT").drop_nulls().first().alias("visit"),
        domain.column("VISITNUM").cast(pl.Float64, strict=False).drop_nulls().first().alias("visitnum"),
    ]
    if "accepted" in domain.records.columns:
        columns.append(pl.col("accepted").any())
    return columns


def scan_tables(tr: Qualified, measured: pl.DataFrame, tu: Qualified | None) -> list[RawTable]:
    """Return `visits`, and `sums` of readers who measured no lesion.

    Parameters
    ----------
    tr
        TR with reader, day, results and qualifiers.
    measured
        One row a lesion and day, with ``size``: the diameter that counts.
    tu
        TU, whose TUMETHOD serves for scans on which TR names no method.
    """
    domain = tr.domain
    visits = _visits(tr, tu)
    tables: list[RawTable] = []
    sums = _sums(domain)
    if not sums.is_empty():
        series = measured.drop_nulls("size").select("USUBJID", "reader").unique() if measured.height else None
        alone = sums if series is None else sums.join(series, on=["USUBJID", "reader"], how="anti")
        beside = sums.join(alone, on=_SCAN, how="anti")
        recorded = beside.select(*_SCAN, pl.col(VALUE).alias("recorded_sum_mm"))
        visits = visits.join(recorded, on=_SCAN, how="left", maintain_order="left")
        frame = alone.select("reader", DAY, ROW, patient_id="USUBJID", measure=pl.lit("longest"), sum=VALUE)
        if frame.height:
            tables.append(_table(domain, "sums", frame, {"sum": "TRSTRESN"}))
    visits = visits.rename({"USUBJID": "patient_id"})
    return [_table(domain, "visits", visits, {"modality": "TRMETHOD"}), *tables]


def _table(domain: Domain, name: str, frame: pl.DataFrame, headers: dict[str, str]) -> RawTable:
    empty = [column for column in frame.columns if frame[column].null_count() == frame.height]
    return RawTable(name=name, frame=frame.drop(empty), file=domain.label, headers={**HEADERS, **headers})


def _sums(domain: Domain) -> pl.DataFrame:
    """Return one recorded sum a scan; different ones for one scan are told."""
    sums = domain.records.filter(pl.col(KIND) == "sum").drop_nulls(VALUE)
    tell_repeats(domain.with_records(sums), _SCAN)
    return sums.sort(FILE, ROW).unique(_SCAN, keep="first", maintain_order=True)


def _visits(tr: Qualified, tu: Qualified | None) -> pl.DataFrame:
    domain = _with_method(tr, tu)
    done = (words.plain(domain.column("TRSTAT")) != "NOT DONE").fill_null(value=True)
    method = pl.when(done).then(domain.column("TRMETHOD"))
    modality = pl.when(method.is_not_null()).then(words.translate(method, words.MODALITY).fill_null("other"))
    rows = domain.records.with_columns(modality.alias("modality"), _phase(tr).alias(_PHASE)).sort(FILE, ROW)
    _tell_phases(domain, rows)
    one = pl.col("modality").drop_nulls().n_unique() == 1
    phases = pl.col(_PHASE).drop_nulls()
    recorded = method.drop_nulls().unique().sort().str.join("; ")
    frame = rows.group_by(_SCAN, maintain_order=True).agg(
        pl.when(one).then(pl.col("modality").drop_nulls().first()).alias("modality"),
        recorded.alias("modality_recorded"),
        pl.when(phases.n_unique() == 1).then(phases.first() == "true").alias("arterial_phase"),
        *of_record(domain),
        pl.col(ROW).min(),
    )
    said = pl.when(pl.col("modality_recorded") != "").then("modality_recorded")
    return frame.with_columns(said.alias("modality_recorded"))


def _with_method(tr: Qualified, tu: Qualified | None) -> Domain:
    """Return TR with a method for scans without any: that by which lesions were identified on them."""
    if tu is None or not tu.domain.has("TUMETHOD"):
        return tr.domain
    found = tu.domain.records.drop_nulls(["TUMETHOD", DAY]).sort(FILE, ROW)
    found = found.group_by(_SCAN, maintain_order=True).agg(pl.col("TUMETHOD").first().alias("__method"))
    records = tr.domain.records.with_columns(tr.domain.column("TRMETHOD"))
    records = records.join(found, on=_SCAN, how="left", maintain_order="left")
    bare = pl.col("TRMETHOD").is_null().all().over(_SCAN)
    method = pl.when(bare).then("__method").otherwise("TRMETHOD")
    return tr.domain.with_records(records.with_columns(method.alias("TRMETHOD")).drop("__method"))


def _phase(tr: Qualified) -> pl.Expr:
    flags = [pl.col(PREFIX + name) for name in words.ARTERIAL if name in tr.names]
    if not flags:
        return pl.lit(None, dtype=pl.String)
    return words.translate(pl.coalesce(flags), words.YES_NO)


def _tell_phases(domain: Domain, rows: pl.DataFrame) -> None:
    differ = rows.filter(pl.col(_PHASE).drop_nulls().n_unique().over(_SCAN) > 1)
    domain.tell(
        differ.unique(_SCAN, keep="first", maintain_order=True),
        "arterial-phase-conflict",
        "the scan is said to have an arterial phase and to have none; it was left open",
        hint="Correct the qualifiers of the scan's records.",
        severity=Severity.WARNING,
    )
