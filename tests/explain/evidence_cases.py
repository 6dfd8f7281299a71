"""Small evidence bases for the tests: rows of `evidence.csv` with what matters changed."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import hccresist
from hccresist.explain.evidence_tables import Findings, Table, read_table
from hccresist.explain.knowledge import FILES, EvidenceBase, build_base
from hccresist.study.issues import IssueLog

DATA = Path(hccresist.__file__).parent / "data"
PLAIN = {
    "record_id": "HDR0001",
    "family_id": "SIG",
    "mechanism_id": "SIG-RTK",
    "entity": "EGFR",
    "entity_type": "gene",
    "alteration": "up",
    "drug": "sorafenib",
    "effect": "resistance",
    "evidence_level": "in_vitro",
    "summary": "A sentence.",
    "pmid": "100",
    "year": "2020",
    "source_url": "https://example.org/100",
    "read_via": "publisher_or_index",
    "basis": "abstract_or_page",
    "identifier_seen": "true",
    "verified": "true",
}
"""A verified finding: more EGFR goes with resistance to sorafenib."""


def row(**changes: str) -> dict[str, str]:
    """A finding, verified unless said otherwise; a PMID brings its address, no PMID takes it away."""
    return {**PLAIN, **changes}


def rows(*changed: Mapping[str, str]) -> list[dict[str, str]]:
    """Findings, each with its own record and, unless given, its own source."""
    return [
        row(
            **{"record_id": f"HDR{at:04d}", "pmid": str(at), "source_url": f"https://example.org/{at}", **one}
        )
        for at, one in enumerate(changed, start=1)
    ]


def text_of(found: list[dict[str, str]], columns: list[str] | None = None) -> bytes:
    """The findings as a file."""
    names = list(Findings.columns()) if columns is None else columns
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(found)
    return out.getvalue().encode()


@cache
def other_tables() -> dict[str, Table]:
    """The tables of the package beside the findings."""
    log = IssueLog()
    found = {
        name: read_table(
            (DATA / name if name == "drugs.csv" else DATA / "evidence" / name).read_bytes(),
            schema,
            log,
            file=name,
        )
        for name, schema in FILES.items()
        if name != "evidence.csv"
    }
    assert not list(log)
    return found


def base_of(found: list[dict[str, str]]) -> EvidenceBase:
    """A base of these findings, with the other tables of the package."""
    log = IssueLog()
    table = read_table(text_of(found), Findings, log, file="evidence.csv")
    assert not list(log), [issue.sentence() for issue in log]
    return build_base({**other_tables(), "evidence.csv": table})


def write_folder(folder: Path, found: list[dict[str, str]]) -> Path:
    """A folder with the findings."""
    (folder / "evidence.csv").write_bytes(text_of(found))
    return folder
