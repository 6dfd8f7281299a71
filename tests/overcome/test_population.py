"""Virtual patients: drawn as the tables say, the same whatever is drawn beside them."""

import numpy as np
import pytest

from hccresist.errors import ConfigError
from hccresist.overcome.model.parameters import read_handles, read_model
from hccresist.overcome.population import (
    SLOTS,
    draw_population,
    find_handle_values,
    read_prevalence,
    read_traits,
)

MANY = np.arange(4000)


@pytest.fixture(scope="module")
def people():
    return draw_population(MANY, mixed=True, seed=3)


def test_a_patient_does_not_depend_on_the_others(people) -> None:
    few = draw_population(np.array([3999, 7]), mixed=True, seed=3)
    np.testing.assert_array_equal(few.params, people.params[[3999, 7]])
    np.testing.assert_array_equal(few.diameters, people.diameters[[3999, 7]])
    np.testing.assert_array_equal(few.thresholds, people.thresholds[[3999, 7]])
    assert not np.array_equal(draw_population(np.array([7]), seed=4).params, people.params[[7]])


def test_medians_and_spreads_are_those_of_the_table(people) -> None:
    """Numbers of parameters.csv; standard error of a median of 4,000 is about 0.02 spreads."""
    model = read_model()
    for parameter in model.parameters:
        if parameter.distribution != "lognormal" or parameter.scope != "patient":
            continue
        drawn = np.log(people.params[:, model.names("patient").index(parameter.name)])
        assert np.median(drawn) == pytest.approx(np.log(parameter.value), abs=0.1 * parameter.spread)
        assert drawn.std() == pytest.approx(parameter.spread, rel=0.06)


def test_traits_have_the_shares_of_the_table(people) -> None:
    for name in ("male", "mvi", "ehs", "ecog1"):
        assert people.traits[name].mean() == pytest.approx(read_traits()[name].number, abs=0.03)
    weights = [float(part) for part in read_traits()["lesions"].value.split(";")]
    counts = np.bincount(people.lesions, minlength=6)[1:] / len(MANY)
    np.testing.assert_allclose(counts, weights, atol=0.03)
    shown = people.diameters > 0
    np.testing.assert_array_equal(shown.sum(axis=1), people.lesions)
    assert (np.diff(people.diameters, axis=1) <= 0).all()


def test_handles_are_on_in_their_share(people) -> None:
    model = read_model()
    for handle in read_handles():
        name = handle.parameters[0]
        patient, lesion = model.names("patient"), model.names("lesion")
        at = patient.index(name) if name in patient else len(patient) + lesion.index(name)
        if handle.handle == "aetiology":
            continue
        share = read_prevalence().get(handle.handle, 0.0)
        assert (people.params[:, at] > 0).mean() == pytest.approx(share, abs=0.03)


def test_a_handle_that_is_named_is_the_same_in_all() -> None:
    found = draw_population(np.arange(50), handles={"abc": 2.0, "exclusion": 0.0}, mixed=True, seed=1)
    model = read_model()
    typical = next(handle.typical for handle in read_handles() if handle.handle == "abc")
    assert (found.params[:, model.names("patient").index("h_abc")] == 2 * typical).all()
    at = len(model.names("patient")) + model.names("lesion").index("h_exclusion")
    assert (found.params[:, at :: len(model.names("lesion"))] == 0).all()
    assert found.params[:, at :: len(model.names("lesion"))].shape[1] == SLOTS


def test_handle_names_of_all_kinds() -> None:
    assert (
        find_handle_values({"ABC": 1.0})
        == find_handle_values({"abc-g2": 1.0})
        == find_handle_values({"h_abc": 1})
    )
    with pytest.raises(ConfigError) as told:
        find_handle_values({"IMM": 1.0, "efflux": 1.0, "abc": -1.0})
    for part in ("one of several", "no handle 'efflux'", "-1"):
        assert part in str(told.value)


def test_unknown_parameters_are_refused() -> None:
    with pytest.raises(ConfigError, match="nothing_such"):
        draw_population(np.arange(2), values={"nothing_such": 1.0})
