"""The evidence base: findings on drug resistance in hepatocellular carcinoma, and what is computed of them.

Findings, taxonomy, drugs, strategies and synonyms are files in `src/hccresist/data`; sources, marks and
claims are computed from them when they are read, so that a row added to a file is all it takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dataframely as dy
import polars as pl

from hccresist.errors import InputError
from hccresist.explain.claims import build_claims
from hccresist.explain.evidence_sources import group_sources
from hccresist.explain.evidence_tables import (
    STATUSES,
    Drugs,
    Findings,
    Mechanisms,
    Strategies,
    Synonyms,
    Table,
    read_table,
)
from hccresist.explain.names import NameIndex, build_names
from hccresist.explain.stance import KINDS, Mark, mark_finding
from hccresist.study.issues import IssueLog

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

FILES: Final[Mapping[str, type[dy.Schema]]] = {
    "evidence.csv": Findings,
    "taxonomy.csv": Mechanisms,
    "drugs.csv": Drugs,
    "strategies.csv": Strategies,
    "synonyms.csv": Synonyms,
}
"""Files of the base. What another folder does not hold is taken from the package, findings excepted."""

COUNTED_PER_SOURCE: Final = 2
"""Verified findings of one source and mechanism that count towards the size of the base."""


class Marks(dy.Schema):
    """One row a finding: what is computed of it, see `stance`."""

    record_id = dy.String(primary_key=True, description="finding")
    source_id = dy.String(description="its source")
    status = dy.Enum(STATUSES, description="whether it counts: only verified ones do")
    counted = dy.Bool(description="it counts")
    civic_level = dy.String(description="level of CIViC, derived by us")
    label = dy.String(description="entity as it is counted")
    subject = dy.String(description="what the entity is about")
    members = dy.List(dy.String(), description="genes named beside the subject")
    drugs = dy.List(dy.String(), description="drugs by the names under which they are counted")
    kind = dy.Enum(KINDS, description="response, regimen, prognosis or other")
    aspect = dy.String(description="amount, change, or which form or state")
    direction = dy.String(description="more, less or empty")
    side = dy.String(description="adverse, favourable, none or empty")


@dataclass(frozen=True, slots=True)
class EvidenceBase:
    """The evidence base in memory; every table is sorted by its key.

    Attributes
    ----------
    findings
        Rows of `evidence.csv`, as `Findings`.
    marks
        What is computed of each finding, as `Marks`, in the same order.
    claims
        What the findings say together, as `claims.Claims`.
    sources
        Publications, as `evidence_sources.Sources`.
    mechanisms, drugs, strategies, synonyms
        The other files.
    names
        Index of names.
    lines
        File and key of a row to its line, for messages.
    """

    findings: pl.DataFrame
    marks: pl.DataFrame
    claims: pl.DataFrame
    sources: pl.DataFrame
    mechanisms: pl.DataFrame
    drugs: pl.DataFrame
    strategies: pl.DataFrame
    synonyms: pl.DataFrame
    names: NameIndex
    lines: Mapping[tuple[str, str], int]


def read_base(folder: Path | None = None, *, log: IssueLog | None = None) -> EvidenceBase:
    """Read an evidence base.

    Parameters
    ----------
    folder
        Folder with `evidence.csv` and any of the other files; the base of the package if not given.
    log
        Hears the problems; rows with one are then left out. Without it they are raised.

    Raises
    ------
    InputError
        With every problem of the files at once, where no `log` is given.
    """
    if folder is None and log is None:
        return _read_shipped()
    own = IssueLog() if log is None else log
    base = _read(folder, own)
    if log is None:
        own.raise_if_errors()
    return base


@cache
def _read_shipped() -> EvidenceBase:
    log = IssueLog()
    base = _read(None, log)
    log.raise_if_errors()
    return base


def _find(folder: Path | None, name: str) -> Path | Traversable:
    if folder is not None and ((folder / name).is_file() or name == "evidence.csv"):
        return folder / name
    data = files("hccresist") / "data"
    return data / name if name == "drugs.csv" else data / "evidence" / name


def _read(folder: Path | None, heard: IssueLog) -> EvidenceBase:
    tables: dict[str, Table] = {}
    for name, schema in FILES.items():
        try:
            tables[name] = read_table(_find(folder, name).read_bytes(), schema, heard, file=name)
        except OSError as error:
            heard.error("missing-file", "the file cannot be read", file=name, found=error.strerror)
            raise InputError(tuple(heard)) from error
    return build_base(tables)


def build_base(tables: Mapping[str, Table]) -> EvidenceBase:
    """Put tables together to a base: names, sources, marks and claims are computed.

    Parameters
    ----------
    tables
        Name of the file to its table, as in `FILES`.
    """
    frames = {name: table.frame.sort(_key(FILES[name])[0]) for name, table in tables.items()}
    lines = {
        (name, str(key)): line
        for name, table in tables.items()
        for key, line in zip(table.frame[_key(FILES[name])[0]], table.lines, strict=True)
    }
    names = build_names(frames["drugs.csv"], frames["taxonomy.csv"], frames["synonyms.csv"])
    findings = frames["evidence.csv"]
    rows = findings.to_dicts()
    ids, sources = group_sources(rows)
    refused = set(sources.filter(pl.col("refused"))["source_id"])
    marks = [
        mark_finding(row, names, source_id=source, refused=source in refused)
        for row, source in zip(rows, ids, strict=True)
    ]
    return EvidenceBase(
        findings=findings,
        marks=_tabulate(marks),
        claims=build_claims(rows, marks, names.classes),
        sources=sources,
        mechanisms=frames["taxonomy.csv"],
        drugs=frames["drugs.csv"],
        strategies=frames["strategies.csv"],
        synonyms=frames["synonyms.csv"],
        names=names,
        lines=lines,
    )


def _key(schema: type[dy.Schema]) -> list[str]:
    return [name for name, column in schema.columns().items() if column.primary_key]


def _tabulate(marks: list[Mark]) -> pl.DataFrame:
    rows = [
        (
            mark.record_id,
            mark.source_id,
            mark.status,
            mark.counted,
            mark.civic_level,
            mark.entity.label,
            mark.entity.subject,
            list(mark.entity.members),
            list(mark.drugs),
            mark.kind,
            mark.aspect,
            mark.direction,
            mark.side,
        )
        for mark in marks
    ]
    schema = {name: column.dtype for name, column in Marks.columns().items()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def count_base(base: EvidenceBase) -> dict[str, int]:
    """Return the size of a base.

    Returns
    -------
    dict
        findings; verified, unverified, title_only and retracted ones; verified_counted (at most
        `COUNTED_PER_SOURCE` of one source and mechanism); sources; claims; contested claims; mechanisms
        with a finding; checked (held against the text by somebody else than the curator).
    """
    marks = base.marks.join(base.findings, on="record_id", how="left", maintain_order="left")
    verified = marks.filter(pl.col("counted"))
    per_source = verified.group_by("source_id", "mechanism_id").len()["len"]
    by_status = {status: marks.filter(pl.col("status") == status).height for status in STATUSES}
    checked = pl.col("checked_by").is_not_null() & pl.col("checked_by").ne_missing(pl.col("curated_by"))
    return {
        "findings": marks.height,
        **by_status,
        "verified_counted": int(per_source.clip(upper_bound=COUNTED_PER_SOURCE).sum()),
        "sources": base.sources.height,
        "claims": base.claims.height,
        "contested": base.claims.filter(pl.col("contested") == "yes").height,
        "mechanisms": marks["mechanism_id"].n_unique(),
        "checked": marks.filter(checked).height,
    }
