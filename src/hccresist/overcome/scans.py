"""What a clinic would have of virtual patients: scans with measurement error, labs, treatments, survival.

The same tables as a clinic's study folder. What a clinic sees and how it calls it (which lesions are
targets, from which size on a lesion is seen, what is unequivocal) is stated here, and nothing else of the
model is in these tables.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.overcome.dosing import find_regimen
from hccresist.overcome.engine import Job, Result
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.plan import Given
from hccresist.overcome.population import SLOTS
from hccresist.overcome.reading import draw_readings
from hccresist.study.columns import declared_columns

Array = NDArray[np.float64]

SEEN_MM: Final = 5.0
"""Diameter from which a lesion is seen; smaller ones are too small to measure (RECIST 1.1: 5 mm)."""
GONE_MM: Final = 2.0
"""Diameter below which a lesion has disappeared."""
MEASURABLE_MM: Final = 10.0
"""Diameter from which a lesion can be a target (RECIST 1.1, doi:10.1016/j.ejca.2008.10.026)."""
NOT_ENHANCING_MM: Final = 1.0
"""Viable diameter below which no enhancement is seen."""
UNEQUIVOCAL: Final = 1.4
"""Growth of a non-target lesion over its smallest diameter that is called unequivocal (assumption)."""
READER: Final = "central"
SLICE_MM: Final = 5.0
TABLES: Final = ("patients", "treatments", "procedures", "visits", "lesions", "labs", "survival")
"""Tables of a study of virtual patients."""
_STATES: Final = ("present", "too_small", "absent", "unequivocal_progression")
_SITES: Final = ("liver", "liver", "lung", "lung", "adrenal")
_TARGETS_PER_ORGAN: Final = 2


def name_patients(numbers: NDArray[np.integer]) -> list[str]:
    """Name virtual patients."""
    return [f"V{number:07d}" for number in numbers.tolist()]


def make_tables(
    result: Result,
    job: Job,
    *,
    scans: Sequence[float],
    arm: str = "",
    error: bool = True,
    wanted: Collection[str] = TABLES,
) -> dict[str, pl.DataFrame]:
    """Make a clinic's tables of simulated patients.

    Parameters
    ----------
    result
        What came of the patients.
    job
        What was simulated.
    scans
        Days of ``job.visits`` that are scans; the others are only looked at by the modeller.
    arm
        Name of the arm.
    error
        Whether diameters are read with measurement error.
    wanted
        Tables that are made, of `TABLES`.

    Returns
    -------
    dict
        Tables by name; procedures only where there are any.
        Patients whose equations could not be solved are in `patients` alone, with ``simulation`` saying so.
    """
    kept = [job.visits.index(day) for day in scans]
    names = pl.Series(name_patients(result.population.numbers), dtype=pl.String)
    seen = np.isfinite(result.shown[:, kept, 0]) & _solved(result)[:, None]
    makers: dict[str, Callable[[], pl.DataFrame]] = {
        "patients": lambda: _patients(result, names, arm=arm),
        "treatments": lambda: _treatments(result, names, job.given),
        "visits": lambda: _visits(result, names, kept, seen),
        "lesions": lambda: _lesions(result, names, kept, seen, job=job, error=error),
        "labs": lambda: _labs(result, names, kept, seen),
        "survival": lambda: _survival(result, names, job),
    }
    if job.procedures:
        makers["procedures"] = lambda: _procedures(result, names, job)
    return {name: make() for name, make in makers.items() if name in wanted}


def _solved(result: Result) -> NDArray[np.bool_]:
    """Patients whose equations were solved to the end."""
    from hccresist.overcome.model.ensemble import FULL  # noqa: PLC0415  (loads Numba)

    return (result.status == 0) | (result.status == FULL)


def _patients(result: Result, names: pl.Series, *, arm: str) -> pl.DataFrame:
    """Patients before treatment."""
    people = result.population
    spread = people.traits["ehs"] & (people.lesions > _TARGETS_PER_ORGAN)
    solved = np.where(_solved(result), "solved", "not solved")
    return pl.DataFrame(
        {
            "patient_id": names,
            "arm": [arm or "simulated"] * len(names),
            "age_years": people.age_years,
            "sex": np.where(people.traits["male"], "male", "female"),
            "aetiology": np.array(["hbv", "hcv", "masld"])[people.aetiology],
            "bclc": np.where(spread | people.traits["mvi"] | people.traits["ecog1"], "C", "B"),
            "ecog": people.traits["ecog1"].astype(np.int64),
            "vascular_invasion": people.traits["mvi"],
            "extrahepatic_spread": spread,
            "weight_kg": np.round(people.weight_kg, 1),
            "simulation": solved,
        }
    )


def _treatments(result: Result, names: pl.Series, given: Sequence[Given]) -> pl.DataFrame:
    """Drugs from first to last dose."""
    frames = list[pl.DataFrame]()
    for each in given:
        regimen = find_regimen(each.regimen)
        start = np.broadcast_to(np.asarray(each.start, dtype=np.float64), len(names))
        end = np.minimum(np.broadcast_to(np.asarray(each.until, dtype=np.float64), len(names)), result.ended)
        had = _solved(result) & (end > start)
        frames.append(
            pl.DataFrame(
                {
                    "patient_id": names,
                    "line": np.ones(len(names), dtype=np.int64),
                    "drug": [regimen.drug] * len(names),
                    "start_day": start,
                    "end_day": np.floor(end),
                    "dose": [describe_regimen(each.regimen)] * len(names),
                }
            ).filter(had)
        )
    schema = {"patient_id": pl.String, "line": pl.Int64, "drug": pl.String, "start_day": pl.Float64}
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)


def describe_regimen(name: str) -> str:
    """Dose and interval of a regimen in words.

    Examples
    --------
    >>> describe_regimen("bevacizumab")
    '15 mg/kg every 21 days'
    """
    regimen = find_regimen(name)
    unit = "mg/kg" if regimen.per_kg else "mg"
    return f"{regimen.dose:g} {unit} every {regimen.every_days:g} days"


def _procedures(result: Result, names: pl.Series, job: Job) -> pl.DataFrame:
    """Procedures that were done."""
    frames = list[pl.DataFrame]()
    for each in job.procedures:
        day = np.broadcast_to(np.asarray(each.day, dtype=np.float64), len(names))
        done = _solved(result) & (day <= result.ended)
        lesion = f"L{each.lesion + 1}" if isinstance(each.lesion, int) else None
        frame = pl.DataFrame({"patient_id": names, "day": day, "kind": [each.kind] * len(names)})
        frames.append(frame.with_columns(lesion_id=pl.lit(lesion, dtype=pl.String)).filter(done))
    return pl.concat(frames).unique(["patient_id", "day", "kind"], keep="first", maintain_order=True)


def _visits(result: Result, names: pl.Series, kept: Sequence[int], seen: NDArray[np.bool_]) -> pl.DataFrame:
    """List the scans that were made."""
    who, when = np.nonzero(seen)
    rows = pl.DataFrame({"patient_id": names.gather(who), "day": result.days[:, kept][who, when]})
    return rows.select(
        "patient_id",
        pl.lit(READER).alias("reader"),
        "day",
        pl.lit("ct", dtype=_code("visits", "modality")).alias("modality"),
        pl.lit(True).alias("arterial_phase"),  # noqa: FBT003
        pl.lit(SLICE_MM).alias("slice_mm"),
        pl.lit(True).alias("adequate"),  # noqa: FBT003
    )


def find_sites(result: Result) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Organ and role of each slot; shape = (n, SLOTS).

    With extrahepatic spread the third and later lesions are elsewhere, else all are in the liver; at most
    two targets an organ (RECIST 1.1). New lesions are in the liver.
    """
    people = result.population
    away = people.traits["ehs"]
    organ = np.full((len(people.numbers), SLOTS), "liver", dtype="<U8")
    role = np.full((len(people.numbers), SLOTS), "new_target", dtype="<U14")
    for slot in range(SLOTS):
        site = _SITES[slot] if slot < len(_SITES) else "liver"
        own = slot < people.lesions
        measurable = people.diameters[:, slot] >= MEASURABLE_MM
        target = measurable & (away | (slot < _TARGETS_PER_ORGAN)) & (slot < len(_SITES))
        role[:, slot] = np.where(own, np.where(target, "target", "nontarget"), role[:, slot])
        organ[:, slot] = np.where(own & away, site, "liver")
    return organ, role


