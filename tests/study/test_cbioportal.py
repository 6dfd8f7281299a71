"""A cBioPortal study folder, small and made up, in the form of docs.cbioportal.org/file-formats."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hccresist.cli import main
from hccresist.errors import InputError
from hccresist.explain.alterations import call_alterations
from hccresist.study import tab
from hccresist.study.read import read_study
from hccresist.study.study import Study

PATIENTS = """#Patient\tAge\tSex\tMonths\tStatus\tMonths\tStatus\tECOG
#Patient\tAge\tSex\tMonths\tStatus\tMonths\tStatus\tECOG
#STRING\tNUMBER\tSTRING\tNUMBER\tSTRING\tNUMBER\tSTRING\tSTRING
#1\t1\t1\t1\t1\t1\t1\t1
PATIENT_ID\tAGE\tSEX\tOS_MONTHS\tOS_STATUS\tPFS_MONTHS\tPFS_STATUS\tECOG
P1\t61\tMale\t12\t1:DECEASED\t4\t1:PROGRESSION\t1
P2\t58\tFemale\t24\t0:LIVING\t24\t0:CENSORED\tgood
P3\t[Not Available]\tMale\t\t0:LIVING\t\t\t0
"""
SAMPLES = """#Sample\tPatient\tType\tTMB
#Sample\tPatient\tType\tTMB
#STRING\tSTRING\tSTRING\tNUMBER
#1\t1\t1\t1
SAMPLE_ID\tPATIENT_ID\tSAMPLE_TYPE\tMSI_SCORE_MANTIS
P1-01\tP1\tPrimary\t0.31
P2-01\tP2\tPrimary\t0.6
P3-01\tP3\tPrimary\t
P1-11\tP1\tSolid Tissue Normal\t
"""
MAF = """#version 2.4
Hugo_Symbol\tTumor_Sample_Barcode\tVariant_Classification\tHGVSp_Short
CTNNB1\tP1-01\tMissense_Mutation\tp.S45P
TP53\tP2-01\tSilent\tp.R249=
"""
CNA = "Hugo_Symbol\tEntrez_Gene_Id\tP1-01\tP2-01\nFGF19\t9965\t2\t0\nCCND1\t595\t2\t0\nVEGFA\t7422\t0\tNA\n"
EXPRESSION = (
    "Hugo_Symbol\tEntrez_Gene_Id\tP1-01\tP2-01\tP3-01\n"
    "TP53\t7157\t10\t20.5\t30\nGLUL\t2752\t1\t1\t1\nGLUL\t2752\t5\tNA\t7\n\t6934\t3\t3\t3\nNA\t\t1\t1\t1\n"
)
METAS = {
    "study": "type_of_cancer: hcc\ncancer_study_identifier: toy_hcc\nname: Toy: HCC\ndescription: made up\n",
    "clinical_patient": "genetic_alteration_type: CLINICAL\ndatatype: PATIENT_ATTRIBUTES\n"
    "data_filename: data_clinical_patient.txt\n",
    "clinical_sample": "genetic_alteration_type: CLINICAL\ndatatype: SAMPLE_ATTRIBUTES\n"
    "data_filename: data_clinical_sample.txt\n",
    "mutations": "genetic_alteration_type: MUTATION_EXTENDED\ndatatype: MAF\nstable_id: mutations\n"
    "data_filename: data_mutations.txt\n",
    "cna": "genetic_alteration_type: COPY_NUMBER_ALTERATION\ndatatype: DISCRETE\nstable_id: gistic\n"
    "data_filename: data_cna.txt\n",
    "mrna": "genetic_alteration_type: MRNA_EXPRESSION\ndatatype: CONTINUOUS\nstable_id: rna_seq_v2_mrna\n"
    "data_filename: data_mrna.txt\n",
    "mrna_z": "genetic_alteration_type: MRNA_EXPRESSION\ndatatype: Z-SCORE\nstable_id: a_z\n"
    "data_filename: data_mrna_z.txt\n",
    "timeline": "genetic_alteration_type: CLINICAL\ndatatype: TIMELINE\n"
    "data_filename: data_timeline_treatment.txt\n",
}
DATA = {
    "clinical_patient": PATIENTS,
    "clinical_sample": SAMPLES,
    "mutations": MAF,
    "cna": CNA,
    "mrna": EXPRESSION,
    "mrna_z": EXPRESSION,
    "timeline_treatment": "PATIENT_ID\tSTART_DATE\nP1\t0\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study folder with everything in it."""
    made = tmp_path / "toy"
    made.mkdir()
    for name, text in METAS.items():
        (made / f"meta_{name}.txt").write_text(text)
    for name, text in DATA.items():
        (made / f"data_{name}.txt").write_text(text)
    return made


def table(study: Study, name: str) -> pl.DataFrame:
    """A table that must be there."""
    found = study.table(name)
    assert found is not None
    return found


def codes(study: Study) -> set[str]:
    """Codes of the warnings."""
    return {warning.code for warning in study.warnings}


