"""What is wrong with the input, where, and what to do about it.

An `Issue` is a record, never a formatted string, so that the terminal, ``--json`` and the report
can each show it their own way. Readers and checks add issues to one `IssueLog`; the log raises
once, at the end, with all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from enum import StrEnum

from hccresist.errors import InputError

LIMIT_PER_CODE = 20
"""Issues of one code and file that are kept whole; further ones are counted."""


class Severity(StrEnum):
    """How much an issue matters: an error stops the run, a warning is reported with the results."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One problem in the input.

    Attributes
    ----------
    code
        Stable identifier in kebab case, for example ``missing-column``.
    problem
        One sentence without a final stop: what is wrong.
    hint
        One sentence: what to do next.
    file, line, column
        Where: file name relative to the study folder, line in that file counted from 1 (the header
        of a CSV file is line 1), and column name. ``None`` where it does not apply.
    patient
        Patient identifier, where the problem concerns one patient.
    found, expected
        The offending value as text, and what would have been right.
    severity
        Error or warning.
    count
        How many times the same problem occurred (further occurrences beyond those listed).
    """

    code: str
    problem: str
    hint: str = ""
    file: str | None = None
    line: int | None = None
    column: str | None = None
    patient: str | None = None
    found: str | None = None
    expected: str | None = None
    severity: Severity = Severity.ERROR
    count: int = 1

    def place(self) -> str:
        """Return where the issue is, for example ``lesions.csv line 48, longest_mm, patient P07``."""
        head = self.file or ""
        if self.line is not None:
            head = f"{head} line {self.line}".strip()
        parts = [head, self.column or "", f"patient {self.patient}" if self.patient else ""]
        return ", ".join(part for part in parts if part)

    def sentence(self) -> str:
        """Return the issue as one line: place, problem, found, expected, next step."""
        text = f"{self.place()}: {self.problem}" if self.place() else self.problem
        if self.found is not None:
            text += f" (found {self.found!r}"
            text += f", expected {self.expected})" if self.expected else ")"
        elif self.expected:
            text += f" (expected {self.expected})"
        text += "."
        return f"{text} {self.hint}" if self.hint else text

    def record(self) -> dict[str, object]:
        """Return the issue as a plain dictionary, as ``check --json`` prints it."""
        return asdict(self)


@dataclass(slots=True)
class IssueLog:
    """Collects issues while the input is read, so that all are told at once.

    Examples
    --------
    >>> log = IssueLog()
    >>> log.error("missing-column", "column 'day' is missing", file="lesions.csv", hint="Add it.")
    >>> [issue.sentence() for issue in log]
    ["lesions.csv: column 'day' is missing. Add it."]
    """

    _kept: list[Issue] = field(default_factory=list[Issue])
    _more: dict[tuple[str, str | None, Severity], int] = field(
        default_factory=dict[tuple[str, str | None, Severity], int]
    )
    _seen: dict[tuple[str, str | None, Severity], int] = field(
        default_factory=dict[tuple[str, str | None, Severity], int]
    )

    def add(self, issue: Issue) -> None:
        """Add one issue; beyond `LIMIT_PER_CODE` of a kind in a file it is only counted."""
        key = (issue.code, issue.file, issue.severity)
        seen = self._seen.get(key, 0) + 1
        self._seen[key] = seen
        if seen <= LIMIT_PER_CODE:
            self._kept.append(issue)
        else:
            self._more[key] = self._more.get(key, 0) + issue.count

    def error(self, code: str, problem: str, **where: str | int | None) -> None:
        """Add an error; keyword arguments are the fields of `Issue`."""
        self.add(Issue(code=code, problem=problem, **where))  # pyright: ignore[reportArgumentType]

    def warning(self, code: str, problem: str, **where: str | int | None) -> None:
        """Add a warning; keyword arguments are the fields of `Issue`."""
        self.add(Issue(code=code, problem=problem, severity=Severity.WARNING, **where))  # pyright: ignore[reportArgumentType]

    def extend(self, other: IssueLog) -> None:
        """Add everything that another log holds."""
        for issue in other:
            self.add(issue)

    def __iter__(self) -> Iterator[Issue]:
        yield from self._kept
        for (code, file, severity), n in self._more.items():
            yield Issue(
                code=code,
                problem=f"{n} further issues of this kind are not listed",
                hint="Mend those listed and check again.",
                file=file,
                severity=severity,
                count=n,
            )

    def __len__(self) -> int:
        return len(self._kept) + len(self._more)

    @property
    def errors(self) -> tuple[Issue, ...]:
        """Issues that stop the run."""
        return tuple(issue for issue in self if issue.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Issue, ...]:
        """Issues that are reported with the results."""
        return tuple(issue for issue in self if issue.severity is Severity.WARNING)

    def raise_if_errors(self) -> None:
        """Raise `InputError` with every issue when at least one of them is an error.

        Raises
        ------
        InputError
            When the log holds an error.
        """
        if self.errors:
            raise InputError((*self.errors, *self.warnings))


def nearest(word: str, allowed: Iterator[str] | tuple[str, ...] | list[str]) -> str:
    """Return a "did you mean" sentence for a mistyped word, or an empty string.

    Examples
    --------
    >>> nearest("tagret", ["target", "nontarget"])
    "Did you mean 'target'?"
    """
    close = get_close_matches(word.lower(), [a.lower() for a in allowed], n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else ""
