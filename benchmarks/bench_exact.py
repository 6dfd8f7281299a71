"""Ours against libRoadRunner with exact dosing: random patients, two years, six regimens.

    python benchmarks/bench_exact.py --patients 0:200 --cache FOLDER [--minutes 20] [--results FILE]

The other side is `tests/overcome/roadrunner_oracle.py`: the exported SBML with the kinetics as equations,
doses between segments, hazards against their thresholds by root finding. It takes seconds a patient, so its
answers are kept in the cache, one file a patient with the inputs beside them, and a later call goes on where
the last one stopped (`--minutes`). Answers of another version of the equations or of the drugs are made
again. Ours is run each time, on the inputs in the cache, through `kernel_run`: this is the place to put
another engine in.

A patient is drawn from its number and the name of each parameter: every parameter from its distribution
(normal deviates up to three), each handle on with a chance of 0.15, kinetics with their spread, one to three
lesions of 12 to 120 mm.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "overcome"))

from pages import write_between
from roadrunner_oracle import HAZARDS, Dosed, Oracle

from hccresist.errors import ComputationError
from hccresist.overcome.dosing import (
    find_regimen,
    make_doses,
    make_treatment,
    read_drugs,
)
from hccresist.overcome.engine import run_plan
from hccresist.overcome.model.arrays import Patients
from hccresist.overcome.model.levels import KINETICS
from hccresist.overcome.model.parameters import read_model, read_parameters
from hccresist.overcome.model.patients import make_parameters, run_patient, start_state
from hccresist.overcome.pk import Kinetics, find_course
from hccresist.overcome.plan import Given, make_plan
from hccresist.overcome.population import SLOTS

REGIMENS = {
    "nivolumab": ("nivolumab",),
    "atezolizumab + bevacizumab": ("atezolizumab", "bevacizumab"),
    "durvalumab + tremelimumab": ("durvalumab", "tremelimumab"),
    "camrelizumab + apatinib": ("camrelizumab", "apatinib"),
    "lenvatinib": ("lenvatinib",),
    "sorafenib": ("sorafenib",),
}
MOST_LESIONS = 3
DAYS = 728.0
VISITS = np.arange(0.0, DAYS + 1, 56.0)
TOLERANCES = (1e-7, 1e-10)
"""Relative and absolute error of a step of ours."""
ON = 0.15
"""Chance that a handle is on."""
LIMITS = {"diameter": 1e-4, "event_days": 0.1}
PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "virtual-patient.md"
START, END = "<!-- made by benchmarks/bench_exact.py: start -->", "<!-- end of bench_exact.py -->"


def stream(patient: int, name: str) -> np.random.Generator:
    """Random numbers of a patient for one purpose; nothing added elsewhere changes them."""
    return np.random.default_rng([patient, crc32(name.encode())])


def draw_value(patient: int, parameter, suffix: str = "") -> float:
    """One parameter from its distribution."""
    draw = stream(patient, parameter.name + suffix)
    if parameter.distribution == "lognormal":
        return parameter.value * float(np.exp(parameter.spread * np.clip(draw.normal(), -3, 3)))
    if parameter.distribution == "handle":
        on = draw.uniform() < ON
        return float(draw.uniform(0, parameter.high)) if on else 0.0
    if parameter.distribution == "uniform":
        return float(draw.uniform(parameter.low, parameter.high))
    if parameter.distribution == "loguniform":
        return float(np.exp(draw.uniform(np.log(parameter.low), np.log(parameter.high))))
    return parameter.value


def count_lesions(patient: int) -> int:
    """One, two or three lesions in turn."""
    return 1 + patient % MOST_LESIONS


def draw_patient(patient: int) -> dict[str, Any]:
    """Inputs of one patient: values by name, states at the start, kinetics, thresholds of hazards."""
    lesions = count_lesions(patient)
    table = [p for p in read_parameters() if p.distribution != "fixed"]
    values = {p.name: draw_value(patient, p) for p in table if p.scope == "patient"}
    each = [
        {p.name: draw_value(patient, p, f".{i}") for p in table if p.scope == "lesion"}
        for i in range(lesions)
    ]
    draw = stream(patient, "start")
    sizes = np.exp(draw.uniform(np.log(12.0), np.log(120.0), lesions))
    params = make_parameters(lesions, values=values, each=each)
    shares = {"tolerant": float(draw.uniform(0, 0.05)), "escaped": float(draw.uniform(0, 0.05))}
    state = start_state(params, sizes.tolist(), **shares)
    thresholds = dict(zip(HAZARDS, draw.exponential(size=len(HAZARDS)).tolist(), strict=True))
    kinetics: dict[str, dict[str, float]] = {}
    for name in {drug for drugs in REGIMENS.values() for drug in drugs}:
        drug = read_drugs()[name]
        own = asdict(drug.kinetics)
        for key, spread in drug.spreads.items():
            own[key] *= float(np.exp(spread * np.clip(stream(patient, f"{name}.{key}").normal(), -3, 3)))
        kinetics[name] = own
    return {
        "patient": patient,
        "values": values,
        "each": each,
        "state": state.tolist(),
        "thresholds": thresholds,
        "kinetics": kinetics,
    }


def digest_model() -> str:
    """Digest of the equations that diameters and hazards need, of fixed values and of the drugs."""
    model = read_model()
    rules = {"lesion": dict(model.lesion.rules), "patient": dict(model.patient.rules)}
    wanted = {name for m in (model.lesion, model.patient) for f in m.rates.values() for name in f.names}
    wanted |= {"whole_mm", "viable_mm", *model.patient.sums.values()}
    seen: set[str] = set()
    while wanted - seen:
        name = (wanted - seen).pop()
        seen.add(name)
        for own in rules.values():
            wanted |= set(own[name].names) if name in own else set()
    lines = [f"{n} := {f.antimony}" for own in rules.values() for n, f in own.items() if n in seen]
    lines += [f"{n}' = {f.antimony}" for m in (model.lesion, model.patient) for n, f in m.rates.items()]
    lines += [
        f"{p.name} = {p.value!r}" for p in model.parameters if p.distribution == "fixed" and p.name in seen
    ]
    lines += [repr(drug) for _, drug in sorted(read_drugs().items())]
    lines += [repr(find_regimen(name)) for drugs in REGIMENS.values() for name in drugs]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def arrays(inputs: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Parameters and states of a patient as arrays."""
    params = make_parameters(len(inputs["each"]), values=inputs["values"], each=inputs["each"])
    return params, np.array(inputs["state"])


