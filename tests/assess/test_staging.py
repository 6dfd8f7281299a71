"""BCLC, up-to-seven, Milan and UCSF: limits as printed, unknowns left open, the record compared."""

from __future__ import annotations

import polars as pl
import pytest
from growth_cases import Row, make_study, table
from hypothesis import given, settings
from hypothesis import strategies as st
from marker_cases import lab_rows, pick

from hccresist.assess.marker_stages import tumour_burden
from hccresist.assess.markers import derive_markers
from hccresist.assess.results import Baselines
from hccresist.assess.staging import bclc_2022, milan, ucsf, up_to_seven
from hccresist.study.policies import Policies
from hccresist.study.tables import SCHEMAS


def facts(sizes: list[float | None], **known: object) -> pl.DataFrame:
    """Return the facts of one patient with nodules of these sizes, in mm."""
    measured = [size for size in sizes if size is not None]
    row = {
        "nodules": len(sizes),
        "unmeasured": len(sizes) - len(measured),
        "largest_mm": max(measured, default=None),
        "sum_mm": sum(measured),
        "vascular_invasion": False,
        "extrahepatic_spread": False,
        "ecog": 0.0,
        "child_pugh_class": "A",
        **known,
    }
    kinds = {
        "nodules": pl.Int64,
        "unmeasured": pl.Int64,
        "largest_mm": pl.Float64,
        "sum_mm": pl.Float64,
        "vascular_invasion": pl.Boolean,
        "extrahepatic_spread": pl.Boolean,
        "ecog": pl.Float64,
        "child_pugh_class": pl.String,
    }
    return pl.DataFrame([row], schema=kinds)


# livertoolph.com and radiologyreviewarticles.com: 0 single ≤ 2 cm; A single of any size or up to 3 of ≤ 3
# cm; B multinodular; C vessels, nodes, metastases, PS 1–2; D PS 3–4 or Child-Pugh C.
@pytest.mark.parametrize(
    ("sizes", "known", "stage"),
    [
        ([20.0], {}, "0"),
        ([20.1], {}, "A"),
        ([140.0], {}, "A"),
        ([30.0, 30.0, 30.0], {}, "A"),
        ([30.0, 30.1], {}, "B"),
        ([10.0, 10.0, 10.0, 10.0], {}, "B"),
        ([20.0], {"vascular_invasion": True}, "C"),
        ([20.0], {"extrahepatic_spread": True}, "C"),
        ([20.0], {"ecog": 1.0}, "C"),
        ([20.0], {"ecog": 2.0, "child_pugh_class": "B"}, "C"),
        ([20.0], {"ecog": 3.0}, "D"),
        ([20.0], {"child_pugh_class": "C"}, "D"),
        ([20.0], {"child_pugh_class": "C", "ecog": None, "vascular_invasion": None}, "D"),
        ([20.0], {"ecog": 4.0, "child_pugh_class": None}, "D"),
        ([20.0], {"ecog": 1.0, "vascular_invasion": None}, "C"),
        ([10.0, 10.0, None, None], {}, "B"),
        ([30.1, None], {}, "B"),
        ([20.0], {"ecog": None}, None),
        ([20.0], {"child_pugh_class": None}, None),
        ([20.0], {"child_pugh_class": None, "vascular_invasion": True}, None),
        ([20.0], {"vascular_invasion": None}, None),
        ([20.0], {"extrahepatic_spread": None}, None),
        ([None], {}, None),
        ([10.0, None], {}, None),
        ([], {}, None),
        ([], {"ecog": 1.0}, "C"),
    ],
)
def test_bclc_2022(sizes: list[float | None], known: dict[str, object], stage: str | None) -> None:
    assert facts(sizes, **known).select(bclc_2022()).item() == stage


