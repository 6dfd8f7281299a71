"""Published worked examples, as lesions, sums and visits that the engine assesses.

Each test names its source; the rules and links stand in the reference page of the project
("response-criteria", sections 1 to 3). Expectations are those of the sources, none was copied from
our own output. Every example also runs through the naive implementation.
"""

from __future__ import annotations

import polars as pl
import pytest
from compare import differences, engine_tables

from hccresist.study.policies import Policies
from hccresist.study.tables import SCHEMAS

DEFAULT = Policies()


# Building patients


def row(table: str, day: float, **values: object) -> dict:
    """A row of a table with every column, for patient P without a reader."""
    key = {"patient_id": "P", "reader": "", "day": float(day)}
    return dict.fromkeys(SCHEMAS[table].column_names()) | key | values


def lesion(name: str, day: float, role: str, mm: float | None = None, **values: object) -> dict:
    """A liver lesion, all of it viable."""
    return row(
        "lesions", day, lesion_id=name, role=role, organ="liver", longest_mm=mm, viable_mm=mm, **values
    )


def sums(*sizes: float | None, days: list[float] | None = None) -> dict[str, list[dict]]:
    """Sums of both measures: the first at day 0, then every 42 days."""
    days = days or [42.0 * i for i in range(len(sizes))]
    return {
        "sums": [
            {"patient_id": "P", "reader": "", "measure": measure, "day": day, "sum": size}
            for day, size in zip(days, sizes, strict=True)
            for measure in ("longest", "viable")
        ]
    }


def overrides(*words: str, days: list[float]) -> dict[str, list[dict]]:
    """A series whose target responses are those of the reader."""
    visits = [row("visits", day, target_override=word) for word, day in zip(words, days, strict=True)]
    return {"lesions": [lesion("T", 0, "target", 50.0)], "visits": visits}


def assess(tables: dict[str, list[dict]], policies: Policies = DEFAULT) -> dict[str, pl.DataFrame]:
    """Assess one patient with both implementations, which have to agree."""
    rows = {name: [] for name in ("lesions", "sums", "visits", "procedures", "treatments")}
    rows |= {"patients": [{"patient_id": "P"}]} | tables
    assert not differences(rows, policies)
    return engine_tables(rows, policies)


def overall(tables: dict[str, list[dict]], criterion: str, policies: Policies = DEFAULT) -> list[str]:
    """Overall responses in order of day."""
    timepoints = assess(tables, policies)["timepoints"].filter(criterion=criterion)
    return timepoints.sort("day")["overall"].to_list()


def best(tables: dict[str, list[dict]], criterion: str, policies: Policies = DEFAULT) -> dict:
    """The row of best response of a criterion."""
    return assess(tables, policies)["best_response"].filter(criterion=criterion).row(0, named=True)


# RECIST 1.1: target response


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((100, 70, 70, 80, 80, 80), ["PR"] * 5), ((165, 63, 65), ["PR"] * 2)],
)
def test_continuing_pr_of_the_recist_working_group(sizes: tuple[float, ...], expected: list[str]) -> None:
    """recist.eortc.org, FAQ on managing PR when measurements change slightly; iRECIST the same."""
    assert overall(sums(*sizes), "recist11") == expected
    assert overall(sums(*sizes), "irecist") == ["iPR"] * len(expected)


@pytest.mark.parametrize(
    ("baseline", "followup", "recist", "mrecist"),
    [
        (14.0, 9.8, "PR", "PR"),  # exactly -30 %
        (14.0, 9.801, "SD", "SD"),
        (27.0, 32.4, "PD", "PD"),  # exactly +20 %, +5.4 mm
        (27.0, 32.399, "SD", "SD"),
        (25.0, 30.0, "PD", "PD"),  # exactly +20 % and exactly +5 mm
        (24.0, 28.8, "SD", "PD"),  # +20 % but +4.8 mm: the floor is RECIST 1.1's
        (100.0, 105.0, "SD", "SD"),  # +5 mm but +5 %
        (50.0, 0.0, "CR", "CR"),
    ],
)
def test_exact_thresholds(baseline: float, followup: float, recist: str, mrecist: str) -> None:
    """RECIST 1.1 (doi:10.1016/j.ejca.2008.10.026), mRECIST (doi:10.1055/s-0030-1247132): -30, +20 %, 5 mm."""
    tables = sums(baseline, followup)
    assert overall(tables, "recist11") == [recist]
    assert overall(tables, "mrecist") == [mrecist]


