"""Step 10 of the naive implementation: best response from the overall responses of the visits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = dict[str, Any]
Rows = list[Row]

PLAIN = {
    "iCR": "CR",
    "iPR": "PR",
    "iSD": "SD",
    "NON-iCR/NON-iUPD": "NON-CR/NON-PD",
}
ORDER = ("CR", "PR", "SD", "NON-CR/NON-PD", "NED", "PD", "NE")
IORDER = ("CR", "PR", "SD", "NON-CR/NON-PD", "NED", "iCPD", "iUPD", "NE")
IWORDS = {plain: word for word, plain in PLAIN.items()}


def best_response(
    timepoints: Rows, counting: Rows, policy: Mapping[str, Any], *, reference: float, irecist: bool
) -> Row:
    """Step 10: `counting` are the visits that new therapy does not take away."""
    visits = [
        {"day": tp["day"], "overall": PLAIN.get(tp["overall"], tp["overall"]), "tp": tp} for tp in counting
    ]
    visits = up_to_progression(visits)
    best, best_day = best_unconfirmed(visits, policy, reference=reference, irecist=irecist)
    confirmed = best_confirmed(visits, policy, reference=reference, irecist=irecist)
    return {
        "best": IWORDS.get(best, best) if irecist else best,
        "best_confirmed": IWORDS.get(confirmed, confirmed) if irecist else confirmed,
        "best_day": best_day,
        "first_response_day": next((v["day"] for v in visits if v["overall"] in {"CR", "PR"}), None),
        "progression_day": irecist_progression(timepoints, policy) if irecist else progression(timepoints),
    }


def up_to_progression(visits: Rows) -> Rows:
    """Visits up to and including the first PD (iCPD)."""
    for i, visit in enumerate(visits):
        if visit["overall"] in {"PD", "iCPD"}:
            return visits[: i + 1]
    return visits


def counted(visit: Row, policy: Mapping[str, Any], reference: float) -> str:
    """Response of a visit as it counts: SD and NON-CR/NON-PD before the minimum are NE."""
    early = visit["day"] - reference < policy["sd_min_days"]
    return "NE" if early and visit["overall"] in {"SD", "NON-CR/NON-PD"} else visit["overall"]


def best_unconfirmed(
    visits: Rows, policy: Mapping[str, Any], *, reference: float, irecist: bool
) -> tuple[str, float | None]:
    """The best response and the first day on which it was reached."""
    for word in IORDER if irecist else ORDER:
        for visit in visits:
            if counted(visit, policy, reference) == word:
                return word, visit["day"]
    return "NE", None


def first_repeat(visits: Rows, i: int, wanted: set[str], policy: Mapping[str, Any]) -> int | None:
    """The first visit at least confirm_days after visit i with a wanted response."""
    for j in range(i + 1, len(visits)):
        if visits[j]["day"] - visits[i]["day"] >= policy["confirm_days"] and visits[j]["overall"] in wanted:
            return j
    return None


def pr_after_cr(words: list[str]) -> bool:
    """Whether a PR follows a CR."""
    return "CR" in words and "PR" in words[words.index("CR") :]


def is_confirmed(visits: Rows, i: int, word: str, policy: Mapping[str, Any]) -> bool:
    """Whether the response at visit i is confirmed by a later one."""
    wanted = {"CR"} if word == "CR" else {"CR", "PR"}
    j = first_repeat(visits, i, wanted, policy)
    if visits[i]["overall"] != word or j is None:
        return False
    limit = policy["confirmation_window_max"]
    if limit and visits[j]["day"] - visits[i]["day"] > limit:
        return False
    between = [visit["overall"] for visit in visits[i + 1 : j]]
    tolerated = 1 if policy["accept_one_sd"] and "PR" in wanted else 0
    if between.count("NE") > policy["max_ne"] or between.count("SD") > tolerated:
        return False
    if any(word not in {*wanted, "NE", "SD"} for word in between):
        return False
    return not pr_after_cr([visit["overall"] for visit in visits[i : j + 1]])


def stop_at_pr_after_cr(visits: Rows, *, irecist: bool) -> Rows:
    """`cr_then_pr` = pd: a PR after a CR is itself progression."""
    kept: Rows = []
    for visit in visits:
        if visit["overall"] == "PR" and any(old["overall"] == "CR" for old in kept):
            return [*kept, visit | {"overall": "iUPD" if irecist else "PD"}]
        kept.append(visit)
    return kept


def best_confirmed(visits: Rows, policy: Mapping[str, Any], *, reference: float, irecist: bool) -> str:
    """The best response where CR and PR have to be confirmed."""
    if policy["cr_then_pr"] == "pd":
        visits = stop_at_pr_after_cr(visits, irecist=irecist)
    for word in ("CR", "PR"):
        if any(is_confirmed(visits, i, word, policy) for i in range(len(visits))):
            return word
    rest = [
        visit | {"overall": "SD" if visit["overall"] in {"CR", "PR"} else visit["overall"]}
        for visit in visits
    ]
    best, _ = best_unconfirmed(rest, policy, reference=reference, irecist=irecist)
    if best == "NE" and policy["cr_then_pr"] == "table3" and pr_after_cr([v["overall"] for v in visits]):
        return "iUPD" if irecist else "PD"
    return best


def progression(timepoints: Rows) -> float | None:
    """The date of the first PD of any visit."""
    return next((tp["dated"] for tp in timepoints if tp["overall"] == "PD"), None)


def irecist_progression(timepoints: Rows, policy: Mapping[str, Any]) -> float | None:
    """The first iUPD of the block that was confirmed, or that is still pending at the end."""
    last = timepoints[-1] if timepoints else {"block_dated": None}
    if last["block_dated"] is None or last["overall"] == "iCPD":
        return last["block_dated"]
    return last["block_dated"] if policy["irecist_unconfirmed"] == "event" else None
