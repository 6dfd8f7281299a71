"""Which lesions are targets and which non-targets: step 4 of the response engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from hccresist.assess.criteria import Criterion
from hccresist.assess.lesions import (
    FLUID_CODES,
    ORGAN,
    ROLE,
    STATE,
    VASCULAR_CODES,
    LesionRows,
    largest_size,
)
from hccresist.assess.visits import Bools, Ints, Scans
from hccresist.study.policies import Policies

NORMAL_NODE_UM: Final = 10_000
"""Short axis from which a node is pathological. RECIST 1.1, doi:10.1016/j.ejca.2008.10.026."""
UNMEASURABLE: Final = (*VASCULAR_CODES, *FLUID_CODES, ORGAN["bone"])
"""Sites whose lesions are never chosen as targets."""
THICK_SLICE_UM: Final = 5_000
NODE_GROUP: Final = -2


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What each lesion is for one criterion.

    Attributes
    ----------
    target, nontarget, new_target, new_nontarget
        Shape (n_lesions,).
    left_out
        Recorded as target but without an evaluable value above 0 at baseline.
    there
        Disease shown in the baseline visit: not absent or merged, not measured as 0 only, no node that
        is ignored as normal.
    base_value
        Value in the baseline visit, −1 without.
    """

    target: Bools
    nontarget: Bools
    new_target: Bools
    new_nontarget: Bools
    left_out: Bools
    there: Bools
    base_value: Ints


def assign_roles(
    rows: LesionRows,
    scans: Scans,
    *,
    baseline: Ints,
    values: Ints,
    sizes: Ints,
    lengths: Ints,
    criterion: Criterion,
    policies: Policies,
) -> Roles:
    """Return the role of each lesion.

    Parameters
    ----------
    rows, scans
        The lesion rows and their scans.
    baseline
        Baseline visit of each series, −1 without.
    values
        Value of each cell, −1 where not evaluable.
    sizes
        What the criterion measures in each cell's row, −1 where empty.
    lengths
        Diameter in micrometres by which each cell's lesion is measurable, −1 where empty.
    criterion, policies
        What is in force.
    """
    here = rows.cell_visit == baseline[rows.lesion_series[rows.cell_lesion]]
    at_baseline = np.zeros(rows.n_lesions, dtype=np.bool_)
    base_value = np.full(rows.n_lesions, -1, dtype=np.int64)
    at_baseline[rows.cell_lesion[here]] = True
    base_value[rows.cell_lesion[here]] = values[here]
    base_size = np.full(rows.n_lesions, -1, dtype=np.int64)
    base_size[rows.cell_lesion[here]] = sizes[here]
    base_length = np.full(rows.n_lesions, -1, dtype=np.int64)
    base_length[rows.cell_lesion[here]] = np.where(values[here] >= 0, lengths[here], -1)

    no_baseline = baseline[rows.lesion_series] < 0
    by_rule = _chosen_by_rule(rows, policies)
    role = np.where(by_rule | (rows.role < 0), -1, rows.role)
    part = rows.parent != np.arange(rows.n_lesions)
    role = np.where(part, role[rows.parent], role)

    wanted = (role == ROLE["target"]) & ~rows.is_sum
    nontarget = role == ROLE["nontarget"]
    unnamed = (role < 0) & ~part
    there = _there_at_baseline(rows, baseline)
    nontarget |= unnamed & ~by_rule & there
    new_lesion = unnamed & ~there & ~no_baseline

    if by_rule.any():
        picked = _pick_targets(
            rows,
            scans,
            baseline=baseline,
            values=base_length,
            candidates=by_rule & there & ~part,
            policies=policies,
        )
        small_node = rows.node & (base_length >= 0) & (base_length < NORMAL_NODE_UM)
        wanted |= picked
        nontarget |= by_rule & there & ~picked & ~small_node & ~part & ~rows.is_sum
        there &= ~(by_rule & small_node)
    if criterion.hcc_rules:
        benign = _benign_hilar_node(rows, base_length, policies)
        vessel = wanted & np.isin(rows.organ, VASCULAR_CODES)
        wanted, nontarget = wanted & ~vessel & ~benign, (nontarget | vessel) & ~benign
        there &= ~benign

    target = wanted & (base_value > 0) & at_baseline
    if criterion.measure.is_viable:
        nontarget |= wanted & (base_size == 0) & rows.hepatic & at_baseline
    measured = np.zeros(scans.series.height, dtype=np.bool_)
    measured[rows.lesion_series[target]] = True
    target |= rows.is_sum & (base_value > 0) & ~measured[rows.lesion_series]
    new_target = (role == ROLE["new_target"]) | (new_lesion & ~rows.is_sum)
    return Roles(
        target=target & ~part,
        nontarget=((nontarget & at_baseline) | (no_baseline & (role <= ROLE["nontarget"]) & ~rows.is_sum))
        & ~target
        & ~part,
        new_target=new_target & ~part,
        new_nontarget=(role == ROLE["new_nontarget"]) & ~part,
        left_out=wanted & ~target & ~nontarget & ~part,
        there=there,
        base_value=base_value,
    )


