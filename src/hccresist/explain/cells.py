"""Rank scores of single cells, in blocks, so that a file may be far larger than memory.

The score is the rank score of `hccresist.explain.scoring`, made from one cell and nothing else:

1. Columns of the file that stand for an approved gene are ranked; names are resolved, and of several
   columns of one gene the one that bears the symbol most closely counts, among those the first.
2. All genes that are 0 in a cell share one average rank. Any scale that keeps the order within a cell
   gives the same score: counts, normalised counts, their logarithms.
3. A set is scored where 5 genes and 25 % of it are columns of the file.
4. A cell without any detected gene has no score. A value that is not finite is not measured in its cell.

A cell in which few genes were detected has scores near 0 whatever it is: `genes` says how many were.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.errors import ConfigError
from hccresist.explain.cells_core import Scored, Universe, score_dense, score_sparse
from hccresist.explain.cells_source import CellSource, open_cells
from hccresist.explain.genes import read_genes
from hccresist.explain.matrix import STANDING, Matrix
from hccresist.explain.results import GeneReport
from hccresist.explain.scoring import measure_coverage
from hccresist.explain.scoring_core import find_members
from hccresist.explain.scoring_tables import judge_coverage
from hccresist.explain.signatures import Signature, select_signatures
from hccresist.study.issues import IssueLog

if TYPE_CHECKING:
    from anndata import AnnData

CHUNK: Final = 4_096
"""Cells of a block."""
CELL: Final = "cell_id"
DETECTED: Final = "genes"
MIN_KNOWN: Final = 0.1
"""Share of columns that must stand for a human gene; below that the names are not those of genes."""

Progress = Callable[[int, int], None]
"""Told cells done and cells in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellScores:
    """What was scored.

    Attributes
    ----------
    cells, genes
        Number of cells, and of genes that were ranked.
    sets
        Sets that were scored: columns of the scores, in the order of their names.
    coverage
        Table `Coverage` of `hccresist.explain.results`.
    gene_report
        Table `GeneReport`: columns of the file that were not taken as they stood.
    notices
        Sentences for the user.
    scores
        One row a cell: ``cell_id``, ``genes`` (detected), one Float32 column a set; nothing where they
        were written to a file.
    """

    cells: int
    genes: int
    sets: tuple[str, ...]
    coverage: pl.DataFrame
    gene_report: pl.DataFrame
    notices: tuple[str, ...]
    scores: pl.DataFrame | None = None


def score_cells(
    source: Path | AnnData,
    signatures: Sequence[Signature],
    *,
    out: Path | None = None,
    method: Literal["rank"] = "rank",
    chunk: int = CHUNK,
    min_coverage: float | None = None,
    layer: str | None = None,
    gene_column: str | None = None,
    progress: Progress | None = None,
) -> CellScores:
    """Score every cell by the ranks of its own genes.

    Parameters
    ----------
    source
        An ``.h5ad`` file, or an AnnData object: dense or sparse, in memory or backed.
    signatures
        Sets; those of kind ``mechanism`` and ``own`` are scored.
    out
        Parquet file to write block by block; it bears its name only when it is whole. Without it the
        scores come back in memory.
    method
        ``rank`` is the only one: it needs no other cell.
    chunk
        Cells of a block at most.
    min_coverage
        Share of a set that must be there, in place of 25 %, as in `hccresist.explain.scoring`.
    layer
        Layer in place of ``X``; ``raw`` stands for ``raw.X``.
    gene_column
        Column of ``var`` with names of genes, in place of its index.
    progress
        Called after each block.

    Returns
    -------
    CellScores
        Coverage, what was lost, and the scores where `out` is not given.

    Raises
    ------
    InputError
        When the file cannot be read, its genes are unknown, or no set can be scored.
    ConfigError
        When an option is wrong or the extra ``omics`` is not installed.
    """
    if method != "rank":
        msg = f"method is {method!r}; cells are scored by rank"
        raise ConfigError(msg)
    if chunk < 1:
        msg = f"chunk is {chunk}; it must be 1 or more"
        raise ConfigError(msg)
    wanted = sorted(select_signatures(signatures), key=lambda signature: signature.name)
    _check_names(wanted)
    with open_cells(source, layer=layer, gene_column=gene_column) as cells:
        found = _resolve(cells)
        coverage, kept = _judge_sets(cells, found, wanted, min_coverage)
        job = _Job(cells, _build_universe(cells, found, kept), [s.name for s in kept], min_coverage)
        frames, tally = list[pl.DataFrame](), _Tally()
        if out is None:
            _score_blocks(job, chunk, tally, frames.append, progress)
        else:
            _write_blocks(job, chunk, tally, out, progress)
    return CellScores(
        cells=len(cells.names),
        genes=len(job.universe.genes),
        sets=tuple(job.sets),
        coverage=coverage,
        gene_report=_report_genes(found),
        notices=(*_tell_names(cells), *_tell_genes(found), *tally.tell()),
        scores=pl.concat(frames) if out is None else None,
    )


