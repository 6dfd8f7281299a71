"""Kinetics of one drug in one patient, compiled: the mathematics of `overcome.pk` without allocation.

A drug's place in the working array (`SLOTS` numbers) holds its solution since the last stop: rates, amounts
that fall with each rate, steady amounts, inflow, the end of the present piece, the clearance. `pk` is the
readable form of the same; a test holds one against the other.
"""

# pyright: basic
from __future__ import annotations

from math import ceil, exp, expm1, log, sqrt
from typing import Final

from numba import njit

from hccresist.overcome.pk import TERMS

KINETICS: Final = (
    "clearance",
    "volume",
    "flow",
    "peripheral",
    "absorption",
    "change",
    "change_half",
    "change_hill",
    "vmax",
    "km",
)
"""Kinetic parameters in the order in which the kernel takes them (units: `pk.Kinetics`)."""
STAMP: Final = "e730e923be87a80f"
"""Digest of what is compiled into this module, written by `generate`; see `integrate.STAMP`."""
SLOTS: Final = 18
"""Numbers that a drug needs in the working array."""
_PARTS, _STEADY, INFLOW, PIECE_END, _CLEARANCE = 3, 12, 15, 16, 17


@njit(cache=True, error_model="numpy")
def clearance_at(kin, day):
    """Linear clearance (L/day) so many days after the first dose."""
    if day <= 0.0 or kin[5] == 0.0:
        return kin[0]
    return kin[0] * exp(kin[5] / (1.0 + (kin[6] / day) ** kin[7]))


@njit(cache=True, error_model="numpy")
def _level_error(kin, since, days):
    """Relative error of the level in the middle of a piece with its mean clearance."""
    now, then = clearance_at(kin, since), clearance_at(kin, since + days)
    return abs(log(then / now)) * days * max(now, then) / kin[1] / 8.0


@njit(cache=True, error_model="numpy")
def count_pieces(kin, since, days, split):
    """Count the equal pieces of which the first is short enough; after it, what is left is cut anew.

    `split` is a `pk.Split`.
    """
    error, longest, pieces = split
    count = max(1, ceil(days / longest - 1e-9)) if kin[8] > 0.0 else 1
    most = pieces * max(1, int(days / 28.0))
    while kin[5] != 0.0 and count < most and _level_error(kin, since, days / count) > error:
        count += 1
    return min(count, most)


@njit(cache=True, error_model="numpy")
def _flows(kin, clearance):
    """Rate constants out, there, back and out of the gut (1/day)."""
    gut = kin[4]
    return clearance / kin[1], kin[2] / kin[1], kin[2] / kin[3], gut


@njit(cache=True, error_model="numpy")
def _set_rates(kin, clearance, own):
    """Find the three rates (the third is the gut's; zero for a drug given into the blood)."""
    out, there, back, gut = _flows(kin, clearance)
    total = out + there + back
    root = sqrt(total * total - 4.0 * out * back)
    own[0], own[1] = (total + root) / 2.0, (total - root) / 2.0
    if gut > 0.0:
        while abs(gut - own[0]) < 1e-6 * gut or abs(gut - own[1]) < 1e-6 * gut:
            gut *= 1.0 + 1e-5
    own[2] = gut


@njit(cache=True, error_model="numpy")
def _project(kin, clearance, own, x0, x1, x2, scale):
    """Write the amounts that fall with each rate into the drug's place, `scale` times."""
    out, there, back, _ = _flows(kin, clearance)
    gut = own[2]
    count = 3 if gut > 0.0 else 2
    for j in range(3):
        a, b, c = x0 * scale, x1 * scale, x2 * scale
        if j < count:
            for i in range(count):
                if i != j:
                    rate, gap = own[i], own[i] - own[j]
                    a, b, c = (
                        ((rate - out - there) * a + back * b + gut * c) / gap,
                        (there * a + (rate - back) * b) / gap,
                        (rate - gut) * c / gap,
                    )
        else:
            a = b = c = 0.0
        own[_PARTS + 3 * j], own[_PARTS + 3 * j + 1], own[_PARTS + 3 * j + 2] = a, b, c


@njit(cache=True, error_model="numpy")
def _solve(kin, clearance, own, x0, x1, x2, inflow):
    """Solve a piece with constant clearance and inflow (mg/day) from the amounts at its start."""
    _set_rates(kin, clearance, own)
    steady = inflow * kin[1] / clearance
    own[_STEADY] = steady
    own[_STEADY + 1] = steady * kin[3] / kin[1] if kin[2] > 0.0 else 0.0
    own[_STEADY + 2] = inflow / own[2] if own[2] > 0.0 else 0.0
    own[_CLEARANCE] = clearance
    _project(kin, clearance, own, x0 - own[_STEADY], x1 - own[_STEADY + 1], x2 - own[_STEADY + 2], 1.0)