def test_pd_beats_pr_after_a_deep_response() -> None:
    """RECIST 1.1: 100, 20, 30 meets PR from baseline and PD from nadir; PD is judged first."""
    assert overall(sums(100, 20, 30), "recist11") == ["PR", "PD"]


@pytest.mark.parametrize(("seen", "expected"), [(50.0, "PD"), (30.0, "NE")])
def test_partial_sums_can_show_pd_and_nothing_else(seen: float, expected: str) -> None:
    """Derivation of pharmaversesdtm::rs_onco_recist: PD on the evaluated targets stands, else NE."""
    tables = {
        "lesions": [
            lesion("T1", 0, "target", 20.0),
            lesion("T2", 0, "target", 20.0),
            lesion("T1", 42, "target", seen),
            lesion("T2", 42, "target", state="not_evaluable"),
        ]
    }
    assert overall(tables, "recist11") == [expected]
    without = Policies.parse({"pd_on_partial_sum": False})
    assert overall(tables, "recist11", without) == ["NE"]


def test_nodes_below_10_mm_are_complete_response_although_the_sum_is_not_zero() -> None:
    """RECIST 1.1: a nodal target is gone below 10 mm short axis; the sum need not be 0."""

    def node(day: float, short: float) -> dict:
        return row("lesions", day, lesion_id="T", role="target", organ="lymph_node", short_axis_mm=short) | {
            "viable_mm": 0.0
        }

    assert overall({"lesions": [node(0, 18), node(42, 9.9)]}, "recist11") == ["CR"]
    assert overall({"lesions": [node(0, 18), node(42, 10.0)]}, "recist11") == ["PR"]


def test_too_small_to_measure_counts_5_mm_unless_a_number_is_given() -> None:
    """CDISC TR examples and recist.eortc.org: 5 mm is imputed, a measured value is kept."""
    imputed = {"lesions": [lesion("T", 0, "target", 20.0), lesion("T", 42, "target", state="too_small")]}
    measured = {
        "lesions": [lesion("T", 0, "target", 20.0), lesion("T", 42, "target", 3.0, state="too_small")]
    }
    assert assess(imputed)["timepoints"].filter(criterion="recist11")["sum_mm"].to_list() == [5000]
    assert assess(measured)["timepoints"].filter(criterion="recist11")["sum_mm"].to_list() == [3000]


def test_a_lesion_that_returns_is_pd_only_after_overall_cr_and_never_divides_by_zero() -> None:
    """recist.eortc.org, new lesions: reappearance; with nadir 0 the 20 % test is not defined."""
    alone = [lesion("T", day, "target", mm) for day, mm in ((0, 50.0), (42, 0.0), (84, 4.0))]
    other = [lesion("N", day, "nontarget", state="present") for day in (0, 42, 84)]
    assert overall({"lesions": alone}, "recist11") == ["CR", "PD"]
    assert overall({"lesions": alone + other}, "recist11") == ["PR", "PR"]
    never = Policies.parse({"reappearance_rule": "never"})
    tables = assess({"lesions": alone}, never)["timepoints"].filter(criterion="recist11").sort("day")
    assert tables["overall"].to_list() == ["CR", "PR"]
    assert tables["nadir_mm"].to_list() == [50_000, 0]
    zero = Policies.parse({"nadir_zero": "progression"})
    for mm, word in ((4.0, "PR"), (4.9, "PR"), (5.0, "PD"), (20.0, "PD")):
        again = [lesion("T", day, "target", size) for day, size in ((0, 50.0), (42, 0.0), (84, mm))]
        tables = (
            assess({"lesions": again + other}, zero)["timepoints"].filter(criterion="recist11").sort("day")
        )
        assert tables["overall"].to_list() == ["PR", word]
    assert tables["change_from_nadir_percent"].to_list() == [-100.0, None]


# RECIST 1.1: overall response (reference page 1.4)

