"""The twin from study to tables."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hccresist.assess.marker_results import Markers
from hccresist.overcome import twin_error
from hccresist.overcome.engine import Job, run_chunk
from hccresist.overcome.plan import Given
from hccresist.overcome.scans import make_tables
from hccresist.overcome.strategies import SIMULATED
from hccresist.overcome.twin import TwinOutlook, choose_members, make_outlook, make_track
from hccresist.overcome.twin_ahead import HORIZONS, LOOKS
from hccresist.overcome.twin_data import Baseline, Case, read_cases
from hccresist.overcome.twin_fit import Fitter, fit_cases, follow_on, weigh_case
from hccresist.overcome.twin_latent import Space
from hccresist.overcome.twin_results import RESULTS
from hccresist.overcome.twin_run import SEEN, Standing, Track, run_tracks, start_standing
from hccresist.overcome.twin_signs import read_setting
from hccresist.overcome.twin_treatments import Course, Dose
from hccresist.overcome.twin_treatments import Given as Had
from hccresist.study.frames import study_from_frames
from hccresist.study.study import Study

NO_LABS = {"markers": Markers.create_empty()}
COUNT, SCANS, FEW = 5, (0.0, 56.0, 112.0), 16


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    """Return a clinic's tables of simulated patients on lenvatinib."""
    job = Job((Given("lenvatinib"),), SCANS, SCANS[-1], mixed=True, values={"death_rate": 1e-9}, seed=2)
    return make_tables(run_chunk(job, 0, COUNT), job, scans=SCANS, arm="lenvatinib")


@pytest.fixture(scope="module")
def study(tables: dict[str, pl.DataFrame]) -> Study:
    return study_from_frames(**tables)


@pytest.fixture(scope="module")
def strategies() -> pl.DataFrame:
    """Return the columns of table `strategies` that the twin reads; the first is not in the model."""
    rows = [(1, "S15", "doxorubicin"), (2, "S08", "pembrolizumab;lenvatinib"), (3, "S60", "cabozantinib")]
    frame = pl.DataFrame(rows, schema=["rank", "strategy_id", "drugs"], orient="row")
    return pl.concat([frame.with_columns(patient_id=pl.lit(f"V{n:07d}")) for n in range(2)])


@pytest.fixture(scope="module")
def made(study: Study, strategies: pl.DataFrame) -> TwinOutlook:
    return make_outlook(study, tables={"strategies": strategies}, particles=FEW, seed=3)


def test_tables_keep_their_contract(made: TwinOutlook) -> None:
    for name, schema in RESULTS.items():
        table = getattr(made, name)
        schema.validate(table)
        assert_frame_equal(table, table.sort(schema.primary_key()))
    assert tuple(made.gains.columns) == SIMULATED


def test_each_patient_has_a_row_and_each_course_its_horizons(made: TwinOutlook, study: Study) -> None:
    assert made.outlook_fit["patient_id"].to_list() == study.patients["patient_id"].sort().to_list()
    assert made.outlook_fit["effective"].null_count() == 0
    counts = made.outlook.group_by("patient_id", "drugs").len()
    assert set(counts["len"]) == {4 * len(HORIZONS)}
    first = made.outlook.filter(pl.col("patient_id") == "V0000000")
    assert set(first["drugs"]) == {"lenvatinib", "lenvatinib + pembrolizumab", "cabozantinib"}
    assert first.filter(pl.col("role") == "present")["strategy_id"].null_count() == 4 * len(HORIZONS)


def test_chances_are_chances_and_rise_with_time(made: TwinOutlook) -> None:
    rows = made.outlook.filter(pl.col("quantity") != "sum_change_percent").drop_nulls("value")
    slack = 1e-9
    for name in ("value", "low", "high", "prior_value", "prior_low", "prior_high"):
        assert rows[name].is_between(-slack, 1 + slack).all()
        by = ["patient_id", "drugs", "quantity"]
        steps = rows.sort(*by, "horizon_days").with_columns(step=pl.col(name).diff().over(by))
        assert (steps["step"].drop_nulls() >= -slack).all()
    assert (rows["low"] <= rows["high"]).all()


def test_death_is_progression(made: TwinOutlook) -> None:
    key = ["patient_id", "drugs", "horizon_days"]
    died = made.outlook.filter(pl.col("quantity") == "death").select(*key, death="value")
    grown = made.outlook.filter(pl.col("quantity") == "progression").select(*key, progression="value")
    both = died.join(grown, on=key)
    assert (both["progression"] >= both["death"] - 1e-9).all()


