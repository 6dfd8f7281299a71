"""What goes with the outcome: confounders first, then estimates by outcome and test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
from markupsafe import Markup

from hccresist.report import words
from hccresist.report.facts import Facts, label_group
from hccresist.report.figures.associations import format_effect, plot_forest, plot_volcano
from hccresist.report.figures.figure import Figure
from hccresist.report.mechanism_names import LOW_COVERAGE, explain_mark, find_accepted
from hccresist.report.render import Table, render, widen
from hccresist.report.sections.resistance import explain_absence

MOST_ROWS: Final = 60
"""Rows of a table of one outcome and test; the result table holds all."""
MOST_NAMED: Final = 8
"""Features named of those that were refused or not estimable for one reason."""

TESTS: Final = {
    "rank": "Rank test",
    "exact": "Exact test of what is there or not",
    "logistic_adjusted": "Logistic regression with covariates",
    "cox": "Cox regression",
    "cox_adjusted": "Cox regression with covariates",
    "cox_landmark": "Cox regression from a landmark",
    "cox_time_dependent": "Time-dependent Cox regression",
    "interaction": "Interaction with the arm",
}
_OUTCOMES: Final = {"primary_resistance": "Primary resistance", "acquired_resistance": "Acquired resistance"}
_ORDER: Final = ("response", "primary_resistance", "PFS", "iPFS", "acquired_resistance", "OS")
_UNDRAWN: Final = (
    "No feature has enough patients or events for a p: the estimates stand in the table, unranked."
)
_CONFOUNDERS: Final = {"pc1": "PC1 of expression", "purity": "Purity", "batch": "Batch"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One test of one outcome."""

    title: str
    figures: tuple[Figure, ...]
    table: Table | None
    rows: int
    undrawn: str


def build(facts: Facts) -> Markup:
    """Return the audit of confounders, estimates by outcome, and what was refused."""
    frame = facts.table("associations")
    absent = explain_absence(facts, "associations") if frame is None else ""
    confounders = _confounders(facts)
    return render(
        "associations",
        absent=absent,
        uncontrolled=_uncontrolled(frame),
        confounders=confounders,
        unaudited="" if confounders or frame is None else _why_unaudited(facts),
        outcomes=() if frame is None else tuple(_outcomes(facts, frame)),
        refused=None if frame is None else _refused(frame),
    )


def label_outcome(outcome: str) -> str:
    """Return an outcome in words."""
    if outcome.startswith("response ("):
        return f"Response, {words.label_criterion(outcome[10:-1])}"
    return _OUTCOMES.get(outcome) or words.label_endpoint(outcome)


def label_test(test: str) -> str:
    """Return a test in words; one that is not known keeps its name."""
    return TESTS.get(test, test)


def label_confounder(name: str) -> str:
    """Return a possible confounder in words; a covariate keeps its name."""
    return _CONFOUNDERS.get(name, name)


def _uncontrolled(frame: pl.DataFrame | None) -> str:
    if frame is None:
        return ""
    from hccresist.explain.association import NO_CONTROL  # noqa: PLC0415  (loads numpy)

    if not frame["caveat"].str.contains(NO_CONTROL, literal=True).any():
        return ""
    return (
        f"Every association here is {NO_CONTROL}. None shows that a treatment works better in some patients."
    )


# Confounders -----------------------------------------------------------------------------------------


def _confounders(facts: Facts) -> Table | None:
    frame = facts.table("confounders")
    if frame is None:
        return None
    rows = frame.sort("confounder", "group").iter_rows(named=True)
    return Table(
        caption="Does anything else split responders?",
        head=("Possible confounder", "Patients", "n", "AUC", "p", "What it means"),
        rows=tuple(
            (
                label_confounder(row["confounder"]),
                row["group"] or "All patients",
                words.count(row["n"]),
                words.number(row["auc"], 2),
                words.p_value(row["p"]),
                widen(row["note"]),
            )
            for row in rows
        ),
        text_columns=(0, 1, 5),
        note="Where a confounder splits responders, a score that follows it will seem to go with response.",
    )


def _why_unaudited(facts: Facts) -> str:
    if "confounders" in facts.tables:
        return "Confounders were not audited: nobody's response is known."
    reason = facts.skipped.get("confounders")
    return (
        f"Confounders were not audited: {reason.rstrip('.')}." if reason else facts.why_absent("confounders")
    )


# Outcomes --------------------------------------------------------------------------------------------


def _outcomes(facts: Facts, frame: pl.DataFrame) -> Iterator[tuple[str, str, tuple[Block, ...]]]:
    accepted = find_accepted(facts.table("mechanism_scores"))

    def rank(name: str) -> tuple[int, str]:
        start = name.partition(" ")[0]
        return (_ORDER.index(start) if start in _ORDER else len(_ORDER), name)

    for outcome in sorted(frame["outcome"].unique().to_list(), key=rank):
        rows = frame.filter(pl.col("outcome") == outcome)
        blocks = [_block(rows.filter(pl.col("test") == test), accepted) for test in _tests(rows)]
        yield words.slug(outcome), label_outcome(outcome), tuple(block for block in blocks if block.table)


def _tests(rows: pl.DataFrame) -> list[str]:
    found = set(rows["test"].to_list())
    return [*(test for test in TESTS if test in found), *sorted(found - set(TESTS))]


