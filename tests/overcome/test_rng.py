"""Counter-based random numbers: against NumPy's Philox, and what they must not depend on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hccresist.overcome.model.philox import philox
from hccresist.overcome.rng import Purpose, draw_exponential, draw_normal, draw_uniform


def numpy_words(key: int, counter: list[int]) -> list[int]:
    """Four words of NumPy's Philox, which adds one to the counter before its first block."""
    words = np.array(counter, dtype=np.uint64)
    drawn = np.random.Philox(key=np.array([key, 0], dtype=np.uint64), counter=words).random_raw(4)
    return [int(word) for word in drawn]


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 2**64 - 2), min_size=4, max_size=4))
def test_words_are_those_of_numpy(key: int, counter: list[int]) -> None:
    """Outside check: NumPy's Philox."""
    made = philox(*(np.uint64(word) for word in [key, counter[0] + 1, *counter[1:]]))
    assert [int(word) for word in made] == numpy_words(key, counter)


@settings(deadline=None)
@given(
    st.integers(0, 2**64 - 1),
    st.sampled_from(Purpose),
    st.lists(st.tuples(st.integers(0, 2**40 - 1), st.integers(1, 2**32 - 1)), min_size=1, max_size=5),
)
def test_a_number_is_the_first_word_at_its_patient_purpose_and_index(key, purpose, places) -> None:
    """Also with indices of each patient; the upper 53 bits, in the middle of their step."""
    patients, which = (np.array(part, dtype=np.uint64) for part in zip(*places, strict=True))
    drawn = draw_uniform(patients, purpose, which[:, None], seed=key)
    for number, (patient, index) in zip(drawn[:, 0], places, strict=True):
        word = numpy_words(key, [index - 1, int(purpose), patient, 0])[0]
        assert number == ((word >> 11) + 0.5) * 2.0**-53
    np.testing.assert_array_equal(np.diag(draw_uniform(patients, purpose, which, seed=key)), drawn[:, 0])


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
