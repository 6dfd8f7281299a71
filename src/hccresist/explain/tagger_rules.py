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
from io import BytesIO
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from hccresist.explain.names import fold_name, split_words
from hccresist.explain.tagger_substances import list_names

if TYPE_CHECKING:
    from hccresist.explain.knowledge import EvidenceBase

Kind = Literal["mechanism", "gene", "drug", "effect", "nothing", "family"]

TAXONOMY_WEIGHT: Final = 3.0
"""Weight of a name or synonym that stands in the taxonomy and not in `mechanism_words.csv`."""

LONGEST: Final = 7
"""Tokens that a term may have."""

LONGEST_NAME: Final = 14
"""Tokens that the full name of a gene may have."""

_MARKED: Final = re.compile(r"(?:p|si|sh|sg|oe|t|m|h|s|r)-?([A-Z][A-Z0-9]*[0-9][A-Z0-9]*)")
_MIXED: Final = re.compile(r"(?=.{4})[A-Z][A-Za-z]+\d+[A-Za-z]?\d?[A-Z]?")
_NUMBERED: Final = re.compile(r"[A-Za-z]{2,6}-\d{1,2}[A-Za-z]?")
_TOKEN: Final = re.compile(r"[(\[][Ll][)\]]|[^\W_]+")
_JOINT: Final = re.compile(r"[\s\-‐‑‒–−+⁺'’·/]{0,3}|\(|\)[\s-]?")
_HYPHEN: Final = re.compile(r"[-‐‑‒–−]?")
_SHORT: Final = 5
_TINY: Final = 3
_STEM: Final = 4
_NAME_KINDS: Final[Mapping[str, Kind]] = {
    "drug": "drug", "gene": "gene", "family": "family", "nothing": "nothing"
}  # fmt: skip
_TOO_WIDE: Final = frozenset({"therapy (class)"})
"""Labels whose bare name is an everyday word."""

_WORD_GENES: Final = frozenset({"ar", "bad", "bid", "cat", "fas", "kit", "max", "met", "rest", "set", "was"})
"""Genes that have to be in capitals."""

_PHOSPHO: Final = frozenset({"perk", "pak", "psrc"})
"""Folded names that with a small p in front are another protein, phosphorylated (``p-ERK`` is not PERK)."""

