"""What the command line prints: issues, policies, checks and the summary of a run.

Results go to standard output, everything else to standard error. On a terminal there are tables and
a progress line; in a pipe there is one plain line an item.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    import polars as pl

    from hccresist.doctor import Check
    from hccresist.flow import Progress, RunResult
    from hccresist.study.issues import Issue
    from hccresist.study.policies import PolicyInfo
    from hccresist.study.study import Study

Report = Callable[[int, int], None]
"""Told how many steps are done, and of how many."""

NAMES: Final = {"recist11": "RECIST 1.1", "mrecist": "mRECIST", "irecist": "iRECIST"}
_SHOWN: Final = ("OS", "PFS", "iPFS")
MARKS: Final = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "fail": "[red]fail[/]"}

_LEADING: Final = 3
"""Strategies of the cohort that are named on the screen."""

_NOTED: Final = 0.05
"""q below which an association is counted on the screen."""


def out() -> Console:
    """Return the console of standard output."""
    return Console(soft_wrap=not sys.stdout.isatty(), highlight=False)


def err() -> Console:
    """Return the console of standard error."""
    return Console(stderr=True, soft_wrap=not sys.stderr.isatty(), highlight=False)


def print_json(content: object) -> None:
    """Print JSON to standard output, as it is."""
    sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n")


def print_error(text: str) -> None:
    """Print a message of what went wrong to standard error."""
    err().print(f"[bold red]hccresist:[/] {escape(text)}")


def print_issues(issues: Sequence[Issue], console: Console) -> None:
    """Print issues, errors first, grouped by file and kind."""
    errors = sum(issue.count for issue in issues if issue.severity == "error")
    warnings = sum(issue.count for issue in issues if issue.severity == "warning")
    console.print(f"[bold]{_count(errors, 'problem')}, {_count(warnings, 'warning')}[/]")
    ordered = sorted(issues, key=lambda issue: (issue.severity != "error", issue.file or ""))
    show = _print_issue_table if console.is_terminal else _print_issue_lines
    show(ordered, console)


def _print_issue_lines(issues: Iterable[Issue], console: Console) -> None:
    for issue in issues:
        console.print(f"{issue.severity.value} [{issue.code}] {issue.sentence()}", markup=False)


def _print_issue_table(issues: Iterable[Issue], console: Console) -> None:
    from rich.table import Table  # noqa: PLC0415  (only on a terminal)

    table = Table(show_lines=True, expand=True)
    for name, ratio in (("where", 3), ("problem", 5), ("what to do", 4)):
        table.add_column(name, ratio=ratio, overflow="fold")
    for issue in issues:
        colour = "red" if issue.severity == "error" else "yellow"
        problem = f"[{colour}]{issue.severity.value}[/] {escape(issue.problem)}"
        if issue.found is not None:
            problem += f"\nfound {escape(repr(issue.found))}"
        if issue.expected:
            problem += f"\nexpected {escape(issue.expected)}"
        table.add_row(escape(issue.place()), problem, escape(issue.hint))
    console.print(table)


def print_study(study: Study) -> None:
    """Print what a study holds."""
    config = study.config
    note = " (simulated)" if config.simulated else ""
    title = f": {config.title}" if config.title else ""
    console = out()
    console.print(f"[bold]{escape(config.name)}[/]{escape(title)}{note}")
    for name, frame in study.tables.items():
        people = frame["patient_id"].n_unique() if "patient_id" in frame.columns else 0
        console.print(f"  {name:<13} {_count(frame.height, 'row'):>14}   {_count(people, 'patient')}")


def print_policies(policies: Iterable[PolicyInfo]) -> None:
    """Print each policy with its default, meaning, values and source."""
    console = out()
    for info in policies:
        allowed = f"  one of: {', '.join(info.allowed)}\n" if info.allowed else ""
        default = json.dumps(info.default, ensure_ascii=False)
        text = f"{escape(info.name)}[/] = {escape(default)}\n  {escape(info.meaning)}\n"
        console.print(f"[bold]{text}{escape(allowed)}  [dim]{escape(info.source)}[/]")


def print_checks(checks: Iterable[Check]) -> None:
    """Print what `doctor` found."""
    console = out()
    for check in checks:
        hint = f"\n      {escape(check.hint)}" if check.hint else ""
        console.print(f"{MARKS[check.status]:<4} {escape(check.name)}: {escape(check.detail)}{hint}")


def print_result(result: RunResult) -> None:
    """Print in short what a run found, what it skipped, and where the results are."""
    console = out()
    print_warnings(cast("Sequence[Mapping[str, Any]]", result.manifest["warnings"]))
    order = [
        str(entry["name"]) for entry in cast("Sequence[Mapping[str, object]]", result.manifest["criteria"])
    ]
    if "rates" in result.tables:
        _print_rates(result.tables["rates"], order, console)
    if "survival_summary" in result.tables:
        _print_medians(result.tables["survival_summary"], order, console)
    _print_mechanisms(result.tables, console)
    _print_strategies(result.tables, console)
    _print_twins(result.tables, console)
    for reason, names in _by_reason(cast("Mapping[str, str]", result.manifest["skipped"])).items():
        console.print(f"[yellow]skipped[/] {escape(', '.join(names))}: {escape(reason)}")
    for stage in result.failed:
        console.print(f"[red]failed[/] {escape(stage.name)}: {escape(stage.reason)} (see run.log.json)")
    files = {str(entry["file"]) for entry in cast("Sequence[Mapping[str, object]]", result.manifest["files"])}
    tables = len({name.rpartition(".")[0] for name in files if not name.endswith(".html")})
    console.print(f"{_count(tables, 'table')} in {escape(str(result.out))}")
    if "report.html" in files:
        console.print(f"report: [bold]{escape(str(result.out / 'report.html'))}[/]")


def _by_reason(skipped: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, reason in skipped.items():
        found.setdefault(reason, []).append(name)
    return found


def _print_mechanisms(tables: Mapping[str, pl.DataFrame], console: Console) -> None:
    """Print how much of *explain* there is to look at; the findings stand in the report."""
    if "coverage" in tables:
        scored, sets = tables["coverage"].filter("scored").height, tables["coverage"].height
        tumours = tables["sample_report"].filter("used").height if "sample_report" in tables else 0
        console.print(
            f"[bold]mechanisms[/]   {_count(tumours, 'tumour')}, {scored} of {sets} gene sets scored"
        )
    if "alteration_calls" in tables:
        calls = tables["alteration_calls"].filter(call="altered")
        genes = _count(calls["gene"].n_unique(), "gene")
        console.print(f"[bold]alterations[/]  {_count(calls.height, 'call')} in {genes}")
    if "associations" in tables and tables["associations"].height:
        rows = tables["associations"]
        low = sum(q < _NOTED for q in rows["q"].drop_nulls().to_list())
        told = f"{low} of {_count(rows.height, 'row')} with q below {_NOTED}, before any caveat"
        console.print(f"[bold]associations[/] {told}")


def _print_strategies(tables: Mapping[str, pl.DataFrame], console: Console) -> None:
    """Print how many strategies there are, and which lead in the cohort; the reasons stand in the report."""
    if "strategies" not in tables:
        return
    rows = [row for row in tables["strategies"].to_dicts() if row["rank"]]
    listed = {row["strategy_id"] for row in rows}
    console.print(
        f"[bold]strategies[/]   {len(listed)} of the evidence base listed; research only, no advice on care"
    )
    cohort = [row for row in rows if row["patient_id"] is None and row["addresses"] == "found"]
    lines = [
        (row["strategy"], f"on in {row['patients_found']} of {row['patients_looked']}") for row in cohort
    ]
    if lines:
        _print_columns(lines[:_LEADING], console)


def _print_twins(tables: Mapping[str, pl.DataFrame], console: Console) -> None:
    """Print of how many patients there is a twin; what it says stands in the report, with its width."""
    if "outlook_fit" in tables:
        fit = tables["outlook_fit"]
        made = int(fit["effective"].is_not_null().sum())
        told = f"{made} of {_count(fit.height, 'patient')} have one; research only, no prediction for anybody"
        console.print(f"[bold]twins[/]        {told}")


def print_warnings(warnings: Sequence[Mapping[str, Any]]) -> None:
    """Tell on standard error that the input has warnings."""
    if warnings:
        err().print(
            f"[yellow]{_count(len(warnings), 'warning')} about the input[/]; 'hccresist check' lists them"
        )


def _print_rates(rates: pl.DataFrame, order: Sequence[str], console: Console) -> None:
    console.print("[bold]objective response[/] (exact 95 % interval), and confirmed")
    rows = _pick(rates.filter(measure="ORR").to_dicts(), order)
    confirmed = {_key(row): row for row in rows if row["confirmed"]}
    lines = [
        (_name(row), str(row["group"]), _rate(row), _rate(confirmed[_key(row)]))
        for row in rows
        if not row["confirmed"]
    ]
    _print_columns(lines, console)


def _rate(row: Mapping[str, Any]) -> str:
    if row["percent"] is None:
        return f"{row['events']}/{row['n']}"
    return f"{row['events']}/{row['n']}  {row['percent']:.1f} % ({row['low']:.1f} to {row['high']:.1f})"


def _print_medians(summary: pl.DataFrame, order: Sequence[str], console: Console) -> None:
    medians = [row for row in summary.filter(statistic="median").to_dicts() if row["endpoint"] in _SHOWN]
    if medians:
        console.print("[bold]median in days[/] (95 % interval), events/patients")
    rows = sorted(_pick(medians, order), key=lambda row: _SHOWN.index(row["endpoint"]))
    _print_columns([_median(row) for row in rows], console)


def _median(row: Mapping[str, Any]) -> tuple[str, ...]:
    value = (row["note"] or "-").partition(":")[0] if row["value"] is None else f"{row['value']:.0f}"
    low, high = (("?" if row[key] is None else f"{row[key]:.0f}") for key in ("low", "high"))
    spread = "" if (low, high) == ("?", "?") else f" ({low} to {high})"
    name = f"{row['endpoint']} {_name(row)}".strip()
    return name, str(row["group"]), f"{row['events']}/{row['n']}", f"{value}{spread}"


def _print_columns(lines: Sequence[Sequence[str]], console: Console) -> None:
    """Print words in columns, each as wide as its longest word."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        text = "   ".join(word.ljust(width) for word, width in zip(line, widths, strict=True))
        console.print(f"  {text}".rstrip(), markup=False)


