"""ADRS: responses at each visit, best responses, response, progression, measurable disease."""

from __future__ import annotations

from typing import Final

import polars as pl

from hccresist.export.datasets import ADRS
from hccresist.export.parameters import Coding, Parameter
from hccresist.export.rows import Tables, add_subjects, code_parameters, number_rows, study_day
from hccresist.study.study import Study

RESPONSE: Final = "Tumor Response"
VALUES: Final[dict[str, int]] = {
    "CR": 1,
    "PR": 2,
    "SD": 3,
    "NON-CR/NON-PD": 4,
    "PD": 5,
    "NE": 6,
    "iCR": 1,
    "iPR": 2,
    "iSD": 3,
    "NON-iCR/NON-iUPD": 4,
    "iUPD": 5,
    "iCPD": 7,
    "NED": 8,
}
"""``AVAL`` of a response: 1 to 6 as admiralonco's ``aval_resp``; iCPD and NED are ours."""
RESPONDED: Final = ("CR", "PR", "iCR", "iPR")

AT_VISIT: Final = {
    "overall": Parameter("OVR", "Overall Response", RESPONSE),
    "target": Parameter("TRG", "Target Response", RESPONSE),
    "nontarget": Parameter("NTR", "Non-target Response", RESPONSE),
    "new_lesion": Parameter("NEW", "New Lesion", RESPONSE),
}
OF_PATIENT: Final = {
    "best": Parameter("BOR", "Best Overall Response (confirmation not required)", RESPONSE),
    "best_confirmed": Parameter("CBOR", "Best Confirmed Overall Response", RESPONSE),
    "responded": Parameter("RSP", "Response (confirmation not required)", RESPONSE),
    "responded_confirmed": Parameter("CRSP", "Confirmed Response", RESPONSE),
    "progressed": Parameter("PD", "Disease Progression", RESPONSE),
}
MEASURABLE: Final = Parameter("MDIS", "Measurable Disease at Baseline", RESPONSE)

_FLAGS: Final = ("new_lesion", "responded", "responded_confirmed", "progressed")
_SOURCES: Final = {
    "responded": "FIRST_RESPONSE_DAY",
    "responded_confirmed": "BEST_CONFIRMED",
    "progressed": "PROGRESSION_DAY",
}
_DAYS: Final = {"best": "best_day", "responded": "first_response_day", "progressed": "progression_day"}


def derive_adrs(study: Study, tables: Tables) -> pl.DataFrame:
    """Return ADRS: responses at each visit, best responses, response, progression, measurable disease.

    ``ANL01FL`` is Y for visits up to and including progression (iRECIST: confirmed progression) and up to the
    start of a later line of treatment (policy ``new_therapy``), and for every record of a patient as a whole.
    """
    best = number_rows(tables["best_response"], "best_response").with_columns(
        responded=pl.col("first_response_day").is_not_null(),
        responded_confirmed=pl.col("best_confirmed").is_in(RESPONDED),
        progressed=pl.col("progression_day").is_not_null(),
    )
    coding = code_parameters(study, [tables["timepoints"], best])
    visits = _analysed(number_rows(tables["timepoints"], "timepoints"), best, study)
    parts = [_records(visits, coding, name, p, day=study_day("day")) for name, p in AT_VISIT.items()]
    whole = best.with_columns(ANL01FL=pl.lit("Y"))
    for name, parameter in OF_PATIENT.items():
        day = study_day(_DAYS[name]) if name in _DAYS else pl.lit(None, dtype=pl.Int64)
        parts.append(_records(whole, coding, name, parameter, day=day))
    if "baselines" in tables:
        base = number_rows(tables["baselines"], "baselines").with_columns(ANL01FL=pl.lit("Y"))
        parts.append(_records(base, coding, "measurable", MEASURABLE, day=study_day("day")))
    return ADRS.finish(add_subjects(study, pl.concat(parts)))


def _records(
    rows: pl.DataFrame, coding: Coding, column: str, parameter: Parameter, *, day: pl.Expr
) -> pl.DataFrame:
    """Return the records of one parameter: rows in which the column is not empty."""
    value = _yes_no(column) if column in (*_FLAGS, "measurable") else _word(column)
    return rows.filter(pl.col(column).is_not_null()).select(
        "patient_id",
        *coding.columns(parameter),
        day.cast(pl.Int64).alias("ADY"),
        *value,
        "ANL01FL",
        "SRCDOM",
        pl.lit(_SOURCES.get(column, column.upper())).alias("SRCVAR"),
        "SRCSEQ",
    )


def _analysed(visits: pl.DataFrame, best: pl.DataFrame, study: Study) -> pl.DataFrame:
    """Return visits with the flag of those that count for the best response."""
    series = ["patient_id", "reader", "criterion"]
    rows = visits.join(best.select(*series, "progression_day"), on=series, how="left", maintain_order="left")
    rows = rows.join(_later_therapy(study), on="patient_id", how="left", maintain_order="left")
    ends = (pl.col("overall") == "PD") & (pl.col("day") >= pl.col("progression_day"))
    last = pl.col("day").filter(ends | (pl.col("overall") == "iCPD")).min().over(series)
    within = pl.col("day") <= pl.min_horizontal(last, "therapy")
    return rows.with_columns(ANL01FL=pl.when(within.fill_null(value=True)).then(pl.lit("Y")))


def _later_therapy(study: Study) -> pl.DataFrame:
    """Return the start of a later line of treatment, where the policy lets it end the assessment."""
    treatments = study.table("treatments")
    if treatments is None or study.config.policies.new_therapy != "censor":
        return pl.DataFrame(schema={"patient_id": pl.String, "therapy": pl.Float64})
    later = treatments.filter(pl.col("line") > study.config.index_line).drop_nulls("start_day")
    return later.group_by("patient_id").agg(therapy=pl.col("start_day").min())


def _yes_no(column: str) -> list[pl.Expr]:
    flag = pl.col(column)
    return [
        flag.cast(pl.Float64).alias("AVAL"),
        pl.when(flag).then(pl.lit("Y")).when(~flag).then(pl.lit("N")).alias("AVALC"),
    ]


def _word(column: str) -> list[pl.Expr]:
    value = pl.col(column).replace_strict(VALUES, default=None, return_dtype=pl.Float64)
    return [value.alias("AVAL"), pl.col(column).alias("AVALC")]