@njit(cache=True, error_model="numpy")
def _mean_level(kin, own, days):
    """Mean level (mg/L) over so many days."""
    amount = own[_STEADY]
    for j in range(3):
        x = own[j] * days
        share = -expm1(-x) / x if x > 1e-12 else 1.0
        amount += share * own[_PARTS + 3 * j]
    return amount / kin[1]


@njit(cache=True, error_model="numpy")
def begin(kin, own, since, days, x0, x1, x2, inflow):
    """Begin a piece of `days`, `since` days after the first dose, with the amounts at its start."""
    ends = clearance_at(kin, since) + clearance_at(kin, since + days)
    linear = (ends + 4.0 * clearance_at(kin, since + days / 2.0)) / 6.0
    _solve(kin, linear, own, x0, x1, x2, inflow)
    if kin[8] > 0.0:
        for _ in range(3):
            level = max(_mean_level(kin, own, days), 0.0)
            _solve(kin, linear + kin[8] / (kin[9] + level), own, x0, x1, x2, inflow)
    own[INFLOW] = inflow


@njit(cache=True, error_model="numpy")
def amount(own, compartment):
    """Amount (mg) in a compartment (0 central, 1 peripheral, 2 gut) at the last stop."""
    return (
        own[_STEADY + compartment]
        + own[_PARTS + compartment]
        + own[_PARTS + 3 + compartment]
        + own[_PARTS + 6 + compartment]
    )


@njit(cache=True, error_model="numpy")
def go_on(own, days):
    """Bring the solution `days` forward."""
    for j in range(3):
        factor = exp(-own[j] * days)
        for c in range(3):
            own[_PARTS + 3 * j + c] *= factor


@njit(cache=True, error_model="numpy")
def turn_inflow(kin, own, change, every_days):
    """Change of the mean amounts where an inflow changes by so much; the drug's place is overwritten.

    Tablets are a mean, which flows in evenly, and a ripple about it that repeats with each dose. Amounts do
    not jump at the moment before a dose, so that the mean must, by what the ripple's end changes by.
    """
    _set_rates(kin, kin[0], own)
    _project(kin, kin[0], own, 0.0, 0.0, change * every_days, 1.0)
    x0 = x1 = x2 = 0.0
    for j in range(3):
        x = own[j] * every_days
        if x > 0.0:
            end = 1.0 / x - exp(-x) / -expm1(-x)
            x0 += end * own[_PARTS + 3 * j]
            x1 += end * own[_PARTS + 3 * j + 1]
            x2 += end * own[_PARTS + 3 * j + 2]
    return x0, x1, x2


@njit(cache=True, error_model="numpy")
def set_ripples(kin, own, every_days, moments, ripples):
    """Find what each phase of the dosing interval adds to the level, where doses stand behind an inflow.

    `moments` are those of the phases (0 to 1). The drug's place is used and put back.
    """
    inflow = own[INFLOW]
    for k in range(ripples.size):
        ripples[k] = 0.0
    if inflow <= 0.0:
        return
    dose = inflow * every_days
    kept = (own[3], own[4], own[5], own[6], own[7], own[8], own[9], own[10], own[11])
    _project(kin, own[_CLEARANCE], own, 0.0, 0.0, dose, 1.0)
    for j in range(3):
        x = own[j] * every_days
        if x <= 0.0:
            continue
        first = own[_PARTS + 3 * j] / kin[1]
        for k in range(ripples.size):
            ripples[k] += first * (exp(-x * moments[k]) / -expm1(-x) - 1.0 / x)
    for j in range(9):
        own[_PARTS + j] = kept[j]


@njit(cache=True, error_model="numpy")
def write_terms(kin, own, terms):
    """Write amplitude (mg/L) and rate (1/day) of the level since the last stop; `terms` is TERMS × 2."""
    terms[0, 0], terms[0, 1] = own[_STEADY] / kin[1], 0.0
    for j in range(TERMS - 1):
        terms[1 + j, 0], terms[1 + j, 1] = own[_PARTS + 3 * j] / kin[1], own[j]
        if own[j] == 0.0:
            terms[1 + j, 0] = 0.0
