"""The model's number for published facts about a resistance handle, from one patient.

Every measure takes a `Fact` and gives one number in the unit of the fact; for directions a number above zero
means that the model goes the published way. Measures on a group of patients: `handle_groups`, where `measure`
finds the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from hccresist.overcome.model.handle_facts import Fact, read_reversals
from hccresist.overcome.model.handle_runs import (
    DIAMETER_MM,
    NOTHING,
    RESPONDER,
    Followed,
    Values,
    find_effects,
    find_rules,
    follow,
    hold,
    name_drugs,
)
from hccresist.overcome.model.parameters import Handle, read_handles, read_model
from hccresist.overcome.model.patients import make_parameters, start_state

TINY: Final = 1e-3
"""Lost response (logarithm of cells over 24 weeks) below which a handle does nothing."""
SPARED: Final = 0.05
"""Share of a drug's effect that a handle may take from a drug that it is not known for."""
IDLE: Final = 0.02
"""Change of cells (logarithm over 24 weeks) that a strategy may make where the mechanism is absent."""
ESCAPED: Final = 0.2
"""Cells without antigen presentation at the start where NK cells are asked about."""
TOLERANT: Final = 0.99
"""Tolerant cells at the start where a mutation is there from the start."""
NEW_LESIONS: Final = frozenset({"emt"})
"""Handles that make new lesions and not larger ones."""
HELD_MM: Final = 0.6
"""Growth in 30 days of a tumour that T cells all but hold, where loss of that hold is asked about."""
_BRAKE_OFF: Final = 3.0
_MOST: Final = 1e4
_STEADY: Final = 28.0

Measure = Callable[[Fact], float]


def find_handle(name: str) -> Handle:
    """Find a handle by its name."""
    return next(handle for handle in read_handles() if handle.handle == name)


def switch_on(name: str, share: float = 1.0) -> dict[str, float]:
    """Parameters with a handle at a share of its typical value."""
    handle = find_handle(name)
    return dict.fromkeys(handle.parameters, share * handle.typical)


def reverse(name: str, values: Values, *, left: float | None = None) -> dict[str, float]:
    """Parameters with the strategy of a handle added; `left` in place of the share that it leaves."""
    table = {p.name: p.value for p in read_model().parameters}
    factors = read_reversals()[name].factors
    shares = {key: factor if left is None else left for key, factor in factors.items()}
    return {**values, **{key: share * values.get(key, table[key]) for key, share in shares.items()}}


def add_effects(name: str, *, left: float | None = None) -> dict[str, float]:
    """Drug effects that the strategy of a handle adds; `left` in place of the share that it leaves."""
    added = read_reversals()[name].added
    return dict(added) if left is None else dict.fromkeys(added, 1 / left - 1)


def replace_drugs(name: str, drugs: tuple[str, ...]) -> tuple[str, ...]:
    """Drugs with the strategy of a handle: those that it puts in their place, or the same."""
    return read_reversals()[name].instead or drugs


def change_cells(
    values: Values,
    drugs: tuple[str, ...],
    *,
    added: Values = NOTHING,
    tolerant: float = 0.0,
    escaped: float = 0.0,
) -> float:
    """Logarithm of the change of tumour cells over 24 weeks in a patient who can respond."""
    course = follow(RESPONDER | dict(values), drugs, added=added, tolerant=tolerant, escaped=escaped)
    cells = course.output("cells_ml")
    return float(np.log(cells[-1] / cells[0]))


def lose_response(name: str, drugs: tuple[str, ...]) -> float:
    """Response that a handle takes from drugs, beyond what it does to untreated growth."""
    escaped = ESCAPED if name == "nk" else 0.0
    on, off = switch_on(name), {}
    lost = change_cells(on, drugs, escaped=escaped) - change_cells(off, drugs, escaped=escaped)
    return lost - change_cells(on, (), escaped=escaped) + change_cells(off, (), escaped=escaped)


def restore(name: str, drugs: tuple[str, ...], *, left: float | None = None) -> float:
    """Share of what a handle takes that its strategy gives back when it is given from the start.

    What is taken is shrinkage: the whole diameter after 24 weeks in a patient who can respond, the handle on
    against off; for a handle that makes new lesions and not larger ones it is their cumulative hazard.
    `left`: share of the mechanism that the strategy leaves, where another than that of the table is meant.
    """
    escaped = ESCAPED if name == "nk" else 0.0

    def seen(values: Values, given: tuple[str, ...], tolerant: float, added: Values = NOTHING) -> float:
        course = follow(RESPONDER | dict(values), given, added=added, tolerant=tolerant, escaped=escaped)
        return float((course.shared("hazard_new") if name in NEW_LESIONS else course.output("whole_mm"))[-1])

    tolerant = TOLERANT if name == "mutation" else 0.0
    on = switch_on(name)
    off, lost = seen({}, drugs, 0.0), seen(on, drugs, tolerant)
    with_strategy = reverse(name, on, left=left), replace_drugs(name, drugs)
    given_back = lost - seen(*with_strategy, tolerant, add_effects(name, left=left))
    return given_back / (lost - off)


