"""Scores of gene sets in plain Python, one tumour and one gene at a time, written from the definition.

No part of the package is used. A matrix is a dictionary of gene to a list of values, None where the
gene was not measured.
"""

from __future__ import annotations

import math

Table = dict[str, list[float | None]]


def average_rank(value: float, values: list[float]) -> float:
    below = sum(other < value for other in values)
    equal = sum(other == value for other in values)
    return below + (equal + 1) / 2


def rank_half(table: Table, genes: list[str], sample: int) -> float | None:
    column = {gene: row[sample] for gene, row in table.items()}
    measured = [value for value in column.values() if value is not None]
    ranks = [average_rank(column[g], measured) for g in genes if g in column and column[g] is not None]
    if not ranks or len(ranks) == len(measured):
        return None
    middle = (len(measured) + 1) / 2
    return (sum(ranks) / len(ranks) - middle) / (len(measured) - len(ranks))


def mean_and_sd(values: list[float]) -> tuple[float, float] | None:
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return (mean, math.sqrt(variance)) if variance > 1e-18 else None


def z_half(
    table: Table, genes: list[str], sample: int, frozen: dict[str, tuple[float, float]]
) -> float | None:
    zs = [
        (table[gene][sample] - frozen[gene][0]) / frozen[gene][1]
        for gene in genes
        if gene in table and gene in frozen and table[gene][sample] is not None
    ]
    return math.fsum(zs) / len(zs) if zs else None


def join(up: list[str], down: list[str], up_score: float | None, down_score: float | None) -> float | None:
    if up and down:
        return None if up_score is None or down_score is None else (up_score - down_score) / 2
    if up:
        return up_score
    return None if down_score is None else -down_score


def enough(found: int, size: int, min_coverage: float | None) -> bool:
    if min_coverage is None:
        return found >= 5 and found / size >= 0.25
    return found >= (1 if min_coverage < 0.25 else 5) and found / size >= min_coverage - 1e-12


def found(table: Table, genes: list[str], sample: int) -> int:
    return sum(gene in table and table[gene][sample] is not None for gene in genes)


def score_rank(
    table: Table, up: list[str], down: list[str], *, sample: int, min_coverage: float | None = None
) -> float | None:
    if not enough(found(table, up + down, sample), len(up + down), min_coverage):
        return None
    return join(up, down, rank_half(table, up, sample), rank_half(table, down, sample))


def score_z(
    table: Table,
    up: list[str],
    down: list[str],
    *,
    sample: int,
    frozen: dict[str, tuple[float, float]],
    min_coverage: float | None = None,
) -> float | None:
    useful = {gene: row for gene, row in table.items() if gene in frozen}
    if not enough(found(useful, up + down, sample), len(up + down), min_coverage):
        return None
    return join(up, down, z_half(useful, up, sample, frozen), z_half(useful, down, sample, frozen))


def freeze(table: Table, *, at_least: int) -> dict[str, tuple[float, float]]:
    frozen = {}
    for gene, row in table.items():
        values = [value for value in row if value is not None]
        described = mean_and_sd(values) if len(values) >= at_least else None
        if described is not None:
            frozen[gene] = described
    return frozen
