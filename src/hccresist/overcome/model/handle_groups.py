"""The model's number for published facts about a resistance handle, from a group of patients.

The group is a virtual population with one lesion of 50 mm each, scanned every week for two years; the same
patients have a handle on and off, so that few are needed. Progression, response and death are read off the
equations. New lesions, dropout and measurement error are left out: nobody is lost to follow-up.
Where a source gives a level for patients without the handle (months to progression, share of responses), the
growth rates of the group are first scaled so that the group has that level (`find_pace`): a ratio of medians
means nothing where one of them is not reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hccresist.errors import ComputationError
from hccresist.overcome.engine import Job, Result, run_population
from hccresist.overcome.model.handle_facts import Fact
from hccresist.overcome.model.handle_measures import (
    MEASURES,
    TOLERANT,
    Measure,
    add_effects,
    find_handle,
    reverse,
)
from hccresist.overcome.model.handle_runs import DIAMETER_MM, Array, follow_on, name_drugs
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.plan import Given
from hccresist.overcome.population import draw_population

Mask = NDArray[np.bool_]

PATIENTS: Final = 400
MANY: Final = 1600
"""Patients where shares of a mixed population are compared, so that chance decides nothing."""
DAYS: Final = 728.0
STEP: Final = 7.0
PACES: Final = (0.4, 6.0)
"""Factors of the growth rate between which a group is brought to a published level."""
_HALVINGS: Final = 7
_MONTH: Final = 30.44
_WEEK_12: Final = 12
_WEEK_24: Final = 24
_YEAR: Final = 364.0
_CONFIRMED: Final = 1.25
_WEEKS: Final = 8
"""Weeks between the scans of a clinic."""
_MANY_PDL1: Final = 71 / 366
"""Share of patients whose tumour stained for PD-L1 (CheckMate 459)."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Who is followed, and on what.

    Attributes
    ----------
    drugs
        Drugs, each by its standard regimen, from day 0.
    on
        Handles that are on in all, at their typical size.
    pace
        Factor of the growth rate.
    mixed
        Whether the other handles are on in some, as ``prevalence.csv`` says; else they are off.
    tolerant, escaped
        Shares of tolerant cells and of cells without antigen presentation at the start; None: as drawn.
    count
        Patients.
    """

    drugs: tuple[str, ...]
    on: tuple[str, ...] = ()
    pace: float = 1.0
    mixed: bool = False
    tolerant: float | None = None
    escaped: float | None = None
    count: int = PATIENTS


@dataclass(frozen=True)
class Courses:
    """What came of a group; arrays have a row a patient.

    Attributes
    ----------
    whole, viable
        Diameters (mm) on the days of `DAY`.
    hazard
        Cumulative hazard of death on these days.
    death
        Day of death, infinite where later than the end.
    nlr, pdl1
        Neutrophil-to-lymphocyte ratio and PD-L1 (relative to none of interferon) at the start.
    states, params
        States on these days (not kept of more than PATIENTS) and parameters, as `run_patient` takes them for
        one lesion.
    """

    whole: Array
    viable: Array
    hazard: Array
    death: Array
    nlr: Array
    pdl1: Array
    states: Array
    params: Array

    @property
    def progression(self) -> Array:
        """Days on which the whole diameter is a fifth and 5 mm above its lowest; infinite where never."""
        return self.see_progression(every=1)

    def see_progression(self, *, every: int) -> Array:
        """Days of progression where only every so many weeks is looked at."""
        grown = find_grown(self.whole[:, ::every])
        days = np.where(grown.any(axis=1), DAY[::every][np.argmax(grown, axis=1)], np.inf)
        return np.where(days <= self.death, days, np.inf)

    @property
    def free(self) -> Array:
        """Days to progression or death, those of the end where there is neither."""
        return np.minimum(np.minimum(self.progression, self.death), DAYS)

    @property
    def responses(self) -> Mask:
        """Whether the whole diameter falls by 30 percent before progression or death."""
        return find_responses(self.whole, DAY[None, :] < np.minimum(self.progression, self.death)[:, None])


DAY: Final = np.arange(0.0, DAYS + 1, STEP)
"""Days on which the group is looked at."""


def find_grown(size: Array) -> Mask:
    """Whether a diameter is a fifth and 5 mm above its lowest so far; shape = (n, n_days)."""
    lowest = np.minimum.accumulate(size, axis=1)
    return (size >= 1.2 * lowest) & (size - lowest >= 5.0)


def find_responses(size: Array, early: Mask) -> Mask:
    """Whether a diameter falls by 30 percent from its first while `early` holds; shape = (n,)."""
    return np.any((size <= 0.7 * size[:, :1]) & early, axis=1)


def _run(group: Group, first: int) -> tuple[Result, Array]:
    """Run some of a group in which nobody dies, leaves or has a new lesion; and the thresholds of death."""
    growth = next(p.value for p in read_model().parameters if p.name == "growth_rate")
    people = draw_population(
        np.arange(first, min(first + PATIENTS, group.count)),
        handles=dict.fromkeys(group.on, 1.0),
        values={"growth_rate": group.pace * growth},
        mixed=group.mixed,
    )
    clones = people.clones.copy()
    for column, share in enumerate((group.tolerant, group.escaped)):
        if share is not None:
            clones[:, column] = share
    diameters = np.zeros_like(people.diameters)
    diameters[:, 0] = DIAMETER_MM
    alone = replace(
        people,
        lesions=np.ones_like(people.lesions),
        diameters=diameters,
        clones=clones,
        thresholds=np.full_like(people.thresholds, np.inf),
    )
    job = Job(tuple(Given(drug) for drug in group.drugs), tuple(DAY.tolist()), DAYS)
    return run_population(job, alone), people.thresholds[:, 0]


@lru_cache(maxsize=32)
def follow_group(group: Group) -> Courses:
    """Follow a group for two years.

    Raises
    ------
    ComputationError
        Where a patient could not be solved.
    """
    parts = [_follow_part(group, first) for first in range(0, group.count, PATIENTS)]
    return Courses(
        **{
            each.name: np.concatenate([getattr(part, each.name) for part in parts])
            for each in fields(Courses)
        }
    )


def _follow_part(group: Group, first: int) -> Courses:
    """Follow some of a group, from the patient numbered `first`."""
    result, threshold = _run(group, first)
    if result.status.any():
        message = f"{int((result.status != 0).sum())} patients could not be solved: {group}"
        raise ComputationError(message)
    model = read_model()
    hazard = result.state("hazard_death")
    dead = hazard >= threshold[:, None]
    states = len(model.patient.states) + len(model.lesion.states)
    params = len(model.names("patient")) + len(model.names("lesion"))
    return Courses(
        whole=result.output("whole_mm", slot=0),
        viable=result.output("viable_mm", slot=0),
        hazard=hazard,
        death=np.where(dead.any(axis=1), DAY[np.argmax(dead, axis=1)], np.inf),
        nlr=result.output("nlr")[:, 0],
        pdl1=_find_pdl1(result),
        states=result.path[:, :, :states].copy() if group.count <= PATIENTS else result.path[:, :0, :states],
        params=result.population.params[:, :params],
    )


def _find_pdl1(result: Result) -> Array:
    """PD-L1 at the start as the lesion's text has it: interferon of effectors, and what needs none."""
    model = read_model()
    known = dict(zip(model.names("patient"), result.population.params.T, strict=False))
    clones = ("sensitive", "tolerant", "escaped", "both")
    cells = sum(result.state(name, slot=0)[:, 0] for name in clones)
    effector = result.state("effector", slot=0)[:, 0]
    interferon = effector / (effector + known["interferon_half"] * cells + known["one_cell"])
    return 1 + (known["pdl1_fold"] - 1) * interferon + known["h_pdl1"]


