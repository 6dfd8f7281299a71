"""Command ``cells``: how far each mechanism is switched on, cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from hccresist.cli_run import GeneSets, Out, Quiet, Words, told_as_usage
from hccresist.errors import ConfigError
from hccresist.failures import FINE

if TYPE_CHECKING:
    from hccresist.explain.cells import CellScores

SCORES: Final = "cell_scores.parquet"

CellFile = Annotated[Path, Parameter(name="file", show_default=False)]
Share = Annotated[float | None, Parameter(name="--min-coverage", show_default=False)]
Tell = Callable[[int, int], None]


def cells(
    file: CellFile,
    /,
    *,
    out: Out,
    gmt: GeneSets = None,
    min_coverage: Share = None,
    layer: Words = None,
    gene_column: Words = None,
    chunk: int = 4096,
    quiet: Quiet = False,
) -> int:
    """Score single cells by the ranks of their genes, in blocks, so that the file may exceed memory.

    Written are cell_scores.parquet (one row a cell, one column a gene set), coverage.csv,
    gene_report.csv and cells.json. It needs the extra omics.

    Parameters
    ----------
    file
        AnnData file (.h5ad), dense or sparse; counts, normalised counts or their logarithms.
    out
        New or empty folder.
    gmt
        File with gene sets of your own, repeatable.
    min_coverage
        Share of a set that must be among the genes of the file, in place of 0.25.
    layer
        Layer to score in place of X; raw stands for raw.X.
    gene_column
        Column of var with symbols or Ensembl genes, in place of its index.
    chunk
        Cells of a block at most.
    quiet
        Print errors only.
    """
    from hccresist.explain.cells import score_cells  # noqa: PLC0415
    from hccresist.outputs import check_new_folder, open_new_folder  # noqa: PLC0415
    from hccresist.steps import read_gene_sets  # noqa: PLC0415

    with told_as_usage():
        check_new_folder(out)
        _check_numbers(min_coverage, chunk)
    signatures = read_gene_sets(gmt or [])
    with open_new_folder(out) as staging:
        with _show_cells(quiet=quiet) as progress:
            scored = score_cells(
                file,
                signatures,
                out=staging / SCORES,
                chunk=chunk,
                min_coverage=min_coverage,
                layer=layer,
                gene_column=gene_column,
                progress=progress,
            )
        asked: dict[str, object] = {
            "file": file.name,
            "gmt": [path.name for path in gmt or []],
            "min_coverage": min_coverage,
            "layer": layer,
            "gene_column": gene_column,
        }
        _write_tables(scored, asked, staging)
    if not quiet:
        _print_scored(scored, out)
    return FINE


def _check_numbers(min_coverage: float | None, chunk: int) -> None:
    if min_coverage is not None and not 0 < min_coverage <= 1:
        msg = f"--min-coverage is {min_coverage:g}; it must be above 0 and at most 1."
        raise ConfigError(msg)
    if chunk < 1:
        msg = f"--chunk is {chunk}; it must be 1 or more."
        raise ConfigError(msg)


@contextmanager
def _show_cells(*, quiet: bool) -> Generator[Tell | None]:
    """Show a bar on standard error, where it is a terminal."""
    from hccresist import screen  # noqa: PLC0415

    console = screen.err()
    if quiet or not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    columns = ("cells", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("cells", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _write_tables(scored: CellScores, asked: dict[str, object], folder: Path) -> None:
    import json  # noqa: PLC0415

    from hccresist.citations import read_version  # noqa: PLC0415

    scored.coverage.write_csv(folder / "coverage.csv")
    scored.gene_report.write_csv(folder / "gene_report.csv")
    record = {
        "hccresist": read_version("hccresist"),
        **asked,
        "method": "rank",
        "cells": scored.cells,
        "genes": scored.genes,
        "sets": list(scored.sets),
        "notices": list(scored.notices),
    }
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    (folder / "cells.json").write_text(text, encoding="utf-8")


def _print_scored(scored: CellScores, out: Path) -> None:
    from hccresist import screen  # noqa: PLC0415

    for notice in scored.notices:
        screen.err().print(f"  {notice}", markup=False)
    refused = scored.coverage.height - len(scored.sets)
    left = f"; {refused} sets have too few genes here, see coverage.csv" if refused else ""
    size = f"{scored.cells:,} cells, {scored.genes:,} genes, {len(scored.sets)} gene sets"
    screen.out().print(f"{size} in {out / SCORES}{left}", markup=False)
