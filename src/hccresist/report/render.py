"""Templates: one environment, everything from the data escaped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hccresist.report import words


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of the page.

    Attributes
    ----------
    caption
        What the table says; read aloud, and shown above it.
    head
        Column headings.
    rows
        Cells as text (escaped on the page) or as markup of our own. The first cell names the row.
    text_columns
        Positions of columns that hold words; the others are numbers and stand to the right.
    note
        What the reader must know to use the numbers.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str | Markup, ...], ...]
    text_columns: tuple[int, ...] = (0,)
    note: str = ""


def render(template: str, **context: object) -> Markup:
    """Return a template filled in; text is escaped, `Markup` is not."""
    return Markup(_environment().get_template(f"{template}.html.j2").render(**context))


def read_asset(name: str) -> str:
    """Return a style sheet or script of this room as text."""
    return files("hccresist.report").joinpath(name).read_text(encoding="utf-8")


def soften(text: str) -> Markup:
    """Return text in the quieter type of the page."""
    return Markup('<span class="soft">{}</span>').format(text)


def remark(text: str) -> Markup:
    """Return words that stand in a cell in the place of a number; they may break."""
    return Markup('<span class="wrap">{}</span>').format(text)


def widen(text: str) -> Markup:
    """Return a sentence that stands in a cell; on a narrow page it keeps a readable width."""
    return Markup('<span class="said">{}</span>').format(text)


def chip(word: str) -> Markup:
    """Return a response word with the swatch of its colour."""
    return Markup('<span class="chip tone-{}">{}</span>').format(words.response_tone(word), word)


@cache
def _environment() -> Environment:
    env = Environment(
        loader=PackageLoader("hccresist.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "chip": chip,
        "count": words.count,
        "plural": words.plural,
        "criterion": words.label_criterion,
    }
    env.filters |= filters
    return env
