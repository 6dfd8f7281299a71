"""What the commands share: their arguments, reading a study under the policies asked for, and a run."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from hccresist.errors import ConfigError
from hccresist.failures import FAILED, FINE, UsageError
from hccresist.options import MOST_TWINS, OmicsOptions, TwinOptions

if TYPE_CHECKING:
    from hccresist.flow import RunResult
    from hccresist.study.policies import Policies
    from hccresist.study.study import Study

StudyPath = Annotated[Path, Parameter(name="study", show_default=False)]
Out = Annotated[Path, Parameter(name="--out")]
Words = Annotated[str | None, Parameter(show_default=False)]
Settings = Annotated[
    list[str] | None, Parameter(name="--policy", negative="", show_default=False, allow_leading_hyphen=True)
]
Line = Annotated[int | None, Parameter(name="--line", show_default=False)]
Share = Annotated[float | None, Parameter(name="--min-coverage", show_default=False)]
Quiet = Annotated[bool, Parameter(name=["--quiet", "-q"], negative="", show_default=False)]
Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False)]
Flag = Annotated[bool, Parameter(negative="", show_default=False)]
GeneSets = Annotated[list[Path] | None, Parameter(name="--gmt", negative="", show_default=False)]

Twin = Annotated[bool | None, Parameter(name="--twin", negative="--no-twin", show_default=False)]
Particles = Annotated[int | None, Parameter(name="--particles", show_default=False)]

ALL_STAGES: Final = ("assess", "outcomes", "explain", "overcome", "twin", "report")
"""Stages of a whole run; `stages.STAGES`, without loading it."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a run is asked for, as it was typed."""

    stages: tuple[str, ...]
    criteria: str | None = None
    policy: Sequence[str] | None = None
    line: int | None = None
    formats: str = "parquet,csv"
    landmark_days: float | None = None
    sensitivity: bool = False
    closer: bool = True
    omics: OmicsOptions = field(default_factory=OmicsOptions)
    twin: bool | None = None
    particles: int | None = None


def list_wanted(*, twin: bool | None = None) -> tuple[str, ...]:
    """Return the stages of a whole run, with the twins unless they are not wanted."""
    return tuple(stage for stage in ALL_STAGES if twin is not False or stage != "twin")


def run_request(path: Path, out: Path, request: Request, *, quiet: bool) -> int:
    """Read a study, run stages on it and print what came of it."""
    from hccresist import screen  # noqa: PLC0415
    from hccresist.export.sr_folder import is_sr_folder, read_sr_folder  # noqa: PLC0415
    from hccresist.flow import run_pieces  # noqa: PLC0415
    from hccresist.stages import check_options  # noqa: PLC0415
    from hccresist.steps import check_omics  # noqa: PLC0415
    from hccresist.study.lines import move_to_line  # noqa: PLC0415
    from hccresist.study.pieces import read_pieces  # noqa: PLC0415

    criteria = None if request.criteria is None else split_words(request.criteria)
    formats = split_words(request.formats)
    with told_as_usage():
        check_options(
            out=out,
            stages=request.stages,
            criteria=criteria,
            formats=formats,
            landmark_days=request.landmark_days,
        )
        check_criteria(path, criteria or ())
        check_omics(request.omics)
        twins = TwinOptions(particles=request.particles, most=None if request.twin else MOST_TWINS)
        twins.check()
    with screen.show_progress(quiet=quiet) as (progress, report):
        policies = read_policies(path, request.policy) if request.policy else None
        reports = is_sr_folder(path)
        pieces = (
            [read_sr_folder(path, policies=policies)] if reports else read_pieces(path, policies=policies)
        )
        if request.line is not None:
            with told_as_usage():
                pieces = [move_to_line(study, request.line) for study in pieces]
        result = run_pieces(
            pieces,
            out=out,
            stages=request.stages,
            criteria=criteria,
            formats=formats,
            landmark_days=request.landmark_days,
            closer=request.closer,
            sensitivity=request.sensitivity,
            omics=request.omics,
            twin=replace(twins, report=report),
            progress=progress,
        )
    return _finish(result, quiet=quiet)


def _finish(result: RunResult, *, quiet: bool) -> int:
    from hccresist import screen  # noqa: PLC0415

    if not quiet:
        screen.print_result(result)
    for stage in result.failed:
        screen.print_error(f"stage {stage.name} failed: {stage.reason}. Its traceback is in run.log.json.")
    return FAILED if result.failed else FINE


def read_request(path: Path, settings: Sequence[str] | None) -> Study:
    """Read a study under its own policies, changed by those of the command line; DICOM reports too."""
    from hccresist.export.sr_folder import is_sr_folder, read_sr_folder  # noqa: PLC0415
    from hccresist.study.read import read_study  # noqa: PLC0415

    policies = read_policies(path, settings) if settings else None
    if is_sr_folder(path):
        return read_sr_folder(path, policies=policies)
    return read_study(path, policies=policies)


def read_policies(path: Path, settings: Sequence[str]) -> Policies:
    """Return the policies of a study, changed by NAME=VALUE settings."""
    from hccresist.study.config import read_config  # noqa: PLC0415
    from hccresist.study.issues import IssueLog  # noqa: PLC0415
    from hccresist.study.policies import Policies  # noqa: PLC0415

    pairs: dict[str, object] = {}
    with told_as_usage():
        for setting in settings:
            name, equals, value = setting.partition("=")
            if not equals:
                msg = f"--policy {setting}: write NAME=VALUE, for example --policy confirm_days=42."
                raise ConfigError(msg)
            pairs[name.strip()] = value
        Policies.parse(pairs)
        return Policies.parse(pairs, base=read_config(path, IssueLog()).policies)


def check_criteria(path: Path, wanted: Sequence[str]) -> None:
    """Look up the criteria that were named, among them those of the study's own."""
    from hccresist.assess import find_criterion  # noqa: PLC0415
    from hccresist.study.config import read_config  # noqa: PLC0415
    from hccresist.study.issues import IssueLog  # noqa: PLC0415

    variants = read_config(path, IssueLog()).variants if wanted else {}
    for name in wanted:
        find_criterion(name, variants)


def list_stages(study: Study) -> dict[str, str]:
    """Return each stage with the reason why it cannot be done, empty where it can."""
    from hccresist.stages import STAGES, explain_skip  # noqa: PLC0415

    return {stage: explain_skip(study, stage) for stage in STAGES}


def split_words(text: str) -> tuple[str, ...]:
    """Return the words of a list that was typed with commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


@contextmanager
def told_as_usage() -> Generator[None]:
    """Take what is wrong with an option for wrong usage, not for a problem of the input."""
    try:
        yield
    except ConfigError as error:
        raise UsageError(str(error)) from error
