"""Writing results: whole or not at all, the same bytes for the same content.

Everything is written under temporary names in a hidden folder inside the output folder and moved
into place at the end, the manifest last. A run that fails or is interrupted leaves what was there
before. A folder that holds something else than results of hccresist is never written to.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import polars as pl

from hccresist.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow.parquet as pq

FORMATS: Final = ("parquet", "csv")
"""File formats in which result tables can be written."""

MANIFEST: Final = "manifest.json"
RUN_LOG: Final = "run.log.json"
REPORT: Final = "report.html"
SOFTWARE: Final = "hccresist"

ROW_GROUP: Final = 131_072
"""Rows in a Parquet row group: fixed, so that the bytes do not depend on how a table was cut."""

_PART: Final = ".hccresist-part-"
_STALE_SECONDS: Final = 86_400


@dataclass(slots=True)
class OutputFolder:
    """A folder that is being written; what was written is moved into place at the end.

    Attributes
    ----------
    staging
        Hidden folder that takes the files until all are complete.
    files
        What was written: file name, rows (``None`` where it is no table) and SHA-256.
    """

    staging: Path
    files: list[dict[str, object]] = field(default_factory=list[dict[str, object]])

    @contextmanager
    def open_table(self, name: str, formats: Sequence[str]) -> Generator[TableFile]:
        """Open a table that comes in pieces; it counts when the block ends without an error."""
        with TableFile.open(self.staging / name, formats) as table:
            yield table
        for kind in formats if table.begun else ():
            self._record(f"{name}.{kind}", table.rows)

    def discard(self, name: str) -> None:
        """Forget a table, whatever was written of it."""
        for kind in FORMATS:
            (self.staging / f"{name}.{kind}").unlink(missing_ok=True)
        self.files = [entry for entry in self.files if str(entry["file"]).rpartition(".")[0] != name]

    def add_text(self, name: str, text: str) -> None:
        """Write a text file, UTF-8 with line feeds."""
        (self.staging / name).write_bytes(text.encode("utf-8"))
        self._record(name, None)

    def add_json(self, name: str, content: Mapping[str, object]) -> None:
        """Write a JSON file; not listed among the files, as it is what lists them."""
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        (self.staging / name).write_bytes(f"{text}\n".encode())

    def _record(self, name: str, rows: int | None) -> None:
        with (self.staging / name).open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        self.files.append({"file": name, "rows": rows, "sha256": digest})


@contextmanager
def open_output(out: Path) -> Generator[OutputFolder]:
    """Open a folder for results; its files appear when the block ends without an error.

    Parameters
    ----------
    out
        Folder that does not exist, is empty, or holds results of hccresist, which are replaced.

    Yields
    ------
    OutputFolder
        Where to write.

    Raises
    ------
    ConfigError
        When `out` is a file or holds something that is not ours.
    OSError
        When the folder cannot be written.
    """
    check_output(out)
    made = _make_folders(out)
    _remove_stale(out)
    folder = OutputFolder(_make_staging(out))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder.staging, ignore_errors=True)
        for path in made:
            path.rmdir()
        raise
    _commit(folder, out)


@contextmanager
def open_new_folder(out: Path) -> Generator[Path]:
    """Open a folder that did not exist or was empty; it is there, whole, when the block ends well.

    Yields
    ------
    Path
        Where to write; a hidden neighbour of `out` that becomes it.

    Raises
    ------
    ConfigError
        When `out` is a file or holds something.
    """
    check_new_folder(out)
    made = _make_folders(out.absolute().parent)
    staging = _make_staging(out.absolute().parent)
    try:
        yield staging
        if out.exists():
            out.rmdir()
        staging.rename(out)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        for path in made:
            path.rmdir()
        raise


def check_new_folder(out: Path) -> None:
    """Check that a folder does not exist or is empty.

    Raises
    ------
    ConfigError
        When it is a file or holds something.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        msg = f"{out} exists and is not an empty folder. Nothing was written. Name a new one."
        raise ConfigError(msg)


def check_output(out: Path) -> None:
    """Check that a folder may be written: new, empty or ours.

    Raises
    ------
    ConfigError
        When it is a file or holds something that is not ours.
    """
    if out.exists() and not out.is_dir():
        msg = f"--out {out} is a file. Name a folder."
        raise ConfigError(msg)
    if not out.is_dir():
        return
    names = sorted(path.name for path in out.iterdir())
    strangers = [name for name in names if not name.startswith(_PART)]
    if strangers and strangers == names and not _is_ours(out):
        msg = (
            f"--out {out} already holds something that hccresist did not write ({strangers[0]}). "
            "Nothing was written. Name a new or empty folder."
        )
        raise ConfigError(msg)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a finished run.

    Raises
    ------
    ConfigError
        When the folder holds no manifest of hccresist.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{folder} holds no results of hccresist ({MANIFEST} is missing or cannot be read)."
        raise ConfigError(msg) from error
    if not isinstance(manifest, dict) or manifest.get("software") != SOFTWARE:  # pyright: ignore[reportUnknownMemberType]
        msg = f"{path} was not written by hccresist."
        raise ConfigError(msg)
    return cast("dict[str, Any]", manifest)


