"""Steps 1 to 4 of the naive implementation: scans, visits, baseline, values of lesions, roles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
Rows = list[Row]

NODES = ("lymph_node", "porta_hepatis_node")
VESSELS = ("portal_vein", "hepatic_vein", "bile_duct")
FLUIDS = ("ascites", "pleural_effusion")
UNMEASURABLE = (*VESSELS, *FLUIDS, "bone")
GONE = ("absent", "merged")
NORMAL_NODE = 10_000
SIZES = ("longest_mm", "short_axis_mm", "viable_mm")
SUM = "(sum)"


def micrometres(mm: float | None) -> int | None:
    """Whole micrometres, so that thresholds are exact."""
    return None if mm is None else round(1000 * mm)


@dataclass
class Lesion:
    """All rows of one lesion, and what is said of it once for all its rows."""

    name: str
    rows: dict[float, Row]
    node: bool
    organ: str | None
    role: str | None
    part_of: str | None
    parts: list[Lesion] = field(default_factory=list)

    @property
    def hepatic(self) -> bool:
        """Step 3: not a node, and organ liver or empty."""
        return not self.node and self.organ in {None, "liver"}


@dataclass
class Case:
    """One patient, one reader, one criterion."""

    criterion: str
    policy: Mapping[str, Any]
    scans: dict[float, Row]
    visits: list[list[float]]
    lesions: list[Lesion]
    sums: Rows
    treated: list[tuple[str, float]]
    baseline: int | None = None
    followup: list[int] = field(default_factory=list)
    targets: list[Lesion] = field(default_factory=list)
    nontargets: list[Lesion] = field(default_factory=list)
    new: list[tuple[Lesion, str]] = field(default_factory=list)
    first_sight: dict[str, int] = field(default_factory=dict)
    diseased: bool = False
    known: dict[tuple[str, int], int | None] = field(default_factory=dict)

    @property
    def mrecist(self) -> bool:
        """Whether viable diameters count."""
        return self.criterion == "mrecist"


# Step 1: scans and visits


def scan_days(lesions: Rows, sums: Rows, visits: Rows) -> list[float]:
    """Step 1.1."""
    return sorted({row["day"] for rows in (lesions, sums, visits) for row in rows})


def group_into_visits(days: Sequence[float], policy: Mapping[str, Any]) -> list[list[float]]:
    """Step 1.2."""
    end = policy["baseline_window_end"]
    groups: list[list[float]] = []
    for day in days:
        if not groups or day > groups[-1][0] + policy["visit_window_days"] or groups[-1][0] <= end < day:
            groups.append([])
        groups[-1].append(day)
    return groups


def rows_in_visit(case: Case, lesion: Lesion, k: int) -> Rows:
    """Rows of a lesion in visit k, in order of day."""
    return [lesion.rows[day] for day in case.visits[k] if day in lesion.rows]


def last_evaluable(rows: Rows, evaluable: Callable[[Row], bool]) -> Row | None:
    """Step 1.3: the last evaluable row; the last row, if none is evaluable."""
    good = [row for row in rows if evaluable(row)]
    return (good or rows)[-1] if rows else None


def scan_fact(case: Case, k: int, column: str) -> Any:
    """Step 1.3: the last entry of a column of `visits` within visit k that is not empty."""
    entries = [case.scans[day][column] for day in case.visits[k] if day in case.scans]
    entries = [entry for entry in entries if entry is not None]
    return entries[-1] if entries else None


def scan_flag(case: Case, k: int, column: str, wanted: object) -> list[float]:
    """Step 1.3: the days of visit k on which a column of `visits` has a value."""
    return [day for day in case.visits[k] if day in case.scans and case.scans[day][column] == wanted]


def readable(case: Case, lesion: Lesion, row: Row) -> bool:
    """Step 1.4: whether the scan of a row lets the lesion be evaluated."""
    scan = case.scans.get(row["day"])
    if scan is None:
        return True
    if scan["adequate"] is False:
        return False
    return not (case.mrecist and lesion.hepatic and scan["arterial_phase"] is False)


# Step 2: baseline


def usable_at_baseline(case: Case, day: float) -> bool:
    """Step 2.1: a scan that is not inadequate (mRECIST: nor known to lack its arterial phase)."""
    scan = case.scans.get(day)
    if scan is None:
        return True
    return scan["adequate"] is not False and not (case.mrecist and scan["arterial_phase"] is False)


def find_baseline(case: Case) -> int | None:
    """Step 2.1."""
    start, end = case.policy["baseline_window_start"], case.policy["baseline_window_end"]
    candidates = [
        k
        for k, days in enumerate(case.visits)
        if start <= days[-1] <= end and any(usable_at_baseline(case, day) for day in days)
    ]
    measured = {day for lesion in case.lesions for day in lesion.rows} | {row["day"] for row in case.sums}
    with_rows = [k for k in candidates if any(day in measured for day in case.visits[k])]
    return max(with_rows or candidates, default=None)


# Step 3: value of a lesion row


def measurement(case: Case, lesion: Lesion, row: Row) -> int | None:
    """Step 3: the diameter that the criterion measures."""
    if lesion.node:
        return micrometres(row["short_axis_mm"])
    if case.mrecist and lesion.hepatic:
        return micrometres(row["viable_mm"])
    return micrometres(row["longest_mm"])


def too_small(case: Case, day: float) -> int:
    """Step 3: what a lesion counts that is too small to measure."""
    value = micrometres(case.policy["tstm_value"])
    scan = case.scans.get(day)
    if case.policy["tstm_use_slice"] and scan is not None and scan["slice_mm"] is not None:
        value = max(value, micrometres(scan["slice_mm"]))
    return value


def tabled_value(case: Case, lesion: Lesion, row: Row) -> int | None:
    """Step 3: the table of states; None is not evaluable."""
    if row["state"] in GONE:
        return 0
    if row["state"] == "not_evaluable":
        return None
    size = measurement(case, lesion, row)
    if size is None and row["state"] == "too_small":
        return too_small(case, row["day"])
    return size


def row_value(case: Case, lesion: Lesion, row: Row) -> int | None:
    """Steps 3 and 1.4."""
    return tabled_value(case, lesion, row) if readable(case, lesion, row) else None


def own_value(case: Case, lesion: Lesion, k: int) -> tuple[bool, int | None]:
    """Whether a lesion has a row in visit k, and the value of the one that counts (step 1.3)."""
    row = last_evaluable(rows_in_visit(case, lesion, k), lambda row: row_value(case, lesion, row) is not None)
    return row is not None, row_value(case, lesion, row) if row else None


def value_at(case: Case, lesion: Lesion, k: int) -> int | None:
    """Step 3: value in visit k with the parts added; None is not evaluable."""
    if (lesion.name, k) not in case.known:
        case.known[lesion.name, k] = value_with_parts(case, lesion, k)
    return case.known[lesion.name, k]


def value_with_parts(case: Case, lesion: Lesion, k: int) -> int | None:
    """Step 3: a part adds its value; the whole is evaluable when all of its rows are."""
    found = [own_value(case, piece, k) for piece in (lesion, *lesion.parts)]
    values = [value for has_row, value in found if has_row]
    if not values or None in values:
        return None
    return sum(values)


# Step 7, first sentence


def seen(row: Row) -> bool:
    """Step 7: a row that counts as present."""
    if row["state"] in {*GONE, "not_evaluable"}:
        return False
    return row["state"] is not None or any((row[column] or 0) > 0 for column in SIZES)


def seen_rows(case: Case, lesion: Lesion, k: int) -> Rows:
    """The rows of visit k that show the lesion, on whatever scan (step 1.4)."""
    return [row for row in rows_in_visit(case, lesion, k) if seen(row)]


# Step 4: targets and non-targets


def is_there(row: Row) -> bool:
    """Step 4.3, *there*: a row that does not say that the lesion is gone."""
    sizes = [row[column] for column in SIZES if row[column] is not None]
    return row["state"] not in GONE and (row["state"] is not None or not sizes or max(sizes) > 0)


def was_there(case: Case, lesion: Lesion) -> bool:
    """Step 4.3: whether a row of the baseline visit says that the lesion is there."""
    return any(is_there(row) for row in rows_in_visit(case, lesion, case.baseline))


def baseline_row(case: Case, lesion: Lesion) -> Row | None:
    """The row that counts at baseline."""
    rows = rows_in_visit(case, lesion, case.baseline)
    return last_evaluable(rows, lambda row: row_value(case, lesion, row) is not None)


def small_hilar_node(case: Case, lesion: Lesion) -> bool:
    """Step 4.2: a porta hepatis node too small to be malignant for mRECIST."""
    if not case.mrecist or lesion.organ != "porta_hepatis_node":
        return False
    _, value = own_value(case, lesion, case.baseline)
    return value is not None and value < micrometres(case.policy["mrecist_hilar_node_mm"])


def large_enough(case: Case, lesion: Lesion, *, value: int, day: float) -> bool:
    """Step 4.3: whether a lesion of this size on the scan of this day is measurable."""
    if lesion.organ in UNMEASURABLE:
        return False
    if lesion.node:
        return value >= micrometres(case.policy["min_node_mm"])
    scan = case.scans.get(day)
    slice_um = micrometres(scan["slice_mm"]) if scan else None
    if slice_um is not None and slice_um > 5000 and value < 2 * slice_um:
        return False
    return value >= micrometres(case.policy["min_target_mm"])


def measurable(case: Case, lesion: Lesion) -> bool:
    """Step 4.3: whether a lesion is measurable at baseline."""
    value = value_at(case, lesion, case.baseline)
    if value is None:
        return False
    return large_enough(case, lesion, value=value, day=baseline_row(case, lesion)["day"])


def treated_before(case: Case, lesion: Lesion) -> bool:
    """Step 4.3: whether a lesion had a procedure of its own up to the day of baseline."""
    day = case.visits[case.baseline][-1]
    return any(name == lesion.name and when <= day for name, when in case.treated)


def organ_group(lesion: Lesion) -> str:
    """Step 4.3: all nodes are one organ; an empty organ is the liver."""
    return "node" if lesion.node else lesion.organ or "liver"


def choose_targets(case: Case) -> list[Lesion]:
    """Step 4.3: targets by rule."""
    candidates = [
        lesion
        for lesion in case.lesions
        if not lesion.part_of
        and not recorded_new(lesion)
        and measurable(case, lesion)
        and not treated_before(case, lesion)
        and not small_hilar_node(case, lesion)
    ]
    candidates.sort(key=lambda lesion: (-value_at(case, lesion, case.baseline), lesion.name))
    return within_limits(
        candidates, total=case.policy["max_targets"], each=case.policy["max_targets_per_organ"]
    )


def within_limits(lesions: list[Lesion], *, total: int, each: int) -> list[Lesion]:
    """Take lesions in order until the limits are reached."""
    taken: list[Lesion] = []
    for lesion in lesions:
        same = sum(organ_group(other) == organ_group(lesion) for other in taken)
        if len(taken) < total and same < each:
            taken.append(lesion)
    return taken


def recorded_new(lesion: Lesion) -> bool:
    """Step 4.3: recorded new roles stand."""
    return lesion.role in {"new_target", "new_nontarget"}


def by_rule(case: Case) -> bool:
    """Step 4.3: whether targets are chosen by rule."""
    return case.policy["target_selection"] == "rule" or all(lesion.role is None for lesion in case.lesions)


def roles_by_rule(case: Case) -> None:
    """Step 4.3."""
    case.targets = choose_targets(case)
    for lesion in case.lesions:
        if lesion.part_of or lesion in case.targets:
            continue
        if recorded_new(lesion):
            case.new.append((lesion, lesion.role))
        elif not was_there(case, lesion):
            case.new.append((lesion, role_when_new(case, lesion)))
        elif not is_ignored(case, lesion):
            case.nontargets.append(lesion)


def is_ignored(case: Case, lesion: Lesion) -> bool:
    """Steps 4.2 and 4.3: nodes too small to be disease."""
    value = value_at(case, lesion, case.baseline)
    normal = lesion.node and value is not None and value < NORMAL_NODE
    return small_hilar_node(case, lesion) or (by_rule(case) and normal)


def role_when_new(case: Case, lesion: Lesion) -> str:
    """Step 4.3: a new lesion without a recorded role is a new target when measurable where first seen."""
    first = next((k for k in case.followup if seen_rows(case, lesion, k)), None)
    rows = [] if first is None else rows_in_visit(case, lesion, first)
    sizes = [(size, row["day"]) for row in rows if (size := measurement(case, lesion, row)) is not None]
    if not sizes:
        return "new_nontarget"
    value, day = sizes[-1]
    return "new_target" if large_enough(case, lesion, value=value, day=day) else "new_nontarget"


def recorded_roles(case: Case) -> None:
    """Steps 4.1, 4.2, 4.4 and 4.5."""
    for lesion in case.lesions:
        if lesion.part_of:
            continue
        there = was_there(case, lesion)
        role = lesion.role or ("nontarget" if there else role_when_new(case, lesion))
        if role.startswith("new"):
            case.new.append((lesion, role))
        elif baseline_row(case, lesion) is None or is_ignored(case, lesion):
            continue
        elif role == "nontarget" or (case.mrecist and lesion.organ in VESSELS):
            case.nontargets.append(lesion)
        else:
            recorded_target(case, lesion)


def recorded_target(case: Case, lesion: Lesion) -> None:
    """Step 4.1: a target, a non-target for mRECIST, or left out."""
    value = value_at(case, lesion, case.baseline)
    row = baseline_row(case, lesion)
    if value is not None and value > 0:
        case.targets.append(lesion)
    elif case.mrecist and lesion.hepatic and value is not None and row["viable_mm"] == 0:
        case.nontargets.append(lesion)


def sum_as_target(case: Case) -> None:
    """Step 3, last sentence: without a measured target the sums are one hepatic target."""
    wanted = "viable" if case.mrecist else "longest"
    at_baseline = [row["sum"] for row in case.sums if row["day"] in case.visits[case.baseline]]
    case.diseased |= any(value is None or value > 0 for value in at_baseline)
    rows = {
        row["day"]: {"day": row["day"], "state": None, "longest_mm": row["sum"], "viable_mm": row["sum"]}
        for row in case.sums
        if row["measure"] == wanted
    }
    target = Lesion(name=SUM, rows=rows, node=False, organ=None, role="target", part_of=None)
    if value_at(case, target, case.baseline):
        case.targets = [target]


def assign_roles(case: Case) -> None:
    """Step 4."""
    if case.baseline is None:
        case.new = [(lesion, lesion.role) for lesion in case.lesions if recorded_new(lesion)]
        return
    if case.followup:
        (roles_by_rule if by_rule(case) else recorded_roles)(case)
    if not case.targets:
        sum_as_target(case)
    case.diseased |= any(was_there(case, lesion) and not is_ignored(case, lesion) for lesion in case.lesions)
