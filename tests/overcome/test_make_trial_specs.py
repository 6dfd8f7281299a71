"""What follows progression in shipped trials (`benchmarks/make_trial_specs.py`): by year, region and past."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hccresist.outcomes.published import read_trials
from hccresist.overcome.trial_file import find_spec, list_shipped

PATH = Path(__file__).parents[2] / "benchmarks" / "make_trial_specs.py"
FIRST_YEAR = {
    "sorafenib": 2007,
    "regorafenib": 2017,
    "nivolumab": 2017,
    "lenvatinib": 2018,
    "cabozantinib": 2019,
    "camrelizumab": 2020,
}
"""Years of the first approvals for hepatocellular carcinoma: November 2007, April 2017 and
September 2017 (FDA), March 2018 (Japan), January 2019 (FDA), March 2020 (China)."""
CHECKPOINT = {
    *("nivolumab", "pembrolizumab", "ipilimumab", "sintilimab", "tislelizumab", "camrelizumab"),
    *("atezolizumab", "durvalumab", "tremelimumab"),
}
ONLY_AFTER_SORAFENIB = {"regorafenib", "cabozantinib"}


@pytest.fixture(scope="module")
def script():
    """Import benchmarks/make_trial_specs.py."""
    spec = importlib.util.spec_from_file_location("make_trial_specs_rules", PATH)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(rows: list[dict], *, year: int, had: set[str], percent: float) -> None:
    """Hold what follows progression against the rules."""
    drugs = [row["regimen"].partition("_")[0] for row in rows]
    assert len(set(drugs)) == len(drugs)
    assert not set(drugs) & had
    assert not (had & CHECKPOINT and set(drugs) & CHECKPOINT)
    assert "sorafenib" in had or not set(drugs) & ONLY_AFTER_SORAFENIB
    assert all(year >= FIRST_YEAR[drug] for drug in drugs)
    assert {row["start"] for row in rows} <= {"progression"}
    assert sum(row["share"] for row in rows) == pytest.approx(percent / 100 if rows else 0.0)
    assert len({row["share"] for row in rows}) <= 1


ANY = sorted({*FIRST_YEAR, *CHECKPOINT, "placebo", "bevacizumab", "TACE"} - {"ipilimumab"})
"""Ipilimumab is given with nivolumab only, in all arms of the table."""


@given(
    drugs=st.lists(st.sampled_from(ANY), min_size=1, max_size=3, unique=True),
    last=st.integers(2003, 2025),
    region=st.sampled_from(["global", "Asia"]),
    line=st.sampled_from(["1L", "2L", "2L sorafenib-tolerant"]),
    percent=st.just(0.0) | st.floats(0.1, 100),
)
@settings(max_examples=100, deadline=None)
def test_later_drugs_keep_to_the_rules(script, *, drugs, last, region, line, percent) -> None:
    fact = {
        "enrolment_last_year": str(last),
        "line": line,
        "region": region,
        "later_therapy_pct": str(percent),
    }
    rows = script._later({"drugs": "+".join(drugs)}, fact)
    had = set(drugs) | ({"sorafenib"} if line.startswith("2L") else set())
    check(rows, year=last + 1, had=had, percent=percent)
    if region == "global":
        assert "camrelizumab_q2w" not in {row["regimen"] for row in rows}
    if last >= 2008 and "sorafenib" not in had and percent > 0:
        assert "sorafenib_bid" in {row["regimen"] for row in rows}


@pytest.mark.parametrize(
    ("drugs", "line", "region", "last", "expected"),
    [
        ("sorafenib", "1L", "global", 2006, []),  # nothing but sorafenib is there
        ("placebo", "1L", "global", 2006, []),  # a year before its approval
        ("placebo", "1L", "global", 2007, ["sorafenib_bid"]),
        ("sorafenib", "1L", "Asia", 2016, []),  # regorafenib: China in December 2017
        ("sorafenib", "1L", "global", 2016, ["regorafenib_21_28"]),
        ("sorafenib", "1L", "global", 2017, ["regorafenib_21_28", "nivolumab_q2w"]),
        ("nivolumab", "1L", "global", 2017, ["sorafenib_bid"]),
        (
            "placebo",
            "2L",
            "global",
            2019,
            ["lenvatinib_12", "regorafenib_21_28", "cabozantinib_60", "nivolumab_q2w"],
        ),
        ("sorafenib", "1L", "Asia", 2019, ["lenvatinib_12", "regorafenib_21_28", "camrelizumab_q2w"]),
        ("atezolizumab+bevacizumab", "1L", "Asia", 2019, ["sorafenib_bid", "lenvatinib_12"]),
    ],
)
def test_which_drugs_were_at_hand_then_and_there(script, *, drugs, line, region, last, expected) -> None:
    fact = {"enrolment_last_year": str(last), "line": line, "region": region, "later_therapy_pct": "30"}
    rows = script._later({"drugs": drugs}, fact)
    assert [row["regimen"] for row in rows] == expected
    assert all((row["liver_min"], row["lives_min"], row["delay_days"]) == (0.5, 0.8, 14) for row in rows)


def test_shipped_trials_stop_by_the_criterion_of_the_progression_that_the_table_holds() -> None:
    rows = read_trials("endpoints_long").drop_nulls("criterion")
    by_mrecist = set[str]()
    for name in list_shipped():
        spec = find_spec(name)
        own = rows.filter(pl.col("arm_id").is_in([arm.arm_id for arm in spec.arms]))
        criteria = {
            row["criterion"]
            for row in own.iter_rows(named=True)
            if {"PFS", "TTP"} & set(words(row["endpoint"]))
        }
        assert spec.progression == ("mrecist" if criteria == {"mRECIST"} else "recist11"), name
        by_mrecist |= {name} if spec.progression == "mrecist" else set()
    assert {"REFLECT", "RESORCE", "LAUNCH"} <= by_mrecist


def words(endpoint: str) -> list[str]:
    """Parts of an endpoint's name: `mPFS` is a median, `HR_TTP` a ratio."""
    return [part.removeprefix("m") for part in endpoint.split("_")]


def test_shipped_trials_keep_to_the_rules() -> None:
    """Drugs of an arm are those of `arms.csv`; shares stand in the files with six digits."""
    table, context = read_trials("arms"), read_trials("trial_context")
    drugs = dict(table.select("arm_id", "drugs").iter_rows())
    given = 0
    for name in list_shipped():
        for arm in find_spec(name).arms:
            facts = dict(
                context.filter(context["arm_id"] == arm.arm_id).select("value_name", "value").iter_rows()
            )
            had = set(drugs[arm.arm_id].replace("|", "+").split("+"))
            had |= {regimen.partition("_")[0] for regimen in arm.prior}
            assert ("sorafenib_bid" in arm.prior) == facts["line"].startswith("2L")
            plans = [plan for plan in arm.drugs if plan.after_progression]
            rows = [
                {"regimen": plan.regimens[0], "share": plan.share, "start": "progression"} for plan in plans
            ]
            year, percent = int(facts["enrolment_last_year"]) + 1, float(facts["later_therapy_pct"])
            shares = round(sum(row["share"] for row in rows), 4)
            assert shares in {0.0, round(percent / 100, 4)}
            check(rows, year=year, had=had, percent=sum(row["share"] for row in rows) * 100)
            given += bool(rows)
    assert given > 20


def test_every_region_of_the_table_is_known_to_the_rules(script) -> None:
    context = read_trials("trial_context")
    regions = set(context.filter(context["value_name"] == "region")["value"])
    assert regions == {region for since in script.AT_HAND.values() for region in since}
