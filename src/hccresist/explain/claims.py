"""Claims: what the findings say together, for and against, and where they contradict each other.

How a single finding is read stands in `stance`. A claim is one entity, drug (or set of drugs),
mechanism, kind and aspect (amount, change, or which form).

- Its *leading side* is that with more independent sources that count, then with the better level, then
  with more sources that do not count, then adverse. It has none where every source saw no effect.
- Sources on the leading side are *for*; sources on the other side, and sources that saw no effect, are
  *against*. Where no side leads, those that saw no effect are against and nothing is for.
- One source counts once in a claim. A source that speaks on several sides of it is *mixed* and counts on
  none. Sources of which no finding counts are shown apart.
- Nothing is averaged.

A claim is contested

1. within itself (`claim`): a source is against it;
2. by the same subject with the same or an overlapping drug (a shared drug, or a class label and its
   member), under another mechanism or name of that subject (`drug`): the other side, or no effect;
3. by the same subject with another drug (`entity`): the other side;
4. by a prognosis of the same subject on the other side (`prognosis`); it may be another question.

A claim that there is no effect is contested by either side under 2, and by nothing else.

Only findings of one aspect are held against each other. Response and prognosis are compared; regimens
only with the same regimen. `contested` is `yes` where sources that count stand on both sides, and
`unverified` where at least one side rests on sources that do not count. `scope` is the nearest of the
above for that strength.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import dataframely as dy
import polars as pl

from hccresist.explain.evidence_tables import CIVIC_LEVELS, LEVELS
from hccresist.explain.stance import KINDS, Mark, Side

SCOPES: Final = ("claim", "drug", "entity", "prognosis")
"""Where a contradiction lies, the nearest first."""

CONTESTED: Final = ("no", "unverified", "yes")
"""Whether a claim is contested, and by findings that count."""

SIDES: Final[tuple[Side, ...]] = ("adverse", "favourable", "none", "")


class Claims(dy.Schema):
    """One row a claim: entity, drug, mechanism, kind and aspect, with its sources for and against."""

    entity = dy.String(primary_key=True, description="entity as it is counted")
    drug = dy.String(primary_key=True, description="drug or drugs, as recorded")
    mechanism_id = dy.String(primary_key=True, description="mechanism")
    kind = dy.Enum(KINDS, primary_key=True, description="response, regimen, prognosis or other")
    aspect = dy.String(primary_key=True, description="amount, change, or which form or state")
    subject = dy.String(description="what it is about; claims of one subject are compared")
    statement = dy.String(description="the claim in words")
    side = dy.String(description="leading side: adverse, favourable, none, or empty")
    for_sources = dy.Int64(min=0, description="independent sources for it that count")
    against_sources = dy.Int64(min=0, description="independent sources against it that count")
    mixed_sources = dy.Int64(min=0, description="sources that count and speak on several sides")
    neutral_sources = dy.Int64(min=0, description="sources that count and take no side")
    uncounted_for = dy.Int64(min=0, description="further sources for it that do not count")
    uncounted_against = dy.Int64(min=0, description="further sources against it that do not count")
    retracted_sources = dy.Int64(min=0, description="retracted sources, refused")
    findings = dy.Int64(min=1, description="findings, whatever their status")
    best_level = dy.String(nullable=True, description="best level of a finding for it that counts")
    civic_level = dy.String(nullable=True, description="the same as a level of CIViC, derived by us")
    contested = dy.Enum(CONTESTED, description="no, unverified, or yes")
    scope = dy.Enum(SCOPES, nullable=True, description="where the contradiction lies")
    reversed_by = dy.List(dy.String(), description="what restored response, in findings for it that count")
    sources = dy.List(dy.String(), description="sources, those that count first")
    records = dy.List(dy.String(), description="its findings, whatever their status or side")
    for_records = dy.List(dy.String(), description="findings for it, whatever their status")
    against_records = dy.List(dy.String(), description="findings against it, whatever their status")
    contested_by = dy.List(dy.String(), description="findings of other claims that contradict it")


@dataclass(frozen=True, slots=True)
class _Voice:
    """What one source says in a claim: its sides, and whether any of its findings counts."""

    source: str
    sides: frozenset[Side]
    counted: bool
    level: int


@dataclass(frozen=True, slots=True)
class _Claim:
    key: tuple[str, frozenset[str], str, str, str]
    marks: tuple[Mark, ...]
    voices: tuple[_Voice, ...]
    side: Side

    @property
    def subject(self) -> str:
        return self.marks[0].entity.subject


def build_claims(
    findings: Sequence[Mapping[str, object]],
    marks: Sequence[Mark],
    classes: Mapping[str, frozenset[str]],
) -> pl.DataFrame:
    """Return the claims of a base, sorted by key.

    Parameters
    ----------
    findings
        Rows of `evidence.csv`.
    marks
        What was computed of each, in the same order.
    classes
        Drug to the class labels that cover it.
    """
    rows = {str(row["record_id"]): row for row in findings}
    grouped: dict[tuple[str, frozenset[str], str, str, str], list[Mark]] = defaultdict(list)
    for mark in sorted(marks, key=lambda mark: mark.record_id):
        row = rows[mark.record_id]
        mechanism = str(row["mechanism_id"])
        grouped[mark.entity.label, frozenset(mark.drugs), mechanism, mark.kind, mark.aspect].append(mark)
    claims = [_make_claim(key, group, rows) for key, group in grouped.items()]
    by_subject: dict[str, list[_Claim]] = defaultdict(list)
    for claim in claims:
        by_subject[claim.subject].append(claim)
    out = [_describe(claim, by_subject[claim.subject], rows, classes) for claim in claims]
    schema = {name: column.dtype for name, column in Claims.columns().items()}
    key = ["entity", "drug", "mechanism_id", "kind", "aspect"]
    return pl.DataFrame(out, schema=schema, orient="row").sort(*(pl.col(k).cast(pl.String) for k in key))


def _make_claim(
    key: tuple[str, frozenset[str], str, str, str],
    marks: Sequence[Mark],
    rows: Mapping[str, Mapping[str, object]],
) -> _Claim:
    voices = tuple(_hear(source, group, rows) for source, group in _by_source(marks).items())
    return _Claim(key, tuple(marks), voices, _lead(voices))


def _by_source(marks: Iterable[Mark]) -> dict[str, list[Mark]]:
    found: dict[str, list[Mark]] = defaultdict(list)
    for mark in marks:
        if mark.status != "retracted":
            found[mark.source_id].append(mark)
    return dict(sorted(found.items()))


def _hear(source: str, marks: Sequence[Mark], rows: Mapping[str, Mapping[str, object]]) -> _Voice:
    """Return what a source says; what counts of it drowns what does not."""
    counted = [mark for mark in marks if mark.counted]
    heard = counted or marks
    level = min(LEVELS.index(str(rows[mark.record_id]["evidence_level"])) for mark in heard)
    return _Voice(source, frozenset(mark.side for mark in heard if mark.side), bool(counted), level)


def _lead(voices: Sequence[_Voice]) -> Side:
    """Return the leading side of a claim."""

    def weigh(side: Side) -> tuple[int, int, int, bool]:
        own = [voice for voice in voices if voice.sides == frozenset((side,))]
        counted = [voice for voice in own if voice.counted]
        best = max((len(LEVELS) - voice.level for voice in counted), default=0)
        return len(counted), best, len(own) - len(counted), side == "adverse"

    said = frozenset[Side]().union(*(voice.sides for voice in voices))
    sides: list[Side] = [side for side in ("adverse", "favourable") if side in said]
    if sides:
        return max(sides, key=weigh)
    return "none" if "none" in said else ""


def _stand(voices: Iterable[_Voice], sides: frozenset[Side], *, counted: bool) -> int:
    return sum(len(v.sides) == 1 and v.sides <= sides and v.counted is counted for v in voices)


def _describe(
    claim: _Claim,
    others: Sequence[_Claim],
    rows: Mapping[str, Mapping[str, object]],
    classes: Mapping[str, frozenset[str]],
) -> dict[str, object]:
    label, _, mechanism, kind, aspect = claim.key
    pro: frozenset[Side] = frozenset({claim.side} if claim.side in {"adverse", "favourable"} else ())
    contra: frozenset[Side] = frozenset(side for side in SIDES if side and side not in pro)
    for_marks = [mark for mark in claim.marks if mark.side in pro and mark.status != "retracted"]
    against = [mark for mark in claim.marks if mark.side in contra and mark.status != "retracted"]
    contested, scope, opponents = _contest(claim, others, classes)
    best = min((v.level for v in claim.voices if v.counted and v.sides == pro), default=None)
    drug = min(str(rows[mark.record_id]["drug"]) for mark in claim.marks)
    return {
        "entity": label,
        "drug": drug,
        "mechanism_id": mechanism,
        "kind": kind,
        "aspect": aspect,
        "subject": claim.subject,
        "statement": _say(claim, drug, [rows[mark.record_id] for mark in for_marks]),
        "side": claim.side,
        "for_sources": _stand(claim.voices, pro, counted=True),
        "against_sources": _stand(claim.voices, contra, counted=True),
        "mixed_sources": sum(len(v.sides) > 1 and v.counted for v in claim.voices),
        "neutral_sources": sum(not v.sides and v.counted for v in claim.voices),
        "uncounted_for": _stand(claim.voices, pro, counted=False),
        "uncounted_against": _stand(claim.voices, contra, counted=False),
        "retracted_sources": len({m.source_id for m in claim.marks if m.status == "retracted"}),
        "findings": len(claim.marks),
        "best_level": None if best is None else LEVELS[best],
        "civic_level": None if best is None else CIVIC_LEVELS[LEVELS[best]],
        "contested": contested,
        "scope": scope,
        "reversed_by": _list_reversals(for_marks, rows),
        "sources": [v.source for v in sorted(claim.voices, key=lambda v: (not v.counted, v.source))],
        "records": [mark.record_id for mark in claim.marks],
        "for_records": [mark.record_id for mark in for_marks],
        "against_records": [mark.record_id for mark in against],
        "contested_by": opponents,
    }


def _list_reversals(marks: Iterable[Mark], rows: Mapping[str, Mapping[str, object]]) -> list[str]:
    found = (str(rows[mark.record_id]["strategy"] or "") for mark in marks if mark.counted)
    return sorted({text for text in found if text})


def _contest(
    claim: _Claim, others: Sequence[_Claim], classes: Mapping[str, frozenset[str]]
) -> tuple[str, str | None, list[str]]:
    """Return how far a claim is contested, where, and by which findings of other claims."""
    if not claim.side:
        return "no", None, []
    own_counts = any(v.counted and claim.side in v.sides for v in claim.voices)
    found: list[tuple[bool, int]] = []
    opponents: set[str] = set()
    for other in others:
        place, sides = _compare(claim, other, classes)
        hits = [m for m in other.marks if m.side in sides and m.status != "retracted"]
        if not hits:
            continue
        found.append((own_counts and any(mark.counted for mark in hits), SCOPES.index(place)))
        if other is not claim:
            opponents.update(mark.record_id for mark in hits)
    if not found:
        return "no", None, []
    strong = any(counted for counted, _ in found)
    scope = SCOPES[min(at for counted, at in found if counted is strong)]
    return "yes" if strong else "unverified", scope, sorted(opponents)


def _compare(
    claim: _Claim, other: _Claim, classes: Mapping[str, frozenset[str]]
) -> tuple[str, frozenset[Side]]:
    """Return where another claim of the subject may contradict this one, and with which sides."""
    opposite: Side = "favourable" if claim.side == "adverse" else "adverse"
    both: frozenset[Side] = frozenset({opposite, "none"})
    if claim.side == "none":
        both = frozenset({"adverse", "favourable"})
    if other is claim:
        return "claim", both
    kind, other_kind = claim.key[3], other.key[3]
    alike = claim.key[4] == other.key[4] and "other" not in {kind, other_kind}
    if not alike or (kind == "regimen") != (other_kind == "regimen"):
        return "entity", frozenset()
    mine: frozenset[Side] = frozenset() if claim.side == "none" else frozenset({opposite})
    if "prognosis" in {kind, other_kind} and kind != other_kind:
        return "prognosis", mine
    if kind == "regimen":
        # With other drugs it is another treatment, which contradicts nothing.
        return "drug", both if claim.key[1] == other.key[1] else frozenset()
    overlap = _overlap(claim.key[1], other.key[1], classes)
    return ("drug", both) if overlap else ("entity", mine)


def _overlap(one: frozenset[str], two: frozenset[str], classes: Mapping[str, frozenset[str]]) -> bool:
    """Return whether two sets of drugs share one, or one holds a class label that covers the other's."""
    if one == two or one & two:
        return True
    return any(b in classes.get(a, ()) or a in classes.get(b, ()) for a in one for b in two)


