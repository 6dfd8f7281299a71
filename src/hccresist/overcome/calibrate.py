"""Fit the virtual population to published trials: an ensemble smoother, in resumable pieces.

Every published number of use ``fit`` is simulated with each of many parameter sets, each on virtual patients
of its own, read by the same *assess* and *outcomes* as a real study. From sets drawn of the prior half of the
data is learnt (`smoother`); new sets, drawn from what that gives, are run, and the other half is learnt; the
sets drawn then are the ensemble. No trial has a parameter.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
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
    Target,
    backward,
    name_values,
    read_fit_targets,
    read_fitted,
)
from hccresist.overcome.calibrate_emulator import Emulator, fit_emulator
from hccresist.overcome.calibrate_run import Work, make_outputs, run_all
from hccresist.overcome.smoother import Learnt, contraction, draw, draw_prior, learn

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Report = Callable[[int, int], None]

MEMBERS, PATIENTS, DESIGN = 48, 64, 384
"""Members of the ensemble, patients an arm, and parameter sets that are drawn from the prior."""
ROUNDS: Final = 2
"""Rounds in which the data are taken in, equal parts in each; those after the first have twice as many sets
as the ensemble."""
SETS_MOST: Final = 1000
"""Parameter sets of a round at most: each has patients of its own."""
DESIGN_SEED: Final = 20261121
"""Added to the seed when the sets of the prior are drawn."""
PRESENT: Final = 0.5
"""Share of the targets that a member must give to be used; what it lacks is taken from the others' mean."""
LEARNT: Final = 0.2
"""Share of the prior variance that data must take away before a parameter is called fitted."""
EVENTS_SPREAD: Final = 1.3
"""Standard deviation of the logarithm of a simulated median, times the square root of the patients (of an
exponential time with nearly all events)."""


@dataclass(frozen=True)
class Calibration:
    """Where a calibration stands.

    Attributes
    ----------
    finished
        Whether all data are taken in, and the ensemble was run.
    members
        Parameter sets on the scale of the fit; shape = (members, parameters).
    outputs
        What they give, each on patients of its own, on the scale of the fit; shape = (members, targets).
    targets
        What was fitted.
    steps
        Number of the round that was run last.
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
    design: int = DESIGN,
    minutes: float | None = None,
    seed: int = 0,
    threads: int | None = None,
    leave_out: str | None = None,
    prior_runs: Path | None = None,
    targets: tuple[Target, ...] | None = None,
    report: Report | None = None,
) -> Calibration:
    """Calibrate, or go on with a calibration.

    Parameters
    ----------
    out
        Folder of the calibration; an interrupted one is gone on with.
    members, patients, design
        Parameter sets of the ensemble, patients an arm, parameter sets drawn from the prior.
    minutes
        Time after which no new piece is begun; until the end where not given.
    leave_out
        Programme whose trials are not fitted.
    prior_runs
        Folder of another calibration with the same patients, seed and design: its runs of the prior, which
        know no published number, are taken over.
    targets
        What is fitted; those of ``targets.csv`` where not given (others are for tests with known answers).
    report
        Told after each piece how many parameter sets of the present round are done.

    Raises
    ------
    ConfigError
        Where the folder holds another calibration, or there is no such programme.
    """
    given = targets or choose_targets(leave_out)
    work = Work(given, patients, seed=seed)
    shared = {"patients": patients, "design": design, "seed": seed}
    if prior_runs is not None:
        _check_prior_runs(prior_runs, shared)
    _claim(out, {**shared, "members": members, "leave_out": leave_out or ""})
    if prior_runs is not None and not (out / "step_00.csv").exists():
        shutil.copytree(prior_runs / "step_00", out / "step_00", dirs_exist_ok=True)
        shutil.copy(prior_runs / "step_00.csv", out / "step_00.csv")
    stop = None if minutes is None else time.monotonic() + 60.0 * minutes
    until = (lambda: time.monotonic() > stop) if stop is not None else None
    step = _start(out, design, seed)
    while True:
        count = len(step.members)
        rows = run_all(
            work,
            [name_values(member) for member in step.members],
            _folder(out, step),
            replicates=own_patients(step.number, count),
            until=until,
            threads=threads,
            report=report,
        )
        finished = rows is not None and step.time >= 1.0
        if rows is None or finished:
            outputs = np.zeros((0, len(given))) if rows is None else make_outputs(work, rows, count)
            return Calibration(finished, step.members, outputs, given, step.number)
        learnt = learn_part(work, step.members, fill(make_outputs(work, rows, count)))
        number = step.number + 1
        sets = members if number == ROUNDS else 2 * members
        drawn = draw(learnt, members=sets, number=number, seed=seed)
        step = _write_step(out, Step(drawn, number / ROUNDS, number))


@dataclass(frozen=True)
class Step:
    """Where a calibration stands: sets, how much of the data they know (0 to 1), number of the round."""

    members: Array
    time: float
    number: int


def learn_part(work: Work, members: Array, outputs: Array, *, parts: int = ROUNDS) -> Learnt:
    """Learn one of so many equal parts of the data from a round of sets."""
    targets = work.targets
    assert work.patients is not None
    return learn(
        members,
        outputs,
        centre_of(targets),
        error=np.sqrt(parts) * error_of(targets, None),
        chance=sampling_of(targets, work.patients),
        own=list_own(targets),
    )


def list_own(targets: tuple[Target, ...]) -> Flags:
    """Whether a number is a parameter's own: of an arm with the parameter's drug; all are a shared one's."""
    drugs = [set(target.drugs.split("+")) for target in targets]
    return np.array([[not each.drug or each.drug in own for own in drugs] for each in read_fitted()])


