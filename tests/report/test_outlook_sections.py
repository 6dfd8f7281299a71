"""The twin on the page: section and card have what the tables have, how wide, and are research only."""

from __future__ import annotations

import json
import shutil
import subprocess

import polars as pl
import pytest
from reading import Page
from synthetic import make_case

from hccresist.overcome.strategy_results import Strategies
from hccresist.overcome.twin_results import Outlook, OutlookFit
from hccresist.overcome.twin_words import FEW, RESEARCH
from hccresist.report.facts import Facts
from hccresist.report.figures import outlook as figures
from hccresist.report.outlooks import drop_refrain, list_resistance, make_outlooks, name_horizon
from hccresist.report.page import SECTIONS, render_report
from hccresist.report.plans import make_plans
from hccresist.report.sections import outlook

OWN = tuple(section for section in SECTIONS if section.key in {"outlook", "patients"})
NASTY = """<img src=x onerror=alert(1)>" '&amp; </script>"""
HORIZONS = (84.0, 168.0, 365.0)
CHANCES = {"response": 0.1, "progression": 0.5, "death": 0.3}


def make_rows(patient: str, *, particles: float = 30.0, candidate: str = "") -> list[dict[str, object]]:
    """Rows of a twin, on sorafenib and on a candidate; every number is made up."""
    rows: list[dict[str, object]] = []
    for course in ("sorafenib", candidate):
        for days in HORIZONS if course else ():
            for quantity, value in {**CHANCES, "sum_change_percent": 12.0}.items():
                factor = 1.0 if quantity in CHANCES else 100.0
                rows.append(
                    {
                        "patient_id": patient,
                        "role": "candidate" if course == candidate else "present",
                        "drugs": course,
                        "strategy_id": "S1" if course == candidate else None,
                        "day": 112.0,
                        "horizon_days": days,
                        "quantity": quantity,
                        "value": value,
                        "low": value - 0.05 * factor,
                        "high": value + 0.2 * factor,
                        "prior_value": value,
                        "prior_low": value - 0.1 * factor,
                        "prior_high": value + 0.4 * factor,
                        "narrowing": 0.5,
                        "particles": particles,
                        "notes": f"a note of its own; {RESEARCH}",
                    }
                )
    return rows


def make_fit(patient: str, effective: float | None, notes: str = "") -> dict[str, object]:
    """What conditioned a twin."""
    return {
        "patient_id": patient,
        "data": "2 lesions at baseline (80 mm)" if effective else "",
        "observations": 7 if effective else 0,
        "effective": effective,
        "prior_effective": None,
        "indistinct": "hif, emt;; stem, upr" if effective else "",
        "notes": f"{notes}; {RESEARCH}" if effective else notes,
    }


def make_strategy(patient: str, gain: tuple[float, float, float]) -> dict[str, object]:
    """A strategy that was simulated."""
    schema = {name: column.dtype for name, column in Strategies.columns().items()}
    blank = {name: "" if kind == pl.String else None for name, kind in schema.items()}
    blank |= {name: 0 for name, kind in schema.items() if kind.is_numeric()}
    return blank | {
        "counted": True,
        "patient_id": patient,
        "rank": 1,
        "strategy_id": "S1",
        "strategy": "Lenvatinib after sorafenib",
        "drugs": "lenvatinib",
        "simulated_gain": gain[0],
        "simulated_gain_low": gain[1],
        "simulated_gain_high": gain[2],
        "simulated_measure": "alive",
    }


@pytest.fixture(scope="module")
def facts() -> Facts:
    """Four patients: a firm twin with a candidate, one on few virtual patients, two without."""
    case = make_case(4, readers=("",), arms=1, visits=3, seed=3)
    first, second, third, fourth = case.study.patients["patient_id"].sort().to_list()
    rows = [*make_rows(first, candidate="lenvatinib"), *make_rows(second, particles=2.0)]
    fits = [
        make_fit(first, 30.0, "standard doses were assumed"),
        make_fit(second, 2.0),
        make_fit(third, None, "no twin: died on day 90: nothing to look ahead to"),
        make_fit(fourth, None, "no twin: died on day 412: nothing to look ahead to"),
    ]
    schema = {name: column.dtype for name, column in Strategies.columns().items()}
    gains = [make_strategy(first, (0.08, 0.01, 0.2)), make_strategy(second, (-0.04, -0.1, -0.01))]
    tables = dict(case.tables) | {
        "outlook": Outlook.validate(pl.DataFrame(rows), cast=True),
        "outlook_fit": OutlookFit.validate(pl.DataFrame(fits), cast=True),
        "strategies": pl.DataFrame(gains, schema=schema),
    }
    return Facts(case.study, tables, case.manifest)


