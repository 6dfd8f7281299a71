"""iRECIST: what only a state machine can say.

Seymour 2017, doi:10.1016/S1470-2045(17)30074-8, PMID 28271869. Progression is first unconfirmed
(iUPD) and opens a *block*; at the next visits it is confirmed (iCPD), stays as it is, or the bar is
reset. `docs/explanation/response-engine.md`, step 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hccresist.assess import words as w
from hccresist.assess.criteria import Criterion
from hccresist.assess.measure import Measures
from hccresist.assess.response import (
    Responses,
    Situation,
    State,
    advance,
    explain,
    is_progression,
    nontarget_response,
    overall_response,
    situation,
    target_response,
)
from hccresist.assess.rules import Rule
from hccresist.assess.steps import Steps
from hccresist.assess.visits import Bools, Floats, Ints, Scans
from hccresist.assess.words import Codes
from hccresist.study.policies import Policies

FURTHER_GROWTH_UM: Final = 5_000
"""Further growth that confirms progression of targets or of new targets."""
RANK: Final = np.array([9, 0, 1, 2, 3, 3, 5, 4, 5, 5], dtype=np.int8)
"""Order of component responses, best first, by code."""


@dataclass(slots=True, kw_only=True)
class Block:
    """The open block of unconfirmed progression of each series; shape (n_series,).

    Attributes
    ----------
    pending, confirmed
        A block is open; progression was confirmed.
    day
        Day of the block's first iUPD.
    by_target, by_nontarget, by_new
        Categories that progressed in the block.
    sum, new_sum, new_count
        Target sum, new-target sum and number of new lesions when their category first progressed.
    standing
        Rank of the component response at the block's first visit.
    known_new, lowest_new
        New lesions already accounted for, and the smallest new-target sum since they last progressed.
    """

    pending: Bools
    confirmed: Bools
    day: Floats
    by_target: Bools
    by_nontarget: Bools
    by_new: Bools
    sum: Ints
    new_sum: Ints
    new_count: Ints
    standing: Codes
    known_new: Ints
    lowest_new: Ints

    @classmethod
    def closed(cls, n: int) -> Block:
        """Return blocks of which none is open."""

        def no() -> Bools:
            return np.zeros(n, np.bool_)

        def minus() -> Ints:
            return np.full(n, -1, np.int64)

        return cls(
            pending=no(),
            confirmed=no(),
            day=np.full(n, np.nan),
            by_target=no(),
            by_nontarget=no(),
            by_new=no(),
            sum=minus(),
            new_sum=minus(),
            new_count=minus(),
            standing=np.zeros(n, np.int8),
            known_new=np.zeros(n, np.int64),
            lowest_new=minus(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one visit of each series shows.

    Attributes
    ----------
    target, nontarget, new
        The category progresses by itself: A, B and C of step 9.
    new_growth
        New lesions progress by more than the flag of the visit.
    further_target, further_nontarget, further_new
        It grew further than in the open block.
    """

    target: Bools
    nontarget: Bools
    new: Bools
    new_growth: Bools
    further_target: Bools
    further_nontarget: Bools
    further_new: Bools