TARGET_MM = {"CR": 0.0, "PR": 30.0, "SD": 50.0, "NE": None, "PD": 70.0}
NONTARGET_STATE = {
    "CR": "absent",
    "NON-CR/NON-PD": "present",
    "NE": "not_evaluable",
    "PD": "unequivocal_progression",
}
NOT_PD = ("CR", "NON-CR/NON-PD", "NE", None)
TIMEPOINTS = [
    *(("CR", nontarget, False, "CR") for nontarget in ("CR", None)),
    ("CR", "NON-CR/NON-PD", False, "PR"),
    ("CR", "NE", False, "PR"),
    *((target, other, False, target) for target in ("PR", "SD", "NE") for other in NOT_PD),
    *(("PD", other, new, "PD") for other in (*NOT_PD, "PD") for new in (False, True)),
    *((target, "PD", new, "PD") for target in ("CR", "PR", "SD", "NE") for new in (False, True)),
    *((target, other, True, "PD") for target in ("CR", "PR", "SD", "NE") for other in NOT_PD),
    (None, "CR", False, "CR"),
    (None, "NON-CR/NON-PD", False, "NON-CR/NON-PD"),
    (None, "NE", False, "NE"),
    (None, "PD", False, "PD"),
    *((None, other, True, "PD") for other in ("CR", "NON-CR/NON-PD", "NE", "PD")),
]


def visit_rows(day: float, target: str | None, nontarget: str | None, *, new: bool) -> list[dict]:
    """Lesion rows of one visit that have these components; targets begin with 50 mm."""
    rows = []
    if target is not None:
        rows.append(lesion("T", day, "target", TARGET_MM[target]))
    if nontarget is not None:
        rows.append(lesion("N", day, "nontarget", state=NONTARGET_STATE[nontarget]))
    if new:
        rows.append(lesion("X", day, "new_target", 15.0, state="present", washout=True))
    return rows


def baseline_rows(target: str | None, nontarget: str | None) -> list[dict]:
    """The baseline of those visits."""
    rows = [] if target is None else [lesion("T", 0, "target", 50.0)]
    return rows if nontarget is None else [*rows, lesion("N", 0, "nontarget", state="present")]


@pytest.mark.parametrize(("target", "nontarget", "new", "expected"), TIMEPOINTS)
def test_timepoint_table_of_recist(
    target: str | None, nontarget: str | None, new: bool, expected: str
) -> None:
    """RECIST 1.1 tables 1 and 2 (doi:10.1016/j.ejca.2008.10.026): every row, both criteria."""
    rows = baseline_rows(target, nontarget) + visit_rows(42, target, nontarget, new=new)
    tables = {"lesions": rows, "visits": [row("visits", 42)]}
    assert overall(tables, "recist11") == [expected]
    timepoints = assess(tables)["timepoints"].filter(criterion="recist11")
    assert timepoints.select("target", "nontarget", "new_lesion").row(0) == (target, nontarget, new)


def test_no_disease_at_baseline_is_ned_until_progression() -> None:
    """Adjuvant setting, reference page 1.4."""
    tables = {
        "visits": [row("visits", day) for day in (0, 42, 84)],
        "lesions": [lesion("X", 84, "new_target", 12.0, washout=True)],
    }
    assert overall(tables, "recist11") == ["NED", "PD"]


# RECIST 1.1: best response (reference page 1.5)

EARLY, MET = [20.0, 60.0], [50.0, 90.0]
CONFIRMED = [
    # first, later, days, cr_then_pr, expected; "met": the first response met the SD minimum of 42 days
    ("CR", "CR", [50, 78], "break", "CR"),
    ("CR", "CR", [50, 77], "break", "SD"),  # 27 days do not confirm
    ("CR", "PR", MET, "table3", "SD"),
    ("CR", "PR", MET, "break", "SD"),
    ("CR", "PR", [10, 30], "table3", "PD"),  # neither met the minimum
    ("CR", "PR", [10, 30], "break", "NE"),
    ("CR", "SD", MET, "break", "SD"),
    ("CR", "PD", MET, "break", "SD"),
    ("CR", "PD", EARLY, "break", "PD"),
    ("CR", "NE", MET, "break", "SD"),
    ("CR", "NE", EARLY, "break", "NE"),
    ("PR", "CR", MET, "break", "PR"),
    ("PR", "PR", MET, "break", "PR"),
    ("PR", "SD", MET, "break", "SD"),
    ("PR", "PD", MET, "break", "SD"),
    ("PR", "PD", EARLY, "break", "PD"),
    ("PR", "NE", MET, "break", "SD"),
    ("PR", "NE", EARLY, "break", "NE"),
    ("NE", "NE", MET, "break", "NE"),
]


@pytest.mark.parametrize(("first", "later", "days", "cr_then_pr", "expected"), CONFIRMED)
def test_confirmed_best_response_of_two_visits(
    first: str, later: str, days: list[float], cr_then_pr: str, expected: str
) -> None:
    """RECIST 1.1 table 3 and the conventions of admiralonco 1.0, as in the reference page."""
    policies = Policies.parse({"cr_then_pr": cr_then_pr, "continuing_pr": False})
    assert best(overrides(first, later, days=days), "recist11", policies)["best_confirmed"] == expected


