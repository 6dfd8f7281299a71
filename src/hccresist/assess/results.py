"""Result tables of *assess*: a contract, typed, with units and meaning.

Rows are sorted by key. `reader` is empty where the study names none.
"""

from __future__ import annotations

from typing import Final

import dataframely as dy

PATIENT: Final = "pseudonym of the patient"
READER: Final = "reader of the scan; empty where the study names none"
CRITERION: Final = "criterion: recist11, mrecist, irecist …"
MM: Final = {"unit": "mm"}
DAY: Final = {"unit": "day"}
PERCENT: Final = {"unit": "%"}


class Timepoints(dy.Schema):
    """One row a visit, reader and criterion after baseline."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    reader = dy.String(primary_key=True, description=READER)
    criterion = dy.String(primary_key=True, description=CRITERION)
    day = dy.Float64(primary_key=True, metadata=DAY, description="day of the visit: its last scan")
    target = dy.String(nullable=True, description="target response; empty where there are no targets")
    nontarget = dy.String(nullable=True, description="non-target response; empty where there are none")
    new_lesion = dy.Bool(nullable=True, description="an unequivocal new lesion counts at this visit")
    overall = dy.String(description="overall response at this visit")
    sum_mm = dy.Float64(
        nullable=True,
        metadata=MM,
        description="sum of the targets that were evaluated (mm², where the criterion sums products)",
    )
    new_target_sum_mm = dy.Float64(
        nullable=True, metadata=MM, description="sum of the new targets, where the criterion measures them"
    )
    baseline_mm = dy.Float64(nullable=True, metadata=MM, description="sum at baseline")
    nadir_mm = dy.Float64(nullable=True, metadata=MM, description="smallest sum before this visit")
    change_from_baseline_percent = dy.Float64(
        nullable=True, metadata=PERCENT, description="change of the sum from baseline"
    )
    change_from_nadir_percent = dy.Float64(
        nullable=True, metadata=PERCENT, description="change of the sum from the nadir"
    )
    rule = dy.String(description="stable identifier of the rule that decided")
    reason = dy.String(description="the rule in one sentence with its numbers")


class BestResponse(dy.Schema):
    """One row a patient, reader and criterion; patients without a visit after baseline are NE."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    reader = dy.String(primary_key=True, description=READER)
    criterion = dy.String(primary_key=True, description=CRITERION)
    best = dy.String(description="best overall response, confirmation not required")
    best_confirmed = dy.String(description="best overall response, confirmation required")
    best_day = dy.Float64(nullable=True, metadata=DAY, description="first day on which `best` was reached")
    first_response_day = dy.Float64(
        nullable=True, metadata=DAY, description="first CR or PR (iCR or iPR) before progression"
    )
    progression_day = dy.Float64(
        nullable=True,
        metadata=DAY,
        description="progression; for iRECIST the first iUPD of the block that was confirmed",
    )


class Baselines(dy.Schema):
    """One row a patient, reader and criterion: the scan that everything is compared with."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    reader = dy.String(primary_key=True, description=READER)
    criterion = dy.String(primary_key=True, description=CRITERION)
    day = dy.Float64(
        nullable=True, metadata=DAY, description="day of the baseline scan; empty where there is none"
    )
    n_targets = dy.Int64(description="targets measured at baseline")
    n_nontargets = dy.Int64(description="non-target lesions at baseline")
    baseline_mm = dy.Float64(nullable=True, metadata=MM, description="sum of the targets at baseline")
    measurable = dy.Bool(
        nullable=True, description="at least one target was measured at baseline; empty where unknown"
    )
    evaluable = dy.Bool(description="at least one visit after baseline has a response other than NE")
    reason = dy.String(
        nullable=True, description="why there is no usable baseline, or what was noticed about it"
    )


class Progressions(dy.Schema):
    """One row a visit with progression: what progressed, and where."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    reader = dy.String(primary_key=True, description=READER)
    criterion = dy.String(primary_key=True, description=CRITERION)
    day = dy.Float64(primary_key=True, metadata=DAY, description="day of the visit: its last scan")
    intrahepatic_growth = dy.Bool(description="targets or non-targets in the liver grew")
    new_intrahepatic = dy.Bool(description="a new lesion in the liver is seen")
    extrahepatic_growth = dy.Bool(description="targets or non-targets outside the liver grew")
    new_extrahepatic = dy.Bool(description="a new lesion outside the liver is seen")
    vascular_invasion = dy.Bool(description="tumour in portal or hepatic veins or bile ducts is new or grew")
    site_unknown = dy.Bool(description="progression was recorded without saying where")


class Resistance(dy.Schema):
    """One row a patient: the class of resistance in the index line."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    line = dy.Int64(primary_key=True, description="line of systemic treatment")
    drug = dy.String(primary_key=True, description="drugs of the line; empty where none were recorded")
    class_ = dy.Enum(
        ("primary", "acquired", "after_stop", "intolerance", "no_resistance", "not_evaluable"),
        alias="class",
        description="class of resistance",
    )
    day = dy.Float64(nullable=True, metadata=DAY, description="day of progression")
    rule = dy.String(description="stable identifier of the rule that decided")
    reason = dy.String(description="the rule in one sentence with its numbers, and whose rule it is")
    reader = dy.String(description="reader whose verdict was used")
    criterion = dy.String(description="criterion that was used")


RESULTS: Final[dict[str, type[dy.Schema]]] = {
    "timepoints": Timepoints,
    "best_response": BestResponse,
    "baselines": Baselines,
}
"""Tables that every assessment makes."""

FURTHER_RESULTS: Final[dict[str, type[dy.Schema]]] = {"progressions": Progressions, "resistance": Resistance}
"""Tables made from those."""
