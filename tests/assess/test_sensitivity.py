"""One policy at a time, and where criteria part."""

import polars as pl

from hccresist.assess import assess_study
from hccresist.assess.discordance import derive_discordance
from hccresist.assess.sensitivity import SETTINGS, derive_sensitivity
from hccresist.study.frames import study_from_frames
from hccresist.study.policies import Policies


def two_patients():
    return study_from_frames(
        patients=pl.DataFrame({"patient_id": ["P1", "P2"]}),
        lesions=pl.DataFrame(
            {
                "patient_id": ["P1"] * 3 + ["P2"] * 3,
                "lesion_id": ["T1"] * 6,
                "role": ["target"] * 6,
                "organ": ["liver"] * 6,
                "day": [-3, 56, 112] * 2,
                "longest_mm": [50.0, 50.0, 50.0, 50.0, 30.0, 30.0],
                "viable_mm": [50.0, 20.0, 20.0, 50.0, 30.0, 30.0],
            }
        ),
    )


def test_every_setting_is_one_that_its_policy_takes():
    for name, values in SETTINGS.items():
        for value in values:
            assert Policies.parse({name: value}).values()[name] == value


def test_the_change_is_told_from_the_setting_in_force():
    table = derive_sensitivity(two_patients(), criteria=["recist11"], settings={"confirm_days": (42, 70)})
    confirmed = table.filter(pl.col("measure") == "ORR_confirmed").sort("setting")
    # P2 answers on day 56 and again 56 days later: confirmed after 28 and 42, not after 70 days.
    assert confirmed["setting"].to_list() == ["", "42", "70"]
    assert confirmed["value"].to_list() == [50.0, 50.0, 0.0]
    assert confirmed["change"].to_list() == [0.0, 0.0, -50.0]


def test_a_setting_that_is_in_force_is_not_run_again():
    default = Policies().confirm_days
    table = derive_sensitivity(two_patients(), criteria=["recist11"], settings={"confirm_days": (default,)})
    assert table["policy"].unique().to_list() == [""]


def test_discordance_names_the_visit_and_both_rules():
    tables = assess_study(two_patients(), criteria=["recist11", "mrecist"]).tables
    table = derive_discordance(tables["timepoints"], tables["best_response"])
    assert table.height == 1
    row = table.row(0, named=True)
    assert (row["patient_id"], row["criterion_a"], row["criterion_b"]) == ("P1", "mrecist", "recist11")
    assert (row["best_a"], row["best_b"], row["split_day"]) == ("PR", "SD", 56.0)
    assert (row["rule_a"], row["rule_b"]) == ("PR", "SD")
    assert row["reason"].startswith("mRECIST (HCC): ")
    assert " RECIST 1.1: " in row["reason"]


def test_discordance_does_not_depend_on_the_order_of_rows():
    tables = assess_study(two_patients(), criteria=["recist11", "mrecist"]).tables
    straight = derive_discordance(tables["timepoints"], tables["best_response"])
    turned = derive_discordance(tables["timepoints"].reverse(), tables["best_response"].reverse())
    assert straight.equals(turned)


def test_criteria_that_differ_at_no_visit_are_told():
    best = pl.DataFrame(
        {"patient_id": ["P1"] * 2, "reader": [""] * 2, "criterion": ["a", "b"], "best": ["SD", "NE"]}
    )
    words = {"overall": ["SD"] * 2, "rule": ["r"] * 2, "reason": ["said"] * 2}
    visits = best.drop("best").with_columns(day=pl.lit(20.0), **{k: pl.Series(v) for k, v in words.items()})
    row = derive_discordance(visits, best).row(0, named=True)
    assert (row["split_day"], row["overall_a"], row["rule_b"]) == (None, None, None)
    assert row["reason"] == "No visit differs; what counts for the best response does."
    own = derive_discordance(visits.with_columns(overall=pl.Series(["SD", "PD"])), best, titles={"a": "Mine"})
    assert own["reason"].to_list() == ["Mine: said b: said"]


def test_irecist_words_are_no_discordance():
    tables = assess_study(two_patients(), criteria=["recist11", "irecist"]).tables
    assert derive_discordance(tables["timepoints"], tables["best_response"]).is_empty()
