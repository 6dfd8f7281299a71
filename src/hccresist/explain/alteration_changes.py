"""Read one recorded change: what it does to the protein, where, and how many copies there are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from hccresist.explain.alteration_rules import AlterationRule, read_kinds

SEVERITY: Final = (
    "exon_skipping",
    "truncating",
    "in_frame",
    "missense",
    "other",
    "promoter",
    "copy_number",
    "silent",
)
"""Effects, the one that is taken first where a change has several names."""
COPIES: Final = {
    "amplification": 2.0,
    "amplified": 2.0,
    "amp": 2.0,
    "high_level_amplification": 2.0,
    "gain": 1.0,
    "low_level_gain": 1.0,
    "neutral": 0.0,
    "diploid": 0.0,
    "no_change": 0.0,
    "hetloss": -1.0,
    "hemizygous_deletion": -1.0,
    "shallow_deletion": -1.0,
    "homdel": -2.0,
    "deep_deletion": -2.0,
    "homozygous_deletion": -2.0,
}
"""Copy-number states in words, as the discrete numbers of GISTIC and cBioPortal."""
_LETTERS: Final = {
    "Ala": "A",
    "Arg": "R",
    "Asn": "N",
    "Asp": "D",
    "Cys": "C",
    "Gln": "Q",
    "Glu": "E",
    "Gly": "G",
    "His": "H",
    "Ile": "I",
    "Leu": "L",
    "Lys": "K",
    "Met": "M",
    "Phe": "F",
    "Pro": "P",
    "Ser": "S",
    "Thr": "T",
    "Trp": "W",
    "Tyr": "Y",
    "Val": "V",
    "Sec": "U",
    "Ter": "*",
}
_THREE: Final = re.compile("|".join(_LETTERS))
_RANGE: Final = re.compile(r"^[A-Z*](\d+)_[A-Z*](\d+)")
_POINT: Final = re.compile(r"^[A-Z*]?(\d+)")
_TEXTS: Final = (
    (re.compile(r"splice", re.IGNORECASE), "truncating"),
    (re.compile(r"ex(on)?\s*14", re.IGNORECASE), "exon_skipping"),
    (re.compile(r"promoter|^c\.-\d", re.IGNORECASE), "promoter"),
    (re.compile(r"^[A-Z*]\d+[A-Z]?fs"), "truncating"),
    (re.compile(r"^\*\d+"), "other"),
    (re.compile(r"ext"), "other"),
    (re.compile(r"^M1([A-Z?]|del)"), "truncating"),
    (re.compile(r"^[A-Z]\d+(_[A-Z]\d+)?(del)?(ins)?[A-Z]*\*"), "truncating"),
    (re.compile(r"^([A-Z])\d+(=|\1)$"), "silent"),
    (re.compile(r"^[A-Z]\d+[A-Z]$"), "missense"),
    (re.compile(r"^[A-Z]\d+(_[A-Z]\d+)?(del|ins|dup)"), "in_frame"),
)
_PROMOTER_NAMES: Final = re.compile(r"^(?:c\.)?-(?:124|146)(?:C>T|G>A)$|^C2(?:28|50)T$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One recorded change, read.

    Attributes
    ----------
    text
        The change without ``p.`` and in one-letter code.
    effect
        One of `SEVERITY`, or ``unknown``.
    first, last
        First and last codon concerned; ``None`` where the text names none.
    copies
        Discrete copy number, -2 to 2; ``None`` for mutations.
    """

    text: str
    effect: str
    first: int | None = None
    last: int | None = None
    copies: float | None = None

    def touches(self, residues: frozenset[int]) -> bool:
        """Return whether a codon of the change is one of these."""
        if self.first is None or self.last is None:
            return False
        return any(self.first <= residue <= self.last for residue in residues)


