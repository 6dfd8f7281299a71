"""Published response rules of AFP and DCP: cuts, conditions, times; soundness beyond the assay limit."""

from __future__ import annotations

import polars as pl
import pytest
from growth_cases import table
from hypothesis import given, settings
from hypothesis import strategies as st
from marker_cases import course, pick, study_of

from hccresist.assess.marker_response import judge
from hccresist.assess.marker_rules import (
    EACH,
    FIRST_EVALUATION,
    RULES,
    WINDOW,
    Cut,
    around,
)
from hccresist.assess.markers import derive_markers
from hccresist.assess.results import Timepoints

AFP = "ng/mL"
DCP = "mAU/mL"


def respond(test: str, base: float, later: float, *, day: float = 42.0) -> pl.DataFrame:
    """Return the markers of one patient with a baseline and one later value."""
    unit = AFP if test == "afp" else DCP
    return derive_markers(study_of(course("P1", test, unit, [(0, base), (day, later)])))


# The cuts as printed: doi 10.1007/s10637-022-01303-w (≥ 20, 50, 75 %); doi 10.1158/1078-0432.CCR-21-3275
# (≥ 75 % fall, ≤ 10 % rise at 6 weeks); PMC3328660 (> 50 %); doi 10.1186/s12885-021-08428-w (> 50 %);
# PMC11423983 (≥ 10 % at 4 weeks); doi 10.2147/JHC.S79353 (> 20 % at 6–8 weeks); the 50–50 abstract;
# doi 10.3390/cancers17243891 (ratio ≥ 1.4, 1.0 at week 3; ≥ 1.1, 1.5 at week 9).
CUT_CASES = [
    ("afp_fall_20_atezo_bev", 42, -20.0, "responder"),
    ("afp_fall_20_atezo_bev", 42, -19.9, "non_responder"),
    ("afp_fall_50_atezo_bev", 42, -50.0, "responder"),
    ("afp_fall_50_atezo_bev", 42, -49.9, "non_responder"),
    ("afp_fall_75_atezo_bev", 42, -75.0, "responder"),
    ("afp_fall_75_atezo_bev", 42, -74.9, "non_responder"),
    ("afp_week6_response", 42, -75.0, "responder"),
    ("afp_week6_response", 42, -74.9, "non_responder"),
    ("afp_week6_control", 42, 10.0, "disease_control"),
    ("afp_week6_control", 42, 10.1, "no_disease_control"),
    ("afp_fall_50_locoregional", 91, -50.0, "non_responder"),
    ("afp_fall_50_locoregional", 91, -50.1, "responder"),
    ("afp_fall_50_anti_pd1", 42, -50.0, "non_responder"),
    ("afp_fall_50_anti_pd1", 42, -50.1, "responder"),
    ("dcp_fall_50_anti_pd1", 42, -50.0, "non_responder"),
    ("dcp_fall_50_anti_pd1", 42, -50.1, "responder"),
    ("dcp_50_50", 70, -50.0, "regression"),
    ("dcp_50_50", 70, -49.9, "stable"),
    ("dcp_50_50", 70, 49.9, "stable"),
    ("dcp_50_50", 70, 50.0, "progression"),
    ("afp_fall_10_durva_treme", 28, -10.0, "responder"),
    ("afp_fall_10_durva_treme", 28, -9.9, "non_responder"),
    ("dcp_fall_10_durva_treme", 28, -10.0, "responder"),
    ("dcp_fall_10_durva_treme", 28, -9.9, "non_responder"),
    ("afp_fall_20_sorafenib", 49, -20.0, "non_responder"),
    ("afp_fall_20_sorafenib", 49, -20.1, "responder"),
    ("afp_rise_week3_atezo_bev", 21, 40.0, "rise"),
    ("afp_rise_week3_atezo_bev", 21, 39.9, "no_rise"),
    ("dcp_rise_week3_atezo_bev", 21, 0.0, "rise"),
    ("dcp_rise_week3_atezo_bev", 21, -0.1, "no_rise"),
    ("afp_rise_week9_atezo_bev", 63, 10.0, "rise"),
    ("dcp_rise_week9_atezo_bev", 63, 49.9, "no_rise"),
]


@pytest.fixture(scope="module")
def cut_markers() -> pl.DataFrame:
    """Markers of one patient a case, from a baseline of 1000 to the change of the case."""
    labs = []
    for number, (marker, day, change, _) in enumerate(CUT_CASES):
        test = marker.split("_", maxsplit=1)[0]
        unit = AFP if test == "afp" else DCP
        labs += course(f"P{number:02d}", test, unit, [(0, 1000.0), (day, 1000.0 + 10 * change)])
    return derive_markers(study_of(labs))


