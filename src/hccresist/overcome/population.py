"""Virtual patients: parameters, baseline traits, thresholds of random events, and the untreated start.

Each number of a patient comes from the seed, the patient's number and the number's name alone: the same
patient comes out whatever the size of the population, and adding a parameter moves no other.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hccresist.errors import ConfigError
from hccresist.overcome.model.parameters import Parameter, read_handles, read_model
from hccresist.overcome.model.text import FOLDER
from hccresist.overcome.rng import Purpose, draw_exponential, draw_normal, draw_uniform, index_of

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

MOST_LESIONS: Final = 5
"""Lesions that a patient can have at baseline."""
SLOTS: Final = 8
"""Lesions that a patient can have at all: those of baseline and new ones."""
BEFORE_DAYS: Final = (28.0, 56.0)
"""Days before treatment at which the earlier scan lies (growth definitions of hyperprogression need one)."""
HANDLE_SPREAD: Final = 0.3
"""Standard deviation of the logarithm of a handle's size between patients in whom it is on (assumption)."""
SETTLE_TOLERANCES: Final = (1e-4, 1e-8)
AETIOLOGIES: Final = ("hbv", "hcv", "non_viral")


@dataclass(frozen=True)
class Trait:
    """One baseline trait: how it is distributed between patients, and where that comes from."""

    name: str
    meaning: str
    distribution: str
    value: str
    spread: float | None
    low: float | None
    high: float | None
    unit: str
    status: str
    source: str

    @property
    def number(self) -> float:
        """The value as a number."""
        return float(self.value)


@dataclass(frozen=True)
class Population:
    """Virtual patients before treatment; arrays have a row a patient.

    Attributes
    ----------
    numbers
        Numbers of the patients (they decide all that is random).
    params
        Parameters as the kernel takes them; shape = (n, PATIENT_PARAMS + SLOTS * LESION_PARAMS).
    lesions
        Lesions at baseline.
    diameters
        Whole diameters (mm) on day zero as drawn; shape = (n, SLOTS), zero where there is none.
    clones
        Shares of tumour cells tolerant to kinase inhibitors, and without antigen presentation; shape = (n,
        2).
    before
        Days before treatment of the earlier scan.
    thresholds
        Cumulative hazards of death, dropout and each new lesion; shape = (n, 2 + SLOTS).
    weight_kg, age_years
        Body weight, age.
    traits
        Yes-or-no traits: male, ecog1, mvi, ehs.
    aetiology
        Index into AETIOLOGIES.
    """

    numbers: Numbers
    params: Array
    lesions: Numbers
    diameters: Array
    clones: Array
    before: Array
    thresholds: Array
    weight_kg: Array
    age_years: Array
    traits: Mapping[str, NDArray[np.bool_]]
    aetiology: Numbers


@lru_cache(maxsize=1)
def read_traits() -> Mapping[str, Trait]:
    """Read the baseline traits by name."""
    with (FOLDER / "traits.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {
        row["name"]: Trait(
            name=row["name"],
            meaning=row["meaning"],
            distribution=row["distribution"],
            value=row["value"],
            spread=float(row["spread"]) if row["spread"] else None,
            low=float(row["low"]) if row["low"] else None,
            high=float(row["high"]) if row["high"] else None,
            unit=row["unit"],
            status=row["status"],
            source=row["source"],
        )
        for row in rows
    }


