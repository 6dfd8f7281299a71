"""Result tables of the twin: a contract, typed, with units and meaning. Research only: no forecast for anybody's care."""

from __future__ import annotations

from typing import Final

import dataframely as dy

from hccresist.study.tables import PATIENT

QUANTITIES: Final = ("response", "progression", "death", "sum_change_percent")
"""What is looked ahead to: three chances (shares, 0 to 1) and the change of the sum of diameters (%)."""

ROLES: Final = ("present", "candidate")
"""Going on as now, or a strategy of the table `strategies`."""


class Outlook(dy.Schema):
    """One row a patient, course, horizon and quantity: what the virtual patients like this one do next."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    role = dy.Enum(ROLES, primary_key=True, description="going on as now, or a candidate strategy")
    drugs = dy.String(primary_key=True, description="drugs given in the model, joined with ' + '; or 'none'")
    strategy_id = dy.String(
        nullable=True, description="first in rank of the strategies with this course; empty for present"
    )
    day = dy.Float64(
        metadata={"unit": "day"}, description="day of the last data used; the look ahead starts here"
    )
    horizon_days = dy.Float64(
        primary_key=True, min=0, metadata={"unit": "days"}, description="days ahead of `day`"
    )
    quantity = dy.Enum(
        QUANTITIES,
        primary_key=True,
        description="response: sum 30 % below that on `day`; progression: sum 20 % and 5 mm above its smallest, a new "
        "lesion, or death; death; sum_change_percent: change of the sum of those alive since `day`, as read",
    )
    value = dy.Float64(
        nullable=True,
        description="mean chance (share, 0 to 1), or median change in percent; empty: cannot be said, see notes",
    )
    low = dy.Float64(
        nullable=True,
        description="lower limit of the 90 % interval: of the chance that virtual patients like this one have, or of "
        "the change that would be read",
    )
    high = dy.Float64(nullable=True, description="its upper limit")
    prior_value = dy.Float64(
        nullable=True, description="the same for virtual patients that share nothing but the baseline"
    )
    prior_low = dy.Float64(nullable=True, description="lower limit of that")
    prior_high = dy.Float64(nullable=True, description="upper limit of that")
    narrowing = dy.Float64(
        nullable=True,
        max=1,
        description="1 - width / prior width: 0, the data told nothing; below 0, they widened it; empty: no prior width",
    )
    particles = dy.Float64(min=0, description="effective number of virtual patients behind the value")
    notes = dy.String(description="what must be known; that it is research only")


class OutlookFit(dy.Schema):
    """One row a patient: what conditioned the twin, how far, and why there is none."""

    patient_id = dy.String(primary_key=True, description=PATIENT)
    data = dy.String(description="what was used, in words; empty where there is no twin")
    observations = dy.Int64(min=0, description="numbers that were used after the baseline sizes")
    effective = dy.Float64(
        nullable=True, min=0, description="effective number of virtual patients that fit; empty: no twin"
    )
    prior_effective = dy.Float64(
        nullable=True,
        min=0,
        description="effective number had the first virtual patients only been weighted: far fewer, much was learnt",
    )
    indistinct = dy.String(
        description="handles that scans cannot tell apart, groups separated by ;; empty where there is no twin"
    )
    notes = dy.String(description="why there is no twin, what was assumed, what was left out")


RESULTS: Final[dict[str, type[dy.Schema]]] = {"outlook": Outlook, "outlook_fit": OutlookFit}
"""Table name to schema."""
