"""What an ADaM-like data set consists of: variables with label and type, in order.

Names and labels follow the published layouts of ADRS, ADTTE and ADTR as the pharmaverse data sets
``adrs_onco``, ``adtte_onco`` and ``adtr_onco`` show them. Dates do not leave a study, so analysis dates
(``ADT``, ``STARTDT``) are absent and relative days (``ADY``, ``STARTDY``) stand in for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import polars as pl


class Kind(StrEnum):
    """Type of a variable."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"

    @property
    def dtype(self) -> type[pl.DataType]:
        """Polars type of the variable."""
        types: dict[str, type[pl.DataType]] = {"text": pl.String, "integer": pl.Int64, "number": pl.Float64}
        return types[self.value]


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable.

    Attributes
    ----------
    name
        At most 8 characters, as transport files of version 5 ask.
    label
        At most 40 characters.
    kind
        Its type.
    """

    name: str
    label: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A data set: name, label, variables in order, and the variables by which its rows are sorted."""

    name: str
    label: str
    variables: tuple[Variable, ...]
    order: tuple[str, ...]

    def finish(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return a frame with every variable, typed and in order, sorted, and numbered within each subject.

        Parameters
        ----------
        frame
            The variables that are known; ``ASEQ`` is made here.
        """
        present = set(frame.columns)
        typed = [
            pl.col(v.name).cast(v.kind.dtype)
            if v.name in present
            else pl.lit(None, dtype=v.kind.dtype).alias(v.name)
            for v in self.variables
        ]
        rows = frame.select(typed).sort(self.order, nulls_last=True)
        number = pl.int_range(1, pl.len() + 1).over("USUBJID").alias("ASEQ")
        return rows.with_columns(number).select([v.name for v in self.variables])


def _text(**labels: str) -> tuple[Variable, ...]:
    return tuple(Variable(name, label) for name, label in labels.items())


def _integer(**labels: str) -> tuple[Variable, ...]:
    return tuple(Variable(name, label, Kind.INTEGER) for name, label in labels.items())


def _number(**labels: str) -> tuple[Variable, ...]:
    return tuple(Variable(name, label, Kind.NUMBER) for name, label in labels.items())


SUBJECT: Final = (
    *_text(STUDYID="Study Identifier", USUBJID="Unique Subject Identifier"),
    *_integer(ASEQ="Analysis Sequence Number"),
    *_text(TRTP="Planned Treatment"),
)
PARAMETER: Final = _text(
    PARAMCD="Parameter Code",
    PARAM="Parameter",
    PARCAT1="Parameter Category 1",
    PARCAT2="Parameter Category 2",
    PARCAT3="Parameter Category 3",
)
SOURCE: Final = (
    *_text(SRCDOM="Source Data", SRCVAR="Source Variable"),
    *_integer(SRCSEQ="Source Sequence Number"),
)

ADRS: Final = Dataset(
    name="ADRS",
    label="Response Analysis Dataset",
    variables=(
        *SUBJECT,
        *PARAMETER,
        *_integer(ADY="Analysis Relative Day"),
        *_number(AVAL="Analysis Value"),
        *_text(AVALC="Analysis Value (C)", ANL01FL="Analysis Flag 01"),
        *SOURCE,
    ),
    order=("USUBJID", "PARAMCD", "ADY", "SRCSEQ"),
)
ADTTE: Final = Dataset(
    name="ADTTE",
    label="Time to Event Analysis Dataset",
    variables=(
        *SUBJECT,
        *PARAMETER,
        *_number(AVAL="Analysis Value"),
        *_integer(STARTDY="Relative Day of Time-to-Event Origin", ADY="Analysis Relative Day", CNSR="Censor"),
        *_text(EVNTDESC="Event or Censoring Description", CNSDTDSC="Censor Date Description"),
        *SOURCE,
    ),
    order=("USUBJID", "PARAMCD", "SRCSEQ"),
)
ADTR: Final = Dataset(
    name="ADTR",
    label="Tumor Results Analysis Dataset",
    variables=(
        *SUBJECT,
        *PARAMETER,
        *_text(TRLNKID="Link ID", TRGRPID="Group ID", TULOC="Location of the Tumor/Lesion"),
        *_integer(ADY="Analysis Relative Day"),
        *_number(AVAL="Analysis Value"),
        *_text(ABLFL="Baseline Record Flag"),
        *_number(
            BASE="Baseline Value",
            CHG="Change from Baseline",
            PCHG="Percent Change from Baseline",
            NADIR="NADIR",
            CHGNAD="Change from NADIR",
            PCHGNAD="Percent Change from NADIR",
        ),
        *_text(ANL01FL="Analysis Flag 01"),
        *SOURCE,
    ),
    order=("USUBJID", "PARAMCD", "TRLNKID", "ADY", "SRCDOM", "SRCSEQ"),
)
DATASETS: Final = (ADRS, ADTTE, ADTR)
"""Every data set that is written."""
