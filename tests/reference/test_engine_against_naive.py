"""The engine against an independent, naive implementation, on random patients.

The naive implementation (`naive.py`) was written from the page ``docs/explanation/response-engine.md``
and not from the engine. Every column of ``timepoints`` and ``best_response`` has to agree.
"""

from __future__ import annotations

import random
import re

import pytest
from compare import differences, one_patient, smallest, story
from random_studies import random_rows

from hccresist.study.policies import Policies

CHOICES: dict[str, list[object]] = {
    "visit_window_days": [0, 7, 14, 21],
    "baseline_window_start": [-42, -28, -14],
    "baseline_window_end": [0, 1, 7],
    "target_selection": ["recorded", "recorded", "rule"],
    "max_targets": [1, 2, 5],
    "max_targets_per_organ": [1, 2, 3],
    "min_target_mm": [10, 15, 20],
    "min_node_mm": [10, 15, 20],
    "tstm_value": [0, 3, 5, 10],
    "tstm_use_slice": [False, True],
    "pd_on_partial_sum": [True, False],
    "ne_updates_nadir": [False, True],
    "nadir_includes_baseline": [True, False],
    "continuing_pr": [True, False],
    "reappearance_rule": ["after_cr", "always", "never"],
    "nadir_zero": ["cr_rule", "progression"],
    "mrecist_5mm_floor": [False, True],
    "mrecist_new_lesion_mm": [0, 10, 20],
    "mrecist_hilar_node_mm": [10, 15, 20],
    "new_node_mm": [10, 15],
    "irecist_min_days": [0, 28, 42],
    "irecist_unconfirmed": ["event", "ignore"],
    "sd_min_days": [0, 42, 56],
    "sd_min_reference": ["start", "baseline"],
    "confirm_days": [0, 28, 56],
    "confirmation_window_max": [0, 60, 90],
    "max_ne": [0, 1, 3],
    "accept_one_sd": [False, True],
    "cr_then_pr": ["break", "table3", "pd"],
    "pd_date": ["first", "last"],
    "new_therapy": ["censor", "ignore"],
}


def random_policies(seed: int) -> Policies:
    """Every policy of the response rules at random."""
    dice = random.Random(seed)
    return Policies.parse({name: dice.choice(options) for name, options in CHOICES.items()})


def complain(rows: dict, policies: Policies, lines: list[str]) -> str:
    """The first patient that differs, made as small as possible, with both outputs."""
    patient = re.search(r"\['(P\d+)'", lines[0])[1]
    small = smallest(one_patient(rows, patient), policies)
    changed = {name: value for name, value in policies.values().items() if value != Policies().values()[name]}
    return f"{len(lines)} cells differ; policies {changed}; for example\n{story(small, policies)}"


@pytest.mark.slow
def test_ten_thousand_random_patients_agree_in_every_column() -> None:
    rows = random_rows(10_000, seed=20260101)
    lines = differences(rows, Policies())
    assert not lines, complain(rows, Policies(), lines)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_random_policies_agree_in_every_column(seed: int) -> None:
    policies = random_policies(seed)
    rows = random_rows(500, seed=1000 + seed)
    lines = differences(rows, policies)
    assert not lines, complain(rows, policies, lines)


def test_parts_of_a_split_new_lesion_are_added() -> None:
    """New target 20 mm splits into 12 and 15 mm: 27 mm, which confirms progression."""
    rows = one_patient({"patients": [{"patient_id": "P"}], "lesions": []}, "P")
    for name, role, sizes in (
        ("T", "target", {0: 50.0, 50: 50.0, 100: 50.0}),
        ("X", "new_target", {50: 20.0, 100: 12.0}),
        ("Xb", None, {100: 15.0}),
    ):
        for day, mm in sizes.items():
            own = {"patient_id": "P", "lesion_id": name, "day": float(day), "role": role}
            size = {"organ": "liver", "longest_mm": mm, "viable_mm": mm}
            part = {"split_from": "X"} if name == "Xb" else {}
            rows["lesions"].append(rows["lesions"][0] | own | size | part)
    assert not differences(rows, Policies())


def test_a_difference_is_found_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison itself can fail: a changed threshold in the naive side shows."""
    import naive_responses  # noqa: PLC0415

    monkeypatch.setattr(naive_responses, "response_continues", lambda earlier: False)
    rows = random_rows(300, seed=5)
    lines = differences(rows, Policies())
    assert lines
    assert "naive 'SD', engine 'PR'" in complain(rows, Policies(), lines)


def test_random_patients_hit_what_they_are_made_for() -> None:
    """Ties, exact thresholds, zeros, missing and not-evaluable rows are really there."""
    from compare import naive_tables  # noqa: PLC0415

    rows = random_rows(2_000, seed=3)
    timepoints = naive_tables(rows, Policies())["timepoints"].drop_nulls("sum_mm")
    total, baseline, nadir = (timepoints[name] for name in ("sum_mm", "baseline_mm", "nadir_mm"))
    assert (10 * total == 12 * nadir).sum() > 100
    assert (10 * total == 7 * baseline).sum() > 100
    assert (total - nadir == 5000).sum() > 50
    assert (nadir == 0).sum() > 100
    states = {row["state"] for row in rows["lesions"]}
    assert states >= {None, "absent", "too_small", "not_evaluable", "equivocal", "worsened", "merged"}
    assert any(row["split_from"] for row in rows["lesions"])
    assert len({row["reader"] for row in rows["lesions"]}) == 3
