"""What might overcome it: strategies of the evidence base, ranked for each patient and for the cohort.

A list of published evidence, joined with what is on in each tumour; no advice on the care of a patient. How
the score is made stands in `docs/explanation/strategies.md`, its points in `data/overcome/score.csv`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import polars as pl

from hccresist.explain.knowledge import EvidenceBase, read_base
from hccresist.overcome.model.parameters import read_handles
from hccresist.overcome.strategy_evidence import Support, gather_support
from hccresist.overcome.strategy_match import Match, Matcher
from hccresist.overcome.strategy_patients import (
    Situation,
    find_same_class,
    hold_contraindications,
    read_situations,
)
from hccresist.overcome.strategy_rank import (
    Fit,
    Gain,
    Scored,
    cap_failures,
    could_be_seen,
    fit_evidence,
    score_strategy,
    sort_scored,
)
from hccresist.overcome.strategy_results import NOTHING, Strategies
from hccresist.overcome.strategy_score import Parts, average_parts
from hccresist.overcome.strategy_states import TABLES, Tumour, read_tumours
from hccresist.overcome.strategy_table import CONTRAINDICATIONS, Strategy, read_strategies
from hccresist.overcome.strategy_words import (
    NOTHING_IN_COHORT,
    list_heard,
    tell_against,
    tell_contraindications,
    tell_evidence,
    tell_notes,
    tell_nothing,
    tell_why,
)
from hccresist.study.study import Study

SIMULATED: Final = ("patient_id", "strategy_id", "gain", "low", "high", "measure")
"""Columns of a table of simulated gains; patient_id is empty for the cohort."""

_WORKED: Final = frozenset({"succeeded", "signal", "preclinical"})
Row = dict[str, object]


def explain_skip(tables: Mapping[str, pl.DataFrame]) -> str:
    """Return why strategies cannot be ranked, or an empty text.

    Parameters
    ----------
    tables
        Tables that *explain* made.
    """
    if any(name in tables and tables[name].height for name in TABLES):
        return ""
    return "explain gave no scores, alterations or evidence: nothing is known to be on in a tumour"


def rank_strategies(
    study: Study,
    tables: Mapping[str, pl.DataFrame],
    *,
    base: EvidenceBase | None = None,
    simulated: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Rank the strategies of the evidence base for each patient, and for the cohort.

    Parameters
    ----------
    study
        Checked study: drugs so far, liver reserve, procedures, aetiology.
    tables
        Result tables of *explain* (mechanism_scores, alteration_calls, evidence_matches) and of *assess*
        (resistance, markers); what is not there is unknown.
    base
        Evidence base; that of the package if not given.
    simulated
        Simulated gain of strategies with the columns `SIMULATED`; without a row it is not simulated.

    Returns
    -------
    pl.DataFrame
        Table `strategies`: the cohort first (patient_id empty), then each patient by rank. Listed is what
        addresses something that is on, and what has clinical evidence that applies.
    """
    look = _Look(study, tables, read_base() if base is None else base, simulated)
    patients = [_rank_patient(look, situation) for situation in look.situations.values()]
    rows = [*_rank_cohort(look, patients), *(row for one in patients for row in one.rows)]
    schema = {name: column.dtype for name, column in Strategies.columns().items()}
    made = pl.DataFrame(rows, schema=schema, orient="row")
    return Strategies.validate(made, cast=True)


