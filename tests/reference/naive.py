"""A second implementation of RECIST 1.1, mRECIST and iRECIST: naive, one patient and reader at a time.

Written apart from the engine, from ``docs/explanation/response-engine.md`` (the numbers of its steps
stand beside the functions) and the criteria themselves. Plain dictionaries, loops and whole
micrometres; slow on purpose, and meant to be read beside the page. Tests hold the engine against it.

`assess_rows` takes rows of the study tables as dictionaries and returns rows of ``timepoints`` and
``best_response``. Steps 1 to 4 stand in `naive_case`, 5 to 8 in `naive_responses`, 9 in
`naive_irecist`, 10 in `naive_best`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from naive_best import best_response
from naive_case import (
    NODES,
    Case,
    Lesion,
    Row,
    Rows,
    assign_roles,
    find_baseline,
    group_into_visits,
    scan_days,
)
from naive_irecist import IWORD, IrecistMachine
from naive_responses import (
    find_nadir,
    find_new_lesions,
    new_lesion_days,
    nontarget_response,
    overall_response,
    progression_date,
    sums_of_visit,
    target_response,
)

# All steps


def build_lesions(rows: Rows) -> list[Lesion]:
    """Gather the rows of each lesion; step 3 (node) and 4.1 (role)."""
    by_name: dict[str, Rows] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row["lesion_id"], row["day"])):
        by_name[row["lesion_id"]].append(row)

    def first(name: str, column: str) -> Any:
        return next((row[column] for row in by_name[name] if row[column] is not None), None)

    lesions = {}
    for name, own in by_name.items():
        words = [row["node"] for row in own if row["node"] is not None]
        organ = first(name, "organ")
        lesions[name] = Lesion(
            name=name,
            rows={row["day"]: row for row in own},
            node=any(words) if words else organ in NODES,
            organ=organ,
            role=first(name, "role"),
            part_of=first(name, "split_from"),
        )
    for lesion in lesions.values():
        if lesion.part_of not in lesions:
            lesion.part_of = None
        else:
            lesions[lesion.part_of].parts.append(lesion)
    return list(lesions.values())


def build_case(series: Mapping[str, Rows], criterion: str, policy: Mapping[str, Any]) -> Case:
    """Steps 1 to 4 and 7: everything that is known before the first response."""
    days = scan_days(series["lesions"], series["sums"], series["visits"])
    case = Case(
        criterion=criterion,
        policy=policy,
        scans={row["day"]: row for row in series["visits"]},
        visits=group_into_visits(days, policy),
        lesions=build_lesions(series["lesions"]),
        sums=series["sums"],
        treated=[(row["lesion_id"], row["day"]) for row in series["procedures"] if row["lesion_id"]],
    )
    case.baseline = find_baseline(case)
    end = policy["baseline_window_end"]
    case.followup = [k for k, group in enumerate(case.visits) if group[0] > end]
    assign_roles(case)
    find_new_lesions(case)
    return case


def assess_visits(case: Case) -> Rows:
    """Steps 5 to 9 for every visit after baseline."""
    machine = IrecistMachine(case) if case.criterion == "irecist" else None
    baseline = None if case.baseline is None else sums_of_visit(case, case.baseline)[0]
    timepoints: Rows = []
    for k in case.followup:
        total, complete = sums_of_visit(case, k)
        tp: Row = {"k": k, "day": case.visits[k][-1], "sum": total, "complete": complete}
        tp |= {"baseline": baseline, "nadir": find_nadir(case, timepoints, baseline), "new_target_sum": None}
        tp["target"] = target_response(case, tp, timepoints)
        tp["nontarget"] = nontarget_response(case, k, timepoints)
        tp["new_days"] = new_lesion_days(case, k)
        tp["new_lesion"] = bool(tp["new_days"])
        if machine is None:
            tp["overall"] = overall_response(case, tp)
            tp["dated"] = progression_date(case, tp, by_new=tp["new_lesion"])
        else:
            machine.visit(tp)
        timepoints.append(tp)
    return timepoints


def assess_series(
    series: Mapping[str, Rows], *, criterion: str, policy: Mapping[str, Any], index_line: int = 1
) -> tuple[Rows, Row]:
    """Timepoints and best response of one patient, reader and criterion.

    `series` holds the rows of ``lesions``, ``sums``, ``visits`` of one patient and reader, and the
    ``procedures`` and ``treatments`` of the patient. Sums are in whole micrometres.
    """
    case = build_case(series, criterion, policy)
    timepoints = assess_visits(case)
    later = [
        row["start_day"]
        for row in series["treatments"]
        if row["line"] > index_line and row["start_day"] is not None
    ]
    counting = [
        tp for tp in timepoints if policy["new_therapy"] == "ignore" or all(tp["day"] <= day for day in later)
    ]
    reference = 0 if policy["sd_min_reference"] == "start" or case.baseline is None else baseline_day(case)
    return timepoints, best_response(
        timepoints, counting, policy, reference=reference, irecist=criterion == "irecist"
    )


def baseline_day(case: Case) -> float:
    """Day of the baseline visit."""
    return case.visits[case.baseline][-1]


def assess_rows(
    tables: Mapping[str, Rows], *, criteria: Sequence[str], policy: Mapping[str, Any]
) -> tuple[Rows, Rows]:
    """Assess every patient and reader: rows of ``timepoints`` and of ``best_response``."""
    read: dict[tuple[str, str], dict[str, Rows]] = defaultdict(lambda: defaultdict(list))
    told: dict[str, dict[str, Rows]] = defaultdict(lambda: defaultdict(list))
    for table in ("lesions", "sums", "visits"):
        for row in tables.get(table, []):
            read[row["patient_id"], row["reader"]][table].append(row)
    for table in ("procedures", "treatments"):
        for row in tables.get(table, []):
            told[row["patient_id"]][table].append(row)
    readers = sorted({reader for _, reader in read}) or [""]
    seen = {patient for patient, _ in read}
    for patient in {row["patient_id"] for row in tables["patients"]} - seen:
        read |= {(patient, reader): defaultdict(list) for reader in readers}
    timepoints: Rows = []
    best: Rows = []
    for (patient, reader), rows in sorted(read.items()):
        series = {table: rows[table] for table in ("lesions", "sums", "visits")}
        series |= {table: told[patient][table] for table in ("procedures", "treatments")}
        for criterion in criteria:
            key = {"patient_id": patient, "reader": reader, "criterion": criterion}
            visits, summary = assess_series(series, criterion=criterion, policy=policy)
            timepoints += [key | in_own_words(tp, criterion) for tp in visits]
            best.append(key | summary)
    return timepoints, best


def in_own_words(tp: Row, criterion: str) -> Row:
    """iRECIST writes target and non-target responses with an i."""
    if criterion != "irecist":
        return tp
    words = IWORD | {"PD": "iUPD"}
    return tp | {column: words.get(tp[column], tp[column]) for column in ("target", "nontarget")}
