"""The one engine: target, non-target and overall response of every visit, for all patients at once.

Patients advance together, one visit at a time: at step *k* the arrays hold the k-th follow-up visit
of every series that has one. Each clinical rule is a small function of such arrays.
`docs/explanation/response-engine.md`, steps 5 to 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hccresist.assess import words as w
from hccresist.assess.criteria import Criterion, Judge, progression_floor
from hccresist.assess.measure import Measures
from hccresist.assess.rules import Rule
from hccresist.assess.steps import Steps
from hccresist.assess.visits import OVERRIDES, Bools, Floats, Ints, Scans
from hccresist.assess.words import Codes
from hccresist.study import codes
from hccresist.study.policies import Policies

OVERRIDE_CODES = np.array([w.parse_word(word) for word in OVERRIDES] + [w.NONE], dtype=np.int8)
NONTARGET_CODES = np.array(
    [w.NONE if word == "NONE" else w.parse_word(word) for word in codes.NONTARGET] + [w.NONE], dtype=np.int8
)

OF_TARGET: Final = -1
OF_NONTARGET: Final = -2
"""Stand-ins for the rule of a component, until `explain` puts it in."""


@dataclass(slots=True, kw_only=True)
class Responses:
    """Response of every visit; entries of visits that are not follow-up stay `NONE`.

    Attributes
    ----------
    target, nontarget, overall
        Response codes.
    new_lesion
        A new lesion counts.
    nadir, nadir_visit
        Nadir before the visit in the engine's units, and the visit that holds it; −1 without.
    rule
        `Rule` that decided.
    by_sum
        Progression rests on the sum or the non-targets, not on a new lesion.
    pending_day, late
        iRECIST: day of the first iUPD of the block; the confirmation came late.
    """

    target: Codes
    nontarget: Codes
    overall: Codes
    new_lesion: Bools
    nadir: Ints
    nadir_visit: Ints
    rule: Codes
    by_sum: Bools
    pending_day: Floats
    late: Bools

    @classmethod
    def empty(cls, n: int) -> Responses:
        """Return arrays of length `n` with nothing decided."""
        return cls(
            target=np.zeros(n, np.int8),
            nontarget=np.zeros(n, np.int8),
            overall=np.zeros(n, np.int8),
            new_lesion=np.zeros(n, np.bool_),
            nadir=np.full(n, -1, np.int64),
            nadir_visit=np.full(n, -1, np.int64),
            rule=np.zeros(n, np.int8),
            by_sum=np.zeros(n, np.bool_),
            pending_day=np.full(n, np.nan),
            late=np.zeros(n, np.bool_),
        )


@dataclass(slots=True, kw_only=True)
class State:
    """What a series carries from visit to visit; shape (n_series,).

    Attributes
    ----------
    baseline, nadir, nadir_visit
        Sums in the engine's units, and the visit of the nadir; −1 without.
    responded
        PR or CR stood at an earlier visit, with no progression of targets since.
    complete
        Overall response at the last visit other than NE was CR.
    companion
        What the criterion looks at beside the sum, at baseline; NaN without.
    followed
        A sum after baseline has entered the nadir.
    """

    baseline: Ints
    nadir: Ints
    responded: Bools
    complete: Bools
    followed: Bools
    companion: Floats
    nadir_visit: Ints

    @classmethod
    def start(cls, measures: Measures) -> State:
        """Return the state at baseline."""
        has = (measures.baseline >= 0) & (measures.n_targets > 0)
        base = np.full(len(has), -1, dtype=np.int64)
        base[has] = measures.sum[measures.baseline[has]]
        companion = np.full(len(has), np.nan)
        companion[has] = measures.companion[measures.baseline[has]]
        return cls(
            baseline=base,
            nadir=base.copy(),
            responded=np.zeros(len(has), np.bool_),
            complete=np.zeros(len(has), np.bool_),
            followed=np.zeros(len(has), np.bool_),
            companion=companion,
            nadir_visit=measures.baseline.copy(),
        )


def respond(
    measures: Measures, scans: Scans, *, steps: Steps, criterion: Criterion, policies: Policies
) -> Responses:
    """Return the response of every visit for a criterion in which a new lesion is progression."""
    result = Responses.empty(scans.n_visits)
    state = State.start(measures)
    for series, visit in steps:
        target, target_rule = target_response(
            measures, scans, state, series=series, visit=visit, criterion=criterion, policies=policies
        )
        nontarget, nt_rule = nontarget_response(
            measures, scans, state, series=series, visit=visit, policies=policies
        )
        new = measures.new_seen[visit]
        overall, rule = overall_response(
            target, nontarget, new=new, at=situation(measures, scans, series=series, visit=visit)
        )
        rule = explain(rule, target_rule, nt_rule)
        result.target[visit], result.nontarget[visit], result.overall[visit] = target, nontarget, overall
        result.new_lesion[visit], result.rule[visit] = new, rule
        result.by_sum[visit] = ~new
        result.nadir[visit], result.nadir_visit[visit] = state.nadir[series], state.nadir_visit[series]
        advance(
            state, measures, series=series, visit=visit, target=target, overall=overall, policies=policies
        )
    return result


def target_response(
    measures: Measures,
    scans: Scans,
    state: State,
    *,
    series: Ints,
    visit: Ints,
    criterion: Criterion,
    policies: Policies,
) -> tuple[Codes, Codes]:
    """Return target response and deciding rule of one visit of each series.

    In this order: recorded by the reader; CR; PD by the sum; PD by reappearance; PD from a nadir of 0,
    where policy says so; NE; PR; continuing PR; SD. RECIST 1.1, doi:10.1016/j.ejca.2008.10.026, section 4.3.
    """
    n, seen = measures.n_targets[series], measures.n_evaluated[visit]
    full = seen == n
    gone = full & ~measures.extant[visit] & ~measures.large_node[visit]
    partial = policies.pd_on_partial_sum and criterion.judge is not Judge.NECROSIS
    judged = full | (partial & (seen > 0))
    grown, small = judge_targets(
        measures, state, series=series, visit=visit, criterion=criterion, policies=policies
    )
    grown &= judged
    from_zero = grown & (state.nadir[series] == 0) & (criterion.judge is not Judge.NECROSIS)
    grown &= ~from_zero
    back = has_returned(measures, state, series=series, visit=visit, criterion=criterion, policies=policies)
    lasting = state.responded[series] & (policies.continuing_pr and criterion.continuing_pr)
    override = OVERRIDE_CODES[scans.flags.target_override[visit]]
    choices: list[tuple[Bools, int, int]] = [
        (override != w.NONE, -1, Rule.OVERRIDE),
        (n == 0, w.NONE, Rule.NO_DISEASE),
        (gone, w.CR, Rule.CR),
        (grown, w.PD, Rule.PD_SUM),
        (back, w.PD, Rule.PD_RETURN),
        (from_zero, w.PD, Rule.PD_FROM_ZERO),
        (~full, w.NE, Rule.NOT_EVALUABLE),
        (small, w.PR, Rule.PR),
        (lasting, w.PR, Rule.PR_CONTINUING),
    ]
    response, rule = choose(choices, default=(w.SD, Rule.SD))
    return np.where(override != w.NONE, override, response), rule


def judge_targets(
    measures: Measures,
    state: State,
    *,
    series: Ints,
    visit: Ints,
    criterion: Criterion,
    policies: Policies,
) -> tuple[Bools, Bools]:
    """Return whether the targets have grown to progression, and whether they have shrunk to response.

    By the sum alone; by size or attenuation (Choi 2007, doi:10.1200/JCO.2006.07.3049: −10 % of size or
    −15 % of attenuation, modified: both; growth counts where attenuation does not respond); or by
    viable share for response and whole area for progression (RECICL).
    """
    total, base, nadir = measures.sum[visit], state.baseline[series], state.nadir[series]
    small = is_response(total, base, percent=criterion.response_percent)
    grown = is_progression(
        total,
        nadir,
        percent=criterion.progression_percent,
        floor=progression_floor(criterion, policies),
        above=criterion.above,
        from_zero=policies.nadir_zero == "progression",
    )
    if criterion.judge is Judge.SUM:
        return grown, small
    now, before = measures.companion[visit], state.companion[series]
    if criterion.judge is Judge.NECROSIS:
        return (before > 0) & (100 * now > criterion.progression_percent * before), small
    paler = (before > 0) & is_paler(now, before)
    return grown & ~paler, small & paler if criterion.judge is Judge.MODIFIED_CHOI else small | paler


def is_paler(now: Floats, before: Floats) -> Bools:
    """Return whether mean attenuation fell by 15 % or more; exactly 15 % counts, whatever the rounding."""
    return now - 0.85 * before <= 1e-9 * np.abs(before)


def is_progression(
    total: Ints, nadir: Ints, *, percent: int, floor: int, above: bool = False, from_zero: bool = False
) -> Bools:
    """Return whether sums reach (or, with `above`, pass) `percent` of the nadir and lie `floor` above it.

    Whole micrometres, so 27.0 → 32.4 mm is exactly +20 %. For a nadir of 0, which has no percentage, never
    true, or with `from_zero` for any sum above 0 that reaches the floor.

    Examples
    --------
    >>> is_progression(np.array([32_400]), np.array([27_000]), percent=120, floor=5_000)
    array([ True])
    """
    reached = 100 * total > percent * nadir if above else 100 * total >= percent * nadir
    judged = (nadir > 0) | ((nadir == 0) & (total > 0) & from_zero)
    return judged & reached & (total - nadir >= floor)


def is_response(total: Ints, baseline: Ints, *, percent: int) -> Bools:
    """Return whether sums are at or below `percent` of the baseline.

    Examples
    --------
    >>> is_response(np.array([9_800]), np.array([14_000]), percent=70)
    array([ True])
    """
    return (baseline > 0) & (100 * total <= percent * baseline)


def has_returned(
    measures: Measures, state: State, *, series: Ints, visit: Ints, criterion: Criterion, policies: Policies
) -> Bools:
    """Return whether a non-nodal target that had vanished is back, where policy makes that progression.

    RECIST working group, recist.eortc.org, on reappearing lesions.
    """
    if policies.reappearance_rule == "always" or criterion.return_is_progression:
        return measures.returned[visit] | (measures.extant[visit] & state.complete[series])
    if policies.reappearance_rule == "after_cr":
        return measures.extant[visit] & state.complete[series]
    return np.zeros(len(visit), dtype=np.bool_)


def nontarget_response(
    measures: Measures, scans: Scans, state: State, *, series: Ints, visit: Ints, policies: Policies
) -> tuple[Codes, Codes]:
    """Return non-target response and deciding rule of one visit of each series.

    RECIST 1.1, doi:10.1016/j.ejca.2008.10.026, section 4.3.3; tumour markers that are not normal forbid CR.
    """
    n = measures.n_nontargets[series]
    recorded = scans.flags.nontarget[visit]
    word = NONTARGET_CODES[recorded]
    back = state.complete[series] & measures.nt_extant[visit] & (policies.reappearance_rule != "never")
    gone = (measures.nt_gone[visit] == n) & ~scans.flags.markers_abnormal[visit]
    response, rule = choose(
        [
            (measures.nt_progressed[visit] & (n > 0), w.PD, Rule.PD_NONTARGET),
            ((n == 0) | (measures.baseline[series] < 0), w.NONE, Rule.NO_DISEASE),
            (back, w.PD, Rule.PD_NONTARGET_RETURN),
            (measures.nt_evaluated[visit] < n, w.NE, Rule.NONTARGET_NE),
            (gone, w.CR, Rule.NONTARGET_CR),
        ],
        default=(w.NON, Rule.NONTARGET_LEFT),
    )
    told = recorded >= 0
    recorded_rule = choose(
        [
            (word == w.PD, 0, Rule.PD_NONTARGET),
            (word == w.CR, 0, Rule.NONTARGET_CR),
            (word == w.NE, 0, Rule.NONTARGET_NE),
            (word == w.NONE, 0, Rule.NO_DISEASE),
        ],
        default=(0, Rule.NONTARGET_LEFT),
    )[1]
    return np.where(told, word, response), np.where(told, recorded_rule, rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What else the overall response depends on: a baseline, disease then, abnormal markers now."""

    known: Bools
    diseased: Bools
    markers_abnormal: Bools


