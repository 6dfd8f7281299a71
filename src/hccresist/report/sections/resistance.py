"""Resistance: its class by arm, the rule and rule set that decided, and what progressed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, TypeVar

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hccresist.report import words
from hccresist.report.facts import Facts, View, label_group
from hccresist.report.figures.figure import Figure
from hccresist.report.render import Table, soften

MOST_FOLDED: Final = 500
"""Rows of a folded table; the rest is in the result table."""
CLASSES: Final = {
    "primary": "Primary resistance",
    "acquired": "Acquired resistance",
    "after_stop": "Progression after stop",
    "intolerance": "Intolerance",
    "no_resistance": "No resistance",
    "not_evaluable": "Not evaluable",
}
COMPONENTS: Final = {
    "intrahepatic_growth": "Growth in the liver",
    "new_intrahepatic": "New lesion in the liver",
    "extrahepatic_growth": "Growth outside the liver",
    "new_extrahepatic": "New lesion outside the liver",
    "vascular_invasion": "Vascular or bile duct invasion",
    "site_unknown": "Site not recorded",
}
_COLUMNS: Final = 5
_Item = TypeVar("_Item")
_WHOSE: Final = r"\(((?:[^()]|\([^()]*\))*)\)\.?$"


def build(facts: Facts) -> Markup:
    """Return classes of resistance by arm, rules, patients, and components of progression."""
    return Markup("").join(
        (
            make_heading("Class of resistance", "resistance-class"),
            *_classes(facts),
            make_heading("What progressed", "resistance-progression"),
            *_progressions(facts),
        )
    )


def _classes(facts: Facts) -> list[Markup]:
    frame = facts.table("resistance")
    if frame is None:
        return [make_notice(explain_absence(facts, "resistance"))]
    rows = frame.with_columns(pl.col("class").cast(pl.String)).join(facts.arm_of, on="patient_id", how="left")
    used = frame.select("criterion", "reader").unique().iter_rows()
    judged = words.listing(view.label for view in facts.sort_views(View(*pair) for pair in used))
    note = f"Judged by {judged}. Patients and percent of those in the column."
    return [
        *(make_table(_by_arm(rows, groups, note)) for groups in chunk(facts.groups, _COLUMNS)),
        make_table(_rules(rows)),
        make_fold(
            f"Every patient with class, day and reason ({words.plural(rows.height, 'row')})", _patients(rows)
        ),
    ]


def _by_arm(rows: pl.DataFrame, groups: tuple[str, ...], note: str) -> Table:
    parts = [rows if group == "all" else rows.filter(pl.col("arm") == group) for group in groups]
    cells = tuple((label, *(_share(part, name) for part in parts)) for name, label in CLASSES.items())
    total = ("Patients", *(words.count(part["patient_id"].n_unique()) for part in parts))
    return Table(
        caption="Class of resistance by arm",
        head=("Class", *(label_group(group) for group in groups)),
        rows=(*cells, total),
        note=note,
    )


def _share(part: pl.DataFrame, name: str) -> Markup | str:
    everyone = part["patient_id"].n_unique()
    if not everyone:
        return words.EMPTY
    n = part.filter(pl.col("class") == name)["patient_id"].n_unique()
    return Markup("{} {}").format(words.count(n), soften(f"({words.percent(100 * n / everyone)})"))


def _rules(rows: pl.DataFrame) -> Table:
    counted = (
        rows.with_columns(whose=pl.col("reason").str.extract(_WHOSE).fill_null(words.EMPTY))
        .group_by("class", "rule", "whose")
        .agg(n=pl.col("patient_id").n_unique())
    )
    order = list(CLASSES)
    found = sorted(counted.iter_rows(), key=lambda row: (order.index(row[0]), -row[3], row[1], row[2]))
    return Table(
        caption="Which rule decided, and whose it is",
        head=("Class", "Rule", "Rule set, as the reason names it", "Patients"),
        rows=tuple(
            (CLASSES[name], Markup("<code>{}</code>").format(rule), whose, words.count(n))
            for name, rule, whose, n in found
        ),
        text_columns=(0, 1, 2),
    )


def _patients(rows: pl.DataFrame) -> Table:
    shown = rows.sort("patient_id", "line", "drug").head(MOST_FOLDED)
    more = rows.height - shown.height
    return Table(
        caption="Class of resistance, patient by patient",
        head=("Patient", "Line and drugs", "Class", "Day", "Reason"),
        rows=tuple(
            (
                row["patient_id"],
                f"{row['line']}: {row['drug'] or 'no drug recorded'}",
                CLASSES[row["class"]],
                format_day(row["day"]),
                row["reason"],
            )
            for row in shown.iter_rows(named=True)
        ),
        text_columns=(0, 1, 2, 4),
        note=f"{words.plural(more, 'further row')} in table ‘resistance’." if more else "",
    )


def _progressions(facts: Facts) -> list[Markup]:
    frame = facts.table("progressions")
    if frame is None:
        return [make_notice(explain_absence(facts, "progressions"))]
    pairs = frame.select("criterion", "reader").unique().iter_rows()
    views = facts.sort_views(View(*pair) for pair in pairs)
    return [make_table(_components(facts, part)) for part in chunk(views, _COLUMNS)]


def _components(facts: Facts, views: tuple[View, ...]) -> Table:
    parts = [facts.of_view("progressions", view) for view in views]
    cells = tuple(
        (label, *(_visits(part.filter(pl.col(name))) for part in parts)) for name, label in COMPONENTS.items()
    )
    return Table(
        caption="Components of progression",
        head=("Component", *(view.label for view in views)),
        rows=(*cells, ("Any progression", *(_visits(part) for part in parts))),
        note="Visits with progression, and patients with one or more of them. "
        "A visit can have several components.",
    )


def _visits(part: pl.DataFrame) -> Markup | str:
    if part.is_empty():
        return "0"
    patients = words.plural(part["patient_id"].n_unique(), "patient")
    return Markup("{} {}").format(words.count(part.height), soften(f"({patients})"))


# Pieces that the closer look shares


def explain_absence(facts: Facts, *names: str) -> str:
    """Return in one sentence why the first table is not there: its own reason, or that of what it needs."""
    for name in names:
        if name in facts.skipped or name in facts.failed:
            return facts.why_absent(name)
    if names[0] not in facts.tables and "timepoints" not in facts.tables:
        return facts.why_absent("timepoints")
    return facts.why_absent(names[0])


def make_table(table: Table) -> Markup:
    """Return a table of the page as markup."""
    return Markup(_macros().table(table))


def make_figure(figure: Figure) -> Markup:
    """Return a figure of the page as markup."""
    return Markup(_macros().figure(figure))


def make_notice(text: str, kind: str = "absent") -> Markup:
    """Return a framed sentence as markup."""
    return Markup(_macros().notice(text, kind))


def make_heading(text: str, key: str) -> Markup:
    """Return a heading within a section."""
    return Markup('<h3 id="{}">{}</h3>\n').format(key, text)


def make_fold(summary: str, *tables: Table) -> Markup:
    """Return tables that stand folded under a summary."""
    body = Markup("").join(make_table(table) for table in tables)
    return Markup('<details class="fold">\n<summary>{}</summary>\n{}</details>\n').format(summary, body)


def chunk(items: Sequence[_Item], size: int) -> tuple[tuple[_Item, ...], ...]:
    """Return items in groups of at most `size`, in order.

    Examples
    --------
    >>> chunk("abcde", 3)
    (('a', 'b', 'c'), ('d', 'e'))
    """
    return tuple(tuple(items[start : start + size]) for start in range(0, len(items), size))


def format_day(day: float | None) -> str:
    """Return a day without needless decimals, a dash for none."""
    return words.plain(day)


@cache
def _macros() -> Any:  # noqa: ANN401  (a module of jinja2 made at run time)
    """Return the page's macros as functions; text that they are given is escaped."""
    env = Environment(
        loader=PackageLoader("hccresist.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return env.get_template("macros.html.j2").module
