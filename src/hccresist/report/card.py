"""The card of each tumour: scores, alterations and matching evidence, as compact JSON rows.

What tumours share (names, gene sets, findings, sentences) is kept once and referred to by position.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from hccresist.report.facts import Facts
from hccresist.report.mechanism_names import count_samples, name_family, name_mechanism, sort_mechanisms
from hccresist.report.sections.mechanisms import TABLES, label_classification

MOST_FINDINGS: Final = 60
"""Findings on one card: those about a drug of the patient first, then by whether they count, and level."""

_RAW: Final = ("rank", "mcp_counter", "ssgsea", "gsva", "ulm", "mlm")
_PLACED: Final = {"reference_z": "z", "cohort_z": "z"}


@dataclass(slots=True)
class _Index:
    """Things once each, in the order in which they came."""

    places: dict[Any, int] = field(default_factory=dict[Any, int])

    def __call__(self, thing: Any) -> int:  # noqa: ANN401
        return self.places.setdefault(thing, len(self.places))


@dataclass(slots=True)
class _Shared:
    """What the cards refer to by position."""

    texts: _Index = field(default_factory=_Index)
    mechanisms: _Index = field(default_factory=_Index)
    genes: _Index = field(default_factory=_Index)
    findings: _Index = field(default_factory=_Index)


def make_cards(facts: Facts, ids: tuple[str, ...]) -> tuple[dict[str, Any] | None, dict[str, list[Any]]]:
    """Return what all cards share, and the cards of each patient, ready for JSON.

    Returns
    -------
    dict or None
        ``None`` where the study has nothing for cards. families; mechanisms [key, name, family]; sets [name,
        mechanism, genes, measured, flag]; refused [name, mechanism, reason]; genes [gene, mechanism];
        findings [record, mechanism, drug, effect, level, counted, source, words]; texts; method
        (of z); why (percentiles that are empty); flag (of every rank score); limits [mechanism, reason,
        instead].
    dict
        Patient to cards: ``id``, ``classes`` [classification, label, q], ``score``, ``z`` and
        ``percentile`` by position in sets, ``odd`` [set, measured %, reason] where this sample differs,
        ``altered`` and ``unsure`` [gene, change, rule, source], ``quiet`` and ``blind`` (genes not
        altered, not measured), ``found`` [finding, feature, 1 for, 1 same drug, words], ``more`` (left
        out), ``tally`` [1 for, 1 counted, 1 same drug, findings].
    """
    if all(facts.table(name) is None for name in TABLES):
        return None, {}
    shared = _Shared()
    cards: dict[tuple[str, str], dict[str, Any]] = {}
    for patient, sample in _samples(facts, ids):
        cards[(patient, sample)] = {"id": sample}
    scored = _add_scores(facts, shared, cards)
    _add_classes(facts, cards)
    _add_calls(facts, shared, cards)
    _add_findings(facts, shared, cards)
    by_patient: dict[str, list[Any]] = {}
    for (patient, _), card in cards.items():
        by_patient.setdefault(patient, []).append(card)
    return _finish(shared, scored), by_patient


def _samples(facts: Facts, ids: tuple[str, ...]) -> list[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for name in TABLES:
        frame = facts.table(name)
        if frame is not None:
            own = frame.filter(pl.col("patient_id").is_in(list(ids)))
            found |= set(own.select("patient_id", "sample_id").unique().iter_rows())
    return sorted(found)


def _rows(facts: Facts, name: str, cards: Mapping[tuple[str, str], Any]) -> pl.DataFrame | None:
    frame = facts.table(name)
    if frame is None:
        return None
    return frame.filter(pl.col("patient_id").is_in(list({patient for patient, _ in cards})))


# Scores --------------------------------------------------------------------------------------------


def _add_scores(facts: Facts, shared: _Shared, cards: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
    """Put the scores on the cards; return sets, refused sets and words that they share."""
    found = _rows(facts, "mechanism_scores", cards)
    if found is None:
        return {"sets": [], "refused": [], "method": "", "why": "", "flag": ""}
    scores = found.with_columns(pl.col("method").cast(pl.String))
    raw = _first_method(scores.filter(pl.col("method").is_in(_RAW)), _RAW)
    placed = _first_method(scores.filter(pl.col("method").is_in(list(_PLACED))), tuple(_PLACED))
    sizes = _sizes(facts)
    given = pl.concat([raw, placed]).filter(pl.col("score").is_not_null() | pl.col("z").is_not_null())
    order = {mechanism: at for at, mechanism in enumerate(sort_mechanisms(scores["mechanism_id"].to_list()))}
    sets = sorted(given.select("mechanism_id", "set").unique().iter_rows(), key=lambda p: (order[p[0]], p[1]))
    place = {pair: at for at, pair in enumerate(sets)}
    flags = _flags(given)
    ranked = (
        set(raw.filter(pl.col("method") == _RAW[0]).select("mechanism_id", "set").iter_rows()) & flags.keys()
    )
    common = set.intersection(*(flags[pair] for pair in ranked)) if ranked else set[str]()
    for (patient, sample), part in _by_sample(raw):
        _put_raw(cards[(patient, sample)], part, place, sizes)
    methods = placed["method"].unique().to_list()
    column = _PLACED[methods[0]] if methods else "z"
    for (patient, sample), part in _by_sample(placed):
        values = dict(
            zip(part.select("mechanism_id", "set").iter_rows(), part[column].to_list(), strict=True)
        )
        cards[(patient, sample)]["z"] = [_round(values.get(pair), 2) for pair in sets]
    empty = raw.filter(pl.col("score").is_not_null(), pl.col("percentile").is_null())["reason"].drop_nulls()
    return {
        "sets": [
            [
                name,
                shared.mechanisms(m),
                *sizes.get((m, name), (None, None)),
                "; ".join(sorted(flags[(m, name)] - common)),
            ]
            for m, name in sets
        ],
        "refused": _refused(raw, place, shared, sizes),
        "method": methods[0] if methods else "",
        "why": "; ".join(empty.unique().sort().to_list()),
        "flag": "; ".join(sorted(common)),
    }


def _first_method(scores: pl.DataFrame, order: tuple[str, ...]) -> pl.DataFrame:
    """Return one row a sample and set: that of the first method there is."""
    rank = pl.col("method").replace_strict({name: at for at, name in enumerate(order)}, return_dtype=pl.Int8)
    key = ("patient_id", "sample_id", "mechanism_id", "set")
    return scores.with_columns(rank=rank).sort(*key, "rank").unique(key, keep="first", maintain_order=True)


def _sizes(facts: Facts) -> dict[tuple[str, str], tuple[int, int]]:
    coverage = facts.table("coverage")
    if coverage is None:
        return {}
    rows = coverage.select("mechanism_id", "set", "genes", "found").iter_rows()
    return {(mechanism, name): (genes, found) for mechanism, name, genes, found in rows}


def _flags(given: pl.DataFrame) -> dict[tuple[str, str], set[str]]:
    rows = given.group_by("mechanism_id", "set").agg(pl.col("flag").drop_nulls().unique())
    return {
        (m, name): {part for flag in flags for part in flag.split("; ")}
        for m, name, flags in rows.iter_rows()
    }


def _put_raw(
    card: dict[str, Any], part: pl.DataFrame, place: Mapping[Any, int], sizes: Mapping[Any, tuple[int, int]]
) -> None:
    score: list[Any] = [None] * len(place)
    percentile: list[Any] = [None] * len(place)
    odd: list[Any] = []
    for row in part.iter_rows(named=True):
        pair = (row["mechanism_id"], row["set"])
        at = place.get(pair)
        if at is None:
            continue
        score[at], percentile[at] = _round(row["score"], 3), _round(row["percentile"], 0)
        genes, found = sizes.get(pair, (0, 0))
        if row["score"] is None or (genes and abs(row["coverage"] - found / genes) > 0.005):
            odd.append(
                [at, _round(100 * row["coverage"], 0), row["reason"] if row["score"] is None else None]
            )
    card["score"] = score
    card["odd"] = odd
    if any(value is not None for value in percentile):
        card["percentile"] = percentile


def _refused(
    raw: pl.DataFrame, place: Mapping[Any, int], shared: _Shared, sizes: Mapping[Any, tuple[int, int]]
) -> list[Any]:
    rows = raw.group_by("mechanism_id", "set").agg(pl.col("reason").drop_nulls().sort().first())
    out = [row for row in rows.sort("mechanism_id", "set").iter_rows() if row[:2] not in place]
    return [
        [name, shared.mechanisms(m), *sizes.get((m, name), (None, None)), shared.texts(why)]
        for m, name, why in out
    ]


def _by_sample(frame: pl.DataFrame) -> Iterable[tuple[tuple[str, str], pl.DataFrame]]:
    for (patient, sample), part in frame.group_by("patient_id", "sample_id", maintain_order=True):
        yield (str(patient), str(sample)), part


# Classes, alterations, evidence --------------------------------------------------------------------


def _add_classes(facts: Facts, cards: Mapping[tuple[str, str], Any]) -> None:
    frame = _rows(facts, "classes", cards)
    if frame is None:
        return
    for row in frame.sort("sample_id", "classification").iter_rows(named=True):
        card = cards[(row["patient_id"], row["sample_id"])]
        if row["p"] is not None:
            told = [label_classification(row["classification"]), row["label"], _round(row["q"], 3)]
            card.setdefault("classes", []).append(told)
        else:
            card["unclassed"] = card.get("unclassed", 0) + 1


def _add_calls(facts: Facts, shared: _Shared, cards: Mapping[tuple[str, str], Any]) -> None:
    calls = _rows(facts, "alteration_calls", cards)
    if calls is None:
        return
    owner = dict(calls.select("sample_id", "patient_id").unique().iter_rows())
    names = {"altered": "altered", "uncertain": "unsure", "not_altered": "quiet", "not_measured": "blind"}
    for row in count_samples(calls).iter_rows(named=True):
        card = cards[(owner[row["sample_id"]], row["sample_id"])]
        gene = shared.genes((row["gene"], shared.mechanisms(row["mechanism_id"])))
        told: Any = gene
        if row["call"] in {"altered", "uncertain"}:
            told = [gene, row["change"], shared.texts(row["rule"]), shared.texts(row["source"])]
        card.setdefault(names[row["call"]], []).append(told)


def _add_findings(facts: Facts, shared: _Shared, cards: Mapping[tuple[str, str], Any]) -> None:
    from hccresist.explain.evidence_tables import LEVELS  # noqa: PLC0415

    frame = _rows(facts, "evidence_matches", cards)
    if frame is None:
        return
    level = pl.col("level").replace_strict(
        {name: at for at, name in enumerate(LEVELS)}, default=len(LEVELS), return_dtype=pl.Int8
    )
    ranked = frame.sort(
        "patient_id",
        "sample_id",
        ~pl.col("same_drug"),
        ~pl.col("counted"),
        level,
        "record_id",
        "mechanism_id",
        "feature",
    )
    for (patient, sample), part in _by_sample(ranked):
        card = cards[(patient, sample)]
        card["found"] = [_finding(row, shared) for row in part.head(MOST_FINDINGS).iter_rows(named=True)]
        if part.height > MOST_FINDINGS:
            card["more"] = part.height - MOST_FINDINGS
        counts = part.group_by("stance", "counted", "same_drug").len()
        card["tally"] = sorted(
            [int(stance == "for"), int(counted), int(same), n]
            for stance, counted, same, n in counts.iter_rows()
        )


def _finding(row: Mapping[str, Any], shared: _Shared) -> list[Any]:
    finding = (
        row["record_id"],
        shared.mechanisms(row["mechanism_id"]),
        row["drug"],
        row["effect"].replace("_", " "),
        row["level"].replace("_", " "),
        int(row["counted"]),
        row["source"],
        row["finding"],
    )
    place = shared.findings(finding)
    stance = int(row["stance"] == "for")
    return [place, shared.texts(row["feature"]), stance, int(row["same_drug"]), shared.texts(row["reason"])]


def _finish(shared: _Shared, scored: Mapping[str, Any]) -> dict[str, Any]:
    from hccresist.explain.signatures import read_not_measurable  # noqa: PLC0415

    limits = [
        [shared.mechanisms(m), reason, instead]
        for m, reason, instead in read_not_measurable()
        .select("mechanism_id", "reason", "instead")
        .iter_rows()
    ]
    keys = list(shared.mechanisms.places)
    rank = {mechanism: at for at, mechanism in enumerate(sort_mechanisms(keys))}
    families = list(dict.fromkeys(name_family(mechanism) for mechanism in rank))
    return {
        "families": families,
        "mechanisms": [
            [key, name_mechanism(key), families.index(name_family(key)), rank[key]] for key in keys
        ],
        **scored,
        "genes": [list(gene) for gene in shared.genes.places],
        "findings": [list(finding) for finding in shared.findings.places],
        "texts": list(shared.texts.places),
        "limits": limits,
    }


def _round(value: float | None, digits: int) -> float | int | None:
    if value is None or value != value:  # noqa: PLR0124  (NaN)
        return None
    rounded = round(value, digits)
    return int(rounded) if rounded == int(rounded) else rounded
