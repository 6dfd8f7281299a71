"""What might overcome it: strategies of the cohort, what failed, and how the score is made."""

from __future__ import annotations

import re
from typing import Any, Final

import polars as pl
from markupsafe import Markup

from hccresist.report import words
from hccresist.report.facts import Facts
from hccresist.report.mechanism_names import name_mechanism
from hccresist.report.plans import GROUPS, PARTS, TABLE, name_group
from hccresist.report.render import Table, render, widen

MOST_SHOWN: Final = 12
"""Strategies of the cohort that stand in the open; the others are folded."""

RESEARCH: Final = (
    "Research only. This is a list of published evidence, joined with what was measured; it is no prediction "
    "and no advice on the care of a patient. A place in the list says nothing of the size of a benefit."
)
_SOURCE: Final = re.compile(
    r"(PMID:\d+|PMCID:PMC\d+|DOI:10\.(?:[^\s;()]|\([^\s;()]*\))+|https?://(?:[^\s;()]|\([^\s;()]*\))+)"
)
_HOMES: Final = {
    "PMID": "https://pubmed.ncbi.nlm.nih.gov/{}/",
    "PMCID": "https://pmc.ncbi.nlm.nih.gov/articles/{}/",
    "DOI": "https://doi.org/{}",
}


def build(facts: Facts) -> Markup:
    """Return the strategies of the cohort, what failed, and the parts of the score."""
    frame = facts.table(TABLE)
    if frame is None:
        return render("strategies", absent=facts.why_absent(TABLE))
    cohort = frame.filter(pl.col("patient_id").is_null())
    rows = cohort.filter(pl.col("rank") > 0).to_dicts()
    found, other, failed = ([row for row in rows if name_group(row) == group] for group in GROUPS)
    folds = (
        ("Further strategies that address what is on", found[MOST_SHOWN:]),
        ("Evidence in patients in general: nothing that it addresses is on", other),
        ("Tried and failed", failed),
    )
    nothing = cohort.filter(pl.col("rank") == 0)["notes"].to_list()
    return render(
        "strategies",
        absent="",
        research=RESEARCH,
        counts=_count(frame),
        nothing=nothing[0] if nothing else "",
        lead=[_describe(row) for row in found[:MOST_SHOWN]],
        folds=[(title, [_describe(row) for row in part]) for title, part in folds if part],
        score=_score(),
    )


def _count(frame: pl.DataFrame) -> str:
    """Return in how many patients something is supported."""
    own = frame.filter(pl.col("patient_id").is_not_null())
    everyone = own["patient_id"].n_unique()
    unsupported = own.filter(pl.col("rank") == 0)["patient_id"].n_unique()
    told = (
        f"For {words.plural(everyone - unsupported, 'patient')} of {words.count(everyone)} the evidence base "
        "knows a strategy that worked somewhere and addresses something that is on in the tumour; the card "
        "of each patient lists them with reasons."
    )
    more = f" For {words.count(unsupported)} nothing is supported, or nothing was measured."
    return told + more if unsupported else told


def _describe(row: dict[str, Any]) -> dict[str, object]:
    """Return a strategy of the cohort in the words of the page."""
    facts = (
        ("How far it was tried", row["why"].partition(" On in ")[0]),
        ("Result", link_sources(f"{row['result']}. {row['source']} {row['strategy_id']}")),
        ("Aims at", row["targets"].replace(";", ", ")),
        ("Mechanism", name_mechanism(row["mechanism_id"])),
        ("Against it", link_sources(row["against"])),
        ("Contraindications", row["contraindications"]),
        ("Findings for", link_sources(row["evidence_for"])),
        ("Findings against", link_sources(row["evidence_against"])),
        ("Points", _tell_points(row)),
        ("Note", row["notes"]),
    )
    return {
        "rank": row["rank"],
        "name": row["strategy"],
        "drugs": row["drugs"].replace(";", " + "),
        "stage": row["stage"],
        "outcome": str(row["outcome"] or "no outcome recorded")
        + ("" if row["counted"] else ", not verified"),
        "on": f"{row['patients_found']} of {row['patients_looked']}",
        "points": words.number(row["score"], 1),
        "facts": [(name, text) for name, text in facts if text],
    }


def _tell_points(row: dict[str, Any]) -> str:
    return ", ".join(f"{word} {words.number(row[part], 1)}" for part, word in PARTS.items() if row[part])


def link_sources(text: str) -> Markup:
    """Return text with its sources (PMID, PMCID, DOI, address) as links.

    Examples
    --------
    >>> str(link_sources("see PMID:1"))
    'see <a href="https://pubmed.ncbi.nlm.nih.gov/1/" rel="noreferrer">PMID:1</a>'
    """
    return Markup("").join(
        _link(part) if place % 2 else Markup("{}").format(part)
        for place, part in enumerate(_SOURCE.split(text))
    )


def _link(source: str) -> Markup:
    kind, _, number = source.partition(":")
    address = _HOMES[kind].format(number) if kind in _HOMES else source
    shown = source if kind in _HOMES else source.split("/")[2]
    return Markup('<a href="{}" rel="noreferrer">{}</a>').format(address, shown)


def _score() -> Table:
    """Return the points of the score with their reasons."""
    from hccresist.overcome.strategy_table import read_rows  # noqa: PLC0415  (reads the evidence base)

    rows = read_rows("score.csv")
    return Table(
        caption="Points and weights of the score",
        head=("Part", "Level", "Points or weight", "Why"),
        rows=tuple(
            (row["part"], row["level"].replace("_", " "), row["points"], widen(row["reason"])) for row in rows
        ),
        text_columns=(0, 1, 3),
        note="Clinical evidence goes in hundreds; what follows it can never add up to one of its steps. "
        "Strengths and weights are ours.",
    )
