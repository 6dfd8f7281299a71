"""Mechanisms, associations and cards: the page has the numbers of the tables, or says why it has none."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from reading import Page
from test_sections import read_tables

from conftest import render_case
from hccresist.explain.association_time import REFUSED
from hccresist.explain.look import TABLES, Inquiry
from hccresist.explain.signatures import read_signatures
from hccresist.report import words
from hccresist.report.card import MOST_FINDINGS, make_cards
from hccresist.report.facts import Facts
from hccresist.report.figures import associations as drawn_associations
from hccresist.report.figures import mechanisms as drawn_mechanisms
from hccresist.report.figures import overlap, response, survival, swimmer
from hccresist.report.figures.associations import plot_forest, plot_volcano
from hccresist.report.figures.mechanisms import choose_scores, merge_paths, plot_heatmap
from hccresist.report.mechanism_names import FAMILIES, count_samples, name_family, sort_mechanisms
from hccresist.report.page import SECTIONS, render_report
from hccresist.report.sections import associations, mechanisms, sources
from hccresist.study.frames import study_from_frames
from hccresist.study.study import Study

OWN = tuple(section for section in SECTIONS if section.key in {"mechanisms", "associations", "patients"})
NASTY = """<img src=x onerror=alert(1)>" '&amp; </script>"""
TUMOURS = 30


