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
The rank score is that of singscore (Foroutan et al. 2018, BMC Bioinformatics 19:404,
doi:10.1186/s12859-018-2435-4), centred, with average ranks for ties and half of up minus down in place
of their sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from hccresist.explain.matrix import Matrix
from hccresist.explain.reference import PERCENTILE_TUMOURS, Reference, hash_set
from hccresist.explain.scoring_core import (
    Bools,
    Floats,
    compute_rank_scores,
    compute_z_scores,
    count_measured,
    describe_genes,
    find_members,
)
from hccresist.explain.scoring_tables import (
    NO_REFERENCE,
    Flag,
    Placed,
    fill_rows,
    judge_coverage,
    table_coverage,
)
from hccresist.explain.signatures import Signature

MIN_COHORT: Final = 10
"""Samples below which no cohort-relative score is given."""
SMALL_COHORT: Final = 30
"""Samples below which a cohort-relative score is flagged."""
SMALL_UNIVERSE: Final = 5_000
"""Measured genes of a sample below which a rank score is flagged."""

_FEW_RANKS: Final = f"ranked among fewer than {SMALL_UNIVERSE:,} genes"


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
        When `min_coverage` is not a share from 0 to 1.
    """
    ordered = order_signatures(signatures)
    members = find_members(matrix.genes, ordered)
    found = count_measured(members, np.isfinite(matrix.values[members.rows])).both
    judged = judge_coverage(np.array(found), members.sizes, min_coverage)
    return Coverage(
        table=table_coverage(matrix, ordered, judged),
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
    ordered = order_signatures(signatures)
    members = find_members(matrix.genes, ordered)
    scores, counts, totals = compute_rank_scores(matrix, members)
    judged = judge_coverage(np.array(counts.both), members.sizes, min_coverage)
    placed = None
    if reference is not None:
        whole = np.broadcast_to(totals == len(reference.genes), scores.shape)
        likeness = _compare(matrix, reference, "rank", platform)
        placed = _place(scores, ordered, reference, method="rank", same=whole, likeness=likeness)
    few = Flag(np.broadcast_to(totals < SMALL_UNIVERSE, scores.shape), _FEW_RANKS)
    return fill_rows(matrix, ordered, scores, judged=judged, method="rank", placed=placed, flag=few)


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
    ordered = order_signatures(signatures)
    members = find_members(matrix.genes, ordered)
    mean, sd = align_reference(matrix, reference)
    scores, counts = compute_z_scores(matrix, members, mean=mean, sd=sd)
    judged = judge_coverage(np.array(counts.both), members.sizes, min_coverage)
    served = frozenset(np.array(reference.genes, dtype=object)[np.isfinite(reference.sd)].tolist())
    held = np.array([sum(gene in served for gene in signature.genes) for signature in ordered])
    same = judged.found == held[:, None]
    likeness = _compare(matrix, reference, "reference_z", platform)
    placed = _place(scores, ordered, reference, method="reference_z", same=same, likeness=likeness)
    refusal = ""
    if matrix.scale != reference.scale:
        scores, refusal = np.full_like(scores, np.nan), f"{NO_REFERENCE}: {likeness.no_z}"
    return fill_rows(
        matrix, ordered, scores, judged=judged, method="reference_z", placed=placed, refusal=refusal
    )


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
    ordered = order_signatures(signatures)
    members = find_members(matrix.genes, ordered)
    mean, sd = np.full(len(matrix.genes), np.nan), np.full(len(matrix.genes), np.nan)
    mean[members.rows], spread, n = describe_genes(matrix.values[members.rows])
    sd[members.rows] = np.where(n >= MIN_COHORT, spread, np.nan)
    scores, counts = compute_z_scores(matrix, members, mean=mean, sd=sd)
    judged = judge_coverage(np.array(counts.both), members.sizes, min_coverage)
    samples, refusal = len(matrix.samples), ""
    if samples < MIN_COHORT:
        measured = count_measured(members, np.isfinite(matrix.values[members.rows])).both
        judged = judge_coverage(np.array(measured), members.sizes, min_coverage)
        refusal = f"{samples} samples: a cohort-relative score needs {MIN_COHORT}"
        scores = np.full_like(scores, np.nan)
    small = Flag(np.full(scores.shape, samples < SMALL_COHORT), f"small cohort ({samples} samples)")
    return fill_rows(matrix, ordered, scores, judged=judged, method="cohort_z", flag=small, refusal=refusal)


def order_signatures(signatures: Sequence[Signature]) -> tuple[Signature, ...]:
    """Return signatures in the order of result tables: by mechanism, then by name."""
    return tuple(sorted(signatures, key=lambda signature: (signature.mechanism_id, signature.name)))


def assemble_scores(
    matrix: Matrix,
    signatures: Sequence[Signature],
    scores: Floats,
    *,
    method: str,
    min_coverage: float | None = None,
) -> pl.DataFrame:
    """Return rows of `MechanismScores` without patient_id, of scores that were made elsewhere.

    Parameters
    ----------
    matrix
        Genes and samples that were scored.
    signatures
        Sets, in the order of `order_signatures`.
    scores
        Sets × samples; NaN where there is no score.
    method
        One of `hccresist.explain.results.METHODS`.
    min_coverage
        As in `measure_coverage`.
    """
    members = find_members(matrix.genes, signatures)
    found = count_measured(members, np.isfinite(matrix.values[members.rows])).both
    judged = judge_coverage(np.array(found), members.sizes, min_coverage)
    return fill_rows(matrix, signatures, scores, judged=judged, method=method)


def align_reference(matrix: Matrix, reference: Reference) -> tuple[Floats, Floats]:
    """Return mean and sd of the reference for the genes of a matrix; NaN where it has none."""
    place = {gene: number for number, gene in enumerate(reference.genes)}
    rows = np.array([place.get(gene, -1) for gene in matrix.genes], dtype=np.int64)
    held = rows >= 0
    mean, sd = np.full(rows.size, np.nan), np.full(rows.size, np.nan)
    mean[held], sd[held] = reference.mean[rows[held]], reference.sd[rows[held]]
    return mean, sd


def explain_unlike(matrix: Matrix, reference: Reference, *, platform: str = "") -> str:
    """Say why samples cannot be held against a reference gene by gene; empty where they can.

    Values of another scale or platform have no z: neither a gene nor a set of genes.

    Parameters
    ----------
    matrix, reference
        The expression and the reference.
    platform
        Platform of the samples in the user's words; not compared where either is not told.
    """
    return _compare(matrix, reference, "reference_z", platform).no_z


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


def _place(
    scores: Floats,
    signatures: Sequence[Signature],
    reference: Reference,
    *,
    method: str,
    same: Bools,
    likeness: _Likeness,
) -> Placed:
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
    return Placed(z, percentile, words, word)
