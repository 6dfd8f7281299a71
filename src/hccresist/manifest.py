"""What a run was: versions, options, policies, inputs, attrition, warnings and citations.

The manifest depends on the content of the input and on the options only, never on the host, the
clock, the row order or the thread count; those stand in ``run.log.json``.

Keys of ``manifest.json``:

- `software`, `version`: ``hccresist`` and its version; `manifest_version`: version of this layout
- `study`: name, title, index_line, planned_visit_days, criteria, reference_arm, strata,
  simulated
- `options`: criteria asked for, stages, file formats
- `criteria`: one record a criterion assessed: name, title, reference and how far it was verified,
  with what a variant of the study's own changes
- `stages`: one record a stage: name, status (done, skipped, failed), reason
- `skipped`: stage or criterion to the reason why it was not done
- `policies`: every policy in force; `policies_changed`: those that differ from the default, with
  value, default and meaning
- `inputs`: one record a table: table, rows, columns, covariates, files, SHA-256 of the checked content
- `seed`: seed of the random sets and permutations of *explain*; null where it did not run
- `attrition`: one record a reader, criterion and step: patients left, patients lost and why
- `warnings`: what was noticed in the input, as records of `hccresist.study.issues.Issue`
- `citations`: keys of ``data/references.toml`` that the run should cite
- `versions`: Python and packages
- `files`: result files with rows and SHA-256
"""

from __future__ import annotations

import hashlib
import io
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from hccresist.assess import find_criterion
from hccresist.citations import read_references, read_version, select_references
from hccresist.outputs import SOFTWARE
from hccresist.study.policies import Policies, describe
from hccresist.study.study import Study, StudyConfig
from hccresist.study.tables import SCHEMAS

MANIFEST_VERSION: Final = 1

_SLICE: Final = 100_000

PACKAGES: Final = (
    "dataframely",
    "lifelines",
    "numpy",
    "pandas",
    "pyarrow",
    "pyreadstat",
    "vl-convert-python",
)
"""Packages whose versions are kept beside those that are cited."""


SEED: Final = 0
"""Seed of everything random in a run."""

_RANDOM: Final = ("explain", "twin")
"""Stages that draw numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What became of a stage.

    Attributes
    ----------
    name
        assess, outcomes, explain, overcome, twin or report.
    status
        ``done``, ``skipped`` or ``failed``.
    reason
        Why it was skipped or failed.
    """

    name: str
    status: str
    reason: str = ""

    def record(self) -> dict[str, object]:
        """Return the stage as it stands in the manifest."""
        return {"name": self.name, "status": self.status, "reason": self.reason}


def build_manifest(
    config: StudyConfig,
    *,
    inputs: Sequence[Mapping[str, object]],
    stages: Sequence[Stage],
    skipped: Mapping[str, str],
    options: Mapping[str, object],
    criteria: Sequence[str],
    attrition: Sequence[Mapping[str, object]],
    warnings: Sequence[Mapping[str, object]],
    tags: Iterable[str],
) -> dict[str, object]:
    """Return the manifest of a run; see the module for its keys."""
    return {
        "software": SOFTWARE,
        "version": read_version(SOFTWARE),
        "manifest_version": MANIFEST_VERSION,
        "study": _describe_study(config),
        "options": dict(options),
        "criteria": [_describe_criterion(name, config) for name in criteria],
        "stages": [stage.record() for stage in stages],
        "skipped": {**{s.name: s.reason for s in stages if s.status == "skipped"}, **skipped},
        "policies": config.policies.values(),
        "policies_changed": list_changed_policies(config.policies),
        "inputs": list(inputs),
        "seed": SEED if any(s.name in _RANDOM and s.status == "done" for s in stages) else None,
        "attrition": list(attrition),
        "warnings": list(warnings),
        "citations": select_references(tags),
        "versions": read_versions(),
    }


def list_changed_policies(policies: Policies) -> dict[str, dict[str, object]]:
    """Return the policies that differ from their default: value, default and meaning of each."""
    values = policies.values()
    return {
        info.name: {"value": values[info.name], "default": info.default, "meaning": info.meaning}
        for info in describe()
        if values[info.name] != info.default
    }