def _lowers_response(fact: Fact) -> float:
    """Lost response, less what counts as nothing."""
    return lose_response(fact.handle, name_drugs(fact.drug)) - TINY


def _spared(fact: Fact) -> float:
    """Room left between the lost response and the share of the drug's effect that may be lost."""
    drugs = name_drugs(fact.drug)
    effect = abs(change_cells({}, drugs) - change_cells({}, ()))
    return SPARED * effect - abs(lose_response(fact.handle, drugs))


def _strategy_idle(fact: Fact) -> float:
    """Room left between what the strategy does without the mechanism and what it may do."""
    drugs = name_drugs(fact.drug)
    with_strategy = change_cells(reverse(fact.handle, {}), drugs, added=add_effects(fact.handle))
    return IDLE - abs(with_strategy - change_cells({}, drugs))


def _strategy_restores(fact: Fact) -> float:
    """Slower growth with the strategy than on the drug that the handle acts on."""
    on, before = switch_on(fact.handle), name_drugs(find_handle(fact.handle).drugs[0])
    return change_cells(on, before) - change_cells(on, name_drugs(fact.drug))


def _tolerant_start(fact: Fact) -> float:
    """Response lost with tolerant cells at the start."""
    drugs = name_drugs(fact.drug)
    return change_cells({}, drugs, tolerant=TOLERANT) - change_cells({}, drugs) - TINY


# ---- vessels ------------------------------------------------------------------------------------------


def _vessels(values: Values, effects: Values, day: float) -> dict[str, float]:
    """Rules of the lesion on a day of steady drug."""
    run = hold(values, effects, [0.0, max(day, 1.0)])
    return find_rules(values, effects, run.path[-1 if day > 0 else 0])


def _share_without_vegf(rules: Mapping[str, float]) -> float:
    """Per cent of the vessel signal that needs no VEGF."""
    return 100 * (rules["vessel_base"] + rules["h_coopt"]) / rules["vessel_signal"]


def _co_opted_share(fact: Fact) -> float:
    """Per cent of the vessel signal without VEGF on day 84 of the drug, handle on."""
    return _share_without_vegf(_vessels(switch_on(fact.handle), find_effects(fact.drug), 84.0))


def _co_opted_share_untreated(fact: Fact) -> float:
    """Per cent of the vessel signal without VEGF, handle off, no drug."""
    del fact
    return _share_without_vegf(_vessels({}, {}, 0.0))


def _no_rebound_on_drug(fact: Fact) -> float:
    """VEGF receptor signal under continued drug at its highest, to that before."""
    on, effects = switch_on(fact.handle), find_effects(fact.drug)
    before = _vessels(on, {}, 0.0)["vegf_signal"]
    return max(_vessels(on, effects, day)["vegf_signal"] for day in (14.0, 84.0, 168.0)) / before


def _more_vessels(fact: Fact) -> float:
    """Rise of vascular capacity per tumour cell on the drug by the handle."""

    def per_cell(values: Values) -> float:
        rules = _vessels(values, find_effects(fact.drug), _STEADY)
        return rules["capacity"] / rules["tumour"]

    return per_cell(switch_on(fact.handle)) / per_cell({}) - 1 - TINY


# ---- T cells ------------------------------------------------------------------------------------------


def _still(values: Values) -> dict[str, float]:
    """Rules in an untreated lesion without hypoxic acid."""
    state = start_state(make_parameters(1), [DIAMETER_MM])
    return find_rules({"lactate_hypoxia": 0.0, **values}, {"block_pd1": 0.999}, state)


def _killing_lost(fact: Fact) -> float:
    """Per cent of killing by CD8 cells that the handle takes."""
    return 100 * (1 - _still(switch_on(fact.handle))["cd8_kill"] / _still({})["cd8_kill"])


def _division_lost(fact: Fact) -> float:
    """Per cent of division of CD8 cells that the handle takes."""
    return 100 * (1 - _still(switch_on(fact.handle))["expansion"] / _still({})["expansion"])


