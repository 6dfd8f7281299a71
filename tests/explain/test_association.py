"""Associations of a whole cohort: who is compared with whom, what is withheld, and false findings."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from association_cases import (
    best_of,
    events_of,
    features_of,
    look,
    make_study,
    names_of,
    nothing,
    random_classes,
    resistance_of,
    scans_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from hccresist.errors import ConfigError
from hccresist.explain.association import ALLOCATED, NO_CONTROL, associate
from hccresist.explain.association_null import NullSets
from hccresist.explain.association_survival import Times, fit_cox
from hccresist.explain.results import Associations

RESPONSE = "response (recist11)"
TOO_FEW = "too few to say"


def cohort(n=60, *, seed=1, arms=False, **columns):
    """Study, one score that goes with response and survival, and the tables."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    words = ["PR" if hit else "PD" for hit in rng.random(n) < 1 / (1 + np.exp(-1.2 * x))]
    days = rng.exponential(300 * np.exp(0.6 * x))
    happened = rng.random(n) < 0.8
    study = make_study(n, arms=[("A", "B")[i % 2] for i in range(n)] if arms else None, **columns)
    tables = {
        "best_response": best_of(words),
        "events": pl.concat([events_of(days, happened), events_of(days / 2, happened, endpoint="PFS")]),
        "resistance": resistance_of(["acquired" if word == "PR" else "primary" for word in words]),
    }
    return study, x, tables


def test_every_outcome_has_its_test_and_the_table_is_valid():
    study, x, tables = cohort()
    found = associate(study, features=features_of({"set": list(x)}), tables=tables)
    assert Associations.is_valid(found)
    assert set(found.select("outcome", "test").rows()) == {
        (RESPONSE, "rank"),
        ("primary_resistance", "rank"),
        ("acquired_resistance", "cox"),
        ("PFS", "cox"),
        ("OS", "cox"),
    }
    response, primary = (look(found, outcome=name, test="rank") for name in (RESPONSE, "primary_resistance"))
    assert response["effect"] == pytest.approx(1 - primary["effect"])
    assert look(found, outcome="OS")["measure"] == "hazard ratio per SD"
    assert look(found, outcome="OS")["effect"] < 1 < 1 / look(found, outcome="OS")["effect"]


def test_without_arms_each_row_says_that_there_is_no_control():
    study, x, tables = cohort()
    found = associate(study, features=features_of({"set": list(x)}), tables=tables)
    assert NO_CONTROL == "prognostic or unknown: no control arm"
    assert found["caveat"].str.contains(NO_CONTROL, literal=True).all()
    assert found.filter(pl.col("test") == "interaction").is_empty()


def test_one_arm_is_no_control_either():
    study, x, tables = cohort()
    single = make_study(60, arms=["A"] * 60)
    features = features_of({"set": list(x)})
    assert associate(single, features=features, tables=tables).equals(
        associate(study, features=features, tables=tables)
    )


def test_with_arms_there_are_rows_by_arm_and_the_interaction():
    study, x, tables = cohort(120, arms=True)
    found = associate(study, features=features_of({"set": list(x)}), tables=tables)
    assert not found["caveat"].str.contains(NO_CONTROL, literal=True).any()
    assert found["group"].unique().sort().to_list() == ["", "A", "B", "B vs A"]
    both = found.filter(pl.col("test") == "interaction")
    assert both["group"].unique().to_list() == ["B vs A"]
    assert both["caveat"].str.contains(ALLOCATED, literal=True).all()
    by_arm = [look(found, outcome="OS", test="cox", group=arm)["n"] for arm in ("A", "B")]
    assert by_arm == [60, 60]


