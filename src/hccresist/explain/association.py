"""Which mechanism, alteration, marker or pattern goes with response, resistance and survival.

For each feature and outcome, in all patients and in each arm:

- two classes (response, primary resistance): rank test with AUC, or Fisher's exact test for what is
  there or not; with covariates a logistic regression besides;
- time to event (PFS, OS, acquired resistance): Cox regression, with covariates besides;
- with two arms or more the interaction of feature and arm, which alone can tell what is predictive;
- what is known only after the start of treatment: from a landmark and, where it is there or not, by
  time-dependent Cox regression of OS; for two classes it is refused.

An association is no proof that the mechanism acts. `docs/explanation/association.md` gives the rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl

from hccresist.explain.association_covariates import Covariate, collect_covariates
from hccresist.explain.association_features import check_features
from hccresist.explain.association_logistic import PENALISED, fit_logistic
from hccresist.explain.association_null import NullSets, compare_classes, compare_times
from hccresist.explain.association_outcomes import Outcome, collect_outcomes
from hccresist.explain.association_survival import Times, fit_cox, fit_over_time
from hccresist.explain.association_tests import Bools, Fit, Floats, exact_test, judge_terms, rank_test
from hccresist.explain.association_time import (
    NO_LANDMARK,
    NOT_AT_SCANS,
    REFUSED,
    Compared,
    Feature,
    Landmark,
    align_features,
    choose_landmark,
    from_entry,
    from_landmark,
    while_known,
)
from hccresist.explain.results import Associations
from hccresist.outcomes.groups import arm_names, arm_of_patients
from hccresist.study.study import Study

NO_CONTROL: Final = "prognostic or unknown: no control arm"
"""Said of every association in a study with fewer than two arms."""

ALLOCATED: Final = "predictive only if the arms were allocated at random"

RANK: Final = "rank"
EXACT: Final = "exact"
LOGISTIC: Final = "logistic_adjusted"
COX: Final = "cox"
ADJUSTED: Final = "cox_adjusted"
LANDMARK: Final = "cox_landmark"
OVER_TIME: Final = "cox_time_dependent"
INTERACTION: Final = "interaction"

TESTS: Final = (RANK, EXACT, LOGISTIC, COX, ADJUSTED, LANDMARK, OVER_TIME, INTERACTION)
"""Values of `test` in table `associations`."""

Found = tuple[str, str, Fit, float | None]
"""Test, group, what was found, and the p of the null of random sets."""

NULL_UP_TO: Final = 0.1
"""p up to which a set is compared with random ones (ours): above it nothing is said to go with it."""

_FAMILY: Final = ("outcome", "test", "group", "kind")


def associate(
    study: Study,
    *,
    features: pl.DataFrame,
    tables: Mapping[str, pl.DataFrame],
    null_sets: NullSets | None = None,
    covariates: Sequence[str] = (),
    landmark_days: float | None = None,
    criterion: str | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """Return what goes with response, class of resistance, PFS and OS: table `associations`.

    1. One value a patient: of several samples the last before or on day 0, else the first after it;
       who is sampled after day 0 enters on the day of the sample, and is left out of two-class tests.
    2. A feature known only after day 0 is compared from a landmark, or by time-dependent Cox, or refused.
    3. With fewer than 10 patients in a class, 10 events for each term of a regression, or 5 patients with
       or without a two-valued feature in it, there is an estimate with its interval, no p and no q, and the
       caveat says "too few to say".
    4. Benjamini–Hochberg over the features of one kind within outcome, test and group.
    5. Numbers other than 0 and 1 enter regressions in standard deviations of the patients analysed.

    Parameters
    ----------
    study
        Arms, covariates, survival with delayed entry, plan of visits.
    features
        Columns patient_id, sample_id (or null), feature, kind (score, alteration, marker, pattern), value
        (0 and 1 for what is there or not) and known_day (null: at the start), as `collect_features` gives.
        Markers and patterns may have several rows a patient, one a day. Where some patients are known at
        the start not to have it, others have it from their day on, and not before; where nobody is, it
        is not known before the first day.
    tables
        Result tables by name: best_response, timepoints, resistance, events. What is missing is made from the
        study's own responses and survival.
    null_sets
        For features that are scores of gene sets: what random sets are drawn from.
    covariates
        Columns of tables `patients` or `samples`; patients without one of them are left out of the
        adjusted models.
    landmark_days
        Day of the landmark; by default that of the first scan (`choose_landmark`).
    criterion
        Criterion of response and PFS; the study's first by default.
    seed
        Seed of the random sets.

    Returns
    -------
    pl.DataFrame
        Table `associations`, sorted by key. `events` of a two-class outcome is the smaller class.

    Raises
    ------
    InputError
        With every problem of the table of features.
    ConfigError
        For a covariate, criterion or landmark that cannot be used.

    References
    ----------
    Benjamini Y, Hochberg Y. J R Stat Soc B 1995;57:289–300, doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    patients = tuple(sorted(study.patients["patient_id"]))
    checked = align_features(check_features(study, features), patients)
    arms = _arms(study, patients)
    names = arm_names(study)
    plan = _Plan(
        arms=arms,
        groups={"": np.ones(len(patients), dtype=np.bool_)}
        | ({name: arms == name for name in names} if len(names) > 1 else {}),
        covariates=tuple(collect_covariates(study, covariates, patients=patients)),
        landmark=choose_landmark(study, timepoints=tables.get("timepoints"), landmark_days=landmark_days),
        null_sets=null_sets,
        seed=seed,
    )
    outcomes = collect_outcomes(study, tables=tables, patients=patients, criterion=criterion)
    rows = [row for feature in checked for row in plan.rows(feature, outcomes)]
    return _finish(rows)


