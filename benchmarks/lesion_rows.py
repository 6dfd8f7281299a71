"""Lesion rows of any number of simulated patients, for benchmarks: plain growth and shrinkage, no biology."""

from __future__ import annotations

import numpy as np
import polars as pl

from hccresist.study.study import Study, StudyConfig
from hccresist.study.tables import SCHEMAS

TARGETS = 3


def make_lesions(
    patients: int, *, visits: int = 8, lesions: int = 4, first: int = 0, seed: int = 1
) -> pl.DataFrame:
    """Return the table `lesions`, every declared column filled or null, sorted by key.

    Three targets and one non-target in the liver, whole and viable diameters, a new lesion in a tenth
    of the patients.
    """
    rng = np.random.default_rng(seed)
    n = patients * lesions * visits
    patient = np.repeat(np.arange(patients), lesions * visits)
    lesion = np.tile(np.repeat(np.arange(lesions), visits), patients)
    visit = np.tile(np.arange(visits), patients * lesions)
    size = np.repeat(rng.uniform(10, 60, patients * lesions), visits)
    rate = np.repeat(rng.normal(-0.03, 0.15, patients * lesions), visits)
    longest = np.round(np.minimum(size * np.exp(rate * visit + rng.normal(0, 0.03, n)), 250.0), 1)
    viable = np.round(longest * rng.uniform(0.3, 1, n), 1)
    new_at = np.where(rng.random(patients) < 0.1, rng.integers(2, visits, patients), visits)
    is_new = (lesion == lesions - 1) & (new_at[patient] < visits)
    seen = ~is_new | (visit >= new_at[patient])
    role = np.where(is_new, 2, np.where(lesion < TARGETS, 0, 1)).astype(np.uint8)
    names = pl.Series("role", role).replace_strict(
        {0: "target", 1: "nontarget", 2: "new_target"}, return_dtype=pl.String
    )
    frame = pl.DataFrame(
        {
            "patient_id": pl.Series(patient + first).cast(pl.String).str.zfill(7),
            "lesion_id": pl.Series(lesion).cast(pl.String),
            "day": np.where(visit == 0, -7.0, visit * 56.0),
            "role": names,
            "longest_mm": longest,
            "viable_mm": viable,
        }
    ).filter(pl.Series(seen))
    columns = SCHEMAS["lesions"].columns()
    given = {"reader": pl.lit(""), "organ": pl.lit("liver")}
    return frame.with_columns(**given).select(
        pl.col(name).cast(column.dtype)
        if name in (*frame.columns, *given)
        else pl.lit(None, dtype=column.dtype).alias(name)
        for name, column in columns.items()
    )


def make_study(patients: int, **options: int) -> Study:
    """Return a study of `make_lesions`."""
    lesions = make_lesions(patients, **options)
    ids = lesions["patient_id"].unique().sort().to_frame()
    return Study(
        config=StudyConfig(name="benchmark", simulated=True), tables={"patients": ids, "lesions": lesions}
    )
