"""The stages of a run: their names and order, why one cannot be done, and whether a run can be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hccresist.errors import ConfigError
from hccresist.options import check_words
from hccresist.outputs import FORMATS, check_output
from hccresist.study.study import Study

STAGES: Final = ("assess", "outcomes", "explain", "overcome", "twin", "report")
"""Stages that a run can do, in order."""

ASSESSABLE: Final = ("lesions", "sums", "responses")
"""*assess* needs at least one of these tables."""

MATCHABLE: Final = ("expression", "alterations")
"""*overcome* needs at least one of these tables."""

EXPLAINABLE: Final = (*MATCHABLE, "labs", *ASSESSABLE)
"""*explain* needs at least one of these tables."""

TWINNED: Final = ("lesions", "treatments")
"""*twin* needs all of these tables."""


def explain_skip(study: Study, stage: str) -> str:
    """Return why a stage cannot be done on a study, or an empty string when it can.

    Examples
    --------
    >>> import polars as pl
    >>> explain_skip(Study(tables={"patients": pl.DataFrame({"patient_id": ["P1"]})}), "assess")
    'the study has no lesions, sums or responses'
    """
    if stage == "twin":
        missing = " and no ".join(name for name in TWINNED if name not in study.tables)
        return f"the study has no {missing}" if missing else ""
    if stage == "overcome":
        return "" if _has_any(study, MATCHABLE) else "the study has no expression or alterations"
    if stage == "report" or _has_any(study, ASSESSABLE):
        return ""
    if stage == "explain":
        found = _has_any(study, EXPLAINABLE)
        return "" if found else "the study has no expression, alterations, labs, lesions, sums or responses"
    if stage == "outcomes":
        return "" if "survival" in study.tables else "the study has nothing to assess and no survival"
    return "the study has no lesions, sums or responses"


def _has_any(study: Study, names: Sequence[str]) -> bool:
    return any(name in study.tables for name in names)


def check_options(
    *,
    out: Path,
    stages: Sequence[str] = STAGES,
    criteria: Sequence[str] | None = None,
    formats: Sequence[str] = FORMATS,
    landmark_days: float | None = None,
) -> None:
    """Check what a run is asked for, before anything is read.

    Criteria are looked up when the study is known, as it may bring its own.

    Raises
    ------
    ConfigError
        When a stage or format is not known, none is named, no criterion is named, the landmark is
        not after day 0, or `out` holds something that is not ours.
    """
    check_words("stage", stages, STAGES)
    check_words("format", formats, FORMATS)
    if criteria is not None and not criteria:
        msg = "No criterion was named."
        raise ConfigError(msg)
    if landmark_days is not None and not 0 < landmark_days < float("inf"):
        msg = f"The landmark must be a day after day 0; {landmark_days:g} is not."
        raise ConfigError(msg)
    check_output(out)
