"""Random small patients, made to hit ties, exact thresholds, zeros, missing rows and every state.

`random_rows` gives rows of the study tables as dictionaries, `study_frames` the same as checked
Polars frames with every declared column. The same seed gives the same patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from hccresist.study.tables import SCHEMAS

Row = dict[str, Any]
Rows = list[Row]
TABLES = ("patients", "treatments", "procedures", "visits", "lesions", "sums")

SIZES = (10.0, 14.0, 15.0, 20.0, 25.0, 27.0, 30.5, 40.0, 50.0, 100.0)
EDGES = (0.0, 4.0, 5.0, 9.9, 10.0, 10.1, 14.9, 15.0, 19.9, 20.0, 20.1)
GAPS = (14, 15, 20, 21, 27, 28, 29, 41, 42, 55, 56, 57, 84)
BASELINE_DAYS = (-28, -21, -14, -7, -1, 0, 1)
TARGET_ORGANS = (
    "liver",
    "liver",
    "liver",
    None,
    "lung",
    "lymph_node",
    "lymph_node",
    "mediastinum",
    "adrenal",
)
NONTARGET_ORGANS = (
    "liver",
    None,
    "portal_vein",
    "bone",
    "ascites",
    "pleural_effusion",
    "lymph_node",
    "porta_hepatis_node",
    "lung",
)
NEW_ORGANS = (
    "liver",
    "liver",
    None,
    "lung",
    "lymph_node",
    "porta_hepatis_node",
    "ascites",
    "portal_vein",
    "bone",
)
NODES = ("lymph_node", "porta_hepatis_node", "mediastinum")
"""Sites whose short axis is measured; for the mediastinum the column `node` has to say so."""


class Dice:
    """A block of uniform numbers, drawn once: fast and the same for the same seed."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._block: list[float] = []

    def uniform(self) -> float:
        """Return a number in [0, 1)."""
        if not self._block:
            self._block = self._rng.random(4096).tolist()
        return self._block.pop()

    def chance(self, p: float) -> bool:
        """Return true with probability p."""
        return self.uniform() < p

    def pick(self, options: Sequence[Any]) -> Any:
        """Return one of the options."""
        return options[int(self.uniform() * len(options))]

    def between(self, low: int, high: int) -> int:
        """Return a whole number from low to high, both included."""
        return low + int(self.uniform() * (high - low + 1))


@dataclass
class Patient:
    """What one series is made from: the scans, and the rows written so far."""

    name: str
    reader: str
    dice: Dice
    baseline: list[float]
    followup: list[list[float]]
    lesions: Rows = field(default_factory=list)
    sums: Rows = field(default_factory=list)
    visits: Rows = field(default_factory=list)

    @property
    def scans(self) -> list[float]:
        """Every scan day."""
        return [*self.baseline, *(day for visit in self.followup for day in visit)]

    def key(self, day: float) -> Row:
        """Key columns of a row."""
        return {"patient_id": self.name, "reader": self.reader, "day": float(day)}


def scan_days(dice: Dice) -> tuple[list[float], list[list[float]]]:
    """Days of baseline scans and of the scans of each follow-up visit."""
    baseline: list[float] = [dice.pick(BASELINE_DAYS)]
    if dice.chance(0.1):
        baseline.append(baseline[-1] + dice.pick((1, 5, 13, 14, 15)))
    if dice.chance(0.1):
        baseline.insert(0, baseline[0] - dice.pick((14, 15, 28, 40, 70)))
    if dice.chance(0.03):
        baseline = [dice.pick((-40, -29, 2, 3))]
    count = dice.between(8, 14) if dice.chance(0.04) else dice.between(0, 6)
    day = max(baseline[-1], 0) + dice.pick((13, 20, 27, 28, 41, 42, 43, 56))
    followup: list[list[float]] = []
    for _ in range(count):
        visit = [day]
        if dice.chance(0.15):
            visit.append(day + dice.pick((1, 3, 13, 14)))
        followup.append(visit)
        day = visit[-1] + dice.pick(GAPS)
    return baseline, followup


# Sizes


def exact(mm: float) -> float:
    """Millimetres in whole micrometres."""
    return round(mm, 3)


def moves(dice: Dice, count: int) -> list[str]:
    """What the disease does at each visit: the same move for all targets makes the sum hit a threshold."""
    words = (
        ("pr", "pr", "pd", "pd", "same", "same", "plus5", "less5", "zero", "random", "near", "drift", "small")
        if dice.chance(0.7)
        else ("pr", "zero", "zero", "near", "small", "same", "pd")
    )
    return [dice.pick(words) for _ in range(count)]


