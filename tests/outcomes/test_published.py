"""Published trials: read, asked by drug, trial, endpoint and line, and set beside a cohort's own numbers."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from outcome_cases import make_study

from hccresist.errors import ConfigError
from hccresist.outcomes.published import (
    TABLES,
    list_endpoints,
    list_trials,
    query_trials,
    read_drug_names,
    read_trials,
)
from hccresist.outcomes.published_comparison import CAVEAT, compare_with_published
from hccresist.outcomes.rates import clopper_pearson
from hccresist.outcomes.results import PublishedComparison, Rates, SurvivalSummary


def make_rates(*, n: int, events: int, criterion: str = "recist11", group: str = "all") -> pl.DataFrame:
    low, high = clopper_pearson([events], [n])
    row = {
        "reader": "",
        "criterion": criterion,
        "group": group,
        "measure": "ORR",
        "confirmed": True,
        "denominator": "all",
        "events": events,
        "n": n,
        "percent": 100 * events / n,
        "low": 100 * float(low[0]),
        "high": 100 * float(high[0]),
    }
    return Rates.cast(pl.DataFrame([row]))


def make_survival(**changes: object) -> pl.DataFrame:
    row = {
        "reader": "",
        "criterion": "",
        "endpoint": "OS",
        "group": "all",
        "statistic": "median",
        "at_days": 0.0,
        "value": 365.25,
        "low": 182.625,
        "high": None,
        "n": 4,
        "events": 3,
        "note": None,
    }
    types = {"high": pl.Float64, "note": pl.String}
    return SurvivalSummary.cast(pl.DataFrame([row | changes], schema_overrides=types))


def make_cohort(drugs: list[str], *, line: int = 1, n: int = 4, **more: object):
    patients = [f"P{i}" for i in range(n)]
    study = make_study(patients, index_line=line, **more)
    rows = [
        {"patient_id": p, "line": line, "drug": drug, "start_day": 0.0} for p in patients for drug in drugs
    ]
    return with_treatments(study, rows)


def with_treatments(study, rows):
    return replace(study, tables={**study.tables, "treatments": pl.DataFrame(rows)})


@pytest.mark.parametrize("name", TABLES)
def test_every_file_can_be_read(name: str) -> None:
    assert read_trials(name).height > 10


def test_every_number_belongs_to_an_arm_and_a_source() -> None:
    ends = read_trials("endpoints_long")
    arms = set(read_trials("arms")["arm_id"])
    assert set(ends["arm_id"]) <= arms
    assert set(ends["comparator_arm"].drop_nulls()) <= arms
    verified = ends.filter("verified")
    assert set(verified["source_key"]) <= set(read_trials("sources")["source_key"])
    assert verified["source_url"].null_count() == 0


def test_shares_add_up_where_an_arm_prints_them_all() -> None:
    """Response rate is complete plus partial response (REFLECT prints all three)."""
    found = query_trials(trials=["REFLECT"], criteria=["mRECIST"]).filter(assessor="investigator")
    value = dict(found.filter(arm_id="REFLECT_lenvatinib").select("endpoint", "value").iter_rows())
    assert value["ORR"] == pytest.approx(value["CR"] + value["PR"], abs=0.1)


def test_all_drugs_of_a_set_must_be_there_and_sets_widen() -> None:
    both = query_trials(drugs=[{"atezolizumab", "bevacizumab"}])
    assert {"IMb150_atezobev", "GO30140_F_ab"} <= set(both["arm_id"])
    assert "GO30140_F_a" not in set(both["arm_id"])
    wide = query_trials(drugs=[{"atezolizumab", "bevacizumab"}, {"donafenib"}])
    assert "ZGDH3_donafenib" in set(wide["arm_id"])


def test_a_biosimilar_is_its_drug_and_rivoceranib_is_apatinib() -> None:
    assert "O32_sinbev" in set(query_trials(drugs=[{"bevacizumab"}])["arm_id"])
    assert "CARES310_camriv" in set(list_trials(drugs=[{"apatinib"}])["arm_id"])


@pytest.mark.parametrize("name", ["imbrave150", "NCT03434379", "IMb150_sorafenib", "IMbrave"])
def test_a_trial_is_found_by_name_number_arm_or_beginning(name: str) -> None:
    assert set(query_trials(trials=[name])["trial"]) == {"IMbrave150"}


@pytest.mark.parametrize(
    ("filters", "hint"),
    [({"trials": ["RESORSE"]}, "RESORCE"), ({"endpoints": ["OOR"]}, "ORR"), ({"trials": [""]}, "not in")],
)
def test_an_unknown_name_tells_the_nearest(filters: dict[str, list[str]], hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        query_trials(**filters)


def test_os_means_median_landmarks_and_hazard_ratio() -> None:
    found = set(query_trials(trials=["REFLECT"], endpoints=["os"])["endpoint"])
    assert {"mOS", "HR_OS", "OS_12mo"} <= found
    assert found <= {name for name in list_endpoints() if "OS" in name}


def test_lines_and_criteria_narrow() -> None:
    found = query_trials(lines=["2L"], criteria=["mRECIST"])
    assert set(found["line_class"]) == {"2L"}
    assert set(found["criterion"]) == {"mRECIST"}


def test_held_out_arms_are_listed_without_numbers() -> None:
    held = list_trials().filter("heldout")
    assert held.height == read_trials("arms")["heldout"].sum()
    assert held["numbers"].sum() == 0


def test_printed_limits_stay_and_missing_ones_are_made_and_say_so() -> None:
    found = query_trials(trials=["REFLECT"])
    printed = found.filter(arm_id="REFLECT_lenvatinib", endpoint="mOS").row(0, named=True)
    assert (printed["low"], printed["high"], printed["limits"]) == (12.1, 14.9, "published")
    made = found.filter(arm_id="REFLECT_lenvatinib", endpoint="CR").row(0, named=True)
    low, high = clopper_pearson([6], [478])  # 1.3 % of 478
    assert made["limits"] == "binomial"
    assert (made["low"], made["high"]) == pytest.approx((100 * float(low[0]), 100 * float(high[0])))


def test_rows_from_memory_get_no_limits() -> None:
    memory = query_trials().filter(~pl.col("verified"))
    assert memory.height > 0
    assert set(memory.filter(pl.col("limits").is_not_null())["limits"]) <= {"published"}


def test_names_of_drugs_lead_to_the_generic_name() -> None:
    assert read_drug_names()["nexavar"] == "sorafenib"


def test_a_cohort_stands_beside_arms_of_the_same_drugs_line_and_criterion() -> None:
    study = make_cohort(["Lenvima"])
    made = compare_with_published(study, rates=make_rates(n=4, events=1), survival=make_survival())
    PublishedComparison.validate(made)
    response = made.filter(endpoint="ORR")
    assert set(response["arm_id"]) == {"REFLECT_lenvatinib", "LEAP002_len", "LAUNCH_len"}
    assert set(response["published_value"]) == {18.8, 17.5, 20.8}
    assert set(response["value"]) == {25.0}
    survival = made.filter(endpoint="mOS", arm_id="REFLECT_lenvatinib").row(0, named=True)
    assert (survival["value"], survival["low"], survival["high"]) == (12.0, 6.0, None)
    assert (survival["published_value"], survival["published_low"]) == (13.6, 12.1)
    assert all(note.startswith(CAVEAT) for note in made["note"])
    assert made["source"].null_count() == 0


def test_a_criterion_is_never_set_beside_another() -> None:
    study = make_cohort(["lenvatinib"])
    made = compare_with_published(study, rates=make_rates(n=4, events=1, criterion="mrecist"))
    assert {key.split(":")[3] for key in made["published_key"]} == {"mRECIST"}
    assert compare_with_published(study, rates=make_rates(n=4, events=1, criterion="recorded")).is_empty()


def test_the_line_must_be_the_same() -> None:
    second = compare_with_published(make_cohort(["pembrolizumab"], line=2), survival=make_survival())
    assert set(second["arm_id"]) == {"K224_pembro", "K240_pembro"}
    first = compare_with_published(make_cohort(["pembrolizumab"]), survival=make_survival())
    assert set(first["arm_id"]) == {"K224c2_pembro"}


def test_a_group_without_a_common_regimen_has_no_rows() -> None:
    study = make_cohort(["lenvatinib"], n=2)
    rows = study.tables["treatments"].to_dicts()
    rows[0]["drug"] = "sorafenib"
    assert compare_with_published(with_treatments(study, rows), survival=make_survival()).is_empty()


def test_a_cohort_without_treatments_or_numbers_has_no_rows() -> None:
    assert compare_with_published(make_study(["A"]), survival=make_survival()).is_empty()
    assert compare_with_published(make_cohort(["lenvatinib"])).is_empty()


def test_tace_around_day_0_belongs_to_the_regimen() -> None:
    procedures = [(f"P{i}", 7.0, "tace") for i in range(4)]
    made = compare_with_published(
        make_cohort(["lenvatinib"], procedures=procedures), survival=make_survival()
    )
    assert set(made["arm_id"]) == {"LAUNCH_lentace"}


def test_landmarks_meet_landmarks() -> None:
    rate = make_survival(statistic="rate", at_days=12 * 30.4375, value=50.0, low=40.0, high=60.0)
    made = compare_with_published(make_cohort(["lenvatinib"]), survival=rate)
    row = made.row(0, named=True)
    assert (row["endpoint"], row["unit"], row["value"], row["published_value"]) == (
        "OS_12mo",
        "percent",
        50,
        55,
    )


def test_a_median_not_reached_stays_empty_and_is_said() -> None:
    study = make_cohort(["sintilimab", "bevacizumab"])
    made = compare_with_published(study, survival=make_survival(value=None, low=None))
    row = made.row(0, named=True)
    assert (row["value"], row["published_value"]) == (None, None)
    assert "median not reached" in row["note"]


def test_nothing_held_out_is_set_beside_a_cohort() -> None:
    study = make_cohort(["nivolumab", "ipilimumab"], line=2)
    made = compare_with_published(study, survival=make_survival())
    held = set(read_trials("arms").filter("heldout")["arm_id"])
    assert set(made["arm_id"])
    assert held.isdisjoint(made["arm_id"])
