"""A simulated cohort as a study folder: read back, resumed, refused."""

import errno
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import hccresist as hr
from hccresist.assess.marker_panel import scores
from hccresist.errors import ComputationError, ConfigError
from hccresist.overcome import simulate as module
from hccresist.overcome.engine import Job, run_chunk
from hccresist.overcome.engines import find_engine
from hccresist.overcome.plan import Given, Procedure
from hccresist.overcome.reading import READING_SD
from hccresist.overcome.scans import (
    SEEN_MM,
    make_tables,
    make_trajectories,
    split_albi,
)
from hccresist.overcome.simulate import BESIDE, PARTS, Cohort, simulate
from hccresist.study.read import read_study

SCANS = (float("-inf"), 0.0, 56.0, 112.0, 168.0)


def make_job(**changes) -> Job:
    given = {"given": (Given("nivolumab"),), "visits": SCANS, "until": 168.0, "mixed": True, "seed": 5}
    return Job(**(given | changes))


@pytest.fixture(scope="module")
def job() -> Job:
    return make_job()


@pytest.fixture(scope="module")
def result(job):
    return run_chunk(job, 0, 60)


@pytest.fixture(scope="module")
def cohort(job) -> Cohort:
    return Cohort(job, 24, SCANS, arm="nivolumab", trajectories=3, chunk=10)


@pytest.fixture(scope="module")
def folder(cohort, tmp_path_factory):
    out = tmp_path_factory.mktemp("simulated") / "cohort"
    simulate(cohort, out)
    return out


def test_the_folder_is_a_study(folder) -> None:
    study = read_study(folder)
    assert study.config.simulated
    assert study.patients.height == 24
    assert set(study.tables) >= {"patients", "lesions", "labs", "survival", "treatments", "visits"}
    assert not (folder / PARTS).exists()
    assert hr.assess_study(study).tables["best_response"].height > 0


def test_the_first_scan_lies_before_treatment(folder) -> None:
    days = pl.read_csv(folder / "visits.csv")["day"]
    assert days.min() == pytest.approx(-42, abs=14)
    assert (days == 0).sum() == 24


def test_chunks_do_not_matter(cohort, folder, tmp_path) -> None:

    simulate(replace(cohort, chunk=24), tmp_path / "whole")
    for name in ("lesions.csv", "labs.csv", "survival.csv", "patients.csv", f"{BESIDE}/trajectories.parquet"):
        if name.endswith("csv"):
            assert (tmp_path / "whole" / name).read_bytes() == (folder / name).read_bytes()
        else:
            assert pl.read_parquet(tmp_path / "whole" / name).equals(pl.read_parquet(folder / name))


def test_an_interrupted_run_goes_on(cohort, folder, tmp_path) -> None:
    out, engine = tmp_path / "cohort", find_engine("cpu", cohort.job)

    def stop_after_one(ranges):
        yield from list(engine(ranges[:1]))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(cohort, out, run=stop_after_one)
    asked = []

    def count(ranges):
        asked.extend(ranges)
        return engine(ranges)

    done = simulate(cohort, out, run=count)
    assert done.resumed == 10
    assert asked == [(10, 20), (20, 24)]
    assert (out / "lesions.csv").read_bytes() == (folder / "lesions.csv").read_bytes()


def test_other_options_do_not_go_on_with_an_interrupted_run(cohort, tmp_path) -> None:

    def stop(ranges):
        raise KeyboardInterrupt
        yield ranges

    with pytest.raises(KeyboardInterrupt):
        simulate(cohort, tmp_path / "cohort", run=stop)
    with pytest.raises(ConfigError, match="other options"):
        simulate(replace(cohort, error=False), tmp_path / "cohort")


def test_a_full_disk_loses_nothing_that_was_finished(cohort, tmp_path, monkeypatch) -> None:
    write, calls = module._write_part, []

    def fill(*given):
        calls.append(given)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(*given)

    monkeypatch.setattr(module, "_write_part", fill)
    with pytest.raises(ComputationError, match="disk is full: 10 of 24"):
        simulate(cohort, tmp_path / "cohort")
    monkeypatch.undo()
    assert simulate(cohort, tmp_path / "cohort").resumed == 10


