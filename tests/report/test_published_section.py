"""Beside published trials: the section and its figure have the numbers of the table, sources and caveat."""

from __future__ import annotations

import re

import polars as pl
import pytest
from reading import Page
from synthetic import make_case

from hccresist.outcomes.published_comparison import CAVEAT as EVERY_ROW
from hccresist.outcomes.results import PublishedComparison
from hccresist.report.facts import Facts
from hccresist.report.figures import published as figures
from hccresist.report.page import SECTIONS, render_report
from hccresist.report.sections import published
from hccresist.report.sections.published import CAVEAT, NONE_ALIKE, TABLE, link_address

OWN = tuple(section for section in SECTIONS if section.key == "published")


def make_row(**changes: object) -> dict[str, object]:
    """One number of the study beside one published number; both made up."""
    return {
        "reader": "",
        "criterion": "recist11",
        "group": "all",
        "endpoint": "ORR",
        "confirmed": False,
        "published_key": "k1",
        "drugs": "sorafenib",
        "line": "1L",
        "regimen_percent": 90.0,
        "unit": "percent",
        "value": 12.5,
        "low": 3.5,
        "high": 29.0,
        "n": 32,
        "trial": "SHARP",
        "arm_id": "SHARP_sora",
        "assessor": "IRF",
        "published_value": 2.3,
        "published_low": 0.9,
        "published_high": 4.8,
        "published_level": 95.0,
        "published_limits": "published",
        "published_n": 299,
        "source": "https://example.org/a page",
        "note": EVERY_ROW,
    } | changes


def make_facts(*rows: dict[str, object]) -> Facts:
    """A small study and the table."""
    case = make_case(4, readers=("",), arms=1, visits=3, seed=3)
    table = pl.DataFrame(list(rows), schema=dict(PublishedComparison.create_empty().schema))
    return Facts(case.study, {TABLE: table}, {})


OS = {"criterion": "", "endpoint": "mOS", "unit": "months", "value": None, "low": 9.5, "high": None}
ROWS = (
    make_row(),
    make_row(confirmed=True, value=9.4, low=2.0, high=25.0),
    make_row(published_key="k2", trial="Other", arm_id="other_a", published_n=100, published_value=4.5),
    make_row(**OS, published_key="k3", published_value=10.7, published_level=90.0, published_limits="events"),
)


@pytest.fixture(scope="module")
def page() -> Page:
    """The section alone."""
    facts = make_facts(*ROWS)
    result = render_report(facts.study, facts.tables, manifest={}, sections=OWN)
    assert result.failures == ()
    return Page.read(result.html)


def test_the_section_says_first_what_the_numbers_are_not(page) -> None:
    notices = [e.text for e in page.all("p") if "notice" in e.attributes.get("class", "")]
    assert notices[0] == CAVEAT
    assert "no comparison of treatments" in CAVEAT
    assert "Research only" in CAVEAT


def test_every_number_stands_in_the_table_with_its_limits_and_source(page) -> None:
    text = " ".join(page.all("section", id="published")[0].text.split())
    for words in ("12.5 (3.5 to 29.0)", "n 32", "2.3 (0.9 to 4.8)", "SHARP, IRF, n 299", "SHARP_sora"):
        assert words in text
    assert "Median overall survival" in text
    assert "90 % limits; limits made from its number of events" in text
    assert (
        "90\u00a0% of those treated had exactly sorafenib (first line)"
        in page.all("section", id="published")[0].text
    )
    links = {e.attributes["href"] for e in page.all("a") if e.attributes.get("href", "").startswith("https")}
    assert links == {"https://example.org/a%20page"}


def test_the_figure_has_each_published_number_once_under_both_of_the_study(monkeypatch) -> None:
    drawn: dict[str, pl.DataFrame] = {}
    monkeypatch.setattr(figures, "draw", lambda *_, rows, **__: drawn.update(rows) or "<svg/>")
    facts = make_facts(*ROWS)
    assert figures.plot_beside(facts.tables[TABLE], unit="percent", key="k", title="t") is not None
    rows = drawn["rows"]
    names = [name.split("\n")[1] for name in rows["row"]]
    assert names == [
        "",
        "This study, n 32",
        "This study, confirmed, n 32",
        "SHARP, IRF, n 299",
        "Other, IRF, n 100",
    ]
    assert rows["value"].to_list() == [None, 12.5, 9.4, 2.3, 4.5]
    assert rows["own"].to_list() == [False, True, True, False, False]


def test_a_median_that_is_not_reached_keeps_its_open_interval(monkeypatch) -> None:
    drawn: dict[str, pl.DataFrame] = {}
    monkeypatch.setattr(figures, "draw", lambda *_, rows, **__: drawn.update(rows) or "<svg/>")
    figures.plot_beside(make_facts(*ROWS).tables[TABLE], unit="months", key="k", title="t")
    own = drawn["rows"].filter("own").row(0, named=True)
    assert own["value"] is None
    assert own["from"] == 9.5
    assert own["to"] > 10.7
    assert own["said"] == "— (9.5 to —)"


def test_only_so_many_arms_are_drawn_and_the_caption_counts_the_others() -> None:
    rows = [make_row(published_key=f"k{i}", trial=f"T{i}", published_n=1000 - i) for i in range(11)]
    figure = figures.plot_beside(make_facts(*rows).tables[TABLE], unit="percent", key="k", title="t")
    assert figure is not None
    assert "3 further published numbers in the table" in figure.caption
    assert figure.data.height == 11


@pytest.mark.parametrize(
    ("tables", "manifest", "words"),
    [
        (
            {},
            {"skipped": {TABLE: "the study has no treatments or procedures"}},
            "no treatments or procedures",
        ),
        ({TABLE: PublishedComparison.create_empty()}, {}, NONE_ALIKE),
    ],
)
def test_without_rows_the_section_says_why(tables, manifest, words) -> None:
    study = make_facts().study
    text = str(published.build(Facts(study, tables, manifest)))
    assert words.split("‘", maxsplit=1)[0] in text


def test_words_of_the_table_are_text() -> None:
    nasty = "<img src=x onerror=alert(1)>"
    facts = make_facts(make_row(trial=nasty, arm_id=nasty, source=nasty, drugs=nasty, group=nasty))
    html = render_report(facts.study, facts.tables, manifest={}, sections=OWN).html
    assert "<img" not in html


def test_a_source_is_linked_by_its_host() -> None:
    assert re.findall(r">([^<]+)<", str(link_address("https://pubmed.ncbi.nlm.nih.gov/1/"))) == [
        "pubmed.ncbi.nlm.nih.gov"
    ]
    assert link_address("a book") == "a book"
