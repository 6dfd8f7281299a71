"""From SDTM domains to study tables: the mapping, what is told, and what is refused."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from sdtm_case import CASE, RS, Domains, edited, write_csv

from hccresist.assess import assess_study
from hccresist.errors import InputError
from hccresist.study.issues import Issue, Severity
from hccresist.study.policies import Policies
from hccresist.study.sdtm import read_sdtm
from hccresist.study.sdtm_files import is_sdtm_folder
from hccresist.study.study import Study, StudyConfig

SERIES = pl.col("patient_id") == "44444"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return read_sdtm(write_csv(tmp_path_factory.mktemp("case")))


def read(folder: Path, domains: Domains, **policies: object) -> Study:
    return read_sdtm(write_csv(folder, domains), policies=Policies.parse(policies))


def refused(folder: Path, domains: Domains, **policies: object) -> dict[str, Issue]:
    with pytest.raises(InputError) as caught:
        read(folder, domains, **policies)
    return {issue.code: issue for issue in reversed(caught.value.issues) if issue.severity is Severity.ERROR}


def warned(study: Study, code: str) -> list[Issue]:
    return [issue for issue in study.warnings if issue.code == code]


def rows(study: Study, table: str, *columns: str, where: pl.Expr | None = None) -> list[tuple[object, ...]]:
    frame = study.tables[table]
    frame = frame if where is None else frame.filter(where)
    return frame.select(pl.col(name).cast(pl.String) if name in ENUMS else name for name in columns).rows()


ENUMS = ("role", "organ", "state", "modality", "sex", "overall", "target", "nontarget", "end_reason")


# DM


def test_patients_are_those_of_dm_without_screen_failures(study):
    assert rows(study, "patients", "patient_id", "age_years", "sex", "arm", "country") == [
        ("44444", 61.0, "male", "Placebo", "DEU"),
        ("55555", 58.0, "female", "Active", "FRA"),
    ]
    assert warned(study, "screen-failures")[0].problem.startswith("1 subjects")


def test_no_calendar_date_comes_out(study):
    for name, frame in study.tables.items():
        for column in frame.columns:
            text = frame[column].cast(pl.String)
            assert not text.str.contains(r"^\d{4}-\d{2}").any(), (name, column)


def test_survival_says_who_died_and_where_the_last_day_comes_from(study):
    """2010-12-08 is 310 days after 2010-02-01, RFPENDTC 240 days after 2010-01-04."""
    columns = ("patient_id", "os_days", "died", "last_alive_day", "last_alive_source")
    assert rows(study, "survival", *columns) == [
        ("44444", None, False, 240.0, "RFPENDTC"),
        ("55555", 310.0, True, None, None),
    ]


def test_the_last_dated_record_counts_where_it_is_later_than_dm(tmp_path):
    study = read(tmp_path, edited("dm", ",2010-05-01,2010-09-01,", ",,,"))
    assert rows(study, "survival", "last_alive_day", "last_alive_source", where=SERIES) == [(117.0, "EX")]


def test_death_in_ds_serves_where_dm_has_no_date(tmp_path):
    text = CASE["ds"] + "ABC,DS,55555,2,DEATH,DEATH,DISPOSITION EVENT,STUDY PARTICIPATION,2010-12-08\n"
    domains = {**edited("dm", ",2010-12-08,Y,", ",,Y,"), "ds": text}
    study = read(tmp_path, domains)
    assert rows(study, "survival", "os_days", "died", where=~SERIES) == [(310.0, True)]
    assert warned(study, "death-by-disposition")


def test_death_without_a_date_leaves_open_whether_the_patient_died(tmp_path):
    study = read(tmp_path, edited("dm", ",2010-12-08,Y,", ",,Y,"))
    where = ~SERIES
    assert rows(study, "survival", "os_days", "died", "last_alive_day", where=where) == [(None, None, 120.0)]
    assert warned(study, "death-without-date")[0].patient == "55555"


def test_a_dm_of_dates_alone_without_domain_is_read(tmp_path):
    text = "USUBJID,RFSTDTC,RFXENDTC,DTHDTC,ARMCD\n44444,2010-01-04,,,PBO\n55555,2010-02-01,,,ACT\n"
    domains = {"dm_dates": text, "rs": RS}
    study = read(tmp_path, domains)
    assert rows(study, "patients", "patient_id", "arm") == [("44444", "PBO"), ("55555", "ACT")]


# Days


def test_study_days_serve_without_dm(tmp_path):
    """SDTM has no day 0: day 48 is our 47, day -3 is -3."""
    study = read(tmp_path, {"tu": CASE["tu"], "tr": CASE["tr"]})
    days = study.tables["lesions"].filter(SERIES, pl.col("lesion_id") == "T04.1")["day"].to_list()
    assert days == [47.0]
    first = study.tables["lesions"].filter(SERIES, pl.col("lesion_id") == "T01")["day"].min()
    assert first == -3.0
    assert warned(study, "no-dm")
    assert "survival" not in study.tables


def test_neither_dm_nor_study_days_is_refused(tmp_path):
    lines = [line.rsplit(",", 1)[0] for line in CASE["tr"].splitlines()]
    issues = refused(tmp_path, {"tr": "\n".join(lines) + "\n"})
    assert "no reference date" in issues["no-day"].problem
    assert "RFSTDTC" in issues["no-day"].hint


@pytest.mark.parametrize(("rule", "day"), [("first", 28.0), ("mid", 42.0), ("last", 58.0)])
def test_a_partial_date_is_read_by_policy(rule, day, tmp_path):
    """March 2010 from 1 February: day 28 to day 58."""
    domains = edited("rs", "2010-03,57", "2010-03,")
    study = read(tmp_path, domains, date_imputation=rule)
    assert rows(study, "responses", "day", where=pl.col("overall_recorded") == "CHECK") == [(day,)]
    told = warned(study, "partial-date")
    assert [(issue.line, issue.patient, issue.found) for issue in told] == [(9, "55555", "2010-03")]
    assert rule in told[0].problem


def test_a_study_day_within_a_partial_date_places_the_record(study):
    assert rows(study, "responses", "day", where=pl.col("overall_recorded") == "CHECK") == [(56.0,)]
    assert "study day" in warned(study, "partial-date")[0].problem


def test_a_study_day_outside_a_partial_date_is_not_used(tmp_path):
    study = read(tmp_path, edited("rs", "2010-03,57", "2010-03,5"))
    assert rows(study, "responses", "day", where=pl.col("overall_recorded") == "CHECK") == [(28.0,)]


@pytest.mark.parametrize(("date", "day"), [("2010", -31.0), ("2010---29", -31.0)])
def test_a_year_alone_is_read_by_policy(date, day, tmp_path):
    study = read(tmp_path, edited("rs", "2010-03,57", f"{date},"))
    assert rows(study, "responses", "day", where=pl.col("overall_recorded") == "CHECK") == [(day,)]


def test_a_date_that_is_none_is_refused_with_its_line(tmp_path):
    issue = refused(tmp_path, edited("rs", "2010-02-20,48\nABC,RS,44444,2", "20.02.2010,48\nABC,RS,44444,2"))
    found = issue["not-a-date"]
    assert (found.file, found.line, found.column, found.found) == ("rs.csv", 2, "RSDTC", "20.02.2010")
    assert found.patient == "44444"


@pytest.mark.parametrize("day", ["0", "1.5", "x"])
def test_a_study_day_that_is_none_is_told_and_not_used(day, tmp_path):
    study = read(tmp_path, edited("rs", "2010-05-24,113", f"2010-05-24,{day}"))
    assert [issue.found for issue in warned(study, "wrong-study-day")] == [day]


def test_a_study_day_that_contradicts_its_date_is_told(tmp_path):
    study = read(tmp_path, edited("rs", "2010-05-24,113", "2010-05-24,100"))
    told = warned(study, "study-day-differs")
    assert [(issue.line, issue.found) for issue in told] == [(12, "100")]


def test_a_record_without_a_date_takes_the_day_of_its_visit(study):
    """RS without RSDTC takes the day of visit 60 in TR; SUMDIAM that of the visit's last lesion."""
    assert rows(study, "responses", "day", "overall", where=~SERIES)[1] == (112.0, "PD")
    sums = study.tables["visits"].filter(pl.col("recorded_sum_mm").is_not_null())
    assert sums.select("day", "recorded_sum_mm").rows() == [(-1.0, 62.0), (47.0, 30.0)]
    assert [issue.file for issue in warned(study, "day-of-visit")] == ["tr.csv", "rs.csv"]


