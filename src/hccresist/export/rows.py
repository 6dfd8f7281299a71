"""What the rows of every data set share: relative days, subjects, and where a row came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from hccresist.assess.criteria import find_criterion
from hccresist.export.parameters import Coding, make_coding
from hccresist.study.study import Study

Tables = Mapping[str, pl.DataFrame]


def study_day(day: str | pl.Expr) -> pl.Expr:
    """Return our days as relative days of CDISC, which know no day 0: day 0 is 1, the day before it −1.

    Examples
    --------
    >>> pl.DataFrame({"day": [-1.0, 0.0, 0.5, 56.0]}).select(study_day("day"))["day"].to_list()
    [-1, 1, 1, 57]
    """
    whole = (pl.col(day) if isinstance(day, str) else day).floor().cast(pl.Int64)
    return pl.when(whole >= 0).then(whole + 1).otherwise(whole)


def code_parameters(study: Study, frames: Sequence[pl.DataFrame]) -> Coding:
    """Return how criteria and readers of some tables of a study are written in parameters."""
    variants = study.config.variants
    return make_coding(frames, {name: find_criterion(name, variants).title for name in variants})


def number_rows(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return a table with where each row came from: its name, and its place among the patient's rows."""
    return table.with_columns(
        SRCDOM=pl.lit(name.upper()), SRCSEQ=pl.int_range(1, pl.len() + 1).over("patient_id")
    )


def add_subjects(study: Study, rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the variables of the subject."""
    arms = study.patients.select("patient_id", TRTP="arm")
    named = rows.join(arms, on="patient_id", how="left", maintain_order="left")
    return named.rename({"patient_id": "USUBJID"}).with_columns(STUDYID=pl.lit(study.config.name))
