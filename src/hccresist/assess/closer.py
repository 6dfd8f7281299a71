"""The closer look: everything of *assess* beyond responses, each table by its own function.

Each entry of `BY_PATIENT` makes a table from the study and its responses: rows of patients (some compare a
patient with the cohort, so the study must be whole), and beside them what was looked at and by which
definition. Each of `OF_COHORT` describes all patients together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import polars as pl

from hccresist.assess.agreement import derive_agreement
from hccresist.assess.audit import derive_audit_tables
from hccresist.assess.criteria import find_criterion
from hccresist.assess.discordance import derive_discordance
from hccresist.assess.kinetics import derive_kinetics
from hccresist.assess.markers import derive_marker_tables
from hccresist.assess.nodules import derive_nodules
from hccresist.assess.patterns import (
    derive_combinations,
    derive_overlap,
    derive_pattern_rates,
    derive_patterns,
    describe_definitions,
)
from hccresist.assess.resistance import derive_resistance
from hccresist.assess.robustness import derive_robustness
from hccresist.assess.sizes import derive_sizes
from hccresist.study.study import Study


@dataclass(slots=True)
class Look:
    """A study, its responses, and what several tables need, made once.

    Attributes
    ----------
    study
        Checked study.
    tables
        ``timepoints``, ``best_response`` and ``baselines``; ``events`` where outcomes were derived.
    """

    study: Study
    tables: Mapping[str, pl.DataFrame]
    _sizes: list[pl.DataFrame] = field(default_factory=list[pl.DataFrame])
    _audits: dict[str, pl.DataFrame] = field(default_factory=dict[str, pl.DataFrame])
    _markers: dict[str, pl.DataFrame] = field(default_factory=dict[str, pl.DataFrame])

    def assessed(self, *names: str) -> dict[str, pl.DataFrame]:
        """Return some of the tables by name."""
        return {name: self.tables[name] for name in names}

    def sizes(self) -> pl.DataFrame:
        """Return sums at every visit under RECIST 1.1."""
        if not self._sizes:
            self._sizes.append(derive_sizes(self.study))
        return self._sizes[0]

    def audits(self) -> dict[str, pl.DataFrame]:
        """Return ``audit`` and ``audit_checks``."""
        if not self._audits:
            self._audits = derive_audit_tables(self.study, timepoints=self.tables["timepoints"])
        return self._audits

    def markers(self) -> dict[str, pl.DataFrame]:
        """Return ``markers`` and the three tables beside it."""
        if not self._markers:
            timepoints, baselines = self.tables["timepoints"], self.tables["baselines"]
            self._markers = derive_marker_tables(self.study, timepoints=timepoints, baselines=baselines)
        return self._markers

    def titles(self) -> dict[str, str]:
        """Return the names for people of the criteria of the study's own."""
        variants = self.study.config.variants
        return {name: find_criterion(name, variants).title for name in variants}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """How a table is made, and what it needs.

    Attributes
    ----------
    make
        From a look to the table.
    needs
        Tables of the study of which at least one must be there.
    """

    make: Callable[[Look], pl.DataFrame]
    needs: tuple[str, ...] = ()

    def why_not(self, study: Study) -> str:
        """Return why the table cannot be made, or an empty string."""
        if not self.needs or any(name in study.tables for name in self.needs):
            return ""
        return f"the study has no {' or '.join(self.needs)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortTable:
    """How a table over all patients is made, and from which result tables.

    Attributes
    ----------
    make
        From the result tables to the table.
    needs
        Result tables that must all be there.
    """

    make: Callable[[Mapping[str, pl.DataFrame]], pl.DataFrame]
    needs: tuple[str, ...]


MARKERS: Final = ("markers", "marker_issues", "marker_definitions", "marker_readings")
AUDITS: Final = ("audit", "audit_checks")
ALL: Final = ("timepoints", "best_response", "baselines")


def _take_markers(name: str, look: Look) -> pl.DataFrame:
    return look.markers()[name]


def _take_audits(name: str, look: Look) -> pl.DataFrame:
    return look.audits()[name]


BY_PATIENT: Final[dict[str, Table]] = {
    "resistance": Table(make=lambda look: derive_resistance(look.study, **look.assessed(*ALL))),
    "discordance": Table(
        make=lambda look: derive_discordance(
            look.tables["timepoints"], look.tables["best_response"], titles=look.titles()
        )
    ),
    "kinetics": Table(
        make=lambda look: derive_kinetics(
            look.study, look.sizes(), best_response=look.tables["best_response"]
        ),
        needs=("lesions", "sums"),
    ),
    "patterns": Table(
        make=lambda look: derive_patterns(
            look.study, **look.assessed(*ALL), sizes=look.sizes(), events=look.tables.get("events")
        )
    ),
    "pattern_definitions": Table(make=lambda look: describe_definitions()),
    **{
        name: Table(make=partial(_take_markers, name), needs=("labs", "observations", "lesions"))
        for name in MARKERS
    },
    "robustness": Table(
        make=lambda look: derive_robustness(
            look.study,
            **look.assessed("timepoints", "baselines"),
            criteria=look.tables["timepoints"]["criterion"].unique().sort().to_list(),
        ),
        needs=("lesions", "sums"),
    ),
    **{
        name: Table(make=partial(_take_audits, name), needs=("lesions", "sums", "responses"))
        for name in AUDITS
    },
    "nodules": Table(make=lambda look: derive_nodules(look.study), needs=("lesions",)),
}
"""Tables from the study and its responses, in the order in which they are made."""

OF_COHORT: Final[dict[str, CohortTable]] = {
    "agreement": CohortTable(
        make=lambda tables: derive_agreement(tables["best_response"], tables["timepoints"]),
        needs=("best_response", "timepoints"),
    ),
    "pattern_rates": CohortTable(
        make=lambda tables: derive_pattern_rates(tables["patterns"]), needs=("patterns",)
    ),
    "pattern_overlap": CohortTable(
        make=lambda tables: derive_overlap(tables["patterns"]), needs=("patterns",)
    ),
    "pattern_combinations": CohortTable(
        make=lambda tables: derive_combinations(tables["patterns"]), needs=("patterns",)
    ),
}
"""Tables over all patients, from the tables made before."""
