"""How far each mechanism is switched on: scores of gene sets, tumour by tumour.

Three ways, none weighted, each saying for every set and sample how many of its genes were measured:

``rank``
    Average ranks of the measured genes of one sample. With k genes of a half measured, N genes in
    all, and mean rank m: (m - (N + 1) / 2) / (N - k), from -0.5 to 0.5. No other sample matters.
``reference_z``
    Mean over the genes of a half of (x - mean) / sd, with mean and sd of a frozen reference.
``cohort_z``
    The same with mean and sd of the samples at hand.

A set with genes up and down scores half of up minus down; a set with genes down only scores minus down.
A score is refused where fewer than 5 genes or 25 % of the set were measured.

References
----------
The rank score is that of singscore (Foroutan et al. 2018, BMC Bioinformatics), centred, with average
ranks for ties and half of up minus down in place of their sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.errors import ConfigError
from hccresist.explain import results
from hccresist.explain.matrix import Matrix
from hccresist.explain.reference import PERCENTILE_TUMOURS, Reference, hash_set
from hccresist.explain.scoring_core import (
    MIN_COVERAGE,
    MIN_GENES,
    Bools,
    Floats,
    compute_rank_scores,
    compute_z_scores,
    count_measured,
    describe_genes,
    find_members,
)
from hccresist.explain.signatures import Signature

MIN_COHORT: Final = 10
"""Samples below which no cohort-relative score is given."""
SMALL_COHORT: Final = 30
"""Samples below which a cohort-relative score is flagged."""
SMALL_UNIVERSE: Final = 5_000
"""Measured genes of a sample below which a rank score is flagged."""

NO_REFERENCE: Final = "no reference"
"""Reason for a missing percentile where none was asked for."""

_MISSING_SHOWN: Final = 20
_COVERAGE_SCHEMA: Final = {
    "set": pl.String,
    "mechanism_id": pl.String,
    "genes": pl.Int64,
    "found": pl.Int64,
    "coverage": pl.Float64,
    "scored": pl.Boolean,
    "missing": pl.String,
    "reason": pl.String,
}
_FEW_RANKS: Final = f"ranked among fewer than {SMALL_UNIVERSE:,} genes"
_SCHEMA: Final = {
    "sample_id": pl.String,
    "mechanism_id": pl.String,
    "set": pl.String,
    "method": pl.Enum(results.METHODS),
    "score": pl.Float64,
    "percentile": pl.Float64,
    "z": pl.Float64,
    "coverage": pl.Float64,
    "flag": pl.String,
    "reason": pl.String,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How many genes of each set are there.

    Attributes
    ----------
    table
        Table `Coverage` of `hccresist.explain.results`, by set, over all samples.
    sets, samples
        Names of the rows and columns of the arrays.
    found
        Measured genes, sets × samples.
    share
        The same as a share of the set.
    refused
        Where a score is refused.
    accepted
        Where a score is given only because a lower coverage was allowed.
    """

    table: pl.DataFrame
    sets: tuple[str, ...]
    samples: tuple[str, ...]
    found: Floats
    share: Floats
    refused: Bools
    accepted: Bools


def measure_coverage(
    matrix: Matrix, signatures: Sequence[Signature], *, min_coverage: float | None = None
) -> Coverage:
    """Say how many genes of each set are there, by set and by sample.

    Parameters
    ----------
    matrix, signatures
        The expression and the sets.
    min_coverage
        Share of a set that must be measured, in place of 25 %. Below 25 % it also lifts the floor of
        5 genes; whatever is scored only because of it is flagged.

    Raises
    ------
    ConfigError
        When `min_coverage` is not above 0 and at most 1.
    """
    ordered = _order(signatures)
    members = find_members(matrix.genes, ordered)
    found = count_measured(members, np.isfinite(matrix.values[members.rows])).both
    judged = _judge(np.array(found), members.sizes, min_coverage)
    return Coverage(
        table=_table_coverage(matrix, ordered, judged),
        sets=tuple(signature.name for signature in ordered),
        samples=matrix.samples,
        found=judged.found,
        share=judged.share,
        refused=judged.refused,
        accepted=judged.accepted,
    )