@lru_cache(maxsize=64)
def find_pace(level: str, group: Group) -> float:
    """Factor of the growth rate that brings a group to a published level (`Fact.group`)."""
    kind, _, number = level.partition(" ")
    if not kind:
        return 1.0
    wanted, (low, high) = float(number), PACES
    for _ in range(_HALVINGS):
        middle = float(np.sqrt(low * high))
        seen = follow_group(replace(group, pace=middle))
        found = np.median(seen.free) / _MONTH if kind == "median" else 100 * np.mean(seen.responses)
        low, high = (middle, high) if found > wanted else (low, middle)
    return float(np.sqrt(low * high))


def _at_pace(fact: Fact, group: Group) -> Group:
    """Group without the handle at its published level."""
    return replace(group, pace=find_pace(fact.group, group))


def _follow_mixed(fact: Fact) -> Courses:
    """Follow many at the published level, handles as prevalent."""
    group = _at_pace(fact, Group(drugs=name_drugs(fact.drug), mixed=True))
    return follow_group(replace(group, count=MANY))


def _ttp_ratio(fact: Fact) -> float:
    """Median days to progression or death, handle on to off."""
    off = _at_pace(fact, Group(drugs=name_drugs(fact.drug)))
    on = replace(off, on=(fact.handle,))
    return float(np.median(follow_group(on).free) / np.median(follow_group(off).free))


