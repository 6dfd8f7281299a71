"""The flow: study → assess → outcomes → explain → overcome → twin → report, each stage that has its input.

A stage that lacks its input is skipped, with the reason in the manifest and on the screen. Patients
are assessed piece by piece when a study comes in pieces, so that a large one streams through; rates
and survival are then taken over all pieces together.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar

import polars as pl

from hccresist import steps
from hccresist.assess.results import RESULTS
from hccresist.errors import ConfigError, InputError, PackageError
from hccresist.manifest import InputDigest, Stage, build_manifest
from hccresist.options import OmicsOptions, TwinOptions
from hccresist.outputs import (
    FORMATS,
    MANIFEST,
    REPORT,
    RUN_LOG,
    OutputFolder,
    TableFile,
    open_output,
)
from hccresist.runlog import RunLog
from hccresist.stages import STAGES, check_options, explain_skip
from hccresist.study.study import Study

Progress = Callable[[str, int], None]
"""Called with the name of a stage and the number of patients that it has done so far."""

_Made = TypeVar("_Made")
_KEPT_INPUTS: Final = ("patients", "survival")
_SLIM: Final = ("patient_id", "reader", "criterion", "day", "overall")
"""Columns of `timepoints` that rates need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run did.

    Attributes
    ----------
    out
        Folder that holds the results.
    manifest
        What ``manifest.json`` holds.
    tables
        Result tables by name; of a study that came in pieces, without the column `reason`, and of
        `timepoints` only patient, reader, criterion, day and overall response.
    stages
        What became of each stage.
    """

    out: Path
    manifest: Mapping[str, object]
    tables: Mapping[str, pl.DataFrame]
    stages: tuple[Stage, ...]

    @property
    def failed(self) -> tuple[Stage, ...]:
        """Stages that failed."""
        return tuple(stage for stage in self.stages if stage.status == "failed")


def run_study(
    study: Study,
    *,
    out: Path,
    stages: Sequence[str] = STAGES,
    criteria: Sequence[str] | None = None,
    formats: Sequence[str] = FORMATS,
    landmark_days: float | None = None,
    closer: bool = True,
    sensitivity: bool = False,
    omics: OmicsOptions | None = None,
    twin: TwinOptions | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Run every stage that has its input, and write tables, manifest, log and report.

    Parameters
    ----------
    study
        A checked study.
    out
        Folder for the results: new, empty, or holding earlier results, which are replaced.
    stages
        Stages wanted, of `STAGES`.
    criteria
        Criteria wanted; those of the study if not given.
    formats
        ``parquet``, ``csv`` or both.
    closer
        Take the closer look too: resistance, growth, patterns, markers, robustness, audit. It needs
        the study whole.
    sensitivity
        Take rates and medians under each other setting of each policy too.
    omics
        What *explain* is asked for: reference, gene sets, coverage, covariates.
    twin
        What the twins are asked for: virtual patients of each patient, whom to tell of progress.
    landmark_days
        Day at which survival of responders and others is compared, chosen beforehand; not compared
        if not given.
    progress
        Called with stage and number of patients done.

    Returns
    -------
    RunResult
        A stage that failed is named there; the results of the others are written all the same.

    Raises
    ------
    ConfigError
        When an option is wrong or `out` holds something that is not ours.
    OSError
        When the results cannot be written.
    """
    return run_pieces(
        [study],
        out=out,
        stages=stages,
        criteria=criteria,
        formats=formats,
        landmark_days=landmark_days,
        closer=closer,
        sensitivity=sensitivity,
        omics=omics,
        twin=twin,
        progress=progress,
    )


