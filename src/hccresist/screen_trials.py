"""What `hccresist trials` prints: numbers by trial and arm, each with its limits and source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hccresist import screen

if TYPE_CHECKING:
    import polars as pl

NARROW: Final = 80
_UNITS: Final = {"percent": " %", "months": " mo", "ratio": ""}
_MADE: Final = {"published": "", "binomial": "*", "n": "*", "events": "*", None: ""}


def _console() -> Console:
    """Return a console that is 80 wide where there is no terminal."""
    console = screen.out()
    return console if console.is_terminal else Console(width=NARROW, highlight=False, soft_wrap=False)


def print_arms(arms: pl.DataFrame) -> None:
    """Print the trials with their arms, and how many numbers each has."""
    console = _console()
    table = Table(expand=True, padding=(0, 1), show_lines=False)
    table.add_column("trial", ratio=4, overflow="fold")
    table.add_column("drugs", ratio=5, overflow="fold")
    table.add_column("line", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("numbers", justify="right", no_wrap=True)
    last = ""
    for row in arms.iter_rows(named=True):
        name = "" if row["trial"] == last else row["trial"]
        last = row["trial"]
        numbers = "held out" if row["heldout"] else f"{row['numbers']}"
        table.add_row(
            escape(name),
            escape(row["drugs"]),
            row["line_class"],
            _show(row["n"]),
            f"[dim]{numbers}[/]" if row["heldout"] else numbers,
        )
    console.print(table)
    console.print(
        f"{arms['trial'].n_unique()} trials, {arms.height} arms, {arms['numbers'].sum()} numbers, of which "
        f"{arms['verified'].sum()} were read in retrieved text. Held out: no numbers here on purpose.",
        markup=False,
    )
    console.print("[dim]--trial NAME, --drug NAME, --endpoint ORR, --line 1L[/]")


def print_trials(rows: pl.DataFrame, held_out: pl.DataFrame) -> None:
    """Print the numbers that were asked for by trial, then the sources, then what has none here."""
    console = _console()
    if not rows.height:
        console.print("Nothing in the table; that is no evidence of absence.")
    for (trial,), group in rows.group_by("trial", maintain_order=True):
        console.print(_make_table(str(trial), group))
    for row in held_out.iter_rows(named=True):
        console.print(
            f"{row['trial']}, {row['arm']}: held out; no numbers here on purpose", markup=False, style="dim"
        )
    if rows.height:
        _print_sources(rows, console)
        console.print(
            "[dim]* limits made from the number of patients, not published. Unverified: from memory, to be "
            "checked. Numbers of different trials are no comparison of treatments: patients, scans and years "
            "differ.[/]"
        )


def _make_table(trial: str, group: pl.DataFrame) -> Table:
    numbers = sorted(set(group["nct"].drop_nulls()))
    title = ", ".join([trial, *numbers, *sorted(set(group["line"]))])
    table = Table(title=escape(title), title_justify="left", title_style="bold", expand=True, padding=(0, 1))
    table.add_column("arm", ratio=4, overflow="fold")
    table.add_column("endpoint", no_wrap=True)
    table.add_column("value (limits)", ratio=4, overflow="fold")
    table.add_column("by", ratio=3, overflow="fold")
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("source", min_width=10, overflow="fold")
    last = ""
    for row in group.iter_rows(named=True):
        arm = "" if row["arm_id"] == last else row["arm"]
        last = row["arm_id"]
        table.add_row(
            escape(arm),
            row["endpoint"],
            _tell_value(row),
            escape(_tell_by(row)),
            _show(row["n"]),
            escape(row["source_key"]) if row["verified"] else "[yellow]unverified[/]",
        )
    return table


def _show(number: int | None) -> str:
    return "-" if number is None else f"{number}"


def _tell_value(row: Mapping[str, Any]) -> str:
    value = "not reached" if row["not_reached"] else f"{row['value']:g}{_UNITS[row['unit']]}"
    if row["low"] is None and row["high"] is None:
        return value
    high = "open" if row["high"] is None else f"{row['high']:.3g}"
    low = "open" if row["low"] is None else f"{row['low']:.3g}"
    level = "" if row["ci_level"] == 95 else f", {row['ci_level']:g} %"
    return f"{value} ({low} to {high}{level}){_MADE[row['limits']]}"


def _tell_by(row: Mapping[str, Any]) -> str:
    against = f"vs {row['comparator_arm'].rpartition('_')[2]}" if row["comparator_arm"] else ""
    parts = (row["criterion"], row["assessor"], row["analysis"], row["data_cut"], against)
    return ", ".join(part for part in parts if part) or "-"


def _print_sources(rows: pl.DataFrame, console: Console) -> None:
    """Print the addresses of the texts that were read."""
    console.print("[bold]sources[/]")
    listed = (
        rows.filter("verified").select("source_key", "source_url").unique().sort("source_key", "source_url")
    )
    for key, url in listed.iter_rows():
        console.print(escape(f"{key}: {url}"), style="dim")
