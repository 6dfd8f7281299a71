"""Checks of the whole evidence base; every problem is told at once.

Errors are what makes a row wrong or lets it count wrongly; warnings are what somebody should look at.

=========================  ========  ==============================================================
code                       severity  what is looked at
=========================  ========  ==============================================================
record-id, key-form        error     form of keys
identifier-form            error     PMID digits, PMCID ``PMC`` and digits, DOI ``10.…/…``, address
no-source                  error     a row without identifier and address
identifier-not-seen        error     `identifier_seen` against the identifiers that are there
verified-basis             error     verified needs identifier_seen and basis abstract_or_page
verified-retracted         error     a finding of a refused source marked as verified
source-mix                 error     one source with two PMIDs, PMCIDs or DOIs
retraction-differs         warning   findings of one source that differ in publication_status
year-differs               warning   findings of one source that differ in year
year-range                 error     a year before 1980 or after this one
family-mechanism           error     mechanism known, and of the family given
unknown-drug               error     drugs and drugs of strategies known
ambiguous-name             error     a name in the files that means several things
unknown-gene               warning   a gene that is no approved symbol of HGNC
retired-gene               error     a gene given by a previous symbol or alias of one approved symbol
duplicate-finding          warning   same source, entity, drug, mechanism and effect twice
crowded-source             warning   more than two verified findings of a source and mechanism
prognosis-direction        error     a direction of prognosis where the effect is none
unread-alteration          warning   an alteration of which neither direction nor form can be read
self-checked               error     checked by who wrote it
unchecked                  warning   verified, written by a known curator, checked by nobody
check-without-day          warning   checked by somebody without a day, or the other way round
future-day                 error     a day of checking that lies ahead
retraction-unchecked       warning   verified findings whose retraction was never looked up (counted)
synonym-target             error     a synonym of something that is not known
=========================  ========  ==============================================================
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from hccresist.errors import InputError
from hccresist.explain.evidence_sources import list_names
from hccresist.explain.evidence_tables import EFFECTS, LEVELS, REFUSED
from hccresist.explain.knowledge import COUNTED_PER_SOURCE, EvidenceBase, read_base
from hccresist.explain.names import fold_name, split_words
from hccresist.explain.stance import read_alteration
from hccresist.study.issues import Issue, IssueLog, Severity, nearest

Row = Mapping[str, object]

FIRST_YEAR: Final = 1980
_FORMS: Final = {
    "pmid": (re.compile(r"^[1-9]\d{0,7}$"), "up to eight digits"),
    "pmcid": (re.compile(r"^PMC\d{4,9}$"), "PMC and digits"),
    "doi": (re.compile(r"^10\.\d{4,9}/\S+$"), "10.…/…"),
    "source_url": (re.compile(r"^https?://\S+\.\S+$"), "an address that begins with http"),
}
_RECORD: Final = re.compile(r"^[A-Z]{2,5}\d{4,}$")
_MECHANISM: Final = re.compile(r"^[A-Z]{3}-[A-Z0-9]+(?:-[A-Z0-9]+)*$")
_HGNC_TYPES: Final = frozenset({"gene"})


@dataclass(frozen=True, slots=True)
class _Teller:
    """Makes issues with the line of a row."""

    lines: Mapping[tuple[str, str], int]
    file: str

    def tell(self, key: object, code: str, problem: str, *, warn: bool = False, **more: str | None) -> Issue:
        return Issue(
            code=code,
            problem=f"{key}: {problem}",
            file=self.file,
            line=self.lines.get((self.file, str(key))),
            severity=Severity.WARNING if warn else Severity.ERROR,
            column=more.get("column"),
            found=more.get("found"),
            expected=more.get("expected"),
            hint=more.get("hint") or "",
        )


def check_folder(folder: Path | None = None) -> list[Issue]:
    """Read a base and return every problem of its files and of what they say.

    Parameters
    ----------
    folder
        Folder with `evidence.csv` and any of the other files; the base of the package if not given.
    """
    log = IssueLog()
    try:
        base = read_base(folder, log=log)
    except InputError as error:
        return list(error.issues)
    return [*log, *validate_base(base)]


def validate_base(base: EvidenceBase, *, today: dt.date | None = None) -> list[Issue]:
    """Return every problem of a base that could be read, by file and line.

    Parameters
    ----------
    base
        Evidence base.
    today
        Day against which years and days of checking are held; today if not given.
    """
    day = today or dt.datetime.now(tz=dt.UTC).date()
    rows = base.findings.to_dicts()
    marks = base.marks.to_dicts()
    teller = _Teller(base.lines, "evidence.csv")
    found: list[Issue] = []
    for row, mark in zip(rows, marks, strict=True):
        found += _check_identity(row, teller)
        found += _check_status(row, mark, teller)
        found += _check_words(row, base, teller)
        found += _check_curation(row, teller, day)
    found += _check_genes(rows, base, teller)
    found += _check_sources(rows, marks, teller)
    found += _check_duplicates(rows, marks, teller)
    found += _check_retraction_days(rows, marks)
    found += _check_mechanisms(base)
    found += _check_strategies(base)
    found += _check_names(base)
    return sorted(found, key=lambda issue: (issue.file or "", issue.line or 0, issue.code, issue.problem))


def _check_identity(row: Row, teller: _Teller) -> Iterator[Issue]:
    key = row["record_id"]
    if not _RECORD.match(str(key)):
        yield teller.tell(key, "record-id", "the form is not known", column="record_id", expected="HDR0001")
    for column, (form, expected) in _FORMS.items():
        value = row[column]
        if value is not None and not form.match(str(value)):
            problem = f"the {column} is not in its form"
            yield teller.tell(
                key, "identifier-form", problem, column=column, found=str(value), expected=expected
            )
    named = any(row[column] for column in ("pmid", "pmcid", "doi"))
    if not named and not row["source_url"]:
        yield teller.tell(key, "no-source", "there is no source", hint="A row needs a source.")
    if bool(row["identifier_seen"]) is not named:
        problem = "identifier_seen is not what the identifiers say"
        hint = "It is true when at least one of pmid, pmcid and doi was seen, and then that stands here."
        yield teller.tell(key, "identifier-not-seen", problem, column="identifier_seen", hint=hint)


def _check_status(row: Row, mark: Row, teller: _Teller) -> Iterator[Issue]:
    key = row["record_id"]
    if row["verified"] and not (row["identifier_seen"] and row["basis"] == "abstract_or_page"):
        problem = "verified without having been read with an identifier"
        hint = "Verified needs identifier_seen true and basis abstract_or_page."
        yield teller.tell(key, "verified-basis", problem, column="verified", hint=hint)
    if row["verified"] and mark["status"] == "retracted":
        problem = "verified although its source is retracted, withdrawn or under concern"
        yield teller.tell(key, "verified-retracted", problem, column="verified", hint="Set it to false.")
    if row["prognosis_direction"] is not None and row["effect"] != "prognosis":
        problem = "a direction of prognosis, but the effect is another"
        yield teller.tell(key, "prognosis-direction", problem, column="prognosis_direction")


def _check_words(row: Row, base: EvidenceBase, teller: _Teller) -> Iterator[Issue]:
    key = row["record_id"]
    for part in str(row["drug"]).split("+") if not str(row["drug"]).startswith("none") else ():
        if not base.names.knows_drug(part):
            hint = nearest(part.strip(), base.drugs["drug"].to_list()) or "Add it to drugs.csv."
            yield teller.tell(
                key, "unknown-drug", "the drug is not known", column="drug", found=part.strip(), hint=hint
            )
    state = read_alteration(str(row["alteration"]), str(row["entity_type"]))
    sided = row["effect"] in {"resistance", "sensitivity", "reverses_resistance"}
    if sided and state.aspect.startswith("state"):
        problem = "neither direction nor form can be read from the alteration"
        yield teller.tell(
            key,
            "unread-alteration",
            problem,
            warn=True,
            column="alteration",
            found=str(row["alteration"]),
            hint="Say up, down, inhibited, mutation … where the text does.",
        )


def _check_curation(row: Row, teller: _Teller, today: dt.date) -> Iterator[Issue]:
    key, curator, checker = row["record_id"], row["curated_by"], row["checked_by"]
    if checker is not None and checker == curator:
        yield teller.tell(key, "self-checked", "checked by who wrote it", column="checked_by")
    if row["verified"] and curator is not None and checker is None:
        problem = "verified, but nobody else has held it against the text"
        yield teller.tell(key, "unchecked", problem, warn=True, column="checked_by")
    if (checker is None) is not (row["checked_on"] is None):
        problem = "who checked and when belong together"
        yield teller.tell(key, "check-without-day", problem, warn=True, column="checked_on")
    for column in ("checked_on", "retraction_checked_on"):
        day = cast("dt.date | None", row[column])
        if day is not None and day > today:
            yield teller.tell(key, "future-day", "the day lies ahead", column=column, found=day.isoformat())
    year = cast("int | None", row["year"])
    if year is not None and not FIRST_YEAR <= year <= today.year:
        yield teller.tell(
            key,
            "year-range",
            "the year cannot be",
            column="year",
            found=str(year),
            expected=f"{FIRST_YEAR} to {today.year}",
        )


def _check_genes(rows: Sequence[Row], base: EvidenceBase, teller: _Teller) -> Iterator[Issue]:
    """Check single genes against HGNC: before a bracket, and each of several."""
    from hccresist.explain.genes import read_genes  # noqa: PLC0415  (a large table)

    wanted: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["entity_type"] in _HGNC_TYPES:
            for name in _list_symbols(str(row["entity"])):
                wanted[name].append(row)
    for found in read_genes().resolve(sorted(wanted)).iter_rows(named=True):
        name, how = str(found["given"]), str(found["how"])
        if how == "approved" and found["symbol"] == name:
            continue
        symbol = base.names.gene_of(name)
        retired = how in {"previous", "alias"} or (symbol and symbol != name)
        hint = f"The approved symbol is {found['symbol'] or symbol}." if retired else "Look it up in HGNC."
        for row in wanted[name]:
            problem = "the gene is given by an older name" if retired else "the gene is no approved symbol"
            code = "retired-gene" if retired else "unknown-gene"
            key = row["record_id"]
            yield teller.tell(key, code, problem, warn=not retired, column="entity", found=name, hint=hint)


def _list_symbols(entity: str) -> list[str]:
    base = entity.split("(", 1)[0]
    return [part.strip() for part in re.split(r"[;/]| and ", base) if part.strip()]


def _check_sources(rows: Sequence[Row], marks: Sequence[Row], teller: _Teller) -> Iterator[Issue]:
    by_source: dict[str, list[Row]] = defaultdict(list)
    for row, mark in zip(rows, marks, strict=True):
        by_source[str(mark["source_id"])].append(row)
    for source, own in sorted(by_source.items()):
        first = own[0]["record_id"]
        names = {name for row in own for name in list_names(row)}
        for kind in ("PMID", "PMCID", "DOI"):
            several = sorted(name for name in names if name.startswith(f"{kind}:"))
            if len(several) > 1:
                problem = f"findings that share an identifier have {' and '.join(several)}"
                yield teller.tell(first, "source-mix", problem, hint="One of them is wrong.")
        if len({row["publication_status"] in REFUSED for row in own}) > 1:
            problem = f"findings of {source} differ in publication_status; all are refused"
            yield teller.tell(first, "retraction-differs", problem, warn=True, column="publication_status")
        years = {row["year"] for row in own if row["year"] is not None}
        if len(years) > 1:
            problem = f"findings of {source} have the years {' and '.join(map(str, sorted(map(str, years))))}"
            yield teller.tell(first, "year-differs", problem, warn=True, column="year")


def _check_duplicates(rows: Sequence[Row], marks: Sequence[Row], teller: _Teller) -> Iterator[Issue]:
    seen: dict[tuple[object, ...], list[object]] = defaultdict(list)
    crowded: dict[tuple[object, object], list[object]] = defaultdict(list)
    for row, mark in zip(rows, marks, strict=True):
        key = row["record_id"]
        drugs = tuple(cast("list[str]", mark["drugs"]))
        seen[
            mark["source_id"], mark["label"], drugs, row["mechanism_id"], row["effect"], mark["aspect"]
        ].append(key)
        if mark["counted"]:
            crowded[mark["source_id"], row["mechanism_id"]].append(key)
    for (source, label, *_), keys in seen.items():
        if len(keys) > 1:
            problem = f"says of {label} what {keys[0]} says, from the same source ({source})"
            yield teller.tell(keys[-1], "duplicate-finding", problem, warn=True)
    for (source, mechanism), keys in crowded.items():
        if len(keys) > COUNTED_PER_SOURCE:
            problem = (
                f"{len(keys)} verified findings of {source} under {mechanism}; "
                f"{COUNTED_PER_SOURCE} count towards the size of the base"
            )
            yield teller.tell(keys[-1], "crowded-source", problem, warn=True)


def _check_retraction_days(rows: Sequence[Row], marks: Sequence[Row]) -> Iterator[Issue]:
    pairs = zip(rows, marks, strict=True)
    open_rows = sum(1 for row, mark in pairs if mark["counted"] and row["retraction_checked_on"] is None)
    if open_rows:
        yield Issue(
            code="retraction-unchecked",
            problem=f"{open_rows} verified findings whose source was never looked up for retraction",
            hint="Write the day into retraction_checked_on once that was done.",
            file="evidence.csv",
            column="retraction_checked_on",
            severity=Severity.WARNING,
        )


def _check_mechanisms(base: EvidenceBase) -> Iterator[Issue]:
    families = dict(zip(base.mechanisms["mechanism_id"], base.mechanisms["family_id"], strict=True))
    tax = _Teller(base.lines, "taxonomy.csv")
    for mechanism, family in families.items():
        if not _MECHANISM.match(mechanism) or not mechanism.startswith(f"{family}-"):
            yield tax.tell(mechanism, "key-form", "the key does not begin with its family")
    teller = _Teller(base.lines, "evidence.csv")
    for row in base.findings.select("record_id", "mechanism_id", "family_id").iter_rows(named=True):
        known = families.get(row["mechanism_id"])
        if known is None:
            hint = nearest(row["mechanism_id"], list(families)) or "Add it to taxonomy.csv."
            problem = "the mechanism is not known"
            found = row["mechanism_id"]
            yield teller.tell(row["record_id"], "family-mechanism", problem, found=found, hint=hint)
        elif known != row["family_id"]:
            problem = f"{row['mechanism_id']} belongs to {known}"
            found = row["family_id"]
            yield teller.tell(row["record_id"], "family-mechanism", problem, column="family_id", found=found)


def _check_strategies(base: EvidenceBase) -> Iterator[Issue]:
    teller = _Teller(base.lines, "strategies.csv")
    known = set(base.mechanisms["mechanism_id"])
    for row in base.strategies.iter_rows(named=True):
        key = row["strategy_id"]
        if row["mechanism_id"] not in known:
            found = row["mechanism_id"]
            yield teller.tell(key, "family-mechanism", "the mechanism is not known", found=found)
        for drug in split_words(row["drugs"]):
            if not base.names.knows_drug(drug):
                hint = nearest(drug, base.drugs["drug"].to_list()) or "Add it to drugs.csv."
                yield teller.tell(key, "unknown-drug", "the drug is not known", found=drug, hint=hint)
        seen = str(row["source_id"]).startswith(("PMID:", "PMCID:", "DOI:"))
        if row["verified"] and not seen:
            yield teller.tell(key, "verified-basis", "verified without an identifier", column="verified")


def _check_names(base: EvidenceBase) -> Iterator[Issue]:
    """Check that each name means one thing, and that synonyms stand for something."""
    drugs = set(base.drugs["drug"])
    teller = _Teller(base.lines, "drugs.csv")
    for row in base.drugs.iter_rows(named=True):
        for word in (row["drug"], *split_words(row["synonyms"])):
            meant = base.names.drugs.get(fold_name(word), {})
            if len(meant) > 1:
                problem = f"{word!r} means {' and '.join(sorted(meant))}"
                yield teller.tell(row["drug"], "ambiguous-name", problem, column="synonyms")
        for word in (*split_words(row["member_of"]), *split_words(row["same_as"])):
            if word not in drugs:
                problem = f"{word!r} is no drug of this table"
                yield teller.tell(row["drug"], "synonym-target", problem)
    yield from _check_synonyms(base)


def _check_synonyms(base: EvidenceBase) -> Iterator[Issue]:
    known: dict[str, Iterable[str]] = {
        "family": set(base.mechanisms["family_id"]),
        "effect": EFFECTS,
        "level": LEVELS,
    }
    meant: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in base.synonyms.iter_rows(named=True):
        kind, name, word = str(row["kind"]), str(row["name"]), str(row["synonym"])
        meant[kind, fold_name(word)].add(name)
        if kind in known and name not in known[kind]:
            yield Issue(
                code="synonym-target",
                problem=f"{word!r} stands for {name!r}, which is not known",
                file="synonyms.csv",
                column="name",
            )
    for (kind, word), names in sorted(meant.items()):
        if len(names) > 1:
            yield Issue(
                code="ambiguous-name",
                problem=f"{kind} {word!r} means {' and '.join(sorted(names))}",
                file="synonyms.csv",
            )
