"""Virtual patients as standard normal numbers, which make the virtual patient of a case.

What differs between virtual patients (parameters, handles, clones, errors of reading) is a row of independent
standard normal deviates. Moving in that space and staying standard normal (preconditioned Crank-Nicolson,
doi:10.1214/13-STS421) leaves the population as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hccresist.overcome.dosing import split_values
from hccresist.overcome.model.parameters import Parameter, read_handles, read_model
from hccresist.overcome.population import (
    HANDLE_SPREAD,
    MOST_LESIONS,
    SLOTS,
    Population,
    draw_population,
    read_correlations,
    read_prevalence,
    read_traits,
)
from hccresist.overcome.prevalence_weights import read_weighting
from hccresist.overcome.trial_people import take_people
from hccresist.overcome.twin_data import BEFORE, Case
from hccresist.overcome.twin_signs import read_setting

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

_CLONES: Final = ("tolerant", "escaped")
_LIVER_LEAST: Final = 0.2
_NON_VIRAL: Final = 2


@dataclass(frozen=True)
class _Block:
    """A parameter and the latent numbers and columns that it has."""

    parameter: Parameter
    at: slice
    columns: NDArray[np.int64]


class Space:
    """The latent numbers of virtual patients under sets of typical values.

    Parameters
    ----------
    members
        Sets of typical values; see `engine.Job`.
    """

    def __init__(self, members: Sequence[Mapping[str, float]]) -> None:
        parts = [split_values(member) for member in members]
        self.values: Final = tuple(values for values, _ in parts)
        self.factors: Final = tuple(factors for _, factors in parts)
        self.weightings: Final = tuple(read_weighting(member) for member in members)
        self.templates: Final = tuple(
            draw_population(np.zeros(1, dtype=np.int64), values=v) for v in self.values
        )

    @cached_property
    def blocks(self) -> tuple[_Block, ...]:
        """Parameters that differ between patients."""
        model, found, at = read_model(), list[_Block](), 0
        patient, lesion = model.names("patient"), model.names("lesion")
        known = {parameter.name: parameter for parameter in model.parameters}
        for name in (*patient, *lesion):
            if known[name].distribution in {"fixed", "handle"}:
                continue
            columns = np.array([patient.index(name)]) if name in patient else find_columns(name)
            found.append(_Block(known[name], slice(at, at + columns.size), columns))
            at += columns.size
        return tuple(found)

    @cached_property
    def handles(self) -> tuple[str, ...]:
        """Handles that are on in some patients."""
        shares = read_prevalence()
        return tuple(handle.handle for handle in read_handles() if shares.get(handle.handle, 0.0) > 0)

    @cached_property
    def places(self) -> dict[str, slice]:
        """Latent numbers that are no parameters, by name."""
        sizes = {
            "on": len(self.handles),
            "size": len(self.handles),
            "clones": len(_CLONES),
            "reading": MOST_LESIONS,
            "lesions": 1,
            "diameters": MOST_LESIONS,
            "weight": 1,
            "aetiology": 1,
        }
        at, found = self.blocks[-1].at.stop, dict[str, slice]()
        for name, size in sizes.items():
            found[name] = slice(at, at + size)
            at += size
        return found

    @property
    def size(self) -> int:
        """How many latent numbers a virtual patient has."""
        return self.places["aetiology"].stop

    def find(self, name: str) -> slice:
        """Find the latent numbers of a parameter."""
        return next(block.at for block in self.blocks if block.parameter.name == name)

    def follow(self, z: Array) -> Array:
        """Latent numbers with those that follow others made to (`population.read_correlations`)."""
        made, own = z.copy(), {block.parameter.name for block in self.blocks}
        for link in read_correlations().values():
            if link.second in own:
                first, second = self.find(link.first), self.find(link.second)
                rest = np.sqrt(1.0 - link.correlation**2)
                made[:, second] = link.correlation * z[:, first] + rest * z[:, second]
        return made

    def find_on(self, z: Array) -> NDArray[np.bool_]:
        """Which handles are on; shape = (n, handles)."""
        from scipy.special import ndtri  # noqa: PLC0415

        shares = np.array([read_prevalence()[name] for name in self.handles])
        return z[:, self.places["on"]] < ndtri(shares)

    def build(
        self, z: Array, cases: Sequence[Case], *, owner: Numbers, member: Numbers, number: Numbers
    ) -> Population:
        """Make the virtual patients of latent numbers.

        Parameters
        ----------
        z
            Latent numbers; shape = (n, size).
        cases
            The patients.
        owner, member, number
            Patient, set of typical values and number (kinetics hang on it) of each row; shape = (n,).
        """
        made = self.follow(z)
        params = np.concatenate([template.params for template in self.templates])[member]
        for block in self.blocks:
            typical = np.array(
                [values.get(block.parameter.name, block.parameter.value) for values in self.values]
            )
            given = np.array([block.parameter.name in values for values in self.values])
            params[:, block.columns] = _scale(
                block.parameter, made[:, block.at], typical[member], given[member]
            )
        self._switch(params, z)
        known = [case.aetiology if case.aetiology is not None else -1 for case in cases]
        aetiology = self._draw_aetiology(z, np.array(known)[owner])
        self._set_aetiology(params, aetiology, member)
        lesions, diameters = self._draw_lesions(z, cases, owner)
        first = np.array([np.nan if case.first_albi is None else case.first_albi for case in cases])[owner]
        _set_liver(params, first, diameters)
        base = take_people(self.templates[0], np.zeros(len(z), dtype=np.int64))
        return replace(
            base,
            numbers=number,
            params=params,
            lesions=lesions,
            diameters=diameters,
            clones=self._draw_clones(z),
            before=np.full(len(z), BEFORE),
            thresholds=np.full((len(z), 2 + SLOTS), np.inf),
            weight_kg=self._draw_weight(z, cases, owner),
            aetiology=aetiology,
        )

    def _switch(self, params: Array, z: Array) -> None:
        """Switch handles on, each at about its typical size."""
        patient = read_model().names("patient")
        on, sizes = self.find_on(z), z[:, self.places["size"]]
        known = {handle.handle: handle for handle in read_handles()}
        for h, name in enumerate(self.handles):
            size = np.where(on[:, h], known[name].typical * np.exp(HANDLE_SPREAD * sizes[:, h]), 0.0)
            for parameter in known[name].parameters:
                columns = [patient.index(parameter)] if parameter in patient else find_columns(parameter)
                params[:, columns] = size[:, None]

    def _set_aetiology(self, params: Array, aetiology: Numbers, member: Numbers) -> None:
        """Set what priming loses in a liver that is not viral."""
        at = read_model().names("patient").index("h_aetiology")
        own = np.array(["h_aetiology" in values for values in self.values])[member]
        lost = np.where(aetiology == _NON_VIRAL, read_traits()["nonviral_priming"].number, 0.0)
        params[:, at] = np.where(own, params[:, at], lost)

    def _draw_aetiology(self, z: Array, known: Numbers) -> Numbers:
        """Index of the liver disease: the patient's, or drawn."""
        from scipy.special import ndtr  # noqa: PLC0415

        edges = np.cumsum([read_traits()[name].number for name in ("hbv", "hcv")])
        drawn = np.searchsorted(edges, ndtr(z[:, self.places["aetiology"]])[:, 0], side="right")
        return np.where(known >= 0, known, drawn).astype(np.int64)

    def _draw_clones(self, z: Array) -> Array:
        """Shares of the clones at the start."""
        traits = [read_traits()[name] for name in _CLONES]
        low = np.array([trait.low or 1.0 for trait in traits])
        high = np.array([trait.high or 1.0 for trait in traits])
        return low * (high / low) ** _uniform(z[:, self.places["clones"]])

    def _draw_weight(self, z: Array, cases: Sequence[Case], owner: Numbers) -> Array:
        """Body weight: the patient's, or drawn."""
        trait = read_traits()["weight"]
        drawn = trait.number * np.exp((trait.spread or 0.0) * z[:, self.places["weight"]][:, 0])
        known = np.array([case.weight_kg or np.nan for case in cases])[owner]
        return np.where(np.isnan(known), np.clip(drawn, trait.low, trait.high), known)

    def _draw_lesions(self, z: Array, cases: Sequence[Case], owner: Numbers) -> tuple[Numbers, Array]:
        """Draw the number of lesions and their true diameters: as read, with error; or drawn to the sum."""
        read = np.zeros((len(cases), MOST_LESIONS))
        for row, case in zip(read, cases, strict=True):
            row[: len(case.baseline.diameters)] = case.baseline.diameters
        count = np.array([len(case.baseline.diameters) or case.baseline.targets for case in cases])[owner]
        total = np.array([case.baseline.total_mm for case in cases])[owner]
        weights = np.array([float(part) for part in read_traits()["lesions"].value.split(";")])
        drawn = 1 + np.searchsorted(
            np.cumsum(weights)[:-1], _uniform(z[:, self.places["lesions"]])[:, 0], side="right"
        )
        count = np.where(count > 0, count, drawn).astype(np.int64)
        size = np.exp((read_traits()["diameter"].spread or 0.0) * z[:, self.places["diameters"]])
        size = np.where(np.arange(MOST_LESIONS) < count[:, None], size, 0.0)
        size *= (total / size.sum(axis=1))[:, None]
        known = read[owner]
        size = np.where(known.sum(axis=1, keepdims=True) > 0, known, size)
        size *= np.exp(read_setting("whole_noise") * z[:, self.places["reading"]])
        diameters = np.zeros((len(z), SLOTS))
        diameters[:, :MOST_LESIONS] = size
        return count, diameters

    def find_chance(self, z: Array, member: Numbers) -> Array:
        """Logarithm of the chance to be found at a clinic under the prevalence weighting of each set."""
        found = np.zeros(len(z))
        for m, weighting in enumerate(self.weightings):
            rows = np.flatnonzero(member == m)
            if weighting is not None and rows.size:
                deviates = self.follow(z[rows])[:, [self.find(name).start for name in weighting.names]]
                found[rows] = np.log(weighting.find_chances(deviates))
        return found

    def weigh_traits(self, z: Array, traits: Mapping[str, bool]) -> Array:
        """Logarithm of the chance of a patient's yes-or-no traits, given the latent numbers."""
        from scipy.special import log_ndtr, ndtri  # noqa: PLC0415

        found = np.zeros(len(z))
        for name, on in traits.items():
            link = read_correlations().get(name)
            if link is not None:
                edge = ndtri(read_traits()[name].number)
                pull = link.correlation * z[:, self.find(link.first)][:, 0]
                found += log_ndtr((1 if on else -1) * (edge + pull) / np.sqrt(1.0 - link.correlation**2))
        return found

    def weigh_handles(self, z: Array, log_odds: Mapping[str, float]) -> Array:
        """Logarithm of what tissue says of the handles that are on."""
        odds = np.array([log_odds.get(name, 0.0) for name in self.handles])
        return self.find_on(z).astype(np.float64) @ odds


