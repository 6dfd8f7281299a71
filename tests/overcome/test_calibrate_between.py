"""What trials of the same drug differ by, against another implementation and by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from hccresist.overcome.calibrate_between import LEAST_ARMS, compare_arms, spread_between
from hccresist.overcome.calibrate_data import read_fit_targets

BCG = (
    *((4, 123, 11, 139), (6, 306, 29, 303), (3, 231, 11, 220), (62, 13598, 248, 12867)),
    *((33, 5069, 47, 5808), (180, 1541, 372, 1451), (8, 2545, 10, 629), (505, 88391, 499, 88391)),
    *((29, 7499, 45, 7277), (17, 1716, 65, 1665), (186, 50634, 141, 27338), (5, 2498, 3, 2341)),
    (27, 16913, 29, 17854),
)
"""Cases and people, vaccinated and not, of the 13 trials of BCG in Colditz 1994 (JAMA 271:698-702)."""


def test_spread_is_that_of_statsmodels_on_the_trials_of_bcg() -> None:
    a, n, c, m = np.array(BCG, dtype=float).T
    values, errors = np.log(a / n / (c / m)), np.sqrt(1 / a - 1 / n + 1 / c - 1 / m)
    # statsmodels 0.14, combine_effects(method_re="chi2"): tau2 = 0.30876026286237634.
    assert spread_between(values, errors) ** 2 == pytest.approx(0.30876026286237634, rel=1e-12)


def test_a_known_spread_is_found_again() -> None:
    rng = np.random.default_rng(4)
    errors = rng.uniform(0.1, 0.4, size=(4000, 8))
    truth = rng.normal(0.0, 0.3, size=errors.shape)
    seen = truth + errors * rng.normal(size=errors.shape)
    found = np.array([spread_between(v, e) ** 2 for v, e in zip(seen, errors, strict=True)])
    assert found.mean() == pytest.approx(0.09, rel=0.1)


def test_published_arms_of_sorafenib_and_placebo_are_compared() -> None:
    table = compare_arms(read_fit_targets())
    assert (table["arms"] >= LEAST_ARMS).all()
    assert {("sorafenib", "first"), ("placebo", "later")} <= set(table.select("drugs", "line").iter_rows())
    assert set(table["family"]) == {"response", "progression", "survival"}
    assert (table["width"] >= 1).all()
