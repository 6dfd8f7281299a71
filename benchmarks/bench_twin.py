"""The twin, checked on simulated patients whose truth is known and on two real series.

    python benchmarks/bench_twin.py [--patients 480] [--particles 80] [--only simulated]

Everything with sets of the calibrated ensemble, as the twin has them in a run.

**Simulated.** Patients of the model on four treatments, read with error, conditioned on data up to week 16;
their sets of the ensemble are none of those that the twin has. Coverage of 90 % intervals of the sum 12 and
24 weeks later, Brier scores of progression and death within a year, each against the prior (virtual patients
with the same baseline).

**Real.** `hcc_sysucc_timeseries` (largest diameter and AFP; those with three sizes or more under
chemoembolisation or none): the next size from those before it. `hcc_tace_seg` (sums of the first reader):
the one follow-up from the baseline. Naive baselines: last value, log-linear growth, regression-growth fit
(Stein's biexponential; where it cannot be fitted, the last value). Their intervals are the 5 % and 95 %
quantiles of their own errors in the other patients; the twin's are its own.

Every second patient of the first series that qualifies was used to set how far a sum drifts from the model
(`whole_drift` in ``data/overcome/twin.csv``) and is left out here; nothing else was set on these data.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl

from hccresist.assess import assess_study
from hccresist.assess.growth_fits import GrowthFits, fit_growth
from hccresist.assess.growth_models import MODELS
from hccresist.overcome import twin_error
from hccresist.overcome.dosing import split_values
from hccresist.overcome.engine import Job, run_chunk
from hccresist.overcome.ensemble_file import read_ensemble
from hccresist.overcome.plan import Given
from hccresist.overcome.prevalence_weights import is_found, read_weighting
from hccresist.overcome.scans import SEEN_MM, make_tables, name_patients
from hccresist.overcome.trial_people import has_grown
from hccresist.overcome.twin import choose_members, make_outlook
from hccresist.overcome.twin_ahead import find_quantile
from hccresist.overcome.twin_data import Baseline, Case, Reading
from hccresist.overcome.twin_fit import Fitter, find_case_error, fit_cases, follow_on
from hccresist.overcome.twin_latent import Space
from hccresist.overcome.twin_run import Standing, Track
from hccresist.overcome.twin_signs import read_setting
from hccresist.overcome.twin_treatments import Given as Had
from hccresist.study.frames import study_from_frames

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared" / "data"
RESULTS = HERE / "results" / "twin.json"
PAGE = HERE.parent / "docs" / "explanation" / "twin.md"
START, END = "<!-- made by benchmarks/bench_twin.py: start -->", "<!-- end -->"
ARMS = (("lenvatinib",), ("sorafenib",), ("nivolumab",), ("atezolizumab", "bevacizumab"))
LAST = 112.0
AHEAD = (84.0, 168.0)
YEAR = 365.0
SCANS = (0.0, 56.0, 112.0, 196.0, 280.0)
FIRST = 7_000_000
MOST = 15
"""Virtual patients that are drawn for each who is looked at."""
LEVEL = 0.9
Numbers = dict[str, Any]


def score_interval(value: float, low: float, high: float) -> float:
    """Interval score at level 90 % (Gneiting and Raftery 2007, doi:10.1198/016214506000001437)."""
    beyond = max(low - value, 0.0) + max(value - high, 0.0)
    return high - low + 2.0 / (1.0 - LEVEL) * beyond


def simulate(count: int, *, seed: int) -> dict[str, pl.DataFrame]:
    """Simulate patients: a clinic's tables, those after week 16 being the truth.

    As many of each treatment and set of the ensemble, of those whose tumours grow untreated and whom the
    ensemble's weighting finds: no others come to a clinic.
    """
    parts: dict[str, list[pl.DataFrame]] = {}
    truths = find_truths()
    each = count // len(ARMS) // len(truths)
    for place, (drugs, member) in enumerate(product(ARMS, truths)):
        job = Job(
            tuple(Given(drug) for drug in drugs),
            (*SCANS, LAST + YEAR),
            LAST + YEAR,
            mixed=True,
            values={**member, "dropout_rate": 0.0},
            seed=seed,
        )
        first = FIRST + MOST * place * each
        result = run_chunk(job, first, first + MOST * each)
        people = result.population
        come = has_grown(people, (result.path[:, 0], result.growth, result.status))
        come &= is_found(people, read_weighting(member), values=split_values(member)[0], seed=seed)
        found = name_patients(people.numbers[come][:each])
        tables = make_tables(result, job, scans=(*SCANS, LAST + YEAR), arm=" + ".join(drugs))
        for name, table in tables.items():
            parts.setdefault(name, []).append(table.filter(pl.col("patient_id").is_in(found)))
    return {name: pl.concat(tables) for name, tables in parts.items()}


def find_truths() -> tuple[Mapping[str, float], ...]:
    """Find as many sets of the ensemble as the twin has, all others than the twin's."""
    members = read_ensemble().members
    return choose_members([member for member in members if member not in choose_members(members)])


