"""Everything that the page shows of one patient, as compact JSON rows.

The rows are those of the result tables, numbers rounded to four decimals; response words and rule
identifiers are kept once and referred to by position.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from hccresist.report import words
from hccresist.report.card import make_cards
from hccresist.report.facts import Facts
from hccresist.report.outlooks import list_resistance, make_outlooks
from hccresist.report.plans import make_plans

MAX_PATIENTS: Final = 2000
MAX_ROWS: Final = 60_000

_NAMES: Final = {
    "age_years": "Age",
    "bclc": "BCLC",
    "ecog": "ECOG",
    "child_pugh_score": "Child-Pugh score",
    "vascular_invasion": "Vascular invasion",
    "extrahepatic_spread": "Extrahepatic spread",
    "aetiology": "Aetiology",
}
_UNITS: Final = {"age_years": " years"}
_MAX_FACTS: Final = 24
_VIEW_KEY: Final = ("criterion", "reader")
_VISIT_KEY: Final = (*_VIEW_KEY, "day")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Patients who are shown, and the rule by which they were chosen (empty: all of them)."""

    ids: tuple[str, ...]
    rule: str


@dataclass(slots=True)
class _Lexicon:
    """Words once each, in the order in which they came."""

    positions: dict[str, int] = field(default_factory=dict[str, int])

    def __call__(self, word: str | None) -> int | None:
        return None if word is None else self.positions.setdefault(word, len(self.positions))


def choose_patients(facts: Facts, *, max_patients: int = MAX_PATIENTS, max_rows: int = MAX_ROWS) -> Chosen:
    """Return the patients to show: by identifier, until either limit is reached.

    Parameters
    ----------
    facts
        What the report is made from.
    max_patients
        Patients shown at most.
    max_rows
        Rows of ``timepoints`` shown at most, over all patients shown.
    """
    ids = facts.study.patients.select(pl.col("patient_id").sort())
    visits = facts.table("timepoints")
    if visits is None:
        counted = ids.with_columns(rows=pl.lit(0))
    else:
        sizes = visits.group_by("patient_id").agg(rows=pl.len().cast(pl.Int64))
        counted = ids.join(sizes, on="patient_id", how="left").with_columns(pl.col("rows").fill_null(0))
    counted = counted.sort("patient_id").with_columns(total=pl.col("rows").cum_sum())
    kept = counted.head(max_patients).filter(pl.col("total") <= max_rows)
    if kept.height == counted.height:
        return Chosen(tuple(ids["patient_id"].to_list()), "")
    return Chosen(
        tuple(kept["patient_id"].to_list()),
        f"The first {words.count(kept.height)} of {words.plural(counted.height, 'patient')} by identifier "
        f"are shown: the page holds at most {words.count(max_patients)} patients and {words.count(max_rows)} "
        "visit rows. Every patient is in the result tables.",
    )


def make_payload(facts: Facts, ids: tuple[str, ...]) -> dict[str, Any]:
    """Return what the page's script needs to draw the patients, ready for JSON.

    Returns
    -------
    dict
        views: ``[criterion, reader, label, unit]``; words: response words and rules; tones: colour of each
        word; patients: one record each with ``id``, ``facts``, ``drugs`` [line, drug, start, end,
        reason], ``procedures`` [day, kind, lesion], ``end`` [day, died], ``base`` [view, day, sum,
        note], ``best`` [view, best, confirmed, best day, response day, progression day] and
        ``visits`` [view, day, overall, target, non-target, new lesion, sum, new sum, % from baseline,
        % from nadir, rule, reason]. Where the study has omics: omics (what `make_cards` says is shared),
        and ``cards`` of the patients who have any. Where it has strategies: plans (what `make_plans` says is
        shared), and ``plan`` of the patients who have one; with twins: outlooks (what `make_outlooks` says is
        shared), and ``twin`` of each patient. ``resist`` [class, drugs, day, criterion, reason] where it is
        known.
    """
    lexicon = _Lexicon()
    view_of = {(view.criterion, view.reader): i for i, view in enumerate(facts.views)}
    visits = _group(_rows(facts.tables.get("timepoints"), ids, *_VISIT_KEY), _visit(view_of, lexicon))
    best = _group(_rows(facts.tables.get("best_response"), ids, *_VIEW_KEY), _best(view_of, lexicon))
    base = _group(
        (row for row in _rows(facts.tables.get("baselines"), ids, *_VIEW_KEY) if _key(row) in view_of),
        _base(view_of),
    )
    drugs = _group(_rows(facts.study.table("treatments"), ids, "start_day", "line", "drug"), _drug)
    procedures = _group(_rows(facts.study.table("procedures"), ids, "day", "kind"), _procedure)
    ends = _group(_rows(facts.study.table("survival"), ids), _end)
    people = _group(_rows(facts.study.patients, ids), _facts_of)
    omics, cards = make_cards(facts, ids)
    shared, plans = make_plans(facts, ids)
    ahead, twins = make_outlooks(facts, ids)
    resist = list_resistance(facts, ids)
    patients = [
        {
            "id": patient,
            "facts": people.get(patient, [[]])[0],
            "drugs": drugs.get(patient, []),
            "procedures": procedures.get(patient, []),
            "end": ends.get(patient, [None])[0],
            "base": base.get(patient, []),
            "best": best.get(patient, []),
            "visits": visits.get(patient, []),
        }
        | {
            name: found[patient]
            for name, found in (("cards", cards), ("plan", plans), ("twin", twins), ("resist", resist))
            if patient in found
        }
        for patient in ids
    ]
    return {
        "views": [
            [v.criterion, v.reader, words.label_criterion(v.criterion), facts.unit(v.criterion)]
            for v in facts.views
        ],
        "words": list(lexicon.positions),
        "tones": {word: words.response_tone(word) for word in lexicon.positions if word in words.TONE_OF},
        "patients": patients,
    } | {
        name: found
        for name, found in (("omics", omics), ("plans", shared), ("outlooks", ahead))
        if found is not None
    }