def run_pieces(
    pieces: Iterable[Study],
    *,
    out: Path,
    stages: Sequence[str] = STAGES,
    criteria: Sequence[str] | None = None,
    formats: Sequence[str] = FORMATS,
    landmark_days: float | None = None,
    closer: bool = True,
    sensitivity: bool = False,
    omics: OmicsOptions | None = None,
    twin: TwinOptions | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Run a study that comes in pieces of consecutive patients; otherwise as `run_study`.

    The tables are the same as when the study comes whole. There is a report only where there is
    one piece, as it needs the whole study in memory.
    """
    check_options(out=out, stages=stages, criteria=criteria, formats=formats, landmark_days=landmark_days)
    twin = twin or TwinOptions()
    twin.check()
    with open_output(out) as folder:
        run = _Run(
            folder=folder,
            wanted=stages,
            criteria=criteria,
            formats=formats,
            landmark_days=landmark_days,
            closer=closer,
            sensitivity=sensitivity,
            omics=omics or OmicsOptions(),
            twinning=twin,
            progress=progress,
        )
        run.assess(pieces)
        run.look_closer()
        run.summarise()
        run.explain()
        run.overcome()
        run.twin()
        run.report()
        manifest = run.manifest()
        folder.add_json(RUN_LOG, run.log.record())
        folder.add_json(MANIFEST, manifest)
    return RunResult(out=out, manifest=manifest, tables=run.tables(), stages=tuple(run.stages.values()))


def _slim(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Return what the later stages need of a table that came in pieces."""
    return frame.select(_SLIM) if name == "timepoints" else frame.drop("reason", strict=False)


@dataclass(slots=True, kw_only=True)
class _Run:
    """The state of one run: what was asked for, what is kept, what became of each stage."""

    folder: OutputFolder
    wanted: Sequence[str]
    criteria: Sequence[str] | None
    formats: Sequence[str]
    landmark_days: float | None
    closer: bool
    sensitivity: bool
    omics: OmicsOptions
    twinning: TwinOptions
    progress: Progress | None
    log: RunLog = field(default_factory=RunLog)
    digest: InputDigest = field(default_factory=InputDigest)
    stages: dict[str, Stage] = field(default_factory=dict[str, Stage])
    pieces: list[Study] = field(default_factory=list[Study])
    skipped: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])
    kept: dict[str, list[pl.DataFrame]] = field(default_factory=dict[str, list[pl.DataFrame]])
    lost: set[str] = field(default_factory=set[str])
    not_made: dict[str, str] = field(default_factory=dict[str, str])

    # What the stages do

    def assess(self, pieces: Iterable[Study]) -> None:
        """Take in each piece, and write its response and its events."""
        with ExitStack() as files:
            open_files: dict[str, TableFile] = {}
            for piece in pieces:
                self._take(piece)
                for name, frame in self._assess_piece(piece).items():
                    if name not in open_files:
                        open_files[name] = files.enter_context(self.folder.open_table(name, self.formats))
                    with self.log.time("write"):
                        open_files[name].write(frame)
                    self._keep(name, frame)
        for name in self.lost:
            self.folder.discard(name)
            self.kept.pop(name, None)

    def look_closer(self) -> None:
        """Write everything of *assess* beyond responses, where it is wanted and the study is whole."""
        if not self.done("assess"):
            return
        work, self.not_made = steps.list_closer(self.study(), self.tables())
        reason = "" if self.closer else "the closer look was not asked for"
        if len(self.pieces) > 1:
            reason = "the study came in pieces; the closer look needs it whole"
        if self.sensitivity:
            work["sensitivity"] = lambda: steps.derive_sensitivity(self.study(), self.criteria)
        if reason:
            self.not_made = dict.fromkeys((*work, *self.not_made, *steps.name_cohort()), reason)
            return
        self._write("assess", work)
        self._write("assess", steps.list_cohort(self.tables()))

    def summarise(self) -> None:
        """Take rates and survival over all patients, and write them."""
        if self.done("outcomes"):
            study, made = self.study(), self.tables()
            self._write("outcomes", steps.list_summaries(study, made, landmark_days=self.landmark_days))
            work, why_not = steps.list_published(study, self.tables())
            in_pieces = "the study came in pieces; the comparison with published trials needs it whole"
            self.not_made |= dict.fromkeys(why_not, in_pieces) if len(self.pieces) > 1 else why_not
            self._write("outcomes", work)

    def explain(self) -> None:
        """Write which mechanisms are on, what is known of them, and what goes with the outcome."""
        if len(self.pieces) > 1:
            self._skip("explain", "the study came in pieces; explain needs it whole")
        if self.done("explain"):
            work, why_not = steps.list_explanation(
                self.study(), self.tables(), self.omics, landmark_days=self.landmark_days
            )
            self.not_made |= why_not
            self._write("explain", work)

    def overcome(self) -> None:
        """Write which strategies address what is on in each tumour."""
        if len(self.pieces) > 1:
            self._skip("overcome", "the study came in pieces; overcome needs it whole")
        if self.done("overcome"):
            work, reason = steps.list_strategies(self.study(), self.tables())
            self._write("overcome", work)
            if reason:
                self._skip("overcome", reason)

    def twin(self) -> None:
        """Write what virtual patients like each patient do next; rank strategies with what they gain."""
        if len(self.pieces) > 1:
            self._skip("twin", "the study came in pieces; the twin needs it whole")
        elif self.done("twin") and (reason := self.twinning.explain_skip(self.study().patients.height)):
            self._skip("twin", reason)
        study, made = self.study(), self.tables()
        outlook = self._attempt("twin", lambda: steps.make_outlook(study, made, self.twinning))
        if outlook is not None:
            self._write("twin", steps.list_outlook(study, made, outlook))

    def _write(self, stage: str, work: Mapping[str, Callable[[], pl.DataFrame]]) -> None:
        """Make each table and write it, in the place of an earlier one of its name.

        One that fails is told, and the others are made all the same.
        """
        for name, make in work.items():
            frame, reason = self._try(stage, make)
            if frame is None:
                self._fail(stage, f"{name}: {reason}")
            else:
                if self.kept.pop(name, None) is not None:
                    self.folder.discard(name)
                with self.folder.open_table(name, self.formats) as file:
                    file.write(frame)
                self._keep(name, frame)

    def report(self) -> None:
        """Write the report, where it is wanted and the study is whole."""
        if len(self.pieces) > 1:
            self._skip("report", "the study came in pieces; the report needs it whole")
        manifest = self.manifest()
        page = self._attempt("report", lambda: steps.render(self.study(), self.tables(), manifest))
        if page is None:
            return
        self.folder.add_text(REPORT, page.html)
        for failure in page.failures:
            self.log.add_failure(f"report: {failure.section}", failure.message, trace=failure.trace)
        if page.failures:
            names = ", ".join(failure.section for failure in page.failures)
            reason = f"these sections could not be made: {names}"
            self.stages["report"] = Stage(name="report", status="failed", reason=reason)

    def manifest(self) -> dict[str, object]:
        """Return the manifest of what was done so far."""
        study, made = self.study(), self.tables()
        manifest = build_manifest(
            study.config,
            inputs=self.digest.records(),
            stages=list(self.stages.values()),
            skipped={**self._skipped_criteria(), **self.not_made},
            options={
                "criteria": None if self.criteria is None else list(self.criteria),
                "stages": list(self.wanted),
                "formats": list(self.formats),
                "landmark_days": self.landmark_days,
                **self.omics.record(),
                **self.twinning.record(),
                **({"parameters": steps.tell_parameters()} if self.done("twin") else {}),
            },
            criteria=steps.list_criteria(study, made),
            attrition=steps.count_losses(study, made),
            warnings=[issue.record() for piece in self.pieces for issue in piece.warnings],
            tags=[*steps.list_tags(study, made), *(["report"] if self.done("report") else [])],
        )
        return {**manifest, "files": sorted(self.folder.files, key=lambda entry: str(entry["file"]))}

    # What is kept

    def study(self) -> Study:
        """Return the study: whole where it came whole, else what rates and survival need of it."""
        first = self.pieces[0]
        if len(self.pieces) == 1:
            return first
        names = [name for name in _KEPT_INPUTS if name in first.tables]
        return replace(first, tables={n: pl.concat(p.tables[n] for p in self.pieces) for n in names})

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the result tables made so far."""
        return {name: pl.concat(frames) for name, frames in self.kept.items()}

    def done(self, stage: str) -> bool:
        """Return whether a stage is wanted, has its input and did not fail so far."""
        return stage in self.stages and self.stages[stage].status == "done"

    def _take(self, piece: Study) -> None:
        """Keep a piece; of several only what `study` returns."""
        with self.log.time("digest"):
            self.digest.add(piece)
        self.log.add_files(piece.sources)
        self.pieces.append(piece)
        if len(self.pieces) > 1:
            self.pieces = [_thin(study) for study in self.pieces]
            return
        for stage in self.wanted:
            self.stages[stage] = Stage(name=stage, status="done")
            if reason := explain_skip(piece, stage):
                self._skip(stage, reason)

    def _keep(self, name: str, frame: pl.DataFrame) -> None:
        """Keep a table for the later stages; of several pieces only what these need."""
        if len(self.pieces) > 1:
            frame = _slim(name, frame)
            self.kept[name] = [_slim(name, kept) for kept in self.kept.get(name, [])]
        self.kept.setdefault(name, []).append(frame)

    # How a stage is done

    def _assess_piece(self, piece: Study) -> dict[str, pl.DataFrame]:
        """Return response and events of the patients of one piece."""
        assessment = self._attempt(
            "assess", lambda: steps.assess(piece, self.criteria), loses=[*RESULTS, "progressions"]
        )
        tables: dict[str, pl.DataFrame] = {}
        if assessment is not None:
            tables = dict(assessment.tables)
            self.skipped.append(assessment.skipped)
        events = self._attempt("outcomes", lambda: steps.add_events(piece, tables), loses=["events"])
        if events is not None:
            tables["events"] = events
        self._tell("assess", sum(study.patients.height for study in self.pieces))
        return tables

    def _attempt(self, stage: str, work: Callable[[], _Made], *, loses: Iterable[str] = ()) -> _Made | None:
        """Do a part of a stage that the rest of it needs; when it fails, the stage ends.

        `loses` names the tables that are then not whole.
        """
        if not self.done(stage):
            return None
        made, reason = self._try(stage, work)
        if made is None:
            self._fail(stage, reason)
            self.lost.update(loses)
            if "best_response" in self.lost:
                self._skip("outcomes", "assess failed")
                self.lost.add("events")
        return made

    def _try(self, stage: str, work: Callable[[], _Made]) -> tuple[_Made | None, str]:
        """Return what a part of a stage makes, or nothing and why; a failure is logged."""
        self._tell(stage, 0)
        try:
            with self.log.time(stage):
                return work(), ""
        except (InputError, ConfigError, OSError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001  (the other stages and their results must not sink)
            self.log.add_failure(stage, str(error), trace="".join(traceback.format_exception(error)))
            return None, _explain(error)

    def _fail(self, stage: str, reason: str) -> None:
        """Mark a stage as failed, beside what failed in it before."""
        if self.stages[stage].status == "failed":
            reason = f"{self.stages[stage].reason}; {reason}"
        self.stages[stage] = Stage(name=stage, status="failed", reason=reason)

    def _skip(self, stage: str, reason: str) -> None:
        if stage in self.stages:
            self.stages[stage] = Stage(name=stage, status="skipped", reason=reason)

    def _skipped_criteria(self) -> dict[str, str]:
        """Return the criteria that no piece could be assessed by."""
        first, *others = self.skipped or [{}]
        return {name: reason for name, reason in first.items() if all(name in other for other in others)}

    def _tell(self, stage: str, patients: int) -> None:
        if self.progress is not None:
            self.progress(stage, patients)


def _explain(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, PackageError) else f"{type(error).__name__}: {text}".rstrip(": ")


def _thin(study: Study) -> Study:
    return replace(study, tables={name: study.tables[name] for name in _KEPT_INPUTS if name in study.tables})
