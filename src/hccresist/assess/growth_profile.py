"""Profile-likelihood intervals of growth parameters.

A value of one parameter belongs to the interval while the best fit with that parameter held there
has a sum of squares below ``S·(1 + t²/df)``, with S the smallest sum of squares, df the visits less
the parameters and t the quantile of Student's t (Bates and Watts, Nonlinear Regression Analysis and
Its Applications, 1988, chapter 6; from memory). Unlike the Wald interval it need not be symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hccresist.assess.growth_models import Floats, GrowthModel
from hccresist.assess.growth_solver import EXACT, Bools, Problem, minimise

_EXPANSIONS: Final = 40
_REFINEMENTS: Final = 40
_TOLERANCE: Final = 1e-4
"""Share of a limit to which it is found."""
_INNER_STEPS: Final = 40
_INNER_DECREASE: Final = 1e-7


@dataclass(slots=True)
class _Search:
    """One search a column: a parameter of a patient in one direction.

    `x` holds the parameters of the last fit, from which the next one starts; `best` the smallest
    sum of squares, `unit` the residual variance.
    """

    data: Problem
    parameter: NDArray[np.intp]
    sign: Floats
    x: Floats
    best: Floats
    unit: Floats
    quantile: Floats
    lower: Floats
    upper: Floats


def profile_intervals(
    model: GrowthModel, data: Problem, x: Floats, *, sse: Floats, se: Floats, quantile: Floats
) -> tuple[Floats, Floats]:
    """Return lower and upper limits, each (k, B).

    Parameters
    ----------
    model, data
        The model and the data it was fitted to.
    x, sse, se
        Estimates, sum of squares and standard errors, as fitted.
    quantile
        Student's t quantile of each patient.

    Returns
    -------
    low, high
        Limits; a bound of the parameter where the profile stays below the target up to it, and
        the estimate itself where the fit is exact.
    """
    k, count = x.shape
    search = _make_search(model, data, x, sse=sse, quantile=quantile)
    reach = np.tile(se, (2, 1, 1)).reshape(2 * k, count).ravel()
    limit = _find_limits(model, search, reach).reshape(2, k, count)
    exact = sse <= EXACT * data.n
    return np.where(exact, x, limit[0]), np.where(exact, x, limit[1])


def _make_search(model: GrowthModel, data: Problem, x: Floats, *, sse: Floats, quantile: Floats) -> _Search:
    k, count = x.shape
    who = np.tile(np.arange(count), 2 * k)
    width = 2 * k * count
    spread = sse / np.maximum(data.n - k, 1.0)
    return _Search(
        data=data.take(who),
        parameter=np.tile(np.repeat(np.arange(k), count), 2),
        sign=np.repeat([-1.0, 1.0], k * count),
        x=x[:, who],
        best=sse[who],
        unit=spread[who],
        quantile=quantile[who],
        lower=np.repeat(np.asarray(model.lower)[:, None], width, axis=1),
        upper=np.repeat(np.asarray(model.upper)[:, None], width, axis=1),
    )


def _pick(rows: Floats, parameter: NDArray[np.intp]) -> Floats:
    return rows[parameter, np.arange(rows.shape[1])]


def _gap(model: GrowthModel, search: _Search, value: Floats, *, index: NDArray[np.intp]) -> Floats:
    """Hold the parameter at `value`, fit the others from where they were, return the signed gap."""
    columns = np.arange(len(index))
    start = search.x[:, index]
    lower, upper = search.lower[:, index].copy(), search.upper[:, index].copy()
    held = search.parameter[index]
    lower[held, columns] = upper[held, columns] = value
    found = minimise(
        model.evaluate,
        search.data.take(index),
        start,
        lower=lower,
        upper=upper,
        steps=_INNER_STEPS,
        decrease=_INNER_DECREASE,
    )
    search.x[:, index] = found.x
    rise = np.maximum(found.sse - search.best[index], 0.0)
    return np.sqrt(rise / np.maximum(search.unit[index], 1e-300)) - search.quantile[index]


@dataclass(slots=True)
class _Bracket:
    """Where the profile was seen below (inner) and above (outer) its target, and by how much."""

    inner: Floats
    inner_gap: Floats
    outer: Floats
    outer_gap: Floats


def _find_limits(model: GrowthModel, search: _Search, se: Floats) -> Floats:
    centre = _pick(search.x, search.parameter)
    bracket = _Bracket(centre.copy(), -search.quantile, centre.copy(), -search.quantile)
    step = np.maximum(np.nan_to_num(se) * search.quantile, 1e-6)
    _expand(model, search, bracket, step=step)
    return _refine(model, search, bracket)


def _expand(model: GrowthModel, search: _Search, at: _Bracket, *, step: Floats) -> None:
    """Go outwards in doubling steps until the profile exceeds the target or the bound is reached."""
    down = search.sign < 0
    end = np.where(down, _pick(search.lower, search.parameter), _pick(search.upper, search.parameter))
    active = np.flatnonzero(at.outer != end)
    for _ in range(_EXPANSIONS):
        if not len(active):
            break
        ahead = at.outer[active] + search.sign[active] * step[active]
        stop = end[active]
        value = np.where(down[active], np.maximum(ahead, stop), np.minimum(ahead, stop))
        gap = _gap(model, search, value, index=active)
        at.outer[active], at.outer_gap[active] = value, gap
        below = gap < 0.0
        at.inner[active[below]], at.inner_gap[active[below]] = value[below], gap[below]
        step[active] *= 2.0
        active = active[below & (value != stop)]


def _refine(model: GrowthModel, search: _Search, at: _Bracket) -> Floats:
    """Close in on the crossing by the Illinois method; where there is none the bound is the limit."""
    inside = at.outer_gap < 0.0
    last_side = np.zeros(len(inside))
    active = np.flatnonzero(~inside)
    for _ in range(_REFINEMENTS):
        width = np.abs(at.outer[active] - at.inner[active])
        active = active[width > _TOLERANCE * np.maximum(np.abs(at.inner[active]), 1e-6)]
        if not len(active):
            break
        share = at.inner_gap[active] / (at.inner_gap[active] - at.outer_gap[active])
        value = at.inner[active] + np.clip(share, 0.02, 0.98) * (at.outer[active] - at.inner[active])
        gap = _gap(model, search, value, index=active)
        side = np.where(gap < 0.0, -1.0, 1.0)
        again = side == last_side[active]
        last_side[active] = side
        _move(at, active, value, gap=gap, again=again)
    return np.where(inside, at.outer, at.inner)


def _move(at: _Bracket, active: NDArray[np.intp], value: Floats, *, gap: Floats, again: Bools) -> None:
    """Replace one end of each bracket; the other end's gap is halved when it stays twice in a row."""
    below = gap < 0.0
    low, high = active[below], active[~below]
    at.outer_gap[active[below & again]] /= 2.0
    at.inner_gap[active[~below & again]] /= 2.0
    at.inner[low], at.inner_gap[low] = value[below], gap[below]
    at.outer[high], at.outer_gap[high] = value[~below], gap[~below]