def test_a_subject_who_is_not_in_dm_is_kept_by_study_days(tmp_path):
    line = next(line for line in CASE["dm"].splitlines() if ",55555," in line)
    study = read(tmp_path, edited("dm", line + "\n", ""))
    assert "55555" in study.patients["patient_id"].to_list()
    assert "55555" in warned(study, "not-in-dm")[0].problem
    assert study.tables["survival"]["patient_id"].to_list() == ["44444"]


# TU, TR


def test_the_example_of_the_implementation_guide_sums_as_recorded(study):
    """SDTMIG 3.4, TR example 2: sums 62 and 30 mm, a change of -52 % (recorded as whole percent)."""
    timepoints = assess_study(study, criteria=["recist11"]).tables["timepoints"]
    first = timepoints.filter(SERIES).sort("day").row(0, named=True)
    assert (first["day"], first["baseline_mm"], first["sum_mm"]) == (47.0, 62.0, 30.0)
    assert round(first["change_from_baseline_percent"]) == -52
    assert first["target"] == "PR"


def test_a_diameter_is_the_longest_or_of_a_node_the_short_axis(study):
    columns = ("lesion_id", "organ", "node", "longest_mm", "short_axis_mm", "perpendicular_mm")
    first = pl.col("day") < 0
    assert rows(study, "lesions", *columns, where=first & pl.col("role").eq("target")) == [
        ("T01", "liver", False, 17.0, None, None),
        ("T02", "kidney", False, 16.0, None, None),
        ("T03", "lymph_node", True, None, 15.0, None),
        ("T04", "skin", False, 14.0, None, None),
        ("T01", "liver", False, 32.32, None, 20.1),
        ("T02", "liver", False, 25.0, None, None),
        ("T03", "porta_hepatis_node", True, 30.0, 22.0, None),
    ]