def _say(claim: _Claim, drug: str, rows: Sequence[Mapping[str, object]]) -> str:
    """Return a claim in words, with the entity in the state in which most findings for it have it."""
    label, drugs, _, kind, aspect = claim.key
    if not claim.voices:
        return f"{label}: retracted, refused as support" + (f" ({drug})" if drugs else "")
    if kind == "regimen":
        name = f"{label} inhibited" if _mostly_less(claim.marks) else label
        return f"{name} with {drug}: {_REGIMEN[claim.side]}"
    joint = {"response": " to ", "prognosis": " on "}.get(kind, ", ")
    end = f"{joint}{drug}" if drugs else ""
    form = aspect.partition(": ")[2]
    if claim.side not in {"adverse", "favourable"}:
        what = f"{label} ({form})" if form else label
        return f"{what}: {_NO_SIDE[kind, claim.side]}{end}"
    own = [mark for mark in claim.marks if mark.side == claim.side]
    less = _mostly_less(own)
    flipped = claim.marks[0].entity.flipped
    bad = (claim.side == "adverse") != (less != flipped)
    what = f"{label} ({form})" if form else _name_state(label, aspect, rows, less=less)
    return f"{what} → {_END[kind, bad]}{end}"


def _mostly_less(marks: Sequence[Mark]) -> bool:
    """Return whether most sources have less of the entity; rows of one source weigh as one."""
    less = {mark.source_id for mark in marks if mark.direction == "less"}
    return len(less) * 2 > len({mark.source_id for mark in marks})


def _name_state(label: str, aspect: str, rows: Sequence[Mapping[str, object]], *, less: bool) -> str:
    if aspect == "change":
        return f"{'fall' if less else 'rise'} of {label}"
    words = {str(row["alteration"]).split(" ", maxsplit=1)[0] for row in rows}
    if words <= {"present", "positive"}:
        return label
    if words <= {"high", "low"}:
        return f"{'low' if less else 'high'} {label}"
    return f"{'less' if less else 'more'} {label}"


_END: Final[Mapping[tuple[str, bool], str]] = {
    ("response", True): "resistance",
    ("response", False): "response",
    ("prognosis", True): "worse prognosis",
    ("prognosis", False): "better prognosis",
}
_NO_SIDE: Final[Mapping[tuple[str, str], str]] = {
    ("response", "none"): "no effect on response",
    ("response", ""): "no direction given for response",
    ("prognosis", "none"): "no effect on prognosis",
    ("prognosis", ""): "prognosis without a direction",
    ("other", ""): "described, no direction",
}
_REGIMEN: Final[Mapping[str, str]] = {
    "favourable": "better outcome",
    "adverse": "worse outcome",
    "none": "no gain seen",
    "": "result not stated",
}
