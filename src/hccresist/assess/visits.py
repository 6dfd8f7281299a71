"""Scans of one reader, grouped into visits; which visit is the baseline.

All arrays are flat and sorted: series (patient × reader), then day. `docs/explanation/
response-engine.md`, steps 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.study import codes
from hccresist.study.policies import Policies

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

KEYS: Final = ["patient_id", "reader"]
_SPAN: Final = float(2**21)
_OFFSET: Final = float(2**20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scans:
    """Scans and visits of a set of series.

    Attributes
    ----------
    series
        Columns patient_id, reader; the row number is the series.
    scan_key
        Sorted key of each scan, for `locate`.
    scan_visit
        Visit of each scan.
    scan_adequate, scan_arterial
        Per scan: not known to be inadequate; not known to lack the arterial phase.
    scan_slice_um
        Slice thickness, −1 where unknown.
    visit_series, visit_first, visit_last
        Per visit: its series, first and last scan day.
    flags
        Per visit: what the table `visits` says (see `VisitFlags`).
    """

    series: pl.DataFrame
    scan_key: Floats
    scan_day: Floats
    scan_visit: Ints
    scan_adequate: Bools
    scan_arterial: Bools
    scan_slice_um: Ints
    visit_series: Ints
    visit_first: Floats
    visit_last: Floats
    flags: VisitFlags

    @property
    def n_visits(self) -> int:
        """Number of visits."""
        return len(self.visit_series)

    def locate(self, series: Ints, day: Floats) -> Ints:
        """Return the scan of each (series, day)."""
        return np.searchsorted(self.scan_key, _scan_key(series, day))


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitFlags:
    """What the table `visits` says of each visit.

    Attributes
    ----------
    new_lesion, new_lesion_day
        A new lesion was recorded, and the first day of the visit on which it was.
    fluid_positive, fluid_day
        Cytology of new or larger fluid is positive, and the first day of the visit on which it is.
    markers_abnormal
        Tumour markers are known not to be normal.
    nontarget, target_override
        Recorded responses as index into `codes.NONTARGET` and `OVERRIDES`; −1 where not recorded.
    """

    new_lesion: Bools
    new_lesion_day: Floats
    fluid_positive: Bools
    fluid_day: Floats
    markers_abnormal: Bools
    nontarget: Ints
    target_override: Ints


OVERRIDES: Final = ("CR", "PR", "SD", "PD", "NE")


def gather_scans(
    series: pl.DataFrame, tables: dict[str, pl.DataFrame], policies: Policies
) -> tuple[Scans, dict[str, Ints]]:
    """Return scans and visits of the series, and for each table the series of its rows.

    Parameters
    ----------
    series
        Columns patient_id, reader, sorted, one row a series.
    tables
        Any of lesions, sums, visits, each sorted by key.
    policies
        `visit_window_days`, `baseline_window_end`.
    """
    numbered = series.with_row_index("series")
    ids = {name: series_of(frame, numbered) for name, frame in tables.items()}
    days = {name: frame["day"].to_numpy() for name, frame in tables.items()}
    both = pl.DataFrame(
        {
            "series": np.concatenate([np.empty(0, np.int64), *ids.values()]),
            "day": np.concatenate([np.empty(0, np.float64), *days.values()]),
        }
    )
    scans = both.unique().sort("series", "day")
    scan_series, scan_day = scans["series"].to_numpy(), scans["day"].to_numpy()
    visit = group_scans(
        scan_series, scan_day, window=policies.visit_window_days, border=policies.baseline_window_end
    )
    firsts = np.flatnonzero(np.diff(visit, prepend=-1))
    lasts = np.append(firsts[1:], len(visit)) - 1
    key = _scan_key(scan_series, scan_day)
    table = tables.get("visits")
    rows = None if table is None else np.searchsorted(key, _scan_key(ids["visits"], days["visits"]))
    return Scans(
        series=series,
        scan_key=key,
        scan_day=scan_day,
        scan_visit=visit,
        scan_adequate=_not_false(table, rows, "adequate", len(key)),
        scan_arterial=_not_false(table, rows, "arterial_phase", len(key)),
        scan_slice_um=_slice_um(table, rows, len(key)),
        visit_series=scan_series[firsts],
        visit_first=scan_day[firsts],
        visit_last=scan_day[lasts] if len(firsts) else scan_day[:0],
        flags=_visit_flags(table, rows, visit=visit, day=scan_day, n=len(firsts)),
    ), ids


def series_of(frame: pl.DataFrame, numbered: pl.DataFrame) -> Ints:
    """Return the series of each row of a frame in which the rows of a series stand together."""
    if frame.is_empty():
        return np.empty(0, np.int64)
    change = pl.any_horizontal(pl.col(key) != pl.col(key).shift() for key in KEYS).fill_null(value=True)
    opens = frame.select(change).to_series()
    firsts = frame.filter(opens).select(KEYS).join(numbered, on=KEYS, how="left", maintain_order="left")
    run = np.cumsum(opens.to_numpy()) - 1
    return firsts["series"].to_numpy().astype(np.int64)[run]


def group_scans(series: Ints, day: Floats, *, window: float, border: float) -> Ints:
    """Return the visit of each scan.

    A scan opens a visit when it is the first of its series, lies more than `window` days after the
    first scan of the current visit, or is the first one after `border` (so that no visit holds scans
    from before and after the start of treatment).

    Parameters
    ----------
    series, day
        Shape (n_scans,), sorted by series, then day.
    window, border
        In days.
    """
    if len(series) == 0:
        return np.empty(0, np.int64)
    opens = np.ones(len(series), dtype=np.bool_)
    same = series[1:] == series[:-1]
    crosses = (day[:-1] <= border) & (day[1:] > border)
    opens[1:] = ~same | crosses | (np.diff(day) > window)
    index = np.arange(len(series))
    while True:
        first = np.maximum.accumulate(np.where(opens, index, 0))
        late = ~opens & (day - day[first] > window)
        # Only the first late scan of a visit surely opens one: later ones are judged from it.
        late[1:] &= ~(late[:-1] & (first[1:] == first[:-1]))
        if not late.any():
            return np.cumsum(opens) - 1
        opens |= late


def find_baselines(scans: Scans, *, has_rows: Bools, needs_arterial: bool, policies: Policies) -> Ints:
    """Return the baseline visit of each series, −1 where there is none.

    The last adequate visit whose day lies in the baseline window; visits with lesion rows are
    preferred to those without. RECIST 1.1, doi:10.1016/j.ejca.2008.10.026, section 4.1.
    """
    usable_scan = scans.scan_adequate & (scans.scan_arterial if needs_arterial else True)
    usable = np.zeros(scans.n_visits, dtype=np.bool_)
    usable[scans.scan_visit[usable_scan]] = True
    inside = (scans.visit_last >= policies.baseline_window_start) & (
        scans.visit_last <= policies.baseline_window_end
    )
    candidates = np.flatnonzero(usable & inside)
    baseline = np.full(scans.series.height, -1, dtype=np.int64)
    baseline[scans.visit_series[candidates]] = candidates  # ascending: the last one stays
    measured = candidates[has_rows[candidates]]
    baseline[scans.visit_series[measured]] = measured
    return baseline


def _scan_key(series: Ints, day: Floats) -> Floats:
    return series * _SPAN + (day + _OFFSET)


def _not_false(table: pl.DataFrame | None, rows: Ints | None, column: str, n: int) -> Bools:
    result = np.ones(n, dtype=np.bool_)
    if table is not None and rows is not None:
        false = table[column].fill_null(value=True).not_().to_numpy()
        result[rows[false]] = False
    return result


def _slice_um(table: pl.DataFrame | None, rows: Ints | None, n: int) -> Ints:
    result = np.full(n, -1, dtype=np.int64)
    if table is not None and rows is not None:
        result[rows] = scaled(table["slice_mm"], 1000)
    return result


def scaled(column: pl.Series, scale: int) -> Ints:
    """Return numbers as whole parts of a unit (1000: micrometres of mm), −1 where there is none."""
    return (column * scale).round().cast(pl.Int64).fill_null(-1).to_numpy()


def enum_codes(column: pl.Series) -> Ints:
    """Return the position of each value in the code list of the column, −1 where empty."""
    return column.to_physical().cast(pl.Int64).fill_null(-1).to_numpy()


def _visit_flags(
    table: pl.DataFrame | None, rows: Ints | None, *, visit: Ints, day: Floats, n: int
) -> VisitFlags:
    new_lesion = np.zeros(n, dtype=np.bool_)
    new_day = np.full(n, np.inf)
    fluid = np.zeros(n, dtype=np.bool_)
    fluid_day = np.full(n, np.inf)
    markers = np.full(n, -1, dtype=np.int64)
    nontarget = np.full(n, -1, dtype=np.int64)
    override = np.full(n, -1, dtype=np.int64)
    if table is not None and rows is not None:
        at = visit[rows]
        seen = table["new_lesion"].fill_null(value=False).to_numpy()
        new_lesion[at[seen]] = True
        np.minimum.at(new_day, at[seen], day[rows[seen]])
        positive = enum_codes(table["fluid_cytology"]) == codes.FLUID_CYTOLOGY.index("positive")
        fluid[at[positive]] = True
        np.minimum.at(fluid_day, at[positive], day[rows[positive]])
        for column, result in (("nontarget", nontarget), ("target_override", override)):
            _last_given(result, at, enum_codes(table[column]))
        _last_given(markers, at, table["markers_normal"].cast(pl.Int64).fill_null(-1).to_numpy())
    return VisitFlags(
        new_lesion=new_lesion,
        new_lesion_day=new_day,
        fluid_positive=fluid,
        fluid_day=fluid_day,
        markers_abnormal=markers == 0,
        nontarget=nontarget,
        target_override=override,
    )


def _last_given(result: Ints, at: Ints, values: Ints) -> None:
    given = values >= 0
    result[at[given]] = values[given]  # rows are in order of day: the last one stays