def test_clinical_data_become_patients_samples_and_survival(folder: Path) -> None:
    study = read_study(folder)
    assert (study.config.name, study.config.title) == ("toy_hcc", "Toy: HCC")
    patients = table(study, "patients")
    assert patients["age_years"].to_list() == [61, 58, None]
    assert patients["sex"].to_list() == ["male", "female", "male"]
    assert patients["recorded_ecog"].to_list() == ["1", "good", "0"]
    assert patients["ecog"].null_count() == 3
    survival = table(study, "survival")
    assert survival["patient_id"].to_list() == ["P1", "P2"]
    assert survival["os_days"].to_list() == [12 * 30.4375, 24 * 30.4375]
    assert survival["died"].to_list() == [True, False]
    assert survival.select("pfs_days", "pfs_event").row(0) == (4 * 30.4375, True)
    samples = table(study, "samples")
    assert samples["tissue"].to_list() == ["tumour", "normal", "tumour", "tumour"]
    assert samples["msi_score_mantis"].to_list() == ["0.31", None, "0.6", None]
    assert {"time-zero", "half-endpoint", "kept-as-recorded", "not-read"} <= codes(study)


def test_what_is_not_read_is_named(folder: Path) -> None:
    told = next(w for w in read_study(folder).warnings if w.code == "not-read")
    assert "data_mrna_z.txt" in told.problem
    assert "data_timeline_treatment.txt" in told.problem
    assert "data_mrna.txt" not in told.problem


def test_expression_keeps_one_row_a_gene_and_names_by_entrez_where_there_is_no_symbol(folder: Path) -> None:
    study = read_study(folder)
    assert table(study, "expression").select("gene", "P1-01", "P2-01", "P3-01").rows() == [
        ("6934", 3.0, 3.0, 3.0),
        ("GLUL", 5.0, None, 7.0),
        ("TP53", 10.0, 20.5, 30.0),
    ]
    assert {"several-rows-a-gene", "no-gene"} <= codes(study)


def test_alterations_are_called(folder: Path) -> None:
    calls = call_alterations(read_study(folder))
    found = {
        (row["sample_id"], row["gene"]): row["call"]
        for row in calls.filter(pl.col("mechanism_id") != "RSP-HPD").iter_rows(named=True)
    }
    assert found["P1-01", "CTNNB1"] == "altered"
    assert found["P1-01", "11q13"] == "altered"
    assert found["P2-01", "11q13"] == "not_altered"
    assert found["P2-01", "VEGFA"] == "not_measured"
    assert found["P2-01", "MSI"] == "altered"
    assert ("P3-01", "TP53") not in found


def test_the_case_list_says_what_was_sequenced(folder: Path) -> None:
    (folder / "case_lists").mkdir()
    (folder / "case_lists" / "cases_sequenced.txt").write_text("stable_id: x\ncase_list_ids: P1-01\tP3-01\n")
    study = read_study(folder)
    assert table(study, "samples")["sequenced"].to_list() == ["exome", "none", "none", "exome"]
    assert "exome-assumed" in codes(study)
    calls = call_alterations(study)
    assert set(calls.filter(gene="TP53", sample_id="P3-01")["call"]) == {"not_altered"}


def test_a_gene_panel_says_what_was_sequenced(folder: Path) -> None:
    (folder / "data_gene_panel_matrix.txt").write_text(
        "SAMPLE_ID\tmutations\tcna\nP1-01\tTOY\tTOY\nP2-01\tWES\tNA\nP3-01\tOTHER\tNA\n"
    )
    (folder / "data_gene_panel_toy.txt").write_text("stable_id: TOY\ngene_list: CTNNB1\tTP53\n")
    study = read_study(folder)
    samples = table(study, "samples").filter(pl.col("tissue") == "tumour")
    assert samples["sequenced"].to_list() == ["panel", "exome", "panel"]
    assert "unknown-panel" in codes(study)
    calls = call_alterations(study).filter(gene="AXIN1")
    assert dict(calls.select("sample_id", "call").iter_rows()) == {
        "P1-01": "not_measured",
        "P2-01": "not_altered",
        "P3-01": "not_measured",
    }


def test_files_are_found_by_name_where_no_meta_file_names_them(folder: Path) -> None:
    for path in folder.glob("meta_*.txt"):
        if path.name != "meta_study.txt":
            path.unlink()
    (folder / "data_cna.txt").rename(folder / "data_CNA.txt")
    study = read_study(folder)
    assert set(study.tables) == {"patients", "survival", "samples", "alterations"}
    assert any("data_mrna.txt" in w.problem for w in study.warnings if w.code == "not-read")


@pytest.mark.parametrize("size", [1, 40, 64, 100])
def test_a_file_read_in_parts_gives_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    (folder / "data_cna.txt").write_text(CNA + "FGF19\t9965\t-2\t-2\nGENEX\t1\t2\t0\n")
    whole = read_study(folder)
    monkeypatch.setattr(tab, "PART_BYTES", size)
    parts = read_study(folder)
    assert parts.warnings == whole.warnings
    for name in whole.tables:
        assert table(parts, name).equals(table(whole, name))


