"""Fit the virtual population to published trials: ensemble Kalman inversion, in resumable pieces.

Every published number of use ``fit`` is simulated with each member of an ensemble of parameter sets, all on
the same virtual patients (common random numbers), read by the same *assess* and *outcomes* as a real study;
then the ensemble takes in part of the data (`inversion`), until all is taken in. What it found is polished on
other patients (`calibrate_emulator`). No trial has a parameter.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.errors import ConfigError
from hccresist.overcome.calibrate_data import (
    DISCREPANCY,
    HALF_WIDTH,
    Fitted,
    Target,
    backward,
    name_values,
    read_fit_targets,
    read_fitted,
)
from hccresist.overcome.calibrate_emulator import Emulator, find_posterior, fit_emulator
from hccresist.overcome.calibrate_run import Work, make_outputs, run_all
from hccresist.overcome.inversion import Step, contraction, draw_prior, update

Array = NDArray[np.float64]
Report = Callable[[int, int], None]

MEMBERS, PATIENTS, ITERATIONS = 48, 64, 8
"""Members of the ensemble, patients an arm, and most steps of the inversion."""
LEAST_STEP: Final = 0.2
"""Share of the data that a step takes in at least: five steps at most."""
PRESENT: Final = 0.5
"""Share of the targets that a member must give to be used; what it lacks is taken from the others' mean."""
LEARNT: Final = 0.2
"""Share of the prior variance that data must take away before a parameter is called fitted."""
POLISHES: Final = 3
"""Runs after the inversion, each member on patients of its own: of the inversion's ensemble, then of the
posterior of an emulator of all runs so far, and of that once more (`calibrate_emulator` says why)."""
EVENTS_SPREAD: Final = 1.3
"""Standard deviation of the logarithm of a simulated median, times the square root of the patients (of an
exponential time with nearly all events)."""


@dataclass(frozen=True)
class Calibration:
    """Where a calibration stands.

    Attributes
    ----------
    finished
        Whether all data are taken in, and the last ensemble was polished and run.
    members
        Parameter sets on the scale of the fit; shape = (members, parameters).
    outputs
        What they give, each on patients of its own, on the scale of the fit; shape = (members, targets).
    targets
        What was fitted.
    steps
        Steps made.
    """

    finished: bool
    members: Array
    outputs: Array
    targets: tuple[Target, ...]
    steps: int


def calibrate(
    out: Path,
    *,
    members: int = MEMBERS,
    patients: int = PATIENTS,
    iterations: int = ITERATIONS,
    minutes: float | None = None,
    seed: int = 0,
    threads: int | None = None,
    leave_out: str | None = None,
    targets: tuple[Target, ...] | None = None,
    report: Report | None = None,
) -> Calibration:
    """Calibrate, or go on with a calibration.

    Parameters
    ----------
    out
        Folder of the calibration; an interrupted one is gone on with.
    members, patients, iterations
        Parameter sets, patients an arm, most steps.
    minutes
        Time after which no new piece is begun; until the end where not given.
    leave_out
        Programme whose trials are not fitted.
    targets
        What is fitted; those of ``targets.csv`` where not given (others are for tests with known answers).
    report
        Told after each piece how many parameter sets of the present step are done.

    Raises
    ------
    ConfigError
        Where the folder holds another calibration, or there is no such programme.
    """
    given = targets or choose_targets(leave_out)
    work = Work(given, patients, seed=seed)
    prior = read_fitted()
    _claim(out, {"members": members, "patients": patients, "seed": seed, "leave_out": leave_out or ""})
    stop = None if minutes is None else time.monotonic() + 60.0 * minutes
    until = (lambda: time.monotonic() > stop) if stop is not None else None
    data, error = centre_of(given), error_of(given, patients)
    state = _start(out, prior, members, seed)
    while True:
        step = state.step
        sets = [name_values(member) for member in step.members]
        own = own_patients(state.polish, members)
        rows = run_all(
            work, sets, _folder(out, step), replicates=own, until=until, threads=threads, report=report
        )
        if rows is None:
            nothing = np.zeros((0, len(given)))
            return Calibration(
                finished=False, members=step.members, outputs=nothing, targets=given, steps=step.number
            )
        outputs = make_outputs(work, rows, members)
        if state.polish >= POLISHES:
            return Calibration(
                finished=True, members=step.members, outputs=outputs, targets=given, steps=step.number
            )
        if step.time < 1.0 and step.number < iterations:
            moved = update(step, fill(outputs), data=data, error=error, least=LEAST_STEP, seed=seed)
            state = State(moved, 0)
        elif state.polish == 0:  # the same members once more, each on patients of its own
            state = State(Step(step.members, step.time, step.number + 1), 1)
        else:
            emulator = emulate(out, work, near=step.members)
            drawn = find_posterior(emulator, data, error_of(given, None), members=members, seed=seed)
            state = State(Step(drawn, step.time, step.number + 1), state.polish + 1)
        state = _write_step(out, state)


