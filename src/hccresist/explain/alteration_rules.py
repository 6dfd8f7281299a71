"""The rules by which an alteration counts, as data: ``data/alterations/rules.csv`` and ``kinds.csv``."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

FOLDER: Final = "alterations"
COUNTS: Final = (
    "hotspot",
    "in_frame",
    "truncating",
    "exon_skipping",
    "promoter",
    "amplification",
    "gain",
    "deep_deletion",
    "locus",
    "burden",
    "recorded",
)
"""What a rule counts; see ``docs/explanation/alterations.md``."""
DIRECTIONS: Final = ("resistance", "sensitivity", "contested", "response_pattern", "prognosis", "unclear")
NEEDS: Final = ("mutation", "copy_number", "promoter")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterationRule:
    """One line of ``rules.csv``: what counts as an alteration of a gene, and what it is about.

    Attributes
    ----------
    rule_id
        Name of the rule.
    mechanism_id
        Key of the taxonomy.
    gene
        Approved symbol, or a locus (``11q13``), ``TMB`` or ``MSI``.
    counts
        What is looked for, one of `COUNTS`.
    residues
        Codons of the protein, or positions of a promoter.
    members
        Genes of a locus.
    needs
        What must be measured before the gene can be called not altered, one of `NEEDS`.
    direction
        What the alteration goes with, one of `DIRECTIONS`.
    drug_class
        Drug or class that the direction is about; empty where there is none.
    source
        DOI, PMID or PMCID for what counts; ``ours`` where it is our own convention.
    drug_source
        The same for the direction.
    note
        What else must be known.
    """

    rule_id: str
    mechanism_id: str
    gene: str
    counts: str
    residues: frozenset[int]
    members: tuple[str, ...]
    needs: str
    direction: str
    drug_class: str
    source: str
    drug_source: str
    note: str


@cache
def read_rules() -> tuple[AlterationRule, ...]:
    """Return the rules in the order of the file.

    Examples
    --------
    >>> [rule.rule_id for rule in read_rules() if rule.gene == "AXIN1"]
    ['AXIN1-loss', 'AXIN1-deletion']
    """
    return tuple(_read_rule(row) for row in _read_rows("rules.csv"))


def _read_rule(row: Mapping[str, str]) -> AlterationRule:
    return AlterationRule(
        rule_id=row["rule_id"],
        mechanism_id=row["mechanism_id"],
        gene=row["gene"],
        counts=row["counts"],
        residues=frozenset(int(word) for word in row["residues"].split()),
        members=tuple(row["members"].split()),
        needs=row["needs"],
        direction=row["direction"],
        drug_class=row["drug_class"],
        source=row["source"],
        drug_source=row["drug_source"],
        note=row["note"],
    )


@cache
def read_kinds() -> Mapping[str, str]:
    """Return, for each variant classification in lower case, the effect that rules speak of.

    Examples
    --------
    >>> read_kinds()["nonsense_mutation"], read_kinds()["silent"]
    ('truncating', 'silent')
    """
    return MappingProxyType({row["kind"]: row["effect"] for row in _read_rows("kinds.csv")})


def _read_rows(name: str) -> list[dict[str, str]]:
    text = (files("hccresist") / "data" / FOLDER / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A gene or locus of one mechanism, with all rules about it."""

    mechanism_id: str
    gene: str
    rules: tuple[AlterationRule, ...]

    @property
    def needs(self) -> str:
        """What must be measured before the gene can be called not altered."""
        return self.rules[0].needs

    @property
    def counts(self) -> frozenset[str]:
        """What the rules look for."""
        return frozenset(rule.counts for rule in self.rules)


@cache
def read_targets() -> tuple[Target, ...]:
    """Return the rules gathered by mechanism and gene, in the order of the file."""
    grouped: dict[tuple[str, str], list[AlterationRule]] = {}
    for rule in read_rules():
        grouped.setdefault((rule.mechanism_id, rule.gene), []).append(rule)
    return tuple(
        Target(mechanism_id=mechanism, gene=gene, rules=tuple(rules))
        for (mechanism, gene), rules in grouped.items()
    )
