"""Each check of the audit on a patient who has the fault, and on one who just has it not.

Thresholds are those of the rule that stands in the check's record; numbers are worked out by hand.
"""

from __future__ import annotations

import polars as pl
import pytest

from hccresist.assess import assess_study
from hccresist.assess.audit import CHECKS, derive_audit, derive_audit_tables
from hccresist.assess.audit_results import Audit, AuditChecks
from hccresist.study.frames import study_from_frames
from hccresist.study.policies import Policies
from hccresist.study.read import read_study
from hccresist.study.study import StudyConfig

DAYS = (-3.0, 56.0, 112.0, 168.0)


def lesion(name, sizes, *, days=DAYS, **columns):
    """Rows of a target in the lung; None is a row without a size, a word is a state."""
    rows = []
    for day, size in zip(days, sizes, strict=False):
        state = size if isinstance(size, str) else None
        rows.append(
            {
                "patient_id": "P1",
                "reader": "A",
                "lesion_id": name,
                "day": float(day),
                "role": "target",
                "organ": "lung",
                "longest_mm": None if isinstance(size, str) else size,
                "state": state,
                **columns,
            }
        )
    return rows


def node(name, sizes, **columns):
    return [
        {**row, "longest_mm": None, "short_axis_mm": row["longest_mm"], "organ": "lymph_node", **columns}
        for row in lesion(name, sizes)
    ]


def response(day, criterion="recist11", **columns):
    return {"patient_id": "P1", "reader": "A", "criterion": criterion, "day": float(day), **columns}


def frame(rows):
    return pl.DataFrame(rows, infer_schema_length=None)


def build(lesions=(), responses=(), *, policies=None, **tables):
    given = {"lesions": list(lesions), "responses": list(responses), **tables}
    frames = {name: frame(rows) for name, rows in given.items() if rows}
    config = StudyConfig(policies=Policies.parse(policies or {}))
    return study_from_frames(config=config, patients=pl.DataFrame({"patient_id": ["P1"]}), **frames)


def found(study, check):
    """Findings of one check as (day, lesion, found, expected)."""
    rows = derive_audit(study).filter(pl.col("check") == check)
    return rows.select("day", "lesion_id", "found", "expected").rows()


def names(study):
    return sorted(set(derive_audit(study)["check"].to_list()))


# Recorded target responses against measurements


@pytest.mark.parametrize(
    ("sizes", "recorded", "expected"),
    [
        ((50.0, 35.0), "PR", None),  # exactly −30 %
        ((50.0, 35.1), "PR", "SD"),
        ((27.0, 32.4), "PD", None),  # exactly +20 %, +5.4 mm
        ((27.0, 32.4), "SD", "PD"),
        ((20.0, 24.0), "PD", "SD"),  # +20 %, but only 4 mm
        ((50.0, 0.0), "CR", None),
        ((50.0, 0.0), "PR", "CR"),
        ((50.0, 5.0), "CR", "PR"),
    ],
)
def test_01_a_target_response_is_held_against_the_lesions(sizes, recorded, expected):
    study = build(lesion("T1", sizes), [response(56, target=recorded)])
    rows = found(study, "target-against-lesions")
    assert rows == ([] if expected is None else [(56.0, "", recorded, expected)])


def test_02_progression_is_judged_from_the_nadir_not_from_baseline():
    study = build(lesion("T1", (100.0, 50.0, 65.0)), [response(56, target="PR"), response(112, target="PR")])
    rows = derive_audit(study).filter(pl.col("check") == "target-against-lesions")
    assert rows.select("day", "found", "expected").rows() == [(112.0, "PR", "PD")]
    assert "65 mm, +30.0 % from the nadir of 50 mm: PD, recorded PR." in rows["reason"][0]


def test_03_the_criterion_of_the_response_is_the_one_that_judges():
    rows = [
        {**row, "organ": "liver", "viable_mm": viable}
        for row, viable in zip(lesion("T1", (50.0, 50.0)), (50.0, 20.0), strict=True)
    ]
    study = build(rows, [response(56, target="PR"), response(56, "mrecist", target="PR")])
    table = derive_audit(study).filter(pl.col("check") == "target-against-lesions")
    assert table.select("criterion", "found", "expected").rows() == [("recist11", "PR", "SD")]


def test_04_irecist_words_are_compared_as_what_they_mean():
    study = build(
        lesion("T1", (50.0, 65.0, 65.0)),
        [response(56, "irecist", target="iUPD"), response(112, "irecist", target="iSD")],
    )
    assert found(study, "target-against-lesions") == [(112.0, "", "iSD", "iUPD")]