def score_rank(
    matrix: Matrix,
    signatures: Sequence[Signature],
    *,
    min_coverage: float | None = None,
    reference: Reference | None = None,
    platform: str = "",
) -> pl.DataFrame:
    """Score each sample by the ranks of its own genes.

    Parameters
    ----------
    matrix, signatures
        The expression and the sets.
    min_coverage
        As in `measure_coverage`.
    reference
        Gives z and percentile, where the gene universe is the same and nothing is missing.
    platform
        Platform of the samples in the user's words.

    Returns
    -------
    pl.DataFrame
        Rows of `MechanismScores` without patient_id, sorted by key.
    """
    ordered = _order(signatures)
    members = find_members(matrix.genes, ordered)
    scores, counts, totals = compute_rank_scores(matrix, members)
    judged = _judge(np.array(counts.both), members.sizes, min_coverage)
    placed = None
    if reference is not None:
        whole = np.broadcast_to(totals == len(reference.genes), scores.shape)
        likeness = _compare(matrix, reference, "rank", platform)
        placed = _place(scores, ordered, reference, method="rank", same=whole, likeness=likeness)
    few = _Flag(np.broadcast_to(totals < SMALL_UNIVERSE, scores.shape), _FEW_RANKS)
    return _assemble(matrix, ordered, scores, judged, method="rank", placed=placed, flag=few)


def score_reference(
    matrix: Matrix,
    signatures: Sequence[Signature],
    reference: Reference,
    *,
    min_coverage: float | None = None,
    platform: str = "",
) -> pl.DataFrame:
    """Score each sample against a frozen reference.

    The score is the mean z of the set. Its own z places that score among those of the reference, where
    the same genes of the set were measured; the percentile needs 100 tumours of the same platform
    and gene universe besides.

    Parameters
    ----------
    matrix, signatures, reference
        The expression, the sets and the reference.
    min_coverage, platform
        As in `score_rank`. Coverage counts genes that the reference can serve.

    Returns
    -------
    pl.DataFrame
        Rows of `MechanismScores` without patient_id, sorted by key.
    """
    ordered = _order(signatures)
    members = find_members(matrix.genes, ordered)
    mean, sd = _align(matrix, reference)
    scores, counts = compute_z_scores(matrix, members, mean=mean, sd=sd)
    judged = _judge(np.array(counts.both), members.sizes, min_coverage)
    served = frozenset(np.array(reference.genes, dtype=object)[np.isfinite(reference.sd)].tolist())
    held = np.array([sum(gene in served for gene in signature.genes) for signature in ordered])
    same = judged.found == held[:, None]
    likeness = _compare(matrix, reference, "reference_z", platform)
    placed = _place(scores, ordered, reference, method="reference_z", same=same, likeness=likeness)
    refusal = ""
    if matrix.scale != reference.scale:
        scores, refusal = np.full_like(scores, np.nan), f"{NO_REFERENCE}: {likeness.no_z}"
    return _assemble(matrix, ordered, scores, judged, method="reference_z", placed=placed, refusal=refusal)


def score_cohort(
    matrix: Matrix, signatures: Sequence[Signature], *, min_coverage: float | None = None
) -> pl.DataFrame:
    """Score each sample against the other samples at hand.

    Parameters
    ----------
    matrix, signatures
        The expression and the sets. Below `MIN_COHORT` samples nothing is scored; a gene with fewer
        values than that does not count.
    min_coverage
        As in `measure_coverage`.

    Returns
    -------
    pl.DataFrame
        Rows of `MechanismScores` without patient_id, sorted by key.
    """
    ordered = _order(signatures)
    members = find_members(matrix.genes, ordered)
    mean, sd = np.full(len(matrix.genes), np.nan), np.full(len(matrix.genes), np.nan)
    mean[members.rows], spread, n = describe_genes(matrix.values[members.rows])
    sd[members.rows] = np.where(n >= MIN_COHORT, spread, np.nan)
    scores, counts = compute_z_scores(matrix, members, mean=mean, sd=sd)
    judged = _judge(np.array(counts.both), members.sizes, min_coverage)
    samples, refusal = len(matrix.samples), ""
    if samples < MIN_COHORT:
        measured = count_measured(members, np.isfinite(matrix.values[members.rows])).both
        judged = _judge(np.array(measured), members.sizes, min_coverage)
        refusal = f"{samples} samples: a cohort-relative score needs {MIN_COHORT}"
        scores = np.full_like(scores, np.nan)
    small = _Flag(np.full(scores.shape, samples < SMALL_COHORT), f"small cohort ({samples} samples)")
    return _assemble(matrix, ordered, scores, judged, method="cohort_z", flag=small, refusal=refusal)


def _order(signatures: Sequence[Signature]) -> tuple[Signature, ...]:
    return tuple(sorted(signatures, key=lambda signature: (signature.mechanism_id, signature.name)))


@dataclass(frozen=True, slots=True)
class _Judged:
    found: Floats
    share: Floats
    few: Bools
    thin: Bools
    accepted: Bools
    floor: int
    limit: float

    @property
    def refused(self) -> Bools:
        return self.few | self.thin

    def say_few(self) -> str:
        return f"fewer than {self.floor} gene{'s' * (self.floor > 1)} of the set measured"

    def say_thin(self) -> str:
        return f"less than {self.limit:.0%} of the set measured"