@pytest.fixture(scope="module")
def page(facts) -> Page:
    """The section and the patients."""
    result = render_report(facts.study, facts.tables, manifest=facts.manifest, sections=OWN)
    assert [failure.trace for failure in result.failures] == []
    return Page.read(result.html)


def read_section(page: Page) -> str:
    """Words of the section, blanks joined."""
    return " ".join(page.all("section", id="outlook")[0].text.split())


def test_the_section_says_first_that_it_is_research_only_and_what_is_assumption(page) -> None:
    own = (e for e in page.all("p") if e.inside("section", id="outlook"))
    notices = [e.text for e in own if "notice" in e.attributes.get("class", "")]
    assert notices[0] == outlook.RESEARCH
    assert notices[1] == outlook.CHECKED
    for sentence in outlook.ASSUMED:
        assert sentence in read_section(page)


def test_it_counts_twins_and_those_on_few_virtual_patients(page) -> None:
    text = read_section(page)
    assert "2 of 4 patients have a twin. In 1 of them it rests on fewer than 10 virtual patients" in text
    assert "died: nothing to look ahead to 2" in text


def test_it_tells_how_wide_the_intervals_are_and_how_far_data_narrowed_them(page) -> None:
    text = read_section(page)
    # width 0.25 and prior 0.5 of a chance; of the sum 25 and 50 %
    assert "24 weeks Progression 2 50 (50 to 50) 25 50 50\u00a0%".replace("\u00a0", " ") in text.replace(
        "\u00a0", " "
    )
    assert "12 months Change of the sum 2 12 (12 to 12) 25 50 50 %" in text.replace("\u00a0", " ")


def test_candidates_are_counted_by_patients_above_and_below_nothing_gained(page) -> None:
    text = read_section(page).replace("−", "-")
    # gains of 8 and -4 points, widths of 19 and 9
    assert "lenvatinib · S1 2 2 (-4 to 8) 14 1 1" in text


def test_handles_that_scans_cannot_tell_apart_are_named(page) -> None:
    text = read_section(page)
    assert "Scans alone cannot tell these handles apart" in text
    assert "hif, emt" in text
    assert "stem, upr" in text


def test_the_figure_draws_twins_on_few_virtual_patients_hollow(facts, monkeypatch) -> None:
    drawn: dict[str, pl.DataFrame] = {}
    monkeypatch.setattr(figures, "draw", lambda *_, rows, **__: drawn.update(rows) or "<svg/>")
    figure = figures.plot_twins(facts.tables["outlook"], quantity="death", horizon=365.0, few=FEW)
    assert figure is not None
    rows = drawn["rows"]
    assert rows["firm"].to_list() == [True, False]
    assert rows["said"].to_list() == ["30 % (25 to 50)"] * 2
    assert rows.select("prior_low", "prior_high").row(0) == pytest.approx((20.0, 70.0))
    none = figures.plot_twins(facts.tables["outlook"], quantity="death", horizon=1.0, few=FEW)
    assert none is None


