"""Regression-growth fits with standard errors: patients a second, beside SciPy in the same run.

    python benchmarks/bench_growth_fits.py [--patients 4000]

Data: simulated sums (3 to 10 visits six weeks apart, curves of the gd model, 8 % noise, fixed
seed). Ours fits gd, dx, gx and gdphi to every patient, with standard errors, p values, intervals
and selection, in one process. The peer calls `scipy.optimize.curve_fit` for each patient and model
from tumgr's start and bounds; it gives standard errors but no selection, and a failed fit is
counted as done. tumgr itself is an R package; the design page notes 30 patients a second.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings

import numpy as np
import polars as pl
from scipy.optimize import curve_fit

from hccresist.assess.growth_fits import fit_growth
from hccresist.assess.growth_models import MODELS

TUMGR_PER_SECOND = 30.0
FAMILY = ("gd", "dx", "gx", "gdphi")


def simulate(patients: int, *, seed: int = 20) -> pl.DataFrame:
    """Return `sizes` of simulated patients."""
    rng = np.random.default_rng(seed)
    n = rng.integers(3, 11, patients)
    who = np.repeat(np.arange(patients), n)
    visit = np.arange(len(who)) - np.repeat(np.cumsum(n) - n, n)
    day = np.where(visit == 0, -2.0, 42.0 * visit + rng.integers(-5, 6, len(who)))
    g, d = rng.lognormal(np.log(0.002), 0.8, patients)[who], rng.lognormal(np.log(0.01), 0.8, patients)[who]
    t = day + 3.0
    mm = 60.0 * (np.exp(g * t) + np.exp(-d * t) - 1.0) * rng.lognormal(0.0, 0.08, len(who))
    return pl.DataFrame(
        {
            "patient_id": [f"P{i:07d}" for i in who],
            "reader": [""] * len(who),
            "day": day,
            "sum_mm": np.round(mm, 1),
            "phase": np.where(visit == 0, "baseline", "after"),
        }
    )


def time_ours(sizes: pl.DataFrame, **options: object) -> tuple[float, float]:
    """Return wall and processor seconds of the fastest of three runs."""
    seconds = []
    for _ in range(3):
        begin, used = time.perf_counter(), time.process_time()
        fit_growth(sizes, **options)
        seconds.append((time.perf_counter() - begin, time.process_time() - used))
    return min(seconds)


def time_scipy(sizes: pl.DataFrame) -> float:
    """Return seconds of one pass of curve_fit over every patient and model."""
    series = [
        (group["day"].to_numpy() + 3.0, group["sum_mm"].to_numpy() / group["sum_mm"][0])
        for _, group in sizes.group_by("patient_id", maintain_order=True)
    ]
    begin = time.perf_counter()
    for t, f in series:
        for name in FAMILY:
            if len(t) > MODELS[name].size:
                _fit_one(name, t, f)
    return time.perf_counter() - begin


def _fit_one(name: str, t: np.ndarray, f: np.ndarray) -> None:
    model = MODELS[name]

    def predict(t: np.ndarray, *x: float) -> np.ndarray:
        return model.evaluate(np.array(x)[:, None], t[:, None])[0][:, 0]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            curve_fit(predict, t, f, p0=model.given_start, bounds=(model.lower, model.upper))
        except RuntimeError:
            return


def main() -> None:
    """Run both and print rates and ratios as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=4000)
    parser.add_argument("--peer-patients", type=int, default=200)
    chosen = parser.parse_args()
    sizes = simulate(chosen.patients)
    few = sizes.filter(pl.col("patient_id") < f"P{chosen.peer_patients:07d}")
    wall, processor = time_ours(sizes, models=FAMILY)
    ours = chosen.patients / wall
    everything = chosen.patients / time_ours(sizes)[0]
    profiled = chosen.patients / time_ours(sizes, models=FAMILY, interval="profile")[0]
    peer = chosen.peer_patients / time_scipy(few)
    report = {
        "patients": chosen.patients,
        "ours_per_second": round(ours),
        "ours_per_processor_second": round(chosen.patients / processor),
        "ours_all_six_models_per_second": round(everything),
        "ours_profile_intervals_per_second": round(profiled),
        "scipy_curve_fit_per_second": round(peer, 1),
        "ratio_to_scipy": round(ours / peer, 1),
        "tumgr_per_second_noted_in_design": TUMGR_PER_SECOND,
        "ratio_to_tumgr": round(ours / TUMGR_PER_SECOND, 1),
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