def _set_liver(params: Array, albi: Array, diameters: Array) -> None:
    """Set the best liver reserve so that the untreated patient has the first ALBI, where it is known.

    Untreated, repair and wear by burden are at balance.
    """
    names = read_model().names("patient")
    best, albi_best, slope, repair, wear, half = (
        names.index(name)
        for name in ("liver_best", "albi_best", "albi_slope", "liver_repair", "liver_burden", "liver_half")
    )
    burden = np.pi / 6.0 * ((diameters / 10.0) ** 3).sum(axis=1)
    worn = params[:, wear] * burden / (burden + params[:, half])
    reserve = 1.0 - (albi - params[:, albi_best]) / params[:, slope]
    wanted = np.clip(reserve * (1.0 + worn / params[:, repair]), _LIVER_LEAST, 1.0)
    params[:, best] = np.where(np.isnan(albi), params[:, best], wanted)


def find_columns(name: str) -> NDArray[np.int64]:
    """Find the columns of a lesion's parameter in all slots."""
    model = read_model()
    patient, lesion = model.names("patient"), model.names("lesion")
    return len(patient) + lesion.index(name) + np.arange(SLOTS) * len(lesion)


def _uniform(z: Array) -> Array:
    """Turn standard normal deviates into numbers between 0 and 1."""
    from scipy.special import ndtr  # noqa: PLC0415

    return ndtr(z)


def _scale(parameter: Parameter, z: Array, typical: Array, given: NDArray[np.bool_]) -> Array:
    """Values of a parameter; `given` where its typical value is set (a uniform one is then fixed)."""
    if parameter.distribution == "lognormal":
        return typical[:, None] * np.exp((parameter.spread or 0.0) * z)
    low, high = parameter.low or 0.0, parameter.high or 0.0
    u = _uniform(z)
    drawn = low * (high / low) ** u if parameter.distribution == "loguniform" else low + (high - low) * u
    return np.where(given[:, None], typical[:, None], drawn)
