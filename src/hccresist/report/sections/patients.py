"""One entry a patient: verdicts in the list, timeline and reasons on opening."""

from __future__ import annotations

import json
from collections.abc import Mapping

import polars as pl
from markupsafe import Markup

from hccresist.report import words
from hccresist.report.facts import Facts
from hccresist.report.patient import choose_patients, make_payload
from hccresist.report.render import chip, render


def build(facts: Facts) -> Markup:
    """Return the list of patients and, as JSON, what the page draws when one is opened."""
    chosen = choose_patients(facts)
    payload = make_payload(facts, chosen.ids)
    return render(
        "patients",
        rule=chosen.rule,
        entries=_entries(facts, chosen.ids),
        words=_words(facts),
        payload=escape_json(payload),
        absent=facts.why_absent("timepoints") if facts.table("timepoints") is None else "",
    )


def escape_json(value: object) -> Markup:
    """Return compact JSON that can stand inside a ``script`` element whatever it holds."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _words(facts: Facts) -> tuple[str, ...]:
    best = facts.table("best_response")
    return () if best is None else words.sort_responses(best["best"].to_list())


def _entries(facts: Facts, ids: tuple[str, ...]) -> tuple[dict[str, object], ...]:
    arms = dict(facts.arm_of.iter_rows())
    verdicts = _verdicts(facts, ids)
    return tuple(
        {
            "id": patient,
            "anchor": f"patient-{words.slug(patient)}",
            "arm": arms.get(patient) or "",
            "verdicts": verdicts.get(patient, ()),
        }
        for patient in ids
    )


def _verdicts(facts: Facts, ids: tuple[str, ...]) -> dict[str, list[Mapping[str, object]]]:
    best = facts.table("best_response")
    if best is None:
        return {}
    order = {(view.criterion, view.reader): i for i, view in enumerate(facts.views)}
    rows = best.filter(pl.col("patient_id").is_in(list(ids))).select(
        "patient_id", "criterion", "reader", "best"
    )
    found: dict[str, list[Mapping[str, object]]] = {}
    for patient, criterion, reader, word in sorted(
        rows.iter_rows(), key=lambda row: (row[0], order[row[1:3]])
    ):
        entry = {"criterion": criterion, "reader": reader, "word": word, "chip": chip(word)}
        found.setdefault(patient, []).append(entry)
    return found
