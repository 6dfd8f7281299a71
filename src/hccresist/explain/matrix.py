"""Expression of a study as a matrix of approved genes and samples, on a log2 scale.

Names of genes are resolved, the scale is found and converted (`hccresist.explain.scale`), and what
was changed or lost is told. Each sample is treated by itself, so that a sample's values do not depend
on which other samples are there, but for the scale, which is that of the table.

Several rows of one gene: rows that bear the approved symbol come before an Ensembl gene or Entrez
number, these before a previous symbol or an alias; among rows of the same standing each sample takes
its highest value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hccresist.errors import ConfigError
from hccresist.explain.genes import read_genes
from hccresist.explain.results import GeneReport, SampleReport
from hccresist.explain.scale import SCALES, Converted, convert_scale, judge_scale
from hccresist.study.study import Study

STANDING: Final = {"approved": 0, "ensembl": 1, "entrez": 1, "previous": 2, "alias": 3}
"""Which row of several of one gene comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Expression on a log2 scale.

    Attributes
    ----------
    genes
        Approved symbols, sorted.
    samples
        Identifiers of samples, sorted.
    values
        Genes × samples, log2; NaN where a gene was not measured.
    scale
        What the values are: ``log2(x + 1)``, ``log2 counts per million`` …
    """

    genes: tuple[str, ...]
    samples: tuple[str, ...]
    values: NDArray[np.float64]
    scale: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A matrix with what was found on the way.

    Attributes
    ----------
    matrix
        The matrix; without samples where the table was refused.
    gene_report, sample_report
        Tables `GeneReport` and `SampleReport` of `hccresist.explain.results`.
    notices
        Sentences for the report and the run log.
    """

    matrix: Matrix
    gene_report: pl.DataFrame
    sample_report: pl.DataFrame
    notices: tuple[str, ...]

    @property
    def patients(self) -> dict[str, str]:
        """Patient of each sample of the matrix."""
        used = self.sample_report.filter("used")
        return dict(zip(used["sample_id"].to_list(), used["patient_id"].to_list(), strict=True))


def prepare_expression(study: Study, *, scale: str | None = None) -> Prepared:
    """Bring the expression of a study to a matrix.

    Parameters
    ----------
    study
        A study with a table `expression`. Without a table `samples` a sample must bear the name of
        its patient; samples of no patient are left out and told.
    scale
        Scale of the values (one of `hccresist.explain.scale.SCALES`); found from the values if not given.

    Raises
    ------
    ConfigError
        When the study has no expression, or `scale` is not a scale.
    """
    expression = study.table("expression")
    if expression is None:
        msg = "the study has no table expression"
        raise ConfigError(msg)
    samples = study.table("samples")
    if samples is None:
        known = study.patients["patient_id"].to_list()
        return prepare_frame(expression, patients=dict(zip(known, known, strict=True)), scale=scale)
    pairs = zip(samples["sample_id"].to_list(), samples["patient_id"].to_list(), strict=True)
    return prepare_frame(expression, patients=dict(pairs), scale=scale)


