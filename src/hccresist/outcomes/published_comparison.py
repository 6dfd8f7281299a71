"""A cohort's own rates and survival beside published arms of the same drugs and line.

This sets numbers side by side; it compares no treatments. Patients, scans, assessors and years differ, and
none of that is adjusted for. Every row says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from hccresist.outcomes.context import name_line
from hccresist.outcomes.groups import ALL, arm_of_patients
from hccresist.outcomes.published import name_kind, read_regimen
from hccresist.outcomes.results import PublishedComparison
from hccresist.outcomes.survival import MONTH
from hccresist.outcomes.targets import read_targets
from hccresist.study.study import Study

CAVEAT: Final = "another trial: patients, scans, assessors and years differ; no comparison of treatments"
"""What every row says."""

MIN_SHARE: Final = 50.0
"""A group is set beside a regimen that more than this share of its treated patients had, percent."""

TACE_DAYS: Final = (-30.0, 90.0)
"""TACE in this time around day 0 belongs to the regimen."""

_CRITERIA: Final[Mapping[str, str]] = {"recist11": "RECIST 1.1", "mrecist": "mRECIST", "irecist": "iRECIST"}
_MEDIANS: Final[Mapping[str, str]] = {"OS": "mOS", "PFS": "mPFS", "TTP": "mTTP", "DOR": "mDoR"}
_LANDMARKS: Final = ("OS", "PFS")
_RATES: Final = ("ORR", "DCR")
_OWN: Final = ("reader", "criterion", "group", "endpoint", "confirmed", "unit", "value", "low", "high", "n")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Regimen:
    """What most patients of a group had."""

    drugs: frozenset[str]
    line: str
    percent: float


def compare_with_published(
    study: Study, *, rates: pl.DataFrame | None = None, survival: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return the study's own rates and medians beside those of published arms.

    1. The regimen of a group is what more than half of its treated patients had in the index line: all
       drugs of that line, and TACE where it was done from 30 days before to 90 days after day 0. A group
       without such a regimen has no rows.
    2. Published arms are those of exactly these drugs, by generic name, and of the same line (first, later;
       with TACE also those of patients chosen for TACE).
    3. Numbers are put together by endpoint and criterion; a criterion is never set beside another one.
       Medians and rates at 6, 12, 18 and 24 months, objective response and disease control.
    4. Only verified numbers of whole arms, of their last data cut, without sensitivity analyses.

    Parameters
    ----------
    study
        The checked study: treatments, procedures, arms.
    rates, survival
        Tables `rates` and `survival_summary`; either may be absent.

    Returns
    -------
    pl.DataFrame
        Table `published_comparison`, sorted by key; empty where nothing matches.
    """
    regimens = _find_regimens(study)
    own = [
        *(() if rates is None else _own_rates(rates)),
        *(() if survival is None else _own_survival(survival)),
    ]
    published = [row for row in read_targets().iter_rows(named=True) if _is_comparable(row)]
    found = [
        _join(row, other, regimens[row["group"]])
        for row in own
        if row["group"] in regimens
        for other in published
        if _matches(row, other, regimens[row["group"]])
    ]
    made = pl.DataFrame(found, schema=dict(PublishedComparison.create_empty().schema))
    return PublishedComparison.cast(made).sort(PublishedComparison.primary_key())


def _find_regimens(study: Study) -> dict[str, _Regimen]:
    """Return the regimen of each group that has one (rule 1)."""
    drugs = _drugs_by_patient(study)
    arms = dict(arm_of_patients(study).iter_rows())
    groups: dict[str, Counter[frozenset[str]]] = {}
    for patient, had in sorted(drugs.items()):
        for group in {ALL, arms.get(patient)} - {None}:
            groups.setdefault(str(group), Counter())[had] += 1
    line = "1L" if study.config.index_line <= 1 else "2L"
    found: dict[str, _Regimen] = {}
    for group, counts in groups.items():
        had, count = max(counts.items(), key=lambda item: (item[1], sorted(item[0])))
        percent = 100 * count / counts.total()
        if percent > MIN_SHARE:
            found[group] = _Regimen(had, "TACE" if had == frozenset({"TACE"}) else line, percent)
    return found