@pytest.mark.parametrize("number", range(len(CUT_CASES)), ids=lambda n: "{}@{}:{}".format(*CUT_CASES[n]))
def test_the_printed_cut(cut_markers: pl.DataFrame, number: int) -> None:
    marker, day, change, verdict = CUT_CASES[number]
    found = cut_markers.filter(patient_id=f"P{number:02d}")
    assert pick(found, marker) == [verdict]
    assert pick(found, marker, "value") == [change]
    assert pick(found, marker, "day") == [day]


# The baseline each rule asks for: ≥ 10 ng/mL (doi 10.1007/s10637-022-01303-w), ≥ 200 (PMC3328660).
@pytest.mark.parametrize(
    ("marker", "base", "verdict"),
    [
        ("afp_fall_50_atezo_bev", 10.0, "responder"),
        ("afp_fall_50_atezo_bev", 9.9, "not_evaluable"),
        ("afp_fall_50_locoregional", 200.0, "responder"),
        ("afp_fall_50_locoregional", 199.0, "not_evaluable"),
    ],
)
def test_the_baseline_that_a_rule_asks_for(marker: str, base: float, verdict: str) -> None:
    found = respond("afp", base, base / 10)
    assert pick(found, marker) == [verdict]


def test_a_baseline_below_an_assay_limit_is_not_known_to_be_high_enough() -> None:
    study = study_of(course("P1", "afp", AFP, [(0, 20, "<"), (42, 1)]))
    assert pick(derive_markers(study), "afp_fall_50_atezo_bev") == ["not_evaluable"]


def test_a_rule_with_a_time_takes_the_nearest_value_and_the_earlier_of_two() -> None:
    values = [(0, 100), (33, 10), (40, 20), (44, 90)]
    markers = derive_markers(study_of(course("P1", "afp", AFP, values)))
    assert pick(markers, "afp_week6_response", "day") == [40.0]
    assert pick(markers, "afp_week6_response") == ["responder"]


def test_a_rule_with_a_time_and_no_value_then_says_so() -> None:
    markers = derive_markers(study_of(course("P1", "afp", AFP, [(0, 100), (120, 10)])))
    row = markers.filter(marker="afp_week6_response").row(0, named=True)
    assert (row["day"], row["response"]) == (42.0, "not_evaluable")
    assert row["reason"] == "there is no value between day 31.5 and 52.5"


# The 50–50 abstract prints 8 to 12 weeks, doi 10.2147/JHC.S79353 6 to 8: printed windows are exact.
@pytest.mark.parametrize(
    ("marker", "day", "found"),
    [
        ("dcp_50_50", 55, False),
        ("dcp_50_50", 56, True),
        ("dcp_50_50", 84, True),
        ("dcp_50_50", 85, False),
        ("afp_fall_20_sorafenib", 41, False),
        ("afp_fall_20_sorafenib", 42, True),
        ("afp_fall_20_sorafenib", 56, True),
        ("afp_fall_20_sorafenib", 57, False),
    ],
)
def test_printed_windows(marker: str, day: float, found: bool) -> None:
    markers = respond(marker.split("_", maxsplit=1)[0], 100.0, 10.0, day=day)
    assert (pick(markers, marker) != ["not_evaluable"]) is found


def visits(*days: float) -> pl.DataFrame:
    """Return timepoints of P1 on some days."""
    rows = [
        {
            "patient_id": "P1",
            "criterion": "recist11",
            "day": float(day),
            "overall": "SD",
            "rule": "SD",
            "reason": "",
        }
        for day in days
    ]
    return table(Timepoints, rows)


# PMC9939088: AFP ≥ 30 %, DCP ≥ 50 % fall at the first response evaluation.
def test_rules_of_the_first_evaluation_take_its_day_from_the_visits() -> None:
    labs = course("P1", "afp", AFP, [(0, 100), (21, 50), (60, 70), (120, 10)])
    labs += course("P1", "dcp", DCP, [(0, 100), (60, 50.1), (120, 10)])
    markers = derive_markers(study_of(labs), timepoints=visits(56, 112))
    assert pick(markers, "afp_fall_30_first_evaluation", "day") == [60.0]
    assert pick(markers, "afp_fall_30_first_evaluation") == ["responder"]
    assert pick(markers, "dcp_fall_50_first_evaluation") == ["non_responder"]


def test_without_visits_the_first_evaluation_is_unknown() -> None:
    labs = course("P1", "afp", AFP, [(0, 100), (60, 10)])
    for timepoints in (None, visits()):
        markers = derive_markers(study_of(labs), timepoints=timepoints)
        assert pick(markers, "afp_fall_30_first_evaluation", "reason") == [
            "no visit after baseline was assessed"
        ]
    late = derive_markers(study_of(labs), timepoints=visits(100))
    assert pick(late, "afp_fall_30_first_evaluation") == ["not_evaluable"]
    assert pick(late, "afp_fall_30_first_evaluation", "day") == [100.0]


