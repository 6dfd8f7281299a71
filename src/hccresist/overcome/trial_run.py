"""One replicate of a virtual trial: patients on their arms, read by a clinic, assessed by *assess*.

An arm is run twice. The first run gives what was planned by day, through all visits; its scans are assessed
by the trial's criterion with the engine that a real study is assessed with. Treatment stops on the visit that
showed progression (or so many visits later), and what follows progression is given: the second run takes
those whose treatment stopped on from there. All that is random hangs on the patient's number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.assess.engine import assess_study
from hccresist.overcome.dosing import find_regimen, split_values
from hccresist.overcome.engine import Checkpoint, Job, Result, run_population
from hccresist.overcome.model.arrays import Patients, Plan, Seen
from hccresist.overcome.population import SLOTS, Population
from hccresist.overcome.reading import draw_readings
from hccresist.overcome.rng import Purpose, draw_uniform, index_of
from hccresist.overcome.scans import (
    NOT_ENHANCING_MM,
    TABLES,
    describe_regimen,
    make_tables,
    name_patients,
)
from hccresist.overcome.trial_course import Course, Stopped, nobody_stopped, plan_course
from hccresist.overcome.trial_endpoints import find_endpoints
from hccresist.overcome.trial_people import Enrolled, enrol, take_people, take_start
from hccresist.overcome.trial_spec import STATEMENT, Arm, Spec
from hccresist.study.check import assemble_study
from hccresist.study.frames import study_from_frames
from hccresist.study.study import Study, StudyConfig

Array = NDArray[np.float64]
Tables = dict[str, pl.DataFrame]
Run = Callable[[Plan, Patients], Seen]


@dataclass(frozen=True)
class Replicate:
    """What one replicate gave.

    Attributes
    ----------
    number
        Number of the replicate.
    endpoints
        Table of `trial_endpoints.find_endpoints`.
    counts
        Patients screened, enrolled, not solved (left out), and with more new lesions than there are places.
    tables
        Tables of the study, where they were wanted.
    """

    number: int
    endpoints: pl.DataFrame
    counts: Mapping[str, int]
    tables: Tables | None


def run_replicate(
    spec: Spec,
    number: int,
    *,
    values: Mapping[str, float] | None = None,
    keep: bool = False,
    threads: int | None = None,
    run: Run | None = None,
) -> Replicate:
    """Run one replicate.

    Parameters
    ----------
    values
        Typical values of parameters that differ from the table, and factors on drug effects (see
        `dosing.split_values`): one set of an ensemble.
    keep
        Whether to give the tables of the study, labs among them.
    threads
        Threads of the engine.
    run
        What runs a plan, as `engine.run_population` takes it.

    Raises
    ------
    ComputationError
        Where too few patients are eligible.
    """
    shared = share_values(spec, values)
    factors = split_values(shared)[1]
    people = [
        (arm, enrol(spec, arm, replicate=number, place=place, values=shared, threads=threads, seed=spec.seed))
        for place, arm in enumerate(spec.arms)
    ]
    begun = [begin_arm(spec, arm, who, factors=factors, threads=threads, run=run) for arm, who in people]
    joined, counts = end_arms(spec, begun, labs=keep, threads=threads, run=run)
    study = assemble_study(joined, make_config(spec))
    assessed = assess_study(study, criteria=spec.criteria, reasons=False)
    rows = find_endpoints(study, assessed.tables, spec)
    return Replicate(number, rows, counts, joined if keep else None)


def share_values(spec: Spec, values: Mapping[str, float] | None) -> dict[str, float]:
    """Put a trial's own values (its dropout) to those of a set."""
    shared = dict(values or {})
    if spec.follow_up.dropout_per_year is not None:
        shared["dropout_rate"] = spec.follow_up.dropout_per_year / 365.25
    return shared


def end_arms(
    spec: Spec, begun: Sequence[Begun], *, labs: bool, threads: int | None, run: Run | None
) -> tuple[Tables, dict[str, int]]:
    """Stop arms at progression, give what follows, and make a clinic's tables of all; counts together.

    Labs, of which no endpoint is made, only where they are wanted.
    """
    parts, counts = list[Tables](), dict[str, int]()
    for each, stop in zip(begun, _find_stops(spec, begun), strict=True):
        tables, found = _end(spec, each, stop, labs=labs, threads=threads, run=run)
        parts.append(tables)
        for name, count in found.items():
            counts[name] = counts.get(name, 0) + count
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: pl.concat([part[name] for part in parts if name in part]) for name in names}, counts


def make_config(spec: Spec) -> StudyConfig:
    """Make the configuration of the study that a virtual trial writes."""
    return StudyConfig(
        name=spec.name,
        title=STATEMENT,
        planned_visit_days=spec.visits.days(spec.follow_up.longest),
        criteria=spec.criteria,
        reference_arm=spec.control or "",
        simulated=True,
    )


