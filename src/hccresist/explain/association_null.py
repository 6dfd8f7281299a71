"""Is a set better than chance? Random sets matched on size and expression say so.

Many sets follow the main axis of a cohort, and would be "associated" with whatever follows it too.
Random sets of the same size, drawn gene by gene from genes of like mean expression, share that axis.

References
----------
Venet D, Dumont JE, Detours V. PLoS Comput Biol 2011;7:e1002240, doi:10.1371/journal.pcbi.1002240
(random signatures and outcome in breast cancer).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from zlib import crc32

import numpy as np

from hccresist.explain.association_survival import Times, score_statistics
from hccresist.explain.association_tests import Bools, Floats, Ints

Scorer: TypeAlias = Callable[[Floats, Ints], Floats]
"""From values (genes × samples) and sets (sets × genes, as rows of the values) to scores (sets × samples)."""

BINS: Final = 20
"""Bins of equal size of mean expression from which matched genes are drawn."""

DRAWS: Final = 1000


def score_mean(values: Floats, sets: Ints) -> Floats:
    """Return the mean value of each set in each sample.

    Given ranks within each sample it is a rank score, given z values a mean z.

    Parameters
    ----------
    values
        Shape = (n_genes, n_samples), none missing.
    sets
        Rows of `values`; shape = (n_sets, n_genes_of_set).

    Returns
    -------
    NDArray
        Shape = (n_sets, n_samples).
    """
    from scipy.sparse import csr_array  # noqa: PLC0415  (the command line starts without SciPy)

    number, size = sets.shape
    starts = np.arange(number + 1) * size
    chosen = csr_array((np.full(sets.size, 1.0 / size), sets.ravel(), starts), shape=(number, len(values)))
    return np.asarray(chosen @ values)


@dataclass(frozen=True, slots=True, kw_only=True)
class NullSets:
    """What the null of random sets is made of.

    Attributes
    ----------
    genes, samples
        Names of rows and columns of `values`.
    values
        What is scored (ranks within samples, or z values), without missing ones; genes × samples.
    level
        Mean expression of each gene, by which genes are matched; shape = (n_genes,).
    sets
        Feature to the genes of its set; genes that `genes` does not hold are left out.
    score
        How a set is scored; `score_mean` by default.
    draws
        Random sets for each feature.
    """

    genes: Sequence[str]
    samples: Sequence[str]
    values: Floats
    level: Floats
    sets: Mapping[str, Sequence[str]]
    score: Scorer = score_mean
    draws: int = DRAWS

    def members(self, feature: str) -> Ints:
        """Return the rows of the genes of a feature's set that are there."""
        place = {gene: at for at, gene in enumerate(self.genes)}
        found = sorted({place[gene] for gene in self.sets.get(feature, ()) if gene in place})
        return np.array(found, dtype=np.int64)

    def scores(self, feature: str, *, seed: int = 0) -> Floats | None:
        """Return the scores of the set itself (row 0) and of the random sets; ``None`` without genes."""
        members = self.members(feature)
        if not len(members):
            return None
        rng = np.random.default_rng([seed, crc32(feature.encode())])
        drawn = draw_matched(self.level, members, draws=self.draws, rng=rng)
        return self.score(self.values, np.vstack([members, drawn]))


def draw_matched(level: Floats, members: Ints, *, draws: int, rng: np.random.Generator) -> Ints:
    """Draw random sets that match a set on size and on the mean expression of its genes.

    Genes are sorted by mean expression and cut into bins of equal size. For each gene of the set one
    is drawn from its bin, without replacement, genes of the set excluded where the bin has enough others.

    Parameters
    ----------
    level
        Mean expression of each gene; shape = (n_genes,).
    members
        Rows of the genes of the set.
    draws
        Random sets wanted.
    rng
        Source of random numbers.

    Returns
    -------
    NDArray
        Rows of the genes drawn; shape = (draws, len(members)).
    """
    order = np.argsort(np.argsort(level, kind="stable"), kind="stable")
    bins = order * min(BINS, len(level)) // len(level)
    columns: list[Ints] = []
    for number in np.unique(bins[members]):
        pool = np.flatnonzero(bins == number)
        wanted = int((bins[members] == number).sum())
        others = np.setdiff1d(pool, members)
        pool = others if len(others) >= wanted else pool
        columns.append(pool[_choose(len(pool), wanted, draws=draws, rng=rng)])
    return np.concatenate(columns, axis=1).astype(np.int64)


def _choose(size: int, wanted: int, *, draws: int, rng: np.random.Generator) -> Ints:
    """Return `wanted` of `size` places without replacement, `draws` times over (Floyd's algorithm)."""
    chosen = np.full((draws, wanted), -1, dtype=np.int64)
    for number, last in enumerate(range(size - wanted, size)):
        place = rng.integers(0, last + 1, draws)
        taken = (chosen[:, :number] == place[:, None]).any(axis=1)
        chosen[:, number] = np.where(taken, last, place)
    return chosen


def compare_classes(scores: Floats, positive: Bools) -> float:
    """Return the share of random sets whose AUC is at least as far from one half as that of row 0."""
    from scipy.stats import rankdata  # noqa: PLC0415

    ranks = rankdata(scores, axis=1)
    m, n = int(positive.sum()), int((~positive).sum())
    auc = (ranks[:, positive].sum(axis=1) - m * (m + 1) / 2) / (m * n)
    return _share(np.abs(auc - 0.5))


def compare_times(scores: Floats, times: Times) -> float:
    """Return the share of random sets whose Cox score statistic is at least that of row 0."""
    return _share(np.abs(score_statistics(times, scores)))


def _share(distance: Floats) -> float:
    """Return (1 + random sets that do as well) / (1 + random sets), which is never 0."""
    as_well = int((distance[1:] >= distance[0] - 1e-12).sum())
    return (1 + as_well) / len(distance)
