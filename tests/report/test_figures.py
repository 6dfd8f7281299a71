"""Figures: their numbers are the tables' numbers, and what is left out is said."""

from __future__ import annotations

import re

import altair as alt
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hccresist.assess.results import RESULTS
from hccresist.report import words
from hccresist.report.facts import Facts, View
from hccresist.report.figures import response, survival, swimmer
from hccresist.report.figures.figure import Figure, draw, month_axis, thin
from hccresist.study.study import Study

VIEWS = [View(c, r) for c in ("recist11", "mrecist", "irecist") for r in ("R1", "R2")]


def of(frame: pl.DataFrame, view: View) -> pl.DataFrame:
    return frame.filter(pl.col("criterion") == view.criterion, pl.col("reader") == view.reader)


def rows(frame: pl.DataFrame, *columns: str) -> set[tuple[object, ...]]:
    return set(frame.select(columns).iter_rows())


def test_every_figure_offers_its_data_and_its_picture(page) -> None:
    figures = {e.attributes["id"] for e in page.all("figure")}
    assert len(figures) == 1 + 3 * len(VIEWS) + 1 + 2 * len(VIEWS) + len(VIEWS)
    assert set(page.saved("csv")) == figures
    pictures = page.saved("svg")
    assert set(pictures) == figures
    for key, picture in pictures.items():
        assert picture.startswith("<svg "), key
        assert 'xmlns="http://www.w3.org/2000/svg"' in picture, key


def test_every_figure_says_in_words_what_it_shows(page) -> None:
    pictures = [e for e in page.all("svg") if e.inside("figure")]
    assert len(pictures) == len(page.all("figure"))
    for picture in pictures:
        assert picture.attributes["role"] == "img"
        assert len(picture.attributes["aria-label"]) > 40
    captions = [e.text.strip() for e in page.all("figcaption")]
    assert all(len(text) > 40 for text in captions)


@pytest.mark.parametrize("view", VIEWS, ids=lambda v: v.key)
def test_waterfall_holds_the_smallest_change_up_to_progression(case, page, view) -> None:
    drawn = page.figure_data(f"waterfall-{view.key}")
    last = dict(of(case.tables["best_response"], view).select("patient_id", "progression_day").iter_rows())
    changes: dict[str, list[float]] = {}
    for row in of(case.tables["timepoints"], view).iter_rows(named=True):
        stop = last[row["patient_id"]]
        value = row["change_from_baseline_percent"]
        if value is not None and row["target"] != "NE" and (stop is None or row["day"] <= stop):
            changes.setdefault(row["patient_id"], []).append(value)
    expected = {patient: min(values) for patient, values in changes.items()}
    assert dict(drawn.select("patient_id", "best_change_percent").iter_rows()) == expected
    values = drawn["best_change_percent"].to_list()
    assert values == sorted(values, reverse=True)
    assert rows(drawn, "patient_id", "best") <= rows(
        of(case.tables["best_response"], view), "patient_id", "best"
    )


@pytest.mark.parametrize("view", VIEWS, ids=lambda v: v.key)
def test_spider_holds_rows_of_timepoints_and_starts_at_baseline(case, page, view) -> None:
    drawn = page.figure_data(f"spider-{view.key}")
    visits = drawn.filter(pl.col("overall") != "baseline")
    columns = ("patient_id", "day", "change_from_baseline_percent", "overall", "new_lesion")
    assert rows(visits, *columns) <= rows(of(case.tables["timepoints"], view), *columns)
    assert visits.height > 100
    start = drawn.filter(pl.col("overall") == "baseline")
    assert set(start["change_from_baseline_percent"]) == {0.0}
    assert rows(start, "patient_id", "day") <= rows(of(case.tables["baselines"], view), "patient_id", "day")


@pytest.mark.parametrize("view", VIEWS, ids=lambda v: v.key)
def test_swimmer_holds_the_days_of_treatment_response_progression_and_death(case, page, view) -> None:
    drawn = page.figure_data(f"swimmer-{view.key}")
    assert drawn.height == 60
    columns = ("patient_id", "best", "first_response_day", "progression_day")
    assert rows(drawn, *columns) == rows(of(case.tables["best_response"], view), *columns)
    survived = case.study.tables["survival"]
    dead = drawn.filter("died").select("patient_id", os_days="last_day")
    assert rows(dead, "patient_id", "os_days") == rows(survived.filter("died"), "patient_id", "os_days")
    first = case.study.tables["treatments"].filter(pl.col("line") == 1)
    assert rows(drawn, "patient_id", "treatment_start_day") == rows(first, "patient_id", "start_day")
    ended = drawn.filter(~pl.col("treatment_ongoing"))
    assert rows(ended, "patient_id", "treatment_end_day") == rows(
        first.filter(pl.col("end_day").is_not_null()), "patient_id", "end_day"
    )