@dataclass(frozen=True)
class State:
    """Where a calibration stands on disk: the step, and how often it was polished."""

    step: Step
    polish: int


def own_patients(polish: int, members: int) -> list[int]:
    """Numbers of the pools of the members: the common one during inversion, one each while polishing."""
    return [0] * members if polish == 0 else [(polish - 1) * members + 1 + k for k in range(members)]


def _folder(out: Path, step: Step) -> Path:
    return out / f"step_{step.number:02d}"


def emulate(out: Path, work: Work, *, near: Array) -> Emulator:
    """Fit an emulator to all finished runs of a calibration."""
    prior = read_fitted()
    points, values, common = list[Array](), list[Array](), list[Array]()
    for file in sorted(out.glob("step_*.csv")):
        state = _read_step(file)
        chunks = sorted(_folder(out, state.step).glob("*.parquet"))
        rows = pl.concat(pl.read_parquet(chunk) for chunk in chunks) if chunks else None
        count = len(state.step.members)
        if rows is None or rows["member"].n_unique() < count:
            continue
        outputs = fill(make_outputs(work, rows, count))
        good = np.isfinite(outputs).all(axis=1)
        points.append(state.step.members[good])
        values.append(outputs[good])
        common.append(np.full(int(good.sum()), float(state.polish == 0)))
    centre, spread = (np.array([getattr(fitted, part) for fitted in prior]) for part in ("centre", "spread"))
    return fit_emulator(
        np.concatenate(points),
        np.concatenate(values),
        centre=centre,
        spread=spread,
        near=near,
        common=np.concatenate(common),
    )


def choose_targets(leave_out: str | None = None) -> tuple[Target, ...]:
    """Choose the targets that are fitted.

    Raises
    ------
    ConfigError
        Where there is no such programme.
    """
    everything = read_fit_targets()
    if leave_out is None:
        return everything
    programmes = sorted({target.programme for target in everything})
    if leave_out not in programmes:
        message = f"no programme {leave_out!r} among those fitted: {', '.join(programmes)}"
        raise ConfigError(message)
    return tuple(target for target in everything if target.programme != leave_out)


def centre_of(targets: tuple[Target, ...]) -> Array:
    """Give published values on the scale of the fit."""
    return np.array([target.centre for target in targets])


def sampling_of(targets: tuple[Target, ...], patients: int) -> Array:
    """Give the standard deviation of simulated values of so many patients, on the scale of the fit."""
    found = np.empty(len(targets))
    for j, target in enumerate(targets):
        if target.unit == "percent":
            share = (target.value / 100.0 * target.n + 0.5) / (target.n + 1.0)
            found[j] = 1.0 / np.sqrt(patients * share * (1.0 - share))
        else:
            found[j] = EVENTS_SPREAD / np.sqrt(patients) * (np.sqrt(2.0) if target.unit == "ratio" else 1.0)
    return found