def test_05_stable_disease_after_response_is_a_note_and_not_a_contradiction():
    # RECIST FAQ: 100, 70, 80 is PR, PR
    study = build(lesion("T1", (100.0, 70.0, 80.0)), [response(56, target="PR"), response(112, target="SD")])
    assert found(study, "target-against-lesions") == []
    assert found(study, "target-after-response") == [(112.0, "", "SD", "PR")]
    strict = build(
        lesion("T1", (100.0, 70.0, 80.0)),
        [response(56, target="PR"), response(112, target="PR")],
        policies={"continuing_pr": False},
    )
    assert found(strict, "target-against-lesions") == [(112.0, "", "PR", "SD")]


def test_06_that_note_is_given_too_where_a_non_target_made_the_visit_progression():
    rows = [*lesion("T1", (100.0, 70.0, 80.0))]
    rows += lesion("N1", ("present", "present", "unequivocal_progression"), role="nontarget")
    study = build(rows, [response(112, target="SD", nontarget="PD", overall="PD")])
    assert found(study, "target-after-response") == [(112.0, "", "SD", "PR")]
    assert found(study, "target-against-lesions") == []


def test_07_an_incomplete_visit_asks_for_not_evaluable_unless_it_shows_progression():
    sizes = [*lesion("T1", (50.0, 40.0)), *lesion("T2", (50.0, "not_evaluable"))]
    study = build(sizes, [response(56, target="SD")])
    assert found(study, "target-incomplete") == [(56.0, "", "SD", "NE")]
    assert found(study, "target-against-lesions") == []
    grown = [*lesion("T1", (50.0, 130.0)), *lesion("T2", (50.0, "not_evaluable"))]
    study = build(grown, [response(56, target="SD")])
    assert found(study, "target-against-lesions") == [(56.0, "", "SD", "PD")]


def test_08_not_evaluable_although_everything_was_measured():
    study = build(lesion("T1", (50.0, 40.0)), [response(56, target="NE")])
    assert found(study, "target-not-judged") == [(56.0, "", "NE", "SD")]


def test_09_a_target_response_without_a_target():
    rows = [*lesion("N1", ("present", "present"), role="nontarget")]
    study = build(rows, [response(56, target="SD")])
    assert found(study, "target-without-targets") == [(56.0, "", "SD", "no target response")]


def test_10_after_a_nadir_of_zero_progression_stands_and_stable_disease_is_told():
    rows = [*lesion("T1", (50.0, 0.0, 60.0)), *lesion("N1", ("present",) * 3, role="nontarget")]
    study = build(rows, [response(56, target="CR"), response(112, target="PD")])
    assert names(study) == ["returned-at-old-size"]
    study = build(rows, [response(56, target="CR"), response(112, target="SD")])
    assert found(study, "target-after-zero") == [(112.0, "", "SD", "PD")]
    # without non-targets it was CR, and what returns is PD by the engine's own rule
    study = build(lesion("T1", (50.0, 0.0, 60.0)), [response(112, target="SD")])
    assert found(study, "target-after-zero") == []
    assert found(study, "target-against-lesions") == [(112.0, "", "SD", "PD")]


SCANS = [{"patient_id": "P1", "reader": "A", "day": day} for day in DAYS[:3]]


def sums(*values, days=DAYS):
    return [
        {"patient_id": "P1", "reader": "A", "measure": "longest", "day": day, "sum": value}
        for day, value in zip(days, values, strict=False)
    ]


def recorded(*values):
    return [{**scan, "recorded_sum_mm": value} for scan, value in zip(SCANS, values, strict=False)]


def test_11_recorded_sums_judge_where_there_are_no_lesions():
    study = build(
        responses=[response(56, target="PR"), response(112, target="PR")], sums=sums(100.0, 50.0, 61.0)
    )
    assert found(study, "target-against-sums") == [(112.0, "", "PR", "PD")]
    assert found(study, "target-against-lesions") == []


def test_12_recorded_sums_judge_beside_the_lesions_and_disagree_with_them():
    study = build(lesion("T1", (100.0, 60.0)), [response(56, target="SD")], visits=recorded(100.0, 80.0))
    assert found(study, "target-against-sums") == []
    assert found(study, "target-against-lesions") == [(56.0, "", "SD", "PR")]
    assert found(study, "sum-against-lesions") == [(56.0, "", "80 mm", "60 mm")]