def test_a_card_has_every_number_of_the_table(facts) -> None:
    first = facts.tables["outlook"]["patient_id"][0]
    shared, twins = make_outlooks(facts, (first,))
    assert shared is not None
    assert list(twins) == [first]
    twin = twins[first]
    table = facts.tables["outlook"].filter(pl.col("patient_id") == first)
    assert len(twin["rows"]) == table.height
    told = {
        (shared["courses"][c][0], shared["horizons"][h][0], shared["quantities"][q], *numbers)
        for c, h, q, *numbers, _ in twin["rows"]
    }
    assert ("Going on as now: sorafenib", 84, "Death", 0.3, 0.25, 0.5, 0.3, 0.2, 0.7, 0.5) in told
    assert ("lenvatinib", 365, "Change of the sum", 12, 7, 32, 12, 2, 52, 0.5) in told
    assert ["lenvatinib", 0, "S1 Lenvatinib after sorafenib"] in shared["courses"]
    assert [shared["groups"][at] for at in twin["groups"]] == ["hif, emt", "stem, upr"]
    assert (twin["day"], twin["seen"], twin["effective"]) == (112, 7, 30)
    assert RESEARCH not in json.dumps([shared, twins])


def test_a_patient_without_a_twin_has_the_reason(facts) -> None:
    third = facts.study.patients["patient_id"].sort()[2]
    assert make_outlooks(facts, (third,))[1] == {
        third: {"why": "no twin: died on day 90: nothing to look ahead to"}
    }


def test_a_plan_has_the_simulated_gain_in_points(facts) -> None:
    first = facts.study.patients["patient_id"].sort()[0]
    assert make_plans(facts, (first,))[1][first]["rows"][0][-1] == [8, 1, 20, "alive"]


def test_resistance_of_a_patient_is_on_the_card(facts) -> None:
    first = facts.study.patients["patient_id"].sort()[0]
    row = {
        "patient_id": first,
        "line": 1,
        "drug": "sorafenib",
        "class": "acquired",
        "day": 168.0,
        "rule": "r",
        "reason": "progression after 6 months",
        "reader": "",
        "criterion": "recist11",
    }
    own = Facts(facts.study, {"resistance": pl.DataFrame([row])}, {})
    told = ["Acquired resistance", "sorafenib", 168, "RECIST 1.1", "progression after 6 months"]
    assert list_resistance(own, (first,)) == {first: [told]}


def test_without_the_tables_section_and_cards_say_why_or_nothing() -> None:
    study = make_case(4, readers=("",), arms=1, visits=3, seed=3).study
    facts = Facts(study, {}, {"skipped": {"twin": "the study has no treatments"}})
    assert "Skipped: the study has no treatments." in str(outlook.build(facts))
    assert make_outlooks(facts, ("P1",)) == (None, {})


def test_words_of_the_data_are_text(facts) -> None:
    tables = dict(facts.tables)
    tables["outlook"] = tables["outlook"].with_columns(drugs=pl.col("drugs") + NASTY, notes=pl.lit(NASTY))
    tables["outlook_fit"] = tables["outlook_fit"].with_columns(
        *(pl.lit(NASTY).alias(name) for name in ("data", "indistinct", "notes"))
    )
    result = render_report(facts.study, tables, manifest=facts.manifest, sections=OWN)
    assert [failure.trace for failure in result.failures] == []
    assert "<img" not in result.html


@pytest.mark.parametrize(("days", "words"), [(84.0, "12 weeks"), (365.0, "12 months"), (30.0, "30 days")])
def test_times_ahead_in_words(days, words) -> None:
    assert name_horizon(days) == words


def test_the_refrain_is_dropped_from_the_end_alone() -> None:
    assert drop_refrain(f"one; two; {RESEARCH}") == "one; two"
    assert drop_refrain(RESEARCH) == ""


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_the_card_is_drawn_in_a_browser(facts, tmp_path) -> None:
    result = render_report(facts.study, facts.tables, manifest=facts.manifest, sections=OWN)
    path = tmp_path / "report.html"
    path.write_text(result.html, encoding="utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", "--dump-dom"]
    patient = facts.study.patients["patient_id"].sort()[0]
    run = subprocess.run(
        [*command, f"{path.as_uri()}#patient-{patient}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    drawn = run.stdout
    assert "no forecast for this patient and no advice on care" in drawn
    assert "Going on as now: sorafenib" in drawn
    assert "30 % (25 to 50)" in drawn
    assert "50 % narrower than before the data" in drawn
    assert "hif, emt; or stem, upr" in drawn
