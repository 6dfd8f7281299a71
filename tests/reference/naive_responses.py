"""Steps 5 to 8 of the naive implementation: target, non-target, new lesions, overall response."""

from __future__ import annotations

from naive_case import (
    FLUIDS,
    GONE,
    NORMAL_NODE,
    SIZES,
    Case,
    Lesion,
    Row,
    Rows,
    last_evaluable,
    micrometres,
    readable,
    rows_in_visit,
    scan_fact,
    scan_flag,
    seen_rows,
    value_at,
)

# Step 5: target response


def sums_of_visit(case: Case, k: int) -> tuple[int | None, bool]:
    """Step 5: sum over the targets evaluated at visit k, and whether it is complete."""
    values = [value_at(case, lesion, k) for lesion in case.targets]
    known = [value for value in values if value is not None]
    return (sum(known) if known else None), bool(values) and len(known) == len(values)


def find_nadir(case: Case, earlier: Rows, baseline: int | None) -> int | None:
    """Step 5: the smallest complete sum before this visit."""
    sums = [tp["sum"] for tp in earlier if tp["complete"] or case.policy["ne_updates_nadir"]]
    sums = [value for value in sums if value is not None]
    if baseline is not None and (case.policy["nadir_includes_baseline"] or not sums):
        sums.append(baseline)
    return min(sums, default=None)


def last_overall(earlier: Rows) -> str | None:
    """Overall response of the last visit other than NE."""
    return next((tp["overall"] for tp in reversed(earlier) if tp["overall"] != "NE"), None)


def after_cr(case: Case, earlier: Rows) -> bool:
    """Steps 5.5 and 6.4: overall CR stood at the last visit other than NE."""
    return case.policy["reappearance_rule"] != "never" and last_overall(earlier) in {"CR", "iCR"}


def target_reappears(case: Case, k: int, earlier: Rows) -> bool:
    """Step 5.5."""
    for lesion in case.targets:
        if lesion.node or not value_at(case, lesion, k):
            continue
        vanished = any(value_at(case, lesion, tp["k"]) == 0 for tp in earlier)
        if after_cr(case, earlier) or (case.policy["reappearance_rule"] == "always" and vanished):
            return True
    return False


def response_continues(earlier: Rows) -> bool:
    """Step 5.8, and step 9: continuing iPR ends with iUPD."""
    for tp in reversed(earlier):
        if tp["target"] == "PD" or tp["overall"] == "iUPD":
            return False
        if tp["target"] in {"CR", "PR"}:
            return True
    return False


def sum_progresses(case: Case, tp: Row) -> bool:
    """Step 5.4."""
    total, nadir = tp["sum"], tp["nadir"]
    allowed = tp["complete"] or (case.policy["pd_on_partial_sum"] and total is not None)
    if not allowed or nadir is None:
        return False
    floor = not case.mrecist or case.policy["mrecist_5mm_floor"]
    if nadir == 0:
        return case.policy["nadir_zero"] == "progression" and total >= (5000 if floor else 1)
    return 10 * total >= 12 * nadir and (total - nadir >= 5000 or not floor)


def target_response(case: Case, tp: Row, earlier: Rows) -> str | None:
    """Steps 5.1 and 5.2, then the sum."""
    override = scan_fact(case, tp["k"], "target_override")
    if override is not None or not case.targets:
        return override
    return measured_target_response(case, tp, earlier)


def measured_target_response(case: Case, tp: Row, earlier: Rows) -> str:
    """Steps 5.3 to 5.9, in their order."""
    values = [(lesion.node, value_at(case, lesion, tp["k"])) for lesion in case.targets]
    if tp["complete"] and all(value < NORMAL_NODE if node else value == 0 for node, value in values):
        return "CR"
    if sum_progresses(case, tp) or target_reappears(case, tp["k"], earlier):
        return "PD"
    if not tp["complete"]:
        return "NE"
    if 10 * tp["sum"] <= 7 * tp["baseline"]:
        return "PR"
    return "PR" if case.policy["continuing_pr"] and response_continues(earlier) else "SD"


# Step 6: non-target response


def assessable(case: Case, lesion: Lesion, row: Row) -> bool:
    """Step 6.5: neither a missing row nor one that says nothing."""
    said = row["state"] is not None or any(row[column] is not None for column in SIZES)
    return said and row["state"] != "not_evaluable" and readable(case, lesion, row)


def nontarget_row(case: Case, lesion: Lesion, k: int) -> Row | None:
    """The row of a non-target that counts in visit k; its parts are not looked at."""
    return last_evaluable(rows_in_visit(case, lesion, k), lambda row: assessable(case, lesion, row))


def is_gone(case: Case, lesion: Lesion, row: Row) -> bool:
    """Step 6.6."""
    if row["state"] in GONE or (case.mrecist and row["viable_mm"] == 0):
        return True
    if not lesion.node:
        return row["longest_mm"] == 0
    short = micrometres(row["short_axis_mm"])
    return row["state"] == "too_small" if short is None else short < NORMAL_NODE


def states_in_visit(case: Case, lesion: Lesion, k: int) -> set[str | None]:
    """Step 1.4: the states on all scans of a visit; what shows progression counts on any of them."""
    return {row["state"] for row in rows_in_visit(case, lesion, k)}


