"""Questions to the evidence base, and their answers.

Every filter narrows: a finding has to pass each that is given. Within one filter several values,
separated by commas, widen it. A claim is always shown whole: what speaks against it is there although
a filter, for example one on the effect, left it out of the findings.

A drug matches a finding in one of four ways, kept apart in the column `match`:

- `exact`: the finding is about this drug, or these drugs, and no other;
- `combination`: it is one of several drugs there;
- `member`: a class was asked for and the finding is about a drug of that class;
- `class`: the finding pools drugs, and its label covers the drug that was asked for.

Findings that match by class only are shown, but not counted for or against.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import polars as pl

from hccresist.errors import ConfigError
from hccresist.explain.evidence_tables import STATUSES, Findings
from hccresist.explain.names import Resolved, UnknownNameError, fold_name, split_words

if TYPE_CHECKING:
    from hccresist.explain.knowledge import EvidenceBase
    from hccresist.explain.names import NameIndex

Words = str | Sequence[str] | None

FINDING_COLUMNS: Final = tuple(Findings.columns())
"""Columns of `evidence.csv`, which lead the findings of an answer."""

MATCHES: Final = ("exact", "combination", "member", "class")
"""How the drug of a finding matches the drug that was asked for, the closest first."""

TAGGED_MECHANISMS: Final = 3
"""Mechanisms that are taken from a text, the best first."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the base knows of a question.

    Attributes
    ----------
    query
        What was asked: filter to what was given and what it was taken for.
    counts
        findings; verified, unverified, title_only and retracted ones; sources and counted_sources;
        claims, contested and contested_unverified ones; `for` and `against`: independent sources that
        count and speak for, or against, at least one of the claims (where it is contested, also from
        another claim of the same subject), those matched by class left out; `by_match`: findings by way
        of matching; `class`: `for` and `against` of what is matched by class only.
    findings
        Columns of `evidence.csv`, then status, counted, source_id, civic_level, side, match and
        entity_match (`exact`, or `part` where the gene is one of several that the entity names).
    claims
        Every claim that holds one of the findings, as `claims.Claims`, with match.
    strategies
        Strategies from a source of the findings, or, where no gene was asked for, for their mechanism
        and drug.
    """

    query: Mapping[str, object]
    counts: Mapping[str, object]
    findings: pl.DataFrame
    claims: pl.DataFrame
    strategies: pl.DataFrame

    def record(self) -> dict[str, object]:
        """Return the answer as plain data: query, counts, findings and claims."""
        return {
            "query": dict(self.query),
            "counts": dict(self.counts),
            "findings": self.findings.to_dicts(),
            "claims": self.claims.to_dicts(),
        }


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Filters with names as the base has them; empty: anything."""

    drugs: tuple[frozenset[str], ...] = ()
    genes: frozenset[str] = frozenset()
    mechanisms: frozenset[str] = frozenset()
    effects: frozenset[str] = frozenset()
    levels: frozenset[str] = frozenset()
    either: bool = False
    """A gene or a mechanism is enough (filters read from a text)."""


