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


def _gap(model: GrowthModel, search: _Search, value: Floats, index: NDArray[np.intp]) -> Floats:
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


def _find_limits(model: GrowthModel, search: _Search, se: Floats) -> Floats:
    centre = _pick(search.x, search.parameter)
    end = np.where(
        search.sign < 0, _pick(search.lower, search.parameter), _pick(search.upper, search.parameter)
    )
    inner, inner_gap = centre.copy(), -search.quantile
    step = np.maximum(np.nan_to_num(se) * search.quantile, 1e-6)
    outer, outer_gap, inside = _expand(model, search, inner, inner_gap, step, end)
    return _refine(model, search, inner, inner_gap, outer, outer_gap, inside)


def _expand(  # noqa: PLR0917
    model: GrowthModel,
    search: _Search,
    inner: Floats,
    inner_gap: Floats,
    step: Floats,
    end: Floats,
) -> tuple[Floats, Floats, Bools]:
    """Go outwards in doubling steps until the profile exceeds the target or the bound is reached."""
    outer, outer_gap = inner.copy(), inner_gap.copy()
    active = np.flatnonzero(outer != end)
    for _ in range(_EXPANSIONS):
        if not len(active):
            break
        ahead = outer[active] + search.sign[active] * step[active]
        value = np.where(
            search.sign[active] < 0, np.maximum(ahead, end[active]), np.minimum(ahead, end[active])
        )
        gap = _gap(model, search, value, active)
        outer[active], outer_gap[active] = value, gap
        below = gap < 0.0
        inner[active[below]], inner_gap[active[below]] = value[below], gap[below]
        step[active] *= 2.0
        active = active[below & (value != end[active])]
    return outer, outer_gap, outer_gap < 0.0


def _refine(  # noqa: PLR0917
    model: GrowthModel,
    search: _Search,
    inner: Floats,
    inner_gap: Floats,
    outer: Floats,
    outer_gap: Floats,
    inside: Bools,
) -> Floats:
    """Close in on the crossing by the Illinois method; where there is none the bound is the limit."""
    last_side = np.zeros(len(inner))
    active = np.flatnonzero(~inside)
    for _ in range(_REFINEMENTS):
        width = np.abs(outer[active] - inner[active])
        active = active[width > _TOLERANCE * np.maximum(np.abs(inner[active]), 1e-6)]
        if not len(active):
            break
        share = inner_gap[active] / (inner_gap[active] - outer_gap[active])
        value = inner[active] + np.clip(share, 0.02, 0.98) * (outer[active] - inner[active])
        gap = _gap(model, search, value, active)
        below = gap < 0.0
        side = np.where(below, -1.0, 1.0)
        again = side == last_side[active]
        outer_gap[active] = np.where(below & again, outer_gap[active] / 2.0, outer_gap[active])
        inner_gap[active] = np.where(~below & again, inner_gap[active] / 2.0, inner_gap[active])
        last_side[active] = side
        inner[active], inner_gap[active] = (
            np.where(below, value, inner[active]),
            np.where(below, gap, inner_gap[active]),
        )
        outer[active], outer_gap[active] = (
            np.where(below, outer[active], value),
            np.where(below, outer_gap[active], gap),
        )
    return np.where(inside, outer, inner)
