"""Sums at every visit: which are there, and in which phase."""

import polars as pl
import pytest

from hccresist.assess.sizes import derive_sizes
from hccresist.errors import ConfigError
from hccresist.study.frames import study_from_frames


def study():
    rows = [
        ("T1", -60.0, 20.0),
        ("T2", -60.0, 10.0),
        ("T1", -3.0, 30.0),
        ("T2", -3.0, 15.0),
        ("T1", 56.0, 24.0),
        ("T2", 56.0, 12.0),
        ("T1", 112.0, 24.0),  # T2 was not measured: no complete sum
        ("X1", 112.0, 9.0),
    ]
    lesions = pl.DataFrame(rows, schema=["lesion_id", "day", "longest_mm"], orient="row").with_columns(
        patient_id=pl.lit("P1"),
        organ=pl.lit("liver"),
        role=pl.when(pl.col("lesion_id") == "X1").then(pl.lit("new_target")).otherwise(pl.lit("target")),
    )
    return study_from_frames(patients=pl.DataFrame({"patient_id": ["P1"]}), lesions=lesions)


def test_complete_sums_of_the_baselines_targets():
    found = derive_sizes(study()).select("day", "sum_mm", "phase").rows()
    assert found == [(-60.0, 30.0, "before"), (-3.0, 45.0, "baseline"), (56.0, 36.0, "after")]


def test_areas_are_refused():
    with pytest.raises(ConfigError, match="lengths"):
        derive_sizes(study(), criterion="who")
