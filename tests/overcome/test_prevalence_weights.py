"""Prevalence weighting: their mean chance is kept, and who is found hangs on the patient alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hccresist.errors import ConfigError
from hccresist.overcome.dosing import split_values
from hccresist.overcome.population import draw_population
from hccresist.overcome.prevalence_weights import (
    MARKERS,
    MEAN,
    Weighting,
    effective_share,
    find_deviates,
    find_features,
    find_level,
    is_found,
    read_weighting,
)
from hccresist.overcome.rng import TWIN
from hccresist.overcome.trial_file import parse_spec
from hccresist.overcome.trial_run import run_replicate

NAMES = tuple(feature.name for feature in find_features())
SCORES = arrays(np.float64, st.integers(1, 60), elements=st.floats(-30, 30))
ODDS = arrays(np.float64, len(NAMES), elements=st.floats(-3, 3))


@pytest.fixture(scope="module")
def people():
    return draw_population(np.arange(12_000), mixed=True, seed=4)


def weigh(people, odds: dict[str, float]) -> Weighting:
    """Make a weighting of these odds whose mean chance in the population is the house's."""
    log_odds = np.log([odds.get(name, 1.0) for name in NAMES])
    return Weighting(NAMES, log_odds, find_level(find_deviates(people) @ log_odds))


@given(SCORES, st.sampled_from([MEAN, 0.1, 0.5, 0.9]))
@settings(max_examples=60, deadline=None)
def test_the_level_gives_the_mean_chance_and_never_less_than_its_effective_share(scores, mean) -> None:
    """No chance is above one, so that (sum)² / (n × sum of squares) is at least sum / n."""
    weighting = Weighting(("one",), np.ones(1), find_level(scores, mean=mean))
    chances = weighting.find_chances(scores[:, None])
    assert chances.mean() == pytest.approx(mean, abs=1e-9)
    assert chances.max() <= 1.0
    assert effective_share(chances) >= mean - 1e-9


@given(SCORES, st.floats(-40, 40))
@settings(max_examples=60, deadline=None)
def test_chances_rise_with_the_score_up_to_one_and_not_beyond(scores, level) -> None:
    scores = np.sort(scores)
    chances = Weighting(("one",), np.ones(1), level).find_chances(scores[:, None])
    assert (np.diff(chances) >= 0).all()
    assert ((chances > 0) & (chances <= 1)).all()
    np.testing.assert_allclose(chances[scores + level >= 0], 1.0, rtol=1e-12)
    low = scores + level < 0
    np.testing.assert_allclose(np.log(chances[low]), (scores + level)[low], rtol=1e-9, atol=1e-12)
    assert effective_share(chances) >= chances.mean() * (1 - 1e-9)


@given(ODDS, st.floats(-6, 3))
@settings(max_examples=40, deadline=None)
def test_a_weighting_written_as_values_is_read_back(log_odds, level) -> None:
    values = Weighting(NAMES, log_odds, level).as_values()
    back = read_weighting({"growth_rate": 0.01, "sorafenib.dose_kill": 1.1, **values})
    assert back is not None
    assert back.names == NAMES
    np.testing.assert_allclose(back.log_odds, log_odds, atol=1e-12)
    assert back.level == pytest.approx(level, abs=1e-12)


def test_odds_that_are_not_given_change_nothing() -> None:
    found = read_weighting({"enrolled.level": 0.2, f"enrolled.{NAMES[3]}": 2.0})
    assert found is not None
    assert found.log_odds.tolist() == [np.log(2.0) if k == 3 else 0.0 for k in range(len(NAMES))]
    assert read_weighting({"growth_rate": 0.01, "sorafenib.dose_kill": 1.1}) is None
    assert not set(MARKERS) & set(NAMES)


def test_all_that_is_wrong_with_odds_is_said_at_once() -> None:
    values = {
        "enrolled.wrongname": 2.0,
        "enrolled.afp_rate": 2.0,  # a marker: nothing of the model hangs on it
        "enrolled.growth_rate": 2.0,  # of the lesion
        "enrolled.death_rate": 0.0,
        "enrolled.prime_rate": -1.5,
        "enrolled.traffic": 1.5,
    }
    with pytest.raises(ConfigError) as raised:
        read_weighting(values)
    lines = str(raised.value).splitlines()
    expected = ["wrongname", "afp_rate", "growth_rate", "death_rate", "prime_rate", "level"]
    for name in expected:
        assert len([line for line in lines if f"enrolled.{name}" in line]) == 1, name
    assert len(lines) == len(expected)
    assert "enrolled.prime_rate: odds of -1.5 (a number above zero is wanted)" in lines
    assert "enrolled.wrongname: no log-normal parameter of the patient" in lines
    with pytest.raises(ConfigError, match=r"enrolled\.level: odds of 0"):
        read_weighting({"enrolled.level": 0.0})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_odds_that_are_no_finite_number_are_refused(value) -> None:
    with pytest.raises(ConfigError, match="death_rate"):
        read_weighting({"enrolled.level": 0.3, "enrolled.death_rate": value})


