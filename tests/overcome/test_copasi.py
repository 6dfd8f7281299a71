"""The exported SBML run by COPASI (python-copasi, Artistic-2.0, tests only), and its validity by libSBML."""

from __future__ import annotations

import locale

import numpy as np
import pytest

from hccresist.overcome.model.export import write_sbml
from hccresist.overcome.model.patients import make_drugs, make_parameters, run_patient, start_state

pytest.importorskip("antimony", reason="extra 'model' is not installed")

VISITS = np.arange(0.0, 729.0, 56.0)
CHECKPOINT = {"block_pdl1": 0.99, "block_vegf": 0.98}
TABLET = {
    "inhibit_vegfr": 5.0,
    "inhibit_fgfr": 2.0,
    "dose_kill": 1.2,
    "efflux_affinity": 0.5,
    "toxicity": 1.0,
}
HOLD = 336.0
"""Day on which treatment changes: the tablet stops, the checkpoint inhibitor starts."""
PATIENTS = {
    "plain": ({}, {"tolerant": 0.0}),
    "mechanisms": ({"h_abc": 1.0, "h_bypass": 1.0, "h_autophagy": 0.5, "h_stem": 0.5}, {"tolerant": 0.02}),
    "immune": ({"h_exclusion": 2.0, "h_mdsc": 1.0, "h_presentation": 1e-3}, {"escaped": 0.02}),
}


@pytest.fixture(autouse=True)
def _own_locale():
    """COPASI sets the locale of the whole process to C, and with it the encoding of every later file."""
    before = locale.setlocale(locale.LC_ALL)
    yield
    locale.setlocale(locale.LC_ALL, before)


def make(values, shares):
    params = make_parameters(2, values=values)
    return params, start_state(params, [60.0, 25.0], **shares)


def by_copasi(sbml: str, segments) -> np.ndarray:
    """Whole diameters at the visits of segments (days, drug effects), by COPASI's LSODA."""
    copasi = pytest.importorskip("COPASI", reason="python-copasi is not installed")
    model = copasi.CRootContainer.addDatamodel()
    assert model.importSBMLFromString(sbml)
    values = {
        v.getSBMLId(): v
        for v in (model.getModel().getModelValue(i) for i in range(model.getModel().getNumModelValues()))
    }
    rows, changed = [], [values[name] for name in sorted({*CHECKPOINT, *TABLET})]
    for days, effects in segments:
        for name in {*CHECKPOINT, *TABLET}:
            values[name].setInitialValue(effects.get(name, 0.0))
        start_from(copasi, model, changed)
        found = run_copasi(copasi, model, values, days=days)
        rows += found if not rows else found[1:]
        states = [v for v in values.values() if v.getStatus() == copasi.CModelEntity.Status_ODE]
        for value in states:
            value.setInitialValue(value.getValue())
        changed += states
    copasi.CRootContainer.removeDatamodel(model)
    return np.array(rows)


def start_from(copasi, model, changed) -> None:
    """Let everything that follows from changed initial values follow."""
    references = copasi.ObjectStdVector()
    for value in changed:
        references.push_back(value.getInitialValueReference())
    model.getModel().updateInitialValues(references)


def run_copasi(copasi, model, values, *, days):
    """One segment from its initial values: whole diameters every 56 days."""
    task = model.getTask("Time-Course")
    task.setMethodType(copasi.CTaskEnum.Method_deterministic)
    problem = task.getProblem()
    problem.setStepNumber(round(days / 56))
    problem.setDuration(days)
    problem.setTimeSeriesRequested(True)
    for name, value in (("Relative Tolerance", 1e-9), ("Absolute Tolerance", 1e-12)):
        task.getMethod().getParameter(name).setDblValue(value)
    assert task.process(True), copasi.CCopasiMessage.getAllMessageText()
    series = task.getTimeSeries()
    places = {series.getTitle(j): j for j in range(series.getNumVariables())}
    names = [f"Values[{values[f'whole_mm_{i}'].getObjectName()}]" for i in (1, 2)]
    columns = [places[name] if name in places else places[name[7:-1]] for name in names]
    return [[series.getConcentrationData(k, j) for j in columns] for k in range(series.getRecordedSteps())]


@pytest.mark.parametrize(("values", "shares"), PATIENTS.values(), ids=PATIENTS)
@pytest.mark.parametrize("first", [TABLET, {}], ids=["tablet-then-antibodies", "untreated-then-antibodies"])
def test_copasi_agrees_with_the_kernel(values, shares, first) -> None:
    """Whole diameters within 1e-4 of baseline over two years, in two segments of constant drug effects."""
    pytest.importorskip("COPASI", reason="python-copasi is not installed")
    params, state = make(values, shares)
    theirs = by_copasi(write_sbml(params, state), [(HOLD, first), (728.0 - HOLD, CHECKPOINT)])
    before, after = VISITS[VISITS <= HOLD], VISITS[VISITS >= HOLD]
    one = run_patient(state, params, before, drugs=make_drugs(first, intervals=before.size - 1))
    two = run_patient(one.path[-1], params, after, drugs=make_drugs(CHECKPOINT, intervals=after.size - 1))
    for lesion in range(2):
        ours = np.concatenate(
            [one.output("whole_mm", lesion=lesion), two.output("whole_mm", lesion=lesion)[1:]]
        )
        assert np.abs(ours - theirs[:, lesion]).max() < 1e-4 * ours[0]


def test_the_sbml_is_valid() -> None:
    """libSBML finds neither an error nor a warning but those on units, which the export does not declare."""
    libsbml = pytest.importorskip("libsbml", reason="python-libsbml is not installed")
    document = libsbml.readSBMLFromString(write_sbml(*make(*PATIENTS["mechanisms"])))
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_UNITS_CONSISTENCY, False)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    document.checkConsistency()
    told = [document.getError(i).getMessage() for i in range(document.getNumErrors())]
    assert told == []
    assert document.getLevel() == 3
    names = {document.getModel().getRule(i).getVariable() for i in range(document.getModel().getNumRules())}
    assert {"sensitive_1", "sensitive_2", "whole_mm_2", "liver"} <= names
