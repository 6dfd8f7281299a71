"""Make `src/hccresist/data/overcome/trials/*.toml`: a virtual trial for each published one.

::

    python benchmarks/make_trial_specs.py          write them anew
    python benchmarks/make_trial_specs.py --check  exit code 1 where a file differs from its rules

Made of `arms.csv` and `trial_context.csv` alone: drugs, patients, baseline, scans, enrolment. No efficacy
goes in; held-out trials are made like the others. From `endpoints_long.csv` come only who assessed and how
far out a landmark lies. What the sources do not say is a rule here, the same for all trials, and each file
says so.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from hccresist.outcomes.published import read_trials
from hccresist.outcomes.survival import MONTH
from hccresist.overcome.trial_file import parse_spec
from hccresist.overcome.trial_prior import LIVER_MIN, LIVES

FOLDER = Path(__file__).resolve().parents[1] / "src" / "hccresist" / "data" / "overcome" / "trials"
LENVATINIB: Final = {"regimen": "lenvatinib_12", "light_kg": 60, "light_factor": 0.6667}
BY_DRUG: Final[dict[str, dict[str, Any]]] = {
    "sorafenib": {"regimen": "sorafenib_bid"},
    "donafenib": {"regimen": "donafenib_bid"},
    "lenvatinib": LENVATINIB,
    "regorafenib": {"regimen": "regorafenib_21_28"},
    "cabozantinib": {"regimen": "cabozantinib_60"},
    "ramucirumab": {"regimen": "ramucirumab_q2w"},
    "nivolumab": {"regimen": "nivolumab_q2w"},
    "pembrolizumab": {"regimen": "pembrolizumab_q3w"},
    "sintilimab": {"regimen": "sintilimab_q3w"},
    "tislelizumab": {"regimen": "tislelizumab_q3w"},
    "camrelizumab": {"regimen": "camrelizumab_q2w"},
    "atezolizumab": {"regimen": "atezolizumab_q3w"},
    "durvalumab": {"regimen": "durvalumab_q4w"},
    "tremelimumab": {"regimen": "tremelimumab_once"},
    "bevacizumab": {"regimen": "bevacizumab_q3w"},
    "bevacizumab biosimilar": {"regimen": "bevacizumab_q3w"},
    "apatinib": {"regimen": "apatinib_250"},
    "rivoceranib": {"regimen": "apatinib_250"},
}
NIVO_AFTER: Final = {"regimen": "nivolumab_q2w", "start": 84}
THIRD: Final = 0.3333
BY_ARM: Final[dict[str, list[dict[str, Any]]]] = {
    "CM040_nivoipi_A": [
        {"regimen": "nivolumab_induction"},
        {"regimen": "ipilimumab_induction"},
        NIVO_AFTER,
    ],
    "CM040_nivoipi_B": [
        {"regimen": "nivolumab_induction", "intensity": 3},
        {"regimen": "ipilimumab_induction", "intensity": THIRD},
        NIVO_AFTER,
    ],
    "CM040_nivoipi_C": [
        {"regimen": "nivolumab_q2w"},
        {"regimen": "ipilimumab_induction", "intensity": THIRD, "every": 42, "times": 9},
    ],
    "CM9DW_nivoipi": [
        {"regimen": "nivolumab_induction"},
        {"regimen": "ipilimumab_induction"},
        {"regimen": "nivolumab_q4w", "start": 84},
    ],
    "CM9DW_lensor": [{**LENVATINIB, "share": 0.85}, {"regimen": "sorafenib_bid", "share": 0.15}],
    "COSMIC312_caboatezo": [{"regimen": "cabozantinib_40"}, {"regimen": "atezolizumab_q3w"}],
    "AHELP_apatinib": [{"regimen": "apatinib_250", "intensity": 3}],
    "LEAP012_lenpem": [LENVATINIB, {"regimen": "pembrolizumab_q6w"}],
    "EMERALD1_durvabev": [{"regimen": "durvalumab_q4w"}, {"regimen": "bevacizumab_q3w", "start": 112}],
    "S22_T75D": [
        {"regimen": "tremelimumab_once", "intensity": 0.25, "every": 28, "times": 4},
        {"regimen": "durvalumab_q4w"},
    ],
}
"""Arms whose doses are not the drug's standard ones."""
LEFT_OUT: Final = {"S22_T": "its dose is not in the table"}
ELIGIBLE: Final = {"REACH-2": "afp = [400, inf]"}
"""Eligibility by a marker, where the trial is defined by one (line of `arms.csv`)."""
TACE: Final = {"kind": "tace", "day": 0, "every": 56, "times": 3}
"""On demand in the trials; three sessions eight weeks apart here (assumption)."""
CHECKPOINT: Final = (
    *("nivolumab", "pembrolizumab", "sintilimab", "tislelizumab", "camrelizumab"),
    *("atezolizumab", "durvalumab", "tremelimumab"),
)
AT_HAND: Final = {
    "sorafenib": {"global": 2008, "Asia": 2008},
    "lenvatinib": {"global": 2019, "Asia": 2019},
    "regorafenib": {"global": 2017, "Asia": 2018},
    "cabozantinib": {"global": 2019},
    "nivolumab": {"global": 2018},
    "camrelizumab": {"Asia": 2020},
}
"""What may follow progression, and from which year: approved for hepatocellular carcinoma in November 2007
(sorafenib), April 2017 (regorafenib; China December), September 2017 (nivolumab), August 2018 (lenvatinib),
January 2019 (cabozantinib, United States), March 2020 (camrelizumab, China)."""
AFTER_SORAFENIB: Final = ("regorafenib", "cabozantinib")
"""Approved after sorafenib only."""
ENDS: Final = 1
"""Years from the end of enrolment to the year whose drugs follow progression (assumption)."""
TOLERANT, INTOLERANT = "sorafenib-tolerant", 0.2
"""Word of a line for patients who tolerated sorafenib; share of the others who did not (assumption)."""
DEFAULT_DAYS: Final = 540
RULES: Final = (
    "Rules for all shipped trials (assumptions): patients of later lines have had sorafenib until it "
    "failed (a fifth: until it was not tolerated), in the same model; one visit of treatment beyond "
    "progression where the trial allowed it; chemoembolisation three times, eight weeks apart; later therapy "
    "as its share in trial_context.csv, among patients who are fit for it, with the drugs that were at hand "
    "then and there, in equal parts."
)


