"""Drugs, regimens and doses; and what a patient's drugs do over time, as the integrator takes it.

Doses are rows of data. Holding, reducing and missing doses change the rows, nothing else.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Final

import numpy as np

from hccresist.errors import ConfigError
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.model.patients import Array, Drugs
from hccresist.overcome.model.text import FOLDER
from hccresist.overcome.pk import PHASES, TERMS, Course, Doses, Kinetics

_KINETIC: Final = tuple(part.name for part in fields(Kinetics))
ENROLLED: Final = "enrolled."
"""Begins the names of odds of enrolment among the values of a parameter set."""


@dataclass(frozen=True)
class Drug:
    """One drug: typical kinetics, their spread between patients, and what it does.

    Attributes
    ----------
    spreads
        Standard deviation of the logarithm between patients, by name of the kinetic parameter.
    half_effects
        Drug effect (a share of a target) to the level of half effect (mg/L): antibodies.
    effects
        Drug effect to its size at the average level of the standard regimen: tablets and ramucirumab.
    """

    name: str
    kinetics: Kinetics
    spreads: Mapping[str, float]
    half_effects: Mapping[str, float]
    effects: Mapping[str, float]


@dataclass(frozen=True)
class Regimen:
    """How a drug is given.

    Attributes
    ----------
    dose
        Amount of one dose: mg, or mg/kg where `per_kg`.
    doses
        Number of doses; None where they go on.
    on_days, cycle_days
        Days with doses at the start of each cycle; None where every day is one.
    standard
        Whether effects in ``drugs.csv`` are given for this regimen.
    """

    regimen: str
    drug: str
    dose: float
    per_kg: bool
    every_days: float
    doses: int | None
    on_days: float | None
    cycle_days: float | None
    standard: bool
    source: str


@dataclass(frozen=True)
class Treatment:
    """What a patient's drugs do, and when to stop for it.

    Attributes
    ----------
    times
        Stops: those asked for, and where a concentration changes its course; shape = (n_times,).
    asked
        Where in `times` the stops asked for are.
    drugs
        Concentrations and effects, as the integrator takes them.
    """

    times: Array
    asked: tuple[int, ...]
    drugs: Drugs


def _rows(name: str) -> list[dict[str, str]]:
    """Rows of one table of the model's folder."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _drug(name: str, rows: Sequence[Mapping[str, str]]) -> Drug:
    """Make one drug from its rows."""
    values = {row["name"]: float(row["value"]) for row in rows}
    levels = {row["name"]: float(row["value"]) for row in rows if row["unit"] == "mg/L"}
    half = {key: value for key, value in levels.items() if key not in _KINETIC}
    return Drug(
        name=name,
        kinetics=Kinetics(**{key: value for key, value in values.items() if key in _KINETIC}),
        spreads={row["name"]: float(row["spread"]) for row in rows if row["spread"]},
        half_effects=half,
        effects={k: v for k, v in values.items() if k not in _KINETIC and k not in half},
    )


@lru_cache(maxsize=1)
def read_drugs() -> dict[str, Drug]:
    """Read the drugs of the model, by name.

    Examples
    --------
    >>> read_drugs()["tremelimumab"].half_effects
    {'block_ctla4': 5.24}
    """
    rows = _rows("drugs.csv")
    names = dict.fromkeys(row["drug"] for row in rows)
    return {name: _drug(name, [row for row in rows if row["drug"] == name]) for name in names}


@lru_cache(maxsize=1)
def read_regimens() -> dict[str, Regimen]:
    """Read the regimens of the model, by name."""
    return {
        row["regimen"]: Regimen(
            regimen=row["regimen"],
            drug=row["drug"],
            dose=float(row["dose"]),
            per_kg=row["unit"] == "mg/kg",
            every_days=float(row["every_days"]),
            doses=int(row["doses"]) if row["doses"] else None,
            on_days=float(row["on_days"]) if row["on_days"] else None,
            cycle_days=float(row["cycle_days"]) if row["cycle_days"] else None,
            standard=row["role"] == "standard",
            source=row["source"],
        )
        for row in _rows("regimens.csv")
    }


def find_regimen(name: str) -> Regimen:
    """Find a regimen by its name, or the standard regimen of a drug.

    Raises
    ------
    ConfigError
        Where there is none of that name.

    Examples
    --------
    >>> find_regimen("nivolumab").regimen
    'nivolumab_q2w'
    """
    regimens = read_regimens()
    if name in regimens:
        return regimens[name]
    for regimen in regimens.values():
        if regimen.drug == name and regimen.standard:
            return regimen
    message = f"no drug or regimen {name!r}. Known: {', '.join([*read_drugs(), *regimens])}"
    raise ConfigError(message)


def make_doses(regimen: Regimen, *, until: float, start: float = 0.0, weight_kg: float = 75.0) -> Doses:
    """Make the planned doses of a regimen from `start` to before `until` (days).

    The body weight matters where the dose is per kg.
    """
    count = int(np.ceil(max(until - start, 0.0) / regimen.every_days))
    if regimen.doses is not None:
        count = min(count, regimen.doses)
    since: Array = np.arange(count, dtype=np.float64) * regimen.every_days
    if regimen.on_days is not None and regimen.cycle_days is not None:
        since = since[np.mod(since, regimen.cycle_days) < regimen.on_days]
    amount = regimen.dose * (weight_kg if regimen.per_kg else 1.0)
    return Doses(start + since, np.full(since.size, amount), regimen.every_days)


