"""How each published arm was followed, and who was in it: sourced, or assumed and said so.

A value is taken from the first of these that has it:

1. what was looked up for the arm, then for its trial (`context_facts.csv`; ``sourced`` with an address, or
   ``assumed`` from memory where only the design is meant: scan grid and years of enrolment),
2. `arms.csv` where its baseline was read in retrieved text, and verified rows of `endpoints_long.csv` for
   who assessed (``sourced``),
3. one shared value by line and region: the mean over all arms of that line and region that report it, each
   weighing its patients, where at least two trials do; then of the line alone (not for the share from
   Asia); then a stated assumption (``assumed``).

Rule 3 does not look at the trial: a trait that a trial does not report is never a property of that trial.
Arms that are held out get rules 1 and 2 for what is no efficacy; nothing of them goes into rule 3.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import dataframely as dy
import polars as pl

from hccresist.outcomes.target_table import split_regimen

STATUSES: Final = ("sourced", "assumed")

PERCENTS: Final = (
    "male_pct", "asia_pct", "hbv_pct", "hcv_pct", "alcohol_pct", "bclc_b_pct", "bclc_c_pct", "mvi_pct",
    "ehs_pct", "mvi_or_ehs_pct", "afp_ge200_pct", "afp_ge400_pct", "ecog0_pct", "childpugh_a_pct",
    "later_therapy_pct",
)  # fmt: skip
"""Shares of patients, percent."""

NUMBERS: Final = ("age_median", "sld_mm", "scan_interval_weeks", "scan_switch_week", "scan_later_weeks")
WORDS: Final = ("line", "region", "assessor", "pfs_censoring", "beyond_progression")
YEARS: Final = ("enrolment_first_year", "enrolment_last_year")
OPTIONAL: Final = ("beyond_progression_pct",)
"""Values that are given only where they are reported."""

VALUE_NAMES: Final = (*WORDS, *YEARS, *NUMBERS, *PERCENTS)
"""Every value that each arm has."""

SHARED: Final[Mapping[str, tuple[float, float, float]]] = {
    "male_pct": (84, 85, 78),
    "asia_pct": (40, 35, 60),
    "hbv_pct": (45, 40, 37),
    "hcv_pct": (25, 22, 25),
    "alcohol_pct": (15, 20, 20),
    "bclc_b_pct": (20, 15, 75),
    "bclc_c_pct": (80, 85, 5),
    "mvi_pct": (30, 30, 5),
    "ehs_pct": (60, 70, 0),
    "mvi_or_ehs_pct": (70, 80, 5),
    "afp_ge200_pct": (45, 48, 30),
    "afp_ge400_pct": (38, 43, 22),
    "ecog0_pct": (62, 58, 84),
    "childpugh_a_pct": (99, 98, 97),
    "later_therapy_pct": (36, 25, 40),
    "age_median": (62, 63, 65),
    "sld_mm": (80, 80, 60),
    "scan_interval_weeks": (8, 6, 8),
    "scan_switch_week": (52, 52, 52),
    "scan_later_weeks": (12, 12, 12),
}
"""Stated assumptions for first line, later lines and TACE, used where no arm of the line reports a value."""

LINES: Final = ("1L", "2L", "TACE")
_UNITS: Final = {"age_median": "years", "sld_mm": "mm"}
_CHECKPOINT: Final = frozenset(
    {
        "nivolumab", "pembrolizumab", "sintilimab", "tislelizumab", "camrelizumab", "atezolizumab",
        "durvalumab", "tremelimumab", "ipilimumab",
    }
)  # fmt: skip
_INDEPENDENT: Final = ("BICR", "BIRC", "IRC", "IRF", "IRRC", "independent")
_ASIA: Final = 90.0
_POOLED_TRIALS: Final = 2

_SHARED_SOURCE: Final = "shared assumption by line"

Row = Mapping[str, Any]
Found = tuple[str, str, str]
"""Value, status and source."""


class TrialContext(dy.Schema):
    """One row an arm and value: how it was followed and who was in it."""

    arm_id = dy.String(primary_key=True, description="arm, a key of arms.csv")
    value_name = dy.String(primary_key=True, description="what the value is of")
    value = dy.String(description="number or word")
    unit = dy.String(nullable=True, description="unit; empty for words")
    status = dy.Enum(STATUSES, description="read in a source, or assumed")
    source = dy.String(description="address or file; memory; or how the shared value was made")


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of arms, and of lines where arms do not say."""

    facts: Mapping[tuple[str, str], Found]
    assessors: Mapping[str, Found]
    pools: Mapping[tuple[str, str, str], Found]
    checkpoint_trials: frozenset[str]


