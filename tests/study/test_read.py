"""Which reader a folder gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from hccresist.errors import InputError
from hccresist.study import read as read_module
from hccresist.study import sdtm
from hccresist.study.policies import Policies
from hccresist.study.read import read_study


@pytest.mark.parametrize(
    ("names", "reader"),
    [
        (["patients.csv"], "tidy"),
        (["Patients.PARQUET", "dm.xpt"], "tidy"),
        (["study.toml"], "tidy"),
        (["lesions.tsv"], "tidy"),
        (["DM.XPT", "tr.xpt"], "sdtm"),
        (["rs.json"], "sdtm"),
        (["study.toml", "tu.csv"], "sdtm"),
    ],
)
def test_the_files_say_which_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], reader: str
) -> None:
    called: list[tuple[str, Path, Policies | None]] = []

    def note(kind: str) -> object:
        return lambda folder, *, policies=None: called.append((kind, folder, policies))

    monkeypatch.setattr(read_module, "read_tidy", note("tidy"))
    monkeypatch.setattr(sdtm, "read_sdtm", note("sdtm"))
    for name in names:
        (tmp_path / name).write_text("x")
    policies = Policies(max_ne=3)

    read_study(tmp_path, policies=policies)

    assert called == [(reader, tmp_path, policies)]


def test_other_files_are_no_study(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"x")
    with pytest.raises(InputError, match="no table of a study"):
        read_study(tmp_path)
