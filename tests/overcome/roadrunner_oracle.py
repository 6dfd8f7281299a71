"""Another's answer to a treated patient: libRoadRunner on the exported SBML, with the kinetics as equations.

Nothing of our integrator and nothing of the closed form in `pk.py` has a part in it. The kinetics of each
drug (gut, central and peripheral compartment, clearance that changes over months, saturable clearance) are
written here as differential equations, and CVODE of libRoadRunner solves them together with the model. Doses
are added between segments. Hazards that cross their thresholds are found on dense output by root finding.

Clones of less than one cell that fall are set to zero at the end of a segment, as the model says.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicHermiteSpline
from scipy.optimize import brentq

from hccresist.overcome.dosing import Drug, find_regimen, read_drugs
from hccresist.overcome.model.export import write_antimony
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.model.patients import make_parameters

HAZARDS = ("hazard_new", "hazard_death", "hazard_dropout")
CLONES = ("sensitive", "tolerant", "escaped", "both")
LONGEST = 7.0
"""Longest segment (days)."""
POINTS = 9
"""Points of dense output of a segment: every three hours between tablets, a day or less else."""


@dataclass(frozen=True)
class Dosed:
    """A drug as one patient has it: kinetics by name, doses (mg) on days."""

    kinetics: Mapping[str, float]
    days: np.ndarray
    amounts: np.ndarray


@dataclass(frozen=True)
class Answer:
    """What comes out.

    Attributes
    ----------
    whole, viable
        Diameters (mm); shape = (n_visits, n_lesions).
    levels
        Concentrations (mg/L) by drug; shape = (n_visits,).
    hazards
        Cumulative hazards by name; shape = (n_visits,).
    events
        Day on which each hazard crosses its threshold; infinite where it does not.
    """

    visits: np.ndarray
    whole: np.ndarray
    viable: np.ndarray
    levels: dict[str, np.ndarray]
    hazards: dict[str, np.ndarray]
    events: dict[str, float]


def kinetics_text(name: str) -> str:
    """Differential equations of one drug, in Antimony; amounts in mg, time in days."""
    return f"""
  clearance_{name} = 1; volume_{name} = 1; flow_{name} = 0; peripheral_{name} = 1; absorption_{name} = 0;
  change_{name} = 0; change_half_{name} = 1; change_hill_{name} = 1; first_{name} = 0;
  vmax_{name} = 0; km_{name} = 1; inflow_{name} = 0;
  in_gut_{name} = 0; in_blood_{name} = 0; in_tissue_{name} = 0;
  level_{name} := in_blood_{name}/volume_{name};
  since_{name} := piecewise(time - first_{name}, time > first_{name}, 0);
  power_{name} := since_{name}^change_hill_{name};
  risen_{name} := power_{name}/(change_half_{name}^change_hill_{name} + power_{name});
  linear_{name} := clearance_{name}*exp(change_{name}*risen_{name})*level_{name};
  out_{name} := linear_{name} + vmax_{name}*level_{name}/(km_{name} + level_{name});
  swapped_{name} := flow_{name}*(level_{name} - in_tissue_{name}/peripheral_{name});
  in_gut_{name}' = inflow_{name} - absorption_{name}*in_gut_{name};
  in_blood_{name}' = absorption_{name}*in_gut_{name} - out_{name} - swapped_{name};
  in_tissue_{name}' = swapped_{name};
