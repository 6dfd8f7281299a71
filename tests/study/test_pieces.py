"""A study read in pieces is the study read whole."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hccresist.errors import InputError
from hccresist.study.pieces import read_pieces
from hccresist.study.tidy import read_tidy


@pytest.fixture
def folder(tmp_path):
    n = 11
    names = [f"P{i:02d}" for i in range(n)]
    pl.DataFrame({"patient_id": names[::-1], "centre": ["A"] * n}).write_parquet(
        tmp_path / "patients.parquet"
    )
    rows = [(name, "T1", day, 30.0 + i) for i, name in enumerate(names) for day in (-3.0, 56.0, 112.0)]
    lesions = pl.DataFrame(rows, schema=["patient_id", "lesion_id", "day", "longest_mm"], orient="row")
    lesions = lesions.with_columns(role=pl.lit("target")).sample(fraction=1.0, shuffle=True, seed=3)
    lesions.write_parquet(tmp_path / "lesions.parquet")
    (tmp_path / "study.toml").write_text('[study]\nname = "pieces"\n', encoding="utf-8")
    return tmp_path


def test_pieces_put_together_are_the_whole(folder):
    whole = read_tidy(folder)
    pieces = list(read_pieces(folder, large=5, size=4))
    assert [piece.patients.height for piece in pieces] == [4, 4, 3]
    for name in ("patients", "lesions"):
        assert_frame_equal(pl.concat(piece.tables[name] for piece in pieces), whole.tables[name])
    assert pieces[0].sources == whole.sources


def test_a_reference_arm_of_a_later_piece_is_known_and_one_of_none_is_told(folder):
    patients = pl.read_parquet(folder / "patients.parquet").sort("patient_id")
    arms = ["a"] * 10 + ["b"]
    patients.with_columns(arm=pl.Series(arms)).write_parquet(folder / "patients.parquet")
    said = '[study]\nname = "pieces"\nreference_arm = "b"\nstrata = ["centre"]\n'
    (folder / "study.toml").write_text(said, encoding="utf-8")
    pieces = list(read_pieces(folder, large=5, size=4))
    assert {(piece.config.reference_arm, piece.config.strata) for piece in pieces} == {("b", ("centre",))}
    (folder / "study.toml").write_text(
        said.replace('"b"', '"c"').replace("centre", "center"), encoding="utf-8"
    )
    with pytest.raises(InputError) as caught:
        list(read_pieces(folder, large=5, size=4))
    assert {issue.code for issue in caught.value.issues} == {"unknown-arm", "unknown-stratum"}


def test_a_small_study_comes_whole(folder):
    assert len(list(read_pieces(folder))) == 1


def test_problems_of_every_piece_are_told_at_once_with_their_rows(folder):
    lesions = pl.read_parquet(folder / "lesions.parquet").with_row_index(offset=1)
    bad = lesions.filter(pl.col("patient_id").is_in(["P01", "P10"]), pl.col("day") == 56.0)
    broken = lesions.with_columns(
        longest_mm=pl.when(pl.col("index").is_in(bad["index"].implode())).then(-1.0).otherwise("longest_mm")
    )
    stranger = broken.head(1).with_columns(patient_id=pl.lit("Z99"))
    pl.concat([broken, stranger]).drop("index").write_parquet(folder / "lesions.parquet")
    with pytest.raises(InputError) as caught:
        list(read_pieces(folder, large=5, size=4))
    told = {(issue.code, issue.line) for issue in caught.value.issues}
    lines = {line for code, line in told if code != "unknown-patient"}
    assert set(bad["index"].to_list()) <= lines
    assert any(line == lesions.height + 1 for _, line in told), told


def test_text_tables_come_whole(folder):
    pl.read_parquet(folder / "patients.parquet").write_csv(folder / "patients.csv")
    (folder / "patients.parquet").unlink()
    assert len(list(read_pieces(folder, large=5, size=4))) == 1