def write_table(
    name: str, frames: Iterable[pl.DataFrame], out: Path, *, formats: Sequence[str] = FORMATS
) -> int:
    """Write one table from pieces of rows, in the order in which they come.

    Parameters
    ----------
    name
        File name without ending.
    frames
        One or more pieces with equal columns; at least one, which may have no rows.
    out
        Folder that exists.
    formats
        ``parquet``, ``csv`` or both. Enumerations are written as text.

    Returns
    -------
    int
        Rows written. The bytes depend on the content only, not on how it was cut into pieces.
    """
    with TableFile.open(out / name, formats) as table:
        for frame in frames:
            table.write(frame)
    return table.rows


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String)) if frame.width else frame


@dataclass(slots=True)
class TableFile:
    """The open files of one table; Parquet row groups are filled before they are written.

    Attributes
    ----------
    rows
        Rows taken in so far.
    """

    _csv: Path | None
    _parquet: Path | None
    rows: int = 0
    _writer: pq.ParquetWriter | None = None
    _pending: list[pl.DataFrame] = field(default_factory=list[pl.DataFrame])

    @classmethod
    @contextmanager
    def open(cls, stem: Path, formats: Sequence[str]) -> Generator[TableFile]:
        """Open the files of a table; they are complete when the block ends without an error."""
        paths = {kind: stem.with_name(f"{stem.name}.{kind}") for kind in formats}
        table = cls(paths.get("csv"), paths.get("parquet"))
        try:
            yield table
            table._flush(0)
        finally:
            if table._writer is not None:
                table._writer.close()

    @property
    def begun(self) -> bool:
        """A piece was written, if only one without rows."""
        return bool(self._pending)

    def write(self, frame: pl.DataFrame) -> None:
        """Append a piece."""
        piece = _plain(frame)
        if self._csv is not None:
            with self._csv.open("ab") as handle:
                piece.write_csv(handle, include_header=not self.begun)
        self.rows += piece.height
        self._pending.append(piece)
        self._flush(ROW_GROUP)

    def _flush(self, at_least: int) -> None:
        """Write full row groups, and with `at_least` 0 what is left too."""
        held = sum(frame.height for frame in self._pending)
        if held < at_least or not self._pending:
            return
        rows = pl.concat(self._pending, rechunk=True)
        cut = held - held % ROW_GROUP if at_least else held
        self._pending = [rows.slice(cut)]
        if self._parquet is not None and (cut or self._writer is None):
            self._append(rows.head(cut))

    def _append(self, rows: pl.DataFrame) -> None:
        import pyarrow.parquet as pq  # noqa: PLC0415  (slow to import)

        table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._parquet, table.schema, compression="zstd")
        self._writer.write_table(table, row_group_size=ROW_GROUP)


def _is_ours(out: Path) -> bool:
    try:
        read_manifest(out)
    except ConfigError:
        return False
    return True


def _make_folders(out: Path) -> list[Path]:
    """Make a folder with its parents, and return those that did not exist, deepest first."""
    missing = [path for path in (out, *out.parents) if not path.exists()]
    out.mkdir(parents=True, exist_ok=True)
    return missing


def _make_staging(parent: Path) -> Path:
    """Make a hidden folder of a name that nobody else has, with the permissions the user gives."""
    staging = parent / f"{_PART}{secrets.token_hex(6)}"
    staging.mkdir()
    return staging


def _remove_stale(out: Path) -> None:
    """Remove what a killed run left behind more than a day ago."""
    for path in out.glob(f"{_PART}*"):
        if time.time() - path.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _commit(folder: OutputFolder, out: Path) -> None:
    """Move what was written into place: the old manifest goes first, the new one comes last.

    Killed in between, the hidden folder stays and marks the output as ours.
    """
    ours = _old_files(out)
    (out / MANIFEST).unlink(missing_ok=True)
    names = sorted(path.name for path in folder.staging.iterdir())
    for name in sorted(ours.difference(names)):
        (out / name).unlink(missing_ok=True)
    for name in sorted(names, key=lambda name: (name == MANIFEST, name)):
        (folder.staging / name).replace(out / name)
    folder.staging.rmdir()


def _old_files(out: Path) -> set[str]:
    """Return the files that the manifest in place lists, plain names only."""
    if not (out / MANIFEST).exists():
        return set()
    names = {str(entry["file"]) for entry in read_manifest(out).get("files", [])}
    return {name for name in names if name == Path(name).name and name not in {"", ".", ".."}} | {RUN_LOG}
