"""What is given to patients, as the kernel takes it: drugs, holds, missed doses, procedures, scans.

Doses are data. A plan holds for one set of patients; random parts (kinetics of a patient, missed doses)
come from the seed, the patient's number and the drug's name, so that another drug beside it changes
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hccresist.errors import ConfigError
from hccresist.overcome.dosing import (
    Drug,
    find_regimen,
    find_weights,
    hold_doses,
    make_doses,
    read_drugs,
    reduce_doses,
    scale_drug,
)
from hccresist.overcome.model.arrays import Plan
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.pk import PHASES, SPLITS, Doses, find_inflows
from hccresist.overcome.rng import Purpose, draw_normal, draw_uniform, index_of

Array = NDArray[np.float64]

TOLERANCES: Final = {"fast": (1e-3, 1e-7), "exact": (1e-7, 1e-10)}
"""Relative and absolute error of a step in each mode."""
KINDS: Final = ("tace", "ablation", "resection")
"""Procedures that act on lesions, in the order of the kernel's codes."""
_NEVER: Final = 1e18


@dataclass(frozen=True)
class Given:
    """A drug as it is given.

    Attributes
    ----------
    regimen
        Name of a regimen, or of a drug for its standard regimen.
    start, until
        Day of the first dose and day from which none is given; one value, or one for each patient.
    intensity
        Factor on all doses; one value, or one for each patient.
    holds
        Pairs of days (first, last) without doses, since the drug's start.
    reductions
        Pairs of day (since the drug's start) and factor from then on.
    missed
        Chance that a dose is missed (0 to 1).
    """

    regimen: str
    start: float | Array = 0.0
    until: float | Array = np.inf
    intensity: float | Array = 1.0
    holds: tuple[tuple[float, float], ...] = ()
    reductions: tuple[tuple[float, float], ...] = ()
    missed: float = 0.0


@dataclass(frozen=True)
class Procedure:
    """A procedure on lesions.

    Attributes
    ----------
    kind
        ``tace``, ``ablation`` or ``resection``.
    day
        Day; one for all patients, or one for each (infinite: none).
    lesion
        Number of the lesion (from 0); ``all`` or ``largest``.
    """

    kind: str
    day: float | Array
    lesion: int | str = "all"


def find_dose_table(given: Given, *, until: float, steady: bool) -> tuple[Doses, bool]:
    """Find a drug's doses since its start; of a tablet, where `steady`, the inflow (mg/day) from each day on.

    Amounts per kg stay per kg.
    """
    return _make_dose_table(given.regimen, given.holds, given.reductions, until, steady)


@lru_cache(maxsize=256)
def _make_dose_table(
    name: str,
    holds: tuple[tuple[float, float], ...],
    reductions: tuple[tuple[float, float], ...],
    until: float,
    steady: bool,  # noqa: FBT001
) -> tuple[Doses, bool]:
    """As `find_dose_table`; the arms and replicates of a trial ask for the same ones again and again."""
    regimen = find_regimen(name)
    doses = make_doses(regimen, until=until, weight_kg=1.0)
    for first, last in holds:
        doses = hold_doses(doses, first=first, last=last)
    for day, factor in reductions:
        doses = reduce_doses(doses, first=day, factor=factor)
    if steady and read_drugs()[regimen.drug].kinetics.absorption > 0:
        return find_inflows(doses, until=until), True
    return doses, False


def draw_kinetics(drug: Drug, patients: NDArray[np.integer], *, seed: int) -> Array:
    """Draw the kinetics of patients; shape = (n_patients, kinetic parameters)."""
    from hccresist.overcome.model.levels import KINETICS  # noqa: PLC0415  (loads Numba)

    typical = np.array([getattr(drug.kinetics, name) for name in KINETICS], dtype=np.float64)
    spread = np.array([drug.spreads.get(name, 0.0) for name in KINETICS])
    moved = np.flatnonzero(spread)
    found = np.tile(typical, (len(patients), 1))
    if moved.size:
        which = np.array([index_of(f"{drug.name}.{KINETICS[i]}") for i in moved])
        found[:, moved] *= np.exp(spread[moved] * draw_normal(patients, Purpose.KINETICS, which, seed=seed))
    return found


