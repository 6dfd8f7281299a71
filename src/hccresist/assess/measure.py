"""From lesion rows to what a visit measures, for one criterion: steps 5 to 7 of the response engine.

The result is flat: one entry a visit, series after series, each in order of day.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np
import polars as pl

from hccresist.assess.criteria import Criterion, Judge
from hccresist.assess.lesions import (
    FLUID_CODES,
    ORGAN,
    ROLE,
    STATE,
    LesionRows,
    criterion_length,
    criterion_size,
    row_values,
)
from hccresist.assess.targets import (
    NODE_GROUP,
    NORMAL_NODE_UM,
    UNMEASURABLE,
    Roles,
    assign_roles,
    smallest_measurable,
)
from hccresist.assess.visits import Bools, Floats, Ints, Scans, find_baselines
from hccresist.study.policies import Policies

ATYPICAL_GROWTH_UM = 10_000
"""Growth that proves a new nodule without wash-out. mRECIST, doi:10.1055/s-0030-1247132."""


class TargetPart(TypedDict):
    """The part of `Measures` that targets make."""

    sum: Ints
    hepatic_sum: Ints
    n_evaluated: Ints
    extant: Bools
    large_node: Bools
    returned: Bools


class NontargetPart(TypedDict):
    """The part of `Measures` that non-targets make."""

    nt_evaluated: Ints
    nt_gone: Ints
    nt_progressed: Bools
    nt_extant: Bools
    nt_worsened: Bools
    nt_sites: Bools


class NewPart(TypedDict):
    """The part of `Measures` that new lesions make."""

    new_seen: Bools
    new_day: Floats
    new_count: Ints
    new_sum: Ints
    new_worsened: Bools
    new_sites: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What one criterion sees at each visit.

    Attributes
    ----------
    baseline
        Baseline visit of each series, −1 without; shape (n_series,).
    n_targets, n_nontargets, n_left_out
        Lesions at baseline, shape (n_series,).
    diseased
        Disease of any kind was there at baseline, shape (n_series,).
    companion
        What the criterion looks at beside the sum: mean attenuation in thousandths of HU (Choi) or whole
        area in µm² (necrosis), NaN where it is not known for all targets; shape (n_visits,) as all below.
    sum, hepatic_sum, n_evaluated
        Sum of the evaluated targets in µm or µm², the part of it in the liver, and how many they are.
    extant, large_node
        A non-nodal target is above 0; a nodal target has a short axis of 10 mm or more.
    returned
        A non-nodal target that was 0 at an earlier follow-up visit is above 0.
    nt_evaluated, nt_gone
        Non-targets evaluated, and gone, counted.
    nt_sites, new_sites
        Sites (liver, vessels, elsewhere) in which non-targets progressed, and counting new lesions are
        seen; shape (n_visits, 3).
    nt_progressed, nt_extant, nt_worsened
        A non-target progressed unequivocally; a non-nodal one is not gone; one is `worsened`.
    new_seen, new_day
        A counting new lesion is seen; first day of the visit on which one is.
    new_count
        Distinct counting new lesions seen in this visit or before.
    new_sum
        Sum of the new targets in micrometres, −1 before there are any.
    new_worsened
        A counting new non-target grows.
    """

    baseline: Ints
    n_targets: Ints
    n_nontargets: Ints
    n_left_out: Ints
    diseased: Bools
    companion: Floats
    sum: Ints
    hepatic_sum: Ints
    n_evaluated: Ints
    extant: Bools
    large_node: Bools
    returned: Bools
    nt_evaluated: Ints
    nt_gone: Ints
    nt_progressed: Bools
    nt_extant: Bools
    nt_worsened: Bools
    nt_sites: Bools
    new_seen: Bools
    new_day: Floats
    new_count: Ints
    new_sum: Ints
    new_worsened: Bools
    new_sites: Bools


