"""Scores from values of about the same time: window, grades, units, missing and capped components."""

from __future__ import annotations

from itertools import product

import polars as pl
import pytest
from growth_cases import Row, make_study
from marker_cases import lab_rows, pick, study_of

from hccresist.assess.marker_panel import SCORES, Grading
from hccresist.assess.markers import derive_markers
from hccresist.study.policies import Policies


def liver(
    patient: str, *, bilirubin: float = 1.0, albumin: float = 4.0, inr: float = 1.0, day: float = 0.0
) -> list[Row]:
    """Return bilirubin (mg/dL), albumin (g/dL) and INR of one day."""
    return lab_rows(
        (patient, day, "bilirubin", bilirubin, "mg/dL"),
        (patient, day, "albumin", albumin, "g/dL"),
        (patient, day, "inr", inr, None),
    )


def ward(patient: str, ascites: str = "none", encephalopathy: str = "none", day: float = 0.0) -> list[Row]:
    """Return ascites and encephalopathy of one day."""
    return [
        {"patient_id": patient, "day": day, "name": "ascites", "value": ascites},
        {"patient_id": patient, "day": day, "name": "encephalopathy", "value": encephalopathy},
    ]


# lakshay321123/medx, __tests__/child_pugh.test.ts: 12 points, class C.
def test_child_pugh_from_labs_and_observations() -> None:
    study = study_of(
        liver("P1", bilirubin=3.2, albumin=2.6, inr=2.0), observations=ward("P1", "mild", "grade 1")
    )
    row = derive_markers(study).filter(marker="child_pugh").row(0, named=True)
    assert (row["value"], row["grade"], row["unit"]) == (12.0, "C", "points")


def test_the_albumin_cut_of_child_pugh_is_a_policy() -> None:
    labs, seen = liver("P1", albumin=2.9), ward("P1")
    assert pick(derive_markers(study_of(labs, observations=seen)), "child_pugh", "value") == [6.0]
    other = Policies(child_pugh_albumin_cut=3.0)
    study = study_of(labs, observations=seen, policies=other)
    assert pick(derive_markers(study), "child_pugh", "value") == [7.0]
    assert pick(derive_markers(study), "child_pugh", "grade") == ["B"]


def test_child_pugh_that_differs_from_the_record_is_flagged() -> None:
    patients = make_study(labs=liver("P1")).patients.with_columns(
        pl.lit(8).cast(pl.Int64).alias("child_pugh_score")
    )
    study = study_of(liver("P1"), observations=ward("P1"), patients=patients)
    assert pick(derive_markers(study), "child_pugh", "flag") == ["differs_from_recorded (8)"]


# Limits as printed: ALBI −2.60 and −1.39 (Johnson 2015), mALBI −2.27 (doi 10.4251/wjgo.v15.i10.1771), PALBI
# −2.53 and −2.09 (PMC6497276), MELD < 10, 10–14, > 14 (same), Child-Pugh A 5–6, B 7–9, C 10–15.
@pytest.mark.parametrize(
    ("marker", "value", "grade"),
    [
        ("albi", -2.60, "1"),
        ("albi", -2.59, "2"),
        ("albi", -1.39, "2"),
        ("albi", -1.38, "3"),
        ("malbi", -2.60, "1"),
        ("malbi", -2.59, "2a"),
        ("malbi", -2.27, "2a"),
        ("malbi", -2.26, "2b"),
        ("malbi", -1.39, "2b"),
        ("malbi", -1.38, "3"),
        ("palbi", -2.53, "1"),
        ("palbi", -2.52, "2"),
        ("palbi", -2.09, "2"),
        ("palbi", -2.08, "3"),
        ("meld", 9.99, "< 10"),
        ("meld", 10.0, "10–14"),
        ("meld", 14.0, "10–14"),
        ("meld", 14.01, "> 14"),
        ("child_pugh", 6.0, "A"),
        ("child_pugh", 7.0, "B"),
        ("child_pugh", 9.0, "B"),
        ("child_pugh", 10.0, "C"),
        ("crafity", 0.0, "low"),
        ("crafity", 1.0, "intermediate"),
        ("crafity", 2.0, "high"),
        ("mgps", 0.0, "0"),
        ("mgps", 2.0, "2"),
    ],
)
def test_the_printed_limits_of_the_grades(marker: str, value: float, grade: str) -> None:
    grading = next(score.grading for score in SCORES if score.definition.marker == marker)
    assert isinstance(grading, Grading)
    frame = pl.DataFrame({"value": [value, None]}, schema={"value": pl.Float64})
    assert frame.select(grading.expression(pl.col("value"))).to_series().to_list() == [grade, None]