def _drugs_by_patient(study: Study) -> dict[str, frozenset[str]]:
    """Return the drugs of the index line of each patient who has any, with TACE."""
    had: dict[str, set[str]] = {}
    treatments = study.tables.get("treatments")
    if treatments is not None:
        index = treatments.filter(pl.col("line") == study.config.index_line)
        for patient, drug in index.select("patient_id", "drug").iter_rows():
            had.setdefault(patient, set()).update(read_regimen(drug))
    procedures = study.tables.get("procedures")
    if procedures is not None:
        tace = procedures.filter(pl.col("kind") == "tace", pl.col("day").is_between(*TACE_DAYS))
        for patient in tace["patient_id"].unique():
            had.setdefault(patient, set()).add("TACE")
    return {patient: frozenset(drugs) for patient, drugs in had.items()}


def _own_rates(rates: pl.DataFrame) -> Iterator[Row]:
    for row in rates.filter(pl.col("measure").is_in(_RATES)).iter_rows(named=True):
        yield {
            **{name: row[name] for name in ("reader", "criterion", "group", "confirmed", "low", "high", "n")},
            "endpoint": row["measure"],
            "unit": "percent",
            "value": row["percent"],
        }


def _own_survival(survival: pl.DataFrame) -> Iterator[Row]:
    for row in survival.filter(pl.col("statistic").is_in(["median", "rate"])).iter_rows(named=True):
        endpoint, divisor, unit = _name_own(row)
        if endpoint:
            yield {
                **{name: row[name] for name in ("reader", "criterion", "group", "n")},
                "endpoint": endpoint,
                "confirmed": False,
                "unit": unit,
                **{
                    name: None if row[name] is None else row[name] / divisor
                    for name in ("value", "low", "high")
                },
            }


def _name_own(row: Row) -> tuple[str, float, str]:
    """Return the published name of an own number, what to divide it by, and its unit."""
    if row["statistic"] == "median":
        return _MEDIANS.get(row["endpoint"], ""), MONTH, "months"
    if row["endpoint"] not in _LANDMARKS:
        return "", 1, ""
    return f"{row['endpoint']}_{round(row['at_days'] / MONTH)}mo", 1, "percent"


def _is_comparable(row: Row) -> bool:
    """Return whether a published number stands for a whole arm (rule 4)."""
    whole = row["use"] != "excluded" or row["reason"].startswith("drug not in the model")
    return row["table"] == "endpoints_long" and whole


def _matches(own: Row, other: Row, regimen: _Regimen) -> bool:
    survival = name_kind(own["endpoint"]) == "OS"
    same_criterion = survival or _CRITERIA.get(own["criterion"], "?") == other["criterion"]
    return (
        own["endpoint"] == other["endpoint"]
        and same_criterion
        and regimen.drugs == read_regimen(other["drugs"])
        and _is_same_line(regimen, name_line(other["line"]))
    )


def _is_same_line(regimen: _Regimen, line: str) -> bool:
    return regimen.line == line or ("TACE" in regimen.drugs and line == "TACE")


def _join(own: Row, other: Row, regimen: _Regimen) -> dict[str, object]:
    return {
        **{name: own[name] for name in _OWN},
        "published_key": other["key"],
        "drugs": "+".join(sorted(regimen.drugs)),
        "line": regimen.line,
        "regimen_percent": regimen.percent,
        "trial": other["study"],
        "arm_id": other["arm_id"],
        "assessor": other["assessor"],
        "published_value": other["value"],
        "published_low": other["low"],
        "published_high": other["high"],
        "published_level": other["ci_level"],
        "published_limits": other["limits"],
        "published_n": other["n"],
        "source": other["source_url"],
        "note": _note(other),
    }


def _note(other: Row) -> str:
    parts = [CAVEAT]
    if other["limits"] not in {"published", None}:
        parts.append("published without limits: made from its number of patients")
    if other["not_reached"]:
        parts.append("published: median not reached")
    return "; ".join(parts)
