"""*Assess*: from the checked tables of a study to responses, best responses and dates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypedDict

import numpy as np
import polars as pl

from hccresist.assess.burden import respond_burden
from hccresist.assess.criteria import Criterion, Judge, Measure, NewLesions, find_criterion
from hccresist.assess.frames import (
    SCHEMAS,
    baselines_frame,
    empty,
    measured_best,
    progressions_frame,
    timepoints_frame,
)
from hccresist.assess.given import given_frames
from hccresist.assess.irecist import respond_irecist
from hccresist.assess.lesions import LesionRows, lesion_rows, with_sums
from hccresist.assess.measure import Measures
from hccresist.assess.measuring import Measuring
from hccresist.assess.readers import add_primary_reader
from hccresist.assess.response import Responses, respond
from hccresist.assess.rules import Rule, render_reasons
from hccresist.assess.steps import walk
from hccresist.assess.visits import KEYS, Floats, Ints, Scans, gather_scans, series_of
from hccresist.study.policies import Policies
from hccresist.study.study import Study

CHUNK: Final = 50_000
"""Patients assessed together: bounds the memory, does not change a result."""
READ: Final = ("lesions", "sums", "visits", "responses")
"""Tables whose rows belong to a reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What *assess* found.

    Attributes
    ----------
    tables
        ``timepoints``, ``best_response``, ``progressions`` and ``baselines``, as in
        `hccresist.assess.results`.
    skipped
        Criterion to the reason why it was not assessed.
    """

    tables: dict[str, pl.DataFrame]
    skipped: dict[str, str] = field(default_factory=dict[str, str])


def assess_study(study: Study, *, criteria: Sequence[str] | None = None, reasons: bool = True) -> Assessment:
    """Return the response of every patient at every visit, best responses and dates.

    Parameters
    ----------
    study
        Checked study.
    criteria
        Names of the criteria wanted; those of the study's configuration if not given.
    reasons
        Render the sentence of each visit. Without, ``timepoints`` carries the numbers that
        `finish_timepoints` needs to do so later.

    Raises
    ------
    ConfigError
        When a criterion is not known, or the primary reader is none of the study's.

    Examples
    --------
    >>> import polars as pl
    >>> from hccresist.study.frames import study_from_frames
    >>> study = study_from_frames(
    ...     patients=pl.DataFrame({"patient_id": ["P1"]}),
    ...     lesions=pl.DataFrame(
    ...         {
    ...             "patient_id": ["P1", "P1"],
    ...             "lesion_id": ["T1", "T1"],
    ...             "role": ["target", "target"],
    ...             "day": [-3, 56],
    ...             "longest_mm": [14.0, 9.8],
    ...         }
    ...     ),
    ... )
    >>> assess_study(study, criteria=["recist11"]).tables["timepoints"]["overall"].to_list()
    ['PR']
    """
    wanted = [find_criterion(name, study.config.variants) for name in (criteria or study.config.criteria)]
    wanted = list(dict.fromkeys(wanted))
    sources, skipped = find_sources(study, wanted)
    tables = {name: empty(name) for name in SCHEMAS}
    for part in assess_chunks(study, sources):  # patients ascend from chunk to chunk
        for name, frame in part.items():
            tables[name].vstack(frame, in_place=True)
    tables["best_response"] = tables["best_response"].with_columns(
        pl.col("best", "best_confirmed").cast(pl.String)
    )
    tables = add_primary_reader(study, tables)
    if reasons:
        tables["timepoints"] = finish_timepoints(tables["timepoints"], wanted)
    return Assessment(tables=tables, skipped=skipped)


def find_sources(study: Study, wanted: Sequence[Criterion]) -> tuple[dict[Criterion, str], dict[str, str]]:
    """Return what each criterion is derived from (``measured`` or ``given``), and why others are skipped."""
    sources: dict[Criterion, str] = {}
    skipped: dict[str, str] = {}
    recorded = study.table("responses")
    names = set() if recorded is None else set(recorded["criterion"].unique().to_list())
    for criterion in wanted:
        measured = _is_measured(study, criterion)
        given = criterion.name in names
        if given and (study.config.policies.responses == "given" or not measured):
            sources[criterion] = "given"
        elif measured:
            sources[criterion] = "measured"
        else:
            skipped[criterion.name] = _why_skipped(study, criterion)
    return sources, skipped


NEEDS: Final = {
    Measure.LONGEST: ("longest_mm", "short_axis_mm"),
    Measure.VIABLE: ("viable_mm",),
    Measure.PRODUCT: ("perpendicular_mm",),
    Measure.VIABLE_PRODUCT: ("viable_perpendicular_mm",),
    Measure.VIABLE_SHARE: ("necrosis_percent",),
}
"""Any of these columns must hold a number for the measure to exist."""


def _is_measured(study: Study, criterion: Criterion) -> bool:
    lesions, sums = study.table("lesions"), study.table("sums")
    if criterion.judge in (Judge.CHOI, Judge.MODIFIED_CHOI):
        return lesions is not None and lesions["attenuation_hu"].count() > 0
    if lesions is not None and any(lesions[name].count() > 0 for name in NEEDS[criterion.measure]):
        return True
    if sums is not None and (sums["measure"].cast(pl.String) == criterion.measure.value).any():
        return True
    only_states = lesions is not None and lesions["state"].count() > 0
    return only_states and criterion.measure is Measure.LONGEST


def _why_skipped(study: Study, criterion: Criterion) -> str:
    if not any(study.table(name) is not None for name in ("lesions", "sums", "responses")):
        return "the study has no lesions, sums or responses"
    columns = NEEDS[criterion.measure]
    if criterion.judge in (Judge.CHOI, Judge.MODIFIED_CHOI):
        columns = ("attenuation_hu",)
    what = " or ".join(columns)
    return f"lesions hold no {what}, no such sums were kept, and no {criterion.title} responses were recorded"


def assess_chunks(study: Study, sources: dict[Criterion, str]) -> Iterator[dict[str, pl.DataFrame]]:
    """Yield the tables of one chunk of patients after the other, sorted by key (reasons not rendered)."""
    policies = study.config.policies
    readers = readers_of(study)
    for patients, tables in chunks(study):
        series = all_series(patients, tables, readers)
        last_day = _last_days(study, series, policies)
        frames: dict[str, list[pl.DataFrame]] = {name: [] for name in SCHEMAS}
        for name, frame in _measured(tables, series, sources, last_day, policies):
            frames[name].append(frame)
        for criterion, source in sources.items():
            if source == "given":
                for name, frame in given_frames(
                    tables["responses"], series, criterion=criterion, last_day=last_day, policies=policies
                ):
                    frames[name].append(frame)
        yield {name: _merge(part, series) if part else empty(name) for name, part in frames.items()}


def _merge(parts: Sequence[pl.DataFrame], series: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of all criteria by patient, reader and criterion.

    Each part holds one criterion, its series ascending and days ascending within, so that whole numbers
    take the place of a sort by text.
    """
    ordered = sorted((part for part in parts if part.height), key=lambda part: str(part["criterion"][0]))
    if not ordered:
        return parts[0]
    numbered = series.with_row_index("series")
    place = np.concatenate([series_of(part, numbered) for part in ordered])
    return pl.concat(ordered)[np.argsort(place, kind="stable")]


