"""Result tables of *outcomes*: a contract, typed, with units and meaning. Rows are sorted by key."""

from __future__ import annotations

from typing import Final

import dataframely as dy

PATIENT: Final = "pseudonym of the patient"
READER: Final = "reader of the scan; empty where the study names none, and for OS"
CRITERION: Final = "criterion; empty for OS, 'recorded' for endpoints that the study brings"
GROUP: Final = "arm, or 'all'"
PERCENT: Final = {"unit": "%"}
ENDPOINTS: Final = ("OS", "PFS", "TTP", "DOR", "TTR", "iPFS", "iDOR")


class Events(dy.Schema):
    """One row a patient, reader, criterion and endpoint."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    reader = dy.String(primary_key=True, description=READER)
    criterion = dy.String(primary_key=True, description=CRITERION)
    endpoint = dy.String(
        primary_key=True, description="OS, PFS, TTP, DOR, TTR, iPFS, iDOR, or a name the study brings"
    )
    days = dy.Float64(
        metadata={"unit": "days"},
        description="from day 0 (DOR, iDOR: from first response) to event or censoring",
    )
    event = dy.Bool(description="true: the event happened")
    reason = dy.String(description="why the row is an event or censored there")
    cause = dy.String(
        nullable=True,
        description="what happened: progression, death, procedure, response, or recorded; empty where censored",
    )


class Rates(dy.Schema):
    """Response rates with exact (Clopper–Pearson) 95 % intervals."""

    reader = dy.String(primary_key=True, description=READER)
    criterion = dy.String(primary_key=True, description=CRITERION)
    group = dy.String(primary_key=True, description=GROUP)
    measure = dy.Enum(
        ("ORR", "DCR", "CBR"),
        primary_key=True,
        description="objective response, disease control, clinical benefit rate",
    )
    confirmed = dy.Bool(primary_key=True, description="CR and PR had to be confirmed")
    denominator = dy.String(description="who is counted: all, measurable or evaluable")
    events = dy.Int64(description="patients with the outcome")
    n = dy.Int64(description="patients counted")
    percent = dy.Float64(nullable=True, metadata=PERCENT, description="rate; empty when n is 0")
    low = dy.Float64(nullable=True, metadata=PERCENT, description="lower limit")
    high = dy.Float64(nullable=True, metadata=PERCENT, description="upper limit")


class SurvivalSummary(dy.Schema):
    """Medians, landmark rates, restricted means, follow-up and hazard ratios with 95 % intervals."""

    reader = dy.String(primary_key=True, description=READER)
    criterion = dy.String(primary_key=True, description=CRITERION)
    endpoint = dy.String(primary_key=True, description="endpoint as in `events`")
    group = dy.String(primary_key=True, description="arm, 'all', or 'A vs B' for a hazard ratio or test")
    statistic = dy.String(
        primary_key=True, description="median, rate, rmst, hazard_ratio, followup, logrank_p …"
    )
    at_days = dy.Float64(
        primary_key=True,
        metadata={"unit": "days"},
        description="landmark or horizon in days; 0 where it does not apply",
    )
    value = dy.Float64(
        nullable=True,
        description="estimate: days, % or ratio; empty when not reached or not estimable, see note",
    )
    low = dy.Float64(nullable=True, description="lower limit")
    high = dy.Float64(nullable=True, description="upper limit")
    n = dy.Int64(description="patients")
    events = dy.Int64(description="events")
    note = dy.String(nullable=True, description="not reached, not estimable and why, or a caveat")


class AtRisk(dy.Schema):
    """Kaplan–Meier curve with numbers at risk, as data for figures."""

    reader = dy.String(primary_key=True, description=READER)
    criterion = dy.String(primary_key=True, description=CRITERION)
    endpoint = dy.String(primary_key=True, description="endpoint as in `events`")
    group = dy.String(primary_key=True, description=GROUP)
    days = dy.Float64(primary_key=True, metadata={"unit": "days"}, description="time")
    survival = dy.Float64(description="estimated share without the event")
    low = dy.Float64(nullable=True, description="lower limit, log-log")
    high = dy.Float64(nullable=True, description="upper limit, log-log")
    at_risk = dy.Int64(description="patients at risk just before this time")
    events = dy.Int64(description="events at this time")
    censored = dy.Int64(description="censored at this time")


class CumulativeIncidence(dy.Schema):
    """Aalen–Johansen estimate where events compete."""

    reader = dy.String(primary_key=True, description=READER)
    criterion = dy.String(primary_key=True, description=CRITERION)
    endpoint = dy.String(primary_key=True, description="endpoint whose causes compete")
    group = dy.String(primary_key=True, description=GROUP)
    cause = dy.String(primary_key=True, description="progression, death, tumour, liver, other …")
    days = dy.Float64(primary_key=True, metadata={"unit": "days"}, description="time")
    incidence = dy.Float64(description="cumulative incidence")
    low = dy.Float64(nullable=True, description="lower limit")
    high = dy.Float64(nullable=True, description="upper limit")


class PublishedComparison(dy.Schema):
    """Rates and survival of the study beside published trials of the same drugs and line: other patients, no comparison of treatments."""

    reader = dy.String(primary_key=True, description=READER)
    criterion = dy.String(primary_key=True, description=CRITERION)
    group = dy.String(primary_key=True, description=GROUP)
    endpoint = dy.String(
        primary_key=True, description="ORR, DCR, mPFS, mTTP, mOS, mDoR, or survival at a landmark as OS_12mo"
    )
    confirmed = dy.Bool(
        primary_key=True, description="CR and PR of the study had to be confirmed; false for survival"
    )
    published_key = dy.String(primary_key=True, description="row of the published trials, as in targets.csv")
    drugs = dy.String(description="drugs of the index line, joined by +")
    line = dy.Enum(("1L", "2L", "TACE"), description="line: first, later, or TACE")
    regimen_percent = dy.Float64(
        metadata=PERCENT, description="patients of the group who had exactly these drugs in the index line"
    )
    unit = dy.Enum(("percent", "months"), description="unit of values and limits")
    value = dy.Float64(nullable=True, description="of the study; empty where not reached or not estimable")
    low = dy.Float64(nullable=True, description="lower limit, 95 %")
    high = dy.Float64(nullable=True, description="upper limit, 95 %; empty where open")
    n = dy.Int64(description="patients of the study")
    trial = dy.String(description="published trial")
    arm_id = dy.String(description="its arm")
    assessor = dy.String(nullable=True, description="who assessed the published endpoint")
    published_value = dy.Float64(nullable=True, description="as published; empty where not reached")
    published_low = dy.Float64(nullable=True, description="lower limit")
    published_high = dy.Float64(nullable=True, description="upper limit; empty where open")
    published_level = dy.Float64(nullable=True, metadata=PERCENT, description="level of the published limits")
    published_limits = dy.String(
        nullable=True, description="published, or made anew: binomial (from n), n, or events"
    )
    published_n = dy.Int64(nullable=True, description="patients of the published number")
    source = dy.String(description="address of the text that was read")
    note = dy.String(description="what the comparison cannot say")


RESULTS: Final[dict[str, type[dy.Schema]]] = {
    "events": Events,
    "rates": Rates,
    "survival_summary": SurvivalSummary,
    "survival_curves": AtRisk,
    "cumulative_incidence": CumulativeIncidence,
    "published_comparison": PublishedComparison,
}