def situation(measures: Measures, scans: Scans, *, series: Ints, visit: Ints) -> Situation:
    """Return the situation of one visit of each series."""
    return Situation(
        known=measures.baseline[series] >= 0,
        diseased=measures.diseased[series],
        markers_abnormal=scans.flags.markers_abnormal[visit],
    )


def overall_response(target: Codes, nontarget: Codes, *, new: Bools, at: Situation) -> tuple[Codes, Codes]:
    """Return overall response and what decided it: the RECIST 1.1 table of timepoint responses.

    Parameters
    ----------
    target, nontarget
        Component responses.
    new
        A new lesion counts.
    at
        Baseline and markers.

    Returns
    -------
    tuple
        Codes, and rules; `OF_TARGET` and `OF_NONTARGET` say that a component decided (see `explain`).
    """
    clear = ((nontarget == w.CR) | (nontarget == w.NONE)) & ~at.markers_abnormal
    no_target = target == w.NONE
    return choose(
        [
            (target == w.PD, w.PD, OF_TARGET),
            (nontarget == w.PD, w.PD, OF_NONTARGET),
            (new, w.PD, Rule.PD_NEW_LESION),
            (~at.known, w.NE, Rule.NO_BASELINE),
            (no_target & (nontarget == w.NONE) & at.diseased, w.NE, Rule.NOT_MEASURABLE),
            (no_target & (nontarget == w.NONE), w.NED, Rule.NO_DISEASE),
            (no_target & (nontarget == w.CR), w.CR, OF_NONTARGET),
            (no_target & (nontarget == w.NE), w.NE, OF_NONTARGET),
            (no_target, w.NON, OF_NONTARGET),
            (target == w.NE, w.NE, OF_TARGET),
            ((target == w.CR) & clear, w.CR, OF_TARGET),
            (target == w.CR, w.PR, Rule.CR_NONTARGET_LEFT),
            (target == w.PR, w.PR, OF_TARGET),
        ],
        default=(w.SD, OF_TARGET),
    )


