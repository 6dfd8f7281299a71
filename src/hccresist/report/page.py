"""The report: one self-contained HTML page from a study, its result tables and the manifest."""

from __future__ import annotations

import base64
import hashlib
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

import polars as pl
from markupsafe import Markup

from hccresist.report import theme, words
from hccresist.report.facts import Facts
from hccresist.report.render import read_asset, render
from hccresist.report.sections import (
    agreement,
    associations,
    closer,
    mechanisms,
    outlook,
    overview,
    patients,
    provenance,
    published,
    resistance,
    response,
    sources,
    strategies,
    survival,
    tumour,
)
from hccresist.study.study import Study

_MESSAGE_LENGTH: Final = 500
_SCRIPTS: Final = ("script.js", "timeline.js", "card.js", "plans.js", "outlook.js", "patients.js")


@dataclass(frozen=True, slots=True)
class Section:
    """A section: anchor, words in the navigation, heading, one sentence of help, and what makes it."""

    key: str
    nav: str
    title: str
    lead: str
    build: Callable[[Facts], Markup]


@dataclass(frozen=True, slots=True)
class SectionFailure:
    """A section that could not be made.

    Attributes
    ----------
    section
        Its key.
    error
        Name of the exception.
    message
        What the exception said, shortened.
    place
        File and line of our own code where it happened.
    trace
        The whole traceback, for the log; it is not on the page.
    """

    section: str
    error: str
    message: str
    place: str
    trace: str


@dataclass(frozen=True, slots=True)
class Report:
    """The page, and the sections that failed (their place on the page says so)."""

    html: str
    failures: tuple[SectionFailure, ...] = ()


SECTIONS: Final = (
    Section("overview", "At a glance", "At a glance", "", overview.build),
    Section(
        "read",
        "What was read",
        "What was read and what was not",
        "Files, patients lost on the way, warnings, skipped stages, and the policies under which everything "
        "below was computed.",
        sources.build,
    ),
    Section(
        "response",
        "Response",
        "Response by criterion",
        "Best response of every patient and the rates that follow, by arm, with and without confirmation.",
        response.build,
    ),
    Section(
        "agreement",
        "Criteria compared",
        "Criteria and readers compared",
        "The same patients under two criteria, or seen by two readers.",
        agreement.build,
    ),
    Section(
        "tumour",
        "Tumour size",
        "What the tumours did",
        "How deep, how long, and what happened when.",
        tumour.build,
    ),
    Section(
        "survival",
        "Survival",
        "Progression and survival",
        "Time to events with numbers at risk, medians, rates at landmarks and comparisons of arms.",
        survival.build,
    ),
    Section(
        "published",
        "Published trials",
        "Beside published trials",
        "The study's own rates and medians beside published arms of the same drugs and line; no comparison "
        "of treatments.",
        published.build,
    ),
    Section(
        "resistance",
        "Resistance",
        "Resistance and what progressed",
        "The class of resistance of every patient, by whose rule, and where tumours progressed.",
        resistance.build,
    ),
    Section(
        "closer",
        "A closer look",
        "A closer look: certainty, patterns, audit",
        "Which verdicts would change if measured again, where criteria part ways, unconventional patterns, "
        "and records that contradict each other.",
        closer.build,
    ),
    Section(
        "mechanisms",
        "Mechanisms",
        "Mechanisms of resistance",
        "Which of the known routes of resistance are switched on in these tumours, and what could not be "
        "measured.",
        mechanisms.build,
    ),
    Section(
        "associations",
        "Associations",
        "What goes with the outcome",
        "Which mechanism, alteration, marker or pattern goes with response, resistance or survival in this "
        "cohort.",
        associations.build,
    ),
    Section(
        "overcome",
        "Strategies",
        "What might overcome it",
        "Published strategies, ranked by what is on in these tumours, with reasons, sources and what speaks "
        "against them. Research only.",
        strategies.build,
    ),
    Section(
        "outlook",
        "Outlook",
        "What virtual patients like these do next",
        "Virtual patients of a model that fit the data so far, on the present drugs and on candidates: how "
        "wide their chances are, and what is assumption. Research only.",
        outlook.build,
    ),
    Section(
        "patients",
        "Patients",
        "Patient by patient",
        "Open a patient for the timeline of sums, treatments and verdicts, the reason of each verdict, and "
        "the card of the tumour where anything was measured in it.",
        patients.build,
    ),
    Section(
        "provenance",
        "Provenance",
        "How to cite, and where the numbers come from",
        "What is needed to make this report again.",
        provenance.build,
    ),
)
"""Sections in the order of the page."""


