"""The closer look: how sure the verdicts are, patterns of progression and response, and the audit."""

from __future__ import annotations

from typing import Any, Final

import polars as pl
from markupsafe import Markup

from hccresist.report import words
from hccresist.report.facts import Facts, View
from hccresist.report.render import Table, chip, soften
from hccresist.report.sections import patterns
from hccresist.report.sections.resistance import (
    MOST_FOLDED,
    explain_absence,
    format_day,
    make_fold,
    make_heading,
    make_notice,
    make_table,
)

MOST_FRAGILE: Final = 25

_VISIT: Final = ("patient_id", "reader", "criterion", "day")


def build(facts: Facts) -> Markup:
    """Return how sure the verdicts are, patterns, and the audit."""
    return Markup("").join(
        (
            make_heading("Fragile verdicts", "closer-fragile"),
            *_fragile(facts),
            make_heading("Criteria that disagree", "closer-discordance"),
            *_discordance(facts),
            make_heading("Agreement beyond chance", "closer-agreement"),
            *_agreement(facts),
            make_heading("Patterns", "closer-patterns"),
            *patterns.build(facts),
            make_heading("Audit", "closer-audit"),
            *_audit(facts),
        )
    )


# How sure ------------------------------------------------------------------------------------


def _fragile(facts: Facts) -> list[Markup]:
    frame, best = facts.table("robustness"), facts.table("best_response")
    if frame is None or best is None:
        return [make_notice(explain_absence(facts, "robustness" if frame is None else "best_response"))]
    visits = _best_visits(frame, best)
    known = visits.filter(pl.col("worst").is_not_null())
    if known.is_empty():
        return [make_notice("Nothing to show: the fragility of no best response could be computed.")]
    shown = known.sort("worst", *_VISIT, descending=[True] + [False] * 4).head(MOST_FRAGILE)
    unknown = visits.height - known.height
    note = (
        f"{words.count(shown.height)} of {words.plural(known.height, 'verdict')} shown, most fragile first, "
        "at visits where the best response was first reached"
        + (f"; {words.count(unknown)} more have no computable fragility" if unknown else "")
        + ". Probability of another category if another reader chose targets and measured, or if the same "
        "reader measured the same targets again. Margin: change of the sum that reaches the next category."
    )
    table = Table(
        caption="Best responses by fragility",
        head=("Patient and visit", "Verdict", "Another reader", "Same reader", "Margin", "Rests on, flags"),
        rows=tuple(_fragile_row(facts, row) for row in shown.iter_rows(named=True)),
        text_columns=(0, 1, 5),
        note=note,
    )
    return [make_table(table)]


def _best_visits(frame: pl.DataFrame, best: pl.DataFrame) -> pl.DataFrame:
    """Return one row a visit at which the best response was first reached, both error models side by side."""
    reached = best.select("patient_id", "reader", "criterion", pl.col("best_day").alias("day")).drop_nulls(
        "day"
    )
    chance = [
        pl.col("fragility").filter(pl.col("error_model").cast(pl.String) == model).first().alias(model)
        for model in ("between_readers", "one_reader")
    ]
    rest = [
        pl.col(name).drop_nulls().first()
        for name in ("overall", "margin_mm", "toward", "flips_without", "flags")
    ]
    visits = frame.sort(*_VISIT, "error_model").join(reached, on=_VISIT, how="semi")
    return (
        visits.group_by(*_VISIT)
        .agg(*chance, *rest)
        .with_columns(worst=pl.max_horizontal("between_readers", "one_reader"))
    )


def _fragile_row(facts: Facts, row: dict[str, Any]) -> tuple[str | Markup, ...]:
    view = View(row["criterion"], row["reader"])
    margin = words.EMPTY
    if row["margin_mm"] is not None:
        toward = f" to {row['toward']}" if row["toward"] else ""
        margin = f"{words.number(row['margin_mm'])} {facts.unit(view.criterion)}{toward}"
    rests = f"target {row['flips_without']}" if row["flips_without"] else ""
    said = "; ".join(part for part in (rests, row["flags"]) if part)
    return (
        Markup("{}<br>{}").format(
            row["patient_id"], soften(f"day {format_day(row['day'])}, {_label(view, facts)}")
        ),
        chip(row["overall"]),
        _chance(row["between_readers"]),
        _chance(row["one_reader"]),
        margin,
        said or words.EMPTY,
    )


