"""What `hccresist trial` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hccresist import screen

if TYPE_CHECKING:
    from hccresist.overcome.trial import TrialRun
    from hccresist.overcome.trial_design import Power
    from hccresist.overcome.trial_spec import Spec

NARROW: Final = 80
ENOUGH: Final = 19
"""Replicates that 90 % limits need."""
SHOWN: Final = ("ORR", "DCR", "mPFS", "mTTP", "mDoR", "mOS", "OS_12mo", "HR_PFS", "HR_OS")
_UNITS: Final = {"percent": " %", "months": " mo", "ratio": ""}


def _console() -> Console:
    """Return a console that is 80 wide where there is no terminal."""
    console = screen.out()
    return console if console.is_terminal else Console(width=NARROW, highlight=False, soft_wrap=False)


def print_trial(spec: Spec, done: TrialRun, *, parameters: str = "") -> None:
    """Print the main endpoints of each arm, what was left out, and what the numbers are not."""
    console = _console()
    table = Table(expand=True, padding=(0, 1))
    table.add_column("arm", ratio=3, overflow="fold")
    table.add_column("endpoint", no_wrap=True)
    table.add_column("criterion", no_wrap=True)
    table.add_column("median (90 % of replicates)", justify="right", no_wrap=True)
    rows = done.endpoints.filter(pl.col("endpoint").is_in(list(SHOWN)))
    last = ""
    for row in rows.iter_rows(named=True):
        name, last = ("" if row["arm_id"] == last else row["arm_id"]), row["arm_id"]
        value = f"{row['value']}{_UNITS[row['unit']]} ({row['low']} to {row['high']})"
        table.add_row(escape(name), row["endpoint"], row["criterion"] or "", value)
    console.print(table)
    counts = done.counts
    console.print(
        f"{spec.name}: {spec.replicates:,} replicates, {counts['enrolled']:,} virtual patients of "
        f"{counts['screened']:,} screened, in {done.folder}",
        markup=False,
    )
    if spec.replicates < ENOUGH:
        console.print(
            f"  fewer than {ENOUGH} replicates: limits are the smallest and the largest, not 90 %",
            markup=False,
        )
    if counts["unsolved"]:
        console.print(f"  {counts['unsolved']:,} could not be solved and are left out", markup=False)
    if counts["full"]:
        console.print(f"  {counts['full']:,} had more new lesions than there are places for", markup=False)
    _print_statement(console, spec, parameters)


def _print_statement(console: Console, spec: Spec, parameters: str) -> None:
    from hccresist.overcome.trial_spec import STATEMENT  # noqa: PLC0415

    if spec.note:
        console.print(f"  {spec.note}", markup=False)
    if parameters:
        console.print(f"  {parameters[0].upper()}{parameters[1:]}.", markup=False)
    console.print(f"  {STATEMENT}", markup=False)


def print_power(spec: Spec, found: Power, *, alpha: float, endpoint: str, parameters: str = "") -> None:
    """Print the power of a planned trial."""
    console = _console()
    console.print(
        f"{spec.name}: {100 * found.share:.1f} % of {found.replicates:,} virtual trials with {found.n:,} "
        f"patients have p < {alpha:g} for {endpoint} (95 % limits {100 * found.low:.1f} to "
        f"{100 * found.high:.1f} %); {100 * found.favourable:.1f} % with a hazard ratio below 1",
        markup=False,
    )
    _print_statement(console, spec, parameters)


def print_shipped(specs: Sequence[Spec]) -> None:
    """Print the trials that are shipped."""
    from hccresist.overcome.trial_spec import STATEMENT  # noqa: PLC0415

    console = _console()
    table = Table(expand=True, padding=(0, 1))
    table.add_column("trial", ratio=3, overflow="fold")
    table.add_column("line", ratio=2, overflow="fold")
    table.add_column("arms (patients)", ratio=5, overflow="fold")
    for spec in specs:
        arms = "; ".join(f"{arm.name} ({arm.n})" for arm in spec.arms)
        table.add_row(escape(spec.name), escape(spec.line), escape(arms))
    console.print(table)
    console.print(f"{len(specs)} trials; hccresist trial NAME --out DIR", markup=False)
    console.print(f"  {STATEMENT}", markup=False)
