"""A patient as a PEtab problem (version 1): for fitting and sampling with other software.

PEtab describes a parameter estimation problem by an SBML model and tables. Conditions hold what the drugs of
a regimen do on average: constant effects, since dosing over time is data and not part of the SBML. What may
be estimated is what differs between patients; priors are the distributions of ``parameters.csv``. Handles
stand in the table with their range and are not estimated unless that is changed.

References
----------
Schmiester L, et al. PEtab: Interoperable specification of parameter estimation problems in systems biology.
PLoS Comput Biol 2021;17:e1008646. doi:10.1371/journal.pcbi.1008646
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from hccresist.errors import ConfigError
from hccresist.overcome.dosing import find_regimen, find_weights, make_doses, read_drugs, read_regimens
from hccresist.overcome.model.export import write_sbml
from hccresist.overcome.model.parameters import Model, Parameter, read_model
from hccresist.overcome.model.patients import Array

VISITS: Final = (0.0, 56.0, 112.0, 168.0, 224.0, 280.0, 336.0)
"""Days of the simulated measurements."""
PAIRS: Final = {
    "atezolizumab_bevacizumab": ("atezolizumab", "bevacizumab"),
    "durvalumab_tremelimumab": ("durvalumab", "tremelimumab"),
    "nivolumab_ipilimumab": ("nivolumab", "ipilimumab"),
    "camrelizumab_apatinib": ("camrelizumab", "apatinib"),
    "lenvatinib_pembrolizumab": ("lenvatinib", "pembrolizumab"),
}
"""Combinations that have a condition beside every regimen of a single drug."""
NOISE_MM: Final = 1.5
"""Standard deviation of a measured diameter (mm): an assumption, to be replaced by the reader's own."""
NOISE_SHARE: Final = 0.1
"""Standard deviation of the logarithm of a blood marker: an assumption."""
MARKERS: Final = ("afp", "dcp")
"""Blood markers that are observed, on a logarithmic scale."""
_WIDE: Final = 4.0
"""Standard deviations of the prior that the bounds of a lognormal parameter are away."""

Row = Mapping[str, object]


def find_average_effects(regimens: Sequence[str], *, weight_kg: float = 75.0) -> dict[str, float]:
    """Find what regimens given together do at the mean level of each: dose over interval and clearance.

    Raises
    ------
    ConfigError
        Where a regimen or drug is not of the model.

    Examples
    --------
    >>> found = find_average_effects(["nivolumab_q2w"])
    >>> 0.9 < found["block_pd1"] < 1
    True
    """
    names = [exposure.name for exposure in read_model().exposures]
    total: dict[str, float] = dict.fromkeys(names, 0.0)
    for name in regimens:
        regimen = find_regimen(name)
        drug = read_drugs()[regimen.drug]
        # Drugs that are given only so often, or with weeks off, count over the course that is planned.
        span = regimen.cycle_days or regimen.every_days * (regimen.doses or 1)
        amount = float(make_doses(regimen, until=span, weight_kg=weight_kg).amounts.sum())
        level = amount / span / drug.kinetics.clearance
        for effect, weight in zip(names, find_weights(drug), strict=True):
            total[effect] += level * float(weight)
    return _saturated(total)


def _saturated(total: Mapping[str, float]) -> dict[str, float]:
    """Effects as the model takes them: shares of targets saturate; efflux is the mean affinity."""
    shares = {k: v / (1 + v) for k, v in total.items() if k.startswith(("block_", "deplete_"))}
    kill = total["dose_kill"]
    affinity = total["efflux_affinity"] / kill if kill else 0.0
    return {**total, **shares, "efflux_affinity": affinity}


def list_conditions() -> list[dict[str, object]]:
    """List the conditions: no drug, every regimen alone, and the combinations, with their average effects."""
    given = {"untreated": ()} | {name: (name,) for name in read_regimens()} | PAIRS
    return [
        {"conditionId": name, "conditionName": " + ".join(parts) or "no drug", **find_average_effects(parts)}
        for name, parts in given.items()
    ]


def list_observables(lesions: int) -> list[dict[str, object]]:
    """List what is observed: whole and viable diameter of every lesion, AFP and DCP."""
    rows: list[dict[str, object]] = []
    for i in range(lesions):
        for output, words in (("whole_mm", "whole"), ("viable_mm", "viable")):
            rows.append(_observable(f"{output}_{i + 1}", f"{words} diameter of lesion {i + 1} (mm)", "sd_mm"))
    rows += [
        _observable("afp", "alpha-fetoprotein (ng/mL)", "sd_marker", scale="log"),
        _observable("dcp", "des-gamma-carboxy prothrombin (mAU/mL)", "sd_marker", scale="log"),
    ]
    return rows


def _observable(name: str, words: str, noise: str, *, scale: str = "lin") -> dict[str, object]:
    return {
        "observableId": f"obs_{name}",
        "observableName": words,
        "observableFormula": name,
        "observableTransformation": scale,
        "noiseFormula": noise,
        "noiseDistribution": "normal",
    }


def list_estimates(params: Array, lesions: int) -> list[dict[str, object]]:
    """List the parameters that differ between patients, with scale, bounds, nominal value and prior."""
    model = read_model()
    shared, local = model.names("patient"), model.names("lesion")
    values = dict(zip(shared, (float(v) for v in params), strict=False))
    rows: list[dict[str, object]] = []
    for parameter in model.parameters:
        if parameter.distribution == "fixed":
            continue
        if parameter.scope == "patient":
            rows.append(_estimate(parameter, parameter.name, values[parameter.name]))
            continue
        for i in range(lesions):
            place = len(shared) + i * len(local) + local.index(parameter.name)
            rows.append(_estimate(parameter, f"{parameter.name}_{i + 1}", float(params[place])))
    for name, value in (("sd_mm", NOISE_MM), ("sd_marker", NOISE_SHARE)):
        rows.append(
            _row(name, "standard deviation of a measurement", "log10", (value / 10, value * 10), value)
        )
    return rows