def read_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a result can depend on."""
    names = {reference.package for reference in read_references() if reference.package}
    found = {name: read_version(name) for name in sorted({*names, *PACKAGES})}
    return {"python": platform.python_version(), **{name: text for name, text in found.items() if text}}


def _describe_study(config: StudyConfig) -> dict[str, object]:
    return {
        "name": config.name,
        "title": config.title,
        "index_line": config.index_line,
        "planned_visit_days": list(config.planned_visit_days),
        "criteria": list(config.criteria),
        "reference_arm": config.reference_arm,
        "strata": list(config.strata),
        "simulated": config.simulated,
    }


def _describe_criterion(name: str, config: StudyConfig) -> dict[str, object]:
    criterion = find_criterion(name, config.variants)
    return {
        "name": criterion.name,
        "title": criterion.title,
        "reference": criterion.reference,
        "status": criterion.status,
        "variant": dict(config.variants.get(name, {})),
    }


@dataclass(slots=True)
class InputDigest:
    """Collects what was read, piece by piece: rows and a hash of the checked content of each table.

    The hash is taken over the sorted, checked table, so that it does not change with the order of
    rows, the delimiter or the file format; it is the same whether the study comes whole or in
    pieces of consecutive patients.
    """

    _hashes: dict[str, Any] = field(default_factory=dict[str, Any])
    _rows: dict[str, int] = field(default_factory=dict[str, int])
    _columns: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    _files: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def add(self, study: Study) -> None:
        """Take in a study, or the next piece of one."""
        for name, frame in study.tables.items():
            seen = name in self._hashes
            state = self._hashes.setdefault(name, hashlib.sha256())
            for piece in frame.iter_slices(_SLICE) if frame.height else [frame]:
                buffer = io.BytesIO()
                piece.write_csv(buffer, include_header=not seen)
                state.update(buffer.getbuffer())
                seen = True
            self._rows[name] = self._rows.get(name, 0) + frame.height
            self._columns[name] = frame.columns
        for source in study.sources:
            self._files.setdefault(source.table, set()).add(source.file)

    def records(self) -> list[dict[str, object]]:
        """Return one record a table, in the order of the data dictionary."""
        return [self._record(name) for name in SCHEMAS if name in self._hashes]

    def _record(self, name: str) -> dict[str, object]:
        declared = set(SCHEMAS[name].column_names())
        return {
            "table": name,
            "rows": self._rows[name],
            "columns": len(self._columns[name]),
            "covariates": [column for column in self._columns[name] if column not in declared],
            "files": sorted(self._files.get(name, ())),
            "sha256": self._hashes[name].hexdigest(),
        }


def count_attrition(
    patients: pl.Series, baselines: pl.DataFrame, timepoints: pl.DataFrame
) -> list[dict[str, object]]:
    """Count, for each reader and criterion, the patients that are left after each step.

    Parameters
    ----------
    patients
        Identifiers of every patient of the study.
    baselines, timepoints
        Result tables of *assess*.

    Returns
    -------
    list of dict
        reader, criterion, step, patients (left), lost (at this step), reason.
    """
    seen = timepoints.select("patient_id", "reader", "criterion").unique().with_columns(visited=pl.lit(True))  # noqa: FBT003
    joined = baselines.join(seen, on=["patient_id", "reader", "criterion"], how="left")
    groups = joined.partition_by("reader", "criterion", as_dict=True)
    return [
        record for key in sorted(groups, key=str) for record in _count_steps(key, groups[key], patients.len())
    ]


def _count_steps(key: tuple[object, ...], group: pl.DataFrame, total: int) -> list[dict[str, object]]:
    visited = group.filter(pl.col("visited").fill_null(value=False))
    lost = visited.filter(~pl.col("evaluable"))
    blind = lost.filter(pl.col("day").is_null() & pl.col("measurable").is_not_null()).height
    steps = [
        ("in the study", total, ""),
        ("assessed by this reader", group.height, "not assessed by this reader"),
        ("with a visit after baseline", visited.height, "no visit after baseline"),
        (
            "with an evaluable visit",
            visited.height - lost.height,
            f"every visit is NE; {blind} of them without a usable baseline scan",
        ),
    ]
    records: list[dict[str, object]] = []
    for step, left, reason in steps:
        before = records[-1]["patients"] if records else left
        lost = int(str(before)) - int(left)
        records.append(
            {
                "reader": key[0],
                "criterion": key[1],
                "step": step,
                "patients": int(left),
                "lost": lost,
                "reason": reason if lost else "",
            }
        )
    return records
