"""What a strategy is held against beside the tumour: drugs so far, liver reserve, what speaks against drugs.

Nothing is guessed: what the study does not record is unknown, and said to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from hccresist.explain.knowledge import EvidenceBase
from hccresist.overcome.strategy_table import CONTRAINDICATIONS, Strategy
from hccresist.study.study import Study

_YES: Final = frozenset({"yes", "true", "1", "present", "positive", "y"})
_NO: Final = frozenset({"no", "false", "0", "absent", "negative", "none", "n"})
_RECORDED: Final[Mapping[str, tuple[str, ...]]] = {
    "bleeding_risk": ("bleeding_risk", "bleeding"),
    "varices_untreated": ("varices_untreated",),
    "autoimmune": ("autoimmune", "autoimmune_disease"),
    "cardiovascular": ("cardiovascular", "cardiovascular_disease"),
    "transplant": ("transplant", "liver_transplant"),
}
"""Code of a contraindication to the observations or columns of patients in which it may be recorded."""
_CLASS_LIMITS: Final = (("A", 6), ("B", 9), ("C", 15))
_TREATED: Final = 1
_STATES: Final = ("stands against it", "does not stand against it", "not known")


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Where a patient stands.

    Attributes
    ----------
    patient_id
        Pseudonym.
    had
        Drugs so far by the names of the base, in order of line.
    covered
        These drugs and the class labels that cover them.
    had_classes
        Class of a drug to the drugs of that class so far.
    next_line
        Line that comes next: 1 before any systemic treatment; none where the study records no treatments.
    resistance
        Class of resistance of the index line, in words; empty where it was not assessed.
    child_pugh
        Child-Pugh class, with where it is from; both empty where it is not known.
    albi
        ALBI grade; empty where it is not known.
    aetiology
        Cause of the liver disease; empty where it is not known.
    recorded
        Code of a contraindication to whether the study says so; a code that is not there is not known.
    """

    patient_id: str
    had: tuple[str, ...] = ()
    covered: frozenset[str] = frozenset()
    had_classes: Mapping[str, tuple[str, ...]]
    next_line: int | None
    resistance: str = ""
    child_pugh: tuple[str, str] = ("", "")
    albi: str = ""
    aetiology: str = ""
    recorded: Mapping[str, bool]


def read_situations(
    study: Study, tables: Mapping[str, pl.DataFrame], base: EvidenceBase
) -> dict[str, Situation]:
    """Return where each patient stands, by patient.

    Parameters
    ----------
    study
        Checked study: patients, treatments, procedures, observations.
    tables
        Result tables of *assess*: `resistance` and `markers`, where they are there.
    base
        Evidence base, for the names and classes of drugs.
    """
    treated = study.table("treatments")
    lines = _read_lines(treated)
    drugs = _read_drugs(treated, base)
    classes = dict(base.drugs.select("drug", "drug_class").iter_rows())
    resistance = _read_resistance(tables.get("resistance"))
    reserve, albi = _read_reserve(study, tables.get("markers"))
    recorded = _read_recorded(study)
    aetiology = dict(study.patients.select("patient_id", pl.col("aetiology").cast(pl.String)).iter_rows())
    found: dict[str, Situation] = {}
    for patient in study.patients["patient_id"].sort():
        had = drugs.get(patient, ())
        known = (aetiology.get(patient) or "").replace("unknown", "")
        found[patient] = Situation(
            patient_id=patient,
            had=had,
            covered=frozenset(had).union(*(base.names.classes.get(drug, frozenset()) for drug in had)),
            had_classes=_group_classes(had, classes),
            next_line=None if treated is None else lines.get(patient, 0) + 1,
            resistance=resistance.get(patient, ""),
            child_pugh=reserve.get(patient, ("", "")),
            albi=albi.get(patient, ""),
            aetiology=known,
            recorded=recorded.get(patient, {}),
        )
    return found


def _read_lines(treated: pl.DataFrame | None) -> dict[str, int]:
    if treated is None:
        return {}
    return dict(treated.group_by("patient_id").agg(pl.col("line").max()).iter_rows())


def _read_drugs(treated: pl.DataFrame | None, base: EvidenceBase) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    if treated is None:
        return {}
    rows = treated.filter(pl.col("line") >= _TREATED).sort("patient_id", "line", "drug")
    for patient, cell in rows.select("patient_id", "drug").iter_rows():
        found.setdefault(patient, {}).update(dict.fromkeys(base.names.split_drugs(cell)))
    return {patient: tuple(drugs) for patient, drugs in found.items()}


