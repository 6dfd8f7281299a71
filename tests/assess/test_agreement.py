"""Kappa against published tables, an independent calculation, and the bootstrap."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hccresist.assess.agreement import cohen_kappa, cross_table, derive_agreement, fleiss_kappa

TACE = Path(__file__).parents[2].parent / "shared" / "data" / "hcc_tace_seg" / "reader_measurements.csv"

# The worked example of Fleiss' kappa that is printed in many texts: 10 subjects, 14 raters, 5
# categories; kappa is printed there as 0.210.
FLEISS_EXAMPLE = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def test_fleiss_worked_example():
    assert fleiss_kappa(np.array(FLEISS_EXAMPLE, dtype=float)).value == pytest.approx(0.210, abs=5e-4)


def test_cohen_by_hand():
    # p_o = 35/50 = 0.7; margins 25/25 and 30/20: p_e = 0.5·0.6 + 0.5·0.4 = 0.5; kappa = 0.2/0.5
    kappa = cohen_kappa(np.array([[20.0, 5.0], [10.0, 15.0]]))
    assert kappa.value == pytest.approx(0.4)
    assert kappa.observed == pytest.approx(0.7)


def test_the_interval_of_cohens_kappa_is_that_of_the_bootstrap():
    table = np.array([[40.0, 9.0, 1.0], [6.0, 30.0, 4.0], [2.0, 3.0, 25.0]])
    rng = np.random.default_rng(7)
    n = int(table.sum())
    draws = rng.multinomial(n, (table / n).ravel(), size=4000).reshape(-1, 3, 3)
    spread = np.std([cohen_kappa(draw.astype(float)).value for draw in draws])
    kappa = cohen_kappa(table)
    assert (kappa.high - kappa.low) / 2 / 1.96 == pytest.approx(spread, rel=0.05)


@pytest.mark.parametrize("table", [np.zeros((2, 2)), np.array([[5.0]])])
def test_kappa_is_not_defined_without_variety(table):
    assert np.isnan(cohen_kappa(table).value)


def test_kappas_of_the_readers_of_hcc_tace_seg():
    if not TACE.exists():
        pytest.skip(f"{TACE} is not here")
    calls = pl.read_csv(TACE).filter(pl.col("criterion") == "mRECIST")
    best = calls.select(
        "patient_id",
        reader=pl.col("reader").cast(pl.String),
        criterion=pl.lit("mrecist"),
        best="published_response",
    )
    empty = pl.DataFrame(
        schema={
            "patient_id": pl.String,
            "reader": pl.String,
            "criterion": pl.String,
            "day": pl.Float64,
            "change_from_baseline_percent": pl.Float64,
        }
    )
    found = {
        (row["first"], row["second"], row["statistic"]): row
        for row in derive_agreement(best, empty).iter_rows(named=True)
    }
    by_patient = {}
    for patient, reader, _, word in best.iter_rows():
        by_patient.setdefault(patient, {})[reader] = word
    for a, b in (("1", "2"), ("1", "3"), ("2", "3")):
        pairs = [(calls[a], calls[b]) for calls in by_patient.values() if {a, b} <= calls.keys()]
        row = found[a, b, "cohen_kappa"]
        assert row["n"] == len(pairs)
        assert row["value"] == pytest.approx(plain_cohen(pairs), abs=1e-12)
    everyone = [list(words.values()) for words in by_patient.values() if len(words) == 3]
    row = found["1, 2, 3", "", "fleiss_kappa"]
    assert row["n"] == len(everyone)
    assert row["value"] == pytest.approx(plain_fleiss(everyone), abs=1e-12)


def plain_cohen(pairs):
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    words = {word for pair in pairs for word in pair}
    expected = sum(
        (sum(a == word for a, _ in pairs) / n) * (sum(b == word for _, b in pairs) / n) for word in words
    )
    return (observed - expected) / (1 - expected)


def plain_fleiss(ratings):
    words = {word for row in ratings for word in row}
    m = len(ratings[0])
    agree = [sum(a == b for i, a in enumerate(row) for j, b in enumerate(row) if i != j) for row in ratings]
    observed = sum(agree) / (len(ratings) * m * (m - 1))
    total = len(ratings) * m
    expected = sum((sum(row.count(word) for row in ratings) / total) ** 2 for word in words)
    return (observed - expected) / (1 - expected)


def test_cross_table_counts_every_pair():
    table = cross_table(pl.Series(["CR", "PD", "PD"]), pl.Series(["CR", "CR", "PD"]))
    assert table.tolist() == [[1.0, 0.0], [1.0, 1.0]]