def test_13_a_sum_of_normal_nodes_does_not_contradict_a_complete_response():
    rows = [*lesion("T1", (30.0, 0.0)), *node("T2", (20.0, 8.0))]
    study = build(rows, [response(56, target="CR")], visits=recorded(50.0, 8.0))
    assert names(study) == []
    study = build(responses=[response(56, target="CR")], sums=sums(50.0, 19.9))
    assert found(study, "target-against-sums") == []
    study = build(responses=[response(56, target="CR")], sums=sums(50.0, 20.0))
    assert found(study, "target-against-sums") == [(56.0, "", "CR", "PR")]


def test_14_two_responses_within_one_visit_are_two_assessments():
    """Days 56 and 66 lie within one visit window; each response is held against its own scan."""
    days = (-3, 56, 66)
    study = build(
        lesion("T1", (100.0, 60.0, 90.0), days=days), [response(56, target="PR"), response(66, target="PR")]
    )
    assert found(study, "target-against-lesions") == [(66.0, "", "PR", "PD")]
    assert found(study, "measured-twice") == [
        (66.0, "T1", "60 mm on day 56, 90 mm on day 66", "one size a visit")
    ]


def test_15_a_response_belongs_to_the_nearest_scan_within_the_window():
    study = build(lesion("T1", (100.0, 60.0)), [response(60, target="SD")])
    assert found(study, "target-against-lesions") == [(60.0, "", "SD", "PR")]
    study = build(lesion("T1", (100.0, 60.0)), [response(52, target="SD")])
    assert found(study, "target-against-lesions") == [(52.0, "", "SD", "PR")]
    study = build(lesion("T1", (100.0, 60.0)), [response(71, target="SD", overall="SD")])
    assert names(study) == ["response-without-scan"]


def test_16_an_override_by_the_reader_is_judged_by_the_sum_all_the_same():
    visits = [{**SCANS[1], "target_override": "PR"}]
    study = build(lesion("T1", (100.0, 90.0)), [response(56, target="PR")], visits=visits)
    assert found(study, "target-against-lesions") == [(56.0, "", "PR", "SD")]


# Recorded overall responses


@pytest.mark.parametrize(
    ("parts", "overall", "expected"),
    [
        ({"target": "CR", "nontarget": "CR"}, "CR", None),
        ({"target": "CR", "nontarget": "NON-CR/NON-PD"}, "CR", "PR"),
        ({"target": "CR", "nontarget": "NE"}, "SD", "PR"),
        ({"target": "CR"}, "PR", None),  # what the non-targets were is not recorded
        ({"target": "CR"}, "SD", "CR or PR"),
        ({"target": "PR", "nontarget": "NE"}, "PR", None),
        ({"target": "SD", "nontarget": "CR"}, "PR", "SD"),
        ({"target": "NE", "nontarget": "CR"}, "SD", "NE"),
        ({"target": "PD", "nontarget": "CR"}, "SD", "PD"),
        ({"target": "PR", "nontarget": "PD"}, "PR", "PD"),
        ({"nontarget": "PD"}, "SD", "PD"),
    ],
)
def test_17_overall_follows_from_the_components_by_the_table_of_recist(parts, overall, expected):
    """Reference page, section 1.4."""
    study = build(responses=[response(56, overall=overall, **parts)])
    rows = found(study, "overall-against-components")
    assert rows == ([] if expected is None else [(56.0, "", overall, expected)])


def test_18_abnormal_markers_forbid_complete_response():
    visits = [{**SCANS[1], "markers_normal": False}]
    said = response(56, target="CR", nontarget="CR", overall="PR")
    assert found(build(responses=[said]), "overall-against-components") == [(56.0, "", "PR", "CR")]
    study = build(lesion("T1", (50.0, 0.0)), [said], visits=visits)
    assert found(study, "overall-against-components") == []


def test_19_progression_needs_a_cause():
    study = build(responses=[response(56, overall="PD", target="SD", nontarget="NON-CR/NON-PD")])
    assert names(study) == ["progression-without-cause"]
    study = build(responses=[response(56, overall="PD", target="SD", new_lesion=True)])
    assert names(study) == []
    assert names(build(responses=[response(56, overall="PD")])) == []


def test_20_a_new_lesion_is_progression():
    study = build(responses=[response(56, overall="SD", target="SD", new_lesion=True)])
    assert found(study, "new-lesion-without-progression") == [(56.0, "", "SD", "PD")]


