"""Counts from events: groups, strata, delayed entry and ties; expectations counted by hand."""

from __future__ import annotations

import polars as pl
import pytest
from outcome_cases import arms_study, events_of, make_study

from hccresist.errors import ConfigError
from hccresist.outcomes.counts import observation_times, tally


def only(study, events, arms=(), **options):
    (counts,) = tally(observation_times(study, events, **options), arms)
    return counts


def test_groups_are_all_patients_and_each_arm_even_an_empty_one():
    counts = only(
        arms_study(["A", "A", "B", None]), events_of([5, 9, 9, 12], [True, False, True, True]), "ABC"
    )
    everyone = counts.groups["all"]
    assert (everyone.days.tolist(), everyone.events.tolist(), everyone.censored.tolist()) == (
        [5, 9, 12],
        [1, 1, 1],
        [0, 1, 0],
    )
    assert {group: (c.n, c.n_events) for group, c in counts.groups.items()} == {
        "all": (4, 3),
        "A": (2, 1),
        "B": (1, 1),
        "C": (0, 0),
    }


def test_days_that_differ_by_rounding_are_tied():
    counts = only(arms_study([None, None]), events_of([145.0, 20.71428571428571 * 7], [True, True]))
    assert counts.groups["all"].days.tolist() == [145]


def test_delayed_entry_and_patients_who_left_before_it():
    study = arms_study([None] * 4, entry=[None, 10.0, -5.0, 50.0])
    everyone = only(study, events_of([5, 30, 40, 20], [True] * 4)).groups["all"]
    assert (everyone.n, everyone.idle) == (3, 1)  # the last one left on day 20, before day 50
    assert everyone.at_risk(everyone.days).tolist() == [
        2,
        2,
        1,
    ]  # the one who enters on day 10 comes too late for day 5


def test_a_patient_who_leaves_on_the_day_of_entry_was_never_at_risk():
    study = arms_study([None] * 3, entry=[50.0, 50.0, None])
    everyone = only(study, events_of([50, 51, 0], [True, True, True])).groups["all"]
    assert (everyone.n, everyone.idle, everyone.days.tolist()) == (2, 1, [0, 51])


def test_duration_of_response_is_entered_from_the_response_on():
    study = make_study(["p0"], survival=[{"patient_id": "p0", "entry_day": 100.0}])
    events = pl.concat(
        [
            events_of([60], [True], endpoint="TTR", causes=["response"]),
            events_of([90], [True], endpoint="DOR", causes=["progression"]),
        ]
    )
    times = observation_times(study, events).select("endpoint", "entry").rows()
    assert sorted(times) == [("DOR", 40.0), ("TTR", 100.0)]


def test_strata_leave_out_patients_without_a_value():
    study = make_study({"p0": "A", "p1": "B", "p2": "A"})
    patients = study.patients.with_columns(region=pl.Series(["x", "y", None]), ecog=pl.Series([0, 1, 1]))
    study = type(study)(config=study.config, tables={**study.tables, "patients": patients})
    counts = only(study, events_of([5, 9, 12], [True] * 3), "AB", strata=["region", "ecog"])
    assert [{arm: c.n for arm, c in stratum.items()} for stratum in counts.strata] == [
        {"A": 1, "B": 0},
        {"A": 0, "B": 1},
    ]
    assert counts.groups["all"].n == 3


def test_an_unknown_stratum_is_told_with_the_nearest_column():
    with pytest.raises(ConfigError, match=r"no column 'blcc'. Did you mean 'bclc'\?"):
        observation_times(arms_study([None]), events_of([5], [True]), strata=["blcc"])


def test_endpoints_come_in_order():
    events = pl.concat([events_of([5], [True], endpoint=name) for name in ("TTP", "OS", "PFS")])
    counts = list(tally(observation_times(arms_study([None]), events), ()))
    assert [(c.criterion, c.endpoint) for c in counts] == [
        ("", "OS"),
        ("recist11", "PFS"),
        ("recist11", "TTP"),
    ]
