"""The score of a strategy for a patient, part by part; no failed trial stands above a success.

Clinical evidence comes first (its steps are hundreds), then how strongly what the strategy addresses is on,
then findings for it, findings against it, and the simulated gain: what follows clinical evidence can never
add up to one of its steps. Points and reasons stand in `data/overcome/score.csv`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Final

from hccresist.overcome.strategy_evidence import Support
from hccresist.overcome.strategy_match import Match
from hccresist.overcome.strategy_patients import Situation
from hccresist.overcome.strategy_score import Parts, read_weights
from hccresist.overcome.strategy_states import Tumour
from hccresist.overcome.strategy_table import Strategy

SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
_LEVELS: Final = {
    (SUCCEEDED, "randomised"): "succeeded_randomised",
    (SUCCEEDED, "prospective"): "succeeded_other",
    (SUCCEEDED, "retrospective"): "signal_retrospective",
    ("signal", "randomised"): "signal_prospective",
    ("signal", "prospective"): "signal_prospective",
    ("signal", "retrospective"): "signal_retrospective",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Simulated gain of a strategy over going on as before.

    Attributes
    ----------
    value, low, high
        Gain and its interval.
    measure
        What it is of, with its unit.
    """

    value: float
    low: float
    high: float
    measure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How far the clinical evidence applies to a patient.

    Attributes
    ----------
    factor
        By which its points are multiplied, from 0 to 1.
    reasons
        Why it is not 1, as keys: line_unknown, line_other, after_unknown, after_other, not_selected,
        selection_unknown, not_addressed, address_unknown, aims_at_nothing, all_given, unverified.
    """

    factor: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A strategy with its score; whether what it addresses is on; below which success it was put."""

    strategy: Strategy
    parts: Parts
    found: bool
    below: str = ""

    @property
    def block(self) -> int:
        """Return its place before the score is asked: what addresses what is on, the rest, what failed."""
        return 2 if self.strategy.outcome == FAILED else 0 if self.found else 1


def fit_evidence(strategy: Strategy, situation: Situation, match: Match, *, looked: bool) -> Fit:
    """Return how far the clinical evidence of a strategy applies to a patient.

    Parameters
    ----------
    strategy, situation, match
        Strategy, where the patient stands, and how the strategy meets the tumour.
    looked
        The target could have been seen: something was measured in the tumour.
    """
    weigh = read_weights()
    reasons = {
        **_fit_line(strategy, situation),
        **_fit_drugs(strategy, situation),
        **_fit_tumour(strategy, match, looked=looked),
        **({} if strategy.counted else {"unverified": "unverified"}),
    }
    factor = prod((weigh("factor", name) for name in reasons.values()), start=weigh("factor", "direct"))
    return Fit(factor=round(factor, 3), reasons=tuple(reasons))


def _fit_line(strategy: Strategy, situation: Situation) -> dict[str, str]:
    if situation.next_line is None or strategy.line == "any":
        return {"line_unknown": "unknown"}
    later = situation.next_line > 1
    return {} if (strategy.line == "2L") is later else {"line_other": "indirect"}


def _fit_drugs(strategy: Strategy, situation: Situation) -> dict[str, str]:
    had = set(situation.had)
    if strategy.drugs and set(strategy.drugs) <= had:
        return {"all_given": "not_applicable"}
    if not strategy.after:
        return {}
    if situation.next_line is None:
        return {"after_unknown": "unknown"}
    return {} if strategy.after & situation.covered else {"after_other": "indirect"}


def _fit_tumour(strategy: Strategy, match: Match, *, looked: bool) -> dict[str, str]:
    """Tell whether the tumour is one of those of which the evidence is."""
    if strategy.selected and match.how != "own_target":
        return {"not_selected": "not_applicable"} if looked else {"selection_unknown": "indirect"}
    if match.found > 0:
        return {}
    if not strategy.aims:
        return {"aims_at_nothing": "unknown"}
    return {"not_addressed": "indirect"} if looked else {"address_unknown": "unknown"}


def score_strategy(
    strategy: Strategy, match: Match, support: Support, *, fit: Fit, gain: Gain | None = None
) -> Parts:
    """Return the parts of the score, before the cap.

    Parameters
    ----------
    strategy, match, support
        Strategy, how it meets the tumour, and what findings say of it.
    fit
        How far its clinical evidence applies.
    gain
        Simulated gain; none where it was not simulated.
    """
    weigh = read_weights()
    level = _LEVELS.get((strategy.outcome, strategy.kind), "none")
    against = weigh.saturate("contradiction", "against", support.contra_weight)
    least = max(fit.factor, weigh("factor", "indirect"))  # a failure elsewhere is a failure still
    failed = weigh("contradiction", FAILED) * least if strategy.outcome == FAILED else 0.0
    return Parts(
        clinical=weigh("clinical", level) * fit.factor,
        match=weigh("match", "on") * (match.found - match.resisted),
        preclinical=weigh.saturate("preclinical", "for", support.pro_weight),
        contradiction=against + failed,
        simulated=_score_gain(gain),
    )


def _score_gain(gain: Gain | None) -> float:
    if gain is None or gain.value == 0:
        return 0.0
    clear = gain.low > 0 or gain.high < 0
    points = read_weights()("simulated", "clear" if clear else "slight")
    return points if gain.value > 0 else -points


def could_be_seen(strategy: Strategy, tumour: Tumour | None) -> bool:
    """Return whether what a strategy addresses could have been seen on.

    A mechanism of it was scored, or a target was looked at for alterations. Whether the expression of a
    target was measured is not known from the tables of *explain*, unless it stands out.
    """
    if tumour is None:
        return False
    return bool(strategy.mechanisms & tumour.scored) or any(
        target.gene in tumour.called for target in strategy.targets
    )


def share_line(one: Strategy, other: Strategy) -> bool:
    """Return whether two strategies were tried in the same line; one of any line shares it with all."""
    return one.line == other.line or "any" in {one.line, other.line}


def cap_failures(scored: Sequence[Scored]) -> list[Scored]:
    """Put each strategy whose trial failed below every one that succeeded for the same mechanism and line.

    Successes keep their score; a failure that stands at or above the lowest of those that it is to be held
    against is put below it, and says below which.
    """
    below = read_weights()("cap", "below_success")
    wins = [one for one in scored if one.strategy.outcome == SUCCEEDED]
    found: list[Scored] = []
    for one in scored:
        rivals = [win for win in wins if _is_rival(one.strategy, win.strategy)]
        if one.strategy.outcome != FAILED or not rivals:
            found.append(one)
            continue
        lowest = min(rivals, key=lambda win: (win.parts.score, win.strategy.strategy_id))
        over = one.parts.score - lowest.parts.score
        cap = min(0.0, below - over)
        capped = replace(one, parts=replace(one.parts, cap=cap), below=lowest.strategy.strategy_id)
        found.append(capped if cap < 0 else one)
    return found


def _is_rival(failed: Strategy, won: Strategy) -> bool:
    return bool(failed.mechanisms & won.mechanisms) and share_line(failed, won)


def sort_scored(scored: Iterable[Scored]) -> list[Scored]:
    """Return strategies in their order.

    What addresses something that is on comes first, then the rest, then what failed; within each by score,
    the highest first; equal ones by what became of them, then by key.
    """
    order: Mapping[str, int] = {
        name: at for at, name in enumerate((SUCCEEDED, "signal", "preclinical", "ongoing"))
    }
    return sorted(
        scored,
        key=lambda one: (
            one.block,
            -one.parts.score,
            order.get(one.strategy.outcome, len(order)),
            one.strategy.strategy_id,
        ),
    )
