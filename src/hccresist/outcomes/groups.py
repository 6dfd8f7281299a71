"""Groups for which outcomes are given: all patients, and each arm."""

from __future__ import annotations

from statistics import NormalDist
from typing import Final

import polars as pl

from hccresist.errors import InputError
from hccresist.study.issues import Issue
from hccresist.study.study import Study

ALL: Final = "all"
"""Name of the group of all patients."""

LEVEL: Final = 0.95
"""Confidence level of every interval of *outcomes*."""

Z: Final = NormalDist().inv_cdf((1 + LEVEL) / 2)
"""Standard normal quantile of the intervals, 1.96."""

KEYS: Final = ("patient_id", "reader", "criterion")
"""What one course of assessments is told apart by."""

RESPONSES: Final = ("CR", "PR", "iCR", "iPR")
"""Words for an objective response."""

CONTROLLED: Final = (*RESPONSES, "SD", "NON-CR/NON-PD", "iSD", "NON-iCR/NON-iUPD")
"""Words for disease control."""


def arm_of_patients(study: Study) -> pl.DataFrame:
    """Return `patient_id` and `arm` of every patient; the arm is null where the study gives none.

    Raises
    ------
    InputError
        When an arm is called ``all``, the name of the group of all patients.
    """
    patients = study.patients
    arm = pl.col("arm").cast(pl.String) if "arm" in patients.columns else pl.lit(None, dtype=pl.String)
    arms = patients.select("patient_id", arm.alias("arm"))
    if ALL in arms["arm"]:
        raise InputError([_clash()])
    return arms


def arm_names(study: Study) -> tuple[str, ...]:
    """Return the arms in alphabetical order; empty where the study names none."""
    return tuple(arm_of_patients(study)["arm"].drop_nulls().unique().sort())


def _clash() -> Issue:
    return Issue(
        code="arm-name-reserved",
        problem=f"an arm is called '{ALL}', which is the name of the group of all patients",
        hint="Give the arm another name.",
        file="patients",
        column="arm",
        found=ALL,
    )