def _group_classes(drugs: Iterable[str], classes: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for drug in drugs:
        if drug in classes:
            found[classes[drug]] = (*found.get(classes[drug], ()), drug)
    return found


def _read_resistance(frame: pl.DataFrame | None) -> dict[str, str]:
    if frame is None:
        return {}
    rows = frame.sort("patient_id", "line").select("patient_id", pl.col("class").cast(pl.String), "drug")
    return {
        patient: f"{kind.replace('_', ' ')}{f' ({drug})' if drug else ''}"
        for patient, kind, drug in rows.iter_rows()
    }


def _read_reserve(
    study: Study, markers: pl.DataFrame | None
) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """Return Child-Pugh class (and where it is from) and ALBI grade: the last marker, else the baseline."""
    baseline = study.patients.select("patient_id", "child_pugh_score").drop_nulls().iter_rows()
    reserve = {
        patient: (name_child_pugh(score), f"{score} points at the start") for patient, score in baseline
    }
    albi: dict[str, str] = {}
    if markers is None:
        return reserve, albi
    graded = markers.filter(pl.col("marker").is_in(["child_pugh", "albi"])).drop_nulls("grade")
    for row in graded.sort("patient_id", "day", "reader").iter_rows(named=True):
        if row["marker"] == "albi":
            albi[row["patient_id"]] = row["grade"]
        else:
            reserve[row["patient_id"]] = (row["grade"], f"day {row['day']:g}")
    return reserve, albi


def name_child_pugh(score: int) -> str:
    """Return the class of a Child-Pugh score: A to 6, B to 9, C to 15 points.

    Examples
    --------
    >>> [name_child_pugh(score) for score in (5, 6, 7, 9, 10, 15)]
    ['A', 'A', 'B', 'B', 'C', 'C']
    """
    return next(name for name, limit in _CLASS_LIMITS if score <= limit)


def _read_recorded(study: Study) -> dict[str, dict[str, bool]]:
    """Return what the study records of contraindications: observations, columns of patients, transplants."""
    codes = {name: code for code, names in _RECORDED.items() for name in names}
    found: dict[str, dict[str, bool]] = {}
    for patient, name, value in _list_records(study, codes):
        said = str(value).strip().casefold()
        if said in _YES | _NO:
            own = found.setdefault(patient, {})
            own[codes[name]] = own.get(codes[name], False) or said in _YES
    procedures = study.table("procedures")
    if procedures is not None:
        had = set(procedures.filter(pl.col("kind").cast(pl.String) == "transplant")["patient_id"])
        for patient in study.patients["patient_id"]:
            own = found.setdefault(patient, {})
            own["transplant"] = own.get("transplant", False) or patient in had
    return found


def _list_records(study: Study, codes: Mapping[str, str]) -> Iterable[tuple[str, str, object]]:
    for name in [name for name in study.patients.columns if name.casefold() in codes]:
        for patient, value in study.patients.select("patient_id", name).drop_nulls().iter_rows():
            yield patient, name.casefold(), value
    observations = study.table("observations")
    if observations is not None:
        named = observations.with_columns(pl.col("name").str.to_lowercase()).drop_nulls("value")
        rows = named.filter(pl.col("name").is_in(list(codes))).sort("patient_id", "day", "name")
        yield from rows.select("patient_id", "name", "value").iter_rows()


def hold_contraindications(
    strategy: Strategy, situation: Situation, classes: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Hold the contraindications of a strategy against a patient.

    Parameters
    ----------
    strategy, situation
        Strategy and patient.
    classes
        Drug to its class.

    Returns
    -------
    tuple
        What stands against it, what does not, and what is not known, each in words.
    """
    present: list[str] = []
    absent: list[str] = []
    unknown: list[str] = []
    codes = [code for code in strategy.contraindications if code != "none_stated"]
    for code in codes:
        state, words = _hold(code, strategy, situation, classes)
        if words:
            {True: present, False: absent, None: unknown}[state].append(words)
    return tuple(present), tuple(absent), tuple(unknown)


def find_same_class(strategy: Strategy, situation: Situation, classes: Mapping[str, str]) -> tuple[str, ...]:
    """Return the earlier drugs that are of the class of a drug of a strategy, each group with its class."""
    own = {classes[drug] for drug in strategy.drugs if drug in classes}
    shared = sorted(own & set(situation.had_classes))
    return tuple(f"{', '.join(situation.had_classes[name])} ({name})" for name in shared)


def _hold(
    code: str, strategy: Strategy, situation: Situation, classes: Mapping[str, str]
) -> tuple[bool | None, str]:
    if code in {"child_pugh_b", "child_pugh_c"}:
        return _hold_reserve(code, situation)
    if code == "prior_same_class":
        return _hold_class(strategy, situation, classes)
    return situation.recorded.get(code), CONTRAINDICATIONS[code]


def _hold_reserve(code: str, situation: Situation) -> tuple[bool | None, str]:
    name, where = situation.child_pugh
    wanted = CONTRAINDICATIONS[code]
    if not name:
        told = f" (ALBI grade {situation.albi})" if situation.albi else ""
        return None, f"{wanted}{told}"
    return name >= code[-1].upper(), f"{wanted} (here {name}, {where})"


def _hold_class(
    strategy: Strategy, situation: Situation, classes: Mapping[str, str]
) -> tuple[bool | None, str]:
    """Tell earlier drugs of a class of the strategy; known only where the study records treatments."""
    words = CONTRAINDICATIONS["prior_same_class"]
    if situation.next_line is None:
        return None, words
    same = find_same_class(strategy, situation, classes)
    return bool(same), f"{words}: {'; '.join(same)}" if same else words
