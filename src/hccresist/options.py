"""What a run is asked for beyond its stages, as plain records that load nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