def chunks(study: Study) -> Iterator[tuple[pl.Series, dict[str, pl.DataFrame]]]:
    """Yield some patients after the other, with their rows of the tables that *assess* reads."""
    patients = study.patients["patient_id"]
    tables = {name: study.tables[name] for name in (*READ, "procedures") if name in study.tables}
    for start in range(0, max(len(patients), 1), CHUNK):
        part = patients.slice(start, CHUNK)
        if len(part) == len(patients):
            yield part, tables
        else:
            yield part, {name: _rows_of(frame, part) for name, frame in tables.items()}


def _rows_of(frame: pl.DataFrame, patients: pl.Series) -> pl.DataFrame:
    """Return the rows of some patients; both are sorted, so this is a slice."""
    names = frame["patient_id"]
    first = int(names.search_sorted(patients[0], side="left"))
    return frame.slice(first, int(names.search_sorted(patients[-1], side="right")) - first)


def readers_of(study: Study) -> list[str]:
    """Return the readers of a study, ``[""]`` where it names none."""
    names: set[str] = set()
    for name in READ:
        table = study.table(name)
        if table is not None:
            names.update(table["reader"].unique().to_list())
    return sorted(names) or [""]


def all_series(patients: pl.Series, tables: dict[str, pl.DataFrame], readers: list[str]) -> pl.DataFrame:
    """Return every patient and reader; a patient whom nobody read stands once for each reader."""
    found = [tables[name].select(KEYS).unique() for name in READ if name in tables]
    read = pl.concat(found).unique() if found else pl.DataFrame(schema=dict.fromkeys(KEYS, pl.String))
    unread = patients.to_frame().join(read, on="patient_id", how="anti")
    rest = unread.join(pl.DataFrame({"reader": readers}), how="cross").select(KEYS)
    return pl.concat([read, rest]).sort(KEYS)