def _pick(rows: Sequence[Mapping[str, Any]], order: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return the rows in order; of several readers only those of all patients."""
    several = len({row["reader"] for row in rows if row["reader"]}) > 1
    kept = [row for row in rows if row["group"] == "all" or not several]
    return sorted(kept, key=lambda row: _sort_key(row, order))


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["criterion"], row["reader"], row["group"]


def _sort_key(row: Mapping[str, Any], order: Sequence[str]) -> tuple[object, ...]:
    """Criteria in the order of the study; all patients before the arms."""
    place = order.index(row["criterion"]) if row["criterion"] in order else len(order)
    return place, row["reader"], row["group"] != "all", row["group"]


def _name(row: Mapping[str, Any]) -> str:
    criterion = NAMES.get(row["criterion"], row["criterion"])
    return f"{criterion}, {row['reader']}" if row["reader"] else str(criterion)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@contextmanager
def show_progress(*, quiet: bool) -> Generator[tuple[Progress | None, Report | None]]:
    """Show on standard error, where it is a terminal, which stage is at work; of the twins a bar.

    Yields
    ------
    tuple
        What to tell of a stage and its patients, and what to tell of the steps of the twins.
    """
    console = err()
    if quiet or not console.is_terminal:
        yield None, None
        return
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False))
    with Bar(*columns, BarColumn(), TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("read", total=None)

        def tell(stage: str, patients: int) -> None:
            words = f"{stage}: {_count(patients, 'patient')} done" if patients else stage
            bar.update(task, description=words, total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, description="twin", completed=done, total=total)

        yield tell, report
