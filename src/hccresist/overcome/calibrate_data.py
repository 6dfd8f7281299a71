"""What a calibration fits, to what, and how well each number is known.

Parameters are fitted on a scale on which their prior is normal; so are published numbers. A trial has no
parameter of its own: what one population cannot give stands as `DISCREPANCY`, the same for all trials.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.outcomes.targets import read_targets
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.trial_file import find_spec, list_shipped
from hccresist.overcome.trial_members import Wanted
from hccresist.overcome.trial_spec import Spec

Array = NDArray[np.float64]

MOST_FITTED: Final = 40
"""Parameters that may be fitted in all."""
MOST_A_DRUG: Final = 2
"""Fitted parameters that a drug may have."""
DISCREPANCY: Final[Mapping[str, float]] = {"response": 0.30, "progression": 0.20, "survival": 0.15}
"""Standard deviation of what one population without terms of trials cannot give, on the scale of the fit
(logit of response, logarithm of a median or ratio); assumption, the same for all trials."""
HALF_WIDTH: Final = 1.6448536269514722
"""Half the width of a 90 % interval in standard deviations."""
_LOG: Final = ("m", "H")
_LEAST: Final = {"percent": 0.3, "months": 0.3, "ratio": 0.05}


@dataclass(frozen=True)
class Fitted:
    """A parameter that is fitted.

    Attributes
    ----------
    name
        Parameter of the model, or factor on a drug's effect (``drug.effect``).
    scale
        ``log`` or ``logit``: where the prior is normal.
    centre, spread
        Mean and standard deviation of the prior on that scale.
    group
        Class of drugs that it belongs to, or ``shared``.
    why
        What it is for.
    """

    name: str
    scale: str
    centre: float
    spread: float
    group: str
    why: str

    @property
    def drug(self) -> str:
        """Drug of a factor; empty of a parameter of the model."""
        return self.name.partition(".")[0] if "." in self.name else ""


@dataclass(frozen=True)
class Target:
    """A published number that is fitted or checked, on the scale of the fit.

    Attributes
    ----------
    key
        Key in ``targets.csv``.
    trial
        Name of the shipped virtual trial.
    wanted
        Arm, comparator, endpoint, criterion.
    family
        response, progression or survival.
    programme
        Programme of trials that share patients or a sponsor's plan; left out together.
    value, low, high
        As published, with 90 % limits (rebuilt where not printed; not a number where there is none).
    unit
        percent, months or ratio.
    n
        Patients.
    """

    key: str
    trial: str
    wanted: Wanted
    family: str
    programme: str
    drugs: str
    line: str
    value: float
    low: float
    high: float
    unit: str
    n: int

    @property
    def centre(self) -> float:
        """The value on the scale of the fit."""
        return float(to_scale(self.wanted[2], np.array([self.value]), n=self.n)[0])

    @property
    def error(self) -> float:
        """Standard deviation of the value on the scale of the fit, sampling alone."""
        low, high = to_scale(self.wanted[2], np.array([self.low, self.high]), n=self.n)
        known = [
            abs(edge - self.centre) / HALF_WIDTH * weight
            for edge, weight in ((low, 1.0), (high, 1.0))
            if np.isfinite(edge)
        ]
        return float(np.mean(known)) if known else float("inf")


@lru_cache(maxsize=1)
def read_fitted() -> tuple[Fitted, ...]:
    """Read the fitted parameters, with the centre of their prior from the model's table."""
    known = {parameter.name: parameter.value for parameter in read_model().parameters}
    text = (files("hccresist") / "data" / "overcome" / "fitted.csv").read_text(encoding="utf-8")
    return tuple(
        Fitted(
            name=row["name"],
            scale=row["scale"],
            centre=forward(row["scale"], 1.0 if "." in row["name"] else known[row["name"]]),
            spread=float(row["spread"]),
            group=row["class"],
            why=row["why"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def forward(scale: str, value: float) -> float:
    """Bring a value to the scale on which its prior is normal.

    Examples
    --------
    >>> forward("log", 1.0), forward("logit", 0.5)
    (0.0, 0.0)
    """
    return float(np.log(value / (1.0 - value)) if scale == "logit" else np.log(value))


def backward(scale: str, value: float) -> float:
    """Bring a value back from the scale on which its prior is normal.

    Examples
    --------
    >>> backward("logit", forward("logit", 0.25))
    0.25
    """
    return float(1.0 / (1.0 + np.exp(-value)) if scale == "logit" else np.exp(value))


def name_values(member: Sequence[float] | Array) -> dict[str, float]:
    """Write a member of an ensemble as typical values by name."""
    return {
        fitted.name: backward(fitted.scale, float(value))
        for fitted, value in zip(read_fitted(), member, strict=True)
    }


def to_scale(endpoint: str, values: Array, *, n: Array | float) -> Array:
    """Bring published or simulated values to the scale of the fit.

    Percentages become logits with half a patient added to each side, so that none and all are finite;
    medians and ratios become logarithms. What is not reached stays infinite.
    """
    if endpoint[0] in _LOG:
        with np.errstate(divide="ignore"):
            return np.log(np.asarray(values, dtype=np.float64))
    count = np.asarray(values, dtype=np.float64) / 100.0 * n
    return np.log((count + 0.5) / (n - count + 0.5))


@lru_cache(maxsize=4)
def read_fit_targets(use: str = "fit") -> tuple[Target, ...]:
    """Read the targets of a use whose arms have a shipped virtual trial, in the order of their keys."""
    trials = {arm.arm_id: name for name in list_shipped() for arm in find_spec(name).arms}
    rows = read_targets().filter(
        (pl.col("use") == use)
        & (pl.col("table") == "endpoints_long")
        & ~pl.col("not_reached").fill_null(value=False)
    )
    found = list[Target]()
    for row in rows.sort("key").iter_rows(named=True):
        trial = trials.get(row["arm_id"])
        if (
            trial is None
            or trials.get(row["comparator_arm"] or row["arm_id"]) != trial
            or row["value"] is None
        ):
            continue
        found.append(
            Target(
                key=row["key"],
                trial=trial,
                wanted=(row["arm_id"], row["comparator_arm"], row["endpoint"], row["criterion"]),
                family=row["family"],
                programme=row["programme_id"],
                drugs=row["drugs"] or "",
                line=row["line"] or "",
                value=row["value"],
                low=_number(row["low90"]),
                high=_number(row["high90"]),
                unit=row["unit"],
                n=row["n"] or 0,
            )
        )
    return tuple(target for target in found if np.isfinite(target.error))


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def cut_spec(trial: str, *, patients: int | None) -> Spec:
    """Take a shipped trial with so many patients an arm; as published where not given."""
    spec = find_spec(trial)
    if patients is None:
        return spec
    return replace(spec, arms=tuple(replace(arm, n=patients) for arm in spec.arms))
