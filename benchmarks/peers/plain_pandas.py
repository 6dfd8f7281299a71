"""RECIST 1.1 as a good analyst would write it with pandas: grouped and vectorised, no loop over patients.

A peer for the benchmark, not part of the package. It serves clean data: one reader, one scan a
visit, every lesion with a role, no split or merged lesions, default policies. On such data it
equals the engine, and a test holds it against the naive implementation.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

NODES = ("lymph_node", "porta_hepatis_node")
GONE = ("absent", "merged")
WINDOW = (-28.0, 1.0)
SD_MIN_DAYS = 42.0
CONFIRM_DAYS = 28.0
MAX_NE = 1
TIMEPOINTS = [
    *("patient_id", "day", "target", "nontarget", "new_lesion", "overall"),
    *("sum_um", "baseline_um", "nadir_um"),
]
ORDER = ("CR", "PR", "SD", "NON-CR/NON-PD", "NED", "PD", "NE")


def recist11_pandas(lesions: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Assess lesion rows by RECIST 1.1.

    Parameters
    ----------
    lesions
        Columns patient_id, lesion_id, day, role, organ, node, longest_mm, short_axis_mm, state.

    Returns
    -------
    timepoints, best_response
        One row a visit after baseline (day, target, nontarget, new_lesion, overall, sum_um, baseline_um,
        nadir_um) and one row a patient (best, best_confirmed, best_day, first_response_day,
        progression_day). Sums are in whole micrometres.
    """
    rows = prepare(lesions)
    visits = rows.loc[rows["day"] > WINDOW[1], ["patient_id", "day"]].drop_duplicates()
    visits = visits.sort_values(["patient_id", "day"], ignore_index=True)
    visits = add_target_sums(visits, rows)
    visits = add_nontarget(visits, rows)
    visits = add_new_lesions(visits, rows)
    visits = add_responses(visits)
    return visits[TIMEPOINTS], best_response(visits, rows["patient_id"].unique())


def prepare(lesions: pd.DataFrame) -> pd.DataFrame:
    """Add role, node, value in micrometres (missing: not evaluable) and whether a row is at baseline."""
    rows = lesions.sort_values(["patient_id", "lesion_id", "day"], ignore_index=True)
    lesion = rows.groupby(["patient_id", "lesion_id"], sort=False)
    rows["role"] = lesion["role"].transform("first")
    rows["node"] = rows["node"].eq(True) | rows["organ"].isin(NODES)
    size = rows["longest_mm"].where(~rows["node"], rows["short_axis_mm"])
    value = (size * 1000).round()
    value = value.mask(rows["state"].eq("too_small") & value.isna(), 5000.0)
    value = value.mask(rows["state"].isin(GONE), 0.0)
    rows["value"] = value.mask(rows["state"].eq("not_evaluable"))
    window = rows["day"].between(*WINDOW)
    last = rows["day"].where(window).groupby(rows["patient_id"]).transform("max")
    rows["at_baseline"] = rows["day"].eq(last)
    return rows