def moved(dice: Dice, move: str, track: list[float]) -> float:
    """The next size of a lesion: exact thresholds from its baseline and smallest size so far."""
    base, low, last = track[0], min(track), track[-1]
    sizes = {
        "pr": 0.7 * base,
        "pd": 1.2 * low,
        "same": last,
        "plus5": low + 5,
        "less5": max(0.0, last - 5),
        "zero": 0.0,
        "near": dice.pick((0.701, 0.699)) * base if dice.chance(0.5) else dice.pick((1.199, 1.201)) * low,
        "drift": 0.8 * base,
        "small": dice.pick(EDGES),
        "random": last * (0.5 + dice.uniform()),
    }
    return exact(sizes[move])


def tracks(dice: Dice, sizes: list[float], steps: list[str]) -> list[list[float]]:
    """Sizes of several lesions over time; most follow the common move."""
    paths = [[size] for size in sizes]
    for step in steps:
        for path in paths:
            own = step if dice.chance(0.85) else dice.pick(("same", "zero", "plus5", "random", "pd"))
            path.append(moved(dice, own, path))
    return paths


# Rows of lesions


def lesion_row(patient: Patient, name: str, day: float, **values: object) -> Row:
    """A row of `lesions` with every column."""
    columns = dict.fromkeys(SCHEMAS["lesions"].column_names())
    row = columns | patient.key(day) | {"lesion_id": name} | values
    return row | {"node": True} if row["organ"] == "mediastinum" else row


def sized_row(patient: Patient, name: str, day: float, *, organ: str | None, size: float) -> Row:
    """A row with a measurement: state may be left empty; nodes by short axis; viable as all, part or none."""
    dice = patient.dice
    row = lesion_row(patient, name, day, organ=organ)
    row["state"] = dice.pick(("present", None, None))
    if organ in NODES:
        row["short_axis_mm"] = size
        row["longest_mm"] = exact(size * 1.4) if dice.chance(0.5) else None
        return row
    row["longest_mm"] = size
    row["viable_mm"] = dice.pick((size, size, exact(0.7 * size), exact(size / 2), 0.0, None, size))
    return row


def unmeasured(dice: Dice, row: Row) -> Row:
    """Sometimes replace a measurement by what real tables hold: states without sizes."""
    blank = {"longest_mm": None, "short_axis_mm": None, "viable_mm": None}
    roll = dice.uniform()
    if roll < 0.03:
        return row | blank | {"state": "not_evaluable"}
    if roll < 0.05:
        return row | blank | {"state": "too_small"}
    if roll < 0.06:
        return row | {"state": "too_small"}
    if roll < 0.07:
        return row | blank | {"state": dice.pick((None, "present"))}
    if roll < 0.08:
        return row | {"state": dice.pick(("equivocal", "worsened", "unequivocal_progression"))}
    return row


def vanished(dice: Dice, row: Row) -> Row:
    """A size of zero is written as zero or as absent."""
    if dice.chance(0.5):
        return row | {"state": "absent", "longest_mm": None, "short_axis_mm": None, "viable_mm": None}
    return row


def write_track(
    patient: Patient, name: str, path: list[float], *, organ: str | None, role: str | None
) -> None:
    """Rows of a lesion measured at baseline and at every follow-up scan."""
    dice = patient.dice
    steady = dice.chance(0.4)
    plan = [(day, path[0]) for day in patient.baseline]
    plan += [(day, size) for visit, size in zip(patient.followup, path[1:], strict=True) for day in visit]
    for day, size in plan:
        if dice.chance(0.01 if steady else 0.04):
            continue
        row = sized_row(patient, name, day, organ=organ, size=size)
        row["role"] = role if dice.chance(0.95) else None
        if size == 0:
            row = vanished(dice, row)
        elif not steady:
            row = unmeasured(dice, row)
        patient.lesions.append(row)


def add_targets(patient: Patient, *, role: str | None, count: int) -> None:
    """Targets, or lesions from which targets are chosen."""
    dice = patient.dice
    organs = [dice.pick(TARGET_ORGANS) for _ in range(count)]
    sizes = [dice.pick(SIZES) if dice.chance(0.85) else dice.pick(EDGES) for _ in range(count)]
    paths = tracks(dice, sizes, moves(dice, len(patient.followup)))
    for i, (organ, path) in enumerate(zip(organs, paths, strict=True)):
        special = dice.pick(("portal_vein", "porta_hepatis_node", "bone", "ascites", "spleen"))
        place = organ if dice.chance(0.93) else special
        write_track(patient, f"T{i + 1}", path, organ=place, role=role)


