"""Survival: curves with numbers at risk, medians, landmark rates, comparisons of arms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from markupsafe import Markup

from hccresist.report import words
from hccresist.report.facts import Facts, View, label_group
from hccresist.report.figures.figure import Figure, month_axis
from hccresist.report.figures.survival import compute_at_risk, plot_incidence, plot_survival
from hccresist.report.render import Table, remark, render, soften

_KEY = ("criterion", "reader")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One endpoint under one criterion and reader."""

    view: View
    where: str
    figure: Figure | None
    incidence: Figure | None
    tables: tuple[Table, ...]
    at_risk: Table | None


def build(facts: Facts) -> Markup:
    """Return every endpoint with its curves and tables."""
    absent = facts.table("survival_curves") is None and facts.table("survival_summary") is None
    endpoints = () if absent else _endpoints(facts)
    return render(
        "survival",
        absent=facts.why_absent("survival_curves", "survival_summary") if absent else "",
        endpoints=tuple((name, words.label_endpoint(name), _blocks(facts, name)) for name in endpoints),
    )


def _endpoints(facts: Facts) -> tuple[str, ...]:
    found: set[str] = set()
    for name in ("survival_curves", "survival_summary"):
        frame = facts.table(name)
        if frame is not None:
            found |= set(frame["endpoint"].to_list())
    known = tuple(name for name in words.ENDPOINTS if name in found)
    return (*known, *sorted(found - set(known)))


def _blocks(facts: Facts, endpoint: str) -> tuple[Block, ...]:
    order = {view: i for i, view in enumerate(facts.views)}
    views: set[View] = set()
    for name in ("survival_curves", "survival_summary"):
        frame = facts.table(name)
        if frame is not None:
            rows = frame.filter(pl.col("endpoint") == endpoint).select(*_KEY).unique()
            views |= {View(criterion, reader) for criterion, reader in rows.iter_rows()}
    ranked = sorted(views, key=lambda view: (order.get(view, len(order)), view))
    return tuple(_block(facts, endpoint, view) for view in ranked)


def _block(facts: Facts, endpoint: str, view: View) -> Block:
    curves, summary, incidence = (
        _of(facts, name, endpoint, view)
        for name in ("survival_curves", "survival_summary", "cumulative_incidence")
    )
    where = view.label if view.criterion else ""
    key = words.slug(endpoint) + (f"-{view.key}" if view.criterion else "")
    return Block(
        view=view,
        where=where,
        figure=None
        if curves is None
        else plot_survival(facts, curves, endpoint=endpoint, key=f"survival-{key}", where=where),
        incidence=None
        if incidence is None
        else plot_incidence(facts, incidence, endpoint=endpoint, key=f"incidence-{key}", where=where),
        tables=() if summary is None else _tables(facts, summary),
        at_risk=None if curves is None else _at_risk(facts, curves),
    )


def _of(facts: Facts, name: str, endpoint: str, view: View) -> pl.DataFrame | None:
    if facts.table(name) is None:
        return None
    rows = facts.of_view(name, view).filter(pl.col("endpoint") == endpoint)
    return None if rows.is_empty() else rows


def _tables(facts: Facts, summary: pl.DataFrame) -> tuple[Table, ...]:
    strata = facts.study.config.strata
    found = (_medians(facts, summary), _landmarks(facts, summary), _comparisons(summary, strata))
    return tuple(table for table in found if table is not None)


def _ranked_groups(facts: Facts, groups: Sequence[str]) -> list[str]:
    known = [group for group in facts.groups if group in groups]
    return known + sorted(set(groups) - set(known))


def _medians(facts: Facts, summary: pl.DataFrame) -> Table | None:
    parts = {name: summary.filter(pl.col("statistic") == name) for name in ("median", "followup", "rmst")}
    if all(part.is_empty() for part in parts.values()):
        return None
    rows: list[tuple[str | Markup, ...]] = []
    for group in _ranked_groups(facts, pl.concat(parts.values())["group"].to_list()):
        mine = {name: part.filter(pl.col("group") == group) for name, part in parts.items()}
        first = next(part.row(0, named=True) for part in mine.values() if not part.is_empty())
        rows.append(
            (label_group(group), f"{first['events']}/{first['n']}", *(_time(mine[name]) for name in parts))
        )
    return Table(
        caption="Median, follow-up and restricted mean, in days (95 % interval)",
        head=("Group", "Events / patients", "Median", "Median follow-up", "Restricted mean"),
        rows=tuple(rows),
        note=_notes(pl.concat(parts.values())),
    )


def _time(rows: pl.DataFrame) -> str | Markup:
    if rows.is_empty():
        return words.EMPTY
    cells: list[str | Markup] = []
    for row in rows.iter_rows(named=True):
        upto = f", to month {words.months(row['at_days'])}" if row["at_days"] else ""
        limits = f"({_day(row['low'])} to {_day(row['high'])})"
        value = _day(row["value"]) if row["value"] is not None else _note(row)
        shown = limits if row["low"] is not None or row["high"] is not None else ""
        months = f"{words.months(row['value'])} months{upto}" if row["value"] is not None else ""
        cells.append(Markup("{} {}<br>{}").format(value, soften(shown), soften(months)))
    return Markup("<br>").join(cells)


