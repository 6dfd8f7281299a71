"""Every definition of hyperprogression: by hand, against a naive second reading, and its gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from growth_cases import Row, best_response, make_study, sizes_of, timepoints, timepoints_of

from hccresist.assess.hyperprogression import REGISTRY, judge_hyperprogression
from hccresist.assess.pattern_facts import gather_facts, series_of
from hccresist.assess.pattern_rebound import judge_rebound
from hccresist.study.policies import Policies
from hccresist.study.study import Study

MONTH = 30.4375
Visits = list[tuple[float, float | None]]


def facts_of(
    sums: dict[str, Visits], words: dict[str, list[tuple[float, str]]], **tables: Any
) -> tuple[Study, pl.DataFrame]:
    policies = tables.pop("policies", None)
    progression = tables.pop("progression", {})
    given: dict[str, Any] = {"patients": [{"patient_id": name} for name in sums], **tables}
    study = make_study(policies=policies, **given)
    sizes = sizes_of(*sums.items())
    rows = timepoints([row for name, seen in words.items() for row in timepoints_of(name, seen)])
    best = best_response(
        [
            {
                "patient_id": name,
                "criterion": "recist11",
                "best": "SD",
                "best_confirmed": "SD",
                "progression_day": progression.get(name),
            }
            for name in sums
        ]
    )
    series = series_of(study, sizes, rows, best)
    return study, gather_facts(study, series, timepoints=rows, best_response=best, sizes=sizes)


def judged(
    sums: Visits, words: list[tuple[float, str]] | None = None, **tables: Any
) -> dict[str, dict[str, Any]]:
    if words is None:
        words = [(day, "SD") for day, mm in sums if day > 1 and mm is not None]
    study, facts = facts_of({"P": sums}, {"P": words}, **tables)
    rows = pl.concat(judge_hyperprogression(facts, study.config.policies))
    return {row["definition"]: row for row in rows.iter_rows(named=True)}


# By hand: before 40 → 44 mm in 57 days, after 44 → 70 mm in 53 days. TGK 4/57 and 26/53 mm a day, ratio
# 6.99; TGR 100·(1.1^(3·30.4375/57) − 1) = 16.5 and 100·((70/44)^(3·30.4375/53) − 1) = 122.5 %/month.
FAST: Visits = [(-60.0, 40.0), (-3.0, 44.0), (50.0, 70.0)]


def test_a_fast_tumour_meets_the_definitions_by_growth() -> None:
    found = judged(FAST, [(50.0, "PD")])
    met = {name for name, row in found.items() if row["met"]}
    assert met == {
        "champiat_2017",
        "saada_bouzid_2017",
        "ferrara_2018",
        "kanjanapan_2019",
        "matos_2020",
        "kas_2020",
        "kim_2021_hcc",
        "yumita_2023_twofold",
        "yumita_2023_fourfold",
        "maesaka_2022",
        "wong_2019",
    }
    assert found["saada_bouzid_2017"]["value"] == pytest.approx((26 / 53) / (4 / 57))
    before, after = (100 * (r ** (3 * MONTH / days) - 1) for r, days in ((44 / 40, 57), (70 / 44, 53)))
    assert found["champiat_2017"]["value"] == pytest.approx(after / before)
    assert found["kas_2020"]["value"] == pytest.approx(after - before)
    assert found["champiat_2017"]["reason"] == (
        "met: PD at the first assessment on day 50; TGR ratio 7.43 (needs ≥ 2)"
    )
    assert not found["kato_2017"]["evaluable"]  # nothing is known of treatment failure


def test_without_progression_only_definitions_by_growth_alone_are_met() -> None:
    found = judged(FAST, [(50.0, "SD")])
    for name in ("champiat_2017", "ferrara_2018", "kanjanapan_2019", "maesaka_2022"):
        assert found[name]["evaluable"]
        assert found[name]["met"] is False
    assert found["wong_2019"]["met"]


def test_without_a_scan_before_no_growth_definition_is_judged() -> None:
    found = judged(FAST[1:], [(50.0, "SD")])
    needing = [
        name for name, (item, _) in REGISTRY.items() if any("before the baseline" in n for n in item.needs)
    ]
    assert len(needing) == 13
    for name in needing:
        assert not found[name]["evaluable"]
    assert found["champiat_2017"]["reason"] == "there is no scan before the baseline"


def test_a_ratio_to_shrinkage_is_not_judged_unless_another_condition_fails() -> None:
    visits: Visits = [(-60.0, 50.0), (-3.0, 44.0), (50.0, 70.0)]
    worse = judged(visits, [(50.0, "PD")])
    assert not worse["champiat_2017"]["evaluable"]
    assert worse["champiat_2017"]["reason"] == (
        "the sum did not grow before treatment, so that a ratio has no meaning"
    )
    assert worse["ferrara_2018"]["met"]  # a difference always has a meaning
    stable = judged(visits, [(50.0, "SD")])
    assert stable["champiat_2017"]["evaluable"]
    assert stable["champiat_2017"]["met"] is False


@pytest.mark.parametrize(("first", "met"), [(56.0, True), (55.9, False), (57.0, True)])
def test_twice_the_growth_in_millimetres_is_exact(first: float, met: bool) -> None:
    # before 40 → 44 in 60 days; after 44 → 56 in 90 days is 12/90 = 2 × 4/60, exactly twofold.
    found = judged([(-63.0, 40.0), (-3.0, 44.0), (87.0, first)])
    assert found["saada_bouzid_2017"]["met"] is met


@pytest.mark.parametrize(("first", "by_more_than", "by_at_least"), [(60.0, False, True), (60.1, True, True)])
def test_fifty_per_cent_is_exact(first: float, by_more_than: bool, by_at_least: bool) -> None:
    tables = {
        "treatments": [
            {
                "patient_id": "P",
                "line": 1,
                "drug": "nivolumab",
                "start_day": 0.0,
                "end_day": 50.0,
                "end_reason": "progression",
            }
        ],
        "observations": [{"patient_id": "P", "day": 40.0, "name": "ecog", "value": "2"}],
        "patients": [{"patient_id": "P", "ecog": 1}],
    }
    found = judged(
        [(-60.0, 38.0), (-3.0, 40.0), (45.0, first)], [(45.0, "PD")], progression={"P": 45.0}, **tables
    )
    assert found["kato_2017"]["met"] is by_more_than
    assert found["lo_russo_2019"]["met"] is by_at_least
    assert found["lo_russo_2019"]["value"] == 3.0


def lesion(name: str, day: float, role: str, organ: str, mm: float) -> Row:
    return {"patient_id": "P", "lesion_id": name, "day": day, "role": role, "organ": organ, "longest_mm": mm}


def spread_tables(*new: tuple[str, str]) -> dict[str, Any]:
    rows = [lesion("T1", day, "target", "liver", 40.0) for day in (-3.0, 45.0)]
    rows += [lesion(name, 45.0, "new_nontarget", organ, 8.0) for name, organ in new]
    return {"lesions": rows}


@pytest.mark.parametrize(
    ("new", "mm", "met"),
    [
        ([("N1", "liver"), ("N2", "liver")], 48.0, True),  # +20 % and two new in an involved organ
        ([("N1", "liver")], 48.0, False),  # one is not enough
        ([("N1", "lung")], 48.0, True),  # spread to a new organ
        ([("N1", "lung")], 47.9, False),  # below +20 %
        ([], 56.1, True),  # more than +40 % and ≥ 10 mm
        ([], 56.0, False),  # +40 % is not more
    ],
)
def test_matos_by_burden_or_by_spread(new: list[tuple[str, str]], mm: float, met: bool) -> None:
    found = judged([(-3.0, 40.0), (45.0, mm)], [(45.0, "PD")], **spread_tables(*new))
    assert found["matos_2020"]["evaluable"]
    assert found["matos_2020"]["met"] is met


def test_matos_needs_ten_millimetres_and_two_months() -> None:
    assert judged([(-3.0, 20.0), (45.0, 29.9)], **spread_tables())["matos_2020"]["met"] is False
    late = judged([(-3.0, 40.0), (61.0, 80.0)], **spread_tables())["matos_2020"]
    assert not late["evaluable"]
    assert late["reason"] == "the first assessment is on day 61, after more than two months"
    longer = judged([(-3.0, 40.0), (61.0, 80.0)], policies=Policies(hpd_month_length=31.0), **spread_tables())
    assert longer["matos_2020"]["met"]


def test_new_lesions_are_unknown_unless_recorded() -> None:
    # +25 %: everything hangs on new lesions, and nobody said whether there were any.
    unknown = judged([(-3.0, 40.0), (45.0, 50.0)], [(45.0, "PD")])["matos_2020"]
    assert not unknown["evaluable"]
    assert unknown["reason"] == "whether and in which organ a lesion is new is not recorded"
    denied = judged(
        [(-3.0, 40.0), (45.0, 50.0)],
        [(45.0, "PD")],
        visits=[{"patient_id": "P", "day": 45.0, "new_lesion": False}],
    )
    assert denied["matos_2020"]["met"] is False


def test_the_sum_at_a_later_visit_does_not_stand_in_for_the_first() -> None:
    found = judged([(-60.0, 40.0), (-3.0, 44.0), (40.0, None), (90.0, 80.0)], [(40.0, "PD"), (90.0, "PD")])
    for name in ("champiat_2017", "saada_bouzid_2017", "kas_2020"):
        assert not found[name]["evaluable"]
    assert found["champiat_2017"]["reason"] == "the sum at the first assessment (day 40.0) is not complete"


def failure(tables: dict[str, Any], progression: float | None = None) -> dict[str, Any]:
    _, facts = facts_of({"P": FAST}, {"P": [(50.0, "SD")]}, progression={"P": progression}, **tables)
    return facts.select("ttf_day", "ttf_short", "why_ttf").row(0, named=True)


def line(**columns: object) -> dict[str, Any]:
    return {"treatments": [{"patient_id": "P", "line": 1, "drug": "nivolumab", "start_day": 0.0, **columns}]}


def test_treatment_failure_is_the_earliest_of_stop_progression_and_death() -> None:
    dead = {"survival": [{"patient_id": "P", "os_days": 40.0, "died": True}]}
    assert failure(line(end_day=55.0, end_reason="toxicity"))["ttf_day"] == 55.0
    assert failure(line(end_day=55.0, end_reason="toxicity"), progression=50.0)["ttf_day"] == 50.0
    assert failure({**line(end_day=55.0, end_reason="toxicity"), **dead})["ttf_day"] == 40.0
    assert failure(line(end_day=55.0, end_reason="completed"))["ttf_short"] is None
    assert failure(dead)["ttf_short"] is True


def test_no_treatment_failure_needs_treatment_recorded_and_two_months_seen() -> None:
    alive = {"survival": [{"patient_id": "P", "os_days": 300.0, "died": False}]}
    assert failure({**line(), **alive})["ttf_short"] is False
    assert failure(line())["why_ttf"] == "follow-up is shorter than two months"
    assert failure(alive)["why_ttf"] == "when the index line was stopped is not recorded"


@pytest.mark.parametrize(
    ("base", "worst", "worse"),
    [(0, "2", True), (1, "1", False), (2, "2", False), (2, "3", True), (None, "1", False)],
)
def test_performance_status_worsens_to_two_or_more(base: int | None, worst: str, worse: bool) -> None:
    tables = {
        "patients": [{"patient_id": "P", "ecog": base}],
        "observations": [
            {"patient_id": "P", "day": 30.0, "name": "ECOG", "value": worst},
            {"patient_id": "P", "day": 90.0, "name": "ecog", "value": "4"},  # too late to count
        ],
    }
    _, facts = facts_of({"P": FAST}, {"P": [(50.0, "SD")]}, **tables)
    assert facts["ecog_worse"].to_list() == [worse]


def test_definitions_without_known_cut_offs_are_registered_and_never_judged() -> None:
    found = judged(FAST, [(50.0, "PD")])
    for name in ("kim_2019_nsclc", "zhang_2021_hcc"):
        assert not REGISTRY[name][0].computable
        assert not found[name]["evaluable"]
        assert found[name]["reason"].startswith("not computable: ")
        assert "cut-offs were not seen" in found[name]["reason"]


def test_every_record_says_what_was_seen_and_how_far_it_was_verified() -> None:
    for name, (item, function) in REGISTRY.items():
        assert item.seen
        assert item.source
        assert item.computable == (function is not None)
        if function is not None:
            assert function.__name__ == name
            assert item.rule != "not known in full"


def kinase(stop: float | None, drug: str = "Lenvatinib", number: int = 0) -> dict[str, Any]:
    study, facts = facts_of(
        {"P": FAST},
        {"P": [(50.0, "PD")]},
        treatments=[
            {"patient_id": "P", "line": number, "drug": drug, "start_day": -200.0, "end_day": stop},
            {"patient_id": "P", "line": 1, "drug": "atezolizumab", "start_day": 0.0},
        ],
    )
    return judge_rebound(study, facts).row(0, named=True)


def test_rebound_is_flagged_when_the_drug_was_given_after_the_reference_scan() -> None:
    row = kinase(-20.0)
    assert row["met"]
    assert row["value"] == 20.0
    assert row["detail"] == "Lenvatinib"
    assert kinase(-60.0)["met"] is False  # stopped on the day of the reference scan
    assert kinase(-20.0, drug="ramucirumab")["met"] is False
    assert kinase(-20.0, number=2)["met"] is False  # not an earlier line
    assert not kinase(None)["evaluable"]
    assert kinase(None)["reason"] == "when Lenvatinib was stopped is not recorded"


# A second reading, written apart from section 12 of the reference page, one patient at a time.
def naive(visits: Visits, word: str) -> dict[str, bool | None]:
    before = [v for v in visits[:-2] if v[0] >= visits[-2][0] - 84]
    (t1, s1), (t2, s2) = visits[-2], visits[-1]
    names = ("champiat_2017", "saada_bouzid_2017", "ferrara_2018", "kas_2020", "kim_2021_hcc", "maesaka_2022")
    if not before:
        return dict.fromkeys((*names, "wong_2019", "yumita_2023_fourfold"), None)
    (t0, s0) = before[-1]

    def tgr(a: float, b: float, days: float) -> float | None:
        if a == 0 or b == 0:
            return None
        return 100 * (np.exp(3 * np.log(b / a) / (days * 12 / 365.25)) - 1)

    pre, post = tgr(s0, s1, t1 - t0), tgr(s1, s2, t2 - t1)
    k_pre, k_post = (s1 - s0) / (t1 - t0), (s2 - s1) / (t2 - t1)
    ratio = post / pre if pre is not None and post is not None and pre > 0 else None
    k_ratio = k_post / k_pre if k_pre > 0 else None
    delta = post - pre if pre is not None and post is not None else None
    pd = word == "PD"

    def both(*parts: bool | None) -> bool | None:
        if any(p is False for p in parts):
            return False
        return None if any(p is None for p in parts) else True

    def least(value: float | None, limit: float) -> bool | None:
        return None if value is None else bool(value >= limit)

    either = [least(ratio, 4), least(k_ratio, 4)]
    return {
        "champiat_2017": both(pd, least(ratio, 2)),
        "saada_bouzid_2017": least(k_ratio, 2),
        "ferrara_2018": both(pd, None if delta is None else bool(delta > 50)),
        "kas_2020": None if delta is None else bool(delta > 100),
        "kim_2021_hcc": both(least(k_ratio, 4), least(ratio, 4), least(delta, 40)),
        "maesaka_2022": both(pd, least(k_ratio, 2), least(ratio, 2)),
        "wong_2019": least(ratio, 2),
        "yumita_2023_fourfold": True if True in either else (None if None in either else False),
    }


def test_a_naive_second_reading_agrees_on_random_patients() -> None:
    rng = np.random.default_rng(11)
    visits: dict[str, Visits] = {}
    words: dict[str, list[tuple[float, str]]] = {}
    for i in range(2000):
        n = int(rng.integers(0, 3))
        days = sorted(rng.choice(np.arange(-120, -20), n, replace=False).tolist())
        days += [-3.0, float(rng.integers(30, 90))]
        start = rng.uniform(10, 60)
        sizes = np.round(start * np.cumprod(rng.lognormal(0.15, 0.3, len(days))), 1)
        sizes[rng.random(len(days)) < 0.03] = 0.0
        visits[f"P{i:04d}"] = list(zip([float(d) for d in days], sizes.tolist(), strict=True))
        words[f"P{i:04d}"] = [(float(days[-1]), str(rng.choice(["PD", "SD", "PR"])))]
    study, facts = facts_of(visits, words)
    rows = pl.concat(judge_hyperprogression(facts, study.config.policies))
    table = rows.pivot("definition", index="patient_id", values="met")
    expected = {name: naive(seen, words[name][0][1]) for name, seen in visits.items()}
    seen = 0
    for row in table.iter_rows(named=True):
        wanted = expected[row["patient_id"]]
        assert {name: row[name] for name in wanted} == wanted, row["patient_id"]
        seen += sum(value is True for value in wanted.values())
    assert seen > 500
    assert rows.filter("evaluable")["met"].null_count() == 0
    assert rows.filter(~pl.col("evaluable"))["met"].null_count() == len(rows.filter(~pl.col("evaluable")))