def render_report(
    study: Study,
    tables: Mapping[str, pl.DataFrame],
    *,
    manifest: Mapping[str, object],
    sections: tuple[Section, ...] = SECTIONS,
) -> Report:
    """Return the whole report as one HTML page.

    Every section stands alone: one that cannot be made becomes a framed message, is listed among
    the failures, and leaves the others untouched. The same input gives the same bytes.

    Parameters
    ----------
    study
        The checked study.
    tables
        Result tables by name: ``timepoints``, ``best_response``, ``baselines``, ``events``,
        ``rates``, ``survival_summary``, ``survival_curves``, ``cumulative_incidence``. Any may be
        absent or empty; its section then says why.
    manifest
        What ``manifest.json`` holds: ``version``, ``criteria``, ``policies_changed``, ``inputs``,
        ``attrition``, ``skipped``, ``citations``, ``seed``, ``options``.
    sections
        Sections to show, in order.

    Returns
    -------
    Report
        The page and the sections that failed.
    """
    facts = Facts(study, tables, manifest)
    failures: list[SectionFailure] = []
    shown: list[dict[str, object]] = []
    for section in sections:
        made = _make(section, facts)
        failed = isinstance(made, SectionFailure)
        if failed:
            failures.append(made)
        body = render("failure", failure=made) if failed else made
        shown.append(
            {
                "key": section.key,
                "nav": section.nav,
                "title": section.title,
                "lead": section.lead,
                "body": body,
                "failed": failed,
            }
        )
    return Report(_assemble(facts, shown, len(failures)), tuple(failures))


def _make(section: Section, facts: Facts) -> Markup | SectionFailure:
    try:
        return section.build(facts)
    except Exception as error:  # noqa: BLE001  (one failing section must not sink the report)
        message = " ".join(str(error).split())[:_MESSAGE_LENGTH]
        return SectionFailure(
            section.key,
            type(error).__name__,
            message,
            _place(error),
            "".join(traceback.format_exception(error)),
        )


def _place(error: Exception) -> str:
    """Return file and line of the innermost frame that is ours."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "hccresist" in frame.filename]
    if not ours:
        return ""
    parts = PurePath(ours[-1].filename).parts
    start = len(parts) - 1 - parts[::-1].index("hccresist") if "hccresist" in parts else len(parts) - 1
    return f"{'/'.join(parts[start:])}, line {ours[-1].lineno}"


def _assemble(facts: Facts, shown: list[dict[str, object]], failures: int) -> str:
    config = facts.study.config
    scripts = (
        read_asset("early.js"),
        "\n".join(read_asset(n) for n in _SCRIPTS),
    )
    footer = "Research use, not a medical device" + (" · Simulated data" if config.simulated else "")
    return render(
        "page",
        title=config.title or config.name,
        subtitle=_subtitle(facts),
        version=facts.text("version"),
        simulated=config.simulated,
        footer=footer,
        css=Markup(theme.make_css() + "\n" + read_asset("style.css")),
        early_script=Markup(scripts[0]),
        main_script=Markup(scripts[1]),
        script_hashes=Markup(" ".join(_hash(script) for script in scripts)),
        criteria=[(name, words.label_criterion(name)) for name in facts.criteria],
        readers=facts.readers,
        lead_reader=facts.lead_reader,
        sections=shown,
        failures=failures,
    )


def _subtitle(facts: Facts) -> str:
    parts = [facts.study.config.name, words.plural(facts.study.patients.height, "patient")]
    if facts.criteria:
        parts.append(words.listing(words.label_criterion(name) for name in facts.criteria))
    if len(facts.readers) > 1:
        parts.append(words.plural(len(facts.readers), "reader"))
    return " · ".join(parts)


def _hash(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"