def _chance(value: float | None) -> str:
    return words.percent(None if value is None else 100 * value)


def _label(view: View, facts: Facts) -> str:
    return view.label if len(facts.readers) > 1 else words.label_criterion(view.criterion)


def _discordance(facts: Facts) -> list[Markup]:
    frame = facts.table("discordance")
    if frame is None:
        empty = "discordance" in facts.tables and len(facts.criteria) > 1
        if empty:
            return [make_notice("No patient has different best responses under two criteria.", "plain")]
        return [make_notice(explain_absence(facts, "discordance"))]
    rows = frame.sort("criterion_a", "criterion_b", "reader", "patient_id")
    return [
        make_table(_pairs(facts, rows)),
        make_fold(
            f"Each difference, with the rule that split them ({words.plural(rows.height, 'row')})",
            _splits(facts, rows),
        ),
    ]


def _pairs(facts: Facts, rows: pl.DataFrame) -> Table:
    keys = ("criterion_a", "criterion_b", "reader")
    words_seen = pl.concat_str("best_a", pl.lit(" against "), "best_b")
    found: list[tuple[str, ...]] = []
    for key, part in rows.group_by(*keys, maintain_order=True):
        seen = part.group_by(words_seen.alias("split")).agg(n=pl.len())
        often, n = seen.sort("n", "split", descending=[True, False]).row(0)
        name = _between(str(key[0]), str(key[1]), str(key[2]), facts)
        found.append((name, words.count(part.height), f"{often} ({words.count(n)})"))
    return Table(
        caption="Patients whose best response differs",
        head=("Criteria", "Patients", "Most frequent difference"),
        rows=tuple(found),
        text_columns=(0, 2),
    )


def _between(first: str, second: str, reader: str, facts: Facts) -> str:
    name = f"{words.label_criterion(first)} against {words.label_criterion(second)}"
    return f"{name}, {words.label_reader(reader)}" if len(facts.readers) > 1 else name


def _splits(facts: Facts, rows: pl.DataFrame) -> Table:
    shown = rows.sort("patient_id", "criterion_a", "criterion_b", "reader").head(MOST_FOLDED)
    more = rows.height - shown.height
    return Table(
        caption="Differences between criteria, patient by patient",
        head=("Patient", "Criteria", "Best responses", "Day of the split", "Rules", "Reason"),
        rows=tuple(
            (
                row["patient_id"],
                _between(row["criterion_a"], row["criterion_b"], row["reader"], facts),
                f"{row['best_a']} against {row['best_b']}",
                format_day(row["split_day"]),
                f"{row['rule_a'] or words.EMPTY} against {row['rule_b'] or words.EMPTY}",
                row["reason"],
            )
            for row in shown.iter_rows(named=True)
        ),
        text_columns=(0, 1, 2, 4, 5),
        note=f"{words.plural(more, 'further row')} in table ‘discordance’." if more else "",
    )


def _agreement(facts: Facts) -> list[Markup]:
    frame = facts.table("agreement")
    if frame is None:
        return [make_notice(explain_absence(facts, "agreement", "patterns"))]
    rows = frame.sort("scope", "first", "second", "within", "statistic")
    kappas = rows.filter(pl.col("statistic").str.ends_with("_kappa"))
    gaps = rows.filter(pl.col("statistic") == "mean_difference_percent")
    made: list[Markup] = []
    if not kappas.is_empty():
        made.append(make_table(_kappas(kappas)))
    if not gaps.is_empty():
        made.append(make_table(_gaps(rows, gaps)))
    return made or [make_notice("Nothing to show: ‘agreement’ has no kappa and no difference.")]


def _kappas(kappas: pl.DataFrame) -> Table:
    return Table(
        caption="Kappa of best responses",
        head=("Compared", "Within", "Statistic", "Kappa", "95 % interval", "Patients"),
        rows=tuple(
            (
                _compared(row),
                _within(row),
                {"cohen_kappa": "Cohen", "fleiss_kappa": "Fleiss"}.get(
                    row["statistic"], str(row["statistic"])
                ),
                words.number(row["value"], 2),
                words.interval(row["low"], row["high"], 2),
                words.count(row["n"]),
            )
            for row in kappas.iter_rows(named=True)
        ),
        text_columns=(0, 1, 2),
    )


