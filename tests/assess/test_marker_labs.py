"""Units: what is converted, what is refused and how that is told; the two policies; repeats."""

from __future__ import annotations

import polars as pl
import pytest
from growth_cases import make_study
from hypothesis import given, settings
from hypothesis import strategies as st
from marker_cases import lab_frame, lab_rows

from hccresist.assess.marker_labs import log_issues, normalise_labs
from hccresist.assess.marker_units import BY_NAME, TESTS, find_test, plain_name, plain_unit
from hccresist.study.policies import Policies

STRICT = Policies()
CONVENTIONAL = Policies(units="conventional")


def read(test: str, value: float, unit: str | None, policies: Policies = STRICT) -> tuple[object, object]:
    """Return the converted value and the code of the issue of one laboratory value."""
    values, issues = normalise_labs(lab_frame([("P1", 0.0, test, value, unit)]), policies=policies)
    return (
        values["value"].to_list()[0] if values.height else None,
        issues["code"].to_list()[0] if issues.height else None,
    )


# Factors as in the unit table of w3.csmu.edu.tw/~chr/Int_unit_conversion.htm: albumin g/dL × 10,
# bilirubin mg/dL × 17.1, creatinine mg/dL × 88.4; the rest are powers of ten.
@pytest.mark.parametrize(
    ("test", "value", "unit", "expected"),
    [
        ("AFP", 412.0, "ng/mL", 412.0),
        ("alpha-fetoprotein", 412.0, "µg/L", 412.0),
        ("α-fetoprotein", 4.0, "ug/mL", 4000.0),
        ("DCP", 40.0, "mAU/mL", 40.0),
        ("PIVKA-II", 40.0, "AU/L", 40.0),
        ("pivka", 0.04, "AU/mL", 40.0),
        ("AFP-L3", 12.0, "%", 12.0),
        ("Total bilirubin", 2.0, "mg/dL", 34.2),
        ("bilirubin", 34.2, "umol/L", 34.2),
        ("bilirubin", 34.2, "μmol/l", 34.2),
        ("albumin", 3.5, "g/dL", 35.0),
        ("albumin", 35.0, "g/L", 35.0),
        ("CRP", 1.0, "mg/dL", 10.0),
        ("hs-CRP", 10.0, "mg/L", 10.0),
        ("creatinine", 1.0, "mg/dL", 88.4),
        ("INR", 1.2, None, 1.2),
        ("PT-INR", 1.2, "1", 1.2),
        ("neutrophils", 4.2, "10^9/L", 4.2),
        ("neutrophils", 4200.0, "/µL", 4.2),
        ("neutrophils", 4.2, "x10E3/uL", 4.2),
        ("neutrophils", 4.2, "10*9/L", 4.2),
        ("lymphocytes", 1400.0, "cells/mm3", 1.4),
        ("lymphocytes", 1.4, "G/L", 1.4),
        ("platelets", 150.0, "K/µL", 150.0),
        ("platelets", 15.0, "×10⁴/µL", 150.0),
        ("PLT", 150000.0, "/ul", 150.0),
        ("platelets", 150.0, "10³/mm³", 150.0),
    ],
)
def test_a_value_is_brought_to_the_unit_of_its_test(
    test: str, value: float, unit: str | None, expected: float
) -> None:
    assert read(test, value, unit) == (pytest.approx(expected), None)


# Mass and activity are never turned into each other: doi:10.1016/s0009-9120(80)80010-5 finds 63.0 kIU and
# 80.7 µg in one vial (0.78 IU per ng), calculators offer 0.71 to 1.21 ng per IU.
@pytest.mark.parametrize("unit", ["IU/mL", "kIU/L", "kU/L", "U/mL", "k[IU]/L", "international units/mL"])
@pytest.mark.parametrize("policies", [STRICT, CONVENTIONAL])
def test_afp_in_activity_is_always_refused(unit: str, policies: Policies) -> None:
    value, code = read("afp", 100.0, unit, policies)
    assert value is None
    assert code in {"unit-not-convertible", "unknown-unit"}


