"""References of a run in words: author, title, journal, year, from ``data/references.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Citation:
    """A reference as it is printed: key, text without DOI, and DOI (empty where it has none)."""

    key: str
    text: str
    doi: str


def find_reference(key: str) -> Citation:
    """Return a reference by its key; one that the list does not hold is printed as its key."""
    entry = _read_references().get(key)
    if entry is None:
        return Citation(key, key, "")
    return Citation(key, _print(entry), str(entry.get("doi", "")))


def _print(entry: Mapping[str, object]) -> str:
    authors = str(entry.get("author", "")).replace(" and others", ", et al.").replace(" and ", "; ")
    place = str(entry.get("journal", ""))
    numbers = str(entry.get("volume", ""))
    pages = str(entry.get("pages", "")).replace("--", "–")
    where = " ".join(part for part in (place, str(entry.get("year", ""))) if part)
    where += f";{numbers}" if numbers else ""
    where += f":{pages}" if pages else ""
    parts = (authors, str(entry.get("title", "")), where)
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)


@cache
def _read_references() -> dict[str, dict[str, object]]:
    text = files("hccresist").joinpath("data/references.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
