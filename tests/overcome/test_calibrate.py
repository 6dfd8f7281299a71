"""Calibration: known answers are found again, pieces resume, left-out programmes are weighed as they should.

A linear function stands for the trials here; `benchmarks/bench_calibration.py` does it with trials.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import genpareto

from hccresist.errors import ConfigError
from hccresist.overcome import calibrate as calibration
from hccresist.overcome import calibrate_data as data
from hccresist.overcome import calibrate_emulator as emulators
from hccresist.overcome import calibrate_lopo as lopo
from hccresist.overcome import calibrate_scores as scores
from hccresist.overcome.calibrate_run import Work, make_outputs
from hccresist.overcome.dosing import read_drugs
from hccresist.overcome.model.parameters import read_model

TARGETS = data.read_fit_targets()


def test_what_is_fitted_keeps_to_the_rules() -> None:
    """Issue 6: at most 40 parameters in all, two a drug, none of a trial."""
    fitted = data.read_fitted()
    known = {parameter.name for parameter in read_model().parameters}
    assert len(fitted) <= data.MOST_FITTED
    assert len({each.name for each in fitted}) == len(fitted)
    for drug in read_drugs():
        assert sum(each.drug == drug for each in fitted) <= data.MOST_A_DRUG
    assert {each.name for each in fitted if not each.drug} <= known
    assert not {each.name for each in fitted if each.name.startswith("h_")}


def test_every_fitted_target_has_a_trial_and_an_error() -> None:
    """All rows of use `fit` are there but those of the one arm whose dose no source gives."""
    rows = data.read_targets().filter(pl.col("use") == "fit")
    missing = set(rows["key"]) - {target.key for target in TARGETS}
    assert {key.split(":")[1] for key in missing} == {"S22_T"}
    assert all(0 < target.error < 2 for target in TARGETS)


def test_held_out_trials_are_not_fitted() -> None:
    """What is kept for prediction (arms without efficacy rows) has no target."""
    trials = {target.trial for target in TARGETS}
    assert not trials & {"CARES-310", "CheckMate-9DW", "LEAP-012", "COSMIC-312"}


@given(st.floats(0.5, 99.5), st.integers(20, 500))
def test_the_scale_of_percentages_can_be_undone(percent: float, n: int) -> None:
    target = next(each for each in TARGETS if each.unit == "percent")
    own = replace(target, value=percent, n=n)
    assert scores.from_scale(own, own.centre) == pytest.approx(percent, abs=1e-6)


@pytest.fixture
def linear(monkeypatch):
    """Trials that answer linearly: each number follows two parameters; counts how often they are run."""
    rng = np.random.default_rng(5)
    slope = rng.normal(size=(len(data.read_fitted()), len(TARGETS))) * 0.4
    base = np.array([target.centre for target in TARGETS])
    calls = []

    def answer(members):
        prior = data.read_fitted()
        centre = np.array([each.centre for each in prior])
        spread = np.array([each.spread for each in prior])
        return base + (members - centre) / spread @ slope

    def run_all(work, sets, folder, *, replicates, until=None, **_):
        folder.mkdir(parents=True, exist_ok=True)
        if until and until():
            return None
        calls.append((folder.name, tuple(replicates)))
        members = np.array(
            [[data.forward(p.scale, values[p.name]) for p in data.read_fitted()] for values in sets]
        )
        chance = np.array(
            [np.random.default_rng(r).normal(size=len(TARGETS)) for r in replicates]
        ) * calibration.sampling_of(TARGETS, work.patients)
        rows = pl.DataFrame({"member": range(len(sets)), "answer": (answer(members) + chance).tolist()})
        rows.write_parquet(folder / "00000.parquet")
        return rows

    monkeypatch.setattr(calibration, "run_all", run_all)
    place = {target.key: j for j, target in enumerate(TARGETS)}

    def outputs(work, rows, n):
        return np.array(rows["answer"].to_list())[:, [place[target.key] for target in work.targets]]

    monkeypatch.setattr(calibration, "make_outputs", outputs)
    return answer, calls


def test_known_parameters_are_found_again(linear, tmp_path) -> None:
    """Numbers made from known parameters: these lie in the 90 % intervals as often as such intervals say."""
    answer, calls = linear
    prior = data.read_fitted()
    rng = np.random.default_rng(11)
    truth = np.array([each.centre + each.spread * rng.normal() for each in prior])
    values = answer(truth[None])[0]
    error = np.array([target.error for target in TARGETS])
    seen = values + 0.3 * error * rng.normal(size=len(values))
    made = tuple(
        replace(target, value=scores.from_scale(target, float(value)))
        for target, value in zip(TARGETS, seen, strict=True)
    )
    done = calibration.calibrate(tmp_path / "c", members=60, design=200, targets=made)
    assert done.finished
    assert [len(replicates) for _, replicates in calls] == [200, 120, 60]
    used = [number for _, replicates in calls for number in replicates]
    assert len(set(used)) == len(used)  # each set has patients of its own
    low, high = np.quantile(done.members, [0.05, 0.95], axis=0)
    assert 0.7 <= ((low <= truth) & (truth <= high)).mean() <= 1.0
    spread = np.array([each.spread for each in prior])
    before = np.abs(truth - np.array([each.centre for each in prior])) / spread
    after = np.abs(truth - done.members.mean(axis=0)) / spread
    assert after.mean() < 0.6 * before.mean()


def test_an_interrupted_calibration_goes_on(linear, tmp_path) -> None:
    whole = calibration.calibrate(tmp_path / "whole", members=30)
    stopped = calibration.calibrate(tmp_path / "parts", members=30, minutes=-1.0)
    assert not stopped.finished
    done = calibration.calibrate(tmp_path / "parts", members=30)
    assert done.finished
    np.testing.assert_array_equal(done.members, whole.members)


def test_runs_of_the_prior_are_taken_over_where_they_are_the_same(linear, tmp_path) -> None:
    _, calls = linear
    calibration.calibrate(tmp_path / "a", members=10, design=40)
    programme = TARGETS[0].programme
    own = calibration.calibrate(tmp_path / "b", members=10, design=40, leave_out=programme)
    calls.clear()
    taken = calibration.calibrate(
        tmp_path / "c", members=12, design=40, leave_out=programme, prior_runs=tmp_path / "a"
    )
    assert (tmp_path / "c" / "step_00.csv").read_bytes() == (tmp_path / "a" / "step_00.csv").read_bytes()
    assert (tmp_path / "c" / "step_00" / "00000.parquet").is_file()
    assert taken.finished
    assert own.finished
    with pytest.raises(ConfigError, match="differs in design"):
        calibration.calibrate(tmp_path / "d", members=12, design=41, prior_runs=tmp_path / "a")
    assert not (tmp_path / "d").exists()
    with pytest.raises(ConfigError, match="no calibration whose runs"):
        calibration.calibrate(tmp_path / "d", members=12, prior_runs=tmp_path / "nowhere")


def test_another_calibration_is_not_mixed_in(linear, tmp_path) -> None:
    calibration.calibrate(tmp_path / "c", members=12, design=20)
    with pytest.raises(ConfigError, match="other settings"):
        calibration.calibrate(tmp_path / "c", members=13)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="not empty"):
        calibration.calibrate(tmp_path / "full", members=12)
    with pytest.raises(ConfigError, match="no programme"):
        calibration.calibrate(tmp_path / "d", leave_out="nowhere")


def test_a_programme_that_is_left_out_is_not_among_the_targets() -> None:
    for programme in {target.programme for target in TARGETS}:
        kept = calibration.choose_targets(programme)
        assert len(kept) < len(TARGETS)
        assert programme not in {target.programme for target in kept}


def test_what_a_member_lacks_comes_from_the_others() -> None:
    outputs = np.array([[1.0, 2.0], [3.0, np.nan], [np.nan, np.nan]])
    filled = calibration.fill(outputs)
    np.testing.assert_array_equal(filled[:2], [[1.0, 2.0], [3.0, 2.0]])
    assert np.isnan(filled[2]).all()


def test_a_median_that_is_not_reached_stands_as_the_longest_follow_up() -> None:
    target = next(each for each in TARGETS if each.wanted[2] == "mOS")
    arm, other, endpoint, criterion = target.wanted
    rows = pl.DataFrame(
        {
            "member": [0, 1],
            "arm_id": [arm] * 2,
            "comparator_arm": pl.Series([other] * 2, dtype=pl.String),
            "endpoint": [endpoint] * 2,
            "criterion": pl.Series([criterion] * 2, dtype=pl.String),
            "value": [np.inf, 10.0],
            "n": [50, 50],
        }
    )
    found = make_outputs(Work((target,), 50), rows, 3)
    longest = data.cut_spec(target.trial, patients=50).follow_up.longest / 30.4375
    np.testing.assert_allclose(found[:2, 0], np.log([longest, 10.0]), rtol=1e-3)
    assert np.isnan(found[2, 0])


@pytest.mark.parametrize("k", [0.1, 0.5, 0.9])
def test_the_tail_of_a_known_pareto_distribution_is_found(k) -> None:
    """scipy draws the sample; the shape is found within its standard error of about (1 + k) / sqrt(n)."""
    values = np.sort(genpareto.rvs(k, scale=2.0, size=4000, random_state=3))
    found, sigma = lopo.fit_pareto(values)
    assert found == pytest.approx(k, abs=4 * (1 + k) / np.sqrt(4000))
    assert sigma == pytest.approx(2.0, rel=0.15)


def test_equal_weights_stay_equal() -> None:
    weights, k = lopo.smooth_weights(np.zeros(100))
    np.testing.assert_allclose(weights, 0.01)
    assert k < lopo.MOST_K


def test_weights_leave_out_what_was_fitted() -> None:
    """Gaussian case: weighting draws of the posterior from two numbers by one over the likelihood of the
    second gives the mean of the posterior from the first alone."""
    rng = np.random.default_rng(0)
    draws = rng.normal(0.6667, np.sqrt(1 / 3), size=(40_000, 1))  # prior N(0,1), two numbers of 1.0 with sd 1
    outputs = np.concatenate([draws, draws], axis=1)
    weights, k = lopo.leave_out_weights(outputs, np.ones(2), np.ones(2), left=[1])
    assert k < lopo.MOST_K
    assert (weights * draws[:, 0]).sum() == pytest.approx(0.5, abs=0.02)


def test_the_emulator_of_a_linear_function_is_that_function() -> None:
    rng = np.random.default_rng(2)
    slope, base = rng.normal(size=(3, 6)), rng.normal(size=6)
    points = 1.0 + 2.0 * rng.normal(size=(600, 3))
    outputs = base + (points - 1.0) / 2.0 @ slope + 0.3 * rng.normal(size=(600, 6))
    emulator = emulators.fit_emulator(
        points, outputs, centre=np.ones(3), spread=np.full(3, 2.0), near=points[:50]
    )
    np.testing.assert_allclose(emulator.slope, slope, atol=0.06)
    np.testing.assert_allclose(emulator.base, base, atol=0.06)
    np.testing.assert_allclose(emulator.give(points[:5]), base + (points[:5] - 1.0) / 2.0 @ slope, atol=0.15)


def test_the_class_average_knows_nothing_of_the_arm_itself() -> None:
    """Changing an arm's own numbers changes its naive prediction by nothing."""
    before = scores.predict_by_class(TARGETS)
    moved = tuple(replace(t, value=t.value * 1.5) if j == 7 else t for j, t in enumerate(TARGETS))
    after = scores.predict_by_class(moved)
    assert after[0, 7] == before[0, 7]
    assert not np.array_equal(after[0], before[0])


def test_each_arm_weighs_one() -> None:
    table = pl.DataFrame(
        {
            "family": ["survival"] * 3,
            "arm_id": ["a", "a", "b"],
            "inside": [True, False, True],
            "width_ratio": [1.0, 1.0, 3.0],
            "score": [1.0, 1.0, 3.0],
            "naive_score": [2.0, 2.0, 2.0],
        }
    )
    row = scores.summarise_fit(table, "family").row(0, named=True)
    assert (row["coverage"], row["score"], row["targets"], row["arms"]) == (0.75, 2.0, 3, 2)
