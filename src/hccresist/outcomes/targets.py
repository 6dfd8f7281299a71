"""What a simulator is held against: every verified published number, and whether it may be fitted.

Rules, in this order, the first that holds:

1. excluded: a drug that the model does not know, in the arm or in the arm it is compared with; a subgroup;
   patients of another arm counted again; an external or weighted control; criteria that *assess* does not
   have (RECIST 1.0, RECICL); a sensitivity analysis; an earlier data cut of the same number; a number
   without limits of which none can be made.
2. check: what an arm has beside its fitted numbers; criteria not named; limits that rest on a number of
   patients from memory; a median not reached.
3. fit: of each group of patients the first number of `RANKS` in each family (response, progression,
   survival). A hazard ratio is fitted only where the arm has nothing else in its family, so that hazard
   ratio, median and landmark of one arm are one observation.

Response patterns and biomarkers are never fitted: they come from routine care, from parts of arms, or give
an effect of a marker and not an endpoint of an arm. Those that the simulator gives are checks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Final

import polars as pl

from hccresist.errors import ComputationError
from hccresist.outcomes.limits import Interval, keep_printed, rebuild
from hccresist.outcomes.published import name_kind
from hccresist.outcomes.target_cohorts import (
    COUNTED_AGAIN,
    Cohort,
    name_group,
    name_programmes,
    slug,
)
from hccresist.outcomes.target_studies import marker_row, pattern_row
from hccresist.outcomes.target_table import TABLES, Row, Targets, interval_columns, split_regimen

TARGETS_FILE: Final = "targets.csv"
"""Shipped table, in `src/hccresist/data/trials`."""


RANKS: Final = (
    "ORR", "DCR",
    "mPFS", "PFS_6mo", "PFS_12mo", "PFS_18mo", "PFS_24mo", "PFS_36mo", "mTTP", "HR_PFS", "HR_TTP",
    "mOS", "OS_12mo", "OS_18mo", "OS_24mo", "OS_6mo", "OS_9mo", "OS_36mo", "OS_48mo", "OS_60mo", "HR_OS",
)  # fmt: skip
"""Endpoints that may be fitted, the first choice first; CR, PR, SD, PD and durations are checks."""

_CRITERIA: Final = ("RECIST 1.1", "mRECIST", "iRECIST")
_INDEPENDENT: Final = ("BICR", "BIRC", "IRC", "IRF", "IRRC", "independent")
_CUTS: Final = ("long-term", "final", "updated", "")
_SENSITIVITY: Final = "sensitivity"
_DURATIONS: Final = ("mDoR",)
PROCEDURES: Final = ("TACE", "placebo")


@dataclass(frozen=True, slots=True)
class _Draft:
    """A row on its way: `use` is empty while it may still be fitted."""

    row: Row
    arm: Row
    key: str
    cohort: Cohort
    interval: Interval
    limits_n: int | None
    use: str = ""
    reason: str = ""

    @property
    def family(self) -> str:
        return name_family(str(self.row["endpoint"]))


def make_targets(tables: Mapping[str, pl.DataFrame], *, modelled: Collection[str]) -> pl.DataFrame:
    """Give every verified row a use, a reason, its patients and its limits.

    Parameters
    ----------
    tables
        `arms`, `endpoints_long`, `response_patterns` and `biomarkers` as `published.read_trials` gives them.
    modelled
        Drugs that the model knows; TACE and placebo are always known.

    Returns
    -------
    pl.DataFrame
        Table `Targets`, sorted by key.

    Raises
    ------
    ComputationError
        When an arm is held out yet has numbers, or two rows have one key.
    """
    arms = {str(row["arm_id"]): row for row in tables["arms"].iter_rows(named=True)}
    programmes = name_programmes(arms.values())
    known = {*modelled, *PROCEDURES}
    verified = {name: tables[name].filter("verified").to_dicts() for name in TABLES}
    _check_held_out(verified["endpoints_long"], arms)
    responders = _count_responders(verified["endpoints_long"])
    drafts = [_start(row, arms, responders, programmes) for row in verified["endpoints_long"]]
    drafts = _choose(_drop_earlier_cuts([_judge(draft, arms, known) for draft in drafts]))
    rows = [_finish(draft) for draft in drafts]
    rows += [pattern_row(row, known, programmes) for row in verified["response_patterns"]]
    rows += [marker_row(row, known, programmes) for row in verified["biomarkers"]]
    twice = sorted(key for key, count in Counter(str(row["key"]) for row in rows).items() if count > 1)
    if twice:
        msg = f"targets: several rows have one key: {', '.join(twice)}."
        raise ComputationError(msg)
    return Targets.cast(pl.DataFrame(rows, infer_schema_length=None)).sort("key")


@cache
def read_targets() -> pl.DataFrame:
    """Read the shipped table of targets, as `Targets`; `benchmarks/make_targets.py` makes it."""
    path = files("hccresist") / "data" / "trials" / TARGETS_FILE
    text = pl.read_csv(path.read_bytes(), infer_schema=False)
    flag = pl.col("not_reached").replace_strict({"true": True, "false": False})
    return Targets.cast(text.with_columns(flag))


def name_family(endpoint: str) -> str:
    """Return the family of an endpoint of `endpoints_long`.

    Examples
    --------
    >>> [name_family(name) for name in ("ORR", "HR_PFS", "mDoR", "OS_12mo")]
    ['response', 'progression', 'progression', 'survival']
    """
    families = {"OS": "survival", "PFS": "progression", "TTP": "progression", "DoR": "progression"}
    return families.get(name_kind(endpoint), "response")


def _check_held_out(rows: Iterable[Row], arms: Mapping[str, Row]) -> None:
    named = {str(arm) for row in rows for arm in (row["arm_id"], row["comparator_arm"]) if arm}
    wrong = sorted(arm for arm in named if arms[arm]["heldout"])
    if wrong:
        msg = f"targets: held-out arms have numbers: {', '.join(wrong)}."
        raise ComputationError(msg)


def _count_responders(rows: Iterable[Row]) -> dict[str, int]:
    """Return the responders of each arm by its first response rate, an independent one if any."""
    counts: dict[str, tuple[tuple[int, ...], int]] = {}
    for row in rows:
        if row["endpoint"] == "ORR" and row["n"]:
            place, count = _rank(row), round(row["value"] * row["n"] / 100)
            if row["arm_id"] not in counts or place < counts[row["arm_id"]][0]:
                counts[row["arm_id"]] = (place, count)
    return {arm: count for arm, (_, count) in counts.items()}


def _start(
    row: Row, arms: Mapping[str, Row], responders: Mapping[str, int], programmes: Mapping[str, str]
) -> _Draft:
    arm = arms[row["arm_id"]]
    n = responders.get(row["arm_id"]) if row["endpoint"] in _DURATIONS else row["n"]
    interval, limits_n = _find_limits(row, arms, n)
    parts = ("arm_id", "endpoint", "criterion", "assessor", "analysis", "data_cut")
    key = ":".join(("endpoints", *(slug(row[part]) for part in parts if row[part])))
    if row["n"] and arm["n"] != row["n"]:
        key += f":n{row['n']}"
    cohort = Cohort(name_group(arm["arm_id"]), programmes[arm["trial"]])
    return _Draft(row, arm, key, cohort, interval, limits_n)


def _find_limits(row: Row, arms: Mapping[str, Row], n: int | None) -> tuple[Interval, int | None]:
    if row["low"] is not None or row["high"] is not None:
        printed = (row["low"], row["high"])
        return keep_printed(row["value"], printed, unit=row["unit"], level=row["ci_level"]), None
    others = arms[row["comparator_arm"]]["n"] if row["comparator_arm"] else None
    made = rebuild(row["value"], unit=row["unit"], n=n, others=others)
    return made, n if made.method else None


def _judge(draft: _Draft, arms: Mapping[str, Row], known: Collection[str]) -> _Draft:
    """Apply the rules that look at one row alone."""
    found = _why_excluded(draft, arms, known)
    if found:
        return replace(draft, use="excluded", reason=found)
    found = _why_check(draft)
    return replace(draft, use="check", reason=found) if found else draft


def _why_excluded(draft: _Draft, arms: Mapping[str, Row], known: Collection[str]) -> str:
    row, arm = draft.row, draft.arm
    other = arms[row["comparator_arm"]] if row["comparator_arm"] else None
    unknown = [drug for a in (arm, other) if a for drug in split_regimen(a["drugs"]) if drug not in known]
    criterion = row["criterion"]
    rules = (
        (bool(unknown), f"drug not in the model: {', '.join(unknown)}"),
        ("subgroup" in arm["phase"], "subgroup of its trial"),
        ("subgroup" in (row["note"] or ""), "subgroup of its arm"),
        (arm["arm_id"] in COUNTED_AGAIN, f"patients counted in {COUNTED_AGAIN.get(arm['arm_id'])}"),
        ("expansion" in (row["note"] or "") or _is_part(row, arm), "part of its arm; the whole arm is there"),
        (_is_external(arm, other) or row["analysis"] == "IPW", "external control, weighted"),
        (criterion not in {None, *_CRITERIA}, f"criterion {criterion}, which assess does not have"),
        ((row["analysis"] or "").startswith(_SENSITIVITY), "sensitivity analysis"),
        (_is_without_limits(draft), "no limits, and no number of patients to make them from"),
    )
    return next((reason for holds, reason in rules if holds), "")


def _is_part(row: Row, arm: Row) -> bool:
    """Return whether a row says that it counts fewer patients than the arm, other than those with a scan."""
    return bool(row["n"] and arm["n"] and row["note"] == f"n={row['n']}" and row["n"] < arm["n"])


def _is_external(arm: Row, other: Row | None) -> bool:
    return any(a["phase"] == "external control" for a in (arm, other) if a)


def _is_without_limits(draft: _Draft) -> bool:
    return draft.interval.method is None and not draft.row["not_reached"]


def _why_check(draft: _Draft) -> str:
    row, endpoint = draft.row, str(draft.row["endpoint"])
    from_memory = draft.limits_n is not None and not draft.arm["n_verified"]
    rules = (
        (row["not_reached"], "median not reached: one-sided"),
        (endpoint not in RANKS, f"{endpoint} is never fitted, its family has a broader endpoint"),
        (draft.family != "survival" and row["criterion"] is None, "criterion not reported"),
        (from_memory, "limits rest on a number of patients from memory"),
    )
    return next((reason for holds, reason in rules if holds), "")


def _rank(row: Row) -> tuple[int, ...]:
    """Return how early a number is chosen: endpoint, criterion, assessor, printed limits, data cut."""
    endpoint, assessor, analysis = row["endpoint"], row["assessor"], row["analysis"] or ""
    return (
        RANKS.index(endpoint) if endpoint in RANKS else len(RANKS),
        _CRITERIA.index(row["criterion"]) if row["criterion"] in _CRITERIA else len(_CRITERIA),
        0 if assessor in _INDEPENDENT else 1 if assessor else 2,
        _CUTS.index(analysis) if analysis in _CUTS else len(_CUTS),
        int(row["low"] is None),
    )


def _drop_earlier_cuts(drafts: Sequence[_Draft]) -> list[_Draft]:
    """Exclude what a later cut of the same number replaces."""
    same = ("arm_id", "endpoint", "criterion", "assessor", "comparator_arm")
    best: dict[tuple[Any, ...], _Draft] = {}
    for draft in drafts:
        number = tuple(draft.row[column] for column in same)
        if draft.use != "excluded" and (number not in best or _rank(draft.row) < _rank(best[number].row)):
            best[number] = draft
    kept: list[_Draft] = []
    for draft in drafts:
        later = best.get(tuple(draft.row[column] for column in same), draft)
        old = draft.use != "excluded" and later is not draft
        kept.append(
            replace(draft, use="excluded", reason=f"duplicate data cut; kept: {later.key}") if old else draft
        )
    return kept


def _choose(drafts: Sequence[_Draft]) -> list[_Draft]:
    """Fit the first number of each group and family, and check the others."""
    chosen: dict[tuple[str, str], _Draft] = {}
    for draft in drafts:
        if not draft.use:
            place = (draft.cohort.group_id, draft.family)
            if place not in chosen or _rank(draft.row) < _rank(chosen[place].row):
                chosen[place] = draft
    done: list[_Draft] = []
    for draft in drafts:
        first = chosen.get((draft.cohort.group_id, draft.family))
        if draft.use:
            done.append(draft)
        elif first is draft:
            done.append(replace(draft, use="fit", reason=f"first {draft.family} endpoint of its patients"))
        else:
            told = f"same patients and family as {first.key}" if first else ""
            done.append(replace(draft, use="check", reason=told))
    return done


def _finish(draft: _Draft) -> dict[str, object]:
    row, found = draft.row, draft.interval
    return {
        "key": draft.key,
        "table": "endpoints_long",
        "use": draft.use,
        "reason": draft.reason,
        "programme_id": draft.cohort.programme_id,
        "group_id": draft.cohort.group_id,
        "study": row["trial"],
        "arm_id": row["arm_id"],
        "comparator_arm": row["comparator_arm"],
        "line": draft.arm["line"],
        "drugs": "+".join(split_regimen(draft.arm["drugs"])),
        "endpoint": row["endpoint"],
        "family": draft.family,
        "criterion": row["criterion"],
        "assessor": row["assessor"],
        "unit": row["unit"],
        "value": row["value"],
        "not_reached": row["not_reached"],
        "n": row["n"],
        **interval_columns(found, draft.limits_n),
        "source_url": row["source_url"],
    }
