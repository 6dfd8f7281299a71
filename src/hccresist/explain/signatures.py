"""Gene sets of the mechanisms: which genes, from where, how far checked.

The registry is `src/hccresist/data/signatures/registry.csv`; its README tells sources and licences.
Own sets come as GMT files. A signature may have genes up, genes down or both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Final

import polars as pl

from hccresist.explain.genes import GeneTable, read_genes
from hccresist.study.issues import IssueLog, nearest

STATUSES: Final = ("verified", "copied", "from_memory")
"""How far a list was checked: seen on a public page, taken from a named file, or typed unchecked."""

KINDS: Final = ("mechanism", "class", "cells", "own")
"""What a signature is for: a mechanism, the template of a class, markers of a cell, or the user's own."""

OWN_MECHANISM: Final = "BIO-GEP"
"""Mechanism of an own set whose second column names none: expression signature or tissue marker."""

_FOLDER: Final = ("data", "signatures")
_LOST_SHOWN: Final = 10
_MECHANISM: Final = r"[A-Z]{3}-[A-Z0-9]+(?:-[A-Z0-9]+)?"
_GMT_HINT: Final = "A line is name, mechanism or description, genes, separated by tabs."


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One gene set.

    Attributes
    ----------
    name
        Name, unique in the registry.
    mechanism_id
        Key of the taxonomy of mechanisms.
    up, down
        Approved symbols of genes that are high and low where the mechanism is on.
    source, licence
        Where the list is from, and under what terms.
    status
        One of `STATUSES`.
    note
        What must be known to read a score of it.
    kind
        One of `KINDS`.
    """

    name: str
    mechanism_id: str
    up: tuple[str, ...]
    down: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""
    status: str = "from_memory"
    note: str = ""
    kind: str = "mechanism"

    @property
    def genes(self) -> tuple[str, ...]:
        """Genes up, then genes down."""
        return self.up + self.down


@cache
def read_signatures() -> tuple[Signature, ...]:
    """Return every signature that comes with the package, sorted by name.

    Examples
    --------
    >>> sets = {signature.name: signature for signature in read_signatures()}
    >>> sets["MPAS_WAGLE"].mechanism_id, len(sets["MPAS_WAGLE"].up)
    ('SIG-MAPK', 10)
    """
    registry = _read_table("registry.csv")
    held = {file: _read_halves(file) for file in registry["file"].unique().to_list()}
    return tuple(_build(row, held[row["file"]]) for row in registry.sort("name").iter_rows(named=True))


def _build(row: dict[str, str], halves: dict[str, tuple[str, ...]]) -> Signature:
    up, down = halves.get(row["up"], ()), halves.get(row["down"], ())
    both = set(up) & set(down)
    said = f"{len(both)} genes that the source has in both halves are left out" if both else ""
    return Signature(
        name=row["name"],
        mechanism_id=row["mechanism_id"],
        up=tuple(gene for gene in up if gene not in both),
        down=tuple(gene for gene in down if gene not in both),
        source=row["source"],
        licence=row["licence"],
        status=row["status"],
        note="; ".join(part for part in (row["note"], said) if part),
        kind=row["kind"],
    )


def read_not_measurable() -> pl.DataFrame:
    """Return mechanisms that expression cannot tell: mechanism_id, reason, instead."""
    return _read_table("not_measurable.csv")


def read_missing() -> pl.DataFrame:
    """Return lists that are not shipped: list, mechanism_id, what, why, get, and the command to add one."""
    command = pl.lit("hccresist explain STUDY --out DIR --gmt FILE").alias("command")
    return _read_table("missing.csv").with_columns(command)


def select_signatures(
    signatures: Sequence[Signature], *, kinds: Iterable[str] = ("mechanism", "own")
) -> tuple[Signature, ...]:
    """Return the signatures of some kinds."""
    wanted = set(kinds)
    return tuple(signature for signature in signatures if signature.kind in wanted)


def gather_signatures(paths: Iterable[Path], *, log: IssueLog) -> tuple[Signature, ...]:
    """Return the signatures of the package and those of own GMT files; a name may be there once.

    Parameters
    ----------
    paths
        Own GMT files.
    log
        Takes every problem of every file.
    """
    found = list(read_signatures())
    for path in paths:
        found += read_gmt(path, log=log, taken=[signature.name for signature in found])
    return tuple(found)


def read_gmt(
    path: Path, *, log: IssueLog, mechanisms: Iterable[str] | None = None, taken: Iterable[str] = ()
) -> tuple[Signature, ...]:
    """Read own gene sets from a GMT file.

    A line is name, second column, genes, separated by tabs. The second column may begin with a
    mechanism (``FER-SLC`` or ``FER-SLC|where it is from``); otherwise the set goes under
    `OWN_MECHANISM`. ``NAME_UP`` and ``NAME_DN`` (or ``NAME_DOWN``) are the halves of one signature.

    Parameters
    ----------
    path
        The GMT file.
    log
        Takes every problem: what cannot be used is an error, a symbol that is lost a warning.
    mechanisms
        Keys that the second column may name; those of the package's taxonomy if not given.
    taken
        Names that other sets have already.

    Returns
    -------
    tuple of Signature
        Sorted by name, symbols approved. Sets with problems are left out and told in `log`.
    """
    lines = _resolve_lines(_read_lines(path, issues=log), read_genes(), file=path.name, issues=log)
    known = _read_taxonomy() if mechanisms is None else frozenset(mechanisms)
    pairs: dict[str, list[_Line]] = {}
    for line in lines:
        pairs.setdefault(_split_half(line.name)[0], []).append(line)
    sets = [_join_halves(name, pair, known, file=path.name, issues=log) for name, pair in pairs.items()]
    own = sorted((found for found in sets if found), key=lambda found: found.name)
    others = frozenset(taken)
    for signature in own:
        if signature.name in others:
            _tell_taken(signature, file=path.name, issues=log)
    return tuple(signature for signature in own if signature.name not in others)


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    name: str
    about: str
    genes: tuple[str, ...]


def _read_table(name: str) -> pl.DataFrame:
    raw = files("hccresist").joinpath(*_FOLDER, name).read_bytes()
    return pl.read_csv(BytesIO(raw), infer_schema=False).fill_null("")


def _read_taxonomy() -> frozenset[str]:
    raw = files("hccresist").joinpath("data", "evidence", "taxonomy.csv").read_bytes()
    return frozenset(pl.read_csv(BytesIO(raw), infer_schema=False)["mechanism_id"].to_list())


def _read_halves(name: str) -> dict[str, tuple[str, ...]]:
    text = files("hccresist").joinpath(*_FOLDER, name).read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()]
    return {row[0]: tuple(row[2:]) for row in rows}


def _read_lines(path: Path, *, issues: IssueLog) -> list[_Line]:
    """Return the lines of a GMT file that have a name of their own and at least one gene."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        issues.error("missing-file", f"the file cannot be read: {error.strerror}", file=path.name)
        return []
    except UnicodeDecodeError:
        issues.error("not-text", "the file is not UTF-8 text", file=path.name, hint="Save it as UTF-8.")
        return []
    lines: list[_Line] = []
    seen: dict[str, int] = {}
    for number, row in enumerate(text.splitlines(), start=1):
        if row.strip() and not row.startswith("#"):
            line = _parse_line(row, number)
            if _check_line(line, seen, file=path.name, issues=issues):
                lines.append(line)
                seen[line.name] = number
    if not lines and not issues.errors:
        issues.error("no-sets", "the file holds no gene set", file=path.name, hint=_GMT_HINT)
    return lines