def make_context(tables: Mapping[str, pl.DataFrame], *, modelled: Collection[str]) -> pl.DataFrame:
    """Return the context of every arm whose drugs the model knows, TACE and placebo included.

    Parameters
    ----------
    tables
        `arms`, `endpoints_long` and `context_facts` as `published.read_trials` gives them.
    modelled
        Drugs that the model knows.

    Returns
    -------
    pl.DataFrame
        Table `TrialContext`, sorted by key.
    """
    arms = tables["arms"].sort("arm_id").to_dicts()
    known_drugs = {*modelled, "TACE", "placebo", "rivoceranib"}
    facts = {
        (str(row["scope"]), str(row["value_name"])): (
            str(row["value"]),
            str(row["status"]),
            str(row["source"]),
        )
        for row in tables["context_facts"].iter_rows(named=True)
    }
    known = _Known(
        facts,
        _find_assessors(tables["endpoints_long"].filter("verified").to_dicts()),
        _pool_arms(arms, facts),
        frozenset(str(arm["trial"]) for arm in arms if _CHECKPOINT & set(split_regimen(arm["drugs"]))),
    )
    rows = [
        {"arm_id": arm["arm_id"], "value_name": name, "value": value, "unit": _name_unit(name)}
        | {"status": status, "source": source}
        for arm in arms
        if set(split_regimen(arm["drugs"])) <= known_drugs
        for name, (value, status, source) in _describe(arm, known)
    ]
    return TrialContext.cast(pl.DataFrame(rows)).sort("arm_id", "value_name")


def name_line(line: str) -> str:
    """Return the class of a line of treatment, one of `LINES`.

    Examples
    --------
    >>> [name_line(text) for text in ("1L advanced", "2L/3L (after sorafenib)", "BCLC B, DEB-TACE")]
    ['1L', '2L', 'TACE']
    """
    return line[:2] if line[:2] in LINES else "TACE"


def _name_unit(name: str) -> str | None:
    if name.endswith("_pct"):
        return "percent"
    if name in YEARS:
        return "year"
    return "weeks" if name.startswith("scan_") else _UNITS.get(name)


def _describe(arm: Row, known: _Known) -> Iterator[tuple[str, Found]]:
    for name in VALUE_NAMES:
        yield name, _find_value(arm, name, known)
    for name in OPTIONAL:
        if (found := _find_fact(arm, name, known.facts)) is not None:
            yield name, found


def _find_value(arm: Row, name: str, known: _Known) -> Found:
    found = _find_fact(arm, name, known.facts)
    if found is not None:
        return found
    if name in WORDS:
        return _find_word(arm, name, known)
    if (found := _find_reported(arm, name)) is not None:
        return found
    line, region = name_line(arm["line"]), _name_region(arm, known.facts)
    pooled = known.pools.get((line, region, name)) or known.pools.get((line, "", name))
    return pooled or (f"{SHARED[name][LINES.index(line)]:g}", "assumed", _SHARED_SOURCE)


def _find_fact(arm: Row, name: str, facts: Mapping[tuple[str, str], Found]) -> Found | None:
    return facts.get((str(arm["arm_id"]), name)) or facts.get((_name_trial(arm), name))


