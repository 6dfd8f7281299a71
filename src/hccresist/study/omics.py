"""What the readers of omics formats share: matrices, covariates, follow-up, configuration, assembly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import polars as pl

from hccresist.study.check import check_tables
from hccresist.study.config import CONFIG_FILE, read_settings
from hccresist.study.issues import IssueLog
from hccresist.study.maf import join_alterations
from hccresist.study.policies import Policies
from hccresist.study.rows import Place
from hccresist.study.study import ROW, RawTable, Source, Study, StudyConfig
from hccresist.study.tab import Tab, read_parts
from hccresist.study.tables import SCHEMAS
from hccresist.study.values import Cells, is_missing, read_cells

MONTH_DAYS: Final = 30.4375
"""Days of a month: a year of 365.25 days by twelve."""


@dataclass(slots=True, kw_only=True)
class Gathered:
    """Tables and files as they come together, and the log that hears of them.

    Attributes
    ----------
    log
        Hears every problem.
    tables, sources
        What was read so far.
    """

    log: IssueLog
    tables: list[RawTable] = field(default_factory=list[RawTable])
    sources: list[Source] = field(default_factory=list[Source])

    def add(
        self, name: str, frame: pl.DataFrame, *, file: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Add a table; one without rows is left out, but for patients."""
        if frame.height or name == "patients":
            self.tables.append(RawTable(name=name, frame=frame, file=file, headers=headers or {}))

    def add_file(self, file: str, *, sha256: str, rows: int, table: str) -> None:
        """Add a file that was read."""
        self.sources.append(Source(file=file, sha256=sha256, rows=rows, table=table))

    def finish(self, config: StudyConfig) -> Study:
        """Check everything and return the study; alterations of several files become one table.

        Raises
        ------
        InputError
            With every problem found.
        """
        others = [table for table in self.tables if table.name != "alterations"]
        alterations = join_alterations([table for table in self.tables if table.name == "alterations"])
        raw = others if alterations is None else [*others, alterations]
        return check_tables(raw, config, log=self.log, sources=self.sources)


def read_own_config(
    folder: Path, log: IssueLog, *, name: str, title: str = "", policies: Policies | None
) -> StudyConfig:
    """Return what ``study.toml`` says, where there is one; else name and title as given."""
    config = StudyConfig(name=name or "study", title=title)
    if (folder / CONFIG_FILE).is_file():
        config, _ = read_settings(folder, log)
    return config if policies is None else replace(config, policies=policies)


def read_matrix(
    tab: Tab, place: Place, *, names: Sequence[str], wanted: Sequence[str] | None = None
) -> pl.DataFrame | None:
    """Read a matrix of genes by samples.

    Parameters
    ----------
    tab
        The table, its header read.
    place
        Hears of values that are no numbers.
    names
        Columns that name the gene, the best first; where it is empty the next is taken.
    wanted
        Columns that hold samples; all others than `names`, if not given.

    Returns
    -------
    pl.DataFrame or None
        ``gene``, one column of numbers a sample (null: not measured), and `ROW`.
    """
    samples = [h for h in tab.headers if h and h not in names] if wanted is None else list(wanted)
    if taken := sorted({"gene", ROW} & set(samples)):
        hint = "Rename the sample: the name is used inside."
        place.error("reserved-column", f"no sample can be called '{taken[0]}'", column=taken[0], hint=hint)
        return None
    parts: list[pl.DataFrame] = []
    for part in read_parts(tab, place, columns=(*names, *samples)):
        if part is None:
            return None
        parts.append(_as_numbers(part, names, samples, place=place))
    return pl.concat(parts)


def _as_numbers(
    frame: pl.DataFrame, names: Sequence[str], samples: Sequence[str], *, place: Place
) -> pl.DataFrame:
    genes = [pl.col(name).str.strip_chars() for name in names]
    named = [pl.when(gene.str.to_lowercase().is_in(["", "na", "---"]).not_()).then(gene) for gene in genes]
    columns = [_numbers(frame, name, place) for name in samples]
    return pl.DataFrame([frame.select(gene=pl.coalesce(*named)).to_series(), *columns, frame[ROW]])


