"""Resistance and the closer look: the page has the numbers of the tables, or says why it has none."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import polars as pl
import pytest
from reading import Page
from test_sections import read_tables

from hccresist.assess.patterns import DEFINITIONS
from hccresist.demo import read_demo
from hccresist.flow import run_study
from hccresist.report import words
from hccresist.report.facts import Facts
from hccresist.report.page import SECTIONS, render_report
from hccresist.report.sections import closer, resistance

OWN = tuple(section for section in SECTIONS if section.key in {"resistance", "closer"})
TABLES = (
    "resistance",
    "progressions",
    "robustness",
    "discordance",
    "agreement",
    "patterns",
    "pattern_rates",
    "pattern_combinations",
    "audit",
)
NASTY = """<img src=x onerror=alert(1)>" '&amp; </details>"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Facts:
    """The simulated demo study with all its tables."""
    out = tmp_path_factory.mktemp("demo")
    study = read_demo()
    run_study(study, out=out, stages=("assess",), formats=("parquet",))
    tables = {path.stem: pl.read_parquet(path) for path in sorted(out.glob("*.parquet"))}
    return Facts(study, tables, json.loads((out / "manifest.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def shown(demo) -> dict[str, list[list[str]]]:
    """Cells of every table of both sections."""
    return read_tables(str(resistance.build(demo) + closer.build(demo)))


def test_classes_of_resistance_are_counted_by_arm(demo, shown) -> None:
    rows = {row[0]: row[1:] for row in shown["Class of resistance by arm"]}
    frame = demo.tables["resistance"].join(demo.arm_of, on="patient_id")
    for name, label in resistance.CLASSES.items():
        for cell, group in zip(rows[label], demo.groups, strict=True):
            part = frame if group == "all" else frame.filter(arm=group)
            n = part.filter(pl.col("class") == name).height
            assert cell == f"{n} ({100 * n / part.height:.1f} %)"
    total = sum(int(row[3]) for row in shown["Which rule decided, and whose it is"][1:])
    assert total == frame.height == len(shown["Class of resistance, patient by patient"]) - 1
    sets = {row[2] for row in shown["Which rule decided, and whose it is"]}
    assert "analogue of SITC 2020 for kinase inhibitors (ours)" in sets


def test_components_of_progression_are_counted_by_criterion(demo, shown) -> None:
    rows = {row[0]: row[1:] for row in shown["Components of progression"]}
    views = [{view.label: view for view in demo.views}[label] for label in rows["Component"]]
    assert len(views) == 5  # so many fit beside each other; the sixth has a table of its own
    for name, label in resistance.COMPONENTS.items():
        for cell, view in zip(rows[label], views, strict=True):
            own = {"criterion": view.criterion, "reader": view.reader}
            visits = demo.tables["progressions"].filter(pl.col(name), **own)
            people = words.plural(len(set(visits["patient_id"])), "patient")
            assert cell == (f"{visits.height} ({people})" if visits.height else "0")


def test_the_most_fragile_best_responses_come_first(demo, shown) -> None:
    days = demo.tables["best_response"].rename({"best_day": "day"})
    keys = ["patient_id", "reader", "criterion", "day"]
    both = demo.tables["robustness"].join(days.select(keys), on=keys).drop_nulls("fragility")
    models = {
        name: {row[:4]: row[4] for row in both.filter(error_model=name).select(*keys, "fragility").rows()}
        for name in ("between_readers", "one_reader")
    }
    found = {at: max(model[at] for model in models.values() if at in model) for at in models["one_reader"]}
    best = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:25]
    cells = shown["Best responses by fragility"][1:]
    assert len(cells) == 25
    for row, (at, _) in zip(cells, best, strict=True):
        assert row[0].startswith(at[0])
        assert f"day {at[3]:g}, {words.label_criterion(at[2])}" in row[0]
        assert row[2] == f"{100 * models['between_readers'][at]:.1f} %"
        assert row[3] == f"{100 * models['one_reader'][at]:.1f} %"
    assert (
        f"25 of {len(found)} verdicts shown"
        in Page.read(f"<div>{closer.build(demo)}</div>").all("div")[0].text
    )


def test_differences_and_kappas_are_those_of_the_tables(demo, shown) -> None:
    frame = demo.tables["discordance"]
    pairs = {row[0]: int(row[1]) for row in shown["Patients whose best response differs"][1:]}
    assert sum(pairs.values()) == frame.height
    for reader in ("central", "investigator"):
        own = frame.filter(criterion_a="mrecist", criterion_b="recist11", reader=reader)
        assert pairs[f"mRECIST against RECIST 1.1, reader {reader}"] == own.height > 0
    kappas = (
        demo.tables["agreement"].filter(statistic="cohen_kappa").sort("scope", "first", "second", "within")
    )
    assert [(row[3], row[4], row[5]) for row in shown["Kappa of best responses"][1:]] == [
        (f"{k['value']:.2f}", f"{k['low']:.2f} to {k['high']:.2f}", str(k["n"]))
        for k in kappas.iter_rows(named=True)
    ]


def test_patterns_stand_with_their_denominators(demo, shown) -> None:
    rates = demo.tables["pattern_rates"]
    names = {f"{known.title}{name}": name for name, known in DEFINITIONS.items()}
    seen = 0
    families = ("Hyperprogression", "Pseudoprogression", "Durable response")
    for caption, reader in product(families, ("central", "investigator")):
        head, *rows = shown[f"{caption}, reader {reader}"]
        for row in rows:
            for column, name in (("Of evaluable", "evaluable"), ("Of treated", "treated")):
                cell, _, share = row[head.index(column)].partition(" ")
                met, n = map(int, cell.split("/"))
                own = rates.filter(definition=names[row[0]], reader=reader)
                match = own.filter(denominator=name).row(0, named=True)
                assert (met, n) == (match["met"], match["n"])
                known = own.filter(denominator="evaluable")["n"][0]
                assert share == (f"({match['percent']:.1f} %)" if known else "(none evaluable)")
                seen += 1
    assert seen > 60
    why = demo.tables["patterns"].filter(~pl.col("evaluable"), reason="there is no scan before the baseline")
    row = next(r for r in shown["Why definitions could not be judged"] if r[0] == why["reason"][0])
    assert row[3] == str(why.height)
    patients = [int(row[3]) for row in shown["Definitions that are met together"][1:]]
    assert sum(patients) == demo.tables["pattern_combinations"]["patients"].sum()


def test_findings_of_the_audit_are_counted_by_check(demo) -> None:
    """Findings that are made up: whether the demo has any depends on its patients."""
    made = [("count-of-targets", "error", 2), ("date-order", "warning", 3), ("reader-change", "note", 1)]
    rows = [
        {
            **dict.fromkeys(demo.tables["audit"].columns, "x"),
            "patient_id": f"HCC-{number:04d}",
            "day": 42.0,
            "check": check,
            "severity": severity,
        }
        for check, severity, count in made
        for number in range(1, count + 1)
    ]
    audit = pl.DataFrame(rows, schema=demo.tables["audit"].schema)
    facts = Facts(demo.study, {**demo.tables, "audit": audit}, demo.manifest)
    shown = read_tables(str(closer.build(facts)))
    counts = [(row[0], row[1], int(row[2]), int(row[3])) for row in shown["Findings by check"][1:]]
    assert counts == [(check, severity, count, count) for check, severity, count in made]
    assert len(shown["Findings of the audit, one by one"]) == audit.height + 1


def test_no_table_has_more_than_six_columns(shown) -> None:
    assert all(len(rows[0]) <= 6 for rows in shown.values())


@pytest.mark.parametrize("name", ["resistance", "robustness", "discordance", "patterns", "audit"])
def test_an_absent_table_says_why(demo, name) -> None:
    tables = {key: frame for key, frame in demo.tables.items() if key != name}
    manifest = {**demo.manifest, "skipped": {name: "the study has no <lesions>"}}
    result = render_report(demo.study, tables, manifest=manifest, sections=OWN)
    assert result.failures == ()
    notices = [e.text for e in Page.read(result.html).all("p", class_="notice absent")]
    assert notices == ["Skipped: the study has no <lesions>."]


def test_without_any_table_each_part_says_why(demo) -> None:
    manifest = {"skipped": {"assess": "the study has no lesions"}}
    result = render_report(demo.study, {}, manifest=manifest, sections=OWN)
    assert result.failures == ()
    notices = [e.text for e in Page.read(result.html).all("p", class_="notice absent")]
    assert len(notices) == 9
    assert set(notices) == {"Skipped: the study has no lesions."}


def test_tables_of_the_cohort_give_the_reason_of_what_they_need(demo) -> None:
    tables = {key: frame for key, frame in demo.tables.items() if key not in TABLES}
    reason = "the closer look was not asked for"
    manifest = {"skipped": dict.fromkeys((*TABLES[:4], "patterns", "audit"), reason)}
    text = closer.build(Facts(demo.study, tables, manifest))
    assert text.count(f"Skipped: {reason}.") == 7


def test_an_audit_without_finding_is_told_apart_from_none(demo) -> None:
    tables = {**demo.tables, "audit": demo.tables["audit"].clear()}
    assert "The audit found nothing to report." in closer.build(replace(demo, tables=tables))


def test_a_broken_table_fails_only_its_section(demo) -> None:
    tables = {**demo.tables, "resistance": demo.tables["resistance"].select("patient_id")}
    result = render_report(demo.study, tables, manifest=demo.manifest, sections=OWN)
    assert [failure.section for failure in result.failures] == ["resistance"]


def test_text_of_the_tables_is_never_markup_and_order_of_rows_never_matters(demo) -> None:
    tables = {
        name: frame.with_columns(
            pl.when(pl.col("patient_id") == "HCC-0031")
            .then(pl.lit(NASTY))
            .otherwise("patient_id")
            .alias("patient_id")
        )
        if "patient_id" in frame.columns
        else frame
        for name, frame in demo.tables.items()
    }
    for name, column in (("resistance", "reason"), ("discordance", "reason"), ("audit", "found")):
        tables[name] = tables[name].with_columns(pl.lit(NASTY).alias(column))
    result = render_report(demo.study, tables, manifest=demo.manifest, sections=OWN)
    assert result.failures == ()
    page = Page.read(result.html)
    assert page.all("img") == []
    assert any(NASTY in e.text for e in page.all("td"))
    turned = {name: frame.reverse() for name, frame in tables.items()}
    assert render_report(demo.study, turned, manifest=demo.manifest, sections=OWN).html == result.html
