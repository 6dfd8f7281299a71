"""Covariates of each patient as numbers, for regressions and for the audit of confounders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from hccresist.errors import ConfigError
from hccresist.explain.association_features import choose_samples
from hccresist.explain.association_tests import Bools, Floats
from hccresist.study.issues import nearest
from hccresist.study.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Covariate:
    """One covariate of every patient, in the order of the patients asked for.

    Attributes
    ----------
    name
        Column of table `patients`, or of `samples`.
    numbers
        Value, NaN where missing; ``None`` for words. Shape = (n,).
    words
        Group, ``None`` where missing; empty for numbers.
    """

    name: str
    numbers: Floats | None = None
    words: tuple[str | None, ...] = ()

    @property
    def known(self) -> Bools:
        """Who has a value; shape = (n,)."""
        if self.numbers is not None:
            return ~np.isnan(self.numbers)
        return np.array([word is not None for word in self.words], dtype=np.bool_)

    def columns(self, rows: Bools) -> dict[str, Floats]:
        """Return columns for a regression on the chosen patients, none of them constant.

        Numbers are in standard deviations from the mean; words become one column of 0 and 1 for each
        group but the most frequent of these patients.
        """
        if self.numbers is not None:
            values = self.numbers[rows]
            spread = float(values.std()) if len(values) else 0.0
            return {self.name: (values - values.mean()) / spread} if spread > 0 else {}
        words = [str(word) for word, chosen in zip(self.words, rows, strict=True) if chosen]
        groups = sorted(set(words), key=lambda word: (-words.count(word), word))
        return {
            f"{self.name}: {group}": np.array([float(word == group) for word in words])
            for group in groups[1:]
        }


def collect_covariates(study: Study, names: Sequence[str], *, patients: Sequence[str]) -> list[Covariate]:
    """Return covariates by name.

    Parameters
    ----------
    study
        A name is a column of table `patients`, or of `samples` (then that of the sample that
        `choose_samples` uses).
    names
        Covariates wanted.
    patients
        Patients in the order wanted.

    Raises
    ------
    ConfigError
        For names without a column, and columns without a value; all at once.
    """
    columns = _columns(study)
    unknown = [name for name in names if name not in columns]
    where = "in tables patients and samples"
    told = [f"There is no covariate '{n}' {where}. {nearest(n, list(columns))}".strip() for n in unknown]
    told += [
        f"Covariate '{name}' has no value in any patient."
        for name in names
        if name in columns and columns[name].drop_nulls("value").is_empty()
    ]
    if told:
        raise ConfigError("\n".join(told))
    order = pl.DataFrame({"patient_id": patients}, schema={"patient_id": pl.String})
    return [_covariate(name, order, columns[name]) for name in dict.fromkeys(names)]


def covariate_names(study: Study) -> tuple[str, ...]:
    """Return the columns of tables `patients` and `samples` that have a value and can be a covariate."""
    return tuple(sorted(n for n, frame in _columns(study).items() if frame["value"].count()))


def _columns(study: Study) -> dict[str, pl.DataFrame]:
    """Return the columns that can be a covariate, each as a frame of patient_id and value."""
    found: dict[str, pl.DataFrame] = {}
    samples = study.table("samples")
    if samples is not None:
        used = choose_samples(samples).filter("used")["sample_id"]
        rows = samples.filter(pl.col("sample_id").is_in(used.implode()))
        keys = ("sample_id", "patient_id", "day")
        found = {n: rows.select("patient_id", value=n) for n in rows.columns if n not in keys}
    patients = study.patients
    own = {n: patients.select("patient_id", value=n) for n in patients.columns if n != "patient_id"}
    filled = {n: frame for n, frame in own.items() if n not in found or frame["value"].count()}
    return found | filled


def _covariate(name: str, order: pl.DataFrame, column: pl.DataFrame) -> Covariate:
    values = order.join(column, on="patient_id", how="left", maintain_order="left")["value"]
    if values.dtype.is_numeric() or values.dtype == pl.Boolean:
        return Covariate(name=name, numbers=values.cast(pl.Float64).fill_null(float("nan")).to_numpy())
    words = values.cast(pl.String)
    try:
        numbers = words.cast(pl.Float64)
    except pl.exceptions.InvalidOperationError:
        return Covariate(name=name, words=tuple(words))
    return Covariate(name=name, numbers=numbers.fill_null(float("nan")).to_numpy())
