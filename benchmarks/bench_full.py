"""How long everything but growth fits takes: criteria, patterns, robustness, discordance, agreement.

    python benchmarks/bench_full.py [--patients 100000]

Every registered criterion with its reasons, progressions and best responses; every pattern definition;
robustness with both error models and leave-one-out; discordance and agreement: 4 lesions at 8 visits, one of
them before the baseline so that growth before treatment is known. Aim: 100,000 patients in less than 60 s on
2 cores and 8 GB. Peers run beside it in the same process, on fewer patients where they are slow, and their
results are compared with ours:

* criteria: the naive implementation of the tests, patient by patient (RECIST 1.1, mRECIST, iRECIST);
* patterns: one definition of hyperprogression (Champiat 2017) by vectorised pandas groupbys, from the same
  lesions and visits to the same answers: who can be judged, who meets it, and the ratio; without reasons;
* robustness: a vectorised NumPy Monte Carlo of 1,000 re-readings, for one criterion and one error model;
* discordance: a pandas merge of best responses and visits, for one pair of criteria.

Prints JSON and writes it to ``benchmarks/results/full.json``. ``load`` is the load of the machine when
it began: above 0.5 the seconds say little; ``processor_s`` and the ratios are steadier.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import polars as pl

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "peers"), str(HERE.parent / "tests" / "reference")]

from lesion_rows import make_study  # noqa: E402

from hccresist.assess import CRITERIA, assess_study, find_criterion  # noqa: E402
from hccresist.assess.agreement import PLAIN, derive_agreement  # noqa: E402
from hccresist.assess.discordance import derive_discordance  # noqa: E402
from hccresist.assess.patterns import (  # noqa: E402
    derive_combinations,
    derive_overlap,
    derive_pattern_rates,
    derive_patterns,
)
from hccresist.assess.robustness import derive_robustness, reading_error  # noqa: E402
from hccresist.assess.sizes import derive_sizes  # noqa: E402
from hccresist.study.policies import Policies  # noqa: E402
from hccresist.study.study import Study  # noqa: E402
from hccresist.study.tables import SCHEMAS  # noqa: E402

LOOP_PATIENTS = 200
PEER_PATIENTS = 5_000
DRAWS = 1_000
_Made = TypeVar("_Made")


def make_full(patients: int, *, seed: int = 2) -> Study:
    """Return the study of `make_study` with areas, attenuation and a scan before the baseline."""
    study, rng = make_study(patients), np.random.default_rng(seed)
    lesions = study.tables["lesions"]
    n = lesions.height
    day = pl.col("day")
    lesions = lesions.with_columns(
        day=pl.when(day < 0).then(-63.0).when(day == 56).then(-7.0).otherwise(day - 56),
        perpendicular_mm=(pl.col("longest_mm") * pl.Series(rng.uniform(0.5, 1, n))).round(1),
        viable_perpendicular_mm=(pl.col("viable_mm") * pl.Series(rng.uniform(0.5, 1, n))).round(1),
        attenuation_hu=pl.Series(np.round(rng.normal(70, 15, n))),
        necrosis_percent=(100 * (1 - pl.col("viable_mm") / pl.col("longest_mm"))).round(0),
    )
    blank = [
        pl.lit(None, dtype=column.dtype).alias(name)
        for name, column in SCHEMAS["patients"].columns().items()
        if name != "patient_id"
    ]
    tables = {"patients": study.patients.with_columns(blank), "lesions": lesions}
    return replace(study, tables=tables)


def timed(times: dict[str, float], name: str, work: Callable[[], _Made]) -> _Made:
    """Return what some work makes, and keep its seconds."""
    start = time.perf_counter()
    made = work()
    times[name] = times.get(name, 0.0) + time.perf_counter() - start
    return made


def run_ours(study: Study) -> tuple[dict[str, float], dict[str, pl.DataFrame]]:
    """Return seconds of each part, and the tables."""
    times: dict[str, float] = {}
    names = list(CRITERIA)
    tables = dict(timed(times, "criteria", lambda: assess_study(study, criteria=names).tables))
    three = {name: tables[name] for name in ("timepoints", "best_response", "baselines")}
    sizes = timed(times, "patterns", lambda: derive_sizes(study))
    tables["patterns"] = timed(times, "patterns", lambda: derive_patterns(study, **three, sizes=sizes))
    for derive in (derive_pattern_rates, derive_overlap, derive_combinations):
        timed(times, "patterns", lambda derive=derive: derive(tables["patterns"]))
    robust = {"timepoints": three["timepoints"], "baselines": three["baselines"], "criteria": names}
    tables["robustness"] = timed(times, "robustness", lambda: derive_robustness(study, **robust))
    pair = three["timepoints"], three["best_response"]
    tables["discordance"] = timed(times, "discordance", lambda: derive_discordance(*pair))
    tables["agreement"] = timed(times, "agreement", lambda: derive_agreement(*reversed(pair)))
    return times, tables


# Peers


def peer_loop() -> float:
    """Return patients a second of the loop over patients, three criteria; equal results are checked."""
    import naive_peer  # noqa: PLC0415

    study = make_study(LOOP_PATIENTS)
    rows = naive_peer.rows_of(study)
    times: dict[str, float] = {}
    timed(times, "loop", lambda: naive_peer.run(rows))
    naive_peer.check_loop(study)
    return LOOP_PATIENTS / times["loop"]


def peer_growth(study: Study, tables: Mapping[str, pl.DataFrame]) -> float:
    """Return patients a second of `champiat_2017` by pandas; equal verdicts, evaluability and ratios."""
    lesions = study.tables["lesions"].select("patient_id", "day", "role", "longest_mm").to_pandas()
    visits = tables["timepoints"].filter(pl.col("criterion") == "recist11")
    visits = visits.select("patient_id", "day", "overall").to_pandas()
    people = study.patients["patient_id"].to_list()
    times: dict[str, float] = {}
    theirs = timed(times, "pandas", lambda: judge_champiat(lesions, visits, people, study.config.policies))
    ours = tables["patterns"].filter(pl.col("definition") == "champiat_2017").sort("patient_id")
    theirs = theirs.loc[ours["patient_id"].to_list()]
    assert (theirs["evaluable"].to_numpy() == ours["evaluable"].to_numpy()).all(), "who is evaluable differs"
    assert (theirs["met"].to_numpy() == ours["met"].fill_null(value=False).to_numpy()).all(), "who meets it"
    assert ours["met"].sum() > 0
    values = ours["value"].fill_null(np.nan).to_numpy()
    expected = theirs["ratio"].where(theirs["evaluable"]).to_numpy()
    assert np.allclose(values, expected, rtol=1e-6, equal_nan=True), "TGR ratios differ"
    return study.patients.height / times["pandas"]


def judge_champiat(
    lesions: pd.DataFrame, visits: pd.DataFrame, people: list[str], policies: Policies
) -> pd.DataFrame:
    """Return evaluable, met and ratio of each patient: PD at the first assessment and TGR ratio ≥ 2."""
    targets = lesions[lesions["role"] == "target"]
    sums = targets.groupby(["patient_id", "day"])["longest_mm"].agg(["sum", "count"]).reset_index()
    sums["sum"] = sums["sum"].round(3)  # whole micrometres, so that equal sums are equal
    inside = sums["day"].between(policies.baseline_window_start, policies.baseline_window_end)
    base = sums[inside].groupby("patient_id").last().reindex(people)
    sums = sums.join(base, on="patient_id", rsuffix="_base")
    sums = sums[sums["count"] == sums["count_base"]]
    age = sums["day_base"] - sums["day"]
    recent = sums[(age > 0) & (age <= policies.hpd_reference_scan_window)]
    before = recent.groupby("patient_id").last().reindex(people)
    first = sums[sums["day"] > policies.baseline_window_end].groupby("patient_id").first().reindex(people)
    judged = visits[visits["overall"] != "NE"].groupby("patient_id").first().reindex(people)
    months = 30.4375
    growth = [
        100 * (np.exp(3 * np.log(end["sum"] / start["sum"]) / ((end["day"] - start["day"]) / months)) - 1)
        for start, end in ((before, base), (base, first))
    ]
    ratio = (growth[1] / growth[0]).where(growth[0] > 0)
    worse = judged["overall"] == "PD"
    known = before["day"].notna() & first["day"].notna() & (first["day"] <= judged["day"])
    evaluable = known & judged["day"].notna() & (~worse | ratio.notna())
    met = evaluable & worse & (ratio >= 2 * (1 - 1e-9))
    return pd.DataFrame({"evaluable": evaluable, "met": met, "ratio": ratio})


def peer_monte_carlo(study: Study, tables: Mapping[str, pl.DataFrame]) -> float:
    """Return patients a second of a Monte Carlo of re-readings (RECIST 1.1, one reader)."""
    criterion, rng = find_criterion("recist11"), np.random.default_rng(3)
    rows = tables["timepoints"].filter(
        pl.col("criterion") == "recist11", pl.col("rule").is_in(["SD", "PR", "PD-SUM"])
    )
    total, base, nadir = (rows[name].to_numpy() for name in ("sum_mm", "baseline_mm", "nadir_mm"))
    sd = reading_error("one_reader", criterion)[1]

    def work() -> np.ndarray:
        progressed = np.zeros(len(total))
        for _ in range(DRAWS):
            now, first, low = (
                mm * np.exp(sd * rng.standard_normal(len(total))) for mm in (total, base, nadir)
            )
            low = np.where(nadir == base, first, low)
            progressed += (now >= 1.2 * low) & (now - low >= 5)
        return progressed / DRAWS

    times: dict[str, float] = {}
    theirs = timed(times, "numpy", work)
    mine = tables["robustness"].filter(
        pl.col("criterion") == "recist11", pl.col("error_model") == "one_reader"
    )
    key = ["patient_id", "reader", "day"]
    ours = rows.join(mine.select(*key, "p_PD"), on=key, how="left", maintain_order="left")["p_PD"].to_numpy()
    assert np.nanmax(np.abs(ours - theirs)) < 6 * 0.5 / np.sqrt(DRAWS), "probabilities of PD differ"
    return study.patients.height / times["numpy"]


def peer_merge(study: Study, tables: Mapping[str, pl.DataFrame]) -> float:
    """Return patients a second of a pandas merge that finds whom two criteria split, and when."""
    pair = ("mrecist", "recist11")
    best = tables["best_response"].filter(pl.col("criterion").is_in(pair)).to_pandas()
    visits = tables["timepoints"].filter(pl.col("criterion").is_in(pair)).to_pandas()
    times: dict[str, float] = {}

    def work() -> dict[str, float]:
        best["plain"], visits["plain"] = best["best"].replace(PLAIN), visits["overall"].replace(PLAIN)
        a, b = (best[best["criterion"] == name] for name in pair)
        both = a.merge(b, on=["patient_id", "reader"])
        split = both[both["plain_x"] != both["plain_y"]]
        a, b = (visits[visits["criterion"] == name] for name in pair)
        seen = a.merge(b, on=["patient_id", "reader", "day"])
        seen = seen[seen["plain_x"] != seen["plain_y"]].merge(split[["patient_id", "reader"]])
        return seen.sort_values("day").groupby("patient_id")["day"].first().to_dict()

    theirs = timed(times, "pandas", work)
    ours = tables["discordance"].filter(
        pl.col("criterion_a") == pair[0], pl.col("criterion_b") == pair[1], pl.col("split_day").is_not_null()
    )
    assert dict(ours.select("patient_id", "split_day").iter_rows()) == theirs, "splits differ"
    return study.patients.height / times["pandas"]


def main() -> None:
    """Run all, print it and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=100_000)
    n = parser.parse_args().patients
    load = os.getloadavg()[0]
    used = resource.getrusage(resource.RUSAGE_SELF)
    times, tables = run_ours(make_full(n))
    after = resource.getrusage(resource.RUSAGE_SELF)
    visits = tables["timepoints"].height
    del tables
    few = make_full(PEER_PATIENTS)
    few_times, few_tables = run_ours(few)
    ours = {part: PEER_PATIENTS / seconds for part, seconds in few_times.items()}
    criteria, definitions = len(CRITERIA), few_tables["patterns"]["definition"].n_unique()
    summed = few_tables["robustness"]["criterion"].n_unique()
    pairs = len(list(combinations(CRITERIA, 2)))
    report = {
        "patients": n,
        "load": load,
        "cores": os.cpu_count(),
        **{f"{part}_s": seconds for part, seconds in times.items()},
        "total_s": sum(times.values()),
        "processor_s": after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime,
        "peak_gb": after.ru_maxrss / 1e6,
        "verdicts": visits,
        "ratio_criteria_to_loop": ours["criteria"] * criteria / (peer_loop() * 3),
        "ratio_patterns_to_pandas": ours["patterns"] * definitions / peer_growth(few, few_tables),
        "ratio_robustness_to_monte_carlo": ours["robustness"]
        * 2
        * summed
        / peer_monte_carlo(few, few_tables),
        "ratio_discordance_to_merge": ours["discordance"] * pairs / peer_merge(few, few_tables),
        "ratios_are": "criteria, definitions, criteria × error models, or pairs of criteria a second",
    }
    shown = {key: round(value, 3) if isinstance(value, float) else value for key, value in report.items()}
    text = json.dumps(shown, indent=1, ensure_ascii=False) + "\n"
    if n >= 100_000:
        (HERE / "results" / "full.json").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