def test_every_row_says_that_it_is_research_only(made: TwinOutlook) -> None:
    assert made.outlook["notes"].str.contains("research only").all()
    assert made.outlook_fit["notes"].str.contains("research only").all()
    assert made.gains["measure"].str.contains("research only").all()
    assert made.outlook_fit["indistinct"].str.contains("exclusion").all()


def test_what_the_model_lacks_is_said(made: TwinOutlook) -> None:
    notes = dict(made.outlook_fit.select("patient_id", "notes").iter_rows())
    assert "not simulated: S15" in notes["V0000000"]


def test_same_seed_same_tables_and_others_change_nothing(
    study: Study, tables: dict[str, pl.DataFrame], strategies: pl.DataFrame, made: TwinOutlook
) -> None:
    """One patient alone, rows turned round, gives that patient's rows bit by bit."""
    own = {name: table.filter(pl.col("patient_id") == "V0000001").reverse() for name, table in tables.items()}
    alone = make_outlook(
        study_from_frames(**own), tables={"strategies": strategies.reverse()}, particles=FEW, seed=3
    )
    for name in ("outlook", "outlook_fit", "gains"):
        wanted = getattr(made, name).filter(pl.col("patient_id") == "V0000001")
        assert_frame_equal(getattr(alone, name), wanted, check_exact=True)


def test_gains_are_the_difference_of_deaths(made: TwinOutlook) -> None:
    """Means are linear: the mean gain is the difference of the two mean chances of death."""
    year = made.outlook.filter((pl.col("horizon_days") == 365) & (pl.col("quantity") == "death"))
    present = year.filter(pl.col("role") == "present").select("patient_id", now="value")
    other = year.filter(pl.col("role") == "candidate").select("patient_id", "strategy_id", then="value")
    both = made.gains.join(other, on=["patient_id", "strategy_id"]).join(present, on="patient_id")
    assert both.height == made.gains.height == 4
    assert both["gain"].to_numpy() == pytest.approx((both["now"] - both["then"]).to_numpy())


def test_more_data_narrow(study: Study, made: TwinOutlook) -> None:
    """Sum after 84 days: two scans on treatment make the interval narrower, by the median."""
    late = made.outlook.filter((pl.col("quantity") == "sum_change_percent") & (pl.col("role") == "present"))
    late = late.filter(pl.col("horizon_days") == 84).with_columns(width=_log_width("low", "high"))
    before = late.select(_log_width("prior_low", "prior_high"))
    assert late["width"].median() < before.to_series().median()
    early = make_outlook(study, tables=NO_LABS, particles=FEW, until=0.0, seed=3)
    assert early.outlook_fit["observations"].max() == 0
    assert early.outlook_fit["effective"].min() > made.outlook_fit["prior_effective"].min()


def _log_width(low: str, high: str) -> pl.Expr:
    return (1 + pl.col(high) / 100).log() - (1 + pl.col(low) / 100).log()


def test_without_patients_that_can_have_one_there_is_no_row(tables: dict[str, pl.DataFrame]) -> None:
    bare = study_from_frames(patients=tables["patients"], lesions=tables["lesions"])
    made = make_outlook(bare, tables=NO_LABS, particles=2)
    assert made.outlook.height == made.gains.height == 0
    assert made.outlook_fit["notes"].str.starts_with("no twin: the study records neither").all()


def test_progress_is_told_to_the_end(tables: dict[str, pl.DataFrame]) -> None:
    told: list[tuple[int, int]] = []
    bare = study_from_frames(patients=tables["patients"], lesions=tables["lesions"])
    make_outlook(bare, tables=NO_LABS, particles=2, progress=lambda done, of: told.append((done, of)))
    assert told[-1][0] == told[-1][1]


def test_an_ensemble_is_thinned_evenly() -> None:
    members = [{"growth_rate": float(i)} for i in range(16)]
    assert [each["growth_rate"] for each in choose_members(members)] == [0, 2, 4, 6, 8, 10, 12, 14]
    assert choose_members([]) == ({},)