def _check_names(wanted: Sequence[Signature]) -> None:
    """Refuse sets that cannot each be a column."""
    names = [CELL, DETECTED, *(signature.name for signature in wanted)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"each set needs a name of its own, other than {CELL} and {DETECTED}: {', '.join(twice)}"
        raise ConfigError(msg)


def _resolve(cells: CellSource) -> pl.DataFrame:
    """Return one row a column of the file: given, symbol, how, note, column, taken."""
    if not len(cells.names):
        issues = IssueLog()
        issues.error("no-cells", "there are no cells", file=cells.name, hint="Give at least one.")
        issues.raise_if_errors()
    names = read_genes().resolve(list(cells.columns)).with_row_index("column")
    standing = pl.col("how").replace_strict(STANDING, default=9, return_dtype=pl.Int8)
    first = pl.struct(standing, "column").rank("ordinal").over("symbol") == 1
    found = names.with_columns(taken=pl.col("symbol").is_not_null() & first)
    known = found["symbol"].is_not_null().mean()
    if not isinstance(known, float) or known < MIN_KNOWN:
        issues = IssueLog()
        others = ", ".join(cells.others[:8])
        hint = "Name the column of var that holds symbols or Ensembl genes of human."
        issues.error(
            "unknown-genes",
            f"fewer than {MIN_KNOWN:.0%} of the columns are genes that are known",
            file=cells.name,
            found=", ".join(cells.columns[:3]),
            hint=f"{hint} There are: {others}." if others else hint,
        )
        issues.raise_if_errors()
    return found


def _judge_sets(
    cells: CellSource, found: pl.DataFrame, wanted: Sequence[Signature], min_coverage: float | None
) -> tuple[pl.DataFrame, list[Signature]]:
    """Return the table of coverage, and the sets that can be scored."""
    genes = tuple(found.filter("taken")["symbol"].sort().to_list())
    there = Matrix(genes=genes, samples=("",), values=np.ones((len(genes), 1)), scale="")
    coverage = measure_coverage(there, wanted, min_coverage=min_coverage).table
    scored = set(coverage.filter("scored")["set"].to_list())
    kept = [signature for signature in wanted if signature.name in scored]
    if not kept:
        issues = IssueLog()
        issues.error(
            "no-set",
            f"none of the {len(wanted)} sets has enough genes among the {len(genes):,} of the file",
            file=cells.name,
            hint="Give sets of genes that are there, or --min-coverage.",
        )
        issues.raise_if_errors()
    return coverage, kept


def _build_universe(cells: CellSource, found: pl.DataFrame, kept: Sequence[Signature]) -> Universe:
    taken = found.filter("taken").sort("symbol")
    genes = tuple(taken["symbol"].to_list())
    columns = taken["column"].to_numpy().astype(np.int64)
    members = find_members(genes, kept)
    place = np.full(len(cells.columns), -1, dtype=np.int64)
    place[columns] = np.arange(columns.size)
    member = np.full(len(cells.columns), -1, dtype=np.int32)
    member[columns[members.rows]] = np.arange(members.rows.size)
    return Universe(genes, columns, place, member, columns.size == place.size, members)


@dataclass(frozen=True, slots=True)
class _Job:
    cells: CellSource
    universe: Universe
    sets: list[str]
    min_coverage: float | None


@dataclass(slots=True)
class _Tally:
    """What is counted on the way."""

    empty: int = 0
    negative: int = 0
    odd: int = 0

    def tell(self) -> list[str]:
        """Return what the user must know."""
        texts = {
            "without a score, as no gene was detected or all values are the same": self.empty,
            "with values below 0, as scaled values have: genes then compare by their place among the "
            "cells, not by how much of them there is": self.negative,
            "with values that are not finite: those genes are not measured there": self.odd,
        }
        return [f"{n:,} cell{'s' * (n > 1)} {text}" for text, n in texts.items() if n]


def _score_blocks(
    job: _Job,
    chunk: int,
    tally: _Tally,
    take: Callable[[pl.DataFrame], Any],
    progress: Progress | None,
) -> None:
    for first, last in job.cells.plan(chunk):
        take(_score_block(job, first, last, tally))
        if progress is not None:
            progress(last, len(job.cells.names))


def _score_block(job: _Job, first: int, last: int, tally: _Tally) -> pl.DataFrame:
    block = job.cells.read(first, last)
    dense = isinstance(block, np.ndarray)
    made = score_dense(block, job.universe) if dense else score_sparse(block, job.universe)
    scores = _refuse_thin(made, job)
    tally.empty += int(np.isnan(made.scores).all(axis=1).sum())
    tally.negative += int(made.negative.sum())
    tally.odd += int(made.odd.sum())
    return _make_rows(job, scores, job.cells.names[first:last].tolist(), made.detected)


def _make_rows(
    job: _Job, scores: NDArray[np.float32], names: list[str], detected: NDArray[np.int64]
) -> pl.DataFrame:
    columns = {name: scores[:, number] for number, name in enumerate(job.sets)}
    return pl.DataFrame(
        {
            CELL: pl.Series(names, dtype=pl.String),
            DETECTED: pl.Series(detected, dtype=pl.Int32),
            **{name: pl.Series(held, dtype=pl.Float32).fill_nan(None) for name, held in columns.items()},
        }
    )


def _refuse_thin(made: Scored, job: _Job) -> NDArray[np.float32]:
    """Return scores; none where a cell has too few measured genes of a set."""
    scores = made.scores.astype(np.float32)
    if made.found is not None:
        judged = judge_coverage(made.found, job.universe.members.sizes, job.min_coverage)
        scores[judged.refused.T] = np.nan
    return scores


def _write_blocks(job: _Job, chunk: int, tally: _Tally, out: Path, progress: Progress | None) -> None:
    """Write the scores; the file bears its name only when it is whole."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    part = out.with_name(f".{out.name}.part")
    schema = (
        _make_rows(job, np.empty((0, len(job.sets)), np.float32), [], np.empty(0, np.int64)).to_arrow().schema
    )
    try:
        with pq.ParquetWriter(part, schema, compression="zstd") as writer:
            _score_blocks(
                job, chunk, tally, lambda rows: writer.write_table(rows.to_arrow().cast(schema)), progress
            )
        part.replace(out)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _report_genes(found: pl.DataFrame) -> pl.DataFrame:
    """Return one row a column of the file that was not taken as it stood."""
    left = pl.when(pl.col("symbol").is_null()).then(pl.lit("left out"))
    other = pl.lit("left out: another column stands for the gene more closely or before it")
    done = left.when(~pl.col("taken")).then(other).otherwise(pl.lit("taken as ") + pl.col("symbol"))
    twice = pl.col("symbol").is_not_null() & ~pl.col("taken")
    told = found.filter(~pl.col("taken") | (pl.col("given") != pl.col("symbol")))
    return GeneReport.validate(
        told.select(
            "given",
            "symbol",
            pl.when(twice).then(pl.lit("duplicate")).otherwise("how").alias("how"),
            pl.concat_str(done, "note", separator="; ", ignore_nulls=True).alias("note"),
        )
        .unique("given", keep="first", maintain_order=True)
        .sort("given"),
        cast=True,
    )


def _tell_names(cells: CellSource) -> list[str]:
    twice = len(cells.names) - len(set(cells.names.tolist()))
    return (
        [f"{twice:,} cells bear the name of another cell: rows are in the order of the file"] if twice else []
    )


def _tell_genes(found: pl.DataFrame) -> list[str]:
    lost = int(found["symbol"].is_null().sum())
    twice = found.height - lost - int(found["taken"].sum())
    told: list[str] = []
    if lost:
        told.append(f"{lost:,} of {found.height:,} columns are no known gene and were not ranked")
    if twice:
        told.append(
            f"{twice:,} columns stand for a gene that another column stands for too and were not ranked"
        )
    return told
