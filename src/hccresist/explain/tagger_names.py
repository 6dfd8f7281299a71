"""Names in a text, from left to right: RNAs, treatments, drugs, genes, and what is none of them.

At each place counts, in this order: what is read by its form (`tagger_spans`), an abbreviation that the
text explains (`tagger_explained`), the longest of a listed name, a symbol and a full name of HGNC
(`tagger_rules`), and a substance that stands in no list (`tagger_substances`). Then: a gene behind
``anti-`` is an antibody if it is a target of treatments, and a tool of the laboratory otherwise; a name
of cells is no gene; numbers that follow a number go with it (``caspase-3 and -9``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from hccresist.explain.tagger_explained import PROTEIN, find_explanations
from hccresist.explain.tagger_rules import (
    LONGEST_NAME,
    Hit,
    Lexicon,
    Term,
    Token,
    find_full_name,
    find_longest,
    find_symbol,
    grow,
    read_full_names,
    tokenise,
)
from hccresist.explain.tagger_spans import Span, find_rnas, find_targets, is_cell
from hccresist.explain.tagger_substances import find_substance

_KINDS: Final = ("drug", "family", "gene", "nothing")
"""Kinds of a listed name, the one that leads first."""

_ANTI: Final = re.compile(r"\banti-? ?(?:[A-Za-z0-9]{2,6}[/+])?$", re.IGNORECASE)
_ANTI_REACH: Final = 14
_REAGENT: Final = re.compile(r"[- ](?:primary |monoclonal |polyclonal )?antibod(?:y|ies)\b", re.IGNORECASE)
_MEASURED: Final = re.compile(
    r"(?:expression|knockdown|up-?regulation|down-?regulation|induction|levels?|mRNA) of (?:the )?TRAIL\b"
    r"(?! receptor)"
    r"|TRAIL (?:expression|mRNA|protein|knockdown|gene|levels?|promoter)"
    r"|TRAIL\)? (?:was|were) (?:followed|measured|knocked|up|down|increased|decreased)"
)
"""Words that say that TRAIL is the protein of the cells and not the drug."""

_STAIN: Final = re.compile(r"immunofluor|stain|blot|sorted|labell?ed|magnetic|flow cytometry", re.IGNORECASE)
_STAIN_REACH: Final = 80
"""Characters on either side of an antibody in which a word says that it is a laboratory tool."""

_NO_ANTIBODY: Final = re.compile(r"[- ]?(?:immunotoxin|CAR\b|vaccine|antibody[- ]drug)", re.IGNORECASE)
_NUMBER: Final = re.compile(r"^(?P<stem>.*[A-Za-z])(?P<sep>[- ])(?P<number>\d{1,2})$")
_FOLLOW: Final = re.compile(
    r"(?:(?:,| and| or|, and| &|/)? ?-\d{1,2}[A-Za-z]?\b|/\d{1,2}[A-Za-z]?\b)+(?!\d|\.\d|%)"
)
_NO_GENE_NOUN: Final = re.compile(
    r"(?:survival|ratio|carcinoma|cancer|cells?|diseases?|rates?|interval|therapy|responses?"
    r"|index|score|tumou?rs?|imaging|resistance|treatment|syndrome|failure|criteria|volume|events?|patients?|group"
    r"|control|medium|assay|analysis|regression|chain reaction|curve|progression|thrombus|thrombosis"
    r"|transplantation|resection|ablation|embolization|chemoembolization|chemotherapy|radiotherapy|transition"
    r"|stress|microenvironment|model|database|ontology|atlas|nanoparticles?|system|acid|species|weighting|pathway"
    r"|matching|study|trial|grade|stage|class|status|count|time|level)$",
    re.IGNORECASE,
)
_LONGER: Final = re.compile(
    r"[- ](?:related|like|inducible|associated|binding|interacting|receptors?|family|kinases?"
    r"|ligands?|substrate)\b|-\d"
)
"""What behind a full name says that it is only the beginning of another."""

_ALIKE: Final = 0.5
"""Share of the words of an explanation that the full name of a gene has to hold."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """A text that is being read.

    Attributes
    ----------
    text, tokens, lexicon
        The text, its tokens, and the lists.
    meanings
        Abbreviations that the text explains: kind and name.
    """

    text: str
    tokens: Sequence[Token]
    lexicon: Lexicon
    meanings: Mapping[str, tuple[str, str]]


def find_names(text: str, tokens: Sequence[Token], lexicon: Lexicon) -> list[Span]:
    """Return RNAs, drugs and genes of a text from left to right."""
    closed = [*find_rnas(text), *find_targets(text)]
    inside = {place for span in closed for place in range(span.start, span.end)}
    reader = _Reader(text, tokens, lexicon, _read_explanations(text, lexicon))
    spans = list(closed)
    at = 0
    while at < len(tokens):
        if tokens[at].start in inside:
            at += 1
            continue
        last, found = _read_name(reader, at)
        spans += found
        at = max(last, at) + 1
    return sorted(spans, key=lambda span: (span.start, span.end, span.kind, span.name))


def _read_explanations(text: str, lexicon: Lexicon) -> dict[str, tuple[str, str]]:
    """Return what each abbreviation stands for that the text explains, where that can be told."""
    found: dict[str, tuple[str, str]] = {}
    for short, long in find_explanations(text).items():
        meaning = _read_explanation(short, long, lexicon)
        if meaning:
            found[short] = found[short.rstrip("s")] = meaning
    return found


def _read_explanation(short: str, long: str, lexicon: Lexicon) -> tuple[str, str] | None:
    tokens = tokenise(long)
    reader = _Reader(long, tokens, lexicon, {})
    for at in range(len(tokens)):
        last, spans = _read_name(reader, at)
        if last == len(tokens) - 1 and len(spans) == 1 and (at == 0 or spans[0].kind == "gene"):
            return spans[0].kind, spans[0].name
    if _NO_GENE_NOUN.search(long):
        return "nothing", ""
    if any(c.isdigit() for c in short) or PROTEIN.search(long):
        return None
    return None if _is_alike(short, long) else ("nothing", "")


def _is_alike(short: str, long: str) -> bool:
    """Return whether the words of an explanation stand in the full name of the gene with that symbol."""
    words = [word.lower() for word in re.findall(r"[A-Za-z]{3,}", long)]
    names = _list_full_names().get(short.upper(), [])
    return any(sum(word in name for word in words) >= _ALIKE * len(words) for name in names)


@cache
def _list_full_names() -> Mapping[str, list[str]]:
    names: dict[str, list[str]] = {}
    for key, symbol in read_full_names().items():
        names.setdefault(symbol, []).append(key)
    return names


def _read_name(reader: _Reader, at: int) -> tuple[int, list[Span]]:
    """Return the last token of the name that begins at a token, and what it stands for."""
    explained = _read_abbreviation(reader, at)
    hit = _find_hit(reader, at)
    listed_drug = hit is not None and hit.terms[0].kind == "drug"
    if explained is not None and not listed_drug:
        return explained
    if hit is None:
        return _read_substance(reader, at)
    return hit.last, _read_hit(reader, hit)


def _read_hit(reader: _Reader, hit: Hit) -> list[Span]:
    """Return what a listed name, a symbol or a full name stands for at its place."""
    text, tokens, term = reader.text, reader.tokens, hit.terms[0]
    start, end = tokens[hit.first].start, tokens[hit.last].end
    if term.kind == "drug":
        measured = term.target == "TRAIL" and _MEASURED.search(text)
        return [Span(start, end, *(("gene", "TNFSF10") if measured else ("drug", term.target)))]
    if term.kind != "gene" or is_cell(text, start):
        return []
    if _ANTI.search(text, max(0, start - _ANTI_REACH), start):
        return _read_antibody(text, start, end) if term.target in reader.lexicon.targets else []
    if _REAGENT.match(text, end):
        return []
    return [Span(start, end, "gene", term.target), *_read_following(reader, start, end)]


def _read_abbreviation(reader: _Reader, at: int) -> tuple[int, list[Span]] | None:
    """Return an abbreviation that the text explains; none where there is none at a token."""
    text, tokens = reader.text, reader.tokens
    if not reader.meanings:
        return None
    start = tokens[at].start
    for last in range(min(at + 2, len(tokens) - 1), at - 1, -1):
        end = tokens[last].end
        meaning = reader.meanings.get(text[start:end])
        if meaning is not None:
            kind, name = meaning
            keeps = kind in {"drug", "gene"} and not (kind == "gene" and is_cell(text, start))
            return last, [Span(start, end, kind, name)] if keeps else []
    return None


def _find_hit(reader: _Reader, at: int) -> Hit | None:
    """Return the longest of a listed name, a symbol and a full name; a listed one before others as long."""
    text, tokens, lexicon = reader.text, reader.tokens, reader.lexicon
    keys = grow(text, tokens, at, most=LONGEST_NAME)
    listed = find_longest(text, tokens, at, words=lexicon.names, keys=keys)
    best = None if listed is None else Hit(at, listed.last, _prefer(listed.terms))
    symbol = find_symbol(text, tokens, at, lexicon=lexicon)
    full = find_full_name(keys, at)
    if full is not None and _LONGER.match(text, tokens[full[0]].end):
        full = None
    for last, name in ([(symbol[0], symbol[1])] if symbol else []) + ([full] if full else []):
        if best is None or last > best.last:
            best = Hit(at, last, (Term("gene", name, 0.0, name),))
    return best


def _prefer(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """Return the term of the kind that leads: a drug before a family before a gene before nothing."""
    return (min(terms, key=lambda term: _KINDS.index(term.kind)),)


def _read_substance(reader: _Reader, at: int) -> tuple[int, list[Span]]:
    found = find_substance(reader.text, reader.tokens, at, drugs=reader.lexicon.drugs)
    if found is None:
        return at, []
    end, name = found
    last = max(i for i in range(at, min(at + 5, len(reader.tokens))) if reader.tokens[i].start < end)
    return last, [Span(reader.tokens[at].start, end, "drug", reader.lexicon.drugs.get(name, name))]


def _read_antibody(text: str, start: int, end: int) -> list[Span]:
    """Return a target of treatments behind ``anti-`` as a drug, if it is no tool."""
    stain = _STAIN.search(text, max(0, start - _STAIN_REACH), end + _STAIN_REACH)
    if stain or _NO_ANTIBODY.match(text, end):
        return []
    return [Span(start, end, "drug", f"anti-{text[start:end]}")]


def _read_following(reader: _Reader, start: int, end: int) -> list[Span]:
    """Return the genes of numbers that follow a name with a number: ``-9`` of ``caspase-3 and -9``."""
    first = _NUMBER.match(reader.text[start:end])
    follow = _FOLLOW.match(reader.text, end)
    if first is None or follow is None:
        return []
    spans: list[Span] = []
    for number in re.finditer(r"\d{1,2}[A-Za-z]?", follow.group()):
        name = first["stem"] + first["sep"] + number.group()
        hit = _find_hit(_Reader(name, tokenise(name), reader.lexicon, {}), 0)
        if hit is not None and hit.terms[0].kind == "gene" and hit.last == len(tokenise(name)) - 1:
            place = end + number.start()
            spans.append(Span(place, place + len(number.group()), "gene", hit.terms[0].target))
    return spans