def hold_doses(doses: Doses, *, first: float, last: float) -> Doses:
    """Leave out the doses from day `first` to before day `last`."""
    kept = (doses.days < first) | (doses.days >= last)
    return replace(doses, days=doses.days[kept], amounts=doses.amounts[kept])


def reduce_doses(doses: Doses, *, first: float, factor: float) -> Doses:
    """Multiply the doses from day `first` on."""
    return replace(doses, amounts=np.where(doses.days >= first, doses.amounts * factor, doses.amounts))


def find_kinetics(drug: Drug, deviates: Mapping[str, float] | None = None) -> Kinetics:
    """Find a patient's kinetics from standard normal deviates by name of the parameter."""
    own = {
        name: getattr(drug.kinetics, name) * float(np.exp(drug.spreads.get(name, 0.0) * z))
        for name, z in (deviates or {}).items()
    }
    return replace(drug.kinetics, **own)


def split_values(values: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Part values of parameters from factors on drug effects, whose names are ``drug.effect``.

    Odds of enrolment (`prevalence_weights`) are neither, and left out.

    Raises
    ------
    ConfigError
        Where a factor is of no drug of the model, of no effect that this drug has, or not above zero.

    Examples
    --------
    >>> split_values({"growth_rate": 0.01, "sorafenib.dose_kill": 1.2})
    ({'growth_rate': 0.01}, {'sorafenib.dose_kill': 1.2})
    """
    given = {name: value for name, value in values.items() if not name.startswith(ENROLLED)}
    factors = {name: value for name, value in given.items() if "." in name}
    drugs, problems = read_drugs(), list[str]()
    for name, value in factors.items():
        drug, _, effect = name.partition(".")
        if drug not in drugs or effect not in {**drugs[drug].effects, **drugs[drug].half_effects}:
            problems.append(f"{name}: no effect of a drug of the model")
        elif not 0.0 < value < np.inf:
            problems.append(f"{name}: a factor of {value:g} (more than zero is wanted)")
    if problems:
        raise ConfigError("\n".join(problems))
    return {name: value for name, value in given.items() if name not in factors}, factors


def scale_drug(drug: Drug, factors: Mapping[str, float]) -> Drug:
    """Multiply effects of a drug by factors (names ``drug.effect``); others' factors change nothing.

    A factor makes a drug more potent: of a half-effect level it is the divisor.
    """

    def own(effect: str) -> float:
        return factors.get(f"{drug.name}.{effect}", 1.0)

    return replace(
        drug,
        half_effects={name: level / own(name) for name, level in drug.half_effects.items()},
        effects={name: size * own(name) for name, size in drug.effects.items()},
    )


def find_weights(drug: Drug) -> Array:
    """Find the effects of a drug per mg/L; shape = (n_effects,)."""
    names = [exposure.name for exposure in read_model().exposures]
    weights = np.zeros(len(names))
    for name, half in drug.half_effects.items():
        weights[names.index(name)] = 1.0 / half
    if drug.effects:
        regimen = find_regimen(drug.name)
        amount = make_doses(regimen, until=regimen.every_days).amounts[0]
        average = amount / regimen.every_days / drug.kinetics.clearance
        for name, size in drug.effects.items():
            weights[names.index(name)] = size / average
        kill = weights[names.index("dose_kill")]
        weights[names.index("efflux_affinity")] = drug.effects.get("efflux_affinity", 0.0) * kill
    return weights


def make_treatment(courses: Mapping[str, Course], stops: Sequence[float] | Array) -> Treatment:
    """Put the courses of a patient's drugs together.

    Parameters
    ----------
    courses
        Concentrations by name of the drug.
    stops
        Days at which results are wanted, increasing; the run goes from the first to the last.

    Raises
    ------
    ConfigError
        Where a drug is not of the model.
    """
    drugs = read_drugs()
    wrong = sorted(set(courses) - set(drugs))
    if wrong:
        message = f"no drug of the model: {', '.join(wrong)}. Known: {', '.join(drugs)}"
        raise ConfigError(message)
    wanted = np.asarray(stops, dtype=np.float64)
    starts = [course.starts for course in courses.values()]
    times = np.unique(np.concatenate([wanted, *starts]))
    times = times[(times >= wanted[0]) & (times <= wanted[-1])]
    count, drugs_given = max(times.size - 1, 1), max(len(courses), 1)
    terms = np.zeros((count, drugs_given, TERMS, 2))
    ripples = np.zeros((count, drugs_given, PHASES.moments.size))
    for i, course in enumerate(courses.values()):
        terms[:, i], ripples[:, i] = _based(course, times[:count])
    none = np.zeros((1, len(read_model().exposures)))
    longest = max((course.every_days for course in courses.values() if course.ripples.any()), default=0.0)
    weights = np.array([find_weights(drugs[name]) for name in courses]) if courses else none
    asked = tuple(int(k) for k in np.searchsorted(times, wanted))
    return Treatment(times, asked, Drugs(terms, ripples, weights, longest))


def _based(course: Course, times: Array) -> tuple[Array, Array]:
    """Terms of a course as they are from each time on, and ripples of the phases of the day."""
    piece = np.searchsorted(course.starts, times, side="right") - 1
    safe = np.maximum(piece, 0)
    terms = course.terms[safe].copy()
    since = np.maximum(times - course.starts[safe], 0.0)
    terms[:, :, 0] *= np.exp(-terms[:, :, 1] * since[:, None])
    ripples = course.ripples[safe].copy()
    terms[piece < 0] = 0.0
    ripples[piece < 0] = 0.0
    return terms, ripples
