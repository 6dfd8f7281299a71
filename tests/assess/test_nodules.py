"""Treatment effect (RECICL) and LI-RADS treatment response v2018, by the reference page, sections 8 and 9.

Areas are worked out by hand: longest × perpendicular.
"""

from __future__ import annotations

import polars as pl
import pytest

from hccresist.assess.audit_results import Nodules
from hccresist.assess.nodules import UNTREATED, derive_nodules
from hccresist.study.frames import study_from_frames

BASE = {"longest_mm": 40.0, "perpendicular_mm": 30.0}  # 1200 mm²
KEY = {"patient_id": "P1", "reader": "A", "lesion_id": "L1", "organ": "liver", "role": "target"}


def build(now, *, base=None, procedures=(), visits=()):
    rows = [{**KEY, "day": -3.0, **(BASE if base is None else base)}, {**KEY, "day": 56.0, **now}]
    tables = {"lesions": rows, "procedures": procedures, "visits": visits}
    frames = {
        name: pl.DataFrame(list(value), infer_schema_length=None) for name, value in tables.items() if value
    }
    return study_from_frames(patients=pl.DataFrame({"patient_id": ["P1"]}), **frames)


def graded(now, **kwargs):
    return derive_nodules(build(now, **kwargs)).row(0, named=True)


@pytest.mark.parametrize(
    ("now", "grade", "basis"),
    [
        ({"state": "absent"}, "TE4", "absent"),
        ({"longest_mm": 0.0}, "TE4", "absent"),
        ({"longest_mm": 60.0, "perpendicular_mm": 50.0, "necrosis_percent": 100.0}, "TE4", "necrosis"),
        ({"longest_mm": 50.0, "perpendicular_mm": 30.1, "necrosis_percent": 90.0}, "TE1", "enlargement"),
        ({"longest_mm": 50.0, "perpendicular_mm": 30.0, "necrosis_percent": 90.0}, "TE3", "necrosis"),
        ({"longest_mm": 50.0, "perpendicular_mm": 30.0, "necrosis_percent": 49.0}, "TE2", "neither"),
        ({"longest_mm": 40.0, "perpendicular_mm": 30.0, "necrosis_percent": 50.0}, "TE3", "necrosis"),
        ({"longest_mm": 30.0, "perpendicular_mm": 20.0}, "TE3", "reduction"),
        ({"longest_mm": 30.0, "perpendicular_mm": 20.1}, "TE2", "neither"),
        ({"state": "too_small"}, "TE3", "reduction"),
        ({"longest_mm": 30.0}, None, None),
        ({"longest_mm": 30.0, "necrosis_percent": 80.0}, None, None),
        ({"state": "not_evaluable"}, None, None),
    ],
)
def test_1_treatment_effect(now, grade, basis):
    """1500 mm² is exactly +25 % of 1200 mm², and TE1 asks for more; 600 mm² is exactly −50 %."""
    row = graded(now)
    assert (row["treatment_effect"], row["basis"]) == (grade, basis)


def test_2_the_effect_is_the_larger_of_necrosis_and_reduction():
    now = {"longest_mm": 30.0, "perpendicular_mm": 20.0}
    assert graded(now)["effect_percent"] == 50.0
    assert graded({**now, "necrosis_percent": 70.0})["effect_percent"] == 70.0
    assert graded({"longest_mm": 60.0, "perpendicular_mm": 40.0})["effect_percent"] == -100.0


def test_3_the_numbers_stand_in_the_reason():
    row = graded({"longest_mm": 60.0, "perpendicular_mm": 40.0, "necrosis_percent": 90.0})
    text = row["treatment_effect_reason"]
    assert text == "Area 2400 mm², grew by 100 % from 1200 mm² at baseline: more than 25 %."
    text = graded({"longest_mm": 30.0})["treatment_effect_reason"]
    assert text == "Area 1200 mm² at baseline and unknown mm² now: growth above 25 % cannot be excluded."


