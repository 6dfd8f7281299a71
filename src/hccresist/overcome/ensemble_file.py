"""The calibrated ensemble that is shipped: sets of typical parameter values, and what was learnt of each."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import numpy as np

from hccresist.overcome.model.text import FOLDER

ENSEMBLE: Final = "ensemble.csv"
FACTS: Final = "calibration.json"
_TABLES: Final = (
    *("lesion.ant", "patient.ant", "parameters.csv", "drugs.csv", "regimens.csv", "traits.csv"),
    *("prevalence.csv", "correlations.csv", "handles.csv"),
)


@dataclass(frozen=True)
class Ensemble:
    """Calibrated sets of parameters.

    Attributes
    ----------
    members
        Typical values that differ from the table, and factors on drug effects, one mapping a set.
    centre
        The set in the middle: the median of each value on a logarithmic scale.
    facts
        How it was made: members, patients, seed, steps, digest of the model, and what of it stays at its
        prior.
    """

    members: tuple[Mapping[str, float], ...]
    centre: Mapping[str, float]
    facts: Mapping[str, Any]

    @property
    def at_prior(self) -> tuple[str, ...]:
        """Parameters of which the data told little: they stay at their prior."""
        return tuple(self.facts["at_prior"])

    @property
    def is_current(self) -> bool:
        """Whether the model is still the one that was calibrated."""
        return bool(self.facts["model"] == digest_model())


def _folder() -> Traversable:
    return files("hccresist") / "data" / "overcome" / "calibration"


def find_ensemble() -> Ensemble | None:
    """Read the shipped ensemble; None where none is shipped."""
    return read_ensemble() if (_folder() / ENSEMBLE).is_file() else None


@lru_cache(maxsize=1)
def read_ensemble() -> Ensemble:
    """Read the shipped ensemble."""
    folder = _folder()
    rows = list(csv.DictReader((folder / ENSEMBLE).read_text(encoding="utf-8").splitlines()))
    members = tuple({name: float(value) for name, value in row.items()} for row in rows)
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    return Ensemble(members, find_centre(members), facts)


def find_centre(members: tuple[Mapping[str, float], ...]) -> dict[str, float]:
    """Find the median of each value on a logarithmic scale."""
    return {
        name: float(np.exp(np.median([np.log(member[name]) for member in members]))) for name in members[0]
    }


def write_ensemble(folder: Path, members: tuple[Mapping[str, float], ...], facts: Mapping[str, Any]) -> None:
    """Write an ensemble, to six digits, and its facts."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ENSEMBLE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(members[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: f"{value:.6g}" for name, value in member.items()} for member in members)
    content = {**facts, "model": digest_model()}
    (folder / FACTS).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


@lru_cache(maxsize=1)
def digest_model() -> str:
    """Digest of everything of the model that a calibration rests on: equations and tables."""
    found = hashlib.sha256()
    for name in _TABLES:
        found.update((FOLDER / name).read_bytes())
    return found.hexdigest()[:16]
