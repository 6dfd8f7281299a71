"""Patterns of response come out of simulated patients, are found by *assess*, and go when their cause is off.

Settings and patients: `hccresist.overcome.emergence.CASES`. Diameters are read without error unless a case
says *read*, so that what is found is of the model and not of chance. *Found*: the lower exact 95 % limit of
the share lies above `GONE`; *gone*: the share itself lies below. Published counts:
``data/trials/response_patterns.csv``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest

from hccresist.overcome.emergence import (
    CASES,
    LATE,
    SPLIT,
    STOP,
    Found,
    compare_halves,
    find_out,
    simulate_setting,
)

GONE = 0.02
PSEUDO = "pseudo_recist11_control"
TWOFOLD, FOURFOLD = "yumita_2023_twofold", "yumita_2023_fourfold"
HCC = ("kim_2021_hcc", TWOFOLD, FOURFOLD, "maesaka_2022")
"""Definitions of hyperprogression made for HCC."""
Find = Callable[[str], Found]


@pytest.fixture(scope="session")
def find() -> Find:
    """Return a function from the name of a case to what came of it; each case runs once."""
    return lru_cache(maxsize=None)(lambda name: find_out(CASES[name]))


def limits(met: int, n: int) -> tuple[float, float]:
    """Exact 95 % limits of a share."""
    found = binomtest(met, n).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)


def assert_found(count: tuple[int, int]) -> None:
    """The pattern is there."""
    low, _ = limits(*count)
    assert low > GONE, f"{count[0]} of {count[1]}"


def assert_gone(count: tuple[int, int]) -> None:
    """The pattern is not there, in a cohort in which it could be."""
    met, n = count
    assert n >= 50
    assert met / n <= GONE, f"{met} of {n}"


# ---- pseudoprogression -------------------------------------------------------------------------------------


def test_oedema_looks_like_progression_until_it_resorbs(find: Find) -> None:
    assert_found(find("oedema").count(PSEUDO, "treated"))
    assert_gone(find("oedema off").count(PSEUDO, "treated"))
    assert_gone(find("oedema without volume").count(PSEUDO, "treated"))
    assert_gone(find("oedema untreated").count(PSEUDO, "treated"))


def test_micrometastases_that_become_visible_look_like_progression(find: Find) -> None:
    assert_found(find("micrometastases").count(PSEUDO, "treated"))
    assert_gone(find("micrometastases off").count(PSEUDO, "treated"))


# ---- hyperprogression --------------------------------------------------------------------------------------


@pytest.mark.parametrize("definition", HCC)
def test_a_growth_signal_of_pd1_block_is_hyperprogression(find: Find, definition: str) -> None:
    assert_found(find("hyper_growth").count(definition))
    assert_gone(find("hyper_growth off").count(definition))
    assert_gone(find("hyper_growth untreated").count(definition))


def test_treg_that_divide_under_pd1_block_are_hyperprogression_where_t_cells_held_the_tumour(
    find: Find,
) -> None:
    assert_found(find("hyper_treg").count(TWOFOLD))
    assert_gone(find("hyper_treg off").count(TWOFOLD))


@pytest.mark.xfail(
    reason="losing T cells gives a tumour its own growth rate back and no more: PD at the first scan with "
    "TGR fourfold and 40 points up needs growth beyond that",
    strict=True,
)
def test_treg_alone_reach_the_strictest_definition(find: Find) -> None:
    assert_found(find("hyper_treg").count("kim_2021_hcc"))


@pytest.mark.parametrize("name", ["hyper_growth", "hyper_treg"])
def test_hyperprogression_of_the_tumour_stays_when_nothing_else_takes_volume(find: Find, name: str) -> None:
    assert_found(find(f"{name} without volume").count(TWOFOLD))


def test_growth_that_is_only_infiltrate_meets_definitions_and_goes_with_its_volume(find: Find) -> None:
    assert_found(find("oedema").count(TWOFOLD))
    assert_gone(find("oedema without volume").count(TWOFOLD))


def test_tumour_share_tells_tumour_from_infiltrate(find: Find) -> None:
    def share(name: str) -> float:
        """Tumour's share of growth to day 56, median of those who hyperprogress by size."""
        found = find(name)
        tumour, other = found.growth(56.0)
        return float(np.median((tumour / (np.abs(tumour) + np.abs(other)))[found.who(TWOFOLD)]))

    assert share("hyper_growth") > 0.5
    assert share("hyper_treg") > 0.5
    assert share("oedema") < 0.0


# ---- rebound, mixed response, enhancement, durable response ------------------------------------------------


def test_tumours_rebound_when_a_kinase_inhibitor_is_stopped(find: Find) -> None:
    def count(name: str) -> tuple[int, int]:
        """Patients whose TGR rose by more than 5 points a month from the reference period to the next."""
        rise = find(name).number("kas_2020")
        return int((rise > 5.0).sum()), len(rise)

    assert_found(count("rebound"))
    assert_gone(count("rebound off"))
    assert_gone(count("rebound never treated"))
    flagged = find("rebound").who("rebound_kinase_inhibitor")
    assert flagged.all()
    assert not find("rebound never treated").who("rebound_kinase_inhibitor").any()


