"""How published arms were followed: every value sourced or assumed; what a trial does not say is shared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from hccresist.outcomes.context import LINES, OPTIONAL, SHARED, VALUE_NAMES, make_context, name_line
from hccresist.outcomes.published import read_trials

REPOSITORY = Path(__file__).resolve().parents[2]
DRUGS = set(pl.read_csv(REPOSITORY / "src/hccresist/overcome/model/drugs.csv", columns=["drug"])["drug"])
NUMERIC = tuple(SHARED)


def tables() -> dict[str, pl.DataFrame]:
    return {name: read_trials(name) for name in ("arms", "endpoints_long", "context_facts")}


def find(context: pl.DataFrame, arm: str, name: str) -> dict[str, object]:
    return context.filter(arm_id=arm, value_name=name).row(0, named=True)


def test_the_shipped_table_is_what_the_rules_make() -> None:
    script = [sys.executable, str(REPOSITORY / "benchmarks" / "make_context.py"), "--check"]
    assert subprocess.run(script, check=False).returncode == 0


def test_every_arm_of_a_modelled_drug_has_every_value_with_a_source() -> None:
    context = read_trials("trial_context")
    sizes = context.filter(~pl.col("value_name").is_in(OPTIONAL)).group_by("arm_id").len()
    assert set(sizes["len"]) == {len(VALUE_NAMES)}
    targets = read_trials("arms").filter(pl.col("drugs").is_in(["sorafenib", "placebo", "TACE"]))
    assert set(targets["arm_id"]) <= set(sizes["arm_id"])
    assert context["source"].null_count() == 0
    assert set(context["status"]) == {"sourced", "assumed"}


def test_what_was_looked_up_stands_there_as_it_was_seen() -> None:
    context = read_trials("trial_context")
    # 156 of 478, abstract 371 of ASCO GI on REFLECT
    later = find(context, "REFLECT_lenvatinib", "later_therapy_pct")
    assert (later["value"], later["status"]) == ("32.6", "sourced")
    # clinicaltrials.gov NCT01908426: radiologic assessment every 8 weeks
    scans = find(context, "CELESTIAL_cabozantinib", "scan_interval_weeks")
    assert (scans["value"], scans["status"]) == ("8", "sourced")


def test_memory_is_never_called_a_source() -> None:
    facts = read_trials("context_facts")
    assert set(facts.filter(source="memory")["status"]) == {"assumed"}
    assert facts.filter(pl.col("status") == "sourced")["source"].null_count() == 0
    assert set(facts.filter(source="memory")["value_name"]) <= {
        "enrolment_first_year", "enrolment_last_year", "scan_interval_weeks", "scan_switch_week",
        "scan_later_weeks",
    }  # fmt: skip


def test_held_out_arms_have_no_looked_up_facts() -> None:
    arms = read_trials("arms")
    whole = set(arms.group_by("trial").agg(pl.col("heldout").all()).filter("heldout")["trial"])
    looked_up = read_trials("context_facts").filter(status="sourced")["scope"]
    assert (whole | set(arms.filter("heldout")["arm_id"])).isdisjoint(looked_up)


def test_a_trait_that_trials_do_not_report_is_the_same_for_all_of_a_line_and_region() -> None:
    context = read_trials("trial_context")
    region = context.filter(value_name="region").select("arm_id", region="value")
    line = context.filter(value_name="line").select(
        "arm_id", line=pl.col("value").map_elements(name_line, return_dtype=pl.String)
    )
    shared = context.filter(
        pl.col("value_name").is_in(NUMERIC), pl.col("status") == "assumed", pl.col("source") != "memory"
    )
    groups = shared.join(region, on="arm_id").join(line, on="arm_id").group_by("value_name", "line", "region")
    assert groups.agg(pl.col("value").n_unique())["value"].max() == 1


def test_renaming_a_trial_without_facts_changes_nothing() -> None:
    old = tables()
    arms = old["arms"].with_columns(trial=pl.col("trial").replace("HIMALAYA", "Everest"))
    facts = old["context_facts"].with_columns(scope=pl.col("scope").replace("HIMALAYA", "Everest"))
    renamed = make_context({**old, "arms": arms, "context_facts": facts}, modelled=DRUGS)
    assert renamed.drop("source").equals(make_context(old, modelled=DRUGS).drop("source"))


def test_held_out_arms_move_no_shared_value() -> None:
    old = tables()
    arms = old["arms"].with_columns(
        hbv_pct=pl.when("heldout").then(pl.lit("1")).otherwise("hbv_pct"),
    )
    before, after = make_context(old, modelled=DRUGS), make_context({**old, "arms": arms}, modelled=DRUGS)
    held = arms.filter("heldout")["arm_id"].implode()
    assert after.filter(~pl.col("arm_id").is_in(held)).equals(before.filter(~pl.col("arm_id").is_in(held)))


@pytest.mark.parametrize(("line", "found"), [("1L+2L mixed", "1L"), ("2L+", "2L"), ("TACE-eligible", "TACE")])
def test_lines_fall_into_three_classes(line: str, found: str) -> None:
    assert name_line(line) == found
    assert found in LINES
