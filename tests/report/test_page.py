"""The page as a whole: whole sections, one file, safe text, the same bytes again."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from reading import Page
from synthetic import Case

from conftest import render_case
from hccresist.report.facts import Facts
from hccresist.report.page import SECTIONS, Report, Section, render_report
from hccresist.report.sections import provenance, sources

NASTY = """<script>alert(1)</script>" onmouseover='x' &amp; </script><!-- \u2028 =cmd()"""


def test_every_section_is_made_and_stands_in_the_navigation(report, page) -> None:
    assert report.failures == ()
    headings = [element.attributes["id"] for element in page.all("section")]
    assert headings == [section.key for section in SECTIONS]
    for label in ("Sections", "Sections, short screen"):
        links = [a.attributes["href"] for a in page.all("a") if a.inside("nav", aria_label=label)]
        assert links == [f"#{section.key}" for section in SECTIONS]


def test_the_page_says_what_it_is_not_and_that_the_data_are_simulated(case, page) -> None:
    banner = page.all("div", class_="banner")[0].text
    assert banner == "Research use, not a medical deviceSimulated data"
    real = replace(case.study, config=replace(case.study.config, simulated=False))
    html = render_report(real, {}, manifest={}, sections=()).html
    assert "Simulated data" not in html
    assert "Research use, not a medical device" in html


def test_a_failing_section_becomes_a_message_and_leaves_the_others(tiny) -> None:
    def fail(facts: Facts) -> str:
        msg = f"no <b>sum</b> for {facts.study.config.name}"
        raise ValueError(msg)

    broken = Section("broken", "Broken", "Broken section", "", fail)
    good = next(section for section in SECTIONS if section.key == "provenance")
    result = render_report(tiny.study, tiny.tables, manifest=tiny.manifest, sections=(broken, good))
    (failure,) = result.failures
    assert (failure.section, failure.error) == ("broken", "ValueError")
    assert failure.message == "no <b>sum</b> for demo"
    assert "Traceback" in failure.trace
    page = Page.read(result.html)
    message = next(e for e in page.all("div", class_="notice bad") if e.inside("section", id="broken"))
    assert "no <b>sum</b> for demo" in message.text
    assert "test_page.py" not in message.text, "only places in our own code are named"
    assert page.all("section", id="provenance")[0].text.count("References used") == 1
    assert "1 section of this report could not be made" in result.html


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", ["rates", "survival_curves", "timepoints", "best_response"])
def test_a_result_table_without_its_columns_fails_only_where_it_is_used(tiny, name) -> None:
    frame = tiny.tables[name]
    tables = {**tiny.tables, name: frame.select("criterion", "reader")}
    result = render_report(tiny.study, tables, manifest=tiny.manifest)
    failed = {failure.section for failure in result.failures}
    assert failed
    assert not failed & {"read", "provenance"}
    assert Page.read(result.html).all("section", id="read")[0].text.count("could not be made") == 0


def test_without_any_result_every_section_says_why(tiny) -> None:
    study = replace(tiny.study, tables={"patients": tiny.study.patients})
    skipped = {"assess": "the study has no lesions, sums or responses", "outcomes": "nothing to assess"}
    result = render_report(study, {}, manifest={"skipped": skipped})
    assert result.failures == ()
    page = Page.read(result.html)
    for key in ("response", "agreement", "tumour", "patients"):
        assert f"Skipped: {skipped['assess']}." in page.all("section", id=key)[0].text
    for key in ("overview", "survival"):
        assert f"Skipped: {skipped['outcomes']}." in page.all("section", id=key)[0].text
    assert page.all("figure") == []


def test_empty_tables_are_told_apart_from_missing_ones(tiny) -> None:
    facts = Facts(tiny.study, {"rates": tiny.tables["rates"].clear()}, {})
    assert facts.why_absent("rates") == "Nothing to show: ‘rates’ came out of this run without a row."
    assert facts.why_absent("events") == "Skipped: this run made no result table ‘events’."
    failed = Facts(tiny.study, {}, {"stages": [{"name": "outcomes", "status": "failed", "reason": "boom"}]})
    assert failed.why_absent("rates") == "Stage ‘outcomes’ failed: boom."


