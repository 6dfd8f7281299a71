"""Planning by simulation: power, size, doses, schedules, sequences, on the same patients."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from hccresist.errors import ConfigError
from hccresist.outcomes.rates import clopper_pearson
from hccresist.overcome.trial import simulate_replicates
from hccresist.overcome.trial_design import (
    compare_sequences,
    find_power,
    find_sample_size,
    sweep_doses,
    sweep_schedules,
)
from hccresist.overcome.trial_file import parse_spec

SPEC = parse_spec("""
name = "plan"
replicates = 3
[follow_up]
days = 300
[[arms]]
name = "placebo"
n = 6
control = true
[[arms]]
name = "combo"
n = 6
[[arms.drugs]]
regimen = "sorafenib+nivolumab"
[[arms]]
name = "A then B"
n = 6
[[arms.drugs]]
regimen = "sorafenib"
[[arms.drugs]]
regimen = "nivolumab"
start = "progression"
[[arms]]
name = "B then A"
n = 6
[[arms.drugs]]
regimen = "nivolumab"
[[arms.drugs]]
regimen = "sorafenib"
start = "progression"
""")
TWO = replace(SPEC, arms=(SPEC.arm("placebo"), SPEC.arm("combo")))


def test_power_is_the_share_of_significant_replicates_with_exact_limits() -> None:
    found = find_power(TWO, endpoint="PFS", alpha=0.5)
    rows = simulate_replicates(TWO)
    p = rows.filter((pl.col("endpoint") == "p_PFS") & (pl.col("criterion") == "RECIST 1.1"))["value"]
    hits = (p.drop_nulls() < 0.5).sum()
    low, high = clopper_pearson([hits], [found.replicates])
    assert found.n == 12
    assert found.share == pytest.approx(hits / found.replicates)
    assert (found.low, found.high) == pytest.approx((low[0], high[0]))
    assert found.favourable <= found.share


def test_what_has_no_power_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        find_power(SPEC, endpoint="ORR", criterion="choi", alpha=2.0)
    assert len(str(raised.value).splitlines()) == 4


def test_the_smallest_size_with_enough_power_is_found() -> None:
    smallest, powers = find_sample_size(TWO, sizes=[12, 6], power=0.0)
    assert [each.n for each in powers] == [6, 12]
    assert smallest == 6
    assert find_sample_size(TWO, sizes=[6], power=1.01)[0] is None


def test_no_dose_is_the_same_as_no_drug_and_the_first_dose_differs_from_itself_by_nothing() -> None:
    table = sweep_doses(SPEC, "A then B", drug="sorafenib", factors=[1.0, 0.0])
    own = table.filter(pl.col("variant") == "sorafenib x 1")
    assert set(own["difference"].drop_nulls()) == {0.0}
    none = table.filter(pl.col("variant") == "sorafenib x 0")
    without = replace(SPEC.arm("A then B"), drugs=SPEC.arm("A then B").drugs[1:], arm_id="variant")
    rows = simulate_replicates(replace(SPEC, arms=(without,)))
    for endpoint in ("ORR", "mOS", "OS_6mo"):
        wanted = rows.filter(pl.col("endpoint") == endpoint)["value"]
        found = none.filter(pl.col("endpoint") == endpoint)["value"]
        assert found[0] in {None, *wanted.to_list()}
    with pytest.raises(ConfigError, match="has no lenvatinib"):
        sweep_doses(SPEC, "A then B", drug="lenvatinib", factors=[1.0])


def test_a_schedule_is_changed_and_the_drug_beside_it_stays() -> None:
    table = sweep_schedules(SPEC, "combo", drug="nivolumab", regimens=["nivolumab_q2w", "nivolumab_q4w"])
    assert set(table["variant"]) == {"nivolumab_q2w", "nivolumab_q4w"}
    assert set(table["endpoint"]) >= {"ORR", "mPFS", "mOS"}
    assert (table.drop_nulls(["value", "low"])["low"] <= table.drop_nulls(["value", "low"])["value"]).all()


def test_sequences_are_compared_on_the_same_patients() -> None:
    table = compare_sequences(SPEC, "A then B", "B then A")
    again = compare_sequences(SPEC, "A then B", "A then B")
    assert set(table["variant"]) == {"A then B", "B then A"}
    assert set(again["variant"]) == {"A then B"}
    assert set(again["difference"].drop_nulls()) == {0.0}
    first = table.filter(pl.col("variant") == "A then B").drop("variant")
    assert first.equals(again.drop("variant"))
