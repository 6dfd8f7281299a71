"""What the findings of the evidence base say of a strategy, for and against, whoever the patient is.

A finding on response belongs to a strategy where it shares a drug with it (or a class covers the other) and
is about one of its targets; where the strategy has no target, about a process or pathway of its mechanism.

- Where the drug of the finding does not hit the target itself, it is *for* where more of the target (or
  less, where the strategy answers a loss) goes with resistance: that is what the strategy takes away.
- Where the drug of the finding hits the target itself (`drugs.csv`), it is for where more goes with response.
- The opposite, and no effect, are *against*.
- That one of the strategy's drugs restored response is for.
- A regimen of exactly its drugs is for where the outcome was better, else against.

Findings of the strategy's own source are shown but left to its result, unless that is preclinical. One source
counts once a side, with its best level; what is not verified does not count. Regimens are patients treated:
those for it are shown and make no points, as the result of its trial already does; those against it count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from hccresist.explain.knowledge import EvidenceBase
from hccresist.overcome.strategy_score import read_weights
from hccresist.overcome.strategy_table import Strategy

_WHOLE: Final = frozenset({"process", "pathway", "cell_type", "gene_signature", "protein_state"})
_RESTORED: Final = re.compile(r"[;,/]|\bplus\b|\band\b|\+|\badd\b|\bto\b|\bwith\b")
_RANGE: Final = re.compile(r"^([A-Z]+)(\d)-(\d)$")
_BROAD: Final = frozenset({"therapy (class)", "systemic therapy (class)", "targeted therapy (class)"})
"""Labels that pool so much that they say nothing of one drug."""


@dataclass(frozen=True, slots=True, order=True)
class Heard:
    """A finding that counts; whether it is of a regimen, and of the strategy's own source."""

    record_id: str
    source: str
    level: str
    regimen: bool = False
    own: bool = False

    def __str__(self) -> str:
        """Return record and source as one word."""
        return f"{self.record_id} ({self.source})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """Findings for and against a strategy, by record; and how much they weigh."""

    pro: tuple[Heard, ...]
    contra: tuple[Heard, ...]

    @property
    def pro_weight(self) -> float:
        """Return the weight of the independent sources for it, regimens and its own source left out."""
        return weigh_sources(found for found in self.pro if not (found.regimen or found.own))

    @property
    def contra_weight(self) -> float:
        """Return the weight of the independent sources against it, its own source left out."""
        return weigh_sources(found for found in self.contra if not found.own)


def weigh_sources(heard: Iterable[Heard]) -> float:
    """Return the sum over sources of the weight of their best level."""
    weigh = read_weights()
    best: dict[str, float] = {}
    for finding in heard:
        weight = weigh("level", finding.level)
        best[finding.source] = max(weight, best.get(finding.source, 0.0))
    return sum(best[source] for source in sorted(best))


def overlap_drugs(
    one: Iterable[str], two: Iterable[str], classes: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """Return the drugs of the first that the second shares, or that a class label covers on either side.

    Labels such as *systemic therapy* cover everything and are left out.
    """
    others = frozenset(two) - _BROAD
    return frozenset(
        drug
        for drug in one
        if drug in others
        or others & classes.get(drug, frozenset())
        or any(drug in classes.get(other, ()) for other in others)
    )


def gather_support(strategies: Iterable[Strategy], base: EvidenceBase) -> dict[str, Support]:
    """Return what the findings that count say of each strategy, by its key.

    Parameters
    ----------
    strategies
        Strategies.
    base
        Evidence base.
    """
    rows = _read_findings(base)
    return {strategy.strategy_id: _support(strategy, rows, base) for strategy in strategies}


def _read_findings(base: EvidenceBase) -> list[dict[str, Any]]:
    kept = base.findings.select("record_id", "mechanism_id", "entity_type", "evidence_level", "strategy")
    told = base.marks.filter("counted").join(kept, on="record_id", how="left")
    rows = told.sort("record_id").to_dicts()
    for row in rows:
        row["restored_by"] = _read_restored(row["strategy"] or "", base)
    return rows


def _read_restored(text: str, base: EvidenceBase) -> frozenset[str]:
    """Return the drugs that restored response, of the words of a finding."""
    parts = (part.strip() for part in _RESTORED.split(text))
    known = [part for part in parts if part and base.names.knows_drug(part)]
    return frozenset(drug for part in known for drug in base.names.split_drugs(part))


def _support(strategy: Strategy, rows: Iterable[dict[str, Any]], base: EvidenceBase) -> Support:
    pro: list[Heard] = []
    contra: list[Heard] = []
    hit_by = {drug: read_targets(drug, base) for drug in strategy.drugs}
    for row in rows:
        said = _judge(strategy, row, hit_by, base)
        if said is not None:
            own = strategy.outcome != "preclinical" and _same_source(strategy, row["source_id"])
            regimen = str(row["kind"]) == "regimen"
            heard = Heard(row["record_id"], row["source_id"], row["evidence_level"], regimen, own)
            (pro if said else contra).append(heard)
    return Support(pro=tuple(pro), contra=tuple(contra))


def _same_source(strategy: Strategy, source: str) -> bool:
    number = source.partition(":")[2].casefold()
    return bool(number) and number in strategy.source.casefold()


def read_targets(drug: str, base: EvidenceBase) -> frozenset[str]:
    """Return the genes that a drug hits itself, from `drugs.csv`.

    Examples
    --------
    >>> from hccresist.explain.knowledge import read_base
    >>> sorted(read_targets("gefitinib", read_base())), "KDR" in read_targets("lenvatinib", read_base())
    (['EGFR'], True)
    """
    cells = base.drugs.filter(pl.col("drug") == drug)["main_targets"].drop_nulls().to_list()
    words = [word.strip() for cell in cells for word in cell.split(";")]
    names = [name for word in words for name in _spread(word)]
    return frozenset(base.names.gene_of(name) or name for name in names)


def _spread(word: str) -> list[str]:
    """Return the members of a range: VEGFR1-3 is VEGFR1, VEGFR2 and VEGFR3."""
    found = _RANGE.match(word)
    if found is None:
        return [word]
    return [f"{found[1]}{number}" for number in range(int(found[2]), int(found[3]) + 1)]


def _judge(
    strategy: Strategy, row: Mapping[str, Any], hit_by: Mapping[str, frozenset[str]], base: EvidenceBase
) -> bool | None:
    """Return whether a finding is for a strategy or against it; none where it says nothing of it."""
    if row["kind"] == "regimen":
        return _judge_regimen(strategy, row, base)
    shared = overlap_drugs(strategy.drugs, row["drugs"], base.names.classes)
    if row["kind"] != "response" or not shared:
        return None
    if row["restored_by"] & (frozenset(strategy.drugs) - frozenset(row["drugs"])):
        return True
    return _judge_target(strategy, row, frozenset[str]().union(*(hit_by[drug] for drug in shared)))


def _judge_regimen(strategy: Strategy, row: Mapping[str, Any], base: EvidenceBase) -> bool | None:
    added = base.names.split_drugs(row["label"]) if base.names.knows_drug(row["label"]) else ()
    if frozenset((*row["drugs"], *added)) != frozenset(strategy.drugs) or not row["side"]:
        return None
    return str(row["side"]) == "favourable"


def _judge_target(strategy: Strategy, row: Mapping[str, Any], hit: frozenset[str]) -> bool | None:
    named = {row["subject"], *row["members"]}
    target = next((target for target in strategy.targets if target.gene in named), None)
    whole = (
        not strategy.targets and row["entity_type"] in _WHOLE and row["mechanism_id"] in strategy.mechanisms
    )
    if (target is None and not whole) or not row["side"] or row["aspect"] == "change":
        return None
    turned = target is not None and (target.loss or target.gene in hit)
    return str(row["side"]) == ("favourable" if turned else "adverse")