def query_evidence(
    base: EvidenceBase,
    *,
    drug: Words = None,
    gene: Words = None,
    mechanism: Words = None,
    effect: Words = None,
    level: Words = None,
    text: str | None = None,
) -> Answer:
    """Ask the base what is known, for and against.

    Parameters
    ----------
    base
        Evidence base.
    drug
        Drug by any of its names, class, or several drugs of one treatment joined by ``+``.
    gene
        Gene, protein, RNA or any other entity: ``PD-L1``, ``miR-122-5p``, ``autophagy``, ``NLR``.
    mechanism
        Mechanism or family, by key, name or synonym.
    effect
        One of `EFFECTS`.
    level
        Level of evidence, ours or that of CIViC (``B``).
    text
        Sentence or abstract; what the tagger reads in it is asked for beside the filters given: any of
        the genes or of the first `TAGGED_MECHANISMS` mechanisms, and any of the drugs.

    Raises
    ------
    UnknownNameError
        When a name is not known or means several things; it suggests the nearest.

    Examples
    --------
    >>> from hccresist.explain.knowledge import read_base
    >>> answer = query_evidence(read_base(), drug="Nexavar", gene="P-gp")
    >>> answer.query["drug"][0]["resolved"], answer.query["gene"][0]["resolved"]
    (['sorafenib'], ['ABCB1'])
    """
    asked, wanted = _read_question(
        base, drug=drug, gene=gene, mechanism=mechanism, effect=effect, level=level, text=text
    )
    findings = _pick_findings(base, wanted)
    claims = _pick_claims(base, findings)
    return Answer(
        query=asked,
        counts=_count(base, findings, claims, by_match=bool(wanted.drugs)),
        findings=findings,
        claims=claims,
        strategies=_pick_strategies(base, findings, wanted),
    )


def _split(words: Words) -> tuple[str, ...]:
    parts = words.split(",") if isinstance(words, str) else (words or ())
    return tuple(part.strip() for part in parts if part.strip())


def _read_question(
    base: EvidenceBase, *, text: str | None, **filters: Words
) -> tuple[dict[str, object], _Wanted]:
    """Resolve the filters; return them as asked, and as the base has them."""
    names = base.names
    asked: dict[str, object] = {}
    found: dict[str, list[Resolved]] = {}
    drugs: list[frozenset[str]] = []
    for kind, words in filters.items():
        if words is None:
            continue
        if not _split(words):
            msg = f"--{kind} is empty: give a name."
            raise ConfigError(msg)
        found[kind] = [_resolve(base, kind, word) for word in _split(words)]
        asked[kind] = [entry.record() for entry in found[kind]]
    drugs = [frozenset(entry.names) for entry in found.get("drug", [])]
    wanted = _Wanted(
        drugs=tuple(drugs),
        genes=_names(found.get("gene")),
        mechanisms=_names(found.get("mechanism")),
        effects=_names(found.get("effect")),
        levels=_names(found.get("level")),
    )
    if text is not None:
        asked["text"], wanted = _add_text(base, text, wanted, names)
    return asked, wanted


def _names(found: Sequence[Resolved] | None) -> frozenset[str]:
    return frozenset(name for entry in found or () for name in entry.names)


def _resolve(base: EvidenceBase, kind: str, word: str) -> Resolved:
    if kind == "gene":
        return base.names.resolve_gene(word, _list_entities(base))
    if kind == "drug" and "+" in word:
        parts = [base.names.resolve("drug", part) for part in word.split("+") if part.strip()]
        how = " + ".join(part.how for part in parts)
        return Resolved(word, tuple(sorted({name for part in parts for name in part.names})), how)
    if kind == "level" and fold_name(word) == "a":
        msg = "level 'A' (validated association) is never given here: consensus is not recorded. Ask for B."
        raise ConfigError(msg)
    return base.names.resolve(kind, word)


def _list_entities(base: EvidenceBase) -> list[str]:
    marks = base.marks
    members = marks["members"].explode(empty_as_null=False, keep_nulls=False) if marks.height else pl.Series()
    names = [*marks["label"], *marks["subject"], *members]
    return sorted({str(name) for name in names if name is not None})