def _tolerant_ttp_ratio(fact: Fact) -> float:
    """Median days to progression or death, tolerant cells at the start to none."""
    off = _at_pace(fact, Group(drugs=name_drugs(fact.drug), tolerant=0.0))
    on = replace(off, tolerant=TOLERANT)
    return float(np.median(follow_group(on).free) / np.median(follow_group(off).free))


def _benefit_odds(fact: Fact) -> float:
    """Odds of disease control at 24 weeks, handle on to off, where it has acted for a year before."""

    def odds(group: Group) -> float:
        share = float(np.mean(follow_group(group).free > 7 * _WEEK_24))
        return share / (1 - share)

    off = Group(drugs=name_drugs(fact.drug), escaped=0.0)
    escaped = 1 - float(np.exp(-find_handle(fact.handle).typical * _YEAR))
    return odds(replace(off, on=(fact.handle,), escaped=escaped)) / odds(off)


def _acquired_months(fact: Fact) -> float:
    """Median months to progression of those with a first benefit who progress within two years, handle on.

    Benefit: a response, or 24 weeks without progression, as SITC has it for secondary resistance
    (doi:10.1136/jitc-2019-000398).
    """
    seen = follow_group(Group(drugs=name_drugs(fact.drug), on=(fact.handle,)))
    benefit = seen.responses | (seen.progression > 7 * _WEEK_24)
    days = seen.progression[benefit & (seen.progression <= DAYS)]
    return float(np.median(days)) / _MONTH if days.size else float("inf")


def _by_nlr(fact: Fact) -> tuple[Courses, Mask]:
    """Give the group at its level, handles as prevalent, and whose NLR is above the median at the start."""
    seen = _follow_mixed(fact)
    return seen, seen.nlr > np.median(seen.nlr)


def _nlr_response_ratio(fact: Fact) -> float:
    """Response rate with NLR above its median to below."""
    seen, high = _by_nlr(fact)
    return float(np.mean(seen.responses[high]) / np.mean(seen.responses[~high]))


def _nlr_hazard_ratio(fact: Fact) -> float:
    """Progressions or deaths per day followed, NLR above its median to below."""
    seen, high = _by_nlr(fact)
    ended = np.minimum(seen.progression, seen.death) <= DAYS
    rates = [ended[chosen].sum() / seen.free[chosen].sum() for chosen in (high, ~high)]
    return float(rates[0] / rates[1])


def _marker_pdl1_ratio(fact: Fact) -> float:
    """Response rate of the fifth with most PD-L1 at the start to the rest, handles as prevalent."""
    seen = _follow_mixed(fact)
    high = seen.pdl1 >= np.quantile(seen.pdl1, 1 - _MANY_PDL1)
    return float(np.mean(seen.responses[high]) / np.mean(seen.responses[~high]))


