"""What `hccresist evidence` prints: claims for and against, mechanisms, problems, tags of a text.

Claims come with those first that most sources support. A mark says where there is a contradiction:
``!`` sources that count stand on both sides, ``?`` one side rests on findings that do not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hccresist import screen

if TYPE_CHECKING:
    import polars as pl

    from hccresist.explain.knowledge import EvidenceBase
    from hccresist.explain.query import Answer
    from hccresist.explain.tagger import Tags
    from hccresist.study.issues import Issue

NARROW: Final = 80
SHOWN_MECHANISMS: Final = 5
"""Mechanisms of a text that are printed."""
_MARKS: Final = {"yes": "[bold red]![/]", "unverified": "[yellow]?[/]", "no": ""}
_SCOPES: Final = {
    "claim": "by its own sources",
    "drug": "with this or an overlapping drug",
    "entity": "with another drug",
    "prognosis": "by a prognosis",
}
_MATCHES: Final = {
    "exact": "this drug",
    "combination": "in a combination",
    "member": "a drug of the class",
    "class": "a class that covers it (not counted above)",
    None: "",
}
_LEVELS: Final = {
    "clinical_trial": "trial",
    "patient_cohort": "cohort",
    "case_report": "case",
    "in_vivo": "in vivo",
    "in_vitro": "in vitro",
    "in_silico": "in silico",
    None: "-",
}


def _console() -> Console:
    """Return a console that is never wider than it must be where there is no terminal."""
    console = screen.out()
    return console if console.is_terminal else Console(width=NARROW, highlight=False, soft_wrap=False)


def print_answer(answer: Answer) -> None:
    """Print an answer: how it was understood, counts, claims, contradictions, strategies."""
    console = _console()
    counts = cast("Mapping[str, Any]", answer.counts)
    for line in _tell_query(answer.query):
        console.print(line, markup=False)
    console.print(_tell_counts(counts))
    if not answer.findings.height:
        console.print("Nothing in the base; that is no evidence of absence.")
        return
    for match, name in _MATCHES.items():
        _print_claims(answer.claims.filter(_is_match(answer, match)), name, console)
    _print_contradictions(answer, console)
    _print_strategies(answer.strategies, console)
    console.print(
        "[dim]for and against: independent sources that count (verified, not retracted); "
        "(+n): further ones that do not. Level of CIViC derived by us. --json has the findings.[/]"
    )


def _is_match(answer: Answer, match: str | None) -> pl.Series:
    return answer.claims["match"].eq_missing(match) if match else answer.claims["match"].is_null()


def _tell_query(query: Mapping[str, object]) -> list[str]:
    lines: list[str] = []
    for kind, entries in query.items():
        if isinstance(entries, dict):
            tags = cast("Mapping[str, Any]", entries)
            read = [*tags["mechanisms"], *tags["genes"], *tags["drugs"]]
            lines.append(f"{kind}: read {', '.join(read)}")
            continue
        for entry in cast("Sequence[Mapping[str, Any]]", entries):
            names = (" + " if kind == "drug" else ", ").join(entry["resolved"])
            given = "" if entry["given"] == names else f" (asked: {entry['given']}, {entry['how']})"
            lines.append(f"{kind}: {names}{given}")
    return lines


def _tell_counts(counts: Mapping[str, Any]) -> str:
    states = [f"{counts[name]} {name.replace('_', ' ')}" for name in ("verified", "unverified", "title_only")]
    retracted = f", [red]{counts['retracted']} retracted and refused[/]" if counts["retracted"] else ""
    contested = f"[bold]{counts['contested']} contested[/]" if counts["contested"] else "none contested"
    if counts["contested_unverified"]:
        contested += f", {counts['contested_unverified']} by unverified findings"
    return (
        f"[bold]{_plural(counts['for'], 'source')} for, {counts['against']} against[/]; "
        f"{_plural(counts['findings'], 'finding')} ({', '.join(states)}{retracted}) "
        f"of {_plural(counts['sources'], 'source')}, of which {counts['counted_sources']} count; "
        f"{_plural(counts['claims'], 'claim')}, {contested}"
    )


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _print_claims(claims: pl.DataFrame, title: str, console: Console) -> None:
    if not claims.height:
        return
    table = Table(title=title or None, title_justify="left", show_lines=False, expand=True, padding=(0, 1))
    table.add_column("claim", ratio=10, overflow="fold")
    table.add_column("for", justify="right", min_width=5, no_wrap=True)
    table.add_column("against", justify="right", min_width=7, no_wrap=True)
    table.add_column("", min_width=1, no_wrap=True)
    table.add_column("level", min_width=9, no_wrap=True)
    table.add_column("sources", ratio=5, overflow="fold")
    rows = sorted(claims.to_dicts(), key=_order)
    for row in rows:
        table.add_row(
            _tell_claim(row),
            _tell_side(row["for_sources"], row["uncounted_for"]),
            _tell_side(row["against_sources"], row["uncounted_against"]),
            _MARKS[row["contested"]],
            _tell_level(row),
            escape(_tell_sources(row)),
        )
    console.print(table)


def _tell_claim(row: Mapping[str, Any]) -> str:
    undone = f"\n[green]undone by {escape('; '.join(row['reversed_by']))}[/]" if row["reversed_by"] else ""
    return f"{escape(row['statement'])} [dim]{row['mechanism_id']}[/]{undone}"


def _order(row: Mapping[str, Any]) -> tuple[object, ...]:
    total = row["for_sources"] + row["against_sources"]
    return -total, -(row["uncounted_for"] + row["uncounted_against"]), row["statement"], row["mechanism_id"]


def _tell_side(counted: int, more: int) -> str:
    return f"{counted} (+{more})" if more else f"{counted}"


def _tell_level(row: Mapping[str, Any]) -> str:
    level = _LEVELS[row["best_level"]]
    return f"{row['civic_level']} {level}" if row["civic_level"] else level


def _tell_sources(row: Mapping[str, Any]) -> str:
    names = [name.removeprefix("PMID:") for name in row["sources"]]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    retracted = " (a retracted one refused)" if row["retracted_sources"] else ""
    return ", ".join(names[:3]) + more + retracted


def _print_contradictions(answer: Answer, console: Console) -> None:
    rows = [row for row in answer.claims.to_dicts() if row["contested"] != "no"]
    if not rows:
        return
    console.print("[bold]contradictions[/]")
    for row in sorted(rows, key=lambda row: (row["contested"] != "yes", _order(row))):
        records = row["against_records"] if row["scope"] == "claim" else row["contested_by"]
        where = _SCOPES[row["scope"]]
        mark = _MARKS[row["contested"]]
        console.print(f"{mark} {escape(row['statement'])}: {where} ({', '.join(records)})")


def _print_strategies(strategies: pl.DataFrame, console: Console) -> None:
    if not strategies.height:
        return
    console.print("[bold]strategies[/]")
    for row in strategies.iter_rows(named=True):
        trial = f" {row['trial_id']}" if row["trial_id"] else ""
        open_row = "" if row["verified"] else " [yellow](unverified)[/]"
        text = f"{row['strategy']}, {row['highest_stage']}{trial}: {row['outcome_class']}. {row['result']}"
        console.print(f"- {escape(text)}{open_row} [dim]{escape(row['source_id'])}[/]")


def print_mechanisms(base: EvidenceBase) -> None:
    """Print the mechanisms with their findings, and how many of them are verified."""
    console = _console()
    marks = base.marks.join(base.findings.select("record_id", "mechanism_id"), on="record_id")
    for (family,), group in base.mechanisms.group_by("family", maintain_order=True):
        console.print(f"[bold]{escape(str(family))}[/] ({group['family_id'][0]})")
        for row in group.iter_rows(named=True):
            own = marks.filter(mechanism_id=row["mechanism_id"])
            counted = int(own["counted"].sum())
            line = f"  {row['mechanism_id']:<13}{own.height:>4} ({counted:>3})  {row['name']}"
            console.print(line, markup=False)
    console.print("[dim]findings (verified and not retracted)[/]")


def print_check(issues: Sequence[Issue], counts: Mapping[str, int]) -> None:
    """Print every problem of the base, and its size."""
    if issues:
        screen.print_issues(issues, screen.out())
    sizes = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
    screen.out().print(sizes, markup=False)


def print_tags(tags: Tags, base: EvidenceBase) -> None:
    """Print mechanisms, genes, drugs and effect of a text, each with its words."""
    console = _console()
    names = dict(base.mechanisms.select("mechanism_id", "name").iter_rows())
    for mechanism in tags.mechanisms[:SHOWN_MECHANISMS]:
        words, weight = _tell_words(tags, "mechanism", mechanism)
        console.print(
            f"mechanism  [bold]{mechanism}[/] {escape(str(names.get(mechanism, '')))} ({weight:g}): {words}"
        )
    if len(tags.mechanisms) > SHOWN_MECHANISMS:
        console.print(f"           [dim]and {len(tags.mechanisms) - SHOWN_MECHANISMS} weaker ones[/]")
    for kind, found in (("gene", tags.genes), ("drug", tags.drugs)):
        for name in found:
            console.print(f"{kind:<10} [bold]{escape(name)}[/]: {_tell_words(tags, kind, name)[0]}")
    if tags.effect is None:
        console.print("effect     none read")
        return
    words, weight = _tell_words(tags, "effect", tags.effect)
    console.print(f"effect     [bold]{tags.effect}[/] ({weight:g}): {words}")


def _tell_words(tags: Tags, kind: str, name: str) -> tuple[str, float]:
    """Return the words that stand for a tag, each once with its number, and the sum of their weights."""
    own = [match for match in tags.matches if match.kind == kind and match.stands_for == name]
    counts: dict[str, int] = {}
    for match in own:
        counts[match.term] = counts.get(match.term, 0) + 1
    words = [word if count == 1 else f"{word} ×{count}" for word, count in counts.items()]
    return escape(", ".join(" ".join(word.split()) for word in words)), sum(match.weight for match in own)