def test_21_for_irecist_only_the_first_sight_of_a_new_lesion_must_be_iupd():
    said = [
        response(56, "irecist", overall="iUPD", target="iSD", new_lesion=True),
        response(112, "irecist", overall="iPR", target="iPR", new_lesion=True),
    ]
    assert names(build(responses=said)) == []
    said[0]["overall"] = "iSD"
    assert found(build(responses=said), "new-lesion-without-progression") == [(56.0, "", "iSD", "iUPD")]


def test_22_a_new_lesion_of_imrecist_is_no_progression():
    study = build(responses=[response(56, "imrecist", overall="SD", target="SD", new_lesion=True)])
    assert names(study) == []


def test_23_a_new_lesion_among_the_lesions_that_the_response_denies():
    rows = [*lesion("T1", (50.0, 50.0)), *lesion("X1", (15.0,), days=(56,), role="new_target")]
    study = build(rows, [response(56, overall="SD", target="SD", new_lesion=False)])
    assert found(study, "new-lesion-not-recorded") == [(56.0, "", "no new lesion", "a new lesion")]


def test_24_a_response_after_progression():
    said = [
        response(56, overall="PD", target="PD"),
        response(112, overall="NE"),
        response(168, overall="SD", target="SD"),
    ]
    assert found(build(responses=said), "response-after-progression") == [
        (168.0, "", "SD", "PD, or no response")
    ]
    immune = [
        response(56, "irecist", overall="iUPD", target="iUPD"),
        response(112, "irecist", overall="iSD", target="iSD"),
    ]
    assert names(build(responses=immune)) == []


def test_25_a_response_after_new_therapy():
    lines = [
        {"patient_id": "P1", "line": 1, "drug": "sorafenib", "start_day": 0.0},
        {"patient_id": "P1", "line": 2, "drug": "regorafenib", "start_day": 100.0},
    ]
    said = [response(100, overall="SD"), response(112, overall="SD")]
    study = build(responses=said, treatments=lines)
    assert found(study, "response-after-new-therapy") == [(112.0, "", "SD", "no response of the index line")]


# Measurements


@pytest.mark.parametrize(
    ("sizes", "days"),
    [
        ((30.0, 3.0, 29.0), [56.0]),
        ((30.0, 31.0, 3.1), [112.0]),
        ((3.0, 30.0, 31.0), [56.0]),
        ((30.0, 3.0, 29.0, 2.9), [56.0, 168.0]),
        ((30.0, 60.0, 20.0), []),
    ],
)
def test_26_a_slip_of_units_is_told_once(sizes, days):
    rows = found(build(lesion("T1", sizes)), "unit-slip")
    assert [row[0] for row in rows] == days
    assert found(build(lesion("T1", sizes)), "size-jump") == []


@pytest.mark.parametrize(
    ("sizes", "check"),
    [
        ((10.0, 31.0), "size-jump"),
        ((10.0, 30.0), None),
        ((6.0, 19.0), None),
        ((40.0, 13.0), "size-drop"),
        ((39.0, 13.0), None),
        ((19.0, 6.0), None),
        ((40.0, 0.0), None),
    ],
)
def test_27_a_jump_or_drop_is_more_than_threefold_to_or_from_20_mm(sizes, check):
    told = set(names(build(lesion("T1", sizes)))) & {"size-jump", "size-drop", "unit-slip"}
    assert told == ({check} if check else set())


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ((20.0, "absent", 16.0), True),
        ((20.0, "absent", 15.9), False),
        ((20.0, "absent", "not_evaluable", 20.0), True),
        ((9.0, "absent", 9.0), False),
        ((20.0, 0.0, 18.0), True),
    ],
)
def test_28_a_lesion_that_returns_at_its_old_size(sizes, told):
    assert bool(found(build(lesion("T1", sizes)), "returned-at-old-size")) is told


def test_29_a_target_without_a_row_is_lost():
    study = build([*lesion("T1", (50.0, 50.0, 50.0)), *lesion("T2", (50.0, "not_evaluable"))])
    assert found(study, "target-lost") == [
        (112.0, "T2", "no row", "a row: measured, absent or not evaluable")
    ]


def test_30_a_sum_may_be_off_by_half_a_millimetre_a_lesion():
    rows = [*lesion("T1", (50.0, 20.4)), *lesion("T2", (30.0, 20.4))]
    assert found(build(rows, visits=recorded(80.0, 40.0)), "sum-against-lesions") == []
    assert found(build(rows, visits=recorded(81.0, 39.7)), "sum-against-lesions") == [
        (56.0, "", "39.7 mm", "40.8 mm")
    ]


