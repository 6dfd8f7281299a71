"""Properties that hold for every patient, tried on random ones."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from random_studies import random_rows, study_frames

from hccresist.assess import assess_study
from hccresist.assess.results import RESULTS
from hccresist.study.study import Study
from hccresist.study.tables import SCHEMAS

PATIENTS = 40
ORDER = {"CR": 0, "PR": 1, "SD": 2, "NON-CR/NON-PD": 3, "NED": 3, "NE": 4, "PD": 5}
RESPONSES = ("timepoints", "best_response", "baselines")
KEY = ["patient_id", "reader", "criterion"]
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=8, deadline=None, derandomize=True)


def assess(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Assess tables under the default policies: the three tables of responses."""
    results = assess_study(Study(tables=tables), criteria=("recist11", "mrecist", "irecist")).tables
    return {name: results[name] for name in RESPONSES}


@few
@given(seeds)
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    frames = study_frames(random_rows(PATIENTS, seed=seed))
    shuffled = {name: frame.sample(fraction=1, shuffle=True, seed=seed) for name, frame in frames.items()}
    expected = assess(frames)
    for name, table in assess(shuffled).items():
        assert_frame_equal(table, expected[name])


@few
@given(seeds)
def test_the_same_input_gives_the_same_output_sorted_by_key(seed: int) -> None:
    frames = study_frames(random_rows(PATIENTS, seed=seed))
    first, second = assess(frames), assess(frames)
    for name, table in first.items():
        assert_frame_equal(table, second[name])
        key = [*KEY, "day"] if name == "timepoints" else KEY
        assert_frame_equal(table, table.sort(key))
        assert not table.select(key).is_duplicated().any()


@few
@given(seeds)
def test_a_patient_is_not_changed_by_the_others(seed: int) -> None:
    rows = random_rows(PATIENTS, seed=seed)
    frames = study_frames(rows)
    some = [row["patient_id"] for row in rows["patients"][::3]]
    # A patient without any row is told for each reader of the study: so only those with rows are asked.
    some = [
        name for name in some if any(r["patient_id"] == name for t in ("lesions", "sums") for r in rows[t])
    ]
    mine = pl.col("patient_id").is_in(some)
    alone = assess({name: frame.filter(mine) for name, frame in frames.items()})
    for name, table in assess(frames).items():
        ours = alone[name]
        there = pl.col("criterion").is_in(ours["criterion"].unique().to_list())
        assert_frame_equal(ours, table.filter(mine & there))


@few
@given(seeds)
def test_nothing_divides_by_a_zero_nadir(seed: int) -> None:
    timepoints = assess(study_frames(random_rows(PATIENTS, seed=seed)))["timepoints"]
    percent = timepoints["change_from_nadir_percent"].drop_nulls()
    assert percent.is_finite().all()
    assert timepoints["change_from_baseline_percent"].drop_nulls().is_finite().all()
    assert timepoints.filter(nadir_mm=0)["change_from_nadir_percent"].is_null().all()


def plain_lesion(patient: str, name: str, day: float, mm: float) -> dict:
    """A liver target, all of it viable."""
    row = dict.fromkeys(SCHEMAS["lesions"].column_names())
    row |= {"patient_id": patient, "reader": "", "lesion_id": name, "day": day, "role": "target"}
    return row | {"organ": "liver", "longest_mm": mm, "viable_mm": mm}


@few
@given(
    st.lists(
        st.tuples(st.integers(50, 99), st.lists(st.integers(50, 99), min_size=1, max_size=5)), max_size=20
    )
)
def test_scaling_all_diameters_leaves_percentages_and_categories(
    series: list[tuple[int, list[int]]],
) -> None:
    """Ten times the size: equal percentages, and equal categories for RECIST 1.1 and mRECIST.

    From 50 mm on the 5 mm floor never decides. Below, categories may change by right: 5, 10 and 15 mm are
    absolute in RECIST 1.1, and so are the 5 mm by which iRECIST confirms.
    """
    results = []
    for factor in (1, 10):
        rows = [
            plain_lesion(f"P{i:02d}", "T", 42.0 * visit, float(factor * mm))
            for i, (first, later) in enumerate(series)
            for visit, mm in enumerate((first, *later))
        ]
        patients = [{"patient_id": f"P{i:02d}"} for i in range(len(series))]
        results.append(assess(study_frames({"patients": patients, "lesions": rows})))
    one, ten = results
    percentages = ["patient_id", "criterion", "day", "^change_.*$"]
    assert_frame_equal(
        one["timepoints"].select(percentages), ten["timepoints"].select(percentages), rel_tol=1e-12
    )
    plain = pl.col("criterion") != "irecist"
    words = [*KEY, "day", "target", "overall"]
    assert_frame_equal(
        one["timepoints"].filter(plain).select(words), ten["timepoints"].filter(plain).select(words)
    )
    assert_frame_equal(one["best_response"].filter(plain), ten["best_response"].filter(plain))


