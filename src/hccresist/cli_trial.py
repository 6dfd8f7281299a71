"""Command ``trial``: a virtual trial, from a TOML file or by the name of a published trial."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter

from hccresist.cli_run import Flag, Json, Quiet, told_as_usage
from hccresist.errors import ConfigError
from hccresist.failures import FINE
from hccresist.parameter_sets import CALIBRATED, ParameterSets, choose_parameters

if TYPE_CHECKING:
    from hccresist.overcome.trial import Report
    from hccresist.overcome.trial_spec import Spec

Given = Annotated[str | None, Parameter(name="spec", show_default=False)]
NewFolder = Annotated[Path | None, Parameter(show_default=False)]
Number = Annotated[int | None, Parameter(show_default=False)]
Level = Annotated[float | None, Parameter(show_default=False)]
MOST_REPLICATES: Final = 100_000
MOST_SEED: Final = 2**32 - 1


def trial(
    spec: Given = None,
    /,
    *,
    out: NewFolder = None,
    replicates: Number = None,
    n: Number = None,
    engine: str = "cpu",
    seed: Number = None,
    keep: int = 1,
    power: Level = None,
    endpoint: str = "OS",
    parameters: Literal["calibrated", "table"] | None = None,
    list_: Annotated[bool, Parameter(name="--list", negative="", show_default=False)] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Run a virtual trial: simulated patients on its arms, read and assessed as in a clinic.

    Writes trial_endpoints.csv (median and 90 % prediction interval over replicates, named and coded as
    published endpoints), replicates.csv, trial.json, and the folder study of the first replicate. Research
    only: nothing is a prediction; what is printed and written says whether the parameters are calibrated. An
    interrupted run goes on when the same command is given again.

    Parameters
    ----------
    spec
        TOML file, or the name of a published trial; see --list.
    out
        New folder.
    replicates
        How often the trial is run; that of the file if not given (200).
    n
        Patients of all arms together, shared out as in the file.
    engine
        cpu, cuda, or dask://ADDRESS of a scheduler.
    seed
        Seed; that of the file if not given.
    keep
        Replicates whose study folder is written.
    power
        Print the share of replicates whose log-rank test has p below this level instead of writing a folder.
    endpoint
        OS, PFS or TTP for --power.
    parameters
        calibrated: each replicate takes a set of the ensemble fitted to published trials, and the intervals
        hold the uncertainty of parameters too. table: values of the table, sampling alone. Calibrated where
        an ensemble is shipped if not given.
    list_
        List the trials that are shipped.
    json
        Print the endpoints, the list or the power as JSON.
    quiet
        Print nothing but errors.
    """
    from hccresist.overcome.trial_file import find_spec  # noqa: PLC0415

    if list_:
        return _list(json=json)
    with told_as_usage():
        _check(spec, out=out, replicates=replicates, n=n, seed=seed, keep=keep, power=power)
        found = _change(find_spec(spec or ""), replicates=replicates, n=n, seed=seed)
        sets = choose_parameters(parameters)
    if power is not None:
        return _tell_power(found, sets, alpha=power, endpoint=endpoint, engine=engine, json=json)
    return _run(found, sets, out or Path(), engine=engine, keep=keep, json=json, quiet=quiet)


def _check(
    spec: str | None,
    *,
    out: Path | None,
    replicates: int | None,
    n: int | None,
    seed: int | None,
    keep: int,
    power: float | None,
) -> None:
    """Refuse what cannot be run; all at once."""
    problems = list[str]()
    if not spec:
        problems.append("Give a TOML file or the name of a trial; --list shows those that are shipped")
    if out is None and power is None:
        problems.append("Give a new folder with --out")
    if replicates is not None and not 1 <= replicates <= MOST_REPLICATES:
        problems.append(f"--replicates is {replicates}; it must be from 1 to {MOST_REPLICATES:,}")
    if n is not None and not 2 <= n <= MOST_REPLICATES:
        problems.append(f"--n is {n}; it must be from 2 to {MOST_REPLICATES:,}")
    if seed is not None and not 0 <= seed <= MOST_SEED:
        problems.append(f"--seed is {seed}; it must be from 0 to {MOST_SEED:,}")
    if keep < 0:
        problems.append(f"--keep is {keep}; it must be 0 or more")
    if power is not None and not 0 < power < 1:
        problems.append(f"--power is {power:g}; it must lie between 0 and 1, for example 0.05")
    if problems:
        raise ConfigError("\n".join(problems))