@dataclass(frozen=True, slots=True)
class Ground:
    """What measuring starts from: baselines, values of rows and cells, and the roles of lesions.

    What criteria with this ground measure alike is kept: targets and non-targets, and new lesions by
    how many of them are measured.
    """

    baseline: Ints
    by_row: Ints
    picked: Ints
    values: Ints
    roles: Roles
    targets: list[TargetPart] = field(init=False, default_factory=list[TargetPart])
    nontargets: list[NontargetPart] = field(init=False, default_factory=list[NontargetPart])
    new: dict[tuple[int, int], NewPart] = field(init=False, default_factory=dict[tuple[int, int], NewPart])


def find_ground(rows: LesionRows, scans: Scans, *, criterion: Criterion, policies: Policies) -> Ground:
    """Return baselines, values and roles under a criterion."""
    has_rows = np.zeros(scans.n_visits, dtype=np.bool_)
    has_rows[rows.cell_visit] = True
    baseline = find_baselines(
        scans, has_rows=has_rows, needs_arterial=criterion.measure.is_viable, policies=policies
    )
    by_row = row_values(rows, scans, criterion=criterion, policies=policies)
    picked = rows.pick(by_row >= 0)
    values = by_row[picked]
    by_value = criterion.node_rule and not criterion.measure.is_area
    roles = assign_roles(
        rows,
        scans,
        baseline=baseline,
        values=values,
        sizes=criterion_size(rows, criterion)[picked],
        slices=scans.scan_slice_um[rows.scan[picked]],
        lengths=values if by_value else criterion_length(rows, criterion)[picked],
        criterion=criterion,
        policies=policies,
    )
    return Ground(baseline, by_row, picked, values, roles)


def measure_on(
    ground: Ground, rows: LesionRows, scans: Scans, *, criterion: Criterion, policies: Policies
) -> Measures:
    """Return what the criterion measures at each visit, from its ground."""
    roles, n_series = ground.roles, scans.series.height
    if not ground.nontargets:
        ground.nontargets.append(_nontarget_measures(rows, scans, roles=roles, criterion=criterion))
    measured = criterion.max_new, criterion.max_new_per_organ
    if measured not in ground.new:
        ground.new[measured] = _new_measures(
            rows, scans, ground=ground, criterion=criterion, policies=policies
        )
    return Measures(
        baseline=ground.baseline,
        n_nontargets=_count(rows.lesion_series[roles.nontarget], n_series),
        n_left_out=_count(rows.lesion_series[roles.left_out], n_series),
        diseased=_marked(rows.lesion_series[roles.there], n_series),
        **measure_targets(ground, rows, scans, criterion=criterion),
        **ground.nontargets[0],
        **ground.new[measured],
    )


class TargetsPart(TargetPart):
    """What the targets give: their number, sums and states, and what is looked at beside."""

    n_targets: Ints
    companion: Floats


def measure_targets(ground: Ground, rows: LesionRows, scans: Scans, *, criterion: Criterion) -> TargetsPart:
    """Return what the targets give."""
    roles, values = ground.roles, ground.values
    if not ground.targets:
        sums = _target_measures(
            rows, scans, roles=roles, values=values, baseline=ground.baseline, criterion=criterion
        )
        ground.targets.append(sums)
    return {
        "n_targets": _count(rows.lesion_series[roles.target], scans.series.height),
        "companion": _companion(
            rows, scans, roles=roles, picked=ground.picked, values=values, criterion=criterion
        ),
        **ground.targets[0],
    }


def _count(at: Ints, n: int) -> Ints:
    return np.bincount(at, minlength=n).astype(np.int64)


def _marked(at: Ints, n: int) -> Bools:
    result = np.zeros(n, dtype=np.bool_)
    result[at] = True
    return result


def _target_measures(
    rows: LesionRows, scans: Scans, *, roles: Roles, values: Ints, baseline: Ints, criterion: Criterion
) -> TargetPart:
    """Return sums and target states of each visit."""
    lesion, visit, value = _joined_parts(rows, values, roles.target)
    seen = value >= 0
    n = scans.n_visits
    lesion, visit, value = lesion[seen], visit[seen], value[seen]
    node = rows.node[lesion] & criterion.node_rule
    total = np.bincount(visit, weights=value, minlength=n)  # exact: far below 2**53 micrometres
    extant = ~node & (value > 0)
    follow_up = visit > baseline[rows.lesion_series[lesion]]
    return {
        "sum": total.astype(np.int64),
        "hepatic_sum": _part(visit, value, rows.hepatic[lesion], n),
        "n_evaluated": _count(visit, n),
        "extant": _marked(visit[extant], n),
        "large_node": _marked(visit[node & (value >= NORMAL_NODE_UM)], n),
        "returned": _marked(visit[extant & _was_gone(lesion, visit, value, follow_up)], n),
    }


