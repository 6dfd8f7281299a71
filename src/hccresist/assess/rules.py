"""The rules that can decide a visit: stable identifiers, and the sentence each one makes.

A sentence is a template over the numbers of the visit; it is rendered when results are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import numpy as np
import polars as pl

from hccresist.assess.criteria import Criterion
from hccresist.assess.visits import Bools, Ints


class Rule(IntEnum):
    """What decided the overall response of a visit."""

    NO_BASELINE = 0
    GIVEN = 1
    NO_DISEASE = 2
    NOT_EVALUABLE = 3
    CR = 4
    CR_NONTARGET_LEFT = 5
    PR = 6
    PR_CONTINUING = 7
    SD = 8
    PD_SUM = 9
    PD_RETURN = 10
    PD_NONTARGET = 11
    PD_NONTARGET_RETURN = 12
    PD_NEW_LESION = 13
    OVERRIDE = 14
    NONTARGET_CR = 15
    NONTARGET_LEFT = 16
    NONTARGET_NE = 17
    CPD_TARGET = 18
    CPD_NONTARGET = 19
    CPD_NEW_LESION = 20
    CPD_OTHER_CATEGORY = 21
    UPD_UNCONFIRMED = 22
    UPD_NEW_LESION_STAYS = 23
    AFTER_CPD = 24
    NOT_MEASURABLE = 25
    PD_FROM_ZERO = 26

    @property
    def label(self) -> str:
        """Identifier as it stands in results, for example ``PD-SUM``."""
        return self.name.replace("_", "-")


_SUM: Final = "Sum of {n_evaluated} of {n_targets} targets is {sum_mm} {unit}"
_FROM_BASELINE: Final = "{change_from_baseline_percent} % from the baseline of {baseline_mm} {unit}"
_FROM_NADIR: Final = "{change_from_nadir_percent} % from the nadir of {nadir_mm} {unit}"

SENTENCES: Final[dict[Rule, str]] = {
    Rule.NO_BASELINE: "No adequate scan in the baseline window: nothing to compare with.",
    Rule.GIVEN: "Response taken as recorded.",
    Rule.NO_DISEASE: "No disease was recorded at baseline, and none appeared.",
    Rule.NOT_EVALUABLE: "Only {n_evaluated} of {n_targets} targets could be evaluated.",
    Rule.CR: "All {n_targets} targets are gone (nodes below 10 mm) and so are all {n_nontargets} non-targets.",
    Rule.CR_NONTARGET_LEFT: "All {n_targets} targets are gone (nodes below 10 mm), but non-targets are left or were not evaluated, or tumour markers are not normal: PR.",
    Rule.PR: f"{_SUM}, {_FROM_BASELINE}: {{response_text}}.",
    Rule.PR_CONTINUING: f"{_SUM}, {_FROM_BASELINE}; PR was reached before and stands until progression.",
    Rule.SD: f"{_SUM}, {_FROM_BASELINE} and {_FROM_NADIR}: neither PR nor PD.",
    Rule.PD_SUM: f"{_SUM}, {_FROM_NADIR}: {{progression_text}}.",
    Rule.PD_FROM_ZERO: f"{_SUM} after a nadir of 0: growth from 0 counts as progression (policy nadir_zero).",
    Rule.PD_RETURN: "A target that had vanished is back; the sum is {sum_mm} {unit}.",
    Rule.PD_NONTARGET: "Unequivocal progression of non-target disease.",
    Rule.PD_NONTARGET_RETURN: "A non-target that had vanished is back after complete response.",
    Rule.PD_NEW_LESION: "A new lesion.",
    Rule.OVERRIDE: "Target response decided by the reader; the sum is {sum_mm} {unit}.",
    Rule.NONTARGET_CR: "There were no targets; all {n_nontargets} non-targets are gone.",
    Rule.NONTARGET_LEFT: "There were no targets; the non-targets are neither all gone nor in unequivocal progression.",
    Rule.NONTARGET_NE: "There were no targets; not all {n_nontargets} non-targets could be evaluated.",
    Rule.CPD_TARGET: "Progression of day {pending_day} is confirmed: the sum of targets grew further by 5 mm or more, to {sum_mm} {unit}.",
    Rule.CPD_NONTARGET: "Progression of day {pending_day} is confirmed: non-target disease grew further.",
    Rule.CPD_NEW_LESION: "Progression of day {pending_day} is confirmed: new lesions grew by 5 mm or more, or another one appeared.",
    Rule.CPD_OTHER_CATEGORY: "Progression of day {pending_day} is confirmed: disease progressed in another category.",
    Rule.UPD_UNCONFIRMED: "Progression of day {pending_day} persists without further growth: neither confirmed nor reset.",
    Rule.UPD_NEW_LESION_STAYS: "The new lesion of day {pending_day} persists and nothing improved: neither confirmed nor reset.",
    Rule.NOT_MEASURABLE: "There was disease at baseline, but none that this criterion can follow.",
    Rule.AFTER_CPD: "Progression was confirmed at an earlier visit.",
}
"""One sentence a rule; words in braces are columns of `timepoints` and of the engine."""

LATE_CONFIRMATION: Final = " The confirmation came later than the recommended interval."


def render_reasons(frame: pl.DataFrame, criteria: Mapping[str, Criterion]) -> pl.Series:
    """Return the sentence of each row.

    Parameters
    ----------
    frame
        Columns `criterion`, `rule_code` and every column that a sentence names; `late` marks late
        confirmations.
    criteria
        Criterion of each name: its thresholds and unit stand in the sentences.

    Returns
    -------
    polars.Series
        Name ``reason``.
    """
    code = frame["rule_code"].to_numpy()
    kind = frame["criterion"].cast(pl.Enum(list(criteria))).to_physical().to_numpy()
    pair = kind.astype(np.int64) * len(Rule) + code
    order = np.argsort(pair.astype(np.int16), kind="stable")
    starts = np.flatnonzero(np.diff(pair[order], prepend=-1))
    names, late = list(criteria), frame["late"].to_numpy()
    parts = [pl.Series("reason", [], dtype=pl.String)]
    for rows in np.split(order, starts[1:]) if len(order) else ():
        place, rule = divmod(int(pair[rows[0]]), len(Rule))
        template = _said(SENTENCES[Rule(rule)], criteria[names[place]])
        parts.append(_render(template, frame, rows, late=late[rows]))
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return pl.concat(parts).gather(back)


def _render(template: str, frame: pl.DataFrame, rows: Ints, *, late: Bools) -> pl.Series:
    """Return a template filled in for some rows, with what is said of a late confirmation."""
    columns = list(dict.fromkeys(template.replace("}", "{").split("{")[1::2]))
    if columns:
        said = frame.select(pl.col(columns).gather(rows)).rechunk().select(_sentence(template)).to_series()
    else:
        said = pl.Series([template], dtype=pl.String).new_from_index(0, len(rows))
    if late.any():
        ending = pl.Series(["", LATE_CONFIRMATION]).gather(late.astype(np.uint32))
        said = said + ending
    return said.alias("reason")


def _said(template: str, criterion: Criterion) -> str:
    """Return a template with the criterion's own words put in."""
    words = {
        "{unit}": "mm²" if criterion.measure.is_area else "mm",
        "{response_text}": criterion.response_text,
        "{progression_text}": criterion.progression_text,
    }
    for place, text in words.items():
        template = template.replace(place, text)
    return template


def _sentence(template: str) -> pl.Expr:
    """Return a template as an expression; missing numbers read "unknown"."""
    pieces = template.replace("}", "{").split("{")
    text = "{}".join(pieces[::2])
    return pl.format(text, *(_number(name) for name in pieces[1::2]))


def _number(name: str) -> pl.Expr:
    shown = pl.col(name).round(2).cast(pl.String).str.strip_suffix(".0")
    if name.startswith("change"):
        shown = (
            pl.when(pl.col(name) > 0)
            .then(pl.lit("+") + shown)
            .otherwise(shown.str.replace("-", "−", literal=True))
        )
    return shown.fill_null("unknown")