def test_the_interaction_is_the_ratio_of_the_hazard_ratios_of_the_arms():
    """A feature of two values, no ties: the product term of a saturated Cox model with arm-free baseline."""
    rng = np.random.default_rng(8)
    n = 800
    treated, there = rng.random(n) < 0.5, rng.random(n) < 0.5
    days = rng.exponential(300 * np.exp(-np.log(0.4) * (treated & there)))
    study = make_study(n, arms=["new" if arm else "control" for arm in treated])
    tables = {"events": events_of(days, [True] * n)}
    features = features_of({"GENE altered": there.astype(float).tolist()}, kind="alteration")
    found = associate(study, features=features, tables=tables)
    row = look(found, outcome="OS", test="interaction")
    assert row["group"] == "new vs control"
    assert row["measure"] == "ratio of hazard ratios"
    assert row["low"] < 0.4 < row["high"] < 1
    ratio = [look(found, outcome="OS", test="cox", group=arm)["effect"] for arm in ("new", "control")]
    assert row["effect"] == pytest.approx(ratio[0] / ratio[1], rel=0.05)


def test_fewer_than_ten_in_a_class_give_an_interval_and_no_p():
    study = make_study(30)
    words = ["PR"] * 9 + ["PD"] * 21
    values = [float(i) for i in range(30)]
    row = look(
        associate(
            study,
            features=features_of({"set": values}),
            tables={"best_response": best_of(words), **nothing()},
        )
    )
    assert (row["n"], row["events"], row["p"], row["q"]) == (30, 9, None, None)
    assert row["effect"] == 0
    assert 0 < row["high"] < 0.3
    assert TOO_FEW in str(row["caveat"])
    ten = look(
        associate(
            study,
            features=features_of({"set": values}),
            tables={"best_response": best_of(["PR", *words[:29]]), **nothing()},
        )
    )
    assert ten["p"] < 0.001
    assert TOO_FEW not in str(ten["caveat"])


def test_fewer_than_ten_events_a_term_give_an_interval_and_no_p():
    study, x, tables = cohort(40, age=list(np.linspace(40, 80, 40)), site=["k", "l", "m", "l"] * 10)
    features = features_of({"set": list(x)})
    events = int(tables["events"].filter(pl.col("endpoint") == "OS")["event"].sum())
    assert 20 <= events < 40  # enough for 1 term, not for score + age + two sites
    found = associate(study, features=features, tables=tables, covariates=("age", "site"))
    assert look(found, outcome="OS", test="cox")["p"] is not None
    row = look(found, outcome="OS", test="cox_adjusted")
    assert (row["p"], row["q"]) == (None, None)
    assert row["low"] < row["effect"] < row["high"]
    assert f"{TOO_FEW} ({events} events for 4 terms" in str(row["caveat"])
    assert row["measure"] == "hazard ratio per SD, adjusted for age, site"


def test_not_evaluable_patients_are_left_out_and_told():
    study = make_study(30)
    words = ["PR"] * 12 + ["SD"] * 8 + ["PD"] * 4 + ["NE"] * 6
    features = features_of({"set": [float(i) for i in range(29)] + [None]})
    row = look(associate(study, features=features, tables={"best_response": best_of(words), **nothing()}))
    assert (row["n"], row["events"], row["effect"]) == (24, 12, 0.0)
    assert "6 of 30 patients left out: best response not evaluable" in str(row["caveat"])


def test_intolerance_is_no_resistance_and_no_sensitivity():
    study = make_study(30)
    classes = ["primary"] * 10 + ["acquired"] * 4 + ["after_stop"] * 3 + ["no_resistance"] * 3
    classes += ["intolerance"] * 5 + ["not_evaluable"] * 5
    tables = {"resistance": resistance_of(classes), **nothing()}
    row = look(associate(study, features=features_of({"set": list(np.arange(30.0))}), tables=tables))
    assert (row["outcome"], row["n"], row["events"]) == ("primary_resistance", 20, 10)
    assert "10 of 30 patients left out: intolerance" in str(row["caveat"])


