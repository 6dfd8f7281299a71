"""Known parameters found again from synthetic trials: the calibration against its own answer.

    python benchmarks/bench_calibration.py FOLDER [--folds 8] [--results FILE]

FOLDER is that of a calibration whose sets of the prior have been run. Each of these sets in turn is the
truth: the numbers that all trials gave with it (on patients that no other set has), disturbed by the errors
that the calibration takes published numbers to have (their sampling, and what one population cannot give),
are the data. They are learnt in one round from sets that are not in the truth's fold, and nothing else is
known. Told are how many true parameters lie in the 90 % intervals, and how far the mean is from the truth
before and after (in standard deviations of the prior): of all parameters, and of those of which the numbers
take away a fifth of the prior's variance or more.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from hccresist.overcome.calibrate import (
    LEARNT,
    choose_targets,
    error_of,
    list_own,
    read_rounds,
    sampling_of,
)
from hccresist.overcome.calibrate_data import HALF_WIDTH, read_fitted
from hccresist.overcome.calibrate_run import Work
from hccresist.overcome.smoother import learn

SEED = 20261121


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--folds", type=int, default=8)
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    facts = json.loads((given.folder / "calibration.json").read_text(encoding="utf-8"))
    targets, prior = choose_targets(), read_fitted()
    members, outputs = read_rounds(given.folder, Work(targets, facts["patients"]))[0]
    spread = np.array([each.spread for each in prior])
    centre = np.array([each.centre for each in prior])
    error, chance, own = error_of(targets, None), sampling_of(targets, facts["patients"]), list_own(targets)
    rng = np.random.default_rng(SEED)
    fold = rng.permutation(len(members)) % given.folds
    shape = members.shape
    after, deviations = np.empty(shape), np.empty(shape)
    for k in range(len(members)):
        rest = fold != fold[k]
        data = outputs[k] + error * rng.standard_normal(len(targets))
        found = learn(members[rest], outputs[rest], data, error=error, chance=chance, own=own)
        after[k], deviations[k] = (members[k] - found.mean) / spread, found.deviations / spread
        print(f"\r{k + 1} of {len(members)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    before = (members - centre) / spread
    inside = np.abs(after) <= HALF_WIDTH * deviations
    learnt = 1.0 - (deviations**2).mean(axis=0)
    told = learnt >= LEARNT
    result = {
        "truths": len(members),
        "parameters": len(prior),
        "trials": len({target.trial for target in targets}),
        "targets": len(targets),
        "patients": facts["patients"],
        "folds": given.folds,
        "inside_90": round(float(inside.mean()), 4),
        "error_before": round(float(np.abs(before).mean()), 4),
        "error_after": round(float(np.abs(after).mean()), 4),
        "told": int(told.sum()),
        "told_inside_90": round(float(inside[:, told].mean()), 4),
        "told_error_before": round(float(np.abs(before[:, told]).mean()), 4),
        "told_error_after": round(float(np.abs(after[:, told]).mean()), 4),
        "by_parameter": {
            each.name: {
                "inside_90": round(float(inside[:, j].mean()), 3),
                "error_before": round(float(np.abs(before[:, j]).mean()), 3),
                "error_after": round(float(np.abs(after[:, j]).mean()), 3),
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
