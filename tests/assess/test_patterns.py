"""The table of patterns: registry, denominators, overlap, durable response, real data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from growth_cases import DATA, Row, best_response, make_study, sizes_of, timepoints, timepoints_of
from lifelines import KaplanMeierFitter

from hccresist.assess import assess_study
from hccresist.assess.growth_results import Patterns
from hccresist.assess.kinetics import sizes_from_sums
from hccresist.assess.pattern_durable import judge_durable, median_survival
from hccresist.assess.pattern_facts import series_of
from hccresist.assess.patterns import (
    DEFINITIONS,
    derive_combinations,
    derive_overlap,
    derive_pattern_rates,
    derive_patterns,
    describe_definitions,
)
from hccresist.errors import ConfigError
from hccresist.study.study import Study

ATEZOLIZUMAB = DATA / "atezolizumab_lesion_diameters"


def sums_study(series: dict[str, list[tuple[float, float | None]]], **more: Any) -> Study:
    sums: list[Row] = [
        {"patient_id": name, "measure": "longest", "day": day, "sum": mm}
        for name, visits in series.items()
        for day, mm in visits
    ]
    return make_study(sums=sums, **more)


def patterns_of(study: Study, **more: Any) -> pl.DataFrame:
    tables = assess_study(study).tables
    given = {name: tables[name] for name in ("timepoints", "best_response", "baselines")}
    return derive_patterns(study, **given, sizes=sizes_from_sums(study), **more)


COHORT: dict[str, list[tuple[float, float | None]]] = {
    "P1": [(-60, 40.0), (-3, 44.0), (50, 70.0), (100, 45.0)],
    "P2": [(-60, 40.0), (-3, 44.0), (50, 52.0), (100, 90.0)],
    "P3": [(-60, 40.0), (-3, 44.0), (50, 46.0), (100, 46.0)],
    "P4": [(-3, 44.0), (50, 30.0), (100, 20.0)],
}


def test_every_patient_has_a_row_for_every_definition_even_without_any_scan() -> None:
    study = sums_study(COHORT, patients=[{"patient_id": name} for name in (*COHORT, "P5")])
    table = Patterns.validate(patterns_of(study))
    assert len(table) == 5 * len(DEFINITIONS)
    assert table["reason"].str.len_chars().min() > 0
    assert table.equals(table.sort("patient_id", "reader", "definition"))
    nobody = table.filter(pl.col("patient_id") == "P5")
    assert not nobody["evaluable"].any()


def test_rows_in_any_order_give_the_same_table() -> None:
    study = sums_study(COHORT)
    tables = assess_study(study).tables
    given = {name: tables[name] for name in ("timepoints", "best_response", "baselines")}
    sizes = sizes_from_sums(study)
    table = derive_patterns(study, **given, sizes=sizes)
    mixed = {name: frame.sample(fraction=1.0, shuffle=True, seed=5) for name, frame in given.items()}
    again = derive_patterns(study, **mixed, sizes=sizes.sample(fraction=1.0, shuffle=True, seed=5))
    assert table.equals(again)


def test_rates_have_their_denominators() -> None:
    rates = derive_pattern_rates(patterns_of(sums_study(COHORT)))
    told = {(r["definition"], r["denominator"]): (r["met"], r["n"]) for r in rates.iter_rows(named=True)}
    assert told["saada_bouzid_2017", "treated"] == (2, 4)
    assert told["saada_bouzid_2017", "evaluable"] == (2, 3)  # P4 has no scan before
    # P1: PD on day 50, SD on day 100. P2: PD on day 100, never assessed after it.
    assert told["pseudo_recist11_control", "treated"] == (1, 4)
    assert told["pseudo_recist11_control", "pd"] == (1, 2)
    assert told["pseudo_recist11_control", "after_pd"] == (1, 1)
    assert told["pseudo_recist11_control", "evaluable"] == (1, 3)
    assert ("saada_bouzid_2017", "pd") not in told


def pattern_rows(names: tuple[str, str], pairs: list[tuple[bool | None, bool | None]]) -> pl.DataFrame:
    rows = [
        {
            "patient_id": f"P{i:02d}",
            "reader": "",
            "definition": name,
            "family": "hyperprogression",
            "evaluable": met is not None,
            "met": met,
            "unit": "",
            "reason": "given",
        }
        for i, pair in enumerate(pairs)
        for name, met in zip(names, pair, strict=True)
    ]
    kinds = {name: column.dtype for name, column in Patterns.columns().items()}
    return Patterns.validate(pl.DataFrame([{k: r.get(k) for k in kinds} for r in rows], schema=kinds))


def test_jaccard_counts_only_patients_evaluable_for_both() -> None:
    names = ("champiat_2017", "matos_2020")
    pairs = [(True, True), (True, False), (False, True), (False, False), (True, None), (None, True)]
    row = derive_overlap(pattern_rows(names, pairs), definitions=names).row(0, named=True)
    assert (row["evaluable"], row["met_a"], row["met_b"], row["met_both"]) == (4, 2, 2, 1)
    assert row["jaccard"] == pytest.approx(1 / 3)


def test_jaccard_of_nobody_is_empty_and_pairs_are_all_there() -> None:
    names = ("champiat_2017", "matos_2020")
    nobody = derive_overlap(pattern_rows(names, [(False, False), (None, True)]), definitions=names)
    assert nobody["jaccard"].to_list() == [None]
    computable = [n for n, d in DEFINITIONS.items() if d.family == "hyperprogression" and d.computable]
    full = derive_overlap(pattern_rows(names, [(True, True)]))
    assert len(full) == len(computable) * (len(computable) - 1) // 2
    with pytest.raises(ConfigError, match="Did you mean 'matos_2020'"):
        derive_overlap(nobody.clear(), definitions=["matos_2021"])


def test_combinations_count_each_patient_once() -> None:
    names = ("champiat_2017", "matos_2020")
    pairs = [(True, True), (True, True), (True, False), (False, None), (False, False)]
    table = derive_combinations(pattern_rows(names, pairs))
    told = {r["combination"]: (r["patients"], r["evaluable_for_all"]) for r in table.iter_rows(named=True)}
    assert told == {
        "champiat_2017 + matos_2020": (2, 2),
        "": (2, 1),
        "champiat_2017": (1, 1),
    }
    assert table["patients"].is_sorted(descending=True)


def test_the_registry_tells_source_and_verification_of_everything() -> None:
    table = describe_definitions()
    assert len(table) == len(DEFINITIONS) == 33
    assert table["seen"].str.len_chars().min() > 0
    assert set(table["verification"]) == {"verified", "partly_verified", "not_verified", "ours"}
    closed = table.filter(~pl.col("computable"))["definition"].to_list()
    assert closed == ["dissociated_tozuka_2020", "kim_2019_nsclc", "zhang_2021_hcc"]


def durable(
    seen: list[tuple[float, str]], *, response: float | None, progression: float | None = None, **tables: Any
) -> dict[str, Any]:
    study = make_study(**{"patients": [{"patient_id": "P"}], **tables})
    rows = timepoints(timepoints_of("P", seen))
    best = best_response(
        [
            {
                "patient_id": "P",
                "criterion": "recist11",
                "best": "PR",
                "best_confirmed": "PR",
                "first_response_day": response,
                "progression_day": progression,
            }
        ]
    )
    frames = judge_durable(study, series_of(study, rows), timepoints=rows, best_response=best)
    return frames[0].row(0, named=True)


def test_a_response_is_durable_from_six_months_on() -> None:
    long = [(60.0, "PR"), (250.0, "PR")]
    assert durable(long, response=60.0)["met"]
    assert durable(long, response=60.0)["value"] == 190.0
    assert durable([*long, (240.0, "PD")], response=60.0, progression=240.0)["met"] is False
    assert durable([*long, (260.0, "PD")], response=60.0, progression=260.0)["met"]
    ongoing = durable([(60.0, "PR"), (200.0, "PR")], response=60.0)
    assert ongoing["reason"] == "the response was seen for 140 days and goes on"
    assert durable([(60.0, "SD")], response=None)["met"] is False
    late = durable([(400.0, "PR"), (700.0, "PR")], response=400.0)
    assert late["met"] is False  # began after twelve months
    dead = {"survival": [{"patient_id": "P", "os_days": 150.0, "died": True}]}
    assert durable(long[:1], response=60.0, **dead)["met"] is False


def test_pfs_beyond_three_medians_of_the_arm() -> None:
    days = {"P1": 30.0, "P2": 40.0, "P3": 50.0, "P4": 151.0, "P5": 149.0}
    patients = [{"patient_id": name, "arm": "A"} for name in days] + [{"patient_id": "Q", "arm": "B"}]
    study = make_study(patients=patients)
    events = pl.DataFrame(
        {
            "patient_id": [*days, "Q"],
            "reader": [""] * 6,
            "criterion": ["recist11"] * 6,
            "endpoint": ["PFS"] * 6,
            "days": [*days.values(), 500.0],
            "event": [True, True, True, False, False, False],
        }
    )
    rows, best = timepoints([]), best_response([])
    frames = judge_durable(study, series_of(study, rows), timepoints=rows, best_response=best, events=events)
    told = {row["patient_id"]: row for row in frames[-1].iter_rows(named=True)}
    assert told["P4"]["met"]  # 151 > 3 × 50
    assert told["P4"]["value"] == pytest.approx(151 / 50)
    assert told["P1"]["met"] is False
    assert told["P5"]["reason"].startswith("censored on day 149, before three medians of 50")
    assert told["Q"]["reason"] == "the median progression-free survival of the arm is not reached"


@pytest.mark.parametrize("seed", range(5))
def test_median_survival_agrees_with_lifelines(seed: int) -> None:
    rng = np.random.default_rng(seed)
    days, event = np.round(rng.exponential(100, 60)), rng.random(60) < 0.7
    expected = KaplanMeierFitter().fit(days, event).median_survival_time_
    assert median_survival(days, event) == expected


def atezolizumab() -> Study:
    rows = pl.read_csv(ATEZOLIZUMAB / "lesion_diameters.csv").filter(pl.col("day").is_not_null())
    small = pl.col("flag") == "TOO SMALL TO MEASURE"
    sums = rows.select(
        "patient_id",
        pl.lit("longest").alias("measure"),
        "day",
        pl.when(small).then(5.0).otherwise("diam_mm").alias("sum"),
    ).unique(["patient_id", "day"], keep="first", maintain_order=True)
    return make_study(sums=sums.to_dicts())


@pytest.mark.skipif(not ATEZOLIZUMAB.exists(), reason="atezolizumab_lesion_diameters is not there")
def test_atezolizumab_tells_how_few_are_evaluable() -> None:
    study = atezolizumab()
    table = patterns_of(study)
    rates = derive_pattern_rates(table).filter(pl.col("denominator") == "evaluable")
    n = dict(zip(rates["definition"], rates["n"], strict=True))
    # One patient has two scans before treatment, 42 have one that is older than the baseline window:
    # definitions by growth cannot be judged. Matos 2020 needs no such scan.
    before = sizes_from_sums(study).filter(pl.col("phase") == "before")["patient_id"].n_unique()
    assert before < 50
    assert max(n[name] for name in ("champiat_2017", "kas_2020", "wong_2019", "kim_2021_hcc")) <= before
    assert n["matos_2020"] > 800
    assert n["oligoprogression"] == 0  # one lesion a patient, no list of lesions
    assert 500 < n["pseudo_recist11_control"] < 1085
    met = table.filter(pl.col("definition") == "matos_2020", pl.col("met"))
    assert (met["value"] > 40).all()
    unknown = table.filter(pl.col("definition") == "matos_2020", ~pl.col("evaluable"))
    assert set(unknown["reason"].str.slice(0, 20)) == {
        "the first assessment",
        "there is no RECIST 1",
        "whether and in which",
    }


def test_sizes_are_checked_against_their_contract() -> None:
    study = sums_study(COHORT)
    tables = assess_study(study).tables
    given = {name: tables[name] for name in ("timepoints", "best_response", "baselines")}
    sizes = sizes_of(("P1", [(-3.0, 44.0), (50.0, 70.0)]))
    doubled = pl.concat([sizes, sizes.with_columns(pl.col("day") + 0.5)])
    with pytest.raises(Exception, match="one_baseline"):
        derive_patterns(study, **given, sizes=doubled)


def test_the_page_names_every_definition() -> None:
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "hyperprogression.md").read_text("utf-8")
    assert [name for name in DEFINITIONS if f"`{name}`" not in page] == []
