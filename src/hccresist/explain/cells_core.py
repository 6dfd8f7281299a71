"""Rank scores of sparse rows, without making them dense.

A row is a cell. With N genes of which z are 0, all zeros share one average rank; only the ranks of the
others are looked up, and only where a set needs them. The score is that of `hccresist.explain.scoring`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hccresist.explain.matrix import Matrix
from hccresist.explain.scoring_core import Bools, Floats, Members, compute_rank_scores, join_halves

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
    members
        Which gene belongs to which set.
    """

    genes: tuple[str, ...]
    columns: NDArray[np.int64]
    place: NDArray[np.int64]
    member: NDArray[np.int64]
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
    cells = rows.shape[0]
    owner = np.repeat(np.arange(cells), np.diff(rows.indptr))
    odd = np.zeros(cells, dtype=bool)
    keep = (universe.place[rows.indices] >= 0) & (rows.data != 0)
    if rows.data.dtype.kind == "f":
        odd[owner[keep & ~np.isfinite(rows.data)]] = True
    data, owner, member = rows.data[keep], owner[keep], universe.member[rows.indices[keep]]
    scores, detected, negative = _score_stored(data, owner, member, _Shape(cells, universe))
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


@dataclass(frozen=True, slots=True)
class _Shape:
    cells: int
    universe: Universe


def _score_stored(
    data: Values, owner: NDArray[np.int64], member: NDArray[np.int64], shape: _Shape
) -> tuple[Floats, NDArray[np.int64], Bools]:
    """Return scores (cells × sets), genes above 0, and where values are below 0.

    From the values of kept genes that are not 0, row by row.
    """
    genes, members = len(shape.universe.genes), shape.universe.members
    stored = np.bincount(owner, minlength=shape.cells)
    negative = np.bincount(owner[data < 0], minlength=shape.cells)
    zeros = genes - stored
    middle = negative + (zeros + 1) / 2.0  # average rank of the zeros; unused where there are none
    wanted = member >= 0
    starts = np.concatenate(([0], np.cumsum(stored)))
    ranks = _rank_stored(data, wanted, starts)
    ranks += np.where(data[wanted] > 0, zeros[owner[wanted]], 0) - middle[owner[wanted]]
    up, down = _sum_members(ranks, owner[wanted], member[wanted], shape)
    up_size, down_size = members.up.sum(axis=1), members.down.sum(axis=1)
    centre = (genes + 1) / 2.0
    with np.errstate(invalid="ignore", divide="ignore"):
        up = (up / up_size[:, None] + middle - centre) / (genes - up_size)[:, None]
        down = (down / down_size[:, None] + middle - centre) / (genes - down_size)[:, None]
    scores = join_halves(members, up, down)
    flat = (stored == 0) | _find_flat(data, starts, zeros)
    return np.where(np.isfinite(scores) & ~flat, scores, np.nan).T.copy(), stored - negative, negative > 0


def _rank_stored(data: Values, wanted: Bools, starts: NDArray[np.int64]) -> Floats:
    """Return average ranks of the wanted values among the values of their row, from 1 (lowest)."""
    ends = np.concatenate(([0], np.cumsum(wanted)))
    asked = data[wanted]
    ranks = np.empty(asked.size)
    bounds, places = starts.tolist(), ends[starts].tolist()
    for first, last, low, high in zip(bounds, bounds[1:], places, places[1:], strict=False):
        held = data[first:last].copy()
        held.sort()
        values = asked[low:high]
        ranks[low:high] = held.searchsorted(values, "left")
        ranks[low:high] += held.searchsorted(values, "right")
    return (ranks + 1.0) / 2.0


def _find_flat(data: Values, starts: NDArray[np.int64], zeros: NDArray[np.int64]) -> Bools:
    """Return rows without zeros whose values are all the same."""
    flat = zeros == 0
    for row in np.flatnonzero(flat).tolist():
        held = data[starts[row] : starts[row + 1]]
        flat[row] = bool((held == held[0]).all()) if held.size else True
    return flat


def _sum_members(
    ranks: Floats, owner: NDArray[np.int64], member: NDArray[np.int64], shape: _Shape
) -> tuple[Floats, Floats]:
    """Return sums of ranks over the halves of each set, sets × cells."""
    from scipy.sparse import csr_array  # noqa: PLC0415

    members = shape.universe.members
    starts = np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=shape.cells))))
    table = csr_array((ranks, member, starts), shape=(shape.cells, members.rows.size))
    return tuple((table @ half.T.tocsr()).toarray().T for half in (members.up, members.down))
