"""Entries of a trial's TOML: each is looked at once, and what is wrong is told with its line and name."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from hccresist.study.issues import IssueLog, nearest

Path = tuple[str | int, ...]
_HEADER: Final = re.compile(r"^\s*(\[\[?)\s*([\w.\"' -]+?)\s*\]\]?\s*(#.*)?$")
_KEY: Final = re.compile(r"^\s*[\"']?([\w -]+?)[\"']?\s*(?:=|\.)")


def find_lines(text: str) -> dict[Path, int]:
    r"""Find the line (from 1) of each section and key of a TOML text.

    Examples
    --------
    >>> find_lines('name = "a"\n[[arms]]\nn = 3')[("arms", 0, "n")]
    3
    """
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    at: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header:
            at = _follow(header.group(2), counts, array=header.group(1) == "[[")
            found.setdefault(at, number)
            continue
        key = _KEY.match(line)
        if key:
            found.setdefault((*at, key.group(1)), number)
    return found


def _follow(name: str, counts: dict[Path, int], *, array: bool) -> Path:
    """Path of a header; arrays of tables are counted."""
    words = [word.strip(" \"'") for word in name.split(".")]
    at: Path = ()
    for k, word in enumerate(words):
        at = (*at, word)
        if array and k == len(words) - 1:
            counts[at] = counts.get(at, -1) + 1
        if at in counts:
            at = (*at, counts[at])
    return at


def parse_toml(text: str, *, file: str, log: IssueLog) -> Table | None:
    """Parse a TOML text; where it is no TOML the log hears of it and nothing is returned."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+), column \d+\)", str(error))
        problem = re.sub(r"\s*\(at .*\)$", "", str(error))
        log.error(  # noqa: PLE1205  (an IssueLog, no logger)
            "config-syntax",
            f"this is not valid TOML: {problem[:1].lower()}{problem[1:]}",
            file=file,
            line=int(at.group(1)) if at else None,
            hint='Text stands in quotes, for example name = "my trial"; each key stands once.',
        )
        return None
    return Table(content, (), find_lines(text), file, log)


@dataclass(frozen=True)
class Table:
    """A table of the TOML, with its place; what is taken of it is remembered."""

    content: Mapping[str, Any]
    at: Path
    lines: Mapping[Path, int]
    file: str
    log: IssueLog
    known: set[str] = field(default_factory=set[str])

    def line(self, key: str | int = "") -> int | None:
        """Line of a key, else of what it stands in."""
        path = (*self.at, key) if key != "" else self.at
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def name(self, key: str = "") -> str:
        """Name of a key with all that it stands in, counted from 1."""
        words = [
            f"[{word + 1}]" if isinstance(word, int) else f".{word}" for word in (*self.at, key) if word != ""
        ]
        return "".join(words).lstrip(".")

    def tell(
        self, key: str, problem: str, *, found: object = None, expected: str = "", hint: str = ""
    ) -> None:
        """Tell that an entry cannot be used."""
        self.log.error(  # noqa: PLE1205
            "trial-value",
            problem,
            file=self.file,
            line=self.line(key),
            column=self.name(key),
            found=None if found is None else str(found),
            expected=expected or None,
            hint=hint,
        )

    def take(self, key: str, fits: Callable[[Any], bool], expected: str, *, default: Any) -> Any:  # noqa: ANN401
        """Take an entry that must fit, or the default; what does not fit is told."""
        self.known.add(key)
        if key not in self.content:
            return default
        value = self.content[key]
        if fits(value):
            return value
        self.tell(key, "this cannot be used", found=value, expected=expected)
        return default

    def number(
        self, key: str, default: float, *, low: float = 0.0, high: float = float("inf"), above: bool = False
    ) -> float:
        """Take a number from `low` to `high`; with `above`, larger than `low`."""
        words = f"a number {'above' if above else 'from'} {low:g}"
        words += f" to {high:g}" if high < float("inf") else ""
        return float(
            self.take(
                key,
                lambda v: is_number(v) and (v > low if above else v >= low) and v <= high,
                words,
                default=default,
            )
        )

    def whole(self, key: str, default: int, *, low: int = 0, high: int = 10_000_000) -> int:
        """Take a whole number from `low` to `high`."""
        return int(
            self.take(
                key,
                lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high,
                f"a whole number from {low} to {high:,}",
                default=default,
            )
        )

    def flag(self, key: str, *, default: bool) -> bool:
        """Take true or false."""
        return bool(self.take(key, lambda v: isinstance(v, bool), "true or false", default=default))

    def text(self, key: str, default: str = "") -> str:
        """Take a text."""
        return str(self.take(key, lambda v: isinstance(v, str), "text in quotes", default=default)).strip()

    def texts(self, key: str) -> tuple[str, ...]:
        """Take a list of texts."""
        return tuple(self.take(key, _is_texts, "a list of words in quotes", default=[]))

    def words(self, key: str, known: Sequence[str], default: Sequence[str] = ()) -> tuple[str, ...]:
        """Take a list of known words."""
        found = self.take(key, _is_texts, "a list of words in quotes", default=list(default))
        for word in found:
            self._tell_unknown(key, word, known)
        return tuple(word for word in found if word in known)

    def word(self, key: str, known: Sequence[str], default: str) -> str:
        """Take a known word."""
        found = self.text(key, default)
        self._tell_unknown(key, found, known)
        return found if found in known else default

    def _tell_unknown(self, key: str, word: str, known: Sequence[str]) -> None:
        if word not in known:
            hint = nearest(word, list(known)) or f"Known: {', '.join(known)}."
            self.tell(key, f"{word!r} is not known", hint=hint)

    def table(self, key: str) -> Table:
        """Take a section, empty where there is none."""
        content = self.take(key, lambda v: isinstance(v, dict), f"a section [{self.name(key)}]", default={})
        return Table(content, (*self.at, key), self.lines, self.file, self.log)

    def tables(self, key: str) -> list[Table]:
        """Take a list of sections."""
        found = self.take(key, _is_tables, f"sections [[{self.name(key)}]]", default=[])
        return [
            Table(content, (*self.at, key, k), self.lines, self.file, self.log)
            for k, content in enumerate(found)
        ]

    def finish(self) -> None:
        """Tell of entries that nobody asked for."""
        for key in self.content:
            if key not in self.known:
                hint = nearest(key, sorted(self.known)) or f"Known: {', '.join(sorted(self.known))}."
                self.log.error(  # noqa: PLE1205
                    "trial-unknown-key",
                    f"there is no entry '{key}' here",
                    file=self.file,
                    line=self.line(key),
                    column=self.name(key),
                    hint=hint,
                )


def is_number(value: object) -> bool:
    """Whether a value is a number; true and false are none, infinity is one, nan is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # noqa: PLR0124


def is_range(value: object) -> bool:
    """Whether a value is a pair of numbers, the lower first."""
    pair = cast("list[float]", value) if isinstance(value, list) else []
    return len(pair) == 2 and all(is_number(each) for each in pair) and pair[0] <= pair[1]


def _is_texts(value: object) -> bool:
    items = cast("list[object]", value) if isinstance(value, list) else [0]
    return all(isinstance(item, str) for item in items)


def _is_tables(value: object) -> bool:
    items = cast("list[object]", value) if isinstance(value, list) else [0]
    return all(isinstance(item, dict) for item in items)
