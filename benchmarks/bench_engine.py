"""How many virtual patients a second: three lesions, two years, a checkpoint and a kinase inhibitor.

    python benchmarks/bench_engine.py [--patients 2000] [--peers 2] [--memory 10000,50000] [--write]

Nivolumab every two weeks and lenvatinib every day for 728 days, a scan every eight weeks, nobody dies (so
that all are solved to the end). Ours on one and two threads, fast mode (which the comparison with exact
mode allows) and exact mode; beside it, in the same run, libRoadRunner on the exported SBML with the
kinetics as equations, and SciPy's LSODA on the compiled right-hand side with exact levels, both dose by
dose at the tolerance that they need for diameters within 1e-4. Rates are wall clock; the load of the
machine is printed. What is not measured stays as the results file has it. `--memory` runs so many patients
chunk by chunk and gives the peak of the memory; results are thrown away chunk by chunk, as `simulate` does
when it has written them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "overcome"))

from pages import write_between
from roadrunner_oracle import Dosed, Oracle
from scipy.integrate import solve_ivp

from hccresist.overcome.dosing import find_regimen, find_weights, make_doses, read_drugs
from hccresist.overcome.engine import Job, find_days, iterate_chunks, run_chunk, run_plan, settle
from hccresist.overcome.model.arrays import Patients
from hccresist.overcome.model.integrate import find_rates
from hccresist.overcome.model.kernel_generated import LESION_SHOWN, PATIENT_SHOWN
from hccresist.overcome.model.levels import KINETICS
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.model.patients import make_effects
from hccresist.overcome.pk import PHASES, Kinetics, find_course
from hccresist.overcome.plan import Given, draw_kinetics, make_plan
from hccresist.overcome.population import SLOTS, draw_population

RESULT = Path(__file__).parent / "results" / "engine.json"
PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "virtual-patient.md"
START, END = "<!-- made by benchmarks/bench_engine.py: start -->", "<!-- end -->"
DAYS = 728.0
VISITS = (0.0, *np.arange(56.0, DAYS + 1, 56.0).tolist())
DRUGS = (Given("nivolumab"), Given("lenvatinib"))


def make_patients(count: int):
    """Patients with three lesions and no deaths, settled."""
    people = draw_population(np.arange(count), seed=7)
    sizes = np.zeros((count, SLOTS))
    sizes[:, :3] = (60.0, 35.0, 20.0)
    people = replace(
        people,
        lesions=np.full(count, 3),
        diameters=sizes,
        before=np.zeros(count),
        thresholds=np.full((count, 2 + SLOTS), np.inf),
    )
    started = time.perf_counter()
    state, _, status = settle(people, threads=2)
    return people, state, time.perf_counter() - started, int((status != 0).sum())


def run_ours(people, state, *, mode: str, threads: int) -> tuple[float, object]:
    """Seconds to run, and what was seen."""
    count = len(people.numbers)
    plan = make_plan(
        DRUGS,
        patients=people.numbers,
        weight_kg=people.weight_kg,
        visits=find_days(Job(DRUGS, VISITS, until=DAYS), people),
        until=DAYS,
        mode=mode,
        seed=7,
    )
    patients = Patients(
        params=people.params,
        state=state,
        amounts=np.zeros((count, len(DRUGS), 3)),
        lesions=people.lesions,
        baseline=people.lesions,
        begin=np.zeros(count),
        end=np.full(count, DAYS),
        thresholds=people.thresholds,
    )
    started = time.perf_counter()
    seen = run_plan(plan, patients, threads=threads)
    return time.perf_counter() - started, seen


def take(people, count: int):
    """The first patients."""
    fields = (
        "numbers",
        "params",
        "lesions",
        "diameters",
        "clones",
        "before",
        "thresholds",
        "weight_kg",
        "age_years",
    )
    return replace(people, **{name: getattr(people, name)[:count] for name in fields})


def run_roadrunner(people, state, count: int) -> float:
    """Seconds a patient of libRoadRunner."""

    model = read_model()
    names = [each.regimen for each in DRUGS]
    oracle = Oracle(3, names)
    size = len(model.names("patient")) + 3 * len(model.names("lesion"))
    states = len(model.patient.states) + 3 * len(model.lesion.states)
    seconds = 0.0
    for i in range(count):
        given = {}
        for name in names:
            row = draw_kinetics(read_drugs()[name], people.numbers[i : i + 1], seed=7)[0]
            doses = make_doses(find_regimen(name), until=DAYS, weight_kg=float(people.weight_kg[i]))
            given[name] = Dosed(dict(zip(KINETICS, row.tolist(), strict=True)), doses.days, doses.amounts)
        started = time.perf_counter()
        oracle.run(people.params[i, :size], state[i, :states], dosed=given, visits=np.array(VISITS))
        seconds += time.perf_counter() - started
    return seconds / count


def run_lsoda(people, state, count: int) -> float:
    """Seconds a patient of SciPy's LSODA on the compiled right-hand side, dose by dose."""

    model = read_model()
    states = len(model.patient.states) + 3 * len(model.lesion.states)
    drugs = [read_drugs()[each.regimen] for each in DRUGS]
    weights = np.array([find_weights(drug) for drug in drugs])
    effects, ripples = make_effects(0.0), np.zeros((len(drugs), PHASES.moments.size))
    seconds = 0.0
    for i in range(count):
        courses = []
        for drug in drugs:
            row = draw_kinetics(drug, people.numbers[i : i + 1], seed=7)[0]
            doses = make_doses(find_regimen(drug.name), until=DAYS, weight_kg=float(people.weight_kg[i]))
            kinetics = Kinetics(**dict(zip(KINETICS, row.tolist(), strict=True)))
            courses.append(find_course(kinetics, doses, until=DAYS))
        stops = np.unique(np.concatenate([*(course.starts for course in courses), [0.0, DAYS]]))
        y, params = state[i, :states].copy(), people.params[i]
        started = time.perf_counter()
        for first, last in pairwise(stops):
            terms = np.zeros((len(drugs), *courses[0].terms.shape[1:]))
            for d, course in enumerate(courses):
                piece = max(int(np.searchsorted(course.starts, first, side="right")) - 1, 0)
                terms[d] = course.terms[piece]
                terms[d, :, 0] *= np.exp(-terms[d, :, 1] * (first - course.starts[piece]))

            def rates(day, now, terms=terms, first=first, params=params):
                out = np.empty(states)
                find_rates(day - first, now, params, terms, ripples, False, weights, effects, out)
                return out

            y = solve_ivp(rates, (first, last), y, method="LSODA", rtol=1e-7, atol=1e-10).y[:, -1]
        seconds += time.perf_counter() - started
    return seconds / count


