"""The tables as a whole: contract, order of rows, a plain recomputation, anticoagulants, real data."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest
from growth_cases import Row, make_study
from marker_cases import course, lab_rows, pick, study_of

from hccresist.assess import assess_study
from hccresist.assess.marker_results import RESULTS
from hccresist.assess.markers import all_definitions, derive_marker_tables, derive_markers
from hccresist.demo import read_demo
from hccresist.study.frames import study_from_frames
from hccresist.study.policies import Policies
from hccresist.study.study import Study, StudyConfig

DATA = Path(__file__).parents[2].parent / "shared" / "data"
CASES = Path(__file__).parents[2] / "src" / "hccresist" / "data" / "cases"


def data(name: str) -> pl.DataFrame:
    """Return a shared table, or skip."""
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{path} is not beside this checkout")
    return pl.read_csv(path, infer_schema_length=None)


@pytest.fixture(scope="module")
def demo() -> dict[str, pl.DataFrame]:
    """All marker tables of the bundled demo, with its assessment."""
    study = read_demo()
    found = assess_study(study, criteria=["recist11", "mrecist"]).tables
    return derive_marker_tables(study, timepoints=found["timepoints"], baselines=found["baselines"])


def test_the_tables_keep_their_contract(demo: dict[str, pl.DataFrame]) -> None:
    assert list(demo) == list(RESULTS)
    for name, schema in RESULTS.items():
        assert schema.is_valid(demo[name]), name
    key = demo["markers"].select("patient_id", "reader", "day", "marker")
    assert key.equals(key.sort("patient_id", "reader", "day", "marker"))
    assert demo["markers"].height > 1000


def test_every_marker_is_defined_and_every_reading_belongs_to_one(demo: dict[str, pl.DataFrame]) -> None:
    names = [one.marker for one in all_definitions()]
    assert len(names) == len(set(names))
    assert set(demo["markers"]["marker"]) <= set(names)
    assert set(demo["marker_readings"]["marker"]) <= set(names)
    units = dict(demo["marker_definitions"].select("marker", "unit").iter_rows())
    shown = demo["markers"].filter(pl.col("value").is_not_null()).select("marker", "unit").unique()
    for marker, unit in shown.iter_rows():
        if marker != "up_to_seven":
            assert units[marker] == unit, marker


def test_nothing_is_unknown_without_a_reason(demo: dict[str, pl.DataFrame]) -> None:
    markers = demo["markers"]
    silent = markers.filter(
        pl.col("value").is_null() & pl.col("grade").is_null() & pl.col("reason").is_null()
    )
    assert silent.is_empty()
    doubtful = markers.filter((pl.col("response") == "not_evaluable") & pl.col("reason").is_null())
    assert doubtful.is_empty()


def test_a_definition_says_where_it_comes_from_and_how_far_that_was_seen() -> None:
    for one in all_definitions():
        assert one.seen, one.marker
        assert (one.source == "ours") == (one.verification == "ours"), one.marker


def test_a_study_without_what_markers_need_has_empty_tables() -> None:
    study = make_study(patients=make_study(labs=lab_rows(("P1", 0, "afp", 1.0, "ng/mL"))).patients)
    tables = derive_marker_tables(study)
    assert tables["markers"].is_empty()
    assert tables["marker_issues"].is_empty()


def mixed_study(*, reverse: bool) -> Study:
    """Return a study with a bit of everything, its rows in one order or the other."""
    labs = [
        *course("P1", "afp", "ng/mL", [(-3, 400), (28, 180), (42, 90, "<"), (84, 500), (90, 60500, ">")]),
        *course("P1", "PIVKA-II", "mAU/mL", [(-3, 4000), (28, 8000), (70, 1000)]),
        *course("P2", "afp", "IU/mL", [(0, 10), (42, 20)]),
        *lab_rows(
            ("P1", -3, "bilirubin", 1.2, "mg/dL"),
            ("P1", 1, "albumin", 35, "g/L"),
            ("P1", 1, "crp", 12, "mg/L"),
            ("P2", 0, "platelets", 120, None),
        ),
    ]
    seen = [
        {"patient_id": "P1", "day": 0.0, "name": "ctdna_vaf", "value": "2%"},
        {"patient_id": "P1", "day": 42.0, "name": "ctdna_detected", "value": "no"},
        {"patient_id": "P2", "day": 0.0, "name": "ascites", "value": "1"},
    ]
    lesions = [
        {"patient_id": "P1", "lesion_id": name, "day": -3.0, "organ": "liver", "longest_mm": mm}
        for name, mm in (("L1", 40.0), ("L2", 20.0))
    ]
    study = make_study(labs=labs, observations=seen, lesions=lesions)
    if reverse:
        tables = {name: frame.reverse() for name, frame in study.tables.items()}
        study = Study(config=study.config, tables=tables)
    return study


def test_the_order_of_rows_does_not_matter() -> None:
    one, two = (derive_marker_tables(mixed_study(reverse=reverse)) for reverse in (False, True))
    for name in RESULTS:
        assert one[name].equals(two[name]), name
    assert one["markers"].height > 30
    assert set(one["marker_issues"]["code"]) == {
        "unit-not-convertible",
        "missing-unit",
        "unclear-observation",
    }


def test_patients_do_not_touch_each_other() -> None:
    study = mixed_study(reverse=False)
    whole = derive_markers(study)
    for patient in ("P1", "P2"):
        only = {name: frame.filter(pl.col("patient_id") == patient) for name, frame in study.tables.items()}
        assert derive_markers(Study(config=study.config, tables=only)).equals(
            whole.filter(pl.col("patient_id") == patient)
        )


# Vitamin K antagonists raise DCP (project reference page, section 14).
@pytest.mark.parametrize(
    ("drug", "start", "end", "flagged"),
    [
        ("Warfarin", -100.0, None, [True, True, True]),
        ("phenprocoumon", 20.0, 50.0, [False, True, False]),
        ("warfarin sodium", None, None, [True, True, True]),
        ("apixaban", -100.0, None, [False, False, False]),
    ],
)
def test_dcp_under_a_vitamin_k_antagonist_is_flagged(
    drug: str, start: float | None, end: float | None, flagged: list[bool]
) -> None:
    labs = course("P1", "dcp", "mAU/mL", [(0, 40), (30, 400), (90, 40)])
    labs += course("P1", "afp", "ng/mL", [(0, 40), (30, 400)])
    drugs = [{"patient_id": "P1", "line": 1, "drug": drug, "start_day": start, "end_day": end}]
    markers = derive_markers(study_of(labs, treatments=drugs))
    assert [flag is not None for flag in pick(markers, "dcp", "flag")] == flagged
    assert pick(markers, "afp", "flag") == [None, None]
    if flagged[0]:  # a doubtful baseline makes every change doubtful
        assert None not in pick(markers, "dcp_change", "flag")


def test_an_observed_vitamin_k_antagonist_counts_until_it_is_observed_to_be_absent() -> None:
    labs = course("P1", "dcp", "mAU/mL", [(0, 40), (30, 400), (60, 40)])
    seen: list[Row] = [
        {"patient_id": "P1", "day": day, "name": "vitamin_k_antagonist", "value": value}
        for day, value in ((30.0, "yes"), (60.0, "no"))
    ]
    markers = derive_markers(study_of(labs, observations=seen))
    assert pick(markers, "dcp", "flag") == [None, "vitamin_k_antagonist", None]


def test_the_published_cases_are_read_and_bare_afp_is_refused() -> None:
    labs = pl.read_csv(CASES / "labs.csv").select("patient_id", "day", "test", "value", "unit")
    bare = labs.filter(pl.col("unit").is_null())["patient_id"].to_list()
    study = make_study(labs=labs.with_columns(pl.col("day", "value").cast(pl.Float64)).to_dicts())
    tables = derive_marker_tables(study)
    assert tables["marker_issues"]["patient_id"].to_list() == sorted(bare)
    assert set(tables["marker_issues"]["code"]) == {"missing-unit"}
    # CASE02, S02: AFP 121100 → 348660 ng/mL, DCP 3435 → 29357 mAU/mL; the per cent are arithmetic.
    case = tables["markers"].filter(patient_id="CASE02")
    assert pick(case, "afp_change", "value") == [pytest.approx(187.91, abs=0.01)]
    assert pick(case, "dcp_50_50") == ["progression"]


def test_the_unit_policy_lets_the_published_cases_be_read() -> None:
    labs = pl.read_csv(CASES / "labs.csv").select("patient_id", "day", "test", "value", "unit")
    rows = labs.with_columns(pl.col("day", "value").cast(pl.Float64)).to_dicts()
    tables = derive_marker_tables(make_study(labs=rows, policies=Policies(units="conventional")))
    assert tables["marker_issues"]["refused"].to_list() == [False, False]
    assert pick(tables["markers"].filter(patient_id="CASE09"), "afp", "value") == [867.0]


# Real data. Each expectation is a plain recomputation here, or a fact of the data's README.


def coimbra(**units: str) -> tuple[Study, pl.DataFrame]:
    """Return hcc_uci_survival as a study; its README names mg/dL for albumin, its values are g/dL."""
    raw = data("hcc_uci_survival/hcc_survival.csv").with_row_index("n")
    raw = raw.with_columns(pl.format("U{}", pl.col("n").cast(pl.String).str.zfill(3)).alias("patient_id"))
    tests = {
        "INR": ("inr", None),
        "AFP": ("afp", "ng/mL"),
        "Albumin": ("albumin", "g/dL"),
        "Total_Bil": ("bilirubin", "mg/dL"),
        "Creatinine": ("creatinine", "mg/dL"),
        "Platelets": ("platelets", None),
        "Ascites": ("ascites_points", None),
        "Encephalopathy": ("encephalopathy_points", None),
    }
    labs = pl.concat(
        raw.select(
            "patient_id",
            pl.lit(0.0).alias("day"),
            pl.lit(test).alias("test"),
            pl.col(column).cast(pl.Float64).alias("value"),
            pl.lit(units.get(test, unit), dtype=pl.String).alias("unit"),
        )
        for column, (test, unit) in tests.items()
    ).drop_nulls("value")
    patients = raw.select("patient_id", pl.col("PS").cast(pl.Int64).alias("ecog"))
    size = raw.select("patient_id", pl.col("Major_Dim").cast(pl.Float64).alias("sum")).drop_nulls()
    sums = size.with_columns(measure=pl.lit("longest"), day=pl.lit(0.0), sum=pl.col("sum") * 10)
    return study_from_frames(patients=patients, labs=labs, sums=sums), raw


def child_pugh_plainly(row: Row) -> int | None:
    """Return Child-Pugh points of one patient, written out."""
    names = ("Total_Bil", "Albumin", "INR", "Ascites", "Encephalopathy")
    bilirubin, albumin, inr, ascites, brain = (row[name] for name in names)
    if None in (bilirubin, albumin, inr, ascites, brain):
        return None
    points = 1 if bilirubin < 2 else 2 if bilirubin <= 3 else 3
    points += 1 if albumin > 3.5 else 2 if albumin >= 2.8 else 3
    points += 1 if inr < 1.7 else 2 if inr <= 2.3 else 3
    return points + int(ascites) + int(brain)


def test_coimbra_scores_equal_a_plain_recomputation() -> None:
    study, raw = coimbra()
    markers = derive_markers(study)
    pugh = dict(markers.filter(marker="child_pugh").select("patient_id", "value").iter_rows())
    albi = dict(markers.filter(marker="albi").select("patient_id", "value").iter_rows())
    meld = dict(markers.filter(marker="meld").select("patient_id", "value").iter_rows())
    for row in raw.iter_rows(named=True):
        name = row["patient_id"]
        assert pugh.get(name) == child_pugh_plainly(row)
        if row["Total_Bil"] and row["Albumin"]:
            expected = 0.66 * math.log10(row["Total_Bil"] * 17.1) - 0.085 * row["Albumin"] * 10
            assert albi[name] == pytest.approx(expected, abs=1e-8)
        if row["Total_Bil"] and row["INR"] and row["Creatinine"]:
            logs = [math.log(row[column]) for column in ("Total_Bil", "INR", "Creatinine")]
            assert meld[name] == pytest.approx(
                3.78 * logs[0] + 11.2 * logs[1] + 9.57 * logs[2] + 6.43, abs=1e-6
            )


def test_coimbra_platelets_are_in_two_units_and_are_refused() -> None:
    study, raw = coimbra()
    issues = derive_marker_tables(study)["marker_issues"]
    recorded = raw["Platelets"].drop_nulls()
    assert issues["code"].to_list() == ["missing-unit"] * len(recorded)
    # One column holds 1.71 to 459 000: no single unit is right for all.
    assert recorded.min() < 1000 < recorded.max()
    study, _ = coimbra(platelets="/µL")
    issues = derive_marker_tables(study)["marker_issues"]
    assert issues.height == recorded.filter(recorded < 1000).len()
    assert set(issues["code"]) == {"implausible-value"}


def test_coimbra_albumin_under_its_printed_unit_is_refused() -> None:
    study, raw = coimbra(albumin="mg/dL")
    tables = derive_marker_tables(study)
    assert tables["marker_issues"].filter(test="albumin").height == raw["Albumin"].count()
    assert tables["markers"].filter((pl.col("marker") == "albi") & pl.col("value").is_not_null()).is_empty()


def sun_yat_sen() -> tuple[Study, pl.DataFrame]:
    """Return hcc_sysucc_timeseries: AFP (capped at 121 000 ng/mL) and the largest diameter."""
    raw = data("hcc_sysucc_timeseries/timeseries.csv").unique(["patient_id", "day"], keep="none")
    raw = raw.sort("patient_id", "day").with_columns(pl.col("day", "afp_ng_ml").cast(pl.Float64))
    capped = pl.when(pl.col("afp_ng_ml") >= 121000).then(pl.lit(">"))
    labs = raw.select("patient_id", "day", test=pl.lit("AFP"), value="afp_ng_ml", unit=pl.lit("ng/mL"))
    labs = labs.with_columns(raw.select(capped.alias("comparator")).to_series())
    sums = raw.select(
        "patient_id", "day", measure=pl.lit("longest"), sum=pl.col("largest_diameter_mm").cast(pl.Float64)
    ).drop_nulls("sum")
    patients = raw.select("patient_id").unique()
    return study_from_frames(patients=patients, labs=labs.drop_nulls("value"), sums=sums), raw


def test_sun_yat_sen_afp_equals_a_plain_recomputation() -> None:
    study, raw = sun_yat_sen()
    markers = derive_markers(study)
    found = {
        (patient, day): (value, response)
        for patient, day, value, response in markers.filter(marker="afp_fall_50_locoregional")
        .filter(pl.col("comparator").is_null())
        .select("patient_id", "day", "value", "response")
        .iter_rows()
    }
    judged = 0
    for _, rows in raw.group_by("patient_id"):
        visits = rows.sort("day").select("patient_id", "day", "afp_ng_ml").rows()
        before = [value for _, day, value in visits if -28 <= day <= 1]
        for patient, day, value in visits:
            if day <= 1 or not before or max(before[-1], value) >= 121000 or before[-1] == 0:
                continue
            base = before[-1]
            change = 100 * (value - base) / base
            verdict = "responder" if change < -50 else "non_responder"
            expected = verdict if base >= 200 else "not_evaluable"
            assert found[patient, day][1] == expected
            assert found[patient, day][0] == pytest.approx(change, abs=1e-6)
            judged += base >= 200
    assert judged > 1000


def test_sun_yat_sen_divergence_is_sane() -> None:
    study, _ = sun_yat_sen()
    found = assess_study(study, criteria=["recist11"]).tables
    markers = derive_markers(study, timepoints=found["timepoints"], baselines=found["baselines"])
    rows = markers.filter(marker="afp_divergence_recist11")
    visits = found["timepoints"].select("patient_id", "day", "change_from_baseline_percent", "reader")
    apart = rows.filter(response="marker_falls_size_rises").join(
        visits, on=["patient_id", "reader", "day"], how="left"
    )
    assert apart.height > 0
    assert apart.filter(pl.col("change_from_baseline_percent") < 20).is_empty()
    assert apart.filter(pl.col("value") > -50).is_empty()
    both = markers.filter(pl.col("reason") == "both values are beyond the limit of the assay")
    assert set(both.filter(pl.col("response").is_not_null())["response"]) == {"not_evaluable"}
    assert both.height > 0


def test_tace_afp_at_baseline_is_read() -> None:
    raw = data("hcc_tace_seg/clinical.csv").select("patient_id", value=pl.col("afp").cast(pl.Float64))
    raw = raw.drop_nulls("value")
    labs = raw.select("patient_id", day=pl.lit(0.0), test=pl.lit("AFP"), value="value", unit=pl.lit("ng/mL"))
    tables = derive_marker_tables(make_study(labs=labs.to_dicts()))
    assert tables["marker_issues"].is_empty()
    values = tables["markers"].filter(marker="afp").sort("patient_id")
    assert values["value"].to_list() == raw.sort("patient_id")["value"].to_list()
    crafity = tables["markers"].filter(marker="crafity")
    assert crafity["reason"].to_list() == ["no usable value of CRP"] * len(raw)


def test_the_study_configuration_reaches_the_markers() -> None:
    study = study_of(lab_rows(("P1", 0, "bilirubin", 1.2, None), ("P1", 0, "albumin", 35, "g/L")))
    assert pick(derive_markers(study), "albi", "value") == [None]
    other = Study(config=StudyConfig(policies=Policies(units="conventional")), tables=study.tables)
    assert pick(derive_markers(other), "albi", "grade") == ["2"]