def _rows(frame: pl.DataFrame | None, ids: tuple[str, ...], *order: str) -> Iterator[dict[str, Any]]:
    if frame is None:
        return iter(())
    kept = frame.filter(pl.col("patient_id").is_in(list(ids)))
    return kept.sort("patient_id", *order, maintain_order=True).iter_rows(named=True)


def _group(rows: Iterable[dict[str, Any]], make: Any) -> dict[str, list[Any]]:  # noqa: ANN401
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row["patient_id"], []).append(make(row))
    return found


def _visit(view_of: dict[tuple[str, str], int], lexicon: _Lexicon) -> Any:  # noqa: ANN401
    numbers = ("sum_mm", "new_target_sum_mm", "change_from_baseline_percent", "change_from_nadir_percent")

    def make(row: dict[str, Any]) -> list[Any]:
        new = row["new_lesion"]
        return [
            view_of[_key(row)],
            _num(row["day"]),
            *(lexicon(row[name]) for name in ("overall", "target", "nontarget")),
            None if new is None else int(new),
            *(_num(row[name]) for name in numbers),
            lexicon(row["rule"]),
            row["reason"],
        ]

    return make


def _best(view_of: dict[tuple[str, str], int], lexicon: _Lexicon) -> Any:  # noqa: ANN401
    def make(row: dict[str, Any]) -> list[Any]:
        return [
            view_of[_key(row)],
            lexicon(row["best"]),
            lexicon(row["best_confirmed"]),
            *(_num(row[name]) for name in ("best_day", "first_response_day", "progression_day")),
        ]

    return make


def _base(view_of: dict[tuple[str, str], int]) -> Any:  # noqa: ANN401
    def make(row: dict[str, Any]) -> list[Any]:
        view = view_of[_key(row)]
        return [view, _num(row["day"]), _num(row["baseline_mm"]), row["reason"]]

    return make


def _key(row: dict[str, Any]) -> tuple[str, str]:
    return (row["criterion"], row["reader"])


def _drug(row: dict[str, Any]) -> list[Any]:
    return [row["line"], row["drug"], _num(row["start_day"]), _num(row["end_day"]), row["end_reason"]]


def _procedure(row: dict[str, Any]) -> list[Any]:
    return [_num(row["day"]), row["kind"], row["lesion_id"]]


def _end(row: dict[str, Any]) -> list[Any] | None:
    day = row["os_days"] if row["os_days"] is not None else row["last_alive_day"]
    return None if day is None else [_num(day), bool(row["died"])]


def _facts_of(row: dict[str, Any]) -> list[list[str]]:
    found = [
        [_NAMES.get(name, name.replace("_", " ").capitalize()), _text(value) + _UNITS.get(name, "")]
        for name, value in row.items()
        if name != "patient_id" and value is not None
    ]
    more = len(found) - _MAX_FACTS
    return [*found[:_MAX_FACTS], ["Further columns", str(more)]] if more > 0 else found


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return words.plain(value) if isinstance(value, float) else str(value)


def _num(value: float | None) -> float | int | None:
    if value is None or value != value:  # noqa: PLR0124  (NaN)
        return None
    rounded = round(value, 4)
    return int(rounded) if rounded == int(rounded) else rounded