def make_plan(
    given: Sequence[Given],
    *,
    patients: NDArray[np.integer],
    weight_kg: Array,
    visits: Array,
    until: float,
    procedures: Sequence[Procedure] = (),
    factors: Mapping[str, float] | None = None,
    mode: str = "fast",
    seed: int = 0,
) -> Plan:
    """Make the plan of a set of patients.

    Parameters
    ----------
    given
        Drugs.
    patients
        Numbers of the patients; shape = (n,).
    weight_kg
        Body weight; shape = (n,).
    visits
        Days of scans, increasing; shape = (n_visits,) or (n, n_visits).
    until
        Day up to which doses are needed.
    procedures
        Procedures on lesions.
    factors
        Factors on drug effects; see `dosing.scale_drug`.
    mode
        ``fast``: tablets as phases of the day, relative error of a step 1e-3; ``exact``: dose by dose, 1e-7.

    Raises
    ------
    ConfigError
        Where a drug, regimen, procedure or mode is not known, or visits do not increase.
    """
    _check(procedures, visits, mode)
    drugs = [read_drugs()[find_regimen(each.regimen).drug] for each in given]
    tables = [find_dose_table(each, until=until, steady=mode == "fast") for each in given]
    longest = max((table.every_days for table, inflow in tables if inflow), default=0.0)
    days, kinds, slots = _procedures(procedures, len(patients))
    count = (len(patients), len(given))
    kinetics = np.zeros((*count, 10))
    for d, drug in enumerate(drugs):
        kinetics[:, d] = draw_kinetics(drug, patients, seed=seed)
    effects = len(read_model().exposures)
    return Plan(
        kinetics=kinetics,
        weights=np.array([find_weights(scale_drug(drug, factors or {})) for drug in drugs]).reshape(
            len(drugs), effects
        ),
        offsets=np.cumsum([0, *(table.days.size for table, _ in tables)]),
        days=np.concatenate([np.zeros(0), *(table.days for table, _ in tables)]),
        amounts=np.concatenate([np.zeros(0), *(table.amounts for table, _ in tables)]),
        every_days=np.array([table.every_days for table, _ in tables], dtype=np.float64),
        per_kg=np.array([float(find_regimen(each.regimen).per_kg) for each in given]),
        inflow=np.array([float(inflow) for _, inflow in tables]),
        start=_spread([each.start for each in given], count),
        until=np.minimum(_spread([each.until for each in given], count), _NEVER),
        intensity=_spread([each.intensity for each in given], count),
        weight_kg=np.asarray(weight_kg, dtype=np.float64),
        taken=_find_taken(given, drugs, tables, patients, seed=seed),
        visits=np.atleast_2d(np.asarray(visits, dtype=np.float64)),
        procedure_days=days,
        procedure_kinds=kinds,
        procedure_slots=slots,
        moments=PHASES.moments,
        many=longest > 0.0,
        tolerances=TOLERANCES[mode],
        split=SPLITS[mode],
    )


def _check(procedures: Sequence[Procedure], visits: Array, mode: str) -> None:
    """Refuse what the kernel cannot do."""
    if mode not in TOLERANCES:
        message = f"no mode {mode!r}. Known: {', '.join(TOLERANCES)}"
        raise ConfigError(message)
    for procedure in procedures:
        if procedure.kind not in KINDS:
            message = f"no procedure {procedure.kind!r} in the model. Known: {', '.join(KINDS)}"
            raise ConfigError(message)
    if np.any(np.diff(np.atleast_2d(visits), axis=1) <= 0):
        message = "the days of scans must increase"
        raise ConfigError(message)


def _spread(values: Sequence[float | Array], shape: tuple[int, int]) -> Array:
    """One column a drug, one row a patient."""
    found = np.empty(shape)
    for d, value in enumerate(values):
        found[:, d] = value
    return found


def _find_taken(
    given: Sequence[Given],
    drugs: Sequence[Drug],
    tables: Sequence[tuple[Doses, bool]],
    patients: NDArray[np.integer],
    *,
    seed: int,
) -> Array:
    """Which doses are taken; of an inflow, the share taken. One row where nobody misses any."""
    if not any(each.missed for each in given):
        return np.ones((1, sum(table.days.size for table, _ in tables)))
    columns = list[Array]()
    for each, drug, (table, inflow) in zip(given, drugs, tables, strict=True):
        shape = (len(patients), table.days.size)
        if inflow or not each.missed:
            columns.append(np.full(shape, 1.0 - each.missed * inflow))
            continue
        which = index_of(drug.name) * 2**20 + np.arange(table.days.size)
        chance = draw_uniform(patients, Purpose.MISSED_DOSE, which, seed=seed)
        columns.append((chance >= each.missed).astype(np.float64))
    return np.concatenate(columns, axis=1)


def _procedures(
    procedures: Sequence[Procedure], count: int
) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    """Days, kinds and slots of procedures, in order of their days."""
    if not procedures:
        none = np.zeros((1, 0), dtype=np.int64)
        return np.zeros((1, 0)), none, none
    days = np.empty((count, len(procedures)))
    places = {"all": -1, "largest": -2}
    for k, each in enumerate(procedures):
        days[:, k] = each.day
    kinds = np.array([KINDS.index(each.kind) for each in procedures])
    slots = np.array(
        [each.lesion if isinstance(each.lesion, int) else places[each.lesion] for each in procedures]
    )
    order = np.argsort(days, axis=1, kind="stable")
    return np.take_along_axis(days, order, axis=1), kinds[order], slots[order]