def own_patients(number: int, count: int) -> list[int]:
    """Numbers of the pools of patients of a round's sets: one each, and no other round's."""
    return [SETS_MOST * (number + 1) + k for k in range(count)]


def _folder(out: Path, step: Step) -> Path:
    return out / f"step_{step.number:02d}"


def _check_prior_runs(other: Path, shared: Mapping[str, object]) -> None:
    """Refuse runs of the prior that are not there, or not those that this calibration would make."""
    file = other / "calibration.json"
    if not file.is_file() or not (other / "step_01.csv").is_file():
        message = f"{other} is no calibration whose runs of the prior are finished"
        raise ConfigError(message)
    known = json.loads(file.read_text(encoding="utf-8"))
    apart = sorted(name for name, value in shared.items() if known.get(name) != value)
    if apart:
        message = f"{other} differs in {', '.join(apart)}: its runs of the prior are of no use here"
        raise ConfigError(message)


def read_rounds(out: Path, work: Work) -> list[tuple[Array, Array]]:
    """Read the sets and outputs of all finished rounds; sets that could not be simulated are left out."""
    found = list[tuple[Array, Array]]()
    for file in sorted(out.glob("step_*.csv")):
        step = read_step(file)
        chunks = sorted(_folder(out, step).glob("*.parquet"))
        rows = pl.concat(pl.read_parquet(chunk) for chunk in chunks) if chunks else None
        count = len(step.members)
        if rows is None or rows["member"].n_unique() < count:
            continue
        outputs = fill(make_outputs(work, rows, count))
        good = np.isfinite(outputs).all(axis=1)
        found.append((step.members[good], outputs[good]))
    return found


def emulate(rounds: Sequence[tuple[Array, Array]], *, near: Array) -> Emulator:
    """Fit an emulator to all finished rounds of a calibration."""
    prior = read_fitted()
    centre, spread = (np.array([getattr(fitted, part) for fitted in prior]) for part in ("centre", "spread"))
    members, outputs = (np.concatenate(parts) for parts in zip(*rounds, strict=True))
    return fit_emulator(members, outputs, centre=centre, spread=spread, near=near)


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


def _start(out: Path, design: int, seed: int) -> Step:
    """Read the last round of an interrupted calibration, or draw the prior."""
    files = sorted(out.glob("step_*.csv"))
    if files:
        return read_step(files[-1])
    prior = read_fitted()
    centre, spread = (np.array([getattr(fitted, part) for fitted in prior]) for part in ("centre", "spread"))
    drawn = draw_prior(centre, spread, members=design, seed=DESIGN_SEED + seed)
    return _write_step(out, Step(drawn, 0.0, 0))


def read_step(file: Path) -> Step:
    """Read a round from its file."""
    table = pl.read_csv(file)
    return Step(table.drop("time").to_numpy(), float(table["time"][0]), int(file.stem.removeprefix("step_")))


def _write_step(out: Path, step: Step) -> Step:
    """Write a round, and give it as it is read again: an interrupted run goes on with the same numbers."""
    names = [fitted.name for fitted in read_fitted()]
    table = pl.DataFrame(step.members, schema=names, orient="row").with_columns(time=pl.lit(step.time))
    half = out / "step.half"
    table.write_csv(half)
    file = out / f"step_{step.number:02d}.csv"
    half.replace(file)
    return read_step(file)


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