def _lesions(
    result: Result,
    names: pl.Series,
    kept: Sequence[int],
    seen: NDArray[np.bool_],
    *,
    job: Job,
    error: bool,
) -> pl.DataFrame:
    """Lesions on the scans."""
    people, order = result.population, names.arg_sort().to_numpy()
    factor = np.ones((len(names), SLOTS, len(kept), 2))
    if error:
        drawn = draw_readings(people.numbers, np.arange(len(job.visits) * SLOTS * 2), seed=job.seed)
        factor = drawn.reshape(len(names), len(job.visits), SLOTS, 2)[:, kept].swapaxes(1, 2)
    true, viable = (
        np.stack([result.output(name, slot=slot)[:, kept] for slot in range(SLOTS)], axis=1)
        for name in ("whole_mm", "viable_mm")
    )
    organ, role = find_sites(result)
    own = np.arange(SLOTS) < people.lesions[:, None]
    ever_seen = np.maximum.accumulate(_zero(true), axis=2) >= SEEN_MM
    shown = seen[:, None] & np.isfinite(true) & (own[:, :, None] | ever_seen)
    who, slot, when = np.nonzero(shown[order])
    who = order[who]
    slots = pl.Series([f"L{k + 1}" for k in range(SLOTS)])
    rows = pl.DataFrame(
        {
            "patient_id": names.gather(who),
            "lesion_id": slots.gather(slot),
            "day": result.days[:, kept][who, when],
            "role": pl.Series(role.ravel(), dtype=_code("lesions", "role")).gather(who * SLOTS + slot),
            "organ": pl.Series(organ.ravel(), dtype=_code("lesions", "organ")).gather(who * SLOTS + slot),
            "state": pl.Series(_STATES, dtype=_code("lesions", "state")).gather(
                _find_states(true, role)[who, slot, when]
            ),
            "whole": np.round(true * factor[..., 0], 1)[who, slot, when],
            "viable": np.round(viable * factor[..., 1], 1)[who, slot, when],
        }
    )
    return _show_sizes(rows)


