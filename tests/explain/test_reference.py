"""Frozen references: what they hold, when they give z and percentile, and their commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hccresist.cli import main
from hccresist.errors import ConfigError
from hccresist.explain.matrix import Matrix, prepare_expression
from hccresist.explain.reference import (
    build_reference,
    choose_tumours,
    list_references,
    load_reference,
    reference_home,
    save_reference,
)
from hccresist.explain.scoring import score_rank, score_reference
from hccresist.explain.signatures import Signature, read_signatures
from hccresist.study.frames import study_from_frames

GENES = tuple(f"G{number:02}" for number in range(40))
SETS = (
    Signature(name="a", mechanism_id="BIO-GEP", up=GENES[:8]),
    Signature(name="b", mechanism_id="BIO-GEP", up=GENES[5:12], down=GENES[20:27]),
)


def make_matrix(
    samples: int, *, seed: int = 0, scale: str = "log2", genes: tuple[str, ...] = GENES
) -> Matrix:
    values = np.random.default_rng(seed).normal(5, 2, size=(len(genes), samples))
    names = tuple(f"S{number:03}" for number in range(samples))
    return Matrix(genes=genes, samples=names, values=values, scale=scale)


def test_percentile_and_z_are_where_a_score_stands_among_the_reference() -> None:
    cohort, tumour = make_matrix(150), make_matrix(5, seed=1)
    reference = build_reference(cohort, SETS, name="r")
    own = {
        "rank": (score_rank(cohort, SETS), score_rank(tumour, SETS, reference=reference)),
        "reference_z": (score_reference(cohort, SETS, reference), score_reference(tumour, SETS, reference)),
    }
    for theirs, ours in own.values():
        for row in ours.iter_rows(named=True):
            held = theirs.filter(set=row["set"])["score"].to_numpy()
            assert row["percentile"] == pytest.approx(100 * np.mean(held < row["score"]))
            assert row["z"] == pytest.approx((row["score"] - held.mean()) / held.std(ddof=1))
            assert row["reason"] is None


def reason(frame: pl.DataFrame) -> str:
    (only,) = set(frame["reason"])
    return only


def test_no_percentile_below_a_hundred_tumours() -> None:
    reference = build_reference(make_matrix(99), SETS, name="r")
    frame = score_reference(make_matrix(3, seed=1), SETS, reference)
    assert frame["percentile"].null_count() == frame.height
    assert frame["z"].null_count() == 0
    assert reason(frame) == "no reference: it has 99 tumours, a percentile needs 100"


def test_no_percentile_on_another_platform_scale_or_gene_universe() -> None:
    reference = build_reference(make_matrix(120), SETS, name="r", platform="RNA-seq")
    plain = make_matrix(3, seed=1)
    assert score_reference(plain, SETS, reference, platform="rna-seq")["percentile"].null_count() == 0
    other = score_reference(plain, SETS, reference, platform="array")
    assert other["percentile"].null_count() == other["z"].null_count() == other.height
    assert "platform is array" in reason(other)
    fewer = make_matrix(3, seed=1, genes=GENES[:-1])
    narrow = score_reference(fewer, SETS, reference)
    assert narrow["percentile"].null_count() == narrow.height
    assert narrow["z"].null_count() == 0
    assert "other gene universe" in reason(narrow)
    ranked = score_rank(fewer, SETS, reference=reference)
    assert ranked["z"].null_count() == ranked.height
    assert ranked["score"].null_count() == 0
    scaled = score_reference(make_matrix(3, seed=1, scale="centred"), SETS, reference)
    assert scaled["score"].null_count() == scaled.height
    assert "values are centred, those of the reference log2" in reason(scaled)


def test_a_tumour_with_a_missing_gene_of_the_set_gets_a_score_but_no_place() -> None:
    reference = build_reference(make_matrix(120), SETS, name="r")
    matrix = make_matrix(2, seed=1)
    matrix.values[2, 1] = np.nan  # a gene of set a, in the second tumour
    frame = score_reference(matrix, SETS, reference).filter(set="a")
    assert frame["score"].null_count() == 0
    assert [value is None for value in frame["percentile"]] == [False, True]
    assert "other genes were measured" in frame["reason"][1]


def test_a_set_that_changed_since_gets_no_place() -> None:
    reference = build_reference(make_matrix(120), SETS, name="r")
    changed = [Signature(name="a", mechanism_id="BIO-GEP", up=GENES[:9])]
    frame = score_reference(make_matrix(2, seed=1), changed, reference)
    assert frame["z"].null_count() == 2
    assert "holds no scores of this set" in reason(frame)


def test_a_gene_without_spread_does_not_count() -> None:
    cohort = make_matrix(120)
    cohort.values[0] = 3.0
    reference = build_reference(cohort, SETS, name="r")
    frame = score_reference(make_matrix(2, seed=1), SETS, reference).filter(set="a")
    assert frame["coverage"].to_list() == [7 / 8, 7 / 8]
    assert frame["percentile"].null_count() == 0


def test_too_few_tumours_and_bad_names_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs 20 tumours; the study has 19"):
        build_reference(make_matrix(19), SETS, name="r")
    for name in ("", "../x", "a b", ".hidden"):
        with pytest.raises(ConfigError, match="cannot name a reference"):
            build_reference(make_matrix(30), SETS, name=name)


def test_what_is_saved_comes_back_and_gives_the_same_scores(tmp_path: Path) -> None:
    reference = build_reference(make_matrix(120), SETS, name="r", platform="array")
    save_reference(reference, home=tmp_path)
    again = load_reference("r", home=tmp_path)
    tumour = make_matrix(4, seed=3)
    assert score_reference(tumour, SETS, again).equals(score_reference(tumour, SETS, reference))
    assert score_rank(tumour, SETS, reference=again).equals(score_rank(tumour, SETS, reference=reference))
    listed = list_references(home=tmp_path).row(0, named=True)
    assert listed["name"] == "r"
    assert (listed["tumours"], listed["platform"], listed["percentiles"]) == (120, "array", True)


def test_nothing_that_names_or_describes_one_tumour_is_saved(tmp_path: Path) -> None:
    cohort = make_matrix(120)
    folder = save_reference(build_reference(cohort, SETS, name="r"), home=tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == [
        "genes.parquet",
        "reference.json",
        "scores.parquet",
    ]
    raw = b"".join(path.read_bytes() for path in folder.iterdir())
    assert b"S001" not in raw
    assert pl.read_parquet(folder / "genes.parquet").shape == (40, 4)
    for scores in pl.read_parquet(folder / "scores.parquet")["scores"].to_list():
        assert scores == sorted(scores)  # no order of tumours that sets could be joined by
    assert set(json.loads((folder / "reference.json").read_text())) == {
        "format", "name", "tumours", "genes", "universe", "scale", "platform", "sets",
    }  # fmt: skip


def test_a_name_is_not_taken_twice_unless_asked(tmp_path: Path) -> None:
    reference = build_reference(make_matrix(30), SETS, name="r")
    save_reference(reference, home=tmp_path)
    with pytest.raises(ConfigError, match="there is a reference named 'r'"):
        save_reference(reference, home=tmp_path)
    larger = build_reference(make_matrix(40), SETS, name="r")
    save_reference(larger, home=tmp_path, overwrite=True)
    assert load_reference("r", home=tmp_path).tumours == 40


def test_missing_and_broken_references_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there are: none"):
        load_reference("r", home=tmp_path)
    folder = save_reference(build_reference(make_matrix(30), SETS, name="r"), home=tmp_path)
    (folder / "genes.parquet").write_bytes(b"broken")
    with pytest.raises(ConfigError, match="build it anew"):
        load_reference("r", home=tmp_path)
    (folder / "reference.json").write_text("{}")
    assert list_references(home=tmp_path)["scale"].to_list() == ["cannot be read: build it anew"]


def test_home_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HCCRESIST_HOME", str(tmp_path))
    assert reference_home() == tmp_path / "references"
    monkeypatch.delenv("HCCRESIST_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert reference_home() == tmp_path / "share" / "hccresist" / "references"


def real_study(patients: int = 25) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    genes = sorted({gene for signature in read_signatures() for gene in signature.genes})[:2_000]
    rng = np.random.default_rng(0)
    names = [f"P{number:02}" for number in range(patients)]
    rows = [(f"{name}-T", name, 0.0, "tumour") for name in names]
    rows += [
        ("P00-T2", "P00", 90.0, "HCC"),
        ("P01-N", "P01", -5.0, "adjacent non-tumour"),
        ("P02-N", "P02", -5.0, "liver"),
    ]
    samples = pl.DataFrame(rows, schema=["sample_id", "patient_id", "day", "tissue"], orient="row")
    values = {row[0]: rng.uniform(0, 15, size=2_000) for row in rows}
    return pl.DataFrame({"patient_id": names}), samples, pl.DataFrame({"gene": genes} | values)


def test_one_tumour_a_patient_is_taken() -> None:
    patients, samples, expression = real_study()
    study = study_from_frames(patients=patients, samples=samples, expression=expression)
    matrix, notices = choose_tumours(study, prepare_expression(study))
    assert matrix.samples == tuple(f"P{number:02}-T" for number in range(25))
    assert notices == (
        "2 samples left out: their tissue is not tumour",
        "1 samples left out: further samples of a patient",
    )
    assert matrix.values.shape[1] == 25


def test_commands_build_and_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HCCRESIST_HOME", str(tmp_path / "home"))
    folder = tmp_path / "study"
    folder.mkdir()
    for name, frame in zip(("patients", "samples", "expression"), real_study(), strict=True):
        frame.write_csv(folder / f"{name}.csv")
    assert main(["reference", "build", str(folder), "--name", "mine", "--platform", "array"]) == 0
    captured = capsys.readouterr()
    assert "mine: 25 tumours" in captured.out
    assert "no percentiles" in captured.out
    assert "their tissue is not tumour" in captured.err
    assert main(["reference", "build", str(folder), "--name", "mine"]) == 2
    assert "choose another name" in capsys.readouterr().err
    assert main(["reference", "list", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["tumours"], row["platform"]) == ("mine", 25, "array")
    assert main(["reference", "list"]) == 0
    assert "mine: 25 tumours" in capsys.readouterr().out


def test_a_table_that_cannot_be_used_is_told_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HCCRESIST_HOME", str(tmp_path / "home"))
    patients, samples, expression = real_study()
    shares = expression.with_columns(pl.exclude("gene") / 20)
    for name, frame in (("patients", patients), ("samples", samples), ("expression", shares)):
        frame.write_csv(tmp_path / f"{name}.csv")
    assert main(["reference", "build", str(tmp_path), "--name", "mine"]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "Name its scale (counts, linear, log, centred)" in told
    assert "the study has 0 that can be used" in told
    assert main(["reference", "build", str(tmp_path), "--name", "mine", "--scale", "log", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
