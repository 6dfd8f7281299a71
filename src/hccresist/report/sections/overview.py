"""At a glance: the numbers that most readers come for."""

from __future__ import annotations

import polars as pl
from markupsafe import Markup

from hccresist.report import words
from hccresist.report.facts import Facts, View
from hccresist.report.render import Table, render, soften

_READERS_SHOWN = 3


def build(facts: Facts) -> Markup:
    """Return the key figures and the table of criteria side by side."""
    return render(
        "overview",
        figures=(*_patients(facts), *_survival(facts)),
        table=_criteria(facts),
        missing=facts.why_absent("rates") if facts.table("rates") is None else "",
        remarks=_remarks(facts),
    )


def format_median(row: dict[str, object] | None) -> tuple[str, str]:
    """Return a median or follow-up time and its interval in months, or the words that stand in its place."""
    if row is None:
        return words.EMPTY, ""
    value, low, high = (row[name] for name in ("value", "low", "high"))
    limits = ""
    if low is not None or high is not None:
        limits = f"{words.months(low)} to {words.months(high)}"  # pyright: ignore[reportArgumentType]
    if value is None:
        return str(row["note"] or "not estimable"), limits
    return words.months(value), limits  # pyright: ignore[reportArgumentType]


def find_statistic(
    facts: Facts, statistic: str, *, endpoint: str, view: View, group: str = "all"
) -> dict[str, object] | None:
    """Return the row of ``survival_summary`` for one statistic, or ``None``."""
    summary = facts.table("survival_summary")
    if summary is None:
        return None
    found = summary.filter(
        pl.col("statistic") == statistic,
        pl.col("endpoint") == endpoint,
        pl.col("criterion") == view.criterion,
        pl.col("reader") == view.reader,
        pl.col("group") == group,
    )
    return None if found.is_empty() else found.row(0, named=True)


def _patients(facts: Facts) -> list[tuple[str, str, str]]:
    frame = facts.study.patients
    arms = frame["arm"].value_counts() if facts.arms else None
    note = ""
    if arms is not None:
        sizes = dict(arms.iter_rows())
        note = ", ".join(f"{arm} {words.count(sizes[arm])}" for arm in facts.arms)
    found = [("Patients", words.count(frame.height), note)]
    visits = facts.table("timepoints")
    if visits is not None:
        days = visits.select("patient_id", "reader", "day").unique().height
        note = "after baseline" + (", each reader counted" if len(facts.readers) > 1 else "")
        found.append(("Visits assessed", words.count(days), note))
    return found


def _survival(facts: Facts) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    for name, statistic in (("Median overall survival", "median"), ("Median follow-up", "followup")):
        row = find_statistic(facts, statistic, endpoint="OS", view=View("", ""))
        if row is not None:
            value, limits = format_median(row)
            unit = "" if row["value"] is None else " months"
            found.append((name, value + unit, f"95 % interval {limits}" if limits else ""))
    return found


def _criteria(facts: Facts) -> Table | None:
    rates = facts.table("rates")
    if rates is None:
        return None
    views = facts.views
    if len(facts.readers) > _READERS_SHOWN:
        views = tuple(view for view in views if view.reader == facts.lead_reader)
    rows = tuple(
        (
            view.label,
            _rate(rates, view, "ORR", confirmed=False),
            _rate(rates, view, "ORR", confirmed=True),
            _rate(rates, view, "DCR", confirmed=False),
            _progression_free(facts, view),
        )
        for view in views
    )
    head = ("Criterion", "Objective response", "… confirmed", "Disease control", "Median PFS, months")
    return Table(
        caption="Response and progression by criterion, all patients, with 95 % intervals",
        head=head,
        rows=rows,
        note=_denominator(rates),
    )


def _rate(rates: pl.DataFrame, view: View, measure: str, *, confirmed: bool) -> str | Markup:
    found = rates.filter(
        pl.col("criterion") == view.criterion,
        pl.col("reader") == view.reader,
        pl.col("group") == "all",
        pl.col("measure").cast(pl.String) == measure,
        pl.col("confirmed") == confirmed,
    )
    if found.is_empty():
        return words.EMPTY
    row = found.row(0, named=True)
    return render(
        "interval",
        value=row["percent"],
        low=row["low"],
        high=row["high"],
        percent=words.percent(row["percent"]),
        limits=words.interval(row["low"], row["high"]),
    )


def _progression_free(facts: Facts, view: View) -> str | Markup:
    for endpoint in ("iPFS", "PFS") if view.criterion == "irecist" else ("PFS",):
        row = find_statistic(facts, "median", endpoint=endpoint, view=view)
        if row is not None:
            value, limits = format_median(row)
            return Markup("{} {}").format(value, soften(f"({limits})")) if limits else value
    return words.EMPTY


def _denominator(rates: pl.DataFrame) -> str:
    said = words.listing(sorted(rates["denominator"].unique().to_list()))
    return f"Exact (Clopper–Pearson) intervals. Denominator: {said}."


def _remarks(facts: Facts) -> tuple[tuple[str, str], ...]:
    counted = (
        (len(facts.failed), "failed stage", "failed stages", "read-skipped"),
        (len(facts.skipped), "skipped stage or criterion", "skipped stages or criteria", "read-skipped"),
        (len(facts.study.warnings), "warning", "warnings", "read-warnings"),
        (
            len(facts.changed_policies),
            "policy other than default",
            "policies other than default",
            "read-policies",
        ),
    )
    return tuple((words.plural(n, one, many), anchor) for n, one, many, anchor in counted if n)
