"""Virtual trials run: what is the same, what is stopped, what is resumed, and what the endpoints are of."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hccresist.assess.engine import assess_study
from hccresist.errors import ComputationError, ConfigError
from hccresist.outcomes.endpoints import derive_events
from hccresist.outcomes.rates import compute_rates
from hccresist.outcomes.survival import MONTH, summarise_survival
from hccresist.overcome import trial as module
from hccresist.overcome.engine import Job, run_population, settle
from hccresist.overcome.population import draw_population
from hccresist.overcome.reading import draw_readings
from hccresist.overcome.scans import make_tables
from hccresist.overcome.trial import make_run, run_trial, simulate_replicates
from hccresist.overcome.trial_endpoints import TABLE, predict
from hccresist.overcome.trial_file import parse_spec
from hccresist.overcome.trial_people import enrol, find_handle, find_labs, screen
from hccresist.overcome.trial_run import make_config, make_study, read_diameters, run_replicate
from hccresist.overcome.trial_spec import Spec
from hccresist.study.check import assemble_study
from hccresist.study.tidy import read_tidy

HEAD = """\
name = "small"
replicates = 3
seed = 5
[visits]
every = 56
[follow_up]
days = 500
accrual_days = 100
"""
PLACEBO = '[[arms]]\nname = "placebo"\nn = 12\ncontrol = true\n'
SORAFENIB = '[[arms]]\nname = "sorafenib"\nn = 12\n[[arms.drugs]]\nregimen = "sorafenib"\n'


@pytest.fixture(scope="module")
def spec() -> Spec:
    return parse_spec(HEAD + PLACEBO + SORAFENIB)


@pytest.fixture(scope="module")
def done(spec: Spec, tmp_path_factory: pytest.TempPathFactory):
    return run_trial(spec, tmp_path_factory.mktemp("trial") / "out", threads=1)


def read_bytes(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_study_is_read_like_any_other_and_gives_the_same_endpoints(spec: Spec, done) -> None:
    study = read_tidy(done.folder / "study")
    assert study.config.simulated
    assert "Research only" in study.config.title
    tables = assess_study(study, criteria=["recist11", "mrecist"]).tables
    best, timepoints = tables["best_response"], tables["timepoints"]
    rates = compute_rates(study, best_response=best, baselines=tables["baselines"], timepoints=timepoints)
    events = derive_events(study, timepoints=timepoints, best_response=best)
    summary = summarise_survival(study, events, reference_arm=spec.control)
    own = done.replicates.filter(pl.col("replicate") == 0)
    names = {"recist11": "RECIST 1.1", "mrecist": "mRECIST", "": None}
    compared = 0
    wanted = rates.filter(pl.col("confirmed") & (pl.col("group") != "all") & (pl.col("measure") != "CBR"))
    rows = [(r["group"], r["measure"], r["criterion"], r["percent"]) for r in wanted.iter_rows(named=True)]
    for r in summary.iter_rows(named=True):
        kind = {"median": "m", "hazard_ratio": "HR_"}.get(r["statistic"])
        if kind and r["group"] != "all" and r["endpoint"] in {"OS", "PFS", "TTP"}:
            value = r["value"] / MONTH if kind == "m" and r["value"] is not None else r["value"]
            rows.append((r["group"].partition(" vs ")[0], kind + r["endpoint"], r["criterion"], value))
    for arm, endpoint, criterion, value in rows:
        found = own.filter(
            (pl.col("arm_id") == arm)
            & (pl.col("endpoint") == endpoint)
            & pl.col("criterion").eq_missing(pl.lit(names[criterion], dtype=pl.String))
        )
        assert found.height == 1, (arm, endpoint, criterion)
        assert found["value"][0] == pytest.approx(value) if value is not None else found["value"][0] is None
        compared += 1
    assert compared >= 18


def test_the_table_has_the_columns_of_published_ones_and_its_limits_hold_the_value(done) -> None:
    table = done.endpoints
    assert tuple(table.columns) == TABLE
    assert table.select("arm_id", "comparator_arm", "endpoint", "criterion").is_duplicated().sum() == 0
    order = {"NR": np.inf, "NE": np.nan}
    for row in table.iter_rows(named=True):
        low, value, high = (order.get(row[name]) or float(row[name]) for name in ("low", "value", "high"))
        assert np.isnan(value) or low <= value <= high
    assert set(table.filter(pl.col("endpoint") == "mOS")["assessor"]) == {None}


def test_equal_seeds_give_equal_bytes_and_an_interrupted_run_resumes_to_them(
    spec: Spec, done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[int]()
    whole = module.run_replicate

    def break_off(given: Spec, number: int, **options: object):
        calls.append(number)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(given, number, **options)

    monkeypatch.setattr(module, "run_replicate", break_off)
    with pytest.raises(KeyboardInterrupt):
        run_trial(spec, tmp_path / "out", threads=1)
    with pytest.raises(ConfigError, match="another trial"):
        run_trial(replace(spec, seed=6), tmp_path / "out", threads=1)
    again = run_trial(spec, tmp_path / "out", threads=2)
    assert again.resumed == 1
    assert calls[2:] == [1, 2]
    assert read_bytes(tmp_path / "out") == read_bytes(done.folder)


def test_a_folder_with_something_else_is_left_alone(spec: Spec, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ConfigError, match="not empty"):
        run_trial(spec, tmp_path)
    with pytest.raises(ConfigError, match="write cpu"):
        run_trial(spec, tmp_path / "new", engine="abacus")


def test_placebo_against_placebo_has_a_hazard_ratio_about_one_and_rarely_a_small_p() -> None:
    same = PLACEBO.replace("placebo", "other").replace("control = true\n", "")
    spec = parse_spec(HEAD.replace("replicates = 3", "replicates = 24") + PLACEBO + same)
    spec = replace(spec, arms=tuple(replace(arm, n=16) for arm in spec.arms))
    rows = simulate_replicates(spec, threads=1)
    hr = rows.filter(pl.col("endpoint") == "HR_OS")["value"].drop_nulls().log()
    p = rows.filter(pl.col("endpoint") == "p_OS")["value"].drop_nulls()
    assert abs(hr.mean()) < 4 * hr.std() / np.sqrt(len(hr))  # four standard errors of the mean
    # binomial: with a level of 5 %, more than 6 of 24 come by chance once in 3,000 times
    assert (p < 0.05).sum() <= 6
    assert p.max() > 0.5


def test_smaller_trials_are_the_first_patients_of_larger_ones(spec: Spec) -> None:
    arm = spec.arms[0]
    few = enrol(spec, replace(arm, n=5), replicate=1, place=0, values={}, seed=spec.seed)
    many = enrol(spec, replace(arm, n=9), replicate=1, place=0, values={}, seed=spec.seed)
    other = enrol(spec, arm, replicate=2, place=0, values={}, seed=spec.seed)
    assert few.people.numbers.tolist() == many.people.numbers[:5].tolist()
    assert np.array_equal(few.start[0], many.start[0][:5])
    assert not set(other.people.numbers) & set(many.people.numbers)


def test_only_eligible_patients_are_enrolled_and_the_first_of_them() -> None:
    rules = (
        '[eligibility]\nafp = [20, 500]\nmale = true\nhandles_on = ["hif"]\nlargest_mm = [20, 90]\n'
        'aetiology = ["hbv", "hcv"]\n'
    )
    spec = parse_spec(HEAD + rules + PLACEBO.replace("n = 12", "n = 4"))
    found = enrol(spec, spec.arms[0], replicate=0, place=0, values={}, seed=spec.seed)
    people = found.people
    assert people.traits["male"].all()
    assert (people.aetiology < 2).all()
    assert find_handle(people, "hif").all()
    assert ((people.diameters.max(axis=1) >= 20) & (people.diameters.max(axis=1) <= 90)).all()
    afp = find_labs(screen(people, found.start))["afp"]
    assert ((afp >= 20) & (afp <= 500)).all()
    assert len(people.numbers) == 4
    assert found.screened == people.numbers[-1] + 1  # arm 0 of replicate 0 begins at patient 0


def test_labs_at_screening_are_those_of_the_earlier_scan() -> None:
    people = draw_population(np.arange(4), mixed=True, seed=2)
    start = settle(people)
    run = run_population(Job((), (float("-inf"), 0.0), until=1.0, mixed=True, seed=2), people, start=start)
    labs = find_labs(screen(people, start))
    assert labs["afp"] == pytest.approx(run.state("afp")[:, 0])
    assert labs["albi"] == pytest.approx(run.output("albi")[:, 0])


def test_a_mix_brings_the_shares_that_are_asked_for() -> None:
    mix = {"male": 0.5, "hbv": 0.9, "ehs": 0.2}
    lines = "\n".join(f"{name} = {share}" for name, share in mix.items())
    spec = parse_spec(HEAD + f"[mix]\n{lines}\n" + PLACEBO.replace("n = 12", "n = 200"))
    people = enrol(spec, spec.arms[0], replicate=0, place=0, values={}, seed=3).people
    found = {
        "male": people.traits["male"].mean(),
        "ehs": people.traits["ehs"].mean(),
        "hbv": (people.aetiology == 0).mean(),
    }
    for name, share in mix.items():
        assert abs(found[name] - share) < 4 * np.sqrt(share * (1 - share) / 200)


def test_nobody_eligible_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hccresist.overcome.trial_people.SCREENED_MOST", 100)
    spec = parse_spec(HEAD + "[eligibility]\nage_years = [25, 25.5]\nweight_kg = [129, 130]\n" + PLACEBO)
    with pytest.raises(ComputationError, match="are eligible"):
        run_replicate(spec, 0)


def test_treatment_and_scans_stop_at_progression_and_what_follows_comes_after() -> None:
    after = '[[arms.drugs]]\nregimen = "regorafenib"\nstart = "progression"\ndelay_days = 14\n'
    kept = SORAFENIB.replace("sorafenib", "kept", 1)
    kept = kept.replace("n = 12\n", "n = 12\nstop_at_progression = false\n")
    spec = parse_spec(HEAD + SORAFENIB + after + kept)
    tables = run_replicate(spec, 0, keep=True).tables
    assert tables is not None
    study = read_back(spec, tables)
    best = study.filter(pl.col("criterion") == "recist11").select("patient_id", "progression_day")
    rows = (
        tables["treatments"]
        .join(best, on="patient_id")
        .join(tables["patients"].select("patient_id", "arm"), on="patient_id")
    )
    last = tables["visits"].group_by("patient_id").agg(last=pl.col("day").max())
    stopped = rows.filter((pl.col("arm") == "small_sorafenib") & pl.col("progression_day").is_not_null())
    first = stopped.filter(pl.col("line") == 1)
    assert first.height > 3
    assert (first["end_day"] <= first["progression_day"]).all()
    joined = first.join(last, on="patient_id")
    assert (joined["last"] == joined["progression_day"]).all()
    second = stopped.filter(pl.col("line") == 2)
    assert second.height > 0
    assert (second["start_day"] == second["progression_day"] + 14).all()
    held = rows.filter((pl.col("arm") == "small_kept") & pl.col("progression_day").is_not_null())
    assert (held.join(last, on="patient_id")["last"] > held["progression_day"]).any()
    assert set(held["line"]) == {1}


def read_back(spec: Spec, tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    study = make_study(spec, tables)
    return assess_study(study, criteria=["recist11"]).tables["best_response"]


def test_a_study_put_together_unchecked_is_the_checked_one() -> None:
    """Replicates are judged on the first and written as the second."""
    spec = parse_spec(HEAD + SORAFENIB)
    tables = run_replicate(spec, 0, keep=True).tables
    assert tables is not None
    checked, put = make_study(spec, tables), assemble_study(tables, make_config(spec))
    assert list(put.tables) == list(checked.tables)
    for name, frame in checked.tables.items():
        assert_frame_equal(put.tables[name], frame)
    assert not checked.warnings


def test_alternatives_share_the_patients_out_and_light_patients_get_less() -> None:
    arm = (
        '[[arms]]\nname = "either"\nn = 40\n'
        '[[arms.drugs]]\nregimen = "lenvatinib_12"\nshare = 0.6\nlight_kg = 60\nlight_factor = 0.6667\n'
        '[[arms.drugs]]\nregimen = "sorafenib"\nshare = 0.4\n'
    )
    tables = run_replicate(parse_spec(HEAD + arm), 0, keep=True).tables
    assert tables is not None
    drugs = tables["treatments"].group_by("patient_id").len()
    assert (drugs["len"] == 1).all()
    assert drugs.height == 40
    share = (tables["treatments"]["drug"] == "lenvatinib").mean()
    assert abs(share - 0.6) < 4 * np.sqrt(0.24 / 40)


def test_nobody_is_known_after_the_data_cut() -> None:
    spec = parse_spec(HEAD.replace("days = 500", "days = 120").replace("100", "30") + SORAFENIB)
    tables = run_replicate(spec, 0, keep=True).tables
    assert tables is not None
    assert tables["survival"]["os_days"].max() <= 150
    assert tables["visits"]["day"].max() <= 150
    assert tables["treatments"]["end_day"].max() <= 150


@pytest.mark.parametrize("baseline_days", [0.0, 28.0])
def test_reading_puts_the_error_of_a_lesion_and_scan_on_the_true_diameter(baseline_days: float) -> None:
    people = draw_population(np.arange(30, 34), mixed=True, seed=2)
    job = Job((), (float("-inf"), 0.0, 56.0), until=56.0, seed=2, baseline_days=baseline_days)
    result = run_population(job, people)
    true = make_tables(result, job, scans=job.visits, error=False)["lesions"]
    read = read_diameters(true, result, job, sd=0.2)
    drawn = draw_readings(people.numbers, np.arange(3 * 8 * 2), seed=2, sd=0.2).reshape(4, 3, 8, 2)
    for before, after in zip(true.iter_rows(named=True), read.iter_rows(named=True), strict=True):
        who = int(before["patient_id"][1:]) - 30
        visit = result.days[who].tolist().index(before["day"])
        factor = drawn[who, visit, int(before["lesion_id"][1:]) - 1]
        if before["longest_mm"] is None:
            assert after["longest_mm"] is None
        else:
            assert after["longest_mm"] == pytest.approx(before["longest_mm"] * factor[0], abs=0.051)
        if before["viable_mm"]:
            assert after["viable_mm"] <= after["longest_mm"]
    assert read_diameters(true, result, job, sd=0.0).equals(true)


def test_an_ensemble_of_parameters_is_used_set_by_set(spec: Spec) -> None:
    one = replace(spec, replicates=2, arms=spec.arms[:1])
    sets = ({"death_rate": 5e-5}, {"death_rate": 1.2e-3})  # both leave patients who can be enrolled
    rows = simulate_replicates(one, values=sets, threads=1).filter(pl.col("endpoint") == "mOS")
    early = rows.filter(pl.col("replicate") == 1)["value"][0]
    late = rows.filter(pl.col("replicate") == 0)
    assert late["not_reached"][0] or late["value"][0] > early


def test_limits_hold_the_next_value_as_often_as_they_say() -> None:
    # order statistics: the chance is (R + 1 - 2k) / (R + 1), here 180 / 200
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(2000):
        values = rng.exponential(size=200)
        _, low, high = predict(values[:199])
        hits += low <= values[199] <= high
    assert abs(hits / 2000 - 0.9) < 4 * np.sqrt(0.09 / 2000)
    assert predict([1.0, np.inf, np.inf]) == (np.inf, 1.0, np.inf)


def test_a_replicate_can_be_sent_elsewhere(spec: Spec, done) -> None:
    run = pickle.loads(pickle.dumps(make_run(spec, (), keep=0)))
    there = pickle.loads(pickle.dumps(run(2)))
    assert there.endpoints.equals(done.replicates.filter(pl.col("replicate") == 2).drop("replicate"))


@pytest.mark.slow
def test_a_cluster_gives_the_same(spec: Spec) -> None:
    distributed = pytest.importorskip("distributed", reason="extra 'cluster' is not installed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1"
    ) as cluster:
        there = simulate_replicates(replace(spec, replicates=2), engine=f"dask://{cluster.scheduler_address}")
    assert there.equals(simulate_replicates(replace(spec, replicates=2), threads=1))


def test_the_baseline_is_within_four_weeks_before_treatment(spec: Spec) -> None:
    tables = run_replicate(spec, 0, keep=True).tables
    assert tables is not None
    before = tables["visits"].filter(pl.col("day") <= 0)["day"].to_numpy()
    baseline = before[before > -28]
    assert len(baseline) == tables["patients"].height == (before <= -28).sum()
    assert baseline.min() < -14 < baseline.max() <= 0  # evenly over 0 to 27 days
    study = assemble_study(tables, make_config(spec))
    seen = assess_study(study, criteria=["recist11"], reasons=False).tables["baselines"]
    last = tables["visits"].filter(pl.col("day") <= 0).group_by("patient_id").agg(pl.col("day").max())
    targets = tables["lesions"].filter(role="target").join(last, on=["patient_id", "day"])
    sums = targets.group_by("patient_id").agg(pl.col("longest_mm").sum().alias("sum_mm"))
    both = seen.join(last, on="patient_id", suffix="_last").join(sums, on="patient_id")
    assert both.height == tables["patients"].height
    assert (both["day"] == both["day_last"]).all()
    assert both["baseline_mm"].to_list() == pytest.approx(both["sum_mm"].to_list(), abs=1e-6)


def test_only_the_scan_at_baseline_moves_with_its_day(spec: Spec) -> None:
    on_day_zero = replace(spec, visits=replace(spec.visits, baseline=0.0))
    later = []
    for one in (spec, on_day_zero):
        tables = run_replicate(replace(one, reading_sd=0.0), 0, keep=True).tables
        assert tables is not None
        first = tables["lesions"].filter(pl.col("day") == 56)
        later.append(first.select("patient_id", "lesion_id", "longest_mm").sort("patient_id", "lesion_id"))
    kept = later[0].join(later[1], on=["patient_id", "lesion_id"])
    assert kept.height > 10
    assert kept["longest_mm"].to_list() == pytest.approx(kept["longest_mm_right"].to_list(), abs=0.1)


@pytest.mark.parametrize("criterion", ["recist11", "mrecist"])
def test_treatment_stops_at_progression_by_the_criterion_of_the_trial(criterion: str) -> None:
    spec = parse_spec(f'{HEAD}[assessor]\nprogression = "{criterion}"\n' + SORAFENIB)
    spec = replace(spec, arms=tuple(replace(arm, n=40) for arm in spec.arms))
    tables = run_replicate(spec, 0, keep=True).tables
    assert tables is not None
    study = assemble_study(tables, make_config(spec))
    best = assess_study(study, criteria=[criterion], reasons=False).tables["best_response"]
    ends = tables["treatments"].group_by("patient_id").agg(pl.col("end_day").max())
    seen = best.drop_nulls("progression_day").join(ends, on="patient_id")
    assert seen.height > 10
    assert (seen["end_day"] == seen["progression_day"]).all()
    other = run_replicate(
        replace(spec, progression=({"recist11", "mrecist"} - {criterion}).pop()), 0, keep=True
    )
    assert other.tables is not None
    assert not other.tables["treatments"]["end_day"].equals(tables["treatments"]["end_day"])
