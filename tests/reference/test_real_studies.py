"""Public data of real patients, from the documented mapping to a report."""

import importlib.util
from pathlib import Path

import polars as pl
import pytest

from hccresist.flow import run_study
from hccresist.study.read import read_study

_SPEC = importlib.util.spec_from_file_location(
    "shared_studies", Path(__file__).with_name("shared_studies.py")
)
shared_studies = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(shared_studies)

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "public-data.md"
STUDIES = {
    "write_tace_seg": ("hcc_tace_seg", 68),
    "write_atezolizumab": ("atezolizumab_lesion_diameters", 1085),
    "write_sysucc": ("hcc_sysucc_timeseries", 1631),
    "write_oak": ("oak_joint_subset", 203),
    "write_inspire": ("pembrolizumab_inspire", 94),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_a_public_study_goes_to_a_report(tmp_path, name):
    data, patients = STUDIES[name]
    if not (shared_studies.SHARED / data).exists():
        pytest.skip(f"{shared_studies.SHARED / data} is not here")
    study = read_study(getattr(shared_studies, name)(tmp_path / "study"))
    assert study.patients.height == patients
    result = run_study(study, out=tmp_path / "out", formats=["parquet"])
    assert result.failed == ()
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Research use, not a medical device" in page
    best = result.tables["best_response"]
    assert best["patient_id"].n_unique() == patients
    visits = result.tables["timepoints"].filter(pl.col("sum_mm").is_not_null(), pl.col("baseline_mm") > 0)
    expected = 100 * (visits["sum_mm"] - visits["baseline_mm"]) / visits["baseline_mm"]
    given = visits["change_from_baseline_percent"]
    assert (given - expected).drop_nulls().abs().max() < 1e-9
    curves = result.tables["survival_curves"]
    assert curves["survival"].is_between(0, 1).all()


def test_the_mappings_are_documented():
    page = PAGE.read_text(encoding="utf-8")
    for data, patients in STUDIES.values():
        assert data in page
        assert f"{patients:,}" in page
    assert "tests/reference/shared_studies.py" in page
