"""The nine further criteria, naively: what each measures, and steps 1 to 4 (scans, baseline, values, roles).

Written apart from the engine; see `naive_more`, which holds the steps that follow. Lengths are whole
micrometres, areas whole square micrometres.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from naive_case import (
    GONE,
    NORMAL_NODE,
    SUM,
    UNMEASURABLE,
    Case,
    Lesion,
    Row,
    by_rule,
    last_evaluable,
    micrometres,
    recorded_new,
    rows_in_visit,
    seen_rows,
    too_small,
    treated_before,
    was_there,
    within_limits,
)

FINE = 100_000
"""Thousandths of a percent in the whole."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """A row of the table of step 11."""

    measure: str
    """recist (nodes by short axis), longest, area, viable, estimated"""
    response: int
    """largest percentage of baseline that is PR"""
    progress: int
    """smallest percentage of the nadir that is PD"""
    strictly: bool = False
    """PD needs more than that percentage"""
    floor: int = 0
    """micrometres that the sum must have grown for PD"""
    add_new: tuple[int, int] | None = None
    """new measured lesions that are added to the sum: in all, and in one organ"""
    continuing: bool = False
    enhancement_returns: bool = False
    attenuation: str = ""
    """how size and attenuation make PR: or, and"""
    whole_area: bool = False
    """PD by the whole area, from baseline"""
    sums: str = "longest"
    """measure of table `sums`"""

    @property
    def area(self) -> bool:
        return self.measure in {"area", "viable", "estimated"}

    @property
    def viable_tissue(self) -> bool:
        return self.measure in {"viable", "estimated"}

    @property
    def node_rule(self) -> bool:
        return self.measure == "recist"


CHOICES = {
    "imrecist": Choices(
        measure="recist", response=70, progress=120, floor=5000, add_new=(5, 2), continuing=True
    ),
    "irrc": Choices(measure="area", response=50, progress=125, add_new=(10, 5), sums="product"),
    "irrc1d": Choices(measure="longest", response=70, progress=120, add_new=(5, 2)),
    "who": Choices(measure="area", response=50, progress=125, strictly=True, sums="product"),
    "easl": Choices(
        measure="viable",
        response=50,
        progress=125,
        strictly=True,
        enhancement_returns=True,
        sums="viable_product",
    ),
    "easl_estimated": Choices(
        measure="estimated", response=50, progress=125, strictly=True, enhancement_returns=True, sums=""
    ),
    "choi": Choices(measure="recist", response=90, progress=110, attenuation="or"),
    "mchoi": Choices(measure="recist", response=90, progress=110, attenuation="and"),
    "recicl": Choices(
        measure="estimated", response=50, progress=125, strictly=True, whole_area=True, sums=""
    ),
}
SCALE = {name: 1e6 if choices.area else 1e3 for name, choices in CHOICES.items()}
"""Units of a sum in a square millimetre (area criteria) or millimetre."""


@dataclass
class MoreCase(Case):
    """One patient, one reader, one criterion of step 11."""

    choices: Choices = field(kw_only=True)
    new_targets: list[Lesion] = field(default_factory=list)


# Steps 1.4 and 2: scans that can be used


def lacks_arterial_phase(case: MoreCase, scan: Row) -> bool:
    """Step 11: criteria of viable tissue need an arterial phase."""
    return case.choices.viable_tissue and scan["arterial_phase"] is False


def readable(case: MoreCase, lesion: Lesion, row: Row) -> bool:
    """Step 1.4."""
    scan = case.scans.get(row["day"])
    if scan is None:
        return True
    return scan["adequate"] is not False and not (lesion.hepatic and lacks_arterial_phase(case, scan))


def usable(case: MoreCase, day: float) -> bool:
    """Step 2.1."""
    scan = case.scans.get(day)
    return scan is None or (scan["adequate"] is not False and not lacks_arterial_phase(case, scan))


def find_baseline(case: MoreCase) -> int | None:
    """Step 2.1."""
    start, end = case.policy["baseline_window_start"], case.policy["baseline_window_end"]
    candidates = [
        k
        for k, days in enumerate(case.visits)
        if start <= days[-1] <= end and any(usable(case, day) for day in days)
    ]
    measured = {day for lesion in case.lesions for day in lesion.rows} | {row["day"] for row in case.sums}
    with_rows = [k for k in candidates if any(day in measured for day in case.visits[k])]
    return max(with_rows or candidates, default=None)


# Step 3: values, by the second column of the table of step 11


def product(one: int | None, other: int | None) -> int | None:
    """Area of two diameters; a diameter of 0 is an area of 0."""
    if one == 0:
        return 0
    if one is None or other is None:
        return None
    return one * other


def whole_area(lesion: Lesion, row: Row) -> int | None:
    """Longest × perpendicular; for a node × its short axis."""
    across = row["short_axis_mm"] if lesion.node else row["perpendicular_mm"]
    return product(micrometres(row["longest_mm"]), micrometres(across))


def viable_area(row: Row) -> int | None:
    """Viable × its perpendicular; a viable diameter of 0 is an area of 0."""
    if row["viable_mm"] == 0:
        return 0
    return product(micrometres(row["viable_mm"]), micrometres(row["viable_perpendicular_mm"]))


def estimated_area(lesion: Lesion, row: Row) -> int | None:
    """Whole area × (100 − necrosis)/100, in whole square micrometres."""
    area, necrosis = whole_area(lesion, row), row["necrosis_percent"]
    if area is None or necrosis is None:
        return None
    return (area * (FINE - round(1000 * necrosis)) + FINE // 2) // FINE


def measurement(case: MoreCase, lesion: Lesion, row: Row) -> int | None:
    """What the criterion measures on a lesion."""
    measure = case.choices.measure
    if "sum" in row:
        return sum_in_units(case, row["sum"])
    if measure == "recist":
        return micrometres(row["short_axis_mm" if lesion.node else "longest_mm"])
    if measure == "longest":
        return micrometres(row["longest_mm"])
    if measure == "viable" and lesion.hepatic:
        return viable_area(row)
    if measure == "estimated" and lesion.hepatic:
        return estimated_area(lesion, row)
    return whole_area(lesion, row)


def sum_in_units(case: MoreCase, value: float | None) -> int | None:
    """A sum of table `sums` in the units of the criterion."""
    if value is None:
        return None
    return round(1e6 * value) if case.choices.area else round(1000 * value)


def tabled(case: MoreCase, row: Row, size: int | None) -> int | None:
    """Step 3, the table of states; too small counts squared in area criteria."""
    if row["state"] in GONE:
        return 0
    if row["state"] == "not_evaluable":
        return None
    if size is None and row["state"] == "too_small":
        small = too_small(case, row["day"])
        return small * small if case.choices.area else small
    return size


def row_value(case: MoreCase, lesion: Lesion, row: Row) -> int | None:
    """Steps 1.4 and 3."""
    return tabled(case, row, measurement(case, lesion, row)) if readable(case, lesion, row) else None


def counting_row(case: MoreCase, lesion: Lesion, k: int) -> Row | None:
    """Step 1.3."""
    rows = rows_in_visit(case, lesion, k)
    return last_evaluable(rows, lambda row: row_value(case, lesion, row) is not None)


def counting_pieces(case: MoreCase, lesion: Lesion, k: int) -> list[tuple[Lesion, Row]]:
    """A lesion and its parts, each with the row that counts in visit k."""
    found = [(piece, counting_row(case, piece, k)) for piece in (lesion, *lesion.parts)]
    return [(piece, row) for piece, row in found if row]


def value_at(case: MoreCase, lesion: Lesion, k: int) -> int | None:
    """Step 3: value in visit k with its parts; None is not evaluable."""
    if (lesion.name, k) not in case.known:
        pieces = counting_pieces(case, lesion, k)
        values = [row_value(case, piece, row) for piece, row in pieces]
        case.known[lesion.name, k] = None if not values or None in values else sum(values)
    return case.known[lesion.name, k]


def whole_at(case: MoreCase, lesion: Lesion, k: int) -> int:
    """Step 11, RECICL: whole area of the rows that count for an evaluated target."""
    pieces = counting_pieces(case, lesion, k)
    return sum(tabled(case, row, whole_area(piece, row)) for piece, row in pieces)


# Step 4: targets and non-targets


def diameter(case: MoreCase, lesion: Lesion, row: Row) -> int | None:
    """The diameter by which a lesion is measurable."""
    if lesion.node:
        return micrometres(row["short_axis_mm"])
    viable = case.choices.measure == "viable" and lesion.hepatic
    return micrometres(row["viable_mm" if viable else "longest_mm"])


def large_enough(case: MoreCase, lesion: Lesion, row: Row) -> bool:
    """Step 4.3."""
    value = diameter(case, lesion, row)
    if lesion.organ in UNMEASURABLE or value is None:
        return False
    if lesion.node:
        return value >= micrometres(case.policy["min_node_mm"])
    scan = case.scans.get(row["day"])
    thick = micrometres(scan["slice_mm"]) if scan else None
    if thick is not None and thick > 5000 and value < 2 * thick:
        return False
    return value >= micrometres(case.policy["min_target_mm"])


def is_candidate(case: MoreCase, lesion: Lesion) -> bool:
    """Step 4.3: what can be chosen as a target."""
    if lesion.part_of or recorded_new(lesion) or not value_at(case, lesion, case.baseline):
        return False
    row = counting_row(case, lesion, case.baseline)
    return large_enough(case, lesion, row) and not treated_before(case, lesion)


def baseline_diameter(case: MoreCase, lesion: Lesion) -> int:
    """The diameter by which lesions are put in order."""
    return diameter(case, lesion, counting_row(case, lesion, case.baseline))


def choose_targets(case: MoreCase) -> list[Lesion]:
    """Step 4.3."""
    candidates = [lesion for lesion in case.lesions if is_candidate(case, lesion)]
    candidates.sort(key=lambda lesion: (-baseline_diameter(case, lesion), lesion.name))
    policy = case.policy
    return within_limits(candidates, total=policy["max_targets"], each=policy["max_targets_per_organ"])


def is_ignored(case: MoreCase, lesion: Lesion) -> bool:
    """Step 4.3: where targets are chosen by rule, nodes below 10 mm are ignored.

    A node too small to measure has a value below 10 mm only where its short axis is the value.
    """
    row = counting_row(case, lesion, case.baseline) if lesion.node and by_rule(case) else None
    if row is None or row["state"] == "not_evaluable" or not readable(case, lesion, row):
        return False
    short = micrometres(row["short_axis_mm"])
    if short is None and row["state"] == "too_small" and case.choices.node_rule:
        short = too_small(case, row["day"])
    return short is not None and short < NORMAL_NODE


def role_when_new(case: MoreCase, lesion: Lesion) -> str:
    """Step 4.3: a new target when measurable where first seen."""
    first = next((k for k in case.followup if seen_rows(case, lesion, k)), None)
    rows = [] if first is None else rows_in_visit(case, lesion, first)
    rows = [row for row in rows if diameter(case, lesion, row) is not None]
    return "new_target" if rows and large_enough(case, lesion, rows[-1]) else "new_nontarget"


def role_of(case: MoreCase, lesion: Lesion) -> str:
    """Steps 4.1, 4.3 and 4.4: the role that counts, with targets chosen already."""
    if recorded_new(lesion) or (lesion.role and not by_rule(case)):
        return lesion.role
    return "nontarget" if was_there(case, lesion) else role_when_new(case, lesion)


def assign_roles(case: MoreCase) -> None:
    """Step 4."""
    if case.baseline is None:
        case.new = [(lesion, lesion.role) for lesion in case.lesions if recorded_new(lesion)]
        return
    rule = by_rule(case)
    case.targets = choose_targets(case) if rule else []
    for lesion in case.lesions:
        if lesion.part_of or lesion in case.targets:
            continue
        role = role_of(case, lesion)
        if role.startswith("new"):
            case.new.append((lesion, role))
        elif rows_in_visit(case, lesion, case.baseline) and not is_ignored(case, lesion):
            old_lesion(case, lesion, role)
    if not case.targets:
        sum_as_target(case)
    case.diseased |= any(was_there(case, lesion) and not is_ignored(case, lesion) for lesion in case.lesions)


def old_lesion(case: MoreCase, lesion: Lesion, role: str) -> None:
    """Steps 4.1 and 4.5: a recorded target, a non-target, or left out."""
    value = value_at(case, lesion, case.baseline)
    row = counting_row(case, lesion, case.baseline)
    if role == "nontarget":
        case.nontargets.append(lesion)
    elif value:
        case.targets.append(lesion)
    elif value == 0 and case.choices.viable_tissue and lesion.hepatic and row["state"] not in GONE:
        case.nontargets.append(lesion)


def sum_as_target(case: MoreCase) -> None:
    """Step 3, last sentence."""
    there = [row["sum"] for row in case.sums if row["day"] in case.visits[case.baseline]]
    case.diseased |= any(value is None or value > 0 for value in there)
    rows = {
        row["day"]: {"day": row["day"], "state": None, "sum": row["sum"], "attenuation_hu": None}
        for row in case.sums
        if row["measure"] == case.choices.sums
    }
    if case.choices.sums == "viable_product":  # a viable diameter of 0 is a viable area of 0
        none_left = [row for row in case.sums if row["measure"] == "viable" and row["sum"] == 0]
        rows |= {
            row["day"]: {"day": row["day"], "state": None, "sum": 0.0, "attenuation_hu": None}
            for row in none_left
        }
    target = Lesion(name=SUM, rows=rows, node=False, organ=None, role="target", part_of=None)
    if value_at(case, target, case.baseline):
        case.targets = [target]


def choose_new_targets(case: MoreCase) -> None:
    """Step 11: the new measured lesions that are added to the sum, in order of first sight."""
    if case.choices.add_new is None:
        return
    order = sorted(case.new, key=lambda pair: (case.first_sight[pair[0].name], pair[0].name))
    total, each = case.choices.add_new
    wanted = [lesion for lesion, role in order if role == "new_target"]
    case.new_targets = within_limits(wanted, total=total, each=each)