def _last_days(study: Study, series: pl.DataFrame, policies: Policies) -> Floats:
    """Return, per series, the start of a later line of treatment, infinity without: step 10."""
    treatments = study.table("treatments")
    if treatments is None or policies.new_therapy != "censor":
        return np.full(series.height, np.inf)
    later = (
        treatments.filter(pl.col("line") > study.config.index_line)
        .group_by("patient_id")
        .agg(pl.col("start_day").min())
    )
    days = series.join(later, on="patient_id", how="left", maintain_order="left")["start_day"]
    return days.fill_null(np.inf).to_numpy()


def read_chunks(study: Study) -> Iterator[tuple[LesionRows, Scans]]:
    """Yield lesion rows and scans of some patients after the other; nothing where there are none."""
    readers = readers_of(study)
    for patients, tables in chunks(study):
        read = read_rows(tables, all_series(patients, tables, readers), study.config.policies)
        if read is not None:
            yield read


def read_rows(
    tables: dict[str, pl.DataFrame], series: pl.DataFrame, policies: Policies
) -> tuple[LesionRows, Scans] | None:
    """Return lesion rows and scans of some series, or ``None`` where they have no lesions or sums."""
    lesions = with_sums(tables.get("lesions"), tables.get("sums"))
    if lesions is None:
        return None
    read = {"lesions": lesions} | ({"visits": tables["visits"]} if "visits" in tables else {})
    scans, ids = gather_scans(series, read, policies)
    return lesion_rows(lesions, ids["lesions"], scans, procedures=tables.get("procedures")), scans


def _measured(
    tables: dict[str, pl.DataFrame],
    series: pl.DataFrame,
    sources: dict[Criterion, str],
    last_day: Floats,
    policies: Policies,
) -> Iterator[tuple[str, pl.DataFrame]]:
    criteria = [criterion for criterion, source in sources.items() if source == "measured"]
    read = read_rows(tables, series, policies) if criteria else None
    if read is None:
        return
    rows, scans = read
    follow_up = np.flatnonzero(scans.visit_first > policies.baseline_window_end)
    steps = walk(follow_up, scans.visit_series[follow_up])
    measuring = Measuring(rows, scans, policies)
    for criterion in criteria:
        measures = measuring.measure(criterion)
        responses = ENGINES[criterion.new_lesions](
            measures, scans, steps=steps, criterion=criterion, policies=policies
        )
        found = Found(measures=measures, responses=responses, visits=follow_up)
        yield "timepoints", timepoints_frame(criterion, scans, **found)
        yield "progressions", progressions_frame(criterion, scans, **found)
        yield "baselines", baselines_frame(criterion, scans, **found)
        yield (
            "best_response",
            measured_best(
                criterion,
                scans,
                measures=measures,
                responses=responses,
                steps=steps,
                last_day=last_day,
                policies=policies,
            ),
        )


class Found(TypedDict):
    """What one criterion found at the follow-up visits."""

    measures: Measures
    responses: Responses
    visits: Ints


ENGINES: Final = {
    NewLesions.PROGRESSION: respond,
    NewLesions.UNCONFIRMED: respond_irecist,
    NewLesions.ADDED: respond_burden,
}


def finish_timepoints(frame: pl.DataFrame, criteria: Sequence[Criterion]) -> pl.DataFrame:
    """Return timepoints as results: rule identifier and reason instead of the engine's numbers."""
    labels = {int(rule): rule.label for rule in Rule}
    helpers = ["rule_code", "n_targets", "n_evaluated", "n_nontargets", "pending_day", "late"]
    return frame.with_columns(
        pl.col("target", "nontarget", "overall").cast(pl.String),
        pl.col("rule_code").replace_strict(labels, return_dtype=pl.String).alias("rule"),
        render_reasons(frame, {criterion.name: criterion for criterion in criteria}),
    ).drop(helpers)


__all__ = ["Assessment", "assess_study", "finish_timepoints"]
