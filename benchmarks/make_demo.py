"""Write the bundled demo study: 60 simulated patients in two arms. Every number is invented.

The patients are drawn from a few hand-made courses (responders, stable disease, necrosis that only
mRECIST sees, pseudoprogression, progression …) with a fixed seed. Nothing is fitted to a trial and
nothing here says anything about a drug.

Run from the repository root; the files are the same each time::

    python benchmarks/make_demo.py
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

SEED = 20_250_612
PATIENTS = 60
FOLDER = Path(__file__).resolve().parents[1] / "src" / "hccresist" / "data" / "demo"
ARMS = ("atezolizumab-bevacizumab", "sorafenib")
VISITS = (*range(42, 379, 42), *range(441, 757, 63))

TOML = """\
# A simulated study: every patient and every number is invented.

[study]
name = "demo"
title = "Simulated example: 60 patients in two arms"
index_line = 1
simulated = true
criteria = ["recist11", "mrecist", "irecist"]
planned_visit_days = [{days}]
"""


@dataclass(frozen=True)
class Course:
    """How the tumours of a patient go: invented, per day; `escape` differs between patients.

    `shrink` is the rate at which the sensitive share falls, `share` that share, `grow` the growth of
    the rest, `necrosis` the rate at which the viable part falls faster than the size, `flare` an early
    swelling (share of the size, day of its peak), `new_lesions` their hazard a day before and after
    `escape`, the day from which growth doubles.
    """

    name: str
    shrink: float
    share: float
    grow: float
    escape: float
    necrosis: float = 0.0
    flare: float = 0.0
    new_lesions: float = 0.0004
    death: float = 0.0007


COURSES = (
    Course("progression", 0.002, 0.10, 0.0032, 35, new_lesions=0.0011, death=0.0024),
    Course("stable", 0.007, 0.24, 0.0008, 170, necrosis=0.0010, death=0.0015),
    Course("necrosis", 0.007, 0.18, 0.0006, 230, necrosis=0.0120, death=0.0012),
    Course("response", 0.013, 0.72, 0.0011, 330, necrosis=0.0060, death=0.0009),
    Course("complete", 0.030, 1.00, 0.0000, 9999, necrosis=0.0200, new_lesions=0.0, death=0.0003),
    Course("pseudoprogression", 0.014, 0.75, 0.0006, 500, necrosis=0.0050, flare=0.75, death=0.0006),
    Course("rapid", 0.000, 0.00, 0.0055, 0, new_lesions=0.0060, death=0.0055),
)
COUNTS = {ARMS[0]: (6, 8, 3, 8, 2, 2, 1), ARMS[1]: (9, 13, 4, 2, 0, 0, 2)}
"""Patients of each course, by arm."""
LARGEST_MM = 220
SITES = ("liver", "liver", "liver", "lung", "lymph_node", "adrenal", "peritoneum")
"""Sites from which the lesions after the first are drawn."""


@dataclass
class Lesion:
    """One lesion of a patient, with its own luck."""

    name: str
    role: str
    organ: str
    size_mm: float
    luck: float
    viable: float
    first_day: float = -1e9

    @property
    def node(self) -> bool:
        """The short axis counts."""
        return self.organ == "lymph_node"


@dataclass
class Tables:
    """Rows of the study, by table."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: str, **row: Any) -> None:
        """Add a row; empty values are left out of the file."""
        self.rows.setdefault(table, []).append(row)

    def write(self, folder: Path) -> None:
        """Write one CSV a table, columns in order of first use."""
        for table, rows in self.rows.items():
            names = list(dict.fromkeys(name for row in rows for name in row))
            with (folder / f"{table}.csv").open("w", newline="", encoding="utf-8") as handle:
                writer = csv.writer(handle, lineterminator="\n")
                writer.writerow(names)
                writer.writerows([[_text(row.get(name)) for name in names] for row in rows])


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _pick(rng: np.random.Generator, words: Sequence[str], weights: Sequence[float]) -> str:
    return str(rng.choice(words, p=np.array(weights) / sum(weights)))


