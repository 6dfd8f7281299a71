"""One trial run with many sets of parameters at once: what a calibration asks for.

All sets run on twins of the same patients (`rng.TWIN`), so that they differ by their parameters alone, and
are read by the same *assess* and *outcomes* as any trial, in one pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.assess.engine import assess_study
from hccresist.errors import ConfigError
from hccresist.outcomes.contrasts import hazard_ratio
from hccresist.outcomes.counts import EndpointCounts, observation_times, tally
from hccresist.outcomes.endpoints import derive_events
from hccresist.outcomes.kaplan_meier import kaplan_meier, median, survival_on
from hccresist.outcomes.rates import compute_rates
from hccresist.outcomes.survival import MONTH
from hccresist.overcome.dosing import split_values
from hccresist.overcome.engine import Result
from hccresist.overcome.population import Population, draw_population, scale_population
from hccresist.overcome.prevalence_weights import MEAN, is_found, read_weighting
from hccresist.overcome.rng import TWIN
from hccresist.overcome.trial_endpoints import MEDIANS, RATIOS, find_landmark, name_event
from hccresist.overcome.trial_people import (
    Enrolled,
    Start,
    find_hazard,
    fits_mix,
    grow,
    screen,
    take_people,
    take_start,
)
from hccresist.overcome.trial_prior import can_live, end_line, run_line
from hccresist.overcome.trial_run import Begun, begin_arm, end_arms, make_config
from hccresist.overcome.trial_spec import BY_WORD, CRITERIA, Arm, Eligibility, Spec
from hccresist.study.check import assemble_study
from hccresist.study.study import Study

SEPARATOR: Final = "@"
COLUMNS: Final = ("member", "arm_id", "comparator_arm", "endpoint", "criterion", "value", "n")
Row = tuple[int, str, str | None, str, str | None, float, int]
Line = tuple[tuple[str, ...], float]
"""Regimens of an earlier line, and the share who did not tolerate it."""
FEWEST: Final = 20
"""Patients of an arm below which a set of parameters gives no numbers."""
Wanted = tuple[str, str | None, str, str | None]
"""Arm, comparator, endpoint and criterion, as the tables of published trials name them."""


@dataclass(frozen=True)
class Pool:
    """Patients of one set of parameters from whom the arms of all trials are enrolled.

    Attributes
    ----------
    values, factors
        Typical values of parameters, and factors on drug effects.
    lines
        Patients and their start by earlier line (regimens, share who did not tolerate it), with flags of
        those who can be enrolled. Without an earlier line these are all patients of the pool.
    """

    values: Mapping[str, float]
    factors: Mapping[str, float]
    lines: Mapping[Line, tuple[Population, Start, NDArray[np.bool_]]]


def make_pool(
    values: Mapping[str, float],
    lines: Sequence[Line],
    *,
    size: int,
    replicate: int = 0,
    threads: int | None = None,
    seed: int = 0,
) -> Pool:
    """Draw a pool and give the earlier lines.

    Parameters
    ----------
    values
        Typical values that differ from the table.
    lines
        Earlier lines that arms ask for; ``((), 0.0)`` is none.
    size
        Patients; about so many where some are not found (`prevalence_weights`).
    replicate
        Number of the pool: other patients.
    """
    own, factors = split_values(values)
    weighting = read_weighting(values)
    count = size if weighting is None else round(size / MEAN)
    drawn = draw_pool(replicate * count, count, seed=seed)
    drawn = take_people(drawn, is_found(drawn, weighting, seed=seed))
    people = scale_population(drawn, own)
    start, fine = grow(people, threads=threads)
    grown, begun = take_people(people, fine), take_start(start, fine)
    found = dict[Line, tuple[Population, Start, NDArray[np.bool_]]]()
    runs = dict[tuple[str, ...], Result]()
    for line in lines:
        regimens, intolerant = line
        if not regimens:
            found[line] = (
                people,
                start,
                fine & can_live(find_hazard(screen(people, start, threads=threads))),
            )
            continue
        if regimens not in runs:
            runs[regimens] = run_line(
                grown, begun, regimens=regimens, factors=factors, threads=threads, seed=seed
            )
        found[line] = end_line(runs[regimens], intolerant=intolerant, seed=seed)
    return Pool(own, factors, found)


@lru_cache(maxsize=4)
def draw_pool(first: int, size: int, *, seed: int) -> Population:
    """Draw the patients of a pool at the table's values."""
    return draw_population(np.arange(first, first + size), mixed=True, seed=seed)


def find_line(arm: Arm) -> Line:
    """Find the earlier line of an arm."""
    return (arm.prior, arm.prior_intolerant if arm.prior else 0.0)


def run_members(
    spec: Spec, pools: Sequence[Pool], wanted: Sequence[Wanted], *, threads: int | None = None
) -> pl.DataFrame:
    """Run one trial with each set of parameters, each on its pool.

    Arms take the first of a pool whose traits fit the trial's mix; all arms of a trial have the same
    patients. A pool that has too few gives fewer, none below `FEWEST`.

    Parameters
    ----------
    wanted
        Endpoints that are asked for; arms that nothing is asked of are left out.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: percent, months, ratio; a median that was not reached is infinite; what cannot
        be estimated is not a number.

    Raises
    ------
    ConfigError
        Where the trial has rules that a pool does not know: eligibility, handles, dropout of its own.
    """
    found = dict[tuple[int, Wanted], Row]()
    study = make_members_study(spec, pools, wanted, threads=threads)
    if study is not None:
        found = _measure(study, spec, wanted)
    numbers = range(len(pools))
    rows = [found.get((k, key), (k, *key, float("nan"), 0)) for k in numbers for key in wanted]
    return _table(rows)


