"""Step 9 of the naive implementation: iRECIST as a state machine over the visits of one series."""

from __future__ import annotations

from dataclasses import dataclass, field

from naive_case import Case, Row, scan_flag, seen_rows, value_at, within_limits
from naive_responses import old_lesions, progression_date, states_in_visit, without_new_lesions

MAX_NEW_TARGETS = 5
MAX_NEW_TARGETS_PER_ORGAN = 2
GROWTH = 5000
IWORD = {"CR": "iCR", "PR": "iPR", "SD": "iSD", "NON-CR/NON-PD": "NON-iCR/NON-iUPD"}
STANDING = ("CR", "PR", "SD", "NON-CR/NON-PD", "NE", "PD", None)


@dataclass
class Block:
    """A pending progression: when it began, how the disease stood, and what progressed with which numbers."""

    day: float
    dated: float
    standing: str | None
    memory: dict[str, Row] = field(default_factory=dict)


class IrecistMachine:
    """Walks through the visits of a case in order of time."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.block: Block | None = None
        self.confirmed = False
        self.count = 0
        self.lowest_new_sum: int | None = None
        order = sorted(case.new, key=lambda pair: (case.first_sight[pair[0].name], pair[0].name))
        self.new_targets = within_limits(
            [lesion for lesion, role in order if role == "new_target"],
            total=MAX_NEW_TARGETS,
            each=MAX_NEW_TARGETS_PER_ORGAN,
        )

    def visit(self, tp: Row) -> None:
        """Decide one visit: adds overall, new_target_sum and the date of the block that is open."""
        tp["new_target_sum"] = self.sum_of_new_targets(tp["k"])
        count = sum(k <= tp["k"] for k in self.case.first_sight.values())
        beyond_flag = self.new_lesions_progress(tp, count)
        progressing = {
            "target": tp["target"] == "PD",
            "nontarget": tp["nontarget"] == "PD",
            "new": beyond_flag or bool(scan_flag(self.case, tp["k"], "new_lesion", True)),
        }
        self.remember_new_sum(tp, progressing=progressing["new"])
        self.count = count
        if self.confirmed:
            tp["overall"] = "iCPD"
        elif self.block is None:
            tp["overall"] = self.when_not_pending(tp, progressing)
        else:
            tp["overall"] = self.when_pending(tp, progressing, beyond_flag=beyond_flag)
        tp["block_dated"] = self.block.dated if self.block else None

    def sum_of_new_targets(self, k: int) -> int | None:
        """The new-target sum at visit k; None before there is any value."""
        values = [
            value_at(self.case, lesion, k)
            for lesion in self.new_targets
            if self.case.first_sight[lesion.name] <= k
        ]
        values = [value for value in values if value is not None]
        return sum(values) if values else None

    def new_nontarget_grows(self, k: int) -> bool:
        """Whether a counting new lesion outside the new-target sum is worse."""
        return any(
            row["state"] in {"worsened", "unequivocal_progression"}
            for lesion, _ in self.case.new
            if lesion not in self.new_targets
            for row in seen_rows(self.case, lesion, k)
        )

    def new_lesions_progress(self, tp: Row, count: int) -> bool:
        """Condition C without the flag of the visit."""
        total, low = tp["new_target_sum"], self.lowest_new_sum
        grew = total is not None and bool(low) and total - low >= GROWTH and 10 * total >= 12 * low
        return grew or count > self.count or self.new_nontarget_grows(tp["k"])

    def remember_new_sum(self, tp: Row, *, progressing: bool) -> None:
        """Keep the smallest new-target sum since a measured visit at which new lesions progressed."""
        if progressing and tp["new_target_sum"] is not None:
            self.lowest_new_sum = None
        known = [value for value in (tp["new_target_sum"], self.lowest_new_sum) if value is not None]
        self.lowest_new_sum = min(known, default=None)

    def response(self, tp: Row) -> str:
        """Step 8 without the new lesions; with persisting ones iCR becomes iPR."""
        plain = without_new_lesions(self.case, tp)
        if plain == "CR" and tp["new_lesion"]:
            plain = "PR"
        return IWORD.get(plain, plain)

    def standing(self, tp: Row) -> str | None:
        """Target response; non-target response where there is none."""
        return tp["target"] or tp["nontarget"]

    def remember(self, tp: Row, progressing: dict[str, bool]) -> None:
        """Remember the numbers at which a category first progressed in the block."""
        for category, holds in progressing.items():
            if holds and category not in self.block.memory:
                self.block.memory[category] = {
                    "sum": tp["sum"],
                    "new_sum": tp["new_target_sum"],
                    "count": self.count,
                }

    def when_not_pending(self, tp: Row, progressing: dict[str, bool]) -> str:
        """A, B or C opens a block."""
        if not any(progressing.values()):
            return self.response(tp)
        dated = progression_date(self.case, tp, by_new=progressing["new"])
        self.block = Block(day=tp["day"], dated=dated, standing=self.standing(tp))
        self.remember(tp, progressing)
        return "iUPD"

    def confirms(self, tp: Row, progressing: dict[str, bool]) -> bool:
        """Condition 1 of the pending state, but for the days."""
        memory, k = self.block.memory, tp["k"]
        if any(holds and category not in memory for category, holds in progressing.items()):
            return True
        if "target" in memory and grown(tp["sum"], memory["target"]["sum"]):
            return True
        if "nontarget" in memory and self.nontarget_worsened(k):
            return True
        return "new" in memory and (
            grown(tp["new_target_sum"], memory["new"]["new_sum"])
            or self.count > memory["new"]["count"]
            or self.new_nontarget_grows(k)
        )

    def nontarget_worsened(self, k: int) -> bool:
        """Whether a non-target is recorded as worsened."""
        return any("worsened" in states_in_visit(self.case, lesion, k) for lesion in old_lesions(self.case))

    def when_pending(self, tp: Row, progressing: dict[str, bool], *, beyond_flag: bool) -> str:
        """Conditions 1 to 5 of the pending state, in their order."""
        confirms = self.confirms(tp, progressing)
        if confirms and tp["day"] - self.block.day >= self.case.policy["irecist_min_days"]:
            self.confirmed = True
            return "iCPD"
        if confirms or progressing["target"] or progressing["nontarget"] or beyond_flag:
            self.remember(tp, progressing)
            return "iUPD"
        response = self.response(tp)
        if response == "NE":
            return "NE"
        better = STANDING.index(self.standing(tp)) < STANDING.index(self.block.standing)
        if tp["new_lesion"] and not better:
            return "iUPD"
        self.block = None
        return response


def grown(now: int | None, then: int | None) -> bool:
    """Whether a sum is at least 5 mm above an earlier one."""
    return now is not None and then is not None and now - then >= GROWTH