def test_acquired_resistance_is_an_event_and_the_rest_is_censored():
    n = 24
    study = make_study(n)
    classes = ["acquired"] * 12 + ["primary"] * 12
    tables = {
        "resistance": resistance_of(classes),
        "events": events_of(list(np.arange(n) + 50.0), [True] * n, endpoint="PFS"),
    }
    found = associate(study, features=features_of({"set": [float(i % 5) for i in range(n)]}), tables=tables)
    row = look(found, outcome="acquired_resistance")
    assert (row["n"], row["events"]) == (n, 12)
    assert "cause-specific" in str(row["caveat"])


def test_a_biopsy_after_the_start_enters_late_and_is_left_out_of_response():
    study, x, tables = cohort(60)
    known = [30.0 if i < 20 else -5.0 for i in range(60)]
    features = features_of({"set": list(x)}, known=known)
    found = associate(study, features=features, tables=tables)
    response = look(found, outcome=RESPONSE)
    assert response["n"] == 40
    assert "20 left out: their sample was taken after the start of treatment" in str(response["caveat"])
    days = tables["events"].filter(pl.col("endpoint") == "OS")["days"].to_numpy()
    gone = int((days[:20] <= 30).sum())
    assert gone > 0
    survival = look(found, outcome="OS")
    assert survival["n"] == 60 - gone
    assert f"late entry: {20 - gone} of {60 - gone} patients from the day of their sample" in str(
        survival["caveat"]
    )
    assert f"{gone} left out: their time ended before they entered" in str(survival["caveat"])


def test_delayed_entry_of_the_study_is_honoured():
    """The same numbers as from the Cox model of those observed, each from the day of entry."""
    _, x, tables = cohort(60)
    entry = [40.0 if i % 3 == 0 else None for i in range(60)]
    found = associate(make_study(60, entry=entry), features=features_of({"set": list(x)}), tables=tables)
    events = tables["events"].filter(pl.col("endpoint") == "OS")
    late = np.array([value or 0.0 for value in entry])
    times = Times(entry=late, days=events["days"].to_numpy(), event=events["event"].to_numpy())
    kept = times.days > late
    z = (x[kept] - x[kept].mean()) / x[kept].std(ddof=1)
    expected = fit_cox(times.select(kept), {"x": z}, term="x")
    row = look(found, outcome="OS")
    assert (row["n"], row["events"]) == (expected.n, expected.events)
    assert row["effect"] == pytest.approx(expected.effect)
    assert "delayed entry" in str(row["caveat"])


def test_of_several_samples_one_is_used():
    study = make_study(20)
    base = features_of({"set": [float(i) for i in range(20)]}, known=[-3.0] * 20)
    older = base.with_columns(
        sample_id=pl.concat_str(pl.lit("old"), "sample_id"), value=pl.lit(99.0), known_day=pl.lit(-40.0)
    )
    later = base.with_columns(
        sample_id=pl.concat_str(pl.lit("late"), "sample_id"), value=pl.lit(-99.0), known_day=pl.lit(20.0)
    )
    tables = {"best_response": best_of(["PR"] * 10 + ["PD"] * 10), **nothing()}
    alone = associate(study, features=base, tables=tables)
    assert associate(study, features=pl.concat([later, older, base]), tables=tables).equals(alone)


def hyperprogression(n=60):
    """A pattern met by every third patient on day 60, and scans."""
    met = [float(i % 3 == 0) for i in range(n)]
    return features_of({"fast": met}, kind="pattern", known=[60.0 if m else None for m in met])


def test_what_is_known_later_is_refused_for_response():
    study, _, tables = cohort()
    found = associate(study, features=hyperprogression(), tables=tables)
    row = look(found, outcome=RESPONSE)
    assert (row["effect"], row["p"], row["test"]) == (None, None, "exact")
    assert str(row["caveat"]).startswith("refused: known only after the start of treatment")