def _zero(values: Array) -> Array:
    """Values with zero where there is none."""
    return np.where(np.isfinite(values), values, 0.0)


def _code(table: str, column: str) -> pl.DataType:
    """Type of a column of codes of a study."""
    return declared_columns(table)[column].dtype


def _find_states(true: Array, role: NDArray[np.str_]) -> NDArray[np.int64]:
    """State of a lesion on each scan, as its place in `_STATES`; shape = (n, SLOTS, n_scans)."""
    size = np.where(np.isfinite(true), true, np.inf)
    lowest = np.minimum.accumulate(np.maximum(size, SEEN_MM), axis=2)
    state = np.full(true.shape, _STATES.index("present"))
    state[true < SEEN_MM] = _STATES.index("too_small")
    state[true < GONE_MM] = _STATES.index("absent")
    grown = (true >= UNEQUIVOCAL * lowest) & (true >= 2 * SEEN_MM) & (role == "nontarget")[:, :, None]
    state[grown] = _STATES.index("unequivocal_progression")
    return state


def _show_sizes(rows: pl.DataFrame) -> pl.DataFrame:
    """Sizes stand only where they can be measured, viable ones only in the liver."""
    measured = pl.col("state").is_in(["present", "unequivocal_progression"])
    viable_mm = pl.when(pl.col("viable") < NOT_ENHANCING_MM).then(0.0)
    viable_mm = viable_mm.otherwise(pl.min_horizontal("viable", "whole"))
    return rows.select(
        "patient_id",
        pl.lit(READER).alias("reader"),
        "lesion_id",
        "day",
        "role",
        "organ",
        pl.when(measured).then("whole").alias("longest_mm"),
        pl.when(measured & (pl.col("organ") == "liver")).then(viable_mm).alias("viable_mm"),
        "state",
    )


