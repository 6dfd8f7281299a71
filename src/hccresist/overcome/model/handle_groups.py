"""The model's number for published facts about a resistance handle, from a group of patients.

The group is drawn from the parameter table (`handle_runs.draw_patients`), with a scan every two weeks for two
years; the same patients have a handle on and off, so that few are needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hccresist.overcome.model.handle_facts import Fact
from hccresist.overcome.model.handle_measures import (
    MEASURES,
    TOLERANT,
    Measure,
    find_handle,
    reverse,
    switch_on,
)
from hccresist.overcome.model.handle_runs import (
    DAYS,
    STEP,
    Array,
    Followed,
    draw_patients,
    find_progression,
    follow,
    follow_group,
    is_response,
    name_drugs,
)

Mask = NDArray[np.bool_]

_MONTH: Final = 30.44
_WEEKS_16: Final = 112.0
_WEEKS_24: Final = 168.0
_YEAR: Final = 365.0
_MANY_PDL1: Final = 71 / 366
"""Share of patients whose tumour stained for PD-L1 (CheckMate 459)."""


def _days(group: tuple[Followed, ...]) -> Array:
    """Days of progression, the end of the run where there is none."""
    return np.minimum([find_progression(course) for course in group], DAYS)


def _rate(group: tuple[Followed, ...], chosen: Mask) -> float:
    """Response rate of some of the group."""
    return float(np.mean([is_response(course) for course, yes in zip(group, chosen, strict=True) if yes]))


def _on(name: str) -> tuple[tuple[str, float], ...]:
    """Set a handle to its typical value, as `follow_group` takes it."""
    return tuple(switch_on(name).items())


def _ttp_ratio(fact: Fact) -> float:
    """Median days to progression, handle on to off, of those with disease control at 16 weeks when off."""
    drugs = name_drugs(fact.drug)
    off, on = _days(follow_group(drugs)), _days(follow_group(drugs, _on(fact.handle)))
    kept = off > _WEEKS_16
    return float(np.median(on[kept]) / np.median(off[kept]))


def _tolerant_ttp_ratio(fact: Fact) -> float:
    """Median days to progression, tolerant cells at the start to none."""
    drugs = name_drugs(fact.drug)
    without, tolerant = follow_group(drugs), follow_group(drugs, tolerant=TOLERANT)
    return float(np.median(_days(tolerant)) / np.median(_days(without)))


def _benefit_odds(fact: Fact) -> float:
    """Odds of disease control at 24 weeks, handle on to off, where it has acted for a year before."""

    def odds(on: tuple[tuple[str, float], ...], escaped: float) -> float:
        group = follow_group(name_drugs(fact.drug), on, escaped=escaped)
        share = float(np.mean(_days(group) > _WEEKS_24))
        return share / (1 - share)

    escaped = 1 - float(np.exp(-find_handle(fact.handle).typical * _YEAR))
    return odds(_on(fact.handle), escaped) / odds((), 0.0)


def _acquired_months(fact: Fact) -> float:
    """Median months to progression of those who respond first and progress within two years, handle on."""
    group = follow_group(name_drugs(fact.drug), _on(fact.handle))
    days = _days(group)
    chosen = np.array([is_response(course) for course in group]) & (days < DAYS)
    return float(np.median(days[chosen])) / _MONTH if chosen.any() else float("inf")


def _nlr_high(group: tuple[Followed, ...]) -> Mask:
    """Whether a patient's NLR at the start is above the median."""
    nlr = np.array([course.run.output("nlr")[0] for course in group])
    return nlr > np.median(nlr)


def _nlr_response_ratio(fact: Fact) -> float:
    """Response rate with NLR above its median to below, handle off."""
    group = follow_group(name_drugs(fact.drug))
    high = _nlr_high(group)
    return _rate(group, high) / _rate(group, ~high)


def _nlr_ttp_ratio(fact: Fact) -> float:
    """Median days to progression with NLR below its median to above, handle off."""
    group = follow_group(name_drugs(fact.drug))
    high, days = _nlr_high(group), _days(group)
    return float(np.median(days[~high]) / np.median(days[high]))


def _marker_pdl1_ratio(fact: Fact) -> float:
    """Response rate of the fifth with most PD-L1 at the start to the rest, handle off."""
    group = follow_group(name_drugs(fact.drug))
    pdl1 = np.array([_find_pdl1(course) for course in group])
    high = pdl1 >= np.quantile(pdl1, 1 - _MANY_PDL1)
    return _rate(group, high) / _rate(group, ~high)


def _find_pdl1(course: Followed) -> float:
    """Rise of PD-L1 by interferon at the start: effectors per tumour cell decide it."""
    cells = sum(course.state(name)[0] for name in ("sensitive", "tolerant", "escaped", "both"))
    return float(course.state("effector")[0] / cells)


def _marker_pdl1(fact: Fact) -> float:
    """Give the same ratio as a direction."""
    return _marker_pdl1_ratio(fact) - 1


def _death_ratio(fact: Fact) -> float:
    """Compare the summed hazard of death over a year, handle on to off."""
    year = round(_YEAR // STEP)
    groups = (follow_group(name_drugs(fact.drug), on) for on in (_on(fact.handle), ()))
    on, off = (sum(course.shared("hazard_death")[year] for course in group) for group in groups)
    return float(on / off)


def _rescued(fact: Fact, output: str) -> float:
    """Per cent who respond within 24 weeks when the strategy is added at progression, handle on."""
    drugs, on = name_drugs(fact.drug), switch_on(fact.handle)
    found: list[bool] = []
    for one, course in zip(draw_patients(), follow_group(drugs, _on(fact.handle)), strict=True):
        stop = find_progression(course)
        if stop < DAYS:
            at = course.run.path[course.asked[round(stop / STEP)]]
            values = reverse(fact.handle, {**one, **on})
            later = follow(values, drugs, tuple(np.arange(0.0, 169.0, 28.0)), state=at)
            found.append(is_response(later, output))
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
    "nlr_ttp_ratio": _nlr_ttp_ratio,
    "marker_pdl1": _marker_pdl1,
    "marker_pdl1_ratio": _marker_pdl1_ratio,
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
