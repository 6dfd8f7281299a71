"""The model's balances of binding against full binding: random patients, two years, six regimens.

    python benchmarks/bench_binding.py --patients 0:60 --cache FOLDER [--minutes 20] [--results FILE]

Both sides are solved by libRoadRunner with the same doses and kinetics (tablets flow in evenly); one has the
exported model, the other `full_binding.ant` in place of its balances: antibodies, PD-1, PD-L1 and PD-L2 on
the contact of T cell and tumour cell with published rates and amounts, turnover of PD-L1, VEGF and antibody,
CTLA-4. Patients are those of `bench_exact.py`, with one lesion. Told are the largest difference of the
whole diameter over the visits (share of baseline; the aim is 2 %) and whether the best response is the same
(RECIST 1.1 without confirmation: 30 % below baseline, 20 % and 5 mm above the smallest; the aim is 99 %), for
all of binding and for its speed alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "overcome"))
sys.path.insert(0, str(Path(__file__).parent))

from bench_exact import DAYS, MOST_LESIONS, VISITS, arrays, digest_model, draw_patient
from binding_oracle import STEPS, BindingOracle
from pages import write_between
from roadrunner_oracle import Dosed, Oracle

from hccresist.overcome.dosing import find_regimen, make_doses, read_drugs

REGIMENS = {
    "none": (),
    "nivolumab": ("nivolumab",),
    "nivolumab + ipilimumab": ("nivolumab", "ipilimumab"),
    "atezolizumab + bevacizumab": ("atezolizumab", "bevacizumab"),
    "durvalumab + tremelimumab": ("durvalumab", "tremelimumab"),
    "camrelizumab + apatinib": ("camrelizumab", "apatinib"),
}
KEPT_VEGF = "VEGF on antibody kept"
"""Not part of the comparison: antibody-bound VEGF leaves with the antibody instead of as free VEGF does."""
LIMITS = {"diameter": 0.02, "same_class": 0.99}
PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "virtual-patient.md"
START, END = "<!-- made by benchmarks/bench_binding.py: start -->", "<!-- end of bench_binding.py -->"


def find_class(sizes: np.ndarray) -> str:
    """Best response of a sum of diameters over the visits, the first being the baseline."""
    best, smallest = "SD", sizes[0]
    for size in sizes[1:]:
        if size >= 1.2 * smallest and size - smallest >= 5.0:
            return "PD" if best == "SD" and smallest == sizes[0] else best
        if size <= 0.7 * sizes[0]:
            best = "PR"
        smallest = min(smallest, size)
    return best


def run(oracle: Oracle, inputs: dict[str, Any]) -> np.ndarray:
    """Whole diameters at the visits; tablets flow in at their average rate."""
    params, state = arrays(inputs)
    dosed: dict[str, Dosed] = {}
    for name in oracle.drugs:
        regimen, kinetics = find_regimen(name), dict(inputs["kinetics"].get(name) or own_kinetics(name))
        doses = make_doses(regimen, until=DAYS)
        if kinetics["absorption"]:
            kinetics["inflow"] = float(doses.amounts.sum()) / DAYS
            doses = make_doses(regimen, until=0.0)
        dosed[name] = Dosed(kinetics, doses.days, doses.amounts)
    return oracle.run(params, state, dosed=dosed, visits=VISITS).whole[:, 0]


def own_kinetics(name: str) -> dict[str, float]:
    """Typical kinetics of a drug that `bench_exact.py` does not draw."""
    kinetics = read_drugs()[name].kinetics
    return {key: float(getattr(kinetics, key)) for key in kinetics.__dataclass_fields__}


def compare(first: Oracle, other: BindingOracle, inputs: dict[str, Any], name: str) -> dict[str, Any]:
    """Differences of one patient under one regimen, by part of binding."""
    balance = run(first, inputs)
    row: dict[str, Any] = {"patient": inputs["patient"], "regimen": name, "balance": find_class(balance)}
    for step in STEPS:
        other.choose(step)
        full = run(other, inputs)
        row[step] = {"error": float(np.abs(full - balance).max() / balance[0]), "class": find_class(full)}
    if "bevacizumab" in REGIMENS[name]:
        kinetics = inputs["kinetics"]["bevacizumab"]
        other.choose("speed of binding", degrade_bound=kinetics["clearance"] / kinetics["volume"])
        full = run(other, inputs)
        row[KEPT_VEGF] = {
            "error": float(np.abs(full - balance).max() / balance[0]),
            "class": find_class(full),
        }
    return row


def fill(patients: range, cache: Path, *, minutes: float) -> list[dict[str, Any]]:
    """Rows of patients, from the cache where they are there."""
    stop, rows = time.monotonic() + 60 * minutes, list[dict[str, Any]]()
    sides: dict[str, tuple[Oracle, BindingOracle]] = {}
    for number in patients:
        inputs: dict[str, Any] = {}
        for name, drugs in REGIMENS.items():
            file = cache / f"{number:05d}-{name.replace(' ', '')}.json"
            row = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
            if not row and time.monotonic() < stop:
                if name not in sides:
                    sides[name] = Oracle(1, drugs), BindingOracle(1, drugs)
                inputs = inputs or draw_patient(number * MOST_LESIONS)  # every third has one lesion
                try:
                    row = compare(*sides[name], inputs, name)
                except RuntimeError as error:  # theirs: CVODE gives up
                    row = {"patient": inputs["patient"], "regimen": name, "unsolved": str(error)[:60]}
                part = file.with_suffix(".part")
                part.write_text(json.dumps(row), encoding="utf-8")
                os.replace(part, file)  # noqa: PTH105
            rows += [row] if row else []
    return rows


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Largest and typical differences, and share of equal classes, by part of binding and regimen."""
    table: dict[str, Any] = {}
    for step in [*STEPS, KEPT_VEGF]:
        for name in [*REGIMENS, "every regimen"]:
            own = [r for r in rows if name in (r["regimen"], "every regimen") and step in r]
            if not own:
                continue
            errors = np.array([r[step]["error"] for r in own])
            table.setdefault(step, {})[name] = {
                "runs": len(own),
                "worst": float(errors.max()),
                "p95": float(np.quantile(errors, 0.95)),
                "median": float(np.median(errors)),
                "within": float((errors <= LIMITS["diameter"]).mean()),
                "same_class": float(np.mean([r[step]["class"] == r["balance"] for r in own])),
            }
    return table


