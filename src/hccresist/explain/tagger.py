"""A tagger: mechanisms, genes, drugs and effect of a sentence or an abstract, by plain rules.

No model: every tag is a word of the text that stands in a list, and `Tags.matches` says which.

1. *Names.* From left to right the longest name counts: RNAs by their form (``miR-122-5p``,
   ``circMET``), then drugs, proteins and abbreviations from lists, then symbols of HGNC as far as they
   are written like symbols (`tagger_rules.find_symbol`). An abbreviation that the text explains as
   something else (``overall survival (OS)``) is no gene in it. A gene behind ``anti-`` is an
   antibody: a drug unless words such as *stained* say that it was a tool.
   CD4, CD8 and their like before a plus sign or a T cell name a cell.
2. *Drugs.* Listed ones; words that end as international names do; codes beside a word such as
   *inhibitor*. A class label stands only where the text names no drug of that class.
3. *Mechanisms.* Each term has a weight (`mechanism_words.csv`); up to `COUNTED` places of a term
   count, those in the first sentence and in a conclusion double. RNAs add to
   their kind. In a text with words of a trial, the drugs named say which kind of combination it is.
   Mechanisms are ranked by the sum.
4. *Effect.* Cue words with negation, see `tagger_effects`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from hccresist.explain.tagger_effects import choose_effect, find_cues
from hccresist.explain.tagger_names import find_names
from hccresist.explain.tagger_rules import Kind, Lexicon, Token, build_lexicon, find_terms, tokenise
from hccresist.explain.tagger_spans import is_rna

if TYPE_CHECKING:
    from hccresist.explain.knowledge import EvidenceBase

COUNTED: Final = 4
"""Places of one term that count towards a mechanism."""

EMPHASIS: Final = 2.0
"""Factor of a place in the first sentence or in a conclusion."""

LONGEST_TEXT: Final = 200_000
"""Characters that are read; what follows is left out."""

_END: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9])|\n+")
_CONCLUSION: Final = re.compile(
    r"^\W*(?:conclusions?\b|in (?:conclusion|summary)\b|taken together|together,|collectively"
    r"|overall,|therefore"
    r"|thus\b|these (?:findings|results|data)|our (?:findings|results|data|study))",
    re.IGNORECASE,
)
_TRIAL: Final = re.compile(
    r"\b(?:phase (?:I{1,3}|1b?|2|3|Ib|IIb)\b|trials?|randomi[sz]ed|patients|cohort"
    r"|retrospective\w*|real-world|objective response rate"
    r"|ORR|median (?:overall|progression)|overall survival|progression-free survival"
    r"|adverse events?|safety|tolerab\w+|months|HR|response rate|PFS|OS)\b",
    re.IGNORECASE,
)
_ICI: Final = {
    "PD": ("anti-PD-1 (class)", "anti-PD-L1 (class)", "anti-PD-1/PD-L1 (class)"),
    "CTLA4": ("anti-CTLA-4 (class)",),
}
_ANTIBODIES: Final = frozenset({"bevacizumab", "ramucirumab"})
_REGIMEN_WEIGHT: Final = 1.0
_REGIMEN_COUNTED: Final = 8
_REGIMEN_LEAST: Final = 4
_SHORT_TEXT: Final = 60
"""Tokens below which half as many words of a trial are enough."""


@dataclass(frozen=True, slots=True)
class Match:
    """A place of a text that decided something.

    Attributes
    ----------
    start, end
        Place in the text, in characters; `text[start:end]` is `term`.
    term
        As it is written there.
    kind
        mechanism, gene, drug or effect.
    stands_for
        Key of the mechanism, symbol, drug or effect.
    weight
        What it adds to a mechanism or an effect; 0 for names.
    """

    start: int
    end: int
    term: str
    kind: Kind
    stands_for: str
    weight: float = 0.0

    @property
    def span(self) -> tuple[int, int]:
        """Return first character and the one behind the last."""
        return self.start, self.end


@dataclass(frozen=True, slots=True)
class Tags:
    """What was read in a text.

    Attributes
    ----------
    mechanisms
        Keys of mechanisms, the best first.
    genes, drugs
        Names as the base has them, in the order of the text.
    effect
        One of the effects of the base, or none.
    matches
        Every place that decided, in the order of the text.
    """

    mechanisms: tuple[str, ...]
    genes: tuple[str, ...]
    drugs: tuple[str, ...]
    effect: str | None
    matches: tuple[Match, ...]

    @property
    def families(self) -> tuple[str, ...]:
        """Return the families of the mechanisms, each once, the best first."""
        return tuple(dict.fromkeys(name.partition("-")[0] for name in self.mechanisms))

    def record(self) -> dict[str, object]:
        """Return the tags as plain data."""
        return {
            "mechanisms": list(self.mechanisms),
            "families": list(self.families),
            "genes": list(self.genes),
            "drugs": list(self.drugs),
            "effect": self.effect,
            "matches": [asdict(match) for match in self.matches],
        }


def tag_text(text: str, base: EvidenceBase) -> Tags:
    """Read mechanisms, genes, drugs and the effect in a text.

    Parameters
    ----------
    text
        Sentence or abstract; the title as its first sentence helps.
    base
        Evidence base, whose names are used.

    Examples
    --------
    >>> from hccresist.explain.knowledge import read_base
    >>> tags = tag_text("PD-L1 and P-gp made HepG2 cells resistant to Nexavar.", read_base())
    >>> tags.genes, tags.drugs, tags.effect
    (('CD274', 'ABCB1'), ('sorafenib',), 'resistance')
    """
    text = text[:LONGEST_TEXT]
    lexicon = _get_lexicon(_Same(base))
    tokens = tokenise(text)
    weigh = _Emphasis.of(text)
    names = sorted(_find_names(text, tokens, lexicon), key=_place)
    names = _drop_covered_classes(names, base)
    cues = find_cues(text)
    found = [
        *_find_mechanisms(text, tokens, lexicon, names, weigh),
        *_weigh_rnas(text, names, weigh),
        *_find_regimen(text, names, base, least=_REGIMEN_LEAST // (1 + (len(tokens) < _SHORT_TEXT))),
    ]
    effects = [
        Match(
            cue.start, cue.end, text[cue.start : cue.end], "effect", cue.effect, cue.weight * weigh(cue.start)
        )
        for cue in cues
    ]
    return Tags(
        mechanisms=_rank(found),
        genes=_list(names, "gene"),
        drugs=_list(names, "drug"),
        effect=choose_effect(text, cues, weigh),
        matches=tuple(sorted([*names, *found, *effects], key=_place)),
    )


class _Same:
    """A base that is compared by identity, so that its lexicon is made once."""

    def __init__(self, base: EvidenceBase) -> None:
        self.base = base

    def __hash__(self) -> int:
        return id(self.base)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.base is self.base


@lru_cache(maxsize=4)
def _get_lexicon(same: _Same) -> Lexicon:
    return build_lexicon(same.base)


def _place(match: Match) -> tuple[int, int, str, str]:
    return match.start, match.end, match.kind, match.stands_for


def _list(names: Sequence[Match], kind: Kind) -> tuple[str, ...]:
    return tuple(dict.fromkeys(match.stands_for for match in names if match.kind == kind))


@dataclass(frozen=True, slots=True)
class _Emphasis:
    """Parts of a text whose words count more."""

    parts: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, text: str) -> _Emphasis:
        starts = [0, *(found.end() for found in _END.finditer(text))]
        spans = list(zip(starts, [*starts[1:], len(text)], strict=True))
        chosen = [span for span in spans[1:] if _CONCLUSION.match(text[span[0] : span[1]])]
        return cls(tuple(spans[:1] + chosen))

    def __call__(self, place: int) -> float:
        return EMPHASIS if any(start <= place < end for start, end in self.parts) else 1.0


def _find_names(text: str, tokens: Sequence[Token], lexicon: Lexicon) -> Iterator[Match]:
    for span in find_names(text, tokens, lexicon):
        kind: Kind = "drug" if span.kind == "drug" else "gene"
        yield Match(span.start, span.end, text[span.start : span.end], kind, span.name)


def _drop_covered_classes(names: Sequence[Match], base: EvidenceBase) -> list[Match]:
    """Leave out class labels of which the text names a drug."""
    classes = base.names.classes
    covered = {
        label for match in names if match.kind == "drug" for label in classes.get(match.stands_for, ())
    }
    return [match for match in names if match.kind != "drug" or match.stands_for not in covered]


def _find_mechanisms(
    text: str, tokens: Sequence[Token], lexicon: Lexicon, names: Sequence[Match], weigh: _Emphasis
) -> Iterator[Match]:
    """Yield terms of mechanisms, as many places of each as count."""
    closed = [match for match in names if match.kind == "drug" or is_rna(match.term)]
    seen: dict[tuple[str, str], int] = {}
    for hit in find_terms(text, tokens, lexicon.mechanisms):
        start, end = tokens[hit.first].start, tokens[hit.last].end
        if any(one.start <= start and end <= one.end and one.span != (start, end) for one in closed):
            continue
        for term in {term.target: term for term in sorted(hit.terms, key=lambda term: term.weight)}.values():
            key = (text[start:end].casefold(), term.target)
            seen[key] = seen.get(key, 0) + 1
            if seen[key] <= COUNTED:
                yield Match(start, end, text[start:end], "mechanism", term.target, term.weight * weigh(start))


_RNA_KINDS: Final = (
    (re.compile(r"^(?:miR|let)-"), "NCR-MIR"),
    (re.compile(r"^(?:hsa[-_])?circ"), "NCR-CIRC"),
    (
        re.compile(
            r"^(?:[Ll]i?nc-.*|LINC\d+|\w+-AS\d+|SNHG\d+|MALAT1|HOTAIR|HOTTIP|NEAT1|H19|XIST|MEG3|UCA1"
            r"|GAS5|TUG1|HULC|CRNDE|PVT1|KCNQ1OT1|LUCAT1)$"
        ),
        "NCR-LNC",
    ),
)


def _weigh_rnas(text: str, names: Sequence[Match], weigh: _Emphasis) -> Iterator[Match]:
    seen: dict[str, int] = {}
    for match in names:
        for pattern, mechanism in _RNA_KINDS:
            if match.kind == "gene" and pattern.match(match.stands_for):
                seen[mechanism] = seen.get(mechanism, 0) + 1
                if seen[mechanism] <= COUNTED:
                    weight = 3.0 * weigh(match.start)
                    yield Match(match.start, match.end, match.term, "mechanism", mechanism, weight)


def _find_regimen(text: str, names: Sequence[Match], base: EvidenceBase, *, least: int) -> Iterator[Match]:
    """Yield the words of a trial, as what kind of treatment the drugs make of it."""
    words = list(_TRIAL.finditer(text))
    kind = _name_regimen(_list(names, "drug"), base)
    if len(words) < least or not kind:
        return
    for found in words[:_REGIMEN_COUNTED]:
        yield Match(found.start(), found.end(), found.group(), "mechanism", kind, _REGIMEN_WEIGHT)


def _name_regimen(drugs: Sequence[str], base: EvidenceBase) -> str:
    """Return which combination the drugs of a text are; empty where there is no drug."""
    labels = {drug: base.names.classes.get(drug, frozenset[str]()) | {drug} for drug in drugs}
    flat = frozenset(label for labelled in labels.values() for label in labelled)
    checkpoint = "ICI (class)" in flat
    kinase = any(
        "targeted therapy (class)" in own and drug not in _ANTIBODIES for drug, own in labels.items()
    )
    double = all(flat.intersection(group) for group in _ICI.values())
    rules = (
        ("CMB-LRT", "locoregional" in flat and len(drugs) > 1),
        ("CMB-ICI-ICI", double),
        ("CMB-ICI-VEGF", checkpoint and bool(flat & _ANTIBODIES)),
        ("CMB-ICI-TKI", checkpoint and kinase),
        ("CMB-TKI-X", kinase and len(drugs) > 1),
        ("CMB-MONO", bool(drugs)),
    )
    return next((name for name, holds in rules if holds), "")


def _rank(found: Sequence[Match]) -> tuple[str, ...]:
    sums: dict[str, float] = {}
    for match in found:
        sums[match.stands_for] = sums.get(match.stands_for, 0.0) + match.weight
    return tuple(sorted(sums, key=lambda name: (-sums[name], name)))
