"""The rule of each time-to-event endpoint: from the facts of a patient to event or censoring.

A rule takes *facts*, one row a patient, reader and criterion, and returns rows of the table
`events`. The columns of the facts, all days counted from day 0 of the index line and null where
there is no such day:

============== =======================================================================
rank           place of the patient in the sorted list of patients
progression    progression as *assess* dated it (iRECIST: first iUPD of the confirmed block)
death          death
therapy        first later line of treatment; null where the policy ignores it
procedure      first transplant or resection; null where the policy ignores it
response       first response of a responder
best           best response that makes the patient a responder
last_day       last adequate assessment before progression, and not after death, new therapy or
               the procedure; null where there is none
============== =======================================================================

References
----------
FDA guidance for industry: Clinical Trial Endpoints for the Approval of Cancer Drugs and Biologics
(2018), on progression-free survival and time to progression. RECIST 1.1, section 4 on the duration of response,
doi:10.1016/j.ejca.2008.10.026. iRECIST, doi:10.1016/S1470-2045(17)30074-8.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from hccresist.outcomes.groups import KEYS
from hccresist.outcomes.visits import Ints, attended_visit, visits_due
from hccresist.study.study import StudyConfig

ROW: Final = ("rank", *KEYS, "endpoint", "days", "event", "reason", "cause")
"""Columns of a rule's result: those of `events`, and the rank of the patient."""

NO_ASSESSMENT_DAY: Final = 1.0
"""Day on which a patient without an assessment after baseline is censored."""


def overall_survival(patients: pl.DataFrame) -> pl.DataFrame:
    """Return OS: from day 0 to death from any cause.

    1. `os_days` with `died` true is death on that day.
    2. `os_days` without death is censoring on that day; so it is where `died` is not recorded,
       since the patient was alive until then.
    3. Without `os_days` the patient is censored at `last_alive_day`, also when the day of a
       recorded death is unknown.
    4. A patient with neither, or without a row in table `survival`, has no row.

    New therapy, transplant and resection never censor OS.

    Parameters
    ----------
    patients
        Columns rank, patient_id, os_days, died and last_alive_day.
    """
    died = pl.col("died").fill_null(value=False)
    event = died & pl.col("os_days").is_not_null()
    known = patients.with_columns(
        days=pl.coalesce("os_days", "last_alive_day").clip(lower_bound=0.0), event=event
    ).filter(pl.col("days").is_not_null())
    head = (
        pl.when("event")
        .then(pl.lit("death on day "))
        .when(pl.col("os_days").is_not_null())
        .then(pl.lit("censored at last contact, day "))
        .otherwise(pl.lit("censored at the last day known alive, day "))
    )
    tail = (
        pl.when(pl.col("died").is_null())
        .then(pl.lit(": whether the patient died is not recorded"))
        .when(died & ~pl.col("event"))
        .then(pl.lit(": the day of death is not recorded"))
        .otherwise(pl.lit(""))
    )
    return known.with_columns(
        reader=pl.lit(""),
        criterion=pl.lit(""),
        endpoint=pl.lit("OS"),
        reason=pl.concat_str(head, say_day("days"), tail),
        cause=pl.when("event").then(pl.lit("death")),
    ).select(ROW)


def progression_free_survival(facts: pl.DataFrame, config: StudyConfig) -> pl.DataFrame:
    """Return judged facts of PFS: from day 0 to progression or death, whichever comes first.

    1. Progression, or death without it, is the event. Where policy `curative_procedure` is
       ``event``, a transplant or resection is one too.
    2. New therapy (policy `new_therapy` ``censor``), or a transplant or resection (policy
       `curative_procedure` ``censor``), before the event: censored at the last adequate
       assessment not after it. Progression or death on the same day is still the event.
    3. At least `missed_visits_to_censor` planned visits missed right before the event: censored at
       the last adequate assessment. A visit is missed when no adequate assessment is nearest to
       its planned day. Without a visit grid, or with the policy 0, none is counted as missed;
       after the grid's last day none can be.
    4. No event: censored at the last adequate assessment, that is the last visit whose overall
       response is not NE.
    5. Where rules 2 to 4 find no adequate assessment after baseline: censored at day 1. A death
       before the first scan was due, or before `missed_visits_to_censor` planned visits were
       missed, remains an event by rules 1 and 3; without a visit grid it always does.

    Returns
    -------
    pl.DataFrame
        The facts with days, event, reason and cause.
    """
    return _judge(facts, config, death_counts=True)