def test_best_response_counts_are_those_of_the_table(case, page) -> None:
    drawn = page.figure_data("best-response")
    counted = case.tables["best_response"].group_by("criterion", "reader", "best").len("n")
    columns = ("criterion", "reader", "best", "n")
    assert rows(drawn, *columns) == rows(counted, *columns)


@pytest.mark.parametrize(
    ("key", "endpoint", "view"),
    [
        ("survival-OS", "OS", View("", "")),
        *(((f"survival-PFS-{v.key}", "PFS", v)) for v in VIEWS[:4]),
        ("survival-iPFS-irecist-R2", "iPFS", VIEWS[5]),
        *(((f"incidence-PFS-{v.key}", "PFS", v)) for v in VIEWS[:4]),
    ],
)
def test_curves_are_the_rows_of_the_table_for_the_arms(case, page, key, endpoint, view) -> None:
    table = "survival_curves" if key.startswith("survival") else "cumulative_incidence"
    expected = of(case.tables[table], view).filter(pl.col("endpoint") == endpoint, pl.col("group") != "all")
    drawn = page.figure_data(key)
    sort = [name for name in ("group", "cause", "days") if name in expected.columns]
    assert_frame_equal(
        drawn.with_columns(pl.col(pl.String).fill_null("")).sort(sort),
        expected.with_columns(pl.col(pl.String).fill_null("")).sort(sort),
        check_dtypes=False,
        check_column_order=False,
    )


def test_numbers_at_risk_stand_in_the_picture(case, page) -> None:
    picture = page.saved("svg")["survival-OS"]
    shown = re.findall(r">(\d+)</text>", picture)
    curves = case.tables["survival_curves"].filter(pl.col("endpoint") == "OS", pl.col("group") != "all")
    ticks, _ = month_axis(float(curves["days"].max()))
    for (group,), part in curves.group_by("group"):
        for tick in ticks:
            later = part.filter(pl.col("days") >= tick).sort("days")
            n = later["at_risk"][0] if later.height else 0
            assert str(n) in shown, (group, tick)


def test_numbers_at_risk_are_those_just_before_the_day() -> None:
    curves = pl.DataFrame(
        {"group": ["all"] * 3, "days": [10.0, 20.0, 30.0], "at_risk": [5, 3, 1]},
    )
    found = survival.compute_at_risk(curves, [0.0, 10.0, 15.0, 30.0, 31.0])
    assert found["at_risk"].to_list() == [5, 5, 3, 1, 0]


def make_facts(changes: list[float]) -> Facts:
    """One visit a patient with these changes, under recist11, no arms, no treatments."""
    ids = [f"P{i:05d}" for i in range(len(changes))]
    key = {"reader": [""] * len(ids), "criterion": ["recist11"] * len(ids)}
    visits = pl.DataFrame(
        {"patient_id": ids, **key, "day": [56.0] * len(ids), "target": ["SD"] * len(ids)}
    ).with_columns(
        overall=pl.lit("SD"),
        change_from_baseline_percent=pl.Series(changes, dtype=pl.Float64),
        new_lesion=pl.lit(value=False),
    )
    best = pl.DataFrame({"patient_id": ids, **key, "best": ["SD"] * len(ids)}).with_columns(
        first_response_day=pl.lit(None, dtype=pl.Float64), progression_day=pl.lit(None, dtype=pl.Float64)
    )
    tables = {"timepoints": visits, "best_response": best, "baselines": RESULTS["baselines"].create_empty()}
    return Facts(Study(tables={"patients": pl.DataFrame({"patient_id": ids})}), tables, {})


def test_large_growth_is_cut_in_the_picture_and_kept_in_the_data() -> None:
    facts = make_facts([500.0, 20.0, -40.0])
    figure = response.plot_waterfall(facts, View("recist11", ""))
    assert figure is not None
    assert figure.data["best_change_percent"].to_list() == [500.0, 20.0, -40.0]
    assert "1 bar above +120 % cut there" in figure.caption