def _change(spec: Spec, *, replicates: int | None, n: int | None, seed: int | None) -> Spec:
    """Set what the command line says otherwise."""
    from hccresist.overcome.trial_file import share_out  # noqa: PLC0415

    if n is not None:
        sizes = share_out(n, [arm.n for arm in spec.arms])
        if min(sizes) < 1:
            message = f"--n {n}: too few patients for the {len(spec.arms)} arms of {spec.name}"
            raise ConfigError(message)
        arms = tuple(replace(arm, n=size) for arm, size in zip(spec.arms, sizes, strict=True))
        spec = replace(spec, arms=arms)
    return replace(
        spec,
        replicates=spec.replicates if replicates is None else replicates,
        seed=spec.seed if seed is None else seed,
    )


def _run(
    spec: Spec, sets: ParameterSets, out: Path, *, engine: str, keep: int, json: bool, quiet: bool
) -> int:
    from hccresist import screen  # noqa: PLC0415
    from hccresist.overcome.trial import run_trial  # noqa: PLC0415
    from hccresist.screen_trial import print_trial  # noqa: PLC0415

    with _show_replicates(quiet=quiet) as report:
        done = run_trial(
            spec,
            out,
            values=sets.members,
            origin=(sets.name == CALIBRATED, sets.words),
            keep=keep,
            engine=engine,
            report=report,
        )
    if json:
        screen.print_json(done.endpoints.to_dicts())
    elif not quiet:
        print_trial(spec, done, parameters=sets.words)
    return FINE


def _tell_power(
    spec: Spec, sets: ParameterSets, *, alpha: float, endpoint: str, engine: str, json: bool
) -> int:
    from dataclasses import asdict  # noqa: PLC0415

    from hccresist import screen  # noqa: PLC0415
    from hccresist.overcome.trial_design import find_power  # noqa: PLC0415
    from hccresist.overcome.trial_spec import STATEMENT  # noqa: PLC0415
    from hccresist.screen_trial import print_power  # noqa: PLC0415

    found = find_power(spec, endpoint=endpoint.upper(), alpha=alpha, values=sets.members, engine=engine)
    if json:
        screen.print_json({**asdict(found), "parameters": sets.words, "statement": STATEMENT})
    else:
        print_power(spec, found, alpha=alpha, endpoint=endpoint.upper(), parameters=sets.words)
    return FINE


def _list(*, json: bool) -> int:
    from hccresist import screen  # noqa: PLC0415
    from hccresist.overcome.trial_file import list_shipped, parse_spec  # noqa: PLC0415
    from hccresist.screen_trial import print_shipped  # noqa: PLC0415

    found = [parse_spec(text, file=name) for name, text in list_shipped().items()]
    if json:
        rows = [
            {
                "name": each.name,
                "line": each.line,
                "arms": {arm.arm_id: arm.n for arm in each.arms},
                "note": each.note,
            }
            for each in found
        ]
        screen.print_json(rows)
    else:
        print_shipped(found)
    return FINE


@contextmanager
def _show_replicates(*, quiet: Flag) -> Generator[Report | None]:
    """Show a bar on standard error, where it is a terminal."""
    from hccresist import screen  # noqa: PLC0415

    console = screen.err()
    if quiet or not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    with Progress(
        "replicates",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task("replicates", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
