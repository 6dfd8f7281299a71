"""Read an AnnData file (``.h5ad``) of bulk samples as a study; it needs the extra ``omics``.

One observation is one tissue sample. Files of single cells are no study: their cells are scored by
``hccresist explain``, and only sums over the cells of a patient (pseudobulk) can be read here.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from hccresist.errors import ConfigError
from hccresist.study.issues import IssueLog
from hccresist.study.omics import (
    Gathered,
    constant_columns,
    first_values,
    fit_columns,
    one_row_a_gene,
    read_own_config,
)
from hccresist.study.policies import Policies
from hccresist.study.rows import Place
from hccresist.study.study import ROW, Study
from hccresist.study.tables import SCHEMAS
from hccresist.study.tidy import hash_file

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

MAX_SAMPLES: Final = 20_000
"""Observations above which a file is taken for single cells."""
MAX_PER_PATIENT: Final = 50
"""Observations of one patient above which they are taken for cells."""
MAX_VALUES: Final = 500_000_000
"""Largest number of values that is read whole (4 GB)."""
_PATIENT_TABLES: Final = ("patients", "survival")
_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"


def is_h5ad(path: Path) -> bool:
    """Return whether a file is called as AnnData files are."""
    return path.suffix.lower() == ".h5ad"


def read_h5ad(path: Path, *, policies: Policies | None = None) -> Study:
    """Read and check an AnnData file of bulk samples; nothing in it is changed.

    1. Each observation is a sample: its name is sample_id, ``obs["patient_id"]`` its patient.
    2. ``X`` is the expression; layers, ``raw``, embeddings and graphs are not read, and told.
    3. Columns of ``obs`` that say one thing of each patient and bear the name of a column of
       `patients` or `survival` go there, the others stay with the samples.
    4. Of several variables of one name the one with the highest mean is kept.
    5. More than 20,000 observations, or more than 50 of one patient, are cells: they are refused.

    Parameters
    ----------
    path
        The file. A ``study.toml`` beside it is read, where there is one.
    policies
        Policies in force, instead of those of the configuration.

    Returns
    -------
    Study
        The checked study.

    Raises
    ------
    ConfigError
        When the extra ``omics`` is not installed.
    InputError
        With every problem found in the file.
    """
    gathered = Gathered(log=IssueLog())
    place = Place(file=path.name, log=gathered.log)
    config = read_own_config(path.parent, gathered.log, name=path.stem, policies=policies)
    data = _open(path, place)
    if data is not None:
        try:
            _add_all(data, path, gathered)
        finally:
            data.file.close()
    gathered.log.raise_if_errors()
    return gathered.finish(config)


def _add_all(data: AnnData, path: Path, gathered: Gathered) -> None:
    place = Place(file=path.name, log=gathered.log)
    obs = _read_obs(data, place)
    if obs is None or not _is_bulk(data, obs, place):
        return
    _tell_unread(data, place)
    gathered.add_file(path.name, sha256=hash_file(path), rows=obs.height, table="expression")
    _add_tables(obs, gathered, place)
    values = _read_values(data, obs, place)
    if values is not None:
        gathered.add("expression", one_row_a_gene(values, place), file=path.name)


def _open(path: Path, place: Place) -> AnnData | None:
    """Return the file, its values still on disk."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_SIGNATURE))
    except OSError as error:
        reason = error.strerror or "the system refused it"
        place.error(
            "unreadable-file", f"the file cannot be read: {reason}", hint="Check that you may read it."
        )
        return None
    hint = "Write it anew with AnnData.write_h5ad; it may be cut short, or no AnnData file at all."
    if start != _SIGNATURE:
        place.error("unreadable-file", "this is no HDF5 file", expected="an AnnData file", hint=hint)
        return None
    anndata = _import_anndata()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return anndata.read_h5ad(path, backed="r")
    except Exception as error:  # noqa: BLE001  (h5py and anndata raise whatever a damaged file leads to)
        reason = str(error).partition("\n")[0][:160]
        place.error("unreadable-file", f"the file is no readable AnnData: {reason}", hint=hint)
        return None


def _import_anndata() -> Any:  # noqa: ANN401  (a module)
    try:
        import anndata  # noqa: PLC0415
    except ImportError as error:
        msg = "AnnData files need the extra omics: install hccresist[omics] (it brings anndata)."
        raise ConfigError(msg) from error
    return anndata


