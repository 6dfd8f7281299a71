"""Responses that the authors of pharmaversesdtm derived from their lesions, derived anew from the lesions.

Source: ``shared/data/sdtm_onco`` (pharmaversesdtm, commit 530a5ea): ``rs_onco_recist`` was derived from
``tr_onco_recist`` by its authors: 48 responses of 6 hand-made subjects by 3 evaluators. Day 0 is TRTSDT
of ``admiral_adrs``, partial dates are read as the last day as there.

All 48 are reproduced with the policy ``visit_window_days`` = 5. Under its default of 14 days the three
readings of one visit (01-701-1015, ``2014-02`` read as 28 February) fall into one visit with those of
6 March; the authors go by visit numbers.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from hccresist.assess import assess_study
from hccresist.study.policies import Policies
from hccresist.study.sdtm import read_sdtm
from hccresist.study.study import Study

KEY = ["patient_id", "reader", "day"]


def read(shared_data: Path, folder: Path, **policies: object) -> Study:
    onco = shared_data / "sdtm_onco"
    for name in ("tu_onco_recist.csv", "tr_onco_recist.csv", "rs_onco_recist.csv"):
        shutil.copy(onco / name, folder / name)
    dates = pl.read_csv(onco / "admiral_adrs.csv", infer_schema=False)
    dates.select("USUBJID", RFSTDTC="TRTSDT").unique().write_csv(folder / "dm.csv")
    return read_sdtm(folder, policies=Policies.parse({"date_imputation": "last", **policies}))


def compare(study: Study) -> pl.DataFrame:
    """Return recorded and derived response of every scan."""
    derived = assess_study(study, criteria=["recist11"]).tables["timepoints"]
    recorded = study.tables["responses"].select(*KEY, pl.col("overall").cast(pl.String).alias("recorded"))
    return derived.select(*KEY, "overall").join(recorded, on=KEY, how="full", coalesce=True)


def test_all_48_responses_follow_from_the_lesions(shared_data, tmp_path):
    both = compare(read(shared_data, tmp_path, visit_window_days=5))
    assert both.height == 48
    assert both["overall"].to_list() == both["recorded"].to_list()
    assert set(both["recorded"].to_list()) == {"CR", "PR", "SD", "PD", "NON-CR/NON-PD", "NE"}


@pytest.mark.parametrize("reader", ["INVESTIGATOR", "RADIOLOGIST 1", "RADIOLOGIST 2"])
def test_the_default_visit_window_joins_one_visit_to_the_next(reader, shared_data, tmp_path):
    both = compare(read(shared_data, tmp_path)).filter(pl.col("reader") == reader)
    differ = both.filter(pl.col("overall").ne_missing(pl.col("recorded")))
    assert differ.select("patient_id", "day", "recorded", "overall").rows() == [
        ("01-701-1015", 57.0, "NE", None)
    ]
