"""How a finding is read: whether it counts, and whether it speaks for resistance or for response.

1. *Status.* `retracted` if any finding of its source is marked retracted, withdrawn or under an
   expression of concern; else `verified` if the curator read the finding itself and saw an identifier;
   else `title_only` or `unverified`. Only verified findings count; the others are shown beside them.
2. *State.* The alteration is read as more (up, high, active, amplified, present …) or less (down, lost,
   inhibited …) of the entity; as a *change* on treatment; as a *form* (mutation, genotype) or a *state*
   without a direction; inhibited, blocked, added, combined … is something *done*.
3. *Kind.* `regimen`: the effect is `improves_outcome`, or something was done in patients: it says that a
   treatment helped or did not, and nothing about the entity's part in resistance. `prognosis`: no drug
   effect. `other`: response patterns and unclear findings. Everything else is `response`.
4. *Side.* `adverse`: more of the entity (or its form, or its rise) goes with resistance; `favourable`:
   it goes with response. Less of it turns the side round: loss that brings resistance is favourable to
   the entity. `reverses_resistance` is read as sensitivity where something was done to the entity, and
   as resistance where its state is that of the resistant model. `none`: no effect. A regimen is
   favourable where it helped. A prognosis has a side only where the curator gave its direction.
   The opposite of an entity (`synonyms.csv`) turns the side round once more.

How findings become claims stands in `claims`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from hccresist.explain.evidence_tables import CIVIC_LEVELS, REFUSED
from hccresist.explain.names import Entity, NameIndex

Side = Literal["adverse", "favourable", "none", ""]
Direction = Literal["more", "less", ""]

KINDS: Final = ("response", "regimen", "prognosis", "other")
"""What sort of statement a finding makes."""

_PATIENTS: Final = frozenset({"clinical_trial", "patient_cohort", "case_report"})
_OPPOSITE: Final[Mapping[str, Side]] = {
    "adverse": "favourable",
    "favourable": "adverse",
    "none": "none",
    "": "",
}


def _words(*stems: str) -> re.Pattern[str]:
    return re.compile(r"(?<![a-z])(?:" + "|".join(stems) + ")", re.IGNORECASE)


_LOSS_OF_FUNCTION: Final = _words(r"loss[- ]of[- ]function")
_CHANGE_UP: Final = _words(r"rise\b", r"rising\b", r"increased? (?:on|during|after|within|by week)")
_CHANGE_DOWN: Final = _words(
    r"fall(?:ing)?\b", r"drop\b", r"declin", r"decreased? (?:on|during|after|within|by week)"
)
_FORM: Final = _words(
    "mutat", "variant", "genotype", "polymorphism", "fusion", "mislocal", "relocal", "transloc", "alteration",
    "rearrange", "hypermethyl", "hypomethyl", "methylat", "splice", "isoform",
    "homozyg", "heterozyg", "allele",
)  # fmt: skip
_GENOTYPE: Final = re.compile(r"(?<![A-Za-z])[ACGT]{2}(?![A-Za-z])")
_CLAUSES: Final = re.compile(r"[,;]| and ")
_DONE_LESS: Final = _words(
    "inhibit", "block", "knock", "silenc", "antagon", "neutrali", "target", "degraded by", "ablat",
)  # fmt: skip
_DONE_MORE: Final = _words(
    "added", "combin", "given", "restor", "second line", "switch", "supplement", "re-?express", "treated",
    "administ", "forced", "ectopic",
)  # fmt: skip
_LESS: Final = _words(
    "down", "low", "loss", "lost", "lack", "absen", "negativ", "decreas", "reduc", "deplet", "deficien",
    "delet", "suppress", "inactiv", "deactiv", "impair", "silent", "fewer", "less",
)  # fmt: skip
_MORE: Final = _words(
    "up", "high", "activ", "amplif", "gain", "presen", "positiv", "over", "elevat", "increas", "raised",
    "enrich", "induc", "stabili", "accumul", "acquired", "copy number gain", "phosphorylat", "secret",
    "express", "abundan", "more",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class State:
    """How the alteration of a finding is read.

    Attributes
    ----------
    aspect
        ``amount``, ``change`` (on treatment), ``form: …`` or ``state: …`` (without a direction).
    direction
        More or less of the entity; empty for a form and where none is stated.
    done
        Something was done to the entity, or with it.
    """

    aspect: str
    direction: Direction
    done: bool = False


def read_alteration(alteration: str, entity_type: str) -> State:
    """Read the alteration of a finding: aspect, direction, and whether something was done.

    Examples
    --------
    >>> read_alteration("rise on treatment", "circulating_marker")
    State(aspect='change', direction='more', done=False)
    >>> read_alteration("mutation (ctDNA)", "gene")
    State(aspect='form: mutation', direction='', done=False)
    """
    if entity_type in {"intervention", "drug"}:
        return State("amount", "more", done=True)
    text = alteration.strip()
    if _LOSS_OF_FUNCTION.search(text):
        return State("amount", "less")
    for pattern, change in ((_CHANGE_UP, State("change", "more")), (_CHANGE_DOWN, State("change", "less"))):
        if pattern.search(text):
            return change
    if _FORM.match(text) or _GENOTYPE.search(text) or (_FORM.search(text) and not _MORE.match(text)):
        return State(f"form: {_name_form(text)}", "")
    said = _read_amount(text)
    clauses = {_read_amount(clause) for clause in _CLAUSES.split(re.sub(r"\(.*?\)", "", text))} - {None}
    if said is None or len({clause.direction for clause in clauses if clause}) > 1:
        return State(f"state: {_name_form(text)}", "")
    return said


def _read_amount(text: str) -> State | None:
    """Return whether a text says more or less; none where it says neither."""
    for pattern, state in (
        (_DONE_LESS, State("amount", "less", done=True)),
        (_DONE_MORE, State("amount", "more", done=True)),
        (_LESS, State("amount", "less")),
        (_MORE, State("amount", "more")),
    ):
        if pattern.search(text):
            return state
    return None


def _name_form(text: str) -> str:
    if "mutat" in text.lower():
        return "mutation"
    return re.sub(r"\s*\(.*?\)", "", text).strip().lower() or "not stated"


def find_kind(effect: str, state: State, level: str) -> str:
    """Return what sort of statement a finding makes, one of `KINDS`."""
    if effect == "prognosis":
        return "prognosis"
    if effect in {"response_pattern", "unclear"}:
        return "other"
    if effect == "improves_outcome" or (state.done and level in _PATIENTS):
        return "regimen"
    return "response"


def find_side(effect: str, kind: str, state: State, *, prognosis: str | None = None) -> Side:
    """Return on which side of its entity a finding stands.

    Examples
    --------
    >>> find_side("resistance", "response", read_alteration("loss", "gene"))
    'favourable'
    >>> find_side("sensitivity", "response", read_alteration("inhibited", "gene"))
    'adverse'
    """
    if kind == "other":
        return ""
    if effect == "no_effect":
        return "none"
    if kind == "regimen":
        return "adverse" if effect == "resistance" else "favourable"
    with_state: Side = "favourable"
    if kind == "prognosis":
        if prognosis is None:
            return ""
        with_state = "adverse" if prognosis == "worse" else "favourable"
    elif effect == "resistance" or (effect == "reverses_resistance" and not state.done):
        with_state = "adverse"
    return _OPPOSITE[with_state] if state.direction == "less" else with_state


@dataclass(frozen=True, slots=True)
class Mark:
    """What is computed of a finding.

    Attributes
    ----------
    record_id
        The finding.
    source_id
        Its source: one identifier for all names of a publication.
    status, counted
        Verified, unverified, title only or retracted; only verified ones count.
    civic_level
        Level of CIViC, derived from ours.
    entity
        Label, subject and members of the entity.
    drugs
        Drugs by the names under which they are counted, sorted.
    kind, aspect, direction, side
        How it is read; see the module.
    """

    record_id: str
    source_id: str
    status: str
    counted: bool
    civic_level: str
    entity: Entity
    drugs: tuple[str, ...]
    kind: str
    aspect: str
    direction: Direction
    side: Side


def find_status(row: Mapping[str, object], *, refused: bool) -> str:
    """Return the status of a finding, one of `STATUSES`."""
    if refused or row["publication_status"] in REFUSED:
        return "retracted"
    if row["verified"] is True:
        return "verified"
    return "title_only" if row["basis"] == "title_only" else "unverified"


def mark_finding(row: Mapping[str, object], names: NameIndex, *, source_id: str, refused: bool) -> Mark:
    """Read one finding: status, entity, drugs, kind, aspect and side."""
    entity = names.read_entity(str(row["entity"]), str(row["entity_type"]))
    state = read_alteration(str(row["alteration"]), str(row["entity_type"]))
    effect, level = str(row["effect"]), str(row["evidence_level"])
    if effect == "no_effect" and state.aspect.startswith("state"):
        state = State("amount", "", done=state.done)
    kind = find_kind(effect, state, level)
    prognosis = row["prognosis_direction"]
    side = find_side(effect, kind, state, prognosis=None if prognosis is None else str(prognosis))
    status = find_status(row, refused=refused)
    return Mark(
        record_id=str(row["record_id"]),
        source_id=source_id,
        status=status,
        counted=status == "verified",
        civic_level=CIVIC_LEVELS[level],
        entity=entity,
        drugs=tuple(sorted(names.split_drugs(str(row["drug"])))),
        kind=kind,
        aspect=state.aspect if kind != "regimen" else "amount",
        direction=state.direction,
        side=_OPPOSITE[side] if entity.flipped and kind != "regimen" else side,
    )
