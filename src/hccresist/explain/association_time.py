"""When a feature was known decides how it may be compared: nothing is judged by what came later.

A patient must live long enough to respond, to progress fast or to lose AFP. Counted from day 0, those
who did carry time in which they could not have had the event ("immortal time").

References
----------
Anderson JR, Cain KC, Gelber RD. J Clin Oncol 1983;1:710–719, doi:10.1200/JCO.1983.1.11.710.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from hccresist.errors import ConfigError
from hccresist.explain.association_features import SAMPLED, choose_samples
from hccresist.explain.association_survival import Times
from hccresist.explain.association_tests import Bools, Floats, Ints
from hccresist.study.study import Study

NOT_AT_SCANS: Final = "OS"
"""The outcome that is not seen at scans, the only one for time-dependent Cox: what is found at a scan
that shows no progression cannot be followed by progression before the next scan."""

REFUSED: Final = (
    "refused: known only after the start of treatment, and may come after the outcome itself; only survival "
    "from a landmark or by time-dependent Cox"
)
NO_LANDMARK: Final = (
    "refused: known only after the start of treatment, and there is no scan day for a landmark"
)


FIRST_SCANS: Final = 0.75
"""Share of the scanned patients who have had their first scan by the default landmark."""


@dataclass(frozen=True, slots=True)
class History:
    """When which value became known: rows sorted by day, minus infinity for the start of treatment."""

    patient: Ints
    day: Floats
    value: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One feature of every patient, in the order of the patients asked for.

    Attributes
    ----------
    name, kind
        As in the table of features.
    values
        Value, NaN where not known; of several days the last. Shape = (n,).
    known
        Day on which it was known, minus infinity for the start of treatment; shape = (n,).
    samples
        Sample used for each patient, empty where there is none.
    history
        Every row of the feature.
    """

    name: str
    kind: str
    values: Floats
    known: Floats
    samples: tuple[str, ...]
    history: History

    @property
    def binary(self) -> bool:
        """The feature is there or not: its values are 0 and 1."""
        return bool(np.isin(self.history.value, (0.0, 1.0)).all())

    @property
    def late(self) -> Bools:
        """Who was sampled after the start of treatment; shape = (n,)."""
        return (self.known > 0) & ~np.isnan(self.values)

    @property
    def later(self) -> bool:
        """It is known only after the start of treatment, and not by a sample."""
        return self.kind not in SAMPLED and (self.kind == "pattern" or bool((self.history.day > 0).any()))

    @property
    def begins(self) -> bool:
        """It begins: some patients are known from the start not to have it, and so is everybody else."""
        start = self.history.day == -np.inf
        return self.binary and bool((start & (self.history.value == 0)).any())

    @property
    def first_known(self) -> Floats:
        """Day from which it is known whether it is there; infinite where it never is; shape = (n,)."""
        return self._first(np.ones(len(self.history.day), dtype=np.bool_), known=-np.inf)

    @property
    def since(self) -> Floats:
        """Day from which a two-valued feature is there; infinite where it never is; shape = (n,)."""
        return self._first(self.history.value == 1, known=None)

    def _first(self, rows: Bools, *, known: float | None) -> Floats:
        first = np.full(len(self.values), np.inf)
        np.minimum.at(first, self.history.patient[rows], self.history.day[rows])
        return np.where(first < np.inf, known, first) if known is not None and self.begins else first

    def at(self, day: float) -> Floats:
        """Return what was known on a day, NaN where nothing was; shape = (n,).

        Of what is there or not: whether it was there on any day until then. Of numbers: the last.
        """
        status = np.full(len(self.values), np.nan)
        if self.begins:
            status[self.history.patient] = 0.0
        by_then = self.history.day <= day
        for patient, value in zip(self.history.patient[by_then], self.history.value[by_then], strict=True):
            status[patient] = np.fmax(status[patient], value) if self.binary else value
        return status


def align_features(features: pl.DataFrame, patients: Sequence[str]) -> list[Feature]:
    """Return each feature with one value a patient, from the sample chosen for patient and kind.

    Parameters
    ----------
    features
        As `check_features` returns them.
    patients
        Patients in the order wanted.
    """
    rows = features.filter(pl.col("value").is_not_null())
    sampled = rows.filter(pl.col("kind").is_in(SAMPLED))
    parts = [rows.filter(~pl.col("kind").is_in(SAMPLED))]
    for kind in SAMPLED:
        of_kind = sampled.filter(pl.col("kind") == kind).with_columns(pl.col("sample_id").fill_null(""))
        samples = of_kind.select("patient_id", "sample_id", day="known_day").unique(maintain_order=True)
        used = choose_samples(samples).filter("used").select("patient_id", "sample_id", known_day="day")
        parts.append(
            of_kind.join(used, on=["patient_id", "sample_id", "known_day"], how="semi", nulls_equal=True)
        )
    place = {patient: at for at, patient in enumerate(patients)}
    everything = pl.concat(parts)
    names = features.group_by("feature", "kind").len().sort("feature")
    groups = {str(key[0]): frame for key, frame in everything.partition_by("feature", as_dict=True).items()}
    return [
        _feature(name, kind, groups.get(name, everything.clear()), place)
        for name, kind in names.select("feature", "kind").iter_rows()
    ]


