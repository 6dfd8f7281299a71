"""Kinetics by integration with SciPy (LSODA, 1e-9): what tests hold the solutions against."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp

from hccresist.overcome.pk import Doses, Kinetics


def integrated(kinetics: Kinetics, doses: Doses, days: np.ndarray) -> np.ndarray:
    """Concentration on days that increase, by integration from dose to dose."""

    def rates(day, x):
        level = x[0] / kinetics.volume
        gone = kinetics.clearance_at(day - doses.days[0]) * level
        gone += kinetics.vmax * level / (kinetics.km + level)
        swapped = kinetics.flow * (level - x[1] / kinetics.peripheral)
        taken_up = kinetics.absorption * x[2]
        return [taken_up - gone - swapped, swapped, -taken_up]

    x, found = np.zeros(3), []
    ends = [*doses.days[1:], days[-1] + 1]
    for start, end, amount in zip(doses.days, ends, doses.amounts, strict=True):
        x[2 if kinetics.absorption else 0] += amount
        inside = days[(days >= start) & (days < end)]
        answer = solve_ivp(
            rates, (start, end), x, t_eval=[*inside, end], rtol=1e-9, atol=1e-10, method="LSODA"
        )
        found += list(answer.y[0][:-1] / kinetics.volume)
        x = answer.y[:, -1].copy()
    return np.array(found)
