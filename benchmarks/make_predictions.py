"""Predict trials whose efficacy the calibration has not seen: `data/overcome/calibration/predictions.csv`.

    python benchmarks/make_predictions.py --out FOLDER [--replicates 48] [--trials NAME ...]

Held out are the arms of `arms.csv` without a row in `endpoints_long.csv`; their trials run as shipped, each
replicate with a parameter set of the calibrated ensemble, so that intervals hold sampling and parameters.
Resumes from FOLDER. The page that shows the table is made by `docs/predictions.py`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from hccresist.outcomes.published import read_trials
from hccresist.overcome.ensemble_file import read_ensemble
from hccresist.overcome.trial import run_trial
from hccresist.overcome.trial_endpoints import TABLE
from hccresist.overcome.trial_file import find_spec, list_shipped

FILE = (
    Path(__file__).resolve().parents[1]
    / "src"
    / "hccresist"
    / "data"
    / "overcome"
    / "calibration"
    / "predictions.csv"
)
ENDPOINTS = (
    *("ORR", "DCR", "mOS", "mPFS", "OS_12mo", "OS_24mo", "PFS_6mo", "PFS_12mo", "HR_OS", "HR_PFS"),
    *("mTTP", "HR_TTP"),
)


def find_held_out() -> dict[str, tuple[str, ...]]:
    """Find the held-out arms of each shipped trial."""
    have = set(read_trials("endpoints_long")["arm_id"])
    named = set(read_trials("arms")["arm_id"])
    found = {
        name: tuple(arm.arm_id for arm in find_spec(name).arms if arm.arm_id in named - have)
        for name in list_shipped()
    }
    return {name: arms for name, arms in sorted(found.items()) if arms}


def predict(name: str, arms: Sequence[str], out: Path, *, replicates: int) -> pl.DataFrame:
    """Run a trial and take the rows of its held-out arms."""
    folder = out / name.replace(" ", "-")
    table = folder / "trial_endpoints.csv"
    if not table.is_file():
        spec = replace(find_spec(name), replicates=replicates, endpoints=ENDPOINTS)
        run_trial(
            spec,
            folder,
            values=read_ensemble().members,
            keep=0,
            report=lambda k, n: print(f"{name}: {k} of {n}", file=sys.stderr, flush=True),
        )
    rows = pl.read_csv(table, schema_overrides=dict.fromkeys(TABLE, pl.String))
    return rows.filter(pl.col("arm_id").is_in(list(arms)))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--replicates", type=int, default=48)
    parser.add_argument("--trials", nargs="*")
    given = parser.parse_args()
    held = find_held_out()
    wanted = [name for name in held if not given.trials or name in given.trials]
    parts = [predict(name, held[name], given.out, replicates=given.replicates) for name in wanted]
    pl.concat(parts).sort("trial", maintain_order=True).write_csv(FILE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
