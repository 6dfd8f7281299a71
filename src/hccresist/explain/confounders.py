"""The audit before anything is believed: whether purity, PC1 or the batch splits responders by itself.

Where they do, a score that follows them will seem to go with response, too. A confounder that splits
responders in one arm only may be a part of what is looked for; one that does so in every arm is not
about the treatment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import polars as pl

from hccresist.explain.association_covariates import Covariate, collect_covariates, covariate_names
from hccresist.explain.association_features import choose_samples
from hccresist.explain.association_outcomes import collect_outcomes
from hccresist.explain.association_tests import FEW_PATIENTS, TOO_FEW, Bools, Floats, rank_test
from hccresist.explain.results import Confounders
from hccresist.outcomes.groups import arm_names, arm_of_patients
from hccresist.study.study import Study

USUAL: Final = ("purity", "tumour_purity", "tumor_purity", "batch", "plate", "centre", "site", "platform")
"""Columns of tables `patients` and `samples` that are audited where they are there."""

PC1: Final = "pc1"

LEVEL: Final = 0.05
"""Below this p a confounder is said to split responders."""

_TABLES: Final = 9999
"""Random tables for the test of words against response, where counts are small."""


class Expression(Protocol):
    """What the audit reads of an expression matrix; `Matrix` of `hccresist.explain.matrix` fits."""

    @property
    def samples(self) -> tuple[str, ...]:
        """Names of the columns."""
        ...

    @property
    def values(self) -> Floats:
        """Expression on a log scale, NaN where not measured; genes × samples."""
        ...


def audit_confounders(
    study: Study,
    *,
    tables: Mapping[str, pl.DataFrame],
    matrix: Expression | None = None,
    covariates: Sequence[str] = (),
    criterion: str | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """Return table `confounders`: what splits responders by itself, in all patients and in each arm.

    1. Numbers (purity, PC1 of expression): AUC for response and Mann–Whitney p.
    2. Words (batch): chi-square test, by random tables where an expected count is below 5.
    3. No p with fewer than 10 patients in a class.

    PC1 is the first principal component of the genes that every sample has, each gene centred, of the
    sample chosen for each patient; its sign is such that most genes go up with it.

    Parameters
    ----------
    study
        Patients, samples, arms.
    tables
        Result table best_response, else the study's own responses.
    matrix
        Expression, prepared (log scale).
    covariates
        Further columns of `patients` or `samples`; the usual ones (`USUAL`) are always audited.
    criterion
        Criterion of response; the study's first by default.
    seed
        Seed of the random tables.

    Returns
    -------
    pl.DataFrame
        Table `confounders`, sorted by key; empty where nobody's response is known.

    Raises
    ------
    ConfigError
        For a covariate or criterion that does not exist.
    """
    patients = tuple(sorted(study.patients["patient_id"]))
    outcomes = collect_outcomes(study, tables=tables, patients=patients, criterion=criterion)
    classes = next((item.classes for item in outcomes if item.name.startswith("response (")), None)
    there = covariate_names(study)
    wanted = dict.fromkeys((*covariates, *(name for name in USUAL if name in there)))
    found = collect_covariates(study, list(wanted), patients=patients)
    if matrix is not None:
        found.append(_first_component(study, matrix, patients))
    if classes is None:
        return Confounders.create_empty()
    groups = _groups(study, patients)
    rows = [row for item in found for row in _audit(item, classes, groups, seed=seed)]
    table = pl.DataFrame(rows, schema=Confounders.create_empty().schema)
    return Confounders.validate(table.sort(Confounders.primary_key()))


def _groups(study: Study, patients: Sequence[str]) -> dict[str, Bools]:
    everybody = {"": np.ones(len(patients), dtype=np.bool_)}
    names = arm_names(study)
    if len(names) < 2:
        return everybody
    arm = dict(arm_of_patients(study).iter_rows())
    return everybody | {name: np.array([arm[patient] == name for patient in patients]) for name in names}


def _first_component(study: Study, matrix: Expression, patients: Sequence[str]) -> Covariate:
    """Return PC1 of each patient's sample."""
    place = {sample: at for at, sample in enumerate(matrix.samples)}
    sample = _samples(study, place, patients)
    rows = [at for at in (place.get(name, -1) for name in sample) if at >= 0]
    numbers = np.full(len(patients), np.nan)
    if len(rows) > 1:
        numbers[[name in place for name in sample]] = first_component(matrix.values[:, rows])
    return Covariate(name=PC1, numbers=numbers)


