"""The arithmetic of nearest templates: cosine distances, and a null of random genes.

Nothing here knows of tables. Arrays are genes × samples, draws × samples or samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hccresist.explain.scoring_core import Bools, Floats

_SAME: Final = 1e-12
_BLOCK: Final = 256

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Nearest:
    """Nearest template of each sample.

    Attributes
    ----------
    place
        Number of the nearest template; 0 where there is no distance.
    distance
        Cosine distance from it, 0 to 2; NaN where nothing varies.
    p
        Share of random sets of genes whose nearest template is as near or nearer.
    """

    place: Rows
    distance: Floats
    p: Floats


def draw_orders(genes: int, *, draws: int, seed: int) -> NDArray[np.int32]:
    """Return random orders of genes, draws × genes; a draw takes the first of them that are measured."""
    orders = np.tile(np.arange(genes, dtype=np.int32), (draws, 1))
    return np.random.default_rng(seed).permuted(orders, axis=1, out=orders)


def find_nearest(z: Floats, templates: Sequence[Rows], orders: NDArray[np.int32], *, signed: bool) -> Nearest:
    """Return the nearest template of each sample, and its p among random genes of the same sample.

    1. A template has 1 at the genes of its class and 0 (``signed``: -1) at those of the others.
    2. The distance is 1 - cosine, over the genes that were measured in the sample.
    3. A draw takes as many random measured genes, without return, in the places of each class; its
       distance is that of its own nearest template.
    4. p = (1 + draws as near or nearer) / (1 + draws).

    Parameters
    ----------
    z
        Standardised expression, genes × samples; NaN where not measured.
    templates
        Rows of `z` that belong to each class; no row is in two.
    orders
        Of `draw_orders`.
    signed
        Genes of the other classes count against a class.
    """
    measured = np.isfinite(z)
    held = np.where(measured, z, 0.0)
    place = np.zeros(z.shape[1], dtype=np.int64)
    distance, p = np.full(z.shape[1], np.nan), np.full(z.shape[1], np.nan)
    for samples in _group_alike(measured):
        mask = measured[:, samples[0]]
        kept = [rows[mask[rows]] for rows in templates]
        if not all(rows.size for rows in kept):
            continue
        values = held[:, samples]
        own = _measure(values, [rows[None, :] for rows in kept], signed=signed)[:, 0]
        place[samples], distance[samples] = own.argmin(axis=0), own.min(axis=0)
        null = _measure(values, _draw(orders, mask, [rows.size for rows in kept]), signed=signed).min(axis=0)
        nearer = (null <= distance[samples] + _SAME).sum(axis=0)
        p[samples] = (1.0 + nearer) / (1.0 + orders.shape[0])
    nothing = ~np.isfinite(distance)
    place[nothing], p[nothing] = 0, np.nan
    return Nearest(place, distance, p)


def _group_alike(measured: Bools) -> list[Rows]:
    """Return samples grouped by which genes they have, in blocks that fit in memory."""
    groups: dict[bytes, list[int]] = {}
    for number, column in enumerate(np.packbits(measured, axis=0).T):
        groups.setdefault(column.tobytes(), []).append(number)
    return [
        np.array(group[start : start + _BLOCK])
        for group in groups.values()
        for start in range(0, len(group), _BLOCK)
    ]


def _draw(orders: NDArray[np.int32], mask: Bools, sizes: Sequence[int]) -> list[NDArray[np.int32]]:
    """Return rows drawn for each class, draws × size: the first measured genes of each random order."""
    wanted, draws = sum(sizes), orders.shape[0]
    width = min(orders.shape[1], int(1.2 * wanted / mask.mean()) + 64)
    there = mask[orders[:, :width]]
    if int(there.sum(axis=1).min()) < wanted:
        width, there = orders.shape[1], mask[orders]
    keep = there & (np.cumsum(there, axis=1) <= wanted)
    taken = orders[:, :width][keep].reshape(draws, wanted)
    return np.split(taken, np.cumsum(sizes)[:-1], axis=1)


def _measure(values: Floats, rows: Sequence[NDArray[np.integer]], *, signed: bool) -> Floats:
    """Return cosine distances, classes × draws × samples, of the genes in `rows` (draws × size a class)."""
    sums = np.stack([_sum_rows(values, taken) for taken in rows])
    squares = values * values
    length = np.sqrt(sum(_sum_rows(squares, taken) for taken in rows))
    sizes = np.array([taken.shape[1] for taken in rows], dtype=np.float64)
    against = sums.sum(axis=0) - sums if signed else 0.0
    norms = np.sqrt(np.full(sizes.size, sizes.sum()) if signed else sizes)
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1.0 - (sums - against) / (norms[:, None, None] * length)


def _sum_rows(values: Floats, rows: NDArray[np.integer]) -> Floats:
    """Return sums of rows of `values`, draws × samples."""
    from scipy.sparse import csr_array  # noqa: PLC0415

    draws, size = rows.shape
    starts = np.arange(draws + 1) * size
    ones = np.ones(rows.size)
    return csr_array((ones, rows.ravel(), starts), shape=(draws, values.shape[0])) @ values


def adjust_fdr(p: Floats) -> Floats:
    """Return Benjamini–Hochberg q of p values; NaN stays NaN and is not counted."""
    q = np.full(p.shape, np.nan)
    held = np.flatnonzero(np.isfinite(p))
    order = held[np.argsort(-p[held], kind="stable")]
    ranks = np.arange(held.size, 0, -1)
    q[order] = np.minimum(1.0, np.minimum.accumulate(p[order] * held.size / ranks))
    return q
