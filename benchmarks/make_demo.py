"""Write the bundled demo study: 60 virtual patients in two arms, as a clinic would have them.

::

    python benchmarks/make_demo.py            write the study from the stored simulation
    python benchmarks/make_demo.py --again    simulate anew first (half a minute), then write the study
    python benchmarks/make_demo.py --check    say whether the model of today still gives the stored simulation

Three steps, each reproducible from a seed:

1. *The model* (`simulate`): the first replicate of ``demo_trial.toml``, with the values in the middle of the
   calibrated ensemble where one is shipped, else with those of the model's tables. What comes out is kept in
   ``results/demo_simulation``, so that the files of the demo can be made and checked where the model has
   changed since.
2. *The clinic* (`Clinic`): names, readers, gaps. Sizes, deaths, drugs, AFP, albumin, bilirubin and the ratio
   of neutrophils to lymphocytes are the model's; what no model gave is made up here (see below).
3. *The laboratory* (``make_demo_omics.py``): samples, expression and alterations of the same patients, from
   the handles that are on in them.

Lenvatinib is the second arm because most published strategies are about tumours that resist it, and because
both arms then have responses. The seed is the day on which the demo was made; no other was tried. What the
demo has to show was seen in it, before the calibration and after: progression that a later scan takes back,
response by mRECIST without response by RECIST 1.1, growth faster than before treatment, new lesions, two
readers who differ.

Made up, so that the study looks like a clinic's and its files hold what makes reading hard: a second reader
(``central``), whose error on the same true diameters is drawn anew; scans that were not made (4 %) or have
no arterial phase (4 %), lesions that could not be measured (1.2 %), laboratory values that are missing (3 %);
the scan before treatment, which half of the patients' first hospitals did not send; units of one centre as
it writes them; the organ of some lesions (a lymph node or a bone in the place of the lung or the liver that
the model has); chemoembolisation before the study (the model knows of none); causes of death (the model has
one hazard); CRP, INR, platelets, and the laboratory's own error. A patient is recorded as unstable at
progression where death is no more than 60 days away.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl
from make_demo_omics import write_omics

from hccresist.overcome.reading import shape_readings

HERE = Path(__file__).resolve().parent
TRIAL = HERE / "demo_trial.toml"
STORE = HERE / "results" / "demo_simulation"
DATA = HERE.parent / "src" / "hccresist" / "data"
FOLDER = DATA / "demo"
TRUTH = DATA / "demo_truth.csv"

READERS = ("central", "investigator")
UNSTABLE_DAYS = 60
RIM_MM = 3.0
"""Enhancing part below which readers write none: a slice."""
NODE_MM = 15.0
"""Diameter before treatment from which a lesion outside the liver may be a lymph node."""
NODE_RATIO = 1.35
"""Longest diameter over short axis of a node."""
NODE_LEAST_MM = 4.0
"""Short axis of a node that is normal again."""
SEEN = ("effector", "exhausted", "treg", "myeloid")
"""States of the largest lesion that the laboratory's step may use."""

TOML = """\
# A simulated study: virtual patients, made by benchmarks/make_demo.py. No number is of a real patient.

[study]
name = "demo"
title = "Simulated example: 60 virtual patients in two arms"
index_line = 1
simulated = true
criteria = ["recist11", "mrecist", "irecist"]
planned_visit_days = [{days}]
"""

Row = dict[str, Any]


def find_centre() -> dict[str, float]:
    """Typical values in the middle of the shipped ensemble; none where no ensemble is shipped."""
    from hccresist.overcome.ensemble_file import find_ensemble  # noqa: PLC0415

    ensemble = find_ensemble()
    return {} if ensemble is None else dict(ensemble.centre)


