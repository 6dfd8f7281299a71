"""Rank scores of sparse rows, without making them dense.

A row is a cell. With N genes of which z are 0, all zeros share one average rank; only the ranks of the
others are looked up, and only where a set needs them. The score is that of `hccresist.explain.scoring`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hccresist.explain.matrix import Matrix
from hccresist.explain.scoring_core import Bools, Floats, Members, compute_rank_scores, join_halves

_STRIP: Final = 256
"""Rows that are worked on at a time: they stay in the cache."""

Values = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Universe:
    """Columns of the file that are ranked, and where the sets find their genes.

    Attributes
    ----------
    genes
        Approved symbols, sorted.
    columns
        Column of the file for each of them.
    place
        For each column of the file: its number among `genes`, or -1.
    member
        For each column of the file: its number among the rows of `members`, or -1.
    whole
        Every column is ranked.
    members
        Which gene belongs to which set.
    """

    genes: tuple[str, ...]
    columns: NDArray[np.int64]
    place: NDArray[np.int64]
    member: NDArray[np.int32]
    whole: bool
    members: Members


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of a block of cells.

    Attributes
    ----------
    scores
        Cells × sets; NaN where there is none.
    detected
        Genes above 0 in each cell.
    negative
        Cells with values below 0.
    odd
        Cells with values that are not finite.
    found
        Measured genes, sets × cells; nothing where every gene was measured in every cell.
    """

    scores: Floats
    detected: NDArray[np.int64]
    negative: Bools
    odd: Bools
    found: Floats | None = None


def score_dense(values: Values, universe: Universe) -> Scored:
    """Score cells × columns of a file; values that are not finite count as not measured."""
    held = values[:, universe.columns].astype(np.float64)
    measured: Bools = np.isfinite(held)
    held[~measured] = np.nan
    cells = tuple(map(str, range(held.shape[0])))
    matrix = Matrix(genes=universe.genes, samples=cells, values=np.ascontiguousarray(held.T), scale="")
    scores, counts, _ = compute_rank_scores(matrix, universe.members)
    with np.errstate(invalid="ignore"):
        detected = (held > 0).sum(axis=1)
        negative: Bools = np.any(held < 0, axis=1)
        flat = np.fmin.reduce(held, axis=1) == np.fmax.reduce(held, axis=1)
    scores = scores.T.copy()
    scores[flat] = np.nan
    odd: Bools = ~np.all(measured, axis=1)
    return Scored(scores, detected, negative, odd, np.array(counts.both) if odd.any() else None)


def score_sparse(rows: Any, universe: Universe) -> Scored:  # noqa: ANN401  (scipy's csr_array)
    """Score the rows of a sparse matrix, cells × columns of a file.

    What is not stored is 0. Rows that hold a value that is not finite go through `score_dense`.
    """
    cells, starts = int(rows.shape[0]), rows.indptr.astype(np.int64)
    parts = [
        _score_strip(
            rows.data[starts[first] : starts[last]],
            rows.indices[starts[first] : starts[last]],
            starts[first : last + 1] - starts[first],
            universe,
        )
        for first in range(0, cells, _STRIP)
        for last in (min(first + _STRIP, cells),)
    ]
    scores, detected, negative, odd = (np.concatenate(part) for part in zip(*parts, strict=True))
    if not odd.any():
        return Scored(scores, detected, negative, odd)
    numbers = np.flatnonzero(odd)
    dense = score_dense(rows[numbers].toarray(), universe)
    scores[numbers], detected[numbers], negative[numbers] = dense.scores, dense.detected, dense.negative
    whole = (universe.members.up.sum(axis=1) + universe.members.down.sum(axis=1)).astype(np.float64)
    found = np.repeat(whole[:, None], cells, axis=1)
    if dense.found is not None:
        found[:, numbers] = dense.found
    return Scored(scores, detected, negative, odd, found)


_Strip = tuple[Floats, NDArray[np.int64], Bools, Bools]


