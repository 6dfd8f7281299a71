"""Reads a report back: elements, figures with their data, and what the script draws from."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import polars as pl

VOID = {"meta", "br", "input", "link", "img", "hr"}


@dataclass(eq=False, repr=False)
class Element:
    """An element: its name, attributes, the elements around it, and its text with that of its children."""

    tag: str
    attributes: dict[str, str]
    parents: tuple[Element, ...]
    chunks: list[str]
    start: int
    end: int = -1

    @property
    def text(self) -> str:
        """Text of the element and its children."""
        return "".join(self.chunks[self.start : self.end])

    def inside(self, tag: str, **attributes: str) -> bool:
        """Whether it stands inside an element like this (``aria_label`` for ``aria-label``)."""
        wanted = _spell(attributes)
        return any(p.tag == tag and wanted.items() <= p.attributes.items() for p in self.parents)

    def __repr__(self) -> str:
        return f"<{self.tag} {self.attributes.get('id', '')}>"


def _spell(attributes: dict[str, str]) -> dict[str, str]:
    return {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.open: list[Element] = []
        self.chunks: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(self.elements[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append(Element(tag, attributes, tuple(self.open), self.chunks, len(self.chunks)))
        self.elements[-1].end = len(self.chunks)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        last = self.open.pop()
        assert last.tag == tag, f"</{tag}> closes <{last.tag}>"
        last.end = len(self.chunks)

    def handle_data(self, data: str) -> None:
        self.chunks.append(data)


@dataclass(eq=False, repr=False)
class Page:
    """A page that was read back."""

    html: str
    elements: list[Element] = field(default_factory=list)

    @classmethod
    def read(cls, html: str) -> Page:
        """Parse a page; an element that is not closed in its place is an assertion error."""
        parser = _Parser()
        parser.feed(html)
        parser.close()
        assert not parser.open, [element.tag for element in parser.open]
        return cls(html, parser.elements)

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Elements of one name with these attributes (``class_`` for class)."""
        wanted = _spell(attributes)
        return [e for e in self.elements if e.tag == tag and wanted.items() <= e.attributes.items()]

    def saved(self, ending: str) -> dict[str, str]:
        """Text of every file that a figure offers, by figure."""
        found: dict[str, str] = {}
        for link in self.all("a"):
            name = link.attributes.get("download", "")
            if name.endswith(f".{ending}"):
                _, _, coded = link.attributes["href"].partition("base64,")
                found[name.removesuffix(f".{ending}")] = base64.b64decode(coded).decode()
        return found

    def figure_data(self, key: str) -> pl.DataFrame:
        """The rows behind a figure."""
        return pl.read_csv(io.StringIO(self.saved("csv")[key]), infer_schema_length=None)

    def payload(self) -> dict[str, Any]:
        """What the script draws the patients from."""
        return json.loads(self.all("script", id="patients-data")[0].text)