def _name_trial(arm: Row) -> str:
    """Return the trial of an arm, that of the whole trial for a subgroup."""
    return str(arm["trial"]).partition(" (Child-Pugh B")[0].partition(" (Asian")[0]


def _find_reported(arm: Row, name: str) -> Found | None:
    """Return what `arms.csv` reports of the baseline, where it was read in retrieved text."""
    column = "asian_pct" if name == "asia_pct" and not arm["asia_pct"] else name
    value = arm.get(column)
    if value is None or not arm["baseline_verified"]:
        return None
    return str(value), "sourced", f"arms.csv: {arm['baseline_source'] or 'baseline'}"


def _find_word(arm: Row, name: str, known: _Known) -> Found:
    if name == "line":
        return str(arm["line"]), "sourced", "arms.csv"
    if name == "region":
        asia = _find_fact(arm, "asia_pct", known.facts) or _find_reported(arm, "asia_pct")
        return (
            _name_region(arm, known.facts),
            asia[1] if asia else "assumed",
            asia[2] if asia else _SHARED_SOURCE,
        )
    if name == "assessor":
        return known.assessors.get(arm["arm_id"]) or _read_assessment(arm)
    if name == "pfs_censoring":
        return "fda", "assumed", "censored at the last adequate scan before another treatment or a gap"
    allowed = str(arm["trial"]) in known.checkpoint_trials
    told = "trial of a checkpoint inhibitor" if allowed else "trial without a checkpoint inhibitor"
    return "allowed" if allowed else "not allowed", "assumed", told


def _read_assessment(arm: Row) -> Found:
    """Return who assessed by the column `assessment`, which carries no source of its own."""
    text = arm["assessment"] or ""
    words = ("investigator", "independent") if text.startswith("investigator") else ("independent", "")
    return (words[0] if text else "investigator"), "assumed", f"arms.csv: {text or 'not said'}"


def _name_region(arm: Row, facts: Mapping[tuple[str, str], Found]) -> str:
    """Return ``Asia`` for arms of which at least 90 % are from Asia, else ``global``."""
    found = _find_fact(arm, "asia_pct", facts) or _find_reported(arm, "asia_pct")
    return "Asia" if found and float(found[0]) >= _ASIA else "global"


def _find_assessors(rows: Iterable[Row]) -> dict[str, Found]:
    """Return who assessed each arm by its verified rows: independent where any of them says so."""
    found: dict[str, Found] = {}
    for row in rows:
        if row["assessor"]:
            word = "independent" if row["assessor"] in _INDEPENDENT else "investigator"
            if word == "independent" or row["arm_id"] not in found:
                found[row["arm_id"]] = (word, "sourced", f"endpoints_long.csv: {row['source_key']}")
    return found


def _pool_arms(
    arms: Iterable[Row], facts: Mapping[tuple[str, str], Found]
) -> dict[tuple[str, str, str], Found]:
    """Return the mean of each share over the arms that report it, by line and region, and by line alone."""
    sums: dict[tuple[str, str, str], tuple[float, float, set[str]]] = {}
    for arm in arms:
        if arm["heldout"] or not arm["n"] or "subgroup" in arm["phase"]:
            continue
        line, region = name_line(arm["line"]), _name_region(arm, facts)
        for name in (*PERCENTS, "age_median", "sld_mm"):
            found = _find_fact(arm, name, facts) or _find_reported(arm, name)
            if found is None or found[1] != "sourced":
                continue
            for place in ((line, region, name), (line, "", name)):
                total, weight, trials = sums.get(place, (0.0, 0.0, set()))
                sums[place] = (
                    total + float(found[0]) * arm["n"],
                    weight + arm["n"],
                    trials | {str(arm["trial"])},
                )
    return {
        place: (f"{total / weight:.3g}", "assumed", f"mean of {', '.join(sorted(trials))}")
        for place, (total, weight, trials) in sums.items()
        if len(trials) >= _POOLED_TRIALS and place[1:] != ("", "asia_pct")
    }