def test_4_a_nodule_without_a_baseline_row_has_no_grade_unless_it_is_dead():
    rows = [{**KEY, "day": 56.0, **BASE, "role": "new_target"}]
    study = study_from_frames(
        patients=pl.DataFrame({"patient_id": ["P1"]}), lesions=pl.DataFrame(rows, infer_schema_length=None)
    )
    row = derive_nodules(study).row(0, named=True)
    assert (row["treatment_effect"], row["baseline_day"]) == (None, None)


TACE = ({"patient_id": "P1", "day": 10.0, "kind": "tace", "lesion_id": "L1"},)


@pytest.mark.parametrize(
    ("now", "category", "size"),
    [
        ({"viable_mm": 12.0}, "viable", 12.0),
        ({"viable_mm": 0.0}, "nonviable", None),
        ({"viable_mm": 0.0, "washout": True}, "viable", None),
        ({"viable_mm": 8.0, "state": "equivocal"}, "equivocal", 8.0),
        ({"state": "absent"}, "nonviable", None),
        ({"necrosis_percent": 100.0}, "nonviable", None),
        ({"necrosis_percent": 60.0}, "not_evaluable", None),
        ({"state": "not_evaluable"}, "not_evaluable", None),
        ({}, "not_evaluable", None),
    ],
)
def test_5_li_rads_treatment_response_of_a_treated_lesion(now, category, size):
    sizes = {} if now.get("state") in {"absent", "not_evaluable"} else BASE
    row = graded({**sizes, **now}, procedures=TACE)
    assert (row["lirads"], row["viable_size_mm"]) == (category, size)
    assert row["procedure_day"] == 10.0


def test_6_without_an_arterial_phase_nothing_is_told():
    visits = ({"patient_id": "P1", "reader": "A", "day": 56.0, "arterial_phase": False},)
    row = graded({**BASE, "viable_mm": 12.0}, procedures=TACE, visits=visits)
    assert (row["lirads"], row["viable_size_mm"]) == ("not_evaluable", None)


@pytest.mark.parametrize(
    "procedure",
    [
        {"day": 10.0, "kind": "tace", "lesion_id": "L2"},
        {"day": 10.0, "kind": "tace", "lesion_id": None},
        {"day": 56.0, "kind": "tace", "lesion_id": "L1"},
        {"day": 60.0, "kind": "tace", "lesion_id": "L1"},
        {"day": 10.0, "kind": "resection", "lesion_id": "L1"},
    ],
)
def test_7_only_a_lesion_that_was_itself_treated_before_has_a_category(procedure):
    row = graded({**BASE, "viable_mm": 12.0}, procedures=({"patient_id": "P1", **procedure},))
    assert (row["lirads"], row["procedure_day"], row["lirads_reason"]) == (None, None, UNTREATED)


def test_8_the_last_procedure_is_the_one_that_is_named():
    again = ({"patient_id": "P1", "day": 30.0, "kind": "radiotherapy", "lesion_id": "L1"},)
    row = graded({**BASE, "viable_mm": 12.0}, procedures=(*TACE, *again))
    assert row["procedure_day"] == 30.0
    assert "radiotherapy on day 30" in row["lirads_reason"]
    assert "v2024 was not seen" in row["lirads_reason"]


def test_9_only_lesions_in_the_liver_and_scans_after_baseline_have_rows():
    rows = [
        {**KEY, "day": day, "lesion_id": name, "organ": organ, **BASE}
        for name, organ in (("L1", "liver"), ("L2", None), ("X1", "lung"), ("V1", "portal_vein"))
        for day in (-3.0, 56.0)
    ]
    study = study_from_frames(
        patients=pl.DataFrame({"patient_id": ["P1"]}), lesions=pl.DataFrame(rows, infer_schema_length=None)
    )
    table = derive_nodules(study)
    assert table.select("lesion_id", "day").rows() == [("L1", 56.0), ("L2", 56.0)]
    Nodules.validate(table)


def test_10_a_study_without_lesions_has_no_nodules():
    study = study_from_frames(
        patients=pl.DataFrame({"patient_id": ["P1"]}),
        sums=pl.DataFrame({"patient_id": ["P1"], "measure": ["longest"], "day": [0.0], "sum": [42.0]}),
    )
    assert derive_nodules(study).height == 0
