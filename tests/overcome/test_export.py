"""The exported model, run by others' code (antimony 3.3, libRoadRunner 2.10), against the kernel."""

from __future__ import annotations

import numpy as np
import pytest

from hccresist.errors import ConfigError
from hccresist.overcome.model.export import write_antimony, write_sbml
from hccresist.overcome.model.patients import make_drugs, make_parameters, run_patient, start_state

HANDLES = {"h_mutation": 1e-4, "h_autophagy": 0.5, "h_upr": 0.5, "h_bypass": 1.0, "h_abc": 1.0}
DAYS = 728
VISITS = 14
TREATED = {"block_pd1": 0.9, "block_pdl1": 0.2, "block_ctla4": 0.3, "deplete_treg": 0.3, "block_vegf": 0.8}
TREATED |= {
    "inhibit_vegfr": 2.0,
    "inhibit_fgfr": 0.4,
    "inhibit_met": 0.2,
    "dose_kill": 1.2,
    "dose_ferro": 0.5,
}
TREATED |= {"efflux_affinity": 0.5, "toxicity": 1.0}


@pytest.fixture(scope="module")
def two():
    """A patient with two lesions, several mechanisms and all four clones."""
    params = make_parameters(2, values=HANDLES, each=[{}, {"necrosis_core": 0.1, "h_exclusion": 2.0}])
    return params, start_state(params, [60.0, 25.0], tolerant=0.01, escaped=0.02)


@pytest.fixture(scope="module")
def runner(two):
    """The patient's SBML in libRoadRunner (compiled once: that takes most of the time)."""
    pytest.importorskip("antimony", reason="extra 'model' is not installed")
    roadrunner = pytest.importorskip("roadrunner", reason="extra 'model' is not installed")
    loaded = roadrunner.RoadRunner(write_sbml(*two, effects=TREATED))
    loaded.integrator.relative_tolerance = 1e-9
    loaded.integrator.absolute_tolerance = 1e-12
    return loaded


@pytest.mark.parametrize("effects", [TREATED, {}], ids=["treated", "untreated"])
def test_libroadrunner_agrees_with_the_kernel(two, runner, effects) -> None:
    """Whole and viable diameters within 1e-4 of the baseline diameter, at every visit of two years."""
    runner.reset()
    for name in TREATED:
        runner[name] = effects.get(name, 0.0)
    names = [f"{name}_{i}" for i in (1, 2) for name in ("whole_mm", "viable_mm")]
    shared = ["blood_effector", "liver", "afp", "hazard_death", "hazard_new"]
    theirs = runner.simulate(0, DAYS, VISITS + 1, ["time", *names, *shared])
    times = np.linspace(0, DAYS, VISITS + 1)
    ours = run_patient(two[1], two[0], times, drugs=make_drugs(effects, intervals=VISITS))
    for column, name in enumerate(names, start=1):
        lesion = int(name[-1]) - 1
        baseline = ours.output("whole_mm", lesion=lesion)[0]
        mine = ours.output(name[:-2], lesion=lesion)
        assert np.abs(theirs[:, column] - mine).max() < 1e-4 * baseline
    for column, name in enumerate(shared, start=1 + len(names)):
        assert theirs[:, column] == pytest.approx(ours.state(name), rel=1e-4, abs=1e-8)


def test_sbml_is_level_3_and_has_every_lesion(two) -> None:
    pytest.importorskip("antimony", reason="extra 'model' is not installed")
    text = write_sbml(*two)
    assert 'level="3"' in text
    assert 'id="sensitive_2"' in text
    assert 'id="sensitive_3"' not in text


def test_an_unknown_drug_effect_and_arrays_that_do_not_fit_are_refused(two) -> None:
    params, state = two
    with pytest.raises(ConfigError, match="no drug effect: block_all"):
        write_antimony(params, state, effects={"block_all": 1.0})
    with pytest.raises(ConfigError, match="not of one patient"):
        write_antimony(make_parameters(1), state)