def time_to_progression(facts: pl.DataFrame, config: StudyConfig) -> pl.DataFrame:
    """Return judged facts of TTP: as PFS, but death without progression is censored.

    The censoring day is the last adequate assessment, as for every patient without an event.
    """
    return _judge(facts, config, death_counts=False)


def duration_of_response(pfs: pl.DataFrame) -> pl.DataFrame:
    """Return judged facts of DOR: responders, from the first response to the end of their PFS.

    A response that came after the day on which PFS was censored (new therapy had been started) is
    not counted as time in response: the row is censored after 0 days and says so.

    Parameters
    ----------
    pfs
        Facts as judged by `progression_free_survival`.
    """
    counted = _response_counts()
    return _responders(pfs).with_columns(
        days=(pl.col("days") - pl.col("response")).clip(lower_bound=0.0),
        event=pl.col("event") & counted,
        cause=pl.when(counted).then("cause"),
        reason=pl.concat_str(_response_phrase(), pl.lit("; "), "reason"),
    )


def time_to_response(pfs: pl.DataFrame) -> pl.DataFrame:
    """Return judged facts of TTR: responders, from day 0 to their first response.

    A response that came after the day on which PFS was censored does not count; the row is
    censored on that day.

    Parameters
    ----------
    pfs
        Facts as judged by `progression_free_survival`.
    """
    counted = _response_counts()
    return _responders(pfs).with_columns(
        days=pl.when(counted).then(pl.col("response").clip(lower_bound=0.0)).otherwise("days"),
        event=counted,
        cause=pl.when(counted).then(pl.lit("response")),
        reason=pl.when(counted)
        .then(_response_phrase())
        .otherwise(pl.concat_str(_response_phrase(), pl.lit("; "), "reason")),
    )


def rows_of(judged: pl.DataFrame, endpoint: str) -> pl.DataFrame:
    """Return judged facts as rows of table `events`, with the rank of the patient."""
    return judged.with_columns(endpoint=pl.lit(endpoint)).select(ROW)


def say_day(column: str) -> pl.Expr:
    """Return days as text, to a tenth of a day and without a needless ``.0``.

    Examples
    --------
    >>> pl.DataFrame({"day": [84.0, 85.25]}).select(say_day("day"))["day"].to_list()
    ['84', '85.2']
    """
    return pl.col(column).round(1).cast(pl.String).str.strip_suffix(".0")


def _responders(pfs: pl.DataFrame) -> pl.DataFrame:
    return pfs.filter(pl.col("response").is_not_null())


def _response_counts() -> pl.Expr:
    return pl.col("response") <= pl.col("days")


def _response_phrase() -> pl.Expr:
    head = pl.when(_response_counts()).then(pl.lit("first response on day "))
    head = head.otherwise(pl.lit("response not counted, since it came only on day "))
    return pl.concat_str(head, say_day("response"), pl.lit(" (best "), "best", pl.lit(")"))


def _judge(facts: pl.DataFrame, config: StudyConfig, *, death_counts: bool) -> pl.DataFrame:
    policies = config.policies
    causes = ["progression"]
    if policies.curative_procedure == "event":
        causes.append("procedure")
    if death_counts:
        causes.append("death")
    stops = ["therapy", *(["procedure"] if policies.curative_procedure == "censor" else [])]
    judged = facts.with_columns(event_day=pl.min_horizontal(causes), stop_day=pl.min_horizontal(stops))
    judged = judged.with_columns(_first(causes, "event_day").alias("cause"))
    judged = judged.with_columns(missed=_missed_visits(judged, config))
    judged = judged.with_columns(_verdict(stops, policies.missed_visits_to_censor).alias("verdict"))
    event = pl.col("verdict") == "event"
    reason = _sentence()
    return judged.with_columns(
        days=pl.when(event)
        .then("event_day")
        .otherwise(pl.col("last_day").fill_null(NO_ASSESSMENT_DAY))
        .clip(lower_bound=0.0),
        event=event,
        cause=pl.when(event).then("cause"),
        reason=reason,
    )