def _killing_back_days(fact: Fact) -> float:
    """Days after the handle goes until killing is within a twentieth of what the same cells do without it."""
    on = switch_on(fact.handle)
    state = hold(on, {}, [0.0, 30.0]).path[-1]
    for day in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0):
        then = state if day == 0 else follow({}, (), (0.0, day), state=state).end()
        rules = find_rules({}, {}, then)
        if rules["lactate"] < 1.05 * find_rules(dict.fromkeys(on, 0.0), {}, then)["lactate"]:
            return day
    return float("inf")


def _treg_rise(fact: Fact) -> float:
    """Rise of Treg per tumour cell under the drug by the handle."""

    def per_cell(values: Values) -> float:
        course = follow(values, name_drugs(fact.drug), (0.0, 56.0))
        return float(course.state("treg")[-1] / course.output("cells_ml")[-1])

    return per_cell(switch_on(fact.handle)) / per_cell({}) - 1 - TINY


def _escaped_grow(fact: Fact) -> float:
    """Faster growth of cells without antigen presentation under the drug by the handle."""

    def grown(values: Values) -> float:
        cells = follow(values, name_drugs(fact.drug), (0.0, 84.0), escaped=ESCAPED).state("escaped")
        return float(np.log(cells[-1] / cells[0]))

    return grown(switch_on(fact.handle)) - grown({}) - TINY


# ---- the drug in the tumour cell ----------------------------------------------------------------------


def _drug_death(values: Values, effects: Values) -> float:
    """Death that a drug adds in sensitive cells (1/day), untreated lesion."""
    state = start_state(make_parameters(1), [DIAMETER_MM])
    rules = find_rules(values, effects, state)
    return rules["apoptosis"] + rules["ferroptosis"] + rules["er_death"]


def _death_fold(fact: Fact) -> float:
    """Drug-induced death, handle off to on, less that without drug."""

    def induced(values: Values) -> float:
        return _drug_death(values, find_effects(fact.drug)) - _drug_death(values, {})

    return induced({}) / induced(switch_on(fact.handle))


def _inside(values: Values, dose: float, affinity: float) -> float:
    """Drug inside (in EC50)."""
    state = start_state(make_parameters(1), [DIAMETER_MM])
    return find_rules(values, {"dose_kill": dose, "efflux_affinity": affinity}, state)["drug"]


