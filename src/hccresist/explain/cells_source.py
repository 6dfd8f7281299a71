"""Cells as they lie in an AnnData object or an ``.h5ad`` file, read in blocks.

Only the names and one matrix of a file are read, block by block; layers, embeddings, graphs and
annotations that were not asked for stay on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from hccresist.errors import ConfigError
from hccresist.study.issues import IssueLog

if TYPE_CHECKING:
    from anndata import AnnData
    from scipy.sparse import csr_array

RAW: Final = "raw"
"""Name of the layer that stands for ``raw.X``, with the genes of ``raw.var``."""
MAX_STORED: Final = 16_000_000
"""Stored values of a sparse block at most, whatever the number of cells."""
MAX_DENSE: Final = 60_000_000
"""Values of a dense block at most."""
SMALL_COLUMNS: Final = 100_000_000
"""Stored values up to which a matrix that lies by columns on disk is read whole and turned."""
_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_COLUMNS_TOLD: Final = 8
_OBJECT: Final = "AnnData"


@dataclass(frozen=True, slots=True)
class CellSource:
    """Cells × columns, read in blocks.

    Attributes
    ----------
    name
        Name of the file, or ``AnnData``.
    names
        Names of the cells.
    columns
        Names of the columns: genes as the file has them.
    others
        Further columns of ``var``, where names of genes may be too.
    stored
        Stored values before each cell and after the last, for a sparse matrix.
    read
        Rows from and to, as a sparse or dense block.
    """

    name: str
    names: NDArray[np.object_]
    columns: Sequence[str]
    others: Sequence[str]
    stored: NDArray[np.int64] | None
    read: Callable[[int, int], Any]

    def plan(self, chunk: int) -> list[tuple[int, int]]:
        """Return the blocks: at most `chunk` cells, and no more values than fit in memory."""
        cells, bounds, start = len(self.names), list[tuple[int, int]](), 0
        most = min(chunk, max(1, MAX_DENSE // max(1, len(self.columns)))) if self.stored is None else chunk
        while start < cells:
            stop = min(start + most, cells)
            if self.stored is not None:
                limit = int(np.searchsorted(self.stored, self.stored[start] + MAX_STORED, side="right")) - 1
                stop = max(start + 1, min(stop, limit))
            bounds.append((start, stop))
            start = stop
        return bounds


@contextmanager
def open_cells(
    source: Path | AnnData, *, layer: str | None = None, gene_column: str | None = None
) -> Generator[CellSource]:
    """Open cells for reading.

    Parameters
    ----------
    source
        An ``.h5ad`` file, or an AnnData object in memory or backed.
    layer
        Name of a layer in place of ``X``; ``raw`` stands for ``raw.X``.
    gene_column
        Column of ``var`` with names of genes, in place of its index.

    Raises
    ------
    InputError
        When the file cannot be read or has no such matrix, with all problems found.
    ConfigError
        When the extra ``omics`` is not installed, or the object cannot be read in blocks.
    """
    if not isinstance(source, Path):
        yield _open_object(source, layer, gene_column)
        return
    h5py = _import_h5py()
    issues = IssueLog()
    _check_signature(source, issues)
    issues.raise_if_errors()
    try:
        file = h5py.File(source, "r")
    except OSError as error:
        reason = str(error).partition("\n")[0][:160]
        hint = "Write it anew with AnnData.write_h5ad; it may be cut short."
        issues.error("unreadable-file", f"the file cannot be read: {reason}", file=source.name, hint=hint)
        issues.raise_if_errors()
        raise
    with file:
        yield _open_file(file, source.name, layer, gene_column)


def _import_h5py() -> Any:  # noqa: ANN401  (a module)
    try:
        import anndata  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]
        import h5py  # noqa: PLC0415
    except ImportError as error:
        msg = "AnnData files need the extra omics: install hccresist[omics] (it brings anndata)."
        raise ConfigError(msg) from error
    return h5py


def _check_signature(path: Path, issues: IssueLog) -> None:
    hint = "Give an .h5ad file, written by AnnData.write_h5ad."
    try:
        with path.open("rb") as file:
            start = file.read(len(_SIGNATURE))
    except OSError as error:
        reason = error.strerror or "the system refused it"
        issues.error("unreadable-file", f"the file cannot be read: {reason}", file=path.name, hint=hint)
        return
    if start != _SIGNATURE:
        issues.error("unreadable-file", "this is no HDF5 file", file=path.name, hint=hint)


@dataclass(frozen=True, slots=True)
class _Names:
    """Names of cells and genes, and the other columns of ``var``."""

    cells: NDArray[np.object_]
    genes: Sequence[str]
    others: Sequence[str]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.cells), len(self.genes)


def _open_file(file: Any, name: str, layer: str | None, gene_column: str | None) -> CellSource:  # noqa: ANN401
    """Return the cells of an open file."""
    issues = IssueLog()
    key, var = _name_matrix(layer)
    _check_parts(file, name, ("obs", var, key), issues)
    issues.raise_if_errors()
    columns = _list_columns(file[var])
    if gene_column is not None and gene_column not in columns:
        _tell_no_column(gene_column, columns, name, issues)
    issues.raise_if_errors()
    cells, genes = _read_column(file["obs"], None), _read_column(file[var], gene_column)
    names = _Names(cells, genes.tolist(), columns)
    matrix, kind = file[key], _name_kind(file[key])
    _check_matrix(matrix, kind, names, _Place(name, key, issues))
    issues.raise_if_errors()
    if kind == "array":
        return _make_dense(matrix, names, name)
    if kind == "csc_matrix":
        return _make_sparse(_turn_columns(matrix, names.shape), names, name)
    return _read_file_rows(matrix, names, name)


def _name_matrix(layer: str | None) -> tuple[str, str]:
    if layer is None:
        return "X", "var"
    return ("raw/X", "raw/var") if layer == RAW else (f"layers/{layer}", "var")


def _check_parts(file: Any, name: str, parts: Sequence[str], issues: IssueLog) -> None:  # noqa: ANN401
    held = [*(f"layer {key}" for key in file.get("layers", ())), *(["raw"] if "raw" in file else [])]
    for part in parts:
        if part not in file:
            hint = f"There are: {', '.join(held) or 'no layers'}." if "/" in part or part == "X" else ""
            issues.error("missing-part", f"the file has no {part}", file=name, hint=hint or "Write it anew.")
        elif part.endswith(("obs", "var")) and "_index" not in getattr(file[part], "attrs", {}):
            hint = "Write it anew with a current AnnData."
            issues.error("old-file", f"{part} is written in an old way", file=name, hint=hint)


def _list_columns(var: Any) -> list[str]:  # noqa: ANN401
    return sorted(str(key) for key in var if key != var.attrs["_index"] and not str(key).startswith("__"))


def _tell_no_column(column: str, columns: Sequence[str], name: str, issues: IssueLog) -> None:
    shown = ", ".join(columns[:_COLUMNS_TOLD]) or "none"
    issues.error(
        "missing-column", "var has no such column", file=name, found=column, hint=f"It has: {shown}."
    )


def _read_column(table: Any, column: str | None) -> NDArray[np.object_]:  # noqa: ANN401
    """Return a column of a table of the file as text; its index where none is named."""
    from anndata.io import read_elem  # noqa: PLC0415

    found: Any = read_elem(table[column if column is not None else table.attrs["_index"]])
    return np.array([str(name) for name in found], dtype=object)


def _name_kind(matrix: Any) -> str:  # noqa: ANN401
    """Return csr_matrix, csc_matrix, array, or what else the file says."""
    if not hasattr(matrix, "keys"):
        return "array"
    return str(matrix.attrs.get("encoding-type", "nothing that is known"))


@dataclass(frozen=True, slots=True)
class _Place:
    file: str
    part: str
    issues: IssueLog


def _check_matrix(matrix: Any, kind: str, names: _Names, place: _Place) -> None:  # noqa: ANN401
    if kind not in ("array", "csr_matrix", "csc_matrix"):
        hint = "Write it anew with a current AnnData, dense or sparse."
        place.issues.error("unknown-matrix", f"{place.part} is {kind}", file=place.file, hint=hint)
        return
    lost = [] if kind == "array" else _find_lost(matrix)
    if lost:
        problem, hint = f"{place.part} lacks {' and '.join(lost)}", "Write it anew with a current AnnData."
        place.issues.error("missing-part", problem, file=place.file, hint=hint)
        return
    held = matrix if kind == "array" else matrix["data"]
    shape = tuple(int(n) for n in (matrix.shape if kind == "array" else matrix.attrs["shape"]))
    if held.dtype.kind not in "fiub":
        problem = f"{place.part} does not hold numbers"
        place.issues.error(
            "not-a-number", problem, file=place.file, found=str(held.dtype), hint="Write numbers."
        )
    if shape != names.shape:
        found, expected = " × ".join(map(str, shape)), " × ".join(map(str, names.shape))
        problem = f"{place.part} does not fit its names"
        place.issues.error(
            "wrong-shape", problem, file=place.file, found=found, expected=expected, hint="Write it anew."
        )


def _find_lost(matrix: Any) -> list[str]:  # noqa: ANN401
    lost = [part for part in ("data", "indices", "indptr") if part not in matrix]
    return lost if "shape" in matrix.attrs else [*lost, "its shape"]


def _read_file_rows(matrix: Any, names: _Names, name: str) -> CellSource:  # noqa: ANN401
    """Return cells that are read from a matrix that lies by rows on disk."""
    starts = matrix["indptr"][:].astype(np.int64)

    def read(first: int, last: int) -> csr_array:
        from scipy.sparse import csr_array  # noqa: PLC0415

        low, high = int(starts[first]), int(starts[last])
        parts = (
            _widen(matrix["data"][low:high]),
            matrix["indices"][low:high],
            starts[first : last + 1] - low,
        )
        return csr_array(parts, shape=(last - first, len(names.genes)))

    return CellSource(name, names.cells, names.genes, names.others, starts, read)


def _widen(data: NDArray[Any]) -> NDArray[Any]:
    """Return values of a kind that sparse matrices can have; half precision lies in some files."""
    return data.astype(np.float32) if data.dtype == np.float16 else data


def _turn_columns(matrix: Any, shape: tuple[int, int]) -> csr_array:  # noqa: ANN401
    """Return a matrix that lies by columns on disk, by rows in memory."""
    from scipy.sparse import csc_array  # noqa: PLC0415

    stored = int(matrix["data"].shape[0])
    if stored > SMALL_COLUMNS:
        msg = (
            f"the matrix lies by columns (CSC) and holds {stored:,} values: cells cannot be read one by one. "
            "Write it by rows: adata.X = adata.X.tocsr()"
        )
        raise ConfigError(msg)
    return csc_array(
        (_widen(matrix["data"][:]), matrix["indices"][:], matrix["indptr"][:]), shape=shape
    ).tocsr()


def _make_sparse(rows: Any, names: _Names, name: str) -> CellSource:  # noqa: ANN401
    return CellSource(
        name, names.cells, names.genes, names.others, rows.indptr.astype(np.int64), lambda a, b: rows[a:b]
    )


def _make_dense(matrix: Any, names: _Names, name: str) -> CellSource:  # noqa: ANN401
    return CellSource(
        name, names.cells, names.genes, names.others, None, lambda a, b: np.asarray(matrix[a:b])
    )


def _open_object(data: AnnData, layer: str | None, gene_column: str | None) -> CellSource:
    """Return the cells of an AnnData object, in memory or backed."""
    from scipy.sparse import csr_array, issparse  # noqa: PLC0415

    if data.isbacked and data.is_view:
        msg = "a view of a backed AnnData cannot be read in blocks: write it to a file of its own first"
        raise ConfigError(msg)
    matrix, var = _take_matrix(data, layer)
    columns = [str(column) for column in var.columns]
    if gene_column is not None and gene_column not in columns:
        issues = IssueLog()
        _tell_no_column(gene_column, columns, _OBJECT, issues)
        issues.raise_if_errors()
    genes = var.index if gene_column is None else var[gene_column]
    cells = np.array([str(name) for name in data.obs_names], dtype=object)
    names = _Names(cells, [str(gene) for gene in genes], columns)
    if issparse(matrix):
        return _make_sparse(csr_array(matrix), names, _OBJECT)
    if isinstance(matrix, np.ndarray):
        return _make_dense(matrix, names, _OBJECT)
    return _open_backed(matrix, names)


def _take_matrix(data: AnnData, layer: str | None) -> tuple[Any, Any]:
    """Return the matrix that was asked for, and the table of its genes."""
    if layer == RAW:
        if data.raw is None:  # pyright: ignore[reportUnnecessaryComparison]
            msg = "the AnnData has no raw"
            raise ConfigError(msg)
        return data.raw.X, data.raw.var
    if layer is not None and layer not in data.layers:
        msg = f"the AnnData has no layer {layer!r}; it has: {', '.join(map(str, data.layers)) or 'none'}"
        raise ConfigError(msg)
    return (data.X if layer is None else data.layers[layer]), data.var


def _open_backed(matrix: Any, names: _Names) -> CellSource:  # noqa: ANN401
    """Return the cells of the matrix of a backed AnnData."""
    group = getattr(matrix, "group", None)
    if group is None and hasattr(matrix, "id"):
        return _make_dense(matrix, names, _OBJECT)
    if group is None:
        msg = f"a matrix of type {type(matrix).__name__} cannot be read: dense and sparse ones can"
        raise ConfigError(msg)
    if _name_kind(group) == "csc_matrix":
        return _make_sparse(_turn_columns(group, names.shape), names, _OBJECT)
    return _read_file_rows(group, names, _OBJECT)