def test_too_small_and_not_done_are_states_without_a_number(study):
    where = SERIES & pl.col("state").is_in(["too_small", "not_evaluable"])
    columns = ("lesion_id", "day", "state", "longest_mm", "short_axis_mm", "reason_not_done")
    assert rows(study, "lesions", *columns, where=where) == [
        ("NT02", 88.0, "not_evaluable", None, None, "SCAN NOT PERFORMED"),
        ("T02", 45.0, "too_small", None, None, None),
        ("T03", 88.0, "not_evaluable", None, None, "SCAN NOT PERFORMED"),
    ]


def test_a_measured_node_called_absent_keeps_its_number(study):
    where = (pl.col("lesion_id") == "T03") & (pl.col("day") == 56)
    assert rows(study, "lesions", "short_axis_mm", "state", "state_recorded", where=where) == [
        (8.0, "present", "ABSENT")
    ]


def test_a_new_lesion_that_is_unequivocal_is_present(study):
    where = pl.col("lesion_id") == "NEW01"
    assert rows(study, "lesions", "role", "organ", "state", where=where) == [
        ("new_nontarget", "bone", "present")
    ]


def test_a_new_lesion_that_is_measured_is_a_new_target(tmp_path):
    line = "ABC,TR,55555,13,NEW,NEW01,LDIAM,14,mm,14,14,mm,,,CT SCAN,INVESTIGATOR,60,WEEK 16,2010-05-24,113\n"
    study = read(tmp_path, {**CASE, "tr": CASE["tr"] + line})
    roles = study.tables["lesions"].filter(pl.col("lesion_id") == "NEW01")["role"].to_list()
    assert roles == ["new_target", "new_target"]


