"""Lesion rows as arrays, and what each row counts: steps 3 and 1.4 of the response engine.

A *cell* is a lesion in a visit: one row, or several scans of which the last evaluable counts.
Sizes are whole micrometres; −1 means not evaluable.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl

from hccresist.assess.criteria import Criterion, Measure
from hccresist.assess.visits import Bools, Floats, Ints, Scans, enum_codes, scaled
from hccresist.study import codes
from hccresist.study.policies import Policies

STATE: Final = {name: code for code, name in enumerate(codes.STATE)}
ROLE: Final = {name: code for code, name in enumerate(codes.ROLE)}
ORGAN: Final = {name: code for code, name in enumerate(codes.ORGAN)}

NODE_CODES: Final = tuple(ORGAN[name] for name in codes.NODE_ORGANS)
VASCULAR_CODES: Final = tuple(ORGAN[name] for name in codes.VASCULAR_ORGANS)
FLUID_CODES: Final = tuple(ORGAN[name] for name in codes.FLUID_ORGANS)

SUM_LESION: Final = "\x00sum"
"""Identifier of the lesion that stands for a recorded sum."""


@dataclass(frozen=True, kw_only=True)
class LesionRows:
    """Rows of the lesion table of a set of series, sorted by series, lesion and day.

    Attributes
    ----------
    lesion, series, visit, scan, day
        Shape (n_rows,): lesion number, series, visit, scan and day of each row.
    state, washout
        Codes, −1 where empty.
    longest, short, viable
        Sizes in micrometres, −1 where empty.
    across, viable_across
        Diameters perpendicular to the longest and to the viable one, in micrometres, −1 where empty.
    product, viable_product
        Recorded sums of products in square micrometres, −1 where empty.
    necrosis
        Necrotic share in hundredths of a per cent, −1 where empty.
    attenuation
        Attenuation in HU, NaN where empty.
    cell_start
        First row of each cell; `cell_lesion` and `cell_visit` say which cell it is.
    lesion_series, role, organ, node, is_sum, parent, treated_day
        Shape (n_lesions,): series; first role and organ given (−1 none); lymph node; stands for a
        recorded sum; lesion of which it is a part (itself if none); day of its first local treatment
        (infinity if none).
    """

    lesion: Ints
    series: Ints
    visit: Ints
    scan: Ints
    day: Floats
    state: Ints
    washout: Ints
    longest: Ints
    short: Ints
    viable: Ints
    across: Ints
    viable_across: Ints
    product: Ints
    viable_product: Ints
    necrosis: Ints
    attenuation: Floats
    cell_start: Ints
    cell_lesion: Ints
    cell_visit: Ints
    lesion_series: Ints
    role: Ints
    organ: Ints
    node: Bools
    is_sum: Bools
    parent: Ints
    treated_day: Floats

    @property
    def n_lesions(self) -> int:
        """Number of lesions."""
        return len(self.lesion_series)

    @cached_property
    def hepatic(self) -> Bools:
        """Lesion lies in the liver; an unnamed site is read as the liver."""
        return ~self.node & ((self.organ == ORGAN["liver"]) | (self.organ < 0))

    @cached_property
    def hepatic_row(self) -> Bools:
        """Row is of a lesion in the liver."""
        return self.hepatic[self.lesion]

    @cached_property
    def recist_size(self) -> Ints:
        """Short axis of nodes and longest diameter of other lesions, of each row."""
        return np.where(self.node[self.lesion], self.short, self.longest)

    @cached_property
    def largest_size(self) -> Ints:
        """Largest of the recorded diameters of each row, −1 where there is none."""
        return np.maximum(np.maximum(self.longest, self.short), self.viable)

    @cached_property
    def whole_product(self) -> Ints:
        """Cross-product of each row in square micrometres, −1 where empty.

        A node's short axis is its perpendicular diameter.
        """
        across = np.where((self.across < 0) & self.node[self.lesion], self.short, self.across)
        measured = np.where((self.longest >= 0) & (across >= 0), self.longest * across, -1)
        measured = np.where((self.longest == 0) & ~self.is_sum[self.lesion], 0, measured)
        return np.where(self.product >= 0, self.product, measured)

    @cached_property
    def gone(self) -> Bools:
        """Row says that its lesion is absent or merged into another."""
        return (self.state == STATE["absent"]) | (self.state == STATE["merged"])

    @cached_property
    def seen(self) -> Bools:
        """Row shows its lesion."""
        shown = (self.state >= 0) & ~self.gone & (self.state != STATE["not_evaluable"])
        return shown | ((self.state < 0) & (self.largest_size > 0))

    @cached_property
    def site(self) -> Ints:
        """Lesion lies in the liver (0), a vessel (1) or elsewhere (2)."""
        return np.where(np.isin(self.organ, VASCULAR_CODES), 1, np.where(self.hepatic, 0, 2))

    @cached_property
    def has_parts(self) -> bool:
        """Some lesion is a part of another."""
        return bool((self.parent != np.arange(self.n_lesions)).any())

    def pick(self, evaluable: Bools) -> Ints:
        """Return, for each cell, its last evaluable row, or its last row if none is."""
        if len(self.cell_start) == len(self.lesion):
            return self.cell_start
        index = np.arange(len(self.lesion))
        last = np.append(self.cell_start[1:], len(self.lesion)) - 1
        best = np.maximum.reduceat(np.where(evaluable, index, -1), self.cell_start)
        return np.where(best >= 0, best, last)

    def any_in_cell(self, rows: Bools) -> Bools:
        """Return whether any row of each cell is marked."""
        if len(self.cell_start) == len(self.lesion):
            return rows
        return np.logical_or.reduceat(rows, self.cell_start)


def with_sums(lesions: pl.DataFrame | None, sums: pl.DataFrame | None) -> pl.DataFrame | None:
    """Return the lesion rows with each recorded sum as one more lesion (`SUM_LESION`)."""
    if sums is None or sums.is_empty():
        return lesions
    size = {
        "longest": "longest_mm",
        "viable": "viable_mm",
        "product": "product_mm2",
        "viable_product": "viable_product_mm2",
    }
    wide = (
        sums.with_columns(pl.col("measure").cast(pl.String).replace(size))
        .pivot("measure", index=["patient_id", "reader", "day"], values="sum", aggregate_function="last")
        .with_columns(
            pl.lit(SUM_LESION).alias("lesion_id"),
            pl.lit("target").cast(pl.Enum(codes.ROLE)).alias("role"),
            pl.lit("liver").cast(pl.Enum(codes.ORGAN)).alias("organ"),
        )
    )
    frames = [wide] if lesions is None else [lesions, wide]
    return pl.concat(frames, how="diagonal_relaxed").sort("patient_id", "reader", "lesion_id", "day")


def lesion_rows(
    frame: pl.DataFrame, series: Ints, scans: Scans, *, procedures: pl.DataFrame | None = None
) -> LesionRows:
    """Return the arrays of a lesion table.

    Parameters
    ----------
    frame
        Lesion rows sorted by key, from `with_sums`.
    series
        Series of each row.
    scans
        Scans of those series.
    procedures
        Local procedures, some of them on one lesion.
    """
    day = frame["day"].to_numpy()
    scan = scans.locate(series, day)
    visit = scans.scan_visit[scan]
    opens = np.ones(frame.height, dtype=np.bool_)
    name = frame["lesion_id"]
    same_name = (name == name.shift()).fill_null(value=False).to_numpy()
    opens[1:] = ~(same_name[1:] & (series[1:] == series[:-1]))
    lesion = np.cumsum(opens) - 1
    start = np.flatnonzero(opens)
    cell = opens.copy()
    cell[1:] |= visit[1:] != visit[:-1]
    cell_start = np.flatnonzero(cell)
    organ = _first_given(_codes(frame, "organ", codes.ORGAN), start)
    node = np.maximum.reduceat(_flags(frame, "node"), start) if len(start) else np.empty(0, np.int64)
    return LesionRows(
        lesion=lesion,
        series=series,
        visit=visit,
        scan=scan,
        day=day,
        state=_codes(frame, "state", codes.STATE),
        washout=_flags(frame, "washout"),
        longest=_optional(frame, "longest_mm"),
        short=_optional(frame, "short_axis_mm"),
        viable=_optional(frame, "viable_mm"),
        across=_optional(frame, "perpendicular_mm"),
        viable_across=_optional(frame, "viable_perpendicular_mm"),
        product=_optional(frame, "product_mm2", scale=1_000_000),
        viable_product=_optional(frame, "viable_product_mm2", scale=1_000_000),
        necrosis=_optional(frame, "necrosis_percent", scale=100),
        attenuation=_attenuation(frame),
        cell_start=cell_start,
        cell_lesion=lesion[cell_start],
        cell_visit=visit[cell_start],
        lesion_series=series[start],
        role=_first_given(_codes(frame, "role", codes.ROLE), start),
        organ=organ,
        node=np.where(node >= 0, node == 1, np.isin(organ, NODE_CODES)),
        is_sum=(name.gather(start) == SUM_LESION).to_numpy(),
        parent=_parents(frame, series, lesion, start),
        treated_day=_treated_days(frame, start, procedures),
    )


def criterion_length(rows: LesionRows, criterion: Criterion) -> Ints:
    """Return the diameter by which the criterion finds a lesion measurable, −1 where empty."""
    whole = rows.recist_size
    if criterion.measure in (Measure.VIABLE, Measure.VIABLE_PRODUCT):
        return np.where(rows.hepatic_row, rows.viable, whole)
    return whole


def criterion_size(rows: LesionRows, criterion: Criterion) -> Ints:
    """Return what the criterion measures on each row, in its units, −1 where empty.

    Lesions outside the liver are measured whole also by criteria of viable tissue.
    """
    hepatic = rows.hepatic_row
    if not criterion.measure.is_area:
        whole = rows.recist_size if criterion.node_rule else rows.longest
        return np.where(hepatic, rows.viable, whole) if criterion.measure.is_viable else whole
    whole = rows.whole_product
    if criterion.measure is Measure.VIABLE_PRODUCT:
        known = (rows.viable >= 0) & (rows.viable_across >= 0)
        viable = np.where(known, rows.viable * rows.viable_across, rows.viable_product)
        return np.where(hepatic, np.where(rows.viable == 0, 0, viable), whole)
    if criterion.measure is Measure.VIABLE_SHARE:
        known = (whole >= 0) & (rows.necrosis >= 0)
        viable = (whole * (10_000 - rows.necrosis) + 5_000) // 10_000
        return np.where(hepatic, np.where(known, viable, -1), whole)
    return whole


def row_values(rows: LesionRows, scans: Scans, *, criterion: Criterion, policies: Policies) -> Ints:
    """Return what each row counts as a target, in the criterion's units; −1 where it is not evaluable.

    A measured value is never imputed over; a lesion too small to measure without one counts
    ``tstm_value``. RECIST 1.1, doi:10.1016/j.ejca.2008.10.026.
    """
    value = criterion_size(rows, criterion)
    value = np.where(rows.gone, 0, value)
    small = (rows.state == STATE["too_small"]) & (value < 0)
    imputed = _too_small_um(rows, scans, policies)
    value = np.where(small, imputed**2 if criterion.measure.is_area else imputed, value)
    unread = (rows.state == STATE["not_evaluable"]) | ~scans.scan_adequate[rows.scan]
    if criterion.measure.is_viable:
        unread |= rows.hepatic_row & ~scans.scan_arterial[rows.scan]
    return np.where(unread, -1, value)


def _too_small_um(rows: LesionRows, scans: Scans, policies: Policies) -> Ints:
    constant = np.int64(round(policies.tstm_value * 1000))
    if not policies.tstm_use_slice:
        return np.full(len(rows.lesion), constant)
    return np.maximum(scans.scan_slice_um[rows.scan], constant)


def _first_given(values: Ints, start: Ints) -> Ints:
    """Return the first value ≥ 0 of each lesion, −1 where it has none."""
    if len(start) == 0:
        return np.empty(0, np.int64)
    nowhere = len(values)
    index = np.where(values >= 0, np.arange(nowhere), nowhere)
    first = np.minimum.reduceat(index, start)
    return np.where(first < nowhere, values[np.minimum(first, nowhere - 1)], -1)


def _optional(frame: pl.DataFrame, column: str, *, scale: int = 1000) -> Ints:
    if column not in frame.columns or frame[column].null_count() == frame.height:
        return np.full(frame.height, -1, dtype=np.int64)
    return scaled(frame[column], scale)


def _attenuation(frame: pl.DataFrame) -> Floats:
    if "attenuation_hu" not in frame.columns:
        return np.full(frame.height, np.nan)
    return frame["attenuation_hu"].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _codes(frame: pl.DataFrame, column: str, allowed: tuple[str, ...]) -> Ints:
    if column not in frame.columns:
        return np.full(frame.height, -1, dtype=np.int64)
    series = frame[column]
    return enum_codes(series if isinstance(series.dtype, pl.Enum) else series.cast(pl.Enum(allowed)))


def _flags(frame: pl.DataFrame, column: str) -> Ints:
    if column not in frame.columns:
        return np.full(frame.height, -1, dtype=np.int64)
    return frame[column].cast(pl.Int64).fill_null(-1).to_numpy()


def _treated_days(frame: pl.DataFrame, start: Ints, procedures: pl.DataFrame | None) -> Floats:
    """Return the day of the first local treatment of each lesion, infinity without."""
    if procedures is None or procedures["lesion_id"].null_count() == procedures.height:
        return np.full(len(start), np.inf)
    keys = ["patient_id", "lesion_id"]
    first = procedures.drop_nulls("lesion_id").group_by(keys).agg(pl.col("day").min().alias("treated"))
    named = frame.select(keys)[start].join(first, on=keys, how="left", maintain_order="left")
    return named["treated"].fill_null(np.inf).to_numpy()


def _parents(frame: pl.DataFrame, series: Ints, lesion: Ints, start: Ints) -> Ints:
    """Return, for each lesion, the lesion it is a part of by `split_from`, or itself."""
    itself = np.arange(len(start), dtype=np.int64)
    if "split_from" not in frame.columns or frame["split_from"].null_count() == frame.height:
        return itself
    names = pl.DataFrame(
        {"series": series[start], "name": frame["lesion_id"].gather(start), "parent": itself}
    )
    parts = (
        pl.DataFrame({"series": series, "lesion": lesion, "name": frame["split_from"]})
        .drop_nulls("name")
        .unique("lesion", keep="first", maintain_order=True)
        .join(names, on=["series", "name"], how="left", maintain_order="left")
        .drop_nulls("parent")
    )
    itself[parts["lesion"].to_numpy()] = parts["parent"].to_numpy()
    return itself