def is_progressing(case: Case, lesion: Lesion, k: int) -> bool:
    """Step 6.3."""
    if case.mrecist and lesion.organ in FLUIDS and not scan_flag(case, k, "fluid_cytology", "positive"):
        return False
    return "unequivocal_progression" in states_in_visit(case, lesion, k)


def old_lesions(case: Case) -> list[Lesion]:
    """The non-targets; without a baseline every lesion that is recorded as old (step 2.3)."""
    if case.baseline is not None:
        return case.nontargets
    return [lesion for lesion in case.lesions if lesion.role in {"target", "nontarget"}]


def nontarget_response(case: Case, k: int, earlier: Rows) -> str | None:
    """Steps 6.1 and 6.2, then the lesions; without a baseline recorded progression counts (step 2.3)."""
    recorded = scan_fact(case, k, "nontarget")
    if recorded is not None:
        return None if recorded == "NONE" else recorded
    if case.baseline is None:
        return "PD" if any(is_progressing(case, lesion, k) for lesion in old_lesions(case)) else None
    return lesion_nontarget_response(case, k, earlier) if case.nontargets else None


def lesion_nontarget_response(case: Case, k: int, earlier: Rows) -> str:
    """Steps 6.3 to 6.7, in their order."""
    if any(is_progressing(case, lesion, k) for lesion in case.nontargets):
        return "PD"
    found = [(lesion, nontarget_row(case, lesion, k)) for lesion in case.nontargets]
    known = [(lesion, row) for lesion, row in found if row and assessable(case, lesion, row)]
    left = [lesion for lesion, row in known if not is_gone(case, lesion, row)]
    if after_cr(case, earlier) and any(not lesion.node for lesion in left):
        return "PD"
    if len(known) < len(found):
        return "NE"
    return "CR" if not left and scan_fact(case, k, "markers_normal") is not False else "NON-CR/NON-PD"


# Step 7: new lesions


def liver_size(row: Row) -> int | None:
    """Step 7: the longest, else the viable diameter."""
    return micrometres(row["longest_mm"] if row["longest_mm"] is not None else row["viable_mm"])


def qualifies_for_mrecist(case: Case, lesion: Lesion, row: Row) -> bool:
    """Step 7: what mRECIST asks of a new lesion besides."""
    if lesion.organ == "porta_hepatis_node":
        short = micrometres(row["short_axis_mm"])
        return short is not None and short >= micrometres(case.policy["mrecist_hilar_node_mm"])
    size = liver_size(row)
    if not lesion.hepatic:
        return True
    if size is None:
        return row["washout"] is not False
    if size < micrometres(case.policy["mrecist_new_lesion_mm"]):
        return False
    sizes = [liver_size(old) for k in case.followup for old in seen_rows(case, lesion, k)]
    first = next(old for old in sizes if old is not None)
    return row["washout"] is not False or size - first >= 10_000


def qualifies(case: Case, lesion: Lesion, k: int, row: Row) -> bool:
    """Step 7: whether a new lesion is proven by a row of visit k."""
    if case.mrecist and lesion.organ in FLUIDS:
        proven = scan_flag(case, k, "fluid_cytology", "positive")
        return bool(proven) and row["state"] != "equivocal"
    if row["state"] == "unequivocal_progression":
        return True
    short = micrometres(row["short_axis_mm"])
    small = lesion.node and short is not None and short < micrometres(case.policy["new_node_mm"])
    if row["state"] == "equivocal" or small:
        return False
    return not case.mrecist or qualifies_for_mrecist(case, lesion, row)


def find_new_lesions(case: Case) -> None:
    """Step 7: keep the lesions that qualify once, and where each was first seen."""
    proven = []
    for lesion, role in case.new:
        sights = [(k, row) for k in case.followup for row in seen_rows(case, lesion, k)]
        if any(qualifies(case, lesion, k, row) for k, row in sights):
            proven.append((lesion, role))
            case.first_sight[lesion.name] = sights[0][0]
    case.new = proven


def new_lesion_days(case: Case, k: int) -> list[float]:
    """Step 7: days of the scans of visit k that show a counting new lesion."""
    days = scan_flag(case, k, "new_lesion", True)
    if case.mrecist:
        days += scan_flag(case, k, "fluid_cytology", "positive")
    days += [row["day"] for lesion, _ in case.new for row in seen_rows(case, lesion, k)]
    return sorted(days)


# Step 8: overall response


def without_new_lesions(case: Case, tp: Row) -> str:
    """Step 8 as if there were no new lesion."""
    target, nontarget = tp["target"], tp["nontarget"]
    if "PD" in {target, nontarget}:
        return "PD"
    if case.baseline is None:
        return "NE"
    if target is not None:
        clear = nontarget in {"CR", None} and scan_fact(case, tp["k"], "markers_normal") is not False
        return "PR" if target == "CR" and not clear else target
    if nontarget is not None:
        return nontarget
    return "NE" if case.diseased else "NED"


def overall_response(case: Case, tp: Row) -> str:
    """Step 8."""
    return "PD" if tp["new_lesion"] else without_new_lesions(case, tp)


def progression_date(case: Case, tp: Row, *, by_new: bool) -> float:
    """Step 8: the day at which a progression in this visit is dated."""
    days = case.visits[tp["k"]]
    if by_new:
        return tp["new_days"][0]
    return days[0] if case.policy["pd_date"] == "first" else days[-1]
