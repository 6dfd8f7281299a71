"""What is known of each patient, as the twin takes it: baseline, drugs so far, readings, signs of handles.

Nothing is guessed: a patient of whom too little is known, or whose treatment the model does not have, gets
no twin, and the reason is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from hccresist.assess.engine import assess_study
from hccresist.assess.markers import derive_markers
from hccresist.overcome.population import AETIOLOGIES, MOST_LESIONS
from hccresist.overcome.twin_signs import Signs, read_signs
from hccresist.overcome.twin_treatments import NO_TREATMENTS, Given, read_given
from hccresist.study.study import Study

BEFORE: Final = 28.0
"""Days before the index line from which readings, drugs and procedures count."""
LATEST: Final = 183.0
"""Days after the last scan or laboratory value up to which being alive counts as data."""
MARKERS: Final = ("afp", "nlr", "albi")
_SUMS: Final = {"recist11": "whole", "mrecist": "viable"}
_AETIOLOGY: Final = {"hbv": 0, "hbv_hcv": 0, "hcv": 1, "alcohol": 2, "masld": 2, "other": 2}
_SAME_MM: Final = 0.6
"""Difference up to which the targets found are those of the sum at baseline."""


@dataclass(frozen=True, order=True)
class Reading:
    """One number that was measured: a sum (mm) or a marker, on a day."""

    day: float
    quantity: str
    value: float


@dataclass(frozen=True)
class Baseline:
    """Lesions on day zero.

    Attributes
    ----------
    diameters
        Diameters (mm), targets first; empty where only the sum is known.
    targets
        Lesions that the sum is of.
    total_mm
        Sum of the targets (mm).
    """

    diameters: tuple[float, ...]
    targets: int
    total_mm: float


@dataclass(frozen=True, kw_only=True)
class Case:
    """A patient as the twin takes it.

    Attributes
    ----------
    patient_id
        Pseudonym.
    day
        Day of the last data.
    baseline
        Lesions on day zero.
    readings
        What was measured, by day.
    new_lesions
        New lesions seen so far; none where it is not known whether there are any.
    given
        Drugs and procedures so far.
    traits
        Known of ecog1, mvi, ehs.
    aetiology
        Index into `population.AETIOLOGIES`; none: not known.
    weight_kg
        Body weight; none: not known.
    signs
        Handles that speak up in tissue.
    notes
        What was assumed or left out, in sentences.
    """

    patient_id: str
    day: float
    baseline: Baseline
    readings: tuple[Reading, ...] = ()
    new_lesions: int | None = None
    given: Given = field(default_factory=Given)
    traits: Mapping[str, bool] = field(default_factory=dict[str, bool])
    aetiology: int | None = None
    weight_kg: float | None = None
    signs: Signs = field(default_factory=Signs)
    notes: tuple[str, ...] = ()

    @property
    def first_albi(self) -> float | None:
        """The first ALBI."""
        return next((each.value for each in self.readings if each.quantity == "albi"), None)

    @property
    def last_sum(self) -> Reading | None:
        """The last whole sum after baseline."""
        sums = [each for each in self.readings if each.quantity == "whole"]
        return sums[-1] if sums else None

    def describe(self) -> str:
        """Say what is used, in words.

        Examples
        --------
        >>> Case(patient_id="A", day=56.0, baseline=Baseline((30.0,), 1, 30.0),
        ...      readings=(Reading(56.0, "whole", 28.0),)).describe()
        '1 lesion at baseline (30 mm); 1 whole sum'
        """
        names = {"whole": "whole sum", "viable": "viable sum", "afp": "AFP", "nlr": "NLR", "albi": "ALBI"}
        count = len(self.baseline.diameters) or self.baseline.targets
        parts = [f"{count} lesion{'s' * (count != 1)} at baseline ({self.baseline.total_mm:.0f} mm)"]
        for quantity, name in names.items():
            n = sum(each.quantity == quantity for each in self.readings)
            if n:
                parts.append(f"{n} {name}{'s' * (n > 1 and name.endswith('sum'))}")
        if self.new_lesions is not None:
            parts.append(f"{self.new_lesions} new lesion{'s' * (self.new_lesions != 1)}")
        parts += [f"{name} {'yes' if on else 'no'}" for name, on in sorted(self.traits.items())]
        if self.aetiology is not None:
            parts.append(f"liver disease {AETIOLOGIES[self.aetiology]}")
        return "; ".join([*parts, *self.signs.words])


@dataclass(frozen=True)
class Skipped:
    """A patient without a twin, and why."""

    patient_id: str
    reason: str


def read_cases(
    study: Study, tables: Mapping[str, pl.DataFrame], *, until: float | None = None
) -> list[Case | Skipped]:
    """Read what is known of each patient, by patient.

    Parameters
    ----------
    tables
        Tables of *assess* and *explain*; timepoints, baselines and markers are derived where they are not
        there.
    until
        Day after which nothing is known; none: everything is.
    """
    look = _Look.make(study, tables, until=float("inf") if until is None else until)
    return [_read_case(look, patient) for patient in study.patients["patient_id"].sort()]


@dataclass(frozen=True)
class _Look:
    """Rows by patient, looked up once."""

    patients: Mapping[str, Mapping[str, object]]
    timepoints: Mapping[str, pl.DataFrame]
    baselines: Mapping[str, pl.DataFrame]
    markers: Mapping[str, pl.DataFrame]
    lesions: Mapping[str, pl.DataFrame]
    survival: Mapping[str, pl.DataFrame]
    treatments: Mapping[str, pl.DataFrame]
    procedures: Mapping[str, pl.DataFrame]
    signs: Mapping[str, Signs]
    recorded: bool
    until: float

    @classmethod
    def make(cls, study: Study, tables: Mapping[str, pl.DataFrame], *, until: float) -> _Look:
        made = dict(tables)
        if not {"timepoints", "baselines"} <= set(made):
            made |= assess_study(study, criteria=list(_SUMS), reasons=False).tables
        if "markers" not in made:
            points, starts = made["timepoints"], made["baselines"]
            made["markers"] = derive_markers(study, timepoints=points, baselines=starts)
        known = {name: pl.col(name).cast(pl.String) for name in ("reader", "criterion")}
        points = made["timepoints"].with_columns(**known).filter(pl.col("day") <= until)
        marked = made["markers"].filter(pl.col("marker").is_in(MARKERS) & (pl.col("day") <= until))
        return cls(
            patients={row["patient_id"]: row for row in study.patients.iter_rows(named=True)},
            timepoints=_part(points),
            baselines=_part(made["baselines"].with_columns(**known)),
            markers=_part(marked.drop_nulls("value")),
            lesions=_part(study.table("lesions")),
            survival=_part(study.table("survival")),
            treatments=_part(study.table("treatments")),
            procedures=_part(study.table("procedures")),
            signs=read_signs(made),
            recorded=bool({"treatments", "procedures"} & set(study.tables)),
            until=until,
        )


def _part(table: pl.DataFrame | None) -> dict[str, pl.DataFrame]:
    """Rows of each patient."""
    if table is None:
        return {}
    parts = table.partition_by("patient_id", as_dict=True, maintain_order=True)
    return {str(key[0]): rows for key, rows in parts.items()}


def _read_case(look: _Look, patient: str) -> Case | Skipped:
    """Read one patient."""
    baseline = _read_baseline(look, patient)
    if isinstance(baseline, str):
        return Skipped(patient, baseline)
    if not look.recorded:
        return Skipped(patient, NO_TREATMENTS)
    readings = _read_sums(look, patient) + _read_markers(look, patient)
    day, dead = _read_end(look, patient, readings)
    if dead:
        return Skipped(patient, dead)
    given = read_given(look.treatments.get(patient), look.procedures.get(patient), day=day, since=-BEFORE)
    if isinstance(given, str):
        return Skipped(patient, given)
    row = look.patients[patient]
    weight = row.get("weight_kg")
    return Case(
        patient_id=patient,
        day=day,
        baseline=baseline,
        readings=tuple(sorted(readings)),
        new_lesions=_count_new(look, patient),
        given=given,
        traits=_read_traits(row),
        aetiology=_AETIOLOGY.get(str(row.get("aetiology"))),
        weight_kg=float(weight) if isinstance(weight, int | float) and weight > 0 else None,
        signs=look.signs.get(patient, Signs()),
        notes=given.notes,
    )


def _read_traits(row: Mapping[str, object]) -> dict[str, bool]:
    """Yes-or-no traits that are known."""
    ecog = row.get("ecog")
    found = {"ecog1": None if not isinstance(ecog, int) else ecog >= 1}
    found |= {"mvi": row.get("vascular_invasion"), "ehs": row.get("extrahepatic_spread")}  # pyright: ignore[reportAssignmentType]
    return {name: bool(value) for name, value in found.items() if value is not None}


def _first_reader(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the first reader."""
    return rows.filter(pl.col("reader") == rows["reader"].min())


