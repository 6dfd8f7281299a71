"""Patients that the tests of the model share."""

from __future__ import annotations

import pytest

from hccresist.overcome.model.patients import make_parameters, start_state

HANDLES = {
    "h_mutation": 1e-4,
    "h_autophagy": 0.5,
    "h_upr": 0.5,
    "h_bypass": 1.0,
    "h_abc": 1.0,
    "h_tolerance": 0.01,
}


@pytest.fixture(scope="session")
def patient():
    """Parameters and states of a patient with three lesions, several mechanisms and all four clones."""
    params = make_parameters(3, values=HANDLES)
    return params, start_state(params, [60.0, 30.0, 20.0], tolerant=0.01, escaped=0.02)


@pytest.fixture(scope="session")
def plain():
    """Parameters and states of a patient with one lesion and no mechanism."""
    params = make_parameters(1)
    return params, start_state(params, [50.0])