def _judge(found: Floats, sizes: NDArray[np.int64], min_coverage: float | None) -> _Judged:
    """Say where a set has too few genes to be scored."""
    if min_coverage is not None and not 0 < min_coverage <= 1:
        msg = f"min_coverage is {min_coverage}; it must be above 0 and at most 1"
        raise ConfigError(msg)
    limit = MIN_COVERAGE if min_coverage is None else min_coverage
    floor = 1 if limit < MIN_COVERAGE else MIN_GENES
    size = np.maximum(sizes, 1)[:, None].astype(np.float64)
    few = found < floor
    thin = found < limit * size - 1e-9
    usual = (found >= MIN_GENES) & (found >= MIN_COVERAGE * size - 1e-9)
    return _Judged(found, found / size, few, thin, ~few & ~thin & ~usual, floor, limit)


def _align(matrix: Matrix, reference: Reference) -> tuple[Floats, Floats]:
    """Return mean and sd of the reference for the genes of a matrix; NaN where it has none."""
    place = {gene: number for number, gene in enumerate(reference.genes)}
    rows = np.array([place.get(gene, -1) for gene in matrix.genes], dtype=np.int64)
    held = rows >= 0
    mean, sd = np.full(rows.size, np.nan), np.full(rows.size, np.nan)
    mean[held], sd[held] = reference.mean[rows[held]], reference.sd[rows[held]]
    return mean, sd


@dataclass(frozen=True, slots=True)
class _Likeness:
    """Why neither z nor percentile can be given for any sample, and why no percentile; empty: they can."""

    no_z: str
    no_percentile: str


def _compare(matrix: Matrix, reference: Reference, method: str, platform: str) -> _Likeness:
    """Say what sets the samples apart from the reference."""
    unlike = ""
    if matrix.scale != reference.scale:
        unlike = f"values are {matrix.scale}, those of the reference {reference.scale}"
    elif platform and reference.platform and platform.strip().lower() != reference.platform.lower():
        unlike = f"platform is {platform.strip()}, that of the reference {reference.platform}"
    if unlike:
        return _Likeness(unlike, unlike)
    if matrix.genes != reference.genes:
        other = "other gene universe than that of the reference"
        return _Likeness(other if method == "rank" else "", other)
    if reference.tumours < PERCENTILE_TUMOURS:
        return _Likeness("", f"it has {reference.tumours} tumours, a percentile needs {PERCENTILE_TUMOURS}")
    return _Likeness("", "")


@dataclass(frozen=True, slots=True)
class _Placed:
    z: Floats
    percentile: Floats
    words: tuple[str, ...]
    word: NDArray[np.int64]


def _place(
    scores: Floats,
    signatures: Sequence[Signature],
    reference: Reference,
    *,
    method: str,
    same: Bools,
    likeness: _Likeness,
) -> _Placed:
    """Place scores among those of a reference, where they are of the same genes (`same`)."""
    words = (
        "",
        f"{NO_REFERENCE}: it holds no scores of this set as it is now",
        f"{NO_REFERENCE}: other genes were measured than in the reference",
        f"{NO_REFERENCE}: {likeness.no_z or likeness.no_percentile}",
        f"{NO_REFERENCE}: fewer than {PERCENTILE_TUMOURS} of its tumours have this score",
    )
    z, percentile = np.full(scores.shape, np.nan), np.full(scores.shape, np.nan)
    word = np.full(scores.shape, 3 if likeness.no_z else 1, dtype=np.int64)
    for number, signature in enumerate(signatures):
        held = reference.scores.get((method, signature.name))
        changed = reference.sets.get(signature.name) != hash_set(signature)
        if held is None or changed or likeness.no_z:
            continue
        fit = same[number] & np.isfinite(scores[number])
        spread = float(held.std(ddof=1))
        z[number] = np.where(fit, (scores[number] - held.mean()) / (spread or np.nan), np.nan)
        why = 3 if likeness.no_percentile else (4 if held.size < PERCENTILE_TUMOURS else 0)
        if not why:
            below = np.searchsorted(held, scores[number], side="left") / held.size * 100.0
            percentile[number] = np.where(fit, below, np.nan)
        word[number] = np.where(fit, why, 2)
    return _Placed(z, percentile, words, word)


@dataclass(frozen=True, slots=True)
class _Flag:
    where: Bools
    text: str