def _first(columns: list[str], day: str) -> pl.Expr:
    """Name the first of the columns that holds the day; on one day the order of the list decides."""
    return pl.coalesce(pl.when(pl.col(name) == pl.col(day)).then(pl.lit(name)) for name in columns)


def _missed_visits(judged: pl.DataFrame, config: StudyConfig) -> pl.Series:
    """Count planned visits without an adequate assessment between the last one and the event."""
    planned = sorted({day for day in config.planned_visit_days if day > 0})
    if not planned:
        return pl.zeros(judged.height, dtype=pl.Int64, eager=True)
    due = _due_before_event(judged, planned)
    missed = np.maximum(due - attended_visit(judged["last_day"], planned), 0)
    return pl.Series(missed, dtype=pl.Int64)


def _due_before_event(judged: pl.DataFrame, planned: list[float]) -> Ints:
    """Count planned visits before the event; a progression was itself seen at a visit."""
    day = judged["event_day"]
    seen = attended_visit(day, planned) - 1
    return np.where((judged["cause"] == "progression").fill_null(value=False), seen, visits_due(day, planned))


def _verdict(stops: list[str], limit: int) -> pl.Expr:
    happened = pl.col("event_day").is_not_null()
    stopped = pl.col("stop_day").is_not_null() & (~happened | (pl.col("stop_day") < pl.col("event_day")))
    missed = (pl.col("missed") >= limit) if limit > 0 else pl.lit(value=False)
    return (
        pl.when(stopped)
        .then(_first(stops, "stop_day"))
        .when(happened & missed)
        .then(pl.lit("missed"))
        .when(happened)
        .then(pl.lit("event"))
        .when(pl.col("death").is_not_null())
        .then(pl.lit("death"))
        .otherwise(pl.lit("none"))
    )


_PHRASE: Final = {
    "event": "",
    "therapy": ": new therapy from day ",
    "procedure": ": transplant or resection on day ",
    "death": ": death without progression on day ",
    "none": ": no event seen",
}

_NOUN: Final = {"progression": "progression", "death": "death", "procedure": "transplant or resection"}


def _sentence() -> pl.Expr:
    """Build the reason: what decided, on which day, and why the patient is censored there."""
    event, seen = pl.col("verdict") == "event", pl.col("last_day").is_not_null()
    noun = pl.col("cause").replace_strict(_NOUN, default=None, return_dtype=pl.String)
    head = (
        pl.when(event)
        .then(pl.concat_str(noun, pl.lit(" on day ")))
        .when(seen)
        .then(pl.lit("censored at last adequate assessment, day "))
        .otherwise(pl.lit("censored at day 1, no adequate assessment after baseline"))
    )
    first_day = pl.when(event).then(say_day("event_day")).when(seen).then(say_day("last_day"))
    return pl.concat_str(head, first_day, _middle(noun), _second_day(), _tail(), ignore_nulls=True)


def _middle(noun: pl.Expr) -> pl.Expr:
    verdict = pl.col("verdict")
    by_death = (verdict == "event") & (pl.col("cause") == "death")
    return (
        pl.when(by_death & pl.col("last_day").is_not_null())
        .then(pl.lit(" without progression"))
        .when(by_death)
        .then(pl.lit(" before any adequate assessment"))
        .when(verdict == "missed")
        .then(pl.concat_str(pl.lit(": "), noun, pl.lit(" on day ")))
        .otherwise(verdict.replace_strict(_PHRASE, default=None, return_dtype=pl.String))
    )


def _second_day() -> pl.Expr:
    verdict = pl.col("verdict")
    return (
        pl.when(verdict.is_in(["therapy", "procedure"]))
        .then(say_day("stop_day"))
        .when(verdict == "missed")
        .then(say_day("event_day"))
        .when(verdict == "death")
        .then(say_day("death"))
    )


def _tail() -> pl.Expr:
    missed = pl.col("missed").cast(pl.String)
    text = pl.concat_str(pl.lit(" came after "), missed, pl.lit(" missed visits"))
    return pl.when(pl.col("verdict") == "missed").then(text)