def respond_irecist(
    measures: Measures, scans: Scans, *, steps: Steps, criterion: Criterion, policies: Policies
) -> Responses:
    """Return the iRECIST response of every visit."""
    result = Responses.empty(scans.n_visits)
    state = State.start(measures)
    block = Block.closed(scans.series.height)
    for series, visit in steps:
        target, target_rule = target_response(
            measures, scans, state, series=series, visit=visit, criterion=criterion, policies=policies
        )
        nontarget, nt_rule = nontarget_response(
            measures, scans, state, series=series, visit=visit, policies=policies
        )
        persisting = measures.new_seen[visit]
        here = situation(measures, scans, series=series, visit=visit)
        free = _without_pending(target, nontarget, persisting, here, (target_rule, nt_rule))
        seen = look(
            measures,
            scans,
            block,
            series=series,
            visit=visit,
            target=target,
            nontarget=nontarget,
            criterion=criterion,
        )
        standing = RANK[np.where(target == w.NONE, nontarget, target)]
        overall, rule, by_sum, late = decide(
            block,
            seen,
            series=series,
            day=scans.visit_last[visit],
            standing=standing,
            persisting=persisting,
            free=free,
            component_rules=(target_rule, nt_rule),
            policies=policies,
        )
        remember(
            block,
            seen,
            measures,
            series=series,
            visit=visit,
            overall=overall,
            day=scans.visit_last[visit],
            standing=standing,
        )
        result.target[visit] = target
        result.nontarget[visit] = nontarget
        result.overall[visit], result.rule[visit] = overall, rule
        result.new_lesion[visit] = persisting
        result.by_sum[visit], result.late[visit] = by_sum, late
        result.nadir[visit], result.nadir_visit[visit] = state.nadir[series], state.nadir_visit[series]
        result.pending_day[visit] = block.day[series]
        advance(
            state, measures, series=series, visit=visit, target=target, overall=overall, policies=policies
        )
        state.responded[series] &= overall != w.UPD
    return result


def _without_pending(
    target: Codes, nontarget: Codes, persisting: Bools, here: Situation, rules: tuple[Codes, Codes]
) -> tuple[Codes, Codes]:
    """Return response and rule as if nothing were pending; with a persisting new lesion iCR becomes iPR."""
    quiet = np.zeros(len(target), np.bool_)
    response, rule = overall_response(target, nontarget, new=quiet, at=here)
    response = np.where((response == w.CR) & persisting, w.PR, response).astype(np.int8)
    return response, explain(rule, *rules)


def look(
    measures: Measures,
    scans: Scans,
    block: Block,
    *,
    series: Ints,
    visit: Ints,
    target: Codes,
    nontarget: Codes,
    criterion: Criterion,
) -> Seen:
    """Return what one visit of each series shows."""
    total, new_sum, count = measures.sum[visit], measures.new_sum[visit], measures.new_count[visit]
    evaluated = measures.n_evaluated[visit] > 0
    lowest = block.lowest_new[series]
    regrown = is_progression(new_sum, lowest, percent=criterion.progression_percent, floor=criterion.floor_um)
    more = count > block.known_new[series]
    worse = measures.new_worsened[visit]
    start = block.new_sum[series]
    larger = (new_sum >= 0) & (start >= 0) & (new_sum - start >= FURTHER_GROWTH_UM)
    return Seen(
        target=target == w.PD,
        nontarget=nontarget == w.PD,
        new=scans.flags.new_lesion[visit] | more | regrown | worse,
        new_growth=more | regrown | worse,
        further_target=evaluated
        & (total - block.sum[series] >= FURTHER_GROWTH_UM)
        & (block.sum[series] >= 0),
        further_nontarget=measures.nt_worsened[visit],
        further_new=larger | (count > block.new_count[series]) | worse,
    )