def make_specs() -> dict[str, str]:
    """Make the text of each file, by its name."""
    arms, context = read_trials("arms"), read_trials("trial_context")
    found: dict[str, str] = {}
    for trial in arms["trial"].unique(maintain_order=True):
        own = arms.filter(pl.col("trial") == trial)
        kept, notes = _split(own)
        if not kept:
            continue
        text = _write(trial, kept, notes, context)
        parse_spec(text, file=trial)
        found[f"{re.sub(r'[^a-z0-9]+', '-', trial.casefold()).strip('-')}.toml"] = text
    return found


def _split(arms: pl.DataFrame) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the arms that the model can run, and why it cannot run the others."""
    kept, notes = list[dict[str, Any]](), list[str]()
    for arm in arms.iter_rows(named=True):
        unknown = [d for d in _drugs(arm) if d not in BY_DRUG and arm["arm_id"] not in BY_ARM]
        if unknown:
            notes.append(f"{arm['arm_id']}: {', '.join(unknown)} not in the model")
        elif arm["arm_id"] in LEFT_OUT:
            notes.append(f"{arm['arm_id']}: {LEFT_OUT[arm['arm_id']]}")
        elif not arm["n"]:
            notes.append(f"{arm['arm_id']}: number of patients not known")
        else:
            kept.append(arm)
    return kept, notes


def _drugs(arm: dict[str, Any]) -> list[str]:
    """Drugs of an arm, without procedures and placebo."""
    return [drug for drug in re.split(r"[+|]", arm["drugs"]) if drug not in {"TACE", "placebo"}]


def _facts(arm_id: str, context: pl.DataFrame) -> dict[str, str]:
    """What is known or assumed of an arm."""
    rows = context.filter(pl.col("arm_id") == arm_id)
    return dict(rows.select("value_name", "value").iter_rows())


def _write(trial: str, arms: Sequence[dict[str, Any]], notes: Sequence[str], context: pl.DataFrame) -> str:
    facts = [_facts(arm["arm_id"], context) for arm in arms]
    first = facts[0]
    note = " ".join((RULES, *([f"Left out: {'; '.join(notes)}."] if notes else ())))
    lines = [
        "# Made by benchmarks/make_trial_specs.py of arms.csv and trial_context.csv; not by hand.",
        "# Research only: virtual patients; no prediction of a trial or for a patient.",
        f'name = "{trial}"',
        f'title = "{trial}, simulated"',
        f'line = "{first["line"]}"',
        f'note = "{note}"',
        "",
    ]
    if trial in ELIGIBLE:
        lines += ["[eligibility]", ELIGIBLE[trial], ""]
    lines += ["[mix]", *_mix(arms, facts), "", *_conduct(trial, arms, first)]
    for arm, fact in zip(arms, facts, strict=True):
        lines += ["", *_arm(arm, fact)]
    return "\n".join(lines) + "\n"


def _mix(arms: Sequence[dict[str, Any]], facts: Sequence[dict[str, str]]) -> list[str]:
    """Shares of traits: the mean over the arms, each weighing its patients."""
    total = sum(arm["n"] for arm in arms)

    def mean(name: str) -> float:
        return sum(arm["n"] * float(fact[name]) for arm, fact in zip(arms, facts, strict=True)) / total / 100

    shares = {name: mean(f"{name}_pct") for name in ("male", "hbv", "hcv", "mvi", "ehs")}
    shares["hcv"] = min(shares["hcv"], 1.0 - shares["hbv"])  # one of them is assumed where they make more
    shares["ecog1"] = 1.0 - mean("ecog0_pct")
    return [f"{name} = {share:.3f}" for name, share in sorted(shares.items())]


def _conduct(trial: str, arms: Sequence[dict[str, Any]], fact: dict[str, str]) -> list[str]:
    """Scans, follow-up and who assessed."""
    rows = read_trials("endpoints_long").filter(pl.col("trial") == trial)
    landmarks = [int(m.group(1)) for e in rows["endpoint"] if (m := re.search(r"_(\d+)mo$", e))]
    years = int(fact["enrolment_last_year"]) - int(fact["enrolment_first_year"])
    accrual = min(max(365 * years, 180), 730)
    known = [arm["median_followup_mo"] for arm in arms if arm["median_followup_mo"]]
    days = max(180.0, max(known) * MONTH - accrual / 2) if known else DEFAULT_DAYS
    days = max(days, max(landmarks, default=0) * MONTH - accrual + MONTH)
    codes = rows.filter(pl.col("criterion") == "RECIST 1.1")["assessor"].drop_nulls().mode().sort().to_list()
    weeks = {
        name: 7 * float(fact[f"scan_{name}"]) for name in ("interval_weeks", "switch_week", "later_weeks")
    }
    return [
        "[visits]",
        f"every = {weeks['interval_weeks']:g}",
        f"until = {weeks['switch_week']:g}",
        f"then = {weeks['later_weeks']:g}",
        "",
        "[follow_up]",
        f"days = {days:.0f}",
        f"accrual_days = {accrual}",
        "",
        "[assessor]",
        f'name = "{codes[0] if codes else fact["assessor"]}"',
        *(['progression = "mrecist"'] if _progresses_by(rows) == {"mRECIST"} else []),
    ]


def _progresses_by(rows: pl.DataFrame) -> set[str]:
    """Criteria of the progression that a trial prints: by the one that is alone, treatment ended."""
    wanted = pl.col("endpoint").str.contains("PFS|TTP")
    return set(rows.filter(wanted)["criterion"].drop_nulls())


def _arm(arm: dict[str, Any], fact: dict[str, str]) -> list[str]:
    lines = ["[[arms]]", f'name = "{arm["arm"]}"', f'arm_id = "{arm["arm_id"]}"', f"n = {arm['n']}"]
    lines += ["control = true"] if arm["control"] else []
    lines += ["beyond_visits = 1"] if fact["beyond_progression"] == "allowed" else []
    if fact["line"].startswith("2L"):
        lines += ['prior = ["sorafenib_bid"]']
        lines += [] if TOLERANT in fact["line"] else [f"prior_intolerant = {INTOLERANT}"]
    drugs = BY_ARM.get(arm["arm_id"]) or [BY_DRUG[drug] for drug in _drugs(arm)]
    for drug in (*drugs, *_later(arm, fact)):
        lines += ["[[arms.drugs]]", *(f"{key} = {_show(value)}" for key, value in drug.items())]
    if "TACE" in arm["drugs"].split("+"):
        lines += ["[[arms.procedures]]", *(f"{key} = {_show(value)}" for key, value in TACE.items())]
    return lines


def _later(arm: dict[str, Any], fact: dict[str, str]) -> list[dict[str, Any]]:
    """What follows progression: the drugs at hand by year and region, in the share reported or assumed."""
    year = int(fact["enrolment_last_year"]) + ENDS
    had = set(_drugs(arm)) | ({"sorafenib"} if fact["line"].startswith("2L") else set())
    drugs = [
        drug
        for drug, since in AT_HAND.items()
        if year >= since.get(fact["region"], math.inf)
        and drug not in had
        and not (drug in CHECKPOINT and had & set(CHECKPOINT))
        and (drug not in AFTER_SORAFENIB or "sorafenib" in had)
    ]
    share = float(fact["later_therapy_pct"]) / 100
    if not drugs or not share:
        return []
    same = {"start": "progression", "delay_days": 14, "share": share / len(drugs)}
    fit = {"liver_min": LIVER_MIN, "lives_min": LIVES}
    return [{**BY_DRUG[drug], **same, **fit} for drug in drugs]


def _show(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` only compare them."""
    made = make_specs()
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.toml")}
    if arguments == ["--check"]:
        return int(made != there)
    for name in set(there) - set(made):
        (FOLDER / name).unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
