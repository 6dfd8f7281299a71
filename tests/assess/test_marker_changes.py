"""Trajectories of AFP and DCP: baseline, change, nadir, doubling time; values beyond the assay limit."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marker_cases import course, pick, study_of

from hccresist.assess.marker_changes import add_changes, with_bound
from hccresist.assess.marker_labs import normalise_labs
from hccresist.assess.markers import derive_markers
from hccresist.study.policies import Policies


def test_the_baseline_is_the_last_value_of_the_window() -> None:
    study = study_of(course("P1", "afp", "ng/mL", [(-60, 10), (-20, 100), (1, 200), (30, 100), (60, 300)]))
    markers = derive_markers(study)
    assert pick(markers, "afp_change", "value") == [-50.0, 50.0]
    assert pick(markers, "afp_change", "day") == [30.0, 60.0]


def test_the_window_is_a_policy() -> None:
    policies = Policies(baseline_window_start=-90.0, baseline_window_end=-30.0)
    study = study_of(course("P1", "afp", "ng/mL", [(-60, 10), (-20, 20), (1, 30)]), policies=policies)
    assert pick(derive_markers(study), "afp_change", "value") == [100.0, 200.0]


def test_the_nadir_is_the_lowest_value_after_the_baseline() -> None:
    study = study_of(course("P1", "dcp", "mAU/mL", [(0, 50), (30, 80), (60, 60), (90, 60), (120, 90)]))
    markers = derive_markers(study)
    assert pick(markers, "dcp_nadir", "value") == [60.0]
    assert pick(markers, "dcp_nadir", "day") == [60.0]


def test_without_a_baseline_every_change_is_unknown_and_says_why() -> None:
    study = study_of(course("P1", "afp", "ng/mL", [(-60, 10), (30, 100)]))
    markers = derive_markers(study)
    assert pick(markers, "afp_change") == []
    assert pick(markers, "afp_fall_20_atezo_bev") == ["not_evaluable"]
    assert pick(markers, "afp_fall_20_atezo_bev", "reason") == ["there is no value in the baseline window"]


# t·ln 2 / ln(A2/A1), project reference page, section 14: 100 to 400 in 60 days is two doublings.
def test_doubling_time_by_hand() -> None:
    study = study_of(course("P1", "afp", "ng/mL", [(0, 100), (60, 400), (100, 100), (130, 100)]))
    markers = derive_markers(study)
    assert pick(markers, "afp_doubling_time", "value") == [pytest.approx(30.0), pytest.approx(-20.0), None]
    assert pick(markers, "afp_doubling_time", "reason")[-1] == "the value did not change"


# Published case 4 (src/hccresist/data/cases, S04): AFP 45598 → 23719 ng/mL; −47.98 % is arithmetic.
def test_change_of_a_published_case() -> None:
    study = study_of(course("CASE04", "afp", "ng/mL", [(0, 45598), (84, 23719)]))
    assert pick(derive_markers(study), "afp_change", "value") == [pytest.approx(-47.983, abs=0.001)]


@pytest.mark.parametrize(
    ("base", "later", "bound"),
    [
        ((5000, ""), (2, "<"), (-99.96, "<")),
        ((60500, ">"), (1000, ""), (pytest.approx(-98.347, abs=0.001), "<")),
        ((50000, ""), (60500, ">"), (21.0, ">")),
        ((10, "<"), (50, ""), (400.0, ">")),
        ((60500, ">"), (2, "<"), (pytest.approx(-99.9967, abs=0.0001), "<")),
    ],
)
def test_a_change_with_a_value_beyond_the_limit_is_a_bound(
    base: tuple[float, str], later: tuple[float, str], bound: tuple[object, str]
) -> None:
    values = [(0, *part) if part[1] else (0, part[0]) for part in (base,)]
    values += [(40, *part) if part[1] else (40, part[0]) for part in (later,)]
    row = derive_markers(study_of(course("P1", "afp", "ng/mL", values))).filter(marker="afp_change")
    assert row.select("value", "comparator").row(0) == bound


@pytest.mark.parametrize("sign", ["<", ">"])
def test_a_change_between_two_values_beyond_one_limit_is_unknown(sign: str) -> None:
    study = study_of(course("P1", "afp", "ng/mL", [(0, 60500, sign), (40, 50000, sign)]))
    markers = derive_markers(study)
    assert pick(markers, "afp_change", "value") == [None]
    assert pick(markers, "afp_change", "reason") == ["both values are beyond the limit of the assay"]
    assert set(pick(markers, "afp_fall_20_atezo_bev")) == {"not_evaluable"}


def test_a_baseline_of_zero_has_no_change() -> None:
    markers = derive_markers(study_of(course("P1", "dcp", "mAU/mL", [(0, 0), (40, 30)])))
    assert pick(markers, "dcp_change", "value") == [None]
    assert pick(markers, "dcp_change", "reason") == ["the baseline is 0"]
    assert pick(markers, "dcp_fall_50_anti_pd1") == ["not_evaluable"]


# 0.3 → 0.15 is exactly −50 %, in binary floating point it is not.
@pytest.mark.parametrize(
    ("base", "later", "change"), [(0.3, 0.15, -50.0), (1.1, 1.21, 10.0), (7, 1.75, -75.0)]
)
def test_ties_are_exact(base: float, later: float, change: float) -> None:
    markers = derive_markers(study_of(course("P1", "afp", "ng/mL", [(0, base), (42, later)])))
    assert pick(markers, "afp_change", "value") == [change]


VALUE = st.integers(1, 2000)


@settings(deadline=None)
@given(
    base=VALUE,
    later=VALUE,
    limit_base=VALUE,
    limit_later=VALUE,
    signs=st.tuples(*[st.sampled_from("=<>")] * 2),
)
def test_the_true_change_lies_within_the_bounds(
    base: int, later: int, limit_base: int, limit_later: int, signs: tuple[str, str]
) -> None:
    """An assay limit hides the value; the true change must lie within what is told."""
    shown = []
    for value, limit, sign, day in ((base, limit_base, signs[0], 0), (later, limit_later, signs[1], 40)):
        hidden = (sign == "<" and value < limit) or (sign == ">" and value > limit)
        shown.append((day, limit, sign) if hidden else (day, value))
    study = study_of(course("P1", "afp", "ng/mL", shown))
    labs, _ = normalise_labs(study.table("labs"), policies=Policies())
    row = add_changes(labs, policies=Policies()).filter("after").row(0, named=True)
    true = 100 * (later - base) / base
    if row["low"] is not None:
        assert row["low"] - 1e-6 <= true <= row["high"] + 1e-6
    else:
        assert len(shown[0]) == len(shown[1]) == 3
    told = with_bound(add_changes(labs, policies=Policies()).filter("after")).row(0, named=True)
    if told["change_comparator"] == "<":
        assert true < told["change"] + 1e-6
    elif told["change_comparator"] == ">":
        assert true > told["change"] - 1e-6
    elif told["change"] is not None:
        assert told["change"] == pytest.approx(true, abs=1e-6)


def test_afp_l3_is_shown_as_it_is() -> None:
    markers = derive_markers(study_of(course("P1", "AFP-L3", "%", [(0, 12.0), (40, 5.0)])))
    assert markers.select("marker", "value", "unit").rows() == [("afp_l3", 12.0, "%"), ("afp_l3", 5.0, "%")]


def test_the_scale_of_a_marker_does_not_change_its_response() -> None:
    values = [(0, 100), (42, 30), (90, 160)]
    scaled = [(day, 7 * value) for day, value in values]
    both = course("P1", "dcp", "mAU/mL", values) + course("P2", "dcp", "mAU/mL", scaled)
    markers = derive_markers(study_of(both)).filter(~pl.col("marker").is_in(["dcp", "dcp_nadir"]))
    one, two = (markers.filter(patient_id=name).drop("patient_id", "reason") for name in ("P1", "P2"))
    assert one.equals(two)
