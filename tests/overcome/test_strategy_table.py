"""Strategies of the base: read whole, with what they aim at, and every problem told at once."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import polars as pl
import pytest

from hccresist.errors import InputError
from hccresist.explain.genes import read_genes
from hccresist.explain.knowledge import read_base
from hccresist.overcome.strategy_score import read_weights
from hccresist.overcome.strategy_table import Target, name_kind, read_rows, read_strategies, split_cell
from hccresist.study.issues import IssueLog


def broken(**values: str):
    """The base with other values in the row of S01."""
    base = read_base()
    here = pl.col("strategy_id") == "S01"
    loose = base.strategies.with_columns(pl.col("line", "outcome").cast(pl.String))
    columns = [pl.when(here).then(pl.lit(v)).otherwise(pl.col(k)).alias(k) for k, v in values.items()]
    return replace(base, strategies=loose.with_columns(columns))


def test_the_base_has_at_least_a_hundred_strategies_negative_ones_too() -> None:
    """Issue 6: at least 100, with mechanism, stage, trial and result, negative ones too."""
    found = read_strategies()
    assert len(found) >= 100
    assert sum(s.outcome == "failed" for s in found) >= 10
    assert all(s.drugs and s.mechanism_id and s.stage and s.result and s.source for s in found)


def test_the_strategies_are_those_of_the_file_each_with_what_it_aims_at() -> None:
    known = set(read_base().strategies["strategy_id"])
    assert {s.strategy_id for s in read_strategies()} == known
    assert {row["strategy_id"] for row in read_rows("strategy_targets.csv")} == known


def test_targets_are_approved_symbols() -> None:
    genes = sorted({target.gene for s in read_strategies() for target in s.targets})
    resolved = read_genes().resolve(genes)
    assert resolved.filter(pl.col("how").cast(pl.String) != "approved")["given"].to_list() == []


def test_every_target_says_why_and_selected_is_a_word() -> None:
    for row in read_rows("strategy_targets.csv"):
        assert row["why"]
        assert row["selected"] in {"true", "false"}
        if row["selected"] == "true":
            assert row["targets"], row["strategy_id"]


def test_a_row_of_the_file_is_read_as_it_stands() -> None:
    """S01 of the base: gefitinib beside lenvatinib, NCT04642547, EGFR-high, after lenvatinib."""
    first = next(s for s in read_strategies() if s.strategy_id == "S01")
    assert first.drugs == ("lenvatinib", "gefitinib")
    assert first.targets == (Target("EGFR"),)
    assert (first.selected, first.after, first.trial_id) == (True, frozenset({"lenvatinib"}), "NCT04642547")
    assert (first.kind, first.outcome, first.line, first.counted) == ("prospective", "signal", "2L", True)


def test_a_loss_is_a_target_too() -> None:
    found = next(s for s in read_strategies() if s.strategy_id == "S18")
    assert found.targets == (Target("DUSP4", loss=True),)
    assert str(found.targets[0]) == "loss of DUSP4"


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("mechanism_id", "XXX-YYY", "unknown-mechanism"),
        ("drugs", "lenvatinib;unheardofmab", "unknown-drug"),
        ("contraindications", "child_pugh_z", "unknown-contraindication"),
        ("outcome", "won", "unknown-outcome"),
        ("line", "9L", "unknown-line"),
    ],
)
def test_a_value_that_is_not_known_is_told_with_its_place(column, value, code) -> None:
    log = IssueLog()
    found = read_strategies(broken(**{column: value}), log=log)
    assert [issue.code for issue in log] == [code]
    assert next(iter(log)).column == column
    assert "S01" not in {s.strategy_id for s in found}
    with pytest.raises(InputError):
        read_strategies(broken(**{column: value}))


def test_all_problems_of_a_row_are_told_at_once() -> None:
    log = IssueLog()
    read_strategies(broken(outcome="won", line="9L", drugs="unheardofmab"), log=log)
    assert {issue.code for issue in log} == {"unknown-outcome", "unknown-line", "unknown-drug"}


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        ("phase 3", "randomised"),
        ("phase 2-3", "randomised"),
        ("phase 2 randomised", "randomised"),
        ("meta-analysis of 4 RCTs", "randomised"),
        ("phase 1b", "prospective"),
        ("single-arm trial", "prospective"),
        ("pilot trial", "prospective"),
        ("retrospective cohort", "retrospective"),
        ("meta-analysis of cohorts", "retrospective"),
        ("organoid and in vivo", "preclinical"),
        ("in vitro", "preclinical"),
    ],
)
def test_a_stage_is_one_of_four_kinds(stage, kind) -> None:
    assert name_kind(stage) == kind


def test_cells_are_split_and_empty_parts_left_out() -> None:
    assert split_cell(" a; ;b;") == ("a", "b")
    assert split_cell(None) == ()


# The points: what the score promises, read from the file of points


def test_what_follows_clinical_evidence_never_adds_up_to_a_step_of_it() -> None:
    weigh = read_weights()
    steps = sorted(points for (part, _), points in weigh.points.items() if part == "clinical")
    step = min(b - a for a, b in pairwise(steps))
    span = 2 * weigh("match", "on") + weigh("preclinical", "for") - weigh("contradiction", "against")
    assert span + 2 * weigh("simulated", "clear") < step


def test_a_success_elsewhere_stays_below_a_signal_here() -> None:
    weigh = read_weights()
    elsewhere = weigh("clinical", "succeeded_randomised") * weigh("factor", "indirect")
    assert elsewhere < weigh("clinical", "signal_prospective")


def test_every_point_has_its_reason() -> None:
    assert all(row["reason"] for row in read_rows("score.csv"))
    assert all(row["reason"] and row["on"] in {"low", "unclear"} for row in read_rows("mechanism_signs.csv"))
    known = set(read_base().mechanisms["mechanism_id"])
    assert {row["mechanism_id"] for row in read_rows("mechanism_signs.csv")} <= known
