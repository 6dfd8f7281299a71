"""The design that ``study.toml`` states, against table `patients`: reference arm and strata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hccresist.study.issues import IssueLog, nearest
from hccresist.study.rows import Place
from hccresist.study.study import StudyConfig

NO_STRATA: Final = ("patient_id", "arm")
"""Columns of `patients` that cannot be strata: arms are what is compared."""
_FILE: Final = "study.toml"


def check_design(arms: Sequence[str], columns: Sequence[str], config: StudyConfig, *, log: IssueLog) -> None:
    """Check that the reference arm and the strata are there.

    Parameters
    ----------
    arms
        Arms of all patients.
    columns
        Columns of table `patients`.
    config
        What ``study.toml`` says.
    log
        Hears what is not there, with the nearest that is.
    """
    place = Place(file=_FILE, log=log)
    if config.reference_arm and config.reference_arm not in arms:
        known = f"The arms are {', '.join(sorted(arms))}." if arms else "No patient has an arm."
        place.error(
            "unknown-arm",
            "the reference arm is the arm of no patient",
            column="reference_arm",
            found=config.reference_arm,
            expected="an arm of table patients",
            hint=nearest(config.reference_arm, list(arms)) or known,
        )
    usable = [name for name in columns if name not in NO_STRATA and not name.startswith("__")]
    for name in config.strata:
        if name not in usable:
            place.error(
                "unknown-stratum",
                "a stratum is no column of table patients that can be one",
                column="strata",
                found=name,
                expected="columns of patients other than patient_id and arm",
                hint=nearest(name, usable) or f"There are {', '.join(usable)}.",
            )