def simulate() -> dict[str, pl.DataFrame]:
    """Run the trial; tables by name, with true diameters, handles and states beside a clinic's tables."""
    from hccresist.overcome import trial_run  # noqa: PLC0415
    from hccresist.overcome.trial_file import read_spec  # noqa: PLC0415

    spec, values = read_spec(TRIAL), find_centre()
    true = list[pl.DataFrame]()
    read = trial_run.read_diameters

    def keep(lesions: pl.DataFrame, *args: Any, **options: Any) -> pl.DataFrame:
        true.append(lesions)
        return read(lesions, *args, **options)

    with patch.object(trial_run, "read_diameters", keep):
        found = dict(trial_run.run_replicate(spec, 0, values=values, keep=True).tables or {})
    key = ["patient_id", "lesion_id", "day"]
    last = pl.concat(true[-len(spec.arms) :])  # those of the second run of each arm
    found["true"] = last.join(found["lesions"].select(key), on=key, how="semi").sort(key)
    found |= look_inside(spec, values)
    values_used = {"parameter": list(values), "value": list(values.values())}
    found["values"] = pl.DataFrame(values_used, schema={"parameter": pl.String, "value": pl.Float64})
    return found


def look_inside(spec: Any, values: Mapping[str, float]) -> dict[str, pl.DataFrame]:
    """What no clinic has: handles that are on, and cells of the largest lesion before treatment."""
    from hccresist.overcome.engine import Job, run_population  # noqa: PLC0415
    from hccresist.overcome.model.parameters import read_handles  # noqa: PLC0415
    from hccresist.overcome.scans import name_patients  # noqa: PLC0415
    from hccresist.overcome.trial_people import enrol  # noqa: PLC0415

    handles, states = list[Row](), list[pl.DataFrame]()
    for place, arm in enumerate(spec.arms):
        enrolled = enrol(spec, arm, replicate=0, place=place, values=values, seed=spec.seed)
        people, names = enrolled.people, name_patients(enrolled.people.numbers)
        for handle in read_handles():
            sizes = find_sizes(people.params, handle.parameters) / handle.typical
            about = {"handle": handle.handle, "mechanism_id": handle.mechanism_id}
            handles += [
                {"patient_id": name, **about, "size": float(f"{size:.4g}")}
                for name, size in zip(names, sizes, strict=True)
                if size > 0
            ]
        seen = run_population(Job((), (float("-inf"),), until=-1e6), people, start=enrolled.start)
        columns = {name: seen.state(name, slot=0)[:, 0] for name in SEEN}
        volume = seen.output("whole_volume", slot=0)[:, 0]
        states.append(pl.DataFrame({"patient_id": names, **columns, "whole_volume": volume}))
    return {"handles": pl.DataFrame(handles), "states": pl.concat(states)}