@dataclass
class _Look:
    """What is looked up once for all patients."""

    study: Study
    tables: Mapping[str, pl.DataFrame]
    base: EvidenceBase
    simulated: pl.DataFrame | None

    @cached_property
    def strategies(self) -> tuple[Strategy, ...]:
        return read_strategies(self.base)

    @cached_property
    def support(self) -> dict[str, Support]:
        return gather_support(self.strategies, self.base)

    @cached_property
    def matcher(self) -> Matcher:
        return Matcher(self.base)

    @cached_property
    def tumours(self) -> dict[str, Tumour]:
        return read_tumours(self.tables)

    @cached_property
    def situations(self) -> dict[str, Situation]:
        return read_situations(self.study, self.tables, self.base)

    @cached_property
    def drug_classes(self) -> dict[str, str]:
        return dict(self.base.drugs.select("drug", "drug_class").iter_rows())

    @cached_property
    def handles(self) -> dict[str, str]:
        """Mechanism to the handles that the virtual patient has of it."""
        found: dict[str, list[str]] = {}
        for handle in read_handles():
            found.setdefault(handle.mechanism_id, []).append(handle.handle)
        return {mechanism: ";".join(names) for mechanism, names in found.items()}

    @cached_property
    def gains(self) -> dict[tuple[str | None, str], Gain]:
        if self.simulated is None:
            return {}
        rows = self.simulated.select(SIMULATED).iter_rows()
        return {(p, s): Gain(value=v, low=low, high=high, measure=m) for p, s, v, low, high, m in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patient:
    """The strategies of a patient: score before the cap and match of each, and the rows of the table."""

    situation: Situation
    measured: bool
    parts: Mapping[str, Parts]
    matches: Mapping[str, Match]
    rows: Sequence[Row]


def _rank_patient(look: _Look, situation: Situation) -> _Patient:
    """Score every strategy for a patient and make the rows of those that are listed."""
    tumour = look.tumours.get(situation.patient_id)
    scored: list[Scored] = []
    fits: dict[str, Fit] = {}
    matches: dict[str, Match] = {}
    for strategy in look.strategies:
        key = strategy.strategy_id
        matches[key] = look.matcher.match(strategy, tumour, situation)
        fits[key] = fit_evidence(strategy, situation, matches[key], looked=could_be_seen(strategy, tumour))
        gain = look.gains.get((situation.patient_id, key))
        parts = score_strategy(strategy, matches[key], look.support[key], fit=fits[key], gain=gain)
        scored.append(Scored(strategy=strategy, parts=parts, found=matches[key].found > 0))
    rows: list[Row] = []
    if tumour is not None:
        kept = [one for one in scored if matches[one.strategy.strategy_id].found or one.parts.clinical]
        rows = [
            _row_of_patient(look, one, situation, fit=fits[key], match=matches[key], rank=rank)
            for rank, one in enumerate(sort_scored(cap_failures(kept)), start=1)
            for key in (one.strategy.strategy_id,)
        ]
    if not any(_is_supported(look, one.strategy, matches) for one in scored):
        rows.insert(
            0, _row_of_nothing(situation.patient_id, tell_nothing(situation, measured=tumour is not None))
        )
    return _Patient(
        situation=situation,
        measured=tumour is not None,
        parts={one.strategy.strategy_id: one.parts for one in scored},
        matches=matches,
        rows=rows,
    )


def _is_supported(look: _Look, strategy: Strategy, matches: Mapping[str, Match]) -> bool:
    """Return whether a strategy addresses what is on, worked, and is verified or backed by a finding."""
    key = strategy.strategy_id
    backed = strategy.counted or bool(look.support[key].pro)
    return matches[key].found > 0 and strategy.outcome in _WORKED and backed


def _rank_cohort(look: _Look, patients: Sequence[_Patient]) -> list[Row]:
    """Make the rows of the cohort: each part is the mean over the patients in whom anything was measured."""
    looked = [one for one in patients if one.measured]
    if not looked:
        return []
    found = {
        s.strategy_id: sum(one.matches[s.strategy_id].found > 0 for one in looked) for s in look.strategies
    }
    scored = [
        Scored(
            strategy=s,
            parts=average_parts(one.parts[s.strategy_id] for one in looked),
            found=found[s.strategy_id] > 0,
        )
        for s in look.strategies
    ]
    kept = [one for one in scored if found[one.strategy.strategy_id] or one.parts.clinical]
    rows: list[Row] = []
    for rank, one in enumerate(sort_scored(cap_failures(kept)), start=1):
        row = _row(look, one, rank=rank)
        n, of = found[one.strategy.strategy_id], len(looked)
        gain = look.gains.get((None, one.strategy.strategy_id))
        row |= _columns_of_gain(gain) | {
            "patient_id": None,
            "addresses": _name_addressed(one.strategy, found=n > 0),
            "patients_found": n,
            "patients_looked": of,
            "why": f"{tell_evidence(one.strategy)} On in {n} of {of} patients; parts are their means.",
            "against": tell_against(one.strategy, Match(), look.support[one.strategy.strategy_id], fit=_ANY),
            "contraindications": _list_codes(one.strategy),
            "notes": tell_notes(one, None, simulated=gain is not None),
        }
        rows.append(row)
    supported = any(_is_supported(look, s, one.matches) for one in looked for s in look.strategies)
    if not supported:
        rows.insert(0, _row_of_nothing(None, NOTHING_IN_COHORT))
    return rows


_ANY: Final = Fit(factor=1.0, reasons=())


def _list_codes(strategy: Strategy) -> str:
    words = [CONTRAINDICATIONS[code] for code in strategy.contraindications if code != "none_stated"]
    return "; ".join(words) or tell_contraindications(strategy, ((), (), ()))


def _row_of_patient(
    look: _Look, one: Scored, situation: Situation, *, fit: Fit, match: Match, rank: int
) -> Row:
    strategy = one.strategy
    support = look.support[strategy.strategy_id]
    gain = look.gains.get((situation.patient_id, strategy.strategy_id))
    held = hold_contraindications(strategy, situation, look.drug_classes)
    return (
        _row(look, one, rank=rank)
        | _columns_of_gain(gain)
        | {
            "patient_id": situation.patient_id,
            "addresses": _name_addressed(strategy, found=match.found > 0),
            "why": tell_why(strategy, match, support, fit=fit),
            "against": tell_against(strategy, match, support, fit=fit),
            "contraindications": tell_contraindications(
                strategy, held, same_class=find_same_class(strategy, situation, look.drug_classes)
            ),
            "notes": tell_notes(one, situation, simulated=gain is not None),
        }
    )


def _name_addressed(strategy: Strategy, *, found: bool) -> str:
    if found:
        return "found"
    return "elsewhere" if strategy.aims else "nothing"


def _row(look: _Look, one: Scored, *, rank: int) -> Row:
    """Return the columns that do not depend on the patient, beside rank and score."""
    strategy = one.strategy
    support = look.support[strategy.strategy_id]
    handles = [look.handles[m] for m in sorted(strategy.mechanisms) if m in look.handles]
    return {
        "rank": rank,
        "strategy_id": strategy.strategy_id,
        "strategy": strategy.name,
        "drugs": ";".join(strategy.drugs),
        "mechanism_id": strategy.mechanism_id,
        "targets": ";".join(map(str, strategy.targets)),
        "score": one.parts.score,
        **one.parts.record(),
        "stage": strategy.stage,
        "outcome": strategy.outcome or None,
        "line": strategy.line,
        "trial_id": strategy.trial_id or None,
        "result": strategy.result,
        "source": strategy.source if strategy.source != "none seen" else strategy.url,
        "counted": strategy.counted,
        "evidence_for": list_heard(support.pro),
        "evidence_against": list_heard(support.contra),
        "handle": ";".join(handles) or None,
    }


def _columns_of_gain(gain: Gain | None) -> Row:
    return {
        "simulated_gain": None if gain is None else gain.value,
        "simulated_gain_low": None if gain is None else gain.low,
        "simulated_gain_high": None if gain is None else gain.high,
        "simulated_measure": None if gain is None else gain.measure,
    }


def _row_of_nothing(patient: str | None, told: str) -> Row:
    texts = ("strategy", "drugs", "mechanism_id", "targets", "stage", "line", "result", "source")
    blanks = ("evidence_for", "evidence_against", "why", "against", "contraindications")
    return {
        "patient_id": patient,
        "rank": 0,
        "strategy_id": NOTHING,
        **dict.fromkeys((*texts, *blanks), ""),
        "notes": told,
    }
