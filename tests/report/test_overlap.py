"""Figures of overlapping definitions: what they draw is counted here from the patients themselves."""

from __future__ import annotations

from itertools import combinations

import polars as pl
import pytest

from hccresist.assess.patterns import (
    DEFINITIONS,
    derive_combinations,
    derive_overlap,
    derive_pattern_rates,
)
from hccresist.report import words
from hccresist.report.facts import Facts
from hccresist.report.figures.overlap import (
    MOST_COMBINATIONS,
    TITLES,
    explain_no_overlap,
    plot_jaccard,
    plot_overlap,
)
from hccresist.report.sections import patterns
from hccresist.study.study import Study

NAMES = [n for n, item in DEFINITIONS.items() if item.family == "hyperprogression" and item.computable]
MET = {"P1": {"kato_2017", "champiat_2017"}, "P2": {"champiat_2017"}, "P3": set(), "P4": {"champiat_2017"}}


def facts_of(met: dict[str, set[str]], *, reader: str = "") -> Facts:
    """Facts of patients who meet some definitions; everybody can be judged by all."""
    rows = [
        {"patient_id": p, "reader": reader, "definition": n, "evaluable": True, "met": n in mine}
        for p, mine in met.items()
        for n in NAMES
    ]
    frame = pl.DataFrame(rows).with_columns(reached=pl.lit(None, dtype=pl.String), reason=pl.lit(""))
    tables = {
        "patterns": frame,
        "pattern_rates": derive_pattern_rates(frame),
        "pattern_overlap": derive_overlap(frame),
        "pattern_combinations": derive_combinations(frame),
    }
    study = Study(tables={"patients": pl.DataFrame({"patient_id": sorted(met)})})
    return Facts(study=study, tables=tables, manifest={})


def test_each_column_counts_the_patients_of_exactly_its_combination() -> None:
    figure = plot_overlap(facts_of(MET), "")
    assert figure is not None
    drawn = dict(figure.data.iter_rows())
    assert drawn == {"champiat_2017": 2, "champiat_2017 + kato_2017": 1}
    assert "3 patients meet at least one of 2 definitions" in figure.caption
    assert "Champiat 2017 3 of 4" in figure.alt
    assert "Champiat 2017: 2" in figure.alt
    assert figure.svg.count("Kato 2017") == 1


def test_the_matrix_holds_the_jaccard_index_of_each_pair_both_ways() -> None:
    figure = plot_jaccard(facts_of(MET), "")
    assert figure is not None
    first, second = ({p for p, mine in MET.items() if n in mine} for n in ("champiat_2017", "kato_2017"))
    expected = len(first & second) / len(first | second)
    assert figure.data["jaccard"].to_list() == [pytest.approx(expected)]
    assert figure.svg.count(f">{expected:.2f}<") == 2
    assert f"Champiat 2017 and Kato 2017 {expected:.2f}" in figure.alt


def test_a_pair_that_nobody_meets_of_those_judged_by_both_has_a_dash() -> None:
    facts = facts_of({"P1": {"kato_2017"}, "P2": {"champiat_2017"}})
    apart = facts.tables["patterns"].with_columns(
        evaluable=pl.col("met") | ~pl.col("definition").is_in(["kato_2017", "champiat_2017"])
    )
    tables = {
        **facts.tables,
        "pattern_overlap": derive_overlap(apart),
        "pattern_rates": derive_pattern_rates(apart),
    }
    figure = plot_jaccard(Facts(study=facts.study, tables=tables, manifest={}), "")
    assert figure is not None
    assert figure.svg.count(">–<") == 2
    assert "For 1 pair there is none." in figure.alt


def test_many_combinations_are_cut_and_the_figure_says_so() -> None:
    chosen = [set(pair) for size in (2, 3) for pair in combinations(NAMES, size)][: MOST_COMBINATIONS + 5]
    figure = plot_overlap(facts_of({f"P{i:02d}": mine for i, mine in enumerate(chosen)}), "")
    assert figure is not None
    assert figure.data.height == MOST_COMBINATIONS
    assert f"The {MOST_COMBINATIONS} most frequent of {len(chosen)} combinations." in figure.caption


@pytest.mark.parametrize(
    ("met", "said"),
    [
        ({"P1": set(), "P2": set()}, "Nobody meets a definition"),
        ({"P1": {"kato_2017"}, "P2": set()}, "Kato 2017 is the only definition"),
    ],
)
def test_without_an_overlap_there_is_a_sentence_and_no_figure(met, said) -> None:
    facts = facts_of(met)
    assert plot_overlap(facts, "") is None
    assert plot_jaccard(facts, "") is None
    assert explain_no_overlap(facts, "").startswith(said)
    page = "".join(patterns.build(facts))
    assert said in page
    assert "<figure" not in page


def test_the_page_has_both_figures_and_the_table_folded_below() -> None:
    page = "".join(patterns.build(facts_of(MET, reader="R1")))
    assert page.count("<figure") == 2
    assert f'id="overlap-hyperprogression-{words.slug("R1")}"' in page
    assert "<details" in page
    assert "Definitions that are met together" in page[page.index("<details") :]


def test_short_titles_of_a_family_are_distinct() -> None:
    assert len({TITLES[name] for name in NAMES}) == len(NAMES)
    assert not any("(" in TITLES[name] for name in NAMES)