def add_target_sums(visits: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Add the sum, whether it is complete, baseline, nadir, and what CR and reappearance look at."""
    start = rows[rows["at_baseline"] & rows["role"].eq("target") & rows["value"].gt(0)]
    first = start.groupby("patient_id")["value"].agg(baseline_um="sum", n_targets="size").reset_index()
    targets = rows.merge(start[["patient_id", "lesion_id"]], on=["patient_id", "lesion_id"])
    targets = targets[targets["day"] > WINDOW[1]].dropna(subset="value")
    left = targets["value"].ge(np.where(targets["node"], 10_000.0, 1.0))
    targets = targets.assign(left=left, back=~targets["node"] & targets["value"].gt(0))
    found = targets.groupby(["patient_id", "day"]).agg(
        sum_um=("value", "sum"), n=("value", "size"), left=("left", "any"), back=("back", "any")
    )
    visits = visits.merge(first, on="patient_id", how="left")
    visits = visits.merge(found.reset_index(), on=["patient_id", "day"], how="left")
    visits["complete"] = visits["n"].eq(visits["n_targets"])
    visits["gone"] = visits["complete"] & visits["left"].eq(False)
    visits["back"] = visits["back"].eq(True)
    patient = visits["patient_id"]
    lowest = visits["sum_um"].where(visits["complete"]).groupby(patient).cummin().groupby(patient).ffill()
    visits["nadir_um"] = np.fmin(visits["baseline_um"], lowest.groupby(patient).shift())
    return visits


def add_nontarget(visits: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Add the non-target response (reappearance after CR comes later) and what is left of non-targets."""
    start = rows[rows["at_baseline"] & rows["role"].eq("nontarget")]
    count = start.groupby("patient_id").size().rename("n_nontargets").reset_index()
    later = rows.merge(start[["patient_id", "lesion_id"]], on=["patient_id", "lesion_id"])
    measured = later[["longest_mm", "short_axis_mm"]].notna().any(axis=1)
    known = (later["state"].notna() | measured) & later["state"].ne("not_evaluable")
    small = later["short_axis_mm"].lt(10) | (later["short_axis_mm"].isna() & later["state"].eq("too_small"))
    gone = later["state"].isin(GONE) | np.where(later["node"], small, later["longest_mm"].eq(0))
    later = later.assign(
        known=known,
        left=known & ~gone,
        left_mass=known & ~gone & ~later["node"],
        worse=later["state"].eq("unequivocal_progression"),
    )
    flags = later.groupby(["patient_id", "day"])[["known", "left", "left_mass", "worse"]].sum()
    visits = visits.merge(count, on="patient_id", how="left")
    visits = visits.merge(flags.add_prefix("nt_").reset_index(), on=["patient_id", "day"], how="left").fillna(
        {"nt_known": 0, "nt_left": 0, "nt_left_mass": 0, "nt_worse": 0}
    )
    visits["nontarget"] = np.select(
        [
            visits["n_nontargets"].isna(),
            visits["nt_worse"].gt(0),
            visits["nt_known"].lt(visits["n_nontargets"]),
            visits["nt_left"].eq(0),
        ],
        [None, "PD", "NE", "CR"],
        default="NON-CR/NON-PD",
    )
    return visits


def add_new_lesions(visits: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Add whether a new lesion, proven at one visit or another, is seen."""
    new = rows[rows["role"].isin(["new_target", "new_nontarget"]) & rows["day"].gt(WINDOW[1])]
    sized = new[["longest_mm", "short_axis_mm", "viable_mm"]].gt(0).any(axis=1)
    seen = new[
        (new["state"].isna() & sized) | ~(new["state"].isna() | new["state"].isin([*GONE, "not_evaluable"]))
    ]
    small = seen["node"] & seen["short_axis_mm"].lt(10)
    proven = seen["state"].eq("unequivocal_progression") | ~(seen["state"].eq("equivocal") | small)
    lesions = seen.loc[proven, ["patient_id", "lesion_id"]].drop_duplicates()
    shown = seen.merge(lesions, on=["patient_id", "lesion_id"])[["patient_id", "day"]].drop_duplicates()
    visits = visits.merge(shown.assign(new_lesion=True), on=["patient_id", "day"], how="left")
    visits["new_lesion"] = visits["new_lesion"].eq(True)
    return visits


def add_responses(visits: pd.DataFrame) -> pd.DataFrame:
    """Add target and overall response.

    A lesion that returns is progression after overall CR only, which depends on the responses before:
    repeated until nothing changes (one to three times on real data).
    """
    after_cr = pd.Series(data=False, index=visits.index)
    plain_nontarget = visits["nontarget"]
    while True:
        visits["nontarget"] = plain_nontarget.mask(after_cr & visits["nt_left_mass"].gt(0), "PD")
        visits["target"] = target_response(visits, after_cr)
        visits["overall"] = overall_response(visits)
        patient = visits["patient_id"]
        known = visits["overall"].where(visits["overall"].ne("NE")).groupby(patient).ffill()
        following = known.groupby(patient).shift().eq("CR")
        if following.equals(after_cr):
            return visits
        after_cr = following


def target_response(visits: pd.DataFrame, after_cr: pd.Series) -> pd.Series:
    """CR, PD, NE, PR (also continuing) or SD, in this order."""
    total, nadir = visits["sum_um"], visits["nadir_um"]
    grown = total.mul(10).ge(nadir.mul(12)) & total.sub(nadir).ge(5000) & nadir.gt(0)
    progression = ~visits["gone"] & (grown | (after_cr & visits["back"]))
    shrunk = visits["complete"] & total.mul(10).le(visits["baseline_um"].mul(7))
    response = visits["gone"] | (shrunk & ~progression)
    block = progression.groupby(visits["patient_id"]).cumsum()
    responding = response.groupby([visits["patient_id"], block]).cummax()
    words = np.select(
        [visits["baseline_um"].isna(), visits["gone"], progression, ~visits["complete"], responding],
        [None, "CR", "PD", "NE", "PR"],
        default="SD",
    )
    return pd.Series(words, index=visits.index)


def overall_response(visits: pd.DataFrame) -> np.ndarray:
    """Target, non-target and new lesions together."""
    target, nontarget = visits["target"], visits["nontarget"]
    clear = nontarget.isna() | nontarget.eq("CR")
    return np.select(
        [
            target.eq("PD") | nontarget.eq("PD") | visits["new_lesion"],
            target.eq("CR") & ~clear,
            target.notna(),
            nontarget.notna(),
        ],
        ["PD", "PR", target, nontarget],
        default="NED",
    )


def best_response(visits: pd.DataFrame, patients: np.ndarray) -> pd.DataFrame:
    """Best response, with and without confirmation, and dates."""
    progression = visits["overall"].eq("PD")
    before = progression.groupby(visits["patient_id"]).cumsum()
    counting = visits[before.eq(0) | (before.eq(1) & progression)].reset_index(drop=True)
    early = counting["day"].lt(SD_MIN_DAYS) & counting["overall"].isin(["SD", "NON-CR/NON-PD"])
    counts = counting["overall"].mask(early, "NE")
    result = pd.DataFrame({"patient_id": patients}).set_index("patient_id")
    best = first_best(counting, counts)
    result["best"], result["best_day"] = best["word"], best["day"]
    late = counting["day"].ge(SD_MIN_DAYS)
    weaker = counts.mask(counts.isin(["CR", "PR"]), pd.Series(np.where(late, "SD", "NE")))
    result["best_confirmed"] = first_best(counting, weaker)["word"]
    for word in ("PR", "CR"):
        confirmed = counting.loc[is_confirmed(counting, word), "patient_id"].unique()
        result.loc[result.index.isin(confirmed), "best_confirmed"] = word
    for column, words in (("first_response_day", ("CR", "PR")), ("progression_day", ("PD",))):
        result[column] = counting[counting["overall"].isin(words)].groupby("patient_id")["day"].first()
    return result.fillna({"best": "NE", "best_confirmed": "NE"}).reset_index()


def first_best(counting: pd.DataFrame, words: pd.Series) -> pd.DataFrame:
    """The best word of each patient and the first day on which it was reached."""
    rank = words.map({word: i for i, word in enumerate(ORDER)})
    best = counting.assign(rank=rank, word=words).sort_values(["rank", "day"], kind="stable")
    return best.drop_duplicates("patient_id").set_index("patient_id")[["word", "day"]]


def is_confirmed(counting: pd.DataFrame, word: str) -> pd.Series:
    """Whether each visit has this response and a later one confirms it."""
    wanted = ["CR"] if word == "CR" else ["CR", "PR"]
    overall, patient = counting["overall"], counting["patient_id"]
    place = pd.Series(np.arange(len(counting), dtype=float), index=counting.index)
    facts = counting[["patient_id", "day"]].assign(
        place=place,
        others=(~overall.isin([*wanted, "NE"])).cumsum(),
        missing=overall.eq("NE").cumsum(),
        next_cr=place.where(overall.eq("CR")).groupby(patient).bfill(),
        last_pr=place.where(overall.eq("PR")).groupby(patient).ffill(),
    )
    later = facts[overall.isin(wanted)].sort_values("day")
    first = facts[overall.eq(word)].assign(due=lambda f: f["day"] + CONFIRM_DAYS).sort_values("due")
    pairs = pd.merge_asof(
        first,
        later,
        left_on="due",
        right_on="day",
        by="patient_id",
        direction="forward",
        suffixes=("", "_then"),
    ).dropna(subset="place_then")
    good = (
        pairs["others"].eq(pairs["others_then"])
        & pairs["missing_then"].sub(pairs["missing"]).le(MAX_NE)
        & ~pairs["next_cr"].lt(pairs["last_pr_then"])
    )
    return place.isin(pairs.loc[good, "place"])