def _feature(name: str, kind: str, rows: pl.DataFrame, place: Mapping[str, int]) -> Feature:
    values, known = np.full(len(place), np.nan), np.full(len(place), -np.inf)
    samples = [""] * len(place)
    day = pl.when(pl.col("known_day") > 0).then("known_day").otherwise(-float("inf"))
    ordered = rows.with_columns(day.alias("day")).sort("day", "known_day", "patient_id")
    patient = np.array([place[name] for name in ordered["patient_id"]], dtype=np.int64)
    history = History(patient, ordered["day"].to_numpy(), ordered["value"].to_numpy())
    values[patient], known[patient] = history.value, history.day
    for at, sample in zip(patient, ordered["sample_id"], strict=True):
        samples[at] = sample or ""
    return Feature(name=name, kind=kind, values=values, known=known, samples=tuple(samples), history=history)


@dataclass(frozen=True, slots=True)
class Landmark:
    """Day of the landmark, and where it comes from."""

    day: float
    how: str


def choose_landmark(
    study: Study, *, timepoints: pl.DataFrame | None, landmark_days: float | None
) -> Landmark | None:
    """Return the landmark: the day given, else that of the first scan, else ``None``.

    The day of the first scan is the day by which three quarters of the patients with a scan after day 0
    had had their first (our choice: scans come some days before and after the planned day). Without
    scans it is the first planned visit.

    Raises
    ------
    ConfigError
        When the day given is not after day 0.
    """
    if landmark_days is not None:
        if not landmark_days > 0:
            msg = "A landmark is a day after the start of treatment, for example that of the first scan."
            raise ConfigError(msg)
        return Landmark(float(landmark_days), "as asked for")
    if timepoints is not None:
        first = timepoints.filter(pl.col("day") > 0).group_by("patient_id").agg(pl.col("day").min())
        if first.height:
            day = float(np.quantile(first["day"].to_numpy(), FIRST_SCANS, method="inverted_cdf"))
            return Landmark(day, f"by when {FIRST_SCANS:.0%} of the scanned had their first scan")
    planned = [day for day in study.config.planned_visit_days if day > 0]
    return Landmark(min(planned), "first planned scan") if planned else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Who is compared by what, and what must be said of it; all but `rows` are for the chosen patients."""

    rows: Bools
    values: Floats
    times: Times
    notes: tuple[str, ...]

    def noting(self, *notes: str) -> Compared:
        """Return the same with further notes."""
        return replace(self, notes=(*self.notes, *notes))


def from_landmark(feature: Feature, times: Times, *, rows: Bools, landmark: Landmark) -> Compared:
    """Return the comparison from a landmark.

    1. Patients whose time ended on or before the landmark are dropped, and then those of whom nothing
       is known by then.
    2. Each is sorted by what was known on the landmark (`Feature.at`); time runs from it.

    Parameters
    ----------
    feature, times
        Of all patients.
    rows
        Patients of the group who have a time.
    landmark
        Its day.
    """
    day = landmark.day
    under = rows & (times.days > day)
    values = feature.at(day)
    keep = under & ~np.isnan(values)
    early = rows & ~under
    gone = int((early & times.event).sum())
    rest = int(early.sum()) - gone
    said = f"{int(early.sum())} of {int(rows.sum())} patients dropped, {gone} had the event and {rest} were"
    notes = [f"landmark day {day:g} ({landmark.how}): {said} censored by then"]
    unknown = int((under & ~keep).sum())
    if unknown:
        notes.append(f"{unknown} more dropped: not known by then")
    chosen = times.select(keep)
    shifted = Times(entry=np.maximum(chosen.entry - day, 0.0), days=chosen.days - day, event=chosen.event)
    return Compared(rows=keep, values=values[keep], times=shifted, notes=tuple(notes))


def while_known(feature: Feature, times: Times, *, rows: Bools) -> Compared:
    """Return the comparison over time: each patient from the day on which it is known whether it is there.

    Until then a patient was sure to live, and is not counted; `values` are days since when it is there.

    Parameters
    ----------
    feature, times
        Of all patients.
    rows
        Patients of the group who have a time.
    """
    first = feature.first_known
    entry = np.maximum(times.entry, np.maximum(first, 0.0))
    whole = Times(entry=entry, days=times.days, event=times.event)
    keep = rows & np.isfinite(entry) & whole.observed
    left = int((rows & ~keep).sum())
    notes = [f"{left} left out: not known while they were observed"] if left else []
    late = int((keep & (entry > 0)).sum())
    if late:
        notes.append(f"late entry: {late} of {int(keep.sum())} patients from the day on which it was known")
    return Compared(rows=keep, values=feature.since[keep], times=whole.select(keep), notes=tuple(notes))


def from_entry(feature: Feature, times: Times, *, rows: Bools) -> Compared:
    """Return the comparison from day 0; a patient sampled later enters on the day of the sample.

    Patients whose time ended before they entered are left out.
    """
    entry = np.where(feature.late, np.maximum(times.entry, feature.known), times.entry)
    whole = Times(entry=entry, days=times.days, event=times.event)
    keep = rows & whole.observed
    late = int((keep & feature.late).sum())
    notes = [f"late entry: {late} of {int(keep.sum())} patients from the day of their sample"] if late else []
    delayed = int((keep & (times.entry > 0)).sum())
    if delayed:
        notes.append(f"delayed entry: {delayed} of {int(keep.sum())} patients entered after day 0")
    idle = int((rows & ~keep).sum())
    if idle:
        notes.append(f"{idle} left out: their time ended before they entered")
    return Compared(rows=keep, values=feature.values[keep], times=whole.select(keep), notes=tuple(notes))