def make_members_study(
    spec: Spec, pools: Sequence[Pool], wanted: Sequence[Wanted], *, threads: int | None = None
) -> Study | None:
    """Run the arms that are asked for on all pools: one study, whose arms are named ``ARM@NUMBER``.

    Returns
    -------
    Study or None
        None where no pool has patients enough.

    Raises
    ------
    ConfigError
        As `run_members`.
    """
    if _is_special(spec):
        message = f"{spec.name} has eligibility, handles or dropout of its own: run it by `run_replicate`"
        raise ConfigError(message)
    needed = {name for arm, other, _, _ in wanted for name in (arm, other) if name}
    arms = [arm for arm in spec.arms if arm.arm_id in needed]
    begun = list[Begun]()
    for number, pool in enumerate(pools):
        for place, arm in enumerate(arms):
            who = _enrol(spec, arm, pool, shift=(number * len(arms) + place) * TWIN)
            if who is not None:
                own = replace(arm, arm_id=f"{arm.arm_id}{SEPARATOR}{number}", control=False)
                begun.append(begin_arm(spec, own, who, factors=pool.factors, threads=threads, run=None))
    if not begun:
        return None
    many = replace(spec, arms=tuple(each.arm for each in begun))
    tables, _ = end_arms(many, begun, labs=False, threads=threads, run=None)
    return assemble_study(tables, make_config(many))


def _is_special(spec: Spec) -> bool:
    rules = [spec.eligibility, *(arm.eligibility for arm in spec.arms)]
    own = any(rule != Eligibility() for rule in rules)
    return own or bool(spec.handles) or not spec.mixed or spec.follow_up.dropout_per_year is not None


def _enrol(spec: Spec, arm: Arm, pool: Pool, *, shift: int) -> Enrolled | None:
    """Take an arm's patients from a pool."""
    people, start, fine = pool.lines[find_line(arm)]
    chosen = np.flatnonzero(fine & fits_mix(people, spec.mix, seed=spec.seed))[: arm.n]
    if len(chosen) < FEWEST:
        return None
    own = take_people(people, chosen)
    return Enrolled(replace(own, numbers=own.numbers + shift), take_start(start, chosen), len(fine))


def _table(rows: Sequence[Row]) -> pl.DataFrame:
    kinds = [pl.Int64, pl.String, pl.String, pl.String, pl.String, pl.Float64, pl.Int64]
    return pl.DataFrame(rows, schema=dict(zip(COLUMNS, kinds, strict=True)), orient="row")


def assess_members(
    study: Study, spec: Spec, wanted: Sequence[Wanted]
) -> tuple[Mapping[str, pl.DataFrame], pl.DataFrame]:
    """Assess a study by the criteria that are asked for: tables of *assess*, and events."""
    asked = {BY_WORD[criterion] for *_, criterion in wanted if criterion}
    criteria = [name for name in spec.criteria if name in asked] or list(spec.criteria[:1])
    tables = assess_study(study, criteria=criteria, reasons=False).tables
    best, timepoints = tables["best_response"], tables["timepoints"]
    events = derive_events(study, timepoints=timepoints, best_response=best, confirmed=spec.confirmed)
    return tables, events


def _measure(study: Study, spec: Spec, wanted: Sequence[Wanted]) -> dict[tuple[int, Wanted], Row]:
    """All endpoints that are asked for, of all arms."""
    tables, events = assess_members(study, spec, wanted)
    best, timepoints = tables["best_response"], tables["timepoints"]
    rates = compute_rates(study, best_response=best, baselines=tables["baselines"], timepoints=timepoints)
    rates = rates.filter(pl.col("confirmed") == spec.confirmed)
    shares = {
        (row["group"], row["measure"], CRITERIA[row["criterion"]]): (row["percent"], row["n"])
        for row in rates.iter_rows(named=True)
        if row["criterion"] in CRITERIA
    }
    arms = sorted(study.patients["arm"].unique().to_list())
    counts = {
        (each.endpoint, CRITERIA.get(each.criterion or "")): each
        for each in tally(observation_times(study, events), arms)
    }
    found = dict[tuple[int, Wanted], Row]()
    for key in wanted:
        for number, value, n in _values(key, arms, shares, counts):
            found[(number, key)] = (number, *key, value, n)
    return found


def _values(
    key: Wanted,
    arms: Sequence[str],
    shares: Mapping[tuple[str, str, str], tuple[float, int]],
    counts: Mapping[tuple[str, str | None], EndpointCounts],
) -> Iterator[tuple[int, float, int]]:
    """Values of one endpoint in all members."""
    arm_id, other, endpoint, criterion = key
    for arm in arms:
        base, _, number = arm.rpartition(SEPARATOR)
        if base != arm_id:
            continue
        if endpoint in {"ORR", "DCR"}:
            value, n = shares.get((arm, endpoint, criterion or ""), (float("nan"), 0))
            yield int(number), value, n
            continue
        kind = name_event(endpoint)
        own = counts.get((kind, None if kind == "OS" else criterion))
        if own is None:
            continue
        group = own.groups[arm]
        if endpoint in RATIOS:
            rival = f"{other}{SEPARATOR}{number}"
            ratio = hazard_ratio([own.groups], arm, rival).value if rival in own.groups else None
            yield int(number), float("nan") if ratio is None else ratio, group.n
        elif endpoint in MEDIANS:
            middle = median(kaplan_meier(group))
            open_end = middle.value is None and (middle.note or "").startswith("not reached")
            value = np.inf if open_end else np.nan if middle.value is None else middle.value / MONTH
            yield int(number), float(value), group.n
        else:
            share = survival_on(kaplan_meier(group), find_landmark(endpoint)).value
            yield int(number), float("nan") if share is None else 100.0 * share, group.n
