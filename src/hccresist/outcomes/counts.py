"""From times to event to counts: how many leave, and how many enter, on each day.

Everything that is estimated here (Kaplan–Meier, log-rank, Cox with one arm against another,
Aalen–Johansen) depends on the patients only through these counts. They are made in one pass over
all endpoints, so that a million patients cost little more than a hundred from here on. Days are
rounded to a millionth, since 20.71428571 weeks and 145 days are meant to be the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from hccresist.errors import ConfigError
from hccresist.outcomes.groups import ALL, KEYS, arm_of_patients
from hccresist.outcomes.visits import Floats, Ints
from hccresist.study.issues import nearest
from hccresist.study.study import Study

FROM_RESPONSE: Final = ("DOR", "iDOR")
"""Endpoints whose time starts with the first response instead of day 0."""

DIGITS: Final = 6
"""Decimal places to which days are rounded before they are compared."""

_ENDPOINT: Final = ("reader", "criterion", "endpoint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many patients of one group have an event, are censored, or enter late.

    Attributes
    ----------
    days
        Distinct days of events and censorings, ascending; shape = (n_days,).
    events, censored
        Patients with the event, and patients censored, on each of these days.
    entry_days, entries
        Distinct days after day 0 on which patients come under observation, ascending, and how
        many; empty where everybody is observed from the start.
    idle
        Patients left out because their time ended before they came under observation.
    """

    days: Floats
    events: Ints
    censored: Ints
    entry_days: Floats
    entries: Ints
    idle: int = 0

    @property
    def n(self) -> int:
        """Patients counted."""
        return int(self.events.sum() + self.censored.sum())

    @property
    def n_events(self) -> int:
        """Events counted."""
        return int(self.events.sum())

    def at_risk(self, days: Floats) -> Ints:
        """Return how many patients are under observation and event-free just before each day."""
        left = _before(self.days, self.events + self.censored, days)
        entered = _before(self.entry_days, self.entries, days)
        return self.n - int(self.entries.sum()) + entered - left

    def events_on(self, days: Floats) -> Ints:
        """Return how many events happened on each day."""
        place = np.searchsorted(self.days, days)
        found = np.isin(days, self.days)
        return np.where(found, self.events[np.minimum(place, len(self.days) - 1)], 0) if self.n else 0 * place

    def reversed(self) -> Counts:
        """Return the counts with events and censorings exchanged, for the reverse Kaplan–Meier."""
        return Counts(
            days=self.days,
            events=self.censored,
            censored=self.events,
            entry_days=self.entry_days,
            entries=self.entries,
            idle=self.idle,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointCounts:
    """The counts of one endpoint: of each group, and of each arm within each stratum.

    Attributes
    ----------
    reader, criterion, endpoint
        Key of the endpoint.
    groups
        Counts of all patients under ``all``, then of every arm, also of arms without a patient.
    strata
        For each stratum, the counts of its arms; one stratum with everybody where none is asked
        for. Patients without a value in a column of the strata are left out.
    """

    reader: str
    criterion: str
    endpoint: str
    groups: Mapping[str, Counts]
    strata: tuple[Mapping[str, Counts], ...]


def observation_times(
    study: Study, events: pl.DataFrame, *, strata: Sequence[str] = (), keep: Sequence[str] = ()
) -> pl.DataFrame:
    """Return the rows of `events` with group, stratum, and the day from which each is observed.

    Delayed entry (`entry_day` in table `survival`) holds for every endpoint counted from day 0;
    for the duration of response it is shifted by the day of response, taken from TTR.

    Parameters
    ----------
    study
        The checked study: patients with their arms, survival with `entry_day`.
    events
        Table `events`.
    strata
        Columns of table `patients` that make the strata.
    keep
        Further columns of `events` to keep.

    Returns
    -------
    pl.DataFrame
        Columns reader, criterion, endpoint, group (arm or null), stratum (null where a value is
        missing), days, event, entry (0 where observed from the start).

    Raises
    ------
    ConfigError
        When a column of the strata does not exist.
    """
    people = arm_of_patients(study).rename({"arm": "group"})
    people = people.with_columns(_strata(study, strata).alias("stratum"))
    rows = events.select(*dict.fromkeys((*KEYS, "endpoint", "days", "event", *keep)))
    rows = _with_entry(study, rows.join(people, on="patient_id", how="left"))
    return rows.select(*_ENDPOINT, "group", "stratum", "days", "event", "entry", *keep)


def tally(rows: pl.DataFrame, arms: Sequence[str]) -> Iterator[EndpointCounts]:
    """Yield the counts of each endpoint in the order of reader, criterion and endpoint.

    Parameters
    ----------
    rows
        As `observation_times` returns them.
    arms
        Arms to be counted beside all patients.
    """
    coded = _coded(rows)
    observed = (pl.col("days") > pl.col("entry")) | (pl.col("entry") == 0)
    keys = [*_ENDPOINT, "group", "stratum"]
    exits = (
        coded.filter(observed)
        .group_by(*keys, "days")
        .agg(events=pl.col("event").sum().cast(pl.Int64), censored=(~pl.col("event")).sum().cast(pl.Int64))
    )
    entries = coded.filter(observed & (pl.col("entry") > 0)).group_by(*keys, "entry").agg(n=pl.len())
    idle = coded.filter(~observed).group_by(keys).agg(n=pl.len())
    parts = [frame.partition_by(_ENDPOINT, as_dict=True) for frame in (exits, entries, idle)]
    for key in sorted({key for part in parts for key in part}):
        yield _endpoint_counts(key, [part.get(key) for part in parts], arms)


def _endpoint_counts(
    key: tuple[object, ...], frames: Sequence[pl.DataFrame | None], arms: Sequence[str]
) -> EndpointCounts:
    def of(wanted: pl.Expr) -> Counts:
        return _counts([None if frame is None else frame.filter(wanted) for frame in frames])

    exits = frames[0]
    named = [] if exits is None else sorted(exits["stratum"].drop_nulls().unique())
    reader, criterion, endpoint = (str(part) for part in key)
    return EndpointCounts(
        reader=reader,
        criterion=criterion,
        endpoint=endpoint,
        groups={ALL: of(pl.lit(value=True)), **{arm: of(pl.col("group") == arm) for arm in arms}},
        strata=tuple(
            {arm: of((pl.col("group") == arm) & (pl.col("stratum") == stratum)) for arm in arms}
            for stratum in named
        ),
    )


def _counts(frames: Sequence[pl.DataFrame | None]) -> Counts:
    exits, entries, idle = frames
    columns = ("days", "events", "censored")
    days, events, censored = _sorted_sums(exits, columns)
    entry_days, n = _sorted_sums(entries, ("entry", "n"))
    return Counts(
        days=days.astype(float),
        events=events.astype(np.int64),
        censored=censored.astype(np.int64),
        entry_days=entry_days.astype(float),
        entries=n.astype(np.int64),
        idle=0 if idle is None else int(idle["n"].sum()),
    )


def _sorted_sums(frame: pl.DataFrame | None, columns: Sequence[str]) -> list[Floats]:
    """Return the columns as arrays, summed by the first one and in its order."""
    if frame is None:
        return [np.array([]) for _ in columns]
    sums = frame.group_by(columns[0]).agg(pl.col(name).sum() for name in columns[1:]).sort(columns[0])
    return [sums[name].to_numpy() for name in columns]


def _before(days: Floats, n: Ints, limits: Floats) -> Ints:
    """Return how many of `n` lie on days strictly before each limit."""
    return np.concatenate([[0], np.cumsum(n)])[np.searchsorted(days, limits, side="left")]


def _coded(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with rounded days, and with few-valued text as codes, which group faster."""
    text = (*_ENDPOINT, "group", "stratum")
    codes = {name: pl.Enum(rows[name].drop_nulls().unique().sort()) for name in text}
    return rows.with_columns(
        *(pl.col(name).cast(code) for name, code in codes.items()),
        pl.col("days").round(DIGITS),
        pl.col("entry").round(DIGITS).clip(lower_bound=0.0),
    )


def _strata(study: Study, strata: Sequence[str]) -> pl.Series:
    columns = study.patients.columns
    unknown = [name for name in strata if name not in columns]
    if unknown:
        hints = " ".join(f"'{name}'. {nearest(name, columns)}".strip() for name in unknown)
        msg = f"Strata are columns of table patients, and there is no column {hints}"
        raise ConfigError(msg)
    if not strata:
        return pl.repeat("", study.patients.height, eager=True)
    text = pl.concat_str((pl.col(name).cast(pl.String) for name in strata), separator=" | ")
    return study.patients.select(text).to_series()


def _with_entry(study: Study, rows: pl.DataFrame) -> pl.DataFrame:
    """Add `entry`: the day from which a row is observed, on the time scale of its endpoint."""
    survival = study.table("survival")
    late = None if survival is None else survival.filter(pl.col("entry_day") > 0)
    if late is None or late.is_empty():
        return rows.with_columns(entry=pl.lit(0.0))
    rows = rows.join(late.select("patient_id", "entry_day"), on="patient_id", how="left")
    responses = rows.filter((pl.col("endpoint") == "TTR") & pl.col("event")).select(*KEYS, start="days")
    rows = rows.join(responses, on=KEYS, how="left")
    start = pl.when(pl.col("endpoint").is_in(FROM_RESPONSE)).then("start").otherwise(0.0)
    return rows.with_columns(entry=(pl.col("entry_day") - start.fill_null(0.0)).fill_null(0.0))
