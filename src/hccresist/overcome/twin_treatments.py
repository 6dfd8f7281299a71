"""Drugs and procedures so far, and the courses that may follow, as the model takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import polars as pl

from hccresist.explain.knowledge import read_base
from hccresist.explain.names import UnknownNameError
from hccresist.overcome.dosing import read_drugs
from hccresist.overcome.model.handle_runs import CLASSES
from hccresist.overcome.model.parameters import read_handles, read_model
from hccresist.overcome.plan import KINDS

NO_TREATMENTS: Final = "the study records neither treatments nor procedures: what was given is not known"
GRACE: Final = 1.0
"""Days between a drug's last dose and the last data within which it is called present."""
MOST_CANDIDATES: Final = 3
"""Candidate courses of a patient: those of the strategies first in rank that the model can simulate."""
MOST_SPANS: Final = 8
"""Spans of drugs that a patient can have had."""
_CLASS: Final = " (class)"


@dataclass(frozen=True, order=True)
class Dose:
    """A drug in its standard regimen from a day until before another."""

    drug: str
    start: float
    until: float


@dataclass(frozen=True)
class Given:
    """What was given so far.

    Attributes
    ----------
    doses
        Drugs; a present one has no end.
    procedures
        Kind, day and place (``all`` or ``largest``) of procedures.
    present
        Drugs that are given on the last day.
    notes
        What was assumed or left out.
    """

    doses: tuple[Dose, ...] = ()
    procedures: tuple[tuple[str, float, str], ...] = ()
    present: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Course:
    """What may be given from the last day on.

    Attributes
    ----------
    strategy_id
        Strategy; none: going on as now.
    drugs
        Drugs of the model.
    factors
        Parameters of the model that are multiplied, for what else the strategy does.
    notes
        What stands for what.
    """

    strategy_id: str | None
    drugs: tuple[str, ...]
    factors: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Drugs in words, with what is multiplied."""
        parts = [*self.drugs, *(f"{name} x {factor:g}" for name, factor in self.factors)]
        return " + ".join(parts) or "none"


def read_given(
    treatments: pl.DataFrame | None, procedures: pl.DataFrame | None, *, day: float, since: float
) -> Given | str:
    """Read what a patient was given from `since` to `day`, or why the model cannot follow it."""
    doses, told = _read_doses(treatments, day=day, since=since)
    if isinstance(doses, str):
        return doses
    if len(doses) > MOST_SPANS:
        return f"more than {MOST_SPANS} spans of drugs"
    done = _read_procedures(procedures, day=day, since=since)
    if isinstance(done, str):
        return done
    present = tuple(sorted({each.drug for each in doses if each.until == float("inf")}))
    notes = ["standard doses were assumed"] if doses else []
    return Given(tuple(sorted(doses)), done, present, (*notes, *told))


def _read_doses(
    rows: pl.DataFrame | None, *, day: float, since: float
) -> tuple[list[Dose] | str, tuple[str, ...]]:
    doses, unknown, earlier, undated = list[Dose](), set[str](), set[str](), set[str]()
    if rows is None:
        return doses, ()
    for row in rows.sort("line", "drug").iter_rows(named=True):
        if row["start_day"] is None:
            undated.add(row["drug"])
            continue
        start, end = float(row["start_day"]), row["end_day"]
        if start > day:
            continue
        if end is not None and end <= since:
            earlier.add(row["drug"])
            continue
        until = float("inf") if end is None or end >= day - GRACE else float(end) + GRACE
        for name in _name_drugs(row["drug"]):
            if name in read_drugs():
                doses.append(Dose(name, max(start, since), until))
            else:
                unknown.add(name)
    if undated:
        return f"no first day of {', '.join(sorted(undated))}", ()
    if unknown:
        return f"the model does not have {', '.join(sorted(unknown))}", ()
    told = f"earlier treatment is not followed ({', '.join(sorted(earlier))})" if earlier else ""
    return _join(doses), (told,) if told else ()


def _join(doses: list[Dose]) -> list[Dose]:
    """Doses of one drug that overlap as one."""
    found = list[Dose]()
    for dose in sorted(doses):
        last = found[-1] if found else None
        if last is not None and last.drug == dose.drug and dose.start <= last.until:
            found[-1] = replace(last, until=max(last.until, dose.until))
        else:
            found.append(dose)
    return found


def _name_drugs(text: str) -> tuple[str, ...]:
    """Drugs of a cell by the names of the base; what the base does not know stays as it is."""
    if text.lower() in read_drugs():
        return (text.lower(),)
    try:
        return tuple(name.lower() for name in read_base().names.split_drugs(text)) or (text,)
    except UnknownNameError:
        return (text,)


def _read_procedures(
    rows: pl.DataFrame | None, *, day: float, since: float
) -> tuple[tuple[str, float, str], ...] | str:
    """Procedures of the model; others that take lesions away end the look."""
    if rows is None:
        return ()
    known = rows.filter((pl.col("day") > since) & (pl.col("day") <= day)).with_columns(
        pl.col("kind").cast(pl.String)
    )
    wrong = sorted(set(known["kind"]) - set(KINDS))
    if wrong:
        return f"the model does not have {', '.join(wrong)}"
    place = {"tace": "all", "ablation": "largest", "resection": "largest"}
    return tuple(
        (kind, float(at), place[kind])
        for at, kind in known.sort("day", "kind").select("day", "kind").iter_rows()
    )


def find_courses(rows: pl.DataFrame | None, given: Given) -> tuple[list[Course], tuple[str, ...]]:
    """Find the candidate courses of a patient from its rows of table `strategies`.

    Returns
    -------
    tuple
        Courses, at most `MOST_CANDIDATES`, none twice and none that is given now; what was left out.
    """
    if rows is None:
        return [], ("no strategies were ranked",)
    found, left = dict[str, Course](), list[str]()
    now = Course(None, given.present).name
    for row in rows.filter(pl.col("rank") > 0).sort("rank", "strategy_id").iter_rows(named=True):
        course = make_course(row["strategy_id"], tuple(str(row["drugs"]).split(";")))
        if isinstance(course, str):
            left.append(row["strategy_id"])
        elif course.name != now:
            found.setdefault(course.name, course)
        if len(found) == MOST_CANDIDATES:
            break
    told = (f"not in the model, so not simulated: {', '.join(left)}",) if left else ()
    return list(found.values()), told


def make_course(strategy_id: str, drugs: tuple[str, ...]) -> Course | str:
    """Make the course of a strategy, or say why the model cannot simulate it.

    Examples
    --------
    >>> make_course("S08", ("pembrolizumab", "lenvatinib")).name
    'lenvatinib + pembrolizumab'
    >>> make_course("S75", ("sorafenib", "gefitinib")).factors
    (('h_abc', 0.03),)
    >>> make_course("S15", ("doxorubicin",))
    'the model does not have doxorubicin'
    """
    stands = {
        name: CLASSES[name.removesuffix(_CLASS)] for name in drugs if name.removesuffix(_CLASS) in CLASSES
    }
    known = [stands.get(name, name) for name in drugs if stands.get(name, name) in read_drugs()]
    other = [name for name in drugs if stands.get(name, name) not in read_drugs()]
    notes = [f"{drug} stands for {name}" for name, drug in stands.items()]
    factors = _find_factors().get(strategy_id, ()) if other else ()
    if other and not factors:
        return f"the model does not have {', '.join(other)}"
    if factors:
        told = ", ".join(f"{name} x {factor:g}" for name, factor in factors)
        notes.append(f"{', '.join(other)} is {told} in the model (assumption)")
    return Course(strategy_id, tuple(sorted(known)), factors, tuple(notes))


@cache
def _find_factors() -> Mapping[str, tuple[tuple[str, float], ...]]:
    """Strategy to the parameters that it multiplies in the model, of `handles.csv`."""
    known = {parameter.name for parameter in read_model().parameters}
    found: dict[str, tuple[tuple[str, float], ...]] = {}
    for handle in read_handles():
        name, by, factor = (handle.strategy_effect or "").partition(" x ")
        if by and name in known:
            found[handle.reversed_by] = ((name, float(factor)),)
    return found
