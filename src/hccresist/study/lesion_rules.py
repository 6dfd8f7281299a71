"""Rules between the rows and columns of the table of lesions."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.study.codes import NODE_ORGANS
from hccresist.study.issues import Severity
from hccresist.study.policies import Policies
from hccresist.study.rows import Place, RowRule, tell_broken
from hccresist.study.study import ROW, RawTable

LARGEST_MM: Final = 300.0
"""A diameter above this is possible but rarely true."""
GROWTH_FACTOR: Final = 10.0
"""Growth from scan to scan that looks like centimetres followed by millimetres."""
NORMAL_NODE_MM: Final = 10.0
"""Short axis below which a node is normal, so that a node may be absent and measured (RECIST 1.1)."""
SIZES: Final = ("longest_mm", "short_axis_mm", "perpendicular_mm", "viable_mm", "viable_perpendicular_mm")
LESION: Final = ["patient_id", "reader", "lesion_id"]
_WARNING: Final = Severity.WARNING


def _is(*states: str) -> pl.Expr:
    return pl.col("state").cast(pl.String).is_in(states)


def _larger(column: str, than: str, problem: str, code: str) -> RowRule:
    return RowRule(
        code=code,
        broken=pl.col(column) > pl.col(than),
        problem=problem,
        column=column,
        expected=f"{than} at most",
        hint="Check both diameters.",
        severity=_WARNING,
    )


_NODE: Final = pl.coalesce("node", pl.col("organ").cast(pl.String).is_in(NODE_ORGANS), pl.lit(value=False))
_LARGEST: Final = pl.max_horizontal(*SIZES)
_MEASURED: Final = pl.any_horizontal(pl.col(size).is_not_null() for size in SIZES)
_NODE_SIZE: Final = pl.coalesce("short_axis_mm", "longest_mm")
_GONE_BUT_MEASURED: Final = pl.when(_NODE).then(_NODE_SIZE >= NORMAL_NODE_MM).otherwise(_LARGEST > 0)

LESION_RULES: Final = (
    RowRule(
        code="absent-with-size",
        broken=_is("absent") & _GONE_BUT_MEASURED,
        problem="the lesion is absent and measures {largest:g} mm",
        column="state",
        found="largest",
        expected="no diameter, or 0",
        hint="Correct the state or the diameter; a node below 10 mm may be absent and measured.",
    ),
    RowRule(
        code="merged-with-size",
        broken=_is("merged") & (_LARGEST > 0),
        problem="the lesion has merged into another and measures {largest:g} mm itself",
        column="state",
        found="largest",
        expected="no diameter",
        hint="Give the merged mass's diameter in the row of the lesion that carries it.",
    ),
    RowRule(
        code="merged-without-target",
        broken=_is("merged") & pl.col("merged_into").is_null(),
        problem="the lesion has merged, but not said into which",
        column="merged_into",
        found="state",
        expected="a lesion_id",
        hint="Name the lesion that carries the measurement in merged_into.",
    ),
    RowRule(
        code="link-to-itself",
        broken=(pl.col("merged_into") == pl.col("lesion_id")) | (pl.col("split_from") == pl.col("lesion_id")),
        problem="the lesion is linked to itself",
        column="merged_into",
        found="lesion_id",
        expected="another lesion_id",
        hint="Name the other lesion, or leave the cell empty.",
    ),
    RowRule(
        code="not-evaluable-with-size",
        broken=_is("not_evaluable") & _MEASURED,
        problem="the lesion is not evaluable and measures {largest:g} mm; the number is not used",
        column="state",
        found="largest",
        expected="no diameter",
        hint="Leave the state empty where the number counts.",
        severity=_WARNING,
    ),
    RowRule(
        code="present-with-zero",
        broken=_is("present", "equivocal", "worsened", "unequivocal_progression")
        & pl.when(_NODE).then(_NODE_SIZE == 0).otherwise(pl.col("longest_mm") == 0),
        problem="the lesion is there and measures 0 mm; the number counts",
        column="state",
        found="state",
        expected="absent",
        hint="Write absent where the lesion is gone, too_small where it cannot be measured.",
        severity=_WARNING,
    ),
    RowRule(
        code="nothing-recorded",
        broken=~_MEASURED & pl.col("state").is_null(),
        problem="there is neither a diameter nor a state: the lesion counts as not evaluable",
        column="state",
        expected="a diameter or a state",
        hint="Fill in what is known, or write not_evaluable.",
        severity=_WARNING,
    ),
    RowRule(
        code="node-without-short-axis",
        broken=_NODE & pl.col("short_axis_mm").is_null() & (pl.col("longest_mm") > 0),
        problem="a node is measured by its short axis, which is empty: it counts as not evaluable",
        column="short_axis_mm",
        found="longest_mm",
        expected="the short axis in mm",
        hint="Fill in short_axis_mm, or set node to false.",
        severity=_WARNING,
    ),
    RowRule(
        code="lesion-without-longest",
        broken=~_NODE & pl.col("longest_mm").is_null() & (pl.col("short_axis_mm") > 0),
        problem="the lesion is no node, so its short axis does not count, and longest_mm is empty",
        column="longest_mm",
        found="short_axis_mm",
        expected="the longest diameter in mm",
        hint="Fill in longest_mm, or set node to true.",
        severity=_WARNING,
    ),
    RowRule(
        code="implausible-size",
        broken=_LARGEST > LARGEST_MM,
        problem="a diameter of {largest:g} mm is rare",
        column="longest_mm",
        found="largest",
        expected=f"{LARGEST_MM:g} mm at most",
        hint="Check the number and its unit.",
        severity=_WARNING,
    ),
    _larger(
        "perpendicular_mm",
        "longest_mm",
        "the perpendicular diameter ({perpendicular_mm:g} mm) is larger than the longest ({longest_mm:g} mm)",
        "perpendicular-above-longest",
    ),
    _larger(
        "short_axis_mm",
        "longest_mm",
        "the short axis ({short_axis_mm:g} mm) is larger than the longest diameter ({longest_mm:g} mm)",
        "short-axis-above-longest",
    ),
    _larger(
        "viable_mm",
        "longest_mm",
        "the viable diameter ({viable_mm:g} mm) is larger than the longest ({longest_mm:g} mm)",
        "viable-above-longest",
    ),
    _larger(
        "viable_perpendicular_mm",
        "viable_mm",
        "the perpendicular viable diameter ({viable_perpendicular_mm:g} mm) is larger than the viable one"
        " ({viable_mm:g} mm)",
        "viable-perpendicular-above-viable",
    ),
)


def check_lesions(lesions: RawTable, policies: Policies, place: Place) -> None:
    """Check what is said of lesions: within a row, from scan to scan, and between lesions.

    Parameters
    ----------
    lesions
        Checked table, sorted by key, with `ROW`.
    policies
        `baseline_window_end` says until when a scan can be the baseline.
    place
        The file and the log.
    """
    frame = lesions.frame
    tell_broken(LESION_RULES, frame.with_columns(largest=_LARGEST), place)
    frame = frame.with_columns(lesion=pl.struct(LESION).rle_id())
    for size in ("longest_mm", "short_axis_mm", "viable_mm"):
        _check_growth(frame, size, place)
    facts = _lesion_facts(frame)
    _check_roles(frame, facts, place)
    if not place.has_told("ragged-row"):
        _check_baseline(frame, facts, policies.baseline_window_end, place)
    _check_merged(frame, facts, place)
    for column in ("merged_into", "split_from"):
        _check_link(frame, column, place)
    _check_circles(frame, place)


def _check_growth(frame: pl.DataFrame, size: str, place: Place) -> None:
    measured = frame.select("patient_id", "lesion", "lesion_id", "day", size, ROW).filter(pl.col(size) > 0)
    same = pl.col("lesion") == pl.col("lesion").shift()
    before = measured.with_columns(before=pl.when(same).then(pl.col(size).shift()))
    place.tell(
        before.filter(pl.col(size) >= GROWTH_FACTOR * pl.col("before")),
        "unit-slip",
        f"lesion {{lesion_id}} grew from {{before:g}} to {{{size}:g}} mm between two scans",
        column=size,
        found=size,
        expected=f"less than {GROWTH_FACTOR:g} times the size before",
        hint="Check whether one of the two was given in centimetres.",
        severity=_WARNING,
    )


def _lesion_facts(frame: pl.DataFrame) -> pl.DataFrame:
    """Return one row a lesion: what of it concerns all its scans."""
    role = pl.col("role").to_physical()
    return frame.group_by("lesion", maintain_order=True).agg(
        low=role.min(),
        high=role.max(),
        target=(pl.col("role") == "target").any(),
        first_day=pl.col("day").min(),
        undated=pl.col("day").null_count() > 0,
        part=pl.col("split_from").is_not_null().any(),
        linked=pl.col("merged_into").is_not_null().any(),
        merged=(pl.col("state") == "merged").any(),
    )


def _first_rows(frame: pl.DataFrame, lesions: pl.Series) -> pl.DataFrame:
    """Return the first row of each of some lesions."""
    rows = frame.filter(pl.col("lesion").is_in(lesions.implode()))
    return rows.unique("lesion", keep="first", maintain_order=True)


def _check_roles(frame: pl.DataFrame, facts: pl.DataFrame, place: Place) -> None:
    """Tell lesions that change their role; a new lesion may become measurable."""
    changing = facts.filter(pl.col("low") != pl.col("high"))
    if not changing.is_empty():
        rows = frame.filter(
            pl.col("lesion").is_in(changing["lesion"].implode()) & pl.col("role").is_not_null()
        )
        first = rows.with_columns(
            role=pl.col("role").cast(pl.String),
            first_role=pl.col("role").first().over("lesion").cast(pl.String),
            first_row=pl.col(ROW).first().over("lesion"),
        ).filter(pl.col("role") != pl.col("first_role"))
        first = first.unique("lesion", keep="first", maintain_order=True)
        both_new = pl.col("role").str.starts_with("new_") & pl.col("first_role").str.starts_with("new_")
        for rows, severity in ((first.filter(~both_new), Severity.ERROR), (first.filter(both_new), _WARNING)):
            place.tell(
                rows,
                "role-changed",
                "lesion {lesion_id} is {role} here and {first_role} in line {first_row}",
                column="role",
                found="role",
                expected="one role at every scan",
                hint="Correct one of the rows; a lesion keeps the role it had at baseline.",
                severity=severity,
            )
    _check_missing_roles(frame, facts, place)


def _check_missing_roles(frame: pl.DataFrame, facts: pl.DataFrame, place: Place) -> None:
    bare = facts.filter(pl.col("low").is_null())
    if bare.is_empty() or bare.height == facts.height:
        return
    series = frame.filter(pl.col("role").is_not_null()).select("patient_id", "reader").unique()
    place.tell(
        _first_rows(frame, bare["lesion"]).join(series, on=["patient_id", "reader"], how="semi"),
        "role-missing",
        "lesion {lesion_id} has no role, while others of the patient have one",
        column="role",
        expected="target, nontarget, new_target or new_nontarget",
        hint="Fill it in: it is taken as a non-target if it was there at baseline, as new if not.",
        severity=_WARNING,
    )


def _check_baseline(frame: pl.DataFrame, facts: pl.DataFrame, end: float, place: Place) -> None:
    """Tell targets that were not there at baseline, and new lesions that were."""
    late = facts.filter(pl.col("target") & (pl.col("first_day") > end) & ~pl.col("part") & ~pl.col("undated"))
    place.tell(
        _first_rows(frame, late["lesion"]),
        "target-without-baseline",
        "target lesion {lesion_id} has no row at baseline: its first is on day {day:g}",
        column="day",
        found="day",
        expected=f"a row on day {end:g} or before",
        hint="Add its baseline row; give a new lesion the role new_target, and name in split_from the lesion"
        " that a part comes from.",
    )
    early = pl.col("role").cast(pl.String).str.starts_with("new_") & (pl.col("day") <= end)
    place.tell(
        frame.filter(early).unique("lesion", keep="first", maintain_order=True),
        "new-at-baseline",
        "lesion {lesion_id} is new, but was there on day {day:g}, at or before baseline",
        column="role",
        found="day",
        expected=f"a day after {end:g}",
        hint="Call it target or nontarget, or correct the day.",
    )


def _check_merged(frame: pl.DataFrame, facts: pl.DataFrame, place: Place) -> None:
    unmerged = facts.filter(pl.col("linked") & ~pl.col("merged").fill_null(value=False))
    if unmerged.is_empty():
        return
    place.tell(
        _first_rows(frame.filter(pl.col("merged_into").is_not_null()), unmerged["lesion"]),
        "link-without-merger",
        "merged_into names a lesion, but the state is not merged",
        column="merged_into",
        found="merged_into",
        expected="state merged",
        hint="Write merged as the state from the scan at which they had merged.",
        severity=_WARNING,
    )


def _check_link(frame: pl.DataFrame, column: str, place: Place) -> None:
    rows = frame.filter(pl.col(column).is_not_null())
    if rows.is_empty():
        return
    known = frame.select("patient_id", "reader", pl.col("lesion_id").alias(column)).unique()
    place.tell(
        rows.join(known, on=["patient_id", "reader", column], how="anti"),
        "unknown-lesion",
        f"{column} names a lesion that the patient does not have (for this reader)",
        column=column,
        found=column,
        expected="a lesion_id of the same patient and reader",
        hint="Correct the identifier.",
    )


def _check_circles(frame: pl.DataFrame, place: Place) -> None:
    """Tell lesions that have merged into each other, so that none carries the measurement."""
    rows = frame.filter(pl.col("merged_into").is_not_null() & (pl.col("merged_into") != pl.col("lesion_id")))
    if rows.is_empty():
        return
    links = rows.unique(LESION, keep="last", maintain_order=True)
    step = links.select(*LESION, "merged_into")
    at = links.select(*LESION, ROW, "merged_into", start="lesion_id", at="merged_into")
    circles: list[pl.DataFrame] = []
    longest = links.group_by("patient_id", "reader").len()["len"].to_list()
    for _ in range(max(longest)):
        at = (
            at.join(
                step.select("patient_id", "reader", at="lesion_id", next="merged_into"),
                on=["patient_id", "reader", "at"],
            )
            .with_columns(at="next")
            .drop("next")
        )
        circles.append(at.filter(pl.col("at") == pl.col("start")))
        at = at.filter(pl.col("at") != pl.col("start"))
        if at.is_empty():
            break
    found = pl.concat(circles) if circles else at
    place.tell(
        found.unique(ROW),
        "merged-in-a-circle",
        "lesion {lesion_id} has merged into {merged_into}, which has merged into it in turn",
        column="merged_into",
        found="merged_into",
        expected="a lesion that goes on being measured",
        hint="Let one of them carry the measurement.",
    )
