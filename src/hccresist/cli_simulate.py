"""Command ``simulate``: virtual patients on drugs, written as a study folder."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter

from hccresist.cli_run import Flag, Quiet, told_as_usage
from hccresist.errors import ConfigError
from hccresist.failures import FINE
from hccresist.parameter_sets import choose_parameters

if TYPE_CHECKING:
    from hccresist.overcome.plan import Given, Procedure
    from hccresist.overcome.simulate import Cohort, Report, Simulated

Names = Annotated[list[str] | None, Parameter(negative=(), show_default=False, consume_multiple=True)]
FINE_DAYS: Final = 14.0
"""Steps of the trajectories that are written (days)."""
_MOST: Final = 10_000_000


def simulate(
    *,
    out: Annotated[Path, Parameter(show_default=False)],
    drug: Names = None,
    procedure: Names = None,
    handle: Names = None,
    n: int = 200,
    days: float = 728.0,
    every: float = 56.0,
    typical: Flag = False,
    missed: float = 0.0,
    mode: Literal["fast", "exact"] = "fast",
    parameters: Literal["calibrated", "table"] | None = None,
    error: Annotated[bool, Parameter(negative="--no-error", show_default=False)] = True,
    trajectories: int = 20,
    engine: str = "cpu",
    seed: int = 0,
    quiet: Quiet = False,
) -> int:
    """Simulate virtual patients and write them as a study folder, as a clinic would have it.

    Scans (one before treatment, one on day 0, then on a grid), labs, treatments and survival; beside them,
    in the folder simulation, trajectories and figures that no clinic has. Research only: no prediction for
    anybody. An interrupted run goes on when the same command is given again.

    Parameters
    ----------
    out
        New folder for the study.
    drug
        Drugs or regimens, each from day 0; NAME@DAY starts later, NAME@DAY-DAY also stops. None: no
        treatment.
    procedure
        tace, ablation or resection, as KIND@DAY for all lesions or KIND@DAY:largest.
    handle
        Resistance handles, as NAME=SIZE: 1 is the typical size, 0 is off, in all patients. The others are
        on in some patients.
    n
        Patients.
    days
        Days followed.
    every
        Days between scans.
    typical
        Leave the handles that are not named off.
    missed
        Chance that a dose is missed.
    mode
        fast: tablets as phases of the day. exact: dose by dose, some fifty times slower.
    parameters
        calibrated: the middle of the ensemble fitted to published trials. table: values of the table.
        Calibrated where an ensemble is shipped if not given.
    error
        Read diameters with measurement error.
    trajectories
        Patients whose trajectories are written.
    engine
        cpu, cuda, or dask://ADDRESS of a scheduler.
    seed
        Seed.
    quiet
        Print nothing but errors.
    """
    from hccresist.overcome.engines import find_engine  # noqa: PLC0415
    from hccresist.overcome.simulate import simulate as run  # noqa: PLC0415

    with told_as_usage():
        _check_numbers(n=n, days=days, every=every, missed=missed, trajectories=trajectories, seed=seed)
        drugs = [read_drug(text, missed=missed) for text in (drug or [])]
        kinds = [read_procedure(text) for text in (procedure or [])]
        sets = choose_parameters(parameters)
        cohort = make_cohort(
            drugs,
            procedures=kinds,
            handles=read_handle_sizes(handle or []),
            count=n,
            days=days,
            every=every,
            mixed=not typical,
            mode=mode,
            values=sets.centre,
            error=error,
            trajectories=trajectories,
            seed=seed,
        )
        chosen = find_engine(engine, cohort.job)
    with _show_patients(quiet=quiet) as report:
        done = run(cohort, out, run=chosen, report=report)
    _draw(done)
    if not quiet:
        _print_done(done, cohort, parameters=sets.words)
    return FINE


def _check_numbers(*, n: int, days: float, every: float, missed: float, trajectories: int, seed: int) -> None:
    """Refuse what cannot be simulated; all at once."""
    problems = list[str]()
    if not 1 <= n <= _MOST:
        problems.append(f"--n is {n}; it must be from 1 to {_MOST:,}")
    if not 1 <= days <= 7300:
        problems.append(f"--days is {days:g}; it must be from 1 to 7300")
    if not 1 <= every <= days:
        problems.append(f"--every is {every:g}; it must be from 1 to --days ({days:g})")
    if not 0 <= missed < 1:
        problems.append(f"--missed is {missed:g}; it must be from 0 to below 1")
    if trajectories < 0:
        problems.append(f"--trajectories is {trajectories}; it must be 0 or more")
    if seed < 0:
        problems.append(f"--seed is {seed}; it must be 0 or more")
    if problems:
        raise ConfigError("\n".join(problems))


def read_drug(text: str, *, missed: float = 0.0) -> Given:
    """Read NAME, NAME@DAY or NAME@DAY-DAY.

    Examples
    --------
    >>> read_drug("sorafenib@28").start
    28.0
    """
    from hccresist.overcome.dosing import find_regimen  # noqa: PLC0415
    from hccresist.overcome.plan import Given  # noqa: PLC0415

    name, _, when = text.partition("@")
    regimen = find_regimen(name.strip().lower())
    start, _, until = when.partition("-")
    first = _read_number(start, f"--drug {text}", "NAME@DAY or NAME@DAY-DAY") if start else 0.0
    last = _read_number(until, f"--drug {text}", "NAME@DAY-DAY") if until else float("inf")
    if last <= first:
        message = f"--drug {text}: the last day must come after the first"
        raise ConfigError(message)
    return Given(regimen.regimen, start=first, until=last, missed=missed)


def _read_number(text: str, option: str, form: str) -> float:
    try:
        return float(text)
    except ValueError:
        message = f"{option}: {text!r} is no number of days. Write {form}, for example sorafenib@28"
        raise ConfigError(message) from None


def read_procedure(text: str) -> Procedure:
    """Read KIND@DAY or KIND@DAY:largest.

    Examples
    --------
    >>> read_procedure("tace@7:largest").lesion
    'largest'
    """
    from hccresist.overcome.plan import KINDS, Procedure  # noqa: PLC0415

    kind, _, rest = text.partition("@")
    day, _, lesion = rest.partition(":")
    if kind not in KINDS or not day or (lesion or "all") not in {"all", "largest"}:
        message = f"--procedure {text}: write KIND@DAY or KIND@DAY:largest with {', '.join(KINDS)}, as tace@7"
        raise ConfigError(message)
    return Procedure(kind, _read_number(day, f"--procedure {text}", "KIND@DAY"), lesion or "all")


def read_handle_sizes(texts: Sequence[str]) -> dict[str, float]:
    """Read NAME=SIZE pairs.

    Examples
    --------
    >>> read_handle_sizes(["abc=1", "hif=0"])
    {'abc': 1.0, 'hif': 0.0}
    """
    from hccresist.overcome.population import find_handle_values  # noqa: PLC0415

    found: dict[str, float] = {}
    for text in texts:
        name, equals, size = text.partition("=")
        try:
            found[name.strip()] = float(size) if equals else 1.0
        except ValueError:
            message = f"--handle {text}: write NAME=SIZE, for example abc=1 (typical) or abc=0 (off)"
            raise ConfigError(message) from None
    find_handle_values(found)
    return found


def make_cohort(
    drugs: Sequence[Given],
    *,
    procedures: Sequence[Procedure],
    handles: dict[str, float],
    count: int,
    days: float,
    every: float,
    mixed: bool,
    mode: str,
    values: Mapping[str, float],
    error: bool,
    trajectories: int,
    seed: int,
) -> Cohort:
    """Make the cohort that the options ask for."""
    from hccresist.overcome.engine import Job  # noqa: PLC0415
    from hccresist.overcome.simulate import Cohort  # noqa: PLC0415

    grid = [every * k for k in range(1, int(days / every + 1e-9) + 1)]
    scans = (float("-inf"), 0.0, *grid)
    between = [FINE_DAYS * k for k in range(1, int(days / FINE_DAYS + 1e-9) + 1)] if trajectories else []
    job = Job(
        given=tuple(drugs),
        visits=(float("-inf"), *sorted({0.0, *grid, *between})),
        until=days,
        procedures=tuple(procedures),
        handles=handles,
        mixed=mixed,
        mode=mode,
        values=dict(values),
        seed=seed,
    )
    arm = "+".join(dict.fromkeys(each.regimen.split("_")[0] for each in drugs)) or "no treatment"
    return Cohort(job, count, scans, arm=arm, error=error, trajectories=min(trajectories, count))


@contextmanager
def _show_patients(*, quiet: bool) -> Generator[Report | None]:
    """Show a bar with the rate on standard error, where it is a terminal."""
    from hccresist import screen  # noqa: PLC0415

    console = screen.err()
    if quiet or not console.is_terminal:
        yield None
        return
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = ("patients", BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("patients", total=None, rate="")

        def tell(done: int, total: int) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = f"{done / elapsed:,.0f}/s" if elapsed > 0 and done else ""
            bar.update(task, completed=done, total=total, rate=rate)

        yield tell


def _draw(done: Simulated) -> None:
    """Write the figures beside the trajectories."""
    import polars as pl  # noqa: PLC0415

    from hccresist.overcome.simulate import BESIDE  # noqa: PLC0415
    from hccresist.report.figures.simulated import plot_trajectories  # noqa: PLC0415

    rows = done.folder / BESIDE / "trajectories.parquet"
    if not rows.exists():
        return
    figure = plot_trajectories(pl.read_parquet(rows))
    if figure is not None:
        (done.folder / BESIDE / f"{figure.key}.svg").write_text(figure.svg, encoding="utf-8")


def _print_done(done: Simulated, cohort: Cohort, *, parameters: str) -> None:
    from hccresist import screen  # noqa: PLC0415

    console = screen.out()
    resumed = f" ({done.resumed:,} by the interrupted run)" if done.resumed else ""
    console.print(f"{done.count:,} virtual patients on {cohort.arm}{resumed} in {done.folder}", markup=False)
    if done.unsolved:
        console.print(
            f"  {done.unsolved:,} could not be solved; column simulation of patients says who", markup=False
        )
    if done.full:
        text = f"  {done.full:,} had more new lesions than the model has places for; later ones are left out"
        console.print(text, markup=False)
    console.print(f"  next: hccresist run {done.folder} --out results", markup=False)
    console.print(f"  Simulated; {parameters}.", markup=False)
    console.print("  Research only, no prediction for anybody.", markup=False)
