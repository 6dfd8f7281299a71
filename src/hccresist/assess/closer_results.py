"""Result tables of the closer look that compare verdicts: a contract, typed, with units and meaning."""

from __future__ import annotations

from typing import Final

import dataframely as dy

from hccresist.assess.results import CRITERION, DAY, MM, PATIENT, PERCENT, READER


class Discordance(dy.Schema):
    """One row a patient, reader and pair of criteria that differ in the best response."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    reader = dy.String(primary_key=True, description=READER)
    criterion_a = dy.String(primary_key=True, description="one criterion")
    criterion_b = dy.String(primary_key=True, description="the other")
    best_a = dy.String(description="best response by the one")
    best_b = dy.String(description="best response by the other")
    split_day = dy.Float64(
        nullable=True, metadata=DAY, description="first visit at which the two differ; empty where none does"
    )
    overall_a = dy.String(nullable=True, description="overall response there by the one")
    overall_b = dy.String(nullable=True, description="overall response there by the other")
    rule_a = dy.String(nullable=True, description="rule that decided the one")
    rule_b = dy.String(nullable=True, description="rule that decided the other")
    reason = dy.String(description="both reasons, or that no visit differs")


class Robustness(dy.Schema):
    """One row a visit, reader, criterion and error model."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    reader = dy.String(primary_key=True, description=READER)
    criterion = dy.String(primary_key=True, description=CRITERION)
    day = dy.Float64(primary_key=True, metadata=DAY, description="day of the visit: its last scan")
    overall = dy.String(description="overall response at this visit")
    margin_mm = dy.Float64(
        nullable=True,
        metadata=MM,
        description="change of the sum that would reach the next category; empty where the sum did not decide",
    )
    toward = dy.String(nullable=True, description="that category")
    p_CR = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        description="probability of CR if measured again; empty where not evaluable",
    )
    p_PR = dy.Float64(nullable=True, min=0, max=1, description="probability of PR")
    p_SD = dy.Float64(nullable=True, min=-1e-9, max=1, description="probability of SD")
    p_PD = dy.Float64(nullable=True, min=0, max=1, description="probability of PD")
    error_model = dy.Enum(
        ("between_readers", "one_reader"),
        primary_key=True,
        description="between_readers: another reader chooses targets; one_reader: the same targets again",
    )
    fragility = dy.Float64(
        nullable=True, min=-1e-9, max=1, description="probability of any other category than the one given"
    )
    flips_without = dy.String(
        nullable=True,
        description="targets (rank in order of lesion_id) each of which alone carries the verdict",
    )
    flags = dy.String(nullable=True, description="change of modality, local treatment since baseline")


class Agreement(dy.Schema):
    """One row a pair (or all) of criteria or readers and a statistic."""

    scope = dy.String(primary_key=True, description="criteria or readers")
    first = dy.String(primary_key=True, description="one of the two; all readers for Fleiss' kappa")
    second = dy.String(primary_key=True, description="the other; empty for Fleiss' kappa")
    within = dy.String(primary_key=True, description="reader, for criteria; criterion, for readers")
    statistic = dy.String(
        primary_key=True,
        description="cohen_kappa, fleiss_kappa, agreement_percent, mean_difference_percent, limits_percent",
    )
    value = dy.Float64(
        nullable=True, description="estimate; percentage points for differences of change from baseline"
    )
    low = dy.Float64(nullable=True, description="lower limit")
    high = dy.Float64(nullable=True, description="upper limit")
    n = dy.Int64(description="patients, or visits for differences")


class Sensitivity(dy.Schema):
    """One row a policy setting, reader, criterion and measure."""

    policy = dy.String(
        primary_key=True, description="policy that was changed; empty for the settings in force"
    )
    setting = dy.String(primary_key=True, description="its other value")
    in_force = dy.Bool(description="the settings in force")
    reader = dy.String(primary_key=True, description=READER)
    criterion = dy.String(primary_key=True, description=CRITERION)
    measure = dy.String(
        primary_key=True,
        description="ORR, ORR_confirmed, DCR, DCR_confirmed (%), median_PFS, median_iPFS (days)",
    )
    value = dy.Float64(nullable=True, description="estimate; empty where not reached or not estimable")
    low = dy.Float64(nullable=True, description="lower limit")
    high = dy.Float64(nullable=True, description="upper limit")
    n = dy.Int64(description="patients")
    change = dy.Float64(
        nullable=True,
        metadata=PERCENT,
        description="difference from the settings in force, in the unit of the measure",
    )


RESULTS: Final[dict[str, type[dy.Schema]]] = {
    "discordance": Discordance,
    "robustness": Robustness,
    "agreement": Agreement,
    "sensitivity": Sensitivity,
}