def _gaps(rows: pl.DataFrame, gaps: pl.DataFrame) -> Table:
    key = ("scope", "first", "second", "within")
    limits = rows.filter(pl.col("statistic") == "limits_percent")
    of = {tuple(row[name] for name in key): row for row in limits.iter_rows(named=True)}
    found: list[tuple[str, ...]] = []
    for row in gaps.iter_rows(named=True):
        limit = of.get(tuple(row[name] for name in key), {})
        found.append(
            (
                _compared(row),
                _within(row),
                words.number(row["value"]),
                words.interval(row["low"], row["high"]),
                words.interval(limit.get("low"), limit.get("high")),
                words.count(row["n"]),
            )
        )
    return Table(
        caption="Difference of the change from baseline, percentage points",
        head=("Compared", "Within", "Mean", "95 % interval", "Limits of agreement", "Visits"),
        rows=tuple(found),
        text_columns=(0, 1),
    )


def _compared(row: dict[str, Any]) -> str:
    say = words.label_criterion if row["scope"] == "criteria" else words.label_reader
    if not row["second"]:
        return str(row["first"])
    return f"{say(row['first'])} against {say(row['second'])}"


def _within(row: dict[str, Any]) -> str:
    if row["scope"] == "criteria":
        return words.label_reader(row["within"])
    return words.label_criterion(row["within"])


# Audit ---------------------------------------------------------------------------------------


def _audit(facts: Facts) -> list[Markup]:
    frame = facts.table("audit")
    if frame is None:
        if "audit" in facts.tables:
            return [make_notice("The audit found nothing to report.", "plain")]
        return [make_notice(explain_absence(facts, "audit"))]
    return [
        make_table(_checks(frame)),
        make_fold(f"Each finding ({words.plural(frame.height, 'row')})", _findings(frame)),
    ]


def _checks(frame: pl.DataFrame) -> Table:
    counted = (
        frame.with_columns(severity=pl.col("severity").cast(pl.String))
        .group_by("check", "severity")
        .agg(
            n=pl.len(),
            patients=pl.col("patient_id").filter(pl.col("patient_id") != "").n_unique(),
            rule=pl.col("rule").min(),
        )
    )
    order = ("error", "warning", "note")
    found = sorted(
        counted.iter_rows(named=True), key=lambda row: (order.index(row["severity"]), -row["n"], row["check"])
    )
    return Table(
        caption="Findings by check",
        head=("Check", "Severity", "Findings", "Patients", "Rule"),
        rows=tuple(
            (
                Markup("<code>{}</code>").format(row["check"]),
                row["severity"],
                words.count(row["n"]),
                words.count(row["patients"]),
                row["rule"],
            )
            for row in found
        ),
        text_columns=(0, 1, 4),
        note=f"{words.plural(frame.height, 'finding')} in all. Error: contradiction; warning: seldom right; "
        "note: should be known.",
    )


def _findings(frame: pl.DataFrame) -> Table:
    keys = ("patient_id", "reader", "day", "check", "criterion", "lesion_id", "found", "expected", "reason")
    shown = frame.sort(*keys).head(MOST_FOLDED)
    more = frame.height - shown.height
    return Table(
        caption="Findings of the audit, one by one",
        head=("Patient", "Where", "Check", "Found", "Expected", "Reason"),
        rows=tuple(
            (
                row["patient_id"] or "the study",
                _place(row),
                row["check"],
                row["found"],
                row["expected"],
                row["reason"],
            )
            for row in shown.iter_rows(named=True)
        ),
        text_columns=(0, 1, 2, 3, 4, 5),
        note=f"{words.plural(more, 'further row')} in table ‘audit’." if more else "",
    )


def _place(row: dict[str, Any]) -> str:
    parts = (
        "" if row["day"] is None else f"day {format_day(row['day'])}",
        f"lesion {row['lesion_id']}" if row["lesion_id"] else "",
        words.label_criterion(row["criterion"]) if row["criterion"] else "",
        words.label_reader(row["reader"]) if row["reader"] else "",
    )
    return ", ".join(part for part in parts if part) or words.EMPTY
