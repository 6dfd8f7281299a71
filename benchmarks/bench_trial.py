"""A virtual phase 3: two arms of 500 patients, 200 replicates, the calibrated ensemble.

    python benchmarks/bench_trial.py [--replicates 200] [--threads 2] [--dask 20] [--write]

The design is that of IMbrave150 as shipped (atezolizumab with bevacizumab against sorafenib, later therapy),
with 500 patients an arm. Told are the seconds by the wall, from the sets of the ensemble to the finished
folder, on threads of this machine; the aim is under five minutes on two cores. `--dask` runs so many
replicates on a Dask cluster of two local workers as well, and tells whether its endpoints are the same.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import polars as pl
from pages import write_between

from hccresist.overcome.ensemble_file import read_ensemble
from hccresist.overcome.trial import run_trial
from hccresist.overcome.trial_file import find_spec
from hccresist.overcome.trial_run import run_replicate
from hccresist.overcome.trial_spec import Spec

RESULT = Path(__file__).parent / "results" / "trial.json"
PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "virtual-patient.md"
START, END = "<!-- made by benchmarks/bench_trial.py: start -->", "<!-- end of bench_trial.py -->"
PATIENTS = 500
AIM_S = 300.0


def make_spec(replicates: int) -> Spec:
    """Make the design."""
    spec = find_spec("IMbrave150")
    arms = tuple(replace(arm, n=PATIENTS) for arm in spec.arms)
    return replace(spec, arms=arms, replicates=replicates)


def time_trial(spec: Spec, *, engine: str, threads: int | None) -> tuple[float, pl.DataFrame]:
    """Seconds to run a trial into a folder, and its endpoints."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        made = run_trial(
            spec,
            Path(folder) / "trial",
            values=read_ensemble().members,
            engine=engine,
            threads=threads,
            report=lambda k, n: print(f"\r{k} of {n}", end="", file=sys.stderr, flush=True),
        )
        print(file=sys.stderr)
        return time.perf_counter() - begun, made.endpoints


def tell(found: dict[str, object]) -> str:
    """Tell the time in words."""
    return (
        f"A virtual phase 3 of two arms of {found['patients']} patients, {found['replicates']} replicates "
        f"with sets of the calibrated ensemble, took {found['seconds']:.0f} s on {found['threads']} threads "
        f"(aim: {found['aim_seconds']:.0f} s)."
    )


def find_ratio(endpoints: pl.DataFrame) -> list[str]:
    """Hazard ratio of survival with its 90 % prediction interval."""
    return list(endpoints.filter(pl.col("endpoint") == "HR_OS").select("value", "low", "high").row(0))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dask", type=int, default=20, help="replicates on Dask; 0: none")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    run_replicate(
        replace(make_spec(1), arms=tuple(replace(a, n=20) for a in make_spec(1).arms)), 0
    )  # compiles
    load = round(os.getloadavg()[0], 2)
    seconds, endpoints = time_trial(make_spec(asked.replicates), engine="cpu", threads=asked.threads)
    found: dict[str, object] = {
        "patients": PATIENTS,
        "replicates": asked.replicates,
        "threads": asked.threads,
        "seconds": round(seconds, 1),
        "aim_seconds": AIM_S,
        "load_at_start": load,
        "hazard_ratio_os": endpoints.filter(pl.col("endpoint") == "HR_OS")
        .select("value", "low", "high")
        .row(0),
    }
    if asked.dask:
        from distributed import LocalCluster  # noqa: PLC0415  (an extra, slow to load)

        few = make_spec(asked.dask)
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
            time_trial(replace(few, replicates=2), engine=f"dask://{cluster.scheduler_address}", threads=None)
            there, same = time_trial(few, engine=f"dask://{cluster.scheduler_address}", threads=None)
        here, own = time_trial(few, engine="cpu", threads=asked.threads)
        found["dask"] = {
            "replicates": asked.dask,
            "seconds_on_two_workers": round(there, 1),
            "seconds_on_threads": round(here, 1),
            "endpoints_equal": own.equals(same),
        }
    text = json.dumps(found, indent=1)
    print(text)
    if asked.write:
        RESULT.write_text(text + "\n", encoding="utf-8")
        write_between(PAGE, tell(found), start=START, end=END)


if __name__ == "__main__":
    main()
