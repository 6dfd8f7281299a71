"""Names of drugs, genes, entities and mechanisms: from what somebody writes to what the base calls it.

Names are compared without regard to case, spaces, hyphens and the spelling of Greek letters. A name
that leads to several things is ambiguous and says so; a name that leads nowhere raises
`UnknownNameError` with the nearest one. Trade names and codes stand in `drugs.csv`, the rest in
`synonyms.csv` (source "ours"); for genes the table of HGNC is asked last.

MicroRNAs are compared by number, letter and arm: ``miR-122-5p``, ``hsa-miR-122`` and ``MIR122`` meet,
because an arm that one of them does not state may be either; ``miR-210-3p`` and ``miR-210-5p`` do not.
The copy of the gene (``MIR101-1``, ``MIR26A1``) is left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

import polars as pl

from hccresist.errors import ConfigError
from hccresist.explain.evidence_tables import EFFECTS, LEVELS

_GREEK: Final = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "κ": "kappa",
    "λ": "lambda", "μ": "mu", "µ": "mu", "ω": "omega",
}  # fmt: skip
_MIR: Final = re.compile(
    r"^(?:hsa[-_ ]?)?(?:pre-?)?(?P<kind>mir|microrna|let)[-_ ]?(?P<number>\d+)"
    r"(?:(?P<letter>[a-z])\d*|-\d(?!p))?(?:-\d(?!p))?(?:-(?P<arm>[35]p))?\*?$"
)
_FLUID: Final = re.compile(r"\b(?:serum|plasma|blood|circulating|soluble)\b", re.IGNORECASE)
_BRACKET: Final = re.compile(r"^(?P<base>[^()]+?)\s*\((?P<inside>[^()]*)\)$")
_GENE_LIKE: Final = re.compile(r"^(?:[A-Z][A-Z0-9]{1,9}(?:-[0-9A-Z]{1,3})?|C\d+orf\d+)$")
_ALIAS: Final = re.compile(r"^(?=\S*(?:\d|[A-Z]{2}))[\w-]+$")
_NO_GENE: Final = frozenset(
    {
        "RNA",
        "DNA",
        "HCC",
        "HBV",
        "HCV",
        "NASH",
        "TACE",
        "HAIC",
        "FOLFOX",
        "CAF",
        "NK",
        "ICI",
        "RECIST",
        "II",
        "III",
    }
)
_SPLIT: Final = re.compile(r"[\s;/,+()]+")
_GENE_TYPES: Final = frozenset({"gene", "circulating_marker", "protein_state", "ligand_receptor", "variant"})


class UnknownNameError(ConfigError):
    """A name that the base does not know, or that means several things."""


def fold_name(text: str) -> str:
    """Return a name as it is compared: lower case, Greek letters in words, letters and digits only.

    Examples
    --------
    >>> fold_name("HIF-2α"), fold_name("PD-L1"), fold_name("5-FU")
    ('hif2alpha', 'pdl1', '5fu')
    """
    plain = unicodedata.normalize("NFKC", text).casefold().replace("(l)", "orl")
    for letter, word in _GREEK.items():
        plain = plain.replace(letter, word)
    folded = "".join(c for c in unicodedata.normalize("NFD", plain) if c.isalnum())
    return folded or plain.strip()


@dataclass(frozen=True, slots=True)
class MicroRNA:
    """A microRNA: family with number and letter, and its arm where that is stated."""

    stem: str
    arm: str = ""

    @property
    def label(self) -> str:
        """Return the name as it is shown, for example ``miR-122-5p``."""
        return f"{self.stem}-{self.arm}" if self.arm else self.stem


def read_microrna(text: str) -> MicroRNA | None:
    """Read the name of a microRNA; none where it is not one.

    Examples
    --------
    >>> [read_microrna(name).label for name in ("MIR26A1", "hsa-miR-122-5p", "MIR101-1", "let-7a")]
    ['miR-26a', 'miR-122-5p', 'miR-101', 'let-7a']
    """
    found = _MIR.match(text.strip().lower())
    if found is None:
        return None
    kind = "let" if found["kind"] == "let" else "miR"
    return MicroRNA(f"{kind}-{found['number']}{found['letter'] or ''}", found["arm"] or "")


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity of a finding, named as the base counts it.

    Attributes
    ----------
    label
        Name under which findings are put into one claim.
    subject
        What it is about: claims of one subject are held against each other.
    members
        Genes that the name holds beside its subject: of a pair, a signature or a bracket.
    flipped
        It is the opposite of its subject, so that its effects are read in reverse.
    """

    label: str
    subject: str
    members: tuple[str, ...] = ()
    flipped: bool = False