def explain(rule: Codes, target_rule: Codes, nontarget_rule: Codes) -> Codes:
    """Return the deciding rules with those of the components put where they decided."""
    rule = np.where(rule == OF_TARGET, target_rule, rule)
    return np.where(rule == OF_NONTARGET, nontarget_rule, rule).astype(np.int8)


def advance(
    state: State,
    measures: Measures,
    *,
    series: Ints,
    visit: Ints,
    target: Codes,
    overall: Codes,
    policies: Policies,
) -> None:
    """Carry nadir, response and completeness over to the next visit."""
    total = measures.sum[visit]
    full = (measures.n_evaluated[visit] == measures.n_targets[series]) & (measures.n_targets[series] > 0)
    usable = full | ((measures.n_evaluated[visit] > 0) & policies.ne_updates_nadir)
    old = state.nadir[series]
    if not policies.nadir_includes_baseline:
        untouched = ~state.followed[series]
        old = np.where(untouched & usable, total, old)
        state.followed[series] |= usable
    state.nadir[series] = np.where(usable, np.minimum(old, total), old)
    lower = usable & (total <= old) & (old >= 0)
    state.nadir_visit[series] = np.where(lower, visit, state.nadir_visit[series])
    responding = (target == w.CR) | (target == w.PR)
    state.responded[series] = (state.responded[series] | responding) & (target != w.PD)
    state.complete[series] = np.where(overall == w.NE, state.complete[series], overall == w.CR)


def choose(choices: list[tuple[Bools, int, int]], *, default: tuple[int, int]) -> tuple[Codes, Codes]:
    """Return, per entry, response and rule of the first choice whose condition holds."""
    conditions = [condition for condition, _, _ in choices]
    pick = np.select(conditions, list(range(len(choices))), default=len(choices))
    response = np.array([code for _, code, _ in choices] + [default[0]], dtype=np.int8)
    rule = np.array([rule for _, _, rule in choices] + [default[1]], dtype=np.int8)
    return response[pick], rule[pick]
