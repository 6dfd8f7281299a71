"""The shipped calibration: complete, of the present model, and shown as it is."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hccresist.outcomes.published import read_trials
from hccresist.outcomes.targets import read_targets
from hccresist.overcome.calibrate_data import backward, read_fit_targets, read_fitted
from hccresist.overcome.calibrate_scores import summarise_fit
from hccresist.overcome.dosing import ENROLLED
from hccresist.overcome.ensemble_file import find_ensemble, write_ensemble
from hccresist.overcome.population import draw_population
from hccresist.overcome.prevalence_weights import (
    LEVEL,
    MEAN,
    effective_share,
    find_deviates,
    find_features,
    read_weighting,
)

FOLDER = files("hccresist") / "data" / "overcome" / "calibration"
PAGES = Path(__file__).parents[2] / "docs" / "explanation"


def read(name: str) -> pl.DataFrame:
    with (FOLDER / f"{name}.csv").open("rb") as file:
        return pl.read_csv(file, infer_schema_length=None)


@pytest.fixture(scope="module")
def ensemble():
    found = find_ensemble()
    assert found is not None
    return found


def test_the_ensemble_is_of_the_present_model(ensemble) -> None:
    """Equations or tables that have changed since ask for `hccresist calibrate` again."""
    assert ensemble.is_current


def test_the_ensemble_holds_the_fitted_parameters_and_nothing_else(ensemble) -> None:
    names = [fitted.name for fitted in read_fitted()]
    odds = [f"{ENROLLED}{name}" for name in (*(one.name for one in find_features()), LEVEL)]
    assert all(list(member) == [*names, *odds] for member in ensemble.members)
    assert len(ensemble.members) >= 40
    for fitted in read_fitted():
        values = np.array([member[fitted.name] for member in ensemble.members])
        assert (values > 0).all()
        middle = backward(fitted.scale, fitted.centre)
        assert values.min() < ensemble.centre[fitted.name] < values.max()
        assert 0.05 < ensemble.centre[fitted.name] / middle < 20


def test_one_weighting_keeps_a_third_of_the_population_at_least(ensemble) -> None:
    """The same odds in every set; effective share of 4,000 patients no fit has seen as told, and 30 %."""
    weightings = [read_weighting(member) for member in ensemble.members]
    assert all(one is not None for one in weightings)
    assert len({tuple(one.as_values().values()) for one in weightings}) == 1
    others = draw_population(np.arange(10**6, 10**6 + 4000), mixed=True)
    chances = weightings[0].find_chances(find_deviates(others))
    assert chances.mean() == pytest.approx(MEAN, abs=0.02)
    assert effective_share(chances) == pytest.approx(ensemble.facts["effective_share"], abs=0.05)
    assert ensemble.facts["effective_share"] >= 0.3


def test_every_target_is_reported_in_and_out_of_sample() -> None:
    keys = sorted(target.key for target in read_fit_targets())
    for name in ("fit", "fit_bare", "out_of_sample"):
        assert sorted(read(name)["key"]) == keys


def test_published_numbers_of_the_report_are_those_of_the_table() -> None:
    """The report's observed values and limits are the shipped targets', to the four digits it has."""
    table = read("fit").join(read_targets().select("key", "value", "low90", "high90"), on="key")
    for ours, theirs in (("observed", "value"), ("observed_low", "low90"), ("observed_high", "high90")):
        both = table.drop_nulls([ours, theirs])
        np.testing.assert_allclose(both[ours].to_numpy(), both[theirs].to_numpy(), rtol=1e-3)


def test_coverage_is_counted_from_the_intervals() -> None:
    """Coverage counted anew from limits as printed; edges may fall either way by rounding."""
    table = read("fit")
    again = table.with_columns(inside=pl.col("observed").is_between("simulated_low", "simulated_high"))
    told, counted = summarise_fit(table, "family"), summarise_fit(again, "family")
    np.testing.assert_allclose(told["coverage"].to_numpy(), counted["coverage"].to_numpy(), atol=0.05)


def test_no_held_out_arm_is_in_the_fit_and_all_are_predicted() -> None:
    have = set(read_trials("endpoints_long")["arm_id"])
    predicted = set(read("predictions")["arm_id"])
    assert not predicted & have
    assert not predicted & set(read("fit")["arm_id"])
    assert {"CARES310_camriv", "REACH2_ramucirumab", "CM9DW_nivoipi", "HIMALAYA_stride"} <= predicted


@pytest.mark.parametrize("name", ["calibration", "predictions"])
def test_pages_say_what_they_are_not(name) -> None:
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert "Research only" in text
    assert "assumption" in text or "do not hold" in text


def test_what_is_written_is_read_again(ensemble, tmp_path) -> None:
    write_ensemble(tmp_path, ensemble.members, {"at_prior": []})
    rows = pl.read_csv(tmp_path / "ensemble.csv")
    for k, member in enumerate(ensemble.members):
        for name, value in member.items():
            assert rows[name][k] == pytest.approx(value, rel=1e-5)
