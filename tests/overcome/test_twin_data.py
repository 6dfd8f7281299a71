"""What is known of a patient, and why there is no twin."""

from __future__ import annotations

import polars as pl
import pytest

from hccresist.assess.marker_results import Markers
from hccresist.overcome.twin_data import LATEST, Case, Reading, Skipped, read_cases
from hccresist.study.frames import study_from_frames
from hccresist.study.study import Study

PATIENTS = {
    "patient_id": ["A"],
    "ecog": [1],
    "vascular_invasion": [False],
    "aetiology": ["masld"],
}
SIZES = ((0.0, 40.0, 20.0), (56.0, 30.0, 18.0), (112.0, 28.0, 15.0))


def lesions(sizes=SIZES, *, patient: str = "A") -> pl.DataFrame:
    rows = [
        (patient, f"L{k}", day, "target", "liver", mm, mm - 5)
        for day, *each in sizes
        for k, mm in enumerate(each, start=1)
    ]
    names = ["patient_id", "lesion_id", "day", "role", "organ", "longest_mm", "viable_mm"]
    return pl.DataFrame(rows, schema=names, orient="row")


def make_study(**more: pl.DataFrame | dict[str, list[object]]) -> Study:
    tables = {
        "patients": PATIENTS,
        "lesions": lesions(),
        "treatments": {
            "patient_id": ["A"],
            "line": [1],
            "drug": ["sorafenib"],
            "start_day": [0.0],
            "end_day": [None],
        },
        "survival": {"patient_id": ["A"], "os_days": [130.0], "died": [False]},
        "labs": {
            "patient_id": ["A"] * 2,
            "day": [0.0, 56.0],
            "test": ["afp", "afp"],
            "value": [400.0, 200.0],
            "unit": ["ng/mL"] * 2,
        },
    } | more
    made = {name: pl.DataFrame(table, strict=False) for name, table in tables.items() if table is not None}
    return study_from_frames(**made)


def read(study: Study, *, until: float | None = None, labs: bool = False) -> Case | Skipped:
    """Read the one patient; without labs the table of markers is empty."""
    (one,) = read_cases(study, {} if labs else {"markers": Markers.create_empty()}, until=until)
    return one


def test_a_patient_is_read() -> None:
    case = read(make_study(), labs=True)
    assert isinstance(case, Case)
    assert case.baseline.diameters == (40.0, 20.0)
    assert case.baseline.total_mm == 60.0
    assert Reading(56.0, "whole", 48.0) in case.readings
    assert Reading(112.0, "viable", 33.0) in case.readings
    assert Reading(0.0, "afp", 400.0) in case.readings
    assert not any(each.quantity == "whole" and each.day == 0 for each in case.readings)
    assert case.day == 130.0
    assert case.traits == {"ecog1": True, "mvi": False}
    assert case.aetiology == 2
    assert case.new_lesions == 0
    assert case.given.present == ("sorafenib",)
    assert "2 whole sums" in case.describe()


def test_nothing_after_the_day_asked_for_is_used() -> None:
    case = read(make_study(), until=60.0)
    assert isinstance(case, Case)
    assert case.day == 60.0
    assert max(each.day for each in case.readings) == 56.0
    died = pl.DataFrame({"patient_id": ["A"], "os_days": [90.0], "died": [True]})
    case = read(make_study(survival=died), until=60.0)
    assert isinstance(case, Case)
    assert case.day == 60.0


def test_row_order_does_not_matter() -> None:
    shuffled = lesions().sample(fraction=1.0, shuffle=True, seed=4)
    assert read(make_study(lesions=shuffled)) == read(make_study())


def test_long_known_alive_counts_for_half_a_year() -> None:
    alive = pl.DataFrame({"patient_id": ["A"], "os_days": [2000.0], "died": [False]})
    case = read(make_study(survival=alive))
    assert isinstance(case, Case)
    assert case.day == 112.0 + LATEST


def test_without_survival_the_last_scan_is_the_last_day() -> None:
    case = read(make_study(survival=None))
    assert isinstance(case, Case)
    assert case.day == 112.0


def test_new_lesions_are_counted() -> None:
    new = pl.DataFrame(
        {
            "patient_id": ["A"] * 2,
            "lesion_id": ["N1", "N2"],
            "day": [112.0] * 2,
            "role": ["new_target"] * 2,
            "organ": ["liver"] * 2,
            "longest_mm": [12.0, 11.0],
            "viable_mm": [12.0, 11.0],
        }
    )
    case = read(make_study(lesions=pl.concat([lesions(), new])))
    assert isinstance(case, Case)
    assert case.new_lesions == 2
    case = read(make_study(lesions=pl.concat([lesions(), new])), until=60.0)
    assert isinstance(case, Case)
    assert case.new_lesions == 0


def test_a_sum_alone_is_enough() -> None:
    sums = pl.DataFrame(
        {"patient_id": ["A"] * 2, "day": [0.0, 56.0], "measure": ["longest"] * 2, "sum": [60.0, 50.0]}
    )
    case = read(make_study(lesions=None, sums=sums))
    assert isinstance(case, Case)
    assert case.baseline.diameters == ()
    assert case.baseline.total_mm == 60.0
    assert Reading(56.0, "whole", 50.0) in case.readings


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (
            {"survival": pl.DataFrame({"patient_id": ["A"], "os_days": [120.0], "died": [True]})},
            "died on day 120: nothing to look ahead to",
        ),
        (
            {"lesions": lesions().with_columns(role=pl.lit("nontarget"))},
            "no sum of target lesions at baseline by RECIST 1.1",
        ),
        (
            {"treatments": None},
            "the study records neither treatments nor procedures: what was given is not known",
        ),
        (
            {
                "treatments": pl.DataFrame(
                    {
                        "patient_id": ["A"],
                        "line": [1],
                        "drug": ["doxorubicin"],
                        "start_day": [0.0],
                        "end_day": [50.0],
                    }
                )
            },
            "the model does not have doxorubicin",
        ),
    ],
)
def test_why_there_is_no_twin(more: dict, reason: str) -> None:
    assert read(make_study(**more)) == Skipped("A", reason)
