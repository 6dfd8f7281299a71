"""Swimmer plot: time on treatment and under observation, one lane a patient."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.report import words
from hccresist.report.facts import Facts, View
from hccresist.report.figures.figure import Figure, draw, thin

MAX_LANES: Final = 60
MARKS: Final = ("first response", "progression", "death", "still on treatment")
"""Marks on the lanes."""


def compute_lanes(facts: Facts, view: View) -> pl.DataFrame:
    """Return one row a patient with the days that a swimmer plot shows, longest observation first.

    Returns
    -------
    polars.DataFrame
        patient_id, best, treatment_start_day, treatment_end_day, treatment_ongoing,
        first_response_day, progression_day, last_day, died.
    """
    best = facts.of_view("best_response", view)
    if best.is_empty():
        return pl.DataFrame()
    lanes = best.select("patient_id", "best", "first_response_day", "progression_day")
    for part in (_index_line(facts), _follow_up(facts), _last_visit(facts, view)):
        lanes = lanes.join(part, on="patient_id", how="left")
    lanes = lanes.with_columns(
        last_day=pl.max_horizontal(
            "observed_day", "visit_day", "treatment_end_day", "progression_day", "first_response_day"
        )
    ).filter(pl.col("last_day").is_not_null())
    lanes = lanes.with_columns(
        treatment_end_day=pl.when(pl.col("treatment_ongoing"))
        .then(pl.col("last_day"))
        .otherwise(pl.col("treatment_end_day")),
        died=pl.col("died").fill_null(value=False),
        treatment_ongoing=pl.col("treatment_ongoing").fill_null(value=False),
    )
    return lanes.drop("observed_day", "visit_day").sort(["last_day", "patient_id"], descending=[True, False])


def plot_swimmer(facts: Facts, view: View) -> Figure | None:
    """Return the swimmer plot of one criterion and reader, or ``None`` where no day is known."""
    from hccresist.report.figures.charts import swimmer  # noqa: PLC0415  (Altair loads slowly)

    lanes = compute_lanes(facts, view)
    if lanes.is_empty():
        return None
    key = f"swimmer-{view.key}"
    picked = thin(lanes, MAX_LANES)
    marks = _marks(picked)
    chart = swimmer.chart_swimmer(picked, marks)
    return Figure(
        key=key,
        title=f"Treatment and events, {view.label}",
        heading="Treatment and events",
        caption=_caption(facts, picked, lanes.height),
        alt=f"Swimmer plot of {words.plural(picked.height, 'patient')}, {view.label}: "
        + ", ".join(f"{name} {int((marks['mark'] == name).sum())}" for name in MARKS)
        + ".",
        data=picked,
        svg=draw(chart, key=key, rows={"lanes": picked.with_columns(origin=0.0), "marks": marks}),
    )


def _index_line(facts: Facts) -> pl.DataFrame:
    treatments = facts.study.table("treatments")
    if treatments is None:
        treatments = pl.DataFrame(
            schema={"patient_id": pl.String, "line": pl.Int64, "start_day": pl.Float64, "end_day": pl.Float64}
        )
    index = treatments.filter(
        pl.col("line") == facts.study.config.index_line, pl.col("start_day").is_not_null()
    )
    return index.group_by("patient_id").agg(
        treatment_start_day=pl.col("start_day").min(),
        treatment_end_day=pl.col("end_day").max(),
        treatment_ongoing=pl.col("end_day").is_null().any(),
    )


def _follow_up(facts: Facts) -> pl.DataFrame:
    survival = facts.study.table("survival")
    if survival is None:
        return pl.DataFrame(schema={"patient_id": pl.String, "observed_day": pl.Float64, "died": pl.Boolean})
    return survival.select(
        "patient_id", pl.coalesce("os_days", "last_alive_day").alias("observed_day"), pl.col("died")
    )


def _last_visit(facts: Facts, view: View) -> pl.DataFrame:
    visits = facts.of_view("timepoints", view)
    if visits.is_empty():
        return pl.DataFrame(schema={"patient_id": pl.String, "visit_day": pl.Float64})
    return visits.group_by("patient_id").agg(pl.col("day").max().alias("visit_day"))


def _marks(lanes: pl.DataFrame) -> pl.DataFrame:
    days = (
        lanes.select("patient_id", day="first_response_day", mark=pl.lit("first response")),
        lanes.select("patient_id", day="progression_day", mark=pl.lit("progression")),
        lanes.filter("died").select("patient_id", day="last_day", mark=pl.lit("death")),
        lanes.filter("treatment_ongoing").select(
            "patient_id", day="treatment_end_day", mark=pl.lit("still on treatment")
        ),
    )
    return pl.concat(days).filter(pl.col("day").is_not_null())


def _caption(facts: Facts, picked: pl.DataFrame, total: int) -> str:
    parts = ["One lane a patient, longest observation first. Thin line: observation."]
    parts.append("Bar: treatment of the index line, coloured by best response.")
    if picked["treatment_start_day"].null_count() == picked.height:
        parts.append("No treatment days were given, so no bar is drawn.")
    if picked.height < total:
        parts.append(
            f"{picked.height} of {words.count(total)} patients drawn, evenly spaced by length of "
            "observation; each patient listed below has a timeline of their own."
        )
    missing = facts.study.patients.height - total
    if missing > 0:
        parts.append(f"{words.plural(missing, 'patient')} without any day not drawn.")
    return " ".join(parts)