def test_a_folder_with_something_in_it_is_refused(cohort, tmp_path) -> None:
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        simulate(cohort, tmp_path / "cohort")


def test_what_was_simulated_is_kept(folder) -> None:
    told = json.loads((folder / BESIDE / "simulation.json").read_text())
    assert told["job"]["given"][0]["regimen"] == "nivolumab"
    assert told["count"] == 24


def test_readings_have_the_stated_error(job, result) -> None:
    exact = make_tables(result, job, scans=SCANS, error=False)["lesions"]
    read = make_tables(result, job, scans=SCANS)["lesions"]
    both = exact.join(read, on=["patient_id", "lesion_id", "day"], suffix="_read").drop_nulls("longest_mm")
    error = np.log((both["longest_mm_read"] / both["longest_mm"]).to_numpy())
    half, most = np.quantile(np.abs(error), [0.5, 0.9])  # Student's t, 3 degrees of freedom: 0.765, 2.353
    scale = READING_SD / 3**0.5
    assert half == pytest.approx(0.765 * scale, rel=0.1)
    assert most == pytest.approx(2.353 * scale, rel=0.1)
    assert abs(error.mean()) < 0.01


def test_lesions_are_called_what_a_clinic_calls_them(job, result) -> None:
    lesions = make_tables(result, job, scans=SCANS, error=False)["lesions"]
    targets = lesions.filter((pl.col("day") == 0) & (pl.col("role") == "target"))
    per_organ = targets.group_by("patient_id", "organ").len()["len"]
    assert per_organ.max() <= 2
    assert targets.group_by("patient_id").len()["len"].max() <= 5
    new = lesions.filter(pl.col("role") == "new_target")
    assert (new["day"] > 0).all()
    first = new.filter(pl.col("day") == pl.col("day").min().over("patient_id", "lesion_id"))
    assert (first["longest_mm"].drop_nulls() >= SEEN_MM).all()
    assert (
        lesions.filter(pl.col("organ") != "liver")["viable_mm"].null_count()
        == lesions.filter(pl.col("organ") != "liver").height
    )
    inside = lesions.drop_nulls("viable_mm")
    assert (inside["viable_mm"] <= inside["longest_mm"]).all()


def test_nobody_is_scanned_after_death_or_dropout(job, result) -> None:
    tables = make_tables(result, job, scans=SCANS)
    last = tables["visits"].group_by("patient_id").agg(pl.col("day").max())
    both = last.join(tables["survival"], on="patient_id")
    assert (both["day"] <= both["os_days"] + 0.05).all()
    died = tables["survival"].filter("died")
    assert 0 < died.height < 60


def test_albi_is_that_of_the_labs() -> None:
    """The score of the labs by the assess room's own function."""
    liver = np.array([0.95, 0.7, 0.4])
    albi = np.array([-3.05, -2.3, -1.4])
    albumin, bilirubin = split_albi(albi, liver)
    for i in range(3):
        assert scores.albi_score(bilirubin[i], albumin[i]) == pytest.approx(albi[i], abs=1e-9)


def test_trajectories_hold_every_quantity(result) -> None:
    rows = make_trajectories(result)
    assert rows.columns == ["patient_id", "lesion_id", "day", "quantity", "value", "unit"]
    assert rows["value"].is_finite().all()
    assert {"whole_mm", "viable_mm", "tumour_share", "albi", "effector"} <= set(rows["quantity"])


def test_a_procedure_is_in_the_tables_and_acts() -> None:
    job = make_job(given=(), procedures=(Procedure("tace", 14.0),), mixed=False)
    plain = make_job(given=(), mixed=False)
    treated, control = run_chunk(job, 0, 20), run_chunk(plain, 0, 20)
    tables = make_tables(treated, job, scans=SCANS)
    assert set(tables["procedures"]["kind"]) == {"tace"}
    day = 2
    with np.errstate(invalid="ignore"):
        less = treated.output("viable_mm", slot=0)[:, day] < control.output("viable_mm", slot=0)[:, day]
    assert less[np.isfinite(control.output("viable_mm", slot=0)[:, day])].all()


def test_engines_that_are_not_there_say_so(job) -> None:
    with pytest.raises(ConfigError, match="cpu, cuda or dask"):
        find_engine("gpu", job)