def _score_strip(
    data: Values, columns: NDArray[Any], starts: NDArray[np.int64], universe: Universe
) -> _Strip:
    """Return scores (cells × sets), genes above 0, where values are below 0, and where not finite."""
    cells = starts.size - 1
    keep = (data != 0) if universe.whole else (data != 0) & (universe.place[columns] >= 0)
    if not keep.all():
        data, columns, starts = data[keep], columns[keep], _count_before(keep)[starts]
    odd = _find_rows(~np.isfinite(data), starts) if data.dtype.kind == "f" else np.zeros(cells, dtype=bool)
    below = _count_before(data < 0) if data.size and np.fmin.reduce(data) < 0 else None
    negative = np.zeros(cells, dtype=np.int64) if below is None else np.diff(below[starts])
    stored = np.diff(starts)
    zeros = len(universe.genes) - stored
    member = universe.member[columns]
    wanted = member >= 0
    places = _count_before(wanted)[starts]
    # all zeros have the average rank `middle`; ranks of the others are told from there
    middle = negative + (zeros + 1) / 2.0
    owner = np.repeat(np.arange(cells), np.diff(places))
    asked = data[wanted]
    ranks = _rank_stored(data, asked, starts.tolist(), places.tolist())
    ranks += np.where(asked > 0, zeros[owner], 0) - middle[owner]
    scores = _average(ranks, member[wanted], places, middle, universe)
    scores[(stored == 0) | _find_flat(data, starts, zeros)] = np.nan
    return scores, stored - negative, negative > 0, odd


def _count_before(where: Bools) -> NDArray[np.int64]:
    """Return how many are true before each place, and in all."""
    counts = np.zeros(where.size + 1, dtype=np.int64)
    np.cumsum(where, out=counts[1:])
    return counts


def _find_rows(where: Bools, starts: NDArray[np.int64]) -> Bools:
    """Return rows in which any is true."""
    if not where.any():
        return np.zeros(starts.size - 1, dtype=bool)
    return np.diff(_count_before(where)[starts]) > 0


def _rank_stored(data: Values, asked: Values, starts: list[int], places: list[int]) -> Floats:
    """Return average ranks of the asked values among the values of their row, from 1 (lowest)."""
    ranks = np.empty(asked.size)
    for first, last, low, high in zip(starts, starts[1:], places, places[1:], strict=False):
        held = data[first:last].copy()
        held.sort()
        values = asked[low:high]
        ranks[low:high] = held.searchsorted(values, "left")
        ranks[low:high] += held.searchsorted(values, "right")
    return (ranks + 1.0) / 2.0


def _average(
    ranks: Floats,
    member: NDArray[Any],
    places: NDArray[np.int64],
    middle: Floats,
    universe: Universe,
) -> Floats:
    """Return scores, cells × sets, from ranks of set genes as told from the average rank of the zeros."""
    from scipy.sparse import csr_array  # noqa: PLC0415

    members, genes = universe.members, len(universe.genes)
    table = csr_array((ranks, member, places), shape=(middle.size, members.rows.size))
    halves: list[Floats] = []
    for half in (members.up, members.down):
        size = half.sum(axis=1)[:, None]
        sums = (table @ half.T.tocsr()).toarray().T
        with np.errstate(invalid="ignore", divide="ignore"):
            halves.append((sums / size + middle - (genes + 1) / 2.0) / (genes - size))
    scores = join_halves(members, *halves).T.copy()
    scores[~np.isfinite(scores)] = np.nan
    return scores


def _find_flat(data: Values, starts: NDArray[np.int64], zeros: NDArray[np.int64]) -> Bools:
    """Return rows without zeros whose values are all the same."""
    flat = zeros == 0
    for row in np.flatnonzero(flat).tolist():
        held = data[starts[row] : starts[row + 1]]
        flat[row] = bool((held == held[0]).all()) if held.size else True
    return flat
