"""Nonlinear least squares for many patients at once.

A bounded Levenberg-Marquardt iteration (Marquardt 1963, J Soc Ind Appl Math 11:431; scaling of the
variables as in MINPACK; trial points are projected on the bounds, as in the R package minpack.lm)
runs for all patients and all starts together; those that are done leave the batch. Shapes are as
in `hccresist.assess.growth_models`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hccresist.assess.growth_models import Evaluated, Floats, GrowthModel

Bools = NDArray[np.bool_]
Evaluate = Callable[[Floats, Floats], Evaluated]

MAX_STEPS: Final = 250
SCOUT_STEPS: Final = 8
"""Steps after which only the best start of each patient goes on."""
STEP_TOLERANCE: Final = 1e-9
"""A step that changes no parameter by more than this share of it ends the iteration."""
DECREASE_TOLERANCE: Final = 1e-11
EXACT: Final = 1e-16
"""Sum of squares per visit, relative to the size at the start, below which a fit is exact: residuals
of a hundred millionth of the tumour are rounding."""
_MIN_MU: Final = 1e-14
_MAX_MU: Final = 1e14


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Data of B patients, padded to V visits.

    Attributes
    ----------
    t, f, w
        Day, relative size, and 1 where a visit exists, else 0; each (V, B), 0 where padded.
    """

    t: Floats
    f: Floats
    w: Floats

    @property
    def n(self) -> Floats:
        """Visits of each patient, shape (B,)."""
        return self.w.sum(axis=0)

    def take(self, index: NDArray[np.intp]) -> Problem:
        """Return the data of some patients, in the order of `index`."""
        return Problem(t=self.t[:, index], f=self.f[:, index], w=self.w[:, index])


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Least squares estimates: parameters (k, B), sum of squares (B,), converged (B,)."""

    x: Floats
    sse: Floats
    converged: Bools


@dataclass(slots=True)
class _State:
    """What the iteration carries for the problems still active."""

    data: Problem
    x: Floats
    lower: Floats
    upper: Floats
    sse: Floats
    gradient: Floats
    normal: Floats
    scale: Floats
    mu: Floats

    def take(self, keep: NDArray[np.intp]) -> _State:
        return _State(
            self.data.take(keep),
            self.x[:, keep],
            self.lower[:, keep],
            self.upper[:, keep],
            self.sse[keep],
            self.gradient[:, keep],
            self.normal[:, :, keep],
            self.scale[:, keep],
            self.mu[keep],
        )


def _measure(evaluate: Evaluate, x: Floats, data: Problem) -> tuple[Floats, Floats, Floats]:
    """Return sum of squares (B,), gradient of its half (k, B) and normal matrix (k, k, B)."""
    fitted, jac = evaluate(x, data.t)
    residual = (fitted - data.f) * data.w
    jac = jac * data.w
    k = len(x)
    gradient = np.stack([(jac[i] * residual).sum(axis=0) for i in range(k)])
    normal = np.empty((k, k, x.shape[1]))
    for i in range(k):
        for j in range(i + 1):
            normal[i, j] = normal[j, i] = (jac[i] * jac[j]).sum(axis=0)
    return (residual * residual).sum(axis=0), gradient, normal


def factor(matrix: Floats) -> Floats:
    """Return the lower Cholesky factor of symmetric matrices (k, k, B); 0 pivots where not definite."""
    k = len(matrix)
    low = np.zeros_like(matrix)
    for i in range(k):
        for j in range(i + 1):
            rest = matrix[i, j] - (low[i, :j] * low[j, :j]).sum(axis=0)
            if i == j:
                low[i, i] = np.sqrt(np.maximum(rest, 0.0))
            else:
                low[i, j] = _over(rest, low[j, j])
    return low


def _over(a: Floats, b: Floats) -> Floats:
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0.0)


def substitute(low: Floats, right: Floats) -> Floats:
    """Solve L Lᵀ z = right for factors (k, k, B) and right sides (k, B)."""
    k = len(right)
    y = np.zeros_like(right)
    for i in range(k):
        y[i] = _over(right[i] - (low[i, :i] * y[:i]).sum(axis=0), low[i, i])
    for i in reversed(range(k)):
        y[i] = _over(y[i] - (low[i + 1 :, i] * y[i + 1 :]).sum(axis=0), low[i, i])
    return y


def _held(state: _State) -> Bools:
    """Return which parameters rest on a bound that the gradient presses them against, (k, B)."""
    return ((state.x <= state.lower) & (state.gradient >= 0.0)) | (
        (state.x >= state.upper) & (state.gradient <= 0.0)
    )


def _trial(state: _State, held: Bools) -> Floats:
    """Return the damped Gauss-Newton point, projected on the bounds."""
    matrix = state.normal.copy()
    right = -state.gradient
    for i in range(len(matrix)):
        matrix[i, i] += state.mu * state.scale[i] + 1e-300
        matrix[i][:, held[i]] = 0.0
        matrix[:, i][:, held[i]] = 0.0
        matrix[i, i][held[i]] = 1.0
        right[i][held[i]] = 0.0
    step = substitute(factor(matrix), right)
    return np.clip(state.x + step, state.lower, state.upper)


def minimise(
    evaluate: Evaluate,
    data: Problem,
    start: Floats,
    *,
    lower: Floats,
    upper: Floats,
    steps: int = MAX_STEPS,
    decrease: float = DECREASE_TOLERANCE,
) -> Solution:
    """Fit every problem from its start.

    Parameters
    ----------
    evaluate
        Model: (parameters, times) → fitted sizes and Jacobian.
    data
        Data, one problem a column.
    start, lower, upper
        Start and bounds of the parameters, shape (k, B). A parameter whose bounds are equal is
        held there.
    steps
        Largest number of steps.
    decrease
        A step that lowers the sum of squares by no more than this share of it ends the iteration.

    Returns
    -------
    Solution
        One column a problem, in the given order.
    """
    x = np.clip(start, lower, upper)
    sse, gradient, normal = _measure(evaluate, x, data)
    scale = np.stack([normal[i, i] for i in range(len(x))])
    state = _State(data, x, lower, upper, sse, gradient, normal, scale, np.full(len(sse), 1e-3))
    out = Solution(x=x.copy(), sse=sse.copy(), converged=np.zeros(len(sse), dtype=bool))
    active = np.arange(len(sse))
    for _ in range(steps):
        done = _advance(evaluate, state, decrease)
        if done.any():
            gone = active[done]
            out.x[:, gone], out.sse[gone], out.converged[gone] = state.x[:, done], state.sse[done], True
            keep = np.flatnonzero(~done)
            active, state = active[keep], state.take(keep)
        if not len(active):
            break
    out.x[:, active], out.sse[active] = state.x, state.sse
    return out


def _advance(evaluate: Evaluate, state: _State, decrease: float) -> Bools:
    """Try one step for each problem in place; return which are done."""
    held = _held(state)
    trial = _trial(state, held)
    sse, gradient, normal = _measure(evaluate, trial, state.data)
    better = sse < state.sse
    moved = np.abs(trial - state.x) > STEP_TOLERANCE * (np.abs(state.x) + STEP_TOLERANCE)
    still = ~moved.any(axis=0)
    small = better & (state.sse - sse <= decrease * state.sse) & (state.mu < 1.0)
    state.x = np.where(better, trial, state.x)
    state.sse = np.where(better, sse, state.sse)
    state.gradient = np.where(better, gradient, state.gradient)
    state.normal = np.where(better, normal, state.normal)
    diagonal = np.stack([normal[i, i] for i in range(len(trial))])
    state.scale = np.where(better, np.maximum(state.scale, diagonal), state.scale)
    state.mu = np.clip(np.where(better, state.mu * 0.1, state.mu * 8.0), _MIN_MU, _MAX_MU)
    exact = state.sse <= EXACT * 1e-8
    return still | small | exact | held.all(axis=0)


def starts(model: GrowthModel, data: Problem) -> list[Floats]:
    """Return the starts of each patient: the best points of the model's grid and its given start.

    At each grid point the parameter in which the model is linear takes its best value.
    """
    fixed, slope = model.basis(model.grid, data.t)
    residual = (data.f - fixed) * data.w
    linear = np.zeros((model.grid.shape[1], data.t.shape[1]))
    if slope is not None and model.linear is not None:
        slope = slope * data.w
        top, bottom = (slope * residual).sum(axis=1), (slope * slope).sum(axis=1)
        linear = np.clip(_over(top, bottom), model.lower[model.linear], model.upper[model.linear])
        residual = residual - linear[:, None, :] * slope
    sse = (residual * residual).sum(axis=1)
    chosen = [_at_grid(model, linear, sse.argmin(axis=0))]
    if model.given_start is None:
        sse[sse.argmin(axis=0), np.arange(sse.shape[1])] = np.inf
        chosen.append(_at_grid(model, linear, sse.argmin(axis=0)))
    else:
        chosen.append(np.repeat(np.asarray(model.given_start)[:, None], data.t.shape[1], axis=1))
    return chosen


def _at_grid(model: GrowthModel, linear: Floats, index: NDArray[np.intp]) -> Floats:
    rows = list(model.grid[:, index])
    if model.linear is not None:
        rows.insert(model.linear, linear[index, np.arange(len(index))])
    return np.stack(rows)


def fit_model(model: GrowthModel, data: Problem) -> Solution:
    """Fit one model to every patient: a few steps from each start, then on from the best of them.

    Starts whose sums of squares lie within a relative 1e-9 count as equal; the earlier one is kept.
    """
    count = data.t.shape[1]
    points = starts(model, data)
    index = np.tile(np.arange(count), len(points))
    lower, upper = (np.repeat(np.asarray(b)[:, None], len(index), axis=1) for b in (model.lower, model.upper))
    scouts = minimise(
        model.evaluate,
        data.take(index),
        np.concatenate(points, axis=1),
        lower=lower,
        upper=upper,
        steps=SCOUT_STEPS,
    )
    best = np.arange(count)
    for rank in range(1, len(points)):
        other = np.arange(count) + rank * count
        best = np.where(scouts.sse[other] < scouts.sse[best] * (1.0 - 1e-9), other, best)
    x, sse, converged = scouts.x[:, best], scouts.sse[best], scouts.converged[best]
    rest = np.flatnonzero(~converged)
    found = minimise(model.evaluate, data.take(rest), x[:, rest], lower=lower[:, rest], upper=upper[:, rest])
    x[:, rest], sse[rest], converged[rest] = found.x, found.sse, found.converged
    return Solution(x=x, sse=sse, converged=converged)


def invert_normal(evaluate: Evaluate, data: Problem, x: Floats) -> tuple[Floats, Bools]:
    """Return the diagonal of the inverse normal matrix (k, B), and where it exists (B,).

    The matrix is scaled to a unit diagonal first; a pivot below 1e-10 means that the data do not
    tell the parameters apart.
    """
    _, _, normal = _measure(evaluate, x, data)
    k = len(x)
    root = np.sqrt(np.stack([normal[i, i] for i in range(k)]))
    fine = (root > 0.0).all(axis=0)
    scaled = np.stack([_over(_over(normal[i], root[i] + 0.0 * root), root) for i in range(k)])
    low = factor(scaled)
    fine &= np.stack([low[i, i] ** 2 for i in range(k)]).min(axis=0) > 1e-10
    diagonal = np.empty_like(x)
    for i in range(k):
        unit = np.zeros_like(x)
        unit[i] = 1.0
        diagonal[i] = _over(_over(substitute(low, unit)[i], root[i]), root[i])
    return np.where(fine, diagonal, np.nan), fine