def plan(drugs: Sequence[str]) -> dict[str, Any]:
    """Planned doses of the drugs of a regimen."""
    return {name: make_doses(find_regimen(name), until=DAYS) for name in drugs}


def oracle_run(oracle: Oracle, inputs: dict[str, Any]) -> dict[str, Any]:
    """Diameters at visits and days of events by libRoadRunner."""
    params, state = arrays(inputs)
    doses = plan(oracle.drugs)
    dosed = {n: Dosed(inputs["kinetics"][n], doses[n].days, doses[n].amounts) for n in oracle.drugs}
    found = oracle.run(params, state, dosed=dosed, visits=VISITS, thresholds=inputs["thresholds"])
    return {"whole": found.whole.tolist(), "viable": found.viable.tolist(), "events": found.events}


def kernel_run(
    inputs: dict[str, Any], drugs: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Whole and viable diameters (visits × lesions) and days of events by our kernel, dose by dose."""
    params, state = arrays(inputs)
    courses = {
        name: find_course(replace(Kinetics(**inputs["kinetics"][name])), doses, until=DAYS)
        for name, doses in plan(drugs).items()
    }
    treatment = make_treatment(courses, np.unique(np.concatenate([VISITS, np.arange(0.0, DAYS + 0.5, 0.5)])))
    run = run_patient(state, params, treatment.times, drugs=treatment.drugs, tolerances=TOLERANCES)
    places = np.searchsorted(run.times, VISITS)
    whole = np.column_stack([run.output("whole_mm", lesion=i)[places] for i in range(run.lesions)])
    viable = np.column_stack([run.output("viable_mm", lesion=i)[places] for i in range(run.lesions)])
    events: dict[str, float] = {}
    for name, threshold in inputs["thresholds"].items():
        values = run.state(name)  # stops are half a day apart: a straight line between them is enough
        crossed = values[-1] >= threshold
        events[name] = float(np.interp(threshold, values, run.times)) if crossed else float("inf")
    return whole, viable, events


def engine_run(
    inputs: dict[str, Any], drugs: Sequence[str], *, mode: str
) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """As `kernel_run`, by the ensemble engine.

    The engine ends a run at death and dropout and changes it with a new lesion, so that there are four copies
    of the patient: one without events for the diameters, and one for each event.
    """
    params, state = arrays(inputs)
    lesions, copies = len(inputs["each"]), 4
    model = read_model()
    wide = make_parameters(SLOTS)
    wide[: params.size] = params
    whole_state = np.zeros(len(model.patient.states) + SLOTS * len(model.lesion.states))
    whole_state[: state.size] = state
    thresholds = np.full((copies, 2 + SLOTS), np.inf)
    kinds = {"hazard_death": (0, 0), "hazard_dropout": (1, 1), "hazard_new": (2, 2 + lesions)}
    for copy, (name, (place, _)) in enumerate(kinds.items(), start=1):
        thresholds[copy, place] = inputs["thresholds"][name]
    plan = make_plan(
        [Given(name) for name in drugs],
        patients=np.arange(copies),
        weight_kg=np.full(copies, 75.0),
        visits=VISITS,
        until=DAYS,
        mode=mode,
    )
    kinetics = np.array([[inputs["kinetics"][name][key] for key in KINETICS] for name in drugs])
    plan = plan._replace(kinetics=np.tile(kinetics, (copies, 1, 1)))
    seen = run_plan(
        plan,
        Patients(
            params=np.tile(wide, (copies, 1)),
            state=np.tile(whole_state, (copies, 1)),
            amounts=np.zeros((copies, len(drugs), 3)),
            lesions=np.full(copies, lesions),
            baseline=np.full(copies, lesions),
            begin=np.zeros(copies),
            end=np.full(copies, DAYS),
            thresholds=thresholds,
        ),
        threads=1,
    )
    if seen.status[0]:
        message = f"status {seen.status[0]}"
        raise ComputationError(message)
    names, first = model.outputs("lesion"), len(model.outputs("patient"))
    columns = [
        [first + i * len(names) + names.index(one) for i in range(lesions)]
        for one in ("whole_mm", "viable_mm")
    ]
    days = {
        name: float(seen.events[copy, kept]) for copy, (name, (_, kept)) in enumerate(kinds.items(), start=1)
    }
    events = {name: float("inf") if np.isnan(day) else day for name, day in days.items()}
    return seen.shown[0][:, columns[0]], seen.shown[0][:, columns[1]], events


def compare(inputs: dict[str, Any], name: str, answer: dict[str, Any], *, ours: str) -> dict[str, Any]:
    """Errors of ours against the other's answer."""
    row: dict[str, Any] = {"patient": inputs["patient"], "regimen": name}
    try:
        if ours == "kernel":
            whole, viable, events = kernel_run(inputs, REGIMENS[name])
        else:
            whole, viable, events = engine_run(inputs, REGIMENS[name], mode=ours)
    except ComputationError as error:
        return {**row, "failed": str(error)}
    theirs = np.array(answer["whole"])
    row["whole"] = float((np.abs(whole - theirs) / theirs[0]).max())
    row["viable"] = float((np.abs(viable - np.array(answer["viable"])) / theirs[0]).max())
    days = [
        0.0 if np.isinf(events[k]) and np.isinf(v) else abs(min(events[k], DAYS) - min(v, DAYS))
        for k, v in answer["events"].items()
    ]
    row["event_days"] = float(max(days))
    return row


def load(file: Path, digest: str) -> dict[str, Any] | None:
    """Kept inputs and answers of a patient, where they are of this version."""
    if not file.is_file():
        return None
    kept = json.loads(file.read_text(encoding="utf-8"))
    return kept if kept["digest"] == digest else None


def fill_cache(patients: range, cache: Path, names: Sequence[str], *, minutes: float) -> None:
    """Let libRoadRunner answer for patients and regimens that are not in the cache yet."""
    digest, stop = digest_model(), time.monotonic() + 60 * minutes
    oracles: dict[tuple[int, str], Oracle] = {}
    for patient in patients:
        file = cache / f"{patient:05d}.json"
        kept = load(file, digest) or {"digest": digest, "inputs": draw_patient(patient), "answers": {}}
        for name in names:
            if name in kept["answers"]:
                continue
            if time.monotonic() > stop:
                return
            key = (count_lesions(patient), name)
            if key not in oracles:
                oracles[key] = Oracle(key[0], REGIMENS[name])
            begun = time.perf_counter()
            kept["answers"][name] = oracle_run(oracles[key], kept["inputs"])
            kept["answers"][name]["seconds"] = time.perf_counter() - begun
            part = file.with_suffix(".part")
            part.write_text(json.dumps(kept), encoding="utf-8")
            os.replace(part, file)  # noqa: PTH105


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Largest errors and shares within the limits, by regimen and in all."""
    table: dict[str, Any] = {}
    for name in [*REGIMENS, "all"]:
        own = [row for row in rows if name in (row["regimen"], "all")]
        done = [row for row in own if "failed" not in row]
        if not own:
            continue
        entry: dict[str, Any] = {"patients": len(own), "failed": len(own) - len(done)}
        for key, limit in (("whole", 1e-4), ("viable", 1e-4), ("event_days", 0.1)):
            values = np.array([row[key] for row in done])
            entry[key] = {
                "worst": float(values.max()),
                "median": float(np.median(values)),
                "within": float((values <= limit).mean()),
            }
        table[name] = entry
    return table


def make_table(summary: dict[str, Any]) -> str:
    """Markdown table of a summary."""
    lines = [
        "| regimen | patients | diameter, worst (of baseline) | in 1e-4 | event, worst (days) | in 0.1 |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in summary.items():
        cells = [name, row["patients"]]
        for key in ("whole", "event_days"):
            cells += [f"{row[key]['worst']:.1e}", f"{100 * row[key]['within']:.1f} %"]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", default="0:200", help="first:last, last not included")
    parser.add_argument("--regimens", default="", help="some of the regimens, separated by semicolons")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument(
        "--minutes", type=float, default=20.0, help="time for the other side; 0: only compare"
    )
    parser.add_argument(
        "--ours", choices=["kernel", "exact", "fast"], default="kernel", help="one patient; engine, in a mode"
    )
    parser.add_argument("--results", type=Path)
    parser.add_argument("--page", action="store_true", help="write the table into the docs")
    given = parser.parse_args()
    first, _, last = given.patients.partition(":")
    names = given.regimens.split(";") if given.regimens else list(REGIMENS)
    given.cache.mkdir(parents=True, exist_ok=True)
    fill_cache(range(int(first), int(last)), given.cache, names, minutes=given.minutes)
    digest, rows, seconds = digest_model(), [], []
    for patient in range(int(first), int(last)):
        kept = load(given.cache / f"{patient:05d}.json", digest)
        for name, answer in (kept["answers"] if kept else {}).items():
            rows.append(compare(kept["inputs"], name, answer, ours=given.ours))  # type: ignore[index]
            seconds.append(answer["seconds"])
    if not rows:
        print("nothing in the cache yet")
        return
    worst = sorted((r for r in rows if "failed" not in r), key=lambda row: -row["whole"])[:10]
    result = {
        "model": digest,
        "ours": given.ours,
        "limits": LIMITS,
        "days": DAYS,
        "lesions": f"1 to {MOST_LESIONS}",
        "summary": summarise(rows),
        "worst": worst,
        "failed": [row for row in rows if "failed" in row],
        "roadrunner_seconds_per_run": float(np.mean(seconds)),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if given.results:
        given.results.write_text(text + "\n", encoding="utf-8")
    if given.page:
        write_between(PAGE, make_table(result["summary"]), start=START, end=END)


if __name__ == "__main__":
    main()
