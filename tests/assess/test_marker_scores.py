"""Scores against printed worked examples and other people's tests; limits, missing values, monotony."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hccresist.assess.marker_scores import (
    albi_score,
    child_pugh_score,
    crafity_score,
    ez_albi_score,
    meld_score,
    mgps_score,
    neutrophil_lymphocyte_ratio,
    palbi_score,
    platelet_lymphocyte_ratio,
    prognostic_nutritional_index,
    systemic_immune_inflammation_index,
)

BILIRUBIN = st.floats(2.0, 800.0)
ALBUMIN = st.floats(10.0, 60.0)
NAN = float("nan")


# cal57.calculator.city/albi-calculator.html: albumin 3.5 g/dL (35 g/L), bilirubin 1.2 mg/dL (20.52
# µmol/L): ALBI ≈ −2.10. (Another page of that site, albi-score-calculator.html, prints −2.35 for the
# same numbers and the same formula: that one is wrong.) Seen 2026-11.
def test_albi_printed_example_of_a_calculator_page() -> None:
    assert float(albi_score(20.52, 35.0)) == pytest.approx(-2.10, abs=0.015)


# A public repository's test (organ_score_service): bilirubin 0.8 mg/dL, albumin 4.5 g/dL → −3.075.
def test_albi_as_tested_by_a_public_repository() -> None:
    assert float(albi_score(0.8 * 17.1, 45.0)) == pytest.approx(-3.075, abs=0.0005)


# A public simulator prints: albumin 4.0 g/dL with bilirubin 1.0 mg/dL sits at −2.59, just inside grade 2.
def test_albi_just_inside_grade_2_as_a_public_simulator_prints() -> None:
    assert float(albi_score(17.1, 40.0)) == pytest.approx(-2.59, abs=0.005)


# johnasher/transplantr, tests/testthat/test_liver.R: meld(INR = 2.0, bili = 54, creat = 170) is 24.798
# (µmol/L; all three above 1 mg/dL, so with and without bounds).
@pytest.mark.parametrize("bounded", [True, False])
def test_meld_as_tested_by_transplantr(bounded: bool) -> None:
    found = meld_score(54 / 17.1, 2.0, 170 / 88.4, bounded=bounded)
    assert float(found) == pytest.approx(24.798, abs=0.001)


# calculatorlib.com/meld-score-calculator: bilirubin 1.9, INR 1.2, creatinine 1.3 → 13.41.
def test_meld_printed_example_of_a_calculator_page() -> None:
    assert float(meld_score(1.9, 1.2, 1.3)) == pytest.approx(13.41, abs=0.005)


# The same page: values below 1.0 are set to 1.0, creatinine is capped at 4.0, the score lies in 6 to 40.
def test_meld_bounds_of_organ_allocation() -> None:
    assert float(meld_score(0.4, 0.9, 0.6, bounded=True)) == pytest.approx(6.43)
    assert float(meld_score(0.4, 0.9, 0.6)) < 0
    assert float(meld_score(5.0, 2.0, 9.0, bounded=True)) == float(meld_score(5.0, 2.0, 4.0, bounded=True))
    assert float(meld_score(60.0, 8.0, 4.0, bounded=True)) == 40.0


# lakshay321123/medx, __tests__/child_pugh.test.ts: 3.2 mg/dL, 2.6 g/dL, INR 2.0, ascites mild,
# encephalopathy mild → 12 points, class C.
def test_child_pugh_as_tested_by_medx() -> None:
    found = child_pugh_score(
        bilirubin_mg_dl=3.2, albumin_g_dl=2.6, inr=2.0, ascites_points=2, encephalopathy_points=2
    )
    assert float(found) == 12.0


# The table at ccjm.org (highwire/markup/12320): every limit, one component at a time.
@pytest.mark.parametrize(
    ("component", "value", "points"),
    [
        ("bilirubin_mg_dl", 1.99, 1),
        ("bilirubin_mg_dl", 2.0, 2),
        ("bilirubin_mg_dl", 3.0, 2),
        ("bilirubin_mg_dl", 3.01, 3),
        ("albumin_g_dl", 3.51, 1),
        ("albumin_g_dl", 3.5, 2),
        ("albumin_g_dl", 2.8, 2),
        ("albumin_g_dl", 2.79, 3),
        ("inr", 1.69, 1),
        ("inr", 1.7, 2),
        ("inr", 2.3, 2),
        ("inr", 2.31, 3),
    ],
)
def test_child_pugh_limits_of_the_table(component: str, value: float, points: int) -> None:
    best = {"bilirubin_mg_dl": 1.0, "albumin_g_dl": 4.0, "inr": 1.0}
    found = child_pugh_score(**{**best, component: value}, ascites_points=1, encephalopathy_points=1)
    assert float(found) == 4 + points


# PMC3017746, table 1, prints 3.0 where others print 2.8.
def test_child_pugh_albumin_cut_of_other_tables() -> None:
    given = {"bilirubin_mg_dl": 1.0, "albumin_g_dl": 2.9, "inr": 1.0}
    points = {"ascites_points": 1, "encephalopathy_points": 1}
    assert float(child_pugh_score(**given, **points)) == 6.0
    assert float(child_pugh_score(**given, **points, albumin_cut_g_dl=3.0)) == 7.0


@pytest.mark.parametrize("points", [0, 1.5, 4, NAN])
def test_child_pugh_points_that_do_not_exist_leave_it_unknown(points: float) -> None:
    found = child_pugh_score(
        bilirubin_mg_dl=1, albumin_g_dl=4, inr=1, ascites_points=points, encephalopathy_points=1
    )
    assert np.isnan(found)


# PMID 37129721: AFP at least 100 ng/mL and CRP at least 1 mg/dL (10 mg/L) score a point each.
@pytest.mark.parametrize(
    ("afp", "crp", "score"),
    [(99.9, 9.9, 0), (100.0, 9.9, 1), (99.9, 10.0, 1), (100.0, 10.0, 2), (5.0, 80.0, 1)],
)
def test_crafity_limits(afp: float, crp: float, score: int) -> None:
    assert float(crafity_score(afp, crp)) == score


# aihaoyisheng.com/en/tools/mgps: CRP ≤ 10 → 0; > 10 with albumin ≥ 35 → 1; > 10 with < 35 → 2. The plain
# GPS would give 1 in the first row.
@pytest.mark.parametrize(
    ("crp", "albumin", "score"), [(10.0, 20.0, 0), (10.1, 35.0, 1), (10.1, 34.9, 2), (3.0, NAN, 0)]
)
def test_mgps_is_the_variant_of_proctor(crp: float, albumin: float, score: int) -> None:
    assert float(mgps_score(crp, albumin)) == score


# By hand: 2.02·1 − 0.37·1 − 0.04·40 − 3.48·2 + 1.01·4 at 10 µmol/L, 40 g/L, 100 · 10⁹/L.
def test_palbi_by_hand() -> None:
    assert float(palbi_score(10.0, 40.0, 100.0)) == pytest.approx(-2.87)


# PMC10251088, table 2, with 4.2 and 1.4 · 10⁹/L, 210 · 10⁹/L, 4.1 g/dL: by hand.
def test_ratios_and_indices_by_hand() -> None:
    assert float(neutrophil_lymphocyte_ratio(4.2, 1.4)) == pytest.approx(3.0)
    assert float(platelet_lymphocyte_ratio(210.0, 1.4)) == pytest.approx(150.0)
    assert float(systemic_immune_inflammation_index(210.0, 4.2, 1.4)) == pytest.approx(630.0)
    assert float(prognostic_nutritional_index(4.1, 1400.0)) == pytest.approx(48.0)
    assert float(ez_albi_score(1.1, 4.1)) == pytest.approx(-35.8)


@given(low=BILIRUBIN, high=BILIRUBIN, albumin=ALBUMIN)
def test_more_bilirubin_is_never_better(low: float, high: float, albumin: float) -> None:
    low, high = sorted((low, high))
    points = {"albumin_g_dl": albumin / 10, "inr": 1.2, "ascites_points": 1, "encephalopathy_points": 1}
    assert albi_score(low, albumin) <= albi_score(high, albumin)
    assert child_pugh_score(bilirubin_mg_dl=low / 17.1, **points) <= child_pugh_score(
        bilirubin_mg_dl=high / 17.1, **points
    )
    assert meld_score(low / 17.1, 1.2, 1.0) <= meld_score(high / 17.1, 1.2, 1.0)


@given(bilirubin=BILIRUBIN, low=ALBUMIN, high=ALBUMIN)
def test_more_albumin_is_never_worse(bilirubin: float, low: float, high: float) -> None:
    low, high = sorted((low, high))
    assert albi_score(bilirubin, high) <= albi_score(bilirubin, low)
    assert ez_albi_score(bilirubin / 17.1, high / 10) <= ez_albi_score(bilirubin / 17.1, low / 10)
    assert palbi_score(bilirubin, high, 150.0) <= palbi_score(bilirubin, low, 150.0)
    assert mgps_score(30.0, high) <= mgps_score(30.0, low)


@pytest.mark.parametrize(
    "score",
    [
        albi_score(0.0, 40.0),
        albi_score(NAN, 40.0),
        albi_score(20.0, NAN),
        palbi_score(20.0, 40.0, 0.0),
        meld_score(1.0, 0.0, 1.0),
        crafity_score(NAN, 20.0),
        mgps_score(20.0, NAN),
        mgps_score(NAN, 40.0),
        neutrophil_lymphocyte_ratio(4.0, 0.0),
        prognostic_nutritional_index(4.0, NAN),
    ],
)
def test_an_undefined_score_is_not_a_number(score: np.ndarray) -> None:
    assert np.isnan(score)


def test_scores_take_arrays() -> None:
    found = albi_score(np.array([10.0, 20.0]), np.array([40.0, 30.0]))
    assert found.shape == (2,)
    assert found.tolist() == [float(albi_score(10.0, 40.0)), float(albi_score(20.0, 30.0))]