def test_parts_name_their_lesion_and_merged_ones_their_carrier(study):
    linked = pl.col("split_from").is_not_null() | pl.col("merged_into").is_not_null()
    columns = ("lesion_id", "day", "split_from", "merged_into", "state", "role")
    assert rows(study, "lesions", *columns, where=linked) == [
        ("T04.1", 47.0, "T04", None, None, "target"),
        ("T04.2", 47.0, "T04", None, None, "target"),
        ("T02", 112.0, None, "T01", "merged", "target"),
    ]
    carrier = (pl.col("lesion_id") == "T01") & (pl.col("day") == 112)
    assert rows(study, "lesions", "longest_mm", where=carrier) == [(61.5,)]


def test_a_merger_of_unknown_lesions_is_told_and_refused_as_a_target_without_baseline(tmp_path):
    domains = {**edited("tu", "T01/T02", "T12"), "tr": CASE["tr"].replace("T01/T02", "T12")}
    with pytest.raises(InputError) as caught:
        read(tmp_path, domains)
    told = {issue.code: issue for issue in caught.value.issues}
    assert told["unknown-merger"].found == "T12"
    assert told["target-without-baseline"].patient == "55555"


def test_visits_have_modality_and_arterial_phase(study):
    columns = ("day", "modality", "modality_recorded", "arterial_phase", "visit")
    assert rows(study, "visits", *columns, where=~SERIES) == [
        (-2.0, "ct", "CT SCAN", True, "SCREEN"),
        (56.0, "ct", "CT SCAN", False, "WEEK 8"),
        (112.0, "ct", "CT SCAN", None, "WEEK 16"),
    ]


def test_tumethod_serves_where_tr_names_no_method(tmp_path):
    header, *lines = CASE["tr"].splitlines()
    at = header.split(",").index("TRMETHOD")
    cut = [",".join(c for n, c in enumerate(line.split(",")) if n != at) for line in (header, *lines)]
    study = read(tmp_path, {**CASE, "tr": "\n".join(cut) + "\n"})
    assert rows(study, "visits", "day", "modality", where=SERIES)[:4] == [
        (-3.0, "ct"),
        (-2.0, "mri"),
        (-1.0, "clinical"),
        (45.0, None),
    ]


def test_viable_diameters_come_from_qualifiers(study):
    where = pl.col("viable_mm").is_not_null()
    assert rows(study, "lesions", "lesion_id", "day", "viable_mm", where=where) == [
        ("T01", -2.0, 28.5),
        ("T01", 56.0, 11.0),
    ]
    assert not warned(study, "no-viable-diameter")
    assert rows(study, "lesions", "lesion_id", "capsule", where=pl.col("capsule").is_not_null()) == [
        ("T02", "Y")
    ]
    assert warned(study, "qualifier-without-record")[0].line == 7


@pytest.mark.parametrize(("name", "label"), [("XYZ", "Diameter of enhancing tissue"), ("LDIAMV", "any")])
def test_viable_diameters_are_known_by_name_or_label(name, label, tmp_path):
    text = CASE["supptr"].replace("VIABLE,Longest viable diameter (mm)", f"{name},{label}")
    study = read(tmp_path, {**CASE, "supptr": text})
    assert study.tables["lesions"]["viable_mm"].drop_nulls().to_list() == [28.5, 11.0]


def test_viable_diameters_come_from_tests(tmp_path):
    text = CASE["tr"].replace("55555,2,TARGET,T01,LPERP", "55555,2,TARGET,T01,VDIAM")
    study = read(tmp_path, {**CASE, "tr": text, "supptr": CASE["supptr"].splitlines()[0] + "\n"})
    assert study.tables["lesions"]["viable_mm"].drop_nulls().to_list() == [20.1]


def test_the_absence_of_viable_diameters_is_told(tmp_path):
    domains = {name: text for name, text in CASE.items() if name != "supptr"}
    assert "mRECIST" in warned(read(tmp_path, domains), "no-viable-diameter")[0].problem


def test_a_viable_diameter_that_is_no_number_is_told(tmp_path):
    study = read(tmp_path, edited("supptr", ",28.5,", ",n/d,"))
    assert [issue.found for issue in warned(study, "unknown-viable")] == ["n/d"]