@pytest.mark.parametrize("policies", [STRICT, CONVENTIONAL])
def test_dcp_in_mass_is_always_refused(policies: Policies) -> None:
    assert read("dcp", 7.5, "ng/mL", policies) == (None, "unit-not-convertible")


@pytest.mark.parametrize(
    ("test", "value", "unit", "code"),
    [
        ("bilirubin", 1.2, None, "missing-unit"),
        ("albumin", 35.0, None, "missing-unit"),
        ("afp", 412.0, None, "missing-unit"),
        ("dcp", 412.0, "", "missing-unit"),
        ("crp", 5.0, None, "missing-unit"),
        ("platelets", 150.0, None, "missing-unit"),
        ("bilirubin", 1.2, "mmol/L", "unknown-unit"),
        ("albumin", 3.4, "mg/dL", "unknown-unit"),
        ("lymphocytes", 30.0, "%", "unit-not-convertible"),
        ("inr", 70.0, "%", "unit-not-convertible"),
        ("albumin", 3.5, "g/L", "implausible-value"),
        ("albumin", 35.0, "g/dL", "implausible-value"),
        ("bilirubin", -1.0, "mg/dL", "implausible-value"),
        ("platelets", 251.0, "/µL", "implausible-value"),
        ("albumine", 35.0, "g/L", "unknown-test"),
    ],
)
def test_what_would_have_to_be_guessed_is_refused(
    test: str, value: float, unit: str | None, code: str
) -> None:
    assert read(test, value, unit) == (None, code)


@pytest.mark.parametrize(
    ("test", "value", "expected"),
    [("bilirubin", 1.2, 20.52), ("albumin", 3.5, 35.0), ("afp", 412.0, 412.0), ("platelets", 150.0, 150.0)],
)
def test_the_conventional_policy_reads_a_bare_number_and_says_so(
    test: str, value: float, expected: float
) -> None:
    assert read(test, value, None, CONVENTIONAL) == (pytest.approx(expected), "unit-assumed")


def test_crp_has_two_conventions_and_no_bare_number_is_read() -> None:
    assert read("crp", 5.0, None, CONVENTIONAL) == (None, "missing-unit")


def test_tests_that_no_marker_needs_are_left_alone() -> None:
    labs = lab_frame([("P1", 0.0, "ferritin", 300.0, "ng/mL"), ("P1", 0.0, "urine_albumin", 30.0, "mg/L")])
    values, issues = normalise_labs(labs, policies=STRICT)
    assert values.is_empty()
    assert issues.is_empty()


def test_an_issue_names_patient_day_test_unit_and_what_to_do() -> None:
    labs = lab_frame([("P7", 42.0, "AFP", 83.0, "IU/mL"), ("P8", 0.0, "bilirubin", 1.2, None)])
    _, issues = normalise_labs(labs, policies=STRICT)
    told = [issue.sentence() for issue in log_issues(issues)]
    assert told[0].startswith("labs, AFP, patient P7: day 42:")
    assert "IU" in told[0]
    assert "ng/ml" in told[0]
    assert told[1].startswith("labs, bilirubin, patient P8: day 0:")
    assert "umol/l" in told[1]
    assert "Policy units = conventional" in told[1]


def test_two_names_for_one_result_count_once() -> None:
    labs = lab_frame([("P1", 0.0, "bilirubin", 2.0, "mg/dL"), ("P1", 0.0, "total bilirubin", 34.2, "umol/L")])
    values, issues = normalise_labs(labs, policies=STRICT)
    assert values["value"].to_list() == [34.2]
    assert issues.is_empty()


def test_two_results_of_one_day_that_differ_are_both_refused() -> None:
    labs = lab_frame([("P1", 0.0, "AFP", 100.0, "ng/mL"), ("P1", 0.0, "afp", 130.0, "ng/mL")])
    values, issues = normalise_labs(labs, policies=STRICT)
    assert values.is_empty()
    assert issues["code"].to_list() == ["two-values", "two-values"]