def draw_lesions(rng: np.random.Generator) -> list[Lesion]:
    """Draw targets (at most two a site) and non-targets of one patient."""
    lesions: list[Lesion] = []
    for i in range(int(rng.choice([1, 2, 3, 4], p=[0.25, 0.35, 0.25, 0.15]))):
        organ = "liver" if i == 0 else str(rng.choice(SITES))
        if sum(lesion.organ == organ for lesion in lesions) == 2:
            continue
        size = float(np.clip(rng.lognormal(3.75, 0.45), 16, 140)) if organ == "liver" else rng.uniform(16, 38)
        viable = float(rng.uniform(0.82, 1.0)) if organ == "liver" else 1.0
        lesions.append(Lesion(f"T{len(lesions) + 1}", "target", organ, size, rng.normal(1, 0.18), viable))
    for i in range(int(rng.choice([0, 1, 2], p=[0.4, 0.4, 0.2]))):
        organ = _pick(rng, ("liver", "portal_vein", "lung", "bone"), (0.5, 0.25, 0.15, 0.1))
        lesions.append(Lesion(f"N{i + 1}", "nontarget", organ, rng.uniform(8, 15), 1.0, 1.0))
    return lesions


def size_at(lesion: Lesion, course: Course, day: float) -> tuple[float, float]:
    """Return the true diameter and the viable share of a lesion on a day."""
    if day <= 0:
        return lesion.size_mm * math.exp(0.0012 * day), lesion.viable
    share = min(1.0, course.share * max(lesion.luck, 0.0))
    late = max(0.0, day - course.escape)  # growth doubles from escape on
    rest = (1 - share) * math.exp(course.grow * (day + late))
    swelling = course.flare * (day / 50) * math.exp(1 - day / 50)
    size = lesion.size_mm * (share * math.exp(-course.shrink * day) + rest + swelling)
    size = min(size, LARGEST_MM)
    regrowth = 1 - math.exp(-0.006 * late)
    viable = lesion.viable * max(math.exp(-course.necrosis * day), regrowth)
    return size, viable