def test_sums_serve_where_no_lesion_was_measured(tmp_path):
    header, *lines = CASE["tr"].splitlines()
    kept = [line for line in lines if ",SUMDIAM," in line]
    dated = [
        line.replace(",INVESTIGATOR,10,SCREEN,,", ",INVESTIGATOR,10,SCREEN,2010-01-03,-1") for line in kept
    ]
    dated = [
        line.replace(",INVESTIGATOR,40,WEEK 6,,", ",INVESTIGATOR,40,WEEK 6,2010-02-20,48") for line in dated
    ]
    study = read(tmp_path, {"dm": CASE["dm"], "tr": "\n".join([header, *dated]) + "\n"})
    assert rows(study, "sums", "patient_id", "reader", "day", "sum") == [
        ("44444", "INVESTIGATOR", -1.0, 62.0),
        ("44444", "INVESTIGATOR", 47.0, 30.0),
    ]
    assert "recorded_sum_mm" not in study.tables["visits"].columns


def test_centimetres_are_converted_and_told(tmp_path):
    text = CASE["tr"].replace(",3.232,cm,32.32,32.32,mm,", ",3.232,cm,3.232,3.232,cm,")
    study = read(tmp_path, {**CASE, "tr": text})
    assert 32.32 in study.tables["lesions"]["longest_mm"].to_list()
    assert [issue.line for issue in warned(study, "unit-converted")] == [22]


def test_other_units_are_refused(tmp_path):
    issue = refused(tmp_path, edited("tr", ",25,mm,25,25,mm,", ",25,in,25,25,in,"))["unknown-unit"]
    assert (issue.file, issue.line, issue.found, issue.expected) == ("tr.csv", 24, "IN", "mm or cm")


def test_a_missing_unit_is_refused_unless_the_policy_allows_it(tmp_path):
    domains = edited("tr", ",25,mm,25,25,mm,", ",25,,25,25,,")
    (tmp_path / "strict").mkdir()
    assert refused(tmp_path / "strict", domains)["missing-unit"].line == 24
    (tmp_path / "open").mkdir()
    study = read(tmp_path / "open", domains, units="conventional")
    assert warned(study, "unit-assumed")[0].problem.startswith("1 diameters")
    assert 25.0 in study.tables["lesions"]["longest_mm"].to_list()


def test_an_unknown_word_is_told_and_leaves_the_row(tmp_path):
    study = read(tmp_path, edited("tr", "T02,LDIAM,20,mm,20,20,mm", "T02,LDIAM,fuzzy,mm,,,"))
    told = warned(study, "unknown-result")
    assert [(issue.line, issue.patient, issue.found) for issue in told] == [(28, "55555", "fuzzy")]
    where = (pl.col("lesion_id") == "T02") & (pl.col("day") == 56)
    assert rows(study, "lesions", "longest_mm", "state", where=where) == [(None, None)]


def test_two_results_of_one_lesion_and_day_are_refused(tmp_path):
    line = "ABC,TR,55555,13,TARGET,T02,LDIAM,21,mm,21,21,mm,,,CT SCAN,INVESTIGATOR,40,WEEK 8,2010-03-29,57\n"
    issue = refused(tmp_path, {**CASE, "tr": CASE["tr"] + line})["repeated-result"]
    assert (issue.line, issue.patient, issue.found) == (34, "55555", "21.0")
    assert "line 28" in issue.problem


def test_equal_results_count_once_and_are_told(tmp_path):
    line = "ABC,TR,55555,13,TARGET,T02,LDIAM,20,mm,20,20,mm,,,CT SCAN,INVESTIGATOR,40,WEEK 8,2010-03-29,57\n"
    study = read(tmp_path, {**CASE, "tr": CASE["tr"] + line})
    assert warned(study, "repeated-record")[0].problem.startswith("2 records")


def test_lesions_of_tu_without_results_are_kept_as_present(tmp_path):
    line = (
        "ABC,TU,55555,6,,NT09,TUMIDENT,NON-TARGET,NON-TARGET,ASCITES,CT SCAN,INVESTIGATOR,10,2010-01-30,-2\n"
    )
    study = read(tmp_path, {**CASE, "tu": CASE["tu"] + line})
    where = pl.col("lesion_id") == "NT09"
    columns = ("day", "role", "organ", "state")
    assert rows(study, "lesions", *columns, where=where) == [(-2.0, "nontarget", "ascites", "present")]
    assert warned(study, "lesion-without-result")[0].found == "NT09"


