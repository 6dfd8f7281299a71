"""Words and rules of the tagger: tokens, terms, and the guards that keep a common word from being a gene.

Words come from the base (drugs, gene synonyms, mechanisms) and from two files of ours beside it:
`mechanism_words.csv` (term, mechanism, weight) and `tagger_words.csv` (names of drugs and proteins that
the base does not hold, abbreviations that are nothing, and symbols that are also words).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from hccresist.explain.names import fold_name, split_words

if TYPE_CHECKING:
    from hccresist.explain.knowledge import EvidenceBase

Kind = Literal["mechanism", "gene", "drug", "effect", "nothing"]

TAXONOMY_WEIGHT: Final = 3.0
"""Weight of a name or synonym that stands in the taxonomy and not in `mechanism_words.csv`."""

LONGEST: Final = 7
"""Tokens that a term may have."""

_TOKEN: Final = re.compile(r"[(\[][Ll][)\]]|[^\W_]+")
_JOINT: Final = re.compile(r"[\s\-‐‑‒–−+⁺'’·/]{0,3}")
_HYPHEN: Final = re.compile(r"[-‐‑‒–−]?")
_SHORT: Final = 5
_STEM: Final = 4
_TOO_WIDE: Final = frozenset({"therapy (class)"})
"""Labels whose bare name is an everyday word."""

_WORD_GENES: Final = frozenset({"ar", "bad", "bid", "cat", "fas", "kit", "max", "met", "rest", "set", "was"})
"""Genes that have to be in capitals."""

_INN: Final = re.compile(
    r"^[a-z]{3,}(?:nib|mab|ciclib|parib|vastatin|nostat|platin|rubicin|taxel|rolimus|zomib|trexed|citabine"
    r"|notecan|lisib|sertib|degib)$"
)
_CUE: Final = re.compile(
    r"^(?:genes?|expressi\w+|express\w*|proteins?|mrnas?|knockdown|knockout|silenc\w+"
    r"|overexpress\w*|deficien\w+"
    r"|signall?ing|pathway|axis|inhibitors?|phosphorylat\w+|promoter|mutat\w+|levels?|up-?regulat\w+"
    r"|down-?regulat\w+|loss|transcript\w*|deplet\w+|receptors?|kinase|mediated|positive|negative"
    r"|activat\w+"
    r"|amplif\w+|polymorphism\w*|lncrnas?)$"
)
_NO_GENE_NOUN: Final = re.compile(
    r"(?:survival|ratio|carcinoma|cancer|cells?|diseases?|rates?|interval|therapy|responses?"
    r"|index|score|tumou?rs?|imaging"
    r"|resistance|treatment|syndrome|failure|criteria|volume|events?|patients?|group|control|medium|assay"
    r"|analysis|regression|chain reaction|curve|progression|thrombus|thrombosis|transplantation|resection"
    r"|ablation|embolization|chemoembolization|chemotherapy|radiotherapy|transition|stress|microenvironment"
    r"|model|database|ontology|atlas|transition|nanoparticles?|system|acid|species)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A run of letters and digits: where it stands, as it is written, and as it is compared."""

    start: int
    end: int
    text: str
    fold: str


@dataclass(frozen=True, slots=True)
class Term:
    """A term of a word list: what it stands for, its weight, and how it is written there."""

    kind: Kind
    target: str
    weight: float
    written: str


@dataclass(frozen=True, slots=True)
class Hit:
    """Terms found at one place of a text: from the first to the last token."""

    first: int
    last: int
    terms: tuple[Term, ...]


Terms = Mapping[str, tuple[Term, ...]]