class Patient:
    """One simulated patient, written table by table."""

    def __init__(self, number: int, course: Course, rng: np.random.Generator, tables: Tables) -> None:
        self.id = f"D{number + 1:02d}"
        self.rng = rng
        self.tables = tables
        self.arm = ARMS[number % 2]
        self.course = replace(
            course,
            share=min(1.0, course.share * float(rng.uniform(0.5, 1.6))),
            shrink=course.shrink * float(rng.lognormal(0, 0.35)),
            grow=course.grow * float(rng.lognormal(0, 0.4)),
            escape=course.escape * float(rng.lognormal(0, 0.4)),
        )
        self.ecog = int(rng.choice([0, 1], p=[0.6, 0.4]))
        self.lesions = draw_lesions(rng)
        self.cut_off = float(rng.integers(430, 800))
        self.baseline_day = -float(rng.integers(1, 22))
        self.afp = float(rng.lognormal(5.2, 2.0)) if rng.random() < 0.75 else float(rng.uniform(2, 9))
        self.albumin = float(rng.normal(39, 4))
        self.bilirubin = float(rng.lognormal(2.5, 0.35))

    def simulate(self) -> None:
        """Write every table of this patient."""
        hazard = self.course.death * float(self.rng.lognormal(0, 0.3))
        death = max(20.0, float(np.round(self.rng.weibull(1.25) / hazard)))
        end = min(death, self.cut_off)
        stop = self.scan(end)
        self.write_patient()
        self.write_treatment(stop, end)
        self.write_survival(death)

    def write_patient(self) -> None:
        """Write what is known at the start."""
        rng, lesions = self.rng, self.lesions
        invasion = any(lesion.organ == "portal_vein" for lesion in lesions)
        spread = any(lesion.organ not in {"liver", "portal_vein"} for lesion in lesions)
        self.tables.add(
            "patients",
            patient_id=self.id,
            arm=self.arm,
            age_years=int(np.clip(rng.normal(65, 9), 34, 86)),
            sex=_pick(rng, ("male", "female"), (0.82, 0.18)),
            aetiology=_pick(
                rng, ("hbv", "hcv", "alcohol", "masld", "unknown"), (0.42, 0.2, 0.15, 0.18, 0.05)
            ),
            bclc="C" if invasion or spread else "B",
            child_pugh_score=int(rng.choice([5, 6], p=[0.72, 0.28])),
            ecog=self.ecog,
            vascular_invasion=invasion,
            extrahepatic_spread=spread,
            centre=_pick(rng, ("North", "South", "East"), (0.4, 0.35, 0.25)),
        )

    def scan(self, end: float) -> float:
        """Write scans, laboratory values and observations; return the day on which treatment stopped."""
        self.write_scan(self.baseline_day)
        self.write_labs(self.baseline_day)
        self.tables.add(
            "observations", patient_id=self.id, day=self.baseline_day, name="ecog", value=str(self.ecog)
        )
        nadir = baseline = sum(lesion.size_mm for lesion in self.targets)
        progressed = 0
        for planned in VISITS:
            day = planned + float(self.rng.integers(-4, 6))
            if day >= end:
                return end
            if self.rng.random() < 0.04:
                continue
            self.meet_new_lesions(planned)
            total = self.write_scan(day)
            self.write_labs(day)
            grown = total >= 1.2 * nadir and total - nadir >= 5
            progressed += grown or any(lesion.role.startswith("new") for lesion in self.lesions)
            self.write_state(day, progressed=bool(progressed))
            nadir = min(nadir, total)
            if progressed >= (3 if self.arm == ARMS[0] else 1) and total > 0.7 * baseline:
                return day
        return end

    @property
    def targets(self) -> list[Lesion]:
        """Target lesions."""
        return [lesion for lesion in self.lesions if lesion.role == "target"]

    def meet_new_lesions(self, day: float) -> None:
        """Perhaps add a new lesion before a visit, more likely after escape."""
        hazard = self.course.new_lesions * (4 if day > self.course.escape else 1) * 42
        seen = [lesion for lesion in self.lesions if lesion.role.startswith("new")]
        if len(seen) < 4 and self.rng.random() < 1 - math.exp(-hazard):
            organ = _pick(self.rng, ("liver", "lung", "lymph_node", "bone"), (0.55, 0.2, 0.1, 0.15))
            role = "new_nontarget" if organ == "bone" else "new_target"
            size = float(self.rng.uniform(15.5 if organ == "lymph_node" else 10, 21))
            self.lesions.append(Lesion(f"X{len(seen) + 1}", role, organ, size, 1.0, 1.0, first_day=day))

    def write_scan(self, day: float) -> float:
        """Write one scan with its lesions; return the sum of the targets in mm."""
        rng = self.rng
        arterial = bool(day < 0 or rng.random() > 0.04)
        modality = "mri" if int(self.id[1:]) % 4 == 0 else "ct"
        self.tables.add(
            "visits",
            patient_id=self.id,
            day=day,
            modality=modality,
            arterial_phase=arterial,
            slice_mm=3 if modality == "mri" else 2.5,
            adequate=True,
        )
        total = 0.0
        for lesion in self.lesions:
            total += self.write_lesion(lesion, day, arterial=arterial)
        return total

    def write_lesion(self, lesion: Lesion, day: float, *, arterial: bool) -> float:
        """Write one lesion at one scan; return what it adds to the sum of the targets."""
        key = {
            "patient_id": self.id,
            "lesion_id": lesion.name,
            "day": day,
            "role": lesion.role,
            "organ": lesion.organ,
        }
        if lesion.role in {"nontarget", "new_nontarget"}:
            self.tables.add("lesions", **key, **self.read_nontarget(lesion, day))
            return 0.0
        if day > 0 and self.rng.random() < 0.012:
            self.tables.add("lesions", **key, state="not_evaluable")
            return 0.0
        size, viable = self.measure(lesion, day)
        row = self.read_size(lesion, size, viable, arterial=arterial)
        self.tables.add("lesions", **key, **row)
        if lesion.role != "target":
            return 0.0
        return float(row.get("short_axis_mm" if lesion.node else "longest_mm") or 0.0)

    def measure(self, lesion: Lesion, day: float) -> tuple[float, float]:
        """Return what a reader measures: diameter in mm and viable share."""
        if lesion.role == "new_target":
            grow = max(self.course.grow, 0.002)
            size, viable = lesion.size_mm * math.exp(grow * (day - lesion.first_day)), 1.0
        else:
            size, viable = size_at(lesion, self.course, day)
        return size * float(self.rng.normal(1, 0.03)), viable

    def read_size(self, lesion: Lesion, size: float, viable: float, *, arterial: bool) -> dict[str, Any]:
        """Return the columns of a measured lesion."""
        if lesion.node:
            short = round(max(size, 4.0))
            return {"longest_mm": round(short * 1.35), "short_axis_mm": short, "state": "present"}
        if size < 3:
            return {"longest_mm": 0, "viable_mm": 0 if lesion.organ == "liver" else None, "state": "absent"}
        if size < 6:
            return {"state": "too_small", "viable_mm": 0 if lesion.organ == "liver" else None}
        row: dict[str, Any] = {"longest_mm": round(size), "state": "present"}
        if lesion.organ == "liver":
            row["washout"] = True
            if arterial:
                row["viable_mm"] = 0 if viable < 0.12 else round(size * viable)
        return row

    def read_nontarget(self, lesion: Lesion, day: float) -> dict[str, Any]:
        """Return the columns of a lesion that is only described."""
        late = day > self.course.escape + 30 and self.course.grow > 0.002
        if day > 0 and lesion.role == "nontarget" and self.course.name == "complete" and day > 100:
            return {"state": "absent"}
        if late and self.rng.random() < 0.3:
            return {"state": "unequivocal_progression"}
        return {"state": "present"}

    def write_labs(self, day: float) -> None:
        """Write the laboratory values of a visit."""
        rng = self.rng
        size, viable = size_at(self.lesions[0], self.course, max(day, 0.0))
        burden = max(0.02, (size * viable / self.lesions[0].size_mm) ** 1.8)
        afp = self.afp * (burden if self.afp > 10 else 1.0) * float(rng.lognormal(0, 0.12))
        self.albumin -= 0.25 if day > 0 else 0.0
        values = {
            "afp": (float(f"{afp:.3g}"), "ng/mL"),
            "albumin": (round(self.albumin + rng.normal(0, 1)), "g/L"),
            "bilirubin": (round(self.bilirubin * rng.lognormal(0, 0.15)), "umol/L"),
            "inr": (round(float(rng.normal(1.08, 0.06)), 2), "1"),
            "crp": (round(float(rng.lognormal(1.6, 0.8)), 1), "mg/L"),
            "neutrophils": (round(float(rng.normal(4.0, 1.0)), 1), "10^9/L"),
            "lymphocytes": (round(max(0.4, float(rng.normal(1.4, 0.35))), 1), "10^9/L"),
            "platelets": (round(max(45.0, float(rng.normal(165, 50)))), "10^9/L"),
        }
        for test, (value, unit) in values.items():
            if test in {"afp", "albumin", "bilirubin"} or day < 0:
                self.tables.add("labs", patient_id=self.id, day=day, test=test, value=value, unit=unit)

    def write_state(self, day: float, *, progressed: bool) -> None:
        """Write how the patient is at a visit."""
        if progressed:
            stable = self.course.name == "pseudoprogression" or self.rng.random() < 0.5
            value = "true" if stable else "false"
            self.tables.add(
                "observations", patient_id=self.id, day=day, name="clinical_stability", value=value
            )

    def write_treatment(self, stop: float, end: float) -> None:
        """Write the drugs of the index line, a later line and local procedures."""
        rng, id_ = self.rng, self.id
        on_until_end = stop >= end
        reason = _pick(rng, ("ongoing", "toxicity"), (0.8, 0.2)) if on_until_end else "progression"
        last = None if reason == "ongoing" else stop - (float(rng.integers(1, 9)) if stop > 30 else 0.0)
        drugs = {"atezolizumab": "1200 mg q3w", "bevacizumab": "15 mg/kg q3w"}
        if self.arm != ARMS[0]:
            drugs = {"sorafenib": "400 mg bid"}
        for drug, dose in drugs.items():
            self.tables.add(
                "treatments",
                patient_id=id_,
                line=1,
                drug=drug,
                start_day=0,
                end_day=last,
                dose=dose,
                end_reason=reason,
            )
        if reason == "progression" and end - stop > 40 and rng.random() < 0.55:
            drug = "lenvatinib" if self.arm == ARMS[0] else "regorafenib"
            start = stop + float(rng.integers(10, 29))
            self.tables.add(
                "treatments", patient_id=id_, line=2, drug=drug, start_day=start, end_reason="ongoing"
            )
        if rng.random() < 0.45:
            self.tables.add("procedures", patient_id=id_, day=-float(rng.integers(90, 700)), kind="tace")
        if self.course.name in {"response", "complete"} and end > 300 and rng.random() < 0.12:
            self.tables.add("procedures", patient_id=id_, day=float(rng.integers(230, 290)), kind="resection")

    def write_survival(self, death: float) -> None:
        """Write follow-up to death or data cut-off."""
        died = death <= self.cut_off
        cause = _pick(self.rng, ("tumour", "liver", "other"), (0.72, 0.2, 0.08)) if died else None
        self.tables.add(
            "survival", patient_id=self.id, os_days=min(death, self.cut_off), died=died, death_cause=cause
        )


def main() -> None:
    """Write the study folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    tables = Tables()
    shuffle = np.random.default_rng(SEED)
    course_of = {arm: shuffle.permutation(np.repeat(range(len(COURSES)), COUNTS[arm])) for arm in ARMS}
    for number, seed in enumerate(np.random.SeedSequence(SEED).spawn(PATIENTS)):
        course = COURSES[course_of[ARMS[number % 2]][number // 2]]
        Patient(number, course, np.random.default_rng(seed), tables).simulate()
    tables.write(FOLDER)
    days = ", ".join(str(day) for day in VISITS)
    (FOLDER / "study.toml").write_text(TOML.format(days=days), encoding="utf-8")


if __name__ == "__main__":
    main()