def test_tr_alone_takes_roles_from_its_groups(tmp_path):
    domains = {name: text for name, text in CASE.items() if name != "tu"}
    issues = refused(tmp_path, domains)
    assert set(issues) == {"target-without-baseline", "absent-with-size"}
    (tmp_path / "b").mkdir()
    strange = ("T01/T02", ",T04.", "T03,TUMSTATE")
    tr = "\n".join(line for line in CASE["tr"].splitlines() if not any(word in line for word in strange))
    study = read(tmp_path / "b", {**domains, "tr": tr + "\n"})
    found = dict(study.tables["lesions"].select("lesion_id", pl.col("role").cast(pl.String)).rows())
    assert found == {
        **dict.fromkeys(("T01", "T02", "T03", "T04"), "target"),
        **dict.fromkeys(("NT01", "NT02"), "nontarget"),
        "NEW01": "new_nontarget",
    }


def test_a_lesion_of_unknown_site_measured_by_lperp_alone_is_a_node(tmp_path):
    tr = "\n".join(line for line in CASE["tr"].splitlines() if ",T03,LDIAM," not in line)
    text = CASE["tu"].replace('"LYMPH NODE, PORTA HEPATIS"', "")
    study = read(tmp_path, {**CASE, "tu": text, "tr": tr + "\n"})
    where = (pl.col("lesion_id") == "T03") & ~SERIES & (pl.col("day") < 0)
    columns = ("node", "organ", "short_axis_mm")
    assert rows(study, "lesions", *columns, where=where) == [(True, None, 22.0)]
    assert warned(study, "node-by-test")


def test_unread_tests_and_variables_are_counted(study):
    assert "SUMNLNLD 1" in warned(study, "unread-tests")[0].problem
    line_ids = [issue.problem for issue in warned(study, "unread-variables")]
    assert line_ids == []


# RS


def test_responses_by_reader_and_criterion(study):
    columns = ("patient_id", "reader", "criterion", "day", "overall", "target", "nontarget", "new_lesion")
    assert rows(study, "responses", *columns) == [
        ("44444", "INVESTIGATOR", "recist11", 47.0, "PR", "PR", "NON-CR/NON-PD", False),
        ("44444", "RADIOLOGIST 1", "mrecist", 47.0, "SD", None, None, None),
        ("55555", "INVESTIGATOR", "recist11", 56.0, None, "SD", None, None),
        ("55555", "INVESTIGATOR", "recist11", 112.0, "PD", None, None, None),
    ]
    assert study.tables["responses"]["accepted"].to_list() == [False, True, False, False]


def test_what_is_no_response_is_told(study):
    told = warned(study, "unknown-response")
    assert [(i.file, i.line, i.patient, i.found) for i in told] == [("rs.csv", 9, "55555", "CHECK")]
    assert [issue.found for issue in warned(study, "foreign-response")] == ["sCR"]
    left = [issue.problem for issue in warned(study, "response-not-read")]
    assert [text.partition(" (")[0] for text in left] == ["1 scans by imwg", "1 scans by recist11"]
    assert warned(study, "recorded-best")[0].found == "BESTRESP"


def test_rs_without_category_is_read_as_recist_and_told(tmp_path):
    header, *lines = RS.splitlines()
    at = header.split(",").index("RSCAT")
    kept = [line for line in (header, *lines) if "mRECIST" not in line and "IMWG" not in line]
    cut = [",".join(c for n, c in enumerate(line.split(",")) if n != at) for line in kept]
    study = read(tmp_path, {**CASE, "rs": "\n".join(cut) + "\n"})
    assert study.tables["responses"]["criterion"].unique().to_list() == ["recist11"]
    assert warned(study, "criterion-assumed")


