"""Abbreviations that a text explains: ``inverse probability weighting (IPW)``, ``dichloroacetate (DCA)``.

The words before a bracket explain what stands in it if its letters can be found in them from right to
left, the first one at the beginning of a word (the algorithm of Schwartz and Hearst, Pacific Symposium on
Biocomputing 2003).
"""

from __future__ import annotations

import re
from typing import Final

_BRACKET: Final = re.compile(r"[(\[]([A-Za-z][A-Za-z0-9-]{1,9})(?=[)\];,])")
_REACH: Final = 140
_WORD: Final = re.compile(r"[^\s()\[\]]+")
_END: Final = re.compile(r"[.;:!?)\]]\s")
PROTEIN: Final = re.compile(
    r"\b(?:proteins?|factors?|receptors?|kinases?|ligands?|antigens?|genes?|oncogenes?|homologs?|homologues?"
    r"|enzymes?|transporters?|channels?|subunits?|molecules?|peptides?|interleukin|interferon|collagen|cadherin"
    r"|integrins?|globulin|isoform|transcript|RNAs?|domains?|motif|member|chain|complex|alpha|beta|gamma|hormone"
    r"|\w{3,}ase|\w{3,}(?:kine|mere|gen|globin|ferrin|tubulin|laminin|sirtuin|statin|ferritin|albumin|pontin))s?"
    r"(?:[- ]?\w{1,3})?$",
    re.IGNORECASE,
)
"""Words at the end of an explanation that say that it is a gene or its product."""


def find_explanations(text: str) -> dict[str, str]:
    """Return every abbreviation that the text explains, with the words that explain it.

    Examples
    --------
    >>> find_explanations("Inverse probability weighting (IPW) and fatty acid synthase (FASN)")
    {'IPW': 'Inverse probability weighting', 'FASN': 'fatty acid synthase'}
    """
    found: dict[str, str] = {}
    for bracket in _BRACKET.finditer(text):
        short = bracket[1]
        if sum(c.isupper() for c in short) < 1 or short.islower():
            continue
        long = _explain(short.rstrip("s") if short[:-1].isupper() else short, _before(text, bracket.start()))
        if long:
            found.setdefault(short, long)
    return found


def _before(text: str, place: int) -> str:
    """Return what stands before a bracket in its clause."""
    clause = text[max(0, place - _REACH) : place]
    return _END.split(clause)[-1].rstrip()


def _explain(short: str, clause: str) -> str:
    """Return the words that explain an abbreviation; empty where there are none."""
    letters = [c.lower() for c in short if c.isalnum()]
    words = list(_WORD.finditer(clause))
    most = min(len(letters) + 5, 2 * len(letters))
    floor = words[-most].start() if len(words) > most else 0
    place = len(clause) - 1
    for number in range(len(letters) - 1, -1, -1):
        first = number == 0
        while place >= floor and not (
            clause[place].lower() == letters[number] and (not first or _begins(clause, place))
        ):
            place -= 1
        if place < floor:
            return ""
        place -= 1
    long = clause[place + 1 :].strip()
    return long if (len(long) > len(short) and " " in long) or len(long) > len(short) + 3 else ""


def _begins(clause: str, place: int) -> bool:
    return place == 0 or not clause[place - 1].isalnum()
