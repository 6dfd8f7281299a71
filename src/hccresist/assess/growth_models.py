"""Growth models: how the size of a tumour changes under treatment, each as a record.

Arrays are laid out with the patients last: times, sizes and weights have shape (V, B) for V visits
of B patients, parameters (k, B), Jacobians (k, V, B). Sums over visits then run in the same order
whatever the other patients are, so a fit does not depend on who else is in the cohort.

Times are days, rates are per day, sizes are relative to the size at the start. For the
regression-growth family the first visit is day 1 (as in the R package tumgr); for the tumour
growth inhibition family time is the day since treatment start, negative before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Evaluated = tuple[Floats, Floats]
Family = Literal["regression_growth", "tgi"]

MAX_EXPONENT: Final = 50.0
"""Exponents are cut here: a tumour 10²¹ times its size is beyond every datum and still finite."""

TUMGR: Final = "R package tumgr (github.com/wilkersj/tumgr, commit 9012b78), R/gdrate.R, read"
JMPOST: Final = "R package jmpost (github.com/Genentech/jmpost), inst/stan, read"
_TUMGR_RATE: Final = 0.00511


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthModel:
    """One growth model.

    Attributes
    ----------
    name, family
        Name as in tumgr (gd, dx, gx, gdphi) or the authors' (claret, stein_fojo); the family
        within which models are compared.
    parameters, units
        Names in order, and what each is measured in. `y0` is fitted relative to the size at the
        start and reported in mm.
    lower, upper
        Bounds of each parameter.
    equation
        The model in one line.
    source, verification
        Where it comes from; how far that was verified.
    evaluate
        (parameters, times) → fitted sizes (V, B) and Jacobian (k, V, B).
    basis
        (grid of the parameters that are not linear, times) → what is fixed and what the linear
        parameter multiplies, both of shape (G, V, B); the second is ``None`` without one.
    grid
        Values tried as starts, shape (m, G), for the parameters that are not linear.
    linear
        Index of the parameter in which the model is linear; ``None`` without one.
    given_start
        A start that is always tried as well (that of tumgr), or ``None``.
    """

    name: str
    family: Family
    parameters: tuple[str, ...]
    units: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    equation: str
    source: str
    verification: str
    evaluate: Callable[[Floats, Floats], Evaluated]
    basis: Callable[[Floats, Floats], tuple[Floats, Floats | None]]
    grid: Floats
    linear: int | None = None
    given_start: tuple[float, ...] | None = None

    @property
    def size(self) -> int:
        """Number of parameters."""
        return len(self.parameters)


def _exp(exponent: Floats) -> Floats:
    return np.exp(np.minimum(exponent, MAX_EXPONENT))


def _evaluate_gd(x: Floats, t: Floats) -> Evaluated:
    up, down = _exp(x[0] * t), _exp(-x[1] * t)
    return down + up - 1.0, np.stack((t * up, -t * down))


def _basis_gd(grid: Floats, t: Floats) -> tuple[Floats, None]:
    up, down = _exp(grid[0][:, None, None] * t), _exp(-grid[1][:, None, None] * t)
    return down + up - 1.0, None


def _evaluate_dx(x: Floats, t: Floats) -> Evaluated:
    down = _exp(-x[0] * t)
    return down, (-t * down)[None]


def _basis_dx(grid: Floats, t: Floats) -> tuple[Floats, None]:
    return _exp(-grid[0][:, None, None] * t), None


def _evaluate_gx(x: Floats, t: Floats) -> Evaluated:
    up = _exp(x[0] * t)
    return up, (t * up)[None]


def _basis_gx(grid: Floats, t: Floats) -> tuple[Floats, None]:
    return _exp(grid[0][:, None, None] * t), None


def _evaluate_gdphi(x: Floats, t: Floats) -> Evaluated:
    phi, up, down = x[0], _exp(x[1] * t), _exp(-x[2] * t)
    growing, dying = (1.0 - phi) * up, phi * down
    return growing + dying, np.stack((down - up, t * growing, -t * dying))


def _basis_gdphi(grid: Floats, t: Floats) -> tuple[Floats, Floats]:
    up, down = _exp(grid[0][:, None, None] * t), _exp(-grid[1][:, None, None] * t)
    return up, down - up


def _evaluate_stein_fojo(x: Floats, t: Floats) -> Evaluated:
    treated = np.maximum(t, 0.0)
    up, down = _exp(x[1] * t), _exp(-x[2] * treated)
    shape = up + (down - 1.0)
    return x[0] * shape, np.stack((shape, x[0] * t * up, -x[0] * treated * down))


def _basis_stein_fojo(grid: Floats, t: Floats) -> tuple[Floats, Floats]:
    up = _exp(grid[0][:, None, None] * t)
    down = _exp(-grid[1][:, None, None] * np.maximum(t, 0.0))
    return np.zeros_like(up), up + (down - 1.0)


def _faded(lam: Floats, t: Floats) -> Evaluated:
    """Return (1 − exp(−λt))/λ and its derivative by λ; both tend to a limit as λt → 0."""
    z = lam * t
    small = np.abs(z) < 1e-3
    safe = np.where(small, 1.0, lam)
    value = np.where(small, t * (1.0 - z / 2.0 + z * z / 6.0), -np.expm1(-z) / safe)
    slope = np.where(
        small,
        -t * t * (0.5 - z / 3.0 + z * z / 8.0),
        (z * _exp(-z) + np.expm1(-z)) / (safe * safe),
    )
    return value, slope


def _evaluate_claret(x: Floats, t: Floats) -> Evaluated:
    faded, slope = _faded(x[3] + np.zeros_like(t), np.maximum(t, 0.0))
    shape = _exp(x[1] * t - x[2] * faded)
    fitted = x[0] * shape
    return fitted, np.stack((shape, t * fitted, -faded * fitted, -x[2] * slope * fitted))


def _basis_claret(grid: Floats, t: Floats) -> tuple[Floats, Floats]:
    kl, kde, lam = (row[:, None, None] for row in grid)
    faded, _ = _faded(lam + np.zeros_like(t), np.maximum(t, 0.0))
    shape = _exp(kl * t - kde * faded)
    return np.zeros_like(shape), shape


def _grid(*axes: tuple[float, ...]) -> Floats:
    mesh = np.meshgrid(*(np.asarray(axis, dtype=np.float64) for axis in axes), indexing="ij")
    return np.stack([values.ravel() for values in mesh])


_GROWTH = (0.0, 2e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3, 0.016, 0.03, 0.07)
_DECAY = (0.0, 3e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.02, 0.04, 0.08, 0.2)

GD: Final = GrowthModel(
    name="gd",
    family="regression_growth",
    parameters=("g", "d"),
    units=("1/day", "1/day"),
    lower=(0.0, 0.0),
    upper=(1.0, 1.0),
    equation="f = exp(−d·t) + exp(g·t) − 1",
    source=TUMGR,
    verification="verified",
    evaluate=_evaluate_gd,
    basis=_basis_gd,
    grid=_grid(_GROWTH, _DECAY),
    given_start=(_TUMGR_RATE, _TUMGR_RATE),
)
DX: Final = GrowthModel(
    name="dx",
    family="regression_growth",
    parameters=("d",),
    units=("1/day",),
    lower=(0.0,),
    upper=(1.0,),
    equation="f = exp(−d·t)",
    source=TUMGR,
    verification="verified",
    evaluate=_evaluate_dx,
    basis=_basis_dx,
    grid=_grid(_DECAY),
    given_start=(_TUMGR_RATE,),
)
GX: Final = GrowthModel(
    name="gx",
    family="regression_growth",
    parameters=("g",),
    units=("1/day",),
    lower=(0.0,),
    upper=(1.0,),
    equation="f = exp(g·t)",
    source=TUMGR,
    verification="verified",
    evaluate=_evaluate_gx,
    basis=_basis_gx,
    grid=_grid(_GROWTH),
    given_start=(_TUMGR_RATE,),
)
GDPHI: Final = GrowthModel(
    name="gdphi",
    family="regression_growth",
    parameters=("phi", "g", "d"),
    units=("share", "1/day", "1/day"),
    lower=(0.0, 0.0, 0.0),
    upper=(1.0, 1.0, 1.0),
    equation="f = (1 − φ)·exp(g·t) + φ·exp(−d·t)",
    source=TUMGR,
    verification="verified",
    evaluate=_evaluate_gdphi,
    basis=_basis_gdphi,
    grid=_grid(_GROWTH, _DECAY),
    linear=0,
    given_start=(0.9, _TUMGR_RATE, _TUMGR_RATE),
)
STEIN_FOJO: Final = GrowthModel(
    name="stein_fojo",
    family="tgi",
    parameters=("y0", "kg", "ks"),
    units=("mm", "1/day", "1/day"),
    lower=(0.0, 0.0, 0.0),
    upper=(100.0, 1.0, 1.0),
    equation="y = y0·(exp(kg·t) + exp(−ks·t) − 1); before treatment y = y0·exp(kg·t)",
    source=f"{JMPOST}: lm-stein-fojo/functions.stan",
    verification="verified",
    evaluate=_evaluate_stein_fojo,
    basis=_basis_stein_fojo,
    grid=_grid(_GROWTH, _DECAY),
    linear=0,
)
CLARET: Final = GrowthModel(
    name="claret",
    family="tgi",
    parameters=("y0", "kl", "kde", "lam"),
    units=("mm", "1/day", "1/day", "1/day"),
    lower=(0.0, 0.0, 0.0, 0.0),
    upper=(100.0, 1.0, 1.0, 1.0),
    equation="y = y0·exp(kl·t − (kde/λ)·(1 − exp(−λ·t))); before treatment y = y0·exp(kl·t)",
    source=f"{JMPOST}: lm-claret-bruno/functions.stan; Claret 2009, J Clin Oncol 27:4103, not seen",
    verification="partly_verified",
    evaluate=_evaluate_claret,
    basis=_basis_claret,
    grid=_grid((0.0, 5e-4, 2e-3, 6e-3, 0.02), (0.0, 2e-3, 6e-3, 0.02, 0.05), (1e-3, 5e-3, 0.02, 0.06)),
    linear=0,
)

MODELS: Final[dict[str, GrowthModel]] = {
    model.name: model for model in (GD, DX, GX, GDPHI, STEIN_FOJO, CLARET)
}
"""Every growth model by name, in the order in which ties are broken within a family."""
