"""Agreement between criteria and between readers: kappa with intervals, and differences of sums.

Cohen 1960 (Educ Psychol Meas 20:37); Fleiss 1971, doi:10.1037/h0031619; large-sample variance of Cohen's
kappa after Fleiss, Cohen and Everitt 1969 (Psychol Bull 72:323); limits of agreement after Bland and Altman
1986 (Lancet 327:307).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.assess.closer_results import Agreement

Z95: Final = 1.959963984540054
PLAIN: Final = {
    "iCR": "CR",
    "iPR": "PR",
    "iSD": "SD",
    "NON-iCR/NON-iUPD": "NON-CR/NON-PD",
    "iUPD": "PD",
    "iCPD": "PD",
}
"""Words of iRECIST as those of RECIST 1.1, so that criteria can be compared."""


@dataclass(frozen=True, slots=True)
class Kappa:
    """Kappa with its 95 % interval; NaN where it is not defined (one category only, no subjects)."""

    value: float
    low: float
    high: float
    n: int
    observed: float


def cohen_kappa(table: NDArray[np.float64]) -> Kappa:
    """Return Cohen's kappa of a square table of counts, rows one rater, columns the other.

    ``kappa = (p_o − p_e) / (1 − p_e)``, with p_o the share on the diagonal and p_e that expected from the
    margins.

    Examples
    --------
    >>> round(cohen_kappa(np.array([[20.0, 5.0], [10.0, 15.0]])).value, 3)
    0.4
    """
    n = float(table.sum())
    if n == 0:
        return Kappa(np.nan, np.nan, np.nan, 0, np.nan)
    p = table / n
    row, column = p.sum(axis=1), p.sum(axis=0)
    observed, expected = float(np.trace(p)), float(row @ column)
    if expected >= 1:
        return Kappa(np.nan, np.nan, np.nan, int(n), observed)
    kappa = (observed - expected) / (1 - expected)
    gain = 1 - kappa
    same = float(np.sum(np.diag(p) * (1 - (row + column) * gain) ** 2))
    off = p * (column[:, None] + row[None, :]) ** 2
    other = gain**2 * float(off.sum() - np.trace(off))
    variance = (same + other - (kappa - expected * gain) ** 2) / (n * (1 - expected) ** 2)
    half = Z95 * float(np.sqrt(max(variance, 0.0)))
    return Kappa(kappa, max(kappa - half, -1.0), min(kappa + half, 1.0), int(n), observed)


def fleiss_kappa(counts: NDArray[np.float64]) -> Kappa:
    """Return Fleiss' kappa of counts of ratings, one row a subject, one column a category.

    Every subject has the same number of ratings. The interval uses the variance under agreement by
    chance of Fleiss 1971, and is therefore meant for a first look.

    Examples
    --------
    >>> round(fleiss_kappa(np.array([[3.0, 0.0], [0.0, 3.0], [2.0, 1.0]])).value, 3)
    0.55
    """
    subjects = len(counts)
    raters = float(counts[0].sum()) if subjects else 0.0
    if subjects == 0 or raters < 2:
        return Kappa(np.nan, np.nan, np.nan, subjects, np.nan)
    share = counts.sum(axis=0) / (subjects * raters)
    within = (np.sum(counts**2, axis=1) - raters) / (raters * (raters - 1))
    observed, expected = float(within.mean()), float(share @ share)
    if expected >= 1:
        return Kappa(np.nan, np.nan, np.nan, subjects, observed)
    kappa = (observed - expected) / (1 - expected)
    cubes = float(np.sum(share**3))
    top = expected - (2 * raters - 3) * expected**2 + 2 * (raters - 2) * cubes
    variance = 2 / (subjects * raters * (raters - 1)) * top / (1 - expected) ** 2
    half = Z95 * float(np.sqrt(max(variance, 0.0)))
    return Kappa(kappa, max(kappa - half, -1.0), min(kappa + half, 1.0), subjects, observed)


def cross_table(first: pl.Series, second: pl.Series) -> NDArray[np.float64]:
    """Return the square table of counts of two raters' words, categories in order of name."""
    words = pl.Enum(pl.concat([first, second]).unique().sort())
    rows, columns = (side.cast(words).to_physical().cast(pl.Int64).to_numpy() for side in (first, second))
    size = len(words.categories)
    counts = np.bincount(rows * size + columns, minlength=size * size)
    return counts.reshape(size, size).astype(np.float64)


