"""Known parameters found again from synthetic trials: the calibration against its own answer.

    python benchmarks/bench_calibration.py --out FOLDER [--members 32] [--patients 40] [--minutes 60]
        [--trials NAME ...] [--iterations 8] [--results FILE]

Parameters are drawn once from the prior; every trial with fitted numbers is simulated with them on patients
of its own and at its published size's sampling error; then the calibration is run on these numbers with its
usual settings, knowing nothing else. Told are how many of the true parameters lie in the 90 % intervals, how
far the mean was from the truth before and after (in standard deviations of the prior), and the same for
those parameters alone of which the numbers took away a fifth of the variance or more. Resumes from FOLDER.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from hccresist.overcome.calibrate import LEARNT, calibrate, choose_targets, sampling_of
from hccresist.overcome.calibrate_data import Target, name_values, read_fitted
from hccresist.overcome.calibrate_run import Work, make_outputs, run_all
from hccresist.overcome.calibrate_scores import from_scale
from hccresist.overcome.inversion import contraction

SEED = 20261121
POOL = 7
"""Number of the pool of patients on which the synthetic trials are run; the calibration has pool 0."""


def draw_truth() -> np.ndarray:
    """Draw true parameters from the prior, on its scale."""
    rng = np.random.default_rng(SEED)
    prior = read_fitted()
    return np.array([each.centre + each.spread * rng.normal() for each in prior])


def make_synthetic(
    out: Path, truth: np.ndarray, *, trials: list[str] | None, threads: int | None
) -> tuple[Target, ...]:
    """Simulate every fitted number (of some trials) with the true parameters."""
    targets = tuple(target for target in choose_targets() if not trials or target.trial in trials)
    work = Work(targets, 150)
    rows = run_all(work, [name_values(truth)], out / "truth", replicates=[POOL], threads=threads)
    assert rows is not None
    values = make_outputs(work, rows, 1)[0]
    rng = np.random.default_rng(SEED + 1)
    published = np.array([sampling_of((target,), max(target.n, 1))[0] for target in targets])
    extra = np.sqrt(np.maximum(published**2 - sampling_of(targets, work.patients) ** 2, 0.0))
    values = values + extra * rng.normal(size=len(values))
    return tuple(
        replace(target, value=from_scale(target, float(value)), low=low, high=high)
        for target, value, low, high in _with_limits(targets, values, published)
        if np.isfinite(value)
    )


def _with_limits(targets, values, errors):
    for target, value, error in zip(targets, values, errors, strict=True):
        ends = [from_scale(target, float(value + sign * 1.645 * error)) for sign in (-1, 1)]
        yield target, value, *ends


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--members", type=int, default=32)
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--trials", nargs="*", help="all where not given")
    parser.add_argument("--iterations", type=int, default=8, help="most steps before the polishing")
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    truth = draw_truth()
    targets = make_synthetic(given.out, truth, trials=given.trials, threads=given.threads)
    done = calibrate(
        given.out / "fit",
        members=given.members,
        patients=given.patients,
        iterations=given.iterations,
        minutes=given.minutes,
        targets=targets,
        threads=given.threads,
        report=lambda k, n: print(f"{k} of {n}", file=sys.stderr, flush=True),
    )
    if not done.finished:
        print("time is over; give the same command again", file=sys.stderr)
        return 1
    prior = read_fitted()
    centre, spread = (np.array([getattr(each, part) for each in prior]) for part in ("centre", "spread"))
    low, high = np.quantile(done.members, [0.05, 0.95], axis=0)
    inside = (low <= truth) & (truth <= high)
    learnt = contraction(spread, done.members)
    before = np.abs(truth - centre) / spread
    after = np.abs(truth - done.members.mean(axis=0)) / spread
    told = learnt >= LEARNT
    result = {
        "parameters": len(prior),
        "trials": len({target.trial for target in targets}),
        "targets": len(targets),
        "members": given.members,
        "patients": given.patients,
        "steps": done.steps,
        "inside_90": float(inside.mean()),
        "error_before": float(before.mean()),
        "error_after": float(after.mean()),
        "told": int(told.sum()),
        "told_inside_90": float(inside[told].mean()),
        "told_error_before": float(before[told].mean()),
        "told_error_after": float(after[told].mean()),
        "by_parameter": {
            each.name: {
                "truth": round(float(truth[j]), 4),
                "low": round(float(low[j]), 4),
                "high": round(float(high[j]), 4),
                "contraction": round(float(learnt[j]), 3),
            }
            for j, each in enumerate(prior)
        },
    }
    text = json.dumps(result, indent=1)
    print(text)
    if given.results:
        given.results.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
