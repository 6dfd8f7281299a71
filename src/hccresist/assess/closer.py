"""The closer look: everything of *assess* beyond responses, each table by its own function.

Each entry of `BY_PATIENT` makes a table whose rows belong to patients (some compare a patient with the
cohort, so the study must be whole); each of `OF_COHORT` describes all patients together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from hccresist.assess.agreement import derive_agreement
from hccresist.assess.audit import derive_audit
from hccresist.assess.discordance import derive_discordance
from hccresist.assess.kinetics import derive_kinetics
from hccresist.assess.markers import derive_markers
from hccresist.assess.nodules import derive_nodules
from hccresist.assess.patterns import (
    derive_combinations,
    derive_overlap,
    derive_pattern_rates,
    derive_patterns,
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

    def assessed(self, *names: str) -> dict[str, pl.DataFrame]:
        """Return some of the tables by name."""
        return {name: self.tables[name] for name in names}

    def sizes(self) -> pl.DataFrame:
        """Return sums at every visit under RECIST 1.1."""
        if not self._sizes:
            self._sizes.append(derive_sizes(self.study))
        return self._sizes[0]


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


ALL: Final = ("timepoints", "best_response", "baselines")

BY_PATIENT: Final[dict[str, Table]] = {
    "resistance": Table(make=lambda look: derive_resistance(look.study, **look.assessed(*ALL))),
    "discordance": Table(
        make=lambda look: derive_discordance(look.tables["timepoints"], look.tables["best_response"])
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
    "markers": Table(
        make=lambda look: derive_markers(
            look.study, timepoints=look.tables["timepoints"], baselines=look.tables["baselines"]
        ),
        needs=("labs", "observations", "lesions"),
    ),
    "robustness": Table(
        make=lambda look: derive_robustness(
            look.study,
            **look.assessed("timepoints", "baselines"),
            criteria=look.tables["timepoints"]["criterion"].unique().sort().to_list(),
        ),
        needs=("lesions", "sums"),
    ),
    "audit": Table(
        make=lambda look: derive_audit(look.study, timepoints=look.tables["timepoints"]),
        needs=("lesions", "sums", "responses"),
    ),
    "nodules": Table(make=lambda look: derive_nodules(look.study), needs=("lesions",)),
}
"""Tables whose rows belong to patients, in the order in which they are made."""

OF_COHORT: Final[dict[str, Callable[[Mapping[str, pl.DataFrame]], pl.DataFrame]]] = {
    "agreement": lambda tables: derive_agreement(tables["best_response"], tables["timepoints"]),
    "pattern_rates": lambda tables: derive_pattern_rates(tables["patterns"]),
    "pattern_overlap": lambda tables: derive_overlap(tables["patterns"]),
    "pattern_combinations": lambda tables: derive_combinations(tables["patterns"]),
}
"""Tables over all patients, from the tables made before."""