def _marker_pdl1(fact: Fact) -> float:
    """Give the same ratio as a direction."""
    return _marker_pdl1_ratio(fact) - 1


def _pseudo_share(fact: Fact) -> float:
    """Per cent whose squared diameter is a quarter larger at week 12 and is not at week 24."""
    seen = _follow_mixed(fact)
    early, later = (
        seen.whole[:, week] ** 2 >= _CONFIRMED * seen.whole[:, 0] ** 2 for week in (_WEEK_12, _WEEK_24)
    )
    return 100 * float(np.mean(early & ~later & (seen.death > 7 * _WEEK_24)))


def _pseudo_late(fact: Fact) -> float:
    """Per cent who respond after progression, of those who live to the next scan eight weeks later."""
    seen = _follow_mixed(fact)
    day, whole = DAY[::_WEEKS], seen.whole[:, ::_WEEKS]
    found = seen.see_progression(every=_WEEKS)
    later = (day > found[:, None]) & (day < seen.death[:, None])
    beyond = (found <= DAYS - 7 * _WEEKS) & (seen.death > found + 7 * _WEEKS)
    return 100 * float(np.mean(find_responses(whole, later)[beyond]))


def _death_ratio(fact: Fact) -> float:
    """Compare the summed hazard of death over a year, handle on to off."""
    off = Group(drugs=name_drugs(fact.drug))
    groups = (follow_group(replace(off, on=on)) for on in ((fact.handle,), ()))
    on, without = (float(seen.hazard[:, round(_YEAR // STEP)].sum()) for seen in groups)
    return on / without


def _rescued(fact: Fact, output: str) -> float:
    """Per cent who respond within two years when the strategy is added at progression, handle on."""
    drugs = name_drugs(fact.drug)
    seen = follow_group(Group(drugs=drugs, on=(fact.handle,)))
    names = read_model().names("patient")
    changed = {names.index(name): value for name, value in reverse(fact.handle, {}).items()}
    added = add_effects(fact.handle)
    found: list[bool] = []
    for i in np.flatnonzero(seen.progression <= DAYS):
        params = seen.params[i].copy()
        for at, value in changed.items():
            params[at] = value
        state = seen.states[i, round(seen.progression[i] / STEP)]
        course = follow_on(state, params, drugs, days=DAY[::4], added=added)
        whole, size = course.output("whole_mm")[None, :], course.output(output)[None, :]
        early = ~np.maximum.accumulate(find_grown(whole), axis=1)
        found.append(bool(find_responses(size, early)[0]))
    return 100 * float(np.mean(found)) if found else float("nan")


def _rescued_recist(fact: Fact) -> float:
    """Responses of the whole diameter."""
    return _rescued(fact, "whole_mm")


def _rescued_mrecist(fact: Fact) -> float:
    """Responses of the viable diameter."""
    return _rescued(fact, "viable_mm")


GROUP_MEASURES: Final[Mapping[str, Measure]] = {
    "ttp_ratio": _ttp_ratio,
    "tolerant_ttp_ratio": _tolerant_ttp_ratio,
    "benefit_odds": _benefit_odds,
    "acquired_months": _acquired_months,
    "nlr_response_ratio": _nlr_response_ratio,
    "nlr_hazard_ratio": _nlr_hazard_ratio,
    "marker_pdl1": _marker_pdl1,
    "marker_pdl1_ratio": _marker_pdl1_ratio,
    "pseudo_share": _pseudo_share,
    "pseudo_late": _pseudo_late,
    "death_ratio": _death_ratio,
    "rescued_recist": _rescued_recist,
    "rescued_mrecist": _rescued_mrecist,
}
"""Measures on a group, by their name in `handle_facts.csv`."""


def measure(fact: Fact) -> float:
    """Ask the model for the number of a fact.

    Parameters
    ----------
    fact
        A fact that can be asked (`Fact.asked`).

    Returns
    -------
    float
        The model's number in the unit of the fact; for a direction a number above zero where the model goes
        the published way.
    """
    return {**MEASURES, **GROUP_MEASURES}[fact.measure](fact)
