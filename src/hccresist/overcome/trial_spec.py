"""What a virtual trial is: arms, eligibility, visits, reading, follow-up. Plain records, no file and no run.

`hccresist.overcome.trial_file` reads them from TOML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hccresist.errors import ConfigError
from hccresist.overcome.reading import READING_SD

PROGRESSION: Final = "progression"
"""Start of a drug that is given once progression was seen."""
BASELINE_DAYS: Final = 28.0
"""Days before treatment within which the baseline may be (RECIST 1.1, doi:10.1016/j.ejca.2008.10.026)."""
STATEMENT: Final = (
    "Research only: simulated patients of a model, not real ones. Nothing here is a prediction for a "
    "patient's care, nor of a trial's result."
)
"""Stands on everything that a virtual trial writes."""
CRITERIA: Final[Mapping[str, str]] = {"recist11": "RECIST 1.1", "mrecist": "mRECIST"}
"""Criteria of a virtual trial, and what the tables of published trials call them."""
BY_WORD: Final[Mapping[str, str]] = {word: name for name, word in CRITERIA.items()}
"""Criteria by what the tables of published trials call them."""
YES_OR_NO: Final = ("male", "ecog1", "mvi", "ehs")
RANGES: Final[Mapping[str, str]] = {
    "age_years": "years",
    "weight_kg": "kg",
    "lesions": "lesions at baseline",
    "largest_mm": "diameter of the largest lesion, mm",
    "sum_mm": "sum of the diameters of all lesions, mm",
    "afp": "ng/mL at screening",
    "dcp": "mAU/mL at screening",
    "nlr": "ratio at screening",
    "albi": "score at screening",
    "liver": "share of liver reserve at screening, 0 to 1",
}
"""Traits that eligibility can bound."""
LABS: Final = ("afp", "dcp", "nlr", "albi", "liver")
"""Those of `RANGES` that are known only once a patient's tumour is grown."""
SHARES: Final = ("male", "ecog1", "mvi", "ehs", "hbv", "hcv")
"""Traits whose share among the patients of a trial can be set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """Who is enrolled; what is empty admits everybody.

    Attributes
    ----------
    traits
        Yes-or-no traits to what they must be.
    ranges
        Traits and labs of `RANGES` to lowest and highest value, both admitted.
    aetiology
        Admitted causes of the liver disease: hbv, hcv, non_viral.
    handles_on, handles_off
        Resistance handles that must be on, or off: a biomarker.
    """

    traits: Mapping[str, bool] = field(default_factory=dict[str, bool])
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    aetiology: tuple[str, ...] = ()
    handles_on: tuple[str, ...] = ()
    handles_off: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugPlan:
    """Drugs that are begun and stopped together.

    Attributes
    ----------
    regimens
        Regimens of the model.
    after_progression
        Begun once treatment was stopped for progression, else on day `start`.
    start
        Day of the first dose; after progression: days after the stop.
    until
        Day from which no dose is given; after progression: days after the stop.
    intensity
        Factor on all doses.
    light_kg, light_factor
        Below this body weight doses are multiplied by the factor (lenvatinib).
    share
        Share of patients who get it. Plans with a share below 1 that begin in the same way (by day, or after
        progression) are alternatives: a patient gets one of them at most. After progression it is one of all
        who stop, made up from those who are fit.
    liver_min
        After progression: liver reserve (0 to 1) from which on it is given.
    lives_min
        After progression: chance to live twelve weeks (by the hazard of death) from which on it is given.
    every, times
        The first dose of a regimen, repeated: days between, and how often (infusions).
    missed
        Chance that a dose is missed.
    """

    regimens: tuple[str, ...]
    after_progression: bool = False
    start: float = 0.0
    until: float = float("inf")
    intensity: float = 1.0
    light_kg: float = 0.0
    light_factor: float = 1.0
    share: float = 1.0
    liver_min: float = 0.0
    lives_min: float = 0.0
    every: float = 0.0
    times: int = 1
    missed: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedurePlan:
    """A procedure on lesions, on `day` and then `times` - 1 times every so many days, until progression."""

    kind: str
    day: float = 0.0
    every: float = 0.0
    times: int = 1
    lesion: str = "all"

    @property
    def days(self) -> tuple[float, ...]:
        """Planned days."""
        return tuple(self.day + self.every * k for k in range(self.times))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One arm.

    Attributes
    ----------
    name, arm_id
        As shown, and as the tables key it.
    n
        Patients.
    control
        The arm that others are compared with.
    stop_at_progression
        Whether what is given by day stops at progression, by the criterion of the trial.
    beyond_visits
        Visits that treatment goes on after the one that showed progression.
    prior
        Regimens that patients had, until they failed, before they were enrolled: an earlier line.
    prior_intolerant
        Share of patients who left the earlier line because they did not tolerate it.
    eligibility
        Who is enrolled in this arm, beyond the trial's own eligibility.
    """

    name: str
    arm_id: str
    n: int
    control: bool = False
    stop_at_progression: bool = True
    beyond_visits: int = 0
    drugs: tuple[DrugPlan, ...] = ()
    procedures: tuple[ProcedurePlan, ...] = ()
    prior: tuple[str, ...] = ()
    prior_intolerant: float = 0.0
    eligibility: Eligibility = field(default_factory=Eligibility)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """Scans: every so many days until a day, then every so many.

    The baseline is made before treatment, within `baseline` days, evenly between patients (an assumption:
    trials give the limit, which RECIST 1.1 sets at four weeks, doi:10.1016/j.ejca.2008.10.026, and not the
    days). Scans end when treatment stops for progression, or `after_stop` scans later.
    """

    every: float = 56.0
    until: float = 365.0
    then: float = 84.0
    after_stop: int = 0
    baseline: float = BASELINE_DAYS

    def days(self, last: float) -> tuple[float, ...]:
        """Days of scans after day 0, up to `last`.

        Examples
        --------
        >>> Visits(every=42, until=84, then=84).days(300)
        (42.0, 84.0, 168.0, 252.0)
        """
        found, day = list[float](), 0.0
        while True:
            day += self.every if day + self.every <= self.until + 1e-9 else self.then
            if day > last + 1e-9:
                return tuple(found)
            found.append(day)


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """How long patients are followed.

    Attributes
    ----------
    days
        Days that the last patient enrolled is followed until the data cut.
    accrual_days
        Days over which patients are enrolled, evenly: earlier ones are followed longer.
    dropout_per_year
        Rate of dropout without toxicity; the model's where not given.
    """

    days: float = 730.0
    accrual_days: float = 0.0
    dropout_per_year: float | None = None

    @property
    def longest(self) -> float:
        """Days that the first patient is followed."""
        return self.days + self.accrual_days


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A virtual trial.

    Attributes
    ----------
    arms
        Arms, sorted by `arm_id`: their order in a file changes nothing.
    mix
        Share of patients with a trait, as the trial reports its baseline; see `SHARES`. Reached by enrolling
        patients with a chance that depends on the trait.
    handles
        Handles that are on in all patients, as multiples of the typical size.
    mixed
        Whether other handles are on in some patients.
    reading_sd
        Standard deviation of the logarithm of a diameter as read; its shape is of `reading`.
    assessor
        Word for who reads, as it stands in the tables.
    progression
        Criterion (a key of `CRITERIA`) by which progression ends treatment.
    confirmed
        Whether a response must be confirmed to count.
    endpoints
        Endpoints wanted (names of ``endpoints_long.csv``); all where empty.
    note
        What is assumed or left out.
    """

    name: str
    arms: tuple[Arm, ...]
    title: str = ""
    line: str = ""
    note: str = ""
    eligibility: Eligibility = field(default_factory=Eligibility)
    mix: Mapping[str, float] = field(default_factory=dict[str, float])
    handles: Mapping[str, float] = field(default_factory=dict[str, float])
    mixed: bool = True
    visits: Visits = field(default_factory=Visits)
    follow_up: FollowUp = field(default_factory=FollowUp)
    reading_sd: float = READING_SD
    assessor: str = "independent"
    progression: str = "recist11"
    criteria: tuple[str, ...] = tuple(CRITERIA)
    confirmed: bool = True
    endpoints: tuple[str, ...] = ()
    replicates: int = 200
    seed: int = 0

    @property
    def control(self) -> str | None:
        """The control arm's id, if there is one."""
        return next((arm.arm_id for arm in self.arms if arm.control), None)

    def arm(self, name: str) -> Arm:
        """Return an arm by id or name.

        Raises
        ------
        ConfigError
            Where there is none.
        """
        for arm in self.arms:
            if name in {arm.arm_id, arm.name}:
                return arm
        message = f"no arm {name!r} in {self.name}. Its arms: {', '.join(arm.arm_id for arm in self.arms)}"
        raise ConfigError(message)
