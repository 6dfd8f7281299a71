"""Do responders live longer? Asked at a landmark, or not at all.

A patient must live long enough to respond. Counted from day 0, responders therefore carry time in
which they could not have died ("immortal time"), and they seem to live longer even where response means
nothing. At a landmark everybody still under observation is sorted by what was known by then, and
survival is counted from there.

References
----------
Anderson JR, Cain KC, Gelber RD. J Clin Oncol 1983;1:710–719, doi:10.1200/JCO.1983.1.11.710.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from hccresist.errors import ConfigError
from hccresist.outcomes.contrasts import hazard_ratio, log_rank
from hccresist.outcomes.counts import Counts, EndpointCounts, observation_times, tally
from hccresist.outcomes.groups import ALL, KEYS
from hccresist.outcomes.kaplan_meier import Estimate, kaplan_meier, median
from hccresist.outcomes.results import SurvivalSummary
from hccresist.outcomes.survival import RESPONDERS_ONLY
from hccresist.study.study import Study

RESPONDER: Final = "responder"
OTHER: Final = "non-responder"

_COURSE: Final = ("reader", "criterion")


def landmark_comparison(
    study: Study,
    events: pl.DataFrame,
    *,
    best_response: pl.DataFrame,
    landmark_days: float,
    endpoint: str = "OS",
) -> pl.DataFrame:
    """Return survival of responders and non-responders after a landmark.

    1. Patients whose event or censoring came on or before the landmark are dropped; how many, and
       why, stands in the row ``landmark_dropped``.
    2. Responders are those whose first CR or PR (iCR, iPR) came on or before the landmark. A later
       response, and whether this one was confirmed later, was not known then and does not count.
    3. Time runs from the landmark: ``landmark_median`` (days after it, for each group),
       ``landmark_logrank_p`` and ``landmark_hazard_ratio`` (responders against non-responders).

    The comparison describes; it does not show that response prolongs life.

    Parameters
    ----------
    study
        The checked study: delayed entry.
    events
        Table `events`.
    best_response
        Result table of *assess*.
    landmark_days
        Day of the landmark, after day 0: chosen beforehand, for example a planned scan.
    endpoint
        ``OS``, ``PFS``, ``iPFS``, ``TTP``, or an endpoint that the study brings.

    Returns
    -------
    pl.DataFrame
        Rows like those of `survival_summary`, for each reader and criterion, with `at_days` the
        landmark; sorted by key.

    Raises
    ------
    ConfigError
        When the landmark is not after day 0, or the endpoint exists for responders only: both
        would compare by what came later.
    """
    _check(landmark_days, endpoint)
    rows = _rows(study, events.filter(pl.col("endpoint") == endpoint), best_response)
    after = rows.filter(pl.col("days") > landmark_days).with_columns(
        group=pl.when(pl.col("first_response_day") <= landmark_days)
        .then(pl.lit(RESPONDER))
        .otherwise(pl.lit(OTHER)),
        days=pl.col("days") - landmark_days,
        entry=(pl.col("entry") - landmark_days).clip(lower_bound=0.0),
    )
    tallies = tally(after, (RESPONDER, OTHER))
    found = [_dropped(rows, landmark_days), *(_summary(counts, landmark_days) for counts in tallies)]
    table = pl.concat([SurvivalSummary.cast(frame) for frame in found])
    return table.sort(SurvivalSummary.primary_key())


def _check(landmark_days: float, endpoint: str) -> None:
    if not landmark_days > 0:
        msg = (
            "Responders are compared with non-responders from a landmark after day 0. From day 0 on the "
            "comparison is biased: who responds has to live until then (immortal time). Name a day, for "
            "example that of the first or second planned scan."
        )
        raise ConfigError(msg)
    if endpoint in RESPONDERS_ONLY:
        msg = f"{endpoint} exists for responders only and cannot be compared with non-responders."
        raise ConfigError(msg)


def _rows(study: Study, events: pl.DataFrame, best_response: pl.DataFrame) -> pl.DataFrame:
    """Return the endpoint of each patient for each reader and criterion, with the first response.

    Endpoints without a reader and criterion of their own (OS, and those that only the study brings)
    are compared under every one of them.
    """
    times = observation_times(study, events, keep=["patient_id"]).drop("group")
    responses = best_response.select(*KEYS, "first_response_day")
    shared = (pl.col("reader") == "") & pl.col("criterion").is_in(["", "recorded"])
    own = times.filter(~shared).join(responses, on=KEYS, how="inner")
    if not own.is_empty():
        return own
    return times.filter(shared).drop(_COURSE).join(responses, on="patient_id", how="inner")


def _dropped(rows: pl.DataFrame, landmark_days: float) -> pl.DataFrame:
    """Return one row a reader and criterion: how many were dropped, and why."""
    early = pl.col("days") <= landmark_days
    sums = rows.group_by(*_COURSE, "endpoint").agg(
        n=pl.len().cast(pl.Int64),
        events=(early & pl.col("event")).sum().cast(pl.Int64),
        censored=(early & ~pl.col("event")).sum().cast(pl.Int64),
    )
    return sums.select(
        *_COURSE,
        "endpoint",
        group=pl.lit(ALL),
        statistic=pl.lit("landmark_dropped"),
        at_days=pl.lit(float(landmark_days)),
        value=(pl.col("events") + pl.col("censored")).cast(pl.Float64),
        low=pl.lit(None, dtype=pl.Float64),
        high=pl.lit(None, dtype=pl.Float64),
        n="n",
        events="events",
        note=pl.format(
            "{} of {} patients dropped: {} had the event and {} were censored by day {}",
            pl.col("events") + pl.col("censored"),
            "n",
            "events",
            "censored",
            pl.lit(f"{landmark_days:g}"),
        ),
    )


def _summary(counts: EndpointCounts, landmark_days: float) -> pl.DataFrame:
    key = {"reader": counts.reader, "criterion": counts.criterion, "endpoint": counts.endpoint}
    rows = [
        {
            **key,
            "group": group,
            "statistic": statistic,
            "at_days": float(landmark_days),
            "value": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "n": sum(of_group.n for of_group in members),
            "events": sum(of_group.n_events for of_group in members),
            "note": estimate.note,
        }
        for group, statistic, estimate, members in _estimates(counts)
    ]
    return pl.DataFrame(rows, schema=SurvivalSummary.create_empty().schema)


def _estimates(counts: EndpointCounts) -> Iterator[tuple[str, str, Estimate, list[Counts]]]:
    groups = counts.groups
    for group in (RESPONDER, OTHER):
        yield group, "landmark_median", median(kaplan_meier(groups[group])), [groups[group]]
    both, members = f"{RESPONDER} vs {OTHER}", [groups[RESPONDER], groups[OTHER]]
    test = log_rank([groups], (RESPONDER, OTHER))
    yield both, "landmark_logrank_p", Estimate(test.p_value, note=test.note), members
    yield both, "landmark_hazard_ratio", hazard_ratio([groups], RESPONDER, OTHER), members
