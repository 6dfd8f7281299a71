"""Weighing the patients of one run: curves of repeated patients, numbers of a run, a known truth found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter

from hccresist.outcomes.survival import MONTH
from hccresist.overcome import calibrate_weights as module
from hccresist.overcome.calibrate_data import Target, cut_spec, to_scale
from hccresist.overcome.calibrate_run import POOL_EACH, find_lines
from hccresist.overcome.calibrate_weights import (
    Contribution,
    Weighed,
    fit_weighting,
    run_weighed,
    weigh_survival,
)
from hccresist.overcome.prevalence_weights import (
    MEAN,
    Weighting,
    effective_share,
    find_deviates,
    find_features,
    find_level,
)
from hccresist.overcome.trial_members import make_pool, run_members

NAMES = tuple(feature.name for feature in find_features())
PATIENTS = 30
ARM = "IMb150_atezobev"
CONTROL = "IMb150_sorafenib"
LATER = "RESORCE_regorafenib"
TRIALS = {ARM: "IMbrave150", CONTROL: "IMbrave150", LATER: "RESORCE"}
TIMES = st.lists(st.tuples(st.integers(1, 12), st.booleans(), st.integers(1, 4)), min_size=1, max_size=25)
"""Day, event and weight of patients; few days, so that many are tied."""


def target(endpoint: str, *, arm: str = ARM, criterion: str | None = None, n: int = 100) -> Target:
    """Make a target of which only what is wanted and how many patients count."""
    nothing = dict.fromkeys(("key", "family", "programme", "drugs", "line", "unit"), "")
    numbers = dict.fromkeys(("value", "low", "high"), 1.0)
    return Target(**nothing, **numbers, trial=TRIALS[arm], wanted=(arm, None, endpoint, criterion), n=n)


def unpack(rows: list[tuple[int, bool, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    days, event, weights = zip(*rows, strict=True)
    return np.array(days, dtype=float), np.array(event), np.array(weights, dtype=float)


def look_up(days: np.ndarray, survival: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Read a step curve."""
    return survival[np.searchsorted(days, asked, side="right") - 1]


@given(TIMES, st.floats(0.01, 50))
@settings(max_examples=25, deadline=None)
def test_equal_weights_give_the_curve_of_lifelines(rows, weight) -> None:
    days, event, _ = unpack(rows)
    found = weigh_survival(days, event, np.full(len(days), weight))
    asked = np.arange(14.0)
    known = KaplanMeierFitter().fit(days, event).survival_function_at_times(asked)
    np.testing.assert_allclose(look_up(*found, asked), known, atol=1e-12)
    assert found[0].tolist() == [0.0, *sorted(set(days[event]))]


@given(TIMES, st.floats(0.01, 50))
@settings(max_examples=25, deadline=None)
def test_whole_weights_are_patients_repeated(rows, factor) -> None:
    days, event, weights = unpack(rows)
    found = weigh_survival(days, event, weights * factor)
    many = np.repeat(np.arange(len(days)), weights.astype(int))
    asked = np.arange(14.0)
    known = KaplanMeierFitter().fit(days[many], event[many]).survival_function_at_times(asked)
    np.testing.assert_allclose(look_up(*found, asked), known, atol=1e-12)


@given(TIMES, st.sampled_from(["mPFS", "OS_6mo", "ORR"]))
@settings(max_examples=25, deadline=None)
def test_a_number_under_whole_chances_is_that_of_patients_repeated(rows, endpoint) -> None:
    days, event, weights = unpack(rows)
    days = days * 30.0 if endpoint != "ORR" else None
    places = np.arange(len(event))[::-1].copy()
    wanted = target(endpoint, criterion="RECIST 1.1")
    found = Contribution(places, days, event).find_value(wanted, weights[::-1] / 4.0)
    many = np.repeat(np.arange(len(event)), weights.astype(int))
    plain = Contribution(np.arange(len(many)), None if days is None else days[many], event[many])
    assert found == pytest.approx(plain.find_value(wanted, np.ones(len(many))), rel=1e-9, nan_ok=True)
    if endpoint == "ORR":
        share = to_scale("ORR", np.array([100.0 * event[many].mean()]), n=100)[0]
        assert found == pytest.approx(share)


