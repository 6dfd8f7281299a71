"""ADaM-like data sets: what stands in them, that it leads back to our tables, that files read back equal."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl
import pyreadstat
import pytest

from hccresist.assess import assess_study
from hccresist.demo import read_demo
from hccresist.errors import ConfigError
from hccresist.export.adam import derive_adam, write_adam
from hccresist.export.datasets import ADRS, ADTR, ADTTE, DATASETS, Kind
from hccresist.outcomes.endpoints import derive_events
from hccresist.study.frames import study_from_frames
from hccresist.study.issues import IssueLog
from hccresist.study.rows import Place
from hccresist.study.sdtm_formats import read_records
from hccresist.study.study import StudyConfig

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "sdtm_onco"


def tables_of(study, criteria=None):
    tables = assess_study(study, criteria=criteria).tables
    events = derive_events(study, timepoints=tables["timepoints"], best_response=tables["best_response"])
    return {**tables, "events": events}


@pytest.fixture(scope="module")
def demo():
    return read_demo()


@pytest.fixture(scope="module")
def demo_tables(demo):
    return tables_of(demo)


@pytest.fixture(scope="module")
def frames(demo, demo_tables):
    found, skipped = derive_adam(demo, demo_tables)
    assert skipped == {}
    return found


def small(**config):
    """P1: 50, 30, 45 mm on days −3, 56, 112: PR, then PD (+50 % from the nadir); death on day 200."""
    return study_from_frames(
        config=StudyConfig(name="TRIAL1", **config),
        patients=pl.DataFrame({"patient_id": ["P1", "P2"], "arm": ["A", "B"]}),
        lesions=pl.DataFrame(
            {
                "patient_id": ["P1"] * 3,
                "lesion_id": ["T1"] * 3,
                "role": ["target"] * 3,
                "organ": ["liver"] * 3,
                "day": [-3.0, 56.0, 112.5],
                "longest_mm": [50.0, 30.0, 45.0],
            }
        ),
        survival=pl.DataFrame({"patient_id": ["P1", "P2"], "os_days": [200.0, 90.0], "died": [True, False]}),
    )


@pytest.fixture(scope="module")
def small_frames():
    study = small()
    return derive_adam(study, tables_of(study, ["recist11"]))[0]


def records(frame, code, subject="P1"):
    return frame.filter(PARAMCD=code, USUBJID=subject)


def test_01_responses_at_visits(small_frames):
    rows = records(small_frames[ADRS], "OVRR1")
    assert rows.select("ADY", "AVAL", "AVALC", "ANL01FL").rows() == [
        (57, 2.0, "PR", "Y"),
        (113, 5.0, "PD", "Y"),  # day 112.5 is the 113th day
    ]
    assert rows["PARAM"].unique().to_list() == ["Overall Response, RECIST 1.1"]
    assert rows.select("STUDYID", "TRTP", "PARCAT1", "PARCAT2", "PARCAT3").row(0) == (
        "TRIAL1",
        "A",
        "Tumor Response",
        None,
        "RECIST 1.1",
    )


def test_02_best_response_response_and_progression(small_frames):
    adrs = small_frames[ADRS]
    columns = ("ADY", "AVAL", "AVALC")
    assert records(adrs, "BORR1").select(columns).rows() == [(57, 2.0, "PR")]
    assert records(adrs, "CBORR1").select(columns).rows() == [(None, 3.0, "SD")]
    assert records(adrs, "RSPR1").select(columns).rows() == [(57, 1.0, "Y")]
    assert records(adrs, "CRSPR1").select(columns).rows() == [(None, 0.0, "N")]
    assert records(adrs, "PDR1").select(columns).rows() == [(113, 1.0, "Y")]
    assert records(adrs, "MDISR1").select(columns).rows() == [(-3, 1.0, "Y")]
    assert records(adrs, "BORR1", "P2").select(columns).rows() == [(None, 6.0, "NE")]
    assert records(adrs, "PDR1", "P2").select(columns).rows() == [(None, 0.0, "N")]


def test_03_an_event_has_censor_0_and_days_count_from_1(small_frames):
    columns = ("AVAL", "STARTDY", "ADY", "CNSR", "EVNTDESC", "CNSDTDSC")
    adtte = small_frames[ADTTE]
    assert records(adtte, "OS").select(columns).rows() == [(200.0, 1, 201, 0, "Death", None)]
    assert records(adtte, "OS", "P2").select(columns).rows() == [(90.0, 1, 91, 1, "Alive", "Last contact")]
    assert records(adtte, "PFSR1").select(columns).rows() == [(112.5, 1, 113, 0, "Disease progression", None)]
    assert records(adtte, "PFSR1", "P2").select(columns).rows() == [
        (1.0, 1, 2, 1, "No event", "Day 1: no assessment after baseline")
    ]


def test_04_duration_of_response_starts_at_the_response():
    study = small()
    tables = assess_study(study, criteria=["recist11"]).tables
    pair = {"timepoints": tables["timepoints"], "best_response": tables["best_response"]}
    tables = {**tables, "events": derive_events(study, **pair, confirmed=False)}
    row = records(derive_adam(study, tables)[0][ADTTE], "DORR1")
    assert row.select("AVAL", "STARTDY", "ADY", "CNSR").rows() == [(56.5, 57, 113, 0)]


def test_05_sums_and_lesions(small_frames):
    adtr = small_frames[ADTR]
    sums = records(adtr, "SUMR1").select("ADY", "AVAL", "ABLFL", "BASE", "CHG", "NADIR", "CHGNAD", "PCHGNAD")
    assert sums.rows() == [
        (-3, 50.0, "Y", 50.0, None, None, None, None),
        (57, 30.0, None, 50.0, -20.0, 50.0, -20.0, -40.0),
        (113, 45.0, None, 50.0, -5.0, 30.0, 15.0, 50.0),
    ]
    sizes = records(adtr, "LDIAM").select("ADY", "AVAL", "TRLNKID", "TRGRPID", "TULOC", "SRCVAR")
    assert sizes.rows()[0] == (-3, 50.0, "T1", "TARGET", "LIVER", "LONGEST_MM")


def test_06_records_after_progression_and_after_new_therapy_are_not_analysed():
    study = study_from_frames(
        patients=pl.DataFrame({"patient_id": ["P1", "P2"]}),
        lesions=pl.DataFrame(
            {
                "patient_id": ["P1"] * 4 + ["P2"] * 3,
                "lesion_id": ["T1"] * 7,
                "role": ["target"] * 7,
                "day": [-3.0, 56.0, 112.0, 168.0, -3.0, 56.0, 112.0],
                "longest_mm": [50.0, 70.0, 70.0, 70.0, 50.0, 50.0, 50.0],
            }
        ),
        treatments=pl.DataFrame(
            {"patient_id": ["P2", "P2"], "line": [1, 2], "drug": ["x", "y"], "start_day": [0.0, 60.0]}
        ),
    )
    adrs = derive_adam(study, tables_of(study, ["recist11", "irecist"]))[0][ADRS]
    flags = {
        (code, subject): records(adrs, code, subject)["ANL01FL"].to_list()
        for code in ("OVRR1", "OVRIR")
        for subject in ("P1", "P2")
    }
    assert flags == {
        ("OVRR1", "P1"): ["Y", None, None],
        ("OVRIR", "P1"): ["Y", "Y", "Y"],  # iUPD that is never confirmed ends nothing
        ("OVRR1", "P2"): ["Y", None],
        ("OVRIR", "P2"): ["Y", None],
    }


@pytest.mark.parametrize("reader", ["1", "2"])
def test_07_best_response_is_the_best_of_the_analysed_records(frames, reader):
    """CR, PR, SD, NON-CR/NON-PD, PD: the smallest AVAL of ANL01FL records, from day 42 on for SD (ADY 43)."""
    adrs = frames[ADRS].filter(PARCAT3="RECIST 1.1")
    visits = adrs.filter(PARAMCD=f"OVRR1{reader}", ANL01FL="Y").filter(
        ~pl.col("AVALC").is_in(["NE"]),
        (pl.col("ADY") >= 43) | ~pl.col("AVALC").is_in(["SD", "NON-CR/NON-PD"]),
    )
    best = visits.group_by("USUBJID").agg(expected=pl.col("AVAL").min())
    told = adrs.filter(PARAMCD=f"BORR1{reader}").join(best, on="USUBJID", how="inner")
    assert told.height > 40
    assert (told["AVAL"] == told["expected"]).all()


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda d: d.name)
def test_08_every_row_leads_back_to_our_tables(dataset, demo, demo_tables, frames):
    """SRCDOM names the table, SRCSEQ the row of the patient in it, SRCVAR the column that holds the value.

    Where the column holds the day of a flag (response, progression), it is empty for N.
    """
    ours = {**demo_tables, "lesions": demo.tables["lesions"]}
    looked_at = 0
    for (domain, column), rows in frames[dataset].group_by("SRCDOM", "SRCVAR"):
        table = ours[domain.lower()]
        numbered = table.with_columns(SRCSEQ=pl.int_range(1, pl.len() + 1).over("patient_id"))
        source = numbered.select("SRCSEQ", USUBJID="patient_id", source=pl.col(column.lower()))
        joined = rows.join(source, on=["USUBJID", "SRCSEQ"], how="left")
        if column.endswith("_DAY"):
            assert (joined["source"].is_null() == (joined["AVALC"] == "N")).all()
        elif column == "BEST_CONFIRMED":
            confirmed = joined["source"].is_in(["CR", "PR", "iCR", "iPR"])
            words = joined["PARAMCD"].str.starts_with("CBOR")
            assert (
                words & (joined["AVALC"] == joined["source"]) | (confirmed == (joined["AVALC"] == "Y"))
            ).all()
        elif joined["source"].dtype == pl.String:
            assert (joined["source"] == joined["AVALC"]).all()
        else:
            assert (joined["source"].cast(pl.Float64) == joined["AVAL"]).all()
        looked_at += joined.height
    assert looked_at == frames[dataset].height > 0


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda d: d.name)
def test_09_names_labels_codes_and_keys_are_within_the_limits(dataset, frames):
    frame = frames[dataset]
    for variable in dataset.variables:
        assert re.fullmatch(r"[A-Z][A-Z0-9]{0,7}", variable.name)
        assert 0 < len(variable.label) <= 40
    assert frame["PARAMCD"].str.len_chars().max() <= 8
    pairs = frame.select("PARAMCD", "PARAM").unique()
    assert pairs["PARAMCD"].is_unique().all()
    assert pairs["PARAM"].is_unique().all()
    assert not frame.select(dataset.order).is_duplicated().any()
    number = frame.group_by("USUBJID", maintain_order=True).agg(pl.col("ASEQ"))["ASEQ"]
    assert all(numbers.to_list() == list(range(1, len(numbers) + 1)) for numbers in number)


def test_10_day_zero_is_day_1_and_there_is_no_day_0(frames):
    for frame in frames.values():
        assert (frame["ADY"].drop_nulls() != 0).all()
    assert (frames[ADTTE]["STARTDY"].drop_nulls() > 0).all()


def test_11_readers_and_own_criteria_are_told_apart():
    variants = {"strict": {"base": "recist11", "floor_mm": 10}}
    lesions = pl.DataFrame(
        {
            "patient_id": ["P1"] * 4,
            "reader": ["Ann", "Ann", "Bob", "Bob"],
            "lesion_id": ["T1"] * 4,
            "role": ["target"] * 4,
            "day": [-3.0, 56.0, -3.0, 56.0],
            "longest_mm": [50.0, 30.0, 50.0, 45.0],
        }
    )
    study = study_from_frames(
        config=StudyConfig(variants=variants), patients=pl.DataFrame({"patient_id": ["P1"]}), lesions=lesions
    )
    frames, _ = derive_adam(study, tables_of(study, ["recist11", "strict"]))
    rows = frames[ADRS].filter(pl.col("PARAMCD").str.starts_with("OVR"))
    assert rows.select("PARAMCD", "PARAM", "PARCAT2", "AVALC").rows() == [
        ("OVRR11", "Overall Response by Ann, RECIST 1.1", "Ann", "PR"),
        ("OVRR12", "Overall Response by Bob, RECIST 1.1", "Bob", "SD"),
        ("OVRV11", "Overall Response by Ann, strict", "Ann", "PR"),
        ("OVRV12", "Overall Response by Bob, strict", "Bob", "SD"),
    ]
    assert frames[ADTR].filter(PARAMCD="LDIAM2")["PARAM"].unique().to_list() == [
        "Longest Diameter (mm) by Bob"
    ]


def test_12_a_data_set_without_its_tables_is_skipped_and_says_why(tmp_path):
    study = small()
    tables = assess_study(study, criteria=["recist11"]).tables
    export = write_adam(study, tables, tmp_path / "new" / "folder", formats=["csv"])
    assert export.skipped == {"ADTTE": "there is no result table events"}
    assert [path.name for path in export.files] == ["adrs.csv", "adtr.csv"]
    assert export.rows["ADTR"] == 6


def test_13_nothing_is_overwritten_and_an_unknown_format_is_refused(tmp_path):
    study = small()
    tables = tables_of(study, ["recist11"])
    (tmp_path / "adtr.csv").write_text("mine")
    with pytest.raises(ConfigError, match=r"adtr\.csv: there already"):
        write_adam(study, tables, tmp_path, formats=["csv"])
    assert [path.name for path in tmp_path.iterdir()] == ["adtr.csv"]
    with pytest.raises(ConfigError, match="Did you mean 'xpt'"):
        write_adam(study, tables, tmp_path, formats=["xptt"])


def test_14_a_study_with_nothing_to_tell_gives_empty_files_that_can_be_read(tmp_path):
    study = small()
    tables = {name: frame.clear() for name, frame in tables_of(study, ["recist11"]).items()}
    study = study_from_frames(
        patients=pl.DataFrame({"patient_id": ["P1"]}),
        sums=pl.DataFrame({"patient_id": ["P1"], "measure": ["longest"], "day": [0.0], "sum": [1.0]}),
    )
    export = write_adam(study, tables, tmp_path)
    assert export.rows == {"ADRS": 0, "ADTTE": 0, "ADTR": 0}
    assert pl.read_parquet(tmp_path / "adtte.parquet").columns == [v.name for v in ADTTE.variables]
    assert pyreadstat.read_xport(str(tmp_path / "adtte.xpt"))[0].columns.tolist() == [
        v.name for v in ADTTE.variables
    ]


# Files


@pytest.fixture(scope="module")
def written(demo, demo_tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("adam")
    export = write_adam(demo, demo_tables, folder, created=datetime(2026, 11, 21, 8, 30, 5))
    assert len(export.files) == 12
    assert export.shortened == {}
    return folder


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda d: d.name)
def test_15_a_transport_file_reads_back_equal(dataset, frames, written):
    data, meta = pyreadstat.read_xport(str(written / f"{dataset.name.lower()}.xpt"), output_format="polars")
    numbers = [v.name for v in dataset.variables if v.kind is not Kind.TEXT]
    expected = frames[dataset].with_columns(pl.col(numbers).cast(pl.Float64), pl.col(pl.String).fill_null(""))
    found = data.with_columns(
        pl.col(numbers).cast(pl.Float64).fill_nan(None), pl.col(pl.String).fill_null("")
    )
    assert found.equals(expected)
    assert meta.column_labels == [v.label for v in dataset.variables]
    assert (meta.table_name, meta.file_label) == (dataset.name, dataset.label)
    assert meta.creation_time == datetime(2026, 11, 21, 8, 30, 5)
    head = (written / f"{dataset.name.lower()}.xpt").read_bytes()[:80]
    assert head.startswith(b"HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!")  # version 5


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda d: d.name)
def test_16_dataset_json_reads_back_equal_with_our_own_reader(dataset, frames, written):
    path, log = written / f"{dataset.name.lower()}.json", IssueLog()
    records_read, _ = read_records(path, Place(file=path.name, log=log))
    assert log.errors == ()
    found = records_read.select([v.name for v in dataset.variables])
    typed = found.with_columns(pl.col(v.name).cast(v.kind.dtype) for v in dataset.variables)
    assert typed.equals(frames[dataset])


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda d: d.name)
def test_17_parquet_and_csv_read_back_equal(dataset, frames, written):
    name = dataset.name.lower()
    assert pl.read_parquet(written / f"{name}.parquet").equals(frames[dataset])
    schema = {v.name: v.kind.dtype for v in dataset.variables}
    assert pl.read_csv(written / f"{name}.csv", schema=schema).equals(frames[dataset])


def test_18_the_same_results_give_the_same_bytes(demo, demo_tables, tmp_path):
    one = write_adam(demo, demo_tables, tmp_path / "one")
    two = write_adam(demo, demo_tables, tmp_path / "two")
    assert [path.read_bytes() for path in one.files] == [path.read_bytes() for path in two.files]


def test_19_a_transport_file_is_read_as_sdtm_files_are(frames, written):
    """Our reader of transport files, which checks header and records, takes them too."""
    log = IssueLog()
    path = written / "adtte.xpt"
    records_read, _ = read_records(path, Place(file=path.name, log=log))
    assert log.errors == ()
    assert records_read["CNSR"].to_list() == [str(n) for n in frames[ADTTE]["CNSR"].to_list()]


def test_20_long_texts_are_shortened_in_transport_files_alone_and_counted(tmp_path):
    study = small()
    long = "ä" * 150  # 300 bytes
    lesions = study.tables["lesions"].with_columns(lesion_id=pl.lit(long))
    tables = tables_of(study, ["recist11"])
    named = study_from_frames(
        patients=study.patients.select("patient_id"),
        lesions=lesions.select("patient_id", "lesion_id", "day", "longest_mm", "role"),
    )
    export = write_adam(named, tables, tmp_path, formats=["xpt", "csv"])
    assert export.shortened == {"ADTR.TRLNKID": 3}
    data, _ = pyreadstat.read_xport(str(tmp_path / "adtr.xpt"), output_format="polars")
    assert data["TRLNKID"].to_list()[0] == "ä" * 98 + "..."
    assert long in (tmp_path / "adtr.csv").read_text(encoding="utf-8")


def test_21_admiral_adrs_says_the_same(tmp_path):
    """`admiralonco::admiral_adrs` (README of sdtm_onco): AVAL of each word, and ADY of OVR and BOR.

    The peer's reference date is TRTSDT, its dates are whole after imputation to the last day.
    """
    if not SHARED.is_dir():
        pytest.skip("shared data are not beside this checkout")
    peer = pl.read_csv(SHARED / "admiral_adrs.csv", infer_schema=False)
    visits = peer.filter(PARAMCD="OVR").with_columns(
        day=(pl.col("ADT").str.to_date() - pl.col("TRTSDT").str.to_date()).dt.total_days().cast(pl.Float64)
    )
    study = study_from_frames(
        config=StudyConfig(name="onco"),
        patients=visits.select(patient_id="USUBJID").unique(),
        responses=visits.select("day", patient_id="USUBJID", criterion=pl.lit("recist11"), overall="AVALC"),
    )
    study = replace(
        study, config=replace(study.config, policies=replace(study.config.policies, sd_min_days=28))
    )
    adrs = derive_adam(study, assess_study(study, criteria=["recist11"]).tables)[0][ADRS]
    ours = adrs.filter(PARAMCD="OVRR1").select("USUBJID", "ADY", "AVALC", "AVAL")
    study_day = (pl.col("ADT").str.to_date() - pl.col("TRTSDT").str.to_date()).dt.total_days() + 1
    theirs = visits.select("USUBJID", study_day.alias("ADY"), "AVALC", pl.col("AVAL").cast(pl.Float64))
    assert ours.equals(theirs.sort("USUBJID", "ADY"))
    best = adrs.filter(PARAMCD="BORR1").select("USUBJID", "ADY", "AVALC", "AVAL")
    peer_best = peer.filter(PARAMCD="BOR").select(
        "USUBJID", study_day.alias("ADY"), "AVALC", pl.col("AVAL").cast(pl.Float64)
    )
    assert best.equals(peer_best.sort("USUBJID"))
