"""The command line: parse, call, print.

Exit codes: 0 fine, 1 problems in the input, 2 wrong usage, 3 a stage or a report section failed,
130 interrupted. What a command needs is imported when it runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import App, CycloptsError, Parameter

from hccresist.errors import ConfigError, InputError
from hccresist.failures import BAD_INPUT, BAD_USAGE, FAILED, FINE, INTERRUPTED, UsageError, tell_error

if TYPE_CHECKING:
    from hccresist.flow import RunResult
    from hccresist.study.policies import Policies
    from hccresist.study.study import Study

ALL_STAGES: Final = ("assess", "outcomes", "report")

HELP: Final = """Who resists, why, and what might overcome it, in hepatocellular carcinoma.

A study folder goes in; response by RECIST 1.1, mRECIST and iRECIST, survival and a report come out.
Research use, not a medical device. Everything stays on this machine.
"""

StudyPath = Annotated[Path, Parameter(name="study", show_default=False)]
Out = Annotated[Path, Parameter(name="--out")]
Words = Annotated[str | None, Parameter(show_default=False)]
Settings = Annotated[
    list[str] | None, Parameter(name="--policy", negative="", show_default=False, allow_leading_hyphen=True)
]
Line = Annotated[int | None, Parameter(name="--line", show_default=False)]
Quiet = Annotated[bool, Parameter(name=["--quiet", "-q"], negative="", show_default=False)]
Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False)]
Flag = Annotated[bool, Parameter(negative="", show_default=False)]
Closer = Annotated[bool, Parameter(name="--closer", negative="--no-closer", show_default=False)]


def _read_release() -> str:
    from hccresist.citations import read_version  # noqa: PLC0415

    return read_version("hccresist")


app = App(
    name="hccresist",
    help=HELP,
    version=_read_release,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
)


@app.command(sort_key=2)
def init(folder: Annotated[Path, Parameter(name="dir")], /) -> int:
    """Write a study folder to fill in: study.toml, one template a table, and the data dictionary.

    Parameters
    ----------
    folder
        Folder for the templates; files of these names must not be there yet.
    """
    from hccresist import screen  # noqa: PLC0415
    from hccresist.study.dictionary import DICTIONARY_FILE, write_templates  # noqa: PLC0415

    with _usage():
        written = write_templates(folder)
    screen.out().print(
        f"{len(written)} files in {folder}; {DICTIONARY_FILE} there says what goes where", markup=False
    )
    return FINE


@app.command(sort_key=3)
def check(study: StudyPath, /, *, policy: Settings = None, json: Json = False) -> int:
    """Read a study and tell every problem at once; nothing is written.

    Parameters
    ----------
    study
        Study folder, or folder of SDTM files.
    policy
        NAME=VALUE, repeatable; see 'hccresist policies'.
    json
        Print JSON.
    """
    from hccresist import screen  # noqa: PLC0415

    try:
        found = _read(study, policy)
    except InputError as error:
        if not json:
            raise
        screen.print_json({"fine": False, "issues": [issue.record() for issue in error.issues], "tables": {}})
        return BAD_INPUT
    if json:
        rows = {name: frame.height for name, frame in found.tables.items()}
        issues = [issue.record() for issue in found.warnings]
        screen.print_json({"fine": True, "issues": issues, "tables": rows, "stages": _list_stages(found)})
        return FINE
    screen.print_study(found)
    if found.warnings:
        screen.print_issues(found.warnings, screen.out())
    for name, reason in _list_stages(found).items():
        screen.out().print(f"  {name}: {reason or 'can be done'}", markup=False)
    screen.out().print("[green]fine[/]")
    return FINE


@app.command(sort_key=5)
def assess(
    study: StudyPath,
    /,
    *,
    out: Out,
    criteria: Words = None,
    policy: Settings = None,
    line: Line = None,
    formats: str = "parquet,csv",
    sensitivity: Flag = False,
    closer: Closer = True,
    quiet: Quiet = False,
) -> int:
    """Assess response at every visit, dates, rates and survival, and write the tables.

    Parameters
    ----------
    study
        Study folder, or folder of SDTM files.
    out
        Folder for the results; earlier results of hccresist there are replaced.
    criteria
        Criteria separated by commas, for example recist11,mrecist,irecist; those of the study if not given.
    policy
        NAME=VALUE, repeatable; see 'hccresist policies'.
    line
        Line of treatment to look at, with its own start as day 0; the index line if not given.
    formats
        File formats of the tables: parquet, csv or both.
    sensitivity
        Take rates and medians under each other setting of each policy too (slow).
    closer
        Take the closer look too: resistance, growth, patterns, markers, robustness, audit. Skipped where
        a study is so large that it is read in pieces.
    quiet
        Print errors only.
    """
    request = Request(
        stages=("assess", "outcomes"),
        criteria=criteria,
        policy=policy,
        line=line,
        formats=formats,
        sensitivity=sensitivity,
        closer=closer,
    )
    return _run(study, out, request, quiet=quiet)


@app.command(sort_key=4)
def run(
    study: StudyPath,
    /,
    *,
    out: Out,
    criteria: Words = None,
    policy: Settings = None,
    line: Line = None,
    formats: str = "parquet,csv",
    landmark: Annotated[float | None, Parameter(show_default=False)] = None,
    sensitivity: Flag = False,
    closer: Closer = True,
    quiet: Quiet = False,
) -> int:
    """Do every stage that has its input, and write tables and report.html.

    Parameters
    ----------
    study
        Study folder, or folder of SDTM files.
    out
        Folder for the results; earlier results of hccresist there are replaced.
    criteria
        Criteria separated by commas, for example recist11,mrecist,irecist; those of the study if not given.
    policy
        NAME=VALUE, repeatable; see 'hccresist policies'.
    line
        Line of treatment to look at, with its own start as day 0; the index line if not given.
    formats
        File formats of the tables: parquet, csv or both.
    landmark
        Day at which survival of responders and others is compared, chosen beforehand.
    sensitivity
        Take rates and medians under each other setting of each policy too (slow).
    closer
        Take the closer look too: resistance, growth, patterns, markers, robustness, audit. Skipped where
        a study is so large that it is read in pieces.
    quiet
        Print errors only.
    """
    request = Request(
        stages=ALL_STAGES,
        criteria=criteria,
        policy=policy,
        line=line,
        formats=formats,
        landmark_days=landmark,
        sensitivity=sensitivity,
        closer=closer,
    )
    return _run(study, out, request, quiet=quiet)


@app.command(sort_key=1)
def demo(
    *,
    out: Out = Path("hccresist-demo"),
    cases: Flag = False,
    save_study: Annotated[Path | None, Parameter(show_default=False)] = None,
    quiet: Quiet = False,
) -> int:
    """Run the bundled example, 60 simulated patients, to a finished report.

    Parameters
    ----------
    out
        Folder for the results.
    cases
        Run published cases of real patients instead: the authors' own reading stands beside ours.
    save_study
        Also copy the study folder of the example to this new folder.
    quiet
        Print errors only.
    """
    from hccresist.demo import copy_demo, open_demo_folder  # noqa: PLC0415

    if save_study is not None:
        with _usage():
            copy_demo(save_study, cases=cases)
    with open_demo_folder(cases=cases) as folder:
        return _run(folder, out, Request(stages=ALL_STAGES), quiet=quiet)


@app.command(sort_key=6)
def convert(
    source: Annotated[Path, Parameter(name="source")], /, *, out: Out, to: Literal["tidy"] = "tidy"
) -> int:
    """Read a study in any format and write it as a tidy folder.

    Parameters
    ----------
    source
        Folder of SDTM files, or a study folder.
    out
        New or empty folder.
    to
        Format to write.
    """
    from hccresist import screen  # noqa: PLC0415
    from hccresist.outputs import check_new_folder, open_new_folder  # noqa: PLC0415
    from hccresist.study.write import write_tidy  # noqa: PLC0415

    with _usage():
        check_new_folder(out)
    study = _read(source, None)
    with open_new_folder(out) as staging:
        written = write_tidy(study, staging)
    screen.out().print(f"{len(written)} files in {out} ({to})", markup=False)
    return FINE


@app.command(sort_key=7)
def policies(*, json: Json = False) -> int:
    """List every policy with its default, meaning, values and source.

    Parameters
    ----------
    json
        Print JSON.
    """
    from hccresist import screen  # noqa: PLC0415
    from hccresist.study.policies import describe  # noqa: PLC0415

    if json:
        fields = ("name", "default", "meaning", "allowed", "source", "low")
        screen.print_json([{name: getattr(info, name) for name in fields} for info in describe()])
    else:
        screen.print_policies(describe())
    return FINE


@app.command(sort_key=9)
def doctor(*, json: Json = False) -> int:
    """Look whether everything is there that hccresist needs, without a network.

    Parameters
    ----------
    json
        Print JSON.
    """
    from hccresist import screen  # noqa: PLC0415
    from hccresist.doctor import examine_machine  # noqa: PLC0415

    checks = examine_machine()
    if json:
        screen.print_json([check.record() for check in checks])
    else:
        screen.print_checks(checks)
    return FAILED if any(check.status == "fail" for check in checks) else FINE


@app.command(sort_key=8)
def cite(folder: Annotated[Path, Parameter(name="dir")], /) -> int:
    """Print what a run should cite: a methods paragraph and BibTeX.

    Parameters
    ----------
    folder
        Folder with the results of a run.
    """
    from hccresist.citations import write_bibtex, write_methods  # noqa: PLC0415
    from hccresist.outputs import read_manifest  # noqa: PLC0415

    with _usage():
        manifest = read_manifest(folder)
    sys.stdout.write(f"{write_methods(manifest)}\n\n{write_bibtex(manifest)}\n")
    return FINE


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


def _run(path: Path, out: Path, request: Request, *, quiet: bool) -> int:
    """Read a study, run stages on it and print what came of it."""
    from hccresist import screen  # noqa: PLC0415
    from hccresist.flow import check_options, run_pieces  # noqa: PLC0415
    from hccresist.study.lines import move_to_line  # noqa: PLC0415
    from hccresist.study.pieces import read_pieces  # noqa: PLC0415

    criteria = None if request.criteria is None else _split(request.criteria)
    formats = _split(request.formats)
    with _usage():
        check_options(
            out=out,
            stages=request.stages,
            criteria=criteria,
            formats=formats,
            landmark_days=request.landmark_days,
        )
        _check_criteria(path, criteria or ())
    with screen.show_progress(quiet=quiet) as progress:
        policies = _read_policies(path, request.policy) if request.policy else None
        pieces = read_pieces(path, policies=policies)
        if request.line is not None:
            with _usage():
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


def _read(path: Path, settings: Sequence[str] | None) -> Study:
    """Read a study under its own policies, changed by those of the command line."""
    from hccresist.study.read import read_study  # noqa: PLC0415

    return read_study(path, policies=_read_policies(path, settings) if settings else None)


def _read_policies(path: Path, settings: Sequence[str]) -> Policies:
    from hccresist.study.config import read_config  # noqa: PLC0415
    from hccresist.study.issues import IssueLog  # noqa: PLC0415
    from hccresist.study.policies import Policies  # noqa: PLC0415

    pairs: dict[str, object] = {}
    with _usage():
        for setting in settings:
            name, equals, value = setting.partition("=")
            if not equals:
                msg = f"--policy {setting}: write NAME=VALUE, for example --policy confirm_days=42."
                raise ConfigError(msg)
            pairs[name.strip()] = value
        Policies.parse(pairs)
        return Policies.parse(pairs, base=read_config(path, IssueLog()).policies)


def _check_criteria(path: Path, wanted: Sequence[str]) -> None:
    """Look up the criteria that were named, among them those of the study's own."""
    from hccresist.assess import find_criterion  # noqa: PLC0415
    from hccresist.study.config import read_config  # noqa: PLC0415
    from hccresist.study.issues import IssueLog  # noqa: PLC0415

    variants = read_config(path, IssueLog()).variants if wanted else {}
    for name in wanted:
        find_criterion(name, variants)


def _list_stages(study: Study) -> dict[str, str]:
    from hccresist.flow import STAGES, explain_skip  # noqa: PLC0415

    return {stage: explain_skip(study, stage) for stage in STAGES}


def _split(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


@contextmanager
def _usage() -> Generator[None]:
    """Take what is wrong with an option for wrong usage, not for a problem of the input."""
    try:
        yield
    except ConfigError as error:
        raise UsageError(str(error)) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        code = app(arguments, result_action="return_value", exit_on_error=False, print_error=True)
        sys.stdout.flush()
    except CycloptsError:
        return BAD_USAGE
    except KeyboardInterrupt:
        sys.stderr.write("\nhccresist: interrupted; nothing was half written.\n")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except Exception as error:  # noqa: BLE001  (the last place where a message can be made of it)
        return tell_error(error)
    return code if isinstance(code, int) else FINE
