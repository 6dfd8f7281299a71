"""What a run is asked for beyond its stages, and whether words are among those allowed; loads nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hccresist.errors import ConfigError

LEAST_PARTICLES: Final = 20
"""Virtual patients below which 90 % limits say nothing."""
MOST_PARTICLES: Final = 100_000
MOST_TWINS: Final = 200
"""Patients up to whom twins are made unasked: each takes a second or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OmicsOptions:
    """What *explain* is asked for.

    Attributes
    ----------
    reference
        Name of a reference that tumours are held against; the cohort itself where there is none.
    gene_sets
        GMT files with gene sets of one's own.
    min_coverage
        Share of the genes of a set from which it is scored, from 0 to 1; the default if not given.
    covariates
        Columns of patients or samples that adjusted models take in.
    scale
        Scale of the expression, where the values do not tell it: log, linear or counts.
    platform
        Platform of the samples in the user's words; another one than the reference's gives no percentile.
    """

    reference: str | None = None
    gene_sets: tuple[Path, ...] = ()
    min_coverage: float | None = None
    covariates: tuple[str, ...] = ()
    scale: str | None = None
    platform: str = ""

    def record(self) -> dict[str, object]:
        """Return what was asked for, where anything was; of files the names only."""
        asked = {
            "reference": self.reference,
            "gene_sets": [file.name for file in self.gene_sets] or None,
            "min_coverage": self.min_coverage,
            "covariates": list(self.covariates) or None,
            "scale": self.scale,
            "platform": self.platform or None,
        }
        return {name: value for name, value in asked.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinOptions:
    """What the twins are asked for.

    Attributes
    ----------
    particles
        Virtual patients of each patient, at least `LEAST_PARTICLES`; the default of the twin if not given.
    most
        Patients up to whom twins are made; none: however many.
    report
        Told how many steps are done, and of how many.
    """

    particles: int | None = None
    most: int | None = MOST_TWINS
    report: Callable[[int, int], None] | None = None

    def record(self) -> dict[str, object]:
        """Return what was asked for, where anything was."""
        return {} if self.particles is None else {"particles": self.particles}

    def explain_skip(self, patients: int) -> str:
        """Return why no twin is made of so many patients, or an empty text."""
        if self.most is None or patients <= self.most:
            return ""
        return f"the study has {patients:,} patients; more than {self.most} have twins if asked for (--twin)"

    def check(self) -> None:
        """Check the number of virtual patients.

        Raises
        ------
        ConfigError
            When it is too small or too large.
        """
        if self.particles is not None and not LEAST_PARTICLES <= self.particles <= MOST_PARTICLES:
            msg = f"particles is {self.particles}; it must be from {LEAST_PARTICLES} to {MOST_PARTICLES:,}"
            raise ConfigError(msg)


def check_words(what: str, words: Sequence[str], allowed: Sequence[str]) -> None:
    """Check that words were given and that each is one of those allowed.

    Raises
    ------
    ConfigError
        With what is allowed, and the nearest of it.
    """
    from hccresist.study.issues import nearest  # noqa: PLC0415  (only for a message)

    if not words:
        msg = f"No {what} was named. Choose from {', '.join(allowed)}."
        raise ConfigError(msg)
    for word in words:
        if word not in allowed:
            hint = nearest(word, list(allowed))
            msg = f"There is no {what} '{word}'. Choose from {', '.join(allowed)}. {hint}".strip()
            raise ConfigError(msg)