# PMC6558441, table 1.
@pytest.mark.parametrize(
    ("sizes", "seven", "in_milan", "in_ucsf"),
    [
        ([50.0], True, True, True),
        ([50.1], True, False, True),
        ([60.0], True, False, True),
        ([60.1], False, False, True),
        ([65.0], False, False, True),
        ([65.1], False, False, False),
        ([30.0, 30.0, 30.0], True, True, False),
        ([30.0, 25.0, 25.0], True, True, True),
        ([30.1, 20.0], True, False, True),
        ([45.0, 35.0], True, False, True),
        ([45.0, 35.1], True, False, False),
        ([45.1, 20.0], True, False, False),
        ([40.0, 10.0, 10.0], True, False, True),
        ([30.0, 10.0, 10.0, 10.0], True, False, False),
        ([30.1, 10.0, 10.0, 10.0], False, False, False),
        ([10.0] * 6, True, False, False),
        ([10.0] * 7, False, False, False),
        ([None], None, None, None),
        ([50.0, None], None, False, False),
        ([60.1, None], False, False, False),
        ([None] * 8, False, False, False),
        ([], None, None, None),
    ],
)
def test_transplant_criteria(
    sizes: list[float | None], seven: bool | None, in_milan: bool | None, in_ucsf: bool | None
) -> None:
    found = facts(sizes).select(seven=up_to_seven(), milan=milan(), ucsf=ucsf()).row(0)
    assert found == (seven, in_milan, in_ucsf)


@pytest.mark.parametrize(
    ("known", "verdict"),
    [
        ({"vascular_invasion": True}, False),
        ({"extrahepatic_spread": True}, False),
        ({"vascular_invasion": None}, None),
        ({"extrahepatic_spread": None}, None),
        ({"extrahepatic_spread": True, "vascular_invasion": None}, False),
    ],
)
def test_invasion_and_spread_put_a_patient_beyond(known: dict[str, object], verdict: bool | None) -> None:
    found = facts([20.0], **known).select(milan=milan(), ucsf=ucsf(), seven=up_to_seven()).row(0)
    assert found == (verdict, verdict, True)


SIZES = st.lists(st.sampled_from([8.0, 20.0, 30.0, 31.0, 45.0, 50.0, 66.0]), min_size=1, max_size=5)


@settings(deadline=None)
@given(sizes=SIZES, more=st.sampled_from([8.0, 31.0, 66.0]))
def test_a_further_nodule_never_brings_a_patient_within(sizes: list[float], more: float) -> None:
    for rule in (up_to_seven(), milan(), ucsf()):
        before, after = facts(sizes).select(rule).item(), facts([*sizes, more]).select(rule).item()
        assert before or not after


@settings(deadline=None)
@given(sizes=SIZES)
def test_milan_lies_within_up_to_seven(sizes: list[float]) -> None:
    """One of ≤ 5 cm is ≤ 6, three of ≤ 3 cm are ≤ 6: Milan is the stricter rule."""
    row = facts(sizes).select(seven=up_to_seven(), milan=milan()).row(0, named=True)
    assert row["seven"] or not row["milan"]


def lesion(lesion_id: str, mm: float | None, **more: object) -> Row:
    """Return a lesion of P1 at baseline."""
    return {
        "patient_id": "P1",
        "lesion_id": lesion_id,
        "day": -3.0,
        "organ": "liver",
        "longest_mm": mm,
        "state": "present",
        **more,
    }


def stage_study(lesions: list[Row], *, policies: Policies | None = None, **patient: object):
    """Return a study of P1 with lesions at baseline."""
    row = {"patient_id": "P1", "vascular_invasion": False, "extrahepatic_spread": False, **patient}
    return make_study(policies=policies, lesions=lesions, patients=table(SCHEMAS["patients"], [row]))


def test_nodules_are_counted_once_and_only_in_the_liver() -> None:
    lesions = [
        lesion("L1", 40.0),
        lesion("L1", 44.0, day=-1.0),
        lesion("L2", 12.0, role="nontarget"),
        lesion("L3", None, role="nontarget"),
        lesion("L4", 0.0, state="absent"),
        lesion("L5", 20.0, split_from="L1"),
        lesion("L6", 30.0, day=60.0),
        lesion("N1", 30.0, organ="lymph_node", node=True, short_axis_mm=9.0),
        lesion("A1", None, organ="ascites"),
    ]
    burden = tumour_burden(stage_study(lesions), baselines=None).row(0, named=True)
    assert burden == {
        "patient_id": "P1",
        "reader": "",
        "day": -1.0,
        "nodules": 3,
        "unmeasured": 1,
        "largest_mm": 44.0,
        "sum_mm": 56.0,
        "vessel_lesion": False,
        "distant_lesion": False,
    }


