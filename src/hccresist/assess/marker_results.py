"""Result tables of markers, liver scores and stages: a contract, typed, with units and meaning.

Rows are sorted by key. `reader` is empty for what comes from the laboratory or the ward; stages and
divergence come from scans and have the reader of the scan.
"""

from __future__ import annotations

from typing import Final

import dataframely as dy

from hccresist.assess.results import DAY, PATIENT, READER

VERIFICATION: Final = ("verified", "verified_secondary", "partly_verified", "not_seen", "ours")
"""How far a definition was seen in a text; `docs/reference/verification.md`."""

KINDS: Final = ("value", "trajectory", "response", "divergence", "score", "stage", "ctdna")


class Markers(dy.Schema):
    """One row a patient, reader, day and marker: measured, derived, or not derivable and why."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    reader = dy.String(primary_key=True, description=READER)
    day = dy.Float64(
        primary_key=True,
        metadata=DAY,
        description="day of the measurement that decides; of a score, the day on which it was complete",
    )
    marker = dy.String(primary_key=True, description="name of the marker, see `marker_definitions`")
    value = dy.Float64(nullable=True, description="value in `unit`; empty when unknown, see reason")
    unit = dy.String(description="unit of the value; empty where there is none")
    comparator = dy.Enum(
        ("<", ">"), nullable=True, description="the true value is below or above `value` (assay limit)"
    )
    grade = dy.String(nullable=True, description="grade, class or stage; meaning in `marker_readings`")
    response = dy.String(nullable=True, description="verdict of a rule; not_evaluable with its reason")
    flag = dy.String(nullable=True, description="what makes the row doubtful, or differs from the record")
    reason = dy.String(nullable=True, description="the numbers that decided, or why the value is unknown")
    source = dy.String(description="source of the formula or cut-off; 'ours' where there is none")


class MarkerIssues(dy.Schema):
    """One row a laboratory value or observation that was refused, or used with an assumption."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    day = dy.Float64(primary_key=True, metadata=DAY, description="day of the value")
    table = dy.String(primary_key=True, description="study table: labs, observations or treatments")
    test = dy.String(primary_key=True, description="test or observation, as recorded")
    found = dy.String(nullable=True, description="value, as recorded")
    unit = dy.String(nullable=True, description="unit, as recorded; empty where there is none")
    code = dy.String(description="stable identifier of the problem")
    problem = dy.String(description="what is wrong")
    hint = dy.String(description="what to do")
    refused = dy.Bool(description="true: the value was not used; false: it was, under an assumption")


class MarkerDefinitions(dy.Schema):
    """One row a marker: what it needs, its rule, where it comes from and how far that was seen."""

    marker = dy.String(primary_key=True, description="name of the marker")
    kind = dy.Enum(KINDS, description="kind of marker")
    title = dy.String(description="name in words, with authors and year where there are any")
    unit = dy.String(description="unit of `value`; empty where there is none")
    needs = dy.String(description="what must be known, separated by commas")
    rule = dy.String(description="formula or rule in one sentence")
    source = dy.String(description="DOI, PMID or page; 'ours' where there is none")
    verification = dy.Enum(VERIFICATION, description="how far the rule was seen in a text")
    seen = dy.String(description="what was read, where, what was not, and what is our choice")


class MarkerReadings(dy.Schema):
    """One row a grade or verdict: what a publication says of it. No advice on any patient."""

    marker = dy.String(primary_key=True, description="name of the marker")
    grade = dy.String(primary_key=True, description="grade or verdict, as in `markers`; or a cut-off")
    source = dy.String(primary_key=True, description="DOI, PMID or page")
    reading = dy.String(description="what was found there, with its numbers")


RESULTS: Final[dict[str, type[dy.Schema]]] = {
    "markers": Markers,
    "marker_issues": MarkerIssues,
    "marker_definitions": MarkerDefinitions,
    "marker_readings": MarkerReadings,
}
