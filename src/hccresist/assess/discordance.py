"""Where two criteria disagree on a patient, and which rule split them."""

from __future__ import annotations

from itertools import combinations
from typing import Final

import polars as pl

from hccresist.assess.agreement import PLAIN
from hccresist.assess.closer_results import Discordance

SERIES: Final = ["patient_id", "reader"]
COLUMNS: Final = {name: column.dtype for name, column in Discordance.columns().items()}


def derive_discordance(timepoints: pl.DataFrame, best_response: pl.DataFrame) -> pl.DataFrame:
    """Return every patient on whom two criteria differ in the best response, and the visit that split them.

    Words of iRECIST are compared as those of RECIST 1.1 (iUPD and iCPD as PD). The split is the first
    visit at which the overall responses differ; where none does, they differ by what counts for the best
    response (a minimum interval, the visits before progression).

    Parameters
    ----------
    timepoints, best_response
        Results of *assess*, reasons rendered.

    Returns
    -------
    polars.DataFrame
        One row a patient, reader and pair of criteria, columns as in `COLUMNS`.
    """
    best = best_response.with_columns(pl.col("best").replace(PLAIN).alias("plain"))
    visits = timepoints.with_columns(pl.col("overall").replace(PLAIN).alias("plain"))
    names = best["criterion"].unique().sort().to_list()
    frames = [_pair(best, visits, a, b) for a, b in combinations(names, 2)]
    empty = pl.DataFrame(schema=COLUMNS)
    return pl.concat([empty, *frames]).sort([*SERIES, "criterion_a", "criterion_b"])


def _pair(best: pl.DataFrame, visits: pl.DataFrame, a: str, b: str) -> pl.DataFrame:
    first, second = (best.filter(pl.col("criterion") == name) for name in (a, b))
    differ = first.join(second, on=SERIES, suffix="_b").filter(pl.col("plain") != pl.col("plain_b"))
    rows = [visits.filter(pl.col("criterion") == name) for name in (a, b)]
    split = (
        rows[0]
        .join(rows[1], on=[*SERIES, "day"], suffix="_b")
        .filter(pl.col("plain") != pl.col("plain_b"))
        .sort(*SERIES, "day")
        .unique(SERIES, keep="first", maintain_order=True)
    )
    joined = differ.select(*SERIES, best_a="best", best_b="best_b").join(split, on=SERIES, how="left")
    said = pl.format("{}: {} {}: {}", pl.lit(a), "reason", pl.lit(b), "reason_b")
    unsplit = pl.lit("No visit differs; what counts for the best response does.")
    return joined.rechunk().select(
        *SERIES,
        pl.lit(a).alias("criterion_a"),
        pl.lit(b).alias("criterion_b"),
        "best_a",
        "best_b",
        pl.col("day").alias("split_day"),
        pl.col("overall").alias("overall_a"),
        pl.col("overall_b"),
        pl.col("rule").alias("rule_a"),
        pl.col("rule_b"),
        pl.when(pl.col("day").is_null()).then(unsplit).otherwise(said).alias("reason"),
    )