def test_the_track_of_a_course_stops_what_it_lacks() -> None:
    inf = float("inf")
    case = _case(Had(doses=(Dose("lenvatinib", 0.0, inf),), present=("lenvatinib",)))
    switch = make_track(case, Course("S60", ("cabozantinib",)))
    assert switch.doses == (Dose("lenvatinib", 0.0, 112.0), Dose("cabozantinib", 112.0, inf))
    add = make_track(case, Course("S08", ("lenvatinib", "pembrolizumab")))
    assert add.doses == (Dose("lenvatinib", 0.0, inf), Dose("pembrolizumab", 112.0, inf))
    assert switch.days == tuple(112.0 + day for day in LOOKS)


def _case(given: Had) -> Case:
    return Case(patient_id="A", day=112.0, baseline=Baseline((40.0,), 1, 40.0), given=given)


def test_following_on_is_as_running_through() -> None:
    """A run cut in two on day 112 ends where the whole run ends."""
    case = _case(Had(doses=(Dose("lenvatinib", 0.0, float("inf")),), present=("lenvatinib",)))
    fitter = Fitter([case], Space([{}]), 1, 0)
    rng = np.random.default_rng(1)
    z, number, owner = rng.standard_normal((6, fitter.space.size)), np.arange(6), np.zeros(6, dtype=np.int64)
    people = fitter.build(z, number, owner)
    ones = np.ones(6, dtype=np.int64)
    shared = {"owner": owner, "targets": ones, "groups": owner, "factors": [{}], "seed": 0}
    start = start_standing(people)
    whole, _ = run_tracks(people, start, [Track(case.given.doses, (), -28.0, (112.0, 224.0))], **shared)
    first, stands = run_tracks(people, start, [fitter.track(0)], **shared)
    more = follow_on(
        fitter,
        z,
        number,
        owner=owner,
        standing=stands,
        tracks=[Track(case.given.doses, (), 112.0, (112.0, 224.0))],
        kept={"targets": ones},
        factors=[{}],
        draws=np.full((6, 8), np.inf),
    )
    assert first[:, -1] == pytest.approx(whole[:, 0], rel=1e-9)
    assert more[:, 0, :2] == pytest.approx(whole[:, 0, :2], rel=1e-3)
    assert more[:, 1] == pytest.approx(whole[:, 1], rel=0.02)


def test_survival_and_new_lesions_enter_as_their_hazards() -> None:
    """Log-likelihood by hand: minus the hazard of death; of new lesions log exp(-h), or log(1 - exp(-h))."""
    track = Track((), (), -28.0, (112.0,))
    seen = np.zeros((2, 1, len(SEEN)))
    seen[:, 0, SEEN.index("death")] = [0.1, 0.5]
    seen[:, 0, SEEN.index("new")] = [0.2, 2.0]
    base = _case(Had())
    none, _, _ = weigh_case(replace(base, new_lesions=0), track, seen)
    some, _, _ = weigh_case(replace(base, new_lesions=2), track, seen)
    unknown, _, _ = weigh_case(base, track, seen)
    assert unknown == pytest.approx([-0.1, -0.5])
    assert none == pytest.approx([-0.3, -2.5])
    assert some == pytest.approx([-0.1 + np.log(1 - np.exp(-0.2)), -0.5 + np.log(1 - np.exp(-2.0))])


def test_sizes_on_treatment_find_who_they_came_from(study: Study) -> None:
    """Known truth: sums made of one virtual patient without error pull the twin's sums to them."""
    case = next(each for each in read_cases(study, NO_LABS) if isinstance(each, Case))
    rest = dict.fromkeys(("whole_drift", "viable_drift"), 0.0)
    with patch.object(twin_error, "read_setting", lambda name: rest.get(name, read_setting(name))):
        fitter = Fitter([case], Space([{}]), 1, 0)
        found = fit_cases(fitter, particles=40, seed=1)
    last = case.last_sum
    assert last is not None
    gap = []
    for cloud in (found.prior, found.posterior):
        kept = {name: value[0] for name, value in cloud.kept.items()}
        standing = Standing(kept["state"], kept["lesions"], kept["amounts"], kept["solved"])
        seen = follow_on(
            fitter,
            cloud.z[0],
            cloud.number[0],
            owner=np.zeros(40, dtype=np.int64),
            standing=standing,
            tracks=[Track((), (), case.day, (case.day, case.day + 1.0))],
            kept=kept,
            factors=[{}],
            draws=np.full((40, 8), np.inf),
        )
        gap.append(float(cloud.weights[0] @ np.abs(np.log(seen[:, 0, 0] / last.value))))
    assert gap[1] < gap[0]
    assert gap[1] < 0.12