def _part(visit: Ints, value: Ints, mine: Bools, n: int) -> Ints:
    return np.bincount(visit[mine], weights=value[mine], minlength=n).astype(np.int64)


def _companion(
    rows: LesionRows, scans: Scans, *, roles: Roles, picked: Ints, values: Ints, criterion: Criterion
) -> Floats:
    """Return what the criterion looks at beside the sum, at each visit."""
    n = scans.n_visits
    if criterion.judge not in (Judge.CHOI, Judge.MODIFIED_CHOI, Judge.NECROSIS):
        return np.full(n, np.nan)
    mine = roles.target[rows.parent[rows.cell_lesion]]
    visit, row = rows.cell_visit[mine], picked[mine]
    if criterion.judge is Judge.NECROSIS:
        area = rows.whole_product[row]
        value, state = values[mine], rows.state[row]
        area = np.where((area < 0) & ((value == 0) | (state == STATE["too_small"])), value, area)
        area = np.where(value < 0, -1, area)
        total = np.bincount(visit, weights=area, minlength=n)
        return np.where(_marked(visit[area < 0], n), np.nan, total)
    lesion, at, value = _joined_parts(rows, values, roles.target)
    unread = np.isin(rows.parent[rows.cell_lesion[mine]] * n + visit, (lesion * n + at)[value < 0])
    shown = (values[mine] > 0) & ~unread
    visit, attenuation = visit[shown], np.round(1000 * rows.attenuation[row[shown]])
    count = np.maximum(np.bincount(visit, minlength=n), 1)
    return np.bincount(visit, weights=attenuation, minlength=n) / count  # thousandths: exact sums


def _joined_parts(rows: LesionRows, values: Ints, chosen: Bools) -> tuple[Ints, Ints, Ints]:
    """Return lesion, visit and value of each chosen cell; parts are added to the lesion they split from."""
    whole = rows.parent[rows.cell_lesion]
    mine = chosen[whole]
    lesion, visit, value = whole[mine], rows.cell_visit[mine], values[mine]
    if not rows.has_parts:
        return lesion, visit, value
    joined = (
        pl.DataFrame({"lesion": lesion, "visit": visit, "value": value})
        .group_by("lesion", "visit")
        .agg(pl.when(pl.col("value").min() >= 0).then(pl.col("value").sum()).otherwise(-1))
        .sort("lesion", "visit")
    )
    return joined["lesion"].to_numpy(), joined["visit"].to_numpy(), joined["value"].to_numpy()


def _was_gone(lesion: Ints, visit: Ints, value: Ints, follow_up: Bools) -> Bools:
    """Return the cells of lesions that were 0 at an earlier follow-up visit."""
    never = np.iinfo(np.int64).max
    first = np.full(int(lesion.max(initial=-1)) + 1, never)
    zero = follow_up & (value == 0)
    np.minimum.at(first, lesion[zero], visit[zero])
    return visit > first[lesion]


