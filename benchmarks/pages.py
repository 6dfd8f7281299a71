"""Put what a benchmark found between two marks of a page of the docs."""

from __future__ import annotations

from pathlib import Path


def write_between(page: Path, text: str, *, start: str, end: str) -> None:
    """Replace what stands between the marks `start` and `end`, each of which stands once."""
    before, rest = page.read_text(encoding="utf-8").split(start)
    after = rest.split(end, 1)[1]
    page.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", encoding="utf-8")