BILIRUBIN = (0.4, 1.0, 1.99, 2.0, 2.01, 2.99, 3.0, 3.01, 12.7)
ALBUMIN = (1.9, 2.79, 2.8, 2.81, 3.49, 3.5, 3.51, 4.4)
CRP = (0.1, 0.99, 1.0, 1.01, 7.3)


def in_conventional_units(patient: str, bilirubin: float, albumin: float, crp: float) -> list[Row]:
    """Return the values of a patient in mg/dL, g/dL and cells per µL."""
    return lab_rows(
        (patient, 0, "bilirubin", bilirubin, "mg/dL"),
        (patient, 0, "albumin", albumin, "g/dL"),
        (patient, 0, "crp", crp, "mg/dL"),
        (patient, 0, "creatinine", 1.1, "mg/dL"),
        (patient, 0, "inr", 1.3, None),
        (patient, 0, "afp", 100.0, "ng/mL"),
        (patient, 0, "neutrophils", 4200.0, "/µL"),
        (patient, 0, "lymphocytes", 1.5, "10^9/L"),
        (patient, 0, "platelets", 15.0, "10^4/µL"),
    )


def in_international_units(patient: str, bilirubin: float, albumin: float, crp: float) -> list[Row]:
    """Return the same values in µmol/L, g/L, mg/L and 10⁹/L, under other names."""
    return lab_rows(
        (patient, 0, "total bilirubin", bilirubin * 17.1, "µmol/L"),
        (patient, 0, "ALB", albumin * 10, "g/L"),
        (patient, 0, "CRP", crp * 10, "mg/L"),
        (patient, 0, "creatinine", 1.1 * 88.4, "umol/L"),
        (patient, 0, "INR", 1.3, "1"),
        (patient, 0, "AFP", 100.0, "µg/L"),
        (patient, 0, "ANC", 4.2, "G/L"),
        (patient, 0, "lymphocytes", 1500.0, "cells/mm³"),
        (patient, 0, "PLT", 150.0, "K/µL"),
    )


def test_the_unit_of_a_value_changes_no_score_and_no_grade() -> None:
    grid = list(product(BILIRUBIN, ALBUMIN, CRP))
    found: list[pl.DataFrame] = []
    for rows_of in (in_conventional_units, in_international_units):
        labs = [row for n, values in enumerate(grid) for row in rows_of(f"P{n:03d}", *values)]
        seen = [row for n in range(len(grid)) for row in ward(f"P{n:03d}", "mild")]
        found.append(derive_markers(study_of(labs, observations=seen)).drop("reason"))
    one, two = found
    assert one.height > 12 * len(grid)
    assert one.drop("value").equals(two.drop("value"))
    away = (one["value"] - two["value"]).abs().drop_nulls().max()
    assert isinstance(away, float)
    assert away < 1e-6


def test_a_component_may_be_up_to_seven_days_older() -> None:
    labs = lab_rows(
        ("P1", 0, "bilirubin", 1.0, "mg/dL"),
        ("P1", 7, "albumin", 4.0, "g/dL"),
        ("P2", 0, "bilirubin", 1.0, "mg/dL"),
        ("P2", 7.5, "albumin", 4.0, "g/dL"),
    )
    albi = derive_markers(study_of(labs)).filter(marker="albi")
    assert albi.select("patient_id", "day").rows() == [("P1", 7.0), ("P2", 0.0)]
    assert albi["value"].is_null().to_list() == [False, True]
    assert albi["reason"].to_list() == [
        "bilirubin 17.1 µmol/L, albumin 40 g/L; oldest 7 days before",
        "bilirubin, albumin were never all measured within 7 days",
    ]
    wide = derive_markers(study_of(labs), window_days=10.0).filter(marker="albi")
    assert wide.select("patient_id", "day").rows() == [("P1", 7.0), ("P2", 7.5)]


