"""The command line: parse, call, print.

Exit codes: 0 fine, 1 problems in the input, 2 wrong usage, 3 a stage or a report section failed,
130 interrupted. What a command needs is imported when it runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import App, CycloptsError, Parameter

from hccresist.cli_calibrate import calibrate
from hccresist.cli_cells import cells
from hccresist.cli_evidence import evidence
from hccresist.cli_explain import explain
from hccresist.cli_export import export
from hccresist.cli_model import model
from hccresist.cli_overcome import overcome
from hccresist.cli_reference import reference
from hccresist.cli_run import (
    Flag,
    Json,
    Line,
    Out,
    Particles,
    Quiet,
    Request,
    Settings,
    StudyPath,
    Twin,
    Words,
    list_stages,
    list_wanted,
    read_request,
    run_request,
    told_as_usage,
)
from hccresist.cli_simulate import simulate
from hccresist.cli_trial import trial
from hccresist.cli_trials import trials
from hccresist.errors import InputError
from hccresist.failures import BAD_INPUT, BAD_USAGE, FAILED, FINE, INTERRUPTED, tell_error

HELP: Final = """Who resists, why, and what might overcome it, in hepatocellular carcinoma.

A study folder goes in; response, resistance, survival, mechanisms and a report come out.
Research use, not a medical device. Everything stays on this machine.
"""

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

    with told_as_usage():
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
        found = read_request(study, policy)
    except InputError as error:
        if not json:
            raise
        screen.print_json({"fine": False, "issues": [issue.record() for issue in error.issues], "tables": {}})
        return BAD_INPUT
    if json:
        rows = {name: frame.height for name, frame in found.tables.items()}
        issues = [issue.record() for issue in found.warnings]
        screen.print_json({"fine": True, "issues": issues, "tables": rows, "stages": list_stages(found)})
        return FINE
    screen.print_study(found)
    if found.warnings:
        screen.print_issues(found.warnings, screen.out())
    for name, reason in list_stages(found).items():
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
    return run_request(study, out, request, quiet=quiet)


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
    twin: Twin = None,
    particles: Particles = None,
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
    twin
        Look ahead with virtual patients like each patient (research only; seconds each). Done unasked for
        up to 200 patients.
    particles
        Virtual patients of each patient, instead of 100.
    quiet
        Print errors only.
    """
    request = Request(
        stages=list_wanted(twin=twin),
        criteria=criteria,
        policy=policy,
        line=line,
        formats=formats,
        landmark_days=landmark,
        sensitivity=sensitivity,
        closer=closer,
        twin=twin,
        particles=particles,
    )
    return run_request(study, out, request, quiet=quiet)


@app.command(sort_key=1)
def demo(
    *,
    out: Out = Path("hccresist-demo"),
    cases: Flag = False,
    save_study: Annotated[Path | None, Parameter(show_default=False)] = None,
    twin: Twin = None,
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
    twin
        Look ahead with virtual patients like each patient (research only; it takes longest).
    quiet
        Print errors only.
    """
    from hccresist.demo import copy_demo, open_demo_folder  # noqa: PLC0415

    if save_study is not None:
        with told_as_usage():
            copy_demo(save_study, cases=cases)
    with open_demo_folder(cases=cases) as folder:
        return run_request(folder, out, Request(stages=list_wanted(twin=twin)), quiet=quiet)


@app.command(sort_key=6)
def convert(
    source: Annotated[Path, Parameter(name="source")], /, *, out: Out, to: Literal["tidy"] = "tidy"
) -> int:
    """Read a study in any format and write it as a tidy folder.

    Parameters
    ----------
    source
        Folder of SDTM files or of DICOM measurement reports, or a study folder.
    out
        New or empty folder.
    to
        Format to write.
    """
    from hccresist import screen  # noqa: PLC0415
    from hccresist.outputs import check_new_folder, open_new_folder  # noqa: PLC0415
    from hccresist.study.write import write_tidy  # noqa: PLC0415

    with told_as_usage():
        check_new_folder(out)
    study = read_request(source, None)
    with open_new_folder(out) as staging:
        written = write_tidy(study, staging)
    screen.out().print(f"{len(written)} files in {out} ({to})", markup=False)
    return FINE


app.command(explain, sort_key=5)
app.command(overcome, sort_key=5)
app.command(cells, sort_key=5)
app.command(evidence, sort_key=6)
app.command(trials, sort_key=6)
app.command(trial, sort_key=7)
app.command(calibrate, sort_key=7)
app.command(export, sort_key=7)
app.command(reference)
app.command(model, sort_key=7)
app.command(simulate, sort_key=7)


@app.command(sort_key=8)
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


@app.command(sort_key=10)
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


@app.command(sort_key=9)
def cite(folder: Annotated[Path, Parameter(name="dir")], /) -> int:
    """Print what a run should cite: a methods paragraph and BibTeX.

    Parameters
    ----------
    folder
        Folder with the results of a run.
    """
    from hccresist.citations import write_bibtex, write_methods  # noqa: PLC0415
    from hccresist.outputs import read_manifest  # noqa: PLC0415

    with told_as_usage():
        manifest = read_manifest(folder)
    sys.stdout.write(f"{write_methods(manifest)}\n\n{write_bibtex(manifest)}\n")
    return FINE


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
