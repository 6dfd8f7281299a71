"""Effect of a text by cue words: resistance, sensitivity, a trial that helped or not, a prognosis.

Each cue is a pattern with an effect and a weight. A cue behind a negation in the same clause does not
count, but for improvements, which then say that there was no effect.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

ORDER: Final[tuple[str, ...]] = (
    "response_pattern", "reverses_resistance", "resistance", "no_effect", "improves_outcome", "sensitivity",
    "prognosis",
)  # fmt: skip
"""Effects in the order that decides between equal sums."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A cue found in a text: place, effect, and weight."""

    start: int
    end: int
    effect: str
    weight: float


_CUES: Final[tuple[tuple[str, float, str], ...]] = (
    ("resistance", 2, r"\b(?:chemo|drug-?|multidrug[- ]?|radio)?-?resistan(?:ce|t)\b"),
    ("resistance", 2,
         (r"\brefractory\b|\binsensitiv\w+|\bunresponsive\w*|\bnon-?respon(?:se|ders?|sive)\b"
         r"|\bdesensiti[sz]\w*")),
    ("resistance", 2,
         (r"\b(?:lower|poor(?:er)?|reduced|decreased|impaired|limited|worse) (?:\w+ ){0,2}(?:response"
         r"|sensitivity|efficacy)\b")),
    ("reverses_resistance", 2, r"\bovercom\w+|\bre-?sensiti[sz]\w+|\bcircumvent\w*"),
    ("reverses_resistance", 2, r"\brevers\w+ (?:\S+ ){0,6}resistan\w+"),
    ("reverses_resistance", 1, r"\brestor\w+ (?:\S+ ){0,4}(?:sensitivit|respons|efficac)\w+"),
    ("sensitivity", 2, r"\b(?:chemo)?sensiti[sz](?:e|es|ed|ing|ation|er)\b|\bsynerg\w+"),
    ("sensitivity", 2,
         (r"\b(?:enhanc|augment|potentiat|increas|improv|boost|promot|strengthen|facilitat)\w*"
         r" (?:\S+ ){0,5}(?:sensitivity|efficacy|efficacies|anti-?tumou?r|antitumou?r|cytotoxicity"
         r"|responsiveness|activity of)\b")),
    ("sensitivity", 2,
         (r"\bpredict\w* (?:\S+ ){0,5}(?:response|benefit|efficacy)\b|\b(?:better|higher|favou?rable"
         r"|durable|superior) (?:\w+ ){0,2}(?:response|sensitivity|benefit)\b")),
    ("sensitivity", 1, r"\bresponders?\b|\bsensitivity\b|\bsusceptib\w+|\bpotentiat\w+"),
    (
        "sensitivity",
        1,
        (r"\b(?:inhibit|suppress|reduc|induc)\w* (?:\S+ ){0,4}"
        r"(?:proliferation|viability|growth|apoptosis|xenografts?|sphere formation)\b"),
    ),
    ("improves_outcome", 2,
         (r"\b(?:significantly )?(?:improv|prolong|extend|increas)\w* (?:\S+ ){0,6}(?:survival|OS|PFS"
         r"|outcomes?|progression|TTP)\b")),
    ("improves_outcome", 2,
         (r"\b(?:longer|better|superior|higher) (?:\S+ ){0,4}(?:OS|PFS|overall survival"
         r"|progression-free survival|survival|ORR|objective response)\b")),
    ("improves_outcome", 2,
         (r"\b(?:promising|encouraging|manageable|acceptable|well[- ]tolerated|tolerable"
         r"|effective and safe|safe and effective|survival benefits?|clinical benefit|noninferior\w*"
         r"|non-inferior\w*)\b")),
    ("improves_outcome", 1, r"\brandomi[sz]ed\b|\bphase (?:II|III|2|3|1b|Ib)\w*\b|\befficacy and safety\b"),
    ("no_effect", 3,
         (r"\b(?:did|does|do|was|were|is|are|had|has|have) not (?:\S+ ){0,4}(?:improv\w*|prolong\w*"
         r"|differ\w*|associat\w*|correlat\w*|predict\w*|enhanc\w*|increas\w*|affect\w*|significant\w*"
         r"|superior|meet|influence|impact|change)")),
    ("no_effect", 3,
         (r"\bno (?:\S+ ){0,3}(?:differences?|associations?|correlations?|benefits?|improvement|impact"
         r"|effect|influence|superiority)\b|\bfailed to\b|\bcomparable\b|\bsimilar (?:\w+ ){0,2}(?:OS"
         r"|PFS|survival|efficacy|response)|\bnot superior\b")),
    ("response_pattern", 5,
         (r"\bhyper-?progressi\w+|\bpseudo-?progressi\w+|\b[mi]RECIST\b|\batypical response\w*"
         r"|\bdissociated response\w*|\bmixed response\w*")),
    ("prognosis", 2, r"\bprognos(?:is|tic|es)\b|\bprognosticat\w*"),
    ("prognosis", 2,
         (r"\b(?:poor(?:er)?|worse|shorter|inferior|reduced) (?:\w+[- ]){0,3}(?:survival|OS|PFS"
         r"|outcomes?|prognosis)\b")),
    ("prognosis", 1, r"\bindependent (?:\w+ ){0,3}(?:factors?|predictors?)\b|\bnomogram\b|\brisk score\b"),
)  # fmt: skip
_PATTERNS: Final = tuple((effect, weight, re.compile(text, re.IGNORECASE)) for effect, weight, text in _CUES)
_NEGATION: Final = re.compile(
    r"\b(?:no|not|without|neither|nor|never|lack(?:ed|s|ing)?|fail(?:ed|s|ure)? to"
    r"|cannot)\b[^,;:.()]{0,40}$",
    re.IGNORECASE,
)


_REVIEW: Final = re.compile(
    r"\b(?:(?:this|present|our|mini-?) review|we (?:\w+ )?(?:review|summari[sz]e|discuss)\w*|reviewed the)\b",
    re.IGNORECASE,
)
_LEAST_IN_REVIEW: Final = 4.0


def find_cues(text: str) -> list[Cue]:
    """Return every cue of a text that counts, in its order."""
    cues: list[Cue] = []
    for effect, weight, pattern in _PATTERNS:
        for found in pattern.finditer(text):
            denied = effect != "no_effect" and _NEGATION.search(
                text, max(0, found.start() - 60), found.start()
            )
            if not denied:
                cues.append(Cue(found.start(), found.end(), effect, weight))
            elif effect == "improves_outcome":
                cues.append(Cue(found.start(), found.end(), "no_effect", weight))
    return sorted(cues, key=lambda cue: (cue.start, cue.end, cue.effect))


def choose_effect(text: str, cues: list[Cue], weigh: Callable[[int], float]) -> str | None:
    """Return the effect with the largest sum of weights; none where it is too small.

    A review names many effects in passing, so that one cue is not enough there.

    Parameters
    ----------
    text
        The text.
    cues
        Its cues.
    weigh
        Factor of a place in the text: title and conclusion count more.
    """
    sums: dict[str, float] = dict.fromkeys(ORDER, 0.0)
    for cue in cues:
        sums[cue.effect] += cue.weight * weigh(cue.start)
    best = max(sums, key=lambda effect: sums[effect])
    least = _LEAST_IN_REVIEW if _REVIEW.search(text) else 1.0
    return best if sums[best] >= least else None