def prepare_frame(
    expression: pl.DataFrame, *, patients: Mapping[str, str], scale: str | None = None
) -> Prepared:
    """Bring a table of genes by samples to a matrix.

    Parameters
    ----------
    expression
        A column ``gene`` and one column of numbers a sample.
    patients
        Patient of each sample.
    scale
        As in `prepare_expression`.
    """
    if scale is not None and scale not in SCALES:
        msg = f"scale is {scale!r}; it must be one of {', '.join(SCALES)}"
        raise ConfigError(msg)
    samples = tuple(sorted(name for name in expression.columns if name != "gene"))
    values = expression.select(pl.col(samples).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    values = np.where(np.isfinite(values), values, np.nan)
    found = read_genes().resolve(expression["gene"].cast(pl.String).to_list())
    verdict = judge_scale(values)
    named = scale or verdict.scale
    table = _Table(samples, values, found, named, _name_samples(verdict.samples, scale), patients)
    if not named:
        return _refuse(table, verdict.reason)
    return _prepare(table)


@dataclass(frozen=True, slots=True)
class _Table:
    samples: tuple[str, ...]
    values: NDArray[np.float64]
    genes: pl.DataFrame
    scale: str
    scales: tuple[str, ...]
    patients: Mapping[str, str]


def _name_samples(found: tuple[str, ...], scale: str | None) -> tuple[str, ...]:
    return found if scale is None else (scale,) * len(found)


def _refuse(table: _Table, reason: str) -> Prepared:
    said = f"expression was not used: {reason}. Name its scale ({', '.join(SCALES)}) if you know it"
    notes = dict.fromkeys(table.samples, "the scale of the table is ambiguous")
    report = _report_samples(table, notes, table.values, done={})
    empty = Matrix(genes=(), samples=(), values=np.empty((0, 0)), scale="")
    return Prepared(
        matrix=empty, gene_report=_report_genes(table.genes), sample_report=report, notices=(said,)
    )


def _prepare(table: _Table) -> Prepared:
    notes = _find_unfit(table)
    fit = np.array([name not in notes for name in table.samples], dtype=bool)
    used = tuple(name for name in table.samples if name not in notes)
    converted = convert_scale(table.values[:, fit], table.scale)
    genes, values = _merge_rows(table.genes, converted.values)
    matrix = Matrix(genes=genes, samples=used, values=values, scale=_name_scale(table.scale, converted))
    done = dict.fromkeys(used, converted.done)
    report = _report_samples(table, notes, _spread(table, fit, values), done=done)
    notices = (*converted.notices, *_tell_genes(table.genes, genes), *_tell_samples(notes))
    return Prepared(
        matrix=matrix, gene_report=_report_genes(table.genes), sample_report=report, notices=notices
    )


def _spread(table: _Table, fit: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.float64]:
    whole = np.full((values.shape[0], len(table.samples)), np.nan)
    whole[:, fit] = values
    return whole


def _name_scale(scale: str, converted: Converted) -> str:
    if scale in {"counts", "linear"}:
        return converted.done
    return "centred" if scale == "centred" else "log2"


def _find_unfit(table: _Table) -> dict[str, str]:
    """Return why a sample cannot be used, for those that cannot."""
    notes: dict[str, str] = {}
    for number, name in enumerate(table.samples):
        column = table.values[:, number]
        held = column[np.isfinite(column)]
        if name not in table.patients:
            notes[name] = "the sample belongs to no patient: add it to the table samples"
        elif held.size == 0:
            notes[name] = "no value"
        elif float(held.min()) == float(held.max()):
            notes[name] = "all values are the same"
        elif table.scales[number] != table.scale:
            notes[name] = f"on another scale ({table.scales[number]}) than the other samples ({table.scale})"
        elif table.scale in {"counts", "linear"} and float(held.min()) < 0:
            notes[name] = f"negative values, which {table.scale} values cannot have"
    return notes


def _merge_rows(
    names: pl.DataFrame, values: NDArray[np.float64]
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return one row a gene: the rows of best standing, and of those the highest value in each sample."""
    rows = (
        names.with_row_index("row")
        .drop_nulls("symbol")
        .with_columns(standing=pl.col("how").replace_strict(STANDING, return_dtype=pl.Int8))
        .filter(pl.col("standing") == pl.col("standing").min().over("symbol"))
        .sort("symbol", "row")
    )
    order = rows["row"].to_numpy()
    taken = values[order]
    symbols = rows["symbol"].to_list()
    first = np.flatnonzero(np.r_[True, np.array(symbols[1:]) != np.array(symbols[:-1])]) if symbols else []
    if len(first) == len(symbols):
        return tuple(symbols), np.ascontiguousarray(taken)
    return tuple(symbols[n] for n in first), np.fmax.reduceat(taken, first, axis=0)


def _report_genes(names: pl.DataFrame) -> pl.DataFrame:
    """Return one row a gene that was not taken as it stood."""
    standing = pl.col("how").replace_strict(STANDING, default=9, return_dtype=pl.Int8)
    told = names.with_columns(standing=standing).with_columns(
        rows=pl.len().over("symbol"), best=pl.col("standing").min().over("symbol")
    )
    several = pl.col("symbol").is_not_null() & (pl.col("rows") > 1)
    merged = (
        pl.when(pl.col("standing") > pl.col("best"))
        .then(pl.lit("left out: another row bears the symbol more closely"))
        .otherwise(pl.lit("highest value of its rows in each sample"))
    )
    plain = (
        pl.when(pl.col("symbol").is_null())
        .then(pl.lit("left out"))
        .otherwise(pl.lit("renamed to ") + pl.col("symbol"))
    )
    report = told.filter(several | (pl.col("how") != "approved") | (pl.col("given") != pl.col("symbol")))
    return GeneReport.validate(
        report.select(
            "given",
            "symbol",
            pl.when(several).then(pl.lit("duplicate")).otherwise("how").alias("how"),
            pl.concat_str(
                pl.when(several).then(merged).otherwise(plain),
                pl.col("note"),
                separator="; ",
                ignore_nulls=True,
            ).alias("note"),
        )
        .unique("given", keep="first", maintain_order=True)
        .sort("given"),
        cast=True,
    )


def _report_samples(
    table: _Table, notes: Mapping[str, str], values: NDArray[np.float64], *, done: Mapping[str, str]
) -> pl.DataFrame:
    measured = np.isfinite(values).sum(axis=0)
    return SampleReport.validate(
        pl.DataFrame(
            {
                "sample_id": table.samples,
                "patient_id": [table.patients.get(name, "") for name in table.samples],
                "genes": measured,
                "missing": values.shape[0] - measured,
                "scale": table.scales,
                "used": [name in done for name in table.samples],
                "note": [notes.get(name, done.get(name)) for name in table.samples],
            },
            schema_overrides={"note": pl.String, "sample_id": pl.String, "patient_id": pl.String},
        ),
        cast=True,
    )


def _tell_genes(names: pl.DataFrame, genes: tuple[str, ...]) -> tuple[str, ...]:
    lost = names.filter(pl.col("symbol").is_null())["how"].to_list()
    told: list[str] = []
    if lost:
        told.append(
            f"{len(lost):,} of {names.height:,} rows were lost: {lost.count('unknown'):,} names unknown, "
            f"{lost.count('ambiguous'):,} ambiguous"
        )
    merged = names.height - len(lost) - len(genes)
    if merged:
        told.append(f"{merged:,} row{'s' * (merged > 1)} stood for a gene that another row stands for too")
    return tuple(told)


def _tell_samples(notes: Mapping[str, str]) -> tuple[str, ...]:
    if not notes:
        return ()
    reasons = sorted(set(notes.values()))
    counts = [f"{sum(note == reason for note in notes.values())}: {reason}" for reason in reasons]
    return (f"{len(notes)} sample{'s' * (len(notes) > 1)} left out ({'; '.join(counts)})",)
