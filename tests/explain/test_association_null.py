"""Random sets matched on size and expression, and their scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hccresist.explain.association_null import (
    BINS,
    NullSets,
    compare_classes,
    compare_times,
    draw_matched,
    score_mean,
)
from hccresist.explain.association_survival import Times


@given(st.integers(0, 1000), st.integers(1, 30))
def test_random_sets_match_on_size_and_expression(seed, size):
    rng = np.random.default_rng(seed)
    level = rng.normal(size=400)
    members = rng.choice(400, size, replace=False)
    drawn = draw_matched(level, members, draws=20, rng=rng)
    assert drawn.shape == (20, size)
    bins = np.argsort(np.argsort(level)) * BINS // 400
    for row in drawn:
        assert len(set(row)) == size
        assert sorted(bins[row]) == sorted(bins[members])


def test_genes_of_the_set_are_not_drawn_where_the_bin_has_others():
    level = np.arange(100.0)
    members = np.array([0, 1, 50])
    drawn = draw_matched(level, members, draws=200, rng=np.random.default_rng(1))
    assert not np.isin(drawn, members).any()
    assert set(drawn.ravel()) == {2, 3, 4, 51, 52, 53, 54}


def test_every_gene_of_the_bin_is_drawn_alike():
    drawn = draw_matched(np.arange(200.0), np.array([5]), draws=9000, rng=np.random.default_rng(2))
    share = np.bincount(drawn.ravel(), minlength=10)[[0, 1, 2, 3, 4, 6, 7, 8, 9]] / 9000
    assert share == pytest.approx(np.full(9, 1 / 9), abs=0.015)


def test_the_score_is_the_mean_of_the_genes():
    values = np.arange(12.0).reshape(4, 3)
    assert score_mean(values, np.array([[0, 3], [1, 1]])).tolist() == [[4.5, 5.5, 6.5], [3.0, 4.0, 5.0]]


def test_the_share_counts_the_set_itself():
    """Of 3 random sets none is as far from one half: (1 + 0) / (1 + 3); two are: 3 / 4."""
    positive = np.array([True, True, True, False, False, False])
    best = np.array([6.0, 5, 4, 3, 2, 1])
    mixed = np.array([1.0, 6, 2, 5, 3, 4])
    assert compare_classes(np.array([best, mixed, mixed, mixed]), positive) == 0.25
    assert compare_classes(np.array([best, -best, best, mixed]), positive) == 0.75
    times = Times(entry=np.zeros(6), days=np.arange(1.0, 7), event=np.ones(6, dtype=bool))
    assert compare_times(np.array([best, mixed, mixed, mixed]), times) == 0.25
    assert compare_times(np.array([best, -best, best, mixed]), times) == 0.75


def test_a_set_without_genes_has_no_null():
    null = NullSets(
        genes=["A", "B"],
        samples=["S"],
        values=np.ones((2, 1)),
        level=np.ones(2),
        sets={"set": ["C"]},
        draws=5,
    )
    assert null.scores("set") is None
    assert null.scores("other") is None


def test_the_random_sets_depend_on_seed_and_name_only():
    rng = np.random.default_rng(0)
    null = NullSets(
        genes=[f"G{i}" for i in range(50)],
        samples=["S1", "S2"],
        values=rng.normal(size=(50, 2)),
        level=rng.normal(size=50),
        sets={"a": ["G1", "G2", "G9"], "b": ["G1", "G2", "G9"]},
        draws=10,
    )
    first, again, other, seeded = (
        null.scores(n, seed=s) for n, s in (("a", 0), ("a", 0), ("b", 0), ("a", 1))
    )
    assert first is not None
    assert first.shape == (11, 2)
    assert np.array_equal(first, again)
    assert not np.array_equal(first[1:], other[1:])
    assert not np.array_equal(first[1:], seeded[1:])
    assert np.array_equal(first[0], other[0])
