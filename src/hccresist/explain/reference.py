"""References: what expression is in a cohort that was scored before, frozen.

A reference holds, for each gene, mean, standard deviation and number of values; for each gene set the
sorted scores of its tumours, one set apart from the other; and what it was made of: scale, platform,
gene universe. It holds no identifiers and no profile of any tumour.

It lies in a folder of its own under ``$HCCRESIST_HOME/references``, or, where that is not set, under
``~/.local/share/hccresist/references``: ``genes.parquet``, ``scores.parquet``, ``reference.json``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.errors import ConfigError
from hccresist.explain.matrix import Matrix, Prepared
from hccresist.explain.scoring_core import (
    MIN_COVERAGE,
    MIN_GENES,
    compute_rank_scores,
    compute_z_scores,
    describe_genes,
    find_members,
    hash_names,
)
from hccresist.explain.signatures import Signature
from hccresist.study.study import Study

MIN_TUMOURS: Final = 20
"""Tumours below which no reference is built."""
PERCENTILE_TUMOURS: Final = 100
"""Tumours below which no percentile is given."""
FORMAT: Final = 1
"""Version of the files."""
_TUMOUR: Final = r"tumou?r|hcc|carcinoma|cancer|metasta|recurren"
_NOT_TUMOUR: Final = r"^non|non-|normal|adjacent|surround|free"
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A frozen reference.

    Attributes
    ----------
    name
        Name that the user gave.
    genes
        Approved symbols, sorted: the gene universe.
    mean, sd, n
        Of each gene over the tumours of the reference; sd is NaN where a gene cannot serve.
    tumours
        Number of tumours.
    scale
        Scale of the values, as in `Matrix`.
    platform
        What the user said of the platform; may be empty.
    scores
        (method, set) to the sorted scores of the tumours; methods are ``rank`` and ``reference_z``.
    sets
        Fingerprint of the genes of each set as scored.
    """

    name: str
    genes: tuple[str, ...]
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    n: NDArray[np.int64]
    tumours: int
    scale: str
    platform: str = ""
    scores: Mapping[tuple[str, str], NDArray[np.float64]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    sets: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def universe(self) -> str:
        """Fingerprint of the gene universe."""
        return hash_names(self.genes)

    @property
    def gives_percentiles(self) -> bool:
        """Whether there are tumours enough for a percentile."""
        return self.tumours >= PERCENTILE_TUMOURS


def hash_set(signature: Signature) -> str:
    """Return a fingerprint of the genes of a set, up and down apart."""
    return hash_names((*sorted(signature.up), "|", *sorted(signature.down)))


def choose_tumours(study: Study, prepared: Prepared) -> tuple[Matrix, tuple[str, ...]]:
    """Return one tumour sample a patient, and what was left out in words.

    Where the table `samples` names tissues, only those that are tumour are taken; of several samples of
    a patient the first by day, then by name.
    """
    matrix = prepared.matrix
    owner = prepared.patients
    frame = pl.DataFrame(
        {"sample_id": matrix.samples, "patient_id": [owner[sample] for sample in matrix.samples]},
        schema={"sample_id": pl.String, "patient_id": pl.String},
    )
    samples = study.table("samples")
    if samples is None:
        frame = frame.with_columns(day=pl.lit(None, pl.Float64), tissue=pl.lit(None, pl.String))
    else:
        frame = frame.join(samples.select("sample_id", "day", "tissue"), on="sample_id", how="left")
    tissue = pl.col("tissue").str.to_lowercase()
    tumour = tissue.is_null() | (tissue.str.contains(_TUMOUR) & ~tissue.str.contains(_NOT_TUMOUR))
    tumours = frame.filter(tumour)
    first = tumours.sort("patient_id", "day", "sample_id", nulls_last=True).unique("patient_id", keep="first")
    kept = frozenset(first["sample_id"].to_list())
    columns = [number for number, sample in enumerate(matrix.samples) if sample in kept]
    notices: list[str] = []
    if frame.height > tumours.height:
        notices.append(f"{frame.height - tumours.height} samples left out: their tissue is not tumour")
    if tumours.height > first.height:
        notices.append(f"{tumours.height - first.height} samples left out: further samples of a patient")
    chosen = replace(
        matrix,
        samples=tuple(matrix.samples[number] for number in columns),
        values=matrix.values[:, columns],
    )
    return chosen, tuple(notices)


def build_reference(
    matrix: Matrix, signatures: Sequence[Signature], *, name: str, platform: str = ""
) -> Reference:
    """Freeze a cohort as a reference.

    Parameters
    ----------
    matrix
        Expression of the cohort, one sample a tumour.
    signatures
        Sets whose scores are to be kept for z and percentiles.
    name
        Letters, digits, point, dash and underscore; it becomes a folder.
    platform
        Platform in the user's words; a study that names another one gets no percentiles.

    Raises
    ------
    ConfigError
        When the name cannot be used or the cohort has fewer than `MIN_TUMOURS` samples.
    """
    _check_name(name)
    tumours = len(matrix.samples)
    if tumours < MIN_TUMOURS:
        msg = f"a reference needs {MIN_TUMOURS} tumours; the study has {tumours} that can be used"
        raise ConfigError(msg)
    mean, sd, n = describe_genes(matrix.values)
    sd = np.where(n * 2 < tumours, np.nan, sd)
    members = find_members(matrix.genes, signatures)
    ranks, rank_counts, _ = compute_rank_scores(matrix, members)
    z, z_counts = compute_z_scores(matrix, members, mean=mean, sd=sd)
    scores: dict[tuple[str, str], NDArray[np.float64]] = {}
    for method, table, counts in (("rank", ranks, rank_counts), ("reference_z", z, z_counts)):
        found = counts.both
        fit = (found >= MIN_GENES) & (found >= MIN_COVERAGE * members.sizes[:, None])
        for number, signature in enumerate(signatures):
            kept = table[number][fit[number] & np.isfinite(table[number])]
            if kept.size >= MIN_TUMOURS:
                scores[method, signature.name] = np.sort(kept)
    return Reference(
        name=name,
        genes=matrix.genes,
        mean=mean,
        sd=sd,
        n=n,
        tumours=tumours,
        scale=matrix.scale,
        platform=platform.strip(),
        scores=scores,
        sets={signature.name: hash_set(signature) for signature in signatures},
    )


def reference_home() -> Path:
    """Return the folder that references lie in."""
    home = os.environ.get("HCCRESIST_HOME")
    if home:
        return Path(home).expanduser() / "references"
    shared = os.environ.get("XDG_DATA_HOME")
    base = Path(shared).expanduser() if shared else Path.home() / ".local" / "share"
    return base / "hccresist" / "references"


def check_free(name: str, *, home: Path | None = None, overwrite: bool = False) -> None:
    """Check a name before anything is read.

    Raises
    ------
    ConfigError
        When the name cannot be used, or is taken and `overwrite` is not set.
    """
    _check_name(name)
    folder = (home or reference_home()) / name
    if folder.exists() and not overwrite:
        msg = f"there is a reference named {name!r} in {folder}; choose another name, or replace it"
        raise ConfigError(msg)


def save_reference(reference: Reference, *, home: Path | None = None, overwrite: bool = False) -> Path:
    """Write a reference to its folder and return the folder.

    Raises
    ------
    ConfigError
        When a reference of this name is there and `overwrite` is not set.
    """
    check_free(reference.name, home=home, overwrite=overwrite)
    folder = (home or reference_home()) / reference.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=".new-") as name:
        staging = Path(name) / "made"
        staging.mkdir()
        _write(reference, staging)
        if folder.exists():
            folder.rename(Path(name) / "old")
        staging.rename(folder)
    return folder


