"""The page on criteria: every criterion is there, and its trial numbers are those of the shared table."""

import re
from pathlib import Path

import polars as pl
import pytest

from hccresist.assess import CRITERIA

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "criteria.md").read_text(encoding="utf-8")
TRIALS = ROOT.parent / "shared" / "data" / "trials" / "endpoints_long.csv"
ARMS = {
    "REFLECT, lenvatinib": "REFLECT_lenvatinib",
    "REFLECT, sorafenib": "REFLECT_sorafenib",
    "RESORCE, regorafenib": "RESORCE_regorafenib",
    "RESORCE, placebo": "RESORCE_placebo",
    "LAUNCH, lenvatinib + TACE": "LAUNCH_lentace",
    "LAUNCH, lenvatinib": "LAUNCH_len",
    "IMbrave150, atezolizumab + bevacizumab": "IMb150_atezobev",
    "IMbrave150, sorafenib": "IMb150_sorafenib",
}


@pytest.mark.parametrize("name", CRITERIA)
def test_every_criterion_is_on_the_page(name):
    shown = CRITERIA[name].title.split(" (")[0] if name in ("recist11", "mrecist", "irecist") else f"`{name}`"
    assert shown in PAGE


@pytest.mark.skipif(not TRIALS.exists(), reason="shared/data/trials is not here")
@pytest.mark.parametrize("label", ARMS)
def test_rates_are_those_of_the_shared_table(label):
    line = next(row for row in PAGE.splitlines() if re.match(rf"\| {re.escape(label)}( \(n|\s*\|)", row))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    rows = pl.read_csv(TRIALS, infer_schema_length=0).filter(
        pl.col("arm_id") == ARMS[label], pl.col("endpoint") == "ORR", pl.col("verified") == "true"
    )
    for cell, criterion in ((cells[1], "RECIST 1.1"), (cells[2], "mRECIST")):
        value = float(cell.split()[0])
        of = rows.filter(pl.col("criterion") == criterion, pl.col("value").cast(pl.Float64) == value)
        assert of.height == 1, (label, criterion, value)
        size = re.search(r"n = (\d+)", cell) or re.search(r"n = (\d+)", cells[0])
        assert size is not None
        assert of["n"][0] == size.group(1)
        if cells[3] in ("independent", "investigators"):
            assert of["assessor"][0] in ("independent", "IRF", "investigator")