def find_sizes(params: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Size of a handle in each patient."""
    from hccresist.overcome.model.parameters import read_model  # noqa: PLC0415

    patient, lesion = read_model().names("patient"), read_model().names("lesion")
    at = [patient.index(name) if name in patient else len(patient) + lesion.index(name) for name in names]
    return params[:, at].max(axis=1)


def store(tables: Mapping[str, pl.DataFrame]) -> None:
    """Keep a simulation."""
    STORE.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.write_parquet(STORE / f"{name}.parquet", compression="zstd", statistics=False)


def read_store() -> dict[str, pl.DataFrame]:
    """The kept simulation."""
    return {path.stem: pl.read_parquet(path) for path in sorted(STORE.glob("*.parquet"))}


def name_all(tables: Mapping[str, pl.DataFrame]) -> dict[str, str]:
    """Names in the demo: the arms take turns, as patients of a trial come."""
    arms = [part["patient_id"].sort().to_list() for part in tables["patients"].partition_by("arm")]
    turns = [name for pair in zip(*arms, strict=True) for name in pair]
    return {name: f"HCC-{number:04d}" for number, name in enumerate(turns, start=1)}


def rename(tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The tables under the demo's names, in their order."""
    names = name_all(tables)
    return {
        name: table.with_columns(pl.col("patient_id").replace_strict(names)).sort(
            "patient_id", maintain_order=True
        )
        if "patient_id" in table.columns
        else table
        for name, table in tables.items()
    }


class Tables:
    """Rows of the study, by table."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {}

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


class Clinic:
    """One virtual patient, written down by a clinic."""

    def __init__(self, patient: Row, tables: Mapping[str, pl.DataFrame], rng: np.random.Generator) -> None:
        self.patient, self.rng, self.id = patient, rng, patient["patient_id"]
        own = {
            name: table.filter(pl.col("patient_id") == self.id)
            for name, table in tables.items()
            if "patient_id" in table.columns
        }
        self.own = own
        self.centre = str(rng.choice(("North", "South", "East"), p=(0.4, 0.35, 0.25)))
        self.mri = bool(rng.random() < 0.25)
        row = own["survival"].row(0, named=True)
        self.died, self.end = bool(row["died"]), int(np.ceil(row["os_days"]))
        self.days = self.choose_days()
        self.organs = self.choose_organs()

    def choose_days(self) -> list[float]:
        """Days of the scans that were made; none of the last three is missed, which decided on treatment."""
        planned = sorted(self.own["visits"]["day"].to_list())
        sent = bool(self.rng.random() < 0.5)
        missed = self.rng.random(len(planned)) < 0.04
        early = len(planned) - 3
        return [
            day
            for number, day in enumerate(planned)
            if (day >= 0 or sent) and not (day > 0 and number < early and missed[number])
        ]

    def choose_organs(self) -> dict[str, str]:
        """Organ of each lesion as the clinic calls it."""
        found: dict[str, str] = {}
        first = self.own["true"].sort("day").group_by("lesion_id", maintain_order=True).first()
        for row in first.sort("lesion_id").iter_rows(named=True):
            organ, draw = row["organ"], self.rng.random()
            base = self.own["true"].filter(lesion_id=row["lesion_id"], day=0)["longest_mm"]
            large = base.len() > 0 and (base[0] or 0.0) >= NODE_MM
            if row["role"].startswith("new"):
                organ = "bone" if draw < 0.15 else "lung" if draw < 0.35 else organ
            elif organ == "lung" and large and draw < 0.5:
                organ = "lymph_node"
            found[row["lesion_id"]] = organ
        return found

    def write(self, tables: Tables) -> None:
        """Write every table of this patient."""
        labs = self.write_labs(tables)
        self.write_patient(tables, labs)
        self.write_scans(tables)
        self.write_observations(tables)
        self.write_treatments(tables)
        if self.rng.random() < 0.45:
            tables.add("procedures", patient_id=self.id, day=-float(self.rng.integers(90, 700)), kind="tace")
        words, weights = ("tumour", "liver", "other"), (0.72, 0.2, 0.08)
        cause = str(self.rng.choice(words, p=weights)) if self.died else None
        row = {"os_days": self.end, "died": self.died, "death_cause": cause}
        tables.add("survival", patient_id=self.id, **row)

    def write_patient(self, tables: Tables, labs: Mapping[str, float]) -> None:
        """Write what is known at the start."""
        words = ("masld", "alcohol", "unknown")
        other = str(self.rng.choice(words, p=(0.5, 0.4, 0.1)))
        given = self.patient
        tables.add(
            "patients",
            patient_id=self.id,
            arm=given["arm"],
            age_years=int(given["age_years"]),
            sex=given["sex"],
            aetiology=other if given["aetiology"] == "masld" else given["aetiology"],
            bclc=given["bclc"],
            child_pugh_score=score_child_pugh(labs),
            ecog=given["ecog"],
            vascular_invasion=given["vascular_invasion"],
            extrahepatic_spread=given["extrahepatic_spread"],
            centre=self.centre,
        )

    def write_labs(self, tables: Tables) -> dict[str, float]:
        """Write laboratory values of visits; return those of the start, without the laboratory's error."""
        rng, start = self.rng, dict[str, float]()
        lymphocytes = float(np.clip(rng.lognormal(np.log(1.4), 0.3), 0.4, 3.5))
        platelets = max(45.0, float(rng.normal(165, 50)))
        for day in self.days:
            given = dict(self.own["labs"].filter(day=day).select("test", "value").iter_rows())
            ratio = given["neutrophils"] / given["lymphocytes"]
            values = {
                "afp": given["afp"] * float(rng.lognormal(0, 0.12)),
                "albumin": given["albumin"] + float(rng.normal(0, 1)),
                "bilirubin": given["bilirubin"] * float(rng.lognormal(0, 0.12)),
                "neutrophils": ratio * lymphocytes * float(rng.lognormal(0, 0.1)),
                "lymphocytes": lymphocytes * float(rng.lognormal(0, 0.1)),
                "inr": float(rng.normal(1.08, 0.06)),
                "crp": float(rng.lognormal(1.6, 0.8)),
                "platelets": platelets,
            }
            if day == 0:
                start = {"albumin": given["albumin"], "bilirubin": given["bilirubin"]}
            names = list(values) if day == 0 else list(values)[: 5 if 0 < day < 100 else 3]
            for test in names:
                if rng.random() >= 0.03:
                    value, unit = write_unit(test, values[test], centre=self.centre)
                    tables.add("labs", patient_id=self.id, day=day, test=test, value=value, unit=unit)
        return start

    def write_scans(self, tables: Tables) -> None:
        """Write scans as both readers read them."""
        arterial = {day: day <= 0 or bool(self.rng.random() > 0.04) for day in self.days}
        for reader in READERS:
            for day in self.days:
                tables.add(
                    "visits",
                    patient_id=self.id,
                    reader=reader,
                    day=day,
                    modality="mri" if self.mri else "ct",
                    arterial_phase=arterial[day],
                    slice_mm=3 if self.mri else 2.5,
                    adequate=True,
                )
            for row in self.read(reader).sort("lesion_id", "day").iter_rows(named=True):
                if row["day"] in arterial:
                    self.write_lesion(tables, {**row, "reader": reader}, arterial=arterial[row["day"]])

    def read(self, reader: str) -> pl.DataFrame:
        """Diameters as a reader has them; the model has read those of the investigator."""
        if reader == "investigator":
            return self.own["lesions"]
        true = self.own["true"]
        factor = shape_readings(self.rng.random((true.height, 2)))
        whole = (pl.col("longest_mm") * pl.Series(factor[:, 0])).round(1)
        viable = (pl.col("viable_mm") * pl.Series(factor[:, 1])).round(1)
        present = pl.col("viable_mm").is_not_null()
        return true.with_columns(
            longest_mm=whole, viable_mm=pl.when(present).then(pl.min_horizontal(viable, whole))
        )

    def write_lesion(self, tables: Tables, row: Row, *, arterial: bool) -> None:
        """Write one lesion of one scan."""
        organ, new = self.organs[row["lesion_id"]], row["role"].startswith("new")
        role = "new_nontarget" if new and organ == "bone" else row["role"]
        names = ("patient_id", "reader", "lesion_id", "day")
        key = {name: row[name] for name in names} | {"role": role, "organ": organ}
        if row["day"] > 0 and self.rng.random() < 0.012:
            tables.add("lesions", **key, state="not_evaluable")
            return
        found: Row = {"longest_mm": row["longest_mm"], "state": row["state"]}
        if organ == "lymph_node":
            short = max(row["longest_mm"] or 0.0, NODE_LEAST_MM)
            size = {"longest_mm": round(short * NODE_RATIO, 1), "short_axis_mm": short}
            found = {**size, "state": "present"}
        elif role.endswith("nontarget"):
            found = {"state": row["state"]}
        elif organ == "liver" and row["longest_mm"] is not None:
            viable = row["viable_mm"] if row["viable_mm"] >= RIM_MM else 0.0
            found |= {"washout": True, "viable_mm": viable if arterial else None}
        tables.add("lesions", **key, **found)

    def write_observations(self, tables: Tables) -> None:
        """Write performance at the start, and how the patient is from the first progression on."""
        day = 0.0
        tables.add("observations", patient_id=self.id, day=day, name="ecog", value=str(self.patient["ecog"]))
        lesions = self.own["lesions"].filter(pl.col("day") >= 0)
        sums = lesions.filter(role="target").group_by("day").agg(pl.col("longest_mm").sum()).sort("day")
        new = lesions.filter(pl.col("role").cast(pl.String).str.starts_with("new"))["day"].min()
        smallest, begun = np.inf, False
        for day, size in sums.iter_rows():
            begun |= size >= 1.2 * smallest and size - smallest >= 5
            begun |= new is not None and day >= new
            smallest = min(smallest, size)
            if begun and day in self.days:
                stable = not (self.died and self.end - day <= UNSTABLE_DAYS)
                value = "true" if stable else "false"
                tables.add(
                    "observations", patient_id=self.id, day=day, name="clinical_stability", value=value
                )

    def write_treatments(self, tables: Tables) -> None:
        """Write drugs, and why each was stopped."""
        last = int(np.floor(self.own["survival"]["os_days"][0]))
        for row in self.own["treatments"].sort("line", "drug").iter_rows(named=True):
            to_end = row["end_day"] >= last
            reason = "progression" if not to_end else "death" if self.died else "ongoing"
            row["end_day"] = None if reason == "ongoing" else row["end_day"]
            tables.add("treatments", **row, end_reason=reason)


def write_unit(test: str, value: float, *, centre: str) -> tuple[float, str]:
    """A laboratory value as a centre writes it."""
    units = {
        "afp": ("ng/mL", 3),
        "albumin": ("g/L", 2),
        "bilirubin": ("umol/L", 2),
        "inr": ("1", 3),
        "crp": ("mg/L", 2),
        "neutrophils": ("10^9/L", 2),
        "lymphocytes": ("10^9/L", 2),
        "platelets": ("10^9/L", 3),
    }
    unit, digits = units[test]
    if centre == "East":
        factor, unit = {"albumin": (0.1, "g/dL"), "bilirubin": (1 / 17.1, "mg/dL")}.get(test, (1.0, unit))
        value *= factor
    return float(f"{value:.{digits}g}"), unit


def score_child_pugh(labs: Mapping[str, float]) -> int:
    """Child-Pugh score of a patient without ascites, encephalopathy or a long INR."""
    albumin = 1 if labs["albumin"] > 35 else 2 if labs["albumin"] >= 28 else 3
    bilirubin = 1 if labs["bilirubin"] < 34.2 else 2 if labs["bilirubin"] <= 51.3 else 3
    return 3 + albumin + bilirubin


def write_study(stored: Mapping[str, pl.DataFrame]) -> None:
    """Write the study folder, and the truth beside it."""
    from hccresist.overcome.trial_file import read_spec  # noqa: PLC0415

    spec = read_spec(TRIAL)
    FOLDER.mkdir(parents=True, exist_ok=True)
    named, tables = rename(stored), Tables()
    seeds = np.random.SeedSequence(spec.seed).spawn(spec.arms[0].n * len(spec.arms) + 1)
    for patient, seed in zip(named["patients"].iter_rows(named=True), seeds[1:], strict=True):
        Clinic(patient, named, np.random.default_rng(seed)).write(tables)
    tables.write(FOLDER)
    days = ", ".join(f"{day:g}" for day in spec.visits.days(spec.follow_up.longest))
    (FOLDER / "study.toml").write_text(TOML.format(days=days), encoding="utf-8")
    named["handles"].sort("patient_id", "handle").write_csv(TRUTH)
    write_omics(named, FOLDER, np.random.default_rng(seeds[0]))


def compare() -> int:
    """Say whether the model still gives the stored simulation."""
    stored, now = read_store(), simulate()
    differ = [name for name in now if not now[name].equals(stored.get(name, pl.DataFrame()))]
    print(json.dumps({"differ": differ}))
    return 1 if differ else 0


def main(*given: str) -> int:
    """Write the study folder."""
    if "--check" in given:
        return compare()
    if "--again" in given or not STORE.exists():
        store(simulate())
    write_study(read_store())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