def _day(value: float | None) -> str:
    return words.number(value, 0)


def _landmarks(facts: Facts, summary: pl.DataFrame) -> Table | None:
    rates = summary.filter(pl.col("statistic") == "rate").sort("at_days")
    if rates.is_empty():
        return None
    days = rates["at_days"].unique(maintain_order=True).to_list()
    found = {(row["group"], row["at_days"]): row for row in rates.iter_rows(named=True)}
    rows = tuple(
        (label_group(group), *(_share(found.get((group, day))) for day in days))
        for group in _ranked_groups(facts, rates["group"].to_list())
    )
    head = ("Group", *(f"{words.plain(round(day / words.DAYS_PER_MONTH, 1))} months" for day in days))
    return Table(
        caption="Without the event at landmarks (95 % interval)", head=head, rows=rows, note=_notes(rates)
    )


def _share(row: dict[str, Any] | None) -> str | Markup:
    if row is None:
        return words.EMPTY
    if row["value"] is None:
        return _note(row)
    return Markup("{} {}").format(words.percent(row["value"]), _limits(row, 0))


def _note(row: dict[str, Any]) -> Markup:
    return remark(str(row["note"] or "not estimable"))


def _limits(row: dict[str, Any], digits: int) -> str | Markup:
    if row["low"] is None and row["high"] is None:
        return ""
    return soften(f"({words.interval(row['low'], row['high'], digits)})")


_COMPARISONS = {
    "hazard_ratio": "Hazard ratio (Cox)",
    "hazard_ratio_stratified": "Hazard ratio (Cox, stratified)",
    "logrank_p": "Log-rank test, p",
    "logrank_p_stratified": "Log-rank test, stratified, p",
    "rmst_difference": "Difference of restricted means, days",
}
_OF_GROUPS = ("median", "followup", "rmst", "rate")
_IN_NOTES = ("logrank_chi2", "logrank_chi2_stratified")
"""Statistics that the note of the p-value holds."""


def _comparisons(summary: pl.DataFrame, strata: Sequence[str] = ()) -> Table | None:
    rest = summary.filter(~pl.col("statistic").is_in([*_OF_GROUPS, *_IN_NOTES])).sort("group", "statistic")
    if rest.is_empty():
        return None
    found = {(row["group"], row["statistic"]): row for row in rest.iter_rows(named=True)}
    present = {statistic for _, statistic in found}
    shown = [*(name for name in _COMPARISONS if name in present), *sorted(present - set(_COMPARISONS))]
    rows = tuple(
        (str(group), *(_compared(found.get((group, statistic))) for statistic in shown))
        for group in dict.fromkeys(group for group, _ in found)
    )
    heads = (_COMPARISONS.get(name, name.replace("_", " ")) for name in shown)
    note = f"Stratified by {', '.join(strata)}." if strata else ""
    return Table(caption="Comparisons (95 % interval)", head=("Groups", *heads), rows=rows, note=note)


def _compared(row: dict[str, Any] | None) -> str | Markup:
    if row is None:
        return words.EMPTY
    value = row["value"]
    if value is None:
        return _note(row)
    if row["statistic"].startswith("logrank_p"):
        return _remarked(words.p_value(value), row)
    digits = 0 if row["statistic"] == "rmst_difference" else 2
    return _remarked(Markup("{} {}").format(words.number(value, digits), _limits(row, digits)), row)


def _remarked(cell: str | Markup, row: dict[str, Any]) -> Markup:
    """Return a cell with the remark of its row below it."""
    if not row["note"]:
        return Markup("{}").format(cell)
    return Markup('{}<br><span class="soft wrap">{}</span>').format(cell, row["note"])


def _notes(rows: pl.DataFrame) -> str:
    """Gather the remarks of rows that have a value too; others stand in their cell."""
    said = rows.filter(pl.col("note").is_not_null(), pl.col("value").is_not_null())
    texts = sorted({f"{label_group(row['group'])}: {row['note']}" for row in said.iter_rows(named=True)})
    return "; ".join(texts) + ("." if texts else "")


def _at_risk(facts: Facts, curves: pl.DataFrame) -> Table:
    longest = float(curves["days"].max() or 1.0)  # pyright: ignore[reportArgumentType]
    ticks, _ = month_axis(longest)
    risk = compute_at_risk(curves, ticks)
    found = {(row["group"], row["days"]): row["at_risk"] for row in risk.iter_rows(named=True)}
    rows = tuple(
        (label_group(group), *(words.count(found[(group, day)]) for day in ticks))
        for group in _ranked_groups(facts, risk["group"].to_list())
    )
    head = ("Group", *(f"{day / words.DAYS_PER_MONTH:.0f} mo" for day in ticks))
    return Table(caption="Numbers at risk, just before each month", head=head, rows=rows)
