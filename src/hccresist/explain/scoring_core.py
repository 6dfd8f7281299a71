"""The arithmetic of set scores: who is a member, who was measured, mean ranks and mean z.

Nothing here knows of tables. Arrays are sets × samples unless said otherwise; NaN in a matrix means
that the gene was not measured in that sample.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hccresist.explain.matrix import Matrix
from hccresist.explain.signatures import Signature

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MIN_GENES: Final = 5
"""Genes below which a set is not scored."""
MIN_COVERAGE: Final = 0.25
"""Share of the genes of a set below which it is not scored."""
_THREADS: Final = 2
_BLOCK: Final = 16

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Members:
    """Which genes belong to which set: rows of `used` genes only.

    Attributes
    ----------
    rows
        Rows of the matrix that any set needs, ascending.
    up, down
        Sets × `rows`, 1 where the gene belongs to that half.
    sizes
        Genes of each set, measured or not.
    has_up, has_down
        Which halves a set has.
    """

    rows: NDArray[np.int64]
    up: csr_array
    down: csr_array
    sizes: NDArray[np.int64]
    has_up: Bools
    has_down: Bools


def find_members(genes: Sequence[str], signatures: Sequence[Signature]) -> Members:
    """Return which genes of a matrix belong to which set."""
    place = {gene: number for number, gene in enumerate(genes)}
    rows = np.array(sorted({place[g] for s in signatures for g in s.genes if g in place}), dtype=np.int64)
    column = {int(row): number for number, row in enumerate(rows)}

    def half(lists: Sequence[tuple[str, ...]]) -> csr_array:
        from scipy.sparse import csr_array  # noqa: PLC0415

        pairs = [
            (number, column[place[gene]])
            for number, listed in enumerate(lists)
            for gene in listed
            if gene in place
        ]
        sets, members = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        ones = np.ones(len(pairs), dtype=np.float64)
        return csr_array((ones, (sets, members)), shape=(len(lists), len(rows)))

    return Members(
        rows=rows,
        up=half([s.up for s in signatures]),
        down=half([s.down for s in signatures]),
        sizes=np.array([len(s.genes) for s in signatures], dtype=np.int64),
        has_up=np.array([bool(s.up) for s in signatures], dtype=bool),
        has_down=np.array([bool(s.down) for s in signatures], dtype=bool),
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """Genes of each half that were measured, sets × samples (one column where no value is missing)."""

    up: Floats
    down: Floats

    @property
    def both(self) -> Floats:
        """Genes of the whole set that were measured."""
        return self.up + self.down


def count_measured(members: Members, measured: Bools) -> Counts:
    """Count the measured genes of each set; `measured` is used genes × samples."""
    if measured.all():
        one = np.ones((measured.shape[0], 1))
        shape = (members.sizes.size, measured.shape[1])
        return Counts(np.broadcast_to(members.up @ one, shape), np.broadcast_to(members.down @ one, shape))
    mask = measured.astype(np.float64)
    return Counts(members.up @ mask, members.down @ mask)


def average_halves(members: Members, values: Floats, counts: Counts) -> tuple[Floats, Floats]:
    """Return the mean of `values` (used genes × samples) over each half; NaN where there is no gene."""
    held = np.nan_to_num(values, nan=0.0) if np.isnan(values).any() else values
    with np.errstate(invalid="ignore", divide="ignore"):
        return (members.up @ held) / counts.up, (members.down @ held) / counts.down


def join_halves(members: Members, up: Floats, down: Floats) -> Floats:
    """Return up, minus down, or half their difference where a set has both halves.

    NaN where a half that the set has was not measured at all.
    """
    both = (members.has_up & members.has_down)[:, None]
    only_up = (members.has_up & ~members.has_down)[:, None]
    return np.where(both, (up - down) / 2.0, np.where(only_up, up, -down))


def rank_members(values: Floats, rows: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    """Return average ranks of some genes among all measured genes of their sample, and how many there are.

    Parameters
    ----------
    values
        Genes × samples.
    rows
        Genes wanted.

    Returns
    -------
    ranks
        ``rows`` × samples, from 1 (lowest); ties share the mean of their ranks; NaN where not measured.
    totals
        Measured genes of each sample.
    """
    totals = np.isfinite(values).sum(axis=0)
    ranks = np.empty((rows.size, values.shape[1]))

    def fill(start: int) -> None:
        block = np.ascontiguousarray(values[:, start : start + _BLOCK].T)
        wanted = block[:, rows]
        block.sort(axis=1)
        for offset, column in enumerate(wanted):
            held = block[offset, : totals[start + offset]]
            ranks[:, start + offset] = _rank_among(held, column)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(fill, range(0, values.shape[1], _BLOCK)))
    return ranks, totals


def _rank_among(held: Floats, wanted: Floats) -> Floats:
    """Return the average rank of each value among sorted values that hold it; NaN stays NaN."""
    order = np.argsort(wanted)  # looking up in order is several times faster
    ascending = wanted[order]
    low = np.searchsorted(held, ascending, side="left")
    high = low + 1
    tied = np.flatnonzero(held[np.minimum(high, held.size - 1)] == ascending) if held.size else low[:0]
    high[tied] = np.searchsorted(held, ascending[tied], side="right")
    ranks = np.empty(wanted.size)
    ranks[order] = np.where(np.isnan(ascending), np.nan, (low + high + 1) / 2.0)
    return ranks


def compute_rank_scores(matrix: Matrix, members: Members) -> tuple[Floats, Counts, NDArray[np.int64]]:
    """Return rank scores, measured genes of each set, and measured genes of each sample.

    For one half with k of the N measured genes of a sample, and mean rank m, the score is
    (m - (N + 1) / 2) / (N - k): 0.5 where its genes are the k highest, -0.5 where they are the k lowest.
    """
    ranks, totals = rank_members(matrix.values, members.rows)
    counts = count_measured(members, np.isfinite(ranks))
    up, down = average_halves(members, ranks, counts)
    middle = (totals + 1) / 2.0
    with np.errstate(invalid="ignore", divide="ignore"):
        up = (up - middle) / (totals - counts.up)
        down = (down - middle) / (totals - counts.down)
    scores = join_halves(members, up, down)
    return np.where(np.isfinite(scores), scores, np.nan), counts, totals


def compute_z_scores(matrix: Matrix, members: Members, *, mean: Floats, sd: Floats) -> tuple[Floats, Counts]:
    """Return mean z of each set, and measured genes; genes without a mean or spread count as not measured.

    Parameters
    ----------
    matrix, members
        The matrix, and the members of the sets.
    mean, sd
        Of each gene of the matrix in the reference; NaN or a spread of 0 where it cannot serve.
    """
    rows = members.rows
    spread = np.where(sd[rows] > 0, sd[rows], np.nan)
    z = (matrix.values[rows] - mean[rows][:, None]) / spread[:, None]
    counts = count_measured(members, np.isfinite(z))
    up, down = average_halves(members, z, counts)
    scores = join_halves(members, up, down)
    return np.where(np.isfinite(scores), scores, np.nan), counts


def describe_genes(values: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return mean, standard deviation (n - 1) and number of values of each gene, without NaN."""
    measured = np.isfinite(values)
    n = measured.sum(axis=1)
    held = np.where(measured, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = held.sum(axis=1) / n
        apart = np.where(measured, values - mean[:, None], 0.0)
        sd = np.sqrt((apart * apart).sum(axis=1) / (n - 1))
    tiny = sd <= 1e-9 * np.maximum(1.0, np.abs(mean))
    return mean, np.where((n < 2) | tiny, np.nan, sd), n


def hash_names(names: Iterable[str]) -> str:
    """Return a short fingerprint of names in their order."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
