"""ADTTE: time to event. ``CNSR`` is 0 for an event: only here our `event` (it happened) is turned round."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.export.datasets import ADTTE
from hccresist.export.parameters import Coding, Parameter, endpoint_heads
from hccresist.export.rows import Tables, add_subjects, code_parameters, number_rows, study_day
from hccresist.study.study import Study

TITLES: Final = {
    "OS": "Overall Survival",
    "PFS": "Progression Free Survival",
    "TTP": "Time to Progression",
    "DOR": "Duration of Response",
    "TTR": "Time to Response",
    "iPFS": "Progression Free Survival",
    "iDOR": "Duration of Response",
}
FROM_RESPONSE: Final = ("DOR", "iDOR")
EVENTS: Final = {
    "progression": "Disease progression",
    "death": "Death",
    "procedure": "Transplant or curative resection",
    "response": "Response",
    "recorded": "Event as recorded",
}
CENSORED: Final = (
    ("new therapy", "New therapy", "Last adequate assessment before it"),
    ("response not counted", "Response after the end of follow-up", "End of follow-up"),
    ("missed visits", "Event after missed visits", "Last adequate assessment"),
    ("transplant or resection", "Transplant or curative resection", "Last adequate assessment before it"),
    ("death without progression", "Death without progression", "Last adequate assessment"),
    ("last contact", "Alive", "Last contact"),
    ("last day known alive", "Alive", "Last day known alive"),
    ("no event seen", "No event", "Last adequate assessment"),
)
"""What the reason of a censored row says, and how it reads as event and as date description."""
UNASSESSED: Final = "no adequate assessment after baseline"


def derive_adtte(study: Study, tables: Tables) -> pl.DataFrame:
    """Return ADTTE: one record a subject, endpoint, criterion and reader.

    ``AVAL`` is the number of days from the origin, as in `events` (day 0 to day 84 is 84); ``STARTDY`` and
    ``ADY`` are relative days of CDISC (1 and 85). ``CNSR`` is 0 for an event and 1 for a censored row.
    """
    rows = number_rows(tables["events"], "events")
    coding = code_parameters(study, [rows])
    series = ["patient_id", "reader", "criterion"]
    if "best_response" in tables:
        first = tables["best_response"].select(*series, "first_response_day")
        rows = rows.join(first, on=series, how="left", maintain_order="left")
    else:
        rows = rows.with_columns(first_response_day=pl.lit(None, dtype=pl.Float64))
    of_response = pl.col("endpoint").is_in(FROM_RESPONSE)
    origin = pl.when(of_response).then("first_response_day").otherwise(pl.lit(0.0))
    frames = [
        _endpoint(of_one, coding, Parameter(head, TITLES.get(name, name), "Time to Event"), origin)
        for name, head in endpoint_heads(rows["endpoint"].unique().to_list()).items()
        if (of_one := rows.filter(pl.col("endpoint") == name)).height
    ]
    return ADTTE.finish(add_subjects(study, pl.concat(frames))) if frames else ADTTE.finish(_nobody(study))


def _endpoint(rows: pl.DataFrame, coding: Coding, parameter: Parameter, origin: pl.Expr) -> pl.DataFrame:
    """Return the records of one endpoint."""
    return rows.select(
        "patient_id",
        *coding.columns(parameter),
        pl.col("days").alias("AVAL"),
        study_day(origin).alias("STARTDY"),
        study_day(origin + pl.col("days")).alias("ADY"),
        pl.when("event").then(0).otherwise(1).alias("CNSR"),
        pl.when("event").then(_event()).otherwise(_censored(1)).alias("EVNTDESC"),
        pl.when(~pl.col("event")).then(_censored_at()).alias("CNSDTDSC"),
        "SRCDOM",
        pl.lit("DAYS").alias("SRCVAR"),
        "SRCSEQ",
    )


def _event() -> pl.Expr:
    return pl.col("cause").replace_strict(EVENTS, default="Event as recorded", return_dtype=pl.String)


def _censored(part: int) -> pl.Expr:
    """Return what the reason of a censored row says: why (1), or at what day (2)."""
    says = [
        pl.when(pl.col("reason").str.contains(case[0], literal=True)).then(pl.lit(case[part]))
        for case in CENSORED
    ]
    return pl.coalesce(*says, pl.lit("As recorded"))


def _censored_at() -> pl.Expr:
    none = pl.col("reason").str.contains(UNASSESSED, literal=True)
    return pl.when(none).then(pl.lit("Day 1: no assessment after baseline")).otherwise(_censored(2))


def _nobody(study: Study) -> pl.DataFrame:
    return add_subjects(study, pl.DataFrame(schema={"patient_id": pl.String}))