def _nontarget_measures(
    rows: LesionRows, scans: Scans, *, roles: Roles, criterion: Criterion
) -> NontargetPart:
    """Return counts and states of the non-targets of each visit."""
    mine_rows = roles.nontarget[rows.lesion]
    size = rows.recist_size
    known = (rows.state >= 0) | (rows.largest_size >= 0)
    evaluable = known & (rows.state != STATE["not_evaluable"]) & scans.scan_adequate[rows.scan]
    if criterion.measure.is_viable:
        evaluable &= ~rows.hepatic_row | scans.scan_arterial[rows.scan]
    picked = rows.pick(evaluable)
    mine = roles.nontarget[rows.cell_lesion]
    visit, row, lesion = rows.cell_visit[mine], picked[mine], rows.cell_lesion[mine]
    gone = rows.gone[row] | (size[row] == 0)
    small = (size[row] >= 0) & (size[row] < NORMAL_NODE_UM)
    gone |= rows.node[lesion] & (small | ((rows.state[row] == STATE["too_small"]) & (size[row] < 0)))
    if criterion.measure.is_viable:
        gone |= rows.viable[row] == 0
    gone &= evaluable[row]
    extant = evaluable[row] & ~gone & ~rows.node[lesion]
    progressed = mine_rows & (rows.state == STATE["unequivocal_progression"])
    if criterion.hcc_rules:
        fluid = np.isin(rows.organ[rows.lesion], FLUID_CODES)
        progressed &= ~fluid | scans.flags.fluid_positive[rows.visit]
    n = scans.n_visits
    return {
        "nt_evaluated": _count(visit[evaluable[row]], n),
        "nt_gone": _count(visit[gone], n),
        "nt_progressed": _marked(rows.visit[progressed], n),
        "nt_extant": _marked(visit[extant], n),
        "nt_worsened": _marked(rows.visit[mine_rows & (rows.state == STATE["worsened"])], n),
        "nt_sites": _sites(rows, progressed, n),
    }


def _new_measures(
    rows: LesionRows,
    scans: Scans,
    *,
    ground: Ground,
    criterion: Criterion,
    policies: Policies,
) -> NewPart:
    """Return what is known of new lesions at each visit."""
    n, roles = scans.n_visits, ground.roles
    new = roles.new_target | roles.new_nontarget
    follow_up = rows.visit > ground.baseline[rows.series]
    follow_up &= scans.visit_first[rows.visit] > policies.baseline_window_end
    seen = new[rows.lesion] & follow_up & rows.seen
    proven = _marked(
        rows.lesion[seen & _qualifies(rows, scans, seen=seen, criterion=criterion, policies=policies)],
        rows.n_lesions,
    )
    counts = seen & proven[rows.lesion]
    new_day = scans.flags.new_lesion_day.copy()
    if criterion.hcc_rules:
        new_day = np.minimum(new_day, scans.flags.fluid_day)
    np.minimum.at(new_day, rows.visit[counts], rows.day[counts])
    cells = rows.any_in_cell(counts)
    lesion, visit = rows.cell_lesion[cells], rows.cell_visit[cells]
    onset = np.full(rows.n_lesions, n, dtype=np.int64)
    np.minimum.at(onset, lesion, visit)
    measured = _new_targets(
        rows, scans, roles=roles, onset=onset, n_visits=n, criterion=criterion, policies=policies
    )
    minor = proven & new & ~measured
    growing = np.isin(rows.state, (STATE["worsened"], STATE["unequivocal_progression"]))
    new_sum = _new_sum(rows, scans, by_row=ground.by_row, measured=measured, onset=onset)
    flagged = scans.flags.new_lesion | (scans.flags.fluid_positive if criterion.hcc_rules else False)
    return {
        "new_seen": _marked(visit, n) | flagged,
        "new_day": new_day,
        "new_count": _running(onset[proven & new], rows.lesion_series[proven & new], scans),
        "new_sum": new_sum,
        "new_sites": _sites(rows, counts, n),
        "new_worsened": _marked(rows.visit[counts & minor[rows.lesion] & growing], n),
    }


def _sites(rows: LesionRows, marked: Bools, n: int) -> Bools:
    """Return, for each visit, the sites of its marked rows: liver, vessels, elsewhere."""
    result = np.zeros((n, 3), dtype=np.bool_)
    at = np.flatnonzero(marked)
    result[rows.visit[at], rows.site[rows.lesion[at]]] = True
    return result


