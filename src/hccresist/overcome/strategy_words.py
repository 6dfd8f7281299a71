"""Why a strategy ranks where it does, and what speaks against it, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hccresist.overcome.strategy_evidence import Heard, Support
from hccresist.overcome.strategy_match import Match
from hccresist.overcome.strategy_patients import Situation
from hccresist.overcome.strategy_rank import FAILED, Fit, Scored
from hccresist.overcome.strategy_table import Strategy

RESEARCH: Final = "Research only: a list of published evidence, no advice on the care of a patient."
"""Stands in every row."""

NOTHING_IN_COHORT: Final = (
    f"Nothing supported: in no patient does a strategy of the base that worked address what is on. {RESEARCH}"
)
NOT_SIMULATED: Final = "Not simulated."
MOST_LISTED: Final = 8
"""Findings of one side that are written out; the others are counted."""

_OUTCOMES: Final = {
    "succeeded": "met its primary aim",
    "failed": "missed its primary aim",
    "signal": "showed activity without a randomised control",
    "preclinical": "worked in the laboratory; no patient was treated so in this source",
    "ongoing": "has no result in the base",
    "withdrawn": "was withdrawn",
    "": "has no outcome recorded",
}
_LINES: Final = {"1L": "first line", "2L": "a later line", "any": "no line of its own"}
_FITS: Final = {
    "line_unknown": "line not known on one side",
    "line_other": "tried in another line",
    "after_unknown": "drugs so far are not recorded",
    "after_other": "tried after another drug",
    "not_selected": "its study chose patients by a finding that does not stand out here",
    "selection_unknown": "its study chose patients by a finding that was not looked at here",
    "not_addressed": "nothing that it addresses is on here",
    "address_unknown": "whether what it addresses is on was not looked at",
    "aims_at_nothing": "it aims at nothing in the tumour, so it is of patients in general",
    "all_given": "all of its drugs were given before",
    "unverified": "result not verified in its source",
}
_HOW: Final = {
    "own_target": "Addresses what is on: {}.",
    "mechanism": "Its mechanism is on: {}; none of its targets ({}) is known to stand out.",
    "other_gene": "Another gene of its mechanism is altered: {}; none of its targets ({}) is.",
}
_DISEASES: Final = {
    "same": "The evidence is of {}, as in this patient.",
    "other": "The evidence is of {}; this patient has another liver disease.",
    "unknown": "The evidence is of {}; the liver disease of this patient is not recorded.",
}


def tell_why(strategy: Strategy, match: Match, support: Support, *, fit: Fit) -> str:
    """Return why a strategy ranks where it does."""
    parts = [tell_evidence(strategy), _tell_fit(strategy, fit), _tell_match(strategy, match)]
    if match.aetiology and match.found:
        parts.append(_DISEASES[match.aetiology].format(strategy.aetiology.upper()))
    parts.append(_tell_support(support))
    return " ".join(part for part in parts if part)


def tell_evidence(strategy: Strategy) -> str:
    """Return how far a strategy was tried, and what became of it."""
    trial = f", {strategy.trial_id}" if strategy.trial_id else ""
    aim = f"; aim: {strategy.primary_aim}" if strategy.primary_aim and strategy.kind != "preclinical" else ""
    return f"{_capital(strategy.stage)}{trial}, {_LINES[strategy.line]}: {_OUTCOMES[strategy.outcome]}{aim}."


def _tell_fit(strategy: Strategy, fit: Fit) -> str:
    if strategy.outcome in {"preclinical", "ongoing", "withdrawn", ""} or not fit.reasons:
        return ""
    reasons = ", ".join(_FITS[reason] for reason in fit.reasons)
    return f"Counts {fit.factor:g} of its weight: {reasons}."


def _tell_match(strategy: Strategy, match: Match) -> str:
    """Return what is on and addressed; where nothing is, the factor says so."""
    if match.sign is None:
        return ""
    targets = ", ".join(map(str, strategy.targets))
    return _HOW[match.how].format(match.sign.words, targets)


def _tell_support(support: Support) -> str:
    told = [found for found in support.pro if not found.own]
    if not told:
        return ""
    sources = len({found.source for found in told})
    return f"{_count(len(told), 'finding')} for it ({_count(sources, 'source')})."


def tell_against(strategy: Strategy, match: Match, support: Support, *, fit: Fit) -> str:
    """Return what speaks against a strategy; empty where the base and the tumour say nothing."""
    parts: list[str] = []
    if strategy.outcome == FAILED:
        chosen = (
            ""
            if strategy.selected or not strategy.targets
            else " That patients were chosen by its target is not recorded."
        )
        parts.append(f"Its trial missed its primary aim: {strategy.result}.{chosen}")
    if match.speeches:
        parts.append(_tell_speeches(match))
    if support.contra:
        sources = len({found.source for found in support.contra})
        parts.append(f"{_count(len(support.contra), 'finding')} against it ({_count(sources, 'source')}).")
    if "all_given" in fit.reasons:
        parts.append("All of its drugs were given before.")
    return " ".join(parts)


def _tell_speeches(match: Match) -> str:
    first = match.speeches[0]
    where = f"{first.record_id} ({first.source})"
    told = f"What is on here ({first.feature}) goes with resistance to {first.drug}: {where}"
    others = list(dict.fromkeys(s.record_id for s in match.speeches if s.record_id != first.record_id))
    if others:
        told += f"; so do {list_short(others)}"
    contested = f" Contested by {list_short(match.contested_by)}." if match.contested_by else ""
    return f"{told}.{contested}"


def list_heard(heard: Sequence[Heard]) -> str:
    """Return findings as a cell; those beyond the most that are listed are counted."""
    return list_short([str(found) for found in heard], between="; ")


def list_short(words: Sequence[str], *, between: str = ", ") -> str:
    """Return the first words of a list, and how many more there are.

    Examples
    --------
    >>> list_short(["a", "b"]), list_short([str(n) for n in range(10)])
    ('a, b', '0, 1, 2, 3, 4, 5, 6, 7 and 2 more')
    """
    more = len(words) - MOST_LISTED
    return between.join(words[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def tell_contraindications(
    strategy: Strategy,
    held: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]],
    *,
    same_class: Sequence[str] = (),
) -> str:
    """Return the contraindications of a strategy as held against a patient.

    Parameters
    ----------
    strategy
        Strategy.
    held
        What `hold_contraindications` returned: present, absent and unknown.
    same_class
        Earlier drugs of the class of one of its drugs.
    """
    words = ("Present", "Not present", "Not known")
    parts = [f"{name}: {'; '.join(found)}." for name, found in zip(words, held, strict=True) if found]
    if strategy.contraindications == ("none_stated",):
        parts.append("The source that was read states none.")
    if same_class and "prior_same_class" not in strategy.contraindications:
        parts.append(f"Given before, of the same class: {'; '.join(same_class)}.")
    if not strategy.contraindications:
        parts.append("None is recorded in the base, which does not mean that there is none.")
    return " ".join(parts)


def tell_notes(scored: Scored, situation: Situation | None, *, simulated: bool) -> str:
    """Return what else must be known of a row."""
    strategy = scored.strategy
    parts: list[str] = []
    if scored.below:
        parts.append(f"Put below {scored.below}, which succeeded for the same mechanism in the same line.")
    if not strategy.counted:
        parts.append("The result is unverified.")
    if strategy.outcome == "ongoing":
        parts.append("Known trial without a result in the base.")
    if situation is not None and situation.resistance.startswith(("no resistance", "not evaluable")):
        parts.append(f"Index line: {situation.resistance}.")
    if not simulated:
        parts.append(NOT_SIMULATED)
    return " ".join((*parts, RESEARCH))


def tell_nothing(situation: Situation, *, measured: bool) -> str:
    """Return the sentence of the row that nothing is supported."""
    if not measured:
        return f"Nothing was measured in a tumour of this patient: no strategy can be matched. {RESEARCH}"
    had = f" Drugs so far: {', '.join(situation.had)}." if situation.had else ""
    return (
        "Nothing supported: no strategy that worked, in a trial or in the laboratory, by a verified source "
        f"or a finding that counts, addresses what is on in this tumour.{had} {RESEARCH}"
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
