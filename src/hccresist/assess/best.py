"""Best overall response, its confirmation, and the day of progression: step 10 of the response engine.

Works on responses alone, so that responses recorded by a clinic and derived ones are treated alike.
RECIST 1.1, doi:10.1016/j.ejca.2008.10.026, section 4.4; iRECIST, doi:10.1016/S1470-2045(17)30074-8;
order and conditions of confirmation as in admiralonco 1.0 (Apache-2.0).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from hccresist.assess import words as w
from hccresist.assess.steps import Steps
from hccresist.assess.visits import Bools, Floats, Ints
from hccresist.assess.words import Codes
from hccresist.study.policies import Policies

ORDER: Final = (w.CR, w.PR, w.SD, w.NON, w.NED, w.PD, w.CPD, w.UPD, w.NE)
"""Responses from best to worst; iCPD before iUPD, because it says more."""
RANK: Final = np.array([ORDER.index(code) if code in ORDER else 99 for code in range(10)], dtype=np.int8)
CODE: Final = np.array(ORDER, dtype=np.int8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The responses of every series in order of day.

    Attributes
    ----------
    n_series
        Number of series, those without any visit included.
    day, progression_date
        Per visit: its day, and the day to which progression at it is dated.
    overall
        Per visit: response code.
    steps
        How to walk through the visits.
    reference_day
        Per series: day from which the minimum interval of SD counts.
    last_day
        Per series: visits after this day do not count for the best response.
    plain
        Confirmed and unconfirmed progression are one word, PD.
    """

    n_series: int
    day: Floats
    progression_date: Floats
    overall: Codes
    steps: Steps
    reference_day: Floats
    last_day: Floats
    plain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """Best responses of every series; days are NaN where there is none."""

    best: Codes
    best_confirmed: Codes
    best_day: Floats
    first_response_day: Floats
    progression_day: Floats


def best_response(course: Course, *, policies: Policies) -> Best:
    """Return best response, confirmed best response and dates of every series."""
    in_scope = scope(course)
    best, best_day, first_response = _unconfirmed(course, in_scope, policies)
    return Best(
        best=best,
        best_confirmed=_confirmed(course, in_scope, policies),
        best_day=best_day,
        first_response_day=first_response,
        progression_day=progression_day(course, policies=policies),
    )


def scope(course: Course) -> Bools:
    """Return the visits that count for the best response: up to the first PD or iCPD, and `last_day`."""
    counts = np.zeros(len(course.day), dtype=np.bool_)
    still = np.ones(course.n_series, dtype=np.bool_)
    for series, visit in course.steps:
        counts[visit] = still[series] & (course.day[visit] <= course.last_day[series])
        ends = (course.overall[visit] == w.PD) | (course.overall[visit] == w.CPD)
        still[series] &= ~ends
    return counts


def too_early(codes: Codes, day: Floats, *, reference: Floats, policies: Policies) -> Bools:
    """Return which SD and NON-CR/NON-PD come before the minimum interval."""
    stable = (codes == w.SD) | (codes == w.NON)
    return stable & (day - reference < policies.sd_min_days)


def _unconfirmed(course: Course, in_scope: Bools, policies: Policies) -> tuple[Codes, Floats, Floats]:
    rank = np.full(course.n_series, RANK[w.NE], dtype=np.int8)
    best_day = np.full(course.n_series, np.nan)
    responded = np.full(course.n_series, np.nan)
    for series, visit in course.steps:
        code, day = course.overall[visit], course.day[visit]
        code = np.where(
            too_early(code, day, reference=course.reference_day[series], policies=policies), w.NE, code
        )
        if course.plain:
            code = np.where((code == w.UPD) | (code == w.CPD), w.PD, code)
        here = np.where(in_scope[visit], RANK[code], 99)
        better = (here < rank[series]) | ((here == rank[series]) & np.isnan(best_day[series]))
        rank[series] = np.where(better, here, rank[series])
        best_day[series] = np.where(better, day, best_day[series])
        answer = in_scope[visit] & ((code == w.CR) | (code == w.PR)) & np.isnan(responded[series])
        responded[series] = np.where(answer, day, responded[series])
    return CODE[rank], best_day, responded


def _confirmed(course: Course, in_scope: Bools, policies: Policies) -> Codes:
    """Return the best response when CR and PR must be confirmed."""
    if policies.cr_then_pr == "pd":
        course, in_scope = _cut_at_lost_cr(course, in_scope)
    has_cr, has_pr = confirmed_responses(course, in_scope, policies=policies)
    rank = np.full(course.n_series, RANK[w.NE], dtype=np.int8)
    lost_cr = np.zeros(course.n_series, dtype=np.bool_)
    had_cr = np.zeros(course.n_series, dtype=np.bool_)
    for series, visit in course.steps:
        code = course.overall[visit]
        inside = in_scope[visit]
        lost_cr[series] |= inside & (code == w.PR) & had_cr[series]
        had_cr[series] |= inside & (code == w.CR)
        code = np.where((code == w.CR) | (code == w.PR), w.SD, code)
        early = too_early(code, course.day[visit], reference=course.reference_day[series], policies=policies)
        here = np.where(inside, RANK[np.where(early, w.NE, code)], 99)
        rank[series] = np.minimum(rank[series], here)
    best = CODE[rank]
    if policies.cr_then_pr == "table3":
        best = np.where((best == w.NE) & lost_cr, w.PD, best)
    return np.select([has_cr, has_pr], [w.CR, w.PR], best).astype(np.int8)