def measure_memory(count: int) -> float:
    """Peak memory (MB) of a process of its own that runs so many patients chunk by chunk.

    A process before it compiles what is not compiled yet: that takes twice the memory of any run.
    """
    code = "import sys; sys.path.insert(0, 'benchmarks'); import bench_engine; bench_engine.run_through({})"
    _, peak = (
        subprocess.run([sys.executable, "-c", code.format(n)], check=True, capture_output=True, text=True)
        for n in (2, count)
    )
    return float(peak.stdout.strip().splitlines()[-1])


def run_through(count: int) -> None:
    """Run so many patients chunk by chunk, keeping nothing; print the peak of the memory in MB."""
    job = Job(DRUGS, VISITS, DAYS, mixed=True, seed=3)
    for first, last in iterate_chunks(count):
        run_chunk(job, first, last)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def run_dask(count: int, workers: int) -> float:
    """Patients a second on so many local Dask workers of one thread, after they have compiled."""
    from distributed import LocalCluster  # noqa: PLC0415  (an extra, slow to load)

    from hccresist.overcome.cluster import find_cluster_runner  # noqa: PLC0415

    job = Job(DRUGS, VISITS, DAYS, mixed=True, seed=3)
    with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster:
        run = find_cluster_runner(job, cluster.scheduler_address)
        list(run([(i, i + 1) for i in range(4 * workers)]))
        ranges = list(iterate_chunks(count, size=max(50, count // 16)))
        started = time.perf_counter()
        for _ in run(ranges):
            pass
        return count / (time.perf_counter() - started)


def make_table(found) -> str:
    """Markdown table of the results."""
    apart = found["fast_against_exact_percent_of_baseline"]
    rows = [
        ("fast mode, two threads", f"{found['fast_2_threads_per_second']:,} patients/s"),
        ("fast mode, one thread", f"{found['fast_1_threads_per_second']:,} patients/s"),
        ("exact mode, two threads", f"{found['exact_2_threads_per_second']} patients/s"),
        ("SciPy LSODA on our compiled equations, dose by dose", f"{found['lsoda_per_second']} patients/s"),
        (
            "libRoadRunner on the exported SBML, dose by dose",
            f"{found['libroadrunner_per_second']} patients/s",
        ),
        (
            "fast mode over LSODA, over libRoadRunner",
            f"{found['fast_over_lsoda']:,} x, {found['fast_over_libroadrunner']:,} x",
        ),
        (
            "exact mode over LSODA, over libRoadRunner",
            f"{found['exact_over_lsoda']} x, {found['exact_over_libroadrunner']:,} x",
        ),
        (
            f"whole diameters of {apart['patients']} patients, fast against exact (% of baseline)",
            (
                f"median {apart['median']}, 99th percentile {apart['p99']}, worst {apart['worst']}; "
                f"within 0.1 throughout: {100 * apart['within_0.1']:g} % of patients"
            ),
        ),
    ]
    if "dask_2_over_1" in found:
        one, two = found["dask_1_2_workers_per_second"]
        rows.append(
            (
                f"Dask, one and two local workers ({found['dask_patients']:,} patients)",
                f"{one:,} and {two:,} patients/s: {found['dask_2_over_1']} x",
            )
        )
    rows += [
        (f"peak memory, {int(count):,} patients", f"{mb:,} MB")
        for count, mb in found.get("peak_mb", {}).items()
    ]
    rows.append(
        (
            "load of the machine (2 cores) at start and end",
            f"{found['load_at_start']}, {found['load_at_end']}",
        )
    )
    return "\n".join(
        ["| what | result |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)]
    )


def measure_speed(count: int, peers: int) -> dict[str, object]:
    """Rates of ours on one and two threads and in exact mode, of peers, and how far fast is from exact."""
    warm = make_patients(4)
    for mode in ("fast", "exact"):
        run_ours(warm[0], warm[1], mode=mode, threads=1)
    people, state, settling, unsettled = make_patients(count)
    found: dict[str, object] = {
        "patients": count,
        "load_at_start": round(os.getloadavg()[0], 2),
        "settle_per_second": round(count / settling),
        "unsettled": unsettled,
    }
    for threads in (1, 2):
        seconds, _ = run_ours(people, state, mode="fast", threads=threads)
        found[f"fast_{threads}_threads_per_second"] = round(count / seconds)
    few = min(count, 400)
    seconds, exact = run_ours(take(people, few), state[:few], mode="exact", threads=2)
    found["exact_2_threads_per_second"] = round(few / seconds, 1)
    _, fast = run_ours(take(people, few), state[:few], mode="fast", threads=2)

    at = [PATIENT_SHOWN + LESION_SHOWN * slot for slot in range(3)]
    apart = np.abs(fast.shown[:, :, at] - exact.shown[:, :, at]) / exact.shown[:, :1, at]
    found["fast_against_exact_percent_of_baseline"] = {
        "median": round(100 * float(np.median(apart)), 4),
        "p99": round(100 * float(np.quantile(apart, 0.99)), 4),
        "worst": round(100 * float(apart.max()), 4),
        "patients": few,
        "within_0.1": round(float((apart.max(axis=(1, 2)) < 1e-3).mean()), 4),
    }
    if peers:
        run_lsoda(people, state, 1)
        found["lsoda_per_second"] = round(1 / run_lsoda(people, state, peers), 4)
        found["libroadrunner_per_second"] = round(1 / run_roadrunner(people, state, peers), 4)
        for peer in ("lsoda", "libroadrunner"):
            rate = float(found[f"{peer}_per_second"])
            found[f"fast_over_{peer}"] = round(float(found["fast_2_threads_per_second"]) / rate)
            found[f"exact_over_{peer}"] = round(float(found["exact_2_threads_per_second"]) / rate, 1)
    found["load_at_end"] = round(os.getloadavg()[0], 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=2000, help="0: only what is asked beside it")
    parser.add_argument("--peers", type=int, default=2, help="patients of the peers")
    parser.add_argument("--memory", default="", help="numbers of patients, separated by commas")
    parser.add_argument("--dask", type=int, default=0, help="patients on one and on two local Dask workers")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    found = json.loads(RESULT.read_text(encoding="utf-8"))
    if asked.patients:
        found |= measure_speed(asked.patients, asked.peers)
    if asked.dask:
        one, two = (run_dask(asked.dask, workers) for workers in (1, 2))
        found["dask_1_2_workers_per_second"] = [round(one), round(two)]
        found["dask_2_over_1"] = round(two / one, 2)
        found["dask_patients"] = asked.dask
    if asked.memory:
        more = {count: round(measure_memory(int(count))) for count in asked.memory.split(",")}
        found["peak_mb"] = found.get("peak_mb", {}) | more
    print(json.dumps(found, indent=1))
    if asked.write:
        RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        write_between(PAGE, make_table(found), start=START, end=END)


if __name__ == "__main__":
    main()