def _estimate(parameter: Parameter, name: str, value: float) -> dict[str, object]:
    """One row of the parameter table."""
    if parameter.distribution == "lognormal":
        spread = parameter.spread or 0.0
        factor = math.exp(_WIDE * spread)
        bounds = (min(parameter.value / factor, value), max(parameter.value * factor, value))
        prior = ("logNormal", f"{math.log(parameter.value)!r};{spread!r}")
        return _row(name, parameter.meaning, "log10", bounds, value, prior=prior, estimate=True)
    bounds = (min(parameter.low or 0.0, value), max(parameter.high or 0.0, value))
    if parameter.distribution == "loguniform":
        return _row(name, parameter.meaning, "log10", bounds, value, estimate=True)
    handle = parameter.distribution == "handle"
    return _row(name, parameter.meaning, "lin", bounds, value, estimate=not handle)


def _row(
    name: str,
    meaning: str,
    scale: str,
    bounds: tuple[float, float],
    value: float,
    *,
    prior: tuple[str, str] = ("", ""),
    estimate: bool = False,
) -> dict[str, object]:
    return {
        "parameterId": name,
        "parameterName": meaning,
        "parameterScale": scale,
        "lowerBound": bounds[0],
        "upperBound": bounds[1],
        "nominalValue": value,
        "estimate": int(estimate),
        "objectivePriorType": prior[0],
        "objectivePriorParameters": prior[1],
    }


def simulate_measurements(
    params: Array, state: Array, *, condition: str = "untreated", visits: Sequence[float] = VISITS
) -> list[dict[str, object]]:
    """Measurements without error of the patient under one condition, in the columns of PEtab.

    Raises
    ------
    ConfigError
        Where there is no such condition.
    """
    from hccresist.overcome.model.patients import make_drugs, run_patient  # noqa: PLC0415  (loads Numba)

    known = {str(row["conditionId"]): row for row in list_conditions()}
    if condition not in known:
        message = f"no condition {condition!r}. Known: {', '.join(known)}"
        raise ConfigError(message)
    effects = {e.name: float(str(known[condition][e.name])) for e in read_model().exposures}
    run = run_patient(state, params, visits, drugs=make_drugs(effects, intervals=len(visits) - 1))
    states = read_model().patient.states
    series: dict[str, Array] = {
        name: run.state(name) if name in states else run.output(name) for name in MARKERS
    }
    for i in range(run.lesions):
        for name in ("whole_mm", "viable_mm"):
            series[f"{name}_{i + 1}"] = run.output(name, lesion=i)
    return [
        {
            "observableId": f"obs_{name}",
            "simulationConditionId": condition,
            "measurement": float(value),
            "time": float(day),
        }
        for name, values in sorted(series.items())
        for day, value in zip(visits, values, strict=True)
        if value > 0 or name not in MARKERS  # no logarithm of a marker that has gone
    ]


def write_petab(
    folder: Path,
    params: Array,
    state: Array,
    *,
    measurements: Iterable[Row] | None = None,
) -> list[Path]:
    """Write a patient as a PEtab problem.

    Parameters
    ----------
    folder
        Folder that is there and empty.
    params, state
        Parameters and states at the start, as `make_parameters` and `start_state` give them.
    measurements
        Rows with observableId, simulationConditionId, measurement and time (days); without them,
        the patient's own untreated course and that under every condition of `PAIRS`, simulated without error.

    Returns
    -------
    list
        Files written: model, conditions, observables, measurements, parameters, and the problem.

    Raises
    ------
    ConfigError
        Where the antimony package (extra ``model``) is not installed.
    """
    model = read_model()
    lesions = _count_lesions(model, state)
    text = write_sbml(params, state)
    rows = list(measurements) if measurements is not None else _own_course(params, state)
    tables: dict[str, Sequence[Row]] = {
        "conditions.tsv": list_conditions(),
        "observables.tsv": list_observables(lesions),
        "measurements.tsv": rows,
        "parameters.tsv": list_estimates(params, lesions),
    }
    written = [_write(folder / "model.xml", text)]
    written += [_write(folder / name, _table(content)) for name, content in tables.items()]
    written.append(_write(folder / "problem.yaml", _PROBLEM))
    return written


def _count_lesions(model: Model, state: Array) -> int:
    return (state.size - len(model.patient.states)) // len(model.lesion.states)


def _own_course(params: Array, state: Array) -> list[dict[str, object]]:
    conditions = ("untreated", *PAIRS)
    return [row for name in conditions for row in simulate_measurements(params, state, condition=name)]


def _table(rows: Sequence[Row]) -> str:
    """Tab-separated text with a header."""
    head = list(rows[0]) if rows else ["observableId", "simulationConditionId", "measurement", "time"]
    lines = ["\t".join(head), *("\t".join(_cell(row[name]) for name in head) for row in rows)]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    """One cell: numbers to the last digit, texts without tabs."""
    return repr(float(value)) if isinstance(value, float) else " ".join(str(value).split())


def _write(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8", newline="\n")
    return file


_PROBLEM: Final = """\
format_version: 1
parameter_file: parameters.tsv
problems:
  - sbml_files: [model.xml]
    condition_files: [conditions.tsv]
    observable_files: [observables.tsv]
    measurement_files: [measurements.tsv]
"""