def with_new_lesion(rows: dict[str, list[dict]], seed: int) -> dict[str, list[dict]]:
    """The same patients with a proven new liver lesion, present at each scan from one of them on."""
    more = list(rows["lesions"])
    scans: dict[tuple[str, str], set[float]] = {}
    for table in ("lesions", "sums", "visits"):
        for row in rows[table]:
            scans.setdefault((row["patient_id"], row["reader"]), set()).add(row["day"])
    roles = {(row["patient_id"], row["reader"]): None for row in rows["lesions"]}
    roles |= {(row["patient_id"], row["reader"]): 1 for row in rows["lesions"] if row["role"]}
    for i, ((patient, reader), days) in enumerate(sorted(scans.items())):
        later = sorted(day for day in days if day > 7)
        for day in later[(seed + i) % max(1, len(later)) :]:
            row = dict.fromkeys(SCHEMAS["lesions"].column_names())
            row |= {"patient_id": patient, "reader": reader, "lesion_id": "new", "day": day}
            role = "new_target" if roles.get((patient, reader), 1) else None
            row |= {"role": role, "organ": "liver", "longest_mm": 30.0, "viable_mm": 30.0}
            more.append(row | {"state": "present", "washout": True})
    return rows | {"lesions": more}


@few
@given(seeds)
def test_a_new_lesion_never_improves_a_response(seed: int) -> None:
    """At no visit, and not the best response, confirmed or not (RECIST 1.1 and mRECIST).

    The lesion stays, so every visit from the first that shows it is PD. For iRECIST a new lesion opens a
    block of its own; there the property is that the first visit that shows it is iUPD or iCPD.
    """
    rows = random_rows(PATIENTS, seed=seed)
    before, after = assess(study_frames(rows)), assess(study_frames(with_new_lesion(rows, seed)))
    visits = after["timepoints"].join(
        before["timepoints"], on=[*KEY, "day"], suffix="_before", validate="1:1"
    )
    best = after["best_response"].join(before["best_response"], on=KEY, suffix="_before", validate="1:1")
    assert visits.height == before["timepoints"].height
    plain = pl.col("criterion") != "irecist"
    for table, column in ((visits, "overall"), (best, "best"), (best, "best_confirmed")):
        ranks = table.filter(plain).select(
            now=pl.col(column).replace_strict(ORDER), old=pl.col(f"{column}_before").replace_strict(ORDER)
        )
        assert (ranks["now"] >= ranks["old"]).all()
    seen = visits.filter(~plain, "new_lesion", ~pl.col("new_lesion_before"))
    first = seen.filter(pl.col("day") == pl.col("day").min().over("patient_id", "reader"))
    fresh = first.join(
        before["timepoints"].filter("new_lesion").select("patient_id", "reader"),
        on=["patient_id", "reader"],
        how="anti",
    )
    assert set(fresh["overall"]) <= {"iUPD", "iCPD"}


def test_a_study_without_patients_and_one_without_rows() -> None:
    for patients in ([], [{"patient_id": "P"}]):
        for frames in (
            study_frames({"patients": patients}),
            study_frames({"patients": patients, "lesions": []}),
        ):
            result = assess_study(Study(tables=frames))
            assert set(result.skipped) == {"recist11", "mrecist", "irecist"}
            for name in ("timepoints", "best_response", "baselines"):
                assert result.tables[name].is_empty()
                assert result.tables[name].columns == RESULTS[name].column_names()


@pytest.mark.parametrize("followup", [None, 20.0])
def test_one_patient(followup: float | None) -> None:
    rows = [plain_lesion("P", "T", 0.0, 30.0)]
    if followup is not None:
        rows.append(plain_lesion("P", "T", 60.0, followup))
    tables = assess(study_frames({"patients": [{"patient_id": "P"}], "lesions": rows}))
    best = tables["best_response"].filter(criterion="recist11").row(0, named=True)
    assert tables["timepoints"].height == (0 if followup is None else 3)
    assert (best["best"], best["best_day"]) == (("NE", None) if followup is None else ("PR", 60.0))
    if followup is not None:
        change = tables["timepoints"].filter(criterion="recist11")["change_from_baseline_percent"][0]
        assert math.isclose(change, -100 / 3)
