"""Where two criteria disagree on a patient, and which rule split them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.assess.agreement import PLAIN
from hccresist.assess.closer_results import Discordance
from hccresist.assess.criteria import CRITERIA
from hccresist.assess.visits import series_of
from hccresist.assess.words import WORDS

SERIES: Final = ["patient_id", "reader"]
COLUMNS: Final = {name: column.dtype for name, column in Discordance.columns().items()}
NEVER: Final = "No visit differs; what counts for the best response does."

_PLAIN_CODES: Final = np.array(
    [*(list(WORDS.categories).index(PLAIN.get(word, word)) for word in WORDS.categories), -1], dtype=np.int16
)
"""Of each word its plain word, both as numbers; the last one stands for none."""

Whole = NDArray[np.int64]


def derive_discordance(
    timepoints: pl.DataFrame, best_response: pl.DataFrame, *, titles: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """Return every patient on whom two criteria differ in the best response, and the visit that split them.

    Words of iRECIST are compared as those of RECIST 1.1 (iUPD and iCPD as PD). The split is the first
    visit at which the overall responses differ; where none does, they differ by what counts for the best
    response (a minimum interval, the visits before progression).

    Parameters
    ----------
    timepoints, best_response
        Results of *assess*, reasons rendered.
    titles
        Names for people of the criteria of a study's own, for the reason.

    Returns
    -------
    polars.DataFrame
        One row a patient, reader and pair of criteria, columns as in `COLUMNS`.
    """
    names = best_response["criterion"].unique().sort().to_list()
    series = best_response.select(SERIES).unique().sort(SERIES).with_row_index("series")
    if not names:
        return pl.DataFrame(schema=COLUMNS)
    best = _grid(best_response, "best", series, names)
    visits = _grid(timepoints, "overall", series, names)
    pairs = [_pair(best, visits, a, b) for a, b in combinations(range(len(names)), 2)]
    found = np.concatenate([np.zeros((6, 0), dtype=np.int64), *pairs], axis=1)
    found = found[:, np.lexsort((found[1], found[0], found[4]))]
    given = {"timepoints": timepoints, "best_response": best_response}
    return _tell(found, visits, **given, names=names, titles=titles or {})


@dataclass(frozen=True, slots=True)
class _Grid:
    """A table laid out as one column a series and day, one line a criterion.

    Attributes
    ----------
    series
        Series of each line, ascending; days ascend within.
    word
        Code of the word, criteria × lines; negative where there is none.
    row
        Row of the table, criteria × lines; negative where there is none.
    """

    series: Whole
    word: NDArray[np.int16]
    row: Whole


def _grid(frame: pl.DataFrame, column: str, series: pl.DataFrame, names: list[str]) -> _Grid:
    """Lay out the words of a table by series, day (where it has one) and criterion."""
    words = frame[column].cast(WORDS)
    code = words.to_physical().cast(pl.Int16).fill_null(-1).to_numpy()
    kind = frame["criterion"].cast(pl.Enum(names), strict=False).to_physical()
    known = kind.is_not_null().to_numpy()
    kind, code = kind.drop_nulls().to_numpy(), _PLAIN_CODES[code[known]]
    line, days = series_of(frame, series)[known], 1
    if "day" in frame.columns:
        found = frame["day"].unique().sort().to_numpy()
        line = line * len(found) + np.searchsorted(found, frame["day"].to_numpy()[known])
        days = max(len(found), 1)
    lines = pl.Series(line).unique().sort().to_numpy()
    where = np.searchsorted(lines, line)
    word = np.full((len(names), len(lines)), -1, dtype=np.int16)
    row = np.full((len(names), len(lines)), -1, dtype=np.int64)
    word[kind, where] = code
    row[kind, where] = np.flatnonzero(known)
    return _Grid(lines // days, word, row)


def _pair(best: _Grid, visits: _Grid, a: int, b: int) -> Whole:
    """Return one column a series on which two criteria differ.

    Lines: the two criteria, rows of best response, series, line of `visits` that split them (−1: none).
    """
    lines = np.flatnonzero(_differ(best, a, b))
    series = best.series[lines]
    wanted = np.zeros(1 + int(best.series.max(initial=0)), dtype=bool)
    wanted[series] = True
    split = np.flatnonzero(_differ(visits, a, b) & wanted[visits.series])
    owner = visits.series[split]
    first = np.ones(len(split), dtype=bool)
    first[1:] = owner[1:] != owner[:-1]
    at = np.full(len(wanted), -1, dtype=np.int64)
    at[owner[first]] = split[first]
    same = np.ones_like(series)
    return np.stack([a * same, b * same, best.row[a, lines], best.row[b, lines], series, at[series]])


def _differ(grid: _Grid, a: int, b: int) -> NDArray[np.bool_]:
    """Return the lines in which both criteria have a word, and not the same."""
    first, second = grid.word[a], grid.word[b]
    return (first != second) & (first >= 0) & (second >= 0)


def _tell(
    pairs: Whole,
    visits: _Grid,
    *,
    timepoints: pl.DataFrame,
    best_response: pl.DataFrame,
    names: list[str],
    titles: Mapping[str, str],
) -> pl.DataFrame:
    """Return the table: what `_pair` found, with words, rules and reasons."""
    a, b, best_a, best_b, _, split = pairs
    none = np.full((len(names), 1), -1, dtype=np.int64)
    rows = np.concatenate([visits.row, none], axis=1)
    first, second = (_take(timepoints, rows[kind, split]) for kind in (a, b))
    kinds = pl.Series(names, dtype=pl.String)
    said = pl.Series([titles.get(n) or (CRITERIA[n].title if n in CRITERIA else n) for n in names])
    table = best_response[SERIES][best_a].with_columns(
        criterion_a=kinds.gather(a),
        criterion_b=kinds.gather(b),
        best_a=best_response["best"].cast(pl.String).gather(best_a),
        best_b=best_response["best"].cast(pl.String).gather(best_b),
        split_day=first["day"],
        overall_a=first["overall"],
        overall_b=second["overall"],
        rule_a=first["rule"],
        rule_b=second["rule"],
        reason=_reason(said.gather(a), first["reason"], said.gather(b), second["reason"]),
    )
    return table.select(pl.col(name).cast(dtype) for name, dtype in COLUMNS.items())


def _take(timepoints: pl.DataFrame, rows: Whole) -> pl.DataFrame:
    """Return some rows; null where the number is negative."""
    index = pl.Series(np.where(rows < 0, 0, rows), dtype=pl.UInt32)
    known = pl.Series(rows >= 0)
    columns = ("day", "overall", "rule", "reason")
    if timepoints.is_empty():
        return pl.DataFrame(
            {name: [None] * len(rows) for name in columns}, schema=timepoints.select(columns).schema
        )
    taken = timepoints.select(pl.col(columns).gather(index))
    return taken.select(pl.when(known).then(pl.col(columns)))


def _reason(title_a: pl.Series, reason_a: pl.Series, title_b: pl.Series, reason_b: pl.Series) -> pl.Series:
    parts = pl.DataFrame({"a": title_a, "said_a": reason_a, "b": title_b, "said_b": reason_b}).rechunk()
    both = pl.format("{}: {} {}: {}", "a", "said_a", "b", "said_b")
    return parts.select(pl.when(pl.col("said_a").is_null()).then(pl.lit(NEVER)).otherwise(both))["literal"]
