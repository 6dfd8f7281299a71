"""Sections: the numbers in the tables of the page are those of the result tables."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import Page

from hccresist.report import words
from hccresist.report.facts import Facts, View
from hccresist.report.figures.response import plot_best_responses
from hccresist.report.sections import agreement, overview, response, survival


def read_tables(html: str) -> dict[str, list[list[str]]]:
    """Rows of cells of every table, by caption."""
    page = Page.read(f"<div>{html}</div>")
    found: dict[str, list[list[str]]] = {}
    for table in page.all("table"):
        caption = next(e.text for e in page.all("caption") if table in e.parents)
        rows = [e for e in page.all("tr") if table in e.parents]
        cells = [
            [
                re.sub(r"\s+", " ", c.text).strip()
                for c in page.elements
                if c.tag in {"td", "th"} and row in c.parents
            ]
            for row in rows
        ]
        found.setdefault(caption, cells)
    return found


def find(frame: pl.DataFrame, **values: object) -> dict[str, object]:
    return frame.filter(*(pl.col(name) == value for name, value in values.items())).row(0, named=True)


@pytest.mark.usefixtures("undrawn")
def test_rates_stand_with_events_denominator_and_interval(case, facts) -> None:
    shown = read_tables(str(response.build(facts)))["Rates with exact 95 % intervals"]
    assert shown[0] == ["Rate", "All patients", "Lenvatinib", "Lenvatinib + TACE"]
    assert len(shown) == 7
    for row in shown[1:]:
        measure = row[0].split(", ")[1]
        for cell, group in zip(row[1:], facts.groups, strict=True):
            rate = find(
                case.tables["rates"],
                criterion="recist11",
                reader="R1",
                group=group,
                measure=measure,
                confirmed=row[0].endswith("confirmed"),
            )
            low, high = f"{rate['low']:.1f}", f"{rate['high']:.1f}"
            assert cell == f"{rate['events']}/{rate['n']}, {rate['percent']:.1f} %({low} to {high})"


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("column", "caption"),
    [
        ("best", "Best response, confirmation not required"),
        ("best_confirmed", "Best response, confirmation required"),
    ],
)
def test_best_responses_are_counted_by_arm(case, facts, column, caption) -> None:
    shown = read_tables(str(response.build(facts)))[caption]
    best = case.tables["best_response"].filter(pl.col("criterion") == "recist11", pl.col("reader") == "R1")
    best = best.join(case.study.patients.select("patient_id", "arm"), on="patient_id")
    assert [row[0] for row in shown[1:6]] == ["CR", "PR", "SD", "PD", "NE"]
    for row in shown[1:6]:
        for cell, group in zip(row[1:], facts.groups, strict=True):
            part = best if group == "all" else best.filter(pl.col("arm") == group)
            n = int((part[column] == row[0]).sum())
            assert cell == f"{n} ({100 * n / part.height:.1f} %)"
    assert shown[-1] == ["Patients", "60", "30", "30"]


def test_patients_whom_a_reader_did_not_assess_are_counted_and_named(tiny) -> None:
    best = tiny.tables["best_response"].filter(pl.col("patient_id") != "HCC-0002")
    facts = Facts(tiny.study, {"best_response": best}, {})
    table = response._best(facts, View("recist11", ""), "best", "caption")
    assert table is not None
    rows = {re.sub("<[^>]+>", "", str(row[0])): re.sub("<[^>]+>", "", str(row[1])) for row in table.rows}
    assert rows["not assessed"] == "1 (25.0\u00a0%)"
    assert rows["Patients"] == "4"
    figure = plot_best_responses(facts)
    assert "A bar that ends before 100 % leaves patients" in figure.caption
    assert figure.data.filter(pl.col("criterion") == "recist11")["percent"].sum() == 75


def test_at_a_glance_repeats_rates_and_medians(case, facts) -> None:
    (shown,) = read_tables(str(overview.build(facts))).values()
    assert [row[0] for row in shown[1:]] == [view.label for view in facts.views]
    for row, view in zip(shown[1:], facts.views, strict=True):
        for cell, measure, confirmed in (
            (row[1], "ORR", False),
            (row[2], "ORR", True),
            (row[3], "DCR", False),
        ):
            rate = find(
                case.tables["rates"],
                criterion=view.criterion,
                reader=view.reader,
                group="all",
                measure=measure,
                confirmed=confirmed,
            )
            assert cell == f"{rate['percent']:.1f} %{rate['low']:.1f} to {rate['high']:.1f}"
        name = "iPFS" if view.criterion == "irecist" else "PFS"
        median = find(
            case.tables["survival_summary"],
            criterion=view.criterion,
            reader=view.reader,
            endpoint=name,
            group="all",
            statistic="median",
        )
        assert row[4].startswith(f"{float(median['value']) / (365.25 / 12):.1f} (")


def test_cross_tables_count_every_patient_once(case, facts) -> None:
    crosses = agreement._compare_criteria(facts) + agreement._compare_readers(facts)
    assert len(crosses) == 3 * 2 + 3
    for cross in crosses:
        assert cross.total == sum(map(sum, cross.counts)) == 60
    first = crosses[0]
    best = case.tables["best_response"].filter(pl.col("reader") == "R1")
    a = dict(best.filter(pl.col("criterion") == "recist11").select("patient_id", "best").iter_rows())
    b = dict(best.filter(pl.col("criterion") == "mrecist").select("patient_id", "best").iter_rows())
    for i, row in enumerate(first.rows):
        for j, column in enumerate(first.columns):
            assert first.counts[i][j] == sum(a[p] == row and b[p] == column for p in a)
    assert first.same == sum(a[p] == b[p] for p in a)


def test_irecist_agrees_with_recist_by_meaning_and_unconfirmed_progression_does_not() -> None:
    same = [("CR", "iCR"), ("SD", "iSD"), ("PD", "iCPD"), ("NON-CR/NON-PD", "NON-iCR/NON-iUPD"), ("NE", "NE")]
    assert all(agreement.is_same(a, b) and agreement.is_same(b, a) for a, b in same)
    assert not agreement.is_same("PD", "iUPD")
    assert not agreement.is_same("iUPD", "iCPD")


def test_one_criterion_and_one_reader_are_compared_with_nothing(tiny) -> None:
    tables = {name: f.filter(pl.col("criterion") == "recist11") for name, f in tiny.tables.items()}
    text = str(agreement.build(Facts(tiny.study, tables, {})))
    assert "Only one criterion was assessed" in text
    assert "The study has one reader" in text


@pytest.mark.usefixtures("undrawn")
def test_medians_landmarks_and_comparisons_are_those_of_the_summary(case, facts) -> None:
    shown = read_tables(str(survival.build(facts)))
    medians = shown["Median, follow-up and restricted mean, in days (95 % interval)"]
    summary = case.tables["survival_summary"].filter(pl.col("endpoint") == "OS")
    for row, group in zip(medians[1:], facts.groups, strict=True):
        found = find(summary, group=group, statistic="median")
        assert row[1] == f"{found['events']}/{found['n']}"
        assert row[2].startswith(f"{found['value']:.0f} ({found['low']:.0f} to {found['high']:.0f})")
    landmarks = shown["Without the event at landmarks (95 % interval)"]
    assert landmarks[0] == ["Group", "6 months", "12 months", "18 months"]
    year = find(summary, group="all", statistic="rate", at_days=365.25)
    assert landmarks[1][2].startswith(f"{year['value']:.1f} % ({year['low']:.0f} to")
    compared = shown["Comparisons (95 % interval)"]
    assert compared[0] == ["Groups", "Hazard ratio (Cox)", "Log-rank test, p"]
    assert compared[1] == ["Lenvatinib + TACE vs Lenvatinib", "0.71 (0.50 to 1.02)", "0.061"]


def test_chi_square_stands_in_the_remark_of_the_p_value_and_days_are_days() -> None:
    rows = [
        summary_row(group="B vs A", statistic="logrank_chi2", value=2.5, note="chi-square 2.50"),
        summary_row(group="B vs A", statistic="logrank_p", value=0.0004, note="chi-square 2.50"),
        summary_row(group="B vs A", statistic="rmst_difference", value=-36.4, low=-96.0, high=25.0),
        summary_row(group="C vs A", statistic="hazard_ratio", note="not estimable: no event"),
    ]
    frame = pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.col("value").cast(pl.Float64))
    table = survival._comparisons(frame)
    assert table is not None
    assert table.head[1:] == (
        "Hazard ratio (Cox)",
        "Log-rank test, p",
        "Difference of restricted means, days",
    )
    (first, second) = ([re.sub("<[^>]+>", "|", str(cell)) for cell in row] for row in table.rows)
    assert first == ["B vs A", "—", "&lt; 0.001||chi-square 2.50|", "−36 |(−96 to 25)|"]
    assert second == ["C vs A", "|not estimable: no event|", "—", "—"]


def summary_row(**values: object) -> dict[str, object]:
    row: dict[str, object] = {"statistic": "median", "at_days": 0.0, "value": None, "low": None, "high": None}
    return {**row, "n": 9, "events": 2, "note": None, "group": "all", **values}


@pytest.mark.parametrize("note", ["not reached", "not estimable: no event"])
def test_not_reached_and_not_estimable_stay_two_things(facts, note) -> None:
    summary = pl.DataFrame([summary_row(note=note)], infer_schema_length=None)
    table = survival._medians(facts, summary.with_columns(pl.col("value", "low", "high").cast(pl.Float64)))
    assert table is not None
    assert note in str(table.rows[0][2])


def test_a_remark_on_a_number_is_shown_below_the_table(facts) -> None:
    summary = pl.DataFrame([summary_row(value=100.0, low=50.0, note="upper limit not reached")])
    table = survival._medians(facts, summary.with_columns(pl.col("high").cast(pl.Float64)))
    assert table is not None
    assert table.note == "All patients: upper limit not reached."


def test_views_follow_the_study_and_lead_with_the_primary_reader(facts) -> None:
    order = [
        ("recist11", "R1"),
        ("recist11", "R2"),
        ("mrecist", "R1"),
        ("mrecist", "R2"),
        ("irecist", "R1"),
        ("irecist", "R2"),
    ]
    assert facts.views == tuple(View(c, r) for c, r in order)
    assert facts.lead_reader == "R1"


def test_units_and_guides_come_from_the_criterion(facts) -> None:
    assert facts.unit("recist11") == "mm"
    assert facts.unit("who") == "mm²"
    assert facts.guides("recist11") == (-30.0, 20.0)
    assert facts.guides("who") == (-50.0, 25.0)
    assert facts.guides("a name of the clinic") == ()


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(0, 3))
def test_numbers_are_shown_with_a_true_minus_and_never_as_minus_nothing(value, digits) -> None:
    text = words.number(value, digits)
    assert "-" not in text
    assert float(text.replace("−", "-")) == pytest.approx(value, abs=0.5000001 * 10**-digits)
    if float(text.replace("−", "-")) == 0:
        assert not text.startswith("−")


@given(st.lists(st.text(min_size=1), unique=True, max_size=6))
def test_different_names_get_different_anchors(names) -> None:
    slugs = [words.slug(name) for name in names]
    assert len(set(slugs)) == len(slugs)
    assert all(re.fullmatch(r"[A-Za-z0-9._~:-]+", slug) for slug in slugs)


def test_the_nothing_of_a_table_is_a_dash() -> None:
    assert {words.number(None), words.percent(None), words.interval(None, None), words.p_value(None)} == {"—"}
