"""How alike the handles' effects on scans are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hccresist.overcome.model.alike import (
    SAME,
    TREATMENTS,
    VISITS,
    Alike,
    compare_handles,
    find_cosine,
    find_sensitivities,
    group_alike,
    log_diameters,
)
from hccresist.overcome.model.parameters import read_handles

numbers = arrays(np.float64, (2, 3), elements=st.floats(-10, 10, allow_nan=False).map(lambda x: round(x, 3)))


@pytest.fixture(scope="module")
def sensitivities():
    return find_sensitivities()


@given(numbers, numbers, st.floats(0.1, 100.0))
def test_a_cosine_is_symmetric_bounded_and_does_not_know_sizes(first, second, size) -> None:
    assume(np.linalg.norm(first) > 0.01)
    assume(np.linalg.norm(second) > 0.01)
    cosine = find_cosine(first, second)
    assert cosine is not None
    assert -1 <= cosine <= 1
    assert find_cosine(second, first) == pytest.approx(cosine)
    assert find_cosine(size * first, second) == pytest.approx(cosine)
    assert find_cosine(-first, second) == pytest.approx(-cosine)


@given(numbers)
def test_a_sensitivity_is_like_itself_and_nothing_is_like_nothing(first) -> None:
    assert find_cosine(first, np.zeros_like(first)) is None
    assume(np.linalg.norm(first) > 0.01)
    assert find_cosine(first, first) == pytest.approx(1.0)


def test_the_same_starts_above_the_threshold() -> None:
    assert Alike("a", "b", SAME + 1e-6).same
    assert not Alike("a", "b", SAME).same
    assert not Alike("a", "b", -1.0).same
    assert not Alike("a", "b", None).same


def test_groups_join_through_a_common_handle_and_leave_single_ones_out() -> None:
    pairs = [Alike("a", "b", 0.99), Alike("c", "d", 0.96), Alike("b", "c", 0.97), Alike("a", "e", 0.2)]
    assert group_alike(pairs) == (("a", "b", "c", "d"),)
    assert group_alike(list(reversed(pairs))) == (("a", "b", "c", "d"),)
    assert group_alike([Alike("a", "e", 0.2)]) == ()


def test_every_pair_of_handles_is_compared_once(sensitivities) -> None:
    pairs = compare_handles(sensitivities)
    count = len(read_handles())
    assert len({(pair.first, pair.second) for pair in pairs}) == len(pairs) == count * (count - 1) // 2
    assert all(pair.first < pair.second for pair in pairs)


def test_diameters_start_at_the_asked_size_and_have_a_value_at_every_visit() -> None:
    found = log_diameters({}, [(), ("sorafenib",)])
    assert found.shape == (2, 2, len(VISITS))
    assert np.isfinite(found).all()
    assert np.exp(found[:, 0, 0]) == pytest.approx(50.0, rel=1e-6)


def test_invasion_alone_has_no_effect_on_diameters(sensitivities) -> None:
    """It acts on micrometastases and new lesions."""
    assert [name for name, found in sensitivities.items() if np.abs(found).max() < 1e-9] == ["emt"]


def test_scans_under_several_drugs_tell_drug_specific_mechanisms_apart(sensitivities) -> None:
    """Ferroptosis is no matter to lenvatinib, efflux is; vessels are no matter to efflux."""
    for first, second in (
        ("ferroptosis", "abc"),
        ("coopt", "abc"),
        ("abc", "treg"),
        ("hyper_growth", "treg"),
    ):
        cosine = find_cosine(sensitivities[first], sensitivities[second])
        assert cosine is not None
        assert cosine < SAME


def test_under_one_drug_more_handles_look_the_same_than_under_all() -> None:
    few = compare_handles(find_sensitivities([("sorafenib",)]))
    many = compare_handles(find_sensitivities(TREATMENTS))
    assert sum(pair.same for pair in few) > sum(pair.same for pair in many)
