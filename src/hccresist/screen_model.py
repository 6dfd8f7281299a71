"""What `hccresist model` prints: the size of the model, its parameters, handles and map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hccresist import screen

if TYPE_CHECKING:
    from hccresist.overcome.model.parameters import Handle, Parameter

NARROW: Final = 80
_SPREADS: Final = {
    "fixed": "",
    "lognormal": "lognormal {spread:g}",
    "uniform": "{low:g} to {high:g}",
    "loguniform": "{low:g} to {high:g} (log)",
    "handle": "0 to {high:g}",
}
_COLOURS: Final = {"sourced": "green", "derived": "green", "assumption": "yellow", "handle": "cyan"}


def _console() -> Console:
    """Return a console that is 80 wide where there is no terminal."""
    console = screen.out()
    return console if console.is_terminal else Console(width=NARROW, highlight=False, soft_wrap=False)


def print_model(about: Mapping[str, Any]) -> None:
    """Print the size of the model and the names of its states."""
    console = _console()
    parameters = cast("Mapping[str, int]", about["parameters"])
    counts = ", ".join(f"{count} {status}" for status, count in parameters.items())
    states = cast("Mapping[str, Sequence[Mapping[str, str]]]", about["states"])
    rules = cast("Mapping[str, int]", about["rules"])
    console.print("[bold]The virtual patient[/], a model of HCC under systemic therapy. Research software.")
    for scope, own in states.items():
        table = Table(title=_title(scope, len(own), rules[scope]), title_justify="left", expand=True)
        table.add_column("state", no_wrap=True)
        table.add_column("unit", no_wrap=True)
        table.add_column("meaning", overflow="fold")
        for state in own:
            table.add_row(escape(state["name"]), escape(state["unit"]), escape(state["meaning"]))
        console.print(table)
    console.print(f"parameters {sum(parameters.values())}: {counts}", markup=False)
    console.print(f"drugs {len(about['drugs'])}, with {len(about['drug_effects'])} effects", markup=False)
    console.print(
        f"resistance handles {about['handles']}, in {len(about['families'])} families "
        f"({', '.join(about['families'])}); {about['ncrnas']} non-coding RNAs that move one",
        markup=False,
    )
    console.print("not calibrated to trials", markup=False)
    console.print("[dim]--equations, --parameters, --handles, --map FILE, --export KIND --out FILE[/]")


def _title(scope: str, states: int, rules: int) -> str:
    whose = "each lesion" if scope == "lesion" else "the patient"
    return f"{whose}: {states} states, {rules} rules"


def print_parameters(parameters: Sequence[Parameter], counts: Mapping[str, int]) -> None:
    """Print every parameter with value, spread between patients, status and source."""
    console = _console()
    for one in parameters:
        spread = _SPREADS[one.distribution].format(spread=one.spread, low=one.low, high=one.high)
        between = f", {spread} between patients" if spread else ""
        each = ", each lesion" if one.scope == "lesion" else ""
        colour = _COLOURS[one.status]
        console.print(f"[bold]{one.name}[/] = {one.value:g} {escape(one.unit)}{between}{each}")
        console.print(f"  {one.meaning}", markup=False)
        mechanism = f"{one.mechanism_id} " if one.mechanism_id else ""
        console.print(f"  [{colour}]{one.status}[/]: {escape(mechanism + one.source)}")
    console.print(", ".join(f"{count} {status}" for status, count in counts.items()), markup=False)


def print_handles(handles: Sequence[Handle]) -> None:
    """Print every resistance handle with its equation, drugs, strategy and source."""
    console = _console()
    for handle in handles:
        undone = f"; undone by {handle.reversed_by}" if handle.reversed_by else ""
        console.print(
            f"[bold]{handle.family_id}[/] {handle.mechanism_id} [cyan]{', '.join(handle.parameters)}[/] "
            f"(when on: {handle.typical:g})"
        )
        console.print(f"  {handle.equation}", markup=False)
        console.print(f"  {', '.join(handle.drugs)}{undone}; {handle.source}", markup=False)
