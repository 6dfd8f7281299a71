"""Templates of a study folder and the data dictionary."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from hccresist.errors import ConfigError, InputError
from hccresist.study.codes import STATE
from hccresist.study.config import read_settings
from hccresist.study.dictionary import CONFIG_TEMPLATE, data_dictionary, write_templates
from hccresist.study.issues import IssueLog
from hccresist.study.tables import SCHEMAS
from hccresist.study.tidy import read_tidy


def test_a_template_is_written_for_every_table(tmp_path: Path) -> None:
    written = write_templates(tmp_path / "new" / "study")

    names = ["study.toml", *(f"{name}.csv" for name in SCHEMAS), "DATA_DICTIONARY.md"]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in (tmp_path / "new" / "study").iterdir()) == sorted(names)
    for name, schema in SCHEMAS.items():
        frame = pl.read_csv(tmp_path / "new" / "study" / f"{name}.csv", infer_schema=False)
        assert frame.columns == list(schema.columns())
        assert frame.is_empty()


def test_the_templates_lack_nothing_but_rows(tmp_path: Path) -> None:
    write_templates(tmp_path)
    with pytest.raises(InputError) as caught:
        read_tidy(tmp_path)
    errors = [issue.code for issue in caught.value.issues if issue.severity == "error"]
    assert errors == ["no-rows", "missing-table"]

    with (tmp_path / "patients.csv").open("a") as file:
        file.write("P1" + "," * (len(SCHEMAS["patients"].columns()) - 1) + "\n")
    with (tmp_path / "sums.csv").open("a") as file:
        file.write("P1,,longest,-3,42\n")
    study = read_tidy(tmp_path)

    assert list(study.tables) == ["patients", "sums"]
    assert {issue.code for issue in study.warnings} == {"no-rows"}


def test_the_configuration_template_holds_whether_its_comments_are_taken_up_or_not(tmp_path: Path) -> None:
    """Every commented line of the template is itself valid, so that taking it up works."""
    lines = CONFIG_TEMPLATE.splitlines()
    taken = [line.removeprefix("# ") if line.startswith("# ") and " = " in line else line for line in lines]
    taken = ["[criteria.strict]" if line == "# [criteria.strict]" else line for line in taken]
    grid = [line for line in taken if not line.startswith("visit_")]
    spaced = [line for line in taken if not line.startswith("planned_")]

    for text in (lines, grid, spaced):
        (tmp_path / "study.toml").write_text("\n".join(text), encoding="utf-8")
        log = IssueLog()
        config, _ = read_settings(tmp_path, log)
        assert list(log) == []
        assert config.name == "my study"
        assert bool(config.planned_visit_days) == (text is not lines)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "lesions.csv").write_text("mine")
    with pytest.raises(ConfigError, match=r"lesions\.csv"):
        write_templates(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["lesions.csv"]
    assert (tmp_path / "lesions.csv").read_text() == "mine"


def test_with_force_it_is(tmp_path: Path) -> None:
    (tmp_path / "lesions.csv").write_text("mine")
    write_templates(tmp_path, force=True)

    assert (tmp_path / "lesions.csv").read_text().startswith("patient_id,reader,lesion_id,day,role")


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "study").write_text("mine")
    with pytest.raises(ConfigError, match="is a file"):
        write_templates(tmp_path / "study")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_templates(tmp_path / "study" / "deeper")


def test_the_dictionary_names_every_column_once_with_its_meaning() -> None:
    text = data_dictionary()
    for name, schema in SCHEMAS.items():
        section = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
        rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| ")][2:]
        assert [row[0].removeprefix("| ") for row in rows] == list(schema.columns())
        meanings = [row[5].removesuffix(" |") for row in rows]
        assert meanings == [column.description for column in schema.columns().values()]


def test_the_dictionary_names_codes_units_dates_and_keys() -> None:
    lesions = data_dictionary().split("\n## lesions\n")[1].split("\n## ")[0]

    assert f"| state | code |  |  | {', '.join(STATE)} |" in lesions
    assert "| day | number | day | date | key |" in lesions
    assert "| longest_mm | number | mm |  | 0 to 1000 |" in lesions
    assert "| reader | text |  |  | key, may be left out |" in lesions
    assert "Key: `patient_id`, `reader`, `lesion_id`, `day`." in lesions