def _write(reference: Reference, folder: Path) -> None:
    genes = {"gene": reference.genes, "mean": reference.mean, "sd": reference.sd, "n": reference.n}
    frame = pl.DataFrame(genes, schema_overrides={"gene": pl.String})
    frame.write_parquet(folder / "genes.parquet", compression="zstd")
    _frame_scores(reference).write_parquet(folder / "scores.parquet", compression="zstd")
    about = {
        "format": FORMAT,
        "name": reference.name,
        "tumours": reference.tumours,
        "genes": len(reference.genes),
        "universe": reference.universe,
        "scale": reference.scale,
        "platform": reference.platform,
        "sets": dict(sorted(reference.sets.items())),
    }
    (folder / "reference.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def load_reference(name: str, *, home: Path | None = None) -> Reference:
    """Read a reference by its name.

    Raises
    ------
    ConfigError
        When there is none of this name, or its files cannot be used.
    """
    _check_name(name)
    base = home or reference_home()
    folder = base / name
    if not (folder / "reference.json").exists():
        names = ", ".join(list_references(home=base)["name"].to_list()) or "none"
        msg = f"there is no reference named {name!r} in {base}; there are: {names}"
        raise ConfigError(msg)
    try:
        return _load(folder)
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        msg = f"the reference {name!r} in {folder} cannot be read ({error}); build it anew"
        raise ConfigError(msg) from error


def list_references(*, home: Path | None = None) -> pl.DataFrame:
    """Return the references there are: name, tumours, genes, scale, platform, sets, percentiles."""
    base = home or reference_home()
    rows = [_describe(path) for path in sorted(base.glob("*/reference.json"))]
    schema = {
        "name": pl.String,
        "tumours": pl.Int64,
        "genes": pl.Int64,
        "scale": pl.String,
        "platform": pl.String,
        "sets": pl.Int64,
        "percentiles": pl.Boolean,
    }
    return pl.DataFrame(rows, schema=schema)


def _describe(path: Path) -> dict[str, object]:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        tumours = int(about["tumours"])
        return {
            "name": str(about["name"]),
            "tumours": tumours,
            "genes": int(about["genes"]),
            "scale": str(about["scale"]),
            "platform": str(about["platform"]),
            "sets": len(about["sets"]),
            "percentiles": tumours >= PERCENTILE_TUMOURS,
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {"name": path.parent.name, "scale": "cannot be read: build it anew", "percentiles": False}


def _check_name(name: str) -> None:
    if not re.fullmatch(_NAME, name):
        msg = f"{name!r} cannot name a reference: use letters, digits, point, dash and underscore"
        raise ConfigError(msg)


def _frame_scores(reference: Reference) -> pl.DataFrame:
    keys = sorted(reference.scores)
    return pl.DataFrame(
        {
            "method": [method for method, _ in keys],
            "set": [name for _, name in keys],
            "scores": [reference.scores[key].tolist() for key in keys],
        },
        schema={"method": pl.String, "set": pl.String, "scores": pl.List(pl.Float64)},
    )


def _load(folder: Path) -> Reference:
    about = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
    if about["format"] != FORMAT:
        msg = f"its format is {about['format']}, this version reads {FORMAT}"
        raise ValueError(msg)
    genes = pl.read_parquet(folder / "genes.parquet")
    scores = pl.read_parquet(folder / "scores.parquet")
    reference = Reference(
        name=str(about["name"]),
        genes=tuple(genes["gene"].to_list()),
        mean=genes["mean"].to_numpy(),
        sd=genes["sd"].to_numpy(),
        n=genes["n"].to_numpy(),
        tumours=int(about["tumours"]),
        scale=str(about["scale"]),
        platform=str(about["platform"]),
        scores={
            (row["method"], row["set"]): np.array(row["scores"], dtype=np.float64)
            for row in scores.iter_rows(named=True)
        },
        sets=about["sets"],
    )
    if reference.universe != about["universe"]:
        msg = "its genes are not those it was built with"
        raise ValueError(msg)
    return reference
