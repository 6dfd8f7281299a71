"""ctDNA: detected, cleared, and the change of its allele frequency."""

from __future__ import annotations

import polars as pl
import pytest
from growth_cases import Row, make_study
from marker_cases import pick

from hccresist.assess.markers import derive_marker_tables, derive_markers


def samples(name: str, *values: tuple[float, str], patient: str = "P1") -> list[Row]:
    """Return observations of one name over time."""
    return [{"patient_id": patient, "day": day, "name": name, "value": value} for day, value in values]


# GO30140 at ASCO 2020 (cancertherapyadvisor.com): clearance is ctDNA that became undetectable; the two
# verdicts without ctDNA at baseline are ours.
@pytest.mark.parametrize(
    ("baseline", "later", "response"),
    [
        ("true", "false", "cleared"),
        ("true", "true", "persistent"),
        ("false", "true", "appeared"),
        ("false", "false", "undetected"),
    ],
)
def test_clearance(baseline: str, later: str, response: str) -> None:
    study = make_study(observations=samples("ctdna_detected", (-5, baseline), (42, later)))
    assert pick(derive_markers(study), "ctdna_clearance") == [response]


def test_clearance_is_told_at_every_sample() -> None:
    study = make_study(
        observations=samples("ctdna_detected", (0, "yes"), (21, "no"), (63, "no"), (105, "yes"))
    )
    assert pick(derive_markers(study), "ctdna_clearance") == ["cleared", "cleared", "persistent"]
    assert pick(derive_markers(study), "ctdna_detected", "grade") == [
        "detected",
        "not_detected",
        "not_detected",
        "detected",
    ]


def test_without_a_baseline_sample_clearance_is_not_evaluable() -> None:
    study = make_study(observations=samples("ctdna_detected", (-60, "true"), (42, "false")))
    markers = derive_markers(study)
    assert pick(markers, "ctdna_clearance") == ["not_evaluable"]
    assert pick(markers, "ctdna_clearance", "reason") == ["there is no sample in the baseline window"]


def test_a_frequency_alone_tells_whether_ctdna_is_there() -> None:
    study = make_study(observations=samples("ctdna_vaf", (0, "1.8%"), (42, "0%")))
    markers = derive_markers(study)
    assert pick(markers, "ctdna_clearance") == ["cleared"]
    assert pick(markers, "ctdna_vaf", "value") == [1.8, 0.0]
    assert pick(markers, "ctdna_vaf_change", "value") == [-100.0]


# doi:10.1186/s13046-021-02016-3: any reduction of the mean frequency is a fall.
@pytest.mark.parametrize(("later", "response"), [("1.79%", "fall"), ("1.8%", "unchanged"), ("1.81%", "rise")])
def test_change_of_the_frequency(later: str, response: str) -> None:
    study = make_study(observations=samples("ctdna_vaf", (0, "1.8%"), (28, later)))
    assert pick(derive_markers(study), "ctdna_vaf_change") == [response]


def test_share_and_per_cent_are_the_same_frequency() -> None:
    one = make_study(observations=samples("ctdna_vaf_fraction", (0, "0.018"), (28, "0.006")))
    two = make_study(observations=samples("ctdna_vaf_percent", (0, "1.8"), (28, "0.6")))
    for marker in ("ctdna_vaf", "ctdna_vaf_change"):
        first, second = (pick(derive_markers(study), marker, "value") for study in (one, two))
        assert first == pytest.approx(second)


def test_a_baseline_frequency_of_zero_has_no_change() -> None:
    study = make_study(observations=samples("ctdna_vaf", (0, "0%"), (28, "0.6%")))
    assert pick(derive_markers(study), "ctdna_vaf_change") == ["not_evaluable"]
    assert pick(derive_markers(study), "ctdna_clearance") == ["appeared"]


def test_a_sample_that_contradicts_itself_is_refused_and_told() -> None:
    rows = samples("ctdna_detected", (0, "true"), (28, "false")) + samples("ctdna_vaf", (28, "0.6%"))
    tables = derive_marker_tables(make_study(observations=rows))
    assert pick(tables["markers"], "ctdna_clearance") == []
    issue = tables["marker_issues"].row(0, named=True)
    assert (issue["code"], issue["day"], issue["patient_id"]) == ("contradiction", 28.0, "P1")


def test_patients_are_kept_apart() -> None:
    rows = samples("ctdna_detected", (0, "true")) + samples("ctdna_detected", (28, "false"), patient="P2")
    markers = derive_markers(make_study(observations=rows))
    assert markers.filter(pl.col("marker") == "ctdna_clearance").select("patient_id", "response").rows() == [
        ("P2", "not_evaluable")
    ]