@pytest.mark.parametrize(
    ("more", "vessel", "distant"),
    [
        ({"organ": "portal_vein"}, True, False),
        ({"organ": "lung"}, False, True),
        ({"organ": "lymph_node", "short_axis_mm": 10.0}, False, True),
        ({"organ": "lymph_node", "short_axis_mm": 9.9}, False, False),
        ({"organ": "porta_hepatis_node", "short_axis_mm": 19.9}, False, False),
        ({"organ": "porta_hepatis_node", "short_axis_mm": 20.0}, False, True),
        ({"organ": "pleural_effusion"}, False, False),
    ],
)
def test_lesions_elsewhere_are_invasion_or_spread(more: Row, vessel: bool, distant: bool) -> None:
    lesions = [lesion("L1", 20.0), lesion("X", 15.0, **more)]
    row = tumour_burden(stage_study(lesions), baselines=None).row(0, named=True)
    assert (row["nodules"], row["vessel_lesion"], row["distant_lesion"]) == (1, vessel, distant)
    study = stage_study(lesions, ecog=0, child_pugh_score=5)
    assert pick(derive_markers(study), "bclc_2022", "grade") == ["C" if vessel or distant else "0"]


def test_a_stage_that_differs_from_the_record_is_flagged() -> None:
    study = stage_study([lesion("L1", 18.0)], ecog=0, child_pugh_score=6, bclc="B")
    row = derive_markers(study).filter(marker="bclc_2022").row(0, named=True)
    assert (row["grade"], row["flag"]) == ("0", "differs_from_recorded (B)")
    assert row["reason"].endswith("; recorded B")
    same = stage_study([lesion("L1", 18.0)], ecog=0, child_pugh_score=6, bclc="0")
    assert pick(derive_markers(same), "bclc_2022", "flag") == [None]


def test_a_stage_that_cannot_be_derived_says_what_is_missing() -> None:
    study = stage_study([lesion("L1", None)], extrahepatic_spread=None)
    row = derive_markers(study).filter(marker="bclc_2022").row(0, named=True)
    assert row["response"] == "not_evaluable"
    assert row["reason"] == "unknown: size of 1 of 1 nodules, extrahepatic spread, ECOG, Child-Pugh class"


# Child-Pugh from the laboratory comes before the recorded score: 3.2 mg/dL, 2.6 g/dL, INR 2.0, mild, grade 1
# is class C (lakshay321123/medx).
def test_derived_child_pugh_and_observed_ecog_feed_the_stage() -> None:
    base = stage_study([lesion("L1", 18.0)], child_pugh_score=5)
    labs = lab_rows(
        ("P1", 0, "bilirubin", 3.2, "mg/dL"), ("P1", 0, "albumin", 2.6, "g/dL"), ("P1", 0, "inr", 2.0, None)
    )
    seen = [
        {"patient_id": "P1", "day": 0.0, "name": name, "value": value}
        for name, value in (("ascites", "mild"), ("encephalopathy", "grade 1"), ("ecog", "0"))
    ]
    only_ecog = make_study(patients=base.patients, lesions=base.tables["lesions"], observations=seen)
    assert pick(derive_markers(only_ecog), "bclc_2022", "grade") == ["0"]
    study = make_study(patients=base.patients, lesions=base.tables["lesions"], observations=seen, labs=labs)
    assert pick(derive_markers(study), "bclc_2022", "grade") == ["D"]


def test_the_baseline_scan_of_the_assessment_counts() -> None:
    lesions = [lesion("L1", 18.0, day=-20.0), lesion("L1", 26.0, day=0.0)]
    study = stage_study(lesions, ecog=0, child_pugh_score=5)
    assert pick(derive_markers(study), "bclc_2022", "grade") == ["A"]
    row = {
        "patient_id": "P1",
        "criterion": "recist11",
        "day": -20.0,
        "n_targets": 1,
        "n_nontargets": 0,
        "evaluable": True,
    }
    found = derive_markers(study, baselines=table(Baselines, [row]))
    assert pick(found, "bclc_2022", "grade") == ["0"]


def test_readers_are_staged_apart() -> None:
    lesions = [lesion("L1", 18.0, reader="A"), lesion("L1", 24.0, reader="B")]
    found = derive_markers(stage_study(lesions, ecog=0, child_pugh_score=5)).filter(marker="bclc_2022")
    assert found.select("reader", "grade").rows() == [("A", "0"), ("B", "A")]
