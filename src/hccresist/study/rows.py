"""Tell a problem once for each row it concerns, without making a million messages of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import polars as pl

from hccresist.study.issues import LIMIT_PER_CODE, Issue, IssueLog, Severity
from hccresist.study.study import ROW

Words = str | Callable[[Mapping[str, Any]], str]
"""A sentence: a format string over the columns of a row, or a function of the row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A file that is read or checked, and the log that hears about it.

    Attributes
    ----------
    file
        Name relative to the study folder.
    headers
        Column name in the file for each column, where the two differ.
    log
        Where problems are told.
    """

    file: str
    log: IssueLog
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def header(self, column: str) -> str:
        """Return the name that a column has in the file."""
        return self.headers.get(column, column)

    def has_told(self, code: str) -> bool:
        """Return whether a problem of this kind was told of the file before."""
        return any(issue.code == code and issue.file == self.file for issue in self.log)

    def tell(
        self,
        rows: pl.DataFrame,
        code: str,
        problem: Words,
        *,
        column: str | None = None,
        found: str | None = None,
        expected: str | None = None,
        hint: Words = "",
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Add one issue for each row, in order of lines; beyond the log's limit they are counted.

        Parameters
        ----------
        rows
            Rows concerned: `ROW`, ``patient_id`` where known, and every column that the words name.
        code, problem, expected, hint, severity
            As in `Issue`; `problem` and `hint` may name columns of `rows` in braces.
        column
            Column of the table; told by its name in the file.
        found
            Column of `rows` that holds the offending value.
        """
        if rows.is_empty():
            return
        name = None if column is None else self.header(column)
        for row in rows.sort(ROW).head(LIMIT_PER_CODE).iter_rows(named=True):
            issue = Issue(
                code=code,
                problem=_say(problem, row),
                hint=_say(hint, row),
                file=self.file,
                line=row[ROW],
                column=name,
                patient=row.get("patient_id"),
                found=None if found is None or row[found] is None else _show(row[found]),
                expected=expected,
                severity=severity,
            )
            self.log.add(issue)
        if more := max(0, rows.height - LIMIT_PER_CODE):
            self.log.add(Issue(code=code, problem="more", file=self.file, severity=severity, count=more))

    def error(self, code: str, problem: str, **where: str | int | None) -> None:
        """Add an error that concerns the file, not single rows."""
        self.log.error(code, problem, file=self.file, **where)

    def warning(self, code: str, problem: str, **where: str | int | None) -> None:
        """Add a warning that concerns the file, not single rows."""
        self.log.warning(code, problem, file=self.file, **where)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRule:
    """A rule that each row of a table must keep, as data.

    Attributes
    ----------
    code, problem, expected, hint, severity
        As in `Issue`; `problem` and `hint` may name columns in braces.
    broken
        True for a row that breaks the rule; null counts as kept.
    column, found
        Column told, and the column whose value is shown (the same, if not given).
    """

    code: str
    broken: pl.Expr
    problem: str
    column: str
    hint: str
    found: str | None = None
    expected: str | None = None
    severity: Severity = Severity.ERROR


def tell_broken(rules: Sequence[RowRule], frame: pl.DataFrame, place: Place) -> None:
    """Tell every row that breaks a rule; rules that no row breaks cost one pass for all of them.

    A row is not judged by a cell that has been told already: it is empty because it could not be read.
    """
    told = {(issue.line, issue.column) for issue in place.log.errors if issue.file == place.file}
    flags = frame.select(
        rule.broken.fill_null(value=False).any().alias(str(n)) for n, rule in enumerate(rules)
    )
    for n, rule in enumerate(rules):
        if flags[str(n)][0]:
            place.tell(
                frame.filter(rule.broken & ~pl.col(ROW).is_in(_told_lines(rule, told, place))),
                rule.code,
                rule.problem,
                column=rule.column,
                found=rule.found or rule.column,
                expected=rule.expected,
                hint=rule.hint,
                severity=rule.severity,
            )


def _told_lines(rule: RowRule, told: Collection[tuple[int | None, str | None]], place: Place) -> list[int]:
    headers = {place.header(name) for name in rule.broken.meta.root_names()}
    return [line for line, column in told if line is not None and column in headers]


def _say(words: Words, row: Mapping[str, Any]) -> str:
    return words.format_map(row) if isinstance(words, str) else words(row)


def _show(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