def _block(rows: pl.DataFrame, accepted: frozenset[str]) -> Block:
    outcome, test = str(rows["outcome"][0]), str(rows["test"][0])
    title = label_test(test)
    figures: list[Figure] = []
    for group in _groups(rows, test):
        part = rows.filter(pl.col("group") == group)
        key = "-".join(words.slug(word) for word in (outcome, test, group) if word)
        whole = f"{label_outcome(outcome)}: {title[0].lower()}{title[1:]}{f', {group}' if group else ''}"
        made = (
            plot_forest(part, key=f"forest-{key}", title=f"{whole}, estimates", accepted=accepted),
            plot_volcano(part, key=f"volcano-{key}", title=f"{whole}, p against effect", accepted=accepted),
        )
        figures += [figure for figure in made if figure is not None]
    known = rows.filter(pl.col("effect").is_not_null())
    return Block(
        title=title,
        figures=tuple(figures),
        table=None if known.is_empty() else _table(known, title, accepted),
        rows=known.height,
        undrawn="" if figures else _UNDRAWN,
    )


def _groups(rows: pl.DataFrame, test: str) -> list[str]:
    """Return the groups that are drawn: all patients, and each contrast of arms."""
    found = rows["group"].unique().sort().to_list()
    return found if test == "interaction" else [group for group in found if group == ""]


def _table(rows: pl.DataFrame, title: str, accepted: frozenset[str]) -> Table:
    ranked = rows.sort(
        pl.col("group") != "", pl.col("p").is_null(), pl.col("p").fill_null(2.0), "feature", "group"
    )
    shown = ranked.head(MOST_ROWS)
    common = _common(rows)
    nulls = rows["null_p"].is_not_null().any()
    more = rows.height - shown.height
    notes = [
        f"{words.plural(more, 'further row')} in table ‘associations’." if more else "",
        f"Of every row: {'; '.join(common)}." if common else "",
        "q: Benjamini–Hochberg over the features of one kind within outcome, test and group.",
        "Null p: share of random gene sets of the same size and expression that do as well." if nulls else "",
        "Rows without p come by name and are not ranked." if rows["p"].null_count() else "",
        explain_mark(accepted & set(shown["feature"].to_list())).strip(),
    ]
    return Table(
        caption=f"{title}: every estimate",
        head=("Feature", "Patients", "n", "Events", "Effect (95 % interval)", "p", "q", "Null p", "Caveat"),
        rows=tuple(_cells(row, common, accepted) for row in shown.iter_rows(named=True)),
        text_columns=(0, 1, 8),
        note=" ".join(note for note in notes if note),
    )


def _cells(row: dict[str, Any], common: list[str], accepted: frozenset[str]) -> tuple[str | Markup, ...]:
    mark = f" {LOW_COVERAGE}" if row["feature"] in accepted else ""
    caveat = "; ".join(clause for clause in split_caveat(row["caveat"]) if clause not in common)
    effect = Markup('{}<span class="soft line">{}</span>').format(format_effect(row), row["measure"])
    return (
        f"{row['feature']}{mark}",
        label_group(row["group"] or "all"),
        words.count(row["n"]),
        words.EMPTY if row["events"] is None else words.count(row["events"]),
        effect,
        *(words.p_value(row[name]) for name in ("p", "q", "null_p")),
        widen(caveat or words.EMPTY),
    )


def _common(rows: pl.DataFrame) -> list[str]:
    """Return the clauses that the caveat of every row has, in order."""
    found = [split_caveat(caveat) for caveat in rows["caveat"].to_list()]
    return [clause for clause in found[0] if all(clause in other for other in found)]


def split_caveat(caveat: str) -> list[str]:
    """Return the clauses of a caveat; the reason of a refusal stays whole."""
    from hccresist.explain.association_time import NO_LANDMARK, REFUSED  # noqa: PLC0415  (loads numpy)

    held: list[str] = []
    for whole in (REFUSED, NO_LANDMARK):
        if whole in caveat:
            held.append(whole)
            caveat = caveat.replace(whole, "")
    return [*held, *(clause for clause in caveat.split("; ") if clause)]


def _refused(frame: pl.DataFrame) -> Table | None:
    """Return tests without an estimate by reason, refused ones first."""
    rows = frame.filter(pl.col("effect").is_null())
    if rows.is_empty():
        return None
    told = rows.with_columns(why=pl.col("caveat").map_elements(_reason, return_dtype=pl.String))
    groups = told.group_by("why", "outcome", "test").agg(pl.col("feature").unique().sort())
    ranked = sorted(
        groups.iter_rows(named=True),
        key=lambda r: (not r["why"].startswith("refused"), r["why"], r["outcome"], r["test"]),
    )
    return Table(
        caption="Tests without an estimate",
        head=("Why", "Outcome and test", "Features", "Which"),
        rows=tuple(
            (
                widen(row["why"]),
                f"{label_outcome(row['outcome'])}: {label_test(row['test']).lower()}",
                words.count(len(row["feature"])),
                widen(_name_some(row["feature"])),
            )
            for row in ranked
        ),
        text_columns=(0, 1, 3),
    )


def _reason(caveat: str) -> str:
    clauses = split_caveat(caveat)
    wanted = (clause for clause in clauses if clause.startswith(("refused", "not estimable", "no landmark")))
    return next(wanted, clauses[0] if clauses else "no reason given")


def _name_some(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
