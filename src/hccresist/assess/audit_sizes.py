"""Checks of recorded measurements: slips, jumps, lesions that return or get lost, and sums."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.assess.audit_case import AuditCase
from hccresist.assess.audit_check import OURS, RECIST, Check, Finding, find, say
from hccresist.assess.audit_frames import LESION
from hccresist.assess.visits import KEYS

SLIP: Final = (8.0, 12.5)
"""Ratio of two sizes that looks like centimetres beside millimetres (10, with room for true change)."""
JUMP_FACTOR: Final = 3.0
"""Growth or shrinkage of a diameter between two scans that is seldom true."""
JUMP_MM: Final = 20.0
"""Smallest larger size of the two for which a jump is told."""
RETURN_SHARE: Final = 0.8
"""Share of its old size with which a lesion that was absent comes back."""
RETURN_MM: Final = 10.0
"""Smallest old size for which a return is told."""
ROUNDING_MM: Final = 0.5
"""What rounding of one size to whole millimetres, before sizes are added up, can change."""

_SIZE: Final = pl.col("size_mm")
_BEFORE, _DAY_BEFORE = pl.col("before"), pl.col("day_before")


def _before(column: str) -> pl.Expr:
    """Return the value in the row before, where that belongs to the same lesion; rows are sorted by key."""
    same = pl.col("lesion") == pl.col("lesion").shift()
    return pl.when(same).then(pl.col(column).shift())


def _pairs(case: AuditCase) -> pl.DataFrame:
    """Return each measured size with the one before it; whether it slipped, or came back from a slip."""
    rows = case.lesions.filter(_SIZE > 0).with_columns(before=_before("size_mm"), day_before=_before("day"))
    rows = rows.drop_nulls("before").with_row_index("row")
    ratio = _SIZE / _BEFORE
    up, down = ratio.is_between(*SLIP), (1 / ratio).is_between(*SLIP)
    rows = rows.with_columns(slip=pl.when(up).then(1).when(down).then(-1).otherwise(0))
    return rows.join(_returns_from_slips(rows), on="row", how="left", maintain_order="left").with_columns(
        pl.col("back").fill_null(value=False)
    )


def _returns_from_slips(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows in which a size only comes back from a slip: every other one of a run to and fro."""
    slipped = rows.filter(pl.col("slip") != 0).select("row", "lesion", "slip")
    follows = (_before("slip") == -pl.col("slip")) & (pl.col("row") == pl.col("row").shift() + 1)
    runs = slipped.with_columns(run=(~follows.fill_null(value=False)).cum_sum())
    place = pl.int_range(pl.len()).over("run")
    return runs.select("row", back=place % 2 == 1)


def _sizes(text: str) -> pl.Expr:
    return pl.format(
        f"{{}} mm on day {{}}, {{}} mm on day {{}}: {text}.",
        say("before"),
        say("day_before"),
        say("size_mm"),
        say("day"),
    )


_FOUND: Final = pl.format("{} mm after {} mm", say("size_mm"), say("before"))


def unit_slips(case: AuditCase) -> Finding:
    """Return sizes about ten times, or a tenth of, the size before."""
    return find(
        _pairs(case),
        (pl.col("slip") != 0) & ~pl.col("back"),
        found=_FOUND,
        expected=pl.lit("the same unit at every scan"),
        reason=_sizes("the ratio is that of centimetres and millimetres"),
    )


def size_jumps(case: AuditCase) -> Finding:
    """Return sizes that more than tripled between two scans, and are no slip of units."""
    return _far(case, _SIZE / _BEFORE, "seldom true between two scans of one lesion")


def size_drops(case: AuditCase) -> Finding:
    """Return sizes that fell to less than a third between two scans, and are no slip of units."""
    return _far(case, _BEFORE / _SIZE, "a deep response, or another lesion")


def _far(case: AuditCase, ratio: pl.Expr, text: str) -> Finding:
    large = pl.max_horizontal("size_mm", "before") >= JUMP_MM
    return find(
        _pairs(case),
        (ratio > JUMP_FACTOR) & (pl.col("slip") == 0) & large,
        found=_FOUND,
        expected=pl.lit(f"a change by less than a factor of {JUMP_FACTOR:g}"),
        reason=_sizes(text),
    )


def returns(case: AuditCase) -> Finding:
    """Return lesions that were absent and came back at about their old size."""
    row = pl.int_range(pl.len())
    last = pl.when(pl.col("value_mm") > 0).then(row).otherwise(0).cum_max().shift(fill_value=0)
    rows = case.lesions.drop_nulls("value_mm").with_columns(
        before=_before("value_mm"), day_before=_before("day"), last_row=last
    )
    old = {f"old_{name}": pl.col(name).gather("last_row") for name in ("value_mm", "lesion")}
    rows = rows.with_columns(**old).rename({"old_value_mm": "old"})
    rows = rows.filter(_BEFORE == 0, pl.col("old_lesion") == pl.col("lesion"))
    return find(
        rows,
        (RETURN_SHARE * pl.col("old") <= _SIZE) & (pl.col("old") >= RETURN_MM),
        found=pl.format("{} mm", say("size_mm")),
        expected=pl.lit("a lesion that stays absent, or returns small"),
        reason=pl.format(
            "Absent on day {}, {} mm before that and {} mm now.",
            say("day_before"),
            say("old"),
            say("size_mm"),
        ),
    )


