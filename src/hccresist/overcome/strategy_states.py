"""What is on in each tumour, from the tables of *explain*: gene sets, genes and alterations.

A mechanism is on where the median z of its gene sets lies at least one standard deviation on the side that
means resistance (`data/overcome/mechanism_signs.csv`; high where nothing stands there), or where a gene of
it is altered. A gene stands out where `evidence_matches` says so: genes of which the base has no finding on
response are not seen. The strength of a sign is from 0 to 1: the z over three, at most 1, and less where
the cohort is its own reference; an alteration has 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import polars as pl

from hccresist.explain.matching import STANDS_OUT, alteration_states
from hccresist.overcome.strategy_score import read_weights
from hccresist.overcome.strategy_table import read_rows

TABLES: Final = ("mechanism_scores", "alteration_calls", "evidence_matches")
"""Tables of *explain* of which one is needed."""

_REFERENCE: Final = "reference_z"
_COHORT: Final = "cohort_z"
_DEVIATION: Final = re.compile(r"([+−])(\d+(?:\.\d+)?) SD from the mean of (.+?)(?:;|$)")
_LOST: Final = "less"


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Sign:
    """One thing that is on in a tumour.

    Attributes
    ----------
    strength
        From 0 to 1.
    kind
        ``sets``, ``expression`` or ``alteration``.
    name
        Mechanism of the sets, or gene.
    mechanisms
        Mechanisms of an alteration, or of the sets; none of a gene's expression.
    loss
        The gene is low or lost.
    words
        What was measured, in words.
    """

    strength: float
    kind: str
    name: str
    mechanisms: tuple[str, ...]
    loss: bool
    words: str

    @property
    def feature(self) -> str:
        """Return the name under which `evidence_matches` has it."""
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """What a finding that counts says of this tumour: it speaks for or against resistance to its drugs."""

    record_id: str
    source: str
    drug: str
    level: str
    feature: str
    mechanism_id: str
    resists: bool


@dataclass(slots=True)
class Tumour:
    """What is known of the tumour of a patient; of several samples the strongest sign of each kind and name.

    Attributes
    ----------
    patient_id
        Pseudonym.
    samples
        Samples in which anything was measured.
    signs
        What is on.
    speeches
        What findings say of it.
    scored
        Mechanisms whose gene sets have a z.
    called
        Genes that were looked at for alterations.
    reference
        Expression was held against a reference; none where there is no expression with a z.
    strengths
        Feature of `evidence_matches` to its strength.
    """

    patient_id: str
    samples: set[str] = field(default_factory=set[str])
    signs: dict[tuple[str, str, bool], Sign] = field(default_factory=dict[tuple[str, str, bool], Sign])
    speeches: list[Speech] = field(default_factory=list[Speech])
    scored: set[str] = field(default_factory=set[str])
    called: set[str] = field(default_factory=set[str])
    reference: bool | None = None
    strengths: dict[str, float] = field(default_factory=dict[str, float])

    def add(self, sign: Sign) -> None:
        """Keep a sign, unless a stronger one of the same kind and name is there."""
        key = (sign.kind, sign.name, sign.loss)
        self.signs[key] = max(sign, self.signs.get(key, sign))
        self.strengths[sign.feature] = max(sign.strength, self.strengths.get(sign.feature, 0.0))

    def strength_of(self, feature: str) -> float:
        """Return the strength of a feature of `evidence_matches`; 0 where it is not on."""
        return self.strengths.get(feature, 0.0)


def read_tumours(tables: Mapping[str, pl.DataFrame]) -> dict[str, Tumour]:
    """Return what is on in the tumour of each patient in whom anything was measured, by patient.

    Parameters
    ----------
    tables
        Tables of *explain*: mechanism_scores, alteration_calls, evidence_matches; those that are there.
    """
    found: dict[str, Tumour] = {}
    for table, read in (
        ("mechanism_scores", _read_scores),
        ("alteration_calls", _read_calls),
        ("evidence_matches", _read_matches),
    ):
        if table in tables:
            read(tables[table], found)
    return dict(sorted(found.items()))


def _tumour(found: dict[str, Tumour], patient: str, sample: str) -> Tumour:
    tumour = found.setdefault(patient, Tumour(patient))
    tumour.samples.add(sample)
    return tumour


def grade_z(z: float, *, reference: bool) -> float:
    """Return the strength of a deviation, from 0 to 1.

    Parameters
    ----------
    z
        Standard deviations from the mean, on the side that counts.
    reference
        Against a reference; else within the cohort.
    """
    weigh = read_weights()
    held = weigh("strength", "reference" if reference else "cohort")
    return round(held * min(1.0, max(0.0, z) / weigh("strength", "full_z")), 3)


@cache
def _signs_of_sets() -> dict[str, str]:
    return {row["mechanism_id"]: row["on"] for row in read_rows("mechanism_signs.csv")}


def _read_scores(scores: pl.DataFrame, found: dict[str, Tumour]) -> None:
    """Take in the median z of the gene sets of each mechanism."""
    method = pl.col("method").cast(pl.String)
    methods = set(scores.select(method.unique())["method"])
    placed = scores.filter(method == (_REFERENCE if _REFERENCE in methods else _COHORT))
    for patient, sample in scores.select("patient_id", "sample_id").unique().sort(pl.all()).iter_rows():
        _tumour(found, patient, sample)
    medians = (
        placed.drop_nulls("z")
        .group_by("patient_id", "sample_id", "mechanism_id")
        .agg(pl.col("z").median(), n=pl.len())
    )
    for patient, sample, mechanism, z, n in medians.sort(pl.all()).iter_rows():
        tumour = _tumour(found, patient, sample)
        tumour.reference = _REFERENCE in methods
        tumour.scored.add(mechanism)
        on = _signs_of_sets().get(mechanism, "high")
        towards = -z if on == "low" else z
        if on == "unclear" or towards < STANDS_OUT:
            continue
        against = "the reference" if tumour.reference else "this cohort"
        words = f"gene sets of {mechanism} ({n}) {_signed(z)} SD from the mean of {against}"
        strength = grade_z(towards, reference=tumour.reference)
        tumour.add(
            Sign(
                strength=strength,
                kind="sets",
                name=mechanism,
                mechanisms=(mechanism,),
                loss=z < 0,
                words=words,
            )
        )


def _read_calls(calls: pl.DataFrame, found: dict[str, Tumour]) -> None:
    """Take in the altered genes."""
    looked = calls.filter(pl.col("call").cast(pl.String) != "not_measured")
    for patient, sample, gene in looked.select("patient_id", "sample_id", "gene").unique().iter_rows():
        _tumour(found, patient, sample).called.add(gene)
    altered = calls.filter(pl.col("call").cast(pl.String) == "altered")
    owner = dict(altered.select("sample_id", "patient_id").unique().iter_rows())
    mechanisms: dict[tuple[str, str], set[str]] = {}
    for sample, gene, mechanism in altered.select("sample_id", "gene", "mechanism_id").iter_rows():
        mechanisms.setdefault((sample, gene), set()).add(mechanism)
    states = alteration_states(calls).sort("sample_id", "entity")
    for sample, gene, state, words in states.select("sample_id", "entity", "state", "words").iter_rows():
        tumour = _tumour(found, owner[sample], sample)
        of = tuple(sorted(mechanisms[sample, gene]))
        told = f"{gene} {words}"
        tumour.add(
            Sign(strength=1.0, kind="alteration", name=gene, mechanisms=of, loss=state == _LOST, words=told)
        )


def _read_matches(matches: pl.DataFrame, found: dict[str, Tumour]) -> None:
    """Take in genes whose expression stands out, and what the findings say."""
    columns = ("patient_id", "sample_id", "feature", "reason")
    for patient, sample, feature, reason in matches.select(columns).sort(pl.all()).iter_rows():
        sign = _read_gene(feature, reason)
        if sign is not None:
            _tumour(found, patient, sample).add(sign)
    for row in matches.filter("counted").sort("sample_id", "record_id", "feature").iter_rows(named=True):
        _tumour(found, row["patient_id"], row["sample_id"]).speeches.append(
            Speech(
                record_id=row["record_id"],
                source=row["source"],
                drug=row["drug"],
                level=row["level"],
                feature=row["feature"],
                mechanism_id=row["mechanism_id"],
                resists=str(row["stance"]) == "for",
            )
        )


def _read_gene(feature: str, reason: str) -> Sign | None:
    """Return the sign of a gene from what `evidence_matches` says of its expression."""
    kind, _, gene = feature.partition(" ")
    said = _DEVIATION.search(reason)
    if kind != "expression" or said is None:
        return None
    low, z, against = said[1] == "−", float(said[2]), said[3]
    strength = grade_z(z, reference=against.startswith("the reference"))
    words = f"expression of {gene} {said[1]}{z:g} SD from the mean of {against}"
    return Sign(strength=strength, kind=kind, name=gene, mechanisms=(), loss=low, words=words)


def _signed(z: float) -> str:
    rounded = round(z, 1)
    return f"−{-rounded:g}" if rounded < 0 else f"+{rounded:g}"