def test_lesions_respond_apart_when_one_of_them_shuts_t_cells_out(find: Find) -> None:
    assert_found(find("mixed").count("dissociated_bernard_tessier_2020"))
    assert_gone(find("mixed off").count("dissociated_bernard_tessier_2020"))


def test_mrecist_responds_without_recist_when_vessels_are_pruned(find: Find) -> None:
    assert_found(find("enhancement").count_best("mrecist", "recist11"))
    assert_gone(find("enhancement and debris off").count_best("mrecist", "recist11"))
    lost = [find(name).count_best("mrecist", "recist11")[0] for name in ("enhancement", "enhancement off")]
    assert lost[0] >= 1.5 * lost[1]


def test_responses_outlive_the_drug_by_memory(find: Find) -> None:
    on, off = find("memory"), find("memory off")
    assert_found(on.count_responding(LATE))
    assert_gone(off.count_responding(LATE))
    last = on.tables["treatments"]["end_day"].max()
    assert last is not None
    assert last <= STOP
    assert_found(on.count("durable_response_recist11"))
    assert_gone(off.count("durable_response_recist11"))


# ---- survival ----------------------------------------------------------------------------------------------


def test_survival_separates_late_under_a_checkpoint_inhibitor() -> None:
    def compare(word: str):
        tables = [
            simulate_setting(CASES[f"survival {arm}{word}"])[1]["survival"]
            for arm in ("nivolumab", "untreated")
        ]
        return compare_halves(*tables, split=SPLIT, until=LATE)

    on, off = compare(""), compare(", no killing")
    for half in (on.early, off.early, off.late):
        assert half.low is not None
        assert half.high is not None
        assert half.low < 0.0 < half.high
    assert on.early.value is not None
    assert abs(on.early.value) < 0.05 * SPLIT
    assert on.late.low is not None
    assert on.late.low > 0.0


# ---- the default population --------------------------------------------------------------------------------


@pytest.mark.parametrize("definition", [PSEUDO, "pseudo_recist11_response", "pseudo_mrecist_control"])
def test_pseudoprogression_of_the_default_population_is_at_most_six_per_cent(
    find: Find, definition: str
) -> None:
    met, n = find("nivolumab").count(definition, "treated")
    assert 0 < met <= 0.06 * n


@pytest.mark.parametrize("definition", HCC)
def test_hyperprogression_of_the_default_population_is_five_to_twenty_per_cent(
    find: Find, definition: str
) -> None:
    met, n = find("nivolumab").count(definition)
    assert 0.05 * n <= met <= 0.20 * n


@pytest.mark.parametrize("definition", HCC)
def test_hyperprogression_vanishes_with_its_handles_and_without_treatment(
    find: Find, definition: str
) -> None:
    assert_gone(find("nivolumab off").count(definition))
    assert_gone(find("placebo").count(definition))


@pytest.mark.parametrize("definition", HCC)
def test_reading_error_makes_no_more_hyperprogression_under_placebo_than_under_drug_without_handles(
    find: Find, definition: str
) -> None:
    chance, drug = find("placebo read").count(definition), find("nivolumab off read").count(definition)
    assert limits(*chance)[0] <= limits(*drug)[1]
    assert limits(*drug)[0] <= limits(*chance)[1]


def published() -> list[tuple[str, str, str, int, int]]:
    """Rows of the table with counts: study, definition's name, case of the model, met, of how many."""
    text = files("hccresist").joinpath("data/trials/response_patterns.csv").read_bytes()
    table = pl.read_csv(text, schema_overrides={"pmid": pl.String})
    names = {
        "TGK ratio >=4 AND": "kim_2021_hcc",
        "same cut-offs": "kim_2021_hcc",
        "TGR or TGK ratio >=2": TWOFOLD,
        "TGR or TGK ratio >=4": FOURFOLD,
    }
    cases = {"nivolumab": "nivolumab read", "BSC/placebo": "placebo read"}
    rows = table.filter(pl.col("pattern") == "HPD", pl.col("verified"), pl.col("drug").is_in(list(cases)))
    return [
        (row["study"], name, cases[row["drug"]], row["events"], row["denominator"])
        for row in rows.to_dicts()
        for start, name in names.items()
        if row["definition"].startswith(start)
    ]


@pytest.mark.parametrize("row", published(), ids=lambda row: f"{row[0]} {row[2]}")
def test_hyperprogression_agrees_with_published_counts(
    find: Find, row: tuple[str, str, str, int, int]
) -> None:
    _, definition, case, met, n = row
    theirs, ours = limits(met, n), limits(*find(case).count(definition))
    assert ours[0] <= theirs[1]
    assert theirs[0] <= ours[1]


def test_published_rows_are_found() -> None:
    assert len(published()) >= 2
