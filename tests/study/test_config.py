"""study.toml: what it says, and how its problems are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from hccresist.study.config import ReadOptions, read_config, read_settings
from hccresist.study.issues import Issue, IssueLog
from hccresist.study.policies import Policies
from hccresist.study.study import StudyConfig


def settings(folder: Path, text: str) -> tuple[StudyConfig, ReadOptions, list[Issue]]:
    (folder / "study.toml").write_text(text, encoding="utf-8")
    log = IssueLog()
    config, options = read_settings(folder, log)
    return config, options, list(log)


def test_everything_that_can_be_said_is_read(tmp_path: Path) -> None:
    text = """
        [study]
        name = "TACE plus"
        title = "Title"
        index_line = 2
        simulated = true
        criteria = ["recist11", "strict"]
        reference_arm = " TACE "
        strata = ["centre", "bclc", "centre"]
        visit_every_days = 56
        visit_until_days = 200

        [policies]
        confirm_days = 42
        continuing_pr = false
        pd_date = "first"

        [criteria.strict]
        base = "mrecist"
        floor_mm = 5

        [options]
        delimiter = "semicolon"
        decimal = ","
        first_day = 1
    """
    config, options, issues = settings(tmp_path, text)

    assert issues == []
    assert config == StudyConfig(
        name="TACE plus",
        title="Title",
        index_line=2,
        simulated=True,
        criteria=("recist11", "strict"),
        reference_arm="TACE",
        strata=("centre", "bclc"),
        planned_visit_days=(56.0, 112.0, 168.0),
        policies=Policies(confirm_days=42.0, continuing_pr=False, pd_date="first"),
        variants={"strict": {"base": "mrecist", "floor_mm": 5}},
    )
    assert options == ReadOptions(delimiter=";", decimal=",", first_day=1)


def test_without_a_file_the_defaults_hold_and_a_warning_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "our_cohort"
    folder.mkdir()
    log = IssueLog()

    config = read_config(folder, log)

    assert config == StudyConfig(name="our_cohort")
    assert [(issue.code, issue.severity) for issue in log] == [("missing-config", "warning")]


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    config, options, issues = settings(tmp_path, "")

    assert (config, options, issues) == (StudyConfig(name=tmp_path.name), ReadOptions(), [])


def test_criteria_may_stand_above_the_sections(tmp_path: Path) -> None:
    config, _, issues = settings(tmp_path, 'criteria = ["irecist"]\n[study]\nname = "x"\n')

    assert (config.criteria, issues) == (("irecist",), [])


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_bytes(b'\xef\xbb\xbf[study]\r\nname = "x"\r\n')
    log = IssueLog()

    assert read_config(tmp_path, log).name == "x"
    assert len(log) == 0


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("[study]\nname = 3", "name"),
        ('[study]\nname = " "', "name"),
        ("[study]\nindex_line = true", "index_line"),
        ("[study]\nindex_line = -1", "index_line"),
        ('[study]\nsimulated = "yes"', "simulated"),
        ('[study]\ncriteria = "recist11"', "criteria"),
        ("[study]\nreference_arm = 1", "reference_arm"),
        ('[study]\nreference_arm = ""', "reference_arm"),
        ('[study]\nstrata = "bclc"', "strata"),
        ('[study]\nstrata = ["bclc", 2]', "strata"),
        ("[study]\nplanned_visit_days = 56", "planned_visit_days"),
        ("[study]\nplanned_visit_days = [0, 56]", "planned_visit_days"),
        ("[study]\nplanned_visit_days = [56, 56]", "planned_visit_days"),
        ("[study]\nplanned_visit_days = [nan]", "planned_visit_days"),
        ("[study]\nvisit_every_days = 56", "visit_every_days"),
        ("[study]\nvisit_until_days = 56", "visit_until_days"),
        ("[study]\nvisit_every_days = 0\nvisit_until_days = 9", "visit_every_days"),
        ("[study]\nvisit_every_days = 56\nvisit_until_days = 20", "visit_until_days"),
        ("[study]\nvisit_every_days = 1e-9\nvisit_until_days = 1e9", "visit_until_days"),
        ("[study]\nplanned_visit_days = [56]\nvisit_every_days = 56", "planned_visit_days"),
        ('criteria = ["who"]\n[study]\ncriteria = ["easl"]', "criteria"),
        ('[criteria]\nstrict = "mrecist"', "strict"),
        ("study = 3", "study"),
        ('[options]\ndelimiter = "|"', "delimiter"),
        ('[options]\ndecimal = "."\nfirst_day = 2', "first_day"),
        ('[options]\ndecimal = "·"', "decimal"),
    ],
)
def test_a_wrong_value_is_told_and_the_default_kept(tmp_path: Path, text: str, column: str) -> None:
    config, options, issues = settings(tmp_path, text)

    assert [(issue.code, issue.column) for issue in issues] == [("config-value", column)]
    assert issues[0].line is not None
    assert issues[0].expected
    assert config.planned_visit_days == ()
    assert options.delimiter is None


def test_each_wrong_policy_is_an_issue_of_its_own_and_the_good_ones_hold(tmp_path: Path) -> None:
    text = '[policies]\nmax_ne = 2\nconfirm_dais = 28\npd_date = "middle"\nmax_targets = 0\n'
    config, _, issues = settings(tmp_path, text)

    assert [(issue.code, issue.line, issue.column) for issue in issues] == [
        ("policy", 3, "confirm_dais"),
        ("policy", 4, "pd_date"),
        ("policy", 5, "max_targets"),
    ]
    assert "Did you mean 'confirm_days'?" in issues[0].problem + issues[0].hint
    assert config.policies == Policies(max_ne=2)


@pytest.mark.parametrize("text", ["[study\nname = 1", 'a = 1\na = 2\n[study]\nname = "x"', "\\"])
def test_invalid_toml_is_told_with_its_line(tmp_path: Path, text: str) -> None:
    config, _, issues = settings(tmp_path, text)

    assert [issue.code for issue in issues] == ["config-syntax"]
    assert issues[0].line in (1, 2)
    assert config == StudyConfig(name=tmp_path.name)


def test_text_that_is_not_utf8_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_bytes(b'[study]\nname = "M\xfcller"\n')
    log = IssueLog()
    read_config(tmp_path, log)

    assert [(issue.code, issue.line) for issue in log] == [("encoding", 2)]


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "study.toml").open("wb") as file:
        file.truncate(1 << 30)
    log = IssueLog()
    read_config(tmp_path, log)

    assert [issue.code for issue in log] == ["config-syntax"]