def read_change(change: str, kind: str | None) -> Change:
    """Read a change as it stands in the table `alterations`.

    1. The effect is that of ``kind`` (a variant classification of MAF, or a term of VEP), where it
       is known; of several terms the gravest. Else it is read from the protein change (HGVS, with
       or without ``p.``, one or three letters).
    2. A copy number is a number from -2 to 2, or a word of `COPIES`.

    Parameters
    ----------
    change
        Protein change or copy-number state.
    kind
        Variant classification, ``copy_number``, or nothing.

    Examples
    --------
    >>> read_change("p.Ser45Pro", "Missense_Mutation").first
    45
    >>> read_change("R342*", None).effect, read_change("-2", "copy_number").copies
    ('truncating', -2.0)
    """
    effect = _effect_of_kind(kind)
    copies = _read_copies(change)
    if effect == "copy_number" or (effect is None and copies is not None):
        return Change(text=change.strip(), effect="copy_number", copies=copies)
    text = _plain(change)
    first, last = _codons(text)
    return Change(text=text, effect=effect or _effect_of_text(text), first=first, last=last)


def _effect_of_kind(kind: str | None) -> str | None:
    known = read_kinds()
    words = re.split(r"[,&;]", (kind or "").strip().lower())
    found = {known[key] for word in words if (key := word.strip().replace(" ", "_")) in known}
    return next((effect for effect in SEVERITY if effect in found), None)


def _read_copies(change: str) -> float | None:
    word = re.sub(r"[\s-]+", "_", change.strip().lower()) if change.strip()[:1] not in "+-" else ""
    if word in COPIES:
        return COPIES[word]
    try:
        number = float(change)
    except ValueError:
        return None
    return number if -2 <= number <= 2 else None


def _plain(change: str) -> str:
    text = change.strip().rpartition(":p.")[2] if ":p." in change else change.strip()
    text = text.removeprefix("p.").strip("()")
    return _THREE.sub(lambda match: _LETTERS[match.group()], text)


def _codons(text: str) -> tuple[int | None, int | None]:
    if match := _RANGE.match(text):
        return int(match.group(1)), int(match.group(2))
    if match := _POINT.match(text):
        return int(match.group(1)), int(match.group(1))
    return None, None


def _effect_of_text(text: str) -> str:
    return next((effect for pattern, effect in _TEXTS if pattern.search(text)), "unknown")


def judge(change: Change, rule: AlterationRule) -> str | None:
    """Return ``altered`` or ``uncertain`` where the change counts by the rule, else ``None``.

    Parameters
    ----------
    change
        A change of the gene that the rule is about.
    rule
        One rule; loci, burden and recorded states are judged elsewhere.
    """
    if rule.counts in ("amplification", "gain", "deep_deletion"):
        return _judge_copies(change.copies, rule.counts)
    if rule.counts == "promoter":
        return _judge_promoter(change, rule.residues)
    if change.effect in ("silent", "copy_number", "promoter"):
        return None
    if rule.counts == "truncating":
        return "altered" if change.effect == "truncating" else "uncertain"
    if rule.counts == "exon_skipping":
        return _judge_skipping(change, rule.residues)
    return _judge_residues(change, rule)


def _judge_copies(copies: float | None, counts: str) -> str | None:
    if copies is None:
        return None
    if counts == "amplification":
        return "altered" if copies >= 2 else None
    if counts == "gain":
        return "uncertain" if 1 <= copies < 2 else None
    if copies <= -2:
        return "altered"
    return "uncertain" if copies < -1 else None


def _judge_promoter(change: Change, positions: frozenset[int]) -> str | None:
    if _PROMOTER_NAMES.match(change.text):
        return "altered"
    if change.effect != "promoter":
        return None
    numbers = {int(number) for number in re.findall(r"\d{5,}", change.text)}
    return "altered" if numbers & positions else "uncertain"


def _judge_skipping(change: Change, residues: frozenset[int]) -> str | None:
    if change.effect == "exon_skipping" or re.search(r"ex(on)?\s*14", change.text, re.IGNORECASE):
        return "altered"
    if not change.touches(residues):
        return None if change.effect == "truncating" else "uncertain"
    spliced = "splice" in change.text.lower()
    return "altered" if change.effect != "truncating" or spliced else None


def _judge_residues(change: Change, rule: AlterationRule) -> str | None:
    """Judge a gene that acts by gain: a truncation never counts, other places are uncertain."""
    if change.effect == "truncating":
        return None
    wanted = "missense" if rule.counts == "hotspot" else "in_frame"
    hit = change.effect == wanted and change.touches(rule.residues)
    return "altered" if hit else "uncertain"