def _parse_line(row: str, number: int) -> _Line:
    name, _, rest = row.partition("\t")
    about, _, listed = rest.partition("\t")
    genes = listed.split("\t")
    kept = dict.fromkeys(gene.strip() for gene in genes if gene.strip())
    return _Line(number, name.strip(), about.strip(), tuple(kept))


def _check_line(line: _Line, seen: dict[str, int], *, file: str, issues: IssueLog) -> bool:
    if not line.name:
        issues.error("no-name", "the gene set has no name", file=file, line=line.number, hint=_GMT_HINT)
    elif line.name in seen:
        problem = f"the gene set stands in line {seen[line.name]} as well"
        issues.error(
            "repeated-set", problem, file=file, line=line.number, found=line.name, hint="Rename one."
        )
    elif not line.genes:
        issues.error(
            "no-genes",
            "the gene set has no genes",
            file=file,
            line=line.number,
            found=line.name,
            hint=_GMT_HINT,
        )
    else:
        return True
    return False


def _resolve_lines(lines: list[_Line], table: GeneTable, *, file: str, issues: IssueLog) -> list[_Line]:
    """Return the lines with approved symbols; what is lost is told."""
    names = [gene for line in lines for gene in line.genes]
    found = table.resolve(names)["symbol"].to_list()
    resolved: list[_Line] = []
    for line in lines:
        symbols, found = found[: len(line.genes)], found[len(line.genes) :]
        lost = [gene for gene, symbol in zip(line.genes, symbols, strict=True) if symbol is None]
        kept = tuple(dict.fromkeys(symbol for symbol in symbols if symbol is not None))
        if lost:
            _tell_lost(lost, line, file=file, issues=issues)
        if kept:
            resolved.append(replace(line, genes=kept))
        else:
            problem = "no gene of the set is known, so it cannot be used"
            issues.error("no-genes", problem, file=file, line=line.number, found=line.name)
    return resolved