def _read_baseline(look: _Look, patient: str) -> Baseline | str:
    """Lesions on day zero, or why they are not known."""
    rows = look.baselines.get(patient)
    rows = None if rows is None else rows.filter(pl.col("criterion") == "recist11").drop_nulls("baseline_mm")
    if rows is None or not rows.height:
        return "no sum of target lesions at baseline by RECIST 1.1"
    row = _first_reader(rows).row(0, named=True)
    total, count = float(row["baseline_mm"]), int(row["n_targets"])
    if total <= 0:
        return "the sum of target lesions at baseline is zero"
    sizes = _read_sizes(look.lesions.get(patient), row["reader"], row["day"])
    targets = sizes.get("target", ())
    if targets and len(targets) <= MOST_LESIONS and abs(sum(targets) - total) < _SAME_MM:
        others = sizes.get("nontarget", ())[: MOST_LESIONS - len(targets)]
        return Baseline((*targets, *others), len(targets), total)
    return Baseline((), min(max(count, 0), MOST_LESIONS), total)


def _read_sizes(lesions: pl.DataFrame | None, reader: str, day: float | None) -> dict[str, tuple[float, ...]]:
    """Diameters at baseline by role, the largest first; of nodes the short axis."""
    if lesions is None or day is None:
        return {}
    node = pl.col("short_axis_mm").is_not_null() & pl.col("node").fill_null(
        pl.col("organ").cast(pl.String).str.contains("node")
    )
    size = pl.when(node).then("short_axis_mm").otherwise("longest_mm")
    rows = lesions.filter((pl.col("reader") == reader) & (pl.col("day") == day))
    rows = rows.select(pl.col("role").cast(pl.String), size=size).drop_nulls().filter(pl.col("size") > 0)
    rows = rows.sort("role", "size", descending=True)
    return {
        str(key[0]): tuple(part["size"].to_list())
        for key, part in rows.partition_by("role", as_dict=True, maintain_order=True).items()
    }