def _find_zero(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function is zero (bisection of the logarithm), infinite where it is not by `high`."""
    if function(high) < 0:
        return float("inf")
    for _ in range(60):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return high


def _efflux_shift(fact: Fact) -> float:
    """Dose at which the drug inside is half effective, handle on to off."""
    on, affinity = switch_on(fact.handle), find_effects(fact.drug)["efflux_affinity"]
    return _find_zero(lambda dose: _inside(on, dose, affinity) - 1.0, 0.1, _MOST)


def _half_pump_gain(fact: Fact) -> float:
    """Gain of drug inside when half of the pumps are blocked, where full block gives 24-fold."""
    affinity, dose = find_effects(fact.drug)["efflux_affinity"], 1.0

    def gain(size: float, left: float) -> float:
        return _inside({"h_abc": size * left}, dose, affinity) / _inside({"h_abc": size}, dose, affinity)

    size = _find_zero(lambda tried: gain(tried, 0.0) - 24.0, 0.1, _MOST)
    return gain(size, 0.5)


def _tolerant_shift(fact: Fact) -> float:
    """Dose at which apoptosis is half of its largest in sensitive cells, tolerant to sensitive cells."""
    del fact
    state = start_state(make_parameters(1), [DIAMETER_MM])

    def above_half(dose: float, *, tolerant: bool) -> float:
        rules = find_rules({}, {"dose_kill": dose}, state)
        share = 1 - rules["tolerance"] if tolerant else 1.0
        return share * rules["apoptosis"] - 0.5 * rules["apoptosis_max"]

    found = _find_zero(lambda dose: above_half(dose, tolerant=True), 0.01, _MOST)
    return found / _find_zero(lambda dose: above_half(dose, tolerant=False), 0.01, _MOST)


def _switched_on_by_drug(fact: Fact) -> float:
    """Rise of the autophagy state by the drug in two weeks."""
    on = switch_on(fact.handle)
    with_drug, without = (hold(on, effects, [0.0, 14.0]) for effects in (find_effects(fact.drug), {}))
    return float(
        with_drug.state("autophagy", lesion=0)[-1] / without.state("autophagy", lesion=0)[-1] - 1 - TINY
    )


def _bypass_days(fact: Fact) -> float:
    """Days under the drug until the bypass state is at half of its level after a year."""
    days = np.arange(0.0, 366.0)
    level = hold(switch_on(fact.handle), find_effects(fact.drug), days).state("bypass", lesion=0)
    return float(days[np.argmax(level >= 0.5 * level[-1])])


def _returns_without_drug(fact: Fact) -> float:
    """Fall of the tolerant share over twelve weeks after the drug, relative to the end of a year on it."""
    on = switch_on(fact.handle)
    run = hold(on, find_effects(fact.drug), [0.0, 365.0])
    off = follow(on, (), (0.0, 84.0), state=run.path[-1])
    tolerant = off.state("tolerant") / (off.state("tolerant") + off.state("sensitive"))
    return float(1 - tolerant[-1] / tolerant[0] - TINY)


# ---- scans of one patient -----------------------------------------------------------------------------


def _daily_growth(course: Followed) -> float:
    """Growth of the whole diameter from the first to the last day (mm/day)."""
    size = course.output("whole_mm")
    return float((size[-1] - size[0]) / (course.days[-1] - course.days[0]))


def _compare_growth(values: Values, drugs: tuple[str, ...]) -> float:
    """Growth of the whole diameter over the first eight weeks of drugs to that of six weeks before."""
    before = follow(values, (), (0.0, 42.0))
    return _daily_growth(follow(values, drugs, (0.0, 56.0), state=before.end())) / _daily_growth(before)


def _growth_ratio(fact: Fact) -> float:
    """Growth on the drug to that before it."""
    return _compare_growth(switch_on(fact.handle), name_drugs(fact.drug))


def _growth_ratio_held(fact: Fact) -> float:
    """Compare growth in a tumour that T cells all but hold, whose brake is not PD-1."""

    def held(kill: float) -> dict[str, float]:
        return {"brake_half": _BRAKE_OFF, "cd8_kill_max": kill}

    def slower(kill: float) -> float:
        return HELD_MM / 30 - _daily_growth(follow(held(kill), (), (0.0, 42.0)))

    kill = _find_zero(slower, 0.1, 30.0)
    return _compare_growth(held(kill) | switch_on(fact.handle), name_drugs(fact.drug))


def _larger_not_more(fact: Fact) -> float:
    """Millimetres that the handle adds to the whole diameter at twelve weeks, where it adds no cells."""
    off, on = (follow(RESPONDER | values, name_drugs(fact.drug)) for values in ({}, switch_on(fact.handle)))
    if on.output("cells_ml")[1] > 1.05 * off.output("cells_ml")[1]:
        return -1.0
    return float(on.output("whole_mm")[1] - off.output("whole_mm")[1])


def _more_new_lesions(fact: Fact) -> float:
    """Rise of the hazard of new lesions by the handle, where the lesion itself grows as it did."""
    off, on = (follow(values, name_drugs(fact.drug)) for values in ({}, switch_on(fact.handle)))
    if abs(on.output("whole_mm")[-1] / off.output("whole_mm")[-1] - 1) > TINY:
        return -1.0
    return float(on.shared("hazard_new")[-1] / off.shared("hazard_new")[-1] - 1 - TINY)


MEASURES: Final[Mapping[str, Measure]] = {
    "lowers_response": _lowers_response,
    "spared": _spared,
    "strategy_idle": _strategy_idle,
    "strategy_restores": _strategy_restores,
    "tolerant_start": _tolerant_start,
    "co_opted_share": _co_opted_share,
    "co_opted_share_untreated": _co_opted_share_untreated,
    "no_rebound_on_drug": _no_rebound_on_drug,
    "more_vessels": _more_vessels,
    "killing_lost": _killing_lost,
    "division_lost": _division_lost,
    "killing_back_days": _killing_back_days,
    "treg_rise": _treg_rise,
    "escaped_grow": _escaped_grow,
    "death_fold": _death_fold,
    "efflux_shift": _efflux_shift,
    "half_pump_gain": _half_pump_gain,
    "tolerant_shift": _tolerant_shift,
    "switched_on_by_drug": _switched_on_by_drug,
    "bypass_days": _bypass_days,
    "returns_without_drug": _returns_without_drug,
    "growth_ratio": _growth_ratio,
    "growth_ratio_held": _growth_ratio_held,
    "larger_not_more": _larger_not_more,
    "more_new_lesions": _more_new_lesions,
}
"""Measures on one patient, by their name in `handle_facts.csv`."""
