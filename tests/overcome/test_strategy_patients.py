"""Where a patient stands: drugs so far, liver reserve, contraindications; what is unknown is said to be."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from hccresist.explain.knowledge import read_base
from hccresist.overcome.strategy_patients import (
    find_same_class,
    hold_contraindications,
    name_child_pugh,
    read_situations,
)
from hccresist.overcome.strategy_table import CONTRAINDICATIONS, read_strategies
from hccresist.study.frames import study_from_frames

BASE = read_base()
CLASSES = dict(BASE.drugs.select("drug", "drug_class").iter_rows())
ALL = replace(
    next(s for s in read_strategies() if s.strategy_id == "S02"),
    contraindications=tuple(code for code in CONTRAINDICATIONS if code != "none_stated"),
)


def stand(
    patients: dict[str, object] | None = None, results: dict[str, pl.DataFrame] | None = None, **tables
):
    """One patient, P1."""
    study = study_from_frames(
        patients=pl.DataFrame({"patient_id": ["P1"]} | {k: [v] for k, v in (patients or {}).items()}),
        samples=pl.DataFrame({"sample_id": ["S1"], "patient_id": ["P1"]}),
        alterations=pl.DataFrame({"sample_id": ["S1"], "gene": ["TP53"], "change": ["p.R249S"]}),
        **tables,
    )
    return read_situations(study, results or {}, BASE)["P1"]


def treat(*rows: tuple[int, str]) -> pl.DataFrame:
    return pl.DataFrame({"patient_id": "P1", "line": [r[0] for r in rows], "drug": [r[1] for r in rows]})


@pytest.mark.parametrize(("score", "name"), [(5, "A"), (6, "A"), (7, "B"), (9, "B"), (10, "C"), (15, "C")])
def test_child_pugh_class_by_points(score, name) -> None:
    """A 5 to 6, B 7 to 9, C 10 to 15 points (Pugh 1973)."""
    assert name_child_pugh(score) == name


def test_nothing_recorded_is_nothing_known() -> None:
    found = stand()
    assert (found.next_line, found.had, found.child_pugh, found.albi) == (None, (), ("", ""), "")
    present, absent, unknown = hold_contraindications(ALL, found, CLASSES)
    assert (present, absent) == ((), ())
    assert len(unknown) == len(ALL.contraindications)


@pytest.mark.parametrize(
    ("rows", "line", "had"),
    [
        (((1, "Lenvatinib"),), 2, ("lenvatinib",)),
        (((2, "regorafenib"), (1, "Nexavar")), 3, ("sorafenib", "regorafenib")),
        (((0, "sorafenib"),), 1, ()),
        (((1, "atezolizumab"), (1, "bevacizumab")), 2, ("atezolizumab", "bevacizumab")),
    ],
)
def test_drugs_so_far_and_the_line_that_comes_next(rows, line, had) -> None:
    found = stand(treatments=treat(*rows))
    assert (found.next_line, found.had) == (line, had)


def test_a_class_label_covers_the_drugs_that_were_given() -> None:
    assert {"atezolizumab", "anti-PD-L1 (class)", "ICI (class)"} <= stand(
        treatments=treat((1, "atezolizumab"))
    ).covered


@pytest.mark.parametrize(("score", "b", "c"), [(5, False, False), (8, True, False), (11, True, True)])
def test_liver_reserve_is_held_against_both_limits(score, b, c) -> None:
    found = stand({"child_pugh_score": score})
    present, absent, _ = hold_contraindications(ALL, found, CLASSES)
    assert any(words.startswith("Child-Pugh B or worse") for words in (present if b else absent))
    assert any(words.startswith("Child-Pugh C") for words in (present if c else absent))


def test_the_last_marker_comes_before_the_baseline() -> None:
    markers = pl.DataFrame(
        {
            "patient_id": ["P1", "P1", "P1"],
            "reader": ["", "", ""],
            "day": [0.0, 60.0, 60.0],
            "marker": ["child_pugh", "child_pugh", "albi"],
            "grade": ["A", "B", "2"],
        }
    )
    found = stand({"child_pugh_score": 5}, {"markers": markers})
    assert found.child_pugh == ("B", "day 60")
    assert found.albi == "2"


def test_albi_is_told_where_child_pugh_is_not_known() -> None:
    markers = pl.DataFrame(
        {"patient_id": ["P1"], "reader": [""], "day": [0.0], "marker": ["albi"], "grade": ["3"]}
    )
    found = stand(results={"markers": markers})
    unknown = hold_contraindications(ALL, found, CLASSES)[2]
    assert "Child-Pugh C (ALBI grade 3)" in unknown


def test_a_transplant_is_present_absent_or_unknown() -> None:
    words = CONTRAINDICATIONS["transplant"]
    other = pl.DataFrame({"patient_id": ["P1"], "day": [-30.0], "kind": ["resection"]})
    given = other.with_columns(kind=pl.lit("transplant"))
    for table, place in ((given, 0), (other, 1)):
        assert words in hold_contraindications(ALL, stand(procedures=table), CLASSES)[place]
    assert words in hold_contraindications(ALL, stand(), CLASSES)[2]


@pytest.mark.parametrize(("value", "place"), [("yes", 0), ("no", 1), ("perhaps", 2)])
def test_observations_and_columns_are_read_where_they_say_yes_or_no(value, place) -> None:
    seen = pl.DataFrame({"patient_id": ["P1"], "day": [0.0], "name": ["varices_untreated"], "value": [value]})
    assert "untreated varices" in hold_contraindications(ALL, stand(observations=seen), CLASSES)[place]
    assert "autoimmune disease" in hold_contraindications(ALL, stand({"autoimmune": value}), CLASSES)[place]


def test_earlier_drugs_of_the_same_class_are_named() -> None:
    found = stand(treatments=treat((1, "nivolumab")))
    assert find_same_class(ALL, found, CLASSES) == ("nivolumab (immune checkpoint inhibitor)",)
    present = hold_contraindications(ALL, found, CLASSES)[0]
    assert "an earlier drug of the same class: nivolumab (immune checkpoint inhibitor)" in present
    naive = stand(treatments=treat((1, "doxorubicin")))
    assert find_same_class(ALL, naive, CLASSES) == ()
    assert "an earlier drug of the same class" in hold_contraindications(ALL, naive, CLASSES)[1]


def test_the_class_of_resistance_is_told_in_words() -> None:
    resistance = pl.DataFrame(
        {"patient_id": ["P1"], "line": [1], "drug": ["lenvatinib"], "class": ["no_resistance"]}
    )
    assert stand(results={"resistance": resistance}).resistance == "no resistance (lenvatinib)"


def test_an_unknown_aetiology_is_not_known() -> None:
    assert stand({"aetiology": "unknown"}).aetiology == ""
    assert stand({"aetiology": "masld"}).aetiology == "masld"