def find_handle_values(handles: Mapping[str, float]) -> dict[str, float]:
    """Find parameter values of handles that are asked for.

    Parameters
    ----------
    handles
        Name of a handle (``abc``), of its parameter (``h_abc``), of its mechanism (``ABC-G2``) or of a
        family with one handle (``ABC``), to its size as a multiple of the typical one (1: as strong as in
        ``handles.csv``; 0: absent).

    Raises
    ------
    ConfigError
        Where a name is no handle, a family has several, or a size is negative.
    """
    found: dict[str, float] = {}
    problems = list[str]()
    for name, size in handles.items():
        known = [
            handle
            for handle in read_handles()
            if name.lower() in {handle.handle, handle.mechanism_id.lower(), handle.family_id.lower()}
            or name in handle.parameters
        ]
        exact = [handle for handle in known if handle.handle == name.lower()] or known
        if size < 0:
            problems.append(f"handle {name}: a size of {size:g} (zero or more is wanted)")
        elif len(exact) == 1:
            found |= dict.fromkeys(exact[0].parameters, size * exact[0].typical)
        elif exact:
            problems.append(f"handle {name} is one of several: {', '.join(h.handle for h in exact)}")
        else:
            names = ", ".join(handle.handle for handle in read_handles())
            problems.append(f"no handle {name!r}. Known: {names}")
    if problems:
        raise ConfigError("\n".join(problems))
    return found


def draw_population(
    numbers: Numbers,
    *,
    handles: Mapping[str, float] | None = None,
    values: Mapping[str, float] | None = None,
    mixed: bool = False,
    seed: int = 0,
) -> Population:
    """Draw virtual patients.

    Parameters
    ----------
    numbers
        Numbers of the patients.
    handles
        Resistance handles that are on in all of them; see `find_handle_values`.
    values
        Typical values of parameters that differ from the table.
    mixed
        Whether the handles that are not named are on in some patients, as ``prevalence.csv`` says; else
        they are off.
    seed
        Seed.

    Raises
    ------
    ConfigError
        Where a handle or parameter is not known.
    """
    shared = find_handle_values(handles or {}) | dict(values or {})
    known = {parameter.name for parameter in read_model().parameters}
    wrong = sorted(set(shared) - known)
    if wrong:
        message = f"no parameter of the model: {', '.join(wrong)}"
        raise ConfigError(message)
    aetiology = _draw_aetiology(numbers, seed=seed)
    params = _draw_parameters(numbers, shared, seed=seed)
    if mixed:
        _switch_on(params, numbers, set(shared), seed=seed)
    at = read_model().names("patient").index("h_aetiology")
    if "h_aetiology" not in shared:
        params[:, at] = np.where(aetiology == 2, read_traits()["nonviral_priming"].number, params[:, at])
    lesions, diameters = _draw_lesions(numbers, seed=seed)
    early, late = BEFORE_DAYS
    before = np.round(early + (late - early) * _uniform(numbers, "before", seed=seed))
    clones = np.stack([_draw_trait(numbers, name, seed=seed) for name in ("tolerant", "escaped")], axis=1)
    return Population(
        numbers=numbers,
        params=params,
        lesions=lesions,
        diameters=diameters,
        clones=clones,
        before=before,
        thresholds=_draw_thresholds(numbers, seed=seed),
        weight_kg=_draw_trait(numbers, "weight", seed=seed),
        age_years=np.round(_draw_trait(numbers, "age", seed=seed)),
        traits={name: _draw_trait(numbers, name, seed=seed) > 0 for name in ("male", "ecog1", "mvi", "ehs")},
        aetiology=aetiology,
    )


def scale_population(people: Population, values: Mapping[str, float]) -> Population:
    """Give other typical values to patients drawn at the table's: each keeps its place in the distribution.

    Up to rounding the same as drawing with the values, and much faster.

    Raises
    ------
    ConfigError
        Where a name is no parameter, or one that cannot be scaled (a handle, a uniform one, zero).
    """
    if not values:
        return people
    model = read_model()
    known = {parameter.name: parameter for parameter in model.parameters}
    patient, lesion = model.names("patient"), model.names("lesion")
    params = people.params.copy()
    for name, value in values.items():
        parameter = known.get(name)
        if parameter is None or parameter.distribution not in {"fixed", "lognormal"} or not parameter.value:
            message = f"{name}: no parameter of the model whose typical value can be scaled"
            raise ConfigError(message)
        if name in patient:
            params[:, patient.index(name)] *= value / parameter.value
        else:
            params[:, len(patient) + lesion.index(name) :: len(lesion)] *= value / parameter.value
    return replace(people, params=params)


