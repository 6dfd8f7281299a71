"""Own rates and survival beside published trials of the same drugs and line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import polars as pl
from markupsafe import Markup

from hccresist.report import words
from hccresist.report.facts import Facts, label_group
from hccresist.report.figures.figure import Figure
from hccresist.report.figures.published import (
    UNITS,
    name_block,
    name_own,
    name_published,
    plot_beside,
    say_number,
    sort_endpoints,
)
from hccresist.report.render import Table, render, soften, widen

TABLE: Final = "published_comparison"
MOST_ROWS: Final = 150
"""Rows of the table of a group; the result table holds all."""

CAVEAT: Final = (
    "Research only, and no comparison of treatments: patients, scans, assessors and years of another trial "
    "differ, and nothing is adjusted for. A difference between a number of this study and a published one, "
    "or none, says nothing of a drug."
)
NONE_ALIKE: Final = (
    "No published arm had the drugs of most patients here in the same line, or no group has a regimen that "
    "more than half of its patients had. ‘hccresist trials’ lists the published arms."
)
_LINES: Final = {"1L": "first line", "2L": "later line", "TACE": "with TACE"}
_LIMITS: Final = {
    "binomial": "limits made from its number of patients",
    "n": "limits made from its number of patients",
    "events": "limits made from its number of events",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One group of patients: its regimen in words, figures, and the numbers."""

    key: str
    name: str
    regimen: str
    figures: tuple[Figure, ...]
    table: Table
    rows: int


def build(facts: Facts) -> Markup:
    """Return own and published numbers, group by group."""
    frame = facts.table(TABLE)
    if frame is None:
        empty = TABLE in facts.tables and TABLE not in facts.failed
        return render("published", absent=NONE_ALIKE if empty else facts.why_absent(TABLE))
    readers = frame["reader"].unique().to_list()
    kept = frame.filter(pl.col("reader").is_in(["", facts.lead_reader]))
    kept = frame if kept.is_empty() else kept
    return render(
        "published",
        absent="",
        caveat=CAVEAT,
        one_reader=words.label_reader(facts.lead_reader) if len(set(readers) - {""}) > 1 else "",
        groups=[_group(kept, name) for name in _sort_groups(facts, kept)],
    )


def _sort_groups(facts: Facts, frame: pl.DataFrame) -> list[str]:
    found = set(frame["group"].unique().to_list())
    return [name for name in facts.groups if name in found] + sorted(found - set(facts.groups))


def _group(frame: pl.DataFrame, name: str) -> Group:
    rows = sort_endpoints(frame.filter(pl.col("group") == name))
    first = rows.row(0, named=True)
    key, label = words.slug(name), label_group(name)
    made = [
        plot_beside(
            rows, unit=unit, key=f"beside-{unit}-{key}", title=f"{label} beside published arms, {unit}"
        )
        for unit in UNITS
    ]
    return Group(
        key=key,
        name=label,
        regimen=_tell_regimen(first),
        figures=tuple(figure for figure in made if figure is not None),
        table=_table(rows, label),
        rows=rows.height,
    )


def _tell_regimen(row: Mapping[str, Any]) -> str:
    """Return which regimen the group had, and which published arms stand beside it."""
    drugs, line = words.listing(row["drugs"].split("+")), str(row["line"])
    return (
        f"{words.percent(row['regimen_percent'], 0)} of those treated had exactly {drugs} "
        f"({_LINES.get(line, line)}). Published: whole arms of exactly these drugs and this line, verified "
        "numbers only."
    )


def _table(rows: pl.DataFrame, label: str) -> Table:
    shown = rows.head(MOST_ROWS)
    more = rows.height - shown.height
    return Table(
        caption=f"{label}: every number beside every published one",
        head=("Endpoint", "This study (95 %)", "Published arm", "Published (limits)", "Source"),
        rows=tuple(_cells(row) for row in shown.iter_rows(named=True)),
        text_columns=(0, 2, 4),
        note="Months are 30.4 days. An empty number was not reached or not estimable."
        + (f" {words.plural(more, 'further row')} in table ‘{TABLE}’." if more else ""),
    )


def _cells(row: Mapping[str, Any]) -> tuple[str | Markup, ...]:
    unit = " %" if str(row["unit"]) == "percent" else " months"
    n = name_own(row).removeprefix("This study, ")
    own = Markup('{}{}<span class="soft line">{}</span>')
    published = say_number(*(row[f"published_{part}"] for part in ("value", "low", "high")))
    return (
        name_block(row),
        own.format(say_number(row["value"], row["low"], row["high"]), unit if row["value"] else "", n),
        Markup("{}{}").format(widen(name_published(row)), soften(row["arm_id"])),
        own.format(published, unit if row["published_value"] else "", _tell_limits(row)),
        link_address(row["source"]),
    )


def _tell_limits(row: Mapping[str, Any]) -> str:
    parts = list[str]()
    if row["published_level"] not in {None, 95.0}:
        parts.append(f"{words.plain(row['published_level'])} % limits")
    if row["published_limits"] in _LIMITS:
        parts.append(_LIMITS[row["published_limits"]])
    if row["published_value"] is None:
        parts.append("median not reached")
    return "; ".join(parts)


def link_address(address: str) -> Markup | str:
    """Return an address as a link that shows its host; text that is no address stays text.

    Examples
    --------
    >>> str(link_address("https://example.org/a b"))
    '<a href="https://example.org/a%20b" rel="noreferrer">example.org</a>'
    """
    if not address.startswith(("https://", "http://")):
        return address
    href = quote(address, safe=":/?#[]@!$&'()*+,;=%~")
    return Markup('<a href="{}" rel="noreferrer">{}</a>').format(href, address.split("/")[2])