def error_of(targets: tuple[Target, ...], patients: int | None) -> Array:
    """Give the standard deviation of published less simulated values: samplings, and `DISCREPANCY`.

    Parameters
    ----------
    patients
        Patients an arm of the simulation; none where its chance is averaged out.
    """
    own = np.array([target.error for target in targets])
    model = np.array([DISCREPANCY[target.family] for target in targets])
    chance = sampling_of(targets, patients) if patients else np.zeros(len(targets))
    return np.sqrt(own**2 + model**2 + chance**2)


def fill(outputs: Array) -> Array:
    """Give members that lack some targets the others' mean there; those that lack most get no numbers."""
    filled = outputs.copy()
    here = np.isfinite(outputs)
    mean = np.nanmean(np.where(here.any(axis=0), outputs, 0.0), axis=0)
    filled[~here] = np.broadcast_to(mean, outputs.shape)[~here]
    filled[here.mean(axis=1) < PRESENT] = np.nan
    return filled


def _claim(out: Path, settings: Mapping[str, object]) -> None:
    """Mark the folder as that of this calibration."""
    file = out / "calibration.json"
    text = json.dumps(settings, sort_keys=True, indent=1) + "\n"
    if file.exists():
        if file.read_text(encoding="utf-8") != text:
            message = f"{out} holds a calibration with other settings: give those, or another folder"
            raise ConfigError(message)
        return
    if out.exists() and any(out.iterdir()):
        message = f"{out} is not empty. Give a new folder with --out"
        raise ConfigError(message)
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _start(out: Path, prior: tuple[Fitted, ...], members: int, seed: int) -> State:
    """Read the last step of an interrupted calibration, or draw the prior."""
    files = sorted(out.glob("step_*.csv"))
    if files:
        return _read_step(files[-1])
    centre, spread = (np.array([getattr(fitted, part) for fitted in prior]) for part in ("centre", "spread"))
    state = State(draw_prior(centre, spread, members=members, seed=seed), 0)
    return _write_step(out, state)


def _read_step(file: Path) -> State:
    table = pl.read_csv(file)
    members = table.drop("time", "polish").to_numpy()
    number = int(file.stem.removeprefix("step_"))
    return State(Step(members, float(table["time"][0]), number), int(table["polish"][0]))


def _write_step(out: Path, state: State) -> State:
    """Write a step, and give it as it is read again: an interrupted run goes on with the same numbers."""
    names = [fitted.name for fitted in read_fitted()]
    table = pl.DataFrame(state.step.members, schema=names, orient="row").with_columns(
        time=pl.lit(state.step.time), polish=pl.lit(state.polish)
    )
    half = out / "step.half"
    table.write_csv(half)
    file = out / f"step_{state.step.number:02d}.csv"
    half.replace(file)
    return _read_step(file)


def describe_parameters(members: Array) -> pl.DataFrame:
    """Describe what was learnt of each parameter.

    Returns
    -------
    DataFrame
        Columns name, class, why; prior_low, prior, prior_high and low, value, high: typical values with 90 %
        intervals; contraction: share of the prior variance that the data took away; label: ``fitted``, or
        ``stays at its prior`` where that is less than a fifth.
    """
    prior = read_fitted()
    learnt = contraction(np.array([fitted.spread for fitted in prior]), members)
    rows = list[dict[str, object]]()
    for j, fitted in enumerate(prior):
        low, middle, high = np.quantile(members[:, j], [0.05, 0.5, 0.95])
        edge = HALF_WIDTH * fitted.spread
        row: dict[str, object] = {"name": fitted.name, "class": fitted.group, "why": fitted.why}
        places = (-edge, 0.0, edge)
        for name, place in zip(("prior_low", "prior", "prior_high"), places, strict=True):
            row[name] = backward(fitted.scale, fitted.centre + place)
        for name, place in (("low", low), ("value", middle), ("high", high)):
            row[name] = backward(fitted.scale, float(place))
        row["contraction"] = float(learnt[j])
        row["label"] = "fitted" if learnt[j] >= LEARNT else "stays at its prior"
        rows.append(row)
    return pl.DataFrame(rows)