def test_a_score_never_uses_a_value_of_its_future() -> None:
    labs = lab_rows(
        ("P1", 0, "bilirubin", 1.0, "mg/dL"),
        ("P1", 2, "albumin", 4.0, "g/dL"),
        ("P1", 3, "albumin", 2.0, "g/dL"),
    )
    albi = derive_markers(study_of(labs)).filter(marker="albi")
    assert albi["day"].to_list() == [2.0, 3.0]
    assert albi["grade"].to_list() == ["2", "3"]


def test_a_score_that_lacks_a_component_says_which() -> None:
    markers = derive_markers(study_of(liver("P1")))
    assert pick(markers, "child_pugh", "reason") == ["no usable value of ascites, encephalopathy"]
    assert pick(markers, "meld", "reason") == ["no usable value of creatinine"]
    assert "nlr" not in markers["marker"].to_list()


def test_a_refused_value_is_no_usable_value() -> None:
    labs = lab_rows(("P1", 0, "afp", 100.0, "IU/mL"), ("P1", 0, "crp", 20.0, "mg/L"))
    markers = derive_markers(study_of(labs))
    assert pick(markers, "crafity", "reason") == ["no usable value of AFP"]


# CRP ≤ 10 mg/L is 0 whatever the albumin (aihaoyisheng.com/en/tools/mgps), even unknown albumin.
def test_mgps_needs_albumin_only_when_crp_is_raised() -> None:
    labs = lab_rows(("P1", 0, "crp", 4.0, "mg/L"), ("P2", 0, "crp", 40.0, "mg/L"))
    markers = derive_markers(study_of(labs))
    assert pick(markers, "mgps", "value") == [0.0, None]


@pytest.mark.parametrize(
    ("afp", "crp", "value"),
    [
        ((60500.0, ">"), (40.0, None), 2.0),
        ((60500.0, ">"), (3.0, "<"), 1.0),
        ((20.0, "<"), (3.0, "<"), 0.0),
        ((150.0, "<"), (3.0, None), None),
        ((50.0, ">"), (40.0, None), None),
        ((100.0, "<"), (40.0, None), 1.0),
    ],
)
def test_points_that_the_assay_limit_leaves_certain_count(
    afp: tuple[float, str | None], crp: tuple[float, str | None], value: float | None
) -> None:
    labs = [
        {"patient_id": "P1", "day": 0.0, "test": test, "value": one[0], "unit": unit, "comparator": one[1]}
        for test, one, unit in (("afp", afp, "ng/mL"), ("crp", crp, "mg/L"))
    ]
    markers = derive_markers(study_of(labs))
    assert pick(markers, "crafity", "value") == [value]


def test_a_score_that_is_no_count_of_points_is_unknown_beyond_an_assay_limit() -> None:
    labs = lab_rows(("P1", 0, "bilirubin", 3.0, "umol/L", "<"), ("P1", 0, "albumin", 40.0, "g/L"))
    markers = derive_markers(study_of(labs))
    assert pick(markers, "albi", "value") == [None]
    assert str(pick(markers, "albi", "reason")[0]).startswith("a component is beyond the limit of its assay")


def test_no_lymphocytes_no_ratio() -> None:
    labs = lab_rows(("P1", 0, "neutrophils", 4.0, "10^9/L"), ("P1", 0, "lymphocytes", 0.0, "10^9/L"))
    markers = derive_markers(study_of(labs))
    assert pick(markers, "nlr", "value") == [None]
    assert str(pick(markers, "nlr", "reason")[0]).startswith("a component is 0")
