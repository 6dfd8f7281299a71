"""The flow: what is written, when nothing is, the same bytes for the same input, failures contained."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from itertools import product
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from hccresist import steps
from hccresist.assess.all_results import ALL_RESULTS
from hccresist.assess.closer import BY_PATIENT, OF_COHORT
from hccresist.assess.results import RESULTS
from hccresist.demo import copy_demo, read_demo
from hccresist.errors import ComputationError, ConfigError, InputError
from hccresist.explain.results import RESULTS as EXPLAINED
from hccresist.flow import run_pieces, run_study
from hccresist.manifest import InputDigest, count_attrition, list_changed_policies
from hccresist.options import TwinOptions
from hccresist.outcomes.results import RESULTS as OUTCOMES
from hccresist.outputs import ROW_GROUP, open_new_folder, open_output, read_manifest, write_table
from hccresist.overcome.strategy_results import RESULTS as STRATEGIES
from hccresist.overcome.twin import TwinOutlook
from hccresist.overcome.twin_results import Outlook, OutlookFit
from hccresist.report.page import Report, SectionFailure
from hccresist.stages import STAGES, explain_skip
from hccresist.study.frames import study_from_frames
from hccresist.study.policies import Policies
from hccresist.study.read import read_study
from hccresist.study.study import Study

ASSESSED = {*RESULTS, "progressions", *BY_PATIENT, *OF_COHORT}
SUMMARISED = {"events", "rates", "survival_summary", "survival_curves", "cumulative_incidence"}
UNTWINNED = tuple(stage for stage in STAGES if stage != "twin")
COMPARED = {"published_comparison"}


def small_study(**tables: pl.DataFrame) -> Study:
    """Two patients with two scans each, and what is given besides."""
    lesions = pl.DataFrame(
        {
            "patient_id": ["A", "A", "B", "B"],
            "lesion_id": ["T1"] * 4,
            "role": ["target"] * 4,
            "day": [-5.0, 60.0, -7.0, 56.0],
            "longest_mm": [50.0, 30.0, 40.0, 60.0],
        }
    )
    return study_from_frames(patients=pl.DataFrame({"patient_id": ["A", "B"]}), lesions=lesions, **tables)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file but the run log."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name != "run.log.json"
    }


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory) -> Path:
    """Results of the demo study, without the twins, which take longest."""
    out = tmp_path_factory.mktemp("demo") / "out"
    assert run_study(read_demo(), out=out, stages=UNTWINNED).failed == ()
    return out


# What a run writes


def test_a_run_writes_every_table_in_both_formats_with_manifest_log_and_report(demo_run) -> None:
    tables = {f"{name}.{kind}" for name in ASSESSED | SUMMARISED for kind in ("parquet", "csv")}
    names = {path.name for path in demo_run.iterdir()}
    assert tables | {"manifest.json", "run.log.json", "report.html"} <= names


def test_csv_and_parquet_say_the_same(demo_run) -> None:
    for path in demo_run.glob("*.parquet"):
        frame = pl.read_parquet(path)
        text = pl.read_csv(path.with_suffix(".csv"), schema=frame.schema)
        assert_frame_equal(frame, text)


def test_the_manifest_lists_each_file_with_its_rows_and_hash(demo_run) -> None:
    manifest = read_manifest(demo_run)
    found = {entry["file"]: entry for entry in manifest["files"]}
    assert found.keys() == digests(demo_run).keys() - {"manifest.json"}
    for name, digest in digests(demo_run).items():
        if name != "manifest.json":
            assert found[name]["sha256"] == digest
        if name.endswith(".parquet"):
            assert found[name]["rows"] == pl.read_parquet(demo_run / name).height


def test_the_manifest_says_what_the_run_was(demo_run) -> None:
    manifest = read_manifest(demo_run)
    assert [stage["status"] for stage in manifest["stages"]] == ["done"] * 5
    assert manifest["skipped"] == {}
    assert manifest["study"]["simulated"] is True
    assert [entry["name"] for entry in manifest["criteria"]] == ["recist11", "mrecist", "irecist"]
    assert manifest["policies_changed"] == {}
    assert manifest["policies"]["confirm_days"] == 28.0
    assert {"recist11", "mrecist", "irecist", "clopper_pearson", "kaplan_meier"} <= set(manifest["citations"])
    lesions = next(entry for entry in manifest["inputs"] if entry["table"] == "lesions")
    assert lesions["files"] == ["lesions.csv"]
    patients = next(entry for entry in manifest["inputs"] if entry["table"] == "patients")
    assert patients["covariates"] == ["centre"]
    assert manifest["seed"] == 0  # random sets and permutations of explain


def test_the_manifest_holds_nothing_of_host_or_time(demo_run) -> None:
    text = (demo_run / "manifest.json").read_text(encoding="utf-8")
    assert str(demo_run) not in text
    log = json.loads((demo_run / "run.log.json").read_text(encoding="utf-8"))
    assert {"started", "finished", "seconds", "host", "files", "errors"} <= log.keys()
    assert log["started"][:10] not in text
    assert {"assess", "outcomes", "report"} <= log["seconds"].keys()


def test_attrition_ends_with_the_patients_that_can_be_evaluated(demo_run) -> None:
    manifest = read_manifest(demo_run)
    baselines = pl.read_parquet(demo_run / "baselines.parquet")
    for criterion, reader in product(("recist11", "mrecist", "irecist"), ("central", "investigator")):
        own = {"criterion": criterion, "reader": reader}
        steps = [step for step in manifest["attrition"] if step.items() >= own.items()]
        assert steps[0]["patients"] == 60
        left = baselines.filter(**own)["evaluable"].sum()
        assert steps[-1]["patients"] == left
        assert sum(step["lost"] for step in steps) == 60 - left


def test_attrition_counts_each_step() -> None:
    who = {"patient_id": ["A", "B", "C", "D"], "reader": [""] * 4, "criterion": ["recist11"] * 4}
    baselines = pl.DataFrame(
        {
            **who,
            "day": [-3.0, None, -2.0, -1.0],
            "evaluable": [True, False, False, False],
            "measurable": [True] * 4,
        }
    )
    seen = pl.DataFrame({key: values[:3] for key, values in who.items()})
    steps = count_attrition(pl.Series(["A", "B", "C", "D", "E"]), baselines, seen)
    assert [(step["patients"], step["lost"]) for step in steps] == [(5, 0), (4, 1), (3, 1), (1, 2)]
    assert steps[-1]["reason"] == "every visit is NE; 1 of them without a usable baseline scan"


def test_changed_policies_are_named_with_value_default_and_meaning() -> None:
    changed = list_changed_policies(Policies.parse({"confirm_days": "42"}))
    assert list(changed) == ["confirm_days"]
    assert changed["confirm_days"]["value"] == 42.0
    assert changed["confirm_days"]["default"] == 28.0


# Skipped and failed stages


def test_a_stage_without_input_is_skipped_with_its_reason(tmp_path) -> None:
    study = Study(tables={"patients": pl.DataFrame({"patient_id": ["A"]})})
    assert explain_skip(study, "assess") == "the study has no lesions, sums or responses"
    assert explain_skip(study, "outcomes") == "the study has nothing to assess and no survival"
    assert explain_skip(study, "twin") == "the study has no lesions and no treatments"
    assert explain_skip(small_study(), "twin") == "the study has no treatments"
    assert explain_skip(study, "report") == ""


def test_a_criterion_without_its_measurements_is_skipped_with_its_reason(tmp_path) -> None:
    result = run_study(
        small_study(), out=tmp_path / "out", stages=["assess"], criteria=["recist11", "mrecist"]
    )
    assert list(result.manifest["skipped"]) == ["mrecist"]
    assert "viable" in result.manifest["skipped"]["mrecist"]
    assert set(result.tables["best_response"]["criterion"]) == {"recist11"}


def test_a_stage_that_fails_does_not_sink_the_others(tmp_path, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        msg = "no convergence"
        raise ComputationError(msg)

    monkeypatch.setattr("hccresist.outcomes.survival.summarise_survival", fail)
    result = run_study(small_study(), out=tmp_path / "out", stages=["assess", "outcomes"])
    assert [(stage.name, stage.reason) for stage in result.failed] == [
        ("outcomes", "survival_summary: no convergence")
    ]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert "best_response.csv" in names
    assert "survival_summary.csv" not in names
    log = json.loads((tmp_path / "out" / "run.log.json").read_text(encoding="utf-8"))
    assert "no convergence" in log["errors"][0]["traceback"]


def test_a_table_that_fails_does_not_stop_the_later_ones_of_its_stage(tmp_path, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        msg = "no convergence"
        raise ComputationError(msg)

    monkeypatch.setattr("hccresist.assess.closer.derive_resistance", fail)
    monkeypatch.setattr("hccresist.assess.closer.derive_patterns", lambda *_, **__: 1 / 0)
    result = run_study(small_study(), out=tmp_path / "out", stages=["assess", "outcomes"])
    reasons = "resistance: no convergence; patterns: ZeroDivisionError: division by zero"
    assert [(stage.name, stage.reason) for stage in result.failed] == [("assess", reasons)]
    of_patterns = {"patterns", "pattern_rates", "pattern_overlap", "pattern_combinations"}
    kept = {*BY_PATIENT, *OF_COHORT} - of_patterns - {"resistance", *result.manifest["skipped"]}
    assert {"discordance", "robustness", "agreement"} <= kept <= set(result.tables)
    assert not set(result.tables) & {*of_patterns, "resistance"}
    assert "rates" in result.tables
    log = json.loads((tmp_path / "out" / "run.log.json").read_text(encoding="utf-8"))
    assert [entry["error"] for entry in log["errors"]] == ["no convergence", "division by zero"]


def test_a_failed_assessment_leaves_none_of_its_tables(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(steps, "assess", lambda *_: 1 / 0)
    result = run_study(small_study(), out=tmp_path / "out", stages=["assess", "outcomes"])
    status = {stage.name: (stage.status, stage.reason) for stage in result.stages}
    assert status["assess"] == ("failed", "ZeroDivisionError: division by zero")
    assert status["outcomes"] == ("skipped", "assess failed")
    assert not list((tmp_path / "out").glob("*.csv"))


def test_a_report_section_that_fails_marks_the_report(tmp_path, monkeypatch) -> None:
    failure = SectionFailure("survival", "KeyError", "'x'", "survival.py line 1", "Traceback: KeyError: 'x'")
    monkeypatch.setattr(steps, "render", lambda *_: Report("<html></html>", (failure,)))
    result = run_study(small_study(), out=tmp_path / "out")
    assert [stage.name for stage in result.failed] == ["report"]
    assert "survival" in result.failed[0].reason
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8") == "<html></html>"


# The twins


def treated_study() -> Study:
    """The small study, on sorafenib, with a mutation in a sample of one patient."""
    treatments = {
        "patient_id": ["A", "B"],
        "line": [1, 1],
        "drug": ["sorafenib"] * 2,
        "start_day": [0.0, 0.0],
    }
    samples = {"sample_id": ["S"], "patient_id": ["A"], "day": [0.0], "tissue": ["tumour"]}
    alterations = {"sample_id": ["S"], "gene": ["CTNNB1"], "kind": ["mutation"], "change": ["S45F"]}
    return small_study(
        treatments=pl.DataFrame(treatments),
        samples=pl.DataFrame(samples),
        alterations=pl.DataFrame(alterations),
    )


def pretend(study: Study, *, tables, particles, **_: object) -> TwinOutlook:
    """A twin of A whose first two strategies gain 7 points; none of B, which has no reason to have one."""
    first = tables["strategies"].filter(pl.col("patient_id") == "A", pl.col("rank") > 0).head(2)
    gains = first.select(
        "patient_id", "strategy_id", gain=0.07, low=-0.02, high=0.2, measure=pl.lit("alive at 12 months")
    )
    fit = pl.DataFrame(
        {
            "patient_id": ["A", "B"],
            "data": ["lesions", ""],
            "observations": [1, 0],
            "effective": [float(particles), None],
            "prior_effective": [9.0, None],
            "indistinct": ["", ""],
            "notes": ["", "no scan after baseline"],
        }
    )
    return TwinOutlook(Outlook.create_empty(), OutlookFit.validate(fit, cast=True), gains)


def test_strategies_are_ranked_anew_with_what_the_twins_gain(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("hccresist.overcome.twin.make_outlook", pretend)
    study = treated_study()
    result = run_study(study, out=tmp_path / "out", closer=False, twin=TwinOptions(particles=40))
    assert result.failed == ()
    table = pl.read_parquet(tmp_path / "out" / "strategies.parquet")
    gained = table.filter(pl.col("simulated_gain").is_not_null())
    assert gained["patient_id"].to_list() == ["A", "A"]
    assert set(gained["simulated_gain"]) == {0.07}
    assert set(gained["simulated_gain_low"]) == {-0.02}
    assert set(gained["simulated_gain_high"]) == {0.2}
    assert pl.read_csv(tmp_path / "out" / "outlook_fit.csv")["effective"].to_list() == [40.0, None]
    entries = [entry["file"] for entry in result.manifest["files"]]
    assert len(entries) == len(set(entries))
    assert {"outlook.csv", "outlook_fit.parquet", "strategies.csv"} <= set(entries)
    assert result.manifest["options"]["particles"] == 40
    assert result.manifest["seed"] == 0
    assert read_manifest(tmp_path / "out")["stages"][4] == {"name": "twin", "status": "done", "reason": ""}


def test_a_run_with_twins_gives_the_same_bytes_again(tmp_path) -> None:
    twin, stages = TwinOptions(particles=20), ["assess", "outcomes", "explain", "overcome", "twin"]
    for name in ("one", "two"):
        result = run_study(
            treated_study(), out=tmp_path / name, stages=stages, closer=False, formats=["csv"], twin=twin
        )
        assert result.failed == ()
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    outlook = pl.read_csv(tmp_path / "one" / "outlook.csv")
    assert set(outlook["patient_id"]) == {"A", "B"}
    present = outlook.filter(pl.col("role") == "present")
    assert set(present["drugs"]) == {"sorafenib"}
    assert present.filter(pl.col("quantity") == "death")["value"].is_between(0, 1).all()
    assert result.manifest["options"]["parameters"].startswith("parameters")
    assert result.manifest["seed"] == 0


def test_a_twin_that_fails_leaves_the_strategies_as_they_were(tmp_path, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        msg = "no virtual patient fits"
        raise ComputationError(msg)

    monkeypatch.setattr("hccresist.overcome.twin.make_outlook", fail)
    result = run_study(treated_study(), out=tmp_path / "out", closer=False)
    assert [(stage.name, stage.reason) for stage in result.failed] == [("twin", "no virtual patient fits")]
    table = pl.read_parquet(tmp_path / "out" / "strategies.parquet")
    assert table.height
    assert table["simulated_gain"].null_count() == table.height
    assert not (tmp_path / "out" / "outlook.csv").exists()


def test_more_patients_than_twins_are_made_of_unasked_are_told(tmp_path) -> None:
    result = run_study(treated_study(), out=tmp_path / "out", closer=False, twin=TwinOptions(most=1))
    assert result.manifest["skipped"]["twin"].startswith("the study has 2 patients; more than 1")


@pytest.mark.parametrize("particles", [0, 19, 1_000_000])
def test_too_few_and_too_many_virtual_patients_are_refused(tmp_path, particles) -> None:
    with pytest.raises(ConfigError, match="from 20 to 100,000"):
        run_study(small_study(), out=tmp_path / "out", twin=TwinOptions(particles=particles))


def test_a_study_in_pieces_has_no_twins(tmp_path) -> None:
    result = run_pieces(split(treated_study(), 1), out=tmp_path / "out", closer=False)
    assert result.manifest["skipped"]["twin"] == "the study came in pieces; the twin needs it whole"
    assert "in pieces" in result.manifest["skipped"]["published_comparison"]


def test_why_nothing_stands_beside_published_trials_is_told(tmp_path) -> None:
    result = run_study(small_study(), out=tmp_path / "out", stages=["assess", "outcomes"], closer=False)
    assert "no treatments or procedures" in result.manifest["skipped"]["published_comparison"]


# Nothing half written


def test_a_folder_that_is_not_ours_is_refused_and_left_alone(tmp_path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"did not write \(thesis\.docx\)"):
        run_study(small_study(), out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


def test_a_file_is_refused(tmp_path) -> None:
    (tmp_path / "out").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match="is a file"):
        run_study(small_study(), out=tmp_path / "out")


@pytest.mark.parametrize("content", ["{}", "not json", '{"software": "other"}', "[]"])
def test_a_manifest_of_something_else_does_not_make_a_folder_ours(tmp_path, content) -> None:
    (tmp_path / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="did not write"):
        run_study(small_study(), out=tmp_path)


def test_our_own_results_are_replaced_and_nothing_stale_stays(tmp_path) -> None:
    out = tmp_path / "out"
    run_study(small_study(), out=out, stages=["assess", "outcomes"])
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    run_study(small_study(), out=out, stages=["assess"], formats=["csv"])
    names = {path.name for path in out.iterdir()}
    assert names == {f"{name}.csv" for name in ASSESSED} | {"manifest.json", "run.log.json", "notes.txt"}


def test_a_manifest_cannot_make_us_delete_elsewhere(tmp_path) -> None:
    out, other = tmp_path / "out", tmp_path / "other.csv"
    run_study(small_study(), out=out, stages=["assess"])
    other.write_text("mine", encoding="utf-8")
    manifest = read_manifest(out)
    manifest["files"].append({"file": "../other.csv"})
    (out / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    run_study(small_study(), out=out, stages=["assess"])
    assert other.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device"), MemoryError])
def test_an_interrupted_run_leaves_what_was_there_before(tmp_path, monkeypatch, error) -> None:
    out = tmp_path / "out"
    run_study(small_study(), out=out, stages=["assess"])
    before = digests(out)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(steps, "add_events", fail)
    with pytest.raises(type(error) if isinstance(error, OSError) else error):
        run_study(small_study(), out=out)
    assert digests(out) == before


def test_an_interrupted_first_run_leaves_nothing(tmp_path, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "assess", fail)
    with pytest.raises(KeyboardInterrupt):
        run_study(small_study(), out=tmp_path / "deep" / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_study_that_breaks_in_a_later_piece_writes_nothing(tmp_path) -> None:
    def pieces():
        yield small_study()
        raise InputError(())

    with pytest.raises(InputError):
        run_pieces(pieces(), out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_run_killed_while_files_were_moved_can_be_repeated(tmp_path) -> None:
    out = tmp_path / "out"
    run_study(small_study(), out=out, stages=["assess"])
    (out / "manifest.json").unlink()
    (out / ".hccresist-part-0").mkdir()
    run_study(small_study(), out=out, stages=["assess"])
    assert read_manifest(out)["software"] == "hccresist"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_an_os_error(tmp_path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        run_study(small_study(), out=tmp_path / "out")


def test_a_new_folder_is_there_whole_or_not_at_all(tmp_path) -> None:
    def fill_and_fail() -> None:
        with open_new_folder(tmp_path / "a" / "b") as folder:
            (folder / "x.csv").write_text("1", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_and_fail()
    assert list(tmp_path.iterdir()) == []
    with open_new_folder(tmp_path / "a" / "b") as folder:
        (folder / "x.csv").write_text("1", encoding="utf-8")
    assert (tmp_path / "a" / "b" / "x.csv").is_file()
    with pytest.raises(ConfigError, match="not an empty folder"), open_new_folder(tmp_path / "a" / "b"):
        pass


def test_files_appear_only_when_the_block_has_ended(tmp_path) -> None:
    with open_output(tmp_path / "out") as folder:
        folder.add_text("report.html", "x")
        folder.add_json("manifest.json", {"software": "hccresist"})
        assert not (tmp_path / "out" / "report.html").exists()
    assert (tmp_path / "out" / "report.html").is_file()


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stages": ["asses"]}, "There is no stage 'asses'.*Did you mean 'assess'"),
        ({"stages": []}, "No stage was named"),
        ({"formats": ["xlsx"]}, "There is no format 'xlsx'"),
        ({"criteria": []}, "No criterion was named"),
        ({"landmark_days": 0.0}, "The landmark must be a day after day 0"),
        ({"criteria": ["recist99x"]}, "There is no criterion 'recist99x'"),
    ],
)
def test_a_wrong_option_is_told_and_nothing_is_written(tmp_path, options, message) -> None:
    with pytest.raises(ConfigError, match=message):
        run_study(small_study(), out=tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []


def test_responders_are_compared_with_others_at_a_landmark_or_not_at_all(tmp_path, demo_run) -> None:
    plain = pl.read_parquet(demo_run / "survival_summary.parquet")
    assert not plain["statistic"].str.starts_with("landmark").any()
    result = run_study(read_demo(), out=tmp_path / "out", stages=["assess", "outcomes"], landmark_days=126)
    compared = result.tables["survival_summary"].filter(pl.col("statistic").str.starts_with("landmark"))
    assert set(compared["at_days"]) == {126.0}
    assert "anderson_landmark" in result.manifest["citations"]
    assert result.manifest["options"]["landmark_days"] == 126


def test_progress_names_the_stages_in_order(tmp_path) -> None:
    seen: list[str] = []
    run_study(small_study(), out=tmp_path / "out", progress=lambda stage, _: seen.append(stage))
    assert list(dict.fromkeys(seen)) == ["assess", "outcomes", "explain", "report"]


# Pieces, and the same bytes


BY_SAMPLE = ("expression", "alterations")
"""Tables of the example that have no column of patients."""


def split(study: Study, size: int) -> list[Study]:
    """Cut a study into pieces of consecutive patients."""
    names = study.patients["patient_id"]
    parts = [names.slice(start, size) for start in range(0, len(names), size)]
    return [
        Study(
            config=study.config,
            tables={
                name: frame.filter(pl.col("patient_id").is_in(part.to_list()))
                for name, frame in study.tables.items()
                if "patient_id" in frame.columns
            },
            sources=study.sources,
        )
        for part in parts
    ]


def test_a_study_in_pieces_gives_the_same_tables_byte_for_byte(tmp_path, demo_run) -> None:
    result = run_pieces(split(read_demo(), 23), out=tmp_path / "out", stages=UNTWINNED)
    reports = {stage.name: (stage.status, stage.reason) for stage in result.stages}
    assert reports["report"] == ("skipped", "the study came in pieces; the report needs it whole")
    assert (
        result.manifest["skipped"]["patterns"] == "the study came in pieces; the closer look needs it whole"
    )
    whole = digests(demo_run)
    for name, digest in digests(tmp_path / "out").items():
        if name != "manifest.json":
            assert digest == whole[name], name
    given = read_manifest(tmp_path / "out")["inputs"]  # genes and alterations have no patients to cut by
    taken = [entry for entry in read_manifest(demo_run)["inputs"] if entry["table"] not in BY_SAMPLE]
    assert given == taken


def shuffle_rows(folder: Path) -> None:
    """Turn the rows of every CSV file round, and write it with semicolons."""
    for path in folder.glob("*.csv"):
        head, *rows = path.read_text(encoding="utf-8").splitlines()
        lines = [head, *reversed(rows[::2]), *rows[1::2]]
        path.write_text("\n".join(lines).replace(",", ";") + "\n", encoding="utf-8")


def test_two_runs_and_another_order_of_rows_give_the_same_bytes(tmp_path, demo_run) -> None:
    folder = copy_demo(tmp_path / "study")
    shuffle_rows(folder)
    run_study(read_study(folder), out=tmp_path / "shuffled", stages=UNTWINNED)
    assert digests(tmp_path / "shuffled") == digests(demo_run)


def test_the_input_hash_follows_the_content_and_not_the_cut() -> None:
    def hashed(*studies: Study) -> list[dict[str, object]]:
        digest = InputDigest()
        for study in studies:
            digest.add(study)
        return digest.records()

    study = small_study()
    assert hashed(study) == hashed(*split(study, 1))
    other = study_from_frames(
        patients=study.patients, lesions=study.tables["lesions"].with_columns(longest_mm=pl.lit(1.0))
    )
    assert hashed(study) != hashed(other)


def test_the_bytes_of_a_table_do_not_depend_on_how_it_was_cut(tmp_path) -> None:
    rows = ROW_GROUP + 100
    frame = pl.DataFrame(
        {
            "name": pl.Series([f"P{i % 97}" for i in range(rows)]),
            "kind": pl.Series(["a", None] * (rows // 2), dtype=pl.Enum(["a", "b"])),
            "value": pl.Series(range(rows), dtype=pl.Float64) / 7,
        }
    )
    for name, size in (("whole", rows), ("cut", 40_000)):
        (tmp_path / name).mkdir()
        assert write_table("t", frame.iter_slices(size), tmp_path / name) == rows
    assert digests(tmp_path / "whole") == digests(tmp_path / "cut")
    file = pq.ParquetFile(tmp_path / "cut" / "t.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [ROW_GROUP, 100]
    assert pl.read_parquet(tmp_path / "cut" / "t.parquet").schema["kind"] == pl.String


def test_a_table_without_rows_is_written_with_its_columns(tmp_path) -> None:
    frame = pl.DataFrame(schema={"patient_id": pl.String, "day": pl.Float64})
    assert write_table("empty", [frame], tmp_path) == 0
    assert (tmp_path / "empty.csv").read_text(encoding="utf-8") == "patient_id,day\n"
    assert pl.read_parquet(tmp_path / "empty.parquet").schema == frame.schema


def test_every_table_fits_the_schema_that_documents_it(demo_run) -> None:
    schemas = {**ALL_RESULTS, **OUTCOMES, **EXPLAINED, **STRATEGIES}
    written = {path.stem: pl.read_parquet(path) for path in demo_run.glob("*.parquet")}
    assert written.keys() == ASSESSED | SUMMARISED | COMPARED | set(EXPLAINED) | set(STRATEGIES)
    for name, frame in written.items():
        assert frame.columns == list(schemas[name].column_names()), name
        schemas[name].validate(frame, cast=True)


def test_reference_arm_and_strata_of_the_study_are_used_and_told(tmp_path) -> None:
    study = read_demo()
    assert sorted(study.patients["arm"].unique()) == ["atezolizumab-bevacizumab", "lenvatinib"]
    config = replace(study.config, reference_arm="lenvatinib", strata=("centre",))
    shown = ("assess", "outcomes", "report")
    result = run_study(replace(study, config=config), out=tmp_path / "out", stages=shown, closer=False)
    summary = result.tables["survival_summary"]
    compared = summary.filter(pl.col("statistic") == "hazard_ratio")["group"].unique().to_list()
    assert compared == ["atezolizumab-bevacizumab vs lenvatinib"]
    assert summary.filter(pl.col("statistic") == "hazard_ratio_stratified").height > 0
    told = result.manifest["study"]
    assert (told["reference_arm"], told["strata"]) == ("lenvatinib", ["centre"])
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Stratified by centre." in page
    assert "Reference arm" in page


def test_every_table_that_is_registered_is_written() -> None:
    assert set(ALL_RESULTS) - {"sensitivity"} == ASSESSED  # that one only when it is asked for
    assert set(OUTCOMES) == SUMMARISED | COMPARED


def test_agreement_does_not_need_patterns(tmp_path) -> None:
    result = run_study(small_study(), out=tmp_path / "out", stages=["assess"])
    less = {name: frame for name, frame in result.tables.items() if name != "patterns"}
    assert set(steps.list_cohort(less)) == {"agreement"}
    assert set(steps.list_cohort(result.tables)) == set(OF_COHORT)


def test_without_the_closer_look_its_tables_are_skipped_and_why(tmp_path) -> None:
    result = run_study(small_study(), out=tmp_path / "out", stages=["assess"], closer=False)
    assert set(result.tables) == {*RESULTS, "progressions"}
    assert result.manifest["skipped"]["robustness"] == "the closer look was not asked for"
    assert result.manifest["skipped"]["agreement"] == "the closer look was not asked for"


def test_a_table_whose_input_is_missing_is_skipped_and_why(tmp_path) -> None:
    sums = pl.DataFrame(
        {"patient_id": ["A"] * 2, "measure": "longest", "day": [-1.0, 56.0], "sum": [30.0, 20.0]}
    )
    study = study_from_frames(patients=pl.DataFrame({"patient_id": ["A"]}), sums=sums)
    result = run_study(study, out=tmp_path / "out", stages=["assess"])
    assert result.manifest["skipped"]["markers"] == "the study has no labs or observations or lesions"
    assert "markers" not in result.tables


def test_sensitivity_is_a_table_when_asked_for(tmp_path) -> None:
    result = run_study(
        small_study(), out=tmp_path / "out", stages=["assess"], criteria=["recist11"], sensitivity=True
    )
    assert set(result.tables["sensitivity"]["policy"]) > {"", "confirm_days", "continuing_pr"}
