"""Counter-based random numbers: against NumPy's Philox, and what they must not depend on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hccresist.overcome.rng import Purpose, draw_exponential, draw_normal, draw_uniform, philox


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 2**64 - 2), min_size=4, max_size=4))
def test_words_are_those_of_numpy(key: int, counter: list[int]) -> None:
    """Outside check: NumPy's Philox, which adds one to the counter before its first block."""
    made = philox(key, tuple(np.array([word], dtype=np.uint64) for word in [counter[0] + 1, *counter[1:]]))
    words = np.array(counter, dtype=np.uint64)
    expected = np.random.Philox(key=np.array([key, 0], dtype=np.uint64), counter=words).random_raw(4)
    assert [int(word[0]) for word in made] == [int(word) for word in expected]


def test_rows_depend_on_nothing_but_patient_purpose_and_seed() -> None:
    patients = np.arange(50)
    whole = draw_uniform(patients, Purpose.DEATH, 6, seed=3)
    np.testing.assert_array_equal(draw_uniform(patients[::-1], Purpose.DEATH, 6, seed=3)[::-1], whole)
    np.testing.assert_array_equal(draw_uniform(patients[20:30], Purpose.DEATH, 2, seed=3), whole[20:30, :2])
    for other in (
        draw_uniform(patients, Purpose.DEATH, 6, seed=4),
        draw_uniform(patients, Purpose.DROPOUT, 6, seed=3),
    ):
        assert not np.isin(other, whole).any()


def test_distributions() -> None:
    """Kolmogorov-Smirnov with a fixed seed; the bound is far from what 60,000 numbers show by chance."""
    patients = np.arange(20_000)
    for values, name in (
        (draw_uniform(patients, Purpose.VISIT, 3, seed=1), "uniform"),
        (draw_normal(patients, Purpose.VISIT, 3, seed=1), "norm"),
        (draw_exponential(patients, Purpose.VISIT, 3, seed=1), "expon"),
    ):
        assert stats.kstest(values.ravel(), name).statistic < 0.01
        assert abs(np.corrcoef(values[:, 0], values[:, 1])[0, 1]) < 0.03
        assert abs(np.corrcoef(values[:-1, 0], values[1:, 0])[0, 1]) < 0.03


def test_never_zero_nor_one() -> None:
    values = draw_uniform(np.arange(200_000), Purpose.ARM, 1, seed=0)
    assert 0 < values.min() < values.max() < 1
    assert values.mean() == pytest.approx(0.5, abs=0.003)