@pytest.mark.parametrize(
    ("words", "policy", "expected"),
    [
        (("PR", "NE", "PR"), {}, "PR"),  # one NE between is tolerated
        (("PR", "NE", "NE", "PR"), {}, "SD"),  # two are not
        (("PR", "NE", "NE", "PR"), {"max_ne": 2}, "PR"),
        (("PR", "SD", "PR"), {}, "SD"),
        (("PR", "SD", "PR"), {"accept_one_sd": True}, "PR"),
        (("CR", "NE", "CR"), {}, "CR"),
        (("CR", "PR", "CR"), {}, "SD"),  # a PR after a CR breaks
    ],
)
def test_what_may_stand_between_response_and_confirmation(
    words: tuple[str, ...], policy: dict, expected: str
) -> None:
    """Conventions of admiralonco 1.0 event_joined (`max_nr_ne`, `accept_sd`), read in its source."""
    days = [50.0 + 20 * i for i in range(len(words))]
    assert (
        best(overrides(*words, days=days), "recist11", Policies.parse(policy))["best_confirmed"] == expected
    )


def test_early_sd_is_ne_and_pd_has_no_minimum() -> None:
    """RECIST 1.1 and admiralonco issue 93."""
    assert best(overrides("SD", days=[41]), "recist11")["best"] == "NE"
    assert best(overrides("SD", days=[42]), "recist11")["best"] == "SD"
    assert best(overrides("PD", days=[20]), "recist11")["best"] == "PD"


# iRECIST


def test_ibor_example_response_after_iupd() -> None:
    """iRECIST (doi:10.1016/S1470-2045(17)30074-8): iUPD, iPR, iSD, iUPD, iCPD has iBOR iPR."""
    policies = Policies.parse({"continuing_pr": False})  # the example lets iSD follow iPR
    tables = sums(100, 120, 70, 80, 84, 89)
    assert overall(tables, "irecist", policies) == ["iUPD", "iPR", "iSD", "iUPD", "iCPD"]
    assert best(tables, "irecist", policies)["best"] == "iPR"


def test_ibor_example_never_evaluated_again() -> None:
    """iRECIST: iUPD, NE, NE, NE, NE has iBOR iUPD."""
    tables = sums(100, 120, None, None, None, None)
    assert overall(tables, "irecist") == ["iUPD", "NE", "NE", "NE", "NE"]
    assert best(tables, "irecist")["best"] == "iUPD"


def test_ibor_example_confirmed() -> None:
    """iRECIST: iUPD, iUPD, iCPD, and whatever follows, has iBOR iCPD."""
    tables = sums(100, 120, 122, 126, 50)
    assert overall(tables, "irecist") == ["iUPD", "iUPD", "iCPD", "iCPD"]
    row = best(tables, "irecist")
    assert (row["best"], row["progression_day"]) == ("iCPD", 42)


def test_ipfs_date_is_the_first_iupd_of_the_confirmed_block() -> None:
    """admiralonco iRECIST vignette: SD, SD, iUPD, PR, PR, iUPD, iCPD is dated at the second iUPD."""
    tables = sums(100, 100, 100, 120, 70, 70, 84, 89)
    assert overall(tables, "irecist") == ["iSD", "iSD", "iUPD", "iPR", "iPR", "iUPD", "iCPD"]
    assert best(tables, "irecist")["progression_day"] == 6 * 42


def test_unconfirmed_iupd_is_an_event_by_policy() -> None:
    """iRECIST: never confirmed, no iSD, iPR or iCR later: the first iUPD of the block (partly verified)."""
    tables = sums(100, 120, None)
    assert best(tables, "irecist")["progression_day"] == 42
    ignored = Policies.parse({"irecist_unconfirmed": "ignore"})
    assert best(tables, "irecist", ignored)["progression_day"] is None


@pytest.mark.parametrize(("later", "expected"), [(65.0, "iPR"), (85.0, "iSD")])
def test_scenario_b_new_lesion_first_then_shrinkage(later: float, expected: str) -> None:
    """recist.eortc.org FAQ on response after the appearance of new lesions, scenario B."""
    first = 100.0 if expected == "iPR" else 120.0
    rows = [lesion("T", day, "target", mm) for day, mm in ((0, 100.0), (42, first), (84, later))]
    rows += [lesion("X", day, "new_target", 12.0, washout=True) for day in (42, 84)]
    assert overall({"lesions": rows}, "irecist") == ["iUPD", expected]