def _add_text(
    base: EvidenceBase, text: str, wanted: _Wanted, names: NameIndex
) -> tuple[dict[str, object], _Wanted]:
    """Add what the tagger reads in a text."""
    from hccresist.explain.tagger import tag_text  # noqa: PLC0415  (its lists are read only when asked)

    tags = tag_text(text, base)
    mechanisms = tags.mechanisms[:TAGGED_MECHANISMS]
    known = _list_entities(base)
    genes = {name for gene in tags.genes for name in _resolve_tag(gene, names, known)}
    drugs = tuple(frozenset(names.split_drugs(drug)) for drug in tags.drugs)
    read = {"mechanisms": list(mechanisms), "genes": list(tags.genes), "drugs": list(tags.drugs)}
    if not (mechanisms or genes or drugs):
        msg = "no mechanism, gene or drug was read in the text: ask with --drug, --gene or --mechanism."
        raise ConfigError(msg)
    return {"given": text, **read, "effect": tags.effect}, _Wanted(
        drugs=wanted.drugs or drugs,
        genes=wanted.genes or frozenset(genes),
        mechanisms=wanted.mechanisms or frozenset(mechanisms),
        effects=wanted.effects,
        levels=wanted.levels,
        either=not (wanted.genes or wanted.mechanisms),
    )


def _resolve_tag(gene: str, names: NameIndex, known: Sequence[str]) -> tuple[str, ...]:
    """Return what a gene read in a text is called in the base; itself where the base does not know it."""
    try:
        return names.resolve_gene(gene, known).names
    except UnknownNameError:
        return (gene,)


def _pick_findings(base: EvidenceBase, wanted: _Wanted) -> pl.DataFrame:
    """Return the findings that pass every filter, with their marks."""
    rows: list[tuple[str, str | None, str | None]] = []
    columns = ("record_id", "label", "subject", "members", "drugs")
    marks = base.marks.select(columns).iter_rows()
    facts = base.findings.select("mechanism_id", "effect", "evidence_level").iter_rows()
    for (record, label, subject, members, drugs), (mechanism, effect, level) in zip(
        marks, facts, strict=True
    ):
        gene = _match_gene(label, subject, members, wanted.genes)
        if not _passes(wanted, gene, mechanism) or (wanted.effects and effect not in wanted.effects):
            continue
        match = _match_drugs(frozenset(drugs), wanted.drugs, base.names.classes)
        if (wanted.drugs and match is None) or (wanted.levels and level not in wanted.levels):
            continue
        rows.append((record, match, gene))
    schema = {"record_id": pl.String, "match": pl.String, "entity_match": pl.String}
    picked = pl.DataFrame(rows, schema=schema, orient="row")
    computed = base.marks.select("record_id", "status", "counted", "source_id", "civic_level", "side")
    whole = base.findings.join(computed, on="record_id", how="left", maintain_order="left")
    return whole.join(picked, on="record_id", how="inner", maintain_order="left")


def _passes(wanted: _Wanted, gene: str | None, mechanism: str) -> bool:
    by_gene = not wanted.genes or gene is not None
    by_mechanism = not wanted.mechanisms or mechanism in wanted.mechanisms
    if wanted.either and wanted.genes and wanted.mechanisms:
        return by_gene or by_mechanism
    return by_gene and by_mechanism


def _match_gene(label: str, subject: str, members: Sequence[str], wanted: frozenset[str]) -> str | None:
    if not wanted:
        return None
    if label in wanted or subject in wanted:
        return "exact"
    return "part" if wanted.intersection(members) else None


def _match_drugs(
    drugs: frozenset[str], wanted: Sequence[frozenset[str]], classes: Mapping[str, frozenset[str]]
) -> str | None:
    """Return the closest way in which the drugs of a finding match one of those asked for."""
    ways = {_match_one(drugs, one, classes) for one in wanted if drugs}
    return next((way for way in MATCHES if way in ways), None)


def _match_one(
    drugs: frozenset[str], wanted: frozenset[str], classes: Mapping[str, frozenset[str]]
) -> str | None:
    if drugs == wanted:
        return "exact"
    if wanted <= drugs:
        return "combination"
    if all(one in drugs or any(one in classes.get(drug, ()) for drug in drugs) for one in wanted):
        return "member"
    if all(one in drugs or classes.get(one, frozenset()) & drugs for one in wanted):
        return "class"
    return None