# PMID 34094688: week 4 ≥ 50 % fall (I), ≥ 50 % rise (IV); between: ≥ 10 % fall at week 12 (II) or not (III).
@pytest.mark.parametrize(
    ("week4", "week12", "grade", "response"),
    [
        (50.0, 200.0, "I", "responder"),
        (50.1, 90.0, "II", "responder"),
        (50.1, 90.1, "III", "non_responder"),
        (149.9, 90.0, "II", "responder"),
        (149.9, 149.0, "III", "non_responder"),
        (150.0, 10.0, "IV", "non_responder"),
        (100.0, None, None, "not_evaluable"),
        (None, 10.0, None, "not_evaluable"),
        (40.0, None, "I", "responder"),
    ],
)
def test_the_50_10_rule(week4: float | None, week12: float | None, grade: str | None, response: str) -> None:
    later = [(day, value) for day, value in ((28, week4), (84, week12)) if value is not None]
    markers = derive_markers(study_of(course("P1", "afp", AFP, [(0, 100.0), *later])))
    row = markers.filter(marker="afp_50_10_nivolumab").row(0, named=True)
    assert (row["grade"], row["response"]) == (grade, response)


def test_every_patient_with_a_value_has_a_verdict_or_a_reason_for_every_rule() -> None:
    labs = []
    for patient, day in (("P1", 0.0), ("P2", 400.0)):
        labs += course(patient, "afp", AFP, [(day, 500)]) + course(patient, "dcp", DCP, [(day, 500)])
    markers = derive_markers(study_of(labs))
    for rule in RULES:
        rows = markers.filter(marker=rule.definition.marker)
        assert rows["patient_id"].to_list() == ["P1", "P2"], rule.definition.marker
        assert set(rows["response"]) == {"not_evaluable"}, rule.definition.marker
        assert rows["reason"].null_count() == 0, rule.definition.marker


def test_rules_are_sane_records() -> None:
    names = [rule.definition.marker for rule in RULES]
    assert len(names) == len(set(names))
    for rule in RULES:
        assert rule.when in {EACH, WINDOW, FIRST_EVALUATION}
        assert (rule.window is not None) == (rule.when == WINDOW)
        verdicts = {cut.verdict for cut in rule.cuts} | {rule.otherwise}
        assert {reading.grade for reading in rule.definition.readings} <= verdicts
        assert rule.definition.source.startswith(("doi:", "PM", "abstract"))
    assert around(28.0).low == 21.0


CUTS = st.lists(
    st.builds(
        Cut,
        verdict=st.sampled_from(["a", "b"]),
        operator=st.sampled_from(["<=", "<", ">="]),
        percent=st.integers(-9, 9).map(lambda n: 10.0 * n),
    ),
    min_size=1,
    max_size=3,
)


def plainly(cuts: list[Cut], change: float) -> str:
    """Return the verdict on an exact change, written out."""
    for cut in cuts:
        if cut.operator == "<=" and change <= cut.percent:
            return cut.verdict
        if cut.operator == "<" and change < cut.percent:
            return cut.verdict
        if cut.operator == ">=" and change >= cut.percent:
            return cut.verdict
    return "none"


@settings(deadline=None)
@given(cuts=CUTS, change=st.integers(-10, 10).map(lambda n: 10.0 * n))
def test_an_exact_change_is_judged_by_the_first_cut_that_it_meets(cuts: list[Cut], change: float) -> None:
    frame = pl.DataFrame({"low": [change], "high": [change], "open": [False]})
    assert frame.select(judge(cuts, "none")).item() == plainly(cuts, change)


@settings(deadline=None)
@given(
    cuts=CUTS,
    low=st.integers(-9, 9).map(lambda n: 10.0 * n),
    width=st.integers(1, 4).map(lambda n: 10.0 * n),
    share=st.floats(0.001, 0.999),
)
def test_a_verdict_on_bounds_holds_for_every_change_within_them(
    cuts: list[Cut], low: float, width: float, share: float
) -> None:
    frame = pl.DataFrame({"low": [low], "high": [low + width], "open": [True]})
    found = frame.select(judge(cuts, "none")).item()
    if found is not None:
        assert found == plainly(cuts, low + share * width)


def test_what_the_bounds_decide_is_decided() -> None:
    study = study_of(course("P1", "afp", AFP, [(0, 5000), (42, 2, "<")]))
    markers = derive_markers(study)
    assert pick(markers, "afp_fall_75_atezo_bev") == ["responder"]
    assert pick(markers, "afp_fall_75_atezo_bev", "comparator") == ["<"]
    study = study_of(course("P1", "afp", AFP, [(0, 60000), (42, 60500, ">")]))
    markers = derive_markers(study)
    assert pick(markers, "afp_fall_20_atezo_bev") == ["non_responder"]
    assert pick(markers, "afp_week6_control") == ["not_evaluable"]
    assert "leaves the verdict open" in str(pick(markers, "afp_week6_control", "reason")[0])
