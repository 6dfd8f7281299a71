"""*Assess*: from the checked tables of a study to responses, best responses and dates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from hccresist.assess import words as w
from hccresist.assess.best import Course, best_response
from hccresist.assess.burden import respond_burden
from hccresist.assess.criteria import Criterion, Judge, Measure, NewLesions, find_criterion
from hccresist.assess.irecist import respond_irecist
from hccresist.assess.lesions import LesionRows, lesion_rows, with_sums
from hccresist.assess.measure import Measures, measure
from hccresist.assess.readers import add_primary_reader
from hccresist.assess.response import Responses, respond
from hccresist.assess.rules import Rule, render_reasons
from hccresist.assess.steps import Steps, walk
from hccresist.assess.visits import KEYS, Bools, Floats, Ints, Scans, gather_scans, series_of
from hccresist.study.policies import Policies
from hccresist.study.study import Study

CHUNK: Final = 50_000
"""Patients assessed together: bounds the memory, does not change a result."""
MEASURED_BY: Final = (
    "measure",
    "judge",
    "hcc_rules",
    "node_rule",
    "max_new",
    "max_new_per_organ",
)
"""Choices of a criterion on which its measures depend."""
READ: Final = ("lesions", "sums", "visits", "responses")
"""Tables whose rows belong to a reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What *assess* found.

    Attributes
    ----------
    tables
        ``timepoints``, ``best_response`` and ``baselines`` as in `hccresist.assess.results`.
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
    parts = list(assess_chunks(study, sources))
    tables = {
        name: pl.concat([part[name] for part in parts]).sort("patient_id", "reader", "criterion", *day)
        for name, day in (("timepoints", ["day"]), ("best_response", []), ("baselines", []))
    }
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
    """Yield the tables of one chunk of patients after the other (reasons not rendered)."""
    policies = study.config.policies
    readers = _readers(study)
    for patients, tables in _chunks(study):
        series = _all_series(patients, tables, readers)
        course = _CourseDays.of(study, series, policies)
        frames: dict[str, list[pl.DataFrame]] = {"timepoints": [], "best_response": [], "baselines": []}
        for name, frame in _measured(tables, series, sources, course, policies):
            frames[name].append(frame)
        for criterion, source in sources.items():
            if source == "given":
                for name, frame in _given(tables["responses"], series, criterion, course, policies):
                    frames[name].append(frame)
        yield {name: pl.concat(part) if part else _empty(name) for name, part in frames.items()}


def _chunks(study: Study) -> Iterator[tuple[pl.Series, dict[str, pl.DataFrame]]]:
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


def _readers(study: Study) -> list[str]:
    names: set[str] = set()
    for name in READ:
        table = study.table(name)
        if table is not None:
            names.update(table["reader"].unique().to_list())
    return sorted(names) or [""]