def add_nontarget(patient: Patient, name: str, *, role: str | None) -> None:
    """A non-target: mostly states, sometimes sizes."""
    dice = patient.dice
    organ = dice.pick(NONTARGET_ORGANS)
    words = (
        ("present",) * 6 + ("absent",) * 3 + ("worsened", "unequivocal_progression", "not_evaluable", None)
    )
    calm = ("present", "present", "present", "absent", "absent")
    options = calm if dice.chance(0.5) else words
    for day in patient.scans:
        if dice.chance(0.04):
            continue
        state = "present" if day in patient.baseline and dice.chance(0.9) else dice.pick(options)
        row = lesion_row(patient, name, day, organ=organ, role=role, state=state)
        if state != "absent" and dice.chance(0.4):
            size = dice.pick(EDGES)
            row |= {"short_axis_mm": size} if organ in NODES else {"longest_mm": size}
            row["viable_mm"] = dice.pick((0.0, size, None)) if organ in {None, "liver"} else None
        patient.lesions.append(row)


def add_new_lesion(patient: Patient, name: str, *, role: str | None) -> None:
    """A lesion first seen in follow-up: equivocal then proven, growing, fading, with or without wash-out."""
    dice = patient.dice
    days = [day for visit in patient.followup for day in visit]
    first = dice.between(0, len(days) - 1)
    organ = dice.pick(NEW_ORGANS)
    size = dice.pick(EDGES[1:])
    washout = dice.pick((True, False, None))
    usual = dice.pick(("present", None, "equivocal"))
    for day in days[first:]:
        size = max(0.0, exact(size + dice.pick((0, 0, 0, 1, 4.9, 5, 10, -5, -10))))
        state = usual if dice.chance(0.7) else dice.pick(("present", "equivocal", "absent", "worsened"))
        if dice.chance(0.04):
            state = dice.pick(("unequivocal_progression", "not_evaluable", "too_small", None))
        row = lesion_row(patient, name, day, organ=organ, role=role, state=state)
        if dice.chance(0.8) and state not in {"absent", "not_evaluable"}:
            row |= {"short_axis_mm": size} if organ in NODES else {"longest_mm": size}
            row["viable_mm"] = size if organ in {None, "liver"} and dice.chance(0.7) else None
        row["washout"] = washout if dice.chance(0.8) else None
        if not dice.chance(0.05):
            patient.lesions.append(row)


def add_split_or_merge(patient: Patient) -> None:
    """A part of T1 from a later scan on, or T2 merged into T1."""
    dice = patient.dice
    days = [day for visit in patient.followup for day in visit]
    start = dice.between(0, len(days) - 1)
    if dice.chance(0.5):
        organ = next((row["organ"] for row in patient.lesions if row["lesion_id"] == "T1"), None)
        for day in days[start:]:
            row = sized_row(patient, "T1b", day, organ=organ, size=dice.pick((2.0, 5.0, 10.0)))
            row |= {"split_from": "T1", "state": dice.pick(("present", None, "not_evaluable", "too_small"))}
            patient.lesions.append(row)
        return
    for row in patient.lesions:
        if row["lesion_id"] == "T2" and row["day"] in days[start:]:
            row |= {"state": "merged", "merged_into": "T1", "longest_mm": None, "short_axis_mm": None}
            row["viable_mm"] = None


# Other tables


def add_visits(patient: Patient, *, always: bool) -> None:
    """Rows of `visits` for some scans."""
    dice = patient.dice
    share = 1.0 if always else dice.pick((0.0, 0.3, 1.0))
    odd = dice.chance(0.4)
    for day in patient.scans:
        if not dice.chance(share):
            continue
        row: Row = dict.fromkeys(SCHEMAS["visits"].column_names()) | patient.key(day)
        row["adequate"] = dice.pick((True, None)) if dice.chance(0.95) else False
        row["arterial_phase"] = dice.pick((True, None)) if dice.chance(0.92) else False
        row["slice_mm"] = dice.pick((None, 2.5, 5.0, 7.0, 10.0))
        if odd:
            row |= odd_facts(dice, first=day == patient.scans[0])
        patient.visits.append(row)


def odd_facts(dice: Dice, *, first: bool) -> Row:
    """What a visit rarely records."""
    row: Row = {"fluid_cytology": dice.pick((None, None, None, "none", "not_done", "negative", "positive"))}
    row["markers_normal"] = dice.pick((None, None, True, False))
    if not first:
        row["new_lesion"] = dice.pick((None, None, None, False, True))
    if dice.chance(0.1):
        row["nontarget"] = dice.pick(("CR", "NON-CR/NON-PD", "PD", "NE", "NONE"))
    if dice.chance(0.1):
        row["target_override"] = dice.pick(("CR", "PR", "SD", "PD", "NE"))
    return row


