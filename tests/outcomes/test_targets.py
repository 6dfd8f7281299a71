"""What is fitted: only verified published numbers, nothing held out, nothing twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from scipy.stats import beta

from hccresist.errors import ComputationError
from hccresist.outcomes.limits import measure_widths
from hccresist.outcomes.published import read_trials
from hccresist.outcomes.target_cohorts import COUNTED_AGAIN, SUBGROUPS, name_programmes
from hccresist.outcomes.target_studies import pattern_row
from hccresist.outcomes.target_table import TABLES, split_regimen
from hccresist.outcomes.targets import make_targets, read_targets

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY / "src" / "hccresist" / "data"
DRUGS = set(pl.read_csv(REPOSITORY / "src/hccresist/overcome/model/drugs.csv", columns=["drug"])["drug"])


def tables() -> dict[str, pl.DataFrame]:
    return {name: read_trials(name) for name in ("arms", *TABLES)}


def fitted() -> pl.DataFrame:
    return read_targets().filter(use="fit")


def held_out() -> set[str]:
    return set(read_trials("arms").filter("heldout")["arm_id"])


def test_every_verified_row_is_a_target_once_and_no_other() -> None:
    for name in TABLES:
        verified = read_trials(name).filter("verified").height
        assert read_targets().filter(table=name).height == verified


def test_every_fitted_number_is_a_verified_row_of_the_published_trials() -> None:
    published = read_trials("endpoints_long").filter("verified")
    columns = ["arm_id", "endpoint", "criterion", "assessor", "comparator_arm", "value", "unit", "n"]
    found = fitted().cast({"unit": pl.String}).join(published, on=columns, how="semi", nulls_equal=True)
    assert set(fitted()["table"]) == {"endpoints_long"}
    assert found["key"].to_list() == fitted()["key"].to_list()


def test_nothing_held_out_is_a_target() -> None:
    arms = read_targets().select(pl.concat_list("arm_id", "comparator_arm").explode()).to_series()
    assert held_out() & set(arms.drop_nulls()) == set()
    whole = read_trials("arms").group_by("trial").agg(pl.col("heldout").all()).filter("heldout")["trial"]
    assert {name_programmes(read_trials("arms").to_dicts())[name] for name in whole}.isdisjoint(
        read_targets()["programme_id"]
    )


def test_held_out_arms_have_no_efficacy_in_any_file() -> None:
    ends = ("ORR_recist11", "ORR_mrecist", "CR", "DCR", "mPFS", "mTTP", "mOS", "mDoR", "HR_OS", "HR_PFS")
    shown = read_trials("arms").filter("heldout").select(pl.col(ends).is_not_null().any())
    assert not any(shown.row(0))
    assert held_out() & set(read_trials("endpoints_long")["arm_id"]) == set()


def test_nothing_of_the_evidence_base_or_the_strategies_is_fitted() -> None:
    """Trials that only the strategies or the evidence name stay predictions."""
    known = set(read_trials("arms")["trial"])
    assert set(fitted()["study"]) <= known
    strategies = pl.read_csv(DATA / "evidence" / "strategies.csv", infer_schema=False)
    named = " ".join(strategies["trial_id"].drop_nulls())
    registered = dict(read_trials("arms").select("trial", "nct").drop_nulls().iter_rows())
    only_there = {word for word in named.replace(";", " ").split() if word not in set(registered.values())}
    assert only_there, "the strategies name trials that are not in the table"
    assert {registered.get(trial) for trial in fitted()["study"]}.isdisjoint(only_there)


def test_a_group_of_patients_has_one_fitted_number_in_each_family() -> None:
    sizes = fitted().group_by("group_id", "family").len()
    assert sizes["len"].max() == 1


def test_patients_are_not_fitted_under_two_names() -> None:
    assert set(fitted()["arm_id"]).isdisjoint(SUBGROUPS)
    assert set(fitted()["arm_id"]).isdisjoint(COUNTED_AGAIN)
    subgroups = read_trials("arms").filter(pl.col("phase").str.contains("subgroup"))
    assert set(subgroups["arm_id"]) == set(SUBGROUPS)
    assert set(SUBGROUPS.values()) <= set(read_trials("arms")["arm_id"])


def test_every_family_that_a_fitted_arm_reports_well_is_represented() -> None:
    """An arm of a modelled drug whose family has a check has a fit too, or the reason says why not."""
    checks = read_targets().filter(use="check", table="endpoints_long")
    alone = checks.join(fitted(), on=["group_id", "family"], how="anti")
    why = ("from memory", "criterion not reported", "not reached", "never fitted")
    assert [row for row in alone["reason"] if not any(word in row for word in why)] == []


def test_a_fitted_arm_has_only_modelled_drugs() -> None:
    for cell in fitted()["drugs"].unique():
        assert set(split_regimen(cell)) <= DRUGS | {"TACE", "placebo"}


def test_every_fitted_number_has_limits_that_hold_it() -> None:
    rows = fitted()
    assert rows["limits"].null_count() == 0
    assert rows["spread"].null_count() == 0
    assert rows.filter(~(pl.col("low90") >= pl.col("low") - 1e-6)).height == 0
    inside = rows.filter(pl.col("value").is_between("low90", pl.col("high90").fill_null(float("inf"))))
    # a printed share is rounded: 0.7 % of 282 is 2 patients, whose limits hold 0.709 %
    assert inside.height == rows.height


def test_a_reason_is_always_given() -> None:
    assert read_targets().filter(pl.col("reason") == "").height == 0


def test_the_shipped_table_is_what_the_rules_make() -> None:
    script = [sys.executable, str(REPOSITORY / "benchmarks" / "make_targets.py"), "--check"]
    assert subprocess.run(script, check=False).returncode == 0


def test_the_order_of_rows_changes_nothing() -> None:
    turned = {name: table.reverse() for name, table in tables().items()}
    assert make_targets(turned, modelled=DRUGS).equals(make_targets(tables(), modelled=DRUGS))


def test_a_drug_that_leaves_the_model_leaves_the_fit() -> None:
    fewer = make_targets(tables(), modelled=DRUGS - {"lenvatinib"})
    lost = fewer.filter(pl.col("drugs").str.contains("lenvatinib"), table="endpoints_long")
    assert set(lost["use"]) == {"excluded"}
    assert "drug not in the model: lenvatinib" in set(lost["reason"])


def test_an_efficacy_row_of_a_held_out_arm_is_refused() -> None:
    wrong = tables()
    arms = wrong["arms"].with_columns(heldout=pl.col("heldout") | (pl.col("arm_id") == "SHARP_placebo"))
    with pytest.raises(ComputationError, match="SHARP_placebo"):
        make_targets({**wrong, "arms": arms}, modelled=DRUGS)


def test_two_rows_of_one_key_are_refused() -> None:
    ends = read_trials("endpoints_long")
    with pytest.raises(ComputationError, match="SHARP_sorafenib:mOS"):
        make_targets({**tables(), "endpoints_long": pl.concat([ends, ends.head(1)])}, modelled=DRUGS)


@pytest.mark.parametrize(
    ("arm", "family", "endpoint", "criterion"),
    [
        ("REFLECT_lenvatinib", "response", "ORR", "RECIST 1.1"),  # not the mRECIST ones
        ("O32_sinbev", "survival", "HR_OS", None),  # its median was not reached
        ("CM459_nivolumab", "progression", "PFS_12mo", "RECIST 1.1"),  # its median is from memory
        ("JBCLCB_atezobev", "progression", "PFS_6mo", "mRECIST"),  # its median is weighted
    ],
)
def test_choices_that_are_easy_to_get_wrong(
    arm: str, family: str, endpoint: str, criterion: str | None
) -> None:
    row = fitted().filter(arm_id=arm, family=family).row(0, named=True)
    assert (row["endpoint"], row["criterion"]) == (endpoint, criterion)


def test_the_later_data_cut_is_kept() -> None:
    rows = read_targets().filter(arm_id="IMb150_atezobev", endpoint="HR_OS").sort("value")
    assert rows["value"].to_list() == [0.58, 0.66]
    assert rows["use"].to_list() == ["excluded", "check"]


def test_cohorts_of_one_registry_number_are_one_programme() -> None:
    pairs = {"CM040_nivoipi_A": "CM040_nivo_sorexp", "K224_pembro": "K224c2_pembro"}
    programme = dict(read_targets().select("arm_id", "programme_id").drop_nulls().iter_rows())
    assert all(programme[a] == programme[b] for a, b in pairs.items())
    assert programme["K224_pembro"] == "KEYNOTE-224"


def test_a_pattern_has_the_exact_limits_of_its_patients() -> None:
    row = (
        read_trials("response_patterns")
        .filter(pl.col("definition") == "TGR or TGK ratio >=2")
        .row(0, named=True)
    )
    made = pattern_row(row, DRUGS, {})
    assert made["use"] == "check"
    expected = (100 * beta.ppf(0.025, 8, 78), 100 * beta.ppf(0.975, 9, 77))  # 8 of 85, scipy.stats
    assert (made["low"], made["high"]) == pytest.approx(expected)


def test_limits_made_anew_are_about_as_wide_as_printed_ones() -> None:
    """The rules are held against every verified row that prints its limits (the data are the reference)."""
    widths = measure_widths(read_trials("endpoints_long"), read_trials("arms"))
    medians = dict(widths.group_by("kind").agg(pl.col("ratio").median()).iter_rows())
    assert set(medians) == {"share", "landmark", "mOS", "mPFS", "mTTP", "hazard ratio"}
    assert all(0.75 < ratio < 1.25 for ratio in medians.values()), medians
    assert widths.filter(kind="share")["ratio"].is_between(0.9, 1.15).all()