def test_scenario_f_isolated_new_lesion_after_ipr_stays_iupd() -> None:
    """recist.eortc.org FAQ on response after the appearance of new lesions, scenario F."""
    rows = [lesion("T", day, "target", mm) for day, mm in ((0, 100.0), (42, 60.0), (84, 60.0), (126, 60.0))]
    rows += [lesion("X", day, "new_target", 12.0, washout=True) for day in (84, 126)]
    assert overall({"lesions": rows}, "irecist") == ["iPR", "iUPD", "iUPD"]


def test_icr_needs_the_new_lesions_gone() -> None:
    """iRECIST working group: iCR needs the new lesions gone too, else iPR."""
    rows = [lesion("T", day, "target", mm) for day, mm in ((0, 50.0), (42, 50.0), (84, 0.0), (126, 0.0))]
    rows += [lesion("X", day, "new_target", 12.0, washout=True) for day in (42, 84)]
    rows += [lesion("X", 126, "new_target", state="absent")]
    assert overall({"lesions": rows}, "irecist") == ["iUPD", "iPR", "iCR"]


# iRECIST: timepoint table (reference page 2); a visit is target mm, non-target state, new-lesion mm

GONE, STAYS, GROWS, WORSE = "absent", "present", "unequivocal_progression", "worsened"
BEFORE_NONE = [
    (0.0, GONE, None, "iCR"),
    (0.0, STAYS, None, "iPR"),
    (30.0, STAYS, None, "iPR"),
    (50.0, STAYS, None, "iSD"),
    (50.0, GROWS, None, "iUPD"),
    (30.0, GROWS, None, "iUPD"),
    (0.0, GROWS, None, "iUPD"),
    (70.0, STAYS, None, "iUPD"),
    (70.0, GONE, None, "iUPD"),
    (70.0, GROWS, None, "iUPD"),
    (70.0, GROWS, 12.0, "iUPD"),
    (50.0, STAYS, 12.0, "iUPD"),
    (30.0, GONE, 12.0, "iUPD"),
]
BEFORE_SOME = [
    # first visit, second visit, expected at the second
    ((70.0, STAYS, None), (0.0, GONE, None), "iCR"),
    ((70.0, STAYS, None), (0.0, STAYS, None), "iPR"),
    ((70.0, STAYS, None), (30.0, STAYS, None), "iPR"),
    ((70.0, STAYS, None), (50.0, STAYS, None), "iSD"),
    # target and non-target iUPD unchanged or smaller, new lesions
    ((70.0, GROWS, 12.0), (70.0, GROWS, 12.0), "iUPD"),
    ((70.0, GROWS, 12.0), (69.0, GROWS, 17.0), "iCPD"),  # new lesions grew by 5 mm
    ((70.0, GROWS, 12.0), (69.0, GROWS, (12.0, 10.0)), "iCPD"),  # another new lesion
    # other target, non-target iUPD, no new lesion: unless the non-target grows further
    ((50.0, GROWS, None), (50.0, GROWS, None), "iUPD"),
    ((50.0, GROWS, None), (50.0, WORSE, None), "iCPD"),
    ((30.0, GROWS, None), (30.0, WORSE, None), "iCPD"),
    # target iUPD, other non-target, no new lesion: unless the sum grows by 5 mm
    ((70.0, STAYS, None), (70.0, STAYS, None), "iUPD"),
    ((70.0, STAYS, None), (74.999, GONE, None), "iUPD"),
    ((70.0, STAYS, None), (75.0, STAYS, None), "iCPD"),
    # both iUPD, no new lesion: unless either grows further
    ((70.0, GROWS, None), (70.0, GROWS, None), "iUPD"),
    ((70.0, GROWS, None), (75.0, GROWS, None), "iCPD"),
    ((70.0, GROWS, None), (70.0, WORSE, None), "iCPD"),
    # all three: unless any grows further
    ((70.0, GROWS, 12.0), (75.0, GROWS, 12.0), "iCPD"),
    ((70.0, GROWS, 12.0), (70.0, WORSE, 12.0), "iCPD"),
    # neither target nor non-target iUPD, new lesions: unless they grow or multiply
    ((50.0, STAYS, 12.0), (50.0, STAYS, 12.0), "iUPD"),
    ((50.0, STAYS, 12.0), (50.0, STAYS, 17.0), "iCPD"),
    ((50.0, STAYS, 12.0), (50.0, STAYS, (12.0, 10.0)), "iCPD"),
    # a category without previous iUPD progresses by RECIST 1.1
    ((70.0, STAYS, None), (70.0, GROWS, None), "iCPD"),
    ((50.0, GROWS, None), (70.0, GROWS, None), "iCPD"),
    ((70.0, STAYS, None), (70.0, STAYS, 12.0), "iCPD"),
]


