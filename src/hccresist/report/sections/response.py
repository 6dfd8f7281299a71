"""Response per criterion and reader: best responses and rates, by arm, confirmed and not."""

from __future__ import annotations

import polars as pl
from markupsafe import Markup

from hccresist.report import words
from hccresist.report.facts import Facts, View, label_group
from hccresist.report.figures.response import plot_best_responses
from hccresist.report.render import Table, chip, render, soften

_ALWAYS = {"irecist": ("iCR", "iPR", "iSD", "iUPD", "iCPD", "NE")}
_PLAIN = ("CR", "PR", "SD", "PD", "NE")


def build(facts: Facts) -> Markup:
    """Return the section; criteria that were asked for and skipped are named with the reason."""
    best = facts.table("best_response")
    missing = tuple(
        (words.label_criterion(name), facts.skipped[name])
        for name in facts.study.config.criteria
        if name in facts.skipped
    )
    return render(
        "response",
        absent=facts.why_absent("best_response") if best is None else "",
        no_rates=facts.why_absent("rates") if best is not None and facts.table("rates") is None else "",
        missing=missing,
        figure=None if best is None else plot_best_responses(facts),
        views=tuple(_view(facts, view) for view in facts.views),
        few_groups=len(facts.groups) <= 3,
    )


def _view(facts: Facts, view: View) -> dict[str, object]:
    return {
        "view": view,
        "best": _best(facts, view, "best", "Best response, confirmation not required"),
        "confirmed": _best(facts, view, "best_confirmed", "Best response, confirmation required"),
        "rates": _rates(facts, view),
    }


def _best(facts: Facts, view: View, column: str, caption: str) -> Table | None:
    rows = facts.of_view("best_response", view)
    if rows.is_empty():
        return None
    rows = facts.arm_of.join(rows, on="patient_id", how="left").with_columns(pl.col(column).fill_null(""))
    found = [word for word in rows[column].to_list() if word]
    listed = words.sort_responses((*_ALWAYS.get(view.criterion, _PLAIN), *found))
    groups = {
        group: rows if group == "all" else rows.filter(pl.col("arm") == group) for group in facts.groups
    }
    cells = tuple((chip(word), *(_share(part, column, word) for part in groups.values())) for word in listed)
    if len(found) < rows.height:
        cells = (*cells, ("not assessed", *(_share(part, column, "") for part in groups.values())))
    total = ("Patients", *(words.count(part.height) for part in groups.values()))
    return Table(
        caption=caption,
        head=("Response", *(label_group(group) for group in groups)),
        rows=(*cells, total),
    )


def _share(part: pl.DataFrame, column: str, word: str) -> Markup | str:
    n = int((part[column] == word).sum())
    if part.is_empty():
        return words.EMPTY
    return Markup("{} {}").format(words.count(n), soften(f"({words.percent(100 * n / part.height)})"))


def _rates(facts: Facts, view: View) -> Table | None:
    rates = facts.of_view("rates", view)
    if rates.is_empty():
        return None
    found = {(row["measure"], row["group"], row["confirmed"]): row for row in rates.iter_rows(named=True)}
    others = sorted(set(rates["group"].to_list()) - set(facts.groups))
    groups = [group for group in (*facts.groups, *others) if any(key[1] == group for key in found)]
    rows = tuple(
        (
            f"{words.MEASURES[measure]}{', confirmed' if confirmed else ''}",
            *(_rate(found.get((measure, group, confirmed))) for group in groups),
        )
        for measure in words.MEASURES
        for confirmed in (False, True)
        if any((measure, group, confirmed) in found for group in groups)
    )
    denominators = words.listing(sorted(rates["denominator"].unique().to_list()))
    return Table(
        caption="Rates with exact 95 % intervals",
        head=("Rate", *(label_group(group) for group in groups)),
        rows=rows,
        note="Patients with the outcome / patients counted, percent (Clopper–Pearson interval). "
        f"Denominator: {denominators}.",
    )


def _rate(row: dict[str, object] | None) -> Markup | str:
    if row is None:
        return words.EMPTY
    limits = words.interval(row["low"], row["high"])  # pyright: ignore[reportArgumentType]
    return Markup("{}/{}, {}<br>{}").format(
        row["events"],
        row["n"],
        words.percent(row["percent"]),  # pyright: ignore[reportArgumentType]
        soften(f"({limits})"),
    )
