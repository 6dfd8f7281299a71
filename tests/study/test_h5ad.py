"""AnnData files of bulk samples; files of cells are refused."""

from __future__ import annotations

import builtins
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hccresist.cli import main
from hccresist.errors import ConfigError, InputError
from hccresist.study import h5ad
from hccresist.study.read import read_study
from hccresist.study.study import Study

VALUES = np.array([[1.0, 2.5, 0.0, 7.0], [3.0, np.nan, 4.0, 1.0], [5.0, 6.0, 0.0, 2.0]])
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an AnnData file of three samples; arguments replace parts of it."""
    anndata = pytest.importorskip("anndata", reason="the extra omics is not installed")
    pd = pytest.importorskip("pandas")

    def build(
        *, x: object = VALUES, genes: list[str] | None = None, obs: dict[str, list[object]] | None = None
    ) -> Path:
        table: dict[str, list[object]] = {
            "patient_id": ["P1", "P1", "P2"],
            "sex": ["male", "male", "Female"],
            "os_days": [400.0, 400.0, 90.0],
            "died": ["false", "false", "true"],
            "tissue": ["tumour", "liver", "tumour"],
            "batch": [1, 2, 1],
        }
        table |= obs or {}
        names = [f"S{n + 1}" for n in range(len(table["patient_id"]))]
        frame = pd.DataFrame({k: v for k, v in table.items() if v}, index=names)
        var = pd.DataFrame(index=genes or ["TP53", "GLUL", "AXIN2", "GLUL"])
        path = tmp_path / "toy.h5ad"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            anndata.AnnData(X=x, obs=frame, var=var).write_h5ad(path)
        return path

    return build


def table(study: Study, name: str) -> pl.DataFrame:
    """A table that must be there."""
    found = study.table(name)
    assert found is not None
    return found


def codes_of(path: Path) -> set[str]:
    """Codes of what is wrong with a file."""
    with pytest.raises(InputError) as caught:
        read_study(path)
    return {issue.code for issue in caught.value.issues}


def test_samples_patients_survival_and_expression_come_out(write: Write) -> None:
    study = read_study(write())
    assert study.config.name == "toy"
    assert table(study, "patients").select("patient_id", "sex").rows() == [("P1", "male"), ("P2", "female")]
    assert table(study, "survival").select("os_days", "died").rows() == [(400.0, False), (90.0, True)]
    assert table(study, "samples").select("sample_id", "patient_id", "tissue", "batch").rows() == [
        ("S1", "P1", "tumour", "1"),
        ("S2", "P1", "liver", "2"),
        ("S3", "P2", "tumour", "1"),
    ]
    assert table(study, "expression").select("gene", "S1", "S2", "S3").rows() == [
        ("AXIN2", 0.0, 4.0, 0.0),
        ("GLUL", 2.5, None, 6.0),
        ("TP53", 1.0, 3.0, 5.0),
    ]
    assert "several-rows-a-gene" in {warning.code for warning in study.warnings}


def test_sparse_values_are_the_same(write: Write) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    filled = np.nan_to_num(VALUES)
    dense = table(read_study(write(x=filled)), "expression")
    assert table(read_study(write(x=sparse.csr_matrix(filled))), "expression").equals(dense)


def test_layers_and_the_like_are_told(write: Write) -> None:
    anndata = pytest.importorskip("anndata")
    path = write(genes=["TP53", "GLUL", "AXIN2", "LGR5"])
    data = anndata.read_h5ad(path)
    data.layers["counts"] = VALUES
    data.obsm["X_pca"] = np.zeros((3, 2))
    data.write_h5ad(path)
    told = next(w.problem for w in read_study(path).warnings if w.code == "not-read")
    assert "layers (counts)" in told
    assert "obsm (X_pca)" in told


def test_a_column_that_differs_within_a_patient_stays_with_the_samples(write: Write) -> None:
    study = read_study(write(obs={"age_years": [50, 51, 60]}))
    assert table(study, "samples")["age_years"].to_list() == ["50", "51", "60"]
    assert table(study, "patients")["age_years"].null_count() == 2


def test_missing_patient_column_is_told(write: Write) -> None:
    anndata = pytest.importorskip("anndata")
    path = write(genes=["TP53", "GLUL", "AXIN2", "LGR5"])
    data = anndata.read_h5ad(path)
    del data.obs["patient_id"]
    data.write_h5ad(path)
    assert codes_of(path) == {"missing-column"}


def test_cells_are_refused_and_pointed_elsewhere(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write()
    monkeypatch.setattr(h5ad, "MAX_SAMPLES", 2)
    assert "single-cells" in codes_of(path)
    monkeypatch.setattr(h5ad, "MAX_SAMPLES", 20_000)
    monkeypatch.setattr(h5ad, "MAX_PER_PATIENT", 1)
    with pytest.raises(InputError, match="pseudobulk"):
        read_study(path)
    monkeypatch.setattr(h5ad, "MAX_PER_PATIENT", 50)
    monkeypatch.setattr(h5ad, "MAX_VALUES", 5)
    assert "too-large" in codes_of(path)


def test_a_file_without_values_is_told(write: Write) -> None:
    h5py = pytest.importorskip("h5py")
    path = write()
    with h5py.File(path, "a") as file:
        del file["X"]
    assert codes_of(path) >= {"no-values"}


def test_values_that_are_not_finite_are_told(write: Write) -> None:
    values = VALUES.copy()
    values[0, 0] = np.inf
    assert codes_of(write(x=values)) >= {"not-a-number"}


@pytest.mark.parametrize("content", [b"", b"not hdf5 at all", b"\x89HDF\r\n\x1a\n" + b"\x00" * 200])
def test_a_file_that_is_no_anndata_is_told(tmp_path: Path, content: bytes) -> None:
    if content.startswith(b"\x89HDF"):
        pytest.importorskip("anndata")
    path = tmp_path / "x.h5ad"
    path.write_bytes(content)
    assert codes_of(path) == {"unreadable-file"}


def test_a_file_cut_short_is_told(write: Write) -> None:
    path = write()
    path.write_bytes(path.read_bytes()[:3000])
    assert codes_of(path) == {"unreadable-file"}


def test_without_the_extra_it_says_what_to_install(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write()
    real = builtins.__import__

    def refuse(name: str, *rest: object) -> object:
        if name.partition(".")[0] == "anndata":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ConfigError, match=r"hccresist\[omics\]"):
        read_study(path)


def test_one_command_writes_a_tidy_folder(write: Write, tmp_path: Path) -> None:
    path = write()
    assert main(["convert", str(path), "--out", str(tmp_path / "tidy")]) == 0
    assert table(read_study(tmp_path / "tidy"), "expression").equals(table(read_study(path), "expression"))
    assert main(["check", str(path.parent)]) == 0