def test_without_a_scan_day_there_is_no_landmark():
    study, _, tables = cohort()
    row = look(
        associate(study, features=hyperprogression(), tables=tables), outcome="OS", test="cox_landmark"
    )
    assert row["effect"] is None
    assert "there is no scan day for a landmark" in str(row["caveat"])


@pytest.mark.parametrize(
    ("given_day", "planned", "scans", "day"),
    [
        (90.0, (56.0,), [50.0] * 60, 90.0),
        (None, (56.0, 112.0), None, 56.0),
        (None, (56.0,), [60.0 if i < 45 else 80.0 for i in range(60)], 60.0),
        (None, (), [60.0 if i < 40 else 80.0 for i in range(60)], 80.0),
    ],
)
def test_the_landmark_is_that_asked_for_or_of_the_first_scan(given_day, planned, scans, day):
    _, _, tables = cohort()
    study = make_study(60, planned=planned)
    if scans is not None:
        tables = {**tables, "timepoints": scans_of(scans)}
    found = associate(study, features=hyperprogression(), tables=tables, landmark_days=given_day)
    caveat = str(look(found, outcome="OS", test="cox_landmark")["caveat"])
    assert f"landmark day {day:g} (" in caveat


def test_the_numbers_dropped_at_the_landmark_are_shown():
    n = 40
    days = [10.0] * 4 + [60.0] * 3 + [60.5 + i for i in range(33)]
    happened = [True, True, True, False] + [True, False, False] + [True] * 33
    found = associate(
        make_study(n),
        features=hyperprogression(n),
        tables={"events": events_of(days, happened)},
        landmark_days=60,
    )
    row = look(found, test="cox_landmark")
    assert (row["n"], row["events"]) == (33, 33)
    expected = "7 of 40 patients dropped, 4 had the event and 3 were censored by then"
    assert f"landmark day 60 (as asked for): {expected}" in str(row["caveat"])


def test_what_is_known_after_the_landmark_does_not_count_there():
    n = 60
    rng = np.random.default_rng(3)
    days = rng.exponential(300, n) + 100
    met = [float(i % 2) for i in range(n)]
    known = [(50.0 if i % 4 == 1 else 90.0) if m else None for i, m in enumerate(met)]
    tables = {"events": events_of(days, [True] * n)}

    def ask(values):
        features = features_of({"fast": values}, kind="pattern", known=known)
        return look(
            associate(make_study(n), features=features, tables=tables, landmark_days=60), test="cox_landmark"
        )

    early = [float(day == 50.0) for day in known]
    assert ask(met)["effect"] == ask(early)["effect"] is not None


def test_immortal_time():
    """Response does nothing: it comes on a random day to those who live until then; all die at one rate."""
    rng = np.random.default_rng(12)
    n = 1500
    death, response = rng.exponential(200, n), rng.exponential(120, n)
    responder = response < death
    features = features_of(
        {"objective response": responder.astype(float).tolist()},
        kind="pattern",
        known=[float(day) if hit else None for day, hit in zip(response, responder, strict=True)],
    )
    tables = {"events": events_of(death, [True] * n)}
    found = associate(make_study(n), features=features, tables=tables, landmark_days=60)
    times = Times(entry=np.zeros(n), days=death, event=np.ones(n, dtype=bool))
    naive = fit_cox(times, {"x": responder.astype(float)}, term="x", check=False)
    assert naive.high < 0.75
    for test in ("cox_landmark", "cox_time_dependent"):
        row = look(found, test=test)
        assert row["low"] < 1 < row["high"], test
        assert abs(np.log(row["effect"])) < 0.15, test