def irecist_rows(day: float, target: float, state: str, new: float | tuple[float, ...] | None) -> list[dict]:
    """One visit of the iRECIST table."""
    fresh = () if new is None else new if isinstance(new, tuple) else (new,)
    return [
        lesion("T", day, "target", target),
        lesion("N", day, "nontarget", state=state),
        *(lesion(f"X{i}", day, "new_target", mm, washout=True) for i, mm in enumerate(fresh)),
    ]


@pytest.mark.parametrize(("target", "state", "new", "expected"), BEFORE_NONE)
def test_irecist_timepoint_table_without_previous_iupd(
    target: float, state: str, new: float | None, expected: str
) -> None:
    """iRECIST table 2 (PMC5648544), column without previous iUPD."""
    rows = irecist_rows(0, 50.0, STAYS, None) + irecist_rows(42, target, state, new)
    assert overall({"lesions": rows}, "irecist") == [expected]


@pytest.mark.parametrize(("first", "second", "expected"), BEFORE_SOME)
def test_irecist_timepoint_table_with_previous_iupd(first: tuple, second: tuple, expected: str) -> None:
    """iRECIST table 2 (PMC5648544), column with previous iUPD."""
    rows = irecist_rows(0, 50.0, STAYS, None) + irecist_rows(42, *first) + irecist_rows(84, *second)
    assert overall({"lesions": rows}, "irecist") == ["iUPD", expected]


def test_confirmation_needs_four_weeks() -> None:
    """iRECIST: the next assessment is expected 4 to 8 weeks later; before 28 days growth stays iUPD."""
    days = [0.0, 42.0, 69.0]
    assert overall(sums(100, 120, 126, days=days), "irecist") == ["iUPD", "iUPD"]
    days[2] = 70.0
    assert overall(sums(100, 120, 126, days=days), "irecist") == ["iUPD", "iCPD"]


# mRECIST


@pytest.mark.parametrize(
    ("mm", "washout", "later", "expected"),
    [
        (9.9, True, None, ["SD"]),  # below 10 mm
        (10.0, True, None, ["PD"]),
        (12.0, False, None, ["SD"]),  # atypical: needs growth by 10 mm
        (12.0, False, 21.9, ["SD", "SD"]),
        (12.0, False, 22.0, ["PD", "PD"]),  # proven: dated at first appearance
    ],
)
def test_new_liver_nodule_of_mrecist(
    mm: float, washout: bool, later: float | None, expected: list[str]
) -> None:
    """mRECIST (doi:10.1055/s-0030-1247132): 10 mm and typical pattern, or growth by 10 mm."""
    rows = [lesion("T", day, "target", 30.0) for day in (0, 42)]
    rows.append(lesion("X", 42, "new_target", mm, washout=washout))
    if later is not None:
        rows.append(lesion("T", 84, "target", 30.0))
        rows.append(lesion("X", 84, "new_target", later, washout=washout))
    assert overall({"lesions": rows}, "mrecist") == expected


def test_missing_arterial_phase_is_ne_for_mrecist_alone() -> None:
    """Reference page 3: NE for mRECIST, not for RECIST 1.1."""
    tables = {
        "lesions": [lesion("T", 0, "target", 30.0), lesion("T", 42, "target", 15.0)],
        "visits": [row("visits", 42, arterial_phase=False)],
    }
    assert overall(tables, "mrecist") == ["NE"]
    assert overall(tables, "recist11") == ["PR"]


@pytest.mark.parametrize(
    ("cytology", "expected"), [("positive", "PD"), ("negative", "SD"), ("not_done", "SD")]
)
def test_new_ascites_needs_cytology_for_mrecist(cytology: str, expected: str) -> None:
    """mRECIST: effusion and ascites are progression only with cytological proof."""
    rows = [lesion("T", day, "target", 30.0) for day in (0, 42)]
    rows.append(row("lesions", 42, lesion_id="X", role="new_nontarget", organ="ascites", state="present"))
    tables = {"lesions": rows, "visits": [row("visits", 42, fluid_cytology=cytology)]}
    assert overall(tables, "mrecist") == [expected]
    assert overall(tables, "recist11") == ["PD"]