@pytest.fixture(scope="module")
def nasty(tiny) -> Report:
    """The small case with a name made to break out of markup."""
    return render_case(rename(tiny, NASTY))


def rename(case: Case, name: str) -> Case:
    """The same case with the first patient, the study and an arm called `name`."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        if "patient_id" not in frame.columns:
            return frame
        first = pl.col("patient_id") == "HCC-0001"
        return frame.with_columns(
            patient_id=pl.when(first).then(pl.lit(name)).otherwise(pl.col("patient_id"))
        )

    tables = {key: change(frame) for key, frame in case.tables.items()}
    own = {key: change(frame) for key, frame in case.study.tables.items()}
    first = pl.col("patient_id") == name
    own["patients"] = own["patients"].with_columns(
        arm=pl.when(first).then(pl.lit(name)).otherwise(pl.lit("other")), site=pl.lit(name)
    )
    config = replace(case.study.config, title=name, name=name)
    warnings = tuple(replace(issue, problem=name, patient=name) for issue in case.study.warnings)
    manifest = {**case.manifest, "skipped": {name: name}, "options": {name: name}, "citations": [name]}
    return Case(replace(case.study, tables=own, config=config, warnings=warnings), tables, manifest)


def test_text_from_the_data_is_never_markup(nasty, tiny_report) -> None:
    assert nasty.failures == ()
    page, plain = Page.read(nasty.html), Page.read(tiny_report.html)
    for tag in ("script", "img", "b", "style", "iframe"):
        assert len(page.all(tag)) == len(plain.all(tag)), tag
    assert all(not name.startswith("on") for e in page.elements for name in e.attributes)
    assert page.all("h1")[0].text == NASTY
    assert NASTY in [e.text for e in page.all("span", class_="who")]
    assert NASTY in [patient["id"] for patient in page.payload()["patients"]]


def test_identifiers_are_unique_and_every_inner_link_has_its_target(page, nasty) -> None:
    for shown in (page, Page.read(nasty.html)):
        ids = [e.attributes["id"] for e in shown.elements if "id" in e.attributes]
        assert len(ids) == len(set(ids))
        assert all(not re.search(r"\s", name) for name in ids)
        targets = {e.attributes["href"][1:] for e in shown.all("a") if e.attributes["href"].startswith("#")}
        assert targets <= set(ids)
        used = set(re.findall(r"url\(#([^)]+)\)", shown.html))
        assert used <= set(ids)


def test_nothing_is_loaded_from_anywhere(page) -> None:
    loading = {"src", "srcset", "poster", "data", "action", "formaction", "background", "xlink:href"}
    for element in page.elements:
        assert not loading & set(element.attributes)
        assert element.tag not in {"link", "iframe", "object", "embed", "base", "img", "use", "image"}
        if "href" in element.attributes:
            assert element.tag == "a"
            assert element.attributes["href"].startswith(("#", "data:", "https://doi.org/"))
    style = "".join(e.text for e in page.all("style"))
    assert "@import" not in style
    assert "url(" not in style
    script = "".join(e.text for e in page.all("script"))
    for call in ("fetch(", "XMLHttpRequest", "WebSocket", "sendBeacon", "import(", "innerHTML", "eval("):
        assert call not in script


def test_only_our_own_scripts_may_run(page) -> None:
    policy = page.all("meta", http_equiv="Content-Security-Policy")[0].attributes["content"]
    assert policy.startswith("default-src 'none';")
    scripts = [e.text for e in page.all("script") if "type" not in e.attributes]
    assert len(scripts) == 2
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


def test_tables_can_scroll_and_their_headings_have_a_scope(page) -> None:
    tables = page.all("table")
    assert len(tables) > 30
    for table in tables:
        assert any("scroll" in parent.attributes.get("class", "").split() for parent in table.parents)
    assert all(th.attributes.get("scope") in {"col", "row", "colgroup"} for th in page.all("th"))
    regions = page.all("div", role="region")
    assert all(e.attributes["aria-label"] and e.attributes["tabindex"] == "0" for e in regions)


def test_controls_have_names_and_the_skip_link_leads_to_the_report(page) -> None:
    for tag in ("select", "input"):
        assert all(control.inside("label") for control in page.all(tag))
    assert all(button.text or button.attributes.get("aria-label") for button in page.all("button"))
    assert page.all("a", class_="skip")[0].attributes["href"] == "#main"
    assert page.all("main", id="main")
    assert page.all("html")[0].attributes["lang"] == "en"
    levels = [int(e.tag[1]) for e in page.elements if e.tag in {"h1", "h2", "h3", "h4"}]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_same_input_gives_the_same_bytes_whatever_the_row_order(tiny, tiny_report) -> None:
    def turn(frames):
        return {name: frame.reverse() for name, frame in frames.items()}

    study = replace(tiny.study, tables=dict(tiny.study.tables) | turn(dict(tiny.study.tables)))
    turned = render_report(study, turn(tiny.tables), manifest=tiny.manifest)
    assert turned.html == tiny_report.html


def test_another_process_gives_the_same_bytes(tiny_report) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from synthetic import make_case\n"
        "from hccresist.report.page import render_report\n"
        "c = make_case(4, readers=('',), arms=1, visits=3, seed=3)\n"
        "html = render_report(c.study, c.tables, manifest=c.manifest).html\n"
        "import hashlib; print(hashlib.sha256(html.encode()).hexdigest())"
    )
    folder = str(Path(__file__).parent)
    run = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == hashlib.sha256(tiny_report.html.encode()).hexdigest()


def test_the_page_of_a_tiny_study_is_as_it_was(tiny_report, snapshot) -> None:
    html = tiny_report.html
    html = re.sub(r"<svg .*?</svg>", "<svg/>", html, flags=re.DOTALL)
    html = re.sub(r'"data:[^"]*"', '"data:"', html)
    html = re.sub(r"<style>.*?</style>", "<style/>", html, flags=re.DOTALL)
    html = re.sub(r"<script([^>]*)>.*?</script>", r"<script\1/>", html, flags=re.DOTALL)
    html = re.sub(r"'sha256-[^']*'", "'sha256-'", html)
    html = re.sub(r"<summary>All policies.*?</details>", "<summary/></details>", html, flags=re.DOTALL)
    assert html == snapshot


def test_policies_in_force_are_those_of_the_study(case) -> None:
    facts = Facts(case.study, case.tables, case.manifest)
    page = Page.read(f"<div>{sources.build(facts)}</div>")
    changed = page.all("table")[-2].text
    assert re.sub(r"\s+", " ", changed).count("confirm_days 42 28") == 1
    folded = page.all("table")[-1]
    assert folded.inside("details")
    assert all(name in folded.text for name in case.study.config.policies.values())


def test_references_are_printed_with_their_doi(case) -> None:
    facts = Facts(case.study, case.tables, {**case.manifest, "citations": ["recist11", "unheard-of"]})
    page = Page.read(f"<div>{provenance.build(facts)}</div>")
    first, second = page.all("li")
    assert "New response evaluation criteria in solid tumours" in first.text
    links = [a.attributes["href"] for a in page.all("a")]
    assert links == ["https://doi.org/10.1016/j.ejca.2008.10.026"]
    assert "unheard-of" in second.text


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_the_script_runs_in_a_browser_and_draws_the_patient_of_a_link(tiny_report, tmp_path) -> None:
    path = tmp_path / "report.html"
    path.write_text(tiny_report.html, encoding="utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", "--dump-dom"]
    address = f"{path.as_uri()}?theme=dark#patient-HCC-0002"
    result = subprocess.run([*command, address], capture_output=True, text=True, check=True, timeout=120)
    drawn = result.stdout
    assert '<html lang="en" class="js" data-theme="dark">' in drawn
    assert drawn.count('<svg role="img" aria-label="Timeline of HCC-0002') == 1
    assert 'role="tab"' in drawn
    assert "t-verdict" in drawn
    assert "4 of 4 patients" in drawn