def test_a_capped_and_an_exact_result_of_one_day_differ() -> None:
    rows = lab_rows(("P1", 0.0, "AFP", 100.0, "ng/mL", ">"), ("P1", 0.0, "afp", 100.0, "ng/mL"))
    values, issues = normalise_labs(make_study(labs=rows).table("labs"), policies=STRICT)
    assert values.is_empty()
    assert set(issues["code"]) == {"two-values"}


def test_a_limit_below_the_plausible_range_is_a_limit_and_no_slip() -> None:
    rows = lab_rows(("P1", 0.0, "bilirubin", 0.2, "umol/L", "<"))
    values, issues = normalise_labs(make_study(labs=rows).table("labs"), policies=STRICT)
    assert values.select("value", "comparator").rows() == [(0.2, "<")]
    assert issues.is_empty()


@pytest.mark.parametrize("labs", [None, "empty"])
def test_a_study_without_labs_is_fine(labs: str | None) -> None:
    frame = None if labs is None else lab_frame([("P1", 0.0, "afp", 1.0, "ng/mL")]).clear()
    values, issues = normalise_labs(frame, policies=STRICT)
    assert values.is_empty()
    assert issues.is_empty()


def test_names_and_units_are_in_their_plain_form_and_belong_to_one_test() -> None:
    names = [plain_name(name) for test in TESTS for name in (test.name, *test.aliases)]
    assert len(names) == len(set(names))
    for test in TESTS:
        for unit in (*test.factors, *test.never):
            assert plain_unit(unit) == unit, f"{test.name}: {unit!r} can never match"
        assert not set(test.factors) & set(test.never)
        assert not test.conventional or test.conventional in test.factors
        assert plain_unit(test.unit) in test.factors
        assert test.factors[plain_unit(test.unit)] == 1.0


@settings(deadline=None)
@given(
    name=st.sampled_from(sorted(BY_NAME)),
    share=st.floats(0.01, 0.99),
    data=st.data(),
)
def test_every_unit_of_a_test_gives_the_same_value(name: str, share: float, data: st.DataObject) -> None:
    test = BY_NAME[name]
    unit = data.draw(st.sampled_from(sorted(test.factors)))
    value = test.low + share * (min(test.high, 1e6) - test.low)
    found, code = read(name, value / test.factors[unit], unit)
    assert code is None
    assert found == pytest.approx(value, rel=1e-9, abs=1e-8)


def test_a_test_is_found_whatever_its_spelling() -> None:
    for written in ("AFP", "afp", " Alpha Fetoprotein ", "alpha-1-fetoprotein"):
        found = find_test(written)
        assert found is not None
        assert found.name == "afp"
    assert find_test("ferritin") is None


def test_the_order_of_rows_does_not_matter() -> None:
    labs = lab_frame(
        [
            ("P1", 0.0, "AFP", 100.0, "ng/mL"),
            ("P1", 0.0, "afp", 130.0, "ng/mL"),
            ("P2", 3.0, "bilirubin", 2.0, "mg/dL"),
            ("P2", 3.0, "tbil", 34.2, "umol/L"),
            ("P2", 4.0, "albumin", 3.5, None),
        ]
    )
    once = normalise_labs(labs, policies=STRICT)
    again = normalise_labs(labs.reverse(), policies=STRICT)
    for first, second in zip(once, again, strict=True):
        assert first.equals(second)


def test_nothing_is_lost_between_values_and_issues() -> None:
    labs = lab_frame(
        [
            ("P1", 0.0, "afp", 100.0, "ng/mL"),
            ("P1", 1.0, "afp", 100.0, "IU/mL"),
            ("P1", 2.0, "afp", 100.0, None),
            ("P1", 3.0, "albumin", 3.5, "g/L"),
        ]
    )
    values, issues = normalise_labs(labs, policies=STRICT)
    refused = issues.filter("refused")
    assert values.height + refused.height == labs.height
    assert set(values["day"]) | set(refused["day"]) == set(labs.select(pl.col("day")).to_series())
