"""What tissue says of handles."""

from __future__ import annotations

import re
from math import log
from pathlib import Path

import polars as pl
import pytest

from hccresist.overcome.model.parameters import read_handles
from hccresist.overcome.strategy_table import read_rows
from hccresist.overcome.twin_signs import read_alike, read_setting, read_signs

DOCS = Path(__file__).parents[2] / "docs"


def score(*rows: tuple[str, str, str, float | None]) -> pl.DataFrame:
    names = ["patient_id", "sample_id", "mechanism_id", "z"]
    made = pl.DataFrame(
        rows, schema=dict(zip(names, (pl.String,) * 3 + (pl.Float64,), strict=True)), orient="row"
    )
    return made.with_columns(method=pl.lit("reference_z"))


def call(*rows: tuple[str, str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["patient_id", "sample_id", "mechanism_id", "call"], orient="row")


def test_a_score_counts_by_the_standard_deviation() -> None:
    made = read_signs({"mechanism_scores": score(("A", "s", "SIG-RTK", 2.0))})
    assert made["A"].log_odds == {"bypass": pytest.approx(2 * log(read_setting("score_odds")))}


def test_low_t_cells_speak_for_exclusion() -> None:
    """`mechanism_signs.csv`: the sets of IMM-EXC count T cells, so that low means on."""
    made = read_signs({"mechanism_scores": score(("A", "s", "IMM-EXC", -1.0))})
    assert made["A"].log_odds["exclusion"] == pytest.approx(log(read_setting("score_odds")))


def test_no_score_tells_more_than_the_limit() -> None:
    made = read_signs({"mechanism_scores": score(("A", "s", "SIG-RTK", 40.0))})
    limit = read_setting("score_limit")
    assert made["A"].log_odds["bypass"] == pytest.approx(limit * log(read_setting("score_odds")))


def test_sets_and_samples_are_taken_together() -> None:
    rows = [("A", "s", "SIG-RTK", z) for z in (0.0, 1.0, 5.0)] + [("A", "t", "SIG-RTK", 2.0)]
    made = read_signs({"mechanism_scores": score(*rows)})
    assert made["A"].log_odds["bypass"] == pytest.approx(1.5 * log(read_setting("score_odds")))


def test_alterations_move_the_odds_either_way() -> None:
    made = read_signs(
        {
            "alteration_calls": call(
                ("A", "s", "GEN-CTNNB1", "altered"),
                ("B", "s", "GEN-CTNNB1", "not_altered"),
                ("C", "s", "GEN-CTNNB1", "not_measured"),
            )
        }
    )
    assert made["A"].log_odds == {"exclusion": pytest.approx(log(read_setting("altered_odds")))}
    assert made["B"].log_odds == {"exclusion": pytest.approx(log(read_setting("intact_odds")))}
    assert "C" not in made


def test_without_tissue_nothing_is_said() -> None:
    assert read_signs({}) == {}
    assert read_signs({"mechanism_scores": score(("A", "s", "SIG-RTK", None))}) == {}


def test_row_order_does_not_matter() -> None:
    rows = [("A", "s", "SIG-RTK", 1.0), ("A", "t", "IMM-EXC", 0.5), ("B", "u", "SIG-RTK", -1.0)]
    one, other = (read_signs({"mechanism_scores": score(*each)}) for each in (rows, rows[::-1]))
    assert one == other


def test_handles_of_the_data_files_are_handles_of_the_model() -> None:
    known = {handle.handle for handle in read_handles()}
    assert {name for group in read_alike() for name in group} <= known
    assert {row["handle"] for row in read_rows("twin_mechanisms.csv")} <= known


def test_every_setting_is_a_number_with_a_status_and_a_reason() -> None:
    for row in read_rows("twin.csv"):
        assert float(row["value"]) >= 0
        assert row["status"] in {"sourced", "derived", "assumption"}
        assert len(row["reason"]) > 10


def test_groups_that_look_alike_are_those_of_the_page_of_handles() -> None:
    """`docs/reference/handles.md` is made from the model and held to it by ./dev."""
    page = (DOCS / "reference" / "handles.md").read_text(encoding="utf-8")
    lines = re.findall(r"^- (`.*`): each not distinguishable", page, flags=re.MULTILINE)
    found = sorted(tuple(sorted(re.findall(r"`(\w+)`", line))) for line in lines)
    assert sorted(tuple(sorted(group)) for group in read_alike()) == found