def test_a_pattern_judged_at_a_scan_counts_from_that_scan():
    """Only who lives until the scan can be judged, and nothing goes with it: all ratios are near 1."""
    rng = np.random.default_rng(41)
    n = 1500
    death, scan = rng.exponential(150, n), rng.uniform(20, 120, n)
    judged = np.flatnonzero(scan < death)
    met = rng.random(n) < 0.4
    rows = features_of({"oligo": met.astype(float).tolist()}, kind="pattern", known=scan.tolist())
    features = rows[judged]
    events = pl.concat([events_of(death, [True] * n), events_of(death, [True] * n, endpoint="PFS")])
    found = associate(make_study(n), features=features, tables={"events": events}, landmark_days=80)
    late = look(found, test="cox_time_dependent")
    assert late["outcome"] == "OS"  # progression is seen at scans: no time-dependent Cox
    assert late["n"] == len(judged)
    assert f"{n - len(judged)} left out: not known while they were observed" in str(late["caveat"])
    landmark = look(found, test="cox_landmark", outcome="OS")
    assert landmark["n"] == int(((scan <= 80) & (death > 80)).sum())
    for row in (late, landmark):
        assert row["low"] < 1 < row["high"]
        assert abs(np.log(row["effect"])) < 0.2


def test_permuted_labels_give_false_findings_at_the_stated_rate():
    """200 times: 5 % of p are below 0.05, and a q is below 0.05 in at most 5 % of the times."""
    rng = np.random.default_rng(2024)
    n, runs = 44, 200
    study = make_study(n)
    features = features_of({f"set{i:02d}": rng.normal(size=n).tolist() for i in range(12)})
    words = ["PR"] * 16 + ["PD"] * 28
    p, discoveries = [], 0
    for _ in range(runs):
        shuffled = rng.permutation(words).tolist()
        found = associate(study, features=features, tables={"best_response": best_of(shuffled), **nothing()})
        p += found["p"].to_list()
        discoveries += bool((found["q"] < 0.05).any())
    assert len(p) == runs * 12
    share = np.mean(np.array(p) < 0.05)
    assert abs(share - 0.05) < 4 * np.sqrt(0.05 * 0.95 / len(p))
    assert discoveries / runs < 0.05 + 2 * np.sqrt(0.05 * 0.95 / runs)


def test_permuted_survival_gives_false_findings_at_the_stated_rate():
    rng = np.random.default_rng(77)
    n, runs = 60, 200
    x = rng.normal(size=n)
    days, event = rng.exponential(300, n), rng.random(n) < 0.8
    hits = 0
    for _ in range(runs):
        order = rng.permutation(n)
        times = Times(entry=np.zeros(n), days=days[order], event=event[order])
        fit = fit_cox(times, {"x": x}, term="x", check=False)
        assert fit.p is not None
        hits += fit.p < 0.05
    assert abs(hits / runs - 0.05) < 3 * np.sqrt(0.05 * 0.95 / runs)


def test_q_is_benjamini_hochberg_within_a_family():
    """q of the i-th smallest of m is the least p × m / j over j ≥ i; each kind is a family of its own."""
    rng = np.random.default_rng(5)
    study = make_study(40)
    scores = features_of({f"set{i}": rng.normal(size=40).tolist() for i in range(6)})
    markers = features_of({f"lab{i}": rng.normal(size=40).tolist() for i in range(3)}, kind="marker")
    tables = {"best_response": best_of(random_classes(40, rng, 0.5)), **nothing()}
    found = associate(study, features=pl.concat([scores, markers]), tables=tables)
    for prefix in ("set", "lab"):
        family = found.filter(pl.col("feature").str.starts_with(prefix)).sort("p")
        p = family["p"].to_list()
        m = len(p)
        expected = [min(p[j] * m / (j + 1) for j in range(i, m)) for i in range(m)]
        assert family["q"].to_list() == pytest.approx(expected)


