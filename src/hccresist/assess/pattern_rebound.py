"""Rebound after a kinase inhibitor: growth that the stop of the previous drug may explain.

When a kinase inhibitor was still given during the reference period, growth before treatment was
measured on the drug and growth after it without: the ratio rises without any hyperprogression.
Tumours treated with lenvatinib right before atezolizumab-bevacizumab grew fast for a short time and
then shrank (Sugimoto 2022, Medicine 101:e30871, doi:10.1097/MD.0000000000030871, PMC9542563).
The flag is ours; it contradicts no definition, it stands beside them.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.assess.pattern_records import Clause, Definition, Rule, judge, number, text
from hccresist.study.study import Study

KINASE_STEMS: Final = r"(tinib|fenib|anib)\b"
"""Endings of the generic names of kinase inhibitors: sorafenib, donafenib, lenvatinib, regorafenib,
cabozantinib, apatinib, rivoceranib, brivanib, linifanib … (our choice)."""

REBOUND: Final = Definition(
    name="rebound_kinase_inhibitor",
    family="rebound",
    title="Possible rebound after a kinase inhibitor (ours)",
    needs=("treatments of earlier lines with their stop days",),
    rule=(
        "a kinase inhibitor of an earlier line was still given after the reference scan or, without one, "
        "within hpd_reference_scan_window days before the index line"
    ),
    source="ours, after Sugimoto 2022, doi:10.1097/MD.0000000000030871 (PMC9542563)",
    verification="ours",
    seen="abstract: rapid growth for a short time, then shrinkage, after lenvatinib; no rule is given there",
    unit="days from stop to start",
)


def judge_rebound(study: Study, facts: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of `patterns` for the rebound flag; `detail` names the drug."""
    told = facts.join(_earlier(study), on="patient_id", how="left", maintain_order="left")
    window = study.config.policies.hpd_reference_scan_window
    border = pl.coalesce("day_before", pl.lit(-window))
    stop, drug = pl.col("kinase_stop"), pl.col("kinase_drug")
    given = pl.col("lines").fill_null(value=False)
    none = given & drug.is_null()
    on_drug = stop > border
    test = pl.when(none).then(pl.lit(value=False)).when(given).then(on_drug)
    last = text(drug, " of an earlier line stopped on day ", number(stop, 1))
    shown = (
        pl.when(none)
        .then(pl.lit("no kinase inhibitor in an earlier line"))
        .otherwise(text(last, "; the reference period began on day ", number(border, 1)))
    )
    clause = Clause(test=test, told=shown, why=text("when ", drug, " was stopped is not recorded"))
    gate = pl.when(~given).then(pl.lit("no treatments are recorded"))
    rule = Rule(clause=clause, gate=gate, value=pl.when(~none).then(-stop), day=pl.when(~none).then(stop))
    rows = judge(told, REBOUND, rule)
    return rows.with_columns(told["kinase_drug"].cast(pl.String).alias("detail"))


def _earlier(study: Study) -> pl.DataFrame:
    """Return the last kinase inhibitor of an earlier line, its stop, and whether anything is recorded.

    A drug without a stop day hides when the last one was stopped, so the stop is then empty.
    """
    treatments = study.table("treatments")
    if treatments is None:
        kinds = {
            "patient_id": pl.String,
            "lines": pl.Boolean,
            "kinase_drug": pl.String,
            "kinase_stop": pl.Float64,
        }
        return pl.DataFrame(schema=kinds)
    kinase = pl.col("drug").str.to_lowercase().str.contains(KINASE_STEMS)
    chosen = kinase & (pl.col("line") < study.config.index_line)
    stop = pl.col("end_day").filter(chosen)
    ordered = treatments.sort("patient_id", "end_day", "line", "drug", nulls_last=True)
    return ordered.group_by("patient_id", maintain_order=True).agg(
        pl.lit(value=True).alias("lines"),
        pl.col("drug").filter(chosen).last().alias("kinase_drug"),
        pl.when(stop.is_not_null().all()).then(stop.max()).alias("kinase_stop"),
    )