def _chosen_by_rule(rows: LesionRows, policies: Policies) -> Bools:
    """Return the lesions of series whose targets are chosen by rule."""
    if policies.target_selection == "rule":
        return ~rows.is_sum
    n_series = int(rows.lesion_series.max(initial=-1)) + 1
    named = np.zeros(n_series, dtype=np.bool_)
    named[rows.lesion_series[(rows.role >= 0) & ~rows.is_sum]] = True
    return ~named[rows.lesion_series] & ~rows.is_sum


def _there_at_baseline(rows: LesionRows, baseline: Ints) -> Bools:
    """Return the lesions that a row of the baseline visit shows, evaluable or not."""
    gone = np.isin(rows.state, (STATE["absent"], STATE["merged"]))
    gone |= (rows.state < 0) & (largest_size(rows) == 0)
    shown = ~gone & (rows.visit == baseline[rows.series])
    there = np.zeros(rows.n_lesions, dtype=np.bool_)
    there[rows.lesion[shown]] = True
    return there


def _pick_targets(
    rows: LesionRows, scans: Scans, *, baseline: Ints, values: Ints, candidates: Bools, policies: Policies
) -> Bools:
    """Return the lesions chosen as targets: largest first, so many in all and in an organ."""
    minimum = np.where(
        rows.node,
        np.int64(round(policies.min_node_mm * 1000)),
        _smallest_measurable(rows, scans, baseline=baseline, policies=policies),
    )
    base_day = np.append(scans.visit_last, -np.inf)[baseline[rows.lesion_series]]
    barred = np.isin(rows.organ, UNMEASURABLE) | (rows.treated_day <= base_day)
    fit = np.flatnonzero(candidates & ~barred & (values >= minimum))
    organ = np.where(rows.node, NODE_GROUP, np.where(rows.organ < 0, ORGAN["liver"], rows.organ))
    ranked = (
        pl.DataFrame(
            {
                "lesion": fit,
                "series": rows.lesion_series[fit],
                "organ": organ[fit],
                "size": values[fit],
            }
        )
        .sort("series", "size", "lesion", descending=[False, True, False])
        .filter(pl.int_range(pl.len()).over("series", "organ") < policies.max_targets_per_organ)
        .filter(pl.int_range(pl.len()).over("series") < policies.max_targets)
    )
    picked = np.zeros(rows.n_lesions, dtype=np.bool_)
    picked[ranked["lesion"].to_numpy()] = True
    return picked


def _smallest_measurable(rows: LesionRows, scans: Scans, *, baseline: Ints, policies: Policies) -> Ints:
    """Return, for each lesion, the smallest measurable diameter given the baseline's slices."""
    slice_um = np.full(scans.n_visits + 1, -1, dtype=np.int64)
    np.maximum.at(slice_um, scans.scan_visit, scans.scan_slice_um)
    thick = slice_um[baseline[rows.lesion_series]]
    thick = np.where(baseline[rows.lesion_series] < 0, -1, thick)
    plain = np.int64(round(policies.min_target_mm * 1000))
    return np.where(thick > THICK_SLICE_UM, np.maximum(2 * thick, plain), plain)


def _benign_hilar_node(rows: LesionRows, base_length: Ints, policies: Policies) -> Bools:
    """Return the porta hepatis nodes that mRECIST does not take as malignant: below 20 mm.

    doi:10.1055/s-0030-1247132; common in cirrhosis.
    """
    hilar = rows.node & (rows.organ == ORGAN["porta_hepatis_node"])
    return hilar & (base_length >= 0) & (base_length < round(policies.mrecist_hilar_node_mm * 1000))
