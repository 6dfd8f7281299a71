"""Criteria by name, variants of one's own, and the thresholds as printed."""

import polars as pl
import pytest

from hccresist.assess import CRITERIA, assess_study, find_criterion
from hccresist.assess.criteria import make_variant
from hccresist.errors import ConfigError
from hccresist.study.frames import study_from_frames
from hccresist.study.study import StudyConfig


def overall(sizes, criterion, variants=None, **columns):
    """Return the overall responses of one liver target; `sizes` from day −3 every eight weeks."""
    n = len(sizes)
    lesions = pl.DataFrame(
        {
            "patient_id": ["P1"] * n,
            "lesion_id": ["T1"] * n,
            "role": ["target"] * n,
            "organ": ["liver"] * n,
            "day": [-3.0, *(56.0 * i for i in range(1, n))],
            "longest_mm": [float(size) for size in sizes],
            **columns,
        }
    )
    config = StudyConfig(variants=variants or {})
    study = study_from_frames(config=config, patients=pl.DataFrame({"patient_id": ["P1"]}), lesions=lesions)
    found = assess_study(study, criteria=[criterion])
    assert not found.skipped, found.skipped
    return found.tables["timepoints"]["overall"].to_list()


@pytest.mark.parametrize("name", ["RECIST 1.1", "recist1.1", "RECIST", "recist_11"])
def test_spelling_does_not_matter(name):
    assert find_criterion(name) is CRITERIA["recist11"]


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ConfigError, match="mrecist"):
        find_criterion("mrecits")


def test_a_variant_changes_what_it_says_and_no_more():
    variant = make_variant("deep", {"base": "recist11", "response_percent": 50})
    assert (variant.response_percent, variant.progression_percent) == (50, 120)
    sizes = [100, 60, 45]
    assert overall(sizes, "recist11") == ["PR", "PR"]
    assert overall(sizes, "deep", {"deep": {"base": "recist11", "response_percent": 50}}) == ["SD", "PR"]


def test_every_problem_of_a_variant_is_told_at_once():
    with pytest.raises(ConfigError) as caught:
        make_variant("odd", {"base": "mrecist", "respons_percent": 50, "above": 1})
    assert "respons_percent" in str(caught.value)
    assert "above" in str(caught.value)


# WHO: "CR −100 %, PR ≥ −50 %, PD > +25 %" (PMC3094725, Table 1): 100 × 100 mm², then products
@pytest.mark.parametrize(
    ("across", "word"),
    [(50.0, "PR"), (50.1, "SD"), (125.0, "SD"), (125.1, "PD"), (0.0, "CR")],
)
def test_who_thresholds(across, word):
    assert overall([100, 100], "who", perpendicular_mm=[100.0, across]) == [word]


# irRC: "irPD +25 % from nadir" (Wolchok 2009, Table 1): 25 % is enough
def test_irrc_progression_is_at_least_25_percent():
    assert overall([100, 100], "irrc", perpendicular_mm=[100.0, 125.0]) == ["PD"]


# EASL: the same limits on the enhancing area (Bruix 2001)
def test_easl_looks_at_the_viable_area():
    columns = {
        "perpendicular_mm": [50.0, 50.0],
        "viable_mm": [50.0, 25.0],
        "viable_perpendicular_mm": [50.0, 50.0],
    }
    assert overall([50, 50], "easl", **columns) == ["PR"]
    assert overall([50, 50], "who", **columns) == ["SD"]


def test_easl_estimated_takes_the_share_that_is_not_necrotic():
    columns = {"perpendicular_mm": [50.0, 50.0], "necrosis_percent": [0.0, 50.0]}
    assert overall([50, 50], "easl_estimated", **columns) == ["PR"]


# Choi 2007: PR −10 % of size or −15 % of attenuation; modified Choi: both
@pytest.mark.parametrize(
    ("size", "hu", "choi", "mchoi"),
    [
        (45, 100, "PR", "SD"),
        (50, 85, "PR", "SD"),
        (45, 85, "PR", "PR"),
        (50, 86, "SD", "SD"),
        (55, 100, "PD", "PD"),
        (55, 85, "PR", "SD"),
    ],
)
def test_choi_thresholds(size, hu, choi, mchoi):
    columns = {"attenuation_hu": [100.0, float(hu)]}
    assert overall([50, size], "choi", **columns) == [choi]
    assert overall([50, size], "mchoi", **columns) == [mchoi]


def new_lesion_study(sizes):
    rows = [("P1", "T1", day, "target", 50.0) for day in (-3.0, 56.0, 112.0)]
    rows += [("P1", "X1", day, "new_target", size) for day, size in sizes]
    lesions = pl.DataFrame(
        rows, schema=["patient_id", "lesion_id", "day", "role", "longest_mm"], orient="row"
    )
    return study_from_frames(
        patients=pl.DataFrame({"patient_id": ["P1"]}), lesions=lesions.with_columns(organ=pl.lit("liver"))
    )


def test_imrecist_adds_a_new_lesion_to_the_burden():
    # 50 + 9 = 59 mm is +18 %; 50 + 10 = 60 mm is +20 % and 10 mm
    for size, word in ((9.0, "SD"), (10.0, "PD")):
        study = new_lesion_study([(56.0, size), (112.0, size)])
        tables = assess_study(study, criteria=["imrecist", "recist11"]).tables
        first = tables["timepoints"].filter(pl.col("day") == 56)
        assert dict(first.select("criterion", "overall").iter_rows())["imrecist"] == word
        assert dict(first.select("criterion", "overall").iter_rows())["recist11"] == "PD"


def test_imrecist_progression_that_is_taken_back_is_none():
    # Hodi 2018: a first PD is negated by a later assessment that is not PD
    study = new_lesion_study([(56.0, 20.0), (112.0, 2.0)])
    best = assess_study(study, criteria=["imrecist"]).tables["best_response"].row(0, named=True)
    assert (best["best"], best["progression_day"]) == ("SD", None)
    study = new_lesion_study([(56.0, 20.0), (112.0, 20.0)])
    best = assess_study(study, criteria=["imrecist"]).tables["best_response"].row(0, named=True)
    assert (best["best"], best["progression_day"]) == ("PD", 56.0)
