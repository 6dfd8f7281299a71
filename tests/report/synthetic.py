"""Result tables of a made-up study, deterministic, plausible and free of any engine.

Nothing here is a reference: the tests of the report only hold that the page says what the tables
say, whatever they say. Sums are drawn, responses follow from plain thresholds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
from scipy.stats import beta

from hccresist.assess.results import RESULTS as ASSESS
from hccresist.outcomes.results import RESULTS as OUTCOMES
from hccresist.study.issues import Issue, Severity
from hccresist.study.policies import Policies
from hccresist.study.study import Source, Study, StudyConfig
from hccresist.study.tables import SCHEMAS

ARMS = ("Lenvatinib", "Lenvatinib + TACE")
CRITERIA = ("recist11", "mrecist", "irecist")
STEP = 56.0


@dataclass(frozen=True)
class Case:
    """Everything that one run hands to the report."""

    study: Study
    tables: dict[str, pl.DataFrame]
    manifest: dict[str, object]


def make_case(
    n: int = 60, *, readers: tuple[str, ...] = ("R1", "R2"), arms: int = 2, visits: int = 8, seed: int = 7
) -> Case:
    """Return a study of `n` patients with every result table."""
    rng = random.Random(seed)
    people = [_person(i, rng, arms=arms, visits=visits) for i in range(n)]
    study = _study(people, rng)
    timepoints, best, baselines = [], [], []
    for person in people:
        for criterion in CRITERIA:
            for reader in readers:
                rows, verdict, base = _assess(person, criterion, reader, rng)
                timepoints += rows
                best.append(verdict)
                baselines.append(base)
    tables = {
        "timepoints": _frame(timepoints, ASSESS["timepoints"]),
        "best_response": _frame(best, ASSESS["best_response"]),
        "baselines": _frame(baselines, ASSESS["baselines"]),
    }
    events = list(_events(people, best))
    tables["events"] = _frame(events, OUTCOMES["events"])
    tables["rates"] = _frame(list(_rates(people, best)), OUTCOMES["rates"])
    curves = list(_curves(people, events))
    tables["survival_curves"] = _frame(curves, OUTCOMES["survival_curves"])
    tables["survival_summary"] = _frame(list(_summary(curves)), OUTCOMES["survival_summary"])
    tables["cumulative_incidence"] = _frame(
        list(_incidence(people, events)), OUTCOMES["cumulative_incidence"]
    )
    return Case(study=study, tables=tables, manifest=_manifest(study, readers))


def _person(i: int, rng: random.Random, *, arms: int, visits: int) -> dict[str, object]:
    arm = ARMS[i % arms] if arms > 1 else None
    benefit = 0.25 if arm == ARMS[1] else 0.0
    shrink = rng.gauss(-0.02 - benefit, 0.45)
    growth = abs(rng.gauss(0.09, 0.06))
    death = 90 + rng.expovariate(1 / (520 + 260 * benefit))
    follow = rng.uniform(300, 900)
    last = min(death, follow)
    days = [round(STEP * k + rng.uniform(-5, 5)) for k in range(1, visits + 1)]
    return {
        "patient_id": f"HCC-{i + 1:04d}",
        "arm": arm,
        "age_years": float(round(rng.gauss(63, 9))),
        "sex": "female" if rng.random() < 0.22 else "male",
        "aetiology": rng.choice(["hbv", "hcv", "alcohol", "masld"]),
        "bclc": rng.choice(["B", "C", "C"]),
        "child_pugh_score": rng.choice([5, 5, 6, 7]),
        "ecog": rng.choice([0, 0, 1]),
        "baseline": rng.uniform(32, 160),
        "shrink": shrink,
        "growth": growth,
        "died": death <= follow,
        "os": round(last),
        "days": [day for day in days if day < last],
        "base_day": float(-rng.randint(1, 27)),
        "new_at": rng.randint(1, 9) if rng.random() < 0.5 else 99,
    }


def _study(people: list[dict[str, object]], rng: random.Random) -> Study:
    patients = [{key: p.get(key) for key in (*SCHEMAS["patients"].column_names(), "site")} for p in people]
    for row in patients:
        row["site"] = rng.choice(["north", "south"])
    treatments, procedures, survival = [], [], []
    for p in people:
        stop = min(float(p["os"]), rng.uniform(120, 600))
        ongoing = not p["died"] and stop >= float(p["os"])
        treatments.append(_drug(p, 1, "lenvatinib", 0.0, None if ongoing else round(stop)))
        if not ongoing and rng.random() < 0.4 and stop + 14 < float(p["os"]):
            treatments.append(_drug(p, 2, "regorafenib", round(stop) + 14.0, float(p["os"])))
        if p["arm"] == ARMS[1]:
            procedures.append({"patient_id": p["patient_id"], "day": 10.0, "kind": "tace", "lesion_id": None})
        survival.append({"patient_id": p["patient_id"], "os_days": float(p["os"]), "died": p["died"]})
    tables = {
        "patients": _frame(patients, SCHEMAS["patients"], extra={"site": pl.String}),
        "treatments": _frame(treatments, SCHEMAS["treatments"]),
        "procedures": _frame(procedures, SCHEMAS["procedures"]),
        "survival": _frame(survival, SCHEMAS["survival"]),
    }
    config = StudyConfig(
        name="demo",
        title="A made-up cohort of hepatocellular carcinoma",
        simulated=True,
        policies=Policies(confirm_days=42.0, primary_reader="R1"),
    )
    warnings = (
        Issue(
            code="visit-outside-grid",
            problem="the scan is 21 days from the nearest planned visit",
            hint="Check the date.",
            file="visits.csv",
            line=48,
            column="day",
            patient="HCC-0007",
            severity=Severity.WARNING,
        ),
    )
    sources = tuple(
        Source(file=f"{name}.csv", sha256=f"{i:02x}" * 32, rows=frame.height, table=name)
        for i, (name, frame) in enumerate(tables.items())
    )
    return Study(config=config, tables=tables, warnings=warnings, sources=sources)


def _drug(p: dict[str, object], line: int, drug: str, start: float, end: float | None) -> dict[str, object]:
    return {
        "patient_id": p["patient_id"],
        "line": line,
        "drug": drug,
        "start_day": start,
        "end_day": None if end is None else float(end),
        "end_reason": "ongoing" if end is None else "progression",
    }


def _assess(
    p: dict[str, object], criterion: str, reader: str, rng: random.Random
) -> tuple[list[dict[str, object]], dict[str, object], dict[str, object]]:
    key = {"patient_id": p["patient_id"], "reader": reader, "criterion": criterion}
    factor = 0.85 if criterion == "mrecist" else 1.0
    base = round(float(p["baseline"]) * factor, 1)
    nadir, rows, state = base, [], "SD"
    for k, day in enumerate(p["days"]):
        depth = float(p["shrink"]) * (1.5 if criterion == "mrecist" else 1.0)
        relative = max(0.0, 1 + depth * min(1, (k + 1) / 3) + float(p["growth"]) * max(0, k - 1))
        missing = rng.random() < 0.04
        total = None if missing else round(base * relative * rng.uniform(0.96, 1.04), 1)
        new = k + 1 >= int(p["new_at"])
        target = _target(total, base, nadir)
        overall = "PD" if new else target
        rows.append(
            {
                **key,
                "day": float(day),
                "target": target,
                "nontarget": "NON-CR/NON-PD",
                "new_lesion": new,
                "overall": _word(overall, criterion, state),
                "sum_mm": total,
                "new_target_sum_mm": 12.0 + k if new and criterion == "irecist" else None,
                "baseline_mm": base,
                "nadir_mm": nadir,
                "change_from_baseline_percent": None if total is None else 100 * (total - base) / base,
                "change_from_nadir_percent": None
                if total is None or not nadir
                else 100 * (total - nadir) / nadir,
                "rule": "new-lesion" if new else f"target-{target.lower()}",
                "reason": _reason(total, base, nadir, overall, new=new),
            }
        )
        state = overall
        nadir = min(nadir, total) if total is not None else nadir
        if overall == "PD" and criterion != "irecist":
            break
    return rows, _verdict(key, rows), _baseline(key, p, base, rows)


def _target(total: float | None, base: float, nadir: float) -> str:
    if total is None:
        return "NE"
    if total == 0:
        return "CR"
    if total >= 1.2 * nadir and total - nadir >= 5:
        return "PD"
    return "PR" if total <= 0.7 * base else "SD"


def _word(overall: str, criterion: str, before: str) -> str:
    if criterion != "irecist" or overall == "NE":
        return overall
    if overall == "PD":
        return "iCPD" if before == "PD" else "iUPD"
    return f"i{overall}"


def _reason(total: float | None, base: float, nadir: float, overall: str, *, new: bool) -> str:
    if new:
        return f"{overall}: a new lesion was seen; the sum is {total} mm."
    if total is None:
        return "NE: at least one target could not be measured."
    from_base, from_nadir = 100 * (total - base) / base, 100 * (total - nadir) / max(nadir, 1)
    return (
        f"{overall}: sum {total:.1f} mm, {from_base:+.1f} % from baseline {base} mm "
        f"and {from_nadir:+.1f} % from nadir {nadir} mm."
    )


def _verdict(key: dict[str, object], rows: list[dict[str, object]]) -> dict[str, object]:
    order = ["CR", "iCR", "PR", "iPR", "SD", "iSD", "PD", "iCPD", "iUPD", "NE"]
    kept = rows[:1] + [row for row in rows[1:] if row["overall"] not in ("PD", "iCPD")]
    best = min((str(row["overall"]) for row in kept), key=order.index, default="NE")
    progress = [row["day"] for row in rows if row["overall"] in ("PD", "iUPD")]
    response = [row["day"] for row in rows if str(row["overall"]) in ("CR", "PR", "iCR", "iPR")]
    confirmed = best if len(response) > 1 or best not in ("CR", "PR", "iCR", "iPR") else "SD"
    return {
        **key,
        "best": best,
        "best_confirmed": confirmed,
        "best_day": next((row["day"] for row in rows if row["overall"] == best), None),
        "first_response_day": response[0] if response else None,
        "progression_day": progress[0] if progress else None,
    }


def _baseline(
    key: dict[str, object], p: dict[str, object], base: float, rows: list[dict[str, object]]
) -> dict[str, object]:
    return {
        **key,
        "day": p["base_day"],
        "n_targets": 2,
        "n_nontargets": 1,
        "baseline_mm": base,
        "measurable": True,
        "evaluable": any(row["overall"] != "NE" for row in rows),
        "reason": None,
    }


def _events(people: list[dict[str, object]], best: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    by_id = {p["patient_id"]: p for p in people}
    for p in people:
        key = {"patient_id": p["patient_id"], "reader": "", "criterion": "", "endpoint": "OS"}
        yield {**key, "days": float(p["os"]), "event": p["died"], "reason": "death" if p["died"] else "alive"}
    for row in best:
        p = by_id[row["patient_id"]]
        name = "iPFS" if row["criterion"] == "irecist" else "PFS"
        progress = row["progression_day"]
        key = {k: row[k] for k in ("patient_id", "reader", "criterion")}
        day = progress if progress is not None else float(p["os"])
        event = progress is not None or bool(p["died"])
        reason = "progression" if progress is not None else ("death" if event else "last contact")
        yield {**key, "endpoint": name, "days": day, "event": event, "reason": reason}
        yield {**key, "endpoint": "TTP", "days": day, "event": progress is not None, "reason": reason}


def _rates(people: list[dict[str, object]], best: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    arm_of = {p["patient_id"]: p["arm"] for p in people}
    words = {"ORR": ("CR", "PR"), "DCR": ("CR", "PR", "SD"), "CBR": ("CR", "PR", "SD")}
    for criterion, reader in sorted({(row["criterion"], row["reader"]) for row in best}):
        rows = [row for row in best if (row["criterion"], row["reader"]) == (criterion, reader)]
        for group in _groups(people):
            mine = [row for row in rows if group in ("all", arm_of[row["patient_id"]])]
            for measure, good in words.items():
                for confirmed in (False, True):
                    column = "best_confirmed" if confirmed else "best"
                    k = sum(str(row[column]).removeprefix("i") in good for row in mine)
                    n = len(mine)
                    yield {
                        "reader": reader,
                        "criterion": criterion,
                        "group": group,
                        "measure": measure,
                        "confirmed": confirmed,
                        "denominator": "all",
                        "events": k,
                        "n": n,
                        "percent": 100 * k / n,
                        "low": 100 * float(beta.ppf(0.025, k, n - k + 1)) if k else 0.0,
                        "high": 100 * float(beta.ppf(0.975, k + 1, n - k)) if k < n else 100.0,
                    }


def _groups(people: list[dict[str, object]]) -> list[str]:
    arms = sorted({str(p["arm"]) for p in people if p["arm"]})
    return ["all", *(arms if len(arms) > 1 else [])]


def _curves(people: list[dict[str, object]], events: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    arm_of = {p["patient_id"]: p["arm"] for p in people}
    for key in sorted({(e["reader"], e["criterion"], e["endpoint"]) for e in events}):
        rows = [e for e in events if (e["reader"], e["criterion"], e["endpoint"]) == key]
        for group in _groups(people):
            mine = [e for e in rows if group in ("all", arm_of[e["patient_id"]])]
            for point in _product_limit(mine):
                yield {
                    **dict(zip(("reader", "criterion", "endpoint"), key, strict=True)),
                    "group": group,
                    **point,
                }


def _by_day(rows: list[dict[str, object]]) -> list[tuple[float, list[dict[str, object]]]]:
    days: dict[float, list[dict[str, object]]] = {}
    for row in rows:
        days.setdefault(float(row["days"]), []).append(row)
    return sorted(days.items(), key=lambda item: item[0])


def _product_limit(rows: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    share, spread, risk = 1.0, 0.0, len(rows)
    for day, here in _by_day(rows):
        d = sum(bool(row["event"]) for row in here)
        share *= 1 - d / risk
        spread += d / (risk * (risk - d)) if risk > d else 0.0
        half = 1.96 * share * spread**0.5
        yield {
            "days": day,
            "survival": share,
            "low": max(0.0, share - half) if share < 1 else None,
            "high": min(1.0, share + half) if share < 1 else None,
            "at_risk": risk,
            "events": d,
            "censored": len(here) - d,
        }
        risk -= len(here)


def _summary(curves: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    keys = sorted({(c["reader"], c["criterion"], c["endpoint"], c["group"]) for c in curves})
    for key in keys:
        rows = [c for c in curves if (c["reader"], c["criterion"], c["endpoint"], c["group"]) == key]
        head = dict(zip(("reader", "criterion", "endpoint", "group"), key, strict=True))
        tail = {"n": rows[0]["at_risk"], "events": sum(int(c["events"]) for c in rows)}
        median = next((c["days"] for c in rows if c["survival"] <= 0.5), None)
        note = None if median is not None else "not reached"
        high = None if median is None else median * 1.4
        low = 150.0 if median is None else median * 0.8
        yield {
            **head,
            "statistic": "median",
            "at_days": 0.0,
            "value": median,
            "low": low,
            "high": high,
            "note": note,
            **tail,
        }
        for at in (182.625, 365.25, 547.875):
            share = next((c for c in reversed(rows) if c["days"] <= at), rows[0])
            yield {
                **head,
                "statistic": "rate",
                "at_days": at,
                "value": 100 * share["survival"],
                "low": 100 * (share["low"] or 1.0),
                "high": 100 * (share["high"] or 1.0),
                "note": None,
                **tail,
            }
        yield {
            **head,
            "statistic": "rmst",
            "at_days": 365.25,
            "value": 250.0,
            "low": 220.0,
            "high": 280.0,
            "note": None,
            **tail,
        }
        yield {
            **head,
            "statistic": "followup",
            "at_days": 0.0,
            "value": 600.0,
            "low": 550.0,
            "high": 650.0,
            "note": None,
            **tail,
        }
    if len({key[3] for key in keys}) > 1:
        for reader, criterion, endpoint in sorted({key[:3] for key in keys}):
            head = {
                "reader": reader,
                "criterion": criterion,
                "endpoint": endpoint,
                "group": f"{ARMS[1]} vs {ARMS[0]}",
            }
            rest = {"n": 60, "events": 40, "note": None, "at_days": 0.0}
            yield {**head, "statistic": "hazard_ratio", "value": 0.71, "low": 0.5, "high": 1.02, **rest}
            yield {**head, "statistic": "logrank_p", "value": 0.0614, "low": None, "high": None, **rest}


def _incidence(
    people: list[dict[str, object]], events: list[dict[str, object]]
) -> Iterator[dict[str, object]]:
    arm_of = {p["patient_id"]: p["arm"] for p in people}
    for key in sorted(
        {(e["reader"], e["criterion"], e["endpoint"]) for e in events if e["endpoint"] in ("PFS", "iPFS")}
    ):
        rows = [e for e in events if (e["reader"], e["criterion"], e["endpoint"]) == key]
        for group in _groups(people):
            mine = [e for e in rows if group in ("all", arm_of[e["patient_id"]])]
            for cause in ("death", "progression"):
                total, free, risk = 0.0, 1.0, len(mine)
                for day, here in _by_day(mine):
                    hits = sum(e["event"] and e["reason"] == cause for e in here)
                    total += free * hits / risk
                    free *= 1 - sum(bool(e["event"]) for e in here) / risk
                    risk -= len(here)
                    yield {
                        **dict(zip(("reader", "criterion", "endpoint"), key, strict=True)),
                        "group": group,
                        "cause": cause,
                        "days": day,
                        "incidence": total,
                        "low": 0.8 * total,
                        "high": min(1.0, 1.2 * total),
                    }


def _manifest(study: Study, readers: tuple[str, ...]) -> dict[str, object]:
    n = study.patients.height
    policies = study.config.policies.values()
    return {
        "version": "0.1.0",
        "study": {"name": study.config.name, "title": study.config.title, "simulated": True},
        "criteria": [
            {"name": name, "title": name, "reference": "", "status": "", "variant": {}}
            for name in study.config.criteria
        ],
        "policies": policies,
        "policies_changed": {
            "confirm_days": {
                "value": 42.0,
                "default": 28.0,
                "meaning": "days after which a repeat confirms CR or PR",
            },
            "primary_reader": {
                "value": "R1",
                "default": "",
                "meaning": "reader whose results lead the report",
            },
        },
        "inputs": [
            {
                "table": s.table,
                "rows": s.rows,
                "columns": 5,
                "covariates": [],
                "files": [s.file],
                "sha256": s.sha256,
            }
            for s in study.sources
        ],
        "stages": [
            {"name": name, "status": "done", "reason": ""} for name in ("assess", "outcomes", "report")
        ],
        "attrition": [
            {
                "reader": reader,
                "criterion": criterion,
                "step": step,
                "patients": n - lost,
                "lost": lost,
                "reason": reason,
            }
            for criterion in study.config.criteria
            for reader in readers
            for step, lost, reason in (
                ("in the study", 0, ""),
                ("with a visit after baseline", 2, "no visit after baseline"),
            )
        ],
        "warnings": [issue.record() for issue in study.warnings],
        "skipped": {"explain": "the study has no table 'expression'"},
        "citations": ["recist11", "mrecist", "irecist", "polars", "hccresist"],
        "seed": None,
        "options": {"criteria": list(study.config.criteria)},
    }


def _frame(
    rows: list[dict[str, object]], schema: type, *, extra: dict[str, object] | None = None
) -> pl.DataFrame:
    types = dict(schema.create_empty().schema) | (extra or {})
    frame = pl.DataFrame(
        [{name: row.get(name) for name in types} for row in rows], schema=types, infer_schema_length=None
    )
    return frame.sort(schema.primary_key())