def _samples(study: Study, place: Mapping[str, int], patients: Sequence[str]) -> list[str]:
    """Return the sample of each patient that has expression; without a table of samples, its own name."""
    samples = study.table("samples")
    if samples is None:
        return [patient if patient in place else "" for patient in patients]
    used = choose_samples(samples.filter(pl.col("sample_id").is_in(list(place)))).filter("used")
    of_patient = dict(used.select("patient_id", "sample_id").iter_rows())
    return [of_patient.get(patient, "") for patient in patients]


def first_component(values: Floats) -> Floats:
    """Return the first principal component of each sample.

    Parameters
    ----------
    values
        Expression; genes × samples. Genes with a missing value are not used.

    Returns
    -------
    NDArray
        Shape = (n_samples,), with mean 0; NaN where no gene varies.
    """
    whole = values[~np.isnan(values).any(axis=1)]
    centred = whole - whole.mean(axis=1, keepdims=True) if len(whole) else whole
    size, axes = np.linalg.eigh(centred.T @ centred)
    if not len(whole) or size[-1] <= 1e-12:
        return np.full(values.shape[1], np.nan)
    axis = axes[:, -1] * np.sqrt(size[-1])
    return axis if (centred @ axis).sum() >= 0 else -axis


@dataclass(frozen=True, slots=True, kw_only=True)
class _Split:
    """What one confounder does in one group."""

    n: int
    auc: float | None
    p: float | None
    note: str

    @property
    def splits(self) -> bool:
        return self.p is not None and self.p < LEVEL


def _audit(
    item: Covariate, classes: Floats, groups: Mapping[str, Bools], *, seed: int
) -> Iterator[dict[str, object]]:
    known = item.known & ~np.isnan(classes)
    found = {group: _split(item, classes, known & members, seed=seed) for group, members in groups.items()}
    for group, split in found.items():
        yield {
            "confounder": item.name,
            "group": group,
            "n": split.n,
            "auc": split.auc,
            "p": split.p,
            "note": _note(split, found, group),
        }


def _split(item: Covariate, classes: Floats, rows: Bools, *, seed: int) -> _Split:
    positive = classes[rows] == 1
    if item.numbers is not None:
        fit = rank_test(item.numbers[rows], positive)
        return _Split(n=fit.n, auc=fit.effect, p=fit.p, note="; ".join(fit.notes))
    words = [word for word, chosen in zip(item.words, rows, strict=True) if chosen]
    return _split_words([str(word) for word in words], positive, seed=seed)


def _split_words(words: Sequence[str], positive: Bools, *, seed: int) -> _Split:
    from scipy.stats import chi2_contingency  # noqa: PLC0415  (the command line starts without SciPy)

    names = sorted(set(words))
    sizes = (int(positive.sum()), int((~positive).sum()))
    if min(sizes) == 0 or len(names) < 2:
        why = "one class is empty" if min(sizes) == 0 else "it is the same in every patient"
        return _Split(n=len(words), auc=None, p=None, note=f"not estimable: {why}")
    if min(sizes) < FEW_PATIENTS:
        said = f"{sizes[0]} against {sizes[1]} patients, {FEW_PATIENTS} in each class are needed"
        return _Split(n=len(words), auc=None, p=None, note=f"{TOO_FEW} ({said})")
    place = np.searchsorted(np.array(names), np.array(words))
    counts = np.array([np.bincount(place[of], minlength=len(names)) for of in (positive, ~positive)])
    test: Any = chi2_contingency(counts, correction=False)
    p = float(test.pvalue) if test.expected_freq.min() >= 5 else _random_tables(counts, seed)
    return _Split(n=len(words), auc=None, p=p, note="")


def _random_tables(counts: np.ndarray, seed: int) -> float:
    """Return the share of tables with the same margins whose chi-square is at least as large."""
    from scipy.stats import random_table  # noqa: PLC0415

    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    rng = np.random.default_rng(seed)
    drawn = random_table(counts.sum(axis=1), counts.sum(axis=0)).rvs(_TABLES, random_state=rng)
    squares = ((drawn - expected) ** 2 / expected).sum(axis=(1, 2))
    observed = float(((counts - expected) ** 2 / expected).sum())
    return float((1 + (squares >= observed - 1e-9).sum()) / (1 + _TABLES))


def _note(split: _Split, found: Mapping[str, _Split], group: str) -> str:
    if split.note:
        return split.note
    said = "splits responders by itself" if split.splits else "not seen to split responders"
    arms = {name: other for name, other in found.items() if name}
    if group or not arms:
        return said
    told = [name for name, other in arms.items() if other.p is not None]
    inside = [name for name in told if arms[name].splits]
    if not told:
        return f"{said}; the arms are too small to say"
    if len(inside) == len(arms):
        return f"{said}; in every arm, so that it is not about one treatment"
    return f"{said}; within arms: {', '.join(inside) if inside else 'in none'}"
