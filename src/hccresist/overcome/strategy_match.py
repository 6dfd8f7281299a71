"""How a strategy meets a tumour: what it addresses that is on, and what is on that resists its drugs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from hccresist.explain.evidence_tables import LEVELS
from hccresist.explain.knowledge import EvidenceBase
from hccresist.overcome.strategy_evidence import overlap_drugs
from hccresist.overcome.strategy_patients import Situation
from hccresist.overcome.strategy_score import read_weights
from hccresist.overcome.strategy_states import Sign, Speech, Tumour
from hccresist.overcome.strategy_table import Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How a strategy meets a tumour.

    Attributes
    ----------
    found
        Strength of what it addresses and is on, from 0 to 1; 0 where nothing is.
    sign
        The sign that gave it.
    how
        ``own_target``, ``mechanism`` or ``other_gene``; empty where nothing is on.
    aetiology
        ``same``, ``other`` or ``unknown``, where the evidence is of one liver disease; else empty.
    resisted
        Strength of what speaks for resistance to its drugs and is not addressed, from 0 to 1.
    speeches
        Findings that say so, the strongest first.
    contested_by
        Findings that contradict any of them.
    """

    found: float = 0.0
    sign: Sign | None = None
    how: str = ""
    aetiology: str = ""
    resisted: float = 0.0
    speeches: tuple[Speech, ...] = ()
    contested_by: tuple[str, ...] = ()


class Matcher:
    """Holds strategies against tumours; what findings and drugs have in common is looked up once.

    Parameters
    ----------
    base
        Evidence base.
    """

    def __init__(self, base: EvidenceBase) -> None:
        self._base = base
        self._drugs = dict(base.marks.select("record_id", "drugs").iter_rows())
        self._contested = _find_opponents(base)
        self._weights: dict[tuple[str, str, str], float] = {}

    def match(self, strategy: Strategy, tumour: Tumour | None, situation: Situation) -> Match:
        """Return how a strategy meets a tumour; nothing where there is no tumour."""
        if tumour is None:
            return Match()
        weigh = read_weights()
        found, how, sign = max(
            (
                (weigh("strength", how) * sign.strength, how, sign)
                for how, sign in find_signs(strategy, tumour)
            ),
            default=(0.0, "", None),
            key=lambda one: (one[0], one[1] == "own_target", one[2]),
        )
        disease = compare_aetiology(strategy, situation)
        if disease in {"other", "unknown"}:
            found *= weigh("strength", f"{disease}_aetiology")
        resisted, speeches = self._resist(strategy, tumour)
        return Match(
            found=round(found, 3),
            sign=sign,
            how=how,
            aetiology=disease,
            resisted=resisted,
            speeches=speeches,
            contested_by=self._list_opponents(speeches),
        )

    def _resist(self, strategy: Strategy, tumour: Tumour) -> tuple[float, tuple[Speech, ...]]:
        """Return how strongly what is on resists the strategy's drugs, and who says so."""
        told = [
            (round(self._weigh(strategy, speech) * strength, 3), speech)
            for speech in tumour.speeches
            if speech.resists and (strength := tumour.strength_of(speech.feature))
        ]
        ranked = sorted((one for one in told if one[0] > 0), key=_rank_speech)
        return (ranked[0][0] if ranked else 0.0), tuple(speech for _, speech in ranked)

    def _list_opponents(self, speeches: Iterable[Speech]) -> tuple[str, ...]:
        """Return the findings that contradict others, each once."""
        found = {other for speech in speeches for other in self._contested.get(speech.record_id, ())}
        return tuple(sorted(found - {speech.record_id for speech in speeches}))

    def _weigh(self, strategy: Strategy, speech: Speech) -> float:
        """Return the weight of a finding against a strategy, whoever the patient is; 0 where it has none."""
        key = (strategy.strategy_id, speech.record_id, speech.feature)
        if key not in self._weights:
            self._weights[key] = 0.0 if addresses(strategy, speech) else self._weigh_drugs(strategy, speech)
        return self._weights[key]

    def _weigh_drugs(self, strategy: Strategy, speech: Speech) -> float:
        drugs = self._drugs.get(speech.record_id, ())
        shared = overlap_drugs(strategy.drugs, drugs, self._base.names.classes)
        if not shared:
            return 0.0
        weigh = read_weights()
        weight = weigh("level", speech.level)
        if len(shared) < len(strategy.drugs):
            weight *= weigh("strength", "one_of_several")
        if speech.record_id in self._contested:
            weight *= weigh("strength", "contested")
        return weight


def _rank_speech(told: tuple[float, Speech]) -> tuple[float, int, str]:
    """Put the heaviest first, then the better level, then by record."""
    weight, speech = told
    return -weight, LEVELS.index(speech.level), speech.record_id


def _find_opponents(base: EvidenceBase) -> dict[str, frozenset[str]]:
    """Return each finding of a contested claim with the findings that count and contradict it."""
    counted = frozenset(base.marks.filter("counted")["record_id"])
    found: dict[str, frozenset[str]] = {}
    claims = base.claims.filter(pl.col("contested").cast(pl.String) == "yes")
    for row in claims.select("for_records", "against_records", "contested_by").iter_rows(named=True):
        outside = frozenset(row["contested_by"]) & counted
        pro, contra = (frozenset(row[side]) & counted for side in ("for_records", "against_records"))
        found |= dict.fromkeys(row["for_records"], contra | outside)
        found |= dict.fromkeys(row["against_records"], pro | outside)
    return found


def find_signs(strategy: Strategy, tumour: Tumour) -> Iterator[tuple[str, Sign]]:
    """Yield what is on in a tumour and addressed by a strategy, each with how.

    Its own target stands out (`own_target`); a mechanism of it is on (`mechanism`), which is the best there
    is where it has no target; or another gene of its mechanism is altered (`other_gene`).
    """
    targets = {(target.gene, target.loss) for target in strategy.targets}
    best = "mechanism" if targets else "own_target"
    for sign in tumour.signs.values():
        if sign.kind == "sets":
            if sign.name in strategy.mechanisms:
                yield best, sign
        elif (sign.name, sign.loss) in targets:
            yield "own_target", sign
        elif sign.kind == "alteration" and strategy.mechanism_id in sign.mechanisms:
            yield ("other_gene" if targets else best), sign


def addresses(strategy: Strategy, speech: Speech) -> bool:
    """Return whether a strategy aims at what a finding is about."""
    named = speech.feature.partition(" ")[2]
    by_gene = any(target.gene == named for target in strategy.targets)
    return by_gene or speech.mechanism_id in strategy.mechanisms or named in strategy.mechanisms


def compare_aetiology(strategy: Strategy, situation: Situation) -> str:
    """Return same, other or unknown, where the evidence is of one liver disease; else an empty text."""
    if not strategy.aetiology:
        return ""
    if not situation.aetiology:
        return "unknown"
    return "same" if strategy.aetiology in situation.aetiology else "other"
