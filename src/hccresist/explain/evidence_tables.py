"""Tables of the evidence base as they lie on disk: columns, closed lists, and a strict reader.

The reader tells every problem of a file at once: a missing or unknown column, a ragged row, a value
of the wrong type or outside its list, an empty cell that must not be empty, a key given twice.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Final

import dataframely as dy
import polars as pl

from hccresist.study.issues import IssueLog, nearest

EFFECTS: Final = (
    "resistance",
    "sensitivity",
    "reverses_resistance",
    "improves_outcome",
    "no_effect",
    "response_pattern",
    "prognosis",
    "unclear",
)
"""What a finding says of the response to its drug."""

LEVELS: Final = ("clinical_trial", "patient_cohort", "case_report", "in_vivo", "in_vitro", "in_silico")
"""Levels of evidence, the highest first."""

CIVIC_LEVELS: Final[Mapping[str, str]] = {
    "clinical_trial": "B",
    "patient_cohort": "B",
    "case_report": "C",
    "in_vivo": "D",
    "in_vitro": "D",
    "in_silico": "E",
}
"""Our level to that of CIViC (https://docs.civicdb.org, Evidence, Level).

B is "clinical trial or other primary patient data", C "individual case reports", D "in vivo or in
vitro models", E "indirect evidence". A, "proven/consensus association", is never given: whether
there is a consensus is not recorded here.
"""

BASES: Final = ("abstract_or_page", "title_only", "figure_legend", "secondary_source", "cited_statement")
"""What part of which text the finding was read in."""

READ_VIA: Final = ("publisher_or_index", "mirror_or_aggregator")
"""Where the text was read."""

PUBLICATION_STATUSES: Final = ("retracted", "withdrawn", "expression_of_concern", "corrected")
"""What became of a publication; empty: nothing is known."""

REFUSED: Final = frozenset({"retracted", "withdrawn", "expression_of_concern"})
"""Publications that are refused as support."""

STATUSES: Final = ("verified", "unverified", "title_only", "retracted")
"""Whether a finding counts: only verified ones do."""

STRATEGY_OUTCOMES: Final = ("succeeded", "failed", "signal", "preclinical", "ongoing", "withdrawn")
"""What became of the primary aim of a strategy; a signal is activity without a randomised control."""

ENTITY_TYPES: Final = (
    "gene", "gene_family", "miRNA", "lncRNA", "circRNA", "cell_type", "process", "pathway", "metabolite",
    "microbe", "clinical_phenotype", "clinical_marker", "circulating_marker", "imaging_marker",
    "genomic_marker", "response_criterion", "gene_signature", "gene_panel", "exposure", "intervention",
    "ligand_receptor", "protein_state", "variant", "viral_protein", "extracellular_vesicle", "target_set",
    "target_class", "drug",
)  # fmt: skip
"""What an entity is."""


class Findings(dy.Schema):
    """One row a finding of `evidence.csv`: entity, alteration, drug, effect, model, level and source."""

    record_id = dy.String(primary_key=True, description="stable identifier")
    family_id = dy.String(description="mechanism family")
    mechanism_id = dy.String(description="mechanism, a key of the taxonomy")
    entity = dy.String(description="gene, RNA, cell, process, marker or intervention")
    entity_type = dy.Enum(ENTITY_TYPES, description="what the entity is")
    alteration = dy.String(description="state of the entity that goes with the effect")
    drug = dy.String(description="drug, drugs joined by +, class label, or none (…)")
    effect = dy.Enum(EFFECTS, description="what it says of the response")
    model_system = dy.String(nullable=True, description="cells, animals or patients")
    evidence_level = dy.Enum(LEVELS, description="highest level that the source claims for it")
    strategy = dy.String(nullable=True, description="what restored response")
    summary = dy.String(description="one sentence in the curator's words")
    pmid = dy.String(nullable=True, description="PubMed identifier, as seen")
    pmcid = dy.String(nullable=True, description="PubMed Central identifier, as seen")
    doi = dy.String(nullable=True, description="DOI, as seen")
    year = dy.Int64(nullable=True, description="year of publication, as seen")
    source_url = dy.String(description="page that was read")
    read_via = dy.Enum(READ_VIA, description="where it was read")
    basis = dy.Enum(BASES, description="what was read of it")
    identifier_seen = dy.Bool(description="an identifier stood in the text or its address")
    verified = dy.Bool(description="the finding itself was read, and an identifier seen")
    publication_status = dy.Enum(PUBLICATION_STATUSES, nullable=True, description="retracted and the like")
    prognosis_direction = dy.Enum(
        ("better", "worse"),
        nullable=True,
        description="of a prognosis: the outcome that goes with the alteration",
    )
    curated_by = dy.String(nullable=True, description="who wrote the row; empty: unknown")
    checked_by = dy.String(nullable=True, description="who else held it against the text")
    checked_on = dy.Date(nullable=True, description="when that was")
    retraction_checked_on = dy.Date(nullable=True, description="when retraction was last looked up")
    note = dy.String(nullable=True, description="what was changed in the row, and why")


LATER_COLUMNS: Final = frozenset(list(Findings.columns())[-6:])
"""Columns that a table of findings may lack: they are then empty, that is unknown."""

_LATER: Final = LATER_COLUMNS | {"line", "outcome", "primary_aim", "contraindications", "status"}


class Mechanisms(dy.Schema):
    """One row a mechanism of resistance, in its family."""

    mechanism_id = dy.String(primary_key=True, description="mechanism")
    family_id = dy.String(description="family")
    family = dy.String(description="name of the family")
    name = dy.String(description="name of the mechanism")
    definition = dy.String(description="one line")
    seed = dy.String(description="seed review that names the family")
    synonyms = dy.String(nullable=True, description="other names, separated by ;")


class Drugs(dy.Schema):
    """One row a drug, class label or procedure, with its other names."""

    drug = dy.String(primary_key=True, description="name used in the findings")
    drug_type = dy.String(description="small molecule, antibody, class, procedure")
    drug_class = dy.String(description="class")
    main_targets = dy.String(nullable=True, description="targets, separated by ;")
    hcc_role = dy.String(nullable=True, description="role in HCC")
    chembl_id = dy.String(nullable=True, description="ChEMBL identifier")
    id_note = dy.String(nullable=True, description="where the identifier is from")
    synonyms = dy.String(nullable=True, description="trade names and codes, separated by ;")
    same_as = dy.String(nullable=True, description="name under which the same substance is counted")
    member_of = dy.String(nullable=True, description="class labels that cover it, separated by ;")


class Strategies(dy.Schema):
    """One row a combination or reversal strategy: highest stage seen, and the result."""

    strategy_id = dy.String(primary_key=True, description="identifier")
    strategy = dy.String(description="name")
    drugs = dy.String(description="drugs, separated by ;")
    mechanism_id = dy.String(description="mechanism addressed")
    rationale = dy.String(description="why it might work")
    highest_stage = dy.String(description="highest stage seen")
    trial_id = dy.String(nullable=True, description="trial")
    outcome_class = dy.String(description="result in a word")
    result = dy.String(description="result")
    source_id = dy.String(description="identifier of the source")
    source_url = dy.String(description="page that was read")
    verified = dy.Bool(description="the finding itself was read, and an identifier seen")
    line = dy.Enum(("1L", "2L", "any"), nullable=True, description="line of systemic treatment")
    outcome = dy.Enum(STRATEGY_OUTCOMES, nullable=True, description="what became of its primary aim")
    primary_aim = dy.String(nullable=True, description="what was tested")
    contraindications = dy.String(nullable=True, description="codes, separated by ;")
    status = dy.Enum(
        ("verified", "unverified"), nullable=True, description="the same as `verified`, in a word"
    )
    curated_by = dy.String(nullable=True, description="who wrote the row; empty: unknown")
    checked_by = dy.String(nullable=True, description="who else held it against the text")


class Synonyms(dy.Schema):
    """One row another name of a gene, entity, family, effect or level."""

    kind = dy.Enum(("gene", "entity", "family", "effect", "level"), primary_key=True, description="of what")
    name = dy.String(primary_key=True, description="name it stands for")
    synonym = dy.String(primary_key=True, description="other name")
    relation = dy.Enum(
        ("same", "part_of", "opposite"),
        description="same thing, a part of it, or its opposite (effects are reversed)",
    )
    source = dy.String(description="who says so; 'ours' where nobody else")
    note = dy.String(nullable=True, description="why")


@dataclass(frozen=True, slots=True)
class Table:
    """A table as read: its rows, and the line of each row in its file."""

    frame: pl.DataFrame
    lines: tuple[int, ...]


def read_table(data: bytes, schema: type[dy.Schema], heard: IssueLog, *, file: str) -> Table:
    """Read a table of the base; rows with a problem are left out, and told.

    Parameters
    ----------
    data
        Content of the CSV file, UTF-8.
    schema
        Its columns.
    heard
        Hears every problem.
    file
        Name of the file, for the messages.
    """
    columns = schema.columns()
    empty = pl.DataFrame(schema={name: column.dtype for name, column in columns.items()})
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        heard.error("encoding", "the text is not UTF-8", file=file, hint="Save it as UTF-8.")
        return Table(empty, ())
    rows = csv.reader(StringIO(text), strict=True)
    header = next(rows, [])
    if not _check_header(header, columns, heard, file=file):
        return Table(empty, ())
    kept: list[dict[str, object]] = []
    lines: list[int] = []
    for line, cells in _iterate(rows, heard, file=file):
        row = _read_row(header, cells, columns, _Place(heard, file, line))
        if row is not None:
            kept.append(row)
            lines.append(line)
    _check_key(kept, lines, [name for name, c in columns.items() if c.primary_key], heard, file=file)
    schema_types = {name: column.dtype for name, column in columns.items()}
    return Table(pl.DataFrame(kept, schema=schema_types, orient="row"), tuple(lines))


@dataclass(frozen=True, slots=True)
class _Place:
    heard: IssueLog
    file: str
    line: int

    def error(self, code: str, problem: str, **more: str | None) -> None:
        self.heard.error(code, problem, file=self.file, line=self.line, **more)


def _check_header(
    header: Sequence[str], columns: Mapping[str, dy.Column], heard: IssueLog, *, file: str
) -> bool:
    missing = [name for name in columns if name not in header and name not in _LATER]
    for name in missing:
        heard.error("missing-column", "the column is missing", file=file, column=name, hint="Add it.")
    for name in header:
        if name not in columns:
            heard.error(
                "unknown-column", "the column is not known", file=file, column=name,
                hint=nearest(name, list(columns)) or "Leave it out.",
            )  # fmt: skip
    if len(set(header)) < len(header):
        heard.error("duplicate-column", "a column is named twice", file=file, line=1)
    return not missing


def _iterate(rows: Iterator[list[str]], heard: IssueLog, *, file: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows with the line on which each ends; a quote out of order ends the reading."""
    line = 2
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            problem = f"a quote is not in order ({error}); what follows was not read"
            heard.error("unbalanced-quote", problem, file=file, line=line, hint="Close the quote.")
            return
        if any(cell.strip() for cell in cells):
            yield line, cells
        line += 1 + sum(cell.count("\n") for cell in cells)


def _read_row(
    header: Sequence[str], cells: Sequence[str], columns: Mapping[str, dy.Column], place: _Place
) -> dict[str, object] | None:
    if len(cells) != len(header):
        place.error(
            "ragged-row", "the row does not have as many values as the header",
            found=f"{len(cells)}", expected=f"{len(header)} values",
            hint="A value that holds a comma stands in quotes.",
        )  # fmt: skip
        return None
    given = dict(zip(header, (cell.strip() for cell in cells), strict=True))
    row: dict[str, object] = {}
    fine = True
    for name, column in columns.items():
        text = given.get(name, "")
        value = _read_value(text, column)
        if value is None and (text or not column.nullable):
            _tell_value(name, text, column, place)
            fine = False
        row[name] = value
    return row if fine else None


def _read_value(text: str, column: dy.Column) -> object:
    """Return a cell as what its column holds; none where it is empty or cannot be that."""
    if isinstance(column, dy.Bool):
        return {"true": True, "false": False}.get(text.lower())
    if isinstance(column, dy.Int64):
        return int(text) if text.isascii() and text.isdigit() else None
    if isinstance(column, dy.Date):
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            return None
    if isinstance(column, dy.Enum):
        return text if text in column.categories else None
    return text or None


def _tell_value(name: str, text: str, column: dy.Column, place: _Place) -> None:
    expected, hint = "a value", "Fill it in."
    if isinstance(column, dy.Bool):
        expected, hint = "true or false", ""
    elif isinstance(column, dy.Int64):
        expected, hint = "a whole number", ""
    elif isinstance(column, dy.Date):
        expected, hint = "a date such as 2026-03-01", ""
    elif isinstance(column, dy.Enum):
        expected = f"one of {', '.join(column.categories)}"
        hint = nearest(text, list(column.categories))
    code = "bad-value" if text else "empty-value"
    problem = "the value cannot be used" if text else "the value is empty"
    place.error(code, problem, column=name, found=text or None, expected=expected, hint=hint)


def _check_key(
    rows: Sequence[Mapping[str, object]],
    lines: Sequence[int],
    key: Sequence[str],
    heard: IssueLog,
    *,
    file: str,
) -> None:
    seen: dict[tuple[object, ...], int] = {}
    for row, line in zip(rows, lines, strict=True):
        value = tuple(row[name] for name in key)
        if value in seen:
            heard.error(
                "duplicate-key", f"the key stands in line {seen[value]} too", file=file, line=line,
                column=", ".join(key), found=", ".join(map(str, value)), hint="Keep one of them.",
            )  # fmt: skip
        seen.setdefault(value, line)