def test_lines_are_right_in_parts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tab, "PART_BYTES", 30)
    edit(folder, "data_mrna.txt", "5\tNA", "5\thigh")
    with pytest.raises(InputError, match=r"data_mrna\.txt line 4, P2-01"):
        read_study(folder)


def test_patients_may_stand_in_the_sample_file_alone(folder: Path) -> None:
    (folder / "data_clinical_patient.txt").unlink()
    study = read_study(folder)
    assert table(study, "patients")["patient_id"].to_list() == ["P1", "P2", "P3"]
    assert "missing-file" in codes(study)


def test_one_command_writes_a_tidy_folder(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "tidy"
    assert main(["convert", str(folder), "--out", str(out)]) == 0
    again, study = read_study(out), read_study(folder)
    assert set(again.tables) == set(study.tables)
    for name in ("expression", "alterations", "survival"):
        assert (
            table(again, name)
            .select(again.tables[name].columns[:3])
            .equals(table(study, name).select(again.tables[name].columns[:3]))
        )
    assert main(["check", str(folder)]) == 0


def edit(folder: Path, name: str, old: str, new: str) -> None:
    """Change one file."""
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("data_clinical_patient.txt", ("PATIENT_ID\tAGE", "PATIENT\tAGE"), ("missing-column", None)),
        ("data_clinical_patient.txt", ("12\t1:DEC", "twelve\t1:DEC"), ("not-a-number", 6)),
        ("data_clinical_patient.txt", ("1:DECEASED", "GONE"), ("unknown-status", 6)),
        ("data_clinical_patient.txt", ("P2\t58", "P1\t58"), ("duplicate-key", 7)),
        ("data_clinical_patient.txt", ("\tgood\n", "\n"), ("ragged-row", 7)),
        ("data_clinical_sample.txt", ("P2-01\tP2", "P2-01\t"), ("missing-value", 7)),
        ("data_clinical_sample.txt", ("SAMPLE_ID", "SAMPLE"), ("missing-column", None)),
        ("data_mutations.txt", ("P2-01", "P9-01"), ("unknown-sample", 4)),
        ("data_cna.txt", ("9965\t2", "9965\t0.31"), ("not-discrete", 2)),
        ("data_mrna.txt", ("20.5", "high"), ("not-a-number", 2)),
        ("data_mrna.txt", ("Hugo_Symbol\tEntrez_Gene_Id", "A\tB"), ("missing-column", None)),
        ("data_mrna.txt", (EXPRESSION, "version https://git-lfs.github.com/spec/v1\n"), ("lfs-pointer", 1)),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(
    folder: Path, name: str, change: tuple[str, str], told: tuple[str, int | None]
) -> None:
    edit(folder, name, *change)
    with pytest.raises(InputError) as caught:
        read_study(folder)
    assert told in [(i.code, i.line) for i in caught.value.issues if name in (i.file or "")]


def test_all_problems_are_told_at_once(folder: Path) -> None:
    edit(folder, "data_clinical_patient.txt", "1:DECEASED", "GONE")
    edit(folder, "data_mrna.txt", "20.5", "high")
    edit(folder, "data_cna.txt", "9965\t2", "9965\tx")
    with pytest.raises(InputError) as caught:
        read_study(folder)
    assert {"unknown-status", "not-a-number", "not-discrete"} <= {i.code for i in caught.value.issues}


def test_without_samples_the_folder_is_refused(folder: Path) -> None:
    (folder / "meta_clinical_sample.txt").unlink()
    (folder / "data_clinical_sample.txt").unlink()
    with pytest.raises(InputError, match="data_clinical_sample"):
        read_study(folder)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None)
@given(
    name=st.sampled_from(sorted(DATA)), at=st.integers(0, 400), junk=st.binary(max_size=20), cut=st.booleans()
)
def test_a_damaged_file_is_read_or_told(folder: Path, name: str, at: int, junk: bytes, cut: bool) -> None:
    path = folder / f"data_{name}.txt"
    text = DATA[name].encode()
    path.write_bytes(text[:at] + junk + (b"" if cut else text[at:]))
    try:
        assert read_study(folder).patients.height
    except InputError as error:
        assert error.issues  # noqa: PT017
    finally:
        path.write_bytes(text)


@pytest.mark.parametrize("junk", [b"", b"\x00\x01", b"\xff\xfe\x00", b"PATIENT_ID\n", b"\n\n#\n"])
def test_junk_in_any_file_is_told(folder: Path, junk: bytes) -> None:
    for path in sorted(folder.glob("*.txt")):
        broken = folder.parent / f"broken_{path.stem}"
        shutil.copytree(folder, broken)
        (broken / path.name).write_bytes(junk)
        try:
            read_study(broken)
        except InputError as error:
            assert error.issues  # noqa: PT017