def _read_microrna_entity(name: str) -> Entity | None:
    """Return a microRNA with or without a bracket; none where the name is not one microRNA."""
    found = _BRACKET.match(name.strip())
    rna = read_microrna(found["base"] if found else name)
    if rna is None:
        return None
    if found is None:
        return Entity(rna.label, rna.label)
    if _FLUID.search(found["inside"]):
        return Entity(f"{rna.label} (blood)", f"{rna.label} (blood)", (rna.label,))
    return Entity(f"{rna.label} ({found['inside']})", rna.label)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a name that was asked for means: the names in the base, and how they were found."""

    given: str
    names: tuple[str, ...]
    how: str

    def record(self) -> dict[str, object]:
        """Return it as a plain dictionary."""
        return {"given": self.given, "resolved": list(self.names), "how": self.how}


Index = dict[str, dict[str, str]]
"""Folded name to the things it may mean, each with how it came there."""


@dataclass(frozen=True, slots=True)
class NameIndex:
    """Every name that the base knows.

    Attributes
    ----------
    drugs, mechanisms, effects, levels, genes
        Folded name to what it means, and how.
    broader
        Folded entity to relation and entity that it belongs to.
    classes
        Drug to every class label that covers it.
    shown
        Kind to the names as they are written, for suggestions.
    """

    drugs: Index
    mechanisms: Index
    effects: Index
    levels: Index
    genes: Index
    broader: Mapping[str, tuple[str, str]]
    classes: Mapping[str, frozenset[str]]
    shown: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def split_drugs(self, cell: str) -> tuple[str, ...]:
        """Return the drugs of a cell of `evidence.csv` by the names under which they are counted.

        ``none (…)`` has no drug. A name that is not known stays as it is.
        """
        if fold_name(cell.partition("(")[0]) in {"none", ""}:
            return ()
        parts = (self._drug(part) for part in cell.split("+"))
        return tuple(dict.fromkeys(part for part in parts if part))

    def _drug(self, part: str) -> str:
        found = self.drugs.get(fold_name(part), {})
        return next(iter(found)) if len(found) == 1 else part.strip()

    def knows_drug(self, name: str) -> bool:
        """Return whether a drug is known by exactly one thing it means."""
        return len(self.drugs.get(fold_name(name), {})) == 1

    def read_entity(self, name: str, entity_type: str) -> Entity:
        """Return how an entity is counted: label, subject, members, and whether it is an opposite.

        1. A microRNA is itself, with its arm. 2. A synonym of an entity is that entity. 3. A gene with
        a bracket is about the gene; a bracket that only repeats it (``NT5E (CD73)``), that is one word
        in capitals or with a digit, is dropped. In
        blood (``IL6 (serum)``, ``IL6 (plasma)``) it is another thing than in the tumour:
        ``IL6 (blood)``. 4. Genes named inside an entity (of a pair, a signature, a cell type) are its
        members. 5. A part or an opposite of something (``synonyms.csv``) is about that.
        """
        if entity_type == "miRNA" and (rna := _read_microrna_entity(name)) is not None:
            return rna
        relation, other = self.broader.get(fold_name(name), ("", ""))
        name = other if relation == "same" else name.strip()
        label, subject = self._read_gene(name, entity_type) if entity_type in _GENE_TYPES else (name, name)
        members = tuple(gene for gene in self._genes_in(name) if gene not in {subject, label})
        subject, flipped = self._climb(subject)
        return Entity(label, subject, members, flipped)

    def _read_gene(self, name: str, entity_type: str) -> tuple[str, str]:
        """Return label and gene of a gene with or without a bracket."""
        found = _BRACKET.match(name)
        if found is None:
            gene = self.gene_of(name) or name
            return gene, gene
        gene, inside = self.gene_of(found["base"]) or found["base"], found["inside"]
        if _FLUID.search(inside):
            return f"{gene} (blood)", f"{gene} (blood)"
        alias = self.gene_of(inside) == gene or (_ALIAS.match(inside) and entity_type != "variant")
        return (gene if alias else f"{gene} ({inside})"), gene

    def _climb(self, subject: str) -> tuple[str, bool]:
        """Follow an entity to what it is a part or the opposite of."""
        flipped, seen = False, {fold_name(subject)}
        while (step := self.broader.get(fold_name(subject))) is not None and fold_name(step[1]) not in seen:
            flipped ^= step[0] == "opposite"
            subject = step[1]
            seen.add(fold_name(subject))
        return subject, flipped

    def _genes_in(self, text: str) -> tuple[str, ...]:
        words = [word for word in _SPLIT.split(text) if word]
        if len(words) < 2:
            return ()
        found = [rna.label if (rna := read_microrna(word)) else self.gene_of(word) for word in words]
        return tuple(dict.fromkeys(gene for gene in found if gene and gene not in _NO_GENE))

    def gene_of(self, name: str) -> str:
        """Return the gene of a name by our own synonyms; a symbol is itself; empty where it is none."""
        found = self.genes.get(fold_name(name), {})
        if len(found) == 1:
            return next(iter(found))
        return name.strip() if _GENE_LIKE.match(name.strip()) and not found else ""

    def resolve(self, kind: str, name: str) -> Resolved:
        """Say what a drug, mechanism, effect or level means that was asked for.

        Raises
        ------
        UnknownNameError
            When the base does not know it, with the nearest name, or when it means several things.
        """
        index = {
            "drug": self.drugs,
            "mechanism": self.mechanisms,
            "effect": self.effects,
            "level": self.levels,
        }[kind]
        found = index.get(fold_name(name))
        if not found:
            raise UnknownNameError(_unknown(kind, name, self.shown.get(kind, ())))
        how = next(iter(found.values()))
        if len(found) > 1 and not how.startswith(("family", "level")):
            msg = f"{kind} {name!r} means {' or '.join(sorted(found))}: say which."
            raise UnknownNameError(msg)
        return Resolved(name, tuple(found), how)

    def resolve_gene(self, name: str, known: Iterable[str]) -> Resolved:
        """Say which gene, RNA or other entity was asked for.

        Parameters
        ----------
        name
            Symbol, protein, alias, microRNA, or an entity that is no gene.
        known
            Labels, subjects and members that the findings hold.

        Raises
        ------
        UnknownNameError
            When neither the base nor the table of genes knows it, with the nearest name.
        """
        known = tuple(known)
        if (rna := read_microrna(name)) is not None:
            hits = tuple(k for k in known if _same_microrna(rna, k))
            return Resolved(name, hits or (rna.label,), "microRNA" if hits else "microRNA, not in the base")
        folded = fold_name(name)
        found = {k: "name" for k in known if fold_name(k) == folded}
        relation, entity = self.broader.get(folded, ("", ""))
        if relation == "same":
            found.setdefault(entity, "synonym")
        synonyms = self.genes.get(folded, {})
        if len(synonyms) == 1:
            found = dict(synonyms) | found
        if found:
            return Resolved(name, tuple(found), next(iter(found.values())))
        symbol, how = _ask_hgnc(name, synonyms)
        if symbol:
            return Resolved(name, (symbol,), how)
        raise UnknownNameError(_unknown("gene or entity", name, (*known, *self.shown.get("gene", ()))))


def _same_microrna(wanted: MicroRNA, label: str) -> bool:
    found = read_microrna(label)
    return (
        found is not None and found.stem == wanted.stem and (found.arm in {"", wanted.arm} or not wanted.arm)
    )


def _ask_hgnc(name: str, synonyms: Mapping[str, str]) -> tuple[str, str]:
    """Return the approved symbol of a name, and how HGNC knows it; empty where it does not."""
    from hccresist.explain.genes import read_genes  # noqa: PLC0415  (the table is large: only when asked)

    if len(synonyms) > 1:
        msg = f"gene {name!r} means {' or '.join(sorted(synonyms))}: say which."
        raise UnknownNameError(msg)
    row = read_genes().resolve([name.strip()]).row(0, named=True)
    if row["how"] == "ambiguous":
        msg = f"gene {name!r} is a name of several genes ({row['note'] or 'HGNC'}): give the symbol."
        raise UnknownNameError(msg)
    return row["symbol"] or "", f"HGNC {row['how']}"


def _unknown(kind: str, name: str, shown: Sequence[str]) -> str:
    by_fold = {fold_name(word): word for word in sorted(shown, reverse=True)}
    close = get_close_matches(fold_name(name), list(by_fold), n=3, cutoff=0.6)
    hint = (
        f"Did you mean {' or '.join(by_fold[key] for key in close)}?" if close else "It is not in the base."
    )
    return f"{kind} {name!r} is not known. {hint}"


def build_names(drugs: pl.DataFrame, mechanisms: pl.DataFrame, synonyms: pl.DataFrame) -> NameIndex:
    """Make the index of names from the tables of drugs, mechanisms and synonyms."""
    rows = synonyms.to_dicts()
    genes: Index = {}
    for row in rows:
        if row["kind"] == "gene":
            _add(genes, row["name"], row["name"], "symbol")
            _add(genes, row["synonym"], row["name"], "synonym")
    broader = {
        fold_name(row["synonym"]): (str(row["relation"]), str(row["name"]))
        for row in rows
        if row["kind"] == "entity"
    }
    drug_index, drug_words = _index_drugs(drugs.to_dicts())
    mechanism_index, mechanism_words = _index_mechanisms(mechanisms.to_dicts(), rows)
    effects, levels = _index_codes(rows, "effect", EFFECTS), _index_codes(rows, "level", LEVELS)
    for letter, names in (
        ("A", ()),
        ("B", LEVELS[:2]),
        ("C", LEVELS[2:3]),
        ("D", LEVELS[3:5]),
        ("E", LEVELS[5:]),
    ):
        levels[fold_name(letter)] = dict.fromkeys(names, f"level {letter} of CIViC")
    shown = {
        "drug": drug_words,
        "mechanism": mechanism_words,
        "effect": EFFECTS,
        "level": (*LEVELS, "A", "B", "C", "D", "E"),
        "gene": tuple(str(row["synonym"]) for row in rows if row["kind"] in {"gene", "entity"}),
    }
    return NameIndex(
        drugs=drug_index,
        mechanisms=mechanism_index,
        effects=effects,
        levels=levels,
        genes=genes,
        broader=broader,
        classes=_close_classes(drugs.to_dicts()),
        shown=shown,
    )


def _add(index: Index, name: str, target: str, how: str) -> None:
    index.setdefault(fold_name(name), {}).setdefault(target, how)


def split_words(text: str | None) -> tuple[str, ...]:
    """Return the words of a cell that are separated by semicolons."""
    return tuple(word.strip() for word in (text or "").split(";") if word.strip())


def _index_drugs(rows: Sequence[Mapping[str, str | None]]) -> tuple[Index, tuple[str, ...]]:
    index: Index = {}
    words: list[str] = []
    for row in rows:
        name = str(row["drug"])
        target = row["same_as"] or name
        _add(index, name, target, "name" if target == name else "other name")
        words.append(name)
        for word in split_words(row["synonyms"]):
            _add(index, word, target, "other name")
            words.append(word)
    return index, tuple(words)


def _index_mechanisms(
    mechanisms: Sequence[Mapping[str, str | None]], synonyms: Sequence[Mapping[str, str | None]]
) -> tuple[Index, tuple[str, ...]]:
    """Index mechanisms and families; a name of both means the family, which holds the mechanism."""
    families: dict[str, list[str]] = {}
    for row in mechanisms:
        families.setdefault(str(row["family_id"]), []).append(str(row["mechanism_id"]))
    family_words: dict[str, set[str]] = {}
    for row in mechanisms:
        family_words.setdefault(str(row["family_id"]), set()).update(
            {str(row["family_id"]), str(row["family"])}
        )
    for row in synonyms:
        if row["kind"] == "family":
            family_words.setdefault(str(row["name"]), set()).add(str(row["synonym"]))
    index: Index = {}
    words: list[str] = []
    for family, names in sorted(family_words.items()):
        for word in sorted(names):
            index[fold_name(word)] = dict.fromkeys(sorted(families.get(family, [])), f"family {family}")
            words.append(word)
    taken = set(index)
    for row in mechanisms:
        for word in (str(row["mechanism_id"]), str(row["name"]), *split_words(row["synonyms"])):
            words.append(word)
            if fold_name(word) not in taken:
                _add(index, word, str(row["mechanism_id"]), "mechanism")
    return index, tuple(words)


def _index_codes(rows: Sequence[Mapping[str, str | None]], kind: str, codes: Sequence[str]) -> Index:
    index: Index = {}
    for code in codes:
        _add(index, code, code, "name")
    for row in rows:
        if row["kind"] == kind:
            _add(index, str(row["synonym"]), str(row["name"]), "synonym")
    return index


def _close_classes(rows: Sequence[Mapping[str, str | None]]) -> dict[str, frozenset[str]]:
    """Return the class labels of each drug, those of its classes included."""
    parents = {str(row["drug"]): split_words(row["member_of"]) for row in rows}
    same = {str(row["drug"]): row["same_as"] for row in rows if row["same_as"]}

    def climb(name: str) -> frozenset[str]:
        found: set[str] = set()
        open_names = [same.get(name) or name]
        while open_names:
            for parent in parents.get(open_names.pop(), ()):
                if parent not in found:
                    found.add(parent)
                    open_names.append(parent)
        return frozenset(found)

    return {name: climb(name) for name in parents}