def make_table(result: dict[str, Any]) -> str:
    """Markdown table of all of binding against the balances."""
    lines = [
        "| regimen | runs | diameter, worst (of baseline) | 95 % of runs | within 2 % | same best response |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in result["summary"]["all"].items():
        shares = [f"{100 * row[key]:.1f} %" for key in ("worst", "p95", "within", "same_class")]
        lines.append("| " + " | ".join([name, str(row["runs"]), *shares]) + " |")
    return "\n".join([*lines, "", f"Full binding that CVODE gave up: {len(result['unsolved'])}."])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", default="0:60", help="first:last, last not included")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--page", action="store_true", help="write the table into the docs")
    given = parser.parse_args()
    first, _, last = given.patients.partition(":")
    given.cache.mkdir(parents=True, exist_ok=True)
    rows = fill(range(int(first), int(last)), given.cache, minutes=given.minutes)
    unsolved = [row for row in rows if "unsolved" in row]
    result = {
        "model": digest_model(),
        "limits": LIMITS,
        "days": DAYS,
        "summary": summarise([row for row in rows if "unsolved" not in row]),
        "unsolved": unsolved,
    }
    text = json.dumps(result, indent=2)
    print(text)
    if given.results:
        given.results.write_text(text + "\n", encoding="utf-8")
    if given.page:
        write_between(PAGE, make_table(result), start=START, end=END)


if __name__ == "__main__":
    main()
