"""The score and its order: parts add up, and no failed trial stands above one that succeeded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hccresist.overcome.strategy_evidence import Heard, Support, weigh_sources
from hccresist.overcome.strategy_match import Match
from hccresist.overcome.strategy_patients import Situation
from hccresist.overcome.strategy_rank import (
    Fit,
    Gain,
    Scored,
    cap_failures,
    fit_evidence,
    score_strategy,
    share_line,
    sort_scored,
)
from hccresist.overcome.strategy_score import Parts, average_parts, read_weights
from hccresist.overcome.strategy_table import read_strategies

ANY = next(s for s in read_strategies() if s.strategy_id == "S01")
NAIVE = Situation(patient_id="P", had_classes={}, next_line=1, recorded={})
LENVATINIB = replace(NAIVE, next_line=2, had=("lenvatinib",), covered=frozenset({"lenvatinib"}))
FULL = Fit(factor=1.0, reasons=())
NONE = Support(pro=(), contra=())
ON = Match(found=0.5, how="own_target")

points = st.floats(-200, 500, allow_nan=False).map(lambda x: round(x, 1))
outcomes = st.sampled_from(["succeeded", "failed", "signal", "preclinical", "ongoing", "withdrawn", ""])
mechanisms = st.sets(st.sampled_from(["SIG-RTK", "TME-ANG", "IMM-EXC"]), min_size=1).map(frozenset)


@st.composite
def lists(draw) -> list[Scored]:
    """Strategies with any outcome, line, mechanisms and score."""
    n = draw(st.integers(1, 8))
    return [
        Scored(
            strategy=replace(
                ANY,
                strategy_id=f"S{at:02d}",
                outcome=draw(outcomes),
                line=draw(st.sampled_from(["1L", "2L", "any"])),
                mechanisms=draw(mechanisms),
            ),
            parts=Parts(clinical=draw(points), match=draw(points), contradiction=draw(points)),
            found=draw(st.booleans()),
        )
        for at in range(n)
    ]


def rivals(failed: Scored, won: Scored) -> bool:
    """The issue: the same mechanism and line."""
    one, other = failed.strategy, won.strategy
    lines = one.line == other.line or "any" in {one.line, other.line}
    return (
        (one.outcome, other.outcome) == ("failed", "succeeded")
        and bool(one.mechanisms & other.mechanisms)
        and lines
    )


@given(lists())
def test_a_failed_trial_never_ranks_above_a_success_for_the_same_mechanism_and_line(scored) -> None:
    """Issue 6, done when 4."""
    order = sort_scored(cap_failures(scored))
    for place, above in enumerate(order):
        for below in order[place + 1 :]:
            assert not rivals(above, below)


@given(lists())
def test_nor_does_its_score_and_the_row_says_below_what(scored) -> None:
    before = {one.strategy.strategy_id: one.parts.score for one in scored}
    capped = {one.strategy.strategy_id: one for one in cap_failures(scored)}
    for one in capped.values():
        others = [won for won in capped.values() if rivals(one, won)]
        assert all(one.parts.score < won.parts.score for won in others)
        if one.parts.cap:
            assert one.below in {won.strategy.strategy_id for won in others}
            assert one.parts.score < before[one.strategy.strategy_id]
        else:
            assert one.parts.score == before[one.strategy.strategy_id]
            assert one.below == ""


@given(lists())
def test_only_failures_are_capped_and_nothing_is_lost(scored) -> None:
    capped = cap_failures(scored)
    assert [one.strategy.strategy_id for one in capped] == [one.strategy.strategy_id for one in scored]
    assert all(one.parts.cap == 0 for one in capped if one.strategy.outcome != "failed")
    assert len(sort_scored(capped)) == len(scored)


@given(lists(), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_the_order_given(scored, random) -> None:
    turned = list(scored)
    random.shuffle(turned)
    keys = [one.strategy.strategy_id for one in sort_scored(cap_failures(scored))]
    assert [one.strategy.strategy_id for one in sort_scored(cap_failures(turned))] == keys


def test_a_line_is_shared_with_itself_and_with_any() -> None:
    first, later, either = (replace(ANY, line=line) for line in ("1L", "2L", "any"))
    assert share_line(first, first)
    assert share_line(first, either)
    assert not share_line(first, later)


def test_what_addresses_something_on_comes_before_the_rest_and_failures_last() -> None:
    def one(key: str, score: float, *, found: bool, outcome: str = "signal") -> Scored:
        return Scored(
            strategy=replace(ANY, strategy_id=key, outcome=outcome), parts=Parts(clinical=score), found=found
        )

    rows = [
        one("A", 400, found=False),
        one("B", 10, found=True),
        one("C", 500, found=True, outcome="failed"),
        one("D", 20, found=True),
    ]
    assert [row.strategy.strategy_id for row in sort_scored(rows)] == ["D", "B", "A", "C"]


# How far clinical evidence applies


@pytest.mark.parametrize(
    ("changes", "situation", "match", "looked", "factor", "reasons"),
    [
        ({}, LENVATINIB, ON, True, 1.0, ()),
        ({"line": "1L"}, LENVATINIB, ON, True, 0.4, ("line_other",)),
        ({"line": "any"}, LENVATINIB, ON, True, 0.7, ("line_unknown",)),
        ({"after": frozenset({"sorafenib"})}, LENVATINIB, ON, True, 0.4, ("after_other",)),
        ({}, replace(LENVATINIB, next_line=None), ON, True, 0.49, ("line_unknown", "after_unknown")),
        ({}, LENVATINIB, Match(found=0.5, how="mechanism"), True, 0.0, ("not_selected",)),
        ({}, LENVATINIB, Match(), False, 0.4, ("selection_unknown",)),
        ({"selected": False}, LENVATINIB, Match(), True, 0.4, ("not_addressed",)),
        ({"selected": False}, LENVATINIB, Match(), False, 0.7, ("address_unknown",)),
        (
            {"selected": False, "targets": (), "mechanisms": frozenset({"CMB-LRT"})},
            LENVATINIB,
            Match(),
            True,
            0.7,
            ("aims_at_nothing",),
        ),
        ({"counted": False}, LENVATINIB, ON, True, 0.5, ("unverified",)),
        ({"drugs": ("lenvatinib",)}, LENVATINIB, ON, True, 0.0, ("all_given",)),
        ({"line": "1L", "after": frozenset()}, NAIVE, ON, True, 1.0, ()),
    ],
)
def test_evidence_counts_as_far_as_it_applies(changes, situation, match, *, looked, factor, reasons) -> None:
    """By the factors of score.csv: direct 1, unknown 0.7, indirect 0.4, unverified 0.5, multiplied."""
    fit = fit_evidence(replace(ANY, **changes), situation, match, looked=looked)
    assert fit.factor == pytest.approx(factor)
    assert fit.reasons == reasons


def test_a_class_of_drugs_covers_a_drug_that_was_given() -> None:
    after = replace(ANY, after=frozenset({"ICI (class)"}))
    had = replace(LENVATINIB, had=("nivolumab",), covered=frozenset({"nivolumab", "ICI (class)"}))
    assert fit_evidence(after, had, ON, looked=True).reasons == ()


# The parts


@pytest.mark.parametrize(
    ("outcome", "kind", "clinical"),
    [
        ("succeeded", "randomised", 400),
        ("succeeded", "prospective", 300),
        ("signal", "prospective", 200),
        ("signal", "retrospective", 100),
        ("preclinical", "preclinical", 0),
        ("ongoing", "randomised", 0),
        ("withdrawn", "randomised", 0),
        ("failed", "randomised", 0),
    ],
)
def test_clinical_evidence_goes_in_steps(outcome, kind, clinical) -> None:
    parts = score_strategy(replace(ANY, outcome=outcome, kind=kind), Match(), NONE, fit=FULL)
    assert parts.clinical == clinical
    assert parts.contradiction == (-100 if outcome == "failed" else 0)


def test_a_failure_elsewhere_is_a_failure_still() -> None:
    failed = replace(ANY, outcome="failed")
    parts = score_strategy(failed, Match(), NONE, fit=Fit(factor=0.0, reasons=("not_selected",)))
    assert parts.contradiction == -40


def test_the_parts_add_up() -> None:
    """By hand: 200 + 20 * (0.5 - 0.1) + 15 * (1 - 0.5) - 15 * (1 - 0.5**0.5) + 2."""
    support = Support(
        pro=(Heard("HDR1", "PMID:1", "clinical_trial"),), contra=(Heard("HDR2", "PMID:2", "in_vivo"),)
    )
    gain = Gain(value=1.0, low=0.5, high=2.0, measure="months")
    match = Match(found=0.5, how="own_target", resisted=0.1)
    parts = score_strategy(ANY, match, support, fit=FULL, gain=gain)
    assert parts.record() == {
        "clinical": 200.0,
        "match": 8.0,
        "preclinical": 7.5,
        "contradiction": -4.4,
        "simulated": 2.0,
        "cap": 0.0,
    }
    assert parts.score == pytest.approx(213.1)


@pytest.mark.parametrize(
    ("gain", "points"),
    [
        (None, 0),
        ((1, 0.5, 2), 2),
        ((1, -0.5, 2), 1),
        ((-1, -2, 0.5), -1),
        ((-1, -2, -0.5), -2),
        ((0, -1, 1), 0),
    ],
)
def test_a_simulated_gain_makes_points_by_its_sign_and_interval(gain, points) -> None:
    given_gain = None if gain is None else Gain(value=gain[0], low=gain[1], high=gain[2], measure="months")
    assert score_strategy(ANY, Match(), NONE, fit=FULL, gain=given_gain).simulated == points


levels = st.sampled_from(
    ["clinical_trial", "patient_cohort", "case_report", "in_vivo", "in_vitro", "in_silico"]
)
heard = st.builds(Heard, st.text("AB", min_size=1), st.sampled_from(["PMID:1", "PMID:2", "PMID:3"]), levels)


@given(st.lists(heard), heard)
def test_more_evidence_never_weighs_less_and_a_source_counts_once(found, more) -> None:
    weigh = read_weights()
    before = weigh_sources(found)
    assert before <= weigh_sources([*found, more]) <= before + weigh("level", more.level) + 1e-12
    assert weigh_sources([*found, *found]) == before


def test_regimens_and_the_own_source_make_no_points_for_it() -> None:
    pro = (
        Heard("HDR1", "PMID:1", "clinical_trial", regimen=True),
        Heard("HDR2", "PMID:2", "clinical_trial", own=True),
        Heard("HDR3", "PMID:3", "in_vivo"),
    )
    assert Support(pro=pro, contra=pro).pro_weight == 0.5
    assert Support(pro=pro, contra=pro).contra_weight == 1.5


def test_the_mean_of_parts_leaves_the_cap_out() -> None:
    mean = average_parts([Parts(clinical=100, cap=-50), Parts(clinical=0, match=-4)])
    assert mean.record() == Parts(clinical=50, match=-2).record()
