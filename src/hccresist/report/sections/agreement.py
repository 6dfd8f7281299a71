"""The same patients under two criteria, or read by two readers: counts, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import polars as pl
from markupsafe import Markup

from hccresist.report import words
from hccresist.report.facts import Facts, View
from hccresist.report.render import render


@dataclass(frozen=True, slots=True, kw_only=True)
class Cross:
    """A square of counts.

    Attributes
    ----------
    title, down, across
        What is compared; names of rows and columns.
    rows, columns
        Response words.
    counts
        Patients, one tuple a row.
    same, total
        Patients with the same word (``i`` of iRECIST aside), and all.
    reader, criterion
        Where the comparison belongs; ``None`` where it is of all.
    """

    title: str
    down: str
    across: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    same: int
    total: int
    reader: str | None = None
    criterion: str | None = None

    @property
    def sentence(self) -> str:
        """How many agree, in words."""
        share = words.percent(100 * self.same / self.total) if self.total else words.EMPTY
        return (
            f"Same response in {words.count(self.same)} of {words.plural(self.total, 'patient')} ({share})."
        )

    @property
    def largest(self) -> int:
        """The largest count, for the shading."""
        return max((n for row in self.counts for n in row), default=1) or 1


def is_same(first: str, second: str) -> bool:
    """Return whether two response words say the same, the ``i`` of iRECIST aside; iUPD is not PD.

    Examples
    --------
    >>> is_same("PR", "iPR"), is_same("PD", "iUPD"), is_same("PD", "iCPD")
    (True, False, True)
    """
    return _plain(first) == _plain(second)


def build(facts: Facts) -> Markup:
    """Return cross-tables of criteria within each reader, and of readers within each criterion."""
    absent = facts.table("best_response") is None
    return render(
        "agreement",
        absent=facts.why_absent("best_response") if absent else "",
        criteria=() if absent else _compare_criteria(facts),
        readers=() if absent else _compare_readers(facts),
        one_criterion=len(facts.criteria) == 1,
        is_same=is_same,
    )


def _compare_criteria(facts: Facts) -> tuple[Cross, ...]:
    pairs = (
        (View(a, reader), View(b, reader))
        for reader in facts.readers
        for a, b in combinations(facts.criteria, 2)
    )
    return tuple(
        _cross(
            facts,
            a,
            b,
            names=(words.label_criterion(a.criterion), words.label_criterion(b.criterion)),
            inside=words.label_reader(a.reader) if a.reader else "",
            reader=a.reader,
        )
        for a, b in pairs
        if a in facts.views and b in facts.views
    )


def _compare_readers(facts: Facts) -> tuple[Cross, ...]:
    pairs = (
        (View(criterion, a), View(criterion, b))
        for criterion in facts.criteria
        for a, b in combinations(facts.readers, 2)
    )
    return tuple(
        _cross(
            facts,
            a,
            b,
            names=(words.label_reader(a.reader), words.label_reader(b.reader)),
            inside=words.label_criterion(a.criterion),
            criterion=a.criterion,
        )
        for a, b in pairs
        if a in facts.views and b in facts.views
    )


def _cross(
    facts: Facts,
    a: View,
    b: View,
    *,
    names: tuple[str, str],
    inside: str,
    reader: str | None = None,
    criterion: str | None = None,
) -> Cross:
    first = facts.of_view("best_response", a).select("patient_id", first="best")
    second = facts.of_view("best_response", b).select("patient_id", second="best")
    both = first.join(second, on="patient_id", how="inner")
    counted = {
        (row[0], row[1]): row[2]
        for row in both.group_by("first", "second").agg(pl.len()).sort("first", "second").iter_rows()
    }
    rows = words.sort_responses(word for word, _ in counted)
    columns = words.sort_responses(word for _, word in counted)
    return Cross(
        title=f"{names[0]} against {names[1]}" + (f", {inside}" if inside else ""),
        down=names[0],
        across=names[1],
        rows=rows,
        columns=columns,
        counts=tuple(tuple(counted.get((r, c), 0) for c in columns) for r in rows),
        same=sum(n for (r, c), n in counted.items() if is_same(r, c)),
        total=both.height,
        reader=reader,
        criterion=criterion,
    )


def _plain(word: str) -> str:
    if word == "iCPD":
        return "PD"
    return word.removeprefix("i").replace("NON-iCR/NON-iUPD", "NON-CR/NON-PD") if word != "iUPD" else word