def derive_agreement(best_response: pl.DataFrame, timepoints: pl.DataFrame) -> pl.DataFrame:
    """Return agreement on best response between criteria and readers, and on sums between readers.

    Returns
    -------
    polars.DataFrame
        scope (criteria, readers), first, second, within (the reader, or the criterion), statistic
        (cohen_kappa, fleiss_kappa, agreement_percent, mean_difference_percent, limits_percent),
        value, low, high, n. Patients for whom one of the two is NE are left out of kappas.
    """
    rows = [*_between_criteria(best_response), *_between_readers(best_response), *_of_sums(timepoints)]
    table = pl.DataFrame(rows, schema=AGREEMENT, orient="row").fill_nan(None)
    return table.sort(list(AGREEMENT)[:5])


AGREEMENT: Final = {name: column.dtype for name, column in Agreement.columns().items()}

Row = tuple[str, str, str, str, str, float, float, float, int]


def _plain(best: pl.DataFrame) -> pl.DataFrame:
    return best.with_columns(pl.col("best").replace(PLAIN)).filter(pl.col("best") != "NE")


def _kappa_rows(scope: str, names: tuple[str, str], within: str, both: pl.DataFrame) -> list[Row]:
    kappa = cohen_kappa(cross_table(both["best"], both["best_right"]))
    return [
        (scope, *names, within, "cohen_kappa", kappa.value, kappa.low, kappa.high, kappa.n),
        (scope, *names, within, "agreement_percent", 100 * kappa.observed, np.nan, np.nan, kappa.n),
    ]


def _between_criteria(best: pl.DataFrame) -> list[Row]:
    rows: list[Row] = []
    plain = _plain(best)
    for reader in plain["reader"].unique().sort():
        mine = plain.filter(pl.col("reader") == reader)
        words = mine.pivot("criterion", index="patient_id", values="best")
        for a, b in combinations(mine["criterion"].unique().sort(), 2):
            both = words.select(best=a, best_right=b).drop_nulls()
            rows += _kappa_rows("criteria", (a, b), reader, both)
    return rows


def _between_readers(best: pl.DataFrame) -> list[Row]:
    rows: list[Row] = []
    plain = _plain(best)
    for criterion in plain["criterion"].unique().sort():
        mine = plain.filter(pl.col("criterion") == criterion)
        readers = mine["reader"].unique().sort().to_list()
        for a, b in combinations(readers, 2):
            both = mine.filter(pl.col("reader") == a).join(
                mine.filter(pl.col("reader") == b), on="patient_id"
            )
            rows += _kappa_rows("readers", (a, b), criterion, both)
        if len(readers) > 2:
            rows.append(_fleiss_row(mine, readers, criterion))
    return rows


def _fleiss_row(mine: pl.DataFrame, readers: list[str], criterion: str) -> Row:
    everyone = mine.filter(pl.len().over("patient_id") == len(readers))
    counts = everyone.pivot("best", index="patient_id", values="reader", aggregate_function="len")
    kappa = fleiss_kappa(counts.drop("patient_id").fill_null(0).to_numpy().astype(np.float64))
    names = ", ".join(readers)
    return ("readers", names, "", criterion, "fleiss_kappa", kappa.value, kappa.low, kappa.high, kappa.n)


def _of_sums(timepoints: pl.DataFrame) -> list[Row]:
    """Return Bland–Altman differences of the change from baseline, in percentage points, between readers."""
    rows: list[Row] = []
    read = ("patient_id", "reader", "criterion", "day", "change_from_baseline_percent")
    measured = timepoints.select(read).drop_nulls("change_from_baseline_percent")
    if measured["reader"].n_unique() < 2:
        return rows
    for criterion in measured["criterion"].unique().sort():
        mine = measured.filter(pl.col("criterion") == criterion)
        for a, b in combinations(mine["reader"].unique().sort(), 2):
            both = mine.filter(pl.col("reader") == a).join(
                mine.filter(pl.col("reader") == b), on=["patient_id", "day"]
            )
            gap = (
                both["change_from_baseline_percent"] - both["change_from_baseline_percent_right"]
            ).to_numpy()
            if len(gap) < 2:
                continue
            mean, spread = float(gap.mean()), float(gap.std(ddof=1))
            half = Z95 * spread / float(np.sqrt(len(gap)))
            limits = (mean - Z95 * spread, mean + Z95 * spread)
            rows.append(
                (
                    "readers",
                    a,
                    b,
                    criterion,
                    "mean_difference_percent",
                    mean,
                    mean - half,
                    mean + half,
                    len(gap),
                )
            )
            rows.append(("readers", a, b, criterion, "limits_percent", mean, *limits, len(gap)))
    return rows