@dataclass(frozen=True, slots=True)
class Words:
    """Terms by their folded form.

    Attributes
    ----------
    whole
        Terms that are found as they are.
    stems
        Terms that begin a word (``autophag*``).
    heads
        First letters of the stems.
    """

    whole: Terms
    stems: Terms
    heads: frozenset[str]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Every term of the tagger.

    Attributes
    ----------
    names
        Drugs, genes and abbreviations that are nothing.
    mechanisms
        Terms that stand for mechanisms.
    guarded
        Symbols of genes that are words too, in capitals.
    """

    names: Words
    mechanisms: Words
    guarded: frozenset[str]


@lru_cache(maxsize=20_000)
def _fold(word: str) -> str:
    return fold_name(word.replace("[", "(").replace("]", ")"))


def tokenise(text: str) -> tuple[Token, ...]:
    """Split a text into runs of letters and digits; ``(L)`` of ``PD-(L)1`` is one of them."""
    return tuple(
        Token(found.start(), found.end(), found.group(), _fold(found.group()))
        for found in _TOKEN.finditer(text)
    )


def read_words(name: str) -> list[dict[str, str]]:
    """Return the rows of one of our word lists."""
    raw = (files("hccresist") / "data" / "evidence" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(raw.splitlines()))


@cache
def read_symbols() -> Mapping[str, tuple[str, str]]:
    """Return every name of HGNC that leads to one gene, in capitals: symbol, and how it leads there."""
    from hccresist.explain.genes import read_genes  # noqa: PLC0415  (large: only when a text is tagged)

    keys = read_genes().keys.filter(pl.col("space") == "name").drop_nulls("symbol")
    return {
        str(key): (str(symbol), str(how))
        for key, symbol, how in keys.select("key", "symbol", "how").iter_rows()
    }


def build_lexicon(base: EvidenceBase) -> Lexicon:
    """Put the words of a base and ours together."""
    own = read_words("tagger_words.csv")
    listed = read_words("mechanism_words.csv")
    words = [Term("mechanism", row["mechanism_id"], float(row["weight"]), row["term"]) for row in listed]
    known = {_fold(term.written.rstrip("*")) for term in words}
    words += [term for term in _list_taxonomy(base) if _fold(term.written) not in known]
    names = [*_list_drugs(base), *_list_genes(base)]
    names += [
        Term(_kind(row["kind"]), row["stands_for"], 0.0, row["term"])
        for row in own
        if row["kind"] in {"drug", "gene", "nothing"}
    ]
    return Lexicon(
        names=_index(names),
        mechanisms=_index(words),
        guarded=frozenset(row["term"].upper() for row in own if row["kind"] == "word"),
    )


def _kind(word: str) -> Kind:
    return "drug" if word == "drug" else "gene" if word == "gene" else "nothing"


def _index(terms: Sequence[Term]) -> Words:
    whole: dict[str, tuple[Term, ...]] = {}
    stems: dict[str, tuple[Term, ...]] = {}
    for term in sorted(set(terms), key=lambda term: (term.written, term.kind, term.target)):
        index = stems if term.written.endswith("*") else whole
        key = _fold(term.written.rstrip("*"))
        index[key] = (*index.get(key, ()), term)
    return Words(whole, stems, frozenset(stem[:_STEM] for stem in stems))


def _list_taxonomy(base: EvidenceBase) -> list[Term]:
    rows = base.mechanisms.select("mechanism_id", "name", "synonyms").iter_rows()
    return [
        Term("mechanism", str(mechanism), TAXONOMY_WEIGHT, word)
        for mechanism, name, synonyms in rows
        for word in (str(name), *split_words(synonyms))
    ]


def _list_drugs(base: EvidenceBase) -> list[Term]:
    terms: list[Term] = []
    for name, synonyms, same in base.drugs.select("drug", "synonyms", "same_as").iter_rows():
        bare = () if name in _TOO_WIDE else (str(name).removesuffix(" (class)"),)
        words = (str(name), *bare, *split_words(synonyms))
        terms += [Term("drug", str(same or name), 0.0, word) for word in words]
    return terms


def _list_genes(base: EvidenceBase) -> list[Term]:
    rows = base.synonyms.filter(pl.col("kind") == "gene").select("name", "synonym").iter_rows()
    return [Term("gene", str(name), 0.0, str(word)) for name, synonym in rows for word in (name, synonym)]


def is_written_alike(term: Term, written: str) -> bool:
    """Return whether a stretch of text is written as a term may be.

    1. An acronym has to be in capitals (``TAM``, not ``tam``); a plural s is free. 2. Genes may be in any
    case (``Akt``), but a short name has to hold a capital (``Snail``, not ``snail``), and one that is a
    word has to be in capitals (``MET``). 3. A drug of up to four letters has to be
    written exactly so (``5-FU``). 4. A short name may not be put together over a space, and
    no name over a slash that it does not have.
    """
    key = _fold(term.written)
    if "/" in written and "/" not in term.written:
        return False
    if term.kind == "drug" and len(key) < _SHORT:
        return _straight(written) == _straight(term.written)
    if len(key) <= _SHORT and " " in written and " " not in term.written:
        return False
    if term.kind == "drug" and re.search(r"\d|-", term.written):
        return True
    if term.kind == "gene" and key not in _WORD_GENES:
        return not (len(key) <= _SHORT and key.isalpha() and written.islower())
    return not _is_acronym(term.written) or _is_acronym(written)


def _straight(text: str) -> str:
    return re.sub(r"[‐‑‒–−]", "-", text)


@lru_cache(maxsize=20_000)
def _is_acronym(text: str) -> bool:
    """Return whether a text has two capitals or more and, but for a plural s and Greek, no small letter."""
    letters = [
        c for c in re.sub(r"(?<=[A-Z0-9])s\b|alpha|beta|gamma", "", text) if c.isascii() and c.isalpha()
    ]
    return sum(c.isupper() for c in letters) >= 2 and all(c.isupper() for c in letters)


def _joins(text: str, tokens: Sequence[Token], first: int, last: int) -> bool:
    """Return whether two tokens that follow each other may belong to one term."""
    return _JOINT.fullmatch(text, tokens[first].end, tokens[last].start) is not None


def find_terms(text: str, tokens: Sequence[Token], words: Words) -> list[Hit]:
    """Find terms from left to right, the longest first, without overlap."""
    hits: list[Hit] = []
    at = 0
    while at < len(tokens):
        hit = find_longest(text, tokens, at, words=words)
        if hit is None:
            at += 1
        else:
            hits.append(hit)
            at = hit.last + 1
    return hits


def find_longest(text: str, tokens: Sequence[Token], at: int, *, words: Words) -> Hit | None:
    """Return the longest term that begins at a token; none where there is none."""
    keys = list(_grow(text, tokens, at))
    for length in range(len(keys), 0, -1):
        last = at + length - 1
        written = text[tokens[at].start : tokens[last].end]
        before = len(keys[length - 2]) if length > 1 else 0
        found = _look_up(keys[length - 1], written, words, before=before)
        if found:
            return Hit(at, last, found)
    return None


def _grow(text: str, tokens: Sequence[Token], at: int) -> list[str]:
    """Return the folded forms of one token, two tokens and so on, as far as they may be joined."""
    keys = [tokens[at].fold]
    for last in range(at + 1, min(at + LONGEST, len(tokens))):
        if not _joins(text, tokens, last - 1, last):
            break
        keys.append(keys[-1] + tokens[last].fold)
    return keys


def _look_up(key: str, written: str, words: Words, *, before: int) -> tuple[Term, ...]:
    """Return the terms of a folded stretch of text; a stem has to reach into its last token.

    Parameters
    ----------
    key
        The stretch, folded.
    written
        As it is written.
    words
        Terms.
    before
        Length of the key without its last token.
    """
    known = words.whole.get(key) or _look_up_number(key, words.whole)
    found = tuple(term for term in known if is_written_alike(term, written)) if known else ()
    if found or key[:_STEM] not in words.heads:
        return found
    for length in range(len(key), max(_STEM - 1, before), -1):
        found = tuple(term for term in words.stems.get(key[:length], ()) if is_written_alike(term, written))
        if found:
            return found
    return ()


def _look_up_number(key: str, whole: Terms) -> tuple[Term, ...]:
    """Return the terms of a plural, or of a singular whose plural is listed."""
    if not key.endswith("s"):
        return whole.get(key + "s", ())
    return whole.get(key[:-1]) or (whole.get(key[:-3] + "y", ()) if key.endswith("ies") else ())


def is_drug_name(word: str) -> bool:
    """Return whether a word ends as the international names of anticancer drugs do.

    Examples
    --------
    >>> [is_drug_name(word) for word in ("tepotinib", "relatlimab", "thermostat")]
    [True, True, False]
    """
    return _INN.match(word.lower()) is not None


def find_symbol(
    text: str, tokens: Sequence[Token], at: int, *, guarded: frozenset[str]
) -> tuple[int, str, str] | None:
    """Return last token, symbol and way of the longest HGNC name that begins at a token.

    The name has to be written as a symbol is: capitals, or one capital with a digit (``Mettl3``, an
    approved symbol only). An approved symbol of three letters or more counts, and any other name with
    a digit and four characters. Names that are words too, and other names without a digit, count only
    beside a word such as *gene*, *expression* or *knockdown*.
    """
    symbols = read_symbols()
    best: tuple[int, str, str] | None = None
    for last in range(at, min(at + 3, len(tokens))):
        if last > at and not _HYPHEN.fullmatch(text, tokens[last - 1].end, tokens[last].start):
            break
        written = _straight(text[tokens[at].start : tokens[last].end])
        found = symbols.get(written.upper())
        if found is None or not _is_symbol(written, found[1]):
            continue
        safe = _is_safe(written, found[1]) and written.upper() not in guarded
        if safe or _has_cue(tokens, at, last):
            best = (last, *found)
    return best


def _is_symbol(written: str, how: str) -> bool:
    if len(written) < 3 or sum(c.isalpha() for c in written) < 2 or not written[0].isalpha():
        return False
    if re.fullmatch(r"[A-Z0-9-]+|C\d+orf\d+", written):
        return True
    return how == "approved" and re.fullmatch(r"[A-Z][a-z]{2,}\d+[a-z]?\d?", written) is not None


def _is_safe(written: str, how: str) -> bool:
    if how == "approved":
        return True
    return len(written) >= 4 and any(c.isdigit() for c in written)


def _has_cue(tokens: Sequence[Token], first: int, last: int) -> bool:
    beside = [*tokens[max(first - 1, 0) : first], *tokens[last + 1 : last + 2]]
    return any(_CUE.match(token.text.lower()) for token in beside)


def find_abbreviations(text: str) -> frozenset[str]:
    """Return abbreviations that the text explains as something other than a gene.

    ``overall survival (OS)`` explains OS: the letters begin the words before the bracket, and the last
    of these words is no protein.

    Examples
    --------
    >>> sorted(find_abbreviations("objective response rate (ORR) and fatty acid synthase (FASN)"))
    ['ORR']
    """
    found: set[str] = set()
    for bracket in re.finditer(r"\(([A-Z][A-Za-z0-9-]{1,7})\)", text):
        letters = [c.lower() for c in bracket[1].rstrip("s") if c.isalpha()]
        before = re.findall(r"[A-Za-z]+", text[max(0, bracket.start() - 120) : bracket.start()])
        words = before[-len(letters) :]
        begins = len(words) == len(letters) and words[0][0].lower() == letters[0]
        if begins and _NO_GENE_NOUN.search(words[-1]):
            found |= {bracket[1], bracket[1].rstrip("s")}
    return frozenset(found)