def check_simulated(count: int, particles: int, *, seed: int = 11) -> Numbers:
    """Check the twin on simulated patients."""
    tables = simulate(count, seed=seed)
    study = study_from_frames(**tables)
    assessed = assess_study(study, criteria=["recist11", "mrecist"], reasons=False)
    make_outlook(study_from_frames(**_first(tables)), tables={}, until=LAST, particles=2)  # compiles
    make = partial(make_outlook, study, tables=assessed.tables, members=read_ensemble().members, until=LAST)
    begin, used = time.perf_counter(), time.process_time()
    made = make(particles=particles, seed=seed)
    seconds = {"wall": time.perf_counter() - begin, "processor": time.process_time() - used}
    rest = {"whole_drift": 0.0, "viable_drift": 0.0, "afp_drift": 0.0, "nlr_drift": 0.0, "albi_drift": 0.0}
    with patch.object(twin_error, "read_setting", lambda name: rest.get(name, read_setting(name))):
        still = make(particles=particles, seed=seed)
    points = assessed.tables["timepoints"].filter(pl.col("criterion") == "recist11")
    outlook = made.outlook.filter(pl.col("role") == "present")
    found: Numbers = {
        "patients": count,
        "with_twin": made.outlook_fit["effective"].is_not_null().sum(),
        "effective_median": made.outlook_fit["effective"].median(),
        "effective_below_10": int((made.outlook_fit["effective"] < 10).sum()),
        "first_effective_median": made.outlook_fit["prior_effective"].median(),
        "seconds": seconds,
        "sum": {str(int(days)): _score_sums(outlook, points, days) for days in AHEAD},
        "sum_without_drift": {
            str(int(days)): _score_sums(still.outlook.filter(pl.col("role") == "present"), points, days)
            for days in AHEAD
        },
        "chances": _score_chances(outlook, points, tables),
        "chances_without_drift": _score_chances(
            still.outlook.filter(pl.col("role") == "present"), points, tables
        ),
        "narrowing": {
            str(quantity): float(value)
            for quantity, value in outlook.filter(pl.col("horizon_days") == YEAR)
            .group_by("quantity")
            .agg(pl.col("narrowing").median())
            .sort("quantity")
            .iter_rows()
        },
    }
    return found