def test_two_responses_at_one_scan_are_refused(tmp_path):
    line = "ABC,RS,44444,8,OVRLRESP,RECIST 1.1,SD,SD,,INVESTIGATOR,,,40,2010-02-20,48\n"
    issue = refused(tmp_path, {**CASE, "rs": RS + line})["repeated-response"]
    assert (issue.line, issue.found, issue.patient) == (13, "SD", "44444")


def test_an_unequivocal_new_lesion_is_taken_from_newlprog(tmp_path):
    study = read(
        tmp_path, edited("rs", "4,NEWLIND,RECIST 1.1,N,N", "4,NEWLPROG,RECIST 1.1,UNEQUIVOCAL,UNEQUIVOCAL")
    )
    assert rows(study, "responses", "new_lesion", "newlprog")[0] == (True, "UNEQUIVOCAL")


# LB, EX, DS


def test_labs_are_numbers_of_blood(study):
    assert rows(study, "labs", "patient_id", "day", "test", "value", "unit") == [
        ("44444", -2.0, "afp", 412.0, "ug/L"),
        ("44444", -2.0, "albumin", 41.0, "g/L"),
        ("44444", -2.0, "urine_albumin", 12.0, "mg/L"),
        ("55555", 0.0, "afp", 3.5, "ng/mL"),
    ]
    assert warned(study, "no-number")[0].problem.startswith("1 laboratory")
    assert warned(study, "several-results")[0].problem.startswith("1 results")


def test_a_result_below_the_assay_limit_has_a_comparator(tmp_path):
    lines = CASE["lb"].splitlines()
    study = read(tmp_path, {**CASE, "lb": "\n".join(lines[:-1]) + "\n"})
    columns = ("test", "value", "unit")
    assert rows(study, "labs", *columns, where=pl.col("comparator") == "<") == [("afp", 2.0, "ng/mL")]


def test_treatments_run_from_first_to_last_dose(study):
    columns = ("patient_id", "line", "drug", "start_day", "end_day", "dose", "end_reason")
    assert rows(study, "treatments", *columns) == [
        ("44444", 1, "placebo", 0.0, 117.0, "0 mg QD", "completed"),
        ("55555", 1, "lenvatinib", 0.0, 120.0, "12 mg QD; 8 mg QD", "progression"),
    ]


def test_treatment_that_goes_on_has_no_end(tmp_path):
    study = read(tmp_path, edited("ex", "2010-04-02,2010-06-01", "2010-04-02,"))
    assert rows(study, "treatments", "end_day", where=~SERIES) == [(None,)]


def test_the_index_line_is_that_of_the_configuration(tmp_path):
    study = read_sdtm(write_csv(tmp_path), config=StudyConfig(name="second line", index_line=2))
    assert study.tables["treatments"]["line"].unique().to_list() == [2]
    assert study.config.name == "second line"


def test_a_study_toml_beside_the_files_is_read(tmp_path):
    (tmp_path / "study.toml").write_text('[study]\nname = "trial"\n[policies]\nresponses = "given"\n')
    study = read_sdtm(write_csv(tmp_path))
    assert (study.config.name, study.config.policies.responses) == ("trial", "given")


# Files


def test_parts_of_a_domain_are_stacked(tmp_path, study):
    header, *lines = CASE["tr"].splitlines()
    parts = {
        "tr_a": "\n".join([header, *(line for line in lines if ",44444," in line)]) + "\n",
        "tr_b": "\n".join([header, *(line for line in lines if ",55555," in line)]) + "\n",
    }
    others = {name: text for name, text in CASE.items() if name != "tr"}
    split = read(tmp_path, {**others, **parts})
    assert_frame_equal(split.tables["lesions"], study.tables["lesions"])
    assert {source.file for source in split.sources} >= {"tr_a.csv", "tr_b.csv"}


def test_files_that_hold_the_same_records_clash(tmp_path):
    issue = refused(tmp_path, {**CASE, "tr_old": CASE["tr"], "rs_onco": RS})["files-clash"]
    assert issue.problem.startswith(
        "several files of TR hold the same records (32 in common): tr.csv, tr_old.csv"
    )
    assert "folder of its own" in issue.hint