def decide(
    block: Block,
    seen: Seen,
    *,
    series: Ints,
    day: Floats,
    standing: Codes,
    persisting: Bools,
    free: tuple[Codes, Codes],
    component_rules: tuple[Codes, Codes],
    policies: Policies,
) -> tuple[Codes, Codes, Bools, Bools]:
    """Return overall response, rule, whether it rests on sum or non-targets, and late confirmation.

    Parameters
    ----------
    block, seen
        The open block of each series, and what this visit shows.
    series, day
        Series and days of the visits.
    standing
        Rank of the component response at this visit.
    persisting
        A counting new lesion is seen.
    free
        Response and rule that would hold without pending progression.
    component_rules
        Rules of target and non-target response.
    policies
        `irecist_min_days`, `irecist_warn_days`.
    """
    pending, confirmed = block.pending[series], block.confirmed[series]
    since = np.where(pending, day - block.day[series], 0.0)
    by_target, by_nontarget, by_new = (
        block.by_target[series],
        block.by_nontarget[series],
        block.by_new[series],
    )
    further = [
        (by_target & seen.further_target, Rule.CPD_TARGET),
        (by_nontarget & seen.further_nontarget, Rule.CPD_NONTARGET),
        (by_new & seen.further_new, Rule.CPD_NEW_LESION),
        (
            (seen.target & ~by_target) | (seen.nontarget & ~by_nontarget) | (seen.new & ~by_new),
            Rule.CPD_OTHER_CATEGORY,
        ),
    ]
    any_further = np.logical_or.reduce([condition for condition, _ in further])
    ripe = pending & (since >= policies.irecist_min_days)
    early = pending & ~ripe & any_further
    progresses = seen.target | seen.nontarget | seen.new
    free_response, free_rule = free
    stuck = pending & persisting & (standing >= block.standing[series])
    conditions: list[Bools] = [
        confirmed,
        *(ripe & condition for condition, _ in further),
        pending & (seen.target | seen.nontarget | seen.new_growth | early),
        pending & (free_response == w.NE),
        stuck,
        ~pending & seen.target,
        ~pending & seen.nontarget,
        ~pending & progresses,
    ]
    response = np.array([w.CPD, *[w.CPD] * 4, w.UPD, w.NE, w.UPD, w.UPD, w.UPD, w.UPD, w.NONE], dtype=np.int8)
    fixed = np.array(
        [
            Rule.AFTER_CPD,
            *(rule for _, rule in further),
            Rule.UPD_UNCONFIRMED,
            Rule.NOT_EVALUABLE,
            Rule.UPD_NEW_LESION_STAYS,
            Rule.PD_SUM,
            Rule.PD_NONTARGET,
            Rule.PD_NEW_LESION,
            Rule.SD,
        ],
        dtype=np.int8,
    )
    pick = np.select(conditions, list(range(len(conditions))), default=len(conditions))
    undecided = pick == len(conditions)
    overall = np.where(undecided, free_response, response[pick]).astype(np.int8)
    target_rule, nt_rule = component_rules
    rule = np.select(
        [undecided, pick == 8, pick == 9, pick == 6],
        [free_rule, target_rule, nt_rule, free_rule],
        fixed[pick],
    ).astype(np.int8)
    opened_by_new = ~pending & seen.new
    late = ripe & (since > policies.irecist_warn_days) & (overall == w.CPD) & ~confirmed
    return overall, rule, ~opened_by_new, late


def remember(
    block: Block,
    seen: Seen,
    measures: Measures,
    *,
    series: Ints,
    visit: Ints,
    overall: Codes,
    day: Floats,
    standing: Codes,
) -> None:
    """Open, extend or close the block of each series after this visit."""
    progresses = overall == w.UPD
    opens = progresses & ~block.pending[series]
    fresh = series[opens]
    block.day[fresh], block.standing[fresh] = day[opens], standing[opens]
    for flag in (block.by_target, block.by_nontarget, block.by_new):
        flag[fresh] = False
    first_target = progresses & seen.target & ~block.by_target[series]
    total = np.where(measures.n_evaluated[visit] > 0, measures.sum[visit], -1)
    block.sum[series[first_target]] = total[first_target]
    first_new = progresses & seen.new & ~block.by_new[series]
    block.new_sum[series[first_new]] = measures.new_sum[visit[first_new]]
    block.new_count[series[first_new]] = measures.new_count[visit[first_new]]
    block.by_target[series] |= progresses & seen.target
    block.by_nontarget[series] |= progresses & seen.nontarget
    block.by_new[series] |= progresses & seen.new
    new_sum = measures.new_sum[visit]
    lowest = block.lowest_new[series]
    smaller = (new_sum >= 0) & ((lowest < 0) | (new_sum < lowest) | seen.new)
    block.lowest_new[series] = np.where(smaller, new_sum, lowest)
    block.known_new[series] = np.maximum(block.known_new[series], measures.new_count[visit])
    block.confirmed[series] |= overall == w.CPD
    block.pending[series] = progresses | (block.pending[series] & (overall == w.NE))
    block.day[series[~block.pending[series] & ~block.confirmed[series]]] = np.nan