def _first(tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Tables of the first patient."""
    first = tables["patients"]["patient_id"].min()
    return {name: table.filter(pl.col("patient_id") == first) for name, table in tables.items()}


def _score_sums(outlook: pl.DataFrame, points: pl.DataFrame, days: float) -> Numbers:
    """Coverage of the change of the sum after so many days."""
    base = points.filter(pl.col("day") == LAST).select("patient_id", base="sum_mm")
    then = points.filter(pl.col("day") == LAST + days).select("patient_id", then="sum_mm")
    rows = outlook.filter((pl.col("quantity") == "sum_change_percent") & (pl.col("horizon_days") == days))
    rows = rows.join(base, on="patient_id").join(then, on="patient_id").drop_nulls(["value", "base", "then"])
    rows = rows.filter((pl.col("base") >= 10) & (pl.col("then") > 0))
    found: Numbers = {"n": rows.height}
    for name, pre in (("twin", ""), ("prior", "prior_")):
        logs = rows.select(
            true=(pl.col("then").clip(SEEN_MM) / pl.col("base")).log(),
            value=(1 + pl.col(f"{pre}value") / 100).log(),
            low=(1 + pl.col(f"{pre}low") / 100).log(),
            high=(1 + pl.col(f"{pre}high") / 100).log(),
        ).to_numpy()
        found[name] = summarise(logs)
    return found


def summarise(logs: np.ndarray) -> Numbers:
    """Error, coverage, width and interval score of logarithms (truth, value, low, high)."""
    inside = (logs[:, 0] >= logs[:, 2]) & (logs[:, 0] <= logs[:, 3])
    return {
        "mae_log": float(np.abs(logs[:, 0] - logs[:, 1]).mean()),
        "coverage": float(inside.mean()),
        "width": float((logs[:, 3] - logs[:, 2]).mean()),
        "interval_score": float(np.mean([score_interval(t, low, high) for t, _, low, high in logs])),
    }


def _score_chances(
    outlook: pl.DataFrame, points: pl.DataFrame, tables: Mapping[str, pl.DataFrame]
) -> Numbers:
    """Brier scores and calibration of death and progression within a year."""
    died = tables["survival"].select(
        "patient_id", death=pl.col("died") & (pl.col("os_days") <= LAST + YEAR + 1e-6)
    )
    truth = died.join(_progressed(points, died, tables["lesions"]), on="patient_id")
    found: Numbers = {}
    for quantity in ("progression", "death"):
        rows = outlook.filter((pl.col("quantity") == quantity) & (pl.col("horizon_days") == YEAR))
        rows = rows.drop("quantity").join(truth, on="patient_id").drop_nulls(["value"])
        y = rows[quantity].to_numpy().astype(float)
        own: Numbers = {"n": rows.height, "events": int(y.sum())}
        for name, column in (("twin", "value"), ("prior", "prior_value")):
            p = rows[column].to_numpy()
            own[name] = {"brier": float(np.square(p - y).mean()), "mean": float(p.mean()), "auc": _auc(p, y)}
        own["observed"] = float(y.mean())
        own["brier_of_mean"] = float(y.mean() * (1 - y.mean()))
        own["thirds"] = _calibrate(rows["value"].to_numpy(), y)
        found[quantity] = own
    return found


def _progressed(points: pl.DataFrame, died: pl.DataFrame, lesions: pl.DataFrame) -> pl.DataFrame:
    """Who progresses after week 16 by the twin's rule: sum over its smallest, a new lesion, death."""
    first = lesions.group_by("patient_id", "lesion_id").agg(pl.col("day").min())
    new = set(first.filter(pl.col("day") > LAST)["patient_id"])
    rows = list[dict[str, object]]()
    for patient, dead in died.iter_rows():
        own = points.filter((pl.col("patient_id") == patient) & (pl.col("day") >= LAST)).sort("day")
        nadir, grown = float("inf"), False
        for size in own["sum_mm"].to_list():
            if size is None:
                continue
            grown |= size >= 1.2 * nadir and size - nadir >= 5
            nadir = min(nadir, size)
        rows.append({"patient_id": patient, "progression": bool(dead or grown or patient in new)})
    return pl.DataFrame(rows)


def _auc(p: np.ndarray, y: np.ndarray) -> float | None:
    """Share of pairs in the right order."""
    ill, well = p[y > 0], p[y == 0]
    if not ill.size or not well.size:
        return None
    return float((ill[:, None] > well).mean() + 0.5 * (ill[:, None] == well).mean())


def _calibrate(p: np.ndarray, y: np.ndarray) -> list[Numbers]:
    """Mean chance and share that had it, by thirds of the chance."""
    order = np.argsort(p, kind="stable")
    return [
        {"chance": float(p[part].mean()), "observed": float(y[part].mean()), "n": int(part.size)}
        for part in np.array_split(order, 3)
    ]


def read_sysucc(most: int, *, seed: int) -> list[tuple[Case, float, float]]:
    """Cases of `hcc_sysucc_timeseries`, with day and size of the next visit.

    The last visit with a size is predicted from those before it (two at least, all with a size, within two
    years). Left out: patients with targeted therapy or resection before the last visit (which drug is not
    known; a resected lesion says nothing of the next), or with a gap of more than 200 days to it. The model
    has one lesion for the largest and as many more of unknown size.
    """
    rows = pl.read_csv(SHARED / "hcc_sysucc_timeseries" / "timeseries.csv").sort("patient_id", "day")
    rows = rows.unique(["patient_id", "day"], keep="first", maintain_order=True)
    found = list[tuple[Case, float, float]]()
    for key, own in rows.group_by("patient_id", maintain_order=True):
        made = _make_sysucc(str(key[0]), own)
        if made:
            found.append(made)
    found = found[1::2]  # the others were used to set how far a sum drifts from the model
    chosen = np.random.default_rng(seed).permutation(len(found))[:most]
    return [found[i] for i in sorted(chosen)]


def _make_sysucc(patient: str, own: pl.DataFrame) -> tuple[Case, float, float] | None:
    """Make one case, or none where it does not qualify."""
    sizes = own["largest_diameter_mm"].to_list()
    days = [float(day) for day in own["day"].to_list()]
    count = next((i for i, size in enumerate(sizes) if not size or size <= 0), len(sizes))
    count = next((i for i in range(count) if days[i] > 2 * YEAR), count)
    if count < 3 or days[count - 1] - days[count - 2] > 200 or sizes[0] < 10:
        return None
    before = own[: count - 1]
    if before["targeted_therapy"].max() > 0 or before["resection"].max() > 0:
        return None
    last = days[count - 2]
    done = [
        ("tace", day + 1.0, "all")
        for day, on in zip(days[: count - 1], before["embolization"].to_list(), strict=True)
        if on > 0
    ]
    readings = [
        Reading(day, "whole", float(size))
        for day, size in zip(days[1 : count - 1], sizes[1 : count - 1], strict=True)
    ]
    readings += [
        Reading(day, "afp", float(value))
        for day, value in zip(days[: count - 1], before["afp_ng_ml"].to_list(), strict=True)
        if value and value > 0
    ]
    case = Case(
        patient_id=patient,
        day=last,
        baseline=Baseline((float(sizes[0]),), 1, float(sizes[0])),
        readings=tuple(sorted(readings)),
        given=Had(procedures=tuple(item for item in done if item[1] <= last)),
        traits={"mvi": before["vascular_invasion"][0] > 0, "ehs": before["distant_metastasis"][0] > 0},
    )
    case = (
        replace(case, notes=("tace after the last visit",)) if any(item[1] > last for item in done) else case
    )
    return case, days[count - 1], float(sizes[count - 1])


def predict_next(
    cases: Sequence[Case], then: Sequence[float], particles: int, *, seed: int
) -> tuple[np.ndarray, Numbers]:
    """Median, 5 % and 95 % of the logarithm of the next size of each patient, by the twin."""
    fitter = Fitter(list(cases), Space(choose_members(read_ensemble().members)), None, seed)
    found = fit_cases(fitter, particles=particles, seed=seed)
    shape = (len(cases), particles)
    owner = np.repeat(np.arange(len(cases)), particles)
    after = found.posterior
    kept = {name: values.reshape(-1, *values.shape[2:]) for name, values in after.kept.items()}
    standing = Standing(kept["state"], kept["lesions"], kept["amounts"], kept["solved"])
    tracks = [
        Track((), tuple(("tace", case.day + 1.0, "all") for _ in case.notes), case.day, (case.day, day))
        for case, day in zip(cases, then, strict=True)
    ]
    rng = np.random.default_rng(seed)
    seen = follow_on(
        fitter,
        after.z.reshape(-1, after.z.shape[-1]),
        after.number.reshape(-1),
        owner=owner,
        standing=standing,
        tracks=tracks,
        kept=kept,
        factors=[{}] * len(cases),
        draws=rng.standard_exponential((len(owner), 8)),
    )
    total = np.log(np.maximum(seen[:, 1, 0].reshape(shape), SEEN_MM)) + kept["shift"].reshape(shape)
    death = (seen[:, 1, 5] - seen[:, 0, 5]).reshape(shape)
    told = np.empty((len(cases), 3))
    for c, case in enumerate(cases):
        error = find_case_error(case, "whole")
        spread = np.sqrt(
            kept["variance"].reshape(shape)[c, 0] + error.pace * (then[c] - case.day) + error.noise**2
        )
        weights = after.weights[c] * np.exp(-death[c]) * np.isfinite(total[c])
        drawn = np.nan_to_num(total[c]) + spread * rng.standard_normal(particles)
        told[c] = [find_quantile(drawn, weights / weights.sum(), share) for share in (0.5, 0.05, 0.95)]
    return told, {
        "effective_median": float(np.median(after.effective)),
        "power_below_1": int((found.power < 1).sum()),
    }


def predict_naive(cases: Sequence[Case], then: Sequence[float]) -> dict[str, np.ndarray]:
    """Logarithm of the next size by each naive baseline."""
    found: dict[str, list[float]] = {"last value": [], "log-linear growth": [], "regression-growth fit": []}
    curves = _fit_curves(cases)
    for case, day in zip(cases, then, strict=True):
        times = [0.0, *(each.day for each in case.readings if each.quantity == "whole")]
        sizes = np.log(
            [
                case.baseline.total_mm,
                *(max(each.value, SEEN_MM) for each in case.readings if each.quantity == "whole"),
            ]
        )
        slope, level = np.polyfit(times, sizes, 1) if len(times) > 1 else (0.0, sizes[0])
        found["last value"].append(float(sizes[-1]))
        found["log-linear growth"].append(float(level + slope * day))
        curve = curves.get(case.patient_id)
        found["regression-growth fit"].append(curve(day) if curve else float(sizes[-1]))
    return {name: np.array(values) for name, values in found.items()}


def _fit_curves(cases: Sequence[Case]) -> dict[str, Callable[[float], float]]:
    """Stein's regression-growth fit of each patient that it can be fitted to, by `assess.growth_fits`."""
    frame = [
        {"patient_id": case.patient_id, "reader": "", "day": day, "sum_mm": size, "phase": phase}
        for case in cases
        for day, size, phase in (
            (0.0, case.baseline.total_mm, "baseline"),
            *((each.day, each.value, "after") for each in case.readings if each.quantity == "whole"),
        )
    ]
    fits = fit_growth(pl.DataFrame(frame), models=("gd", "dx", "gx"))
    return read_curves(fits, {case.patient_id: case.baseline.total_mm for case in cases})


def read_curves(fits: GrowthFits, first: Mapping[str, float]) -> dict[str, Callable[[float], float]]:
    """Curves of the selected models: the log size on a day; the first visit is day 1, as in tumgr."""
    found: dict[str, Callable[[float], float]] = {}
    chosen = fits.parameters.filter("selected")
    for (patient, model), rows in chosen.group_by("patient_id", "model", maintain_order=True):
        own = dict(rows.select("parameter", "value").iter_rows())
        x = np.array([[own[name]] for name in MODELS[str(model)].parameters])

        def curve(
            day: float, x: np.ndarray = x, model: str = str(model), patient: str = str(patient)
        ) -> float:
            share = float(MODELS[model].evaluate(x, np.array([[day + 1.0]]))[0][0, 0])
            return float(np.log(max(share * first[patient], SEEN_MM)))

        found[str(patient)] = curve
    return found


def score_all(truth: np.ndarray, told: np.ndarray, naive: Mapping[str, np.ndarray]) -> Numbers:
    """Scores of the twin and of the naive baselines, whose intervals are their errors in the other half."""
    found: Numbers = {"n": int(truth.size), "twin": summarise(np.column_stack([truth, told]))}
    half = np.arange(truth.size) % 2 == 0
    for name, values in naive.items():
        limits = np.empty((truth.size, 2))
        for own in (half, ~half):
            errors = (truth - values)[~own]
            limits[own] = values[own, None] + np.quantile(errors, (0.05, 0.95))
        found[name] = summarise(np.column_stack([truth, values, limits]))
    return found


def check_sysucc(most: int, particles: int, *, seed: int = 5) -> Numbers:
    """Next size in `hcc_sysucc_timeseries`."""
    read = read_sysucc(most, seed=seed)
    cases, then = [case for case, _, _ in read], [day for _, day, _ in read]
    truth = np.log([max(size, SEEN_MM) for _, _, size in read])
    told, how = predict_next(cases, then, particles, seed=seed)
    found = score_all(truth, told, predict_naive(cases, then)) | how
    quiet = np.array([not case.notes for case in cases])
    found["days_ahead_median"] = float(np.median(np.array(then) - [case.day for case in cases]))
    found["readings_median"] = float(
        np.median([sum(r.quantity == "whole" for r in case.readings) + 1 for case in cases])
    )
    naive = {name: values[quiet] for name, values in predict_naive(cases, then).items()}
    found["without_tace_at_last_visit"] = score_all(truth[quiet], told[quiet], naive)
    naive = {name: values[~quiet] for name, values in predict_naive(cases, then).items()}
    found["with_tace_at_last_visit"] = score_all(truth[~quiet], told[~quiet], naive)
    return found


def check_tace(particles: int, *, seed: int = 5) -> Numbers:
    """The one follow-up of `hcc_tace_seg`: sums of reader 1, chemoembolisation on day 1 (more is unknown)."""
    rows = pl.read_csv(SHARED / "hcc_tace_seg" / "reader_measurements.csv")
    rows = rows.filter(
        (pl.col("reader") == 1) & (pl.col("criterion") == "RECIST") & (pl.col("interval_weeks") > 0)
    )
    rows = rows.filter((pl.col("baseline_sum_mm") >= 10) & pl.col("followup_sum_mm").is_not_null()).sort(
        "patient_id"
    )
    cases = [
        Case(patient_id=patient, day=0.0, baseline=Baseline((), 0, size), notes=("tace",))
        for patient, size in rows.select("patient_id", "baseline_sum_mm").iter_rows()
    ]
    then = [float(np.round(weeks * 7)) for weeks in rows["interval_weeks"].to_list()]
    truth = np.log(np.maximum(rows["followup_sum_mm"].to_numpy(), SEEN_MM))
    told, how = predict_next(cases, then, particles, seed=seed)
    naive = {"last value": np.log([case.baseline.total_mm for case in cases])}
    return score_all(truth, told, naive) | how | {"days_ahead_median": float(np.median(then))}


def main() -> None:
    """Run the checks and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=480)
    parser.add_argument("--real", type=int, default=215)
    parser.add_argument("--particles", type=int, default=80)
    parser.add_argument("--only", choices=("simulated", "sysucc", "tace"))
    chosen = parser.parse_args()
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    work: dict[str, Callable[[], Numbers]] = {
        "simulated": lambda: check_simulated(chosen.patients, chosen.particles),
        "sysucc": lambda: check_sysucc(chosen.real, chosen.particles),
        "tace": lambda: check_tace(chosen.particles),
    }
    for name, make in work.items():
        if chosen.only in {None, name}:
            known[name] = make() | {"particles": chosen.particles}
    RESULTS.write_text(json.dumps(round_all(known), indent=1) + "\n", encoding="utf-8")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    made = tell_tables(json.loads(RESULTS.read_text(encoding="utf-8")))
    PAGE.write_text(f"{before}{START}\n{made}{END}{after}", encoding="utf-8")
    sys.stdout.write(made)


def tell_tables(known: Numbers) -> str:
    """Tables of the page."""
    own, series, tace = known["simulated"], known["sysucc"], known["tace"]
    alive, each = own["with_twin"], own["seconds"]["processor"] / own["with_twin"]
    lines = [
        f"**Simulated**: {alive} of {own['patients']} alive in week 16; {each:.2f} processor seconds each.",
        "",
        "| sum of diameters, change since week 16 | n | error | coverage | width | interval score |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for key, told in (("sum", "twin, as shipped"), ("sum_without_drift", "twin, drift off")):
        for days, scores in own[key].items():
            weeks = int(days) // 7
            lines.append(_row(f"{told}, {weeks} weeks on", scores["n"], scores["twin"]))
            lines.append(
                _row(f"same baseline, no data ({told[6:]}), {weeks} weeks on", scores["n"], scores["prior"])
            )
    lines += [
        "",
        "| in a year | events | Brier: twin | no data | all alike | AUC: twin | no data | told and seen |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for key, more in (("chances", ""), ("chances_without_drift", ", drift off")):
        for quantity, scores in own[key].items():
            thirds = "; ".join(
                f"{100 * t['chance']:.0f} % and {100 * t['observed']:.0f} %" for t in scores["thirds"]
            )
            brier = (scores["twin"]["brier"], scores["prior"]["brier"], scores["brier_of_mean"])
            cells = [f"{each:.3f}" for each in brier]
            cells += [f"{scores[side]['auc']:.2f}" for side in ("twin", "prior")]
            events = f"{scores['events']} of {scores['n']}"
            lines.append(f"| {quantity}{more} | {events} | {' | '.join(cells)} | {thirds} |")
    lines += [
        "",
        "**Real series**: the next size from those before it.",
        "",
        "| predicted by | n | error | coverage | width | interval score |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    parts = (
        ("hcc_sysucc_timeseries", series),
        ("of these, no chemoembolisation at the last visit", series["without_tace_at_last_visit"]),
        ("of these, chemoembolisation at the last visit", series["with_tace_at_last_visit"]),
        ("hcc_tace_seg", tace),
    )
    for told, scores in parts:
        lines += [
            _row(f"{told}: {name}", scores["n"], each)
            for name, each in scores.items()
            if isinstance(each, dict) and "width" in each
        ]
    return "\n".join([*lines, "", ""])


def _row(name: str, n: int, scores: Numbers) -> str:
    """One row of a table of intervals."""
    share = f"{100 * scores['coverage']:.0f} %"
    sizes = f"{scores['width']:.2f} | {scores['interval_score']:.2f}"
    return f"| {name} | {n} | {scores['mae_log']:.3f} | {share} | {sizes} |"


def round_all(value: Any) -> Any:
    """Numbers to four digits after the point."""
    if isinstance(value, dict):
        return {key: round_all(each) for key, each in value.items()}
    if isinstance(value, list):
        return [round_all(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