@given(st.dictionaries(st.sampled_from([*NAMES, "level", "wrongname"]), st.floats(0.1, 9), max_size=5))
@settings(max_examples=25, deadline=None)
def test_odds_are_no_values_of_the_model_and_no_factors(odds) -> None:
    kept = {"growth_rate": 0.01, "death_rate": 0.0004}
    factors = {"sorafenib.dose_kill": 1.2}
    values = {f"enrolled.{name}": value for name, value in odds.items()}
    assert split_values({**values, **kept, **factors}) == (kept, factors)
    with pytest.raises(ConfigError, match=r"sorafenib\.growth"):
        split_values({**values, "sorafenib.growth": 1.0})


def test_deviates_are_standard_normal_and_the_same_at_other_typical_values(people) -> None:
    deviates = find_deviates(people)
    assert deviates.shape == (len(people.numbers), len(NAMES))
    few = len(people.numbers) ** -0.5
    np.testing.assert_allclose(deviates.mean(axis=0), 0.0, atol=4.5 * few)
    np.testing.assert_allclose(deviates.std(axis=0), 1.0, atol=4.5 * few)
    values = {"death_rate": 0.001, "traffic": 0.01}
    other = draw_population(people.numbers[:50], values=values, mixed=True, seed=4)
    np.testing.assert_allclose(find_deviates(other, values), deviates[:50], atol=1e-9)
    assert abs(find_deviates(other) - deviates[:50]).max() > 1.0


def test_as_many_are_found_as_the_chances_say(people) -> None:
    """The number found is a sum of draws with these chances: within 4 standard errors, in each third."""
    weighting = weigh(people, {"death_rate": 0.4, "prime_rate": 2.0, "seed_rate": 1.5})
    chances = weighting.find_chances(find_deviates(people))
    found = is_found(people, weighting, seed=4)
    assert chances.mean() == pytest.approx(MEAN, abs=1e-9)
    order = np.argsort(chances)
    assert chances[order[-1]] > 5 * chances[order[len(order) // 6]]
    for part in (order, *np.array_split(order, 3)):
        error = np.sqrt((chances[part] * (1 - chances[part])).sum())
        assert abs(found[part].sum() - chances[part].sum()) < 4 * error
    assert is_found(people, None, seed=4).all()


def test_the_same_patients_are_found_whatever_else_is_drawn(people) -> None:
    weighting = weigh(people, {"death_rate": 0.4, "prime_rate": 2.0})
    numbers = np.random.default_rng(0).permutation(len(people.numbers))[:300]
    expected = is_found(people, weighting, seed=4)[numbers]
    values = {"growth_rate": 0.03, "death_rate": 0.002}
    alone = draw_population(numbers, values=values, handles={"abc": 1.0}, seed=4)
    np.testing.assert_array_equal(is_found(alone, weighting, values=values, seed=4), expected)
    twins = replace(alone, numbers=alone.numbers + 3 * TWIN)
    np.testing.assert_array_equal(is_found(twins, weighting, values=values, seed=4), expected)
    assert (is_found(alone, weighting, values=values, seed=5) != expected).any()


def test_a_trial_with_odds_enrols_whom_the_odds_favour(people) -> None:
    """Mean deviates of the enrolled move by what the chances say, within 4 standard errors; others do not."""
    spec = parse_spec(
        'name = "small"\nseed = 4\n[visits]\nevery = 56\n[follow_up]\ndays = 56\n'
        '[[arms]]\nname = "placebo"\nn = 250\n'
    )
    odds = {"seed_rate": 2.0, "traffic": 0.5}
    weighting = weigh(people, odds)
    chances, deviates = weighting.find_chances(find_deviates(people)), find_deviates(people)
    wanted = chances @ deviates / chances.sum() - deviates.mean(axis=0)
    means = list[np.ndarray]()
    for values in ({}, weighting.as_values()):
        found = run_replicate(spec, 0, values=values, keep=True, threads=1)
        assert found.tables is not None
        numbers = found.tables["patients"]["patient_id"].str.slice(1).cast(int).to_numpy()
        assert len(numbers) == 250
        means.append(find_deviates(draw_population(numbers, mixed=True, seed=4)).mean(axis=0))
        assert found.counts["screened"] >= len(numbers) / (MEAN if values else 1.0) * 0.8
    moved = means[1] - means[0]
    error = np.sqrt(2 / 250)
    np.testing.assert_allclose(moved, wanted, atol=4 * error)
    for name, sign in (("seed_rate", 1), ("traffic", -1)):
        at = NAMES.index(name)
        assert sign * wanted[at] > 4 * error
        assert sign * moved[at] > 3 * error
