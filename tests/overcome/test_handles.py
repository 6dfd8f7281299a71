"""Each handle lowers the response to the drugs it is known for: directions; magnitudes are not calibrated."""

from __future__ import annotations

import numpy as np
import pytest

from hccresist.overcome.dosing import find_regimen, make_doses, make_treatment, read_drugs
from hccresist.overcome.model.parameters import read_handles
from hccresist.overcome.model.patients import make_drugs, make_parameters, run_patient, start_state
from hccresist.overcome.pk import find_course

DAYS = [0.0, 84.0, 168.0]
CLASSES = {"anti-PD-1/PD-L1": "pembrolizumab", "anti-PD-1": "pembrolizumab", "anti-PD-L1": "atezolizumab"}
RESPONDER = {"expansion_rate": 0.05}
"""A patient whose T cells divide fast enough to respond to checkpoint inhibitors."""
SEEN_ELSEWHERE = {"emt": "new lesions", "oedema": "size without cells"}
PAIRS = [(h, d) for h in read_handles() for d in h.drugs if h.handle not in SEEN_ELSEWHERE]


def give(name: str | None):
    """A standard treatment of 24 weeks."""
    if name is None:
        return make_treatment({}, DAYS)
    drug, doses = read_drugs()[name], make_doses(find_regimen(name), until=168.0)
    return make_treatment({name: find_course(drug.kinetics, doses, until=168.0, fast=True)}, DAYS)


def follow(values, name, *, escaped=0.0):
    """The run of one lesion of 50 mm, and where in it the asked days are."""
    params = make_parameters(1, values=RESPONDER | values)
    treatment = give(name)
    state = start_state(params, [50.0], escaped=escaped)
    return run_patient(state, params, treatment.times, drugs=treatment.drugs), list(treatment.asked)


def change(values, name, *, escaped=0.0):
    """Logarithm of the change of tumour cells over 24 weeks."""
    run, asked = follow(values, name, escaped=escaped)
    cells = run.output("cells_ml", lesion=0)[asked]
    return np.log(cells[-1] / cells[0])


@pytest.mark.parametrize(("handle", "drug"), PAIRS, ids=[f"{h.handle}-{d}" for h, d in PAIRS])
def test_a_handle_lowers_the_response_to_the_drugs_it_is_known_for(handle, drug) -> None:
    """Beyond what it does to growth without treatment."""
    name, on = CLASSES.get(drug, drug), {handle.parameters[0]: handle.typical}
    escaped = 0.2 if handle.handle == "nk" else 0.0
    lost = change(on, name, escaped=escaped) - change({}, name, escaped=escaped)
    anyway = change(on, None, escaped=escaped) - change({}, None, escaped=escaped)
    assert lost - anyway > 0.001


@pytest.mark.parametrize(
    "handle", ["ferroptosis", "abc", "apoptosis", "autophagy", "bypass", "mutation", "tolerance"]
)
def test_a_handle_of_kinase_inhibitors_leaves_a_checkpoint_inhibitor_alone(handle) -> None:
    """Below a hundredth of the change of cells under pembrolizumab."""
    found = next(h for h in read_handles() if h.handle == handle)
    off = change({}, "pembrolizumab")
    assert abs(change({found.parameters[0]: found.typical}, "pembrolizumab") - off) < 0.01 * abs(off)


def test_ferroptosis_defence_is_no_matter_to_a_drug_that_does_not_induce_it() -> None:
    assert change({"h_ferroptosis": 2.0}, "lenvatinib") == pytest.approx(change({}, "lenvatinib"), abs=1e-6)


def test_invasion_brings_new_lesions_and_not_larger_ones() -> None:
    off, asked = follow({}, "sorafenib")
    on, _ = follow({"h_emt": 3.0}, "sorafenib")
    assert on.state("hazard_new")[-1] > 3 * off.state("hazard_new")[-1]
    sizes = [run.output("whole_mm", lesion=0)[asked[-1]] for run in (on, off)]
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-3)


def test_oedema_makes_the_lesion_larger_and_not_its_cells() -> None:
    """Growth that is infiltrate is told apart from growth of the tumour."""
    off, asked = follow({}, "pembrolizumab")
    on, _ = follow({"h_oedema": 3.0}, "pembrolizumab")
    larger = on.output("whole_mm", lesion=0)[asked[1]] - off.output("whole_mm", lesion=0)[asked[1]]
    cells = [run.output("cells_ml", lesion=0)[asked[1]] for run in (on, off)]
    assert larger > 1.0
    assert cells[0] <= cells[1] * 1.05


def follow_vessels() -> tuple[float, float]:
    """Vascular capacity after seven days of full block, and after seven days without it, to that before."""
    params = make_parameters(1)
    state = start_state(params, [50.0])
    on = run_patient(state, params, [0.0, 7.0], drugs=make_drugs({"inhibit_vegfr": 50.0}))
    off = run_patient(on.path[-1], params, [0.0, 7.0])
    start, low = on.state("capacity", lesion=0)
    return low / start, off.state("capacity", lesion=0)[-1] / start


def test_vessels_are_back_a_week_after_stopping() -> None:
    """Full revascularisation within 7 days (mice, Mancuso 2006)."""
    low, back = follow_vessels()
    assert low < 0.8
    assert back > 0.85


def test_vessels_are_lost_within_a_week_of_block() -> None:
    """50 to 60 percent in 7 days (mice, Mancuso 2006 doi:10.1172/JCI24612)."""
    low, _ = follow_vessels()
    assert 0.4 <= low <= 0.5
