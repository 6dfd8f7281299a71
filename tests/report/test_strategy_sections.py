"""What might overcome it: section and cards have what table `strategies` has, and are research only."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from reading import Page

sys.path.insert(0, str(Path(__file__).parents[1] / "overcome"))

from strategy_cases import CASE, explain, make_study

from hccresist.overcome.strategies import rank_strategies
from hccresist.report.facts import Facts
from hccresist.report.page import SECTIONS, render_report
from hccresist.report.plans import GROUPS, MOST, make_plans, name_group
from hccresist.report.sections import strategies
from hccresist.report.sections.strategies import RESEARCH, link_sources

OWN = tuple(section for section in SECTIONS if section.key in {"overcome", "patients"})
NASTY = """<img src=x onerror=alert(1)>" '&amp; </script>"""


@pytest.fixture(scope="module")
def facts() -> Facts:
    """One patient with high EGFR after lenvatinib, among others."""
    study = make_study(high=["EGFR"], had="lenvatinib", child_pugh=8)
    return Facts(study, {"strategies": rank_strategies(study, explain(study))}, {})


@pytest.fixture(scope="module")
def page(facts) -> Page:
    """The section and the patients."""
    result = render_report(facts.study, facts.tables, manifest={}, sections=OWN)
    assert result.failures == ()
    return Page.read(result.html)


def test_the_section_says_first_that_it_is_research_only(page) -> None:
    notices = [
        e.text
        for e in page.all("p")
        if e.inside("section", id="overcome") and "notice" in e.attributes.get("class", "")
    ]
    assert notices[0] == RESEARCH


def test_the_cohort_is_listed_in_its_order_with_reasons_and_sources(facts, page) -> None:
    table = facts.tables["strategies"].filter(pl.col("patient_id").is_null(), pl.col("rank") > 0)
    text = page.all("section", id="overcome")[0].text
    wanted = {"found": [], "other": [], "failed": []}
    for row in table.to_dicts():
        wanted[name_group(row)].append(f"{row['rank']}. {row['strategy']} ")
    places = [text.index(name) for group in GROUPS for name in wanted[group]]
    assert places == sorted(places)
    assert len(places) == table.height
    first = table.row(0, named=True)
    assert f"on in {first['patients_found']} of {first['patients_looked']}" in text
    assert first["result"] in text
    assert "Tried and failed" in text


def test_patients_without_support_are_counted(facts, page) -> None:
    own = facts.tables["strategies"].filter(pl.col("patient_id").is_not_null())
    without = own.filter(pl.col("rank") == 0).height
    text = " ".join(page.all("section", id="overcome")[0].text.split())
    assert f"For {25 - without} patients of 25" in text


def test_the_points_and_their_reasons_are_on_the_page(page) -> None:
    text = page.all("section", id="overcome")[0].text
    assert "a randomised trial or phase 3 met its primary aim" in text
    assert "400" in text


def test_a_card_has_the_first_of_each_group_and_tells_how_many_more(facts) -> None:
    shared, plans = make_plans(facts, (CASE,))
    rows = facts.tables["strategies"].filter(pl.col("patient_id") == CASE, pl.col("rank") > 0).to_dicts()
    for at, group in enumerate(GROUPS):
        own = [row["strategy_id"] for row in rows if name_group(row) == group]
        shown = [shared["strategies"][row[0]][0] for row in plans[CASE]["rows"] if row[1] == at]
        assert shown == own[: MOST[group]]
        assert plans[CASE]["more"][at] == max(0, len(own) - MOST[group])
    assert plans[CASE]["nothing"] is None


def test_a_card_has_why_against_contraindications_and_score_of_its_row(facts) -> None:
    shared, plans = make_plans(facts, (CASE,))
    table = facts.tables["strategies"].filter(pl.col("patient_id") == CASE, pl.col("rank") == 1)
    row = table.row(0, named=True)
    _, _, rank, score, parts, *texts, gain = plans[CASE]["rows"][0]
    assert gain is None  # nothing was simulated
    assert (rank, score) == (1, row["score"])
    assert sum(parts) == pytest.approx(score)
    names = ("why", "against", "contraindications", "notes")
    assert [shared["texts"][at] for at in texts] == [row[name] for name in names]


def test_a_patient_of_whom_nothing_is_supported_gets_that_sentence() -> None:
    study = make_study(high=["OR4F5"], had="sorafenib")
    like_the_mean = Facts(study, {"strategies": rank_strategies(study, explain(study))}, {})
    told = make_plans(like_the_mean, (CASE,))[1][CASE]["nothing"]
    assert told.startswith("Nothing supported:")


def test_without_the_table_the_section_says_why() -> None:
    study = make_study(high=["EGFR"])
    reason = "the study has no expression or alterations"
    text = str(strategies.build(Facts(study, {}, {"skipped": {"overcome": reason}})))
    assert f"Skipped: {reason}." in text
    assert make_plans(Facts(study, {}, {}), (CASE,)) == (None, {})


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("HDR1 (PMID:39653700); HDR2 (DOI:10.1016/S1470-2045(21)00252-7)",
         ["https://pubmed.ncbi.nlm.nih.gov/39653700/", "https://doi.org/10.1016/S1470-2045(21)00252-7"]),
        ("PMCID:PMC5601759", ["https://pmc.ncbi.nlm.nih.gov/articles/PMC5601759/"]),
        ("see https://example.org/a(b)c here", ["https://example.org/a(b)c"]),
        ("none seen", []),
    ],
)  # fmt: skip
def test_sources_are_linked_brackets_and_all(text, addresses) -> None:
    html = str(link_sources(text))
    assert re.findall(r'href="([^"]+)"', html) == addresses


def test_words_of_the_data_are_text(facts) -> None:
    nasty = facts.tables["strategies"].with_columns(
        *(pl.lit(NASTY).alias(name) for name in ("strategy", "result", "why", "against", "source", "targets"))
    )
    result = render_report(facts.study, {"strategies": nasty}, manifest={}, sections=OWN)
    assert result.failures == ()
    assert "<img" not in result.html
    payload = Page.read(result.html).payload()
    assert NASTY in json.dumps(payload, ensure_ascii=False).replace('\\"', '"')


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_the_card_is_drawn_in_a_browser(facts, tmp_path) -> None:
    result = render_report(facts.study, facts.tables, manifest={}, sections=OWN)
    path = tmp_path / "report.html"
    path.write_text(result.html, encoding="utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", "--dump-dom"]
    run = subprocess.run(
        [*command, f"{path.as_uri()}#patient-{CASE}"], capture_output=True, text=True, check=True, timeout=120
    )
    drawn = run.stdout
    assert "no advice on the care of this patient" in drawn
    assert "1. Add EGFR inhibitor after lenvatinib failure" in drawn
    assert '<a href="https://pubmed.ncbi.nlm.nih.gov/39653700/" rel="noreferrer">PMID:39653700</a>' in drawn
    assert "Tried and failed" in drawn
    assert "Child-Pugh" in drawn