def lost_targets(case: AuditCase) -> Finding:
    """Return targets of the baseline without a row at a later visit at which other lesions have one."""
    targets = case.targets.select(*LESION, "lesion", "series", "baseline_day")
    later = case.lesions.filter(pl.col("first") > case.policies.baseline_window_end)
    visits = later.select("series", "visit", day="last").unique("visit", maintain_order=True)
    wanted = targets.join(visits, on="series", how="inner", maintain_order="left")
    lost = wanted.join(later, on=["lesion", "visit"], how="anti", maintain_order="left")
    rows = find(
        lost,
        pl.lit(value=True),
        found=pl.lit("no row"),
        expected=pl.lit("a row: measured, absent or not evaluable"),
        reason=pl.format(
            "The target was recorded on day {}, and other lesions were at this visit.", say("baseline_day")
        ),
    ).rows
    return Finding(wanted.height, rows)


def sums_against_lesions(case: AuditCase) -> Finding:
    """Return recorded sums that differ from the sum of the targets recorded at the same scan."""
    targets = case.lesions.filter(pl.col("role") == "target")
    added = targets.group_by(*KEYS, "day").agg(
        added=pl.col("value_mm").sum(), n=pl.len(), missing=pl.col("value_mm").null_count()
    )
    rows = case.recorded_sums.join(added, on=[*KEYS, "day"], how="inner", maintain_order="left")
    rows = rows.with_columns(seen=pl.col("n") - pl.col("missing")).filter(pl.col("seen") > 0)
    return find(
        rows,
        (pl.col("sum") - pl.col("added")).abs().round(3) > ROUNDING_MM * pl.col("seen"),
        found=pl.format("{} mm", say("sum")),
        expected=pl.format("{} mm", say("added")),
        reason=pl.format(
            "{} of {} targets recorded on this day were evaluated and add up to {} mm.",
            "seen",
            "n",
            say("added"),
        ),
    )


def measured_twice(case: AuditCase) -> Finding:
    """Return lesions with two different sizes on two days of one visit."""
    sizes = case.lesions.drop_nulls("size_mm")
    again = (pl.col("lesion") == pl.col("lesion").shift()) & (pl.col("visit") == pl.col("visit").shift())
    again = again.fill_null(value=False)
    cells = sizes.with_columns(cell=(~again).cum_sum())
    several = cells.filter(again | again.shift(-1, fill_value=False)).rechunk()
    rows = several.group_by(*LESION, "cell", maintain_order=True).agg(
        pl.col("last").first().alias("day"),
        kinds=_SIZE.n_unique(),
        text=pl.format("{} mm on day {}", say("size_mm"), say("day")).str.join(", "),
    )
    return find(
        rows,
        pl.col("kinds") > 1,
        found=pl.col("text"),
        expected=pl.lit("one size a visit"),
        reason=pl.lit(
            f"Scans within {case.policies.visit_window_days:g} days of a visit's first form one visit; the"
            " last size counts."
        ),
    )


CHECKS: Final = (
    Check(
        name="unit-slip",
        what="a size about ten times, or a tenth of, the size before",
        rule=f"a ratio of {SLIP[0]:g} to {SLIP[1]:g} between two sizes of a lesion looks like cm beside mm",
        source=OURS,
        severity="error",
        needs=("lesions",),
        run=unit_slips,
    ),
    Check(
        name="size-jump",
        what="a size that grew more between two scans than is plausible",
        rule=f"growth by a factor above {JUMP_FACTOR:g} between two scans, to {JUMP_MM:g} mm or more",
        source=OURS,
        severity="warning",
        needs=("lesions",),
        run=size_jumps,
    ),
    Check(
        name="size-drop",
        what="a size that fell so far between two scans that it may be another lesion's",
        rule=f"a fall by a factor above {JUMP_FACTOR:g} between two scans, from {JUMP_MM:g} mm or more",
        source=OURS,
        severity="note",
        needs=("lesions",),
        run=size_drops,
    ),
    Check(
        name="returned-at-old-size",
        what="a lesion that was absent and came back at about its old size",
        rule=f"absent at the scan before, now {100 * RETURN_SHARE:g} % or more of {RETURN_MM:g} mm or more",
        source=f"{OURS}; recist.eortc.org (on lesions that return) asks whether it was ever gone",
        severity="warning",
        needs=("lesions",),
        run=returns,
    ),
    Check(
        name="target-lost",
        what="a target of the baseline without a row at a later visit",
        rule="every target is assessed at every visit",
        source=RECIST,
        severity="warning",
        needs=("recorded targets",),
        run=lost_targets,
    ),
    Check(
        name="sum-against-lesions",
        what="a recorded sum that is not the sum of the recorded targets",
        rule=f"short axes of nodes and longest diameters of others make the sum ({ROUNDING_MM:g} mm each)",
        source=f"{RECIST}; the tolerance is ours",
        severity="error",
        needs=("recorded targets", "recorded sums"),
        run=sums_against_lesions,
    ),
    Check(
        name="measured-twice",
        what="a lesion with two different sizes within one visit",
        rule="one measurement of a lesion a visit; policy visit_window_days",
        source=OURS,
        severity="note",
        needs=("lesions",),
        run=measured_twice,
    ),
)