def _arms(study: Study, patients: Sequence[str]) -> np.ndarray:
    of_patient = dict(arm_of_patients(study).iter_rows())
    return np.array([of_patient[patient] or "" for patient in patients], dtype=object)


def _finish(rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    """Add q within each family and sort by key."""
    schema = Associations.create_empty().schema
    table = pl.DataFrame(rows, schema={**schema, "kind": pl.String})
    parts = [_with_q(part) for part in table.partition_by(_FAMILY)] if rows else [table]
    made = pl.concat(parts).select(list(schema))
    return Associations.validate(made.sort(Associations.primary_key()))


def _with_q(family: pl.DataFrame) -> pl.DataFrame:
    from scipy.stats import false_discovery_control  # noqa: PLC0415  (the command line starts without SciPy)

    p = family["p"].to_numpy()
    told = ~np.isnan(p)
    q = np.full(len(p), np.nan)
    if told.any():
        q[told] = false_discovery_control(p[told])
    return family.with_columns(q=pl.Series(q).fill_nan(None))


@dataclass
class _Null:
    """The random sets of one feature, drawn when they are first asked for."""

    sets: NullSets | None
    feature: str
    seed: int

    @cached_property
    def scores(self) -> Floats | None:
        return None if self.sets is None else self.sets.scores(self.feature, seed=self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What every feature is compared within: arms, groups, covariates, landmark, random sets."""

    arms: np.ndarray
    groups: Mapping[str, Bools]
    covariates: tuple[Covariate, ...]
    landmark: Landmark | None
    null_sets: NullSets | None
    seed: int

    @property
    def controlled(self) -> bool:
        return len(self.groups) > 1

    def rows(self, feature: Feature, outcomes: Sequence[Outcome]) -> Iterator[dict[str, object]]:
        """Yield the rows of one feature, one an outcome, test and group."""
        null = _Null(self.null_sets, feature.name, self.seed)
        for outcome in outcomes:
            for test, group, fit, null_p in self._found(feature, outcome, null):
                yield {
                    "feature": feature.name,
                    "kind": feature.kind,
                    "outcome": outcome.name,
                    "test": test,
                    "group": group,
                    "n": fit.n,
                    "events": fit.events,
                    "effect": fit.effect,
                    "measure": fit.measure,
                    "low": fit.low,
                    "high": fit.high,
                    "p": fit.p,
                    "q": None,
                    "null_p": null_p,
                    "caveat": self._caveat(test, outcome, fit),
                }

    def _caveat(self, test: str, outcome: Outcome, fit: Fit) -> str:
        control = () if self.controlled else (NO_CONTROL,)
        allocated = (ALLOCATED,) if test == INTERACTION else ()
        return "; ".join(dict.fromkeys((*fit.notes, *outcome.notes, *allocated, *control)))

    def _found(self, feature: Feature, outcome: Outcome, null: _Null) -> Iterator[Found]:
        if outcome.classes is not None:
            yield from self._classes(feature, outcome.classes, null)
        elif outcome.times is not None and feature.later:
            yield from self._later(feature, outcome.name, outcome.times)
        elif outcome.times is not None:
            yield from self._times(feature, outcome.times, null)

    def _classes(self, feature: Feature, classes: Floats, null: _Null) -> Iterator[Found]:
        test = EXACT if feature.binary else RANK
        whole = ~np.isnan(feature.values) & ~np.isnan(classes)
        if feature.later:
            yield test, "", Fit(n=int(whole.sum()), events=0, notes=(REFUSED,)), None
            return
        for group, members in self.groups.items():
            rows = whole & members & ~feature.late
            notes = _left_out(feature, members & ~np.isnan(classes))
            values, positive = feature.values[rows], classes[rows] == 1
            fit = exact_test(values == 1, positive) if feature.binary else rank_test(values, positive)
            null_p = self._null_p(feature, rows, null, classes=positive, fit=fit)
            yield test, group, fit.noting(*notes), null_p
            if self.covariates:
                yield LOGISTIC, group, self._logistic(feature, classes, rows).noting(*notes), None
        if self.controlled:
            rows = whole & ~feature.late
            yield from self._interactions(feature, rows, classes=classes)

    def _times(self, feature: Feature, times: Times, null: _Null) -> Iterator[Found]:
        whole = ~np.isnan(feature.values) & ~np.isnan(times.days)
        for group, members in self.groups.items():
            made = from_entry(feature, times, rows=whole & members)
            made = made.noting(*_without(feature, members & ~np.isnan(times.days)))
            fit = _cox(feature, made, {})
            null_p = self._null_p(feature, made.rows, null, times=made.times, fit=fit)
            yield COX, group, fit, null_p
            if self.covariates:
                yield ADJUSTED, group, self._adjusted(feature, made), None
        if self.controlled:
            yield from self._interactions(feature, whole, times=times)

    def _later(self, feature: Feature, outcome: str, times: Times) -> Iterator[Found]:
        whole = ~np.isnan(times.days) & times.observed
        for group, members in self.groups.items():
            rows = whole & members
            if self.landmark is None:
                yield LANDMARK, group, Fit(n=int(rows.sum()), events=0, notes=(NO_LANDMARK,)), None
            else:
                made = from_landmark(feature, times, rows=rows, landmark=self.landmark)
                yield LANDMARK, group, _cox(feature, made, {}), None
            if feature.binary and outcome == NOT_AT_SCANS:
                made = while_known(feature, times, rows=rows)
                fit = fit_over_time(made.times, made.values).noting(*made.notes)
                yield (
                    OVER_TIME,
                    group,
                    judge_terms(fit, 1, carriers=_carriers((made.values < np.inf).astype(np.float64))),
                    None,
                )

    def _logistic(self, feature: Feature, classes: Floats, rows: Bools) -> Fit:
        known = rows & self._covered()
        columns = self._columns(known)
        values, unit = _scaled(feature.values[known], binary=feature.binary)
        positive = classes[known] == 1
        fit = Fit(n=len(values), events=int(min(positive.sum(), (~positive).sum())))
        fit = fit.noting(_incomplete(rows, known))
        if fit.events == 0 or np.ptp(values) == 0:
            return fit.noting("not estimable: one class is empty, or the value is the same in every patient")
        fit = _odds(fit, np.column_stack([values, *columns.values()]), positive, term=0)
        fit = replace(fit, measure=f"odds ratio{unit}, {self._said()}" if fit.measure else "")
        return judge_terms(fit, 1 + len(columns), carriers=_carriers_if(feature, feature.values[known]))

    def _adjusted(self, feature: Feature, made: Compared) -> Fit:
        known = made.rows & self._covered()
        inside = known[made.rows]
        part = Compared(
            rows=known, values=made.values[inside], times=made.times.select(inside), notes=made.notes
        )
        fit = _cox(feature, part, self._columns(known)).noting(_incomplete(made.rows, known))
        return replace(fit, measure=f"{fit.measure}, {self._said()}" if fit.measure else "")

    def _interactions(
        self, feature: Feature, rows: Bools, *, classes: Floats | None = None, times: Times | None = None
    ) -> Iterator[Found]:
        """Yield the interaction of the feature with each arm against the first by name."""
        reference, *others = (name for name in self.groups if name)
        for arm in others:
            chosen = rows & np.isin(self.arms, (reference, arm))
            group = f"{arm} vs {reference}"
            if classes is not None:
                yield INTERACTION, group, self._interact_classes(feature, chosen, arm, classes), None
            elif times is not None:
                made = from_entry(feature, times, rows=chosen)
                yield INTERACTION, group, self._interact_times(feature, made, arm), None

    def _interact_classes(self, feature: Feature, rows: Bools, arm: str, classes: Floats) -> Fit:
        values, unit = _scaled(feature.values[rows], binary=feature.binary)
        inside = (self.arms[rows] == arm).astype(float)
        positive = classes[rows] == 1
        fit = Fit(n=len(values), events=int(min(positive.sum(), (~positive).sum())))
        if fit.events == 0:
            return fit.noting("not estimable: one class is empty")
        fit = _odds(fit, np.column_stack([values * inside, values, inside]), positive, term=0)
        fit = replace(fit, measure=f"ratio of odds ratios{unit}" if fit.measure else "")
        return judge_terms(fit, 3, carriers=_carriers_if(feature, feature.values[rows]))

    def _interact_times(self, feature: Feature, made: Compared, arm: str) -> Fit:
        values, unit = _scaled(made.values, binary=feature.binary)
        inside = (self.arms[made.rows] == arm).astype(float)
        fit = fit_cox(made.times, {"both": values * inside, "value": values, "arm": inside}, term="both")
        fit = replace(fit, measure=f"ratio of hazard ratios{unit}" if fit.measure else "")
        return judge_terms(fit.noting(*made.notes), 3, carriers=_carriers_if(feature, made.values))

    def _null_p(
        self,
        feature: Feature,
        rows: Bools,
        null: _Null,
        *,
        fit: Fit,
        classes: Bools | None = None,
        times: Times | None = None,
    ) -> float | None:
        """Return the p of the null of random sets, where there is one and a p worth the question."""
        if self.null_sets is None or fit.p is None or fit.p > NULL_UP_TO or (scores := null.scores) is None:
            return None
        place = {sample: at for at, sample in enumerate(self.null_sets.samples)}
        found = [
            place.get(sample, -1) for sample, chosen in zip(feature.samples, rows, strict=True) if chosen
        ]
        if -1 in found:
            return None
        drawn = scores[:, found]
        if classes is not None:
            return compare_classes(drawn, classes)
        return None if times is None else compare_times(drawn, times)

    def _covered(self) -> Bools:
        return np.logical_and.reduce([item.known for item in self.covariates])

    def _columns(self, rows: Bools) -> dict[str, Floats]:
        return {name: column for item in self.covariates for name, column in item.columns(rows).items()}

    def _said(self) -> str:
        return f"adjusted for {', '.join(item.name for item in self.covariates)}"


def _cox(feature: Feature, made: Compared, columns: Mapping[str, Floats]) -> Fit:
    """Return the hazard ratio of a feature beside other columns."""
    fit = Fit(n=len(made.values), events=int(made.times.event.sum()))
    if not len(made.values):
        return fit.noting(*made.notes, "not estimable: no patient is left")
    values, unit = _scaled(made.values, binary=feature.binary)
    fit = fit_cox(made.times, {"__value": values, **columns}, term="__value")
    fit = replace(fit, measure=f"{fit.measure}{unit}" if fit.measure else "").noting(*made.notes)
    return judge_terms(fit, 1 + len(columns), carriers=_carriers_if(feature, made.values))


def _odds(fit: Fit, design: Floats, positive: Bools, *, term: int) -> Fit:
    """Add the odds ratio of one column of a logistic regression."""
    found = fit_logistic(design, positive, term=term)
    if found is None:
        return fit.noting("not estimable: the terms of the model are collinear")
    low, high = (None if limit is None else float(np.exp(limit)) for limit in (found.low, found.high))
    fit = replace(fit, measure="odds ratio", effect=float(np.exp(found.value)), low=low, high=high, p=found.p)
    return fit.noting(PENALISED if found.penalised else "")


def _scaled(values: Floats, *, binary: bool) -> tuple[Floats, str]:
    """Return values in standard deviations, and the words for it; two-valued ones as they are."""
    if binary:
        return values, ""
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return ((values - values.mean()) / spread if spread > 0 else values), " per SD"


def _carriers(values: Floats) -> int:
    return int(min((values == 1).sum(), (values != 1).sum()))


def _carriers_if(feature: Feature, values: Floats) -> int | None:
    return _carriers(values) if feature.binary else None


def _left_out(feature: Feature, rows: Bools) -> tuple[str, ...]:
    late = int((rows & feature.late).sum())
    said = (f"{late} left out: their sample was taken after the start of treatment",) if late else ()
    return (*said, *_without(feature, rows))


def _without(feature: Feature, rows: Bools) -> tuple[str, ...]:
    left = int((rows & np.isnan(feature.values)).sum())
    return (f"{left} left out: no value",) if left else ()


def _incomplete(rows: Bools, known: Bools) -> str:
    left = int((rows & ~known).sum())
    return f"{left} left out: a covariate is missing" if left else ""