def add_sums(patient: Patient) -> None:
    """Rows of `sums`: one or both measures, sometimes empty or missing."""
    dice = patient.dice
    base = dice.pick(SIZES)
    for measure in dice.pick((("longest",), ("viable",), ("longest", "viable"), ("longest", "viable"))):
        path = tracks(dice, [base], moves(dice, len(patient.followup)))[0]
        plan = [(day, path[0]) for day in patient.baseline]
        plan += [(day, size) for visit, size in zip(patient.followup, path[1:], strict=True) for day in visit]
        for day, size in plan:
            if dice.chance(0.05):
                continue
            value = None if dice.chance(0.04) else size
            patient.sums.append(patient.key(day) | {"measure": measure, "sum": value})


def add_lesions(patient: Patient) -> None:
    """Lesions of a patient: with roles, without, or mixed."""
    dice = patient.dice
    kind = dice.pick(("roles",) * 12 + ("rule", "rule", "rule", "nontargets", "nontargets", "clear"))
    role = {"rule": None}.get(kind, "target")
    if kind in {"roles", "rule"}:
        add_targets(patient, role=role, count=dice.between(1, 3) if kind == "roles" else dice.between(1, 7))
    if kind == "nontargets" or (kind != "clear" and dice.chance(0.4)):
        for i in range(dice.between(1, 2)):
            named = kind != "rule" and dice.chance(0.93)
            add_nontarget(patient, f"N{i + 1}", role="nontarget" if named else None)
    if patient.followup and dice.chance(0.4):
        for i in range(dice.between(1, 7) if dice.chance(0.1) else dice.between(1, 2)):
            named = kind != "rule" and dice.chance(0.93)
            fresh = dice.pick(("new_target", "new_nontarget")) if named else None
            add_new_lesion(patient, f"X{i + 1}", role=fresh)
    if patient.followup and kind == "roles" and dice.chance(0.08):
        add_split_or_merge(patient)
    add_visits(patient, always=kind == "clear")


def random_series(name: str, reader: str, dice: Dice) -> Patient:
    """One patient as one reader saw it."""
    baseline, followup = scan_days(dice)
    patient = Patient(name=name, reader=reader, dice=dice, baseline=baseline, followup=followup)
    if dice.chance(0.1):
        add_sums(patient)
        add_visits(patient, always=False)
        if dice.chance(0.2) and followup:
            add_new_lesion(patient, "X1", role="new_target")
        if dice.chance(0.2):
            add_nontarget(patient, "N1", role="nontarget")
    else:
        add_lesions(patient)
    return patient


def random_history(name: str, series: list[Patient], dice: Dice) -> tuple[Rows, Rows]:
    """Treatments and procedures of a patient."""
    days = [day for patient in series for day in patient.scans] or [0.0]
    treatments = [{"patient_id": name, "line": 1, "drug": "atezolizumab", "start_day": 0.0}]
    if dice.chance(0.15):
        start = dice.pick(days) + dice.pick((-1, 0, 1))
        start = None if start <= 0 else float(start)
        treatments.append({"patient_id": name, "line": 2, "drug": "lenvatinib", "start_day": start})
    procedures = []
    if dice.chance(0.05):
        row = {"patient_id": name, "day": float(dice.pick((-100, -28, -1, 0, 30))), "kind": "ablation"}
        procedures.append(row | {"lesion_id": dice.pick(("T1", "T2", None))})
    return treatments, procedures


def random_rows(patients: int, *, seed: int) -> dict[str, Rows]:
    """Rows of every table for a number of random patients."""
    dice = Dice(np.random.default_rng(seed))
    tables: dict[str, Rows] = {table: [] for table in TABLES}
    for i in range(patients):
        name = f"P{i:05d}"
        readers = ("R1", "R2") if dice.chance(0.06) else ("",)
        series = [] if dice.chance(0.01) else [random_series(name, reader, dice) for reader in readers]
        treatments, procedures = random_history(name, series, dice)
        tables["patients"].append({"patient_id": name})
        tables["treatments"] += treatments
        tables["procedures"] += procedures
        for patient in series:
            tables["visits"] += patient.visits
            tables["lesions"] += patient.lesions
            tables["sums"] += patient.sums
    return tables


def table_frame(table: str, rows: Rows) -> pl.DataFrame:
    """Rows as the frame that a `Study` holds: every declared column, sorted by key."""
    schema = SCHEMAS[table]
    empty = schema.create_empty()
    columns = {name: [row.get(name) for row in rows] for name in empty.columns}
    return pl.DataFrame(columns, schema=empty.schema).sort(schema.primary_key())


def study_frames(tables: Mapping[str, Rows]) -> dict[str, pl.DataFrame]:
    """All tables that have rows, and `patients`."""
    return {name: table_frame(name, rows) for name, rows in tables.items() if rows or name == "patients"}