def test_a_median_lies_between_the_days_of_events_and_is_not_a_number_where_not_reached() -> None:
    """By hand: survival 0.75 on day 30, 0.25 on day 90, so 0.5 half way between."""
    days = np.array([30.0, 90.0, 90.0, 120.0])
    event = np.array([True, True, True, False])
    half = Contribution(np.arange(4), days, event).find_value(target("mOS"), np.ones(4))
    assert np.exp(half) * MONTH == pytest.approx(60.0)
    early = Contribution(np.arange(4), days, np.array([True, False, False, False]))
    assert np.isnan(early.find_value(target("mOS"), np.ones(4)))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory):
    """Two trials, one of a later line, weighed and run the ordinary way on the same pool."""
    wanted = [
        target("ORR", criterion="RECIST 1.1"),
        target("ORR", criterion="mRECIST"),
        target("OS_12mo"),
        target("mPFS", arm=CONTROL, criterion="mRECIST"),
        target("mOS", arm=CONTROL),
        target("PFS_6mo", criterion="mRECIST"),
        target("ORR", arm=LATER, criterion="RECIST 1.1"),
        target("DCR", arm=LATER, criterion="RECIST 1.1"),
        target("mOS", arm=LATER),
        target("mPFS", arm=LATER, criterion="mRECIST"),
    ]
    trials = tuple(dict.fromkeys(each.trial for each in wanted))
    pool = make_pool({}, find_lines(trials, PATIENTS), size=POOL_EACH * PATIENTS, threads=1, seed=0)
    rows = pl.concat(
        run_members(
            cut_spec(trial, patients=PATIENTS),
            [pool],
            [each.wanted for each in wanted if each.trial == trial],
            threads=1,
        )
        for trial in trials
    )
    wanted = [replace(each, n=int(n)) for each, n in zip(wanted, rows["n"], strict=True)]
    file = tmp_path_factory.mktemp("weighed") / "run.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "make_pool", lambda *_, **__: pool)
        seen = run_weighed(wanted, {}, file, patients=PATIENTS, threads=1)
    return wanted, rows["value"].to_list(), seen, pool, file


def test_with_equal_chances_the_numbers_are_those_of_the_run(ran) -> None:
    """Shares exactly. Curves run straight between the days of events here, and in steps in a run.

    So a share at a time is off by at most what is lost on the next day with events, and a median lies at most
    one step before that of the run: not before the last day on which more than half are left.
    """
    wanted, values, seen, _, _ = ran
    checked = 0
    for each, value, part in zip(wanted, values, seen.parts, strict=True):
        endpoint = each.wanted[2]
        assert part is not None
        found = part.find_value(each, np.full(len(seen.deviates), 0.3))
        if endpoint in {"ORR", "DCR"}:
            assert len(part.event) == each.n
            assert found == pytest.approx(to_scale(endpoint, np.array([value]), n=each.n)[0], rel=1e-12)
            checked += 1
            continue
        known = KaplanMeierFitter().fit(part.days, part.event)
        curve = known.survival_function_["KM_estimate"]
        curve = curve[curve.diff().fillna(0.0) < 0]
        if endpoint.startswith("m"):
            assert np.isfinite(value)
            day = np.exp(found) * MONTH
            before = max([0.0, *curve.index[curve > 0.5 + 1e-9]])
            assert before - 1e-6 <= day <= value * MONTH + 1e-6
            assert curve[curve <= 0.5 + 1e-9].index[0] - 1e-6 <= value * MONTH
        else:
            at = float(endpoint.rpartition("_")[2].removesuffix("mo")) * MONTH
            assert value == pytest.approx(100 * float(known.predict(at)))
            following = curve[curve.index > at]
            low = 100 * float(following.iloc[0]) if len(following) else value
            ends = to_scale(endpoint, np.array([low, value]), n=each.n)
            assert ends[0] - 1e-9 <= found <= ends[1] + 1e-9
        checked += 1
    assert checked == len(wanted)
    shares = [v for e, v in zip(wanted, values, strict=True) if e.wanted[2] in {"ORR", "DCR"}]
    assert any(0 < share < 100 for share in shares)


