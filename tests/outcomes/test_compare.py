"""Responders against non-responders: at a landmark, with everybody accounted for."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from outcome_cases import best_response, events_of, make_study

from hccresist.errors import ConfigError
from hccresist.outcomes.compare import landmark_comparison
from hccresist.outcomes.results import SurvivalSummary

ROWS = [
    (40.0, True, None),  # died before the landmark
    (84.0, True, 56.0),  # died on the landmark itself
    (60.0, False, 56.0),  # left before the landmark
    (100.0, True, None),
    (200.0, True, None),
    (150.0, True, 112.0),  # responded later: a non-responder here
    (300.0, True, 56.0),
    (400.0, True, 84.0),  # responded on the landmark
    (500.0, False, 56.0),
]


def cohort(rows, *, entry=None):
    """Study, events and best response from (days, died, day of response)."""
    names = [f"p{i}" for i in range(len(rows))]
    study = make_study(names, survival=[{"patient_id": name, "entry_day": entry} for name in names])
    found = {
        name: {"best": "PR" if response else "SD", "response": response}
        for name, (_, _, response) in zip(names, rows, strict=True)
    }
    return study, events_of([row[0] for row in rows], [row[1] for row in rows]), best_response(found)


def look(table, statistic, group=None):
    rows = table.filter(pl.col("statistic") == statistic)
    return (rows if group is None else rows.filter(pl.col("group") == group)).row(0, named=True)


def test_who_is_dropped_and_who_is_compared():
    study, events, best = cohort(ROWS)
    table = landmark_comparison(study, events, best_response=best, landmark_days=84.0)
    SurvivalSummary.validate(table)
    assert table["at_days"].unique().to_list() == [84]
    dropped = look(table, "landmark_dropped")
    assert (dropped["value"], dropped["n"], dropped["events"]) == (3, 9, 2)
    assert dropped["note"] == "3 of 9 patients dropped: 2 had the event and 1 were censored by day 84"
    responders = look(table, "landmark_median", "responder")
    others = look(table, "landmark_median", "non-responder")
    assert (responders["n"], responders["events"], responders["value"]) == (3, 2, 400 - 84)
    assert (others["n"], others["events"], others["value"]) == (3, 3, 150 - 84)
    ratio = look(table, "landmark_hazard_ratio")
    because = "no event in responder while the other arm was at risk"
    assert ratio["group"] == "responder vs non-responder"
    assert ratio["note"] == f"not estimable: the arms do not overlap ({because})"
    assert look(table, "landmark_logrank_p")["value"] < 0.1


@pytest.mark.parametrize("day", [0.0, -28.0, float("nan")])
def test_a_comparison_from_day_0_is_refused(day):
    study, events, best = cohort(ROWS)
    with pytest.raises(ConfigError, match="immortal time"):
        landmark_comparison(study, events, best_response=best, landmark_days=day)


@pytest.mark.parametrize("endpoint", ["DOR", "iDOR", "TTR"])
def test_endpoints_of_responders_are_refused(endpoint):
    study, events, best = cohort(ROWS)
    with pytest.raises(ConfigError, match="responders only"):
        landmark_comparison(study, events, best_response=best, landmark_days=84.0, endpoint=endpoint)


def test_the_landmark_takes_away_what_immortal_time_gives():
    """Response without any effect: the naive comparison sees one, the landmark does not (simulated)."""
    rng = np.random.default_rng(17)
    death = np.ceil(rng.exponential(300, 3000))
    response = rng.choice([56.0, 112.0, 168.0, 224.0], 3000)
    responds = (rng.random(3000) < 0.5) & (response < death)
    rows = [(d, True, float(r) if yes else None) for d, r, yes in zip(death, response, responds, strict=True)]
    study, events, best = cohort(rows)
    naive = np.median(death[responds]) / np.median(death[~responds])
    assert naive > 2
    table = landmark_comparison(study, events, best_response=best, landmark_days=112.0)
    ratio = look(table, "landmark_hazard_ratio")
    assert ratio["low"] < 1 < ratio["high"]


def test_progression_is_compared_within_its_reader_and_criterion():
    study, _, best = cohort([(300.0, True, 56.0), (200.0, True, None)])
    own = events_of([300, 200], [True, True], endpoint="PFS")
    events = pl.concat([own, own.with_columns(reader=pl.lit("2"), days=pl.lit(90.0))])
    table = landmark_comparison(study, events, best_response=best, landmark_days=84.0, endpoint="PFS")
    assert table.select("reader", "criterion", "endpoint").unique().rows() == [("", "recist11", "PFS")]
    assert look(table, "landmark_median", "responder")["value"] == 300 - 84


def test_overall_survival_is_compared_under_every_criterion():
    study, events, best = cohort([(300.0, True, 56.0), (200.0, True, None)])
    nobody = pl.lit(None, dtype=pl.Float64)
    other = best.with_columns(criterion=pl.lit("mrecist"), first_response_day=nobody)
    table = landmark_comparison(study, events, best_response=pl.concat([best, other]), landmark_days=84.0)
    responders = table.filter((pl.col("statistic") == "landmark_median") & (pl.col("group") == "responder"))
    assert responders.select("criterion", "n").rows() == [("mrecist", 0), ("recist11", 1)]


def test_delayed_entry_after_the_landmark_still_holds():
    rows = [(300.0, True, 56.0), (200.0, True, None), (120.0, True, None)]
    study, events, best = cohort(rows, entry=150.0)
    table = landmark_comparison(study, events, best_response=best, landmark_days=84.0)
    assert look(table, "landmark_median", "non-responder")["n"] == 1  # day 120 came before day 150


def test_nobody_left_at_the_landmark():
    study, events, best = cohort([(30.0, True, None)])
    table = landmark_comparison(study, events, best_response=best, landmark_days=84.0)
    assert table["statistic"].to_list() == ["landmark_dropped"]
    assert look(table, "landmark_dropped")["value"] == 1