def test_31_nodes_enter_a_sum_by_their_short_axis_and_small_targets_by_policy():
    rows = [
        *lesion("T1", (50.0, "too_small")),
        *[{**row, "longest_mm": 40.0} for row in node("T2", (20.0, 18.0))],
    ]
    assert found(build(rows, visits=recorded(70.0, 23.0)), "sum-against-lesions") == []
    assert found(build(rows, visits=recorded(90.0, 58.0)), "sum-against-lesions") == [
        (-3.0, "", "90 mm", "70 mm"),
        (56.0, "", "58 mm", "23 mm"),
    ]


# Targets at baseline


def test_32_too_many_targets_in_all_and_in_an_organ():
    organs = ("liver", "liver", "lung", "lung", "adrenal", "adrenal")
    six = [row for n, organ in enumerate(organs) for row in lesion(f"T{n}", (20.0,), organ=organ)]
    assert found(build(six), "too-many-targets") == [(-3.0, "", "6 targets", "5 at most")]
    assert found(build(six), "too-many-targets-in-organ") == []
    assert found(build(six[:5]), "too-many-targets") == []
    nodes = [*node("T1", (20.0,)), *node("T2", (20.0,)), *node("T3", (20.0,), organ="porta_hepatis_node")]
    assert found(build(nodes), "too-many-targets-in-organ") == [
        (-3.0, "", "3 targets, lymph nodes", "2 at most in one organ")
    ]


def test_33_targets_that_are_too_small_to_be_measured():
    assert found(build(lesion("T1", (9.9,))), "target-too-small") == [(-3.0, "T1", "9.9 mm", "10 mm or more")]
    assert found(build(lesion("T1", (10.0,))), "target-too-small") == []
    thick = [{**SCANS[0], "slice_mm": 8.0}]
    assert found(build(lesion("T1", (15.0,)), visits=thick), "target-too-small") == [
        (-3.0, "T1", "15 mm", "16 mm or more")
    ]
    assert found(build(node("T1", (14.9,))), "node-too-small") == [
        (-3.0, "T1", "14.9 mm", "a short axis of 15 mm or more")
    ]
    assert names(build(node("T1", (15.0,)))) == []


@pytest.mark.parametrize("organ", ["portal_vein", "hepatic_vein", "bile_duct", "bone", "ascites"])
def test_34_what_cannot_be_measured_is_no_target(organ):
    study = build(lesion("T1", (30.0,), organ=organ))
    assert found(study, "target-site") == [(-3.0, "T1", organ.replace("_", " "), "a non-target lesion")]
    assert names(build(lesion("N1", ("present",), organ=organ, role="nontarget"))) == []


def test_35_a_treated_lesion_as_target():
    rows = [*lesion("T1", (30.0,), organ="liver"), *lesion("T2", (30.0,), organ="liver")]
    procedures = [
        {"patient_id": "P1", "day": -60.0, "kind": "tace", "lesion_id": "T1"},
        {"patient_id": "P1", "day": 20.0, "kind": "ablation", "lesion_id": "T2"},
        {"patient_id": "P1", "day": -30.0, "kind": "radiotherapy", "lesion_id": None},
    ]
    study = build(rows, procedures=procedures)
    assert [row[:3] for row in found(study, "treated-target")] == [(-3.0, "T1", "tace on day -60")]


# Days


def test_36_scans_and_responses_after_death():
    study = build(
        lesion("T1", (50.0, 50.0, 50.0)),
        [response(56, overall="SD"), response(130, overall="SD")],
        survival=[{"patient_id": "P1", "os_days": 100.0, "died": True}],
    )
    assert found(study, "scan-after-death") == [
        (112.0, "", "a scan on day 112", "day 100 or before"),
        (130.0, "", "a response on day 130", "day 100 or before"),
    ]
    alive = build(lesion("T1", (50.0, 50.0)), survival=[{"patient_id": "P1", "os_days": 56.0, "died": False}])
    assert names(alive) == []


@pytest.mark.parametrize(("first", "told"), [(-28.0, None), (-29.0, "day -29"), (0.0, None)])
def test_37_a_baseline_older_than_four_weeks(first, told):
    rows = found(build(lesion("T1", (50.0, 50.0), days=(first, 56))), "old-baseline")
    assert [row[2] for row in rows] == ([] if told is None else [told])


def test_38_no_scan_before_treatment():
    study = build(lesion("N1", ("present",), days=(56,), role="nontarget"))
    assert found(study, "old-baseline") == [(None, "", "no scan", "a scan on days −28 to 1")]