def _pick_claims(base: EvidenceBase, findings: pl.DataFrame) -> pl.DataFrame:
    """Return the claims that hold one of the findings, whole."""
    matches = dict(zip(findings["record_id"], findings["match"], strict=True))
    keep: list[bool] = []
    ways: list[str | None] = []
    for records in base.claims["records"].to_list():
        own = [matches[record] for record in records if record in matches]
        keep.append(bool(own))
        ways += [own[0]] if own else []
    return base.claims.filter(pl.Series(keep, dtype=pl.Boolean)).with_columns(
        pl.Series("match", ways, dtype=pl.String)
    )


def _count(
    base: EvidenceBase, findings: pl.DataFrame, claims: pl.DataFrame, *, by_match: bool
) -> dict[str, object]:
    statuses = findings["status"].cast(pl.String)
    pro, contra = _count_sides(base, claims.filter(pl.col("match").ne_missing("class")))
    counts: dict[str, object] = {
        "for": pro,
        "against": contra,
        "findings": findings.height,
        **{status: int((statuses == status).sum()) for status in STATUSES},
        "sources": findings["source_id"].n_unique(),
        "counted_sources": findings.filter(pl.col("counted"))["source_id"].n_unique(),
        "claims": claims.height,
        "contested": claims.filter(pl.col("contested") == "yes").height,
        "contested_unverified": claims.filter(pl.col("contested") == "unverified").height,
    }
    if by_match:
        counts["by_match"] = {way: int((findings["match"] == way).sum()) for way in MATCHES}
        by_class = _count_sides(base, claims.filter(pl.col("match") == "class"))
        counts["class"] = dict(zip(("for", "against"), by_class, strict=True))
    return counts


def _count_sides(base: EvidenceBase, claims: pl.DataFrame) -> tuple[int, int]:
    """Return how many sources that count speak for, and against, at least one of the claims."""
    counted = base.marks.filter(pl.col("counted"))
    source = dict(zip(counted["record_id"], counted["source_id"], strict=True))
    pro: set[str] = set()
    contra: set[str] = set()
    columns = ("for_records", "against_records", "contested_by", "contested", "side")
    for own, against, elsewhere, contested, side in claims.select(columns).iter_rows():
        one, two = _sources_of(own, source), _sources_of(against, source)
        pro |= one - two
        contra |= two - one
        if contested == "yes" and side != "none":
            contra |= _sources_of(elsewhere, source)
    return len(pro), len(contra)


def _sources_of(records: Iterable[str], source: Mapping[str, str]) -> set[str]:
    return {source[record] for record in records if record in source}


def _pick_strategies(base: EvidenceBase, findings: pl.DataFrame, wanted: _Wanted) -> pl.DataFrame:
    """Return the strategies that go with the findings, sorted by key."""
    names = {
        f"{kind.upper()}:{value}": str(row["source_id"])
        for row in base.sources.select("source_id", "pmid", "pmcid", "doi").iter_rows(named=True)
        for kind, value in row.items()
        if kind != "source_id" and value is not None
    }
    own = set(findings["source_id"])
    mechanisms = set(findings["mechanism_id"])
    keep: list[bool] = []
    for row in base.strategies.iter_rows(named=True):
        by_source = names.get(_tidy_source(cast("str", row["source_id"]))) in own
        drugs = frozenset(d for part in split_words(row["drugs"]) for d in base.names.split_drugs(part))
        same_drug = not wanted.drugs or _match_drugs(drugs, wanted.drugs, base.names.classes) is not None
        by_topic = not wanted.genes and row["mechanism_id"] in mechanisms and same_drug
        keep.append(by_source or by_topic)
    return base.strategies.filter(pl.Series(keep, dtype=pl.Boolean))


def _tidy_source(text: str) -> str:
    kind, _, value = text.split(" ", 1)[0].partition(":")
    return f"{kind}:{value.lower()}" if kind == "DOI" else f"{kind}:{value}"
