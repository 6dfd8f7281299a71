"""Sources: which findings come from one publication, by whatever identifier they name it."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import dataframely as dy
import polars as pl

from hccresist.explain.evidence_tables import PUBLICATION_STATUSES, REFUSED

Row = Mapping[str, object]


class Sources(dy.Schema):
    """One row a publication, or a page without an identifier."""

    source_id = dy.String(primary_key=True, description="PMID, PMCID, DOI or address, the first there is")
    pmid = dy.String(nullable=True, description="PubMed identifier")
    pmcid = dy.String(nullable=True, description="PubMed Central identifier")
    doi = dy.String(nullable=True, description="DOI, in lower case")
    year = dy.Int64(nullable=True, description="year; the first where findings differ")
    source_url = dy.String(description="a page that was read")
    publication_status = dy.Enum(
        PUBLICATION_STATUSES, nullable=True, description="retracted and the like; empty: nothing known"
    )
    refused = dy.Bool(description="not taken as support")
    retraction_checked_on = dy.Date(nullable=True, description="when retraction was last looked up")
    findings = dy.Int64(min=1, description="findings from it")


def list_names(row: Row) -> tuple[str, ...]:
    """Return every name of the source of a finding, the preferred first; its address if it has no other."""
    named = (
        (f"PMID:{row['pmid']}" if row["pmid"] else ""),
        (f"PMCID:{str(row['pmcid']).upper()}" if row["pmcid"] else ""),
        (f"DOI:{str(row['doi']).lower()}" if row["doi"] else ""),
    )
    names = tuple(name for name in named if name)
    return names or (_tidy_address(str(row["source_url"])),)


def _tidy_address(url: str) -> str:
    return url.split("#", 1)[0].rstrip("/").removeprefix("https://").removeprefix("http://")


def group_sources(rows: Sequence[Row]) -> tuple[list[str], pl.DataFrame]:
    """Put findings of one publication together, by any identifier that they share.

    Returns
    -------
    list of str
        Identifier of the source of each finding, in the order given.
    pl.DataFrame
        One row a source, as `Sources`.
    """
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        leader.setdefault(name, name)
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    named = [list_names(row) for row in rows]
    for names in named:
        first = find(names[0])
        for other in names[1:]:
            leader[find(other)] = first
    groups: dict[str, list[int]] = defaultdict(list)
    for at, names in enumerate(named):
        groups[find(names[0])].append(at)
    ids = [""] * len(rows)
    table: list[dict[str, object]] = []
    for members in groups.values():
        own = [rows[at] for at in members]
        name = min((n for at in members for n in named[at]), key=_rank)
        table.append(_describe(name, own))
        for at in members:
            ids[at] = name
    schema = {column: info.dtype for column, info in Sources.columns().items()}
    return ids, pl.DataFrame(table, schema=schema, orient="row").sort("source_id")


def _rank(name: str) -> tuple[int, str]:
    kinds = ("PMID", "PMCID", "DOI")
    kind = name.partition(":")[0]
    return (kinds.index(kind) if kind in kinds else len(kinds)), name


def _describe(name: str, rows: Sequence[Row]) -> dict[str, object]:
    statuses = [str(row["publication_status"]) for row in rows if row["publication_status"]]
    status = min(statuses, key=PUBLICATION_STATUSES.index, default=None)
    checked = [cast("dt.date", row["retraction_checked_on"]) for row in rows if row["retraction_checked_on"]]
    years = [cast("int", row["year"]) for row in rows if row["year"] is not None]
    return {
        "source_id": name,
        "pmid": _least(row["pmid"] for row in rows),
        "pmcid": _least(row["pmcid"] for row in rows),
        "doi": _least(str(row["doi"]).lower() if row["doi"] else None for row in rows),
        "year": min(years, default=None),
        "source_url": min(str(row["source_url"]) for row in rows),
        "publication_status": status,
        "refused": status in REFUSED,
        "retraction_checked_on": max(checked, default=None),
        "findings": len(rows),
    }


def _least(values: Iterable[object]) -> str | None:
    return min((str(value) for value in values if value), default=None)
