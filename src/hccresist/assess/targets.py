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
    VASCULAR_CODES,
    LesionRows,
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
    """

    target: Bools
    nontarget: Bools
    new_target: Bools
    new_nontarget: Bools
    left_out: Bools
    there: Bools


def assign_roles(
    rows: LesionRows,
    scans: Scans,
    *,
    baseline: Ints,
    values: Ints,
    sizes: Ints,
    lengths: Ints,
    slices: Ints,
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
    slices
        Slice thickness in micrometres of the scan of each cell, −1 where unknown.
    criterion, policies
        What is in force.
    """
    here = rows.cell_visit == baseline[rows.lesion_series[rows.cell_lesion]]
    base_value, base_size, base_slice = (_of_lesions(rows, cells, here) for cells in (values, sizes, slices))
    base_length = _of_lesions(rows, np.where(values >= 0, lengths, -1), here)
    at_baseline = _of_lesions(rows, np.ones(len(here), np.int64), here) > 0
    shown = _there_at_baseline(rows, baseline)
    there = shown.copy()
    no_baseline = baseline[rows.lesion_series] < 0

    by_rule = _chosen_by_rule(rows, policies) & ~no_baseline & (rows.role <= ROLE["nontarget"])
    role = np.where(by_rule, -1, rows.role)
    part = rows.parent != np.arange(rows.n_lesions)
    unnamed = (role < 0) & ~part
    wanted = (role == ROLE["target"]) & ~rows.is_sum
    nontarget = (role == ROLE["nontarget"]) | (unnamed & ~by_rule & there)
    benign = criterion.hcc_rules & _benign_hilar_node(rows, base_length, policies)
    if by_rule.any():
        base_day = np.append(scans.visit_last, -np.inf)[baseline[rows.lesion_series]]
        picked = _pick_targets(
            rows,
            sizes=base_length,
            smallest=smallest_measurable(rows, base_slice, policies),
            candidates=by_rule & there & ~part & ~benign & (base_value > 0) & (rows.treated_day > base_day),
            policies=policies,
        )
        ignored = by_rule & rows.node & (base_length >= 0) & (base_length < NORMAL_NODE_UM)
        wanted |= picked
        nontarget |= by_rule & there & ~picked & ~ignored
        there &= ~ignored
    if criterion.hcc_rules:
        vessel = wanted & np.isin(rows.organ, VASCULAR_CODES)
        wanted, nontarget = wanted & ~vessel & ~benign, (nontarget | vessel) & ~benign
        there &= ~benign

    target = wanted & (base_value > 0)
    if criterion.measure.is_viable:
        nontarget |= wanted & (base_size == 0) & (base_value == 0) & rows.hepatic
    measured = np.zeros(scans.series.height, dtype=np.bool_)
    measured[rows.lesion_series[target]] = True
    target |= rows.is_sum & (base_value > 0) & ~measured[rows.lesion_series]
    unread = no_baseline & (role >= 0) & (role <= ROLE["nontarget"]) & ~rows.is_sum
    new_target = (role == ROLE["new_target"]) | (unnamed & ~shown & ~no_baseline)
    return Roles(
        target=target & ~part,
        nontarget=((nontarget & at_baseline) | unread) & ~target & ~part,
        new_target=new_target & ~part,
        new_nontarget=(role == ROLE["new_nontarget"]) & ~part,
        left_out=wanted & ~target & ~nontarget & ~part,
        there=there,
    )


def _of_lesions(rows: LesionRows, cells: Ints, here: Bools) -> Ints:
    """Return what the marked cells hold, by lesion; −1 for a lesion without a marked cell."""
    result = np.full(rows.n_lesions, -1, dtype=np.int64)
    result[rows.cell_lesion[here]] = cells[here]
    return result


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
    gone = rows.gone | (rows.state < 0) & (rows.largest_size == 0)
    shown = ~gone & (rows.visit == baseline[rows.series])
    there = np.zeros(rows.n_lesions, dtype=np.bool_)
    there[rows.lesion[shown]] = True
    return there


def smallest_measurable(rows: LesionRows, slices: Ints, policies: Policies) -> Ints:
    """Return the smallest measurable size of each lesion in micrometres.

    Nodes: 15 mm of short axis. Others: 10 mm, or twice a slice thicker than 5 mm. RECIST 1.1,
    doi:10.1016/j.ejca.2008.10.026.
    """
    plain = np.int64(round(policies.min_target_mm * 1000))
    other = np.where(slices > THICK_SLICE_UM, np.maximum(2 * slices, plain), plain)
    return np.where(rows.node, np.int64(round(policies.min_node_mm * 1000)), other)


def _pick_targets(
    rows: LesionRows, *, sizes: Ints, smallest: Ints, candidates: Bools, policies: Policies
) -> Bools:
    """Return the lesions chosen as targets: largest first, so many in all and in an organ."""
    fit = np.flatnonzero(candidates & ~np.isin(rows.organ, UNMEASURABLE) & (sizes >= smallest))
    organ = np.where(rows.node, NODE_GROUP, np.where(rows.organ < 0, ORGAN["liver"], rows.organ))
    ranked = (
        pl.DataFrame(
            {
                "lesion": fit,
                "series": rows.lesion_series[fit],
                "organ": organ[fit],
                "size": sizes[fit],
            }
        )
        .sort("series", "size", "lesion", descending=[False, True, False])
        .filter(pl.int_range(pl.len()).over("series", "organ") < policies.max_targets_per_organ)
        .filter(pl.int_range(pl.len()).over("series") < policies.max_targets)
    )
    picked = np.zeros(rows.n_lesions, dtype=np.bool_)
    picked[ranked["lesion"].to_numpy()] = True
    return picked


def _benign_hilar_node(rows: LesionRows, base_length: Ints, policies: Policies) -> Bools:
    """Return the porta hepatis nodes that mRECIST does not take as malignant: below 20 mm.

    doi:10.1055/s-0030-1247132; common in cirrhosis.
    """
    hilar = rows.node & (rows.organ == ORGAN["porta_hepatis_node"])
    return hilar & (base_length >= 0) & (base_length < round(policies.mrecist_hilar_node_mm * 1000))
