"""Find the SDTM domains in a folder: which file holds which, and which files belong together.

A file's domain is told by its column ``DOMAIN`` (``RDOMAIN`` for supplemental qualifiers), else by
the variables it holds, else by its name (``tr.csv``, ``tr_onco.csv``). Several files of one domain
are stacked when they are parts of it, that is when no subject and sequence number stands in two.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from hccresist.study.issues import Issue, IssueLog, Severity
from hccresist.study.rows import Place
from hccresist.study.sdtm_formats import SUFFIXES, read_records, suffix_of
from hccresist.study.study import Source

FILE: Final = "__file"
"""Column of a `Domain` that holds the file of a record."""

DOMAINS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "DM": (("USUBJID",),),
    "TU": (("USUBJID",), ("TULNKID",), ("TUSTRESC", "TUORRES")),
    "TR": (("USUBJID",), ("TRTESTCD",), ("TRSTRESN", "TRSTRESC", "TRORRES")),
    "RS": (("USUBJID",), ("RSTESTCD",), ("RSSTRESC", "RSORRES")),
    "LB": (("USUBJID",), ("LBTESTCD",), ("LBSTRESN", "LBSTRESC", "LBORRES")),
    "EX": (("USUBJID",), ("EXTRT",)),
    "DS": (("USUBJID",), ("DSDECOD", "DSTERM")),
    "SUPPTR": (("USUBJID",), ("IDVAR",), ("IDVARVAL",), ("QNAM",), ("QVAL",)),
    "SUPPTU": (("USUBJID",), ("IDVAR",), ("IDVARVAL",), ("QNAM",), ("QVAL",)),
}
"""Domains that are read, and the variables each needs (one of each group)."""

FEEDS: Final[dict[str, str]] = {
    "DM": "patients",
    "TU": "lesions",
    "TR": "lesions",
    "RS": "responses",
    "LB": "labs",
    "EX": "treatments",
    "DS": "survival",
    "SUPPTR": "lesions",
    "SUPPTU": "lesions",
}
"""The study table that a domain feeds first."""

_MARKS: Final[dict[str, tuple[str, ...]]] = {
    "TU": ("TUTESTCD", "TUSTRESC", "TUORRES"),
    "TR": ("TRTESTCD", "TRSTRESC", "TRORRES"),
    "RS": ("RSTESTCD", "RSSTRESC"),
    "LB": ("LBTESTCD",),
    "EX": ("EXTRT",),
    "DS": ("DSDECOD", "DSTERM"),
    "DM": ("RFSTDTC", "RFXSTDTC", "ARMCD"),
}
"""Variables by which a file without ``DOMAIN`` is recognised."""

_SDTM_ONLY: Final = (".xpt", ".ndjson", ".dsjc")
"""Formats that hold nothing else: what is wrong with such a file is always told."""
_OTHER_FORMATS: Final = (".sas7bdat", ".xlsx", ".xls", ".parquet", ".rda", ".rds", ".cpt", ".zip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A domain as it stands in its files.

    Attributes
    ----------
    name
        DM, TU, TR …, SUPPTR.
    records
        Variables as text, the line (``__row``) and `FILE`.
    files
        Names of the files, in order.
    log
        Where problems are told.
    """

    name: str
    records: pl.DataFrame
    files: tuple[str, ...]
    log: IssueLog

    @property
    def label(self) -> str:
        """Names of the files, for messages about all of them."""
        return ", ".join(self.files)

    @property
    def place(self) -> Place:
        """The place of messages about the whole domain."""
        return Place(file=self.label, log=self.log)

    def has(self, variable: str) -> bool:
        """Return whether the domain has a variable with at least one value."""
        return variable in self.records.columns and self.records[variable].null_count() < self.records.height

    def series(self, variable: str) -> pl.Series:
        """Return the values of a variable, null throughout where the domain has no such column."""
        return self.records.with_columns(self.column(variable))[variable]

    def with_records(self, records: pl.DataFrame) -> Domain:
        """Return the domain with other records."""
        return replace(self, records=records)

    def tell(self, rows: pl.DataFrame, code: str, problem: str, **words: Any) -> None:  # noqa: ANN401
        """Tell a problem for records of the domain, each under its own file.

        Parameters
        ----------
        rows
            Records concerned, with their line, `FILE` and ``USUBJID``.
        code, problem, **words
            As in `Place.tell`.
        """
        if rows.is_empty():
            return
        rows = rows.with_columns(patient_id=pl.col("USUBJID"))
        for (file,), part in rows.partition_by(FILE, as_dict=True, maintain_order=True).items():
            Place(file=str(file), log=self.log).tell(part.drop(FILE), code, problem, **words)

    def column(self, variable: str) -> pl.Expr:
        """Return a variable, null where the domain has no such column."""
        absent = pl.lit(None, dtype=pl.String).alias(variable)
        return pl.col(variable) if variable in self.records.columns else absent