def _tell_lost(lost: list[str], line: _Line, *, file: str, issues: IssueLog) -> None:
    shown = ", ".join(lost[:_LOST_SHOWN]) + (" …" if len(lost) > _LOST_SHOWN else "")
    issues.warning(
        "unknown-gene",
        f"{len(lost)} of {len(line.genes)} names of {line.name} are unknown or ambiguous and left out",
        file=file,
        line=line.number,
        found=shown,
        hint="Use approved symbols of human genes, Ensembl genes or Entrez numbers.",
    )


def _tell_taken(signature: Signature, *, file: str, issues: IssueLog) -> None:
    hint = "Rename it: another gene set has this name."
    line = int(signature.source.rpartition(" ")[2])
    issues.error("repeated-set", "the name is taken", file=file, line=line, found=signature.name, hint=hint)


def _split_half(name: str) -> tuple[str, str]:
    """Return the name without its ending, and which half it is."""
    for ending, half in (("_UP", "up"), ("_DN", "down"), ("_DOWN", "down")):
        if name.upper().endswith(ending):
            return name[: -len(ending)], half
    return name, "up"


def _join_halves(
    base: str, pair: list[_Line], known: frozenset[str], *, file: str, issues: IssueLog
) -> Signature | None:
    """Return one signature of one or two lines."""
    halves = [_split_half(line.name)[1] for line in pair]
    if len(pair) != len(set(halves)):
        problem = f"{' and '.join(line.name for line in pair)} are the same half of {base}"
        issues.error("repeated-set", problem, file=file, line=pair[-1].number, hint="Rename one.")
        return None
    held = dict(zip(halves, (set(line.genes) for line in pair), strict=True))
    both = held.get("up", set()) & held.get("down", set())
    if both:
        problem = f"{len(both)} genes are in both halves of {base} and left out"
        issues.warning(
            "gene-in-both", problem, file=file, line=pair[-1].number, found=", ".join(sorted(both))
        )
    genes = {half: tuple(sorted(held.get(half, set()) - both)) for half in ("up", "down")}
    mechanism = _read_mechanism(pair, known, file=file, issues=issues)
    return Signature(
        name=pair[0].name if len(pair) == 1 else base,
        mechanism_id=mechanism or OWN_MECHANISM,
        up=genes["up"],
        down=genes["down"],
        source=f"{file} line {', '.join(str(line.number) for line in pair)}",
        licence="the user's own",
        status="from_memory",
        note="" if mechanism else f"no mechanism named; under {OWN_MECHANISM}",
        kind="own",
    )


def _read_mechanism(pair: list[_Line], known: frozenset[str], *, file: str, issues: IssueLog) -> str:
    """Return the mechanism that the second column names, or an empty text."""
    named = {line.about.partition("|")[0].strip() for line in pair}
    named = {word for word in named if re.fullmatch(_MECHANISM, word)}
    if len(named) > 1:
        problem = f"the halves name two mechanisms: {', '.join(sorted(named))}"
        issues.error("two-mechanisms", problem, file=file, line=pair[-1].number, hint="Name one.")
    wrong = sorted(named - known)
    if wrong:
        hint = nearest(wrong[0], sorted(known)).replace("'", "") or "See hccresist evidence --mechanisms."
        issues.error(
            "unknown-mechanism",
            "no such mechanism",
            file=file,
            line=pair[0].number,
            found=wrong[0],
            hint=hint,
        )
    return min(named, default="")
