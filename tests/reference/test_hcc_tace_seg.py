"""Every released response call of HCC-TACE-Seg, from the released sums (doi:10.7937/TCIA.5FNA-0924)."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from random_studies import study_frames

from hccresist.assess import assess_study
from hccresist.study.study import Study

TACE_SEG = Path(__file__).parents[2].parent / "shared" / "data" / "hcc_tace_seg" / "reader_measurements.csv"
STAND_IN_DAY = 42.0


def tace_seg_study() -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """HCC-TACE-Seg as sums.

    Baseline is day 0; follow-up is interval_weeks × 7. Some intervals are missing or not positive
    in the release; there a stand-in of day 42 is used, which no response at a visit depends on.
    """
    calls = pl.read_csv(TACE_SEG).filter(pl.col("criterion").is_in(["RECIST", "mRECIST"]))
    calls = calls.with_columns(
        pl.col("reader").cast(pl.String),
        measure=pl.col("criterion").replace_strict({"RECIST": "longest", "mRECIST": "viable"}),
        day=pl.when(pl.col("interval_weeks") > 0)
        .then(pl.col("interval_weeks") * 7)
        .otherwise(STAND_IN_DAY)
        .round(3),
    )
    key = ("patient_id", "reader", "measure")
    rows = [
        dict(zip(key, (call[column] for column in key), strict=True)) | {"day": day, "sum": size}
        for call in calls.iter_rows(named=True)
        for day, size in ((0.0, call["baseline_sum_mm"]), (call["day"], call["followup_sum_mm"]))
    ]
    patients = [{"patient_id": name} for name in calls["patient_id"].unique()]
    return study_frames({"patients": patients, "sums": rows}), calls


@pytest.mark.skipif(not TACE_SEG.exists(), reason=f"{TACE_SEG} is not there")
@pytest.mark.parametrize(
    ("criterion", "published", "count"), [("recist11", "RECIST", 187), ("mrecist", "mRECIST", 187)]
)
def test_every_released_call_of_hcc_tace_seg_is_reproduced(
    criterion: str, published: str, count: int
) -> None:
    """HCC-TACE-Seg (doi:10.7937/TCIA.5FNA-0924): all calls of three readers, none left out."""
    tables, calls = tace_seg_study()
    ours = assess_study(Study(tables=tables)).tables["timepoints"].filter(criterion=criterion)
    theirs = calls.filter(criterion=published)
    both = theirs.join(ours, on=["patient_id", "reader"], how="left", validate="1:1")
    wrong = both.filter(pl.col("overall").ne_missing(pl.col("published_response")))
    assert wrong.is_empty(), wrong.select("patient_id", "reader", "published_response", "overall")
    assert both.height == count
