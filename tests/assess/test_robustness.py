"""Margins by hand, probabilities against simulation, figures against the data they come from."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hccresist.assess import CRITERIA, assess_study
from hccresist.assess.robustness import derive_robustness, error_figures, probabilities
from hccresist.study.frames import study_from_frames

TACE = Path(__file__).parents[2].parent / "shared" / "data" / "hcc_tace_seg" / "reader_measurements.csv"
RECIST = CRITERIA["recist11"]


def robust(sizes, **tables):
    """Return the rows of one patient; `sizes` is lesion to a size at days −3, 56, 112 …"""
    days = [-3.0, 56.0, 112.0]
    rows = [
        ("P1", name, day, size)
        for name, values in sizes.items()
        for day, size in zip(days, values, strict=False)
    ]
    study = study_from_frames(
        patients=pl.DataFrame({"patient_id": ["P1"]}),
        lesions=pl.DataFrame(
            rows, schema=["patient_id", "lesion_id", "day", "longest_mm"], orient="row"
        ).with_columns(role=pl.lit("target"), organ=pl.lit("liver")),
        **tables,
    )
    found = assess_study(study, criteria=["recist11"]).tables
    return derive_robustness(
        study, timepoints=found["timepoints"], baselines=found["baselines"], criteria=["recist11"]
    )


@pytest.mark.parametrize(
    ("now", "margin", "toward"),
    [
        (72.0, 2.0, "PR"),  # 0.7 · 100 = 70
        (118.0, 2.0, "PD"),  # 1.2 · 100 = 120
        (65.0, 5.0, "SD"),
        (4.0, 4.0, "CR"),
        (123.0, 3.0, "SD"),
    ],
)
def test_margin_is_the_way_to_the_nearest_limit(now, margin, toward):
    row = robust({"T1": [100.0, now]}).row(0, named=True)
    assert row["margin_mm"] == pytest.approx(margin)
    assert row["toward"] == toward


def test_the_five_millimetre_floor_moves_the_limit():
    # +20 % of 20 mm is 24 mm, but progression needs 25 mm
    row = robust({"T1": [20.0, 23.0]}).row(0, named=True)
    assert (row["margin_mm"], row["toward"]) == (pytest.approx(2.0), "PD")


@pytest.mark.parametrize("shared", [True, False])
def test_probabilities_are_those_of_simulated_readings(shared):
    total, base, nadir, sd = 62.0, 90.0, 90.0 if shared else 55.0, 0.08
    rng = np.random.default_rng(11)
    now = total * np.exp(sd * rng.standard_normal(400_000))
    start = base * np.exp(sd * rng.standard_normal(400_000))
    low = start if shared else nadir * np.exp(sd * rng.standard_normal(400_000))
    grown = (now >= 1.2 * low) & (now - low >= 5)
    shrunk = ~grown & (now <= 0.7 * start)
    one = {"sd": np.array([sd]), "criterion": RECIST, "floor_mm": 5.0}
    p = probabilities(np.array([total]), np.array([base]), np.array([nadir]), **one)
    assert p["PD"][0] == pytest.approx(grown.mean(), abs=3e-3)
    assert p["PR"][0] == pytest.approx(shrunk.mean(), abs=3e-3)


def test_probabilities_sum_to_one_and_the_verdict_on_a_limit_is_a_toss():
    table = robust({"T1": [100.0, 70.0]})
    shares = table.select(pl.sum_horizontal("p_CR", "p_PR", "p_SD", "p_PD")).to_series()
    assert shares.to_list() == pytest.approx([1.0, 1.0])
    assert table["p_PR"].to_list() == pytest.approx([0.5, 0.5], abs=0.05)


def test_a_new_lesion_is_not_a_matter_of_millimetres():
    visits = pl.DataFrame({"patient_id": ["P1"], "day": [56.0], "new_lesion": [True]})
    row = robust({"T1": [100.0, 60.0]}, visits=visits).row(0, named=True)
    assert (row["overall"], row["p_PD"], row["margin_mm"]) == ("PD", 1.0, None)


def test_dropping_the_one_target_that_shrank_flips_the_verdict():
    table = robust({"T1": [80.0, 20.0], "T2": [40.0, 40.0]})
    assert table["flips_without"].unique().to_list() == ["1"]
    assert robust({"T1": [80.0, 20.0]})["flips_without"].unique().to_list() == [None]


def test_flags_name_a_change_of_modality_and_a_local_treatment():
    visits = pl.DataFrame({"patient_id": ["P1"] * 2, "day": [-3.0, 56.0], "modality": ["ct", "mri"]})
    procedures = pl.DataFrame({"patient_id": ["P1"], "day": [20.0], "kind": ["tace"]})
    row = robust({"T1": [100.0, 60.0]}, visits=visits, procedures=procedures).row(0, named=True)
    assert row["flags"] == "modality changed from ct to mri; tace on day 20 since baseline"


@pytest.mark.parametrize(("criterion", "measure"), [("RECIST", "longest"), ("mRECIST", "viable")])
def test_the_spread_between_readers_is_that_of_hcc_tace_seg(criterion, measure):
    if not TACE.exists():
        pytest.skip(f"{TACE} is not here")
    rows = pl.read_csv(TACE).filter(
        pl.col("criterion") == criterion, pl.col("baseline_sum_mm") > 0, pl.col("followup_sum_mm") > 0
    )
    ratios = {}
    for patient, before, after in rows.select("patient_id", "baseline_sum_mm", "followup_sum_mm").iter_rows():
        ratios.setdefault(patient, []).append(np.log(after / before))
    several = [np.array(values) for values in ratios.values() if len(values) > 1]
    squares = sum(((values - values.mean()) ** 2).sum() for values in several)
    pooled = np.sqrt(squares / sum(len(values) - 1 for values in several))
    figure = error_figures().filter(pl.col("error_model") == "between_readers", pl.col("measure") == measure)
    assert figure["value"].item() == pytest.approx(pooled, abs=5e-5)
    assert figure["n"].item() == len(several)


def test_the_calliper_error_follows_from_the_printed_limits():
    # Yoon 2016: one lesion −17.8 to +16.1 %, a sum −9.8 to +13.1 %, of the difference of two readings
    figures = error_figures().filter(pl.col("error_model") == "one_reader", pl.col("measure") == "longest")
    by_count = dict(zip(figures["lesions"], figures["value"], strict=True))
    assert by_count["one"] == pytest.approx((16.1 + 17.8) / 100 / (2 * 1.96) / np.sqrt(2), abs=5e-4)
    assert by_count["several"] == pytest.approx((13.1 + 9.8) / 100 / (2 * 1.96) / np.sqrt(2), abs=5e-4)
