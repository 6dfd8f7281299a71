"""Take up a finished run again: its tables, and the study that they came from.

Results hold no lesions and no arms, so what is made from both needs the study too. That it is the same
study, under the policies and the index line of the run, is checked by the hashes in the manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from hccresist.assess.all_results import ALL_RESULTS
from hccresist.errors import ConfigError
from hccresist.manifest import InputDigest
from hccresist.outcomes.results import RESULTS
from hccresist.outputs import MANIFEST, read_manifest
from hccresist.study.lines import move_to_line
from hccresist.study.policies import Policies
from hccresist.study.read import read_study
from hccresist.study.study import Study


def reopen_run(results: Path, study: Path, *, wanted: Sequence[str]) -> tuple[Study, dict[str, pl.DataFrame]]:
    """Return the study of a finished run, as the run saw it, and some of its tables.

    Parameters
    ----------
    results
        Folder with the results of a run.
    study
        Study folder that the run was made from.
    wanted
        Result tables; those that the run did not make are left out.

    Returns
    -------
    tuple
        The study under the policies and with the index line of the run, and the tables by name.

    Raises
    ------
    ConfigError
        When `results` holds no results, the study is not that of the run, or a table is damaged.
    InputError
        With every problem found in the study.
    """
    manifest = read_manifest(results)
    policies = Policies.parse(manifest["policies"])
    found = move_to_line(read_study(study, policies=policies), manifest["study"]["index_line"])
    _check_same(manifest, found, results=results, study=study)
    return found, {
        name: _read_table(results, name, manifest) for name in wanted if _list_kinds(name, manifest)
    }


def _check_same(manifest: Mapping[str, Any], found: Study, *, results: Path, study: Path) -> None:
    """Refuse a study whose content or criteria are not those of the run."""
    digest = InputDigest()
    digest.add(found)
    before = {entry["table"]: entry["sha256"] for entry in manifest["inputs"]}
    now = {str(entry["table"]): entry["sha256"] for entry in digest.records()}
    differ = [f"table {name}" for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    variants = {entry["name"]: entry["variant"] for entry in manifest["criteria"] if entry["variant"]}
    for name, variant in variants.items():
        if variant != dict(found.config.variants.get(name, {})):
            differ.append(f"criterion {name}")
    if differ:
        msg = (
            f"{results} was not made from {study} as it is now: {', '.join(differ)} differ. "
            "Name the study of that run, or run it again."
        )
        raise ConfigError(msg)


def _list_kinds(name: str, manifest: Mapping[str, Any]) -> list[str]:
    files = {entry["file"] for entry in manifest["files"]}
    return [kind for kind in ("parquet", "csv") if f"{name}.{kind}" in files]


def _read_table(results: Path, name: str, manifest: Mapping[str, Any]) -> pl.DataFrame:
    """Return a table as it was written, from Parquet where there is one."""
    kind = _list_kinds(name, manifest)[0]
    path = results / f"{name}.{kind}"
    expected = next(entry["sha256"] for entry in manifest["files"] if entry["file"] == path.name)
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != expected:
        msg = f"{path} is missing or was changed since the run ({MANIFEST} has another hash). Run it again."
        raise ConfigError(msg)
    if kind == "parquet":
        return pl.read_parquet(path)
    columns = {**ALL_RESULTS, **RESULTS}[name].columns()
    return pl.read_csv(path, schema_overrides={key: _plain(column) for key, column in columns.items()})


def _plain(column: dy.Column) -> pl.DataType:
    """Return the type of a column, codes as text, as they are written."""
    return pl.String() if isinstance(column, dy.Enum) else column.dtype
