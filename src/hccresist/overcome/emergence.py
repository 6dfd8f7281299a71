"""Do patterns of response come out of the model? *Assess* judges simulated patients as it does a clinic's.

Nothing here knows a pattern. A `Setting` says what is given to whom and what is switched on or off;
`find_out` simulates it, makes a clinic's tables, and lets *assess* judge them. The same patients (numbers,
seed) go into every setting, so that two settings differ by what is switched and by nothing else. `CASES`
holds, for each pattern, the setting in which it is looked for and those in which its cause is taken away.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.assess.closer import BY_PATIENT, Look
from hccresist.assess.engine import assess_study
from hccresist.assess.patterns import derive_pattern_rates
from hccresist.outcomes.counts import Counts
from hccresist.outcomes.kaplan_meier import Curve, Estimate, kaplan_meier, restricted_mean
from hccresist.overcome.engine import Job, Result, run_population
from hccresist.overcome.model.parameters import read_model
from hccresist.overcome.plan import Given
from hccresist.overcome.population import MOST_LESIONS, SLOTS, Population, draw_population, find_handle_values
from hccresist.overcome.scans import make_tables
from hccresist.study.frames import study_from_frames
from hccresist.study.study import StudyConfig

Array = NDArray[np.float64]
CRITERIA: Final = ("recist11", "mrecist", "irecist")
RESPONSES: Final = ("CR", "PR")
PATIENTS: Final = 200
"""Patients of a case."""
MANY: Final = 300
"""Patients of a cohort with the default parameters."""
ARM: Final = 1_000
"""Patients of an arm whose survival is compared."""
SPLIT: Final = 120.0
"""Day that parts early from late survival."""


@dataclass(frozen=True)
class Setting:
    """What is simulated and how it is judged.

    Attributes
    ----------
    drugs
        Regimens, or drugs for their standard regimen; all from day 0.
    stop
        Day from which nothing is given.
    handles, values, mixed
        See `population.draw_population`.
    one_lesion
        Handles that are on in the second lesion alone; as ``handles``.
    alike
        Whether all lesions of a patient have the size and the parameters of the first.
    until, every
        Last day; days between scans.
    looks
        Days between looks by the modeller, beside the scans; zero: none.
    origin
        Day that counts as day 0 of the line that is judged; drugs given before are of an earlier line.
    error
        Whether diameters are read with measurement error.
    first, count
        Number of the first patient; patients.
    """

    drugs: tuple[str, ...] = ()
    stop: float = np.inf
    handles: Mapping[str, float] = field(default_factory=dict[str, float])
    values: Mapping[str, float] = field(default_factory=dict[str, float])
    mixed: bool = False
    one_lesion: Mapping[str, float] = field(default_factory=dict[str, float])
    alike: bool = False
    until: float = 364.0
    every: float = 56.0
    looks: float = 0.0
    origin: float = 0.0
    error: bool = False
    first: int = 0
    count: int = PATIENTS


@dataclass(frozen=True)
class Found:
    """What came of a setting.

    Attributes
    ----------
    setting
        What was simulated.
    result
        The patients, as the model has them.
    tables
        The patients, as a clinic has them.
    made
        Result tables of *assess*: timepoints, best_response, baselines, patterns, discordance, pattern_rates.
    """

    setting: Setting
    result: Result
    tables: Mapping[str, pl.DataFrame]
    made: Mapping[str, pl.DataFrame]

    def count(self, definition: str, denominator: str = "evaluable") -> tuple[int, int]:
        """Patients who meet a definition, and of how many."""
        rows = self.made["pattern_rates"].filter(definition=definition, denominator=denominator)
        return (int(rows["met"][0]), int(rows["n"][0])) if rows.height else (0, 0)

    def who(self, definition: str) -> NDArray[np.bool_]:
        """Which patients meet a definition; shape = (n,)."""
        rows = self.made["patterns"].filter(pl.col("definition") == definition, pl.col("met"))
        return np.isin(self.names, rows["patient_id"].to_numpy())

    def number(self, definition: str) -> Array:
        """Give the number that decides a definition, of each patient who can be judged."""
        rows = self.made["patterns"].filter(pl.col("definition") == definition, pl.col("evaluable"))
        return rows["value"].drop_nulls().to_numpy()

    def count_best(self, better: str, worse: str) -> tuple[int, int]:
        """Patients with response by one criterion and none by another, and of how many judged by both."""
        best = self.made["best_response"]
        both = best.filter(criterion=better).join(best.filter(criterion=worse), on=["patient_id", "reader"])
        both = both.filter(pl.col("best") != "NE", pl.col("best_right") != "NE")
        met = both.filter(pl.col("best").is_in(RESPONSES), ~pl.col("best_right").is_in(RESPONSES))
        return met.height, both.height

    def count_responding(self, day: float, criterion: str = "recist11") -> tuple[int, int]:
        """Patients with an overall response of CR or PR on a scan day, and of how many."""
        rows = self.made["timepoints"].filter(pl.col("criterion") == criterion, pl.col("day") == day)
        return rows.filter(pl.col("overall").is_in(RESPONSES)).height, len(self.names)

    @property
    def names(self) -> NDArray[np.str_]:
        """Identifiers of the patients, in the order of the arrays."""
        return self.tables["patients"]["patient_id"].to_numpy()

    def growth(self, day: float) -> tuple[Array, Array]:
        """Growth (mL) of the baseline lesions from day 0 to a look: tumour cells, all else; shape = (n,)."""
        first, last = (self._add("cells_ml", at) for at in (0.0, day))
        before, after = (self._add("whole_volume", at) for at in (0.0, day))
        return last - first, (after - before) - (last - first)

    def _add(self, output: str, day: float) -> Array:
        """Sum of an output over the baseline lesions; not a number where a patient was not followed."""
        at, lesions = self.find_day(day), self.result.population.lesions
        total = np.zeros(len(lesions))
        for slot in range(MOST_LESIONS):
            total += np.where(slot < lesions, self.result.output(output, slot=slot)[:, at], 0.0)
        return total

    def find_day(self, day: float) -> int:
        """Index of a day on which results were kept."""
        return make_job(self.setting).visits.index(day)


def find_out(setting: Setting, *, threads: int | None = None) -> Found:
    """Simulate a setting and have *assess* judge it."""
    result, tables = simulate_setting(setting, threads=threads)
    config = StudyConfig(index_line=2 if setting.origin else 1, simulated=True)
    study = study_from_frames(config=config, **tables)
    made = dict(assess_study(study, criteria=CRITERIA).tables)
    look = Look(study, made)
    for name in ("patterns", "discordance"):
        made[name] = BY_PATIENT[name].make(look)
    made["pattern_rates"] = derive_pattern_rates(made["patterns"])
    return Found(setting, result, tables, made)


def simulate_setting(
    setting: Setting, *, threads: int | None = None
) -> tuple[Result, dict[str, pl.DataFrame]]:
    """Simulate a setting: the patients as the model has them, and as a clinic has them."""
    job = make_job(setting)
    result = run_population(job, make_population(setting), threads=threads)
    tables = make_tables(result, job, scans=find_scans(setting), error=setting.error)
    return result, start_anew(tables, setting.origin) if setting.origin else tables


def find_scans(setting: Setting) -> tuple[float, ...]:
    """Days of scans: those before the judged line but for one are left out where there is an earlier line."""
    scans = np.arange(0.0, setting.until + 1e-9, setting.every)
    kept = scans[scans >= setting.origin - setting.every]
    return tuple(kept.tolist()) if setting.origin else (-np.inf, *kept.tolist())


def make_job(setting: Setting) -> Job:
    """Make the job of a setting."""
    days = set(find_scans(setting))
    if setting.looks:
        days |= set(np.arange(0.0, setting.until + 1e-9, setting.looks).tolist())
    given = tuple(Given(drug, until=setting.stop) for drug in setting.drugs)
    return Job(given, tuple(sorted(days)), setting.until)


def make_population(setting: Setting) -> Population:
    """Draw the patients of a setting and change the lesions that differ."""
    people = draw_population(
        np.arange(setting.first, setting.first + setting.count),
        handles=setting.handles,
        values=setting.values,
        mixed=setting.mixed,
    )
    names = read_model().names("lesion")
    params = people.params.copy()
    start = params.shape[1] - SLOTS * len(names)
    lesions = params[:, start:].reshape(len(params), SLOTS, len(names))
    sizes = people.diameters
    if setting.alike:
        lesions[:] = lesions[:, :1]
        sizes = np.where(sizes > 0, sizes[:, :1], 0.0)
    for name, value in find_handle_values(setting.one_lesion).items():
        lesions[:, 1, names.index(name)] = value
    params[:, start:] = lesions.reshape(len(params), -1)
    return replace(people, params=params, diameters=sizes)


def start_anew(tables: Mapping[str, pl.DataFrame], origin: float) -> dict[str, pl.DataFrame]:
    """Tables with another day 0: what was given before is the first line, what is judged the second.

    Patients who did not live to that day are left out.
    """
    alive = tables["survival"].filter(pl.col("os_days") > origin)["patient_id"].to_list()
    kept = {name: table.filter(pl.col("patient_id").is_in(alive)) for name, table in tables.items()}
    days = ("day", "start_day", "end_day", "os_days")
    return {
        name: table.with_columns(pl.col(column) - origin for column in days if column in table.columns)
        for name, table in kept.items()
    }


@dataclass(frozen=True)
class Halves:
    """Difference of mean survival (days, treated less untreated) in two stretches of time.

    Attributes
    ----------
    early
        From day 0 to the split.
    late
        From the split to the end, among those who lived to the split.
    """

    early: Estimate
    late: Estimate


def compare_halves(treated: pl.DataFrame, untreated: pl.DataFrame, *, split: float, until: float) -> Halves:
    """Compare survival before and after a day by restricted means.

    Parameters
    ----------
    treated, untreated
        Tables `survival` of independent patients.
    split, until
        Days.
    """
    early = _differ([restricted_mean(estimate_survival(table), split) for table in (treated, untreated)])
    late = [
        restricted_mean(estimate_survival(table, landmark=split), until - split)
        for table in (treated, untreated)
    ]
    return Halves(early, _differ(late))


def estimate_survival(survival: pl.DataFrame, *, landmark: float = 0.0) -> Curve:
    """Estimate survival (Kaplan-Meier) from a landmark day on, of those alive on it."""
    rows = survival.filter(pl.col("os_days") > landmark).with_columns(pl.col("os_days") - landmark)
    days = rows.group_by("os_days").agg(pl.col("died").sum(), pl.len()).sort("os_days")
    died = days["died"].to_numpy().astype(np.int64)
    none = np.zeros(0)
    return kaplan_meier(
        Counts(
            days=days["os_days"].to_numpy(),
            events=died,
            censored=days["len"].to_numpy().astype(np.int64) - died,
            entry_days=none,
            entries=none.astype(np.int64),
        )
    )


def _differ(means: list[Estimate]) -> Estimate:
    """First less second, with normal limits; both are independent."""
    values = [each.value or 0.0 for each in means]
    first, second = ((each.high or 0.0) - value for each, value in zip(means, values, strict=True))
    half = math.hypot(first, second)
    difference = values[0] - values[1]
    return Estimate(difference, difference - half, difference + half)


# ---- the cases -------------------------------------------------------------------------------------------

_CHECKPOINT: Final = ("nivolumab",)
_NO_NEW: Final = {"new_lesion_rate": 0.0}
_DRY: Final = {"oedema_volume": 0.0}
_NO_VOLUME: Final = {"oedema_volume": 0.0, "lymphocyte_volume": 0.0, "macrophage_volume": 0.0}
_RESPONDS: Final = {"expansion_rate": 0.05, "prime_rate": 0.1}
"""Patients whose T cells divide and are primed fast enough to respond to checkpoint inhibitors."""
_SLOW: Final = _RESPONDS | {"growth_rate": 0.006}
"""The same in slow tumours, which do not progress before they respond: no late response is in the way."""
_SPREAD: Final = {"new_lesion_rate": 10.0, "micromet_growth": 0.001}
"""Micrometastases that become visible early though there are few."""
_HELD: Final = _NO_NEW | _DRY | {"growth_rate": 0.028, "traffic": 0.1, "brake_half": 2.0}
"""Fast tumours that T cells hold before treatment; little PD-1 brake, so that its block gives little."""
_BY_MEMORY: Final = _NO_NEW | {
    "death_rate": 0.0,
    "dropout_rate": 0.0,
    "prime_rate": 0.001,
    "memory_share": 0.3,
    "memory_output": 0.4,
}
"""T cells come from stem-like memory, hardly from new priming; nobody dies or leaves for two years."""
STOP: Final = 168.0
LATE: Final = 728.0
_REBOUND: Final = Setting(("lenvatinib",), stop=STOP, origin=STOP, every=28.0, values=_NO_NEW)
_MEMORY: Final = Setting(_CHECKPOINT, stop=STOP, until=LATE, values=_BY_MEMORY)
_DEFAULT: Final = Setting(mixed=True, count=MANY)
_NO_KILLING: Final = {"cd8_kill_max": 1e-9}
_HYPER_OFF: Final = {"hyper_growth": 0.0, "hyper_treg": 0.0}

CASES: Final[Mapping[str, Setting]] = {
    # Infiltrate and oedema that outgrow dying tumour
    "oedema": Setting(_CHECKPOINT, values=_SLOW | _NO_NEW, handles={"oedema": 3.0}),
    "oedema off": Setting(_CHECKPOINT, values=_SLOW | _NO_NEW),
    "oedema without volume": Setting(
        _CHECKPOINT, values=_SLOW | _NO_NEW | _NO_VOLUME, handles={"oedema": 3.0}
    ),
    "oedema untreated": Setting((), values=_SLOW | _NO_NEW, handles={"oedema": 3.0}),
    # Micrometastases that become visible
    "micrometastases": Setting(_CHECKPOINT, values=_SLOW | _DRY | _SPREAD),
    "micrometastases off": Setting(_CHECKPOINT, values=_SLOW | _DRY | _NO_NEW),
    # Hyperprogression of the tumour
    "hyper_growth": Setting(_CHECKPOINT, handles={"hyper_growth": 1.0}),
    "hyper_growth off": Setting(_CHECKPOINT),
    "hyper_growth without volume": Setting(_CHECKPOINT, values=_NO_VOLUME, handles={"hyper_growth": 1.0}),
    "hyper_growth untreated": Setting((), handles={"hyper_growth": 1.0}),
    "hyper_treg": Setting(_CHECKPOINT, values=_HELD, handles={"hyper_treg": 1.0}),
    "hyper_treg off": Setting(_CHECKPOINT, values=_HELD),
    "hyper_treg without volume": Setting(_CHECKPOINT, values=_HELD | _NO_VOLUME, handles={"hyper_treg": 1.0}),
    # Rebound after a kinase inhibitor
    "rebound": _REBOUND,
    "rebound off": replace(_REBOUND, stop=np.inf),
    "rebound never treated": replace(_REBOUND, drugs=()),
    # One lesion shuts T cells out
    "mixed": Setting(
        _CHECKPOINT, values=_RESPONDS | _NO_NEW | _DRY, alike=True, one_lesion={"exclusion": 4.0}
    ),
    "mixed off": Setting(_CHECKPOINT, values=_RESPONDS | _NO_NEW | _DRY, alike=True),
    # Pruned vessels take enhancement away
    "enhancement": Setting(("bevacizumab",)),
    "enhancement off": Setting(("bevacizumab",), values={"enhancement_half": 1e-3}),
    "enhancement and debris off": Setting(
        ("bevacizumab",), values={"enhancement_half": 1e-3, "debris_clear": 5.0}
    ),
    # Response that outlives the drug
    "memory": _MEMORY,
    "memory off": replace(_MEMORY, values=_BY_MEMORY | {"memory_output": 0.0}),
    "memory not stopped": replace(_MEMORY, stop=np.inf),
    # The default population
    "nivolumab": replace(_DEFAULT, drugs=_CHECKPOINT),
    "nivolumab read": replace(_DEFAULT, drugs=_CHECKPOINT, error=True),
    "nivolumab off": replace(_DEFAULT, drugs=_CHECKPOINT, handles=_HYPER_OFF),
    "nivolumab off read": replace(_DEFAULT, drugs=_CHECKPOINT, handles=_HYPER_OFF, error=True),
    "placebo": _DEFAULT,
    "placebo read": replace(_DEFAULT, error=True),
    # Survival; the arms are of different patients, T cells that cannot kill are the control
    "survival nivolumab": Setting(_CHECKPOINT, mixed=True, until=LATE, count=ARM),
    "survival untreated": Setting((), mixed=True, until=LATE, count=ARM, first=ARM),
    "survival nivolumab, no killing": Setting(
        _CHECKPOINT, mixed=True, until=LATE, count=ARM, values=_NO_KILLING, handles=_HYPER_OFF
    ),
    "survival untreated, no killing": Setting(
        (), mixed=True, until=LATE, count=ARM, first=ARM, values=_NO_KILLING, handles=_HYPER_OFF
    ),
}
"""Settings by name: with the cause of a pattern, and (``off`` and others) without."""