def _read_sums(look: _Look, patient: str) -> list[Reading]:
    """Read the sums of the targets after baseline, those that were evaluable."""
    found = list[Reading]()
    rows = look.timepoints.get(patient)
    if rows is None:
        return found
    for criterion, quantity in _SUMS.items():
        own = rows.filter(pl.col("criterion") == criterion)
        own = _first_reader(own) if own.height else own
        own = own.filter((pl.col("day") > 0) & (pl.col("target") != "NE")).drop_nulls("sum_mm")
        found += [Reading(day, quantity, value) for day, value in own.select("day", "sum_mm").iter_rows()]
    return found


def _read_markers(look: _Look, patient: str) -> list[Reading]:
    """AFP, NLR and ALBI since shortly before the start; of several on a day the first."""
    rows = look.markers.get(patient)
    if rows is None:
        return []
    rows = rows.filter((pl.col("day") >= -BEFORE) & pl.col("comparator").is_null())
    rows = rows.filter((pl.col("marker") == "albi") | (pl.col("value") > 0))
    rows = rows.sort("day", "marker", "reader").unique(["day", "marker"], keep="first", maintain_order=True)
    return [Reading(*row) for row in rows.select("day", "marker", "value").iter_rows()]


def _read_end(look: _Look, patient: str, readings: Sequence[Reading]) -> tuple[float, str]:
    """Day of the last data, and why there is no more to look ahead to (empty: there is)."""
    scans = look.timepoints.get(patient)
    days = [0.0, *(each.day for each in readings)]
    days += [] if scans is None else scans["day"].to_list()
    rows = look.survival.get(patient)
    if rows is not None:
        row = rows.row(0, named=True)
        last = row["os_days"] if row["os_days"] is not None else row["last_alive_day"]
        if row["died"] and row["os_days"] is not None and row["os_days"] <= look.until:
            return 0.0, f"died on day {row['os_days']:.0f}: nothing to look ahead to"
        if last is not None:
            days.append(min(float(last), look.until, max(days) + LATEST))
    return max(days), ""


def _count_new(look: _Look, patient: str) -> int | None:
    """Count the new lesions seen so far; none where nobody says."""
    rows = look.timepoints.get(patient)
    if rows is None:
        return None
    said = rows.filter((pl.col("criterion") == "recist11") & (pl.col("day") > 0))
    if not said.height or not said["new_lesion"].is_not_null().any():
        return None
    if not _first_reader(said)["new_lesion"].any():
        return 0
    lesions = look.lesions.get(patient)
    if lesions is None:
        return 1
    new = lesions.filter(
        pl.col("role").cast(pl.String).str.starts_with("new_") & (pl.col("day") <= look.until)
    )
    return max(1, _first_reader(new)["lesion_id"].n_unique() if new.height else 0)
