"""What a check of the audit is: a record, and a function that returns what it looked at and found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from hccresist.study.codes import RESPONSE

if TYPE_CHECKING:
    from hccresist.assess.audit_case import AuditCase

COLUMNS: Final = (
    "patient_id",
    "reader",
    "day",
    "check",
    "criterion",
    "lesion_id",
    "found",
    "expected",
    "rule",
    "severity",
    "reason",
)
RECIST: Final = "RECIST 1.1, doi:10.1016/j.ejca.2008.10.026"
OURS: Final = "ours"

PLAIN: Final = {
    **{word: word for word in RESPONSE if not word.startswith("i")},
    "iCR": "CR",
    "iPR": "PR",
    "iSD": "SD",
    "iUPD": "PD",
    "iCPD": "PD",
    "NON-iCR/NON-iUPD": "NON-CR/NON-PD",
}
"""Response words of either vocabulary in those of RECIST, so that the two can be compared."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check looked at (number of records) and what it found (some of the columns of `audit`)."""

    examined: int
    rows: pl.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check.

    Attributes
    ----------
    name
        Identifier, in kebab case.
    what
        What it looks for, in one line.
    rule
        The rule by which a record is found.
    source
        Where the rule comes from.
    severity
        error: a contradiction; warning: seldom right; note: should be known.
    needs
        What the study must hold, words of `audit_case.AuditCase.missing`.
    run
        Returns what was looked at and found.
    """

    name: str
    what: str
    rule: str
    source: str
    severity: Literal["error", "warning", "note"]
    needs: tuple[str, ...]
    run: Callable[[AuditCase], Finding]


def find(
    frame: pl.DataFrame, wrong: pl.Expr, *, found: pl.Expr, expected: pl.Expr, reason: pl.Expr
) -> Finding:
    """Return the rows that are wrong, with what was found, what was expected and why.

    Parameters
    ----------
    frame
        Records looked at: patient_id, reader, day; criterion and lesion_id where there are any.
    wrong
        Whether a record is a finding; null counts as no.
    found, expected, reason
        Text columns of the findings.
    """
    # In one chunk: pl.format of Polars 2.1 panics where a filter left an empty chunk.
    rows = frame.filter(wrong.fill_null(value=False)).rechunk()
    here = [
        pl.col(name) if name in rows.columns else pl.lit("").alias(name)
        for name in ("criterion", "lesion_id")
    ]
    texts = {"found": found, "expected": expected, "reason": reason}
    named = [text.fill_null("nothing").alias(name) for name, text in texts.items()]
    return Finding(frame.height, rows.select("patient_id", "reader", "day", *here, *named))


def say(number: str | pl.Expr) -> pl.Expr:
    """Return numbers as text, to a tenth, without a needless ``.0``.

    Examples
    --------
    >>> pl.DataFrame({"mm": [9.8, 14.0, None]}).select(say("mm"))["mm"].to_list()
    ['9.8', '14', 'unknown']
    """
    column = pl.col(number) if isinstance(number, str) else number
    return column.round(1).cast(pl.String).str.strip_suffix(".0").fill_null("unknown")


def plain(column: str) -> pl.Expr:
    """Return response words in those of RECIST, null where there is none."""
    return pl.col(column).cast(pl.String).replace_strict(PLAIN, default=None, return_dtype=pl.String)
