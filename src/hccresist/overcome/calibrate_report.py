"""What a finished calibration leaves: the ensemble, its fit report, and how it does out of sample."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.overcome.calibrate import (
    Calibration,
    Report,
    centre_of,
    describe_parameters,
    emulate,
    error_of,
    learn_part,
    own_patients,
    read_rounds,
    read_step,
)
from hccresist.overcome.calibrate_data import Target, name_values
from hccresist.overcome.calibrate_emulator import Emulator
from hccresist.overcome.calibrate_lopo import MOST_K, leave_out_weights
from hccresist.overcome.calibrate_run import Work, make_outputs, run_all
from hccresist.overcome.calibrate_scores import make_fit_table, predict_by_class, predict_targets
from hccresist.overcome.calibrate_weights import Weighed, fit_weighting, run_weighed
from hccresist.overcome.ensemble_file import write_ensemble
from hccresist.overcome.prevalence_weights import Weighting, effective_share
from hccresist.overcome.smoother import draw

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """How the calibrated population does.

    Attributes
    ----------
    table
        All targets: published and predicted; see `calibrate_scores.make_fit_table`.
    bare
        The same without `DISCREPANCY`: spread of the ensemble and sampling alone.
    out_of_sample
        The same, each programme left out; columns ``how`` (weights, prior, refit) and ``pareto_k`` beside.
    parameters
        See `calibrate.describe_parameters`.
    """

    table: pl.DataFrame
    bare: pl.DataFrame
    out_of_sample: pl.DataFrame
    parameters: pl.DataFrame


def finish(
    out: Path,
    done: Calibration,
    *,
    patients: int,
    seed: int,
    threads: int | None = None,
    report: Report | None = None,
) -> Fit:
    """Weigh the population, run it once more, and write all that a calibration leaves into ``shipped``.

    Files: ``ensemble.csv``, ``calibration.json``, ``fit.csv``, ``fit_bare.csv``, ``out_of_sample.csv``,
    ``parameters.csv``. A full calibration without a programme that lies in ``without_PROGRAMME`` is what
    predicts that programme out of sample.

    Parameters
    ----------
    done
        A finished calibration.
    patients, seed
        As the calibration had them.
    report
        Told how many sets of the weighted population are done.
    """
    weighed = weigh(out, done, seed=seed, threads=threads)
    sets = tuple({**name_values(member), **weighed.weighting.as_values()} for member in done.members)
    work = Work(done.targets, patients, seed=seed)
    own = own_patients(done.steps + 1, len(sets))
    rows = run_all(work, sets, out / "weighted", replicates=own, threads=threads, report=report)
    assert rows is not None
    centre = np.nanmean(make_outputs(work, rows, len(sets)), axis=0)
    fit = make_fit(out, done, weighed, centre=centre, patients=patients)
    facts = {
        "members": len(sets),
        "design": json.loads((out / "calibration.json").read_text(encoding="utf-8"))["design"],
        "patients": patients,
        "seed": seed,
        "steps": done.steps,
        "targets": len(done.targets),
        "at_prior": fit.parameters.filter(pl.col("label") != "fitted")["name"].to_list(),
        "effective_share": round(weighed.effective_share, 4),
        "refits": find_refits(out),
    }
    shipped = out / "shipped"
    write_ensemble(shipped, sets, facts)
    for name, table in (
        ("fit", fit.table),
        ("fit_bare", fit.bare),
        ("out_of_sample", fit.out_of_sample),
        ("parameters", fit.parameters),
    ):
        _round(table).write_csv(shipped / f"{name}.csv")
    return fit


def _round(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.selectors.float().round_sig_figs(4))


@dataclass(frozen=True)
class Weights:
    """One weighting for all trials, and what finds others.

    Attributes
    ----------
    seen
        One run of all trials, patient by patient.
    centre
        What the ensemble gives without a weighting, on the scale of the fit; shape = (targets,).
    weighting
        Fitted to all numbers.
    """

    seen: Weighed
    centre: Array
    weighting: Weighting

    @property
    def effective_share(self) -> float:
        """Effective share of the population."""
        return effective_share(self.weighting.find_chances(self.seen.deviates))


def weigh(out: Path, done: Calibration, *, seed: int, threads: int | None = None) -> Weights:
    """Fit one prevalence weighting to all trials, beginning with what the ensemble gives."""
    middle = name_values(np.median(done.members, axis=0))
    seen = run_weighed(done.targets, middle, out / "weighed.parquet", threads=threads, seed=seed)
    centre = np.nanmean(done.outputs, axis=0)
    data, error = centre_of(done.targets), error_of(done.targets, None)
    weighting, _ = fit_weighting(seen, done.targets, centre=centre, data=data, error=error)
    return Weights(seen, centre, weighting)


def make_fit(out: Path, done: Calibration, weights: Weights, *, centre: Array, patients: int) -> Fit:
    """Predict all targets in sample and out of sample.

    The middle of a prediction is the mean over the members, each on patients of its own; how members differ
    by their parameters comes from the emulator, which is free of the chance of patients.

    Parameters
    ----------
    centre
        Mean over the members of what they give with the weighting; shape = (targets,).
    """
    targets = done.targets
    rounds = read_rounds(out, Work(targets, patients))
    emulator = emulate(rounds, near=done.members)
    members = emulator.give(done.members)
    naive = predict_by_class(targets)
    found = predict_targets(targets, centre, members)
    bare = predict_targets(targets, centre, members, discrepancy=False)
    return Fit(
        make_fit_table(targets, found, naive),
        make_fit_table(targets, bare, naive),
        predict_left_out(out, done, weights, emulator=emulator, prior_runs=rounds[0], patients=patients),
        describe_parameters(done.members),
    )


def predict_left_out(
    out: Path,
    done: Calibration,
    weights: Weights,
    *,
    emulator: Emulator,
    prior_runs: tuple[Array, Array],
    patients: int,
) -> pl.DataFrame:
    """Predict each programme by what is fitted to the others: parameters, and the weighting of patients.

    Where weights of the members will not do, the other programmes' numbers are learnt from the runs of the
    prior, all at once.
    """
    targets = done.targets
    data, error = centre_of(targets), error_of(targets, None)
    naive = predict_by_class(targets, leave="programme")
    members = emulator.give(done.members)
    shift = weights.centre - members.mean(axis=0)
    parts = list[pl.DataFrame]()
    for programme in dict.fromkeys(target.programme for target in targets):
        left = [j for j, target in enumerate(targets) if target.programme == programme]
        used = [j for j in range(len(targets)) if j not in left]
        chances, k = leave_out_weights(members + shift, data, error, left=left)
        how, kept = "weights", members
        middle = (chances[:, None] * (members + shift)).sum(axis=0)
        if not k < MOST_K:
            others = Work(tuple(targets[j] for j in used), patients)
            learnt = learn_part(others, prior_runs[0], prior_runs[1][:, used], parts=1)
            drawn = draw(learnt, members=400, number=0, seed=0)
            how, chances, kept = "prior", None, emulator.give(drawn)
            middle = kept.mean(axis=0) + shift
        _, change = fit_weighting(
            weights.seen,
            targets,
            centre=weights.centre,
            data=data,
            error=error,
            used=used,
            near=weights.weighting,
        )
        own = tuple(targets[j] for j in left)
        middle, kept = middle[left], kept[:, left]
        again = _run_refit(out, programme, own)
        if again is not None:
            how, (middle, kept), chances = "refit", again, None
        found = predict_targets(own, middle + change[left], kept, weights=chances)
        table = make_fit_table(own, found, naive[:, left])
        parts.append(table.with_columns(how=pl.lit(how), pareto_k=pl.lit(float(k))))
    return pl.concat(parts)


def name_refit(programme: str) -> str:
    """Name the folder of a full calibration without a programme, within that of the calibration."""
    return f"without_{programme}"


@dataclass(frozen=True)
class Refit:
    """A full calibration without a programme: its members, and patients an arm and seed it was made with."""

    programme: str
    members: Array
    patients: int
    seed: int


def read_refit(folder: Path) -> Refit | None:
    """Read a full calibration without a programme; None where it is not there or not finished."""
    steps = sorted(folder.glob("step_*.csv"))
    if not steps:
        return None
    last = read_step(steps[-1])
    if last.time < 1.0:
        return None
    facts = json.loads((folder / "calibration.json").read_text(encoding="utf-8"))
    return Refit(facts["leave_out"], last.members, int(facts["patients"]), int(facts["seed"]))


def find_refits(out: Path) -> dict[str, dict[str, int]]:
    """Find the full calibrations without a programme: sets and patients an arm, by programme."""
    found = [read_refit(folder) for folder in sorted(out.glob(name_refit("*")))]
    return {one.programme: {"members": len(one.members), "patients": one.patients} for one in found if one}


def _run_refit(out: Path, programme: str, targets: tuple[Target, ...]) -> tuple[Array, Array] | None:
    """Run a programme's trials with a full calibration that was made without it, where there is one.

    Returns
    -------
    tuple or None
        Means over patients of their own, and what the members give on common patients.
    """
    folder = out / name_refit(programme)
    refit = read_refit(folder)
    if refit is None:
        return None
    work = Work(targets, refit.patients, seed=refit.seed)
    sets = [name_values(member) for member in refit.members]
    found = list[Array]()
    for name, numbers in (("own", range(1, len(sets) + 1)), ("common", [0] * len(sets))):
        rows = run_all(work, sets, folder / f"left_out_{name}", replicates=list(numbers))
        assert rows is not None
        found.append(make_outputs(work, rows, len(sets)))
    return np.nanmean(found[0], axis=0), found[1]
