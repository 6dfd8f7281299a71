"""pharmaversesdtm's oncology domains, read as they are and accounted for record by record.

The expected numbers are counted from the files with the csv module alone.
"""

from __future__ import annotations

import csv
import gzip
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import polars as pl
import pytest

from hccresist.assess import assess_study
from hccresist.errors import InputError
from hccresist.study.issues import Severity
from hccresist.study.sdtm import read_sdtm
from hccresist.study.study import Study

Record = dict[str, str]


@pytest.fixture(scope="module")
def onco(shared_data: Path) -> Path:
    return shared_data / "sdtm_onco"


def copy(onco: Path, folder: Path, *names: str) -> Path:
    for name in names:
        shutil.copy(onco / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def study(onco: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    names = ("dm_dates.csv", "tu_onco.csv", "tr_onco.csv.gz", "supptr_onco.csv.gz", "rs_onco.csv")
    return read_sdtm(copy(onco, tmp_path_factory.mktemp("onco"), *names))


@pytest.fixture(scope="module")
def tr(onco: Path) -> list[Record]:
    with gzip.open(onco / "tr_onco.csv.gz", "rt") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def rs(onco: Path) -> list[Record]:
    with (onco / "rs_onco.csv").open() as file:
        return list(csv.DictReader(file))


def reader_of(record: Record, domain: str) -> str:
    return record[f"{domain}EVALID"] or record[f"{domain}EVAL"]


def test_nothing_stops_the_reading(study):
    assert not [issue for issue in study.warnings if issue.severity is Severity.ERROR]


def test_every_lesion_of_every_scan_is_a_row(study, tr):
    wanted = Counter(
        key[:4]
        for key in {
            (r["USUBJID"], reader_of(r, "TR"), r["TRLNKID"], float(r["VISITNUM"]), r["TRDTC"])
            for r in tr
            if r["TRLNKID"]
        }
    )
    lesions = study.tables["lesions"].select("patient_id", "reader", "lesion_id", "visitnum")
    assert Counter(lesions.iter_rows()) == wanted


@pytest.fixture(scope="module")
def sites(onco: Path) -> dict[tuple[str, str, str], str]:
    with (onco / "tu_onco.csv").open() as file:
        return {(r["USUBJID"], reader_of(r, "TU"), r["TULNKID"]): r["TULOC"] for r in csv.DictReader(file)}


def test_what_counts_of_a_lesion_is_its_longest_diameter_or_the_short_axis_of_a_node(study, tr, sites):
    """The site is TU's. TR's own DIAMETER follows a site that changes from visit to visit (SUPPTR); where
    the two differ it is told and DIAMETER is kept."""
    wanted: dict[tuple[str, str, str, float, str], dict[str, float]] = defaultdict(dict)
    for r in tr:
        if r["TRLNKID"] and r["TRSTRESN"]:
            key = (r["USUBJID"], reader_of(r, "TR"), r["TRLNKID"], float(r["VISITNUM"]), r["TRDTC"])
            wanted[key][r["TRTESTCD"]] = float(r["TRSTRESN"])
    test = {key: "LPERP" if sites[key[:3]] == "LYMPH NODE" else "LDIAM" for key in wanted}
    counted = pl.when(pl.col("node")).then("short_axis_mm").otherwise("longest_mm")
    rows = study.tables["lesions"].with_columns(counted.alias("counted")).drop_nulls("counted")
    columns = ("patient_id", "reader", "lesion_id", "visitnum", "counted", "diameter_recorded_mm")
    assert Counter(rows.select(columns).iter_rows()) == Counter(
        (*key[:4], sizes[test[key]], sizes["DIAMETER"]) for key, sizes in wanted.items()
    )
    differ = sum(sizes[test[key]] != sizes["DIAMETER"] for key, sizes in wanted.items())
    told = {issue.code: issue.problem for issue in study.warnings}
    assert told["counted-differs"].startswith(f"{differ} results")
    assert "site-differs" in told


def test_states_are_those_recorded(study, tr):
    words = Counter(
        "NOT DONE" if r["TRSTAT"] == "NOT DONE" else f"{r['TRGRPID']} {r['TRSTRESC']}"
        for r in tr
        if r["TRTESTCD"] == "TUMSTATE"
    )
    states = Counter(
        f"{role} {state}"
        for role, state in study.tables["lesions"]
        .filter(pl.col("role") != "target")
        .select(pl.col("role").cast(pl.String), pl.col("state").cast(pl.String))
        .iter_rows()
    )
    assert states == {
        "nontarget present": words["NON-TARGET PRESENT"],
        "nontarget absent": words["NON-TARGET ABSENT"],
        "nontarget unequivocal_progression": words["NON-TARGET UNEQUIVOCAL"],
        "nontarget not_evaluable": words["NOT DONE"],
        "new_nontarget equivocal": words["NEW EQUIVOCAL"],
        "new_nontarget present": words["NEW UNEQUIVOCAL"],
    }


def test_recorded_sums_stay_beside_the_scan(study, tr):
    wanted = {
        (r["USUBJID"], reader_of(r, "TR"), float(r["VISITNUM"])): float(r["TRSTRESN"])
        for r in tr
        if r["TRTESTCD"] == "SUMDIAM" and r["TRSTRESN"]
    }
    rows = study.tables["visits"].drop_nulls("recorded_sum_mm")
    found = rows.select("patient_id", "reader", "visitnum", "recorded_sum_mm").iter_rows()
    assert {row[:3]: row[3] for row in found} == wanted
    assert "sums" not in study.tables


def test_every_response_is_a_cell(study, rs):
    columns = {"OVRLRESP": "overall", "TRGRESP": "target", "NTRGRESP": "nontarget"}
    wanted: dict[tuple[str, str, float], dict[str, str]] = defaultdict(dict)
    for r in rs:
        if r["RSTESTCD"] in columns and r["RSSTAT"] != "NOT DONE" and r["RSSTRESC"] != "CHECK":
            key = (r["USUBJID"], reader_of(r, "RS"), float(r["VISITNUM"]))
            wanted[key][columns[r["RSTESTCD"]]] = r["RSSTRESC"]
    found = {
        (row["patient_id"], row["reader"], row["visitnum"]): {
            name: row[name] for name in columns.values() if row[name] is not None
        }
        for row in study.tables["responses"].iter_rows(named=True)
    }
    assert found == dict(wanted)


def test_sites_become_organs_and_keep_their_name(study):
    pairs = study.tables["lesions"].select("organ_recorded", pl.col("organ").cast(pl.String)).unique()
    assert dict(pairs.drop_nulls().iter_rows()) == {
        "ABDOMINAL CAVITY": "other",
        "ADRENAL GLAND": "adrenal",
        "BLADDER": "bladder",
        "BODY": "other",
        "BONE": "bone",
        "BREAST": "breast",
        "CHEST": "other",
        "LYMPH NODE": "lymph_node",
    }


def test_subjects_beyond_dm_are_placed_by_their_study_days(study, tr):
    assert study.patients.height == len(
        {r["USUBJID"] for r in tr} | set(study.tables["survival"]["patient_id"])
    )
    told = next(issue for issue in study.warnings if issue.code == "not-in-dm")
    assert told.problem.startswith("32 subjects")


@pytest.mark.parametrize(
    ("name", "criteria"),
    [
        ("rs_onco_irecist.csv", {"irecist"}),
        ("rs_onco_imwg.csv", {"imwg"}),
        ("rs_onco_ca125.csv", {"recist11", "ca125", "recist_1_1_ca125"}),
        ("rs_onco_pcwg3.csv", {"pcwg_scher_prostate_cancer_2016"}),
        ("rs_onco_lymphoma.csv", {"lugano_2014_including_pet_ct_scan", "lugano_2014_not_including_pet_scan"}),
    ],
)
def test_responses_by_other_criteria_are_read_under_their_name(name, criteria, onco, tmp_path):
    study = read_sdtm(copy(onco, tmp_path, "dm_dates.csv", name))
    assert set(study.tables["responses"]["criterion"].to_list()) == criteria


def test_every_response_by_another_criterion_is_read_or_counted(onco, tmp_path):
    """IMWG: 65 responses, of which sCR, VGPR and MR (27) are words of its own."""
    study = read_sdtm(copy(onco, tmp_path, "dm_dates.csv", "rs_onco_imwg.csv"))
    told = {issue.code: issue.problem for issue in study.warnings}
    assert study.tables["responses"].height == 65 - 27
    assert told["response-not-read"].startswith("27 scans by imwg")


def test_the_whole_folder_says_which_files_clash(onco, tmp_path):
    names = [path.name for path in onco.iterdir()]
    with pytest.raises(InputError) as caught:
        read_sdtm(copy(onco, tmp_path, *names))
    clashes = [issue.problem for issue in caught.value.issues if issue.code == "files-clash"]
    assert [text.split(" hold")[0] for text in clashes] == [
        f"several files of {name}" for name in ("TU", "TR", "RS")
    ]
    assert "tr_onco.csv.gz, tr_onco_recist.csv" in clashes[1]


def test_sums_of_lesions_equal_the_recorded_sums_where_the_diameters_agree(study):
    """SUMDIAM of TR against the engine's sums, at scans at which every DIAMETER is what counts here."""
    scan = ["patient_id", "reader", "day"]
    counted = pl.when(pl.col("node")).then("short_axis_mm").otherwise("longest_mm")
    moved = study.tables["lesions"].filter(counted != pl.col("diameter_recorded_mm")).select(scan).unique()
    derived = assess_study(study, criteria=["recist11"]).tables["timepoints"].select(*scan, "sum_mm")
    recorded = study.tables["visits"].select(*scan, "recorded_sum_mm")
    both = derived.join(recorded, on=scan).join(moved, on=scan, how="anti").drop_nulls()
    assert both.height > 400
    assert both["sum_mm"].to_list() == both["recorded_sum_mm"].to_list()
