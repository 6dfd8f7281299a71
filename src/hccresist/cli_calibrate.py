"""Command ``calibrate``: fit the virtual population to published trials, in resumable pieces."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from hccresist.cli_run import Quiet, told_as_usage
from hccresist.errors import ConfigError
from hccresist.failures import FINE

if TYPE_CHECKING:
    from hccresist.screen import Report

Number = Annotated[int | None, Parameter(show_default=False)]
FEWEST: Final = 8
"""Parameter sets below which their spread says nothing."""
MOST: Final = 10_000


def calibrate(
    *,
    out: Annotated[Path, Parameter(show_default=False)],
    members: Number = None,
    patients: Number = None,
    design: Number = None,
    minutes: Annotated[float | None, Parameter(show_default=False)] = None,
    seed: int = 0,
    threads: Number = None,
    leave_out: Annotated[str | None, Parameter(show_default=False)] = None,
    prior_runs: Annotated[Path | None, Parameter(show_default=False)] = None,
    quiet: Quiet = False,
) -> int:
    """Fit the population of virtual patients to published trials, and report how well it fits.

    About an hour on two cores; an interrupted one goes on when the same command is given again. When all
    data are taken in, the folder shipped holds the ensemble, its facts, and the fit report: every published
    number beside the simulated one, in sample and with each programme left out. Research only.

    Parameters
    ----------
    out
        Folder of the calibration: new, empty, or one to go on with.
    members
        Parameter sets of the ensemble.
    patients
        Virtual patients of each arm.
    design
        Parameter sets that are drawn from the prior and run first.
    minutes
        Begin no new piece after so many minutes.
    seed
        Seed.
    threads
        Threads; as many as there are processors if not given.
    leave_out
        Programme whose trials are not fitted, to be predicted.
    prior_runs
        Folder of another calibration whose runs of the prior are taken over.
    quiet
        Print nothing but errors.
    """
    from hccresist.overcome import calibrate as work  # noqa: PLC0415

    members = work.MEMBERS if members is None else members
    patients = work.PATIENTS if patients is None else patients
    design = work.DESIGN if design is None else design
    with told_as_usage():
        _check(
            members=members,
            patients=patients,
            design=design,
            minutes=minutes,
            seed=seed,
            threads=threads,
        )
        if leave_out is not None:
            work.choose_targets(leave_out)
    with _show_sets(quiet=quiet) as report:
        done = work.calibrate(
            out,
            members=members,
            patients=patients,
            design=design,
            minutes=minutes,
            seed=seed,
            threads=threads,
            leave_out=leave_out,
            prior_runs=prior_runs,
            report=report,
        )
        fit = None
        if done.finished and leave_out is None:
            from hccresist.overcome.calibrate_report import finish  # noqa: PLC0415

            fit = finish(out, done, patients=patients, seed=seed, threads=threads, report=report)
    if not quiet:
        from hccresist.screen_calibrate import print_calibration  # noqa: PLC0415

        print_calibration(done, fit, out=out, left_out=leave_out)
    return FINE


def _check(
    *,
    members: int,
    patients: int,
    design: int,
    minutes: float | None,
    seed: int,
    threads: int | None,
) -> None:
    """Refuse what cannot be done; all at once."""
    from hccresist.overcome.calibrate import SETS_MOST  # noqa: PLC0415

    problems = list[str]()
    for name, size in (("members", members), ("design", design)):
        if not FEWEST <= size <= SETS_MOST:
            problems.append(f"--{name} is {size}; it must be from {FEWEST} to {SETS_MOST:,}")
    if not 1 <= patients <= MOST:
        problems.append(f"--patients is {patients}; it must be from 1 to {MOST:,}")
    if minutes is not None and not minutes > 0:
        problems.append(f"--minutes is {minutes:g}; it must be above 0")
    if seed < 0:
        problems.append(f"--seed is {seed}; it must be 0 or more")
    if threads is not None and threads < 1:
        problems.append(f"--threads is {threads}; it must be 1 or more")
    if problems:
        raise ConfigError("\n".join(problems))


@contextmanager
def _show_sets(*, quiet: bool) -> Generator[Report | None]:
    """Show a bar on standard error, where it is a terminal."""
    from hccresist import screen  # noqa: PLC0415

    console = screen.err()
    if quiet or not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    columns = ("sets of this step", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("sets", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
