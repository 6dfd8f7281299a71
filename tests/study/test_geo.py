"""GEO series matrices, small and made up, with and without the table of their platform."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hccresist.cli import main
from hccresist.errors import InputError
from hccresist.study.geo import is_series_matrix
from hccresist.study.geo_platform import looks_like_probes
from hccresist.study.read import read_study
from hccresist.study.study import Study

HEAD = """!Series_title\t"Toy liver ""series\"\""
!Series_geo_accession\t"GSE1"
!Series_platform_id\t"GPL570"
!Sample_title\t"tumour 1"\t"liver 1"\t"tumour 2"
!Sample_geo_accession\t"GSM1"\t"GSM2"\t"GSM3"
!Sample_source_name_ch1\t"HCC"\t"liver"\t"HCC"
!Sample_characteristics_ch1\t"tissue: tumour"\t"tissue: liver"\t"tissue: tumour"
!Sample_characteristics_ch1\t"patient id: A"\t"patient id: A"\t"patient id: B"
!Sample_characteristics_ch1\t"gender: male"\t"gender: male"\t"Sex: Female"
!Sample_characteristics_ch1\t"AFP (ng/ml): 300"\t"batch: 2"\t"batch: 1"
!Sample_characteristics_ch1\t"batch: 9"\t""\t""
"""
PROBES = """"1007_s_at"\t8.1\t7.2\t6.3
"1053_at"\t5\t\t5.5
"117_at"\t9\t9.5\tNA
"AFFX-x_at"\t1\t1\t1
"200000_at"\t2\t3\t4
"""
GENES = """"TP53"\t8.1\t7.2\t6.3
"HLA-A"\t5\t5\t5.5
"CTNNB1"\t9\t9.5\t9
"""
GPL = """^DATABASE = GeoMiame
!Annotation_platform = GPL570
#ID = probe
#Gene symbol = symbol
!platform_table_begin
ID\tGene title\tGene symbol
1007_s_at\ttitle\tDDR1///MIR4640
1053_at\ttitle\tRFC2
117_at\ttitle\tRFC2
AFFX-x_at\t\t
!platform_table_end
"""


def matrix(rows: str, head: str = HEAD) -> str:
    """A series matrix."""
    names = '"ID_REF"\t"GSM1"\t"GSM2"\t"GSM3"\n'
    return f"{head}!series_matrix_table_begin\n{names}{rows}!series_matrix_table_end\n"


def write(folder: Path, text: str, **others: str) -> Path:
    """A gzipped series matrix, and files whose names have a dot for each double underscore."""
    folder.mkdir(exist_ok=True)
    (folder / "GSE1_series_matrix.txt.gz").write_bytes(gzip.compress(text.encode()))
    for name, content in others.items():
        (folder / name.replace("__", ".")).write_text(content)
    return folder


def table(study: Study, name: str) -> pl.DataFrame:
    """A table that must be there."""
    found = study.table(name)
    assert found is not None
    return found


def issue_of(path: Path, code: str) -> str:
    """The sentence of one problem."""
    with pytest.raises(InputError) as caught:
        read_study(path)
    return next(issue.sentence() for issue in caught.value.issues if issue.code == code)


def test_characteristics_become_patients_and_samples(tmp_path: Path) -> None:
    study = read_study(write(tmp_path / "g", matrix(GENES)))
    assert (study.config.name, study.config.title) == ("GSE1", 'Toy liver "series"')
    patients, samples = table(study, "patients"), table(study, "samples")
    assert patients.select("patient_id", "sex", "gender", "afp_ng_ml").rows() == [
        ("A", None, "male", "300"),
        ("B", "female", None, None),
    ]
    assert samples.select("sample_id", "patient_id", "tissue", "batch", "title", "source_name").rows() == [
        ("GSM1", "A", "tumour", "9", "tumour 1", "HCC"),
        ("GSM2", "A", "liver", "2", "liver 1", "liver"),
        ("GSM3", "B", "tumour", "1", "tumour 2", "HCC"),
    ]


def test_rows_that_are_genes_are_taken_by_name_and_it_is_told(tmp_path: Path) -> None:
    study = read_study(write(tmp_path / "g", matrix(GENES)))
    assert table(study, "expression")["gene"].to_list() == ["CTNNB1", "HLA-A", "TP53"]
    assert "rows-as-genes" in {warning.code for warning in study.warnings}


@pytest.mark.parametrize("name", ["GPL570__annot", "GPL570-55999__txt"])
def test_probes_become_genes_by_the_platform_beside_them(tmp_path: Path, name: str) -> None:
    text = GPL if "annot" in name else GPL.partition("begin\n")[2].partition("!platform")[0]
    study = read_study(write(tmp_path / "g", matrix(PROBES), **{name: text}))
    assert table(study, "expression").select("gene", "GSM1", "GSM2", "GSM3").rows() == [
        ("RFC2", 9.0, 9.5, None)
    ]
    told = {warning.code: warning.problem for warning in study.warnings}
    assert told["unknown-probe"].startswith("1 rows")
    assert told["several-genes"].startswith("1 rows")
    assert told["no-gene"].startswith("3 rows")
    assert told["several-rows-a-gene"].startswith("1 ")
    assert {source.file for source in study.sources} == {"GSE1_series_matrix.txt.gz", name.replace("__", ".")}


def test_gene_assignments_of_affymetrix_gene_arrays_are_read(tmp_path: Path) -> None:
    gpl = "ID\tgene_assignment\n"
    gpl += "100\tNM_1 // TP53 // tumor protein // 17p13 // 7157 /// ENST1 // TP53 // x // y // 7157\n"
    gpl += "200\tNM_2 // A1BG // x // y // 1 /// NM_3 // A2M // x // y // 2\n300\t---\n"
    rows = '"100"\t1\t2\t3\n"200"\t1\t2\t3\n"300"\t1\t2\t3\n'
    study = read_study(write(tmp_path / "g", matrix(rows), GPL570__txt=gpl))
    assert table(study, "expression")["gene"].to_list() == ["TP53"]


def test_probes_without_their_platform_are_refused_with_what_to_fetch(tmp_path: Path) -> None:
    said = issue_of(write(tmp_path / "g", matrix(PROBES), GPL96__annot=GPL), "probes-without-platform")
    assert "GPL570.annot.gz" in said
    assert "1007_s_at" in said
    assert "line 14" in said


def test_a_sample_is_a_patient_where_nothing_names_the_patient(tmp_path: Path) -> None:
    study = read_study(write(tmp_path / "g", matrix(GENES, HEAD.replace("patient id", "site"))))
    assert table(study, "patients")["patient_id"].to_list() == ["GSM1", "GSM2", "GSM3"]
    assert table(study, "patients")["site"].to_list() == ["A", "A", "B"]
    assert "sample-is-patient" in {warning.code for warning in study.warnings}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (matrix(""), "no-values"),
        (matrix(GENES).replace("!series_matrix_table_end\n", ""), "cut-short"),
        (HEAD, "no-table"),
        (matrix(GENES, HEAD.replace("!Sample_geo_accession", "!Sample_x")), "no-samples"),
        (matrix(GENES.replace("8.1", "high")), "not-a-number"),
        (matrix(GENES.replace("8.1\t", "")), "ragged-row"),
        (matrix(GENES).replace('"GSM3"\n"TP53', '"GSM9"\n"TP53'), "unknown-sample"),
        (matrix(PROBES), "probes-without-platform"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, code: str) -> None:
    assert "GSE1_series_matrix.txt.gz" in issue_of(write(tmp_path / "g", text), code)


@pytest.mark.parametrize(
    ("gpl", "code"),
    [
        ("ID\tSequence\n1007_s_at\tACGT\n", "unknown-header"),
        ("ID\tGene Symbol\n999_at\tTP53\n", "wrong-platform"),
        ("", "empty-file"),
    ],
)
def test_a_platform_that_cannot_serve_is_told(tmp_path: Path, gpl: str, code: str) -> None:
    issue_of(write(tmp_path / "g", matrix(PROBES), GPL570__txt=gpl), code)


def test_the_file_itself_may_be_named_and_several_must_be(tmp_path: Path) -> None:
    folder = write(tmp_path / "g", matrix(GENES))
    file = folder / "GSE1_series_matrix.txt.gz"
    assert is_series_matrix(file)
    assert read_study(file).tables.keys() == read_study(folder).tables.keys()
    (folder / "GSE1-GPL96_series_matrix.txt").write_text(matrix(GENES))
    assert "Name one of them" in issue_of(folder, "several-files")
    assert read_study(folder / "GSE1-GPL96_series_matrix.txt").config.name == "GSE1"


def test_a_truncated_archive_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path / "g", matrix(GENES * 2000))
    file = folder / "GSE1_series_matrix.txt.gz"
    file.write_bytes(file.read_bytes()[:-200])
    assert "cut short" in issue_of(folder, "unreadable-file")


def test_one_command_writes_a_tidy_folder(tmp_path: Path) -> None:
    folder = write(tmp_path / "g", matrix(PROBES), GPL570__annot=GPL)
    out = tmp_path / "tidy"
    assert main(["convert", str(folder / "GSE1_series_matrix.txt.gz"), "--out", str(out)]) == 0
    assert table(read_study(out), "expression").equals(table(read_study(folder), "expression"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(at=st.integers(0, len(HEAD) + 200), junk=st.binary(max_size=20), cut=st.booleans())
def test_a_damaged_file_is_read_or_told(tmp_path: Path, at: int, junk: bytes, cut: bool) -> None:
    text = matrix(GENES).encode()
    folder = tmp_path / "g"
    folder.mkdir(exist_ok=True)
    (folder / "GSE1_series_matrix.txt").write_bytes(text[:at] + junk + (b"" if cut else text[at:]))
    try:
        assert read_study(folder).table("expression") is not None
    except InputError as error:
        assert error.issues  # noqa: PT017


@pytest.mark.parametrize(
    ("names", "probes"),
    [
        (["ILMN_1343291", "ILMN_1651209"], True),
        (["A_23_P100001", "A_19_P00315452"], True),
        (["7892501", "7892502"], True),
        (["1234_at", "10_at"], True),
        (["TP53", "A1BG", "HLA-DRB1", "C1orf112"], False),
        (["ENSG00000141510", "ENSG00000168036"], False),
        ([], True),
    ],
)
def test_probes_are_known_by_their_names(names: list[str], probes: bool) -> None:
    assert looks_like_probes(pl.Series(names, dtype=pl.String)) is probes
