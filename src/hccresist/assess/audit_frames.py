"""Scans as visits, lesion rows with what they count, and recorded sums: frames that the audit looks at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl

from hccresist.assess.visits import KEYS, group_scans
from hccresist.study.codes import NODE_ORGANS
from hccresist.study.policies import Policies
from hccresist.study.tables import Lesions

SCANNED: Final = ("lesions", "sums", "visits")
"""Tables whose rows are scans; a response alone is none."""
LESION: Final = [*KEYS, "lesion_id"]
GONE: Final = ("absent", "merged")
RECORDED_SUM: Final = "recorded_sum_mm"
"""Covariate of `visits` that holds a recorded sum of longest diameters."""

Tables = Mapping[str, pl.DataFrame]


def scan_visits(tables: Tables, window: float, policies: Policies) -> pl.DataFrame:
    """Return every scan with its visit: patient_id, reader, day, visit, first, last.

    Parameters
    ----------
    tables
        Tables of a study.
    window
        Days that make one visit.
    policies
        `baseline_window_end` divides visits.
    """
    days = [tables[name].select(*KEYS, "day") for name in SCANNED if name in tables]
    scans = pl.concat(days or [_no_scans()]).unique().sort(*KEYS, "day")
    series = scans.select(series=pl.struct(KEYS).rle_id())["series"].to_numpy().astype(np.int64)
    visit = group_scans(series, scans["day"].to_numpy(), window=window, border=policies.baseline_window_end)
    return scans.with_columns(visit=pl.Series(visit, dtype=pl.Int64)).with_columns(
        first=pl.col("day").min().over("visit"), last=pl.col("day").max().over("visit")
    )


def _no_scans() -> pl.DataFrame:
    return pl.DataFrame(schema={**dict.fromkeys(KEYS, pl.String), "day": pl.Float64})


def lesion_values(tables: Tables, policies: Policies) -> pl.DataFrame:
    """Return lesion rows with what stands for the whole lesion, and what each row counts.

    Returns
    -------
    polars.DataFrame
        The rows of `lesions` sorted by key, numbered by ``lesion`` and ``series`` (patient and reader);
        role, organ and node as they hold for the lesion; ``size_mm``
        (short axis of a node, longest diameter of others, null where not measured) and ``value_mm`` (what
        the row counts as a target; null where it is not evaluable).
    """
    rows = tables["lesions"] if "lesions" in tables else Lesions.create_empty()
    rows = rows.select(Lesions.column_names()).with_columns(
        lesion=pl.struct(LESION).rle_id(), series=pl.struct(KEYS).rle_id()
    )
    first = [pl.col(name).drop_nulls().first().over("lesion") for name in ("role", "organ")]
    named = rows.with_columns(*first, node=pl.col("node").max().over("lesion")).with_columns(
        pl.col("role", "organ", "state").cast(pl.String)
    )
    node = pl.coalesce("node", pl.col("organ").is_in(NODE_ORGANS), pl.lit(value=False))
    sized = named.with_columns(node=node).with_columns(
        size_mm=pl.when("node").then("short_axis_mm").otherwise("longest_mm")
    )
    return _without_inadequate(sized.with_columns(value_mm=_counted(policies)), tables.get("visits"))


def _counted(policies: Policies) -> pl.Expr:
    state = pl.col("state")
    return (
        pl.when(state.is_in(GONE))
        .then(pl.lit(0.0))
        .when((state == "too_small") & pl.col("size_mm").is_null())
        .then(pl.lit(float(policies.tstm_value)))
        .when(state == "not_evaluable")
        .then(pl.lit(None, dtype=pl.Float64))
        .otherwise("size_mm")
    )


def _without_inadequate(rows: pl.DataFrame, visits: pl.DataFrame | None) -> pl.DataFrame:
    """Return the rows with no value on scans that are known to be inadequate."""
    if visits is None or visits["adequate"].all():
        return rows
    bad = visits.filter(~pl.col("adequate")).select(*KEYS, "day", inadequate=pl.lit(value=True))
    joined = rows.join(bad, on=[*KEYS, "day"], how="left", maintain_order="left")
    return joined.with_columns(value_mm=pl.when(pl.col("inadequate").is_null()).then("value_mm")).drop(
        "inadequate"
    )


def recorded_sums(tables: Tables) -> pl.DataFrame:
    """Return recorded sums of longest diameters: patient_id, reader, day, sum."""
    parts = [_no_scans().with_columns(sum=pl.lit(None, dtype=pl.Float64))]
    if "sums" in tables:
        longest = tables["sums"].filter(pl.col("measure") == "longest")
        parts.append(longest.select(*KEYS, "day", "sum"))
    if "visits" in tables and RECORDED_SUM in tables["visits"].columns:
        own = pl.col(RECORDED_SUM).cast(pl.Float64, strict=False)
        parts.append(tables["visits"].select(*KEYS, "day", own.alias("sum")))
    known = pl.concat(parts).drop_nulls("sum")
    return known.unique([*KEYS, "day"], keep="first", maintain_order=True).sort(*KEYS, "day")


def tables_of_lesions(tables: Tables) -> dict[str, pl.DataFrame]:
    """Return the tables without sums: what lesion rows alone say."""
    return {name: frame for name, frame in tables.items() if name != "sums"}


def tables_of_sums(tables: Tables) -> dict[str, pl.DataFrame]:
    """Return the tables with recorded sums instead of targets.

    Recorded non-targets and new lesions stay: the rule on lesions that return needs them.
    """
    result = tables_of_lesions(tables)
    lesions = result.pop("lesions", None)
    if lesions is not None:
        others = lesions.filter(pl.col("role").is_in(["nontarget", "new_target", "new_nontarget"]))
        result |= {} if others.is_empty() else {"lesions": others}
    key = ["patient_id", "reader", "measure", "day"]
    parts = [recorded_sums(tables).with_columns(measure=pl.lit("longest")).select(*key, "sum")]
    if "sums" in tables:
        rest = tables["sums"].filter(pl.col("measure") != "longest").select(*key, "sum")
        parts.append(rest.with_columns(pl.col("measure").cast(pl.String)))
    return result | {"sums": pl.concat(parts).sort(key)}