def _assemble(
    matrix: Matrix,
    signatures: Sequence[Signature],
    scores: Floats,
    judged: _Judged,
    *,
    method: str,
    placed: _Placed | None = None,
    flag: _Flag | None = None,
    refusal: str = "",
) -> pl.DataFrame:
    """Return one row a sample and set, sorted by key."""
    given = np.isfinite(scores) & ~judged.refused
    word = np.zeros(scores.shape, dtype=np.int64) if placed is None else placed.word
    words = (NO_REFERENCE,) if placed is None else placed.words
    texts = (*words, refusal or _say_nothing(method), judged.say_thin(), judged.say_few())
    code = np.where(given, word, len(words))
    code = np.where(judged.thin, len(words) + 1, code)
    code = np.where(judged.few, len(words) + 2, code)
    sets, samples = scores.shape
    nothing = np.full(scores.shape, np.nan)
    row, column = np.tile(np.arange(sets), samples), np.repeat(np.arange(samples), sets)
    frame = pl.DataFrame(
        {
            "sample_id": _pick(matrix.samples, column),
            "mechanism_id": _pick([signature.mechanism_id for signature in signatures], row),
            "set": _pick([signature.name for signature in signatures], row),
            "score": _flatten(np.where(given, scores, np.nan)),
            "percentile": _flatten(nothing if placed is None else np.where(given, placed.percentile, np.nan)),
            "z": _flatten(nothing if placed is None else np.where(given, placed.z, np.nan)),
            "coverage": _flatten(judged.share),
            "flag": _flag_rows(judged, flag, given),
            "reason": _pick([text or None for text in texts], _flatten(code)),
        }
    )
    numbers = pl.col("score", "percentile", "z").fill_nan(None)
    told = frame.with_columns(numbers, pl.lit(method, _SCHEMA["method"]).alias("method"))
    return told.select(pl.col(name).cast(kind) for name, kind in _SCHEMA.items())


def _say_nothing(method: str) -> str:
    if method == "rank":
        return "half of the set was not measured, or no gene beside the set"
    return "half of the set was not measured or has no spread"


def _flag_rows(judged: _Judged, flag: _Flag | None, given: Bools) -> pl.Series:
    thin = f"coverage below {MIN_GENES} genes or {MIN_COVERAGE:.0%}, accepted down to {judged.limit:.0%}"
    more = "" if flag is None else flag.text
    texts = [None, thin, more or None, f"{thin}; {more}"]
    code = judged.accepted.astype(np.int64)
    if flag is not None:
        code = code + 2 * flag.where
    return _pick(texts, _flatten(np.where(given, code, 0)))


def _pick(texts: Sequence[str | None], numbers: NDArray[np.int64]) -> pl.Series:
    return pl.Series(list(texts), dtype=pl.String).gather(numbers)


def _flatten(values: NDArray[Any]) -> NDArray[Any]:
    """Return sets × samples as one column, sample by sample."""
    return np.ascontiguousarray(values.T).ravel()


def _table_coverage(matrix: Matrix, signatures: Sequence[Signature], judged: _Judged) -> pl.DataFrame:
    """Return one row a set: what the expression table holds of it."""
    there = frozenset(matrix.genes)
    rows: list[dict[str, object]] = []
    some: list[bool] = np.any(~judged.refused, axis=1).tolist()
    for signature, scored in zip(signatures, some, strict=True):
        missing = [gene for gene in signature.genes if gene not in there]
        genes, found = len(signature.genes), len(signature.genes) - len(missing)
        shown = ";".join(missing[:_MISSING_SHOWN]) + (" …" if len(missing) > _MISSING_SHOWN else "")
        rows.append(
            {
                "set": signature.name,
                "mechanism_id": signature.mechanism_id,
                "genes": genes,
                "found": found,
                "coverage": found / genes if genes else 0.0,
                "scored": scored,
                "missing": shown,
                "reason": _say_coverage(found, genes, judged, scored=scored),
            }
        )
    frame = pl.DataFrame(rows, schema=_COVERAGE_SCHEMA)
    return results.Coverage.validate(frame.sort("set", "mechanism_id"), cast=True)


def _say_coverage(found: int, genes: int, judged: _Judged, *, scored: bool) -> str | None:
    share = found / genes if genes else 0.0
    said = f"{found} of {genes} genes ({share:.0%})"
    if scored and found >= MIN_GENES and share >= MIN_COVERAGE:
        return None
    if scored:
        return f"{said}: accepted down to {judged.limit:.0%}"
    if found < judged.floor:
        return f"{said}: fewer than {judged.floor}"
    if share < judged.limit:
        return f"{said}: below {judged.limit:.0%}"
    return f"{said} in the table, too few of them measured in any sample"