def test_contributions_are_of_the_patients_whose_deviates_lie_there(ran) -> None:
    """Each row of a part is a patient of the pool who can be enrolled in that line, the first of them."""
    wanted, _, seen, pool, _ = ran
    people = pool.lines[((), 0.0)][0]
    np.testing.assert_allclose(seen.deviates, find_deviates(people), atol=1e-12)
    first = pool.lines[((), 0.0)]
    later = next(line for regimens, line in pool.lines.items() if regimens[0])
    fine = {
        trial: np.searchsorted(people.numbers, own.numbers[flags])
        for trial, (own, _, flags) in (("IMbrave150", first), ("RESORCE", later))
    }
    for each, part in zip(wanted, seen.parts, strict=True):
        assert np.isin(part.patients, fine[each.trial]).all()
        assert len(set(part.patients.tolist())) == len(part.patients)
        assert part.days is None or part.days.min() > 0


def test_what_was_run_is_read_from_its_file_again(ran, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, _, seen, _, file = ran
    assert isinstance(file, Path)

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("run anew")

    monkeypatch.setattr(module, "make_pool", refuse)
    again = run_weighed(wanted, {}, file, patients=PATIENTS)
    np.testing.assert_array_equal(again.deviates, seen.deviates)
    chances = np.exp(-np.abs(seen.deviates[:, 0]))
    np.testing.assert_array_equal(again.find_values(wanted, chances), seen.find_values(wanted, chances))
    more = run_weighed([*wanted, target("mTTP")], {}, file, patients=PATIENTS)
    assert more.parts[-1] is None
    assert np.isnan(more.find_values([*wanted, target("mTTP")], chances)[-1])


LIKED, OTHER = 2, 7
COUNT = 800
SHARES = (target("ORR", criterion="RECIST 1.1", n=500), target("DCR", criterion="RECIST 1.1", n=500))


@pytest.fixture(scope="module")
def made() -> Weighed:
    """Two shares: one is met by who lies high in one deviate, the other by who lies high in another."""
    rng = np.random.default_rng(8)
    deviates = rng.standard_normal((COUNT, len(NAMES)))
    noise = 0.5 * rng.standard_normal((COUNT, 2))
    places = np.arange(COUNT)
    parts = [
        Contribution(places, None, deviates[:, column] + noise[:, k] > level)
        for k, (column, level) in enumerate(((LIKED, 0.8), (OTHER, 0.2)))
    ]
    return Weighed(deviates, tuple(parts))


def misfit(seen: Weighed, log_odds: np.ndarray, data: np.ndarray, error: np.ndarray) -> float:
    """Sum of squares that the fit makes small, written anew."""
    level = find_level(seen.deviates @ log_odds)
    chances = Weighting(NAMES, log_odds, level).find_chances(seen.deviates)
    shares = [chances @ part.event / chances.sum() for part in seen.parts]
    found = [np.log((s * 500 + 0.5) / (500 - s * 500 + 0.5)) for s in shares]
    return float((((found - data) / error) ** 2).sum() + ((log_odds / 0.25) ** 2).sum())


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_weight_moves_to_where_the_data_lie(made: Weighed, sign: float) -> None:
    """Truth: one log odds of ±0.5; the prior draws it in, and leaves the others near zero."""
    truth = np.zeros(len(NAMES))
    truth[LIKED] = 0.5 * sign
    chances = Weighting(NAMES, truth, find_level(made.deviates @ truth)).find_chances(made.deviates)
    centre, data = made.find_values(SHARES, np.ones(COUNT)), made.find_values(SHARES, chances)
    error = np.full(2, 0.03)
    weighting, change = fit_weighting(made, SHARES, centre=centre, data=data, error=error)
    found = weighting.log_odds
    assert sign * change[0] > 0.2
    np.testing.assert_allclose(change, data - centre, atol=2 * error[0])
    assert 0.3 < sign * found[LIKED] < 0.6
    assert np.abs(np.delete(found, LIKED)).max() < 0.1 * abs(found[LIKED]) + 0.05
    chances = weighting.find_chances(made.deviates)
    np.testing.assert_allclose(change, made.find_values(SHARES, chances) - centre, atol=1e-9)
    assert chances.mean() == pytest.approx(MEAN, abs=1e-9)
    assert effective_share(chances) >= MEAN
    least = misfit(made, found, data, error)
    assert least < misfit(made, truth, data, error)
    rng = np.random.default_rng(1)
    for _ in range(10):
        beside = found + 0.05 * rng.standard_normal(len(NAMES))
        assert least < misfit(made, beside, data, error)


def test_where_the_data_agree_already_nothing_is_weighed(made: Weighed) -> None:
    """From a start elsewhere, back to no weighting: data and prior both ask for it."""
    centre = made.find_values(SHARES, np.ones(COUNT))
    away = np.where(np.arange(len(NAMES)) == LIKED, 0.4, -0.1)
    near = Weighting(NAMES, away, find_level(made.deviates @ away))
    weighting, change = fit_weighting(
        made, SHARES, centre=centre, data=centre, error=np.full(2, 0.03), near=near
    )
    assert np.abs(weighting.log_odds).max() < 0.01
    assert np.abs(change).max() < 0.01
    assert weighting.level == pytest.approx(np.log(MEAN), abs=0.02)


def test_what_the_ensemble_gives_already_is_not_asked_of_the_weighting(made: Weighed) -> None:
    """The centre counts, not the run: where it agrees with the data, the run's own may lie elsewhere."""
    data = made.find_values(SHARES, np.ones(COUNT)) + np.array([0.7, -0.4])
    weighting, _ = fit_weighting(made, SHARES, centre=data, data=data, error=np.full(2, 0.03))
    assert np.abs(weighting.log_odds).max() < 1e-6


def test_numbers_that_are_not_used_move_nothing(made: Weighed) -> None:
    centre = made.find_values(SHARES, np.ones(COUNT))
    data, error = centre + np.array([0.5, -0.5]), np.full(2, 0.03)
    first, _ = fit_weighting(made, SHARES, centre=centre, data=data, error=error, used=[0])
    second, _ = fit_weighting(made, SHARES, centre=centre, data=data, error=error, used=[1])
    both, _ = fit_weighting(made, SHARES, centre=centre, data=data, error=error)
    assert first.log_odds[LIKED] > 0.3
    assert abs(first.log_odds[OTHER]) < 0.1
    assert second.log_odds[OTHER] < -0.3
    assert abs(second.log_odds[LIKED]) < 0.1
    assert both.log_odds[LIKED] > 0.3
    assert both.log_odds[OTHER] < -0.3


def test_a_number_without_contributions_changes_by_nothing(made: Weighed) -> None:
    """A hazard ratio cannot be weighed: it stays, and the others are fitted."""
    seen = Weighed(made.deviates, (*made.parts, None))
    three = (*SHARES, target("HR_OS"))
    plain = seen.find_values(three, np.ones(COUNT))
    assert np.isnan(plain[2])
    centre = np.append(plain[:2], 0.0)
    data = centre + np.array([0.4, 0.0, 3.0])
    weighting, change = fit_weighting(seen, three, centre=centre, data=data, error=np.full(3, 0.05))
    assert change[2] == 0.0
    assert change[0] == pytest.approx(0.4, abs=0.1)
    assert weighting.log_odds[LIKED] > 0.2
