"""The table of features: what is collected, which sample is used, and what is refused."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from association_cases import features_of, make_study

from hccresist.assess.growth_results import Patterns
from hccresist.assess.marker_results import Markers
from hccresist.assess.results import BestResponse
from hccresist.errors import ConfigError, InputError
from hccresist.explain.association_features import (
    FEATURES,
    check_features,
    choose_samples,
    collect_features,
)
from hccresist.explain.association_time import align_features
from hccresist.explain.results import AlterationCalls, MechanismScores

SAMPLES = [
    {"sample_id": "S000", "patient_id": "P000", "day": -30.0, "tissue": "tumour"},
    {"sample_id": "S000b", "patient_id": "P000", "day": -3.0, "tissue": "Tumor"},
    {"sample_id": "S000c", "patient_id": "P000", "day": 20.0, "tissue": None},
    {"sample_id": "S000n", "patient_id": "P000", "day": -1.0, "tissue": "liver"},
    {"sample_id": "S001", "patient_id": "P001", "day": 50.0, "tissue": None},
    {"sample_id": "S001b", "patient_id": "P001", "day": 40.0, "tissue": None},
    {"sample_id": "S002", "patient_id": "P002", "day": None, "tissue": None},
    {"sample_id": "S003", "patient_id": "P003", "day": 0.0, "tissue": "adjacent non-tumour"},
]


def frame(schema, rows) -> pl.DataFrame:
    """Rows of a result table with the columns that are not given empty."""
    full = schema.create_empty().schema
    return pl.DataFrame([{**dict.fromkeys(full), **row} for row in rows], schema=full)


def study():
    return make_study(5, samples=SAMPLES)


def values(features, name) -> dict[str, tuple[float, float | None]]:
    rows = features.filter(pl.col("feature") == name)
    return {p: (v, d) for p, v, d in rows.select("patient_id", "value", "known_day").iter_rows()}


def test_the_sample_used_is_the_last_before_treatment_else_the_first_after():
    chosen = choose_samples(study().tables["samples"])
    reasons = dict(chosen.select("sample_id", "reason").iter_rows())
    assert chosen.filter("used")["sample_id"].to_list() == ["S000b", "S001b", "S002"]
    assert reasons["S000b"] == "last before the start of treatment"
    assert reasons["S001b"] == "first after the start of treatment"
    assert reasons["S002"] == "day not recorded: taken as before treatment"
    assert reasons["S000n"] == reasons["S003"] == "not of the tumour"
    assert reasons["S000"] == "another sample of the patient is used"


def test_scores_and_alterations_carry_the_day_of_their_sample():
    score = {"mechanism_id": "IMM-CHK", "set": "set", "coverage": 1.0}
    scores = frame(
        MechanismScores,
        [
            {
                **score,
                "sample_id": s["sample_id"],
                "patient_id": s["patient_id"],
                "method": m,
                "score": float(i),
            }
            for i, s in enumerate(SAMPLES)
            for m in ("rank", "cohort_z")
        ],
    )
    call = {"mechanism_id": "GEN-WNT", "change": "", "rule": "r", "source": "ours", "gene": "CTNNB1"}
    words = ["altered", "not_altered", "uncertain", "not_measured"]
    calls = frame(
        AlterationCalls,
        [
            {**call, "sample_id": s, "patient_id": p, "call": w}
            for s, p, w in zip(
                ["S000b", "S001", "S002", "S000n"], ["P000", "P001", "P002", "P000"], words, strict=True
            )
        ]
        + [{**call, "sample_id": "S001", "patient_id": "P001", "call": "altered", "change": "S45P"}],
    )
    found = collect_features(study(), tables={}, mechanism_scores=scores, alteration_calls=calls)
    assert list(found.columns) == list(FEATURES)
    assert found.filter(pl.col("feature") == "set").select("sample_id", "value", "known_day").rows() == [
        ("S000", 0.0, -30.0),
        ("S000b", 1.0, -3.0),
        ("S000c", 2.0, 20.0),
        ("S001", 4.0, 50.0),
        ("S001b", 5.0, 40.0),
        ("S002", 6.0, None),
    ]
    assert values(found, "CTNNB1 altered") == {"P000": (1.0, -3.0), "P001": (1.0, 50.0)}
    used = align_features(check_features(study(), found), ["P000", "P001", "P002"])
    by_name = {item.name: item for item in used}
    assert by_name["set"].values.tolist() == [1.0, 5.0, 6.0]
    assert by_name["set"].late.tolist() == [False, True, False]
    assert by_name["CTNNB1 altered"].binary
    assert not by_name["set"].later


def test_markers_of_the_baseline_window_and_verdicts_of_rules():
    row = {"patient_id": "P000", "reader": "", "unit": "", "source": "ours"}
    markers = frame(
        Markers,
        [
            {**row, "day": -40.0, "marker": "afp", "value": 5.0},
            {**row, "day": -7.0, "marker": "afp", "value": 999.0},
            {**row, "day": 30.0, "marker": "afp", "value": 9.0},
            {**row, "day": -7.0, "marker": "nlr", "value": 3.5},
            {**row, "day": -7.0, "marker": "afp_change", "value": 0.0},
            {**row, "day": 28.0, "marker": "afp_rule", "response": "non_responder"},
            {**row, "day": 56.0, "marker": "afp_rule", "response": "responder"},
            {**row, "day": 84.0, "marker": "afp_rule", "response": "responder"},
            {**row, "patient_id": "P001", "day": 28.0, "marker": "afp_rule", "response": "not_evaluable"},
        ],
    )
    found = collect_features(study(), tables={"markers": markers})
    assert values(found, "afp at baseline (log10)") == {"P000": (pytest.approx(3.0), None)}
    assert values(found, "nlr at baseline") == {"P000": (3.5, None)}
    verdicts = found.filter(pl.col("feature") == "afp_rule response")
    assert verdicts.select("patient_id", "value", "known_day").rows() == [
        ("P000", 0.0, 28.0),
        ("P000", 1.0, 56.0),
        ("P000", 1.0, 84.0),
    ]
    items = {item.name: item for item in align_features(check_features(study(), found), ["P000", "P001"])}
    assert [items["afp_rule response"].at(day)[0] for day in (28.0, 55.0, 56.0)] == [0.0, 0.0, 1.0]
    assert np.isnan(items["afp_rule response"].at(27.0)[0])
    assert items["afp_rule response"].since.tolist() == [56.0, np.inf]
    assert items["afp_rule response"].first_known.tolist() == [28.0, np.inf]
    assert not items["nlr at baseline"].later
    assert found["feature"].n_unique() == 3


def test_patterns_are_known_when_they_are_complete():
    row = {"patient_id": "P000", "reader": "", "evaluable": True, "met": True, "unit": "", "reason": ""}
    fast = {**row, "definition": "fast", "family": "hyperprogression"}
    patterns = frame(
        Patterns,
        [
            {**fast, "day": 60.0},
            {**fast, "patient_id": "P001", "met": False, "day": 55.0},
            {**fast, "patient_id": "P002", "met": None, "evaluable": False},
            {**fast, "definition": "kato_2017", "day": 50.0},
            {**row, "definition": "back", "family": "pseudoprogression", "day": 60.0},
            {**row, "definition": "long", "family": "durable", "day": 60.0},
        ],
    )
    found = collect_features(study(), tables={"patterns": patterns})
    assert values(found, "fast") == {"P000": (1.0, 60.0), "P001": (0.0, 55.0)}
    assert values(found, "kato_2017") == {"P000": (1.0, 2 * study().config.policies.hpd_month_length)}
    assert found["feature"].n_unique() == 2
    items = align_features(found, ["P000", "P001", "P002"])
    assert all(item.later and not item.begins for item in items)
    at_58 = items[0].at(58.0)
    assert np.isnan(at_58[[0, 2]]).all()
    assert at_58[1] == 0.0


def test_response_as_an_exposure_begins_on_its_first_day():
    row = {"reader": "", "criterion": "mrecist", "best_confirmed": "NE"}
    best = frame(
        BestResponse,
        [
            {**row, "patient_id": "P000", "best": "PR", "first_response_day": 61.0},
            {**row, "patient_id": "P001", "best": "SD"},
            {**row, "patient_id": "P002", "best": "NE"},
        ],
    )
    found = collect_features(study(), tables={"best_response": best})
    (item,) = align_features(found, ["P000", "P001", "P002"])
    assert item.name == "objective response (mrecist)"
    assert item.begins
    assert item.since.tolist() == [61.0, np.inf, np.inf]
    assert item.first_known.tolist() == [-np.inf] * 3
    assert item.at(60.0).tolist() == [0.0, 0.0, 0.0]
    assert item.at(61.0).tolist() == [1.0, 0.0, 0.0]


def test_an_unknown_method_is_told():
    scores = frame(
        MechanismScores,
        [{"sample_id": "S000", "patient_id": "P000", "mechanism_id": "X", "set": "s", "method": "rank"}],
    ).with_columns(coverage=pl.lit(1.0))
    with pytest.raises(ConfigError, match=r"There are no scores of method 'ranks'. Did you mean 'rank'\?"):
        collect_features(study(), tables={}, mechanism_scores=scores, method="ranks")


def test_every_problem_of_the_features_is_told_at_once():
    good = features_of({"set": [1.0, 2.0]})
    bad = pl.concat(
        [
            good,
            good.with_columns(patient_id=pl.lit("P0001"), feature=pl.lit("a")),
            good.with_columns(kind=pl.lit("scores"), feature=pl.lit("b")),
            good.with_columns(value=pl.lit(float("inf")), feature=pl.lit("c")),
            good.with_columns(kind=pl.lit("marker")),
            good.with_columns(kind=pl.lit("pattern"), feature=pl.lit("d")),
            good.with_columns(kind=pl.lit("pattern"), feature=pl.lit("d")),
        ]
    )
    with pytest.raises(InputError) as caught:
        check_features(study(), bad)
    found = [issue.code for issue in caught.value.issues]
    assert sorted(set(found)) == [
        "duplicate-row",
        "not-finite",
        "two-kinds",
        "unknown-kind",
        "unknown-patient",
    ]
    assert "Did you mean 'score'?" in str(caught.value)


def test_missing_columns_and_wrong_types_are_told():
    with pytest.raises(InputError, match="column 'known_day' is missing"):
        check_features(study(), features_of({"set": [1.0]}).drop("known_day"))
    with pytest.raises(InputError, match="column 'value' does not hold numbers"):
        check_features(study(), features_of({"set": [1.0]}).with_columns(value=pl.lit("high")))