def _labs(result: Result, names: pl.Series, kept: Sequence[int], seen: NDArray[np.bool_]) -> pl.DataFrame:
    """Labs on the days of scans; NLR stands as its two cell counts, ALBI as albumin and bilirubin."""
    who, when = np.nonzero(seen)
    albumin, bilirubin = split_albi(result.output("albi")[:, kept], result.state("liver")[:, kept])
    lymphocytes = 1.5
    values = {
        ("afp", "ng/mL"): result.state("afp")[:, kept],
        ("dcp", "mAU/mL"): result.output("dcp")[:, kept],
        ("neutrophils", "10^9/L"): lymphocytes * result.output("nlr")[:, kept],
        ("lymphocytes", "10^9/L"): np.full(seen.shape, lymphocytes),
        ("albumin", "g/L"): albumin,
        ("bilirubin", "umol/L"): bilirubin,
    }
    rows = pl.DataFrame({"patient_id": names.gather(who), "day": result.days[:, kept][who, when]})
    frames = [
        rows.select(
            "patient_id",
            "day",
            pl.lit(test).alias("test"),
            pl.Series("value", _significant(value[who, when])),
            pl.lit(unit).alias("unit"),
        )
        for (test, unit), value in values.items()
    ]
    return pl.concat(frames).sort("patient_id", "day", "test")


def _significant(values: Array, digits: int = 4) -> Array:
    """Values to so many significant digits, as a laboratory prints them."""
    safe = np.where(values > 0, values, 1.0)
    scale = 10.0 ** (digits - 1 - np.floor(np.log10(safe)))
    return np.where(values > 0, np.round(safe * scale) / scale, 0.0)


def split_albi(albi: Array, liver: Array) -> tuple[Array, Array]:
    """Find albumin (g/L) and bilirubin (µmol/L) that give an ALBI score.

    Albumin falls by 15 g/L from a whole to a lost liver (assumption); bilirubin follows from the score,
    0.66 log10(bilirubin) - 0.085 albumin (Johnson 2015, doi:10.1200/JCO.2014.57.9151).
    """
    albumin = 42.0 - 15.0 * (1.0 - liver)
    return albumin, 10.0 ** ((albi + 0.085 * albumin) / 0.66)


def _survival(result: Result, names: pl.Series, job: Job) -> pl.DataFrame:
    """Survival: death, or last day known alive."""
    died = np.isfinite(result.events[:, 0])
    last = np.where(died, result.events[:, 0], result.ended)
    frame = pl.DataFrame({"patient_id": names, "os_days": np.round(last, 1), "died": died})
    solved = pl.Series(_solved(result))
    return frame.filter(solved & pl.Series(last > 0) & pl.Series(last <= job.until + 1e-6))


def make_trajectories(result: Result) -> pl.DataFrame:
    """All outputs and states over time.

    Returns
    -------
    DataFrame
        Columns patient_id, lesion_id (null where it is of the patient), day, quantity, value, unit.
    """
    model, names = read_model(), name_patients(result.population.numbers)
    frames = list[pl.DataFrame]()
    for quantity in model.quantities:
        if quantity.kind == "event":
            continue
        for slot in range(SLOTS) if quantity.scope == "lesion" else (None,):
            take = result.state if quantity.kind == "state" else result.output
            values = take(quantity.name, slot=slot)
            who, when = np.nonzero(np.isfinite(values))
            frames.append(
                pl.DataFrame(
                    {
                        "patient_id": np.array(names)[who],
                        "lesion_id": pl.Series(
                            [None if slot is None else f"L{slot + 1}"] * len(who), dtype=pl.String
                        ),
                        "day": result.days[who, when],
                        "quantity": [quantity.name] * len(who),
                        "value": values[who, when],
                        "unit": [quantity.unit] * len(who),
                    }
                )
            )
    return pl.concat(frames).sort("patient_id", "lesion_id", "quantity", "day", nulls_last=False)