"""


def standard_level(drug: Drug) -> float:
    """Average level of the standard regimen in the typical patient: dose / interval / clearance (mg/L)."""
    regimen = find_regimen(drug.name)
    return regimen.dose * (75.0 if regimen.per_kg else 1.0) / regimen.every_days / drug.kinetics.clearance


def effects_text(drugs: Sequence[Drug]) -> dict[str, str]:
    """What the drugs do, as expressions of their levels, by drug effect."""
    found: dict[str, str] = {}
    for exposure in read_model().exposures:
        parts = [
            f"level_{d.name}/{d.half_effects[exposure.name]!r}"
            for d in drugs
            if exposure.name in d.half_effects
        ]
        parts += [
            f"{d.effects[exposure.name] / standard_level(d)!r}*level_{d.name}"
            for d in drugs
            if exposure.name in d.effects
        ]
        total = " + ".join(parts) or "0"
        share = exposure.name.startswith(("block_", "deplete_"))
        found[exposure.name] = f"({total})/(1 + {total})" if share else total
    killing = [d for d in drugs if d.effects.get("dose_kill") and d.effects.get("efflux_affinity")]
    carried = " + ".join(
        f"{d.effects['efflux_affinity']!r}*{d.effects['dose_kill'] / standard_level(d)!r}*level_{d.name}"
        for d in killing
    )
    found["efflux_affinity"] = f"({carried})/(dose_kill + 1e-30)" if carried else "0"
    return found


def oracle_text(lesions: int, drugs: Sequence[Drug]) -> str:
    """The exported model with kinetics in place of constant drug effects."""
    model = read_model()
    size = len(model.patient.states) + lesions * len(model.lesion.states)
    text = write_antimony(make_parameters(lesions), np.ones(size)).rstrip().removesuffix("end")
    effects = effects_text(drugs)
    for name, formula in effects.items():
        text, count = re.subn(rf"^  {name} = 0\.0;.*$", f"  {name} := {formula};", text, flags=re.MULTILINE)
        assert count == 1, name
    return text + "".join(kinetics_text(drug.name) for drug in drugs) + "end\n"


def load_text(text: str):
    """A runner of Antimony text, compiled with little optimisation (that is where loading takes its time)."""
    antimony = importlib.import_module("antimony")
    roadrunner = importlib.import_module("roadrunner")
    Config = roadrunner.Config  # noqa: N806  (their name)

    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString(text) < 0:
        raise ValueError(antimony.getLastError())
    keys = (
        Config.LLVM_BACKEND,
        Config.LLJIT_OPTIMIZATION_LEVEL,
        Config.LOADSBMLOPTIONS_MUTABLE_INITIAL_CONDITIONS,
    )
    before = [Config.getValue(key) for key in keys]
    try:
        for key, value in zip(keys, (Config.LLJIT, 1, False), strict=True):
            Config.setValue(key, value)
        return roadrunner.RoadRunner(antimony.getSBMLString("hccresist"))
    finally:
        for key, value in zip(keys, before, strict=True):
            Config.setValue(key, value)


class Oracle:
    """The model of patients with so many lesions on given drugs, compiled by libRoadRunner once."""

    def __init__(
        self,
        lesions: int,
        drugs: Sequence[str],
        *,
        text: str = "",
        tolerances: tuple[float, float] = (1e-8, 1e-12),
    ) -> None:
        self.lesions, self.drugs = lesions, tuple(drugs)
        known = read_drugs()
        self.runner = load_text(text or oracle_text(lesions, [known[name] for name in drugs]))
        self.runner.integrator.relative_tolerance = tolerances[0]
        self.runner.integrator.absolute_tolerance = tolerances[1]
        self.runner.integrator.stiff = False  # Adams: the equations are not stiff, and restarts are cheap
        self.extra: dict[str, float] = {}
        self.follow: dict[str, str] = {}  # states that start at the value of a rule
        self.runner.integrator.maximum_num_steps = 200_000

    def set_patient(self, params: np.ndarray, state: np.ndarray) -> None:
        """Set parameters and states at the start."""
        model, runner = read_model(), self.runner
        shared, local = model.names("patient"), model.names("lesion")
        self.one_cell = float(params[shared.index("one_cell")])
        for name, value in zip(shared, params, strict=False):
            runner[name] = float(value)
        for i in range(self.lesions):
            own = params[len(shared) + i * len(local) :]
            for name, value in zip(local, own, strict=False):
                runner[f"{name}_{i + 1}"] = float(value)
        names = list(model.patient.states)
        names += [f"{name}_{i + 1}" for i in range(self.lesions) for name in model.lesion.states]
        for name, value in zip(names, state, strict=True):
            runner[name] = float(value)
        for name, value in self.extra.items():
            runner[name] = value
        for name, source in self.follow.items():
            runner[name] = float(runner[source])

    def run(
        self,
        params: np.ndarray,
        state: np.ndarray,
        *,
        dosed: Mapping[str, Dosed],
        visits: np.ndarray,
        thresholds: Mapping[str, float] | None = None,
    ) -> Answer:
        """Run one patient from the first visit to the last."""
        runner = self.runner
        runner.resetToOrigin()
        self.set_patient(params, state)
        for name in self.drugs:
            for key, value in dosed[name].kinetics.items():
                runner[f"{key}_{name}"] = float(value)
            runner[f"first_{name}"] = float(dosed[name].days[0]) if dosed[name].days.size else 0.0
        stops = self._stops(dosed, visits)
        sizes = [f"{kind}_{i + 1}" for i in range(self.lesions) for kind in ("whole_mm", "viable_mm")]
        shown = ["time", *HAZARDS, *(f"{name}'" for name in HAZARDS)]
        runner.timeCourseSelections = shown
        seen: dict[str, list[float]] = {
            name: [] for name in (*sizes, *HAZARDS, *(f"level_{d}" for d in self.drugs))
        }
        pieces: list[np.ndarray] = []
        wanted = set(visits.tolist())
        for start, end in zip(stops, [*stops[1:], None], strict=True):
            self._extinguish()
            if start in wanted:
                for name, values in seen.items():
                    values.append(float(runner[name]))
            if end is None:
                break
            self._give(dosed, start)
            pieces.append(np.array(runner.simulate(start, end, POINTS)))
        events = find_events(pieces, thresholds or {})
        table = {name: np.array(values) for name, values in seen.items()}
        return Answer(
            visits,
            np.column_stack([table[f"whole_mm_{i + 1}"] for i in range(self.lesions)]),
            np.column_stack([table[f"viable_mm_{i + 1}"] for i in range(self.lesions)]),
            {name: table[f"level_{name}"] for name in self.drugs},
            {name: table[name] for name in HAZARDS},
            events,
        )

    def _stops(self, dosed: Mapping[str, Dosed], visits: np.ndarray) -> list[float]:
        """Doses, visits, and so many days between that no segment is longer than `LONGEST`."""
        first, last = float(visits[0]), float(visits[-1])
        days = [visits, *(drug.days for drug in dosed.values()), np.arange(first, last, LONGEST)]
        found = np.unique(np.concatenate(days))
        return [float(day) for day in found if first <= day <= last]

    def _give(self, dosed: Mapping[str, Dosed], day: float) -> None:
        """Add the doses of a day: tablets to the gut, infusions to the blood."""
        for name in self.drugs:
            drug = dosed[name]
            for amount in drug.amounts[drug.days == day]:
                place = "in_gut" if drug.kinetics.get("absorption", 0.0) else "in_blood"
                self.runner[f"{place}_{name}"] = float(self.runner[f"{place}_{name}"]) + float(amount)

    def _extinguish(self) -> None:
        """Set clones of less than one cell that fall to zero."""
        for i in range(self.lesions):
            for clone in CLONES:
                name = f"{clone}_{i + 1}"
                if 0 < self.runner[name] < self.one_cell and self.runner[f"{name}'"] < 0:
                    self.runner[name] = 0.0


def find_events(pieces: Sequence[np.ndarray], thresholds: Mapping[str, float]) -> dict[str, float]:
    """Days on which hazards cross their thresholds, on dense output with its slopes."""
    found = dict.fromkeys(thresholds, np.inf)
    for k, name in enumerate(HAZARDS):
        if name not in thresholds:
            continue
        level = thresholds[name]
        for piece in pieces:
            times, values, slopes = piece[:, 0], piece[:, 1 + k], piece[:, 1 + len(HAZARDS) + k]
            if values[-1] < level:
                continue
            curve = CubicHermiteSpline(times, values - level, slopes)
            found[name] = float(times[0]) if values[0] >= level else float(brentq(curve, times[0], times[-1]))
            break
    return found