def make_study(spec: Spec, tables: Mapping[str, pl.DataFrame]) -> Study:
    """Make the checked study of one replicate."""
    return study_from_frames(config=make_config(spec), **tables)


@dataclass(frozen=True)
class Begun:
    """An arm after the first run."""

    arm: Arm
    enrolled: Enrolled
    job: Job
    result: Result


def begin_arm(
    spec: Spec,
    arm: Arm,
    enrolled: Enrolled,
    *,
    factors: Mapping[str, float],
    threads: int | None,
    run: Run | None,
) -> Begun:
    """Give what was planned by day, through all visits."""
    people = enrolled.people
    visits = (float("-inf"), 0.0, *spec.visits.days(spec.follow_up.longest))
    stopped = nobody_stopped(len(people.numbers))
    course = plan_course(arm, people, stopped, longest=spec.follow_up.longest, seed=spec.seed)
    job = _make_job(spec, visits, course, factors)
    everybody = np.arange(len(people.numbers))
    result = _run_groups(job, course, enrolled, everybody, threads=threads, run=run)
    return Begun(arm, enrolled, job, result)


def _run_groups(
    job: Job,
    course: Course,
    enrolled: Enrolled,
    chosen: NDArray[np.int64],
    *,
    onward: Checkpoint | None = None,
    threads: int | None,
    run: Run | None,
) -> Result:
    """Run some patients, those with the same drugs together: a drug that nobody gets costs time too.

    What a patient's equations are depends on the patient's own drugs alone.
    """
    groups, kinds = np.zeros(len(chosen), dtype=np.int64), np.zeros((1, 0), dtype=bool)
    if course.gets:
        kinds, groups = np.unique(np.stack(course.gets, axis=1)[chosen], axis=0, return_inverse=True)
        groups = groups.reshape(-1)
    parts = list[tuple[NDArray[np.int64], Result]]()
    for group, gets in enumerate(kinds):
        rows = np.flatnonzero(groups == group)
        who = chosen[rows]
        given = tuple(each for each, has in zip(job.given, gets, strict=True) if has)
        own = run_population(
            _cut_job(replace(job, given=given), who),
            take_people(enrolled.people, who),
            start=take_start(enrolled.start, who),
            onward=onward.take(rows, gets) if onward else None,
            threads=threads,
            run=run,
        )
        amounts = np.zeros((*own.days.shape, len(gets), 3))
        amounts[:, :, gets] = own.amounts
        parts.append((rows, replace(own, amounts=amounts)))
    if len(parts) == 1:
        return parts[0][1]
    joined = _make_room(parts[0][1], take_people(enrolled.people, chosen))
    for rows, part in parts:
        for name, values in _list_arrays(part).items():
            getattr(joined, name)[rows] = values
    return joined