def make_study(
    tumours: int = TUMOURS,
    *,
    expression: bool = True,
    alterations: bool = True,
    response: bool = True,
    **more,
) -> Study:
    """A simulated cohort; the second half responds."""
    rng = np.random.default_rng(7)
    patients = [f"P{at:03d}" for at in range(tumours)]
    samples = [f"S{at:03d}" for at in range(tumours)]
    tables: dict[str, pl.DataFrame] = {"patients": pl.DataFrame({"patient_id": patients})}
    if expression or alterations:
        tables["samples"] = pl.DataFrame({"sample_id": samples, "patient_id": patients})
    if expression:
        held = (
            "T_INFLAMED_GEP18",
            "HALLMARK_HYPOXIA",
            "WNT_BCAT_LIVER_TARGETS",
            "AUTOPHAGY_CORE",
            "IAP_FAMILY",
        )
        sets = [item for item in read_signatures() if item.name in held]
        genes = sorted(
            {gene for item in sets for gene in item.genes} | {f"OR{n}A1" for n in (1, 2)} | {"EGFR"}
        )
        values = rng.normal(6, 2, (len(genes), tumours)).clip(0)
        tables["expression"] = pl.DataFrame({"gene": genes} | dict(zip(samples, values.T, strict=True)))
    if alterations:
        changes = [("CTNNB1", "p.S45P"), ("TP53", "p.R249S"), ("APC", "p.A1540V")]
        rows = [
            (name, *changes[at % 3], "Missense_Mutation") for at, name in enumerate(samples[: tumours // 2])
        ]
        tables["alterations"] = pl.DataFrame(
            rows, schema=["sample_id", "gene", "change", "kind"], orient="row"
        )
    if response:
        best = ["PR" if at >= tumours // 2 else "PD" for at in range(tumours)]
        tables["responses"] = pl.DataFrame(
            {
                "patient_id": patients,
                "day": [56.0] * tumours,
                "overall": best,
                "criterion": ["recist11"] * tumours,
            }
        )
        tables["treatments"] = pl.DataFrame(
            {
                "patient_id": patients,
                "line": [1] * tumours,
                "drug": ["sorafenib"] * tumours,
                "start_day": [0.0] * tumours,
            }
        )
    return study_from_frames(**(tables | more))


def look(study: Study, **options) -> Facts:
    """What explain says of a study, as the report is given it."""
    ask = Inquiry(study=study, tables={}, **options)
    why = {name: table.why_not(study) for name, table in TABLES.items()}
    made = {name: TABLES[name].make(ask) for name, reason in why.items() if not reason}
    return Facts(study, made, {"skipped": {name: reason for name, reason in why.items() if reason}})


@dataclass(frozen=True)
class Shown:
    """Facts and their page."""

    facts: Facts
    page: Page


def show(facts: Facts) -> Shown:
    """Render the sections of explain."""
    result = render_report(facts.study, facts.tables, manifest=facts.manifest, sections=OWN)
    assert result.failures == ()
    return Shown(facts, Page.read(result.html))


@pytest.fixture(scope="module")
def full() -> Shown:
    """Expression, alterations and response."""
    return show(look(make_study()))


@pytest.fixture(scope="module")
def mutations() -> Shown:
    """Alterations alone, without response."""
    return show(look(make_study(12, expression=False, response=False)))


@pytest.fixture(scope="module")
def silent() -> Shown:
    """Expression without response or alterations."""
    return show(look(make_study(12, alterations=False, response=False)))


@pytest.fixture(scope="module")
def none() -> Shown:
    """A study without omics."""
    return show(look(make_study(6, expression=False, alterations=False)))


def section(shown: Shown, key: str):
    return shown.page.all("section", id=key)[0]


# What each kind of study shows


def test_a_study_without_omics_says_so_in_one_line(none) -> None:
    notices = [
        e
        for e in none.page.all("p")
        if e.inside("section", id="mechanisms") and "notice" in e.attributes["class"]
    ]
    assert [e.text for e in notices] == [
        "The study has no expression and no alterations, so nothing is said of mechanisms of resistance."
    ]
    assert none.page.all("figure") == []
    assert "omics" not in none.page.payload()
    assert all("cards" not in patient for patient in none.page.payload()["patients"])


def test_skipped_tables_of_one_reason_stand_together(none) -> None:
    page = Page.read(f"<div>{sources.build(none.facts)}</div>")
    reasons = [e.text for e in page.all("dd")]
    assert len(reasons) == len(set(reasons)) == len(set(none.facts.skipped.values()))
    told = " ".join(e.text for e in page.all("dt"))
    assert all(name in told for name in none.facts.skipped)


def test_mutations_alone_are_shown_without_empty_frames(mutations) -> None:
    text = section(mutations, "mechanisms").text
    assert "The study has no expression: no mechanism is scored, alterations stand alone." in text
    assert "Scores of mechanisms" not in text
    assert mutations.page.all("figure") == []
    card = mutations.page.payload()["patients"][0]["cards"][0]
    assert "score" not in card
    assert [mutations.page.payload()["omics"]["genes"][row[0]][0] for row in card["altered"]] == ["CTNNB1"]


def test_expression_without_response_has_scores_and_no_association(silent) -> None:
    assert [e.attributes["id"] for e in silent.page.all("figure")] == ["mechanism-heatmap"]
    assert "Alterations" not in [e.text for e in silent.page.all("h3")]
    text = section(silent, "associations").text
    assert "Nothing to show: ‘associations’ came out of this run without a row." in text
    assert "Confounders" not in text


def test_a_single_tumour_has_a_card_and_no_heatmap() -> None:
    shown = show(look(make_study(1, response=False)))
    assert shown.page.all("figure") == []
    assert "No two tumours could be compared" in section(shown, "mechanisms").text
    assert len(shown.page.payload()["patients"][0]["cards"]) == 1


# The section on mechanisms


def test_sets_are_counted_by_family_as_the_table_of_coverage_has_them(full) -> None:
    coverage = full.facts.tables["coverage"]
    head, *rows = read_tables(str(mechanisms.build(full.facts)))["Gene sets that were scored, by family"]
    assert head[:4] == ["Family", "Sets", "Scored", "Refused"]
    for family, sets, scored, refused, why in rows:
        part = coverage.filter(
            pl.col("mechanism_id").map_elements(name_family, return_dtype=pl.String) == family
        )
        assert [int(sets), int(scored), int(refused)] == [
            part.height,
            int(part["scored"].sum()),
            int((~part["scored"]).sum()),
        ]
        assert sum(int(n) for n in re.findall(r"(?:^|; )(\d+) ", why)) == int(refused)
    assert sum(int(row[1]) for row in rows) == coverage.height


def test_alterations_are_counted_in_samples_by_hand(full) -> None:
    rows = {
        row[0]: row
        for row in read_tables(str(mechanisms.build(full.facts)))[
            "Genes and loci, by how often they are altered"
        ]
    }
    assert rows["CTNNB1"][2:6] == ["5 (33.3 %)", "0", "10", "0"]
    assert rows["TP53"][2:6] == ["5 (33.3 %)", "0", "10", "0"]
    assert rows["APC"][2:6] == ["0 (0.0 %)", "5", "10", "0"]
    assert rows["TP53"][6] == "p.R249S (5)"
    assert rows["TERT"][2:6] == ["—", "—", "—", "15"]


def test_a_gene_that_few_were_looked_at_for_has_no_percent() -> None:
    rows = pl.DataFrame(
        {
            "sample_id": ["A", "B", "C"],
            "mechanism_id": "GEN-OTH",
            "gene": "TERT",
            "change": ["C228T", "", ""],
            "call": ["altered", "not_measured", "not_measured"],
            "rule": "r",
            "source": "ours",
            "patient_id": ["A", "B", "C"],
        }
    )
    facts = Facts(make_study(3, expression=False, response=False), {"alteration_calls": rows}, {})
    _, row = read_tables(str(mechanisms.build(facts)))["Genes and loci, by how often they are altered"]
    assert row[2:] == ["1 (of 1)", "0", "0", "2", "C228T (1)"]


def test_a_sample_has_the_strongest_call_of_its_changes() -> None:
    base = {"patient_id": "P", "mechanism_id": "GEN-TP53", "gene": "TP53", "rule": "r", "source": "ours"}
    rows = [
        base | {"sample_id": "A", "change": "p.X1", "call": "uncertain"},
        base | {"sample_id": "A", "change": "p.R249S", "call": "altered"},
        base | {"sample_id": "B", "change": "", "call": "not_altered"},
    ]
    counted = count_samples(pl.DataFrame(rows))
    assert counted.select("sample_id", "call", "change").rows() == [
        ("A", "altered", "p.R249S"),
        ("B", "not_altered", ""),
    ]


def test_families_come_in_one_order_and_none_is_forgotten() -> None:
    keys = sort_mechanisms(["SIG-RTK", "TME-CAF", "ZZZ-NEW", "IMM-EXC", "TME-CAF"])
    assert keys == ("TME-CAF", "IMM-EXC", "SIG-RTK", "ZZZ-NEW")
    assert name_family("ZZZ-NEW") == "Other mechanisms"
    assert {item.mechanism_id.split("-")[0] for item in read_signatures()} <= set(FAMILIES)


def test_the_heatmap_holds_the_scores_of_one_set_a_mechanism(full) -> None:
    data = full.page.figure_data("mechanism-heatmap")
    scores = full.facts.tables["mechanism_scores"].filter(pl.col("method") == "cohort_z")
    value = {(r["set"], r["sample_id"]): r["z"] for r in scores.iter_rows(named=True)}
    sets = [name for name in data["set"].to_list() if name]
    assert len(sets) == len(set(sets)) == data.filter(pl.col("set") != "")["row"].n_unique()
    for row in data.filter(pl.col("set").is_not_null() & (pl.col("set") != "")).iter_rows(named=True):
        for sample in ("S000", "S017"):
            assert float(row[sample]) == pytest.approx(value[(row["set"], sample)], abs=5.1e-4)
    tracks = {row["row"]: row for row in data.iter_rows(named=True) if not row["set"]}
    assert tracks["CTNNB1"]["S000"] == "altered"
    assert tracks["TP53"]["S000"] == "not_altered"
    assert tracks["TP53"]["S029"] in {None, ""}, "not measured is not drawn as not altered"


def test_order_of_rows_changes_nothing(full) -> None:
    turned = {name: frame.reverse() for name, frame in full.facts.tables.items()}
    other = show(Facts(full.facts.study, turned, full.facts.manifest))
    assert other.page.html == full.page.html


def test_every_chart_fits_the_schema_of_vega_lite(full, case, monkeypatch) -> None:
    """The report draws without this check, which takes longer than the drawing."""
    seen: list[str] = []

    def check(chart, *, key: str, **_) -> str:
        chart.to_dict(validate=True)
        seen.append(key)
        return '<svg width="1" height="1"></svg>'

    for module in (drawn_associations, drawn_mechanisms, overlap, response, survival, swimmer):
        monkeypatch.setattr(module, "draw", check)
    for made in (
        render_case(case),
        render_report(full.facts.study, full.facts.tables, manifest={}, sections=OWN),
    ):
        assert made.failures == ()
    kinds = {key.partition("-")[0] for key in seen}
    assert {"mechanism", "forest", "volcano", "waterfall", "swimmer"} <= kinds


def test_merged_paths_draw_the_same() -> None:
    first, second = 'fill="#175e7c" fill-opacity="1"', 'fill="#111111" fill-opacity="1"'
    svg = f'<g><path d="M0,0h1Z" {first}/><path d="M1,0h1Z" {first}/><path d="M2,0h1Z" {second}/></g>'
    assert merge_paths(svg) == f'<g><path d="M0,0h1ZM1,0h1Z" {first}/><path d="M2,0h1Z" {second}/></g>'


def test_low_coverage_that_was_accepted_is_marked_in_every_figure_and_table() -> None:
    facts = look(make_study(alterations=False), min_coverage=0.05)
    accepted = set(facts.tables["coverage"].filter("scored", pl.col("reason").is_not_null())["set"])
    assert accepted
    heatmap = plot_heatmap(facts)
    assert heatmap is not None
    drawn = set(choose_scores(facts)[0]["set"]) & accepted
    assert drawn
    assert "† Low coverage accepted" in heatmap.caption
    assert all(name in heatmap.caption for name in drawn)
    assert "†" in heatmap.svg
    rows = facts.tables["associations"].filter(pl.col("test") == "rank")
    for plot in (plot_forest, plot_volcano):
        figure = plot(rows, key="k", title="t", accepted=frozenset(rows["feature"].to_list()))
        assert figure is not None
        assert "† Low coverage accepted" in figure.caption
    assert "†" in str(mechanisms.build(facts))
    card = make_cards(facts, ("P000",))[0]
    assert card is not None
    assert any("accepted" in row[4] for row in card["sets"])


# Associations


def test_every_estimate_stands_in_its_table_with_p_q_and_caveat(full) -> None:
    frame = full.facts.tables["associations"].filter(
        pl.col("outcome") == "response (recist11)", pl.col("test") == "rank"
    )
    known = frame.filter(pl.col("effect").is_not_null())
    head, *rows = read_tables(str(associations.build(full.facts)))["Rank test: every estimate"]
    assert len(rows) == known.height > 3
    cells = {row[0]: dict(zip(head, row, strict=True)) for row in rows}
    for row in known.iter_rows(named=True):
        cell = cells[row["feature"]]
        assert cell["p"] == words.p_value(row["p"])
        assert cell["q"] == words.p_value(row["q"])
        assert cell["Effect (95 % interval)"].startswith(
            f"{row['effect']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
        )
    assert [row[5] for row in rows] == [words.p_value(p) for p in sorted(known["p"].to_list())]


def test_the_words_about_control_are_kept(full) -> None:
    text = section(full, "associations").text
    assert "prognostic or unknown: no control arm" in text
    assert text.index("Confounders first") < text.index("Response, RECIST 1.1")


def test_too_few_to_say_is_an_estimate_without_p_or_rank() -> None:
    rows = pl.DataFrame(
        {
            "feature": ["b", "a", "c", "d"],
            "outcome": "OS",
            "test": "cox",
            "group": "",
            "n": 20,
            "events": 9,
            "effect": [9.0, 2.0, 1.2, 1.5],
            "measure": "hazard ratio",
            "low": [1.0, 1.0, 1.0, 1.0],
            "high": [None, 4.0, 2.0, 2.0],
            "p": [None, None, 0.0004, 0.03],
            "q": [None, None, 0.001, 0.04],
            "null_p": pl.Series([None] * 4, dtype=pl.Float64),
            "caveat": "",
        }
    )
    figure = plot_forest(rows, key="k", title="t", accepted=frozenset())
    assert figure is not None
    assert figure.data["feature"].to_list() == ["c", "d", "a", "b"], "those with p by p, the others by name"
    assert figure.svg.count("too few to say") == 2
    assert "p &lt; 0.001, q 0.001" in figure.svg, "words of a figure keep their decimals"
    assert plot_volcano(rows, key="k", title="t", accepted=frozenset()) is None
    few = rows.filter(pl.col("p").is_null())
    many = pl.concat([few.with_columns(feature=pl.col("feature") + str(at)) for at in range(6)])
    assert plot_forest(few, key="k", title="t", accepted=frozenset()) is not None
    assert plot_forest(many, key="k", title="t", accepted=frozenset()) is None


def test_refused_tests_are_listed_with_their_whole_reason(full) -> None:
    caveat = f"{REFUSED}; prognostic or unknown: no control arm"
    first = pl.col("feature").is_in(["AUTOPHAGY_CORE", "IAP_FAMILY"]) & (pl.col("test") == "rank")
    frame = full.facts.tables["associations"].with_columns(
        effect=pl.when(first).then(None).otherwise(pl.col("effect")),
        caveat=pl.when(first).then(pl.lit(caveat)).otherwise(pl.col("caveat")),
    )
    facts = Facts(full.facts.study, {**full.facts.tables, "associations": frame}, {})
    _, told, *_ = read_tables(str(associations.build(facts)))["Tests without an estimate"]
    assert told == [REFUSED, "Response, RECIST 1.1: rank test", "2", "AUTOPHAGY_CORE, IAP_FAMILY"]
    assert associations.split_caveat(caveat) == [REFUSED, "prognostic or unknown: no control arm"]


# Cards


def test_cards_have_the_scores_alterations_and_findings_of_the_tables(full) -> None:
    data = full.page.payload()
    omics = data["omics"]
    scores = full.facts.tables["mechanism_scores"]
    rank = {
        (r["sample_id"], r["set"]): r["score"]
        for r in scores.filter(pl.col("method") == "rank").iter_rows(named=True)
    }
    placed = {
        (r["sample_id"], r["set"]): r["z"]
        for r in scores.filter(pl.col("method") == "cohort_z").iter_rows(named=True)
    }
    matches = full.facts.tables["evidence_matches"]
    for patient in data["patients"]:
        (card,) = patient["cards"]
        assert card["id"] == patient["id"].replace("P", "S")
        for at, (name, *_) in enumerate(omics["sets"]):
            if (card["id"], name) in rank:
                assert card["score"][at] == pytest.approx(rank[(card["id"], name)], abs=5.1e-4)
                assert card["z"][at] == pytest.approx(placed[(card["id"], name)], abs=5.1e-3)
        own = matches.filter(pl.col("sample_id") == card["id"])
        assert len(card.get("found", [])) == min(own.height, MOST_FINDINGS)
        keys = {
            (r["record_id"], r["feature"], r["stance"], r["same_drug"], r["counted"])
            for r in own.iter_rows(named=True)
        }
        for at, feature, stance, same, _ in card.get("found", []):
            finding = omics["findings"][at]
            key = (
                finding[0],
                omics["texts"][feature],
                "for" if stance else "against",
                bool(same),
                bool(finding[5]),
            )
            assert key in keys
        given = [row[3] for row in card.get("found", [])]
        assert given == sorted(given, reverse=True), "findings on the drug that was given come first"
    refused = {row[0] for row in omics["refused"]}
    coverage = full.facts.tables["coverage"]
    assert set(coverage.filter(~pl.col("scored"))["set"]) <= refused
    assert not refused & {row[0] for row in omics["sets"]}


def test_a_card_is_cut_and_says_by_how_much(full, monkeypatch) -> None:
    monkeypatch.setattr("hccresist.report.card.MOST_FINDINGS", 1)
    matches = full.facts.tables["evidence_matches"]
    often = matches.group_by("patient_id").len().sort("len", "patient_id", descending=True).row(0)
    _, cards = make_cards(full.facts, (often[0],))
    (card,) = cards[often[0]]
    assert len(card["found"]) == 1
    assert card["more"] == often[1] - 1
    assert sum(row[3] for row in card["tally"]) == often[1]


def test_words_of_the_data_are_never_markup(full) -> None:
    tables = dict(full.facts.tables)
    tables["alteration_calls"] = tables["alteration_calls"].with_columns(
        change=pl.lit(NASTY), rule=pl.lit(NASTY), gene=pl.col("gene").replace({"TP53": NASTY})
    )
    tables["associations"] = tables["associations"].with_columns(caveat=pl.lit(NASTY))
    tables["evidence_matches"] = tables["evidence_matches"].with_columns(
        reason=pl.lit(NASTY), drug=pl.lit(NASTY)
    )
    nasty = show(Facts(full.facts.study, tables, {}))
    assert nasty.page.all("img") == []
    assert len(nasty.page.all("script")) == len(full.page.all("script"))
    assert NASTY in nasty.page.payload()["omics"]["texts"]


def test_identifiers_are_unique_and_links_stay_inside(full) -> None:
    ids = [e.attributes["id"] for e in full.page.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    for link in full.page.all("a"):
        assert link.attributes["href"].startswith(("#", "data:"))
    levels = [int(e.tag[1]) for e in full.page.elements if re.fullmatch(r"h[1-6]", e.tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_a_card_is_drawn_in_a_browser(full, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(full.page.html, encoding="utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", "--dump-dom"]
    address = f"{path.as_uri()}#patient-P000"
    run = subprocess.run([*command, address], capture_output=True, text=True, check=True, timeout=120)
    drawn = run.stdout
    assert "Mechanism by mechanism, sample S000" in drawn
    assert "What was not measurable here" in drawn
    assert re.search(r"<b>CTNNB1</b> p\.S45P <span class=\"tag altered\">altered</span>", drawn)
    assert "No percentile: no reference." in drawn
    omics = json.loads(full.page.all("script", id="patients-data")[0].text)["omics"]
    assert omics["method"] == "cohort_z"