def _qualifies(
    rows: LesionRows, scans: Scans, *, seen: Bools, criterion: Criterion, policies: Policies
) -> Bools:
    """Return the rows that prove their new lesion."""
    node = rows.node[rows.lesion]
    proof = ~node | (rows.short < 0) | (rows.short >= round(policies.new_node_mm * 1000))
    if criterion.hcc_rules:
        hilar = node & (rows.organ[rows.lesion] == ORGAN["porta_hepatis_node"])
        proof &= ~hilar | (rows.short >= round(policies.mrecist_hilar_node_mm * 1000))
    if criterion.hcc_rules:
        proof &= ~rows.hepatic_row | _typical_or_grown(rows, seen=seen, policies=policies)
    proof &= rows.state != STATE["equivocal"]
    proof |= rows.state == STATE["unequivocal_progression"]
    if criterion.hcc_rules:
        fluid = np.isin(rows.organ[rows.lesion], FLUID_CODES)
        proof &= ~fluid | scans.flags.fluid_positive[rows.visit]
    return proof


def _typical_or_grown(rows: LesionRows, *, seen: Bools, policies: Policies) -> Bools:
    """Return the rows whose new hepatic nodule is large enough and typical, or has grown by 10 mm."""
    size = np.where(rows.longest >= 0, rows.longest, rows.viable)
    large = (size < 0) | (size >= round(policies.mrecist_new_lesion_mm * 1000))
    first = np.full(rows.n_lesions, len(rows.lesion), dtype=np.int64)
    sized = np.flatnonzero(seen & (size >= 0))
    np.minimum.at(first, rows.lesion[sized], sized)
    start = size[np.minimum(first, len(rows.lesion) - 1)]
    grown = (size >= 0) & (size - start[rows.lesion] >= ATYPICAL_GROWTH_UM) & (first[rows.lesion] < len(size))
    return large & ((rows.washout != 0) | grown)


def _new_targets(
    rows: LesionRows,
    scans: Scans,
    *,
    roles: Roles,
    onset: Ints,
    n_visits: int,
    criterion: Criterion,
    policies: Policies,
) -> Bools:
    """Return the new lesions that are measured, so many in all and in an organ as the criterion says.

    A lesion that no reader gave a role must be measurable when first seen.
    """
    length = criterion_length(rows, criterion)
    picked = rows.pick(length >= 0)
    at_onset = rows.cell_visit == onset[rows.cell_lesion]
    first = np.full(rows.n_lesions, -1, dtype=np.int64)
    first[rows.cell_lesion[at_onset]] = length[picked[at_onset]]
    slices = np.full(rows.n_lesions, -1, dtype=np.int64)
    slices[rows.cell_lesion[at_onset]] = scans.scan_slice_um[rows.scan[picked[at_onset]]]
    measurable = (first >= smallest_measurable(rows, slices, policies)) & ~np.isin(rows.organ, UNMEASURABLE)
    mine = np.flatnonzero(
        roles.new_target & (onset < n_visits) & ((rows.role >= ROLE["new_target"]) | measurable)
    )
    organ = np.where(rows.node, NODE_GROUP, np.where(rows.organ < 0, ORGAN["liver"], rows.organ))
    ranked = (
        pl.DataFrame(
            {"lesion": mine, "series": rows.lesion_series[mine], "organ": organ[mine], "onset": onset[mine]}
        )
        .sort("series", "onset", "lesion")
        .filter(pl.int_range(pl.len()).over("series", "organ") < criterion.max_new_per_organ)
        .filter(pl.int_range(pl.len()).over("series") < criterion.max_new)
    )
    return _marked(ranked["lesion"].to_numpy(), rows.n_lesions)


def _new_sum(rows: LesionRows, scans: Scans, *, by_row: Ints, measured: Bools, onset: Ints) -> Ints:
    """Return the sum of the new targets at each visit, −1 before the first of them."""
    lesion, visit, value = _joined_parts(rows, by_row[rows.pick(by_row >= 0)], measured)
    counts = (value >= 0) & (visit >= onset[lesion])
    n = scans.n_visits
    return np.where(_marked(visit[counts], n), _part(visit, value, counts, n), -1)


def _running(onset: Ints, series: Ints, scans: Scans) -> Ints:
    """Return how many lesions began in each visit or an earlier one of its series."""
    n = scans.n_visits
    began = np.cumsum(_count(onset[onset < n], n))
    if n == 0:
        return began
    first = np.searchsorted(scans.visit_series, np.arange(scans.series.height))
    before = np.append(0, began)[first]
    return began - before[scans.visit_series]