@lru_cache(maxsize=1)
def read_prevalence() -> Mapping[str, float]:
    """Read the share of patients in whom each handle is on."""
    with (FOLDER / "prevalence.csv").open(encoding="utf-8", newline="") as lines:
        return {row["handle"]: float(row["prevalence"]) for row in csv.DictReader(lines)}


def _switch_on(params: Array, numbers: Numbers, fixed: set[str], *, seed: int) -> None:
    """Switch handles on in some patients, each by itself, at about its typical size."""
    model = read_model()
    patient, lesion = model.names("patient"), model.names("lesion")
    for handle in read_handles():
        share = read_prevalence().get(handle.handle, 0.0)
        if not share or fixed.intersection(handle.parameters):
            continue
        on = _uniform(numbers, f"prevalence.{handle.handle}", seed=seed) < share
        z = _normal(numbers, f"size.{handle.handle}", seed=seed)
        size = np.where(on, handle.typical * np.exp(HANDLE_SPREAD * z), 0.0)
        for name in handle.parameters:
            if name in patient:
                params[:, patient.index(name)] = size
            else:
                params[:, len(patient) + lesion.index(name) :: len(lesion)] = size[:, None]


@dataclass(frozen=True)
class Correlation:
    """That the deviates of one trait or parameter go with those of another parameter of the patient."""

    first: str
    second: str
    correlation: float
    status: str
    source: str


@lru_cache(maxsize=1)
def read_correlations() -> Mapping[str, Correlation]:
    """Read what is correlated, by the name of the second: the one whose deviates follow.

    The first is a log-normal parameter of the patient that follows nothing itself; the second is a
    log-normal parameter or a share. Each one's own distribution stays what it is.
    """
    with (FOLDER / "correlations.csv").open(encoding="utf-8", newline="") as lines:
        rows = [
            Correlation(row["first"], row["second"], float(row["correlation"]), row["status"], row["source"])
            for row in csv.DictReader(lines)
        ]
    return {row.second: row for row in rows}


def _follow(own: Array, name: str, numbers: Numbers, *, seed: int) -> Array:
    """Make standard normal deviates (n, ...) of a name go with those of what it follows, if anything."""
    link = read_correlations().get(name)
    if link is None:
        return own
    which = np.array([index_of(link.first)])
    other = draw_normal(numbers, Purpose.PARAMETER, which, seed=seed).reshape(-1, *[1] * (own.ndim - 1))
    return link.correlation * other + np.sqrt(1.0 - link.correlation**2) * own


def _uniform(numbers: Numbers, name: str, *, seed: int) -> Array:
    """One number between 0 and 1 a patient, for a trait."""
    return draw_uniform(numbers, Purpose.BASELINE, np.array([index_of(name)]), seed=seed)[:, 0]


def _share(numbers: Numbers, name: str, *, seed: int) -> Array:
    """One number between 0 and 1 a patient for a yes-or-no trait: small ones say yes."""
    u = _uniform(numbers, name, seed=seed)
    if name not in read_correlations():
        return u
    from scipy.special import ndtr, ndtri  # noqa: PLC0415

    return ndtr(-_follow(-ndtri(u), name, numbers, seed=seed))


def _normal(numbers: Numbers, name: str, *, seed: int) -> Array:
    """One standard normal deviate a patient, for a trait."""
    return draw_normal(numbers, Purpose.BASELINE, np.array([index_of(name)]), seed=seed)[:, 0]


def _draw_trait(numbers: Numbers, name: str, *, seed: int) -> Array:
    """Draw one trait of all patients."""
    trait = read_traits()[name]
    if trait.distribution == "share":
        return (_share(numbers, name, seed=seed) < trait.number).astype(np.float64)
    low, high = trait.low, trait.high
    if low is None or high is None:
        message = f"traits.csv: {name} lacks low or high"
        raise ConfigError(message)
    if trait.distribution == "loguniform":
        return np.exp(np.log(low) + np.log(high / low) * _uniform(numbers, name, seed=seed))
    spread = trait.spread or 0.0
    z = _normal(numbers, name, seed=seed)
    drawn = (
        trait.number * np.exp(spread * z) if trait.distribution == "lognormal" else trait.number + spread * z
    )
    return np.clip(drawn, low, high)


