"""What was read and what was not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from markupsafe import Markup

from hccresist.report import words
from hccresist.report.facts import Facts, View
from hccresist.report.render import Table, render, soften
from hccresist.study.issues import Issue
from hccresist.study.policies import describe
from hccresist.study.study import Source

MAX_WARNINGS = 200


def build(facts: Facts) -> Markup:
    """Return sources, attrition, warnings, skipped stages and the policies in force."""
    changed = facts.changed_policies
    warnings = facts.study.warnings
    return render(
        "sources",
        sources=_sources(facts),
        tables=_tables(facts),
        attrition=_attrition(facts),
        warnings=tuple(_warning(issue) for issue in warnings[:MAX_WARNINGS]),
        warnings_more=max(0, len(warnings) - MAX_WARNINGS),
        failed=tuple(facts.failed.items()),
        skipped=_skipped(facts),
        changed=_policies(facts, changed) if changed else None,
        policies=_policies(facts, None),
    )


def show_value(value: object) -> str:
    """Return a policy or option as a reader would write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return words.plain(value)
    if value is None:
        return "not given"
    if isinstance(value, str):
        return value or "(empty)"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value) or "(empty)"
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _skipped(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Return what was skipped and why; what was skipped for one reason stands together."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in facts.skipped.items():
        by_reason.setdefault(reason, []).append(words.label_criterion(name))
    return tuple((words.listing(names), reason) for reason, names in by_reason.items())


def _sources(facts: Facts) -> Table | None:
    rows = tuple((s.file, s.table, _rows(facts, s)) for s in facts.study.sources)
    if not rows:
        return None
    return Table(
        caption="Files read",
        head=("File", "Table", "Rows"),
        rows=rows,
        text_columns=(0, 1),
    )


def _rows(facts: Facts, source: Source) -> str:
    return words.count(source.rows) if source.table in facts.study.tables else words.EMPTY


def _tables(facts: Facts) -> str:
    held = (f"{name} ({words.count(frame.height)})" for name, frame in facts.study.tables.items())
    return words.listing(held)


def _attrition(facts: Facts) -> Table | None:
    records = facts.records("attrition")
    if not records:
        return None
    steps = tuple(dict.fromkeys(str(record["step"]) for record in records))
    found = {(_where(record), str(record["step"])): record for record in records}
    rows = tuple(
        (view.label if view.criterion else "All", *(_left(found.get((view, step))) for step in steps))
        for view in facts.sort_views(_where(record) for record in records)
    )
    return Table(
        caption="Patients left after each step",
        head=("Criterion", *(f"{step[0].upper()}{step[1:]}" for step in steps)),
        rows=rows,
    )


def _where(record: Mapping[str, object]) -> View:
    return View(str(record.get("criterion") or ""), str(record.get("reader") or ""))


def _left(record: Mapping[str, object] | None) -> str | Markup:
    if record is None:
        return words.EMPTY
    left = words.count(cast("int", record["patients"]))
    if not record.get("lost"):
        return left
    why = f"−{words.count(cast('int', record['lost']))}: {record.get('reason') or 'no reason given'}"
    return Markup('{}<span class="soft line wrap">{}</span>').format(left, why)


def _warning(issue: Issue) -> dict[str, Any]:
    text = issue.sentence().removeprefix(f"{issue.place()}: ")
    return {"place": issue.place(), "text": text, "code": issue.code}


def _policies(facts: Facts, names: tuple[str, ...] | None) -> Table:
    values = facts.study.config.policies.values()
    chosen = [info for info in describe() if names is None or info.name in names]
    rows = tuple(
        (
            Markup("<code>{}</code>").format(info.name),
            show_value(values[info.name]),
            show_value(info.default),
            Markup("{}<br>{}").format(info.meaning, soften(info.source)),
        )
        for info in chosen
    )
    return Table(
        caption="Policies in force" if names is None else "Policies that differ from their default",
        head=("Policy", "In force", "Default", "Meaning and source"),
        rows=rows,
        text_columns=(0, 1, 2, 3),
    )