def _read_obs(data: AnnData, place: Place) -> pl.DataFrame | None:
    """Return the observations as text with sample_id, patient_id and `ROW`."""
    import pandas as pd  # noqa: PLC0415

    table: pd.DataFrame = data.obs  # pyright: ignore[reportAssignmentType]
    columns = {
        str(name): pl.Series([None if pd.isna(v) else str(v) for v in table[name]], dtype=pl.String)
        for name in table.columns
        if str(name) != ROW
    }
    frame = pl.DataFrame(columns)
    names = {name.lower(): name for name in frame.columns}
    if "patient_id" not in names:
        found = ", ".join(frame.columns[:8])
        hint = 'Add adata.obs["patient_id"]; which sample is whose is never guessed.'
        place.error(
            "missing-column", "obs has no column patient_id", expected="patient_id", found=found, hint=hint
        )
        return None
    frame = frame.rename({names["patient_id"]: "patient_id"}).drop("sample_id", strict=False)
    twice = data.obs_names[data.obs_names.duplicated()]
    if len(twice) or {"gene", ROW} & set(data.obs_names):
        hint = "Give each sample a name of its own, none of them 'gene'."
        place.error(
            "duplicate-sample",
            "names of samples cannot be told apart",
            found=", ".join(map(str, twice[:3])),
            hint=hint,
        )
        return None
    samples = pl.Series("sample_id", [str(name) for name in data.obs_names], dtype=pl.String)
    rows = pl.Series(ROW, range(1, data.n_obs + 1), dtype=pl.Int64)
    return frame.with_columns(samples, rows)


def _is_bulk(data: AnnData, obs: pl.DataFrame, place: Place) -> bool:
    """Refuse single cells and matrices that do not fit."""
    most = obs["patient_id"].drop_nulls().value_counts()["count"].max()
    expected = f"at most {MAX_SAMPLES:,} samples, {MAX_PER_PATIENT} of one patient"
    if data.n_obs > MAX_SAMPLES or (isinstance(most, int) and most > MAX_PER_PATIENT):
        hint = (
            "A study takes bulk samples, or one pseudobulk sample a patient: sum the counts of each patient "
            "and write that. Single cells are scored by hccresist.explain."
        )
        found = f"{data.n_obs:,} observations"
        place.error(
            "single-cells", "these are cells, not tissue samples", found=found, expected=expected, hint=hint
        )
        return False
    if data.n_obs * data.n_vars > MAX_VALUES:
        found = f"{data.n_obs:,} × {data.n_vars:,} values"
        place.error(
            "too-large", "the matrix is too large to be read whole", found=found, hint="Read it in parts."
        )
        return False
    return True


def _tell_unread(data: AnnData, place: Place) -> None:
    parts = {
        "layers": list(data.layers),
        "raw": ["raw"] if getattr(data, "raw", None) is not None else [],
        "obsm": list(data.obsm),
        "obsp": list(data.obsp),
        "uns": list(data.uns),
    }
    found = [f"{part} ({', '.join(map(str, names[:4]))})" for part, names in parts.items() if names]
    if found:
        hint = "Only X, obs and the names of var are read. Put what should be scored into X."
        place.warning("not-read", f"parts of the file were not read: {', '.join(found)}", hint=hint)


def _read_values(data: AnnData, obs: pl.DataFrame, place: Place) -> pl.DataFrame | None:
    """Return genes by samples, one column a sample; ``None`` and told where X cannot be read."""
    try:
        raw: Any = data.X
        values: Any = raw if raw is None or isinstance(raw, np.ndarray) else raw[:]
    except (KeyError, OSError, ValueError):
        values = None
    if values is None:
        place.error("no-values", "X is not there, or cannot be read", hint="Put the expression into X.")
        return None
    dense: NDArray[np.float64] = np.asarray(
        values.todense() if hasattr(values, "todense") else values, dtype=float
    )
    if (np.isinf(dense)).any():
        hint = "Write NaN where nothing was measured."
        place.error("not-a-number", "X holds values that are not finite", hint=hint)
    names = obs["sample_id"].to_list()
    columns = [pl.Series(name, dense[n], dtype=pl.Float64).fill_nan(None) for n, name in enumerate(names)]
    genes = pl.Series("gene", [str(name) for name in data.var_names], dtype=pl.String)
    rows = pl.Series(ROW, range(1, data.n_vars + 1), dtype=pl.Int64)
    return pl.DataFrame([genes, *columns, rows])


def _add_tables(obs: pl.DataFrame, gathered: Gathered, place: Place) -> None:
    """Add patients, survival and samples; a column is of the patient where it says one thing of each."""
    own = [name for name in obs.columns if name not in ("patient_id", "sample_id", ROW)]
    constant = set(constant_columns(obs, "patient_id", own)) if own else set[str]()
    for table in _PATIENT_TABLES:
        declared = set(SCHEMAS[table].columns()) - {"patient_id"}
        names = [name for name in own if name.strip().lower() in declared and name in constant]
        if names or table == "patients":
            frame = first_values(obs, "patient_id", names).drop_nulls("patient_id")
            gathered.add(table, fit_columns(frame, table, place), file=place.file)
            own = [name for name in own if name not in names]
    samples = obs.select("sample_id", "patient_id", *own, ROW)
    gathered.add("samples", fit_columns(samples, "samples", place), file=place.file)