def _numbers(frame: pl.DataFrame, name: str, place: Place) -> pl.Series:
    text = frame[name]
    number = text.str.strip_chars().cast(pl.Float64, strict=False)
    bad = number.is_null() & text.is_not_null()
    bad = bad & ~is_missing(text) if bad.any() else bad
    bad = bad | number.is_infinite().fill_null(value=False)
    if bad.any():
        place.tell(
            frame.select(ROW, found=pl.col(name)).filter(bad).head(3),
            "not-a-number",
            "the value is not a number",
            column=name,
            found="found",
            expected="a number, or an empty cell where nothing was measured",
            hint="Correct the file, or leave the cell empty.",
        )
        number = number.set(bad, None)
    return number.fill_nan(None).alias(name)


def one_row_a_gene(frame: pl.DataFrame, place: Place) -> pl.DataFrame:
    """Return one row a gene: of several the one with the highest mean, and tell how many were left out.

    Rows without a gene are left out too. Of equal means the first row is kept.

    Parameters
    ----------
    frame
        As `read_matrix` returns it.
    place
        Hears what was left out.
    """
    nameless = frame["gene"].is_null()
    if n := int(nameless.sum()):
        problem = f"{n:,} rows name no gene and were left out"
        place.warning("no-gene", problem, hint="Nothing is to be done where they are controls.")
    named = frame.filter(~nameless)
    samples = [name for name in frame.columns if name not in ("gene", ROW)]
    ranked = named.with_columns(__mean=named.select(samples).mean_horizontal() if samples else pl.lit(0.0))
    ranked = ranked.sort("__mean", ROW, descending=[True, False], nulls_last=True)
    single = ranked.unique("gene", keep="first", maintain_order=True).sort(ROW).drop("__mean")
    if n := named.height - single.height:
        place.warning(
            "several-rows-a-gene",
            f"{n:,} further rows of genes that have several were left out",
            hint="Of several rows (probes) the one with the highest mean over all samples is kept.",
        )
    return single


def fit_columns(frame: pl.DataFrame, table: str, place: Place) -> pl.DataFrame:
    """Return covariates in lower case; those that the schema declares only where their values fit.

    Parameters
    ----------
    frame
        Rows of `table` as text, with `ROW`; key columns have their name already.
    table
        Name of the study table.
    place
        Hears of columns that bear a declared name and do not fit: they are kept as ``recorded_NAME``.
    """
    declared = SCHEMAS[table].columns()
    columns: list[pl.Series] = []
    for name in (name for name in frame.columns if name != ROW):
        plain = name.strip().lower()
        values = (
            frame[name].set(is_missing(frame[name]), None) if frame[name].dtype == pl.String else frame[name]
        )
        if plain in declared and not declared[plain].primary_key:
            values, plain = _fit(values, plain, table, frame.select(ROW), place=place)
        columns.append(values.alias(plain))
    names = [column.name for column in columns]
    for name in sorted({name for name in names if names.count(name) > 1}):
        hint = "Upper and lower case are not told apart: rename one of them."
        place.error("duplicate-column", f"column '{name}' is there twice", column=name, hint=hint)
    kept = {column.name: column for column in columns}
    return pl.DataFrame([*kept.values(), frame[ROW]])


def _fit(
    values: pl.Series, name: str, table: str, rows: pl.DataFrame, *, place: Place
) -> tuple[pl.Series, str]:
    scratch = IssueLog()
    cells = Cells(values=values, column=name, rows=rows, place=Place(file=place.file, log=scratch))
    typed = read_cells(cells, SCHEMAS[table].columns()[name])
    if not scratch.errors:
        return typed, name
    first = scratch.errors[0]
    place.warning(
        "kept-as-recorded",
        f"column '{name}' does not hold what the study's column of that name holds",
        column=name,
        found=first.found,
        expected=first.expected,
        hint=f"It was kept as recorded_{name}; write the values as the data dictionary says to have it used.",
    )
    return values, f"recorded_{name}"


def constant_columns(frame: pl.DataFrame, key: str, names: Sequence[str]) -> list[str]:
    """Return the columns that say one thing, or nothing, of each key."""
    counts = frame.group_by(key).agg(pl.col(name).drop_nulls().n_unique() for name in names)
    return [name for name in names if (counts[name].max() or 0) <= 1]  # pyright: ignore[reportOperatorIssue]


def first_values(frame: pl.DataFrame, key: str, names: Sequence[str]) -> pl.DataFrame:
    """Return one row a key with the first value of each column, and its first `ROW`."""
    values = [pl.col(name).drop_nulls().first() for name in names]
    return frame.group_by(key, maintain_order=True).agg(*values, pl.col(ROW).min())