@dataclass(frozen=True, slots=True, kw_only=True)
class SdtmFolder:
    """What an SDTM folder holds: its domains and the files they came from."""

    domains: Mapping[str, Domain] = field(default_factory=dict[str, Domain])
    sources: tuple[Source, ...] = ()


def is_sdtm_folder(folder: Path) -> bool:
    """Return whether a folder looks like one of SDTM files rather than of study tables.

    It does when it holds a transport or Dataset-JSON file, or a CSV file whose first line names
    ``USUBJID``.
    """
    for path in _candidates(folder):
        if suffix_of(path) not in (".csv", ".csv.gz"):
            if suffix_of(path) != ".json" or b"datasetJSONVersion" in _head(path):
                return True
        elif b"USUBJID" in _head(path).split(b"\n", 1)[0].upper():
            return True
    return False


def _head(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked; nothing where they cannot be read."""
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            return file.read(100_000)
    except (OSError, EOFError, zlib.error):
        return b""


def _candidates(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and suffix_of(path))


def read_folder(folder: Path, log: IssueLog) -> SdtmFolder:
    """Read every SDTM file in a folder (not in folders within it).

    Parameters
    ----------
    folder
        The folder.
    log
        Hears of files that cannot be read, are no SDTM, clash with each other, or belong to a
        domain that is not used.

    Returns
    -------
    SdtmFolder
        The domains that could be read.
    """
    parts: list[Domain] = []
    sources: list[Source] = []
    unused: list[str] = []
    for path in _candidates(folder):
        found = _read_file(path, log)
        if found is None:
            continue
        sha256, domains = found
        used = [domain for domain in domains if domain.name in DOMAINS]
        unused += [f"{path.name} ({domain.name})" for domain in domains if domain.name not in DOMAINS]
        parts += used
        for domain in used:
            rows = domain.records.height
            sources.append(Source(file=path.name, sha256=sha256, rows=rows, table=FEEDS[domain.name]))
    _tell_unread(folder, unused, log)
    return SdtmFolder(domains=_join_parts(parts, log), sources=tuple(sources))


def _tell_unread(folder: Path, unused: list[str], log: IssueLog) -> None:
    if unused:
        hint = f"Used are {', '.join(DOMAINS)}."
        _warn(log, "unused-domain", f"files of other domains are not read: {', '.join(unused)}", hint)
    others = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _OTHER_FORMATS)
    if others:
        hint = f"Formats that are read: {', '.join(SUFFIXES)}."
        _warn(log, "unread-format", f"files of other formats are not read: {', '.join(others)}", hint)


def _warn(log: IssueLog, code: str, problem: str, hint: str) -> None:
    """Add a warning about the folder."""
    log.add(Issue(code=code, problem=problem, hint=hint, severity=Severity.WARNING))


def _read_file(path: Path, log: IssueLog) -> tuple[str, list[Domain]] | None:
    """Return the file's hash and what it holds; whatever is wrong with no SDTM file is a warning."""
    heard = IssueLog()
    by_name = _domain_of_name(path)
    read = read_records(path, Place(file=path.name, log=heard))
    if read is None and by_name is None and suffix_of(path) not in _SDTM_ONLY:
        hint = "It is not named like an SDTM domain; remove it if it is not needed."
        Place(file=path.name, log=log).warning("not-read", "the file is no SDTM and was not read", hint=hint)
        return None
    log.extend(heard)
    if read is None:
        return None
    records, sha256 = read
    domains = [
        Domain(
            name=name, records=part.with_columns(pl.lit(path.name).alias(FILE)), files=(path.name,), log=log
        )
        for name, part in _split_domains(records, path, log)
    ]
    return sha256, [domain for domain in domains if domain.name not in DOMAINS or _is_complete(domain)]


def _domain_of_name(path: Path) -> str | None:
    stem = path.name.lower().removesuffix(suffix_of(path)).upper()
    return next((name for name in DOMAINS if stem == name or stem.startswith(f"{name}_")), None)


def _split_domains(records: pl.DataFrame, path: Path, log: IssueLog) -> Iterable[tuple[str, pl.DataFrame]]:
    """Yield name and records of each domain in a file; a file mostly holds one."""
    columns = records.columns
    for column, prefix in (("RDOMAIN", "SUPP"), ("DOMAIN", "")):
        if column in columns and records[column].null_count() < records.height:
            if column == "RDOMAIN" and "QNAM" not in columns:
                continue
            for value in sorted(records[column].drop_nulls().unique().to_list()):
                yield prefix + value.upper(), records.filter(pl.col(column) == value)
            _tell_no_domain(records.filter(pl.col(column).is_null()), column, path, log)
            return
    name = _domain_without_column(columns, path)
    if name is None:
        kind = "is ADaM, not SDTM" if "PARAMCD" in columns else "is none of the SDTM domains that are used"
        hint = "Remove it, or add the column DOMAIN."
        Place(file=path.name, log=log).warning("not-read", f"the file {kind} and was not read", hint=hint)
        return
    yield name, records


def _tell_no_domain(rows: pl.DataFrame, column: str, path: Path, log: IssueLog) -> None:
    place = Place(file=path.name, log=log)
    place.tell(rows, "no-domain", f"{column} is empty", column=column, hint="Fill it in.")


def _domain_without_column(columns: list[str], path: Path) -> str | None:
    if "PARAMCD" in columns:
        return None
    if "USUBJID" in columns:
        for name, marks in _MARKS.items():
            if any(mark in columns for mark in marks):
                return name
    return _domain_of_name(path)


def _is_complete(domain: Domain) -> bool:
    """Tell variables that a domain needs and does not have; return whether all are there."""
    missing = [group for group in DOMAINS[domain.name] if not set(group) & set(domain.records.columns)]
    for group in missing:
        words = " or ".join(group)
        domain.place.error(
            "missing-variable",
            f"variable {words} is missing in {domain.name}",
            column=group[0],
            expected=words,
            hint="Add the variable to the data set, or correct its name.",
        )
    if missing:
        return False
    domain.place.tell(
        domain.records.filter(pl.col("USUBJID").is_null()),
        "missing-value",
        "USUBJID is empty",
        column="USUBJID",
        expected="a subject identifier",
        hint="Fill it in, or remove the record.",
    )
    return True


# Parts of one domain


def _join_parts(parts: list[Domain], log: IssueLog) -> dict[str, Domain]:
    joined: dict[str, Domain] = {}
    for name in DOMAINS:
        files = [part for part in parts if part.name == name]
        if not files or (len(files) > 1 and _tell_clashes(name, files, log)):
            continue
        records = pl.concat([part.records for part in files], how="diagonal")
        records = records.filter(pl.col("USUBJID").is_not_null())
        labels = tuple(part.files[0] for part in files)
        joined[name] = Domain(name=name, records=records, files=labels, log=log)
    return joined


def _key(name: str, records: pl.DataFrame) -> list[str]:
    """Return what no two files of a domain may share; responses of other criteria never meet."""
    wanted = (
        ["USUBJID", "QNAM", "IDVAR", "IDVARVAL"] if name.startswith("SUPP") else ["USUBJID", f"{name}SEQ"]
    )
    if name == "RS":
        wanted.append("RSCAT")
    if name == "DM":
        wanted = ["USUBJID"]
    return [column for column in wanted if column in records.columns]


def _tell_clashes(name: str, parts: list[Domain], log: IssueLog) -> bool:
    """Tell files of a domain that hold the same records; return whether there are any."""
    keys = set.intersection(*(set(_key(name, part.records)) for part in parts))
    ordered = [column for column in _key(name, parts[0].records) if column in keys]
    rows = pl.concat([part.records.select(*ordered, FILE).unique() for part in parts])
    shared = rows.group_by(ordered).agg(pl.col(FILE).unique().sort()).filter(pl.col(FILE).list.len() > 1)
    if shared.is_empty():
        return False
    files = sorted({file for group in shared[FILE].to_list() for file in group})
    first = shared.sort(ordered).row(0, named=True)
    Place(file=files[0], log=log).error(
        "files-clash",
        f"several files of {name} hold the same records ({shared.height} in common): {', '.join(files)}",
        column=", ".join(ordered),
        patient=first["USUBJID"],
        hint=f"Keep one of them in the folder, or give each version of {name} a folder of its own with the"
        " other domains beside it.",
    )
    return True
