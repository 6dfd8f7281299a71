"""A second, naive implementation of the nine further criteria, one patient and reader at a time.

Written apart from the engine, from step 11 of ``docs/explanation/response-engine.md`` (the numbers of
the steps stand beside the functions) and the reference rules. Lengths are whole micrometres, areas whole
square micrometres.
What does not depend on the criterion (visits, new lesions, confirmation) comes from `naive_case`,
`naive_responses` and `naive_best`, where it was written for RECIST 1.1;
steps 1 to 4 stand in `naive_more_case`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from naive import baseline_day, build_lesions
from naive_best import best_confirmed, best_response, best_unconfirmed
from naive_case import (
    GONE,
    NORMAL_NODE,
    SIZES,
    Lesion,
    Row,
    Rows,
    group_into_visits,
    last_evaluable,
    micrometres,
    rows_in_visit,
    scan_days,
    scan_fact,
)
from naive_more_case import (
    CHOICES,
    SCALE,
    MoreCase,
    assign_roles,
    choose_new_targets,
    counting_pieces,
    find_baseline,
    readable,
    row_value,
    value_at,
    whole_at,
)
from naive_responses import (
    after_cr,
    find_nadir,
    find_new_lesions,
    is_progressing,
    new_lesion_days,
    old_lesions,
    progression_date,
    response_continues,
)

__all__ = ["CHOICES", "SCALE", "assess_more"]

# Step 5: target response


def evaluated(case: MoreCase, k: int) -> list[tuple[Lesion, int]]:
    """The targets that are evaluated at visit k, with their values."""
    found = [(lesion, value_at(case, lesion, k)) for lesion in case.targets]
    return [(lesion, value) for lesion, value in found if value is not None]


def new_target_sum(case: MoreCase, k: int) -> int | None:
    """Step 11: sum of the new measured lesions seen so far; missing ones add nothing."""
    values = [value_at(case, lesion, k) for lesion in case.new_targets if case.first_sight[lesion.name] <= k]
    values = [value for value in values if value is not None]
    return sum(values) if values else None


def mean_attenuation(case: MoreCase, k: int) -> tuple[int, int] | None:
    """Step 11: sum and number of attenuations over the targets above 0; None where one has none."""
    targets = [lesion for lesion, value in evaluated(case, k) if value > 0]
    pieces = [pair for lesion in targets for pair in counting_pieces(case, lesion, k)]
    values = [row["attenuation_hu"] for piece, row in pieces if row_value(case, piece, row)]
    if not values or None in values:
        return None
    return sum(round(1000 * value) for value in values), len(values)


def attenuation_fell(case: MoreCase, k: int) -> bool | None:
    """Step 11: the mean is at least 15 % below that of the baseline; None where it is not known."""
    now, then = mean_attenuation(case, k), mean_attenuation(case, case.baseline)
    if now is None or then is None or then[0] <= 0:
        return None
    return 100 * now[0] * then[1] <= 85 * then[0] * now[1]


def beyond(case: MoreCase, now: int, then: int | None) -> bool:
    """Step 5.4: the sum has grown from a reference above 0 as far as PD asks."""
    if not then:
        return False
    need = case.choices.progress * then
    grown = 100 * now > need if case.choices.strictly else 100 * now >= need
    return grown and now - then >= case.choices.floor


def progresses(case: MoreCase, tp: Row) -> bool:
    """Step 5.4."""
    if not tp["complete"] and not (case.policy["pd_on_partial_sum"] and tp["sum"] is not None):
        return False
    if case.choices.whole_area:
        if not tp["complete"]:
            return False
        then = sum(whole_at(case, lesion, case.baseline) for lesion in case.targets)
        now = sum(whole_at(case, lesion, tp["k"]) for lesion, _ in evaluated(case, tp["k"]))
        return beyond(case, now, then)
    grown = beyond(case, tp["sum"], tp["nadir"])
    if tp["nadir"] == 0 and case.policy["nadir_zero"] == "progression":
        grown = tp["sum"] >= max(case.choices.floor, 1)
    return grown and not (case.choices.attenuation and attenuation_fell(case, tp["k"]))


def reappears(case: MoreCase, k: int, earlier: Rows) -> bool:
    """Step 5.5; for EASL enhancement that comes back in a target; step 11: a new lesion after CR."""
    if case.choices.add_new and after_cr(case, earlier) and new_lesion_days(case, k):
        return True
    always = case.choices.enhancement_returns or case.policy["reappearance_rule"] == "always"
    for lesion, value in evaluated(case, k):
        if (lesion.node and case.choices.node_rule) or value == 0:
            continue
        vanished = any(value_at(case, lesion, tp["k"]) == 0 for tp in earlier)
        if after_cr(case, earlier) or (always and vanished):
            return True
    return False


def responds(case: MoreCase, tp: Row) -> bool:
    """Step 5.7."""
    small = 100 * tp["sum"] <= case.choices.response * tp["baseline"]
    if not case.choices.attenuation:
        return small
    fell = attenuation_fell(case, tp["k"])
    if case.choices.attenuation == "or":
        return small or bool(fell)
    return small and bool(fell)


def target_response(case: MoreCase, tp: Row, earlier: Rows) -> str | None:
    """Steps 5.1 to 5.9, in their order."""
    override = scan_fact(case, tp["k"], "target_override")
    if override is not None or not case.targets:
        return override
    gone = [
        value < NORMAL_NODE if lesion.node and case.choices.node_rule else value == 0
        for lesion, value in evaluated(case, tp["k"])
    ]
    if tp["complete"] and all(gone) and not (case.choices.add_new and tp["new_lesion"]):
        return "CR"
    if progresses(case, tp) or reappears(case, tp["k"], earlier):
        return "PD"
    if not tp["complete"]:
        return "NE"
    continuing = case.choices.continuing and case.policy["continuing_pr"] and response_continues(earlier)
    return "PR" if responds(case, tp) or continuing else "SD"


# Step 6: non-target response


def assessable(case: MoreCase, lesion: Lesion, row: Row) -> bool:
    """Step 6.5."""
    said = row["state"] is not None or any(row[column] is not None for column in SIZES)
    return said and row["state"] != "not_evaluable" and readable(case, lesion, row)


def is_gone(case: MoreCase, lesion: Lesion, row: Row) -> bool:
    """Step 6.6."""
    if row["state"] in GONE or (case.choices.viable_tissue and row["viable_mm"] == 0):
        return True
    if not lesion.node:
        return row["longest_mm"] == 0
    short = micrometres(row["short_axis_mm"])
    return row["state"] == "too_small" if short is None else short < NORMAL_NODE


def nontarget_response(case: MoreCase, k: int, earlier: Rows) -> str | None:
    """Step 6, in its order."""
    recorded = scan_fact(case, k, "nontarget")
    if recorded is not None:
        return None if recorded == "NONE" else recorded
    if any(is_progressing(case, lesion, k) for lesion in old_lesions(case)):
        return "PD"
    if case.baseline is None or not case.nontargets:
        return None
    found = [
        last_evaluable(rows_in_visit(case, lesion, k), lambda row: assessable(case, lesion, row))  # noqa: B023
        for lesion in case.nontargets
    ]
    pairs = zip(case.nontargets, found, strict=True)
    known = [(lesion, row) for lesion, row in pairs if row and assessable(case, lesion, row)]
    left = [lesion for lesion, row in known if not is_gone(case, lesion, row)]
    if after_cr(case, earlier) and any(not lesion.node for lesion in left):
        return "PD"
    if len(known) < len(found):
        return "NE"
    return "CR" if not left and scan_fact(case, k, "markers_normal") is not False else "NON-CR/NON-PD"


# Step 8: overall response


def overall_response(case: MoreCase, tp: Row) -> str:
    """Step 8; where new lesions are added to the sum, they and the non-targets stand against CR only."""
    adds, target, nontarget = case.choices.add_new is not None, tp["target"], tp["nontarget"]
    if "PD" in {target, nontarget} or (tp["new_lesion"] and not (adds and case.targets)):
        return "PD"
    if case.baseline is None:
        return "NE"
    if target is not None:
        clear = nontarget in {"CR", None} and scan_fact(case, tp["k"], "markers_normal") is not False
        return "PR" if target == "CR" and not (clear and not tp["new_lesion"]) else target
    if nontarget is not None:
        return nontarget
    return "NE" if case.diseased else "NED"


# Steps 10 and 11: progression that has to be confirmed, and the best response


def confirm_progression(case: MoreCase, timepoints: Rows) -> float | None:
    """Step 11: after a confirmed PD every visit is PD; returns the day of progression."""
    first = None
    for i, tp in enumerate(timepoints):
        if tp["overall"] not in {"PD", "NE"}:
            first = None
        elif tp["overall"] == "PD":
            first = first or tp
            if tp["day"] - first["day"] >= case.policy["confirm_days"] and tp is not first:
                for later in timepoints[i + 1 :]:
                    later["overall"] = "PD"
                return first["dated"]
    return first["dated"] if first and case.policy["irecist_unconfirmed"] == "event" else None


def best_where_confirmed(case: MoreCase, timepoints: Rows, counting: Rows, *, reference: float) -> Row:
    """Steps 10 and 11: the best response may come after a PD that was taken back."""
    day = confirm_progression(case, timepoints)
    visits = [{"day": tp["day"], "overall": tp["overall"]} for tp in counting]
    best, best_day = best_unconfirmed(visits, case.policy, reference=reference, irecist=False)
    return {
        "best": best,
        "best_confirmed": best_confirmed(visits, case.policy, reference=reference, irecist=False),
        "best_day": best_day,
        "first_response_day": next((v["day"] for v in visits if v["overall"] in {"CR", "PR"}), None),
        "progression_day": day,
    }


# All steps


def build_case(series: Mapping[str, Any], criterion: str, policy: Mapping[str, Any]) -> MoreCase:
    """Steps 1 to 4 and 7."""
    case = MoreCase(
        criterion=criterion,
        policy=policy,
        scans=series["scans"],
        visits=series["groups"],
        lesions=series["built"],
        sums=series["sums"],
        treated=[(row["lesion_id"], row["day"]) for row in series["procedures"] if row["lesion_id"]],
        choices=CHOICES[criterion],
    )
    case.baseline = find_baseline(case)
    case.followup = [k for k, days in enumerate(case.visits) if days[0] > policy["baseline_window_end"]]
    assign_roles(case)
    find_new_lesions(case)
    choose_new_targets(case)
    return case


def assess_visits(case: MoreCase) -> Rows:
    """Steps 5 to 8 for every visit after baseline."""
    base = None if case.baseline is None else evaluated(case, case.baseline)
    baseline = sum(value for _, value in base) if base else None
    timepoints: Rows = []
    for k in case.followup:
        values, added = evaluated(case, k), new_target_sum(case, k)
        total = sum(value for _, value in values) + (added or 0) if values else None
        tp: Row = {"k": k, "day": case.visits[k][-1], "sum": total, "new_target_sum": added}
        tp |= {"complete": bool(values) and len(values) == len(case.targets), "baseline": baseline}
        tp["nadir"] = find_nadir(case, timepoints, baseline)
        tp["new_days"] = new_lesion_days(case, k)
        tp["new_lesion"] = bool(tp["new_days"])
        tp["target"] = target_response(case, tp, timepoints)
        tp["nontarget"] = nontarget_response(case, k, timepoints)
        if case.choices.add_new and tp["nontarget"] == "PD":
            tp["nontarget"] = "NON-CR/NON-PD"
        tp["overall"] = overall_response(case, tp)
        by_new = tp["new_lesion"] and not (case.choices.add_new and case.targets)
        tp["dated"] = progression_date(case, tp, by_new=by_new)
        timepoints.append(tp)
    return timepoints


def assess_series(series: Mapping[str, Any], criterion: str, policy: Mapping[str, Any]) -> tuple[Rows, Row]:
    """Timepoints and best response of one patient, reader and criterion."""
    case = build_case(series, criterion, policy)
    timepoints = assess_visits(case)
    later = [row["start_day"] for row in series["treatments"] if row["line"] > 1 and row["start_day"]]
    ignore = policy["new_therapy"] == "ignore"
    counting = [tp for tp in timepoints if ignore or all(tp["day"] <= day for day in later)]
    from_start = policy["sd_min_reference"] == "start" or case.baseline is None
    reference = 0 if from_start else baseline_day(case)
    if case.choices.add_new:
        return timepoints, best_where_confirmed(case, timepoints, counting, reference=reference)
    best = best_response(timepoints, counting, policy, reference=reference, irecist=False)
    return timepoints, best


def gather(tables: Mapping[str, Rows]) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of each patient and reader."""
    read: dict[tuple[str, str], dict[str, Any]] = defaultdict(lambda: defaultdict(list))
    told: dict[str, dict[str, Rows]] = defaultdict(lambda: defaultdict(list))
    for table in ("lesions", "sums", "visits"):
        for row in tables.get(table, []):
            read[row["patient_id"], row["reader"]][table].append(row)
    for table in ("procedures", "treatments"):
        for row in tables.get(table, []):
            told[row["patient_id"]][table].append(row)
    readers = sorted({reader for _, reader in read}) or [""]
    for patient in {row["patient_id"] for row in tables["patients"]} - {patient for patient, _ in read}:
        read |= {(patient, reader): defaultdict(list) for reader in readers}
    for (patient, _), series in read.items():
        series |= {table: told[patient][table] for table in ("procedures", "treatments")}
    return dict(sorted(read.items()))


def assess_more(
    tables: Mapping[str, Rows], *, criteria: Sequence[str], policy: Mapping[str, Any]
) -> tuple[Rows, Rows]:
    """Rows of ``timepoints`` and of ``best_response`` for every patient, reader and criterion."""
    timepoints: Rows = []
    best: Rows = []
    for (patient, reader), series in gather(tables).items():
        days = scan_days(series["lesions"], series["sums"], series["visits"])
        series["groups"] = group_into_visits(days, policy)
        series["scans"] = {row["day"]: row for row in series["visits"]}
        series["built"] = build_lesions(series["lesions"])
        for criterion in criteria:
            key = {"patient_id": patient, "reader": reader, "criterion": criterion}
            visits, summary = assess_series(series, criterion, policy)
            timepoints += [key | tp for tp in visits]
            best.append(key | summary)
    return timepoints, best