def _list_arrays(result: Result) -> dict[str, NDArray[Any]]:
    """Arrays of a result by name."""
    values = {part.name: getattr(result, part.name) for part in fields(result)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def _make_room(like: Result, people: Population) -> Result:
    """Make a result for so many patients, not filled yet."""
    count = len(people.numbers)
    arrays = {
        name: np.empty((count, *value.shape[1:]), dtype=value.dtype)
        for name, value in _list_arrays(like).items()
    }
    return replace(like, population=people, **arrays)


def _end(
    spec: Spec, begun: Begun, stop: Array, *, labs: bool, threads: int | None, run: Run | None
) -> tuple[Tables, dict[str, int]]:
    """Stop at progression, give what follows, and make a clinic's tables; counts as in `Replicate`."""
    from hccresist.overcome.model.ensemble import FULL  # noqa: PLC0415  (loads Numba)

    arm, enrolled, first = begun.arm, begun.enrolled, begun.result
    stopped = Stopped(
        stop,
        liver=_look_up(first.state("liver"), begun.job.visits, stop),
        hazard=_look_up(first.output("death_hazard"), begun.job.visits, stop, missing=np.inf),
    )
    course = plan_course(arm, enrolled.people, stopped, longest=spec.follow_up.longest, seed=spec.seed)
    job = _make_job(spec, begun.job.visits, course, begun.job.values)
    changed = np.flatnonzero(stop < first.ended)
    result = first
    if changed.size and (arm.drugs or arm.procedures):
        at = np.searchsorted(np.array(job.visits), stop[changed])
        onward = Checkpoint(
            stop[changed],
            first.path[changed, at],
            first.lesions[changed, at],
            np.ascontiguousarray(first.amounts[changed, at]),
        )
        later = _run_groups(job, course, enrolled, changed, onward=onward, threads=threads, run=run)
        result = _go_on(first, later, changed, at)
    tables = _observe(spec, arm, result, job, course, labs=labs)
    count = len(stop)
    return tables, {
        "screened": enrolled.screened,
        "enrolled": count,
        "unsolved": count - tables["patients"].height,
        "full": int((result.status == FULL).sum()),
    }


def _make_job(spec: Spec, visits: tuple[float, ...], course: Course, factors: Mapping[str, float]) -> Job:
    return Job(
        given=course.given,
        visits=visits,
        until=spec.follow_up.longest,
        procedures=course.procedures,
        values=factors,
        seed=spec.seed,
        baseline_days=spec.visits.baseline,
    )


def _cut_job(job: Job, chosen: NDArray[np.int64]) -> Job:
    """Take the job of some patients: values by patient are cut."""

    def cut(value: float | Array) -> float | Array:
        return value[chosen] if isinstance(value, np.ndarray) else value

    given = tuple(
        replace(each, start=cut(each.start), until=cut(each.until), intensity=cut(each.intensity))
        for each in job.given
    )
    procedures = tuple(replace(each, day=cut(each.day)) for each in job.procedures)
    return replace(job, given=given, procedures=procedures)


_BY_VISIT: Final = ("shown", "path", "amounts", "lesions")


def _go_on(first: Result, later: Result, changed: NDArray[np.int64], at: NDArray[np.int64]) -> Result:
    """Put what came from the day of the stop on in the place of what had come without it.

    Parameters
    ----------
    changed, at
        Patients whose treatment stopped, and the visit on which it did.
    """
    merged = {name: value.copy() for name, value in _list_arrays(first).items()}
    rows, visits = np.nonzero(np.arange(first.days.shape[1]) >= at[:, None])
    for name in _BY_VISIT:
        merged[name][changed[rows], visits] = getattr(later, name)[rows, visits]
    come = first.events[changed] <= first.days[changed, at][:, None]
    merged["events"][changed] = np.where(come, first.events[changed], later.events)
    merged["ended"][changed], merged["status"][changed] = later.ended, later.status
    return replace(first, **merged)


def _find_stops(spec: Spec, begun: Sequence[Begun]) -> list[Array]:
    """Day on which treatment stops for progression, of each arm; infinite where it does not."""
    parts = list[Tables]()
    for each in begun:
        tables = make_tables(
            each.result,
            each.job,
            scans=each.job.visits,
            arm=each.arm.arm_id,
            error=False,
            wanted=("patients", "visits", "lesions"),
        )
        tables["lesions"] = read_diameters(tables["lesions"], each.result, each.job, sd=spec.reading_sd)
        parts.append(tables)
    joined = {name: pl.concat([part[name] for part in parts]) for name in parts[0]}
    study = assemble_study(joined, make_config(spec))
    best = assess_study(study, criteria=[spec.progression], reasons=False).tables["best_response"]
    seen = best.filter(pl.col("progression_day").is_not_null())
    numbers = seen["patient_id"].str.slice(1).cast(pl.Int64).to_numpy()
    days = seen["progression_day"].to_numpy()
    found = list[Array]()
    for each in begun:
        own = each.enrolled.people.numbers
        stop = np.full(len(own), np.inf)
        if each.arm.stop_at_progression:
            here = np.isin(numbers, own)
            scans = np.array(each.job.visits[1:])
            stop[np.searchsorted(own, numbers[here])] = _later(scans, days[here], each.arm.beyond_visits)
        found.append(stop)
    return found


def _later(scans: Array, days: Array, count: int) -> Array:
    """Day of the scan that comes so many scans after that of a day; infinite where there is none."""
    at = np.searchsorted(scans, days - 1e-6) + count
    return np.where(at < len(scans), scans[np.minimum(at, len(scans) - 1)], np.inf)


def find_rows(names: pl.Series, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of patients by name."""
    given = names.str.slice(1).cast(pl.Int64).to_numpy()
    return np.searchsorted(numbers, given)


def _look_up(values: Array, visits: Sequence[float], days: Array, *, missing: float = 0.0) -> Array:
    """Values on the visit of each patient's day; `missing` where there is none."""
    at = np.minimum(np.searchsorted(np.array(visits), days), len(visits) - 1)
    found = values[np.arange(len(days)), at]
    return np.where(np.isfinite(days) & np.isfinite(found), found, missing)


def read_diameters(lesions: pl.DataFrame, result: Result, job: Job, *, sd: float) -> pl.DataFrame:
    """Put the error of reading on true diameters: a factor for each lesion and scan, to 0.1 mm.

    The whole and the viable diameter have an error each. A viable diameter below what is seen is zero, and
    none is larger than the whole.
    """
    if not sd:
        return lesions
    numbers = result.population.numbers
    row = find_rows(lesions["patient_id"], numbers)
    visit = (result.days[row] < lesions["day"].to_numpy()[:, None] - 1e-6).sum(axis=1)
    slot = lesions["lesion_id"].str.slice(1).cast(pl.Int64).to_numpy() - 1
    which = ((visit * SLOTS + slot) * 2)[:, None] + np.arange(2)
    factor = draw_readings(numbers[row], which, seed=job.seed, sd=sd)
    whole = (pl.col("longest_mm") * pl.Series(factor[:, 0])).round(1)
    viable = (pl.col("viable_mm") * pl.Series(factor[:, 1])).round(1)
    shown = pl.when(viable < NOT_ENHANCING_MM).then(0.0).otherwise(pl.min_horizontal(viable, whole))
    return lesions.with_columns(
        longest_mm=whole, viable_mm=pl.when(pl.col("viable_mm").is_not_null()).then(shown)
    )


def _observe(spec: Spec, arm: Arm, result: Result, job: Job, course: Course, *, labs: bool) -> Tables:
    """Make the tables that the trial's clinic has: until the data cut, and scans until treatment stops."""
    numbers, left_out = result.population.numbers, {"treatments"} if labs else {"treatments", "labs"}
    wanted = set(TABLES) - left_out
    tables = make_tables(result, job, scans=job.visits, arm=arm.arm_id, error=False, wanted=wanted)
    tables["lesions"] = read_diameters(tables["lesions"], result, job, sd=spec.reading_sd)
    drawn = draw_uniform(numbers, Purpose.ARM, np.array([index_of("entry")]), seed=spec.seed)[:, 0]
    cut = np.round(spec.follow_up.days + spec.follow_up.accrual_days * drawn)
    tables["treatments"] = _treatments(result, job, course, cut)
    scans = _later(np.array(job.visits[1:]), course.stop, spec.visits.after_stop)
    ends = pl.DataFrame(
        {"patient_id": name_patients(numbers), "cut": cut, "last_scan": np.minimum(cut, scans)}
    ).join(tables["patients"].filter(pl.col("simulation") == "solved").select("patient_id"), on="patient_id")
    for name, limit in (
        ("visits", "last_scan"),
        ("lesions", "last_scan"),
        ("labs", "last_scan"),
        ("procedures", "cut"),
    ):
        if name in tables:
            rows = tables[name].join(ends, on="patient_id", maintain_order="left")
            tables[name] = rows.filter(pl.col("day") <= pl.col(limit)).drop("cut", "last_scan")
    tables["survival"] = _cut_survival(tables["survival"].join(ends, on="patient_id", maintain_order="left"))
    for name in ("patients", "treatments"):
        tables[name] = tables[name].join(ends, on="patient_id", how="semi", maintain_order="left")
    tables["patients"] = tables["patients"].drop("simulation")
    return tables


def _cut_survival(rows: pl.DataFrame) -> pl.DataFrame:
    """Leave out what happened after the data cut."""
    late = pl.col("os_days") > pl.col("cut")
    return rows.with_columns(os_days=pl.min_horizontal("os_days", "cut"), died=pl.col("died") & ~late).drop(
        "cut", "last_scan"
    )


def _treatments(result: Result, job: Job, course: Course, cut: Array) -> pl.DataFrame:
    """Drugs from first to last dose; what was planned is line 1, what follows progression line 2."""
    names = np.array(name_patients(result.population.numbers))
    last = np.minimum(result.ended, cut)
    frames = list[pl.DataFrame]()
    for each, line, gets in zip(job.given, course.lines, course.gets, strict=True):
        start = np.asarray(each.start)
        end = np.minimum(np.asarray(each.until), last)
        had = gets & (end > start)
        frames.append(
            pl.DataFrame(
                {
                    "patient_id": names[had],
                    "line": np.full(int(had.sum()), line),
                    "drug": [find_regimen(each.regimen).drug] * int(had.sum()),
                    "start_day": start[had],
                    "end_day": np.floor(end[had]),
                    "dose": [describe_regimen(each.regimen)] * int(had.sum()),
                },
                schema=_TREATMENTS,
            )
        )
    if not frames:
        return pl.DataFrame(schema=_TREATMENTS)
    rows = pl.concat(frames).group_by("patient_id", "line", "drug", maintain_order=True)
    return rows.agg(pl.col("start_day").min(), pl.col("end_day").max(), pl.col("dose").first())


_TREATMENTS: Final = {
    "patient_id": pl.String,
    "line": pl.Int64,
    "drug": pl.String,
    "start_day": pl.Float64,
    "end_day": pl.Float64,
    "dose": pl.String,
}