def test_thousands_of_patients_are_thinned_and_the_figures_say_so() -> None:
    facts = make_facts([100 * (i / 2000) - 50 for i in range(2000)])
    view = View("recist11", "")
    for figure, limit, unit in (
        (response.plot_waterfall(facts, view), response.MAX_BARS, "rank"),
        (response.plot_spider(facts, view), response.MAX_LINES, "rank of best change"),
        (swimmer.plot_swimmer(facts, view), swimmer.MAX_LANES, "length of observation"),
    ):
        assert isinstance(figure, Figure)
        assert figure.data["patient_id"].n_unique() == limit
        said = f"{words.count(limit)} of {words.count(2000)} patients drawn, evenly spaced by {unit}"
        assert said in figure.caption
        assert len(figure.svg) < 1_000_000


def test_more_arms_than_colours_are_told_apart_or_left_to_the_data() -> None:
    n = 9
    base = make_facts([float(i) for i in range(n)])
    arms = pl.DataFrame(
        {"patient_id": base.study.patients["patient_id"], "arm": [f"arm {i}" for i in range(n)]}
    )
    facts = Facts(Study(tables={"patients": arms}), base.tables, {})
    waterfall = response.plot_waterfall(facts, View("recist11", ""))
    assert waterfall is not None
    assert "too many arms for a strip of colours" in waterfall.caption
    assert waterfall.data["arm"].n_unique() == n
    curves = pl.DataFrame({"group": [*facts.arms, "all"], "days": [30.0] * (n + 1)}).with_columns(
        survival=pl.lit(0.5), low=pl.lit(0.2), high=pl.lit(0.8), at_risk=pl.lit(2), censored=pl.lit(0)
    )
    figure = survival.plot_survival(facts, curves, endpoint="OS", key="km", where="")
    assert "intervals (log–log) are in the data" in figure.caption
    styles = re.findall(
        r'<path[^>]*stroke="(#[0-9a-f]{6})"[^>]*stroke-width="2"[^>]*stroke-dasharray="([^"]*)"', figure.svg
    )
    assert len(set(styles)) == n
    incidence = curves.with_columns(cause=pl.lit("progression"), incidence=pl.lit(0.5))
    drawn = survival.plot_incidence(facts, incidence, endpoint="PFS", key="cif", where="")
    assert drawn.data["group"].to_list() == ["all"]
    assert "All arms together" in drawn.caption


def test_nothing_measured_gives_no_waterfall_and_no_spider() -> None:
    facts = make_facts([])
    assert response.plot_waterfall(facts, View("recist11", "")) is None
    assert response.plot_spider(facts, View("recist11", "")) is None
    assert swimmer.plot_swimmer(facts, View("recist11", "")) is None


@pytest.mark.parametrize(("n", "limit"), [(1, 3), (3, 3), (4, 3), (100, 7), (5000, 1200)])
def test_thinning_keeps_order_and_both_ends(n, limit) -> None:
    kept = thin(pl.DataFrame({"x": range(n)}), limit)["x"].to_list()
    assert len(kept) == min(n, limit)
    assert (kept[0], kept[-1]) == (0, n - 1)
    assert kept == sorted(set(kept))


@pytest.mark.parametrize("days", [1.0, 29.0, 365.25, 1000.0, 4000.0, 20000.0])
def test_ticks_are_whole_months_within_the_axis_and_few(days) -> None:
    ticks, _ = month_axis(days)
    assert ticks[0] == 0
    assert ticks[-1] <= days
    assert len(ticks) <= 20
    months = [tick / words.DAYS_PER_MONTH for tick in ticks]
    assert all(abs(m - round(m)) < 1e-9 for m in months)


def test_the_picture_is_lean_and_its_identifiers_carry_the_figure(facts) -> None:
    view = facts.views[0]
    figure = response.plot_waterfall(facts, view)
    assert figure is not None
    assert re.findall(r"\d\.\d{3,}", figure.svg) == []
    assert 'display="none"' not in figure.svg
    for name in re.findall(r'id="([^"]+)"', figure.svg):
        assert name.startswith(figure.key)


def test_drawing_keeps_every_bar(facts) -> None:
    figure = response.plot_waterfall(facts, facts.views[0])
    assert figure is not None
    bars = re.search(r'class="mark-rect role-mark[^"]*layer_0[^"]*"[^>]*>(.*?)</g>', figure.svg)
    assert bars is not None
    assert bars[1].count("<path") == figure.data.height


def test_identifiers_inside_a_picture_are_made_unique() -> None:
    chart = alt.Chart(alt.NamedData("rows")).mark_point(clip=True).encode(x="x:Q", y="y:Q")
    svg = draw(chart, key="my-figure", rows={"rows": pl.DataFrame({"x": [1], "y": [2]})})
    assert 'id="my-figure-clip' in svg
    assert "url(#my-figure-clip" in svg