def test_39_partial_dates_are_told_with_their_place(tmp_path):
    (tmp_path / "patients.csv").write_text("patient_id,index_date\nP1,2020-01-10\n")
    (tmp_path / "lesions.csv").write_text(
        "patient_id,lesion_id,date,role,longest_mm\nP1,T1,2020-01-08,target,50\nP1,T1,2020-03,target,50\n"
    )
    rows = derive_audit(read_study(tmp_path)).filter(pl.col("check") == "partial-date")
    assert rows.select("patient_id", "day", "found").rows() == [("P1", None, "2020-03")]
    assert rows["reason"][0].startswith("lesions.csv line 3, date")


# The whole


def test_40_a_clean_study_has_no_findings_and_every_check_is_accounted_for():
    study = build(
        [*lesion("T1", (50.0, 30.0)), *lesion("N1", ("present", "present"), role="nontarget")],
        [response(56, overall="PR", target="PR", nontarget="NON-CR/NON-PD", new_lesion=False)],
        visits=recorded(50.0, 30.0),
    )
    tables = derive_audit_tables(study)
    assert tables["audit"].height == 0
    Audit.validate(tables["audit"])
    AuditChecks.validate(tables["audit_checks"])
    assert tables["audit_checks"]["check"].to_list() == sorted(check.name for check in CHECKS)
    skipped = tables["audit_checks"].drop_nulls("skipped").select("check", "skipped").rows()
    assert skipped == [
        ("response-after-new-therapy", "the study has no treatments"),
        ("scan-after-death", "the study has no survival"),
        ("treated-target", "the study has no procedures"),
    ]


def test_41_responses_by_a_criterion_that_is_not_known_are_told_and_not_judged():
    study = build(lesion("T1", (50.0, 90.0)), [response(56, "lugano", overall="CR", target="CR")])
    tables = derive_audit_tables(study)
    assert tables["audit"].height == 0
    why = tables["audit_checks"].filter(check="target-against-lesions")["skipped"][0]
    assert "lugano" in why
    both = build(lesion("T1", (50.0, 90.0)), [response(56, "lugano", target="CR"), response(56, target="PD")])
    why = derive_audit_tables(both)["audit_checks"].filter(check="target-against-lesions")["skipped"][0]
    assert why == "responses by lugano were not looked at: no such criterion is known"


def test_42_a_study_without_responses_or_lesions_is_looked_at_without_error():
    study = study_from_frames(
        patients=pl.DataFrame({"patient_id": ["P1"]}),
        sums=pl.DataFrame({"patient_id": ["P1"], "measure": ["longest"], "day": [0.0], "sum": [42.0]}),
    )
    assert derive_audit(study).height == 0


def test_43_given_timepoints_change_nothing_and_given_responses_are_not_trusted():
    study = build(lesion("T1", (100.0, 90.0)), [response(56, overall="PR", target="PR")])
    timepoints = assess_study(study, criteria=["recist11"]).tables["timepoints"]
    assert derive_audit(study, timepoints=timepoints).equals(derive_audit(study))
    given = study.with_policies(Policies.parse({"responses": "given"}))
    timepoints = assess_study(given, criteria=["recist11"]).tables["timepoints"]
    assert timepoints["overall"].to_list() == ["PR"]
    assert found(given, "target-against-lesions") == [(56.0, "", "PR", "SD")]
    assert derive_audit(given, timepoints=timepoints).equals(derive_audit(given))


def test_44_the_order_of_rows_does_not_matter():
    rows = [*lesion("T1", (9.0, 90.0, 9.0)), *lesion("T2", (50.0, 50.0), organ="bone")]
    said = [response(56, target="PR", overall="SD"), response(112, target="SD", overall="PR")]
    table = derive_audit(build(rows, said))
    assert table.height > 5
    assert derive_audit(build(rows[::-1], said[::-1])).equals(table)
    key = ["patient_id", "reader", "day", "check", "criterion", "lesion_id"]
    assert table.select(key).is_duplicated().sum() == 0


def test_45_every_check_has_a_rule_a_source_and_a_severity():
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    for check in CHECKS:
        assert check.what
        assert check.rule
        assert check.source
        assert check.severity in {"error", "warning", "note"}


def test_46_the_page_names_every_check_with_its_severity(repository):
    text = (repository / "docs" / "explanation" / "audit.md").read_text(encoding="utf-8")
    for check in CHECKS:
        assert f"| `{check.name}` | {check.severity} |" in text