_CUE: Final = re.compile(
    r"^(?:genes?|expressi\w+|express\w*|proteins?|mrnas?|knockdown|knockout|silenc\w+"
    r"|overexpress\w*|deficien\w+"
    r"|signall?ing|pathway|axis|inhibitors?|phosphorylat\w+|promoter|mutat\w+|levels?|up-?regulat\w+"
    r"|down-?regulat\w+|loss|transcript\w*|deplet\w+|receptors?|kinase|mediated|positive|negative"
    r"|activat\w+"
    r"|amplif\w+|polymorphism\w*|lncrnas?)$"
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
    known
        Symbols of genes that the base or our lists name.
    drugs
        Names of drugs of one word, in small letters, with what they stand for.
    targets
        Symbols of genes against which antibodies are given.
    """

    names: Words
    mechanisms: Words
    guarded: frozenset[str]
    known: frozenset[str]
    drugs: Mapping[str, str]
    targets: frozenset[str]


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
        Term(_NAME_KINDS[row["kind"]], row["stands_for"], 0.0, row["term"])
        for row in own
        if row["kind"] in _NAME_KINDS
    ]
    return Lexicon(
        names=_index(names),
        mechanisms=_index(words),
        guarded=frozenset(row["term"].upper() for row in own if row["kind"] == "word"),
        targets=frozenset(row["term"] for row in own if row["kind"] == "target"),
        known=frozenset(term.target for term in names if term.kind == "gene"),
        drugs=list_names((term.written, term.target) for term in names if term.kind == "drug"),
    )


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
    case (``Akt``), but one of three letters has to be written as listed or in capitals, a short name has
    to hold a capital (``Snail``, not ``snail``; ``c-myc`` is free), and one that is a word has to be in
    capitals (``MET``). 3. A drug of up to four letters has to be written exactly so (``5-FU``). 4. A short
    name may not be put together over a space, and no name over a slash that it does not have.
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
    if term.kind in {"gene", "family"}:
        return _is_gene_alike(term, written, key)
    return not _is_acronym(term.written) or _is_acronym(written)


def _is_gene_alike(term: Term, written: str, key: str) -> bool:
    """Return whether a stretch of text is written as the name of a gene may be."""
    if key in _PHOSPHO and written.startswith("p"):
        return False
    if key in _WORD_GENES:
        return not _is_acronym(term.written) or _is_acronym(written)
    if len(key) <= _TINY and key.isalpha():
        return written.replace("-", "") in {term.written.replace("-", ""), key.upper()}
    low = len(key) <= _SHORT and key.isalpha() and written.islower()
    return not low or written.startswith("c-")


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


def find_longest(
    text: str, tokens: Sequence[Token], at: int, *, words: Words, keys: Sequence[str] | None = None
) -> Hit | None:
    """Return the longest term that begins at a token; none where there is none.

    Parameters
    ----------
    text, tokens, at
        Text, its tokens, and the token.
    words
        Terms.
    keys
        What `grow` returns for the token, if it is known.
    """
    keys = grow(text, tokens, at) if keys is None else keys
    for length in range(min(len(keys), LONGEST), 0, -1):
        last = at + length - 1
        written = text[tokens[at].start : tokens[last].end]
        before = len(keys[length - 2]) if length > 1 else 0
        found = _look_up(keys[length - 1], written, words, before=before)
        if found:
            return Hit(at, last, found)
    return None


def grow(text: str, tokens: Sequence[Token], at: int, *, most: int = LONGEST) -> list[str]:
    """Return the folded forms of one token, two tokens and so on, as far as they may be joined."""
    keys = [tokens[at].fold]
    for last in range(at + 1, min(at + most, len(tokens))):
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
        return whole.get(key + "s", ()) if len(key) > _TINY else ()
    return whole.get(key[:-1]) or (whole.get(key[:-3] + "y", ()) if key.endswith("ies") else ())


def find_symbol(
    text: str, tokens: Sequence[Token], at: int, *, lexicon: Lexicon
) -> tuple[int, str, str] | None:
    """Return last token, symbol and way of the longest HGNC name that begins at a token.

    The name has to be written as a symbol is: capitals, or a capital and a number (``Mettl3``,
    ``BubR1``; an alias with two capitals at least); a hyphen before its number (``FLT-3``) and a mark of its
    state before it (``pSTAT3``, ``siMETTL3``) are free. An approved symbol of four letters or more counts,
    and any other name with a digit and four characters. Names that are words too, symbols of three letters
    that our lists do not name, and other names without a digit count only beside a word such as *gene*,
    *expression* or *knockdown*.
    """
    symbols = read_symbols()
    best: tuple[int, str, str] | None = None
    for last in range(at, min(at + 3, len(tokens))):
        if last > at and not _HYPHEN.fullmatch(text, tokens[last - 1].end, tokens[last].start):
            break
        written = _bare(_straight(text[tokens[at].start : tokens[last].end]), symbols)
        found = symbols.get(written.upper())
        if found is None or not _is_symbol(written, found[1]):
            continue
        safe = _is_safe(written, found, lexicon)
        if (safe or _has_cue(tokens, at, last)) and not _goes_on(text, tokens, last, written=written):
            best = (last, *found)
    return best


def _bare(written: str, symbols: Mapping[str, tuple[str, str]]) -> str:
    """Return a name without a mark of its state and without a hyphen that its symbol does not have."""
    marked = _MARKED.fullmatch(written)
    if marked and symbols.get(marked[1], ("", ""))[1] == "approved":
        return marked[1]
    joined = _NUMBERED.fullmatch(written)
    plain = written.replace("-", "")
    return plain if joined and written.upper() not in symbols and plain.upper() in symbols else written


def _goes_on(text: str, tokens: Sequence[Token], last: int, *, written: str) -> bool:
    """Return whether a name without a number is only the beginning of another (``FLT`` of ``FLT-9``)."""
    if any(c.isdigit() for c in written) or last + 1 >= len(tokens):
        return False
    between = text[tokens[last].end : tokens[last + 1].start]
    return between == "-" and re.fullmatch(r"\d{1,2}[A-Z]?", tokens[last + 1].text) is not None


def _is_symbol(written: str, how: str) -> bool:
    if len(written) < 3 or sum(c.isalpha() for c in written) < 2 or not written[0].isalpha():
        return False
    if re.fullmatch(r"[A-Z0-9-]+|C\d+orf\d+", written):
        return True
    if _MIXED.fullmatch(written) is None:
        return False
    capitals = sum(c.isupper() for c in written)
    return how == "approved" or (capitals >= 2 and len(written) >= _SHORT)


def _is_safe(written: str, found: tuple[str, str], lexicon: Lexicon) -> bool:
    if written.upper() in lexicon.guarded:
        return False
    if found[1] == "approved":
        return len(written) > 3 or any(c.isdigit() for c in written) or found[0] in lexicon.known
    return len(written) >= 4 and any(c.isdigit() for c in written)


@cache
def read_full_names() -> Mapping[str, str]:
    """Return full names of genes, folded, with their symbols (HGNC)."""
    raw = (files("hccresist") / "data" / "gene_names.parquet").read_bytes()
    return dict(pl.read_parquet(BytesIO(raw)).select("key", "symbol").iter_rows())


def find_full_name(keys: Sequence[str], at: int) -> tuple[int, str] | None:
    """Return last token and symbol of the longest full name of a gene that begins at a token.

    Parameters
    ----------
    keys
        What `grow` returns for the token.
    at
        The token.
    """
    names = read_full_names()
    for length in range(len(keys), 0, -1):
        symbol = names.get(keys[length - 1])
        if symbol:
            return at + length - 1, symbol
    return None


def _has_cue(tokens: Sequence[Token], first: int, last: int) -> bool:
    beside = [*tokens[max(first - 1, 0) : first], *tokens[last + 1 : last + 2]]
    return any(_CUE.match(token.text.lower()) for token in beside)