def _draw_aetiology(numbers: Numbers, *, seed: int) -> Numbers:
    """Index of the aetiology."""
    traits = read_traits()
    u = _uniform(numbers, "aetiology", seed=seed)
    edges = np.cumsum([traits["hbv"].number, traits["hcv"].number])
    return np.searchsorted(edges, u, side="right").astype(np.int64)


def _draw_lesions(numbers: Numbers, *, seed: int) -> tuple[Numbers, Array]:
    """Draw the number of lesions and their diameters, the largest first."""
    traits = read_traits()
    weights = np.array([float(part) for part in traits["lesions"].value.split(";")])
    u = _uniform(numbers, "lesions", seed=seed)
    lesions = 1 + np.searchsorted(np.cumsum(weights)[:-1], u, side="right").astype(np.int64)
    trait = traits["diameter"]
    which = np.array([index_of(f"diameter.{slot}") for slot in range(MOST_LESIONS)])
    z = draw_normal(numbers, Purpose.BASELINE, which, seed=seed)
    sizes = np.clip(trait.number * np.exp((trait.spread or 0.0) * z), trait.low, trait.high)
    sizes[np.arange(MOST_LESIONS) >= lesions[:, None]] = 0.0
    diameters = np.zeros((len(numbers), SLOTS))
    diameters[:, :MOST_LESIONS] = -np.sort(-sizes, axis=1)
    return lesions, diameters


def _draw_thresholds(numbers: Numbers, *, seed: int) -> Array:
    """Thresholds of the cumulative hazards; then of the first new lesion, of the second and so on."""
    found = np.empty((len(numbers), 2 + SLOTS))
    found[:, :1] = draw_exponential(numbers, Purpose.DEATH, 1, seed=seed)
    found[:, 1:2] = draw_exponential(numbers, Purpose.DROPOUT, 1, seed=seed)
    found[:, 2:] = np.cumsum(draw_exponential(numbers, Purpose.NEW_LESION, SLOTS, seed=seed), axis=1)
    return found


def _draw_parameters(numbers: Numbers, shared: Mapping[str, float], *, seed: int) -> Array:
    """Parameters of all patients, as the kernel takes them."""
    model = read_model()
    parameters = {parameter.name: parameter for parameter in model.parameters}
    patient, lesion = model.names("patient"), model.names("lesion")
    found = np.empty((len(numbers), len(patient) + SLOTS * len(lesion)))
    for i, name in enumerate(patient):
        which = np.array([index_of(name)])
        drawn = _draw_parameter(parameters[name], shared, numbers, Purpose.PARAMETER, which, seed=seed)
        found[:, i] = drawn[:, 0]
    for i, name in enumerate(lesion):
        which = index_of(name) * 64 + np.arange(SLOTS)
        drawn = _draw_parameter(parameters[name], shared, numbers, Purpose.LESION_PARAMETER, which, seed=seed)
        found[:, len(patient) + i :: len(lesion)] = drawn
    return found


def _draw_parameter(
    parameter: Parameter,
    shared: Mapping[str, float],
    numbers: Numbers,
    purpose: Purpose,
    which: NDArray[np.int64],
    *,
    seed: int,
) -> Array:
    """Draw one parameter; shape = (n, len(which))."""
    typical = shared.get(parameter.name, parameter.value)
    shape = (len(numbers), len(which))
    if parameter.distribution in {"fixed", "handle"}:
        return np.full(shape, typical)
    if parameter.distribution == "lognormal":
        z = _follow(draw_normal(numbers, purpose, which, seed=seed), parameter.name, numbers, seed=seed)
        return typical * np.exp((parameter.spread or 0.0) * z)
    low, high = parameter.low or 0.0, parameter.high or 0.0
    if parameter.name in shared:
        return np.full(shape, typical)
    u = draw_uniform(numbers, purpose, which, seed=seed)
    if parameter.distribution == "loguniform":
        return low * (high / low) ** u
    return low + (high - low) * u
