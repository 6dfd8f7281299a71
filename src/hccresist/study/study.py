"""What a study is: a configuration and its checked tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

import polars as pl

from hccresist.study.issues import Issue
from hccresist.study.policies import Policies

ROW: Final = "__row"
"""Column of a `RawTable` that holds where a row came from: the line of the file, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyConfig:
    """What ``study.toml`` says.

    Attributes
    ----------
    name
        Short name, shown on every page.
    title
        One line for the report.
    index_line
        Line of systemic treatment whose start is day 0.
    planned_visit_days
        Planned scan days after day 0, ascending; empty where there is no grid.
    criteria
        Names of the criteria wanted.
    variants
        Criteria of the study's own: name to choices, as in ``[criteria.NAME]`` of ``study.toml``.
    reference_arm
        Arm that the others are compared with; empty: the first by name.
    strata
        Columns of table `patients` by which comparisons of survival are stratified.
    simulated
        The data are simulated; every page says so.
    policies
        Policies set by the study.
    """

    name: str = "study"
    title: str = ""
    index_line: int = 1
    planned_visit_days: tuple[float, ...] = ()
    criteria: tuple[str, ...] = ("recist11", "mrecist", "irecist")
    variants: Mapping[str, Mapping[str, object]] = field(default_factory=lambda: MappingProxyType({}))
    reference_arm: str = ""
    strata: tuple[str, ...] = ()
    simulated: bool = False
    policies: Policies = field(default_factory=Policies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that was read: name relative to the study, SHA-256, rows, table it fed."""

    file: str
    sha256: str
    rows: int
    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawTable:
    """A table as a reader hands it to the check: typed, with `ROW`, not yet trusted.

    Attributes
    ----------
    name
        Name of the table, a key of `hccresist.study.tables.SCHEMAS`.
    frame
        Typed columns; every declared column that was present, every covariate, and `ROW`.
    file
        Where it came from, for messages.
    headers
        Column name in the file for each column of `frame`, where the two differ.
    """

    name: str
    frame: pl.DataFrame
    file: str
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A checked study: every table fits its schema, every key is unique, every patient is known.

    Attributes
    ----------
    config
        What ``study.toml`` says.
    tables
        Table name to frame. Declared columns come first and are all there (null where the input
        had none), covariates follow; rows are sorted by key. A table without input is absent.
    warnings
        What was noticed and did not stop the reading.
    sources
        Files that were read.
    """

    config: StudyConfig = field(default_factory=StudyConfig)
    tables: Mapping[str, pl.DataFrame]
    warnings: tuple[Issue, ...] = ()
    sources: tuple[Source, ...] = ()

    def table(self, name: str) -> pl.DataFrame | None:
        """Return a table, or ``None`` where the study has none."""
        return self.tables.get(name)

    @property
    def patients(self) -> pl.DataFrame:
        """Table `patients`, which every study has."""
        return self.tables["patients"]

    def with_policies(self, policies: Policies) -> Study:
        """Return the same study under other policies."""
        return replace(self, config=replace(self.config, policies=policies))
