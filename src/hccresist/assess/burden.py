"""Criteria that add new lesions to the tumour burden: imRECIST and irRC.

A new lesion is no progression by itself, and progression counts only when the next assessments do
not take it back. Hodi 2018, doi:10.1200/JCO.2017.75.1644; Wolchok 2009,
doi:10.1158/1078-0432.CCR-09-1624. `docs/explanation/response-engine.md`, step 11.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hccresist.assess import words as w
from hccresist.assess.criteria import Criterion
from hccresist.assess.measure import Measures
from hccresist.assess.response import (
    Responses,
    State,
    advance,
    explain,
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


def respond_burden(
    measures: Measures, scans: Scans, *, steps: Steps, criterion: Criterion, policies: Policies
) -> Responses:
    """Return the response of every visit, new lesions added to the sum of targets."""
    burden = replace(
        measures,
        sum=measures.sum + np.maximum(measures.new_sum, 0),
        extant=measures.extant | measures.new_seen,
    )
    result = Responses.empty(scans.n_visits)
    state = State.start(burden)
    opened = np.full(scans.series.height, np.nan)
    confirmed = np.zeros(scans.series.height, np.bool_)
    for series, visit in steps:
        target, target_rule = target_response(
            burden, scans, state, series=series, visit=visit, criterion=criterion, policies=policies
        )
        nontarget, nt_rule = nontarget_response(
            burden, scans, state, series=series, visit=visit, policies=policies
        )
        if not criterion.nontarget_progression:
            nontarget = np.where(nontarget == w.PD, w.NON, nontarget).astype(np.int8)
            nt_rule = np.where(nontarget == w.NON, Rule.NONTARGET_LEFT, nt_rule).astype(np.int8)
        alone = burden.new_seen[visit] & (burden.n_targets[series] == 0)
        overall, rule = overall_response(
            target, nontarget, new=alone, at=situation(burden, scans, series=series, visit=visit)
        )
        rule = explain(rule, target_rule, nt_rule)
        only_new = (rule == Rule.PD_RETURN) & ~measures.extant[visit]
        rule = np.where(only_new, Rule.PD_NEW_LESION, rule)
        overall = np.where((overall == w.CR) & burden.new_seen[visit], w.PR, overall).astype(np.int8)
        result.target[visit], result.nontarget[visit] = target, nontarget
        result.new_lesion[visit] = burden.new_seen[visit]
        result.nadir[visit], result.nadir_visit[visit] = state.nadir[series], state.nadir_visit[series]
        result.by_sum[visit] = ~alone
        advance(state, burden, series=series, visit=visit, target=target, overall=overall, policies=policies)
        standing = confirm(
            overall,
            scans.visit_last[visit],
            series=series,
            opened=opened,
            confirmed=confirmed,
            policies=policies,
        )
        result.overall[visit] = standing
        result.rule[visit] = np.where(confirmed[series] & (overall != w.PD), Rule.AFTER_CPD, rule)
        result.pending_day[visit] = opened[series]
    return result


def confirm(
    overall: Codes, day: Floats, *, series: Ints, opened: Floats, confirmed: Bools, policies: Policies
) -> Codes:
    """Return responses with progression told apart into unconfirmed (iUPD) and confirmed (iCPD).

    Progression is confirmed by progression at least ``confirm_days`` later with nothing but NE
    between; any other response takes it back. Both read PD in the tables of these criteria.

    Parameters
    ----------
    overall, day
        Response and day of one visit of each series.
    series
        Series of these visits.
    opened, confirmed
        Per series: day of the progression that awaits confirmation (NaN: none), and whether one was
        confirmed; both are updated.
    policies
        `confirm_days`.
    """
    progresses = overall == w.PD
    waiting = ~np.isnan(opened[series])
    ripe = progresses & waiting & (np.where(waiting, day - opened[series], 0) >= policies.confirm_days)
    taken_back = ~progresses & (overall != w.NE) & ~confirmed[series]
    opened[series] = np.where(
        taken_back, np.nan, np.where(progresses & ~waiting & ~confirmed[series], day, opened[series])
    )
    confirmed[series] |= ripe
    return np.select(
        [confirmed[series], progresses], [np.int8(w.CPD), np.int8(w.UPD)], default=overall
    ).astype(np.int8)
