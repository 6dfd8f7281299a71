"""Whose patients a published number is of: groups of the same patients, and programmes of trials."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Cohort:
    """Patients behind a number.

    Attributes
    ----------
    group_id
        The same patients: together they are one observation.
    programme_id
        Trial with its cohorts and subgroups.
    arm_id
        Arm of `arms.csv`, where the patients are those of one.
    """

    group_id: str
    programme_id: str
    arm_id: str | None = None


_PART: Final = re.compile(r"( cohort \d+| \(.*\))$")

SUBGROUPS: Final[Mapping[str, str]] = {
    "CELESTIAL_CPB_cabo": "CELESTIAL_cabozantinib",
    "CELESTIAL_CPB_placebo": "CELESTIAL_placebo",
    "K240_asia_pembro": "K240_pembro",
    "K240_asia_placebo": "K240_placebo",
}
"""Arms that are subgroups, and the arm that holds their patients."""

COUNTED_AGAIN: Final[Mapping[str, str]] = {
    "CM040_nivo_expansion": "CM040_nivo_sornaive and CM040_nivo_sorexp",
}
"""Arms whose patients are those of other arms."""

_ARMS: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("CheckMate 459 (SPS commentary)", "nivolumab"): ("CM459_nivolumab", "CheckMate 459"),
    ("CheckMate 459 (SPS commentary)", "sorafenib"): ("CM459_sorafenib", "CheckMate 459"),
    ("CheckMate 040 ASCO-GI 2018 abstract 475", ""): ("CM040_nivo_sorexp", "CheckMate 040"),
    ("Zhu 2022 Clin Cancer Res (IMbrave150 arm)", ""): ("IMb150_atezobev", "IMbrave150"),
    ("IMbrave150 BCLC-B subgroup", ""): ("IMb150_atezobev", "IMbrave150"),
    ("REFLECT subgroup (Danish dossier)", ""): ("REFLECT_lenvatinib", "REFLECT"),
    ("REFLECT covariate analysis", ""): ("REFLECT_lenvatinib", "REFLECT"),
}
"""Study, and drug where it matters, to the arm of `arms.csv` whose patients they are, and its trial."""

_STUDIES: Final[Mapping[str, tuple[str, str]]] = {
    "Zhu 2022 Nat Med (GO30140 + IMbrave150)": ("IMb150_atezobev+GO30140", "IMbrave150"),
    "CheckMate 040 Child-Pugh B cohort (S3 guideline)": ("CM040_nivo_childpughB", "CheckMate 040"),
    "Yumita 2022 preprint of the same study": ("Yumita-2023-BMC-Gastroenterol", ""),
    "Scheiner 2022 J Hepatol training set (news report)": ("Scheiner-2022-training", ""),
    "Scheiner 2022 J Hepatol validation set (news report)": ("Scheiner-2022-validation", ""),
}
"""Study to its patients, and the trial they belong to; empty for none."""


def slug(text: object) -> str:
    """Return a text as part of a key: letters, digits and hyphens.

    Examples
    --------
    >>> slug("KEYNOTE-224 cohort 1"), slug("TACE-unsuitable BCLC-B (Japan)")
    ('KEYNOTE-224-cohort-1', 'TACE-unsuitable-BCLC-B-Japan')
    """
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", str(text)).strip("-")


def name_group(arm_id: str) -> str:
    """Return the patients of an arm: those of the whole arm where it is a subgroup.

    Examples
    --------
    >>> name_group("K240_asia_pembro"), name_group("SHARP_placebo")
    ('K240_pembro', 'SHARP_placebo')
    """
    return SUBGROUPS.get(arm_id, arm_id)


def name_programmes(arms: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return trial to programme: trials with one registry number are one.

    A programme is called by the shortest name among them, without cohort and bracket.

    Parameters
    ----------
    arms
        Rows of `arms.csv`.

    Examples
    --------
    >>> name_programmes([{"trial": "A cohort 2", "nct": "N1"}, {"trial": "A cohort 1", "nct": "N1"}])
    {'A cohort 2': 'A', 'A cohort 1': 'A'}
    """
    numbers = {str(arm["trial"]): str(arm["nct"] or arm["trial"]) for arm in arms}
    members: dict[str, list[str]] = {}
    for trial, number in numbers.items():
        members.setdefault(number, []).append(trial)
    names = {number: min(trials, key=lambda name: (len(name), name)) for number, trials in members.items()}
    return {trial: slug(_PART.sub("", names[number])) for trial, number in numbers.items()}


def find_cohort(study: str, drug: str, programmes: Mapping[str, str]) -> Cohort:
    """Return whose patients a study of patterns or biomarkers describes.

    A study that is no trial is its own programme; its patients are told apart by drug.

    Parameters
    ----------
    study, drug
        Cells of `response_patterns.csv` or `biomarkers.csv`.
    programmes
        Trial to programme, from `name_programmes`.
    """
    found = _ARMS.get((study, drug)) or _ARMS.get((study, ""))
    if found:
        return Cohort(found[0], programmes[found[1]], found[0])
    group, trial = _STUDIES.get(study, (slug(study), ""))
    programme = programmes[trial] if trial else group
    return Cohort(group if trial else f"{group}:{slug(drug)}", programme)