def test_responses_of_other_criteria_do_not_clash(tmp_path):
    text = RS.replace(",RECIST 1.1,", ",RECIST 1.0,").replace("mRECIST", "other").replace("IMWG", "other")
    study = read(tmp_path, {**CASE, "rs_other": text})
    assert "recist_1_0" in study.tables["responses"]["criterion"].to_list()


def test_a_domain_is_told_by_its_variables_where_the_name_says_nothing(tmp_path):
    lines = [line.split(",", 2)[2] for line in RS.splitlines()]
    study = read(tmp_path, {"subjects": CASE["dm"], "assessments": "\n".join(lines) + "\n"})
    assert study.tables["responses"]["overall"].cast(pl.String).to_list() == ["PR", "SD", None]


@pytest.mark.parametrize(
    ("name", "old", "column"),
    [
        ("tr", "USUBJID", "USUBJID"),
        ("tr", "TRTESTCD", "TRTESTCD"),
        ("rs", "RSTESTCD", "RSTESTCD"),
        ("tu", "TULNKID", "TULNKID"),
        ("ex", "EXTRT", "EXTRT"),
        ("supptr", "IDVARVAL", "IDVARVAL"),
        ("dm", "USUBJID", "USUBJID"),
    ],
)
def test_a_missing_variable_is_refused_by_name(name, old, column, tmp_path):
    header = CASE[name].splitlines()[0]
    issue = refused(tmp_path, edited(name, header, header.replace(old, "X")))["missing-variable"]
    assert (issue.file, issue.column) == (f"{name}.csv", column)


def test_a_subject_that_is_missing_is_refused_with_its_line(tmp_path):
    issue = refused(tmp_path, edited("rs", "ABC,RS,44444,2,", "ABC,RS,,2,"))["missing-value"]
    assert (issue.file, issue.line, issue.column) == ("rs.csv", 3, "USUBJID")


def test_all_problems_are_told_at_once(tmp_path):
    domains = {
        **CASE,
        "rs": RS.replace("2010-02-20,48", "20.02.2010,48"),
        "tr": CASE["tr"].replace(",25,mm,25,25,mm,", ",25,in,25,25,in,"),
        "ex": CASE["ex"].replace("EXTRT", "DRUG"),
    }
    assert set(refused(tmp_path, domains)) >= {"not-a-date", "unknown-unit", "missing-variable"}


def test_other_files_are_told_and_not_read(tmp_path):
    write_csv(tmp_path)
    (tmp_path / "adrs.csv").write_text("USUBJID,PARAMCD,AVALC\n44444,BOR,PR\n")
    (tmp_path / "ae.csv").write_text("STUDYID,DOMAIN,USUBJID,AETERM\nABC,AE,44444,RASH\n")
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    (tmp_path / "tr.sas7bdat").write_bytes(b"\x00")
    (tmp_path / "define.xml").write_text("<xml/>")
    study = read_sdtm(tmp_path)
    assert [issue.file for issue in warned(study, "not-read")] == ["adrs.csv", "notes.csv"]
    assert "ae.csv (AE)" in warned(study, "unused-domain")[0].problem
    assert "tr.sas7bdat" in warned(study, "unread-format")[0].problem


def test_a_folder_without_sdtm_is_refused(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing")
    with pytest.raises(InputError, match="no SDTM records"):
        read_sdtm(tmp_path)


def test_a_folder_of_sdtm_is_recognised(tmp_path, shared_data):
    assert not is_sdtm_folder(tmp_path)
    (tmp_path / "patients.csv").write_text("patient_id\nP1\n")
    assert not is_sdtm_folder(tmp_path)
    assert is_sdtm_folder(write_csv(tmp_path, {"onco1": RS}))
    assert is_sdtm_folder(shared_data / "sdtm_onco")


def test_the_order_of_records_does_not_matter(tmp_path, study):
    turned = {
        name: "\n".join([text.splitlines()[0], *reversed(text.splitlines()[1:])]) + "\n"
        for name, text in CASE.items()
    }
    other = read(tmp_path, turned)
    for name, frame in study.tables.items():
        assert_frame_equal(other.tables[name], frame)