def test_the_null_of_random_sets_tells_a_set_from_the_main_axis():
    """Every gene follows the axis that response follows: the set is "associated", and so is any other."""
    rng = np.random.default_rng(6)
    n, genes = 60, 300
    axis = rng.normal(size=n)
    words = ["PR" if hit else "PD" for hit in axis + 0.5 * rng.normal(size=n) > 0]
    values = axis + rng.normal(size=(genes, n))
    values[:10] += 3 * (np.array(words) == "PR")
    names = [f"G{i}" for i in range(genes)]
    sets = {"real": names[:10], "axis only": names[100:110]}
    features = features_of(
        {name: values[[names.index(g) for g in of]].mean(axis=0).tolist() for name, of in sets.items()}
    )
    null = NullSets(
        genes=names,
        samples=[f"S{i:03d}" for i in range(n)],
        values=values,
        level=rng.normal(size=genes),
        sets=sets,
    )
    tables = {
        "best_response": best_of(words),
        "events": events_of(rng.exponential(300 * np.exp(axis)), [True] * n),
    }
    found = associate(make_study(n), features=features, tables=tables, null_sets=null, seed=1)
    real, other = (look(found, feature=name, test="rank") for name in sets)
    assert other["p"] < 0.001
    assert other["null_p"] > 0.05
    assert real["null_p"] < 0.01
    assert look(found, feature="axis only", test="cox")["null_p"] > 0.05
    again = associate(make_study(n), features=features, tables=tables, null_sets=null, seed=1)
    assert again.equals(found)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_rows_and_the_sign_of_a_feature(seed):
    study, x, tables = cohort(30, seed=seed)
    features = features_of({"set": list(x), "other": list(np.cos(7 * x))})
    found = associate(study, features=features, tables=tables)
    shuffled = {name: frame.sample(fraction=1, shuffle=True, seed=seed) for name, frame in tables.items()}
    again = associate(study, features=features.sample(fraction=1, shuffle=True, seed=seed), tables=shuffled)
    assert again.equals(found)
    turned = associate(study, features=features.with_columns(-pl.col("value")), tables=tables)
    for row, back in zip(found.iter_rows(named=True), turned.iter_rows(named=True), strict=True):
        whole = 1 - row["effect"] if row["measure"] == "AUC" else 1 / row["effect"]
        assert back["effect"] == pytest.approx(whole, rel=1e-4)
        assert back["p"] == (None if row["p"] is None else pytest.approx(row["p"], rel=1e-4))


def test_a_study_with_its_own_responses_and_survival_needs_no_tables():
    study = make_study(24)
    names = names_of(24)
    survival = pl.DataFrame(
        {
            "patient_id": names,
            "os_days": [float(100 + i) for i in range(24)],
            "died": [True] * 24,
            "pfs_days": [float(50 + i) for i in range(24)],
            "pfs_event": [True] * 24,
        }
    )
    empty = {"last_alive_day": pl.Float64, "entry_day": pl.Float64, "death_cause": pl.String}
    survival = survival.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in empty.items())
    own = type(study)(config=study.config, tables={**study.tables, "survival": survival})
    found = associate(own, features=features_of({"set": [float(i * 7 % 24) for i in range(24)]}), tables={})
    assert found.select("outcome", "n", "events").rows() == [("OS", 24, 24), ("PFS", 24, 24)]


def test_nothing_to_associate_gives_an_empty_table():
    study = make_study(3)
    features = features_of({"set": [1.0, 2.0, 3.0]})
    assert associate(study, features=features, tables=nothing()).is_empty()
    assert associate(study, features=features.clear(), tables=nothing()).is_empty()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"covariates": ("agee", "nothing")}, "There is no covariate 'agee'.*age"),
        ({"landmark_days": 0.0}, "A landmark is a day after the start of treatment"),
        ({"criterion": "recist1"}, "There is no best response by criterion 'recist1'.*recist11"),
    ],
)
def test_what_cannot_be_used_is_said(options, told):
    study, x, tables = cohort(age=list(np.linspace(40, 80, 60)))
    with pytest.raises(ConfigError, match=f"(?s){told}"):
        associate(study, features=features_of({"set": list(x)}), tables=tables, **options)