def _cut_at_lost_cr(course: Course, in_scope: Bools) -> tuple[Course, Bools]:
    """Return the course with a PR after a CR turned into PD, and its scope."""
    overall = course.overall.copy()
    had_cr = np.zeros(course.n_series, dtype=np.bool_)
    for series, visit in course.steps:
        lost = in_scope[visit] & had_cr[series] & (overall[visit] == w.PR)
        overall[visit] = np.where(lost, w.PD, overall[visit])
        had_cr[series] |= in_scope[visit] & (overall[visit] == w.CR)
    cut = replace(course, overall=overall)
    return cut, scope(cut)


def confirmed_responses(course: Course, in_scope: Bools, *, policies: Policies) -> tuple[Bools, Bools]:
    """Return which series have a confirmed CR, and which a confirmed PR.

    Each response is followed to the first repeat at least ``confirm_days`` later; between the two
    stand only responses of the same kind, at most ``max_ne`` NE and, for PR with ``accept_one_sd``,
    one SD; no PR after a CR.
    """
    has_cr = np.zeros(course.n_series, dtype=np.bool_)
    has_pr = np.zeros(course.n_series, dtype=np.bool_)
    steps = course.steps
    for step, n in enumerate(steps.active):
        for code, found in ((w.CR, has_cr), (w.PR, has_pr)):
            row = np.flatnonzero(~found[steps.order[:n]])
            visit = steps.first[row] + step
            starts = in_scope[visit] & (course.overall[visit] == code)
            row = row[starts]
            if len(row):
                _follow(course, in_scope, row=row, step=step, code=code, found=found, policies=policies)
    return has_cr, has_pr


def _follow(
    course: Course, in_scope: Bools, *, row: Ints, step: int, code: int, found: Bools, policies: Policies
) -> None:
    """Mark in `found` the series (rows of the steps' order) whose response at `step` is confirmed."""
    steps = course.steps
    start = course.day[steps.first[row] + step]
    ne = np.zeros(len(row), dtype=np.int64)
    sd = np.zeros(len(row), dtype=np.int64)
    had_cr = np.zeros(len(row), dtype=np.bool_)
    for later in range(step + 1, len(steps.active)):
        lasting = row < steps.active[later]
        row, start, ne, sd, had_cr = row[lasting], start[lasting], ne[lasting], sd[lasting], had_cr[lasting]
        visit = steps.first[row] + later
        now, gap = course.overall[visit], course.day[visit] - start
        fits = in_scope[visit] & ((now == w.CR) | ((now == w.PR) & (code == w.PR) & ~had_cr))
        if policies.confirmation_window_max > 0:
            fits &= gap <= policies.confirmation_window_max
        confirms = fits & (gap >= policies.confirm_days)
        found[steps.order[row[confirms]]] = True
        ne += now == w.NE
        sd += now == w.SD
        spared = (now == w.NE) & (ne <= policies.max_ne)
        spared |= (now == w.SD) & (sd <= 1) & policies.accept_one_sd & (code == w.PR)
        had_cr |= now == w.CR
        goes_on = in_scope[visit] & (fits | spared) & ~confirms
        row, start, ne, sd, had_cr = row[goes_on], start[goes_on], ne[goes_on], sd[goes_on], had_cr[goes_on]
        if len(row) == 0:
            return


def progression_day(course: Course, *, policies: Policies) -> Floats:
    """Return the day of progression of every series, NaN without.

    The first PD; or, where progression needs confirmation, the first iUPD of the block that was
    confirmed. A block ends with any response other than NE. iRECIST,
    doi:10.1016/S1470-2045(17)30074-8; of a block that stays open, policy ``irecist_unconfirmed``.
    """
    day = np.full(course.n_series, np.nan)
    opened = np.full(course.n_series, np.nan)
    for series, visit in course.steps:
        code, date = course.overall[visit], course.progression_date[visit]
        undecided = np.isnan(day[series])
        begins = (code == w.UPD) & np.isnan(opened[series])
        opened[series] = np.where(begins, date, opened[series])
        closes = (code != w.UPD) & (code != w.NE) & (code != w.CPD)
        opened[series] = np.where(closes, np.nan, opened[series])
        confirmed = np.where(np.isnan(opened[series]), date, opened[series])
        day[series] = np.where(undecided & (code == w.PD), date, day[series])
        day[series] = np.where(undecided & (code == w.CPD), confirmed, day[series])
    if policies.irecist_unconfirmed == "event":
        day = np.where(np.isnan(day), opened, day)
    return day