def _all_series(patients: pl.Series, tables: dict[str, pl.DataFrame], readers: list[str]) -> pl.DataFrame:
    """Return every patient and reader; a patient whom nobody read stands once for each reader."""
    found = [tables[name].select(KEYS).unique() for name in READ if name in tables]
    read = pl.concat(found).unique() if found else pl.DataFrame(schema=dict.fromkeys(KEYS, pl.String))
    unread = patients.to_frame().join(read, on="patient_id", how="anti")
    rest = unread.join(pl.DataFrame({"reader": readers}), how="cross").select(KEYS)
    return pl.concat([read, rest]).sort(KEYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CourseDays:
    """Per series: last day that counts for the best response."""

    last_day: Floats

    @classmethod
    def of(cls, study: Study, series: pl.DataFrame, policies: Policies) -> _CourseDays:
        """Return the start of a later line of treatment as last day, infinity without."""
        treatments = study.table("treatments")
        if treatments is None or policies.new_therapy != "censor":
            return cls(last_day=np.full(series.height, np.inf))
        later = (
            treatments.filter(pl.col("line") > study.config.index_line)
            .group_by("patient_id")
            .agg(pl.col("start_day").min())
        )
        days = series.join(later, on="patient_id", how="left", maintain_order="left")["start_day"]
        return cls(last_day=days.fill_null(np.inf).to_numpy())


def _measured(
    tables: dict[str, pl.DataFrame],
    series: pl.DataFrame,
    sources: dict[Criterion, str],
    course: _CourseDays,
    policies: Policies,
) -> Iterator[tuple[str, pl.DataFrame]]:
    criteria = [criterion for criterion, source in sources.items() if source == "measured"]
    if not criteria:
        return
    read = {name: tables[name] for name in ("visits",) if name in tables}
    lesions = with_sums(tables.get("lesions"), tables.get("sums"))
    if lesions is not None:
        read["lesions"] = lesions
    scans, ids = gather_scans(series, read, policies)
    if lesions is None:
        return
    rows = lesion_rows(lesions, ids["lesions"], scans, procedures=tables.get("procedures"))
    follow_up = np.flatnonzero(scans.visit_first > policies.baseline_window_end)
    steps = walk(follow_up, scans.visit_series[follow_up])
    seen: dict[tuple[object, ...], Measures] = {}
    for criterion in criteria:
        measures = _measure_once(seen, rows, scans, criterion, policies)
        responses = ENGINES[criterion.new_lesions](
            measures, scans, steps=steps, criterion=criterion, policies=policies
        )
        yield "timepoints", _timepoints(criterion, scans, measures, responses, follow_up)
        yield "baselines", _baselines(criterion, scans, measures, responses, follow_up)
        yield (
            "best_response",
            _best(
                criterion,
                scans,
                measures=measures,
                responses=responses,
                steps=steps,
                course=course,
                policies=policies,
            ),
        )


ENGINES: Final = {
    NewLesions.PROGRESSION: respond,
    NewLesions.UNCONFIRMED: respond_irecist,
    NewLesions.ADDED: respond_burden,
}


def _measure_once(
    seen: dict[tuple[object, ...], Measures],
    rows: LesionRows,
    scans: Scans,
    criterion: Criterion,
    policies: Policies,
) -> Measures:
    """Return the measures, computed once for criteria that measure alike."""
    key = tuple(getattr(criterion, name) for name in MEASURED_BY)
    if key not in seen:
        seen[key] = measure(rows, scans, criterion=criterion, policies=policies)
    return seen[key]


def _timepoints(
    criterion: Criterion, scans: Scans, measures: Measures, responses: Responses, visits: np.ndarray
) -> pl.DataFrame:
    series = scans.visit_series[visits]
    known = (measures.n_evaluated[visits] > 0) & (measures.n_targets[series] > 0)
    full = known & (measures.n_evaluated[visits] == measures.n_targets[series])
    total = _mm(measures.sum[visits], known, criterion)
    has_base = (measures.baseline[series] >= 0) & (measures.n_targets[series] > 0)
    base = _mm(measures.sum[measures.baseline[series]], has_base, criterion)
    nadir = _mm(responses.nadir[visits], responses.nadir[visits] >= 0, criterion)
    compared = full | (responses.target[visits] == w.PD)
    new_sum = measures.new_sum[visits]
    measures_new = criterion.new_lesions is not NewLesions.PROGRESSION
    if criterion.new_lesions is NewLesions.ADDED:
        total = total + np.where(known, _mm(np.maximum(new_sum, 0), known, criterion), 0)
    frame = pl.DataFrame(
        {
            "day": scans.visit_last[visits],
            "target": w.spell(responses.target[visits], criterion.words),
            "nontarget": w.spell(responses.nontarget[visits], criterion.words),
            "new_lesion": responses.new_lesion[visits],
            "overall": w.spell(responses.overall[visits], criterion.words),
            "sum_mm": total,
            "new_target_sum_mm": _mm(new_sum, (new_sum >= 0) & measures_new, criterion),
            "baseline_mm": base,
            "nadir_mm": nadir,
            "change_from_baseline_percent": _change(total, base, compared),
            "change_from_nadir_percent": _change(total, nadir, compared),
            "rule_code": responses.rule[visits],
            "n_targets": measures.n_targets[series],
            "n_evaluated": measures.n_evaluated[visits],
            "n_nontargets": measures.n_nontargets[series],
            "pending_day": responses.pending_day[visits],
            "late": responses.late[visits],
        },
        nan_to_null=True,
    )
    return _named(frame, criterion, scans.series, series)


def _named(frame: pl.DataFrame, criterion: Criterion, series: pl.DataFrame, rows: np.ndarray) -> pl.DataFrame:
    return series[rows].with_columns(pl.lit(criterion.name).alias("criterion")).hstack(frame)


def _mm(units: Ints, known: Bools, criterion: Criterion) -> Floats:
    """Return the engine's units as mm or mm², NaN where not known."""
    return np.where(known, units / criterion.measure.per_mm, np.nan)


def _change(value: Floats, start: Floats, compared: np.ndarray) -> Floats:
    """Return the change in per cent, NaN where the start is 0 or unknown or the sum is incomplete."""
    safe = np.where(start > 0, start, np.nan)
    return np.where(compared, 100 * (value - safe) / safe, np.nan)


def _baselines(
    criterion: Criterion, scans: Scans, measures: Measures, responses: Responses, visits: np.ndarray
) -> pl.DataFrame:
    has = measures.baseline >= 0
    at = measures.baseline
    evaluable = np.zeros(scans.series.height, dtype=np.bool_)
    evaluable[scans.visit_series[visits[responses.overall[visits] != w.NE]]] = True
    targets = measures.n_targets > 0
    why = np.select(
        [~has, ~targets & measures.diseased, ~has | ~targets, measures.n_left_out > 0],
        [1, 2, 3, 4],
        0,
    )
    texts = pl.Series(
        [
            None,
            "no adequate scan in the baseline window",
            "disease at baseline, but no target that this criterion can measure",
            "no disease recorded at baseline",
            "a recorded target was not measured at baseline and is left out",
        ],
        dtype=pl.String,
    )
    frame = pl.DataFrame(
        {
            "day": np.where(has, scans.visit_last[at] if scans.n_visits else np.nan, np.nan),
            "n_targets": measures.n_targets,
            "n_nontargets": measures.n_nontargets,
            "baseline_mm": _mm(measures.sum[at], has & targets, criterion)
            if scans.n_visits
            else np.full(len(has), np.nan),
            "measurable": targets,
            "evaluable": evaluable,
            "reason": texts.gather(pl.Series(why, dtype=pl.UInt32)),
        },
        nan_to_null=True,
    )
    return _named(frame, criterion, scans.series, np.arange(scans.series.height))


def _best(
    criterion: Criterion,
    scans: Scans,
    *,
    measures: Measures,
    responses: Responses,
    steps: Steps,
    course: _CourseDays,
    policies: Policies,
) -> pl.DataFrame:
    by_sum = scans.visit_last if policies.pd_date == "last" else scans.visit_first
    base_day = np.zeros(scans.series.height)
    if policies.sd_min_reference == "baseline":
        has = measures.baseline >= 0
        base_day[has] = scans.visit_last[measures.baseline[has]]
    path = Course(
        n_series=scans.series.height,
        day=scans.visit_last,
        progression_date=np.where(responses.by_sum, by_sum, measures.new_day),
        overall=responses.overall,
        steps=steps,
        reference_day=base_day,
        last_day=course.last_day,
    )
    return _best_frame(criterion, scans.series, path, policies)


def _best_frame(criterion: Criterion, series: pl.DataFrame, path: Course, policies: Policies) -> pl.DataFrame:
    best = best_response(path, policies=policies)
    frame = pl.DataFrame(
        {
            "best": w.spell(best.best, criterion.words),
            "best_confirmed": w.spell(best.best_confirmed, criterion.words),
            "best_day": best.best_day,
            "first_response_day": best.first_response_day,
            "progression_day": best.progression_day,
        },
        nan_to_null=True,
    )
    return _named(frame, criterion, series, np.arange(series.height))


def _given(
    responses: pl.DataFrame,
    series: pl.DataFrame,
    criterion: Criterion,
    course: _CourseDays,
    policies: Policies,
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the tables of a criterion whose responses are taken as recorded."""
    rows = responses.filter(
        pl.col("criterion") == criterion.name,
        pl.col("day") > policies.baseline_window_end,
        pl.col("overall").is_not_null(),
    )
    ids = series_of(rows, series.with_row_index("series"))
    codes = w.parse(rows["overall"])
    if criterion.new_lesions is NewLesions.UNCONFIRMED:
        codes = np.where(codes == w.PD, w.UPD, codes).astype(np.int8)
    day = rows["day"].to_numpy()
    path = Course(
        n_series=series.height,
        day=day,
        progression_date=day,
        overall=codes,
        steps=walk(np.arange(len(day)), ids),
        reference_day=np.zeros(series.height),
        last_day=course.last_day,
    )
    yield "best_response", _best_frame(criterion, series, path, policies)
    yield "timepoints", _given_timepoints(criterion, rows)
    evaluable = np.zeros(series.height, dtype=np.bool_)
    evaluable[ids[codes != w.NE]] = True
    none = pl.DataFrame(
        {
            "day": pl.Series([None] * series.height, dtype=pl.Float64),
            "n_targets": np.zeros(series.height, np.int64),
            "n_nontargets": np.zeros(series.height, np.int64),
            "baseline_mm": pl.Series([None] * series.height, dtype=pl.Float64),
            "measurable": pl.Series([None] * series.height, dtype=pl.Boolean),
            "evaluable": evaluable,
            "reason": pl.Series(["responses taken as recorded: baseline not used"] * series.height),
        }
    )
    yield "baselines", _named(none, criterion, series, np.arange(series.height))


def _given_timepoints(criterion: Criterion, rows: pl.DataFrame) -> pl.DataFrame:
    words = [pl.col(name).cast(pl.String) for name in ("target", "nontarget", "overall")]
    frame = rows.select(*KEYS, "day", *words, "new_lesion").with_columns(
        pl.lit(criterion.name).alias("criterion"), pl.lit(int(Rule.GIVEN), dtype=pl.Int8).alias("rule_code")
    )
    return pl.concat([_empty("timepoints"), frame], how="diagonal").with_columns(
        pl.col("late").fill_null(value=False)
    )


def _empty(name: str) -> pl.DataFrame:
    """Return an empty table with the columns that a chunk yields."""
    return pl.DataFrame(schema=_SCHEMAS[name])


_KEY: Final = {"patient_id": pl.String, "reader": pl.String, "criterion": pl.String}
_SCHEMAS: Final[dict[str, dict[str, type[pl.DataType]]]] = {
    "timepoints": {
        **_KEY,
        "day": pl.Float64,
        "target": pl.String,
        "nontarget": pl.String,
        "new_lesion": pl.Boolean,
        "overall": pl.String,
        "sum_mm": pl.Float64,
        "new_target_sum_mm": pl.Float64,
        "baseline_mm": pl.Float64,
        "nadir_mm": pl.Float64,
        "change_from_baseline_percent": pl.Float64,
        "change_from_nadir_percent": pl.Float64,
        "rule_code": pl.Int8,
        "n_targets": pl.Int64,
        "n_evaluated": pl.Int64,
        "n_nontargets": pl.Int64,
        "pending_day": pl.Float64,
        "late": pl.Boolean,
    },
    "best_response": {
        **_KEY,
        "best": pl.String,
        "best_confirmed": pl.String,
        "best_day": pl.Float64,
        "first_response_day": pl.Float64,
        "progression_day": pl.Float64,
    },
    "baselines": {
        **_KEY,
        "day": pl.Float64,
        "n_targets": pl.Int64,
        "n_nontargets": pl.Int64,
        "baseline_mm": pl.Float64,
        "measurable": pl.Boolean,
        "evaluable": pl.Boolean,
        "reason": pl.String,
    },
}


def finish_timepoints(frame: pl.DataFrame, criteria: Sequence[Criterion]) -> pl.DataFrame:
    """Return timepoints as results: rule identifier and reason instead of the engine's numbers."""
    labels = {int(rule): rule.label for rule in Rule}
    helpers = ["rule_code", "n_targets", "n_evaluated", "n_nontargets", "pending_day", "late"]
    return frame.with_columns(
        pl.col("rule_code").replace_strict(labels, return_dtype=pl.String).alias("rule"),
        render_reasons(frame, {criterion.name: criterion for criterion in criteria}),
    ).drop(helpers)


__all__ = ["Assessment", "assess_study", "finish_timepoints"]
