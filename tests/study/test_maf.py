"""MAF and discrete copy number beside the tables of a tidy study."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hccresist.errors import InputError
from hccresist.explain.alterations import call_alterations
from hccresist.study.issues import IssueLog
from hccresist.study.maf import COPY_NUMBER, copy_number_genes, read_alterations
from hccresist.study.read import read_study
from hccresist.study.rows import Place
from hccresist.study.study import Study
from hccresist.study.write import write_tidy

HEADER = "Hugo_Symbol\tTumor_Sample_Barcode\tVariant_Classification\tHGVSp_Short\tChromosome\tStart_Position"
HEADER += "\tReference_Allele\tTumor_Seq_Allele2\tt_alt_count\tt_ref_count\tMutation_Status"
ROWS = (
    "CTNNB1\tS1\tMissense_Mutation\tp.S45P\t3\t41224646\tT\tC\t30\t70\tSomatic",
    "TERT\tS1\t5'Flank\t\t5\t1295113\tG\tA\t5\t15\tSomatic",
    "TP53\tS2\tSilent\tp.R249=\t17\t7577534\tC\tT\t\t\tSomatic",
    "TP53\tS2\tMissense_Mutation\tp.P72R\t17\t7579472\tG\tC\t50\t50\tGermline",
)
CNA = "Hugo_Symbol\tEntrez_Gene_Id\tS1\tS2\n"
CNA += "FGF19\t9965\t2\t0\nCCND1\t595\t2\tNA\nGENEX\t1\t1\t-2\nGENEY\t2\t0\t1\n"


def write_folder(folder: Path, **files: str | bytes) -> Path:
    """A tidy folder of two samples, and files whose names have a dot for each double underscore."""
    folder.mkdir(exist_ok=True)
    (folder / "study.toml").write_text('[study]\nname = "t"\n')
    (folder / "patients.csv").write_text("patient_id\nP1\nP2\n")
    (folder / "samples.csv").write_text("sample_id,patient_id\nS1,P1\nS2,P2\n")
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name.replace("__", ".")).write_bytes(data)
    return folder


def maf(*rows: str, header: str = HEADER) -> str:
    """A MAF with a version line."""
    return "\n".join(["#version 2.4", header, *rows]) + "\n"


def rows_of(study: Study) -> list[tuple[object, ...]]:
    """Key and kind of the alterations."""
    table = study.table("alterations")
    assert table is not None
    return list(table.select("sample_id", "gene", "change", "kind").iter_rows())


@pytest.mark.parametrize("name", ["alterations__maf", "data_mutations__txt", "any_name__maf"])
def test_a_maf_is_read_as_alterations(tmp_path: Path, name: str) -> None:
    study = read_study(write_folder(tmp_path / "s", **{name: maf(*ROWS)}))
    assert rows_of(study) == [
        ("S1", "CTNNB1", "p.S45P", "Missense_Mutation"),
        ("S1", "TERT", "5:1295113 G>A", "5'Flank"),
        ("S2", "TP53", "p.R249=", "Silent"),
    ]
    assert [warning.code for warning in study.warnings] == ["not-somatic"]
    table = study.table("alterations")
    assert table is not None
    assert table["vaf"].to_list() == [0.3, 0.25, None]
    assert [source.table for source in study.sources] == ["study", "patients", "samples", "alterations"]
    calls = call_alterations(study)
    assert set(calls.filter(gene="TERT", sample_id="S1")["call"]) == {"altered"}
    assert set(calls.filter(gene="TP53", sample_id="S2")["call"]) == {"not_altered"}


def test_a_gzipped_maf_with_windows_line_ends_is_the_same(tmp_path: Path) -> None:
    plain = read_study(write_folder(tmp_path / "a", alterations__maf=maf(*ROWS)))
    packed = gzip.compress(maf(*ROWS).replace("\n", "\r\n").encode())
    study = read_study(write_folder(tmp_path / "b", alterations__maf__gz=packed))
    assert rows_of(study) == rows_of(plain)


def test_copy_number_keeps_all_of_the_genes_of_rules_and_extremes_of_others(tmp_path: Path) -> None:
    study = read_study(write_folder(tmp_path / "s", data_cna__txt=CNA, data_mutations__txt=maf(*ROWS[:1])))
    copies = [row for row in rows_of(study) if row[3] == COPY_NUMBER]
    assert copies == [
        ("S1", "CCND1", "2", COPY_NUMBER),
        ("S1", "FGF19", "2", COPY_NUMBER),
        ("S2", "FGF19", "0", COPY_NUMBER),
        ("S2", "GENEX", "-2", COPY_NUMBER),
    ]
    assert "copy-number-in-part" in [warning.code for warning in study.warnings]
    calls = call_alterations(study)
    assert set(calls.filter(gene="11q13", sample_id="S1")["call"]) == {"altered"}
    assert set(calls.filter(gene="CCND1", sample_id="S2")["call"]) == {"not_measured"}


def test_the_genes_of_copy_number_rules_are_known_to_the_reader() -> None:
    assert {"FGF3", "FGF4", "FGF19", "CCND1", "VEGFA", "MET", "PTEN", "MDM2", "MDM4"} <= copy_number_genes()
    assert "11q13" not in copy_number_genes()


def test_a_study_from_a_maf_is_written_and_read_back(tmp_path: Path) -> None:
    study = read_study(write_folder(tmp_path / "s", alterations__maf=maf(*ROWS), data_cna__txt=CNA))
    write_tidy(study, tmp_path / "out")
    assert rows_of(read_study(tmp_path / "out")) == rows_of(study)


def test_changes_that_are_the_same_in_protein_are_merged_and_counted(tmp_path: Path) -> None:
    twice = ROWS[0].replace("41224646", "41224647")
    study = read_study(write_folder(tmp_path / "s", a__maf=maf(ROWS[0], twice)))
    assert len(rows_of(study)) == 1
    assert [warning.code for warning in study.warnings] == ["duplicate-mutation"]


def issues_of(folder: Path) -> list[tuple[str, str | None, int | None]]:
    """Code, file and line of what is wrong with a folder."""
    with pytest.raises(InputError) as caught:
        read_study(folder)
    return [(issue.code, issue.file, issue.line) for issue in caught.value.issues]


@pytest.mark.parametrize(
    ("name", "content", "code", "line"),
    [
        ("a__maf", "", "empty-file", None),
        ("a__maf", "#version 2.4\n", "no-header", None),
        ("a__maf", maf(header=HEADER.replace("Hugo_Symbol", "Hugo_Symbool")), "missing-column", None),
        ("a__maf", maf(ROWS[0].replace("\tT\tC", "")), "ragged-row", 3),
        ("a__maf", maf(ROWS[0].replace("S1", "S9")), "unknown-sample", 3),
        ("a__maf", maf(ROWS[0].replace("S1", "")), "missing-value", 3),
        ("a__maf", maf(header=HEADER + "\tHGVSp_Short"), "duplicate-column", 2),
        ("a__maf", b"\x00\x01\x02", "binary-file", 1),
        ("a__maf__gz", gzip.compress(maf(*ROWS).encode(), mtime=0)[:40], "unreadable-file", None),
        ("data_cna__txt", CNA.replace("9965\t2\t0", "9965\t2\t0.37"), "not-discrete", 2),
        ("data_cna__txt", CNA.replace("9965\t2\t0", "9965\t2\tx"), "not-discrete", 2),
        ("data_cna__txt", CNA.replace("Hugo_Symbol", "Gene"), "missing-column", 1),
        ("data_cna__txt", CNA.replace("\t-2", ""), "ragged-row", 4),
        ("data_cna__txt", CNA.replace("S2", "S9"), "unknown-sample", 2),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, name: str, content: str | bytes, code: str, line: int | None
) -> None:
    found = issues_of(write_folder(tmp_path / "s", **{name: content}))
    assert (code, name.replace("__", "."), line) in found


def test_the_same_alteration_in_two_files_is_told(tmp_path: Path) -> None:
    table = "sample_id,gene,change,kind\nS1,CTNNB1,p.S45P,Missense_Mutation\n"
    found = issues_of(write_folder(tmp_path / "s", alterations__csv=table, a__maf=maf(ROWS[0])))
    assert [code for code, _, _ in found] == ["duplicate-key"]


def test_a_maf_without_patients_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.maf").write_text(maf(*ROWS))
    assert ("missing-table", "patients.csv", None) in issues_of(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.binary(max_size=300), header=st.booleans(), kind=st.sampled_from(["mutation", COPY_NUMBER]))
def test_any_bytes_are_read_or_told(tmp_path: Path, data: bytes, header: bool, kind: str) -> None:
    path = tmp_path / "x.maf"
    first = (HEADER if kind == "mutation" else "Hugo_Symbol\tS1").encode()
    path.write_bytes(first + b"\n" + data if header else data)
    log = IssueLog()
    read = read_alterations(path, kind, place=Place(file="x.maf", log=log))
    assert read is not None or log.errors
    if read is not None:
        assert read[0].frame.schema["change"] == pl.String
