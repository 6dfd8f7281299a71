"""Responses taken as the clinic recorded them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from hccresist.assess import words as w
from hccresist.assess.best import Course
from hccresist.assess.criteria import Criterion, NewLesions
from hccresist.assess.frames import best_frame, empty, named
from hccresist.assess.rules import Rule
from hccresist.assess.steps import walk
from hccresist.assess.visits import KEYS, Floats, series_of
from hccresist.study.policies import Policies


def given_frames(
    responses: pl.DataFrame,
    series: pl.DataFrame,
    *,
    criterion: Criterion,
    last_day: Floats,
    policies: Policies,
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the tables of a criterion whose responses are taken as recorded."""
    rows = responses.filter(
        pl.col("criterion") == criterion.name,
        pl.col("day") > policies.baseline_window_end,
        pl.col("overall").is_not_null(),
    )
    ids = series_of(rows, series.with_row_index("series"))
    codes = w.parse(rows["overall"])
    if criterion.new_lesions is NewLesions.UNCONFIRMED:
        codes = np.where(codes == w.PD, w.UPD, codes).astype(np.int8)
    day = rows["day"].to_numpy()
    path = Course(
        n_series=series.height,
        day=day,
        progression_date=day,
        overall=codes,
        steps=walk(np.arange(len(day)), ids),
        reference_day=np.zeros(series.height),
        last_day=last_day,
    )
    yield "best_response", best_frame(criterion, series, path=path, policies=policies)
    yield "timepoints", _given_timepoints(criterion, rows)
    evaluable = np.zeros(series.height, dtype=np.bool_)
    evaluable[ids[codes != w.NE]] = True
    none = pl.DataFrame(
        {
            "day": pl.Series([None] * series.height, dtype=pl.Float64),
            "n_targets": np.zeros(series.height, np.int64),
            "n_nontargets": np.zeros(series.height, np.int64),
            "baseline_mm": pl.Series([None] * series.height, dtype=pl.Float64),
            "measurable": pl.Series([None] * series.height, dtype=pl.Boolean),
            "evaluable": evaluable,
            "reason": pl.Series(["responses taken as recorded: baseline not used"] * series.height),
        }
    )
    yield "baselines", named(none, criterion, series=series, rows=np.arange(series.height))


def _given_timepoints(criterion: Criterion, rows: pl.DataFrame) -> pl.DataFrame:
    words = [pl.col(name).cast(pl.String).cast(w.WORDS) for name in ("target", "nontarget", "overall")]
    frame = rows.select(*KEYS, "day", *words, "new_lesion").with_columns(
        pl.lit(criterion.name).alias("criterion"), pl.lit(int(Rule.GIVEN), dtype=pl.Int8).alias("rule_code")
    )
    return pl.concat([empty("timepoints"), frame], how="diagonal").with_columns(
        pl.col("late").fill_null(value=False)
    )
